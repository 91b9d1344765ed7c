//! The stage flows are played on: the real core, a gate, a journal in memory and virtual time.
//!
//! A script is a header of `# ...` lines, of which `# policy: ...` sets switches, then lines
//! `t=SECONDS what`. What happens: `platform > 0200 stan=1 amt=100`, `alfa > 0210 stan=1 rc=00`,
//! `alfa down`, `alfa up`, `gate hold`, `gate go`, `disk stop`, `disk go`, `crash`, `end`.

use crate::words::{read, show, show_event, show_record};
use pointsman::canonical::{Answer, Canonical, Flow, ResponseClass, TransactionType};
use pointsman::switch::Switch;
use pointsman::switch::audit::Auditor;
use pointsman::switch::desk::Listing;
use pointsman::switch::ids::{BankId, LineId, PlatformId, RecordNo, SessionId, Ticket};
use pointsman::switch::input::{Command, DeskAction, DeskVerb, Input, Unsent};
use pointsman::switch::output::{Output, RecallKey, Send};
use pointsman::switch::policy::{
    Bank, DuplicateWindow, Echo, Identities, Identity, JUDGED, Line, MatchScope, Network, Owner,
    Platform, Policy, Reversal, Route, Saf, SignOn, StandIn, StandInLimit,
};
use pointsman::switch::recall;
use pointsman::switch::record::Record;
use pointsman::text::Text;
use pointsman::time::{Instant, Now, Wall};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

pub(crate) type Fallible<T> = Result<T, String>;

/// Lines by index: the platform's door, two lines of one bank, one of a UnionPay bank, one of a
/// stored-value issuer.
const LINES: [&str; 5] = ["platform", "alfa", "alfa2", "union", "purse"];

pub(crate) fn text<const N: usize>(s: &str) -> Text<N> {
    s.parse().unwrap_or_default()
}

/// The words of `# policy:`.
pub(crate) struct Options<'a>(pub(crate) &'a str);

impl Options<'_> {
    fn has(&self, word: &str) -> bool {
        self.0.split_whitespace().any(|w| w == word)
    }

    fn number(&self, key: &str, default: u64) -> u64 {
        let found = self.0.split_whitespace().find_map(|w| w.strip_prefix(key));
        found.and_then(|n| n.parse().ok()).unwrap_or(default)
    }

    fn seconds(&self, key: &str, default: u64) -> Duration {
        Duration::from_secs(self.number(key, default))
    }

    fn stated(&self, key: &str) -> Option<u64> {
        Some(self.number(key, 0)).filter(|number| *number > 0)
    }
}

fn bank(options: &Options<'_>, name: &str, lines: &[u16], sign_on: SignOn, union: bool) -> Bank {
    Bank {
        name: text(name),
        lines: lines.iter().map(|l| LineId(*l)).collect(),
        response_timeout: options.seconds("timeout=", 20),
        window: options.number("window=", 8) as usize,
        match_scope: if options.has("line_scope") { MatchScope::Line } else { MatchScope::Bank },
        reversal: Reversal {
            types: vec![TransactionType::Purchase, TransactionType::PreAuthorization],
            flow: if union { Flow::Request } else { Flow::Advice },
            repeat_mti: !union,
            same_stan: union,
            original_batch: union,
        },
        must_echo: if options.has("must_echo") { JUDGED.to_vec() } else { Vec::new() },
        original_lifetime: Duration::from_secs(60),
        saf: Saf {
            slots: options.number("slots=", 4) as usize,
            response_timeout: Duration::from_secs(10),
            first_retry: Duration::from_secs(2),
            max_retry: Duration::from_secs(30),
            tries_before_desk: 3,
            live_rate_per_s: options.number("live_rate=", 1_000) as u32,
            advice_lifetime: options.stated("advice_lifetime=").map(Duration::from_secs),
            advice_tries: options.stated("advice_tries=").map(|n| n as u32),
            dead_codes: if options.has("dead_91") { vec![text("91")] } else { vec![] },
        },
        stand_in: None,
        network: Network {
            sign_on,
            keys: false,
            sign_on_retry: Duration::from_secs(5),
            response_timeout: Duration::from_secs(3),
            echo: options
                .has("echo")
                .then_some(Echo { interval: Duration::from_secs(10), missed: 2 }),
        },
        identities: identities(options),
        acquirer: None,
        forwarder: None,
        reconcile_at_cutover: options.has("reconcile"),
        pin_translation: false,
    }
}

