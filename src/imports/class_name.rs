//! jPOS field classes, read by the scheme of their names.
//!
//! Contract: a name is `IF`, the codings of length and content (`A`, `B`, `E`, two letters where
//! they differ), an underscore, and what stands on the wire: one `T` per character of a tag, one
//! `L` per digit of a length, `H` for a binary length, a letter for another content coding, the
//! kind. [`parse`] takes the name apart; what does not follow the scheme is an error in words.
//! Facts about jPOS: a `B` length counts digits of packed values; odd packed values are padded
//! on the right, or on the left with `pad="true"`; fixed `A` and `E` bytes are hex, variable ones
//! are as they are; its EBCDIC is code page 1047. Deliberately absent: lengths.

use super::draft::{Coding, Counts, Prefix};
use crate::iso8583::{Class, Encoding};

/// What a class puts on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    /// A length, perhaps, and content.
    Field(Content),
    /// A tag of so many characters, a length, content.
    Tagged {
        tag_bytes: u8,
        ebcdic_tag: bool,
        content: Content,
    },
    /// A length, then content filled up to the longest.
    Filled(Content),
    Bitmap(Encoding),
    Nothing,
}

/// Length and content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) prefix: Option<Prefix>,
    pub(super) class: Class,
    pub(super) encoding: Encoding,
    pub(super) counts: Counts,
    /// The nibble that pads an odd packed value on the right.
    pub(super) nibble: u8,
    /// Said about every field of the class.
    pub(super) note: Option<&'static str>,
}

/// The codings of one family: of lengths, text, digits, and fixed bytes.
struct Family {
    length: Coding,
    text: Encoding,
    digits: Encoding,
    fixed_bytes: Encoding,
}

/// `org.jpos.iso.IFA_LLNUM` to `IFA_LLNUM`.
pub(super) fn simple(class: &str) -> &str {
    class.rsplit('.').next().unwrap_or(class)
}

/// Takes a class name apart; the error says what is not understood.
pub(super) fn parse(class: &str) -> Result<Wire, String> {
    let name = simple(class);
    let parts = name.strip_prefix("IF").and_then(|rest| rest.split_once('_'));
    let Some((family, body)) = parts else { return Err("is none of jPOS's field classes".into()) };
    match (family, body) {
        ("", "CHAR") => return Ok(fixed_text(Encoding::Ascii)),
        ("", "ECHAR") => return Ok(fixed_text(Encoding::Cp1047)),
        ("", "NOP" | "UNUSED") => return Ok(Wire::Nothing),
        ("", _) => return Err("ends at a token or at the end of the message".into()),
        ("MC", "LLCHAR" | "LLLCHAR") => return Ok(tagged(2, false, &family_of("A")?, body)),
        ("EMC", "LLCHAR" | "LLLCHAR") => return Ok(tagged(2, false, &family_of("E")?, body)),
        ("EPE", "LLCHAR" | "LLLCHAR") => return Ok(tagged(2, true, &family_of("E")?, body)),
        ("IPM", "LLLCHAR") => return Ok(tagged(4, false, &family_of("A")?, body)),
        ("EP" | "ELPE", _) => return Err("has its length before its tag".into()),
        ("EB", "LLNUM" | "LLLNUM") => return Ok(Wire::Field(ebcdic_length_packed(body))),
        _ => {}
    }
    body_of(family, &family_of(family)?, body)
}

fn family_of(letters: &str) -> Result<Family, String> {
    let (ascii, ebcdic) = (Encoding::Ascii, Encoding::Cp1047);
    let (length, text, digits, fixed_bytes) = match letters {
        "A" => (Coding::Ascii, ascii, ascii, Encoding::Hex),
        "B" => (Coding::Bcd, ascii, Encoding::Bcd, Encoding::Raw),
        "E" => (Coding::Ebcdic, ebcdic, ebcdic, Encoding::EbcdicHex),
        "AE" => (Coding::Ascii, ebcdic, ebcdic, Encoding::EbcdicHex),
        "EA" => (Coding::Ebcdic, ascii, ascii, Encoding::Hex),
        _ => return Err(format!("`IF{letters}_` is no family of classes that is known here")),
    };
    Ok(Family { length, text, digits, fixed_bytes })
}

