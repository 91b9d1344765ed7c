//! `[responses]` and `[reasons]`: response codes by class both ways, and how the switch's own
//! reasons are spelled.
//!
//! Contract: a code that no class lists is [`ResponseClass::Unknown`], never an approval. The
//! first code of a class is its default. Deliberately absent: what follows from a class.

use super::{Faults, Shape};
use crate::meaning::{Kind, Reason, ResponseClass};
use crate::text::{Short, Text};
use serde::Deserialize;
use toml::{Table, Value};

const CLASSES: usize = ResponseClass::ALL.len();
const REASONS: usize = Reason::ALL.len();

/// `[responses]`
#[derive(Debug, Clone, Default)]
pub struct ResponseCodes {
    /// Sorted by code.
    codes: Vec<(Text<4>, ResponseClass)>,
    /// The same codes as words, in the same order.
    words: Vec<u32>,
    defaults: [Option<Text<4>>; CLASSES],
}

impl ResponseCodes {
    pub(super) fn compile(
        section: &Table,
        shape: &impl Fn(u8) -> Option<Shape>,
        faults: &mut Faults,
    ) -> Self {
        let mut table = Self::default();
        for (word, value) in section {
            let key = format!("responses.{word}");
            let Some(class) = ResponseClass::ALL.into_iter().find(|c| c.word() == word) else {
                faults.add(&key, "unknown class of response codes");
                continue;
            };
            let codes: Vec<Text<4>> = faults.typed(&key, value.clone()).unwrap_or_default();
            table.defaults[class as usize] = codes.first().copied();
            table.codes.extend(codes.into_iter().map(|code| (code, class)));
        }
        table.codes.sort_unstable();
        table.words = table.codes.iter().filter_map(|(code, _)| word(code.as_bytes())).collect();
        table.check(shape(39), faults);
        table
    }

    fn check(&self, shape: Option<Shape>, faults: &mut Faults) {
        for pair in self.codes.windows(2) {
            if let [(a, first), (b, second)] = pair
                && a == b
            {
                let (first, second) = (first.word(), second.word());
                faults.add("responses", &format!("code {a} is {first} and {second}"));
            }
        }
        let fits = |code: &Text<4>| shape.is_none_or(|s| code.as_bytes().len() == s.max);
        for (code, _) in self.codes.iter().filter(|(code, _)| !fits(code)) {
            faults.add("responses", &format!("code {code} does not fit F39"));
        }
        for class in [ResponseClass::Approved, ResponseClass::Declined] {
            if self.defaults[class as usize].is_none() {
                faults.add(&format!("responses.{}", class.word()), "expected at least one code");
            }
        }
    }

    /// What a code means.
    pub fn class_of(&self, code: &[u8]) -> ResponseClass {
        let class = |word| {
            let at = self.words.binary_search(&word).ok()?;
            self.codes.get(at).map(|(_, class)| *class)
        };
        word(code).and_then(class).unwrap_or(ResponseClass::Unknown)
    }

    /// How this dialect says it: the same code if it means the same here, else the default of
    /// the class; a decline of any kind may become a plain one. `None` where the class cannot be
    /// said: an approval is never turned into another one.
    pub fn spell(&self, class: ResponseClass, code: Text<4>) -> Option<Text<4>> {
        let answers = !matches!(class, ResponseClass::Acknowledged | ResponseClass::NoLiability);
        let said = answers && class != ResponseClass::Unknown;
        if said && self.class_of(code.as_bytes()) == class {
            return Some(code);
        }
        let plain = self.defaults[ResponseClass::Declined as usize];
        // What only takes note does not answer anybody's request.
        let own = self.defaults.get(class as usize).copied().flatten();
        let own = own.filter(|_| answers);
        own.or(if class.is_approval() { None } else { plain })
    }

    /// Every code with its class, by code.
    pub fn iter(&self) -> impl Iterator<Item = (Text<4>, ResponseClass)> {
        self.codes.iter().copied()
    }
}

/// A code as a word, in the order of the codes; `None` where it has more than four characters.
#[inline]
fn word(code: &[u8]) -> Option<u32> {
    let [word, _] = Short::of(code)?.words();
    u32::try_from(word).ok().map(u32::swap_bytes)
}

