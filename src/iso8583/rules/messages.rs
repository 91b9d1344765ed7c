//! `[messages]`: which MTI and distinguishing values mean which kind of message, both ways.
//!
//! Contract: an entry names a request (or advice) MTI, its kind, and the values that tell it
//! from others (`x` = any character); its answer and its repeat follow from the MTI. A request
//! must have every distinguishing value; an answer may leave them out, and what stays open is
//! `Unstated`. Of two entries that fit, the one that says strictly more wins. An entry of kind
//! `reversal` stands for the reversals of every transaction entry, told apart by the same values
//! and by the original's MTI. Deliberately absent: reading the section ([`super::messages_load`]).

use super::field_map::Place;
use crate::iso8583::{Message, Mti};
use crate::meaning::{Flow, Kind, NetworkFunction, TransactionType};
use crate::text::Text;

/// A value that an entry sets when it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal {
    /// The data element.
    pub de: u8,
    /// The part of it; `None` for the whole element.
    pub part: Option<u8>,
    /// Its characters; `x` leaves the character as it is, or `0`.
    pub mask: Box<[u8]>,
}

/// A value that an entry compares: one of several masks at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) place: Place,
    pub(super) masks: Box<[Box<[u8]>]>,
}

/// Which legs of an entry are ever written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writes {
    Never,
    Answers,
    Both,
}

/// One kind of message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the dialect file.
    pub name: Box<str>,
    /// The MTI of the request or advice, without repeat.
    pub mti: Mti,
    /// What it asks for.
    pub kind: Kind,
    /// The leg its request is; the answer's follows.
    pub flow: Flow,
    pub(super) conditions: Vec<Condition>,
    pub(super) literals: Vec<Literal>,
    /// Of a reversal: the MTIs of what it reverses.
    pub(super) origins: Vec<Mti>,
    pub(super) reads: bool,
    pub(super) writes: Writes,
    /// Whether the dialect marks a retransmission by the repeat MTI.
    pub repeats: bool,
}

/// Why a message is none of this dialect's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoMessage {
    /// No entry has this MTI.
    Mti,
    /// Entries have the MTI, but not these values.
    Values,
}

/// What a message was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The entry; `None` where an answer leaves open which.
    pub entry: Option<usize>,
    /// What it asks for.
    pub kind: Kind,
    /// Which leg it is.
    pub flow: Flow,
}

/// The compiled section: entries by MTI, the most specific first.
#[derive(Debug, Clone, Default)]
pub struct Messages {
    pub(super) entries: Vec<Entry>,
    /// Which entry says what: sorted by kind and leg.
    pub(super) said: Vec<(Kind, Flow, usize)>,
}

impl Condition {
    fn value<'m>(&self, message: &'m Message) -> Option<&'m [u8]> {
        let value = message.get(self.place.de)?;
        match self.place.part {
            None => Some(value),
            Some(_) => value.get(self.place.at..self.place.at + self.masks.first()?.len()),
        }
    }

    /// Whether the value fits; `None` where there is none.
    fn holds(&self, message: &Message) -> Option<bool> {
        let value = self.value(message)?;
        Some(self.masks.iter().any(|mask| fits(mask, value)))
    }
}

fn fits(mask: &[u8], value: &[u8]) -> bool {
    mask.len() == value.len() && mask.iter().zip(value).all(|(m, v)| *m == b'x' || m == v)
}

impl Entry {
    /// What its messages set, distinguishing values first.
    pub fn literals(&self) -> impl Iterator<Item = &Literal> {
        self.literals.iter()
    }

    /// Whether its requests, or its answers, are ever written.
    pub fn writes(&self, answer: bool) -> bool {
        match self.writes {
            Writes::Never => false,
            Writes::Answers => answer,
            Writes::Both => true,
        }
    }

    /// The MTI that the original data of a reversal states: the one given if this dialect has
    /// such originals, else the one it writes.
    pub fn original_mti(&self, given: Option<Text<4>>) -> Option<&[u8]> {
        let is = |m: &&Mti| given.is_some_and(|g| g.as_bytes() == m.as_bytes());
        let known = self.origins.iter().find(is).or(self.origins.first());
        known.map(|m| &m.as_bytes()[..])
    }

    /// Its leg as a request or as an answer.
    pub(super) fn leg(&self, answer: bool) -> Flow {
        if answer { self.flow.answer().unwrap_or(self.flow) } else { self.flow }
    }

    fn holds(&self, message: &Message) -> bool {
        self.conditions.iter().all(|c| c.holds(message) == Some(true))
    }

    fn may_hold(&self, message: &Message) -> bool {
        self.conditions.iter().all(|c| c.holds(message) != Some(false))
    }

    /// The more it says, the earlier it is tried.
    pub(super) fn weight(&self) -> (usize, usize, usize) {
        let said = |c: &Condition| {
            c.masks.iter().map(|m| m.iter().filter(|x| **x != b'x').count()).min().unwrap_or(0)
        };
        let alternatives: usize = self.conditions.iter().map(|c| c.masks.len()).sum();
        let said = self.conditions.iter().map(said).sum();
        (self.conditions.len(), said, usize::MAX - alternatives)
    }
}

impl Messages {
    /// Every entry by MTI, the most specific first; reversals once per transaction type.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry with this index.
    pub fn entry(&self, index: Option<usize>) -> Option<&Entry> {
        self.entries.get(index?)
    }

