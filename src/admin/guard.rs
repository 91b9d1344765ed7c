//! What every request to the admin listener passes first: its Host, its Content-Type, its turn.
//!
//! Contract: a page that a browser shows cannot ask here under another name for us (DNS rebinding),
//! nor post a form. Whoever is turned away, here or by the token, is told why, counted by reason
//! and logged with their address. Deliberately absent: the token ([`super::operators`]).

use super::operators::{Denied, denied};
use super::pace::Pace;
use super::wording::turned_away;
use crate::telemetry::names;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use std::net::SocketAddr;
use std::sync::Arc;

/// The two ends of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Met {
    /// The address that was called.
    pub(super) own: SocketAddr,
    /// Who called.
    pub(super) peer: SocketAddr,
}

/// Rules of the listener.
#[derive(Debug)]
pub(super) struct Guard {
    /// Other names of the listener, as configured.
    pub(super) hosts: Vec<String>,
    pub(super) pace: Pace,
}

/// Lets a request through, or says why not.
pub(super) async fn guard(
    State(guard): State<Arc<Guard>>,
    request: Request,
    next: Next,
) -> Response {
    let met = request.extensions().get::<Met>().copied();
    let answer = match guard.admits(met, request.method(), request.headers()) {
        Err(denied) => turned_away(denied),
        Ok(()) if guard.pace.turn().await.is_err() => turned_away(denied(
            StatusCode::TOO_MANY_REQUESTS,
            "rate",
            "too many requests: ask again",
        )),
        Ok(()) => next.run(request).await,
    };
    if let (Some(denied), Some(met)) = (answer.extensions().get::<Denied>(), met) {
        refuse(met.peer, denied.reason);
    }
    answer
}

/// Counts and logs somebody who was turned away.
pub(super) fn refuse(peer: SocketAddr, reason: &'static str) {
    metrics::counter!(names::ADMIN_REFUSED, "reason" => reason).increment(1);
    tracing::warn!(line = "admin", reason, %peer, "a request to the admin listener was refused");
}

impl Guard {
    fn admits(&self, met: Option<Met>, method: &Method, headers: &HeaderMap) -> Result<(), Denied> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok());
        let is_own = |host: &str| met.is_some_and(|met| self.is_own(host, met.own));
        if !host.is_some_and(is_own) || hosts.next().is_some() {
            let why = "expected one Host: the address and port of this listener, or a name of \
                admin.hosts";
            return Err(denied(StatusCode::MISDIRECTED_REQUEST, "host", why));
        }
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        if method == Method::POST && !kind.eq_ignore_ascii_case("application/json") {
            let why = "expected the header Content-Type: application/json";
            return Err(denied(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", why));
        }
        Ok(())
    }

    /// Whether this is the address that was called, its name on this machine, or a configured one.
    fn is_own(&self, host: &str, own: SocketAddr) -> bool {
        let own = SocketAddr::new(own.ip().to_canonical(), own.port());
        let stated = host.parse::<SocketAddr>();
        if stated.is_ok_and(|stated| stated == own) {
            return true;
        }
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => (name, port.parse().ok()),
            _ => (host, Some(80)),
        };
        let here = own.ip().is_loopback() && name.eq_ignore_ascii_case("localhost");
        let bare = name.trim_start_matches('[').trim_end_matches(']').parse() == Ok(own.ip());
        let named = self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host));
        named || (here || bare) && port == Some(own.port())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::time::Instant;

    #[test]
    fn a_host_is_the_address_that_was_called_or_a_configured_name() {
        let pace = Pace::new(Arc::new(Instant::default), 1, 1);
        let guard = Guard { hosts: vec!["switch.bank:9183".to_owned()], pace };
        let cases = [
            ("127.0.0.1:9183", "127.0.0.1:9183 localhost:9183 LOCALHOST:9183 Switch.Bank:9183"),
            ("[::1]:9183", "[::1]:9183 localhost:9183"),
            ("10.0.0.7:80", "10.0.0.7 10.0.0.7:80"),
            ("[::ffff:10.0.0.7]:9183", "10.0.0.7:9183"),
        ];
        for (own, hosts) in cases {
            let own = own.parse().unwrap();
            assert!(hosts.split(' ').all(|host| guard.is_own(host, own)), "{own}");
        }
        let wrong = "evil.example:9183 127.0.0.1 127.0.0.1:80 127.0.0.2:9183 localhost x: : \
            127.0.0.1:9183.evil.example switch.bank localhost:9183:9183 [::1]:9183";
        let own = "127.0.0.1:9183".parse().unwrap();
        for host in wrong.split_whitespace().chain([""]) {
            assert!(!guard.is_own(host, own), "{host}");
        }
        assert!(!guard.is_own("localhost:9183", "10.0.0.7:9183".parse().unwrap()));
    }
}
