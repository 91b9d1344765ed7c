//! The stage flows are played on: the real core, a gate, a journal in memory and virtual time.
//!
//! A script is a header of `# ...` lines, of which `# policy: ...` sets switches, then lines
//! `t=SECONDS what`. What happens: `platform > 0200 stan=1 amt=100`, `alfa > 0210 stan=1 rc=00`,
//! `alfa down`, `alfa up`, `gate hold`, `gate go`, `disk stop`, `disk go`, `crash`, `end`.

use pointsman::canonical::{
    Answer, Canonical, Flow, Kind, MacCheck, NetworkFunction, OriginalData, Reason, ResponseClass,
    TransactionType,
};
use pointsman::money::{Amount, Currency};
use pointsman::sensitive::{Pan, PinBlock};
use pointsman::switch::Switch;
use pointsman::switch::audit::Auditor;
use pointsman::switch::desk::Listing;
use pointsman::switch::ids::{BankId, LineId, PlatformId, RecordNo, SessionId, Ticket};
use pointsman::switch::input::{Command, DeskAction, DeskVerb, Input, Unsent};
use pointsman::switch::output::{Event, Output, RecallKey, Send};
use pointsman::switch::policy::{
    Bank, DuplicateWindow, Echo, Identities, Identity, JUDGED, Line, MatchScope, Network, Owner,
    Platform, Policy, Reversal, Route, Saf, SignOn,
};
use pointsman::switch::recall;
use pointsman::switch::record::Record;
use pointsman::text::Text;
use pointsman::time::{Instant, Now, Wall};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

type Fallible<T> = Result<T, String>;

/// Lines by index: the platform's door, two lines of one bank, one of a UnionPay bank.
const LINES: [&str; 4] = ["platform", "alfa", "alfa2", "union"];

fn text<const N: usize>(s: &str) -> Text<N> {
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
        pin_translation: false,
    }
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
    }
}

/// What `# policy:` may switch.
pub(crate) fn policy(options: &Options<'_>) -> Policy {
    let alfa_signs = if options.has("sign_on") { SignOn::Line } else { SignOn::No };
    let terminals = SignOn::Terminals(vec![(text("TERM1"), text("SHOP"))]);
    let platform = Owner::Platform(PlatformId(0));
    let owners = [platform, Owner::Bank(BankId(0)), Owner::Bank(BankId(0)), Owner::Bank(BankId(1))];
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
    Policy {
        hash: 1,
        platforms: vec![pos],
        banks: vec![
            bank(options, "alfa", &[1, 2], alfa_signs, false),
            bank(options, "union", &[3], terminals, true),
        ],
        lines: LINES.iter().zip(owners).map(line).collect(),
        routes: vec![route("cup", "62", "62", 1), route("visa", "4", "5", 0)],
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
        } else {
            self.switch.handle(self.wall(), Input::Unsent { id, why: Unsent::NoSession });
        }
        true
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

/// Plays a script and returns the transcript in the same form.
pub(crate) fn play(script: &str) -> Fallible<String> {
    let header: Vec<&str> = script.lines().take_while(|l| l.starts_with('#')).collect();
    let options = header.iter().find_map(|l| l.strip_prefix("# policy:")).unwrap_or_default();
    let policy = Arc::new(policy(&Options(options)));
    let mut stage = Stage {
        switch: Switch::new(Arc::clone(&policy), 1),
        policy,
        now: Instant::default(),
        journal: vec![],
        durable: 0,
        disk: true,
        gate: true,
        unpackable: Options(options).has("unpackable"),
        asked: vec![],
        slow_journal: Options(options).has("slow_journal"),
        held: vec![],
        sessions: BTreeMap::new(),
        last_session: 0,
        said: String::new(),
    };
    stage.switch.start(stage.wall());
    stage.settle();
    stage.said.clear();
    for line in &header {
        let _ = writeln!(stage.said, "{line}");
    }
    if !options.contains("all_down") {
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
    Ok(stage.said)
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
                    | "without",
                ..
            ]
            | [_, "up" | "down"]
    )
}

const TYPES: [(&str, TransactionType); 9] = [
    ("purchase", TransactionType::Purchase),
    ("preauth", TransactionType::PreAuthorization),
    ("preauthvoid", TransactionType::PreAuthorizationVoid),
    ("completion", TransactionType::Completion),
    ("completionvoid", TransactionType::CompletionVoid),
    ("void", TransactionType::Void),
    ("refund", TransactionType::Refund),
    ("balance", TransactionType::Balance),
    ("topup", TransactionType::TopUp),
];

const CODES: [(&str, ResponseClass); 14] = [
    ("00", ResponseClass::Approved),
    ("10", ResponseClass::Partial),
    ("01", ResponseClass::Refer),
    ("51", ResponseClass::Declined),
    ("04", ResponseClass::PickUp),
    ("91", ResponseClass::Retry),
    ("55", ResponseClass::Security),
    ("94", ResponseClass::Duplicate),
    ("30", ResponseClass::Format),
    ("A0", ResponseClass::Mac),
    ("77", ResponseClass::SignOn),
    ("25", ResponseClass::NotFound),
    ("21", ResponseClass::AlreadyReversed),
    ("ZZ", ResponseClass::Unknown),
];

