//! The invariants, one function each, over threads.

use super::threads::{Thread, Threads, bank_key};
use super::{Invariant, Violation, World};
use crate::bank::business::Business;
use crate::bank::ledger::{Entry, Key, Seen};
use crate::platform::ledger::Request;
use pointsman::switch::audit::{Auditor, Violation as Broken};
use pointsman::switch::ids::RecordNo;
use pointsman::switch::record::{Ending, Intent, Leg, Outcome};
use std::collections::{HashMap, HashSet};

/// Every violation but those of money as such.
pub(super) fn judge(world: &World<'_>, threads: &Threads<'_>) -> Vec<Violation> {
    let mut found = Found(Vec::new());
    for thread in threads.all() {
        one_outcome(thread, &mut found);
        approvals_are_written(thread, &mut found);
        settled_both_ways(thread, &mut found);
        sent_once(thread, &mut found);
    }
    known_before_sent(threads, &mut found);
    answers_find_their_way(world, &mut found);
    audited(world, &mut found);
    found.0
}

struct Found(Vec<Violation>);

impl Found {
    fn add(&mut self, invariant: Invariant, transaction: String, what: impl Into<String>) {
        self.0.push(Violation { invariant, transaction, what: what.into() });
    }
}

/// I1: one outcome each, and one end of each obligation.
fn one_outcome(thread: &Thread<'_>, found: &mut Found) {
    let mut add = |what: String| found.add(Invariant::I1, thread.name(), what);
    let outcomes = thread.outcomes.len();
    if thread.intent.is_some() && outcomes != 1 {
        add(format!("{outcomes} outcomes, expected one"));
    }
    for chain in &thread.chains {
        match chain.closed.len() {
            0 if thread.on_desk => {}
            1 => {}
            0 => add(format!("obligation {} has no end", chain.no)),
            ends => add(format!("obligation {} ended {ends} times", chain.no)),
        }
    }
}

/// I2: what the platform was granted is in the journal, to the last digit.
fn approvals_are_written(thread: &Thread<'_>, found: &mut Found) {
    let Some(request) = thread.request.filter(|request| request.is_approved()) else { return };
    let what = match thread.outcomes.first() {
        None if thread.intent.is_some() => return, // I1 says so
        None => Some("the platform was granted what the journal does not know".to_owned()),
        Some(outcome) => differs(request, thread.intent, outcome),
    };
    if let Some(what) = what {
        found.add(Invariant::I2, thread.name(), what);
    }
}

fn differs(request: &Request, intent: Option<&Intent>, outcome: &Outcome) -> Option<String> {
    if !matches!(outcome.leg, Leg::Approved | Leg::PartiallyApproved | Leg::StoodIn) {
        return Some(format!("granted to the platform, {:?} in the journal", outcome.leg));
    }
    let written = outcome.amount.or(intent.and_then(|i| i.amount)).map(|a| a.minor);
    let told = request.answered_amount.unwrap_or(request.amount);
    if written.is_some_and(|written| written != told) {
        return Some(format!("{told} minor units told, {written:?} written"));
    }
    let written = outcome.auth_id.map(|a| a.trimmed().to_string());
    let told = request.auth_id.as_deref();
    (told.is_some() && written.as_deref() != told)
        .then(|| "another authorization code told than written".to_owned())
}

/// I3: nothing reaches a bank that was not written down before.
fn known_before_sent(threads: &Threads<'_>, found: &mut Found) {
    // An original that the switch never saw has its platform's terminal in the journal and the
    // bank's at the bank.
    let named = |bank: &str, key: &Key| (bank.to_owned(), key.stan.clone(), key.moment.clone());
    let owed: HashSet<_> = threads
        .orphans
        .iter()
        .map(|chain| named(&chain.queued.bank.to_string(), &bank_key(&chain.queued.original)))
        .collect();
    for entry in &threads.strange {
        let reversal = entry.business == Business::Reversal;
        let of_unknown = owed.contains(&named(&entry.bank, &entry.key));
        if !(reversal && of_unknown) {
            let what = format!("{} without an intent", entry.mti);
            found.add(Invariant::I3, entry_name(entry), what);
        }
    }
    for thread in threads.all().iter().filter(|thread| thread.chains.is_empty()) {
        if thread.entries.iter().any(|entry| entry.business == Business::Reversal) {
            let what = "reversed at the bank without an obligation in the journal";
            found.add(Invariant::I3, thread.name(), what);
        }
    }
}

