//! The door of a line: accepts connections up to a cap, from whom it likes.
//!
//! Contract: over the cap, from an address that is not allowed, that was sent away or that
//! connects too often, a connection is closed at once and reported; nothing is read from it and
//! nothing allocated for it. Places are counted in [`super::seats`], addresses remembered in
//! [`super::addresses`]. Deliberately absent: spawning; sessions.

use super::MonoClock;
use super::addresses::{Addresses, Greeting, one_host};
use super::conduct::{Book, Conduct};
use super::seats::Seats;
use super::tcp;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::{TcpListener, TcpStream};

/// Who may connect: asked once per connection, before anything is read.
pub type Allow = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// A listening socket.
pub struct Listener {
    socket: TcpListener,
    seats: Arc<Seats>,
    book: Book,
    allow: Allow,
    clock: MonoClock,
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
        /// How it behaves, with the place it waits for: to be kept until the connection is over.
        conduct: Box<Conduct>,
    },
    /// A peer was turned away.
    Refused {
        /// From where.
        peer: SocketAddr,
        /// Why, as a word from a closed set.
        why: &'static str,
        /// Whether that is worth a line: of many alike only the first is.
        tell: bool,
    },
}

impl Listener {
    /// Listens on `address` (`host:port`, port 0 lets the OS pick).
    ///
    /// # Errors
    /// What the operating system says, e.g. that the port is in use.
    pub async fn bind(
        address: &str,
        max_sessions: usize,
        allow: Allow,
        clock: MonoClock,
    ) -> io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        let book = Arc::new(Mutex::new(Addresses::new(max_sessions)));
        Ok(Self { socket, seats: Seats::new(max_sessions), book, allow, clock })
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
        let refused = |why, tell| Ok(Accepted::Refused { peer, why, tell });
        if !(self.allow)(peer.ip()) {
            return refused("not_allowed", true);
        }
        let now = (self.clock)();
        let greeting = {
            let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
            book.greet(now, peer.ip())
        };
        if let Greeting::Away { why, first } = greeting {
            tcp::drop_at_once(stream);
            return refused(why, first);
        }
        let Some(seat) = self.seats.enter(one_host(peer.ip())) else {
            return refused("too_many_sessions", true);
        };
        if tcp::prepare(&stream).is_err() {
            return refused("gone", true);
        }
        let conduct = Conduct::of_caller(now, peer.ip(), Arc::clone(&self.book), seat);
        Ok(Accepted::Peer { stream, peer, conduct: Box::new(conduct) })
    }
}