/// The switch may decide for alfa: up to 500 each, three or 1000 within a minute.
fn stand_in(options: &Options<'_>) -> Option<StandIn> {
    let limit = StandInLimit { currency: 978, floor: 500, total: 1_000 };
    options.has("stand_in").then(|| StandIn {
        kinds: vec![TransactionType::Purchase],
        never: vec![(text("5105"), text("5105"))],
        window: Duration::from_secs(60),
        count: 3,
        limits: vec![limit],
    })
}

/// Credits stored value; it may have no reversal for that.
fn purse(options: &Options<'_>) -> Bank {
    let mut bank = bank(options, "purse", &[4], SignOn::No, false);
    let types = vec![TransactionType::TopUp];
    bank.reversal.types = if options.has("no_credit_reversal") { vec![] } else { types };
    bank.response_timeout = options.seconds("purse_timeout=", 20);
    bank.window = options.number("purse_window=", 8) as usize;
    bank
}

fn identities(options: &Options<'_>) -> Identities {
    if !options.has("identities") {
        return Identities::default();
    }
    let identity = Identity {
        acquirer: None,
        merchant: Some(text("SHOP")),
        terminal: Some(text("TERM1")),
        bank_merchant: text("BANKSHOP"),
        bank_terminal: text("BANKTERM"),
    };
    Identities { entries: vec![identity], default: None }
}

fn route(name: &str, low: &str, high: &str, to: u16) -> Route {
    Route {
        name: text(name),
        pan_prefixes: vec![(text(low), text(high))],
        mtis: vec![],
        processing_codes: vec![],
        currencies: vec![],
        amount: None,
        platforms: vec![],
        bank: BankId(to),
        credit: None,
    }
}

/// What `# policy:` may switch.
pub(crate) fn policy(options: &Options<'_>) -> Policy {
    let alfa_signs = if options.has("sign_on") { SignOn::Line } else { SignOn::No };
    let terminals = SignOn::Terminals(vec![(text("TERM1"), text("SHOP"))]);
    let platform = Owner::Platform(PlatformId(0));
    let [to_alfa, union, issuer] = [0, 1, 2].map(|bank| Owner::Bank(BankId(bank)));
    let owners = [platform, to_alfa, to_alfa, union, issuer];
    let line = |(name, owner): (&&str, Owner)| Line { name: text(name), owner };
    let pos = Platform {
        name: text("pos"),
        budget: Duration::from_secs(30),
        margin: Duration::from_secs(1),
        max_in_flight: options.number("cap=", 64) as usize,
        echo: options
            .has("platform_echo")
            .then_some(Echo { interval: Duration::from_secs(5), missed: 2 }),
    };
    let mut alfa = bank(options, "alfa", &[1, 2], alfa_signs, false);
    alfa.stand_in = stand_in(options);
    Policy {
        hash: 1,
        platforms: vec![pos],
        banks: vec![alfa, bank(options, "union", &[3], terminals, true), purse(options)],
        lines: LINES.iter().zip(owners).map(line).collect(),
        routes: if options.has("topup") {
            let credit = Some(BankId(2));
            let top_up = Route { credit, ..route("topup", "4", "5", 0) };
            vec![top_up, route("cup", "62", "62", 1), route("visa", "4", "5", 0)]
        } else {
            vec![route("cup", "62", "62", 1), route("visa", "4", "5", 0)]
        },
        duplicates: DuplicateWindow {
            age: options.seconds("remember=", 86_400),
            count: options.number("count=", 1_000_000) as usize,
        },
    }
}

