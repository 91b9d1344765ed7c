//! What `decode`, `diff` and `dialect guess` read: hex, files, standard input, captures; and how
//! bytes are cut into messages.
//!
//! Contract: hex lines are one message each; a capture gives the streams of its connections; other
//! bytes are one stream. Cutting never drops a byte silently: what is no frame is counted with
//! its place. Deliberately absent: which framing and dialect fit ([`super::guess`]).

use crate::capture::{self, Capture, Endpoint};
use crate::framing::{FrameError, Framing, FramingSpec, Split};
use crate::iso8583::parse_hex;
use crate::limits::{CAPTURE_BYTES_MAX, MESSAGES_BYTES_MAX};
use anyhow::Context;
use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;

/// How far into a stream that was joined midway a first frame is looked for, byte by byte.
const SEARCH_MAX: usize = 2_048;
/// Places where packets begin that are tried first.
const MARKS_MAX: usize = 64;
/// Frames in a row after which a stream counts as in step.
const ROW: usize = 8;

/// What was given.
#[derive(Debug)]
pub enum Input {
    /// Messages, or a stream, without their origin.
    Bytes(Vec<Vec<u8>>),
    /// A packet capture.
    Capture(Capture),
}

/// Bytes of one direction without a gap.
#[derive(Debug, Clone, Copy)]
pub struct Stretch<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Whether a frame begins with the first byte.
    pub in_step: bool,
    /// Where packets begin: offset, number of the packet.
    pub marks: &'a [(usize, u64)],
    /// Bytes that the capture does not hold before these.
    pub missing_before: u64,
    /// Who sent them to whom.
    pub way: Option<(Endpoint, Endpoint)>,
}

impl Stretch<'_> {
    /// The packet that brought the byte at `at`; 0 outside captures.
    pub fn packet_of(&self, at: usize) -> u64 {
        let behind = self.marks.partition_point(|(from, _)| *from <= at);
        self.marks.get(behind.saturating_sub(1)).map_or(0, |(_, packet)| *packet)
    }
}

/// A stretch cut into frames.
#[derive(Debug, Default)]
pub struct Cut {
    /// Frames and the messages in them.
    pub frames: Vec<(Range<usize>, Range<usize>)>,
    /// Empty frames.
    pub keep_alives: usize,
    /// Bytes at the front before the first frame.
    pub skipped: usize,
    /// Where cutting ended.
    pub end: usize,
    /// Whether what follows is the beginning of a frame that is not whole.
    pub unfinished: bool,
    /// Why cutting ended before the last byte.
    pub broken: Option<FrameError>,
}

/// Reads an argument: hex, `-` (or nothing) for standard input, or a path.
///
/// # Errors
/// What can be neither hex nor read, what is too long, and captures that break off in their
/// header.
pub fn read(input: Option<&str>) -> anyhow::Result<Input> {
    let bytes = match input {
        None | Some("-") => start_of(std::io::stdin().lock())?,
        Some(hex) if is_hex(hex) => hex.as_bytes().to_vec(),
        Some(path) => std::fs::File::open(path)
            .and_then(start_of)
            .map_err(|e| anyhow::anyhow!("`{path}` is no hex and no readable file: {e}"))?,
    };
    let path = input.unwrap_or("-");
    if capture::is_capture(&bytes) {
        short_enough(&bytes, CAPTURE_BYTES_MAX).with_context(|| format!("`{path}`"))?;
        return Ok(Input::Capture(capture::read(&bytes).with_context(|| format!("`{path}`"))?));
    }
    short_enough(&bytes, MESSAGES_BYTES_MAX).with_context(|| format!("`{path}`"))?;
    Ok(Input::Bytes(lines(bytes)))
}

