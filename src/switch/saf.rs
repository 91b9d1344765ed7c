//! Store and forward: what is owed to a bank is sent until the bank has it.
//!
//! Contract: entries of one card go in order ([`super::forwarding`]), different ones in parallel,
//! at most `slots` in a bank's hands at once, and no faster than `live_rate_per_s` while the bank
//! has live requests. Beyond both they may use the room that live requests leave in the bank's
//! window, one more at once with each answer in time and half with each silence: so they keep up,
//! a quarter of the window stays free for what comes, and nothing is used while somebody waits. A
//! bank that is silent, slow or hostile costs no other bank anything.
//! Silence counts as a try. Reversals never expire. What is parked waits for the outcome of its
//! original. An advice that is refused for good, too old or tried too often becomes a dead letter
//! and lets the next of its card go: no entry that follows depends on it, because what it refers
//! to is never another entry. Deliberately absent: durable state – that is `State::saf`;
//! everything here is rebuilt from it at a start.

use super::duplicates::order_key;
use super::forwarding::{Place, Tried, Work};
use super::ids::{BankId, Name, RecordNo, TxnNo};
use super::inflight::{SendOwner, Target, match_key};
use super::input::Unsent;
use super::output::{Event, Output};
use super::plants::Plant;
use super::record::{Attempt, Cause, Closed, Desk, Ending, Intent, Owed, Queued, Record};
use super::settling::takes_the_batch_of_its_day;
use super::state::Entry;
use super::timers::Timer;
use super::{Switch, hash, reply};
use crate::money::Amount;
use crate::text::Text;
use crate::time::{Day, Instant};
use std::sync::Arc;
use std::time::Duration;

/// What the bank said when it ended an entry.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Said {
    /// Its code.
    pub code: Option<Text<4>>,
    /// `F15` of its answer.
    pub settlement_date: Option<Text<4>>,
    /// What it booked, where that is not what it was told.
    pub booked: Option<Amount>,
}

impl Switch {
    /// Journals a new obligation and begins to work on it.
    pub(super) fn queue(&mut self, queued: Queued, not_found_final: Instant) -> RecordNo {
        let whole = queued.owed != Owed::Repeat && queued.replacement.is_none();
        if let Some(txn) = queued.txn.filter(|_| whole) {
            self.give_up_dead_advice(txn, queued.platform);
        }
        let queued = Arc::new(queued);
        let entry = self.record(Record::Queued(Arc::clone(&queued)));
        self.mark_window();
        self.saf_take(entry, &queued, not_found_final);
        if let Some(bank) = self.bank_id(&queued.bank) {
            self.saf_pump(bank);
        }
        entry
    }

    /// Puts an entry of the state to work.
    pub(super) fn saf_take(&mut self, entry: RecordNo, queued: &Queued, not_found_final: Instant) {
        let Some(bank) = self.bank_id(&queued.bank) else { return };
        let key = match_key(bank, queued.kind.family(), queued.keys.stan);
        let terminal = queued.keys.terminal.as_ref();
        let order = order_key(queued.pan.as_ref(), terminal);
        let lifetime = self.policy.banks.get(usize::from(bank.0)).map(|b| b.saf.advice_lifetime);
        let expires = lifetime.flatten().filter(|_| queued.owed == Owed::Repeat);
        let expires = expires.map(|lifetime| self.now.mono.after(lifetime));
        if let Some(at) = expires {
            self.timers.set(Timer::SafLifetime(entry), at);
        }
        let Some(live) = self.banks.get_mut(usize::from(bank.0)) else { return };
        let place = Place::Parked;
        let (last_try, left) = (None, None);
        let stands_in = queued.stands_in_for().is_some();
        // What was tried before may have left, and nobody heard an answer to it.
        let tried = Tried::before(self.state.saf.get(&entry).map_or(0, |e| e.tries));
        let dated = self.state.saf.get(&entry).is_some_and(|e| e.tries > 0 && e.date.is_some());
        let work = Work {
            order,
            key,
            place,
            not_found_final,
            last_try,
            left,
            dated,
            expires,
            stands_in,
            tried,
        };
        if live.saf.add(entry, work) {
            self.air.matches.insert(key, Target::Saf(entry));
        }
        self.saf_wake(entry);
    }

