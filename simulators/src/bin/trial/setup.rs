//! The scenery of the trial: folder, ports, configuration, and what the peers are like.
//!
//! Contract: everything stands in one temporary folder and on loopback; the ports of the switch
//! stay the same over its restarts.

use crate::process::Bank;
use anyhow::Context;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use tempfile::TempDir;

/// Any key will do: it stands in this trial only.
const MAK: &str = "0123456789ABCDEFFEDCBA9876543210";

/// So does this one; it wraps the journal's data key.
const JOURNAL_KEY: &str = "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF";

const CONFIG: &str = r#"
[journal]
folder = "journal"
key = "file:journal-key.hex"
segment_bytes = 16_777_216

[admin]
address = "@admin"

[platform.shop]
listen = "@shop"
dialect = "iso8583-1987-ascii"
framing = "2-byte-be"
budget_ms = 4_000
margin_ms = 500
max_in_flight = 2_048

[bank.river]
dialect = "iso8583-1987-bcd"
framing = "2-byte-be-tpdu"
tpdu = "6000010002"
response_timeout_ms = 2_000
window = 1_024
match_scope = "bank"
original_lifetime_ms = 5_000
acquirer = "10000001"
sign_on = "line"
sign_on_retry_ms = 500
network_timeout_ms = 1_000
echo_interval_ms = 2_000
default_merchant = "RIVER0000000001"
default_terminal = "RIV00001"
reconcile_at_cutover = true
[[bank.river.line]]
connect = ["@river"]
first_retry_ms = 100
max_retry_ms = 1_000
[bank.river.saf]
slots = 64
timeout_ms = 1_000
first_retry_ms = 300
max_retry_ms = 2_000
tries_before_desk = 50

[bank.mountain]
dialect = "unionpay-pos"
framing = "2-byte-be-tpdu"
tpdu = "6000030004"
mac_key = "file:mak.hex"
response_timeout_ms = 2_000
window = 1_024
match_scope = "bank"
original_lifetime_ms = 5_000
sign_on = "terminals"
sign_on_retry_ms = 500
network_timeout_ms = 1_000
echo_interval_ms = 2_000
[[bank.mountain.terminal]]
terminal = "MTN00001"
merchant = "MOUNTAIN0000001"
[[bank.mountain.identity]]
bank_merchant = "MOUNTAIN0000001"
bank_terminal = "MTN00001"
[[bank.mountain.line]]
connect = ["@mountain"]
first_retry_ms = 100
max_retry_ms = 1_000
[bank.mountain.saf]
slots = 64
timeout_ms = 1_000
first_retry_ms = 300
max_retry_ms = 2_000
tries_before_desk = 50

[[route]]
name = "unionpay-cards"
pan = ["62"]
currency = ["156"]
bank = "mountain"
[[route]]
name = "everything-else"
bank = "river"
"#;

/// What the banks decline and grant in part, and their habits. River's totals are compared at its
/// cutover, so it forgets nothing that it did: a bank that does is out of balance by its own fault.
const RIVER: &str = r#"
[[rule]]
amount_ends = 51
answer = "51"
[[rule]]
amount_ends = 77
answer = "10"
partial = 500
[habits]
not-found = 40
unlisted = 10
above = 5
no-currency = 50
no-terminal = 50
duplicate-first = 50
strict-name = 1000
strict-amount = 1000
"#;

const MOUNTAIN: &str = r#"
[[rule]]
amount_ends = 51
answer = "51"
[habits]
not-found = 40
forgets = 100
unlisted = 10
no-currency = 50
duplicate-first = 50
strict-amount = 1000
"#;

/// Everything that stands before the switch starts.
#[derive(Debug)]
pub(crate) struct Scenery {
    /// ISO 8583:1987 in BCD.
    pub(crate) river: Bank,
    /// UnionPay POS with MACs.
    pub(crate) mountain: Bank,
    /// The platform's door.
    pub(crate) shop: SocketAddr,
    /// The switch's metrics and desk.
    pub(crate) admin: SocketAddr,
    /// Goes last.
    pub(crate) folder: TempDir,
}

