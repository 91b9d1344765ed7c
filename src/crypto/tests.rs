//! Against published vectors, and against what other implementations computed
//! (`specs/vectors/make_macs.py`).
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::pin::{ClearPinBlock, PanChange, Pin, PinError, PinFormat, may_translate};
use super::sign_in::{Part, SignInError, read_keys};
use super::*;
use crate::hex;
use crate::sensitive::{Pan, PinBlock};
use proptest::prelude::*;
use serde_json::Value;

const K: &str = "0123456789ABCDEFFEDCBA9876543210";
const WORDS: &[u8] = b"Now is the time for all ";
const TAK: &str = "55036372B17543ECB173730768B8D6C4";
const SAMPLE: &str = include_str!("../../specs/vectors/unionpay_mac_sample.hex");
const FOREIGN: &str = include_str!("../../specs/vectors/macs.jsonl");

fn statement(table: &str) -> Result<MacStatement, String> {
    toml::from_str(table).map_err(|error| error.message().to_owned())
}

fn key(text: &str) -> SecretKey {
    SecretKey::from_hex(text).unwrap()
}

fn mac(table: &str, text: &str, data: &[u8]) -> String {
    let key = MacKey::from_hex(&statement(table).unwrap(), text).unwrap();
    hex::upper(key.mac(data).as_bytes())
}

fn sealed(family: CipherFamily, with: &str, clear: &[u8]) -> Vec<u8> {
    let cipher = cipher::of(family, key(with).material()).unwrap();
    let mut bytes = clear.to_vec();
    bytes.chunks_exact_mut(cipher.block_bytes()).for_each(|block| cipher.encrypt(block));
    bytes
}

fn sealed_block(clear: &str) -> PinBlock {
    PinBlock::new(&sealed(CipherFamily::Des, K, &hex::parse(clear).unwrap())).unwrap()
}

#[test]
fn the_published_macs_come_out() {
    let des = &K[..16];
    assert_eq!(mac("algorithm = 'x9.9'", des, WORDS), "70A30640CC76DD8B");
    assert_eq!(mac("algorithm = 'x9.9'", K, WORDS), "93462A6DB9B4A4D1");
    assert_eq!(mac("algorithm = 'x9.19'", K, WORDS), "A1C72E74EA3FA9B6");
    assert_eq!(mac("algorithm = 'x9.19'\npadding = 2", K, WORDS), "E9086230CA3BE796");
    let aes = "algorithm = 'aes-cbc-mac'\npadding = 2\nlength = 16";
    assert_eq!(mac(aes, K, WORDS), "ACBE074AB086D5C9E16F3F6807F50331");
    // RFC 4493, section 4: examples 1 and 2.
    let (cmac, nist) = ("algorithm = 'aes-cmac'\nlength = 16", "2b7e151628aed2a6abf7158809cf4f3c");
    assert_eq!(mac(cmac, nist, b""), "BB1D6929E95937287FA37D129B756746");
    let block = hex::parse("6bc1bee22e409f96e93d7e117393172a").unwrap();
    assert_eq!(mac(cmac, nist, &block), "070A16B46B4D4144F79BDD9DD04A287C");
}

#[test]
fn the_unionpay_fold_comes_out() {
    let fold = MacAlgorithm::EcbFold.statement();
    let text = |key: &str, data: &[u8]| {
        let mac = MacKey::from_hex(&fold, key).unwrap().mac(data);
        String::from_utf8(mac.as_bytes().to_vec()).unwrap()
    };
    assert_eq!(text(K, WORDS), "F5BE6DD0");
    assert_eq!(text(&K[..16], WORDS), "1E7AAB78");
    let sample = hex::parse(SAMPLE.trim()).unwrap();
    assert_eq!(hex::upper(&super::fold::folded(&sample, 8)[..8]), "1212B04E1227809C");
    assert_eq!(text(TAK, &sample), "5FE058DB");
    let key = MacKey::from_hex(&fold, TAK).unwrap();
    assert_eq!(key.verify(&sample, b"5FE058DB"), Ok(()));
}

