//! The bank's counter: takes a message, lets rules, mood and book decide, gives the answer.
//!
//! Contract: pure but for the time it is told; one message in, at most one answer out, with
//! what shall happen to it on the way. UnionPay: financial traffic needs a sign-in of its
//! terminal (else 77) and a right MAC (else A0). Deliberately absent: sockets, MAC arithmetic.

use super::book::{Book, Reply, Verdict};
use super::business::{Business, Flavor};
use super::command::Command;
use super::habits::Habit;
use super::mood::{Fate, Mood};
use super::rules::Rules;
use super::settlement::{self, Compared};
use crate::clock::stamp;
use crate::msg::Msg;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// What the MAC check of a message gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacSeen {
    /// This line has no MAC.
    NotAsked,
    /// Right.
    Good,
    /// Wrong, or missing where one is needed.
    Wrong,
}

/// What to do with a message.
#[derive(Debug)]
pub enum Step {
    /// Nothing at all.
    Nothing,
    /// Wait, then [`Teller::execute`].
    Execute(Duration, Fate),
}

/// An answer and its way out.
#[derive(Debug)]
pub struct Say {
    /// The answer.
    pub msg: Msg,
    /// Whether it carries a MAC.
    pub sealed: bool,
    /// Whether it grants a sign-on: keys may go with it.
    pub signed_on: bool,
    /// What happens to it.
    pub fate: Fate,
}

/// What the bank counts besides its ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Messages heard.
    pub heard: u64,
    /// Messages that could not be understood.
    pub garbled: u64,
    /// Originals lost on command.
    pub lost: u64,
    /// Answers held back by silence.
    pub muted: u64,
    /// Answers sent later than they could have been: `late` and `slow`.
    pub late: u64,
    /// Answers sent twice.
    pub duplicated: u64,
    /// Answers spoilt: MAC, amount, nonsense.
    pub spoilt: u64,
    /// Messages with a wrong MAC.
    pub wrong_macs: u64,
    /// Financial messages without sign-on.
    pub not_signed_on: u64,
    /// Sign-ons granted.
    pub sign_ons: u64,
    /// Echo tests answered.
    pub echoes: u64,
    /// Messages not looked at after a sign-off of its own.
    pub signed_off: u64,
}

/// The counter.
#[derive(Debug)]
pub struct Teller {
    flavor: Flavor,
    needs_sign_on: bool,
    rules: Rules,
    mood: Mood,
    book: Book,
    /// Terminals (UnionPay) or sessions that are signed on.
    signed_on: BTreeSet<String>,
    counts: Counts,
    /// Signed off by itself; the sessions stay.
    off: bool,
    /// Messages of its own so far.
    notices: u64,
    /// Totals it was asked about.
    compared: Vec<Compared>,
}

const ECHOED: [u8; 12] = [3, 4, 7, 11, 12, 13, 25, 32, 37, 41, 42, 49];
const ECHOED_UNIONPAY: [u8; 10] = [3, 4, 11, 25, 32, 37, 41, 42, 49, 60];

impl Teller {
    /// A bank that has heard nothing yet.
    pub fn new(flavor: Flavor, needs_sign_on: bool, rules: Rules, mood: Mood, book: Book) -> Self {
        let (signed_on, counts) = (BTreeSet::new(), Counts::default());
        let (off, notices, compared) = (false, 0, Vec::new());
        Self { flavor, needs_sign_on, rules, mood, book, signed_on, counts, off, notices, compared }
    }

    /// Totals it was asked about, in order.
    pub fn compared(&self) -> &[Compared] {
        &self.compared
    }

    /// The book.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// The counts.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether nothing is answered now.
    pub fn is_silent(&self, now: Instant) -> bool {
        self.mood.is_silent(now)
    }

