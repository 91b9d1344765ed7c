//! What a message asks a bank for, read from MTI, `F3`, `F25` and `F60` by this room's own
//! rules (domain.md section 4), so that a mapping error of the switch shows.

use crate::msg::Msg;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Business {
    /// Debit now.
    Purchase,
    /// Hold an amount.
    Hold,
    /// Let go of a hold.
    HoldVoid,
    /// Take a hold.
    Completion,
    /// Take a completion back.
    CompletionVoid,
    /// Take a purchase back.
    Void,
    /// Credit.
    Refund,
    /// Ask for a balance.
    Balance,
    /// Undo an original whose fate the sender does not know, or does not like.
    Reversal,
    /// Compare totals.
    Reconciliation,
    /// Sign-on, sign-off, echo and the like.
    Network,
    /// Nothing this bank does.
    Other,
}

impl Business {
    /// Whether it stands for itself: executed once, remembered, reversible.
    pub fn is_original(self) -> bool {
        !matches!(self, Self::Reversal | Self::Reconciliation | Self::Network | Self::Other)
    }

    /// +1 where the cardholder's money is taken or held, −1 where it comes back, 0 else.
    /// What refers to another transaction (void, completion) is settled by the book.
    pub fn sign(self) -> i64 {
        match self {
            Self::Purchase | Self::Hold => 1,
            Self::Refund => -1,
            _ => 0,
        }
    }

    /// Whether it names an earlier transaction.
    pub fn has_original(self) -> bool {
        matches!(self, Self::HoldVoid | Self::Completion | Self::CompletionVoid | Self::Void)
    }
}

/// How the dialects this room knows say things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavor {
    /// ISO 8583:1987: `F3`, `F90`.
    Iso1987,
    /// UnionPay POS: `F60`, `F61`, same STAN in reversals, sign-in per terminal.
    UnionPay,
}

impl Flavor {
    /// The flavor of a shipped dialect, by its name.
    pub fn of_dialect(name: &str) -> Self {
        if name.starts_with("unionpay") { Self::UnionPay } else { Self::Iso1987 }
    }

    /// What a message of this flavor asks for.
    pub fn business(self, msg: &Msg) -> Business {
        match (msg.digit(1), self) {
            (4, _) => Business::Reversal,
            (5, Self::Iso1987) => Business::Reconciliation,
            (8, _) => Business::Network,
            (1 | 2, Self::UnionPay) => unionpay(msg),
            (1 | 2, Self::Iso1987) => iso1987(msg),
            _ => Business::Other,
        }
    }
}

fn iso1987(msg: &Msg) -> Business {
    match (msg.digit(1), msg.text(3).get(..2).unwrap_or_default()) {
        (_, "30" | "31") => Business::Balance,
        (1, "00") => Business::Hold,
        (1, "02" | "20") => Business::HoldVoid,
        // F25 = 06: it was authorized before.
        (2, "00" | "01") if msg.text(25) == "06" => Business::Completion,
        (2, "02") if msg.text(25) == "06" => Business::CompletionVoid,
        (2, "00" | "01") => Business::Purchase,
        (2, "02") => Business::Void,
        (2, "20") => Business::Refund,
        _ => Business::Other,
    }
}

fn unionpay(msg: &Msg) -> Business {
    match msg.text(60).get(..2).unwrap_or_default() {
        "01" => Business::Balance,
        "10" => Business::Hold,
        "11" => Business::HoldVoid,
        "20" | "24" => Business::Completion,
        "21" => Business::CompletionVoid,
        "22" | "30" => Business::Purchase,
        "23" => Business::Void,
        "25" => Business::Refund,
        _ => Business::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_flavors_tell_the_kinds_apart() {
        let check = |flavor: Flavor, mti, f3: &str, f60: &str, expected| {
            let msg = Msg::new(mti).with(3, f3).with(60, f60);
            assert_eq!(flavor.business(&msg), expected, "{mti} {f3} {f60}");
        };
        check(Flavor::Iso1987, "0200", "000000", "", Business::Purchase);
        check(Flavor::Iso1987, "0100", "000000", "", Business::Hold);
        check(Flavor::Iso1987, "0200", "200000", "", Business::Refund);
        check(Flavor::Iso1987, "0200", "310000", "", Business::Balance);
        check(Flavor::Iso1987, "0421", "000000", "", Business::Reversal);
        check(Flavor::UnionPay, "0200", "000000", "22000001", Business::Purchase);
        check(Flavor::UnionPay, "0200", "000000", "20000001", Business::Completion);
        check(Flavor::UnionPay, "0220", "200000", "25000001", Business::Refund);
        check(Flavor::UnionPay, "0800", "", "00000001003", Business::Network);
    }
}
