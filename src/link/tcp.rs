//! Options of every TCP socket, ours and accepted ones.
//!
//! Contract: small messages leave at once (nodelay); a peer that is gone is found within
//! [`DEAD_PEER_AFTER`] even while the line is busy (`TCP_USER_TIMEOUT`) or silent (keep-alive).

use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;

/// Unacknowledged bytes or probes for this long mean that the peer is gone: below the usual
/// bank timeout of 25 to 35 s, above any ordinary network hiccup.
pub const DEAD_PEER_AFTER: Duration = Duration::from_secs(20);
/// First keep-alive probe after this much silence, and the pause between probes.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(5);

/// Sets the options of a connected socket.
///
/// # Errors
/// What the operating system says; the socket is then of no use.
pub fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keep_alive =
        TcpKeepalive::new().with_time(KEEP_ALIVE_EVERY).with_interval(KEEP_ALIVE_EVERY);
    socket.set_tcp_keepalive(&keep_alive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(DEAD_PEER_AFTER))?;
    Ok(())
}

/// Ends a connection that nobody will talk over, and leaves nothing of it behind: a flood of them
/// would fill the kernel's tables.
pub fn drop_at_once(stream: TcpStream) {
    // Where that cannot be set it ends as others do.
    let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    drop(stream);
}
