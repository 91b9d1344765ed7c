//! The switch as a process of its own: this very program, started again under another name.
//!
//! Contract: it is started with the adapted configuration, says where it listens and `ready`;
//! its log goes to a file; it can be killed as a power failure would (SIGKILL) and asked to end
//! (SIGTERM). It never outlives its handle.

use crate::AS_SWITCH;
use anyhow::{Context, bail, ensure};
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// A running switch.
#[derive(Debug)]
pub(crate) struct SwitchProcess {
    child: Child,
    config: PathBuf,
    folder: PathBuf,
    platform: SocketAddr,
    admin: SocketAddr,
}

/// From start to ready, on a slow and busy machine.
const START_LIMIT: Duration = Duration::from_secs(20);
/// From SIGTERM to the end.
const END_LIMIT: Duration = Duration::from_secs(20);

impl SwitchProcess {
    /// Starts it and waits until it is ready.
    pub(crate) async fn start(config: &Path, folder: &Path) -> anyhow::Result<Self> {
        let log = File::options().create(true).append(true).open(folder.join("switch.log"))?;
        let mut child = Command::new(std::env::current_exe()?)
            .args([AS_SWITCH, "serve"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the switch")?;
        let out = child.stdout.take().context("the switch has no standard output")?;
        let said = timeout(START_LIMIT, listen(BufReader::new(out))).await;
        let Ok(Ok((platform, admin))) = said else {
            let log = std::fs::read_to_string(folder.join("switch.log")).unwrap_or_default();
            bail!("the switch did not become ready; it said:\n{log}");
        };
        let (config, folder) = (config.to_owned(), folder.to_owned());
        Ok(Self { child, config, folder, platform, admin })
    }

    /// Where the shop connects.
    pub(crate) fn platform(&self) -> SocketAddr {
        self.platform
    }

    /// Where the metrics are.
    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap_or(0)
    }

    /// SIGKILL: no warning, no last word.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("cannot kill the switch")
    }

    /// The same again after a kill: same configuration, same journal.
    pub(crate) async fn restart(self) -> anyhow::Result<Self> {
        Self::start(&self.config, &self.folder).await
    }

    /// SIGTERM; waits for a clean end.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        let kill = Command::new("kill").arg("-TERM").arg(self.pid().to_string()).status().await;
        ensure!(kill.context("kill")?.success(), "the switch was gone before its end");
        let ended = timeout(END_LIMIT, self.child.wait()).await;
        let status = ended.context("the switch did not end when asked")??;
        ensure!(status.success(), "the switch ended with {status}");
        Ok(())
    }
}

/// Reads what the switch announces until `ready`.
async fn listen(
    out: BufReader<tokio::process::ChildStdout>,
) -> anyhow::Result<(SocketAddr, SocketAddr)> {
    let (mut platform, mut admin) = (None, None);
    let mut lines = out.lines();
    while let Some(line) = lines.next_line().await? {
        let address = || line.rsplit_once("address=").and_then(|(_, at)| at.trim().parse().ok());
        match line.split_whitespace().next() {
            Some("listening") => platform = address(),
            Some("admin") => admin = address(),
            Some("ready") => {
                let both = platform.zip(admin);
                // Its standard output stays open until it ends.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return both.context("the switch did not say where it listens");
            }
            _ => {}
        }
    }
    bail!("the switch ended before it was ready")
}
