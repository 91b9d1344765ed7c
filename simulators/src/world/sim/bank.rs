//! A model bank: hears requests, keeps a ledger of effects of its own, and answers as its mood
//! has it.
//!
//! Contract: what it did to money stands in its ledger whatever it says about it. Executing is
//! idempotent by the request's keys, reversing likewise. An original that was overtaken by its
//! reversal is executed: it remembers no reversal of what it does not know.

use super::coverage::{Coverage, Fault};
use super::dice::Dice;
use super::keys::{Handed, Vault};
use super::manners;
use super::wire::{self, Frame, Sealed};
use pointsman::canonical::{
    Answer, Canonical, Flow, Kind, MacCheck, NetworkFunction, ResponseClass, TransactionType,
};
use pointsman::money::Amount;
use pointsman::text::Text;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A day of the calendar.
type Day = jiff::civil::Date;

/// How a bank calls a request: STAN, `F7`, terminal. One that keeps STANs in reversals calls it
/// by STAN and terminal alone.
pub(super) type Key = (u32, Text<10>, Text<16>);

/// One request in the bank's ledger.
#[derive(Debug, Clone)]
pub struct Deal {
    /// The platform's reference, passed through.
    pub rrn: Text<12>,
    /// What was asked.
    pub kind: TransactionType,
    /// How much was approved, in minor units; 0 where it was not.
    pub approved: u64,
    /// What the money did, signed, reversals taken off.
    pub effect: i64,
    /// `F38` given out.
    pub auth_id: Option<Text<6>>,
    /// What it made of it.
    pub class: ResponseClass,
    /// Whether it was taken back.
    pub reversed: bool,
    /// Reversals for it came before it did.
    pub overtaken: bool,
    /// The MTI it came under.
    pub mti: Text<4>,
    /// How much was asked, in minor units.
    pub asked: u64,
    /// It will not be found by any reversal, and stands.
    pub forgotten: bool,
    /// It will be found by one reversal only.
    pub found_once: bool,
    /// Its code is one that no table knows.
    pub unlisted: bool,
    /// The processing code it came with.
    pub code: Text<6>,
    /// The day it stands under in the bank's books, where its answer said so.
    pub day: Option<Text<4>>,
}

/// What it will say, and after how long.
pub type Saying = (Duration, Frame);

/// How a bank treats requests for the time being.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Everything in time and true.
    Well,
    /// Mostly well, every oddity now and then.
    Odd,
    /// Answers come late.
    Slow,
    /// Answers hardly ever come.
    Silent,
}

/// What the world knows and a bank does not: when an oddity of it can be dealt with at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fair {
    /// The switch has heard that this was approved or acknowledged.
    pub told: bool,
    /// This is the first try, and the switch knows that it is.
    pub first: bool,
}

/// What it does with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Conduct {
    Approve,
    Decline,
    Partial,
    Silent,
    Deaf,
    Late,
    LateDecline,
    Twice,
    WrongAmount,
    WrongTerminal,
    WrongStan,
    BadMac,
    Garbage,
    Refuse,
    UnknownCode,
    UnlistedApproval,
    PartialAbove,
    Retry,
}

/// One bank.
#[derive(Debug)]
pub struct Bank {
    /// Whether its reversals keep the STAN of their original.
    pub(super) same_stan: bool,
    pub(super) deals: BTreeMap<Key, Deal>,
    /// Reversals of what it does not know.
    pub(super) unknown: BTreeMap<Key, u32>,
    /// Advices it refused for good, or called duplicates when they were not.
    pub refused: BTreeSet<Text<12>>,
    /// What was wrong with what the switch said, by its own ledger.
    pub complaints: Vec<String>,
    /// What it hands out at sign-ons, if it does.
    pub vault: Option<Vault>,
    /// Its mood.
    pub mood: Mood,
    /// Whether it makes mistakes at all.
    pub honest: bool,
    next_auth: u32,
    date: Day,
    /// Business dates it announced.
    pub announced: Vec<Text<4>>,
    /// The switch has acknowledged a date of it.
    dated: bool,
    /// The date it said last.
    said: Option<Text<4>>,
    pub(super) dice: Dice,
}

