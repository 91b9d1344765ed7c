//! TLS of a line: mutual, 1.2 or newer, and renewed without a restart.
//!
//! Contract: both sides show a certificate and both are checked: against the configured
//! authorities, the clock, and the names the peer may have. Whoever fails is gone before a byte
//! of his reaches a dialect. A renewed certificate is used by the next handshake; sessions that
//! are up go on (safety.md, fault 19). The crypto provider is the one that is compiled in (ring).
//! Deliberately absent: reading files, plain text as a way out.

use super::stream::Stream;
use super::wiped::Wiped;
use crate::limits::HANDSHAKE_LIMIT;
use arc_swap::ArcSwap;
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{CertificateError, ClientConfig, RootCertStore, ServerConfig};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use zeroize::Zeroizing;

/// What TLS of one line is made of, as PEM text.
#[derive(Debug)]
pub struct Papers {
    /// Our certificate and those between it and the authority.
    pub certificate: Vec<u8>,
    /// Its private key.
    pub key: Zeroizing<Vec<u8>>,
    /// Certificates of the authorities we believe.
    pub authorities: Vec<u8>,
    /// Names of which the peer's certificate must carry one; of a bank exactly one.
    pub peers: Vec<String>,
}

/// Why TLS cannot be had or a handshake failed.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file without what it should hold.
    #[error("{file}: {why}")]
    Paper {
        /// Which of the papers.
        file: &'static str,
        /// What is wrong with it; never its content.
        why: String,
    },
    /// A handshake failed: what the peer or the library says.
    #[error("TLS handshake failed: {0}")]
    Handshake(#[from] io::Error),
    /// It took too long.
    #[error("TLS handshake not finished within {} s", HANDSHAKE_LIMIT.as_secs())]
    Slow,
    /// The certificate is genuine and another's.
    #[error("the peer's certificate carries none of the names {0}")]
    OtherName(String),
}

impl TlsError {
    fn paper(file: &'static str, why: impl std::fmt::Display) -> Self {
        Self::Paper { file, why: why.to_string() }
    }
}

/// TLS of one line, to be renewed while it is used.
#[derive(Debug)]
pub struct LineTls {
    side: ArcSwap<Side>,
}

#[derive(Debug)]
enum Side {
    /// We listen.
    Server { config: Arc<ServerConfig>, peers: Vec<ServerName<'static>> },
    /// We call.
    Client { config: Arc<ClientConfig>, peer: ServerName<'static> },
}

/// New papers, checked and not yet in use.
#[derive(Debug)]
pub struct Renewal(Side);

impl LineTls {
    /// TLS of a line on which we listen (`calls`: on which we call).
    ///
    /// # Errors
    /// Which paper is wrong, and why.
    pub fn new(papers: &Papers, calls: bool) -> Result<Self, TlsError> {
        let side = Self::check(papers, calls)?.0;
        Ok(Self { side: ArcSwap::from_pointee(side) })
    }

    /// Checks papers without using them.
    ///
    /// # Errors
    /// As [`LineTls::new`].
    pub fn check(papers: &Papers, calls: bool) -> Result<Renewal, TlsError> {
        let side = if calls { client(papers) } else { server(papers) };
        side.map(Renewal)
    }

    /// Refuses a certificate of ours that has expired or is not valid yet at `now`, since 1970:
    /// no peer would shake hands with it.
    ///
    /// # Errors
    /// The paper `certificate`, or one that cannot be read.
    pub fn check_dates(papers: &Papers, now: Duration) -> Result<(), TlsError> {
        let chain = certificates("certificate", &papers.certificate)?;
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots(papers)?)).build();
        let verifier = verifier.map_err(|error| TlsError::paper("authorities", error))?;
        let [own, between @ ..] = chain.as_slice() else { return Ok(()) };
        let now = UnixTime::since_unix_epoch(now);
        // Who must have signed it, and for which use, is for the peers to say.
        match verifier.verify_client_cert(own, between, now) {
            Err(rustls::Error::InvalidCertificate(
                wrong @ (CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }),
            )) => Err(TlsError::paper("certificate", wrong)),
            _ => Ok(()),
        }
    }

    /// From the next handshake on.
    pub fn renew(&self, renewal: Renewal) {
        self.side.store(Arc::new(renewal.0));
    }

    /// Shakes hands.
    ///
    /// # Errors
    /// Why the peer is not let in; the connection is closed.
    pub async fn handshake(&self, stream: TcpStream) -> Result<Stream, TlsError> {
        let side = self.side.load_full();
        let shaken = timeout(HANDSHAKE_LIMIT, side.shake(stream)).await;
        let stream = shaken.map_err(|_| TlsError::Slow)??;
        side.judge(&stream)?;
        Ok(Stream::Tls(Box::new(stream)))
    }
}

