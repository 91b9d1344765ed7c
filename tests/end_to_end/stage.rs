//! The stage: two simulated banks, a configuration between them and the platform, a folder.
//!
//! Contract: one stage per test; banks outlive the switch, so that their ledgers tell what
//! happened before and after a kill. River speaks BCD behind a TPDU, Mountain UnionPay POS with
//! a MAC.

use crate::binary::{self, Switch};
use crate::shop::Shop;
use crate::{SOON, Tested};
use simulators::bank::command::Command;
use simulators::bank::ledger::Entry;
use simulators::bank::{Bank, BankSpec};
use simulators::platform::{Platform, PlatformSpec};
use simulators::speaker::SpeakerSpec;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Any key will do: it stands in this test only.
const MAK: &str = "0123456789ABCDEFFEDCBA9876543210";

/// So does this one; it wraps the journal's data key.
pub(crate) const JOURNAL_KEY: &str =
    "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF";

/// Waits for both banks: before that a request is declined.
pub(crate) fn has_its_banks(switch: &Switch) -> Tested {
    crate::wait_until("both banks are up", SOON, || {
        let up = |bank: &str| switch.metric("pointsman_link_up", bank);
        Ok(up("river")? > 0.0 && up("mountain")? > 0.0)
    })
}

fn with_its_banks(switch: Switch) -> Tested<Switch> {
    has_its_banks(&switch).map_err(|error| format!("{error}; it logged:\n{}", switch.logged()))?;
    Ok(switch)
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    budget_ms: u32,
    response_timeout_ms: u32,
    original_lifetime_ms: u32,
}

/// Nothing times out, however crowded the machine is.
pub(crate) const CALM: Pace =
    Pace { budget_ms: 60_000, response_timeout_ms: 50_000, original_lifetime_ms: 60_000 };

/// Timeouts come soon enough to be waited for.
pub(crate) const HASTY: Pace =
    Pace { budget_ms: 1_500, response_timeout_ms: 700, original_lifetime_ms: 3_000 };

/// Many crashes fit into a minute.
#[cfg(feature = "faults")]
pub(crate) const BRISK: Pace =
    Pace { budget_ms: 900, response_timeout_ms: 400, original_lifetime_ms: 1_000 };

const CONFIG: &str = r#"
[journal]
folder = "journal"
key = "file:journal-key.hex"
segment_bytes = 131_072

[admin]
address = "127.0.0.1:0"

[platform.shop]
listen = "127.0.0.1:0"
dialect = "iso8583-1987-ascii"
framing = "2-byte-be"
budget_ms = @budget
margin_ms = 300

[bank.river]
dialect = "iso8583-1987-bcd"
framing = "2-byte-be-tpdu"
tpdu = "6000010002"
response_timeout_ms = @response
original_lifetime_ms = @lifetime
sign_on = "line"
sign_on_retry_ms = 200
network_timeout_ms = 2_000
echo_interval_ms = 2_000
default_merchant = "RIVER0000000001"
default_terminal = "RIV00001"
[[bank.river.line]]
connect = ["@river"]
first_retry_ms = 50
max_retry_ms = 200
[bank.river.saf]
slots = 16
timeout_ms = 600
first_retry_ms = 100
max_retry_ms = 400

[bank.mountain]
dialect = "unionpay-pos"
framing = "2-byte-be-tpdu"
tpdu = "6000030004"
@key = "file:mak.hex"
response_timeout_ms = @response
original_lifetime_ms = @lifetime
sign_on = "terminals"
sign_on_retry_ms = 200
network_timeout_ms = 2_000
echo_interval_ms = 2_000
[[bank.mountain.terminal]]
terminal = "MTN00001"
merchant = "MOUNTAIN0000001"
[[bank.mountain.identity]]
bank_merchant = "MOUNTAIN0000001"
bank_terminal = "MTN00001"
[[bank.mountain.line]]
connect = ["@mountain"]
first_retry_ms = 50
max_retry_ms = 200
[bank.mountain.saf]
slots = 16
timeout_ms = 600
first_retry_ms = 100
max_retry_ms = 400

[[route]]
name = "unionpay-cards"
unreferenced_refunds = true
pan = ["62"]
currency = ["156"]
bank = "mountain"
[[route]]
name = "everything-else"
unreferenced_refunds = true
bank = "river"
"#;

/// Two banks and a folder.
#[derive(Debug)]
pub(crate) struct Stage {
    // Dropped in this order: the banks live on the runtime.
    pub(crate) river: Bank,
    pub(crate) mountain: Bank,
    runtime: Runtime,
    folder: TempDir,
    starts: std::cell::Cell<u32>,
}

impl Stage {
    /// Both banks up, the configuration written.
    pub(crate) fn new(pace: Pace) -> Tested<Self> {
        Self::keyed(pace, "mac_key")
    }

    /// Both banks up, a switch between them, and a platform that has called.
    pub(crate) fn opened(pace: Pace, log: &str) -> Tested<(Self, Switch, Shop)> {
        let stage = Self::new(pace)?;
        let (switch, shop) = stage.open(log)?;
        Ok((stage, switch, shop))
    }

    /// A switch on the stage as it is, and a platform that has called.
    pub(crate) fn open(&self, log: &str) -> Tested<(Switch, Shop)> {
        let (switch, mut shop) = (self.start(log)?, Shop::new(SOON));
        shop.call(switch.door)?;
        Ok((switch, shop))
    }

