//! The interpreter of a real line: its dialect, its MAC key, its headers.
//!
//! Contract: what is kept of a message that cannot be understood is path, offset, length and a
//! keyed hash, never its bytes. A message whose dialect wants a MAC does not leave without a key.
//! Scratch memory is owned and reused: reading allocates the canonical message and nothing else.

use super::codec::Frame;
use super::interpreter::{Heard, Interpreter};
use super::keys::{LineKeys, SessionKeys};
use crate::canonical::{self, Canonical, Flow, Header, Kind, NetworkFunction};
use crate::framing::{Framing, TPDU_BYTES, swap_tpdu};
use crate::iso8583::rules::mac;
use crate::iso8583::{Dialect, Message, pack, unpack};
use crate::switch::input::Garbled;
use crate::text::Text;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt::Display;
use std::sync::Arc;

/// What a [`Header`] holds at most.
const HEADER_BYTES: usize = 64;

/// What all sessions of a line share of its dialect.
#[derive(Clone)]
pub struct Wire {
    /// How messages are written.
    pub dialect: Arc<Dialect>,
    /// How frames are cut.
    pub framing: Framing,
    /// Where its MAC keys come from.
    pub keys: LineKeys,
    /// TPDU of messages we start.
    pub tpdu: Option<[u8; TPDU_BYTES]>,
    /// Message header of messages we start.
    pub header: Option<Arc<[u8]>>,
    /// Key of the hash by which garbled messages are recognized.
    pub digest_key: Arc<[u8; 32]>,
}

/// One session's interpreter.
pub struct Translation {
    wire: Wire,
    keys: SessionKeys,
    /// Header of messages we start, with the TPDU where it belongs to the dialect's header.
    own_header: Option<Vec<u8>>,
    message: Message,
}

impl Translation {
    /// An interpreter with its own scratch memory.
    pub fn new(wire: Wire) -> Self {
        let tpdu = wire.tpdu.filter(|_| !wire.framing.has_tpdu());
        let parts = tpdu.iter().flatten().chain(wire.header.iter().flat_map(|h| h.iter()));
        let own: Vec<u8> = parts.copied().collect();
        let own_header = (!own.is_empty() && wire.dialect.header().is_some()).then_some(own);
        let keys = SessionKeys::new(wire.keys.clone());
        Self { wire, keys, own_header, message: Message::new() }
    }

    fn garbled(&self, frame: &Frame, path: &str, offset: usize) -> Heard {
        let kind = Kind::NetworkManagement(NetworkFunction::Unstated);
        let mut readable = Box::new(Canonical::new(kind, Flow::Request));
        let said = canonical::read_partial(&self.wire.dialect, &self.message, &mut readable);
        if said {
            put_tpdu(&mut readable, frame);
        }
        Heard::Garbled(Box::new(Garbled {
            path: shortened(path),
            offset: u32::try_from(offset).unwrap_or(u32::MAX),
            len: u32::try_from(frame.body.len()).unwrap_or(u32::MAX),
            digest: digest(&self.wire.digest_key, &frame.body),
            readable: said.then_some(readable),
        }))
    }

    /// The header of the message, and the TPDU of its frame.
    fn put_headers(&mut self, msg: &Canonical) -> Option<[u8; TPDU_BYTES]> {
        let asked = msg.header.as_bytes();
        if !msg.flow.is_answer() || asked.is_empty() {
            if !msg.flow.is_answer() {
                self.message.set_header(self.own_header.as_deref());
            }
            return self.wire.tpdu;
        }
        if !self.wire.framing.has_tpdu() {
            return None; // `canonical::write` has turned the header around.
        }
        let tpdu = asked.first_chunk::<TPDU_BYTES>().map(|tpdu| swap_tpdu(*tpdu));
        let rest = asked.get(TPDU_BYTES..).filter(|rest| !rest.is_empty());
        self.message.set_header(rest);
        tpdu.or(self.wire.tpdu)
    }

    fn pack_and_seal(&mut self, msg: &Canonical, out: &mut Vec<u8>) -> Result<(), Text<64>> {
        let (dialect, key) = (&self.wire.dialect, self.keys.seal(msg));
        let packed = pack(dialect, &self.message, out).map_err(|error| named(&error))?;
        match (key, dialect.rules().mac()) {
            (Some(key), _) => mac::seal(dialect, &key, &mut self.message, &packed, out)
                .map_err(|error| named(&error)),
            (None, Some(rule)) if self.message.has(rule.field) => {
                Err(shortened("the dialect wants a MAC and the line has no key"))
            }
            (None, _) => Ok(()),
        }
    }
}

impl Interpreter for Translation {
    fn hear(&mut self, frame: &Frame) -> Heard {
        if let Err(error) = unpack(&self.wire.dialect, &frame.body, &mut self.message) {
            return self.garbled(frame, &error.path, error.offset);
        }
        let mut msg = match canonical::read_new(&self.wire.dialect, &self.message) {
            Ok(msg) => msg,
            Err(error) => {
                let said = error.to_string();
                let path = said.split(':').next().unwrap_or_default();
                return self.garbled(frame, path, 0);
            }
        };
        put_tpdu(&mut msg, frame);
        self.keys.judge(&self.wire.dialect, &mut msg, &self.message);
        Heard::Message(msg)
    }

    fn say(&mut self, msg: &Canonical, out: &mut Vec<u8>) -> Result<(), Text<64>> {
        let written = canonical::write(&self.wire.dialect, msg, &mut self.message);
        written.map_err(|error| named(&error))?;
        let tpdu = self.put_headers(msg);
        let (start, mark) = (out.len(), self.wire.framing.begin(out, tpdu));
        if let Err(what) = self.pack_and_seal(msg, out) {
            out.truncate(start);
            return Err(what);
        }
        self.wire.framing.finish(out, mark).map_err(|error| named(&error))
    }

    fn forget(&mut self) {
        self.message = Message::new();
    }
}

/// The frame's TPDU goes in front of the message's header, to be given back with the answer.
fn put_tpdu(msg: &mut Canonical, frame: &Frame) {
    let Some(tpdu) = frame.tpdu else { return };
    let mut whole = [0; TPDU_BYTES + HEADER_BYTES];
    let rest = msg.header.as_bytes();
    whole[..TPDU_BYTES].copy_from_slice(&tpdu);
    whole[TPDU_BYTES..TPDU_BYTES + rest.len()].copy_from_slice(rest);
    msg.header = Header::new(&whole[..TPDU_BYTES + rest.len()]).unwrap_or(msg.header);
}

fn digest(key: &[u8; 32], bytes: &[u8]) -> [u8; 16] {
    let mut digest = [0; 16];
    // HMAC takes keys of any length.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) {
        mac.update(bytes);
        digest.copy_from_slice(&mac.finalize().into_bytes()[..16]);
    }
    digest
}

fn named(error: &impl Display) -> Text<64> {
    shortened(&error.to_string())
}

/// As much of it as fits; what is not printable ASCII becomes a question mark.
fn shortened<const N: usize>(text: &str) -> Text<N> {
    let fit = |c: char| if c.is_ascii_graphic() || c == ' ' { c as u8 } else { b'?' };
    let bytes: Vec<u8> = text.chars().take(N).map(fit).collect();
    Text::new(&bytes).unwrap_or_default()
}
