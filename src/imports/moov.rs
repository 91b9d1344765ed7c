//! moov-io/iso8583 specifications in JSON.
//!
//! Contract: `{"name", "fields": {"0": {"type", "length", "enc", "prefix", "padding", …}}}`, in
//! the words that its builder reads and writes. Facts about it: lengths count characters of the
//! value (bytes where it is bytes), a `BCD` value of odd length is padded on the left and an `LBCD`
//! one on the right, `Hex` lengths are hex digits and `Binary` ones bytes, each `L` one byte of
//! them; a set first bit always announces another bitmap. Deliberately absent: specifications
//! written in Go.

use super::class_name::Content;
use super::draft::{Coding, Counts, Draft, Entry, Left, Length, Piece, Prefix, Side};
use super::json::{self, Json, Pair};
use super::{At, Imported, Remark, Stop, coded, moov_inside, settle, source_text, toml_words};
use crate::iso8583::{Class, Encoding};
use crate::limits::DE_MAX;

/// Turns a specification into a dialect. `file` is what the errors call it.
///
/// # Errors
/// Why there is no dialect in it, with the line or the field.
pub fn moov(file: &str, bytes: &[u8]) -> Result<Imported, Remark> {
    let draft = draft(file, bytes).map_err(|stop| stop.remark(file))?;
    settle::finish(draft)
}

fn draft(file: &str, bytes: &[u8]) -> Result<Draft, Stop> {
    let text = source_text::text_of(bytes)?;
    let spec = json::read(&text)?;
    let stop = |reason: String| Stop::new(At::file(None), reason);
    if spec.object().is_none() {
        return Err(stop(format!("expected an object with \"fields\", got {}", spec.kind())));
    }
    let listed = spec.get("fields").and_then(Json::object).filter(|f| !f.is_empty());
    let listed = listed.ok_or_else(|| stop("has no \"fields\"".to_owned()))?;
    let mut all = Vec::new();
    for Pair { key, line, value } in listed {
        let number = key.parse::<u8>().ok().filter(|n| *n <= DE_MAX && n.to_string() == *key);
        let number = number.ok_or_else(|| {
            let reason = format!("is no data element: expected 0 to {DE_MAX}");
            Stop::new(At::field(*line, key.clone()), reason)
        })?;
        all.push((number, Field::of(value, At::field(*line, key.clone()))?));
    }
    all.sort_by_key(|(number, _)| *number);
    let title = spec.get("name").and_then(Json::text).unwrap_or_default().to_owned();
    let named = |number: u8| all.iter().find(|(n, _)| *n == number).map(|(_, field)| field);
    let mti = named(0).ok_or_else(|| stop("has no field 0, which should be the MTI".to_owned()))?;
    let bitmap = named(1).ok_or_else(|| stop("has no field 1: no bitmap".to_owned()))?;
    let highest = all.last().map_or(0, |(number, _)| *number);
    let name = toml_words::file_name(file);
    let mut draft = Draft {
        file: file.to_owned(),
        origin: "moov specification",
        title: if title.is_empty() { format!("Imported from {name}") } else { title },
        mti: mti_of(mti)?,
        bitmap: bitmap_of(bitmap)?,
        bitmaps: bitmaps(bitmap, highest)?,
        third_at_65: false,
        header: 0,
        fields: Vec::new(),
        notes: Vec::new(),
    };
    for (number, field) in all.iter().filter(|(number, _)| *number > 1) {
        data_element(&mut draft, *number, field)?;
    }
    if draft.fields.iter().any(|e| e.what.as_ref().is_ok_and(uses_ebcdic)) {
        let note = "its EBCDIC is read as code page 037, which differs in ! [ ] ^ and |; \
                    `text = \"cp1047\"` in [encoding] is the other usual one";
        draft.notes.push((At::file(None), note.to_owned()));
    }
    Ok(draft)
}

fn uses_ebcdic(piece: &Piece) -> bool {
    piece.encoding == Encoding::Cp037
        || piece.inside.iter().flat_map(|s| &s.parts).any(|part| uses_ebcdic(&part.piece))
}

/// One field of a specification.
pub(super) struct Field<'a> {
    pub(super) at: At,
    pub(super) kind: &'a str,
    pub(super) length: usize,
    pub(super) name: &'a str,
    pub(super) enc: &'a str,
    pub(super) prefix: &'a str,
    /// Side and character.
    pub(super) padding: Option<(&'a str, &'a str)>,
    pub(super) json: &'a Json,
}

/// The keys of a field; others are told.
const KEYS: [&str; 11] = [
    "type",
    "length",
    "description",
    "enc",
    "prefix",
    "padding",
    "tag",
    "subfields",
    "bitmap",
    "disableautoexpand",
    "disableAutoExpand",
];

