//! Finding the next frame in received bytes.

use super::error::{FrameFault, shown};
use super::{FrameError, Framing, TPDU_BYTES};
use std::ops::Range;

/// What stands at the beginning of received bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Split {
    /// The beginning of a frame: read until the buffer holds `at_least` bytes in total, then
    /// ask again. More than the buffer holds now, and at most [`Framing::frame_max`].
    More {
        /// Bytes the buffer must hold.
        at_least: usize,
    },
    /// An empty frame: drop `taken` bytes, nothing else to do.
    KeepAlive {
        /// Bytes of the stream it took.
        taken: usize,
    },
    /// A whole frame.
    Frame {
        /// Bytes of the stream it took.
        taken: usize,
        /// Its TPDU, where the framing has one.
        tpdu: Option<[u8; TPDU_BYTES]>,
        /// Where in the buffer the message stands.
        body: Range<usize>,
    },
}

/// A fault at an offset, its cause not guessed yet.
type Fault = (usize, FrameFault);

/// How much content a frame has, as far as is known.
enum Content {
    Bytes(usize),
    KeepAlive,
    Unknown { at_least: usize },
}

impl Framing {
    /// The next frame of `buf`, which begins where a frame begins.
    ///
    /// # Errors
    /// [`FrameError`] when no frame can begin like this. A stream has no way back into step:
    /// close the session.
    pub fn split(&self, buf: &[u8]) -> Result<Split, FrameError> {
        self.split_raw(buf).map_err(|(at, fault)| FrameError {
            at,
            fault,
            cause: self.guess(buf, at, &fault),
        })
    }

    fn split_raw(&self, buf: &[u8]) -> Result<Split, Fault> {
        let head = self.head();
        let content = match self.content(buf)? {
            Content::Bytes(bytes) => bytes,
            Content::KeepAlive => return Ok(Split::KeepAlive { taken: head }),
            Content::Unknown { at_least } => return Ok(Split::More { at_least }),
        };
        let taken = head + content + self.tail();
        let Some(frame) = buf.get(..taken) else { return Ok(Split::More { at_least: taken }) };
        let tpdu = self.read_tpdu(frame)?;
        self.check_text_header(frame)?;
        let end = head + content;
        let trailer_at = end - self.trailer.len();
        same(frame, trailer_at, &self.trailer, |expected, got| FrameFault::Trailer {
            expected,
            got,
        })?;
        same(frame, end, &self.terminator, |expected, got| FrameFault::Terminator {
            expected,
            got,
        })?;
        self.check_lrc(frame)?;
        Ok(Split::Frame { taken, tpdu, body: head + self.before_body()..trailer_at })
    }

    /// Bytes of content: by the length header, or up to the terminator where there is none.
    fn content(&self, buf: &[u8]) -> Result<Content, Fault> {
        if self.length_bytes == 0 {
            return self.content_to_terminator(buf);
        }
        let at = self.skip_before.len();
        let (Some(header), true) = (buf.get(at..at + self.length_bytes), buf.len() >= self.head())
        else {
            return Ok(Content::Unknown { at_least: self.head() });
        };
        let stated = self.coding.read(header).map_err(|bad| {
            (at + bad.at, FrameFault::Coding { coding: self.coding, got: bad.got })
        })?;
        self.content_of(stated).map_err(|fault| (at, fault))
    }

    /// Bytes of content that a length stands for.
    fn content_of(&self, stated: u64) -> Result<Content, FrameFault> {
        let content = i64::try_from(stated).unwrap_or(i64::MAX).saturating_sub(self.value_extra());
        if stated == 0 || content == 0 {
            return if self.keep_alive { Ok(Content::KeepAlive) } else { Err(FrameFault::Empty) };
        }
        if content < 0 {
            return Err(FrameFault::Negative { stated: shown(stated) });
        }
        self.check_body(content.saturating_sub(self.inside()))?;
        // Within min and max by now.
        Ok(Content::Bytes(usize::try_from(content).unwrap_or(0)))
    }

    /// Whether a body of so many bytes is within the limits.
    pub(super) fn check_body(&self, body: i64) -> Result<(), FrameFault> {
        match usize::try_from(body) {
            Ok(bytes) if bytes > self.max => {
                Err(FrameFault::TooLong { body: shown(bytes as u64), most: self.max })
            }
            Ok(bytes) if bytes >= self.min => Ok(()),
            _ => Err(FrameFault::TooShort { body, least: self.min }),
        }
    }

    fn content_to_terminator(&self, buf: &[u8]) -> Result<Content, Fault> {
        // A TPDU is binary: its bytes do not end a frame.
        let from = self.head() + self.before_body();
        let Some(found) = buf.get(from..).and_then(|rest| find(rest, &self.terminator)) else {
            let most = self.frame_max() - usize::from(self.lrc);
            if buf.len() >= most {
                return Err((most, FrameFault::Unterminated { most }));
            }
            let at_least = (buf.len() + 1).max(from + self.min + self.terminator.len());
            return Ok(Content::Unknown { at_least: at_least.min(most) });
        };
        let body = found as i64 - self.trailer.len() as i64;
        self.check_body(body).map_err(|fault| (from, fault))?;
        Ok(Content::Bytes(self.before_body() + found))
    }

    fn read_tpdu(&self, frame: &[u8]) -> Result<Option<[u8; TPDU_BYTES]>, Fault> {
        let at = self.head();
        let read = || frame.get(at..)?.first_chunk::<TPDU_BYTES>().copied();
        match self.tpdu.and_then(|_| read()) {
            Some(tpdu) if tpdu[0] >> 4 != 6 => Err((at, FrameFault::Tpdu { got: tpdu[0] })),
            tpdu => Ok(tpdu),
        }
    }

    fn check_text_header(&self, frame: &[u8]) -> Result<(), Fault> {
        let from = self.head() + self.before_body() - self.text_header.len();
        for (i, expected) in self.text_header.iter().enumerate() {
            let got = frame.get(from + i).copied().unwrap_or_default();
            let digits = expected.is_ascii_digit() && got.is_ascii_digit();
            if got != *expected && !digits {
                return Err((from + i, FrameFault::TextHeader { expected: *expected, got }));
            }
        }
        Ok(())
    }

    fn check_lrc(&self, frame: &[u8]) -> Result<(), Fault> {
        match frame.split_last() {
            Some((got, covered)) if self.lrc => {
                let expected = self.lrc_of(covered);
                let fault = (covered.len(), FrameFault::Lrc { expected, got: *got });
                if expected == *got { Ok(()) } else { Err(fault) }
            }
            _ => Ok(()),
        }
    }
}

/// The fixed bytes `expected` must stand at `at`.
fn same(
    frame: &[u8],
    at: usize,
    expected: &[u8],
    fault: impl Fn(u8, u8) -> FrameFault,
) -> Result<(), Fault> {
    for (i, expected) in expected.iter().enumerate() {
        let got = frame.get(at + i).copied().unwrap_or_default();
        if got != *expected {
            // The offset is where the fixed bytes begin, so that a shift can be recognized.
            return Err((at, fault(*expected, got)));
        }
    }
    Ok(())
}

/// Where `wanted` (not empty) first stands in `bytes`.
pub(super) fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len().max(1)).position(|window| window == wanted)
}
