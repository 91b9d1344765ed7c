//! Where candidates for an original come from: memory, what is in flight, and the journal.
//!
//! Contract: an exact name that the memory knows costs one look at its records; only what that
//! does not settle is looked for in the journal by less than a name ([`super::anchors`]). While
//! the journal is asked the world goes on: what came since is among the candidates, and what
//! became of each is judged now. Deliberately absent: which one is meant ([`super::finding`]).

use super::finding::{Body, Candidate, Found, Standing, Stated, find};
use super::ids::RecordNo;
use super::inflight::Requester;
use super::library::Recalled;
use super::memory::{Past, Remembered};
use super::originals::original_names;
use super::output::RecallKey;
use super::plants::Plant;
use super::questions::{Recalling, first_names};
use super::recall::{REFERENCE_DAYS, REFUND_DAYS, takes_back};
use super::record::{Cause, Ending, Intent, Outcome, Queued, Record};
use super::{Switch, anchors, duplicates, reply};
use crate::canonical::{Canonical, Flow, Kind, Reason, TransactionType};
use crate::limits::UNWRITTEN_MAX;
use crate::money::Amount;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is looked for, and since when.
#[derive(Debug)]
pub(super) struct Looking {
    /// Who sent it.
    pub from: Requester,
    /// What follows an original.
    pub msg: Box<Canonical>,
    /// The last record when the question was put: what came later is not in its answer.
    pub since: RecordNo,
    /// The record that the memory has under its name, where only that was asked for.
    pub exact: Option<RecordNo>,
}

impl Switch {
    /// What a message says of its original.
    pub(super) fn stated(&self, from: &Requester, msg: &Canonical) -> Stated {
        Stated {
            platform: self.platform_name(from).unwrap_or_default(),
            kind: msg.kind,
            own: reply::origin_of(msg),
            named: msg.original.clone().unwrap_or_default(),
            pan: msg.pan.clone(),
            amount: msg.amount,
            auth_id: msg.auth_id,
            now: self.now.wall,
        }
    }

    /// The names its platform may have given the original, as fingerprints.
    pub(super) fn names_of_original(&self, stated: &Stated, msg: &Canonical) -> Vec<u64> {
        let names = original_names(msg, &stated.own);
        names.iter().map(|name| duplicates::fingerprint(&stated.platform, name)).collect()
    }

    /// Looks for what a message refers to: under its names in memory, then in the journal. What
    /// is found goes to [`Switch::found`].
    pub(super) fn look_for(&mut self, from: Requester, msg: Box<Canonical>) {
        let stated = self.stated(&from, &msg);
        let names = self.names_of_original(&stated, &msg);
        let known = names.iter().find_map(|name| self.state.memory.find(*name));
        let sent = known.filter(|past| !matches!(past.past(), Past::Tombstone | Past::Refused));
        let Some(past) = sent else { return self.look_in_journal(from, msg) };
        let no = past.no();
        if let Some(candidate) = self.flying(no) {
            let known = Recalled::default();
            return match find(&stated, vec![candidate], false, known.coverage) {
                found @ Found::This(_) => {
                    // Nothing on disk refers to it yet, unless a great deal came since.
                    let family = Some(&known).filter(|_| self.newest.reaches(no));
                    self.found(from, msg, found, family);
                }
                _ => self.look_in_journal(from, msg),
            };
        }
        self.ask_family(from, msg, no);
    }

    /// Asks for an original with all that refers to it, and what became of them.
    pub(super) fn ask_family(&mut self, from: Requester, msg: Box<Canonical>, no: RecordNo) {
        let key = RecallKey::Family { txn: no, days: Self::reach_of(&msg) };
        let looking = Looking { from, msg, since: self.state.last, exact: Some(no) };
        self.recall(key, Recalling::Meant(Box::new(looking)));
    }

    /// Days that an original may lie back.
    const fn reach_of(msg: &Canonical) -> u16 {
        match msg.kind {
            Kind::Transaction(TransactionType::Refund) => REFUND_DAYS,
            _ => REFERENCE_DAYS,
        }
    }

