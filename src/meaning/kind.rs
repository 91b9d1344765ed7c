//! What a message asks for, and which leg of the conversation it is.
//!
//! A dialect's `[messages]` section maps (MTI, `F3`, `F24`/`F25`/`F60.1`) to these and back.

/// The business of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Authorization or financial transaction (x1xx, x2xx).
    Transaction(TransactionType),
    /// Reversal of such a transaction (x4xx).
    Reversal(TransactionType),
    /// Reconciliation (x5xx).
    Reconciliation,
    /// Batch upload, one transaction of a batch (x3xx).
    BatchUpload,
    /// Network management (x8xx).
    NetworkManagement(NetworkFunction),
}

/// How many transaction types, and network functions, there are: `Unstated` is the last.
const TYPES: usize = TransactionType::Unstated as usize + 1;
const FUNCTIONS: usize = NetworkFunction::Unstated as usize + 1;

impl Kind {
    /// The digit of the MTI class under which answers are matched: authorization and financial
    /// transactions share one, because a bank's STANs are unique among both.
    pub const fn family(self) -> u8 {
        match self {
            Self::Transaction(_) => 2,
            Self::BatchUpload => 3,
            Self::Reversal(_) => 4,
            Self::Reconciliation => 5,
            Self::NetworkManagement(_) => 8,
        }
    }

    /// How many kinds there are.
    pub(crate) const COUNT: usize = 2 * TYPES + FUNCTIONS + 2;

    /// A number of its own below [`Self::COUNT`], for tables.
    pub(crate) const fn number(self) -> usize {
        match self {
            Self::Transaction(of) => of as usize,
            Self::Reversal(of) => TYPES + of as usize,
            Self::NetworkManagement(function) => 2 * TYPES + function as usize,
            Self::Reconciliation => 2 * TYPES + FUNCTIONS,
            Self::BatchUpload => 2 * TYPES + FUNCTIONS + 1,
        }
    }

    /// The transaction type, of a transaction or of what is reversed.
    pub const fn transaction(self) -> Option<TransactionType> {
        match self {
            Self::Transaction(t) | Self::Reversal(t) => Some(t),
            Self::Reconciliation | Self::BatchUpload | Self::NetworkManagement(_) => None,
        }
    }
}

/// What a message asks for, and on which leg: its MTI is what the dialect writes for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sent {
    /// What it asks for.
    pub kind: Kind,
    /// As a request or as an advice.
    pub flow: Flow,
}

/// What a transaction does (processing code, with what the dialect adds to tell more apart).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransactionType {
    /// Debit the cardholder now.
    Purchase,
    /// Hold an amount.
    PreAuthorization,
    /// Let go of a hold.
    PreAuthorizationVoid,
    /// Take (part of) a hold.
    Completion,
    /// Take a completion back.
    CompletionVoid,
    /// Take a purchase back on the same day.
    Void,
    /// Credit the cardholder.
    Refund,
    /// Ask for the balance; no money moves.
    Balance,
    /// Credit a stored-value account against a debit.
    TopUp,
    /// A response that does not say: hosts leave the distinguishing fields out. The request
    /// knows.
    Unstated,
}

impl TransactionType {
    /// Whether it can move money or hold it.
    pub const fn has_money_effect(self) -> bool {
        !matches!(self, Self::Balance)
    }

    /// The word for it in dialect and configuration files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Purchase => "purchase",
            Self::PreAuthorization => "pre-authorization",
            Self::PreAuthorizationVoid => "pre-authorization-void",
            Self::Completion => "completion",
            Self::CompletionVoid => "completion-void",
            Self::Void => "void",
            Self::Refund => "refund",
            Self::Balance => "balance",
            Self::TopUp => "top-up",
            Self::Unstated => "unstated",
        }
    }

    /// Every type a request can have.
    pub const ALL: [Self; 9] = [
        Self::Purchase,
        Self::PreAuthorization,
        Self::PreAuthorizationVoid,
        Self::Completion,
        Self::CompletionVoid,
        Self::Void,
        Self::Refund,
        Self::Balance,
        Self::TopUp,
    ];
}

/// What a network management message is for (`F70`, `F24`, UnionPay `F60.3`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NetworkFunction {
    /// Sign on; in UnionPay sign in, with keys in the answer.
    SignOn,
    /// Sign off.
    SignOff,
    /// Echo test.
    Echo,
    /// Key change.
    KeyChange,
    /// Start of cutover.
    Cutover,
    /// End of cutover.
    CutoverEnd,
    /// An answer that does not say. The request knows.
    Unstated,
}

impl NetworkFunction {
    /// Every function a request can have.
    pub const ALL: [Self; 6] =
        [Self::SignOn, Self::SignOff, Self::Echo, Self::KeyChange, Self::Cutover, Self::CutoverEnd];

    /// The word for it in dialect files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::SignOn => "sign-on",
            Self::SignOff => "sign-off",
            Self::Echo => "echo",
            Self::KeyChange => "key-change",
            Self::Cutover => "cutover",
            Self::CutoverEnd => "cutover-end",
            Self::Unstated => "unstated",
        }
    }
}

/// Which leg of the conversation (third digit of the MTI).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flow {
    /// x0: may be declined.
    Request,
    /// x1.
    Response,
    /// x2: has happened; always answered, never declined on business grounds.
    Advice,
    /// x3.
    AdviceResponse,
    /// x4: has happened; unanswered.
    Notification,
    /// x5, in some dialects.
    NotificationResponse,
}

impl Flow {
    /// How many flows there are.
    pub(crate) const COUNT: usize = Self::NotificationResponse as usize + 1;

    /// The flow that answers this one; `None` for what is an answer itself.
    pub const fn answer(self) -> Option<Self> {
        match self {
            Self::Request => Some(Self::Response),
            Self::Advice => Some(Self::AdviceResponse),
            Self::Notification => Some(Self::NotificationResponse),
            Self::Response | Self::AdviceResponse | Self::NotificationResponse => None,
        }
    }

    /// Whether this is an answer to something.
    pub const fn is_answer(self) -> bool {
        self.answer().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_number_of_its_own() {
        let types = TransactionType::ALL.into_iter().chain([TransactionType::Unstated]);
        let functions = NetworkFunction::ALL.into_iter().chain([NetworkFunction::Unstated]);
        let kinds = types.flat_map(|t| [Kind::Transaction(t), Kind::Reversal(t)]);
        let kinds = kinds.chain(functions.map(Kind::NetworkManagement));
        let kinds = kinds.chain([Kind::Reconciliation, Kind::BatchUpload]);
        let mut numbers: Vec<usize> = kinds.map(Kind::number).collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..Kind::COUNT));
    }
}
