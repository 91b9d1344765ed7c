//! Which data element, or which part of one, holds which typed field: `[canonical]` compiled.
//!
//! Contract: what is asked per message is a table by data element or a set of them. Deliberately
//! absent: reading the section ([`super::field_map_load`]), and values.

use super::field_set::data_element;
use super::{Atom, FieldSet, Shape};
use crate::meaning::Balance;
use crate::money::Currency;
use crate::text::Text;

/// What stands in a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A typed field of the canonical message.
    Atom(Atom),
    /// Something only `[messages]` knows: compared on read, set on write.
    Mark,
    /// Written as it is, skipped on read.
    Fill(Box<[u8]>),
}

/// How long a part is, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// The whole data element.
    Whole,
    /// Exactly so many.
    Fixed(usize),
    /// What is left, at most so many.
    Rest(usize),
    /// A length of so many digits, then at most so many characters.
    Counted(usize, usize),
}

/// One part of a data element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name in the dialect file.
    pub name: Box<str>,
    /// What stands in it.
    pub what: What,
    /// How long it is.
    pub width: Width,
    /// Whether the data element may end before it.
    pub optional: bool,
}

/// A data element with the typed fields in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The data element.
    pub de: u8,
    /// Its structure.
    pub shape: Shape,
    /// The typed field that it is, where it is not divided.
    pub whole: Option<Atom>,
    /// What it is absent without, where it is divided.
    pub subject: Option<Subject>,
    /// Its parts in order; one of [`Width::Whole`] where it is not divided.
    pub parts: Box<[Part]>,
}

/// What all parts of a divided data element are about, but for filling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The original.
    Original,
    /// What the amount really was.
    Replacement,
    /// The settlement date, with its year.
    Settlement,
    /// What the original's amount was, where this one's is another.
    OriginalAmount,
}

impl Subject {
    pub(super) fn of(parts: &[Part]) -> Option<Self> {
        let all = |own: fn(Atom) -> bool| {
            parts.iter().all(|part| match part.what {
                What::Atom(atom) => own(atom),
                What::Fill(_) => true,
                What::Mark => false,
            })
        };
        if all(Atom::is_original) {
            return Some(Self::Original);
        }
        if all(|atom| matches!(atom, Atom::SettlementDate | Atom::SettlementYear)) {
            return Some(Self::Settlement);
        }
        if all(Atom::is_original_amount) {
            return Some(Self::OriginalAmount);
        }
        all(|atom| atom == Atom::ReplacementAmount).then_some(Self::Replacement)
    }
}

/// A place in a message: a data element, or a part at a fixed offset in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) de: u8,
    /// The index of the part; `None` for the whole element.
    pub(super) part: Option<u8>,
    /// Where the part begins.
    pub(super) at: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Default {
    pub(super) place: Place,
    pub(super) value: Box<[u8]>,
}

/// The compiled section.
#[derive(Debug, Clone, PartialEq, Eq, std::default::Default)]
pub struct FieldMap {
    pub(super) links: Vec<Link>,
    /// By data element the index in `links`.
    pub(super) index: Index,
    /// The data elements of `links`.
    pub(super) linked: FieldSet,
    /// The typed fields of `links`, one bit each.
    pub(super) atoms: u128,
    /// The same for what only reconciliations carry: no other message looks at it.
    pub(super) settlement: Vec<Link>,
    /// Values of the response code that say whether totals agree: in balance, then out of balance.
    pub(super) balance_codes: [Vec<Text<4>>; 2],
    /// Every data element of the dialect.
    pub(super) known: FieldSet,
    pub(super) carry: [FieldSet; 2],
    pub(super) carried: Vec<(u8, Shape)>,
    pub(super) lossy: FieldSet,
    pub(super) money: FieldSet,
    pub(super) keep: FieldSet,
    pub(super) kept: Vec<(u8, Shape)>,
    pub(super) currency: Option<Currency>,
    pub(super) defaults: Vec<Default>,
    pub(super) accepts_partial: bool,
    pub(super) uncoded_advices: bool,
}

/// By data element the index of its link; the last number where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Index(pub(super) Box<[u8; 256]>);

impl std::default::Default for Index {
    fn default() -> Self {
        Self(Box::new([u8::MAX; 256]))
    }
}

impl FieldMap {
    /// A data element (`"25"`) or a part at a fixed offset (`"60.type"`).
    pub(super) fn place(&self, key: &str) -> Option<Place> {
        let Some((de, name)) = key.split_once('.') else {
            let de = data_element(key).filter(|de| self.known.contains(*de))?;
            return Some(Place { de, part: None, at: 0 });
        };
        let link = self.link(data_element(de)?)?;
        let mut at = 0;
        for (index, part) in (0_u8..).zip(&link.parts) {
            if *part.name == *name {
                return Some(Place { de: link.de, part: Some(index), at });
            }
            let Width::Fixed(width) = part.width else { return None };
            at += width;
        }
        None
    }

