//! HTTP for operators and their machines: `/live`, `/ready`, `/metrics`, the desk (`/desk`,
//! `/late`), the books of banks (`/books`) and their lines (`/banks`).
//!
//! Contract: probes read only; `/ready` answers 503 and names the latches that are open. The
//! desk asks the driver over a bounded queue, a page at a time, so that no question slows
//! traffic down. Connections are bounded in time, requests in size and rate; who may ask at all
//! says `guard.rs`. Deliberately absent: the thread, and how many connections there are (`server`);
//! the console (later).

mod banks;
mod books;
mod decisions;
mod desk;
#[cfg(test)]
mod desk_tests;
mod guard;
mod latches;
mod operators;
mod pace;
mod unsettled;
mod wording;

pub use latches::{Latch, Latches};
pub use operators::{
    BankOrder, BankSum, BankVerb, Decided, DeskPage, OperatorDoor, OrderRefused, Ordered, Question,
    Senseless, Swept,
};

pub use pace::PaceClock;

use crate::limits::{ADMIN_HEAD_LIMIT, ADMIN_HEAD_MAX, ADMIN_LIMIT, ADMIN_REQUESTS_PER_S};
use crate::telemetry::Recorder;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Extension, Router, middleware};
use guard::{Guard, Met, guard, refuse};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use pace::Pace;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;

/// The admin listener's answers. Copies share their rates.
#[derive(Debug, Clone)]
pub struct AdminDoor(Router);

impl AdminDoor {
    /// All pages; `hosts` are names of the listener besides its address.
    pub fn new(
        latches: Latches,
        recorder: Recorder,
        operators: OperatorDoor,
        hosts: Vec<String>,
        clock: PaceClock,
    ) -> Self {
        let pace = Pace::new(clock, ADMIN_REQUESTS_PER_S, ADMIN_REQUESTS_PER_S);
        let rules = Arc::new(Guard { hosts, pace });
        let all = pages(latches, recorder).merge(for_operators(operators));
        Self(all.layer(middleware::from_fn_with_state(rules, guard)))
    }

    /// One connection, which is one request: bounded in time from its first to its last byte.
    pub async fn converse(&self, stream: TcpStream, peer: SocketAddr) {
        let Ok(own) = stream.local_addr() else { return };
        let pages = self.0.clone().layer(Extension(Met { own, peer }));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(ADMIN_HEAD_LIMIT);
        http.max_buf_size(ADMIN_HEAD_MAX).keep_alive(false);
        let talk = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(pages));
        match tokio::time::timeout(ADMIN_LIMIT, talk).await {
            Err(_) => refuse(peer, "slow"),
            Ok(Err(error)) if error.is_timeout() => refuse(peer, "slow"),
            Ok(Err(error)) => tracing::debug!(%peer, %error, "admin: no whole request"),
            Ok(Ok(())) => {}
        }
    }

    /// Somebody for whom there was no room.
    pub fn turned_away(peer: SocketAddr) {
        refuse(peer, "full");
    }
}

/// What asks for the token.
fn for_operators(door: OperatorDoor) -> Router {
    desk::routes(door.clone())
        .merge(decisions::routes(door.clone()))
        .merge(books::routes(door.clone()))
        .merge(unsettled::routes(door.clone()))
        .merge(banks::routes(door))
}

fn pages(latches: Latches, recorder: Recorder) -> Router {
    let metrics_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    Router::new()
        .route("/live", get(|| async { "live\n" }))
        .route("/ready", get(move || async move { ready(&latches) }))
        .route("/metrics", get(move || async move { (metrics_type, recorder.render()) }))
}

fn ready(latches: &Latches) -> impl IntoResponse + use<> {
    let status = if latches.ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let line = |(name, good)| match good {
        true => format!("{name} ready\n"),
        false => format!("{name} not ready{}\n", latches.why(name)),
    };
    (status, latches.each().map(line).collect::<String>())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::link::Inbox;
    use crate::time::Instant;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn page(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn ready_needs_every_latch_and_live_needs_none() {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let latches = Latches::default();
        let clock: PaceClock = Arc::new(Instant::default);
        let (operators, _asked) = OperatorDoor::new(Inbox::new(1), None, true, Arc::clone(&clock));
        let recorder = Recorder::of_process();
        let door = AdminDoor::new(latches.clone(), recorder, operators, vec![], clock);
        let server = tokio::task::spawn(async move {
            while let Ok((stream, peer)) = socket.accept().await {
                door.converse(stream, peer).await;
            }
        });
        assert!(page(address, "/live").await.starts_with("HTTP/1.1 200"));
        latches.set(Latch::Dialects, true);
        latches.set(Latch::Listeners, true);
        let ready = page(address, "/ready").await;
        assert!(
            ready.starts_with("HTTP/1.1 503") && ready.contains("journal not ready"),
            "{ready}"
        );
        latches.set_journal(false, true);
        let ready = page(address, "/ready").await;
        assert!(ready.contains("journal not ready: no space"), "{ready}");
        latches.set_journal(true, false);
        assert!(page(address, "/ready").await.starts_with("HTTP/1.1 200"));
        metrics::counter!(crate::telemetry::names::IMPOSSIBLE).increment(0);
        assert!(page(address, "/metrics").await.contains("pointsman_impossible_total 0"));
        server.abort();
    }
}