/// `[reasons]`
#[derive(Debug, Clone, Default)]
pub struct ReasonCodes {
    answers: [Option<Text<4>>; REASONS],
    reversals: [Option<Text<4>>; REASONS],
    /// Why there is an advice instead of a request.
    advices: [Option<Text<4>>; REASONS],
    /// How network management is accepted, where not like transactions.
    network: Option<Text<4>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Spelling {
    Answer(Text<4>),
    Each(Each),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Each {
    answer: Text<4>,
    reversal: Option<Text<4>>,
    network: Option<Text<4>>,
    advice: Option<Text<4>>,
}

impl ReasonCodes {
    pub(super) fn compile(
        section: &Table,
        with_reversals: bool,
        responses: &ResponseCodes,
        faults: &mut Faults,
    ) -> Self {
        let mut table = Self::default();
        for word in section.keys().filter(|word| Reason::ALL.iter().all(|r| r.word() != *word)) {
            faults.add(&format!("reasons.{word}"), "unknown reason");
        }
        for reason in Reason::ALL {
            let key = format!("reasons.{}", reason.word());
            match section.get(reason.word()) {
                Some(value) => table.take(&key, reason, value, faults),
                None => faults.add(&key, "missing: how is this said?"),
            }
            let said = table.answers[reason as usize].map(|c| responses.class_of(c.as_bytes()));
            if let (Some(code), Some(ResponseClass::Unknown)) =
                (table.answers[reason as usize], said)
            {
                faults.add(&key, &format!("code {code} has no class in [responses]"));
            }
            let approves = said == Some(ResponseClass::Approved);
            if said.is_some() && approves != (reason == Reason::Accepted) {
                faults.add(&key, "only `accepted` is spelled as an approval, and it must be");
            }
            let mute = with_reversals && table.reversals[reason as usize].is_none();
            if mute && reason.reverses() && section.contains_key(reason.word()) {
                faults.add(&key, "expected { answer = .., reversal = .. }");
            }
        }
        table.check_accepting(responses, faults);
        table
    }

    /// Reversals and network management may be accepted by codes of their own: approvals, too.
    fn check_accepting(&self, responses: &ResponseCodes, faults: &mut Faults) {
        let reversals = self.reversals[Reason::Accepted as usize];
        for code in [self.network, reversals].into_iter().flatten() {
            if !responses.class_of(code.as_bytes()).accepts() {
                let why = format!("code {code} accepts, but [responses] does not approve it");
                faults.add("reasons.accepted", &why);
            }
        }
    }

    fn take(&mut self, key: &str, reason: Reason, value: &Value, faults: &mut Faults) {
        match faults.typed(key, value.clone()) {
            Some(Spelling::Answer(code)) => self.answers[reason as usize] = Some(code),
            Some(Spelling::Each(each)) => {
                self.answers[reason as usize] = Some(each.answer);
                self.reversals[reason as usize] = each.reversal;
                self.advices[reason as usize] = each.advice;
                self.network = self.network.or(each.network);
            }
            None => {}
        }
    }

    /// The reason as the response code of an answer to this kind of message. Some dialects
    /// accept reversals and network management by codes of their own.
    pub fn answer(&self, reason: Reason, to: Kind) -> Option<Text<4>> {
        let own = match (reason, to) {
            (Reason::Accepted, Kind::Reversal(_)) => self.reversal(reason),
            (Reason::Accepted, Kind::NetworkManagement(_)) => self.network,
            _ => None,
        };
        own.or(self.answers.get(reason as usize).copied().flatten())
    }

    /// The reason in the reason field of an advice.
    pub fn advice(&self, reason: Reason) -> Option<Text<4>> {
        self.advices.get(reason as usize).copied().flatten()
    }

    /// The reason in the reason field of a reversal.
    pub fn reversal(&self, reason: Reason) -> Option<Text<4>> {
        self.reversals.get(reason as usize).copied().flatten()
    }

    /// The first reason spelled so in reversals; several may share a code.
    pub fn reversal_of(&self, code: &[u8]) -> Option<Reason> {
        let is = |r: &Reason| self.reversal(*r).is_some_and(|c| c.as_bytes() == code);
        Reason::ALL.into_iter().find(is)
    }
}
