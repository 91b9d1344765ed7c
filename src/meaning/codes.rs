//! Response codes by class, with the original code kept; and the reasons of our own.
//!
//! Mapping between two-, three- and four-character codes is many-to-one, so what crosses the
//! switch is the class plus the sender's code. An unknown code never becomes an approval.

use crate::text::Text;

/// What a response code means, whatever its spelling (domain.md section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResponseClass {
    /// Approved in full.
    Approved,
    /// Approved for less than was asked.
    Partial,
    /// Refer to the issuer: a decline with a telephone number.
    Refer,
    /// Declined.
    Declined,
    /// Declined, keep the card.
    PickUp,
    /// Temporarily impossible; a repeat may succeed (91, 96, 98).
    Retry,
    /// A security matter other than the MAC.
    Security,
    /// Seen before.
    Duplicate,
    /// Our message was not understood: no effect.
    Format,
    /// Our MAC was refused: no effect.
    Mac,
    /// The terminal or line has to sign on again: no effect.
    SignOn,
    /// The original of a reversal, void or completion is not known there.
    NotFound,
    /// The original is reversed already.
    AlreadyReversed,
    /// The sender does not know itself what became of it (09 in progress, 68 its own issuer's
    /// answer came too late): nobody may take it for a decline.
    NoOutcome,
    /// Taken note of: of an advice, a reversal or network management. No approval of a request.
    Acknowledged,
    /// Taken note of, and whoever says so is not liable for it: of an advice. Nobody may take the
    /// money for paid.
    NoLiability,
    /// A code no table knows. Never an approval.
    Unknown,
}

impl ResponseClass {
    /// Every class that a code can be listed under.
    pub const ALL: [Self; 16] = [
        Self::Approved,
        Self::Partial,
        Self::Refer,
        Self::Declined,
        Self::PickUp,
        Self::Retry,
        Self::Security,
        Self::Duplicate,
        Self::Format,
        Self::Mac,
        Self::SignOn,
        Self::NotFound,
        Self::AlreadyReversed,
        Self::NoOutcome,
        Self::Acknowledged,
        Self::NoLiability,
    ];

    /// The word for it in dialect files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Partial => "partial",
            Self::Refer => "refer",
            Self::Declined => "declined",
            Self::PickUp => "pick-up",
            Self::Retry => "retry",
            Self::Security => "security",
            Self::Duplicate => "duplicate",
            Self::Format => "format",
            Self::Mac => "mac",
            Self::SignOn => "sign-on",
            Self::NotFound => "not-found",
            Self::AlreadyReversed => "already-reversed",
            Self::NoOutcome => "no-outcome",
            Self::Acknowledged => "acknowledged",
            Self::NoLiability => "no-liability",
            Self::Unknown => "unknown",
        }
    }

    /// Whether money or goods were granted.
    pub const fn is_approval(self) -> bool {
        matches!(self, Self::Approved | Self::Partial)
    }

    /// Whether an advice, a reversal or network management was accepted with it.
    pub const fn accepts(self) -> bool {
        matches!(self, Self::Approved | Self::Partial | Self::Acknowledged)
    }

    /// Whether the bank says that it did nothing because of our own message.
    pub const fn is_refusal(self) -> bool {
        matches!(self, Self::Format | Self::Mac | Self::SignOn)
    }
}

/// What a response says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Somebody else's answer: class and code as they sent it.
    Given {
        /// What it means.
        class: ResponseClass,
        /// How they spelled it.
        code: Text<4>,
    },
    /// The switch's own, spelled by the receiver's dialect (`[reasons]`).
    Own(Reason),
}

/// Why the switch itself answers, declines or reverses. A dialect's `[reasons]` section spells
/// each for its peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Done; also how reversals and advices are acknowledged (00).
    Accepted,
    /// The message could not be understood (30).
    FormatError,
    /// The kind of transaction is not possible here, or not on this route; or its original is known
    /// and nothing of it stands (12, 40).
    InvalidTransaction,
    /// Merchant not in the bank's table (03).
    UnknownMerchant,
    /// Terminal not in the bank's table (97).
    UnknownTerminal,
    /// No rule routes this card (15).
    NoRoute,
    /// A PIN arrived on a route without PIN translation (40, 57).
    PinNotSupported,
    /// The bank cannot be reached; nothing left for it (91).
    BankDown,
    /// No answer in time (68 or 98).
    Timeout,
    /// Same key, other content (94).
    Duplicate,
    /// The original is unknown or too old, several fit, or the one named differs (25).
    OriginalNotFound,
    /// It wants more of its original than is left (61).
    ExceedsOriginal,
    /// The platform has reversed it meanwhile (declines the original).
    Reversed,
    /// Our own trouble: journal, overload (96).
    SystemError,
    /// Reversal reason: the bank's answer carried a wrong MAC (A0).
    MacFailed,
    /// Reversal reason: the bank's answer did not fit the request (06, 4020).
    InvalidAnswer,
    /// Reversal reason: the answer could not be delivered to the platform (06, 4013).
    Undeliverable,
    /// Reversal reason: the platform or cardholder asked (06, 4000).
    CustomerCancel,
    /// Reversal reason: the answer came after the deadline (98, 4006).
    AnswerTooLate,
    /// The original that is named is of another amount or currency (64).
    AmountDiffers,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 20] = [
        Self::Accepted,
        Self::FormatError,
        Self::InvalidTransaction,
        Self::UnknownMerchant,
        Self::UnknownTerminal,
        Self::NoRoute,
        Self::PinNotSupported,
        Self::BankDown,
        Self::Timeout,
        Self::Duplicate,
        Self::OriginalNotFound,
        Self::ExceedsOriginal,
        Self::Reversed,
        Self::SystemError,
        Self::MacFailed,
        Self::InvalidAnswer,
        Self::Undeliverable,
        Self::CustomerCancel,
        Self::AnswerTooLate,
        Self::AmountDiffers,
    ];

    /// The word for it in dialect files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::FormatError => "format-error",
            Self::InvalidTransaction => "invalid-transaction",
            Self::UnknownMerchant => "unknown-merchant",
            Self::UnknownTerminal => "unknown-terminal",
            Self::NoRoute => "no-route",
            Self::PinNotSupported => "pin-not-supported",
            Self::BankDown => "bank-down",
            Self::Timeout => "timeout",
            Self::Duplicate => "duplicate",
            Self::OriginalNotFound => "original-not-found",
            Self::ExceedsOriginal => "exceeds-original",
            Self::Reversed => "reversed",
            Self::SystemError => "system-error",
            Self::MacFailed => "mac-failed",
            Self::InvalidAnswer => "invalid-answer",
            Self::Undeliverable => "undeliverable",
            Self::CustomerCancel => "customer-cancel",
            Self::AnswerTooLate => "answer-too-late",
            Self::AmountDiffers => "amount-differs",
        }
    }

    /// Whether a reversal of ours can give it as its reason.
    pub const fn reverses(self) -> bool {
        matches!(
            self,
            Self::Timeout
                | Self::MacFailed
                | Self::InvalidAnswer
                | Self::Undeliverable
                | Self::CustomerCancel
                | Self::AnswerTooLate
        )
    }
}
