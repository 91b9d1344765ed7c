//! `[canonical]` read: which data element, or which part of one, holds which typed field.
//!
//! Contract: what the section does not mention follows the 1987 numbering, for the data elements
//! the dialect has. A field is one word (`22 = "pos-entry-mode"`), a list of parts by position
//! (`61 = ["original-batch 6", "original-stan 6", "original-date 4?"]`), or `false`. A part is a
//! name and a width: `6` fixed, `6?` may end here, `..11` the rest, `ll..11` with a length of two
//! digits in front; `zeros 30`, `spaces 3` and `'20'` are written and skipped; any other name is
//! a mark that `[messages]` compares and sets. Every defect is reported with its key. Deliberately
//! absent: what is asked per message ([`super::field_map`]).

use super::field_map::{Default, FieldMap, Index, Link, Part, Subject, What, Width};
use super::field_set::{FieldSet, data_element};
use super::{Atom, Faults, Shape};
use crate::limits::DE_MAX;
use crate::money::Currency;
use crate::text::Text;
use serde::Deserialize;
use toml::{Table, Value};

/// The 1987 numbering, for what a dialect does not say otherwise.
const NUMBERING: [(u8, &[&str]); 39] = [
    (2, &["pan"]),
    (3, &["processing-code"]),
    (4, &["amount"]),
    (7, &["transmission"]),
    (11, &["stan"]),
    (12, &["local-time"]),
    (13, &["local-date"]),
    (14, &["expiry"]),
    (15, &["settlement-date"]),
    (18, &["merchant-type"]),
    (22, &["pos-entry-mode"]),
    (23, &["card-sequence"]),
    (24, &["network-id"]),
    (25, &["pos-condition"]),
    (26, &["pin-capture"]),
    (32, &["acquirer"]),
    (33, &["forwarder"]),
    (35, &["track2"]),
    (37, &["rrn"]),
    (38, &["auth-id"]),
    (39, &["answer"]),
    (41, &["terminal"]),
    (42, &["merchant"]),
    (49, &["currency"]),
    (50, &["settlement-currency"]),
    (52, &["pin-block"]),
    (66, &["settlement-code"]),
    (74, &["credits-number"]),
    (75, &["credits-reversal-number"]),
    (76, &["debits-number"]),
    (77, &["debits-reversal-number"]),
    (80, &["inquiries-number"]),
    (81, &["authorizations-number"]),
    (86, &["credits-amount"]),
    (87, &["credits-reversal-amount"]),
    (88, &["debits-amount"]),
    (89, &["debits-reversal-amount"]),
    (90, &ORIGINAL_DATA),
    (97, &["net-amount"]),
];

const ORIGINAL_DATA: [&str; 5] = [
    "original-mti 4",
    "original-stan 6",
    "original-transmission 10",
    "original-acquirer 11",
    "original-forwarder 11",
];

/// The longest field that is put together from parts, in characters.
const COMPOSITE_MAX: usize = 256;

/// Never carried untyped: the card number, tracks and the PIN block have types of their own.
const SECRET: [u8; 5] = [2, 35, 36, 45, 52];

#[derive(Deserialize, std::default::Default)]
#[serde(untagged, deny_unknown_fields)]
enum Carry {
    #[default]
    None,
    Both(Vec<u8>),
    Each {
        #[serde(default)]
        request: Vec<u8>,
        #[serde(default)]
        answer: Vec<u8>,
    },
}

#[derive(Deserialize, std::default::Default)]
#[serde(deny_unknown_fields)]
struct BalanceCodes {
    #[serde(default)]
    in_balance: Vec<Text<4>>,
    #[serde(default)]
    out_of_balance: Vec<Text<4>>,
}

/// What moves money besides `F4` in 1987: settlement and billing amounts, fees, amounts of other
/// kinds (cash back, surcharges).
const MONEY: [u8; 9] = [5, 6, 8, 28, 29, 30, 31, 54, 95];

