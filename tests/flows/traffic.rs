//! Traffic at fixed rates against a bank that takes its time: what platforms wait for their answers
//! when they share its window.
//!
//! Contract: virtual time, a disk and a gate that cost none; every number is the same in every run.

use crate::setting::{Options, policy, text};
use crate::words::read;
use pointsman::canonical::{Answer, Canonical, Flow, Kind, Reason, ResponseClass, TransactionType};
use pointsman::switch::Switch;
use pointsman::switch::ids::{BankId, LineId, PlatformId, RecordNo, SessionId};
use pointsman::switch::input::Input;
use pointsman::switch::output::{Event, Output};
use pointsman::switch::policy::{Line, Owner, Platform, Policy};
use pointsman::switch::record::{BankKeys, Owed, Queued, Record};
use pointsman::time::{Instant, Now, Wall};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const MIDNIGHT: i64 = 1_795_305_600_000;
/// The line of the bank that is used; doors of platforms have the session of their line.
const BANK: SessionId = SessionId(2);
const LATENCY: Duration = Duration::from_millis(100);

enum Due {
    /// A platform asks, and again after so long.
    Ask(u16, Duration),
    /// The bank answers.
    Answer(Box<Canonical>),
}

/// What became of the requests of a platform.
#[derive(Default)]
pub(crate) struct Told {
    asked: BTreeMap<u32, Instant>,
    waits: Vec<Duration>,
    pub(crate) approved: usize,
    pub(crate) declined: usize,
    pub(crate) unknown: usize,
}

impl Told {
    /// The wait that all but so many of a hundred answers stayed under.
    pub(crate) fn percentile(&mut self, of_hundred: usize) -> Duration {
        self.waits.sort_unstable();
        let at = (self.waits.len() * of_hundred / 100).min(self.waits.len().saturating_sub(1));
        self.waits.get(at).copied().unwrap_or_default()
    }
}

/// Two platforms, `pos` and `web`, one bank.
pub(crate) struct Traffic {
    pub(crate) switch: Switch,
    pub(crate) now: Instant,
    due: BTreeMap<(Instant, u64), Due>,
    count: u64,
    last_stan: u32,
    /// The bank hears everything and says nothing.
    pub(crate) silent: bool,
    pub(crate) told: [Told; 2],
    /// The most that was at the bank at once, and how much is there now.
    pub(crate) at_bank: (usize, usize),
    /// Originals and reversals the bank was sent.
    pub(crate) sent: [usize; 2],
}

pub(crate) fn two_platforms(options: &str) -> Policy {
    let mut policy = policy(&Options(options));
    let web = Platform { name: text("web"), ..policy.platforms[0].clone() };
    policy.platforms.push(web);
    let owner = Owner::Platform(PlatformId(1));
    policy.lines.push(Line { name: text("web"), owner, years: false });
    policy
}

impl Traffic {
    pub(crate) fn new(policy: Policy) -> Self {
        Self::with(policy, &[])
    }

    /// These records stand in the journal.
    fn with(policy: Policy, records: &[Record]) -> Self {
        let mut traffic = Self {
            switch: Switch::new(Arc::new(policy), 1),
            now: Instant::default(),
            due: BTreeMap::new(),
            count: 0,
            last_stan: 0,
            silent: false,
            told: Default::default(),
            at_bank: (0, 0),
            sent: [0; 2],
        };
        for (no, record) in (1..).zip(records) {
            traffic.switch.replay(RecordNo(no), record);
        }
        traffic.switch.start(traffic.stamp());
        for (line, session) in [(0, SessionId(1)), (1, BANK), (5, SessionId(6))] {
            traffic.feed(Input::LineUp { line: LineId(line), session });
        }
        traffic
    }

    fn stamp(&self) -> Now {
        let millis = MIDNIGHT + (self.now.nanos() / 1_000_000) as i64;
        Now { mono: self.now, wall: Wall::from_millis(millis) }
    }

