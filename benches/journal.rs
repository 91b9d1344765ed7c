//! How close the journal comes to the disk: records per second and time to the acknowledgement
//! with 1, 16, 256 and 1,000 waiters, beside plain writes of the same records and one fdatasync
//! per turn, interleaved in the same run; and how long a restart takes.
//!
//! A turn: every waiter hands in one record of 300 bytes, all are written and synced, all are
//! acknowledged. Both sides commit on a thread of their own and acknowledge across threads, as
//! the switch does, and write to files that are zero-filled and recycled; the journal's
//! checkpoints, retirement and spares run beside it on another thread.
//! Prints JSON lines. `--restart N` adds a restart over N records. Without `--bench` (as a test)
//! it runs each case for a moment only.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock and may sleep")]

use pointsman::journal::file::backend::{Change, FileName, Sync};
use pointsman::journal::{
    Backend, Batch, Class, DataKey, DiskBackend, Extent, Options, Recovered, Retention, Shelf,
    Writer, os_entropy, prune_checkpoints, recover, retire, write_checkpoint,
};
use pointsman::time::Wall;
use serde_json::json;
use std::error::Error;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const RECORD_BYTES: usize = 300;
const RAW_FILE_BYTES: u64 = 64 << 20;
const ROUNDS: usize = 5;
const RATIO_GOAL: f64 = 0.5;
const NOW: Wall = Wall::from_millis(1_790_000_000_000);

type Done<T> = Result<T, Box<dyn Error>>;

/// What one round measured.
#[derive(Debug, Clone, Copy)]
struct Measured {
    records_per_s: f64,
    p50_us: f64,
    p99_us: f64,
}

fn main() -> Done<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let measuring = arguments.iter().any(|argument| argument == "--bench");
    let (rounds, time) = if measuring { (ROUNDS, 700) } else { (1, 5) };
    let time = Duration::from_millis(time);
    // Beside the build output, because a temporary folder may lie in memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut raw = Raw::new(&folder.path().join("raw"))?;
    let mut journal = Journal::new(&folder.path().join("journal"))?;
    for waiters in [1, 16, 256, 1_000] {
        let mut pairs = Vec::new();
        for _ in 0..rounds {
            pairs.push((raw.round(waiters, time)?, journal.round(waiters, time)?));
        }
        report(waiters, &pairs);
    }
    drop(journal);
    let append_ns = append_only(if measuring { 400 } else { 4 })?;
    let append_ns = append_ns.round();
    println!("{}", json!({ "case": "append without the disk", "ns_per_record": append_ns }));
    let after = arguments.iter().position(|argument| argument == "--restart");
    let asked = after.and_then(|at| arguments.get(at + 1)).and_then(|count| count.parse().ok());
    let records = if measuring { 1_000_000 } else { 1_000 };
    restart(&folder.path().join("restart"), asked.unwrap_or(records), records)
}

fn report(waiters: usize, pairs: &[(Measured, Measured)]) {
    let raw = median(pairs.iter().map(|(raw, _)| *raw));
    let ours = median(pairs.iter().map(|(_, ours)| *ours));
    for (case, measured) in [("raw fdatasync", raw), ("journal", ours)] {
        let line = json!({
            "case": case,
            "waiters": waiters,
            "records_per_s": measured.records_per_s.round(),
            "ack_p50_us": measured.p50_us.round(),
            "ack_p99_us": measured.p99_us.round(),
        });
        println!("{line}");
    }
    let ratio = ours.records_per_s / raw.records_per_s;
    let rounded = (ratio * 100.0).round() / 100.0;
    let met = ratio >= RATIO_GOAL;
    let goal = RATIO_GOAL;
    let ack = (ours.p50_us / raw.p50_us * 100.0).round() / 100.0;
    println!(
        "{}",
        json!({ "case": "journal to raw", "waiters": waiters, "ratio": rounded,
        "goal": goal, "met": met, "ack_p50_ratio": ack })
    );
}

fn median(rounds: impl Iterator<Item = Measured>) -> Measured {
    let mut rounds: Vec<Measured> = rounds.collect();
    rounds.sort_by(|a, b| a.records_per_s.total_cmp(&b.records_per_s));
    rounds[rounds.len() / 2]
}

