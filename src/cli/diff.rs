//! `pointsman diff`: in which fields two messages differ.
//!
//! Contract: takes what `decode` takes, twice; messages of files are compared pair by pair in
//! their order. Exit code 0 when all are equal; 1 when any differ, one is left over, or one does
//! not decode: that is then compared as far as it goes, with the error on standard error. Masked
//! like `decode`. Deliberately absent: comparing across two dialects.

use super::decode::{self, Reading};
use super::{WRONG_INPUT, dialect, input};
use crate::iso8583::{
    Dialect, Difference, Message, Seen, UnpackError, Unpacked, compare, place, unpack,
};
use serde_json::{Value, json};
use std::io::Write;
use std::process::ExitCode;

/// Arguments of `diff`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    reading: Reading,
    /// Hex, `-` for standard input, or a file.
    #[arg(value_name = "A")]
    a: String,
    /// The same; only one of the two can be `-`.
    #[arg(value_name = "B")]
    b: String,
}

/// Runs `diff`.
///
/// # Errors
/// What cannot be read or written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(args.a != "-" || args.b != "-", "only one of A and B can be standard input");
    let Some(dialect) = dialect::load_or_tell(&args.reading.dialect) else {
        return Ok(ExitCode::from(WRONG_INPUT));
    };
    let (inputs, mut wrong) = ([input::read(Some(&args.a))?, input::read(Some(&args.b))?], false);
    let cutting = args.reading.cutting(None);
    let [a, b] = inputs.each_ref().map(|input| {
        let (found, reasons) = decode::collect(&dialect, input, &cutting);
        wrong |= !reasons.is_empty();
        reasons.iter().for_each(|reason| complain!("pointsman: {reason}"));
        found.into_iter().map(|found| found.message).collect::<Vec<_>>()
    });
    let mut out = std::io::stdout().lock();
    for at in 0..a.len().max(b.len()) {
        let pair = pair(&dialect, [a.get(at).copied(), b.get(at).copied()], args.reading.reveal);
        wrong |= !pair.is_equal();
        for (side, error) in ["A", "B"].iter().zip(&pair.errors) {
            if let Some(error) = error {
                complain!("pointsman: {side}: {error}");
            }
        }
        if args.reading.json {
            writeln!(out, "{}", pair.json())?;
        } else {
            let title =
                if a.len().max(b.len()) > 1 { format!("# {}\n", at + 1) } else { "".into() };
            write!(out, "{title}{}", pair.text())?;
        }
    }
    Ok(if wrong { ExitCode::from(WRONG_INPUT) } else { ExitCode::SUCCESS })
}

/// Two messages compared.
struct Pair {
    /// Whether there were two.
    both: bool,
    differences: Vec<Difference>,
    errors: [Option<UnpackError>; 2],
}

fn pair(dialect: &Dialect, frames: [Option<&[u8]>; 2], reveal: bool) -> Pair {
    let mut messages = [Message::new(), Message::new()];
    let [left, right] = &mut messages;
    let read = |frame: Option<&[u8]>, msg: &mut Message| {
        frame.and_then(|frame| unpack(dialect, frame, msg).err())
    };
    let errors = [read(frames[0], left), read(frames[1], right)];
    let both = frames.iter().all(Option::is_some);
    let side = |at: usize| Unpacked { message: &messages[at], error: errors[at].as_ref() };
    let differences = if both { compare(dialect, [side(0), side(1)], reveal) } else { Vec::new() };
    Pair { both, differences, errors }
}

impl Pair {
    fn is_equal(&self) -> bool {
        self.both && self.differences.is_empty() && self.errors.iter().all(Option::is_none)
    }

