//! The MAC keys of a line: none, one that is configured, or those that sign-ins bring.
//!
//! Contract: what sign-ins bring is shared by all sessions of a bank, because a terminal has one
//! set of keys whichever line it signs in on. Keys come into force as
//! [`WorkingKeys`] says, before anything that follows the answer on
//! its session is read or written. They live in memory only: after a restart every session signs
//! in again. Deliberately absent: reading key files, the decision whether a sign-on succeeded.

use super::MonoClock;
use crate::canonical::{Answer, Canonical, KeyCheck, Kind, MacCheck, NetworkFunction};
use crate::crypto::{MacKey, MacStatement, SecretKey, SignIn, WorkingKeys, sign_in};
use crate::iso8583::rules::{KeyRule, mac};
use crate::iso8583::{Dialect, Message};
use crate::text::Text;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Where a line's MAC keys come from.
#[derive(Clone)]
pub enum LineKeys {
    /// The line has no MAC.
    None,
    /// One key, configured.
    Fixed(MacKey),
    /// Each sign-in brings its own.
    SignedIn(Arc<SignedInKeys>),
}

/// The keys that sign-ins of one bank bring.
pub struct SignedInKeys {
    masters: MasterKeys,
    rule: KeyRule,
    statement: MacStatement,
    clock: MonoClock,
    keys: Mutex<WorkingKeys<MacKey>>,
}

/// The master keys under which working keys arrive: of single terminals, and of all others.
#[derive(Debug, Default)]
pub struct MasterKeys {
    /// By terminal.
    pub terminals: BTreeMap<Text<16>, SecretKey>,
    /// Of every terminal without its own, and of a line that signs on as a whole.
    pub others: Option<SecretKey>,
}

impl MasterKeys {
    fn of(&self, terminal: Option<&Text<16>>) -> Option<&SecretKey> {
        let own = terminal.and_then(|t| self.terminals.get(&t.trimmed()));
        own.or(self.others.as_ref())
    }
}

impl SignedInKeys {
    /// No keys yet. `keep`: how long an old key counts for answers to what was sent under it.
    pub fn new(
        masters: MasterKeys,
        rule: KeyRule,
        statement: MacStatement,
        keep: Duration,
        clock: MonoClock,
    ) -> Self {
        let keys = Mutex::new(WorkingKeys::new(keep));
        Self { masters, rule, statement, clock, keys }
    }

    /// A panic in one session must not take the keys from the others: they are replaced whole.
    fn keys(&self) -> MutexGuard<'_, WorkingKeys<MacKey>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the keys out of the answer to a sign-on, and puts them in force where it granted
    /// them and they are right.
    fn signed_in(&self, ask: SignIn, msg: &Canonical, message: &Message) -> KeyCheck {
        let Some(block) = message.get(self.rule.field) else { return KeyCheck::NotCarried };
        let key = self.opened(msg.terminal.as_ref(), block);
        let check = if key.is_some() { KeyCheck::Good } else { KeyCheck::Bad };
        let granted = matches!(msg.answer, Some(Answer::Given { class, .. }) if class.accepts());
        self.keys().answered((self.clock)(), ask, msg.terminal, granted, key);
        check
    }

    fn opened(&self, terminal: Option<&Text<16>>, block: &[u8]) -> Option<MacKey> {
        let master = self.masters.of(terminal)?;
        let keys = sign_in::read_keys(master, self.rule.cipher, block).ok()?;
        MacKey::new(&self.statement, &keys.mac).ok()
    }

    fn check(&self, dialect: &Dialect, msg: &Canonical, message: &Message) -> MacCheck {
        let keys = self.keys();
        mac::check(dialect, keys.valid((self.clock)(), msg.terminal), message)
    }
}

impl LineKeys {
    /// The key that seals a message; `None`: the line has none for it.
    fn seal(&self, msg: &Canonical) -> Option<MacKey> {
        match self {
            Self::None => None,
            Self::Fixed(key) => Some(key.clone()),
            Self::SignedIn(keys) => keys.keys().current(msg.terminal).cloned(),
        }
    }
}

/// One session's view of its line's keys: it knows which sign-ins it asked for.
pub(super) struct SessionKeys {
    line: LineKeys,
    /// By terminal: STAN and sign-in, newest first. Terminals are configured, thousands of them.
    asked: BTreeMap<Option<Text<16>>, VecDeque<(u32, SignIn)>>,
}

/// Sign-ins of one terminal that may still be answered: the newest few.
const ASKED_MAX: usize = 4;

impl SessionKeys {
    pub(super) const fn new(line: LineKeys) -> Self {
        Self { line, asked: BTreeMap::new() }
    }

    /// The key that seals a message which is about to leave.
    pub(super) fn seal(&mut self, msg: &Canonical) -> Option<MacKey> {
        if let (LineKeys::SignedIn(keys), SIGN_ON, false) =
            (&self.line, msg.kind, msg.flow.is_answer())
        {
            let asked = self.asked.entry(msg.terminal.map(|t| t.trimmed())).or_default();
            asked.truncate(ASKED_MAX - 1);
            asked.push_front((msg.stan.unwrap_or_default(), keys.keys().asked()));
        }
        self.line.seal(msg)
    }

    /// Judges the MAC of a message that was read, and the keys it brings.
    pub(super) fn judge(&mut self, dialect: &Dialect, msg: &mut Canonical, message: &Message) {
        let keys = match &self.line {
            LineKeys::None => return,
            LineKeys::Fixed(key) => return msg.mac = mac::check(dialect, [key], message),
            LineKeys::SignedIn(keys) => keys,
        };
        msg.mac = keys.check(dialect, msg, message);
        if msg.kind != SIGN_ON || !msg.flow.is_answer() {
            return;
        }
        let keys = Arc::clone(keys);
        let trusted = !matches!(msg.mac, MacCheck::Bad | MacCheck::Missing);
        if let Some(ask) = self.take_asked(msg).filter(|_| trusted) {
            msg.keys = keys.signed_in(ask, msg, message);
        }
    }

    /// The sign-in that is answered: by terminal and STAN, or by STAN alone where no terminal is
    /// named.
    fn take_asked(&mut self, msg: &Canonical) -> Option<SignIn> {
        let terminal = msg.terminal.map(|t| t.trimmed());
        let take = |asked: &mut VecDeque<(u32, SignIn)>| {
            let at = asked.iter().position(|(stan, _)| Some(*stan) == msg.stan)?;
            asked.remove(at).map(|(_, ask)| ask)
        };
        if terminal.is_none() {
            return self.asked.values_mut().find_map(take);
        }
        let own = self.asked.get_mut(&terminal).and_then(take);
        // The line as a whole may have signed on, and the answer names a terminal all the same.
        own.or_else(|| self.asked.get_mut(&None).and_then(take))
    }
}

const SIGN_ON: Kind = Kind::NetworkManagement(NetworkFunction::SignOn);
