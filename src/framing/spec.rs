//! What configuration says about a framing, and its check.
//!
//! Contract: `framing = "2-byte-be"` names a preset; `framing = { preset = "4-ascii", max = 2048 }`
//! starts from one; `framing = { length_bytes = 2, coding = "big-endian" }` starts from nothing.
//! Unknown keys are refused. [`FramingSpec::validate`] is the only way to a [`Framing`], and it
//! names the key it refuses. Byte strings are written in hexadecimal.

use super::coding::Coding;
use super::split::find;
use super::{Framing, TPDU_BYTES, presets};
use crate::{hex, limits};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

/// Largest body where configuration does not say: fields carry 2048, 4096 or 8192.
const MAX_DEFAULT: usize = 8_192;
/// Smallest body where configuration does not say: no message is shorter than a packed MTI.
const MIN_DEFAULT: usize = 2;
/// A frame that takes longer than this from its first byte comes from a stuck or hostile peer.
const READ_DEADLINE_MS_DEFAULT: u32 = 10_000;
/// The longest read deadline: beyond ten minutes it protects nothing.
const READ_DEADLINE_MS_MAX: u32 = 600_000;
/// The longest of the byte strings around a body; the longest in the field has 12 bytes.
const AROUND_MAX: usize = 64;

/// A framing as configuration writes it. Every key is optional; what is absent comes from the
/// preset, and after that from the default given here.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct FramingSpec {
    /// Name of the preset to start from ([`presets::NAMES`]).
    pub preset: Option<String>,
    /// Bytes of the length header, 0–8. 0 needs a `terminator`. No default.
    pub length_bytes: Option<u8>,
    /// Coding of the length header. Default big-endian.
    pub coding: Option<Coding>,
    /// Whether the length counts its own bytes. Default false.
    pub counts_itself: Option<bool>,
    /// Whether the length counts `skip_before` and `skip_after`. Default false.
    pub counts_header: Option<bool>,
    /// Added to the count when written, taken off when read. Default 0.
    pub adjust: Option<i16>,
    /// Bytes before the length header, in hex: written so, passed over when read.
    pub skip_before: Option<String>,
    /// Bytes after the length header, in hex: written so, passed over when read.
    pub skip_after: Option<String>,
    /// Five bytes of TPDU before the body, counted; the value is written where the caller
    /// gives none (`60`, destination, source).
    pub tpdu: Option<String>,
    /// Fixed text before the body, counted. Reading, letters must match and a digit stands for
    /// any digit; writing, it is written so.
    pub text_header: Option<String>,
    /// Bytes after the body that the length counts, in hex; must match when read.
    pub trailer: Option<String>,
    /// Bytes after those, which the length does not count, in hex; must match when read.
    pub terminator: Option<String>,
    /// One last byte: XOR of everything after `skip_before` up to and with the terminator.
    pub lrc: Option<bool>,
    /// Whether a frame of length zero is a keep-alive; otherwise it is refused. Default false.
    pub keep_alive: Option<bool>,
    /// Smallest body in bytes (what stands between TPDU or text header and trailer). Default 2.
    pub min: Option<usize>,
    /// Largest body in bytes, at most 9999. Default 8192 or what the header can express.
    pub max: Option<usize>,
    /// Milliseconds from the first byte of a frame to its last. Default 10,000.
    pub read_deadline_ms: Option<u32>,
}

/// Why a framing was refused: the key, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("framing, key `{key}`: {why}")]
pub struct FramingSpecError {
    /// The key of [`FramingSpec`].
    pub key: &'static str,
    /// What is wrong and what would be right.
    pub why: String,
}

fn refuse<T>(key: &'static str, why: impl Into<String>) -> Result<T, FramingSpecError> {
    Err(FramingSpecError { key, why: why.into() })
}

