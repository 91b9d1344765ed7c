//! Reversals and advices: our own, and those the platforms ask for.
//!
//! Contract: one chain per original, whoever asked; a platform's reversal or advice is never
//! declined because a bank is down: it is journaled, acknowledged once durable, and forwarded.
//! A reversal whose original is at the bank goes out after that answer or its deadline. One for
//! an unknown original leaves a tombstone. Part of what was granted may be taken back, and more
//! of it later: one reversal of it after the other.

use super::duplicates::{self, Past, Remembered};
use super::ids::{BankId, Name, RecordNo, TxnNo};
use super::inflight::Requester;
use super::output::{Event, RecallKey};
use super::plants::Plant;
use super::recall::REPEAT_DAYS;
use super::record::{
    BankKeys, CardFacts, Closed, Debt, Ending, Intent, Origin, Owed, Queued, Record,
};
use super::request::{Recalling, first_names};
use super::role::Debited;
use super::stamps::age_of;
use super::txn::Happening;
use super::{Switch, reply, routing};
use crate::canonical::{Canonical, Flow, Kind, Reason, TransactionType};
use crate::money::Amount;
use crate::sensitive::Pan;
use crate::text::Text;
use crate::time::{Instant, Wall};
use std::sync::Arc;
use std::time::Duration;

/// A platform's reversal whose original is looked up in the journal.
#[derive(Debug)]
pub(super) struct Reversing {
    pub(super) from: Requester,
    pub(super) msg: Box<Canonical>,
    pub(super) txn: Option<TxnNo>,
}

impl Reversing {
    /// Who asks, and with what.
    pub(super) fn into_parts(self) -> (Requester, Box<Canonical>) {
        (self.from, self.msg)
    }
}

/// What a reversal is made of: its original as recorded.
pub(super) struct Undone<'a> {
    bank: Name,
    line: Name,
    kind: Kind,
    keys: &'a BankKeys,
    referred: Option<&'a BankKeys>,
    pan: Option<&'a Pan>,
    amount: Option<Amount>,
    facts: &'a CardFacts,
    debit: Option<&'a Arc<Debited>>,
}

impl<'a> Undone<'a> {
    /// A transaction at a bank.
    pub(super) fn intent(of: &'a Intent) -> Self {
        Self {
            bank: of.bank,
            line: of.line,
            kind: of.kind,
            keys: &of.keys,
            referred: of.referred.as_deref(),
            pan: of.pan.as_ref(),
            amount: of.amount,
            facts: &of.facts,
            debit: of.role.debited(),
        }
    }

    /// The debit of a top-up.
    pub(super) fn debit(of: &'a Debited) -> Self {
        Self {
            bank: of.bank,
            line: of.line,
            kind: of.kind,
            keys: &of.keys,
            referred: None,
            pan: of.pan.as_ref(),
            amount: of.amount,
            facts: &of.facts,
            debit: None,
        }
    }
}

/// What the journal said when it was asked for an original.
type Asked = Option<(TxnNo, Arc<Intent>)>;

impl Switch {
    /// Journals a reversal of ours.
    pub(super) fn queue_own_reversal(
        &mut self,
        txn: TxnNo,
        intent: &Arc<Intent>,
        released: Option<Instant>,
        reason: Reason,
        auth_id: Option<Text<6>>,
    ) {
        if self.planted.has(Plant::ReversalDroppedWhenSafFull) && self.state.saf.len() > 3 {
            return;
        }
        let of = Undone::intent(intent);
        let queued = self.reversal_of(txn, of, released, Owed::OwnReversal, reason);
        let Some((mut queued, not_found_final)) = queued else { return };
        queued.auth_id = auth_id;
        let recovered = self.recovering;
        self.event(Event::ReversalQueued { bank: intent.bank, txn, recovered });
        self.queue(queued, not_found_final);
    }

