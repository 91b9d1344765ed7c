//! Guesses at why a frame is wrong. Runs only on errors, so clarity goes before speed.
//!
//! Contract: total; a wrong guess costs a sentence in a log, so each needs bytes that speak for
//! it, and where nothing does the answer is `None`.

use super::coding::Coding;
use super::error::{Cause, FrameFault};
use super::{Framing, Split};

impl Framing {
    /// The likely cause of `fault` at `at`, from what was received of the frame.
    pub(super) fn guess(&self, buf: &[u8], at: usize, fault: &FrameFault) -> Option<Cause> {
        protocol(buf).or_else(|| match fault {
            FrameFault::Tpdu { .. } => mti(buf.get(at..)?).then_some(Cause::NoTpdu),
            FrameFault::Trailer { .. } => self.shifted(buf, &self.trailer, at),
            FrameFault::Terminator { .. } => self.shifted(buf, &self.terminator, at),
            FrameFault::Negative { .. }
            | FrameFault::TooShort { .. }
            | FrameFault::TooLong { .. }
            | FrameFault::Empty
            | FrameFault::Coding { .. } => self.header_cause(buf),
            _ => None,
        })
    }

    /// The likely cause of a frame that never became whole, `needs` bytes being expected.
    pub(super) fn stall_cause(&self, buf: &[u8], needs: usize) -> Option<Cause> {
        let counts = !self.counts_itself && self.length_bytes > 0;
        let short = counts && buf.len() + self.length_bytes == needs;
        protocol(buf).or_else(|| short.then_some(Cause::CountsItself)).or_else(|| {
            // A header in another coding often asks for a frame that never comes.
            self.header_cause(buf).filter(|cause| *cause != Cause::NotCountingItself)
        })
    }

    /// What the length header looks like, were it not what it should be.
    fn header_cause(&self, buf: &[u8]) -> Option<Cause> {
        let header = buf.get(self.skip_before.len()..)?;
        let own = header.get(..self.length_bytes)?;
        let binary = !matches!(self.coding, Coding::Ascii | Coding::AsciiHex);
        if binary && header.get(..4).is_some_and(|h| h.iter().all(u8::is_ascii_digit)) {
            let bare = mti(header) && !header.get(4..).is_some_and(mti);
            return Some(if bare { Cause::NoLengthHeader } else { Cause::AsciiDigits });
        }
        if self.counts_itself && self.allows_value(self.coding, own, self.length_bytes as i64) {
            return Some(Cause::NotCountingItself);
        }
        let other = match self.coding {
            Coding::BigEndian => Coding::LittleEndian,
            Coding::LittleEndian | Coding::Bcd => Coding::BigEndian,
            Coding::Ascii | Coding::AsciiHex => return self.binary_header(header),
        };
        let cause =
            if self.coding == Coding::Bcd { Cause::BinaryLength } else { Cause::OtherByteOrder };
        self.allows_value(other, own, 0).then_some(cause)
    }

    /// Digits were expected: are the first two or four bytes a binary length, or an MTI?
    fn binary_header(&self, header: &[u8]) -> Option<Cause> {
        let length = |bytes| {
            let own = header.get(..bytes);
            own.is_some_and(|own| self.allows_value(Coding::BigEndian, own, 0))
        };
        if header.first() == Some(&0) && (length(2) || length(4)) {
            return Some(Cause::BinaryLength);
        }
        if mti(header) {
            return Some(Cause::NoLengthHeader);
        }
        length(2).then_some(Cause::BinaryLength)
    }

    /// Whether `header` in another coding, `more` added, gives a body within the limits.
    fn allows_value(&self, coding: Coding, header: &[u8], more: i64) -> bool {
        let value = coding.read(header).ok().and_then(|value| i64::try_from(value).ok());
        let body = value.and_then(|value| {
            let content = value.checked_sub(self.value_extra())?.checked_add(more)?;
            usize::try_from(content.checked_sub(self.inside())?).ok()
        });
        body.is_some_and(|body| (self.min..=self.max).contains(&body))
    }

    /// Whether what should stand at `at` stands one length header earlier or later.
    fn shifted(&self, buf: &[u8], expected: &[u8], at: usize) -> Option<Cause> {
        let stands = |at: Option<usize>| {
            at.and_then(|at| buf.get(at..)).is_some_and(|rest| rest.starts_with(expected))
        };
        let bytes = (self.length_bytes > 0).then_some(self.length_bytes)?;
        if !self.counts_itself && stands(at.checked_sub(bytes)) {
            return Some(Cause::CountsItself);
        }
        (self.counts_itself && stands(at.checked_add(bytes))).then_some(Cause::NotCountingItself)
    }

    /// What to report when the read deadline passes with `buf` received of a frame.
    pub fn stalled(&self, buf: &[u8]) -> super::FrameError {
        let needs = match self.split(buf) {
            Ok(Split::More { at_least }) => at_least,
            Ok(_) => buf.len(),
            Err(error) => return error,
        };
        let cause = self.stall_cause(buf, needs);
        let fault = FrameFault::Stalled { have: buf.len(), needs };
        super::FrameError { at: buf.len(), fault, cause }
    }
}

/// Another protocol altogether.
fn protocol(buf: &[u8]) -> Option<Cause> {
    const HTTP: [&[u8]; 8] =
        [b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI", b"HTTP", b"CONN", b"PRI "];
    match buf {
        [0x16, 3, ..] => Some(Cause::TlsClientHello),
        [0x15, 3, ..] => Some(Cause::TlsAlert),
        _ if buf.starts_with(b"PROXY ") || buf.starts_with(b"\r\n\r\n\0\r\nQUIT\n") => {
            Some(Cause::ProxyProtocol)
        }
        _ => HTTP.iter().any(|word| buf.starts_with(word)).then_some(Cause::Http),
    }
}

/// Whether the bytes begin like a message type, as ASCII or packed: version 0–2, class 1–8,
/// function 0–5, origin 0–5.
fn mti(buf: &[u8]) -> bool {
    let digits = match buf {
        [a, b, c, d, ..] if [a, b, c, d].iter().all(|x| x.is_ascii_digit()) => {
            [a - b'0', b - b'0', c - b'0', d - b'0']
        }
        [a, b, ..] => [a >> 4, a & 0x0F, b >> 4, b & 0x0F],
        _ => return false,
    };
    digits[0] <= 2 && (1..=8).contains(&digits[1]) && digits[2] <= 5 && digits[3] <= 5
}
