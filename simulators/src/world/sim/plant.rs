//! The planted bugs: by name, and where each is switched on.
//!
//! Contract: without the feature `faults` there are none, and nothing here does anything.

use pointsman::crypto::WorkingKeys;
use pointsman::journal::Options;
use pointsman::switch::Switch;
#[cfg(feature = "faults")]
use pointsman::{journal::file::options::Plant as InJournal, switch::plants::Plant as InCore};

/// A bug planted on purpose, or none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Planted(Option<&'static Bug>);

/// A bug that can be planted.
#[derive(Debug)]
pub struct Bug {
    /// What the command line calls it.
    pub name: &'static str,
    #[cfg(feature = "faults")]
    at: Where,
}

#[cfg(feature = "faults")]
#[derive(Debug)]
enum Where {
    Core(InCore),
    Journal(InJournal),
    Keys,
}

impl Planted {
    /// The planted bug of this name; `None` if there is none such.
    pub fn named(name: &str) -> Option<Self> {
        BUGS.iter().find(|bug| bug.name == name).map(|bug| Self(Some(bug)))
    }

    /// Plants it in the journal.
    pub(super) fn options(self, options: Options) -> Options {
        #[cfg(not(feature = "faults"))]
        let _ = self.0;
        #[cfg(feature = "faults")]
        if let Some(Bug { at: Where::Journal(plant), .. }) = self.0 {
            return Options { plant: *plant, ..options };
        }
        options
    }

    /// Plants it in the keys.
    pub(super) fn plant_in_keys<K>(self, keys: &mut WorkingKeys<K>) {
        #[cfg(feature = "faults")]
        if let Some(Bug { at: Where::Keys, .. }) = self.0 {
            keys.switch_early();
        }
        #[cfg(not(feature = "faults"))]
        let _ = keys;
    }

    /// Plants it in the core.
    pub(super) fn plant(self, switch: &mut Switch) {
        #[cfg(feature = "faults")]
        if let Some(Bug { at: Where::Core(plant), .. }) = self.0 {
            switch.plant(*plant);
        }
        #[cfg(not(feature = "faults"))]
        let _ = switch;
    }
}

#[cfg(feature = "faults")]
const fn core(name: &'static str, plant: InCore) -> Bug {
    Bug { name, at: Where::Core(plant) }
}

#[cfg(feature = "faults")]
const fn journal(name: &'static str, plant: InJournal) -> Bug {
    Bug { name, at: Where::Journal(plant) }
}

/// All there are.
#[cfg(not(feature = "faults"))]
pub static BUGS: &[Bug] = &[];

/// All there are.
#[cfg(feature = "faults")]
pub static BUGS: &[Bug] = &[
    core("reply-before-fsync", InCore::ReplyBeforeFsync),
    core("acknowledged-before-fsync", InCore::AcknowledgedBeforeFsync),
    core("retry-without-repeat-mti", InCore::RetryWithoutRepeatMti),
    core("stan-reset-at-restart", InCore::StanResetAtRestart),
    core("late-answer-forwarded", InCore::LateAnswerForwarded),
    core("reversal-dropped-when-saf-full", InCore::ReversalDroppedWhenSafFull),
    core("timer-on-wall-clock", InCore::TimerOnWallClock),
    core("duplicate-reply", InCore::DuplicateReply),
    core("sent-unknown-as-not-sent", InCore::SentUnknownAsNotSent),
    core("original-resent-after-restart", InCore::OriginalResentAfterRestart),
    core("not-found-final-at-once", InCore::NotFoundFinalAtOnce),
    core("advice-reversed-at-recovery", InCore::AdviceReversedAtRecovery),
    core("frame-leaves-after-deadline", InCore::FrameLeavesAfterDeadline),
    core("approval-replayed-after-reversal", InCore::ApprovalReplayedAfterReversal),
    core("wrong-amount-accepted", InCore::WrongAmountAccepted),
    core("not-found-ends-all", InCore::NotFoundEndsAll),
    core("unlisted-code-declines", InCore::UnlistedCodeDeclines),
    core("duplicate-ends-first-try", InCore::DuplicateEndsFirstTry),
    core("restamped-repeat-is-new", InCore::RestampedRepeatIsNew),
    core("misnamed-reversal-needless", InCore::MisnamedReversalNeedless),
    core("reversal-not-compared", InCore::ReversalNotCompared),
    core("dead-purchase-refunded", InCore::DeadPurchaseRefunded),
    core("part-reversed-as-whole", InCore::PartReversedAsWhole),
    core("advice-loses-its-code", InCore::AdviceLosesItsCode),
    core("reversed-as-requested", InCore::ReversedAsRequested),
    core("advice-called-a-request", InCore::AdviceCalledARequest),
    core("code-rewritten", InCore::CodeRewritten),
    core("followers-not-counted", InCore::FollowersNotCounted),
    Bug { name: "key-switched-early", at: Where::Keys },
    journal("no-folder-sync", InJournal::NoFolderSync),
    journal("middle-truncation-accepted", InJournal::MiddleTruncationAccepted),
];