    /// What this message is. `original` is the MTI it says its original had.
    ///
    /// # Errors
    /// [`NoMessage`] for an unknown MTI, and for a request whose values fit no entry.
    pub fn find(&self, message: &Message, original: Option<Text<4>>) -> Result<Found, NoMessage> {
        let mti = message.mti().without_repeat();
        if mti.is_response() {
            return self.find_answer(message, mti);
        }
        let fitting = || {
            let of_mti = self.of_mti(mti).filter(|(_, e)| e.reads);
            of_mti.filter(|(_, e)| e.holds(message))
        };
        let Some((index, best)) = fitting().next() else {
            return self.open_reversal(mti).ok_or(if self.has(mti) {
                NoMessage::Values
            } else {
                NoMessage::Mti
            });
        };
        let found =
            |(index, e): (usize, &Entry)| Found { entry: Some(index), kind: e.kind, flow: e.flow };
        if !matches!(best.kind, Kind::Reversal(_)) {
            return Ok(found((index, best)));
        }
        let original = original.and_then(|m| Mti::new(m.as_bytes()).ok()).map(Mti::without_repeat);
        let of_original = |e: &Entry| original.is_some_and(|o| e.origins.contains(&o));
        let best = fitting().find(|(_, e)| of_original(e)).map_or(best, |(_, e)| e);
        let rival =
            |e: &Entry| e.weight() == best.weight() && (!of_original(best) || of_original(e));
        let mut rivals = fitting().filter(|(_, e)| rival(e));
        if let Some(first) = rivals.next()
            && rivals.all(|(_, e)| e.kind == first.1.kind)
        {
            return Ok(found(first));
        }
        self.open_reversal(mti).ok_or(NoMessage::Values)
    }

    /// An answer: the first entry that fits wholly, unless one that says more may fit too.
    fn find_answer(&self, message: &Message, mti: Mti) -> Result<Found, NoMessage> {
        let mut found: Option<Found> = None;
        for (index, entry) in self.of_mti(asked_by(mti)).filter(|(_, e)| e.reads) {
            if !entry.may_hold(message) {
                continue;
            }
            let flow = entry.leg(true);
            found = Some(match found {
                None => Found { entry: Some(index), kind: entry.kind, flow },
                Some(before) if before.kind == entry.kind => before,
                Some(before) => Found { entry: None, kind: unstated(before.kind), ..before },
            });
            if entry.holds(message) {
                break;
            }
        }
        match found {
            Some(found) => Ok(found),
            None => {
                let (_, first) = self.of_mti(asked_by(mti)).next().ok_or(NoMessage::Mti)?;
                Ok(Found { entry: None, kind: unstated(first.kind), flow: first.leg(true) })
            }
        }
    }

    /// A reversal that does not say of what.
    fn open_reversal(&self, mti: Mti) -> Option<Found> {
        let open = Kind::Reversal(TransactionType::Unstated);
        let index = self.entries.iter().position(|e| e.mti == mti && e.kind == open)?;
        Some(Found { entry: Some(index), kind: open, flow: self.entries[index].flow })
    }

    /// The entries of a request MTI with their indices, the most specific first.
    fn of_mti(&self, mti: Mti) -> impl Iterator<Item = (usize, &Entry)> {
        let from = self.entries.partition_point(|e| e.mti < mti);
        let entries = self.entries.get(from..).unwrap_or_default();
        (from..).zip(entries.iter().take_while(move |e| e.mti == mti))
    }

    /// Whether an entry has this MTI, as a request or as an answer.
    pub fn has(&self, mti: Mti) -> bool {
        let mti = mti.without_repeat();
        self.entries.iter().any(|e| e.mti == mti || e.mti.response() == mti)
    }

    /// The entry that is written for this kind and leg.
    pub fn written(&self, kind: Kind, flow: Flow) -> Option<(usize, &Entry)> {
        let said = self.said.binary_search_by_key(&(kind, flow), |(k, f, _)| (*k, *f)).ok()?;
        let (_, _, index) = self.said.get(said)?;
        Some((*index, self.entries.get(*index)?))
    }

    /// The entry whose answer is written to a request that came with `asked`.
    pub fn answering(&self, kind: Kind, asked: Mti) -> Option<(usize, &Entry)> {
        let asked = asked.without_repeat();
        let of_mti = |(_, e): &(usize, &Entry)| e.mti == asked;
        let entries = || self.entries.iter().enumerate().filter(of_mti);
        entries().find(|(_, e)| e.kind == kind)
    }

    /// Whether this dialect can say it at all; for checks of routes at load.
    pub fn can_write(&self, kind: Kind, flow: Flow) -> bool {
        self.written(kind, flow).is_some()
    }
}

/// The request MTI that an answer's MTI answers.
fn asked_by(mti: Mti) -> Mti {
    let [version, class, function, origin] = *mti.as_bytes();
    // The digits' low bit is their parity, and '0' is even.
    Mti::new(&[version, class, function & !1, origin]).unwrap_or(mti)
}

/// The same kind of message, without saying which.
pub(super) fn unstated(kind: Kind) -> Kind {
    match kind {
        Kind::Transaction(_) => Kind::Transaction(TransactionType::Unstated),
        Kind::Reversal(_) => Kind::Reversal(TransactionType::Unstated),
        Kind::NetworkManagement(_) => Kind::NetworkManagement(NetworkFunction::Unstated),
        Kind::Reconciliation | Kind::BatchUpload => kind,
    }
}
