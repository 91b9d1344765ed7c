//! Named places where the process ends as by kill -9, for the tests.
//!
//! Contract: compiled only under the feature `faults`; without it [`CrashPoints`] is empty, passes
//! everything and no name of a place is in the program. The environment names one place:
//! `POINTSMAN_CRASH=NAME` or `NAME:N` for the Nth time it is passed. There the process sends itself
//! SIGKILL: nothing is flushed, closed or dropped. The disk's places stand in `crash_disk`, one
//! per kind of access; those of driver and start are one line each where they belong.

use crate::journal::Backend;
use crate::switch::input::{Command, Input};
use crate::switch::record::Record;
use std::sync::Arc;

#[cfg(feature = "faults")]
use super::crash_disk::CrashDisk;
#[cfg(feature = "faults")]
use std::sync::atomic::{AtomicU32, Ordering};

/// Where the place is named.
#[cfg(feature = "faults")]
const VARIABLE: &str = "POINTSMAN_CRASH";

macro_rules! crash_points {
    ($($point:ident = $name:literal, $meaning:literal;)*) => {
        /// A place where a crash can be asked for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Point {
            $(#[doc = $meaning] $point,)*
        }

        /// Each with its name and what has just happened, or is about to.
        #[cfg(feature = "faults")]
        pub const ALL: &[(Point, &str, &str)] = &[$((Point::$point, $name, $meaning)),*];
    };
}

crash_points! {
    // What comes in.
    Request = "request", "A platform's message was taken in; nothing is decided.";
    Answer = "answer", "A bank's message was taken in; nothing is decided.";
    Garbled = "garbled", "A message that cannot be understood was taken in.";
    Released = "released", "A session says that a frame has left; the core does not know yet.";
    LineUp = "line-up", "A connection is there; the core does not know yet.";
    LineDown = "line-down", "A connection is gone; the core does not know yet.";
    Timer = "timer", "A deadline came; nothing is decided.";
    Recalled = "recalled", "An old record was found; the core does not know yet.";
    Durable = "durable", "Records are durable; what waited for them is still held.";
    Reload = "reload", "A new configuration is valid; it is not in force.";
    Reloaded = "reloaded", "A new configuration is in force; its record is not handed over.";
    Drain = "drain", "The switch was asked to stop.";
    // What is decided: the record stands in memory only.
    Intent = "intent", "An original is decided on; nothing is written or sent.";
    Outcome = "outcome", "A leg has its outcome; nothing is written.";
    Refusal = "refusal", "A request is refused; nothing is written.";
    Debt = "debt", "A reversal, advice or repeat is owed; nothing is written.";
    Attempt = "attempt", "A SAF entry is about to be sent once more.";
    Closing = "closing", "A SAF entry is finished; nothing is written.";
    Late = "late", "A late answer is judged; nothing is written.";
    Desk = "desk", "An item comes to the desk, or an operator decided; nothing is written.";
    Cutover = "cutover", "A bank's business date moves; nothing is written.";
    Policy = "policy", "The policy's stamp is decided; nothing is written.";
    SignOn = "sign-on", "A line or terminal signed on or off, with its batch or keys.";
    Delivered = "delivered", "An approval has left; the note of it is not written.";
    Forgotten = "forgotten", "Something leaves the memory; nothing is written.";
    // What is handed on.
    SendRequest = "send-request", "A request for a bank goes to the gate.";
    SendReply = "send-reply", "An answer for a platform goes to the gate.";
    HandOver = "hand-over", "A turn's records are about to go to the journal's thread.";
    HandedOver = "handed-over", "A turn's records are with the journal's thread.";
    Flush = "flush", "A turn is done; sessions are about to be woken.";
    Snapshot = "snapshot", "A snapshot for a checkpoint was taken.";
    LastCheckpoint = "last-checkpoint", "The journal has stopped; its last checkpoint is missing.";
    Stopped = "stopped", "Everything is written; the process is about to end.";
    // Starting.
    StartKeys = "start-keys", "The journal's keys are open; nothing was read.";
    StartReplayed = "start-replayed", "Everything was replayed; nothing was changed on disk.";
    StartOpened = "start-opened", "A new segment is open; debts of the last run are not settled.";
    StartSettled = "start-settled", "Debts of the last run are decided; nothing is written.";
    // The disk.
    KeysWrite = "keys-write", "Half of the key file is written.";
    KeysRename = "keys-rename", "The key file is whole; it has no name.";
    SpareZeros = "spare-zeros", "A spare is half filled with zeros.";
    SpareRename = "spare-rename", "A spare is filled; it has no name.";
    RotateHeader = "rotate-header", "Half of a new segment's header is written.";
    RotateRename = "rotate-rename", "A new segment's header is synced; it is still called a spare.";
    RotateRenamed = "rotate-renamed", "A new segment has its name; the folder is not synced.";
    FolderSync = "folder-sync", "The folder is about to be synced.";
    BatchWrite = "batch-write", "A batch is about to be written.";
    BatchTorn = "batch-torn", "Half of a batch is written.";
    BatchWritten = "batch-written", "A batch is written, not synced.";
    BatchSynced = "batch-synced", "A batch is synced; nobody was told.";
    CheckpointTorn = "checkpoint-torn", "Half of a piece of a checkpoint is written.";
    CheckpointSync = "checkpoint-sync", "A piece of a checkpoint is written, not synced.";
    CheckpointRename = "checkpoint-rename", "A checkpoint is whole; it has no name.";
    CheckpointRenamed = "checkpoint-renamed", "A checkpoint is named; the folder is not synced.";
    CheckpointPrune = "checkpoint-prune", "An old checkpoint is about to go.";
    IndexTorn = "index-torn", "Half of a block of the index by day is written.";
    IndexSync = "index-sync", "A block of the index by day is written, not synced.";
    ExtentTorn = "extent-torn", "Half of a statement of what the journal holds is written.";
    ExtentSync = "extent-sync", "What the journal holds is stated, not synced.";
    ExtentSynced = "extent-synced", "What the journal holds is stated; it is not so yet.";
    ArchiveTorn = "archive-torn", "Half of a segment is copied to the archive.";
    ArchiveSync = "archive-sync", "A segment is copied to the archive, not synced.";
    Retire = "retire", "A segment is about to go.";
    Retired = "retired", "A segment is gone; the folder is not synced.";
}

