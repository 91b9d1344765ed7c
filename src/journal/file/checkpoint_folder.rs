//! The checkpoints of a folder: the newest that can be used, and which may go.
//!
//! Contract: recovery starts from the newest one that is intact and that the caller can use, and
//! tells of those it passed over; two are kept, so that one bad file costs a longer replay and
//! nothing else. Deliberately absent: writing one ([`super::checkpoint`]).

use super::backend::{Backend, Change, FileName, Sync};
use super::checkpoint_file::{Header, Judged, Unsealed, VERSION, judge};
use super::error::{AtFile, JournalError, RecoveryError};
use super::keys::DataKey;
use super::recovery::Finding;
use super::verdicts::{OLDER_STATE, Row, Verdict};

/// The state of an intact checkpoint, as its bytes come.
pub trait SavedState: std::fmt::Debug {
    /// Appends the next bytes; false when there are none.
    ///
    /// # Errors
    /// The reason, where they cannot be read any more.
    fn more(&mut self, into: &mut Vec<u8>) -> Result<bool, String>;

    /// The caller cannot use it, because it is of an older format of its own: an older checkpoint,
    /// or all records, are to tell the same. What it took must leave no trace.
    fn pass_over(&mut self);
}

struct Saved<'a> {
    unsealed: Unsealed<'a>,
    failed: Option<JournalError>,
    passed_over: bool,
}

impl std::fmt::Debug for Saved<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Saved").field("passed_over", &self.passed_over).finish_non_exhaustive()
    }
}

impl SavedState for Saved<'_> {
    fn more(&mut self, into: &mut Vec<u8>) -> Result<bool, String> {
        self.unsealed.next(into).map_err(|error| {
            let why = error.to_string();
            self.failed = Some(error);
            why
        })
    }

    fn pass_over(&mut self) {
        self.passed_over = true;
    }
}

/// Takes a checkpoint that is intact: its last record and its state.
pub(super) type OnSaved<'a> =
    dyn FnMut(u64, &mut (dyn SavedState + '_)) -> Result<(), RecoveryError> + 'a;

/// Hands the newest intact checkpoint to `on`, an older one where that is passed over; the last
/// record of the one taken, and what was met on the way.
///
/// # Errors
/// A newer format, another data key, the disk, or what `on` says.
pub(super) fn newest_checkpoint(
    backend: &dyn Backend,
    key: &DataKey,
    on: &mut OnSaved<'_>,
) -> Result<(Option<u64>, Vec<Finding>), RecoveryError> {
    let mut findings = Vec::new();
    for (upto, len) in listed(backend)?.into_iter().rev() {
        let file = FileName::Checkpoint(upto);
        let row = match opened(backend, Some(key), (file, upto, len))? {
            Ok(header) => {
                let unsealed = Unsealed::new(backend, key, file, header);
                let mut saved = Saved { unsealed, failed: None, passed_over: false };
                let taken = on(upto, &mut saved);
                if let Some(failed) = saved.failed {
                    return Err(failed.into());
                }
                taken?;
                if !saved.passed_over {
                    return Ok((Some(upto), findings));
                }
                &OLDER_STATE
            }
            Err(row) => row,
        };
        findings.push(Finding { file, offset: 0, record: upto, row });
    }
    Ok((None, findings))
}

/// Every checkpoint in the folder, oldest first: the last record it covers, its length in bytes
/// and what is wrong with it. Without a key the seals are taken for good.
///
/// # Errors
/// A newer format, another data key, the disk.
pub fn inspect_checkpoints(
    backend: &dyn Backend,
    key: Option<&DataKey>,
) -> Result<Vec<(u64, u64, Option<Finding>)>, RecoveryError> {
    let mut inspected = Vec::new();
    for (upto, len) in listed(backend)? {
        let file = FileName::Checkpoint(upto);
        let row = opened(backend, key, (file, upto, len))?.err();
        let finding = row.map(|row| Finding { file, offset: 0, record: upto, row });
        inspected.push((upto, len, finding));
    }
    Ok(inspected)
}

/// Checkpoints in the folder: last record covered and length in bytes, oldest first.
fn listed(backend: &dyn Backend) -> Result<Vec<(u64, u64)>, JournalError> {
    let files = backend.list().at("list", "the journal folder")?;
    let mut listed: Vec<_> = files
        .into_iter()
        .filter_map(|(name, len)| match name {
            FileName::Checkpoint(upto) => Some((upto, len)),
            _ => None,
        })
        .collect();
    listed.sort_unstable();
    Ok(listed)
}

fn opened(
    backend: &dyn Backend,
    key: Option<&DataKey>,
    place: (FileName, u64, u64),
) -> Result<Result<Header, &'static Row>, RecoveryError> {
    let Judged { row, version, header } = judge(backend, key, place)?;
    let (file, ..) = place;
    match row.verdict {
        Verdict::Accept => Ok(Ok(header)),
        Verdict::Newer => {
            Err(RecoveryError::NewerFormat { file, found: version, supported: VERSION })
        }
        Verdict::OtherKey => Err(RecoveryError::WrongKey { file, why: row.cause }),
        _ => Ok(Err(row)),
    }
}

/// Removes all but the newest `keep` checkpoints and what unfinished ones a crash left; the last
/// record the oldest kept one covers: retention must keep every segment with later records.
///
/// # Errors
/// What the disk says.
pub fn prune_checkpoints(backend: &dyn Backend, keep: usize) -> Result<Option<u64>, JournalError> {
    let checkpoints = listed(backend)?;
    let surplus = checkpoints.len().saturating_sub(keep);
    let mut gone: Vec<_> =
        checkpoints.iter().take(surplus).map(|(upto, _)| FileName::Checkpoint(*upto)).collect();
    let files = backend.list().at("list", "the journal folder")?;
    let unfinished = files.iter().map(|(name, _)| *name);
    gone.extend(unfinished.filter(|name| matches!(name, FileName::Unfinished(_))));
    for name in &gone {
        backend.change(Change::Remove(*name)).at("remove", *name)?;
    }
    if !gone.is_empty() {
        backend.sync(Sync::Folder).at("sync", "the journal folder")?;
    }
    Ok(checkpoints.get(surplus).map(|(upto, _)| *upto))
}