    /// An entry may go if it is the first of its card and key, and its original is decided.
    pub(super) fn saf_wake(&mut self, entry: RecordNo) {
        let Some((bank, queued)) = self.saf_entry(entry) else { return };
        let decided = queued.txn.is_none_or(|txn| !self.state.open.contains(txn));
        let Some(live) = self.banks.get_mut(usize::from(bank.0)) else { return };
        let saf = &mut live.saf;
        if decided && saf.place(entry) == Some(Place::Parked) && saf.is_first(entry) {
            if self.advice_waits(bank, entry, &queued) {
                return;
            }
            self.saf_set(bank, entry, Place::Ready);
            self.saf_pump(bank);
        }
    }

    pub(super) fn saf_entry(&self, entry: RecordNo) -> Option<(BankId, Arc<Queued>)> {
        let queued = Arc::clone(&self.state.saf.get(&entry)?.queued);
        Some((self.bank_id(&queued.bank)?, queued))
    }

    /// One less may be at the bank: live requests that wait for its place come first.
    pub(super) fn saf_next(&mut self, bank: BankId) {
        if self.banks.get(usize::from(bank.0)).is_some_and(|live| !live.waiting.is_empty()) {
            self.fill_window(bank);
        }
        self.saf_pump(bank);
    }

    /// Sends what may go.
    pub(super) fn saf_pump(&mut self, bank: BankId) {
        let at = usize::from(bank.0);
        let policy = Arc::clone(&self.policy);
        let Some(settings) = policy.banks.get(at) else { return };
        if !settings.lines.iter().any(|l| self.lines.of(*l).any(|(_, s)| s.is_ready())) {
            return;
        }
        while let Some(live) = self.banks.get_mut(at) {
            if live.signed_off {
                return;
            }
            let Some(entry) = live.saf.ready.first().copied() else { return };
            let (slots, room) = (settings.saf.slots, live.room_for_owed(settings));
            if live.saf.busy >= live.saf.allowance(slots, room) {
                if live.saf.busy >= slots {
                    return;
                }
                if live.is_live(self.now.mono) {
                    if let Some(at) = live.saf.held_back(self.now.mono) {
                        return self.timers.set(Timer::SafPace(bank), at);
                    }
                    live.saf.pace(self.now.mono, settings.saf.live_rate_per_s);
                }
            }
            if !self.saf_send(bank, entry) {
                self.saf_stranded(bank, entry);
                self.saf_pause(bank, entry, settings.saf.first_retry);
            }
        }
    }

    /// The bank left something unanswered: what is owed to it takes less of it.
    pub(super) fn shrink_saf(&mut self, bank: BankId) {
        if let Some(live) = self.banks.get_mut(usize::from(bank.0)) {
            live.saf.shrink();
        }
    }

    /// The bank answered the try in its hands in time.
    pub(super) fn grow_saf(&mut self, bank: BankId, entry: RecordNo) {
        let at = usize::from(bank.0);
        let most = self.policy.banks.get(at).map_or(0, |b| b.window + b.saf.slots);
        let live = self.banks.get_mut(at);
        let live = live.filter(|live| live.saf.place(entry) == Some(Place::AtBank));
        if let Some(live) = live {
            live.saf.grow(most);
        }
    }

    /// Where no session of the bank knows its terminal (any more), waiting helps nothing.
    fn saf_stranded(&mut self, bank: BankId, entry: RecordNo) {
        let Some((_, queued)) = self.saf_entry(entry) else { return };
        let terminal = queued.keys.terminal.as_ref();
        let known = self.policy.banks.get(usize::from(bank.0)).is_none_or(|b| {
            let mut sessions = b.lines.iter().flat_map(|l| self.lines.of(*l));
            sessions.any(|(_, s)| s.knows(terminal))
        });
        if !known && !self.state.desk.contains_key(&entry) {
            self.put_on_desk(entry, &queued.bank, queued.txn.unwrap_or(entry), queued.amount, None);
        }
    }

