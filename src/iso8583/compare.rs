//! Two messages field by field: what one has and the other has not, or has otherwise.
//!
//! Contract: compares values in normal form, so that two codings of one value are equal; every
//! difference has its path as errors spell it (`MTI`, `header.…`, `4`, `55.9F02`, a repeated tag
//! `55.9F02#2`), both values masked like everywhere else, and where they stand in their frames. A
//! message that did not decode to its end is compared as far as it goes: what it may have further
//! on is not said to be absent. Deliberately absent: raw bytes that mean the same.

use super::dialect::Dialect;
use super::error::{UnpackError, name_of};
use super::field::Field;
use super::inside::{DEPTH_MAX, Inside};
use super::json::plain;
use super::mask;
use super::message::Message;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// One side of a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// The value for people, and the offset in the frame where that can be said.
    Value {
        /// Masked unless revealed.
        shown: String,
        /// Byte offset in the frame, length prefix included.
        at: Option<usize>,
    },
    /// The message does not have it.
    Absent,
    /// The message was not decoded so far.
    Undecoded,
}

/// Something in which two messages differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `MTI`, `bitmaps`, `header` or a part of it, or the data element and what is in it.
    pub path: String,
    /// What the dialect calls it.
    pub name: Option<Box<str>>,
    /// In the first message and in the second.
    pub sides: [Seen; 2],
    /// The values differ where masking hides it.
    pub hidden: bool,
}

/// A message as it was unpacked, perhaps only in part.
#[derive(Debug, Clone, Copy)]
pub struct Unpacked<'a> {
    /// The message.
    pub message: &'a Message,
    /// What stopped it.
    pub error: Option<&'a UnpackError>,
}

/// A value that is not divided further.
struct Leaf<'a> {
    path: String,
    /// 0 is what stands before the data elements.
    de: u8,
    field: Option<&'a Field>,
    value: Vec<u8>,
    at: Option<usize>,
    text: bool,
}

/// Every difference, in the order of the data elements; what only the second message has comes
/// last in each.
pub fn compare(dialect: &Dialect, sides: [Unpacked<'_>; 2], reveal: bool) -> Vec<Difference> {
    let [left, right] = sides.map(|side| leaves(dialect, side));
    let index = |leaves: &[Leaf<'_>]| -> BTreeMap<String, usize> {
        leaves.iter().enumerate().map(|(i, leaf)| (leaf.path.clone(), i)).collect()
    };
    let (in_left, in_right) = (index(&left), index(&right));
    let seen = |leaf: Option<&Leaf<'_>>, side: Unpacked<'_>, de: u8| match leaf {
        Some(leaf) => Seen::Value { shown: leaf.shown(reveal), at: leaf.at },
        None if de < reached(side) => Seen::Absent,
        None => Seen::Undecoded,
    };
    let mut found = Vec::new();
    for leaf in &left {
        let other = in_right.get(&leaf.path).and_then(|at| right.get(*at));
        if other.is_some_and(|other| other.value == leaf.value) {
            continue;
        }
        let both = [Some(leaf), other];
        let sides = [seen(both[0], sides[0], leaf.de), seen(both[1], sides[1], leaf.de)];
        found.push((leaf.de, leaf.difference(sides)));
    }
    for leaf in right.iter().filter(|leaf| !in_left.contains_key(&leaf.path)) {
        let sides = [seen(None, sides[0], leaf.de), seen(Some(leaf), sides[1], leaf.de)];
        found.push((leaf.de, leaf.difference(sides)));
    }
    found.sort_by_key(|(de, _)| *de);
    found.into_iter().map(|(_, difference)| difference).collect()
}

/// The first data element that is not known to be there or not: 0 where not even the MTI is.
fn reached(side: Unpacked<'_>) -> u8 {
    match side.error.map(|error| error.path.as_str()) {
        None | Some("end") => u8::MAX,
        Some("header" | "MTI") => 0,
        Some("bitmap") => 1,
        Some(path) => path.split('.').next().and_then(|de| de.parse().ok()).unwrap_or(1),
    }
}

impl Leaf<'_> {
    fn shown(&self, reveal: bool) -> String {
        if self.text {
            return String::from_utf8_lossy(&self.value).into_owned();
        }
        mask::shown(self.field, plain(self.field, &self.value), reveal)
    }

    fn difference(&self, sides: [Seen; 2]) -> Difference {
        let hidden = match &sides {
            [Seen::Value { shown: a, .. }, Seen::Value { shown: b, .. }] => a == b,
            _ => false,
        };
        Difference { path: self.path.clone(), name: name_of(self.field), sides, hidden }
    }
}

