//! What real platforms do at the edges: how they repeat, what their reversals leave out or get
//! wrong, and what they send about something that is over or that they only told of.
//!
//! Contract: every habit is counted in [`Coverage`]; the ledger says what the platform believes
//! afterwards, and [`Named`] says whether a right switch can find what it means.

use super::coverage::{Coverage, Fault};
use super::platform::{Act, Ask, Doing, Platform, REVERSAL_PATIENCE, Standing, Wrong, stamp};
use super::wire;
use pointsman::canonical::{Answer, Canonical, Flow, Kind, OriginalData, Reason, ResponseClass};
use pointsman::canonical::{MacCheck, TransactionType};
use pointsman::money::Amount;
use pointsman::sensitive::Pan;
use pointsman::text::Text;
use pointsman::time::Wall;

/// How often, in a thousand.
pub mod often {
    /// A repeat has an `F7` of its own.
    pub const RESTAMPED: u64 = 400;
    /// A reversal comes from another terminal.
    pub const ELSEWHERE: u64 = 60;
    /// A reversal states no terminal.
    pub const NOWHERE: u64 = 60;
    /// A reversal has an `F90` of zeros.
    pub const ZEROS: u64 = 60;
    /// The `F7` in a reversal's `F90` is off by a second.
    pub const OFF_BY_ONE: u64 = 60;
    /// A reversal of something granted states another card.
    pub const WRONG_CARD: u64 = 60;
    /// The same, and the time it states is an hour off: its `F37` alone is right.
    pub const WRONG_CARD_FAR: u64 = 60;
    /// A reversal of something granted takes back a part.
    pub const PARTIAL: u64 = 250;
    /// An advice tells of a decline.
    pub const DECLINED_ADVICE: u64 = 200;
    /// An advice that was acknowledged is followed up.
    pub const AFTER_ADVICE: u64 = 400;
    /// Something granted is followed up by a completion, void or refund.
    pub const AFTER_GRANT: u64 = 120;
    /// A follow-up comes from another terminal.
    pub const FOLLOWED_ELSEWHERE: u64 = 400;
    /// What was followed up is followed up once more, for all of it.
    pub const FOLLOWED_TWICE: u64 = 300;
    /// What was reversed or declined is refunded.
    pub const DEAD_REFUND: u64 = 60;
    /// Another merchant's terminal of the same name asks under the same number in the same
    /// second.
    pub const TWIN: u64 = 12;
}

/// Whether what a platform's reversal says of its original can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Named {
    /// It names one transaction, and nothing it says contradicts that.
    #[default]
    Well,
    /// It names one, and says something else of it that is not so.
    Wrongly,
}

/// The other terminal a follow-up may come from.
const ELSEWHERE: &str = "DESK0009";

impl Platform {
    /// A repeat of a message, as this platform sends it.
    pub(super) fn again(&mut self, msg: &Canonical, wall: Wall, cover: &mut Coverage) -> Canonical {
        let mut again = msg.clone();
        again.repeat = true;
        if !self.honest && self.dice.chance(often::RESTAMPED) {
            cover.fault(Fault::PlatformRestamps);
            again.transmission = Some(wire::f7(wall));
        }
        again
    }

    /// Takes something back, in whole or in part, and goes on until that is acknowledged.
    pub(super) fn reverse(
        &mut self,
        rrn: Text<12>,
        wall: Wall,
        doing: &mut Doing,
        cover: &mut Coverage,
    ) {
        let Some(ask) = self.asks.get(&rrn).cloned() else { return };
        let mistaken = 500;
        let untold = ask.conflict && !self.dice.chance(mistaken);
        if untold || ask.declined || ask.is_reversed() {
            // Nothing came of it.
            if let Some(ask) = self.asks.get_mut(&rrn).filter(|ask| ask.conflict) {
                ask.standing = Standing::Denied;
            }
            return;
        }
        let mut msg = self.reversal_of(&ask, wall);
        let (named, left) = self.bend(&ask, &mut msg, cover);
        let Some(ask) = self.asks.get_mut(&rrn) else { return };
        if ask.sent == 1 && ask.standing == Standing::Waiting && ask.unheard {
            cover.fault(Fault::PlatformUnknownOriginal);
        }
        (ask.standing, ask.named, ask.left) = (Standing::Reversing, named, left);
        ask.reversal = Some(msg.clone());
        doing.send.push(msg);
        doing.later.push((REVERSAL_PATIENCE, Act::Insist(rrn)));
    }

