//! Values that checkpoints hold and records do not, as bytes.
//!
//! Contract: part of the checkpoint's format, whose version is [`super::checkpoint`]'s. What is
//! read is bounded by the bytes there are, never by a count in them. Deliberately absent: the
//! order in which they follow each other, and values that records hold too.

use super::ids::{Name, RecordNo};
use super::memory::{Memory, Past, Remembered, Stamp};
use super::pieces::{Pieces, Piecewise, RestoreError, Source};
use super::record_bytes::{Coded, Reader, RecordError};
use super::stans::Stans;
use super::totals::{Counting, Standing};
use crate::limits::REMEMBERED_AT_ONCE;
use std::collections::VecDeque;

/// A count, then so many values.
fn put_all<'a, T: Coded + 'a>(values: impl ExactSizeIterator<Item = &'a T>, out: &mut Vec<u8>) {
    (values.len() as u64).put(out);
    values.for_each(|value| value.put(out));
}

/// What [`put_all`] gave out. Nothing is reserved on a count's word.
fn take_all<T: Coded, C: Default + Extend<T>>(from: &mut Reader<'_>) -> Result<C, RecordError> {
    let mut all = C::default();
    for _ in 0..u64::take(from)? {
        all.extend([T::take(from)?]);
    }
    Ok(all)
}

impl<T: Coded> Coded for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_all(self.iter(), out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        take_all(from)
    }
}

impl<T: Coded> Coded for VecDeque<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_all(self.iter(), out);
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

impl Coded for Standing {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Unsettled => 0,
            Self::InBalance => 1,
            Self::OutOfBalance => 2,
        });
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        match from.byte()? {
            0 => Ok(Self::Unsettled),
            1 => Ok(Self::InBalance),
            2 => Ok(Self::OutOfBalance),
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

/// A remembered request: so many there are that each is written at once, its numbers at fixed
/// places.
///
/// ```text
///  0  fingerprint u64    8  number u56, what became of it u8   16  content u32
/// 20  records to its outcome u32 (0: none)   24  platform u16  26  stamp, seconds u32
/// ```
const REMEMBERED_LEN: usize = 30;

fn put_remembered(entry: Remembered, out: &mut Vec<u8>) {
    let no = entry.no().0;
    let outcome = entry.outcome().map_or(0, |outcome| outcome.0.saturating_sub(no));
    let Stamp { platform, seconds } = entry.stamp();
    let mut bytes = [0; REMEMBERED_LEN];
    bytes[..8].copy_from_slice(&entry.fingerprint().to_le_bytes());
    bytes[8..16].copy_from_slice(&(no | (entry.past() as u64) << 56).to_le_bytes());
    bytes[16..20].copy_from_slice(&entry.content().to_le_bytes());
    bytes[20..24].copy_from_slice(&u32::try_from(outcome).unwrap_or(0).to_le_bytes());
    bytes[24..26].copy_from_slice(&platform.to_le_bytes());
    bytes[26..].copy_from_slice(&seconds.to_le_bytes());
    out.extend_from_slice(&bytes);
}

/// What a remembered request is made of again.
struct Recalled {
    fingerprint: u64,
    no: RecordNo,
    past: Past,
    content: u32,
    outcome: Option<RecordNo>,
    stamp: Stamp,
}

fn take_remembered(from: &mut Reader<'_>) -> Result<Recalled, RecordError> {
    let bytes: &[u8; REMEMBERED_LEN] =
        from.take(REMEMBERED_LEN)?.try_into().map_err(|_| from.wrong())?;
    let number = |at: usize, len: usize| {
        bytes[at..at + len].iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
    };
    let (no, outcome) = (number(8, 7), number(20, 4));
    Ok(Recalled {
        fingerprint: number(0, 8),
        no: RecordNo(no),
        past: Past::numbered(bytes[15]).ok_or(from.wrong())?,
        content: number(16, 4) as u32,
        outcome: (outcome != 0).then(|| RecordNo(no + outcome)),
        stamp: Stamp { platform: number(24, 2) as u16, seconds: number(26, 4) as u32 },
    })
}

impl Piecewise for Memory {
    fn give<E>(&self, to: &mut Pieces<'_, '_, E>) -> Result<(), E> {
        to.put(&self.first())?;
        to.put(self.platforms())?;
        to.put(&(self.len() as u64))?;
        self.iter().try_for_each(|entry| to.put_with(|out| put_remembered(entry, out)))
    }

    fn regain(from: &mut Source<'_, '_>) -> Result<Self, RestoreError> {
        // Positions count requests since the beginning; more than record numbers is damage.
        let first = from.take_with(|from| match u64::take(from)? {
            first if first >> 56 == 0 => Ok(first),
            _ => Err(from.wrong()),
        })?;
        let mut memory = Self::starting_at(first, from.take::<Vec<(Name, u32)>>()?);
        let count = from.take::<u64>()?;
        // As the window will have it anyway: whatever the count says, no more than that.
        memory.reserve(usize::try_from(count).unwrap_or(usize::MAX).min(REMEMBERED_AT_ONCE));
        for _ in 0..count {
            let Recalled { fingerprint, no, past, content, outcome, stamp } =
                from.take_with(take_remembered)?;
            let at = memory.insert(fingerprint, content, no, past, stamp);
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
