//! What follows an answer beside its own reversal: voids of what was told by advice, and reversals
//! under a right name with a wrong card.
//!
//! Contract: pure but for the times it is told, as the desk it belongs to. A void is a request of
//! its own; a mistaken reversal is sent until it is acknowledged and takes nothing back, whatever
//! it is told. Deliberately absent: the reversal of a request (`desk`).

use super::desk::{Desk, Waiting, key};
use super::habits::Habit;
use super::ledger::{Extra, Why};
use super::mix::{Made, repeat_of};
use super::row::Row;
use crate::bank::business::Business;
use crate::msg::Msg;
use std::time::{Duration, Instant};

/// From an advice's acknowledgement to its void: by then its bank has it.
const BEFORE_A_VOID: Duration = Duration::from_secs(3);

impl Desk {
    /// What an approval brings with it by habit; `true` where something is still to come for it.
    pub(super) fn follow_up(&mut self, no: usize, now: Instant, at_ms: u64) -> Option<Msg> {
        let row = self.rows.get(no)?;
        if row.request.business != Business::Purchase {
            return None;
        }
        if row.extra.advice {
            if self.maker.habits.strikes(Habit::VoidAdvice) {
                self.voids.push_back((now + BEFORE_A_VOID, no));
                self.unsettled += 1;
            }
            return None;
        }
        if self.maker.habits.strikes(Habit::WrongCard) {
            return self.mistake(no, now, at_ms);
        }
        None
    }

    /// The void of what was told by advice.
    pub(super) fn void(&mut self, no: usize, now: Instant, at_ms: u64) -> Option<Msg> {
        let advice = self.rows.get(no)?;
        let (of, auth_id) = (advice.request.no, advice.request.auth_id.clone());
        let Made { request, mut msg } = self.maker.void(at_ms, &advice.request, &advice.msg);
        if let Some(auth_id) = auth_id {
            msg.set(38, auth_id);
        }
        let void = self.rows.len();
        self.waiting.insert(key(&msg), Waiting::Request(void));
        self.timeouts.push_back((now + self.patience.timeout, void));
        self.counts.sent += 1;
        let extra = Extra { void_of: Some(of), ..Extra::default() };
        let leaving = msg.clone();
        self.rows.push(Row {
            request,
            msg,
            reversal_msg: None,
            left: now,
            extra,
            mistake_msg: None,
        });
        Some(leaving)
    }

    /// A reversal that names this purchase and another card.
    fn mistake(&mut self, no: usize, now: Instant, at_ms: u64) -> Option<Msg> {
        let row = self.rows.get_mut(no)?;
        let card = self.maker.other_card(row.msg.text(2))?;
        let (reversal, mut msg) = self.maker.reversal(at_ms, &row.msg, Why::Customer);
        msg.set(2, card);
        if let Some(auth_id) = &row.request.auth_id {
            msg.set(38, auth_id.as_str());
        }
        self.waiting.insert(key(&msg), Waiting::Mistake(no));
        row.extra.mistaken = Some(reversal);
        row.mistake_msg = Some(msg);
        self.unsettled += 1;
        self.try_mistake(no, now)
    }

    pub(super) fn try_mistake(&mut self, no: usize, now: Instant) -> Option<Msg> {
        let row = self.rows.get_mut(no)?;
        let reversal = row.extra.mistaken.as_mut().filter(|r| r.acknowledged.is_none())?;
        self.mistakes.push_back((now + self.patience.reversal_retry, no));
        reversal.tries += 1;
        let msg = row.mistake_msg.as_mut()?;
        if reversal.tries > 1 {
            msg.mti = repeat_of(&msg.mti);
        }
        Some(msg.clone())
    }

    pub(super) fn mistake_answered(&mut self, no: usize, msg: &Msg) {
        let reversal = self.rows.get_mut(no).and_then(|row| row.extra.mistaken.as_mut());
        if reversal.is_some_and(|reversal| reversal.acknowledge(msg.text(39))) {
            self.unsettled -= 1;
        }
    }
}
