//! What was met over many seeds: fault kinds, (phase, happening) pairs, recovery verdicts.
//!
//! Contract: a summary fails when something that must be met was never met, so that a
//! simulation that went blind is noticed.

use pointsman::switch::txn::{self, Happening, Phase, Step};
use std::collections::BTreeMap;

/// Everything the world can do to the switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The process was killed; what it had written stays.
    Kill,
    /// Power cut: what was not synced survives in part.
    PowerCut,
    /// A sync or write failed; the process ended.
    DiskFailure,
    /// The disk was full for a while.
    DiskFull,
    /// Syncs took half a second to five.
    SlowDisk,
    /// One bit on the medium turned over (tried on a copy of the disk).
    BitRot,
    /// A file on the medium was cut short or swapped (tried on a copy of the disk).
    DamagedFile,
    /// A connection was reset; frames on their way were lost.
    Reset,
    /// A connection went silent both ways; neither end was told.
    HalfOpen,
    /// A connection went silent one way.
    OneWay,
    /// The peer closed in order.
    PeerClosed,
    /// A frame was lost without the connection ending.
    LostFrame,
    /// A frame was delayed by seconds.
    DelayedFrame,
    /// A frame overtook an earlier one.
    ReorderedFrame,
    /// An answer came twice.
    DuplicatedFrame,
    /// A session of the switch did not write for seconds.
    StalledSession,
    /// The wall clock jumped.
    ClockJump,
    /// The bank executed and never answered.
    BankSilent,
    /// The bank neither executed nor answered.
    BankDeaf,
    /// The bank answered after its timeout.
    BankLate,
    /// The bank approved in part.
    BankPartial,
    /// The bank's answer stated another amount.
    BankWrongAmount,
    /// The bank's answer stated another terminal.
    BankWrongTerminal,
    /// The bank's answer stated another STAN.
    BankWrongStan,
    /// The bank's answer had a bad MAC.
    BankBadMac,
    /// The bank's answer could not be read.
    BankGarbage,
    /// The bank refused our format, MAC or sign-on.
    BankRefuses,
    /// The bank answered with a code no table knows.
    BankUnknownCode,
    /// The bank executed an original after its reversal.
    BankOvertaken,
    /// The bank refused a sign-on.
    BankRefusesSignOn,
    /// The bank handed out keys that must not be used.
    BankSpoiltKeys,
    /// The bank refused a reversal for good.
    BankPoison,
    /// The bank moved its business date.
    BankCutover,
    /// The platform repeated a request.
    PlatformRepeat,
    /// The platform used one name for two requests.
    PlatformConflict,
    /// The platform reversed before the answer.
    PlatformImpatient,
    /// The platform reversed what it had been granted.
    PlatformCancel,
    /// The platform repeated what it had reversed.
    PlatformRepeatsReversed,
    /// The platform's reversal named an original the switch never saw.
    PlatformUnknownOriginal,
    /// The platform disconnected.
    PlatformGone,
    /// The platform sent garbage.
    PlatformGarbage,
    /// The platform's request had a bad MAC.
    PlatformBadMac,
    /// The bank does not find what it approved itself (25), and keeps it.
    BankForgot,
    /// The bank does not find what it has reversed already (25).
    BankForgetsTheDone,
    /// The bank approved by a code that no table knows.
    BankUnlistedApproval,
    /// The bank declined by a code that no table knows and finds nothing to reverse.
    BankUnlistedNothing,
    /// The bank approved more than was asked.
    BankPartialAbove,
    /// The bank called the first try of an advice a duplicate, and did nothing.
    BankDuplicateFirst,
    /// The bank called a later try of an advice it has a duplicate.
    BankDuplicateAgain,
    /// The bank refused an advice for good.
    BankRefusesAdvice,
    /// The bank announced its business date again.
    BankCutoverAgain,
    /// The bank announced its business date again, without naming it.
    BankCutoverBare,
    /// The bank's answer had an amount and no currency.
    BankNoCurrency,
    /// The bank posted something to a day of its own.
    BankPostsByOwnDay,
    /// The bank signed off without hanging up.
    BankSignsOff,
    /// The bank was named the advice that a reversal reverses, and knew it.
    BankNamesJudged,
    /// The bank was told what it had granted in part when that was reversed.
    BankAmountsJudged,
    /// The platform gave a repeat a time of its own.
    PlatformRestamps,
    /// The platform reversed from another terminal.
    PlatformReversesElsewhere,
    /// The platform's reversal stated no terminal.
    PlatformReversesNowhere,
    /// The platform's reversal had an `F90` of zeros.
    PlatformNamesZeros,
    /// The `F7` in the platform's `F90` was off by a second.
    PlatformNamesNearly,
    /// The platform reversed the wrong card under the right name.
    PlatformWrongCard,
    /// The platform reversed the wrong card, at a time far off, under the right `F37`.
    PlatformWrongCardFar,
    /// A reversal that may have overtaken its original named it inexactly.
    PlatformOvertakesInexactly,
    /// The platform took back a part.
    PlatformPartialReversal,
    /// The platform told of a decline.
    PlatformDeclinedAdvice,
    /// The platform reversed what it had told of.
    PlatformReversesAdvice,
    /// The platform voided what it had told of.
    PlatformVoidsAdvice,
    /// The platform refunded what it had told of.
    PlatformRefundsAdvice,
    /// The platform refunded what was reversed or declined.
    PlatformRefundsTheDead,
    /// The platform completed a hold.
    PlatformCompletes,
    /// The platform voided or refunded a sale.
    PlatformFollows,
    /// The platform sent a completion, void or refund from another terminal.
    PlatformFollowsElsewhere,
    /// The platform completed, voided or refunded one thing twice.
    PlatformFollowsTwice,
    /// Two merchants used one terminal id, number and second.
    PlatformTwin,
    /// The platform asked for cash, which no bank has.
    PlatformCash,
    /// The platform asked for cash back.
    PlatformCashBack,
    /// The bank whose bytes are written was asked for cash back.
    BankCashBack,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 79] = [
        Self::Kill,
        Self::PowerCut,
        Self::DiskFailure,
        Self::DiskFull,
        Self::SlowDisk,
        Self::BitRot,
        Self::DamagedFile,
        Self::Reset,
        Self::HalfOpen,
        Self::OneWay,
        Self::PeerClosed,
        Self::LostFrame,
        Self::DelayedFrame,
        Self::ReorderedFrame,
        Self::DuplicatedFrame,
        Self::StalledSession,
        Self::ClockJump,
        Self::BankSilent,
        Self::BankDeaf,
        Self::BankLate,
        Self::BankPartial,
        Self::BankWrongAmount,
        Self::BankWrongTerminal,
        Self::BankWrongStan,
        Self::BankBadMac,
        Self::BankGarbage,
        Self::BankRefuses,
        Self::BankUnknownCode,
        Self::BankOvertaken,
        Self::BankRefusesSignOn,
        Self::BankSpoiltKeys,
        Self::BankPoison,
        Self::BankCutover,
        Self::PlatformRepeat,
        Self::PlatformConflict,
        Self::PlatformImpatient,
        Self::PlatformCancel,
        Self::PlatformRepeatsReversed,
        Self::PlatformUnknownOriginal,
        Self::PlatformGone,
        Self::PlatformGarbage,
        Self::PlatformBadMac,
        Self::BankForgot,
        Self::BankForgetsTheDone,
        Self::BankUnlistedApproval,
        Self::BankUnlistedNothing,
        Self::BankPartialAbove,
        Self::BankDuplicateFirst,
        Self::BankDuplicateAgain,
        Self::BankRefusesAdvice,
        Self::BankCutoverAgain,
        Self::BankCutoverBare,
        Self::BankNoCurrency,
        Self::BankPostsByOwnDay,
        Self::BankSignsOff,
        Self::BankNamesJudged,
        Self::BankAmountsJudged,
        Self::PlatformRestamps,
        Self::PlatformReversesElsewhere,
        Self::PlatformReversesNowhere,
        Self::PlatformNamesZeros,
        Self::PlatformNamesNearly,
        Self::PlatformWrongCard,
        Self::PlatformWrongCardFar,
        Self::PlatformOvertakesInexactly,
        Self::PlatformPartialReversal,
        Self::PlatformDeclinedAdvice,
        Self::PlatformReversesAdvice,
        Self::PlatformVoidsAdvice,
        Self::PlatformRefundsAdvice,
        Self::PlatformRefundsTheDead,
        Self::PlatformCompletes,
        Self::PlatformFollows,
        Self::PlatformFollowsElsewhere,
        Self::PlatformFollowsTwice,
        Self::PlatformTwin,
        Self::PlatformCash,
        Self::PlatformCashBack,
        Self::BankCashBack,
    ];
}

