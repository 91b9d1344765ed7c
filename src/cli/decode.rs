//! `pointsman decode`: bytes to a table for people or JSON for programs.
//!
//! Contract: reads hex, a file (hex lines, raw bytes or a packet capture) or standard input; one
//! message per line of hex, or frame by frame with `--framing` or `--framed`; prints one table or
//! one JSON object each; secrets are masked unless `--reveal`. Exit code 1 when a message cannot
//! be decoded or bytes are no frame, with everything decoded before the fault on standard output
//! (in JSON with one more key, `error`, which `encode` refuses) and one sentence each on standard
//! error. Deliberately absent: guessing the dialect
//! (`dialect guess`).

use super::guess::{guess, summary};
use super::input::{self, Cut, Input, Stretch, cut, services};
use super::{WRONG_INPUT, dialect};
use crate::capture::Endpoint;
use crate::framing::{Framing, candidates};
use crate::iso8583::{self, Dialect, Message};
use serde_json::{Value, json};
use std::io::Write;
use std::process::ExitCode;

/// Arguments of `decode`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    reading: Reading,
    /// Of a capture: only connections to this port.
    #[arg(long)]
    port: Option<u16>,
    /// Hex, `-` for standard input, or a file: hex lines, raw bytes, pcap or pcapng.
    #[arg(value_name = "HEX | - | FILE")]
    input: Option<String>,
}

/// How messages are read and shown: what `decode` and `diff` have in common.
#[derive(Debug, clap::Args)]
pub(super) struct Reading {
    /// A shipped dialect, or a dialect file.
    #[arg(long, value_name = "NAME|FILE")]
    pub(super) dialect: String,
    /// A length header stands before the messages: every framing that fits is tried.
    #[arg(long)]
    framed: bool,
    /// Messages stand in frames: the name of a framing, or a table as in a configuration.
    #[arg(long, value_name = "FRAMING", conflicts_with = "framed", value_parser = input::framing)]
    framing: Option<Framing>,
    /// JSON, an object per line, instead of text for people.
    #[arg(long)]
    pub(super) json: bool,
    /// Show secrets in clear. For test cards only.
    #[arg(long)]
    pub(super) reveal: bool,
}

impl Reading {
    /// How the messages are cut out; of a capture only those to `port`.
    pub(super) fn cutting(&self, port: Option<u16>) -> Cutting<'_> {
        Cutting { framed: self.framed, framing: self.framing.as_ref(), port }
    }
}

/// How messages stand in what was given.
pub(super) struct Cutting<'a> {
    /// Every framing that fits is tried.
    framed: bool,
    /// This one.
    framing: Option<&'a Framing>,
    /// Of a capture: only connections to this port.
    port: Option<u16>,
}

/// One message, and where it comes from.
pub(super) struct Found<'a> {
    /// The packet that completed it; 0 outside captures.
    packet: u64,
    way: Option<(Endpoint, Endpoint)>,
    pub(super) message: &'a [u8],
}

/// Runs `decode`.
///
/// # Errors
/// What cannot be read or written: not a message that cannot be decoded, that is exit code 1.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Some(dialect) = dialect::load_or_tell(&args.reading.dialect) else {
        return Ok(ExitCode::from(WRONG_INPUT));
    };
    let input = input::read(args.input.as_deref())?;
    if let Input::Capture(capture) = &input {
        complain!("{}", summary(capture).trim_end());
    }
    let (found, mut wrong) = collect(&dialect, &input, &args.reading.cutting(args.port));
    let mut out = std::io::stdout().lock();
    for found in &found {
        if let (Some((from, to)), false) = (found.way, args.reading.json) {
            writeln!(out, "# packet {}, {from} → {to}", found.packet)?;
        }
        let (text, error) = show(&dialect, found.message, &args.reading);
        write!(out, "{text}")?;
        wrong.extend(error.map(|error| match found.packet {
            0 => error.to_string(),
            packet => format!("packet {packet}: {error}"),
        }));
    }
    for reason in &wrong {
        complain!("pointsman: {reason}");
    }
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(WRONG_INPUT) })
}

