//! HTTP for operators and their machines: `/live`, `/ready`, `/metrics`, the desk (`/desk`,
//! `/late`), the books of banks (`/books`) and their lines (`/banks`).
//!
//! Contract: probes read only; `/ready` answers 503 and names the latches that are open. The
//! desk asks the driver over a bounded queue, a page at a time, so that no question slows
//! traffic down. Deliberately absent: the console (later).

mod banks;
mod books;
mod decisions;
mod desk;
#[cfg(test)]
mod desk_tests;
mod latches;
mod operators;
mod unsettled;
mod wording;

pub use latches::{Latch, Latches};
pub use operators::{
    BankOrder, BankSum, BankVerb, Decided, DeskPage, OperatorDoor, OrderRefused, Ordered, Question,
    Senseless, Swept,
};

use crate::telemetry::Recorder;
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

/// Serves until its future is dropped.
///
/// # Errors
/// When accepting fails for good.
pub async fn serve(
    socket: TcpListener,
    latches: Latches,
    recorder: Recorder,
    operators: OperatorDoor,
) -> std::io::Result<()> {
    axum::serve(socket, pages(latches, recorder).merge(for_operators(operators))).await
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
    let line = |(name, good)| format!("{name} {}\n", if good { "ready" } else { "not ready" });
    (status, latches.each().map(line).collect::<String>())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::link::Inbox;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    async fn page(address: std::net::SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
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
        let (operators, _asked) = OperatorDoor::new(Inbox::new(1), None, true);
        let server = serve(socket, latches.clone(), Recorder::of_process(), operators);
        let server = tokio::task::spawn(server);
        assert!(page(address, "/live").await.starts_with("HTTP/1.1 200"));
        latches.set(Latch::Dialects, true);
        latches.set(Latch::Listeners, true);
        let ready = page(address, "/ready").await;
        assert!(
            ready.starts_with("HTTP/1.1 503") && ready.contains("journal not ready"),
            "{ready}"
        );
        latches.set(Latch::Journal, true);
        assert!(page(address, "/ready").await.starts_with("HTTP/1.1 200"));
        metrics::counter!(crate::telemetry::names::IMPOSSIBLE).increment(0);
        assert!(page(address, "/metrics").await.contains("pointsman_impossible_total 0"));
        server.abort();
    }
}
