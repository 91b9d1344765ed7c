//! How a question to the journal is answered, wherever its records and their index are kept.
//!
//! Contract: [`answer`] asks a [`Library`] for numbers and records and for nothing else; the
//! shell's library reads disks, [`Catalogue`] makes one of a journal in memory, and both answer
//! alike. Fingerprints are hints, the record decides. Every answer says how far the
//! records reach ([`Coverage`]): "not there" proves something only within that. Deliberately
//! absent: what is done with the answer.

use super::ids::RecordNo;
use super::output::RecallKey;
use super::recall::{self, Fit};
use super::record::Record;
use crate::time::Wall;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

/// Requests or advices one answer may hold: more fit only what says next to nothing.
pub const CANDIDATES_MAX: usize = 64;

/// How many of those that share a reference number are looked at: some platforms count it up
/// per terminal and day.
const OF_REFERENCE_MAX: usize = 16;

/// Records that tell of one request: its outcome, what took it back, how that ended.
const ENDINGS_MAX: usize = 32;

/// How far the records reach that a question was answered from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Coverage {
    /// Every record written since then was there to be found; unset: every record there ever
    /// was.
    pub since: Option<Wall>,
}

/// What the journal has of what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recalled {
    /// The records. To a question for one at most one; else what was asked for and all that
    /// tells what became of it, in the order of their numbers.
    pub records: Vec<(RecordNo, Box<Record>)>,
    /// There is more than [`CANDIDATES_MAX`].
    pub more: bool,
    /// How far "not there" is the truth.
    pub coverage: Coverage,
}

impl Recalled {
    /// The one record that was asked for.
    pub fn one(self) -> Option<(RecordNo, Box<Record>)> {
        self.records.into_iter().next()
    }
}

/// Where records are kept, and found by their fingerprints.
pub trait Library {
    /// What can go wrong.
    type Error;

    /// Numbers of records with this fingerprint, among the last `days` days that have records,
    /// newest first. Others may share it.
    ///
    /// # Errors
    /// What the index says.
    fn numbers(&mut self, fingerprint: u64, days: u16) -> Result<Vec<RecordNo>, Self::Error>;

    /// The record of this number.
    ///
    /// # Errors
    /// What the journal says.
    fn record(&mut self, no: RecordNo) -> Result<Option<Record>, Self::Error>;

    /// How far the last `days` days that have records reach.
    fn coverage(&self, days: u16) -> Coverage;
}

/// Answers a question.
///
/// # Errors
/// What the library says.
pub fn answer<L: Library>(key: &RecallKey, library: &mut L) -> Result<Recalled, L::Error> {
    let mut found = Gathered::default();
    match *key {
        RecallKey::Record(no) => {
            if let Some(record) = library.record(no)? {
                found.records.insert(no, record);
            }
        }
        RecallKey::Key { days, .. } | RecallKey::Ending { days, .. } => {
            if let Some((no, record)) = best(key, days, library)? {
                found.records.insert(no, record);
            }
        }
        RecallKey::Meant { days, reference, .. } => {
            // First: a busy card has more requests than are looked at.
            if reference != 0 {
                found.newest(reference, days, library)?;
            }
            for fingerprint in recall::fingerprints(key) {
                found.all(fingerprint, days, library)?;
            }
        }
        RecallKey::Family { txn, days } => {
            found.with_endings(txn, days, library)?;
            found.all(super::anchors::refers_to(txn), days, library)?;
            // And what refers to those in turn: the void of a refund, that of a completion.
            for follower in found.wanted.clone() {
                found.all(super::anchors::refers_to(follower), days, library)?;
            }
        }
    }
    let Gathered { records, more, .. } = found;
    let records = records.into_iter().map(|(no, record)| (no, Box::new(record))).collect();
    Ok(Recalled { records, more, coverage: library.coverage(key.days()) })
}

/// The one record that answers.
fn best<L: Library>(
    key: &RecallKey,
    days: u16,
    library: &mut L,
) -> Result<Option<(RecordNo, Record)>, L::Error> {
    for name in recall::fingerprints(key) {
        let mut unless = None;
        for no in library.numbers(name, days)? {
            let Some(record) = library.record(no)? else { continue };
            match recall::fit(key, name, &record) {
                Some(Fit::Whole) => return Ok(Some((no, record))),
                Some(Fit::Unless) if unless.is_none() => unless = Some((no, record)),
                Some(Fit::Unless) | None => {}
            }
        }
        if unless.is_some() {
            return Ok(unless);
        }
    }
    Ok(None)
}