impl Bank {
    /// A bank with an empty ledger; `same_stan`: its reversals keep the STAN.
    pub fn new(same_stan: bool, date: Day, dice: Dice) -> Self {
        let (deals, unknown) = (BTreeMap::new(), BTreeMap::new());
        let (mood, next_auth) = (Mood::Odd, 0);
        // The one that speaks like a UnionPay host hands out keys.
        let vault = same_stan.then(Vault::default);
        Self {
            same_stan,
            deals,
            unknown,
            refused: BTreeSet::new(),
            complaints: vec![],
            vault,
            mood,
            honest: false,
            next_auth,
            date,
            announced: vec![],
            dated: false,
            said: None,
            dice,
        }
    }

    /// The ledger.
    pub fn deals(&self) -> impl Iterator<Item = &Deal> {
        self.deals.values()
    }

    /// Hears one message; what it will say to it.
    pub fn hear(&mut self, msg: &Canonical, fair: Fair, coverage: &mut Coverage) -> Vec<Saying> {
        match (msg.kind, msg.flow) {
            (Kind::NetworkManagement(_), Flow::Request | Flow::Advice) => {
                self.network(msg, coverage)
            }
            (Kind::Transaction(_), Flow::Request) => self.request(msg, coverage),
            (Kind::Transaction(_), Flow::Advice) => self.advice(msg, fair, coverage),
            (Kind::Reversal(_), _) => self.reversal(msg, fair, coverage),
            (Kind::NetworkManagement(NetworkFunction::Cutover), Flow::Response) => {
                self.dated |= wire::class(msg.answer).is_approval();
                vec![]
            }
            _ => vec![],
        }
    }

    /// Seals what it says to a message under the key that message came with, and hands out keys
    /// with the answer to a sign-on.
    pub fn seal(&mut self, asked: Sealed, msg: &Canonical, coverage: &mut Coverage) -> Sealed {
        let Some(vault) = &mut self.vault else { return Sealed::default() };
        if !super::keys::is_sign_on(msg) {
            return asked;
        }
        let granted = wire::class(msg.answer).is_approval();
        let (key, handed) = vault.hand_out(granted, self.honest, &mut self.dice);
        if handed == Handed::Spoilt {
            coverage.fault(Fault::BankSpoiltKeys);
        }
        Sealed { with: None, brings: Some(key) }
    }

    /// What it has to say of its own accord, and when: an echo, a new business date, told again
    /// under its number or another, or that it signs off and on again, without hanging up.
    pub fn ask(&mut self, stan: u32, cover: &mut Coverage) -> Vec<Saying> {
        let say = |msg| Frame::Say(Box::new(msg), Sealed::default());
        let now = Duration::ZERO;
        if !self.same_stan && self.dice.chance(300) {
            cover.fault(Fault::BankSignsOff);
            let back = self.dice.millis(2_000, 60_000);
            let (off, on) = (NetworkFunction::SignOff, NetworkFunction::SignOn);
            return vec![
                (now, say(question(off, stan))),
                (back, say(question(on, stan % 999_999 + 1))),
            ];
        }
        if !self.dice.chance(500) {
            return vec![(now, say(question(NetworkFunction::Echo, stan)))];
        }
        cover.fault(Fault::BankCutover);
        self.date = self.date.tomorrow().unwrap_or(self.date);
        let mut msg = question(NetworkFunction::Cutover, stan);
        msg.settlement_date = Some(self.today());
        self.announced.push(self.today());
        let mut said = vec![(now, say(msg.clone()))];
        if self.dice.chance(500) {
            cover.fault(Fault::BankCutoverAgain);
            msg.repeat = self.dice.chance(500);
            if !msg.repeat {
                msg.stan = Some(stan % 999_999 + 1);
            }
            said.push((self.dice.millis(500, 60_000), say(msg)));
        }
        said
    }

