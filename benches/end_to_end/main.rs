//! `cargo bench --bench end_to_end`: platform → switch → bank over loopback TCP, durable, beside
//! baselines of our own in the same run: a direct connection, a framing-only relay, and that
//! relay made durable at both points, both on one thread and on two.
//!
//! Contract: rounds are interleaved and the median counts; every row is one JSON line with its
//! ratios to the better of the relays; the last line judges every goal, and calls a run whose
//! baselines are slow invalid. The subject is a process of its own on the same two cores as the
//! load and the bank. A full run takes ten minutes; `--quick` has three cases and three rounds.
//! `--svg FILE` draws the result. Words name cases (`closed-16`) or subjects (`switch-bcd`) to be
//! run alone. Without `--bench` (as the tests call it) one short round runs, so that nothing here
//! can rot.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock and paces itself")]

mod chart;
mod durable;
mod load;
mod relay;
mod report;
mod subject;
mod union_pay;
mod verdict;
mod who;
mod wire;

use load::Pace;
use report::{Row, Rows};
use std::io;
use std::time::Duration;
use subject::Subject;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use who::{LINES, Who};

/// How long a subject may take from its first connection to its first approval.
const LONGEST_START: Duration = Duration::from_secs(20);

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["relay", bank, threads, journal @ ..] => {
            let threads = if *threads == "2" { 2 } else { 1 };
            relay::run(bank, LINES, threads, journal.first().copied())
        }
        words => measure(words),
    }
}

/// Measures what the words name (cases like `closed-16`, subjects like `switch-bcd`), or all.
fn measure(words: &[&str]) -> io::Result<()> {
    let (whole, quick) = (words.contains(&"--bench"), words.contains(&"--quick"));
    let svg = words.iter().position(|word| *word == "--svg").and_then(|at| words.get(at + 1));
    let wanted = |names: &[&str], name: &str| {
        words.contains(&name) || !words.iter().any(|word| names.contains(word))
    };
    let paces: &[Pace] = if quick {
        &[Pace::Closed(16), Pace::Closed(1_024), Pace::Open(5_000)]
    } else if whole {
        &[
            Pace::Closed(1),
            Pace::Closed(16),
            Pace::Closed(256),
            Pace::Closed(1_024),
            Pace::Open(2_000),
            Pace::Open(5_000),
            Pace::Open(20_000),
        ]
    } else {
        &[Pace::Closed(16)]
    };
    let (rounds, length) = match (whole, quick) {
        (_, true) => (3, 1_000),
        (true, false) => (5, 1_500),
        (false, false) => (1, 150),
    };
    if whole {
        known(words, paces)?;
    }
    let names: Vec<String> = paces.iter().map(|pace| pace.name()).collect();
    let cases: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut rows = Rows::default();
    for round in 0..rounds {
        for pace in paces {
            if !wanted(&cases, &pace.name()) {
                continue;
            }
            for who in Who::ALL {
                let named = words.contains(&who.name());
                if !wanted(&Who::ALL.map(Who::name), who.name())
                    || !(who.takes_part(*pace) || named)
                {
                    continue;
                }
                let row = one(who, *pace, Duration::from_millis(length))?;
                eprintln!("round {} of {rounds}: {}", round + 1, row.line(None));
                rows.add(row);
            }
        }
    }
    rows.print(whole || quick)?;
    svg.map_or(Ok(()), |path| std::fs::write(path, rows.drawn()))
}

/// Refuses words that name nothing here: what was meant would not be measured.
///
/// # Errors
/// The first such word.
fn known(words: &[&str], paces: &[Pace]) -> io::Result<()> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let named = Who::ALL.iter().any(|who| who.name() == *word)
            || paces.iter().any(|pace| pace.name() == *word);
        match *word {
            "--bench" | "--quick" => {}
            "--svg" if words.next().is_some() => {}
            "--svg" => return Err(io::Error::other("--svg: expected a file name, got nothing")),
            _ if named => {}
            other => {
                let subjects = Who::ALL.map(Who::name).join(", ");
                let cases: Vec<String> = paces.iter().map(|pace| pace.name()).collect();
                let cases = cases.join(", ");
                return Err(io::Error::other(format!(
                    "`{other}`: expected --quick, --svg FILE, a case ({cases}) or a subject \
                     ({subjects})"
                )));
            }
        }
    }
    Ok(())
}

/// One subject, one pace, one round.
fn one(who: Who, pace: Pace, length: Duration) -> io::Result<Row> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let folder = tempfile::tempdir()?;
        let bank = who.bank().await?;
        let start = tokio::task::spawn_blocking({
            let (bank, folder) = (bank.clone(), folder.path().to_owned());
            move || who.start(&bank, &folder)
        });
        let subject = start.await.map_err(io::Error::other)??;
        let door = subject.as_ref().map_or(&bank, |s| &s.door).clone();
        let first = u64::from(std::process::id()) % 1_000;
        let template = wire::template("5555555555554444");
        let approved = timeout(LONGEST_START, until_approved(&door, first, &template)).await;
        let never = |_| io::Error::other(format!("{}: nothing was approved at all", who.name()));
        let first = approved.map_err(never)??;
        let before = usage(subject.as_ref())?;
        let warm = length / 3;
        let (measured, last) =
            load::run(&door, pace, warm, length, (first, [template].into())).await?;
        let after = usage(subject.as_ref())?;
        Ok(Row::new(who, pace, &measured, last - first, before, after))
    })
}

/// Asks until a request is approved: lines connect and sign in after the door has opened. The
/// number of the next request.
async fn until_approved(door: &str, first: u64, template: &[u8]) -> io::Result<u64> {
    let mut stream = TcpStream::connect(door).await?;
    let mut number = first;
    loop {
        let mut frame = template.to_vec();
        wire::request(&mut frame, number, wire::stamp(wire::unix_millis() / 1_000));
        number += 1;
        stream.write_all(&frame).await?;
        let mut answer = vec![0; 2];
        stream.read_exact(&mut answer).await?;
        answer.resize(2 + usize::from(u16::from_be_bytes([answer[0], answer[1]])), 0);
        stream.read_exact(&mut answer[2..]).await?;
        if wire::is_approved(&answer) {
            return Ok(number);
        }
        sleep(Duration::from_millis(10)).await;
    }
}

fn usage(subject: Option<&Subject>) -> io::Result<subject::Usage> {
    subject.map_or(Ok(subject::Usage::default()), Subject::usage)
}
