//! The words an operator gives at a start, where the journal asks for one.
//!
//! Contract: each is a decision about money that nobody takes for them: going on without what
//! damage took or under a clock that the journal contradicts, by name and with a reason, and
//! beginning a journal where none is. Deliberately absent: the judging of what is on disk.

use crate::sensitive::card_number_in;
use std::str::FromStr;

/// Letters of a name or a reason that are kept.
const WORDS_MAX: usize = 200;

/// The words given at this start; none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AtStart {
    /// The loss of what damage took is accepted.
    pub accept_loss: Option<Acceptance>,
    /// The clock is right, though it is behind the newest record.
    pub accept_clock: Option<Acceptance>,
    /// An empty folder is a new journal, in production as well.
    pub first_start: bool,
}

/// Who accepts it, and why: `NAME: REASON`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// The operator.
    pub by: String,
    /// The reason.
    pub why: String,
}

impl FromStr for Acceptance {
    type Err = String;

    /// # Errors
    /// A name or a reason is missing, or too long.
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected NAME: REASON, as in \"anna: the disk was replaced\"";
        let (by, why) = text.split_once(':').ok_or(expected)?;
        let (by, why) = (by.trim(), why.trim());
        if by.is_empty() || why.is_empty() {
            return Err(expected.to_owned());
        }
        if by.len() > WORDS_MAX || why.len() > WORDS_MAX {
            return Err(format!("{expected}, each at most {WORDS_MAX} bytes"));
        }
        if card_number_in(text).is_some() {
            return Err(format!("{expected}, and no card number"));
        }
        Ok(Self { by: by.to_owned(), why: why.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_accepted_by_somebody_for_a_reason() {
        let said: Result<Acceptance, _> = "anna: bank 3's disk: replaced".parse();
        let (by, why) = ("anna".to_owned(), "bank 3's disk: replaced".to_owned());
        assert_eq!(said, Ok(Acceptance { by, why }));
        for wrong in ["", "anna", "anna:", ": no name", "anna:  "] {
            let refused = wrong.parse::<Acceptance>();
            assert!(refused.is_err_and(|why| why.contains("NAME: REASON")), "{wrong}");
        }
        assert!(format!("anna: {}", "x".repeat(201)).parse::<Acceptance>().is_err());
    }
}