impl<'a> Field<'a> {
    pub(super) fn of(json: &'a Json, at: At) -> Result<Self, Stop> {
        if json.object().is_none() {
            return Err(Stop::new(at, format!("expected an object, got {}", json.kind())));
        }
        let text = |key: &str| match json.get(key) {
            None | Some(Json::Null) => Ok(""),
            Some(Json::Text(text)) => Ok(text.as_str()),
            Some(other) => {
                let reason = format!("{key}: expected text, got {}", other.kind());
                Err(Stop::new(at.clone(), reason))
            }
        };
        let length = match json.get("length") {
            None | Some(Json::Null) => 0,
            Some(Json::Number(n)) if (0..=1_000_000).contains(n) => *n as usize,
            Some(other) => {
                let reason = format!("length: expected 0 to 1000000, got {}", other.kind());
                return Err(Stop::new(at, reason));
            }
        };
        let padding = json.get("padding").map(|padding| {
            let of = |key: &str| padding.get(key).and_then(Json::text).unwrap_or_default();
            (of("type"), of("pad"))
        });
        let kind = text("type")?;
        if kind.is_empty() {
            return Err(Stop::new(at, "has no type"));
        }
        let (name, enc, prefix) = (text("description")?, text("enc")?, text("prefix")?);
        Ok(Self { at, kind, length, name, enc, prefix, padding, json })
    }

    /// Remarks about keys that nobody reads.
    pub(super) fn strange_keys(&self) -> Vec<String> {
        let keys = self.json.object().unwrap_or_default().iter().map(|pair| pair.key.as_str());
        let strange = keys.filter(|key| !KEYS.contains(key));
        strange.map(|key| format!("{key:?} is not known and not imported")).collect()
    }

    /// The field as it stands on the wire, without an inner structure.
    pub(super) fn piece(&self) -> Result<coded::Noted, String> {
        if self.length == 0 {
            return Err("has no length".to_owned());
        }
        let prefix = prefix(self.prefix)?;
        let (content, side) = content(self, prefix)?;
        let (mut piece, mut notes) = coded::piece(&content, self.length)?;
        piece.side = side;
        notes.extend(pad(&mut piece, self));
        notes.extend(self.strange_keys());
        Ok((piece, notes))
    }
}

/// `ASCII.LL`, `Binary.Fixed`: the coding and its bytes, `None` for fixed.
pub(super) fn prefix(word: &str) -> Result<Option<Prefix>, String> {
    let unknown = || format!("has the prefix \"{word}\", which is not known");
    let (coding, size) = word.split_once('.').ok_or_else(unknown)?;
    let bytes = match size {
        "Fixed" => return Ok(None),
        _ if !size.is_empty() && size.bytes().all(|c| c == b'L') => size.len(),
        _ => return Err(unknown()),
    };
    let (coding, bytes) = match coding {
        "ASCII" => (Coding::Ascii, bytes),
        "EBCDIC" | "EBCDIC1047" => (Coding::Ebcdic, bytes),
        "BCD" => (Coding::Bcd, bytes.div_ceil(2)),
        "Binary" => (Coding::Binary, bytes),
        "Hex" => (Coding::Hex, 2 * bytes),
        _ => return Err(unknown()),
    };
    match u8::try_from(bytes).ok().filter(|bytes| *bytes <= 6) {
        Some(bytes) => Ok(Some(Prefix { coding, bytes })),
        None => Err(format!("has the prefix \"{word}\", longer than six bytes")),
    }
}

/// What the type and the encoding put on the wire, and which side of an odd packed value is
/// padded.
fn content(field: &Field<'_>, prefix: Option<Prefix>) -> Result<(Content, Side), String> {
    let track = matches!(field.kind, "Track2" | "Track3");
    let class = match field.kind {
        "Numeric" => Class::N,
        "Track2" | "Track3" => Class::Z,
        "String" | "Track1" => Class::Ans,
        "Binary" | "Hex" => Class::B,
        "Composite" | "Bitmap" => Class::Ans,
        other => return Err(format!("has the type \"{other}\", which is not known")),
    };
    let packed = if track { Class::Z } else { Class::N };
    let (class, encoding, side) = match field.enc {
        // Bytes are only encoded as they are: what ASCII does with ASCII.
        "ASCII" if class == Class::B => (class, Encoding::Raw, Side::Left),
        "ASCII" => (class, Encoding::Ascii, Side::Left),
        "EBCDIC" | "EBCDIC037" if class != Class::B => (class, Encoding::Cp037, Side::Left),
        "EBCDIC1047" if class != Class::B => (class, Encoding::Cp1047, Side::Left),
        "BCD" if class != Class::B => (packed, Encoding::Bcd, Side::Left),
        "LBCD" if class != Class::B => (packed, Encoding::Bcd, Side::Right),
        "Track2BCD" | "PackedBCDHex" => (Class::Z, Encoding::Bcd, Side::Left),
        // A number is written as its digits, whatever the bytes are called.
        "Binary" if class == Class::N => (class, Encoding::Ascii, Side::Left),
        "Binary" | "ASCIIToHex" | "ASCIIHexToBytes" => (Class::B, Encoding::Raw, Side::Left),
        "HexToASCII" | "BytesToASCIIHex" | "Hex" => (Class::B, Encoding::Hex, Side::Left),
        other => return Err(format!("is {} with the encoding \"{other}\"", field.kind)),
    };
    let counts = match encoding {
        Encoding::Bcd | Encoding::Hex => Counts::Digits,
        _ => Counts::Bytes,
    };
    let hex_given = field.enc.starts_with("ASCIITo") || field.enc.starts_with("ASCIIHex");
    let note = (hex_given && prefix.is_some())
        .then_some("has a length that is read as counting bytes, not hex digits");
    Ok((Content { prefix, class, encoding, counts, nibble: 0, note }, side))
}

