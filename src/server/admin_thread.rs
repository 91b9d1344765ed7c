//! The thread of the admin listener: probes, scrapers and operators, beside the payments.
//!
//! Contract: whoever asks here, however much, slowly or never to the end, takes time of this thread
//! only, which stands behind those of payments; connections are bounded in number, and what is over
//! is closed at once. Deliberately absent: what is answered, and limits of time and rate (`admin`).

use super::doors::ACCEPT_PAUSE;
use super::housekeeping;
use super::wiring::{StartError, cannot_listen};
use crate::admin::AdminDoor;
use crate::config::settings::AdminSettings;
use crate::limits::ADMIN_CONNECTIONS_MAX;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use tokio::sync::{Semaphore, oneshot};
use tracing::{error, warn};

/// The running thread; dropped, it ends.
pub(super) struct AdminThread {
    _end: oneshot::Sender<()>,
}

/// The listener, bound.
pub(super) fn bind(
    admin: Option<&AdminSettings>,
    errors: &mut Vec<StartError>,
) -> Option<TcpListener> {
    let address = admin?.address.as_str();
    let bound = TcpListener::bind(address).and_then(|socket| {
        socket.set_nonblocking(true)?;
        Ok(socket)
    });
    let key = "admin.address".to_owned();
    bound.map_err(|error| errors.push(cannot_listen(key, address, &error))).ok()
}

impl AdminThread {
    /// Starts it.
    ///
    /// # Errors
    /// When the operating system refuses a thread.
    pub(super) fn start(socket: TcpListener, door: AdminDoor) -> io::Result<Self> {
        let (end, ended) = oneshot::channel();
        housekeeping::start("admin", move || {
            if let Err(error) = run(socket, door, ended) {
                error!(%error, "the admin listener does not run");
            }
        })?;
        Ok(Self { _end: end })
    }
}

fn run(socket: TcpListener, door: AdminDoor, ended: oneshot::Receiver<()>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let socket = tokio::net::TcpListener::from_std(socket)?;
        tokio::select! {
            () = keep_accepting(socket, door) => {}
            // Nobody says so: its sender is dropped.
            _ = ended => {}
        }
        Ok(())
    })
}

async fn keep_accepting(socket: tokio::net::TcpListener, door: AdminDoor) {
    let places = Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX));
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => match Arc::clone(&places).try_acquire_owned() {
                Ok(place) => {
                    let door = door.clone();
                    tokio::spawn(async move {
                        door.converse(stream, peer).await;
                        drop(place);
                    });
                }
                Err(_) => {
                    drop(stream);
                    AdminDoor::turned_away(peer);
                }
            },
            Err(error) => {
                warn!(line = "admin", %error, "accepting failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
