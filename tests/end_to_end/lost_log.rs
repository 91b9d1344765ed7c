//! Logs that take nothing: the log may be lost, payments may not.
//!
//! Each switch has a standard error that fails, has lost its reader or is read by nobody, answers
//! every request meanwhile, and ends as it was asked to.

use crate::binary::Switch;
use crate::frames;
use crate::shop::Shop;
use crate::stage::{CALM, Stage, has_its_banks};
use crate::{SOON, Tested, wait_until};
use std::fs::{self, File};
use std::io::{PipeReader, PipeWriter, Write, pipe};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

/// Requests that make log lines: the nth forty.
pub(crate) fn trade(switch: &Switch, nth: usize) -> Tested {
    let requests = frames::requests()?;
    let mut shop = Shop::new(SOON);
    shop.call(switch.door)?;
    for asked in requests.iter().filter(|r| r.kind == "purchase").skip(nth * 40).take(40) {
        assert_eq!(shop.ask_and_wait(asked)?.code(), "00");
    }
    Ok(())
}

fn ends_well(switch: Switch) -> Tested {
    assert_eq!(switch.stop()?, Some(0));
    Ok(())
}

#[test]
fn a_full_disk_under_the_log_loses_lines_and_no_payment() -> Tested {
    let stage = Stage::new(CALM)?;
    let full = File::options().write(true).open("/dev/full")?;
    let switch = Switch::start_telling(&stage.config(), &["--log", "trace"], full.into())?;
    has_its_banks(&switch)?;
    trade(&switch, 0)?;
    assert!(switch.metric("pointsman_log_lost_total", "failed")? > 40.0);
    ends_well(switch)
}

#[test]
fn a_log_whose_reader_has_died_loses_lines_and_no_payment() -> Tested {
    let stage = Stage::new(CALM)?;
    let (reader, writer) = pipe()?;
    let switch = Switch::start_telling(&stage.config(), &["--log", "trace"], writer.into())?;
    has_its_banks(&switch)?;
    trade(&switch, 0)?;
    drop(reader);
    trade(&switch, 1)?;
    assert!(switch.metric("pointsman_log_lost_total", "failed")? > 0.0);
    ends_well(switch)
}

#[test]
fn a_log_that_nobody_reads_holds_up_neither_payments_nor_the_end() -> Tested {
    let stage = Stage::new(CALM)?;
    let (_reader, stuck) = full_pipe()?;
    let switch = Switch::start_telling(&stage.config(), &["--log", "trace"], stuck.into())?;
    has_its_banks(&switch)?;
    trade(&switch, 0)?;
    trade(&switch, 1)?;
    ends_well(switch)
}

/// A pipe that holds all it can and is read by nobody: whoever writes to it waits.
fn full_pipe() -> Tested<(PipeReader, PipeWriter)> {
    let (reader, writer) = pipe()?;
    // A pipe cannot be asked how much it holds: a thread fills it until it waits itself.
    let mut fills = writer.try_clone()?;
    std::thread::spawn(move || while fills.write_all(&[b'.'; 4_096]).is_ok() {});
    std::thread::sleep(Duration::from_millis(300));
    Ok((reader, writer))
}

#[test]
fn a_start_that_fails_says_so_by_its_exit_code_whatever_the_log_takes() -> Tested {
    let stage = Stage::new(CALM)?;
    stage.edit("dialect = \"iso8583-1987-ascii\"", "dialect = \"no-such\"")?;
    let full = File::options().write(true).open("/dev/full")?;
    let (_reader, stuck) = full_pipe()?;
    for error in [Stdio::from(full), stuck.into()] {
        assert_eq!(Switch::begin_telling(&stage.config(), &[], error)?.wait()?, Some(1));
    }
    Ok(())
}

#[test]
fn a_flood_of_one_kind_is_one_line_and_a_number() -> Tested {
    // Of more it would be read no further.
    const FLOOD: usize = 180;
    let (stage, switch, mut shop) = Stage::opened(CALM, "info")?;
    let garbage = [&[0, 8][..], b"0200oops"].concat();
    let mut noise = TcpStream::connect(switch.door)?;
    noise.write_all(&garbage.repeat(FLOOD))?;
    wait_until("all of it was heard", SOON, || {
        Ok(switch.metric("pointsman_garbled_total", "shop")? >= FLOOD as f64)
    })?;
    assert_eq!(shop.ask_and_wait(&frames::requests()?[0])?.code(), "00");
    let folder = stage.folder();
    ends_well(switch)?;
    let log = fs::read_to_string(folder.join("switch-1.err"))?;
    let lines: Vec<&str> = log.lines().filter(|l| l.contains("cannot be understood")).collect();
    let more = |line: &&str| line.split_once(" more like this")?.0.rsplit(' ').next()?.parse().ok();
    let more: Vec<usize> = lines.iter().filter_map(more).collect();
    assert_eq!(lines.len() - more.len() + more.iter().sum::<usize>(), FLOOD, "{log}");
    assert!(lines.len() < 100, "{} lines", lines.len());
    Ok(())
}
