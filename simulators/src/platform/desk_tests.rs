//! The platform's memory against hand-made answers and a clock that is told.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use super::desk::{Desk, Patience};
use super::latency::Latency;
use super::ledger::End;
use super::mix::{Maker, Mix, Pool};
use crate::clock::now;
use crate::msg::Msg;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

fn desk(customer: u32, repeats: u32, start: Instant) -> Desk {
    let mix = Mix {
        pools: vec![Pool::of_scheme("visa", "840", [1, 0, 0, 0])],
        customer_reversals_per_mille: customer,
        repeats_per_mille: repeats,
        ..Mix::default()
    };
    let patience = Patience {
        timeout: 3 * SECOND,
        reversal_retry: SECOND,
        repeat_after: Some(SECOND),
        repeat_after_loss: Some(SECOND),
    };
    Desk::new(Maker::new(mix, 1), patience, start, Latency::new().unwrap())
}

fn answer(msg: &Msg, code: &str) -> Msg {
    msg.answer(&[3, 4, 7, 11, 37, 41, 49]).with(39, code)
}

#[test]
fn no_answer_means_repeat_then_reversal_until_acknowledged() {
    let start = now();
    let mut desk = desk(0, 0, start);
    let asked = desk.next(start, 0, true).unwrap();
    let due = |desk: &mut Desk, seconds| {
        let msgs = desk.due(start + Duration::from_secs(seconds), 0);
        msgs.iter().map(|msg| msg.mti.clone()).collect::<Vec<_>>()
    };
    assert_eq!(due(&mut desk, 2), ["0201"]);
    assert_eq!(due(&mut desk, 5), ["0420"]);
    assert_eq!(due(&mut desk, 7), ["0421"]);
    assert_eq!(desk.answer(start, 0, &answer(&asked, "00")), None);
    let request = desk.requests().remove(0);
    assert_eq!((request.end, request.late_answers, request.signed()), (End::TimedOut, 1, 0));
    let reversal = request.reversal.unwrap();
    let back = Msg::new("0430").with(11, reversal.stan).with(7, reversal.transmission);
    desk.answer(start, 0, &back.clone().with(39, "96"));
    assert_eq!((desk.unsettled(), due(&mut desk, 9).len()), (1, 1));
    desk.answer(start, 0, &back.with(39, "00"));
    assert_eq!((desk.unsettled(), due(&mut desk, 11).len()), (0, 0));
}

#[test]
fn an_approval_in_time_counts_once_however_often_it_comes() {
    let start = now();
    let mut desk = desk(0, 1_000, start);
    let asked = desk.next(start, 0, true).unwrap();
    let repeat = desk.answer(start, 0, &answer(&asked, "00")).unwrap();
    assert_eq!(repeat.mti, "0201");
    desk.answer(start, 0, &answer(&asked, "00"));
    assert_eq!((desk.counts().approved, desk.counts().duplicates), (1, 1));
    let request = desk.requests().remove(0);
    assert_eq!(request.signed(), i64::try_from(request.amount).unwrap());
    assert_eq!(request.contradiction, None);
    desk.answer(start, 0, &answer(&asked, "51"));
    assert!(desk.requests().remove(0).contradiction.is_some());
}

#[test]
fn a_customer_who_changes_their_mind_moves_nothing() {
    let start = now();
    let mut desk = desk(1_000, 0, start);
    let asked = desk.next(start, 0, true).unwrap();
    let reversal = desk.answer(start, 0, &answer(&asked, "00")).unwrap();
    assert_eq!((reversal.mti.as_str(), desk.unsettled()), ("0420", 1));
    desk.answer(start, 0, &answer(&reversal, "00"));
    assert_eq!((desk.unsettled(), desk.requests().remove(0).signed()), (0, 0));
}

#[test]
fn strange_answers_are_kept_apart() {
    let start = now();
    let mut desk = desk(0, 0, start);
    assert_eq!(desk.next(start, 0, false), None);
    desk.answer(start, 0, &Msg::new("0210").with(11, "999999").with(39, "00"));
    assert_eq!((desk.strays().len(), desk.counts().unsent, desk.unsettled()), (1, 1, 0));
    let asked = desk.next(start, 0, true).unwrap();
    desk.answer(start, 0, &answer(&asked, "00").with(41, "TERM9999"));
    assert!(desk.requests().remove(1).contradiction.is_some());
}

#[test]
fn after_a_lost_connection_what_was_asked_last_is_repeated_once() {
    let start = now();
    let mut desk = desk(0, 0, start);
    for at in [0, 5, 6] {
        let intended = start + Duration::from_secs(at);
        let asked = desk.next(intended, 0, true).unwrap();
        let code = if at == 6 { "51" } else { "00" };
        desk.answer(intended, 0, &answer(&asked, code));
    }
    desk.next(start + Duration::from_secs(6), 0, true).unwrap();
    assert_eq!(desk.connection_opened(), []);
    desk.connection_lost(start + Duration::from_secs(6));
    let repeats = desk.connection_opened();
    let stans: Vec<_> = repeats.iter().map(|msg| (msg.mti.as_str(), msg.text(11))).collect();
    assert_eq!(stans, [("0201", "000004"), ("0201", "000002")]);
    assert_eq!(desk.connection_opened(), []);
}

#[test]
fn one_decline_after_another_contradicts_nothing() {
    let start = now();
    let mut desk = desk(0, 0, start);
    let asked = desk.next(start, 0, true).unwrap();
    desk.answer(start, 0, &answer(&asked, "68"));
    desk.answer(start, 0, &answer(&asked, "05"));
    assert_eq!(desk.requests().remove(0).contradiction, None);
    desk.answer(start, 0, &answer(&asked, "00"));
    assert!(desk.requests().remove(0).contradiction.is_some());
}