fn fixed_text(encoding: Encoding) -> Wire {
    Wire::Field(content(None, Class::Ans, encoding))
}

fn content(prefix: Option<Prefix>, class: Class, encoding: Encoding) -> Content {
    let counts = if encoding == Encoding::Bcd { Counts::Digits } else { Counts::Bytes };
    Content { prefix, class, encoding, counts, nibble: 0, note: None }
}

/// An EBCDIC length that counts bytes, before packed digits padded with F.
fn ebcdic_length_packed(body: &str) -> Content {
    let bytes = body.bytes().take_while(|c| *c == b'L').count() as u8;
    let prefix = Some(Prefix { coding: Coding::Ebcdic, bytes });
    let packed = content(prefix, Class::N, Encoding::Bcd);
    Content { counts: Counts::Bytes, nibble: 0xF, ..packed }
}

fn tagged(tag_bytes: u8, ebcdic_tag: bool, family: &Family, body: &str) -> Wire {
    let bytes = body.bytes().take_while(|c| *c == b'L').count() as u8;
    let prefix = Some(Prefix { coding: family.length, bytes });
    Wire::Tagged { tag_bytes, ebcdic_tag, content: content(prefix, Class::Ans, family.text) }
}

/// What stands behind the underscore, in its order.
#[derive(Default)]
struct Body<'a> {
    tag: u8,
    lengths: u8,
    binary_length: bool,
    /// `F` in front: filled up, or padded with F.
    filled: bool,
    other: Option<char>,
    kind: &'a str,
}

const KINDS: [&str; 8] =
    ["NUMERIC", "NUM", "CHAR", "BINARY", "BITMAP", "AMOUNT", "AMOUNT2003", "HEX"];

fn take_body(text: &str) -> Option<Body<'_>> {
    let mut body = Body::default();
    let after = text.trim_start_matches('T');
    // No kind begins with T or L, so a run of them is tag and length.
    body.tag = u8::try_from(text.len() - after.len()).ok()?;
    let rest = match after.strip_prefix('F') {
        Some(rest) if rest.starts_with(['L', 'N']) => {
            body.filled = true;
            rest
        }
        _ => after,
    };
    let kind = rest.trim_start_matches('L');
    body.lengths = u8::try_from(rest.len() - kind.len()).ok()?;
    for binary in [false, true] {
        let Some(rest) = (if binary { kind.strip_prefix('H') } else { Some(kind) }) else {
            continue;
        };
        body.binary_length = binary;
        if KINDS.contains(&rest) {
            return Some(Body { kind: rest, ..body });
        }
        let mut letters = rest.chars();
        let other = letters.next();
        if KINDS.contains(&letters.as_str()) && other.is_some_and(|c| "ABEF".contains(c)) {
            return Some(Body { other, kind: letters.as_str(), ..body });
        }
    }
    None
}

fn body_of(letters: &str, family: &Family, text: &str) -> Result<Wire, String> {
    if text == "SIGNED_NUMERIC" && letters == "E" {
        let signed = content(None, Class::Ans, family.text);
        let note = Some("the last character carries the sign; here it is read as text");
        return Ok(Wire::Field(Content { note, ..signed }));
    }
    let unknown = || format!("`{text}` does not follow the scheme of jPOS's classes");
    let body = take_body(text).ok_or_else(unknown)?;
    let prefix = prefix_of(family, &body).map_err(|()| unknown())?;
    if body.kind == "BITMAP" {
        return Ok(Wire::Bitmap(family.fixed_bytes));
    }
    let content = content_of(family, &body, prefix).ok_or_else(unknown)?;
    let filled = body.other == Some('F') || (body.filled && content.nibble == 0);
    match (body.tag, prefix) {
        (0, Some(_)) if filled => Ok(Wire::Filled(content)),
        (0, _) => Ok(Wire::Field(content)),
        (tag_bytes, Some(_)) if letters == "A" => {
            Ok(Wire::Tagged { tag_bytes, ebcdic_tag: false, content })
        }
        _ => Err(unknown()),
    }
}

