//! strace's log as events: frames read and written, bytes written to segments, syncs.
//!
//! Contract: reads what `strace -f -yy -xx` writes for the calls named in the test. A call that
//! was interrupted in the log by another thread's has two moments, its beginning and its end; an
//! event says both, in lines of the log. Frames are cut and walked here by hand: the platform's
//! in ASCII, the bank's in BCD behind a TPDU. Deliberately absent: clocks – the order is enough.

use crate::Tested;
use crate::walk::whole_frames;
use std::collections::BTreeMap;

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    Platform,
    Bank,
}

/// One call that matters.
#[derive(Debug)]
pub(super) enum Event {
    /// Financial messages passed.
    Frames { peer: Peer, written: bool, begun: usize, stans: Vec<u32>, approved: Vec<bool> },
    /// Bytes were written to a segment, and the call came back.
    Pwrite { segment: String, from: u64, upto: u64, ended: usize },
    /// A segment was synced, well.
    Sync { segment: String, begun: usize, ended: usize },
}

impl Event {
    /// The call as the story tells it.
    pub(super) fn word(&self) -> Option<&'static str> {
        Some(match self {
            Self::Frames { peer: Peer::Platform, written: false, .. } => "read platform",
            Self::Frames { peer: Peer::Platform, written: true, .. } => "write platform",
            Self::Frames { peer: Peer::Bank, written: false, .. } => "read bank",
            Self::Frames { peer: Peer::Bank, written: true, .. } => "write bank",
            Self::Pwrite { .. } => "pwrite",
            Self::Sync { .. } => "fdatasync",
        })
    }
}

/// A call with its whole text, and the lines where it began and ended.
struct Call {
    text: String,
    begun: usize,
    ended: usize,
}

/// All events, in the order in which the calls ended. `ports`: the platform's door, the bank's.
pub(super) fn read(log: &str, ports: (u16, u16)) -> Tested<Vec<Event>> {
    let mut streams = BTreeMap::new();
    let mut events = Vec::new();
    for call in calls(log) {
        let Some((name, rest)) = call.text.split_once('(') else { continue };
        let Some(result) = rest.rsplit_once(" = ").and_then(|(_, r)| number(r)) else { continue };
        let Some((_, place)) = rest.split_once('<') else { continue };
        match name {
            "pwrite64" => events.extend(pwrite(place, result, &call)),
            "fdatasync" | "fsync" if result == 0 => {
                events.extend(segment(place).map(|segment| Event::Sync {
                    segment,
                    begun: call.begun,
                    ended: call.ended,
                }));
            }
            _ if result > 0 => {
                let Some(peer) = peer(place, ports) else { continue };
                let written = name.starts_with("write") || name.starts_with("send");
                let bytes = bytes_of(place, result as usize)?;
                let socket = place.split('>').next().unwrap_or_default().to_owned();
                let stream: &mut Vec<u8> = streams.entry((socket, written)).or_default();
                stream.extend_from_slice(&bytes);
                let said = whole_frames(stream).into_iter().filter_map(|f| walked(peer, &f));
                let (stans, approved): (Vec<_>, Vec<_>) = said.unzip();
                if !stans.is_empty() {
                    let begun = call.begun;
                    events.push(Event::Frames { peer, written, begun, stans, approved });
                }
            }
            _ => {}
        }
    }
    Ok(events)
}

/// Joins what was interrupted.
fn calls(log: &str) -> Vec<Call> {
    let mut open: BTreeMap<&str, (String, usize)> = BTreeMap::new();
    let mut calls = Vec::new();
    for (at, line) in log.lines().enumerate() {
        let Some((thread, text)) = line.split_once(' ') else { continue };
        let text = text.trim_start();
        if let Some(begin) = text.strip_suffix(" <unfinished ...>") {
            open.insert(thread, (begin.to_owned(), at));
        } else if let Some((_, rest)) = text.split_once(" resumed>") {
            if let Some((begin, begun)) = open.remove(thread) {
                calls.push(Call { text: begin + rest, begun, ended: at });
            }
        } else {
            calls.push(Call { text: text.to_owned(), begun: at, ended: at });
        }
    }
    calls
}

