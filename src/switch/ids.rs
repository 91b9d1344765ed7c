//! The numbers things are called by inside one run, and the names they are called by for good.
//!
//! Contract: ids index the present [`super::policy::Policy`] or count within one run; only
//! names and record numbers are ever written to the journal, so that a journal outlives every
//! reordering of the configuration.

use crate::text::Text;

/// Name of a platform, bank, line or rule as configured: at most 24 printable characters.
pub type Name = Text<24>;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// Number of a record in the journal, from 1 without gaps, for all time.
    RecordNo(u64)
);
id!(
    /// One frame the core asked the shell to send, unique within a run.
    SendId(u64)
);
id!(
    /// One TCP connection, unique within a run.
    SessionId(u64)
);
id!(
    /// One question to the journal, unique within a run.
    Ticket(u64)
);
id!(
    /// Index of a line in the policy: a configured connection to a bank, or a platform's door.
    LineId(u16)
);
id!(
    /// Index of a bank in the policy.
    BankId(u16)
);
id!(
    /// Index of a platform in the policy.
    PlatformId(u16)
);

/// A transaction is called by the number of its intent record.
pub type TxnNo = RecordNo;
