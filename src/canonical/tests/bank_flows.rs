//! Messages across dialects: purchases, answers, reversals, and what gets lost on purpose.

use super::*;
use crate::iso8583::rules::{SignOnScope, StanRule};
use proptest::prelude::*;

#[test]
fn a_purchase_from_ascii_to_unionpay_and_its_answer_back() {
    let (ascii, unionpay) = (dialect("iso8583-1987-ascii"), dialect("unionpay-pos"));
    let request = message(
        "0200",
        &[
            (3, "003000"),
            (4, "000000012345"),
            (7, "1122093000"),
            (11, "000042"),
            (12, "173000"),
            (18, "5411"),
            (22, "021"),
            (35, "6250946000000016=30122010000"),
            (41, "TERM0001"),
            (42, "MERCHANT0000001"),
            (43, "A shop"),
            (48, "for the platform's own eyes"),
            (49, "156"),
            (62, "not on the list"),
        ],
    );
    let mut msg = read_ok(&ascii, &request);
    assert_eq!(msg.pan, Pan::new(CARD).ok());
    assert_eq!(msg.expiry, text("3012"));
    assert_eq!(msg.amount.map(|a| a.to_string()), Some("123.45 156".to_owned()));
    assert_eq!(msg.carried.iter().map(|(de, _)| de).collect::<Vec<_>>(), [43, 48]);
    msg.batch = Some(7);
    let there = write_ok(&unionpay, &msg);
    let expected = [2, 3, 4, 7, 11, 22, 25, 35, 43, 48, 49, 60, 62].map(|de| shown(&there, de));
    assert_eq!(
        expected,
        [
            "6250946000000016",
            "000000",
            "000000012345",
            "-",
            "000042",
            "021",
            "00",
            "6250946000000016=30122010000",
            "-",
            "-",
            "156",
            "22000007000",
            "-"
        ]
    );
    let again = read_ok(&unionpay, &there);
    assert_eq!((&again.pan, again.amount, again.stan), (&msg.pan, msg.amount, msg.stan));
    assert_eq!((&again.terminal, &again.merchant), (&msg.terminal, &msg.merchant));
    assert_eq!(again.track2, Track::new(b"6250946000000016=30122010000").ok());

    let answer =
        message("0210", &[(4, "000000012345"), (11, "000042"), (38, "A1B2C3"), (39, "A4")]);
    let mut answer = read_ok(&unionpay, &answer);
    assert_eq!(answer.amount.map(|a| a.currency.code()), Some(156), "the dialect's own currency");
    answer.kind = msg.kind;
    answer.processing_code = msg.processing_code;
    answer.mti = None;
    let back = write_ok(&ascii, &answer);
    let got = [3, 4, 11, 38, 39, 49].map(|de| shown(&back, de));
    assert_eq!(got, ["003000", "000000012345", "000042", "A1B2C3", "00", "156"]);
    assert_eq!(back.mti().as_str(), "0210");
}

fn reversal_of(kind: TransactionType) -> Canonical {
    let mut msg = transaction(kind, Flow::Request);
    msg.kind = Kind::Reversal(kind);
    msg.original = Some(OriginalData {
        stan: Some(41),
        transmission: text("1122092900"),
        acquirer: text("12345678"),
        batch: Some(6),
        ..OriginalData::default()
    });
    msg.reason = Some(Reason::Timeout);
    msg
}

#[test]
fn an_ascii_reversal_has_its_own_stan_and_f90() {
    let ascii = dialect("iso8583-1987-ascii");
    let mut msg = reversal_of(TransactionType::Purchase);
    msg.carried.push(48, b"is not in the field list");
    let first = write_ok(&ascii, &msg);
    assert_eq!(first.mti().as_str(), "0420");
    let f90 = "020000004111220929000001234567800000000000";
    assert_eq!(
        [3, 11, 39, 48, 90].map(|de| shown(&first, de)),
        ["000000", "000042", "68", "-", f90]
    );
    msg.repeat = true;
    assert_eq!(write_ok(&ascii, &msg).mti().as_str(), "0421");

    let read = read_ok(&ascii, &first);
    assert_eq!((read.kind, read.flow), (msg.kind, Flow::Advice));
    assert_eq!(read.reason, Some(Reason::Timeout));
    assert_eq!(read.answer, None);
    let original = read.original.unwrap();
    assert_eq!((original.mti, original.stan), (text("0200"), Some(41)));
    assert_eq!((original.acquirer, original.forwarder), (text("12345678"), None));
}

