//! The running balance of an original: how much of it what follows may still take.
//!
//! Contract: refunds, voids and parts taken back together are at most what was granted, and the
//! completions of a hold at most what stands of it, times what its bank tolerates. Everything
//! counts that may have moved money: approved, acknowledged, in flight, waiting for its bank, owed
//! or of unknown end. What was declined, or is provably taken back, counts nothing, and what was
//! voided only till the void is proved. The journal tells all that refers to an original; what came
//! after it was asked, or may not be on disk yet, is kept here. Deliberately absent: what is done
//! about a message that wants too much ([`super::following`]).

use super::Switch;
use super::finding::{Body, Candidate, Standing};
use super::ids::RecordNo;
use super::input::DeskVerb;
use super::library::Recalled;
use super::recall::takes_back;
use super::record::{Cause, Debt, Leg, Record};
use crate::canonical::{Canonical, Kind, TransactionType};
use crate::limits::{NEWEST_FOLLOWERS_MAX, UNWRITTEN_MAX};
use crate::money::Amount;
use std::collections::VecDeque;
use std::sync::Arc;

/// The newest messages that refer to an original, oldest first. Nothing here survives a restart:
/// what was durable then is on disk.
#[derive(Debug, Default)]
pub(super) struct Newest {
    followers: VecDeque<(RecordNo, Body)>,
    /// The newest that had to go.
    gone: RecordNo,
}

impl Newest {
    /// Keeps what this record says of an original.
    #[inline(always)]
    pub(super) fn note(&mut self, no: RecordNo, record: &Record) {
        if let Record::Intent(_) | Record::Queued(_) = record {
            self.keep(no, record);
        }
    }

    fn keep(&mut self, no: RecordNo, record: &Record) {
        let body = match record {
            Record::Intent(intent) if intent.original.is_some() => Body::Asked(Arc::clone(intent)),
            Record::Queued(queued) if queued.of.is_some() => Body::Told(Arc::clone(queued)),
            _ => return,
        };
        if self.followers.len() == NEWEST_FOLLOWERS_MAX
            && let Some((no, _)) = self.followers.pop_front()
        {
            self.gone = no;
        }
        self.followers.push_back((no, body));
    }

    /// Whether all of them are here that the journal need not know, asked after this record.
    pub(super) fn reaches(&self, since: RecordNo) -> bool {
        self.gone.0.saturating_add(UNWRITTEN_MAX) <= since.0 || self.gone == RecordNo(0)
    }
}

/// What one message takes of its original, or may have taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Share {
    no: RecordNo,
    of: RecordNo,
    kind: TransactionType,
    minor: u64,
    /// Its bank said yes.
    proved: bool,
}

/// What is taken of an original.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Taken {
    /// By refunds and voids.
    back: u64,
    /// By completions of a hold.
    completed: u64,
    /// What was added to a hold, and approved.
    raised: u64,
}

/// What a message wants of its original.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    Back(u64),
    Completed(u64),
    /// It takes nothing: it raises a hold.
    Nothing,
}

/// An original in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Whole {
    /// What was granted.
    granted: u64,
    /// What reversals of parts have left of it.
    left: u64,
    /// What completions may come to, in percent of a hold.
    percent: u64,
}

/// What these take of an original.
fn taken(of: RecordNo, shares: &[Share]) -> Taken {
    let mut taken = Taken::default();
    for share in shares.iter().filter(|share| share.of == of) {
        let voids = shares.iter().filter(|void| void.of == share.no && void.proved);
        let voided = voids.filter(|void| is_void(void.kind)).map(|void| void.minor).sum();
        let stands = share.minor.saturating_sub(voided);
        let sum = match share.kind {
            TransactionType::Completion => &mut taken.completed,
            TransactionType::PreAuthorization if share.proved => &mut taken.raised,
            TransactionType::Refund => &mut taken.back,
            kind if is_void(kind) => &mut taken.back,
            _ => continue,
        };
        *sum = sum.saturating_add(stands);
    }
    taken
}

/// Whether a message wants more than there is.
fn is_beyond(wants: Wants, whole: Whole, taken: Taken) -> bool {
    let granted = whole.granted.saturating_add(taken.raised);
    let parts = whole.granted.saturating_sub(whole.left);
    let back = parts.saturating_add(taken.back);
    match wants {
        Wants::Nothing => false,
        Wants::Back(minor) => back.saturating_add(minor) > granted,
        Wants::Completed(minor) => {
            let stands = u128::from(granted.saturating_sub(back));
            let most = stands * u128::from(whole.percent) / 100;
            u128::from(taken.completed) + u128::from(minor) > most
        }
    }
}

const fn is_void(kind: TransactionType) -> bool {
    matches!(
        kind,
        TransactionType::Void
            | TransactionType::PreAuthorizationVoid
            | TransactionType::CompletionVoid
    )
}