/// The messages of an input, and what of it is none. Of a capture in the order in which they
/// were on the wire; otherwise as given.
pub(super) fn collect<'a>(
    dialect: &Dialect,
    input: &'a Input,
    cutting: &Cutting<'_>,
) -> (Vec<Found<'a>>, Vec<String>) {
    let (mut found, mut wrong) = (Vec::new(), Vec::new());
    for stretches in services(input, cutting.port).into_values() {
        messages(dialect, &stretches, cutting, &mut found, &mut wrong);
    }
    found.sort_by_key(|found| found.packet);
    (found, wrong)
}

/// The messages in some stretches, and what is none.
fn messages<'a>(
    dialect: &Dialect,
    stretches: &[Stretch<'a>],
    cutting: &Cutting<'_>,
    found: &mut Vec<Found<'a>>,
    wrong: &mut Vec<String>,
) {
    let guessed = match (stretches, cutting.framing) {
        ([Stretch { way: Some(_), .. }, ..], None) => {
            let best = guess(stretches, std::slice::from_ref(dialect)).into_iter().next();
            let best = best.filter(|fit| fit.whole > 0).map(|fit| fit.framing);
            let Some(name) = best else {
                return wrong.push("no framing gives a whole message of this dialect".to_owned());
            };
            complain!("framing: {name}");
            input::framing(&name).ok()
        }
        _ => None,
    };
    let named = cutting.framing.or(guessed.as_ref());
    for stretch in stretches {
        let cut = if cutting.framed && stretch.way.is_none() {
            unframed(dialect, stretch)
        } else {
            Ok(cut(named, stretch, usize::MAX))
        };
        let cut = match cut {
            Ok(cut) => cut,
            Err(reason) => {
                wrong.push(reason);
                continue;
            }
        };
        wrong.extend(not_framed(stretch, &cut));
        found.extend(cut.frames.into_iter().filter_map(|(frame, body)| {
            let packet = stretch.packet_of(frame.end.saturating_sub(1));
            Some(Found { packet, way: stretch.way, message: stretch.bytes.get(body)? })
        }));
    }
}

/// What of a stretch is no frame, in words.
fn not_framed(stretch: &Stretch<'_>, cut: &Cut) -> Vec<String> {
    let place = |at: usize| match stretch.way {
        Some((from, to)) => format!("packet {}, {from} → {to}", stretch.packet_of(at)),
        None => format!("byte {at}"),
    };
    let mut all = Vec::new();
    if stretch.missing_before > 0 {
        all.push(format!("{}: {} bytes missing before it", place(0), stretch.missing_before));
    }
    if cut.skipped > 0 {
        all.push(format!("{}: {} bytes before the first frame", place(0), cut.skipped));
    }
    let left = stretch.bytes.len() - cut.end;
    match cut.broken {
        Some(error) => all.push(format!("{}: {error}; {left} bytes not cut", place(cut.end))),
        None if cut.unfinished => {
            all.push(format!("{}: {left} bytes of a frame that is not whole", place(cut.end)));
        }
        None if left > 0 => all.push(format!("{}: {left} bytes that are no frame", place(cut.end))),
        None => {}
    }
    all
}

/// What is printed for one message, and what is wrong with it.
fn show(dialect: &Dialect, frame: &[u8], args: &Reading) -> (String, Option<iso8583::UnpackError>) {
    let mut msg = Message::new();
    match iso8583::unpack(dialect, frame, &mut msg) {
        Ok(()) if args.json => {
            (format!("{}\n", iso8583::to_json(dialect, &msg, args.reveal)), None)
        }
        Ok(()) => (iso8583::describe(dialect, &msg, args.reveal), None),
        Err(error) if args.json => {
            let mut json = iso8583::to_json(dialect, &msg, args.reveal);
            if let Some(object) = json.as_object_mut() {
                object.insert("error".to_owned(), error_json(&error));
            }
            (format!("{json}\n"), Some(error))
        }
        Err(error) => {
            let text = iso8583::describe_error(dialect, &msg, frame, &error, args.reveal);
            (text, Some(error))
        }
    }
}

