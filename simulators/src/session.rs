//! One TCP connection of a simulator: frames in, frames out, cut at will.
//!
//! Contract: whatever arrives in one read is handed to the ear as one batch; whatever is queued
//! leaves in one write. A frame that cannot begin like this ends the session, as its stream is
//! out of step; a framed message that cannot be understood is heard as such. Deliberately
//! absent: reconnecting (the platform does that), bounds on the queue (a simulator may drown).

use crate::msg::Msg;
use crate::speaker::{Speaker, Split};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;

/// A message as heard: understood with its body's bytes, or not, and why.
pub type Heard = Result<(Msg, Vec<u8>), String>;

/// Who listens to a session. Called from its reader; must not block.
pub trait Ear: Send + Sync + 'static {
    /// These arrived, in this order.
    fn heard(self: Arc<Self>, session: &Session, batch: Vec<Heard>);
    /// The session ended. Called once.
    fn gone(self: Arc<Self>, session: u64);
}

/// A handle; clones mean the same session.
#[derive(Debug, Clone)]
pub struct Session {
    /// Unique within its simulator.
    pub id: u64,
    out: UnboundedSender<Vec<u8>>,
    alive: Arc<AtomicBool>,
    tasks: Arc<Mutex<Vec<AbortHandle>>>,
}

impl Session {
    /// Takes over a connected stream.
    pub fn open(id: u64, stream: TcpStream, speaker: Arc<Speaker>, ear: Arc<dyn Ear>) -> Self {
        // A stream without TCP_NODELAY is slow, not wrong.
        let _ = stream.set_nodelay(true);
        let (reading, writing) = stream.into_split();
        #[expect(clippy::disallowed_methods, reason = "a simulator may drown")]
        let (out, queue) = unbounded_channel();
        let alive = Arc::new(AtomicBool::new(true));
        let session = Self { id, out, alive, tasks: Arc::default() };
        let writer = tokio::spawn(write(writing, queue)).abort_handle();
        let reader = tokio::spawn(read(session.clone(), reading, speaker, ear)).abort_handle();
        session.keep(vec![writer, reader]);
        session
    }

    fn keep(&self, tasks: Vec<AbortHandle>) {
        if let Ok(mut kept) = self.tasks.lock() {
            *kept = tasks;
        }
    }

    /// Queues bytes; `false` when the session has ended.
    pub fn send(&self, bytes: Vec<u8>) -> bool {
        self.is_alive() && self.out.send(bytes).is_ok()
    }

    /// Whether it has not ended yet.
    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    /// Ends it now; what is queued is lost. The ear is not told: the caller knows.
    pub fn cut(&self) {
        self.alive.store(false, Ordering::Release);
        if let Ok(tasks) = self.tasks.lock() {
            tasks.iter().for_each(AbortHandle::abort);
        }
    }
}

async fn write(mut stream: OwnedWriteHalf, mut queue: UnboundedReceiver<Vec<u8>>) {
    while let Some(mut bytes) = queue.recv().await {
        while let Ok(more) = queue.try_recv() {
            bytes.extend_from_slice(&more);
        }
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

async fn read(
    session: Session,
    mut stream: OwnedReadHalf,
    speaker: Arc<Speaker>,
    ear: Arc<dyn Ear>,
) {
    let mut buffer = Vec::with_capacity(64 * 1024);
    while let Ok(1..) = stream.read_buf(&mut buffer).await {
        let (batch, in_step) = take(&speaker, &mut buffer);
        if !batch.is_empty() {
            Arc::clone(&ear).heard(&session, batch);
        }
        if !in_step {
            break;
        }
    }
    if session.alive.swap(false, Ordering::AcqRel) {
        Arc::clone(&ear).gone(session.id);
        session.cut();
    }
}

/// Every whole frame at the front of the buffer; `false` when the stream is out of step.
fn take(speaker: &Speaker, buffer: &mut Vec<u8>) -> (Vec<Heard>, bool) {
    let (mut batch, mut at) = (Vec::new(), 0);
    let in_step = loop {
        match speaker.split(buffer.get(at..).unwrap_or_default()) {
            Split::More => break true,
            Split::KeepAlive(taken) => at += taken,
            Split::Frame { taken, tpdu, body } => {
                let body = buffer.get(at + body.start..at + body.end).unwrap_or_default();
                batch.push(speaker.read(tpdu, body).map(|msg| (msg, body.to_vec())));
                at += taken;
            }
            Split::OutOfStep(why) => {
                batch.push(Err(why));
                break false;
            }
        }
    };
    buffer.drain(..at);
    (batch, in_step)
}
