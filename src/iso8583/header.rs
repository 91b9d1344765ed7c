//! What stands between the length header and the MTI.
//!
//! Contract: finds how many bytes belong to the header, by its constants, its own length byte and
//! by whether an MTI of the dialect follows. An optional header may be missing, and so may an
//! optional TPDU of five bytes (`60`, destination, source) before it, and the line information
//! (`LRI`, a length, that many bytes) that access concentrators put between the two. Deliberately
//! absent: what header a peer wants to see – the switch keeps that per line.

use super::fault::{Fault, Kind};
use super::field::Field;
use super::inside::Inside;
use super::inside_walk::Item;

/// Whether a TPDU may stand before the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tpdu {
    Never,
    Optional,
    Required,
}

const TPDU_BYTES: usize = 5;
/// What line information begins with; a length of two bytes follows.
const LRI: &[u8] = b"LRI";
const TPDU_ID: u8 = 0x60;
/// The longest header in normal form; lint refuses longer ones.
pub(crate) const ROOM: usize = 512;

/// The header of a dialect.
#[derive(Debug, Clone)]
pub struct Header {
    pub(crate) tpdu: Tpdu,
    pub(crate) optional: bool,
    /// Whether line information may stand before it, behind the TPDU.
    pub(crate) lri: bool,
    /// The byte that says how long the header is, from its first byte.
    pub(crate) length_at: Option<usize>,
    /// All of it as one field; its parts are its inner structure.
    pub(crate) field: Field,
}

impl Header {
    /// Bytes before the MTI. `is_mti` says whether an MTI of the dialect stands at an offset.
    pub(crate) fn measure(
        &self,
        frame: &[u8],
        is_mti: impl Fn(usize) -> bool,
    ) -> Result<usize, Fault> {
        let mut without_mti = None;
        // The longest first: a bare MTI hides in a header more easily than the other way round.
        for tpdu in [true, false] {
            let Some(start) = self.tpdu_bytes(frame, tpdu) else { continue };
            let start = start + self.lri_bytes(frame.get(start..).unwrap_or_default());
            let whole = self.header_bytes(frame.get(start..).unwrap_or_default());
            let candidates = [whole, self.optional.then_some(0)];
            for end in candidates.into_iter().flatten().map(|len| start + len) {
                if is_mti(end) {
                    return Ok(end);
                }
                without_mti.get_or_insert(end);
            }
        }
        // No MTI anywhere: say so where it should stand, or that the header is wrong.
        match without_mti {
            Some(_) if self.optional && self.tpdu != Tpdu::Required => Ok(0),
            Some(end) => Ok(end),
            None => Err(Fault::new(0, Kind::Header)),
        }
    }

    fn tpdu_bytes(&self, frame: &[u8], present: bool) -> Option<usize> {
        match (self.tpdu, present) {
            (Tpdu::Never | Tpdu::Optional, false) => Some(0),
            (Tpdu::Optional | Tpdu::Required, true) => {
                (frame.first() == Some(&TPDU_ID)).then_some(TPDU_BYTES)
            }
            _ => None,
        }
    }

    /// How long the line information at the front of `bytes` is; 0 where there is none.
    fn lri_bytes(&self, bytes: &[u8]) -> usize {
        let length =
            bytes.strip_prefix(LRI).filter(|_| self.lri).and_then(|b| b.first_chunk::<2>());
        let size = length.map_or(0, |two| LRI.len() + 2 + usize::from(u16::from_be_bytes(*two)));
        if size <= bytes.len() { size } else { 0 }
    }

    /// How long the header at the front of `bytes` is, if its parts and constants are there.
    fn header_bytes(&self, bytes: &[u8]) -> Option<usize> {
        let len = match self.length_at {
            Some(at) => usize::from(*bytes.get(at)?),
            None => self.field.plan.wire_bytes(self.field.max_len()),
        };
        let own = bytes.get(..len).filter(|_| len > 0)?;
        let mut room = [0; ROOM];
        let value = self.value(own, &mut room)?;
        let constant = self.field.constant.as_deref();
        if constant.is_some_and(|c| c != value) {
            return None;
        }
        self.inside().is_none_or(|i| i.check(value, 0).is_ok()).then_some(len)
    }

    fn inside(&self) -> Option<&Inside> {
        self.field.inside()
    }

    /// The header without TPDU in normal form.
    fn value<'a>(&self, own: &'a [u8], room: &'a mut [u8; ROOM]) -> Option<&'a [u8]> {
        let plan = &self.field.plan;
        if plan.is_verbatim() {
            return plan.check(own).is_ok().then_some(own);
        }
        let room = room.get_mut(..plan.room(own.len()))?;
        let (at, len) = plan.read(own, usize::from(plan.max), room).ok()?;
        room.get(at..at + len)
    }

    /// How many bytes of a header of this dialect are its TPDU: 5, or 0 where there is none.
    pub(crate) fn tpdu_len(&self, header: &[u8]) -> usize {
        let own = header.get(self.lri_bytes(header)..).unwrap_or_default();
        let bare = own.is_empty() || self.header_bytes(own) == Some(own.len());
        if self.tpdu != Tpdu::Never && !bare && header.len() >= TPDU_BYTES { TPDU_BYTES } else { 0 }
    }

    /// The named parts of a header (a TPDU before it is `tpdu`, line information `lri`), in order:
    /// name and value in normal form. Empty where the bytes are no header of this dialect.
    pub fn parts(&self, header: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut parts = Vec::new();
        let (tpdu, rest) = header.split_at(self.tpdu_len(header));
        let (lri, own) = rest.split_at(self.lri_bytes(rest));
        for (name, bytes) in [("tpdu", tpdu), ("lri", lri)] {
            if !bytes.is_empty() {
                parts.push((name.to_owned(), bytes.to_vec()));
            }
        }
        let mut room = [0; ROOM];
        let value = Some(own).filter(|own| !own.is_empty());
        let Some(value) = value.and_then(|own| self.value(own, &mut room)) else { return parts };
        let named =
            |item: Item<'_>| Some((item.part?.key.clone(), item.value().ok()?.into_owned()));
        let items = self.inside().into_iter().flat_map(|inside| inside.items(value));
        parts.extend(items.filter_map(Result::ok).filter_map(named));
        parts
    }

    /// Appends a header made of named parts; every part without a constant must be given.
    ///
    /// # Errors
    /// A [`super::PackError`] naming the part that is missing or does not fit.
    pub fn compose(
        &self,
        given: &[(&str, &[u8])],
        out: &mut Vec<u8>,
    ) -> Result<(), super::PackError> {
        let mut value = Vec::new();
        if let Some(inside) = self.inside() {
            let mut all = given.to_vec();
            for part in inside.parts() {
                if let Some(constant) = &part.field.constant
                    && !given.iter().any(|(key, _)| *key == part.key)
                {
                    all.push((&part.key, constant));
                }
            }
            inside.compose(&all, &mut value).map_err(|inner| {
                let field = inside.part_by_key(&inner.path).map(super::inside::Part::field);
                super::error::pack_error(format!("header.{}", inner.path), field, inner.fault)
            })?;
        }
        let start = out.len();
        self.field.plan.write(&value, out).map_err(|fault| {
            out.truncate(start);
            super::error::pack_error("header".to_owned(), Some(&self.field), fault)
        })
    }
}
