//! The switch, its three banks and what stands between them.
//!
//! Contract: a healthy bank that answers at once; a sick one behind a proxy that can reset it; a
//! slow one behind a pipe that can be made narrow. Every load has numbers of its own, so that no
//! duplicate key repeats within a run of 4 × 10⁹ requests, and many cards, because what is owed
//! for one card goes to its bank one at a time. A load hangs up with answers under way: those
//! approvals the switch takes back.

use super::healthy;
use super::load::{self, Measured, Pace};
use super::narrow::Narrow;
use super::subject::Subject;
use super::wire;
use pointsman::sensitive::has_check_digit;
use simulators::bank::{Bank, BankSpec};
use simulators::proxy::Proxy;
use simulators::speaker::SpeakerSpec;
use std::cell::Cell;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// Whose requests: an index, and how the cards begin that are routed there (as published test
/// cards do).
pub(crate) type Whose = (usize, &'static str);
/// Those of the healthy bank.
pub(crate) const HEALTHY: Whose = (0, "555555555");
/// Those of the sick bank.
pub(crate) const SICK: Whose = (1, "411111111");
/// Those of the slow bank.
pub(crate) const SLOW: Whose = (2, "353011133");
/// The names of their banks.
pub(crate) const BANKS: [&str; 3] = ["healthy", "sick", "slow"];
/// Cards of each bank: more than a fault leaves reversals, so that few of them queue.
const CARDS: u32 = 1_000;
/// Requests per second for the sick and for the slow bank.
pub(crate) const OTHER_RATE: u64 = 100;
/// How long the switch waits for an answer of the sick or the slow bank.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(1_000);
/// How long requests are remembered and originals can be recalled: the least there is, so that
/// segments retire while one looks on.
pub(crate) const RECALL: Duration = Duration::from_secs(60);
/// For so long an original may be under way to its bank: "original not found" ends no reversal
/// before.
pub(crate) const ORIGINAL_LIFETIME: Duration = Duration::from_secs(30);
/// At most so far apart are checkpoints, and what retires does so behind the second.
pub(crate) const CHECKPOINT: Duration = Duration::from_secs(30);
/// Sessions that the platform's door takes.
pub(crate) const MOST_SESSIONS: usize = 256;

const NUMBERS: u64 = 3_000_000_000;

/// Everything that runs.
pub(crate) struct Stage {
    /// The switch.
    pub(crate) switch: Subject,
    /// The bank that faults strike.
    pub(crate) sick: Bank,
    /// What stands before it.
    pub(crate) proxy: Proxy,
    /// The bank that can be heard slowly only.
    pub(crate) slow: Bank,
    /// What stands before it.
    pub(crate) narrow: Narrow,
    /// The journal's folder.
    pub(crate) journal: PathBuf,
    /// Where its metrics are.
    pub(crate) admin: String,
    next: [Cell<u64>; 3],
    /// Requests without their numbers, one per card.
    templates: [Arc<[Vec<u8>]>; 3],
    _folder: tempfile::TempDir,
}

impl Stage {
    /// Starts banks and switch; `window` requests are remembered.
    pub(crate) async fn start(window: u64) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let healthy =
            tokio::task::spawn_blocking(healthy::start).await.map_err(io::Error::other)??;
        let (sick, slow) = (bank("sick").await?, bank("slow").await?);
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let proxy = Proxy::start(any, sick.address()).await?;
        let narrow = Narrow::start(slow.address())?;
        let doors = [healthy, proxy.address().to_string(), narrow.address.to_string()];
        let config = folder.path().join("soak.toml");
        std::fs::write(&config, configuration(&doors, window))?;
        let start = tokio::task::spawn_blocking(move || serve(&config));
        let (switch, admin) = start.await.map_err(io::Error::other)??;
        let next = [0, 1, 2].map(|whose| Cell::new(whose * NUMBERS + 1));
        let journal = folder.path().join("journal");
        let templates = [HEALTHY, SICK, SLOW]
            .map(|(_, begin)| cards(begin).map(|card| wire::template(&card)).collect());
        let _folder = folder;
        Ok(Self { switch, sick, proxy, slow, narrow, journal, admin, next, templates, _folder })
    }

    /// Requests so far.
    pub(crate) fn requests(&self) -> u64 {
        self.next.iter().enumerate().map(|(at, next)| next.get() - at as u64 * NUMBERS - 1).sum()
    }

    /// The switch's whole process stands still for so long.
    pub(crate) async fn stall(&self, length: Duration) -> io::Result<()> {
        let signal = |name: &str| {
            let status = Command::new("kill").arg(name).arg(self.switch.id.to_string()).status()?;
            status.success().then_some(()).ok_or_else(|| io::Error::other(format!("kill {name}")))
        };
        signal("-STOP")?;
        tokio::time::sleep(length).await;
        signal("-CONT")
    }

    /// Load for one bank; a twentieth more goes before what is measured.
    pub(crate) async fn load(
        &self,
        (whose, _): Whose,
        pace: Pace,
        length: Duration,
    ) -> io::Result<Measured> {
        let templates = Arc::clone(&self.templates[whose]);
        let (door, next) = (&self.switch.door, &self.next[whose]);
        let (measured, last) =
            load::run(door, pace, length / 20, length, (next.get(), templates)).await?;
        next.set(last);
        Ok(measured)
    }
}

