//! The platform's memory against hand-made answers and a clock that is told.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use super::desk::{Desk, Patience};
use super::habits::{Habit, Often};
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
    assert_eq!(desk.connection_opened(0), []);
    desk.connection_lost(start + Duration::from_secs(6));
    let repeats = desk.connection_opened(0);
    let stans: Vec<_> = repeats.iter().map(|msg| (msg.mti.as_str(), msg.text(11))).collect();
    assert_eq!(stans, [("0201", "000004"), ("0201", "000002")]);
    assert_eq!(desk.connection_opened(0), []);
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

#[test]
fn habits_bend_what_leaves_and_the_ledger_says_so() {
    let start = now();
    let all = |habit| Often(habit, 1_000);
    let terminals = ["TERM0001", "TERM0002"].map(|t| ("M".to_owned(), t.to_owned())).to_vec();
    let mix = Mix {
        pools: vec![Pool::of_scheme("visa", "840", [1, 0, 0, 0])],
        customer_reversals_per_mille: 0,
        repeats_per_mille: 0,
        counted: true,
        terminals,
        habits: [Habit::Restamp, Habit::OtherTerminal, Habit::ZeroName, Habit::WrongCard]
            .map(all)
            .to_vec(),
        ..Mix::default()
    };
    let patience = Patience {
        timeout: 3 * SECOND,
        reversal_retry: SECOND,
        repeat_after: Some(SECOND),
        repeat_after_loss: None,
    };
    let mut desk = Desk::new(Maker::new(mix, 1), patience, start, Latency::new().unwrap());
    let asked = desk.next(start, 0, true).unwrap();
    let repeat = desk.due(start + 2 * SECOND, 60_000).remove(0);
    assert_eq!((repeat.mti.as_str(), repeat.text(11)), ("0201", asked.text(11)));
    assert_ne!(repeat.text(7), asked.text(7));
    // The answer to the repeat is the request's, and a wrong card follows.
    let mistake = desk.answer(start, 0, &answer(&repeat, "00")).unwrap();
    assert_eq!((mistake.mti.as_str(), &mistake.text(90)[4..10]), ("0420", asked.text(11)));
    assert_ne!(mistake.text(2), asked.text(2));
    desk.answer(start, 0, &answer(&mistake, "00"));
    let line = desk.lines().remove(0);
    assert_eq!((line.request.signed(), line.extra.habits), (101, vec![Habit::Restamp]));
    assert!(line.extra.mistaken.unwrap().acknowledged.is_some());
    assert_eq!(desk.unsettled(), 0);

    let asked = desk.next(start, 0, true).unwrap();
    let due = desk.due(start + 9 * SECOND, 60_000);
    let reversal = due.iter().find(|msg| msg.mti == "0420").unwrap();
    assert_eq!(reversal.text(90), "0".repeat(42));
    assert_ne!(reversal.text(41), asked.text(41));
}

#[test]
fn an_advice_is_told_until_it_is_heard_and_then_voided() {
    let start = now();
    let habits = [Habit::Advice, Habit::VoidAdvice].map(|habit| Often(habit, 1_000)).to_vec();
    let mix =
        Mix { pools: vec![Pool::of_scheme("visa", "840", [1, 0, 0, 0])], habits, ..Mix::default() };
    let patience = Patience {
        timeout: 3 * SECOND,
        reversal_retry: SECOND,
        repeat_after: None,
        repeat_after_loss: None,
    };
    let mut desk = Desk::new(Maker::new(mix, 1), patience, start, Latency::new().unwrap());
    let told = desk.next(start, 0, true).unwrap();
    assert_eq!((told.mti.as_str(), told.text(39)), ("0220", "00"));
    assert_eq!(desk.due(start + 4 * SECOND, 0).remove(0).mti, "0221");
    desk.answer(start, 0, &answer(&told, "00"));
    let void = desk.due(start + 5 * SECOND, 60_000).remove(0);
    let name = format!("0220{}{}", told.text(11), told.text(7));
    assert_eq!((void.mti.as_str(), void.text(3), &void.text(90)[..20]), ("0200", "020000", &*name));
    assert_eq!((void.text(4), void.get(39)), (told.text(4), None));
    desk.answer(start, 0, &answer(&void, "00"));
    let lines = desk.lines();
    assert_eq!((lines[1].extra.void_of, lines[1].request.is_approved()), (Some(1), true));
    assert_eq!(desk.unsettled(), 0);
}