    /// A reversal as the bank's dialect states it, built from what was recorded of its original.
    pub(super) fn reversal_of(
        &mut self,
        txn: TxnNo,
        of: Undone<'_>,
        released: Option<Instant>,
        owed: Owed,
        reason: Reason,
    ) -> Option<(Queued, Instant)> {
        let policy = Arc::clone(&self.policy);
        let bank = policy.banks.iter().find(|b| b.name == of.bank)?;
        let mut keys = of.keys.clone();
        keys.transmission = Some(self.stamp.at(self.now.wall));
        if !bank.reversal.same_stan {
            match self.free_stan(&bank.name) {
                Some(stan) => keys.stan = stan,
                // Better a reversal under its original's number than none.
                None => self.event(Event::StansExhausted { bank: bank.name }),
            }
        }
        let lifetime = bank.original_lifetime;
        let final_after = released.unwrap_or(self.now.mono).after(lifetime);
        let transaction = of.kind.transaction().unwrap_or(TransactionType::Unstated);
        let queued = Queued {
            at: self.now.wall,
            txn: Some(txn),
            bank: of.bank,
            line: Some(of.line),
            owed,
            kind: Kind::Reversal(transaction),
            flow: bank.reversal.flow,
            reason,
            origin: None,
            platform: None,
            keys,
            original: of.keys.clone(),
            referred: of.referred.cloned().map(Box::new),
            original_mti: None,
            pan: of.pan.cloned(),
            amount: of.amount,
            replacement: None,
            facts: of.facts.clone(),
            auth_id: None,
            not_found_final_after: self.wall_of(final_after),
            debit: of.debit.map(Arc::clone),
        };
        Some((queued, final_after))
    }

    pub(super) fn wall_of(&self, at: Instant) -> Wall {
        let ahead = i64::try_from(at.since(self.now.mono).as_millis()).unwrap_or(i64::MAX);
        Wall::from_millis(self.steady_wall().millis().saturating_add(ahead))
    }

    /// A platform reverses something.
    pub(super) fn platform_reversal(&mut self, from: Requester, msg: Box<Canonical>) {
        self.reverse(from, msg, None);
    }

    /// Finds what is reversed: in memory, or else in what the journal was `asked` and said.
    fn reverse(&mut self, from: Requester, msg: Box<Canonical>, asked: Option<Asked>) {
        let Some(name) = self.platform_name(&from) else { return };
        let origin = reply::origin_of(&msg);
        if let Some(past) = self.state.memory.find(duplicates::fingerprint(&name, &origin)) {
            self.repeat_event(&from, past.no());
            return match past.past() {
                Past::Acknowledged => {
                    self.answer_own(&from, msg, Reason::Accepted, Some(past.no()));
                }
                _ => self.refuse(&from, msg, Reason::Duplicate, Some(past.no()), None),
            };
        }
        let names: Vec<u64> = original_names(&msg, &origin)
            .iter()
            .map(|original| duplicates::fingerprint(&name, original))
            .collect();
        self.drop_waiting(&names);
        match names.iter().find_map(|name| self.state.memory.find(*name)) {
            Some(past) => self.reverse_known(from, msg, past),
            None => match asked {
                Some(Some((txn, _))) if self.state.open.contains(txn) => {
                    self.reverse_standing(from, msg, txn);
                }
                Some(Some((txn, intent))) => {
                    let reversing = Reversing { from, msg, txn: None };
                    self.ask_for_ending(reversing, txn, intent);
                }
                Some(None) => self.reverse_unknown(&from, msg),
                None => self.ask_for_original(from, msg, &names),
            },
        }
    }

    fn ask_for_original(&mut self, from: Requester, msg: Box<Canonical>, names: &[u64]) {
        let names = first_names(names.iter().copied());
        let key = RecallKey::Key { names, days: REPEAT_DAYS };
        let reversing = Reversing { from, msg, txn: None };
        self.recall(key, Recalling::Reversed(Box::new(reversing)));
    }

    /// A request that is still waiting is answered as reversed and never sent.
    fn drop_waiting(&mut self, names: &[u64]) {
        for name in names {
            if let Some(ticket) = self.air.waiting_names.get(*name) {
                self.withdraw_waiting(ticket, Reason::Reversed);
            }
        }
    }

