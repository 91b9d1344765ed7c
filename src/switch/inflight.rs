//! What is at a bank or waits for it, and how an answer finds its way back.
//!
//! Contract: a flight lives until its bank frame and every copy of its approval are accounted
//! for by the gate, so a slot is never given out twice while anything may still refer to it.
//! Deliberately absent: decisions – they stand in [`super::txn`].

use super::duplicates::Likeness;
use super::hash::Lookup;
use super::ids::{BankId, LineId, PlatformId, RecordNo, SendId, SessionId, TxnNo};
use super::record::{BankKeys, Intent, Outcome};
use super::role::Role;
use super::txn::Phase;
use crate::canonical::{Canonical, Header};
use crate::time::Instant;
use slab::Slab;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Who waits for an answer: the newest session that asked.
#[derive(Debug, Clone)]
pub(super) struct Requester {
    /// Where the answer goes.
    pub session: SessionId,
    /// Which platform.
    pub platform: PlatformId,
    /// The header to turn around.
    pub header: Header,
    /// When the last byte of the first such request came in.
    pub received: Instant,
}

/// A transaction at a bank.
#[derive(Debug)]
pub(super) struct Flight {
    /// Its number.
    pub txn: TxnNo,
    /// Its intent as recorded.
    pub intent: Arc<Intent>,
    /// Who waits.
    pub requester: Requester,
    /// The bank asked.
    pub bank: BankId,
    /// Over which line.
    pub line: LineId,
    /// In which session.
    pub session: SessionId,
    /// How often it went another way, because it had provably not left.
    pub moves: u8,
    /// Where it stands.
    pub phase: Phase,
    /// The bank frame.
    pub send: SendId,
    /// When the bank frame left.
    pub released: Option<Instant>,
    /// When the bank answered.
    pub answered: Option<Instant>,
    /// When the present phase is over; its timer fires then or before.
    pub deadline: Instant,
    /// The outcome, once there is one, and the number of its record.
    pub outcome: Option<(RecordNo, Outcome)>,
    /// The approval and its copies for repeats, still at the gate.
    pub grants: Vec<SendId>,
    /// Whether any copy left.
    pub granted: bool,
    /// In the debit of a top-up: the credit to ask for once it is approved.
    pub credit: Option<Box<Pending>>,
    /// The bank's dialect cannot say it, nor any advice of it.
    pub unpackable: bool,
}

/// A request that waits for room in its bank's window. Nothing is recorded of it yet.
#[derive(Debug)]
pub(super) struct Pending {
    /// The request.
    pub msg: Box<Canonical>,
    /// Who waits.
    pub requester: Requester,
    /// What a repeat of it is recognized by.
    pub likeness: Likeness,
    /// Index of the rule that chose the bank.
    pub rule: usize,
    /// The bank.
    pub bank: BankId,
    /// When it is declined.
    pub deadline: Instant,
    /// What it refers to: the transaction and its keys at the bank.
    pub original: Option<(TxnNo, Box<BankKeys>)>,
    /// Which part of the platform's request it is.
    pub role: Role,
}

/// Whose answer a match key belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// A transaction in flight, by slot.
    Flight(usize),
    /// A transaction decided without its answer.
    Decided(TxnNo),
    /// A SAF entry.
    Saf(RecordNo),
}

/// {bank, MTI family, STAN}; the terminal is compared on arrival, where the answer states it.
pub(super) const fn match_key(bank: BankId, family: u8, stan: u32) -> u64 {
    ((bank.0 as u64) << 40) | ((family as u64) << 32) | stan as u64
}

/// Whose frame the gate accounts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SendOwner {
    /// A request to a bank.
    Flight(usize),
    /// An approval to the platform.
    Grant(usize),
    /// An approval told again; the transaction, to note that it left.
    Restated(TxnNo),
    /// A SAF entry.
    Saf(RecordNo),
    /// A decline, an acknowledgement or network management: nothing hangs on it.
    Plain,
}

/// How many answered transactions are kept to recognize a second answer: half a minute of a busy
/// bank. They are looked through only for an answer that fits nothing.
const RECENT: usize = 16_384;

/// Tables of what is under way.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    /// Transactions at banks.
    pub flights: Slab<Box<Flight>>,
    /// Slots by transaction.
    by_txn: Lookup<usize>,
    /// Who an answer belongs to.
    pub matches: Lookup<Target>,
    /// Whom the gate's accounts concern.
    pub sends: Lookup<(SendOwner, LineId)>,
    /// Requests that wait, oldest first.
    pub waiting: BTreeMap<u64, Pending>,
    /// Waiting requests by fingerprint.
    pub waiting_names: Lookup<u64>,
    next_ticket: u64,
    recent: VecDeque<(u64, TxnNo)>,
}

impl InFlight {
    /// The slot of a transaction in flight.
    pub(super) fn slot_of(&self, txn: TxnNo) -> Option<usize> {
        self.by_txn.get(txn.0)
    }

    /// Enters a flight into its slot.
    pub(super) fn enter(&mut self, slot: usize, key: u64, flight: Box<Flight>) {
        self.matches.insert(key, Target::Flight(slot));
        self.by_txn.insert(flight.txn.0, slot);
        self.flights.insert(flight);
    }

    /// Enters a flight that no frame belongs to; no answer is looked for.
    pub(super) fn enter_unsent(&mut self, flight: Box<Flight>) {
        let txn = flight.txn.0;
        let slot = self.flights.insert(flight);
        self.by_txn.insert(txn, slot);
    }

    /// Takes a flight out of its slot.
    pub(super) fn leave(&mut self, slot: usize) -> Option<Box<Flight>> {
        let flight = self.flights.try_remove(slot)?;
        self.by_txn.remove(flight.txn.0);
        Some(flight)
    }

    /// Puts a request into the queue for its bank; returns its ticket.
    pub(super) fn wait(&mut self, pending: Pending) -> u64 {
        self.next_ticket += 1;
        self.waiting_names.insert(pending.likeness.name(), self.next_ticket);
        self.waiting.insert(self.next_ticket, pending);
        self.next_ticket
    }

    /// Takes a request out of the queue.
    pub(super) fn leave_queue(&mut self, ticket: u64) -> Option<Pending> {
        let pending = self.waiting.remove(&ticket)?;
        self.waiting_names.remove(pending.likeness.name());
        Some(pending)
    }

    /// A transaction was answered: a second answer will be recognized for a while.
    pub(super) fn note_answered(&mut self, key: u64, txn: TxnNo) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((key, txn));
    }

    /// The transaction whose answer this key was, newest first.
    pub(super) fn recently_answered(&self, key: u64) -> Option<TxnNo> {
        self.recent.iter().rev().find(|(k, _)| *k == key).map(|(_, txn)| *txn)
    }
}
