//! Who tells the story: a progress bar and one line per event, in plain words.
//!
//! Contract: with `--json` and where nobody watches a terminal no bar is drawn; the story then
//! goes to standard output line by line, with `--json` to standard error.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use simulators::clock::now;
use std::time::{Duration, Instant};

/// Tells what happens, with the seconds since the beginning.
#[derive(Debug)]
pub(crate) struct Narrator {
    bar: ProgressBar,
    start: Instant,
    json: bool,
}

/// Steps of the bar in a second.
const STEPS: u64 = 20;

impl Narrator {
    /// Begins now; the bar is full after so many seconds.
    pub(crate) fn new(seconds: u32, json: bool) -> Self {
        let target = ProgressDrawTarget::stderr();
        let bar = ProgressBar::with_draw_target(Some(u64::from(seconds) * STEPS), target);
        let style = ProgressStyle::with_template("{bar:40.cyan/blue} {elapsed} {msg}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Self { bar, start: now(), json }
    }

    /// Since the beginning.
    pub(crate) fn elapsed(&self) -> Duration {
        now().saturating_duration_since(self.start)
    }

    /// One event.
    pub(crate) fn tell(&self, what: &str) {
        let line = format!("{:5.1}s  {what}", self.elapsed().as_secs_f64());
        match (self.bar.is_hidden(), self.json) {
            (false, _) => self.bar.println(line),
            (true, true) => eprintln!("{line}"),
            (true, false) => println!("{line}"),
        }
    }

    /// Something is broken on purpose.
    pub(crate) fn break_it(&self, what: &str) {
        self.tell(&format!("!! {what}"));
    }

    /// Moves the bar to the present.
    pub(crate) fn tick(&self, status: &str) {
        let steps = self.elapsed().as_millis() * u128::from(STEPS) / 1_000;
        self.bar.set_position(u64::try_from(steps).unwrap_or(u64::MAX));
        self.bar.set_message(status.to_owned());
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