    fn reverse_known(&mut self, from: Requester, msg: Box<Canonical>, past: Remembered) {
        let txn = past.no();
        if self.state.chains.contains_key(&txn) {
            return self.taken_back_already(&from, msg, txn);
        }
        match past.past() {
            Past::Open | Past::Granted | Past::PartlyReversed => {
                self.reverse_standing(from, msg, txn)
            }
            Past::Acknowledged => self.take_back_advice(from, msg, txn),
            // Nothing stands at the bank, or an operator has it.
            Past::Denied | Past::Reversed | Past::Refused | Past::Tombstone => {
                self.refuse(&from, msg, Reason::Accepted, Some(txn), None);
            }
        }
    }

    /// Reverses what is at the bank or was granted.
    fn reverse_standing(&mut self, from: Requester, msg: Box<Canonical>, txn: TxnNo) {
        let slot = self.air.slot_of(txn);
        let intent = slot.and_then(|s| self.air.flights.get(s)).map(|f| {
            (Arc::clone(&f.intent), f.released, f.outcome.as_ref().and_then(|o| o.1.auth_id))
        });
        match (slot, intent) {
            // Its platform cannot know yet what to take a part of.
            (Some(_), Some(_)) if msg.replacement_amount.is_some() => {
                self.not_yet(&from, msg, txn);
            }
            (Some(slot), Some((intent, released, auth_id))) => {
                self.reverse_intent(&from, msg, txn, &intent, released, auth_id);
                self.happen(slot, Happening::PlatformReversal, None);
            }
            _ => {
                let reversing = Reversing { from, msg, txn: Some(txn) };
                let purpose = Recalling::Reversed(Box::new(reversing));
                self.recall(RecallKey::Record(txn), purpose);
            }
        }
    }

    pub(super) fn original_recalled(
        &mut self,
        reversing: Reversing,
        record: Option<(RecordNo, Box<Record>)>,
    ) {
        let Reversing { from, msg, txn } = reversing;
        let found = match record.map(|(no, record)| (no, *record)) {
            Some((no, Record::Queued(queued))) if txn == Some(no) && !self.is_reversed(no) => {
                return self.reverse_queued(&from, msg, no, &queued);
            }
            Some((no, Record::Intent(intent))) if txn.is_none_or(|txn| txn == no) => {
                Some((no, intent))
            }
            _ => None,
        };
        match txn {
            // While the journal was asked, the original itself or a repeat may have come.
            None => self.reverse(from, msg, Some(found)),
            Some(_) => self.reverse_old(&from, msg, found),
        }
    }

    /// Reverses what only the journal knows, or nobody does.
    fn reverse_old(&mut self, from: &Requester, msg: Box<Canonical>, found: Asked) {
        match found {
            None => self.reverse_unknown(from, msg),
            // Another reversal of it was quicker, and may be over already.
            Some((txn, _)) if self.is_reversed(txn) => self.taken_back_already(from, msg, txn),
            Some((txn, intent)) => self.reverse_intent(from, msg, txn, &intent, None, None),
        }
    }

    fn is_reversed(&self, txn: TxnNo) -> bool {
        let past = self.state.memory.of(txn).map(Remembered::past);
        self.state.chains.contains_key(&txn) || past == Some(Past::Reversed)
    }

    /// What the reversal at work leaves of a transaction, where it takes back a part of it.
    pub(super) fn partial_at_work(&self, txn: TxnNo) -> Option<Amount> {
        let entry = self.state.chains.get(&txn)?;
        self.state.saf.get(entry)?.queued.replacement
    }

    /// Reversed once more. What takes back more than the reversal at work waits for its end: a
    /// bank that heard both in another order would keep what the first one left.
    pub(super) fn taken_back_already(&mut self, from: &Requester, msg: Box<Canonical>, txn: TxnNo) {
        let left = self.partial_at_work(txn);
        if left.is_some() && left != msg.replacement_amount {
            return self.not_yet(from, msg, txn);
        }
        // What is left of it may be reversed later: nothing here says that all of it was.
        let concerns = Some(txn).filter(|_| left.is_none());
        self.refuse(from, msg, Reason::Accepted, concerns, None);
    }

