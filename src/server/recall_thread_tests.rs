//! Recalls by name through the journal's thread, over a simulated disk: found in memory, after a
//! restart, and after the index was damaged in every way.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::clock::Clock;
use super::journal_thread::{Health, JournalHandle};
use super::recall_thread::Library;
use crate::canonical::{Flow, Kind, Reason, TransactionType};
use crate::journal::file::backend::FileName;
use crate::journal::{Backend, DataKey, Entropy, Options, Reader, SimDisk, Writer, recover};
use crate::link::{Arrival, Inbox};
use crate::switch::duplicates::fingerprint;
use crate::switch::ids::{RecordNo, Ticket};
use crate::switch::input::Input;
use crate::switch::output::RecallKey;
use crate::switch::record::{BankKeys, Intent, Leg, Origin, Outcome, Record, Refused};
use crate::time::Wall;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(20);

fn origin(stan: u32) -> Origin {
    Origin { mti: "0200".parse().unwrap(), stan, ..Origin::default() }
}

fn name(stan: u32) -> u64 {
    fingerprint(&"pos".parse().unwrap(), &origin(stan))
}

fn at(stan: u32) -> Wall {
    // 2026-11-20 and the days after it, a few hundred records each.
    Wall::from_millis(1_795_132_800_000 + i64::from(stan / 300) * 86_400_000)
}

fn intent(stan: u32) -> Record {
    let (theirs, keys) = (origin(stan), BankKeys { stan, ..BankKeys::default() });
    let platform = ("pos".parse().unwrap(), theirs);
    let bank = ("alfa".parse().unwrap(), keys);
    Record::Intent(Arc::new(Intent::bare(at(stan), platform, bank, (None, None))))
}

fn outcome(txn: u64, stan: u32) -> Record {
    Record::Outcome(Outcome::bare(RecordNo(txn), at(stan), Leg::Approved))
}

fn taken_back(txn: u64, stan: u32) -> Record {
    Record::Refused(Box::new(Refused {
        at: at(stan),
        platform: "pos".parse().unwrap(),
        kind: Kind::Reversal(TransactionType::Purchase),
        flow: Flow::Advice,
        origin: Origin { mti: "0420".parse().unwrap(), stan, ..Origin::default() },
        pan: None,
        processing_code: None,
        amount: None,
        reason: Reason::Accepted,
        concerns: Some(RecordNo(txn)),
        replacement: None,
        cause: None,
    }))
}

/// One run of the journal's thread over a disk.
struct Run {
    inbox: Arc<Inbox>,
    journal: JournalHandle,
    next: u64,
    asked: u64,
}

impl Run {
    fn new(disk: &SimDisk) -> Self {
        let options = Options { segment_bytes: 64 << 10, ..Options::default() };
        let (key, inbox) = (DataKey::new([1; 32]), Inbox::new(8));
        let recovered = recover(disk, &key, &options, &mut |_| Ok(())).unwrap();
        let backend: Arc<dyn Backend> = Arc::new(disk.clone());
        let reader = || Reader::new(Arc::clone(&backend), key.clone(), Arc::clone(&recovered.map));
        let library = Library { backend: Arc::clone(&backend), reader: reader(), second: reader() };
        let clock = Clock::start();
        let entropy: Entropy = Box::new(|into| {
            into.fill(7);
            Ok(())
        });
        let writer =
            Writer::start(backend, key, options, &recovered, entropy, clock.wall()).unwrap();
        let (next, most) = (writer.next(), options.batch_bytes_max());
        let shared = Arc::clone(&inbox);
        let on_commit = Box::new(|_, _| ());
        let journal =
            JournalHandle::start(writer, library, most, clock, shared, on_commit).unwrap();
        Self { inbox, journal, next, asked: 0 }
    }

    /// A purchase and its approval, each under its own number.
    fn purchases(&mut self, stans: std::ops::Range<u32>) {
        for stan in stans {
            let txn = self.next;
            self.record([intent(stan), outcome(txn, stan)]);
        }
    }

    fn record<const N: usize>(&mut self, records: [Record; N]) {
        let numbers = (self.next..).map(RecordNo);
        let records: Vec<_> = numbers.zip(records.map(Box::new)).collect();
        self.next += N as u64;
        self.journal.hand_over(&records);
    }

