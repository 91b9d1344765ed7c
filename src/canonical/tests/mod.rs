//! Reading and writing through the shipped dialects, and what everyone here needs for it.
//! Deliberately absent: bytes on the wire, but for the MAC's sake ([`sealing`]).
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

mod advices;
mod bank_flows;
mod both_ways;
mod codes;
mod kinds;
mod money;
mod reconciliation;
mod sealing;

use super::*;
use crate::iso8583::{Dialect, DialectError, Message, pack, shipped, unpack};
use crate::money::Currency;

/// UnionPay's published test card.
const CARD: &[u8] = b"6250946000000016";

fn dialect(name: &str) -> Dialect {
    let source = |name: &str| shipped(name).map(str::to_owned);
    Dialect::compile(name, &source).unwrap_or_else(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"))
    })
}

/// A child of a shipped dialect.
fn dialect_text(sections: &str, parent: &str) -> Result<Dialect, Vec<DialectError>> {
    let text = format!("extends = '{parent}'\n{sections}");
    let source = |name: &str| match name {
        "child" => Some(text.clone()),
        other => shipped(other).map(str::to_owned),
    };
    Dialect::compile("child", &source)
}

fn message(mti: &str, fields: &[(u8, &str)]) -> Message {
    let mut message = Message::new();
    message.set_mti(mti.parse().unwrap());
    for (de, value) in fields {
        message.set(*de, value.as_bytes()).unwrap();
    }
    message
}

fn text<const N: usize>(value: &str) -> Option<Text<N>> {
    Some(value.parse().unwrap())
}

fn empty() -> Canonical {
    Canonical::new(Kind::Reconciliation, Flow::Request)
}

fn read_ok(dialect: &Dialect, message: &Message) -> Canonical {
    let mut into = empty();
    read(dialect, message, &mut into).unwrap();
    into
}

fn write_ok(dialect: &Dialect, from: &Canonical) -> Message {
    let mut message = Message::new();
    write(dialect, from, &mut message).unwrap();
    if let Some(header) = line_header(dialect.name()) {
        message.set_header(Some(&header));
    }
    let mut frame = Vec::new();
    pack(dialect, &message, &mut frame).unwrap();
    message
}

/// What the line puts before messages of dialects that insist on a header.
fn line_header(name: &str) -> Option<Vec<u8>> {
    match name {
        "iso8583-1987-base1" => Some([&[22, 1, 2, 0, 100], &[0; 17][..]].concat()),
        "unionpay-interbank" => Some(
            [b"\x2E\x020100", &b"0000000000000000000000"[..], &[0; 4], b"00000000", &[0], b"00000"]
                .concat(),
        ),
        _ => None,
    }
}

/// The same message after a journey as bytes.
fn over_the_wire(dialect: &Dialect, message: &Message) -> Message {
    let (mut frame, mut back) = (Vec::new(), Message::new());
    pack(dialect, message, &mut frame).unwrap();
    unpack(dialect, &frame, &mut back).unwrap();
    back
}

/// The value of a field as text, or `-`.
fn shown(message: &Message, de: u8) -> String {
    message.get(de).map_or("-".to_owned(), |v| String::from_utf8_lossy(v).into_owned())
}

/// A transaction with everything a terminal would say.
fn transaction(kind: TransactionType, flow: Flow) -> Canonical {
    let mut msg = Canonical::new(Kind::Transaction(kind), flow);
    msg.pan = Pan::new(CARD).ok();
    msg.expiry = text("3012");
    msg.amount = Currency::new(156).map(|c| Amount::new(12_345, c));
    msg.stan = Some(42);
    msg.transmission = text("1122093000");
    msg.pos_entry_mode = text("051");
    msg.card_sequence = text("001");
    msg.terminal = text("TERM0001");
    msg.merchant = text("MERCHANT0000001");
    msg.batch = Some(7);
    msg
}