/// Rows of the recovery tables that a crash or the damage of these worlds must reach. The rest
/// takes another program, another key file or a hand that repairs checksums.
pub const VERDICTS: [&str; 13] =
    ["P1", "P3", "P4", "P6", "P7", "P8", "P10", "P11", "P13", "S1", "S3", "S5", "S8"];

/// Pairs the table has an answer for although the core never asks: no second deadline is armed
/// while a cancellation is out, and a second reversal finds the chain of the first.
const GUARDED: [(Phase, Happening); 5] = [
    (Phase::Cancelling, Happening::Deadline),
    (Phase::Withdrawing, Happening::Deadline),
    (Phase::HeldReversed, Happening::PlatformReversal),
    (Phase::SentReversed, Happening::PlatformReversal),
    (Phase::Revoked, Happening::PlatformReversal),
];

/// The legal pairs that can come up, as [`Coverage::pairs`] spells them.
pub fn legal_pairs() -> Vec<String> {
    let legal = txn::pairs()
        .filter(|(phase, what)| txn::step(*phase, *what) != Step::Impossible)
        .filter(|pair| !GUARDED.contains(pair));
    legal.map(|(phase, what)| format!("{phase:?} {what:?}")).collect()
}

/// Counters of what was met.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    /// Faults, how often.
    pub faults: BTreeMap<Fault, u64>,
    /// Rows of the transaction table: phase and happening, as printed.
    pub pairs: BTreeMap<String, u64>,
    /// Rows of the recovery tables.
    pub verdicts: BTreeMap<String, u64>,
    /// Endings of bank legs.
    pub legs: BTreeMap<String, u64>,
    /// Breakers of banks that opened, and that closed again.
    pub breakers: [u64; 2],
    /// Transactions asked for.
    pub asked: u64,
    /// Crashes of any kind.
    pub crashes: u64,
    /// Simulated milliseconds.
    pub millis: u64,
    /// Frames released.
    pub frames: u64,
}