/// Runs turns for `time`, each on a thread that commits and nothing else: the time to the
/// acknowledgement has both hand-overs in it.
fn measure(
    waiters: usize,
    time: Duration,
    mut turn: impl FnMut() -> Done<()> + Send,
) -> Done<Measured> {
    let mut took = Vec::new();
    let (ask, asked) = mpsc::sync_channel::<()>(1);
    let (done, acknowledged) = mpsc::sync_channel::<Result<(), String>>(1);
    let start = Instant::now();
    std::thread::scope(|scope| -> Done<()> {
        scope.spawn(move || {
            for () in asked {
                if done.send(turn().map_err(|error| error.to_string())).is_err() {
                    return;
                }
            }
        });
        // Moved in, so that the thread ends with this closure however it ends.
        let ask = ask;
        while start.elapsed() < time || took.is_empty() {
            let before = Instant::now();
            ask.send(())?;
            acknowledged.recv()??;
            took.push(before.elapsed().as_nanos() as u64);
        }
        Ok(())
    })?;
    let seconds = start.elapsed().as_secs_f64();
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize] as f64 / 1e3;
    let records_per_s = (took.len() * waiters) as f64 / seconds;
    Ok(Measured { records_per_s, p50_us: at(0.5), p99_us: at(0.99) })
}

/// Plain writes and fdatasync on a zero-filled file that is used again from its start.
struct Raw {
    file: File,
    at: u64,
}

impl Raw {
    fn new(path: &Path) -> Done<Self> {
        let file = File::options().read(true).write(true).create_new(true).open(path)?;
        let zeros = vec![0; 1 << 20];
        for at in (0..RAW_FILE_BYTES).step_by(zeros.len()) {
            file.write_all_at(&zeros, at)?;
        }
        file.sync_all()?;
        Ok(Self { file, at: 0 })
    }

    fn round(&mut self, waiters: usize, time: Duration) -> Done<Measured> {
        let record = [0x5A; RECORD_BYTES];
        let mut buffer = Vec::new();
        measure(waiters, time, || {
            buffer.clear();
            for _ in 0..waiters {
                buffer.extend_from_slice(&record);
            }
            if self.at + buffer.len() as u64 > RAW_FILE_BYTES {
                self.at = 0;
            }
            self.file.write_all_at(&buffer, self.at)?;
            self.at += buffer.len() as u64;
            Ok(self.file.sync_data()?)
        })
    }
}

/// The journal with its housekeeping thread.
struct Journal {
    writer: Writer,
    stop: Arc<AtomicBool>,
    keeper: Option<std::thread::JoinHandle<()>>,
}

fn key() -> DataKey {
    DataKey::new([9; 32])
}

fn open(folder: &Path, options: Options) -> Done<(Arc<dyn Backend>, Writer)> {
    let backend: Arc<dyn Backend> = Arc::new(DiskBackend::open(folder)?);
    let recovered = recover(backend.as_ref(), &key(), &options, &mut |_| Ok(()))?;
    let writer =
        Writer::start(Arc::clone(&backend), key(), options, &recovered, os_entropy(), NOW)?;
    Ok((backend, writer))
}

impl Journal {
    fn new(folder: &Path) -> Done<Self> {
        let options = Options { spare_segments: 3, ..Options::default() };
        let (backend, writer) = open(folder, options)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, map, shelf, extent) =
            (Arc::clone(&stop), writer.map(), writer.shelf(), writer.extent());
        let keeper = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                if let Err(error) = keep_house(backend.as_ref(), &map, (&shelf, &extent)) {
                    eprintln!("{error}");
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        Ok(Self { writer, stop, keeper: Some(keeper) })
    }