fn entry_name(entry: &Entry) -> String {
    format!("entry {} of {} (STAN {})", entry.no, entry.bank, entry.stan)
}

/// I4 and I5: what the bank holds the platform has, and the other way round.
fn settled_both_ways(thread: &Thread<'_>, found: &mut Found) {
    let (at_bank, at_platform) = (thread.at_bank(), thread.at_platform());
    if thread.outcomes.is_empty() {
        return; // I1 says so
    }
    if at_bank != 0 && at_platform == 0 && !thread.is_open() {
        let gone = thread.chains.iter().flat_map(|c| &c.closed);
        let gone = gone.filter(|c| c.ending != Ending::Acknowledged).count();
        let what = format!("approved at the bank, not at the platform; {gone} obligations dropped");
        found.add(Invariant::I4, thread.name(), what);
    }
    if at_platform != 0 && at_bank == 0 && thread.was_reversed() {
        let what = "granted to the platform, which did not take it back, and reversed at the bank";
        found.add(Invariant::I5, thread.name(), what);
    }
}

/// I6: one original, and repeats that say what they are.
fn sent_once(thread: &Thread<'_>, found: &mut Found) {
    let is_request = |entry: &&&Entry| entry.mti.as_bytes().get(2) == Some(&b'0');
    let originals = thread.entries.iter().filter(|e| e.business != Business::Reversal);
    let again = originals.filter(is_request).skip(1).count();
    if again > 0 {
        found.add(
            Invariant::I6,
            thread.name(),
            format!("the original was sent {} times", again + 1),
        );
    }
    let mut tries: HashMap<&str, u32> = HashMap::new();
    for entry in thread.entries.iter().filter(|e| e.business == Business::Reversal) {
        let before = tries.entry(&entry.stan).or_insert(0);
        *before += 1;
        // UnionPay repeats 0400 as it is; 0420 has a repeat MTI.
        if *before > 1 && entry.mti == "0420" && entry.seen != Seen::First {
            found.add(Invariant::I6, thread.name(), "a repeated reversal does not say so");
        }
    }
}

/// I7: no answer without request, none that is another's.
fn answers_find_their_way(world: &World<'_>, found: &mut Found) {
    for stray in world.strays {
        let what = format!("{} {} answers nothing the platform asked", stray.mti, stray.code);
        found.add(Invariant::I7, format!("STAN {}", stray.stan), what);
    }
    for request in world.requests {
        if let Some(what) = &request.contradiction {
            let name = format!("request {} (STAN {})", request.no, request.stan);
            found.add(Invariant::I7, name, what.clone());
        }
    }
}

/// What the journal alone shows: the rules of the switch's own auditor.
fn audited(world: &World<'_>, found: &mut Found) {
    let mut auditor = Auditor::new();
    for (no, record) in world.journal {
        auditor.see(RecordNo(*no), record);
    }
    for broken in auditor.finish().violations {
        let (invariant, at) = (invariant_of(&broken).1, broken.transaction());
        found.add(invariant, format!("transaction {at}"), broken.to_string());
    }
}

/// The invariant that a rule of the auditor belongs to.
pub(super) const fn invariant_of(broken: &Broken) -> (&'static str, Invariant) {
    match broken {
        Broken::StrayOutcome { .. } | Broken::Gap { .. } | Broken::StrayEntry { .. } => {
            ("I1", Invariant::I1)
        }
        Broken::NotGranted { .. } => ("I2", Invariant::I2),
        Broken::DebtNotQueued { .. } | Broken::DebitBeforeCredit { .. } => ("I4", Invariant::I4),
        Broken::GrantReversed { .. } | Broken::NotReversible { .. } => ("I5", Invariant::I5),
        Broken::SentTwice { .. } | Broken::TryCountedTwice { .. } => ("I6", Invariant::I6),
        Broken::SecondChain { .. } => ("I7", Invariant::I7),
        Broken::StanShared { .. } => ("I8", Invariant::I8),
        Broken::MoneyLeft { .. } => ("I9", Invariant::I9),
    }
}