/// What `padding` changes, and what must be said about it.
fn pad(piece: &mut Piece, field: &Field<'_>) -> Option<String> {
    let (side, character) = field.padding.filter(|(side, _)| !["None", ""].contains(side))?;
    let mut one = character.chars();
    let (Some(fill), None) = (one.next(), one.next()) else {
        return Some(format!("has the padding {character:?}, expected one character"));
    };
    let told = format!("is filled up on the {} with {fill:?}", side.to_lowercase());
    if piece.length != Length::Fixed {
        return Some(format!("{told} though its length varies; here it is sent as it is"));
    }
    match (piece.class, side) {
        (Class::N, "Left") if fill == '0' => None,
        (Class::Ans, "Left") if fill == '0' && piece.encoding != Encoding::Bcd => {
            piece.class = Class::N;
            Some(format!("{told}, {}", settle::AS_DIGITS))
        }
        (Class::Ans, "Right") if fill.is_ascii() && !fill.is_ascii_control() => {
            piece.fill = fill;
            None
        }
        (Class::Ans, _) => Some(format!("{told}; here text is filled up on the right")),
        _ => Some(format!("{told}; here a value must have its full length")),
    }
}

fn mti_of(field: &Field<'_>) -> Result<Encoding, Stop> {
    let (encoding, length) = match field.enc {
        "ASCII" => (Encoding::Ascii, 4),
        "EBCDIC" | "EBCDIC037" => (Encoding::Cp037, 4),
        "EBCDIC1047" => (Encoding::Cp1047, 4),
        "BCD" | "LBCD" => (Encoding::Bcd, 4),
        "Binary" | "ASCIIToHex" | "ASCIIHexToBytes" => (Encoding::Bcd, 2),
        _ => (Encoding::Raw, 0),
    };
    if length == field.length && prefix(field.prefix).is_ok_and(|p| p.is_none()) {
        return Ok(encoding);
    }
    let Field { enc, length, prefix, .. } = field;
    let reason =
        format!("is the MTI, and {enc} with prefix {prefix} of {length} are no four digits");
    Err(Stop::new(field.at.clone(), reason))
}

fn bitmap_of(field: &Field<'_>) -> Result<Encoding, Stop> {
    match field.enc {
        "Binary" => Ok(Encoding::Raw),
        "HexToASCII" | "BytesToASCIIHex" | "Hex" => Ok(Encoding::Hex),
        enc => {
            let reason = format!("is the bitmap, and the encoding \"{enc}\" is not known for it");
            Err(Stop::new(field.at.clone(), reason))
        }
    }
}

fn bitmaps(field: &Field<'_>, highest: u8) -> Result<u8, Stop> {
    let auto = ["disableautoexpand", "disableAutoExpand"].map(|key| field.json.get(key));
    if auto.contains(&Some(&Json::Bool(true))) {
        // Then the length says how long the bitmap always is.
        return match (field.length, highest) {
            (0 | 8, 0..=64) => Ok(1),
            (length, _) => {
                let reason = format!(
                    "is one bitmap of {length} bytes without expansion, and the fields end at \
                     {highest}: only 8 bytes and 64 fields can be expressed"
                );
                Err(Stop::new(field.at.clone(), reason))
            }
        };
    }
    Ok(if highest > 128 { 3 } else { 2 })
}

fn data_element(draft: &mut Draft, number: u8, field: &Field<'_>) -> Result<(), Stop> {
    if number == 65 && (draft.bitmaps == 3 || field.kind == "Bitmap") {
        let note = "is a bitmap of its own, which the bitmap's own first bits announce already";
        draft.notes.push((field.at.clone(), note.to_owned()));
        return Ok(());
    }
    let mut notes = Vec::new();
    let done = if field.json.get("subfields").is_some() || field.kind == "Composite" {
        moov_inside::composite(field)?
    } else {
        field.piece()
    };
    let what = match done {
        Ok((piece, said)) => {
            notes = said;
            Ok(piece)
        }
        Err(reason) => Err(Left::Cannot(reason)),
    };
    let (at, name) = (field.at.clone(), field.name.to_owned());
    draft.fields.push(Entry { at, number, name, what, notes });
    Ok(())
}
