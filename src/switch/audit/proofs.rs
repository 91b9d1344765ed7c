//! The auditor's own test: a story it is content with, doctored once per rule.

use super::{Auditor, OpenWhat, Report, Totals, Violation};
use crate::meaning::{Flow, Kind, Reason, TransactionType};
use crate::money::{Amount, Currency};
use crate::switch::ids::RecordNo;
use crate::switch::input::DeskVerb;
use crate::switch::record::*;
use crate::time::Wall;
use std::sync::Arc;

fn amount() -> Option<Amount> {
    Currency::new(978).map(|c| Amount::new(100, c))
}

fn keys(stan: u32) -> BankKeys {
    BankKeys { stan, ..BankKeys::default() }
}

pub(super) fn intent(stan: u32) -> Record {
    asked(stan, stan)
}

/// A request of this STAN of the platform under this one of ours.
pub(in crate::switch) fn asked(theirs: u32, stan: u32) -> Record {
    let origin = Origin { stan: theirs, ..Origin::default() };
    let platform = ("pos".parse().unwrap_or_default(), origin);
    let bank = ("alfa".parse().unwrap_or_default(), keys(stan));
    Record::Intent(Arc::new(Intent::bare(Wall::default(), platform, bank, (None, amount()))))
}

pub(super) fn outcome(txn: u64, leg: Leg) -> Record {
    let bare = Outcome::bare(RecordNo(txn), Wall::default(), leg);
    Record::Outcome(Outcome { amount: amount(), ..bare })
}

pub(super) fn reversal(txn: u64, stan: u32, owed: Owed) -> Record {
    Record::Queued(Arc::new(Queued {
        txn: Some(RecordNo(txn)),
        original: keys(1),
        amount: amount(),
        ..Queued::bare(
            Wall::default(),
            "alfa".parse().unwrap_or_default(),
            (owed, Kind::Reversal(TransactionType::Purchase), Flow::Advice),
            Reason::Timeout,
            keys(stan),
        )
    }))
}

pub(super) fn closed(entry: u64) -> Record {
    closed_as(entry, Ending::Acknowledged)
}

fn closed_as(entry: u64, ending: Ending) -> Record {
    Record::Closed(Closed::bare(RecordNo(entry), Wall::default(), ending))
}

fn attempt(entry: u64, count: u32) -> Record {
    Record::Attempt(Attempt {
        entry: RecordNo(entry),
        at: Wall::default(),
        count,
        date: None,
        batch: None,
    })
}

/// 1–2 approved and told; 4–7 unknown, reversed; 8–11 approved, told and taken back.
pub(super) fn story() -> Vec<Record> {
    vec![
        intent(1),
        outcome(1, Leg::Approved),
        Record::Answered(RecordNo(1)),
        intent(2),
        reversal(4, 3, Owed::OwnReversal),
        outcome(4, Leg::SentUnknown),
        closed(5),
        intent(4),
        outcome(8, Leg::Approved),
        Record::Answered(RecordNo(8)),
        reversal(8, 5, Owed::PlatformReversal),
        closed(11),
    ]
}

pub(super) fn judge(story: &[Record]) -> Report {
    let mut auditor = Auditor::new();
    for (at, record) in (1..).zip(story) {
        auditor.see(RecordNo(at), record);
    }
    auditor.finish()
}

#[test]
fn an_honest_story_has_no_violation_and_its_sums_agree() {
    let report = judge(&story());
    assert_eq!(report.violations, []);
    assert_eq!(report.open, []);
    let totals: Vec<_> = report.totals.values().collect();
    assert_eq!(totals.len(), 1);
    assert_eq!((totals[0].at_banks, totals[0].taken_back, totals[0].difference()), (200, 100, 0));
}

/// The same reversal, leaving so much.
fn leaving(reversal: Record, minor: u64) -> Record {
    let Record::Queued(mut queued) = reversal else { return reversal };
    let left = amount().map(|whole| Amount::new(minor, whole.currency));
    Arc::make_mut(&mut queued).replacement = left;
    Record::Queued(queued)
}

