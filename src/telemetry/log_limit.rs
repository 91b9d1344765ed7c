//! Rate limit of log lines: of lines that are alike one is told, and then how many more there were.
//!
//! Contract: alike are lines of one place in the code about one bank, platform or line, so that
//! what one peer does hides nothing about another. Lines about nobody, about an operator's
//! decision or about a broken rule of money are never limited, nor are DEBUG and TRACE, which
//! somebody asked for. What was left out is always told, as a number. Bounded in kinds.

use super::logging::LogClock;
use crate::limits::{LOG_ALIKE, LOG_KINDS_MAX, LOG_REASONS_MAX};
use crate::time::Instant;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::{self, Debug, Write};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// Fields whose values make kinds: names of the configuration, and what an impossible input was.
const LABELS: &[&str] = &["bank", "line", "platform", "what"];
/// Fields whose values are reasons.
const REASONS: &[&str] = &["cause", "error", "reason", "result", "why"];
/// The field of lines that say what a person did.
const OPERATOR: &str = "operator";
/// What a foreign crate says is told apart by what it says.
const MESSAGE: &str = "message";

/// The limit.
pub(super) struct LogLimit {
    clock: LogClock,
    kinds: Mutex<Kinds>,
}

#[derive(Default)]
struct Kinds {
    open: BTreeMap<u64, Kind>,
    /// Lines of kinds that no longer found room.
    beyond: u64,
}

/// Lines that are alike, since the first was told.
struct Kind {
    since: Instant,
    level: Level,
    target: &'static str,
    /// What the first said.
    text: String,
    reasons: Vec<u64>,
    more: u64,
}

/// So many lines like one that was told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct More {
    pub(super) level: Level,
    pub(super) target: &'static str,
    /// What the one said, without what differs.
    pub(super) text: String,
    pub(super) count: u64,
}

impl LogLimit {
    pub(super) fn new(clock: LogClock) -> Self {
        Self { clock, kinds: Mutex::default() }
    }

    /// Whether this line is told.
    fn passes(&self, event: &Event<'_>) -> bool {
        let about = event.metadata();
        if *about.level() > Level::INFO {
            return true;
        }
        let mut sight = Sight::of(event);
        event.record(&mut sight);
        if !sight.limited {
            return true;
        }
        let (kind, reason) = (sight.kind.finish(), sight.reason.finish());
        let now = (self.clock)().mono;
        let mut kinds = self.kinds();
        if !kinds.open.contains_key(&kind) && kinds.open.len() >= LOG_KINDS_MAX {
            kinds.beyond += 1;
            return false;
        }
        match kinds.open.entry(kind) {
            Entry::Vacant(free) => {
                let mut text = Text::default();
                event.record(&mut text);
                let (level, target) = (*about.level(), about.target());
                let (text, reasons) = (text.said + &text.labels, vec![reason]);
                free.insert(Kind { since: now, level, target, text, reasons, more: 0 });
                true
            }
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                let fresh =
                    known.reasons.len() < LOG_REASONS_MAX && !known.reasons.contains(&reason);
                if fresh {
                    known.reasons.push(reason);
                } else {
                    known.more += 1;
                }
                fresh
            }
        }
    }

    /// What is to be told by now (`last`: everything), and when to ask again, where there is
    /// something to ask for.
    pub(super) fn due(&self, last: bool) -> (Vec<More>, Option<Duration>) {
        let now = (self.clock)().mono;
        let mut kinds = self.kinds();
        let over = |kind: &Kind| last || now.since(kind.since) >= LOG_ALIKE;
        let ended = kinds.open.iter().filter(|(_, kind)| over(kind)).map(|(key, _)| *key);
        let ended: Vec<u64> = ended.collect();
        let gone: Vec<Kind> = ended.iter().filter_map(|key| kinds.open.remove(key)).collect();
        let first = kinds.open.values().map(|kind| kind.since).min();
        let beyond = std::mem::take(&mut kinds.beyond);
        drop(kinds);
        let more = gone.into_iter().filter(|kind| kind.more > 0).map(|kind| {
            let Kind { level, target, text, more: count, .. } = kind;
            More { level, target, text, count }
        });
        let beyond = (beyond > 0).then(|| More {
            level: Level::WARN,
            target: module_path!(),
            text: "lines of too many kinds at once".to_owned(),
            count: beyond,
        });
        let left = first.map(|since| LOG_ALIKE.saturating_sub(now.since(since)));
        // Never at once again, whatever the clock's grain.
        let left = left.map(|left| left.max(Duration::from_millis(1)));
        (more.chain(beyond).collect(), left)
    }

    fn kinds(&self) -> MutexGuard<'_, Kinds> {
        // Counts stay counts, whatever panicked.
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The limit where the log asks for it.
pub(super) struct Limited(pub(super) Arc<LogLimit>);

impl<S: Subscriber> Layer<S> for Limited {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        self.0.passes(event)
    }
}

/// What a line is about, as hashes.
struct Sight {
    kind: DefaultHasher,
    reason: DefaultHasher,
    foreign: bool,
    limited: bool,
}

impl Sight {
    fn of(event: &Event<'_>) -> Self {
        let mut kind = DefaultHasher::new();
        event.metadata().callsite().hash(&mut kind);
        let foreign = !event.metadata().target().starts_with(env!("CARGO_CRATE_NAME"));
        let by_operator = event.fields().any(|field| field.name() == OPERATOR);
        let labelled = event.fields().any(|field| LABELS.contains(&field.name()));
        let limited = foreign || labelled && !by_operator;
        Self { kind, reason: DefaultHasher::new(), foreign, limited }
    }
}

impl Visit for Sight {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let name = field.name();
        let reason = REASONS.contains(&name) || self.foreign && name == MESSAGE;
        let into = match () {
            () if !self.limited => return,
            () if LABELS.contains(&name) => &mut self.kind,
            () if reason => &mut self.reason,
            () => return,
        };
        name.hash(into);
        // A hasher takes everything.
        let _ = write!(Hashing(into), "{value:?}");
    }
}

/// Hashes what is written, without keeping it.
struct Hashing<'h>(&'h mut DefaultHasher);

impl Write for Hashing<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

/// The message of a line, and its labels.
#[derive(Default)]
struct Text {
    said: String,
    labels: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            MESSAGE => write!(self.said, "{value:?}"),
            name if LABELS.contains(&name) => write!(self.labels, " {name}={value:?}"),
            _ => Ok(()),
        };
    }
}
