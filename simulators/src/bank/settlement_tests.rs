//! Totals of a bank's own ledger, and its answers to reconciliations.

use super::book::{Book, Verdict};
use super::business::Flavor;
use super::ledger::Ledger;
use super::settlement::{Sums, answer};
use crate::msg::Msg;

fn asked(mti: &str, f3: &str, stan: &str, amount: &str) -> Msg {
    let msg = Msg::new(mti).with(3, f3).with(4, amount).with(7, "1122000000").with(11, stan);
    msg.with(41, "T1").with(49, "840")
}

fn taken_back(stan: &str, amount: &str) -> Msg {
    let f90 = format!("0200{stan}1122000000{}", "0".repeat(22));
    asked("0420", "000000", "000099", amount).with(90, f90)
}

/// Two purchases, one of them taken back on the next date; a decline, a refund, a hold, a repeat.
fn book() -> Book {
    let mut book = Book::new("river", Flavor::Iso1987, "1122", Ledger::default());
    let verdict = |code: &str| Verdict { code: code.to_owned(), partial: None };
    let first = asked("0200", "000000", "000001", "000000000500");
    book.original(1, &first, &verdict("00"));
    book.original(2, &first, &verdict("00"));
    book.original(3, &asked("0200", "000000", "000002", "000000000300"), &verdict("00"));
    book.original(4, &asked("0200", "000000", "000003", "000000000900"), &verdict("51"));
    book.original(5, &asked("0200", "200000", "000004", "000000000120"), &verdict("00"));
    book.original(6, &asked("0100", "000000", "000005", "000000000070"), &verdict("00"));
    book.cut_over("1123");
    book.reversal(7, &taken_back("000002", "000000000300"));
    // A hold moved no money, so that its reversal gives none back.
    book.reversal(8, &taken_back("000005", "000000000070"));
    book
}

fn question(date: &str, sums: &Sums) -> Msg {
    let mut msg = Msg::new("0500").with(11, "000007").with(15, date).with(50, "840");
    sums.state(&mut msg);
    msg
}

#[test]
fn totals_are_those_of_the_date_and_the_currency() {
    let book = book();
    let entries = book.ledger().entries();
    let first = Sums { counts: [1, 0, 2, 0], amounts: [120, 0, 800, 0] };
    assert_eq!(Sums::of(entries, "1122", "840"), first);
    assert_eq!(first.net(), "D0000000000000680");
    let next = Sums { counts: [0, 0, 0, 1], amounts: [0, 0, 0, 300] };
    assert_eq!(Sums::of(entries, "1123", "840"), next);
    assert_eq!(next.net(), "C0000000000000300");
    assert_eq!(Sums::of(entries, "1122", "978"), Sums::default());
}

#[test]
fn only_the_same_totals_are_in_balance_and_the_banks_own_are_stated() {
    let book = book();
    let entries = book.ledger().entries();
    let ours = Sums::of(entries, "1122", "840");
    let (told, _) = answer(entries, &question("1122", &ours));
    let head = (told.mti.as_str(), told.text(11), told.text(15), told.text(50));
    assert_eq!(head, ("0510", "000007", "1122", "840"));
    assert_eq!((told.text(39), told.text(66), Sums::stated(&told)), ("00", "1", ours));
    let mut other = ours;
    other.amounts[2] += 1;
    let (told, _) = answer(entries, &question("1122", &other));
    assert_eq!((told.text(39), told.text(66), Sums::stated(&told)), ("00", "2", ours));
    assert_eq!(told.text(97), "D0000000000000680");
    let (told, _) = answer(entries, &question("1123", &ours));
    assert_eq!(told.text(66), "2");
    let wrong_net = question("1122", &ours).with(97, "C0000000000000680");
    assert_eq!(answer(entries, &wrong_net).0.text(66), "2");
}
