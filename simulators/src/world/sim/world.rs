//! One simulated world: a switch, two banks, two platforms, a network, a disk, one clock.
//!
//! Contract: everything that happens is an event at an instant; [`World::step`] takes the
//! earliest, lets the switch have its turn, and goes on. Nothing reads a clock or a random
//! number from outside: one seed, one story.

use super::bank::Bank;
use super::coverage::Coverage;
use super::dice::Dice;
use super::keys::Ring;
use super::machine::{Disk, Ended, Machine};
use super::net::Net;
use super::pen::Pen;
use super::plant::Planted;
use super::platform::{Act, Platform};
use super::setting;
use super::story::Story;
use super::strikes::Strike;
use super::wire::{Frame, Sealed};
use super::witness::{Reference, Violation, Witness, skewed};
use pointsman::limits::PAGE_ITEMS_MAX;
use pointsman::switch::desk::Listing;
use pointsman::switch::ids::SessionId;
use pointsman::time::{Instant, Now, Wall};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Something that will happen.
#[derive(Debug)]
pub enum Happens {
    /// A platform has a new request.
    Ask(usize),
    /// A platform does what it planned.
    Act(usize, Act),
    /// A bank says what it has made up its mind to say; the line it was asked on.
    BankSays(usize, Frame),
    /// A bank has a question of its own.
    BankAsks(usize),
    /// A frame arrives at the switch's end of a connection.
    ArriveIn(u64, Frame),
    /// A frame arrives at the peer's end.
    ArriveOut(u64, Frame),
    /// The switch's end learns that a connection is over.
    LearnIn(u64),
    /// The peer's end learns it.
    LearnOut(u64),
    /// A line tries to connect.
    Dial(usize),
    /// A session writes.
    Take(u32, SessionId),
    /// The driver wakes up.
    Turn(u32),
    /// A sync is done.
    Commit(u32),
    /// A fault.
    Strike(Strike),
    /// The process starts again.
    Restart,
}

/// The world.
#[derive(Debug)]
pub struct World {
    /// The seed it came from.
    pub seed: u64,
    pub(super) dice: Dice,
    pub(super) now: Instant,
    /// True time at the beginning.
    pub(super) base: Wall,
    /// How far the switch's wall clock is off, in milliseconds.
    pub(super) skew_ms: i64,
    events: BTreeMap<(Instant, u64), Happens>,
    next_event: u64,
    /// The running process, if it runs.
    pub(super) machine: Option<Machine>,
    /// Which run of the process this is.
    pub(super) life: u32,
    turn_planned: bool,
    /// When the driver had its last turn.
    turned: Option<Instant>,
    pub(super) disk: Disk,
    pub(super) net: Net,
    /// The banks.
    pub banks: Vec<Bank>,
    /// The keys of the running process for the bank that hands them out.
    pub(super) ring: Ring,
    pen: Pen,
    /// The platforms.
    pub platforms: Vec<Platform>,
    /// Who sees it all.
    pub witness: Witness,
    /// Requests still to be asked.
    pub(super) to_ask: u32,
    /// Until when the disk is slow.
    pub(super) slow_until: Instant,
    /// The planted bug, if any.
    pub(super) planted: Planted,
    /// What power a crash that is under way has: whether unsynced writes are lost.
    pub(super) power_cut: bool,
    pub(super) healed: bool,
    /// References an operator is asked to look at, as the desk shows them at the end.
    pub(super) desk: BTreeSet<Reference>,
    /// Items that name nothing anybody asked for.
    pub(super) strange: Vec<String>,
}

/// How a world ended.
#[derive(Debug)]
pub struct Verdict {
    /// The seed.
    pub seed: u64,
    /// Fingerprint of the whole story.
    pub hash: u64,
    /// What went wrong.
    pub violations: Vec<Violation>,
    /// What was met.
    pub coverage: Coverage,
    /// The story, if it was kept.
    pub story: Vec<String>,
}

/// Events after which a world that has not come to rest is broken.
const EVENTS_MAX: u32 = 400_000;
/// What a turn for nothing takes.
const SPIN: Duration = Duration::from_millis(5);
/// Simulated time within which everything owed must be settled once all is well.
const DRAIN_MAX: Duration = Duration::from_secs(4 * 3_600);
/// Least transactions of a world.
const ASKS: (u64, u64) = (310, 350);

