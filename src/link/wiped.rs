//! A stream under TLS that leaves nothing in the buffer it is given to read into.
//!
//! Contract: the TLS library decrypts in place and keeps that buffer, with the last messages in it,
//! until the next ones come. It hands it here to be filled; where there is nothing to fill it with,
//! it goes back wiped. Up to 18 kB for each time the peer has nothing more.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream whose reader's buffer is wiped while there is nothing to read.
#[derive(Debug)]
pub struct Wiped<S>(pub(super) S);

impl<S: AsyncRead + Unpin> AsyncRead for Wiped<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.0).poll_read(cx, buf);
        if read.is_pending() {
            buf.initialize_unfilled().fill(0);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wiped<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn what_was_read_before_is_wiped_once_there_is_nothing_more() -> io::Result<()> {
        let (mut peer, ours) = tokio::io::duplex(64);
        let mut ours = Wiped(ours);
        peer.write_all(b"4111").await?;
        let mut bytes = *b"stale-stale";
        let mut poll = |bytes: &mut [u8]| {
            let mut buf = ReadBuf::new(bytes);
            let mut cx = Context::from_waker(std::task::Waker::noop());
            let read = Pin::new(&mut ours).poll_read(&mut cx, &mut buf);
            (read.is_ready(), buf.filled().len())
        };
        assert_eq!(poll(&mut bytes), (true, 4));
        assert_eq!(&bytes, b"4111e-stale");
        assert_eq!(poll(&mut bytes), (false, 0));
        assert_eq!(bytes, [0; 11]);
        Ok(())
    }
}
