//! The bank that is dead, and comes back: it hears everything and answers nothing until it is
//! told to speak; one entry it never accepts.
//!
//! Contract: written on bare sockets and threads, so that neither it nor its books slow the
//! runtime that measures. It notes which entries it took, whether any came out of order for its
//! card, and whether any came again after it was taken.

use super::{preload, wire};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The bank.
pub(crate) struct DeadBank {
    /// `host:port`.
    pub(crate) address: String,
    books: Arc<Books>,
}

#[derive(Default)]
struct Books {
    speaks: AtomicBool,
    tries: AtomicU64,
    taken: AtomicU64,
    preloaded: AtomicU64,
    poison: AtomicU64,
    out_of_order: AtomicU64,
    twice: AtomicU64,
    /// The newest STAN taken of each card.
    newest: Mutex<BTreeMap<Vec<u8>, u32>>,
}

impl DeadBank {
    /// Listens and hears.
    pub(crate) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (address, books) = (listener.local_addr()?.to_string(), Arc::<Books>::default());
        let theirs = Arc::clone(&books);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let books = Arc::clone(&theirs);
                std::thread::spawn(move || books.hear(stream));
            }
        });
        Ok(Self { address, books })
    }

    /// From now on it answers.
    pub(crate) fn speak(&self) {
        self.books.speaks.store(true, Relaxed);
    }

    /// Advices heard, answered or not.
    pub(crate) fn tries(&self) -> u64 {
        self.books.tries.load(Relaxed)
    }

    /// Advices and reversals answered with an approval.
    pub(crate) fn taken(&self) -> u64 {
        self.books.taken.load(Relaxed)
    }

    /// Of the backlog.
    pub(crate) fn preloaded_taken(&self) -> u64 {
        self.books.preloaded.load(Relaxed)
    }

    /// Entries that came after a later one of their card.
    pub(crate) fn out_of_order(&self) -> u64 {
        self.books.out_of_order.load(Relaxed)
    }

    /// Entries that came once more at once after they were taken.
    pub(crate) fn taken_twice(&self) -> u64 {
        self.books.twice.load(Relaxed)
    }

    /// How often the entry it never accepts came.
    pub(crate) fn poison_tries(&self) -> u64 {
        self.books.poison.load(Relaxed)
    }

    /// Waits until so many advices were heard.
    pub(crate) fn wait_for_tries(&self, tries: u64) -> io::Result<()> {
        let began = Instant::now();
        while self.tries() < tries {
            if began.elapsed() > Duration::from_secs(30) {
                return Err(io::Error::other("the switch sends nothing of its backlog"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Books {
    fn hear(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let (mut buffer, mut chunk, mut out) = (Vec::new(), vec![0; 1 << 16], Vec::new());
        loop {
            let read = stream.read(&mut chunk)?;
            if read == 0 {
                return Ok(());
            }
            buffer.extend_from_slice(&chunk[..read]);
            let (frames, taken) = wire::frames(&buffer);
            for frame in frames {
                self.answer(frame, &mut out);
            }
            buffer.drain(..taken);
            stream.write_all(&out)?;
            out.clear();
        }
    }

    fn answer(&self, frame: &[u8], out: &mut Vec<u8>) {
        let advice = frame.get(3..5) == Some(b"22");
        self.tries.fetch_add(u64::from(advice), Relaxed);
        if !self.speaks.load(Relaxed) {
            return;
        }
        let bare = without_original(frame);
        let frame = bare.as_deref().unwrap_or(frame);
        let began = out.len();
        let (Some(()), Some(code_at)) =
            (wire::answer(&wire::ASCII, frame, out), wire::behind(&wire::ASCII, frame, 37))
        else {
            return;
        };
        if !advice {
            // Live requests, and the reversals of those that timed out.
            self.taken.fetch_add(u64::from(frame.get(3) == Some(&b'4')), Relaxed);
            return;
        }
        let stan =
            number(wire::behind(&wire::ASCII, frame, 7).and_then(|at| frame.get(at..at + 6)));
        if stan == preload::POISON {
            self.poison.fetch_add(1, Relaxed);
            // What was added is an authorization code and F39.
            out.truncate(began + frame.len() + 8);
            if let Some(code) = out.get_mut(began + code_at + 6..began + code_at + 8) {
                code.copy_from_slice(b"96");
            }
            return;
        }
        self.note(frame.get(16..32).unwrap_or_default(), stan);
    }

    /// One entry is taken; F2 of 16 digits stands behind MTI, bitmap and its length.
    fn note(&self, card: &[u8], stan: u32) {
        self.taken.fetch_add(1, Relaxed);
        self.preloaded.fetch_add(1, Relaxed);
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let before = newest.insert(card.to_vec(), stan).unwrap_or(0);
        self.out_of_order.fetch_add(u64::from(stan < before), Relaxed);
        self.twice.fetch_add(u64::from(stan == before), Relaxed);
        debug_assert!(newest.len() <= preload::CARDS.len(), "a card of nobody's");
    }
}

/// A message with a second bitmap, taken back to its first: all that stands there is F90.
fn without_original(frame: &[u8]) -> Option<Vec<u8>> {
    const F90: usize = 42;
    if frame.get(6)? & 0x80 == 0 {
        return None;
    }
    let mut bare = [frame.get(..14)?, frame.get(22..frame.len().checked_sub(F90)?)?].concat();
    bare[6] &= 0x7F;
    let len = (bare.len() - 2) as u16;
    bare[..2].copy_from_slice(&len.to_be_bytes());
    Some(bare)
}

fn number(digits: Option<&[u8]>) -> u32 {
    digits.unwrap_or_default().iter().fold(0, |n, d| n * 10 + u32::from(d & 15))
}
