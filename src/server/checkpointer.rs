//! Checkpoints and retention beside the running switch, on a thread of their own.
//!
//! Contract: the driver hands over a [`Snapshot`], which costs it a fraction of a millisecond,
//! and goes on; here it waits until its last record is durable, becomes bytes a piece at a time, is
//! written, read back and only then given its name. Two are kept, so the one before stays until the
//! new one is proven. Then segments go that are older than the configuration keeps, that no kept
//! checkpoint needs to be replayed from, and of which no record can be asked for any more. A
//! failure costs nothing but a longer restart: it is told, and the next one is tried in its turn.
//! Deliberately absent: anything that could hold up a record or fail the journal.

use super::clock::Clock;
use super::housekeeping;
use crate::journal::{
    Backend, CheckpointWriter, DataKey, Extent, JournalError, Retention, Shelf,
    file::map::SegmentMap, os_entropy, prune_checkpoints, retire,
};
use crate::switch::Snapshot;
use crate::switch::ids::RecordNo;
use crate::telemetry::CheckpointMeters;
use crate::time::Instant;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tracing::{debug, info, warn};

/// Checkpoints in the folder: the newest, and the one before in case the newest rots.
const KEPT: usize = 2;
/// Between two looks whether the snapshot's last record is durable.
const DURABLE_POLL: Duration = Duration::from_millis(5);

/// When checkpoints are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cadence {
    /// After so many records …
    pub records: u64,
    /// … or after so long, if there was any record.
    pub every: Duration,
}

/// What the thread works on.
pub struct Holdings {
    /// The journal's folder.
    pub backend: Arc<dyn Backend>,
    /// The journal's data key.
    pub key: DataKey,
    /// Where records stand, and what is durable.
    pub map: Arc<SegmentMap>,
    /// Takes back what is retired.
    pub shelf: Shelf,
    /// States what is let go.
    pub extent: Extent,
    /// What is kept, and where the rest goes.
    pub retention: Retention,
}

/// The driver's end.
#[derive(Debug)]
pub struct Checkpointer {
    cadence: Cadence,
    /// The last record of the newest checkpoint, and when it was taken.
    last: (RecordNo, Instant),
    snapshots: Option<SyncSender<Snapshot>>,
    /// One is being written.
    busy: Arc<AtomicBool>,
    /// Nobody waits for what is not durable yet.
    abandoned: Arc<AtomicBool>,
    meters: CheckpointMeters,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts the thread; `covered` is the last record of the newest checkpoint on disk.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(
        holdings: Holdings,
        cadence: Cadence,
        covered: RecordNo,
        clock: Clock,
    ) -> std::io::Result<Self> {
        let (snapshots, waiting) = sync_channel(1);
        let (busy, abandoned) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let meters = CheckpointMeters::default();
        meters.lost(holdings.extent.said().losses.len());
        let keeper = Keeper {
            holdings,
            clock,
            busy: Arc::clone(&busy),
            abandoned: Arc::clone(&abandoned),
            meters: meters.clone(),
        };
        let keep = move || keeper.run(&waiting);
        let thread = Some(housekeeping::start("journal-checkpoint", keep)?);
        let (snapshots, last) = (Some(snapshots), (covered, clock.mono()));
        Ok(Self { cadence, last, snapshots, busy, abandoned, meters, thread })
    }

    /// Whether it is time for another one and the one before is done.
    pub fn is_due(&self, now: Instant, last: RecordNo) -> bool {
        let fresh = last.0.saturating_sub(self.last.0.0);
        let long = now.since(self.last.1) >= self.cadence.every;
        let due = fresh >= self.cadence.records || (fresh > 0 && long);
        due && !self.busy.load(Ordering::Acquire)
    }

    /// Writes this one; `paused` is how long the switch stood still for it.
    pub fn take(&mut self, now: Instant, snapshot: Snapshot, paused: Duration) {
        self.last = (snapshot.upto(), now);
        self.meters.paused(paused);
        self.busy.store(true, Ordering::Release);
        let handed = self.snapshots.as_ref().is_some_and(|to| to.try_send(snapshot).is_ok());
        if !handed {
            self.busy.store(false, Ordering::Release);
        }
    }

