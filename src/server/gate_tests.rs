//! The gate: every frame has exactly one fate, whatever happens in whatever order.

use super::gate::Gate;
use crate::link::{EndWish, Outbound, sample_send as send};
use crate::switch::ids::{RecordNo, SendId, SessionId};
use crate::switch::input::Unsent;
use crate::time::Instant;
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Waker};

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn passed(outbound: &Outbound) -> Vec<u64> {
    let mut into = VecDeque::new();
    outbound.take(&Context::from_waker(Waker::noop()), &mut into, usize::MAX);
    into.iter().map(|send| send.id.0).collect()
}

fn stayed(gate: &mut Gate) -> Vec<(u64, Unsent)> {
    std::iter::from_fn(|| gate.next_unsent()).map(|(id, why)| (id.0, why)).collect()
}

fn gate() -> (Gate, Arc<Outbound>) {
    let (mut gate, outbound) = (Gate::new(RecordNo(0)), Outbound::new(2));
    gate.open(SessionId(1), Arc::clone(&outbound));
    (gate, outbound)
}

#[test]
fn an_answer_waits_for_its_record_and_a_decline_does_not() {
    let (mut gate, outbound) = gate();
    gate.admit(at(0), send(1, 1, 5, None));
    gate.admit(at(0), send(2, 1, 0, None));
    assert_eq!(passed(&outbound), [2]);
    gate.durable(at(1), RecordNo(4));
    assert_eq!(passed(&outbound), [] as [u64; 0]);
    gate.durable(at(2), RecordNo(5));
    assert_eq!(passed(&outbound), [1]);
    assert_eq!(stayed(&mut gate), []);
}

#[test]
fn what_is_held_past_its_limit_stays_behind() {
    let (mut gate, outbound) = gate();
    gate.admit(at(0), send(1, 1, 5, Some(10)));
    gate.admit(at(0), send(2, 1, 5, Some(20)));
    gate.admit(at(30), send(3, 1, 0, Some(20)));
    assert_eq!(gate.deadline(), Some(at(10)));
    gate.expire(at(11));
    assert_eq!(gate.deadline(), Some(at(20)));
    gate.durable(at(21), RecordNo(5));
    assert_eq!(passed(&outbound), [] as [u64; 0]);
    let late = [3, 1, 2].map(|id| (id, Unsent::TooLate));
    assert_eq!(stayed(&mut gate), late);
}

#[test]
fn a_full_queue_ends_its_session_and_an_ended_one_keeps_nothing() {
    let (mut gate, outbound) = gate();
    (1..=3).for_each(|id| gate.admit(at(0), send(id, 1, 0, None)));
    assert_eq!(stayed(&mut gate), [(3, Unsent::QueueFull)]);
    let mut into = VecDeque::new();
    let wish = outbound.take(&Context::from_waker(Waker::noop()), &mut into, 0);
    assert_eq!(wish, Some(EndWish::Overflow));
    gate.admit(at(0), send(4, 1, 9, None));
    gate.close(SessionId(1));
    gate.admit(at(0), send(5, 1, 0, None));
    let gone = [4, 5].map(|id| (id, Unsent::NoSession));
    assert_eq!(stayed(&mut gate), gone);
}

#[test]
fn once_the_journal_failed_only_what_needs_no_record_leaves() {
    let (mut gate, outbound) = gate();
    gate.admit(at(0), send(1, 1, 5, None));
    gate.fail();
    gate.admit(at(0), send(2, 1, 6, None));
    gate.admit(at(0), send(3, 1, 0, None));
    assert_eq!(passed(&outbound), [3]);
    let failed = [1, 2].map(|id| (id, Unsent::JournalFailed));
    assert_eq!(stayed(&mut gate), failed);
}

#[derive(Debug, Clone)]
enum Step {
    Admit { session: u64, after: u64, limit: Option<u64> },
    Cancel { back: u64 },
    Durable { by: u64 },
    Wait { by: u64 },
    SessionTakes { session: u64 },
    SessionEnds { session: u64 },
    SessionStarts { session: u64 },
    JournalFails,
}

