//! The stage flows are played on: the real core, a gate, a journal in memory and virtual time.
//!
//! A script is a header of `# ...` lines, of which `# policy: ...` sets switches, then lines
//! `t=SECONDS what`. What happens: `platform > 0200 stan=1 amt=100`, `alfa > 0210 stan=1 rc=00`,
//! `alfa > unreadable 0210 stan=1`, `alfa down`, `alfa up`, `gate hold`, `gate go`, `disk stop`,
//! `disk go`, `crash`, `end`.

use crate::setting::{LINES, Options, policy, text};
use crate::totals;
use crate::words::{period, read, show, show_event, show_record};
use pointsman::canonical::{Answer, Canonical, Flow, Reconciliation, ResponseClass};
use pointsman::switch::Switch;
use pointsman::switch::desk::Listing;
use pointsman::switch::ids::{LineId, RecordNo, SessionId, Ticket};
use pointsman::switch::input::{
    BankSignOff, Command, DeskAction, DeskSweep, DeskVerb, Garbled, Input, Unsent, Which,
};
use pointsman::switch::library::{self, Recalled};
use pointsman::switch::output::{Output, RecallKey, Send};
use pointsman::switch::policy::Policy;
use pointsman::switch::record::{Cause, Record};
use pointsman::switch::totals::TerminalBatch;
use pointsman::switch::unsettled::Asked;
use pointsman::text::Text;
use pointsman::time::{Day, Instant, Now, Wall};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

pub(crate) type Fallible<T> = Result<T, String>;

/// Everything around the core.
pub(crate) struct Stage {
    policy: Arc<Policy>,
    pub(crate) switch: Switch,
    pub(crate) now: Instant,
    pub(crate) journal: Vec<(RecordNo, Record)>,
    pub(crate) durable: usize,
    disk: bool,
    gate: bool,
    /// Nothing for a bank can be packed.
    pub(crate) unpackable: bool,
    /// What the journal was asked and has not said, where it is slow.
    asked: Vec<(Ticket, RecallKey)>,
    /// The oldest record that can still be read.
    kept: RecordNo,
    /// Up to this one records were lost to damage.
    lost: RecordNo,
    pub(crate) slow_journal: bool,
    /// Banks that approve at once whatever they are told.
    pub(crate) honest: bool,
    held: Vec<Send>,
    sessions: BTreeMap<u64, u16>,
    last_session: u64,
    pub(crate) said: String,
    /// When the story begins, in milliseconds since 1970: moved where its clock is set.
    midnight: i64,
}

/// 2026-11-22T00:00:00Z.
const MIDNIGHT: i64 = 1_795_305_600_000;

impl Stage {
    pub(crate) fn wall(&self) -> Now {
        let millis = (self.now.nanos() / 1_000_000) as i64;
        Now { mono: self.now, wall: Wall::from_millis(self.midnight + millis) }
    }

    pub(crate) fn say(&mut self, line: &str) {
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
    pub(crate) fn settle(&mut self) {
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
            self.hand_back(send, Unsent::NoSession);
        }
        true
    }

