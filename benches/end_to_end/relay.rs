//! The baselines: a relay that only cuts frames, and the same made durable at both points.
//!
//! Contract: 2-byte big-endian frames; the STAN at a fixed offset is rewritten and matched, nothing
//! else is looked at. Batched reads, one write per connection and turn. With a journal folder both
//! legs wait for [`super::durable`]. Of two threads each has half of the connections on both sides
//! and STANs of its own; they share the journal and nothing else.

use super::durable::{Batch, start_journal};
use std::cell::{Cell, RefCell};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::{Notify, mpsc, mpsc::Receiver};

const SLOTS: usize = 1_000_000;
const STAN: std::ops::Range<usize> = 2 + super::wire::STAN_AT..8 + super::wire::STAN_AT;
/// A connection, and whether a platform is at its other end.
type Joined = (TcpStream, bool);
type Ends = (Receiver<Joined>, Receiver<Vec<Batch>>);

/// Bytes waiting for one connection, and the bell that its writer waits for.
#[derive(Default)]
struct Outbox {
    bytes: RefCell<Vec<u8>>,
    bell: Notify,
}

/// One of so many threads: connections of the bank and of platforms, and by STAN who used it.
struct Relay {
    thread: usize,
    threads: usize,
    outboxes: [RefCell<Vec<Rc<Outbox>>>; 2],
    owners: RefCell<Vec<(u32, [u8; 6])>>,
    next: Cell<usize>,
    journal: Option<mpsc::Sender<Batch>>,
}

/// Runs until killed. Prints `listening address=…` once ready.
pub(crate) fn run(bank: &str, lines: usize, threads: usize, at: Option<&str>) -> io::Result<()> {
    let (back, done): (Vec<_>, Vec<_>) = (0..threads).map(|_| mpsc::channel(1_024)).unzip();
    let journal = at.map(|folder| start_journal(folder, back)).transpose()?;
    let mut doors = Vec::new();
    for (thread, done) in done.into_iter().enumerate() {
        let (door, joining) = mpsc::channel::<Joined>(64);
        for _ in 0..lines / threads {
            door.blocking_send((TcpStream::connect(bank)?, false)).map_err(io::Error::other)?;
        }
        let journal = journal.clone();
        std::thread::spawn(move || {
            let (outboxes, owners) = Default::default();
            let relay = Relay { thread, threads, outboxes, owners, next: thread.into(), journal };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            tokio::task::LocalSet::new().block_on(&runtime, serve(Rc::new(relay), (joining, done)))
        });
        doors.push(door);
    }
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening address={}", listener.local_addr()?);
    for door in doors.iter().cycle() {
        door.blocking_send((listener.accept()?.0, true)).map_err(io::Error::other)?;
    }
    Ok(())
}

async fn serve(relay: Rc<Relay>, (mut joining, mut done): Ends) -> io::Result<()> {
    relay.owners.borrow_mut().resize(SLOTS, (0, [0; 6]));
    let releasing = Rc::clone(&relay);
    tokio::task::spawn_local(async move {
        while let Some(batches) = done.recv().await {
            batches.into_iter().for_each(|batch| releasing.release(batch));
        }
    });
    while let Some((stream, platform)) = joining.recv().await {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let (mut read, write) = tokio::net::TcpStream::from_std(stream)?.into_split();
        let (relay, outbox) = (Rc::clone(&relay), Rc::<Outbox>::default());
        let index = relay.outboxes[usize::from(platform)].borrow().len();
        relay.outboxes[usize::from(platform)].borrow_mut().push(Rc::clone(&outbox));
        tokio::task::spawn_local(drain(outbox, write));
        tokio::task::spawn_local(async move {
            let mut buf = Vec::with_capacity(1 << 16);
            while matches!(read.read_buf(&mut buf).await, Ok(n) if n > 0) {
                let taken = relay.turn(&mut buf, platform, index).await;
                buf.drain(..taken);
            }
        });
    }
    Ok(())
}

async fn drain(outbox: Rc<Outbox>, mut write: OwnedWriteHalf) -> io::Result<()> {
    let mut sending = Vec::new();
    loop {
        outbox.bell.notified().await;
        std::mem::swap(&mut sending, &mut *outbox.bytes.borrow_mut());
        write.write_all(&sending).await?;
        sending.clear();
    }
}

impl Relay {
    /// Forwards every whole frame of the buffer; returns the bytes taken.
    async fn turn(&self, buf: &mut [u8], platform: bool, index: usize) -> usize {
        let (mut at, mut batches) = (0, Vec::<Batch>::new());
        while buf.len() >= at + 2 {
            let end = at + 2 + usize::from(u16::from_be_bytes([buf[at], buf[at + 1]]));
            let Some(frame) = buf.get_mut(at..end) else { break };
            let to = self.readdress(&mut frame[STAN], platform, index);
            if let Some(batch) = batches.iter_mut().find(|b| b.to == to) {
                batch.bytes.extend_from_slice(frame);
                batch.frames += 1;
            } else {
                batches.push(Batch { thread: self.thread, to, bytes: frame.to_vec(), frames: 1 });
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
    fn readdress(&self, stan: &mut [u8], platform: bool, index: usize) -> (bool, usize) {
        let mut owners = self.owners.borrow_mut();
        if platform {
            let slot = self.next.replace((self.next.get() + self.threads) % SLOTS);
            owners[slot] = (index as u32, <[u8; 6]>::try_from(&*stan).unwrap_or_default());
            stan.copy_from_slice(format!("{slot:06}").as_bytes());
            return (false, slot / self.threads % self.outboxes[0].borrow().len());
        }
        let slot = stan.iter().fold(0, |n, d| n * 10 + usize::from(d & 0x0F));
        let (owner, original) = owners[slot % SLOTS];
        stan.copy_from_slice(&original);
        (true, owner as usize)
    }

    fn release(&self, batch: Batch) {
        let outbox = Rc::clone(&self.outboxes[usize::from(batch.to.0)].borrow()[batch.to.1]);
        outbox.bytes.borrow_mut().extend_from_slice(&batch.bytes);
        outbox.bell.notify_one();
    }
}
