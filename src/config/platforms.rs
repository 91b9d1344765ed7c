//! `[platform.NAME]`: a door that platforms call at, and what its callers may expect.

use super::section::Section;
use super::settings::{Endpoint, LineSettings};
use super::top::Builder;
use crate::framing::{Framing, FramingSpec};
use crate::switch::ids::{Name, PlatformId};
use crate::switch::policy::{Echo, Line, Owner, Platform, RrnRule};

pub(super) fn read(builder: &mut Builder<'_>, root: &Section<'_, '_>) {
    for (name, section) in root.named("platform") {
        platform(builder, &name, &section);
        section.finish();
    }
    if builder.policy.platforms.is_empty() && !root.has("platform") {
        root.wrong("platform", "is missing: without a platform nobody can submit a request");
    }
}

/// Whose `F37` its answers carry.
const RRN: [(&str, RrnRule); 2] = [("platform", RrnRule::Platform), ("bank", RrnRule::Bank)];

fn platform(builder: &mut Builder<'_>, name: &str, section: &Section<'_, '_>) {
    let name = checked_name(section, name);
    let max_in_flight = section.count("max_in_flight", 2_048, 1..=65_536);
    // Longer than any budget: whoever waits for an answer is not idle.
    let idle_limit = section.millis("idle_limit_ms", 900_000, 0..=86_400_000);
    let platform = Platform {
        name,
        budget: section.millis("budget_ms", 30_000, 100..=600_000),
        margin: section.millis("margin_ms", 1_000, 1..=60_000),
        max_in_flight,
        echo: echo(section),
        idle_limit: Some(idle_limit).filter(|limit| !limit.is_zero()),
        repeat_window: std::time::Duration::from_secs(section.number(
            "repeat_window_s",
            600,
            0..=86_400,
        )),
        restamps: section.flag("restamps_transmission", false),
        rrn: section.word("rrn", &RRN).unwrap_or_default(),
        desk_items_max: section.count("desk_items_max", 10_000, 1..=1_000_000),
        weight: section.number("weight", 1, 1..=100) as u32,
    };
    if platform.idle_limit.is_some_and(|limit| limit < platform.budget) {
        section.wrong("idle_limit_ms", "must not be smaller than budget_ms; 0: no limit");
    }
    if platform.margin >= platform.budget {
        section.wrong("margin_ms", "must be smaller than budget_ms");
    }
    let endpoint = Endpoint::Listen {
        address: address(section, "listen"),
        max_sessions: section.count("max_sessions", 64, 1..=4_096),
        allow: super::peers::allow(section),
    };
    let id = PlatformId(builder.policy.platforms.len() as u16);
    builder.policy.platforms.push(platform);
    let Some((dialect, framing)) = builder.dialect(section).zip(framing(section)) else { return };
    let line =
        Line { name, owner: Owner::Platform(id), years: dialect.rules().fields().has_years() };
    let wire = LineSettings {
        dialect,
        framing,
        endpoint,
        tpdu: None,
        header: None,
        mac: super::banks::mac(section),
        master: None,
        tls: super::peers::tls(section),
        outbound_queue: max_in_flight + 64,
    };
    builder.add_line(line, wire, section);
}

/// A name as it may stand in journals and metrics.
pub(super) fn checked_name(section: &Section<'_, '_>, name: &str) -> Name {
    plain_name(name).unwrap_or_else(|why| {
        section.wrong("name", why);
        Name::EMPTY
    })
}

/// A name as a configuration may give it to a bank, a platform, a line or a route.
///
/// # Errors
/// What is expected of it, and the name.
pub fn plain_name(name: &str) -> Result<Name, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(plain) {
        return Err(format!("\"{name}\": expected letters, digits, '-', '_', '.'"));
    }
    name.parse().map_err(|error| format!("\"{name}\": {error}"))
}

/// `framing = "preset"` or a table of its parameters.
pub(super) fn framing(section: &Section<'_, '_>) -> Option<Framing> {
    if !section.has("framing") {
        section.wrong("framing", "is missing: a preset's name or a table");
    }
    let spec: FramingSpec = section.value("framing")?;
    spec.validate().map_err(|error| section.wrong("framing", error.to_string())).ok()
}

/// `echo_interval_ms` and `echo_missed`; absent: this side starts no echo tests.
pub(super) fn echo(section: &Section<'_, '_>) -> Option<Echo> {
    let missed = section.number("echo_missed", 3, 1..=100) as u32;
    let interval = section.millis("echo_interval_ms", 0, 100..=3_600_000);
    if interval.is_zero() {
        if section.has("echo_missed") {
            section.wrong("echo_missed", "means nothing without echo_interval_ms");
        }
        return None;
    }
    Some(Echo { interval, missed })
}

/// `host:port`.
pub(super) fn address(section: &Section<'_, '_>, key: &'static str) -> String {
    let address = section.need(key);
    if !address.is_empty() && !is_address(&address) {
        section.wrong(key, format!("expected host:port, got \"{address}\""));
    }
    address
}

pub(super) fn is_address(address: &str) -> bool {
    address
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}
