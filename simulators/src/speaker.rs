//! A dialect with its framing and key: how one line of a simulator speaks.
//!
//! Contract: the one place where simulators touch pointsman's wire. The MAC is made and checked
//! here by the room's own reading of domain.md section 5 (bytes from the MTI to the last field
//! before 64), not by the switch's. Deliberately absent: what is said.

use crate::msg::Msg;
use anyhow::{Context, anyhow};
use pointsman::crypto::{MacAlgorithm, MacKey};
use pointsman::framing;
use pointsman::iso8583::{Dialect, Message, Mti, pack, shipped, unpack};
use std::cell::RefCell;
use std::ops::Range;

/// How to speak.
#[derive(Debug, Clone)]
pub struct SpeakerSpec {
    /// Name of a shipped dialect.
    pub dialect: String,
    /// Name of a framing preset.
    pub framing: String,
    /// The static MAK in hexadecimal, where the line has MACs.
    pub mak: Option<String>,
}

/// What stands at the beginning of received bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Split {
    /// Not a whole frame yet.
    More,
    /// An empty frame of so many bytes.
    KeepAlive(usize),
    /// A whole frame.
    Frame {
        /// Bytes of the stream it took.
        taken: usize,
        /// Its TPDU.
        tpdu: Option<[u8; 5]>,
        /// Where the message stands.
        body: Range<usize>,
    },
    /// No frame can begin like this, and why.
    OutOfStep(String),
}

/// What kind of MAC a message carries.
#[derive(Debug, Clone, Copy)]
pub enum Seal<'k> {
    /// None.
    None,
    /// The right one under this key.
    Right(&'k MacKey),
    /// A wrong one.
    Wrong(&'k MacKey),
}

/// Speaks and understands.
#[derive(Debug)]
pub struct Speaker {
    dialect: Dialect,
    framing: framing::Framing,
    mak: Option<MacKey>,
}

/// Bytes of `F64`.
const MAC_BYTES: usize = 8;

thread_local! {
    /// Scratch for the codec: a message is large, and made once per thread.
    static SCRATCH: RefCell<Message> = RefCell::new(Message::new());
}

impl Speaker {
    /// Learns to speak.
    ///
    /// # Errors
    /// An unknown dialect or framing, an unusable key.
    pub fn new(spec: &SpeakerSpec) -> anyhow::Result<Self> {
        let source = |name: &str| shipped(name).map(str::to_owned);
        let dialect = Dialect::compile(&spec.dialect, &source).map_err(|errors| {
            let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
            anyhow!("dialect {}: {}", spec.dialect, all.join("; "))
        })?;
        let framing = framing::Framing::named(&spec.framing).context("framing")?;
        let statement = MacAlgorithm::EcbFold.statement();
        let mak = spec.mak.as_ref().map(|key| MacKey::from_hex(&statement, key));
        Ok(Self { dialect, framing, mak: mak.transpose().context("MAC key")? })
    }

    /// The next frame.
    pub fn split(&self, bytes: &[u8]) -> Split {
        match self.framing.split(bytes) {
            Ok(framing::Split::More { .. }) => Split::More,
            Ok(framing::Split::KeepAlive { taken }) => Split::KeepAlive(taken),
            Ok(framing::Split::Frame { taken, tpdu, body }) => Split::Frame { taken, tpdu, body },
            Err(error) => Split::OutOfStep(error.to_string()),
        }
    }

    /// Understands a message.
    ///
    /// # Errors
    /// Why not, without its values.
    pub fn read(&self, tpdu: Option<[u8; 5]>, body: &[u8]) -> Result<Msg, String> {
        SCRATCH.with_borrow_mut(|message| {
            unpack(&self.dialect, body, message).map_err(|error| error.to_string())?;
            let mut msg = Msg::new(message.mti().as_str());
            msg.tpdu = tpdu;
            msg.header = message.header().unwrap_or_default().to_vec();
            for de in message.fields() {
                msg.set(de, message.get(de).unwrap_or_default());
            }
            Ok(msg)
        })
    }

    /// The whole frame of a message, length and TPDU included.
    ///
    /// # Errors
    /// Which value does not fit the dialect.
    pub fn write(&self, msg: &Msg, seal: Seal<'_>) -> anyhow::Result<Vec<u8>> {
        let mut body = Vec::with_capacity(512);
        SCRATCH.with_borrow_mut(|message| {
            message.clear();
            message.set_mti(Mti::new(msg.mti.as_bytes())?);
            message.set_header(Some(msg.header.as_slice()).filter(|header| !header.is_empty()));
            for (de, value) in msg.fields() {
                message.set(de, value)?;
            }
            if !matches!(seal, Seal::None) {
                message.set(64, &[0; MAC_BYTES])?;
            }
            pack(&self.dialect, message, &mut body)?;
            anyhow::Ok(())
        })?;
        match seal {
            Seal::None => {}
            Seal::Right(key) => put_mac(key, msg.header.len(), &mut body, false),
            Seal::Wrong(key) => put_mac(key, msg.header.len(), &mut body, true),
        }
        self.frame(msg.tpdu, &body)
    }

    /// A frame around any bytes.
    ///
    /// # Errors
    /// When the framing cannot hold them.
    pub fn frame(&self, tpdu: Option<[u8; 5]>, body: &[u8]) -> anyhow::Result<Vec<u8>> {
        let mut out = Vec::with_capacity(body.len() + 16);
        let mark = self.framing.begin(&mut out, tpdu);
        out.extend_from_slice(body);
        self.framing.finish(&mut out, mark).map_err(|error| anyhow!("{error}"))?;
        Ok(out)
    }

    /// Whether its frames begin with a TPDU.
    pub fn has_tpdu(&self) -> bool {
        self.framing.has_tpdu()
    }

    /// The static key of its line, if it has one.
    pub fn mak(&self) -> Option<&MacKey> {
        self.mak.as_ref()
    }
}

/// Puts the MAC into the last eight bytes; a wrong one differs in its first byte.
fn put_mac(key: &MacKey, header: usize, body: &mut [u8], wrong: bool) {
    let end = body.len().saturating_sub(MAC_BYTES);
    let mac = key.mac(body.get(header..end).unwrap_or_default());
    for (byte, mac) in body.iter_mut().skip(end).zip(mac.as_bytes()) {
        *byte = *mac;
    }
    if let Some(first) = body.get_mut(end).filter(|_| wrong) {
        *first = if *first == b'0' { b'1' } else { b'0' };
    }
}

/// Whether the MAC of a message is there and right; `body` is the message as it came.
pub fn mac_is_right(key: &MacKey, msg: &Msg, body: &[u8]) -> bool {
    let end = body.len().saturating_sub(MAC_BYTES);
    let covered = body.get(msg.header.len()..end).unwrap_or_default();
    msg.get(64).is_some_and(|field| key.verify(covered, field).is_ok())
}
