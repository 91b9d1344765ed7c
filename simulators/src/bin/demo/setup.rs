//! The scenery: two banks, the reference configuration adapted to free ports and a temporary
//! folder, the switch started with it.

use crate::switch::SwitchProcess;
use anyhow::{Context, anyhow};
use simulators::bank::rules::Rules;
use simulators::bank::{Bank, BankSpec};
use simulators::platform::PlatformSpec;
use simulators::platform::desk::Patience;
use simulators::platform::mix::{Mix, Pool};
use simulators::speaker::SpeakerSpec;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use toml::{Table, Value};

/// The commented reference configuration; the demo runs this very file.
const REFERENCE: &str = include_str!("../../../../specs/examples/demo.toml");
/// The key of its UnionPay line.
const MAK: &str = include_str!("../../../../specs/examples/demo-mak.hex");
/// Wraps the demo journal's data key; it protects a temporary folder of test cards.
pub(crate) const JOURNAL_KEY: &str =
    "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F";

/// What banks decline: amounts that end so.
const RULES: &str = "
    [[rule]]
    amount_ends = 51
    answer = '51'
    [[rule]]
    amount_ends = 5
    answer = '05'
";

/// Everything that stands on the stage before the first request.
pub(crate) struct Scenery {
    /// Holds everything below; gone with it.
    pub(crate) folder: TempDir,
    /// Where the journal is.
    pub(crate) journal: PathBuf,
    /// ISO 8583:1987 in BCD.
    pub(crate) river: Bank,
    /// UnionPay POS with MACs.
    pub(crate) mountain: Bank,
    /// The switch, ready.
    pub(crate) switch: SwitchProcess,
    /// The shop, not asking yet.
    pub(crate) shop: PlatformSpec,
}

/// Builds it.
pub(crate) async fn build(rate: u32) -> anyhow::Result<Scenery> {
    let folder = TempDir::with_prefix("pointsman-demo-").context("temporary folder")?;
    let mut config: Table = REFERENCE.parse().context("specs/examples/demo.toml")?;
    let river = bank(&config, "river").await?;
    let mountain = bank(&config, "mountain").await?;
    adapt(&mut config, &[("river", river.address()), ("mountain", mountain.address())])?;
    let path = write(folder.path(), &config)?;
    let switch = SwitchProcess::start(&path, folder.path()).await?;
    let platform = table(&mut config, &["platform", "shop"])?;
    let speaker = speaker(platform, None)?;
    let shop = shop(speaker, switch.platform(), f64::from(rate));
    let journal = folder.path().join("journal");
    Ok(Scenery { folder, journal, river, mountain, switch, shop })
}

async fn bank(config: &Table, name: &str) -> anyhow::Result<Bank> {
    let mut config = config.clone();
    let settings = table(&mut config, &["bank", name])?;
    let mak = settings.contains_key("mac_key").then(|| MAK.trim().to_owned());
    let mut spec = BankSpec::new(name, speaker(settings, mak)?);
    spec.rules = Rules::parse(RULES).context("rules")?;
    spec.needs_sign_on = true;
    Bank::start(spec).await
}

fn speaker(settings: &Table, mak: Option<String>) -> anyhow::Result<SpeakerSpec> {
    let text = |key: &str| {
        let value = settings.get(key).and_then(Value::as_str);
        value.map(str::to_owned).ok_or_else(|| anyhow!("demo.toml: no `{key}`"))
    };
    Ok(SpeakerSpec { dialect: text("dialect")?, framing: text("framing")?, mak })
}

/// Ports the OS picks, a journal of our own.
fn adapt(config: &mut Table, banks: &[(&str, SocketAddr)]) -> anyhow::Result<()> {
    let free = || Value::from("127.0.0.1:0");
    table(config, &["admin"])?.insert("address".to_owned(), free());
    table(config, &["platform", "shop"])?.insert("listen".to_owned(), free());
    let journal = table(config, &["journal"])?;
    journal.insert("folder".to_owned(), Value::from("journal"));
    journal.insert("key".to_owned(), Value::from("file:journal-key.hex"));
    for (bank, address) in banks {
        let lines = table(config, &["bank", bank])?.get_mut("line").and_then(Value::as_array_mut);
        let line = lines.and_then(|lines| lines.first_mut()).and_then(Value::as_table_mut);
        let line = line.with_context(|| format!("demo.toml: bank {bank} has no line"))?;
        line.insert("connect".to_owned(), Value::from(vec![address.to_string()]));
    }
    Ok(())
}

fn table<'c>(config: &'c mut Table, path: &[&str]) -> anyhow::Result<&'c mut Table> {
    let mut at = config;
    for key in path {
        let next = at.get_mut(*key).and_then(Value::as_table_mut);
        at = next.with_context(|| format!("demo.toml: no section {}", path.join(".")))?;
    }
    Ok(at)
}

fn write(folder: &Path, config: &Table) -> anyhow::Result<PathBuf> {
    let path = folder.join("demo.toml");
    fs::write(folder.join("demo-mak.hex"), MAK)?;
    fs::write(folder.join("journal-key.hex"), JOURNAL_KEY)?;
    fs::write(&path, config.to_string())?;
    Ok(path)
}

fn shop(speaker: SpeakerSpec, address: SocketAddr, rate: f64) -> PlatformSpec {
    let mut spec = PlatformSpec::new(address, speaker);
    spec.connections = 4;
    spec.rate = rate;
    spec.mix = Mix {
        pools: vec![
            Pool::of_scheme("visa", "840", [40, 6, 4, 4]),
            Pool::of_scheme("mastercard", "978", [12, 0, 2, 0]),
            // A refund has no reversal in UnionPay: it would be the desk's, and the story is long.
            Pool::of_scheme("unionpay", "156", [24, 5, 0, 3]),
        ],
        amount: [100, 99_999],
        counted: false,
        habits: Vec::new(),
        customer_reversals_per_mille: 15,
        repeats_per_mille: 10,
        acquirer: "10000001".to_owned(),
        terminals: ["SHOP0001", "SHOP0002", "SHOP0003"]
            .map(|terminal| ("SHOP00000000001".to_owned(), terminal.to_owned()))
            .to_vec(),
    };
    spec.patience = Patience {
        timeout: Duration::from_secs(5),
        reversal_retry: Duration::from_secs(1),
        repeat_after: None,
        repeat_after_loss: Some(Duration::from_secs(2)),
    };
    spec
}
