//! The divisor: what somebody would write by hand for one known list of fields.
//!
//! Contract: driven by the bitmap – a loop over its set bits, a `match` on the data element, the
//! length prefixes read – and nothing else: no dialect, no table of fields, no check of a length or
//! a character, no errors. Where a value lies is noted; packed digits are spread, because a program
//! needs them as digits. [`encode`] writes the noted values again with another STAN. All three wire
//! forms are this code, compiled apart: `P` says that MTI, digits, tracks and lengths are packed,
//! `R` that an odd value of variable length, and field 22, is padded behind rather than in front.
//! Deliberately absent: everything that makes it a product.

/// Where the values lie: in the frame, or (packed digits) in `digits`.
pub(crate) struct Walk {
    pub(crate) mti: [u8; 4],
    pub(crate) bits: u64,
    pub(crate) at: [(u16, u16); 65],
    pub(crate) digits: [u8; 256],
}

impl Walk {
    pub(crate) fn new() -> Self {
        Self { mti: [0; 4], bits: 0, at: [(0, 0); 65], digits: [0; 256] }
    }
}

/// The length of a field without a prefix.
fn fixed(de: usize) -> usize {
    match de {
        25 | 26 => 2,
        22 | 23 | 49 => 3,
        13 | 14 | 15 | 18 => 4,
        3 | 11 | 12 => 6,
        41 | 52 => 8,
        7 => 10,
        4 | 37 => 12,
        _ => 15,
    }
}

/// Bytes of the length prefix.
fn prefix<const P: bool>(de: usize) -> usize {
    match (de, P) {
        (2 | 32 | 35, true) => 1,
        (2 | 32 | 35, false) | (55, true) => 2,
        (55, false) => 3,
        _ => 0,
    }
}

fn is_packed<const P: bool>(de: usize) -> bool {
    P && !matches!(de, 37 | 41 | 42 | 49 | 52 | 55)
}

/// Whether the pad of an odd value stands in front.
fn pads_left<const R: bool>(de: usize) -> bool {
    !R || !matches!(de, 2 | 22 | 32 | 35)
}

fn number<const P: bool>(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |n, b| match P {
        true => n * 100 + usize::from(b >> 4) * 10 + usize::from(b & 15),
        false => n * 10 + usize::from(b & 15),
    })
}

/// Spreads packed bytes into digits.
fn spread(packed: &[u8], digits: &mut [u8]) {
    for (byte, pair) in packed.iter().zip(digits.as_chunks_mut::<2>().0) {
        *pair = [b'0' + (byte >> 4), b'0' + (byte & 15)];
    }
}

pub(crate) fn decode<const P: bool, const R: bool>(frame: &[u8], walk: &mut Walk) {
    let mut at = if P { 2 } else { 4 };
    match P {
        true => spread(&frame[..2], &mut walk.mti),
        false => walk.mti.copy_from_slice(&frame[..4]),
    }
    let mut bits = [0; 8];
    bits.copy_from_slice(&frame[at..at + 8]);
    walk.bits = u64::from_be_bytes(bits);
    at += 8;
    let (mut left, mut used) = (walk.bits, 0);
    while left != 0 {
        let de = left.leading_zeros() as usize + 1;
        left &= !(1 << (64 - de));
        let value = at + prefix::<P>(de);
        let len = if value > at { number::<P>(&frame[at..value]) } else { fixed(de) };
        if is_packed::<P>(de) {
            at = value + len.div_ceil(2);
            let skip = if pads_left::<R>(de) { len & 1 } else { 0 };
            spread(&frame[value..at], &mut walk.digits[used..]);
            walk.at[de] = ((used + skip) as u16, len as u16);
            used += 2 * (at - value);
        } else {
            at = value + len;
            walk.at[de] = (value as u16, len as u16);
        }
    }
}

/// Packs digits, an odd one with a zero in front or behind.
fn pack<const R: bool>(de: usize, digits: &[u8], out: &mut Vec<u8>) {
    let left = if pads_left::<R>(de) { digits.len() & 1 } else { 0 };
    out.extend(digits[..left].iter().map(|d| d & 15));
    let (pairs, last) = digits[left..].as_chunks::<2>();
    out.extend(pairs.iter().map(|[high, low]| high << 4 | low & 15));
    out.extend(last.iter().map(|d| d << 4));
}

/// Writes what [`decode`] found in `frame` again, with this STAN.
pub(crate) fn encode<const P: bool, const R: bool>(
    frame: &[u8],
    walk: &Walk,
    stan: &[u8; 6],
    out: &mut Vec<u8>,
) {
    match P {
        true => pack::<R>(0, &walk.mti, out),
        false => out.extend_from_slice(&walk.mti),
    }
    out.extend_from_slice(&walk.bits.to_be_bytes());
    let mut left = walk.bits;
    while left != 0 {
        let de = left.leading_zeros() as usize + 1;
        left &= !(1 << (64 - de));
        let (at, len) = (usize::from(walk.at[de].0), usize::from(walk.at[de].1));
        let [a, b, c] = [len / 100, len / 10 % 10, len % 10].map(|d| d as u8);
        match (prefix::<P>(de), P) {
            (0, _) => {}
            (1, _) => out.push(b << 4 | c),
            (_, true) => out.extend_from_slice(&[a, b << 4 | c]),
            (2, _) => out.extend_from_slice(&[b'0' + b, b'0' + c]),
            _ => out.extend_from_slice(&[b'0' + a, b'0' + b, b'0' + c]),
        }
        let source = if is_packed::<P>(de) { &walk.digits } else { frame };
        let value = if de == 11 { &stan[..] } else { &source[at..at + len] };
        match is_packed::<P>(de) {
            true => pack::<R>(de, value, out),
            false => out.extend_from_slice(value),
        }
    }
}
