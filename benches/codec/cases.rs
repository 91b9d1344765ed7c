//! What is measured: one message, three wire forms, and each thing the codec does to it.
//!
//! Contract: every case repeats one call on memory that it keeps, with input and output hidden
//! from the optimizer; a case that does not do its work ends the run. Deliberately absent: clocks.

use crate::fixed_walk::{self, Walk};
use crate::translations;
use pointsman::iso8583::{Dialect, Index, Message, index, pack, parse_hex, shipped, unpack};
use std::hint::black_box;
use std::rc::Rc;

/// One row.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) run: Box<dyn FnMut()>,
    /// The hand-written case it is a ratio of.
    pub(crate) divisor: Option<String>,
}

/// 124 bytes of EMV tags.
const ICC: &str = "9F26081122334455667788\
    9F2701809F100807010103A0A00001\
    9F37041A2B3C4D9F36020042950500800080009A032611229C01009F02060000000010005F2A0201568202\
    7C009F1A0201569F03060000000000009F33030000E09F34033F00009F1E083132333435363738\
    8407A00000033301019F410400001234";

const STAN: &[u8; 6] = b"654321";

/// A form's three hand-written functions.
struct ByHand {
    decode: fn(&[u8], &mut Walk),
    encode: fn(&[u8], &Walk, &[u8; 6], &mut Vec<u8>),
}

/// Every form: what the rows call it, its dialect, and by hand.
fn forms() -> [(&'static str, &'static str, ByHand); 3] {
    let ascii = ByHand {
        decode: fixed_walk::decode::<false, false>,
        encode: fixed_walk::encode::<false, false>,
    };
    let bcd = ByHand {
        decode: fixed_walk::decode::<true, false>,
        encode: fixed_walk::encode::<true, false>,
    };
    let unionpay = ByHand {
        decode: fixed_walk::decode::<true, true>,
        encode: fixed_walk::encode::<true, true>,
    };
    [
        ("ascii", "iso8583-1987-ascii", ascii),
        ("bcd", "iso8583-1987-bcd", bcd),
        ("unionpay", "unionpay-pos", unionpay),
    ]
}

/// All rows; a divisor stands before the rows it divides.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (form, dialect, by_hand) in forms() {
        let dialect = Rc::new(compiled(dialect));
        let frame = frame(&dialect);
        hand_written(form, &frame, by_hand, &mut cases);
        judged(form, &dialect, &frame, &mut cases);
    }
    cases.extend(translations::meaning());
    cases.push(translations::unionpay());
    cases.extend(translations::purchase());
    cases
}

fn hand_written(form: &str, frame: &[u8], by_hand: ByHand, cases: &mut Vec<Case>) {
    let ByHand { decode, encode } = by_hand;
    let mut add = |what: &str, run: Box<dyn FnMut()>| {
        cases.push(Case { name: format!("{form} {what}"), run, divisor: None });
    };
    let (bytes, mut walk) = (frame.to_vec(), Walk::new());
    add(
        "walk decode",
        Box::new(move || {
            decode(black_box(&bytes), &mut walk);
            black_box(&walk);
        }),
    );
    let (bytes, mut walk, mut out) = (frame.to_vec(), Walk::new(), Vec::new());
    decode(&bytes, &mut walk);
    encode(&bytes, &walk, b"123456", &mut out);
    expect(form, "the walk gives back what it read", out == bytes);
    add(
        "walk encode",
        Box::new(move || {
            out.clear();
            encode(black_box(&bytes), black_box(&walk), black_box(STAN), &mut out);
            black_box(&out);
        }),
    );
    let (bytes, mut walk, mut out) = (frame.to_vec(), Walk::new(), Vec::new());
    add(
        "walk again",
        Box::new(move || {
            out.clear();
            decode(black_box(&bytes), &mut walk);
            encode(black_box(&bytes), black_box(&walk), black_box(STAN), &mut out);
            black_box(&out);
        }),
    );
}