/// What stopped a message, for programs.
fn error_json(error: &iso8583::UnpackError) -> Value {
    let iso8583::UnpackError { path, name, offset, expected, got, cause } = error;
    json!({
        "path": path, "name": name, "at": offset, "expected": expected, "got": got, "cause": cause,
    })
}

/// The first framing under which the whole is frames, and all their messages decode.
pub(super) fn unframed(dialect: &Dialect, stretch: &Stretch<'_>) -> Result<Cut, String> {
    let mut fallback = None;
    for candidate in candidates() {
        let cut = cut(Some(&candidate.framing), stretch, usize::MAX);
        let whole = !cut.frames.is_empty() && cut.end == stretch.bytes.len();
        if !whole {
            continue;
        }
        let mut msg = Message::new();
        let bodies = cut.frames.iter().filter_map(|(_, body)| stretch.bytes.get(body.clone()));
        if bodies.into_iter().all(|body| iso8583::unpack(dialect, body, &mut msg).is_ok()) {
            return Ok(cut);
        }
        fallback.get_or_insert(cut);
    }
    fallback.ok_or_else(|| "no length header fits: expected whole frames".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso8583::parse_hex;

    #[test]
    fn what_was_decoded_before_a_fault_is_shown_with_it() {
        let Ok(dialect) = dialect::load("unionpay-pos") else { return };
        // F3 and F4 are there, F11 is cut.
        let frame = parse_hex("0200302000000000000000000000000000100000").unwrap_or_default();
        for (json, there) in [(false, "amount, transaction"), (true, r#""4":"000000001000""#)] {
            let (dialect_name, framing, reveal) = (String::new(), None, false);
            let args = Reading { dialect: dialect_name, framed: false, framing, json, reveal };
            let (text, error) = show(&dialect, &frame, &args);
            assert!(text.contains(there), "{text}");
            let wanted: &[&str] = if json {
                &[r#""error":{"path":"11""#, r#""at":19"#, r#""expected":"3 bytes""#]
            } else {
                &["^ DE 11", "expected  3 bytes", "got       1, then the end"]
            };
            assert!(wanted.iter().all(|one| text.contains(one)), "{text}");
            assert!(error.is_some_and(|error| error.path == "11"));
        }
        // Not even an MTI: none is made up.
        let mut msg = Message::new();
        let error = iso8583::unpack(&dialect, &[2], &mut msg)
            .map_err(|error| iso8583::describe_error(&dialect, &msg, &[2], &error, false));
        assert!(
            error.is_err_and(|text| !text.contains("0000") && text.contains("^ MTI at byte 0"))
        );
    }

    #[test]
    fn a_length_header_is_found_by_trying() {
        let dialect = dialect::load("unionpay-pos").map_err(|_| ());
        let bare = parse_hex("08200000000000000000").unwrap_or_default();
        for before in ["000A", "0000000A", "30303130", "0010", "0F006000030000"] {
            let mut framed = parse_hex(before).unwrap_or_default();
            framed.extend_from_slice(&bare);
            if before.starts_with("0F") {
                framed.swap(0, 1);
            }
            let stretch =
                Stretch { bytes: &framed, in_step: true, marks: &[], missing_before: 0, way: None };
            let found = dialect.as_ref().map(|d| {
                let cut = unframed(d, &stretch);
                cut.map(|cut| {
                    cut.frames.iter().all(|(_, body)| framed[body.clone()].ends_with(&bare))
                })
            });
            assert_eq!(found, Ok(Ok(true)), "{before}");
        }
    }
}
