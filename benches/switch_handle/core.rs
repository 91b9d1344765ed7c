//! The pure core on virtual time, with as many transactions in flight as a busy line has.
//!
//! Contract: a turn takes [`WINDOW`] transactions through the core as the driver would – every
//! output taken out, every frame accounted for, every record's number reported durable – and
//! counts only the time inside `handle` and `poll`; what sessions and banks do is made before.
//! Records and messages are freed outside the measured time: writing them is the journal's part.
//! Deliberately absent: gate, disk, sockets, dialects.

use pointsman::canonical::{Answer, Canonical, Flow, Kind, ResponseClass, TransactionType};
use pointsman::config::load;
use pointsman::iso8583::shipped;
use pointsman::money::{Amount, Currency};
use pointsman::sensitive::Pan;
use pointsman::switch::Switch;
use pointsman::switch::ids::{BankId, LineId, RecordNo, SessionId};
use pointsman::switch::input::Input;
use pointsman::switch::output::{Output, Send};
use pointsman::switch::record::Record;
use pointsman::text::Text;
use pointsman::time::{Instant, Now, Wall};
use std::str::FromStr;
use std::time::Duration;

/// In flight at once.
pub(crate) const WINDOW: usize = 1_024;

/// Time that passes between two inputs: 100,000 transactions a second.
const STEP_NANOS: u64 = 2_000;
/// 2026-11-22T00:00:00Z.
const MIDNIGHT: i64 = 1_795_305_600_000;
const PLATFORM: SessionId = SessionId(1);
const BANK: SessionId = SessionId(2);

const CONFIG: &str = r#"
[journal]
folder = "journal"
[duplicates]
count = 1_000_000
[platform.shop]
listen = "127.0.0.1:0"
dialect = "iso8583-1987-ascii"
framing = "2-byte-be"
max_in_flight = 4096
[bank.river]
dialect = "iso8583-1987-bcd"
framing = "2-byte-be-tpdu"
tpdu = "6000010002"
window = 4096
default_merchant = "RIVER0000000001"
default_terminal = "RIV00001"
sign_on = "no"
[[bank.river.line]]
connect = ["127.0.0.1:1"]
[[route]]
name = "all"
bank = "river"
"#;

/// How a transaction goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Story {
    /// Approved by the bank; the approval leaves.
    Purchase,
    /// Declined by the bank.
    Decline,
    /// No answer in time: declined, reversed, the reversal acknowledged.
    Timeout,
}

/// All of them with their names in the rows.
pub(crate) const STORIES: [(&str, Story); 3] =
    [("purchase", Story::Purchase), ("decline", Story::Decline), ("timeout", Story::Timeout)];

/// What one turn asked for.
#[derive(Default)]
struct Taken {
    sends: Vec<Send>,
    records: Vec<(RecordNo, Box<Record>)>,
}

/// The core and the time it has spent.
pub(crate) struct Core {
    switch: Switch,
    template: Canonical,
    now: u64,
    numbers: u64,
    taken: Taken,
    spent: Duration,
}

impl Core {
    /// A core with both lines up.
    ///
    /// # Errors
    /// Where the configuration above is not accepted any more.
    pub(crate) fn new() -> Result<Self, String> {
        let dialects = |name: &str| shipped(name).map(str::to_owned);
        let settings = load(CONFIG, &dialects).map_err(|errors| format!("{errors:?}"))?;
        let switch = Switch::new(settings.policy, 1);
        let (taken, spent, template) = (Taken::default(), Duration::ZERO, template());
        let mut core = Self { switch, template, now: 1, numbers: 0, taken, spent };
        core.switch.start(core.time());
        for (line, session) in [(0, PLATFORM), (1, BANK)] {
            core.feed(vec![Input::LineUp { line: LineId(line), session }]);
        }
        core.account();
        core.spent = Duration::ZERO;
        Ok(core)
    }

    /// Takes `count` transactions through, at most [`WINDOW`]; how long the core took.
    pub(crate) fn turn(&mut self, story: Story, count: usize) -> Duration {
        self.spent = Duration::ZERO;
        let asked = self.ask(count);
        if story == Story::Timeout {
            self.now += Duration::from_secs(60).as_nanos() as u64;
            self.feed(vec![Input::Timer]);
            self.account();
            self.pay();
        } else {
            self.answer(asked, if story == Story::Purchase { "00" } else { "51" });
        }
        self.account();
        self.spent
    }

    /// What the bank is still owed: nothing after a whole turn, or the turn was not a whole one.
    pub(crate) fn owed(&self) -> usize {
        self.switch.owed(BankId(0))
    }