impl World {
    /// The world of this seed. `keep`: keep the story's lines.
    pub fn new(seed: u64, planted: Planted, keep: bool) -> Self {
        let mut dice = Dice::new(seed);
        let numbers = 0..setting::PLATFORMS as u32;
        let platforms = numbers.map(|number| Platform::new(number, dice.fork())).collect();
        let to_ask = dice.between(ASKS.0, ASKS.1) as u32;
        // Half of the worlds live through the end of a year.
        let base = if dice.chance(500) { 1_798_760_700_000 } else { 1_782_000_000_000 };
        let day = Wall::from_millis(base).utc().date();
        let banks = 0..setting::BANKS.len();
        let banks = banks.map(|at| Bank::new(at == 1, day, dice.fork())).collect();
        let disk = Disk::new(dice.roll());
        Self {
            seed,
            now: Instant::default(),
            base: Wall::from_millis(base),
            skew_ms: 0,
            events: BTreeMap::new(),
            next_event: 0,
            machine: None,
            life: 0,
            turn_planned: false,
            turned: None,
            disk,
            net: Net::default(),
            banks,
            ring: Ring::new(planted),
            pen: Pen::default(),
            platforms,
            witness: Witness::new(Story::new(keep)),
            to_ask,
            slow_until: Instant::default(),
            planted,
            power_cut: false,
            healed: false,
            desk: BTreeSet::new(),
            strange: vec![],
            dice,
        }
    }

    /// Lives through both phases and judges.
    pub fn run(mut self) -> Verdict {
        self.plan();
        let mut count = 0;
        while !self.safety_over() && count < EVENTS_MAX && self.step() {
            count += 1;
        }
        self.heal();
        let until = self.now.after(DRAIN_MAX);
        let mut rest = None;
        while self.now < until && count < EVENTS_MAX && self.step() {
            count += 1;
            rest = if self.is_settled() { rest.or(Some(self.now)) } else { None };
            // At rest for a while: nothing that was on its way changed that.
            if rest.is_some_and(|since| self.now.since(since) > 2 * setting::LIFETIME) {
                break;
            }
        }
        if rest.is_none() {
            self.blame_unsettled();
        }
        self.look_at_the_desk();
        self.read_back();
        self.join();
        let (seed, coverage) = (self.seed, self.take_coverage());
        let Witness { story, violations, .. } = self.witness;
        Verdict { seed, hash: story.hash(), violations, coverage, story: story.into_lines() }
    }

    /// What an operator sees.
    fn look_at_the_desk(&mut self) {
        let Some(machine) = &self.machine else { return };
        let mut page = Listing { attention: true, ..Listing::all(PAGE_ITEMS_MAX) };
        loop {
            let items = machine.switch().desk(&page);
            let Some(last) = items.last() else { return };
            page.after = last.item;
            for item in &items {
                match self.witness.reference_of(item) {
                    Some(rrn) => _ = self.desk.insert(rrn),
                    None => self.strange.push(format!("{item:?}")),
                }
            }
        }
    }

    fn take_coverage(&mut self) -> Coverage {
        let mut coverage = std::mem::take(&mut self.witness.coverage);
        coverage.millis = self.now.nanos() / 1_000_000;
        coverage.crashes = u64::from(self.life.saturating_sub(1));
        coverage
    }

    fn safety_over(&self) -> bool {
        let last = self.events.values().any(|e| matches!(e, Happens::Strike(_) | Happens::Ask(_)));
        !last && self.machine.is_some()
    }

    /// What the switch is told of time.
    pub(super) fn now(&self) -> Now {
        Now { mono: self.now, wall: skewed(self.base, self.now, self.skew_ms) }
    }

    /// True time.
    pub(super) fn wall(&self) -> Wall {
        skewed(self.base, self.now, 0)
    }

    /// Something will happen after a pause.
    pub(super) fn later(&mut self, pause: Duration, what: Happens) {
        self.next_event += 1;
        self.events.insert((self.now.after(pause), self.next_event), what);
    }

    /// The driver will wake up soon.
    pub(super) fn wake(&mut self) {
        if !self.turn_planned && self.machine.is_some() {
            self.turn_planned = true;
            let pause = Duration::from_micros(self.dice.below(900));
            self.later(pause, Happens::Turn(self.life));
        }
    }

