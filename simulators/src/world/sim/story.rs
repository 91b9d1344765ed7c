//! What happened in one world, in words, and the fingerprint that tells two runs apart.
//!
//! Contract: every line goes into the fingerprint, kept or not; a line holds no card number.

use pointsman::time::Instant;
use std::fmt::{self, Write};

/// The story of one seed.
#[derive(Debug)]
pub struct Story {
    lines: Option<Vec<String>>,
    line: String,
    hash: u64,
    count: u64,
}

impl Story {
    /// A new story; `keep` its lines, or only their fingerprint.
    pub fn new(keep: bool) -> Self {
        let lines = keep.then(Vec::new);
        Self { lines, line: String::new(), hash: 0xCBF2_9CE4_8422_2325, count: 0 }
    }

    /// One more line.
    pub fn tell(&mut self, now: Instant, what: fmt::Arguments<'_>) {
        let micros = now.nanos() / 1_000;
        let (secs, micros) = (micros / 1_000_000, micros % 1_000_000);
        self.line.clear();
        // Writing to a String cannot fail.
        let _ = write!(self.line, "t={secs:>5}.{micros:06}s {what}");
        for byte in self.line.bytes() {
            // FNV-1a, 64 bits.
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
        self.count += 1;
        if let Some(lines) = &mut self.lines {
            lines.push(self.line.clone());
        }
    }

    /// Fingerprint of all lines so far.
    pub fn hash(&self) -> u64 {
        self.hash ^ self.count
    }

    /// The lines, if they were kept.
    pub fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}
