//! kill -9 with requests in every state, again and again, on one journal; then healing, and the
//! three ledgers compared.

use crate::binary::Switch;
use crate::frames::{self, Request};
use crate::shop::Shop;
use crate::stage::{HASTY, Stage};
use crate::{Tested, books};
use simulators::bank::business::Business;
use std::time::Duration;

/// How long the platform waits: longer than its budget at the switch.
const PATIENCE: Duration = Duration::from_millis(2_000);
const PER_ROUND: usize = 40;

/// When to kill. Each is reached, whatever the machine does.
#[derive(Debug, Clone, Copy)]
enum When {
    /// The frames are written; nobody looked what became of them.
    Written,
    /// The banks have executed so many of this round.
    Executed(usize),
    /// So many answers of this round came home.
    Answered(usize),
    /// A bank was asked to undo something of this round.
    Reversing,
    /// The platform had one of its own reversals acknowledged.
    Acknowledged,
}

/// What the banks do to a round, and when it ends.
const ROUNDS: [(&[&str], When); 6] = [
    (&["delay exponential 200"], When::Written),
    (&["delay exponential 200", "slow 400 5"], When::Executed(1)),
    (&["delay exponential 150", "late 1100 6"], When::Answered(1)),
    (&["delay exponential 100", "slow 900 4", "late 1300 4"], When::Answered(PER_ROUND / 2)),
    (&["silent 2", "slow 300 3"], When::Reversing),
    (&["delay exponential 100", "drop 6", "duplicate 4"], When::Acknowledged),
];

/// What happened before a round, to tell what happened in it.
struct Before {
    executed: usize,
    undone: usize,
    answered: usize,
    acknowledged: usize,
}

impl Before {
    fn new(stage: &Stage, shop: &Shop) -> Self {
        Self {
            executed: stage.entries().len(),
            undone: undone(stage),
            answered: answered(shop),
            acknowledged: acknowledged(shop),
        }
    }
}

fn answered(shop: &Shop) -> usize {
    shop.ledger().iter().filter(|request| request.answers > 0).count()
}

fn acknowledged(shop: &Shop) -> usize {
    shop.ledger().iter().filter(|request| request.is_reversed()).count()
}

fn undone(stage: &Stage) -> usize {
    stage.entries().iter().filter(|entry| entry.business == Business::Reversal).count()
}

/// Asks for a round, and turns until it is time to kill.
fn play(stage: &Stage, shop: &mut Shop, asked: &[Request], round: usize) -> Tested {
    let (commands, when) = ROUNDS[round];
    stage.tell("heal")?;
    commands.iter().try_for_each(|command| stage.tell(command))?;
    let before = Before::new(stage, shop);
    for request in asked {
        shop.ask(request)?;
    }
    shop.turn_until(&format!("round {round}: {when:?}"), |shop| match when {
        When::Written => true,
        When::Executed(some) => stage.entries().len() >= before.executed + some,
        When::Answered(some) => answered(shop) >= before.answered + some,
        When::Reversing => undone(stage) > before.undone,
        When::Acknowledged => acknowledged(shop) > before.acknowledged,
    })
}

/// Everything owed drains once nobody kills any more.
pub(crate) fn heal(stage: &Stage, shop: &mut Shop, switch: &Switch) -> Tested {
    stage.tell("heal")?;
    shop.turn_until("the platform has nothing open", Shop::is_at_rest)?;
    switch.owes_nothing("")
}

/// One request after the other with nothing wrong: money that stays where it went.
pub(crate) fn quiet_day(shop: &mut Shop, asked: &[Request]) -> Tested {
    for request in asked {
        shop.ask(request)?;
        shop.turn_until("the request is settled", Shop::is_at_rest)?;
    }
    Ok(())
}

#[test]
fn nothing_is_lost_between_kills() -> Tested {
    let stage = Stage::new(HASTY)?;
    let mut shop = Shop::new(PATIENCE);
    let requests = frames::requests()?;
    for (round, asked) in requests.chunks(PER_ROUND).enumerate().take(ROUNDS.len()) {
        let switch = stage.start("info")?;
        shop.call(switch.door)?;
        play(&stage, &mut shop, asked, round)?;
        let open = shop.ledger().len() - shop.settled();
        assert!(open > 0, "round {round}: nothing was in flight at the kill");
        assert_eq!(switch.metric("pointsman_impossible_total", "")?, 0.0, "round {round}");
        switch.kill()?;
        // And once more as soon as it has recovered: recovery is cut as well.
        stage.start_alone("info")?.kill()?;
    }
    let switch = stage.start("info")?;
    shop.call(switch.door)?;
    heal(&stage, &mut shop, &switch)?;
    quiet_day(&mut shop, &requests[ROUNDS.len() * PER_ROUND..])?;
    switch.owes_nothing("")?;
    assert_eq!(switch.metric("pointsman_impossible_total", "")?, 0.0);
    shop.hang_up();
    assert_eq!(switch.stop()?, Some(0));
    books::balance(&stage, &shop)
}
