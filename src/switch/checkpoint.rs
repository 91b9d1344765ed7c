//! The whole state as bytes, so that a restart replays only what came after.
//!
//! Contract: a state restored from [`Switch::checkpoint`] equals the one replayed from record 1
//! (invariant I13); bytes of another format, or damaged ones, are refused and leave the switch
//! as it was, to be replayed from the beginning. Card numbers stand in it: the journal encrypts
//! it like every record. A [`Snapshot`] is taken while the switch stands still for a moment and
//! becomes bytes elsewhere, while the switch goes on: what is large is shared, not copied. The
//! bytes go and come in pieces ([`super::pieces`]); those of single values that no record holds are
//! next door ([`super::checkpoint_values`]).

use super::Switch;
use super::books::LastCutover;
use super::doubt::{DeadLetter, Doubt, Granted, LateNote};
use super::ids::RecordNo;
use super::pieces::{OnMore, OnPiece, Pieces, Piecewise, RestoreError, Source, at_once, piecewise};
use super::record_bytes::{Coded, Reader, RecordError, coded_struct};
use super::stand_in::Decisions;
use super::state::{BankState, Entry, Gap, Open, Signed, State};
use super::totals::{Asked, Books, Bucket, Due, Kept};
use std::convert::Infallible;
use std::sync::Arc;

/// The format written. A checkpoint of an older one is passed over: the records tell the same. A
/// newer one is refused.
const CHECKPOINT_VERSION: u8 = 8;

piecewise!(State {
    last,
    open,
    unanswered,
    saf,
    debits,
    chains,
    undelivered,
    desk,
    dead,
    late,
    memory,
    banks,
    lines,
    policy,
    books,
    stood_in,
    gap,
});
piecewise!(Books { kept, chains, done, partials, asked, questions, asking, due });
at_once!(RecordNo, u64, Vec<BankState>, Arc<Decisions>, Gap, Option<Asked>);
coded_struct!(Gap { lost, since });
coded_struct!(Bucket { bank, period, currency });
coded_struct!(Kept { totals, first, last, standing });
coded_struct!(Asked { bucket, totals });
coded_struct!(Due { order, operator });
coded_struct!(LastCutover { at, stan, transmission });
coded_struct!(Open { intent, position });
coded_struct!(Entry { queued, tries, again, knows, twin, date, granted });
coded_struct!(Doubt { bank, at, intent, undelivered, cause, auth_id, bank_rrn, late, done });
coded_struct!(Granted { intent, auth_id, bank_rrn });
coded_struct!(DeadLetter { queued, tries, ending, bank_code, at, cause, knows, date, granted });
coded_struct!(LateNote { no, late, first, entry, ending });
coded_struct!(BankState { name, stans, business_date, cutover, doubts, dead, unmatched });
coded_struct!(Signed { on, batch, held });

/// The state as it stood at one moment; nothing that happens later changes it.
#[derive(Debug)]
pub struct Snapshot(State);

impl Snapshot {
    /// Number of the last record in it.
    pub fn upto(&self) -> RecordNo {
        self.0.last
    }

    /// Gives out the bytes of its checkpoint, a piece at a time. Takes time: milliseconds per
    /// 100,000 remembered requests.
    ///
    /// # Errors
    /// What `on` says; it is not called again.
    pub fn encode<E>(&self, on: &mut OnPiece<'_, E>) -> Result<(), E> {
        encode(&self.0, on)
    }

    /// The oldest record that may still be asked for: of a request that is open, unanswered,
    /// owed, on the desk, or in the duplicate window. Older ones are history.
    pub fn needed_from(&self) -> RecordNo {
        let state = &self.0;
        let owed = state.saf.values().filter_map(|entry| entry.queued.txn);
        let known = [
            state.memory.nth_no(0),
            state.open.first(),
            state.unanswered.keys().next().copied(),
            state.saf.keys().next().copied(),
            owed.min(),
            state.chains.keys().next().copied(),
            state.undelivered.first(),
            state.desk.keys().next().copied(),
        ];
        let next = RecordNo(state.last.0 + 1);
        known.into_iter().flatten().fold(next, RecordNo::min)
    }
}

fn encode<E>(state: &State, on: &mut OnPiece<'_, E>) -> Result<(), E> {
    let mut pieces = Pieces::new(on);
    pieces.put(&CHECKPOINT_VERSION)?;
    state.give(&mut pieces)?;
    pieces.end()
}