/// The same from 1993 on, where fees stand in `F46` and `F66`, and 28, 29 and 31 are others.
const MONEY_LATER: [u8; 7] = [5, 6, 8, 30, 46, 54, 66];

impl FieldMap {
    pub(super) fn compile(
        section: &Table,
        version: i64,
        shape: &impl Fn(u8) -> Option<Shape>,
        faults: &mut Faults,
    ) -> Self {
        let known: FieldSet = (2..=DE_MAX).filter(|de| shape(*de).is_some()).collect();
        let money = if version == 0 { &MONEY[..] } else { &MONEY_LATER };
        let money = money.iter().copied().collect::<FieldSet>().and(known);
        let mut map = Self { known, money, ..Self::default() };
        for (de, parts) in &NUMBERING {
            if let Some(shape) = shape(*de) {
                let parts: Option<Box<[Part]>> = parts.iter().map(|p| part(p)).collect();
                map.put(Link::new(*de, shape, parts.unwrap_or_default()));
            }
        }
        for (key, value) in section {
            map.take_key(key, value, shape, faults);
        }
        // Places need the links, so this comes last.
        if let Some(Value::Table(defaults)) = section.get("default") {
            map.take_defaults(defaults, faults);
        }
        map.check(faults);
        map
    }

    fn take_key(
        &mut self,
        key: &str,
        value: &Value,
        shape: &impl Fn(u8) -> Option<Shape>,
        faults: &mut Faults,
    ) {
        let path = format!("canonical.{key}");
        match key {
            "carry" => self.take_carry(value, shape, faults),
            "lossy" => {
                let des: Vec<u8> = faults.typed(&path, value.clone()).unwrap_or_default();
                self.lossy = faults.known_set(&path, &des, shape);
            }
            "money" => {
                let des: Vec<u8> = faults.typed(&path, value.clone()).unwrap_or_default();
                self.money = faults.known_set(&path, &des, shape);
            }
            "keep" => self.take_keep(value, shape, faults),
            "currency" => {
                let code: Option<Text<3>> = faults.typed(&path, value.clone());
                self.currency = code.and_then(|c| c.as_str().parse().ok()).and_then(Currency::new);
                if self.currency.is_none() {
                    faults.add(&path, "expected an ISO 4217 numeric code such as \"156\"");
                }
            }
            "balance_codes" => {
                let codes: Option<BalanceCodes> = faults.typed(&path, value.clone());
                let codes = codes.unwrap_or_default();
                self.balance_codes = [codes.in_balance, codes.out_of_balance];
            }
            "accepts_partial" => {
                self.accepts_partial = faults.typed(&path, value.clone()).unwrap_or_default();
            }
            "coded_advices" => {
                self.uncoded_advices = !faults.typed(&path, value.clone()).unwrap_or(true);
            }
            "default" if value.is_table() => {}
            _ => match data_element(key) {
                Some(de) => self.take_link(de, &path, value, shape, faults),
                None => faults.add(&path, "unknown key"),
            },
        }
    }

    /// What an answer says is repeated by what follows it; it is journaled, so that none of it
    /// may be secret.
    fn take_keep(
        &mut self,
        value: &Value,
        shape: &impl Fn(u8) -> Option<Shape>,
        faults: &mut Faults,
    ) {
        let key = "canonical.keep";
        let des: Vec<u8> = faults.typed(key, value.clone()).unwrap_or_default();
        self.keep = faults.known_set(key, &des, shape);
        for de in self.keep.iter() {
            if SECRET.contains(&de) || de == 55 || shape(de).is_some_and(|shape| shape.secret) {
                faults.add(key, &format!("F{de} is secret and is never journaled"));
            }
            if self.carry(true).contains(de) {
                faults.add(key, &format!("F{de} is carried and kept; one of the two"));
            }
        }
        let shapes = self.keep.iter().filter_map(|de| Some((de, shape(de)?)));
        self.kept.extend(shapes);
    }