    /// Not acknowledged and not remembered: its platform goes on sending it.
    pub(super) fn not_yet(&mut self, from: &Requester, msg: Box<Canonical>, txn: TxnNo) {
        self.answer_own(from, msg, Reason::SystemError, None);
        self.answered_event(from, None, Some(txn), "refused");
    }

    /// Queues the platform's reversal of a known original and acknowledges it.
    pub(super) fn reverse_intent(
        &mut self,
        from: &Requester,
        msg: Box<Canonical>,
        txn: TxnNo,
        intent: &Arc<Intent>,
        released: Option<Instant>,
        auth_id: Option<Text<6>>,
    ) {
        if !leaves_less(&msg, intent.amount) {
            return self.refuse(from, msg, Reason::FormatError, Some(txn), None);
        }
        if intent.owes != Debt::Reversal {
            // The bank's dialect has no reversal of this: an operator settles it.
            if intent.owes == Debt::Desk {
                self.put_on_desk(txn, &intent.bank, txn, intent.amount);
            }
            return self.refuse(from, msg, Reason::Accepted, Some(txn), None);
        }
        let reason = msg.reason.unwrap_or(Reason::CustomerCancel);
        let of = Undone::intent(intent);
        let queued = self.reversal_of(txn, of, released, Owed::PlatformReversal, reason);
        let Some((mut queued, not_found_final)) = queued else {
            return self.refuse(from, msg, Reason::SystemError, Some(txn), None);
        };
        queued.origin = Some(reply::origin_of(&msg));
        queued.platform = self.platform_name(from);
        queued.replacement = msg.replacement_amount;
        if let Some(debit) = queued.debit.as_mut().filter(|_| queued.replacement.is_some()) {
            Arc::make_mut(debit).left = queued.replacement;
        }
        queued.auth_id = auth_id.or(msg.auth_id);
        self.acknowledge_queued(from, msg, queued, not_found_final);
    }

    pub(super) fn acknowledge_queued(
        &mut self,
        from: &Requester,
        msg: Box<Canonical>,
        queued: Queued,
        not_found_final: Instant,
    ) {
        let bank = queued.bank;
        if queued.owed == Owed::PlatformReversal {
            let txn = queued.txn.unwrap_or(RecordNo(self.state.last.0 + 1));
            self.event(Event::ReversalQueued { bank, txn, recovered: false });
        }
        let no = self.queue(queued, not_found_final);
        self.answered_event(from, Some(bank), Some(no), "acknowledged");
        self.answer_own(from, msg, Reason::Accepted, Some(no));
    }

    /// Routed like its original would be, and a tombstone for the original; never forwarded.
    fn reverse_unknown(&mut self, from: &Requester, mut msg: Box<Canonical>) {
        let own = reply::origin_of(&msg);
        let original = original_names(&msg, &own).into_iter().next().unwrap_or_default();
        let mti = msg.mti.replace(original.mti);
        let placed = self.place_owed(from, &msg);
        msg.mti = mti;
        let (bank, keys) = match placed {
            Ok(placed) => placed,
            Err(reason) => return self.refuse(from, msg, reason, None, None),
        };
        let mut queued = self.entry_for(from, &msg, bank, keys, Owed::PlatformReversal);
        queued.original = keys_of(&original);
        queued.original_mti = Some(original.mti);
        // Our STANs are the bank's names, the platform's are not: forwarded, such a reversal
        // could only undo somebody else's transaction. What the window still covers never went
        // to a bank; what is older may have, and an operator has to look.
        let ending =
            if self.would_be_remembered(&original) { Ending::Needless } else { Ending::Dead };
        self.acknowledge_unsent(from, msg, queued, ending);
    }

