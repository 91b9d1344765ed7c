//! What happens after a bank's STANs have gone round, where stories would take a million lines.

use super::Switch;
use super::ids::{BankId, LineId, PlatformId, RecordNo, SessionId};
use super::input::Input;
use super::output::Output;
use super::policy::{
    Bank, Codes, DuplicateWindow, Identities, Line, MatchScope, Network, Owner, Platform, Policy,
    Reversal, Route, Saf, SignOn,
};
use super::record::Record;
use crate::canonical::{Answer, Canonical, Flow, Kind, OriginalData, ResponseClass};
use crate::meaning::TransactionType;
use crate::money::{Amount, Currency};
use crate::sensitive::Pan;
use crate::text::Text;
use crate::time::{Instant, Now, Wall};
use std::sync::Arc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const DOOR: SessionId = SessionId(1);
const BANK: SessionId = SessionId(2);

fn text<const N: usize>(s: &str) -> Text<N> {
    s.parse().unwrap_or_default()
}

fn platform() -> Platform {
    Platform {
        name: text("pos"),
        budget: 30 * SECOND,
        margin: SECOND,
        max_in_flight: 8,
        echo: None,
        idle_limit: None,
        repeat_window: 600 * SECOND,
        restamps: false,
        rrn: Default::default(),
        desk_items_max: 10_000,
        weight: 1,
    }
}

/// Reversals that keep the STAN of their original.
fn reversal() -> Reversal {
    Reversal {
        types: vec![TransactionType::Purchase],
        flow: Flow::Request,
        repeat_mti: false,
        same_stan: true,
        original_batch: true,
        partial: false,
        requested: false,
    }
}

/// One platform, one bank whose reversals keep the STAN of their original.
fn policy() -> Policy {
    let bank = Bank {
        name: text("union"),
        lines: vec![LineId(1)],
        response_timeout: 20 * SECOND,
        window: 8,
        waiting_max: 16_384,
        breaker: None,
        match_scope: MatchScope::Bank,
        must_echo: vec![],
        codes: Codes::default(),
        stand_in: None,
        dialect: None,
        follow_up: Default::default(),
        reversal: reversal(),
        original_lifetime: 60 * SECOND,
        saf: Saf {
            borrows: true,
            slots: 4,
            response_timeout: 10 * SECOND,
            first_retry: 2 * SECOND,
            max_retry: 30 * SECOND,
            tries_before_desk: 3,
            live_rate_per_s: 1_000,
            advice_lifetime: None,
            advice_tries: None,
            dead_codes: vec![],
        },
        network: Network {
            sign_on: SignOn::No,
            keys: false,
            sign_on_retry: SECOND,
            response_timeout: SECOND,
            echo: None,
        },
        identities: Identities::default(),
        acquirer: None,
        forwarder: None,
        reconcile_at_cutover: false,
        coded_advices: true,
        grants_more: Vec::new(),
        completion_percent: 100,
        pin_translation: false,
    };
    let door = Line { name: text("door"), owner: Owner::Platform(PlatformId(0)), years: false };
    let line = Line { name: text("union"), owner: Owner::Bank(BankId(0)), years: false };
    Policy {
        hash: 1,
        platforms: vec![platform()],
        banks: vec![bank],
        lines: vec![door, line],
        routes: vec![Route {
            name: text("all"),
            pan_prefixes: vec![],
            mtis: vec![],
            processing_codes: vec![],
            currencies: vec![],
            amount: None,
            platforms: vec![],
            bank: BankId(0),
            second: None,
            credit: None,
            unreferenced_refunds: true,
        }],
        duplicates: DuplicateWindow { age: 86_400 * SECOND, count: 1_000 },
    }
}

/// The switch, a journal that is durable at once and a gate that is always open.
struct Bench {
    switch: Switch,
    now: Instant,
    journal: Vec<Record>,
    /// What left for the bank.
    at_bank: Vec<Canonical>,
}

impl Bench {
    fn new() -> Self {
        let switch = Switch::new(Arc::new(policy()), 1);
        let mut bench = Self { switch, now: Instant::default(), journal: vec![], at_bank: vec![] };
        bench.switch.start(bench.time());
        bench.settle();
        for (line, session) in [(0, DOOR), (1, BANK)] {
            bench.feed(Input::LineUp { line: LineId(line), session });
        }
        bench
    }

