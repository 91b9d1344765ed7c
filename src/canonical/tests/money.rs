//! Money at the edges of a dialect: processing codes that say more than their kind, parts of an
//! amount, fees and cash back, amounts without a currency, dates with years. Nothing that is
//! stated is left out in silence.

use super::*;

/// Cash back (09) and cash (01) are read as purchases.
const WITH_CASH: &str = "[messages]\npurchase = { 3 = ['00xxxx', '09xxxx'] }\n\
    cash = { mti = '0200', kind = 'purchase', 3 = '01xxxx', write = false }\n";

fn refused(dialect: &Dialect, msg: &Canonical) -> Option<WriteError> {
    write(dialect, msg, &mut Message::new()).err()
}

fn purchase(code: &str) -> Message {
    let fields = [(2, "4111111111111111"), (3, code), (4, "000000000700"), (11, "000042")];
    message("0200", &[&fields[..], &[(49, "978")]].concat())
}

/// A purchase as the wire has it, with one field more.
fn with(field: (u8, &str)) -> Message {
    let mut with = purchase("000000");
    with.set(field.0, field.1.as_bytes()).unwrap();
    with
}

#[test]
fn a_processing_code_is_written_as_it_was_read_or_not_at_all() {
    let (cash, plain) =
        (dialect_text(WITH_CASH, "iso8583-1987-ascii").unwrap(), dialect("iso8583-1987-ascii"));
    for (code, special) in
        [("000000", false), ("002030", false), ("090000", true), ("010000", true)]
    {
        let msg = read_ok(&cash, &purchase(code));
        assert_eq!(
            (msg.special, msg.kind),
            (special, Kind::Transaction(TransactionType::Purchase))
        );
        let there = refused(&plain, &msg);
        assert_eq!(there, special.then_some(WriteError::NoPlace { de: 3 }), "{code}");
        assert_eq!(without_place(&plain, &msg), special.then_some(3), "{code}");
        if code != "010000" {
            assert_eq!(shown(&write_ok(&cash, &msg), 3), code, "a bank that knows it");
        }
    }
    // Of the entry that is only read nothing is written as another.
    let msg = read_ok(&cash, &purchase("010000"));
    assert_eq!(refused(&cash, &msg), Some(WriteError::NoPlace { de: 3 }));
    // Kinds have codes of their own, and each dialect its own of them: no reason to refuse.
    let unionpay = dialect("unionpay-pos");
    let mut void = transaction(TransactionType::Void, Flow::Request);
    void.processing_code = text("020000");
    assert_eq!(shown(&write_ok(&unionpay, &void), 3), "200000");
}

#[test]
fn an_answer_says_the_processing_code_as_it_was_asked() {
    let cash = dialect_text(WITH_CASH, "iso8583-1987-ascii").unwrap();
    for code in ["000000", "090000", "010000"] {
        let mut msg = read_ok(&cash, &purchase(code));
        (msg.flow, msg.answer) = (Flow::Response, Some(Answer::Own(Reason::InvalidTransaction)));
        assert_eq!(shown(&write_ok(&cash, &msg), 3), code);
    }
}

/// A reversal that leaves 60.00 of 100.00.
fn of_a_part(name: &str) -> Canonical {
    let mut msg = transaction(TransactionType::Purchase, Flow::Advice);
    msg.kind = Kind::Reversal(TransactionType::Purchase);
    let part = |minor| Currency::new(156).map(|c| Amount::new(minor, c));
    (msg.amount, msg.replacement_amount) = (part(10_000), part(6_000));
    msg.local_year = Some(26);
    (msg.local_date, msg.local_time) = (text("1122"), text("093000"));
    msg.pos_entry_mode = text(if name.contains("1993") { "510101511344" } else { "051" });
    msg.reason = Some(Reason::CustomerCancel);
    msg.processing_code = text("000000");
    msg.original = Some(OriginalData {
        stan: Some(42),
        date: text("1122"),
        time: text("093000"),
        acquirer: text("12345678"),
        ..OriginalData::default()
    });
    msg
}

#[test]
fn the_reversal_of_a_part_is_said_or_refused() {
    let said: [(&str, &[(u8, &str)]); 3] = [
        (
            "iso8583-1987-ascii",
            &[(4, "000000010000"), (95, "000000006000000000000000C00000000C00000000")],
        ),
        (
            "iso8583-1993-ascii",
            &[(24, "401"), (4, "000000006000"), (30, "000000010000000000000000")],
        ),
        (
            "iso8583-2003-binary",
            &[(24, "401"), (4, "1562000000006000"), (30, "15620000000100000000000000000000")],
        ),
    ];
    for (name, fields) in said {
        let dialect = dialect(name);
        let msg = of_a_part(name);
        let written = over_the_wire(&dialect, &write_ok(&dialect, &msg));
        for (de, value) in fields {
            assert_eq!(shown(&written, *de), *value, "{name} F{de}");
        }
        let read = read_ok(&dialect, &written);
        let amounts = |m: &Canonical| (m.amount, m.replacement_amount, m.original_amount);
        assert_eq!(amounts(&read), amounts(&msg), "{name}");
        assert!(dialect.rules().says_part(), "{name}");
        // The whole of it is another message.
        let whole = Canonical { replacement_amount: None, ..of_a_part(name) };
        let written = write_ok(&dialect, &whole);
        assert_eq!(read_ok(&dialect, &written).replacement_amount, None, "{name}");
        assert!([30, 95].iter().all(|de| !written.has(*de)), "{name}");
    }
    let unionpay = dialect("unionpay-pos");
    assert!(!unionpay.rules().says_part());
    assert_eq!(refused(&unionpay, &of_a_part("")), Some(WriteError::NoPlace { de: 95 }));
    let without = dialect_text("[canonical]\n95 = false\n", "iso8583-1987-ascii").unwrap();
    assert!(!without.rules().says_part());
    assert_eq!(refused(&without, &of_a_part("")), Some(WriteError::NoPlace { de: 95 }));
}