    /// As [`Stage::new`], and Mountain hands out new MAC keys at every sign-in.
    pub(crate) fn with_sign_in_keys(pace: Pace) -> Tested<Self> {
        Self::keyed(pace, "master_key")
    }

    /// `key`: what Mountain's one key is in the configuration.
    fn keyed(pace: Pace, key: &str) -> Tested<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let folder = tempfile::tempdir()?;
        let river = runtime.block_on(bank("river", "iso8583-1987-bcd", ""))?;
        let mountain = runtime.block_on(bank("mountain", "unionpay-pos", key))?;
        let config = CONFIG
            .replace("@key", key)
            .replace("@budget", &pace.budget_ms.to_string())
            .replace("@response", &pace.response_timeout_ms.to_string())
            .replace("@lifetime", &pace.original_lifetime_ms.to_string())
            .replace("@river", &river.address().to_string())
            .replace("@mountain", &mountain.address().to_string());
        let stage = Self { river, mountain, runtime, folder, starts: std::cell::Cell::new(0) };
        fs::write(stage.config(), config)?;
        fs::write(stage.folder().join("mak.hex"), MAK)?;
        fs::write(stage.folder().join("journal-key.hex"), JOURNAL_KEY)?;
        Ok(stage)
    }

    /// Everything of this test stands here: configuration, journal, what the switch printed.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// The configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("pointsman.toml")
    }

    /// The journal's folder.
    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    /// Runs a `journal` command on this journal; it must succeed. What it printed.
    pub(crate) fn ask_journal(&self, command: &str, more: &[&str]) -> Tested<String> {
        let (journal, folder) = (self.journal(), self.folder());
        let key = format!("file:{}/journal-key.hex", folder.display());
        let journal = journal.to_str().ok_or("a folder without a name")?;
        let key = if command == "stat" { vec![] } else { vec!["--key", &key] };
        binary::run_well(&[&["journal", command, journal], key.as_slice(), more].concat())
    }

    /// Rewrites the configuration.
    pub(crate) fn edit(&self, from: &str, to: &str) -> Tested {
        let text = fs::read_to_string(self.config())?;
        assert!(text.contains(from), "nothing to edit: {from}");
        Ok(fs::write(self.config(), text.replacen(from, to, 1))?)
    }

    /// Starts a switch on the journal as it is, and waits until both banks are signed on.
    pub(crate) fn start(&self, log: &str) -> Tested<Switch> {
        with_its_banks(self.start_alone(log)?)
    }

    /// The same by way of another program, which must become the switch.
    pub(crate) fn start_under(&self, other: std::process::Command) -> Tested<Switch> {
        with_its_banks(Switch::start_under(other, &self.config(), "switch-under")?)
    }

    /// Starts a switch that is to crash at this point; `None` if it has before it was ready.
    #[cfg(feature = "faults")]
    pub(crate) fn start_to_crash(&self, point: &str) -> Tested<Option<Switch>> {
        self.starts.set(self.starts.get() + 1);
        Switch::start_to_crash(&self.config(), &format!("switch-{}", self.starts.get()), point)
    }

    /// Starts a switch and does not wait for banks.
    pub(crate) fn start_alone(&self, log: &str) -> Tested<Switch> {
        self.starts.set(self.starts.get() + 1);
        Switch::start(&self.config(), &format!("switch-{}", self.starts.get()), log)
    }

    /// A platform that asks so many times a second.
    pub(crate) fn busy_shop(&self, door: SocketAddr, rate: f64) -> Tested<Platform> {
        let _inside = self.runtime.enter();
        let speaker = SpeakerSpec {
            dialect: "iso8583-1987-ascii".to_owned(),
            framing: "2-byte-be".to_owned(),
            mak: None,
        };
        Ok(Platform::start(PlatformSpec { rate, ..PlatformSpec::new(door, speaker) })?)
    }

    /// The bank of this name.
    pub(crate) fn bank(&self, name: &str) -> &Bank {
        if name == "river" { &self.river } else { &self.mountain }
    }

    /// Tells both banks.
    pub(crate) fn tell(&self, command: &str) -> Tested {
        self.tell_one(&self.river, command)?;
        self.tell_one(&self.mountain, command)
    }

    /// Tells one bank.
    pub(crate) fn tell_one(&self, bank: &Bank, command: &str) -> Tested {
        // Commands may start tasks.
        let _inside = self.runtime.enter();
        bank.command(&command.parse::<Command>()?);
        Ok(())
    }

    /// Everything both banks wrote down.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        [self.river.ledger(), self.mountain.ledger()].concat()
    }

    /// What the banks wrote down about one request of the platform.
    pub(crate) fn entries_of(&self, rrn: &str) -> Vec<Entry> {
        self.entries().into_iter().filter(|entry| entry.rrn == rrn).collect()
    }
}

async fn bank(name: &str, dialect: &str, key: &str) -> Tested<Bank> {
    let keyed = |as_this: &str| (key == as_this).then(|| MAK.to_owned());
    let speaker = SpeakerSpec {
        dialect: dialect.to_owned(),
        framing: "2-byte-be-tpdu".to_owned(),
        mak: keyed("mac_key"),
    };
    let spec = BankSpec {
        settlement_date: Some("0101".to_owned()),
        needs_sign_on: true,
        master: keyed("master_key"),
        ..BankSpec::new(name, speaker)
    };
    Ok(Bank::start(spec).await?)
}
