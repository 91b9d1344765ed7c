//! The platform: sends committed frames, reads answers, keeps its ledger, takes back what was
//! not answered.
//!
//! Contract: the platform contract and nothing more. A request without an answer in time is
//! settled by its repeat (every second one, to try both ways) or by its reversal, and the
//! reversal is sent until it is acknowledged. Every answer must fit what was asked; the ledger
//! says where it does not.

use crate::frames::{self, repeated};
use crate::walk::{Answer, whole_frames};
use crate::{SOON, Tested, wait_until};
use simulators::bank::business::Business;
use simulators::clock::{now_ms, stamp};
use simulators::platform::ledger::{End, Request, Reversal, Why};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How far a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The answer may still come.
    Asked,
    /// So may that of its repeat.
    Repeated,
    /// Given up; its reversal is sent until it is acknowledged.
    Reversing,
    /// Nothing more is to come.
    Settled,
}

/// One request.
#[derive(Debug)]
struct Row {
    step: Step,
    since: Instant,
    frame: Vec<u8>,
    reversal: Option<(String, Vec<u8>)>,
    /// The newest answer's bytes.
    answer: Vec<u8>,
    request: Request,
}

/// The platform.
#[derive(Debug)]
pub(crate) struct Shop {
    door: Option<SocketAddr>,
    stream: Option<TcpStream>,
    inbox: Vec<u8>,
    rows: Vec<Row>,
    /// MTI class and STAN of everything sent.
    sent: BTreeMap<(char, String), usize>,
    patience: Duration,
    /// Answers to nothing that was asked.
    pub(crate) strays: Vec<Answer>,
}

