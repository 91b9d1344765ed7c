//! Message → frame: the inverse of unpack.
//!
//! Contract: appends the whole frame, or nothing on an error. Every value is checked against the
//! dialect; short fixed text is filled up, nothing is ever cut. Deliberately absent: MACs – the
//! caller puts a placeholder into the last field and overwrites it where [`Packed`] says.

use super::coding::{self, Encoding, Page};
use super::dialect::Dialect;
use super::error::{self, PackError};
use super::fault::{Fault, Kind};
use super::message::Message;
use super::quick::Stop;
use super::quick_pack::{self, Last};
use crate::limits::FRAME_MAX;
use std::ops::Range;

/// Where things landed, as offsets into the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed {
    /// Where this message begins (its header, if it has one).
    pub start: usize,
    /// Where the MTI begins: the usual beginning of what a MAC covers.
    pub mti: usize,
    /// Where the first bitmap begins.
    pub bitmap: usize,
    /// The highest data element, 0 if there is none.
    pub last: u8,
    /// Where the highest data element begins (its length prefix, if it has one): the usual end
    /// of what a MAC covers, and the place of F64 and F128.
    pub last_start: usize,
    /// One past the end.
    pub end: usize,
}

impl Packed {
    /// From the MTI up to the last data element: what a MAC in that element usually covers.
    pub fn before_last(&self) -> Range<usize> {
        self.mti..self.last_start
    }
}

/// Appends a message as a frame (without a length header).
///
/// # Errors
/// [`PackError`] with the data element; `out` is then as before.
pub fn pack(dialect: &Dialect, msg: &Message, out: &mut Vec<u8>) -> Result<Packed, PackError> {
    let start = out.len();
    let packed = append(dialect, msg, out);
    if packed.is_err() {
        out.truncate(start);
    }
    packed
}

/// Appends one data element as it would stand in the frame, length prefix included.
///
/// # Errors
/// [`PackError`] when it is missing or does not suit; `out` is then as before.
pub fn pack_field(
    dialect: &Dialect,
    msg: &Message,
    de: u8,
    out: &mut Vec<u8>,
) -> Result<(), PackError> {
    let start = out.len();
    let Some(value) = msg.get(de) else {
        return Err(error::pack_error(de.to_string(), None, Fault::new(0, Kind::Missing)));
    };
    let done = one(dialect, de, value, out);
    if done.is_err() {
        out.truncate(start);
    }
    done
}

fn append(dialect: &Dialect, msg: &Message, out: &mut Vec<u8>) -> Result<Packed, PackError> {
    let start = out.len();
    write_header(dialect, msg, out)?;
    let mti = out.len();
    write_mti(dialect, msg, out)?;
    let bitmap = out.len();
    let words = write_bitmaps(dialect, msg, out)?;
    let (last, last_start) = write_fields(dialect, msg, words, out)?;
    let end = out.len();
    if end - start > FRAME_MAX {
        let fault = Fault::new(0, Kind::TooBig { most: FRAME_MAX });
        return Err(error::pack_error("message".to_owned(), None, fault));
    }
    Ok(Packed { start, mti, bitmap, last, last_start, end })
}

/// Writes all data elements: the last, and where it begins.
fn write_fields(
    dialect: &Dialect,
    msg: &Message,
    words: [u64; 3],
    out: &mut Vec<u8>,
) -> Result<(u8, usize), PackError> {
    let mut last = Last { de: 0, start: out.len() };
    for (index, word) in msg.present().iter().enumerate() {
        if index == 1 {
            write_third_at_65(dialect, words, out);
        }
        // The lowest bit first: that is cheaper to find and to take out.
        let mut pending = word.reverse_bits();
        while pending != 0 {
            let base = index as u8 * 64;
            match quick_pack::walk(&dialect.quick, base, &mut pending, msg, out, &mut last) {
                Stop::Done => {}
                Stop::Composite(de) => inside(dialect, de, msg.get(de).unwrap_or_default())?,
                Stop::Plan(de) => {
                    pending &= pending - 1;
                    last = Last { de, start: out.len() };
                    one(dialect, de, msg.get(de).unwrap_or_default(), out)?;
                }
            }
        }
    }
    Ok((last.de, last.start))
}

