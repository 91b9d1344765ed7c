//! The journal: durable, chained, encrypted records. What it promises and to whom:
//!
//! 1. **Records** are opaque bytes with consecutive numbers from 1. The journal knows nothing of
//!    what they say.
//! 2. **Writing** ([`Writer`]): fill a [`Batch`], `append` it (one seal, one write), `sync` it.
//!    What `sync` returned is durable; nothing else is. One writer per folder, one thread; this
//!    room starts no thread and reads no clock.
//! 3. **Failing**: after one failed write or sync the writer is poisoned and every later call
//!    says so; the process must end (a failed fsync is never tried again). A full disk is not
//!    that: ordinary batches are refused with [`JournalError::DiskFull`], essential ones go to a
//!    reserved segment, and all is well once space is back.
//! 4. **Starting** ([`recover`], then [`Writer::start`]): replays the newest valid checkpoint and
//!    all records after it, in order, each exactly as written or not at all. Damage is refused by
//!    name; a torn tail is cut off and told. Every start opens a new segment.
//! 5. **Reading back** ([`Reader`]): any durable record by number, beside the writer.
//!
//! ## What each kind of crash loses
//!
//! | after | process crash (kill -9) | OS crash | power cut |
//! |---|---|---|---|
//! | `Batch::push` | lost | lost | lost |
//! | `Writer::append` | kept | lost from some record on | lost from some record on |
//! | `Writer::sync` | kept | kept | kept, if the disk honours flushes |
//! | `write_checkpoint` | kept | kept | kept, if the disk honours flushes |
//!
//! "Lost from some record on": what survives is always the records 1 to n, for some n at or above
//! the last sync; there is never a hole.
//!
//! Deliberately absent: threads (`server` has them), clocks, randomness of its own (the caller
//! gives it), memory maps, any knowledge of `switch`.

pub mod file;

pub use file::backend::Backend;
pub use file::bare::Bare;
pub use file::batch::Batch;
pub use file::checkpoint::{CheckpointWriter, write_checkpoint};
pub use file::checkpoint_folder::{SavedState, prune_checkpoints};
pub use file::disk::DiskBackend;
pub use file::error::{JournalError, RecoveryError};
pub use file::extent::{Extent, Stated, read_extent};
pub use file::index::DayIndex;
pub use file::keys::{DataKey, KeyEncryptionKey, open_keys, read_keys};
pub use file::options::{Entropy, Options, os_entropy};
pub use file::reader::{Lost, Reader};
pub use file::recovery::{Finding, Recovered, Replayed, recover, walk_all};
pub use file::retention::{Retention, retire};
pub use file::shelf::Shelf;
pub use file::sim_disk::SimDisk;
pub use file::statement::{Loss, Statement};
pub use file::writer::{Class, Writer};