fn number(text: &str) -> Option<i64> {
    text.split_whitespace().next()?.parse().ok()
}

/// The name of the segment behind a descriptor.
fn segment(place: &str) -> Option<String> {
    // Paths are printed like data, byte by byte.
    let path = String::from_utf8(from_hex(place.split('>').next()?).ok()?).ok()?;
    path.ends_with(".segment").then(|| path.rsplit('/').next().unwrap_or(&path).to_owned())
}

fn pwrite(place: &str, result: i64, call: &Call) -> Option<Event> {
    let segment = segment(place)?;
    let (arguments, _) = place.rsplit_once(')')?;
    let from: u64 = arguments.rsplit_once(", ")?.1.trim().parse().ok()?;
    Some(Event::Pwrite {
        segment,
        from,
        upto: from + u64::try_from(result).ok()?,
        ended: call.ended,
    })
}

/// `TCP:[127.0.0.1:5000->127.0.0.1:6000]`: our end first.
fn peer(place: &str, (door, bank): (u16, u16)) -> Option<Peer> {
    let (ours, theirs) = place.strip_prefix("TCP:[")?.split(']').next()?.split_once("->")?;
    if ours.ends_with(&format!(":{door}")) {
        return Some(Peer::Platform);
    }
    theirs.ends_with(&format!(":{bank}")).then_some(Peer::Bank)
}

/// All `"\x01\x02"` of the call, as many bytes as it moved.
fn bytes_of(place: &str, count: usize) -> Tested<Vec<u8>> {
    let quoted: String = place.split('"').skip(1).step_by(2).collect();
    let bytes = from_hex(&quoted)?;
    let moved = bytes.get(..count).ok_or_else(|| format!("{} of {count} bytes", bytes.len()))?;
    Ok(moved.to_vec())
}

/// The bytes of `\x01\x02`.
fn from_hex(text: &str) -> Tested<Vec<u8>> {
    let digits = text.split("\\x").skip(1);
    Ok(digits.map(|two| u8::from_str_radix(two, 16)).collect::<Result<Vec<u8>, _>>()?)
}

/// STAN of a financial message, and whether it approves; `None` for network management.
fn walked(peer: Peer, frame: &[u8]) -> Option<(u32, bool)> {
    match peer {
        Peer::Platform => walked_ascii(frame.get(2..)?),
        Peer::Bank => walked_bcd(frame.get(2 + 5..)?),
    }
}

fn walked_ascii(message: &[u8]) -> Option<(u32, bool)> {
    let mti = message.get(..4)?;
    let bits = u64::from_be_bytes(message.get(4..12)?.try_into().ok()?);
    let mut at = 12;
    for (de, width) in [(2, 0), (3, 6), (4, 12), (7, 10)] {
        if bits & (1 << (64 - de)) != 0 {
            at += if width > 0 { width } else { 2 + decimal(message.get(at..at + 2)?)? as usize };
        }
    }
    let stan = decimal(message.get(at..at + 6)?)?;
    // An approval is told from a decline by its F38, which banks give with nothing else.
    (mti[1] == b'2').then_some((stan, bits & (1 << (64 - 38)) != 0))
}

fn walked_bcd(message: &[u8]) -> Option<(u32, bool)> {
    let bits = u64::from_be_bytes(message.get(2..10)?.try_into().ok()?);
    let mut at = 10;
    for (de, width) in [(2, 0), (3, 3), (4, 6), (7, 5)] {
        if bits & (1 << (64 - de)) != 0 {
            at += if width > 0 { width } else { 1 + packed(message.get(at..=at)?).div_ceil(2) };
        }
    }
    let stan = packed(message.get(at..at + 3)?) as u32;
    (message.first()? & 0x0F == 2).then_some((stan, bits & (1 << (64 - 38)) != 0))
}

fn decimal(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn packed(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |n, byte| n * 100 + usize::from(byte >> 4) * 10 + usize::from(byte & 15))
}