/// What a message wants of an original that was asked for with this amount. The void of what was
/// granted in part may state either amount: it takes all.
fn wants(msg: &Canonical, asked: Option<Amount>, whole: Whole) -> Wants {
    let stated = msg.amount.map_or(whole.granted, |amount| amount.minor);
    match msg.kind {
        Kind::Reversal(_) => {
            let left = msg.replacement_amount.map_or(0, |left| left.minor);
            Wants::Back(whole.left.saturating_sub(left))
        }
        Kind::Transaction(TransactionType::Completion) => Wants::Completed(stated),
        Kind::Transaction(kind) if is_void(kind) && msg.amount == asked => {
            Wants::Back(whole.granted)
        }
        Kind::Transaction(kind) if is_void(kind) || kind == TransactionType::Refund => {
            Wants::Back(stated)
        }
        _ => Wants::Nothing,
    }
}

impl Switch {
    /// Whether a message wants more of its original than is left. `family`: what the journal has
    /// of the original and of all that refers to it.
    pub(super) fn is_beyond(&self, msg: &Canonical, one: &Candidate, family: &Recalled) -> bool {
        let Some(granted) = granted_of(one) else { return true };
        let bank = self.policy.banks.iter().find(|bank| bank.name == one.bank());
        let whole = Whole {
            granted,
            left: self.left_of(one, family).unwrap_or(granted).min(granted),
            percent: bank.map_or(100, |bank| bank.completion_percent),
        };
        let taken = taken(one.no, &self.shares(one.no, family));
        // More follow it than were looked at.
        family.more || is_beyond(wants(msg, one.amount(), whole), whole, taken)
    }

    fn shares(&self, of: RecordNo, family: &Recalled) -> Vec<Share> {
        let mut all = self.candidates(family, None);
        for (no, body) in &self.newest.followers {
            let referred = reference_of(body);
            let theirs = referred == Some(of) || all.iter().any(|one| Some(one.no) == referred);
            if theirs && all.iter().all(|one| one.no != *no) {
                all.push(match body {
                    Body::Asked(intent) => self.asked(*no, intent, None, &[]),
                    Body::Told(queued) => self.told(*no, queued, &[]),
                });
            }
        }
        let waiting = self.air.waiting.values().filter_map(|pending| {
            let Kind::Transaction(kind) = pending.msg.kind else { return None };
            let (of, minor) = (pending.original.as_ref()?.0, pending.msg.amount?.minor);
            Some(Share { no: RecordNo(0), of, kind, minor, proved: false })
        });
        let told = all.iter().filter_map(|one| self.share_of(one, family));
        told.chain(waiting).collect()
    }

    fn share_of(&self, one: &Candidate, family: &Recalled) -> Option<Share> {
        let (Kind::Transaction(kind), of) = (one.kind(), reference_of(&one.body)?) else {
            return None;
        };
        let counts = match one.standing {
            Standing::Denied => self.may_be_done(one.no, family),
            Standing::TakenBack => self.reversal_is_due(one, family),
            Standing::Owed => !self.was_beyond(one.no),
            Standing::Unknown => said_of(one.no, family) != Some(false),
            Standing::Open | Standing::Stands | Standing::Partly => true,
        };
        let left = self.left_of(one, family).filter(|_| one.standing == Standing::Partly);
        let minor = left.or(granted_of(one))?;
        let proved = one.standing == Standing::Stands;
        counts.then_some(Share { no: one.no, of, kind, minor, proved })
    }

    /// What reversals of parts have left of an original, or will have: those at work, those that
    /// wait for an operator, and those that were done.
    fn left_of(&self, one: &Candidate, family: &Recalled) -> Option<u64> {
        let done = match &one.body {
            Body::Asked(intent) => self.standing(one.no, intent, one.at_bank.clone()).left,
            Body::Told(_) => self.state.books.partials.get(&one.no).copied(),
        };
        let dead = family.records.iter().filter_map(|(no, record)| match &**record {
            Record::Queued(queued) if queued.txn == Some(one.no) => {
                let letter = self.state.dead.get(no)?;
                queued.replacement.filter(|_| letter.cause != Some(Cause::MoreThanLeft))
            }
            _ => None,
        });
        let all = done.into_iter().chain(self.partial_at_work(one.no)).chain(dead);
        all.map(|left| left.minor).min()
    }

