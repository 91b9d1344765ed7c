//! The whole state as bytes, so that a restart replays only what came after.
//!
//! Contract: a state restored from [`Switch::checkpoint`] equals the one replayed from record 1
//! (invariant I13); bytes of another format, or damaged ones, are refused and leave the switch
//! as it was, to be replayed from the beginning. Card numbers stand in it: the journal encrypts
//! it like every record. A [`Snapshot`] is taken while the switch stands still for a moment and
//! becomes bytes elsewhere, while the switch goes on: what is large is shared, not copied.

use super::Switch;
use super::by_number::ByNumber;
use super::doubt::{DeadLetter, Doubt, LateNote};
use super::duplicates::{Memory, Past, Stamp};
use super::ids::RecordNo;
use super::record_bytes::{Coded, Reader, RecordError, coded_struct};
use super::stans::Stans;
use super::state::{BankState, Entry, Open, Signed, State};
use super::totals::{Asked, Books, Bucket, Closing, Counting, Kept};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The format written. A checkpoint of any other is passed over: the records tell the same.
const CHECKPOINT_VERSION: u8 = 5;

coded_struct!(State {
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
});
coded_struct!(Books { kept, chains, done, partials, asked, closing });
coded_struct!(Bucket { bank, period, currency });
coded_struct!(Kept { totals, first, last });
coded_struct!(Asked { bucket, totals });
coded_struct!(Closing { cutover, date });
coded_struct!(Open { intent, position });
coded_struct!(Entry { queued, tries, again });
coded_struct!(Doubt { bank, at, intent, undelivered });
coded_struct!(DeadLetter { queued, tries, ending, bank_code, at });
coded_struct!(LateNote { no, late, first, entry, ending });
coded_struct!(BankState { name, stans, business_date, doubts, dead });
coded_struct!(Signed { on, batch });
coded_struct!(Stamp { platform, seconds });

/// A count, then so many values. Nothing is reserved on a count's word.
fn take_all<T: Coded, C: Default + Extend<T>>(from: &mut Reader<'_>) -> Result<C, RecordError> {
    let mut all = C::default();
    for _ in 0..u64::take(from)? {
        all.extend([T::take(from)?]);
    }
    Ok(all)
}

impl<T: Coded> Coded for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        self.iter().for_each(|value| value.put(out));
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        take_all(from)
    }
}

impl<T: Coded> Coded for VecDeque<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        self.iter().for_each(|value| value.put(out));
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        take_all(from)
    }
}

/// As a tree of the same would be, so that a set is the sequence of its keys.
impl<K: Coded + Copy + Ord, V: Coded> Coded for ByNumber<K, V> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        for (key, value) in self.iter() {
            key.put(out);
            value.put(out);
        }
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        take_all(from)
    }
}

/// Nothing: the value of a key that is only there.
impl Coded for () {
    fn put(&self, _out: &mut Vec<u8>) {}

    fn take(_from: &mut Reader<'_>) -> Result<Self, RecordError> {
        Ok(())
    }
}

impl<T: Coded + Ord> Coded for BTreeSet<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        self.iter().for_each(|value| value.put(out));
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        take_all(from)
    }
}

impl<K: Coded + Ord, V: Coded> Coded for BTreeMap<K, V> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        for (key, value) in self {
            key.put(out);
            value.put(out);
        }
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        take_all(from)
    }
}

impl Coded for Counting {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Open => 0,
            Self::Counted => 1,
            Self::Done => 2,
        });
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        match from.byte()? {
            0 => Ok(Self::Open),
            1 => Ok(Self::Counted),
            2 => Ok(Self::Done),
            _ => Err(from.wrong()),
        }
    }
}

impl<A: Coded, B: Coded> Coded for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        Ok((A::take(from)?, B::take(from)?))
    }
}

impl Coded for Memory {
    fn put(&self, out: &mut Vec<u8>) {
        self.first().put(out);
        self.platforms().put(out);
        (self.len() as u64).put(out);
        for entry in self.iter() {
            out.extend_from_slice(&entry.fingerprint().to_le_bytes());
            entry.no().put(out);
            out.push(entry.past() as u8);
            out.extend_from_slice(&entry.content().to_le_bytes());
            entry.outcome().put(out);
            entry.stamp().put(out);
        }
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        // Positions count requests since the beginning; more than record numbers is damage.
        let first = u64::take(from)?;
        if first >> 56 != 0 {
            return Err(from.wrong());
        }
        let mut memory = Self::starting_at(first, Vec::take(from)?);
        for _ in 0..u64::take(from)? {
            let fingerprint = from.take(8)?.try_into().map_err(|_| from.wrong())?;
            let no = RecordNo::take(from)?;
            let past = Past::numbered(from.byte()?).ok_or(from.wrong())?;
            let content = from.take(4)?.try_into().map_err(|_| from.wrong())?;
            let (fingerprint, content) =
                (u64::from_le_bytes(fingerprint), u32::from_le_bytes(content));
            let outcome = Coded::take(from)?;
            let at = memory.insert(fingerprint, content, no, past, Coded::take(from)?);
            memory.set(at, past, outcome);
        }
        Ok(memory)
    }
}

impl Coded for Stans {
    fn put(&self, out: &mut Vec<u8>) {
        let (next, held) = self.parts();
        next.put(out);
        let mut before = 0;
        let held: Vec<(u32, u32)> = held.collect();
        (held.len() as u64).put(out);
        for (stan, holders) in held {
            (stan - before).put(out);
            holders.put(out);
            before = stan;
        }
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        let next = u32::take(from)?;
        let mut stans = Self::default();
        let mut stan = 0_u32;
        for _ in 0..u64::take(from)? {
            stan = stan.checked_add(u32::take(from)?).ok_or(from.wrong())?;
            let holders = u32::take(from)?;
            stans.hold_times(stan, holders);
        }
        stans.continue_at(next);
        Ok(stans)
    }
}

/// The state as it stood at one moment; nothing that happens later changes it.
#[derive(Debug)]
pub struct Snapshot(State);

impl Snapshot {
    /// Number of the last record in it.
    pub fn upto(&self) -> RecordNo {
        self.0.last
    }

    /// The bytes of its checkpoint. Takes time: milliseconds per 100,000 remembered requests.
    pub fn encode(&self) -> Vec<u8> {
        encode(&self.0)
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

fn encode(state: &State) -> Vec<u8> {
    let mut out = vec![CHECKPOINT_VERSION];
    state.put(&mut out);
    out
}

impl Switch {
    /// The state after the last record handed out, and that record's number.
    pub fn checkpoint(&self) -> (RecordNo, Vec<u8>) {
        (self.state.last, encode(&self.state))
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
        })
    }

    /// Takes a state back instead of replaying the records it covers; before
    /// [`Switch::replay`] of those after it.
    ///
    /// # Errors
    /// [`RecordError`] when the bytes are no checkpoint of this format; nothing has changed.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        let mut from = Reader::new(bytes);
        let version = from.byte()?;
        if version != CHECKPOINT_VERSION {
            return Err(RecordError::Version { got: version });
        }
        let state = State::take(&mut from)?;
        from.end()?;
        self.state = state;
        Ok(())
    }
}
