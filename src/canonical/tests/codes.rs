//! Response codes by class, reasons, and what is never turned into what.

use super::*;

#[test]
fn exactly_these_codes_approve() {
    let approving = |name: &str| {
        let dialect = dialect(name);
        let codes = dialect.rules().responses().iter().filter(|(_, class)| class.is_approval());
        codes.map(|(code, _)| code.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(approving("unionpay-pos"), ["00", "10", "11", "16", "A2", "A4", "A5", "A6"]);
    let ascii = ["00", "08", "10", "11", "16", "32", "85", "87", "Y1", "Y3"];
    assert_eq!(approving("iso8583-1987-ascii"), ascii);
    let of_1993 = ["000", "001", "002", "003", "004", "005", "006", "007"];
    assert_eq!(approving("iso8583-1993-ascii"), of_1993);
    let of_2003 = ["0000", "0001", "0002", "0003", "0004", "0005", "0006", "0007"];
    assert_eq!(approving("iso8583-2003-binary"), of_2003);
}

/// domain.md section 4: every UnionPay code has a class.
#[test]
fn every_unionpay_code_is_classed() {
    let unionpay = dialect("unionpay-pos");
    let codes = "00 01 03 04 05 10 11 12 13 14 15 21 22 25 30 34 38 40 41 43 51 54 55 57 58 59 61 \
                 62 64 65 68 75 77 90 91 92 94 96 97 98 99 A0 A1 A2 A3 A4 A5 A6 A7";
    for code in codes.split_whitespace() {
        let class = unionpay.rules().responses().class_of(code.as_bytes());
        assert_ne!(class, ResponseClass::Unknown, "{code}");
    }
    assert_eq!(unionpay.rules().responses().class_of(b"ZZ"), ResponseClass::Unknown);
}

#[test]
fn what_only_takes_note_is_never_told_as_an_approval() {
    let (ascii, later) = (dialect("iso8583-1987-ascii"), dialect("iso8583-1993-ascii"));
    let noted = ResponseClass::Acknowledged;
    let codes = [("400", noted), ("800", noted), ("901", noted)];
    for (code, means) in codes.into_iter().chain([("900", ResponseClass::NoLiability)]) {
        let class = later.rules().responses().class_of(code.as_bytes());
        assert!(class == means && !class.is_approval(), "{code}");
        assert_eq!(class.accepts(), means == noted, "nobody pays for what has {code}");
        let answer = Answer::Given { class, code: code.parse().unwrap() };
        for dialect in [&ascii, &later] {
            let told = dialect.rules().spell(&answer, Kind::Reconciliation).unwrap();
            let told = dialect.rules().responses().class_of(told.as_bytes());
            assert_eq!(told, ResponseClass::Declined, "{code}");
        }
    }
}

#[test]
fn a_shipped_dialect_has_every_code_of_its_standard() {
    for name in crate::iso8583::shipped_names().filter(|name| !name.starts_with("unionpay")) {
        assert_eq!(crate::iso8583::remarks(&dialect(name)), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn a_code_crosses_by_class_and_keeps_its_spelling_where_it_can() {
    let (ascii, unionpay) = (dialect("iso8583-1987-ascii"), dialect("unionpay-pos"));
    let across = |code: &str| {
        let answer = message("0210", &[(11, "000042"), (39, code), (41, "T")]);
        let msg = read_ok(&unionpay, &answer);
        ascii
            .rules()
            .spell(&msg.answer.unwrap(), msg.kind)
            .map(|c| c.to_string())
            .unwrap_or_default()
    };
    let crossed = ["00", "A2", "10", "51", "A0", "77", "25", "98", "21", "34", "ZZ"].map(across);
    assert_eq!(crossed, ["00", "00", "10", "51", "05", "05", "25", "98", "21", "34", "05"]);
}

#[test]
fn an_approval_that_cannot_be_said_is_an_error() {
    let mut strict = dialect_text("[responses]\npartial = []\n", "iso8583-1987-ascii").unwrap();
    let code = "10".parse().unwrap();
    let partial = Answer::Given { class: ResponseClass::Partial, code };
    assert_eq!(strict.rules().spell(&partial, Kind::Reconciliation), None);
    let mut msg = transaction(TransactionType::Purchase, Flow::Response);
    msg.answer = Some(partial);
    let error = write(&strict, &msg, &mut Message::new());
    assert_eq!(error, Err(WriteError::NoCode { de: 39, name: "answer" }));
    strict = dialect("iso8583-1987-ascii");
    assert_eq!(shown(&write_ok(&strict, &msg), 39), "10");
}

#[test]
fn an_authorization_code_is_never_invented() {
    let ascii = dialect("iso8583-1987-ascii");
    let mut msg = transaction(TransactionType::Purchase, Flow::Response);
    msg.answer = Some(Answer::Own(Reason::Accepted));
    assert_eq!(shown(&write_ok(&ascii, &msg), 38), "-");
}

#[test]
fn every_reason_has_a_code_and_only_acceptance_approves() {
    for name in crate::iso8583::shipped_names() {
        let dialect = dialect(name);
        let rules = dialect.rules();
        for reason in Reason::ALL {
            let code = rules.spell(&Answer::Own(reason), Kind::Reconciliation).unwrap();
            let approves = rules.responses().class_of(code.as_bytes()).is_approval();
            assert_eq!(approves, reason == Reason::Accepted, "{name} {reason:?}");
        }
    }
}

#[test]
fn defects_of_the_sections_are_all_named() {
    let cases = [
        ("[responses]\ndeclined = ['05', '00']", "responses: code 00 is approved and declined"),
        ("[responses]\nmaybe = ['05']", "responses.maybe: unknown class"),
        ("[responses]\ndeclined = ['005']", "responses: code 005 does not fit F39"),
        ("[reasons]\nbank-down = '00'", "reasons.bank-down: only `accepted`"),
        ("[reasons]\ntimeout = '68'", "reasons.timeout: expected { answer = .., reversal = .. }"),
        ("[reasons]\nwhim = '68'", "reasons.whim: unknown reason"),
        (
            "[messages]\ncash = { mti = '0200', kind = 'purchase', 3 = '0000xx' }",
            "messages.cash: messages.purchase is written already; add write = false",
        ),
        (
            "[messages]\nodd = { mti = '0200', kind = 'top-up', 25 = '01', write = false }",
            "messages.odd: a message could be this and messages.purchase",
        ),
        ("[messages]\nx = { mti = '0210', kind = 'purchase' }", "messages.x.mti: expected the MTI"),
        ("[messages]\nx = { mti = '0200', kind = 'echo' }", "messages.x.kind: \"echo\" is no kind"),
        ("[messages]\nx = { mti = '0620', kind = 'echo' }", "messages.x.kind"),
        ("[messages]\npurchase = { 3 = '00' }", "messages.purchase.3: expected a value of 6"),
        ("[canonical]\n48 = 'stan'", "canonical.48: stan has a field already"),
        ("[canonical]\n41 = 'rrn'", "canonical.41: rrn has a field already"),
        ("[canonical]\n90 = ['original-mti 4', 'original-stan 6']", "canonical.90: the parts make"),
        ("[canonical]\n60 = ['typo 3']", "canonical.60: \"typo\" is no canonical field"),
        ("[canonical]\ncarry = [35]", "canonical.carry: F35 is secret"),
        ("[canonical]\ncurrency = 'EUR'", "canonical.currency: expected an ISO 4217 numeric code"),
        ("[canonical]\nwhatever = 1", "canonical.whatever: unknown key"),
        (
            "[presence.transaction]\nrequest = { must = [57] }",
            "F57 is mandatory, but nothing fills",
        ),
        (
            "[presence.purchaze]\nrequest = { must = [4] }",
            "presence.purchaze: no family and no entry",
        ),
        ("[presence.transaction]\nrequest = { must = [3], never = [3] }", "both must and never"),
        ("[match]\nkey = [41]", "match: unknown field `key`"),
        ("[match]\nmust_equal = [2]", "match.must_equal: F2 cannot be compared"),
        ("[reversal]\nmti = '0440'", "reversal.mti: no entry of [messages] of kind \"reversal\""),
        ("[reversal]\ntypes = ['gift']", "reversal.types: \"gift\" is unknown"),
        (
            "[mac]\nstatement = { algorithm = 'x9.19' }\nfield = 63\nmessages = []",
            "mac.field: expected 64",
        ),
        ("[mac]\nstatement = { algorithm = 'x9.19' }\nfield = 64\nmessages = ['02']", "is no MTI"),
        (
            "[network]\nsign_on = 'line'\n[messages]\nsign-on = false",
            "network.sign_on: [messages] has no",
        ),
    ];
    for (text, expected) in cases {
        let errors = dialect_text(text, "iso8583-1987-ascii").unwrap_err();
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert!(errors.iter().any(|e| e.contains(expected)), "{text}\n{expected}\n{errors:#?}");
    }
}

/// A dialect that spells currencies in letters, and carries those of settlement and billing.
const LETTERS: &str = "[fields]\n49 = 'a3'\n50 = 'a3'\n51 = 'a3'\n[canonical]\n\
    carry = [50, 51]\n";
const NUMBERS: &str = "[canonical]\ncarry = [50, 51]\n";

#[test]
fn currencies_in_letters_mean_their_numbers() {
    let letters = dialect_text(LETTERS, "iso8583-1987-ascii").unwrap();
    let numbers = dialect_text(NUMBERS, "iso8583-1987-ascii").unwrap();
    let mut purchase = transaction(TransactionType::Purchase, Flow::Request);
    purchase.carried.push(50, b"978");
    purchase.carried.push(51, b"392");
    let sent = write_ok(&letters, &purchase);
    assert_eq!([49, 50, 51].map(|de| shown(&sent, de)), ["CNY", "EUR", "JPY"]);
    let meant = read_ok(&letters, &over_the_wire(&letters, &sent));
    assert_eq!(meant.amount, purchase.amount);
    let on = write_ok(&numbers, &meant);
    assert_eq!([49, 50, 51].map(|de| shown(&on, de)), ["156", "978", "392"]);
    // A number without letters cannot be said; letters without a number mean nothing.
    purchase.amount = crate::money::Currency::new(999).map(|c| Amount::new(1, c));
    let refused = write(&letters, &purchase, &mut Message::new()).map_err(|e| e.to_string());
    assert!(refused.is_err_and(|e| e.starts_with("F49 (currency): there is no code")));
    let mut sent = sent;
    sent.set(49, b"QQQ").unwrap();
    let refused = read(&letters, &sent, &mut empty()).map_err(|e| e.to_string());
    assert!(refused.is_err_and(|e| e.starts_with("F49 (currency): expected a currency code")));
}

#[test]
fn a_stan_beyond_six_digits_is_refused_by_field_and_reason() {
    let newer = dialect("iso8583-2003-binary");
    let mut msg = write_ok(&newer, &transaction(TransactionType::Purchase, Flow::Request));
    assert_eq!(shown(&msg, 11), "000000000042");
    msg.set(11, b"000001000000").unwrap();
    let refused = read(&newer, &msg, &mut empty()).map_err(|e| e.to_string());
    let said = "F11 (stan): expected a number up to 999999, got 12 characters that are not";
    assert_eq!(refused, Err(said.to_owned()));
    msg.set(11, b"000000999999").unwrap();
    assert_eq!(read_ok(&newer, &msg).stan, Some(999_999));
}
