//! Bugs planted on purpose, to prove that the simulated world finds them.
//!
//! Contract: compiled only under the feature `faults`, chosen for one switch by
//! [`super::Switch::plant`], none unless chosen. Each hook is one line where the rule it breaks
//! stands; without the feature `Planted` is empty and every question is answered `false` at
//! compile time. `docs/simulation.md` has the table of bugs, invariants and checks.

use super::Switch;
use super::consequences::{Follower, Met, Then, then};
use super::finding::{Found, Standing};
use super::inflight::SendOwner;
use super::memory::Past;
use super::proof::Knowledge;
use super::record::{BankKeys, Intent};
use super::txn::Verdict;
use crate::canonical::{Answer, Canonical, Flow, Kind, ResponseClass};
use crate::time::{Instant, Wall};
use std::time::Duration;

/// A bug that can be planted in the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Plant {
    /// An approval leaves before its outcome is durable.
    ReplyBeforeFsync,
    /// A reversal is acknowledged before it is durable.
    AcknowledgedBeforeFsync,
    /// A second try goes out without the repeat MTI.
    RetryWithoutRepeatMti,
    /// STANs start again at a restart, whatever still holds them.
    StanResetAtRestart,
    /// A late answer is handed to the platform.
    LateAnswerForwarded,
    /// A reversal is dropped when the SAF holds a few others.
    ReversalDroppedWhenSafFull,
    /// Limits follow the wall clock.
    TimerOnWallClock,
    /// A decline is sent twice.
    DuplicateReply,
    /// What was sent and not answered counts as never sent.
    SentUnknownAsNotSent,
    /// After a restart an original without outcome is sent again.
    OriginalResentAfterRestart,
    /// "Original not found" ends a reversal at once.
    NotFoundFinalAtOnce,
    /// An advice that is still owed is reversed at recovery.
    AdviceReversedAtRecovery,
    /// Held frames have no limit and are not cancelled.
    FrameLeavesAfterDeadline,
    /// A stored approval is told again after its reversal.
    ApprovalReplayedAfterReversal,
    /// An approval of another amount than was asked is passed on.
    WrongAmountAccepted,
    /// "Not found" ends the reversal of what the bank itself approved or acknowledged.
    NotFoundEndsAll,
    /// A code that no list has is a decline: nothing is reversed.
    UnlistedCodeDeclines,
    /// "Duplicate" acknowledges the first try of an advice.
    DuplicateEndsFirstTry,
    /// A repeat with an `F7` of its own is a new request.
    RestampedRepeatIsNew,
    /// A reversal that misses the exact name of its original is acknowledged and dropped.
    MisnamedReversalNeedless,
    /// A reversal takes back whatever has the name it gives.
    ReversalNotCompared,
    /// What was taken back or declined is refunded, as a refund of nothing.
    DeadPurchaseRefunded,
    /// A part is taken back at a bank whose dialect cannot say so.
    PartReversedAsWhole,
    /// An advice loses what it says was decided.
    AdviceLosesItsCode,
    /// A reversal says what was asked for, where less was granted.
    ReversedAsRequested,
    /// The reversal of an advice names a request.
    AdviceCalledARequest,
    /// What other refunds and voids took of an original is not counted.
    FollowersNotCounted,
    /// Cash is asked for as a plain purchase, where the bank has no code for it.
    CodeRewritten,
}

/// What is planted in one switch.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Planted {
    #[cfg(feature = "faults")]
    plant: Option<Plant>,
}

impl Planted {
    #[cfg(feature = "faults")]
    pub(super) const fn new(plant: Plant) -> Self {
        Self { plant: Some(plant) }
    }

    /// Whether this bug is planted.
    #[inline]
    pub(super) fn has(self, plant: Plant) -> bool {
        #[cfg(feature = "faults")]
        return self.plant == Some(plant);
        #[cfg(not(feature = "faults"))]
        {
            let _ = plant;
            false
        }
    }
}

/// The questions of the hooks; without the feature each answer is a constant.
impl Switch {
    /// Whether this frame leaves before the record it needs is durable.
    #[inline]
    pub(super) fn leaves_early(&self, owner: SendOwner, msg: &Canonical) -> bool {
        let grant = matches!(owner, SendOwner::Grant(_));
        let acknowledged = msg.flow == Flow::AdviceResponse;
        (grant && self.planted.has(Plant::ReplyBeforeFsync))
            || (acknowledged && self.planted.has(Plant::AcknowledgedBeforeFsync))
    }

    /// What became of a request, as a repeat is told.
    #[inline]
    pub(super) fn told_past(&self, past: Past) -> Past {
        match past {
            Past::Reversed if self.planted.has(Plant::ApprovalReplayedAfterReversal) => {
                Past::Granted
            }
            past => past,
        }
    }

