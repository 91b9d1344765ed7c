//! The load: eight platform connections, closed or open loop, and the bank that answers.
//!
//! Contract: latency in the open loop counts from the moment a request was due, not from the
//! moment it left (no coordinated omission). A request is one write of its own, as platforms do;
//! the bank answers everything it read in one go with one write.

use super::wire;
use hdrhistogram::Histogram;
use std::io::{self, Write};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Platform connections, as in every figure of the peers.
pub(crate) const CONNECTIONS: usize = 8;

/// How requests leave.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// So many are always in flight.
    Closed(usize),
    /// So many per second, whatever the answers do.
    Open(u64),
}

impl Pace {
    /// Its name in the rows.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Closed(n) => format!("closed-{n}"),
            Self::Open(n) => format!("open-{n}"),
        }
    }
}

/// What one run measured.
pub(crate) struct Measured {
    /// Answers that approved.
    pub(crate) approved: u64,
    /// Other answers.
    pub(crate) other: u64,
    /// Length of the measured part.
    pub(crate) elapsed: Duration,
    /// Latency in microseconds.
    pub(crate) latency: Histogram<u64>,
}

struct Run {
    /// Requests take turns with them.
    templates: Arc<[Vec<u8>]>,
    begun: Instant,
    /// When that was, in milliseconds since 1970.
    begun_millis: u64,
    /// The newest second since 1970 and its `F7`: seconds above, ten digits in 32 bits below.
    stamp: AtomicU64,
    next: AtomicU64,
    /// By STAN: nanoseconds after `begun` at which the request was due.
    due: Vec<AtomicU64>,
    measured: Mutex<Measured>,
    measuring: AtomicBool,
    stop: AtomicBool,
}

/// Answers everything on every connection, until the runtime ends; `answer` appends the framed
/// answer to one framed request, or says `None` where there is none.
pub(crate) async fn bank<A>(answer: A) -> io::Result<String>
where
    A: Fn(&[u8], &mut Vec<u8>) -> Option<()> + Clone + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::task::spawn_local(answer_all(stream, answer.clone()));
        }
    });
    Ok(address)
}

async fn answer_all(
    mut stream: TcpStream,
    answer: impl Fn(&[u8], &mut Vec<u8>) -> Option<()>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut buf, mut out) = (Vec::with_capacity(1 << 16), Vec::new());
    while stream.read_buf(&mut buf).await? > 0 {
        let (frames, taken) = wire::frames(&buf);
        for frame in frames {
            if answer(frame, &mut out).is_none() {
                return Err(io::Error::other("the bank cannot read what it was sent"));
            }
        }
        buf.drain(..taken);
        stream.write_all(&out).await?;
        out.clear();
    }
    Ok(())
}

/// Runs the load against a platform's door; `first` keeps duplicate keys from repeating between
/// runs against one subject. Requests are made of the templates in turn.
pub(crate) async fn run(
    door: &str,
    pace: Pace,
    warm: Duration,
    length: Duration,
    (first, templates): (u64, Arc<[Vec<u8>]>),
) -> io::Result<(Measured, u64)> {
    let run = Arc::new(Run {
        templates,
        begun: Instant::now(),
        begun_millis: wire::unix_millis(),
        stamp: AtomicU64::new(0),
        next: AtomicU64::new(first),
        due: (0..1_000_000).map(|_| AtomicU64::new(0)).collect(),
        measured: Mutex::new(Measured::new()?),
        measuring: AtomicBool::new(false),
        stop: AtomicBool::new(false),
    });
    let mut tasks = Vec::new();
    for index in 0..CONNECTIONS {
        let stream = TcpStream::connect(door).await?;
        stream.set_nodelay(true)?;
        tasks.push(tokio::task::spawn_local(connection(stream, Arc::clone(&run), pace, index)));
    }
    tokio::time::sleep(warm).await;
    run.measuring.store(true, Relaxed);
    let begun = Instant::now();
    tokio::time::sleep(length).await;
    run.measuring.store(false, Relaxed);
    let elapsed = begun.elapsed();
    run.stop.store(true, Relaxed);
    for task in tasks {
        drop(tokio::time::timeout(Duration::from_millis(300), task).await);
    }
    let mut measured = run.measured.lock().map_err(|_| io::Error::other("poisoned"))?;
    let measured = std::mem::replace(&mut *measured, Measured::new()?);
    Ok((Measured { elapsed, ..measured }, run.next.load(Relaxed)))
}

