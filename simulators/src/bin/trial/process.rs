//! The programs of the trial: the switch, its banks and its platform, each a process of its own.
//!
//! Contract: found beside this program; what they log goes to files in the trial's folder; none
//! outlives its handle.

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use simulators::bank::settlement::Compared;
use simulators::clock::now;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// From its start till a program says what it has to say.
const START: Duration = Duration::from_secs(30);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// A program of ours, beside this one.
fn program(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    ensure!(path.exists(), "{} is not built: cargo build --release", path.display());
    Ok(path)
}

/// A child that ends with its handle.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    out: PathBuf,
}

impl Process {
    /// Starts one; what it says and logs goes to `NAME.out` and `NAME.log`.
    fn start(
        program_name: &str,
        folder: &Path,
        name: &str,
        args: &[String],
    ) -> anyhow::Result<Self> {
        let out = folder.join(format!("{name}.out"));
        let log =
            File::options().create(true).append(true).open(folder.join(format!("{name}.log")));
        let child = Command::new(program(program_name)?)
            .args(args)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(File::create(&out)?)
            .stderr(log?)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self { child, out })
    }

    /// Waits for a line that begins so; the rest of it.
    fn said(&mut self, begin: &str) -> anyhow::Result<String> {
        let end = now() + START;
        while now() < end {
            let said = std::fs::read_to_string(&self.out)?;
            if let Some(rest) = said.lines().find_map(|line| line.strip_prefix(begin)) {
                return Ok(rest.trim().to_owned());
            }
            ensure!(self.child.try_wait()?.is_none(), "{} has ended: {said}", self.out.display());
            pause(LOOK);
        }
        bail!("{} never said `{begin}`", self.out.display())
    }

    /// Whether it ends within so long, and well.
    pub(crate) fn ends(&mut self, limit: Duration) -> anyhow::Result<()> {
        let end = now() + limit;
        while now() < end {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "{} ended with {status}", self.out.display());
                return Ok(());
            }
            pause(LOOK);
        }
        bail!("{} did not end within {limit:?}", self.out.display())
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.kill();
    }
}

/// Waits; a program of its own may block.
#[expect(clippy::disallowed_methods, reason = "the trial is a program of its own: it may wait")]
pub(crate) fn pause(long: Duration) {
    std::thread::sleep(long);
}

/// A bank.
#[derive(Debug)]
pub(crate) struct Bank {
    _process: Process,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    control: SocketAddr,
    /// Its ledger's file.
    pub(crate) ledger: PathBuf,
}

impl Bank {
    /// Starts one with these further arguments.
    pub(crate) fn start(folder: &Path, name: &str, more: &[&str]) -> anyhow::Result<Self> {
        let ledger = folder.join(format!("{name}.jsonl"));
        let file = ledger.display().to_string();
        let mut args: Vec<String> =
            ["bank", "--name", name, "--control", "0", "--ledger", &file].map(str::to_owned).into();
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        let mut process = Process::start("pointsman-sim", folder, name, &args)?;
        let address = process.said("listening ")?.parse()?;
        let control = process.said("control ")?.parse()?;
        Ok(Self { _process: process, address, control, ledger })
    }

    /// Has it do something; what it answered.
    pub(crate) fn tell(&self, command: &str) -> anyhow::Result<String> {
        let mut line = TcpStream::connect(self.control)?;
        line.set_read_timeout(Some(START))?;
        writeln!(line, "{command}")?;
        let mut told = String::new();
        BufReader::new(line).read_line(&mut told)?;
        Ok(told.trim().to_owned())
    }

    /// What it was asked about its totals.
    pub(crate) fn compared(&self) -> anyhow::Result<Vec<Compared>> {
        Ok(serde_json::from_str(&self.tell("totals")?)?)
    }

    /// How often each habit has struck.
    pub(crate) fn habits(&self) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.tell("habits")?)?)
    }
}

/// The switch.
#[derive(Debug)]
pub(crate) struct Switch {
    process: Process,
    folder: PathBuf,
    admin: SocketAddr,
}

impl Switch {
    /// Starts `serve` on the folder's configuration and waits until it is ready.
    pub(crate) fn start(folder: &Path, admin: SocketAddr) -> anyhow::Result<Self> {
        let config = folder.join("pointsman.toml").display().to_string();
        let args = ["serve", &config, "--log", "warn"].map(str::to_owned);
        let mut process = Process::start("pointsman", folder, "switch", &args)?;
        process.said("ready")?;
        Ok(Self { process, folder: folder.to_owned(), admin })
    }

    /// SIGKILL, and the same again on the same journal.
    pub(crate) fn kill_and_restart(&mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        *self = Self::start(&self.folder, self.admin)?;
        Ok(())
    }

    /// The sum over every series of a metric whose labels contain `labels`.
    pub(crate) fn metric(&self, name: &str, labels: &str) -> anyhow::Result<f64> {
        let mut stream = TcpStream::connect(self.admin)?;
        stream.set_read_timeout(Some(START))?;
        let host = self.admin;
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        let mut page = String::new();
        stream.read_to_string(&mut page)?;
        let mine = |line: &&str| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' '])) && line.contains(labels)
        };
        let values = page.lines().filter(mine).filter_map(|line| line.rsplit(' ').next());
        Ok(values.filter_map(|value| value.parse::<f64>().ok()).sum())
    }

    /// Every item of the desk, as `pointsman desk --json` prints them.
    pub(crate) fn desk(&self) -> anyhow::Result<Vec<Value>> {
        let (mut items, mut after) = (Vec::new(), 0);
        loop {
            let (admin, from) = (self.admin.to_string(), after.to_string());
            let args = ["desk", "--admin", &admin, "--json", "--limit", "500", "--after", &from];
            let output = Command::new(program("pointsman")?).args(args).output()?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.success(), "pointsman desk: {said}");
            let mut page: Value = serde_json::from_slice(&output.stdout)?;
            if let Some(Value::Array(more)) = page.get_mut("items").map(Value::take) {
                items.extend(more);
            }
            match page["next_after"].as_u64() {
                Some(next) => after = next,
                None => return Ok(items),
            }
        }
    }
}

/// The platform.
#[derive(Debug)]
pub(crate) struct Platform {
    /// The process.
    pub(crate) process: Process,
    /// Its ledger's file, written at the end.
    pub(crate) ledger: PathBuf,
}

impl Platform {
    /// Starts one with these further arguments.
    pub(crate) fn start(folder: &Path, more: &[String]) -> anyhow::Result<Self> {
        let ledger = folder.join("shop.jsonl");
        let file = ledger.display().to_string();
        let args = ["platform", "--json", "--ledger", &file].map(str::to_owned);
        let args: Vec<String> = args.into_iter().chain(more.iter().cloned()).collect();
        let process = Process::start("pointsman-sim", folder, "shop", &args)?;
        Ok(Self { process, ledger })
    }
}