fn step() -> impl Strategy<Value = Step> {
    let session = 1..4_u64;
    prop_oneof![
        8 => (session.clone(), 0..6_u64, proptest::option::of(0..8_u64))
            .prop_map(|(session, after, limit)| Step::Admit { session, after, limit }),
        1 => (0..4_u64).prop_map(|back| Step::Cancel { back }),
        3 => (0..4_u64).prop_map(|by| Step::Durable { by }),
        2 => (0..4_u64).prop_map(|by| Step::Wait { by }),
        3 => session.clone().prop_map(|session| Step::SessionTakes { session }),
        1 => session.clone().prop_map(|session| Step::SessionEnds { session }),
        2 => session.prop_map(|session| Step::SessionStarts { session }),
        1 => Just(Step::JournalFails),
    ]
}

/// What the world around the gate knows, kept naively.
#[derive(Default)]
struct World {
    now: u64,
    durable: u64,
    sent: u64,
    needs: BTreeMap<u64, (u64, Option<u64>)>,
    fates: BTreeMap<u64, Vec<String>>,
    queues: BTreeMap<u64, Arc<Outbound>>,
}

impl World {
    fn note(&mut self, id: u64, fate: impl Into<String>) {
        self.fates.entry(id).or_default().push(fate.into());
    }

    /// A session takes its queue: the moment `Released` is told.
    fn take(&mut self, session: u64) -> Result<(), TestCaseError> {
        let Some(queue) = self.queues.get(&session) else { return Ok(()) };
        for id in passed(queue) {
            prop_assert!(self.needs[&id].0 <= self.durable, "{id} left before its record");
            self.note(id, "released");
        }
        Ok(())
    }

    fn end(&mut self, session: u64) {
        let Some(queue) = self.queues.remove(&session) else { return };
        let mut back = VecDeque::new();
        queue.shut(&mut back);
        back.into_iter().for_each(|send| self.note(send.id.0, "handed back"));
    }

    fn step(&mut self, gate: &mut Gate, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Admit { session, after, limit } => {
                self.sent += 1;
                let after = if after == 0 { 0 } else { self.durable + after - 1 };
                let limit = limit.map(|limit| self.now + limit);
                self.needs.insert(self.sent, (after, limit));
                gate.admit(at(self.now), send(self.sent, session, after, limit));
            }
            Step::Cancel { back } => gate.cancel(SendId(self.sent.saturating_sub(back))),
            Step::Durable { by } => {
                self.durable += by;
                gate.durable(at(self.now), RecordNo(self.durable));
            }
            Step::Wait { by } => {
                self.now += by;
                gate.expire(at(self.now));
                prop_assert!(gate.deadline().is_none_or(|d| d >= at(self.now)));
            }
            Step::SessionTakes { session } => self.take(session)?,
            Step::SessionEnds { session } => {
                self.end(session);
                gate.close(SessionId(session));
            }
            Step::SessionStarts { session } if !self.queues.contains_key(&session) => {
                let queue = Outbound::new(3);
                self.queues.insert(session, Arc::clone(&queue));
                gate.open(SessionId(session), queue);
            }
            Step::SessionStarts { .. } => {}
            Step::JournalFails => gate.fail(),
        }
        gate.flush();
        for (id, why) in stayed(gate) {
            self.note(id, format!("{why:?}"));
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn every_frame_has_exactly_one_fate(steps in proptest::collection::vec(step(), 1..80)) {
        let (mut world, mut gate) = (World::default(), Gate::new(RecordNo(0)));
        for step in steps {
            world.step(&mut gate, step)?;
        }
        for session in 1..4 {
            world.step(&mut gate, Step::SessionEnds { session })?;
        }
        prop_assert_eq!(gate.len(), 0);
        for id in 1..=world.sent {
            let fates = world.fates.get(&id).map_or(0, Vec::len);
            prop_assert_eq!(fates, 1, "frame {}: {:?}", id, world.fates.get(&id));
        }
    }
}