fn write_header(dialect: &Dialect, msg: &Message, out: &mut Vec<u8>) -> Result<(), PackError> {
    let refuse = |expected: &str, got: &str| {
        Err(PackError {
            path: "header".into(),
            name: None,
            expected: expected.into(),
            got: got.into(),
        })
    };
    match (&dialect.header, msg.header()) {
        (Some(_), Some(bytes)) => out.extend_from_slice(bytes),
        (None, Some(_)) => return refuse("none: this dialect has no header", "one"),
        (Some(header), None) if !header.optional => return refuse("a header", "none"),
        (_, None) => {}
    }
    Ok(())
}

fn write_mti(dialect: &Dialect, msg: &Message, out: &mut Vec<u8>) -> Result<(), PackError> {
    let mti = msg.mti();
    if let Some(version) = dialect.version.filter(|v| *v != mti.version()) {
        let (expected, got) = (format!("version digit {version}"), mti.to_string());
        return Err(PackError { path: "MTI".into(), name: None, expected, got });
    }
    match (dialect.mti, Page::of(dialect.mti)) {
        (Encoding::Bcd, _) => out.extend_from_slice(&mti.to_bcd()),
        (_, Some(page)) => {
            // Digits are in every code page.
            let _ = page.encode(mti.as_bytes(), out);
        }
        _ => out.extend_from_slice(mti.as_bytes()),
    }
    Ok(())
}

/// Writes the bitmaps that stand in front; gives all three words.
fn write_bitmaps(
    dialect: &Dialect,
    msg: &Message,
    out: &mut Vec<u8>,
) -> Result<[u64; 3], PackError> {
    const FURTHER: u64 = 1 << 63;
    let mut words = msg.present();
    let needed = 1 + words.iter().rposition(|w| *w != 0).unwrap_or(0) as u8;
    let most = dialect.bitmap.most;
    if needed > most {
        let (expected, got) = (format!("at most {most} bitmap(s)"), format!("{needed} needed"));
        return Err(PackError { path: "bitmap".into(), name: None, expected, got });
    }
    let count = needed.max(msg.bitmaps()).max(dialect.bitmap.least).min(most);
    if count > 1 {
        words[0] |= FURTHER;
    }
    if count > 2 {
        words[1] |= FURTHER;
    }
    let leading = if dialect.bitmap.third_at_65 { count.min(2) } else { count };
    for word in &words[..usize::from(leading)] {
        write_bitmap(dialect, *word, out);
    }
    Ok(words)
}

fn write_bitmap(dialect: &Dialect, word: u64, out: &mut Vec<u8>) {
    let bytes = word.to_be_bytes();
    match dialect.bitmap.encoding {
        Encoding::Raw => out.extend_from_slice(&bytes),
        hex => coding::hex_encode(hex, &bytes, out),
    }
}

/// The third bitmap, where data element 65 would stand.
fn write_third_at_65(dialect: &Dialect, words: [u64; 3], out: &mut Vec<u8>) {
    let announced = dialect.bitmap.most == 3 && words[1] >> 63 == 1;
    if announced && dialect.bitmap.third_at_65 {
        write_bitmap(dialect, words[2], out);
    }
}

#[inline(never)]
fn one(dialect: &Dialect, de: u8, value: &[u8], out: &mut Vec<u8>) -> Result<(), PackError> {
    let plan = &dialect.plans[usize::from(de)];
    if !plan.known {
        return Err(field_error(dialect, de, Fault::new(0, Kind::Unknown)));
    }
    plan.write(value, out).map_err(|fault| field_error(dialect, de, fault))?;
    if plan.composite { inside(dialect, de, value) } else { Ok(()) }
}

#[cold]
fn field_error(dialect: &Dialect, de: u8, fault: Fault) -> PackError {
    error::pack_error(de.to_string(), dialect.field(de), fault)
}

/// Refuses a composite that could not be read again.
fn inside(dialect: &Dialect, de: u8, value: &[u8]) -> Result<(), PackError> {
    let Some(inside) = dialect.field(de).and_then(|f| f.inside()) else { return Ok(()) };
    if inside.holds(value, 0) {
        return Ok(());
    }
    inside.check(value, 0).map_err(|inner| {
        let dotted = if inner.path.is_empty() { String::new() } else { format!(".{}", inner.path) };
        let field = error::part_at(dialect, de, &inner.path);
        error::pack_error(format!("{de}{dotted}"), field, inner.fault)
    })
}
