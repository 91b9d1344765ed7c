//! A simulated bank: listens, decides by rules, keeps its own ledger, misbehaves on command.
//!
//! Start it with [`Bank::start`] on a port the OS picks; the returned handle gives snapshots of
//! the ledger, takes commands and stops it. Contract: every financial effect is in the ledger
//! before its answer is queued. Deliberately absent: anything learned from the switch's core.

pub mod book;
#[cfg(test)]
mod book_tests;
pub mod business;
pub mod command;
pub mod control;
pub mod habits;
#[cfg(test)]
mod habits_tests;
pub mod keys;
pub mod ledger;
pub mod mood;
mod original;
pub mod rules;
pub mod settlement;
#[cfg(test)]
mod settlement_tests;
pub mod teller;
#[cfg(test)]
mod teller_tests;

use crate::clock::{now, now_ms, stamp};
use crate::msg::Msg;
use crate::session::{Ear, Heard, Session};
use crate::speaker::{Seal, Speaker, SpeakerSpec};
use anyhow::Context;
use book::Book;
use business::Flavor;
use command::Command;
use habits::Habits;
use keys::Keys;
use ledger::{Entry, Ledger};
use mood::{Fate, Mood};
use pointsman::crypto::MacKey;
use rules::Rules;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use teller::{Counts, MacSeen, Say, Step, Teller};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// How a bank is set up.
#[derive(Debug, Clone)]
pub struct BankSpec {
    /// Its name, in ledger entries.
    pub name: String,
    /// Where it listens; port 0 lets the OS pick.
    pub listen: SocketAddr,
    /// How it speaks.
    pub speaker: SpeakerSpec,
    /// What it approves, and what happens when.
    pub rules: Rules,
    /// Whether financial traffic before a sign-on is refused with 77.
    pub needs_sign_on: bool,
    /// The terminals' master key in hexadecimal, where each sign-in is given new keys.
    pub master: Option<String>,
    /// `F15`, MMDD; unset: today, GMT.
    pub settlement_date: Option<String>,
    /// A file the ledger is also written to.
    pub ledger_file: Option<PathBuf>,
    /// Of random delays.
    pub seed: u64,
}

impl BankSpec {
    /// A well-behaved bank on a port the OS picks.
    pub fn new(name: &str, speaker: SpeakerSpec) -> Self {
        let flavor = Flavor::of_dialect(&speaker.dialect);
        Self {
            name: name.to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            speaker,
            rules: Rules::default(),
            needs_sign_on: flavor == Flavor::UnionPay,
            master: None,
            settlement_date: None,
            ledger_file: None,
            seed: 1,
        }
    }
}

/// A running bank. Dropping the handle stops it.
#[derive(Debug)]
pub struct Bank {
    address: SocketAddr,
    inside: Arc<Inside>,
    tasks: Vec<AbortHandle>,
}

#[derive(Debug)]
struct Inside {
    speaker: Arc<Speaker>,
    teller: Mutex<Teller>,
    keys: Mutex<Keys>,
    sessions: Mutex<BTreeMap<u64, Session>>,
}

impl Bank {
    /// Listens and serves until stopped.
    ///
    /// # Errors
    /// A dialect, framing or key it cannot use; an address or file it cannot open.
    pub async fn start(spec: BankSpec) -> anyhow::Result<Self> {
        let speaker = Arc::new(Speaker::new(&spec.speaker)?);
        let ledger = Ledger::with_file(spec.ledger_file.as_deref()).context("ledger file")?;
        let today = || stamp(now_ms())[..4].to_owned();
        let date = spec.settlement_date.clone().unwrap_or_else(today);
        let flavor = Flavor::of_dialect(&spec.speaker.dialect);
        let book = Book::new(&spec.name, flavor, &date, ledger);
        let book = book.with_habits(Habits::of(spec.rules.habits.clone()));
        let schedule = spec.rules.schedule.clone();
        let mood = Mood::well(spec.seed);
        let teller = Teller::new(flavor, spec.needs_sign_on, spec.rules, mood, book);
        let keys = Keys::new(speaker.mak().cloned(), spec.master.as_deref(), spec.seed)?;
        let (teller, keys) = (Mutex::new(teller), Mutex::new(keys));
        let inside = Arc::new(Inside { speaker, teller, keys, sessions: Mutex::default() });
        let listener = TcpListener::bind(spec.listen).await.context("bank's listener")?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(accept(listener, Arc::clone(&inside))).abort_handle();
        let mut tasks = vec![accepting];
        for scheduled in schedule {
            let inside = Arc::clone(&inside);
            let task = async move {
                tokio::time::sleep(scheduled.after()).await;
                inside.obey(&scheduled.command);
            };
            tasks.push(tokio::spawn(task).abort_handle());
        }
        Ok(Self { address, inside, tasks })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Does what a command says, from now on.
    pub fn command(&self, command: &Command) {
        self.inside.obey(command);
    }

    /// The ledger so far.
    pub fn ledger(&self) -> Vec<Entry> {
        self.inside.teller().book().ledger().entries().to_vec()
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        self.inside.teller().counts()
    }

    /// Totals it was asked about, in order.
    pub fn compared(&self) -> Vec<settlement::Compared> {
        self.inside.teller().compared().to_vec()
    }

    /// How often each habit has struck so far.
    pub fn habits(&self) -> BTreeMap<&'static str, u64> {
        self.inside.teller().book().habits().counts()
    }

