//! `pointsman desk`: what is in doubt in a running switch, its late answers, and decisions.
//!
//! Contract: asks the admin listener of the switch, whose address and token come from the
//! configuration or the command line; reads no journal. `--json` prints what the switch said,
//! unchanged. A refused decision is exit code 1 with the state and what is allowed.
//! Deliberately absent: anything but plain HTTP/1.1; operators reach the listener over loopback
//! or a tunnel.

use super::check;
use crate::config::settings::SecretRef;
use crate::server::secrets::resolve;
use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use zeroize::Zeroizing;

/// Limit of connecting and of each wait for an answer: longer than the switch takes to say that
/// it does not answer.
const LIMIT: Duration = Duration::from_secs(15);
/// A page of the desk is far smaller.
const ANSWER_MAX: u64 = 16 << 20;

/// Arguments of `desk`.
#[derive(Debug, clap::Args)]
#[command(subcommand_precedence_over_arg = true)]
pub struct Args {
    /// The configuration of the running switch: says where it listens, and its token.
    #[arg(value_name = "CONFIG")]
    config: Option<PathBuf>,
    /// Where the running switch listens, instead of what the configuration says.
    #[arg(long, value_name = "HOST:PORT", global = true)]
    admin: Option<String>,
    /// What operators show, instead of what the configuration says.
    #[arg(long, value_name = "file:PATH|env:NAME", global = true)]
    token: Option<String>,
    /// What the switch says, as it says it.
    #[arg(long, global = true)]
    json: bool,
    /// Only what an operator is asked to look at.
    #[arg(long)]
    attention: bool,
    /// Only of this bank.
    #[arg(long, value_name = "NAME")]
    bank: Option<String>,
    /// Only items after this one.
    #[arg(long, value_name = "ITEM", default_value_t = 0)]
    after: u64,
    /// At most so many.
    #[arg(long, value_name = "COUNT", default_value_t = 100, global = true)]
    limit: u16,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// The newest late, second and unknown answers.
    Late,
    /// Have an item sent again, now.
    Resend {
        /// Its number.
        item: u64,
        #[command(flatten)]
        by: By,
    },
    /// Close an item by hand: its money is settled outside.
    GiveUp {
        /// Its number.
        item: u64,
        /// Why; it is journaled. At most 64 printable ASCII characters, no card number.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        by: By,
    },
}

#[derive(Debug, clap::Args)]
struct By {
    /// Who decides; it is journaled. At most 24 printable ASCII characters.
    #[arg(long, value_name = "NAME")]
    operator: String,
}

/// Where to ask, and what to show there.
struct Switch {
    address: String,
    token: Option<Zeroizing<String>>,
}

/// Runs `desk`.
///
/// # Errors
/// No address, a switch that cannot be reached or says no.
pub fn run(args: &Args, secret: super::journal::Resolve) -> anyhow::Result<ExitCode> {
    let switch = Switch::of(args, secret)?;
    let limit = args.limit;
    let (answer, text) = match &args.action {
        None => {
            let mut path = format!("/desk?limit={limit}&after={}", args.after);
            if args.attention {
                path.push_str("&attention=true");
            }
            if let Some(bank) = &args.bank {
                let _ = write!(path, "&bank={bank}");
            }
            let answer = switch.ask("GET", &path, None)?;
            let text = desk_text(&answer);
            (answer, text)
        }
        Some(Action::Late) => {
            let answer = switch.ask("GET", &format!("/late?limit={limit}"), None)?;
            let text = late_text(&answer);
            (answer, text)
        }
        Some(Action::Resend { item, by }) => {
            let body = json!({ "operator": by.operator });
            let answer = switch.ask("POST", &format!("/desk/{item}/resend"), Some(&body))?;
            (answer, format!("item {item} is sent again\n"))
        }
        Some(Action::GiveUp { item, reason, by }) => {
            let body = json!({ "operator": by.operator, "reason": reason });
            let answer = switch.ask("POST", &format!("/desk/{item}/give-up"), Some(&body))?;
            (answer, format!("item {item} is given up\n"))
        }
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{answer}")?
    } else {
        out.write_all(text.as_bytes())?
    }
    Ok(ExitCode::SUCCESS)
}

impl Switch {
    fn of(args: &Args, secret: super::journal::Resolve) -> anyhow::Result<Self> {
        let stated = args.token.as_deref().map(secret).transpose().context("--token")?;
        let Some(config) = &args.config else {
            let address = args.admin.clone();
            let address = address.context("give CONFIG, or --admin HOST:PORT")?;
            return Ok(Self { address, token: stated });
        };
        let settings = match check::load(config) {
            Ok(settings) => settings,
            Err(errors) => {
                let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
                bail!("{}: {}", config.display(), errors.join("; "))
            }
        };
        let admin = settings.admin;
        let configured = |reference: &SecretRef| {
            let found = resolve(reference, check::folder_of(config));
            found.map_err(|error| anyhow::anyhow!("admin.token: {error}"))
        };
        let known = admin.as_ref().and_then(|admin| admin.token.as_ref()).map(configured);
        let token = match stated {
            Some(token) => Some(token),
            None => known.transpose()?,
        };
        let address = args.admin.clone().or_else(|| admin.map(|admin| admin.address));
        let address = address.context("the configuration has no [admin]; give --admin")?;
        let open = !address.ends_with(":0");
        ensure!(open, "admin.address leaves the port to the system; give --admin HOST:PORT");
        Ok(Self { address, token })
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let answer = self.exchange(method, path, body);
        let answer =
            answer.with_context(|| format!("cannot ask the switch at {}", self.address))?;
        let (status, body) = split(&answer).context("this is no admin listener of a switch")?;
        let said: Value = serde_json::from_str(body)
            .with_context(|| format!("{} answered {status} without JSON", self.address))?;
        if status == 200 {
            return Ok(said);
        }
        let why = said["error"].as_str().unwrap_or("no reason given");
        let Some(state) = said["state"].as_str() else { bail!("refused ({status}): {why}") };
        let allowed = words(&said["allowed"]);
        bail!("refused: {why}; state: {state}; allowed: {allowed}")
    }