impl Side {
    async fn shake(&self, stream: TcpStream) -> io::Result<TlsStream<Wiped<TcpStream>>> {
        match self {
            Self::Server { config, .. } => TlsAcceptor::from(Arc::clone(config))
                .accept(Wiped(stream))
                .await
                .map(TlsStream::Server),
            Self::Client { config, peer } => {
                let connector = TlsConnector::from(Arc::clone(config));
                connector.connect(peer.clone(), Wiped(stream)).await.map(TlsStream::Client)
            }
        }
    }

    /// Of a server the library checks the name; of a client nobody does but we.
    fn judge(&self, stream: &TlsStream<Wiped<TcpStream>>) -> Result<(), TlsError> {
        let Self::Server { peers, .. } = self else { return Ok(()) };
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let carries = |name: &ServerName<'_>| {
            let parsed =
                shown.and_then(|certificate| ParsedCertificate::try_from(certificate).ok());
            parsed.is_some_and(|parsed| verify_server_name(&parsed, name).is_ok())
        };
        if peers.iter().any(carries) {
            return Ok(());
        }
        let names: Vec<_> = peers.iter().map(|name| name.to_str()).collect();
        Err(TlsError::OtherName(names.join(", ")))
    }
}

fn server(papers: &Papers) -> Result<Side, TlsError> {
    let roots = Arc::new(roots(papers)?);
    let verifier = WebPkiClientVerifier::builder(roots).build();
    let verifier = verifier.map_err(|error| TlsError::paper("authorities", error))?;
    let (chain, key) = own(papers)?;
    let config =
        ServerConfig::builder().with_client_cert_verifier(verifier).with_single_cert(chain, key);
    let config = config.map_err(|error| TlsError::paper("certificate", error))?;
    let peers = papers.peers.iter().map(|name| named(name)).collect::<Result<_, _>>()?;
    Ok(Side::Server { config: Arc::new(config), peers })
}

fn client(papers: &Papers) -> Result<Side, TlsError> {
    let (chain, key) = own(papers)?;
    let config = ClientConfig::builder()
        .with_root_certificates(roots(papers)?)
        .with_client_auth_cert(chain, key);
    let config = config.map_err(|error| TlsError::paper("certificate", error))?;
    let [peer] = papers.peers.as_slice() else {
        return Err(TlsError::paper("peers", "expected exactly one name of the bank's host"));
    };
    Ok(Side::Client { config: Arc::new(config), peer: named(peer)? })
}

fn named(name: &str) -> Result<ServerName<'static>, TlsError> {
    let why = || format!("{name:?} is no host name or address");
    ServerName::try_from(name.to_owned()).map_err(|_| TlsError::paper("peers", why()))
}

fn roots(papers: &Papers) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("authorities", &papers.authorities)? {
        roots.add(certificate).map_err(|error| TlsError::paper("authorities", error))?;
    }
    Ok(roots)
}

fn own(
    papers: &Papers,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let chain = certificates("certificate", &papers.certificate)?;
    // What the library says of a key file that is wrong could quote it.
    let key = PrivateKeyDer::from_pem_slice(&papers.key)
        .map_err(|_| TlsError::paper("key", "expected one private key in PEM"))?;
    Ok((chain, key))
}

fn certificates(file: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(found) if found.is_empty() => Err(TlsError::paper(file, "holds no certificate in PEM")),
        Ok(found) => Ok(found),
        Err(error) => Err(TlsError::paper(file, error)),
    }
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
