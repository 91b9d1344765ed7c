//! What is measured: a process of its own, whose CPU time and memory the system counts.

use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A running relay or switch; killed when dropped.
pub(crate) struct Subject {
    child: Child,
    /// Its process id.
    pub(crate) id: u32,
    /// `host:port` of its platform door.
    pub(crate) door: String,
}

/// CPU microseconds and resident memory of a process.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// User and system time so far, in microseconds.
    pub(crate) cpu_micros: u64,
    /// Resident memory in KiB.
    pub(crate) resident_kib: u64,
    /// The most it ever was.
    pub(crate) peak_kib: u64,
}

impl Subject {
    /// Starts `command` and waits for the line with its address (and `ready`, where `ready`);
    /// `told` hears every line until then.
    pub(crate) fn start(
        mut command: Command,
        ready: bool,
        mut told: impl FnMut(&str),
    ) -> io::Result<Self> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let id = child.id();
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no stdout"))?;
        let (mut door, mut lines) = (None, BufReader::new(stdout).lines());
        for line in lines.by_ref() {
            let line = line?;
            told(&line);
            if let (true, Some(at)) = (line.starts_with("listening"), line.find("address=")) {
                door = Some(line[at + 8..].trim().to_owned());
            }
            if door.is_some() && (!ready || line.starts_with("ready")) {
                break;
            }
        }
        // Whatever else it prints must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let door =
            door.ok_or_else(|| io::Error::other("the subject did not say where it listens"))?;
        Ok(Self { child, id, door })
    }

    /// What it used so far.
    pub(crate) fn usage(&self) -> io::Result<Usage> {
        let id = self.id;
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let ticks = |index: usize| -> u64 {
            after_name.split_whitespace().nth(index).and_then(|t| t.parse().ok()).unwrap_or(0)
        };
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next());
            number.and_then(|kib| kib.parse().ok()).unwrap_or(0)
        };
        // The clock tick is 10 ms on every Linux of today (sysconf(_SC_CLK_TCK) = 100).
        let cpu_micros = (ticks(11) + ticks(12)) * 10_000;
        Ok(Usage { cpu_micros, resident_kib: kib("VmRSS:"), peak_kib: kib("VmHWM:") })
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