    fn exchange(&self, method: &str, path: &str, body: Option<&Value>) -> std::io::Result<String> {
        let address = self.address.to_socket_addrs()?.next();
        let nowhere = || std::io::Error::other("no such address");
        let mut stream = TcpStream::connect_timeout(&address.ok_or_else(nowhere)?, LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut head = Zeroizing::new(format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n",
            self.address,
            body.len()
        ));
        if let Some(token) = &self.token {
            let _ = write!(head, "Authorization: Bearer {}\r\n", token.as_str());
        }
        stream.write_all(format!("{}\r\n{body}", head.as_str()).as_bytes())?;
        let mut answer = String::new();
        stream.take(ANSWER_MAX).read_to_string(&mut answer)?;
        Ok(answer)
    }
}

/// Status and body of an answer that ends with its connection.
fn split(answer: &str) -> Option<(u16, &str)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some((status, body))
}

fn words(list: &Value) -> String {
    let words: Vec<&str> =
        list.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

/// A value as people read it; what is not there is a dash.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn amount(of: &Value) -> String {
    match of["decimal"].as_str() {
        Some(decimal) => format!("{decimal} {}", shown(&of["currency"])),
        None => "-".to_owned(),
    }
}

fn age(seconds: &Value) -> String {
    match seconds.as_u64().unwrap_or_default() {
        s if s < 120 => format!("{s}s"),
        s if s < 7_200 => format!("{}m", s / 60),
        s if s < 172_800 => format!("{}h", s / 3_600),
        s => format!("{}d", s / 86_400),
    }
}

fn desk_text(answer: &Value) -> String {
    let mut text = String::new();
    for bank in answer["banks"].as_array().into_iter().flatten() {
        let (name, owed) = (shown(&bank["bank"]), shown(&bank["owed"]));
        let (unknown, dead) = (shown(&bank["unknown"]), shown(&bank["dead_letters"]));
        let _ = writeln!(text, "{name}: {owed} owed, {unknown} unknown, {dead} dead letters");
    }
    let mut rows = vec![
        ["ITEM", "AGE", "BANK", "AMOUNT", "TRIES", "STATE", "STAN", "RRN", "CARD", "WHY"]
            .map(str::to_owned),
    ];
    for item in answer["items"].as_array().into_iter().flatten() {
        let mark = if item["attention"] == true { "!" } else { "" };
        rows.push([
            format!("{}{mark}", shown(&item["item"])),
            age(&item["age_s"]),
            shown(&item["bank"]),
            amount(&item["amount"]),
            shown(&item["tries"]),
            shown(&item["state"]),
            shown(&item["stan"]),
            shown(&item["rrn"]),
            shown(&item["card"]),
            format!("{}; {}", shown(&item["why"]), shown(&item["next"])),
        ]);
    }
    text.push_str(&table(&rows));
    if let Some(next) = answer["next_after"].as_u64() {
        let _ = writeln!(text, "there may be more: --after {next}");
    }
    text
}

fn late_text(answer: &Value) -> String {
    let mut rows = vec![
        ["RECORD", "AT", "BANK", "KIND", "MEANING", "CODE", "STAN", "TXN", "AMOUNT", "BECAME"]
            .map(str::to_owned),
    ];
    for late in answer["late"].as_array().into_iter().flatten() {
        let plain = ["record", "at", "bank", "kind", "meaning", "code", "stan", "txn"];
        let [record, at, bank, kind, meaning, code, stan, txn] = plain.map(|k| shown(&late[k]));
        let (amount, became) = (amount(&late["amount"]), shown(&late["became"]));
        rows.push([record, at, bank, kind, meaning, code, stan, txn, amount, became]);
    }
    table(&rows)
}

/// Columns as wide as their widest value.
fn table(rows: &[[String; 10]]) -> String {
    let wide = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..10).map(wide).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_desk_is_a_table_for_people() {
        let answer = json!({
            "banks": [{ "bank": "river", "owed": 1, "unknown": 1, "dead_letters": 0 }],
            "items": [{
                "item": 3, "age_s": 7300, "bank": "river", "tries": 2, "state": "pausing",
                "amount": { "minor": 1250, "currency": "978", "decimal": "12.50" },
                "stan": "000002", "rrn": null, "card": "411111******1111", "attention": true,
                "why": "our reversal: Timeout", "next": "is sent again",
            }],
            "next_after": 3,
        });
        let text = desk_text(&answer);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "river: 1 owed, 1 unknown, 0 dead letters");
        let cells: Vec<&str> = lines[2].split_whitespace().collect();
        assert_eq!(cells[..5], ["3!", "2h", "river", "12.50", "978"]);
        assert_eq!(cells[5..10], ["2", "pausing", "000002", "-", "411111******1111"]);
        assert_eq!(lines[3], "there may be more: --after 3");
    }

    #[test]
    fn an_answer_is_split_into_status_and_body() {
        assert_eq!(split("HTTP/1.1 409 Conflict\r\na: b\r\n\r\n{}"), Some((409, "{}")));
        assert_eq!(split("SSH-2.0-OpenSSH"), None);
    }
}
