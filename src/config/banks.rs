//! `[bank.NAME]`: a bank, its lines, limits, identities, and store and forward.

use super::platforms::{checked_name, echo, framing, is_address};
use super::section::Section;
use super::settings::{Endpoint, LineMac, LineSettings, MasterKeySettings, SecretRef};
use super::top::{Builder, secret};
use crate::hex;
use crate::iso8583::Dialect;
use crate::iso8583::rules::{Atom, Entry, MatchScope as Scope, Part, SignOnScope, StanRule, What};
use crate::meaning::{Flow, Kind, TransactionType};
use crate::switch::ids::{BankId, LineId, Name};
use crate::switch::policy::{
    Bank, BreakerRule, Identities, Identity, JUDGED, Line, MatchScope, Network, Owner, Reversal,
    Saf, SignOn,
};
use crate::text::Text;
use std::sync::Arc;
use std::time::Duration;

pub(super) fn read(builder: &mut Builder<'_>, root: &Section<'_, '_>) {
    for (name, section) in root.named("bank") {
        bank(builder, &name, &section);
        section.finish();
    }
    if builder.policy.banks.is_empty() && !root.has("bank") {
        root.wrong("bank", "is missing: without a bank no request can be answered");
    }
}

fn bank(builder: &mut Builder<'_>, name: &str, section: &Section<'_, '_>) {
    let name = checked_name(section, name);
    let id = BankId(builder.policy.banks.len() as u16);
    let window = section.count("window", 256, 1..=65_536);
    let saf = saf(section);
    let dialect = builder.dialect(section);
    let terminals = terminals(section);
    let master = master(section, &terminals, dialect.as_deref());
    let network = network(section, &terminals, master.is_some(), dialect.as_deref());
    let lines = dialect.as_ref().map_or(Vec::new(), |dialect| {
        // Every terminal of a line signs on at once.
        let queue = window + saf.slots + NETWORK_SLOTS + terminals.len();
        lines(builder, section, (id, name), master, &Arc::clone(dialect), queue)
    });
    let match_scope = [("line", MatchScope::Line), ("bank", MatchScope::Bank)];
    let usual_scope = dialect.as_deref().map_or(MatchScope::Bank, |dialect| {
        match dialect.rules().matching().scope {
            Scope::Line => MatchScope::Line,
            Scope::Bank => MatchScope::Bank,
        }
    });
    let bank = Bank {
        name,
        lines,
        response_timeout: section.millis("response_timeout_ms", 20_000, 50..=600_000),
        window,
        waiting_max: section.count("waiting_max", 16_384, 1..=262_144),
        breaker: breaker(section),
        match_scope: section.word("match_scope", &match_scope).unwrap_or(usual_scope),
        must_echo: dialect.as_deref().map_or_else(Vec::new, must_echo),
        codes: super::codes::read(section, dialect.as_deref()),
        reversal: dialect.as_deref().map_or_else(no_reversal, reversal),
        follow_up: dialect.as_deref().map(|d| d.rules().follow_up()).unwrap_or_default(),
        dialect: dialect.clone(),
        original_lifetime: section.millis("original_lifetime_ms", 120_000, 0..=86_400_000),
        saf,
        stand_in: super::stand_in::read(section, dialect.as_deref()),
        network,
        identities: identities(section),
        acquirer: section.parsed("acquirer"),
        forwarder: section.parsed("forwarder"),
        reconcile_at_cutover: section.flag("reconcile_at_cutover", false),
        coded_advices: dialect.as_deref().is_none_or(coded_advices),
        grants_more: section.list("partial_above_request"),
        completion_percent: section.number("completion_percent", 115, 100..=10_000),
        pin_translation: false,
    };
    builder.policy.banks.push(bank);
}

/// Room in the outbound queue for sign-on, echo and their answers.
const NETWORK_SLOTS: usize = 16;

/// `[bank.NAME.breaker]`; `unanswered = 0`: none.
fn breaker(section: &Section<'_, '_>) -> Option<BreakerRule> {
    let own = section.table("breaker");
    let number = |key, default, range| match &own {
        Some(section) => section.number(key, default, range),
        None => default,
    };
    let unanswered = number("unanswered", 10, 0..=1_000_000) as u32;
    let retry = Duration::from_millis(number("retry_ms", 5_000, 10..=600_000));
    if let Some(own) = &own {
        own.finish();
    }
    (unanswered > 0).then_some(BreakerRule { unanswered, retry })
}