    /// Looks in the journal for all that may be meant.
    fn look_in_journal(&mut self, from: Requester, msg: Box<Canonical>) {
        let reversal = matches!(msg.kind, Kind::Reversal(_));
        if reversal && self.planted.has(Plant::MisnamedReversalNeedless) {
            return self.found(from, msg, Found::NeverSent, None);
        }
        let stated = self.stated(&from, &msg);
        let names = first_names(self.names_of_original(&stated, &msg).into_iter());
        let most = Self::reach_of(&msg);
        let (anchors, reference) = (anchors_for(&stated), reference_for(&stated));
        let key = RecallKey::Meant { names, anchors, reference, days: days(&stated, most) };
        let looking = Looking { from, msg, since: self.state.last, exact: None };
        self.recall(key, Recalling::Meant(Box::new(looking)));
    }

    /// The journal has answered.
    pub(super) fn meant_recalled(&mut self, looking: Looking, recalled: Recalled) {
        let Looking { from, msg, since, exact } = looking;
        let stated = self.stated(&from, &msg);
        let own = duplicates::fingerprint(&stated.platform, &stated.own);
        if self.air.waiting_names.get(own).is_some() || self.state.memory.find(own).is_some() {
            // It was repeated or reversed while the journal was asked.
            return self.asked_again(from, msg);
        }
        if !matches!(msg.kind, Kind::Reversal(_)) && self.reversed_since(&msg, since) {
            // Reversed as well, under a name that is less than exact.
            return self.ask_what_came_ahead(from, msg);
        }
        let names = self.names_of_original(&stated, &msg);
        if matches!(msg.kind, Kind::Reversal(_)) && self.drop_waiting(&stated, &names).is_some() {
            // Its original came while the journal was asked, and had not left yet.
            return self.asked_again(from, msg);
        }
        let known = names.iter().find_map(|name| self.state.memory.find(*name));
        if known.is_some_and(|past| past.no() > since && past.past() != Past::Tombstone) {
            // Its original came while the journal was asked.
            return self.asked_again(from, msg);
        }
        let mut candidates = self.candidates(&recalled, exact);
        if let (Some(no), true, false) = (exact, candidates.is_empty(), recalled.records.is_empty())
        {
            // What it names takes something back itself, or was never sent: nothing to undo.
            return self.nothing_of(from, msg, no);
        }
        candidates.extend(self.arrived_since(since, &candidates));
        let found = find(&stated, candidates, recalled.more, recalled.coverage);
        let found = self.means(&msg, found);
        match found {
            Found::This(ref one) if self.answered_since(one, since, &recalled) => {
                self.asked_again(from, msg);
            }
            Found::This(ref one) => {
                let all = exact == Some(one.no) && self.newest.reaches(since);
                self.found(from, msg, found, Some(&recalled).filter(|_| all));
            }
            _ if exact.is_some() => self.look_in_journal(from, msg),
            _ => {
                let since = self.state.gap.since.max(recalled.coverage.since);
                let lossy = since != recalled.coverage.since && found == Found::NeverSent;
                self.found(from, msg, if lossy { Found::Unknowable } else { found }, None);
            }
        }
    }

    fn nothing_of(&mut self, from: Requester, msg: Box<Canonical>, no: RecordNo) {
        match msg.flow {
            _ if matches!(msg.kind, Kind::Reversal(_)) => {
                self.refuse(&from, msg, Reason::Accepted, Some(no), None);
            }
            Flow::Request => self.refuse(&from, msg, Reason::InvalidTransaction, Some(no), None),
            _ => {
                let cause = Some(Cause::NothingStands);
                self.unclear(&from, &msg, cause);
                self.keep_unsent(&from, msg, None, (Ending::Dead, cause));
            }
        }
    }

    /// A transaction in flight, as it stands.
    fn flying(&self, no: RecordNo) -> Option<Candidate> {
        let flight = self.air.flights.get(self.air.slot_of(no)?)?;
        Some(self.asked(no, &flight.intent, self.outcome_in_flight(no), &[]))
    }

    /// The answer to a request in flight, which need not be on disk yet.
    fn outcome_in_flight(&self, no: RecordNo) -> Option<&Outcome> {
        let flight = self.air.flights.get(self.air.slot_of(no)?)?;
        flight.outcome.as_ref().map(|(_, outcome)| outcome)
    }

