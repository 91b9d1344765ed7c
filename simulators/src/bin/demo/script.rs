//! The play: what goes wrong when, and what is told about it.
//!
//! Contract: every act waits for the effect it needs (requests in the silent bank's hands
//! before the kill, all reversals acknowledged before the end), so that the outcome does not
//! hang on the machine's mood.

use crate::metrics::{Metrics, add, fetch};
use crate::narrator::Narrator;
use crate::setup::Scenery;
use crate::switch::SwitchProcess;
use anyhow::{Context, ensure};
use simulators::bank::Bank;
use simulators::bank::teller::Counts as BankCounts;
use simulators::platform::{Platform, Snapshot};
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// Everything the judge needs, after the switch has ended.
pub(crate) struct Ended {
    /// Still there, so that it can be read.
    pub(crate) folder: TempDir,
    /// Where the journal is.
    pub(crate) journal: PathBuf,
    /// The platform's ledger, counts and latencies.
    pub(crate) shop: Snapshot,
    /// Whether the platform's ledger is settled.
    pub(crate) settled: bool,
    /// Entries of all banks.
    pub(crate) banks: Vec<simulators::bank::ledger::Entry>,
    /// Counts of all banks.
    pub(crate) bank_counts: [BankCounts; 2],
    /// Buckets of the switch's own time, over both of its lives.
    pub(crate) own_seconds: Vec<(f64, f64)>,
}

struct Player<'n> {
    narrator: &'n Narrator,
    folder: TempDir,
    journal: PathBuf,
    river: Bank,
    mountain: Bank,
    shop: Platform,
    /// Acts are written for 16 seconds and stretched.
    stretch: f64,
    last: Metrics,
    /// Repeats of the shop that were told of.
    repeats: u64,
    own_seconds: Vec<(f64, f64)>,
}

const OWN_SECONDS: &str = "pointsman_own_seconds";
const TICK: Duration = Duration::from_millis(100);
/// For everything that surely comes, on any machine.
const LIMIT: Duration = Duration::from_secs(40);
/// Longer than the switch waits for a bank (demo.toml: 2 s), shorter than an original lives.
const LATE: &str = "late 2600 25";

/// Plays all acts.
pub(crate) async fn play(
    scenery: Scenery,
    narrator: &Narrator,
    seconds: u32,
) -> anyhow::Result<Ended> {
    let Scenery { folder, journal, river, mountain, switch, shop } = scenery;
    narrator
        .tell(&format!("two banks are open and the switch is ready (process {})", switch.pid()));
    let shop = Platform::start(shop)?;
    let stretch = f64::from(seconds) / 16.0;
    let (last, own_seconds) = (Metrics::default(), Vec::new());
    let mut player = Player {
        narrator,
        folder,
        journal,
        river,
        mountain,
        shop,
        stretch,
        last,
        repeats: 0,
        own_seconds,
    };
    player.late_answers(&switch).await?;
    let switch = player.silence_and_kill(switch).await?;
    player.spoilt_answers(&switch).await?;
    player.until(&switch, 16.0).await;
    player.heal(switch).await
}

fn order(bank: &Bank, command: &str) -> anyhow::Result<()> {
    bank.command(&command.parse().context("a command of the play")?);
    Ok(())
}

