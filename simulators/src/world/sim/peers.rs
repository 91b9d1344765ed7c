//! How the peers of a world come to speak: requests, answers, plans.

use super::coverage::Fault;
use super::platform::{Act, Ask, Doing};
use super::setting;
use super::wire::{self, Frame, Sealed};
use super::world::{Happens, World};
use pointsman::canonical::Canonical;

impl World {
    /// A platform has a new request, and plans the next.
    pub(super) fn ask(&mut self, platform: usize) {
        if self.to_ask == 0 {
            return;
        }
        let burst = if self.dice.chance(30) { self.dice.between(5, 20) as u32 } else { 1 };
        for _ in 0..burst.min(self.to_ask) {
            self.to_ask -= 1;
            let wall = self.wall();
            let coverage = &mut self.witness.coverage;
            let Some(asker) = self.platforms.get_mut(platform) else { return };
            let doing = asker.ask(wall, coverage);
            self.carry_out(platform, doing);
        }
        if self.to_ask > 0 {
            let pause = self.dice.millis(50, 5_500);
            let next = self.dice.below(setting::PLATFORMS as u64) as usize;
            self.later(pause, Happens::Ask(next));
        }
    }

    /// A platform does what it planned.
    pub(super) fn act(&mut self, platform: usize, act: Act) {
        let wall = self.wall();
        let coverage = &mut self.witness.coverage;
        let Some(actor) = self.platforms.get_mut(platform) else { return };
        let doing = actor.act(act, wall, coverage);
        self.carry_out(platform, doing);
    }

    fn carry_out(&mut self, platform: usize, doing: Doing) {
        let line = setting::BANK_LINES.len() + platform;
        for mut msg in doing.send {
            self.unstamp(platform, &mut msg);
            let name = setting::PLATFORM_NAMES.get(platform).copied().unwrap_or("?");
            match self.net.current(line) {
                Some(conn) => {
                    let brief = wire::brief(&msg);
                    self.witness.story.tell(self.now, format_args!("{name} > switch: {brief}"));
                    let frame = self.spoil(msg);
                    self.send_in(conn, frame);
                }
                None => {
                    self.witness.story.tell(self.now, format_args!("{name} has no connection"));
                }
            }
        }
        for (pause, act) in doing.later {
            self.later(pause, Happens::Act(platform, act));
        }
    }

    /// What the switch refused without a bank it remembers by its whole name alone: the repeat of
    /// such a request keeps its first time.
    fn unstamp(&self, platform: usize, msg: &mut Canonical) {
        let rrn = msg.rrn.unwrap_or_default();
        let refused = self.witness.known.settled.contains(&rrn) && !self.witness.knows(rrn);
        let asks = self.platforms.get(platform).map(|platform| &platform.asks);
        let ask = asks.and_then(|asks| asks.get(&rrn));
        if let Some(ask) = ask.filter(|_| msg.repeat && refused && msg.kind.family() != 4) {
            msg.transmission = ask.msg.transmission;
        }
    }

    /// Now and then a platform's frame cannot be read.
    fn spoil(&mut self, msg: Canonical) -> Frame {
        let msg = Box::new(msg);
        if self.healed || !self.dice.chance(6) {
            return Frame::Say(msg, Sealed::default());
        }
        self.witness.coverage.fault(Fault::PlatformGarbage);
        let readable = self.dice.chance(500).then(|| {
            let mut readable = Canonical::new(msg.kind, msg.flow);
            readable.stan = msg.stan;
            readable.mti = msg.mti;
            Box::new(readable)
        });
        Frame::Garbage(readable)
    }

    /// A platform hears an answer.
    pub(super) fn platform_hears(&mut self, platform: usize, msg: &Canonical) {
        let name = setting::PLATFORM_NAMES.get(platform).copied().unwrap_or("?");
        let brief = wire::brief(msg);
        self.witness.story.tell(self.now, format_args!("{name} hears: {brief}"));
        if !msg.flow.is_answer() || msg.rrn.is_none() || msg.kind.family() == 8 {
            return;
        }
        let coverage = &mut self.witness.coverage;
        let Some(hearer) = self.platforms.get_mut(platform) else { return };
        match hearer.hear(msg, coverage) {
            Ok(doing) => self.carry_out(platform, doing),
            // Its bank does not have it, which its platform cannot know.
            Err(("decline", _)) if self.is_refused(platform, msg) => {}
            Err((invariant, what)) => self.witness.blame(invariant, what),
        }
    }