    fn feed(&mut self, input: Input) {
        self.switch.handle(self.stamp(), input);
        while let Some(output) = self.switch.poll() {
            match output {
                Output::Send(send) => {
                    let id = send.id;
                    match send.line.0 {
                        0 => self.hear(0, &send.msg),
                        5 => self.hear(1, &send.msg),
                        _ => self.at_the_bank(&send.msg),
                    }
                    self.switch.handle(self.stamp(), Input::Released { id });
                }
                Output::Event(Event::Impossible { what }) => panic!("{what}"),
                Output::Append(..)
                | Output::Event(_)
                | Output::Cancel { .. }
                | Output::Recall { .. }
                | Output::Nonsense { .. }
                | Output::Close { .. } => {}
            }
        }
    }

    fn plan(&mut self, at: Instant, what: Due) {
        self.count += 1;
        self.due.insert((at, self.count), what);
    }

    /// A platform asks so many times a second from now on.
    pub(crate) fn asks(&mut self, platform: u16, per_s: u32) {
        self.plan(self.now, Due::Ask(platform, Duration::from_secs(1) / per_s));
    }

    /// Nobody asks any more.
    pub(crate) fn quiet(&mut self) {
        self.due.retain(|_, what| !matches!(what, Due::Ask(..)));
    }

    fn at_the_bank(&mut self, msg: &Canonical) {
        self.sent[usize::from(matches!(msg.kind, Kind::Reversal(_)))] += 1;
        if self.silent {
            return;
        }
        self.at_bank.1 += 1;
        self.at_bank.0 = self.at_bank.0.max(self.at_bank.1);
        let flow = msg.flow.answer().unwrap_or(Flow::Response);
        let mut answer = Box::new(Canonical::new(msg.kind, flow));
        answer.stan = msg.stan;
        answer.amount = msg.amount;
        let class = ResponseClass::Approved;
        answer.answer = Some(Answer::Given { class, code: text("00") });
        self.plan(self.now.after(LATENCY), Due::Answer(answer));
    }

    fn hear(&mut self, platform: usize, msg: &Canonical) {
        let told = &mut self.told[platform];
        let Some(asked) = msg.stan.and_then(|stan| told.asked.remove(&stan)) else { return };
        told.waits.push(self.now.since(asked));
        match msg.answer {
            Some(Answer::Given { .. }) => told.approved += 1,
            Some(Answer::Own(Reason::Timeout)) => told.unknown += 1,
            _ => told.declined += 1,
        }
    }

    fn ask(&mut self, platform: u16) {
        self.last_stan += 1;
        let stan = self.last_stan;
        // No two of one card at once: owed messages of a card go one after the other.
        let pan = format!("pan=4{stan:015}");
        let words = [format!("stan={stan}"), "amt=100".to_owned(), pan];
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let msg = read("0200", &words).unwrap_or_else(|e| panic!("{e}"));
        self.told[usize::from(platform)].asked.insert(stan, self.now);
        let session = SessionId(1 + 5 * u64::from(platform));
        self.feed(Input::Message { session, received: self.now, msg: Box::new(msg) });
    }

    /// Time passes, and what falls due happens.
    pub(crate) fn pass(&mut self, by: Duration) {
        let until = self.now.after(by);
        loop {
            let planned = self.due.first_key_value().map(|((at, _), _)| *at);
            let timer = self.switch.deadline();
            let next = [planned, timer].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = next.max(self.now);
            if planned.is_none_or(|planned| planned > next) {
                self.feed(Input::Timer);
                continue;
            }
            match self.due.pop_first().map(|(_, what)| what) {
                Some(Due::Ask(platform, pause)) => {
                    self.plan(self.now.after(pause), Due::Ask(platform, pause));
                    self.ask(platform);
                }
                Some(Due::Answer(msg)) => {
                    self.at_bank.1 -= 1;
                    self.feed(Input::Message { session: BANK, received: self.now, msg });
                }
                None => {}
            }
        }
        self.now = until;
    }

    /// Whether everything that was asked has been told.
    pub(crate) fn is_all_told(&self) -> bool {
        self.told.iter().all(|told| told.asked.is_empty()) && self.switch.at_bank(BankId(0)) == 0
    }
}

