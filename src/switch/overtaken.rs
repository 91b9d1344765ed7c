//! Originals that come after their reversal.
//!
//! Contract: a reversal of what never came is remembered under every anchor by which an original
//! is found ([`super::anchors`]), and what comes late is compared with it by the rules by which a
//! reversal finds its original ([`super::finding`]). What it takes back never leaves: a request is
//! declined as reversed, an advice acknowledged. One that it names but contradicts goes its way,
//! and the reversal goes to the desk. Deliberately absent: what nobody reversed pays one compare.

use super::finding::{Body, Candidate, Found, Standing, Stated, find};
use super::ids::{Name, RecordNo};
use super::inflight::{Pending, Requester};
use super::library::{Coverage, Recalled};
use super::memory::Past;
use super::output::{Event, RecallKey};
use super::questions::Recalling;
use super::recall::REPEAT_DAYS;
use super::record::{BankKeys, Cause, Closed, Ending, Owed, Queued, Record};
use super::{Switch, anchors, duplicates, meant, reply};
use crate::canonical::{Canonical, Flow, OriginalData, Reason};
use crate::time::Wall;
use std::sync::Arc;

/// A reversal that came first, and its number.
type Ahead = (RecordNo, Arc<Queued>);

/// What a reversal that came first says of its original, as its record has it: what the platform
/// left out stands there as in the reversal itself.
fn stated_by(queued: &Queued, now: Wall) -> Option<Stated> {
    let (platform, own) = (queued.platform?, queued.origin.clone()?);
    let original = &queued.original;
    let named = OriginalData {
        stan: Some(original.stan).filter(|stan| *stan != own.stan),
        mti: queued.original_mti,
        transmission: original.transmission.filter(|f7| Some(*f7) != own.transmission),
        date: original.local_date.filter(|date| Some(*date) != own.local_date),
        time: original.local_time.filter(|time| Some(*time) != own.local_time),
        acquirer: original.acquirer.filter(|id| Some(*id) != own.acquirer),
        batch: original.batch.filter(|batch| Some(*batch) != own.batch),
        ..OriginalData::default()
    };
    let (pan, amount, auth_id) = (queued.pan.clone(), queued.amount, queued.auth_id);
    Some(Stated { platform, kind: queued.kind, own, named, pan, amount, auth_id, now })
}

/// Under what an original that comes late finds this reversal, where it came first.
pub(super) fn anchors_ahead(queued: &Queued) -> [Option<u64>; anchors::OF_RECORD] {
    let mut all = [None; anchors::OF_RECORD];
    if !queued.is_ahead() {
        return all;
    }
    let Some(stated) = stated_by(queued, queued.at) else { return all };
    let found = meant::anchors_for(&stated).into_iter().chain([meant::reference_for(&stated)]);
    let found = found.filter(|anchor| *anchor != 0).map(anchors::ahead);
    all.iter_mut().zip(found).for_each(|(slot, anchor)| *slot = Some(anchor));
    all
}

impl Switch {
    /// Whether its reversal came while the journal was asked about something else.
    pub(super) fn reversed_since(&self, msg: &Canonical, since: RecordNo) -> bool {
        self.reversed_ahead(msg).is_some_and(|no| no > since)
    }

    fn anchors_behind(&self, msg: &Canonical) -> [Option<u64>; anchors::OF_RECORD] {
        let own = reply::origin_of(msg);
        let all = anchors::anchors_of(&own, msg.pan.as_ref(), self.now.wall);
        all.map(|anchor| anchor.map(anchors::ahead))
    }

    /// The newest reversal that may have come before this, its original.
    pub(super) fn reversed_ahead(&self, msg: &Canonical) -> Option<RecordNo> {
        if !self.state.memory.has_tombstones() {
            return None;
        }
        let known = self.anchors_behind(msg).into_iter().flatten();
        let known = known.filter_map(|anchor| self.state.memory.find(anchor));
        known.map(|past| past.no()).max()
    }

    fn own_name(&self, from: &Requester, msg: &Canonical) -> u64 {
        let platform = self.platform_name(from).unwrap_or_default();
        duplicates::fingerprint(&platform, &reply::origin_of(msg))
    }

    /// Asks the journal for the reversals that may have come first.
    pub(super) fn ask_what_came_ahead(&mut self, from: Requester, msg: Box<Canonical>) {
        let names = [self.own_name(&from, &msg), 0, 0, 0];
        let [trace, card, time, reference, _] =
            self.anchors_behind(&msg).map(Option::unwrap_or_default);
        let anchors = [trace, card, time, 0];
        let key = RecallKey::Meant { names, anchors, reference, days: REPEAT_DAYS };
        let since = self.state.last;
        self.recall(key, Recalling::Ahead { requester: from, msg, since });
    }