    /// Takes a command, except for what concerns sessions; what the switch is to be told.
    pub fn obey(&mut self, at_ms: u64, now: Instant, command: &Command) -> Option<Msg> {
        self.mood.obey(now, command);
        match command {
            Command::Cutover(date) => {
                self.book.cut_over(date);
                self.notice(at_ms, "201").map(|notice| notice.with(15, date.as_str()))
            }
            Command::CutoverAgain(bare) => {
                let date = self.book.settlement_date().to_owned();
                let notice = self.notice(at_ms, "201");
                if *bare { notice } else { notice.map(|notice| notice.with(15, date)) }
            }
            Command::OwnDay(date) => {
                self.book.cut_over(date);
                None
            }
            Command::SignOff => {
                self.off = self.flavor == Flavor::Iso1987;
                self.notice(at_ms, "002")
            }
            Command::SignOn => {
                self.off = false;
                self.notice(at_ms, "001")
            }
            Command::Habit(habit, per_mille) => {
                self.book.habits_mut().set(*habit, *per_mille);
                None
            }
            Command::Heal => {
                self.book.habits_mut().drop_all();
                self.off = false;
                None
            }
            Command::Misbook(currency, minor) => {
                self.book.misbook(at_ms, currency, *minor);
                None
            }
            _ => None,
        }
    }

    /// Network management of its own; UnionPay banks have none.
    fn notice(&mut self, at_ms: u64, function: &str) -> Option<Msg> {
        self.notices += 1;
        let stan = format!("{:06}", self.notices % 1_000_000);
        let notice = Msg::new("0800").with(7, stamp(at_ms)).with(11, stan).with(70, function);
        (self.flavor == Flavor::Iso1987).then_some(notice)
    }

    /// A frame that is no message.
    pub fn garbled(&mut self) {
        self.counts.garbled += 1;
    }

    /// A session is gone, and its sign-on with it.
    pub fn session_gone(&mut self, session: u64) {
        self.signed_on.remove(&line_name(session));
    }

    /// First look at a message: what the mood makes of it.
    pub fn hear(&mut self, now: Instant, msg: &Msg) -> Step {
        self.counts.heard += 1;
        if msg.is_answer() {
            return Step::Nothing;
        }
        let original = self.flavor.business(msg).is_original();
        let fate = self.mood.fate(now, original);
        if fate.lost {
            self.counts.lost += 1;
            return Step::Nothing;
        }
        Step::Execute(fate.execute_after, fate)
    }

    /// Does what the message asks. `session` is where it came in.
    pub fn execute(
        &mut self,
        at_ms: u64,
        session: u64,
        msg: &Msg,
        mac: MacSeen,
        fate: Fate,
    ) -> Option<Say> {
        let business = self.flavor.business(msg);
        if self.off && business != Business::Network {
            self.counts.signed_off += 1;
            return None;
        }
        let sign_ons = self.counts.sign_ons;
        let (answer, sealed) = match business {
            Business::Network => (self.network(at_ms, session, msg), false),
            _ => (self.financial(at_ms, session, msg, business, mac)?, true),
        };
        self.count(&fate);
        let signed_on = self.counts.sign_ons > sign_ons;
        (!fate.mute).then(|| Say { msg: spoil(answer, &fate), sealed, signed_on, fate })
    }

    fn count(&mut self, fate: &Fate) {
        let add = |count: &mut u64, yes| *count += u64::from(yes);
        add(&mut self.counts.muted, fate.mute);
        let held_back = fate.execute_after + fate.answer_after;
        add(&mut self.counts.late, !fate.mute && held_back >= Duration::from_millis(500));
        add(&mut self.counts.duplicated, fate.twice);
        add(&mut self.counts.spoilt, fate.garbage || fate.wrong_mac || fate.wrong_amount);
    }

    fn financial(
        &mut self,
        at_ms: u64,
        session: u64,
        msg: &Msg,
        business: Business,
        mac: MacSeen,
    ) -> Option<Msg> {
        if mac == MacSeen::Wrong {
            self.counts.wrong_macs += 1;
            return Some(self.refused(at_ms, msg, "A0"));
        }
        if self.needs_sign_on && !self.signed_on.contains(&self.signer(session, msg)) {
            self.counts.not_signed_on += 1;
            return Some(self.refused(at_ms, msg, "77"));
        }
        let reply = match business {
            Business::Reversal => self.book.reversal(at_ms, msg),
            Business::Reconciliation => {
                let (answer, compared) = settlement::answer(self.book.ledger().entries(), msg);
                self.compared.push(compared);
                return Some(answer);
            }
            Business::Other | Business::Network => return Some(self.refused(at_ms, msg, "12")),
            _ => self.book.original(at_ms, msg, &self.verdict(business, msg)),
        };
        (!reply.kept).then(|| self.spell(at_ms, msg, &reply))
    }

