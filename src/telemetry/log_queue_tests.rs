//! The queue against logs that are full, torn, stuck and well again.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use super::log_queue::{LogQueue, Lost, Remarks};
use std::io::{self, ErrorKind, Write};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Says only what is lost.
struct Plain;

impl Remarks for Plain {
    fn of_lost(&self, lost: Lost) -> Vec<u8> {
        format!("lost {} {}\n", lost.full, lost.failed).into_bytes()
    }

    fn due(&self, _: bool, _: &mut dyn FnMut(&[u8])) -> Option<Duration> {
        None
    }
}

/// What the log does with the next write.
enum Does {
    Takes,
    /// So many bytes of it.
    Some(usize),
    Fails(ErrorKind),
}

/// A log that asks what to do, write by write, and takes everything once nobody answers.
struct Played {
    asks: SyncSender<()>,
    told: Receiver<Does>,
    text: Arc<Mutex<Vec<u8>>>,
}

impl Write for Played {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let does = self.asks.send(()).ok().and_then(|()| self.told.recv().ok());
        let len = match does.unwrap_or(Does::Takes) {
            Does::Takes => bytes.len(),
            Does::Some(len) => len,
            Does::Fails(kind) => return Err(kind.into()),
        };
        self.text.lock().unwrap().extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Stage {
    queue: Arc<LogQueue>,
    asked: Receiver<()>,
    tell: Sender<Does>,
    text: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl Stage {
    fn with_room(room: usize) -> Self {
        let ((asks, asked), (tell, told)) = (sync_channel(0), channel());
        let (queue, text) = (Arc::new(LogQueue::with_room(room)), Arc::default());
        let log = Played { asks, told, text: Arc::clone(&text) };
        let of_thread = Arc::clone(&queue);
        let thread = thread::spawn(move || of_thread.write_out(log, &Plain));
        Self { queue, asked, tell, text, thread }
    }

    /// Waits for the next write and says what happens to it.
    fn next(&self, does: Does) {
        self.asked.recv().unwrap();
        self.tell.send(does).unwrap();
    }

    /// Everything works from here on; what the log holds in the end.
    fn end(self) -> String {
        let Self { queue, asked, tell, text, thread } = self;
        drop((asked, tell));
        assert!(queue.close(), "everything is written");
        thread.join().unwrap();
        String::from_utf8(text.lock().unwrap().clone()).unwrap()
    }
}

#[test]
fn whoever_logs_is_not_held_up_and_what_finds_no_room_is_told_in_its_place() {
    let stage = Stage::with_room(8);
    stage.queue.push(b"one\n");
    stage.asked.recv().unwrap();
    // The log is stuck with the first line; the queue has room for two more.
    for line in [b"two\n", b"3..\n", b"4..\n", b"5..\n"] {
        stage.queue.push(line);
    }
    stage.tell.send(Does::Takes).unwrap();
    stage.next(Does::Takes);
    stage.next(Does::Takes);
    stage.queue.push(b"six\n");
    assert_eq!(stage.end(), "one\ntwo\n3..\nlost 2 0\nsix\n");
}

#[test]
fn what_cannot_be_written_is_counted_by_lines_and_told_once_the_log_is_well() {
    let stage = Stage::with_room(100);
    stage.queue.push(b"one\n");
    // Two bytes reach the disk, then it is full.
    stage.next(Does::Some(2));
    stage.next(Does::Fails(ErrorKind::StorageFull));
    // The word about it does not fit either, and what is logged meanwhile is not even tried.
    stage.next(Does::Fails(ErrorKind::StorageFull));
    stage.queue.push(b"two\n");
    stage.next(Does::Fails(ErrorKind::BrokenPipe));
    stage.next(Does::Fails(ErrorKind::BrokenPipe));
    // Without another line it is tried again, and the torn line is ended first.
    stage.next(Does::Takes);
    stage.next(Does::Takes);
    stage.queue.push(b"six\n");
    assert_eq!(stage.end(), "on\nlost 0 2\nsix\n");
}

#[test]
fn a_log_that_is_busy_for_a_moment_loses_nothing() {
    let stage = Stage::with_room(100);
    stage.queue.push(b"one\n");
    stage.next(Does::Some(1));
    stage.next(Does::Fails(ErrorKind::WouldBlock));
    stage.next(Does::Fails(ErrorKind::Interrupted));
    stage.next(Does::Takes);
    assert_eq!(stage.end(), "one\n");
}

#[test]
fn the_end_does_not_wait_for_a_log_that_is_stuck() {
    let stage = Stage::with_room(100);
    stage.queue.push(b"one\n");
    stage.asked.recv().unwrap();
    let begun = Instant::now();
    assert!(!stage.queue.close());
    assert!(begun.elapsed() < Duration::from_secs(20));
    // Later lines are refused, not kept.
    stage.queue.push(b"two\n");
    assert_eq!(stage.end(), "one\nlost 1 0\n");
}

#[test]
fn a_panic_that_holds_the_queue_goes_on_without_its_line() {
    let queue = LogQueue::with_room(100);
    queue.while_held(|| queue.push_in_panic(b"one\n"));
    queue.push_in_panic(b"two\n");
    assert!(!queue.while_held(|| ()).is_empty());
}
