//! Sessions over a pipe in memory and over loopback, with an interpreter that keeps STANs only.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::codec::Frame;
use super::interpreter::{Heard, Interpreter};
use super::*;
use crate::canonical::{Canonical, Flow, Kind, NetworkFunction};
use crate::framing::{Framing, FramingSpec};
use crate::switch::ids::{LineId, SendId, SessionId};
use crate::switch::input::{Garbled, Input, Unsent};
use crate::switch::output::{CloseReason, Send};
use crate::text::Text;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// `Mnnnnnn` is a message with STAN nnnnnn, `!` a panic, anything else garbled.
struct Parrot;

impl Interpreter for Parrot {
    fn hear(&mut self, frame: &Frame) -> Heard {
        assert_ne!(&frame.body[..], b"!!", "the parrot dies of this");
        let stan = frame.body.strip_prefix(b"M").and_then(|d| std::str::from_utf8(d).ok());
        match stan.and_then(|digits| digits.parse().ok()) {
            Some(stan) => Heard::Message(message(stan)),
            None => Heard::Garbled(Box::new(Garbled {
                path: Text::new(b"0").unwrap(),
                offset: 0,
                len: frame.body.len() as u32,
                digest: [0; 16],
                readable: None,
            })),
        }
    }

    fn say(&mut self, msg: &Canonical, out: &mut Vec<u8>) -> Result<(), Text<64>> {
        let Some(stan) = msg.stan else { return Err(Text::new(b"11").unwrap()) };
        assert_ne!(stan, 666_666, "the parrot dies of this");
        let framing = framing();
        let mark = framing.begin(out, None);
        out.extend_from_slice(format!("M{stan:06}").as_bytes());
        framing.finish(out, mark).map_err(|_| Text::EMPTY)
    }

    fn forget(&mut self) {}
}

fn framing() -> Framing {
    let spec = FramingSpec { read_deadline_ms: Some(50), ..FramingSpec::named("2-byte-be") };
    FramingSpec { max: Some(100), keep_alive: Some(true), ..spec }.validate().unwrap()
}

pub(super) fn message(stan: u32) -> Box<Canonical> {
    let kind = Kind::NetworkManagement(NetworkFunction::Echo);
    let mut msg = Canonical::new(kind, Flow::Request);
    msg.stan = Some(stan);
    Box::new(msg)
}

pub(super) fn frame(body: &[u8]) -> Vec<u8> {
    let mut out = (body.len() as u16).to_be_bytes().to_vec();
    out.extend_from_slice(body);
    out
}

pub(super) fn send(id: u64, msg: Box<Canonical>) -> Send {
    let (session, line) = (SessionId(1), LineId(0));
    Send { id: SendId(id), session, line, msg, after: None, not_after: None }
}

/// Ticks one microsecond each time it is read; tests that need real time use a real one.
fn clock() -> MonoClock {
    let ticks = AtomicU64::new(0);
    Arc::new(move || Instant::from_nanos(1_000 * ticks.fetch_add(1, Ordering::Relaxed)))
}

#[expect(clippy::disallowed_methods, reason = "the read deadline is measured in real time")]
pub(super) fn real_clock() -> MonoClock {
    let origin = std::time::Instant::now();
    Arc::new(move || Instant::from_nanos(origin.elapsed().as_nanos() as u64))
}

fn door(clock: MonoClock) -> Door {
    Door {
        line: LineId(0),
        framing: framing(),
        outbound_queue: 2,
        inbox: Inbox::new(8),
        throttle: Arc::default(),
        clock,
    }
}

/// A running session, the peer's end of its pipe, and its queue.
pub(super) struct Bench {
    inbox: Arc<Inbox>,
    throttle: Arc<Throttle>,
    pub(super) peer: DuplexStream,
    task: JoinHandle<Ended>,
    pub(super) outbound: Arc<Outbound>,
    pub(super) seen: Vec<String>,
}

