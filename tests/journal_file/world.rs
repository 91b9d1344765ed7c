//! What the journal tests share: small segments, records that say their own number, and a replay
//! that checks every one of them.

use pointsman::journal::{
    Backend, Batch, Class, DataKey, Entropy, JournalError, Options, Recovered, RecoveryError,
    Replayed, SavedState, SimDisk, Writer, recover,
};
use pointsman::time::Wall;
use std::error::Error;
use std::sync::{Arc, OnceLock};

/// What tests return.
pub(crate) type Tested = Result<(), Box<dyn Error>>;
/// The stamp of every segment.
pub(crate) const NOW: Wall = Wall::from_millis(1_790_000_000_000);

/// Small segments, so that a thousand records fill several.
pub(crate) fn options() -> Options {
    Options { segment_bytes: 16 << 10, ..Options::default() }
}

/// The data key of every test.
pub(crate) fn key() -> DataKey {
    DataKey::new([7; 32])
}

/// Counts up: never repeats, and the same in every run.
pub(crate) fn entropy(seed: u64) -> Entropy {
    let mut counter = seed << 32;
    Box::new(move |into| {
        counter += 1;
        into.fill(0);
        into[..8].copy_from_slice(&counter.to_le_bytes());
        Ok(())
    })
}

/// What record `no` holds: 9 to 30 bytes that say its number.
pub(crate) fn record(no: u64) -> &'static [u8] {
    static RECORDS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let make = |no: usize| format!("record {no} {}", "x".repeat(no % 17)).into_bytes();
    &RECORDS.get_or_init(|| (0..20_000).map(make).collect())[no as usize]
}

/// Recovers; every record must be the one written, every number the next one.
pub(crate) fn replay_with(
    disk: &SimDisk,
    options: &Options,
    lost: &mut Vec<(u64, u64)>,
) -> Result<Recovered, RecoveryError> {
    let mut expected = 1;
    recover(disk, &key(), options, &mut |replayed| {
        match replayed {
            Replayed::Checkpoint { upto, state } => {
                assert_eq!(whole(state)?, format!("state {upto}").as_bytes());
                expected = upto + 1;
            }
            Replayed::Record { no, bytes } => {
                assert_eq!((no, bytes), (expected, record(no)));
                expected = no + 1;
            }
            Replayed::Lost { from, upto } => {
                assert_eq!(from, expected);
                lost.push((from, upto));
                expected = upto + 1;
            }
        }
        Ok(())
    })
    .inspect(|recovered| assert_eq!(recovered.next, expected))
}

/// The state of a checkpoint, all of it.
pub(crate) fn whole(state: &mut (dyn SavedState + '_)) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while state.more(&mut bytes)? {}
    Ok(bytes)
}

/// Recovers without accepting any loss.
pub(crate) fn replay(disk: &SimDisk) -> Result<Recovered, RecoveryError> {
    replay_with(disk, &options(), &mut Vec::new())
}

/// Recovers and opens a writer.
pub(crate) fn start(disk: &SimDisk, seed: u64) -> Result<Writer, Box<dyn Error>> {
    let recovered = replay(disk)?;
    start_from(disk, &recovered, seed, options())
}

/// Opens a writer behind what was recovered.
pub(crate) fn start_from(
    disk: &SimDisk,
    recovered: &Recovered,
    seed: u64,
    options: Options,
) -> Result<Writer, Box<dyn Error>> {
    let backend: Arc<dyn Backend> = Arc::new(disk.clone());
    Ok(Writer::start(backend, key(), options, recovered, entropy(seed), NOW)?)
}

/// Appends a batch of `records` records.
pub(crate) fn append(writer: &mut Writer, records: u64) -> Result<u64, JournalError> {
    append_as(writer, records, Class::Ordinary)
}

/// Appends a batch of `records` records of a class.
pub(crate) fn append_as(
    writer: &mut Writer,
    records: u64,
    class: Class,
) -> Result<u64, JournalError> {
    let mut batch = Batch::new(writer.next());
    for _ in 0..records {
        batch.push(record(batch.next()));
    }
    writer.append(&mut batch, class, NOW)
}
