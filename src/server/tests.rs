//! The whole shell around the real core, on loopback, with a bank and a platform written here.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::at_start::AtStart;
use super::clock::Clock;
use super::journal_thread::Health;
use super::wiring::{Remote, prepare};
use crate::config::load;
use crate::config::settings::{SecretRef, Settings};
use crate::framing::Framing;
use crate::iso8583::{Dialect, Message, Mti, pack, shipped, unpack};
use crate::journal::{
    Backend, Batch, Class, DiskBackend, KeyEncryptionKey, Options, Writer, open_keys, os_entropy,
    recover,
};
use crate::link::codec::FrameCodec;
use crate::switch::ids::RecordNo;
use crate::switch::record::{PolicyStamp, Record};
use crate::time::Wall;
use bytes::BytesMut;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::codec::Decoder;

const LIMIT: Duration = Duration::from_secs(20);

fn settings(bank: &str, listen: &str) -> Settings {
    let text = format!(
        r#"
        production = false
        [journal]
        folder = "journal"
        segment_bytes = 1_048_576
        keep_days = 1
        [platform.shop]
        listen = "{listen}"
        dialect = "iso8583-1987-ascii"
        framing = "2-byte-be"
        budget_ms = 3_000
        margin_ms = 500
        max_in_flight = 64
        max_sessions = 4
        [bank.river]
        dialect = "iso8583-1987-ascii"
        framing = "2-byte-be"
        response_timeout_ms = 400
        sign_on = "no"
        window = 64
        original_lifetime_ms = 500
        default_merchant = "RIVER0000000001"
        default_terminal = "RIV00001"
        [[bank.river.line]]
        name = "river-1"
        connect = ["{bank}"]
        first_retry_ms = 20
        max_retry_ms = 50
        [bank.river.saf]
        slots = 4
        timeout_ms = 300
        first_retry_ms = 100
        max_retry_ms = 200
        tries_before_desk = 50
        [[route]]
        name = "all"
        bank = "river"
        "#
    );
    let dialects = |name: &str| shipped(name).map(str::to_owned);
    load(&text, &dialects).map_err(|errors| errors.to_string()).unwrap()
}

fn dialect() -> Dialect {
    Dialect::compile("iso8583-1987-ascii", &|name| shipped(name).map(str::to_owned)).unwrap()
}

fn framing() -> Framing {
    Framing::named("2-byte-be").unwrap()
}

/// One end of a connection that speaks the ASCII dialect.
struct Peer {
    stream: TcpStream,
    codec: FrameCodec,
    buffer: BytesMut,
    dialect: Dialect,
}

impl Peer {
    fn new(stream: TcpStream) -> Self {
        let codec = FrameCodec::new(framing());
        Self { stream, codec, buffer: BytesMut::new(), dialect: dialect() }
    }

    async fn call(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).await.unwrap())
    }

    async fn send(&mut self, msg: &Message) {
        let (framing, mut frame) = (framing(), Vec::new());
        let mark = framing.begin(&mut frame, None);
        pack(&self.dialect, msg, &mut frame).unwrap();
        framing.finish(&mut frame, mark).unwrap();
        self.stream.write_all(&frame).await.unwrap();
    }

    /// The next message; `None` when the other side has closed.
    async fn hear(&mut self) -> Option<Message> {
        loop {
            if let Some(frame) = self.codec.decode(&mut self.buffer).unwrap() {
                let mut msg = Message::new();
                unpack(&self.dialect, &frame.body, &mut msg).unwrap();
                return Some(msg);
            }
            let read = timeout(LIMIT, self.stream.read_buf(&mut self.buffer)).await.unwrap();
            if read.unwrap_or(0) == 0 {
                return None;
            }
        }
    }
}

fn text(msg: &Message, de: u8) -> String {
    msg.get(de).map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
}

fn mti(msg: &Message) -> String {
    msg.mti().to_string()
}

/// A purchase of this moment: a stamp written down here would be stale in a week.
fn request(stan: u32, amount: &str) -> Message {
    let now = Clock::start().wall().utc().strftime("%m%d%H%M%S").to_string();
    let (date, time) = now.split_at(4);
    let mut msg = Message::new();
    msg.set_mti("0200".parse::<Mti>().unwrap());
    for (de, value) in [
        (2, "4111111111111111"),
        (3, "000000"),
        (4, amount),
        (7, &now),
        (11, &format!("{stan:06}")),
        (12, time),
        (13, date),
        (14, "4912"),
        (18, "5411"),
        (22, "051"),
        (25, "00"),
        (32, "10000001"),
        (37, &format!("{stan:012}")),
        (41, "SHOP0001"),
        (42, "SHOP00000000001"),
        (49, "156"),
    ] {
        msg.set(de, value.as_bytes()).unwrap();
    }
    msg
}

