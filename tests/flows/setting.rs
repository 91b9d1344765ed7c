//! The policies that flows and storms are played under: one platform, a bank, a UnionPay bank and
//! an issuer of stored value, with what `# policy:` switches.

use pointsman::canonical::{Flow, ResponseClass, TransactionType};
use pointsman::iso8583::rules::FollowUpRule;
use pointsman::iso8583::{Dialect, shipped};
use pointsman::switch::ids::{BankId, LineId, PlatformId};
use pointsman::switch::policy::{
    Bank, BreakerRule, Codes, DuplicateWindow, Echo, Identities, Identity, JUDGED, Line,
    MatchScope, Network, NotFoundAfterTry, Owner, Platform, Policy, Reversal, Route, RrnRule, Saf,
    SignOn, StandIn, StandInLimit, Unlisted,
};
use pointsman::text::Text;
use std::sync::Arc;
use std::time::Duration;

/// Lines by index: the platform's door, two lines of one bank, one of a UnionPay bank, one of a
/// stored-value issuer.
pub(crate) const LINES: [&str; 5] = ["platform", "alfa", "alfa2", "union", "purse"];

/// Banks by index.
pub(crate) const BANKS: [&str; 3] = ["alfa", "union", "purse"];

pub(crate) fn text<const N: usize>(s: &str) -> Text<N> {
    s.parse().unwrap_or_default()
}

/// The words of `# policy:`.
pub(crate) struct Options<'a>(pub(crate) &'a str);

impl Options<'_> {
    pub(crate) fn has(&self, word: &str) -> bool {
        self.0.split_whitespace().any(|w| w == word)
    }

    /// The value of `KEY=`.
    pub(crate) fn word(&self, key: &str) -> Option<&str> {
        self.0.split_whitespace().find_map(|w| w.strip_prefix(key))
    }

    fn number(&self, key: &str, default: u64) -> u64 {
        let found = self.0.split_whitespace().find_map(|w| w.strip_prefix(key));
        found.and_then(|n| n.parse().ok()).unwrap_or(default)
    }

    fn seconds(&self, key: &str, default: u64) -> Duration {
        Duration::from_secs(self.number(key, default))
    }

    /// The dialect that says what the banks have a place for.
    fn stated_dialect(&self) -> Option<Arc<Dialect>> {
        let name = self.0.split_whitespace().find_map(|w| w.strip_prefix("dialect="))?;
        let source = |name: &str| shipped(name).map(str::to_owned);
        Dialect::compile(name, &source).ok().map(Arc::new)
    }

    fn stated(&self, key: &str) -> Option<u64> {
        Some(self.number(key, 0)).filter(|number| *number > 0)
    }
}

fn bank(options: &Options<'_>, name: &str, lines: &[u16], sign_on: SignOn, union: bool) -> Bank {
    Bank {
        name: text(name),
        lines: lines.iter().map(|l| LineId(*l)).collect(),
        response_timeout: options.seconds("timeout=", 20),
        window: options.number("window=", 8) as usize,
        breaker: options.stated("breaker=").map(|n| BreakerRule {
            unanswered: n as u32,
            retry: options.seconds("breaker_retry=", 5),
        }),
        waiting_max: options.number("waiting=", 16_384) as usize,
        match_scope: if options.has("line_scope") { MatchScope::Line } else { MatchScope::Bank },
        dialect: options.stated_dialect(),
        follow_up: FollowUpRule {
            original_rrn: options.has("original_rrn"),
            banks_date: options.has("banks_date"),
        },
        reversal: Reversal {
            types: vec![TransactionType::Purchase, TransactionType::PreAuthorization],
            flow: if union { Flow::Request } else { Flow::Advice },
            repeat_mti: !union,
            same_stan: union,
            original_batch: union,
            partial: !union && !options.has("no_partial_reversal"),
            requested: options.has("reverse_requested"),
        },
        codes: codes(options),
        must_echo: if options.has("must_echo") { JUDGED.to_vec() } else { Vec::new() },
        original_lifetime: Duration::from_secs(60),
        saf: Saf {
            borrows: !options.has("slots_only"),
            slots: options.number("slots=", 4) as usize,
            response_timeout: Duration::from_secs(10),
            first_retry: Duration::from_secs(2),
            max_retry: Duration::from_secs(30),
            tries_before_desk: 3,
            live_rate_per_s: options.number("live_rate=", 1_000) as u32,
            advice_lifetime: options.stated("advice_lifetime=").map(Duration::from_secs),
            advice_tries: options.stated("advice_tries=").map(|n| n as u32),
            dead_codes: if options.has("dead_91") { vec![text("91")] } else { vec![] },
        },
        stand_in: None,
        network: Network {
            sign_on,
            keys: false,
            sign_on_retry: Duration::from_secs(5),
            response_timeout: Duration::from_secs(3),
            echo: options
                .has("echo")
                .then_some(Echo { interval: Duration::from_secs(10), missed: 2 }),
        },
        identities: identities(options),
        acquirer: None,
        forwarder: None,
        reconcile_at_cutover: options.has("reconcile"),
        coded_advices: !union && !options.has("uncoded"),
        grants_more: if options.has("fuel") { vec![text("5542")] } else { vec![] },
        completion_percent: 115,
        pin_translation: false,
    }
}