#[test]
fn the_original_mti_tells_what_an_ascii_reversal_reverses() {
    let ascii = dialect("iso8583-1987-ascii");
    let kind = |mti: &str| {
        let f90 = format!("{mti}00004111220929000001234567800000000000");
        let fields =
            [(3, "000000"), (4, "000000000100"), (11, "000042"), (49, "840"), (90, f90.as_str())];
        read_ok(&ascii, &message("0420", &fields)).kind
    };
    assert_eq!(kind("0200"), Kind::Reversal(TransactionType::Purchase));
    assert_eq!(kind("0100"), Kind::Reversal(TransactionType::PreAuthorization));
    assert_eq!(kind("0000"), Kind::Reversal(TransactionType::Unstated));
}

#[test]
fn a_unionpay_reversal_keeps_the_stan_and_the_original_batch() {
    let unionpay = dialect("unionpay-pos");
    let mut msg = reversal_of(TransactionType::Void);
    msg.stan = Some(41);
    msg.repeat = true;
    msg.referred = Some(OriginalData { stan: Some(12), batch: Some(5), ..OriginalData::default() });
    let written = write_ok(&unionpay, &msg);
    assert_eq!(written.mti().as_str(), "0400", "the same MTI each time");
    let got = [3, 11, 25, 39, 60, 61].map(|de| shown(&written, de));
    assert_eq!(got, ["200000", "000041", "00", "98", "23000006000", "000005000012"]);
    assert_eq!(written.get(64), Some(&b"00000000"[..]), "a place for the MAC");

    let read = read_ok(&unionpay, &written);
    assert_eq!((read.kind, read.flow, read.reason), (msg.kind, Flow::Request, msg.reason));
    assert_eq!(read.original.and_then(|o| o.stan), Some(41));
    assert_eq!(read.referred, msg.referred);

    msg.stan = Some(42);
    let refused = write(&unionpay, &msg, &mut Message::new());
    assert_eq!(refused, Err(WriteError::OtherStan { de: 11 }));
    let refund = write(&unionpay, &reversal_of(TransactionType::Refund), &mut Message::new());
    assert!(matches!(refund, Err(WriteError::NoMessage { .. })), "refunds have none");
}

#[test]
fn reversal_rules_say_which_types_and_when_it_is_over() {
    let (ascii, unionpay) = (dialect("iso8583-1987-ascii"), dialect("unionpay-pos"));
    let rule = unionpay.rules().reversal().unwrap();
    let covered = TransactionType::ALL.map(|t| rule.covers(t));
    assert_eq!(covered, [true, true, true, true, true, true, false, false, false]);
    assert_eq!((rule.stan, rule.repeat, rule.original_batch), (StanRule::Same, false, true));
    let rule = ascii.rules().reversal().unwrap();
    assert_eq!((rule.stan, rule.repeat, rule.original_batch), (StanRule::New, true, false));
    assert!(!rule.covers(TransactionType::Balance));
    assert!(rule.codes().next().is_none(), "nothing is called otherwise in a reversal's answer");
    assert_eq!(rule.no_action().iter().map(|c| c.as_str()).collect::<Vec<_>>(), ["12", "21"]);
    assert_eq!(unionpay.rules().network().sign_on, SignOnScope::Terminal);
    assert_eq!(ascii.rules().network().sign_on, SignOnScope::Line);
}

