//! MACs through a dialect's MAC statement.

use super::*;
use crate::crypto::MacKey;
use crate::iso8583::Packed;
use crate::iso8583::rules::mac;

/// domain.md section 5: a published UnionPay message with its key and MAC.
const TAK: &str = "55036372B17543ECB173730768B8D6C4";
const SAMPLE: &str = include_str!("../../../specs/vectors/unionpay_mac_sample.hex");
const F64: &[u8] = b"5FE058DB";

fn key(dialect: &Dialect) -> MacKey {
    MacKey::from_hex(&dialect.rules().mac().unwrap().statement, TAK).unwrap()
}

fn sample() -> Vec<u8> {
    let mut frame = crate::hex::parse(SAMPLE.trim()).unwrap();
    frame.extend_from_slice(F64);
    frame
}

fn unpacked(dialect: &Dialect, frame: &[u8]) -> Message {
    let mut message = Message::new();
    unpack(dialect, frame, &mut message).unwrap();
    message
}

#[test]
fn the_unionpay_sample_through_the_mac_statement() {
    let unionpay = dialect("unionpay-pos");
    let key = key(&unionpay);
    let good = unpacked(&unionpay, &sample());
    assert_eq!(mac::check(&unionpay, [&key], &good), MacCheck::Good);

    let mut changed = sample();
    let at = changed.len() - 20;
    changed[at] ^= 1;
    let changed = unpacked(&unionpay, &changed);
    assert_eq!(mac::check(&unionpay, [&key], &changed), MacCheck::Bad);

    let mut again = good.clone();
    again.set(64, &[b'0'; 8]).unwrap();
    let mut frame = Vec::new();
    let packed = pack(&unionpay, &again, &mut frame).unwrap();
    mac::seal(&unionpay, &key, &mut again, &packed, &mut frame).unwrap();
    assert_eq!(frame, sample());
}

fn sealed(dialect: &Dialect, key: &MacKey, header: &[u8]) -> Vec<u8> {
    let mut message = Message::new();
    let purchase = transaction(TransactionType::Purchase, Flow::Request);
    write(dialect, &purchase, &mut message).unwrap();
    message.set_header(Some(header));
    let mut frame = Vec::new();
    let packed: Packed = pack(dialect, &message, &mut frame).unwrap();
    mac::seal(dialect, key, &mut message, &packed, &mut frame).unwrap();
    frame
}

#[test]
fn the_header_is_not_covered_and_everything_else_is() {
    let unionpay = dialect("unionpay-pos");
    let key = key(&unionpay);
    let header = [0x60, 0, 3, 0, 1, 0x60, 0x21, 0, 0x31, 0, 1];
    let mut frame = sealed(&unionpay, &key, &header);
    frame[2] ^= 1;
    assert_eq!(mac::check(&unionpay, [&key], &unpacked(&unionpay, &frame)), MacCheck::Good);
    let mut missed = Vec::new();
    for at in header.len()..frame.len() {
        let mut changed = frame.clone();
        changed[at] ^= 1;
        let mut message = Message::new();
        if unpack(&unionpay, &changed, &mut message).is_ok()
            && mac::check(&unionpay, [&key], &message) == MacCheck::Good
        {
            missed.push(at);
        }
    }
    assert_eq!(missed, Vec::<usize>::new());
}

#[test]
fn a_required_mac_that_is_not_there_is_missing() {
    let unionpay = dialect("unionpay-pos");
    let key = key(&unionpay);
    let check =
        |mti: &str, fields: &[(u8, &str)]| mac::check(&unionpay, [&key], &message(mti, fields));
    assert_eq!(check("0210", &[(11, "000001"), (39, "00")]), MacCheck::Missing);
    assert_eq!(check("0810", &[(11, "000001"), (39, "00")]), MacCheck::NotRequired);
    assert_eq!(check("0830", &[(11, "000001"), (39, "00")]), MacCheck::NotRequired);
    assert_eq!(check("0210", &[(11, "000001"), (64, "12345678")]), MacCheck::Bad);
}

const RETAIL: &str = "[mac]\nstatement = { algorithm = 'x9.19' }\nmessages = ['02xx']\n";

#[test]
fn raw_macs_in_f128_and_in_hex_dialects() {
    for base in ["iso8583-1987-ascii", "iso8583-1987-ascii-hex", "iso8583-1987-bcd"] {
        for field in [64, 128] {
            let dialect = dialect_text(&format!("{RETAIL}field = {field}\n"), base).unwrap();
            let key = key(&dialect);
            let mut message = Message::new();
            write(&dialect, &transaction(TransactionType::Purchase, Flow::Request), &mut message)
                .unwrap();
            let mut frame = Vec::new();
            let packed = pack(&dialect, &message, &mut frame).unwrap();
            mac::seal(&dialect, &key, &mut message, &packed, &mut frame).unwrap();
            assert_eq!(
                key.verify(&frame[packed.before_last()], message.get(field).unwrap()),
                Ok(())
            );
            let read = unpacked(&dialect, &frame);
            assert_eq!(mac::check(&dialect, [&key], &read), MacCheck::Good, "{base} {field}");
        }
    }
}

#[test]
fn a_field_behind_the_mac_is_refused() {
    let dialect = dialect_text(&format!("{RETAIL}field = 64\n"), "iso8583-1987-ascii").unwrap();
    let key = key(&dialect);
    let mut message = message("0200", &[(11, "000001"), (64, "00000000"), (90, &"0".repeat(42))]);
    let mut frame = Vec::new();
    let packed = pack(&dialect, &message, &mut frame).unwrap();
    assert!(mac::seal(&dialect, &key, &mut message, &packed, &mut frame).is_err());
    assert_eq!(mac::check(&dialect, [&key], &unpacked(&dialect, &frame)), MacCheck::Bad);
}

