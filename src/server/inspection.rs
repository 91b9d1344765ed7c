//! The segments a checkpoint covers: replay does not read them, money is settled from them, so
//! they are looked at all the same.
//!
//! Contract: checksums only, no key needed. Without a checkpoint replay has read every segment, and
//! nothing is read twice. A journal of up to [`AT_ONCE_BYTES`] is looked at
//! before the start, and damage refuses it as it would behind the checkpoint; a larger one by a
//! thread of its own while the switch runs, because a restart is to cost seconds, and damage is
//! an ERROR that names file, byte and remedy. What an operator accepted once is written down
//! ([`ACCEPTED_FILE`]) and not met again. Deliberately absent: repair.

use super::housekeeping;
use crate::journal::file::backend::FileName;
use crate::journal::{Backend, Finding, Lost, Recovered, RecoveryError, walk_all};
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tracing::{error, info, warn};

/// Bytes of segments that are read before the start: a quarter of a second on a common disk.
const AT_ONCE_BYTES: u64 = 256 << 20;

/// Beside the segments: one line per place whose loss an operator accepted.
pub(crate) const ACCEPTED_FILE: &str = "accepted-losses.txt";

/// Places whose loss was accepted.
pub(crate) struct Accepted {
    path: PathBuf,
    places: BTreeSet<String>,
}

impl Accepted {
    /// Those of the journal in this folder. A file that cannot be read has none: what is on disk
    /// is then told once more, which is loud and safe.
    pub(crate) fn of(home: &Path) -> Self {
        let path = home.join(ACCEPTED_FILE);
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        Self { path, places: text.lines().map(str::to_owned).collect() }
    }

    /// Whether this place is one of them.
    pub(crate) fn holds(&self, finding: &Finding) -> bool {
        self.places.contains(&place(finding))
    }

    /// The same as a reader passes them over.
    pub(crate) fn places(&self) -> Lost {
        let read = |place: &String| {
            let (file, offset) = place.split_once(" byte ")?;
            let FileName::Segment(id) = FileName::parse(file)? else { return None };
            Some((id, offset.parse().ok()?))
        };
        Arc::new(self.places.iter().filter_map(read).collect())
    }

    /// Writes down what an operator accepts now, durably.
    fn add(&mut self, findings: &[Finding]) -> std::io::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        for finding in findings {
            let place = place(finding);
            writeln!(file, "{place}")?;
            self.places.insert(place);
        }
        file.sync_all()?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        std::fs::File::open(folder)?.sync_all()
    }
}

fn place(finding: &Finding) -> String {
    format!("{} byte {}", finding.file, finding.offset)
}

/// Why the start is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// Damage that nobody accepted, or a disk that cannot be read.
    #[error("{0}")]
    Recovery(#[from] RecoveryError),
    /// The operator's decision could not be written down.
    #[error("{ACCEPTED_FILE}: {0}")]
    Accepting(#[from] std::io::Error),
}

/// Looks at what the checkpoint covers that recovery started from, if it did from one; writes down
/// what replay met and the operator accepted. Gives all places whose loss was ever accepted.
///
/// # Errors
/// [`Refusal`]; nothing was changed.
pub(super) fn inspect(
    backend: &Arc<dyn Backend>,
    home: &Path,
    recovered: &Recovered,
    accept_loss: bool,
) -> Result<Lost, Refusal> {
    let mut accepted = Accepted::of(home);
    if accept_loss {
        let replayed = recovered.findings.iter();
        let new: Vec<_> = replayed.filter(|f| is_new(f, &accepted)).copied().collect();
        accepted.add(&new)?;
    }
    if recovered.checkpoint.is_none() {
        return Ok(accepted.places());
    }
    if segment_bytes(&**backend)? > AT_ONCE_BYTES {
        let places = accepted.places();
        inspect_later(Arc::clone(backend), accepted);
        return Ok(places);
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
            accepted.add(&found)?;
            Ok(accepted.places())
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