    async fn ask(&mut self, key: RecallKey) -> Option<(u64, Record)> {
        self.asked += 1;
        let asked = Ticket(self.asked);
        self.journal.recall(asked, key);
        loop {
            let mut taken = Vec::new();
            timeout(LIMIT, poll_fn(|cx| self.inbox.poll_take(cx, &mut taken))).await.unwrap();
            for arrival in taken {
                if let Arrival::Input(Input::Recalled { ticket, found }) = arrival
                    && ticket == asked
                {
                    return found.one().map(|(no, record)| (no.0, *record));
                }
            }
        }
    }

    async fn named(&mut self, stan: u32) -> Option<u64> {
        let key = RecallKey::Key { names: [1, name(stan), 0, 0], days: 7 };
        self.ask(key).await.map(|(no, _)| no)
    }

    async fn ending(&mut self, txn: u64) -> Option<u64> {
        let key = RecallKey::Ending { txn: RecordNo(txn), days: 7 };
        self.ask(key).await.map(|(no, _)| no)
    }

    /// Purchase `stan`, counted from 1, stands at record 2·stan − 1.
    async fn expect(&mut self, stans: impl Iterator<Item = u32>) {
        for stan in stans {
            let txn = u64::from(stan) * 2 - 1;
            assert_eq!(self.named(stan).await, Some(txn), "purchase {stan}");
            assert_eq!(self.ending(txn).await, Some(txn + 1), "the end of purchase {stan}");
        }
        assert_eq!(self.named(999_999).await, None);
    }

    fn stop(self) {
        assert_eq!(self.journal.stop(), Health::Good);
    }
}

#[tokio::test]
async fn a_request_and_its_end_are_found_by_name_and_what_took_it_back_counts_first() {
    let disk = SimDisk::new(3);
    let mut run = Run::new(&disk);
    run.purchases(1..500);
    run.expect([1, 250, 499].into_iter()).await;
    run.record([taken_back(5, 700)]);
    let no = run.next - 1;
    assert_eq!(run.ending(5).await, Some(no), "the reversal, not the outcome");
    assert_eq!(run.ending(7).await, Some(8));
    run.stop();
    // The next run finds the same, and what it adds itself.
    let mut run = Run::new(&disk);
    assert_eq!(run.ending(5).await, Some(no));
    run.expect([2, 300].into_iter()).await;
    run.stop();
}

#[tokio::test]
async fn an_index_that_is_missing_torn_or_rotten_is_made_anew_and_never_believed() {
    let disk = SimDisk::new(4);
    let mut run = Run::new(&disk);
    run.purchases(1..400);
    run.expect([399].into_iter()).await;
    run.stop();
    let days: Vec<FileName> = Backend::list(&disk)
        .unwrap()
        .into_iter()
        .filter_map(|(name, _)| matches!(name, FileName::DayIndex(d) if d > 0).then_some(name))
        .collect();
    assert_eq!(days.len(), 2, "two days were written");
    let damages: [&dyn Fn(&SimDisk); 4] = [
        &|disk| assert!(disk.flip(days[0], 3, 1)), // the header of a block
        &|disk| assert!(disk.flip(days[0], 32 + 5, 4)), // a fingerprint
        &|disk| assert!(disk.flip(days[1], 32 + 9, 4)), // a number
        &|disk| disk.change(crate::journal::file::backend::Change::Remove(days[1])).unwrap(),
    ];
    for (at, damage) in damages.into_iter().enumerate() {
        let disk = disk.fork(at as u64);
        damage(&disk);
        let mut run = Run::new(&disk);
        run.expect((1..400).step_by(7)).await;
        run.stop();
    }
}

#[tokio::test]
async fn after_a_crash_the_index_catches_up_with_the_records() {
    let disk = SimDisk::new(5);
    let mut run = Run::new(&disk);
    run.purchases(1..100);
    run.expect([99].into_iter()).await;
    run.stop();
    let mut run = Run::new(&disk);
    run.purchases(100..300);
    run.expect([299].into_iter()).await;
    // Nothing of the second run is in the index on disk.
    let survivor = disk.fork(9);
    survivor.crash();
    drop(run);
    let mut run = Run::new(&survivor);
    run.expect((1..300).step_by(13)).await;
    run.stop();
}
