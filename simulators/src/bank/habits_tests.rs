//! What habits do to the book: each against hand-made messages.

use super::book::{Book, Verdict};
use super::business::Flavor;
use super::habits::{Habit, Habits, UNLISTED};
use super::ledger::{Ledger, totals};
use crate::msg::Msg;
use std::collections::BTreeMap;

fn book(habit: Habit) -> Book {
    let book = Book::new("bank", Flavor::Iso1987, "0229", Ledger::default());
    book.with_habits(Habits::of(BTreeMap::from([(habit, 1_000)])))
}

fn purchase() -> Msg {
    let msg = Msg::new("0200").with(2, "4111111111111111").with(3, "000000");
    let msg = msg.with(4, "000000001000").with(7, "0229123000").with(11, "000001");
    msg.with(32, "100001").with(41, "TERM0001").with(49, "840")
}

fn reversal() -> Msg {
    let mut msg = purchase().with(11, "000002").with(38, "000001");
    "0420".clone_into(&mut msg.mti);
    msg.with(90, name())
}

/// Its `F90`: MTI, STAN, `F7`, `F32` in eleven digits, and nobody who forwarded it.
fn name() -> String {
    format!("02000000010229123000{:0>11}{:011}", "100001", 0)
}

fn named(name: &str) -> Msg {
    reversal().with(90, name)
}

fn ask(book: &mut Book, msg: &Msg) -> (String, Option<u64>) {
    let approve = Verdict { code: "00".to_owned(), partial: None };
    let reply = book.original(0, msg, &approve);
    (reply.code, reply.amount)
}

fn total(book: &Book) -> i64 {
    totals(book.ledger().entries()).values().sum()
}

#[test]
fn what_it_told_is_not_found_and_stays() {
    let mut book = book(Habit::NotFound);
    ask(&mut book, &purchase());
    for _ in 0..2 {
        assert_eq!((book.reversal(1, &reversal()).code.as_str(), total(&book)), ("25", 1_000));
    }
    let mut unknowing = reversal();
    unknowing.remove(38);
    assert_eq!((book.reversal(1, &unknowing).code.as_str(), total(&book)), ("00", 0));
}

#[test]
fn what_it_has_undone_is_forgotten() {
    let mut book = book(Habit::Forgets);
    ask(&mut book, &purchase());
    let said = [(); 3].map(|()| book.reversal(1, &reversal()));
    let codes = said.each_ref().map(|reply| (reply.code.as_str(), reply.kept));
    assert_eq!(codes, [("00", true), ("25", false), ("25", false)]);
    assert_eq!(total(&book), 0);
}

#[test]
fn an_unlisted_approval_and_one_above_the_request_are_booked() {
    let mut unlisted = book(Habit::Unlisted);
    assert_eq!(ask(&mut unlisted, &purchase()), (UNLISTED.to_owned(), None));
    assert_eq!(total(&unlisted), 1_000);
    let mut above = book(Habit::Above);
    assert_eq!(ask(&mut above, &purchase()), ("10".to_owned(), Some(1_101)));
    assert_eq!(total(&above), 1_101);
    assert_eq!((above.reversal(1, &reversal()).code.as_str(), total(&above)), ("00", 0));
}

#[test]
fn the_first_try_of_a_reversal_or_advice_is_called_a_duplicate() {
    let mut book = book(Habit::DuplicateFirst);
    assert_eq!(ask(&mut book, &purchase()).0, "00");
    let codes = [(); 3].map(|()| book.reversal(1, &reversal()).code);
    assert_eq!((codes, total(&book)), (["94", "00", "00"].map(str::to_owned), 0));
    let mut advice = purchase().with(11, "000003");
    "0220".clone_into(&mut advice.mti);
    assert_eq!((ask(&mut book, &advice).0, total(&book)), ("94".to_owned(), 0));
    "0221".clone_into(&mut advice.mti);
    assert_eq!((ask(&mut book, &advice).0, total(&book)), ("00".to_owned(), 1_000));
}

#[test]
fn a_habit_that_begins_late_calls_no_later_try_a_duplicate() {
    let mut book = book(Habit::NotFound);
    ask(&mut book, &purchase());
    assert_eq!(book.reversal(1, &reversal()).code, "25");
    book.habits_mut().set(Habit::DuplicateFirst, 1_000);
    assert_eq!((book.reversal(1, &reversal()).code.as_str(), total(&book)), ("25", 1_000));
}

#[test]
fn a_wrong_name_or_amount_is_refused() {
    let right = name();
    for (name, code) in [(right.replace("0200", "0220"), "25"), (right.clone(), "00")] {
        let mut book = book(Habit::StrictName);
        ask(&mut book, &purchase());
        assert_eq!(book.reversal(1, &named(&name)).code, code, "{name}");
    }
    let mut book = book(Habit::StrictAmount);
    ask(&mut book, &purchase());
    assert_eq!(book.reversal(1, &named(&right).with(4, "000000000999")).code, "64");
    assert_eq!(book.reversal(1, &named(&right)).code, "00");
    assert_eq!(total(&book), 0);
}