impl<'de> Deserialize<'de> for FramingSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrTable;
        impl<'de> Visitor<'de> for NameOrTable {
            type Value = FramingSpec;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the name of a framing, or a table of its keys")
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<FramingSpec, E> {
                Ok(FramingSpec::named(name))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FramingSpec, A::Error> {
                // The derived reading of a table: inherent, because of `remote`.
                FramingSpec::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_any(NameOrTable)
    }
}

impl FramingSpec {
    /// The framing of that preset, without overrides.
    pub fn named(preset: &str) -> Self {
        Self { preset: Some(preset.to_owned()), ..Self::default() }
    }

    /// Checks every rule and gives the framing.
    ///
    /// # Errors
    /// [`FramingSpecError`] with the first key that is wrong.
    pub fn validate(&self) -> Result<Framing, FramingSpecError> {
        let spec = self.with_preset()?;
        let framing = spec.parts()?;
        framing.check_ends()?;
        let framing = framing.bounded(&spec)?;
        framing.check_lengths()?;
        Ok(framing)
    }

    /// The preset's keys under this one's.
    fn with_preset(&self) -> Result<Self, FramingSpecError> {
        let mut spec = self.clone();
        let Some(name) = spec.preset.take() else { return Ok(spec) };
        let Some(base) = presets::find(&name) else {
            let known = presets::NAMES.join(", ");
            return refuse("preset", format!("no framing `{name}`; known are {known}"));
        };
        Ok(Self {
            preset: None,
            length_bytes: spec.length_bytes.or(base.length_bytes),
            coding: spec.coding.or(base.coding),
            counts_itself: spec.counts_itself.or(base.counts_itself),
            counts_header: spec.counts_header.or(base.counts_header),
            adjust: spec.adjust.or(base.adjust),
            skip_before: spec.skip_before.or(base.skip_before),
            skip_after: spec.skip_after.or(base.skip_after),
            tpdu: spec.tpdu.or(base.tpdu),
            text_header: spec.text_header.or(base.text_header),
            trailer: spec.trailer.or(base.trailer),
            terminator: spec.terminator.or(base.terminator),
            lrc: spec.lrc.or(base.lrc),
            keep_alive: spec.keep_alive.or(base.keep_alive),
            min: spec.min.or(base.min),
            max: spec.max.or(base.max),
            read_deadline_ms: spec.read_deadline_ms.or(base.read_deadline_ms),
        })
    }

    /// Every key read by itself.
    fn parts(&self) -> Result<Framing, FramingSpecError> {
        let Some(length_bytes) = self.length_bytes else {
            return refuse("length_bytes", "missing: give it, or start from a `preset`");
        };
        if length_bytes > 8 {
            return refuse("length_bytes", format!("{length_bytes}, expected 0 to 8"));
        }
        Ok(Framing {
            length_bytes: usize::from(length_bytes),
            coding: self.coding.unwrap_or(Coding::BigEndian),
            counts_itself: self.counts_itself.unwrap_or(false),
            counts_header: self.counts_header.unwrap_or(false),
            adjust: i64::from(self.adjust.unwrap_or(0)),
            skip_before: around("skip_before", self.skip_before.as_deref())?,
            skip_after: around("skip_after", self.skip_after.as_deref())?,
            tpdu: tpdu(self.tpdu.as_deref())?,
            text_header: text_header(self.text_header.as_deref().unwrap_or_default())?,
            trailer: around("trailer", self.trailer.as_deref())?,
            terminator: around("terminator", self.terminator.as_deref())?,
            lrc: self.lrc.unwrap_or(false),
            keep_alive: self.keep_alive.unwrap_or(false),
            min: self.min.unwrap_or(MIN_DEFAULT),
            max: 0,
            read_deadline_ms: read_deadline_ms(self.read_deadline_ms)?,
        })
    }
}

fn around(key: &'static str, value: Option<&str>) -> Result<Box<[u8]>, FramingSpecError> {
    let bytes = hex::parse(value.unwrap_or_default());
    let bytes = bytes.or_else(|error| refuse(key, format!("{error}; write bytes in hex")))?;
    if bytes.len() > AROUND_MAX {
        return refuse(key, format!("{} bytes, expected at most {AROUND_MAX}", bytes.len()));
    }
    Ok(bytes.into())
}

fn tpdu(value: Option<&str>) -> Result<Option<[u8; TPDU_BYTES]>, FramingSpecError> {
    let Some(text) = value else { return Ok(None) };
    match <[u8; TPDU_BYTES]>::try_from(&*around("tpdu", Some(text))?) {
        Ok(tpdu) if tpdu[0] >> 4 == 6 => Ok(Some(tpdu)),
        Ok(_) => refuse("tpdu", "its first byte is 60 to 6F in every network we speak to"),
        Err(_) => refuse("tpdu", "expected 5 bytes (10 hex digits): 60, destination, source"),
    }
}

fn text_header(text: &str) -> Result<Box<[u8]>, FramingSpecError> {
    let printable = text.bytes().all(|b| (0x20..=0x7E).contains(&b));
    if !printable || text.len() > AROUND_MAX {
        return refuse("text_header", format!("expected at most {AROUND_MAX} printable ASCII"));
    }
    Ok(text.as_bytes().into())
}

fn read_deadline_ms(value: Option<u32>) -> Result<u32, FramingSpecError> {
    match value.unwrap_or(READ_DEADLINE_MS_DEFAULT) {
        ms @ 1..=READ_DEADLINE_MS_MAX => Ok(ms),
        ms => refuse("read_deadline_ms", format!("{ms}, expected 1 to {READ_DEADLINE_MS_MAX}")),
    }
}

impl Framing {
    /// A frame must end somewhere, and an empty one must be recognizable.
    fn check_ends(&self) -> Result<(), FramingSpecError> {
        if self.length_bytes == 0 {
            if self.terminator.is_empty() {
                return refuse("length_bytes", "0 without a `terminator`: no frame would end");
            }
            if self.counts_itself || self.counts_header || self.adjust != 0 {
                let why = "0, so `counts_itself`, `counts_header` and `adjust` say nothing";
                return refuse("length_bytes", why);
            }
            let end = [&*self.trailer, &*self.terminator].concat();
            if find(&end, &self.terminator) != Some(self.trailer.len()) {
                return refuse("trailer", "it holds the beginning of the terminator: ends early");
            }
        }
        let bare = self.length_bytes > 0 && self.terminator.is_empty() && !self.lrc;
        if self.keep_alive && !bare {
            return refuse("keep_alive", "needs a length header, no terminator and no `lrc`");
        }
        Ok(())
    }

    /// The largest body: as configured, or the default capped to what the header can express.
    fn bounded(self, spec: &FramingSpec) -> Result<Self, FramingSpecError> {
        let Self { min, length_bytes, .. } = self;
        let room = match length_bytes {
            0 => i64::MAX,
            bytes => i64::try_from(self.coding.most(bytes)).unwrap_or(i64::MAX),
        };
        let room = room.saturating_sub(self.value_extra()).saturating_sub(self.inside());
        let room = usize::try_from(room).unwrap_or(0);
        let max = spec.max.unwrap_or_else(|| MAX_DEFAULT.min(room));
        if max > room {
            return refuse("max", format!("{max}, but the header can express only {room}"));
        }
        if max > limits::FRAME_MAX {
            return refuse("max", format!("{max}, expected at most {}", limits::FRAME_MAX));
        }
        if min == 0 || min > max {
            return refuse("min", format!("{min}, expected 1 to `max` ({max})"));
        }
        Ok(Self { max, ..self })
    }

    /// `adjust` must not make the length of the smallest frame negative.
    fn check_lengths(&self) -> Result<(), FramingSpecError> {
        let least = i64::try_from(self.min).unwrap_or(0).saturating_add(self.inside());
        if self.length_bytes > 0 && least.saturating_add(self.value_extra()) <= 0 {
            let why = "the smallest frame would have a negative length, or none";
            return refuse("adjust", why);
        }
        Ok(())
    }
}
