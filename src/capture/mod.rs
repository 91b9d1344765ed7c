//! Captures: what `tcpdump` and its kin wrote, back to the byte streams of the connections.
//!
//! Contract: [`read`] takes a whole file (classic pcap in both byte orders, with micro- or
//! nanoseconds; pcapng) and gives every TCP direction in sequence order. It is total: no bytes
//! make it panic, work and memory are bounded by the size of the file, and whatever could not be
//! used is counted with its reason. Link layers: Ethernet with VLAN tags, Linux cooked v1 and v2,
//! raw IP, BSD loopback. Deliberately absent: time stamps, checksums (a sending host captures
//! them unfinished), joining IP fragments (they are counted), decryption, and what the bytes mean.

mod file;
mod packet;
mod stream;
#[cfg(test)]
mod tests;

pub use stream::{Connection, Endpoint, Run, Stream};

use std::collections::BTreeMap;

/// What a capture file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// `pcap` or `pcapng`.
    pub format: &'static str,
    /// Packets in the file, used or not.
    pub packets: u64,
    /// Connections in the order of their first packets.
    pub connections: Vec<Connection>,
    /// Packets that are no part of a stream, by reason.
    pub left_out: BTreeMap<LeftOut, u64>,
    /// Where the file itself is broken; what stands before that was read.
    pub broken: Option<CaptureError>,
}

/// A file that is no capture, or breaks off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaptureError {
    /// Byte offset in the file.
    pub at: usize,
    /// What is wrong there.
    pub why: CaptureFault,
}

impl std::fmt::Display for CaptureError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "capture, byte {}: {}", self.at, self.why)
    }
}

impl std::error::Error for CaptureError {}

/// What was expected of a capture file and what was got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CaptureFault {
    /// Neither magic number.
    #[error("no capture: expected the magic number of pcap or pcapng")]
    Magic,
    /// The file ends within a header or a packet.
    #[error("the file ends here, expected {need} more bytes")]
    Short {
        /// Bytes that are missing.
        need: usize,
    },
    /// A block of pcapng whose length cannot be.
    #[error("a block of {got} bytes, expected a multiple of 4 from {least} on")]
    Block {
        /// The length it states.
        got: u32,
        /// The least its type needs.
        least: u32,
    },
    /// The two lengths of a pcapng block differ.
    #[error("a block ends with the length {got}, and began with {began}")]
    BlockEnd {
        /// The length at its end.
        got: u32,
        /// The length at its beginning.
        began: u32,
    },
    /// A section header without its byte order.
    #[error("a section header without a byte-order magic")]
    ByteOrder,
    /// A packet of an interface that was not described.
    #[error("a packet of interface {got}, but {known} were described")]
    Interface {
        /// Index of the interface.
        got: u32,
        /// How many there are.
        known: usize,
    },
    /// A packet longer than its block.
    #[error("a packet of {got} bytes in a block with room for {room}")]
    Packet {
        /// Captured length it states.
        got: u32,
        /// What the block holds.
        room: usize,
    },
}

/// Why a packet is no part of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    /// A link layer that is not read here, by its number in the file.
    Link(u16),
    /// Something else than IP, by EtherType: ARP and the like.
    NotIp(u16),
    /// Something else than TCP, by IP protocol number.
    NotTcp(u8),
    /// One fragment of an IP packet.
    Fragment,
    /// So much cut off that not even the TCP header is whole.
    Cut,
    /// Lengths in its headers that contradict each other.
    Malformed,
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Link(link) => write!(f, "of link type {link}, which is not read"),
            Self::NotIp(0x0806) => f.write_str("ARP"),
            Self::NotIp(kind) => write!(f, "not IP (type {kind:04X})"),
            Self::NotTcp(1 | 58) => f.write_str("ICMP"),
            Self::NotTcp(17) => f.write_str("UDP"),
            Self::NotTcp(protocol) => write!(f, "not TCP (IP protocol {protocol})"),
            Self::Fragment => f.write_str("IP fragments, which are not joined"),
            Self::Cut => f.write_str("cut off within their headers"),
            Self::Malformed => f.write_str("with headers that contradict themselves"),
        }
    }
}

/// Whether the bytes begin like a capture file.
pub fn is_capture(bytes: &[u8]) -> bool {
    file::Kind::of(bytes).is_some()
}

/// Reads a capture file.
///
/// # Errors
/// [`CaptureError`] where not even its header can be read; a file that breaks off later gives what
/// stands before that, and [`Capture::broken`].
pub fn read(bytes: &[u8]) -> Result<Capture, CaptureError> {
    let kind = file::Kind::of(bytes).ok_or(CaptureError { at: 0, why: CaptureFault::Magic })?;
    let mut reader = file::Reader::new(bytes, kind)?;
    let (mut packets, mut broken) = (0_u64, None);
    let mut left_out = BTreeMap::new();
    let mut table = stream::Table::default();
    loop {
        match reader.next_packet() {
            Ok(None) => break,
            Ok(Some(packet)) => {
                packets += 1;
                match packet::segment(&packet) {
                    Ok(segment) => table.take(packets, &segment),
                    Err(why) => *left_out.entry(why).or_insert(0) += 1,
                }
            }
            Err(error) => {
                broken = Some(error);
                break;
            }
        }
    }
    let connections = table.connections();
    Ok(Capture { format: kind.name(), packets, connections, left_out, broken })
}