#[test]
fn a_platform_reversal_is_answered_in_its_own_dialect() {
    let ascii = dialect("iso8583-1987-ascii");
    let f90 = "020000004111220929000001234567800000000000";
    let fields = [(3, "000000"), (4, "000000000100"), (11, "000042"), (49, "840"), (90, f90)];
    for (asked, answered) in [("0400", "0410"), ("0420", "0430"), ("0421", "0430")] {
        let mut msg = read_ok(&ascii, &message(asked, &fields));
        msg.flow = msg.flow.answer().unwrap();
        msg.answer = Some(Answer::Own(Reason::Accepted));
        msg.reason = None;
        let reply = write_ok(&ascii, &msg);
        assert_eq!((reply.mti().as_str(), shown(&reply, 39)), (answered, "00".to_owned()));
        assert_eq!(shown(&reply, 90), f90);
    }
}

#[test]
fn a_reply_turns_the_header_around() {
    let unionpay = dialect("unionpay-pos");
    let mut msg = transaction(TransactionType::Purchase, Flow::Response);
    msg.answer = Some(Answer::Own(Reason::Accepted));
    let turned = |msg: &mut Canonical, header: &[u8]| {
        msg.header = Header::new(header).unwrap();
        write_ok(&unionpay, msg).header().map(<[u8]>::to_vec)
    };
    let with_tpdu = [0x60, 0, 3, 0, 1, 0x60, 0x21, 0, 0x31, 0, 1];
    let expected = [0x60, 0, 1, 0, 3, 0x60, 0x21, 0, 0x31, 0, 1];
    assert_eq!(turned(&mut msg, &with_tpdu), Some(expected.to_vec()));
    let bare = [0x60, 0x21, 0, 0x31, 0, 1];
    assert_eq!(turned(&mut msg, &bare), Some(bare.to_vec()));
    assert_eq!(turned(&mut msg, &[]), None);
}

#[test]
fn what_does_not_fit_is_never_cut() {
    let (ascii, unionpay) = (dialect("iso8583-1987-ascii"), dialect("unionpay-pos"));
    let mut msg = transaction(TransactionType::Purchase, Flow::Request);
    let refused = |msg: &Canonical| {
        let error = write(&unionpay, msg, &mut Message::new()).unwrap_err();
        (error.de(), error.to_string())
    };
    msg.merchant = text("A-MERCHANT-OF-TWENTY");
    let error = "F42 (merchant): expected at most 15 characters, got 20".to_owned();
    assert_eq!(refused(&msg), (Some(42), error));
    msg.merchant = text("SHORT");
    msg.pos_entry_mode = text("51");
    assert_eq!(refused(&msg).0, Some(22), "51 is not 051");
    msg.pos_entry_mode = None;
    let error = "F22 (pos-entry-mode): mandatory, but the message has no value for it".to_owned();
    assert_eq!(refused(&msg), (Some(22), error));
    msg.pos_entry_mode = text("051");
    msg.batch = None;
    assert_eq!(refused(&msg).0, Some(60));
    msg.batch = Some(7);
    msg.carried.push(55, &[0x9F; 300]);
    assert_eq!(refused(&msg).0, Some(55));
    msg.carried.clear();
    let kept = shown(&write_ok(&unionpay, &msg), 42);
    assert_eq!(kept, "SHORT          ");

    // Declared lossy: left out whole.
    let mut answer = transaction(TransactionType::Purchase, Flow::Response);
    answer.answer = Some(Answer::Own(Reason::Accepted));
    answer.carried.push(44, &[b'x'; 26]);
    assert_eq!(shown(&write_ok(&ascii, &answer), 44), "-");
}

