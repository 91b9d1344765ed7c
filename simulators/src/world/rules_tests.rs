//! The judge's own test: good ledgers please it, and each doctored one is named by exactly the
//! invariant it breaks.

use super::{Invariant, World, join};
use crate::bank::business::Business;
use crate::bank::ledger::{Entry, Key, Seen};
use crate::platform::ledger::{End, Request, Reversal, Stray, Why};
use pointsman::canonical::{Flow, Kind, Reason, ResponseClass, TransactionType};
use pointsman::money::{Amount, Currency};
use pointsman::switch::ids::RecordNo;
use pointsman::switch::record::*;
use pointsman::text::Text;
use pointsman::time::Wall;
use std::sync::Arc;

const F7: &str = "1122123000";
const AT: Wall = Wall::from_millis(0);

/// The ledgers of one small world, owned.
#[derive(Clone, Default)]
struct Ledgers {
    requests: Vec<Request>,
    strays: Vec<Stray>,
    banks: Vec<Entry>,
    journal: Vec<(u64, Record)>,
}

fn text<const N: usize>(value: &str) -> Text<N> {
    value.parse().unwrap_or_default()
}

fn money(minor: u64) -> Option<Amount> {
    Currency::new(840).map(|currency| Amount::new(minor, currency))
}

impl Ledgers {
    fn record(&mut self, record: Record) -> u64 {
        let no = self.journal.last().map_or(0, |(no, _)| *no) + 1;
        self.journal.push((no, record));
        no
    }

    fn intent(&mut self, stan: u32) -> u64 {
        self.intent_of(stan, stan)
    }

    /// An intent for what the platform calls `asked`, under our number `stan`.
    fn intent_of(&mut self, asked: u32, stan: u32) -> u64 {
        let terminal = Some(text("TERM0001"));
        let transmission = Some(text(F7));
        let origin = Origin { stan: asked, transmission, terminal, ..Origin::default() };
        let (platform, bank) = ((text("shop"), origin), (text("river"), keys(stan)));
        let intent = Intent::bare(AT, platform, bank, (None, money(1_000)));
        self.record(Record::Intent(Arc::new(intent)))
    }

    fn outcome(&mut self, txn: u64, leg: Leg) {
        let approved = leg == Leg::Approved;
        self.record(Record::Outcome(Outcome {
            class: approved.then_some(ResponseClass::Approved),
            auth_id: approved.then(|| text("000001")),
            amount: money(1_000),
            ..Outcome::bare(RecordNo(txn), AT, leg)
        }));
    }

    fn queued(&mut self, txn: u64, stan: u32, owed: Owed) -> u64 {
        self.record(Record::Queued(Arc::new(Queued {
            txn: Some(RecordNo(txn)),
            original: keys(stan),
            amount: money(1_000),
            ..Queued::bare(
                AT,
                text("river"),
                (owed, Kind::Reversal(TransactionType::Purchase), Flow::Advice),
                Reason::Timeout,
                keys(stan + 100),
            )
        })))
    }

    fn closed(&mut self, entry: u64) {
        self.record(Record::Closed(Closed::bare(RecordNo(entry), AT, Ending::Acknowledged)));
    }

    fn asked(&mut self, stan: u32, code: &str) -> &mut Request {
        let request = request(stan, code);
        self.requests.push(request);
        let last = self.requests.len() - 1;
        &mut self.requests[last]
    }

    fn booked(&mut self, stan: u32, mti: &str, signed: i64) {
        let no = self.banks.len() as u64 + 1;
        self.banks.push(entry(no, stan, mti, signed));
    }

    /// The violations, each once.
    fn named(&self) -> Vec<Invariant> {
        let mut named: Vec<_> =
            self.verdict().violations.iter().map(|violation| violation.invariant).collect();
        named.dedup();
        named
    }

    fn verdict(&self) -> super::Verdict {
        join(&World {
            requests: &self.requests,
            strays: &self.strays,
            banks: &self.banks,
            journal: &self.journal,
        })
    }

    /// A record takes its number with it when it vanishes; in its place stands a hint.
    fn lose(&mut self, lost: impl Fn(&Record) -> bool) {
        for (_, record) in self.journal.iter_mut().filter(|(_, record)| lost(record)) {
            *record = Record::Released(RecordNo(0));
        }
    }

    fn find(&mut self, wanted: impl Fn(&Record) -> bool) -> &mut Record {
        let at = self.journal.iter().position(|(_, record)| wanted(record));
        &mut self.journal[at.unwrap_or(0)].1
    }
}

