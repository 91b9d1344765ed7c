//! The baselines: a relay that only cuts frames, and the same made durable at both points.
//!
//! Contract: 2-byte big-endian frames; the STAN stands at a fixed offset and is rewritten and
//! matched, nothing else is looked at. Batched reads, one write per connection and turn. With a
//! journal folder both legs wait for [`super::durable`]. Simple: the divisor of our own figures.

use super::durable::{Batch, start_journal};
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};

const SLOTS: usize = 1_000_000;

/// Bytes waiting for one connection, and the bell that its writer waits for.
#[derive(Default)]
struct Outbox {
    bytes: RefCell<Vec<u8>>,
    bell: Notify,
}

/// Who waits for which STAN: the platform connection and the STAN it used.
struct Pending {
    owner: Vec<(u32, [u8; 6])>,
    next: usize,
}

struct Relay {
    stan_at: usize,
    platforms: RefCell<Vec<Rc<Outbox>>>,
    banks: Vec<Rc<Outbox>>,
    pending: RefCell<Pending>,
    journal: Option<mpsc::Sender<Batch>>,
}

/// Runs until killed. Prints `listening address=…` once ready.
pub(crate) fn run(bank: &str, lines: usize, at: usize, journal: Option<&str>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, serve(bank, lines, at, journal))
}

async fn serve(bank: &str, lines: usize, at: usize, journal: Option<&str>) -> io::Result<()> {
    let (done_tx, mut done) = mpsc::channel::<Vec<Batch>>(1_024);
    let journal = journal.map(|folder| start_journal(folder, done_tx)).transpose()?;
    let banks: Vec<Rc<Outbox>> = (0..lines).map(|_| Rc::default()).collect();
    let pending = RefCell::new(Pending { owner: vec![(0, [0; 6]); SLOTS], next: 0 });
    let platforms = RefCell::default();
    let relay = Rc::new(Relay { stan_at: at, platforms, banks, pending, journal });
    for line in 0..lines {
        connection(&relay, TcpStream::connect(bank).await?, false, line)?;
    }
    let releasing = Rc::clone(&relay);
    tokio::task::spawn_local(async move {
        while let Some(batches) = done.recv().await {
            batches.into_iter().for_each(|batch| releasing.release(batch));
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening address={}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let index = relay.platforms.borrow().len();
        relay.platforms.borrow_mut().push(Rc::default());
        connection(&relay, stream, true, index)?;
    }
}

fn connection(relay: &Rc<Relay>, s: TcpStream, platform: bool, index: usize) -> io::Result<()> {
    s.set_nodelay(true)?;
    let (mut read, write) = s.into_split();
    tokio::task::spawn_local(drain(relay.outbox(platform, index), write));
    let relay = Rc::clone(relay);
    tokio::task::spawn_local(async move {
        let mut buf = Vec::with_capacity(1 << 16);
        while matches!(read.read_buf(&mut buf).await, Ok(n) if n > 0) {
            let taken = relay.turn(&mut buf, platform, index).await;
            buf.drain(..taken);
        }
    });
    Ok(())
}

async fn drain(outbox: Rc<Outbox>, mut write: OwnedWriteHalf) {
    let mut sending = Vec::new();
    loop {
        outbox.bell.notified().await;
        std::mem::swap(&mut sending, &mut *outbox.bytes.borrow_mut());
        if write.write_all(&sending).await.is_err() {
            return;
        }
        sending.clear();
    }
}

impl Relay {
    fn outbox(&self, platform: bool, index: usize) -> Rc<Outbox> {
        let platforms = self.platforms.borrow();
        Rc::clone(if platform { &platforms[index] } else { &self.banks[index] })
    }

    /// Forwards every whole frame of the buffer; returns the bytes taken.
    async fn turn(&self, buf: &mut [u8], platform: bool, index: usize) -> usize {
        let (mut at, mut batches) = (0, Vec::<Batch>::new());
        while buf.len() >= at + 2 {
            let end = at + 2 + usize::from(u16::from_be_bytes([buf[at], buf[at + 1]]));
            let Some(frame) = buf.get_mut(at..end) else { break };
            let to = self.readdress(frame, platform, index);
            if let Some(batch) = batches.iter_mut().find(|b| b.to == to) {
                batch.bytes.extend_from_slice(frame);
                batch.frames += 1;
            } else {
                batches.push(Batch { to, bytes: frame.to_vec(), frames: 1 });
            }
            at = end;
        }
        for batch in batches {
            match &self.journal {
                Some(journal) => drop(journal.send(batch).await),
                None => self.release(batch),
            }
        }
        at
    }

    /// Rewrites the STAN and says which connection the frame goes to.
    fn readdress(&self, frame: &mut [u8], platform: bool, index: usize) -> (bool, usize) {
        let mut pending = self.pending.borrow_mut();
        let stan = &mut frame[2 + self.stan_at..2 + self.stan_at + 6];
        if platform {
            let slot = pending.next;
            pending.next = (slot + 1) % SLOTS;
            pending.owner[slot] = (index as u32, <[u8; 6]>::try_from(&*stan).unwrap_or_default());
            stan.copy_from_slice(format!("{slot:06}").as_bytes());
            return (false, slot % self.banks.len());
        }
        let slot = stan.iter().fold(0, |n, d| n * 10 + usize::from(d & 0x0F));
        let (owner, original) = pending.owner[slot % SLOTS];
        stan.copy_from_slice(&original);
        (true, owner as usize)
    }

    fn release(&self, batch: Batch) {
        let outbox = self.outbox(batch.to.0, batch.to.1);
        outbox.bytes.borrow_mut().extend_from_slice(&batch.bytes);
        outbox.bell.notify_one();
    }
}
