//! Frames of the benchmark, made and answered by hand so that neither end shares our codec.
//!
//! Contract: a 0200 in ISO 8583:1987 ASCII with a binary bitmap, 16 fields; the STAN at a fixed
//! offset. `answer` turns a request, an advice or a reversal of either coding, first or repeated,
//! into its approval by walking its bitmap with a table of widths up to DE 38, which is as far as
//! the bank has to look.

/// Offset of the STAN in the message (after the length header).
pub(crate) const STAN_AT: usize = 4 + 8 + 18 + 6 + 12 + 10;
const F7_AT: usize = STAN_AT - 10;
/// Offset of the local time; the local date follows it.
const F12_AT: usize = STAN_AT + 6;
const F37_AT: usize = F12_AT + 6 + 4 + 4 + 4 + 3 + 2 + 8;
const F41_AT: usize = F37_AT + 12;

/// The request with the number `n` and the stamp `f7`; keys never repeat within 10^6 × 10^4
/// requests, whatever the stamp.
pub(crate) fn request(template: &mut [u8], n: u64, f7: u64) {
    let put = |template: &mut [u8], at: usize, width: usize, value: u64| {
        let mut value = value;
        for digit in template[2 + at..2 + at + width].iter_mut().rev() {
            *digit = b'0' + (value % 10) as u8;
            value /= 10;
        }
    };
    put(template, STAN_AT, 6, n % 999_999 + 1);
    put(template, F37_AT, 12, n);
    put(template, F41_AT + 4, 4, n / 999_999 % 10_000);
    put(template, F7_AT, 10, f7);
    put(template, F12_AT, 10, f7 % 1_000_000 * 10_000 + f7 / 1_000_000);
}

/// Milliseconds since 1970.
pub(crate) fn unix_millis() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// MMDDhhmmss in GMT of a second since 1970, as a number: `F7` as a platform's clock gives it, so
/// that no request is stale.
pub(crate) fn stamp(unix_second: u64) -> u64 {
    let now = pointsman::time::Wall::from_millis(unix_second as i64 * 1_000).utc();
    let parts = [now.month(), now.day(), now.hour(), now.minute(), now.second()];
    parts.into_iter().fold(0, |stamp, part| stamp * 100 + u64::from(part.unsigned_abs()))
}

/// One framed request.
pub(crate) fn template(pan: &str) -> Vec<u8> {
    let mut message = b"0200".to_vec();
    message
        .extend_from_slice(&bitmap(&[2, 3, 4, 7, 11, 12, 13, 14, 18, 22, 25, 32, 37, 41, 42, 49]));
    let body = format!(
        "16{pan}00000000000000100001010000000000011215301122281254110510006123456\
         000000000001SHOP0000MERCHANT0000001156"
    );
    message.extend_from_slice(body.as_bytes());
    let mut frame = (message.len() as u16).to_be_bytes().to_vec();
    frame.extend_from_slice(&message);
    frame
}

fn bitmap(fields: &[u32]) -> [u8; 8] {
    fields.iter().fold(0u64, |bits, de| bits | 1 << (64 - de)).to_be_bytes()
}

/// How the fields of one coding are as wide as they are.
pub(crate) struct Coding {
    /// Bytes of the MTI.
    pub(crate) mti: usize,
    /// Bytes between the length header and the MTI; five or more begin with a TPDU.
    pub(crate) before: usize,
    /// (DE, bytes) up to 37; negative: a length header of so many bytes, then the value.
    pub(crate) widths: &'static [(u32, i8)],
    /// Whether lengths are packed and count digits.
    pub(crate) packed: bool,
}

/// ISO 8583:1987 in ASCII.
pub(crate) const ASCII: Coding = Coding {
    mti: 4,
    before: 0,
    packed: false,
    widths: &[
        (2, -2),
        (3, 6),
        (4, 12),
        (7, 10),
        (11, 6),
        (12, 6),
        (13, 4),
        (14, 4),
        (15, 4),
        (18, 4),
        (22, 3),
        (23, 3),
        (24, 3),
        (25, 2),
        (32, -2),
        (33, -2),
        (37, 12),
        (38, 6),
    ],
};

