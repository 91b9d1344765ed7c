//! The segments a checkpoint covers: replay does not read them, money is settled from them, so
//! they are looked at all the same.
//!
//! Contract: checksums only, no key needed. Without a checkpoint replay has read every segment, and
//! nothing is read twice. A journal of up to [`AT_ONCE_BYTES`] is looked at
//! before the start, and damage refuses it as it would behind the checkpoint; a larger one by a
//! thread of its own while the switch runs, because a restart is to cost seconds, and damage is
//! an ERROR that names file, byte and remedy. What an operator accepted once stands in the
//! journal's extent, sealed, with name and reason, and is not met again. Deliberately absent:
//! repair.

use super::at_start::Acceptance;
use super::housekeeping;
use crate::journal::file::backend::FileName;
use crate::journal::{Backend, Finding, Loss, Lost, Recovered, RecoveryError, Stated, walk_all};
use crate::time::Wall;
use std::collections::BTreeSet;
use std::sync::Arc;
use tracing::{error, info, warn};

/// Bytes of segments that are read before the start: a quarter of a second on a common disk.
const AT_ONCE_BYTES: u64 = 256 << 20;

/// Places whose loss was accepted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Accepted {
    places: BTreeSet<(String, u64)>,
}

impl Accepted {
    /// Those that a journal's extent states.
    pub(crate) fn of(stated: &Stated) -> Self {
        let Stated::Whole(_, said) = stated else { return Self::default() };
        Self { places: said.losses.iter().map(|loss| (loss.file.clone(), loss.offset)).collect() }
    }

    /// Whether this place is one of them.
    pub(crate) fn holds(&self, finding: &Finding) -> bool {
        self.places.contains(&place(finding))
    }

    /// The same as a reader passes them over.
    pub(crate) fn places(&self) -> Lost {
        let read = |(file, offset): &(String, u64)| {
            let FileName::Segment(id) = FileName::parse(file)? else { return None };
            Some((id, *offset))
        };
        Arc::new(self.places.iter().filter_map(read).collect())
    }
}

fn place(finding: &Finding) -> (String, u64) {
    (finding.file.to_string(), finding.offset)
}

/// What an inspection came to.
#[derive(Debug)]
pub(super) struct Inspected {
    /// All places whose loss was ever accepted, as a reader passes them over.
    pub lost: Lost,
    /// What is accepted now, and stands in no extent yet.
    pub new: Vec<Finding>,
}

/// What an extent says of losses that an operator accepts now.
pub(super) fn losses(new: &[Finding], accepted: &Acceptance, now: Wall) -> Vec<Loss> {
    let loss = |finding: &Finding| Loss {
        file: finding.file.to_string(),
        offset: finding.offset,
        record: finding.record,
        row: finding.row.name.to_owned(),
        by: accepted.by.clone(),
        why: accepted.why.clone(),
        at_ms: now.millis(),
    };
    new.iter().map(loss).collect()
}

/// Why the start is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// Damage that nobody accepted, or a disk that cannot be read.
    #[error("{0}")]
    Recovery(#[from] RecoveryError),
    /// The folder cannot be listed.
    #[error("cannot list the journal folder: {0}")]
    Listing(#[from] std::io::Error),
}

/// Looks at what the checkpoint covers that recovery started from, if it did from one. Gives what
/// replay and this met and the operator accepts, and all places whose loss was ever accepted.
///
/// # Errors
/// [`Refusal`]; nothing was changed.
pub(super) fn inspect(
    backend: &Arc<dyn Backend>,
    recovered: &Recovered,
    accept_loss: bool,
) -> Result<Inspected, Refusal> {
    let mut accepted = Accepted::of(&recovered.stated);
    let mut new = vec![];
    if accept_loss {
        let replayed = recovered.findings.iter();
        new.extend(replayed.filter(|f| is_new(f, &accepted)).copied());
        accepted.places.extend(new.iter().map(place));
    }
    if recovered.checkpoint.is_none() {
        return Ok(Inspected { lost: accepted.places(), new });
    }
    if segment_bytes(&**backend)? > AT_ONCE_BYTES {
        let lost = accepted.places();
        inspect_later(Arc::clone(backend), accepted);
        return Ok(Inspected { lost, new });
    }
    let found = damage(&**backend, &accepted)?;
    match found.first() {
        Some(first) if !accept_loss => {
            let Finding { file, offset, record, row } = *first;
            Err(RecoveryError::Damage { file, offset, record, row }.into())
        }
        _ => {
            for finding in &found {
                warn!(
                    "{finding}: records are lost to damage, as an operator accepted; a \
                    checkpoint covers them"
                );
            }
            accepted.places.extend(found.iter().map(place));
            new.extend(found);
            Ok(Inspected { lost: accepted.places(), new })
        }
    }
}

fn is_new(finding: &Finding, accepted: &Accepted) -> bool {
    finding.row.verdict.is_damage() && !accepted.holds(finding)
}

fn segment_bytes(backend: &dyn Backend) -> Result<u64, std::io::Error> {
    let listed = backend.list()?;
    let segments = listed.iter().filter(|(name, _)| matches!(name, FileName::Segment(_)));
    Ok(segments.map(|(_, len)| len).sum())
}

/// Damage that nobody accepted. Torn tails are recovery's business.
fn damage(backend: &dyn Backend, accepted: &Accepted) -> Result<Vec<Finding>, RecoveryError> {
    let found = walk_all(backend, None, &mut |_, _, _| Ok(()))?.findings;
    Ok(found.into_iter().filter(|finding| is_new(finding, accepted)).collect())
}

fn inspect_later(backend: Arc<dyn Backend>, accepted: Accepted) {
    let look = move || match damage(&*backend, &accepted) {
        Ok(found) if found.is_empty() => info!("segments under the checkpoint are whole"),
        Ok(found) => found.iter().for_each(|finding| {
            error!("{finding}: restore the file from a copy, or accept the loss at the next start");
        }),
        Err(why) => warn!(%why, "segments under the checkpoint could not be looked at"),
    };
    let thread = housekeeping::start("journal-inspection", look);
    if let Err(why) = thread {
        warn!(%why, "segments under the checkpoint are not looked at");
    }
}
