//! Why a message has no meaning, or a meaning no message: the field by number and by name, what
//! was expected, what came. Never a value: a count, or a code that is no secret.

use super::{Flow, Kind};
use crate::money::Currency;
use crate::text::Text;

/// A message could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The dialect has no `[messages]`.
    #[error("the dialect does not say what its messages mean: it has no [messages]")]
    Untranslatable,
    /// The MTI is none of the dialect's.
    #[error("MTI {mti}: expected one of [messages]")]
    UnknownMti {
        /// The MTI.
        mti: Text<4>,
    },
    /// The MTI is known, but not with these values.
    #[error("MTI {mti}, processing code {processing_code}: no entry of [messages] fits")]
    UnknownMessage {
        /// The MTI.
        mti: Text<4>,
        /// `F3`, empty where absent.
        processing_code: Text<6>,
    },
    /// A mandatory field is not there.
    #[error("F{de} in MTI {mti}: mandatory, but absent")]
    Missing {
        /// The MTI.
        mti: Text<4>,
        /// The data element.
        de: u8,
    },
    /// A forbidden field is there.
    #[error("F{de} in MTI {mti}: forbidden, but present")]
    Forbidden {
        /// The MTI.
        mti: Text<4>,
        /// The data element.
        de: u8,
    },
    /// A field has a value that its canonical field cannot hold.
    #[error("F{de} ({name}): expected {expected}, got {got} characters that are not")]
    Value {
        /// The data element.
        de: u8,
        /// The canonical field.
        name: &'static str,
        /// What was expected.
        expected: &'static str,
        /// How many characters came.
        got: usize,
    },
    /// An amount without a currency.
    #[error("F{de} (amount): expected a currency field, or a default currency of the dialect")]
    NoCurrency {
        /// The data element of the amount.
        de: u8,
    },
}

impl ReadError {
    /// The data element at fault, where it is one.
    pub const fn de(&self) -> Option<u8> {
        match self {
            Self::Untranslatable | Self::UnknownMti { .. } => None,
            Self::UnknownMessage { .. } => Some(3),
            Self::Missing { de, .. }
            | Self::Forbidden { de, .. }
            | Self::Value { de, .. }
            | Self::NoCurrency { de } => Some(*de),
        }
    }
}

/// A meaning could not be written. The message is not to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The dialect has no such message.
    #[error("{kind:?} {flow:?}: no entry of [messages] says that")]
    NoMessage {
        /// What was to be said.
        kind: Kind,
        /// Which leg.
        flow: Flow,
    },
    /// A mandatory field has no value.
    #[error("F{de} ({name}): mandatory, but the message has no value for it")]
    Missing {
        /// The data element.
        de: u8,
        /// The canonical field, or the part.
        name: &'static str,
    },
    /// A value is longer than its field: it is never cut.
    #[error("F{de} ({name}): expected at most {most} characters, got {got}")]
    TooLong {
        /// The data element.
        de: u8,
        /// The canonical field.
        name: &'static str,
        /// What fits.
        most: usize,
        /// What there is.
        got: usize,
    },
    /// A value has another length than its fixed field.
    #[error("F{de} ({name}): expected {want} characters, got {got}")]
    Length {
        /// The data element.
        de: u8,
        /// The canonical field.
        name: &'static str,
        /// What the field has.
        want: usize,
        /// What there is.
        got: usize,
    },
    /// The dialect has no currency field, and this is not its currency.
    #[error("currency {currency}: the dialect can say only {only:?}")]
    Currency {
        /// The currency of the amount.
        currency: Currency,
        /// The dialect's only one.
        only: Option<Currency>,
    },
    /// The dialect has no code for this.
    #[error("F{de} ({name}): there is no code for this here: see [responses], [reasons], ISO 4217")]
    NoCode {
        /// The data element.
        de: u8,
        /// `answer`, `reason` or `currency`.
        name: &'static str,
    },
    /// Money is stated that this message has no field for: it is never left out.
    #[error("F{de}: there is no place for it here, and money depends on it")]
    NoPlace {
        /// The data element, as it is stated or as it would be.
        de: u8,
    },
    /// The reversal keeps the STAN of its original, but has another.
    #[error("F{de} (stan): a reversal of this dialect has the STAN of its original")]
    OtherStan {
        /// The data element.
        de: u8,
    },
    /// All values together exceed what a message holds.
    #[error("F{de}: the message is full")]
    Full {
        /// The data element that did not fit any more.
        de: u8,
    },
}

impl WriteError {
    /// The data element at fault, where it is one.
    pub const fn de(&self) -> Option<u8> {
        match self {
            Self::NoMessage { .. } | Self::Currency { .. } => None,
            Self::Missing { de, .. }
            | Self::TooLong { de, .. }
            | Self::Length { de, .. }
            | Self::NoCode { de, .. }
            | Self::OtherStan { de }
            | Self::NoPlace { de }
            | Self::Full { de } => Some(*de),
        }
    }
}