fn keys(stan: u32) -> BankKeys {
    let transmission = Some(text(F7));
    BankKeys { stan, transmission, terminal: Some(text("TERM0001")), ..BankKeys::default() }
}

fn request(stan: u32, code: &str) -> Request {
    Request {
        no: u64::from(stan),
        business: Business::Purchase,
        mti: "0200".to_owned(),
        stan: format!("{stan:06}"),
        transmission: F7.to_owned(),
        rrn: format!("{stan:012}"),
        terminal: "TERM0001".to_owned(),
        pan: "411111******1111".to_owned(),
        amount: 1_000,
        currency: "840".to_owned(),
        intended_ms: 0,
        end: End::Answered,
        code: Some(code.to_owned()),
        auth_id: (code == "00").then(|| "000001".to_owned()),
        answered_amount: Some(1_000),
        answers: 1,
        late_answers: 0,
        contradiction: None,
        repeats: 0,
        reversal: None,
    }
}

fn entry(no: u64, stan: u32, mti: &str, signed: i64) -> Entry {
    let reversal = mti.starts_with("04");
    Entry {
        no,
        at_ms: 0,
        bank: "river".to_owned(),
        business: if reversal { Business::Reversal } else { Business::Purchase },
        seen: Seen::First,
        mti: mti.to_owned(),
        key: Key {
            stan: format!("{stan:06}"),
            moment: F7.to_owned(),
            terminal: "TERM0001".to_owned(),
        },
        stan: format!("{:06}", if reversal { stan + 100 } else { stan }),
        rrn: String::new(),
        pan: None,
        amount: 1_000,
        asked: 0,
        currency: "840".to_owned(),
        settlement_date: "1122".to_owned(),
        code: if signed == 0 { "51" } else { "00" }.to_owned(),
        auth_id: None,
        signed,
    }
}

/// 1 approved, 2 declined, 3 timed out and reversed, 4 the same with a late approval, 5 approved
/// and taken back by the platform.
fn good() -> Ledgers {
    let mut w = Ledgers::default();
    let one = w.intent(1);
    w.outcome(one, Leg::Approved);
    w.asked(1, "00");
    w.booked(1, "0200", 1_000);
    let two = w.intent(2);
    w.outcome(two, Leg::Declined);
    w.asked(2, "51");
    w.booked(2, "0200", 0);
    for stan in [3, 4] {
        let txn = w.intent(stan);
        let chain = w.queued(txn, stan, Owed::OwnReversal);
        w.outcome(txn, Leg::SentUnknown);
        w.asked(stan, "68");
        w.booked(stan, "0200", 1_000);
        w.booked(stan, "0420", -1_000);
        w.closed(chain);
    }
    let five = w.intent(5);
    w.outcome(five, Leg::Approved);
    let chain = w.queued(five, 5, Owed::PlatformReversal);
    let taken_back = w.asked(5, "00");
    taken_back.reversal = Some(Reversal {
        why: Why::Customer,
        stan: "000900".to_owned(),
        transmission: F7.to_owned(),
        tries: 1,
        acknowledged: Some("00".to_owned()),
    });
    w.booked(5, "0200", 1_000);
    w.booked(5, "0420", -1_000);
    w.closed(chain);
    w
}

fn is_queued_for(record: &Record, txn: u64) -> bool {
    matches!(record, Record::Queued(q) if q.txn == Some(RecordNo(txn)))
}

#[test]
fn good_ledgers_please() {
    let verdict = good().verdict();
    assert_eq!(verdict.violations, []);
    assert!(verdict.difference.values().all(|gap| *gap == 0));
    assert_eq!(verdict.unknown_left, 0);
}

#[test]
fn i1_an_intent_without_outcome_or_an_obligation_without_end() {
    let mut w = good();
    w.lose(|r| matches!(r, Record::Outcome(o) if o.leg == Leg::Declined));
    assert_eq!(w.named(), [Invariant::I1]);
    let mut w = good();
    let Some((Record::Closed(first), no)) = w
        .journal
        .iter()
        .find_map(|(no, r)| matches!(r, Record::Closed(_)).then(|| (r.clone(), *no)))
    else {
        return;
    };
    w.journal.push((no + 1_000, Record::Closed(first)));
    assert_eq!(w.named(), [Invariant::I1]);
}

#[test]
fn i2_an_approval_the_journal_tells_otherwise() {
    let mut w = good();
    if let Record::Outcome(outcome) = w.find(|r| matches!(r, Record::Outcome(_))) {
        outcome.auth_id = Some(text("999999"));
    }
    assert_eq!(w.named(), [Invariant::I2]);
    let mut w = good();
    if let Record::Outcome(outcome) = w.find(|r| matches!(r, Record::Outcome(_))) {
        outcome.amount = money(999);
    }
    assert_eq!(w.named(), [Invariant::I2]);
}

