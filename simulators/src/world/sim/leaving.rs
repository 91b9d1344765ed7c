//! The witness at the door: what must hold at the moment a frame leaves the process.

use super::setting;
use super::wire;
use super::witness::{Reference, Witness, is_grant};
use pointsman::canonical::{Canonical, Flow, Kind};
use pointsman::switch::ids::{Name, RecordNo};
use pointsman::switch::output::Send;
use pointsman::switch::record::{Owed, Queued};
use pointsman::time::Instant;

impl Witness {
    /// A frame leaves over this line.
    pub fn leaves(&mut self, now: Instant, send: &Send) {
        self.now = now;
        self.coverage.frames += 1;
        let line = usize::from(send.line.0);
        let name = setting::LINES.get(line).copied().unwrap_or("?");
        self.story.tell(now, format_args!("switch > {name}: {}", wire::brief(&send.msg)));
        if let Some(limit) = self.limit(send.id).filter(|limit| now > *limit) {
            let late = now.since(limit);
            let what = format!("left {late:?} after its limit: {}", wire::brief(&send.msg));
            self.blame("I4", what);
        }
        match setting::BANK_LINES.get(line) {
            Some(bank) => self.bank_bound(now, *bank, send),
            None => self.platform_bound(line - setting::BANK_LINES.len(), &send.msg),
        }
    }

    fn bank_bound(&mut self, now: Instant, bank: usize, send: &Send) {
        let msg = &send.msg;
        let carried = self.carried.remove(&send.id);
        if msg.flow.is_answer() {
            return;
        }
        let bank: Name = wire::text(setting::BANKS.get(bank).copied().unwrap_or("?"));
        match (msg.kind, msg.flow) {
            (Kind::Transaction(_), Flow::Request) => self.original(now, bank, msg),
            (Kind::Transaction(_) | Kind::Reversal(_), _) => self.forwards(bank, msg, carried),
            _ => {}
        }
    }

    fn original(&mut self, now: Instant, bank: Name, msg: &Canonical) {
        let rrn = msg.rrn.unwrap_or_default();
        let stan = msg.stan.unwrap_or_default();
        let intent = self.known.intents.iter().rev().find(|(_, intent)| {
            intent.bank == bank && intent.keys.stan == stan && intent.keys.rrn == msg.rrn
        });
        match intent.map(|(no, _)| no.0) {
            Some(no) if no <= self.durable => {}
            Some(no) => {
                self.blame("I3", format!("ref {rrn} left before its intent {no} was durable"));
            }
            None => self.blame("I3", format!("ref {rrn} left without an intent")),
        }
        let times = self.originals.entry((rrn, bank)).or_default();
        *times += 1;
        if *times > 1 {
            self.blame("I6", format!("ref {rrn} went to {bank} a second time as an original"));
        }
        let budget = setting::BUDGET - setting::MARGIN;
        if let Some(arrived) = self.arrived.get(&rrn).filter(|at| now > at.after(budget)) {
            let age = now.since(*arrived);
            self.blame("I4", format!("ref {rrn} left for {bank} {age:?} after it was asked"));
        }
    }

    /// A reversal or advice leaves: durable, in order, and the same as before.
    fn forwards(
        &mut self,
        bank: Name,
        msg: &Canonical,
        carried: Option<(RecordNo, std::sync::Arc<Queued>)>,
    ) {
        let Some((entry, queued)) = carried else {
            return self.blame("I3", format!("nothing is owed like {}", wire::brief(msg)));
        };
        if entry.0 > self.durable {
            self.blame("I3", format!("entry {entry} left before it was durable"));
        }
        // A reversal that an operator has been asked about holds nobody back any more.
        let aside = |no: &RecordNo, other: &Queued| {
            other.owed != Owed::Repeat && self.known.desk.contains(no)
        };
        let older = self.known.owed.iter().find(|(no, other)| {
            let same = other.bank == bank && other.pan.is_some() && other.pan == queued.pan;
            **no < entry && same && !aside(no, other)
        });
        if let Some(older) = older.map(|(no, _)| *no) {
            self.blame("I8", format!("entry {entry} of {bank} overtook {older} of its card"));
        }
        self.compare(entry, bank, msg);
    }

    fn compare(&mut self, entry: RecordNo, bank: Name, msg: &Canonical) {
        let repeats = bank == wire::text::<24>(setting::BANKS[0]);
        let Some(first) = self.forwarded.get(&entry) else {
            let mut first = msg.clone();
            first.repeat = false;
            self.forwarded.insert(entry, first);
            return;
        };
        let mut plain = msg.clone();
        plain.repeat = false;
        plain.transmission = first.transmission;
        // How much was granted may become known between two tries; the bank looks at that.
        plain.amount = first.amount;
        let same = plain == *first;
        if !same {
            self.blame("I6", format!("entry {entry} changed between tries: {}", wire::brief(msg)));
        }
        if repeats && !msg.repeat {
            self.blame("I6", format!("entry {entry} went out again without the repeat MTI"));
        }
    }

    fn platform_bound(&mut self, platform: usize, msg: &Canonical) {
        if !msg.flow.is_answer() || msg.kind.family() == 8 {
            return;
        }
        // What could not be read has no reference to answer to.
        let Some(rrn) = msg.rrn else { return };
        let key = (rrn, msg.kind.family());
        let asked = self.asked.get(&key).copied().unwrap_or_default();
        if msg.kind.family() != 4 {
            // Asked again under another stamp it is another request.
            self.pending.remove(&rrn);
            self.arrived.remove(&rrn);
        }
        let answered = self.answered.entry(key).or_default();
        *answered += 1;
        if *answered > asked {
            let what = format!("ref {rrn} was asked {asked} times, answered {answered} times");
            self.blame("I7", what);
        }
        if !rrn.as_str().starts_with(&format!("{platform:02}")) {
            self.blame("I7", format!("ref {rrn} is answered to platform {platform}"));
        }
        if is_grant(msg) {
            self.grant_leaves(rrn, msg);
        } else if wire::class(msg.answer).is_approval() {
            self.acknowledgement_leaves(key, msg);
        }
    }

    fn grant_leaves(&mut self, rrn: Reference, msg: &Canonical) {
        self.granted.insert(rrn);
        self.grants_left.insert(rrn, self.now);
        if self.reversed.contains(&rrn) {
            self.blame("I5", format!("ref {rrn} was reversed and is granted again"));
        }
        let Some(grant) = self.known.grants.get(&rrn) else {
            return self.blame("I2", format!("ref {rrn} is granted, the journal does not say so"));
        };
        let (no, minor, auth_id) = (grant.no, grant.minor, grant.outcome.auth_id);
        if no.0 > self.durable {
            self.blame("I2", format!("ref {rrn} is granted before outcome {no} is durable"));
        }
        let told = msg.amount.map_or(minor, |a| a.minor);
        if told != minor || msg.auth_id != auth_id {
            self.blame("I2", format!("ref {rrn} is granted {told}, the journal says {minor}"));
        }
    }

    fn acknowledgement_leaves(&mut self, key: (Reference, u8), msg: &Canonical) {
        let (rrn, family) = key;
        match self.known.acknowledged.get(&key) {
            Some(no) if no.0 <= self.durable => {}
            Some(no) => {
                let no = *no;
                self.blame("I2", format!("ref {rrn} is acknowledged before {no} is durable"));
            }
            None => self.blame("I2", format!("nothing was recorded for {}", wire::brief(msg))),
        }
        if family == 4 {
            self.reversed.insert(rrn);
        }
    }
}