    /// One more try; `false` where no session of its terminal is there.
    fn saf_send(&mut self, bank: BankId, entry: RecordNo) -> bool {
        let Some((queued, tries, granted)) =
            self.state.saf.get(&entry).map(|e| (Arc::clone(&e.queued), e.tries, e.granted))
        else {
            return false;
        };
        let Some(to) = self.saf_way(bank, &queued, tries) else { return false };
        let settings = self.policy.banks.get(usize::from(bank.0));
        let repeats = settings.is_some_and(|b| b.reversal.repeat_mti);
        let requested = settings.is_some_and(|b| b.reversal.requested);
        let bare = self.planted.has(Plant::RetryWithoutRepeatMti);
        let mut msg = reply::owed_message(&queued, repeats && tries > 0 && !bare);
        msg.amount = granted.filter(|_| !requested).or(msg.amount);
        self.state_totals(entry, &mut msg);
        let count = tries.saturating_add(1);
        let at = self.now.wall;
        let (date, batch) = self.of_today(bank, entry, &queued);
        msg.batch = batch.or(msg.batch);
        let no = self.record(Record::Attempt(Attempt { entry, at, count, date, batch }));
        let id = self.send(to, msg, Some(no), None, SendOwner::Saf(entry));
        self.saf_set(bank, entry, Place::Held);
        let live = self.banks.get_mut(usize::from(bank.0));
        if let Some(work) = live.and_then(|live| live.saf.work.get_mut(&entry)) {
            work.last_try = Some(id);
            work.tried.over = Some(to.0);
        }
        true
    }

    /// Business date and batch of a try, where no earlier one can have brought it under another.
    fn of_today(
        &self,
        bank: BankId,
        entry: RecordNo,
        queued: &Queued,
    ) -> (Option<Day>, Option<u32>) {
        let work = self.banks.get(usize::from(bank.0)).and_then(|live| live.saf.work.get(&entry));
        if work.is_none_or(|work| work.dated) {
            return (None, None);
        }
        let terminal = queued.keys.terminal.filter(|_| takes_the_batch_of_its_day(queued));
        let batch = terminal.and_then(|terminal| self.batch_at(bank, &terminal.trimmed()));
        (Some(self.state.business_date(&queued.bank)), batch)
    }

    /// The first try goes over the line of the original while that is up: there it cannot
    /// overtake it.
    fn saf_way(
        &self,
        bank: BankId,
        queued: &Queued,
        tries: u32,
    ) -> Option<(super::ids::LineId, super::ids::SessionId)> {
        let terminal = queued.keys.terminal.as_ref();
        let first = queued.line.filter(|_| tries == 0).and_then(|name| {
            let at = self.policy.lines.iter().position(|l| l.name == name)?;
            let line = super::ids::LineId(u16::try_from(at).ok()?);
            Some((line, self.lines.carrier(line, terminal)?))
        });
        first.or_else(|| self.carrier(bank, terminal))
    }

    pub(super) fn saf_set(&mut self, bank: BankId, entry: RecordNo, place: Place) {
        if let Some(live) = self.banks.get_mut(usize::from(bank.0)) {
            live.saf.set(entry, place);
        }
    }

    pub(super) fn saf_place(&self, bank: BankId, entry: RecordNo) -> Option<Place> {
        self.banks.get(usize::from(bank.0))?.saf.place(entry)
    }

    fn saf_pause(&mut self, bank: BankId, entry: RecordNo, pause: Duration) {
        self.saf_set(bank, entry, Place::Pausing);
        self.timers.set(Timer::Saf(entry), self.now.mono.after(pause));
    }

    /// It left: silence counts from now.
    pub(super) fn saf_released(&mut self, entry: RecordNo) {
        let Some((bank, _)) = self.saf_entry(entry) else { return };
        if self.saf_place(bank, entry) != Some(Place::Held) {
            return;
        }
        let limit = self.policy.banks.get(usize::from(bank.0)).map(|b| b.saf.response_timeout);
        self.saf_set(bank, entry, Place::AtBank);
        let live = self.banks.get_mut(usize::from(bank.0));
        if let Some(work) = live.and_then(|live| live.saf.work.get_mut(&entry)) {
            work.left = Some(self.now.mono);
            work.tried.went();
            work.dated = true;
        }
        self.timers.set(Timer::Saf(entry), self.now.mono.after(limit.unwrap_or_default()));
    }

