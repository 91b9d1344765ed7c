//! `cargo bench --bench soak`: whether the switch stays as it is under load and faults.
//!
//! Contract: the real binary runs with small segments, frequent checkpoints and a duplicate
//! window that fills early, under an open loop of half the peak measured at the start, or less
//! where that is declined (`--rate N`: that rate), for `--minutes N` (10). Originals can be
//! recalled for a minute only, so that segments retire and are recycled. Faults strike one of
//! its three banks all the time; healthy traffic goes to another. Every 30 s (nine times in
//! shorter runs) one JSON line; the last line is the verdict: of the rows after all had settled,
//! the last third against the first. `--isolation` runs something else: baseline and
//! trouble in turns, one line with the ratio of healthy p99 per trouble. Exit code 1 where it
//! is not flat, or not isolated. Without `--bench` (as the tests call it) both run for moments
//! and only have to complete.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock and paces itself")]

mod healthy;
#[path = "../end_to_end/load.rs"]
mod load;
mod narrow;
mod stage;
#[path = "../end_to_end/subject.rs"]
mod subject;
mod trouble;
mod watch;
#[path = "../end_to_end/wire.rs"]
mod wire;

use load::Pace;
use simulators::bank::command::Command;
use simulators::proxy::Fault;
use stage::{HEALTHY, Stage};
use std::io;
use std::time::{Duration, Instant};
use tokio::task::LocalSet;
use tokio::time::sleep;
use watch::Row;

/// Segments retire steadily from here on: what was written first is past recall, two checkpoints
/// lie behind it, and one more has let it go.
const SETTLED: Duration = stage::RECALL.saturating_add(stage::CHECKPOINT.saturating_mul(3));

/// A stall as a busy host causes them now and then. What its backlog takes the switch keeps for the
/// next one, once: with it before what is compared, a stall that nobody ordered looks like no leak.
const STALL: Duration = Duration::from_millis(300);

/// What the command line asks for.
struct Wanted {
    whole: bool,
    isolation: bool,
    minutes: f64,
    rate: Option<u64>,
}

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let wanted = Wanted::read(&words)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, run(&wanted))
}

impl Wanted {
    fn read(words: &[String]) -> io::Result<Self> {
        let mut wanted = Self { whole: false, isolation: false, minutes: 10.0, rate: None };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--bench" => wanted.whole = true,
                "--isolation" => wanted.isolation = true,
                "--minutes" => wanted.minutes = positive(word, words.next())?,
                "--rate" => wanted.rate = Some(positive(word, words.next())?.max(1.0) as u64),
                "--quiet" | "--nocapture" => {} // What a test runner may add.
                other => {
                    return Err(io::Error::other(format!(
                        "`{other}`: expected --minutes N, --rate N or --isolation"
                    )));
                }
            }
        }
        Ok(wanted)
    }
}

fn positive(option: &str, given: Option<&String>) -> io::Result<f64> {
    let number = given.and_then(|word| word.parse::<f64>().ok());
    number.filter(|n| n.is_finite() && *n > 0.0).ok_or_else(|| {
        let got = given.map_or("nothing", String::as_str);
        io::Error::other(format!("{option}: expected a number above 0, got `{got}`"))
    })
}

async fn run(wanted: &Wanted) -> io::Result<()> {
    let window = if wanted.whole { 100_000 } else { 100 };
    let stage = Stage::start(window).await?;
    let rate = match wanted.rate {
        Some(rate) => rate,
        None => default_rate(&stage, wanted.whole).await?,
    };
    let good = match (wanted.whole, wanted.isolation) {
        (true, true) => trouble::isolation(&stage, rate, 3, Duration::from_secs(4)).await?,
        (true, false) => {
            let total = Duration::from_secs_f64(wanted.minutes * 60.0);
            soak(&stage, rate, total, (window, true)).await?
        }
        (false, _) => {
            soak(&stage, rate, Duration::from_millis(1_800), (window, false)).await?;
            trouble::isolation(&stage, rate, 1, Duration::from_millis(200)).await?;
            true
        }
    };
    if good { Ok(()) } else { Err(io::Error::other("the goal is missed: see the lines above")) }
}

