//! The loops that make sessions: one per listening line, one per calling line.
//!
//! Contract: a session's task is its own; whatever ends it is logged and counted here, and a
//! panic in one does not touch the others.

use crate::link::connector::{Backoff, Connector, GOOD_SESSION};
use crate::link::tls::LineTls;
use crate::link::translation::{Translation, Wire};
use crate::link::{Accepted, Conduct, Door, Ended, Listener, Session, Stream};
use crate::switch::ids::{Name, SessionId};
use crate::switch::output::CloseReason;
use crate::telemetry::LineMeters;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tracing::{debug, info, warn};

/// Pause after the operating system refused to accept (out of descriptors, for instance).
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// One line, ready to have sessions.
#[derive(Clone)]
pub(super) struct Line {
    /// Its name.
    pub(super) name: Name,
    /// What its sessions share.
    pub(super) door: Door,
    /// Its dialect and keys.
    pub(super) wire: Wire,
    /// Its TLS, where it has one.
    pub(super) tls: Option<Arc<LineTls>>,
    /// Whether we speak first on it, as towards banks: a place is taken without waiting for a word.
    pub(super) speaks_first: bool,
    /// Its metrics.
    pub(super) meters: LineMeters,
    /// Numbers sessions over all lines.
    pub(super) sessions: Arc<AtomicU64>,
    /// Set when the switch goes down: no new sessions then.
    pub(super) closing: Arc<AtomicBool>,
}

impl Line {
    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// One connection from its first to its last byte; whether its peer was sent away for what it
    /// said.
    async fn converse(&self, stream: TcpStream, peer: &str, mut conduct: Conduct) -> bool {
        let session = SessionId(self.sessions.fetch_add(1, Ordering::Relaxed) + 1);
        let line = self.name;
        info!(%line, %session, peer, "connected");
        let Some(stream) = self.shake_hands(session, stream, peer, &mut conduct).await else {
            return false;
        };
        if self.speaks_first && !conduct.sit() {
            self.meters.refused("too_many_sessions");
            warn!(%line, %session, peer, "every place is taken");
            return false;
        }
        self.tell_when_slowed(session, peer, &mut conduct);
        let interpreter = Translation::new(self.wire.clone());
        let door = self.door.clone();
        let (ended, conduct) =
            Session::new(session, door, stream, interpreter, conduct).run().await;
        self.meters.ended(ended.word());
        info!(%line, %session, peer, reason = ended.word(), "disconnected: {ended}");
        let now = (self.door.clock)();
        let sent_away = matches!(ended, Ended::Core(CloseReason::Garbage));
        let away = match ended {
            Ended::Core(CloseReason::Garbage) => conduct.send_away(now),
            // Not its fault.
            Ended::Core(_) | Ended::NoPlace | Ended::PushedOut | Ended::Panicked => None,
            _ if conduct.has_been_heard() => None,
            _ => conduct.fruitless(now),
        };
        if sent_away && away.is_none() {
            let (count, why) = conduct.brought();
            warn!(%line, peer, why, count, "talks nonsense: closed; it is called again later");
        }
        self.say_if_sent_away(peer, away, &conduct);
        sent_away
    }

    /// The stream to talk over, unless it comes to none.
    async fn shake_hands(
        &self,
        session: SessionId,
        stream: TcpStream,
        peer: &str,
        conduct: &mut Conduct,
    ) -> Option<Stream> {
        let Some(tls) = &self.tls else { return Some(Stream::Tcp(stream)) };
        let line = self.name;
        let shaken = tokio::select! {
            shaken = tls.handshake(stream) => shaken,
            () = poll_fn(|cx| conduct.poll_pushed_out(cx)) => {
                self.meters.refused("pushed_out");
                info!(%line, %session, peer, "pushed out before its handshake was over");
                return None;
            }
        };
        let refused = |error| {
            self.meters.refused("tls");
            warn!(%line, %session, peer, %error, "a peer was turned away");
            self.say_if_sent_away(peer, conduct.fruitless((self.door.clock)()), conduct);
        };
        shaken.map_err(refused).ok()
    }

    fn tell_when_slowed(&self, session: SessionId, peer: &str, conduct: &mut Conduct) {
        let (line, peer, meters) = (self.name, peer.to_owned(), self.meters.clone());
        conduct.tell(Box::new(move |kind, count| {
            meters.slowed();
            let why = kind.word();
            warn!(%line, %session, peer, why, count, "talks nonsense: it is read more slowly");
        }));
    }

    fn say_if_sent_away(&self, peer: &str, away: Option<Duration>, conduct: &Conduct) {
        let Some(away) = away else { return };
        self.meters.sent_away();
        let (line, (count, why)) = (self.name, conduct.brought());
        let seconds = away.as_secs_f64();
        warn!(
            %line, peer, why, count, seconds,
            "talks nonsense: its address is not let in for a while"
        );
    }
}

/// Accepts connections until the switch goes down.
pub(super) async fn keep_listening(listener: Listener, line: Line) {
    while !line.is_closing() {
        match listener.accept().await {
            Ok(Accepted::Peer { .. }) if line.is_closing() => return,
            Ok(Accepted::Peer { stream, peer, conduct }) => {
                let line = line.clone();
                tokio::spawn(async move {
                    line.converse(stream, &peer.to_string(), *conduct).await;
                });
            }
            Ok(Accepted::Refused { peer, why, tell }) => {
                line.meters.refused(why);
                if tell {
                    warn!(line = %line.name, %peer, why, "a connection was turned away");
                }
            }
            Err(error) => {
                warn!(line = %line.name, %error, "accepting failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Calls until the switch goes down: one session at a time, growing pauses between tries.
pub(super) async fn keep_calling(mut connector: Connector, line: Line) {
    let mut failing = false;
    while !line.is_closing() {
        match connector.try_once().await {
            Ok((stream, address)) => {
                failing = false;
                let began = (line.door.clock)();
                let nonsense = line.converse(stream, &address, Conduct::of_called(began)).await;
                if !nonsense && (line.door.clock)().since(began) >= GOOD_SESSION {
                    connector.backoff.reset();
                }
                pause(&mut connector.backoff).await;
            }
            Err((address, error)) => {
                line.meters.connect_failed();
                // Once is worth waking somebody; the metric counts the rest.
                if failing {
                    debug!(line = %line.name, address, %error, "calling failed again");
                } else {
                    warn!(line = %line.name, address, %error, "calling failed; trying on");
                }
                failing = true;
                if connector.round_is_over() {
                    pause(&mut connector.backoff).await;
                }
            }
        }
    }
}

async fn pause(backoff: &mut Backoff) {
    // Without randomness lines come back in step: a pity, not a fault.
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    tokio::time::sleep(backoff.pause(random)).await;
}
