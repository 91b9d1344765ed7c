//! `[messages]`: which MTI and distinguishing values mean which kind of message, both ways.
//!
//! Contract: an entry names a request (or advice) MTI, its kind, and the values that tell it
//! from others (`x` = any character); its answer and its repeat follow from the MTI. A request
//! must have every distinguishing value; an answer may leave them out, and what stays open is
//! `Unstated`. Of two entries that fit, the one that says strictly more wins; anything else that
//! overlaps is refused at load. An entry of kind `reversal` stands for the reversals of every
//! transaction entry, told apart by the same values and by the original's MTI.

use super::field_map::{FieldMap, Place, What};
use super::{Faults, ReversalRule};
use crate::iso8583::{Message, Mti};
use crate::meaning::{Flow, Kind, NetworkFunction, TransactionType};
use crate::text::Text;
use toml::{Table, Value};

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
struct Condition {
    place: Place,
    masks: Box<[Box<[u8]>]>,
}

/// Which legs of an entry are ever written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writes {
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
    conditions: Vec<Condition>,
    literals: Vec<Literal>,
    /// Of a reversal: the MTIs of what it reverses.
    origins: Vec<Mti>,
    reads: bool,
    writes: Writes,
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

/// The compiled section: the most specific entries of an MTI first.
#[derive(Debug, Clone, Default)]
pub struct Messages {
    entries: Vec<Entry>,
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

    fn implies(&self, other: &Self) -> bool {
        let within = |mine: &[u8], theirs: &[u8]| {
            let narrower = |(m, t): (&u8, &u8)| *t == b'x' || m == t;
            mine.len() == theirs.len() && mine.iter().zip(theirs).all(narrower)
        };
        self.place == other.place
            && self.masks.iter().all(|m| other.masks.iter().any(|t| within(m, t)))
    }

    fn meets(&self, other: &Self) -> bool {
        let meet = |(m, t): (&u8, &u8)| *t == b'x' || *m == b'x' || m == t;
        let overlap = |m: &[u8], t: &[u8]| m.len() == t.len() && m.iter().zip(t).all(meet);
        self.masks.iter().any(|m| other.masks.iter().any(|t| overlap(m, t)))
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
    fn leg(&self, answer: bool) -> Flow {
        if answer { self.flow.answer().unwrap_or(self.flow) } else { self.flow }
    }

    fn holds(&self, message: &Message) -> bool {
        self.conditions.iter().all(|c| c.holds(message) == Some(true))
    }

    fn may_hold(&self, message: &Message) -> bool {
        self.conditions.iter().all(|c| c.holds(message) != Some(false))
    }

    fn refines(&self, other: &Self) -> bool {
        other.conditions.iter().all(|theirs| self.conditions.iter().any(|c| c.implies(theirs)))
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.mti == other.mti
            && self.conditions.iter().all(|c| {
                let same = other.conditions.iter().filter(|t| t.place == c.place);
                same.into_iter().all(|t| c.meets(t))
            })
    }

    /// The more it says, the earlier it is tried.
    fn weight(&self) -> (usize, usize, usize) {
        let said = |c: &Condition| {
            c.masks.iter().map(|m| m.iter().filter(|x| **x != b'x').count()).min().unwrap_or(0)
        };
        let alternatives: usize = self.conditions.iter().map(|c| c.masks.len()).sum();
        let said = self.conditions.iter().map(said).sum();
        (self.conditions.len(), said, usize::MAX - alternatives)
    }
}

impl Messages {
    pub(super) fn compile(
        section: &Table,
        fields: &FieldMap,
        reversal: Option<&ReversalRule>,
        faults: &mut Faults,
    ) -> Self {
        let mut stated = Vec::new();
        let mut reversals = Vec::new();
        for (name, value) in section {
            match read_entry(name, value, fields, faults) {
                Some(Stated::Entry(entry)) => stated.push(entry),
                Some(Stated::Reversal(entry)) => reversals.push(entry),
                None => {}
            }
        }
        check(&stated, faults);
        check_marks(&stated, fields, faults);
        if let Some(rule) = reversal
            && !reversals.iter().any(|r| r.mti == rule.mti)
        {
            faults.add("reversal.mti", "no entry of [messages] of kind \"reversal\" has this MTI");
        }
        let derived: Vec<Entry> =
            reversals.iter().flat_map(|base| reversals_of(base, &stated, reversal)).collect();
        stated.extend(derived);
        stated.sort_by_key(|entry| std::cmp::Reverse(entry.weight()));
        Self { entries: stated }
    }

