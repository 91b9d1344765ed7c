//! How characters and bytes stand on the wire: ASCII, EBCDIC, packed decimal, hex, raw.
//!
//! Contract: turns wire bytes into the normal form (ASCII text, or raw bytes for `b`) and back,
//! without loss: whatever would read back differently is refused. Packed digits are spread four
//! bytes at a time. Deliberately absent: lengths and padding ([`super::plan`]).

/// Content coding of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// One ASCII byte per character.
    Ascii,
    /// One EBCDIC byte per character, code page 037.
    Cp037,
    /// One EBCDIC byte per character, code page 1047.
    Cp1047,
    /// Two digits per byte.
    Bcd,
    /// Bytes as they are.
    Raw,
    /// Two ASCII hex digits per byte, `A`–`F`.
    Hex,
    /// Two ASCII hex digits per byte, `a`–`f`.
    HexLower,
    /// Two EBCDIC hex digits per byte.
    EbcdicHex,
}

impl Encoding {
    /// How dialect files spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ascii => "ascii",
            Self::Cp037 => "cp037",
            Self::Cp1047 => "cp1047",
            Self::Bcd => "bcd",
            Self::Raw => "binary",
            Self::Hex => "hex",
            Self::HexLower => "hex-lower",
            Self::EbcdicHex => "ebcdic-hex",
        }
    }
}

/// EBCDIC code page 037 for the printable ASCII characters 0x20–0x7E, in that order.
const CP037: [u8; 95] = [
    0x40, 0x5A, 0x7F, 0x7B, 0x5B, 0x6C, 0x50, 0x7D, 0x4D, 0x5D, 0x5C, 0x4E, //
    0x6B, 0x60, 0x4B, 0x61, 0xF0, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, //
    0xF8, 0xF9, 0x7A, 0x5E, 0x4C, 0x7E, 0x6E, 0x6F, 0x7C, 0xC1, 0xC2, 0xC3, //
    0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xD1, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, //
    0xD7, 0xD8, 0xD9, 0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xBA, //
    0xE0, 0xBB, 0xB0, 0x6D, 0x79, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, //
    0x88, 0x89, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0xA2, //
    0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9, 0xC0, 0x4F, 0xD0, 0xA1,
];

/// What has no counterpart on the other side.
const NOTHING: u8 = 0xFF;

/// One code page both ways; [`NOTHING`] where there is no counterpart.
pub(crate) struct Page {
    to_ascii: [u8; 256],
    from_ascii: [u8; 256],
}

const fn page(replaced: &[(u8, u8)]) -> Page {
    let mut page = Page { to_ascii: [NOTHING; 256], from_ascii: [NOTHING; 256] };
    let mut i = 0;
    while i < CP037.len() {
        let ascii = i as u8 + 0x20;
        let mut wire = CP037[i];
        let mut k = 0;
        while k < replaced.len() {
            if replaced[k].0 == ascii {
                wire = replaced[k].1;
            }
            k += 1;
        }
        page.to_ascii[wire as usize] = ascii;
        page.from_ascii[ascii as usize] = wire;
        i += 1;
    }
    page
}

static PAGE_037: Page = page(&[]);
/// Code page 1047 differs in the square brackets and the circumflex.
static PAGE_1047: Page = page(&[(b'[', 0xAD), (b']', 0xBD), (b'^', 0x5F)]);

impl Page {
    /// The code page of an encoding, if it has one.
    pub(crate) fn of(encoding: Encoding) -> Option<&'static Self> {
        match encoding {
            Encoding::Cp037 | Encoding::EbcdicHex => Some(&PAGE_037),
            Encoding::Cp1047 => Some(&PAGE_1047),
            _ => None,
        }
    }

    /// Wire bytes to ASCII; the index of the first byte that has no counterpart.
    pub(crate) fn decode(&self, wire: &[u8], out: &mut [u8]) -> Result<(), usize> {
        let mut good = true;
        for (to, from) in out.iter_mut().zip(wire) {
            *to = self.to_ascii[usize::from(*from)];
            good &= *to != NOTHING;
        }
        if good { Ok(()) } else { Err(self.stranger(wire)) }
    }

    #[cold]
    fn stranger(&self, wire: &[u8]) -> usize {
        wire.iter().position(|b| self.to_ascii[usize::from(*b)] == NOTHING).unwrap_or(0)
    }

    /// ASCII to wire bytes, appended; the index of the first character without counterpart.
    pub(crate) fn encode(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), usize> {
        let start = out.len();
        out.extend(value.iter().map(|c| self.from_ascii[usize::from(*c)]));
        match out[start..].iter().position(|b| *b == NOTHING) {
            None => Ok(()),
            Some(at) => Err(at),
        }
    }
}

