//! The divisor: a hand-written walk over one known 20-field 0200, per dialect.
//!
//! Contract: straight-line code for exactly this field list; no tables, no checks of characters, no
//! errors. Packed digits are spread, because a program needs them. Deliberately absent:
//! everything that makes it a product.

/// Where 20 values lie: in the frame, or (packed digits) in `digits`.
pub(crate) struct Walk {
    pub(crate) mti: [u8; 4],
    pub(crate) at: [(u16, u16); 20],
    pub(crate) digits: [u8; 256],
}

impl Walk {
    pub(crate) fn new() -> Self {
        Self { mti: [0; 4], at: [(0, 0); 20], digits: [0; 256] }
    }
}

fn ascii_number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |n, c| n * 10 + usize::from(c & 15))
}

fn packed_number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |n, b| n * 100 + usize::from(b >> 4) * 10 + usize::from(b & 15))
}

/// 2 3 4 7 11 12 13 14 18 22 23 25 32 35 37 41 42 49 52 55, all ASCII, bitmap of 8 bytes.
pub(crate) fn ascii(frame: &[u8], walk: &mut Walk) -> u64 {
    walk.mti.copy_from_slice(&frame[..4]);
    let mut bits = [0; 8];
    bits.copy_from_slice(&frame[4..12]);
    let mut at = 12;
    let mut index = 0;
    let mut take = |at: usize, len: usize| {
        walk.at[index] = (at as u16, len as u16);
        index += 1;
        at + len
    };
    let pan = ascii_number(&frame[at..at + 2]);
    at = take(at + 2, pan);
    for len in [6, 12, 10, 6, 6, 4, 4, 4, 3, 3, 2] {
        at = take(at, len);
    }
    let acquirer = ascii_number(&frame[at..at + 2]);
    at = take(at + 2, acquirer);
    let track = ascii_number(&frame[at..at + 2]);
    at = take(at + 2, track);
    for len in [12, 8, 15, 3, 8] {
        at = take(at, len);
    }
    let icc = ascii_number(&frame[at..at + 3]);
    take(at + 3, icc);
    u64::from_be_bytes(bits)
}

/// Spreads packed bytes into digits.
fn spread(packed: &[u8], digits: &mut [u8]) {
    for (byte, pair) in packed.iter().zip(digits.as_chunks_mut::<2>().0) {
        *pair = [b'0' + (byte >> 4), b'0' + (byte & 15)];
    }
}

/// The same list packed: `variable_right` says on which side an odd variable value is padded.
pub(crate) fn packed(frame: &[u8], walk: &mut Walk, variable_right: bool) -> u64 {
    let mut bits = [0; 8];
    bits.copy_from_slice(&frame[2..10]);
    spread(&frame[..2], &mut walk.mti);
    let (mut at, mut used, mut index) = (10, 0, 0);
    let mut digits = |at: usize, len: usize, skip: usize| {
        let bytes = len.div_ceil(2);
        spread(&frame[at..at + bytes], &mut walk.digits[used..used + 2 * bytes]);
        walk.at[index] = ((used + skip) as u16, len as u16);
        index += 1;
        used += 2 * bytes;
        at + bytes
    };
    let skip = |len: usize| if variable_right { 0 } else { len & 1 };
    let pan = packed_number(&frame[at..at + 1]);
    at = digits(at + 1, pan, skip(pan));
    for len in LISTS[usize::from(variable_right)] {
        at = digits(at, *len, if variable_right && *len == 3 { 0 } else { len & 1 });
    }
    let acquirer = packed_number(&frame[at..at + 1]);
    at = digits(at + 1, acquirer, skip(acquirer));
    let track = packed_number(&frame[at..at + 1]);
    at = digits(at + 1, track, skip(track));
    for len in [12, 8, 15, 3, 8] {
        walk.at[index] = (at as u16, len as u16);
        index += 1;
        at += len;
    }
    let icc = packed_number(&frame[at..at + 2]);
    walk.at[index] = ((at + 2) as u16, icc as u16);
    u64::from_be_bytes(bits)
}

/// Fixed digits between field 2 and field 32: with 7 and 18 (1987), without (UnionPay).
const LISTS: [&[usize]; 2] =
    [&[6, 12, 10, 6, 6, 4, 4, 4, 3, 3, 2], &[6, 12, 6, 6, 4, 4, 4, 3, 3, 2, 2]];

/// Decode, give it another STAN, and write it again: the ASCII message.
pub(crate) fn ascii_again(frame: &[u8], walk: &mut Walk, out: &mut Vec<u8>) {
    let bits = ascii(frame, walk);
    out.extend_from_slice(&walk.mti);
    out.extend_from_slice(&bits.to_be_bytes());
    for (index, (at, len)) in walk.at.iter().enumerate() {
        let (at, len) = (usize::from(*at), usize::from(*len));
        match index {
            0 | 12 | 13 => {
                out.extend_from_slice(&[b'0' + (len / 10) as u8, b'0' + (len % 10) as u8])
            }
            19 => out.extend_from_slice(&[
                b'0' + (len / 100) as u8,
                b'0' + (len / 10 % 10) as u8,
                b'0' + (len % 10) as u8,
            ]),
            _ => {}
        }
        match index {
            4 => out.extend_from_slice(b"654321"),
            _ => out.extend_from_slice(&frame[at..at + len]),
        }
    }
}
