//! Reversals and advices: our own, and those the platforms ask for.
//!
//! Contract: one chain per original, whoever asked; a platform's reversal or advice is never
//! declined because a bank is down: it is journaled, acknowledged once durable, and forwarded.
//! A reversal whose original is at the bank goes out after that answer or its deadline. One for
//! an unknown original leaves a tombstone.

use super::duplicates::{self, Past, Remembered};
use super::ids::{BankId, RecordNo, TxnNo};
use super::inflight::Requester;
use super::output::{Event, RecallKey};
use super::plants::Plant;
use super::recall::REPEAT_DAYS;
use super::record::{BankKeys, Closed, Debt, Ending, Intent, Origin, Owed, Queued, Record};
use super::request::{Recalling, first_names};
use super::txn::Happening;
use super::{Switch, reply, routing};
use crate::canonical::{Canonical, Flow, Kind, Reason, TransactionType};
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
        let queued = self.reversal_of(txn, intent, released, Owed::OwnReversal, reason);
        let Some((mut queued, not_found_final)) = queued else { return };
        queued.auth_id = auth_id;
        let recovered = self.recovering;
        self.event(Event::ReversalQueued { bank: intent.bank, txn, recovered });
        self.queue(queued, not_found_final);
    }

    /// A reversal as the bank's dialect states it, built from the intent.
    pub(super) fn reversal_of(
        &mut self,
        txn: TxnNo,
        intent: &Intent,
        released: Option<Instant>,
        owed: Owed,
        reason: Reason,
    ) -> Option<(Queued, Instant)> {
        let policy = Arc::clone(&self.policy);
        let bank = policy.banks.iter().find(|b| b.name == intent.bank)?;
        let mut keys = intent.keys.clone();
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
        let transaction = intent.kind.transaction().unwrap_or(TransactionType::Unstated);
        let queued = Queued {
            at: self.now.wall,
            txn: Some(txn),
            bank: intent.bank,
            line: Some(intent.line),
            owed,
            kind: Kind::Reversal(transaction),
            flow: bank.reversal.flow,
            reason,
            origin: None,
            platform: None,
            keys,
            original: intent.keys.clone(),
            referred: intent.referred.clone(),
            original_mti: None,
            pan: intent.pan.clone(),
            amount: intent.amount,
            replacement: None,
            facts: intent.facts.clone(),
            auth_id: None,
            not_found_final_after: self.wall_of(final_after),
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
            return self.refuse(&from, msg, Reason::Accepted, Some(txn), None);
        }
        match past.past() {
            Past::Open | Past::Granted => self.reverse_standing(from, msg, txn),
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
            Some((txn, _)) if self.is_reversed(txn) => {
                self.refuse(from, msg, Reason::Accepted, Some(txn), None);
            }
            Some((txn, intent)) => self.reverse_intent(from, msg, txn, &intent, None, None),
        }
    }

    fn is_reversed(&self, txn: TxnNo) -> bool {
        let past = self.state.memory.of(txn).map(Remembered::past);
        self.state.chains.contains_key(&txn) || past == Some(Past::Reversed)
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
        if intent.owes != Debt::Reversal {
            // The bank's dialect has no reversal of this: an operator settles it.
            if intent.owes == Debt::Desk {
                self.put_on_desk(txn, &intent.bank, txn, intent.amount);
            }
            return self.refuse(from, msg, Reason::Accepted, Some(txn), None);
        }
        let reason = msg.reason.unwrap_or(Reason::CustomerCancel);
        let queued = self.reversal_of(txn, intent, released, Owed::PlatformReversal, reason);
        let Some((mut queued, not_found_final)) = queued else {
            return self.refuse(from, msg, Reason::SystemError, Some(txn), None);
        };
        queued.origin = Some(reply::origin_of(&msg));
        queued.platform = self.platform_name(from);
        queued.replacement = msg.replacement_amount;
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
            let told = matches!(past.past(), Past::Acknowledged | Past::Reversed);
            if told && past.same_content(content) {
                return self.answer_own(&from, msg, Reason::Accepted, Some(past.no()));
            }
            return self.refuse(&from, msg, Reason::Duplicate, Some(past.no()), None);
        }
        if self.may_be_forgotten(&msg) {
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
        let keys = BankKeys {
            stan,
            transmission: Some(self.stamp.at(self.now.wall)),
            local_time: msg.local_time,
            local_date: msg.local_date,
            acquirer: bank.acquirer.or(msg.acquirer),
            forwarder: bank.forwarder,
            rrn: msg.rrn,
            terminal,
            merchant,
            batch: self.batch_of(line, terminal.map(|t| t.trimmed()).as_ref()),
        };
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
        }
    }

    pub(super) fn platform_name(&self, from: &Requester) -> Option<super::ids::Name> {
        self.policy.platforms.get(usize::from(from.platform.0)).map(|p| p.name)
    }
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

