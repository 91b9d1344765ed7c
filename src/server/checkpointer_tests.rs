//! The checkpoint thread over a simulated disk: what it writes restarts the switch, what it lets
//! go nobody needs, and its failures are nobody else's.

#![expect(clippy::panic, clippy::unwrap_used, reason = "tests")]

use super::checkpointer::{Cadence, Checkpointer, Holdings};
use super::clock::Clock;
use super::replaying::replay;
use crate::journal::file::backend::FileName;
use crate::journal::{
    Backend, Batch, Class, DataKey, Options, Replayed, Retention, SimDisk, Writer, os_entropy,
    recover, retire, walk_all, write_checkpoint,
};
use crate::switch::Switch;
use crate::switch::ids::RecordNo;
use crate::switch::policy::{DuplicateWindow, Policy};
use crate::switch::record::Record;
use crate::time::{Instant, Wall};
use std::sync::Arc;
use std::time::Duration;

const CADENCE: Cadence = Cadence { records: 100, every: Duration::from_secs(3_600) };
const NOW: Wall = Wall::from_millis(1_790_000_000_000);

fn key() -> DataKey {
    DataKey::new([1; 32])
}

fn options() -> Options {
    Options { segment_bytes: 16 << 10, ..Options::default() }
}

fn switch() -> Switch {
    let policy = Policy {
        hash: 7,
        platforms: Vec::new(),
        banks: Vec::new(),
        lines: Vec::new(),
        routes: Vec::new(),
        duplicates: DuplicateWindow { age: Duration::from_secs(60), count: 1_000 },
    };
    Switch::new(Arc::new(policy), 1)
}

/// A writer, the switch its records made, and the thread beside them.
struct Bench {
    disk: SimDisk,
    archive: SimDisk,
    writer: Writer,
    switch: Switch,
    batch: Batch,
}

impl Bench {
    fn new() -> Self {
        let disk = SimDisk::new(1);
        let recovered = recover(&disk, &key(), &options(), &mut |_| Ok(())).unwrap();
        let backend: Arc<dyn Backend> = Arc::new(disk.clone());
        let writer =
            Writer::start(backend, key(), options(), &recovered, os_entropy(), NOW).unwrap();
        let (archive, batch) = (SimDisk::new(2), Batch::new(1));
        Self { disk, archive, writer, switch: switch(), batch }
    }

    fn checkpointer(&self) -> Checkpointer {
        let archive: Arc<dyn Backend> = Arc::new(self.archive.clone());
        let holdings = Holdings {
            backend: Arc::new(self.disk.clone()),
            key: key(),
            map: self.writer.map(),
            shelf: self.writer.shelf(),
            extent: self.writer.extent(),
            retention: Retention { keep_ms: 0, archive: Some(archive) },
        };
        Checkpointer::start(holdings, CADENCE, RecordNo(0), Clock::start()).unwrap()
    }

    /// Records of which the state remembers the last number only; not yet durable.
    fn record(&mut self, count: u64) {
        for _ in 0..count {
            let no = RecordNo(self.batch.next());
            let record = Record::Released(no);
            self.batch.push_with(|buffer| record.encode(buffer));
            self.switch.replay(no, &record);
        }
        self.writer.append(&mut self.batch, Class::Ordinary, NOW).unwrap();
    }

    fn checkpoints(&self) -> Vec<u64> {
        let number = |name| match name {
            FileName::Checkpoint(upto) => Some(upto),
            _ => None,
        };
        self.disk.names().into_iter().filter_map(number).collect()
    }
}

