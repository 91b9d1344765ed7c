//! Which bytes mean which kind of message, both ways.

use super::*;
use crate::iso8583::shipped_names;

#[test]
fn every_shipped_dialect_compiles_and_translates() {
    for name in shipped_names() {
        assert!(dialect(name).rules().translates(), "{name}");
    }
}

/// Everything a dialect can say, it understands: over its own bytes.
#[test]
fn every_dialect_reads_what_it_writes() {
    let functions = NetworkFunction::ALL.map(Kind::NetworkManagement);
    let kinds = TransactionType::ALL.map(Kind::Transaction).into_iter().chain(functions);
    let kinds: Vec<Kind> = kinds.chain(TransactionType::ALL.map(Kind::Reversal)).collect();
    for name in shipped_names() {
        let dialect = dialect(name);
        let mut said = 0;
        for (kind, flow) in kinds.iter().flat_map(|k| [(*k, Flow::Request), (*k, Flow::Advice)]) {
            if !dialect.rules().messages().can_write(kind, flow) {
                continue;
            }
            let msg = anything(kind, flow, name);
            let read = read_ok(&dialect, &over_the_wire(&dialect, &write_ok(&dialect, &msg)));
            let open = Kind::Reversal(TransactionType::Unstated);
            if matches!(kind, Kind::Reversal(_)) {
                // From 1993 on neither F24 nor F56 tells the original of a completion.
                let newer = name.contains("1993") || name.contains("2003");
                let told = read.kind == kind || (newer && read.kind == open);
                assert!(told, "{name} {kind:?} {read:?}");
            } else {
                assert_eq!((read.kind, read.flow), (kind, flow), "{name}");
            }
            assert_eq!((read.stan, read.amount), (msg.stan, msg.amount), "{name} {kind:?}");
            said += 1;
        }
        assert!(said > 15, "{name} says only {said}");
    }
}

/// A message with whatever any dialect needs, in the widths of this one.
fn anything(kind: Kind, flow: Flow, name: &str) -> Canonical {
    let mut msg = transaction(TransactionType::Purchase, flow);
    msg.kind = kind;
    msg.pos_entry_mode = text(if name.contains("1993") { "510101511344" } else { "051" });
    msg.local_date = text("1122");
    msg.local_time = text("173000");
    msg.complete_year(crate::time::Wall::from_millis(1_795_305_600_000));
    if matches!(kind, Kind::Reversal(_)) {
        msg.original = Some(OriginalData {
            mti: None,
            stan: msg.stan,
            transmission: text("1122092900"),
            acquirer: text("12345678"),
            forwarder: None,
            batch: Some(6),
            date: text("1121"),
            time: text("172900"),
            sent: None,
        });
        msg.reason = Some(Reason::Timeout);
    }
    if matches!(kind, Kind::NetworkManagement(_)) {
        (msg.pan, msg.amount) = (None, None);
    }
    msg
}

#[test]
fn the_year_is_the_nearest() {
    let year = |millis: i64, date: &str| {
        let mut msg = transaction(TransactionType::Purchase, Flow::Request);
        msg.local_date = text(date);
        msg.complete_year(crate::time::Wall::from_millis(millis));
        msg.local_year
    };
    let (new_year, leap) = (1_798_761_600_000, 1_709_164_800_000);
    assert_eq!(year(new_year, "1231"), Some(26), "2027-01-01 looks back");
    assert_eq!(year(new_year - 1, "0101"), Some(27), "2026-12-31 looks ahead");
    assert_eq!(year(leap, "0229"), Some(24));
    assert_eq!(year(new_year, "0229"), Some(28), "the only one of the three");
    assert_eq!(year(new_year - 1, "0229"), None);
}

