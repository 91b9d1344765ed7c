//! The codec against a hand-written fixed walk in the same run: nanoseconds, ratios, allocations.
//!
//! Contract: a 20-field 0200 with 124 bytes of ICC data in 1987 ASCII, 1987 BCD and UnionPay;
//! rounds of all subjects are interleaved and medians reported, so only the ratios mean
//! something on a shared machine. Run as a test it does one round. With the arguments
//! `profile NAME` it runs one subject only, for instruction counts under callgrind. Deliberately
//! absent: sockets.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock, and ends when it cannot run"
)]

mod fixed_walk;

use fixed_walk::Walk;
use pointsman::iso8583::{Dialect, Message, pack, parse_hex, shipped, unpack};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::hint::black_box;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

const ROUNDS: usize = 31;
const CALLS: usize = 20_000;

/// 124 bytes of EMV tags.
const ICC: &str = "9F26081122334455667788\
    9F2701809F100807010103A0A00001\
    9F37041A2B3C4D9F36020042950500800080009A032611229C01009F02060000000010005F2A0201568202\
    7C009F1A0201569F03060000000000009F33030000E09F34033F00009F3501229F1E083132333435363738\
    8407A00000033301019F090200209F410400001234";

struct Subject {
    name: &'static str,
    run: Box<dyn FnMut()>,
    /// The subject it is a ratio of.
    divisor: Option<&'static str>,
    nanos: Vec<f64>,
    allocations: usize,
}

impl Subject {
    fn new(name: &'static str, divisor: Option<&'static str>, run: impl FnMut() + 'static) -> Self {
        Self { name, run: Box::new(run), divisor, nanos: Vec::new(), allocations: 0 }
    }

    fn round(&mut self, calls: usize) {
        let start = Instant::now();
        for _ in 0..calls {
            (self.run)();
        }
        self.nanos.push(start.elapsed().as_nanos() as f64 / calls as f64);
    }

    fn median(&mut self) -> f64 {
        self.nanos.sort_by(f64::total_cmp);
        self.nanos.get(self.nanos.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

fn dialect(name: &str) -> Dialect {
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
        if wanted && msg.set(de, value).is_err() {
            eprintln!("field {de} does not fit");
        }
    }
    msg
}

fn frame(dialect: &Dialect) -> Vec<u8> {
    let mut out = Vec::new();
    if let Err(error) = pack(dialect, &message(dialect), &mut out) {
        eprintln!("{}: {error}", dialect.name());
        std::process::exit(1);
    }
    out
}

fn subjects() -> Vec<Subject> {
    let mut all = Vec::new();
    for (name, walk_name, decode_name, encode_name, again_name) in NAMES {
        let dialect = std::rc::Rc::new(dialect(name));
        let frame = frame(&dialect);
        let (bytes, mut walk) = (frame.clone(), Walk::new());
        all.push(Subject::new(walk_name, None, move || {
            let bits = match name {
                "iso8583-1987-ascii" => fixed_walk::ascii(black_box(&bytes), &mut walk),
                _ => fixed_walk::packed(black_box(&bytes), &mut walk, name == "unionpay-pos"),
            };
            black_box((bits, &walk.at, &walk.digits));
        }));
        let (d, bytes, mut msg) = (dialect.clone(), frame.clone(), Message::new());
        all.push(Subject::new(decode_name, Some(walk_name), move || {
            black_box(unpack(&d, black_box(&bytes), &mut msg).is_ok());
        }));
        let (d, msg, mut out) = (dialect.clone(), message(&dialect), Vec::new());
        all.push(Subject::new(encode_name, Some(walk_name), move || {
            out.clear();
            black_box(pack(&d, black_box(&msg), &mut out).is_ok());
        }));
        let (bytes, mut msg, mut out) = (frame, Message::new(), Vec::new());
        all.push(Subject::new(again_name, Some("walk ascii, again"), move || {
            out.clear();
            let _ = unpack(&dialect, black_box(&bytes), &mut msg);
            let _ = msg.set(11, b"654321");
            black_box(pack(&dialect, &msg, &mut out).is_ok());
        }));
    }
    let bytes = frame(&dialect("iso8583-1987-ascii"));
    let (mut walk, mut out) = (Walk::new(), Vec::new());
    all.push(Subject::new("walk ascii, again", None, move || {
        out.clear();
        fixed_walk::ascii_again(black_box(&bytes), &mut walk, &mut out);
        black_box(&out);
    }));
    all
}

const NAMES: [(&str, &str, &str, &str, &str); 3] = [
    ("iso8583-1987-ascii", "walk ascii", "decode ascii", "encode ascii", "again ascii"),
    ("iso8583-1987-bcd", "walk bcd", "decode bcd", "encode bcd", "again bcd"),
    ("unionpay-pos", "walk unionpay", "decode unionpay", "encode unionpay", "again unionpay"),
];

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let mut all = subjects();
    if let [_, word, name, ..] = args.as_slice()
        && word == "profile"
    {
        for subject in all.iter_mut().filter(|s| s.name == name) {
            subject.round(CALLS);
        }
        return;
    }
    let rounds = if args.iter().any(|a| a == "--bench") { ROUNDS } else { 1 };
    for subject in &mut all {
        (subject.run)();
        let region = Region::new(ALLOCATOR);
        (subject.run)();
        subject.allocations = region.change().allocations;
    }
    for _ in 0..rounds {
        all.iter_mut().for_each(|subject| subject.round(CALLS));
    }
    let medians: Vec<(&str, f64)> = all.iter_mut().map(|s| (s.name, s.median())).collect();
    println!("{:<20} {:>9} {:>8}  {:>11}", "subject", "ns", "x walk", "allocations");
    for (subject, (_, nanos)) in all.iter().zip(&medians) {
        let divisor = medians.iter().find(|(name, _)| Some(*name) == subject.divisor);
        let ratio = divisor.map_or_else(String::new, |(_, walk)| format!("{:.2}", nanos / walk));
        println!("{:<20} {nanos:>9.1} {ratio:>8}  {:>11}", subject.name, subject.allocations);
    }
}