    fn reversal_of(&mut self, ask: &Ask, wall: Wall) -> Canonical {
        let mut msg = ask.msg.clone();
        (msg.kind, msg.special) = (Kind::Reversal(ask.kind()), false);
        msg.flow = Flow::Advice;
        msg.stan = Some(self.stan());
        msg.transmission = Some(wire::f7(wall));
        msg.reason = Some(Reason::CustomerCancel);
        msg.answer = None;
        // Its own code, not that of what it referred to.
        msg.auth_id = ask.auth_id;
        if let Standing::Granted(minor) = ask.standing {
            // Of a partial approval: what was granted.
            msg.amount = msg.amount.map(|a| Amount::new(minor, a.currency));
        }
        msg.original = Some(name_of(&ask.msg));
        msg
    }

    /// The habits of platforms' reversals: at most one at a time. What is reversed in haste may
    /// come after its reversal, which then says what it takes back.
    fn bend(
        &mut self,
        ask: &Ask,
        msg: &mut Canonical,
        cover: &mut Coverage,
    ) -> (Named, Option<u64>) {
        if self.honest {
            return (Named::Well, None);
        }
        let granted = match ask.standing {
            Standing::Granted(minor) => Some(minor),
            _ => None,
        };
        let whole = granted.filter(|minor| *minor > 1 && is_divisible(ask));
        let wrong = granted.filter(|_| ask.msg.flow == Flow::Request && ask.sent == 1);
        let habit = |often, fault| (often, Some(fault));
        let table = [
            (500, None),
            habit(often::ELSEWHERE, Fault::PlatformReversesElsewhere),
            habit(often::NOWHERE, Fault::PlatformReversesNowhere),
            habit(if ask.hasty { 0 } else { often::ZEROS }, Fault::PlatformNamesZeros),
            habit(often::OFF_BY_ONE, Fault::PlatformNamesNearly),
            habit(wrong.map_or(0, |_| often::WRONG_CARD), Fault::PlatformWrongCard),
            habit(wrong.map_or(0, |_| often::WRONG_CARD_FAR), Fault::PlatformWrongCardFar),
            habit(whole.map_or(0, |_| often::PARTIAL), Fault::PlatformPartialReversal),
        ];
        let Some(habit) = self.dice.weigh(&table).flatten() else { return (Named::Well, None) };
        cover.fault(habit);
        if ask.hasty {
            cover.fault(Fault::PlatformOvertakesInexactly);
        }
        match habit {
            Fault::PlatformReversesElsewhere => msg.terminal = Some(wire::text(ELSEWHERE)),
            Fault::PlatformReversesNowhere => msg.terminal = None,
            Fault::PlatformNamesZeros => msg.original = None,
            Fault::PlatformNamesNearly => {
                if let Some(original) = &mut msg.original {
                    original.transmission = original.transmission.map(a_second_off);
                }
            }
            Fault::PlatformWrongCard | Fault::PlatformWrongCardFar => {
                msg.pan = another_card(ask);
                if habit == Fault::PlatformWrongCardFar
                    && let Some(original) = &mut msg.original
                {
                    original.transmission = original.transmission.map(an_hour_off);
                }
                return (Named::Wrongly, None);
            }
            _ => {
                let left = self.dice.between(1, whole.unwrap_or(2) - 1);
                msg.replacement_amount = msg.amount.map(|a| Amount::new(left, a.currency));
                return (Named::Well, Some(left));
            }
        }
        (Named::Well, None)
    }