#[test]
fn a_wrong_mac_is_refused() {
    let key = MacKey::from_hex(&MacAlgorithm::EcbFold.statement(), TAK).unwrap();
    let good = key.mac(WORDS);
    assert_eq!(key.verify(WORDS, good.as_bytes()), Ok(()));
    assert_eq!(key.verify(b"Now is the time for ALL ", good.as_bytes()), Err(MacError::Mismatch));
    for at in 0..8 {
        let mut field = good.as_bytes().to_vec();
        field[at] ^= 1;
        assert_eq!(key.verify(WORDS, &field), Err(MacError::Mismatch), "byte {at}");
    }
    let short = key.verify(WORDS, &good.as_bytes()[..4]);
    assert_eq!(short, Err(MacError::Length { expected: 8, got: 4 }));
    assert_eq!(key.verify(WORDS, b""), Err(MacError::Length { expected: 8, got: 0 }));
}

#[test]
fn statements_have_defaults_and_refuse_contradictions() {
    let fold = statement("algorithm = 'ecb-fold'").unwrap();
    assert_eq!((fold.length(), fold.rendering(), fold.field_bytes()), (4, Rendering::Hex, 8));
    let cases = [
        ("algorithm = 'x9.9'\npadding = 3", "key `padding`: 3, expected 1"),
        ("algorithm = 'ecb-fold'\npadding = 1", "ecb-fold has its own padding"),
        ("algorithm = 'aes-cmac'\npadding = 2", "aes-cmac has its own padding"),
        ("algorithm = 'x9.19'\nlength = 16", "16 bytes, but x9.19 gives 4 or 8"),
        ("algorithm = 'sm4-cmac'\nlength = 5", "5 bytes, but sm4-cmac gives 4, 8 or 16"),
        ("algorithm = 'md5'", "unknown variant `md5`"),
        ("algorithm = 'x9.9'\nkey = '00'", "unknown field `key`"),
    ];
    for (table, expected) in cases {
        let error = statement(table).unwrap_err();
        assert!(error.contains(expected), "{table}: {error}");
    }
}

#[test]
fn a_key_of_a_wrong_length_is_refused_without_being_shown() {
    let refused = |algorithm: MacAlgorithm, text: &str| {
        MacKey::from_hex(&algorithm.statement(), text).map_err(|e| e.to_string()).unwrap_err()
    };
    let of = "x9.19 takes a key of 16 bytes, got 8";
    assert_eq!(refused(MacAlgorithm::X919, &K[..16]), of);
    assert!(refused(MacAlgorithm::X919, &K.repeat(2)[..48]).ends_with("16 bytes, got 24"));
    assert!(refused(MacAlgorithm::X99, &K[..20]).ends_with("8, 16 or 24 bytes, got 10"));
    assert!(refused(MacAlgorithm::EcbFold, &K[..2]).ends_with("8, 16 or 24 bytes, got 1"));
    assert!(refused(MacAlgorithm::AesCmac, &K[..16]).ends_with("16, 24 or 32 bytes, got 8"));
    assert!(refused(MacAlgorithm::Sm4EcbFold, &K.repeat(2)).ends_with("16 bytes, got 32"));
    assert_eq!(refused(MacAlgorithm::X99, "xx"), "key: character 0 is not a hexadecimal digit");
    assert!(refused(MacAlgorithm::X99, "").contains("got 0"));
    assert!(refused(MacAlgorithm::X99, &K.repeat(3)).contains("got 48"));
}

#[test]
fn keys_print_their_check_value_and_nothing_else() {
    assert_eq!(key(K).kcv(CipherFamily::Des).map(|kcv| hex::upper(&kcv[..3])), Ok("08D7B4".into()));
    let bound = MacKey::from_hex(&MacAlgorithm::X99.statement(), K).unwrap();
    assert_eq!(hex::upper(&bound.kcv()[..3]), "08D7B4");
    let shown = format!("{:?} {:?} {:?}", key(K), bound, bound.mac(WORDS));
    assert_eq!(shown, "SecretKey(16 bytes) MacKey(x9.9, check value 08D7B4) Mac(8 bytes)");
    let pin = Pin::new(b"1234").unwrap();
    assert_eq!(format!("{pin:?}"), "Pin(***)");
}

