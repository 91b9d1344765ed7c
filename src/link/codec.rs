//! Frames on a stream of bytes: [`Framing`] with what it must remember between two reads.
//!
//! Contract: frames are slices of what was read, nothing is copied; keep-alives are passed over;
//! an error ends the stream, it has no way back into step. Deliberately absent: buffers, which
//! are the session's, and the way out – sessions pack in place ([`super::interpreter`]).

use crate::framing::{FrameError, Framing, Split, TPDU_BYTES};

/// A message as it was cut from the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its TPDU, where the framing has one.
    pub tpdu: Option<[u8; TPDU_BYTES]>,
    /// The message.
    pub body: &'a [u8],
}

/// Cuts the frames of one session.
#[derive(Debug)]
pub struct FrameCodec {
    framing: Framing,
    /// Bytes of the frame that must be there before it is worth looking again.
    needs: usize,
}

impl FrameCodec {
    /// A codec at the beginning of a stream.
    pub fn new(framing: Framing) -> Self {
        Self { framing, needs: 0 }
    }

    /// The frame at `at` in what was read, which moves behind it; `None` until there is more.
    ///
    /// # Errors
    /// [`FrameError`] where no frame can begin like this.
    pub fn next<'a>(
        &mut self,
        read: &'a [u8],
        at: &mut usize,
    ) -> Result<Option<Frame<'a>>, FrameError> {
        loop {
            let rest = read.get(*at..).unwrap_or_default();
            if rest.is_empty() || rest.len() < self.needs {
                return Ok(None);
            }
            match self.framing.split(rest)? {
                Split::More { at_least } => self.needs = at_least,
                Split::KeepAlive { taken } => {
                    self.needs = 0;
                    *at += taken;
                }
                Split::Frame { taken, tpdu, body } => {
                    self.needs = 0;
                    *at += taken;
                    return Ok(Some(Frame { tpdu, body: rest.get(body).unwrap_or_default() }));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn frames_come_out_whole_however_the_bytes_come_in() {
        let framing = Framing::named("2-byte-be").unwrap();
        let mut stream = Vec::new();
        for body in [&b"0800first"[..], b"0810second"] {
            let mark = framing.begin(&mut stream, None);
            stream.extend_from_slice(body);
            framing.finish(&mut stream, mark).unwrap();
        }
        for chunk in [1, 2, 3, stream.len()] {
            let mut reader = FrameCodec::new(framing.clone());
            let (mut read, mut at, mut got) = (Vec::new(), 0, Vec::new());
            for bytes in stream.chunks(chunk) {
                read.extend_from_slice(bytes);
                while let Some(frame) = reader.next(&read, &mut at).unwrap() {
                    got.push(frame.body.to_vec());
                }
            }
            assert_eq!(got, [&b"0800first"[..], b"0810second"]);
            assert_eq!(at, stream.len());
        }
    }

    #[test]
    fn an_oversized_length_is_refused_before_its_bytes_come() {
        let mut reader = FrameCodec::new(Framing::named("2-byte-be").unwrap());
        assert!(reader.next(&[0xFF, 0xFF], &mut 0).is_err());
    }
}
