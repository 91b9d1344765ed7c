//! How long a restart takes with everything it really does: reading, checking and opening batches,
//! decoding records, `apply`. And what a checkpoint costs: how long the switch stands still for the
//! snapshot, and how long the thread beside it encodes and writes.
//!
//! The records are those of purchases through the real switch, as the demo is configured: a frame
//! of the platform's dialect, an approval, both durable points, and what is noted beside them.
//! Cases: 1,000,000 records and no checkpoint; the worst moment of the default cadence, when the
//! next checkpoint is due and being written, so that all since the one before has to be replayed;
//! 10,000,000 records with a checkpoint every 1,500,000 (`--total N` for another number). Prints
//! JSON lines. Without `--bench` (as a test) it runs each for a moment only.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use pointsman::canonical::{self, Answer, Canonical, Flow, Kind, NetworkFunction};
use pointsman::config::load;
use pointsman::iso8583::{Dialect, Message, shipped, unpack};
use pointsman::journal::{
    Backend, Batch, CheckpointWriter, Class, DataKey, DiskBackend, JournalError, Options, Writer,
    os_entropy, recover,
};
use pointsman::meaning::ResponseClass;
use pointsman::server::replaying::replay;
use pointsman::switch::Switch;
use pointsman::switch::ids::{LineId, SessionId};
use pointsman::switch::input::Input;
use pointsman::switch::output::{Output, Send};
use pointsman::switch::policy::Policy;
use pointsman::text::Text;
use pointsman::time::{Instant, Now, Wall};
use serde_json::json;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant as Stopwatch;

type Done<T> = Result<T, Box<dyn Error>>;

const DEMO: &str = include_str!("../specs/examples/demo.toml");
const REQUESTS: &str = include_str!("../specs/vectors/end_to_end/requests.jsonl");
const MIDNIGHT_MS: i64 = 1_795_305_600_000;
/// Purchases between two batches of the journal, and in flight at once.
const TURN: usize = 256;
/// A fifth of a millisecond between purchases: 5,000 a second.
const PACE_NANOS: u64 = 200_000;
/// Records that a switch may still write while it writes a checkpoint of a full window: a second
/// of 75,000 transactions. The thread that writes it needs less.
const WRITING: u64 = 150_000;
const GOAL_SECONDS: f64 = 2.0;

fn main() -> Done<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let measuring = arguments.iter().any(|argument| argument == "--bench");
    let asked = arguments.iter().position(|argument| argument == "--total");
    let total = asked.and_then(|at| arguments.get(at + 1)).and_then(|count| count.parse().ok());
    let (short, long, every, writing) = if measuring {
        (1_000_000, 10_000_000, 1_500_000, WRITING)
    } else {
        (2_000, 8_000, 3_000, 100)
    };
    // Beside the build output, because a temporary folder may lie in memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let plan = |total, every, most| Plan { total, every, most };
    case("no checkpoint", &folder.path().join("short"), &plan(short, u64::MAX, 0))?;
    // By the third one the duplicate window is full.
    let worst = plan(every * 4 + writing, every, 3);
    case("worst moment", &folder.path().join("worst"), &worst)?;
    let long = plan(total.unwrap_or(long), every, usize::MAX);
    case("checkpoints", &folder.path().join("long"), &long)
}

/// What is in the journal when the switch is started again.
struct Plan {
    /// Records.
    total: u64,
    /// Records from one checkpoint to the next.
    every: u64,
    /// Checkpoints at most: later ones did not come to their end.
    most: usize,
}

fn policy() -> Done<Arc<Policy>> {
    let text = DEMO.replace("sign_on = \"line\"", "sign_on = \"no\"");
    let settings = load(&text, &|name| shipped(name).map(str::to_owned))?;
    Ok(settings.policy)
}