#[test]
fn a_completion_of_another_amount_says_so() {
    let newer = dialect("iso8583-1993-ascii");
    let mut msg = of_a_part("1993");
    msg.kind = Kind::Transaction(TransactionType::Completion);
    msg.replacement_amount = None;
    for (held, function) in [(10_000, "201"), (15_000, "202")] {
        msg.original_amount = msg.amount.map(|a| Amount::new(held, a.currency));
        let written = write_ok(&newer, &msg);
        assert_eq!(shown(&written, 24), function);
        assert_eq!(written.has(30), held == 15_000);
        let read = read_ok(&newer, &written);
        assert_eq!(read.amount, msg.amount);
        assert_eq!(read.original_amount, msg.original_amount.filter(|_| held == 15_000));
    }
}

#[test]
fn money_besides_the_amount_is_said_or_refused() {
    let carries = "[canonical]\ncarry = { request = [28, 54, 55], answer = [54] }\n";
    let (from, plain) =
        (dialect_text(carries, "iso8583-1987-ascii").unwrap(), dialect("iso8583-1987-ascii"));
    let cash_back = (54, "0040978D000000002000");
    for (field, carried) in [
        ((28, "D00000150"), true),
        (cash_back, true),
        ((6, "000000000900"), false),
        ((5, "000000000900"), false),
        ((8, "00000100"), false),
    ] {
        let msg = read_ok(&from, &with(field));
        assert_eq!(msg.unplaced, (!carried).then_some(field.0));
        let there = refused(&from, &msg).and_then(|e| e.de());
        assert_eq!(
            (there, without_place(&from, &msg)),
            (msg.unplaced, msg.unplaced),
            "F{}",
            field.0
        );
        if carried {
            assert_eq!(shown(&write_ok(&from, &msg), field.0), field.1);
        }
    }
    // The bank's dialect has no place for the fee, though the platform's passes it on.
    let fee = read_ok(&from, &with((28, "D00000150")));
    assert_eq!(refused(&plain, &fee), Some(WriteError::NoPlace { de: 28 }));
    assert_eq!(without_place(&plain, &fee), Some(28));
    // From 1993 on 28 is a date.
    let dates = dialect_text("[canonical]\ncarry = [28, 54]\n", "iso8583-1993-ascii").unwrap();
    assert_eq!(without_place(&dates, &fee), Some(28));
    // A field that leaves things out where they do not fit leaves out no money.
    let long = "0040978D000000002000".repeat(6);
    let long = read_ok(&from, &with((54, &long)));
    assert_eq!(without_place(&dialect("unionpay-pos"), &long), Some(54));
    // No fee is no money, and rates and currencies alone move none.
    for field in [(28, "C00000000"), (8, "00000000"), (10, "61234567"), (51, "840")] {
        let msg = read_ok(&plain, &with(field));
        assert_eq!((msg.unplaced, refused(&plain, &msg)), (None, None), "F{}", field.0);
    }
}

#[test]
fn an_advice_that_must_have_what_no_journal_keeps_has_no_place() {
    let text = "[presence.purchase-advice]\nrequest = { must = [55] }\n";
    let chip = dialect_text(text, "iso8583-1987-ascii").unwrap();
    let advice = transaction(TransactionType::Purchase, Flow::Advice);
    assert_eq!(without_place(&chip, &advice), Some(55));
    assert_eq!(without_place(&dialect("iso8583-1987-ascii"), &advice), None);
    let request = transaction(TransactionType::Purchase, Flow::Request);
    assert_eq!(without_place(&chip, &request), None);
}

#[test]
fn an_answer_without_a_currency_means_what_it_answers() {
    let ascii = dialect("iso8583-1987-ascii");
    let fields = [(4, "000000010000"), (11, "000042"), (38, "A1B2C3"), (39, "00")];
    for mti in ["0210", "0430"] {
        let mut msg = read_ok(&ascii, &message(mti, &fields));
        assert_eq!((msg.amount, msg.bare_amount), (None, Some(10_000)), "{mti}");
        let asked = Currency::new(978).map(|c| Amount::new(500, c));
        msg.in_currency_of(asked);
        assert_eq!(msg.amount, Currency::new(978).map(|c| Amount::new(10_000, c)), "{mti}");
    }
    let mut stated = read_ok(&ascii, &message("0210", &[&fields[..], &[(49, "156")]].concat()));
    stated.in_currency_of(Currency::new(978).map(|c| Amount::new(500, c)));
    assert_eq!(stated.amount, Currency::new(156).map(|c| Amount::new(10_000, c)));
}

