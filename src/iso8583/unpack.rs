//! Frame → message: one pass, no allocation in the steady state.
//!
//! Contract: [`unpack`] checks everything the dialect says about structure, lengths and
//! characters, and consumes the whole frame; what it accepts, `pack` gives back byte for byte. On
//! an error the message keeps all that was decoded before. Memory is bounded by three times the
//! frame. Deliberately absent: message rules (mandatory fields, MAC) – that is [`super::rules`].

use super::coding::{self, Encoding, Page};
use super::dialect::Dialect;
use super::error::{self, Scene, UnpackError};
use super::fault::{Fault, Kind, take};
use super::inside::InnerFault;
use super::message::{Message, Slot};
use super::mti::Mti;
use super::plan::Plan;
use super::quick::{self, Stop};
use crate::limits::FRAME_MAX;

/// Unpacks a frame (without its length header) into a message, which is cleared first.
///
/// # Errors
/// [`UnpackError`] with path, offset, expected, got and perhaps a cause. The message then holds
/// everything decoded up to there.
pub fn unpack(dialect: &Dialect, frame: &[u8], into: &mut Message) -> Result<(), UnpackError> {
    pass::<true>(dialect, frame, into)
}

/// One pass over a frame. Without `VALUES` only where the data elements lie is found out.
#[inline]
pub(super) fn pass<const VALUES: bool>(
    dialect: &Dialect,
    frame: &[u8],
    into: &mut Message,
) -> Result<(), UnpackError> {
    into.clear();
    if frame.len() > FRAME_MAX {
        return Err(too_big(frame));
    }
    into.load(frame);
    let at = preamble(dialect, frame, into)?;
    let (words, at) = bitmaps(dialect, frame, at, into)?;
    let end = fields::<VALUES>(dialect, frame, words, at, into)?;
    if end < frame.len() {
        let fault = Fault::new(0, Kind::Trailing { got: frame.len() - end });
        return Err(say("end", frame, end, fault));
    }
    Ok(())
}

#[cold]
fn too_big(frame: &[u8]) -> UnpackError {
    say("header", frame, 0, Fault::new(0, Kind::TooBig { most: FRAME_MAX }))
}

#[cold]
fn say(path: &str, frame: &[u8], start: usize, fault: Fault) -> UnpackError {
    error::unpack_error(&Scene { path: path.to_owned(), field: None, start, frame }, fault)
}

/// Header and MTI; gives the offset of the bitmap.
#[inline]
fn preamble(dialect: &Dialect, frame: &[u8], into: &mut Message) -> Result<usize, UnpackError> {
    let mut at = 0;
    if let Some(header) = &dialect.header {
        let is_mti = |at: usize| plausible(dialect, frame, at);
        at = header.measure(frame, is_mti).map_err(|f| say("header", frame, 0, f))?;
        if at > 0 {
            into.set_header_span(at.min(frame.len()));
        }
    }
    let (mti, next) = read_mti(dialect, frame, at).map_err(|f| say("MTI", frame, at, f))?;
    into.set_mti(mti);
    Ok(next)
}

/// Whether a message can begin here: an MTI, and a bitmap of data elements that the dialect has.
/// Used only to find out where a header ends.
fn plausible(dialect: &Dialect, frame: &[u8], at: usize) -> bool {
    let Ok((mti, at)) = read_mti(dialect, frame, at) else { return false };
    let Ok((mut bits, _)) = bitmap_at(dialect, frame, at) else { return false };
    if dialect.bitmap.most > 1 {
        bits &= !(1 << 63);
    }
    (1..=8).contains(&mti.class()) && mti.origin() <= 5 && bits & !dialect.known == 0
}