/// domain.md section 4: MTI, F3, F25 and F60 type, and what they mean.
const UNIONPAY: [(&str, &str, &str, &str, TransactionType, Flow); 10] = [
    ("0200", "310000", "00", "01", TransactionType::Balance, Flow::Request),
    ("0100", "030000", "06", "10", TransactionType::PreAuthorization, Flow::Request),
    ("0100", "200000", "06", "11", TransactionType::PreAuthorizationVoid, Flow::Request),
    ("0200", "000000", "06", "20", TransactionType::Completion, Flow::Request),
    ("0200", "200000", "06", "21", TransactionType::CompletionVoid, Flow::Request),
    ("0200", "000000", "00", "22", TransactionType::Purchase, Flow::Request),
    ("0200", "200000", "00", "23", TransactionType::Void, Flow::Request),
    ("0220", "000000", "06", "24", TransactionType::Completion, Flow::Advice),
    ("0220", "200000", "00", "25", TransactionType::Refund, Flow::Request),
    ("0220", "000000", "00", "30", TransactionType::Purchase, Flow::Advice),
];

#[test]
fn unionpay_message_types_both_ways() {
    let unionpay = dialect("unionpay-pos");
    for (mti, f3, f25, kind, meaning, flow) in UNIONPAY {
        let written = write_ok(&unionpay, &transaction(meaning, flow));
        let type_and_batch = format!("{kind}000007000");
        let got = [3, 25, 60].map(|de| shown(&written, de));
        assert_eq!(written.mti().as_str(), mti, "{meaning:?} {flow:?}");
        assert_eq!(got, [f3, f25, &type_and_batch], "{meaning:?} {flow:?}");
        let read = read_ok(&unionpay, &written);
        assert_eq!((read.kind, read.flow), (Kind::Transaction(meaning), flow));
        assert_eq!((read.batch, read.stan), (Some(7), Some(42)));
    }
}

#[test]
fn unionpay_answers_are_told_by_what_they_have() {
    let unionpay = dialect("unionpay-pos");
    let kind = |fields: &[(u8, &str)]| {
        let all = [&[(11, "000042"), (39, "00")], fields].concat();
        let msg = read_ok(&unionpay, &message("0210", &all));
        assert_eq!(msg.flow, Flow::Response);
        msg.kind
    };
    let whole = [(3, "000000"), (25, "00"), (60, "22000001")];
    assert_eq!(kind(&whole), Kind::Transaction(TransactionType::Purchase));
    assert_eq!(kind(&[]), Kind::Transaction(TransactionType::Unstated));
    assert_eq!(kind(&[(3, "310000")]), Kind::Transaction(TransactionType::Balance));
    assert_eq!(kind(&[(3, "200000")]), Kind::Transaction(TransactionType::Unstated));
}

#[test]
fn ascii_kinds_and_what_fits_nothing() {
    let ascii = dialect("iso8583-1987-ascii");
    let kind = |mti: &str, f3: &str, f25: &str| {
        let fields = [(2, "4111111111111111"), (3, f3), (11, "000042"), (25, f25)];
        let mut into = empty();
        read(&ascii, &message(mti, &fields), &mut into).map(|()| into.kind)
    };
    let is = |t| Ok(Kind::Transaction(t));
    assert_eq!(kind("0200", "003000", "00"), is(TransactionType::Purchase));
    assert_eq!(kind("0200", "000000", "06"), is(TransactionType::Completion));
    assert_eq!(kind("0201", "200000", "00"), is(TransactionType::Refund));
    assert_eq!(kind("0100", "000000", "00"), is(TransactionType::PreAuthorization));
    assert_eq!(kind("0100", "310000", "00"), is(TransactionType::Balance));
    let unfit = ReadError::UnknownMessage {
        mti: "0200".parse().unwrap(),
        processing_code: "990000".parse().unwrap(),
    };
    assert_eq!(kind("0200", "990000", "00"), Err(unfit));
    assert_eq!(unfit.de(), Some(3));
    let unknown = ReadError::UnknownMti { mti: "0600".parse().unwrap() };
    assert_eq!(kind("0600", "000000", "00"), Err(unknown));
}