    /// The journal has answered.
    pub(super) fn ahead_recalled(
        &mut self,
        from: Requester,
        msg: Box<Canonical>,
        since: RecordNo,
        recalled: &Recalled,
    ) {
        let name = self.own_name(&from, &msg);
        let known = self.state.memory.find(name);
        let exact = known.filter(|past| past.past() == Past::Tombstone).map(|past| past.no());
        if self.air.waiting_names.get(name).is_some() || known.is_some() != exact.is_some() {
            // It was repeated while the journal was asked.
            return self.asked_again(from, msg);
        }
        let newest = exact.max(self.reversed_ahead(&msg));
        if newest.is_some_and(|no| no > since) {
            // One more came while the journal was asked.
            return self.ask_what_came_ahead(from, msg);
        }
        let records = recalled.records.iter().rev();
        let ahead: Vec<Ahead> = records
            .filter_map(|(no, record)| match &**record {
                Record::Queued(queued) if queued.is_ahead() => Some((*no, Arc::clone(queued))),
                _ => None,
            })
            .collect();
        match (newest, exact) {
            (Some(no), _) if ahead.iter().any(|(one, _)| *one == no) => {
                self.comes_after(from, msg, &ahead);
            }
            (None, _) => self.comes_after(from, msg, &ahead),
            // The disk does not have it yet, or not any more.
            (Some(_), Some(no)) => self.never_leaves(&from, msg, no),
            (Some(no), None) => self.not_yet(&from, msg, no),
        }
    }

    /// Compares what comes late with the reversals that may be meant for it.
    pub(super) fn comes_after(&mut self, from: Requester, msg: Box<Canonical>, ahead: &[Ahead]) {
        let late = self.late_original(&from, &msg);
        let mut contradicted = vec![];
        for (no, queued) in ahead {
            let Some(stated) = stated_by(queued, self.now.wall) else { continue };
            match find(&stated, vec![late.clone()], false, Coverage::default()) {
                Found::This(_) => return self.never_leaves(&from, msg, *no),
                // What is of another time, or has nothing but the card in common, is another one.
                Found::Contradicted(_, 7 | 13 | 90) => {}
                Found::Contradicted(_, de) => contradicted.push((*no, Arc::clone(queued), de)),
                Found::Several | Found::NeverSent | Found::Unknowable | Found::Forgotten => {}
            }
        }
        for (no, queued, de) in contradicted {
            self.contradicted_late(no, &queued, de);
        }
        self.begin(from, msg);
    }

    /// It was taken back before it came: nobody is asked for it, and nobody told of it.
    fn never_leaves(&mut self, from: &Requester, msg: Box<Canonical>, reversal: RecordNo) {
        let reason = match msg.flow {
            Flow::Request => Reason::Reversed,
            _ => Reason::Accepted,
        };
        self.refuse(from, msg, reason, Some(reversal), None);
    }

    /// Whether a reversal that names its original means this request, which has not left yet: by
    /// the trace number, or by the reference number alone.
    pub(super) fn is_meant(&self, stated: &Stated, waiting: &Pending) -> bool {
        let theirs = &waiting.msg;
        let traced = stated.stan().is_some() && theirs.stan == stated.stan();
        let referred = stated.own.rrn.is_some() && theirs.rrn == stated.own.rrn;
        (traced || referred) && {
            let late = self.late_original(&waiting.requester, theirs);
            matches!(find(stated, vec![late], false, Coverage::default()), Found::This(_))
        }
    }

    /// A message as the original that a reversal may mean.
    fn late_original(&self, from: &Requester, msg: &Canonical) -> Candidate {
        let (at, reason) = (self.now.wall, Reason::CustomerCancel);
        let what = (Owed::Repeat, msg.kind, msg.flow);
        let body = Queued {
            origin: Some(reply::origin_of(msg)),
            platform: self.platform_name(from),
            pan: msg.pan.clone(),
            amount: msg.amount,
            ..Queued::bare(at, Name::EMPTY, what, reason, BankKeys::default())
        };
        Candidate {
            no: RecordNo(self.state.last.0 + 1),
            body: Body::Told(Arc::new(body)),
            granted: None,
            auth_id: None,
            rrn: None,
            local_date: None,
            kept: None,
            standing: Standing::Open,
            at_bank: super::standing::Standing::default(),
        }
    }

    /// A reversal was acknowledged as one of something that never came. Now something comes that
    /// it names, and that it contradicts: an operator looks.
    fn contradicted_late(&mut self, no: RecordNo, reversal: &Queued, de: u8) {
        if self.state.dead.contains_key(&no) {
            // There it stands already.
            return;
        }
        let (bank, at, amount) = (reversal.bank, self.now.wall, reversal.amount);
        let (platform, own) = (reversal.platform.unwrap_or_default(), &reversal.origin);
        let (stan, terminal) = own.as_ref().map(|own| (own.stan, own.terminal)).unwrap_or_default();
        let cause = Some(Cause::Contradicted(de));
        self.event(Event::UnclearOriginal { platform, stan, terminal, cause });
        let stan = self.free_stan(&bank).unwrap_or_default();
        let kept = Queued {
            at,
            keys: BankKeys { stan, ..reversal.keys.clone() },
            original: BankKeys::default(),
            original_mti: None,
            referred: Some(Box::new(reversal.original.clone())),
            ..reversal.clone()
        };
        let entry = self.record(Record::Queued(Arc::new(kept)));
        let closed = Closed { cause, ..Closed::bare(entry, at, Ending::Dead) };
        self.record(Record::Closed(closed));
        self.mark_window();
        self.event(Event::OnDesk { bank, txn: entry, amount, cause });
    }
}
