//! The journal back into the switch: newest checkpoint, then every record behind it.
//!
//! Contract: what cannot be decoded or restored ends it with its number and reason; damage ends it
//! as [`recover`] says. A checkpoint whose state an older program wrote is passed over with a
//! warning: the records tell the same. Deliberately absent: what to do about debts found;
//! `Switch::start` knows.

use super::audit_thread::TRANSACTIONS_KEPT;
use crate::journal::{Backend, DataKey, Options, Recovered, RecoveryError, Replayed, recover};
use crate::switch::audit::Auditor;
use crate::switch::ids::RecordNo;
use crate::switch::record::Record;
use crate::switch::{RestoreError, Switch};
use tracing::warn;

/// Replays the journal into a new switch, and into an auditor what stands behind the checkpoint.
///
/// # Errors
/// As [`recover`]; `Refused` for a record or checkpoint of an unknown version.
pub fn replay(
    backend: &dyn Backend,
    key: &DataKey,
    options: &Options,
    switch: &mut Switch,
) -> Result<(Recovered, Auditor), RecoveryError> {
    let mut auditor = Auditor::bounded(TRANSACTIONS_KEPT);
    let recovered = recover(backend, key, options, &mut |replayed| match replayed {
        Replayed::Record { no, bytes } => {
            let record = Record::decode(bytes).map_err(|error| error.to_string())?;
            auditor.see(RecordNo(no), &record);
            switch.replay(RecordNo(no), &record);
            Ok(())
        }
        Replayed::Checkpoint { upto, state } => {
            match switch.restore_from(&mut |into| state.more(into)) {
                Err(why @ RestoreError::Older { .. }) => {
                    warn!(upto, %why, "the checkpoint is passed over: this start takes longer");
                    state.pass_over();
                    Ok(())
                }
                restored => restored.map_err(|error| error.to_string()),
            }
        }
        Replayed::Lost { from, upto } => {
            warn!(from, upto, "records are lost to damage, as an operator accepted");
            auditor = Auditor::bounded(TRANSACTIONS_KEPT);
            switch.lost(RecordNo(upto));
            Ok(())
        }
    })?;
    Ok((recovered, auditor))
}
