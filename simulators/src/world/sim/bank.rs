//! A model bank: hears requests, keeps a ledger of effects of its own, and answers as its mood
//! has it.
//!
//! Contract: what it did to money stands in its ledger whatever it says about it. Executing is
//! idempotent by the request's keys, reversing likewise. An original that was overtaken by its
//! reversal is executed: it remembers no reversal of what it does not know.

use super::coverage::{Coverage, Fault};
use super::dice::Dice;
use super::keys::{Handed, Vault};
use super::wire::{self, Frame, Sealed};
use pointsman::canonical::{
    Answer, Canonical, Flow, Kind, MacCheck, NetworkFunction, ResponseClass, TransactionType,
};
use pointsman::money::Amount;
use pointsman::text::Text;
use std::collections::BTreeMap;
use std::time::Duration;

/// How a bank calls a request: STAN, `F7`, terminal. One that keeps STANs in reversals calls it
/// by STAN and terminal alone.
type Key = (u32, Text<10>, Text<16>);

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
    /// What it answered.
    pub class: ResponseClass,
    /// Whether it was taken back.
    pub reversed: bool,
    /// Reversals for it came before it did.
    pub overtaken: bool,
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
    Retry,
}

/// One bank.
#[derive(Debug)]
pub struct Bank {
    /// Whether its reversals keep the STAN of their original.
    same_stan: bool,
    deals: BTreeMap<Key, Deal>,
    /// Reversals of what it does not know.
    unknown: BTreeMap<Key, u32>,
    /// What it hands out at sign-ons, if it does.
    pub vault: Option<Vault>,
    /// Its mood.
    pub mood: Mood,
    /// Whether it makes mistakes at all.
    pub honest: bool,
    next_auth: u32,
    date: u32,
    dice: Dice,
}

impl Bank {
    /// A bank with an empty ledger; `same_stan`: its reversals keep the STAN.
    pub fn new(same_stan: bool, dice: Dice) -> Self {
        let (deals, unknown) = (BTreeMap::new(), BTreeMap::new());
        let (mood, next_auth, date) = (Mood::Odd, 0, 1231);
        // The one that speaks like a UnionPay host hands out keys.
        let vault = same_stan.then(Vault::default);
        Self { same_stan, deals, unknown, vault, mood, honest: false, next_auth, date, dice }
    }

    /// The ledger.
    pub fn deals(&self) -> impl Iterator<Item = &Deal> {
        self.deals.values()
    }

