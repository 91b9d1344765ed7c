//! The committed frames, and today's date put into them at the offsets that stand beside them.

use crate::Tested;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// A frame with its length bytes, and where its dates stand.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Message {
    #[serde(deserialize_with = "hex")]
    frame: Vec<u8>,
    f7: Option<usize>,
    f12: Option<usize>,
    f13: Option<usize>,
    f90: Option<usize>,
}

/// One request of `requests.jsonl`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Request {
    pub(crate) no: u64,
    pub(crate) kind: String,
    pub(crate) bank: String,
    pub(crate) pan: String,
    pub(crate) amount: u64,
    pub(crate) currency: String,
    pub(crate) stan: String,
    pub(crate) rrn: String,
    pub(crate) terminal: String,
    pub(crate) message: Message,
    pub(crate) reversal: Option<Reversal>,
}

/// Its reversal.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Reversal {
    pub(crate) stan: String,
    pub(crate) message: Message,
}

/// One expected answer of `answers.jsonl`.
#[derive(Debug, Deserialize)]
pub(crate) struct Expected {
    pub(crate) no: u64,
    pub(crate) message: Message,
}

/// Bytes of `hostile.jsonl`.
#[derive(Debug, Deserialize)]
pub(crate) struct Hostile {
    pub(crate) name: String,
    pub(crate) expect: String,
    #[serde(deserialize_with = "hex")]
    pub(crate) bytes: Vec<u8>,
}

/// One frame of `canaries.jsonl`.
#[derive(Debug, Deserialize)]
pub(crate) struct Canary {
    pub(crate) name: String,
    pub(crate) message: Message,
    pub(crate) secrets: BTreeMap<String, String>,
}

impl Message {
    /// The frame with the dates of `moment`, `MMDDhhmmss` GMT.
    pub(crate) fn at(&self, moment: &str) -> Vec<u8> {
        let (date, time) = moment.split_at(4);
        let mut frame = self.frame.clone();
        let places = [(self.f7, moment), (self.f12, time), (self.f13, date), (self.f90, moment)];
        for (at, value) in places {
            if let Some(at) = at {
                frame[at..at + value.len()].copy_from_slice(value.as_bytes());
            }
        }
        frame
    }

    /// Where `F7` stands, if it is there.
    pub(crate) fn offset_of_f7(&self) -> Option<usize> {
        self.f7
    }

    /// The frame as it was committed.
    pub(crate) fn frame(&self) -> &[u8] {
        &self.frame
    }
}

/// The same frame with the repeat digit in its MTI.
pub(crate) fn repeated(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame[5] = b'1';
    frame
}

pub(crate) fn requests() -> Tested<Vec<Request>> {
    lines(include_str!("../../specs/vectors/end_to_end/requests.jsonl"))
}

pub(crate) fn expected() -> Tested<Vec<Expected>> {
    lines(include_str!("../../specs/vectors/end_to_end/answers.jsonl"))
}

pub(crate) fn hostile() -> Tested<Vec<Hostile>> {
    lines(include_str!("../../specs/vectors/end_to_end/hostile.jsonl"))
}

pub(crate) fn canaries() -> Tested<Vec<Canary>> {
    lines(include_str!("../../specs/vectors/end_to_end/canaries.jsonl"))
}

fn lines<'t, T: Deserialize<'t>>(text: &'t str) -> Tested<Vec<T>> {
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

fn hex<'d, D: Deserializer<'d>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(from)?;
    from_hex(&text).ok_or_else(|| serde::de::Error::custom("not hex"))
}

/// Bytes from two hex digits each.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let byte = |at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(byte).collect()
}
