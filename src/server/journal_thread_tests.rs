//! The journal's thread over a disk that fails on command.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::clock::Clock;
use super::journal_thread::{Health, JournalHandle, Left};
use super::recall_thread::Library;
use crate::journal::{
    Backend, DataKey, Entropy, Options, Reader, Replayed, SimDisk, Writer, recover,
};
use crate::link::{Arrival, Inbox};
use crate::switch::ids::{RecordNo, Ticket};
use crate::switch::input::Input;
use crate::switch::output::RecallKey;
use crate::switch::record::Record;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(20);

fn options() -> Options {
    Options { segment_bytes: 16 << 10, ..Options::default() }
}

fn entropy() -> Entropy {
    Box::new(|into| {
        into.fill(7);
        Ok(())
    })
}

/// What a restart would find.
fn replayed(disk: &SimDisk) -> Vec<(u64, Record)> {
    let mut records = Vec::new();
    recover(disk, &DataKey::new([1; 32]), &options(), &mut |replayed| {
        if let Replayed::Record { no, bytes } = replayed {
            records.push((no, Record::decode(bytes).map_err(|e| e.to_string())?));
        }
        Ok(())
    })
    .unwrap();
    records
}

struct Bench {
    disk: SimDisk,
    inbox: Arc<Inbox>,
    journal: JournalHandle,
    next: u64,
}

impl Bench {
    fn new() -> Self {
        let disk = SimDisk::new(1);
        let (key, inbox) = (DataKey::new([1; 32]), Inbox::new(8));
        let recovered = recover(&disk, &key, &options(), &mut |_| Ok(())).unwrap();
        let backend: Arc<dyn Backend> = Arc::new(disk.clone());
        let reader = || Reader::new(Arc::clone(&backend), key.clone(), Arc::clone(&recovered.map));
        let library = Library { backend: Arc::clone(&backend), reader: reader(), second: reader() };
        let clock = Clock::start();
        let writer =
            Writer::start(backend, key, options(), &recovered, entropy(), clock.wall()).unwrap();
        let most = options().batch_bytes_max();
        let inbox_of_thread = Arc::clone(&inbox);
        let journal = JournalHandle::start(
            writer,
            library,
            most,
            clock,
            inbox_of_thread,
            Box::new(|_, _| ()),
        )
        .unwrap();
        Self { disk, inbox, journal, next: 1 }
    }

    fn record(&mut self, count: u64) {
        let numbers = self.next..self.next + count;
        let hint = |no| (RecordNo(no), Box::new(Record::Released(RecordNo(1_000 + no))));
        self.journal.hand_over(&numbers.map(hint).collect::<Vec<_>>());
        self.next += count;
    }

    /// Waits for a knock or an arrival.
    async fn hear(&self) -> Vec<Arrival> {
        let mut taken = Vec::new();
        timeout(LIMIT, poll_fn(|cx| self.inbox.poll_take(cx, &mut taken))).await.unwrap();
        taken
    }

    async fn until(&self, good: impl Fn(&JournalHandle) -> bool) {
        while !good(&self.journal) {
            self.hear().await;
        }
    }
}

#[tokio::test]
async fn what_is_said_to_be_durable_is_found_again_in_order() {
    let mut bench = Bench::new();
    // Several segments, several batches, and one turn larger than a batch.
    for count in [1, 3, 200, 1_000] {
        bench.record(count);
        let upto = RecordNo(bench.next - 1);
        bench.until(|journal| journal.durable() == upto).await;
        assert_eq!(bench.journal.lag(), 0);
    }
    let survivor = bench.disk.fork(9);
    survivor.crash();
    let expected: Vec<_> =
        (1..=1_204).map(|no| (no, Record::Released(RecordNo(1_000 + no)))).collect();
    assert_eq!(replayed(&survivor), expected);
    assert_eq!(bench.journal.stop(), Health::Good);
}

#[tokio::test]
async fn a_record_is_recalled_by_its_number_and_what_is_not_there_is_not() {
    let mut bench = Bench::new();
    bench.record(5);
    bench.journal.recall(Ticket(1), RecallKey::Record(RecordNo(4)));
    bench.journal.recall(Ticket(2), RecallKey::Record(RecordNo(6)));
    bench.journal.recall(Ticket(3), RecallKey::Key { names: [1, 0, 0, 0], days: 1 });
    let mut answers = Vec::new();
    while answers.len() < 3 {
        answers.extend(bench.hear().await.into_iter().filter_map(|arrival| match arrival {
            Arrival::Input(Input::Recalled { ticket, found }) => {
                Some((ticket.0, found.one().map(|(no, record)| (no.0, *record))))
            }
            _ => None,
        }));
    }
    answers.sort_by_key(|(ticket, _)| *ticket);
    let fourth = (4, Record::Released(RecordNo(1_004)));
    assert_eq!(answers, [(1, Some(fourth)), (2, None), (3, None)]);
}

#[tokio::test]
async fn a_failed_sync_is_told_and_never_tried_again() {
    let mut bench = Bench::new();
    bench.record(1);
    bench.until(|journal| journal.durable() == RecordNo(1)).await;
    bench.disk.fail_after(0, true);
    bench.record(1);
    bench.until(|journal| matches!(journal.health(), Health::Failed(_))).await;
    bench.disk.heal();
    bench.record(1);
    let health = bench.journal.stop();
    assert!(matches!(health, Health::Failed(_)), "{health:?}");
    assert_eq!(replayed(&bench.disk).len(), 1);
}

#[tokio::test]
async fn a_full_disk_is_told_and_gets_well_by_itself() {
    let mut bench = Bench::new();
    bench.record(1);
    bench.until(|journal| journal.durable() == RecordNo(1)).await;
    bench.disk.set_capacity(Some(bench.disk.used()));
    let mut filled = 0;
    while bench.journal.health() == Health::Good && filled < 100_000 {
        bench.record(50);
        filled += 50;
        bench.until(|journal| journal.lag() == 0 || journal.health() != Health::Good).await;
    }
    assert_eq!(bench.journal.health(), Health::Full(Left::Enough));
    // What else is decided uses up the reserve; then it waits.
    while bench.journal.health() == Health::Full(Left::Enough) {
        bench.record(50);
        bench.until(|journal| journal.lag() == 0 || little(journal)).await;
    }
    bench.record(600);
    bench.until(little).await;
    bench.disk.set_capacity(None);
    // Nothing more is recorded: it gets well all the same.
    let upto = RecordNo(bench.next - 1);
    bench.until(|journal| journal.durable() == upto && journal.health() == Health::Good).await;
    assert_eq!(bench.journal.stop(), Health::Good);
    assert_eq!(replayed(&bench.disk).len() as u64, bench.next - 1);
}

fn little(journal: &JournalHandle) -> bool {
    journal.health() == Health::Full(Left::Little)
}
