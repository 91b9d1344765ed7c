//! The book against hand-made messages: executed once, undone once, whatever the order.

use super::book::{Book, Verdict};
use super::business::Flavor;
use super::ledger::{Ledger, Seen, totals};
use crate::msg::Msg;

fn approve() -> Verdict {
    Verdict { code: "00".to_owned(), partial: None }
}

fn purchase(stan: &str) -> Msg {
    Msg::new("0200")
        .with(2, "4111111111111111")
        .with(3, "000000")
        .with(4, "000000001000")
        .with(7, "1122123000")
        .with(11, stan)
        .with(41, "TERM0001")
        .with(49, "840")
}

fn reversal_of(stan: &str, own_stan: &str) -> Msg {
    let mut msg = purchase(own_stan);
    msg.mti = "0420".to_owned();
    msg.with(90, format!("0200{stan}1122123000{:022}", 0))
}

fn book(flavor: Flavor) -> Book {
    Book::new("bank", flavor, "1122", Ledger::default())
}

fn total(book: &Book) -> i64 {
    totals(book.ledger().entries()).values().sum()
}

#[test]
fn an_original_is_executed_once_and_its_repeat_answered_alike() {
    let mut book = book(Flavor::Iso1987);
    let first = book.original(0, &purchase("000001"), &approve());
    let decline = Verdict { code: "51".to_owned(), partial: None };
    assert_eq!(book.original(1, &purchase("000001"), &decline), first);
    assert_eq!(total(&book), 1_000);
    assert_eq!(book.ledger().entries()[1].seen, Seen::Repeat);
}

#[test]
fn a_reversal_moves_the_money_back_once() {
    let mut book = book(Flavor::Iso1987);
    book.original(0, &purchase("000001"), &approve());
    for _ in 0..3 {
        assert_eq!(book.reversal(1, &reversal_of("000001", "000002")).code, "00");
    }
    let signed: Vec<_> = book.ledger().entries().iter().map(|e| e.signed).collect();
    assert_eq!(signed, [1_000, -1_000, 0, 0]);
}

#[test]
fn an_original_that_its_reversal_overtook_is_executed() {
    let mut book = book(Flavor::Iso1987);
    assert_eq!(book.reversal(0, &reversal_of("000001", "000002")).code, "25");
    assert_eq!(book.original(1, &purchase("000001"), &approve()).code, "00");
    assert_eq!(total(&book), 1_000);
    assert_eq!(book.reversal(2, &reversal_of("000001", "000002")).code, "00");
    assert_eq!(total(&book), 0);
}

#[test]
fn a_partial_reversal_keeps_the_rest() {
    let mut book = book(Flavor::Iso1987);
    book.original(0, &purchase("000001"), &approve());
    let partial = reversal_of("000001", "000002").with(95, format!("{:012}{:030}", 300, 0));
    assert_eq!(book.reversal(1, &partial).code, "00");
    assert_eq!(total(&book), 300);
}

#[test]
fn declines_and_balances_move_nothing_and_refunds_give_back() {
    let mut book = book(Flavor::Iso1987);
    let decline = Verdict { code: "51".to_owned(), partial: None };
    assert_eq!(book.original(0, &purchase("000001"), &decline).auth_id, None);
    book.original(0, &purchase("000002").with(3, "310000"), &approve());
    assert_eq!(total(&book), 0);
    book.original(0, &purchase("000003").with(3, "200000"), &approve());
    assert_eq!(total(&book), -1_000);
}

#[test]
fn unionpay_finds_originals_by_stan_and_batch() {
    let mut book = book(Flavor::UnionPay);
    let sale = purchase("000009").with(60, "22000007000");
    let mut reversal = sale.clone();
    reversal.mti = "0400".to_owned();
    book.original(0, &sale, &approve());
    assert_eq!(book.reversal(1, &reversal.clone().with(60, "22000008000")).code, "25");
    assert_eq!(book.reversal(2, &reversal).code, "00");
    assert_eq!(total(&book), 0);
}

#[test]
fn a_unionpay_hold_is_voided_or_completed() {
    let mut book = book(Flavor::UnionPay);
    let hold = purchase("000001").with(60, "10000007000");
    let refer = |msg: Msg, f60: &str| msg.with(60, f60).with(61, "000007000001");
    book.original(0, &hold, &approve());
    let completion = refer(purchase("000002"), "20000007000").with(4, "000000000700");
    book.original(1, &completion, &approve());
    assert_eq!(total(&book), 700);
    let void = refer(purchase("000003"), "11000007000");
    assert_eq!(book.original(2, &void, &approve()).code, "25");
}

#[test]
fn a_void_that_is_reversed_leaves_the_original_standing_again() {
    let mut book = book(Flavor::UnionPay);
    let sale = purchase("000001").with(60, "22000007000");
    let void = purchase("000002").with(60, "23000007000").with(61, "000007000001");
    let mut reversal = void.clone();
    reversal.mti = "0400".to_owned();
    book.original(0, &sale, &approve());
    book.original(1, &void, &approve());
    assert_eq!(total(&book), 0);
    book.reversal(2, &reversal);
    assert_eq!(total(&book), 1_000);
    let again = purchase("000003").with(60, "23000007000").with(61, "000007000001");
    assert_eq!(book.original(3, &again, &approve()).code, "00");
    assert_eq!(total(&book), 0);
}
