//! The admin listener in bad company: callers who say nothing, say it slowly, ask too much or are
//! not who they should be cost payments nothing, and are told, counted and logged.

use crate::binary::Switch;
use crate::lost_log::trade;
use crate::shop::Shop;
use crate::stage::{CALM, Stage};
use crate::{SOON, Tested, frames, wait_until};
use pointsman::limits::THREADS;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const REFUSED: &str = "pointsman_admin_refused_total";
const TOKEN: &str = "correct-horse-battery";

/// Whether the switch has ended this connection.
fn is_closed(mut stream: &TcpStream) -> bool {
    match stream.set_nonblocking(true).and_then(|()| stream.read(&mut [0; 64])) {
        Ok(len) => len == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

/// Calls so often and says nothing; those that were let in.
fn idle(admin: SocketAddr, callers: usize) -> Tested<Vec<TcpStream>> {
    let mut held = Vec::new();
    for nth in 0..callers {
        held.push(TcpStream::connect(admin)?);
        if nth % 50 == 0 {
            // This process has descriptors to save, too.
            held.retain(|stream| !is_closed(stream));
        }
    }
    Ok(held)
}

/// Becomes the switch with so many descriptors and no more.
fn with_descriptors(most: u32) -> Command {
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit -n {most} && exec \"$0\" \"$@\"")]);
    limited
}

#[test]
fn a_thousand_idle_callers_take_no_descriptor_from_the_journal() -> Tested {
    for most in [256, 1_024] {
        let stage = Stage::new(CALM)?;
        // Two of its sessions trade.
        stage.edit("[platform.shop]", "[platform.shop]\nmax_sessions = 48")?;
        let switch = stage.start_under(with_descriptors(most))?;
        let held = idle(switch.admin, 1_015)?;
        let sessions = idle(switch.door, 46)?;
        // Several segments' worth: each takes a descriptor.
        for nth in 0..3 {
            trade(&switch, nth)?;
        }
        assert!(held.len() < 200, "{} are in", held.len());
        // What is in says nothing and has to go as well.
        wait_until("those turned away are counted", SOON, || {
            Ok(switch.metric(REFUSED, "full").unwrap_or(0.0) >= 900.0)
        })?;
        let open = std::fs::read_dir(format!("/proc/{}/fd", switch.pid()))?.count();
        assert!(open < 220 && sessions.len() == 46, "{open} descriptors are open");
        assert_eq!(switch.metric("pointsman_sessions_refused_total", "")?, 0.0);
        assert!(!switch.logged().contains("open files"), "{}", switch.logged());
        assert_eq!(switch.stop()?, Some(0));
        stage.ask_journal("verify", &["--money"])?;
    }
    Ok(())
}

#[test]
fn sessions_that_do_not_fit_the_descriptors_are_refused_before_anything_is_opened() -> Tested {
    let stage = Stage::new(CALM)?;
    stage.edit("[platform.shop]", "[platform.shop]\nmax_sessions = 1000")?;
    let Err(refused) = Switch::start_under(with_descriptors(1_024), &stage.config(), "none") else {
        return Err("it has started".into());
    };
    let why = refused.to_string();
    let key = "platform.shop.max_sessions: all connections and files together may need ";
    assert!(why.contains(key) && why.contains("may have 1024"), "{why}");
    Ok(())
}

/// The threads of a process by name.
fn threads(pid: u32) -> Tested<Vec<String>> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task"))?;
    let name = |task: std::io::Result<std::fs::DirEntry>| {
        Ok(std::fs::read_to_string(task?.path().join("comm"))?.trim().to_owned())
    };
    let mut names = tasks.map(name).collect::<Tested<Vec<_>>>()?;
    names.sort_unstable();
    Ok(names)
}

#[test]
fn no_thread_is_started_for_a_peer() -> Tested {
    let (_stage, switch, _shop) = Stage::opened(CALM, "info")?;
    // The system keeps 15 letters of a name.
    let known = THREADS.iter().map(|name| name.get(..15).unwrap_or(name)).chain(["pointsman"]);
    let mut known: Vec<_> = known.map(str::to_owned).collect();
    known.sort_unstable();
    let _callers = (idle(switch.admin, 40)?, idle(switch.door, 40)?);
    trade(&switch, 0)?;
    wait_until("only those are there that stay", SOON, || Ok(threads(switch.pid())? == known))
        .map_err(|error| format!("{error}: {:?}", threads(switch.pid())))?;
    assert_eq!(switch.stop()?, Some(0));
    Ok(())
}

#[test]
fn a_head_that_never_ends_is_waited_for_in_vain_and_not_for_long() -> Tested {
    let (_stage, switch, mut shop) = Stage::opened(CALM, "info")?;
    let idle = TcpStream::connect(switch.admin)?;
    let mut slow = TcpStream::connect(switch.admin)?;
    slow.write_all(b"GET /metrics HTTP/1.1\r\nX: ")?;
    assert_eq!(shop.ask_and_wait(&frames::requests()?[0])?.code(), "00");
    wait_until("both are gone", SOON, || {
        // It may be gone already.
        drop(slow.write_all(b"x"));
        Ok(is_closed(&slow) && is_closed(&idle))
    })?;
    assert!(switch.metric(REFUSED, "slow")? >= 1.0);
    assert_eq!(switch.stop()?, Some(0));
    Ok(())
}

