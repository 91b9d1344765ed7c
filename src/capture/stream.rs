//! TCP segments back to byte streams.
//!
//! Contract: each direction of a connection comes out in sequence order, whatever order its
//! segments were captured in; a byte that came twice stands once, as in the segment that begins
//! earlier. Bytes that are not in the capture (lost, or cut off each packet) end a run, and the
//! next begins; nothing is invented for them. Work is that of sorting the segments, memory that
//! of their payload. Deliberately absent: windows, acknowledgements, time.

use super::packet::Segment;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

/// Who connects is given a port from here on.
const EPHEMERAL: u16 = 32_768;

/// One end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// IP address.
    pub address: IpAddr,
    /// TCP port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&std::net::SocketAddr::new(self.address, self.port), f)
    }
}

/// A TCP connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Who was connected to; where the capture does not hold the opening, the end whose port is
    /// not one that systems hand out, that more connections share, or that has the lower port.
    pub service: Endpoint,
    /// Who connected.
    pub client: Endpoint,
    /// What the client sent.
    pub sent: Stream,
    /// What the service sent.
    pub answered: Stream,
}

/// One direction of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stream {
    /// Its bytes, without those that the capture does not hold.
    pub runs: Vec<Run>,
    /// Segments with payload.
    pub segments: u64,
    /// Segments that repeat bytes of others, wholly or in part.
    pub repeated: u64,
    /// Segments captured before one that precedes them.
    pub reordered: u64,
    /// Repeated bytes that differ from the first.
    pub differing: u64,
    /// Segments whose end the capture cut off.
    pub cut: u64,
    /// Bytes between and behind the runs that the capture does not hold.
    pub missing: u64,
}

impl Stream {
    /// Bytes that the capture holds.
    pub fn bytes(&self) -> usize {
        self.runs.iter().map(|run| run.bytes.len()).sum()
    }
}

/// Bytes without a gap.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Run {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether the first byte is the first of the connection: a frame begins there.
    pub from_opening: bool,
    /// Bytes missing before it.
    pub missing_before: u64,
    /// Where the payload of a packet begins: offset in `bytes`, number of the packet from 1.
    pub marks: Vec<(usize, u64)>,
}

impl Run {
    /// The number of the packet that brought the byte at `at`, from 1.
    pub fn packet_of(&self, at: usize) -> u64 {
        let behind = self.marks.partition_point(|(from, _)| *from <= at);
        self.marks.get(behind.saturating_sub(1)).map_or(0, |(_, packet)| *packet)
    }
}

/// A payload with its place in the stream.
#[derive(Debug, Clone, Copy)]
struct Piece<'a> {
    start: i64,
    packet: u64,
    bytes: &'a [u8],
}

/// One direction while the capture is read.
#[derive(Debug, Default)]
struct Direction<'a> {
    pieces: Vec<Piece<'a>>,
    /// The last sequence number and its place: places do not wrap at 2^32.
    last: Option<(u32, i64)>,
    /// The place of the first byte of all, where the SYN was captured.
    opening: Option<i64>,
    /// Up to where bytes were sent at least.
    reached: Option<i64>,
    cut: u64,
}

impl<'a> Direction<'a> {
    fn place(&self, sequence: u32) -> i64 {
        self.last
            .map_or(0, |(last, place)| place + i64::from(sequence.wrapping_sub(last).cast_signed()))
    }

    /// Whether this SYN can be the beginning of what was seen so far.
    fn opens_at(&self, place: i64) -> bool {
        match self.opening {
            Some(opening) => opening == place,
            None => self.pieces.iter().map(|p| p.start).min().is_none_or(|first| first == place),
        }
    }

    fn take(&mut self, packet: u64, segment: &Segment<'a>) {
        let start = self.place(segment.sequence);
        self.last = Some((segment.sequence, start));
        if segment.syn {
            self.opening = Some(start);
        }
        let sent = i64::try_from(segment.payload.len() + segment.cut).unwrap_or(0);
        self.reached = self.reached.max(Some(start + sent));
        self.cut += u64::from(segment.cut > 0);
        if !segment.payload.is_empty() {
            self.pieces.push(Piece { start, packet, bytes: segment.payload });
        }
    }