#[test]
fn i3_a_bank_saw_what_was_never_intended() {
    let mut w = good();
    w.booked(77, "0200", 1_000);
    assert_eq!(w.named(), [Invariant::I3]);
    assert_eq!(w.verdict().difference.get("840"), Some(&1_000));
    let mut w = good();
    w.booked(2, "0420", 0);
    assert_eq!(w.named(), [Invariant::I3]);
}

#[test]
fn i4_a_reversal_was_dropped() {
    let mut w = good();
    w.banks.retain(|e| !(e.mti == "0420" && e.key.stan == "000003"));
    assert_eq!(w.named(), [Invariant::I4]);
    let mut w = good();
    let txn = w.journal.iter().find(|(_, r)| matches!(r, Record::Queued(_)));
    let txn = txn.map_or(0, |(no, _)| no - 1);
    let chain = txn + 1;
    w.lose(|r| is_queued_for(r, txn) || matches!(r, Record::Closed(c) if c.entry.0 == chain));
    w.banks.retain(|e| !(e.mti == "0420" && e.key.stan == "000003"));
    assert_eq!(w.named(), [Invariant::I4]);
}

#[test]
fn i5_what_the_platform_has_was_reversed() {
    let mut w = good();
    let chain = w.queued(1, 1, Owed::OwnReversal);
    w.closed(chain);
    w.booked(1, "0420", -1_000);
    assert_eq!(w.named(), [Invariant::I5]);
}

#[test]
fn i6_an_original_twice_or_a_repeat_that_hides() {
    let mut w = good();
    w.banks.push(Entry { seen: Seen::Repeat, ..entry(90, 1, "0200", 0) });
    assert_eq!(w.named(), [Invariant::I6]);
    let mut w = good();
    w.banks.push(Entry { seen: Seen::Repeat, ..entry(90, 3, "0420", 0) });
    assert_eq!(w.named(), [Invariant::I6]);
    let mut w = good();
    w.banks.push(Entry { seen: Seen::Repeat, ..entry(90, 3, "0421", 0) });
    assert_eq!(w.named(), []);
}

#[test]
fn i7_an_answer_went_astray() {
    let mut w = good();
    w.strays.push(Stray {
        mti: "0210".to_owned(),
        stan: "000055".to_owned(),
        transmission: F7.to_owned(),
        code: "00".to_owned(),
    });
    assert_eq!(w.named(), [Invariant::I7]);
    let mut w = good();
    w.requests[1].contradiction = Some("F41 is another request's".to_owned());
    assert_eq!(w.named(), [Invariant::I7]);
}

#[test]
fn i8_a_living_key_was_given_again() {
    let mut w = Ledgers::default();
    let first = w.intent(1);
    let second = w.intent_of(2, 1);
    w.outcome(first, Leg::Declined);
    w.outcome(second, Leg::Declined);
    assert_eq!(w.named(), [Invariant::I8]);
    let mut w = Ledgers::default();
    for asked in 1..3 {
        let txn = w.intent_of(asked, 1);
        w.outcome(txn, Leg::Declined);
    }
    assert_eq!(w.named(), []);
}

#[test]
fn i6_an_original_was_sent_under_two_numbers() {
    let mut w = Ledgers::default();
    for stan in 1..3 {
        let txn = w.intent_of(1, stan);
        w.outcome(txn, Leg::Declined);
    }
    assert_eq!(w.named(), [Invariant::I6]);
}

#[test]
fn i9_the_bank_booked_another_amount() {
    let mut w = good();
    w.banks[0].signed = 1_100;
    assert_eq!(w.named(), [Invariant::I9]);
    assert_eq!(w.verdict().difference.get("840"), Some(&100));
}

#[test]
fn what_stands_on_the_desk_is_open_and_known() {
    let mut w = good();
    let txn = w.intent(6);
    w.outcome(txn, Leg::Approved);
    w.asked(6, "00").end = End::InFlight;
    w.booked(6, "0200", 1_000);
    assert_eq!(w.named(), [Invariant::I4]);
    let (item, at) = (RecordNo(txn), AT);
    w.record(Record::Desk(Desk::put(item, at, None)));
    let verdict = w.verdict();
    assert_eq!((verdict.violations, verdict.unknown_left), (vec![], 1));
    assert_eq!((verdict.open.get("840"), verdict.difference.get("840")), (Some(&1_000), Some(&0)));
}