    /// The last one, of a switch whose journal has stopped in good order: the next start replays
    /// nothing. Returns when it is written.
    pub fn finish(mut self, snapshot: Snapshot) {
        if let Some(snapshots) = self.snapshots.take().filter(|_| snapshot.upto() > self.last.0) {
            // Waits for the one before; the thread is there, or nothing can be done.
            drop(snapshots.send(snapshot));
        }
        self.join();
    }

    fn join(&mut self) {
        self.snapshots = None;
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            warn!("the thread that writes checkpoints panicked: the next start takes longer");
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::Release);
        self.join();
    }
}

/// What runs on the thread.
struct Keeper {
    holdings: Holdings,
    clock: Clock,
    busy: Arc<AtomicBool>,
    abandoned: Arc<AtomicBool>,
    meters: CheckpointMeters,
}

impl Keeper {
    fn run(self, waiting: &Receiver<Snapshot>) {
        for snapshot in waiting {
            let (upto, began) = (snapshot.upto().0, self.clock.mono());
            match self.keep(snapshot) {
                Ok(Some(bytes)) => {
                    let took = self.clock.mono().since(began);
                    self.meters.written(took);
                    debug!(upto, bytes, took_ms = took.as_millis() as u64, "checkpoint written");
                }
                Ok(None) => {}
                Err(error) => {
                    self.meters.failed();
                    let why = error;
                    warn!(upto, %why, "no checkpoint: a restart takes longer until the next one");
                }
            }
            self.busy.store(false, Ordering::Release);
        }
    }

    /// Writes the checkpoint, then lets go of what is not needed any more; the checkpoint's
    /// length in bytes, or `None` where its records never became durable.
    fn keep(&self, snapshot: Snapshot) -> Result<Option<u64>, JournalError> {
        let Holdings { backend, key, map, .. } = &self.holdings;
        let (upto, needed_from) = (snapshot.upto().0, snapshot.needed_from().0);
        while map.durable() < upto {
            if self.abandoned.load(Ordering::Acquire) {
                return Ok(None);
            }
            std::thread::park_timeout(DURABLE_POLL);
        }
        let bytes = write_snapshot(&**backend, key, map, snapshot)?;
        self.let_go(needed_from)?;
        Ok(Some(bytes))
    }

    fn let_go(&self, needed_from: u64) -> Result<(), JournalError> {
        let Holdings { backend, map, shelf, extent, retention, .. } = &self.holdings;
        let oldest = prune_checkpoints(&**backend, KEPT)?.unwrap_or(0);
        let covered = oldest.min(needed_from.saturating_sub(1));
        if let Some((times, why)) = extent.failed() {
            warn!(times, %why, "what the journal holds was not stated; records go on");
        }
        let before = shelf.recycled();
        let gone = retire(&**backend, map, (shelf, extent), retention, covered, self.clock.wall())?;
        // Nobody else retires, and nobody else recycles while the switch runs.
        self.meters.retired(gone.len() as u64, shelf.recycled() - before);
        if let (Some(first), Some(last)) = (gone.first(), gone.last()) {
            let archived = retention.archive.is_some();
            info!(first, last, archived, "segments older than the journal keeps have gone");
        }
        Ok(())
    }
}

/// Writes the checkpoint of a snapshot whose last record is durable; the length of its state in
/// bytes.
///
/// # Errors
/// As [`CheckpointWriter`].
pub(super) fn write_snapshot(
    backend: &dyn Backend,
    key: &DataKey,
    map: &SegmentMap,
    snapshot: Snapshot,
) -> Result<u64, JournalError> {
    let upto = snapshot.upto().0;
    let mut writer = CheckpointWriter::begin(backend, key, map, &mut os_entropy(), upto)?;
    snapshot.encode(&mut |piece| writer.write(piece))?;
    // What it shares with the switch is the switch's own again before everything is read back.
    drop(snapshot);
    writer.finish()
}