impl Point {
    /// Where an input passes before the core hears of it.
    pub fn of_input(input: &Input) -> Option<Self> {
        Some(match input {
            Input::Message { msg, .. } if msg.flow.is_answer() => Self::Answer,
            Input::Message { .. } => Self::Request,
            Input::Garbled { .. } => Self::Garbled,
            Input::Released { .. } => Self::Released,
            Input::LineUp { .. } => Self::LineUp,
            Input::LineDown { .. } => Self::LineDown,
            Input::Timer => Self::Timer,
            Input::Recalled { .. } => Self::Recalled,
            Input::Command(Command::Reload(_)) => Self::Reload,
            Input::Command(Command::Drain) => Self::Drain,
            Input::Unsent { .. }
            | Input::HandedBack { .. }
            | Input::Durable { .. }
            | Input::Command(_) => return None,
        })
    }

    /// Where a record passes on its way to the journal.
    pub fn of_record(record: &Record) -> Option<Self> {
        Some(match record {
            Record::Intent(_) => Self::Intent,
            Record::Outcome(_) => Self::Outcome,
            Record::Refused(_) => Self::Refusal,
            Record::Queued(_) => Self::Debt,
            Record::Attempt(_) => Self::Attempt,
            Record::Closed(_) => Self::Closing,
            Record::Late(_) => Self::Late,
            Record::Desk(_) => Self::Desk,
            Record::Cutover(_) => Self::Cutover,
            Record::Policy(_) => Self::Policy,
            Record::LineState(_) => Self::SignOn,
            Record::Answered(_) => Self::Delivered,
            Record::Forgotten(_) => Self::Forgotten,
            // The input that causes it, or the debt that follows it, is a place already.
            Record::Released(_) | Record::Moved(_) | Record::Garbled(_) | Record::Reconciled(_) => {
                return None;
            }
        })
    }
}

/// The place the environment names, if any. Copies count together.
#[derive(Debug, Clone, Default)]
pub struct CrashPoints {
    #[cfg(feature = "faults")]
    armed: Option<Arc<Armed>>,
}

#[cfg(feature = "faults")]
#[derive(Debug)]
struct Armed {
    point: Point,
    /// How often it is passed before the crash.
    left: AtomicU32,
}

