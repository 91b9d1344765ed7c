//! The peers of a storm: a platform that asks, repeats and takes back, and banks that answer, each
//! with a ledger of its own.
//!
//! Contract: what they do comes from the storm's one seed. Deliberately absent: when they do it.

use super::*;
use crate::words::read;

impl World {
    pub(super) fn platform_hears(&mut self, msg: &Canonical) {
        let Some(stan) = msg.stan else { return };
        let approved = match msg.answer {
            Some(Answer::Given { class, .. }) => class.is_approval(),
            Some(Answer::Own(_)) | None => false,
        };
        match (msg.kind, msg.flow) {
            (Kind::Transaction(_), Flow::Response) => {
                self.wishes.told.insert(stan);
                if approved && !self.wishes.reversed.contains(&stan) {
                    self.wishes.granted.insert(stan, msg.amount.map_or(0, |a| a.minor));
                }
            }
            (Kind::Reversal(_), _) => {
                // Reversals here carry their original's STAN and 500,000.
                let original = stan - 500_000;
                self.wishes.reversed.insert(original);
                self.wishes.granted.remove(&original);
            }
            _ => {}
        }
    }

    /// A bank takes one message, in whatever order they arrive, and answers.
    pub(super) fn bank(&mut self, at: usize) {
        if at >= self.to_bank.len() {
            return;
        }
        if self.to_bank.get(at).is_some_and(|(_, due, _)| *due > self.now) {
            return;
        }
        let (line, due, msg) = self.to_bank.swap_remove(at);
        if self.now.since(due) > Duration::from_secs(9) {
            return; // The policy says that nothing arrives after more than 60 seconds.
        }
        let whose = u16::from(line == 3);
        let mut reply = Canonical::new(msg.kind, msg.flow.answer().unwrap_or(Flow::Response));
        reply.stan = msg.stan;
        reply.terminal = msg.terminal;
        let code = match msg.kind {
            Kind::NetworkManagement(_) => {
                reply.batch = Some(7);
                "00"
            }
            Kind::Transaction(_) => {
                let f7 = msg.transmission.unwrap_or_default().to_string();
                let key = (whose, msg.stan.unwrap_or_default(), f7);
                let amount = msg.amount.map_or(0, |a| a.minor);
                let approves = amount % 10 != 1;

                assert!(self.books.seen.insert(key.clone(), true).is_none(), "sent twice: {key:?}");
                if approves {
                    self.books.effects.insert(key, amount);
                }
                reply.amount = msg.amount;
                if approves { "00" } else { "51" }
            }
            Kind::Reversal(_) => {
                let original = msg.original.unwrap_or_default();
                let f7 = original.transmission.unwrap_or_default().to_string();
                let key = (whose, original.stan.unwrap_or_default(), f7);
                match (self.books.effects.remove(&key), self.books.seen.contains_key(&key)) {
                    (Some(_), _) => "00",
                    (None, true) => "21",
                    (None, false) => "25",
                }
            }
            _ => "12",
        };
        let class = match code {
            "00" => ResponseClass::Approved,
            "51" => ResponseClass::Declined,
            "21" => ResponseClass::AlreadyReversed,
            _ => ResponseClass::NotFound,
        };
        let code: Text<4> = code.parse().unwrap_or_default();
        reply.answer = Some(Answer::Given { class, code });
        // One answer in six is lost on the way.
        if self.calm || self.below(6) > 0 {
            self.to_switch.push((line, reply));
        }
    }

    /// One answer of a bank arrives.
    pub(super) fn arrive(&mut self, at: usize, keep: bool) {
        let Some((line, msg)) = self.to_switch.get(at).cloned() else { return };
        if !keep {
            self.to_switch.swap_remove(at);
        }
        if let Some(session) = self.session_of(line) {
            self.feed(Input::Message { session, received: self.now, msg: Box::new(msg) });
        }
    }

    pub(super) fn ask(
        &mut self,
        mti: &str,
        stan: u32,
        amount: u64,
        pan: &str,
        original: Option<u32>,
    ) {
        let Some(session) = self.session_of(0) else { return };
        let mut words = vec![format!("stan={stan}"), format!("amt={amount}"), format!("pan={pan}")];
        words.extend(original.map(|o| format!("orig={o}")));
        words.extend(original.map(|_| "omti=0200".to_owned()));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let msg = read(mti, &words).map(Box::new);
        let msg = msg.unwrap_or_else(|e| panic!("{e}"));
        self.feed(Input::Message { session, received: self.now, msg });
    }

    pub(super) fn request(&mut self) {
        let stan = self.next_stan;
        self.next_stan += 1;
        let amount = 100 + self.below(40);
        let pan = PANS[self.below(3) as usize];
        if self.session_of(0).is_some() {
            self.wishes.asked.insert(stan, (amount, pan));
            self.ask("0200", stan, amount, pan, None);
        }
    }

    pub(super) fn repeat_or_reverse(&mut self, reverse: bool) {
        let Some(known) = self.next_stan.checked_sub(1).filter(|n| *n > 0) else { return };
        let stan = known.saturating_sub(self.below(8) as u32).max(1);
        let Some((amount, pan)) = self.wishes.asked.get(&stan).copied() else { return };
        if reverse {
            self.reverse(stan, amount, pan);
        } else if !self.wishes.reversed.contains(&stan) {
            self.ask("0201", stan, amount, pan, None);
        }
    }

    pub(super) fn reverse(&mut self, stan: u32, amount: u64, pan: &str) {
        self.ask("0420", stan + 500_000, amount, pan, Some(stan));
    }
}