    /// Whether what takes a transaction back has not reached its bank for sure. What its bank has
    /// no reversal of is taken back by hand, once an operator says so.
    fn reversal_is_due(&self, one: &Candidate, family: &Recalled) -> bool {
        let txn = one.no;
        if matches!(&one.body, Body::Asked(intent) if intent.owes == Debt::Desk) {
            return said_of(txn, family) != Some(true);
        }
        let takes = |record: &Record| takes_back(record) == Some(txn);
        let at_work =
            |no: &RecordNo| self.state.saf.contains_key(no) || self.state.dead.contains_key(no);
        self.state.chains.contains_key(&txn)
            || family.records.iter().any(|(no, record)| takes(record) && at_work(no))
    }

    /// Whether the bank may have done what its platform was not granted, and nothing takes back:
    /// an operator looks at it, or has said so, or the bank has in a late answer.
    fn may_be_done(&self, txn: RecordNo, family: &Recalled) -> bool {
        let said = self.state.is_done(txn) || said_of(txn, family) == Some(true);
        said || self.state.desk.contains_key(&txn)
    }

    /// Whether an advice waits for an operator because it told of more than was left.
    fn was_beyond(&self, no: RecordNo) -> bool {
        let letter = self.state.dead.get(&no);
        letter.is_some_and(|letter| letter.cause == Some(Cause::MoreThanLeft))
    }
}

/// What was said last of this transaction or advice, by an operator or in a late answer: that the
/// bank did it, or that it did not.
fn said_of(no: RecordNo, family: &Recalled) -> Option<bool> {
    family.records.iter().rev().find_map(|(_, record)| match &**record {
        Record::Desk(desk) if desk.item == no => match desk.verb {
            Some(DeskVerb::Did(_)) => Some(true),
            Some(DeskVerb::DidNot(_) | DeskVerb::GiveUp(_)) => Some(false),
            Some(DeskVerb::Resend | DeskVerb::Reverse(_)) | None => None,
        },
        Record::Late(late) if late.txn == Some(no) => match late.leg {
            Leg::LateApproved => Some(true),
            Leg::LateDeclined => Some(false),
            _ => None,
        },
        _ => None,
    })
}

fn granted_of(one: &Candidate) -> Option<u64> {
    one.granted.or_else(|| one.at_bank.whole(one.amount())).map(|amount| amount.minor)
}

/// The original that a follower refers to.
fn reference_of(body: &Body) -> Option<RecordNo> {
    match body {
        Body::Asked(intent) => intent.original,
        Body::Told(queued) => queued.of,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TransactionType::{Completion, Refund, Void};

    fn share(no: u64, of: u64, kind: TransactionType, minor: u64, proved: bool) -> Share {
        Share { no: RecordNo(no), of: RecordNo(of), kind, minor, proved }
    }

    const WHOLE: Whole = Whole { granted: 100, left: 100, percent: 115 };

    #[test]
    fn refunds_and_voids_together_are_at_most_what_was_granted() {
        let shares = [share(2, 1, Refund, 30, true), share(3, 1, Refund, 30, false)];
        let taken = taken(RecordNo(1), &shares);
        assert_eq!(taken, Taken { back: 60, ..Taken::default() }, "of unknown end counts as well");
        assert!(!is_beyond(Wants::Back(40), WHOLE, taken));
        assert!(is_beyond(Wants::Back(41), WHOLE, taken));
        let reversed = Whole { left: 70, ..WHOLE };
        assert!(!is_beyond(Wants::Back(10), reversed, taken));
        assert!(is_beyond(Wants::Back(11), reversed, taken), "a part was reversed");
    }

    #[test]
    fn the_void_of_a_refund_gives_back_once_it_is_proved() {
        let with = |proved| {
            taken(RecordNo(1), &[share(2, 1, Refund, 60, true), share(3, 2, Void, 60, proved)])
        };
        assert_eq!(with(false).back, 60);
        assert_eq!(with(true).back, 0);
    }

    #[test]
    fn completions_are_at_most_what_stands_of_the_hold_times_the_tolerance() {
        let done = |minor| Taken { completed: minor, ..Taken::default() };
        assert!(!is_beyond(Wants::Completed(115), WHOLE, done(0)));
        assert!(is_beyond(Wants::Completed(116), WHOLE, done(0)));
        assert!(!is_beyond(Wants::Completed(35), WHOLE, done(80)));
        assert!(is_beyond(Wants::Completed(36), WHOLE, done(80)), "one after the other");
        let voided = Taken { back: 100, ..Taken::default() };
        assert!(is_beyond(Wants::Completed(1), WHOLE, voided));
        let raised = Taken { raised: 20, ..Taken::default() };
        assert!(!is_beyond(Wants::Completed(138), WHOLE, raised), "115 percent of 120");
        assert!(is_beyond(Wants::Completed(139), WHOLE, raised));
        let shares = [share(2, 1, Completion, 80, true), share(3, 2, Refund, 80, true)];
        assert_eq!(taken(RecordNo(1), &shares).completed, 80, "a refund completes nothing less");
    }
}