fn wait(mut so: impl FnMut() -> bool) {
    for _ in 0..4_000 {
        if so() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    panic!("waited too long");
}

fn take(bench: &Bench, checkpoints: &mut Checkpointer) {
    assert!(checkpoints.is_due(Instant::default(), bench.switch.last()));
    checkpoints.take(Instant::default(), bench.switch.snapshot(), Duration::ZERO);
}

#[test]
fn two_checkpoints_stay_what_they_cover_goes_and_a_restart_is_the_same() {
    let mut bench = Bench::new();
    let mut checkpoints = bench.checkpointer();
    for round in 1..=20 {
        bench.record(100);
        let upto = bench.writer.sync().unwrap();
        take(&bench, &mut checkpoints);
        wait(|| bench.checkpoints().last() == Some(&upto));
        wait(|| checkpoints.is_due(Instant::default(), RecordNo(upto + 100)));
        assert!(bench.checkpoints().len() <= 2, "round {round}");
    }
    bench.record(30);
    bench.writer.sync().unwrap();
    assert_eq!(bench.checkpoints(), [1_900, 2_000]);
    let segment = |name: &FileName| matches!(name, FileName::Segment(_));
    let left = bench.disk.names().into_iter().filter(segment).count();
    assert!(left <= 3, "{left} segments left");

    let mut restarted = switch();
    let recovered = recover(&bench.disk, &key(), &options(), &mut |replayed| match replayed {
        Replayed::Checkpoint { state, .. } => {
            restarted.restore_from(&mut |into| state.more(into)).map_err(|e| e.to_string())
        }
        Replayed::Record { no, bytes } => {
            let record = Record::decode(bytes).map_err(|e| e.to_string())?;
            restarted.replay(RecordNo(no), &record);
            Ok(())
        }
        Replayed::Lost { .. } => Err("nothing may be lost".to_owned()),
    });
    let recovered = recovered.unwrap();
    assert_eq!((recovered.checkpoint, recovered.records), (Some(2_000), 30));
    assert!(restarted.checkpoint() == bench.switch.checkpoint());

    // Nothing is gone that was not archived first: together they hold every record.
    let mut found = Vec::new();
    for disk in [&bench.archive, &bench.disk] {
        let all = walk_all(disk, Some(&key()), &mut |_, _, replayed| {
            if let Replayed::Record { no, .. } = replayed {
                found.push(no);
            }
            Ok(())
        });
        all.unwrap();
    }
    assert_eq!(found, (1..=2_030).collect::<Vec<_>>());
}

#[test]
fn a_snapshot_waits_for_its_last_record_to_be_durable() {
    let mut bench = Bench::new();
    let mut checkpoints = bench.checkpointer();
    bench.record(100);
    take(&bench, &mut checkpoints);
    std::thread::park_timeout(Duration::from_millis(30));
    assert!(bench.checkpoints().is_empty());
    // A second one has to wait its turn.
    bench.record(100);
    assert!(!checkpoints.is_due(Instant::default(), bench.switch.last()));
    bench.writer.sync().unwrap();
    wait(|| bench.checkpoints() == [100]);
    // A journal that failed never gets there, and nobody waits for it.
    bench.record(100);
    wait(|| checkpoints.is_due(Instant::default(), bench.switch.last()));
    take(&bench, &mut checkpoints);
    drop(checkpoints);
    assert_eq!(bench.checkpoints(), [100]);
}

#[test]
fn a_disk_without_room_for_a_checkpoint_costs_that_checkpoint_only() {
    let mut bench = Bench::new();
    let mut checkpoints = bench.checkpointer();
    bench.record(100);
    bench.writer.sync().unwrap();
    bench.disk.set_capacity(Some(bench.disk.used()));
    take(&bench, &mut checkpoints);
    wait(|| checkpoints.is_due(Instant::default(), RecordNo(200)));
    assert!(bench.checkpoints().is_empty());
    bench.record(100);
    bench.writer.sync().unwrap();
    bench.disk.set_capacity(None);
    take(&bench, &mut checkpoints);
    wait(|| bench.checkpoints() == [200]);
    assert!(bench.writer.poison().is_none());
    // At the end there is always one, however young the last one is; none if nothing was recorded.
    bench.record(1);
    bench.writer.sync().unwrap();
    checkpoints.finish(bench.switch.snapshot());
    assert_eq!(bench.checkpoints(), [200, 201]);
    bench.checkpointer().finish(switch().snapshot());
    assert_eq!(bench.checkpoints(), [200, 201]);
}

/// A checkpoint of the switch's state under another format number.
fn write_as(bench: &Bench, format: impl Fn(u8) -> u8) {
    let (upto, mut state) = bench.switch.checkpoint();
    state[0] = format(state[0]);
    let map = bench.writer.map();
    write_checkpoint(&bench.disk, &key(), &map, &mut os_entropy(), upto.0, &state).unwrap();
}

#[test]
fn a_state_of_an_older_format_costs_a_longer_replay_and_a_newer_one_is_refused_by_name() {
    let mut bench = Bench::new();
    for _ in 0..20 {
        bench.record(100);
        bench.writer.sync().unwrap();
    }
    write_as(&bench, |known| known - 1);
    let mut restarted = switch();
    let (recovered, _) = replay(&bench.disk, &key(), &options(), &mut restarted).unwrap();
    assert_eq!((recovered.checkpoint, recovered.records), (None, 2_000));
    assert_eq!(recovered.findings.first().map(|finding| finding.row.name), Some("C9"));
    assert!(restarted.checkpoint() == bench.switch.checkpoint());

    // Where the records are gone it cannot: the start says what is missing.
    let (map, shelf, extent) = (bench.writer.map(), bench.writer.shelf(), bench.writer.extent());
    let retention = Retention { keep_ms: 0, archive: None };
    let later = Wall::from_millis(NOW.millis() + 1_000);
    let gone = retire(&bench.disk, &map, (&shelf, &extent), &retention, 2_000, later).unwrap();
    assert!(!gone.is_empty());
    let refused = replay(&bench.disk, &key(), &options(), &mut switch()).unwrap_err().to_string();
    assert!(refused.contains("has an older format and the records from number 1"), "{refused}");

    write_as(&bench, |known| known + 1);
    let refused = replay(&bench.disk, &key(), &options(), &mut switch()).unwrap_err().to_string();
    assert!(refused.contains("newer than this build's"), "{refused}");
}