    /// Whether a bank's answer came while the journal was asked, and is neither in its answer nor
    /// in flight any more: only that answer tells how much was granted.
    fn answered_since(&self, one: &Candidate, since: RecordNo, recalled: &Recalled) -> bool {
        let outcome = self.state.memory.of(one.no).and_then(Remembered::outcome);
        outcome.is_some_and(|outcome| {
            outcome > since
                && self.outcome_in_flight(one.no).is_none()
                && recalled.records.iter().all(|(no, _)| *no != outcome)
        })
    }

    /// Requests and advices recorded after the journal was asked, or shortly before: it looks at
    /// what is on disk.
    pub(super) fn arrived_since(&self, since: RecordNo, known: &[Candidate]) -> Vec<Candidate> {
        let since = RecordNo(since.0.saturating_sub(UNWRITTEN_MAX));
        let open = self.state.open.iter().rev().take_while(|(no, _)| *no > since);
        let asked =
            open.map(|(no, open)| self.asked(no, &open.intent, self.outcome_in_flight(no), &[]));
        let owed = self.state.saf.range(RecordNo(since.0 + 1)..);
        let told = owed.filter(|(_, entry)| entry.queued.is_told());
        let told = told.map(|(no, entry)| self.told(*no, &entry.queued, &[]));
        let new = |candidate: &Candidate| known.iter().all(|known| known.no != candidate.no);
        asked.chain(told).filter(new).collect()
    }

    /// Candidates among records, each with what became of it.
    pub(super) fn candidates(
        &self,
        recalled: &Recalled,
        exact: Option<RecordNo>,
    ) -> Vec<Candidate> {
        let mut ends: BTreeMap<RecordNo, Vec<&Record>> = BTreeMap::new();
        for (_, record) in &recalled.records {
            if let Some(of) = super::recall::tells_end_of(record) {
                ends.entry(of).or_default().push(record);
            }
        }
        let records = || recalled.records.iter().map(|(no, record)| (*no, &**record));
        let wanted = records().filter(|(no, _)| exact.is_none_or(|exact| exact == *no));
        let mut all = vec![];
        for (no, record) in wanted {
            let ends = ends.get(&no).map_or(&[][..], Vec::as_slice);
            match record {
                Record::Intent(intent) => {
                    let outcome = ends.iter().find_map(|end| match end {
                        Record::Outcome(outcome) => Some(outcome),
                        _ => None,
                    });
                    let outcome = outcome.or_else(|| self.outcome_in_flight(no));
                    all.push(self.asked(no, intent, outcome, ends));
                }
                Record::Queued(queued) if queued.is_told() => all.push(self.told(no, queued, ends)),
                _ => {}
            }
        }
        all
    }

    pub(super) fn asked(
        &self,
        no: RecordNo,
        intent: &Arc<Intent>,
        outcome: Option<&Outcome>,
        ends: &[&Record],
    ) -> Candidate {
        let granted = outcome.filter(|outcome| outcome.leg.grants());
        Candidate {
            no,
            body: Body::Asked(Arc::clone(intent)),
            granted: granted.and_then(|outcome| outcome.amount),
            auth_id: outcome.and_then(|outcome| outcome.auth_id),
            rrn: outcome.and_then(|outcome| outcome.rrn),
            local_date: outcome.and_then(|outcome| outcome.local_date),
            kept: outcome.and_then(|outcome| outcome.kept.clone()),
            standing: self.taken_back(no, ends).unwrap_or_else(|| self.ended(no, outcome)),
            at_bank: super::standing::Standing {
                left: ends.iter().rev().find_map(|end| left_by(no, end)),
                ..outcome.map(super::standing::Standing::of).unwrap_or_default()
            },
        }
    }

    pub(super) fn told(&self, no: RecordNo, queued: &Arc<Queued>, ends: &[&Record]) -> Candidate {
        Candidate {
            no,
            body: Body::Told(Arc::clone(queued)),
            granted: None,
            auth_id: queued.auth_id,
            rrn: None,
            local_date: None,
            kept: None,
            standing: self
                .taken_back(no, ends)
                .unwrap_or_else(|| self.forwarded(no, queued.tells_of_decline(), ends)),
            at_bank: super::standing::Standing::default(),
        }
    }