/// Everything around the core.
struct Stage {
    policy: Arc<Policy>,
    switch: Switch,
    now: Instant,
    journal: Vec<(RecordNo, Record)>,
    durable: usize,
    disk: bool,
    gate: bool,
    /// Nothing for a bank can be packed.
    unpackable: bool,
    /// What the journal was asked and has not said, where it is slow.
    asked: Vec<(Ticket, RecallKey)>,
    slow_journal: bool,
    /// Banks that approve at once whatever they are told.
    honest: bool,
    held: Vec<Send>,
    sessions: BTreeMap<u64, u16>,
    last_session: u64,
    said: String,
}

/// 2026-11-22T00:00:00Z.
const MIDNIGHT: i64 = 1_795_305_600_000;

impl Stage {
    fn wall(&self) -> Now {
        let millis = (self.now.nanos() / 1_000_000) as i64;
        Now { mono: self.now, wall: Wall::from_millis(MIDNIGHT + millis) }
    }

    fn say(&mut self, line: &str) {
        let millis = self.now.nanos() / 1_000_000;
        let _ = match millis % 1_000 {
            0 => writeln!(self.said, "t={}s {line}", millis / 1_000),
            part => writeln!(self.said, "t={}.{part:03}s {line}", millis / 1_000),
        };
    }

    fn feed(&mut self, input: Input) {
        self.switch.handle(self.wall(), input);
        self.settle();
    }

    /// Carries out what the switch wants, until it wants nothing.
    fn settle(&mut self) {
        loop {
            while let Some(output) = self.switch.poll() {
                self.output(output);
            }
            if self.disk && self.durable < self.journal.len() {
                self.durable = self.journal.len();
                let upto = RecordNo(self.durable as u64);
                self.switch.handle(self.wall(), Input::Durable { upto });
            } else if !self.open_gate() {
                return;
            }
        }
    }

    fn open_gate(&mut self) -> bool {
        let durable = RecordNo(self.durable as u64);
        let now = self.now;
        let late = |s: &Send| s.not_after.is_some_and(|limit| limit < now);
        let ready = |s: &Send| s.after.is_none_or(|after| after <= durable);
        let gate = self.gate;
        let Some(at) = self.held.iter().position(|s| late(s) || (gate && ready(s))) else {
            return false;
        };
        let send = self.held.remove(at);
        let id = send.id;
        if late(&send) {
            self.switch.handle(self.wall(), Input::Unsent { id, why: Unsent::TooLate });
        } else if self.unpackable && send.line.0 > 0 {
            let why = Unsent::Unpackable(text("90"));
            self.switch.handle(self.wall(), Input::Unsent { id, why });
        } else if self.sessions.contains_key(&send.session.0) {
            let line = LINES[usize::from(send.line.0)];
            let which = self.sessions.iter().filter(|(_, l)| **l == send.line.0).count() > 1;
            let which = if which { format!("#{}", send.session.0) } else { String::new() };
            let message = show(&send.msg);
            self.say(&format!("{line}{which} < {message}"));
            self.switch.handle(self.wall(), Input::Released { id });
            if self.honest && send.line.0 > 0 && !send.msg.flow.is_answer() {
                self.approve(send.session, &send.msg);
            }
        } else {
            self.switch.handle(self.wall(), Input::Unsent { id, why: Unsent::NoSession });
        }
        true
    }

