//! Weather: random requests, answers, losses, crashes and time, then calm – and the books agree.
//!
//! Contract: one seed is one story, the same every time. While it storms: no panic, nothing
//! impossible, records without gaps, every state restored from its checkpoint and from its
//! records alike. In the calm everything owed is paid, every frame accounted for, the auditor
//! is content, and banks and platform agree to the last cent.

use super::setting::{Options, policy};
use super::words::read;
use pointsman::canonical::{Answer, Canonical, Flow, Kind};
use pointsman::meaning::ResponseClass;
use pointsman::switch::audit::Auditor;
use pointsman::switch::ids::{BankId, LineId, PlatformId, RecordNo, SessionId};
use pointsman::switch::input::{Input, Unsent};
use pointsman::switch::output::{Event, Output, RecallKey, Send};
use pointsman::switch::policy::Policy;
use pointsman::switch::recall;
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
                        self.held.remove(at);
                        let why = Unsent::Cancelled;
                        self.switch.handle(self.stamp(), Input::Unsent { id, why });
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
                    let found = recall::search(&key, numbered.into_iter());
                    let record = found.map(|(no, r)| (no, Box::new(r.clone())));
                    self.switch.handle(self.stamp(), Input::Recalled { ticket, record });
                }
                Output::Close { session, .. } => self.session_down(session.0),
                Output::Event(Event::Impossible { what }) => panic!("impossible: {what}"),
                Output::Event(_) => {}
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
            let id = self.held.remove(at).id;
            self.switch.handle(self.stamp(), Input::Unsent { id, why: Unsent::NoSession });
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

    fn platform_hears(&mut self, msg: &Canonical) {
        let Some(stan) = msg.stan else { return };
        let approved = match msg.answer {
            Some(Answer::Given { class, .. }) => class.is_approval(),
            Some(Answer::Own(_)) | None => false,
        };
        match (msg.kind, msg.flow) {
            (Kind::Transaction(_), Flow::Response) => {
                self.wishes.told.insert(stan);
                if approved && !self.wishes.reversed.contains(&stan) {
                    self.wishes.granted.insert(stan, msg.amount.map_or(0, |a| a.minor));
                }
            }
            (Kind::Reversal(_), _) => {
                // Reversals here carry their original's STAN and 500,000.
                let original = stan - 500_000;
                self.wishes.reversed.insert(original);
                self.wishes.granted.remove(&original);
            }
            _ => {}
        }
    }

    /// A bank takes one message, in whatever order they arrive, and answers.
    fn bank(&mut self, at: usize) {
        if at >= self.to_bank.len() {
            return;
        }
        if self.to_bank.get(at).is_some_and(|(_, due, _)| *due > self.now) {
            return;
        }
        let (line, due, msg) = self.to_bank.swap_remove(at);
        if self.now.since(due) > Duration::from_secs(9) {
            return; // The policy says that nothing arrives after more than 60 seconds.
        }
        let whose = u16::from(line == 3);
        let mut reply = Canonical::new(msg.kind, msg.flow.answer().unwrap_or(Flow::Response));
        reply.stan = msg.stan;
        reply.terminal = msg.terminal;
        let code = match msg.kind {
            Kind::NetworkManagement(_) => {
                reply.batch = Some(7);
                "00"
            }
            Kind::Transaction(_) => {
                let f7 = msg.transmission.unwrap_or_default().to_string();
                let key = (whose, msg.stan.unwrap_or_default(), f7);
                let amount = msg.amount.map_or(0, |a| a.minor);
                let approves = amount % 10 != 1;

                assert!(self.books.seen.insert(key.clone(), true).is_none(), "sent twice: {key:?}");
                if approves {
                    self.books.effects.insert(key, amount);
                }
                reply.amount = msg.amount;
                if approves { "00" } else { "51" }
            }
            Kind::Reversal(_) => {
                let original = msg.original.unwrap_or_default();
                let f7 = original.transmission.unwrap_or_default().to_string();
                let key = (whose, original.stan.unwrap_or_default(), f7);
                match (self.books.effects.remove(&key), self.books.seen.contains_key(&key)) {
                    (Some(_), _) => "00",
                    (None, true) => "21",
                    (None, false) => "25",
                }
            }
            _ => "12",
        };
        let class = match code {
            "00" => ResponseClass::Approved,
            "51" => ResponseClass::Declined,
            "21" => ResponseClass::AlreadyReversed,
            _ => ResponseClass::NotFound,
        };
        let code: Text<4> = code.parse().unwrap_or_default();
        reply.answer = Some(Answer::Given { class, code });
        // One answer in six is lost on the way.
        if self.calm || self.below(6) > 0 {
            self.to_switch.push((line, reply));
        }
    }

    /// One answer of a bank arrives.
    fn arrive(&mut self, at: usize, keep: bool) {
        let Some((line, msg)) = self.to_switch.get(at).cloned() else { return };
        if !keep {
            self.to_switch.swap_remove(at);
        }
        if let Some(session) = self.session_of(line) {
            self.feed(Input::Message { session, received: self.now, msg: Box::new(msg) });
        }
    }

    fn ask(&mut self, mti: &str, stan: u32, amount: u64, pan: &str, original: Option<u32>) {
        let Some(session) = self.session_of(0) else { return };
        let mut words = vec![format!("stan={stan}"), format!("amt={amount}"), format!("pan={pan}")];
        words.extend(original.map(|o| format!("orig={o}")));
        words.extend(original.map(|_| "omti=0200".to_owned()));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let msg = read(mti, &words).map(Box::new);
        let msg = msg.unwrap_or_else(|e| panic!("{e}"));
        self.feed(Input::Message { session, received: self.now, msg });
    }

    fn request(&mut self) {
        let stan = self.next_stan;
        self.next_stan += 1;
        let amount = 100 + self.below(40);
        let pan = PANS[self.below(3) as usize];
        if self.session_of(0).is_some() {
            self.wishes.asked.insert(stan, (amount, pan));
            self.ask("0200", stan, amount, pan, None);
        }
    }

    fn repeat_or_reverse(&mut self, reverse: bool) {
        let Some(known) = self.next_stan.checked_sub(1).filter(|n| *n > 0) else { return };
        let stan = known.saturating_sub(self.below(8) as u32).max(1);
        let Some((amount, pan)) = self.wishes.asked.get(&stan).copied() else { return };
        if reverse {
            self.reverse(stan, amount, pan);
        } else if !self.wishes.reversed.contains(&stan) {
            self.ask("0201", stan, amount, pan, None);
        }
    }

    fn reverse(&mut self, stan: u32, amount: u64, pan: &str) {
        self.ask("0420", stan + 500_000, amount, pan, Some(stan));
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
