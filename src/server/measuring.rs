//! What the driver's gauges show, twice a second.
//!
//! Contract: reads only. Deliberately absent: counters; those follow events.

use super::driver::Parts;
use super::gate::Gate;
use super::journal_thread::Health;
use crate::admin::BankSum;
use crate::switch::ids::{BankId, Name};
use crate::telemetry::Gauges;
use crate::time::Wall;
use std::time::Duration;

/// How each bank stands.
pub(super) fn sums(parts: &Parts) -> Vec<BankSum> {
    let switch = &parts.switch;
    let banks = parts.banks.iter().zip(0_u16..).zip(switch.unknown());
    let sum = |((bank, at), unknown): ((&Name, u16), usize)| BankSum {
        bank: *bank,
        owed: switch.owed(BankId(at)),
        unknown,
        dead_letters: switch.dead_letters(BankId(at)),
        breaker_open: switch.is_broken(BankId(at)),
    };
    banks.map(sum).collect()
}

/// Sets every gauge.
pub(super) fn measure(parts: &Parts, gauges: &Gauges, gate: &Gate) {
    for (at, sum) in sums(parts).into_iter().enumerate() {
        let bank = BankId(u16::try_from(at).unwrap_or(u16::MAX));
        gauges.in_flight(at, parts.switch.at_bank(bank));
        gauges.owed(at, sum.owed, owed_for(parts, bank));
        gauges.unknown(at, sum.unknown);
        gauges.dead_letters(at, sum.dead_letters);
        gauges.breaker(at, sum.breaker_open);
    }
    let journal = &parts.journal;
    gauges.engine(gate.sessions(), gate.len(), journal.lag());
    gauges.room(matches!(journal.health(), Health::Full(_)), journal.free());
}

/// For how long the oldest message owed to a bank has been owed. By the wall clock, because it
/// may be older than this process; of a clock that was set back nothing is made.
fn owed_for(parts: &Parts, bank: BankId) -> Duration {
    let now = parts.clock.wall().millis();
    let since = |oldest: Wall| now.saturating_sub(oldest.millis());
    let age_ms = parts.switch.oldest_owed(bank).map_or(0, since);
    Duration::from_millis(u64::try_from(age_ms).unwrap_or(0))
}