    /// The bank of this session says yes.
    fn approve(&mut self, session: SessionId, asked: &Canonical) {
        let mut msg = Box::new(Canonical::new(asked.kind, Flow::Response));
        msg.stan = asked.stan;
        msg.batch = Some(7);
        msg.answer = Some(Answer::Given { class: ResponseClass::Approved, code: text("00") });
        let received = self.now;
        self.switch.handle(self.wall(), Input::Message { session, received, msg });
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::Append(no, record) => {
                assert_eq!(no.0, self.journal.len() as u64 + 1, "records have no gaps");
                if let Some(line) = show_record(no, &record) {
                    self.say(&line);
                }
                self.journal.push((no, *record));
            }
            Output::Send(send) => self.held.push(send),
            Output::Cancel { id } => {
                if let Some(at) = self.held.iter().position(|s| s.id == id) {
                    self.held.remove(at);
                    self.switch.handle(self.wall(), Input::Unsent { id, why: Unsent::Cancelled });
                }
            }
            Output::Recall { ticket, key } if self.slow_journal => {
                self.asked.push((ticket, key));
            }
            Output::Recall { ticket, key } => {
                let record = self.recall(key);
                self.switch.handle(self.wall(), Input::Recalled { ticket, record });
            }
            Output::Close { session, why } => {
                self.say(&format!("close {session} {why:?}"));
                self.session_down(session.0);
            }
            Output::Event(event) => {
                if let Some(line) = show_event(&event) {
                    self.say(&line);
                }
            }
        }
    }

    fn recall(&self, key: RecallKey) -> Option<(RecordNo, Box<Record>)> {
        let found = recall::search(&key, self.journal.iter().map(|(no, r)| (*no, r)));
        found.map(|(no, record)| (no, Box::new(record.clone())))
    }

    fn session_up(&mut self, line: u16) {
        self.last_session += 1;
        self.sessions.insert(self.last_session, line);
        let session = SessionId(self.last_session);
        self.feed(Input::LineUp { line: LineId(line), session });
    }

    fn session_down(&mut self, session: u64) {
        let Some(line) = self.sessions.remove(&session) else { return };
        let gone: Vec<_> = self.held.extract_if(.., |s| s.session.0 == session).collect();
        for send in gone {
            let input = Input::Unsent { id: send.id, why: Unsent::NoSession };
            self.switch.handle(self.wall(), input);
        }
        self.feed(Input::LineDown { line: LineId(line), session: SessionId(session) });
    }

    fn line_down(&mut self, line: u16) {
        let mine = |(s, l): (&u64, &u16)| (*l == line).then_some(*s);
        let sessions: Vec<u64> = self.sessions.iter().filter_map(mine).collect();
        sessions.into_iter().for_each(|s| self.session_down(s));
    }

    /// Time passes; what falls due happens on the way.
    fn advance(&mut self, to: Instant) {
        loop {
            let gate = self.held.iter().filter_map(|s| s.not_after).min();
            let gate = gate.map(|g| g.after(Duration::from_nanos(1)));
            let due = [self.switch.deadline(), gate].into_iter().flatten().min();
            let Some(due) = due.filter(|due| *due <= to) else { break };
            self.now = due.max(self.now);
            self.feed(Input::Timer);
        }
        self.now = to.max(self.now);
    }

    fn crash(&mut self) {
        self.journal.truncate(self.durable);
        self.held.clear();
        self.sessions.clear();
        self.switch = Switch::new(Arc::clone(&self.policy), 1);
        for (no, record) in &self.journal {
            self.switch.replay(*no, record);
        }
        self.switch.start(self.wall());
        self.settle();
    }

    fn directive(&mut self, line: &str) -> Fallible<()> {
        self.say(line);
        let words: Vec<&str> = line.split_whitespace().collect();
        let line_of = |name: &str| LINES.iter().position(|l| *l == name).map(|l| l as u16);
        match words[..] {
            ["gate", what] => self.gate = what == "go",
            ["disk", what] => self.disk = what == "go",
            ["crash"] => self.crash(),
            ["recall"] => {
                let (ticket, key) = self.asked.remove(0);
                let record = self.recall(key);
                self.feed(Input::Recalled { ticket, record });
            }
            ["without", bank] => self.without(bank),
            ["end"] => {}
            ["reconcile", bank] => {
                self.feed(Input::Command(Command::Reconcile { bank: text(bank), date: None }));
            }
            ["reconcile", bank, date] => {
                let (bank, date) = (text(bank), Some(text(date)));
                self.feed(Input::Command(Command::Reconcile { bank, date }));
            }
            ["cutover", bank, date] => {
                let (bank, date) = (text(bank), Some(text(date)));
                self.feed(Input::Command(Command::Cutover { bank, date }));
            }
            ["drain"] => self.feed(Input::Command(Command::Drain)),
            ["desk", "resend", no] => self.desk(no, DeskVerb::Resend)?,
            ["desk", "giveup", no] => self.desk(no, DeskVerb::GiveUp(Text::EMPTY))?,
            ["desk", "giveup", no, why] => self.desk(no, DeskVerb::GiveUp(text(why)))?,
            ["desk", "list"] => self.list_desk(),
            ["desk", "late"] => self.list_late(),
            ["signoff", bank] => {
                let bank = text(bank);
                self.feed(Input::Command(Command::SignOff { bank, off: true }));
            }
            ["signon", bank] => {
                let bank = text(bank);
                self.feed(Input::Command(Command::SignOff { bank, off: false }));
            }
            [name, "up"] => self.session_up(line_of(name).ok_or("no such line")?),
            [name, "down"] => self.line_down(line_of(name).ok_or("no such line")?),
            [name, ">", mti, ..] => {
                let line = line_of(name).ok_or("no such line")?;
                let msg = read(mti, &words[3..])?;
                let newest = self.sessions.iter().rev().find(|(_, l)| **l == line);
                let session = SessionId(*newest.ok_or("that line is down")?.0);
                let (received, msg) = (self.now, Box::new(msg));
                self.feed(Input::Message { session, received, msg });
            }
            _ => return Err(format!("not understood: {line}")),
        }
        self.settle();
        Ok(())
    }

    /// What a start would say whose configuration has lost a bank.
    fn without(&mut self, bank: &str) {
        let mut policy = (*self.policy).clone();
        policy.banks.iter_mut().filter(|b| b.name == text(bank)).for_each(|b| b.name = text("new"));
        let mut switch = Switch::new(Arc::new(policy), 1);
        for (no, record) in &self.journal {
            switch.replay(*no, record);
        }
        for (name, count) in switch.owed_to_nobody() {
            self.say(&format!("owed to nobody {name} {count}"));
        }
    }

    fn desk(&mut self, no: &str, verb: DeskVerb) -> Fallible<()> {
        let item = RecordNo(no.parse().map_err(|_| "no record number")?);
        let action = DeskAction { item, operator: text("anna"), verb };
        self.feed(Input::Command(Command::Desk(action)));
        Ok(())
    }

    fn list_desk(&mut self) {
        for item in self.switch.desk(&Listing::all(100)) {
            let (item_no, bank, tries) = (item.item, item.bank, item.tries);
            let (state, why) = (item.state.word(), item.why.to_string());
            let minor = item.amount.map_or(0, |a| a.minor);
            let look = if item.attention { " attention" } else { "" };
            let allowed = item.state.allowed();
            let line = format!("item {item_no}: {bank} {minor} {state}, tries {tries}, {why}");
            self.say(&format!("{line}; allowed: {allowed}{look}"));
        }
    }

    fn list_late(&mut self) {
        for note in self.switch.late(100) {
            let (no, kind, became) = (note.no, note.kind.word(), note.became);
            self.say(&format!("late {no}: {kind}, {became}"));
        }
    }
}

