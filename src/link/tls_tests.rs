//! Handshakes over loopback: who is let in, who is not, and a certificate renewed in between.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Issuer {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Papers of somebody called `name`, who believes `believed` and expects `peer`.
fn papers(by: &Issuer, name: &str, believed: &Issuer, peer: &str) -> Papers {
    aged(by, name, believed, peer, 2100)
}

fn aged(by: &Issuer, name: &str, believed: &Issuer, peer: &str, last_year: i32) -> Papers {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(last_year, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, by).unwrap();
    Papers {
        certificate: certificate.pem().into_bytes(),
        key: Zeroizing::new(key.serialize_pem().into_bytes()),
        authorities: believed.pem().into_bytes(),
        peers: vec![peer.to_owned()],
    }
}

fn line(papers: &Papers, calls: bool) -> LineTls {
    LineTls::new(papers, calls).unwrap()
}

/// Both ends shake hands and exchange a byte; what each end came to.
async fn meet(bank: &LineTls, switch: &LineTls) -> [Result<Stream, String>; 2] {
    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = door.local_addr().unwrap();
    let listen = async {
        let (stream, _) = door.accept().await.unwrap();
        greet(bank.handshake(stream).await).await
    };
    let call = async {
        let stream = TcpStream::connect(address).await.unwrap();
        greet(switch.handshake(stream).await).await
    };
    let (listened, called) = tokio::join!(listen, call);
    [listened, called]
}

/// With TLS 1.3 a client learns by its first read that its own certificate was refused.
async fn greet(stream: Result<Stream, TlsError>) -> Result<Stream, String> {
    let mut stream = stream.map_err(|error| error.to_string())?;
    stream.write_all(b"!").await.map_err(|error| error.to_string())?;
    stream.flush().await.map_err(|error| error.to_string())?;
    let mut byte = [0];
    stream.read_exact(&mut byte).await.map_err(|error| error.to_string())?;
    Ok(stream)
}

#[tokio::test]
async fn two_who_know_each_other_meet() {
    let ca = authority("one");
    let bank = line(&papers(&ca, "bank.test", &ca, "switch.test"), false);
    let switch = line(&papers(&ca, "switch.test", &ca, "bank.test"), true);
    let [listened, called] = meet(&bank, &switch).await;
    assert!(listened.is_ok() && called.is_ok(), "{listened:?} {called:?}");
}

#[tokio::test]
async fn expired_foreign_or_another_s_certificates_are_turned_away_on_both_sides() {
    let (ca, other) = (authority("one"), authority("two"));
    let bank = papers(&ca, "bank.test", &ca, "switch.test");
    let switch = papers(&ca, "switch.test", &ca, "bank.test");
    let cases = [
        ("expired bank", aged(&ca, "bank.test", &ca, "switch.test", 2001), None, "xpired"),
        (
            "expired switch",
            bank_like(&bank),
            Some(aged(&ca, "switch.test", &ca, "bank.test", 2001)),
            "xpired",
        ),
        ("foreign bank", papers(&other, "bank.test", &ca, "switch.test"), None, "UnknownIssuer"),
        (
            "foreign switch",
            bank_like(&bank),
            Some(papers(&other, "switch.test", &ca, "bank.test")),
            "UnknownIssuer",
        ),
        ("another bank", papers(&ca, "pond.test", &ca, "switch.test"), None, "not valid for name"),
        (
            "another switch",
            bank_like(&bank),
            Some(papers(&ca, "pond.test", &ca, "bank.test")),
            "switch.test",
        ),
    ];
    for (what, bank, called, said) in cases {
        let switch = called.as_ref().unwrap_or(&switch);
        let ends = meet(&line(&bank, false), &line(switch, true)).await;
        let told: Vec<String> = ends.into_iter().filter_map(Result::err).collect();
        assert_eq!(told.len(), 2, "{what}: nobody got a stream: {told:?}");
        assert!(told.iter().any(|t| t.contains(said)), "{what}: {told:?}");
    }
}

