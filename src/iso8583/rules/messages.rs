//! `[messages]`: which MTI and distinguishing values mean which kind of message, both ways.
//!
//! Contract: an entry names a request (or advice) MTI, its kind, and the values that tell it
//! from others (`x` = any character); its answer and its repeat follow from the MTI. A request
//! must have every distinguishing value; an answer may leave them out, and what stays open is
//! `Unstated`. Of two entries that fit, the one that says strictly more wins. An entry of kind
//! `reversal` stands for the reversals of every transaction entry, told apart by the same values
//! and by the original's MTI. Deliberately absent: reading the section ([`super::messages_load`]).

use super::field_map::Place;
use super::telling::{Group, fits, ones};
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
    /// Further characters that stand for the same: what has them already keeps them.
    pub also: Box<[Box<[u8]>]>,
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
    /// Set instead of the same of its literals where the amount is not its original's.
    pub(super) partial: Vec<Literal>,
    /// The processing code that says no more than its kind, where it is read with others too.
    pub(super) plain: Option<Box<[u8]>>,
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
    /// The same by MTI.
    groups: Vec<Group>,
    /// Which entry says what, by kind and leg; [`NOBODY`] where none does.
    said: Vec<u16>,
}

const NOBODY: u16 = u16::MAX;

impl Literal {
    /// Whether a value has these characters already.
    pub fn fits(&self, value: &[u8]) -> bool {
        fits(&self.mask, value) || self.also.iter().any(|mask| fits(mask, value))
    }
}

impl Entry {
    /// What its messages set, distinguishing values first.
    pub fn literals(&self) -> impl Iterator<Item = &Literal> {
        self.literals.iter()
    }

    /// What its messages set where their amount is not their original's: in the reversal of a
    /// part, in a completion of another amount.
    pub fn partial(&self) -> &[Literal] {
        &self.partial
    }

    /// Whether a message of it says that its amount is not its original's.
    #[inline]
    pub fn is_partial(&self, message: &Message) -> bool {
        let says = |one: &Literal| message.get(one.de).is_some_and(|value| one.fits(value));
        !self.partial.is_empty() && self.partial.iter().all(says)
    }

    /// Whether a processing code says more than the kind does (cash, cash back).
    #[inline]
    pub fn is_special(&self, code: &[u8]) -> bool {
        self.plain.as_ref().is_some_and(|plain| !fits(plain, code))
    }

