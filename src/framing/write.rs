//! Writing frames: the head is reserved, the body packed behind it in place, the length patched.

use super::error::FrameFault;
use super::split::find;
use super::{FrameError, Framing, TPDU_BYTES};

/// A frame that was begun and waits for its body and [`Framing::finish`].
#[derive(Debug)]
#[must_use = "a frame that is not finished has no length"]
pub struct Mark {
    start: usize,
    body: usize,
}

impl Mark {
    /// Where in the buffer the body begins.
    pub fn body(&self) -> usize {
        self.body
    }
}

impl Framing {
    /// Writes everything before the body at the end of `out`. Push the body, then
    /// [`Framing::finish`]. A framing with TPDU writes `tpdu`, or its configured one for `None`;
    /// a framing without TPDU ignores it.
    pub fn begin(&self, out: &mut Vec<u8>, tpdu: Option<[u8; TPDU_BYTES]>) -> Mark {
        let start = out.len();
        out.extend_from_slice(&self.skip_before);
        out.resize(out.len() + self.length_bytes, 0);
        out.extend_from_slice(&self.skip_after);
        if let Some(own) = self.tpdu {
            out.extend_from_slice(&tpdu.unwrap_or(own));
        }
        out.extend_from_slice(&self.text_header);
        Mark { start, body: out.len() }
    }

    /// Closes the frame whose body was pushed after [`Framing::begin`]: trailer, terminator,
    /// length, LRC.
    ///
    /// # Errors
    /// [`FrameError`] when the body is outside the limits or holds the terminator; `out` is
    /// then as long as before `begin`, so nothing of the frame can leave.
    pub fn finish(&self, out: &mut Vec<u8>, mark: Mark) -> Result<(), FrameError> {
        let start = mark.start;
        self.finish_raw(out, mark).map_err(|fault| {
            out.truncate(start);
            FrameError { at: self.head(), fault, cause: None }
        })
    }

    fn finish_raw(&self, out: &mut Vec<u8>, mark: Mark) -> Result<(), FrameFault> {
        let body = out.len().checked_sub(mark.body).ok_or(FrameFault::MarkLost)?;
        self.check_body(i64::try_from(body).unwrap_or(i64::MAX))?;
        out.extend_from_slice(&self.trailer);
        let end = out.len();
        out.extend_from_slice(&self.terminator);
        if self.length_bytes == 0 {
            let first = out.get(mark.body..).and_then(|rest| find(rest, &self.terminator));
            if first != Some(end - mark.body) {
                return Err(FrameFault::HoldsTerminator);
            }
        }
        self.patch_length(out, &mark, body)?;
        if self.lrc {
            let lrc = self.lrc_of(out.get(mark.start..).unwrap_or_default());
            out.push(lrc);
        }
        Ok(())
    }

    fn patch_length(&self, out: &mut [u8], mark: &Mark, body: usize) -> Result<(), FrameFault> {
        if self.length_bytes == 0 {
            return Ok(());
        }
        let at = mark.start + self.skip_before.len();
        let header = out.get_mut(at..at + self.length_bytes).ok_or(FrameFault::MarkLost)?;
        // `validate` proved that every body within the limits has a length that fits.
        let value = body as i64 + self.inside() + self.value_extra();
        let too_long = FrameFault::TooLong { body: body as u64, most: self.max };
        let value = u64::try_from(value).map_err(|_| too_long)?;
        self.coding.write(value, header).ok_or(too_long)
    }

    /// Writes an empty frame, where this framing takes them for keep-alives; else `false`.
    pub fn keep_alive(&self, out: &mut Vec<u8>) -> bool {
        if !self.keep_alive {
            return false;
        }
        let start = out.len();
        out.extend_from_slice(&self.skip_before);
        out.resize(out.len() + self.length_bytes, 0);
        out.extend_from_slice(&self.skip_after);
        let at = start + self.skip_before.len();
        // A length that would be negative (`adjust`) is written as zero, which is read as empty.
        let value = u64::try_from(self.value_extra()).unwrap_or(0);
        let header = out.get_mut(at..at + self.length_bytes);
        header.and_then(|header| self.coding.write(value, header)).is_some()
    }
}