    /// What it is about to say: a date that is known it need not name again.
    pub fn leave_date_out(&mut self, msg: &mut Canonical, cover: &mut Coverage) {
        if msg.kind != Kind::NetworkManagement(NetworkFunction::Cutover) || msg.flow.is_answer() {
            return;
        }
        let again = self.said == msg.settlement_date;
        self.said = msg.settlement_date;
        if again && self.dated && self.dice.chance(500) {
            cover.fault(Fault::BankCutoverBare);
            msg.settlement_date = None;
        }
    }

    /// Its business date, MMDD.
    fn today(&self) -> Text<4> {
        month_and_day(self.date)
    }

    /// The day it posts a request to: some before its cutover on the next.
    fn posting_day(&mut self, cover: &mut Coverage) -> Text<4> {
        if self.honest || !self.dice.chance(manners::OWN_DAY) {
            return self.today();
        }
        cover.fault(Fault::BankPostsByOwnDay);
        month_and_day(self.date.tomorrow().unwrap_or(self.date))
    }

    pub(super) fn key(&self, stan: u32, at: Option<Text<10>>, terminal: Option<Text<16>>) -> Key {
        let at = at.filter(|_| !self.same_stan).unwrap_or_default();
        (stan, at, terminal.unwrap_or_default().trimmed())
    }

    fn network(&mut self, msg: &Canonical, coverage: &mut Coverage) -> Vec<Saying> {
        let odd = !self.honest;
        if odd && self.dice.chance(60) {
            return vec![];
        }
        let refuse = odd && self.dice.chance(80);
        if refuse && msg.kind == Kind::NetworkManagement(NetworkFunction::SignOn) {
            coverage.fault(Fault::BankRefusesSignOn);
        }
        let class = if refuse { ResponseClass::Retry } else { ResponseClass::Approved };
        vec![self.soon(reply(msg, class))]
    }

    fn request(&mut self, msg: &Canonical, coverage: &mut Coverage) -> Vec<Saying> {
        let key = self.key(msg.stan.unwrap_or_default(), msg.transmission, msg.terminal);
        if let Some(deal) = self.deals.get(&key) {
            let mut again = reply(msg, deal.class);
            again.auth_id = deal.auth_id;
            return vec![self.soon(again)];
        }
        let conduct = self.conduct(msg);
        let asked = msg.amount.map_or(0, |a| a.minor);
        let approved = match conduct {
            Conduct::Deaf => {
                coverage.fault(Fault::BankDeaf);
                return vec![];
            }
            Conduct::Decline | Conduct::LateDecline | Conduct::UnknownCode => 0,
            Conduct::Refuse | Conduct::Retry => 0,
            Conduct::Partial => (asked / 2).max(1),
            Conduct::PartialAbove => asked + 75,
            _ => asked,
        };
        let class = self.class_of(conduct);
        self.execute(key, msg, approved, class, coverage);
        if let Some(deal) = self.deals.get_mut(&key) {
            deal.unlisted = matches!(conduct, Conduct::UnknownCode | Conduct::UnlistedApproval);
        }
        self.answer(key, msg, conduct, coverage)
    }

    pub(super) fn execute(
        &mut self,
        key: Key,
        msg: &Canonical,
        approved: u64,
        class: ResponseClass,
        coverage: &mut Coverage,
    ) {
        let kind = msg.kind.transaction().unwrap_or(TransactionType::Unstated);
        if msg.processing_code.is_some_and(|code| code.as_str().starts_with("09")) {
            coverage.fault(Fault::BankCashBack);
        }
        self.next_auth += u32::from(class.is_approval());
        let auth_id = class.is_approval().then(|| wire::text(&format!("{:06}", self.next_auth)));
        let overtaken = self.unknown.contains_key(&key);
        if overtaken && class.is_approval() {
            coverage.fault(Fault::BankOvertaken);
        }
        let approved = if class.is_approval() { approved } else { 0 };
        let deal = Deal {
            rrn: msg.rrn.unwrap_or_default(),
            kind,
            approved,
            effect: wire::sign(kind) * wire::signed(approved),
            auth_id,
            class,
            reversed: false,
            overtaken,
            mti: wire::mti(msg.kind, msg.flow, false),
            asked: msg.amount.map_or(0, |a| a.minor),
            forgotten: false,
            found_once: false,
            unlisted: false,
            code: msg.processing_code.unwrap_or_default(),
            day: None,
        };
        self.deals.insert(key, deal);
    }

