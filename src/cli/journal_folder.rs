//! The folder of a journal, as the commands that look at one open it.
//!
//! Contract: nothing is changed, and a writer may be at work beside it. A folder without a journal
//! is refused with what stands there instead. Deliberately absent: what the files hold.

use super::journal::Resolve;
use crate::journal::file::backend::{Backend, FileName};
use crate::journal::{DataKey, DiskBackend, KeyEncryptionKey, read_keys};
use anyhow::{Context, bail};
use std::io;
use std::path::Path;

/// Names of strange files that are told.
const FOUND_MAX: usize = 8;

/// Opens a journal's folder.
pub(super) fn open(folder: &Path) -> anyhow::Result<DiskBackend> {
    let backend = DiskBackend::open_read_only(folder);
    let backend = backend.with_context(|| format!("cannot open {}", folder.display()))?;
    let told = || format!("cannot list {}", folder.display());
    let files = backend.list().with_context(told)?;
    if files.is_empty() {
        bail!(no_journal(folder).with_context(told)?);
    }
    Ok(backend)
}

/// What stands in a folder that holds no journal, and what does in one that holds one.
fn no_journal(folder: &Path) -> io::Result<String> {
    let (mut found, mut below) = (Vec::new(), None);
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (name, is_folder) = (entry.file_name(), entry.file_type()?.is_dir());
        found.push(format!("{}{}", name.to_string_lossy(), if is_folder { "/" } else { "" }));
        // Whoever names the folder above it is nearly there.
        let inside = DiskBackend::open_read_only(&entry.path()).and_then(|inside| inside.list());
        if is_folder && inside.is_ok_and(|files| !files.is_empty()) {
            below = Some(entry.path());
        }
    }
    found.sort_unstable();
    let more = found.len().saturating_sub(FOUND_MAX);
    found.truncate(FOUND_MAX);
    let found = match (found.as_slice(), more) {
        ([], _) => "it is empty".to_owned(),
        (found, 0) => format!("it holds {}", found.join(", ")),
        (found, more) => format!("it holds {} and {more} more", found.join(", ")),
    };
    let below = below.map_or_else(String::new, |at| format!("; {} holds one", at.display()));
    let (keys, segment) = (FileName::Keys, FileName::Segment(1));
    let (state, day) = (FileName::Checkpoint(1), FileName::DayIndex(20_261_122));
    Ok(format!(
        "{} holds no journal: {found}; a journal is {keys} and segments like {segment}, and as it \
         grows checkpoints ({state}) and indexes ({day}){below}",
        folder.display()
    ))
}

/// The data key under the key-encryption key of a `file:` or `env:` reference.
pub(super) fn open_key(
    backend: &dyn Backend,
    reference: &str,
    resolve: Resolve,
) -> anyhow::Result<DataKey> {
    let hex = resolve(reference).context("--key")?;
    Ok(read_keys(backend, &KeyEncryptionKey::from_hex(&hex)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_journal_is_told_with_what_it_holds() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let refused =
            |at: &Path| open(at).map_or_else(|why| why.to_string(), |_| "it was opened".to_owned());
        let said = refused(folder.path());
        assert!(
            said.contains(" holds no journal: it is empty; a journal is journal.keys"),
            "{said}"
        );
        assert!(said.contains("journal-0000000001.segment"), "{said}");
        for name in ["notes.txt", "journal-1.segment"] {
            std::fs::write(folder.path().join(name), "stray")?;
        }
        let said = refused(folder.path());
        assert!(said.contains(": it holds journal-1.segment, notes.txt; a journal is"), "{said}");
        for nth in 0..8 {
            std::fs::write(folder.path().join(format!("z{nth}")), "stray")?;
        }
        assert!(refused(folder.path()).contains("z5 and 2 more; a journal is"));
        let inside = folder.path().join("a");
        std::fs::create_dir(&inside)?;
        std::fs::write(inside.join(FileName::Keys.to_string()), "a journal's")?;
        let said = refused(folder.path());
        assert!(said.contains("it holds a/, journal-1"), "{said}");
        assert!(said.ends_with(&format!("; {} holds one", inside.display())), "{said}");
        assert!(open(&inside).is_ok());
        Ok(())
    }
}
