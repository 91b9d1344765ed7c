//! The operator's desk at work: its lists are made, and decisions carried out.
//!
//! Contract: a decision is checked first and recorded only when it makes sense. Deliberately
//! absent: the words of the lists ([`super::desk`]).

use super::Switch;
use super::desk::{DeskItem, ItemState, LateItem, LateKind, Listing, PAGE_MAX, Refusal, Why};
use super::doubt::{DeadLetter, Doubt, LateNote};
use super::forwarding::Place;
use super::ids::{BankId, RecordNo};
use super::input::{DeskAction, DeskVerb};
use super::output::Event;
use super::record::{BankKeys, Desk, Ending, Intent, Leg, Queued, Record};
use super::state::Entry;
use super::timers::Timer;
use crate::text::Text;

impl Switch {
    /// What is in doubt or on the desk, by number.
    pub fn desk(&self, listing: &Listing) -> Vec<DeskItem> {
        let state = &self.state;
        let after = (std::ops::Bound::Excluded(listing.after), std::ops::Bound::Unbounded);
        let mut owed = state.saf.range(after).map(|(no, _)| *no).peekable();
        let mut looked = state.desk.range(after).map(|(no, _)| *no).peekable();
        let numbers = std::iter::from_fn(|| {
            let next = match (owed.peek().filter(|_| !listing.attention), looked.peek()) {
                (Some(a), Some(b)) => *a.min(b),
                (Some(one), None) | (None, Some(one)) => *one,
                (None, None) => return None,
            };
            owed.next_if_eq(&next);
            looked.next_if_eq(&next);
            Some(next)
        });
        let items = numbers.filter_map(|no| self.desk_item(no));
        let wanted = items.filter(|item| listing.bank.is_none_or(|bank| item.bank == bank));
        wanted.take(listing.limit.min(PAGE_MAX)).collect()
    }

    /// The newest late, second and unknown answers, newest first.
    pub fn late(&self, limit: usize) -> Vec<LateItem> {
        self.state.late.iter().rev().take(limit).map(|note| self.late_item(note)).collect()
    }

    fn desk_item(&self, no: RecordNo) -> Option<DeskItem> {
        if let Some(entry) = self.state.saf.get(&no) {
            return Some(self.owed_item(no, entry));
        }
        let doubt = self.state.desk.get(&no)?;
        Some(match self.state.dead.get(&no) {
            Some(letter) => self.dead_item(no, letter),
            None => self.bare_item(no, doubt),
        })
    }

    fn owed_item(&self, no: RecordNo, entry: &Entry) -> DeskItem {
        let queued = &entry.queued;
        DeskItem {
            tries: entry.tries,
            next_try: self.timers.at(Timer::Saf(no)).map(|at| at.since(self.now.mono)),
            attention: self.state.desk.contains_key(&no),
            state: self.owed_state(no, queued),
            why: Why::Owed(queued.owed, queued.reason),
            ..item_of(no, queued)
        }
    }

    fn owed_state(&self, no: RecordNo, queued: &Queued) -> ItemState {
        if queued.txn.is_some_and(|txn| self.state.open.contains(txn)) {
            return ItemState::WaitsForOriginal;
        }
        match self.bank_id(&queued.bank).and_then(|bank| self.saf_place(bank, no)) {
            Some(Place::Parked) => ItemState::WaitsForCard,
            Some(Place::Ready) | None => ItemState::WaitsForTurn,
            Some(Place::Held) => ItemState::Leaving,
            Some(Place::AtBank) => ItemState::AtBank,
            Some(Place::Pausing) => ItemState::Pausing,
        }
    }

    fn dead_item(&self, no: RecordNo, letter: &DeadLetter) -> DeskItem {
        DeskItem {
            tries: letter.tries,
            attention: true,
            state: dead_state(letter),
            why: letter.cause.map_or(Why::Dead(letter.ending, letter.bank_code), Why::Because),
            ..item_of(no, &letter.queued)
        }
    }

    fn bare_item(&self, no: RecordNo, doubt: &Doubt) -> DeskItem {
        let intent = doubt.intent.as_deref();
        let keys = |of: fn(&BankKeys) -> Option<Text<12>>| intent.and_then(|i| of(&i.keys));
        DeskItem {
            item: no,
            txn: Some(no),
            bank: doubt.bank,
            amount: intent.and_then(|intent| intent.amount),
            since: doubt.at,
            tries: 0,
            next_try: None,
            attention: true,
            state: bare_state(doubt),
            why: match doubt.cause {
                Some(cause) => Why::Because(cause),
                None if doubt.undelivered => Why::AnswerMayBeLost,
                None => Why::OutcomeUnknown,
            },
            stan: intent.map(|intent| intent.keys.stan),
            original_stan: None,
            rrn: keys(|keys| keys.rrn),
            platform: intent.map(|intent: &Intent| intent.platform),
            card: intent.and_then(|intent| intent.pan.as_ref()).map(|pan| pan.masked()),
        }
    }

