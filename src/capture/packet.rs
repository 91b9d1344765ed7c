//! One packet: link layer, IP, TCP, payload.
//!
//! Contract: total over any bytes. Padding behind the IP packet is left off; what the capture cut
//! off the payload is known by its count. Deliberately absent: check sums, and joining fragments.

use super::LeftOut;
use super::file::Packet;
use super::stream::Endpoint;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86DD;
/// Tags before the real EtherType: 802.1Q, 802.1ad and its forerunner.
const VLAN: [u16; 3] = [0x8100, 0x88A8, 0x9100];
/// More tags, or more IPv6 extension headers, than any network stacks.
const NESTED_MAX: usize = 8;
const TCP: u8 = 6;

/// What one TCP packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment<'a> {
    pub(super) from: Endpoint,
    pub(super) to: Endpoint,
    /// Sequence number of the first byte of `payload` (behind a SYN's own number).
    pub(super) sequence: u32,
    pub(super) syn: bool,
    pub(super) ack: bool,
    pub(super) payload: &'a [u8],
    /// Bytes of the payload that the capture left off.
    pub(super) cut: usize,
}

/// The TCP segment in a packet.
pub(super) fn segment<'a>(packet: &Packet<'a>) -> Result<Segment<'a>, LeftOut> {
    let (kind, ip) = network(packet.link, packet.bytes)?;
    let inner = match kind {
        IPV4 => ipv4(ip)?,
        IPV6 => ipv6(ip)?,
        other => return Err(LeftOut::NotIp(other)),
    };
    tcp(&inner)
}

/// EtherType and IP packet.
fn network(link: u16, bytes: &[u8]) -> Result<(u16, &[u8]), LeftOut> {
    match link {
        // BSD loopback: the address family in the byte order of whoever captured.
        0 | 108 => {
            let family = bytes.first_chunk::<4>().ok_or(LeftOut::Cut)?;
            let family = family.iter().copied().find(|b| *b != 0).unwrap_or_default();
            let kind = match family {
                2 => IPV4,
                10 | 24 | 28 | 30 => IPV6,
                other => u16::from(other),
            };
            Ok((kind, behind(bytes, 4)?))
        }
        1 => tagged(bytes, 12),
        12 | 14 | 101 => match bytes.first().ok_or(LeftOut::Cut)? >> 4 {
            6 => Ok((IPV6, bytes)),
            _ => Ok((IPV4, bytes)),
        },
        113 => tagged(bytes, 14),
        228 => Ok((IPV4, bytes)),
        229 => Ok((IPV6, bytes)),
        // Linux cooked v2 has the protocol in front.
        276 => {
            let kind = u16_at(bytes, 0)?;
            let rest = behind(bytes, 20)?;
            if VLAN.contains(&kind) { untag(rest, 2) } else { Ok((kind, rest)) }
        }
        other => Err(LeftOut::Link(other)),
    }
}

/// An EtherType at `at`, and what follows it.
fn tagged(bytes: &[u8], at: usize) -> Result<(u16, &[u8]), LeftOut> {
    let kind = u16_at(bytes, at)?;
    if VLAN.contains(&kind) {
        return untag(bytes, at + 4);
    }
    Ok((kind, behind(bytes, at + 2)?))
}

/// The first EtherType from `at` on that is no tag; tags are four bytes apart.
fn untag(bytes: &[u8], at: usize) -> Result<(u16, &[u8]), LeftOut> {
    for at in (at..).step_by(4).take(NESTED_MAX) {
        let kind = u16_at(bytes, at)?;
        if !VLAN.contains(&kind) {
            return Ok((kind, behind(bytes, at + 2)?));
        }
    }
    Err(LeftOut::Malformed)
}

/// What an IP header says of its TCP packet.
struct Inner<'a> {
    from: IpAddr,
    to: IpAddr,
    /// TCP header and payload, padding taken off, as far as captured.
    bytes: &'a [u8],
    /// Bytes of it that the capture left off.
    cut: usize,
}

