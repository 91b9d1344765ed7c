//! A state as a stream of bytes: given out a piece at a time, and taken back as the pieces come.
//!
//! Contract: what is many is coded entry by entry, so that however large a state is, no more of
//! its bytes are in memory than a piece and an entry; where pieces end means nothing. Taking back
//! is total: any bytes give a state or an error, and nothing is reserved on a count's word. An
//! error counts bytes from the entry it stands in. Deliberately absent: where the bytes go.

use super::by_number::ByNumber;
use super::record_bytes::{Coded, Reader, RecordError};
use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Bytes that are given out at a time, or a little more: they stay in a core's own cache.
const PIECE_BYTES: usize = 64 << 10;

/// Takes the next bytes of a state.
pub type OnPiece<'a, E> = dyn FnMut(&[u8]) -> Result<(), E> + 'a;

/// Appends the next bytes of a state; false when there are none, an error (with the reason) where
/// they cannot be read.
pub type OnMore<'a> = dyn FnMut(&mut Vec<u8>) -> Result<bool, String> + 'a;

/// Why a state could not be taken back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// An older build wrote it. The records it covers tell the same.
    #[error("state format {got} is older than this build's {known}")]
    Older {
        /// The format found.
        got: u8,
        /// The format of this build.
        known: u8,
    },
    /// A newer build wrote it.
    #[error("state format {got} is newer than this build's {known}; use the newer build")]
    Newer {
        /// The format found.
        got: u8,
        /// The format of this build.
        known: u8,
    },
    /// No build has written these bytes.
    #[error("no state: {0}")]
    Bytes(#[from] RecordError),
    /// The bytes could not be had.
    #[error("{0}")]
    Unread(String),
}

/// What is given out of a state.
pub(super) struct Pieces<'a, 'f, E> {
    buffer: Vec<u8>,
    on: &'a mut OnPiece<'f, E>,
}

impl<'a, 'f, E> Pieces<'a, 'f, E> {
    /// Gives pieces to `on`.
    pub(super) fn new(on: &'a mut OnPiece<'f, E>) -> Self {
        Self { buffer: Vec::with_capacity(PIECE_BYTES + PIECE_BYTES / 8), on }
    }

    /// A value.
    pub(super) fn put(&mut self, value: &impl Coded) -> Result<(), E> {
        value.put(&mut self.buffer);
        self.give_out(PIECE_BYTES)
    }

    /// A value that `put` appends.
    pub(super) fn put_with(&mut self, put: impl FnOnce(&mut Vec<u8>)) -> Result<(), E> {
        put(&mut self.buffer);
        self.give_out(PIECE_BYTES)
    }

    /// The last piece.
    pub(super) fn end(mut self) -> Result<(), E> {
        self.give_out(1)
    }

    fn give_out(&mut self, least: usize) -> Result<(), E> {
        if self.buffer.len() < least {
            return Ok(());
        }
        let given = (self.on)(&self.buffer);
        self.buffer.clear();
        given
    }
}

/// A state on its way back.
pub(super) struct Source<'a, 'f> {
    /// Bytes that came; those before `at` are taken.
    window: Vec<u8>,
    at: usize,
    /// There are no more.
    ended: bool,
    what: &'static str,
    more: &'a mut OnMore<'f>,
}

impl<'a, 'f> Source<'a, 'f> {
    /// Takes what `more` appends.
    pub(super) fn new(more: &'a mut OnMore<'f>) -> Self {
        Self { window: Vec::new(), at: 0, ended: false, what: "state format", more }
    }

    /// What is taken next, for errors.
    pub(super) const fn name(&mut self, what: &'static str) {
        self.what = what;
    }

    /// A value.
    pub(super) fn take<T: Coded>(&mut self) -> Result<T, RestoreError> {
        self.take_with(T::take)
    }

