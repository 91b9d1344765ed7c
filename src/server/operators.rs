//! The driver's end of the operators' door: questions are answered between turns.
//!
//! Contract: a few per turn, each bounded by its page; a decision is answered when its record is
//! durable, because an operator acts on it. What still waits when the driver ends is dropped,
//! which the door tells as an answer of its own.

use crate::admin::{Decided, Question};
use crate::switch::desk::Refusal;
use crate::switch::ids::RecordNo;
use crate::switch::output::Event;
use std::collections::VecDeque;
use tokio::sync::{mpsc, oneshot};

/// Questions of one turn.
pub(super) const PER_TURN: usize = 2;

type Answer = oneshot::Sender<Result<Decided, Refusal>>;

/// What operators wait for.
#[derive(Debug)]
pub struct Operators {
    asked: mpsc::Receiver<Question>,
    /// Decisions that are recorded and not yet durable.
    recorded: VecDeque<(Decided, Answer)>,
    /// What the core said of the decision it was just given.
    said: Option<Result<Decided, Refusal>>,
}

impl Operators {
    /// Of the other end of a door.
    pub fn new(asked: mpsc::Receiver<Question>) -> Self {
        Self { asked, recorded: VecDeque::new(), said: None }
    }

    /// The next question, if one waits.
    pub(super) fn next(&mut self) -> Option<Question> {
        self.asked.try_recv().ok()
    }

    /// Whether more questions wait than one turn answers.
    pub(super) fn more(&self) -> bool {
        !self.asked.is_empty()
    }

    /// The core says something; what concerns a decision is kept for its answer.
    pub(super) fn hear(&mut self, event: &Event) {
        match event {
            Event::DeskDecided { item, no, .. } => {
                self.said = Some(Ok(Decided { item: *item, no: *no }));
            }
            Event::DeskRefused(refusal) => self.said = Some(Err(*refusal)),
            _ => {}
        }
    }

    /// The core has taken in a decision: a refusal is told now, a record once it is durable.
    pub(super) fn decided(&mut self, answer: Answer) {
        match self.said.take() {
            Some(Ok(decided)) => self.recorded.push_back((decided, answer)),
            // Whoever asked may have gone.
            Some(Err(refusal)) => {
                let _ = answer.send(Err(refusal));
            }
            None => {}
        }
    }

    /// Records up to this one are durable.
    pub(super) fn durable(&mut self, upto: RecordNo) {
        while self.recorded.front().is_some_and(|(decided, _)| decided.no <= upto) {
            if let Some((decided, answer)) = self.recorded.pop_front() {
                let _ = answer.send(Ok(decided)); // Whoever asked may have gone.
            }
        }
    }
}
