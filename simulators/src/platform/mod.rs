//! A simulated platform: asks at an open-loop rate, remembers everything, takes back what it
//! was not told about.
//!
//! Requests leave on schedule whatever the answers do; latency counts from the scheduled time.
//! Contract: the ledger is updated before a message is queued and when an answer arrives.
//! [`Platform::start`] gives a handle; dropping it stops the platform. Deliberately absent:
//! dialects other than ISO 8583:1987 ones.

pub mod desk;
#[cfg(test)]
mod desk_tests;
mod follow_ups;
pub mod habits;
pub mod latency;
pub mod ledger;
pub mod mix;
mod row;

use crate::clock::{now, now_ms};
use crate::msg::Msg;
use crate::session::{Ear, Heard, Session};
use crate::speaker::{Seal, Speaker, SpeakerSpec};
use desk::{Counts, Desk, Patience};
use latency::Latency;
use ledger::{Line, Request, Stray};
use mix::{Maker, Mix};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

/// How a platform is set up.
#[derive(Debug, Clone)]
pub struct PlatformSpec {
    /// Where the switch (or a bank) listens.
    pub address: SocketAddr,
    /// How it speaks.
    pub speaker: SpeakerSpec,
    /// Connections kept open.
    pub connections: usize,
    /// Requests per second.
    pub rate: f64,
    /// Requests in total; unset: until stopped.
    pub total: Option<u64>,
    /// What it asks.
    pub mix: Mix,
    /// How long it waits.
    pub patience: Patience,
    /// Whether each connection signs on first (0800, `F70` 001).
    pub signs_on: bool,
    /// Of everything random.
    pub seed: u64,
}

impl PlatformSpec {
    /// A modest platform: one connection, 100 requests a second.
    pub fn new(address: SocketAddr, speaker: SpeakerSpec) -> Self {
        Self {
            address,
            speaker,
            connections: 1,
            rate: 100.0,
            total: None,
            mix: Mix::default(),
            patience: Patience {
                timeout: Duration::from_secs(5),
                reversal_retry: Duration::from_secs(1),
                repeat_after: None,
                repeat_after_loss: None,
            },
            signs_on: false,
            seed: 1,
        }
    }
}

/// A running platform. Dropping the handle stops it.
#[derive(Debug)]
pub struct Platform {
    inside: Arc<Inside>,
    tasks: Vec<AbortHandle>,
}

/// What a platform did, at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Every request.
    pub requests: Vec<Request>,
    /// Answers that fit nothing.
    pub strays: Vec<Stray>,
    /// Counts.
    pub counts: Counts,
    /// Latencies.
    pub latency: Latency,
}

#[derive(Debug)]
struct Inside {
    spec: PlatformSpec,
    speaker: Arc<Speaker>,
    desk: Mutex<Desk>,
    sessions: Mutex<BTreeMap<u64, Session>>,
    address: Mutex<SocketAddr>,
    asking: AtomicBool,
    next_session: AtomicU64,
    turn: AtomicU64,
}

/// Shortest sleep of the pacer, and how often it looks for what is due.
const TICK: Duration = Duration::from_millis(2);
/// Pause before a lost connection is opened again.
const RECONNECT: Duration = Duration::from_millis(50);

impl Platform {
    /// Connects and starts asking.
    ///
    /// # Errors
    /// A dialect or framing it cannot use.
    pub fn start(spec: PlatformSpec) -> anyhow::Result<Self> {
        let speaker = Arc::new(Speaker::new(&spec.speaker)?);
        let maker = Maker::new(spec.mix.clone(), spec.seed);
        let desk = Desk::new(maker, spec.patience, now(), Latency::new()?);
        let inside = Arc::new(Inside {
            speaker,
            desk: Mutex::new(desk),
            sessions: Mutex::default(),
            address: Mutex::new(spec.address),
            asking: AtomicBool::new(true),
            next_session: AtomicU64::new(1),
            turn: AtomicU64::new(0),
            spec,
        });
        let mut tasks = vec![tokio::spawn(pace(Arc::clone(&inside))).abort_handle()];
        for _ in 0..inside.spec.connections {
            tasks.push(tokio::spawn(keep_connected(Arc::clone(&inside))).abort_handle());
        }
        Ok(Self { inside, tasks })
    }

    /// Everything so far.
    pub fn snapshot(&self) -> Snapshot {
        let desk = self.inside.desk();
        Snapshot {
            requests: desk.requests(),
            strays: desk.strays().to_vec(),
            counts: desk.counts(),
            latency: desk.latency().clone(),
        }
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        self.inside.desk().counts()
    }

    /// Every request with what habits did to it.
    pub fn lines(&self) -> Vec<Line> {
        self.inside.desk().lines()
    }

    /// Connections that are open.
    pub fn sessions(&self) -> usize {
        self.inside.sessions().len()
    }

    /// Connects there from now on; open connections stay.
    pub fn set_address(&self, address: SocketAddr) {
        *lock(&self.inside.address) = address;
    }

    /// Closes every connection; they are opened again at once.
    pub fn disconnect(&self) {
        let sessions = std::mem::take(&mut *self.inside.sessions());
        sessions.values().for_each(Session::cut);
        self.inside.desk().connection_lost(now());
    }

    /// Sends these bytes as they are on one connection; `false` where there is none.
    pub fn send_raw(&self, bytes: &[u8]) -> bool {
        self.inside.send(vec![bytes.to_vec()])
    }