/// The first purchase for River, read as its session reads it.
fn purchase() -> Done<Canonical> {
    let lines = REQUESTS.lines().map(serde_json::from_str::<serde_json::Value>);
    let requests = lines.collect::<Result<Vec<_>, _>>()?;
    let asked = requests.iter().find(|r| r["kind"] == "purchase" && r["bank"] == "river");
    let frame = asked.and_then(|r| r["message"]["frame"].as_str()).ok_or("no purchase")?;
    let byte = |at| frame.get(at..at + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
    // Behind the two length bytes.
    let body: Vec<u8> = (4..frame.len()).step_by(2).map_while(byte).collect();
    let source = |name: &str| shipped(name).map(str::to_owned);
    let dialect = Dialect::compile("iso8583-1987-ascii", &source).map_err(|e| format!("{e:?}"))?;
    let mut message = Message::new();
    unpack(&dialect, &body, &mut message).map_err(|e| e.to_string())?;
    let mut msg = Canonical::new(Kind::NetworkManagement(NetworkFunction::Echo), Flow::Request);
    canonical::read(&dialect, &message, &mut msg)?;
    Ok(msg)
}

/// The switch between a platform and a bank that approves everything.
struct Traffic {
    switch: Switch,
    template: Canonical,
    /// Purchases so far.
    step: u64,
    batch: Batch,
    records: u64,
    bytes: u64,
}

impl Traffic {
    fn new() -> Done<Self> {
        let (policy, template) = (policy()?, purchase()?);
        let mut traffic = Self {
            switch: Switch::new(policy, 1),
            template,
            step: 0,
            batch: Batch::new(1),
            records: 0,
            bytes: 0,
        };
        traffic.switch.start(traffic.now());
        for (line, session) in [(0, 1), (1, 2)] {
            let (line, session) = (LineId(line), SessionId(session));
            traffic.switch.handle(traffic.now(), Input::LineUp { line, session });
        }
        traffic.released();
        Ok(traffic)
    }

    fn now(&self) -> Now {
        let nanos = self.step * PACE_NANOS;
        let wall = Wall::from_millis(MIDNIGHT_MS + (nanos / 1_000_000) as i64);
        Now { mono: Instant::from_nanos(nanos), wall }
    }

    /// Takes what the switch says: records go to the batch, messages leave.
    fn drain(&mut self, sent: &mut Vec<Send>) {
        while let Some(output) = self.switch.poll() {
            match output {
                Output::Append(_, record) => {
                    let before = self.batch.sealed_len();
                    self.batch.push_with(|buffer| record.encode(buffer));
                    self.bytes += (self.batch.sealed_len() - before) as u64;
                    self.records += 1;
                }
                Output::Send(send) => sent.push(send),
                _ => {}
            }
        }
    }

    fn released(&mut self) -> Vec<Send> {
        let (mut sent, now) = (Vec::new(), self.now());
        self.drain(&mut sent);
        for send in &sent {
            self.switch.handle(now, Input::Released { id: send.id });
        }
        self.drain(&mut Vec::new());
        sent
    }

    fn turn(&mut self) -> Done<()> {
        while self.switch.deadline().is_some_and(|deadline| deadline <= self.now().mono) {
            self.switch.handle(self.now(), Input::Timer);
        }
        for _ in 0..TURN {
            self.step += 1;
            let mut msg = Box::new(self.template.clone());
            msg.stan = Some(1 + (self.step % 999_999) as u32);
            let (session, now) = (SessionId(1), self.now());
            // Of the time it is: an older one might be forgotten, and asked for in the journal.
            msg.transmission = now.wall.utc().strftime("%m%d%H%M%S").to_string().parse().ok();
            let received = now.mono;
            self.switch.handle(now, Input::Message { session, received, msg });
        }
        let code: Text<4> = "00".parse().unwrap_or_default();
        for send in self.released() {
            let mut msg = send.msg;
            msg.flow = msg.flow.answer().unwrap_or(msg.flow);
            msg.auth_id = "123456".parse().ok();
            msg.answer = Some(Answer::Given { class: ResponseClass::Approved, code });
            let (session, received) = (SessionId(2), self.now().mono);
            self.switch.handle(self.now(), Input::Message { session, received, msg });
        }
        let answered = self.released().len();
        if answered == TURN { Ok(()) } else { Err(format!("{answered} of {TURN} answered").into()) }
    }
}

fn key() -> DataKey {
    DataKey::new([9; 32])
}

/// Writes records and checkpoints, then restarts and says how long it took.
fn case(name: &str, folder: &Path, plan: &Plan) -> Done<()> {
    let options = Options::default();
    let backend: Arc<dyn Backend> = Arc::new(DiskBackend::open(folder)?);
    let recovered = recover(backend.as_ref(), &key(), &options, &mut |_| Ok(()))?;
    let (now, held) = (Wall::from_millis(MIDNIGHT_MS), Arc::clone(&backend));
    let mut writer = Writer::start(held, key(), options, &recovered, os_entropy(), now)?;
    let mut traffic = Traffic::new()?;
    let (mut covered, mut costs) = (0, Vec::new());
    while traffic.records < plan.total {
        traffic.turn()?;
        writer.append(&mut traffic.batch, Class::Ordinary, now)?;
        if traffic.records - covered >= plan.every && costs.len() < plan.most {
            covered = writer.sync()?;
            costs.push(checkpoint(backend.as_ref(), &writer, &traffic.switch)?);
        }
    }
    writer.sync()?;
    drop((writer, backend));
    let live = traffic.switch.checkpoint();
    report_checkpoints(&costs);
    restart(name, folder, &traffic, &live.1)
}

/// Milliseconds of the snapshot, of its encoding alone, of encoding and writing together, and its
/// bytes.
fn checkpoint(backend: &dyn Backend, writer: &Writer, switch: &Switch) -> Done<[f64; 4]> {
    let ms = |since: Stopwatch| since.elapsed().as_secs_f64() * 1e3;
    let begun = Stopwatch::now();
    let snapshot = switch.snapshot();
    let (paused, begun) = (ms(begun), Stopwatch::now());
    let mut bytes = 0;
    snapshot.encode::<JournalError>(&mut |piece| {
        bytes += std::hint::black_box(piece).len();
        Ok(())
    })?;
    let (encoded, begun) = (ms(begun), Stopwatch::now());
    let (key, map, upto) = (key(), writer.map(), snapshot.upto().0);
    let mut writer = CheckpointWriter::begin(backend, &key, &map, &mut os_entropy(), upto)?;
    snapshot.encode(&mut |piece| writer.write(piece))?;
    writer.finish()?;
    Ok([paused, encoded, ms(begun), bytes as f64])
}

fn report_checkpoints(costs: &[[f64; 4]]) {
    if costs.is_empty() {
        return;
    }
    let worst = |at: usize| costs.iter().map(|cost| cost[at]).fold(0.0, f64::max);
    let line = json!({
        "case": "checkpoint",
        "checkpoints": costs.len(),
        "pause_ms_max": worst(0),
        "encode_ms_max": worst(1),
        "write_ms_max": worst(2),
        "bytes_max": worst(3),
    });
    println!("{line}");
}

fn restart(name: &str, folder: &Path, traffic: &Traffic, live: &[u8]) -> Done<()> {
    let backend = DiskBackend::open(folder)?;
    let mut switch = Switch::new(policy()?, 1);
    let begun = Stopwatch::now();
    let (recovered, _) = replay(&backend, &key(), &Options::default(), &mut switch)?;
    let seconds = begun.elapsed().as_secs_f64();
    if switch.checkpoint().1 != live {
        return Err("the restarted switch is not as it was".into());
    }
    let line = json!({
        "case": "restart",
        "of": name,
        "records": traffic.records,
        "bytes_per_record": traffic.bytes / traffic.records,
        "from_checkpoint": recovered.checkpoint,
        "replayed": recovered.records,
        "ms": (seconds * 1e3).round(),
        "records_per_s": (recovered.records as f64 / seconds).round(),
        "goal_s": GOAL_SECONDS,
        "met": seconds <= GOAL_SECONDS,
    });
    println!("{line}");
    Ok(())
}
