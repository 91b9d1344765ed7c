//! A request that provably never left its bank goes to the second bank of its route.
//!
//! Contract: the second bank is asked only where nothing of the request can be at the first: no
//! line, no room that will come in time, or the gate handed the frame back. It is a transaction of
//! its own, within the same deadline, and only where it can leave at once: what waits would be
//! declined to its repeat meanwhile. Never for a top-up, nor for what refers to another
//! transaction, which its own bank alone knows. Before it anything is decided in the first bank's
//! place. Deliberately absent: a third bank.

use super::ids::{BankId, SendId};
use super::inflight::{Flight, Pending};
use super::input::Unsent;
use super::launch::Way;
use super::output::Event;
use super::record::Leg;
use super::role::Role;
use super::txn::{Happening, Phase};
use super::{Switch, reply, routing};
use crate::canonical::{Canonical, Flow};

impl Switch {
    /// The second bank of a rule and the way there, where the first has none for this request.
    pub(super) fn way_to_second(
        &self,
        rule: usize,
        first: BankId,
        msg: &Canonical,
    ) -> Option<(BankId, Way)> {
        let route = self.policy.routes.get(rule)?;
        let second = route.second.filter(|_| route.bank == first && route.credit.is_none())?;
        if msg.original.is_some() || msg.flow != Flow::Request {
            return None;
        }
        let bank = self.policy.banks.get(usize::from(second.0))?;
        let live = self.banks.get(usize::from(second.0))?;
        if !live.has_room(bank) || !live.waiting.is_empty() {
            return None;
        }
        let names = routing::identify(bank, msg).ok()?;
        // What the first bank can be told the second need not have a field for.
        if self.without_place(second, msg).is_some() {
            return None;
        }
        Some((second, self.way_to(second, names, msg)?))
    }

    /// The same for a request whose turn has come in vain.
    pub(super) fn second_of(&self, pending: &Pending) -> Option<(BankId, Way)> {
        let whole = pending.role == Role::Whole && pending.original.is_none();
        let in_time = self.now.mono < pending.deadline;
        let may = whole && in_time;
        self.way_to_second(pending.rule, pending.bank, &pending.msg).filter(|_| may)
    }

    /// A frame was handed back and no other line of its bank takes it: the second bank, if there is
    /// one that may have it now.
    pub(super) fn go_to_second(
        &mut self,
        id: SendId,
        slot: usize,
        why: Unsent,
        msg: Box<Canonical>,
    ) -> bool {
        let may = matches!(why, Unsent::NoSession | Unsent::QueueFull | Unsent::Cancelled);
        let flight = self.air.flights.get(slot).filter(|f| may && f.phase == Phase::Held);
        let rule = flight
            .and_then(|f| self.policy.routes.iter().position(|route| route.name == f.intent.rule));
        let (Some(flight), Some(rule)) = (flight, rule) else { return false };
        let mut pending = pending_of(flight, rule, msg);
        let Some((second, way)) = self.second_of(&pending) else { return false };
        if let Some((_, line)) = self.air.sends.remove(id.0) {
            let line = self.line_name(line);
            self.event(Event::NotSent { line, why });
        }
        self.met.note(Phase::Held, Happening::Unsent);
        self.outcome(slot, Leg::NotSent, None);
        self.finish(slot);
        pending.bank = second;
        self.launch_or_wait(pending, Some(way));
        true
    }
}

/// A request as its platform sent it, once more.
fn pending_of(flight: &Flight, rule: usize, mut msg: Box<Canonical>) -> Pending {
    reply::put_origin(&mut msg, &flight.intent.origin);
    msg.header = flight.requester.header;
    let original = flight.intent.original.zip(flight.intent.referred.clone());
    Pending {
        msg,
        requester: flight.requester.clone(),
        likeness: flight.intent.likeness,
        rule,
        bank: flight.bank,
        deadline: flight.deadline,
        original,
        role: flight.intent.role.clone(),
    }
}
