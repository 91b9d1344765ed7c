//! The real binary as a process: started, watched, killed, stopped, asked.
//!
//! Contract: what it prints goes to files beside its configuration, so that it survives a kill
//! and can be scanned; a process never outlives its handle.

use crate::{SOON, Tested, wait_until};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A running switch.
#[derive(Debug)]
pub(crate) struct Switch {
    child: Child,
    out: PathBuf,
    err: PathBuf,
    /// The platform's door.
    pub(crate) door: SocketAddr,
    /// Health and metrics.
    pub(crate) admin: SocketAddr,
}

impl Switch {
    /// Starts `serve CONFIG` and waits until it is ready. `log` is what it logs; `name` names the
    /// files it prints to, in the folder of the configuration.
    pub(crate) fn start(config: &Path, name: &str, log: &str) -> Tested<Self> {
        Self::start_with(config, name, &["--log", log])
    }

    /// The same with any options.
    pub(crate) fn start_with(config: &Path, name: &str, options: &[&str]) -> Tested<Self> {
        let binary = Command::new(env!("CARGO_BIN_EXE_pointsman"));
        Self::begin(binary, config, name, options)?.until_ready()
    }

    /// Starts it by way of another program, which must become it.
    pub(crate) fn start_under(mut other: Command, config: &Path, name: &str) -> Tested<Self> {
        other.arg(env!("CARGO_BIN_EXE_pointsman"));
        Self::begin(other, config, name, &[])?.until_ready()
    }

    /// Starts a switch that is to crash at this point; `None` if it has before it was ready.
    #[cfg(feature = "faults")]
    pub(crate) fn start_to_crash(config: &Path, name: &str, crash: &str) -> Tested<Option<Self>> {
        let mut binary = Command::new(env!("CARGO_BIN_EXE_pointsman"));
        binary.env("POINTSMAN_CRASH", crash);
        let mut switch = Self::begin(binary, config, name, &["--log", "info"])?;
        let mut dead = false;
        wait_until("the switch is ready, or has crashed", SOON, || {
            dead = switch.has_crashed()?;
            // One that ended between the two looks is seen by the next.
            Ok(dead || switch.is_ready().unwrap_or(false))
        })?;
        if dead {
            return Ok(None);
        }
        switch.find_doors()?;
        Ok(Some(switch))
    }

    /// Whether it ended by SIGKILL; an error if it ended otherwise.
    #[cfg(feature = "faults")]
    pub(crate) fn has_crashed(&mut self) -> Tested<bool> {
        use std::os::unix::process::ExitStatusExt;
        const SIGKILL: i32 = 9;
        match self.child.try_wait()? {
            None => Ok(false),
            Some(status) if status.signal() == Some(SIGKILL) => Ok(true),
            Some(status) => {
                Err(format!("it did not crash but ended with {status}: {}", self.logged()).into())
            }
        }
    }

    fn begin(mut command: Command, config: &Path, name: &str, options: &[&str]) -> Tested<Self> {
        let folder = config.parent().ok_or("no folder")?;
        let (out, err) = (folder.join(format!("{name}.out")), folder.join(format!("{name}.err")));
        command.arg("serve").arg(config).args(options).stderr(File::create(&err)?);
        Self::spawn(command, out, err)
    }

    /// Starts it with a standard error of the test's own.
    pub(crate) fn start_telling(config: &Path, options: &[&str], error: Stdio) -> Tested<Self> {
        Self::begin_telling(config, options, error)?.until_ready()
    }

    /// The same without waiting until it is ready.
    pub(crate) fn begin_telling(config: &Path, options: &[&str], error: Stdio) -> Tested<Self> {
        let folder = config.parent().ok_or("no folder")?;
        let (out, err) = (folder.join("telling.out"), folder.join("telling.err"));
        File::create(&err)?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
        command.arg("serve").arg(config).args(options).stderr(error);
        Self::spawn(command, out, err)
    }

    fn spawn(mut command: Command, out: PathBuf, err: PathBuf) -> Tested<Self> {
        let child = command.stdin(Stdio::null()).stdout(File::create(&out)?).spawn()?;
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Ok(Self { child, out, err, door: nowhere, admin: nowhere })
    }