/// All of it, or one byte more than is read of anything: never more than that in memory.
fn start_of(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(CAPTURE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn short_enough(bytes: &[u8], most: usize) -> anyhow::Result<()> {
    anyhow::ensure!(bytes.len() <= most, "is longer than {most} bytes: cut it up");
    Ok(())
}

/// Standard input as text.
///
/// # Errors
/// What cannot be read, is no UTF-8, or is too long.
pub fn text() -> anyhow::Result<String> {
    let mut text = String::new();
    let most = MESSAGES_BYTES_MAX as u64 + 1;
    std::io::stdin().lock().take(most).read_to_string(&mut text).context("standard input")?;
    short_enough(text.as_bytes(), MESSAGES_BYTES_MAX).context("standard input")?;
    Ok(text)
}

/// Hex lines to frames (blanks within a line and `#` lines are passed over); bytes that are no
/// hex lines are one frame.
fn lines(bytes: Vec<u8>) -> Vec<Vec<u8>> {
    let Ok(text) = std::str::from_utf8(&bytes) else { return vec![bytes] };
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    let frames: Option<Vec<Vec<u8>>> =
        lines.map(|l| parse_hex(&l.split_whitespace().collect::<String>())).collect();
    frames.unwrap_or_else(|| vec![bytes])
}

fn is_hex(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_hexdigit() || c.is_ascii_whitespace())
}

/// A framing as `--framing` takes it: the name of a preset, or an inline table as in a
/// configuration file.
///
/// # Errors
/// The key that is wrong, and why.
pub fn framing(text: &str) -> Result<Framing, String> {
    #[derive(serde::Deserialize)]
    struct Line {
        framing: FramingSpec,
    }
    if !text.trim_start().starts_with('{') {
        return Framing::named(text.trim()).map_err(|e| e.to_string());
    }
    let line: Line =
        toml::from_str(&format!("framing = {text}")).map_err(|e| e.message().to_owned())?;
    line.framing.validate().map_err(|e| e.to_string())
}

/// What was given, stretch by stretch: messages without origin first, else by the service that
/// was connected to. `port` leaves out other services.
pub fn services(input: &Input, port: Option<u16>) -> BTreeMap<Option<Endpoint>, Vec<Stretch<'_>>> {
    let mut all = BTreeMap::<_, Vec<Stretch<'_>>>::new();
    match input {
        Input::Bytes(messages) => {
            let bare =
                |bytes| Stretch { bytes, in_step: true, marks: &[], missing_before: 0, way: None };
            all.insert(None, messages.iter().map(Vec::as_slice).map(bare).collect());
        }
        Input::Capture(capture) => {
            let wanted = |at: Endpoint| port.is_none_or(|port| port == at.port);
            for one in capture.connections.iter().filter(|c| wanted(c.service)) {
                let there = (&one.sent, (one.client, one.service));
                let back = (&one.answered, (one.service, one.client));
                let found = [there, back].into_iter().flat_map(|(stream, way)| {
                    stream.runs.iter().map(move |run| Stretch {
                        bytes: &run.bytes,
                        in_step: run.from_opening,
                        marks: &run.marks,
                        missing_before: run.missing_before,
                        way: Some(way),
                    })
                });
                all.entry(Some(one.service)).or_default().extend(found);
            }
        }
    }
    all
}

/// Cuts a stretch into at most `most` frames. Without a framing each packet, or else the whole
/// stretch, is a message.
pub fn cut(framing: Option<&Framing>, stretch: &Stretch<'_>, most: usize) -> Cut {
    let Some(framing) = framing else { return by_packet(stretch, most) };
    let Some(start) = first_frame(framing, stretch) else { return Cut::default() };
    let mut cut = Cut { skipped: start, end: start, ..Cut::default() };
    while cut.end < stretch.bytes.len() && cut.frames.len() < most {
        let from = cut.end;
        match framing.split(&stretch.bytes[from..]) {
            Ok(Split::Frame { taken, body, .. }) => {
                cut.end += taken;
                cut.frames.push((from..cut.end, from + body.start..from + body.end));
            }
            Ok(Split::KeepAlive { taken }) => {
                cut.keep_alives += 1;
                cut.end += taken;
            }
            Ok(Split::More { .. }) => {
                cut.unfinished = true;
                break;
            }
            Err(error) => {
                cut.broken = Some(error);
                break;
            }
        }
    }
    cut
}

