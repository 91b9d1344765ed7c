//! The log: plain for people, JSON for programs, redacted line by line.
//!
//! Levels: per message TRACE, state change DEBUG, link up or down INFO,
//! wake an operator WARN, broken invariant ERROR. Panic text goes the same way, redacted too.
//! Contract: the log may be lost, whoever logs may not: lines are put into a bounded queue
//! ([`super::log_queue`]), lines that are alike are counted ([`super::log_limit`]), and no error of
//! the log reaches anybody. Deliberately absent: the thread that writes (`server`).

use super::log_limit::{Limited, LogLimit};
use super::log_queue::{LogQueue, Lost, Pushing, Remarks};
use super::recorder::Recorder;
use super::redact::redact;
use crate::time::Now;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;
use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, registry};

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people.
    #[default]
    Plain,
    /// One object per line.
    Json,
}

/// Where the log's time comes from.
pub type LogClock = Arc<dyn Fn() -> Now + Send + Sync>;

/// The log of this process. Copies are the same log.
#[derive(Clone)]
pub struct Log {
    queue: Arc<LogQueue>,
    wording: Arc<Wording>,
}

/// Starts the log of this process. `filter` is a `tracing` filter like `info` or
/// `pointsman::link=debug`; what cannot be read of it counts as `info`. Lines wait until
/// [`Log::write_to`] runs.
pub fn start_logging(format: Format, filter: &str, clock: LogClock) -> Log {
    // What is lost from the first line on is counted.
    let _ = Recorder::of_process();
    let limit = Arc::new(LogLimit::new(Arc::clone(&clock)));
    let wording = Arc::new(Wording { format, clock, limit: Arc::clone(&limit) });
    let log = Log { queue: Arc::default(), wording };
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt::layer().log_internal_errors(false).with_ansi(false);
    let lines = lines.with_writer(Waiting(Arc::clone(&log.queue)));
    let lines = match format {
        Format::Plain => lines.boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    // A process has one log; where a test or an embedder has its own already, that one stands.
    let _ = registry().with(filter).with(lines).with(Limited(limit)).try_init();
    let of_panics = log.clone();
    std::panic::set_hook(Box::new(move |panic| of_panics.say_in_panic(&panic.to_string())));
    log
}

impl Log {
    /// Writes what is logged until the log is closed; for a thread of its own.
    pub fn write_to(&self, to: impl Write) {
        self.queue.write_out(to, &*self.wording);
    }

    /// Takes a line as it is, in its turn; redacted.
    pub fn say(&self, text: &str) {
        let mut line = format!("{text}\n").into_bytes();
        redact(&mut line);
        self.queue.push(&line);
    }

    /// Ends the log and waits for what is still to be written, for a bounded time. Whether
    /// everything is.
    pub fn close(&self) -> bool {
        self.queue.close()
    }

    /// A panic while a panic is told ends the process, so nothing here may: not the formatter, not
    /// a lock that the thread may hold, not the place where it ends up.
    fn say_in_panic(&self, text: &str) {
        let line = self.wording.line(Level::ERROR, module_path!(), text, None);
        self.queue.push_in_panic(&line);
    }
}

/// What the log itself has to say, in the shape of all other lines.
struct Wording {
    format: Format,
    clock: LogClock,
    limit: Arc<LogLimit>,
}

impl Wording {
    fn line(&self, level: Level, target: &str, text: &str, count: Option<u64>) -> Vec<u8> {
        let wall = (self.clock)().wall;
        let mut line = match self.format {
            Format::Plain => format!("{wall} {:>5} {target}: {text}\n", level.as_str()),
            Format::Json => {
                let (at, level) = (wall.to_string(), level.as_str());
                let mut said = serde_json::json!({
                    "timestamp": at, "level": level, "message": text, "target": target,
                });
                if let (Some(count), Some(said)) = (count, said.as_object_mut()) {
                    said.insert("count".to_owned(), count.into());
                }
                format!("{said}\n")
            }
        }
        .into_bytes();
        redact(&mut line);
        line
    }
}

impl Remarks for Wording {
    fn of_lost(&self, lost: Lost) -> Vec<u8> {
        let Lost { full, failed } = lost;
        let count = full.saturating_add(failed);
        let text = format!(
            "{count} log lines are lost here: {failed} could not be written, {full} found too \
             many waiting"
        );
        self.line(Level::WARN, module_path!(), &text, Some(count))
    }

    fn due(&self, last: bool, into: &mut dyn FnMut(&[u8])) -> Option<Duration> {
        let (due, next) = self.limit.due(last);
        for more in due {
            let text = format!("{} more like this: {}", more.count, more.text);
            into(&self.line(more.level, more.target, &text, Some(more.count)));
        }
        next
    }
}

/// Redacts each line on its way to `W`. The formatter writes one whole line at a time.
#[derive(Debug)]
pub(super) struct Redacting<W> {
    inner: W,
    line: Vec<u8>,
}

impl<W: Write> Redacting<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, line: Vec::new() }
    }
}

impl<W: Write> Write for Redacting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.clear();
        self.line.extend_from_slice(bytes);
        redact(&mut self.line);
        self.inner.write_all(&self.line)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Makes writers that put lines into the queue.
struct Waiting(Arc<LogQueue>);

impl<'a> MakeWriter<'a> for Waiting {
    type Writer = Redacting<Pushing<'a>>;
    fn make_writer(&'a self) -> Self::Writer {
        Redacting::new(Pushing(&self.0))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::sync::Mutex;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_card_number_does_not_get_into_a_log_as_message_field_or_json() {
        let captured = Captured::default();
        let sink = captured.clone();
        let make = move || Redacting::new(sink.clone());
        let plain = tracing_subscriber::fmt().with_writer(make.clone()).finish();
        let json = tracing_subscriber::fmt().json().with_writer(make).finish();
        for subscriber in
            [Box::new(plain) as Box<dyn tracing::Subscriber + Send + Sync>, Box::new(json)]
        {
            tracing::subscriber::with_default(subscriber, || {
                tracing::warn!(note = "4111111111111111", "track 6250946000000016=3012");
            });
        }
        let text = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.matches("****************").count(), 4, "{text}");
        assert!(!text.contains("4111111111") && !text.contains("625094600"), "{text}");
    }
}