#[test]
fn a_dialect_without_a_currency_field_says_only_its_own() {
    let text = "[canonical]\n49 = false\ncurrency = '840'\n";
    let dollars = dialect_text(text, "iso8583-1987-ascii").unwrap();
    let mut msg = transaction(TransactionType::Purchase, Flow::Request);
    let error = write(&dollars, &msg, &mut Message::new()).unwrap_err();
    assert_eq!(error.to_string(), "currency 156: the dialect can say only Some(840)");
    msg.amount = msg.amount.and_then(|a| Some(Amount::new(a.minor, Currency::new(840)?)));
    let written = write_ok(&dollars, &msg);
    assert_eq!((shown(&written, 4), shown(&written, 49)), ("000000012345".into(), "-".into()));
    assert_eq!(read_ok(&dollars, &written).amount, msg.amount);

    let ascii = dialect("iso8583-1987-ascii");
    let fields = [(2, "4111111111111111"), (3, "000000"), (4, "000000000001"), (11, "000001")];
    let mut into = empty();
    let none = read(&ascii, &message("0200", &fields), &mut into);
    assert_eq!(none, Err(ReadError::NoCurrency { de: 4 }));
}

#[test]
fn nothing_of_the_last_message_stays() {
    let ascii = dialect("iso8583-1987-ascii");
    let full = write_ok(&ascii, &transaction(TransactionType::Purchase, Flow::Request));
    let mut msg = read_ok(&ascii, &full);
    msg.carried.push(55, b"old");
    let echo = message("0800", &[(11, "000001"), (70, "301")]);
    read(&ascii, &echo, &mut msg).unwrap();
    assert_eq!(msg, read_ok(&ascii, &echo));
    let mut reused = full;
    write(&ascii, &msg, &mut reused).unwrap();
    assert_eq!(reused.fields().collect::<Vec<_>>(), [11, 70]);
}

/// 1993 positions and 2003 widths, as a dialect would state them.
#[test]
fn dates_and_amounts_in_composites() {
    let sections = "[fields]\n4 = 'n16'\n12 = 'n14'\n[canonical]\n13 = false\n49 = false\n\
        4 = ['currency 3', 'exponent 1', 'amount 12']\n\
        12 = [\"'20'\", 'local-year 2', 'local-date 4', 'local-time 6']\n";
    let dialect = dialect_text(sections, "iso8583-1987-ascii").unwrap();
    let mut msg = transaction(TransactionType::Purchase, Flow::Request);
    msg.local_date = text("1122");
    msg.local_time = text("173000");
    let error = write(&dialect, &msg, &mut Message::new()).unwrap_err();
    assert_eq!(error, WriteError::Missing { de: 12, name: "local-year" });
    msg.local_year = Some(26);
    let written = write_ok(&dialect, &msg);
    assert_eq!(shown(&written, 4), "1562000000012345");
    assert_eq!(shown(&written, 12), "20261122173000");
    let read = read_ok(&dialect, &written);
    assert_eq!((read.amount, read.local_year), (msg.amount, Some(26)));
    assert_eq!((read.local_date, read.local_time), (msg.local_date, msg.local_time));
}

#[test]
fn from_1993_to_unionpay_and_a_reversal_in_1993() {
    let (newer, unionpay) = (dialect("iso8583-1993-ascii"), dialect("unionpay-pos"));
    let fields = [
        (2, "6250946000000016"),
        (3, "000000"),
        (4, "000000012345"),
        (11, "000042"),
        (12, "261122173000"),
        (22, "510101511344"),
        (24, "200"),
        (26, "5411"),
        (41, "TERM0001"),
        (42, "MERCHANT0000001"),
        (49, "156"),
    ];
    let mut msg = read_ok(&newer, &message("1200", &fields));
    assert_eq!(
        (msg.kind, msg.local_year),
        (Kind::Transaction(TransactionType::Purchase), Some(26))
    );
    assert_eq!((msg.merchant_type, msg.local_date), (text("5411"), text("1122")));
    msg.batch = Some(7);
    assert_eq!(shown(&write_ok(&unionpay, &msg), 22), "051");
    msg.pos_entry_mode = text("051");
    assert_eq!(shown(&write_ok(&newer, &msg), 22), "-", "declared lossy");

    let mut reversal = reversal_of(TransactionType::Purchase);
    (reversal.local_date, reversal.local_year) = (text("0101"), Some(27));
    reversal.local_time = text("000100");
    let original = reversal.original.as_mut().unwrap();
    (original.date, original.time) = (text("1231"), text("235900"));
    let written = write_ok(&newer, &reversal);
    let got = [24, 25, 56].map(|de| shown(&written, de));
    assert_eq!(got, ["400", "4021", "12000000412612312359000812345678"]);
    let mut accepted = read_ok(&newer, &written);
    assert_eq!(accepted.reason, Some(Reason::Timeout));
    assert_eq!(accepted.original.as_ref().and_then(|o| o.time), text("235900"));
    accepted.flow = Flow::AdviceResponse;
    accepted.answer = Some(Answer::Own(Reason::Accepted));
    let reply = write_ok(&newer, &accepted);
    assert_eq!((reply.mti().as_str(), shown(&reply, 39)), ("1430", "400".to_owned()));
}

