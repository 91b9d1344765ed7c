//! Peers that talk nonsense as fast as they can, beside a platform that works: it must not notice.
//!
//! Bounds are ten times what is aimed at, because tests share their machine; how fast it is
//! stands in `docs/performance.md`.

use crate::binary::Switch;
use crate::shop::Shop;
use crate::stage::{CALM, Stage};
use crate::walk::Answer;
use crate::{SOON, Tested, frames, wait_until};
use simulators::platform::Platform;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Requests a second of the platform that works.
const RATE: f64 = 150.0;
/// How long it works alone, and how long beside the flood: longer than a flood is put up with.
const ALONE_S: u64 = 3;
const BESIDE_S: u64 = 8;
/// What a flood may write at most, per second: log and journal together.
const WRITTEN_PER_S: u64 = 10 << 20;
/// What may reach the core of it: some bursts, and what comes through while it is slowed.
const TAKEN_IN: f64 = 3_000.0;

/// A bank of the switch that is only a socket of the test.
const SEA: &str = r#"
[bank.sea]
dialect = "iso8583-1987-ascii"
framing = "2-byte-be"
sign_on = "no"
default_merchant = "SEA000000000001"
default_terminal = "SEA00001"
[[bank.sea.line]]
connect = ["@sea"]
first_retry_ms = 100
max_retry_ms = 60_000
"#;

/// Everything one flood is judged by.
struct Hall {
    // Dropped in this order: banks and platforms live on the stage.
    switch: Switch,
    busy: Platform,
    sea: TcpListener,
    _stage: Stage,
}

impl Hall {
    fn open() -> Tested<Self> {
        let stage = Stage::new(CALM)?;
        let sea = TcpListener::bind("127.0.0.1:0")?;
        let config = fs::read_to_string(stage.config())?;
        let bank = SEA.replace("@sea", &sea.local_addr()?.to_string());
        fs::write(stage.config(), config + &bank)?;
        let switch = stage.start("info")?;
        let busy = stage.busy_shop(switch.door, RATE)?;
        Ok(Self { switch, busy, sea, _stage: stage })
    }

    /// Works alone for a while, then beside the flood, which is given the time until when.
    fn beside(&self, flood: impl FnOnce(Instant) -> Tested + Send) -> Tested {
        thread::sleep(Duration::from_secs(ALONE_S));
        let (begun, written) = (Instant::now(), self.written()?);
        flood(begun + Duration::from_secs(BESIDE_S))?;
        let took = begun.elapsed().as_secs().max(1);
        let written = self.written()? - written;
        assert!(written < took * WRITTEN_PER_S, "{written} bytes in {took} s");
        wait_until("everything is answered", SOON, || {
            self.busy.stop_asking();
            let counts = self.busy.counts();
            Ok(counts.sent == counts.approved + counts.declined)
        })?;
        let snapshot = self.busy.snapshot();
        assert_eq!((snapshot.counts.timed_out, snapshot.counts.unsent), (0, 0));
        let seconds = snapshot.latency.windows();
        let (alone, beside) = seconds.split_at(ALONE_S as usize);
        let worst = |of: &[simulators::platform::latency::Percentiles]| {
            let mut all: Vec<u64> = of.iter().map(|second| second.p99_us).collect();
            all.sort_unstable();
            all.get(all.len() / 2).copied().unwrap_or_default()
        };
        let (before, during) = (worst(alone), worst(beside));
        println!("p99 {before} us alone, {during} us beside; {written} bytes in {took} s");
        let bound = (20 * before).max(100_000);
        assert!(during < bound, "p99 {before} us alone and {during} us beside");
        assert_eq!(self.switch.metric("pointsman_impossible_total", "")?, 0.0);
        Ok(())
    }

    /// Bytes of log and journal so far; segments are written whole ahead of time, so that records
    /// are counted.
    fn written(&self) -> Tested<u64> {
        const RECORD: f64 = 600.0;
        let records = self.switch.metric("pointsman_journal_records_total", "")?;
        Ok(self.switch.logged().len() as u64 + (records * RECORD) as u64)
    }

    fn closed_for_it(&self, line: &str) -> Tested<bool> {
        let page = self.switch.page("/metrics")?;
        let mut ended = page.lines().filter(|l| l.starts_with("pointsman_sessions_ended_total"));
        Ok(ended.any(|l| l.contains(line) && l.contains("garbled_messages")))
    }
}

