//! The words `[canonical]` uses for the typed fields of the canonical message.

macro_rules! atoms {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// One typed field of the canonical message, or a part of one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Atom {
            $($(#[$doc])* $name,)*
        }

        impl Atom {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word for it in dialect files and errors.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

atoms! {
    /// Card number.
    Pan = "pan",
    /// Processing code, six digits.
    ProcessingCode = "processing-code",
    /// Minor units of the transaction amount.
    Amount = "amount",
    /// Currency of the transaction amount, three digits.
    Currency = "currency",
    /// How many minor digits the amount has (2003); must agree with ISO 4217.
    Exponent = "exponent",
    /// Transmission date and time, MMDDhhmmss.
    Transmission = "transmission",
    /// STAN; takes as many digits as its field has.
    Stan = "stan",
    /// Local time, hhmmss.
    LocalTime = "local-time",
    /// Local date, MMDD.
    LocalDate = "local-date",
    /// Two-digit year of the local date.
    LocalYear = "local-year",
    /// Expiry, YYMM.
    Expiry = "expiry",
    /// Settlement date, MMDD.
    SettlementDate = "settlement-date",
    /// Two-digit year of the settlement date.
    SettlementYear = "settlement-year",
    /// Merchant category code.
    MerchantType = "merchant-type",
    /// How card data were entered.
    PosEntryMode = "pos-entry-mode",
    /// Card sequence number.
    CardSequence = "card-sequence",
    /// Network international identifier.
    NetworkId = "network-id",
    /// POS condition, two digits.
    PosCondition = "pos-condition",
    /// PIN capture code.
    PinCapture = "pin-capture",
    /// Acquirer.
    Acquirer = "acquirer",
    /// Forwarder.
    Forwarder = "forwarder",
    /// Track 2.
    Track2 = "track2",
    /// Retrieval reference number.
    Rrn = "rrn",
    /// Authorization code.
    AuthId = "auth-id",
    /// Response code; in a reversal the reason, where `[reversal]` says so.
    Answer = "answer",
    /// Reason of a reversal, in a field of its own.
    Reason = "reason",
    /// Terminal.
    Terminal = "terminal",
    /// Merchant.
    Merchant = "merchant",
    /// Encrypted PIN block.
    PinBlock = "pin-block",
    /// Batch number.
    Batch = "batch",
    /// `1` where approvals for less are taken.
    AcceptsPartial = "accepts-partial",
    /// MTI of the original.
    OriginalMti = "original-mti",
    /// STAN of the original.
    OriginalStan = "original-stan",
    /// Transmission date and time of the original.
    OriginalTransmission = "original-transmission",
    /// Acquirer of the original.
    OriginalAcquirer = "original-acquirer",
    /// Forwarder of the original.
    OriginalForwarder = "original-forwarder",
    /// Batch number of the original.
    OriginalBatch = "original-batch",
    /// Local date of the original, MMDD.
    OriginalDate = "original-date",
    /// Local time of the original, hhmmss.
    OriginalTime = "original-time",
    /// Two-digit year of the original's local date: written, not kept on read.
    OriginalYear = "original-year",
    /// Minor units of the replacement amount, in the transaction currency.
    ReplacementAmount = "replacement-amount",
    /// Minor units of the original's amount, in the transaction currency (1993 `F30`).
    OriginalAmount = "original-amount",
    /// Currency of the original's amount, three digits (2003).
    OriginalCurrency = "original-currency",
    /// How many minor digits the original's amount has (2003).
    OriginalExponent = "original-exponent",
    /// Reconciliation: number of credits.
    CreditsNumber = "credits-number",
    /// Reconciliation: number of reversals of credits.
    CreditsReversalNumber = "credits-reversal-number",
    /// Reconciliation: number of debits.
    DebitsNumber = "debits-number",
    /// Reconciliation: number of reversals of debits.
    DebitsReversalNumber = "debits-reversal-number",
    /// Reconciliation: number of inquiries.
    InquiriesNumber = "inquiries-number",
    /// Reconciliation: number of authorizations.
    AuthorizationsNumber = "authorizations-number",
    /// Reconciliation: minor units of credits.
    CreditsAmount = "credits-amount",
    /// Reconciliation: minor units of reversals of credits.
    CreditsReversalAmount = "credits-reversal-amount",
    /// Reconciliation: minor units of debits.
    DebitsAmount = "debits-amount",
    /// Reconciliation: minor units of reversals of debits.
    DebitsReversalAmount = "debits-reversal-amount",
    /// Reconciliation: number of credits, those reversed taken out.
    StandingCreditsNumber = "standing-credits-number",
    /// Reconciliation: number of debits, those reversed taken out.
    StandingDebitsNumber = "standing-debits-number",
    /// Reconciliation: minor units of credits, those reversed taken out.
    StandingCreditsAmount = "standing-credits-amount",
    /// Reconciliation: minor units of debits, those reversed taken out.
    StandingDebitsAmount = "standing-debits-amount",
    /// Reconciliation: net amount, C or D and digits.
    NetAmount = "net-amount",
    /// Reconciliation: currency of the amounts, three digits.
    SettlementCurrency = "settlement-currency",
    /// Reconciliation: 1 in balance, 2 out of balance, 3 error; 0 says nothing.
    SettlementCode = "settlement-code",
}

impl Atom {
    /// A bit of its own, for sets.
    pub(super) const fn bit(self) -> u128 {
        const { assert!(Self::ALL.len() <= 128) }
        1 << self as u32
    }

    /// Whether only reconciliations carry it.
    pub const fn is_settlement(self) -> bool {
        (self as u8) >= (Self::CreditsNumber as u8)
    }

    /// Whether only messages with an original carry it.
    pub(super) const fn is_original(self) -> bool {
        (self as u8) >= (Self::OriginalMti as u8) && (self as u8) <= (Self::OriginalYear as u8)
    }

    /// Whether it says what the original's amount was.
    pub(super) const fn is_original_amount(self) -> bool {
        matches!(self, Self::OriginalAmount | Self::OriginalCurrency | Self::OriginalExponent)
    }

    pub(super) fn named(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|atom| atom.word() == word)
    }

    /// The most characters the canonical message can hold of it. The card number, tracks and
    /// PIN block check themselves.
    pub(super) const fn room(self) -> usize {
        match self {
            Self::Exponent
            | Self::OriginalExponent
            | Self::AcceptsPartial
            | Self::SettlementCode => 1,
            Self::LocalYear
            | Self::SettlementYear
            | Self::OriginalYear
            | Self::PosCondition
            | Self::PinCapture => 2,
            Self::Currency
            | Self::OriginalCurrency
            | Self::CardSequence
            | Self::NetworkId
            | Self::SettlementCurrency => 3,
            Self::CreditsNumber
            | Self::CreditsReversalNumber
            | Self::DebitsNumber
            | Self::DebitsReversalNumber
            | Self::InquiriesNumber
            | Self::AuthorizationsNumber
            | Self::StandingCreditsNumber
            | Self::StandingDebitsNumber => 12,
            Self::NetAmount => 17,
            Self::LocalDate
            | Self::Expiry
            | Self::SettlementDate
            | Self::MerchantType
            | Self::Answer
            | Self::Reason
            | Self::OriginalMti
            | Self::OriginalDate => 4,
            Self::ProcessingCode | Self::LocalTime | Self::OriginalTime | Self::AuthId => 6,
            Self::Transmission | Self::OriginalTransmission => 10,
            Self::Acquirer | Self::Forwarder | Self::OriginalAcquirer | Self::OriginalForwarder => {
                11
            }
            Self::Stan | Self::OriginalStan | Self::Batch | Self::OriginalBatch => 12,
            Self::Rrn | Self::PosEntryMode => 12,
            Self::Terminal => 16,
            Self::Amount
            | Self::ReplacementAmount
            | Self::OriginalAmount
            | Self::CreditsAmount
            | Self::CreditsReversalAmount
            | Self::DebitsAmount
            | Self::DebitsReversalAmount
            | Self::StandingCreditsAmount
            | Self::StandingDebitsAmount => 18,
            Self::Pan => 19,
            Self::PinBlock => 16,
            Self::Merchant => 35,
            Self::Track2 => 107,
        }
    }
}
