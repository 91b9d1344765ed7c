//! A model platform: asks, waits, repeats, reverses until acknowledged, and keeps a ledger of
//! what it asked and what it was told.
//!
//! Contract: it behaves as `docs/platform-contract.md` demands – no answer in time is settled by
//! a repeat or by a reversal, a reversal is sent until it is acknowledged – with the slips real
//! platforms make. It judges every answer against what it asked: an answer it cannot place, an
//! approval of something else or after a reversal are violations.

use super::coverage::{Coverage, Fault};
use super::dice::Dice;
use super::habits::Named;
use super::wire;
use pointsman::canonical::{Canonical, Flow, Kind, MacCheck, ResponseClass, TransactionType};
use pointsman::money::{Amount, Currency};
use pointsman::sensitive::Pan;
use pointsman::text::Text;
use pointsman::time::Wall;
use std::collections::BTreeMap;
use std::time::Duration;

/// Published test cards; those that begin with 62 are routed to `west`.
pub(super) const CARDS: [&str; 6] = [
    "4111111111111111",
    "5555555555554444",
    "4012888888881881",
    "5105105105105100",
    "6250946000000016",
    "6250947000000014",
];

/// Longer than the switch's budget and the way there and back.
pub(super) const PATIENCE: Duration = Duration::from_secs(36);
pub(super) const REVERSAL_PATIENCE: Duration = Duration::from_secs(15);

/// Where a request stands in the platform's books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// No answer yet.
    Waiting,
    /// Granted: goods were given out for this many minor units.
    Granted(u64),
    /// Not granted.
    Denied,
    /// Being reversed until that is acknowledged.
    Reversing,
    /// Reversed, and acknowledged.
    Reversed,
    /// Reversed down to so many minor units, and acknowledged.
    Reduced(u64),
}

/// One request in the platform's ledger.
#[derive(Debug, Clone)]
pub struct Ask {
    /// What was asked, as first sent.
    pub msg: Canonical,
    /// Where it stands.
    pub standing: Standing,
    /// `F38` of the approval it heard.
    pub auth_id: Option<Text<6>>,
    /// How often it was sent.
    pub sent: u32,
    /// Its reversal, once there is one.
    pub(super) reversal: Option<Canonical>,
    /// How that reversal names it.
    pub(super) named: Named,
    /// What that reversal leaves of it, where it leaves a part.
    pub(super) left: Option<u64>,
    /// It was never sent: the platform believes it was.
    pub(super) unheard: bool,
    /// Same name as another request: must not be granted.
    pub conflict: bool,
    /// It was reversed before its answer could be missed: the reversal names it in full, for it
    /// may overtake it.
    pub(super) hasty: bool,
    /// An advice that tells of a decline: no money moved.
    pub(super) declined: bool,
    /// What it completes, voids or refunds.
    pub(super) refers: Option<Text<12>>,
    /// And that did not stand when this was asked.
    pub(super) to_the_dead: bool,
}

impl Ask {
    /// What stands, signed, in minor units; the credit of a top-up also stands as a debit.
    pub fn effect(&self) -> i64 {
        match self.standing {
            _ if self.declined => 0,
            Standing::Granted(minor) | Standing::Reduced(minor) => {
                wire::sign(self.kind()) * wire::signed(minor)
            }
            _ => 0,
        }
    }

    /// How much was asked for, in minor units.
    pub fn asked(&self) -> u64 {
        self.msg.amount.map_or(0, |a| a.minor)
    }

    /// What was asked.
    pub fn kind(&self) -> TransactionType {
        self.msg.kind.transaction().unwrap_or(TransactionType::Unstated)
    }

    /// Whether its card is one of `west`.
    pub fn is_of_west(&self) -> bool {
        is_of_west(self.msg.pan.as_ref())
    }

    /// Whether its own reversal is in play.
    pub fn is_reversed(&self) -> bool {
        matches!(self.standing, Standing::Reversing | Standing::Reversed | Standing::Reduced(_))
    }
}

/// Whether this card is one of `west`.
pub(super) fn is_of_west(pan: Option<&Pan>) -> bool {
    let west = CARDS.iter().filter(|card| card.starts_with("62"));
    west.filter_map(|card| Pan::new(card.as_bytes()).ok()).any(|card| Some(&card) == pan)
}