#[cfg(not(feature = "faults"))]
impl CrashPoints {
    /// None: this program has no such places.
    ///
    /// # Errors
    /// Never.
    pub fn of_environment() -> Result<Self, String> {
        Ok(Self::default())
    }

    /// Goes on.
    pub fn pass(&self, _: Option<Point>) {}

    /// The journal's disk as it is.
    pub fn disk(&self, backend: Arc<dyn Backend>) -> Arc<dyn Backend> {
        backend
    }

    /// The archive's disk as it is.
    pub fn archive(&self, backend: Arc<dyn Backend>) -> Arc<dyn Backend> {
        backend
    }

    /// Retention is as configured.
    pub fn retires_at_once(&self) -> bool {
        false
    }
}

#[cfg(feature = "faults")]
impl CrashPoints {
    /// The place named by `POINTSMAN_CRASH`.
    ///
    /// # Errors
    /// A name that is none, or a count that is none.
    #[expect(clippy::disallowed_methods, reason = "a test's wish, and no configuration")]
    pub fn of_environment() -> Result<Self, String> {
        match std::env::var(VARIABLE) {
            Ok(named) => Self::named(&named).ok_or_else(|| {
                format!("{VARIABLE}={named}: expected NAME or NAME:N of a crash point")
            }),
            Err(_) => Ok(Self::default()),
        }
    }

    fn named(text: &str) -> Option<Self> {
        let (name, nth) = text.split_once(':').unwrap_or((text, "1"));
        let (point, ..) = ALL.iter().find(|(_, known, _)| *known == name)?;
        let left = nth.parse::<u32>().ok()?.checked_sub(1)?;
        Some(Self { armed: Some(Arc::new(Armed { point: *point, left: AtomicU32::new(left) })) })
    }

    /// Ends the process if this is the place, and the time.
    pub fn pass(&self, point: Option<Point>) {
        if self.is_time(point) {
            die();
        }
    }

    /// Whether this is the place, and the time.
    pub(super) fn is_time(&self, point: Option<Point>) -> bool {
        let Some(armed) = self.armed.as_ref().filter(|armed| Some(armed.point) == point) else {
            return false;
        };
        armed.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| n.checked_sub(1)).is_err()
    }

    /// The journal's disk, with its places.
    pub fn disk(&self, backend: Arc<dyn Backend>) -> Arc<dyn Backend> {
        Arc::new(CrashDisk::new(backend, self.clone()))
    }

    /// The archive's disk, with its places.
    pub fn archive(&self, backend: Arc<dyn Backend>) -> Arc<dyn Backend> {
        Arc::new(CrashDisk::archive(backend, self.clone()))
    }

    /// Nobody waits for weeks until a segment goes: it goes with the first checkpoint behind it.
    pub fn retires_at_once(&self) -> bool {
        let retiring = [Point::ArchiveTorn, Point::ArchiveSync, Point::Retire, Point::Retired];
        self.armed.as_ref().is_some_and(|armed| retiring.contains(&armed.point))
    }
}

/// SIGKILL to ourselves: no destructor, no flush, no handler.
#[cfg(feature = "faults")]
pub(super) fn die() {
    use rustix::process::{Signal, getpid, kill_process};
    let sent = kill_process(getpid(), Signal::KILL);
    debug_assert!(sent.is_ok(), "a process may always kill itself");
    loop {
        std::thread::park();
    }
}

#[cfg(all(test, feature = "faults"))]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_named_once_and_explained_to_people() {
        let page = include_str!("../../docs/simulation.md");
        for (at, (_, name, meaning)) in ALL.iter().enumerate() {
            assert!(ALL[..at].iter().all(|(_, other, _)| other != name), "{name} twice");
            let row = format!("| `{name}` | {meaning} |");
            assert!(page.contains(&row), "docs/simulation.md lacks: {row}");
        }
    }

    #[test]
    fn the_time_is_the_nth_passage_of_the_place_alone() {
        let points = CrashPoints::named("intent:3").unwrap_or_default();
        let seen: Vec<bool> = [Point::Intent, Point::Outcome, Point::Intent, Point::Intent]
            .map(|point| points.is_time(Some(point)))
            .to_vec();
        assert_eq!(seen, [false, false, false, true]);
        assert!(!points.is_time(None));
        for wrong in ["", "nowhere", "intent:0", "intent:x", "intent:"] {
            assert!(CrashPoints::named(wrong).is_none(), "{wrong}");
        }
    }
}
