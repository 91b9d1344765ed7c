//! Frames on a stream of bytes: `tokio_util`'s codec over [`Framing`].
//!
//! Contract: decoding hands out slices of the read buffer, nothing is copied; keep-alives are
//! passed over; an error ends the stream, it has no way back into step. Deliberately absent: the
//! way out – sessions pack in place ([`super::interpreter`]).

use crate::framing::{FrameError, Framing, Split, TPDU_BYTES};
use bytes::{Buf, BytesMut};
use std::io;
use tokio_util::codec::Decoder;

/// A message as it was cut from the stream.
#[derive(Debug)]
pub struct Frame {
    /// Its TPDU, where the framing has one.
    pub tpdu: Option<[u8; TPDU_BYTES]>,
    /// The message.
    pub body: BytesMut,
}

/// Why no more frames can be cut from this stream.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// What came is no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The stream itself failed.
    #[error("the stream failed: {0}")]
    Io(#[from] io::Error),
}

/// Cuts the frames of one session.
#[derive(Debug)]
pub struct FrameCodec {
    framing: Framing,
    /// Bytes the buffer must hold before it is worth looking again.
    needs: usize,
}

impl FrameCodec {
    /// A codec at the beginning of a stream.
    pub fn new(framing: Framing) -> Self {
        Self { framing, needs: 0 }
    }
}

impl Decoder for FrameCodec {
    type Item = Frame;
    type Error = CodecError;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Frame>, CodecError> {
        while !src.is_empty() && src.len() >= self.needs {
            match self.framing.split(src)? {
                Split::More { at_least } => {
                    self.needs = at_least;
                    src.reserve(at_least.saturating_sub(src.len()));
                }
                Split::KeepAlive { taken } => {
                    self.needs = 0;
                    src.advance(taken);
                }
                Split::Frame { taken, tpdu, body } => {
                    self.needs = 0;
                    let mut frame = src.split_to(taken);
                    frame.truncate(body.end);
                    frame.advance(body.start);
                    return Ok(Some(Frame { tpdu, body: frame }));
                }
            }
        }
        Ok(None)
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
            let (mut read, mut got) = (BytesMut::new(), Vec::new());
            for bytes in stream.chunks(chunk) {
                read.extend_from_slice(bytes);
                while let Some(frame) = reader.decode(&mut read).unwrap() {
                    got.push(frame.body);
                }
            }
            assert_eq!(got, [&b"0800first"[..], b"0810second"]);
            assert!(read.is_empty());
        }
    }

    #[test]
    fn an_oversized_length_is_refused_before_anything_is_allocated() {
        let mut reader = FrameCodec::new(Framing::named("2-byte-be").unwrap());
        let mut read = BytesMut::from(&[0xFF, 0xFF][..]);
        assert!(matches!(reader.decode(&mut read), Err(CodecError::Frame(_))));
        assert!(read.capacity() < 100);
    }
}
