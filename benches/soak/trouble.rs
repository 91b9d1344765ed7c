//! `--isolation`: what one trouble costs the healthy bank's traffic.
//!
//! Contract: baseline and trouble in turns against one switch, the same load in both; the ratio
//! of the medians of the healthy p99 is the figure, one line per trouble. Trouble begins after
//! the load has connected and has ended before the next baseline.

use super::load::{CONNECTIONS, Pace};
use super::stage::{self, HEALTHY, MOST_SESSIONS, Stage};
use super::{watch, wire};
use simulators::bank::command::Command;
use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

/// At most this may the p99 of healthy traffic grow.
const RATIO_GOAL: f64 = 2.0;
/// Connections that send a byte a second.
const DRIPPING: usize = 128;
/// New connections per second of a flood.
const FLOOD_PER_S: u32 = 1_000;
/// How many of them stay open: with the load's more than the door takes.
const FLOOD_HELD: usize = MOST_SESSIONS;
/// Where nonsense comes from.
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Frames of nonsense for one system call.
const FRAMES_AT_ONCE: usize = 64;

/// What happens beside the load.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    Slowloris,
    Flood,
    Silent,
    SlowReader,
    Garbage,
    UnknownMti,
    HangUps,
}

impl Trouble {
    const ALL: [Self; 7] = [
        Self::Slowloris,
        Self::Flood,
        Self::Silent,
        Self::SlowReader,
        Self::Garbage,
        Self::UnknownMti,
        Self::HangUps,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Slowloris => "slowloris",
            Self::Flood => "connection flood",
            Self::Silent => "silent bank",
            Self::SlowReader => "slow reader",
            Self::Garbage => "garbage flood",
            Self::UnknownMti => "unknown MTI flood",
            Self::HangUps => "connect and hang up",
        }
    }

    /// Strikes for so long; returns how many connections it opened, or requests it hid.
    async fn strike(self, stage: &Stage, long: Duration) -> io::Result<u64> {
        match self {
            Self::Slowloris => drip(&stage.switch.door, long).await,
            Self::Flood => flood(&stage.switch.door, long).await,
            Self::Silent => {
                let before = stage.sick.counts().muted;
                stage.sick.command(&Command::Silent(Duration::MAX));
                sleep(long).await;
                stage.sick.command(&Command::Heal);
                Ok(stage.sick.counts().muted - before)
            }
            Self::SlowReader => {
                let before = stage.slow.counts().heard;
                stage.narrow.narrow(true);
                sleep(long).await;
                let heard = stage.slow.counts().heard - before;
                stage.narrow.narrow(false);
                let asked = (long.as_secs_f64() * stage::OTHER_RATE as f64) as u64;
                Ok(asked.saturating_sub(heard))
            }
            Self::Garbage => nonsense(&stage.switch.door, long, b"0200\xF2\x3C\x7F?garbage").await,
            Self::UnknownMti => {
                let card = stage::cards(HEALTHY.1).next().unwrap_or_default();
                let mut body = wire::template(&card).split_off(2);
                body[1] = b'3';
                nonsense(&stage.switch.door, long, &body).await
            }
            Self::HangUps => hang_up(&stage.switch.door, long).await,
        }
    }
}

/// Every trouble; whether the healthy bank's traffic stayed within the goal in each.
pub(crate) async fn isolation(
    stage: &Stage,
    rate: u64,
    rounds: usize,
    length: Duration,
) -> io::Result<bool> {
    let mut good = true;
    for trouble in Trouble::ALL {
        let (mut calm, mut beside, mut declined, mut struck) = (Vec::new(), Vec::new(), 0, 0);
        for _ in 0..rounds {
            calm.push(phase(stage, rate, length, None).await?.0);
            let (p99, refused, count) = phase(stage, rate, length, Some(trouble)).await?;
            beside.push(p99);
            declined += refused;
            struck += count;
            // Reversals that the trouble left behind are no part of the next baseline.
            sleep(length.min(stage::TIMEOUT * 2)).await;
        }
        let (calm, beside) = (watch::median(&mut calm), watch::median(&mut beside));
        let ratio = beside as f64 / calm.max(1) as f64;
        let met = ratio <= RATIO_GOAL && struck > 0;
        good &= met;
        let line = serde_json::json!({
            "case": "isolation", "trouble": trouble.name(), "rounds": rounds, "rate": rate,
            "baseline_p99_us": calm, "trouble_p99_us": beside,
            "p99_ratio": (ratio * 100.0).round() / 100.0, "goal": RATIO_GOAL,
            "healthy_declined": declined, "struck": struck,
            "verdict": if met { "met" } else { "missed" },
        });
        println!("{line}");
    }
    Ok(good)
}

