//! `pointsman decode`: bytes to a table for people or JSON for programs.
//!
//! Contract: reads hex, a file (hex lines, or raw bytes) or standard input, one message per
//! line; prints one table or one JSON object each; secrets are masked unless `--reveal`. Exit code
//! 1 when a message cannot be decoded, with everything decoded before the fault on standard
//! output and one sentence on standard error. Deliberately absent: captures (`dialect guess`).

use super::dialect;
use crate::framing::{Framing, Split, presets};
use crate::iso8583::{self, Dialect, Message, parse_hex};
use std::io::{Read, Write};
use std::process::ExitCode;

/// Arguments of `decode`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A shipped dialect, or a dialect file.
    #[arg(long, value_name = "NAME|FILE")]
    dialect: String,
    /// A length header stands before the message: every framing that fits is tried.
    #[arg(long)]
    framed: bool,
    /// One JSON object per message instead of a table.
    #[arg(long)]
    json: bool,
    /// Show secrets in clear. For test cards only.
    #[arg(long)]
    reveal: bool,
    /// Hex, `-` for standard input, or a file of hex lines or raw bytes.
    #[arg(value_name = "HEX | - | FILE")]
    input: Option<String>,
}

/// Runs `decode`.
///
/// # Errors
/// What cannot be read or written: not a message that cannot be decoded, that is exit code 1.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Some(dialect) = dialect::load_or_tell(&args.dialect) else { return Ok(ExitCode::from(1)) };
    let frames = frames(args.input.as_deref())?;
    let mut out = std::io::stdout().lock();
    let mut code = ExitCode::SUCCESS;
    for frame in &frames {
        let frame = if args.framed { unframed(&dialect, frame) } else { Ok(frame.as_slice()) };
        let shown = frame.map(|frame| show(&dialect, frame, &args));
        match shown {
            Ok((text, None)) => write!(out, "{text}")?,
            Ok((text, Some(error))) => {
                write!(out, "{text}")?;
                eprintln!("pointsman: {error}");
                code = ExitCode::from(1);
            }
            Err(reason) => {
                eprintln!("pointsman: {reason}");
                code = ExitCode::from(1);
            }
        }
    }
    Ok(code)
}

/// What is printed for one frame, and what is wrong with it.
fn show(dialect: &Dialect, frame: &[u8], args: &Args) -> (String, Option<iso8583::UnpackError>) {
    let mut msg = Message::new();
    match iso8583::unpack(dialect, frame, &mut msg) {
        Ok(()) if args.json => {
            (format!("{}\n", iso8583::to_json(dialect, &msg, args.reveal)), None)
        }
        Ok(()) => (iso8583::describe(dialect, &msg, args.reveal), None),
        Err(error) if args.json => (String::new(), Some(error)),
        Err(error) => {
            let text = iso8583::describe_error(dialect, &msg, frame, &error, args.reveal);
            (text, Some(error))
        }
    }
}

/// Takes the length header off: the first framing under which the whole is one frame and its
/// message decodes.
fn unframed<'a>(dialect: &Dialect, bytes: &'a [u8]) -> Result<&'a [u8], String> {
    let mut fallback = None;
    for name in presets::NAMES {
        let Ok(framing) = Framing::named(name) else { continue };
        let Ok(Split::Frame { taken, body, .. }) = framing.split(bytes) else { continue };
        let Some(body) = bytes.get(body).filter(|_| taken == bytes.len()) else { continue };
        if iso8583::unpack(dialect, body, &mut Message::new()).is_ok() {
            return Ok(body);
        }
        fallback.get_or_insert(body);
    }
    fallback.ok_or_else(|| "no length header fits: expected a whole frame".to_owned())
}

/// The messages of an input: hex, standard input, or a file.
pub(super) fn frames(input: Option<&str>) -> anyhow::Result<Vec<Vec<u8>>> {
    let bytes = match input {
        None | Some("-") => {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes)?;
            bytes
        }
        Some(hex) if is_hex(hex) => hex.as_bytes().to_vec(),
        Some(path) => std::fs::read(path)
            .map_err(|e| anyhow::anyhow!("`{path}` is no hex and no readable file: {e}"))?,
    };
    Ok(lines(bytes))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_lines_are_messages_and_other_bytes_are_one() {
        assert_eq!(lines(b"# two\n02 00\n\n0210\n".to_vec()), [[2, 0], [2, 0x10]]);
        assert_eq!(lines(b"0200r".to_vec()), [b"0200r".to_vec()]);
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
            let found = dialect.as_ref().map(|d| unframed(d, &framed).map(|f| f.ends_with(&bare)));
            assert_eq!(found, Ok(Ok(true)), "{before}");
        }
    }
}