#[inline]
fn read_mti(dialect: &Dialect, frame: &[u8], at: usize) -> Result<(Mti, usize), Fault> {
    let size = if dialect.mti == Encoding::Bcd { 2 } else { 4 };
    let rest = frame.get(at..).unwrap_or_default();
    let (_, wire) = take(size, rest)?;
    let bad = |_| Fault::new(0, Kind::Mti);
    let mti = match (wire, Page::of(dialect.mti)) {
        ([a, b], _) => Mti::from_bcd([*a, *b]).map_err(bad)?,
        (wire, None) => Mti::new(wire).map_err(bad)?,
        (wire, Some(page)) => {
            let mut digits = [0; 4];
            page.decode(wire, &mut digits).map_err(|_| Fault::new(0, Kind::Mti))?;
            Mti::new(&digits).map_err(bad)?
        }
    };
    match dialect.version {
        Some(version) if version != mti.version() => Err(Fault::new(0, Kind::Mti)),
        _ => Ok((mti, at + size)),
    }
}

/// The bitmaps with their own bits taken out, and where the first data element begins.
#[inline]
fn bitmaps(
    dialect: &Dialect,
    frame: &[u8],
    mut at: usize,
    into: &mut Message,
) -> Result<([u64; 3], usize), UnpackError> {
    const FURTHER: u64 = 1 << 63;
    let mut words = [0; 3];
    let mut index = 0;
    loop {
        let word;
        (word, at) = read_bitmap(dialect, frame, at)?;
        // Only with three bitmaps does bit 65 announce one; bit 129 never does.
        let may_announce = index == 0 || (index == 1 && dialect.bitmap.most == 3);
        let announces = word & FURTHER != 0 && may_announce;
        words[index] = if announces { word & !FURTHER } else { word };
        if announces && index + 1 >= usize::from(dialect.bitmap.most) {
            return Err(say("bitmap", frame, at, Fault::new(0, Kind::TooManyBitmaps)));
        }
        if !announces {
            break;
        }
        index += 1;
        if index == 2 && dialect.bitmap.third_at_65 {
            // Read when its turn comes; bit 65 stays set as the sign for it.
            words[1] |= FURTHER;
            break;
        }
    }
    into.set_bitmaps(index as u8 + 1);
    Ok((words, at))
}

#[inline]
fn read_bitmap(dialect: &Dialect, frame: &[u8], at: usize) -> Result<(u64, usize), UnpackError> {
    bitmap_at(dialect, frame, at).map_err(|f| say("bitmap", frame, at, f))
}

#[inline]
fn bitmap_at(dialect: &Dialect, frame: &[u8], at: usize) -> Result<(u64, usize), Fault> {
    let rest = frame.get(at..).unwrap_or_default();
    let size = if dialect.bitmap.encoding == Encoding::Raw { 8 } else { 16 };
    let (_, wire) = take(size, rest)?;
    let mut bytes = [0; 8];
    if size == 8 {
        bytes.copy_from_slice(wire);
    } else {
        coding::hex_decode(dialect.bitmap.encoding, wire, &mut bytes)
            .map_err(|at| Fault::new(at, Kind::Bitmap))?;
    }
    Ok((u64::from_be_bytes(bytes), at + size))
}

/// Reads all data elements; gives the offset behind the last.
fn fields<const VALUES: bool>(
    dialect: &Dialect,
    frame: &[u8],
    mut words: [u64; 3],
    mut at: usize,
    into: &mut Message,
) -> Result<usize, UnpackError> {
    for index in 0..3 {
        // The lowest bit first: that is cheaper to find and to take out.
        let mut pending = words[index].reverse_bits();
        while pending != 0 {
            let base = index as u8 * 64;
            let mut halves = into.halves();
            let stop =
                quick::walk::<VALUES>(&dialect.quick, base, &mut pending, &mut at, &mut halves);
            let used = halves.used;
            into.set_used(used);
            let done = match stop {
                Stop::Done => Ok(()),
                Stop::Composite(de) => inside(dialect, frame, de, into),
                Stop::Plan(65) if dialect.bitmap.most == 3 => {
                    (words[2], at) = read_bitmap(dialect, frame, at)?;
                    words[1] &= !(1 << 63);
                    pending &= pending - 1;
                    Ok(())
                }
                Stop::Plan(de) => slowly::<VALUES>(dialect, frame, de, &mut at, &mut pending, into),
            };
            if let Err(error) = done {
                into.arrived(index, words[index] & !pending.reverse_bits());
                return Err(*error);
            }
        }
        into.arrived(index, words[index]);
    }
    Ok(at)
}