    fn text(&self) -> String {
        if !self.both {
            return "only one of the two has this message\n".to_owned();
        }
        let mut out = String::new();
        for one in &self.differences {
            out.push_str(&place(&one.path, &one.name));
            out.push_str(if one.hidden { ": differs where it is masked\n" } else { "\n" });
            for (side, seen) in ["A", "B"].iter().zip(&one.sides) {
                let (at, shown) = match seen {
                    Seen::Value { shown, at } => {
                        (at.map_or(String::new(), |at| format!("at {at}")), shown.as_str())
                    }
                    Seen::Absent => (String::new(), "absent"),
                    Seen::Undecoded => (String::new(), "not decoded so far"),
                };
                out.push_str(&format!("  {side} {at:<8} {shown}\n"));
            }
        }
        if out.is_empty() && self.errors.iter().all(Option::is_none) {
            out.push_str("equal\n");
        }
        out
    }

    fn json(&self) -> Value {
        let side = |seen: &Seen| match seen {
            Seen::Value { shown, at } => json!({ "value": shown, "at": at }),
            Seen::Absent => Value::Null,
            Seen::Undecoded => json!("undecoded"),
        };
        let one = |d: &Difference| {
            let [a, b] = &d.sides;
            let (a, b) = (side(a), side(b));
            json!({ "path": d.path, "name": d.name, "a": a, "b": b, "hidden": d.hidden })
        };
        let error = |at: usize| self.errors[at].as_ref().map(ToString::to_string);
        json!({
            "equal": self.is_equal(),
            "both": self.both,
            "differences": self.differences.iter().map(one).collect::<Vec<_>>(),
            "errors": { "a": error(0), "b": error(1) },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso8583::parse_hex;

    /// What is said about two messages of the BCD dialect, given as hex.
    fn told(a: &str, b: &str) -> (String, Value) {
        let Ok(dialect) = dialect::load("unionpay-pos") else { return Default::default() };
        let [a, b] = [a, b].map(|hex| parse_hex(&hex.replace(' ', "")).unwrap_or_default());
        let pair = pair(&dialect, [Some(&a), Some(&b)], false);
        (pair.text(), pair.json())
    }

    /// F2, F3, F4, F60.
    const SALE: &str =
        "0200 7000000000000010 16 4111111111111111 000000 000000001000 0011 22000001 0010";

    #[test]
    fn equal_messages_are_equal_and_differences_have_paths_and_places() {
        let (text, json) = told(SALE, SALE);
        assert_eq!((text.as_str(), &json["equal"]), ("equal\n", &json!(true)));
        let other = SALE.replace("000000001000", "000000002000").replace("22000001", "22000002");
        let (text, json) = told(SALE, &other.replacen("0200 ", "0210 ", 1));
        let expected = "\
MTI
  A at 0     0200
  B at 0     0210
DE 4 (amount, transaction)
  A at 22    000000001000
  B at 22    000000002000
DE 60.batch (batch)
  A          000001
  B          000002
";
        assert_eq!(text, expected);
        assert_eq!(json["differences"][1]["b"], json!({ "value": "000000002000", "at": 22 }));
        assert_eq!(json["equal"], json!(false));
    }

    #[test]
    fn secrets_stay_masked_even_where_they_differ() {
        let (text, json) = told(SALE, &SALE.replace("4111111111111111", "4111111111121111"));
        assert!(
            text.contains("DE 2 (primary account number): differs where it is masked"),
            "{text}"
        );
        assert!(text.contains("411111******1111") && !text.contains("41111111"), "{text}");
        assert_eq!(json["differences"][0]["hidden"], json!(true));
    }

    #[test]
    fn what_one_has_and_what_was_not_decoded_is_told_apart() {
        let without = "0200 3000000000000010 000000 000000001000 0011 22000001 0010";
        let (text, _) = told(SALE, without);
        assert!(text.starts_with("DE 2 (primary account number)\n  A at 10"), "{text}");
        assert!(text.ends_with("\n  B          absent\n"), "{text}");
        // Cut within F4.
        let (text, json) = told(&SALE.replace(' ', "")[..48], without);
        assert!(
            text.contains("DE 4 (amount, transaction)\n  A          not decoded so far"),
            "{text}"
        );
        assert!(text.contains("DE 2 (primary account number)"), "{text}");
        let error = json["errors"]["a"].as_str().unwrap_or_default();
        assert!(error.starts_with("DE 4 (amount, transaction) at byte 22"), "{error}");
    }
}
