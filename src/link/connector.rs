//! Calls a bank: one address after the other, with a growing, jittered pause between rounds.
//!
//! Contract: a try never takes longer than the connect timeout; the pause doubles from the first
//! to the largest and is jittered between half and whole, so that many lines do not come back in
//! step; a session that lasted resets it. Deliberately absent: spawning, sleeping, sessions.

use super::tcp;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A session that lived so long was a good one: the next pause is the first one again.
pub const GOOD_SESSION: Duration = Duration::from_secs(10);

/// The pauses between tries.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    largest: Duration,
    next: Duration,
}

impl Backoff {
    /// Pauses from `first` to `largest`.
    pub const fn new(first: Duration, largest: Duration) -> Self {
        Self { first, largest, next: first }
    }

    /// The next pause; `random` picks a point between half and whole of it.
    pub fn pause(&mut self, random: u32) -> Duration {
        let whole = self.next.min(self.largest);
        self.next = whole.saturating_mul(2).min(self.largest);
        whole / 2 + (whole / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    /// Begins with the first pause again.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

/// One line's calls.
#[derive(Debug)]
pub struct Connector {
    addresses: Vec<String>,
    next: usize,
    connect_timeout: Duration,
    /// The pauses between rounds.
    pub backoff: Backoff,
}

impl Connector {
    /// A connector for `addresses` (`host:port`, in order of preference).
    pub fn new(addresses: Vec<String>, connect_timeout: Duration, backoff: Backoff) -> Self {
        Self { addresses, next: 0, connect_timeout, backoff }
    }

    /// Tries the next address; the preferred one is first after a success.
    ///
    /// # Errors
    /// The address that was tried, and what the operating system says.
    pub async fn try_once(&mut self) -> Result<(TcpStream, String), (String, io::Error)> {
        let address = self.addresses.get(self.next).cloned().unwrap_or_default();
        self.next = (self.next + 1) % self.addresses.len().max(1);
        let connected = timeout(self.connect_timeout, TcpStream::connect(&address)).await;
        let prepared = connected
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .and_then(|stream| tcp::prepare(&stream).map(|()| stream));
        match prepared {
            Ok(stream) => {
                self.next = 0;
                Ok((stream, address))
            }
            Err(error) => Err((address, error)),
        }
    }

    /// Whether every address has been tried since the last pause: time for the next one.
    pub fn round_is_over(&self) -> bool {
        self.next == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_largest_and_keep_their_jitter_within_half() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(100), ms(350));
        let most: Vec<_> = (0..4).map(|_| backoff.pause(u32::MAX)).collect();
        assert_eq!(most, [ms(100), ms(200), ms(350), ms(350)]);
        assert_eq!(backoff.pause(0), ms(175));
        backoff.reset();
        assert_eq!(backoff.pause(u32::MAX), ms(100));
    }
}