    /// Whether a bank refused the advice that this refers to, or could not be told of it.
    fn is_refused(&self, platform: usize, msg: &Canonical) -> bool {
        let asks = self.platforms.get(platform).map(|platform| &platform.asks);
        let ask = asks.and_then(|asks| asks.get(&msg.rrn.unwrap_or_default()));
        let Some(of) = ask.and_then(|ask| ask.refers) else { return false };
        asks.and_then(|asks| asks.get(&of)).is_some_and(Ask::has_no_place)
            || self.banks.iter().any(|bank| bank.refused.contains(&of))
    }

    /// A bank hears a message and plans what it says.
    pub(super) fn bank_hears(&mut self, bank: usize, line: usize, msg: &Canonical, sealed: Sealed) {
        let name = setting::BANKS.get(bank).copied().unwrap_or("?");
        let brief = wire::brief(msg);
        self.witness.story.tell(self.now, format_args!("{name} hears: {brief}"));
        let fair = self.witness.fair(wire::text(name), msg);
        let coverage = &mut self.witness.coverage;
        let Some(hearer) = self.banks.get_mut(bank) else { return };
        let needs_mac = msg.kind.family() != 8;
        if needs_mac && hearer.vault.as_ref().is_some_and(|vault| !vault.knows(sealed.with)) {
            let what = format!("{name}: {brief} under a key that was never in force");
            return self.witness.blame("I12", what);
        }
        let mut said = hearer.hear(msg, fair, coverage);
        let complaints = std::mem::take(&mut hearer.complaints);
        for (_, frame) in &mut said {
            if let Frame::Say(msg, seal) = frame {
                *seal = hearer.seal(sealed, msg, coverage);
            }
        }
        for complaint in complaints {
            self.witness.blame("I6", format!("{name} complains: {complaint}"));
        }
        for (pause, frame) in said {
            self.later(pause, Happens::BankSays(line, frame));
        }
    }

    /// A bank says something: on the line it was asked on, or on another one of its.
    pub(super) fn bank_says(&mut self, line: usize, mut frame: Frame) {
        let bank = setting::BANK_LINES.get(line);
        let sayer = bank.and_then(|bank| self.banks.get_mut(*bank));
        if let (Some(sayer), Frame::Say(msg, _)) = (sayer, &mut frame) {
            sayer.leave_date_out(msg, &mut self.witness.coverage);
        }
        let lines =
            (0..setting::BANK_LINES.len()).filter(|at| setting::BANK_LINES.get(*at) == bank);
        let others = lines.filter_map(|at| self.net.current(at)).next();
        let Some(conn) = self.net.current(line).or(others) else { return };
        let name = setting::LINES.get(line).copied().unwrap_or("?");
        match &frame {
            Frame::Say(msg, _) => {
                let brief = wire::brief(msg);
                self.witness.story.tell(self.now, format_args!("{name} says: {brief}"));
            }
            Frame::Garbage(_) => {
                self.witness.story.tell(self.now, format_args!("{name} says something unreadable"));
            }
        }
        self.send_in(conn, frame);
    }

    /// A bank asks for an echo or moves its business date.
    pub(super) fn bank_asks(&mut self, bank: usize) {
        let stan = self.dice.between(1, 999_999) as u32;
        let coverage = &mut self.witness.coverage;
        let Some(asker) = self.banks.get_mut(bank) else { return };
        let said = asker.ask(stan, coverage);
        let line = setting::BANK_LINES.iter().position(|b| *b == bank).unwrap_or(0);
        for (pause, frame) in said {
            self.later(pause, Happens::BankSays(line, frame));
        }
    }
}