    /// Whether its messages may have this processing code.
    pub fn takes_code(&self, code: &[u8]) -> bool {
        let of_code = |l: &&Literal| l.de == 3 && l.part.is_none();
        self.literals.iter().find(of_code).is_none_or(|literal| literal.fits(code))
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

    /// Entries in order: by MTI, the most specific first.
    pub(super) fn of(entries: Vec<Entry>, said: &[(Kind, Flow, usize)]) -> Self {
        let mut table = vec![NOBODY; Kind::COUNT * Flow::COUNT];
        for (kind, flow, index) in said {
            if let Some(place) = table.get_mut(said_at(*kind, *flow)) {
                *place = u16::try_from(*index).unwrap_or(NOBODY);
            }
        }
        Self { groups: Group::all(&entries), said: table, entries }
    }

    /// What this message is. `original` is the MTI it says its original had.
    ///
    /// # Errors
    /// [`NoMessage`] for an unknown MTI, and for a request whose values fit no entry.
    pub fn find(&self, message: &Message, original: Option<Text<4>>) -> Result<Found, NoMessage> {
        let mti = message.mti().without_repeat();
        if mti.is_response() {
            return self.find_answer(message, self.group(asked_by(mti)).ok_or(NoMessage::Mti)?);
        }
        let group = self.group(mti).ok_or(NoMessage::Mti)?;
        let fitting = group.fit(message).whole & group.reads;
        let found =
            |(index, e): (usize, &Entry)| Found { entry: Some(index), kind: e.kind, flow: e.flow };
        let fitting = || ones(fitting).filter_map(|at| self.numbered(group.from + at));
        match fitting().next() {
            None => self.open_reversal(group).ok_or(NoMessage::Values),
            Some(best) if !matches!(best.1.kind, Kind::Reversal(_)) => Ok(found(best)),
            Some((_, best)) => {
                let reversal = of_original(fitting, best, original).map(found);
                reversal.or_else(|| self.open_reversal(group)).ok_or(NoMessage::Values)
            }
        }
    }

    /// An answer: the first entry that fits wholly, unless one that says more may fit too.
    fn find_answer(&self, message: &Message, group: &Group) -> Result<Found, NoMessage> {
        let mut found: Option<Found> = None;
        let fit = group.fit(message);
        for at in ones(fit.open & group.reads) {
            let Some((index, entry)) = self.numbered(group.from + at) else { continue };
            let flow = entry.leg(true);
            found = Some(match found {
                None => Found { entry: Some(index), kind: entry.kind, flow },
                Some(before) if before.kind == entry.kind => before,
                Some(before) => Found { entry: None, kind: unstated(before.kind), ..before },
            });
            if fit.whole >> at & 1 == 1 {
                break;
            }
        }
        found.map_or_else(
            || {
                let (_, first) = self.numbered(group.from).ok_or(NoMessage::Mti)?;
                Ok(Found { entry: None, kind: unstated(first.kind), flow: first.leg(true) })
            },
            Ok,
        )
    }

    /// A reversal that does not say of what.
    fn open_reversal(&self, group: &Group) -> Option<Found> {
        let open = Kind::Reversal(TransactionType::Unstated);
        let mut entries = self.of_group(group);
        let (index, entry) = entries.find(|(_, e)| e.kind == open)?;
        Some(Found { entry: Some(index), kind: open, flow: entry.flow })
    }

    #[inline]
    fn group(&self, mti: Mti) -> Option<&Group> {
        self.groups.iter().find(|group| group.mti == mti)
    }

    #[inline]
    fn numbered(&self, index: usize) -> Option<(usize, &Entry)> {
        Some((index, self.entries.get(index)?))
    }

    /// The entries of a request MTI with their indices, the most specific first.
    fn of_group(&self, group: &Group) -> impl Iterator<Item = (usize, &Entry)> {
        let entries = self.entries.get(group.from..).unwrap_or_default();
        (group.from..).zip(entries.iter().take_while(|e| e.mti == group.mti))
    }

    /// Whether an entry has this MTI, as a request or as an answer.
    pub fn has(&self, mti: Mti) -> bool {
        let mti = mti.without_repeat();
        self.groups.iter().any(|group| group.mti == mti || group.mti.response() == mti)
    }

    /// The entry that is written for this kind and leg.
    #[inline]
    pub fn written(&self, kind: Kind, flow: Flow) -> Option<(usize, &Entry)> {
        self.numbered(usize::from(*self.said.get(said_at(kind, flow))?))
    }

    /// The entry whose answer is written to a request that came with `asked`.
    pub fn answering(&self, kind: Kind, asked: Mti) -> Option<(usize, &Entry)> {
        let group = self.group(asked.without_repeat())?;
        self.of_group(group).find(|(_, e)| e.kind == kind)
    }

    /// Whether this dialect can say it at all; for checks of routes at load.
    pub fn can_write(&self, kind: Kind, flow: Flow) -> bool {
        self.written(kind, flow).is_some()
    }
}

/// Of the reversals that fit, the one that the original's MTI tells; without it the most specific,
/// if there is but one.
fn of_original<'e, I: Iterator<Item = (usize, &'e Entry)>>(
    fitting: impl Fn() -> I,
    best: &'e Entry,
    original: Option<Text<4>>,
) -> Option<(usize, &'e Entry)> {
    let original = original.and_then(|m| Mti::new(m.as_bytes()).ok()).map(Mti::without_repeat);
    let of_original = |e: &Entry| original.is_some_and(|o| e.origins.contains(&o));
    let best = fitting().find(|(_, e)| of_original(e)).map_or(best, |(_, e)| e);
    let rival = |e: &Entry| e.weight() == best.weight() && (!of_original(best) || of_original(e));
    let mut rivals = fitting().filter(|(_, e)| rival(e));
    rivals.next().filter(|(_, first)| rivals.all(|(_, e)| e.kind == first.kind))
}

/// Where the table of what is said holds this kind and leg.
#[inline]
fn said_at(kind: Kind, flow: Flow) -> usize {
    kind.number() * Flow::COUNT + flow as usize
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
