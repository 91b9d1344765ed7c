//! Reading answers without a codec: two length bytes, MTI, bitmap, and a table of widths.
//!
//! Contract: ISO 8583:1987 in ASCII with a binary bitmap, the fields an answer may have and no
//! others: a field that is not in the table is an error, so that nothing unexpected passes.

use crate::Tested;
use std::collections::BTreeMap;

/// How many characters a field has.
#[derive(Debug, Clone, Copy)]
enum Wide {
    /// Always so many.
    Fixed(usize),
    /// As many as its first so many digits say.
    Counted(usize),
}

/// The fields an answer may have (domain.md section 2).
const WIDTHS: &[(u8, Wide)] = &[
    (2, Wide::Counted(2)),
    (3, Wide::Fixed(6)),
    (4, Wide::Fixed(12)),
    (7, Wide::Fixed(10)),
    (11, Wide::Fixed(6)),
    (12, Wide::Fixed(6)),
    (13, Wide::Fixed(4)),
    (15, Wide::Fixed(4)),
    (18, Wide::Fixed(4)),
    (22, Wide::Fixed(3)),
    (24, Wide::Fixed(3)),
    (25, Wide::Fixed(2)),
    (32, Wide::Counted(2)),
    (33, Wide::Counted(2)),
    (37, Wide::Fixed(12)),
    (38, Wide::Fixed(6)),
    (39, Wide::Fixed(2)),
    (41, Wide::Fixed(8)),
    (42, Wide::Fixed(15)),
    (44, Wide::Counted(2)),
    (49, Wide::Fixed(3)),
    (54, Wide::Counted(3)),
    (70, Wide::Fixed(3)),
    (90, Wide::Fixed(42)),
];

/// An answer as it stands in its frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Four digits.
    pub(crate) mti: String,
    fields: BTreeMap<u8, String>,
}

impl Answer {
    /// The value of a field; empty where it is absent.
    pub(crate) fn get(&self, de: u8) -> &str {
        self.fields.get(&de).map_or("", String::as_str)
    }

    /// `F39`.
    pub(crate) fn code(&self) -> &str {
        self.get(39)
    }

    /// `F4` in minor units.
    pub(crate) fn amount(&self) -> Option<u64> {
        self.get(4).parse().ok()
    }

    /// Reads a frame, its length bytes included.
    ///
    /// # Errors
    /// Which field has no width, or is cut short; what is left over.
    pub(crate) fn walk(frame: &[u8]) -> Tested<Self> {
        let mut rest = frame.get(2..).ok_or("no length")?;
        let mti = text(&mut rest, 4, "MTI")?;
        let mut bitmap = take(&mut rest, 8, "bitmap")?.to_vec();
        if bitmap.first().is_some_and(|byte| byte & 0x80 != 0) {
            bitmap.extend_from_slice(take(&mut rest, 8, "second bitmap")?);
        }
        let mut fields = BTreeMap::new();
        for de in (2..=128_u8).filter(|de| has(&bitmap, *de)) {
            let what = format!("F{de}");
            let wide = WIDTHS.iter().find(|(known, _)| *known == de).map(|(_, wide)| *wide);
            let width = match wide.ok_or_else(|| format!("{what} has no place in an answer"))? {
                Wide::Fixed(width) => width,
                Wide::Counted(digits) => text(&mut rest, digits, &what)?.parse()?,
            };
            fields.insert(de, text(&mut rest, width, &what)?);
        }
        match rest.len() {
            0 => Ok(Self { mti, fields }),
            more => Err(format!("{more} bytes after the last field of {mti}").into()),
        }
    }
}

fn has(bitmap: &[u8], de: u8) -> bool {
    let bit = usize::from(de - 1);
    bitmap.get(bit / 8).is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0)
}

fn take<'b>(rest: &mut &'b [u8], width: usize, what: &str) -> Tested<&'b [u8]> {
    let (head, tail) = rest.split_at_checked(width).ok_or_else(|| format!("{what} is cut"))?;
    *rest = tail;
    Ok(head)
}

fn text(rest: &mut &[u8], width: usize, what: &str) -> Tested<String> {
    Ok(std::str::from_utf8(take(rest, width, what)?)?.to_owned())
}

/// Takes the whole frames off the front of what was received.
pub(crate) fn whole_frames(inbox: &mut Vec<u8>) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let [high, low, ..] = inbox.as_slice() {
        let len = 2 + usize::from(u16::from_be_bytes([*high, *low]));
        if inbox.len() < len {
            break;
        }
        frames.push(inbox.drain(..len).collect());
    }
    frames
}