#[test]
fn a_partial_reversal_takes_back_a_part_and_a_further_one_the_rest() {
    let mut story = vec![
        intent(1),
        outcome(1, Leg::Approved),
        Record::Answered(RecordNo(1)),
        leaving(reversal(1, 2, Owed::PlatformReversal), 70),
        closed(4),
    ];
    let sums = |story: &[Record]| {
        let report = judge(story);
        assert_eq!((report.violations, report.open), (vec![], vec![]));
        let sums = report.totals.values().map(|t| (t.taken_back, t.returned, t.difference()));
        sums.collect::<Vec<_>>()
    };
    assert_eq!(sums(&story), [(30, 30, 0)]);
    story.extend([leaving(reversal(1, 3, Owed::PlatformReversal), 90), closed(6)]);
    assert_eq!(sums(&story), [(30, 30, 0)], "more is left than there was");
    story.extend([reversal(1, 4, Owed::PlatformReversal), closed(8)]);
    assert_eq!(sums(&story), [(100, 100, 0)]);
}

#[test]
fn each_doctored_story_breaks_its_rule() {
    let (no, txn) = (RecordNo, RecordNo);
    type Doctor = fn(&mut Vec<Record>);
    let cases: [(Doctor, Violation); 13] = [
        (|s| s[1] = outcome(3, Leg::Approved), Violation::StrayOutcome { no: no(2), txn: txn(3) }),
        (
            |s| s[4] = Record::Released(RecordNo(4)),
            Violation::DebtNotQueued { no: no(6), txn: txn(4) },
        ),
        (
            |s| s[6] = reversal(4, 9, Owed::OwnReversal),
            Violation::SecondChain { no: no(7), txn: txn(4) },
        ),
        (
            |s| s[10] = reversal(8, 5, Owed::OwnReversal),
            Violation::GrantReversed { no: no(11), txn: txn(8) },
        ),
        (
            |s| {
                let Record::Intent(intent) = &s[3] else { return };
                let owes = Debt::Desk;
                s[3] = Record::Intent(Arc::new(Intent { owes, ..Intent::clone(intent) }));
            },
            Violation::NotReversible { no: no(5), txn: txn(4) },
        ),
        (|s| s[7] = intent(2), Violation::StanShared { no: no(8), stan: 2, holder: txn(4) }),
        (|s| s[6] = closed(99), Violation::StrayEntry { no: no(7), entry: no(99) }),
        (|s| s[7] = intent(2), Violation::SentTwice { no: no(8), txn: txn(4) }),
        (
            |s| drop(s.splice(6..6, [attempt(5, 1), attempt(5, 1)])),
            Violation::TryCountedTwice { no: no(8), entry: no(5), count: 1, known: 1 },
        ),
        (
            |s| s[11] = closed_as(11, Ending::Needless),
            Violation::MoneyLeft { no: no(12), txn: txn(8) },
        ),
        (
            |s| s[11] = closed_as(11, Ending::NoOriginal),
            Violation::MoneyLeft { no: no(12), txn: txn(8) },
        ),
        (
            |s| s.insert(7, reversal(4, 9, Owed::OwnReversal)),
            Violation::SecondChain { no: no(8), txn: txn(4) },
        ),
        (
            |s| s[6] = Record::Answered(RecordNo(4)),
            Violation::NotGranted { no: no(7), txn: txn(4) },
        ),
    ];
    for (doctor, expected) in cases {
        let mut story = story();
        doctor(&mut story);
        assert!(judge(&story).violations.contains(&expected), "{expected} was not found");
    }
    let mut auditor = Auditor::new();
    auditor.see(RecordNo(1), &intent(1));
    let gap = Violation::Gap { last: RecordNo(1), got: RecordNo(3) };
    assert_eq!(auditor.see(RecordNo(3), &intent(2)), [gap]);
}

