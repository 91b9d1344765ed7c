//! Named parts → the content of a composite.
//!
//! Contract: [`Inside::compose`] builds what [`Inside::check`] accepts, or says which part does not
//! suit. Deliberately absent: speed – messages on the way carry contents, they do not build them.

use super::fault::{Fault, Kind};
use super::inside::{InnerFault, Inside, Part, Shape, Unknown};
use super::length_prefix::write_number;
use super::tlv;

impl Inside {
    /// Appends content made of the given parts (name or tag → value in normal form). Positional
    /// parts and bits are put in their order, tags stay in the order given.
    pub(crate) fn compose(
        &self,
        given: &[(&str, &[u8])],
        out: &mut Vec<u8>,
    ) -> Result<(), InnerFault> {
        match &self.shape {
            Shape::Positional => self.compose_positional(given, out),
            Shape::Bitmapped { hex, bits } => self.compose_bitmapped(given, *hex, *bits, out),
            Shape::Tlv { .. } | Shape::BerTlv => self.compose_tagged(given, out),
        }
    }

    fn refuse_strangers(&self, given: &[(&str, &[u8])]) -> Result<(), InnerFault> {
        match given.iter().find(|(key, _)| self.part_by_key(key).is_none()) {
            Some((key, _)) => Err(faulty(key, Fault::new(0, Kind::Unknown))),
            None => Ok(()),
        }
    }

    fn compose_positional(
        &self,
        given: &[(&str, &[u8])],
        out: &mut Vec<u8>,
    ) -> Result<(), InnerFault> {
        self.refuse_strangers(given)?;
        let mut ended = false;
        for part in &self.parts {
            match value_of(part, given) {
                Some(_) if ended => return Err(faulty(&part.key, Fault::new(0, Kind::Missing))),
                Some(value) => part.write(value, out).map_err(|f| faulty(&part.key, f))?,
                None if part.optional => ended = true,
                None => return Err(faulty(&part.key, Fault::new(0, Kind::Missing))),
            }
        }
        Ok(())
    }

    fn compose_bitmapped(
        &self,
        given: &[(&str, &[u8])],
        hex: bool,
        bits: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), InnerFault> {
        self.refuse_strangers(given)?;
        let mut map = 0_u128;
        for part in self.parts.iter().filter(|p| value_of(p, given).is_some()) {
            map |= 1 << (127 - (part.bit - 1).min(127));
        }
        let bytes = &map.to_be_bytes()[..bits / 8];
        if hex {
            super::coding::hex_encode(super::coding::Encoding::Hex, bytes, out);
        } else {
            out.extend_from_slice(bytes);
        }
        for part in &self.parts {
            if let Some(value) = value_of(part, given) {
                part.write(value, out).map_err(|f| faulty(&part.key, f))?;
            }
        }
        Ok(())
    }

    fn compose_tagged(&self, given: &[(&str, &[u8])], out: &mut Vec<u8>) -> Result<(), InnerFault> {
        for (key, value) in given {
            let part = self.part_by_key(key);
            let known = part.map(|p| p.tag.clone());
            let unknown = || self.tag_from_key(key).filter(|_| self.unknown == Unknown::Keep);
            let Some(tag) = known.or_else(unknown) else {
                return Err(faulty(key, Fault::new(0, Kind::Unknown)));
            };
            let mut content = Vec::new();
            match part {
                Some(part) => part.write(value, &mut content).map_err(|f| faulty(key, f))?,
                None => content.extend_from_slice(value),
            }
            out.extend_from_slice(&tag);
            self.write_length(content.len(), out).map_err(|f| faulty(key, f))?;
            out.extend_from_slice(&content);
        }
        Ok(())
    }

    fn write_length(&self, len: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
        match self.shape {
            Shape::Tlv { length, includes_itself, .. } => {
                let size = usize::from(length.bytes);
                let count = if includes_itself { len + size } else { len };
                let fits = write_number(length.coding, size, count, out);
                fits.ok_or_else(|| Fault::new(0, Kind::PrefixTooSmall { got: len }))
            }
            _ => {
                tlv::write_length(len, out);
                Ok(())
            }
        }
    }
}

fn value_of<'a>(part: &Part, given: &[(&str, &'a [u8])]) -> Option<&'a [u8]> {
    given.iter().find(|(key, _)| *key == part.key || *key == part.field.name).map(|(_, v)| *v)
}

fn faulty(key: &str, fault: Fault) -> InnerFault {
    InnerFault { path: key.to_owned(), fault }
}

impl Part {
    fn write(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        if self.field.constant.as_ref().is_some_and(|c| c != value) {
            return Err(Fault::new(0, Kind::Value));
        }
        self.field.plan.write(value, out)
    }
}