/// `F7` of now, written once per second.
#[derive(Debug, Default)]
pub(super) struct GmtStamp {
    second: i64,
    text: Text<10>,
}

impl GmtStamp {
    /// MMDDhhmmss in GMT.
    pub(super) fn at(&mut self, now: Wall) -> Text<10> {
        let second = now.millis().div_euclid(1_000);
        if self.text.is_empty() || second != self.second {
            let utc = now.utc();
            let text = format!(
                "{:02}{:02}{:02}{:02}{:02}",
                utc.month(),
                utc.day(),
                utc.hour(),
                utc.minute(),
                utc.second()
            );
            self.second = second;
            self.text = Text::new(text.as_bytes()).unwrap_or_default();
        }
        self.text
    }
}

/// How long before `now` an `F7` was written; `None` where it is no date, or in the future.
/// It has no year: the one nearest to now is meant.
pub(super) fn age_of(f7: &Text<10>, now: Wall) -> Option<Duration> {
    let digits = f7.as_bytes();
    if digits.len() != 10 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let two = |at: usize| i64::from(digits[at] - b'0') * 10 + i64::from(digits[at + 1] - b'0');
    let of_day = two(4) * 3_600 + two(6) * 60 + two(8);
    let now_seconds = now.millis().div_euclid(1_000);
    let age_in = |year: i64| now_seconds - (days(year, two(0), two(2)) * 86_400 + of_day);
    let year = year_of(now_seconds.div_euclid(86_400));
    let mut age = age_in(year);
    // Within half a year no other year can be nearer: nearly always, on every request.
    if age.abs() > 180 * 86_400 {
        let others = [age_in(year - 1), age, age_in(year + 1)];
        age = others.into_iter().min_by_key(|age| age.abs())?;
    }
    u64::try_from(age).ok().map(Duration::from_secs)
}

/// The year of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
fn year_of(day: i64) -> i64 {
    // Eras of 400 years that begin in March.
    let since = day + 719_468;
    let of_era = since.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let january_or_february = of_year >= 306;
    year_of_era + since.div_euclid(146_097) * 400 + i64::from(january_or_february)
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day is the last of its year.
    let (y, m) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let of_year = (153 * m + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_year_of_a_day_is_that_of_the_calendar() {
        for day in (-200_000..200_000).step_by(31).chain(10_900..11_400) {
            let wall = Wall::from_millis(day * 86_400_000);
            assert_eq!(year_of(day), i64::from(wall.utc().year()), "day {day}");
        }
    }

    #[test]
    fn f7_means_the_year_nearest_to_now() {
        let new_year = Wall::from_millis(1_735_689_660_000); // 2025-01-01T00:01:00Z
        let age = |f7: &str| f7.parse().ok().and_then(|f7| age_of(&f7, new_year));
        assert_eq!(age("1231235900"), Some(Duration::from_secs(120)));
        assert_eq!(age("0101000200"), None); // a minute ahead
        assert_eq!(age("01010002xx"), None);
        let leap = Wall::from_millis(1_709_251_200_000); // 2024-03-01T00:00:00Z
        let age = |f7: &str| f7.parse().ok().and_then(|f7| age_of(&f7, leap));
        assert_eq!(age("0229235959"), Some(Duration::from_secs(1)));
    }

    #[test]
    fn the_gmt_stamp_is_f7() {
        let mut stamp = GmtStamp::default();
        let f7 = stamp.at(Wall::from_millis(1_709_164_800_123));
        assert_eq!(f7.as_str(), "0229000000");
    }
}