async fn connection(stream: TcpStream, run: Arc<Run>, pace: Pace, index: usize) -> io::Result<()> {
    let stream = stream.into_std()?;
    let second = stream.try_clone()?;
    let (mut read, mut write) = TcpStream::from_std(stream)?.into_split();
    let (mut buf, mut out) = (Vec::with_capacity(1 << 16), Vec::new());
    let in_flight = match pace {
        Pace::Closed(n) => n / CONNECTIONS + usize::from(index < n % CONNECTIONS),
        Pace::Open(per_second) => {
            let pacing = Arc::clone(&run);
            std::thread::spawn(move || open_loop(second, &pacing, per_second, index));
            0
        }
    };
    let mut owed = in_flight;
    while !run.stop.load(Relaxed) {
        let now = Instant::now();
        for _ in 0..owed {
            run.push(&mut out, now);
            write.write_all(&out).await?;
            out.clear();
        }
        if read.read_buf(&mut buf).await? == 0 {
            return Ok(());
        }
        let (answers, taken) = run.take(&buf);
        buf.drain(..taken);
        // In the open loop the schedule alone decides when the next request leaves.
        owed = if in_flight > 0 { answers } else { 0 };
    }
    Ok(())
}

/// Sends on schedule from a thread of its own: a runtime's timer ticks in milliseconds.
fn open_loop(mut write: std::net::TcpStream, run: &Run, per_second: u64, index: usize) {
    let gap = Duration::from_secs(1) * CONNECTIONS as u32 / per_second as u32;
    let mut due = Instant::now() + gap * index as u32 / CONNECTIONS as u32;
    let mut out = Vec::new();
    while !run.stop.load(Relaxed) {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        run.push(&mut out, due);
        if write.write_all(&out).is_err() {
            return;
        }
        out.clear();
        due += gap;
    }
}

impl Measured {
    fn new() -> io::Result<Self> {
        let latency = Histogram::new_with_bounds(1, 60_000_000, 3).map_err(io::Error::other)?;
        Ok(Self { approved: 0, other: 0, elapsed: Duration::ZERO, latency })
    }
}

impl Run {
    fn push(&self, out: &mut Vec<u8>, due: Instant) {
        let n = self.next.fetch_add(1, Relaxed);
        let at = out.len();
        out.extend_from_slice(&self.templates[n as usize % self.templates.len()]);
        wire::request(&mut out[at..], n, self.stamp());
        let due = due.saturating_duration_since(self.begun).as_nanos() as u64;
        self.due[(n % 999_999 + 1) as usize].store(due, Relaxed);
    }

    /// `F7` of now; reckoned once a second.
    fn stamp(&self) -> u64 {
        let second = (self.begun_millis + self.begun.elapsed().as_millis() as u64) / 1_000;
        let known = self.stamp.load(Relaxed);
        if known >> 32 == second {
            return known & 0xFFFF_FFFF;
        }
        let stamp = wire::stamp(second);
        self.stamp.store(second << 32 | stamp, Relaxed);
        stamp
    }

    /// Counts the answers at the front of a buffer; returns how many, and their bytes.
    fn take(&self, buf: &[u8]) -> (usize, usize) {
        let now = self.begun.elapsed().as_nanos() as u64;
        let (frames, taken) = wire::frames(buf);
        let mut count = 0;
        for frame in frames {
            count += 1;
            if self.measuring.load(Relaxed) {
                self.measure(frame, now);
            }
        }
        (count, taken)
    }

    fn measure(&self, frame: &[u8], now: u64) {
        let Ok(mut measured) = self.measured.lock() else { return };
        if wire::is_approved(frame) {
            measured.approved += 1;
        } else {
            measured.other += 1;
        }
        let stan = wire::behind(&wire::ASCII, frame, 10).and_then(|at| frame.get(at..at + 6));
        let stan = stan.map_or(0, |s| s.iter().fold(0, |n, d| n * 10 + usize::from(d & 15)));
        let due = self.due[stan % 1_000_000].load(Relaxed);
        measured.latency.saturating_record(now.saturating_sub(due) / 1_000);
    }
}
