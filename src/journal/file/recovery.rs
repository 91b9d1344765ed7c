//! Starting from what is on disk: the newest valid checkpoint, then every record after it.
//!
//! Contract: reads only, never writes, never deletes. Every record handed on is exactly as it was
//! written and its number follows the one before. Damage ends it with an error that names file,
//! byte, row of the decision table and remedy, unless an operator accepted the loss: then what is
//! lost is handed on as [`Replayed::Lost`] and a checkpoint must follow at once
//! ([`Recovered::needs_checkpoint`]), because the damage stays on disk.

use super::backend::{Backend, FileName};
use super::checkpoint_folder::{SavedState, newest_checkpoint};
use super::error::RecoveryError;
use super::extent::Stated;
use super::keys::DataKey;
use super::map::SegmentMap;
use super::options::Options;
use super::segment::Before;
use super::verdicts::{MISSING_SEGMENTS, Row, Verdict};
use super::walk::Walk;
use std::sync::Arc;

/// What recovery hands on, in this order: checkpoints until one is not passed over, then records.
#[derive(Debug)]
pub enum Replayed<'a> {
    /// The caller's state after record `upto`.
    Checkpoint {
        /// The last record it covers.
        upto: u64,
        /// As given to the checkpoint's writer, or to be passed over.
        state: &'a mut (dyn SavedState + 'a),
    },
    /// A record.
    Record {
        /// Its number.
        no: u64,
        /// As given to `append`.
        bytes: &'a [u8],
    },
    /// Records lost to damage, the loss accepted by an operator.
    Lost {
        /// The first one lost.
        from: u64,
        /// The last one lost.
        upto: u64,
    },
}

/// Takes what is replayed; an error (with the reason) ends recovery.
pub type OnReplayed<'a> = dyn FnMut(Replayed<'_>) -> Result<(), String> + 'a;

/// The same, with the segment and the byte where the record's batch stands.
pub type OnFound<'a> = dyn FnMut(FileName, u64, Replayed<'_>) -> Result<(), String> + 'a;

/// Something recovery met that was not plainly intact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub file: FileName,
    /// Byte offset in it.
    pub offset: u64,
    /// The first record in doubt.
    pub record: u64,
    /// The row of the decision table.
    pub row: &'static Row,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, offset, record, row } = self;
        write!(f, "{file} byte {offset}, record {record}: {} (row {})", row.cause, row.name)
    }
}

/// What was recovered.
#[derive(Debug)]
pub struct Recovered {
    /// The number of the next record.
    pub next: u64,
    /// The checkpoint it started from.
    pub checkpoint: Option<u64>,
    /// Records replayed.
    pub records: u64,
    /// Torn tails (warn) and accepted damage.
    pub findings: Vec<Finding>,
    /// A loss was accepted: write a checkpoint before anything else.
    pub needs_checkpoint: bool,
    /// Where records stand.
    pub map: Arc<SegmentMap>,
    /// What the journal must hold.
    pub stated: Stated,
    /// The highest number of a statement that a segment names.
    pub(super) least_stated: u64,
    /// Where the chain ends.
    pub(super) last: Before,
    /// Where the batches of the last segment start that no mark covers.
    pub(super) unmarked_from: u64,
    /// The highest segment id in use.
    pub(super) highest: u64,
    /// The newest segment if nothing was ever written to it: its id and length.
    pub(super) unused: Option<(u64, u64)>,
}

/// Recovers the journal in `backend`: hands on checkpoint and records, and tells where to go on.
///
/// # Errors
/// Damage, a newer format, another key, the disk, or the caller's own refusal.
pub fn recover(
    backend: &dyn Backend,
    key: &DataKey,
    options: &Options,
    on: &mut OnReplayed<'_>,
) -> Result<Recovered, RecoveryError> {
    let mut take = |upto, state: &mut (dyn SavedState + '_)| {
        on(Replayed::Checkpoint { upto, state })
            .map_err(|why| RecoveryError::Refused { what: format!("checkpoint {upto}"), why })
    };
    let (upto, passed_over) = newest_checkpoint(backend, key, &mut take)?;
    let older = passed_over.iter().find(|finding| finding.row.verdict == Verdict::Older);
    let older = older.map(|finding| finding.file);
    let mut on = |_: FileName, _: u64, replayed: Replayed<'_>| on(replayed);
    let mut walk = Walk::new(backend, Some(key), options, upto.unwrap_or(0), &mut on);
    walk.note(passed_over);
    walk.run().map_err(|error| match (error, older) {
        (RecoveryError::Damage { row, record, .. }, Some(file))
            if row.name == MISSING_SEGMENTS.name =>
        {
            RecoveryError::OlderFormat { file, record }
        }
        (error, _) => error,
    })?;
    Ok(walk.finish(upto))
}

/// Walks every segment from the first record on, with or without a key, past all damage: for
/// `verify` and for reading a journal beside its writer.
///
/// # Errors
/// A newer format, another key, the disk, or the caller's refusal; never damage.
pub fn walk_all(
    backend: &dyn Backend,
    key: Option<&DataKey>,
    on: &mut OnFound<'_>,
) -> Result<Recovered, RecoveryError> {
    let options = Options { accept_loss: true, ..Options::default() };
    let mut walk = Walk::new(backend, key, &options, 0, on);
    walk.take_oldest();
    walk.run()?;
    Ok(walk.finish(None))
}
