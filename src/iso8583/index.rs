//! Where the data elements of a frame lie, without their values: for who wants one or two of them.
//!
//! Contract: [`index`] checks header, MTI, bitmaps, length prefixes and that nothing is left over;
//! what it refuses [`unpack`](fn@super::unpack) refuses with the same error, but not the other way
//! round, because characters, padding and inner structure are looked at only when a value is asked
//! for ([`Index::value`]). Allocates nothing once it has seen a few frames. Deliberately absent:
//! packing what was not checked.

use super::dialect::Dialect;
use super::error::UnpackError;
use super::message::{Fields, Message};
use super::mti::Mti;
use super::unpack;
use std::ops::Range;

/// The MTI of a frame and the places of its data elements.
#[derive(Debug, Default)]
pub struct Index(Message);

/// Finds out where the data elements of a frame lie. Everything `into` knew is forgotten.
///
/// # Errors
/// [`UnpackError`], as from [`unpack`](fn@super::unpack).
pub fn index(dialect: &Dialect, frame: &[u8], into: &mut Index) -> Result<(), UnpackError> {
    unpack::pass::<false>(dialect, frame, &mut into.0)
}

impl Index {
    /// Knows no frame yet. This allocates; reuse it.
    pub fn new() -> Self {
        Self::default()
    }

    /// The message type.
    pub fn mti(&self) -> Mti {
        self.0.mti()
    }

    /// The data elements that are there, ascending.
    pub fn fields(&self) -> Fields {
        self.0.fields()
    }

    /// Where the whole data element (length prefix included) lies in the frame.
    pub fn span(&self, de: u8) -> Option<Range<usize>> {
        self.0.raw_span(de)
    }

    /// The value of one data element of the frame in normal form, checked by itself; an inner
    /// structure is not looked at. `None` where it is not there.
    ///
    /// # Errors
    /// [`UnpackError`] where the value is not what the dialect says.
    pub fn value(
        &mut self,
        dialect: &Dialect,
        frame: &[u8],
        de: u8,
    ) -> Result<Option<&[u8]>, UnpackError> {
        let Some(span) = self.span(de) else { return Ok(None) };
        self.0.set_used(0);
        let read = unpack::one::<true>(dialect, frame, de, span.start, &mut self.0);
        Ok(Some(self.0.noted(read.map_err(|error| *error)?)))
    }
}