    /// Whether anything takes or took it back.
    fn taken_back(&self, no: RecordNo, ends: &[&Record]) -> Option<Standing> {
        let past = self.state.memory.of(no).map(Remembered::past);
        if past == Some(Past::PartlyReversed) || self.partial_at_work(no).is_some() {
            return Some(Standing::Partly);
        }
        if self.state.chains.contains_key(&no) || past == Some(Past::Reversed) {
            return Some(Standing::TakenBack);
        }
        let back = ends.iter().rev().find(|record| takes_back(record) == Some(no))?;
        let part = matches!(back, Record::Queued(queued) if queued.replacement.is_some());
        Some(if part { Standing::Partly } else { Standing::TakenBack })
    }

    /// How a request ended that nobody took back.
    fn ended(&self, no: RecordNo, outcome: Option<&Outcome>) -> Standing {
        let past = self.state.memory.of(no).map(Remembered::past);
        match (past, outcome) {
            _ if self.state.open.contains(no) => Standing::Open,
            (Some(Past::Granted), _) => Standing::Stands,
            (Some(Past::Denied), _) => Standing::Denied,
            // The debit of a top-up that was approved, and no credit yet.
            (Some(Past::Open), _) => Standing::Open,
            (_, Some(outcome)) if outcome.leg.grants() => Standing::Stands,
            (_, Some(_)) => Standing::Denied,
            (_, None) => Standing::Unknown,
        }
    }

    /// Where an advice is that nobody took back.
    fn forwarded(&self, no: RecordNo, declined: bool, ends: &[&Record]) -> Standing {
        if declined {
            return Standing::Denied;
        }
        if self.state.saf.contains_key(&no) || self.state.dead.contains_key(&no) {
            return Standing::Owed;
        }
        let closed = ends.iter().rev().find_map(|record| match record {
            Record::Closed(closed) => Some(closed.ending),
            _ => None,
        });
        match closed {
            Some(Ending::Acknowledged) => Standing::Stands,
            Some(Ending::NoOriginal | Ending::Needless) => Standing::Denied,
            // An operator gave it up: what the bank has was settled otherwise.
            Some(Ending::GivenUp | Ending::Dead | Ending::Expired | Ending::TriedOut) => {
                Standing::Unknown
            }
            // It has just ended, and the disk does not have that yet.
            None => Standing::Owed,
        }
    }
}

/// What a reversal of a part of this transaction leaves of it.
fn left_by(no: RecordNo, record: &Record) -> Option<Amount> {
    match record {
        Record::Queued(queued) if queued.txn == Some(no) => queued.replacement,
        _ => None,
    }
}

/// What is looked up besides names: the trace number with the card and with the time, or the
/// card alone where no trace number is stated.
pub(super) fn anchors_for(stated: &Stated) -> [u64; anchors::ANCHORS_MAX] {
    let pan = stated.pan.as_ref();
    let time = stated.moment().and_then(|moment| u32::try_from(moment).ok());
    let mut all = [0; anchors::ANCHORS_MAX];
    let traced = stated.stan().map(|stan| {
        let card = pan.map(|pan| anchors::by_trace(stan, pan));
        let [now, before, after] = time.map_or([0; 3], |at| anchors::around(stan, at));
        [card.unwrap_or_default(), now, before, after]
    });
    let card = || [pan.map(anchors::by_card).unwrap_or_default(), 0, 0, 0];
    let stated = traced.unwrap_or_else(card);
    all.iter_mut().zip(stated.into_iter().filter(|anchor| *anchor != 0)).for_each(|(to, from)| {
        *to = from;
    });
    all
}

/// The anchor of the reference number that is stated; 0: none.
pub(super) fn reference_for(stated: &Stated) -> u64 {
    let reference = stated.own.rrn.as_ref().and_then(anchors::by_reference);
    reference.unwrap_or_default()
}

/// How many days to look back: to the time that is stated, or as far as it goes.
fn days(stated: &Stated, most: u16) -> u16 {
    const DAY_S: i64 = 86_400;
    let now = stated.now.millis().div_euclid(1_000);
    let age = stated.moment().map(|moment| (now - moment).max(0) / DAY_S);
    let needed = age.and_then(|days| u16::try_from(days + 3).ok());
    needed.unwrap_or(most).min(most)
}
