//! `cargo bench --bench saf_backlog`: what a dead bank, a poison entry and a SAF of 100,000 cost
//! the healthy bank beside it, and how fast the backlog goes once its bank is back.
//!
//! Contract: two switches of the same build run beside each other, one with every bank well, one
//! whose other bank hears everything, answers nothing and is owed the backlog; rounds of both
//! are interleaved and the ratio of the median p99 of healthy traffic is the figure (goal: at
//! most 2). Then the bank speaks again: one entry it never accepts, the rest in order per card, at
//! `live_rate_per_s` at least while it has live requests and as fast as these leave room, as fast
//! as it answers when it has none. Prints JSON lines. Without `--bench` (as the tests call it) a
//! small backlog runs once, so that nothing here can rot.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock and paces itself")]

#[path = "saf_backlog/dead_bank.rs"]
mod dead_bank;
#[expect(dead_code, reason = "the load of the end-to-end benchmark, of which this uses a part")]
#[path = "end_to_end/load.rs"]
mod load;
#[path = "saf_backlog/preload.rs"]
mod preload;
#[path = "end_to_end/subject.rs"]
mod subject;
#[path = "end_to_end/wire.rs"]
mod wire;

use dead_bank::DeadBank;
use load::{Measured, Pace};
use serde_json::json;
use std::cell::Cell;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use subject::Subject;
use tokio::task::LocalSet;

/// Requests per second for the healthy bank.
const HEALTHY_RATE: u64 = 2_000;
/// Requests per second for the other one.
const OTHER_RATE: u64 = 50;
/// Tries per second that the backlog may take beside live requests.
const LIVE_RATE: u32 = 1_000;
/// At most this may the p99 of healthy traffic grow.
const RATIO_GOAL: f64 = 2.0;
/// Cards of the two banks.
const HEALTHY_CARD: &str = "5555555555554444";
const OTHER_CARD: &str = "4111111111111111";

/// How much is done.
struct Size {
    backlog: u32,
    rounds: usize,
    length: Duration,
    drain: Duration,
}

fn main() -> io::Result<()> {
    let whole = std::env::args().any(|word| word == "--bench");
    let ms = Duration::from_millis;
    let size = if whole {
        Size { backlog: 100_000, rounds: 5, length: ms(3_000), drain: ms(10_000) }
    } else {
        Size { backlog: 1_000, rounds: 1, length: ms(300), drain: ms(300) }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, measure(&size, whole))
}

/// Two switches and their banks.
struct Stage {
    well: Subject,
    troubled: Subject,
    dead: DeadBank,
    /// Numbers of requests, so that no key repeats.
    next: Cell<u64>,
}

async fn measure(size: &Size, whole: bool) -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let healthy = load::bank(|frame, out| wire::answer(&wire::BCD, frame, out)).await?;
    let well_other = load::bank(|frame, out| wire::answer(&wire::ASCII, frame, out)).await?;
    let dead = DeadBank::start()?;
    let (well_home, home) = (folder.path().join("well"), folder.path().join("troubled"));
    write_configuration(&well_home, &healthy, &well_other)?;
    write_configuration(&home, &healthy, &dead.address)?;
    let began = Instant::now();
    preload::write(&home.join("journal"), size.backlog).map_err(io::Error::other)?;
    let preloaded = began.elapsed();
    let began = Instant::now();
    let start = move || Ok::<_, io::Error>((serve(&home)?, serve(&well_home)?));
    let started = tokio::task::spawn_blocking(start).await.map_err(io::Error::other)?;
    let (troubled, well) = started?;
    let ready_ms = began.elapsed().as_millis() as u64;
    print(&json!({
        "case": "start", "backlog": size.backlog, "ready_ms": ready_ms,
        "preload_ms": preloaded.as_millis() as u64,
    }));
    let stage = Stage { well, troubled, dead, next: Cell::new(1) };
    stage.dead.wait_for_tries(1)?;
    let ratio = stage.interleave(size).await?;
    stage.come_back(size).await?;
    let verdict = if ratio <= RATIO_GOAL { "met" } else { "missed" };
    print(&json!({ "case": "goal", "p99_ratio": ratio, "goal": RATIO_GOAL, "verdict": verdict }));
    if whole && ratio > RATIO_GOAL {
        return Err(io::Error::other("the goal is missed"));
    }
    Ok(())
}

impl Stage {
    /// Healthy traffic beside a bank that is well, and beside the dead one, in turns.
    async fn interleave(&self, size: &Size) -> io::Result<f64> {
        let (mut calm, mut beside) = (Vec::new(), Vec::new());
        for round in 0..size.rounds {
            for (phase, subject, p99s) in
                [("baseline", &self.well, &mut calm), ("trouble", &self.troubled, &mut beside)]
            {
                let before = subject.usage()?;
                let (healthy, other) = tokio::join!(
                    self.load(subject, HEALTHY_RATE, HEALTHY_CARD, size.length),
                    self.load(subject, OTHER_RATE, OTHER_CARD, size.length),
                );
                let (healthy, other, after) = (healthy?, other?, subject.usage()?);
                let at = |quantile| healthy.latency.value_at_quantile(quantile);
                p99s.push(at(0.99));
                print(&json!({
                    "case": phase, "round": round + 1, "p50_us": at(0.5), "p99_us": at(0.99),
                    "max_us": healthy.latency.max(), "approved": healthy.approved,
                    "declined": healthy.other, "other_bank_approved": other.approved,
                    "cpu_ms": (after.cpu_micros - before.cpu_micros) / 1_000,
                    "memory_mib": after.resident_kib / 1_024,
                    "memory_peak_mib": after.peak_kib / 1_024,
                    "tries_of_backlog": self.dead.tries(),
                }));
            }
        }
        let (calm, beside) = (median(&mut calm), median(&mut beside));
        Ok(beside as f64 / calm.max(1) as f64)
    }

