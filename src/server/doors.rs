//! The loops that make sessions: one per listening line, one per calling line.
//!
//! Contract: a session's task is its own; whatever ends it is logged and counted here, and a
//! panic in one does not touch the others.

use crate::link::connector::{Backoff, Connector, GOOD_SESSION};
use crate::link::tls::LineTls;
use crate::link::translation::{Translation, Wire};
use crate::link::{Accepted, Door, Listener, Session, Stream};
use crate::switch::ids::{Name, SessionId};
use crate::telemetry::LineMeters;
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

    /// One connection from its first to its last byte.
    async fn converse(&self, stream: TcpStream, peer: &str) {
        let session = SessionId(self.sessions.fetch_add(1, Ordering::Relaxed) + 1);
        let line = self.name;
        info!(%line, %session, peer, "connected");
        let stream = match &self.tls {
            None => Stream::Tcp(stream),
            Some(tls) => match tls.handshake(stream).await {
                Ok(stream) => stream,
                Err(error) => {
                    self.meters.refused("tls");
                    return warn!(%line, %session, peer, %error, "a peer was turned away");
                }
            },
        };
        let interpreter = Translation::new(self.wire.clone());
        let session_task = Session::new(session, self.door.clone(), stream, interpreter);
        let ended = session_task.run().await;
        self.meters.ended(ended.word());
        info!(%line, %session, peer, reason = ended.word(), "disconnected: {ended}");
    }
}

/// Accepts connections until the switch goes down.
pub(super) async fn keep_listening(listener: Listener, line: Line) {
    while !line.is_closing() {
        match listener.accept().await {
            Ok(Accepted::Peer { .. }) if line.is_closing() => return,
            Ok(Accepted::Peer { stream, peer, permit }) => {
                let line = line.clone();
                tokio::spawn(async move {
                    line.converse(stream, &peer.to_string()).await;
                    drop(permit);
                });
            }
            Ok(Accepted::Refused { peer, why }) => {
                line.meters.refused(why);
                warn!(line = %line.name, %peer, why, "a connection was turned away");
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
                line.converse(stream, &address).await;
                if (line.door.clock)().since(began) >= GOOD_SESSION {
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
