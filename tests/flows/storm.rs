//! Weather: random requests, answers, losses, crashes and time, then calm – and the books agree.
//!
//! Contract: one seed is one story, the same every time. While it storms: no panic, nothing
//! impossible, records without gaps, every state restored from its checkpoint and from its
//! records alike. In the calm everything owed is paid, every frame accounted for, the auditor
//! is content, and banks and platform agree to the last cent.

#[path = "storm_peers.rs"]
mod storm_peers;

use super::setting::{Options, policy};
use pointsman::canonical::{Answer, Canonical, Flow, Kind};
use pointsman::meaning::ResponseClass;
use pointsman::switch::audit::Auditor;
use pointsman::switch::ids::{BankId, LineId, PlatformId, RecordNo, SessionId};
use pointsman::switch::input::{Input, Unsent};
use pointsman::switch::library;
use pointsman::switch::output::{Event, Output, RecallKey, Send};
use pointsman::switch::policy::Policy;
use pointsman::switch::record::{Leg, Record};
use pointsman::switch::{Snapshot, Switch};
use pointsman::text::Text;
use pointsman::time::{Instant, Now, Wall};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// What a bank did about one original: {line's bank, STAN, F7} → amount.
#[derive(Default)]
struct Books {
    effects: BTreeMap<(u16, u32, String), u64>,
    seen: BTreeMap<(u16, u32, String), bool>,
}

/// What the platform knows of one request: STAN → amount granted.
#[derive(Default)]
struct Wishes {
    granted: BTreeMap<u32, u64>,
    told: BTreeSet<u32>,
    reversed: BTreeSet<u32>,
    asked: BTreeMap<u32, (u64, &'static str)>,
}

struct World {
    rng: u64,
    policy: Arc<Policy>,
    switch: Switch,
    now: Instant,
    journal: Vec<Record>,
    durable: usize,
    held: Vec<Send>,
    sessions: BTreeMap<u64, u16>,
    last_session: u64,
    /// Line, earliest arrival, message.
    to_bank: Vec<(u16, Instant, Canonical)>,
    /// Steps for which no bank takes anything.
    asleep: u64,
    calm: bool,
    to_switch: Vec<(u16, Canonical)>,
    books: Books,
    wishes: Wishes,
    next_stan: u32,
    /// Taken and not looked at yet, with the bytes of that moment.
    snapshot: Option<(Snapshot, Vec<u8>)>,
}

const PANS: [&str; 3] = ["4111111111111111", "5555555555554444", "6250946000000016"];

/// All bytes of a snapshot's checkpoint.
fn bytes_of(snapshot: &Snapshot) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Ok(()) = snapshot.encode::<Infallible>(&mut |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    });
    bytes
}

impl World {
    fn new(seed: u64) -> Self {
        let options = Options("window=3 slots=3 remember=600");
        let policy = Arc::new(policy(&options));
        let mut world = Self {
            rng: seed,
            switch: Switch::new(Arc::clone(&policy), seed),
            policy,
            now: Instant::default(),
            journal: vec![],
            durable: 0,
            held: vec![],
            sessions: BTreeMap::new(),
            last_session: 0,
            to_bank: vec![],
            asleep: 0,
            calm: false,
            to_switch: vec![],
            books: Books::default(),
            wishes: Wishes::default(),
            next_stan: 1,
            snapshot: None,
        };
        world.switch.start(world.stamp());
        world.drain();
        world
    }

    fn below(&mut self, n: u64) -> u64 {
        // SplitMix64.
        self.rng = self.rng.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.rng;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }

    fn stamp(&self) -> Now {
        let millis = 1_795_305_600_000 + (self.now.nanos() / 1_000_000) as i64;
        Now { mono: self.now, wall: Wall::from_millis(millis) }
    }

