//! Totals through the dialects: fields of their own, one composite, verdicts by digit and by code.

use super::*;

fn sum(count: u64, minor: u64) -> Sum {
    Sum { count, minor }
}

fn totals() -> Totals {
    Totals {
        credits: sum(2, 500),
        credits_reversed: sum(1, 100),
        debits: sum(3, 90_000),
        debits_reversed: sum(1, 250),
        inquiries: 4,
        authorizations: 5,
    }
}

fn question() -> Canonical {
    let mut msg = Canonical::new(Kind::Reconciliation, Flow::Request);
    msg.stan = Some(9);
    msg.transmission = text("1122093000");
    msg.settlement_date = text("1121");
    msg.terminal = text("TERM0001");
    msg.merchant = text("MERCHANT0000001");
    msg.batch = Some(7);
    msg.reconciliation = Some(Box::new(Reconciliation {
        currency: Currency::new(156),
        totals: Some(totals()),
        ..Reconciliation::default()
    }));
    msg
}

#[test]
fn in_1987_every_sum_has_a_field_and_the_net_its_sign() {
    for name in ["iso8583-1987-ascii", "iso8583-1987-bcd", "iso8583-1987-ebcdic"] {
        let dialect = dialect(name);
        let message = over_the_wire(&dialect, &write_ok(&dialect, &question()));
        let expected = [
            (15, "1121"),
            (50, "156"),
            (66, "-"),
            (74, "0000000002"),
            (75, "0000000001"),
            (76, "0000000003"),
            (77, "0000000001"),
            (80, "0000000004"),
            (81, "0000000005"),
            (86, "0000000000000500"),
            (87, "0000000000000100"),
            (88, "0000000000090000"),
            (89, "0000000000000250"),
            (97, "D0000000000089350"),
        ];
        for (de, value) in expected {
            assert_eq!(shown(&message, de), value, "{name} F{de}");
        }
        let back = read_ok(&dialect, &message).reconciliation.unwrap();
        assert_eq!((back.totals, back.net), (Some(totals()), Some(-89_350)));
        assert_eq!((back.currency, back.balance), (Currency::new(156), None));
        assert!(back.agrees(&totals()));
    }
}

#[test]
fn a_unionpay_terminal_states_what_stands_in_one_field_of_62_digits() {
    let dialect = dialect("unionpay-pos");
    let message = over_the_wire(&dialect, &write_ok(&dialect, &question()));
    let f48 = format!("{:012}{:03}{:012}{:03}0{}", 89_750, 2, 400, 1, "0".repeat(31));
    assert_eq!((shown(&message, 48), f48.len()), (f48, 62));
    assert_eq!(shown(&message, 60), "00000007201");
    let back = read_ok(&dialect, &message).reconciliation.unwrap();
    assert!(back.standing && back.agrees(&totals()));
    assert_eq!(back.currency, Currency::new(156));

    let mut answer = message.clone();
    answer.set_mti("0510".parse().unwrap());
    let flagged = shown(&message, 48);
    for (flag, balance) in [("1", Some(Balance::InBalance)), ("2", Some(Balance::OutOfBalance))] {
        let value = format!("{}{flag}{}", &flagged[..30], &flagged[31..]);
        answer.set(48, value.as_bytes()).unwrap();
        answer.set(39, b"00").unwrap();
        let back = read_ok(&dialect, &answer).reconciliation.unwrap();
        assert_eq!(back.balance, balance);
    }
}

#[test]
fn more_than_a_terminal_can_count_is_refused_and_not_cut() {
    let dialect = dialect("unionpay-pos");
    let mut msg = question();
    let mut stated = **msg.reconciliation.as_ref().unwrap();
    stated.totals = Some(Totals { debits: sum(1_000, 1), ..Totals::default() });
    msg.reconciliation = Some(Box::new(stated));
    let error = write(&dialect, &msg, &mut Message::new()).unwrap_err();
    assert!(error.to_string().contains("48"), "{error}");
}

#[test]
fn a_verdict_is_a_digit_in_1987_and_an_action_code_later() {
    let verdicts = [(Balance::InBalance, "1", "500"), (Balance::OutOfBalance, "2", "501")];
    for (balance, digit, code) in verdicts {
        let mut answer = question();
        answer.flow = Flow::Response;
        answer.answer = Some(Answer::Own(Reason::Accepted));
        let mut stated = **answer.reconciliation.as_ref().unwrap();
        stated.balance = Some(balance);
        answer.reconciliation = Some(Box::new(stated));

        let old = dialect("iso8583-1987-ascii");
        let message = over_the_wire(&old, &write_ok(&old, &answer));
        assert_eq!((shown(&message, 66), shown(&message, 39)), (digit.into(), "00".into()));
        assert_eq!(read_ok(&old, &message).reconciliation.unwrap().balance, Some(balance));

        let new = dialect("iso8583-1993-ascii");
        let message = over_the_wire(&new, &write_ok(&new, &answer));
        assert_eq!((shown(&message, 66), shown(&message, 39)), ("-".into(), code.into()));
        assert_eq!(read_ok(&new, &message).reconciliation.unwrap().balance, Some(balance));
    }
}

#[test]
fn other_messages_have_no_totals_whatever_their_fields_say() {
    let dialect = dialect("iso8583-1987-ascii");
    let purchase = transaction(TransactionType::Purchase, Flow::Request);
    let mut message = write_ok(&dialect, &purchase);
    message.set(88, b"0000000000000001").unwrap();
    assert_eq!(read_ok(&dialect, &message).reconciliation, None);
}
