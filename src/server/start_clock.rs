//! Whether the clock can be believed at a start.
//!
//! Contract: a clock far behind the newest record of the journal is wrong now or was wrong then,
//! and either way somebody has to look: what this run writes would lie before what it follows, and
//! how old something is could not be told. In production the start waits for an operator's word.
//! A clock ahead of what time synchronization says is told only: a synchronization that stopped
//! looks the same, and must not keep payments waiting. Deliberately absent: setting any clock.

use super::at_start::{Acceptance, AtStart};
use super::clock::written_at;
use super::wiring::StartError;
use crate::config::settings::Settings;
use crate::journal::Reader;
use crate::switch::ids::RecordNo;
use crate::switch::recall::stamp_of;
use crate::switch::record::Record;
use crate::time::Wall;
use std::fmt;
use std::path::Path;
use std::time::Duration;
use tracing::warn;

/// Where the time synchronization of systemd says how it is doing.
const TIMESYNC: &str = "/run/systemd/timesync";

/// Records looked back for one that has a stamp: hints have none.
const LOOKED_BACK: u64 = 1_024;

/// What time synchronization says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TimeSync {
    /// There is none that we know how to ask.
    NotThere,
    /// It has not set the clock since the machine started.
    NotYet,
    /// It set the clock last at this time.
    Last(Wall),
}

/// A reason not to believe the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    /// It is behind the newest record of the journal.
    Behind { now: Wall, newest: Wall },
    /// It is ahead of when it was last set.
    Ahead { now: Wall, last: Wall },
    /// Nobody has set it yet.
    NotSet { now: Wall },
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Behind { now, newest } => write!(
                f,
                "the clock says {now}, but the newest record of the journal was written at \
                 {newest}: set the clock right; if it is right now and was ahead then, start with \
                 --accept-clock \"NAME: REASON\""
            ),
            Self::Ahead { now, last } => write!(
                f,
                "the clock says {now}, but time synchronization last set it at {last}: either it \
                 has stopped, or the clock was set ahead by hand; compare it with another clock, \
                 and see that synchronization works"
            ),
            Self::NotSet { now } => write!(
                f,
                "the clock says {now}, and time synchronization has not set it since the machine \
                 started: compare it with another clock; what is wrong is followed once it is set"
            ),
        }
    }
}

/// Compares the clock with the newest record, up to `last`, and with time synchronization.
///
/// # Errors
/// In production, a clock behind the journal that no operator accepted.
pub(super) fn check(
    settings: &Settings,
    said: &AtStart,
    now: Wall,
    (reader, last): (&mut Reader, RecordNo),
) -> Result<(), Vec<StartError>> {
    let newest = newest_stamp(reader, last);
    let doubts = doubts(now, newest, time_sync(), settings.journal.clock_bound);
    believe(&doubts, said.accept_clock.as_ref(), settings.production)
}

/// What speaks against a clock that says `now`; `bound` is how far it may be off.
fn doubts(now: Wall, newest: Option<Wall>, sync: TimeSync, bound: Duration) -> Vec<Doubt> {
    let bound = i64::try_from(bound.as_millis()).unwrap_or(i64::MAX);
    let beyond = |early: Wall, late: Wall| late.millis().saturating_sub(early.millis()) > bound;
    let behind = newest.filter(|newest| beyond(now, *newest));
    let of_sync = match sync {
        TimeSync::NotThere => None,
        TimeSync::NotYet => Some(Doubt::NotSet { now }),
        TimeSync::Last(last) => beyond(last, now).then_some(Doubt::Ahead { now, last }),
    };
    behind.map(|newest| Doubt::Behind { now, newest }).into_iter().chain(of_sync).collect()
}

/// The stamp of the newest record that has one and can be read: damage is for others to judge.
fn newest_stamp(reader: &mut Reader, last: RecordNo) -> Option<Wall> {
    (last.0.saturating_sub(LOOKED_BACK) + 1..=last.0).rev().find_map(|no| {
        let bytes = reader.read(no).ok()??;
        stamp_of(&Record::decode(bytes).ok()?)
    })
}

/// What the time synchronization of this machine says.
fn time_sync() -> TimeSync {
    sync_in(Path::new(TIMESYNC))
}