impl Shop {
    /// A platform that waits so long for an answer.
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            door: None,
            stream: None,
            inbox: Vec::new(),
            rows: Vec::new(),
            sent: BTreeMap::new(),
            patience,
            strays: Vec::new(),
        }
    }

    /// Calls the switch, and calls again whenever the connection is lost.
    pub(crate) fn call(&mut self, door: SocketAddr) -> Tested {
        self.hang_up();
        self.door = Some(door);
        self.connect()
    }

    /// Ends the connection and does not call again.
    pub(crate) fn hang_up(&mut self) {
        self.door = None;
        self.lose();
    }

    fn lose(&mut self) {
        self.stream = None;
        self.inbox.clear();
    }

    fn connect(&mut self) -> Tested {
        if let (Some(door), None) = (self.door, &self.stream) {
            let stream = TcpStream::connect(door)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_millis(3)))?;
            self.stream = Some(stream);
        }
        Ok(())
    }

    /// Sends bytes as they are; a lost connection loses them.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        if self.stream.as_mut().is_some_and(|stream| stream.write_all(bytes).is_err()) {
            self.lose();
        }
    }

    /// Asks for something; its row.
    pub(crate) fn ask(&mut self, asked: &frames::Request) -> Tested<usize> {
        let moment = stamp(now_ms());
        let (frame, row) = (asked.message.at(&moment), self.rows.len());
        self.sent.insert((class(&asked.message.at(&moment)), asked.stan.clone()), row);
        let reversal = asked.reversal.as_ref().map(|r| (r.stan.clone(), r.message.at(&moment)));
        if let Some((stan, _)) = &reversal {
            self.sent.insert(('4', stan.clone()), row);
        }
        self.rows.push(Row {
            step: Step::Asked,
            since: Instant::now(),
            frame: frame.clone(),
            reversal,
            answer: Vec::new(),
            request: entry(asked, &moment, self.rows.len() as u64 + 1)?,
        });
        self.send(&frame);
        Ok(row)
    }

    /// Sends a request's bytes once more: `repeat` with the repeat digit, or exactly the same.
    pub(crate) fn ask_again(&mut self, row: usize, repeat: bool) {
        let frame = &self.rows[row].frame;
        let frame = if repeat { repeated(frame) } else { frame.clone() };
        self.rows[row].request.repeats += 1;
        self.send(&frame);
    }

    /// Reads what has come, and pursues what is overdue.
    pub(crate) fn turn(&mut self) -> Tested {
        // Nobody may be there between a kill and the next start.
        if self.connect().is_err() || self.stream.is_none() {
            std::thread::sleep(Duration::from_millis(3));
        }
        for frame in self.receive() {
            self.hear(&frame)?;
        }
        for row in 0..self.rows.len() {
            self.pursue(row);
        }
        Ok(())
    }

    fn receive(&mut self) -> Vec<Vec<u8>> {
        let Some(stream) = &mut self.stream else { return Vec::new() };
        let mut chunk = [0; 16 * 1024];
        match stream.read(&mut chunk) {
            Ok(0) => self.lose(),
            Ok(len) => self.inbox.extend_from_slice(&chunk[..len]),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => self.lose(),
        }
        whole_frames(&mut self.inbox)
    }

    fn hear(&mut self, frame: &[u8]) -> Tested {
        let answer = Answer::walk(frame)?;
        let class = answer.mti.chars().nth(1).unwrap_or('?');
        let Some(at) = self.sent.get(&(class, answer.get(11).to_owned())).copied() else {
            self.strays.push(answer);
            return Ok(());
        };
        let row = &mut self.rows[at];
        if class == '4' {
            row.acknowledge(&answer)
        } else {
            row.answer(&answer, frame)
        }
        Ok(())
    }

    fn pursue(&mut self, at: usize) {
        let (patience, row) = (self.patience, &mut self.rows[at]);
        let overdue = row.since.elapsed() > patience;
        // Tries of a reversal follow each other faster: nobody waits for their answer.
        let again = row.since.elapsed() > patience / 2;
        let bytes = match row.step {
            Step::Asked if overdue && at % 2 == 1 => row.repeat(),
            Step::Asked | Step::Repeated if overdue => row.take_back(),
            Step::Reversing if again => row.take_back(),
            Step::Asked | Step::Repeated | Step::Reversing | Step::Settled => return,
        };
        self.send(&bytes);
    }

    /// Turns until `is_so`.
    pub(crate) fn turn_until(
        &mut self,
        what: &str,
        mut is_so: impl FnMut(&Self) -> bool,
    ) -> Tested {
        wait_until(what, SOON, || {
            self.turn()?;
            Ok(is_so(self))
        })
    }

    /// Turns until this request has an answer; its bytes.
    pub(crate) fn answer_to(&mut self, row: usize) -> Tested<Vec<u8>> {
        self.turn_until("an answer", |shop| !shop.rows[row].answer.is_empty())?;
        Ok(self.rows[row].answer.clone())
    }

    /// Asks and waits; what it was told.
    pub(crate) fn ask_and_wait(&mut self, asked: &frames::Request) -> Tested<Answer> {
        let row = self.ask(asked)?;
        Answer::walk(&self.answer_to(row)?)
    }

    /// The bytes of the newest answer to a request.
    pub(crate) fn last_answer(&self, row: usize) -> &Vec<u8> {
        &self.rows[row].answer
    }

    /// Every row of the ledger.
    pub(crate) fn ledger(&self) -> Vec<Request> {
        self.rows.iter().map(|row| row.request.clone()).collect()
    }

    /// One row of the ledger.
    pub(crate) fn row(&self, row: usize) -> &Request {
        &self.rows[row].request
    }

    /// How many requests nothing more is to come for.
    pub(crate) fn settled(&self) -> usize {
        self.rows.iter().filter(|row| row.step == Step::Settled).count()
    }

    /// Whether nothing more is to come for any request.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.settled() == self.rows.len()
    }

    /// Takes a request back although it was answered.
    pub(crate) fn take_back(&mut self, row: usize) {
        let bytes = self.rows[row].take_back();
        self.send(&bytes);
    }
}

impl Row {
    fn repeat(&mut self) -> Vec<u8> {
        (self.step, self.since) = (Step::Repeated, Instant::now());
        self.request.repeats += 1;
        repeated(&self.frame)
    }