fn bank_like(papers: &Papers) -> Papers {
    Papers {
        certificate: papers.certificate.clone(),
        key: papers.key.clone(),
        authorities: papers.authorities.clone(),
        peers: papers.peers.clone(),
    }
}

#[tokio::test]
async fn a_renewed_certificate_counts_from_the_next_handshake_and_sessions_go_on() {
    let (old, new) = (authority("one"), authority("two"));
    let bank = line(&papers(&old, "bank.test", &old, "switch.test"), false);
    let switch = line(&papers(&old, "switch.test", &old, "bank.test"), true);
    let [listened, called] = meet(&bank, &switch).await;
    let (mut listened, mut called) = (listened.unwrap(), called.unwrap());
    let renewal = LineTls::check(&papers(&new, "bank.test", &new, "switch.test"), false).unwrap();
    bank.renew(renewal);
    let refused = meet(&bank, &switch).await;
    assert!(refused.iter().all(Result::is_err), "the old switch no longer fits: {refused:?}");
    let renewal = LineTls::check(&papers(&new, "switch.test", &new, "bank.test"), true).unwrap();
    switch.renew(renewal);
    let met = meet(&bank, &switch).await;
    assert!(met.iter().all(Result::is_ok), "{met:?}");
    listened.write_all(b"?").await.unwrap();
    listened.flush().await.unwrap();
    let mut byte = [0];
    called.read_exact(&mut byte).await.unwrap();
    assert_eq!(&byte, b"?");
}

/// A ClientHello of TLS 1.0 with one cipher suite.
#[tokio::test]
async fn what_is_too_old_is_turned_away() {
    let mut hello = vec![0x16, 3, 1, 0, 55, 1, 0, 0, 51, 3, 1];
    hello.extend_from_slice(&[7; 32]);
    hello.extend_from_slice(&[0, 0, 2, 0, 0x2F, 1, 0]);
    // Signature algorithms, so that nothing but the version is wrong.
    hello.extend_from_slice(&[0, 8, 0, 13, 0, 4, 0, 2, 4, 1]);
    let ca = authority("one");
    let bank = line(&papers(&ca, "bank.test", &ca, "switch.test"), false);
    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut old = TcpStream::connect(door.local_addr().unwrap()).await.unwrap();
    old.write_all(&hello).await.unwrap();
    let (stream, _) = door.accept().await.unwrap();
    let error = bank.handshake(stream).await.unwrap_err().to_string();
    assert!(error.contains("handshake failed"), "{error}");
    let mut answer = Vec::new();
    old.read_to_end(&mut answer).await.unwrap();
    // A fatal alert: protocol_version.
    assert_eq!(answer.first().zip(answer.get(5..7)), Some((&0x15, &[2, 70][..])), "{answer:?}");
}

#[test]
fn wrong_papers_are_named_and_never_quoted() {
    let ca = authority("one");
    let good = || papers(&ca, "bank.test", &ca, "switch.test");
    let said = |papers: &Papers, calls| LineTls::check(papers, calls).unwrap_err().to_string();
    let key = String::from_utf8(good().key.to_vec()).unwrap();
    let swapped = Papers { certificate: key.clone().into_bytes(), ..good() };
    assert!(said(&swapped, false).starts_with("certificate: "), "{}", said(&swapped, false));
    assert!(!said(&swapped, false).contains(&key[40..60]));
    let keyless = Papers { key: Zeroizing::new(b"-----BEGIN".to_vec()), ..good() };
    assert!(said(&keyless, false).starts_with("key: "));
    let mismatched = Papers { key: good().key, ..good() };
    assert!(said(&mismatched, false).starts_with("certificate: "));
    let two = Papers { peers: vec!["a.test".to_owned(), "b.test".to_owned()], ..good() };
    assert!(said(&two, true).starts_with("peers: ") && LineTls::check(&two, false).is_ok());
    let odd = Papers { peers: vec!["no host".to_owned()], ..good() };
    assert!(said(&odd, false).starts_with("peers: "));
}
