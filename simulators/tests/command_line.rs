//! `pointsman-sim` as people and scripts use it: processes, ports, words.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

const SIM: &str = env!("CARGO_BIN_EXE_pointsman-sim");

/// A process that does not outlive the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(arguments: &[&str]) -> (Running, BufReader<ChildStdout>) {
    let mut command = Command::new(SIM);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (Running(child), out)
}

fn address(out: &mut BufReader<ChildStdout>, what: &str) -> String {
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let (said, address) = line.trim().split_once(' ').unwrap();
    assert_eq!(said, what);
    address.to_owned()
}

fn run(arguments: &[&str]) -> Output {
    Command::new(SIM).args(arguments).output().unwrap()
}

#[test]
fn a_bank_and_a_platform_meet_over_a_proxy() {
    let (_bank, mut out) = start(&["bank", "--name", "corner", "--control", "0"]);
    let (bank, control) = (address(&mut out, "listening"), address(&mut out, "control"));
    let (_proxy, mut out) = start(&["proxy", "--target", &bank]);
    let proxy = address(&mut out, "listening");
    let asked = ["platform", "--connect", &proxy, "--rate", "200", "--seconds", "0.5", "--json"];
    let output = run(&asked);
    assert!(output.status.success(), "{output:?}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["settled"], &report["counts"]["sent"]), (&true.into(), &100.into()));
    assert_eq!(report["latency"]["all"]["count"], 100);
    let mut control = TcpStream::connect(control).unwrap();
    control.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    control.write_all(b"explode\nsilent 1\nledger\n").unwrap();
    let mut lines = BufReader::new(control).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "not a command: `explode`");
    assert_eq!(lines.next().unwrap(), "ok");
    let entries = lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>();
    assert!(entries.len() >= 100 && entries[0].contains("\"bank\":\"corner\""));
}

#[test]
fn a_ledger_file_has_a_line_for_every_entry() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bank.jsonl");
    let ledger = path.to_str().unwrap();
    let (_bank, mut out) = start(&["bank", "--ledger", ledger]);
    let bank = address(&mut out, "listening");
    let output = run(&["platform", "--connect", &bank, "--rate", "100", "--seconds", "0.2"]);
    assert!(output.status.success(), "{output:?}");
    let mut text = String::new();
    std::fs::File::open(&path).unwrap().read_to_string(&mut text).unwrap();
    assert!(text.lines().count() >= 20);
    let first: simulators::bank::ledger::Entry =
        serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(first.no, 1);
}

#[test]
fn wrong_input_is_told_apart_from_wrong_usage() {
    let wrong = run(&["bank", "--dialect", "esperanto"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("esperanto"));
    assert_eq!(run(&["bank", "--no-such-option"]).status.code(), Some(2));
    assert_eq!(run(&["platform", "--connect", "nowhere"]).status.code(), Some(2));
}