    /// One event; false when there is none.
    pub fn step(&mut self) -> bool {
        let event = self.events.first_key_value().map(|((at, _), _)| *at);
        let due = self.machine.as_ref().and_then(Machine::deadline);
        match (event, due) {
            (None, None) => return false,
            (Some(at), due) if due.is_none_or(|due| at <= due) => {
                self.now = at.max(self.now);
                if let Some((_, what)) = self.events.pop_first() {
                    self.happen(what);
                }
            }
            (_, due) => {
                // A driver that wakes up for nothing goes in circles, but time passes.
                let again = self.turned == Some(self.now) && due <= Some(self.now);
                let least = if again { self.now.after(SPIN) } else { self.now };
                self.now = due.unwrap_or_default().max(least);
                self.turn();
            }
        }
        true
    }

    fn happen(&mut self, what: Happens) {
        match what {
            Happens::Ask(platform) => self.ask(platform),
            Happens::Act(platform, act) => self.act(platform, act),
            Happens::BankSays(line, frame) => self.bank_says(line, frame),
            Happens::BankAsks(bank) => self.bank_asks(bank),
            Happens::ArriveIn(conn, frame) => self.arrive_in(conn, frame),
            Happens::ArriveOut(conn, frame) => self.arrive_out(conn, frame),
            Happens::LearnIn(conn) => self.learn_in(conn),
            Happens::LearnOut(conn) => self.learn_out(conn),
            Happens::Dial(line) => self.dial(line),
            Happens::Take(life, session) if life == self.life => self.take(session),
            Happens::Turn(life) if life == self.life => {
                self.turn_planned = false;
                self.turn();
            }
            Happens::Commit(life) if life == self.life => self.commit(),
            Happens::Strike(strike) => self.strike(strike),
            Happens::Restart => self.restart(),
            Happens::Take(..) | Happens::Turn(_) | Happens::Commit(_) => {}
        }
    }

    /// One turn of the driver.
    pub(super) fn turn(&mut self) {
        let now = self.now();
        self.turned = Some(self.now);
        let Some(machine) = &mut self.machine else { return };
        let wishes = machine.turn(now, &mut self.dice, &mut self.witness);
        self.witness.judge_overdue(now.mono);
        match wishes {
            Err(ended) => self.ended(ended),
            Ok(wishes) => {
                for session in wishes.take {
                    let mut stall = self.net.stall(session.0, self.now);
                    if !stall.is_zero() && self.dice.chance(400) {
                        stall = self.until_limit(session).unwrap_or(stall);
                    }
                    let pause = stall.max(Duration::from_micros(self.dice.below(300)));
                    self.later(pause, Happens::Take(self.life, session));
                }
                if wishes.commit {
                    let pause = self.sync_time();
                    self.later(pause, Happens::Commit(self.life));
                }
            }
        }
    }

    /// How long until just before a frame of this session may not leave any more.
    fn until_limit(&self, session: SessionId) -> Option<Duration> {
        let limit = self.witness.next_limit(session)?;
        Some(limit.since(self.now).saturating_sub(Duration::from_micros(300)))
    }

    fn sync_time(&mut self) -> Duration {
        if self.now < self.slow_until {
            self.dice.millis(500, 5_000)
        } else {
            Duration::from_micros(self.dice.between(80, 2_500))
        }
    }

    fn commit(&mut self) {
        let now = self.now();
        let Some(machine) = &mut self.machine else { return };
        match machine.end_commit(now, &mut self.witness) {
            Err(ended) => self.ended(ended),
            Ok(_) => self.wake(),
        }
    }

    fn take(&mut self, session: SessionId) {
        let now = self.now();
        let Some(machine) = &mut self.machine else { return };
        let spelled = self.net.bank(session.0) == Some(setting::SPELLED_BANK);
        let pen = spelled.then_some(&mut self.pen);
        let taken = match machine.take(now, session, &mut self.dice, pen) {
            Ok(taken) => taken,
            Err(ended) => return self.ended(ended),
        };
        for send in taken.sent {
            self.witness.leaves(now.mono, &send);
            let keyed = self.net.bank(session.0) == Some(setting::KEYED_BANK);
            let sealed = if keyed {
                self.ring.seal(now.mono, session, &send.msg)
            } else {
                Sealed::default()
            };
            self.send_out(session.0, Frame::Say(send.msg, sealed));
        }
        if taken.end {
            self.close_in(session.0);
        }
        self.wake();
    }

    /// A new run has no turn planned yet.
    pub(super) fn forget_turn(&mut self) {
        self.turn_planned = false;
    }

    pub(super) fn ended(&mut self, ended: Ended) {
        self.witness.story.tell(self.now, format_args!("the process ended: {ended:?}"));
        self.crash();
    }
}