impl Coverage {
    /// One more of this fault.
    pub fn fault(&mut self, fault: Fault) {
        *self.faults.entry(fault).or_default() += 1;
    }

    /// What should have been met and was not.
    pub fn missing(&self) -> Vec<String> {
        let faults = Fault::ALL.iter().filter(|fault| !self.faults.contains_key(fault));
        let mut missing: Vec<String> = faults.map(|fault| format!("fault {fault:?}")).collect();
        let verdicts = VERDICTS.iter().filter(|row| !self.verdicts.contains_key(**row));
        missing.extend(verdicts.map(|row| format!("recovery verdict {row}")));
        let pairs = legal_pairs().into_iter().filter(|pair| !self.pairs.contains_key(pair));
        missing.extend(pairs.map(|pair| format!("pair {pair}")));
        let breakers = ["opens", "closes"].into_iter().zip(self.breakers);
        let unmet = breakers.filter(|(_, count)| *count == 0);
        missing.extend(unmet.map(|(what, _)| format!("a breaker {what}")));
        missing
    }

    /// Adds what another run met.
    pub fn add(&mut self, other: &Self) {
        for (fault, count) in &other.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
        let maps = [
            (&mut self.pairs, &other.pairs),
            (&mut self.verdicts, &other.verdicts),
            (&mut self.legs, &other.legs),
        ];
        for (to, from) in maps {
            for (what, count) in from {
                *to.entry(what.clone()).or_default() += count;
            }
        }
        for (own, other) in self.breakers.iter_mut().zip(other.breakers) {
            *own += other;
        }
        self.asked += other.asked;
        self.crashes += other.crashes;
        self.millis += other.millis;
        self.frames += other.frames;
    }
}