/// Whether a record stands in the index under this fingerprint: others may share it.
fn carries(record: &Record, fingerprint: u64) -> bool {
    recall::index_keys(record).is_some_and(|keys| keys.fingerprints().contains(&fingerprint))
}

#[derive(Default)]
struct Gathered {
    records: BTreeMap<RecordNo, Record>,
    wanted: BTreeSet<RecordNo>,
    more: bool,
}

impl Gathered {
    /// All that carry this fingerprint, with what became of each.
    fn all<L: Library>(
        &mut self,
        fingerprint: u64,
        days: u16,
        library: &mut L,
    ) -> Result<(), L::Error> {
        for no in library.numbers(fingerprint, days)? {
            if self.wanted.contains(&no) {
                continue;
            }
            if self.wanted.len() == CANDIDATES_MAX {
                self.more = true;
                return Ok(());
            }
            if library.record(no)?.is_some_and(|record| carries(&record, fingerprint)) {
                self.with_endings(no, days, library)?;
            }
        }
        Ok(())
    }

    /// The newest that carry this fingerprint: there may be any number, and most are others.
    fn newest<L: Library>(
        &mut self,
        fingerprint: u64,
        days: u16,
        library: &mut L,
    ) -> Result<(), L::Error> {
        for no in library.numbers(fingerprint, days)?.into_iter().take(OF_REFERENCE_MAX) {
            let full = self.wanted.contains(&no) || self.wanted.len() == CANDIDATES_MAX;
            if !full && library.record(no)?.is_some_and(|record| carries(&record, fingerprint)) {
                self.with_endings(no, days, library)?;
            }
        }
        Ok(())
    }

    /// A record and all that tells what became of it.
    fn with_endings<L: Library>(
        &mut self,
        no: RecordNo,
        days: u16,
        library: &mut L,
    ) -> Result<(), L::Error> {
        self.wanted.insert(no);
        let Some(record) = library.record(no)? else { return Ok(()) };
        self.records.insert(no, record);
        for ending in library.numbers(recall::ending_of(no), days)?.into_iter().take(ENDINGS_MAX) {
            let Some(record) = library.record(ending)? else { continue };
            if recall::tells_end_of(&record) != Some(no) {
                continue;
            }
            // How a reversal ended tells whether it took anything back.
            let queued = matches!(record, Record::Queued(_));
            self.records.insert(ending, record);
            let closed = recall::ending_of(ending);
            let closings = if queued { library.numbers(closed, days)? } else { vec![] };
            for closing in closings.into_iter().take(ENDINGS_MAX) {
                let record = library.record(closing)?;
                let theirs = record.filter(|r| recall::tells_end_of(r) == Some(ending));
                self.records.extend(theirs.map(|record| (closing, record)));
            }
        }
        Ok(())
    }
}

/// The index of a journal held in memory.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    numbers: BTreeMap<u64, Vec<RecordNo>>,
    upto: RecordNo,
}

impl Catalogue {
    /// Numbers of records with this fingerprint, newest first.
    pub fn numbers(&self, fingerprint: u64) -> Vec<RecordNo> {
        self.numbers.get(&fingerprint).into_iter().flatten().rev().copied().collect()
    }

    /// Enters a record; those before it must be in. One that is in already is passed over.
    pub fn add(&mut self, no: RecordNo, record: &Record) {
        if no <= self.upto {
            return;
        }
        self.upto = no;
        let keys = recall::index_keys(record);
        for fingerprint in keys.iter().flat_map(|keys| keys.fingerprints()) {
            self.numbers.entry(*fingerprint).or_default().push(no);
        }
    }
}

/// Answers a question from a journal in memory: these records, in the order of their numbers.
/// Where they do not begin with the first one there was, the answer says so.
pub fn search(key: &RecallKey, records: &[(RecordNo, &Record)]) -> Recalled {
    let mut catalogue = Catalogue::default();
    records.iter().for_each(|(no, record)| catalogue.add(*no, record));
    let record = |wanted: RecordNo| {
        let at = records.binary_search_by_key(&wanted, |(no, _)| *no).ok()?;
        records.get(at).map(|(_, record)| (*record).clone())
    };
    let begins = records.first().map_or(RecordNo(1), |(no, _)| *no);
    let since = records.iter().find_map(|(_, record)| recall::written(record));
    let coverage = Coverage { since: since.filter(|_| begins > RecordNo(1)) };
    let Ok(found) = answer(key, &mut Shelf { catalogue: &catalogue, record, coverage });
    found
}