    fn hand_back(&mut self, Send { id, msg, .. }: Send, why: Unsent) {
        self.switch.handle(self.wall(), Input::HandedBack { id, why, msg });
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
                let last = self.journal.last().map(|(no, _)| *no).unwrap_or_default();
                assert_eq!(no.0, last.max(self.lost).0 + 1, "records have no gaps");
                if let Some(line) = show_record(no, &record) {
                    self.say(&line);
                }
                self.journal.push((no, *record));
            }
            Output::Send(send) => self.held.push(send),
            Output::Cancel { id } => {
                if let Some(at) = self.held.iter().position(|s| s.id == id) {
                    let send = self.held.remove(at);
                    self.hand_back(send, Unsent::Cancelled);
                }
            }
            Output::Recall { ticket, key } if self.slow_journal => {
                self.asked.push((ticket, key));
            }
            Output::Recall { ticket, key } => {
                let found = self.recall(key);
                self.switch.handle(self.wall(), Input::Recalled { ticket, found });
            }
            Output::Close { session, why } => {
                self.say(&format!("close {session} {why:?}"));
                self.session_down(session.0);
            }
            Output::Nonsense { session, kind } => {
                self.say(&format!("nonsense {session} {}", kind.word()));
            }
            Output::Event(event) => {
                if let Some(line) = show_event(&event) {
                    self.say(&line);
                }
            }
        }
    }

    fn recall(&self, key: RecallKey) -> Recalled {
        // What a disk that stands still does not have, nobody finds there.
        let there = if self.disk { self.journal.len() } else { self.durable };
        let kept = self.journal.iter().take(there).filter(|(no, _)| *no >= self.kept);
        library::search(&key, &kept.map(|(no, record)| (*no, record)).collect::<Vec<_>>())
    }

    pub(crate) fn session_up(&mut self, line: u16) {
        self.last_session += 1;
        self.sessions.insert(self.last_session, line);
        let session = SessionId(self.last_session);
        self.feed(Input::LineUp { line: LineId(line), session });
    }

    fn session_down(&mut self, session: u64) {
        let Some(line) = self.sessions.remove(&session) else { return };
        let gone: Vec<_> = self.held.extract_if(.., |s| s.session.0 == session).collect();
        for send in gone {
            self.hand_back(send, Unsent::NoSession);
        }
        self.feed(Input::LineDown { line: LineId(line), session: SessionId(session) });
    }

    fn line_down(&mut self, line: u16) {
        let mine = |(s, l): (&u64, &u16)| (*l == line).then_some(*s);
        let sessions: Vec<u64> = self.sessions.iter().filter_map(mine).collect();
        sessions.into_iter().for_each(|s| self.session_down(s));
    }

    /// Time passes; what falls due happens on the way.
    pub(crate) fn advance(&mut self, to: Instant) {
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

    pub(crate) fn crash(&mut self) {
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

    /// A crash, and from this record on the journal is damaged: an operator accepts the loss.
    fn lose(&mut self, from: &str) -> Fallible<()> {
        let from = RecordNo(from.parse().map_err(|_| "no record number")?);
        self.journal.truncate(self.durable);
        let last = self.journal.last().map(|(no, _)| *no).unwrap_or_default();
        self.journal.retain(|(no, _)| *no < from);
        self.durable = self.journal.len();
        self.held.clear();
        self.sessions.clear();
        self.switch = Switch::new(Arc::clone(&self.policy), 1);
        for (no, record) in &self.journal {
            self.switch.replay(*no, record);
        }
        self.switch.lost(last);
        self.lost = last;
        self.switch.start(self.wall());
        self.settle();
        Ok(())
    }

    pub(crate) fn directive(&mut self, line: &str) -> Fallible<()> {
        self.say(line);
        let words: Vec<&str> = line.split_whitespace().collect();
        let line_of = |name: &str| LINES.iter().position(|l| *l == name).map(|l| l as u16);
        match words[..] {
            ["gate", what] => self.gate = what == "go",
            ["disk", what] => self.disk = what == "go",
            ["crash"] => self.crash(),
            ["clock", by] => {
                let seconds: i64 = by.parse().map_err(|_| "not so many seconds")?;
                self.midnight += seconds * 1_000;
            }
            ["lose", from] => self.lose(from)?,
            ["retire", upto] => self.kept = RecordNo(upto.parse().map_err(|_| "no record number")?),
            ["recall"] => {
                let (ticket, key) = self.asked.remove(0);
                let found = self.recall(key);
                self.feed(Input::Recalled { ticket, found });
            }
            ["without", bank] => self.without(bank),
            ["reload", "without", bank] => self.reload_without(bank),
            ["end"] => {}
            ["reconcile", bank] => self.reconcile(bank, Which::Present),
            ["reconcile", bank, date] => self.reconcile(bank, Which::Date(text(date))),
            ["reconcile", bank, terminal, batch] => {
                let batch = batch.parse().map_err(|_| "no batch")?;
                let of = TerminalBatch { terminal: text(terminal), batch };
                self.reconcile(bank, Which::Batch(of));
            }
            ["books", bank] => self.list_books(bank),
            ["books", bank, "unsettled"] => self.list_unsettled(bank),
            ["cutover", bank, date] => {
                let (bank, date, operator) = (text(bank), Some(text(date)), text("anna"));
                self.feed(Input::Command(Command::Cutover { bank, date, operator }));
            }
            ["no-room"] => self.feed(Input::Command(Command::NoRoom(true))),
            ["room"] => self.feed(Input::Command(Command::NoRoom(false))),
            ["drain"] => self.feed(Input::Command(Command::Drain)),
            ["desk", ref what @ ..] => self.at_desk(what)?,
            ["signoff", bank, why] => self.sign_off(bank, Some(text(why))),
            ["signon", bank] => self.sign_off(bank, None),
            [name, "up"] => self.session_up(line_of(name).ok_or("no such line")?),
            [name, "down"] => self.line_down(line_of(name).ok_or("no such line")?),
            [name, ">", "unreadable", mti, ..] => {
                let line = line_of(name).ok_or("no such line")?;
                let readable = Some(Box::new(read(mti, &words[4..])?));
                self.unreadable(line, readable)?;
            }
            [name, ">", mti, ..] => {
                let line = line_of(name).ok_or("no such line")?;
                let msg = Box::new(read(mti, &words[3..])?);
                let newest = self.sessions.iter().rev().find(|(_, l)| **l == line);
                let session = SessionId(*newest.ok_or("that line is down")?.0);
                let received = self.now;
                self.feed(Input::Message { session, received, msg });
            }
            _ => return Err(format!("not understood: {line}")),
        }
        self.settle();
        Ok(())
    }

    /// Of a message of this line only the number can be read.
    fn unreadable(&mut self, line: u16, readable: Option<Box<Canonical>>) -> Fallible<()> {
        let newest = self.sessions.iter().rev().find(|(_, l)| **l == line);
        let session = SessionId(*newest.ok_or("that line is down")?.0);
        let (path, received) = (text("44"), self.now);
        let garbled = Garbled { path, offset: 40, len: 90, digest: [0; 16], readable };
        self.feed(Input::Garbled { session, received, garbled: Box::new(garbled) });
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

    /// A configuration is read again that has lost a bank.
    fn reload_without(&mut self, bank: &str) {
        let mut policy = (*self.policy).clone();
        policy.banks.iter_mut().filter(|b| b.name == text(bank)).for_each(|b| b.name = text("new"));
        self.feed(Input::Command(Command::Reload(Arc::new(policy))));
    }

    fn reconcile(&mut self, bank: &str, which: Which) {
        let (bank, operator) = (text(bank), text("anna"));
        self.feed(Input::Command(Command::Reconcile { bank, which, operator }));
    }

    /// What is kept of a bank's periods.
    fn list_books(&mut self, bank: &str) {
        let (all, bank) = (self.switch.totals().all(), text(bank));
        let lines: Vec<String> = all
            .filter(|(bucket, _)| bucket.bank == bank)
            .map(|(bucket, kept)| {
                let totals = Reconciliation { totals: Some(kept.totals), ..Default::default() };
                let (period, sums) = (period(bucket.period), totals::show(&totals));
                format!("kept {period} {}:{sums}, {:?}", bucket.currency, kept.standing)
            })
            .collect();
        lines.iter().for_each(|line| self.say(line));
    }

    /// What an operator is told of a bank's periods, two at a time.
    fn list_unsettled(&mut self, bank: &str) {
        let mut asked = Asked { bank: text(bank), after: None, limit: 2 };
        loop {
            let page = self.switch.unsettled(&asked);
            for of in &page {
                let (at, doing) = (period(of.bucket.period), of.doing.word());
                let net = of.kept.totals.net();
                self.say(&format!("{doing} {at} {}: net={net}", of.bucket.currency));
            }
            let Some(last) = page.last().filter(|_| page.len() == asked.limit) else { return };
            asked.after = Some(last.bucket);
        }
    }

    fn desk(&mut self, no: &str, verb: DeskVerb) -> Fallible<()> {
        let item = RecordNo(no.parse().map_err(|_| "no record number")?);
        let action = DeskAction { item, operator: text("anna"), verb };
        self.feed(Input::Command(Command::Desk(action)));
        Ok(())
    }

    pub(crate) fn sign_off(&mut self, bank: &str, off: Option<Text<64>>) {
        let (bank, operator) = (text(bank), text("anna"));
        self.feed(Input::Command(Command::SignOff(BankSignOff { bank, operator, off })));
    }

    fn list_desk(&mut self) {
        for item in self.switch.desk(&Listing::all(100)) {
            let (item_no, bank, tries) = (item.item, item.bank, item.tries);
            let (state, why) = (item.state.word(), item.why.to_string());
            let mut minor = item.amount.map_or(0, |a| a.minor).to_string();
            if let Some(left) = item.left {
                minor += &format!(" (leaves {})", left.minor);
            }
            if let Some(booked) = item.booked {
                minor += &format!(" (the bank: {})", booked.minor);
            }
            let look = if item.attention { " attention" } else { "" };
            let allowed = item.allowed;
            let line = format!("item {item_no}: {bank} {minor} {state}, tries {tries}, {why}");
            self.say(&format!("{line}; allowed: {allowed}{look}"));
        }
    }

    /// What an operator does at the desk.
    fn at_desk(&mut self, words: &[&str]) -> Fallible<()> {
        match *words {
            ["resend", no] => self.desk(no, DeskVerb::Resend)?,
            ["giveup", no] => self.desk(no, DeskVerb::GiveUp(Text::EMPTY))?,
            ["giveup", no, why] => self.desk(no, DeskVerb::GiveUp(text(why)))?,
            ["reverse", no] => self.desk(no, DeskVerb::Reverse(Text::EMPTY))?,
            ["did", no] => self.desk(no, DeskVerb::Did(Text::EMPTY))?,
            ["reverse", no, why] => self.desk(no, DeskVerb::Reverse(text(why)))?,
            ["did", no, why] => self.desk(no, DeskVerb::Did(text(why)))?,
            ["didnot", no, why] => self.desk(no, DeskVerb::DidNot(text(why)))?,
            ["all", what, bank, cause, why] => self.sweep(what, (bank, None), cause, why)?,
            ["all", what, bank, "of", platform, cause, why] => {
                self.sweep(what, (bank, Some(platform)), cause, why)?;
            }
            ["show", no] => self.show_item(no),
            ["list"] => self.list_desk(),
            ["late"] => self.list_late(),
            _ => return Err(format!("not understood: desk {words:?}")),
        }
        Ok(())
    }

    fn sweep(
        &mut self,
        what: &str,
        (bank, platform): (&str, Option<&str>),
        cause: &str,
        why: &str,
    ) -> Fallible<()> {
        let verb = match what {
            "did" => DeskVerb::Did(text(why)),
            "didnot" => DeskVerb::DidNot(text(why)),
            _ => DeskVerb::GiveUp(text(why)),
        };
        let cause = Cause::named(cause).ok_or("no such cause")?;
        let (bank, operator, after) = (text(bank), text("anna"), RecordNo(0));
        let platform = platform.map(text);
        let sweep = DeskSweep { bank, platform, cause, after, operator, verb };
        self.feed(Input::Command(Command::DeskAll(sweep)));
        Ok(())
    }

    /// What an operator tells a bank on the telephone.
    fn show_item(&mut self, no: &str) {
        for item in self.switch.desk(&Listing::all(100)) {
            if item.item.to_string() != no {
                continue;
            }
            let shown = |text: Option<&str>| text.unwrap_or("-").to_owned();
            let line = format!(
                "item {no}: stan {:?}, terminal {}, merchant {}, auth {}, its rrn {}, \
                 asked {} {:?}, cause {}",
                item.stan.unwrap_or_default(),
                shown(item.terminal.as_ref().map(Text::as_str)),
                shown(item.merchant.as_ref().map(Text::as_str)),
                shown(item.auth_id.as_ref().map(Text::as_str)),
                shown(item.bank_rrn.as_ref().map(Text::as_str)),
                shown(item.platform.as_ref().map(Text::as_str)),
                item.platform_stan.unwrap_or_default(),
                item.cause.map_or("-", Cause::word),
            );
            self.say(&line);
        }
    }

    fn list_late(&mut self) {
        for note in self.switch.late(100) {
            let (no, kind, became) = (note.no, note.kind.word(), note.became);
            self.say(&format!("late {no}: {kind}, {became}"));
        }
    }
}

/// The first moment of the story: of the day that `day=` names.
fn midnight(options: &Options<'_>) -> i64 {
    let day: Option<Day> = options.word("day=").and_then(|day| day.parse().ok());
    let usual = Day::of(Wall::from_millis(MIDNIGHT));
    let later = day.and_then(|day| day.days_after(usual)).unwrap_or_default();
    MIDNIGHT + i64::from(later) * 86_400_000
}

impl Stage {
    pub(crate) fn new(options: &Options<'_>) -> Self {
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
            kept: RecordNo(1),
            lost: RecordNo(0),
            slow_journal: options.has("slow_journal"),
            honest: false,
            held: vec![],
            sessions: BTreeMap::new(),
            last_session: 0,
            said: String::new(),
            midnight: midnight(options),
        }
    }
}
