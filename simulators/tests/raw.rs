//! The simulated banks against raw frames from outside: made, and their MACs computed, with
//! another implementation (OpenSSL's triple DES and a few lines of Python), never with our codec.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use pointsman::crypto::{MacAlgorithm, MacKey};
use pointsman::hex;
use simulators::bank::{Bank, BankSpec};
use simulators::speaker::SpeakerSpec;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const MAK: &str = "0123456789ABCDEFFEDCBA9876543210";
const SIGN_IN: &str = "\
    0037600003000460220000000008000020000000C000100000014D544E30303030314D4F554E5441\
    494E303030303030310011000000010030";
const SALE: &str = "\
    0057600003000460220000000002007020048000C080111662509460000000160000000000000010\
    000000020210004D544E30303030314D4F554E5441494E3030303030303131353600112200000100\
    004134414244364238";
const SALE_REVERSAL: &str = "\
    0057600003000460220000000004007020048000C080111662509460000000160000000000000010\
    000000020210004D544E30303030314D4F554E5441494E3030303030303131353600112200000100\
    004541423144354446";
const SALE_WRONG_MAC: &str = "\
    0057600003000460220000000002007020048000C080111662509460000000160000000000000010\
    000000020210004D544E30303030314D4F554E5441494E3030303030303131353600112200000100\
    004034414244364238";
const PURCHASE: &str = "\
    005A303230307220000000C080003136343131313131313131313131313131313030303030303030\
    30303030303031303030313132323132333030303030303030315445524D303030314D4552434841\
    4E5430303030303031383430";
const REVERSAL: &str = "\
    008C30343230F220000000C080000000004000000000313634313131313131313131313131313131\
    303030303030303030303030303031303030313132323132333030303030303030325445524D3030\
    30314D45524348414E54303030303030313834303032303030303030303131313232313233303030\
    30303030303030303030303030303030303030303030";
const PURCHASE_APPROVED: &str = "\
    0054303231303222000006C080003030303030303030303030303030313030303131323231323330\
    30303030303030313131323230303030303130305445524D303030314D45524348414E5430303030\
    303031383430";
const REVERSAL_DONE: &str = "\
    008030343330B222000002C080000000004000000000303030303030303030303030303031303030\
    313132323132333030303030303030323131323230305445524D303030314D45524348414E543030\
    30303030313834303032303030303030303131313232313233303030303030303030303030303030\
    30303030303030303030";
const REVERSAL_UNKNOWN: &str = "\
    008030343330B222000002C080000000004000000000303030303030303030303030303031303030\
    313132323132333030303030303030323131323232355445524D303030314D45524348414E543030\
    30303030313834303032303030303030303131313232313233303030303030303030303030303030\
    30303030303030303030";

async fn bank(dialect: &str, framing: &str, mak: Option<&str>) -> (Bank, TcpStream) {
    let speaker = SpeakerSpec {
        dialect: dialect.to_owned(),
        framing: framing.to_owned(),
        mak: mak.map(str::to_owned),
    };
    let mut spec = BankSpec::new("bank", speaker);
    spec.settlement_date = Some("1122".to_owned());
    let bank = Bank::start(spec).await.unwrap();
    let stream = TcpStream::connect(bank.address()).await.unwrap();
    (bank, stream)
}

/// One frame with a two-byte length, or `None` when there is none for 300 ms.
async fn frame(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let read = async {
        let mut frame = vec![0; 2];
        stream.read_exact(&mut frame).await.unwrap();
        let len = usize::from(u16::from_be_bytes([frame[0], frame[1]]));
        frame.resize(2 + len, 0);
        stream.read_exact(&mut frame[2..]).await.unwrap();
        frame
    };
    tokio::time::timeout(Duration::from_millis(300), read).await.ok()
}

async fn ask(stream: &mut TcpStream, request: &str) -> Option<Vec<u8>> {
    stream.write_all(&hex::parse(request).unwrap()).await.unwrap();
    frame(stream).await
}

