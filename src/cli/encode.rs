//! `pointsman encode`: JSON of the shape `decode --json --reveal` prints, to hex.
//!
//! Contract: reads one JSON object or several, prints one line of upper-case hex each. Exit code 1
//! with one sentence on standard error at the first that is no message of the dialect.
//! Deliberately absent: length headers – what is printed is the message.

use super::{dialect, input};
use crate::iso8583::{self, Dialect};
use crate::text::Fault;
use serde_json::Value;
use std::io::Write;
use std::process::ExitCode;

/// Arguments of `encode`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A shipped dialect, or a dialect file.
    #[arg(long, value_name = "NAME|FILE")]
    dialect: String,
    /// The message as JSON, or `-` for standard input.
    #[arg(value_name = "JSON | -")]
    input: Option<String>,
}

/// Runs `encode`.
///
/// # Errors
/// What cannot be read or written; JSON that is no message is exit code 1.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Some(dialect) = dialect::load_or_tell(&args.dialect) else { return Ok(ExitCode::from(1)) };
    let text = match args.input.as_deref() {
        None | Some("-") => input::text()?,
        Some(json) => json.to_owned(),
    };
    let mut out = std::io::stdout().lock();
    for json in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
        let hex = json
            .map_err(|e| Fault::of(&text, &e.to_string(), (e.line(), e.column()), e.is_eof()))
            .map_err(|fault| format!("this is no JSON: {fault}"))
            .and_then(|json| encode(&dialect, &json));
        match hex {
            Ok(hex) => writeln!(out, "{hex}")?,
            Err(reason) => {
                complain!("pointsman: {reason}");
                return Ok(ExitCode::from(1));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One message to hex.
fn encode(dialect: &Dialect, json: &Value) -> Result<String, String> {
    let msg = iso8583::from_json(dialect, json).map_err(|e| e.to_string())?;
    let mut frame = Vec::new();
    iso8583::pack(dialect, &msg, &mut frame).map_err(|e| e.to_string())?;
    Ok(frame.iter().map(|b| format!("{b:02X}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_becomes_hex_or_says_why_not() {
        let dialect = dialect::load("iso8583-1987-bcd").map_err(|_| "no dialect".to_owned());
        let hex =
            |json: Value| dialect.as_ref().map_err(Clone::clone).and_then(|d| encode(d, &json));
        let good = serde_json::json!({"mti": "0800", "fields": {"11": "000001", "70": "301"}});
        let bytes = "0800802000000000000004000000000000000000010301";
        assert_eq!(hex(good).as_deref(), Ok(bytes));
        let bad = serde_json::json!({"mti": "0800", "fields": {"11": "00000A"}});
        let said = "DE 11 (stan): expected a decimal digit, got something else at character 6";
        assert_eq!(hex(bad), Err(said.to_owned()));
        let masked = serde_json::json!({"mti": "0200", "fields": {"2": "411111******1111"}});
        assert!(hex(masked).is_err());
    }
}