    /// The reversal, as repeat from the second try on.
    fn take_back(&mut self) -> Vec<u8> {
        let Some((stan, frame)) = &self.reversal else {
            // No money moves: there is nothing to take back.
            self.step = Step::Settled;
            self.request.end = End::TimedOut;
            return Vec::new();
        };
        let why = if self.request.end == End::Answered { Why::Customer } else { Why::Timeout };
        if why == Why::Timeout {
            self.request.end = End::TimedOut;
        }
        (self.step, self.since) = (Step::Reversing, Instant::now());
        let reversal = self.request.reversal.get_or_insert_with(|| Reversal {
            why,
            stan: stan.clone(),
            transmission: self.request.transmission.clone(),
            tries: 0,
            acknowledged: None,
        });
        reversal.tries += 1;
        if reversal.tries == 1 { frame.clone() } else { repeated(frame) }
    }

    fn acknowledge(&mut self, answer: &Answer) {
        let Some(reversal) = &mut self.request.reversal else { return };
        // Anything else is asked again.
        if answer.code() == "00" {
            reversal.acknowledged = Some("00".to_owned());
            self.step = Step::Settled;
        }
    }

    fn answer(&mut self, answer: &Answer, frame: &[u8]) {
        let request = &mut self.request;
        request.answers += 1;
        request.contradiction =
            request.contradiction.take().or_else(|| contradiction(request, answer));
        self.answer = frame.to_vec();
        match self.step {
            Step::Asked | Step::Repeated => {
                self.step = Step::Settled;
                request.end = End::Answered;
                request.code = Some(answer.code().to_owned());
                request.auth_id = Some(answer.get(38).to_owned()).filter(|id| !id.is_empty());
                request.answered_amount = answer.amount();
            }
            Step::Reversing => request.late_answers += 1,
            Step::Settled if request.end == End::TimedOut => request.late_answers += 1,
            Step::Settled => {}
        }
    }
}

/// The second digit of a frame's MTI.
fn class(frame: &[u8]) -> char {
    frame.get(3).map_or('?', |digit| char::from(*digit))
}

/// Where an answer does not fit its request or an earlier answer.
fn contradiction(request: &Request, answer: &Answer) -> Option<String> {
    let fits = [
        ("F37", answer.get(37), request.rrn.as_str()),
        ("F41", answer.get(41), request.terminal.as_str()),
        ("F7", answer.get(7), request.transmission.as_str()),
        ("MTI", answer.mti.as_str(), &format!("{}10", &request.mti[..2])),
    ];
    let odd = fits.iter().find(|(_, told, asked)| told != asked);
    if let Some((what, told, asked)) = odd {
        return Some(format!("{what} is {told}, not {asked}"));
    }
    let amount = answer.amount().unwrap_or(request.amount);
    if amount != request.amount {
        return Some(format!("the amount is {amount}, not {}", request.amount));
    }
    // What was taken back is declined from then on.
    let earlier = request.code.as_deref().filter(|_| request.reversal.is_none())?;
    let (before, now) = (earlier == "00", answer.code() == "00");
    (before != now).then(|| format!("{} after {earlier}", answer.code()))
}

fn entry(asked: &frames::Request, moment: &str, no: u64) -> Tested<Request> {
    let business = match asked.kind.as_str() {
        "purchase" => Business::Purchase,
        "pre-authorization" => Business::Hold,
        "refund" => Business::Refund,
        "balance" => Business::Balance,
        other => return Err(format!("an unknown kind: {other}").into()),
    };
    let mti = std::str::from_utf8(&asked.message.frame()[2..6])?.to_owned();
    Ok(Request {
        no,
        business,
        mti,
        stan: asked.stan.clone(),
        transmission: moment.to_owned(),
        rrn: asked.rrn.clone(),
        terminal: asked.terminal.clone(),
        pan: asked.pan.clone(),
        amount: asked.amount,
        currency: asked.currency.clone(),
        intended_ms: now_ms(),
        end: End::InFlight,
        code: None,
        auth_id: None,
        answered_amount: None,
        answers: 0,
        late_answers: 0,
        contradiction: None,
        repeats: 0,
        reversal: None,
    })
}