    fn verdict(&self, business: Business, msg: &Msg) -> Verdict {
        match self.mood.answer() {
            Some(code) => Verdict { code: code.to_owned(), partial: None },
            None => self.rules.verdict(business, msg),
        }
    }

    fn signer(&self, session: u64, msg: &Msg) -> String {
        match self.flavor {
            Flavor::UnionPay => msg.text(41).to_owned(),
            Flavor::Iso1987 => line_name(session),
        }
    }

    fn refused(&self, at_ms: u64, msg: &Msg, code: &str) -> Msg {
        self.frame(at_ms, msg).with(39, code)
    }

    fn spell(&mut self, at_ms: u64, msg: &Msg, reply: &Reply) -> Msg {
        let mut answer = self.frame(at_ms, msg).with(39, reply.code.as_str());
        answer.set(15, reply.settlement_date.as_str());
        if let Some(auth_id) = &reply.auth_id {
            answer.set(38, auth_id.as_str());
        }
        if !reply.rrn.is_empty() {
            answer.set(37, reply.rrn.as_str());
        }
        if let Some(amount) = reply.amount {
            answer.set(4, format!("{amount:012}"));
        }
        for (habit, de) in [(Habit::NoCurrency, 49), (Habit::NoTerminal, 41)] {
            if self.book.strikes(habit, msg) {
                answer.remove(de);
            }
        }
        answer
    }

    /// An answer with everything that only echoes or stamps.
    fn frame(&self, at_ms: u64, msg: &Msg) -> Msg {
        match self.flavor {
            Flavor::Iso1987 if msg.get(90).is_some() => {
                let mut answer = msg.answer(&ECHOED);
                answer.set(90, msg.get(90).unwrap_or_default());
                answer
            }
            Flavor::Iso1987 => msg.answer(&ECHOED),
            Flavor::UnionPay => {
                let stamp = stamp(at_ms);
                msg.answer(&ECHOED_UNIONPAY).with(12, &stamp[4..]).with(13, &stamp[..4])
            }
        }
    }

    fn network(&mut self, at_ms: u64, session: u64, msg: &Msg) -> Msg {
        let (function, answer) = match self.flavor {
            Flavor::Iso1987 => {
                let function = match msg.text(70) {
                    "001" => Function::SignOn,
                    "002" => Function::SignOff,
                    _ => Function::Other,
                };
                (function, msg.answer(&[7, 11, 32, 41, 42, 70]))
            }
            Flavor::UnionPay => {
                let function = match msg.text(60).get(8..11) {
                    Some("001" | "003" | "004") => Function::SignOn,
                    Some("002") => Function::SignOff,
                    _ => Function::Other,
                };
                let stamp = stamp(at_ms);
                let answer = msg.answer(&[11, 32, 41, 42, 60]);
                let answer = answer.with(12, &stamp[4..]).with(13, &stamp[..4]);
                (function, answer.with(37, format!("{:012}", at_ms % 1_000_000_000_000)))
            }
        };
        let signer = self.signer(session, msg);
        answer.with(39, self.sign(function, signer))
    }

    fn sign(&mut self, function: Function, signer: String) -> &'static str {
        match function {
            Function::SignOn if self.mood.refuses_sign_on() => return "58",
            Function::SignOn => {
                self.counts.sign_ons += 1;
                self.off = false;
                self.signed_on.insert(signer);
            }
            Function::SignOff => {
                self.signed_on.remove(&signer);
            }
            Function::Other => self.counts.echoes += 1,
        }
        "00"
    }
}

/// What network management asks for, as far as this bank cares.
enum Function {
    SignOn,
    SignOff,
    Other,
}

fn line_name(session: u64) -> String {
    format!("session {session}")
}

fn spoil(mut answer: Msg, fate: &Fate) -> Msg {
    if let Some(amount) = answer.number(4).filter(|_| fate.wrong_amount) {
        answer.set(4, format!("{:012}", amount + 1));
    }
    answer
}
