//! Repeats that bear another stamp than what they repeat.
//!
//! Contract: `F7` says when a message was transmitted, so a repeat may have one of its own, and
//! then its name is unknown. It is the repeat of the one request of its platform, card and trace
//! number within `repeat_window_s` that agrees in all that both state, among it `F12` or `F37`;
//! where nothing but the trace number says so, or where several do, it is refused with an alarm:
//! never sent, and never told the old approval. What was refused counts like what was sent, unless
//! something that was sent is alike: its repeat hears the refusal again. Deliberately absent: exact
//! names ([`super::recalled`]).

use super::Switch;
use super::finding::{Body, Candidate, newest_of_each};
use super::ids::{Name, RecordNo};
use super::inflight::Requester;
use super::library::Recalled;
use super::plants::Plant;
use super::record::{Cause, Ending, Origin, Record, Refused};
use super::refusals::{may_be_repeated, may_be_tried_afresh};
use super::stamps::own_stamp;
use super::{duplicates, reply};
use crate::canonical::{Canonical, Flow, Reason};
use crate::text::Text;
use crate::time::Wall;
use std::time::Duration;

/// How much of an earlier request a repeat agrees with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Agreement {
    /// It is another one.
    None,
    /// In the trace number, and in nothing that a counter would not give again.
    Weak,
    /// In its own time or reference number as well, but it asks for something else.
    Other,
    /// In its own time or reference number as well.
    Full,
}

impl Switch {
    /// Whether this may repeat something under another stamp.
    pub(super) fn may_be_restamped(&self, from: &Requester, msg: &Canonical) -> bool {
        let platform = self.policy.platforms.get(usize::from(from.platform.0));
        if self.planted.has(Plant::RestampedRepeatIsNew) {
            return false;
        }
        msg.repeat || msg.flow == Flow::Request && platform.is_some_and(|p| p.restamps)
    }

    /// The journal has nothing of its name, and this of its trace number and card.
    pub(super) fn restamped(
        &mut self,
        from: Requester,
        msg: Box<Canonical>,
        since: RecordNo,
        recalled: &Recalled,
    ) {
        if let Some(ticket) = self.waits_like(&from, &msg) {
            return self.join_waiting(from, msg, ticket);
        }
        let mut candidates = self.candidates(recalled, None);
        candidates.extend(self.arrived_since(since, &candidates));
        let own = reply::origin_of(&msg);
        let asks = msg.flow == Flow::Request;
        let same_flow = |body: &Body| matches!(body, Body::Asked(_)) == asks;
        let agreements = newest_of_each(candidates).into_iter();
        let agreements = agreements.filter_map(|one| {
            let earlier = Earlier::of(&one)?;
            let near = same_flow(&one.body) && self.is_recent(&from, &own, earlier);
            near.then(|| (agreement(&msg, &own, earlier), one.no))
        });
        let alike: Vec<_> = agreements.filter(|(how, _)| *how != Agreement::None).collect();
        match (alike.as_slice(), recalled.more) {
            ([], false) => self.restamped_refusal(from, msg, &own, recalled),
            ([(Agreement::Full, no)], false) if msg.flow == Flow::Request => {
                self.join(from, msg, *no);
            }
            ([(Agreement::Full, no)], false) => {
                self.repeat_event(&from, *no);
                self.answer_own(&from, msg, Reason::Accepted, Some(*no));
            }
            _ => self.refuse_restamped(from, msg),
        }
    }

    /// Nothing like it was sent: something like it may have been refused.
    fn restamped_refusal(
        &mut self,
        from: Requester,
        msg: Box<Canonical>,
        own: &Origin,
        recalled: &Recalled,
    ) {
        let on_disk = recalled.records.iter().filter_map(|(no, record)| match &**record {
            Record::Refused(refused) => Some((*no, &**refused)),
            _ => None,
        });
        let refused = on_disk.chain(self.refusals.iter());
        let counts = |refused: &Refused| {
            let again = msg.repeat || !may_be_tried_afresh(refused.reason);
            may_be_repeated(refused) && again && refused.flow == msg.flow
        };
        let agreements = refused.filter(|(_, refused)| counts(refused)).filter_map(|(no, one)| {
            let earlier = Earlier::refused(one);
            let near = one.pan == msg.pan && self.is_recent(&from, own, earlier);
            near.then(|| (agreement(&msg, own, earlier), no, one.reason))
        });
        let newest = agreements.filter(|(how, ..)| *how != Agreement::None).max_by_key(|of| of.1);
        match newest {
            None => self.not_found_either(from, msg, recalled.coverage),
            Some((Agreement::Full, no, reason)) => {
                self.repeat_event(&from, no);
                let after = Some(no).filter(|_| reason == Reason::Accepted);
                self.answer_own(&from, msg, reason, after);
            }
            Some(_) => self.refuse_restamped(from, msg),
        }
    }

    /// It may be a repeat, and of what nobody can say.
    fn refuse_restamped(&mut self, from: Requester, msg: Box<Canonical>) {
        let cause = Some(Cause::SeveralOriginals);
        self.unclear(&from, &msg, cause);
        if msg.flow == Flow::Request {
            return self.refuse_because(&from, msg, Reason::Duplicate, None, cause);
        }
        self.keep_unsent(&from, msg, None, (Ending::Dead, cause));
    }

