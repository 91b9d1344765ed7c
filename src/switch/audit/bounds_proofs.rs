//! What the auditor keeps: little, and all that it still needs.

use super::debts::Owing;
use super::proofs::{asked, closed, intent, judge, letter, outcome, reversal, story};
use super::transactions::Told;
use super::{Auditor, Extract, Violation};
use crate::switch::ids::RecordNo;
use crate::switch::record::*;

#[test]
fn a_bounded_auditor_keeps_what_is_not_settled_and_little_else() {
    let mut auditor = Auditor::bounded(10);
    auditor.see(RecordNo(1), &intent(999_999));
    for stan in 1..=1_000 {
        let txn = u64::from(stan) * 3 - 1;
        auditor.see(RecordNo(txn), &intent(stan));
        auditor.see(RecordNo(txn + 1), &outcome(txn, Leg::Approved));
        auditor.see(RecordNo(txn + 2), &Record::Answered(RecordNo(txn)));
    }
    assert!(auditor.transactions_kept() <= 12, "{}", auditor.transactions_kept());
    assert_eq!(auditor.see(RecordNo(3_002), &outcome(1, Leg::Declined)), []);
    let report = auditor.finish();
    assert_eq!((report.violations, report.open, report.transactions), (vec![], vec![], 1_001));
}

#[test]
fn what_waits_to_be_judged_is_small_and_says_all_that_is_judged() {
    let sizes = [size_of::<Extract>(), size_of::<Told>(), size_of::<Owing>()];
    assert!(sizes.iter().zip([80, 80, 56]).all(|(size, most)| *size <= most), "{sizes:?}");
    let records = [story(), letter()].concat();
    let extracts: Vec<_> =
        (1..).zip(&records).map(|(no, record)| Extract::of(RecordNo(no), record)).collect();
    drop(records);
    let mut auditor = Auditor::new();
    for extract in &extracts {
        auditor.judge(extract);
    }
    assert_eq!(auditor.finish(), judge(&[story(), letter()].concat()));
}

/// During a long outage far more is open than is kept of what is settled; looking through all of
/// it for every request would stop the auditor.
#[test]
fn what_stays_open_is_looked_through_ever_more_seldom() {
    let mut auditor = Auditor::bounded(10);
    let mut no = 0;
    let mut see = |auditor: &mut Auditor, record: &Record| {
        no += 1;
        auditor.see(RecordNo(no), record);
        no
    };
    let mut sweeps = Vec::new();
    for stan in 1..=1_000 {
        let txn = see(&mut auditor, &intent(stan));
        see(&mut auditor, &reversal(txn, stan + 10_000, Owed::OwnReversal));
        see(&mut auditor, &outcome(txn, Leg::SentUnknown));
        sweeps.push(auditor.transactions.sweep_above);
    }
    sweeps.dedup();
    assert!(sweeps.len() < 10, "{sweeps:?}");
    assert_eq!(auditor.transactions_kept(), 1_000);
    for entry in (0..1_000).map(|n| 3 * n + 2) {
        see(&mut auditor, &closed(entry));
    }
    for stan in 1..=2_000 {
        let txn = see(&mut auditor, &intent(20_000 + stan));
        see(&mut auditor, &outcome(txn, Leg::Declined));
    }
    assert!(auditor.transactions_kept() <= 1_100, "{}", auditor.transactions_kept());
    let report = auditor.finish();
    assert_eq!((report.violations, report.open), (vec![], vec![]));
}

/// Its STAN is free only when no answer to it can come any more, however much came since.
#[test]
fn an_unanswered_original_keeps_its_stan_until_its_lifetime_is_over() {
    let judged = |over: Record| {
        let mut auditor = Auditor::bounded(10);
        let unanswered =
            [intent(1), reversal(1, 2, Owed::OwnReversal), outcome(1, Leg::SentUnknown), closed(2)];
        let busy =
            (0..50).flat_map(|n| [intent(10 + n), outcome(5 + 2 * u64::from(n), Leg::Declined)]);
        let after = [over, asked(61, 1), outcome(106, Leg::Declined)];
        let all = unanswered.into_iter().chain(busy).chain(after);
        for (no, record) in (1..).zip(all) {
            auditor.see(RecordNo(no), &record);
        }
        assert!(auditor.transactions_kept() <= 11, "{}", auditor.transactions_kept());
        auditor.finish().violations
    };
    let shared = Violation::StanShared { no: RecordNo(106), stan: 1, holder: RecordNo(1) };
    assert_eq!(judged(Record::Released(RecordNo(1))), [shared]);
    assert_eq!(judged(Record::Forgotten(Forgotten::Original(RecordNo(1)))), []);
}

/// A long outage takes room for STANs; once it is over each is still held by whoever held it.
#[test]
fn room_for_stans_is_given_back_and_no_holder_is_lost() {
    let mut auditor = Auditor::new();
    let mut no = 0;
    let mut see = |auditor: &mut Auditor, record: &Record| {
        no += 1;
        auditor.see(RecordNo(no), record).to_vec()
    };
    let many = 6_000;
    for stan in 1..=many {
        see(&mut auditor, &intent(stan));
    }
    let roomy = |auditor: &Auditor| auditor.stans.most_held > many as usize / 2;
    assert!(roomy(&auditor));
    for txn in 10..=u64::from(many) {
        assert_eq!(see(&mut auditor, &outcome(txn, Leg::Declined)), []);
    }
    assert!(!roomy(&auditor));
    for stan in 1..=20 {
        let broken = see(&mut auditor, &asked(many + stan, stan));
        assert_eq!(broken.len(), usize::from(stan < 10), "{stan}: {broken:?}");
    }
}