    /// What an answer to a reversal is weighed by: what is known of the original.
    #[inline]
    pub(super) fn weighed_by(&self, knows: Knowledge) -> Knowledge {
        if self.planted.has(Plant::NotFoundEndsAll) { Knowledge::Unknown } else { knows }
    }

    /// What an answer to a request comes to.
    #[inline]
    pub(super) fn judged(&self, verdict: Verdict, intent: &Intent, msg: &Canonical) -> Verdict {
        let unlisted =
            matches!(msg.answer, Some(Answer::Given { class: ResponseClass::Unknown, .. }));
        if self.planted.has(Plant::WrongAmountAccepted) && msg.amount != intent.amount {
            return Verdict::Approved;
        }
        if unlisted && self.planted.has(Plant::UnlistedCodeDeclines) {
            return Verdict::Declined;
        }
        verdict
    }

    /// Which original a message means.
    #[inline]
    pub(super) fn means(&self, msg: &Canonical, found: Found) -> Found {
        if !matches!(msg.kind, Kind::Reversal(_)) {
            return found;
        }
        match found {
            Found::Contradicted(one, _) if self.planted.has(Plant::ReversalNotCompared) => {
                Found::This(one)
            }
            found => found,
        }
    }

    /// What is done about what follows an original.
    #[inline]
    pub(super) fn followed_by(&self, follower: Follower, met: Met) -> Then {
        let dead = matches!(met, Met::One(Standing::TakenBack | Standing::Denied));
        if follower == Follower::Refund && dead && self.planted.has(Plant::DeadPurchaseRefunded) {
            return Then::IfAllowed;
        }
        then(follower, met)
    }

    /// What the reversal of an advice calls it.
    #[inline]
    pub(super) fn advice_named(&self, keys: &BankKeys) -> BankKeys {
        let mut keys = keys.clone();
        if self.planted.has(Plant::AdviceCalledARequest) {
            keys.sent = None;
        }
        keys
    }

    /// The wall clock taken for the monotonic one.
    pub(super) fn wall_as_mono(&self, wall: Wall) -> Instant {
        let since = wall.millis().saturating_sub(self.started.wall.millis());
        let since = u64::try_from(since).unwrap_or(0);
        self.started.mono.after(Duration::from_millis(since))
    }
}

#[cfg(feature = "faults")]
mod planted {
    use super::super::Switch;
    use super::super::ids::TxnNo;
    use super::super::inflight::SendOwner;
    use super::super::policy::Owner;
    use super::super::record::{Intent, Owed, Queued};
    use super::super::reply;
    use super::{Plant, Planted};
    use crate::canonical::{Canonical, Flow, Header, Kind, Reason};
    use std::sync::Arc;

    impl Switch {
        /// Plants a bug in this switch.
        pub fn plant(&mut self, plant: Plant) {
            self.planted = Planted::new(plant);
        }

        /// Hands a late answer to whatever session its platform has.
        pub(in super::super) fn forward_late(&mut self, intent: &Intent, msg: &Canonical) {
            let is_theirs = |owner: Owner| match owner {
                Owner::Bank(_) => false,
                Owner::Platform(at) => {
                    let platform = self.policy.platforms.get(usize::from(at.0));
                    platform.is_some_and(|p| p.name == intent.platform)
                }
            };
            let to = self.lines.sessions.iter().find(|(_, s)| is_theirs(s.owner));
            let Some((line, session)) = to.map(|(id, s)| (s.line, id)) else { return };
            let mut msg = Box::new(msg.clone());
            reply::restore(&mut msg, intent, Header::EMPTY);
            self.send((line, session), msg, None, None, SendOwner::Plain);
        }

        /// Owes the bank the original itself.
        pub(in super::super) fn resend_original(&mut self, txn: TxnNo, intent: &Arc<Intent>) {
            let standing = super::super::standing::Standing::default();
            let of = super::super::undoing::Undone::intent(intent, standing);
            let made = self.reversal_of(txn, of, Owed::Repeat, Reason::Timeout);
            let Some((mut queued, at)) = made else { return };
            (queued.kind, queued.flow) = (intent.kind, Flow::Request);
            (queued.keys, queued.txn) = (intent.keys.clone(), None);
            self.queue(queued, at);
        }

        /// Owes the bank a reversal of an advice.
        pub(in super::super) fn reverse_advice(&mut self, advice: &Queued) {
            let Some(kind) = advice.kind.transaction() else { return };
            let mut queued = advice.clone();
            (queued.kind, queued.owed) = (Kind::Reversal(kind), Owed::OwnReversal);
            queued.original = advice.keys.clone();
            (queued.origin, queued.platform) = (None, None);
            self.queue(queued, self.now.mono);
        }
    }
}