fn leaves<'a>(dialect: &'a Dialect, side: Unpacked<'_>) -> Vec<Leaf<'a>> {
    let msg = side.message;
    let mut all = Vec::new();
    if let Some(header) = msg.header() {
        let parts = dialect.header().map(|h| h.parts(header)).unwrap_or_default();
        let bare = |path: String, value: Vec<u8>, at| {
            let text = value.iter().all(|b| (0x20..0x7F).contains(b));
            Leaf { path, de: 0, field: None, value, at, text }
        };
        if parts.is_empty() {
            all.push(bare("header".to_owned(), header.to_vec(), Some(0)));
        }
        all.extend(parts.into_iter().map(|(n, value)| bare(format!("header.{n}"), value, None)));
    }
    if reached(side) > 0 {
        let (at, value) = (msg.header().map_or(0, <[u8]>::len), msg.mti().as_bytes().to_vec());
        let path = "MTI".to_owned();
        all.push(Leaf { path, de: 0, field: None, value, at: Some(at), text: true });
    }
    if reached(side) > 1 {
        let (path, value) = ("bitmaps".to_owned(), msg.bitmaps().to_string().into_bytes());
        all.push(Leaf { path, de: 1, field: None, value, at: None, text: true });
    }
    for de in msg.fields() {
        let field = dialect.field(de);
        let (value, span) = (msg.get(de).unwrap_or_default(), msg.raw_span(de));
        let at = span.map(|span| span.start);
        let inside = field.and_then(Field::inside);
        if let Some(inside) = inside {
            let plan = field.map(|f| f.plan);
            let content = at.zip(plan).filter(|(_, plan)| plan.is_verbatim());
            let content = content.map(|(at, plan)| at + usize::from(plan.prefix.bytes));
            let mut parts = Vec::new();
            let into = Into { de, inside, all: &mut parts };
            if part_leaves(into, &de.to_string(), value, content, 1).is_some() {
                all.append(&mut parts);
                continue;
            }
        }
        all.push(Leaf { path: de.to_string(), de, field, value: value.to_vec(), at, text: false });
    }
    all
}

/// Where parts are collected.
struct Into<'a, 'b> {
    de: u8,
    inside: &'a Inside,
    all: &'b mut Vec<Leaf<'a>>,
}

/// The parts of a composite; `None` where they cannot be read.
fn part_leaves<'a>(
    into: Into<'a, '_>,
    path: &str,
    content: &[u8],
    at: Option<usize>,
    depth: usize,
) -> Option<()> {
    let Into { de, inside, all } = into;
    let mut times = BTreeMap::<String, usize>::new();
    for item in inside.items(content) {
        let item = item.ok()?;
        let value = item.value().ok()?;
        let key = item.key();
        let count = times.entry(key.clone()).or_insert(0);
        *count += 1;
        let again = if *count > 1 { format!("#{count}") } else { String::new() };
        let path = format!("{path}.{key}{again}");
        // The part's own field lives as long as the dialect, the item only as long as the value.
        let field = inside.part_by_key(&key).map(super::inside::Part::field);
        let at = at.map(|at| at + item.content_at);
        let deeper = field.and_then(Field::inside).or(inside.nests(&item).then_some(inside));
        if let Some(inside) = deeper.filter(|_| depth < DEPTH_MAX) {
            let at = at.filter(|_| matches!(value, Cow::Borrowed(_)));
            part_leaves(Into { de, inside, all: &mut *all }, &path, &value, at, depth + 1)?;
        } else {
            let value = value.into_owned();
            all.push(Leaf { path, de, field, value, at, text: false });
        }
    }
    Some(())
}