/// How much room [`spread`] writes for this many packed bytes: whole groups of eight.
#[inline]
pub(crate) fn spread_room(packed: usize) -> usize {
    packed.div_ceil(4) * 8
}

/// Spreads packed nibbles into characters `0`–`9`, `A`–`F`. `out` holds
/// [`spread_room`] bytes; only the first `2 × packed.len()` mean something.
#[inline]
pub(crate) fn spread(packed: &[u8], out: &mut [u8]) {
    let (fours, tail) = packed.as_chunks::<4>();
    let (eights, _) = out.as_chunks_mut::<8>();
    for (four, eight) in fours.iter().zip(eights.iter_mut()) {
        *eight = spread_four(*four);
    }
    if !tail.is_empty()
        && let Some(eight) = eights.get_mut(fours.len())
    {
        let mut four = [0; 4];
        for (to, from) in four.iter_mut().zip(tail) {
            *to = *from;
        }
        *eight = spread_four(four);
    }
}

/// The same, and whether every nibble is a decimal digit.
#[inline]
pub(crate) fn spread_checked(packed: &[u8], out: &mut [u8]) -> bool {
    let (fours, tail) = packed.as_chunks::<4>();
    let (eights, _) = out.as_chunks_mut::<8>();
    let mut seen = 0;
    let mut eights = eights.iter_mut();
    for (four, eight) in fours.iter().zip(&mut eights) {
        seen |= above_nine(u32::from_be_bytes(*four));
        *eight = spread_four(*four);
    }
    if let Some(eight) = eights.next() {
        // At most three bytes are left: they go in from the top.
        let word = tail.iter().fold(0, |w: u32, b| w << 8 | u32::from(*b));
        let word = word << ((8 * (4 - tail.len() as u32)) & 31);
        seen |= above_nine(word);
        *eight = spread_four(word.to_be_bytes());
    }
    seen == 0
}

/// The top bit of every nibble above 9.
#[inline]
fn above_nine(word: u32) -> u32 {
    word & 0x8888_8888 & ((word & 0x4444_4444) << 1 | (word & 0x2222_2222) << 2)
}

/// Whether every nibble is a decimal digit.
#[inline]
pub(crate) fn all_decimal(packed: &[u8]) -> bool {
    let (fours, tail) = packed.as_chunks::<4>();
    let whole = fours.iter().fold(0, |seen, b| seen | above_nine(u32::from_be_bytes(*b)));
    let rest = tail.iter().fold(0, |word: u32, b| word << 8 | u32::from(*b));
    whole | above_nine(rest) == 0
}

#[inline]
fn spread_four(four: [u8; 4]) -> [u8; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut x = u64::from(u32::from_be_bytes(four));
    x = (x | x << 16) & 0x0000_FFFF_0000_FFFF;
    x = (x | x << 8) & 0x00FF_00FF_00FF_00FF;
    x = (x | x << 4) & (0x0F * ONES);
    // A nibble above 9 becomes a letter, seven places further on.
    let letters = (x.wrapping_add(6 * ONES) >> 4) & ONES;
    x.wrapping_add(0x30 * ONES).wrapping_add(letters.wrapping_mul(7)).to_be_bytes()
}

/// The nibble a character packs into: `0`–`9` and `:`–`?` by their low half (so `=` is D),
/// `A`–`F` as hex.
#[inline]
pub(crate) fn nibble(c: u8) -> u8 {
    (c & 15) + 9 * ((c >> 6) & 1)
}

/// Packs an even number of characters two to a byte.
#[inline]
pub(crate) fn squeeze(chars: &[u8], out: &mut Vec<u8>) {
    let (eights, tail) = chars.as_chunks::<8>();
    for eight in eights {
        out.extend_from_slice(&squeeze_eight(*eight));
    }
    let (pairs, _) = tail.as_chunks::<2>();
    out.extend(pairs.iter().map(|p| nibble(p[0]) << 4 | nibble(p[1])));
}

/// Packs eight characters.
#[inline]
pub(crate) fn squeeze_eight(chars: [u8; 8]) -> [u8; 4] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let x = u64::from_be_bytes(chars);
    // A letter's low half counts from 1, so 9 more.
    let letters = (x >> 6) & ONES;
    let mut n = (x & (0x0F * ONES)).wrapping_add(letters.wrapping_mul(9)) & (0x0F * ONES);
    n = (n | n >> 4) & 0x00FF_00FF_00FF_00FF;
    n = (n | n >> 8) & 0x0000_FFFF_0000_FFFF;
    n |= n >> 16;
    (n as u32).to_be_bytes()
}