    /// Sessions that are open.
    pub fn sessions(&self) -> usize {
        self.inside.sessions().len()
    }

    /// Sends these bytes as they are on every session.
    pub fn send_raw(&self, bytes: &[u8]) {
        self.inside.sessions().values().for_each(|session| {
            session.send(bytes.to_vec());
        });
    }

    /// Stops listening, closes every session, forgets what was to be answered later.
    pub fn stop(&self) {
        self.tasks.iter().for_each(AbortHandle::abort);
        self.inside.disconnect();
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn accept(listener: TcpListener, inside: Arc<Inside>) {
    for id in 1.. {
        let Ok((stream, _)) = listener.accept().await else { return };
        let ear: Arc<dyn Ear> = Arc::<Inside>::clone(&inside);
        // The lock is held so that a session cannot be gone before it is known.
        let mut sessions = inside.sessions();
        let session = Session::open(id, stream, Arc::clone(&inside.speaker), ear);
        sessions.insert(id, session);
    }
}

/// A simulator goes on after a panic in one of its tasks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inside {
    fn teller(&self) -> MutexGuard<'_, Teller> {
        lock(&self.teller)
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<u64, Session>> {
        lock(&self.sessions)
    }

    fn obey(&self, command: &Command) {
        let notice = self.teller().obey(now_ms(), now(), command);
        if let Some(notice) = notice {
            self.announce(notice);
        }
        match command {
            Command::WrongKeys(count) => self.keys().spoil(*count),
            Command::Heal => self.keys().spoil(0),
            _ => {}
        }
        if *command == Command::Disconnect {
            self.disconnect();
        }
    }

    /// Says something of its own on every session.
    fn announce(&self, notice: Msg) {
        for session in self.sessions().values() {
            let mut notice = notice.clone();
            notice.tpdu = self.speaker.has_tpdu().then_some([0x60, 0, 0, 0, 0]);
            match self.speaker.write(&notice, Seal::None) {
                Ok(bytes) => drop(session.send(bytes)),
                Err(error) => eprintln!("bank: a notice could not be written: {error:#}"),
            }
        }
    }

    fn disconnect(&self) {
        let sessions = std::mem::take(&mut *self.sessions());
        for (id, session) in sessions {
            session.cut();
            self.teller().session_gone(id);
        }
    }

    /// The session itself, or the youngest where that has ended: late answers find a way.
    fn deliver(&self, session: u64, bytes: Vec<u8>) {
        let sessions = self.sessions();
        let way = sessions.get(&session).or_else(|| sessions.values().next_back());
        if let Some(session) = way {
            session.send(bytes);
        }
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        lock(&self.keys)
    }

    /// One message: answered at once into `out`, or later by a task of its own.
    fn take(self: &Arc<Self>, session: u64, msg: Msg, body: &[u8], out: &mut Vec<u8>) {
        let mac = self.keys().judge(&msg, body);
        let step = self.teller().hear(now(), &msg);
        match step {
            Step::Nothing => {}
            Step::Execute(Duration::ZERO, fate) => self.execute(session, &msg, mac, fate, out),
            Step::Execute(after, fate) => {
                let inside = Arc::clone(self);
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    let mut out = Vec::new();
                    inside.execute(session, &msg, mac, fate, &mut out);
                    inside.deliver(session, out);
                });
            }
        }
    }

    fn execute(
        self: &Arc<Self>,
        session: u64,
        msg: &Msg,
        (mac, key): (MacSeen, Option<MacKey>),
        fate: Fate,
        out: &mut Vec<u8>,
    ) {
        let say = self.teller().execute(now_ms(), session, msg, mac, fate);
        let Some(mut say) = say else { return };
        if say.signed_on
            && let Some(block) = self.keys().hand_out(msg.text(41))
        {
            say.msg.set(62, block);
        }
        let bytes = self.bytes(&say, key.as_ref());
        if say.fate.answer_after.is_zero() {
            out.extend_from_slice(&bytes);
            return;
        }
        let inside = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(say.fate.answer_after).await;
            inside.deliver(session, bytes);
        });
    }

    fn bytes(&self, say: &Say, key: Option<&MacKey>) -> Vec<u8> {
        if say.fate.garbage {
            let nonsense = self.speaker.frame(say.msg.tpdu, &[0x55; 40]);
            return nonsense.unwrap_or_default();
        }
        let seal = match key.filter(|_| say.sealed) {
            None => Seal::None,
            Some(key) if say.fate.wrong_mac => Seal::Wrong(key),
            Some(key) => Seal::Right(key),
        };
        match self.speaker.write(&say.msg, seal) {
            Ok(bytes) if say.fate.twice => [bytes.as_slice(), &bytes].concat(),
            Ok(bytes) => bytes,
            Err(error) => {
                eprintln!("bank: an answer could not be written: {error:#}");
                Vec::new()
            }
        }
    }
}

impl Ear for Inside {
    fn heard(self: Arc<Self>, session: &Session, batch: Vec<Heard>) {
        let mut out = Vec::new();
        for heard in batch {
            match heard {
                Ok((msg, body)) => self.take(session.id, msg, &body, &mut out),
                Err(_) => self.teller().garbled(),
            }
        }
        if !out.is_empty() {
            session.send(out);
        }
    }

    fn gone(self: Arc<Self>, session: u64) {
        self.sessions().remove(&session);
        self.teller().session_gone(session);
    }
}