fn prefix_of(family: &Family, body: &Body<'_>) -> Result<Option<Prefix>, ()> {
    let (coding, bytes) = match (body.lengths, body.binary_length) {
        (0, false) => return Ok(None),
        (0, true) | (7.., _) => return Err(()),
        (lengths, true) => (Coding::Binary, lengths.saturating_sub(1).max(1)),
        (lengths, false) if family.length == Coding::Bcd => (Coding::Bcd, lengths.div_ceil(2)),
        (lengths, false) => (family.length, lengths),
    };
    Ok(Some(Prefix { coding, bytes }))
}

fn content_of(family: &Family, body: &Body<'_>, prefix: Option<Prefix>) -> Option<Content> {
    let text = match body.other {
        None => family.text,
        Some('E') => Encoding::Cp1047,
        Some('A') => Encoding::Ascii,
        _ => Encoding::Bcd,
    };
    let packed = family.digits == Encoding::Bcd;
    let nibble = if body.filled && packed { 0xF } else { 0 };
    let plain = match (body.kind, body.other) {
        ("NUMERIC" | "NUM" | "AMOUNT2003", None) => {
            Content { nibble, ..content(prefix, Class::N, family.digits) }
        }
        ("NUM", Some('B')) => Content {
            counts: Counts::Nibbles,
            note: Some(
                "jPOS rounds the length of an odd value up to the next even number; here it is \
                 sent as it is",
            ),
            ..content(prefix, Class::N, Encoding::Bcd)
        },
        ("CHAR", None | Some('E' | 'A')) => content(prefix, Class::Ans, text),
        ("AMOUNT", None) => content(prefix, Class::Xn, family.digits),
        ("BINARY", None) if prefix.is_none() => content(None, Class::B, family.fixed_bytes),
        ("BINARY", None) => content(prefix, Class::B, Encoding::Raw),
        // The length counts the bytes of the value, not the characters on the wire.
        ("BINARY", Some('A')) => {
            Content { counts: Counts::Digits, ..content(prefix, Class::B, Encoding::Hex) }
        }
        ("BINARY", Some('E')) => content(prefix, Class::Ans, Encoding::Cp1047),
        ("BINARY", Some('F')) => content(prefix, Class::B, Encoding::Raw),
        ("HEX", None) if prefix.is_none() && packed => {
            Content { nibble: 0xF, ..content(None, Class::Z, Encoding::Bcd) }
        }
        ("HEX", None) if packed => {
            Content { counts: Counts::Nibbles, ..content(prefix, Class::B, Encoding::Raw) }
        }
        _ => return None,
    };
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a name means, in a line.
    fn said(name: &str) -> String {
        match parse(name) {
            Err(reason) => format!("error: {reason}"),
            Ok(Wire::Nothing) => "nothing".into(),
            Ok(Wire::Bitmap(encoding)) => format!("bitmap {}", encoding.as_str()),
            Ok(Wire::Field(c)) => shown(&c),
            Ok(Wire::Filled(c)) => format!("filled {}", shown(&c)),
            Ok(Wire::Tagged { tag_bytes, ebcdic_tag, content }) => {
                let coding = if ebcdic_tag { "ebcdic" } else { "ascii" };
                format!("tag {coding} {tag_bytes} {}", shown(&content))
            }
        }
    }

    fn shown(c: &Content) -> String {
        let prefix = match c.prefix {
            Some(p) => format!("{} {} counts {:?}, ", p.coding.word(), p.bytes, c.counts),
            None => String::new(),
        };
        let pad = if c.nibble == 0 { "" } else { " F" };
        format!("{prefix}{} {}{pad}", c.class.as_str(), c.encoding.as_str())
    }

    #[test]
    fn names_of_the_ascii_and_ebcdic_families() {
        assert_eq!(said("org.jpos.iso.IFA_NUMERIC"), "n ascii");
        assert_eq!(said("IF_CHAR"), "ans ascii");
        assert_eq!(said("IFA_LLNUM"), "ascii 2 counts Bytes, n ascii");
        assert_eq!(said("IFA_LLLLLLCHAR"), "ascii 6 counts Bytes, ans ascii");
        assert_eq!(said("IFA_BINARY"), "b hex");
        assert_eq!(said("IFA_LLLBINARY"), "ascii 3 counts Bytes, b binary");
        assert_eq!(said("IFA_LLABINARY"), "ascii 2 counts Digits, b hex");
        assert_eq!(said("IFA_LLBNUM"), "ascii 2 counts Nibbles, n bcd");
        assert_eq!(said("IFA_AMOUNT"), "x+n ascii");
        assert_eq!(said("IFA_AMOUNT2003"), "n ascii");
        assert_eq!(said("IFA_FLLCHAR"), "filled ascii 2 counts Bytes, ans ascii");
        assert_eq!(said("IFE_NUMERIC"), "n cp1047");
        assert_eq!(said("IFE_LLLCHAR"), "ebcdic 3 counts Bytes, ans cp1047");
        assert_eq!(said("IFE_BINARY"), "b ebcdic-hex");
        assert_eq!(said("IFE_LLBINARY"), "ebcdic 2 counts Bytes, b binary");
        assert_eq!(said("IFE_LLLEBINARY"), "ebcdic 3 counts Bytes, ans cp1047");
        assert_eq!(said("IFEA_LLCHAR"), "ebcdic 2 counts Bytes, ans ascii");
        assert_eq!(said("IFAE_LLCHAR"), "ascii 2 counts Bytes, ans cp1047");
        assert_eq!(said("IFEB_LLNUM"), "ebcdic 2 counts Bytes, n bcd F");
    }

    #[test]
    fn names_of_the_binary_family() {
        assert_eq!(said("IFB_NUMERIC"), "n bcd");
        assert_eq!(said("IFB_FNUMERIC"), "n bcd F");
        assert_eq!(said("IFB_LLNUM"), "bcd 1 counts Digits, n bcd");
        assert_eq!(said("IFB_LLLNUM"), "bcd 2 counts Digits, n bcd");
        assert_eq!(said("IFB_FLLNUM"), "bcd 1 counts Digits, n bcd F");
        assert_eq!(said("IFB_LLHNUM"), "binary 1 counts Digits, n bcd");
        assert_eq!(said("IFB_LLLHBINARY"), "binary 2 counts Bytes, b binary");
        assert_eq!(said("IFB_LLHECHAR"), "binary 1 counts Bytes, ans cp1047");
        assert_eq!(said("IFB_LLLLCHAR"), "bcd 2 counts Bytes, ans ascii");
        assert_eq!(said("IFB_LLHFBINARY"), "filled binary 1 counts Bytes, b binary");
        assert_eq!(said("IFB_LLHEX"), "bcd 1 counts Nibbles, b binary");
        assert_eq!(said("IFB_HEX"), "z bcd F");
        assert_eq!(said("IFB_AMOUNT"), "x+n bcd");
    }

    #[test]
    fn bitmaps_tags_and_what_is_none_of_it() {
        assert_eq!(said("IFA_BITMAP"), "bitmap hex");
        assert_eq!(said("IFB_BITMAP"), "bitmap binary");
        assert_eq!(said("IFE_BITMAP"), "bitmap ebcdic-hex");
        assert_eq!(said("IFA_TTLLBINARY"), "tag ascii 2 ascii 2 counts Bytes, b binary");
        assert_eq!(said("IFA_TTTLLLCHAR"), "tag ascii 3 ascii 3 counts Bytes, ans ascii");
        assert_eq!(said("IFEPE_LLCHAR"), "tag ebcdic 2 ebcdic 2 counts Bytes, ans cp1047");
        assert_eq!(said("IFMC_LLCHAR"), "tag ascii 2 ascii 2 counts Bytes, ans ascii");
        assert_eq!(said("IFIPM_LLLCHAR"), "tag ascii 4 ascii 3 counts Bytes, ans ascii");
        assert_eq!(said("IF_NOP"), "nothing");
        for name in ["IFEP_LLCHAR", "IF_TBASE", "com.acme.Odd", "IFA_LLDATE", "IFQ_CHAR", "IFB_H"] {
            assert!(said(name).starts_with("error: "), "{name}: {}", said(name));
        }
    }
}
