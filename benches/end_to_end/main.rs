//! `cargo bench --bench end_to_end`: platform → switch → bank over loopback TCP, durable, beside
//! three baselines of our own in the same run: a direct connection, a framing-only relay, and
//! that relay made durable at both points.
//!
//! Contract: rounds are interleaved and the median counts; every row is one JSON line with its
//! ratios to the relays; a run whose baselines are slow is called invalid. The subject is a
//! process of its own on the same two cores as the load and the bank. A full run takes seven
//! minutes; `--quick` has three cases and three rounds. `--svg FILE` draws the result. Words name
//! cases (`closed-16`) or subjects (`switch-bcd`) to be run alone. Without `--bench` (as the tests
//! call it) one short round runs, so that nothing here can rot.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock and paces itself")]

mod chart;
mod durable;
mod load;
mod relay;
mod report;
mod subject;
mod wire;

use load::Pace;
use report::{Row, Rows};
use std::io;
use std::process::Command;
use std::time::Duration;
use subject::Subject;

/// Lines to the bank, for relays and switch alike.
const LINES: usize = 2;

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// The load speaks to the bank itself.
    Direct,
    /// A relay that cuts frames and matches STANs.
    Framing,
    /// The same, durable at both points.
    Durable,
    /// The switch, an ASCII platform and a bank in BCD behind a TPDU.
    Switch,
}

const SUBJECTS: [Who; 4] = [Who::Direct, Who::Framing, Who::Durable, Who::Switch];

impl Who {
    /// Its name in the rows.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Framing => "framing-relay",
            Self::Durable => "durable-relay",
            Self::Switch => "switch-bcd",
        }
    }
}

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["relay", bank] => relay::run(bank, LINES, wire::STAN_AT, None),
        ["relay", bank, journal] => relay::run(bank, LINES, wire::STAN_AT, Some(journal)),
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
        (false, false) => (1, 200),
    };
    let names: Vec<String> = paces.iter().map(|pace| pace.name()).collect();
    let cases: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut rows = Rows::default();
    for round in 0..rounds {
        for pace in paces {
            if !wanted(&cases, &pace.name()) {
                continue;
            }
            for who in SUBJECTS {
                if !wanted(&SUBJECTS.map(Who::name), who.name()) {
                    continue;
                }
                let row = one(who, *pace, Duration::from_millis(length))?;
                eprintln!("round {} of {rounds}: {}", round + 1, row.line(None, None));
                rows.add(row);
            }
        }
    }
    rows.print(whole || quick)?;
    svg.map_or(Ok(()), |path| std::fs::write(path, rows.drawn()))
}

/// One subject, one pace, one round.
fn one(who: Who, pace: Pace, length: Duration) -> io::Result<Row> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let folder = tempfile::tempdir()?;
        let coding = if who == Who::Switch { &wire::BCD } else { &wire::ASCII };
        let bank = load::bank(coding).await?;
        let start = tokio::task::spawn_blocking({
            let (bank, folder) = (bank.clone(), folder.path().to_owned());
            move || start(who, &bank, &folder)
        });
        let subject = start.await.map_err(io::Error::other)??;
        let door = subject.as_ref().map_or(&bank, |s| &s.door).clone();
        let first = u64::from(std::process::id()) % 1_000;
        let template = wire::template(&wire::month_day_hour(), "5555555555554444");
        let before = usage(subject.as_ref())?;
        let warm = length / 3;
        let (measured, last) = load::run(&door, pace, warm, length, (first, template)).await?;
        let after = usage(subject.as_ref())?;
        Ok(Row::new(who, pace, &measured, last - first, before, after))
    })
}

fn usage(subject: Option<&Subject>) -> io::Result<subject::Usage> {
    subject.map_or(Ok(subject::Usage { cpu_micros: 0, resident_kib: 0 }), Subject::usage)
}

fn start(who: Who, bank: &str, folder: &std::path::Path) -> io::Result<Option<Subject>> {
    let relay = || -> io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("relay").arg(bank);
        Ok(command)
    };
    match who {
        Who::Direct => Ok(None),
        Who::Framing => Subject::start(relay()?, false).map(Some),
        Who::Durable => {
            let mut command = relay()?;
            command.arg(folder);
            Subject::start(command, false).map(Some)
        }
        Who::Switch => {
            let config = folder.join("bench.toml");
            std::fs::write(&config, configuration(bank))?;
            let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
            command.arg("serve").arg(config).env("RUST_LOG", "error");
            Subject::start(command, true).map(Some)
        }
    }
}

fn configuration(bank: &str) -> String {
    let line = format!("[[bank.river.line]]\nconnect = [\"{bank}\"]\nfirst_retry_ms = 10\n");
    format!(
        "[journal]\nfolder = \"journal\"\nsegment_bytes = 67108864\n\
         [duplicates]\ncount = 1_000_000\n\
         [platform.shop]\nlisten = \"127.0.0.1:0\"\ndialect = \"iso8583-1987-ascii\"\n\
         framing = \"2-byte-be\"\nmax_in_flight = 4096\n\
         [bank.river]\ndialect = \"iso8583-1987-bcd\"\nframing = \"2-byte-be-tpdu\"\n\
         tpdu = \"6000010002\"\nwindow = 4096\ndefault_merchant = \"RIVER0000000001\"\n\
         default_terminal = \"RIV00001\"\nsign_on = \"no\"\n{}\
         [[route]]\nname = \"all\"\nbank = \"river\"\n",
        line.repeat(LINES)
    )
}