/// Of what the dialect lists as `echo` in answers to transactions, or as `must_equal`, what the
/// core can compare.
fn must_echo(dialect: &Dialect) -> Vec<Atom> {
    let rules = dialect.rules();
    let transaction = Kind::Transaction(TransactionType::Unstated);
    let listed = rules.presence().of_kind(transaction, true).echo;
    let holds = |atom: &Atom| {
        let stands = |part: &Part| part.what == What::Atom(*atom);
        let links = rules.fields().links().iter();
        links.filter(|link| listed.contains(link.de)).any(|link| link.parts.iter().any(stands))
    };
    let equal = &rules.matching().must_equal;
    let said = |atom: &Atom| holds(atom) || equal.iter().any(|field| field.atom() == *atom);
    JUDGED.into_iter().filter(said).collect()
}

/// What the dialect says about reversals, as the core needs it; a dialect without the section
/// reverses nothing, and what stays unknown goes to the desk.
fn reversal(dialect: &Dialect) -> Reversal {
    let rule = dialect.rules().reversal();
    Reversal {
        types: rule.map_or_else(Vec::new, |rule| rule.types().to_vec()),
        flow: rule.map_or(Flow::Advice, |rule| rule.flow),
        repeat_mti: rule.is_some_and(|rule| rule.repeat),
        same_stan: rule.is_some_and(|rule| rule.stan == StanRule::Same),
        original_batch: rule.is_some_and(|rule| rule.original_batch),
        partial: dialect.rules().says_part(),
        requested: rule.is_some_and(|rule| rule.requested),
    }
}

/// Whether all its advices of transactions have a place for what was decided.
fn coded_advices(dialect: &Dialect) -> bool {
    let rules = dialect.rules();
    let answer = rules.fields().element_of(Atom::Answer);
    let advises =
        |entry: &Entry| entry.flow == Flow::Advice && matches!(entry.kind, Kind::Transaction(_));
    let entries = rules.messages().entries().iter().enumerate();
    let mut mute = entries.filter(|(_, entry)| advises(entry)).filter(|(index, _)| {
        answer.is_none_or(|de| rules.presence().of(*index, false).never.contains(de))
    });
    !rules.fields().uncoded_advices() && mute.next().is_none()
}

/// What stands in for a dialect that did not compile; such settings are never handed out.
fn no_reversal() -> Reversal {
    Reversal {
        types: Vec::new(),
        flow: Flow::Advice,
        repeat_mti: false,
        same_stan: false,
        original_batch: false,
        partial: false,
        requested: false,
    }
}

fn lines(
    builder: &mut Builder<'_>,
    section: &Section<'_, '_>,
    (bank, bank_name): (BankId, Name),
    master: Option<Arc<MasterKeySettings>>,
    dialect: &Arc<Dialect>,
    outbound_queue: usize,
) -> Vec<LineId> {
    let framing = framing(section);
    let (mac, tpdu, header) = (mac(section), tpdu(section), bytes(section, "header"));
    let tls = super::peers::tls(section);
    if tls.as_ref().is_some_and(|tls| tls.peers.len() > 1) {
        section.wrong("tls.peers", "expected exactly one name: that of the bank's host");
    }
    let mut ids = Vec::new();
    let listed = section.tables("line");
    if listed.is_empty() {
        section.wrong("line", "is missing: a bank needs at least one [[bank.NAME.line]]");
    }
    for (index, line_section) in listed.iter().enumerate() {
        let default_name = format!("{bank_name}-{}", index + 1);
        let name = line_section.string("name").unwrap_or(default_name);
        let years = dialect.rules().fields().has_years();
        let name = checked_name(line_section, &name);
        let line = Line { name, owner: Owner::Bank(bank), years };
        let endpoint = connect(line_section);
        line_section.finish();
        let Some(framing) = framing.clone() else { continue };
        let wire = LineSettings {
            dialect: Arc::clone(dialect),
            framing,
            endpoint,
            tpdu,
            header: header.clone(),
            mac: mac.clone(),
            master: master.clone(),
            tls: tls.clone(),
            outbound_queue,
        };
        ids.push(LineId(builder.lines.len() as u16));
        builder.add_line(line, wire, line_section);
    }
    ids
}

