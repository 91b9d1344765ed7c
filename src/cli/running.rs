//! A running switch, as the commands for operators ask it.
//!
//! Contract: the address and the token of its admin listener come from the configuration or the
//! command line; every wait is bounded. What the switch refuses is an error with its own words.
//! Deliberately absent: anything but plain HTTP/1.1; operators reach the listener over loopback
//! or a tunnel.

use super::check;
use crate::config::plain_name;
use crate::config::settings::SecretRef;
use crate::server::secrets::resolve;
use crate::switch::ids::Name;
use anyhow::{Context, bail, ensure};
use serde_json::Value;
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

/// Which switch.
#[derive(Debug, clap::Args)]
pub(super) struct Where {
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
}

impl Where {
    /// What the switch said: as it said it, or as people read it.
    pub(super) fn print(&self, answer: &Value, text: &str) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        if self.json { writeln!(out, "{answer}") } else { out.write_all(text.as_bytes()) }
    }
}

/// Has the running switch carry out an order about a bank, and prints what it said.
///
/// # Errors
/// No address, a switch that cannot be reached or says no.
pub(super) fn order(
    args: &Where,
    secret: super::journal::Resolve,
    (page, bank, verb): (&str, &str, &str),
    body: &Value,
    text: fn(&Value) -> String,
) -> anyhow::Result<ExitCode> {
    let bank = bank_name(bank)?;
    let answer =
        Switch::of(args, secret)?.ask("POST", &format!("/{page}/{bank}/{verb}"), Some(body))?;
    args.print(&answer, &text(&answer))?;
    Ok(ExitCode::SUCCESS)
}

/// The name of a bank, fit for the path or the query of a page.
pub(super) fn bank_name(text: &str) -> anyhow::Result<Name> {
    plain_name(text).map_err(|why| anyhow::anyhow!("expected a bank's name: {why}"))
}

/// Who decides.
#[derive(Debug, clap::Args)]
pub(super) struct By {
    /// Who decides; it is recorded. At most 24 printable ASCII characters.
    #[arg(long, value_name = "NAME")]
    pub(super) operator: String,
}

/// Where to ask, and what to show there.
pub(super) struct Switch {
    address: String,
    token: Option<Zeroizing<String>>,
}

impl Switch {
    /// By what the command line says, else by the configuration.
    pub(super) fn of(args: &Where, secret: super::journal::Resolve) -> anyhow::Result<Self> {
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

    /// What it answers; what it refuses is an error that says why.
    pub(super) fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_split_into_status_and_body() {
        assert_eq!(split("HTTP/1.1 409 Conflict\r\na: b\r\n\r\n{}"), Some((409, "{}")));
        assert_eq!(split("SSH-2.0-OpenSSH"), None);
    }
}