/// The answer of a bank: everything as it came, and a code.
fn answer(asked: &Message, code: &str) -> Message {
    let mut msg = asked.clone();
    let said = mti(asked);
    msg.set_mti(
        format!("{}{}0", &said[..2], said[2..3].parse::<u8>().unwrap() + 1).parse().unwrap(),
    );
    msg.set(39, code.as_bytes()).unwrap();
    if code == "00" {
        msg.set(38, b"A12345").unwrap();
    }
    msg
}

/// A switch that runs in this process, and how to stop it.
struct Running {
    door: SocketAddr,
    remote: Remote,
    task: JoinHandle<Health>,
}

impl Running {
    async fn start(folder: &Path, bank: &str) -> Self {
        let ready = prepare(&settings(bank, "127.0.0.1:0"), folder, &AtStart::default()).await;
        let ready = ready.map_err(|errors| format!("{errors:?}")).unwrap();
        let (door, remote) = (ready.listening[0].1, ready.remote.clone());
        assert_eq!(ready.listening[0].0.as_str(), "shop");
        Self { door, remote, task: tokio::spawn(ready.run()) }
    }

    async fn drain(self) -> Health {
        self.remote.drain();
        timeout(LIMIT, self.task).await.unwrap().unwrap()
    }

    /// As a crash would, but for what the operating system keeps: no word to anybody.
    async fn crash(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

async fn bank() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

async fn accept(listener: &TcpListener) -> Peer {
    Peer::new(timeout(LIMIT, listener.accept()).await.unwrap().unwrap().0)
}

#[tokio::test]
async fn a_purchase_crosses_the_switch_and_its_repeat_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let (listener, address) = bank().await;
    let switch = Running::start(folder.path(), &address).await;
    let mut bank = accept(&listener).await;
    let mut shop = Peer::call(switch.door).await;
    let sales = [1, 2].map(|stan| request(stan, "000000001000"));
    for sale in &sales {
        shop.send(sale).await;
        let asked = bank.hear().await.unwrap();
        assert_eq!((mti(&asked), text(&asked, 41)), ("0200".into(), "RIV00001".into()));
        bank.send(&answer(&asked, "00")).await;
        let told = shop.hear().await.unwrap();
        assert_eq!((mti(&told), text(&told, 39)), ("0210".into(), "00".into()));
        assert_eq!((text(&told, 11), text(&told, 38)), (text(sale, 11), "A12345".into()));
        assert_eq!(text(&told, 41), "SHOP0001");
    }
    // The stored answer, and nothing more for the bank but the next purchase.
    shop.send(&sales[0]).await;
    assert_eq!(text(&shop.hear().await.unwrap(), 38), "A12345");
    shop.send(&request(3, "000000002000")).await;
    assert_eq!(text(&bank.hear().await.unwrap(), 4), "000000002000");
    assert_eq!(switch.drain().await, Health::Good);
}

#[tokio::test]
async fn silence_is_a_timeout_and_a_reversal_and_a_crash_in_between_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (listener, address) = bank().await;
    let switch = Running::start(folder.path(), &address).await;
    let mut bank = accept(&listener).await;
    let mut shop = Peer::call(switch.door).await;
    shop.send(&request(1, "000000001000")).await;
    let asked = bank.hear().await.unwrap();
    let told = shop.hear().await.unwrap();
    assert_eq!(text(&told, 39), "68");
    shop.send(&request(2, "000000002000")).await;
    while text(&bank.hear().await.unwrap(), 4) != "000000002000" {}
    switch.crash().await;

    let switch = Running::start(folder.path(), &address).await;
    let mut bank = accept(&listener).await;
    let mut reversed = Vec::new();
    while reversed.len() < 2 {
        let reversal = bank.hear().await.unwrap();
        assert!(mti(&reversal).starts_with("04"), "{}", mti(&reversal));
        bank.send(&answer(&reversal, "00")).await;
        let amount = text(&reversal, 4);
        if !reversed.contains(&amount) {
            reversed.push(amount);
        }
    }
    reversed.sort();
    assert_eq!(reversed, ["000000001000", "000000002000"]);
    assert_eq!(text(&asked, 4), "000000001000");
    assert_eq!(switch.drain().await, Health::Good);
}

