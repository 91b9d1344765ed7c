//! The auditor's own test: a story it is content with, doctored once per rule.

use super::audit::{Auditor, OpenWhat, Violation};
use super::ids::RecordNo;
use super::record::*;
use crate::meaning::{Flow, Kind, Reason, TransactionType};
use crate::money::{Amount, Currency};
use crate::time::Wall;
use std::sync::Arc;

fn amount() -> Option<Amount> {
    Currency::new(978).map(|c| Amount::new(100, c))
}

fn keys(stan: u32) -> BankKeys {
    BankKeys { stan, ..BankKeys::default() }
}

fn intent(stan: u32) -> Record {
    Record::Intent(Arc::new(Intent {
        at: Wall::default(),
        platform: "pos".parse().unwrap_or_default(),
        bank: "alfa".parse().unwrap_or_default(),
        line: "alfa".parse().unwrap_or_default(),
        rule: "all".parse().unwrap_or_default(),
        kind: Kind::Transaction(TransactionType::Purchase),
        flow: Flow::Request,
        origin: Origin { stan, ..Origin::default() },
        keys: keys(stan),
        pan: None,
        amount: amount(),
        facts: CardFacts::default(),
        accepts_partial: false,
        owes: Debt::Reversal,
        original: None,
        referred: None,
        policy: 1,
    }))
}

fn outcome(txn: u64, leg: Leg) -> Record {
    Record::Outcome(Outcome {
        txn: RecordNo(txn),
        at: Wall::default(),
        leg,
        class: None,
        bank_code: None,
        reason: None,
        auth_id: None,
        rrn: None,
        amount: amount(),
        settlement_date: None,
    })
}

fn reversal(txn: u64, stan: u32, owed: Owed) -> Record {
    Record::Queued(Arc::new(Queued {
        at: Wall::default(),
        txn: Some(RecordNo(txn)),
        bank: "alfa".parse().unwrap_or_default(),
        line: None,
        owed,
        kind: Kind::Reversal(TransactionType::Purchase),
        flow: Flow::Advice,
        reason: Reason::Timeout,
        origin: None,
        platform: None,
        keys: keys(stan),
        original: keys(1),
        referred: None,
        original_mti: None,
        pan: None,
        amount: amount(),
        replacement: None,
        facts: CardFacts::default(),
        auth_id: None,
        not_found_final_after: Wall::default(),
    }))
}

fn closed(entry: u64) -> Record {
    let ending = Ending::Acknowledged;
    let entry = RecordNo(entry);
    let at = Wall::default();
    Record::Closed(Closed { entry, at, ending, bank_code: None, settlement_date: None })
}

/// 1–2 approved and told; 4–7 unknown, reversed; 8–11 approved, told and taken back.
fn story() -> Vec<Record> {
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

fn judge(story: &[Record]) -> super::audit::Report {
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

#[test]
fn each_doctored_story_breaks_its_rule() {
    let (no, txn) = (RecordNo, RecordNo);
    type Doctor = fn(&mut Vec<Record>);
    let cases: [(Doctor, Violation); 8] = [
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