fn connect(section: &Section<'_, '_>) -> Endpoint {
    let addresses: Vec<String> = section.list("connect");
    if addresses.is_empty() {
        section.wrong("connect", "is missing: a list of host:port, in order of preference");
    }
    for address in addresses.iter().filter(|a| !is_address(a)) {
        section.wrong("connect", format!("expected host:port, got \"{address}\""));
    }
    Endpoint::Connect {
        addresses,
        connect_timeout: section.millis("connect_timeout_ms", 5_000, 10..=60_000),
        first_retry: section.millis("first_retry_ms", 200, 1..=60_000),
        max_retry: section.millis("max_retry_ms", 15_000, 1..=600_000),
    }
}

/// `mac_key` and `mac`: the line's key, and its algorithm where it is not the dialect's.
pub(super) fn mac(section: &Section<'_, '_>) -> Option<LineMac> {
    let statement = section.value("mac");
    let Some(key) = secret(section, "mac_key") else {
        if section.has("mac") && !section.has("mac_key") && !section.has("master_key") {
            section.wrong("mac", "means nothing without mac_key or master_key");
        }
        return None;
    };
    Some(LineMac { key, statement })
}

fn tpdu(section: &Section<'_, '_>) -> Option<[u8; 5]> {
    let bytes = bytes(section, "tpdu")?;
    let got = bytes.len();
    bytes
        .try_into()
        .map_err(|_| section.wrong("tpdu", format!("expected 5 bytes as 10 hex digits, got {got}")))
        .ok()
}

fn bytes(section: &Section<'_, '_>, key: &'static str) -> Option<Vec<u8>> {
    let text = section.string(key)?;
    hex::parse(&text).map_err(|error| section.wrong(key, error.to_string())).ok()
}

fn saf(section: &Section<'_, '_>) -> Saf {
    let own = section.table("saf");
    let number = |key, default, range| match &own {
        Some(s) => s.number(key, default, range),
        None => default,
    };
    let lifetime_s = number("advice_lifetime_s", 0, 1..=31_536_000);
    let advice_tries = number("advice_tries", 0, 1..=1_000_000) as u32;
    let saf = Saf {
        slots: number("slots", 16, 1..=4_096) as usize,
        borrows: own.as_ref().is_none_or(|s| s.flag("borrows", true)),
        response_timeout: Duration::from_millis(number("timeout_ms", 20_000, 50..=600_000)),
        first_retry: Duration::from_millis(number("first_retry_ms", 1_000, 10..=600_000)),
        max_retry: Duration::from_millis(number("max_retry_ms", 60_000, 10..=86_400_000)),
        tries_before_desk: number("tries_before_desk", 20, 1..=1_000_000) as u32,
        live_rate_per_s: number("live_rate_per_s", 200, 1..=1_000_000) as u32,
        advice_lifetime: (lifetime_s > 0).then(|| Duration::from_secs(lifetime_s)),
        advice_tries: (advice_tries > 0).then_some(advice_tries),
        dead_codes: own.as_ref().map_or_else(Vec::new, |s| s.list("dead_codes")),
    };
    if let Some(own) = &own {
        if saf.max_retry < saf.first_retry {
            own.wrong("max_retry_ms", "must not be smaller than first_retry_ms");
        }
        own.finish();
    }
    saf
}

/// One `[[bank.NAME.terminal]]`.
struct Terminal {
    terminal: Text<16>,
    merchant: Text<35>,
    /// Under which its working keys come.
    master: Option<SecretRef>,
}

fn terminals(section: &Section<'_, '_>) -> Vec<Terminal> {
    let listed = section.tables("terminal");
    let read = |t: &Section<'_, '_>| {
        let (terminal, merchant) = (need_text(t, "terminal"), need_text(t, "merchant"));
        let terminal = Terminal { terminal, merchant, master: secret(t, "master_key") };
        t.finish();
        terminal
    };
    listed.iter().map(read).collect()
}