fn sync_in(folder: &Path) -> TimeSync {
    if !folder.is_dir() {
        return TimeSync::NotThere;
    }
    written_at(&folder.join("synchronized")).map_or(TimeSync::NotYet, TimeSync::Last)
}

/// Says every doubt once; `accepted` is the operator's word, where there is one.
fn believe(
    doubts: &[Doubt],
    accepted: Option<&Acceptance>,
    production: bool,
) -> Result<(), Vec<StartError>> {
    let mut refused = Vec::new();
    for doubt in doubts {
        match (doubt, accepted) {
            (Doubt::Behind { .. }, Some(Acceptance { by, why })) => {
                warn!(by, why, "the clock is accepted: {doubt}");
            }
            (Doubt::Behind { .. }, None) if production => {
                refused.push(StartError { key: "clock".to_owned(), why: doubt.to_string() });
            }
            _ => warn!("{doubt}"),
        }
    }
    if refused.is_empty() { Ok(()) } else { Err(refused) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);
    /// 2026-11-22T00:00:00Z.
    const NOW: i64 = 1_795_305_600_000;

    fn at(seconds: i64) -> Wall {
        Wall::from_millis(NOW + seconds * 1_000)
    }

    fn judged(newest: Option<i64>, sync: TimeSync) -> Vec<Doubt> {
        doubts(at(0), newest.map(at), sync, HOUR)
    }

    #[test]
    fn a_clock_is_believed_up_to_the_bound() {
        let (now, none) = (at(0), TimeSync::NotThere);
        for newest in [None, Some(-400 * 86_400), Some(-1), Some(0), Some(3_600)] {
            assert_eq!(judged(newest, none), [], "{newest:?}");
        }
        assert_eq!(judged(Some(3_601), none), [Doubt::Behind { now, newest: at(3_601) }]);
        let far = Wall::from_millis(i64::MAX);
        let behind = doubts(Wall::from_millis(i64::MIN), Some(far), none, HOUR);
        assert_eq!(behind.len(), 1, "no number is too large");
    }

    #[test]
    fn a_clock_is_compared_with_when_it_was_last_set() {
        let now = at(0);
        for last in [-3_600, -5, 0, 86_400] {
            assert_eq!(judged(None, TimeSync::Last(at(last))), [], "{last}");
        }
        let last = at(-3_601);
        assert_eq!(judged(None, TimeSync::Last(last)), [Doubt::Ahead { now, last }]);
        assert_eq!(judged(None, TimeSync::NotYet), [Doubt::NotSet { now }]);
        assert_eq!(judged(Some(7_200), TimeSync::NotYet).len(), 2, "both are said");
    }

    #[test]
    fn only_production_waits_and_only_where_the_journal_knows_better() {
        let behind = Doubt::Behind { now: at(0), newest: at(86_400) };
        let told = [Doubt::Ahead { now: at(0), last: at(-86_400) }, Doubt::NotSet { now: at(0) }];
        let (by, why) = ("anna".to_owned(), "it was ahead".to_owned());
        let word = Acceptance { by, why };
        assert_eq!(believe(&told, None, true), Ok(()));
        assert_eq!(believe(&[behind], None, false), Ok(()));
        assert_eq!(believe(&[behind], Some(&word), true), Ok(()));
        let refused = believe(&[told[0], behind], None, true).err().unwrap_or_default();
        let [one] = refused.as_slice() else { unreachable!("{refused:?}") };
        for part in ["2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z", "--accept-clock", "set"] {
            assert!(one.to_string().contains(part), "{one}");
        }
    }

    #[test]
    fn time_synchronization_is_asked_by_its_files() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        assert_eq!(sync_in(&folder.path().join("none")), TimeSync::NotThere);
        assert_eq!(sync_in(folder.path()), TimeSync::NotYet);
        // The time of a file is the file system's: no clock of this process has a say.
        let set = Duration::from_secs(1_795_305_600);
        let file = std::fs::File::create(folder.path().join("synchronized"))?;
        file.set_modified(std::time::UNIX_EPOCH + set)?;
        assert_eq!(sync_in(folder.path()), TimeSync::Last(Wall::from_millis(1_795_305_600_000)));
        Ok(())
    }
}