    /// Whether an original of this name would be in the memory, had it ever gone to a bank.
    fn would_be_remembered(&self, original: &Origin) -> bool {
        /// A platform's clock may be ahead of ours.
        const SKEW: Duration = Duration::from_secs(3_600);
        let window = self.policy.duplicates;
        let ahead = Wall::from_millis(self.steady_wall().millis() + 3_600_000);
        let age = original.transmission.and_then(|f7| age_of(&f7, ahead));
        let covered = age.is_some_and(|age| age <= window.age + SKEW);
        covered && self.state.memory.len() < window.count
    }

    /// Journals what is not sent, as finished, and acknowledges it.
    pub(super) fn acknowledge_unsent(
        &mut self,
        from: &Requester,
        msg: Box<Canonical>,
        queued: Queued,
        ending: Ending,
    ) {
        let (bank, at, amount) = (queued.bank, self.now.wall, queued.amount);
        let entry = self.record(Record::Queued(Arc::new(queued)));
        let no = self.record(Record::Closed(Closed {
            entry,
            at,
            ending,
            bank_code: None,
            settlement_date: None,
        }));
        self.mark_window();
        if ending == Ending::Dead {
            self.event(Event::OnDesk { bank, txn: entry, amount });
        }
        self.answered_event(from, Some(bank), Some(entry), "acknowledged");
        self.answer_own(from, msg, Reason::Accepted, Some(no));
    }

    /// A platform says that something has happened.
    pub(super) fn platform_advice(&mut self, from: Requester, msg: Box<Canonical>) {
        let Some(name) = self.platform_name(&from) else { return };
        let origin = reply::origin_of(&msg);
        if let Some(past) = self.state.memory.find(duplicates::fingerprint(&name, &origin)) {
            let code = msg.processing_code.as_ref();
            let content = duplicates::content(msg.pan.as_ref(), code, msg.amount);
            self.repeat_event(&from, past.no());
            // Also where its platform took it back meanwhile: an advice is never declined.
            let told = past.past() == Past::Acknowledged || past.past().is_taken_back();
            if told && past.same_content(content) {
                return self.answer_own(&from, msg, Reason::Accepted, Some(past.no()));
            }
            return self.refuse(&from, msg, Reason::Duplicate, Some(past.no()), None);
        }
        if self.may_be_forgotten(&name, &msg) {
            let own = duplicates::fingerprint(&name, &origin);
            return self.ask_for_own(from, msg, own);
        }
        self.fresh_advice(from, msg);
    }

    /// An advice nobody has seen before.
    pub(super) fn fresh_advice(&mut self, from: Requester, msg: Box<Canonical>) {
        if msg.original.is_none() {
            return self.advise(from, msg, None);
        }
        let name = self.platform_name(&from).unwrap_or_default();
        let key = self.key_of_referred(&name, &msg, &reply::origin_of(&msg));
        self.recall(key, Recalling::Referred { requester: from, msg });
    }

    /// Queues an advice, with what it refers to as the bank knows it, and acknowledges it.
    pub(super) fn advise(
        &mut self,
        from: Requester,
        msg: Box<Canonical>,
        referred: Option<Arc<Intent>>,
    ) {
        match self.place_owed(&from, &msg) {
            Ok((bank, keys)) => {
                let mut queued = self.entry_for(&from, &msg, bank, keys, Owed::Repeat);
                queued.flow = Flow::Advice;
                if let Some(intent) = referred.filter(|i| i.bank == queued.bank) {
                    queued.original = intent.keys.clone();
                }
                self.acknowledge_queued(&from, msg, queued, self.now.mono);
            }
            Err(reason) => self.refuse(&from, msg, reason, None, None),
        }
    }

