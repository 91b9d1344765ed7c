//! What a bank does with money: execute once, answer repeats alike, undo once.
//!
//! Contract: pure – message and verdict in, effect in the ledger and the answer's codes out.
//! An original is executed at most once per key; a repeat gets the stored answer; a reversal of
//! an unknown original is answered 25 and *not* remembered, so an original that its reversal
//! overtook is executed when it comes: the meanest legal bank.
//! Deliberately absent: sockets, waiting, deciding (the rules do that).

use super::business::{Business, Flavor};
use super::habits::{Habit, Habits, UNLISTED};
use super::ledger::{Entry, Key, Ledger, Seen};
use super::original::{Original, kept_amount, local_time, pan_of};
use crate::msg::Msg;
use std::collections::{HashMap, HashSet};

/// What the rules say about an original.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// `F39`.
    pub code: String,
    /// What is approved where that is another amount than asked, in minor units.
    pub partial: Option<u64>,
}

/// What to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// `F39`.
    pub code: String,
    /// `F38`, with approvals.
    pub auth_id: Option<String>,
    /// `F37`.
    pub rrn: String,
    /// `F4`, where it differs from what was asked.
    pub amount: Option<u64>,
    /// `F15`.
    pub settlement_date: String,
    /// Whether it is kept from whoever asked.
    pub kept: bool,
}

/// What executing an original came to.
struct Executed {
    verdict: Verdict,
    signed: i64,
    seen: Seen,
    took: Option<(Key, i64)>,
}

/// The book of one bank.
#[derive(Debug)]
pub struct Book {
    bank: String,
    flavor: Flavor,
    originals: HashMap<Key, Original>,
    ledger: Ledger,
    approvals: u64,
    settlement_date: String,
    habits: Habits,
    /// Reversals and advices that came, with their own STAN.
    came: HashSet<(Key, String)>,
}

/// Codes that grant money or goods (domain.md section 4).
const APPROVALS: [&str; 8] = ["00", "10", "11", "16", "A2", "A4", "A5", "A6"];

/// Whether this bank grants with this code.
pub(super) fn grants(code: &str) -> bool {
    APPROVALS.contains(&code) || code == UNLISTED
}

impl Book {
    /// An empty book. `settlement_date` is MMDD.
    pub fn new(bank: &str, flavor: Flavor, settlement_date: &str, ledger: Ledger) -> Self {
        Self {
            bank: bank.to_owned(),
            flavor,
            originals: HashMap::new(),
            ledger,
            approvals: 0,
            settlement_date: settlement_date.to_owned(),
            habits: Habits::default(),
            came: HashSet::new(),
        }
    }

    /// The same with these habits.
    #[must_use]
    pub fn with_habits(self, habits: Habits) -> Self {
        Self { habits, ..self }
    }

    /// Its habits.
    pub fn habits(&self) -> &Habits {
        &self.habits
    }

    pub(super) fn habits_mut(&mut self) -> &mut Habits {
        &mut self.habits
    }

    /// Whether this habit strikes a message, known by itself; if so it counts.
    pub(super) fn strikes(&mut self, habit: Habit, msg: &Msg) -> bool {
        let strikes = self.habits.has(habit, &self.own_key(msg));
        if strikes {
            self.habits.struck(habit);
        }
        strikes
    }