impl Player<'_> {
    /// Lets time pass, telling what happens.
    async fn until(&mut self, switch: &SwitchProcess, second: f64) {
        let end = Duration::from_secs_f64(second * self.stretch);
        let mut ticks = 0;
        while self.narrator.elapsed() < end {
            self.tick(switch, &mut ticks).await;
        }
    }

    async fn tick(&mut self, switch: &SwitchProcess, ticks: &mut u32) {
        tokio::time::sleep(TICK).await;
        let counts = self.shop.counts();
        let status = format!("{} asked, {} approved", counts.sent, counts.approved);
        self.narrator.tick(&status);
        *ticks += 1;
        if ticks.is_multiple_of(10) {
            self.tell_changes(switch).await;
        }
    }

    async fn late_answers(&mut self, switch: &SwitchProcess) -> anyhow::Result<()> {
        self.until(switch, 1.0).await;
        self.narrator.tell("the shop is selling; both banks answer");
        self.until(switch, 2.0).await;
        self.narrator.break_it("river answers its next 25 requests after 2.6 s; we wait 2 s");
        order(&self.river, LATE)?;
        let asked = self.narrator.elapsed();
        let mut ticks = 0;
        while self.river.counts().late < 25 {
            let waited = self.narrator.elapsed().saturating_sub(asked);
            ensure!(waited < LIMIT, "no request reached the late bank");
            self.tick(switch, &mut ticks).await;
        }
        // The last of them is answered now + 2.6 s; the kill must not come before.
        let answered = self.narrator.elapsed() + Duration::from_secs(3);
        while self.narrator.elapsed() < answered {
            self.tick(switch, &mut ticks).await;
        }
        self.until(switch, 5.5).await;
        Ok(())
    }

    async fn silence_and_kill(&mut self, switch: SwitchProcess) -> anyhow::Result<SwitchProcess> {
        self.narrator.break_it("mountain goes silent: it books everything and says nothing");
        order(&self.mountain, "silent on")?;
        let before = self.mountain.counts().muted;
        let silent_since = self.narrator.elapsed();
        let mut ticks = 0;
        // So soon that none of them has timed out, so late that there are some.
        while self.narrator.elapsed() < silent_since + Duration::from_millis(1_200)
            || self.mountain.counts().muted < before + 5
        {
            let waited = self.narrator.elapsed().saturating_sub(silent_since);
            ensure!(waited < LIMIT, "no request reached the silent bank");
            self.tick(&switch, &mut ticks).await;
        }
        let switch = self.kill_and_restart(switch).await?;
        let end = self.narrator.elapsed() + Duration::from_secs(2);
        while self.narrator.elapsed() < end {
            self.tick(&switch, &mut ticks).await;
        }
        self.narrator.tell("mountain speaks again");
        order(&self.mountain, "heal")?;
        Ok(switch)
    }

    async fn kill_and_restart(&mut self, switch: SwitchProcess) -> anyhow::Result<SwitchProcess> {
        if let Some(metrics) = fetch(switch.admin()).await {
            self.own_seconds = add(&metrics.buckets(OWN_SECONDS), &self.own_seconds);
        }
        let mut switch = switch;
        let pid = switch.pid();
        switch.kill().await?;
        let told = "kill -9: the switch is gone, with requests in mountain's hands";
        self.narrator.break_it(&format!("{told} (process {pid})"));
        let began = self.narrator.elapsed();
        let switch = switch.restart().await.context("after the kill")?;
        self.shop.set_address(switch.platform());
        let took = self.narrator.elapsed().saturating_sub(began).as_millis();
        let pid = switch.pid();
        self.narrator.tell(&format!("it is back after {took} ms and has read its journal ({pid})"));
        self.last = Metrics::default();
        self.tell_changes(&switch).await;
        Ok(switch)
    }

    async fn spoilt_answers(&mut self, switch: &SwitchProcess) -> anyhow::Result<()> {
        self.until(switch, 11.0).await;
        self.narrator
            .break_it("mountain sends 3 wrong MACs, river 10 answers twice and 3 of nonsense");
        order(&self.mountain, "wrong-mac 3")?;
        order(&self.river, "duplicate 10")?;
        order(&self.river, "garbage 3")?;
        self.until(switch, 13.0).await;
        self.narrator.break_it("river hangs up on us");
        order(&self.river, "disconnect")
    }

    /// The shop stops asking; everything that is owed is paid; the switch ends.
    async fn heal(mut self, switch: SwitchProcess) -> anyhow::Result<Ended> {
        self.narrator.tell("the shop closes; what is still owed is paid now");
        order(&self.river, "heal")?;
        let settled = self.shop.drain(LIMIT).await;
        let calm = self.calm(&switch).await;
        self.tell_changes(&switch).await;
        if let Some(metrics) = fetch(switch.admin()).await {
            self.own_seconds = add(&metrics.buckets(OWN_SECONDS), &self.own_seconds);
        }
        let said = if calm { "all debts are paid" } else { "debts remain" };
        self.narrator.tell(&format!("{said}; the switch is asked to end"));
        switch.end().await?;
        let banks = [self.river.ledger(), self.mountain.ledger()].concat();
        Ok(Ended {
            bank_counts: [self.river.counts(), self.mountain.counts()],
            shop: self.shop.snapshot(),
            settled,
            banks,
            folder: self.folder,
            journal: self.journal,
            own_seconds: self.own_seconds,
        })
    }

    /// Until nothing is owed and nothing in flight, twice in a row.
    async fn calm(&mut self, switch: &SwitchProcess) -> bool {
        let end = self.narrator.elapsed() + LIMIT;
        let (mut quiet, mut ticks) = (0, 0);
        while quiet < 3 && self.narrator.elapsed() < end {
            self.tick(switch, &mut ticks).await;
            let owed = fetch(switch.admin()).await.map_or(1.0, |metrics| {
                metrics.sum("pointsman_saf_depth", &[]) + metrics.sum("pointsman_inflight", &[])
            });
            quiet = if owed == 0.0 { quiet + 1 } else { 0 };
        }
        quiet >= 3
    }

    /// What the switch's own counters say has happened since they were last read.
    async fn tell_changes(&mut self, switch: &SwitchProcess) {
        let Some(metrics) = fetch(switch.admin()).await else { return };
        let repeats = self.shop.counts().repeats;
        if repeats >= self.repeats + 20 {
            let count = repeats - self.repeats;
            let what = "requests it cannot be sure of after the lost connection";
            self.narrator.tell(&format!("   the shop repeats {count} {what}"));
        }
        self.repeats = repeats;
        for bank in ["river", "mountain"] {
            let label = format!("bank=\"{bank}\"");
            let grown = |name: &str, more: &str| {
                let of = |metrics: &Metrics| metrics.sum(name, &[&label, more]);
                (of(&metrics) - of(&self.last)) as i64
            };
            let tell = |count: i64, least: i64, what: &str| {
                if count >= least {
                    self.narrator.tell(&format!("   {bank}: {count} {what}"));
                }
            };
            tell(
                grown("pointsman_reversals_total", "step=\"recovered\""),
                1,
                "legs found unfinished in the journal: each owes a reversal",
            );
            tell(
                grown("pointsman_timeouts_total", ""),
                1,
                "requests without an answer in time: declined, reversals on their way",
            );
            tell(
                grown("pointsman_late_responses_total", "meaning=\"approved\""),
                1,
                "late approvals caught: nobody is told, the money goes back",
            );
            let line = format!("line=\"{bank}-1\"");
            let garbled = |metrics: &Metrics| metrics.sum("pointsman_garbled_total", &[&line]);
            tell(
                (garbled(&metrics) - garbled(&self.last)) as i64,
                1,
                "messages of nonsense: written down as such, believed by nobody",
            );
            tell(
                grown("pointsman_reversals_total", "step=\"closed\""),
                5,
                "reversals acknowledged",
            );
        }
        self.last = metrics;
    }
}