impl Bench {
    pub(super) async fn new(pipe: usize, clock: MonoClock) -> Self {
        let door = door(clock);
        let (inbox, throttle) = (Arc::clone(&door.inbox), Arc::clone(&door.throttle));
        let (peer, ours) = tokio::io::duplex(pipe);
        let conduct = Conduct::of_called(Instant::default());
        let session = Session::new(SessionId(1), door, Stream::Memory(ours), Parrot, conduct);
        let task = tokio::spawn(async { session.run().await.0 });
        let Some(Arrival::Up { outbound, .. }) = take(&inbox).await.pop() else { unreachable!() };
        Self { inbox, throttle, peer, task, outbound, seen: Vec::new() }
    }

    /// Waits until something arrives and adds it to what was seen, in short words.
    pub(super) async fn hear(&mut self) {
        let taken = take(&self.inbox).await;
        self.note(taken);
    }

    /// The same with what is there by now.
    pub(super) fn hear_all(&mut self) {
        let mut taken = Vec::new();
        let mut cx = Context::from_waker(Waker::noop());
        if self.inbox.poll_take(&mut cx, &mut taken).is_ready() {
            self.note(taken);
        }
    }

    fn note(&mut self, taken: Vec<Arrival>) {
        for arrival in taken {
            self.seen.push(match arrival {
                Arrival::Up { .. } => "up".to_owned(),
                Arrival::Input(Input::Message { msg, .. }) => format!("message {:?}", msg.stan),
                Arrival::Input(Input::Garbled { .. }) => "garbled".to_owned(),
                Arrival::Input(Input::Released { id }) => format!("released {id}"),
                Arrival::Input(Input::Unsent { id, why } | Input::HandedBack { id, why, .. }) => {
                    format!("unsent {id} {why:?}")
                }
                Arrival::Input(Input::LineDown { .. }) => "down".to_owned(),
                Arrival::Input(other) => format!("{other:?}"),
            });
        }
    }

    async fn end(mut self) -> (Ended, Vec<String>) {
        let ended = timeout(Duration::from_secs(20), &mut self.task).await.unwrap().unwrap();
        self.hear().await;
        (ended, self.seen)
    }
}

async fn take(inbox: &Inbox) -> Vec<Arrival> {
    let mut taken = Vec::new();
    let wait = poll_fn(|cx| inbox.poll_take(cx, &mut taken));
    timeout(Duration::from_secs(20), wait).await.unwrap();
    taken
}

#[tokio::test]
async fn messages_keep_alives_and_garbled_frames_come_in_and_answers_go_out() {
    let mut bench = Bench::new(4096, clock()).await;
    let stream = [frame(b"M000001"), frame(b""), frame(b"what?"), frame(b"M000002")].concat();
    bench.peer.write_all(&stream).await.unwrap();
    bench.hear().await;
    assert_eq!(bench.seen, ["message Some(1)", "garbled", "message Some(2)"]);
    bench.outbound.push(send(7, message(1))).unwrap();
    bench.outbound.push(send(8, message(2))).unwrap();
    bench.outbound.wake();
    let mut got = [0; 18];
    bench.peer.read_exact(&mut got).await.unwrap();
    assert_eq!(got.to_vec(), [frame(b"M000001"), frame(b"M000002")].concat());
    drop(std::mem::replace(&mut bench.peer, tokio::io::duplex(1).0));
    let (ended, seen) = bench.end().await;
    assert_eq!(ended.word(), "closed");
    assert_eq!(seen[3..], ["released 7", "released 8", "down"]);
}

#[tokio::test]
async fn frames_cut_into_single_bytes_are_the_same_frames() {
    let mut bench = Bench::new(1, clock()).await;
    let bytes = [frame(b"M000001"), frame(b"M000002")].concat();
    bench.peer.write_all(&bytes).await.unwrap();
    while bench.seen.len() < 2 {
        bench.hear().await;
    }
    assert_eq!(bench.seen, ["message Some(1)", "message Some(2)"]);
}