#[test]
fn what_is_not_settled_is_open() {
    let report = judge(&[intent(1), intent(2), outcome(2, Leg::Approved)]);
    let open: Vec<_> = report.open.iter().map(|item| (item.item.0, item.what)).collect();
    assert_eq!(open, [(1, OpenWhat::AtBank), (2, OpenWhat::Undelivered)]);
}

/// An advice that is refused, sent again by an operator, and taken.
pub(super) fn letter() -> Vec<Record> {
    let Record::Queued(queued) = reversal(4, 9, Owed::Repeat) else { return vec![] };
    let (item, at) = (RecordNo(1), Wall::default());
    let (operator, verb) = (Some("anna".parse().unwrap_or_default()), Some(DeskVerb::Resend));
    let kind = Kind::Transaction(TransactionType::Purchase);
    vec![
        Record::Queued(Arc::new(Queued { txn: None, kind, ..Queued::clone(&queued) })),
        attempt(1, 1),
        closed_as(1, Ending::Dead),
        Record::Desk(Desk { operator, verb, ..Desk::put(item, at, None) }),
        attempt(1, 2),
        closed(1),
    ]
}

#[test]
fn a_dead_letter_is_sent_again_only_by_an_operator() {
    let report = judge(&letter());
    assert_eq!((report.violations, report.open), (vec![], vec![]));
    assert_eq!(
        report.totals.values().map(|t| (t.advices, t.advised)).collect::<Vec<_>>(),
        [(1, 100)]
    );
    let mut alone = letter();
    alone[3] = Record::Released(RecordNo(1));
    let entry = RecordNo(1);
    let stray = |no| Violation::StrayEntry { no: RecordNo(no), entry };
    assert_eq!(judge(&alone).violations, [stray(5), stray(6)]);
    alone.truncate(4);
    assert_eq!(
        judge(&alone).open.iter().map(|o| o.what).collect::<Vec<_>>(),
        [OpenWhat::DeadLetter]
    );
}

#[test]
fn what_came_before_the_first_record_is_not_judged() {
    let mut auditor = Auditor::bounded(10);
    assert_eq!(auditor.see(RecordNo(100), &outcome(90, Leg::Approved)), []);
    assert_eq!(auditor.see(RecordNo(101), &closed(91)), []);
    let entry = RecordNo(100);
    let stray = Violation::StrayEntry { no: RecordNo(102), entry };
    assert_eq!(auditor.see(RecordNo(102), &closed(100)), [stray]);
}

fn advice(txn: u64, stan: u32) -> Record {
    let Record::Queued(queued) = reversal(txn, stan, Owed::Repeat) else {
        return Record::Released(RecordNo(txn));
    };
    let mut queued = Queued::clone(&queued);
    queued.kind = Kind::Transaction(TransactionType::Purchase);
    queued.original = BankKeys::default();
    queued.reason = Reason::BankDown;
    Record::Queued(Arc::new(queued))
}

#[test]
fn what_was_stood_in_for_counts_at_the_bank_once_its_advice_is_there() {
    let told = |end: usize| {
        let story = [
            intent(1),
            advice(1, 1),
            outcome(1, Leg::StoodIn),
            Record::Answered(RecordNo(1)),
            closed(2),
            reversal(1, 2, Owed::PlatformReversal),
            closed(6),
        ];
        let report = judge(&story[..end]);
        assert_eq!(report.violations, []);
        let sums = |t: &Totals| (t.granted, t.at_banks, t.taken_back, t.advised);
        report.totals.values().map(sums).next()
    };
    assert_eq!(told(4), Some((100, 0, 0, 0)));
    assert_eq!(told(5), Some((100, 100, 0, 0)), "once, as an approval and not as an advice");
    assert_eq!(told(7), Some((100, 100, 100, 0)));
    let untold = judge(&[intent(1), outcome(1, Leg::StoodIn)]).violations;
    assert_eq!(untold, [Violation::DebtNotQueued { no: RecordNo(2), txn: RecordNo(1) }]);
}