/// Writes `frames` over and over until the time is over or the session is.
fn pour(stream: &mut TcpStream, until: Instant, mut frames: impl FnMut(u32) -> Vec<u8>) -> Tested {
    stream.set_write_timeout(Some(Duration::from_millis(100)))?;
    stream.set_read_timeout(Some(Duration::from_millis(1)))?;
    let (mut turn, mut answers) = (0, [0; 4096]);
    let mut bytes = Vec::new();
    while Instant::now() < until {
        if bytes.is_empty() {
            for _ in 0..200 {
                turn += 1;
                bytes.extend(frames(turn));
            }
        }
        match stream.write(&bytes) {
            Ok(count) => drop(bytes.drain(..count)),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return Ok(()),
        }
        match stream.read(&mut answers) {
            Ok(0) => return Ok(()),
            Err(e) if !matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(());
            }
            _ => {}
        }
    }
    Ok(())
}

fn garbage(turn: u32) -> Vec<u8> {
    let noise = turn.wrapping_mul(2_654_435_761).to_be_bytes().repeat(12);
    framed(&[b"0200".as_slice(), &noise].concat())
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u16).to_be_bytes(), body].concat()
}

/// A frame with another STAN, which follows `F7`.
fn renumbered(message: &frames::Message, turn: u32) -> Tested<Vec<u8>> {
    let mut frame = message.at(&simulators::clock::stamp(simulators::clock::now_ms()));
    let stan = message.offset_of_f7().ok_or("no F7")? + 10;
    frame[stan..stan + 6].copy_from_slice(format!("{:06}", 1 + turn % 999_999).as_bytes());
    Ok(frame)
}

fn from_a_platform(frames: impl FnMut(u32) -> Vec<u8> + Send) -> Tested<Hall> {
    let hall = Hall::open()?;
    let mut stream = TcpStream::connect(hall.switch.door)?;
    hall.beside(|until| pour(&mut stream, until, frames))?;
    assert!(hall.closed_for_it("shop")?, "{}", hall.switch.logged());
    let log = hall.switch.logged();
    assert!(log.contains("its address is not let in for a while"), "{log}");
    assert!(hall.switch.metric("pointsman_sessions_slowed_total", "shop")? >= 1.0);
    Ok(hall)
}

fn from_a_bank(frames: impl FnMut(u32) -> Vec<u8> + Send) -> Tested<Hall> {
    let hall = Hall::open()?;
    let (mut stream, _) = hall.sea.accept()?;
    hall.beside(|until| pour(&mut stream, until, frames))?;
    assert!(hall.switch.metric("pointsman_sessions_slowed_total", "sea")? >= 1.0);
    Ok(hall)
}

#[test]
fn garbage_of_a_platform() -> Tested {
    let hall = from_a_platform(garbage)?;
    let taken = hall.switch.metric("pointsman_garbled_total", "shop")?;
    assert!(taken < TAKEN_IN, "{taken}");
    Ok(())
}

#[test]
fn functions_of_a_platform_that_nobody_knows() -> Tested {
    // F7, F11 and F70, which says 999.
    let ask = |turn: u32| {
        let fields = format!("0101000000{:06}999", 1 + turn % 999_999);
        let bitmaps = [0x82, 0x20, 0, 0, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 0, 0, 0];
        framed(&[b"0800".as_slice(), &bitmaps, fields.as_bytes()].concat())
    };
    let hall = from_a_platform(ask)?;
    let taken = hall.switch.metric("pointsman_network_total", "line=\"shop\"")?;
    assert!(taken < TAKEN_IN, "{taken}");
    Ok(())
}

#[test]
fn other_amounts_under_the_same_name() -> Tested {
    let asked = frames::requests()?.swap_remove(0).message;
    let day = simulators::clock::stamp(simulators::clock::now_ms());
    let amount = asked.offset_of_f7().ok_or("no F7")? - 12;
    let hall = from_a_platform(move |turn| {
        let mut frame = asked.at(&day);
        frame[amount..amount + 12].copy_from_slice(format!("{turn:012}").as_bytes());
        frame
    })?;
    let taken = hall.switch.metric("pointsman_duplicate_conflicts_total", "shop")?;
    assert!(taken < TAKEN_IN, "{taken}");
    Ok(())
}