    /// MMDD on which counts what comes now.
    pub fn settlement_date(&self) -> &str {
        &self.settlement_date
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What follows counts on this date, MMDD.
    pub fn cut_over(&mut self, date: &str) {
        date.clone_into(&mut self.settlement_date);
    }

    /// Books a purchase nobody asked for: what an operator of the bank may do wrong.
    pub fn misbook(&mut self, at_ms: u64, currency: &str, minor: u32) {
        let no = self.ledger.entries().len() + 1;
        let terminal = "BY-HAND".to_owned();
        let key = Key { stan: format!("{no:06}"), moment: "by hand".to_owned(), terminal };
        self.ledger.push(Entry {
            no: 0,
            at_ms,
            bank: self.bank.clone(),
            business: Business::Purchase,
            seen: Seen::First,
            mti: "0200".to_owned(),
            stan: key.stan.clone(),
            key,
            rrn: format!("{no:012}"),
            pan: None,
            amount: u64::from(minor),
            asked: u64::from(minor),
            currency: currency.to_owned(),
            settlement_date: self.settlement_date.clone(),
            code: "00".to_owned(),
            auth_id: None,
            signed: i64::from(minor),
        });
    }

    /// The answer an original of this key and content had already, if it is a repeat.
    pub fn known(&self, msg: &Msg) -> bool {
        let original = self.originals.get(&self.own_key(msg));
        original.is_some_and(|original| original.is_same(msg))
    }

    /// Executes an original, or answers its repeat as before. `verdict` is heeded only the
    /// first time.
    pub fn original(&mut self, at_ms: u64, msg: &Msg, verdict: &Verdict) -> Reply {
        let key = self.own_key(msg);
        if let Some(original) = self.originals.get(&key).filter(|o| o.is_same(msg)) {
            let (reply, business) = (original.reply.clone(), original.business);
            self.note(at_ms, msg, business, Seen::Repeat, key, &reply, 0);
            return reply;
        }
        let business = self.flavor.business(msg);
        if self.puts_off(msg, &key) {
            let reply = self.reply(msg, &Verdict { code: "94".to_owned(), partial: None });
            self.note(at_ms, msg, business, Seen::Repeat, key, &reply, 0);
            return reply;
        }
        let verdict = &self.habitual(msg, business, verdict);
        let Executed { verdict, signed, seen, took } = self.execute(msg, business, verdict);
        let reply = self.reply(msg, &verdict);
        self.note(at_ms, msg, business, seen, key.clone(), &reply, signed);
        let original = Original {
            business,
            mti: msg.mti.clone(),
            acquirer: msg.text(32).to_owned(),
            pan: pan_of(msg),
            asked: msg.number(4).unwrap_or(0),
            local: local_time(msg),
            reply: reply.clone(),
            standing: signed,
            took,
            reversed: false,
        };
        self.originals.insert(key, original);
        reply
    }

    /// Undoes an original, once.
    pub fn reversal(&mut self, at_ms: u64, msg: &Msg) -> Reply {
        let key = self.original_key(msg);
        let refused = self.refuses(msg, &key);
        let kept = refused.is_none() && self.forgets(msg, &key, false);
        let forgotten = self.forgets(msg, &key, true);
        let (code, signed, seen) = match self.originals.get_mut(&key) {
            None => ("25", 0, Seen::NoOriginal),
            Some(original) => match refused {
                Some((code, seen)) => (code, 0, seen),
                None if forgotten => ("25", 0, Seen::Repeat),
                None if original.reversed => ("00", 0, Seen::Repeat),
                None => ("00", original.undo(kept_amount(msg)), Seen::First),
            },
        };
        let undone = self.originals.get_mut(&key).filter(|original| original.reversed);
        let took = undone.and_then(|original| original.took.take());
        if let Some((of, standing)) = took
            && let Some(other) = self.originals.get_mut(&of)
        {
            other.standing += standing;
        }
        let verdict = Verdict { code: code.to_owned(), partial: None };
        let reply = self.reply(msg, &verdict);
        let reply = Reply { auth_id: None, kept, ..reply };
        self.note(at_ms, msg, Business::Reversal, seen, key, &reply, signed);
        reply
    }

    /// What this bank's habits make of a verdict.
    fn habitual(&mut self, msg: &Msg, business: Business, rule: &Verdict) -> Verdict {
        let asked = msg.number(4).unwrap_or(0);
        let partial = rule.partial.map(|partial| partial.min(asked));
        let verdict = Verdict { code: rule.code.clone(), partial };
        let request = msg.digit(2) == 0;
        if !request || business.sign() <= 0 || rule.code != "00" {
            return verdict;
        }
        if self.strikes(Habit::Unlisted, msg) {
            return Verdict { code: UNLISTED.to_owned(), partial: None };
        }
        if self.strikes(Habit::Above, msg) {
            return Verdict { code: "10".to_owned(), partial: Some(asked + asked / 10 + 1) };
        }
        verdict
    }

    /// Whether a reversal or advice is called a duplicate because it comes for the first time.
    fn puts_off(&mut self, msg: &Msg, key: &Key) -> bool {
        if msg.digit(2) != 2 && msg.digit(1) != 4 {
            return false;
        }
        let first = self.came.insert((key.clone(), msg.text(11).to_owned())) && !msg.is_repeat();
        let puts_off = first && self.habits.has(Habit::DuplicateFirst, key);
        if puts_off {
            self.habits.struck(Habit::DuplicateFirst);
        }
        puts_off
    }

    /// Why this bank will not reverse an original it has, if its habits say so.
    fn refuses(&mut self, msg: &Msg, key: &Key) -> Option<(&'static str, Seen)> {
        if self.puts_off(msg, key) {
            return Some(("94", Seen::Repeat));
        }
        let original = self.originals.get(key).filter(|original| !original.reversed)?;
        let habit = if self.habits.has(Habit::StrictName, key) && !original.is_named_by(msg) {
            Habit::StrictName
        } else if self.habits.has(Habit::StrictAmount, key) && !original.is_valued_by(msg) {
            Habit::StrictAmount
        } else if self.habits.has(Habit::NotFound, key) && original.was_told_to(msg) {
            Habit::NotFound
        } else {
            return None;
        };
        self.habits.struck(habit);
        Some((if habit == Habit::StrictAmount { "64" } else { "25" }, Seen::NoOriginal))
    }

    /// Whether this bank keeps quiet about a reversal it does now, or (`done`) has forgotten one
    /// that it did.
    fn forgets(&mut self, msg: &Msg, key: &Key, done: bool) -> bool {
        let original = self.originals.get(key).filter(|original| original.reversed == done);
        let forgets = self.habits.has(Habit::Forgets, key)
            && original.is_some_and(|original| original.was_told_to(msg));
        if forgets && !done {
            self.habits.struck(Habit::Forgets);
        }
        forgets
    }

    /// What an original moves, and the verdict after looking for what it refers to.
    fn execute(&mut self, msg: &Msg, business: Business, rule: &Verdict) -> Executed {
        let done =
            |signed, took| Executed { verdict: rule.clone(), signed, seen: Seen::First, took };
        if !grants(&rule.code) {
            return done(0, None);
        }
        let asked = msg.number(4).unwrap_or(0);
        let granted = rule.partial.unwrap_or(asked);
        let granted = i64::try_from(granted).unwrap_or(0);
        if !business.has_original() {
            return done(business.sign() * granted, None);
        }
        let key = self.original_key(msg);
        let Some(original) = self.originals.get_mut(&key).filter(|o| o.standing != 0) else {
            let verdict = Verdict { code: "25".to_owned(), partial: None };
            return Executed { verdict, signed: 0, seen: Seen::NoOriginal, took: None };
        };
        let stood = std::mem::take(&mut original.standing);
        // A completion makes a debit of the hold: only the difference moves.
        let debit = if business == Business::Completion { granted } else { 0 };
        done(debit - stood, Some((key, stood)))
    }

    fn reply(&mut self, msg: &Msg, verdict: &Verdict) -> Reply {
        let approved = grants(&verdict.code);
        self.approvals += u64::from(approved);
        let rrn = match (self.flavor, msg.text(37)) {
            (Flavor::UnionPay, "") => format!("{:012}", self.ledger.entries().len() + 1),
            (_, given) => given.to_owned(),
        };
        Reply {
            code: verdict.code.clone(),
            auth_id: approved.then(|| format!("{:06}", self.approvals % 1_000_000)),
            rrn,
            amount: verdict.partial,
            settlement_date: self.settlement_date.clone(),
            kept: false,
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one place where an entry is written")]
    fn note(
        &mut self,
        at_ms: u64,
        msg: &Msg,
        business: Business,
        seen: Seen,
        key: Key,
        reply: &Reply,
        signed: i64,
    ) {
        self.ledger.push(Entry {
            no: 0,
            at_ms,
            bank: self.bank.clone(),
            business,
            seen,
            mti: msg.mti.clone(),
            key,
            stan: msg.text(11).to_owned(),
            rrn: reply.rrn.clone(),
            pan: pan_of(msg).map(|pan| pan.masked()),
            amount: reply.amount.or(msg.number(4)).unwrap_or(0),
            asked: msg.number(4).unwrap_or(0),
            currency: msg.text(49).to_owned(),
            settlement_date: reply.settlement_date.clone(),
            code: reply.code.clone(),
            auth_id: reply.auth_id.clone(),
            signed,
        });
    }

    /// The key of a message that stands for itself.
    fn own_key(&self, msg: &Msg) -> Key {
        let moment = match self.flavor {
            Flavor::Iso1987 => msg.text(7),
            Flavor::UnionPay => msg.text(60).get(2..8).unwrap_or_default(),
        };
        Key {
            stan: msg.text(11).to_owned(),
            moment: moment.to_owned(),
            terminal: msg.text(41).to_owned(),
        }
    }

    /// The key of the original that a message names: `F90` (MTI 4, STAN 6, `F7` 10); in UnionPay
    /// a reversal shares the STAN, everything else has `F61` (batch 6, STAN 6).
    fn original_key(&self, msg: &Msg) -> Key {
        let own = self.own_key(msg);
        let part = |de, from, to| msg.text(de).get(from..to).unwrap_or_default().to_owned();
        match self.flavor {
            Flavor::Iso1987 => Key { stan: part(90, 4, 10), moment: part(90, 10, 20), ..own },
            Flavor::UnionPay if msg.digit(1) == 4 => own,
            Flavor::UnionPay => Key { stan: part(61, 6, 12), moment: part(61, 0, 6), ..own },
        }
    }
}