    pub(super) fn insist(
        &mut self,
        rrn: Text<12>,
        wall: Wall,
        doing: &mut Doing,
        cover: &mut Coverage,
    ) {
        let Some(ask) = self.asks.get(&rrn) else { return };
        if ask.standing != Standing::Reversing {
            return;
        }
        if let Some(msg) = ask.reversal.clone() {
            let again = self.again(&msg, wall, cover);
            doing.send.push(again);
            doing.later.push((REVERSAL_PATIENCE, Act::Insist(rrn)));
        }
    }

    /// Something else under the name of this request: it must be refused.
    pub(super) fn confuse(&mut self, rrn: Text<12>, doing: &mut Doing, cover: &mut Coverage) {
        // Its repeat may have come under another name, and it never did.
        let Some(ask) = self.asks.get(&rrn).filter(|ask| ask.sent == 1) else { return };
        let mut other = ask.msg.clone();
        other.pan = another_card(ask).filter(|_| self.dice.chance(500)).or(other.pan);
        cover.fault(Fault::PlatformConflict);
        let rrn = self.reference();
        other.rrn = Some(rrn);
        other.amount = other.amount.map(|a| Amount::new(a.minor + 7, a.currency));
        self.enter(&other, true);
        doing.later.push((super::platform::PATIENCE, Act::Look(rrn)));
        doing.send.push(other);
    }

    /// What may follow on something granted or acknowledged.
    pub(super) fn plan_follow_up(&mut self, rrn: Text<12>, doing: &mut Doing) {
        let Some(ask) = self.asks.get(&rrn) else { return };
        let advice = ask.msg.flow == Flow::Advice;
        let often = if advice { often::AFTER_ADVICE } else { often::AFTER_GRANT };
        if !self.honest && !ask.conflict && !ask.declined && self.dice.chance(often) {
            let far = if self.dice.chance(200) { 1_000_000 } else { 60_000 };
            doing.later.push((self.dice.millis(1_000, far), Act::Follow(rrn)));
        }
    }

    /// What may follow on something that was taken back or declined: a refund of it.
    pub(super) fn plan_dead_refund(&mut self, rrn: Text<12>, doing: &mut Doing) {
        let Some(ask) = self.asks.get(&rrn) else { return };
        let sale = ask.kind() == TransactionType::Purchase && !ask.conflict && !ask.unheard;
        let well = ask.msg.mac != MacCheck::Bad && ask.named == Named::Well;
        if sale && well && !self.honest && self.dice.chance(often::DEAD_REFUND) {
            doing.later.push((self.dice.millis(1_000, 60_000), Act::Follow(rrn)));
        }
    }

