//! How many items of the desk a platform has made alone: by naming originals that nobody knows.
//!
//! Contract: beyond what its platform may have there, such a message is not acknowledged and not
//! remembered: the platform goes on sending it, and nothing is lost. Whatever has an original, a
//! bank's answer or a bank's debt behind it is never held back. Counted from the records, like all
//! of the state. Deliberately absent: how an item is decided ([`super::operator`]).

use super::Switch;
use super::doubt::DeadLetter;
use super::ids::Name;
use super::inflight::Requester;
use super::nonsense::Nonsense;
use super::output::Event;
use super::record::{Cause, Desk, Record};
use super::state::State;
use crate::canonical::{Canonical, Reason};
use std::collections::BTreeMap;

/// Items that platforms made alone, by platform.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    items: BTreeMap<Name, usize>,
    /// Platforms of which somebody was told that they have too many.
    told: Vec<Name>,
}

impl Crowd {
    /// What stands on the desk as the last run left it.
    pub(super) fn of(state: &State) -> Self {
        let mut crowd = Self::default();
        state.dead.values().filter_map(alone).for_each(|platform| crowd.add(platform));
        crowd
    }

    fn add(&mut self, platform: Name) {
        *self.items.entry(platform).or_default() += 1;
    }

    fn remove(&mut self, platform: Name) {
        if let Some(items) = self.items.get_mut(&platform) {
            *items = items.saturating_sub(1);
        }
    }

    /// The platform that has one item less once this record counts.
    pub(super) fn leaving(state: &State, record: &Record) -> Option<Name> {
        let Record::Desk(Desk { item, verb: Some(_), .. }) = record else { return None };
        state.dead.get(item).and_then(alone)
    }

    /// Takes note of a record that counts from now on; `left` is as [`Crowd::leaving`] said.
    pub(super) fn note(&mut self, state: &State, record: &Record, left: Option<Name>) {
        if let Record::Closed(closed) = record
            && let Some(platform) = state.dead.get(&closed.entry).and_then(alone)
        {
            self.add(platform);
        }
        if let Some(platform) = left {
            self.remove(platform);
        }
    }
}

/// Whether nobody knows what this refers to.
const fn is_unknown(cause: Cause) -> bool {
    matches!(cause, Cause::NoOriginal | Cause::Forgotten)
}

/// The platform that made this item alone.
fn alone(letter: &DeadLetter) -> Option<Name> {
    letter.queued.platform.filter(|_| letter.tries == 0 && letter.cause.is_some_and(is_unknown))
}

impl Switch {
    /// Holds back what would be one item more than its platform may have: it is not acknowledged,
    /// so that it comes again. Gives it back where there is room.
    pub(super) fn unless_crowded(
        &mut self,
        from: &Requester,
        msg: Box<Canonical>,
        cause: Cause,
    ) -> Option<Box<Canonical>> {
        let platform = self.policy.platforms.get(usize::from(from.platform.0));
        let Some(platform) = platform.filter(|_| is_unknown(cause)) else { return Some(msg) };
        let (name, most) = (platform.name, platform.desk_items_max);
        let items = self.crowd.items.get(&name).copied().unwrap_or_default();
        if items < most {
            self.crowd.told.retain(|told| *told != name);
            return Some(msg);
        }
        let first = !self.crowd.told.contains(&name);
        if first {
            self.crowd.told.push(name);
        }
        self.nonsense(from.session, Nonsense::UnknownOriginal);
        self.event(Event::DeskFull { platform: name, items, first });
        self.answer_own(from, msg, Reason::SystemError, None);
        self.answered_event(from, None, None, "refused");
        None
    }
}