    /// Every entry, the most specific first; reversals once per transaction type.
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
            let of_mti = self.entries.iter().enumerate().filter(|(_, e)| e.mti == mti && e.reads);
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
        let of_mti = |e: &Entry| e.reads && e.mti.response() == mti;
        for (index, entry) in self.entries.iter().enumerate().filter(|(_, e)| of_mti(e)) {
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
                let first = self.entries.iter().find(|e| of_mti(e)).ok_or(NoMessage::Mti)?;
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

    /// Whether an entry has this MTI, as a request or as an answer.
    pub fn has(&self, mti: Mti) -> bool {
        let mti = mti.without_repeat();
        self.entries.iter().any(|e| e.mti == mti || e.mti.response() == mti)
    }

    /// The entry that is written for this kind and leg.
    pub fn written(&self, kind: Kind, flow: Flow) -> Option<(usize, &Entry)> {
        let answer = flow.is_answer();
        let is = |e: &Entry| e.kind == kind && e.writes(answer) && e.leg(answer) == flow;
        let exact = self.entries.iter().enumerate().find(|(_, e)| is(e));
        // The core says that it reverses; the dialect says whether that is a request or advice.
        let reversal = |e: &Entry| !answer && e.kind == kind && e.writes(false);
        match kind {
            Kind::Reversal(_) => {
                exact.or_else(|| self.entries.iter().enumerate().find(|(_, e)| reversal(e)))
            }
            _ => exact,
        }
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

/// The same kind of message, without saying which.
pub(super) fn unstated(kind: Kind) -> Kind {
    match kind {
        Kind::Transaction(_) => Kind::Transaction(TransactionType::Unstated),
        Kind::Reversal(_) => Kind::Reversal(TransactionType::Unstated),
        Kind::NetworkManagement(_) => Kind::NetworkManagement(NetworkFunction::Unstated),
        Kind::Reconciliation | Kind::BatchUpload => kind,
    }
}

enum Stated {
    Entry(Entry),
    Reversal(Entry),
}

fn read_entry(name: &str, value: &Value, fields: &FieldMap, faults: &mut Faults) -> Option<Stated> {
    let key = format!("messages.{name}");
    let table = match value {
        Value::Boolean(false) => return None,
        Value::Table(table) => table,
        _ => {
            faults.add(&key, "expected { mti = .., kind = .. } or false");
            return None;
        }
    };
    let text = |word: &str| table.get(word).and_then(Value::as_str);
    let Some(mti) = text("mti").and_then(|t| t.parse::<Mti>().ok()).filter(is_request) else {
        faults.add(&format!("{key}.mti"), "expected the MTI of a request, advice or notification");
        return None;
    };
    let word = text("kind").unwrap_or_default();
    let Some((kind, reversal)) = kind_of(mti, word) else {
        faults.add(&format!("{key}.kind"), &format!("{word:?} is no kind of message for {mti}"));
        return None;
    };
    let flow = match text("flow") {
        Some("request") => Flow::Request,
        Some("advice") => Flow::Advice,
        None => flow_of(mti),
        Some(_) => {
            faults.add(&format!("{key}.flow"), "expected \"request\" or \"advice\"");
            flow_of(mti)
        }
    };
    let conditions = read_conditions(&key, table, fields, faults);
    let mut literals: Vec<Literal> = conditions
        .iter()
        .filter_map(|c| Some(literal(c.place, c.masks.first()?.clone())))
        .collect();
    if let Some(Value::Table(set)) = table.get("set") {
        for (place, value) in set {
            let at = format!("{key}.set.{place}");
            let masks = read_masks(&at, place, value, fields, faults);
            literals.extend(masks.and_then(|c| Some(literal(c.place, c.masks.first()?.clone()))));
        }
    }
    let writes = match table.get("write") {
        Some(Value::Boolean(false)) => Writes::Never,
        _ => Writes::Both,
    };
    let entry = Entry {
        name: name.into(),
        mti,
        kind,
        flow,
        conditions,
        literals,
        origins: Vec::new(),
        reads: true,
        writes,
        repeats: table.get("repeat").and_then(Value::as_bool).unwrap_or(true),
    };
    Some(if reversal { Stated::Reversal(entry) } else { Stated::Entry(entry) })
}

fn literal(place: Place, mask: Box<[u8]>) -> Literal {
    Literal { de: place.de, part: place.part, mask }
}

fn is_request(mti: &Mti) -> bool {
    !mti.is_response() && !mti.is_repeat()
}

fn flow_of(mti: Mti) -> Flow {
    match mti.function() {
        0 => Flow::Request,
        2 => Flow::Advice,
        _ => Flow::Notification,
    }
}

/// The kind a word means under this MTI, and whether it stands for all reversals.
fn kind_of(mti: Mti, word: &str) -> Option<(Kind, bool)> {
    let kind = match mti.class() {
        1 | 2 => {
            let named = TransactionType::ALL.into_iter().find(|t| t.word() == word)?;
            Kind::Transaction(named)
        }
        3 if word == "batch-upload" => Kind::BatchUpload,
        4 if word == "reversal" => {
            return Some((Kind::Reversal(TransactionType::Unstated), true));
        }
        5 if word == "reconciliation" => Kind::Reconciliation,
        8 => {
            let named = NetworkFunction::ALL.into_iter().find(|f| f.word() == word)?;
            Kind::NetworkManagement(named)
        }
        _ => return None,
    };
    Some((kind, false))
}

fn read_conditions(
    key: &str,
    table: &Table,
    fields: &FieldMap,
    faults: &mut Faults,
) -> Vec<Condition> {
    let reserved = ["mti", "kind", "flow", "set", "write", "repeat"];
    // A parent's distinguishing value is taken away by `false`.
    let stated =
        |(k, v): &(&String, &Value)| !reserved.contains(&k.as_str()) && v.as_bool() != Some(false);
    let places = table.iter().filter(stated);
    places
        .filter_map(|(place, value)| {
            read_masks(&format!("{key}.{place}"), place, value, fields, faults)
        })
        .collect()
}

fn read_masks(
    key: &str,
    place: &str,
    value: &Value,
    fields: &FieldMap,
    faults: &mut Faults,
) -> Option<Condition> {
    let Some(place) = fields.place(place) else {
        faults.add(key, "unknown key: expected a field such as 3, or a part such as \"60.type\"");
        return None;
    };
    let masks: Vec<&str> = match value {
        Value::String(one) => vec![one],
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let width = fields.width_of(place).or_else(|| {
        let link = fields.link(place.de).filter(|l| place.part.is_none() && l.shape.fixed)?;
        Some(link.shape.max)
    });
    let right = |mask: &&str| !mask.is_empty() && width.is_none_or(|w| w == mask.len());
    if masks.is_empty() || !masks.iter().all(right) {
        let width = width.map_or("some".to_owned(), |w| w.to_string());
        faults.add(key, &format!("expected a value of {width} characters, x for any"));
        return None;
    }
    Some(Condition { place, masks: masks.iter().map(|m| m.as_bytes().into()).collect() })
}

/// The reversals that `base` stands for, and one for what does not say.
fn reversals_of(base: &Entry, stated: &[Entry], rule: Option<&ReversalRule>) -> Vec<Entry> {
    let is_sent = rule.is_some_and(|rule| rule.mti == base.mti);
    let mut derived: Vec<Entry> = Vec::new();
    for entry in stated {
        let Kind::Transaction(of) = entry.kind else { continue };
        let (conditions, literals) = over(entry, base);
        let kind = Kind::Reversal(of);
        let same = |d: &&mut Entry| d.kind == kind && d.conditions == conditions;
        if let Some(known) = derived.iter_mut().find(same) {
            known.origins.push(entry.mti);
            continue;
        }
        let first = derived.iter().all(|d| d.kind != kind) && entry.writes != Writes::Never;
        let writes = match first {
            false => Writes::Never,
            true if is_sent && rule.is_some_and(|r| r.covers(of)) => Writes::Both,
            true => Writes::Answers,
        };
        derived.push(Entry {
            kind,
            conditions,
            literals,
            origins: vec![entry.mti],
            writes,
            repeats: rule.is_some_and(|r| r.repeat),
            ..base.clone()
        });
    }
    derived.push(open_reversal(base, &derived, is_sent));
    derived
}

/// What a reversal states over what the transaction states: its own wins at the same place.
fn over(entry: &Entry, base: &Entry) -> (Vec<Condition>, Vec<Literal>) {
    let stated = |de, part| base.literals.iter().any(|l| (l.de, l.part) == (de, part));
    let kept = |c: &&Condition| !stated(c.place.de, c.place.part);
    let conditions = entry.conditions.iter().filter(kept).chain(&base.conditions);
    let kept = |l: &&Literal| !stated(l.de, l.part);
    let literals = entry.literals.iter().filter(kept).chain(&base.literals);
    (conditions.cloned().collect(), literals.cloned().collect())
}

/// Answers may leave open what was reversed. A request may where `F3` alone tells kinds apart.
fn open_reversal(base: &Entry, derived: &[Entry], is_sent: bool) -> Entry {
    let extra = base.conditions.len();
    let plain = |e: &Entry| e.conditions.len() <= 1 + extra && e.literals.iter().all(|l| l.de == 3);
    let all_plain = derived.iter().filter(|d| d.writes == Writes::Both).all(plain);
    let writes = if is_sent && all_plain { Writes::Both } else { Writes::Answers };
    let repeats = derived.first().is_some_and(|d| d.repeats);
    Entry { reads: false, writes, repeats, ..base.clone() }
}

fn check(entries: &[Entry], faults: &mut Faults) {
    for (index, entry) in entries.iter().enumerate() {
        let key = format!("messages.{}", entry.name);
        for other in &entries[..index] {
            if entry.overlaps(other) && entry.refines(other) == other.refines(entry) {
                let why = format!("a message could be this and messages.{}", other.name);
                faults.add(&key, &why);
            }
            let both = entry.writes != Writes::Never && other.writes != Writes::Never;
            if both && (entry.kind, entry.flow) == (other.kind, other.flow) {
                let why = format!("messages.{} is written already; add write = false", other.name);
                faults.add(&key, &why);
            }
        }
    }
}

/// A mark that nothing compares or sets is a misspelled word.
fn check_marks(entries: &[Entry], fields: &FieldMap, faults: &mut Faults) {
    for link in fields.links() {
        for (index, part) in (0_u8..).zip(&link.parts) {
            let (de, at) = (link.de, Some(index));
            let set = entries.iter().any(|e| e.literals.iter().any(|l| (l.de, l.part) == (de, at)));
            let known = set || part.optional || fields.default_of(de, at).is_some();
            if part.what == What::Mark && !known {
                let why =
                    format!("{:?} is no canonical field, and [messages] never uses it", part.name);
                faults.add(&format!("canonical.{de}"), &why);
            }
        }
    }
}