    /// Bank and keys of something that is forwarded by the SAF.
    fn place_owed(
        &mut self,
        from: &Requester,
        msg: &Canonical,
    ) -> Result<(BankId, BankKeys), Reason> {
        let policy = Arc::clone(&self.policy);
        let rule = routing::route(&policy, from.platform, msg).ok_or(Reason::NoRoute)?;
        let bank = policy.banks.get(usize::from(rule.bank.0)).ok_or(Reason::NoRoute)?;
        let (merchant, terminal) = routing::identify(bank, msg)?;
        let stan = self.free_stan(&bank.name).ok_or(Reason::SystemError)?;
        let line = bank.lines.first().copied().unwrap_or_default();
        let keys = self.keys_at(bank, msg, (merchant, terminal), (line, stan));
        Ok((rule.bank, keys))
    }

    fn entry_for(
        &self,
        from: &Requester,
        msg: &Canonical,
        bank: BankId,
        keys: BankKeys,
        owed: Owed,
    ) -> Queued {
        let reversal = self.policy.banks.get(usize::from(bank.0)).map(|b| b.reversal.flow);
        Queued {
            at: self.now.wall,
            txn: None,
            bank: self.bank_name(bank),
            line: None,
            owed,
            kind: msg.kind,
            flow: reversal.unwrap_or(Flow::Advice),
            reason: msg.reason.unwrap_or(Reason::CustomerCancel),
            origin: Some(reply::origin_of(msg)),
            platform: self.platform_name(from),
            keys,
            original: BankKeys::default(),
            referred: None,
            original_mti: None,
            pan: msg.pan.clone(),
            amount: msg.amount,
            replacement: msg.replacement_amount,
            facts: reply::facts_of(msg),
            auth_id: msg.auth_id,
            not_found_final_after: self.now.wall,
            debit: None,
        }
    }

    pub(super) fn platform_name(&self, from: &Requester) -> Option<super::ids::Name> {
        self.policy.platforms.get(usize::from(from.platform.0)).map(|p| p.name)
    }
}

/// Whether a reversal that leaves a part leaves less than there was.
pub(super) fn leaves_less(msg: &Canonical, whole: Option<Amount>) -> bool {
    msg.replacement_amount.is_none_or(|left| {
        let taken = whole.and_then(|whole| whole.minus(left));
        taken.is_some_and(|taken| taken.minor > 0)
    })
}

/// What the original of a reversal may have been called by its platform, likeliest first.
pub(super) fn original_names(msg: &Canonical, own: &Origin) -> Vec<Origin> {
    let stated = msg.original.clone().unwrap_or_default();
    let mut name = Origin {
        mti: Text::EMPTY,
        transmission: stated.transmission.or(own.transmission),
        stan: stated.stan.unwrap_or(own.stan),
        local_time: stated.time.or(own.local_time),
        local_date: stated.date.or(own.local_date),
        acquirer: stated.acquirer.filter(|a| a.as_bytes().iter().any(|b| *b != b'0')),
        batch: stated.batch.or(own.batch),
        ..own.clone()
    };
    name.acquirer = name.acquirer.or(own.acquirer);
    let mtis = match (stated.mti, msg.kind.transaction()) {
        (Some(mti), _) => vec![mti],
        (None, Some(TransactionType::PreAuthorization)) => texts([b"0100", b"0200"]),
        (None, _) => texts([b"0200", b"0100"]),
    };
    let without_acquirer = Origin { acquirer: None, ..name.clone() };
    let mut names = vec![];
    for base in [name, without_acquirer] {
        names.extend(mtis.iter().map(|mti| Origin { mti: *mti, ..base.clone() }));
    }
    names
}

fn texts(mtis: [&[u8; 4]; 2]) -> Vec<Text<4>> {
    mtis.iter().filter_map(|mti| Text::new(&mti[..]).ok()).collect()
}

/// An original that never was ours, under the names its platform gives it.
fn keys_of(origin: &Origin) -> BankKeys {
    BankKeys {
        stan: origin.stan,
        transmission: origin.transmission,
        local_time: origin.local_time,
        local_date: origin.local_date,
        acquirer: origin.acquirer,
        forwarder: origin.forwarder,
        rrn: origin.rrn,
        terminal: origin.terminal,
        merchant: origin.merchant,
        batch: origin.batch,
    }
}