    /// Completes, voids, refunds or reverses what it was granted or told of.
    pub(super) fn follow(
        &mut self,
        rrn: Text<12>,
        wall: Wall,
        doing: &mut Doing,
        cover: &mut Coverage,
    ) {
        let Some(ask) = self.asks.get(&rrn).cloned() else { return };
        let advice = ask.msg.flow == Flow::Advice;
        let (stands, minor) = match ask.standing {
            Standing::Granted(minor) => (true, minor),
            Standing::Denied | Standing::Reversed => (false, ask.asked()),
            _ => return,
        };
        let again = self.is_followed(&rrn);
        if advice && stands && !again && self.dice.chance(400) {
            cover.fault(Fault::PlatformReversesAdvice);
            return self.reverse(rrn, wall, doing, cover);
        }
        use TransactionType as T;
        let kind = match ask.kind() {
            T::PreAuthorization if stands => T::Completion,
            T::Purchase if !stands => T::Refund,
            T::Purchase | T::Completion => {
                if self.dice.chance(500) {
                    T::Void
                } else {
                    T::Refund
                }
            }
            _ => return,
        };
        let fault = match (kind, advice, stands) {
            (_, _, false) => Fault::PlatformRefundsTheDead,
            (T::Void, true, _) => Fault::PlatformVoidsAdvice,
            (T::Refund, true, _) => Fault::PlatformRefundsAdvice,
            (T::Completion, ..) => Fault::PlatformCompletes,
            _ => Fault::PlatformFollows,
        };
        cover.fault(fault);
        if again {
            cover.fault(Fault::PlatformFollowsTwice);
        } else if stands && self.dice.chance(often::FOLLOWED_TWICE) {
            doing.later.push((self.dice.millis(0, 30_000), Act::Follow(rrn)));
        }
        let mut msg = self.following(&ask, (kind, minor), wall);
        if self.dice.chance(often::FOLLOWED_ELSEWHERE) {
            cover.fault(Fault::PlatformFollowsElsewhere);
            msg.terminal = Some(wire::text(ELSEWHERE));
        }
        let own = self.reference();
        msg.rrn = Some(own);
        cover.asked += 1;
        self.enter(&msg, false);
        if let Some(entered) = self.asks.get_mut(&own) {
            (entered.refers, entered.to_the_dead) = (Some(rrn), !stands);
        }
        doing.send.push(msg);
        doing.later.push((super::platform::PATIENCE, Act::Look(own)));
        stamp(doing);
    }

    /// Whether anything it sent refers to this.
    fn is_followed(&self, rrn: &Text<12>) -> bool {
        self.asks.values().any(|ask| ask.refers.as_ref() == Some(rrn))
    }

    /// A completion, void or refund of something.
    fn following(
        &mut self,
        ask: &Ask,
        (kind, minor): (TransactionType, u64),
        wall: Wall,
    ) -> Canonical {
        use TransactionType as T;
        let mut msg = ask.msg.clone();
        msg.kind = Kind::Transaction(if kind == T::Void && ask.kind() == T::Completion {
            T::CompletionVoid
        } else {
            kind
        });
        msg.flow = Flow::Request;
        msg.processing_code =
            Some(wire::text(if kind == T::Completion { "000000" } else { "200000" }));
        msg.amount = msg.amount.map(|a| Amount::new(minor, a.currency));
        msg.transmission = Some(wire::f7(wall));
        msg.stan = Some(self.stan());
        msg.answer = None;
        (msg.accepts_partial, msg.special) = (false, false);
        msg.original = Some(name_of(&ask.msg));
        msg.auth_id = ask.auth_id;
        msg
    }

    /// A decline that the switch itself has no ground for: by this platform's own books.
    pub(super) fn declined_for_nothing(&self, rrn: Text<12>, msg: &Canonical) -> Option<Wrong> {
        // What is repeated may have been declined by the last run, which did not live to say so.
        let ask = self.asks.get(&rrn).filter(|ask| ask.sent == 1 && !ask.is_reversed())?;
        let Some(Answer::Own(reason)) = msg.answer else { return None };
        let stands = |of: &Text<12>| {
            let standing = self.asks.get(of).map(|original| original.standing);
            matches!(standing, Some(Standing::Granted(_)))
        };
        let what = wire::brief(msg);
        match reason {
            Reason::OriginalNotFound | Reason::AmountDiffers | Reason::InvalidTransaction
                if ask.refers.as_ref().is_some_and(stands) =>
            {
                Some(("decline", format!("what it refers to stands: {what}")))
            }
            Reason::ExceedsOriginal if !ask.to_the_dead => {
                let of = ask.refers?;
                let others = self.asks.iter().filter(|(other, _)| **other != rrn);
                let only = others.filter(|(_, other)| other.refers == Some(of)).count() == 0;
                // A part of it that is taken back counts from the moment at which it is asked for.
                let whole = self.asks.get(&of).is_none_or(|original| !original.is_reversed());
                (only && whole)
                    .then(|| ("decline", format!("nothing else refers to its original: {what}")))
            }
            Reason::Duplicate if !ask.conflict => {
                Some(("decline", format!("nobody else has its name: {what}")))
            }
            _ => None,
        }
    }