    /// Whether something earlier is of the same platform and within its window: by our clock, or
    /// by the platform's own stamps, for ours may have been set meanwhile.
    fn is_recent(&self, from: &Requester, own: &Origin, earlier: Earlier<'_>) -> bool {
        let platform = self.policy.platforms.get(usize::from(from.platform.0));
        let Some(platform) = platform else { return false };
        let at = earlier.at;
        let age = self.now.wall.millis().saturating_sub(at.millis()).unsigned_abs();
        let stamps = own_stamp(own, self.now.wall).zip(own_stamp(earlier.origin, at));
        let apart = stamps.map(|(ours, theirs)| Duration::from_secs(ours.abs_diff(theirs).into()));
        let within = |apart: Duration| apart <= platform.repeat_window;
        earlier.platform == Some(platform.name)
            && (within(Duration::from_millis(age)) || apart.is_some_and(within))
    }

    /// The waiting request that this one repeats.
    fn waits_like(&self, from: &Requester, msg: &Canonical) -> Option<u64> {
        let own = reply::origin_of(msg);
        let waiting = self.air.waiting.iter();
        let mut alike = waiting.filter(|(_, pending)| {
            let theirs = reply::origin_of(&pending.msg);
            pending.requester.platform == from.platform
                && pending.msg.pan == msg.pan
                && theirs.stan == own.stan
                && names_agree(&own, &theirs)
                && is_sure(&own, &theirs)
        });
        alike.next().map(|(ticket, _)| *ticket)
    }

    fn join_waiting(&mut self, from: Requester, msg: Box<Canonical>, ticket: u64) {
        let Some(pending) = self.air.waiting.get(&ticket) else { return };
        let likeness = pending.likeness;
        let asked = content_of(&msg);
        if asked != likeness.content() {
            return self.conflict(from, msg, None);
        }
        self.repeat_of_waiting(from, msg, likeness, ticket);
    }
}

/// What a repeat is compared with.
#[derive(Debug, Clone, Copy)]
struct Earlier<'a> {
    at: Wall,
    platform: Option<Name>,
    origin: &'a Origin,
    content: u32,
}

impl<'a> Earlier<'a> {
    /// Something that was sent, or is to be.
    fn of(candidate: &'a Candidate) -> Option<Self> {
        let origin = candidate.origin()?;
        Some(match &candidate.body {
            Body::Asked(intent) => {
                let (platform, content) = (Some(intent.platform), intent.likeness.content());
                Self { at: intent.at, platform, origin, content }
            }
            Body::Told(queued) => {
                let code = queued.facts.processing_code.as_ref();
                let content = duplicates::content(queued.pan.as_ref(), code, queued.amount);
                Self { at: queued.at, platform: queued.platform, origin, content }
            }
        })
    }

    /// Something that was refused.
    fn refused(refused: &'a Refused) -> Self {
        let code = refused.processing_code.as_ref();
        let content = duplicates::content(refused.pan.as_ref(), code, refused.amount);
        let (at, platform) = (refused.at, Some(refused.platform));
        Self { at, platform, origin: &refused.origin, content }
    }
}

fn content_of(msg: &Canonical) -> u32 {
    duplicates::content(msg.pan.as_ref(), msg.processing_code.as_ref(), msg.amount)
}

/// How much this message agrees with an earlier one of its trace number and card.
fn agreement(msg: &Canonical, own: &Origin, earlier: Earlier<'_>) -> Agreement {
    let Earlier { origin: theirs, content, .. } = earlier;
    let same = content == content_of(msg);
    match (theirs.stan == own.stan && names_agree(own, theirs), is_sure(own, theirs), same) {
        (false, ..) | (true, false, false) => Agreement::None,
        (true, false, true) => Agreement::Weak,
        (true, true, false) => Agreement::Other,
        (true, true, true) => Agreement::Full,
    }
}

/// Whether they agree in every name that both state and that nobody stamps anew.
fn names_agree(own: &Origin, theirs: &Origin) -> bool {
    agrees(own.local_time.as_ref(), theirs.local_time.as_ref())
        && agrees(own.local_date.as_ref(), theirs.local_date.as_ref())
        && agrees(own.acquirer.as_ref(), theirs.acquirer.as_ref())
        && agrees(own.terminal.as_ref(), theirs.terminal.as_ref())
        && agrees(own.merchant.as_ref(), theirs.merchant.as_ref())
        && agrees(own.rrn.as_ref(), theirs.rrn.as_ref())
        && (own.batch.is_none() || theirs.batch.is_none() || own.batch == theirs.batch)
}

/// Whether both state the same time of the transaction, or the same reference number.
fn is_sure(own: &Origin, theirs: &Origin) -> bool {
    let time = own.local_time.is_some() && own.local_time == theirs.local_time;
    time || own.rrn.is_some() && own.rrn == theirs.rrn
}

fn agrees<const N: usize>(a: Option<&Text<N>>, b: Option<&Text<N>>) -> bool {
    a.zip(b).is_none_or(|(a, b)| a.eq_ignore_padding(b))
}