fn ipv4(bytes: &[u8]) -> Result<Inner<'_>, LeftOut> {
    let head = bytes.first_chunk::<20>().ok_or(LeftOut::Cut)?;
    let size = usize::from(head[0] & 0x0F) * 4;
    if head[0] >> 4 != 4 || size < 20 {
        return Err(LeftOut::Malformed);
    }
    // More fragments, or an offset: neither is the whole packet.
    if u16::from_be_bytes([head[6], head[7]]) & 0x3FFF != 0 {
        return Err(LeftOut::Fragment);
    }
    if head[9] != TCP {
        return Err(LeftOut::NotTcp(head[9]));
    }
    let total = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let address =
        |at: usize| IpAddr::V4(Ipv4Addr::new(head[at], head[at + 1], head[at + 2], head[at + 3]));
    let (body, cut) = bounded(bytes, size, total)?;
    Ok(Inner { from: address(12), to: address(16), bytes: body, cut })
}

fn ipv6(bytes: &[u8]) -> Result<Inner<'_>, LeftOut> {
    let head = bytes.first_chunk::<40>().ok_or(LeftOut::Cut)?;
    if head[0] >> 4 != 6 {
        return Err(LeftOut::Malformed);
    }
    let payload = usize::from(u16::from_be_bytes([head[4], head[5]]));
    let total = if payload == 0 { 0 } else { 40 + payload };
    let address = |at: usize| {
        let octets: Option<&[u8; 16]> = head.get(at..).and_then(|rest| rest.first_chunk());
        IpAddr::V6(Ipv6Addr::from(octets.copied().unwrap_or_default()))
    };
    let at = extensions(bytes, head[6])?;
    let (body, cut) = bounded(bytes, at, total)?;
    Ok(Inner { from: address(8), to: address(24), bytes: body, cut })
}

/// Where the TCP header begins behind IPv6 extension headers.
fn extensions(bytes: &[u8], first: u8) -> Result<usize, LeftOut> {
    let (mut next, mut at) = (first, 40);
    for _ in 0..NESTED_MAX {
        let two = || bytes.get(at..).and_then(|b| b.first_chunk::<2>()).ok_or(LeftOut::Cut);
        let size = match next {
            TCP => return Ok(at),
            // Hop by hop, routing, destination options.
            0 | 43 | 60 => (usize::from(two()?[1]) + 1) * 8,
            // A fragment header on a packet that is whole.
            44 if u16_at(bytes, at + 2)? & 0xFFF9 == 0 => 8,
            44 => return Err(LeftOut::Fragment),
            // Authentication.
            51 => (usize::from(two()?[1]) + 2) * 4,
            other => return Err(LeftOut::NotTcp(other)),
        };
        next = two()?[0];
        at += size;
    }
    Err(LeftOut::Malformed)
}

/// What stands behind `head` bytes of an IP packet of `total` bytes; 0 is what a sending host
/// captures before its network card has cut the packet up.
fn bounded(bytes: &[u8], head: usize, total: usize) -> Result<(&[u8], usize), LeftOut> {
    let total = if total == 0 { bytes.len() } else { total };
    if total < head {
        return Err(LeftOut::Malformed);
    }
    let whole = bytes.get(..total.min(bytes.len())).unwrap_or(bytes);
    Ok((behind(whole, head)?, total - whole.len()))
}

fn tcp<'a>(inner: &Inner<'a>) -> Result<Segment<'a>, LeftOut> {
    let head = inner.bytes.first_chunk::<20>().ok_or(LeftOut::Cut)?;
    let size = usize::from(head[12] >> 4) * 4;
    if size < 20 || size > inner.bytes.len() + inner.cut {
        return Err(LeftOut::Malformed);
    }
    let payload = behind(inner.bytes, size)?;
    let (flags, port) = (head[13], |at: usize| u16::from_be_bytes([head[at], head[at + 1]]));
    let syn = flags & 0x02 != 0;
    let sequence = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
    Ok(Segment {
        from: Endpoint { address: inner.from, port: port(0) },
        to: Endpoint { address: inner.to, port: port(2) },
        // A SYN takes a sequence number of its own.
        sequence: sequence.wrapping_add(u32::from(syn)),
        syn,
        ack: flags & 0x10 != 0,
        payload,
        cut: inner.cut,
    })
}

fn behind(bytes: &[u8], at: usize) -> Result<&[u8], LeftOut> {
    bytes.get(at..).ok_or(LeftOut::Cut)
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, LeftOut> {
    let two = bytes.get(at..).and_then(|b| b.first_chunk::<2>()).ok_or(LeftOut::Cut)?;
    Ok(u16::from_be_bytes(*two))
}