const NETWORK: [(&str, NetworkFunction); 6] = [
    ("sign_on", NetworkFunction::SignOn),
    ("sign_off", NetworkFunction::SignOff),
    ("echo", NetworkFunction::Echo),
    ("key_change", NetworkFunction::KeyChange),
    ("cutover", NetworkFunction::Cutover),
    ("cutover_end", NetworkFunction::CutoverEnd),
];

fn lookup<T: Copy>(table: &[(&str, T)], word: &str) -> Fallible<T> {
    let found = table.iter().find(|(w, _)| *w == word).map(|(_, v)| *v);
    found.ok_or_else(|| format!("unknown word {word}"))
}

fn euros(minor: &str) -> Fallible<Amount> {
    let minor = minor.parse().map_err(|_| "bad amount")?;
    let currency = Currency::new(978).ok_or("bad currency")?;
    Ok(Amount::new(minor, currency))
}

/// Reads a message line; what is not stated has its usual value.
pub(crate) fn read(mti: &str, words: &[&str]) -> Fallible<Canonical> {
    let stated = |key: &str| words.iter().find_map(|w| w.strip_prefix(key)?.strip_prefix('='));
    let digits = mti.as_bytes();
    let flow = match digits.get(2) {
        Some(b'0') => Flow::Request,
        Some(b'1') => Flow::Response,
        Some(b'2') => Flow::Advice,
        Some(b'3') => Flow::AdviceResponse,
        Some(b'4') => Flow::Notification,
        _ => return Err(format!("bad MTI {mti}")),
    };
    let of_mti = if digits.get(1) == Some(&b'1') { "preauth" } else { "purchase" };
    let kind = lookup(&TYPES, stated("type").unwrap_or(of_mti))?;
    let kind = match digits.get(1) {
        Some(b'1' | b'2') => Kind::Transaction(kind),
        Some(b'4') => Kind::Reversal(kind),
        Some(b'5') => Kind::Reconciliation,
        Some(b'8') => Kind::NetworkManagement(lookup(&NETWORK, stated("fn").unwrap_or("echo"))?),
        _ => return Err(format!("bad MTI {mti}")),
    };
    let mut msg = Canonical::new(kind, flow);
    msg.mti = mti.parse().ok();
    msg.repeat = digits.get(3).is_some_and(|d| d % 2 == 1);
    msg.stan = stated("stan").and_then(|s| s.parse().ok());
    msg.amount = stated("amt").map(euros).transpose()?;
    msg.replacement_amount = stated("new").map(euros).transpose()?;
    msg.auth_id = stated("auth").map(text);
    msg.batch = stated("batch").and_then(|b| b.parse().ok());
    msg.settlement_date = stated("f15").map(text);
    msg.accepts_partial = words.contains(&"partial");
    if words.contains(&"mac=bad") {
        msg.mac = MacCheck::Bad;
    }
    if words.contains(&"pin") {
        msg.pin_block = PinBlock::new(&[7; 8]).ok();
    }
    msg.terminal = stated("term").map(text);
    msg.original = stated("orig").map(|stan| OriginalData {
        stan: stan.parse().ok(),
        mti: stated("omti").map(text),
        transmission: Some(text(stated("of7").unwrap_or("1122000000"))),
        ..OriginalData::default()
    });
    if flow.is_answer() {
        msg.answer = stated("rc")
            .map(|rc| Ok::<_, String>(Answer::Given { class: lookup(&CODES, rc)?, code: text(rc) }))
            .transpose()?;
    } else if !matches!(kind, Kind::NetworkManagement(_)) {
        let pan = stated("pan").unwrap_or("4111111111111111");
        msg.pan = Pan::new(pan.as_bytes()).ok();
        msg.transmission = Some(text(stated("f7").unwrap_or("1122000000")));
        msg.terminal = Some(text(stated("term").unwrap_or("TERM1")));
        msg.merchant = Some(text(stated("shop").unwrap_or("SHOP")));
    }
    Ok(msg)
}