    fn until_ready(mut self) -> Tested<Self> {
        wait_until("the switch is ready", SOON, || self.is_ready())?;
        self.find_doors()?;
        Ok(self)
    }

    fn find_doors(&mut self) -> Tested {
        self.door = self.address("listening platform=shop")?;
        self.admin = self.address("admin")?;
        Ok(())
    }

    fn is_ready(&mut self) -> Tested<bool> {
        if let Some(status) = self.child.try_wait()? {
            let said = fs::read_to_string(&self.err)?;
            return Err(format!("the switch ended with {status}: {said}").into());
        }
        Ok(fs::read_to_string(&self.out)?.lines().any(|line| line == "ready"))
    }

    /// The address in the line that begins like this.
    fn address(&self, begin: &str) -> Tested<SocketAddr> {
        let said = fs::read_to_string(&self.out)?;
        let mut lines = said.lines().filter_map(|line| line.strip_prefix(begin));
        let address = lines.find_map(|rest| rest.split_once("address=").map(|(_, a)| a.trim()));
        Ok(address.ok_or_else(|| format!("no `{begin}… address=` in: {said}"))?.parse()?)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it with SIGKILL, now.
    pub(crate) fn kill(mut self) -> Tested {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to finish and end: SIGTERM.
    pub(crate) fn ask_to_stop(&self) -> Tested {
        self.signal("TERM")
    }

    /// Sends it the signal of this name.
    pub(crate) fn signal(&self, name: &str) -> Tested {
        let pid = self.child.id().to_string();
        let sent = Command::new("sh").args(["-c", "kill -\"$1\" \"$0\"", &pid, name]).status()?;
        assert!(sent.success(), "SIG{name} could not be sent");
        Ok(())
    }

    /// Ends it with SIGTERM and waits till it is gone; its exit code.
    pub(crate) fn stop(self) -> Tested<Option<i32>> {
        self.ask_to_stop()?;
        self.wait()
    }

    /// Waits till it is gone; its exit code.
    pub(crate) fn wait(mut self) -> Tested<Option<i32>> {
        let mut code = None;
        wait_until("the switch has stopped", SOON, || {
            let status = self.child.try_wait()?;
            code = status.and_then(|s| s.code());
            Ok(status.is_some())
        })?;
        Ok(code)
    }

    /// What it logged so far.
    pub(crate) fn logged(&self) -> String {
        fs::read_to_string(&self.err).unwrap_or_default()
    }

    /// A page of the admin door.
    pub(crate) fn page(&self, path: &str) -> Tested<String> {
        let mut stream = TcpStream::connect(self.admin)?;
        stream.set_read_timeout(Some(SOON))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.admin)?;
        let mut page = Vec::new();
        stream.read_to_end(&mut page)?;
        Ok(String::from_utf8(page)?)
    }

    /// The sum over every series of a metric whose labels contain `labels`.
    pub(crate) fn metric(&self, name: &str, labels: &str) -> Tested<f64> {
        let page = self.page("/metrics")?;
        let mine = |line: &&str| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|r| r.starts_with(['{', ' '])) && line.contains(labels)
        };
        let values = page.lines().filter(mine).filter_map(|l| l.rsplit(' ').next());
        Ok(values.filter_map(|v| v.parse::<f64>().ok()).sum())
    }

    /// Waits until nothing is owed to this bank (any, where the name is empty) and nothing is in
    /// flight, and stays so: gauges are looked at twice a second.
    pub(crate) fn owes_nothing(&self, bank: &str) -> Tested {
        let mut since = Instant::now();
        wait_until("nothing is owed", SOON, || {
            let owed = self.metric("pointsman_saf_depth", bank)?;
            if owed != 0.0 || self.metric("pointsman_inflight", "")? != 0.0 {
                since = Instant::now();
            }
            Ok(since.elapsed() > Duration::from_millis(1_500))
        })
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs a command of the binary to its end.
pub(crate) fn run(arguments: &[&str]) -> Tested<Output> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
    Ok(command.args(arguments).stdin(Stdio::null()).output()?)
}

/// Runs a command that must succeed; what it printed.
pub(crate) fn run_well(arguments: &[&str]) -> Tested<String> {
    let output = run(arguments)?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
    Ok(String::from_utf8(output.stdout)?)
}
