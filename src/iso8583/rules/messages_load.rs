//! Reading `[messages]`: entries as text, the reversals they imply, and what is refused.
//!
//! Contract: two entries may overlap only if one says strictly more than the other; for each kind
//! and leg one entry at most is written; a mark of `[canonical]` that no entry uses is a
//! misspelling. All of it is found at load. Deliberately absent: messages ([`super::messages`]).

use super::field_map::{FieldMap, Place, What};
use super::messages::{Condition, Entry, Literal, Messages, Writes};
use super::telling::ENTRIES_MAX;
use super::{Faults, ReversalRule};
use crate::iso8583::Mti;
use crate::meaning::{Flow, Kind, NetworkFunction, TransactionType};
use toml::{Table, Value};

impl Condition {
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

impl Entry {
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
        stated.sort_by_key(|entry| (entry.mti, std::cmp::Reverse(entry.weight())));
        let said = said(&stated);
        let plain: Vec<_> = stated.iter().map(|entry| plain_code(entry, &stated, &said)).collect();
        stated.iter_mut().zip(plain).for_each(|(entry, plain)| entry.plain = plain);
        for same in stated.chunk_by(|one, next| one.mti == next.mti) {
            if same.len() > ENTRIES_MAX {
                let why = format!("MTI {} has more than {ENTRIES_MAX} entries", same[0].mti);
                faults.add("messages", &why);
            }
        }
        Self::of(stated, &said)
    }
}

/// Which entry is written for which kind and leg. The core says that it reverses; the dialect
/// says whether that is a request or an advice.
fn said(entries: &[Entry]) -> Vec<(Kind, Flow, usize)> {
    let mut said = Vec::new();
    let mut add = |kind, flow, index| {
        if !said.iter().any(|(k, f, _)| (*k, *f) == (kind, flow)) {
            said.push((kind, flow, index));
        }
    };
    for (index, entry) in entries.iter().enumerate() {
        for answer in [false, true].into_iter().filter(|answer| entry.writes(*answer)) {
            add(entry.kind, entry.leg(answer), index);
        }
    }
    for (index, entry) in entries.iter().enumerate().filter(|(_, e)| e.writes(false)) {
        if matches!(entry.kind, Kind::Reversal(_)) {
            add(entry.kind, Flow::Request, index);
            add(entry.kind, Flow::Advice, index);
        }
    }
    said
}

/// The first processing code of what is written for the same kind, where this entry is read with
/// others too: whoever writes those as that says less than was said.
fn plain_code(entry: &Entry, entries: &[Entry], said: &[(Kind, Flow, usize)]) -> Option<Box<[u8]>> {
    let moves = entry.kind.transaction().is_some_and(TransactionType::has_money_effect);
    let of_code = |c: &&Condition| c.place.de == 3 && c.place.part.is_none();
    let own = entry.conditions.iter().find(of_code).filter(|_| moves)?;
    let written = said.iter().find(|(k, f, _)| (*k, *f) == (entry.kind, entry.flow));
    let written = written.and_then(|(_, _, at)| entries.get(*at));
    let usual = written.and_then(|entry| entry.conditions.iter().find(of_code)).unwrap_or(own);
    let plain = usual.masks.first()?;
    own.masks.iter().any(|mask| mask != plain).then(|| plain.clone())
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
    let mut literals: Vec<Literal> = conditions.iter().filter_map(literal).collect();
    literals.extend(read_set(&key, "set", table, fields, faults));
    let partial = read_set(&key, "partial", table, fields, faults);
    if partial.iter().any(|one| one.part.is_some()) {
        faults.add(&format!("{key}.partial"), "expected whole fields");
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
        partial,
        plain: None,
        origins: Vec::new(),
        reads: true,
        writes,
        repeats: table.get("repeat").and_then(Value::as_bool).unwrap_or(true),
    };
    Some(if reversal { Stated::Reversal(entry) } else { Stated::Entry(entry) })
}

/// The values that `set` or `partial` of an entry gives.
fn read_set(
    key: &str,
    word: &str,
    table: &Table,
    fields: &FieldMap,
    faults: &mut Faults,
) -> Vec<Literal> {
    let Some(Value::Table(set)) = table.get(word) else { return Vec::new() };
    let mut read = |(place, value): (&String, &Value)| {
        let at = format!("{key}.{word}.{place}");
        read_masks(&at, place, value, fields, faults).as_ref().and_then(literal)
    };
    set.iter().filter_map(&mut read).collect()
}

/// What an entry writes of a condition: the first of its masks, where none is there already.
fn literal(condition: &Condition) -> Option<Literal> {
    let (mask, also) = condition.masks.split_first()?;
    let Place { de, part, .. } = condition.place;
    Some(Literal { de, part, mask: mask.clone(), also: also.into() })
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
    let reserved = ["mti", "kind", "flow", "set", "partial", "write", "repeat"];
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
