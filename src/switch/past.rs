//! What the memory keeps of one request.
//!
//! Contract: 32 bytes; what became of it changes, who asked for what does not.

use super::ids::RecordNo;

/// What became of a remembered request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Past {
    /// At the bank.
    Open,
    /// Granted, in full or in part; the outcome is known by number.
    Granted,
    /// Not granted; the outcome is known by number.
    Denied,
    /// A reversal is owed or done: a repeat gets the decline, never the old approval.
    Reversed,
    /// Answered without asking a bank; the number is that of the refusal.
    Refused,
    /// An advice or reversal, acknowledged; the number is that of the SAF entry.
    Acknowledged,
    /// Never seen, but reversed already: its late original is declined.
    Tombstone,
    /// Part of it was taken back, the rest stands: a repeat gets the decline, a further reversal
    /// goes to the bank, and what refers to it may.
    PartlyReversed,
}

const PASTS: [Past; 8] = [
    Past::Open,
    Past::Granted,
    Past::Denied,
    Past::Reversed,
    Past::Refused,
    Past::Acknowledged,
    Past::Tombstone,
    Past::PartlyReversed,
];

impl Past {
    /// Whether a reversal of it is owed or done, in whole or in part.
    pub(super) const fn is_taken_back(self) -> bool {
        matches!(self, Self::Reversed | Self::PartlyReversed)
    }

    /// The one with this number in checkpoints.
    pub(super) fn numbered(number: u8) -> Option<Self> {
        PASTS.get(usize::from(number)).copied()
    }
}

/// One remembered request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Remembered {
    fingerprint: u64,
    /// Number of its record, and what became of it in the highest byte.
    no_and_past: u64,
    content: u32,
    /// How many records after it the outcome stands; 0: none.
    outcome: u32,
    stamp: Stamp,
}

/// Who stamped a request, and when by their own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stamp {
    /// Position among the platforms the memory knows.
    pub platform: u16,
    /// Seconds since 1970; 0 where the request does not say.
    pub seconds: u32,
}

impl Remembered {
    /// A request just recorded.
    pub(super) const fn new(
        fingerprint: u64,
        content: u32,
        no: RecordNo,
        past: Past,
        stamp: Stamp,
    ) -> Self {
        let no_and_past = no.0 | ((past as u64) << 56);
        Self { fingerprint, no_and_past, content, outcome: 0, stamp }
    }

    /// Fingerprint of its name.
    pub(super) const fn fingerprint(self) -> u64 {
        self.fingerprint
    }

    /// Fingerprint of what it asked for.
    pub(super) const fn content(self) -> u32 {
        self.content
    }

    /// Number of its record.
    pub(super) const fn no(self) -> RecordNo {
        RecordNo(self.no_and_past & (u64::MAX >> 8))
    }

    /// What became of it.
    pub(super) fn past(self) -> Past {
        PASTS.get((self.no_and_past >> 56) as usize).copied().unwrap_or(Past::Denied)
    }

    /// Who stamped it, and when.
    pub(super) const fn stamp(self) -> Stamp {
        self.stamp
    }

    /// Whether it asked for the same.
    pub(super) const fn same_content(self, content: u32) -> bool {
        self.content == content
    }

    /// Number of its outcome record; `None` where it has none.
    pub(super) fn outcome(self) -> Option<RecordNo> {
        (self.outcome != 0).then(|| RecordNo(self.no().0 + u64::from(self.outcome)))
    }

    /// Changes what became of it; the outcome stays where none is given.
    pub(super) fn set(&mut self, past: Past, outcome: Option<RecordNo>) {
        let no = self.no().0;
        self.no_and_past = no | ((past as u64) << 56);
        if let Some(outcome) = outcome {
            self.outcome = u32::try_from(outcome.0.saturating_sub(no)).unwrap_or(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_entry_takes_32_bytes() {
        assert_eq!(size_of::<Remembered>(), 32);
    }
}