    /// Asks nothing new, but waits and reverses on.
    pub fn stop_asking(&self) {
        self.inside.asking.store(false, Ordering::Release);
    }

    /// Stops asking and waits until every request is answered or its reversal acknowledged.
    /// `false` when that took longer than `limit`.
    pub async fn drain(&self, limit: Duration) -> bool {
        self.stop_asking();
        let end = now() + limit;
        while self.inside.desk().unsettled() > 0 {
            if now() >= end {
                return false;
            }
            tokio::time::sleep(TICK).await;
        }
        true
    }

    /// Waits until `total` requests were asked or `limit` has passed.
    pub async fn asked_all(&self, limit: Duration) -> bool {
        let end = now() + limit;
        while self.inside.asking.load(Ordering::Acquire) && now() < end {
            tokio::time::sleep(TICK).await;
        }
        !self.inside.asking.load(Ordering::Acquire)
    }

    /// Closes everything.
    pub fn stop(&self) {
        self.tasks.iter().for_each(AbortHandle::abort);
        self.disconnect();
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.stop();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends what is to leave, on schedule; sleeps as short as needed.
async fn pace(inside: Arc<Inside>) {
    while inside.sessions().is_empty() {
        tokio::time::sleep(TICK).await;
    }
    let start = now();
    let (rate, total) = (inside.spec.rate.max(0.001), inside.spec.total.unwrap_or(u64::MAX));
    let intended = |n: u64| start + Duration::from_secs_f64(n as f64 / rate);
    let mut asked = 0;
    loop {
        let now = now();
        let mut out = inside.desk().due(now, now_ms());
        while inside.asking.load(Ordering::Acquire) && asked < total && intended(asked) <= now {
            let connected = !inside.sessions().is_empty();
            out.extend(inside.desk().next(intended(asked), now_ms(), connected));
            asked += 1;
        }
        if asked >= total {
            inside.asking.store(false, Ordering::Release);
        }
        inside.say(&out);
        tokio::time::sleep_until((now + TICK).min(intended(asked).max(now)).into()).await;
    }
}

/// Keeps one connection open, for ever.
async fn keep_connected(inside: Arc<Inside>) {
    loop {
        let address = *lock(&inside.address);
        if let Ok(stream) = TcpStream::connect(address).await {
            let session = inside.open(stream);
            while session.is_alive() {
                tokio::time::sleep(RECONNECT).await;
            }
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

impl Inside {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        lock(&self.desk)
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<u64, Session>> {
        lock(&self.sessions)
    }

    fn open(self: &Arc<Self>, stream: TcpStream) -> Session {
        let id = self.next_session.fetch_add(1, Ordering::Relaxed);
        let ear: Arc<dyn Ear> = Arc::<Self>::clone(self);
        let mut sessions = self.sessions();
        let session = Session::open(id, stream, Arc::clone(&self.speaker), ear);
        if self.spec.signs_on {
            let sign_on = self.desk().network(now_ms(), "001");
            session.send(self.bytes(&sign_on));
        }
        let repeats = self.desk().connection_opened(now_ms());
        session.send(repeats.iter().flat_map(|msg| self.bytes(msg)).collect());
        sessions.insert(id, session.clone());
        session
    }

    fn bytes(&self, msg: &Msg) -> Vec<u8> {
        self.speaker.write(msg, Seal::None).unwrap_or_else(|error| {
            eprintln!("platform: a message could not be written: {error:#}");
            Vec::new()
        })
    }

    fn say(&self, msgs: &[Msg]) {
        if !msgs.is_empty() {
            self.send(msgs.iter().map(|msg| self.bytes(msg)).collect());
        }
    }

    /// Spreads frames over the sessions, one queue entry per session.
    fn send(&self, frames: Vec<Vec<u8>>) -> bool {
        let sessions: Vec<Session> = self.sessions().values().cloned().collect();
        let mut batches = vec![Vec::new(); sessions.len()];
        for frame in frames {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) as usize;
            let Some(at) = turn.checked_rem(sessions.len()) else { return false };
            batches[at].extend_from_slice(&frame);
        }
        let filled = sessions.iter().zip(batches).filter(|(_, batch)| !batch.is_empty());
        filled.fold(true, |all, (session, batch)| session.send(batch) && all)
    }

    fn hear(&self, msg: &Msg) -> Option<Msg> {
        match (msg.is_answer(), msg.digit(1)) {
            (true, 8) => None,
            (true, _) => self.desk().answer(now(), now_ms(), msg),
            (false, 8) => Some(msg.answer(&[7, 11, 32, 70]).with(39, "00")),
            (false, _) => Some(msg.answer(&[3, 7, 11, 41]).with(39, "12")),
        }
    }
}

impl Ear for Inside {
    fn heard(self: Arc<Self>, session: &Session, batch: Vec<Heard>) {
        let mut out = Vec::new();
        for heard in batch {
            match heard {
                Ok((msg, _)) => out.extend(self.hear(&msg).map(|msg| self.bytes(&msg))),
                Err(_) => self.desk().garbled(),
            }
        }
        if !out.is_empty() {
            session.send(out.concat());
        }
    }

    fn gone(self: Arc<Self>, session: u64) {
        self.sessions().remove(&session);
        self.desk().connection_lost(now());
    }
}
