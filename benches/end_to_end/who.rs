//! Who is measured: the load alone, the relays, and the switch before each kind of bank.
//!
//! Contract: every subject but the first is a process of its own, told its bank's address. The
//! bank of a subject speaks what the subject is configured for. Deliberately absent: which bank
//! bytes look like how (`wire`, `union_pay`).

use super::load::{self, Pace};
use super::subject::Subject;
use super::{union_pay, wire};
use pointsman::crypto::MacAlgorithm;
use std::io;
use std::path::Path;
use std::process::Command;

/// Lines to the bank, for relays and switch alike.
pub(crate) const LINES: usize = 2;
/// Requests that the switch remembers to find duplicates.
pub(crate) const WINDOW: u64 = 1_000_000;

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// The load speaks to the bank itself.
    Direct,
    /// A relay that cuts frames and matches STANs, on one thread.
    Framing,
    /// The same on two.
    FramingTwo,
    /// The relay on one thread, durable at both points (the journal has a thread more).
    Durable,
    /// The same on two.
    DurableTwo,
    /// The switch, an ASCII platform and a bank in BCD behind a TPDU.
    Bcd,
    /// The switch, the same platform and a bank as UnionPay terminals know it, without MACs.
    UnionPay,
    /// The same with the dialect's own MAC, the fold, under a key of sixteen bytes.
    UnionPayFold,
    /// The same with the retail MAC (ANSI X9.19).
    UnionPayRetail,
}

impl Who {
    /// Everybody, in the order of a round.
    pub(crate) const ALL: [Self; 9] = [
        Self::Direct,
        Self::Framing,
        Self::FramingTwo,
        Self::Durable,
        Self::DurableTwo,
        Self::Bcd,
        Self::UnionPay,
        Self::UnionPayFold,
        Self::UnionPayRetail,
    ];
    /// The switch where no MAC is made: those that the goals are about.
    pub(crate) const SWITCHES: [Self; 2] = [Self::Bcd, Self::UnionPay];

    /// Its name in the rows.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Framing => "framing-relay",
            Self::FramingTwo => "framing-relay-2",
            Self::Durable => "durable-relay",
            Self::DurableTwo => "durable-relay-2",
            Self::Bcd => "switch-bcd",
            Self::UnionPay => "switch-unionpay",
            Self::UnionPayFold => "switch-unionpay-mac",
            Self::UnionPayRetail => "switch-unionpay-retail-mac",
        }
    }

    /// Whether it is the switch, whatever its bank.
    pub(crate) fn is_switch(self) -> bool {
        self.mac().is_some() || Self::SWITCHES.contains(&self)
    }

    /// Whether it takes part in a case when nobody asked for it by name: what only bounds or
    /// explains the figures of others has fewer cases, or a run would take half an hour.
    pub(crate) fn takes_part(self, pace: Pace) -> bool {
        match self {
            Self::Direct | Self::Framing | Self::Durable | Self::Bcd => true,
            Self::FramingTwo | Self::DurableTwo => {
                matches!(pace, Pace::Closed(_) | Pace::Open(5_000))
            }
            Self::UnionPay => matches!(pace, Pace::Closed(16 | 1_024) | Pace::Open(5_000)),
            Self::UnionPayFold | Self::UnionPayRetail => matches!(pace, Pace::Closed(16 | 1_024)),
        }
    }

    fn mac(self) -> Option<MacAlgorithm> {
        match self {
            Self::UnionPayFold => Some(MacAlgorithm::EcbFold),
            Self::UnionPayRetail => Some(MacAlgorithm::X919),
            _ => None,
        }
    }

    /// Starts its bank beside the load; the address.
    pub(crate) async fn bank(self) -> io::Result<String> {
        match self {
            Self::UnionPay => load::bank(|frame, out| union_pay::answer(None, frame, out)).await,
            Self::UnionPayFold | Self::UnionPayRetail => {
                let key = self.mac().map(union_pay::key).transpose()?;
                load::bank(move |frame, out| union_pay::answer(key.as_ref(), frame, out)).await
            }
            Self::Bcd => load::bank(|frame, out| wire::answer(&wire::BCD, frame, out)).await,
            _ => load::bank(|frame, out| wire::answer(&wire::ASCII, frame, out)).await,
        }
    }

    /// Starts it before its bank; `None` where there is nothing between load and bank.
    pub(crate) fn start(self, bank: &str, folder: &Path) -> io::Result<Option<Subject>> {
        let relay = |threads: &str, journal: Option<&Path>| {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["relay", bank, threads]).args(journal);
            Subject::start(command, false, |_| {}).map(Some)
        };
        match self {
            Self::Direct => Ok(None),
            Self::Framing => relay("1", None),
            Self::FramingTwo => relay("2", None),
            Self::Durable => relay("1", Some(folder)),
            Self::DurableTwo => relay("2", Some(folder)),
            Self::Bcd | Self::UnionPay | Self::UnionPayFold | Self::UnionPayRetail => {
                let config = folder.join("bench.toml");
                std::fs::write(&config, self.configuration(bank))?;
                std::fs::write(folder.join("mak.hex"), union_pay::MAK)?;
                std::fs::write(folder.join("without-mac.toml"), union_pay::WITHOUT_MAC)?;
                let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
                command.arg("serve").arg(config).env("RUST_LOG", "error");
                Subject::start(command, true, |_| {}).map(Some)
            }
        }
    }

    /// What the configuration says of its bank's messages.
    fn bank_table(self) -> String {
        if self == Self::Bcd {
            return "dialect = \"iso8583-1987-bcd\"\nsign_on = \"no\"\n".to_owned();
        }
        // Its terminal signs in on every line, and hears the batch that F60 then names.
        let dialect = self.mac().map_or("without-mac", |_| "unionpay-pos");
        let mut table = format!("dialect = \"{dialect}\"\nheader = \"{}\"\n", union_pay::HEADER);
        if let Some(algorithm) = self.mac() {
            // The field is eight bytes wide: the retail MAC is eight raw ones, the fold text.
            let name = algorithm.name();
            table += &format!("mac_key = \"file:mak.hex\"\nmac = {{ algorithm = \"{name}\" }}\n");
        }
        table
    }

    fn configuration(self, bank: &str) -> String {
        let bank_table = self.bank_table();
        let terminal = if self == Self::Bcd {
            ""
        } else {
            "[[bank.river.terminal]]\nterminal = \"RIV00001\"\nmerchant = \"RIVER0000000001\"\n"
        };
        let line = format!("[[bank.river.line]]\nconnect = [\"{bank}\"]\nfirst_retry_ms = 10\n");
        format!(
            "[journal]\nfolder = \"journal\"\nsegment_bytes = 67108864\n\
         [duplicates]\ncount = {WINDOW}\n\
         [platform.shop]\nlisten = \"127.0.0.1:0\"\ndialect = \"iso8583-1987-ascii\"\n\
         framing = \"2-byte-be\"\nmax_in_flight = 4096\n\
         [bank.river]\n{bank_table}framing = \"2-byte-be-tpdu\"\n\
         tpdu = \"6000010002\"\nwindow = 4096\ndefault_merchant = \"RIVER0000000001\"\n\
         default_terminal = \"RIV00001\"\n{terminal}{}\
         [[route]]\nname = \"all\"\nbank = \"river\"\n",
            line.repeat(LINES)
        )
    }
}
