//! What is told and what is counted, line by line, with a clock that is set by hand.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::log_limit::{Limited, LogLimit, More};
use crate::time::{Instant, Now};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tracing::{Event, Level, Subscriber, debug, error, info, warn};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

/// Counts what is told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<u64>>);

impl<S: Subscriber> Layer<S> for Told {
    fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
        *self.0.lock().unwrap() += 1;
    }
}

struct Stage {
    millis: Arc<AtomicU64>,
    limit: Arc<LogLimit>,
    told: Told,
}

impl Stage {
    fn new() -> Self {
        let millis = Arc::<AtomicU64>::default();
        let clock = Arc::clone(&millis);
        let now = move || {
            let mono = Instant::from_nanos(clock.load(Ordering::Relaxed) * 1_000_000);
            Now { mono, ..Now::default() }
        };
        let limit = Arc::new(LogLimit::new(Arc::new(now)));
        Self { millis, limit, told: Told::default() }
    }

    /// How many lines this tells.
    fn told(&self, logs: impl FnOnce()) -> u64 {
        let before = *self.told.0.lock().unwrap();
        let log = registry().with(self.told.clone()).with(Limited(Arc::clone(&self.limit)));
        tracing::subscriber::with_default(log, logs);
        *self.told.0.lock().unwrap() - before
    }

    /// What is due after this time.
    fn after(&self, millis: u64) -> Vec<More> {
        self.millis.fetch_add(millis, Ordering::Relaxed);
        self.limit.due(false).0
    }
}

fn garbled(line: &str, session: u32) {
    warn!(%line, %session, "a message that cannot be understood");
}

#[test]
fn of_lines_that_are_alike_one_is_told_and_how_many_more_there_were() {
    let stage = Stage::new();
    let flood = || (0..1_000).for_each(|session| garbled("shop", session));
    assert_eq!(stage.told(flood), 1);
    assert_eq!(stage.after(999), []);
    let more = stage.after(1);
    let said = "a message that cannot be understood line=shop";
    let target = "pointsman::telemetry::log_limit_tests";
    let like = |count| More { level: Level::WARN, target, text: said.to_owned(), count };
    assert_eq!(more, [like(999)]);
    assert_eq!(stage.told(flood), 1, "the next second begins anew");
    assert_eq!(stage.limit.due(true).0, [like(999)], "the end tells what is left");
    assert_eq!(stage.told(|| garbled("shop", 1)), 1);
    assert_eq!((stage.after(1_000), stage.limit.due(false).1), (vec![], None), "nothing is kept");
}

#[test]
fn what_one_peer_does_hides_nothing_about_another_and_reasons_are_told_apart() {
    let stage = Stage::new();
    let both = || (0..10).for_each(|nth| ["shop", "river"].iter().for_each(|l| garbled(l, nth)));
    assert_eq!(stage.told(both), 2);
    let turned_away = |error: &str| info!(line = "shop", error, "turned away");
    let three = || ["expired", "expired", "unknown"].into_iter().for_each(turned_away);
    assert_eq!(stage.told(three), 2);
    // A peer may make reasons up.
    let made_up = |from: u32| (from..from + 100).for_each(|nth| turned_away(&nth.to_string()));
    assert_eq!(stage.told(|| made_up(0)), 2);
    let more: Vec<u64> = stage.after(1_000).iter().map(|more| more.count).collect();
    assert_eq!(more.iter().sum::<u64>(), 9 + 9 + 1 + 98, "{more:?}");
}

#[test]
fn what_somebody_needs_whole_is_not_limited() {
    let stage = Stage::new();
    let each = || {
        for nth in 0..10 {
            error!(rule = "gap", record = nth, "AUDIT: a rule of money is broken");
            info!(bank = "river", operator = "anna", "bank: ordered");
            debug!(line = "shop", "asked for");
            warn!(error = nth, "reload rejected");
        }
    };
    assert_eq!(stage.told(each), 40);
    let foreign = || (0..10).for_each(|_| warn!(target: "rustls::conn", "an alert"));
    assert_eq!(stage.told(foreign), 1);
    assert_eq!(stage.after(1_000).len(), 1);
}