    /// It stayed: the try may be had again soon. What cannot be packed failed by itself: it
    /// pauses longer each time and comes to the desk.
    pub(super) fn saf_unsent(&mut self, entry: RecordNo, why: Unsent) {
        let Some((bank, _)) = self.saf_entry(entry) else { return };
        let pause = self.policy.banks.get(usize::from(bank.0)).map(|b| b.saf.first_retry);
        if self.saf_place(bank, entry) == Some(Place::Held) {
            let live = self.banks.get(usize::from(bank.0));
            let over = live.is_some_and(|live| live.saf.is_over(entry, self.now.mono));
            if over {
                self.close_entry(entry, Ending::Expired);
            } else if matches!(why, Unsent::Unpackable(_)) {
                self.saf_failed(bank, entry, true);
            } else {
                self.saf_pause(bank, entry, pause.unwrap_or_default());
            }
            self.saf_next(bank);
        }
    }

    /// Silence, or the end of a pause.
    pub(super) fn saf_timer(&mut self, entry: RecordNo) {
        let Some((bank, _)) = self.saf_entry(entry) else { return };
        match self.saf_place(bank, entry) {
            Some(Place::AtBank) => {
                self.shrink_saf(bank);
                self.saf_failed(bank, entry, true);
            }
            Some(Place::Pausing) => self.saf_set(bank, entry, Place::Ready),
            Some(Place::Parked | Place::Ready | Place::Held) | None => {}
        }
        self.saf_next(bank);
    }

    /// An advice has become too old. In the bank's hands it may still be taken: then this try is
    /// its last.
    pub(super) fn saf_too_old(&mut self, entry: RecordNo) {
        let Some((bank, _)) = self.saf_entry(entry) else { return };
        match self.saf_place(bank, entry) {
            Some(Place::Held | Place::AtBank) | None => {}
            Some(Place::Parked | Place::Ready | Place::Pausing) => {
                self.close_entry(entry, Ending::Expired);
            }
        }
    }

    /// Whether this failed try was the last: how it ends then. Reversals are tried on.
    fn saf_last_try(&self, bank: BankId, entry: RecordNo) -> Option<Ending> {
        let Entry { queued, tries, .. } = self.state.saf.get(&entry)?;
        let settings = &self.policy.banks.get(usize::from(bank.0))?.saf;
        let live = self.banks.get(usize::from(bank.0))?;
        if queued.owed != Owed::Repeat {
            None
        } else if live.saf.is_over(entry, self.now.mono) {
            Some(Ending::Expired)
        } else {
            settings.advice_tries.filter(|most| tries >= most).map(|_| Ending::TriedOut)
        }
    }

    /// A try came to nothing: pause longer, and tell an operator after some tries, unless nobody
    /// has to `look` at it yet.
    pub(super) fn saf_failed(&mut self, bank: BankId, entry: RecordNo, look: bool) {
        if let Some(ending) = self.saf_last_try(bank, entry) {
            return self.close_entry(entry, ending);
        }
        let policy = Arc::clone(&self.policy);
        let Some(settings) = policy.banks.get(usize::from(bank.0)).map(|b| &b.saf) else { return };
        let Some((queued, tries)) =
            self.state.saf.get(&entry).map(|e| (Arc::clone(&e.queued), e.tries))
        else {
            return;
        };
        let often = look && tries >= settings.tries_before_desk;
        if often && !self.state.desk.contains_key(&entry) {
            self.put_on_desk(entry, &queued.bank, queued.txn.unwrap_or(entry), queued.amount, None);
        }
        let doublings = tries.saturating_sub(1).min(20);
        let pause = settings.first_retry.saturating_mul(1 << doublings).min(settings.max_retry);
        // Between three quarters and all of the pause, so that entries do not march in step.
        let quarter = u64::try_from(pause.as_millis() / 4).unwrap_or(u64::MAX);
        let less = hash::jitter(self.seed, entry.0, u64::from(tries), quarter);
        self.saf_pause(bank, entry, pause.saturating_sub(Duration::from_millis(less)));
    }

