//! What the witness knows of one reference: for banks that are only odd where a switch can deal
//! with it, and for the join.
//!
//! Contract: from records that are durable, and from what left when; nothing is judged here.

use super::bank::Fair;
use super::witness::{Reference, Witness};
use pointsman::canonical::Canonical;
use pointsman::switch::desk::DeskItem;
use pointsman::switch::ids::{Name, RecordNo};
use pointsman::switch::record::{Ending, Owed, Queued, Record};
use std::time::Duration;

/// For so long after an approval left, the note that it did may not be on disk: its account is
/// late, and so is the sync.
const NOTE_LATE: Duration = Duration::from_secs(60);

impl Witness {
    /// What this bank may do to this message.
    pub fn fair(&self, bank: Name, msg: &Canonical) -> Fair {
        let rrn = msg.rrn.unwrap_or_default();
        let durable = |no: &RecordNo| no.0 <= self.durable;
        let granted = self.known.grants.get(&rrn).is_some_and(|grant| durable(&grant.no));
        let of_advice = |entry: &RecordNo| {
            let advice = |q: &Queued| q.owed == Owed::Repeat && q.keys.rrn == Some(rrn);
            self.known.queued.get(entry).is_some_and(|queued| advice(queued))
        };
        let taken = self.records.iter().any(|(record, _)| match record {
            Record::Closed(c) => c.ending == Ending::Acknowledged && of_advice(&c.entry),
            _ => false,
        });
        Fair { told: granted || taken, first: self.is_first_try(bank, msg) }
    }

    /// Whether the entry that left was tried once, in this run of the process.
    fn is_first_try(&self, bank: Name, msg: &Canonical) -> bool {
        let entry = self.known.owed.iter().find(|(_, queued)| {
            queued.bank == bank && Some(queued.keys.stan) == msg.stan && queued.kind == msg.kind
        });
        let Some((entry, _)) = entry else { return false };
        let since = usize::try_from(entry.0).unwrap_or(usize::MAX);
        let later = || self.records.iter().skip(since).map(|(record, _)| record);
        let restarted = later().any(|r| matches!(r, Record::Policy(stamp) if stamp.start));
        let tries = later().filter(|r| matches!(r, Record::Attempt(a) if a.entry == *entry));
        !restarted && tries.count() == 1
    }

    /// Whether a bank was asked for it, as the journal says.
    pub(super) fn was_asked(&self, rrn: Reference) -> bool {
        self.known.intents.values().any(|intent| intent.origin.rrn == Some(rrn))
    }

    /// Whether the journal has it.
    pub fn knows(&self, rrn: Reference) -> bool {
        let asked = self.was_asked(rrn);
        let told = |q: &Queued| {
            q.owed == Owed::Repeat && q.origin.as_ref().is_some_and(|o| o.rrn == Some(rrn))
        };
        asked || self.known.queued.values().any(|queued| told(queued))
    }

    /// Whether the process ended so soon after this approval left, or was about to leave, that
    /// the next one cannot know whether it did.
    pub fn was_cut_off(&self, rrn: Reference) -> bool {
        let Some(left) = self.grants_left.get(&rrn) else {
            return self.known.grants.contains_key(&rrn) && !self.ends.is_empty();
        };
        self.ends.iter().any(|end| end >= left && end.since(*left) <= NOTE_LATE)
    }

    /// What an item of the desk is about.
    pub fn reference_of(&self, item: &DeskItem) -> Option<Reference> {
        let of_intent = |no: &RecordNo| self.known.intents.get(no)?.origin.rrn;
        let of_entry = |no: &RecordNo| {
            let queued = self.known.queued.get(no)?;
            queued.origin.as_ref().and_then(|origin| origin.rrn).or(queued.keys.rrn)
        };
        let named = of_intent(&item.item).or_else(|| of_entry(&item.item));
        named.or_else(|| item.txn.as_ref().and_then(of_intent)).or(item.rrn)
    }
}