/// Long enough for a queue to be as long as it gets.
const WHILE: Duration = Duration::from_secs(15);

/// One that asks three times as much as the bank can take costs its neighbour nothing.
#[test]
fn a_platform_beside_a_greedy_one_waits_no_longer_than_alone() {
    let options = "window=64 cap=2000";
    let mut alone = Traffic::new(two_platforms(options));
    alone.asks(0, 50);
    alone.pass(WHILE);
    let alone = alone.told[0].percentile(99);
    let mut both = Traffic::new(two_platforms(options));
    both.asks(1, 2_000);
    both.asks(0, 50);
    both.pass(WHILE);
    both.quiet();
    both.pass(2 * WHILE);
    assert!(both.is_all_told());
    assert_eq!(both.at_bank.0, 64, "the window is the bank's");
    let [shop, greedy] = &mut both.told;
    assert_eq!((shop.declined, shop.unknown), (0, 0));
    // The window was filled within 32 ms: till the first answer no place is free for anybody.
    assert!(shop.percentile(99) <= alone + LATENCY * 2 / 3, "{:?}", shop.percentile(99));
    assert!(shop.percentile(50) <= alone + LATENCY / 2, "{:?}", shop.percentile(50));
    assert!(greedy.declined > 0, "it asks for more than there is");
    assert!(greedy.approved > 8_000, "what its neighbour leaves is its: {}", greedy.approved);
}

/// Two that both ask for more than there is get what their weights say.
#[test]
fn weights_part_what_there_is() {
    let mut policy = two_platforms("window=64 cap=2000");
    policy.platforms[1].weight = 3;
    let mut traffic = Traffic::new(policy);
    traffic.asks(0, 1_000);
    traffic.asks(1, 1_000);
    traffic.pass(WHILE);
    let [one, three] = &traffic.told;
    let share = three.approved as f64 / one.approved as f64;
    assert!((2.9..3.1).contains(&share), "{share}");
}

/// The room to wait in is parted, too: one that fills it has its own declined.
#[test]
fn a_full_room_is_left_by_whoever_has_more_than_their_share() {
    let mut traffic = Traffic::new(two_platforms("window=64 cap=2000 waiting=100"));
    traffic.asks(1, 2_000);
    traffic.pass(Duration::from_secs(2));
    traffic.asks(0, 300);
    traffic.pass(Duration::from_secs(8));
    let [shop, greedy] = &mut traffic.told;
    assert_eq!((shop.declined, shop.unknown, greedy.unknown), (0, 0, 0));
    assert!(shop.percentile(99) <= Duration::from_millis(350), "{:?}", shop.percentile(99));
    // 640 a second is what the bank takes.
    let taken = greedy.approved + shop.approved;
    assert!((6_200..6_500).contains(&taken), "{taken}");
    assert!(greedy.declined > 12_000, "{}", greedy.declined);
}

/// A bank that hears everything and answers nothing costs as many unknown outcomes as there are
/// requests in one time limit, not in the whole outage.
#[test]
fn a_silent_bank_is_not_asked_on() {
    let (per_s, limit) = (200, 5);
    let options = "window=4000 cap=4000 timeout=5 breaker=10 breaker_retry=2";
    let mut traffic = Traffic::new(two_platforms(options));
    traffic.asks(0, per_s);
    traffic.pass(Duration::from_secs(2));
    let before = traffic.sent[0];
    traffic.silent = true;
    traffic.pass(Duration::from_secs(60));
    let unheard = traffic.sent[0] - before;
    let trials = 60 / (limit + 2);
    assert!(unheard <= (per_s * limit + 20 + trials) as usize, "{unheard}");
    assert!(traffic.switch.is_broken(BankId(0)));
    traffic.silent = false;
    traffic.pass(Duration::from_secs(u64::from(limit) + 3));
    assert!(!traffic.switch.is_broken(BankId(0)), "tried again by itself");
    let (declined, unknown) = (traffic.told[0].declined, traffic.told[0].unknown);
    traffic.pass(Duration::from_secs(10));
    assert_eq!((traffic.told[0].declined, traffic.told[0].unknown), (declined, unknown));
    traffic.quiet();
    traffic.pass(Duration::from_secs(120));
    assert!(traffic.is_all_told());
    assert_eq!(traffic.switch.owed(BankId(0)), 0);
}