    fn round(&mut self, waiters: usize, time: Duration) -> Done<Measured> {
        let record = [0x5A; RECORD_BYTES];
        let mut batch = Batch::new(self.writer.next());
        let writer = &mut self.writer;
        measure(waiters, time, || {
            for _ in 0..waiters {
                batch.push(&record);
            }
            writer.append(&mut batch, Class::Ordinary, NOW)?;
            writer.sync()?;
            Ok(())
        })
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}

/// Two checkpoints' worth of segments are kept, everything older is recycled.
fn keep_house(
    backend: &dyn Backend,
    map: &pointsman::journal::file::map::SegmentMap,
    (shelf, extent): (&Shelf, &Extent),
) -> Done<()> {
    if map.all().len() > 2 {
        write_checkpoint(backend, &key(), map, &mut os_entropy(), map.durable(), b"state")?;
        let covered = prune_checkpoints(backend, 1)?.unwrap_or(0);
        let retention = Retention { keep_ms: 0, archive: None };
        retire(backend, map, (shelf, extent), &retention, covered, NOW)?;
    }
    shelf.fill()?;
    Ok(())
}

/// A disk that forgets batches: what remains is our own work.
struct Discard(DiskBackend);

impl Backend for Discard {
    fn list(&self) -> io::Result<Vec<(FileName, u64)>> {
        self.0.list()
    }

    fn read_at(&self, name: FileName, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(name, at, into)
    }

    fn write_at(&self, name: FileName, at: u64, bytes: &[u8]) -> io::Result<()> {
        let forgets = matches!(name, FileName::Segment(_));
        if forgets { Ok(()) } else { self.0.write_at(name, at, bytes) }
    }

    fn sync(&self, what: Sync) -> io::Result<()> {
        self.0.sync(what)
    }

    fn change(&self, change: Change) -> io::Result<()> {
        self.0.change(change)
    }
}

/// Pushing and sealing, without the disk.
fn append_only(turns: u64) -> Done<f64> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let backend: Arc<dyn Backend> = Arc::new(Discard(DiskBackend::open(folder.path())?));
    let options = Options::default();
    let recovered = recover(backend.as_ref(), &key(), &options, &mut |_| Ok(()))?;
    let mut writer = Writer::start(backend, key(), options, &recovered, os_entropy(), NOW)?;
    let record = [0x5A; RECORD_BYTES];
    let mut batch = Batch::new(writer.next());
    let start = Instant::now();
    for _ in 0..turns {
        for _ in 0..256 {
            batch.push(&record);
        }
        writer.append(&mut batch, Class::Ordinary, NOW)?;
    }
    Ok(start.elapsed().as_nanos() as f64 / (turns * 256) as f64)
}

/// `total` records, a checkpoint `after` records before the end, then a restart.
fn restart(folder: &Path, total: u64, after: u64) -> Done<()> {
    let (backend, mut writer) = open(folder, Options::default())?;
    let record = [0x5A; RECORD_BYTES];
    let mut batch = Batch::new(writer.next());
    while writer.next() <= total {
        if writer.next() == total - after + 1 {
            let upto = writer.sync()?;
            let map = writer.map();
            write_checkpoint(backend.as_ref(), &key(), &map, &mut os_entropy(), upto, b"state")?;
        }
        let until_checkpoint = (total - after + 1).saturating_sub(writer.next());
        let left = if until_checkpoint > 0 { until_checkpoint } else { total + 1 - writer.next() };
        for _ in 0..left.min(100) {
            batch.push(&record);
        }
        writer.append(&mut batch, Class::Ordinary, NOW)?;
    }
    writer.sync()?;
    drop((writer, backend));
    let start = Instant::now();
    let (recovered, bytes) = replay(folder)?;
    let seconds = start.elapsed().as_secs_f64();
    let line = json!({
        "case": "restart",
        "records": total,
        "replayed": recovered.records,
        "bytes": bytes,
        "seconds": seconds,
        "goal": 2.0,
        "met": seconds <= 2.0,
    });
    println!("{line}");
    Ok(())
}

fn replay(folder: &Path) -> Done<(Recovered, usize)> {
    let backend = DiskBackend::open(folder)?;
    let mut bytes = 0;
    let recovered = recover(&backend, &key(), &Options::default(), &mut |replayed| {
        if let pointsman::journal::Replayed::Record { bytes: record, .. } = replayed {
            bytes += record.len();
        }
        Ok(())
    })?;
    Ok((recovered, bytes))
}