#[test]
fn what_others_computed_comes_out() {
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    for line in FOREIGN.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let kind = line["kind"].as_str().unwrap();
        match kind {
            "mac" => foreign_mac(&line),
            "kcv" => foreign_check_value(&line),
            "pin" => foreign_pin_block(&line),
            _ => foreign_dukpt(&line),
        }
        *seen
            .entry(format!("{kind} {}", line["algorithm"].as_str().unwrap_or("-")))
            .or_default() += 1;
    }
    assert_eq!(seen.len(), 11, "{seen:?}");
    assert!(seen.values().all(|lines| *lines >= 7), "{seen:?}");
}

fn text<'a>(line: &'a Value, name: &str) -> &'a str {
    line[name].as_str().unwrap()
}

fn bytes(line: &Value, name: &str) -> Vec<u8> {
    hex::parse(text(line, name)).unwrap()
}

fn foreign_mac(line: &Value) {
    let name = text(line, "algorithm");
    let padding = line["padding"].as_u64().map_or(String::new(), |p| format!("padding = {p}\n"));
    let full = bytes(line, "mac");
    let table = format!("algorithm = '{name}'\n{padding}rendering = 'raw'\n");
    for length in [4, 8, full.len()] {
        let got =
            mac(&format!("{table}length = {length}"), text(line, "key"), &bytes(line, "data"));
        assert_eq!(got, hex::upper(&full[..length]), "{line}");
    }
}

fn foreign_check_value(line: &Value) {
    let family = serde_json::from_value(line["family"].clone()).unwrap();
    let got = key(text(line, "key")).kcv(family).unwrap();
    assert_eq!(got.to_vec(), bytes(line, "kcv"), "{line}");
}

fn foreign_pin_block(line: &Value) {
    let pan = Pan::new(text(line, "pan").as_bytes()).unwrap();
    let pin = Pin::new(text(line, "pin").as_bytes()).unwrap();
    let block = PinBlock::new(&bytes(line, "block")).unwrap();
    if line["format"] == 4 {
        let key = key(text(line, "key"));
        assert!(pin::decipher_iso4(&key, &block, &pan) == Ok(pin.clone()), "{line}");
        let ours = pin::encipher_iso4(&key, &pin, &pan, [7; 8]).unwrap();
        assert!(pin::decipher_iso4(&key, &ours, &pan) == Ok(pin), "{line}");
        return;
    }
    let format = if line["format"] == 0 { PinFormat::Iso0 } else { PinFormat::Iso3 };
    // Under a key and out again: the clear block is then as the other implementation gave it.
    let sealed = PinBlock::new(&sealed(CipherFamily::Des, K, block.expose())).unwrap();
    let clear = ClearPinBlock::decipher(&key(K), &sealed).unwrap();
    assert!(clear.decode(format, &pan) == Ok(pin.clone()), "{line}");
    let ours = ClearPinBlock::encode(format, &pin, &pan, [0x9C; 8]).unwrap();
    assert!(ours.decode(format, &pan) == Ok(pin), "{line}");
    assert!(format != PinFormat::Iso0 || ours.encipher(&key(K)).unwrap() == sealed, "{line}");
}

fn foreign_dukpt(line: &Value) {
    let ksn = bytes(line, "ksn").try_into().unwrap();
    let base = key(text(line, "bdk"));
    let initial = dukpt::initial_key(&base, &ksn).unwrap();
    let transaction = dukpt::transaction_key(&base, &ksn).unwrap();
    assert_eq!(initial.material(), bytes(line, "ipek"), "{line}");
    assert_eq!(transaction.material(), bytes(line, "key"), "{line}");
}