/// ISO 8583:1987 in BCD behind a TPDU.
pub(crate) const BCD: Coding = Coding {
    mti: 2,
    before: 5,
    packed: true,
    widths: &[
        (2, -1),
        (3, 3),
        (4, 6),
        (7, 5),
        (11, 3),
        (12, 3),
        (13, 2),
        (14, 2),
        (15, 2),
        (18, 2),
        (22, 2),
        (23, 2),
        (24, 2),
        (25, 1),
        (26, 1),
        (32, -1),
        (33, -1),
        (35, -1),
        (37, 12),
        (38, 6),
    ],
};

/// Offset in the frame of the first field behind `de`; `None` where it cannot be walked.
pub(crate) fn behind(coding: &Coding, frame: &[u8], de: u32) -> Option<usize> {
    let bits_at = 2 + coding.before + coding.mti;
    let bits = u64::from_be_bytes(frame.get(bits_at..bits_at + 8)?.try_into().ok()?);
    // A reversal names its original in F90, behind a second bitmap.
    let mut at = bits_at + if bits >> 63 == 1 { 16 } else { 8 };
    for (field, width) in coding.widths.iter().take_while(|(field, _)| *field <= de) {
        if bits & (1 << (64 - field)) == 0 {
            continue;
        }
        at += match *width {
            fixed if fixed > 0 => fixed as usize,
            -1 => 1 + usize::from((frame.get(at)? >> 4) * 10 + (frame[at] & 15)).div_ceil(2),
            _ => 2 + usize::from((frame.get(at)? & 15) * 10 + (frame.get(at + 1)? & 15)),
        };
    }
    Some(at)
}

/// Whether a platform's framed answer approves.
pub(crate) fn is_approved(frame: &[u8]) -> bool {
    behind(&ASCII, frame, 38).and_then(|at| frame.get(at..at + 2)) == Some(b"00")
}

/// Appends the framed approval of one framed request; `None` where it cannot be walked. A
/// reversal of what was approved has an `F38` already, and any has its reason in `F39`.
pub(crate) fn answer(coding: &Coding, frame: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let bits_at = 2 + coding.before + coding.mti;
    let insert = behind(coding, frame, 38)?;
    let bits = u64::from_be_bytes(frame.get(bits_at..bits_at + 8)?.try_into().ok()?);
    let has = |de: u32| bits & (1 << (64 - de)) != 0;
    let with_auth = has(4) && !has(38); // A request with an amount gets an F38.
    let added: &[u8] = if with_auth { b"A1234500" } else { b"00" };
    let new_bits = bits | 1 << (64 - 39) | if with_auth { 1 << (64 - 38) } else { 0 };
    let rest = frame.get(insert + if has(39) { 2 } else { 0 }..)?;
    let body = insert - 2 + added.len() + rest.len();
    out.extend_from_slice(&(body as u16).to_be_bytes());
    let head = out.len();
    out.extend_from_slice(&frame[2..bits_at]);
    let (digit, one) = if coding.packed { (1, 0x10) } else { (2, 1) };
    out[head + coding.before + coding.mti - digit] |= one;
    out[head + coding.before + coding.mti - 1] &= !1; // The answer to a repeat is no repeat.
    if coding.before >= 5 {
        // The TPDU turns around.
        out[head + 1..head + 3].copy_from_slice(&frame[5..7]);
        out[head + 3..head + 5].copy_from_slice(&frame[3..5]);
    }
    out.extend_from_slice(&new_bits.to_be_bytes());
    out.extend_from_slice(frame.get(bits_at + 8..insert)?);
    out.extend_from_slice(added);
    out.extend_from_slice(rest);
    Some(())
}

/// The frames at the front of a buffer, and how many bytes they take.
pub(crate) fn frames(buf: &[u8]) -> (impl Iterator<Item = &[u8]>, usize) {
    let end = |at: usize| {
        let head = buf.get(at..at + 2)?;
        let end = at + 2 + usize::from(u16::from_be_bytes([head[0], head[1]]));
        (end <= buf.len()).then_some(end)
    };
    let mut taken = 0;
    while let Some(next) = end(taken) {
        taken = next;
    }
    let mut at = 0;
    let iter = std::iter::from_fn(move || {
        let next = end(at)?;
        let frame = &buf[at..next];
        at = next;
        Some(frame)
    });
    (iter, taken)
}