#[test]
fn dates_from_1993_on_have_years() {
    for (name, wire) in [
        ("iso8583-1993-ascii", "261122"),
        ("iso8583-1993-binary", "261122"),
        ("iso8583-2003-binary", "20261122"),
    ] {
        let dialect = dialect(name);
        let code = if name.contains("2003") { "0000" } else { "000" };
        let (class, stan) =
            if name.contains("2003") { ("2210", "000000000042") } else { ("1210", "000042") };
        let mut fields = vec![(11, stan), (15, wire), (39, code)];
        if !name.contains("2003") {
            fields.push((49, "156"));
        }
        let heard = over_the_wire(&dialect, &message(class, &fields));
        let mut msg = read_ok(&dialect, &heard);
        msg.kind = Kind::Transaction(TransactionType::Purchase);
        assert_eq!((msg.settlement_date, msg.settlement_year), (text("1122"), Some(26)), "{name}");
        let class = match msg.answer {
            Some(Answer::Given { class, .. }) => Some(class.is_approval()),
            _ => None,
        };
        assert_eq!(class, Some(true), "{name}: the fields behind it are where they are");
        assert_eq!(shown(&write_ok(&dialect, &msg), 15), wire, "{name}");
        // What a 1987 peer said has no year until it is completed; no year, no field.
        let mut without = msg.clone();
        without.settlement_year = None;
        assert_eq!(shown(&write_ok(&dialect, &without), 15), "-", "{name}");
        without.complete_year(crate::time::Wall::from_millis(1_795_305_600_000));
        assert_eq!(shown(&write_ok(&dialect, &without), 15), wire, "{name}");
    }
}

#[test]
fn of_an_answer_is_known_what_it_answers_whatever_else_is_wrong() {
    let ascii = dialect("iso8583-1987-ascii");
    let mut msg = empty();
    let broken = message("0210", &[(11, "000042"), (15, "99"), (39, "00"), (41, "TERM0001")]);
    assert!(read_partial(&ascii, &broken, &mut msg));
    assert_eq!((msg.flow, msg.stan, msg.answer), (Flow::Response, Some(42), None));
    assert!(read_partial(&ascii, &message("0430", &[(11, "000042")]), &mut msg));
    assert_eq!((msg.flow, msg.kind.family()), (Flow::AdviceResponse, 4));
    assert!(!read_partial(&ascii, &message("0210", &[(39, "00")]), &mut msg));
}

/// BASE I: the reversal has its original's F11, and F90 of it; F62 and F63 of the answer come back.
#[test]
fn a_reversal_may_have_its_originals_number_and_name_it_too() {
    let base = dialect("iso8583-1987-base1");
    let mut msg = of_a_part("");
    msg.replacement_amount = None;
    msg.stan = Some(42);
    msg.kept.push(62, b"\x40\0\0\0\0\0\0\0");
    msg.kept.push(63, b"\x80\0\0\0\x02");
    let written = over_the_wire(&base, &write_ok(&base, &msg));
    let f90 = shown(&written, 90);
    assert_eq!((shown(&written, 11), f90.get(..10)), ("000042".to_owned(), Some("0200000042")));
    assert_eq!(written.get(62).map(<[u8]>::len), Some(8));
    assert_eq!(written.get(63).map(<[u8]>::len), Some(5));
    let read = read_ok(&base, &written);
    assert_eq!(read.original.and_then(|o| o.stan), Some(42));
    assert_eq!(read.referred, None);
    let answer = message("0410", &[(11, "000042"), (39, "00"), (63, "\u{1}")]);
    assert_eq!(read_ok(&base, &answer).kept.get(63), Some(&b"\x01"[..]));
    // What is kept is journaled: nothing of a card may be.
    let text = "[canonical]\nkeep = [55]\n";
    let errors = dialect_text(text, "iso8583-1987-ascii").unwrap_err();
    assert!(errors.iter().any(|e| e.to_string().contains("F55 is secret and is never journaled")));
}

#[test]
fn no_digits_of_a_card_are_kept() {
    let mut kept = Carried::default();
    kept.push(62, b"4111111111111111");
    kept.push(63, b"\x41\x11\x11\x11\x11\x11\x11\x11");
    kept.push(48, b"1234");
    let kept = kept.without_card(&Pan::new(b"4111111111111111").unwrap());
    assert_eq!(kept.iter().map(|(de, _)| de).collect::<Vec<_>>(), [48]);
    assert_eq!(Carried::of_bytes(kept.as_bytes()), Some(kept.clone()));
    assert_eq!(Carried::of_bytes(b"\x30\0\x05ab"), None);
}