impl Stage {
    fn new(options: &Options<'_>) -> Self {
        let policy = Arc::new(policy(options));
        Self {
            switch: Switch::new(Arc::clone(&policy), 1),
            policy,
            now: Instant::default(),
            journal: vec![],
            durable: 0,
            disk: true,
            gate: true,
            unpackable: options.has("unpackable"),
            asked: vec![],
            slow_journal: options.has("slow_journal"),
            honest: false,
            held: vec![],
            sessions: BTreeMap::new(),
            last_session: 0,
            said: String::new(),
        }
    }
}

/// The story's `# policy:` line.
fn options_of(script: &str) -> Options<'_> {
    let header = script.lines().take_while(|l| l.starts_with('#'));
    Options(header.filter_map(|l| l.strip_prefix("# policy:")).next().unwrap_or_default())
}

/// Every beginning of the story's journal is a journal somebody may start with: what a start
/// makes of it, with banks that say yes to everything, must be in order and leave nothing owed.
pub(crate) fn recover_every_beginning(script: &str) -> Fallible<usize> {
    let (_, journal) = act(script)?;
    for end in 0..=journal.len() {
        let mut stage = Stage::new(&options_of(script));
        stage.journal = journal[..end].to_vec();
        stage.durable = end;
        (stage.honest, stage.unpackable, stage.slow_journal) = (true, false, false);
        stage.now = Instant::from_nanos(1_000_000_000_000);
        stage.crash();
        (1..LINES.len() as u16).for_each(|line| stage.session_up(line));
        stage.advance(stage.now.after(Duration::from_secs(900)));
        let owed: usize = (0..3).map(|bank| stage.switch.owed(BankId(bank))).sum();
        let mut auditor = Auditor::new();
        stage.journal.iter().for_each(|(no, record)| {
            auditor.see(*no, record);
        });
        let report = auditor.finish();
        // What an operator has to settle may differ.
        let given_up = |(_, record): &(RecordNo, Record)| {
            let Record::Desk(desk) = record else { return false };
            matches!(desk.verb, Some(DeskVerb::GiveUp(_)))
        };
        let asked = stage.switch.desk(&Listing::all(100)).into_iter().filter(|i| i.attention);
        let asked = asked.count();
        let excused = asked > 0 || stage.journal.iter().any(given_up);
        let owed = owed.saturating_sub(asked);
        let unsettled = report.totals.values().map(|t| t.difference()).any(|d| d != 0);
        let unsettled = unsettled && !excused;
        if owed > 0 || !report.violations.is_empty() || unsettled {
            let (said, broken, sums) = (&stage.said, &report.violations, &report.totals);
            return Err(format!(
                "after record {end}: {owed} owed, {broken:?}, {sums:?}, open {:?}\n{said}",
                report.open
            ));
        }
    }
    Ok(journal.len())
}

