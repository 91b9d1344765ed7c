//! A bad line: stands between any two TCP ends and damages what passes.
//!
//! Contract: knows nothing of messages; every fault works on bytes, in one direction or both,
//! from the moment it is commanded. A command is one line of words:
//! ```text
//! delay MS [up|down]       hold every chunk so long
//! one-byte MICROS          pass single bytes, so far apart; 0: no more
//! lose COUNT [up|down]     swallow the next chunks
//! garble COUNT [up|down]   flip one bit in each of the next chunks
//! half-open on | off       swallow everything, keep both ends open
//! refuse on | off          close new connections at once
//! cut                      reset every connection now
//! heal                     none of the above
//! ```
//! `up` is towards the target, `down` back from it.

use socket2::SockRef;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Towards the target.
    Up,
    /// Back from it.
    Down,
}

/// One command. Without a way it means both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Hold every chunk so long.
    Delay(Duration, Option<Way>),
    /// Pass single bytes, so far apart; zero: no more.
    OneByte(Duration),
    /// Swallow the next chunks.
    Lose(u32, Option<Way>),
    /// Flip one bit in each of the next chunks.
    Garble(u32, Option<Way>),
    /// Swallow everything, keep both ends open.
    HalfOpen(bool),
    /// Close new connections at once.
    Refuse(bool),
    /// Reset every connection now.
    Cut,
    /// None of the above.
    Heal,
}

/// The line is no command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultError(String);

impl std::fmt::Display for FaultError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not a fault: `{}`", self.0)
    }
}

impl std::error::Error for FaultError {}

impl FromStr for Fault {
    type Err = FaultError;
    fn from_str(line: &str) -> Result<Self, FaultError> {
        let words: Vec<&str> = line.split_whitespace().collect();
        parse(&words).ok_or_else(|| FaultError(line.to_owned()))
    }
}

fn parse(words: &[&str]) -> Option<Fault> {
    let (words, way) = match words {
        [rest @ .., "up"] => (rest, Some(Way::Up)),
        [rest @ .., "down"] => (rest, Some(Way::Down)),
        all => (all, None),
    };
    Some(match (words, way) {
        (["delay", ms], way) => Fault::Delay(Duration::from_millis(ms.parse().ok()?), way),
        (["lose", count], way) => Fault::Lose(count.parse().ok()?, way),
        (["garble", count], way) => Fault::Garble(count.parse().ok()?, way),
        (["one-byte", micros], None) => Fault::OneByte(Duration::from_micros(micros.parse().ok()?)),
        (["half-open", "on"], None) => Fault::HalfOpen(true),
        (["half-open", "off"], None) => Fault::HalfOpen(false),
        (["refuse", "on"], None) => Fault::Refuse(true),
        (["refuse", "off"], None) => Fault::Refuse(false),
        (["cut"], None) => Fault::Cut,
        (["heal"], None) => Fault::Heal,
        _ => return None,
    })
}

/// What happens to bytes going one way.
#[derive(Debug, Clone, Default)]
struct Damage {
    delay: Duration,
    apart: Duration,
    lose: u32,
    garble: u32,
    half_open: bool,
}

impl Damage {
    fn obey(&mut self, fault: &Fault) {
        match fault {
            Fault::Delay(delay, _) => self.delay = *delay,
            Fault::OneByte(apart) => self.apart = *apart,
            Fault::Lose(count, _) => self.lose = *count,
            Fault::Garble(count, _) => self.garble = *count,
            Fault::HalfOpen(on) => self.half_open = *on,
            Fault::Heal => *self = Self::default(),
            Fault::Refuse(_) | Fault::Cut => {}
        }
    }

    /// Damages a chunk in place; `false` when it is swallowed.
    fn strike(&mut self, chunk: &mut [u8]) -> bool {
        if self.half_open || used(&mut self.lose) {
            return false;
        }
        if let Some(byte) = chunk.last_mut().filter(|_| self.garble > 0) {
            *byte ^= 0x40;
            self.garble -= 1;
        }
        true
    }
}

fn used(count: &mut u32) -> bool {
    let some = *count > 0;
    *count = count.saturating_sub(1);
    some
}

/// A running proxy. Dropping the handle stops it and resets every connection.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    task: AbortHandle,
}