#[tokio::test]
async fn what_is_no_frame_ends_the_session() {
    for (bytes, word) in [
        (&b"\xFF\xFFrest"[..], "garbage"),
        (b"GET / HTTP/1.1\r\n\r\n", "garbage"),
        (b"\x00\x09half", "mid_frame"),
    ] {
        let mut bench = Bench::new(4096, clock()).await;
        bench.peer.write_all(bytes).await.unwrap();
        bench.peer.shutdown().await.unwrap();
        let (ended, seen) = bench.end().await;
        assert_eq!((ended.word(), seen), (word, vec!["down".to_owned()]), "{ended}");
    }
}

#[tokio::test]
async fn a_frame_that_takes_too_long_ends_the_session() {
    let mut bench = Bench::new(4096, real_clock()).await;
    bench.peer.write_all(&frame(b"M000001")).await.unwrap();
    bench.peer.write_all(b"\x00").await.unwrap();
    let (ended, seen) = bench.end().await;
    assert_eq!(ended.word(), "slow_frame", "{ended}");
    assert_eq!(seen, ["message Some(1)", "down"]);
}

#[tokio::test]
async fn a_peer_that_does_not_read_overflows_and_nothing_untold_is_lost() {
    // Nine bytes a frame: the second does not fit the pipe of ten, the queue holds two.
    let mut bench = Bench::new(10, clock()).await;
    for id in 1..=2 {
        bench.outbound.push(send(id, message(id as u32))).unwrap();
    }
    bench.outbound.wake();
    bench.hear().await;
    assert_eq!(bench.seen, ["released 1", "released 2"]);
    for id in 3..=4 {
        bench.outbound.push(send(id, message(id as u32))).unwrap();
    }
    assert!(bench.outbound.push(send(5, message(5))).is_err());
    bench.outbound.end(EndWish::Overflow);
    let (ended, seen) = bench.end().await;
    assert_eq!(ended.word(), "overflow");
    assert_eq!(seen[2..], ["unsent 3 NoSession", "unsent 4 NoSession", "down"]);
}

#[tokio::test]
async fn a_panic_in_the_dialect_ends_that_session_and_every_frame_is_accounted_for() {
    let mut bench = Bench::new(4096, clock()).await;
    bench.outbound.push(send(1, message(1))).unwrap();
    bench.outbound.push(send(2, message(666_666))).unwrap();
    bench.outbound.wake();
    let mut nothing = Vec::new();
    bench.peer.read_to_end(&mut nothing).await.unwrap();
    assert!(nothing.is_empty());
    let (ended, seen) = bench.end().await;
    assert_eq!(ended.word(), "panicked");
    assert_eq!(seen, ["unsent 1 NoSession", "unsent 2 NoSession", "down"]);

    let mut bench = Bench::new(4096, clock()).await;
    bench.peer.write_all(&frame(b"!!")).await.unwrap();
    let (ended, seen) = bench.end().await;
    assert_eq!((ended.word(), seen), ("panicked", vec!["down".to_owned()]));
}

#[tokio::test]
async fn what_cannot_be_said_or_is_too_late_stays_behind() {
    let mut bench = Bench::new(4096, clock()).await;
    // Once a message was read the clock has ticked past zero.
    bench.peer.write_all(&frame(b"M000009")).await.unwrap();
    bench.hear().await;
    let mut wordless = message(1);
    wordless.stan = None;
    bench.outbound.push(send(1, wordless)).unwrap();
    let late = Send { not_after: Some(Instant::from_nanos(0)), ..send(2, message(2)) };
    bench.outbound.push(late).unwrap();
    bench.outbound.wake();
    bench.hear().await;
    let why = Unsent::Unpackable(Text::new(b"11").unwrap());
    assert_eq!(bench.seen[1..], [format!("unsent 1 {why:?}"), "unsent 2 TooLate".to_owned()]);
}