#[test]
fn a_mac_over_some_fields_with_a_separator() {
    let text = format!("{RETAIL}field = 128\nfields = [2, 4, 11, 49]\nseparator = ' '\n");
    let dialect = dialect_text(&text, "iso8583-1987-ascii").unwrap();
    let key = key(&dialect);
    let frame = sealed_bare(&dialect, &key);
    let read = unpacked(&dialect, &frame);
    assert_eq!(mac::check(&dialect, [&key], &read), MacCheck::Good);
    let data = b"6250946000000016 000000012345 000042 156";
    assert_eq!(read.get(128), Some(key.mac(data).as_bytes()));
}

fn sealed_bare(dialect: &Dialect, key: &MacKey) -> Vec<u8> {
    let mut message = Message::new();
    write(dialect, &transaction(TransactionType::Purchase, Flow::Request), &mut message).unwrap();
    let mut frame = Vec::new();
    let packed = pack(dialect, &message, &mut frame).unwrap();
    mac::seal(dialect, key, &mut message, &packed, &mut frame).unwrap();
    frame
}

/// A dialect whose MAC stands in F128 and covers F48.
fn under_a_statement(statement: &str) -> Dialect {
    let text = format!(
        "[fields]\n48 = 'b...999'\n128 = 'b128'\n[mac]\nstatement = {{ {statement} }}\n\
         field = 128\nmessages = ['02xx']\nfields = [48]\n"
    );
    dialect_text(&text, "iso8583-1987-bcd").unwrap()
}

fn sealed_over(dialect: &Dialect, with: &str, data: &[u8]) -> Vec<u8> {
    let statement = dialect.rules().mac().unwrap().statement;
    let key = MacKey::from_hex(&statement, with).unwrap();
    let mut sealed = Message::new();
    sealed.set_mti("0200".parse().unwrap());
    sealed.set(48, data).unwrap();
    sealed.set(128, &[0; 16]).unwrap();
    let mut frame = Vec::new();
    let packed = pack(dialect, &sealed, &mut frame).unwrap();
    mac::seal(dialect, &key, &mut sealed, &packed, &mut frame).unwrap();
    let read = unpacked(dialect, &frame);
    assert_eq!(mac::check(dialect, [&key], &read), MacCheck::Good, "{statement:?}");
    let mut changed = read.clone();
    changed.set(48, &[data, b"!"].concat()).unwrap();
    assert_eq!(mac::check(dialect, [&key], &changed), MacCheck::Bad, "{statement:?}");
    read.get(128).unwrap().to_vec()
}

#[test]
fn the_published_vectors_pass_through_statements() {
    const K: &str = "0123456789ABCDEFFEDCBA9876543210";
    let cases = [
        ("algorithm = 'x9.9'", &K[..16], "70A30640CC76DD8B"),
        ("algorithm = 'x9.9'", K, "93462A6DB9B4A4D1"),
        ("algorithm = 'x9.19'", K, "A1C72E74EA3FA9B6"),
        ("algorithm = 'x9.19', padding = 2", K, "E9086230CA3BE796"),
        (
            "algorithm = 'aes-cbc-mac', padding = 2, length = 16",
            K,
            "ACBE074AB086D5C9E16F3F6807F50331",
        ),
    ];
    // The folds give eight characters.
    let fold = under_a_statement("algorithm = 'ecb-fold'");
    for (with, expected) in [(K, b"F5BE6DD0"), (&K[..16], b"1E7AAB78")] {
        let mac = sealed_over(&fold, with, b"Now is the time for all ");
        assert_eq!(mac, [expected.as_slice(), &[0; 8]].concat());
    }
    for (statement, with, expected) in cases {
        let dialect = under_a_statement(statement);
        let mac = sealed_over(&dialect, with, b"Now is the time for all ");
        assert_eq!(crate::hex::upper(&mac), format!("{expected:0<32}"), "{statement}");
    }
    let statement = crate::crypto::MacAlgorithm::X919.statement();
    let kcv = MacKey::from_hex(&statement, K).unwrap().kcv();
    assert_eq!(crate::hex::upper(&kcv[..3]), "08D7B4");
}

#[test]
fn what_others_computed_passes_through_statements() {
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    let mut dialects = std::collections::BTreeMap::<String, Dialect>::new();
    for line in include_str!("../../../specs/vectors/macs.jsonl").lines() {
        let one: serde_json::Value = serde_json::from_str(line).unwrap();
        if one["kind"] != "mac" {
            continue;
        }
        let text = |key: &str| one[key].as_str().unwrap();
        let (algorithm, mac) = (text("algorithm"), text("mac"));
        let padding = one["padding"].as_u64().map_or(String::new(), |p| format!(", padding = {p}"));
        let length = mac.len() / 2;
        let statement =
            format!("algorithm = '{algorithm}', length = {length}, rendering = 'raw'{padding}");
        let data = crate::hex::parse(text("data")).unwrap();
        let dialect =
            dialects.entry(statement).or_insert_with_key(|statement| under_a_statement(statement));
        let sealed = sealed_over(dialect, text("key"), &data);
        assert_eq!(crate::hex::upper(&sealed[..length]), mac, "{line}");
        *seen.entry(algorithm.to_owned()).or_default() += 1;
    }
    assert_eq!(seen.len(), 8, "{seen:?}");
}