    fn late_item(&self, note: &LateNote) -> LateItem {
        let kind = match note.late.txn {
            None => LateKind::Unmatched,
            Some(_) if note.first => LateKind::Late,
            Some(_) => LateKind::Duplicate,
        };
        let desk = note.late.txn.is_some_and(|txn| self.state.desk.contains_key(&txn));
        let became = match (kind, note.entry, note.ending) {
            (_, Some(_), None) => "its reversal is owed to the bank",
            (_, Some(_), Some(ending)) => ended(ending),
            (LateKind::Unmatched, None, _) => "nothing is known of it: ask the bank",
            (LateKind::Duplicate, None, _) if desk => "it stands on the desk",
            (LateKind::Duplicate, None, _) => "the answer before it counted",
            (LateKind::Late, None, _) if desk => "it stands on the desk",
            (LateKind::Late, None, _) if note.late.leg == Leg::LateDeclined => {
                "the bank did nothing: nothing to reverse"
            }
            (LateKind::Late, None, _) => "no money moved",
        };
        LateItem { no: note.no, kind, late: note.late.clone(), became }
    }

    /// An operator's decision: checked, recorded, carried out.
    pub(super) fn desk_action(&mut self, action: &DeskAction) {
        // An operator may name the transaction instead of its reversal.
        let item = self.state.chains.get(&action.item).copied().unwrap_or(action.item);
        let state = self.desk_item(item).map_or(ItemState::Nothing, |found| found.state);
        if let Some(why) = objection(state, action.verb) {
            return self.event(Event::DeskRefused(Refusal { item, state, verb: action.verb, why }));
        }
        let DeskAction { operator, verb, .. } = *action;
        let (at, by, what) = (self.now.wall, Some(operator), Some(verb));
        let dead = self.state.dead.contains_key(&item);
        let no =
            self.record(Record::Desk(Desk { item, at, operator: by, verb: what, cause: None }));
        self.event(Event::DeskDecided { item, no, operator, verb });
        match (verb, self.place_of(item)) {
            (DeskVerb::Resend, _) if dead => self.revive(item),
            (DeskVerb::Resend, Some(bank)) => self.saf_hurry(bank, item),
            (DeskVerb::GiveUp(_), Some(_)) => self.close_entry(item, Ending::GivenUp),
            (DeskVerb::Resend | DeskVerb::GiveUp(_), None) => {}
        }
    }

    /// The bank an entry is owed to, while it is owed.
    fn place_of(&self, entry: RecordNo) -> Option<BankId> {
        self.bank_id(&self.state.saf.get(&entry)?.queued.bank)
    }

    /// A dead letter is owed again: behind what its card is owed meanwhile.
    fn revive(&mut self, item: RecordNo) {
        let Some(queued) = self.state.saf.get(&item).map(|entry| entry.queued.clone()) else {
            return;
        };
        let now = self.now.mono;
        self.saf_take(item, &queued, now);
        if let Some(bank) = self.bank_id(&queued.bank) {
            self.saf_pump(bank);
        }
    }
}

/// What stands in the way of a decision.
fn objection(state: ItemState, verb: DeskVerb) -> Option<&'static str> {
    let allowed = state.allowed();
    match (state, verb) {
        (ItemState::Nothing, _) => Some("nothing is open under this number"),
        (_, DeskVerb::GiveUp(reason)) if reason.trimmed().is_empty() => {
            Some("giving up needs a reason")
        }
        (ItemState::WaitsForOriginal, _) => Some("its original is still at the bank"),
        (ItemState::Leaving | ItemState::AtBank, DeskVerb::Resend) => {
            Some("it is being sent already")
        }
        (ItemState::WaitsForCard | ItemState::WaitsForTurn, DeskVerb::Resend) => {
            Some("it goes by itself in its turn")
        }
        (_, DeskVerb::Resend) if !allowed.resend => Some("there is nothing that could be sent"),
        (_, DeskVerb::GiveUp(_)) if !allowed.give_up => Some("it cannot be given up now"),
        (_, DeskVerb::Resend | DeskVerb::GiveUp(_)) => None,
    }
}

fn dead_state(letter: &DeadLetter) -> ItemState {
    if letter.can_be_sent() { ItemState::DeadLetter } else { ItemState::NeverSent }
}

fn bare_state(doubt: &Doubt) -> ItemState {
    if doubt.undelivered { ItemState::Undelivered } else { ItemState::NoReversal }
}

/// What an obligation says of itself; the rest is filled in by who knows more.
fn item_of(no: RecordNo, queued: &Queued) -> DeskItem {
    let original = queued.original.stan;
    DeskItem {
        item: no,
        txn: queued.txn,
        bank: queued.bank,
        amount: queued.amount,
        since: queued.at,
        tries: 0,
        next_try: None,
        attention: false,
        state: ItemState::WaitsForTurn,
        why: Why::Owed(queued.owed, queued.reason),
        stan: Some(queued.keys.stan),
        original_stan: (original != 0 && original != queued.keys.stan).then_some(original),
        rrn: queued.keys.rrn,
        platform: queued.platform,
        card: queued.pan.as_ref().map(|pan| pan.masked()),
    }
}

fn ended(ending: Ending) -> &'static str {
    match ending {
        Ending::Acknowledged => "reversed, and the bank acknowledged it",
        Ending::NoOriginal => "the bank has no such original any more",
        Ending::Needless => "its reversal was not needed",
        Ending::GivenUp => "an operator gave its reversal up",
        Ending::Dead | Ending::Expired | Ending::TriedOut => "its reversal is a dead letter",
    }
}