    fn take_carry(
        &mut self,
        value: &Value,
        shape: &impl Fn(u8) -> Option<Shape>,
        faults: &mut Faults,
    ) {
        let key = "canonical.carry";
        let lists = match faults.typed(key, value.clone()).unwrap_or_default() {
            Carry::None => return,
            Carry::Both(des) => [des.clone(), des],
            Carry::Each { request, answer } => [request, answer],
        };
        for de in lists.iter().flatten().filter(|de| SECRET.contains(de)) {
            faults.add(key, &format!("F{de} is secret and is never carried untyped"));
        }
        self.carry = lists.map(|des| faults.known_set(key, &des, shape));
        let carried = self.carry[0].or(self.carry[1]);
        self.carried = carried.iter().filter_map(|de| Some((de, shape(de)?))).collect();
    }

    fn take_link(
        &mut self,
        de: u8,
        path: &str,
        value: &Value,
        shape: &impl Fn(u8) -> Option<Shape>,
        faults: &mut Faults,
    ) {
        if value.as_bool() == Some(false) {
            self.links.retain(|link| link.de != de);
            self.settlement.retain(|link| link.de != de);
            self.number_links();
            return;
        }
        let Some(shape) = faults.known(path, de, shape) else { return };
        let texts: Vec<&str> = match value {
            Value::String(one) => vec![one],
            Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let parts: Option<Box<[Part]>> = texts.iter().map(|text| part(text)).collect();
        match parts.filter(|parts| !parts.is_empty()) {
            Some(parts) => self.put(Link::new(de, shape, parts)),
            None => {
                faults.add(path, "expected a word, a list of parts such as \"stan 6\", or false")
            }
        }
    }

    fn take_defaults(&mut self, defaults: &Table, faults: &mut Faults) {
        for (key, value) in defaults {
            let path = format!("canonical.default.{key}");
            match (self.place(key), value.as_str()) {
                (Some(place), Some(text)) => {
                    self.defaults.push(Default { place, value: text.as_bytes().into() });
                }
                (None, _) => faults.add(&path, "no such field or part"),
                (_, None) => faults.add(&path, "expected text"),
            }
        }
    }

    fn put(&mut self, link: Link) {
        let settles = |p: &Part| matches!(p.what, What::Atom(atom) if atom.is_settlement());
        let (into, other) = if link.parts.iter().any(settles) {
            (&mut self.settlement, &mut self.links)
        } else {
            (&mut self.links, &mut self.settlement)
        };
        other.retain(|l| l.de != link.de);
        match into.binary_search_by_key(&link.de, |l| l.de) {
            Ok(at) => into[at] = link,
            Err(at) => into.insert(at, link),
        }
        self.number_links();
    }

    fn number_links(&mut self) {
        self.index = Index::default();
        for (number, link) in (0_u8..).zip(&self.links) {
            self.index.0[usize::from(link.de)] = number;
        }
        self.linked = self.links.iter().map(|link| link.de).collect();
        let parts = self.links.iter().flat_map(|link| &link.parts);
        self.atoms = parts.fold(0, |bits, part| match part.what {
            What::Atom(atom) => bits | atom.bit(),
            What::Mark | What::Fill(_) => bits,
        });
    }

    /// Says where the reason of a reversal stands, when it has a field of its own.
    pub(super) fn put_reason(&mut self, de: u8, shape: Shape) {
        let name = Atom::Reason.word().into();
        let what = What::Atom(Atom::Reason);
        let part = Part { name, what, width: Width::Whole, optional: false };
        self.put(Link::new(de, shape, [part].into()));
    }

    fn check(&self, faults: &mut Faults) {
        let mut seen: Vec<Atom> = Vec::new();
        for link in self.links.iter().chain(&self.settlement) {
            let key = format!("canonical.{}", link.de);
            self.check_widths(link, &key, faults);
            for part in &link.parts {
                let What::Atom(atom) = part.what else { continue };
                if seen.contains(&atom) {
                    faults.add(&key, &format!("{} has a field already", atom.word()));
                }
                seen.push(atom);
                let most = match part.width {
                    Width::Whole => link.shape.max,
                    Width::Fixed(n) | Width::Rest(n) | Width::Counted(_, n) => n,
                };
                let checks_itself = matches!(atom, Atom::Pan | Atom::Track2 | Atom::PinBlock);
                if most > atom.room() && !checks_itself {
                    let room = atom.room();
                    let why = format!("{} holds {room} characters, not {most}", atom.word());
                    faults.add(&key, &why);
                }
            }
            // What only reconciliations map may be carried by all others.
            let maps = self.links.iter().any(|l| l.de == link.de);
            if maps && self.carry(false).or(self.carry(true)).contains(link.de) {
                faults.add(&key, "is carried and mapped; one of the two");
            }
        }
    }

    fn check_widths(&self, link: &Link, key: &str, faults: &mut Faults) {
        let (mut most, mut least, mut open) = (0, 0, false);
        for part in &link.parts {
            if open {
                faults.add(key, "nothing can follow a part without a fixed width");
            }
            let (low, high) = match part.width {
                Width::Whole if link.parts.len() > 1 => {
                    faults.add(key, "every part needs a width, e.g. \"stan 6\"");
                    (0, 0)
                }
                Width::Whole => (0, 0),
                Width::Fixed(n) => (n, n),
                Width::Rest(n) => {
                    open = true;
                    (0, n)
                }
                Width::Counted(digits, n) => (digits, digits + n),
            };
            most += high;
            if most > COMPOSITE_MAX {
                faults.add(key, "the parts are too long together");
            }
            least += if part.optional { 0 } else { low };
        }
        let fits = if link.shape.fixed { least <= link.shape.max } else { most <= link.shape.max };
        if !fits || (link.shape.fixed && link.parts.len() > 1 && most < link.shape.max) {
            let has = link.shape.max;
            faults.add(key, &format!("the parts make {least} to {most} characters of {has}"));
        }
    }
}

impl Link {
    fn new(de: u8, shape: Shape, parts: Box<[Part]>) -> Self {
        let whole = match &*parts {
            [Part { what: What::Atom(atom), width: Width::Whole, .. }] => Some(*atom),
            _ => None,
        };
        let subject = Subject::of(&parts).filter(|_| whole.is_none());
        Self { de, shape, whole, subject, parts }
    }
}

/// One part as text: name, then width.
fn part(text: &str) -> Option<Part> {
    if let Some(literal) = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')) {
        let width = Width::Fixed(literal.len());
        let what = What::Fill(literal.as_bytes().into());
        return Some(Part { name: text.into(), what, width, optional: false });
    }
    let mut words = text.split_whitespace();
    let name = words.next()?;
    let (width, optional) = match words.next() {
        None => (Width::Whole, false),
        Some(word) => width(word)?,
    };
    if words.next().is_some() {
        return None;
    }
    let what = match (name, Atom::named(name), width) {
        ("zeros", _, Width::Fixed(n)) => What::Fill(vec![b'0'; n].into()),
        ("spaces", _, Width::Fixed(n)) => What::Fill(vec![b' '; n].into()),
        (_, Some(atom), _) => What::Atom(atom),
        (_, None, Width::Whole) => return None,
        (_, None, _) => What::Mark,
    };
    Some(Part { name: name.into(), what, width, optional })
}

fn width(word: &str) -> Option<(Width, bool)> {
    let (word, optional) = word.strip_suffix('?').map_or((word, false), |w| (w, true));
    let width = match word.split_once("..") {
        None => Width::Fixed(word.parse().ok().filter(|n| (1..=999).contains(n))?),
        Some(("", most)) => Width::Rest(most.parse().ok()?),
        Some((l, most)) if l.bytes().all(|c| c == b'l') && l.len() <= 3 => {
            Width::Counted(l.len(), most.parse().ok()?)
        }
        Some(_) => return None,
    };
    Some((width, optional))
}