    pub(super) fn put_on_desk(
        &mut self,
        item: RecordNo,
        bank: &Name,
        txn: TxnNo,
        amount: Option<Amount>,
        cause: Option<Cause>,
    ) {
        let at = self.now.wall;
        self.record(Record::Desk(Desk::put(item, at, cause)));
        self.event(Event::OnDesk { bank: *bank, txn, amount, cause });
    }

    /// Puts a transaction on the desk that only the journal may have besides.
    pub(super) fn put_before_operator(&mut self, txn: TxnNo, intent: &Arc<Intent>, cause: Cause) {
        let about = Some(Arc::clone(intent));
        self.record(Record::Desk(Desk { about, ..Desk::put(txn, self.now.wall, Some(cause)) }));
        let (bank, amount, cause) = (intent.bank, intent.amount, Some(cause));
        self.event(Event::OnDesk { bank, txn, amount, cause });
    }

    /// Closes an entry without an answer.
    pub(super) fn close_entry(&mut self, entry: RecordNo, ending: Ending) {
        self.close_entry_with(entry, ending, None, Said::default());
    }

    pub(super) fn close_entry_with(
        &mut self,
        entry: RecordNo,
        ending: Ending,
        cause: Option<Cause>,
        said: Said,
    ) {
        let Some((bank, queued)) = self.saf_entry(entry) else { return };
        // Its platform has taken it back: nobody may send it again.
        let reversed =
            |txn| self.state.chains.contains_key(&txn) && self.partial_at_work(txn).is_none();
        let taken_back = reversed(entry) || queued.stands_in_for().is_some_and(reversed);
        let taken_back = taken_back && ending.is_dead_letter();
        let ending = if taken_back { Ending::Needless } else { ending };
        let tries = self.state.saf.get(&entry).map_or(0, |e| e.tries);
        let asked = self.state.books.asked.get(&entry).map(|asked| asked.bucket);
        self.record(Record::Closed(Closed {
            entry,
            at: self.now.wall,
            ending,
            bank_code: said.code,
            settlement_date: said.settlement_date,
            cause,
            booked: said.booked,
        }));
        self.timers.stop(Timer::Saf(entry));
        self.timers.stop(Timer::SafLifetime(entry));
        self.saf_take_back(bank, entry);
        let key = match_key(bank, queued.kind.family(), queued.keys.stan);
        if self.air.matches.get(key) == Some(Target::Saf(entry)) {
            self.air.matches.remove(key);
            self.air.note_answered(key, queued.txn.unwrap_or(entry));
        }
        let live = self.banks.get_mut(usize::from(bank.0));
        let next = live.map_or([None; 2], |live| live.saf.remove(entry));
        if let [_, Some(same_key)] = next {
            self.air.matches.insert(key, Target::Saf(same_key));
        }
        if queued.owed != Owed::Repeat {
            let txn = queued.txn.unwrap_or(entry);
            self.event(Event::ReversalClosed { bank: queued.bank, txn, tries });
            self.forget_if_over(txn);
        }
        if ending.is_dead_letter() {
            let txn = queued.txn.unwrap_or(entry);
            let (bank, amount) = (queued.bank, queued.amount);
            self.event(Event::OnDesk { bank, txn, amount, cause });
        }
        next.into_iter().flatten().for_each(|next| self.saf_wake(next));
        if let Some(asked) = asked {
            self.let_terminal_go((asked.bank, asked.period));
        }
        self.saf_next(bank);
    }

    /// A try that is still held need not leave: its number may soon be another's.
    fn saf_take_back(&mut self, bank: BankId, entry: RecordNo) {
        let live = self.banks.get(usize::from(bank.0));
        let work = live.and_then(|live| live.saf.work.get(&entry));
        let held = work.filter(|work| work.place == Place::Held).and_then(|work| work.last_try);
        self.out.extend(held.map(|id| Output::Cancel { id }));
    }

    /// An operator wants it tried now; only of what pauses.
    pub(super) fn saf_hurry(&mut self, bank: BankId, entry: RecordNo) {
        self.timers.stop(Timer::Saf(entry));
        self.saf_set(bank, entry, Place::Ready);
        self.saf_pump(bank);
    }
}