/// One phase: healthy p99 in microseconds, its declines, and how much trouble there was.
async fn phase(
    stage: &Stage,
    rate: u64,
    length: Duration,
    trouble: Option<Trouble>,
) -> io::Result<(u64, u64, u64)> {
    let strike = async {
        sleep(length / 20).await;
        match trouble {
            Some(trouble) => trouble.strike(stage, length).await,
            None => Ok(0),
        }
    };
    let (healthy, sick, slow, struck) = tokio::join!(
        stage.load(HEALTHY, Pace::Open(rate), length),
        stage.load(stage::SICK, Pace::Open(stage::OTHER_RATE), length),
        stage.load(stage::SLOW, Pace::Open(stage::OTHER_RATE), length),
        strike,
    );
    let (healthy, struck) = (healthy?, struck?);
    sick.and(slow)?;
    Ok((healthy.latency.value_at_quantile(0.99), healthy.other, struck))
}

/// Connections that send one byte of a request a second, the first at once.
async fn drip(door: &str, long: Duration) -> io::Result<u64> {
    let frame = stage::cards(HEALTHY.1).next().map_or_else(Vec::new, |card| wire::template(&card));
    let mut streams = Vec::new();
    for _ in 0..DRIPPING {
        streams.push(stranger(door).await?);
    }
    let end = Instant::now() + long;
    for byte in &frame {
        for stream in &mut streams {
            // Whoever is thrown out stays out: that is one way to be isolated.
            drop(stream.write_all(&[*byte]).await);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        sleep(left.min(Duration::from_secs(1))).await;
    }
    Ok(streams.len() as u64)
}

/// New connections at a steady pace; the oldest go once so many are held.
async fn flood(door: &str, long: Duration) -> io::Result<u64> {
    let (mut held, mut opened) = (VecDeque::new(), 0);
    let began = Instant::now();
    while began.elapsed() < long {
        let due = (began.elapsed().as_secs_f64() * f64::from(FLOOD_PER_S)) as u64;
        while opened < due {
            opened += 1;
            if let Ok(Ok(stream)) = timeout(long, stranger(door)).await {
                held.push_back(stream);
            }
            if held.len() > FLOOD_HELD - CONNECTIONS {
                held.pop_front();
            }
        }
        sleep(Duration::from_millis(1)).await;
    }
    Ok(opened)
}

/// A connection from a stranger's address: what the switch thinks of it is not thought of the load.
async fn stranger(door: &str) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((STRANGER, 0)))?;
    socket.connect(door.parse().map_err(io::Error::other)?).await
}

/// One frame after the other, as fast as the switch takes them; on a new connection where it has
/// closed one. How many frames it took.
async fn nonsense(door: &str, long: Duration, body: &[u8]) -> io::Result<u64> {
    let len = u16::try_from(body.len()).map_err(io::Error::other)?;
    let frame = [&len.to_be_bytes(), body].concat();
    let frames = frame.repeat(FRAMES_AT_ONCE);
    let (end, mut taken) = (Instant::now() + long, 0);
    while Instant::now() < end {
        let left = end.saturating_duration_since(Instant::now());
        let Ok(Ok(stream)) = timeout(left, stranger(door)).await else {
            sleep(Duration::from_millis(1)).await;
            continue;
        };
        let (mut hears, mut says) = stream.into_split();
        let hears = async { tokio::io::copy(&mut hears, &mut tokio::io::sink()).await };
        let says = async {
            while says.write_all(&frames).await.is_ok() {
                taken += FRAMES_AT_ONCE as u64;
            }
        };
        let both = async { tokio::join!(hears, says) };
        drop(timeout(end.saturating_duration_since(Instant::now()), both).await);
        sleep(Duration::from_millis(1)).await;
    }
    Ok(taken)
}

/// Connects and hangs up, as fast as it goes.
async fn hang_up(door: &str, long: Duration) -> io::Result<u64> {
    let (end, mut opened) = (Instant::now() + long, 0);
    while Instant::now() < end {
        let left = end.saturating_duration_since(Instant::now());
        opened += u64::from(timeout(left, stranger(door)).await.is_ok_and(|made| made.is_ok()));
        tokio::task::yield_now().await;
    }
    Ok(opened)
}