fn digits(count: usize) -> impl Strategy<Value = String> {
    proptest::collection::vec(0..10_u8, count)
        .prop_map(|d| d.iter().map(|d| char::from(b'0' + d)).collect())
}

fn any_request() -> impl Strategy<Value = Vec<(u8, String)>> {
    let money = (digits(12), 1..999_999_u32, proptest::sample::select(vec!["156", "840", "392"]));
    let when = (digits(10), digits(6), digits(4), proptest::option::of(digits(4)));
    let where_ = ("[A-Z0-9]{1,8}", "[A-Z0-9]{1,15}", proptest::option::of(digits(3)));
    let rest = ("[a-zA-Z0-9 ]{1,80}", proptest::option::of("[A-Z0-9]{12}"), digits(16));
    let f3 = proptest::sample::select(vec!["000000", "003000", "200000", "020000", "310000"]);
    (money, when, where_, rest, f3).prop_map(|(money, when, place, rest, f3)| {
        let mut fields = vec![
            (2, rest.2),
            (3, f3.to_owned()),
            (4, money.0),
            (7, when.0),
            (11, format!("{:06}", money.1)),
            (12, when.1),
            (13, when.2),
            (41, format!("{:8}", place.0)),
            (42, format!("{:15}", place.1)),
            (48, rest.0),
            (49, money.2.to_owned()),
        ];
        fields.extend(when.3.map(|v| (18, v)));
        fields.extend(place.2.map(|v| (22, v)));
        fields.extend(rest.1.map(|v| (37, v)));
        fields
    })
}

proptest! {
    #[test]
    fn what_is_read_is_written_again(fields in any_request()) {
        let ascii = dialect("iso8583-1987-ascii");
        let pairs: Vec<(u8, &str)> = fields.iter().map(|(de, v)| (*de, v.as_str())).collect();
        let before = message("0200", &pairs);
        let after = write_ok(&ascii, &read_ok(&ascii, &before));
        prop_assert_eq!(after.mti(), before.mti());
        for de in before.fields() {
            prop_assert_eq!(after.get(de), before.get(de), "F{}", de);
        }
        prop_assert_eq!(after.fields().count(), before.fields().count());
    }

    #[test]
    fn any_bytes_in_fields_are_a_message_or_an_error(
        mti in proptest::sample::select(
            vec!["0200", "0210", "0400", "0420", "0430", "0800", "0320"]),
        fields in proptest::collection::vec(
            (2_u8..=128, proptest::collection::vec(any::<u8>(), 0..50)), 0..20),
    ) {
        for name in ["iso8583-1987-ascii", "unionpay-pos"] {
            let dialect = dialect(name);
            let mut hostile = message(mti, &[]);
            for (de, value) in &fields {
                hostile.set(*de, value).unwrap();
            }
            let mut into = empty();
            if read(&dialect, &hostile, &mut into).is_ok() {
                let _ = write(&dialect, &into, &mut Message::new());
            }
            let _ = read_partial(&dialect, &hostile, &mut into);
        }
    }
}