/// Writes a message line.
fn show(msg: &Canonical) -> String {
    let class = match msg.kind {
        Kind::Transaction(TransactionType::PreAuthorization) => 1,
        Kind::Transaction(_) => 2,
        Kind::BatchUpload => 3,
        Kind::Reversal(_) => 4,
        Kind::Reconciliation => 5,
        Kind::NetworkManagement(_) => 8,
    };
    let flow = match msg.flow {
        Flow::Request => 0,
        Flow::Response => 1,
        Flow::Advice => 2,
        Flow::AdviceResponse => 3,
        Flow::Notification => 4,
        Flow::NotificationResponse => 5,
    };
    let mut s = format!("0{class}{flow}{}", u8::from(msg.repeat));
    let name = |table: &[(&str, TransactionType)], kind| {
        table.iter().find(|(_, t)| *t == kind).map_or("?", |(n, _)| *n).to_owned()
    };
    match msg.kind {
        Kind::NetworkManagement(function) => {
            let word = NETWORK.iter().find(|(_, f)| *f == function).map_or("?", |(w, _)| *w);
            let _ = write!(s, " fn={word}");
        }
        Kind::Transaction(TransactionType::Purchase | TransactionType::PreAuthorization)
        | Kind::Reversal(TransactionType::Purchase)
        | Kind::Reconciliation
        | Kind::BatchUpload => {}
        Kind::Transaction(kind) | Kind::Reversal(kind) => {
            let _ = write!(s, " type={}", name(&TYPES, kind));
        }
    }
    let mut put = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = write!(s, " {key}={value}");
        }
    };
    put("stan", msg.stan.map(|n| n.to_string()));
    put("amt", msg.amount.map(|a| a.minor.to_string()));
    put("new", msg.replacement_amount.map(|a| a.minor.to_string()));
    put("rc", msg.answer.map(code));
    put("auth", msg.auth_id.map(|a| a.to_string()));
    put("batch", msg.batch.map(|b| b.to_string()));
    put("orig", msg.original.as_ref().and_then(|o| o.stan).map(|n| n.to_string()));
    put("reason", msg.reason.map(|r| format!("{r:?}")));
    let identified = msg.terminal.filter(|t| t.as_str() != "TERM1");
    put("term", identified.map(|t| t.to_string()));
    s
}

/// The code a dialect would spell, with our own reason in words.
fn code(answer: Answer) -> String {
    match answer {
        Answer::Given { code, .. } => code.to_string(),
        Answer::Own(reason) => {
            let code = match reason {
                Reason::Accepted => return "00".to_owned(),
                Reason::FormatError => "30",
                Reason::InvalidTransaction => "12",
                Reason::UnknownMerchant => "03",
                Reason::UnknownTerminal => "97",
                Reason::NoRoute => "15",
                Reason::PinNotSupported => "40",
                Reason::BankDown => "91",
                Reason::Timeout | Reason::AnswerTooLate => "68",
                Reason::Duplicate => "94",
                Reason::OriginalNotFound => "25",
                Reason::Reversed => "05",
                Reason::SystemError | Reason::InvalidAnswer => "96",
                Reason::MacFailed => "A0",
                Reason::Undeliverable | Reason::CustomerCancel => "06",
            };
            format!("{code}({reason:?})")
        }
    }
}

/// Records worth a line: outcomes and obligations, not what a message line says already.
fn show_record(no: RecordNo, record: &Record) -> Option<String> {
    Some(match record {
        Record::Intent(i) => format!("journal {no} intent {} {}", i.bank, i.keys.stan),
        Record::Outcome(o) => format!("journal {no} outcome {} {:?}", o.txn, o.leg),
        Record::Queued(q) => {
            let of = q.txn.map_or("unknown".to_owned(), |t| t.to_string());
            format!("journal {no} owed {:?} {of} {:?}", q.owed, q.reason)
        }
        Record::Closed(c) => format!("journal {no} closed {} {:?}", c.entry, c.ending),
        Record::Late(l) => {
            let of = l.txn.map_or("unknown".to_owned(), |t| t.to_string());
            format!("journal {no} late {of} {:?}", l.leg)
        }
        Record::Desk(d) => format!("journal {no} desk {} {:?}", d.item, d.verb),
        Record::Refused(r) => format!("journal {no} refused {:?}", r.reason),
        Record::Cutover(c) => format!("journal {no} cutover {} {}", c.bank, c.date),
        Record::Forgotten(f) => format!("journal {no} forgotten {f:?}"),
        Record::Answered(_)
        | Record::Released(_)
        | Record::Attempt(_)
        | Record::Policy(_)
        | Record::LineState(_)
        | Record::Garbled(_) => return None,
    })
}

/// Events that no other line tells.
fn show_event(event: &Event) -> Option<String> {
    Some(match event {
        Event::LateAnswer { .. } => "event late answer".to_owned(),
        Event::DuplicateAnswer { .. } => "event duplicate answer".to_owned(),
        Event::UnmatchedAnswer { .. } => "event unmatched answer".to_owned(),
        Event::Repeat { txn, .. } => format!("event repeat {txn}"),
        Event::DuplicateConflict { .. } => "event duplicate conflict".to_owned(),
        Event::StansExhausted { .. } => "event no STAN is free".to_owned(),
        Event::NotSent { why, .. } => format!("event not sent {why:?}"),
        Event::DeskRefused(refusal) => format!("event desk refused, {refusal}"),
        Event::Impossible { what } => format!("event IMPOSSIBLE {what}"),
        Event::LineReady { line } => format!("event line {line} ready"),
        Event::LineLost { line } => format!("event line {line} lost"),
        Event::Answered { .. }
        | Event::TimedOut { .. }
        | Event::ReversalQueued { .. }
        | Event::ReversalClosed { .. }
        | Event::Garbled { .. }
        | Event::Network { .. }
        | Event::KeysRefused { .. }
        | Event::OnDesk { .. }
        | Event::DeskDecided { .. }
        | Event::PinDeclined { .. }
        | Event::ReloadRefused => return None,
    })
}