    /// Another merchant's terminal of the same name, number and second.
    pub(super) fn twin(&mut self, msg: &Canonical, doing: &mut Doing, cover: &mut Coverage) {
        if self.honest || msg.flow != Flow::Request || !self.dice.chance(often::TWIN) {
            return;
        }
        cover.fault(Fault::PlatformTwin);
        cover.asked += 1;
        let mut other = msg.clone();
        let rrn = self.reference();
        other.rrn = Some(rrn);
        other.pan = another_card_than(msg.pan.as_ref());
        other.merchant = Some(wire::text("OTHERSHOP000002"));
        other.amount = other.amount.map(|a| Amount::new(a.minor + 11, a.currency));
        self.enter(&other, false);
        doing.send.push(other);
        doing.later.push((super::platform::PATIENCE, Act::Look(rrn)));
    }

    /// An advice that tells of a decline, now and then.
    pub(super) fn declined(&mut self, msg: &mut Canonical, cover: &mut Coverage) -> bool {
        if msg.flow != Flow::Advice || !self.dice.chance(often::DECLINED_ADVICE) {
            return false;
        }
        cover.fault(Fault::PlatformDeclinedAdvice);
        let class = ResponseClass::Declined;
        msg.answer = Some(Answer::Given { class, code: wire::code(class) });
        true
    }
}

/// How a platform names a message of its own in another.
fn name_of(msg: &Canonical) -> OriginalData {
    OriginalData {
        mti: Some(wire::mti(msg.kind, msg.flow, false)),
        stan: msg.stan,
        transmission: msg.transmission,
        acquirer: msg.acquirer,
        ..OriginalData::default()
    }
}

/// Whether a part of it can be taken back.
fn is_divisible(ask: &Ask) -> bool {
    use TransactionType as T;
    let kind = matches!(ask.kind(), T::Purchase | T::PreAuthorization | T::Completion);
    kind && ask.msg.flow == Flow::Request
}

/// Another card of the same bank.
fn another_card(ask: &Ask) -> Option<Pan> {
    another_card_than(ask.msg.pan.as_ref())
}

fn another_card_than(pan: Option<&Pan>) -> Option<Pan> {
    let same_bank = |a: &str, b: &str| a.starts_with("62") == b.starts_with("62");
    let cards = || super::platform::CARDS.iter();
    let pan_of = |card: &str| Pan::new(card.as_bytes()).ok();
    let own = cards().find(|card| pan_of(card).as_ref() == pan)?;
    cards().find(|card| *card != own && same_bank(card, own)).and_then(|card| pan_of(card))
}

/// The same stamp a second later, or earlier at the end of a minute.
fn a_second_off(f7: Text<10>) -> Text<10> {
    let mut digits = [b'0'; 10];
    digits.iter_mut().zip(f7.as_bytes()).for_each(|(to, from)| *to = *from);
    match digits[9] {
        b'9' => digits[9] = b'8',
        _ => digits[9] += 1,
    }
    Text::new(&digits).unwrap_or(f7)
}

/// The same stamp an hour earlier, or later in the first hour of a day.
fn an_hour_off(f7: Text<10>) -> Text<10> {
    let hour: u32 = f7.as_str().get(4..6).and_then(|hour| hour.parse().ok()).unwrap_or_default();
    let off = if hour == 0 { 1 } else { hour - 1 };
    let (day, rest) = (f7.as_str().get(..4), f7.as_str().get(6..));
    let text = day.zip(rest).map(|(day, rest)| format!("{day}{off:02}{rest}"));
    text.map_or(f7, |text| wire::text(&text))
}
