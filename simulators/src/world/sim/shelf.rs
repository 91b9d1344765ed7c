//! Where a run of the simulated process looks old records up: the witness's index, and the
//! journal's own reader.

use pointsman::journal::{JournalError, Reader};
use pointsman::switch::ids::RecordNo;
use pointsman::switch::library::{Catalogue, Coverage, Library};
use pointsman::switch::record::Record;

/// See the module.
#[derive(Debug)]
pub(super) struct OnDisk<'w> {
    /// Numbers of durable records by their fingerprints.
    pub(super) catalogue: &'w Catalogue,
    /// The records.
    pub(super) reader: &'w mut Reader,
}

impl Library for OnDisk<'_> {
    type Error = JournalError;

    fn numbers(&mut self, fingerprint: u64, _: u16) -> Result<Vec<RecordNo>, JournalError> {
        Ok(self.catalogue.numbers(fingerprint))
    }

    fn record(&mut self, no: RecordNo) -> Result<Option<Record>, JournalError> {
        let bytes = self.reader.read(no.0)?;
        Ok(bytes.and_then(|bytes| Record::decode(bytes).ok()))
    }

    /// The simulated journal never retires a segment.
    fn coverage(&self, _: u16) -> Coverage {
        Coverage { since: None }
    }
}
