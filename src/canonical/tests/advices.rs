//! Advices and their reversals, byte for byte: what was decided (`F39`, `F25`), and the MTI by
//! which a reversal names what the bank was sent (`F90`, `F56`). Deliberately absent: what the
//! switch makes of it.

use super::*;
use crate::canonical::Sent;

/// A sale that is told, with all that later versions ask for.
fn advice(name: &str) -> Canonical {
    let mut msg = transaction(TransactionType::Purchase, Flow::Advice);
    msg.local_year = Some(26);
    (msg.local_date, msg.local_time) = (text("1122"), text("093000"));
    msg.processing_code = text("000000");
    msg.pos_entry_mode = text(if name.contains("1993") { "510101511344" } else { "051" });
    msg
}

fn told(class: ResponseClass, code: &str) -> Option<Answer> {
    Some(Answer::Given { class, code: code.parse().unwrap() })
}

#[test]
fn an_advice_says_what_was_decided_where_the_bank_has_a_word_for_it() {
    use ResponseClass::{Approved, Declined, PickUp};
    let rows = [
        ("iso8583-1987-ascii", Declined, "51", ["0220", "51", "-"]),
        ("iso8583-1987-ascii", Approved, "00", ["0220", "00", "-"]),
        ("iso8583-1987-bcd", Declined, "51", ["0220", "51", "-"]),
        // A code of two digits has no spelling here: the class has.
        ("iso8583-1993-ascii", Declined, "51", ["1220", "100", "200"]),
        ("iso8583-1993-ascii", Declined, "116", ["1220", "116", "200"]),
        ("iso8583-1993-ascii", PickUp, "04", ["1220", "200", "200"]),
        ("iso8583-1993-ascii", Approved, "00", ["1220", "000", "200"]),
        ("iso8583-2003-binary", Declined, "51", ["2220", "1000", "200"]),
        ("iso8583-2003-binary", Approved, "00", ["2220", "0000", "200"]),
    ];
    for (name, class, code, expected) in rows {
        let dialect = dialect(name);
        let mut msg = advice(name);
        (msg.answer, msg.auth_id) = (told(class, code), text("A1B2C3"));
        let written = over_the_wire(&dialect, &write_ok(&dialect, &msg));
        let got = [written.mti().as_str().to_owned(), shown(&written, 39), shown(&written, 24)];
        assert_eq!(got, expected, "{name} {code}");
        assert_eq!(shown(&written, 38), "A1B2C3", "{name}");
        let read = read_ok(&dialect, &written);
        let heard = match read.answer {
            Some(Answer::Given { class, .. }) => Some(class),
            _ => None,
        };
        assert_eq!((read.flow, heard), (Flow::Advice, Some(class)), "{name} {code}");
    }
}

/// From 1993 on `F25` says why a message is an advice at all.
#[test]
fn an_advice_of_ours_says_that_we_decided_in_the_banks_place() {
    for (name, reason) in [("iso8583-1993-ascii", "1007"), ("iso8583-1987-ascii", "-")] {
        let dialect = dialect(name);
        let mut msg = advice(name);
        (msg.answer, msg.reason) = (told(ResponseClass::Approved, "00"), Some(Reason::BankDown));
        let written = over_the_wire(&dialect, &write_ok(&dialect, &msg));
        assert_eq!(shown(&written, 25), reason, "{name}");
    }
}

#[test]
fn where_advices_have_no_code_an_approved_one_goes_without() {
    let unionpay = dialect("unionpay-pos");
    assert!(unionpay.rules().fields().uncoded_advices());
    let mut msg = advice("unionpay-pos");
    msg.kind = Kind::Transaction(TransactionType::Completion);
    msg.answer = told(ResponseClass::Approved, "00");
    assert_eq!(shown(&write_ok(&unionpay, &msg), 39), "-");
    for coded in ["iso8583-1987-ascii", "iso8583-1993-ascii", "iso8583-2003-binary"] {
        assert!(!dialect(coded).rules().fields().uncoded_advices(), "{coded}");
    }
}

#[test]
fn a_reversal_names_its_original_by_the_mti_the_bank_was_sent() {
    use TransactionType::{Completion, PreAuthorization as Hold, Purchase, Refund, Void};
    let rows = [
        (Purchase, Flow::Request, "0200", "1200"),
        (Purchase, Flow::Advice, "0220", "1220"),
        (Hold, Flow::Request, "0100", "1100"),
        (Hold, Flow::Advice, "0120", "1120"),
        (Completion, Flow::Request, "0200", "1200"),
        (Completion, Flow::Advice, "0220", "1220"),
        (Refund, Flow::Advice, "0220", "1220"),
        (Void, Flow::Advice, "0220", "1220"),
    ];
    for (kind, flow, old, new) in rows {
        for (name, de, expected) in [
            ("iso8583-1987-ascii", 90, format!("{old}00004111220929000001234567800000000000")),
            ("iso8583-1993-ascii", 56, format!("{new}0000412611220929000812345678")),
        ] {
            let dialect = dialect(name);
            let mut msg = advice(name);
            msg.kind = Kind::Reversal(kind);
            msg.reason = Some(Reason::CustomerCancel);
            msg.original = Some(OriginalData {
                // The platform's word for it, which counts nothing where we sent it.
                mti: text("0200"),
                stan: Some(41),
                transmission: text("1122092900"),
                date: text("1122"),
                time: text("092900"),
                acquirer: text("12345678"),
                sent: Some(Sent { kind: Kind::Transaction(kind), flow }),
                ..OriginalData::default()
            });
            let written = over_the_wire(&dialect, &write_ok(&dialect, &msg));
            assert_eq!(shown(&written, de), expected, "{name}: {kind:?} {flow:?}");
            let original = read_ok(&dialect, &written).original.unwrap();
            assert_eq!(original.stan, Some(41), "{name}");
        }
    }
}