    /// Sends `count` transactions to the bank, which has yet to answer: what it was asked.
    pub(crate) fn ask(&mut self, count: usize) -> Vec<Send> {
        // Of the time it is: an older one might be forgotten, and asked for in the journal.
        let sent = self.time().wall.utc().strftime("%m%d%H%M%S").to_string();
        self.template.transmission = Some(text(&sent));
        let requests = (0..count).map(|_| self.request()).collect();
        self.feed(requests);
        self.account()
    }

    fn time(&self) -> Now {
        let millis = (self.now / 1_000_000) as i64;
        Now { mono: Instant::from_nanos(self.now), wall: Wall::from_millis(MIDNIGHT + millis) }
    }

    /// One step per input, as the driver does it.
    fn feed(&mut self, inputs: Vec<Input>) {
        let began = std::time::Instant::now();
        for input in inputs {
            self.now += STEP_NANOS;
            self.switch.handle(self.time(), input);
            while let Some(output) = self.switch.poll() {
                match output {
                    Output::Append(no, record) => self.taken.records.push((no, record)),
                    Output::Send(send) => self.taken.sends.push(send),
                    Output::Event(_)
                    | Output::Cancel { .. }
                    | Output::Recall { .. }
                    | Output::Close { .. }
                    | Output::Nonsense { .. } => {}
                }
            }
        }
        self.spent += began.elapsed();
    }

    /// The declines have left; now the reversals do, as fast as the bank may be sent them.
    fn pay(&mut self) {
        while self.owed() > 0 {
            self.now += Duration::from_secs(1).as_nanos() as u64;
            self.feed(vec![Input::Timer]);
            let sent = self.account();
            self.answer(sent.into_iter().filter(|send| send.session == BANK).collect(), "00");
            self.account();
        }
    }

    /// Everything recorded is durable, everything sent has left, and so on until nothing is sent
    /// any more; gives what was sent first.
    fn account(&mut self) -> Vec<Send> {
        let mut sent = Vec::new();
        while !(self.taken.records.is_empty() && self.taken.sends.is_empty()) {
            let durable = self.taken.records.last().map(|(upto, _)| Input::Durable { upto: *upto });
            let mut inputs = Vec::from_iter(durable);
            let sends = std::mem::take(&mut self.taken.sends);
            inputs.extend(sends.iter().map(|send| Input::Released { id: send.id }));
            sent.extend(sends);
            self.taken.records.clear();
            self.feed(inputs);
        }
        sent
    }

    fn answer(&mut self, asked: Vec<Send>, code: &str) {
        let class = if code == "00" { ResponseClass::Approved } else { ResponseClass::Declined };
        let received = self.time().mono;
        let answers = asked.into_iter().map(|send| {
            let mut msg = send.msg;
            msg.flow = msg.flow.answer().unwrap_or(msg.flow);
            msg.answer = Some(Answer::Given { class, code: text(code) });
            msg.auth_id = (code == "00").then(|| text("A12345"));
            Input::Message { session: BANK, received, msg }
        });
        self.feed(answers.collect());
    }

    /// Makes requests and drops them.
    pub(crate) fn requests_only(&mut self, count: usize) {
        std::hint::black_box((0..count).map(|_| self.request()).collect::<Vec<_>>());
    }

    fn request(&mut self) -> Input {
        self.numbers += 1;
        let n = self.numbers;
        let mut msg = Box::new(self.template.clone());
        msg.stan = Some((n % 999_999 + 1) as u32);
        msg.rrn = Text::new(&digits::<12>(n)).ok();
        msg.terminal = Text::new(&digits::<8>(n / 999_999)).ok();
        Input::Message { session: PLATFORM, received: self.time().mono, msg }
    }
}

/// A purchase with the fields that `end_to_end` sends.
fn template() -> Canonical {
    let kind = Kind::Transaction(TransactionType::Purchase);
    let mut msg = Canonical::new(kind, Flow::Request);
    msg.mti = Some(text("0200"));
    msg.pan = Pan::new(b"5555555555554444").ok();
    msg.processing_code = Some(text("000000"));
    msg.amount = Currency::new(156).map(|currency| Amount::new(1_000, currency));
    msg.local_time = Some(text("112153"));
    msg.local_date = Some(text("1122"));
    msg.expiry = Some(text("2812"));
    msg.merchant_type = Some(text("5411"));
    msg.pos_entry_mode = Some(text("051"));
    msg.pos_condition = Some(text("00"));
    msg.acquirer = Some(text("123456"));
    msg.merchant = Some(text("MERCHANT0000001"));
    msg
}

fn text<const N: usize>(value: &str) -> Text<N> {
    Text::from_str(value).unwrap_or_default()
}

fn digits<const N: usize>(mut number: u64) -> [u8; N] {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    digits
}