/// Builds it.
pub(crate) fn build(without: &[String]) -> anyhow::Result<Scenery> {
    let folder = TempDir::with_prefix("pointsman-trial-").context("temporary folder")?;
    let path = folder.path();
    let put = |name: &str, text: &str| fs::write(path.join(name), text);
    put("mak.hex", MAK)?;
    put("journal-key.hex", JOURNAL_KEY)?;
    put("river.toml", &rules_without(RIVER, without))?;
    put("mountain.toml", &rules_without(MOUNTAIN, without))?;
    let river = ["--dialect", "iso8583-1987-bcd", "--framing", "2-byte-be-tpdu"];
    let river = [&river[..], &["--needs-sign-on", "--rules", "river.toml"]].concat();
    let river = Bank::start(path, "river", &river)?;
    let mountain = ["--dialect", "unionpay-pos", "--framing", "2-byte-be-tpdu"];
    let mountain = [&mountain[..], &["--mac-key", "mak.hex", "--rules", "mountain.toml"]].concat();
    let mountain = Bank::start(path, "mountain", &mountain)?;
    let (shop, admin) = (free_port()?, free_port()?);
    write_config(path, &[shop, admin, river.address, mountain.address])?;
    Ok(Scenery { river, mountain, shop, admin, folder })
}

fn write_config(
    folder: &Path,
    [shop, admin, river, mountain]: &[SocketAddr; 4],
) -> anyhow::Result<()> {
    let config = CONFIG
        .replace("@shop", &shop.to_string())
        .replace("@admin", &admin.to_string())
        .replace("@river", &river.to_string())
        .replace("@mountain", &mountain.to_string());
    Ok(fs::write(folder.join("pointsman.toml"), config)?)
}

/// A rule file without the lines of these habits.
fn rules_without(rules: &str, without: &[String]) -> String {
    let named = |line: &str| line.split_once(" = ").is_some_and(|(habit, _)| names(without, habit));
    rules.lines().filter(|line| !named(line)).map(|line| format!("{line}\n")).collect()
}

fn names(without: &[String], habit: &str) -> bool {
    without.iter().any(|left_out| left_out == habit)
}

/// A platform's arguments without these habits: how often each strikes becomes never.
pub(crate) fn without(asked: Vec<String>, without: &[String]) -> Vec<String> {
    let never = |argument: String| match argument.split_once('=') {
        Some((habit, _)) if names(without, habit) => format!("{habit}=0"),
        _ => argument,
    };
    asked.into_iter().map(never).collect()
}

/// A port that is free now and stays ours by being the newest the OS gave out.
fn free_port() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// What the platform is like.
pub(crate) fn platform(shop: SocketAddr, rate: u32, seconds: u32) -> Vec<String> {
    let (shop, rate, seconds) = (shop.to_string(), rate.to_string(), seconds.to_string());
    [
        "--connect",
        &shop,
        "--rate",
        &rate,
        "--seconds",
        &seconds,
        "--connections",
        "4",
        "--timeout-ms",
        "5000",
        "--repeat-after-loss",
        "2",
        "--counted-amounts",
        "--cards",
        "visa=840x30000",
        "--cards",
        "mastercard=978x30000",
        "--cards",
        "unionpay=156x30000",
        "--terminal",
        "SHOP0001",
        "--terminal",
        "SHOP0002",
        "--terminal",
        "SHOP0003",
        "--taken-back",
        "30",
        "--repeated",
        "20",
        "--habit",
        "restamp=500",
        "--habit",
        "other-terminal=200",
        "--habit",
        "no-terminal=200",
        "--habit",
        "zero-name=100",
        "--habit",
        "advice=20",
        "--habit",
        "void-advice=300",
        "--habit",
        "wrong-card=2",
    ]
    .map(str::to_owned)
    .into()
}