/// Something the platform will do later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Look whether this request was answered.
    Look(Text<12>),
    /// Reverse this request whatever was answered.
    Reverse(Text<12>),
    /// Send the reversal again unless it was acknowledged.
    Insist(Text<12>),
    /// Repeat a request that was reversed and acknowledged.
    Slip(Text<12>),
    /// Ask for something else under the name of this request.
    Confuse(Text<12>),
    /// Complete, void, refund or take back what was granted, acknowledged or is over.
    Follow(Text<12>),
}

/// What comes of an event: messages to send now, things to do later.
#[derive(Debug, Default)]
pub struct Doing {
    /// To send, in order.
    pub send: Vec<Canonical>,
    /// To do after a pause.
    pub later: Vec<(Duration, Act)>,
}

/// One platform.
#[derive(Debug)]
pub struct Platform {
    number: u32,
    /// Its ledger, by reference.
    pub asks: BTreeMap<Text<12>, Ask>,
    next_stan: u32,
    pub(super) next_reference: u32,
    /// Whether it makes mistakes.
    pub honest: bool,
    pub(super) dice: Dice,
}

/// An answer that should not have been.
pub type Wrong = (&'static str, String);

impl Platform {
    /// Platform `number` with an empty ledger.
    pub fn new(number: u32, dice: Dice) -> Self {
        let asks = BTreeMap::new();
        Self { number, asks, next_stan: 500_000, next_reference: 1, honest: false, dice }
    }

    /// A new request; `wall` is the true time.
    pub fn ask(&mut self, wall: Wall, coverage: &mut Coverage) -> Doing {
        let mut msg = self.new_request(wall);
        coverage.asked += 1;
        let rrn = msg.rrn.unwrap_or_default();
        let mut doing = Doing::default();
        if self.dice.chance(12) {
            coverage.fault(Fault::PlatformBadMac);
            msg.mac = MacCheck::Bad;
        }
        self.ask_for_cash(&mut msg, coverage);
        let declined = self.declined(&mut msg, coverage);
        self.enter(&msg, false);
        if let Some(ask) = self.asks.get_mut(&rrn) {
            ask.declined = declined;
        }
        doing.later.push((PATIENCE, Act::Look(rrn)));
        if self.dice.chance(8) {
            // Lost inside the platform.
            if let Some(ask) = self.asks.get_mut(&rrn) {
                ask.unheard = true;
            }
            return doing;
        }
        doing.send.push(msg.clone());
        if msg.mac == MacCheck::Bad {
            return doing;
        }
        if self.dice.chance(80) {
            coverage.fault(Fault::PlatformImpatient);
            let far = self.dice.pick(&[6, 12_000, 27_000, 27_000]).unwrap_or(6);
            doing.later.push((self.dice.millis(0, far), Act::Reverse(rrn)));
        }
        if self.dice.chance(40) {
            coverage.fault(Fault::PlatformRepeat);
            let again =
                if self.dice.chance(800) { self.again(&msg, wall, coverage) } else { msg.clone() };
            self.bump(rrn);
            doing.send.push(again);
        }
        self.twin(&msg, &mut doing, coverage);
        stamp(&mut doing);
        doing
    }

    /// Hears an answer; what it does about it, or what is wrong with it.
    pub fn hear(&mut self, msg: &Canonical, coverage: &mut Coverage) -> Result<Doing, Wrong> {
        let class = wire::class(msg.answer);
        let rrn = msg.rrn.unwrap_or_default();
        let Some(ask) = self.asks.get_mut(&rrn) else {
            return Err(("I7", format!("an answer to no request: {}", wire::brief(msg))));
        };
        match msg.kind {
            Kind::Reversal(_) => {
                let acknowledged = class.is_approval();
                if acknowledged && ask.standing == Standing::Reversing {
                    ask.standing = ask.left.map_or(Standing::Reversed, Standing::Reduced);
                    return Ok(self.after_reversal(rrn));
                }
                Ok(Doing::default())
            }
            Kind::Transaction(_) => self.answered(rrn, msg, class, coverage),
            _ => Ok(Doing::default()),
        }
    }

    /// The time for something has come.
    pub fn act(&mut self, act: Act, wall: Wall, coverage: &mut Coverage) -> Doing {
        let mut doing = Doing::default();
        match act {
            Act::Look(rrn) => {
                if self.asks.get(&rrn).is_some_and(|a| a.standing == Standing::Waiting) {
                    self.unanswered(rrn, wall, &mut doing, coverage);
                }
            }
            Act::Reverse(rrn) => {
                if let Some(ask) = self.asks.get_mut(&rrn).filter(|ask| !ask.is_reversed()) {
                    ask.hasty = ask.standing == Standing::Waiting;
                    self.reverse(rrn, wall, &mut doing, coverage);
                }
            }
            Act::Insist(rrn) => self.insist(rrn, wall, &mut doing, coverage),
            Act::Follow(rrn) => self.follow(rrn, wall, &mut doing, coverage),
            Act::Confuse(rrn) => self.confuse(rrn, &mut doing, coverage),
            Act::Slip(rrn) => {
                if let Some(ask) = self.asks.get_mut(&rrn) {
                    coverage.fault(Fault::PlatformRepeatsReversed);
                    ask.sent += 1;
                    let mut again = ask.msg.clone();
                    again.repeat = true;
                    doing.send.push(again);
                }
            }
        }
        stamp(&mut doing);
        doing
    }

    /// Whether nothing is waited for any more.
    pub fn is_done(&self) -> bool {
        !self.asks.values().any(|a| matches!(a.standing, Standing::Waiting | Standing::Reversing))
    }

    fn unanswered(
        &mut self,
        rrn: Text<12>,
        wall: Wall,
        doing: &mut Doing,
        coverage: &mut Coverage,
    ) {
        let Some(ask) = self.asks.get(&rrn) else { return };
        let advice = ask.msg.flow == Flow::Advice;
        let first = ask.msg.clone();
        if first.mac == MacCheck::Bad || (ask.conflict && self.dice.chance(500)) {
            // It was refused, and the refusal was lost: it knows that nothing came of it.
            if let Some(ask) = self.asks.get_mut(&rrn) {
                ask.standing = Standing::Denied;
            }
            return;
        }
        if advice || (ask.sent < 3 && self.dice.chance(400)) {
            coverage.fault(Fault::PlatformRepeat);
            let again = if ask.conflict {
                Canonical { repeat: true, ..first }
            } else {
                self.again(&first, wall, coverage)
            };
            self.bump(rrn);
            doing.send.push(again);
            doing.later.push((PATIENCE, Act::Look(rrn)));
        } else {
            self.reverse(rrn, wall, doing, coverage);
        }
    }

    fn after_reversal(&mut self, rrn: Text<12>) -> Doing {
        let mut doing = Doing::default();
        let Some(ask) = self.asks.get(&rrn) else { return doing };
        let slips = ask.named == Named::Well && ask.msg.flow == Flow::Request;
        if slips && !self.honest && self.dice.chance(80) {
            doing.later.push((self.dice.millis(10, 60_000), Act::Slip(rrn)));
        }
        self.plan_dead_refund(rrn, &mut doing);
        doing
    }

    fn answered(
        &mut self,
        rrn: Text<12>,
        msg: &Canonical,
        class: ResponseClass,
        coverage: &mut Coverage,
    ) -> Result<Doing, Wrong> {
        let Some(ask) = self.asks.get_mut(&rrn) else { return Ok(Doing::default()) };
        if msg.stan != ask.msg.stan || msg.terminal != ask.msg.terminal {
            return Err(("I7", format!("an answer with others' keys: {}", wire::brief(msg))));
        }
        if !class.is_approval() {
            if let Some(wrong) = self.declined_for_nothing(rrn, msg) {
                return Err(wrong);
            }
            let Some(ask) = self.asks.get_mut(&rrn) else { return Ok(Doing::default()) };
            let mut doing = Doing::default();
            // An advice that is told to come again is not taken, and comes again.
            let comes_again = ask.msg.flow == Flow::Advice && class == ResponseClass::Retry;
            if ask.standing == Standing::Waiting && !comes_again {
                ask.standing = Standing::Denied;
                self.plan_dead_refund(rrn, &mut doing);
            }
            return Ok(doing);
        }
        if ask.conflict {
            return Err(("I7", format!("one name, two requests, granted: {}", wire::brief(msg))));
        }
        let asked = ask.msg.amount.map_or(0, |a| a.minor);
        let minor = match (class, ask.msg.flow) {
            (ResponseClass::Partial, _) => msg.amount.map_or(0, |a| a.minor),
            _ => asked,
        };
        let told = msg.amount.map_or(asked, |a| a.minor);
        if told != minor || minor > asked || (minor < asked && !ask.msg.accepts_partial) {
            return Err(("I2", format!("granted {told} of {asked}: {}", wire::brief(msg))));
        }
        let mut doing = Doing::default();
        match ask.standing {
            Standing::Waiting => {
                ask.standing = Standing::Granted(minor);
                ask.auth_id = msg.auth_id;
                if ask.msg.flow != Flow::Request {
                    self.plan_follow_up(rrn, &mut doing);
                    return Ok(doing);
                }
                if self.dice.chance(30) && !self.honest {
                    doing.later.push((self.dice.millis(1, 60_000), Act::Confuse(rrn)));
                }
                if self.dice.chance(60) {
                    coverage.fault(Fault::PlatformCancel);
                    let far = if self.dice.chance(200) { 1_000_000 } else { 60_000 };
                    doing.later.push((self.dice.millis(1, far), Act::Reverse(rrn)));
                } else {
                    self.plan_follow_up(rrn, &mut doing);
                }
            }
            Standing::Granted(before) if before != minor || ask.auth_id != msg.auth_id => {
                return Err(("I2", format!("granted twice, unlike: {}", wire::brief(msg))));
            }
            Standing::Denied => {
                return Err(("I2", format!("granted after a decline: {}", wire::brief(msg))));
            }
            _ => {}
        }
        Ok(doing)
    }

    fn new_request(&mut self, wall: Wall) -> Canonical {
        let (kind, flow) = self.kind();
        let mut msg = Canonical::new(Kind::Transaction(kind), flow);
        let card = self.dice.pick(&CARDS).unwrap_or(CARDS[0]);
        msg.pan = Pan::new(card.as_bytes()).ok();
        msg.processing_code = Some(wire::text(match kind {
            TransactionType::Refund | TransactionType::Void => "200000",
            TransactionType::Balance => "310000",
            _ => "000000",
        }));
        let minor = self.dice.between(100, 99_999);
        msg.amount = Currency::new(156).map(|currency| Amount::new(minor, currency));
        msg.transmission = Some(wire::f7(wall));
        msg.stan = Some(self.stan());
        msg.expiry = Some(wire::text("3012"));
        msg.acquirer = Some(wire::text(&format!("{}", 4_000 + self.number)));
        msg.rrn = Some(self.reference());
        let terminal = self.dice.between(1, 4);
        msg.terminal = Some(wire::text(&format!("P{}TERM{terminal:02}", self.number)));
        msg.merchant = Some(wire::text(&format!("MERCHANT{}000001", self.number)));
        msg.accepts_partial = self.dice.chance(400);
        msg
    }

    fn kind(&mut self) -> (TransactionType, Flow) {
        let table = [
            (600, (TransactionType::Purchase, Flow::Request)),
            (100, (TransactionType::PreAuthorization, Flow::Request)),
            (60, (TransactionType::Completion, Flow::Request)),
            (60, (TransactionType::Purchase, Flow::Advice)),
            (60, (TransactionType::Refund, Flow::Request)),
            (30, (TransactionType::Void, Flow::Request)),
            (60, (TransactionType::Balance, Flow::Request)),
            (90, (TransactionType::TopUp, Flow::Request)),
        ];
        self.dice.weigh(&table).unwrap_or((TransactionType::Purchase, Flow::Request))
    }

    pub(super) fn enter(&mut self, msg: &Canonical, conflict: bool) {
        let ask = Ask {
            msg: msg.clone(),
            standing: Standing::Waiting,
            auth_id: None,
            sent: 1,
            unheard: false,
            reversal: None,
            named: Named::Well,
            left: None,
            conflict,
            hasty: false,
            declined: false,
            refers: None,
            to_the_dead: false,
        };
        self.asks.insert(msg.rrn.unwrap_or_default(), ask);
    }

    fn bump(&mut self, rrn: Text<12>) {
        if let Some(ask) = self.asks.get_mut(&rrn) {
            ask.sent += 1;
        }
    }

    pub(super) fn stan(&mut self) -> u32 {
        self.next_stan = self.next_stan % 999_999 + 1;
        self.next_stan
    }

    pub(super) fn reference(&mut self) -> Text<12> {
        self.next_reference += 1;
        wire::text(&format!("{:02}{:010}", self.number, self.next_reference))
    }
}

/// Writes the MTI into everything that is about to be sent.
pub(super) fn stamp(doing: &mut Doing) {
    for msg in &mut doing.send {
        msg.mti = Some(wire::mti(msg.kind, msg.flow, msg.repeat));
    }
}