/// Status and body of a request with these headers.
fn ask(admin: SocketAddr, line: &str, headers: &[&str], body: &str) -> Tested<(u16, String)> {
    let mut stream = TcpStream::connect(admin)?;
    stream.set_read_timeout(Some(SOON))?;
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let len = body.len();
    write!(stream, "{line} HTTP/1.1\r\n{headers}Content-Length: {len}\r\n\r\n{body}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).ok_or("no status")?.parse()?;
    Ok((status, answer))
}

#[test]
fn who_is_refused_is_told_why_counted_and_logged() -> Tested {
    let stage = Stage::new(CALM)?;
    std::fs::write(stage.folder().join("token"), TOKEN)?;
    stage.edit("[admin]", "[admin]\ntoken = \"file:token\"\nhosts = [\"switch.bank\"]")?;
    let switch = stage.start("info")?;
    let host = format!("Host: {}", switch.admin);
    let port = switch.admin.port();
    let evil = format!("Host: evil.example:{port}");
    let here = format!("Host: localhost:{port}");
    let right = format!("Authorization: Bearer {TOKEN}");
    let (wrong, json) =
        ("Authorization: Bearer guess-guess-guess", "Content-Type: application/json");
    let (list, move_on) = ("GET /desk", "POST /books/river/cutover");
    let anna = r#"{"operator":"anna"}"#;
    let cases: [(&str, &[&str], &str, u16, &str); 11] = [
        (list, &[&host, &right], "", 200, ""),
        (list, &[&here, &right], "", 200, ""),
        (list, &["Host: switch.bank", &right], "", 200, ""),
        ("GET /metrics", &[&evil], "", 421, "host"),
        (list, &[&evil, &right], "", 421, "host"),
        (list, &[&right], "", 421, "host"),
        (list, &[&host, &evil, &right], "", 421, "host"),
        (move_on, &[&host, &right, "Content-Type: text/plain"], anna, 415, "content_type"),
        (move_on, &[&host, &right], anna, 415, "content_type"),
        (move_on, &[&host, json], anna, 401, "token"),
        (list, &[&host, &right, "Origin: http://localhost"], "", 403, "origin"),
    ];
    for (line, headers, body, expected, reason) in cases {
        let before = switch.metric(REFUSED, reason)?;
        let (status, answer) = ask(switch.admin, line, headers, body)?;
        assert_eq!(status, expected, "{line} {headers:?}: {answer}");
        if !reason.is_empty() {
            assert_eq!(switch.metric(REFUSED, reason)?, before + 1.0, "{line} {headers:?}");
            assert!(answer.contains("\"error\""), "{answer}");
            wait_until("the log says so", SOON, || {
                Ok(switch.logged().contains(&format!("reason=\"{reason}\"")))
            })?;
        }
    }
    for _ in 0..100 {
        assert_eq!(ask(switch.admin, list, &[&host, wrong], "")?.0, 401);
    }
    assert!(switch.logged().matches("reason=\"token\"").count() < 20, "{}", switch.logged());
    let unknown = "POST /books/4111111111111111/cutover";
    let (status, answer) = ask(switch.admin, unknown, &[&host, &right, json], anna)?;
    assert_eq!(status, 404, "{answer}");
    assert!(!answer.contains("411111"), "{answer}");
    assert_eq!(switch.stop()?, Some(0));
    Ok(())
}

/// How long each of forty purchases takes, sorted.
fn times(shop: &mut Shop, nth: usize) -> Tested<Vec<Duration>> {
    let requests = frames::requests()?;
    let purchases = requests.iter().filter(|r| r.kind == "purchase").skip(nth * 40).take(40);
    let mut times = Vec::new();
    for asked in purchases {
        let begun = Instant::now();
        assert_eq!(shop.ask_and_wait(asked)?.code(), "00");
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    Ok(times)
}

#[test]
fn greedy_callers_take_their_time_from_each_other() -> Tested {
    let (_stage, switch, mut shop) = Stage::opened(CALM, "warn")?;
    let alone = times(&mut shop, 0)?;
    let (admin, over) = (switch.admin, AtomicBool::new(false));
    let beside = std::thread::scope(|scope| {
        for nth in 0..8 {
            let path = ["/metrics", "/desk?limit=1000"][nth % 2];
            let (over, host) = (&over, format!("Host: {admin}"));
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    // Some are turned away for want of room.
                    drop(ask(admin, &format!("GET {path}"), &[&host], ""));
                }
            });
        }
        let idle = idle(admin, 500);
        let beside = times(&mut shop, 1);
        over.store(true, Ordering::Relaxed);
        drop(idle);
        beside
    })?;
    let (median, late) = (beside[beside.len() / 2], beside[beside.len() - 2]);
    println!("alone {:?} / {:?}, beside them {median:?} / {late:?}", alone[20], alone[38]);
    assert!(median < alone[20] * 10 + Duration::from_millis(100), "{median:?} after {alone:?}");
    assert_eq!(switch.stop()?, Some(0));
    Ok(())
}
