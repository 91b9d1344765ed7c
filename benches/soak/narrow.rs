//! A pipe to a bank that can be made narrow: the bank then reads a few bytes at a time, so that
//! what the switch writes backs up into the switch.
//!
//! Contract: the receive buffer towards the switch is as small as the system lets it be, in both
//! states; nothing is lost or changed. Answers always pass. The simulators' proxy takes what it
//! is sent and therefore cannot push back.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;

/// Bytes per read of a narrow pipe, and how far apart reads are: less than one request a second.
const SIP: usize = 16;
const APART: Duration = Duration::from_millis(100);

/// A running pipe.
pub(crate) struct Narrow {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    state: Rc<watch::Sender<bool>>,
}

impl Narrow {
    /// Listens on a port the OS picks and passes on to `target`, until the runtime ends.
    pub(crate) fn start(target: SocketAddr) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4_096)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let listener = socket.listen(16)?;
        let address = listener.local_addr()?;
        let state = Rc::new(watch::Sender::new(false));
        let theirs = Rc::clone(&state);
        tokio::task::spawn_local(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::task::spawn_local(pass(near, target, theirs.subscribe()));
            }
        });
        Ok(Self { address, state })
    }

    /// Narrow from now on, or no more.
    pub(crate) fn narrow(&self, narrow: bool) {
        self.state.send_replace(narrow);
    }
}

async fn pass(near: TcpStream, target: SocketAddr, state: watch::Receiver<bool>) -> io::Result<()> {
    let far = TcpStream::connect(target).await?;
    far.set_nodelay(true)?;
    near.set_nodelay(true)?;
    let ((near_in, mut near_out), (mut far_in, far_out)) = (near.into_split(), far.into_split());
    // Either end ends both.
    tokio::select! {
        up = sip(near_in, far_out, state) => up,
        down = tokio::io::copy(&mut far_in, &mut near_out) => down.map(drop),
    }
}

async fn sip(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut buf = vec![0; 1 << 16];
    loop {
        let narrow = *state.borrow_and_update();
        let room = if narrow { SIP } else { buf.len() };
        let got = from.read(&mut buf[..room]).await?;
        if got == 0 {
            return Ok(());
        }
        to.write_all(&buf[..got]).await?;
        if narrow {
            // Wide again: at once.
            drop(tokio::time::timeout(APART, state.changed()).await);
        }
    }
}