const UPPER: &[u8; 16] = b"0123456789ABCDEF";
const LOWER: &[u8; 16] = b"0123456789abcdef";

/// One character of each of the three hex codings to its nibble; `None` for anything that
/// [`hex_encode`] would not write back the same.
fn hex_nibble(encoding: Encoding, c: u8) -> Option<u8> {
    match (encoding, c) {
        (Encoding::Hex | Encoding::HexLower, b'0'..=b'9') => Some(c - b'0'),
        (Encoding::Hex, b'A'..=b'F') => Some(c - b'A' + 10),
        (Encoding::HexLower, b'a'..=b'f') => Some(c - b'a' + 10),
        (Encoding::EbcdicHex, 0xF0..=0xF9) => Some(c - 0xF0),
        (Encoding::EbcdicHex, 0xC1..=0xC6) => Some(c - 0xC1 + 10),
        _ => None,
    }
}

/// Hex characters to bytes; the index of the first character that is no hex digit.
pub(crate) fn hex_decode(encoding: Encoding, wire: &[u8], out: &mut [u8]) -> Result<(), usize> {
    let (pairs, _) = wire.as_chunks::<2>();
    for (i, (pair, to)) in pairs.iter().zip(out).enumerate() {
        let high = hex_nibble(encoding, pair[0]).ok_or(2 * i)?;
        let low = hex_nibble(encoding, pair[1]).ok_or(2 * i + 1)?;
        *to = high << 4 | low;
    }
    Ok(())
}

/// Bytes to hex characters, appended.
pub(crate) fn hex_encode(encoding: Encoding, value: &[u8], out: &mut Vec<u8>) {
    let digits = if encoding == Encoding::HexLower { LOWER } else { UPPER };
    let ebcdic = encoding == Encoding::EbcdicHex;
    for byte in value {
        for nibble in [byte >> 4, byte & 15] {
            let c = digits[usize::from(nibble)];
            out.push(if ebcdic { PAGE_037.from_ascii[usize::from(c)] } else { c });
        }
    }
}

/// Upper-case hex of bytes, for people and JSON.
pub(crate) fn hex_text(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(2 * bytes.len());
    hex_encode(Encoding::Hex, bytes, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// Hex in either case to bytes; `None` when the count is odd or a character is no hex digit.
pub fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let upper = text.trim().to_ascii_uppercase();
    if upper.len() % 2 == 1 {
        return None;
    }
    let mut out = vec![0; upper.len() / 2];
    hex_decode(Encoding::Hex, upper.as_bytes(), &mut out).ok()?;
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreading_and_squeezing_are_each_others_inverse() {
        for length in 0..=9_usize {
            let packed: Vec<u8> = (0..length).map(|i| (i * 37 + 0x9F) as u8).collect();
            let mut chars = vec![0; spread_room(length)];
            spread(&packed, &mut chars);
            assert_eq!(chars[..2 * length], *hex_text(&packed).as_bytes());
            let mut back = Vec::new();
            squeeze(&chars[..2 * length], &mut back);
            assert_eq!(back, packed);
        }
    }

    #[test]
    fn the_separator_packs_as_d() {
        let mut out = Vec::new();
        squeeze(b"12=4D6", &mut out);
        assert_eq!(out, [0x12, 0xD4, 0xD6]);
    }

    #[test]
    fn hex_takes_only_what_it_would_write() {
        let mut out = [0; 1];
        assert_eq!(hex_decode(Encoding::Hex, b"aF", &mut out), Err(0));
        assert_eq!(hex_decode(Encoding::HexLower, b"aF", &mut out), Err(1));
        assert_eq!(hex_decode(Encoding::EbcdicHex, &[0xC1, 0xF9], &mut out), Ok(()));
        assert_eq!(out, [0xA9]);
        assert_eq!(parse_hex("0aF"), None);
    }

    #[test]
    fn code_pages_read_back_what_they_write() {
        let all: Vec<u8> = (0x20..=0x7E).collect();
        for encoding in [Encoding::Cp037, Encoding::Cp1047] {
            let Some(page) = Page::of(encoding) else { continue };
            let (mut wire, mut back) = (Vec::new(), vec![0; all.len()]);
            assert_eq!(page.encode(&all, &mut wire), Ok(()));
            assert_eq!(page.decode(&wire, &mut back), Ok(()));
            assert_eq!(back, all);
            assert_eq!(page.decode(&[0x00], &mut [0]), Err(0));
        }
    }
}