#[test]
fn dukpt_gives_the_published_keys_and_pin_blocks() {
    let ksn = |text: &str| <[u8; 10]>::try_from(hex::parse(text).unwrap()).unwrap();
    let first = ksn("FFFF9876543210E00001");
    let initial = dukpt::initial_key(&key(K), &first).unwrap();
    assert_eq!(hex::upper(initial.material()), "6AC292FAA1315B4D858AB3A3D7D5933A");
    let transaction = dukpt::transaction_key(&key(K), &first).unwrap();
    assert_eq!(hex::upper(transaction.material()), "042666B49184CFA368DE9628D0397BC9");
    // ANSI X9.24-1: PIN 1234 of account 4012345678909, several serial numbers.
    let (pin, pan) = (Pin::new(b"1234").unwrap(), Pan::new(b"4012345678909").unwrap());
    let clear = ClearPinBlock::encode(PinFormat::Iso0, &pin, &pan, [0; 8]).unwrap();
    let cases = [
        ("FFFF9876543210E00001", "1B9C1845EB993A7A"),
        ("FFFF9876543210E00002", "10A01C8D02C69107"),
        ("FFFF9876543210E00003", "18DC07B94797B466"),
        ("FFFF9876543210E80000", "1E0F453FD55FCE45"),
        ("FFFF9876543210EFF800", "33365F5CC6F23C35"),
        ("FFFF9876543210EFF801", "3A86BF003F835C9D"),
        ("FFFF9876543210F00000", "73EC88AD0AC5830E"),
    ];
    for (serial, block) in cases {
        let transaction = dukpt::transaction_key(&key(K), &ksn(serial)).unwrap();
        let under = dukpt::variant(&transaction, dukpt::Use::Pin).unwrap();
        assert_eq!(hex::upper(clear.encipher(&under).unwrap().expose()), block, "{serial}");
    }
    let transaction = dukpt::transaction_key(&key(K), &ksn("FFFF9876543210EFF800")).unwrap();
    let uses = [
        (dukpt::Use::Pin, "F9CDFEBF4F5B1D61B3EC12454527E189"),
        (dukpt::Use::MacRequest, "F9CDFEBF4F5BE29EB3EC124545271E76"),
        (dukpt::Use::MacResponse, "F9CDFEBFB05B1D9EB3EC1245BA27E176"),
    ];
    for (r#use, expected) in uses {
        let key = dukpt::variant(&transaction, r#use).unwrap();
        assert_eq!(hex::upper(key.material()), expected, "{use:?}");
    }
    let refused = dukpt::initial_key(&key(&K[..16]), &first).map_err(|e| e.to_string());
    let expected = "DUKPT with triple DES takes a key of 16 bytes, got 8";
    assert_eq!(refused.map(|_| ()), Err(expected.to_owned()));
}

#[test]
fn a_pin_block_of_another_card_key_or_format_is_refused() {
    let pin = Pin::new(b"1234").unwrap();
    let visa = Pan::new(b"4111111111111111").unwrap();
    let other = Pan::new(b"5555555555554444").unwrap();
    let iso0 = ClearPinBlock::encode(PinFormat::Iso0, &pin, &visa, [0; 8]).unwrap();
    let refused = Err(PinError::NotABlock(PinFormat::Iso0));
    assert!(iso0.decode(PinFormat::Iso0, &other) == refused);
    assert!(iso0.decode(PinFormat::Iso3, &visa).is_err());
    let sealed = iso0.encipher(&key(K)).unwrap();
    let opened = ClearPinBlock::decipher(&key(&K[..16]), &sealed).unwrap();
    assert!(opened.decode(PinFormat::Iso0, &visa) == refused);
    let iso1 = ClearPinBlock::encode(PinFormat::Iso1, &pin, &visa, [0x5A; 8]).unwrap();
    assert!(iso1.decode(PinFormat::Iso1, &other) == Ok(pin.clone()));
    // A filler that its format does not have: 9 where ISO 3 wants A to F, 0 where ISO 0 wants F.
    for (format, block) in
        [(PinFormat::Iso3, "341225EEEEEEEEE7"), (PinFormat::Iso0, "041225EEEEEEEEE1")]
    {
        let block = sealed_block(block);
        let opened = ClearPinBlock::decipher(&key(K), &block).unwrap();
        assert!(opened.decode(format, &visa) == Err(PinError::NotABlock(format)));
    }
    let short = Pan::new(b"12345678").unwrap();
    let bound = ClearPinBlock::encode(PinFormat::Iso0, &pin, &short, [0; 8]);
    assert!(bound == Err(PinError::Pan(PinFormat::Iso0)));
    let aes = pin::encipher_iso4(&key(K), &pin, &short, [1; 8]).unwrap();
    assert!(pin::decipher_iso4(&key(K), &aes, &short) == Ok(pin.clone()));
    assert!(pin::decipher_iso4(&key(K), &aes, &visa).is_err());
    assert!(pin::decipher_iso4(&key(K), &sealed, &visa).is_err());
    for digits in [&b"123"[..], b"1234567890123", b"12a4"] {
        assert!(Pin::new(digits) == Err(PinError::NotAPin));
    }
}

#[test]
fn pin_blocks_become_only_what_the_rule_allows() {
    use PinFormat::{Iso0, Iso1, Iso3, Iso4};
    for from in [Iso0, Iso1, Iso3, Iso4] {
        for to in [Iso0, Iso1, Iso3, Iso4] {
            let same = may_translate(from, to, PanChange::Same).is_ok();
            let changed = may_translate(from, to, PanChange::Changed).is_ok();
            assert_eq!(
                (same, changed),
                (from == Iso1 || to != Iso1, from == Iso1),
                "{from:?} {to:?}"
            );
        }
    }
    let refused = may_translate(Iso0, Iso4, PanChange::Changed).map_err(|e| e.to_string());
    let words = "a PIN block of Iso0 must not become Iso4 when the card number changes";
    assert_eq!(refused, Err(words.to_owned()));
}

/// A part of F62: a key under the master key, and its check value.
fn part(family: CipherFamily, clear: &str) -> Vec<u8> {
    let mut bytes = sealed(family, K, &hex::parse(clear).unwrap());
    bytes.extend(key(clear).kcv(family).unwrap());
    bytes
}

#[test]
fn sign_in_keys_of_every_length_are_read() {
    let (one, two, three) = (&TAK[..16], TAK, format!("{TAK}{}", &K[..16]));
    let cases = [
        (CipherFamily::Des, one, 2, 24),
        (CipherFamily::Des, two, 2, 40),
        (CipherFamily::Des, two, 3, 60),
        (CipherFamily::Des, &three, 2, 56),
        (CipherFamily::Des, &three, 3, 84),
        (CipherFamily::Sm4, two, 2, 40),
        (CipherFamily::Sm4, two, 3, 60),
    ];
    for (family, clear, parts, length) in cases {
        let block = part(family, clear).repeat(parts);
        assert_eq!(block.len(), length);
        let keys = read_keys(&key(K), family, &block).unwrap();
        let expected = hex::parse(clear).unwrap();
        assert_eq!(keys.pin.material(), expected, "{length}");
        assert_eq!(keys.mac.material(), expected, "{length}");
        assert_eq!(keys.track.is_some(), parts == 3, "{length}");
    }
}

#[test]
fn a_single_mac_key_in_a_place_for_two_is_found() {
    let single = &TAK[..16];
    let mut clear_zeros = part(CipherFamily::Des, TAK);
    clear_zeros.extend(sealed(CipherFamily::Des, K, &hex::parse(single).unwrap()));
    let mut sealed_zeros = clear_zeros.clone();
    clear_zeros.extend([0; 8]);
    sealed_zeros.extend(sealed(CipherFamily::Des, K, &[0; 8]));
    for mut block in [clear_zeros, sealed_zeros] {
        block.extend(key(single).kcv(CipherFamily::Des).unwrap());
        let keys = read_keys(&key(K), CipherFamily::Des, &block).unwrap();
        assert_eq!(keys.mac.material(), hex::parse(single).unwrap());
        assert_eq!(keys.pin.material(), hex::parse(TAK).unwrap());
        let statement = MacAlgorithm::EcbFold.statement();
        assert!(MacKey::new(&statement, &keys.mac).is_ok());
    }
}

#[test]
fn a_damaged_key_block_is_refused_whole() {
    let good = part(CipherFamily::Des, TAK).repeat(3);
    for at in 0..good.len() {
        let mut block = good.clone();
        block[at] ^= 0x10;
        let part = [Part::Pin, Part::Mac, Part::Track][at / 20];
        let refused = read_keys(&key(K), CipherFamily::Des, &block).map(|_| ());
        assert_eq!(refused, Err(SignInError::CheckValue { part }), "byte {at}");
    }
    for length in [0, 1, 20, 23, 41, 59, 61, 100] {
        let refused = read_keys(&key(K), CipherFamily::Des, &vec![0; length]).map(|_| ());
        let expected = "24, 40, 56, 60 or 84";
        assert_eq!(refused, Err(SignInError::Length { got: length, expected }));
    }
    assert!(read_keys(&key(K), CipherFamily::Sm4, &[0; 24]).is_err());
    let short = read_keys(&key(&K[..10]), CipherFamily::Des, &good).map_err(|e| e.to_string());
    assert!(short.is_err_and(|e| e.contains("got 5")));
}

#[test]
fn whatever_holds_a_key_wipes_it() {
    // Compiles only while the cipher crates are built with `zeroize`. The MAC crates wipe by
    // their parts: the cipher among these, their state and buffer under the same feature.
    fn wipes<T: zeroize::ZeroizeOnDrop>() {}
    wipes::<SecretKey>();
    wipes::<Pin>();
    wipes::<ClearPinBlock>();
    wipes::<des::Des>();
    wipes::<des::TdesEde2>();
    wipes::<des::TdesEde3>();
    wipes::<aes::Aes128>();
    wipes::<aes::Aes192>();
    wipes::<aes::Aes256>();
    wipes::<sm4::Sm4>();
}

proptest! {
    #[test]
    fn hostile_pin_blocks_and_key_blocks_never_panic(
        block in prop::collection::vec(any::<u8>(), 1..17),
        keys in prop::collection::vec(any::<u8>(), 0..100),
        pan in "[0-9]{8,19}",
        sm4 in any::<bool>(),
    ) {
        let pan = Pan::new(pan.as_bytes()).unwrap();
        let block = PinBlock::new(&block).unwrap();
        let family = if sm4 { CipherFamily::Sm4 } else { CipherFamily::Des };
        prop_assert!(read_keys(&key(K), family, &keys).is_err());
        let _ = pin::decipher_iso4(&key(K), &block, &pan);
        if let Ok(clear) = ClearPinBlock::decipher(&key(K), &block) {
            for format in [PinFormat::Iso0, PinFormat::Iso1, PinFormat::Iso3, PinFormat::Iso4] {
                let _ = clear.decode(format, &pan);
            }
        }
    }

    #[test]
    fn every_pin_comes_back_in_every_format(
        digits in "[0-9]{4,12}",
        pan in "[0-9]{13,19}",
        random in any::<[u8; 8]>(),
    ) {
        let (pin, pan) = (Pin::new(digits.as_bytes()).unwrap(), Pan::new(pan.as_bytes()).unwrap());
        for format in [PinFormat::Iso0, PinFormat::Iso1, PinFormat::Iso3] {
            let clear = ClearPinBlock::encode(format, &pin, &pan, random).unwrap();
            let sealed = clear.encipher(&key(K)).unwrap();
            let opened = ClearPinBlock::decipher(&key(K), &sealed).unwrap();
            prop_assert!(opened.decode(format, &pan) == Ok(pin.clone()));
        }
        let sealed = pin::encipher_iso4(&key(K), &pin, &pan, random).unwrap();
        prop_assert!(pin::decipher_iso4(&key(K), &sealed, &pan) == Ok(pin));
    }

    #[test]
    fn one_changed_bit_is_noticed(
        data in prop::collection::vec(any::<u8>(), 1..300),
        at in any::<prop::sample::Index>(),
        bit in 0u32..8,
    ) {
        let mut changed = data.clone();
        changed[at.index(data.len())] ^= 1 << bit;
        use MacAlgorithm::{AesCbcMac, AesCmac, EcbFold, Sm4CbcMac, Sm4Cmac, Sm4EcbFold, X99, X919};
        for algorithm in [X99, X919, EcbFold, AesCmac, AesCbcMac, Sm4Cmac, Sm4CbcMac, Sm4EcbFold] {
            let key = MacKey::from_hex(&algorithm.statement(), TAK).unwrap();
            let mac = key.mac(&data);
            prop_assert_eq!(key.verify(&data, mac.as_bytes()), Ok(()));
            prop_assert_eq!(key.verify(&changed, mac.as_bytes()), Err(MacError::Mismatch));
        }
    }
}