#[test]
fn garbage_of_a_bank() -> Tested {
    let hall = from_a_bank(garbage)?;
    assert!(hall.closed_for_it("sea")?, "{}", hall.switch.logged());
    let taken = hall.switch.metric("pointsman_garbled_total", "sea")?;
    assert!(taken < TAKEN_IN, "{taken}");
    Ok(())
}

#[test]
fn answers_of_a_bank_to_nothing() -> Tested {
    let answer = frames::expected()?.swap_remove(0).message;
    let hall = from_a_bank(move |turn| renumbered(&answer, turn).unwrap_or_default())?;
    // They say that money moved: taken in slowly, all of them.
    let taken = hall.switch.metric("pointsman_unmatched_responses_total", "sea")?;
    assert!((1_000.0..4.0 * TAKEN_IN).contains(&taken), "{taken}");
    Ok(())
}

#[test]
fn who_connects_and_hangs_up() -> Tested {
    let hall = Hall::open()?;
    let door = hall.switch.door;
    hall.beside(|until| {
        while Instant::now() < until {
            drop(TcpStream::connect(door));
        }
        Ok(())
    })?;
    let refused = hall.switch.metric("pointsman_sessions_refused_total", "shop")?;
    assert!(refused > 100.0, "{refused}");
    let log = hall.switch.logged();
    assert!(log.contains("its address is not let in for a while"), "{log}");
    Ok(())
}

#[test]
fn silent_connections_keep_nobody_out() -> Tested {
    let (_stage, switch, mut shop) = Stage::opened(CALM, "warn")?;
    let requests = frames::requests()?;
    let silent: Vec<TcpStream> =
        (0..64).map(|_| TcpStream::connect(switch.door)).collect::<Result<_, _>>()?;
    assert_eq!(shop.ask_and_wait(&requests[0])?.code(), "00", "who waited in silence");
    let mut honest = Shop::new(SOON);
    honest.call(switch.door)?;
    assert_eq!(honest.ask_and_wait(&requests[1])?.code(), "00", "who came last");
    drop(silent);
    Ok(())
}

#[test]
fn a_mistake_in_fifty_is_nobody_s_concern() -> Tested {
    let hall = Hall::open()?;
    let requests = frames::requests()?;
    let mut stream = TcpStream::connect(hall.switch.door)?;
    stream.set_nodelay(true)?;
    // A repeat is answered from memory: what is asked costs the bank nothing.
    let day = simulators::clock::stamp(simulators::clock::now_ms());
    let honest = requests[0].message.at(&day);
    let (mut inbox, mut sent, mut heard) = (Vec::new(), 1_u32, 0_u32);
    stream.set_read_timeout(Some(Duration::from_millis(1)))?;
    stream.write_all(&honest)?;
    wait_until("the first is answered", SOON, || {
        heard += listen(&mut stream, &mut inbox)?;
        Ok(heard == 1)
    })?;
    let begun = Instant::now();
    while sent < 500 * 8 {
        let due = (begun.elapsed().as_secs_f64() * 500.0) as u32;
        while sent < due {
            sent += 1;
            let frame = if sent.is_multiple_of(50) { garbage(sent) } else { honest.clone() };
            stream.write_all(&frame)?;
        }
        heard += listen(&mut stream, &mut inbox)?;
    }
    wait_until("every request is answered", SOON, || {
        heard += listen(&mut stream, &mut inbox)?;
        Ok(heard >= sent - sent / 50)
    })?;
    assert_eq!(hall.switch.metric("pointsman_sessions_slowed_total", "")?, 0.0);
    assert!(hall.switch.metric("pointsman_garbled_total", "shop")? >= 80.0);
    Ok(())
}

fn listen(stream: &mut TcpStream, inbox: &mut Vec<u8>) -> Tested<u32> {
    let mut chunk = [0; 64 * 1024];
    match stream.read(&mut chunk) {
        Ok(0) => return Err("the session was closed".into()),
        Ok(len) => inbox.extend_from_slice(&chunk[..len]),
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
        Err(e) => return Err(e.into()),
    }
    let answers = crate::walk::whole_frames(inbox);
    let codes: Vec<_> =
        answers.iter().map(|frame| Answer::walk(frame)).collect::<Result<_, _>>()?;
    Ok(codes.iter().filter(|answer| answer.code() == "00").count() as u32)
}
