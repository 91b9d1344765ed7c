//! The log: plain for people, JSON for programs, on stderr, redacted line by line.
//!
//! Levels: per message TRACE, state change DEBUG, link up or down INFO,
//! wake an operator WARN, broken invariant ERROR. Panic text goes the same way, redacted too.

use super::redact::redact;
use std::io::{self, Write};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people.
    #[default]
    Plain,
    /// One object per line.
    Json,
}

/// Starts the log of this process. `filter` is a `tracing` filter like `info` or
/// `pointsman::link=debug`; what cannot be read of it counts as `info`. A second call changes
/// nothing.
pub fn start_logging(format: Format, filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let base = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Stderr);
    // A process has one log; where a test or an embedder has its own already, that one stands.
    let _ = match format {
        Format::Plain => base.with_ansi(false).try_init(),
        Format::Json => base.json().flatten_event(true).try_init(),
    };
    std::panic::set_hook(Box::new(|panic| {
        let mut text = panic.to_string().into_bytes();
        redact(&mut text);
        tracing::error!("{}", String::from_utf8_lossy(&text));
    }));
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

struct Stderr;

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Redacting<io::Stderr>;
    fn make_writer(&'a self) -> Self::Writer {
        Redacting::new(io::stderr())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::sync::{Arc, Mutex};

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
