//! One thread per transaction: its records, its request at the platform, its entries at a bank.
//!
//! Contract: a thread is tied together by keys only – (`F11`, `F7`) towards the platform, the
//! bank's key towards the bank – never by amounts or outcomes, which are what is judged.

use super::World;
use crate::bank::business::Business;
use crate::bank::ledger::{Entry, Key};
use crate::platform::ledger::Request;
use pointsman::switch::input::DeskVerb;
use pointsman::switch::record::{
    BankKeys, Closed, Ending, Intent, Late, Leg, Outcome, Owed, Queued, Record,
};
use std::collections::{BTreeMap, HashMap};

/// An obligation and its end.
#[derive(Debug)]
pub(super) struct Chain<'a> {
    /// Number of the `Queued` record.
    pub no: u64,
    /// What is owed.
    pub queued: &'a Queued,
    /// How it ended.
    pub closed: Vec<&'a Closed>,
}

/// Everything about one transaction.
#[derive(Debug)]
pub(super) struct Thread<'a> {
    /// Number of the intent; 0 where there is none and only the platform knows of it.
    pub no: u64,
    /// What was intended.
    pub intent: Option<&'a Intent>,
    /// How it ended; one, if all is well.
    pub outcomes: Vec<&'a Outcome>,
    /// Answers after the end.
    pub lates: Vec<&'a Late>,
    /// What it owed.
    pub chains: Vec<Chain<'a>>,
    /// Whether it stands on the desk.
    pub on_desk: bool,
    /// What the platform asked.
    pub request: Option<&'a Request>,
    /// What the bank saw of it.
    pub entries: Vec<&'a Entry>,
}

impl Thread<'_> {
    /// Its name in a violation.
    pub(super) fn name(&self) -> String {
        match (self.no, self.request) {
            (0, Some(request)) => format!("request {} (STAN {})", request.no, request.stan),
            (no, _) => format!("transaction {no}"),
        }
    }

    /// Its currency.
    pub(super) fn currency(&self) -> String {
        let amount = self.intent.and_then(|intent| intent.amount);
        let asked = self.request.map(|request| request.currency.clone());
        asked.or(amount.map(|a| a.currency.to_string())).unwrap_or_default()
    }

    /// Minor units moved at the bank.
    pub(super) fn at_bank(&self) -> i64 {
        self.entries.iter().map(|entry| entry.signed).sum()
    }

    /// Minor units moved as the platform sees it.
    pub(super) fn at_platform(&self) -> i64 {
        self.request.map_or(0, Request::signed)
    }

    /// What the bank has moved and the platform does not know of.
    pub(super) fn gap(&self) -> i64 {
        self.at_bank() - self.at_platform()
    }

    /// Whether somebody is still bound to settle it: the SAF or an operator.
    pub(super) fn is_open(&self) -> bool {
        self.on_desk || self.chains.iter().any(|chain| chain.closed.is_empty())
    }

    /// Whether the bank undid it.
    pub(super) fn was_reversed(&self) -> bool {
        self.entries.iter().any(|e| e.business == Business::Reversal && e.signed != 0)
    }
}

/// All transactions.
#[derive(Debug)]
pub(super) struct Threads<'a> {
    threads: Vec<Thread<'a>>,
    /// Entries at banks that belong to no transaction.
    pub strange: Vec<&'a Entry>,
    /// Obligations without transaction: reversals of originals the switch never saw.
    pub orphans: Vec<Chain<'a>>,
}

impl<'a> Threads<'a> {
    /// Ties everything together.
    pub(super) fn of(world: &World<'a>) -> Self {
        let mut weaver = Weaver::default();
        for (no, record) in world.journal {
            weaver.take(*no, record);
        }
        weaver.tie_requests(world.requests);
        weaver.tie_entries(world.banks);
        let Weaver { threads, strange, orphans, .. } = weaver;
        Self { threads, strange, orphans }
    }

    /// Every thread.
    pub(super) fn all(&self) -> &[Thread<'a>] {
        &self.threads
    }

    /// Money moved at banks without any transaction, per currency.
    pub(super) fn strange_money(&self) -> BTreeMap<String, i64> {
        let mut money = BTreeMap::new();
        for entry in &self.strange {
            *money.entry(entry.currency.clone()).or_insert(0) += entry.signed;
        }
        money
    }

    /// Intents without outcome, obligations without end, items on the desk.
    pub(super) fn unknown_left(&self) -> u64 {
        let chains = self.threads.iter().flat_map(|thread| &thread.chains).chain(&self.orphans);
        let unended = chains.filter(|chain| chain.closed.is_empty()).count();
        let dead = |chain: &Chain<'_>| chain.closed.iter().any(|c| c.ending == Ending::Dead);
        let open = |thread: &&Thread<'_>| {
            let undecided = thread.intent.is_some() && thread.outcomes.is_empty();
            undecided || thread.on_desk || thread.chains.iter().any(dead)
        };
        (unended + self.threads.iter().filter(open).count()) as u64
    }
}

/// The bank's name of what these keys name.
pub(super) fn bank_key(keys: &BankKeys) -> Key {
    let transmission = || keys.transmission.map(|t| t.to_string()).unwrap_or_default();
    Key {
        stan: format!("{:06}", keys.stan),
        moment: keys.batch.map_or_else(transmission, |batch| format!("{batch:06}")),
        terminal: keys.terminal.map(|t| t.trimmed().to_string()).unwrap_or_default(),
    }
}