#[tokio::test]
async fn an_ascii_bank_answers_to_the_byte() {
    let (bank, mut stream) = bank("iso8583-1987-ascii", "2-byte-be", None).await;
    let mut say = async |request| ask(&mut stream, request).await.map(|f| hex::upper(&f));
    assert_eq!(say(REVERSAL).await.as_deref(), Some(REVERSAL_UNKNOWN));
    assert_eq!(say(PURCHASE).await.as_deref(), Some(PURCHASE_APPROVED));
    assert_eq!(say(PURCHASE).await.as_deref(), Some(PURCHASE_APPROVED));
    assert_eq!(say(REVERSAL).await.as_deref(), Some(REVERSAL_DONE));
    assert_eq!(say(REVERSAL).await.as_deref(), Some(REVERSAL_DONE));
    let signed: Vec<_> = bank.ledger().iter().map(|entry| entry.signed).collect();
    assert_eq!(signed, [0, 1_000, 0, -1_000, 0]);
    let masked = bank.ledger()[0].pan.clone();
    assert_eq!(masked.as_deref(), Some("411111******1111"));
}

/// TPDU turned around, header kept, MTI as expected, and a right MAC: returns `F39`.
fn check_unionpay(frame: &[u8], mti: [u8; 2]) -> String {
    assert_eq!(hex::upper(&frame[2..13]), "6000040003602200000000");
    assert_eq!(frame[13..15], mti);
    let mak = MacKey::from_hex(&MacAlgorithm::EcbFold.statement(), MAK).unwrap();
    let end = frame.len() - 8;
    mak.verify(&frame[13..end], &frame[end..]).unwrap();
    // F39 stands before F41, which is known.
    let terminal = frame.windows(8).position(|w| w == b"MTN00001").unwrap();
    String::from_utf8(frame[terminal - 2..terminal].to_vec()).unwrap()
}

#[tokio::test]
async fn a_unionpay_bank_wants_sign_in_and_mac_and_reverses_by_stan_and_batch() {
    let (bank, mut stream) = bank("unionpay-pos", "2-byte-be-tpdu", Some(MAK)).await;
    let early = ask(&mut stream, SALE).await.unwrap();
    assert_eq!(check_unionpay(&early, [0x02, 0x10]), "77");
    let signed_in = ask(&mut stream, SIGN_IN).await.unwrap();
    assert_eq!(signed_in[13..15], [0x08, 0x10]);
    let wrong = ask(&mut stream, SALE_WRONG_MAC).await.unwrap();
    assert_eq!(check_unionpay(&wrong, [0x02, 0x10]), "A0");
    let sold = ask(&mut stream, SALE).await.unwrap();
    assert_eq!(check_unionpay(&sold, [0x02, 0x10]), "00");
    let reversed = ask(&mut stream, SALE_REVERSAL).await.unwrap();
    assert_eq!(check_unionpay(&reversed, [0x04, 0x10]), "00");
    let signed: Vec<_> = bank.ledger().iter().map(|entry| entry.signed).collect();
    assert_eq!(signed, [1_000, -1_000]);
}

#[tokio::test]
async fn faults_show_on_the_wire() {
    let (bank, mut stream) = bank("unionpay-pos", "2-byte-be-tpdu", Some(MAK)).await;
    ask(&mut stream, SIGN_IN).await.unwrap();
    bank.command(&"wrong-mac 1".parse().unwrap());
    let spoilt = ask(&mut stream, SALE).await.unwrap();
    let mak = MacKey::from_hex(&MacAlgorithm::EcbFold.statement(), MAK).unwrap();
    let end = spoilt.len() - 8;
    assert!(mak.verify(&spoilt[13..end], &spoilt[end..]).is_err());
    bank.command(&"duplicate 1".parse().unwrap());
    let first = ask(&mut stream, SALE).await.unwrap();
    assert_eq!(frame(&mut stream).await, Some(first));
    bank.command(&"silent on".parse().unwrap());
    assert_eq!(ask(&mut stream, SALE).await, None);
    bank.command(&"heal".parse().unwrap());
    bank.command(&"refuse-sign-on on".parse().unwrap());
    let refused = ask(&mut stream, SIGN_IN).await.unwrap();
    assert!(refused.windows(10).any(|w| w == b"58MTN00001"));
    bank.command(&"disconnect".parse().unwrap());
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn nonsense_is_counted_and_a_broken_frame_ends_the_session() {
    let (bank, mut stream) = bank("iso8583-1987-ascii", "2-byte-be", None).await;
    assert_eq!(ask(&mut stream, "0008FFFFFFFFFFFFFFFF").await, None);
    assert_eq!(bank.counts().garbled, 1);
    assert_eq!(ask(&mut stream, PURCHASE).await.map(|f| hex::upper(&f)).as_deref(), {
        Some(PURCHASE_APPROVED)
    });
    stream.write_all(&[0xFF, 0xFF, 0x00]).await.unwrap();
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or(0), 0);
}