/// A journal in memory, whole or from some record on.
#[derive(Debug)]
pub struct Shelf<'s, F> {
    /// Its index.
    pub catalogue: &'s Catalogue,
    /// Gives the record of a number, where it is still there.
    pub record: F,
    /// How far it reaches.
    pub coverage: Coverage,
}

impl<F: Fn(RecordNo) -> Option<Record>> Library for Shelf<'_, F> {
    type Error = Infallible;

    fn numbers(&mut self, fingerprint: u64, _: u16) -> Result<Vec<RecordNo>, Infallible> {
        Ok(self.catalogue.numbers(fingerprint))
    }

    fn record(&mut self, no: RecordNo) -> Result<Option<Record>, Infallible> {
        Ok((self.record)(no))
    }

    fn coverage(&self, _: u16) -> Coverage {
        self.coverage
    }
}

#[cfg(test)]
mod tests {
    use super::super::anchors;
    use super::super::audit::proofs::asked;
    use super::super::record::{Intent, Leg, Outcome};
    use super::*;
    use crate::sensitive::Pan;
    use std::sync::Arc;

    fn card(digits: &[u8]) -> Option<Pan> {
        Pan::new(digits).ok()
    }

    fn intent(pan: &[u8], original: Option<u64>) -> Record {
        let Record::Intent(intent) = asked(7, 7) else { return asked(7, 7) };
        let original = original.map(RecordNo);
        Record::Intent(Arc::new(Intent { pan: card(pan), original, ..(*intent).clone() }))
    }

    /// A hold, an unrelated purchase of another card, the hold's completion.
    fn journal() -> Vec<(RecordNo, Record)> {
        let ended = |txn: u64| {
            Record::Outcome(Outcome::bare(RecordNo(txn), Wall::default(), Leg::Approved))
        };
        let (ours, other) = (b"4111111111111111", b"5555555555554444");
        let records = [
            intent(ours, None),
            ended(1),
            intent(other, None),
            intent(ours, Some(1)),
            ended(3),
            ended(4),
        ];
        (1..).map(RecordNo).zip(records).collect()
    }

    fn ask(key: RecallKey, from: usize) -> (Vec<u64>, Coverage) {
        let journal = journal();
        let kept: Vec<_> = journal.iter().skip(from).map(|(no, record)| (*no, record)).collect();
        let found = search(&key, &kept);
        (found.records.iter().map(|(no, _)| no.0).collect(), found.coverage)
    }

    #[test]
    fn a_family_is_the_original_what_refers_to_it_and_all_their_ends() {
        let family = |from| ask(RecallKey::Family { txn: RecordNo(1), days: 7 }, from);
        assert_eq!(family(0), (vec![1, 2, 4, 6], Coverage { since: None }));
        // Its original is retired: what refers to it is still there, and the answer says so.
        let (rest, coverage) = family(2);
        assert_eq!(rest, [4, 6]);
        assert_eq!(coverage.since, Some(Wall::default()));
    }

    #[test]
    fn a_card_gives_all_its_requests_with_their_ends() {
        let anchor = card(b"4111111111111111").as_ref().map(anchors::by_card);
        let anchors = [anchor.unwrap_or_default(), 0, 0, 0];
        let key = RecallKey::Meant { names: [0; 4], anchors, reference: 0, days: 7 };
        assert_eq!(ask(key, 0).0, [1, 2, 4, 6]);
    }

    /// F37 names the oldest of more requests than are looked at on one card.
    #[test]
    fn a_reference_number_is_found_however_busy_its_card_is() {
        let of = |no: u64| {
            let Record::Intent(intent) = asked(7, 7) else { return asked(7, 7) };
            let mut intent = (*intent).clone();
            intent.pan = card(b"4111111111111111");
            intent.origin.rrn = format!("{no:012}").parse().ok();
            Record::Intent(Arc::new(intent))
        };
        let journal: Vec<_> = (1..=200).map(|no| (RecordNo(no), of(no))).collect();
        let kept: Vec<_> = journal.iter().map(|(no, record)| (*no, record)).collect();
        let busy = card(b"4111111111111111").as_ref().map(anchors::by_card).unwrap_or_default();
        let named = "000000000001".parse().ok().as_ref().and_then(anchors::by_reference);
        let (anchors, reference) = ([busy, 0, 0, 0], named.unwrap_or_default());
        let key = RecallKey::Meant { names: [0; 4], anchors, reference, days: 7 };
        let found = search(&key, &kept);
        assert_eq!(found.records.first().map(|(no, _)| no.0), Some(1));
        assert!(found.more, "the others of its card are more than are looked at");
    }
}