/// `master_key`, of the bank or of single terminals: sign-ons bring the MAC keys.
fn master(
    section: &Section<'_, '_>,
    terminals: &[Terminal],
    dialect: Option<&Dialect>,
) -> Option<Arc<MasterKeySettings>> {
    let own = terminals.iter().filter_map(|t| Some((Some(t.terminal), t.master.clone()?)));
    let mut keys: Vec<_> = own.collect();
    keys.extend(secret(section, "master_key").map(|key| (None, key)));
    let keep = section.millis("old_key_ms", 120_000, 1_000..=3_600_000);
    if keys.is_empty() {
        if section.has("old_key_ms") && !section.has("master_key") {
            section.wrong("old_key_ms", "means nothing without master_key");
        }
        return None;
    }
    if dialect.is_some_and(|d| d.rules().keys().is_none()) {
        section.wrong("master_key", "the dialect's sign-on brings no keys: it has no [keys]");
    }
    if section.has("mac_key") {
        section.wrong("mac_key", "means nothing beside master_key: sign-ons bring the MAC keys");
    }
    let all = keys.iter().any(|(terminal, _)| terminal.is_none());
    for without in terminals.iter().filter(|t| !all && t.master.is_none()) {
        let name = without.terminal;
        section.wrong("terminal", format!("{name} has no master_key, and the bank has none"));
    }
    Some(Arc::new(MasterKeySettings { keys, keep, statement: section.value("mac") }))
}

fn network(
    section: &Section<'_, '_>,
    terminals: &[Terminal],
    keys: bool,
    dialect: Option<&Dialect>,
) -> Network {
    let sign_on = sign_on(section, terminals, dialect);
    if keys && sign_on == SignOn::No {
        section.wrong("master_key", "means nothing without sign_on: that is what brings the keys");
    }
    Network {
        sign_on,
        keys,
        sign_on_retry: section.millis("sign_on_retry_ms", 5_000, 10..=600_000),
        response_timeout: section.millis("network_timeout_ms", 10_000, 50..=600_000),
        echo: echo(section),
    }
}

/// Who signs on: as configured, or as the dialect says where nothing is configured.
fn sign_on(section: &Section<'_, '_>, terminals: &[Terminal], dialect: Option<&Dialect>) -> SignOn {
    let words = [
        ("no", SignOnScope::None),
        ("line", SignOnScope::Line),
        ("terminals", SignOnScope::Terminal),
    ];
    let usual = dialect.map_or(SignOnScope::None, |d| d.rules().network().sign_on);
    let who = section.word("sign_on", &words).unwrap_or(usual);
    if who != usual && who != SignOnScope::None && usual != SignOnScope::None {
        let usual = words.iter().find(|(_, scope)| *scope == usual).map_or("", |(word, _)| word);
        section.wrong("sign_on", format!("this dialect signs on per \"{usual}\""));
    }
    match who {
        SignOnScope::Terminal if terminals.is_empty() => {
            section.wrong("terminal", "is missing: sign_on = \"terminals\" needs at least one");
            SignOn::No
        }
        SignOnScope::Terminal => {
            SignOn::Terminals(terminals.iter().map(|t| (t.terminal, t.merchant)).collect())
        }
        _ if !terminals.is_empty() => {
            section.wrong("terminal", "means nothing without sign_on = \"terminals\"");
            SignOn::No
        }
        SignOnScope::Line => SignOn::Line,
        SignOnScope::None => SignOn::No,
    }
}

/// `[[bank.NAME.identity]]` lines and the two keys of the default.
fn identities(section: &Section<'_, '_>) -> Identities {
    let entries = section
        .tables("identity")
        .iter()
        .map(|row| {
            let entry = Identity {
                acquirer: row.parsed("acquirer"),
                merchant: row.parsed("merchant"),
                terminal: row.parsed("terminal"),
                bank_merchant: need_text(row, "bank_merchant"),
                bank_terminal: need_text(row, "bank_terminal"),
            };
            row.finish();
            entry
        })
        .collect();
    let merchant = section.parsed("default_merchant");
    let terminal = section.parsed("default_terminal");
    if merchant.is_some() != terminal.is_some() {
        section.wrong("default_merchant", "and default_terminal go together: give both or none");
    }
    Identities { entries, default: merchant.zip(terminal) }
}

fn need_text<const N: usize>(section: &Section<'_, '_>, key: &'static str) -> Text<N> {
    if !section.has(key) {
        section.wrong(key, "is missing");
    }
    section.parsed(key).unwrap_or_default()
}
