//! The set-up of every simulated world: two platforms, two unlike banks, three bank lines.
//!
//! `east` speaks like a 1987 host: two lines, answers may come on either, reversals are advices
//! with a STAN of their own and a repeat MTI. `west` speaks like a UnionPay host: one line with
//! a terminal that signs in, reversals keep the STAN, not every type has one.

use super::wire::text;
use pointsman::canonical::{Flow, TransactionType};
use pointsman::switch::ids::{BankId, LineId, PlatformId};
use pointsman::switch::policy::{
    Bank, BreakerRule, Codes, DuplicateWindow, Echo, Identities, Line, MatchScope, Network, Owner,
    Platform, Policy, Reversal, Route, Saf, SignOn,
};
use std::time::Duration;

/// How long a platform waits for the switch.
pub const BUDGET: Duration = Duration::from_secs(30);
/// What of it is kept for the way back.
pub const MARGIN: Duration = Duration::from_secs(2);
/// How long an original may be on its way to a bank.
pub const LIFETIME: Duration = Duration::from_secs(60);
/// Age beyond which requests are stale.
pub const WINDOW_AGE: Duration = Duration::from_secs(900);
/// Merchant and terminal as `west` knows them.
pub const WEST_MERCHANT: &str = "WESTMERCHANT001";
/// The one terminal of the line to `west`.
pub const WEST_TERMINAL: &str = "WTERM001";

/// What the completions of a hold may come to at every bank, in percent of it.
pub const COMPLETION_PERCENT: u64 = 115;

/// Lines to banks, in the order of [`policy`]: the bank of each.
pub const BANK_LINES: [usize; 3] = [0, 0, 1];
/// The bank that hands out working keys at sign-ons.
pub const KEYED_BANK: usize = 1;
/// The bank that hears what the bytes say.
pub const SPELLED_BANK: usize = 0;
/// How many platforms, each with one door behind the bank lines.
pub const PLATFORMS: usize = 2;
/// Names of the banks.
pub const BANKS: [&str; 2] = ["east", "west"];
/// Top-ups debit at the first bank and credit at this one.
pub const CREDIT_BANK: usize = 1;
/// Names of the platforms.
pub const PLATFORM_NAMES: [&str; PLATFORMS] = ["north", "south"];
/// Names of the lines.
pub const LINES: [&str; 5] = ["east-1", "east-2", "west-1", "north-door", "south-door"];

const SECOND: Duration = Duration::from_secs(1);

/// The policy all worlds share.
pub fn policy() -> Policy {
    let owner = |at: usize| match BANK_LINES.get(at) {
        Some(bank) => Owner::Bank(BankId(*bank as u16)),
        None => Owner::Platform(PlatformId((at - BANK_LINES.len()) as u16)),
    };
    let lines = LINES.iter().enumerate();
    Policy {
        hash: 1,
        platforms: PLATFORM_NAMES.iter().map(|name| platform(name)).collect(),
        banks: vec![east(), west()],
        lines: lines
            .map(|(at, name)| Line { name: text(name), owner: owner(at), years: false })
            .collect(),
        routes: vec![
            Route { credit: Some(BankId(CREDIT_BANK as u16)), ..route("top-up", &[], 0) },
            route("union", &[("62", "62")], 1),
            route("rest", &[], 0),
        ],
        duplicates: DuplicateWindow { age: WINDOW_AGE, count: 100_000 },
    }
}

fn platform(name: &str) -> Platform {
    let max_in_flight = 64;
    Platform {
        name: text(name),
        budget: BUDGET,
        margin: MARGIN,
        max_in_flight,
        echo: None,
        idle_limit: None,
        repeat_window: Duration::from_secs(600),
        restamps: false,
        rrn: Default::default(),
        desk_items_max: 10_000,
        weight: 1,
    }
}

fn route(name: &str, prefixes: &[(&str, &str)], bank: u16) -> Route {
    Route {
        name: text(name),
        pan_prefixes: prefixes.iter().map(|(low, high)| (text(low), text(high))).collect(),
        mtis: vec![],
        processing_codes: vec![],
        currencies: vec![],
        amount: None,
        platforms: vec![],
        bank: BankId(bank),
        second: None,
        credit: None,
        unreferenced_refunds: true,
    }
}

fn east() -> Bank {
    let reversal = Reversal {
        types: TransactionType::ALL.to_vec(),
        flow: Flow::Advice,
        repeat_mti: true,
        same_stan: false,
        original_batch: false,
        partial: true,
        requested: false,
    };
    Bank {
        name: text(BANKS[0]),
        lines: vec![LineId(0), LineId(1)],
        match_scope: MatchScope::Bank,
        dialect: super::pen::dialect(),
        reversal,
        network: network(SignOn::Line),
        ..bank()
    }
}

fn west() -> Bank {
    let reversal = Reversal {
        types: vec![
            TransactionType::Purchase,
            TransactionType::PreAuthorization,
            TransactionType::Completion,
            TransactionType::Void,
            TransactionType::TopUp,
        ],
        flow: Flow::Request,
        repeat_mti: false,
        same_stan: true,
        original_batch: true,
        partial: false,
        requested: false,
    };
    let (merchant, terminal) = (text(WEST_MERCHANT), text(WEST_TERMINAL));
    let sign_on = SignOn::Terminals(vec![(terminal, merchant)]);
    Bank {
        name: text(BANKS[1]),
        lines: vec![LineId(2)],
        match_scope: MatchScope::Line,
        reversal,
        network: Network { keys: true, ..network(sign_on) },
        identities: Identities { entries: vec![], default: Some((merchant, terminal)) },
        ..bank()
    }
}

/// What both banks have in common.
fn bank() -> Bank {
    Bank {
        name: text(""),
        lines: vec![],
        response_timeout: 15 * SECOND,
        window: 6,
        waiting_max: 8,
        breaker: Some(BreakerRule { unanswered: 3, retry: 4 * SECOND }),
        match_scope: MatchScope::Bank,
        dialect: None,
        follow_up: Default::default(),
        reversal: Reversal {
            types: vec![],
            flow: Flow::Advice,
            repeat_mti: false,
            same_stan: false,
            original_batch: false,
            partial: false,
            requested: false,
        },
        original_lifetime: LIFETIME,
        must_echo: Vec::new(),
        codes: Codes::default(),
        stand_in: None,
        saf: Saf {
            slots: 3,
            borrows: true,
            response_timeout: 8 * SECOND,
            first_retry: 4 * SECOND,
            max_retry: 30 * SECOND,
            tries_before_desk: 6,
            live_rate_per_s: 50,
            advice_lifetime: None,
            advice_tries: None,
            dead_codes: vec![],
        },
        network: network(SignOn::No),
        identities: Identities::default(),
        acquirer: Some(text("00700000")),
        forwarder: None,
        reconcile_at_cutover: false,
        coded_advices: true,
        grants_more: Vec::new(),
        completion_percent: COMPLETION_PERCENT,
        pin_translation: false,
    }
}

fn network(sign_on: SignOn) -> Network {
    Network {
        sign_on,
        keys: false,
        sign_on_retry: 4 * SECOND,
        response_timeout: 6 * SECOND,
        echo: Some(Echo { interval: 15 * SECOND, missed: 2 }),
    }
}