fn judged(form: &str, dialect: &Rc<Dialect>, frame: &[u8], cases: &mut Vec<Case>) {
    let mut add = |what: &str, run: Box<dyn FnMut()>| {
        let by_hand = if what == "index" { "decode" } else { what };
        let divisor = Some(format!("{form} walk {by_hand}"));
        cases.push(Case { name: format!("{form} {what}"), run, divisor });
    };
    let (d, bytes, mut places) = (dialect.clone(), frame.to_vec(), Index::new());
    add(
        "index",
        Box::new(move || {
            let done = index(&d, black_box(&bytes), &mut places);
            expect("index", "accepted", done.is_ok());
            black_box(&places);
        }),
    );
    let (d, bytes, mut msg) = (dialect.clone(), frame.to_vec(), Message::new());
    add(
        "decode",
        Box::new(move || {
            let done = unpack(&d, black_box(&bytes), &mut msg);
            expect("decode", "accepted", done.is_ok());
            black_box(&msg);
        }),
    );
    let (d, msg, mut out) = (dialect.clone(), message(dialect), Vec::new());
    add(
        "encode",
        Box::new(move || {
            out.clear();
            let done = pack(&d, black_box(&msg), &mut out);
            expect("encode", "accepted", done.is_ok());
            black_box(&out);
        }),
    );
    let (d, bytes, mut msg, mut out) =
        (dialect.clone(), frame.to_vec(), Message::new(), Vec::new());
    add(
        "again",
        Box::new(move || {
            out.clear();
            let read = unpack(&d, black_box(&bytes), &mut msg);
            let set = msg.set(11, black_box(STAN));
            let done = pack(&d, &msg, &mut out);
            expect("again", "accepted", read.is_ok() && set.is_ok() && done.is_ok());
            black_box(&out);
        }),
    );
}

pub(crate) fn expect(what: &str, claim: &str, holds: bool) {
    if !holds {
        eprintln!("{what}: expected: {claim}");
        std::process::exit(1);
    }
}

pub(crate) fn compiled(name: &str) -> Dialect {
    match Dialect::compile(name, &|n| shipped(n).map(str::to_owned)) {
        Ok(dialect) => dialect,
        Err(errors) => {
            eprintln!("{name}: {errors:?}");
            std::process::exit(1);
        }
    }
}

fn message(dialect: &Dialect) -> Message {
    let mut msg = Message::new();
    msg.set_mti("0200".parse().unwrap_or_else(|_| msg.mti()));
    let icc = parse_hex(ICC).unwrap_or_default();
    expect("ICC", "124 bytes", icc.len() == 124);
    let fields: [(u8, &[u8]); 22] = [
        (2, b"6250946000000016"),
        (3, b"000000"),
        (4, b"000000001000"),
        (7, b"1122123456"),
        (11, b"123456"),
        (12, b"123456"),
        (13, b"1122"),
        (14, b"3012"),
        (15, b"1122"),
        (18, b"5411"),
        (22, b"051"),
        (23, b"001"),
        (25, b"00"),
        (26, b"12"),
        (32, b"12345678901"),
        (35, b"6250946000000016D30122010000000000"),
        (37, b"123456789012"),
        (41, b"TERM0001"),
        (42, b"MERCHANT0000001"),
        (49, b"156"),
        (52, &[0x12; 8]),
        (55, &icc),
    ];
    // Twenty of them each: UnionPay has 15 and 26 where the others have 7 and 18.
    let unionpay = dialect.field(7).is_none();
    for (de, value) in fields {
        let wanted = match de {
            7 | 18 => !unionpay,
            15 | 26 => unionpay,
            _ => true,
        };
        if wanted {
            expect("message", "the field fits", msg.set(de, value).is_ok());
        }
    }
    expect("message", "20 fields", msg.fields().count() == 20);
    msg
}

pub(crate) fn frame(dialect: &Dialect) -> Vec<u8> {
    let mut out = Vec::new();
    let packed = pack(dialect, &message(dialect), &mut out);
    expect(dialect.name(), "the message packs", packed.is_ok());
    out
}