#[tokio::test]
async fn a_shutdown_writes_what_is_queued_and_other_reasons_do_not() {
    let mut bench = Bench::new(4096, clock()).await;
    bench.outbound.push(send(1, message(1))).unwrap();
    bench.outbound.end(EndWish::Core(CloseReason::Shutdown));
    let mut got = Vec::new();
    bench.peer.read_to_end(&mut got).await.unwrap();
    assert_eq!(got, frame(b"M000001"));
    let (ended, seen) = bench.end().await;
    assert_eq!((ended.word(), seen), ("shutdown", vec!["released 1".into(), "down".into()]));

    let bench = Bench::new(4096, clock()).await;
    bench.outbound.push(send(1, message(1))).unwrap();
    bench.outbound.end(EndWish::Core(CloseReason::EchoMissed));
    let (ended, seen) = bench.end().await;
    let expected = vec!["unsent 1 NoSession".to_owned(), "down".to_owned()];
    assert_eq!((ended.word(), seen), ("echo_missed", expected));
}

#[tokio::test]
async fn a_throttled_platform_is_read_only_once_it_is_let_go() {
    let mut bench = Bench::new(4096, clock()).await;
    bench.throttle.set(true);
    bench.peer.write_all(&frame(b"M000001")).await.unwrap();
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    bench.inbox.knock();
    bench.hear().await;
    assert!(bench.seen.is_empty());
    bench.throttle.set(false);
    bench.hear().await;
    assert_eq!(bench.seen, ["message Some(1)"]);
}

#[tokio::test]
async fn a_listener_turns_away_who_is_too_much_or_not_allowed() {
    let bind = |allowed| Listener::bind("127.0.0.1:0", 1, Arc::new(move |_| allowed), clock());
    let listener = bind(true).await.unwrap();
    let address = listener.local_addr().unwrap();
    let call = || async {
        let peer = tokio::net::TcpStream::connect(address).await.unwrap();
        (peer, listener.accept().await.unwrap())
    };
    let (_silent, waits) = call().await;
    let (_first, held) = call().await;
    let Accepted::Peer { conduct: mut held, .. } = held else { unreachable!() };
    assert!(held.sit(), "who says nothing holds no place");
    let (mut second, refused) = call().await;
    assert!(matches!(refused, Accepted::Refused { why: "too_many_sessions", .. }));
    drop(refused);
    assert_eq!(second.read(&mut [0; 1]).await.unwrap(), 0);
    drop(held);
    let (_third, welcome) = call().await;
    assert!(matches!(welcome, Accepted::Peer { .. }));
    drop(waits);

    let listener = bind(false).await.unwrap();
    let _peer = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let refused = listener.accept().await.unwrap();
    assert!(matches!(refused, Accepted::Refused { why: "not_allowed", .. }));
}

#[tokio::test]
async fn a_session_over_loopback_answers_what_it_is_told() {
    let listener = Listener::bind("127.0.0.1:0", 1, Arc::new(|_| true), clock()).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let backoff = connector::Backoff::new(Duration::from_millis(1), Duration::from_millis(2));
    let mut connector = connector::Connector::new(vec![address], Duration::from_secs(5), backoff);
    let (mut peer, _) = connector.try_once().await.unwrap();
    let accepted = listener.accept().await.unwrap();
    let Accepted::Peer { stream, conduct, .. } = accepted else { unreachable!() };
    let door = door(clock());
    let inbox = Arc::clone(&door.inbox);
    let session = Session::new(SessionId(1), door, Stream::Tcp(stream), Parrot, *conduct);
    let task = tokio::spawn(async { session.run().await.0 });
    let Some(Arrival::Up { outbound, .. }) = take(&inbox).await.pop() else { unreachable!() };
    outbound.push(send(1, message(5))).unwrap();
    outbound.wake();
    let mut got = [0; 9];
    peer.read_exact(&mut got).await.unwrap();
    assert_eq!(got.to_vec(), frame(b"M000005"));
    drop(peer);
    assert_eq!(timeout(Duration::from_secs(20), task).await.unwrap().unwrap().word(), "closed");
}
