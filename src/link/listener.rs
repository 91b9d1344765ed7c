//! The door of a line: accepts connections up to a cap, from whom it likes.
//!
//! Contract: over the cap, or from an address that is not allowed, a connection is closed at once
//! and reported; nothing is read from it and nothing allocated for it. A permit lives as long as
//! its session. Deliberately absent: spawning; sessions.

use super::tcp;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Who may connect: asked once per connection, before anything is read.
pub type Allow = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// A listening socket.
pub struct Listener {
    socket: TcpListener,
    permits: Arc<Semaphore>,
    allow: Allow,
}

/// One connection attempt.
#[derive(Debug)]
pub enum Accepted {
    /// A peer is let in.
    Peer {
        /// The connection.
        stream: TcpStream,
        /// From where.
        peer: SocketAddr,
        /// To be dropped when the session has ended.
        permit: OwnedSemaphorePermit,
    },
    /// A peer was turned away.
    Refused {
        /// From where.
        peer: SocketAddr,
        /// Why, as a word from a closed set.
        why: &'static str,
    },
}

impl Listener {
    /// Listens on `address` (`host:port`, port 0 lets the OS pick).
    ///
    /// # Errors
    /// What the operating system says, e.g. that the port is in use.
    pub async fn bind(address: &str, max_sessions: usize, allow: Allow) -> io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        let permits = Arc::new(Semaphore::new(max_sessions.min(Semaphore::MAX_PERMITS)));
        Ok(Self { socket, permits, allow })
    }

    /// The address it listens on, with the real port.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The next connection attempt.
    ///
    /// # Errors
    /// What the operating system says (out of descriptors, for instance): try again after a pause.
    pub async fn accept(&self) -> io::Result<Accepted> {
        let (stream, peer) = self.socket.accept().await?;
        if !(self.allow)(peer.ip()) {
            return Ok(Accepted::Refused { peer, why: "not_allowed" });
        }
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return Ok(Accepted::Refused { peer, why: "too_many_sessions" });
        };
        match tcp::prepare(&stream) {
            Ok(()) => Ok(Accepted::Peer { stream, peer, permit }),
            Err(_) => Ok(Accepted::Refused { peer, why: "gone" }),
        }
    }
}
