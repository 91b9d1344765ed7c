//! What makes the relay durable: one thread, one write and one fdatasync per group.
//!
//! Contract: 300 bytes per message at the end of a zero-filled file, started over when it is
//! full; whatever waits goes into one group, of however many threads. No encryption, no
//! checksum: the divisor.

use std::io;
use std::os::unix::fs::FileExt;
use tokio::sync::mpsc;

const RECORD: usize = 300;

/// Frames on their way to one outbox of one thread, held until durable.
pub(crate) struct Batch {
    pub(crate) thread: usize,
    pub(crate) to: (bool, usize),
    pub(crate) bytes: Vec<u8>,
    pub(crate) frames: usize,
}

/// A thread that makes whatever waits durable with one write and one fdatasync, and gives it
/// back to the threads it came from.
pub(crate) fn start_journal(
    folder: &str,
    back: Vec<mpsc::Sender<Vec<Batch>>>,
) -> io::Result<mpsc::Sender<Batch>> {
    const SIZE: usize = 64 << 20;
    let path = std::path::Path::new(folder).join("relay-journal");
    std::fs::write(&path, vec![0; SIZE])?;
    let file = std::fs::OpenOptions::new().write(true).open(path)?;
    file.sync_all()?;
    let (sender, mut waiting) = mpsc::channel::<Batch>(65_536);
    std::thread::spawn(move || {
        let (mut at, mut bytes) = (0, Vec::new());
        while let Some(first) = waiting.blocking_recv() {
            let mut batches = vec![first];
            while let Ok(more) = waiting.try_recv() {
                batches.push(more);
            }
            bytes.resize(batches.iter().map(|b| b.frames * RECORD).sum(), 1);
            at = if at + bytes.len() > SIZE { 0 } else { at };
            if file.write_all_at(&bytes, at as u64).and_then(|()| file.sync_data()).is_err() {
                return;
            }
            at += bytes.len();
            for (thread, back) in back.iter().enumerate() {
                let (theirs, others) = batches.into_iter().partition(|b| b.thread == thread);
                batches = others;
                if !Vec::is_empty(&theirs) && back.blocking_send(theirs).is_err() {
                    return;
                }
            }
        }
    });
    Ok(sender)
}
