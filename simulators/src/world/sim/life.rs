//! How a run of the process ends and how the next one begins: the real recovery on the simulated
//! disk, and what damage on a copy of that disk does to it.

use super::coverage::Fault;
use super::keys::Ring;
use super::machine::{Disk, Machine};
use super::world::{Happens, World};
use pointsman::journal::file::backend::FileName;
use pointsman::journal::{
    DataKey, Entropy, Options, Reader, Recovered, RecoveryError, Replayed, Writer, recover,
};
use pointsman::switch::Switch;
use pointsman::switch::ids::RecordNo;
use pointsman::switch::record::Record;
use pointsman::time::Now;
use std::sync::Arc;
use std::time::Duration;

/// Small segments, so that every world rotates some.
const SEGMENT_BYTES: u32 = 64 << 10;
/// Copies of the disk that are damaged at each restart.
const ROT_TRIALS: usize = 2;

fn key() -> DataKey {
    DataKey::new([0x5A; 32])
}

fn entropy(seed: u64) -> Entropy {
    let mut dice = super::dice::Dice::new(seed);
    Box::new(move |into| {
        for chunk in into.chunks_mut(8) {
            let bytes = dice.roll().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
        Ok(())
    })
}

/// Everything recovery hands on.
fn replay(disk: &Disk, key: &DataKey, options: &Options) -> Result<Replay, RecoveryError> {
    let mut records = vec![];
    let recovered = recover(disk, key, options, &mut |replayed| match replayed {
        Replayed::Record { no, bytes } if no == records.len() as u64 + 1 => {
            records.push(bytes.to_vec());
            Ok(())
        }
        other => Err(format!("not the next record: {other:?}")),
    })?;
    Ok(Replay { records, recovered })
}

struct Replay {
    records: Vec<Vec<u8>>,
    recovered: Recovered,
}

impl World {
    fn options(&self) -> Options {
        let options = Options { segment_bytes: SEGMENT_BYTES, ..Options::default() };
        self.planted.options(options)
    }

    /// The process is gone.
    pub(super) fn crash(&mut self) {
        self.note_pairs();
        self.machine = None;
        self.witness.crashed();
        self.disk.heal();
        if std::mem::take(&mut self.power_cut) {
            self.disk.crash();
        }
        for conn in self.net.open() {
            if let Some(found) = self.net.conn(conn) {
                found.open_in = false;
            }
            let pause = self.dice.millis(1, 2_000);
            self.later(pause, Happens::LearnOut(conn));
        }
        let pause = if self.healed { Duration::ZERO } else { self.dice.millis(300, 25_000) };
        self.later(pause, Happens::Restart);
    }

    /// Rows of the transaction table this run has met.
    fn note_pairs(&mut self) {
        if let Some(machine) = &self.machine {
            for (phase, happening) in machine.switch().met() {
                let pair = format!("{phase:?} {happening:?}");
                *self.witness.coverage.pairs.entry(pair).or_default() += 1;
            }
        }
    }

    /// The process starts.
    pub(super) fn restart(&mut self) {
        if self.machine.is_some() {
            return;
        }
        self.life += 1;
        self.forget_turn();
        if let Err(why) = self.try_start() {
            self.witness.story.tell(self.now, format_args!("the start failed: {why}"));
            // The disk may still be broken, full or failing: try again, but not for ever.
            self.disk.heal();
            if self.healed || self.life > 60 {
                return self.witness.blame("I2", format!("the switch does not start: {why}"));
            }
            self.later(Duration::from_secs(2), Happens::Restart);
            return;
        }
        for line in 0..super::setting::BANK_LINES.len() {
            self.plan_dial(line, 5, 500);
        }
        self.wake();
    }

    fn try_start(&mut self) -> Result<(), String> {
        let options = self.options();
        let replayed = replay(&self.disk, &key(), &options);
        let Replay { records, recovered } = match replayed {
            Ok(replay) => replay,
            Err(RecoveryError::Journal(error)) => return Err(error.to_string()),
            Err(error) => {
                self.witness.blame("I2", format!("refused after a crash: {error}"));
                return Err(error.to_string());
            }
        };
        self.note_verdicts(&recovered);
        self.witness.recovered(&records);
        if !self.healed {
            self.try_damage(&records, &options);
        }
        let backend: Arc<dyn pointsman::journal::Backend> = Arc::new(self.disk.clone());
        let now = self.now();
        let seed = self.dice.roll();
        let writer = Writer::start(
            Arc::clone(&backend),
            key(),
            options,
            &recovered,
            entropy(seed),
            now.wall,
        )
        .map_err(|error| error.to_string())?;
        let reader = Reader::new(backend, key(), writer.map());
        let switch = self.replay_switch(&records, now)?;
        self.witness.marked = records.len() as u64;
        let mut machine = Machine::new(switch, writer, reader);
        self.ring = Ring::new(self.planted);
        if self.healed {
            machine.be_prompt();
        }
        if !self.healed && self.life > 1 && self.dice.chance(100) {
            machine.light_fuse(self.dice.below(10) as u32);
        }
        let drained = machine.drain(now, &mut self.witness);
        self.machine = Some(machine);
        if let Err(ended) = drained {
            self.ended(ended);
        }
        Ok(())
    }

    fn replay_switch(&mut self, records: &[Vec<u8>], now: Now) -> Result<Switch, String> {
        let policy = Arc::new(super::setting::policy());
        let mut switch = Switch::new(policy, self.dice.roll());
        self.planted.plant(&mut switch);
        for (at, bytes) in records.iter().enumerate() {
            let no = RecordNo(at as u64 + 1);
            match Record::decode(bytes) {
                Ok(record) => switch.replay(no, &record),
                Err(error) => return Err(format!("record {no} cannot be decoded: {error}")),
            }
        }
        switch.start(now);
        Ok(switch)
    }

    fn note_verdicts(&mut self, recovered: &Recovered) {
        let mut rows: Vec<&str> = recovered.findings.iter().map(|f| f.row.name).collect();
        if recovered.records > 0 {
            rows.extend(["S1", "P1"]);
        }
        if recovered.findings.is_empty() {
            rows.push("P13");
        }
        for row in rows {
            self.note_verdict(row);
        }
    }

    fn note_verdict(&mut self, row: &str) {
        *self.witness.coverage.verdicts.entry(row.to_owned()).or_default() += 1;
    }

    /// Damages copies of the disk: what starts must be a beginning of what was written.
    fn try_damage(&mut self, records: &[Vec<u8>], options: &Options) {
        for _ in 0..ROT_TRIALS {
            let copy = self.disk.fork(self.dice.roll());
            let Some(what) = self.damage(&copy) else { continue };
            match replay(&copy, &key(), options) {
                Ok(replay) => {
                    self.note_verdicts(&replay.recovered);
                    self.judge_damaged(records, &replay.records, &what);
                }
                Err(RecoveryError::Damage { row, .. }) => self.note_verdict(row.name),
                Err(_) => self.note_verdict("refused"),
            }
        }
        let other = DataKey::new([0x3C; 32]);
        if let Err(RecoveryError::WrongKey { .. }) = replay(&self.disk, &other, options) {
            self.note_verdict("S5");
        }
    }

    fn judge_damaged(&mut self, written: &[Vec<u8>], read: &[Vec<u8>], what: &str) {
        let altered = read.len() > written.len() || read.iter().zip(written).any(|(r, w)| r != w);
        if altered {
            let what = format!("{what}: other records were read than were written");
            return self.witness.blame("I2", what);
        }
        let (left, marked) = (read.len() as u64, self.witness.marked);
        if left < marked {
            let what = format!("{what}: records {}..={marked} vanished unnoticed", left + 1);
            self.witness.blame("I2", what);
        }
    }

    fn damage(&mut self, disk: &Disk) -> Option<String> {
        let segments: Vec<FileName> =
            disk.names().into_iter().filter(|n| matches!(n, FileName::Segment(_))).collect();
        let name = self.dice.pick(&segments)?;
        let mut bytes = disk.get(name)?;
        let used = bytes.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
        let at = self.dice.below(used as u64) as usize;
        if self.dice.chance(700) {
            self.witness.coverage.fault(Fault::BitRot);
            disk.flip(name, at, self.dice.below(8) as u8);
            return Some(format!("one bit of {name} byte {at} turned over"));
        }
        // Whatever ends the newest segment early looks like an older copy of it.
        let newest = segments.last() == Some(&name);
        let other = self.dice.pick(&segments)?;
        self.witness.coverage.fault(Fault::DamagedFile);
        match self.dice.below(3) {
            0 => bytes.truncate(at),
            1 if newest => return None,
            1 => bytes.iter_mut().skip(at).for_each(|byte| *byte = 0),
            _ if other != name => bytes = disk.get(other)?,
            _ => return None,
        }
        disk.put(name, bytes);
        Some(format!("{name} was cut, zeroed or exchanged at byte {at}"))
    }

    /// Ends the last run in order and reads the journal back.
    pub(super) fn read_back(&mut self) {
        self.note_pairs();
        self.machine = None;
        match replay(&self.disk, &key(), &self.options()) {
            Ok(replay) => self.witness.recovered(&replay.records),
            Err(error) => {
                self.witness.blame("I2", format!("the journal cannot be read back: {error}"));
            }
        }
    }
}
