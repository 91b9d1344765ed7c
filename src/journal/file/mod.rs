//! The journal as files of one folder. `docs/journal-format.md` has the byte map.
//!
//! Bottom up: [`backend`] (the disk; [`disk`] the real one), [`keys`] and [`seal`] (encryption),
//! [`entry`] (a batch), [`segment`] (a file of batches), [`batch`], `current` and [`writer`]
//! (writing), [`shelf`] and [`bare`] (files made ahead), [`map`] and [`reader`] (finding),
//! [`verdicts`], [`scan`], `walk` and [`recovery`] (starting), [`statement`] and
//! [`extent`] (what there must be), `checkpoint_file`, [`checkpoint`] and [`checkpoint_folder`],
//! [`retention`], [`index`] (keys by business day). [`sim_disk`] is a disk that breaks on demand.

pub mod backend;
pub mod bare;
pub mod batch;
pub mod checkpoint;
mod checkpoint_file;
pub mod checkpoint_folder;
mod current;
pub mod disk;
pub mod entry;
pub mod error;
pub mod extent;
pub mod index;
pub mod keys;
pub mod map;
pub mod options;
pub mod reader;
pub mod recovery;
pub mod retention;
pub mod scan;
pub mod seal;
pub mod segment;
pub mod shelf;
pub mod sim_disk;
pub mod statement;
pub mod verdicts;
mod walk;
pub mod writer;