/// So many reversals are owed as the run begins, each of a card of its own.
fn owed(many: u32) -> Vec<Record> {
    let at = Wall::from_millis(MIDNIGHT);
    let kind = Kind::Reversal(TransactionType::Purchase);
    let what = (Owed::OwnReversal, kind, Flow::Advice);
    let record = |nth: u32| {
        let keys = BankKeys { stan: 500_000 + nth, ..BankKeys::default() };
        let pan = read("0200", &[&format!("pan=5{nth:015}")]).ok().and_then(|msg| msg.pan);
        let bare = Queued::bare(at, text("alfa"), what, Reason::Timeout, keys);
        Record::Queued(Arc::new(Queued { pan, ..bare }))
    };
    (1..=many).map(record).collect()
}

/// Ten thousand reversals after an outage: gone within a minute of the bank's first answer, and
/// live traffic that takes half of the window waits no longer for it.
#[test]
fn reversals_use_the_room_that_live_requests_leave() {
    let options = "window=64 cap=4000 timeout=5 breaker=10 breaker_retry=2 slots=16 live_rate=20";
    let mut gone = vec![];
    for slots_only in ["", " slots_only"] {
        let policy = two_platforms(&format!("{options}{slots_only}"));
        let mut traffic = Traffic::with(policy, &owed(10_000));
        traffic.silent = true;
        traffic.asks(0, 320);
        traffic.pass(Duration::from_secs(12));
        assert!(traffic.switch.is_broken(BankId(0)));
        traffic.silent = false;
        let mut seconds = 0;
        while traffic.switch.is_broken(BankId(0)) {
            traffic.pass(Duration::from_secs(1));
            seconds += 1;
            assert!(seconds < 10, "the breaker stays open");
        }
        let shop = &mut traffic.told[0];
        shop.waits.clear();
        let before = (shop.declined, shop.unknown);
        let mut seconds = 0;
        while traffic.switch.owed(BankId(0)) > 0 && seconds < 600 {
            traffic.pass(Duration::from_secs(1));
            seconds += 1;
        }
        assert!(traffic.at_bank.0 <= 64 + 16, "{} at the bank", traffic.at_bank.0);
        let shop = &mut traffic.told[0];
        assert_eq!((shop.declined, shop.unknown), before);
        assert_eq!(shop.percentile(99), LATENCY);
        gone.push(seconds);
    }
    println!("ten thousand are gone after {gone:?} seconds");
    assert!(gone[0] <= 60 && gone[1] > gone[0], "{gone:?} seconds");
}

/// Whoever waits for a place in the window has it before what is owed.
#[test]
fn reversals_never_take_a_place_that_somebody_waits_for() {
    let options = "window=64 cap=4000 slots=1 live_rate=20";
    let mut traffic = Traffic::with(two_platforms(options), &owed(3_000));
    traffic.pass(Duration::from_secs(2));
    assert!(traffic.at_bank.0 > 40, "without live requests they have three quarters of it");
    traffic.asks(0, 630);
    traffic.pass(Duration::from_secs(2));
    let left = traffic.switch.owed(BankId(0));
    traffic.pass(Duration::from_secs(5));
    let shop = &mut traffic.told[0];
    assert_eq!((shop.declined, shop.unknown), (0, 0));
    assert!(shop.percentile(99) <= 2 * LATENCY, "{:?}", shop.percentile(99));
    assert!(traffic.at_bank.0 <= 65, "{}", traffic.at_bank.0);
    let slots = left - traffic.switch.owed(BankId(0));
    assert!(slots >= 45, "they have their own slot: {slots} in five seconds");
}