/// Plays a script and returns the transcript in the same form.
pub(crate) fn play(script: &str) -> Fallible<String> {
    act(script).map(|(said, _)| said)
}

/// Plays a script: what was said, and what was journaled.
fn act(script: &str) -> Fallible<(String, Vec<(RecordNo, Record)>)> {
    let header: Vec<&str> = script.lines().take_while(|l| l.starts_with('#')).collect();
    let options = options_of(script);
    let mut stage = Stage::new(&options);
    stage.switch.start(stage.wall());
    stage.settle();
    stage.said.clear();
    for line in &header {
        let _ = writeln!(stage.said, "{line}");
    }
    if !options.has("all_down") {
        stage.session_up(0);
        stage.session_up(1);
    }
    for line in script.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty()) {
        let (time, what) = line.split_once(' ').ok_or("expected `t=SECONDS what`")?;
        if !is_input(what) {
            continue;
        }
        let seconds = time.strip_prefix("t=").map(|t| t.trim_end_matches('s'));
        let seconds: f64 = seconds.and_then(|t| t.parse().ok()).ok_or("bad time")?;
        stage.advance(Instant::from_nanos((seconds * 1e9).round() as u64));
        stage.directive(what)?;
    }
    let mut auditor = Auditor::new();
    stage.journal.iter().for_each(|(no, record)| {
        auditor.see(*no, record);
    });
    for violation in auditor.finish().violations {
        stage.say(&format!("VIOLATION {violation}"));
    }
    Ok((stage.said, stage.journal))
}

/// Whether a line makes something happen rather than telling what did.
fn is_input(what: &str) -> bool {
    let words: Vec<&str> = what.split_whitespace().collect();
    matches!(
        words[..],
        [_, ">", ..]
            | [
                "gate"
                    | "disk"
                    | "desk"
                    | "crash"
                    | "end"
                    | "drain"
                    | "signoff"
                    | "signon"
                    | "recall"
                    | "reconcile"
                    | "cutover"
                    | "without",
                ..
            ]
            | [_, "up" | "down"]
    )
}