impl Switch {
    /// The state after the last record handed out, and that record's number. All of it at once:
    /// to compare states; a running switch takes a [`Switch::snapshot`].
    pub fn checkpoint(&self) -> (RecordNo, Vec<u8>) {
        let mut bytes = Vec::new();
        let Ok(()) = encode::<Infallible>(&self.state, &mut |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        });
        (self.state.last, bytes)
    }

    /// Number of the last record decided.
    pub fn last(&self) -> RecordNo {
        self.state.last
    }

    /// The state after the last record handed out, as a value of its own. Quick: what is copied
    /// is in flight or owed; the duplicate window is shared.
    pub fn snapshot(&self) -> Snapshot {
        let state = &self.state;
        Snapshot(State {
            last: state.last,
            open: state.open.clone(),
            unanswered: state.unanswered.clone(),
            saf: state.saf.clone(),
            debits: state.debits.clone(),
            chains: state.chains.clone(),
            undelivered: state.undelivered.clone(),
            desk: state.desk.clone(),
            dead: state.dead.clone(),
            late: state.late.clone(),
            memory: state.memory.frozen(),
            banks: state.banks.clone(),
            lines: state.lines.clone(),
            policy: state.policy,
            books: state.books.clone(),
            stood_in: std::sync::Arc::clone(&state.stood_in),
            gap: state.gap,
        })
    }

    /// Takes a state back instead of replaying the records it covers; before
    /// [`Switch::replay`] of those after it. `more` appends the next bytes, and says `false` when
    /// there are none.
    ///
    /// # Errors
    /// [`RestoreError`] when the bytes are no checkpoint of this format; nothing has changed.
    pub fn restore_from(&mut self, more: &mut OnMore<'_>) -> Result<(), RestoreError> {
        let mut from = Source::new(more);
        let known = CHECKPOINT_VERSION;
        match from.take::<u8>()? {
            got if got < known => return Err(RestoreError::Older { got, known }),
            got if got > known => return Err(RestoreError::Newer { got, known }),
            _ => {}
        }
        let state = State::regain(&mut from)?;
        from.end()?;
        self.state = state;
        Ok(())
    }

    /// [`Switch::restore_from`] bytes that are all at hand.
    ///
    /// # Errors
    /// As there.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), RestoreError> {
        let mut left = Some(bytes);
        self.restore_from(&mut |into| {
            let piece = left.take();
            into.extend_from_slice(piece.unwrap_or_default());
            Ok(piece.is_some())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::ids::Name;
    use super::super::memory::{Memory, Past};
    use super::super::policy::{DuplicateWindow, Policy};
    use super::*;
    use std::time::Duration;

    const WINDOW: u64 = 5_000;

    /// A window of requests of every past, and a bank.
    fn state() -> State {
        let mut state = State { last: RecordNo(WINDOW * 3), policy: 7, ..State::default() };
        let bank = Name::new(b"river").unwrap_or_default();
        state.memory = Memory::starting_at(77_777, Vec::new());
        for no in 1..=WINDOW {
            let stamp = state.memory.stamp(&bank, Some(no as u32));
            let past = Past::numbered((no % 8) as u8).unwrap_or(Past::Open);
            let fingerprint = no.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let at = state.memory.insert(fingerprint, no as u32, RecordNo(no * 3), past, stamp);
            state.memory.set(at, past, (no % 3 > 0).then_some(RecordNo(no * 3 + 1)));
        }
        if let Some(bank) = state.bank_mut(&bank) {
            (1..900).for_each(|stan| bank.stans.take(stan * 7));
        }
        state
    }

    fn given_out(state: &State) -> Vec<Vec<u8>> {
        let mut pieces = Vec::new();
        let Ok(()) = encode::<Infallible>(state, &mut |piece| {
            pieces.push(piece.to_vec());
            Ok(())
        });
        pieces
    }

    fn switch() -> Switch {
        let policy = Policy {
            hash: 7,
            platforms: Vec::new(),
            banks: Vec::new(),
            lines: Vec::new(),
            routes: Vec::new(),
            duplicates: DuplicateWindow { age: Duration::from_secs(60), count: 1_000 },
        };
        Switch::new(Arc::new(policy), 1)
    }

    fn regained(pieces: &[&[u8]]) -> Result<State, RestoreError> {
        let mut switch = switch();
        let mut pieces = pieces.iter();
        switch.restore_from(&mut |into| {
            let piece = pieces.next();
            into.extend_from_slice(piece.copied().unwrap_or_default());
            Ok(piece.is_some())
        })?;
        Ok(switch.state)
    }

    #[test]
    fn a_state_goes_out_in_small_pieces_and_comes_back_from_pieces_of_any_length() {
        let state = state();
        let pieces = given_out(&state);
        assert!(pieces.len() >= 3, "{} pieces", pieces.len());
        assert!(pieces.iter().all(|piece| piece.len() < 80_000));
        let whole = pieces.concat();
        for len in [1, 29, 31, 4_096, whole.len()] {
            let again = regained(&whole.chunks(len).collect::<Vec<_>>());
            assert!(again.as_ref() == Ok(&state), "in pieces of {len}");
        }
    }

    #[test]
    fn part_of_a_state_or_more_than_one_is_refused() {
        let whole = given_out(&state()).concat();
        for len in (0..whole.len()).step_by(331).chain([whole.len() - 1]) {
            let cut = regained(&[&whole[..len]]);
            let short = matches!(cut, Err(RestoreError::Bytes(RecordError::Short { .. })));
            assert!(short, "cut to {len}");
        }
        for rest in [[&[][..], &[0]], [&[0], &[]]] {
            let more = regained(&[&whole, rest[0], rest[1]]);
            let left = RecordError::Trailing { at: 0, left: 1 };
            assert_eq!(more.err(), Some(RestoreError::Bytes(left)));
        }
        let mut switch = switch();
        let lost = switch.restore_from(&mut |_| Err("the disk is gone".to_owned()));
        assert_eq!(lost, Err(RestoreError::Unread("the disk is gone".to_owned())));
    }

    #[test]
    fn older_and_newer_formats_are_told_apart_and_change_nothing() {
        let mut whole = given_out(&state()).concat();
        let known = CHECKPOINT_VERSION;
        let mut switch = switch();
        let before = switch.checkpoint();
        whole[0] = known - 1;
        let older = RestoreError::Older { got: known - 1, known };
        assert_eq!(switch.restore(&whole), Err(older));
        whole[0] = known + 1;
        let newer = RestoreError::Newer { got: known + 1, known };
        assert_eq!(switch.restore(&whole), Err(newer));
        assert!(switch.checkpoint() == before);
    }
}
