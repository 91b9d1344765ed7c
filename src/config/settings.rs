//! What the IO floors need to know: ports, framings, keys by reference, folders.
//!
//! Contract: secrets stand here as references (`file:` or `env:`), never as values; the shell
//! resolves them at start. `policy` and `lines` are parallel: `lines[i]` is `LineId(i)`.

use crate::crypto::MacStatement;
use crate::framing::Framing;
use crate::iso8583::Dialect;
use crate::switch::policy::Policy;
use crate::text::Text;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// A whole configuration, validated.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the core is told.
    pub policy: Arc<Policy>,
    /// What the links are told; same order and length as `policy.lines`.
    pub lines: Vec<LineSettings>,
    /// Where the journal is and how it behaves.
    pub journal: JournalSettings,
    /// Health, metrics and the operators' desk; unset: none.
    pub admin: Option<AdminSettings>,
    /// Refuses software keys for PIN, demo keys for the journal, and an admin listener without a
    /// token.
    pub production: bool,
}

/// Where probes and operators ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSettings {
    /// `host:port`.
    pub address: String,
    /// What operators must show; unset: the desk answers on a loopback address only, and not in
    /// production.
    pub token: Option<SecretRef>,
    /// Names besides its address under which it may be asked, as `Host` has them.
    pub hosts: Vec<String>,
}

impl AdminSettings {
    /// Every name it has by configuration: what it listens on may be a name, too.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.hosts.iter().chain([&self.address]).cloned()
    }
}

/// One line's wire.
#[derive(Debug, Clone)]
pub struct LineSettings {
    /// How messages are written.
    pub dialect: Arc<Dialect>,
    /// How frames are cut.
    pub framing: Framing,
    /// Which side calls.
    pub endpoint: Endpoint,
    /// TPDU of messages we start, where the framing has one.
    pub tpdu: Option<[u8; 5]>,
    /// Message header of messages we start, where the dialect has one and does not fix it.
    pub header: Option<Vec<u8>>,
    /// MAC key, where the line has one of its own.
    pub mac: Option<LineMac>,
    /// Master keys, where sign-ons bring the MAC keys; the same for all lines of a bank.
    pub master: Option<Arc<MasterKeySettings>>,
    /// TLS of the line; unset: plain TCP.
    pub tls: Option<TlsSettings>,
    /// Frames the outbound queue holds: in-flight window + SAF slots + network management.
    pub outbound_queue: usize,
}

/// The MAC of a line: its key, and the algorithm where it differs from the dialect's.
#[derive(Debug, Clone)]
pub struct LineMac {
    /// Where the key is.
    pub key: SecretRef,
    /// Overrides the dialect's statement: sources disagree on which algorithm a bank mandates.
    pub statement: Option<MacStatement>,
}

/// The keys under which sign-ons bring working keys.
#[derive(Debug, Clone)]
pub struct MasterKeySettings {
    /// By terminal, and `None` for all that have none of their own.
    pub keys: Vec<(Option<Text<16>>, SecretRef)>,
    /// How long an old working key counts for answers to what was sent under it.
    pub keep: Duration,
    /// Overrides the dialect's statement.
    pub statement: Option<MacStatement>,
}

/// Which side calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// We listen.
    Listen {
        /// `host:port`; port 0 lets the OS pick and is printed.
        address: String,
        /// Sessions at once that have said something; one more is closed at once.
        max_sessions: usize,
        /// From where; empty: from anywhere.
        allow: Vec<Allow>,
    },
    /// We call.
    Connect {
        /// `host:port`, in order of preference.
        addresses: Vec<String>,
        /// Limit of one try.
        connect_timeout: Duration,
        /// First pause after a failure; doubles with jitter.
        first_retry: Duration,
        /// Cap of the pause.
        max_retry: Duration,
    },
}

/// Addresses that may connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allow {
    /// An address of the network.
    pub address: IpAddr,
    /// How many leading bits count.
    pub bits: u8,
}

impl Allow {
    /// Whether this peer is one of them. IPv4 addresses in IPv6 form count as what they are.
    pub fn lets_in(&self, peer: IpAddr) -> bool {
        let differing = match (self.address, peer.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(peer)) => u128::from(own.to_bits() ^ peer.to_bits()) << 96,
            (IpAddr::V6(own), IpAddr::V6(peer)) => own.to_bits() ^ peer.to_bits(),
            _ => return false,
        };
        differing.leading_zeros() >= u32::from(self.bits)
    }
}

/// TLS of a line, by reference; paths are relative to the configuration's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// Our certificate and the chain above it, PEM.
    pub certificate: String,
    /// Its private key, PEM.
    pub key: SecretRef,
    /// The authorities whose certificates peers must show, PEM.
    pub authorities: String,
    /// Names of which the peer's certificate must carry one.
    pub peers: Vec<String>,
}

/// Where a secret is, never the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// First line of a file, relative to the configuration's folder, as hex.
    File(String),
    /// An environment variable, as hex.
    Env(String),
}

/// The journal's place and habits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalSettings {
    /// Folder, relative to the configuration's.
    pub folder: String,
    /// Bytes of one segment file.
    pub segment_bytes: u64,
    /// Key-encryption key; unset: the journal makes its own, stores it beside the data and says
    /// so loudly (refused with `production = true`).
    pub key: Option<SecretRef>,
    /// Whole days of finished segments to keep; 0: as long as `recall` alone asks.
    pub keep_days: u32,
    /// How long originals can be recalled at the least: segments stay so long whatever
    /// `keep_days` says.
    pub recall: Duration,
    /// Folder that gets a copy of every segment before it goes, relative to the configuration's;
    /// unset: segments go for good.
    pub archive: Option<String>,
    /// How far the clock may be behind the newest record at a start.
    pub clock_bound: Duration,
    /// A checkpoint is taken after so many records: a start replays two million a second …
    pub checkpoint_records: u64,
    /// … or after so long.
    pub checkpoint_every: Duration,
}