fn by_packet(stretch: &Stretch<'_>, most: usize) -> Cut {
    let starts = stretch.marks.iter().map(|(at, _)| *at);
    let mut starts: Vec<usize> = starts.chain([stretch.bytes.len()]).collect();
    if stretch.marks.is_empty() {
        starts.insert(0, 0);
    }
    let between = starts.windows(2).map(|two| two[0]..two[1]).take(most);
    let frames: Vec<_> = between.map(|range| (range.clone(), range)).collect();
    let end = frames.last().map_or(0, |(range, _)| range.end);
    Cut { frames, end, ..Cut::default() }
}

/// Where the first frame begins: at once where that is known, else where a packet begins, else
/// wherever several frames follow each other.
fn first_frame(framing: &Framing, stretch: &Stretch<'_>) -> Option<usize> {
    if stretch.in_step {
        return Some(0);
    }
    let fits = |at: &usize, least| in_step(framing, stretch.bytes.get(*at..), least);
    let mut marks = stretch.marks.iter().map(|(at, _)| *at).take(MARKS_MAX);
    let searched = 0..stretch.bytes.len().min(SEARCH_MAX);
    marks.find(|at| fits(at, 1)).or_else(|| searched.into_iter().find(|at| fits(at, 2)))
}

/// Whether at least so many frames stand here, one behind the other up to the end.
fn in_step(framing: &Framing, bytes: Option<&[u8]>, least: usize) -> bool {
    let (mut rest, mut frames) = (bytes.unwrap_or_default(), 0);
    while frames < ROW && !rest.is_empty() {
        let taken = match framing.split(rest) {
            Ok(Split::Frame { taken, .. }) => {
                frames += 1;
                taken
            }
            Ok(Split::KeepAlive { taken }) => taken,
            Ok(Split::More { .. }) => break,
            Err(_) => return false,
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    frames >= least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_lines_are_messages_and_other_bytes_are_one() {
        assert_eq!(lines(b"# two\n02 00\n\n0210\n".to_vec()), [[2, 0], [2, 0x10]]);
        assert_eq!(lines(b"0200r".to_vec()), [b"0200r".to_vec()]);
    }

    #[test]
    fn what_is_read_is_bounded() {
        let endless = start_of(std::io::repeat(b'0')).map(|bytes| bytes.len());
        assert_eq!(endless.ok(), Some(CAPTURE_BYTES_MAX + 1));
        let said = read(Some("/dev/zero")).map_err(|error| format!("{error:#}")).err();
        assert_eq!(said.as_deref(), Some("`/dev/zero`: is longer than 16777216 bytes: cut it up"));
    }

    #[test]
    fn a_framing_is_a_name_or_a_table() {
        assert_eq!(framing("2-byte-be"), Framing::named("2-byte-be").map_err(|e| e.to_string()));
        assert!(framing("{ length_bytes = 3, coding = \"ascii\" }").is_ok());
        assert!(framing("{ length_bytes = 9 }").is_err_and(|e| e.contains("expected 0 to 8")));
        assert!(framing("{ lenght = 9 }").is_err_and(|e| e.contains("unknown field")));
    }

    #[test]
    fn a_stream_joined_midway_falls_into_step() {
        let framing = Framing::named("2-byte-be").ok();
        let stream = [&b"ail"[..], &[0, 3], b"abc", &[0, 4], b"defg", &[0, 9], b"h"].concat();
        let midway =
            |marks| Stretch { bytes: &stream, in_step: false, marks, missing_before: 0, way: None };
        for marks in [&[(0, 1), (3, 2)][..], &[]] {
            let cut = cut(framing.as_ref(), &midway(marks), 9);
            let bodies: Vec<&[u8]> =
                cut.frames.iter().filter_map(|(_, body)| stream.get(body.clone())).collect();
            assert_eq!(bodies, [&b"abc"[..], b"defg"], "{cut:?}");
            assert_eq!((cut.skipped, cut.unfinished, cut.end), (3, true, 14));
        }
        // Without a framing the packets are the messages.
        assert_eq!(cut(None, &midway(&[(0, 1), (3, 2)]), 9).frames.len(), 2);
    }
}