    fn answer(
        &mut self,
        key: Key,
        msg: &Canonical,
        conduct: Conduct,
        coverage: &mut Coverage,
    ) -> Vec<Saying> {
        let day = self.posting_day(coverage);
        let Some(deal) = self.deals.get_mut(&key) else { return vec![] };
        deal.day = Some(day);
        let mut answer = reply(msg, deal.class);
        answer.auth_id = deal.auth_id;
        answer.settlement_date = Some(day);
        if let Some(amount) = msg.amount.filter(|_| deal.class == ResponseClass::Partial) {
            answer.amount = Some(Amount::new(deal.approved, amount.currency));
        }
        if !self.honest && answer.amount.is_some() && self.dice.chance(manners::NO_CURRENCY) {
            coverage.fault(Fault::BankNoCurrency);
            answer.bare_amount = answer.amount.take().map(|amount| amount.minor);
        }
        if let Some(fault) = fault_of(conduct) {
            coverage.fault(fault);
        }
        match conduct {
            Conduct::Silent => return vec![],
            Conduct::Late | Conduct::LateDecline => return vec![self.late(answer)],
            Conduct::Twice => {
                let again = self.dice.millis(1, 30_000);
                return vec![
                    self.soon(answer.clone()),
                    (again, Frame::Say(Box::new(answer), Sealed::default())),
                ];
            }
            Conduct::Garbage => return vec![(self.pause(), Frame::Garbage(None))],
            Conduct::WrongAmount => {
                answer.bare_amount = None;
                answer.amount = msg.amount.map(|a| Amount::new(a.minor + 1, a.currency));
            }
            Conduct::UnlistedApproval => {
                let code = wire::code(ResponseClass::Unknown);
                answer.answer = Some(Answer::Given { class: ResponseClass::Unknown, code });
                if self.dice.chance(500) {
                    answer.auth_id = None;
                }
            }
            Conduct::WrongTerminal => answer.terminal = Some(wire::text("ELSEWHER")),
            Conduct::WrongStan => answer.stan = msg.stan.map(|s| (s + 400_000) % 999_999 + 1),
            Conduct::BadMac => answer.mac = MacCheck::Bad,
            _ if self.dice.chance(200) => {
                // Hosts leave fields out.
                answer.terminal = None;
                answer.kind = Kind::Transaction(TransactionType::Unstated);
            }
            _ => {}
        }
        vec![self.soon(answer)]
    }

    fn conduct(&mut self, msg: &Canonical) -> Conduct {
        use Conduct as C;
        let partial = if msg.accepts_partial { 60 } else { 8 };
        let above = if msg.accepts_partial { manners::ABOVE } else { 0 };
        let odd = [
            (620, C::Approve),
            (120, C::Decline),
            (partial, C::Partial),
            (25, C::Silent),
            (20, C::Deaf),
            (25, C::Late),
            (10, C::LateDecline),
            (25, C::Twice),
            (10, C::WrongAmount),
            (10, C::WrongTerminal),
            (10, C::WrongStan),
            (10, C::BadMac),
            (10, C::Garbage),
            (15, C::Refuse),
            (10, C::UnknownCode),
            (manners::UNLISTED, C::UnlistedApproval),
            (above, C::PartialAbove),
            (20, C::Retry),
        ];
        let well = [(800, C::Approve), (200, C::Decline)];
        let slow = [(300, C::Approve), (500, C::Late), (100, C::LateDecline), (100, C::Silent)];
        let silent = [(100, C::Approve), (500, C::Silent), (400, C::Deaf)];
        let table: &[(u64, Conduct)] = match self.mood {
            _ if self.honest => &well,
            Mood::Well => &well,
            Mood::Odd => &odd,
            Mood::Slow => &slow,
            Mood::Silent => &silent,
        };
        self.dice.weigh(table).unwrap_or(C::Approve)
    }

