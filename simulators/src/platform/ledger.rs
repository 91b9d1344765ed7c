//! A platform's own ledger: what it asked, what it was told, what it took back.
//!
//! Contract: one row per request, kept in memory in the order of asking; card numbers masked.
//! [`Request::signed`] is what the platform believes to have moved.

use super::habits::Habit;
use crate::bank::business::Business;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// It never left: there was no connection.
    Unsent,
    /// No answer yet.
    InFlight,
    /// Answered in time.
    Answered,
    /// Not answered in time; a reversal is owed.
    TimedOut,
}

/// Why a platform reverses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// No answer in time.
    Timeout,
    /// The customer changed their mind after the approval.
    Customer,
}

/// A reversal the platform sends until it is acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Reversal {
    /// Why.
    pub why: Why,
    /// Its own `F11`.
    pub stan: String,
    /// Its own `F7`.
    pub transmission: String,
    /// How often it left.
    pub tries: u32,
    /// `F39` of the answer that settled it.
    pub acknowledged: Option<String>,
}

impl Reversal {
    /// Takes an answer: anything but a temporary refusal acknowledges. Whether it did just now.
    pub fn acknowledge(&mut self, code: &str) -> bool {
        let refused = ["91", "96", "68", "98", "30"].contains(&code);
        if refused || self.acknowledged.is_some() {
            return false;
        }
        self.acknowledged = Some(code.to_owned());
        true
    }
}

/// What habits did to a request.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Extra {
    /// It was decided by the platform and told by advice.
    pub advice: bool,
    /// It voids the request of this number.
    pub void_of: Option<u64>,
    /// A reversal that names it with another card.
    pub mistaken: Option<Reversal>,
    /// The habits that struck it.
    pub habits: Vec<Habit>,
}

/// One line of the ledger's file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Line {
    /// The request.
    #[serde(flatten)]
    pub request: Request,
    /// What habits did to it.
    #[serde(flatten)]
    pub extra: Extra,
}

/// One request and everything that became of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Request {
    /// From 1 without gaps.
    pub no: u64,
    /// What was asked.
    pub business: Business,
    /// MTI as first sent.
    pub mti: String,
    /// `F11`.
    pub stan: String,
    /// `F7`.
    pub transmission: String,
    /// `F37`; unique within a run.
    pub rrn: String,
    /// `F41`.
    pub terminal: String,
    /// First six and last four digits.
    pub pan: String,
    /// `F4` in minor units.
    pub amount: u64,
    /// `F49`.
    pub currency: String,
    /// When it was to leave, in milliseconds since the Unix epoch.
    pub intended_ms: u64,
    /// How it ended.
    pub end: End,
    /// `F39` of the first answer in time.
    pub code: Option<String>,
    /// `F38` of that answer.
    pub auth_id: Option<String>,
    /// `F4` of that answer.
    pub answered_amount: Option<u64>,
    /// How many answers came, in time or not.
    pub answers: u32,
    /// Answers that came after the platform had given up.
    pub late_answers: u32,
    /// An answer contradicted the request or an earlier answer, and how.
    pub contradiction: Option<String>,
    /// How often it was sent again with the repeat MTI.
    pub repeats: u32,
    /// Its reversal.
    pub reversal: Option<Reversal>,
}

/// Whether a code grants money or goods.
pub fn is_approval(code: &str) -> bool {
    ["00", "10", "11", "16", "A2", "A4", "A5", "A6"].contains(&code)
}

impl Request {
    /// Whether the platform was told in time that money moves.
    pub fn is_approved(&self) -> bool {
        let code = self.code.as_deref().unwrap_or_default();
        self.end == End::Answered && is_approval(code)
    }

    /// Whether it was told in time that none does.
    pub fn is_declined(&self) -> bool {
        self.end == End::Answered && !self.is_approved()
    }

    /// Whether its reversal is acknowledged.
    pub fn is_reversed(&self) -> bool {
        self.reversal.as_ref().is_some_and(|reversal| reversal.acknowledged.is_some())
    }

    /// Whether nothing more is to come: answered, or reversed for good.
    pub fn is_settled(&self) -> bool {
        match (self.end, &self.reversal) {
            (End::Unsent, _) => true,
            (End::InFlight, _) | (End::TimedOut, None) => false,
            (End::Answered, None) => true,
            (End::Answered | End::TimedOut, Some(reversal)) => reversal.acknowledged.is_some(),
        }
    }

    /// Minor units moved as the platform sees it; positive from the cardholder.
    pub fn signed(&self) -> i64 {
        if !self.is_approved() || self.is_reversed() {
            return 0;
        }
        let amount = self.answered_amount.unwrap_or(self.amount);
        self.business.sign() * i64::try_from(amount).unwrap_or(i64::MAX)
    }
}

/// An answer that fits nothing the platform ever asked.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stray {
    /// MTI.
    pub mti: String,
    /// `F11`.
    pub stan: String,
    /// `F7`.
    pub transmission: String,
    /// `F39`.
    pub code: String,
}