/// What the banks' codes mean: 25 to a further reversal may say that it is done, codes no list has
/// may be declines, 12 to a reversal may say that there is nothing.
fn codes(options: &Options<'_>) -> Codes {
    let decline = options.has("unlisted_decline");
    let done = options.has("not_found_done");
    let named = |word, code, class| options.has(word).then(|| (text(code), class));
    Codes {
        own: named("zz_approves", "ZZ", ResponseClass::Approved).into_iter().collect(),
        to_reversals: named("12_not_found", "12", ResponseClass::NotFound).into_iter().collect(),
        no_action: vec![text("12")],
        unlisted: if decline { Unlisted::Decline } else { Unlisted::Reverse },
        not_found: if done { NotFoundAfterTry::Done } else { NotFoundAfterTry::Desk },
    }
}

/// The switch may decide for alfa: up to 500 each, three or 1000 within a minute.
fn stand_in(options: &Options<'_>) -> Option<StandIn> {
    let limit = StandInLimit { currency: 978, floor: 500, total: 1_000 };
    options.has("stand_in").then(|| StandIn {
        kinds: vec![TransactionType::Purchase],
        never: vec![(text("5105"), text("5105"))],
        window: Duration::from_secs(60),
        count: 3,
        limits: vec![limit],
    })
}

/// Credits stored value; it may have no reversal for that.
fn purse(options: &Options<'_>) -> Bank {
    let mut bank = bank(options, "purse", &[4], SignOn::No, false);
    let types = vec![TransactionType::TopUp];
    bank.reversal.types = if options.has("no_credit_reversal") { vec![] } else { types };
    if options.has("second") {
        bank.reversal.types.push(TransactionType::Purchase);
    }
    bank.response_timeout = options.seconds("purse_timeout=", 20);
    bank.window = options.number("purse_window=", 8) as usize;
    bank
}

fn identities(options: &Options<'_>) -> Identities {
    if !options.has("identities") {
        return Identities::default();
    }
    let identity = Identity {
        acquirer: None,
        merchant: Some(text("SHOP")),
        terminal: Some(text("TERM1")),
        bank_merchant: text("BANKSHOP"),
        bank_terminal: text("BANKTERM"),
    };
    Identities { entries: vec![identity], default: None }
}

fn route(name: &str, low: &str, high: &str, to: u16) -> Route {
    Route {
        name: text(name),
        pan_prefixes: vec![(text(low), text(high))],
        mtis: vec![],
        processing_codes: vec![],
        currencies: vec![],
        amount: None,
        platforms: vec![],
        bank: BankId(to),
        second: None,
        credit: None,
        unreferenced_refunds: true,
    }
}

fn routes(options: &Options<'_>) -> Vec<Route> {
    let second = options.has("second").then_some(BankId(2));
    let visa = Route { second, ..route("visa", "4", "5", 0) };
    let mut routes = vec![route("cup", "62", "62", 1), visa];
    if options.has("topup") {
        let credit = Some(BankId(2));
        routes.insert(0, Route { credit, ..route("topup", "4", "5", 0) });
    }
    if options.has("small_to_purse") {
        let amount = Some((0, 400));
        routes.insert(0, Route { amount, ..route("small", "4", "5", 2) });
    }
    let unreferenced_refunds = !options.has("referenced_refunds_only");
    routes.into_iter().map(|route| Route { unreferenced_refunds, ..route }).collect()
}

/// What `# policy:` may switch.
pub(crate) fn policy(options: &Options<'_>) -> Policy {
    let alfa_signs = if options.has("sign_on") { SignOn::Line } else { SignOn::No };
    let mut terminals = vec![(text("TERM1"), text("SHOP"))];
    terminals.extend(options.has("two_terminals").then(|| (text("TERM2"), text("SHOP"))));
    let terminals = SignOn::Terminals(terminals);
    let platform = Owner::Platform(PlatformId(0));
    let [to_alfa, union, issuer] = [0, 1, 2].map(|bank| Owner::Bank(BankId(bank)));
    let owners = [platform, to_alfa, to_alfa, union, issuer];
    let years = options.has("years");
    let line = |(name, owner): (&&str, Owner)| Line { name: text(name), owner, years };
    let pos = Platform {
        name: text("pos"),
        budget: Duration::from_secs(30),
        margin: Duration::from_secs(1),
        max_in_flight: options.number("cap=", 64) as usize,
        echo: options
            .has("platform_echo")
            .then_some(Echo { interval: Duration::from_secs(5), missed: 2 }),
        idle_limit: options.stated("idle=").map(Duration::from_secs),
        repeat_window: options.seconds("repeat_window=", 600),
        restamps: options.has("restamps"),
        rrn: if options.has("rrn=bank") { RrnRule::Bank } else { RrnRule::Platform },
        desk_items_max: options.number("desk=", 10_000) as usize,
        weight: options.number("weight=", 1) as u32,
    };
    let mut alfa = bank(options, "alfa", &[1, 2], alfa_signs, false);
    alfa.stand_in = stand_in(options);
    Policy {
        hash: 1,
        platforms: vec![pos],
        banks: vec![alfa, bank(options, "union", &[3], terminals, true), purse(options)],
        lines: LINES.iter().zip(owners).map(line).collect(),
        routes: routes(options),
        duplicates: DuplicateWindow {
            age: options.seconds("remember=", 86_400),
            count: options.number("count=", 1_000_000) as usize,
        },
    }
}