    fn class_of(&mut self, conduct: Conduct) -> ResponseClass {
        match conduct {
            Conduct::Decline | Conduct::LateDecline => {
                let all = [ResponseClass::Declined, ResponseClass::PickUp, ResponseClass::Refer];
                self.dice.pick(&all).unwrap_or(ResponseClass::Declined)
            }
            Conduct::Partial | Conduct::PartialAbove => ResponseClass::Partial,
            Conduct::Refuse => {
                let all = [ResponseClass::Format, ResponseClass::Mac, ResponseClass::SignOn];
                self.dice.pick(&all).unwrap_or(ResponseClass::Format)
            }
            Conduct::UnknownCode => ResponseClass::Unknown,
            Conduct::Retry => ResponseClass::Retry,
            _ => ResponseClass::Approved,
        }
    }

    fn pause(&mut self) -> Duration {
        if !self.honest && self.dice.chance(100) {
            self.dice.millis(200, 10_000)
        } else {
            self.dice.millis(1, 200)
        }
    }

    pub(super) fn soon(&mut self, msg: Canonical) -> Saying {
        (self.pause(), Frame::Say(Box::new(msg), Sealed::default()))
    }

    pub(super) fn late(&mut self, msg: Canonical) -> Saying {
        (self.dice.millis(12_000, 50_000), Frame::Say(Box::new(msg), Sealed::default()))
    }
}

fn fault_of(conduct: Conduct) -> Option<Fault> {
    Some(match conduct {
        Conduct::Silent => Fault::BankSilent,
        Conduct::Late | Conduct::LateDecline => Fault::BankLate,
        Conduct::Twice => Fault::DuplicatedFrame,
        Conduct::Garbage => Fault::BankGarbage,
        Conduct::WrongAmount => Fault::BankWrongAmount,
        Conduct::WrongTerminal => Fault::BankWrongTerminal,
        Conduct::WrongStan => Fault::BankWrongStan,
        Conduct::BadMac => Fault::BankBadMac,
        Conduct::Refuse => Fault::BankRefuses,
        Conduct::UnknownCode => Fault::BankUnknownCode,
        Conduct::Partial => Fault::BankPartial,
        Conduct::PartialAbove => Fault::BankPartialAbove,
        Conduct::UnlistedApproval => Fault::BankUnlistedApproval,
        Conduct::Deaf => Fault::BankDeaf,
        Conduct::Approve | Conduct::Decline | Conduct::Retry => return None,
    })
}

fn month_and_day(date: Day) -> Text<4> {
    wire::text(&format!("{:02}{:02}", date.month(), date.day()))
}

/// A question about the line.
fn question(function: NetworkFunction, stan: u32) -> Canonical {
    let mut msg = Canonical::new(Kind::NetworkManagement(function), Flow::Request);
    msg.stan = Some(stan);
    msg
}

/// The answer to a request, with everything the request said.
pub(super) fn reply(msg: &Canonical, class: ResponseClass) -> Canonical {
    let mut answer = msg.clone();
    answer.flow = msg.flow.answer().unwrap_or(Flow::Response);
    answer.repeat = false;
    answer.mti = Some(wire::mti(answer.kind, answer.flow, false));
    answer.answer = Some(Answer::Given { class, code: wire::code(class) });
    answer.track2 = None;
    answer.reason = None;
    answer.original = None;
    answer
}