#[derive(Debug, Default)]
struct Weaver<'a> {
    threads: Vec<Thread<'a>>,
    by_no: HashMap<u64, usize>,
    /// Where a chain is: its thread, or the orphans.
    chain_at: HashMap<u64, Option<usize>>,
    orphans: Vec<Chain<'a>>,
    strange: Vec<&'a Entry>,
}

impl<'a> Weaver<'a> {
    fn thread(&mut self, no: u64) -> Option<&mut Thread<'a>> {
        self.threads.get_mut(*self.by_no.get(&no)?)
    }

    fn take(&mut self, no: u64, record: &'a Record) {
        match record {
            Record::Intent(intent) => self.begin(no, Some(intent), None),
            Record::Outcome(outcome) => {
                if let Some(thread) = self.thread(outcome.txn.0) {
                    thread.outcomes.push(outcome);
                }
            }
            Record::Queued(queued) => self.queued(no, queued),
            Record::Closed(closed) => self.closed(closed),
            Record::Late(late) => {
                let thread = late.txn.and_then(|txn| self.thread(txn.0));
                if let Some(thread) = thread {
                    thread.on_desk &= late.leg != Leg::LateDeclined;
                    thread.lates.push(late);
                }
            }
            Record::Desk(desk) => {
                let at = self.chain_at.get(&desk.item.0).copied().flatten();
                let at = at.or_else(|| self.by_no.get(&desk.item.0).copied());
                if let Some(thread) = at.and_then(|at| self.threads.get_mut(at)) {
                    let given_up = matches!(desk.verb, Some(DeskVerb::GiveUp(_)));
                    thread.on_desk = (thread.on_desk || desk.verb.is_none()) && !given_up;
                }
            }
            Record::Answered(txn) => {
                if let Some(thread) = self.thread(txn.0) {
                    thread.on_desk = false;
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self, no: u64, intent: Option<&'a Intent>, request: Option<&'a Request>) {
        if no != 0 {
            self.by_no.insert(no, self.threads.len());
        }
        self.threads.push(Thread {
            no,
            intent,
            outcomes: Vec::new(),
            lates: Vec::new(),
            chains: Vec::new(),
            on_desk: false,
            request,
            entries: Vec::new(),
        });
    }

    fn queued(&mut self, no: u64, queued: &'a Queued) {
        let at = queued.txn.and_then(|txn| self.by_no.get(&txn.0).copied());
        self.chain_at.insert(no, at);
        let chain = Chain { no, queued, closed: Vec::new() };
        match at.and_then(|at| self.threads.get_mut(at)) {
            Some(thread) => {
                thread.on_desk &= queued.owed == Owed::Repeat;
                thread.chains.push(chain);
            }
            None => self.orphans.push(chain),
        }
    }

    fn closed(&mut self, closed: &'a Closed) {
        let at = self.chain_at.get(&closed.entry.0).copied().flatten();
        let chains = match at.and_then(|at| self.threads.get_mut(at)) {
            Some(thread) => {
                thread.on_desk = false;
                &mut thread.chains
            }
            None => &mut self.orphans,
        };
        if let Some(chain) = chains.iter_mut().find(|chain| chain.no == closed.entry.0) {
            chain.closed.push(closed);
        }
    }

    fn tie_requests(&mut self, requests: &'a [Request]) {
        let mut by_key = HashMap::new();
        for (at, thread) in self.threads.iter().enumerate() {
            let Some(intent) = thread.intent else { continue };
            let f7 = intent.origin.transmission.map(|t| t.to_string()).unwrap_or_default();
            by_key.entry((format!("{:06}", intent.origin.stan), f7)).or_insert(at);
        }
        for request in requests {
            let key = (request.stan.clone(), request.transmission.clone());
            match by_key.get(&key).and_then(|at| self.threads.get_mut(*at)) {
                Some(thread) => thread.request = Some(request),
                None => self.begin(0, None, Some(request)),
            }
        }
    }

    fn tie_entries(&mut self, entries: &'a [Entry]) {
        let mut by_key: HashMap<(String, Key), Vec<usize>> = HashMap::new();
        for (at, thread) in self.threads.iter().enumerate() {
            let Some(intent) = thread.intent else { continue };
            let key = (intent.bank.to_string(), bank_key(&intent.keys));
            by_key.entry(key).or_default().push(at);
        }
        for entry in entries {
            let found = by_key.get(&(entry.bank.clone(), entry.key.clone()));
            let at = found.and_then(|candidates| self.choose(candidates, entry));
            match at.and_then(|at| self.threads.get_mut(at)) {
                Some(thread) => thread.entries.push(entry),
                None => self.strange.push(entry),
            }
        }
    }

    /// STANs come round within a batch; of several transactions of one key the entry belongs to
    /// the last that it can belong to: the one its predecessors went to, or the next unused one
    /// for a first.
    fn choose(&self, candidates: &[usize], entry: &Entry) -> Option<usize> {
        let used = |at: &&usize| self.threads.get(**at).is_some_and(|t| !t.entries.is_empty());
        let last_used = candidates.iter().rev().find(used).copied();
        let next_unused = candidates.iter().find(|at| !used(at)).copied();
        let is_new =
            entry.business != Business::Reversal && entry.seen != crate::bank::ledger::Seen::Repeat;
        if is_new { next_unused.or(last_used) } else { last_used.or(next_unused) }
    }
}