    /// A value that `take` reads; it is called again where the bytes of a piece did not suffice.
    pub(super) fn take_with<T>(
        &mut self,
        take: impl Fn(&mut Reader<'_>) -> Result<T, RecordError>,
    ) -> Result<T, RestoreError> {
        loop {
            let left = self.window.get(self.at..).unwrap_or_default();
            let mut reader = Reader::new(left);
            reader.name(self.what);
            match take(&mut reader) {
                Ok(value) => {
                    self.at += reader.at();
                    return Ok(value);
                }
                Err(RecordError::Short { .. }) if !self.ended => self.load()?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Nothing may be left.
    pub(super) fn end(mut self) -> Result<(), RestoreError> {
        while !self.ended && self.at == self.window.len() {
            self.load()?;
        }
        let left = self.window.get(self.at..).unwrap_or_default();
        Ok(Reader::new(left).end()?)
    }

    fn load(&mut self) -> Result<(), RestoreError> {
        self.window.drain(..self.at);
        self.at = 0;
        self.ended = !(self.more)(&mut self.window).map_err(RestoreError::Unread)?;
        Ok(())
    }
}

/// A part of the state that goes out and comes back by its entries.
pub(super) trait Piecewise: Sized {
    /// Gives it out.
    fn give<E>(&self, to: &mut Pieces<'_, '_, E>) -> Result<(), E>;

    /// Takes it back.
    fn regain(from: &mut Source<'_, '_>) -> Result<Self, RestoreError>;
}

/// A count, then so many values.
fn take_all<T: Coded, C: Default + Extend<T>>(
    from: &mut Source<'_, '_>,
) -> Result<C, RestoreError> {
    let mut all = C::default();
    for _ in 0..from.take::<u64>()? {
        all.extend([from.take::<T>()?]);
    }
    Ok(all)
}

/// The count, then every key with its value.
fn give_pairs<'m, K: Coded, V: Coded + 'm, E>(
    count: usize,
    mut pairs: impl Iterator<Item = (impl Borrow<K>, &'m V)>,
    to: &mut Pieces<'_, '_, E>,
) -> Result<(), E> {
    to.put(&(count as u64))?;
    pairs.try_for_each(|(key, value)| {
        to.put_with(|out| {
            key.borrow().put(out);
            value.put(out);
        })
    })
}

impl<T: Coded> Piecewise for VecDeque<T> {
    fn give<E>(&self, to: &mut Pieces<'_, '_, E>) -> Result<(), E> {
        to.put(&(self.len() as u64))?;
        self.iter().try_for_each(|value| to.put(value))
    }

    fn regain(from: &mut Source<'_, '_>) -> Result<Self, RestoreError> {
        take_all(from)
    }
}

impl<T: Coded + Ord> Piecewise for BTreeSet<T> {
    fn give<E>(&self, to: &mut Pieces<'_, '_, E>) -> Result<(), E> {
        to.put(&(self.len() as u64))?;
        self.iter().try_for_each(|value| to.put(value))
    }

    fn regain(from: &mut Source<'_, '_>) -> Result<Self, RestoreError> {
        take_all(from)
    }
}

impl<K: Coded + Ord, V: Coded> Piecewise for BTreeMap<K, V> {
    fn give<E>(&self, to: &mut Pieces<'_, '_, E>) -> Result<(), E> {
        give_pairs::<K, V, E>(self.len(), self.iter(), to)
    }

    fn regain(from: &mut Source<'_, '_>) -> Result<Self, RestoreError> {
        take_all(from)
    }
}

/// As a tree of the same would be, so that a set is the sequence of its keys.
impl<K: Coded + Copy + Ord, V: Coded> Piecewise for ByNumber<K, V> {
    fn give<E>(&self, to: &mut Pieces<'_, '_, E>) -> Result<(), E> {
        give_pairs::<K, V, E>(self.len(), self.iter(), to)
    }

    fn regain(from: &mut Source<'_, '_>) -> Result<Self, RestoreError> {
        take_all(from)
    }
}

/// What is coded at once, because it is small.
macro_rules! at_once {
    ($($name:ty),* $(,)?) => {$(
        impl Piecewise for $name {
            fn give<E>(&self, to: &mut Pieces<'_, '_, E>) -> Result<(), E> {
                to.put(self)
            }

            fn regain(from: &mut Source<'_, '_>) -> Result<Self, RestoreError> {
                from.take()
            }
        }
    )*};
}

pub(super) use at_once;

/// A struct is the sequence of its fields; an error names the field.
macro_rules! piecewise {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl Piecewise for $name {
            fn give<E>(&self, to: &mut Pieces<'_, '_, E>) -> Result<(), E> {
                let Self { $($field),* } = self;
                $($field.give(to)?;)*
                Ok(())
            }

            fn regain(from: &mut Source<'_, '_>) -> Result<Self, RestoreError> {
                $(
                    from.name(concat!(stringify!($name), ".", stringify!($field)));
                    let $field = Piecewise::regain(from)?;
                )*
                Ok(Self { $($field),* })
            }
        }
    };
}

pub(super) use piecewise;
