//! What makes the relay durable: one thread, one write and one fdatasync per group.
//!
//! Contract: 300 bytes per message at the end of a zero-filled file, started over when it is
//! full; whatever waits goes into one group. No encryption, no checksum: the divisor.

use std::io;
use std::os::unix::fs::FileExt;
use tokio::sync::mpsc;

const RECORD: usize = 300;

/// Frames on their way to one outbox, held until durable.
pub(crate) struct Batch {
    pub(crate) to: (bool, usize),
    pub(crate) bytes: Vec<u8>,
    pub(crate) frames: usize,
}

/// A thread that makes whatever waits durable with one write and one fdatasync.
pub(crate) fn start_journal(
    folder: &str,
    done: mpsc::Sender<Vec<Batch>>,
) -> io::Result<mpsc::Sender<Batch>> {
    const SIZE: usize = 256 << 20;
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
            let synced = file.write_all_at(&bytes, at as u64).and_then(|()| file.sync_data());
            at += bytes.len();
            if synced.is_err() || done.blocking_send(batches).is_err() {
                return;
            }
        }
    });
    Ok(sender)
}