#[tokio::test]
async fn garbage_ends_its_session_and_a_bad_message_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let (listener, address) = bank().await;
    let switch = Running::start(folder.path(), &address).await;
    let _bank = accept(&listener).await;
    let mut vandal = Peer::call(switch.door).await;
    vandal.stream.write_all(b"\xFF\xFFGET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert!(vandal.hear().await.is_none());

    let mut shop = Peer::call(switch.door).await;
    let mut bad = request(7, "000000001000");
    bad.set(3, b"999999").unwrap();
    shop.send(&bad).await;
    let told = shop.hear().await.unwrap();
    assert_eq!(
        (mti(&told), text(&told, 39), text(&told, 11)),
        ("0210".into(), "30".into(), "000007".into())
    );
    assert_eq!(switch.drain().await, Health::Good);
}

#[tokio::test]
async fn everything_that_prevents_a_start_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("journal"), "a file, not a folder").unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().to_string();
    let refused =
        prepare(&settings("127.0.0.1:1", &port), folder.path(), &AtStart::default()).await;
    let errors: Vec<_> = refused.err().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].contains(&port) && errors[1].starts_with("journal: "), "{errors:?}");
}

#[tokio::test]
async fn a_platform_that_floods_is_not_read_beyond_its_cap() {
    let folder = tempfile::tempdir().unwrap();
    let (listener, address) = bank().await;
    let switch = Running::start(folder.path(), &address).await;
    let mut bank = accept(&listener).await;
    let mut shop = Peer::call(switch.door).await;
    for stan in 1..=200 {
        shop.send(&request(stan, "000000001000")).await;
    }
    let mut answered = 0;
    while answered < 200 {
        tokio::select! {
            asked = bank.hear() => {
                let asked = asked.unwrap();
                bank.send(&answer(&asked, "00")).await;
            }
            told = shop.hear() => {
                assert!(told.is_some());
                answered += 1;
            }
        }
    }
    assert_eq!(switch.drain().await, Health::Good);
}

/// A journal whose newest record was written so many seconds from now.
fn journal_of(folder: &Path, key: &str, ahead_s: i64) {
    let disk: Arc<dyn Backend> = Arc::new(DiskBackend::open(&folder.join("journal")).unwrap());
    let wrap = KeyEncryptionKey::from_hex(key).unwrap();
    let key = open_keys(&*disk, &wrap, &mut os_entropy()).unwrap();
    let options = Options { segment_bytes: 1 << 20, ..Options::default() };
    let recovered = recover(&*disk, &key, &options, &mut |_| Ok(())).unwrap();
    let at = Wall::from_millis(Clock::start().wall().millis() + ahead_s * 1_000);
    let mut writer = Writer::start(disk, key, options, &recovered, os_entropy(), at).unwrap();
    let mut batch = Batch::new(writer.next());
    // The hint behind it has no stamp.
    let stamp = Record::Policy(PolicyStamp { at, hash: 1, start: true });
    for record in [stamp, Record::Released(RecordNo(1))] {
        batch.push_with(|buffer| record.encode(buffer));
    }
    writer.append(&mut batch, Class::Ordinary, at).unwrap();
    writer.sync().unwrap();
}

#[tokio::test]
async fn a_clock_behind_the_journal_waits_for_an_operator() {
    let key = "0123456789abcdef".repeat(4);
    let word = || "anna: it was ahead".parse().ok();
    for (ahead_s, production, accept_clock, starts) in [
        (-86_400, true, None, true),
        (3_000, true, None, true),
        (2 * 86_400, false, None, true),
        (2 * 86_400, true, None, false),
        (2 * 86_400, true, word(), true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("journal")).unwrap();
        std::fs::write(folder.path().join("kek.hex"), &key).unwrap();
        journal_of(folder.path(), &key, ahead_s);
        let mut settings = settings("127.0.0.1:1", "127.0.0.1:0");
        settings.production = production;
        settings.journal.key = Some(SecretRef::File("kek.hex".to_owned()));
        let said = AtStart { accept_clock, ..AtStart::default() };
        let errors = match prepare(&settings, folder.path(), &said).await {
            Ok(ready) => {
                ready.remote.drain();
                assert_eq!(ready.run().await, Health::Good);
                None
            }
            Err(errors) => Some(errors),
        };
        assert_eq!(errors.is_none(), starts, "{ahead_s} {production} {said:?}: {errors:?}");
        for error in errors.into_iter().flatten() {
            let told = error.to_string();
            assert!(told.contains("clock: the clock says") && told.contains("--accept-clock"));
        }
        // After an operator's word the next start is an ordinary one.
        if said.accept_clock.is_some() {
            let again = prepare(&settings, folder.path(), &AtStart::default()).await.err();
            assert!(again.is_none(), "{again:?}");
        }
    }
}