    fn stream(mut self) -> Stream {
        self.pieces.sort_by_key(|piece| (piece.start, piece.packet));
        let segments = self.pieces.len() as u64;
        let mut stream = Stream { segments, cut: self.cut, ..Stream::default() };
        let first = self.pieces.first().map(|piece| piece.start);
        let Some(mut end) = self.opening.or(first) else { return stream };
        let mut latest = 0;
        for piece in &self.pieces {
            stream.reordered += u64::from(piece.packet < latest);
            latest = latest.max(piece.packet);
            let missing = u64::try_from(piece.start - end).unwrap_or(0);
            if missing > 0 || stream.runs.is_empty() {
                stream.missing += missing;
                stream.runs.push(Run {
                    from_opening: missing == 0 && self.opening.is_some(),
                    missing_before: missing,
                    ..Run::default()
                });
                end = end.max(piece.start);
            }
            let Some(run) = stream.runs.last_mut() else { continue };
            let again = usize::try_from(end - piece.start).unwrap_or(0);
            let (old, new) = piece.bytes.split_at(again.min(piece.bytes.len()));
            if again > 0 {
                stream.repeated += 1;
                let had = run.bytes.len().checked_sub(again).and_then(|at| run.bytes.get(at..));
                let differ = had.unwrap_or(old).iter().zip(old).filter(|(a, b)| a != b).count();
                // A keep-alive repeats the last byte, as whatever it likes.
                stream.differing += if old.len() > 1 { differ as u64 } else { 0 };
            }
            if !new.is_empty() {
                run.marks.push((run.bytes.len(), piece.packet));
                run.bytes.extend_from_slice(new);
                end += i64::try_from(new.len()).unwrap_or(0);
            }
        }
        // Empty segments and cut ones say how far the stream really went.
        stream.missing += self.reached.and_then(|to| u64::try_from(to - end).ok()).unwrap_or(0);
        stream.runs.retain(|run| !run.bytes.is_empty());
        stream
    }
}

/// A connection while the capture is read.
#[derive(Debug)]
struct Open<'a> {
    /// The ends in order of address; `directions[0]` is what the first sends.
    ends: [Endpoint; 2],
    directions: [Direction<'a>; 2],
    /// Index of the end that was connected to.
    service: Option<usize>,
}

/// Every connection of a capture.
#[derive(Debug, Default)]
pub(super) struct Table<'a> {
    all: Vec<Open<'a>>,
    /// The latest connection between two ends.
    latest: BTreeMap<[Endpoint; 2], usize>,
}

impl<'a> Table<'a> {
    pub(super) fn take(&mut self, packet: u64, segment: &Segment<'a>) {
        let side = usize::from(segment.from > segment.to);
        let mut ends = [segment.from, segment.to];
        ends.sort_unstable();
        let known = self.latest.get(&ends).copied().filter(|at| {
            let direction = self.all.get(*at).and_then(|open| open.directions.get(side));
            // Ports are used again: another SYN is another connection.
            !segment.syn || direction.is_some_and(|d| d.opens_at(d.place(segment.sequence)))
        });
        let at = known.unwrap_or(self.all.len());
        if known.is_none() {
            let directions = [Direction::default(), Direction::default()];
            self.all.push(Open { ends, directions, service: None });
            self.latest.insert(ends, at);
        }
        let Some(open) = self.all.get_mut(at) else { return };
        if segment.syn {
            open.service = Some(if segment.ack { side } else { 1 - side });
        }
        if let Some(direction) = open.directions.get_mut(side) {
            direction.take(packet, segment);
        }
    }

    /// The connections that carried anything.
    pub(super) fn connections(self) -> Vec<Connection> {
        let mut popular = BTreeMap::<Endpoint, (bool, usize)>::new();
        for open in &self.all {
            for (side, end) in open.ends.iter().enumerate() {
                let seen = popular.entry(*end).or_default();
                *seen = (seen.0 || open.service == Some(side), seen.1 + 1);
            }
        }
        let likely = |ends: &[Endpoint; 2]| {
            let rank = |end: &Endpoint| {
                let (known, seen) = popular.get(end).copied().unwrap_or_default();
                (known, end.port < EPHEMERAL, seen, std::cmp::Reverse(end.port))
            };
            usize::from(rank(&ends[1]) > rank(&ends[0]))
        };
        let has_bytes = |open: &Open<'_>| open.directions.iter().any(|d| !d.pieces.is_empty());
        let carried = self.all.into_iter().filter(has_bytes);
        carried
            .map(|open| {
                let side = open.service.unwrap_or_else(|| likely(&open.ends));
                let [mut sent, mut answered] = open.directions.map(Direction::stream);
                let [mut client, mut service] = open.ends;
                if side == 0 {
                    std::mem::swap(&mut sent, &mut answered);
                    std::mem::swap(&mut client, &mut service);
                }
                Connection { service, client, sent, answered }
            })
            .collect()
    }
}