    fn feed(&mut self, input: Input) {
        self.switch.handle(self.stamp(), input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.switch.poll() {
            match output {
                Output::Append(no, record) => {
                    assert_eq!(no.0, self.journal.len() as u64 + 1);
                    self.journal.push(*record);
                }
                Output::Send(send) => self.held.push(send),
                Output::Cancel { id } => {
                    if let Some(at) = self.held.iter().position(|s| s.id == id) {
                        let (why, msg) = (Unsent::Cancelled, self.held.remove(at).msg);
                        self.switch.handle(self.stamp(), Input::HandedBack { id, why, msg });
                    }
                }
                Output::Recall { ticket, key } => {
                    // What may be retired behind a checkpoint is never asked for again.
                    let kept = self.snapshot.as_ref().map_or(1, |(s, _)| s.needed_from().0);
                    if let RecallKey::Record(no) = key {
                        assert!(no.0 >= kept, "{no} of {kept} on");
                    }
                    let numbered = (1..).zip(&self.journal).map(|(no, r)| (RecordNo(no), r));
                    let numbered: Vec<_> = numbered.filter(|(no, _)| no.0 >= kept).collect();
                    let found = library::search(&key, &numbered);
                    self.switch.handle(self.stamp(), Input::Recalled { ticket, found });
                }
                Output::Close { session, .. } => self.session_down(session.0),
                Output::Event(Event::Impossible { what }) => panic!("impossible: {what}"),
                Output::Nonsense { .. } | Output::Event(_) => {}
            }
        }
    }

    fn session_up(&mut self, line: u16) {
        self.last_session += 1;
        self.sessions.insert(self.last_session, line);
        let session = SessionId(self.last_session);
        self.feed(Input::LineUp { line: LineId(line), session });
    }

    fn session_down(&mut self, session: u64) {
        let Some(line) = self.sessions.remove(&session) else { return };
        while let Some(at) = self.held.iter().position(|s| s.session.0 == session) {
            let Send { id, msg, .. } = self.held.remove(at);
            let why = Unsent::NoSession;
            self.switch.handle(self.stamp(), Input::HandedBack { id, why, msg });
        }
        self.feed(Input::LineDown { line: LineId(line), session: SessionId(session) });
    }

    fn session_of(&self, line: u16) -> Option<SessionId> {
        self.sessions.iter().rev().find(|(_, l)| **l == line).map(|(s, _)| SessionId(*s))
    }

    fn pass_time(&mut self, by: Duration) {
        let until = self.now.after(by);
        while let Some(due) = self.switch.deadline().filter(|due| *due <= until) {
            self.now = due.max(self.now);
            self.feed(Input::Timer);
        }
        self.now = until;
    }

    /// The gate lets one frame go, if the disk lets it.
    fn gate(&mut self, at: usize) {
        let durable = RecordNo(self.durable as u64);
        let Some(send) = self.held.get(at) else { return };
        let late = send.not_after.is_some_and(|limit| limit < self.now);
        if !late && send.after.is_some_and(|after| after > durable) {
            return;
        }
        let send = self.held.remove(at);
        let id = send.id;
        if late {
            return self.feed(Input::Unsent { id, why: Unsent::TooLate });
        }
        match send.line.0 {
            0 => self.platform_hears(&send.msg),
            line => {
                // One in six is slow: its reversal will overtake it.
                let slow = !self.calm && self.below(6) == 0;
                let wait = if slow { 15 + self.below(35) } else { 0 };
                let due = self.now.after(Duration::from_secs(wait));
                self.to_bank.push((line, due, *send.msg));
            }
        }
        self.feed(Input::Released { id });
    }

    /// kill -9 at this point: what was durable is all there is.
    fn crash(&mut self) {
        self.check_state();
        let lost = self.journal.len() - self.durable;
        let kept = self.durable + self.below(lost as u64 + 1) as usize;
        self.journal.truncate(kept);
        self.durable = kept;
        // No checkpoint may cover what was not durable.
        self.snapshot.take_if(|(snapshot, _)| snapshot.upto().0 as usize > kept);
        self.held.clear();
        self.sessions.clear();
        self.switch = Switch::new(Arc::clone(&self.policy), self.rng);
        for (at, record) in self.journal.iter().enumerate() {
            self.switch.replay(RecordNo(at as u64 + 1), record);
        }
        self.switch.start(self.stamp());
        self.drain();
    }

    /// What a checkpoint restores and what the records say is what the live switch has.
    fn check_state(&self) {
        let (no, live) = self.switch.checkpoint();
        assert_eq!(no.0 as usize, self.journal.len());
        let mut replayed = Switch::new(Arc::clone(&self.policy), 0);
        for (at, record) in self.journal.iter().enumerate() {
            let mut bytes = vec![];
            record.encode(&mut bytes);
            let record = Record::decode(&bytes).unwrap_or_else(|e| panic!("{e}"));
            replayed.replay(RecordNo(at as u64 + 1), &record);
        }
        assert!(replayed.checkpoint().1 == live, "replayed and live state differ");
        let mut restored = Switch::new(Arc::clone(&self.policy), 0);
        restored.restore(&live).unwrap_or_else(|e| panic!("{e}"));
        assert!(restored.checkpoint().1 == live, "restored and live state differ");
    }

    /// A snapshot says later what was so when it was taken; a restart from it, and the records
    /// behind it, comes to the state that record 1 and all others lead to.
    fn check_snapshot(&mut self) {
        if let Some((snapshot, then)) = self.snapshot.take() {
            let upto = snapshot.upto();
            assert!(bytes_of(&snapshot) == then, "the snapshot of {upto:?} changed");
            assert!(snapshot.needed_from().0 <= upto.0 + 1);
            let mut restored = Switch::new(Arc::clone(&self.policy), 0);
            let mut pieces = then.chunks(37);
            let restoring = restored.restore_from(&mut |into| {
                let piece = pieces.next();
                into.extend_from_slice(piece.unwrap_or_default());
                Ok(piece.is_some())
            });
            restoring.unwrap_or_else(|e| panic!("{e}"));
            for (at, record) in self.journal.iter().enumerate().skip(upto.0 as usize) {
                restored.replay(RecordNo(at as u64 + 1), record);
            }
            let (_, live) = self.switch.checkpoint();
            assert!(restored.checkpoint().1 == live, "a restart from {upto:?} differs");
        }
        self.snapshot = Some((self.switch.snapshot(), self.switch.checkpoint().1));
    }

    fn weather(&mut self) {
        self.asleep = self.asleep.saturating_sub(1);
        if self.below(300) == 0 {
            self.asleep = self.below(60);
        }
        match self.below(100) {
            0..18 => self.request(),
            18..23 => self.repeat_or_reverse(false),
            23..26 => self.repeat_or_reverse(true),
            26..50 => {
                let at = self.below(self.held.len().max(1) as u64) as usize;
                self.gate(at);
            }
            50..60 => self.durable = self.journal.len(),
            60..76 if self.asleep > 0 => self.pass_time(Duration::from_millis(200)),
            60..76 => {
                let at = self.below(self.to_bank.len().max(1) as u64) as usize;
                self.bank(at);
            }
            76..90 => {
                let at = self.below(self.to_switch.len().max(1) as u64) as usize;
                let keep = self.below(6) == 0;
                self.arrive(at, keep);
            }
            90..94 => {
                let by = Duration::from_millis(self.below(5_000));
                self.pass_time(by);
            }
            94..96 => {
                let line = self.below(4) as u16;
                self.session_up(line);
            }
            96..98 => {
                let line = self.below(4) as u16;
                if let Some(session) = self.session_of(line) {
                    self.session_down(session.0);
                }
            }
            98 => {
                // The network loses an answer or a request.
                self.to_switch.pop();
            }
            _ => {
                if self.below(4) == 0 {
                    self.crash();
                }
            }
        }
    }

    /// Everything heals: all that is owed is paid.
    fn heal(&mut self) {
        self.calm = true;
        for line in 0..4 {
            if self.session_of(line).is_none() {
                self.session_up(line);
            }
        }
        for round in 0..400 {
            self.durable = self.journal.len();
            while !self.held.is_empty() {
                self.durable = self.journal.len();
                self.gate(0);
            }
            for at in (0..self.to_bank.len()).rev() {
                self.bank(at);
            }
            while !self.to_switch.is_empty() {
                self.arrive(0, false);
            }
            // The platform takes back whatever it was not told about, and what is on the desk.
            if round == 100 {
                let asked = self.wishes.asked.clone();
                for (stan, (amount, pan)) in asked {
                    if !self.wishes.told.contains(&stan) && !self.wishes.reversed.contains(&stan) {
                        self.reverse(stan, amount, pan);
                    }
                }
            }
            self.pass_time(Duration::from_secs(2));
        }
    }

    fn judge(&self) {
        assert_eq!(self.switch.in_flight(PlatformId(0)), 0, "requests left in flight");
        assert_eq!(self.switch.owed(BankId(0)) + self.switch.owed(BankId(1)), 0, "debts left");
        let mut auditor = Auditor::new();
        for (at, record) in self.journal.iter().enumerate() {
            auditor.see(RecordNo(at as u64 + 1), record);
        }
        let report = auditor.finish();
        assert_eq!(report.violations, []);
        let at_banks: u64 = self.books.effects.values().sum();
        let granted: u64 = self.wishes.granted.values().sum();
        assert_eq!(at_banks, granted, "banks and platform disagree; open: {:?}", report.open);
        let difference: i128 = report.totals.values().map(|t| t.difference()).sum();
        assert_eq!(difference, 0, "the journal's own sums disagree");
    }
}

/// One story; returns how many approvals, reversals and crashes it had.
pub(crate) fn storm(seed: u64, steps: u32) -> [usize; 3] {
    let mut world = World::new(seed);
    for line in 0..4 {
        world.session_up(line);
    }
    for step in 0..steps {
        world.weather();
        if step % 97 == 0 {
            world.check_snapshot();
        }
    }
    world.check_state();
    world.check_snapshot();
    world.heal();
    world.judge();
    let count = |f: fn(&Record) -> bool| world.journal.iter().filter(|r| f(r)).count();
    [
        count(|r| matches!(r, Record::Outcome(o) if o.leg == Leg::Approved)),
        count(|r| matches!(r, Record::Closed(_))),
        count(|r| matches!(r, Record::Policy(p) if p.start)),
    ]
}