#[test]
fn network_management_in_both_dialects() {
    let (ascii, unionpay) = (dialect("iso8583-1987-ascii"), dialect("unionpay-pos"));
    let mut echo = Canonical::new(Kind::NetworkManagement(NetworkFunction::Echo), Flow::Request);
    echo.stan = Some(5);
    echo.batch = Some(1);
    let there = write_ok(&ascii, &echo);
    assert_eq!((there.mti().as_str(), shown(&there, 70)), ("0800", "301".to_owned()));
    let there = write_ok(&unionpay, &echo);
    assert_eq!((there.mti().as_str(), shown(&there, 60)), ("0820", "00000001301".to_owned()));
    assert_eq!(read_ok(&unionpay, &there).kind, echo.kind);

    let answer = message("0830", &[(11, "000005"), (39, "00"), (60, "00000001301")]);
    let answer = read_ok(&unionpay, &answer);
    assert_eq!((answer.kind, answer.flow), (echo.kind, Flow::Response));
    let open = read_ok(&ascii, &message("0810", &[(11, "000005"), (39, "00")]));
    assert_eq!(open.kind, Kind::NetworkManagement(NetworkFunction::Unstated));
}

#[test]
fn an_answer_answers_the_mti_that_was_asked() {
    let ascii = dialect("iso8583-1987-ascii");
    let fields = [(2, "4111111111111111"), (3, "310000"), (11, "000042")];
    for (asked, answered) in [("0100", "0110"), ("0200", "0210"), ("0201", "0210")] {
        let mut msg = read_ok(&ascii, &message(asked, &fields));
        msg.flow = Flow::Response;
        msg.answer = Some(Answer::Own(Reason::BankDown));
        let reply = write_ok(&ascii, &msg);
        assert_eq!((reply.mti().as_str(), shown(&reply, 39)), (answered, "91".to_owned()));
    }
}

#[test]
fn a_garbled_message_can_still_be_answered() {
    let ascii = dialect("iso8583-1987-ascii");
    let mut msg = empty();
    let half = message("0200", &[(3, "99"), (11, "000042"), (41, "TERM0001")]);
    assert!(read_partial(&ascii, &half, &mut msg));
    msg.flow = msg.flow.answer().unwrap();
    msg.answer = Some(Answer::Own(Reason::FormatError));
    msg.processing_code = None;
    let reply = write_ok(&ascii, &msg);
    assert_eq!(reply.mti().as_str(), "0210");
    assert_eq!([11, 39, 41].map(|de| shown(&reply, de)), ["000042", "30", "TERM0001"]);
    assert!(!read_partial(&ascii, &message("0200", &[]), &mut msg));
}

#[test]
fn fields_that_must_and_must_not_be_there() {
    let ascii = dialect("iso8583-1987-ascii");
    let mut into = empty();
    let mti = "0200".parse().unwrap();
    let no_stan = message("0200", &[(2, "4111111111111111"), (3, "000000")]);
    let missing = Err(ReadError::Missing { mti, de: 11 });
    assert_eq!(read(&ascii, &no_stan, &mut into), missing);
    let no_card = message("0200", &[(3, "000000"), (11, "000001")]);
    assert_eq!(read(&ascii, &no_card, &mut into), Err(ReadError::Missing { mti, de: 2 }));
    let bad = message("0200", &[(2, "4111111111111111"), (3, "000000"), (11, "000000")]);
    let error = read(&ascii, &bad, &mut into).unwrap_err();
    assert_eq!(error.de(), Some(11));
    assert_eq!(
        error.to_string(),
        "F11 (stan): expected a number from 1, got 6 characters that are not"
    );
}

#[test]
fn a_balance_without_an_amount_keeps_its_currency() {
    let ascii = dialect("iso8583-1987-ascii");
    let mut asked = Canonical::new(Kind::Transaction(TransactionType::Balance), Flow::Request);
    (asked.stan, asked.terminal, asked.currency) = (Some(7), text("SHOP0001"), Currency::new(156));
    asked.pan = Pan::new(CARD).ok();
    let written = write_ok(&ascii, &asked);
    assert_eq!((written.get(4), written.get(49)), (None, Some(&b"156"[..])));
    let canonical = read_ok(&ascii, &written);
    assert_eq!((canonical.amount, canonical.currency), (None, Currency::new(156)));
}