    /// Hears one message; what it will say to it.
    pub fn hear(&mut self, msg: &Canonical, coverage: &mut Coverage) -> Vec<Saying> {
        match (msg.kind, msg.flow) {
            (Kind::NetworkManagement(_), Flow::Request | Flow::Advice) => {
                self.network(msg, coverage)
            }
            (Kind::Transaction(_), Flow::Request) => self.request(msg, coverage),
            (Kind::Transaction(_), Flow::Advice) => self.advice(msg, coverage),
            (Kind::Reversal(_), _) => self.reversal(msg, coverage),
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

    /// A question of its own to the switch: echo or a new business date.
    pub fn ask(&mut self, stan: u32, coverage: &mut Coverage) -> Frame {
        let cutover = self.dice.chance(400);
        let function = if cutover { NetworkFunction::Cutover } else { NetworkFunction::Echo };
        let mut msg = Canonical::new(Kind::NetworkManagement(function), Flow::Request);
        msg.stan = Some(stan);
        if cutover {
            coverage.fault(Fault::BankCutover);
            self.date = if self.date == 1231 { 101 } else { self.date + 1 };
            msg.settlement_date = Some(wire::text(&format!("{:04}", self.date)));
        }
        Frame::Say(Box::new(msg), Sealed::default())
    }

    fn key(&self, stan: u32, at: Option<Text<10>>, terminal: Option<Text<16>>) -> Key {
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
            _ => asked,
        };
        let class = self.class_of(conduct);
        self.execute(key, msg, approved, class, coverage);
        self.answer(key, msg, conduct, coverage)
    }

    fn execute(
        &mut self,
        key: Key,
        msg: &Canonical,
        approved: u64,
        class: ResponseClass,
        coverage: &mut Coverage,
    ) {
        let kind = msg.kind.transaction().unwrap_or(TransactionType::Unstated);
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
        let Some(deal) = self.deals.get(&key) else { return vec![] };
        let mut answer = reply(msg, deal.class);
        answer.auth_id = deal.auth_id;
        answer.settlement_date = Some(wire::text(&format!("{:04}", self.date)));
        if let Some(amount) = msg.amount.filter(|_| deal.class == ResponseClass::Partial) {
            answer.amount = Some(Amount::new(deal.approved, amount.currency));
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
                answer.amount = msg.amount.map(|a| Amount::new(a.minor + 1, a.currency));
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

    fn advice(&mut self, msg: &Canonical, coverage: &mut Coverage) -> Vec<Saying> {
        let key = self.key(msg.stan.unwrap_or_default(), msg.transmission, msg.terminal);
        if !self.honest && self.dice.chance(150) {
            coverage.fault(Fault::BankDeaf);
            return vec![];
        }
        if !self.deals.contains_key(&key) {
            let amount = msg.amount.map_or(0, |a| a.minor);
            self.execute(key, msg, amount, ResponseClass::Approved, coverage);
        }
        self.acknowledge(msg, ResponseClass::Approved, coverage)
    }

    fn reversal(&mut self, msg: &Canonical, coverage: &mut Coverage) -> Vec<Saying> {
        if !self.honest && self.dice.chance(100) {
            coverage.fault(Fault::BankDeaf);
            return vec![];
        }
        if !self.honest && self.dice.chance(80) {
            let class = if self.dice.chance(50) {
                coverage.fault(Fault::BankPoison);
                ResponseClass::Declined
            } else {
                ResponseClass::Retry
            };
            return vec![self.soon(reply(msg, class))];
        }
        let original = msg.original.as_ref();
        let named = original.and_then(|o| o.stan).filter(|_| !self.same_stan);
        let stan = named.or(msg.stan).unwrap_or_default();
        let at = original.and_then(|o| o.transmission);
        let key = self.key(stan, at, msg.terminal);
        let class = match self.deals.get_mut(&key) {
            None => {
                *self.unknown.entry(key).or_default() += 1;
                ResponseClass::NotFound
            }
            Some(deal) => take_back(deal, msg.replacement_amount),
        };
        self.acknowledge(msg, class, coverage)
    }

    /// Answers what is owed: in time, late, twice or not at all.
    fn acknowledge(
        &mut self,
        msg: &Canonical,
        class: ResponseClass,
        coverage: &mut Coverage,
    ) -> Vec<Saying> {
        let answer = reply(msg, class);
        if self.honest {
            return vec![self.soon(answer)];
        }
        match self.dice.below(20) {
            0 | 1 => {
                coverage.fault(Fault::BankSilent);
                vec![]
            }
            2 => {
                coverage.fault(Fault::BankLate);
                vec![self.late(answer)]
            }
            3 => {
                coverage.fault(Fault::DuplicatedFrame);
                vec![self.soon(answer.clone()), self.late(answer)]
            }
            _ => vec![self.soon(answer)],
        }
    }

    fn conduct(&mut self, msg: &Canonical) -> Conduct {
        use Conduct as C;
        let partial = if msg.accepts_partial { 60 } else { 8 };
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
            Conduct::Partial => ResponseClass::Partial,
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

    fn soon(&mut self, msg: Canonical) -> Saying {
        (self.pause(), Frame::Say(Box::new(msg), Sealed::default()))
    }

    fn late(&mut self, msg: Canonical) -> Saying {
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
        Conduct::Deaf => Fault::BankDeaf,
        Conduct::Approve | Conduct::Decline | Conduct::Retry => return None,
    })
}

/// Reverses a deal, in whole or down to `left`; what the bank says to it.
fn take_back(deal: &mut Deal, left: Option<Amount>) -> ResponseClass {
    if deal.reversed {
        return ResponseClass::AlreadyReversed;
    }
    deal.reversed = true;
    let left = left.map_or(0, |a| a.minor.min(deal.approved));
    deal.effect = wire::sign(deal.kind) * wire::signed(left);
    ResponseClass::Approved
}

/// The answer to a request, with everything the request said.
fn reply(msg: &Canonical, class: ResponseClass) -> Canonical {
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