/// What an operator decided about an item.
fn decided(item: u64, verb: DeskVerb) -> Record {
    let (operator, item) = ("anna".parse().ok(), RecordNo(item));
    Record::Desk(Desk { operator, verb: Some(verb), ..Desk::put(item, Wall::default(), None) })
}

/// A request whose bank has no reversal for it, and whose answer never came.
fn unknown_for_good() -> Vec<Record> {
    let Record::Intent(asked) = intent(1) else { return vec![] };
    let desk = Record::Desk(Desk::put(RecordNo(1), Wall::default(), None));
    let intent = Record::Intent(Arc::new(Intent { owes: Debt::Desk, ..Intent::clone(&asked) }));
    vec![intent, desk, outcome(1, Leg::SentUnknown)]
}

#[test]
fn what_the_bank_did_as_an_operator_heard_is_settled_by_hand() {
    let why = "by telephone".parse().unwrap_or_default();
    let open = judge(&unknown_for_good());
    assert_eq!(open.open.iter().map(|o| o.what).collect::<Vec<_>>(), [OpenWhat::OnDesk]);
    let told = |verb, late: bool| {
        let mut story = unknown_for_good();
        let late = late.then(|| late_approval(1));
        story.extend(late);
        story.push(decided(1, verb));
        let report = judge(&story);
        assert_eq!((report.violations, report.open), (vec![], vec![]));
        let sums = |t: &Totals| (t.at_banks, t.by_hand, t.difference());
        report.totals.values().map(sums).next().unwrap_or_default()
    };
    assert_eq!(told(DeskVerb::Did(why), false), (100, 100, 0));
    assert_eq!(told(DeskVerb::DidNot(why), false), (0, 0, 0));
    assert_eq!(told(DeskVerb::GiveUp(why), false), (0, 0, 0));
    assert_eq!(told(DeskVerb::Did(why), true), (100, 100, 0), "once");
    let mut late = unknown_for_good();
    late.push(late_approval(1));
    let sums: Vec<i128> = judge(&late).totals.values().map(Totals::difference).collect();
    assert_eq!(sums, [100], "the bank has what its platform was refused");
}

fn late_approval(txn: u64) -> Record {
    Record::Late(Late {
        txn: Some(RecordNo(txn)),
        at: Wall::default(),
        bank: "alfa".parse().unwrap_or_default(),
        stan: 1,
        leg: Leg::LateApproved,
        bank_code: None,
        auth_id: None,
        amount: None,
        class: None,
        kind: None,
        rrn: None,
        terminal: None,
        merchant: None,
        batch: None,
        settlement_date: None,
        granted: None,
    })
}

#[test]
fn what_left_is_taken_back_on_an_operators_word_alone() {
    let mut story = vec![
        intent(1),
        outcome(1, Leg::Approved),
        Record::Answered(RecordNo(1)),
        decided(1, DeskVerb::Reverse("it has nothing".parse().unwrap_or_default())),
        reversal(1, 2, Owed::OwnReversal),
        attempt(5, 1),
        closed(5),
    ];
    let report = judge(&story);
    assert_eq!(report.violations, []);
    let sums: Vec<i128> = report.totals.values().map(Totals::difference).collect();
    assert_eq!(sums, [0]);
    story[3] = Record::Released(RecordNo(1));
    let (no, txn) = (RecordNo(5), RecordNo(1));
    assert_eq!(judge(&story).violations, [Violation::GrantReversed { no, txn }]);
}

#[test]
fn a_dead_letter_that_the_bank_has_counts_and_is_over() {
    let mut story = letter();
    story.truncate(3);
    story.push(decided(1, DeskVerb::Did("booked by hand".parse().unwrap_or_default())));
    let report = judge(&story);
    assert_eq!((report.violations, report.open), (vec![], vec![]));
    assert_eq!(report.totals.values().map(|t| t.advised).collect::<Vec<_>>(), [100]);
}