/// Reads one data element by its plan.
#[inline(never)]
fn slowly<const VALUES: bool>(
    dialect: &Dialect,
    frame: &[u8],
    de: u8,
    at: &mut usize,
    pending: &mut u64,
    into: &mut Message,
) -> Result<(), Box<UnpackError>> {
    let slot = one::<VALUES>(dialect, frame, de, *at, into)?;
    into.note(de, slot);
    *pending &= *pending - 1;
    *at += usize::from(slot.raw_len);
    let composite = VALUES && dialect.plans[usize::from(de)].composite;
    if composite { inside(dialect, frame, de, into) } else { Ok(()) }
}

/// Reads the data element that begins at an offset by its plan.
pub(super) fn one<const VALUES: bool>(
    dialect: &Dialect,
    frame: &[u8],
    de: u8,
    at: usize,
    into: &mut Message,
) -> Result<Slot, Box<UnpackError>> {
    by_plan::<VALUES>(&dialect.plans[usize::from(de)], frame, at, into).map_err(|fault| {
        let scene = Scene { path: de.to_string(), field: dialect.field(de), start: at, frame };
        Box::new(error::unpack_error(&scene, fault))
    })
}

fn by_plan<const VALUES: bool>(
    plan: &Plan,
    frame: &[u8],
    at: usize,
    into: &mut Message,
) -> Result<Slot, Fault> {
    if !plan.known {
        return Err(Fault::new(0, Kind::Unknown));
    }
    let rest = frame.get(at..).unwrap_or_default();
    let extent = plan.measure(rest)?;
    let body = rest.get(extent.prefix..).unwrap_or_default();
    let (_, content) = take(extent.bytes, body).map_err(|f| f.moved(extent.prefix))?;
    let (raw_at, raw_len) = (at as u16, (extent.prefix + extent.bytes) as u16);
    let start = (at + extent.prefix) as u16;
    if !VALUES {
        return Ok(Slot { at: start, len: extent.bytes as u16, raw_at, raw_len });
    }
    if plan.is_verbatim() {
        // The message keeps a copy of the frame, and this value is part of it.
        plan.check(content).map_err(|f| f.moved(extent.prefix))?;
        return Ok(Slot { at: start, len: extent.bytes as u16, raw_at, raw_len });
    }
    let room = plan.room(extent.bytes);
    let (start, room) =
        into.room(room).ok_or_else(|| Fault::new(0, Kind::TooBig { most: FRAME_MAX }))?;
    let read = plan.read(content, extent.chars, room);
    let (skip, len) = read.map_err(|f| f.moved(extent.prefix))?;
    into.keep(skip + len);
    Ok(Slot { at: (start + skip) as u16, len: len as u16, raw_at, raw_len })
}

/// Checks the inner structure of a composite just read.
#[inline]
fn inside(dialect: &Dialect, frame: &[u8], de: u8, into: &Message) -> Result<(), Box<UnpackError>> {
    let Some(inside) = dialect.field(de).and_then(|f| f.inside()) else { return Ok(()) };
    let slot = into.slot(de);
    let value = into.noted(slot);
    if inside.holds(value, 0) {
        return Ok(());
    }
    inside.check(value, 0).map_err(|inner| Box::new(inner_error(dialect, frame, de, slot, &inner)))
}

#[cold]
fn inner_error(
    dialect: &Dialect,
    frame: &[u8],
    de: u8,
    slot: Slot,
    inner: &InnerFault,
) -> UnpackError {
    let plan = dialect.plans[usize::from(de)];
    let prefix = usize::from(plan.prefix.bytes);
    // Offsets in a packed or hex-coded composite count in wire bytes.
    let per = plan.wire_bytes(2 * inner.fault.at) / 2;
    let at = if plan.is_verbatim() { inner.fault.at } else { per };
    let field = error::part_at(dialect, de, &inner.path);
    let path = if inner.path.is_empty() { de.to_string() } else { format!("{de}.{}", inner.path) };
    let start = usize::from(slot.raw_at) + prefix + at;
    let fault = Fault { at: 0, kind: inner.fault.kind };
    error::unpack_error(&Scene { path, field, start, frame }, fault)
}
