//! The thread that writes the log, and the one that tells standard output who we are.
//!
//! Contract: a log that is full, closed, slow or stuck is felt by this thread only. The end of
//! the process waits for it for a bounded time. Deliberately absent: what is logged and what is
//! lost (`telemetry`).

use super::clock::Clock;
use crate::limits::LOG_END_LIMIT;
use crate::telemetry::{Format, Log, start_logging};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::Builder;

/// The log of this process, on standard error. Dropped, it writes what still waits, if it can.
pub struct LogThread(Log);

impl LogThread {
    /// Starts the log.
    ///
    /// # Errors
    /// When the operating system refuses a thread.
    pub fn start(format: Format, filter: &str) -> io::Result<Self> {
        let clock = Clock::start();
        let log = start_logging(format, filter, Arc::new(move || clock.now()));
        let writing = log.clone();
        let to = own(io::stderr());
        Builder::new().name("log".to_owned()).spawn(move || match to {
            Ok(own) => writing.write_to(own),
            Err(_) => writing.write_to(io::stderr()),
        })?;
        Ok(Self(log))
    }

    /// Takes a line as it is, in its turn.
    pub fn say(&self, text: &str) {
        self.0.say(text);
    }
}

impl Drop for LogThread {
    fn drop(&mut self) {
        // Who reads no log does not miss its end.
        let _ = self.0.close();
    }
}

/// Writes to standard output, and waits for that no longer than for the log.
///
/// # Errors
/// What cannot be written, or not in time.
pub fn tell_stdout(text: String) -> io::Result<()> {
    let mut to = own(io::stdout())?;
    let (done, told) = sync_channel(1);
    Builder::new().name("stdout".to_owned()).spawn(move || {
        // Whoever waits may have given up.
        drop(done.send(to.write_all(text.as_bytes())));
    })?;
    let slow = |_| io::Error::new(io::ErrorKind::TimedOut, "nobody reads it");
    told.recv_timeout(LOG_END_LIMIT).map_err(slow)?
}

/// A descriptor of our own, without the lock that everybody who prints shares.
fn own(stream: impl AsFd) -> io::Result<File> {
    stream.as_fd().try_clone_to_owned().map(File::from)
}
