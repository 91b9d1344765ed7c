//! The bank's MAC keys: none, a static one, or those it hands out at each sign-in.
//!
//! Contract: every sign-in of a terminal makes new keys; a message is taken under any of the few
//! last ones, because some were on their way when the keys changed, and is answered under the
//! key it came with. Keys are made of the bank's seed and worthless elsewhere.

use super::teller::MacSeen;
use crate::msg::Msg;
use crate::seed::Seed;
use crate::speaker::mac_is_right;
use anyhow::Context;
use des::TdesEde2;
use des::cipher::{Block, BlockCipherEncrypt, KeyInit};
use pointsman::crypto::{MacAlgorithm, MacKey};
use pointsman::hex;
use std::collections::{BTreeMap, VecDeque};

/// Keys of one terminal under which messages are still taken.
const TAKEN: usize = 4;

/// Where the bank's MAC keys come from.
#[derive(Debug)]
pub enum Keys {
    /// Its line has no MACs.
    None,
    /// One, agreed on beforehand.
    Static(MacKey),
    /// New ones at every sign-in.
    HandedOut(Box<HandedOut>),
}

/// Keys handed out under a master key.
#[derive(Debug)]
pub struct HandedOut {
    master: TdesEde2,
    /// Newest first.
    terminals: BTreeMap<String, VecDeque<MacKey>>,
    /// So many blocks still get a wrong check value.
    wrong: u32,
    seed: Seed,
}

impl Keys {
    /// Of a bank with this master key, in hexadecimal, or with this static key.
    ///
    /// # Errors
    /// A master key that is not 16 bytes in hexadecimal.
    pub fn new(fixed: Option<MacKey>, master: Option<&str>, seed: u64) -> anyhow::Result<Self> {
        let Some(master) = master else { return Ok(fixed.map_or(Self::None, Self::Static)) };
        let bytes = hex::parse(master.trim()).context("master key")?;
        let master = TdesEde2::new_from_slice(&bytes);
        let master = master.map_err(|_| anyhow::anyhow!("master key: expected 16 bytes"))?;
        let (terminals, seed) = (BTreeMap::new(), Seed::new(seed));
        Ok(Self::HandedOut(Box::new(HandedOut { master, terminals, wrong: 0, seed })))
    }

    /// The next blocks get a wrong check value.
    pub fn spoil(&mut self, count: u32) {
        if let Self::HandedOut(keys) = self {
            keys.wrong = count;
        }
    }

    /// Whether the MAC of a message is right, and the key it came with.
    pub fn judge(&self, msg: &Msg, body: &[u8]) -> (MacSeen, Option<MacKey>) {
        let right = |key: &&MacKey| mac_is_right(key, msg, body);
        let found = match self {
            Self::None => return (MacSeen::NotAsked, None),
            Self::Static(key) => return (seen(right(&key)), Some(key.clone())),
            Self::HandedOut(keys) => keys.terminals.get(msg.text(41).trim_end()),
        };
        let keys = found.map(|keys| keys.iter().find(right).or_else(|| keys.front()));
        let key = keys.flatten().cloned();
        (seen(key.as_ref().is_some_and(|key| right(&key))), key)
    }

    /// `F62` of the answer to a sign-in; `None`: this bank hands out no keys.
    pub fn hand_out(&mut self, terminal: &str) -> Option<Vec<u8>> {
        match self {
            Self::HandedOut(keys) => Some(keys.block(terminal.trim_end())),
            Self::None | Self::Static(_) => None,
        }
    }
}

fn seen(right: bool) -> MacSeen {
    if right { MacSeen::Good } else { MacSeen::Wrong }
}

impl HandedOut {
    /// PIN key and MAC key, each under the master key and followed by its check value.
    fn block(&mut self, terminal: &str) -> Vec<u8> {
        let (pin, mac) = (self.draw(), self.draw());
        let mut block = [self.sealed(pin), self.sealed(mac)].concat();
        if self.wrong > 0 {
            self.wrong -= 1;
            block.iter_mut().rev().take(1).for_each(|last| *last ^= 1);
            return block;
        }
        let statement = MacAlgorithm::EcbFold.statement();
        if let Ok(key) = MacKey::from_hex(&statement, &hex::upper(&mac)) {
            let keys = self.terminals.entry(terminal.to_owned()).or_default();
            keys.push_front(key);
            keys.truncate(TAKEN);
        }
        block
    }

    fn draw(&mut self) -> [u8; 16] {
        let mut key = [0; 16];
        let (first, second) = key.split_at_mut(8);
        first.copy_from_slice(&self.seed.draw().to_be_bytes());
        second.copy_from_slice(&self.seed.draw().to_be_bytes());
        key
    }

    fn sealed(&self, key: [u8; 16]) -> Vec<u8> {
        let mut out = Vec::with_capacity(20);
        for half in key.chunks_exact(8) {
            out.extend_from_slice(&encrypted(&self.master, half));
        }
        if let Ok(cipher) = TdesEde2::new_from_slice(&key) {
            out.extend(encrypted(&cipher, &[0; 8]).iter().take(4));
        }
        out
    }
}

fn encrypted(cipher: &TdesEde2, bytes: &[u8]) -> [u8; 8] {
    let mut block = Block::<TdesEde2>::default();
    block.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    cipher.encrypt_block(&mut block);
    block.into()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use pointsman::crypto::{CipherFamily, SecretKey, sign_in};

    const MASTER: &str = "0123456789ABCDEFFEDCBA9876543210";

    /// Written here, read by the switch's room.
    #[test]
    fn a_block_opens_under_the_master_key_unless_it_was_spoilt() {
        let mut keys = Keys::new(None, Some(MASTER), 7).unwrap();
        let read = |block: &[u8]| {
            let master = SecretKey::from_hex(MASTER).unwrap();
            sign_in::read_keys(&master, CipherFamily::Des, block)
        };
        let block = keys.hand_out("T1").unwrap();
        assert_eq!(block.len(), 40);
        assert!(read(&block).is_ok());
        keys.spoil(1);
        assert!(read(&keys.hand_out("T1").unwrap()).is_err());
        assert!(read(&keys.hand_out("T1").unwrap()).is_ok());
    }
}
