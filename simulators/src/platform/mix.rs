//! What a platform asks for: which cards, which business, which amounts; and how it spells it.
//!
//! Contract: one seed gives one sequence of requests. `F11` counts 000001–999999 and `F7` moves
//! with time, so (`F7`, `F11`) never repeats below a million messages a second; `F37` counts for
//! the whole run. Cards come from published test ranges only.

use super::habits::{Habit, Habits, Often};
use super::ledger::{End, Request, Reversal, Why};
use crate::bank::business::Business;
use crate::cards;
use crate::clock::stamp;
use crate::msg::Msg;
use crate::seed::Seed;
use pointsman::sensitive::Pan;

/// Cards of one kind and how often what is asked with them.
#[derive(Debug, Clone)]
pub struct Pool {
    /// Card numbers.
    pub cards: Vec<String>,
    /// `F49`.
    pub currency: String,
    /// Weights: purchase, hold (pre-authorization), refund, balance inquiry.
    pub weights: [u32; 4],
}

const BUSINESS: [Business; 4] =
    [Business::Purchase, Business::Hold, Business::Refund, Business::Balance];

impl Pool {
    /// The published test cards of a scheme (see [`cards::of_scheme`]); none if unknown.
    pub fn of_scheme(scheme: &str, currency: &str, weights: [u32; 4]) -> Self {
        let cards = cards::of_scheme(scheme).unwrap_or_default();
        let cards = cards.iter().map(|card| (*card).to_owned()).collect();
        Self { cards, currency: currency.to_owned(), weights }
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Mix {
    /// Cards and business.
    pub pools: Vec<Pool>,
    /// Least and most of an amount in minor units, inclusive.
    pub amount: [u64; 2],
    /// Whether every amount is one more than the one before, from the least on: an amount then
    /// names its request.
    pub counted: bool,
    /// Approved purchases and holds in a thousand that are taken back at once.
    pub customer_reversals_per_mille: u32,
    /// Answered requests in a thousand that are sent again as a repeat.
    pub repeats_per_mille: u32,
    /// `F32`.
    pub acquirer: String,
    /// `F42` and `F41`, used in turn.
    pub terminals: Vec<(String, String)>,
    /// What it does that the contract does not ask for.
    pub habits: Vec<Often>,
}

impl Default for Mix {
    fn default() -> Self {
        Self {
            pools: vec![Pool::of_scheme("visa", "840", [85, 5, 5, 5])],
            amount: [100, 50_000],
            counted: false,
            customer_reversals_per_mille: 20,
            repeats_per_mille: 10,
            acquirer: "100001".to_owned(),
            terminals: vec![("MERCHANT0000001".to_owned(), "TERM0001".to_owned())],
            habits: Vec::new(),
        }
    }
}

/// Makes requests.
#[derive(Debug)]
pub struct Maker {
    mix: Mix,
    seed: Seed,
    stan: u32,
    made: u64,
    rrn_base: u64,
    pub(super) habits: Habits,
}

/// A request and its message.
#[derive(Debug)]
pub struct Made {
    /// The row of the ledger.
    pub request: Request,
    /// What leaves.
    pub msg: Msg,
}

impl Maker {
    /// A maker of this mix.
    pub fn new(mix: Mix, seed: u64) -> Self {
        // Runs one after the other against one bank must not share retrieval references.
        let rrn_base = seed.wrapping_mul(10_000_019) % 1_000 * 1_000_000_000;
        let habits = Habits::of(&mix.habits, seed);
        Self { mix, seed: Seed::new(seed), stan: 0, made: 0, rrn_base, habits }
    }

    /// True as often as the mix says for customers who change their mind.
    pub fn customer_reverses(&mut self) -> bool {
        self.seed.chance(self.mix.customer_reversals_per_mille)
    }

    /// True as often as the mix says for repeats.
    pub fn repeats(&mut self) -> bool {
        self.seed.chance(self.mix.repeats_per_mille)
    }

    fn next_stan(&mut self) -> String {
        self.stan = self.stan % 999_999 + 1;
        format!("{:06}", self.stan)
    }

    fn choose(&mut self) -> (String, String, Business) {
        let pools = &self.mix.pools;
        let total: u32 = pools.iter().flat_map(|pool| pool.weights).sum();
        let mut left = self.seed.below(u64::from(total)) as u32;
        for pool in pools {
            for (weight, business) in pool.weights.into_iter().zip(BUSINESS) {
                if left >= weight {
                    left -= weight;
                    continue;
                }
                let at = self.seed.below(pool.cards.len() as u64) as usize;
                let card = pool.cards.get(at).cloned().unwrap_or_default();
                return (card, pool.currency.clone(), business);
            }
        }
        (String::new(), String::new(), Business::Balance)
    }

    fn amount(&mut self, business: Business) -> u64 {
        let [least, most] = self.mix.amount;
        let drawn = self.seed.below(most.saturating_sub(least) + 1);
        let amount = least + if self.mix.counted { self.made } else { drawn };
        if business == Business::Balance { 0 } else { amount }
    }

    /// The next request, to leave at `at_ms`.
    pub fn request(&mut self, at_ms: u64) -> Made {
        self.made += 1;
        let (card, currency, business) = self.choose();
        let amount = self.amount(business);
        let terminals = self.mix.terminals.len().max(1) as u64;
        let at = (self.made % terminals) as usize;
        let (merchant, terminal) = self.mix.terminals.get(at).cloned().unwrap_or_default();
        let (mti, processing_code) = spelled(business);
        let (stan, transmission) = (self.next_stan(), stamp(at_ms));
        let rrn = format!("{:012}", self.rrn_base + self.made);
        let msg = Msg::new(mti)
            .with(2, card.as_str())
            .with(3, processing_code)
            .with(4, format!("{amount:012}"))
            .with(7, transmission.as_str())
            .with(11, stan.as_str())
            .with(12, &transmission[4..])
            .with(13, &transmission[..4])
            .with(14, "3012")
            .with(18, "5411")
            .with(22, "021")
            .with(25, "00")
            .with(32, self.mix.acquirer.as_str())
            .with(37, rrn.as_str())
            .with(41, format!("{terminal:8}"))
            .with(42, format!("{merchant:15}"))
            .with(49, currency.as_str());
        let request = Request {
            no: self.made,
            business,
            mti: mti.to_owned(),
            stan,
            transmission,
            rrn,
            terminal,
            pan: Pan::new(card.as_bytes()).map(|pan| pan.masked()).unwrap_or_default(),
            amount,
            currency,
            intended_ms: at_ms,
            end: End::Unsent,
            code: None,
            auth_id: None,
            answered_amount: None,
            answers: 0,
            late_answers: 0,
            contradiction: None,
            repeats: 0,
            reversal: None,
        };
        Made { request, msg }
    }

    /// The reversal of a request, new: own STAN and `F7`, the original's in `F90`.
    pub fn reversal(&mut self, at_ms: u64, original: &Msg, why: Why) -> (Reversal, Msg) {
        let (stan, transmission) = (self.next_stan(), stamp(at_ms));
        let msg = self.name(original, &stan, &transmission);
        (Reversal { why, stan, transmission, tries: 0, acknowledged: None }, msg)
    }

    /// A message like its original that names it in `F90`.
    fn name(&self, original: &Msg, stan: &str, transmission: &str) -> Msg {
        let mut msg = original.clone();
        msg.mti = "0420".to_owned();
        let acquirer = &self.mix.acquirer;
        let f90 = format!(
            "{}{}{}{acquirer:0>11}{:011}",
            original.mti,
            original.text(11),
            original.text(7),
            0
        );
        msg.set(7, transmission);
        msg.set(11, stan);
        msg.set(90, f90);
        msg
    }

    /// Makes an advice of a purchase, as often as the habit says.
    pub(super) fn advises(&mut self, request: &mut Request, msg: &mut Msg) -> bool {
        if request.business != Business::Purchase || !self.habits.strikes(Habit::Advice) {
            return false;
        }
        "0220".clone_into(&mut msg.mti);
        request.mti.clone_from(&msg.mti);
        let auth_id = format!("T{:05}", self.made % 100_000);
        msg.set(38, auth_id.as_str());
        msg.set(39, "00");
        request.auth_id = Some(auth_id);
        true
    }

    /// The void of what was told by advice, to leave at `at_ms`.
    pub(super) fn void(&mut self, at_ms: u64, advice: &Request, told: &Msg) -> Made {
        self.made += 1;
        let (stan, transmission) = (self.next_stan(), stamp(at_ms));
        let rrn = format!("{:012}", self.rrn_base + self.made);
        let mut msg = self.name(told, &stan, &transmission);
        "0200".clone_into(&mut msg.mti);
        msg.remove(39);
        let msg = msg
            .with(3, "020000")
            .with(12, &transmission[4..])
            .with(13, &transmission[..4])
            .with(37, rrn.as_str());
        let request = Request {
            no: self.made,
            business: Business::Void,
            mti: msg.mti.clone(),
            stan,
            transmission,
            rrn,
            intended_ms: at_ms,
            end: End::InFlight,
            code: None,
            auth_id: None,
            answered_amount: None,
            answers: 0,
            repeats: 0,
            ..advice.clone()
        };
        Made { request, msg }
    }

    /// Another card of the same pool.
    pub(super) fn other_card(&self, card: &str) -> Option<String> {
        let has = |pool: &&Pool| pool.cards.iter().any(|known| known == card);
        let pool = self.mix.pools.iter().find(has)?;
        pool.cards.iter().find(|other| *other != card).cloned()
    }

    /// Bends a reversal by habit; which habits did.
    pub(super) fn bend(&mut self, reversal: &mut Msg) -> Vec<Habit> {
        let (merchant, terminal) = (reversal.text(42), reversal.text(41));
        let fits = |(of, other): &&(String, String)| of == merchant && other != terminal;
        let other = self.mix.terminals.iter().find(fits).map(|(_, terminal)| terminal.clone());
        self.habits.bend(reversal, other)
    }

    /// Network management: `code` is `F70`.
    pub fn network(&mut self, at_ms: u64, code: &str) -> Msg {
        let stan = self.next_stan();
        Msg::new("0800").with(7, stamp(at_ms)).with(11, stan).with(70, code)
    }
}

fn spelled(business: Business) -> (&'static str, &'static str) {
    match business {
        Business::Hold => ("0100", "000000"),
        Business::Refund => ("0200", "200000"),
        Business::Balance => ("0200", "310000"),
        _ => ("0200", "000000"),
    }
}

/// The repeat MTI of a message.
pub fn repeat_of(mti: &str) -> String {
    let mut repeat = mti.to_owned();
    if let Some(last) = repeat.pop() {
        repeat.push(char::from((last as u8) | 1));
    }
    repeat
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_asks_the_same_and_no_key_twice() {
        let ask = |seed| {
            let mut maker = Maker::new(Mix::default(), seed);
            (0..500).map(|_| maker.request(1_709_164_800_000).msg).collect::<Vec<_>>()
        };
        assert_eq!(ask(3), ask(3));
        let mut keys: Vec<_> = ask(3).iter().map(|msg| msg.text(11).to_owned()).collect();
        keys.dedup();
        assert_eq!(keys.len(), 500);
    }

    #[test]
    fn a_reversal_names_its_original() {
        let mut maker = Maker::new(Mix::default(), 1);
        let made = maker.request(1_709_164_800_000);
        let (reversal, msg) = maker.reversal(1_709_164_801_000, &made.msg, Why::Timeout);
        assert_eq!((msg.text(11), reversal.stan.as_str()), ("000002", "000002"));
        let start = format!("{}0000010229000000", made.msg.mti);
        assert!(msg.text(90).starts_with(&start), "{}", msg.text(90));
        assert_eq!((msg.text(90).len(), repeat_of("0420")), (42, "0421".to_owned()));
    }
}
