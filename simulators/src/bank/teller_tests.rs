//! The counter without sockets: sign-on, MAC, and what moods do to answers.

use super::book::Book;
use super::business::Flavor;
use super::ledger::Ledger;
use super::mood::Mood;
use super::rules::Rules;
use super::teller::{MacSeen, Say, Step, Teller};
use crate::clock::now;
use crate::msg::Msg;

fn teller(flavor: Flavor, needs_sign_on: bool) -> Teller {
    let book = Book::new("bank", flavor, "1122", Ledger::default());
    Teller::new(flavor, needs_sign_on, Rules::default(), Mood::well(1), book)
}

fn ask(teller: &mut Teller, msg: &Msg, mac: MacSeen) -> Option<Say> {
    match teller.hear(now(), msg) {
        Step::Nothing => None,
        Step::Execute(_, fate) => teller.execute(1_709_164_800_000, 1, msg, mac, fate),
    }
}

fn code(teller: &mut Teller, msg: &Msg, mac: MacSeen) -> String {
    ask(teller, msg, mac).map_or_else(String::new, |say| say.msg.text(39).to_owned())
}

fn sale() -> Msg {
    let msg = Msg::new("0200").with(2, "6250946000000016").with(3, "000000").with(25, "00");
    let msg = msg.with(4, "000000000500").with(11, "000001").with(41, "T0000001").with(49, "156");
    msg.with(60, "22000001000")
}

fn sign_in(terminal: &str) -> Msg {
    Msg::new("0800").with(11, "000009").with(41, terminal).with(60, "00000001003")
}

#[test]
fn unionpay_wants_a_sign_in_of_that_terminal_first() {
    let mut teller = teller(Flavor::UnionPay, true);
    assert_eq!(code(&mut teller, &sale(), MacSeen::Good), "77");
    assert_eq!(code(&mut teller, &sign_in("T0000002"), MacSeen::Wrong), "00");
    assert_eq!(code(&mut teller, &sale(), MacSeen::Good), "77");
    assert_eq!(code(&mut teller, &sign_in("T0000001"), MacSeen::Wrong), "00");
    assert_eq!(code(&mut teller, &sale(), MacSeen::Good), "00");
    assert_eq!(teller.book().ledger().entries().len(), 1);
}

#[test]
fn a_wrong_mac_is_refused_without_effect() {
    let mut teller = teller(Flavor::UnionPay, false);
    assert_eq!(code(&mut teller, &sale(), MacSeen::Wrong), "A0");
    assert!(teller.book().ledger().entries().is_empty());
}

#[test]
fn silence_executes_and_says_nothing() {
    let mut teller = teller(Flavor::UnionPay, false);
    if let Ok(command) = "silent on".parse() {
        teller.obey(0, now(), &command);
    }
    assert!(ask(&mut teller, &sale(), MacSeen::Good).is_none());
    assert_eq!(teller.book().ledger().entries().len(), 1);
    assert_eq!(teller.counts().muted, 1);
}

#[test]
fn sign_on_is_per_session_elsewhere_and_can_be_refused() {
    let mut teller = teller(Flavor::Iso1987, true);
    let sign_on = Msg::new("0800").with(11, "000001").with(70, "001");
    let sale = Msg::new("0200").with(3, "000000").with(11, "000002").with(41, "T");
    if let Ok(command) = "refuse-sign-on on".parse() {
        teller.obey(0, now(), &command);
    }
    assert_eq!(code(&mut teller, &sign_on, MacSeen::NotAsked), "58");
    assert_eq!(code(&mut teller, &sale, MacSeen::NotAsked), "77");
    if let Ok(command) = "heal".parse() {
        teller.obey(0, now(), &command);
    }
    assert_eq!(code(&mut teller, &sign_on, MacSeen::NotAsked), "00");
    assert_eq!(code(&mut teller, &sale, MacSeen::NotAsked), "00");
    teller.session_gone(1);
    assert_eq!(code(&mut teller, &sale, MacSeen::NotAsked), "77");
}

#[test]
fn answers_are_not_answered() {
    let mut teller = teller(Flavor::Iso1987, false);
    assert!(ask(&mut teller, &Msg::new("0810").with(11, "1"), MacSeen::NotAsked).is_none());
}
