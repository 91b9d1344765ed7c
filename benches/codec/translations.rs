//! The cases that know what a message means: from one dialect to another.
//!
//! Contract: as in [`crate::cases`]. Two messages: the one of all other cases, from an ASCII
//! platform to a UnionPay bank; and the purchase of `end_to_end`, without ICC data, from an ASCII
//! platform to a BCD bank and its approval back. Deliberately absent: MACs, framing, the core.

use crate::cases::{Case, compiled, expect, frame};
use pointsman::canonical::{self, Canonical, Flow, Kind, TransactionType};
use pointsman::iso8583::{Dialect, Message, pack, unpack};
use std::hint::black_box;
use std::rc::Rc;

/// The two steps of the translation that know what a message means.
pub(crate) fn meaning() -> [Case; 2] {
    let (ascii, unionpay) = (compiled("iso8583-1987-ascii"), compiled("unionpay-pos"));
    let kind = Kind::Transaction(TransactionType::Unstated);
    let (mut heard, mut meaning) = (Message::new(), Canonical::new(kind, Flow::Request));
    expect("read", "unpacked", unpack(&ascii, &frame(&ascii), &mut heard).is_ok());
    expect("read", "read", canonical::read(&ascii, &heard, &mut meaning).is_ok());
    (meaning.stan, meaning.batch) = (Some(654_321), Some(1));
    let (from, mut said) = (meaning.clone(), Message::new());
    let read = move || {
        let read = canonical::read(&ascii, black_box(&heard), &mut meaning);
        expect("read", "read", read.is_ok());
        black_box(&meaning);
    };
    let write = move || {
        let written = canonical::write(&unionpay, black_box(&from), &mut said);
        expect("write", "written", written.is_ok());
        black_box(&said);
    };
    [
        Case { name: "ascii to canonical".to_owned(), run: Box::new(read), divisor: None },
        Case { name: "canonical to unionpay".to_owned(), run: Box::new(write), divisor: None },
    ]
}

/// What the switch does with a request: an ASCII platform's 0200 becomes a UnionPay terminal's,
/// with a STAN and a batch of ours, `F60` built and a place for the MAC.
pub(crate) fn unionpay() -> Case {
    let (ascii, unionpay) = (compiled("iso8583-1987-ascii"), compiled("unionpay-pos"));
    let bytes = frame(&ascii);
    let (mut heard, mut said, mut out) = (Message::new(), Message::new(), Vec::new());
    let kind = Kind::Transaction(TransactionType::Unstated);
    let mut meaning = Canonical::new(kind, Flow::Request);
    let run = move || {
        out.clear();
        expect("translate", "unpacked", unpack(&ascii, black_box(&bytes), &mut heard).is_ok());
        expect("translate", "read", canonical::read(&ascii, &heard, &mut meaning).is_ok());
        (meaning.stan, meaning.batch) = (Some(654_321), Some(1));
        let written = canonical::write(&unionpay, &meaning, &mut said);
        expect("translate", "written", written.is_ok() && said.has(60));
        expect("translate", "packed", pack(&unionpay, &said, &mut out).is_ok());
        black_box(&out);
    };
    let name = "ascii to unionpay".to_owned();
    Case { name, run: Box::new(run), divisor: Some("ascii walk again".to_owned()) }
}

/// The purchase of `end_to_end` there and back, both with keys of their own.
pub(crate) fn purchase() -> [Case; 2] {
    let (ascii, bcd) =
        (Rc::new(compiled("iso8583-1987-ascii")), Rc::new(compiled("iso8583-1987-bcd")));
    let (mut asked, mut approved) = (Message::new(), Message::new());
    for (de, value) in PURCHASE {
        let set = asked.set(de, value).is_ok() && approved.set(de, value).is_ok();
        expect("purchase", "the field fits", set);
    }
    let answered = approved.set(38, b"A12345").is_ok() && approved.set(39, b"00").is_ok();
    expect("purchase", "the answer fits", answered);
    asked.set_mti("0200".parse().unwrap_or_else(|_| asked.mti()));
    approved.set_mti(asked.mti().response());
    let there = from_to("request to bcd", &ascii, &bcd, &asked);
    let back = from_to("approval to ascii", &bcd, &ascii, &approved);
    [there, back]
}

const PURCHASE: [(u8, &[u8]); 16] = [
    (2, b"6250946000000016"),
    (3, b"000000"),
    (4, b"000000001000"),
    (7, b"1122123456"),
    (11, b"123456"),
    (12, b"112153"),
    (13, b"1122"),
    (14, b"8125"),
    (18, b"4110"),
    (22, b"051"),
    (25, b"00"),
    (32, b"123456"),
    (37, b"000000000001"),
    (41, b"SHOP0000"),
    (42, b"MERCHANT0000001"),
    (49, b"156"),
];

/// Unpack, read, give it keys of ours, write, pack.
fn from_to(name: &'static str, from: &Rc<Dialect>, to: &Rc<Dialect>, message: &Message) -> Case {
    let mut bytes = Vec::new();
    expect(name, "packed", pack(from, message, &mut bytes).is_ok());
    let (mut heard, mut said, mut out) = (Message::new(), Message::new(), Vec::new());
    let kind = Kind::Transaction(TransactionType::Unstated);
    let mut meaning = Canonical::new(kind, Flow::Request);
    let (from, to) = (from.clone(), to.clone());
    let run = move || {
        out.clear();
        expect(name, "unpacked", unpack(&from, black_box(&bytes), &mut heard).is_ok());
        expect(name, "read", canonical::read(&from, &heard, &mut meaning).is_ok());
        meaning.stan = Some(654_321);
        expect(name, "written", canonical::write(&to, &meaning, &mut said).is_ok());
        expect(name, "packed", pack(&to, &said, &mut out).is_ok());
        black_box(&out);
    };
    Case { name: name.to_owned(), run: Box::new(run), divisor: None }
}