#[derive(Debug)]
struct State {
    up: Mutex<Damage>,
    down: Mutex<Damage>,
    refuse: Mutex<bool>,
    /// Counts cuts; every connection made before the last one ends.
    cuts: watch::Sender<u64>,
}

impl Proxy {
    /// Listens on `listen` (port 0: the OS picks) and relays to `target`.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start(listen: SocketAddr, target: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            up: Mutex::default(),
            down: Mutex::default(),
            refuse: Mutex::default(),
            cuts: watch::Sender::new(0),
        });
        let task = tokio::spawn(accept(listener, target, Arc::clone(&state))).abort_handle();
        Ok(Self { address, state, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Does this damage from now on.
    pub fn command(&self, fault: &Fault) {
        let way = match fault {
            Fault::Delay(_, way) | Fault::Lose(_, way) | Fault::Garble(_, way) => *way,
            Fault::OneByte(_) | Fault::HalfOpen(_) | Fault::Refuse(_) => None,
            Fault::Cut | Fault::Heal => None,
        };
        if way != Some(Way::Down) {
            lock(&self.state.up).obey(fault);
        }
        if way != Some(Way::Up) {
            lock(&self.state.down).obey(fault);
        }
        match fault {
            Fault::Refuse(refuse) => *lock(&self.state.refuse) = *refuse,
            Fault::Heal => *lock(&self.state.refuse) = false,
            Fault::Cut => self.state.cuts.send_modify(|cuts| *cuts += 1),
            _ => {}
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.command(&Fault::Cut);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, target: SocketAddr, state: Arc<State>) {
    while let Ok((near, _)) = listener.accept().await {
        let refuse = *lock(&state.refuse);
        if !refuse {
            tokio::spawn(connect(near, target, Arc::clone(&state)));
        }
    }
}

async fn connect(near: TcpStream, target: SocketAddr, state: Arc<State>) {
    let mut cuts = state.cuts.subscribe();
    let Ok(far) = TcpStream::connect(target).await else { return };
    for stream in [&near, &far] {
        // Without these the proxy is slower, or ends politely; neither is wrong.
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
    }
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    tokio::select! {
        () = relay(near_in, far_out, &state.up) => {}
        () = relay(far_in, near_out, &state.down) => {}
        _ = cuts.changed() => {}
    }
}

async fn relay(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, damage: &Mutex<Damage>) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        let half_open = lock(damage).half_open;
        if read == 0 && half_open {
            // The other end must not notice.
            std::future::pending::<()>().await;
        }
        if read == 0 {
            return;
        }
        let chunk = buffer.get_mut(..read).unwrap_or_default();
        if pass(chunk, &mut to, damage).await.is_err() {
            return;
        }
    }
}

async fn pass(
    chunk: &mut [u8],
    to: &mut OwnedWriteHalf,
    damage: &Mutex<Damage>,
) -> std::io::Result<()> {
    let (delay, apart, passes) = {
        let mut damage = lock(damage);
        (damage.delay, damage.apart, damage.strike(chunk))
    };
    if !passes {
        return Ok(());
    }
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    if apart.is_zero() {
        return to.write_all(chunk).await;
    }
    for byte in chunk {
        to.write_all(&[*byte]).await?;
        tokio::time::sleep(apart).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_words() {
        let parse = |line: &str| line.parse::<Fault>();
        let ms = Duration::from_millis;
        assert_eq!(parse("delay 20 up"), Ok(Fault::Delay(ms(20), Some(Way::Up))));
        assert_eq!(parse("lose 2"), Ok(Fault::Lose(2, None)));
        assert_eq!(parse("one-byte 100"), Ok(Fault::OneByte(Duration::from_micros(100))));
        for line in ["garble 1 down", "half-open on", "refuse off", "cut", "heal"] {
            assert!(parse(line).is_ok(), "{line}");
        }
        for line in ["", "up", "cut up", "delay", "delay x", "explode"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn counted_damage_runs_out() {
        let mut damage = Damage::default();
        damage.obey(&Fault::Lose(1, None));
        damage.obey(&Fault::Garble(1, None));
        let mut chunk = *b"ab";
        assert!(!damage.strike(&mut chunk));
        assert!(damage.strike(&mut chunk) && chunk == *b"a\x22");
        assert!(damage.strike(&mut chunk) && chunk == *b"a\x22");
    }
}
