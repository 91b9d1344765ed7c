//! Working keys in the world: what the bank `west` hands out at sign-ins, and what the switch
//! makes of it with the real [`WorkingKeys`]. Keys are numbers here.
//!
//! Contract: the bank hands out right keys, keys with a wrong check value, and keys beside a
//! refusal; only the first kind is ever valid. [`Ring`] dies with the process, as the real one
//! does. Deliberately absent: MAC arithmetic.

use super::dice::Dice;
use super::plant::Planted;
use super::setting;
use super::wire::{self, Sealed};
use pointsman::canonical::{Canonical, KeyCheck, Kind, MacCheck, NetworkFunction};
use pointsman::crypto::{OLD_KEYS_MAX, SignIn, WorkingKeys};
use pointsman::switch::ids::SessionId;
use pointsman::time::Instant;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// How long an old key counts.
const KEEP: Duration = Duration::from_secs(180);
/// Numbers from here on have a wrong check value.
const WRONG: u32 = 1_000_000;

/// What a bank handed out.
#[derive(Debug, Default)]
pub struct Vault {
    last: u32,
    valid: BTreeSet<u32>,
}

/// What kind of keys came with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handed {
    /// Keys that count.
    Right,
    /// Keys with a wrong check value, or beside a refusal: they never count.
    Spoilt,
}

impl Vault {
    /// The keys in the answer to a sign-on that was granted or not.
    pub fn hand_out(&mut self, granted: bool, honest: bool, dice: &mut Dice) -> (u32, Handed) {
        self.last += 1;
        if granted && (honest || !dice.chance(120)) {
            self.valid.insert(self.last);
            return (self.last, Handed::Right);
        }
        let wrong = if granted || dice.chance(500) { WRONG } else { 0 };
        (self.last + wrong, Handed::Spoilt)
    }

    /// Whether this key was ever handed out to be used.
    pub fn knows(&self, key: Option<u32>) -> bool {
        key.is_some_and(|key| self.valid.contains(&key))
    }
}

/// The switch's keys for one bank.
#[derive(Debug)]
pub struct Ring {
    keys: WorkingKeys<u32>,
    asked: VecDeque<(SessionId, u32, SignIn)>,
    /// When each key sealed something last: what the real ring must still accept.
    sealed: BTreeMap<u32, Instant>,
}

impl Ring {
    /// Of a process that just started.
    pub fn new(planted: Planted) -> Self {
        let mut keys = WorkingKeys::new(KEEP);
        planted.plant_in_keys(&mut keys);
        Self { keys, asked: VecDeque::new(), sealed: BTreeMap::new() }
    }

    /// Seals what leaves for the bank.
    pub fn seal(&mut self, now: Instant, session: SessionId, msg: &Canonical) -> Sealed {
        if msg.kind.family() == 8 {
            if is_sign_on(msg) && !msg.flow.is_answer() {
                let stan = msg.stan.unwrap_or_default();
                self.asked.push_front((session, stan, self.keys.asked()));
                self.asked.truncate(64);
            }
            return Sealed::default();
        }
        let with = self.keys.current(msg.terminal).copied();
        if let Some(key) = with {
            self.sealed.insert(key, now);
        }
        Sealed { with, brings: None }
    }

    /// Judges what comes from the bank. `false`: a right MAC was taken for a wrong one.
    pub fn judge(
        &mut self,
        now: Instant,
        session: SessionId,
        msg: &mut Canonical,
        sealed: Sealed,
    ) -> bool {
        if msg.kind.family() == 8 {
            if is_sign_on(msg) && msg.flow.is_answer() {
                self.signed_on(now, session, msg, sealed.brings);
            }
            return true;
        }
        if !msg.flow.is_answer() || msg.mac == MacCheck::Bad {
            return true;
        }
        let right = self.keys.valid(now, msg.terminal).any(|key| Some(*key) == sealed.with);
        msg.mac = if right { MacCheck::Good } else { MacCheck::Bad };
        // Another terminal has no keys here, right or not.
        let ours = msg.terminal.is_none_or(|t| t.trimmed().as_str() == setting::WEST_TERMINAL);
        right || !ours || !self.must_accept(now, sealed.with)
    }

    /// Counted by hand: it sealed something not long ago, and few keys came after it.
    fn must_accept(&self, now: Instant, key: Option<u32>) -> bool {
        let Some(key) = key else { return false };
        let recent = self.sealed.get(&key).is_some_and(|last| now.since(*last) <= KEEP);
        // Keys are numbered in the order they were handed out; those never used count as well.
        recent && self.sealed.keys().max().is_some_and(|max| max - key < OLD_KEYS_MAX as u32)
    }

    fn signed_on(
        &mut self,
        now: Instant,
        session: SessionId,
        msg: &mut Canonical,
        brings: Option<u32>,
    ) {
        let asked = |(s, stan, _): &(_, u32, _)| *s == session && Some(*stan) == msg.stan;
        let Some(at) = self.asked.iter().position(asked) else { return };
        let (Some((_, _, sign_in)), Some(key)) = (self.asked.remove(at), brings) else { return };
        let right = key < WRONG;
        msg.keys = if right { KeyCheck::Good } else { KeyCheck::Bad };
        let granted = wire::class(msg.answer).is_approval();
        self.keys.answered(now, sign_in, msg.terminal, granted, Some(key).filter(|_| right));
    }
}

/// Whether it is about a sign-on.
pub fn is_sign_on(msg: &Canonical) -> bool {
    msg.kind == Kind::NetworkManagement(NetworkFunction::SignOn)
}