    /// The dead bank speaks again: first beside live requests, then alone.
    async fn come_back(&self, size: &Size) -> io::Result<()> {
        self.dead.speak();
        // What timed out on the way is tried within its pause.
        let (done, began) = (self.dead.taken(), Instant::now());
        let (healthy, other) = tokio::join!(
            self.load(&self.troubled, HEALTHY_RATE, HEALTHY_CARD, size.drain),
            self.load(&self.troubled, OTHER_RATE, OTHER_CARD, size.drain),
        );
        let (healthy, other) = (healthy?, other?);
        let per_s = (self.dead.taken() - done) as f64 / began.elapsed().as_secs_f64();
        print(&json!({
            "case": "drain beside live requests", "taken_per_s": per_s, "least_per_s": LIVE_RATE,
            "healthy_p99_us": healthy.latency.value_at_quantile(0.99),
            "live_p99_us": other.latency.value_at_quantile(0.99), "live_approved": other.approved,
        }));
        let (left, began) = (u64::from(size.backlog) - 1, Instant::now());
        let done = self.dead.taken();
        while self.dead.preloaded_taken() < left {
            if began.elapsed() > Duration::from_secs(120) {
                return Err(io::Error::other("the backlog does not go"));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let took = began.elapsed().as_secs_f64();
        print(&json!({
            "case": "drain alone", "taken": self.dead.taken() - done, "seconds": took,
            "taken_per_s": (self.dead.taken() - done) as f64 / took,
            "cards": preload::CARDS.len(), "out_of_order": self.dead.out_of_order(),
            "taken_twice": self.dead.taken_twice(), "poison_tries": self.dead.poison_tries(),
        }));
        if self.dead.out_of_order() + self.dead.taken_twice() > 0 || self.dead.poison_tries() == 0 {
            return Err(io::Error::other("order or the poison entry: see the line above"));
        }
        Ok(())
    }

    async fn load(
        &self,
        subject: &Subject,
        rate: u64,
        card: &str,
        length: Duration,
    ) -> io::Result<Measured> {
        // Each load has numbers of its own: a tenth of all that there are.
        let first = self.next.get();
        self.next.set(first + 90_000);
        let templates = [wire::template(card)].into();
        let (warm, pace) = (length / 5, Pace::Open(rate));
        Ok(load::run(&subject.door, pace, warm, length, (first, templates)).await?.0)
    }
}

fn median(values: &mut [u64]) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn print(line: &serde_json::Value) {
    println!("{line}");
}

fn serve(home: &Path) -> io::Result<Subject> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
    command.arg("serve").arg(home.join("bench.toml")).args(["--log", "error"]);
    Subject::start(command, true, |_| {})
}

fn write_configuration(home: &Path, healthy: &str, other: &str) -> io::Result<()> {
    std::fs::create_dir_all(home)?;
    std::fs::write(home.join("journal-key.hex"), preload::KEY)?;
    let text = format!(
        "[journal]\nfolder = \"journal\"\nkey = \"file:journal-key.hex\"\n\
         segment_bytes = 16777216\n\
         [platform.shop]\nlisten = \"127.0.0.1:0\"\ndialect = \"iso8583-1987-ascii\"\n\
         framing = \"2-byte-be\"\nbudget_ms = 5000\nmargin_ms = 500\nmax_in_flight = 4096\n\
         [bank.healthy]\ndialect = \"iso8583-1987-bcd\"\nframing = \"2-byte-be-tpdu\"\n\
         tpdu = \"6000010002\"\nwindow = 4096\nsign_on = \"no\"\nresponse_timeout_ms = 4000\n\
         default_merchant = \"RIVER0000000001\"\ndefault_terminal = \"RIV00001\"\n\
         [[bank.healthy.line]]\nconnect = [\"{healthy}\"]\n\
         [bank.{bank}]\ndialect = \"iso8583-1987-ascii\"\nframing = \"2-byte-be\"\nwindow = 4096\n\
         sign_on = \"no\"\nresponse_timeout_ms = 500\noriginal_lifetime_ms = 1000\n\
         default_merchant = \"RIVER0000000001\"\ndefault_terminal = \"RIV00001\"\n\
         [[bank.{bank}.line]]\nconnect = [\"{other}\"]\n\
         [bank.{bank}.saf]\nslots = 64\ntimeout_ms = 200\nfirst_retry_ms = 200\n\
         max_retry_ms = 1000\nlive_rate_per_s = {LIVE_RATE}\n\
         [[route]]\nname = \"other\"\npan = [\"4\"]\nbank = \"{bank}\"\n\
         [[route]]\nname = \"all\"\nbank = \"healthy\"\n",
        bank = preload::BANK,
    );
    std::fs::write(home.join("bench.toml"), text)
}
