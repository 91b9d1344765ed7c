//! Bytes that no honest platform sends: answered where there is somebody to answer, never
//! forwarded, and nobody else's trouble.

use crate::frames;
use crate::shop::Shop;
use crate::stage::{CALM, HASTY, Stage};
use crate::walk::{Answer, whole_frames};
use crate::{SOON, Tested, wait_until};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// What a session did with bytes and the honest request behind them.
struct Reaction {
    codes: Vec<(String, String)>,
    closed: bool,
}

/// Sends `bytes`, then an honest frame, and listens.
fn provoke(door: SocketAddr, bytes: &[u8], honest: &[u8], answers: usize) -> Tested<Reaction> {
    let mut stream = TcpStream::connect(door)?;
    stream.write_all(bytes)?;
    // The session may be closed already.
    drop(stream.write_all(honest));
    listen(stream, answers)
}

/// Reads until `answers` came or the session is closed.
fn listen(mut stream: TcpStream, answers: usize) -> Tested<Reaction> {
    stream.set_read_timeout(Some(SOON))?;
    let (mut inbox, mut codes, mut closed) = (Vec::new(), Vec::new(), false);
    while codes.len() < answers && !closed {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk) {
            Ok(0) => closed = true,
            Ok(len) => inbox.extend_from_slice(&chunk[..len]),
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => closed = true,
            Err(e) => return Err(e.into()),
        }
        for frame in whole_frames(&mut inbox) {
            let answer = Answer::walk(&frame)?;
            codes.push((answer.get(11).to_owned(), answer.code().to_owned()));
        }
    }
    Ok(Reaction { codes, closed })
}

#[test]
fn what_hangs_gives_its_place_back() -> Tested {
    let stage = Stage::new(HASTY)?;
    stage.edit("margin_ms = 300", "margin_ms = 300\nmax_sessions = 1\nidle_limit_ms = 1_600")?;
    let switch = stage.start("info")?;
    let honest = &frames::requests()?[1].message;
    let mut hangs = TcpStream::connect(switch.door)?;
    hangs.write_all(&honest.at(&simulators::clock::stamp(simulators::clock::now_ms())))?;
    let has_place = listen(hangs.try_clone()?, 1)?;
    assert_eq!(has_place.codes.len(), 1, "what it said got it a place");
    assert!(listen(TcpStream::connect(switch.door)?, 1)?.closed, "there is one place");
    assert!(listen(hangs, 1)?.closed, "it said nothing");
    wait_until("it is told", SOON, || Ok(switch.logged().contains("reason=\"idle\"")))?;
    let mut shop = Shop::new(SOON);
    shop.call(switch.door)?;
    assert_eq!(shop.ask_and_wait(&frames::requests()?[0])?.code(), "00");
    assert_eq!(switch.stop()?, Some(0));
    Ok(())
}

#[test]
fn hostile_bytes_hurt_their_own_session_only() -> Tested {
    let (stage, switch, mut shop) = Stage::opened(CALM, "warn")?;
    let requests = frames::requests()?;
    for (hostile, pair) in frames::hostile()?.iter().zip(requests.chunks(2)) {
        let name = &hostile.name;
        let today = simulators::clock::stamp(simulators::clock::now_ms());
        let honest = pair[0].message.at(&today);
        let before = stage.entries().len();
        let answers = match hostile.expect.as_str() {
            "30" => 2,
            "silence" => 1,
            _ => usize::MAX,
        };
        let reaction = provoke(switch.door, &hostile.bytes, &honest, answers)?;
        let codes: Vec<&str> = reaction.codes.iter().map(|(_, code)| code.as_str()).collect();
        match hostile.expect.as_str() {
            "30" => assert_eq!(codes, ["30", "00"], "{name}"),
            "silence" => assert_eq!(codes, ["00"], "{name}"),
            _ => assert!(reaction.closed && codes.is_empty(), "{name}: {codes:?}"),
        }
        let honest_ones = usize::from(!reaction.closed);
        assert_eq!(stage.entries().len(), before + honest_ones, "{name} reached a bank");
        assert_eq!(shop.ask_and_wait(&pair[1])?.code(), "00", "after {name}");
    }
    assert!(switch.metric("pointsman_garbled_total", "shop")? >= 4.0);
    assert!(switch.metric("pointsman_sessions_ended_total", "shop")? >= 2.0);
    assert_eq!(switch.metric("pointsman_impossible_total", "")?, 0.0);
    Ok(())
}

#[test]
fn a_frame_in_pieces_and_frames_in_one_piece_are_the_same() -> Tested {
    let stage = Stage::new(CALM)?;
    let switch = stage.start("warn")?;
    let today = simulators::clock::stamp(simulators::clock::now_ms());
    let requests = frames::requests()?;
    let frames: Vec<Vec<u8>> = requests[..8].iter().map(|r| r.message.at(&today)).collect();
    let mut stream = TcpStream::connect(switch.door)?;
    stream.set_nodelay(true)?;
    for byte in &frames[0] {
        stream.write_all(std::slice::from_ref(byte))?;
    }
    stream.write_all(&frames[1..].concat())?;
    let reaction = listen(stream, frames.len())?;
    assert!(reaction.codes.iter().all(|(_, code)| code == "00"), "{:?}", reaction.codes);
    let mut stans: Vec<&str> = reaction.codes.iter().map(|(stan, _)| stan.as_str()).collect();
    stans.sort_unstable();
    let asked: Vec<&str> = requests[..8].iter().map(|r| r.stan.as_str()).collect();
    assert_eq!(stans, asked);
    Ok(())
}

#[test]
fn the_same_garbage_has_the_same_hash_in_every_run() -> Tested {
    let stage = Stage::new(CALM)?;
    let all = frames::hostile()?;
    let garbage = all.iter().find(|h| h.expect == "30").ok_or("no garbage")?;
    for _ in 0..2 {
        let (switch, mut shop) = stage.open("error")?;
        shop.send(&garbage.bytes);
        shop.turn_until("a format error", |shop| shop.strays.len() == 1)?;
        assert_eq!(switch.stop()?, Some(0));
    }
    let dump = stage.ask_journal("dump", &["--json"])?;
    let digests: Vec<&str> = dump.lines().filter_map(|l| l.split("\"digest\":\"").nth(1)).collect();
    let digests: Vec<&str> = digests.iter().filter_map(|d| d.split('"').next()).collect();
    assert_eq!(digests.len(), 2, "{dump}");
    assert_eq!(digests[0], digests[1]);
    Ok(())
}

#[test]
fn empty_frames_keep_a_connection_alive_where_that_is_configured() -> Tested {
    let today = simulators::clock::stamp(simulators::clock::now_ms());
    let honest = frames::requests()?[0].message.at(&today);
    for configured in [true, false] {
        let stage = Stage::new(CALM)?;
        if configured {
            let framing = "framing = { preset = \"2-byte-be\", keep_alive = true }";
            stage.edit("framing = \"2-byte-be\"", framing)?;
        }
        let switch = stage.start("error")?;
        let answers = if configured { 1 } else { usize::MAX };
        let reaction = provoke(switch.door, &[0; 6], &honest, answers)?;
        let codes: Vec<&str> = reaction.codes.iter().map(|(_, code)| code.as_str()).collect();
        if configured {
            assert_eq!((codes.as_slice(), reaction.closed), (&["00"][..], false));
        } else {
            assert_eq!((codes.as_slice(), reaction.closed), (&[][..], true));
        }
        assert_eq!(switch.stop()?, Some(0));
    }
    Ok(())
}