/// Cards that begin so. Each has a wrong check digit: no issuer gives out such a number, so that
/// they are nobody's, and no dialect here looks at it.
pub(crate) fn cards(begin: &str) -> impl Iterator<Item = String> {
    (0..CARDS).filter_map(move |number| {
        let card = format!("{begin}{number:0>width$}", width = 15 - begin.len());
        // One of the two at least is wrong.
        let mut checked = ["0", "1"].into_iter().map(|check| format!("{card}{check}"));
        checked.find(|card| !has_check_digit(card.as_bytes()))
    })
}

async fn bank(name: &str) -> io::Result<Bank> {
    let (dialect, framing) = ("iso8583-1987-ascii".to_owned(), "2-byte-be".to_owned());
    let speaker = SpeakerSpec { dialect, framing, mak: None };
    Bank::start(BankSpec::new(name, speaker)).await.map_err(io::Error::other)
}

/// The switch, and where its metrics are.
fn serve(config: &Path) -> io::Result<(Subject, String)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
    command.arg("serve").arg(config).args(["--log", "error"]);
    let mut admin = String::new();
    let switch = Subject::start(command, true, |line| {
        if let Some(address) = line.strip_prefix("admin address=") {
            address.trim().clone_into(&mut admin);
        }
    })?;
    Ok((switch, admin))
}

fn configuration([healthy, sick, slow]: &[String; 3], window: u64) -> String {
    let timeout_ms = TIMEOUT.as_millis();
    let (recall_s, checkpoint_s) = (RECALL.as_secs(), CHECKPOINT.as_secs());
    let (dialect, framing) = (healthy::DIALECT, healthy::FRAMING);
    let lifetime_ms = ORIGINAL_LIFETIME.as_millis();
    let other = |name: &str, address: &str| {
        format!(
            "[bank.{name}]\ndialect = \"iso8583-1987-ascii\"\nframing = \"2-byte-be\"\n\
             window = 1024\nsign_on = \"no\"\nresponse_timeout_ms = {timeout_ms}\n\
             original_lifetime_ms = {lifetime_ms}\n\
             default_merchant = \"RIVER0000000001\"\ndefault_terminal = \"RIV00001\"\n\
             [[bank.{name}.line]]\nconnect = [\"{address}\"]\nfirst_retry_ms = 50\n\
             max_retry_ms = 500\n\
             [bank.{name}.saf]\ntimeout_ms = 500\nfirst_retry_ms = 200\nmax_retry_ms = 1000\n"
        )
    };
    format!(
        "[journal]\nfolder = \"journal\"\nsegment_bytes = 4194304\n\
         checkpoint_records = 100_000\ncheckpoint_s = {checkpoint_s}\n\
         keep_days = 0\nrecall_s = {recall_s}\n\
         [admin]\naddress = \"127.0.0.1:0\"\n\
         [duplicates]\ncount = {window}\nwindow_s = {recall_s}\n\
         [platform.shop]\nlisten = \"127.0.0.1:0\"\ndialect = \"iso8583-1987-ascii\"\n\
         framing = \"2-byte-be\"\nbudget_ms = 5000\nmargin_ms = 500\nmax_in_flight = 4096\n\
         max_sessions = {MOST_SESSIONS}\n\
         [bank.healthy]\ndialect = \"{dialect}\"\nframing = \"{framing}\"\n\
         tpdu = \"6000010002\"\nwindow = 4096\nsign_on = \"no\"\nresponse_timeout_ms = 4000\n\
         original_lifetime_ms = {lifetime_ms}\n\
         default_merchant = \"RIVER0000000001\"\ndefault_terminal = \"RIV00001\"\n\
         [[bank.healthy.line]]\nconnect = [\"{healthy}\"]\n\
         {}{}\
         [[route]]\nname = \"sick\"\npan = [\"4\"]\nbank = \"sick\"\n\
         [[route]]\nname = \"slow\"\npan = [\"35\"]\nbank = \"slow\"\n\
         [[route]]\nname = \"all\"\nbank = \"healthy\"\n",
        other("sick", sick),
        other("slow", slow),
    )
}