    /// The width of a part; `None` for a whole element or an open part.
    pub(super) fn width_of(&self, place: Place) -> Option<usize> {
        let part = self.link(place.de)?.parts.get(usize::from(place.part?))?;
        match part.width {
            Width::Fixed(width) => Some(width),
            Width::Whole | Width::Rest(_) | Width::Counted(..) => None,
        }
    }

    /// Every mapped data element, ascending.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Every data element that only reconciliations carry, ascending.
    pub fn settlement(&self) -> &[Link] {
        &self.settlement
    }

    /// What a response code says about totals.
    pub fn balance_of(&self, code: &[u8]) -> Option<Balance> {
        let lists = self.balance_codes.iter().zip([Balance::InBalance, Balance::OutOfBalance]);
        let mut found = lists.filter(|(codes, _)| codes.iter().any(|c| c.as_bytes() == code));
        found.next().map(|(_, balance)| balance)
    }

    /// The response code that says this about totals, where the dialect has one.
    pub fn balance_code(&self, balance: Balance) -> Option<Text<4>> {
        let [in_balance, out_of_balance] = &self.balance_codes;
        let codes = if balance == Balance::InBalance { in_balance } else { out_of_balance };
        codes.first().copied()
    }

    /// The mappings of those of these data elements that have one, ascending; not of those that
    /// only reconciliations carry.
    #[inline]
    pub fn links_of(&self, present: FieldSet) -> impl Iterator<Item = &Link> {
        let numbers = present.and(self.linked).iter().map(|de| self.index.0[usize::from(de)]);
        numbers.filter_map(|number| self.links.get(usize::from(number)))
    }

    /// The mapping of one data element.
    #[inline]
    pub fn link(&self, de: u8) -> Option<&Link> {
        let number = self.index.0[usize::from(de)];
        self.links.get(usize::from(number)).or_else(|| {
            let at = self.settlement.binary_search_by_key(&de, |l| l.de).ok()?;
            self.settlement.get(at)
        })
    }

    /// The structure of a carried or kept field.
    pub fn carried_shape(&self, de: u8) -> Option<Shape> {
        let all = self.carried.iter().chain(&self.kept);
        all.into_iter().find(|(d, _)| *d == de).map(|(_, shape)| *shape)
    }

    /// Whether a typed field stands anywhere.
    pub fn has(&self, atom: Atom) -> bool {
        self.atoms & atom.bit() != 0
    }

    /// Whether dates of this dialect state their year.
    pub fn has_years(&self) -> bool {
        [Atom::LocalYear, Atom::SettlementYear, Atom::OriginalYear].iter().any(|a| self.has(*a))
    }

    /// Where a typed field stands as a whole element; `None` if nowhere, or inside a composite.
    pub fn element_of(&self, atom: Atom) -> Option<u8> {
        let whole = |l: &&Link| l.parts.len() == 1 && l.parts[0].what == What::Atom(atom);
        self.links.iter().find(whole).map(|l| l.de)
    }

    /// The data element that a typed field stands in, wholly or among others.
    pub fn holder_of(&self, atom: Atom) -> Option<u8> {
        let holds = |link: &&Link| link.parts.iter().any(|p| p.what == What::Atom(atom));
        self.links.iter().find(holds).map(|link| link.de)
    }

    /// What moves money besides the amount: never left behind where a request or advice has it.
    pub fn money(&self) -> FieldSet {
        self.money
    }

    /// Fields of an answer that its follow-ups repeat.
    pub fn keep(&self) -> FieldSet {
        self.keep
    }

    /// Fields passed on untyped, in requests or in answers.
    pub fn carry(&self, answer: bool) -> FieldSet {
        self.carry[usize::from(answer)]
    }

    /// Fields that are left out whole where they do not fit this dialect. All others fail.
    pub fn lossy(&self) -> FieldSet {
        self.lossy
    }

    /// The currency of amounts without one.
    pub fn currency(&self) -> Option<Currency> {
        self.currency
    }

    /// Whether its advices do not say what was decided: they have no response code.
    pub fn uncoded_advices(&self) -> bool {
        self.uncoded_advices
    }

    /// Whether senders of this dialect take approvals for less.
    pub fn accepts_partial(&self) -> bool {
        self.accepts_partial
    }

    /// What a mandatory field, or a part, is filled with when the message has no value for it.
    pub fn default_of(&self, de: u8, part: Option<u8>) -> Option<&[u8]> {
        let found = self.defaults.iter().find(|d| d.place.de == de && d.place.part == part)?;
        Some(&found.value)
    }
}
