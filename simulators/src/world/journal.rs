//! The switch's journal read back after a run: every record, in order.

use anyhow::{Context, anyhow};
use pointsman::journal::{DiskBackend, KeyEncryptionKey, Replayed, read_keys, walk_all};
use pointsman::switch::record::Record;
use std::path::Path;

/// Every record of the journal in `folder`, by number, without changing anything there.
///
/// # Errors
/// A journal that cannot be opened with this key (hexadecimal), is damaged, or holds a record
/// that cannot be read.
pub fn read(folder: &Path, key: &str) -> anyhow::Result<Vec<(u64, Record)>> {
    let backend = DiskBackend::open_read_only(folder).context("journal folder")?;
    let wrap = KeyEncryptionKey::from_hex(key).context("journal key")?;
    let key = read_keys(&backend, &wrap).context("journal keys")?;
    let mut records = Vec::new();
    walk_all(&backend, Some(&key), &mut |_, _, replayed| match replayed {
        Replayed::Record { no, bytes } => {
            records.push((no, Record::decode(bytes).map_err(|error| error.to_string())?));
            Ok(())
        }
        Replayed::Lost { from, upto } => Err(format!("records {from} to {upto} are lost")),
        Replayed::Checkpoint { .. } => Ok(()),
    })
    .map_err(|error| anyhow!("journal: {error}"))?;
    Ok(records)
}