/// Half of a short closed-loop peak; halved again while an open loop at it has anything declined,
/// because a closed loop never queues and an open one on a busy machine does.
async fn default_rate(stage: &Stage, whole: bool) -> io::Result<u64> {
    let long = Duration::from_millis(if whole { 3_000 } else { 100 });
    let pace = Pace::Closed(256);
    let peak = stage.load(HEALTHY, pace, long).await?;
    let per_s = (peak.approved as f64 / peak.elapsed.as_secs_f64()) as u64;
    println!("{}", serde_json::json!({ "case": pace.name(), "tx_per_second": per_s }));
    // The tests run beside each other: there no rate may be more than anybody can do.
    let mut rate = (per_s / 2).clamp(8, if whole { u64::MAX } else { 200 });
    while whole && rate >= 16 {
        let tried = stage.load(HEALTHY, Pace::Open(rate), long).await?;
        let line = serde_json::json!({
            "case": Pace::Open(rate).name(), "declined": tried.other,
            "p99_us": tried.latency.value_at_quantile(0.99),
        });
        println!("{line}");
        if tried.other == 0 {
            break;
        }
        rate /= 2;
    }
    Ok(rate)
}

/// Load and faults for so long; whether all stayed flat.
async fn soak(
    stage: &Stage,
    rate: u64,
    total: Duration,
    (window, whole): (u64, bool),
) -> io::Result<bool> {
    let length = (total / 9).min(Duration::from_secs(30));
    let count = (total.as_secs_f64() / length.as_secs_f64()).round() as usize;
    let began = Instant::now();
    let (mut filled, mut rows) = (Vec::new(), 0);
    for number in 0..count {
        // Before it forgets, the window holds an eighth more; by age it is full after `RECALL`.
        let full = stage.requests() >= window + window / 8 || began.elapsed() >= stage::RECALL;
        let was_settled = full && (!whole || began.elapsed() >= SETTLED);
        let (healthy, sick, slow, struck) = tokio::join!(
            stage.load(HEALTHY, Pace::Open(rate), length),
            stage.load(stage::SICK, Pace::Open(stage::OTHER_RATE), length),
            stage.load(stage::SLOW, Pace::Open(stage::OTHER_RATE), length),
            faults(stage, number, length),
        );
        struck?;
        // What the load left open is answered and closed before anything is counted.
        sleep(length.min(stage::TIMEOUT)).await;
        let row = Row::new(began.elapsed(), &healthy?, &sick?, &slow?, stage)?;
        println!("{}", row.line(was_settled));
        rows += 1;
        if was_settled {
            filled.push(row);
        }
    }
    let verdict = watch::verdict(&filled, rows);
    println!("{}", verdict.line());
    Ok(verdict.is_flat())
}

/// What strikes the banks within one row; at its end they are well, so that rows compare. In the
/// first, which is never compared, the switch itself stands still.
async fn faults(stage: &Stage, number: usize, length: Duration) -> io::Result<()> {
    let part = length / 10;
    sleep(part).await;
    if number == 0 && part > STALL {
        stage.stall(STALL).await?;
    }
    stage.sick.command(&Command::Disconnect);
    sleep(part).await;
    stage.sick.command(&Command::Silent(part.min(Duration::from_secs(3))));
    stage.narrow.narrow(true);
    sleep(part * 2).await;
    stage.narrow.narrow(false);
    // Longer than its timeout: each is declined, reversed, and its late answer thrown away.
    stage.sick.command(&Command::Slow(stage::TIMEOUT * 3 / 2, 20));
    stage.slow.command(&Command::Late(stage::TIMEOUT * 3 / 2, 20));
    sleep(part * 2).await;
    let each_minute = Duration::from_secs(60).as_millis() / length.as_millis().max(1);
    if length < Duration::from_secs(30) || (number as u128).is_multiple_of(each_minute) {
        stage.proxy.command(&Fault::Cut);
    }
    sleep(part).await;
    stage.sick.command(&Command::Heal);
    stage.slow.command(&Command::Heal);
    Ok(())
}
