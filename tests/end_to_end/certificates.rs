//! A platform's door with TLS and an address list: the real binary, and certificates renewed by
//! SIGHUP.

use crate::frames;
use crate::stage::{CALM, Stage};
use crate::{SOON, Tested, wait_until};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use simulators::clock::{now_ms, stamp};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

pub(crate) type Issuer = CertifiedIssuer<'static, KeyPair>;

const TLS: &str = r#"
allow = ["127.0.0.0/8"]
[platform.shop.tls]
certificate = "door.pem"
key = "file:door-key.pem"
authorities = "authority.pem"
peers = ["shop.test"]
"#;

fn authority(name: &str) -> Tested<Issuer> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

/// Certificate and key in PEM.
fn issue(by: &Issuer, name: &str) -> Tested<(String, String)> {
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec![name.to_owned()])?.signed_by(&key, by)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// A certificate that was good for a year, long ago.
fn expired(by: &Issuer, name: &str) -> Tested<String> {
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
    Ok(params.signed_by(&KeyPair::generate()?, by)?.pem())
}

/// Gives the door of a stage TLS; who signs for it.
pub(crate) fn furnished(stage: &Stage) -> Tested<Issuer> {
    let authority = authority("old")?;
    furnish(&stage.folder(), &authority)?;
    stage.edit("margin_ms = 300\n", &format!("margin_ms = 300\n{TLS}"))?;
    Ok(authority)
}

/// Puts the door's papers into the folder.
fn furnish(folder: &Path, by: &Issuer) -> Tested {
    let (certificate, key) = issue(by, "door.test")?;
    fs::write(folder.join("door.pem"), certificate)?;
    fs::write(folder.join("door-key.pem"), key)?;
    fs::write(folder.join("authority.pem"), by.pem())?;
    Ok(())
}

pub(crate) type Line = StreamOwned<ClientConnection, TcpStream>;

/// A line to a door with TLS, with a certificate of this name.
pub(crate) fn call(door: SocketAddr, by: &Issuer, name: &str) -> Tested<Line> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(by.pem().as_bytes())?)?;
    let (certificate, key) = issue(by, name)?;
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes())?];
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes())?)?;
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from("door.test")?)?;
    let stream = TcpStream::connect(door)?;
    stream.set_read_timeout(Some(SOON))?;
    Ok(StreamOwned::new(connection, stream))
}

/// Asks for a purchase; the MTI of the answer.
fn ask(line: &mut Line, no: usize) -> Tested<Vec<u8>> {
    let requests = frames::requests()?;
    let asked = requests.get(no).ok_or("too few requests")?;
    line.write_all(&asked.message.at(&stamp(now_ms())))?;
    answer(line)
}

/// The MTI of the next answer.
pub(crate) fn answer(line: &mut Line) -> Tested<Vec<u8>> {
    let mut begin = [0; 6];
    line.read_exact(&mut begin)?;
    let [high, low, mti @ ..] = begin;
    let mut rest = vec![0; usize::from(u16::from_be_bytes([high, low])) - mti.len()];
    line.read_exact(&mut rest)?;
    Ok(mti.to_vec())
}

#[test]
fn a_door_with_tls_lets_in_whom_it_knows_and_renews_its_certificate_while_open() -> Tested {
    let stage = Stage::new(CALM)?;
    let (old, new) = (furnished(&stage)?, authority("new")?);
    let switch = stage.start("info")?;
    let mut line = call(switch.door, &old, "shop.test")?;
    assert_eq!(ask(&mut line, 0)?, b"0210");

    // Another name, another authority, no TLS at all.
    let refused = |line: Tested<Line>| line.and_then(|mut line| ask(&mut line, 1)).is_err();
    assert!(refused(call(switch.door, &old, "pond.test")));
    assert!(refused(call(switch.door, &new, "shop.test")));
    let mut plain = TcpStream::connect(switch.door)?;
    plain.set_read_timeout(Some(SOON))?;
    plain.write_all(&frames::requests()?[1].message.at(&stamp(now_ms())))?;
    // An alert, and the end; never an answer.
    let mut alert = Vec::new();
    let _ = plain.read_to_end(&mut alert);
    assert!(alert.len() < 16, "{alert:?}");
    assert!(switch.metric("pointsman_sessions_refused_total", "tls")? >= 3.0);

    // A renewal with a missing file changes nothing; a whole one counts from the next call on.
    fs::remove_file(stage.folder().join("door-key.pem"))?;
    switch.signal("HUP")?;
    wait_until("the reload was refused", SOON, || Ok(switch.logged().contains("door-key.pem")))?;
    assert_eq!(ask(&mut call(switch.door, &old, "shop.test")?, 2)?, b"0210");
    // Nor does one with a certificate that nobody would believe any more.
    furnish(&stage.folder(), &new)?;
    fs::write(stage.folder().join("door.pem"), expired(&new, "door.test")?)?;
    switch.signal("HUP")?;
    let says = "platform.shop.tls.certificate: door.pem: certificate expired";
    wait_until("the reload was refused", SOON, || Ok(switch.logged().contains(says)))?;
    assert_eq!(ask(&mut call(switch.door, &old, "shop.test")?, 5)?, b"0210");
    furnish(&stage.folder(), &new)?;
    switch.signal("HUP")?;
    wait_until("the new certificate counts", SOON, || {
        Ok(call(switch.door, &new, "shop.test").and_then(|mut l| ask(&mut l, 3)).is_ok())
    })?;
    assert!(refused(call(switch.door, &old, "shop.test")));
    assert_eq!(ask(&mut line, 4)?, b"0210", "the session that was up goes on");
    Ok(())
}