    fn time(&self) -> Now {
        let millis = i64::try_from(self.now.nanos() / 1_000_000).unwrap_or_default();
        Now { mono: self.now, wall: Wall::from_millis(1_795_305_600_000 + millis) }
    }

    fn feed(&mut self, input: Input) {
        self.switch.handle(self.time(), input);
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(output) = self.switch.poll() {
            match output {
                Output::Append(_, record) => self.journal.push(*record),
                Output::Send(send) => {
                    if send.session == BANK {
                        self.at_bank.push((*send.msg).clone());
                    }
                    self.switch.handle(self.time(), Input::Released { id: send.id });
                }
                Output::Recall { ticket, key } => {
                    let numbered = (1..).map(RecordNo).zip(&self.journal).collect::<Vec<_>>();
                    let found = super::library::search(&key, &numbered);
                    self.switch.handle(self.time(), Input::Recalled { ticket, found });
                }
                Output::Cancel { .. }
                | Output::Close { .. }
                | Output::Nonsense { .. }
                | Output::Event(_) => {}
            }
        }
    }

    fn says(&mut self, session: SessionId, msg: Canonical) {
        let (received, msg) = (self.now, Box::new(msg));
        self.feed(Input::Message { session, received, msg });
    }

    fn request(kind: Kind, stan: u32, pan: &str) -> Canonical {
        let flow = if kind.family() == 4 { Flow::Advice } else { Flow::Request };
        let mut msg = Canonical::new(kind, flow);
        msg.mti = Some(text(if kind.family() == 4 { "0420" } else { "0200" }));
        msg.stan = Some(stan);
        msg.pan = Pan::new(pan.as_bytes()).ok();
        msg.transmission = Some(text("1122000000"));
        msg.amount = Currency::new(156).map(|currency| Amount::new(100, currency));
        msg
    }

    /// A purchase that the bank approves.
    fn purchase(&mut self, stan: u32, pan: &str) -> u32 {
        self.says(DOOR, Self::request(Kind::Transaction(TransactionType::Purchase), stan, pan));
        let sent = self.at_bank.last().and_then(|msg| msg.stan).unwrap_or_default();
        self.bank_says(Kind::Transaction(TransactionType::Purchase), sent);
        sent
    }

    fn bank_says(&mut self, kind: Kind, stan: u32) {
        let mut answer = Canonical::new(kind, Flow::Response);
        answer.stan = Some(stan);
        answer.answer = Some(Answer::Given { class: ResponseClass::Approved, code: text("00") });
        self.says(BANK, answer);
    }

    fn reverse(&mut self, stan: u32, original: u32, pan: &str) {
        let kind = Kind::Reversal(TransactionType::Purchase);
        let mut msg = Self::request(kind, stan, pan);
        msg.original = Some(OriginalData {
            mti: Some(text("0200")),
            stan: Some(original),
            transmission: Some(text("1122000000")),
            ..OriginalData::default()
        });
        self.says(DOOR, msg);
    }

    fn owed(&self) -> Vec<RecordNo> {
        self.switch.state.saf.keys().copied().collect()
    }
}

#[test]
fn two_reversals_under_one_number_go_one_after_the_other() {
    let mut bench = Bench::new();
    let first = bench.purchase(1, "6250946000000016");
    // The numbers go round.
    bench.switch.state.banks.iter_mut().for_each(|bank| bank.stans.continue_at(first));
    let second = bench.purchase(2, "6250947000000014");
    assert_eq!(first, second, "the second purchase has the number of the first");

    bench.reverse(3, 1, "6250946000000016");
    bench.reverse(4, 2, "6250947000000014");
    let owed = bench.owed();
    assert_eq!(owed.len(), 2);
    let cards = |bench: &Bench| -> Vec<Option<Pan>> {
        let reversals = bench.at_bank.iter().filter(|msg| msg.kind.family() == 4);
        reversals.map(|msg| msg.pan.clone()).collect()
    };
    let card = |pan: &str| Pan::new(pan.as_bytes()).ok();
    assert_eq!(cards(&bench), [card("6250946000000016")], "the second waits");

    let reversal = Kind::Reversal(TransactionType::Purchase);
    bench.bank_says(reversal, first);
    assert_eq!(bench.owed(), owed[1..], "the answer closed the first");
    assert_eq!(cards(&bench), [card("6250946000000016"), card("6250947000000014")]);
    bench.bank_says(reversal, first);
    assert!(bench.owed().is_empty(), "its own answer closed the second");
}
