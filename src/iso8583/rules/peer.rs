//! `[match]`, `[reversal]` and `[network]`: what the core has to know of a peer's dialect.
//!
//! Contract: plain values, cheap to clone, readable without the dialect. Deliberately absent:
//! timers, retries, policy – they are configuration.

use super::{Atom, Faults, FieldMap, FieldSet, Messages, Shape};
use crate::iso8583::Mti;
use crate::meaning::{Flow, Kind, NetworkFunction, ResponseClass, TransactionType};
use crate::text::Text;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// A part of what an answer must equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatchField {
    /// `F4` with its currency.
    Amount,
    /// `F7`
    Transmission,
    /// `F11`
    Stan,
    /// `F32`
    Acquirer,
    /// `F37`
    Rrn,
    /// `F41`
    Terminal,
    /// `F42`
    Merchant,
}

impl MatchField {
    const NUMBERS: [(u8, Self); 7] = [
        (4, Self::Amount),
        (7, Self::Transmission),
        (11, Self::Stan),
        (32, Self::Acquirer),
        (37, Self::Rrn),
        (41, Self::Terminal),
        (42, Self::Merchant),
    ];

    /// The typed field that it compares.
    pub const fn atom(self) -> Atom {
        match self {
            Self::Amount => Atom::Amount,
            Self::Transmission => Atom::Transmission,
            Self::Stan => Atom::Stan,
            Self::Acquirer => Atom::Acquirer,
            Self::Rrn => Atom::Rrn,
            Self::Terminal => Atom::Terminal,
            Self::Merchant => Atom::Merchant,
        }
    }

    /// The data element in the 1987 numbering, as dialect files name it.
    pub fn number(self) -> u8 {
        Self::NUMBERS.iter().find(|(_, f)| *f == self).map_or(0, |(de, _)| *de)
    }
}

/// Among which requests an answer is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MatchScope {
    /// Those of the line it came in on.
    Line,
    /// Those of every line of the bank: STANs are the bank's, not the line's.
    #[default]
    Bank,
}

/// How an answer finds its request: always by the family of the MTI and the STAN, which is
/// unique among what a bank has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchRule {
    /// Where to look, unless the configuration of the bank says.
    pub scope: MatchScope,
    /// What must equal the request, each only if the answer has it.
    pub must_equal: Vec<MatchField>,
}

impl Default for MatchRule {
    fn default() -> Self {
        use MatchField::{Amount, Merchant, Stan, Terminal};
        Self { scope: MatchScope::default(), must_equal: vec![Amount, Stan, Terminal, Merchant] }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MatchText {
    #[serde(default)]
    scope: MatchScope,
    #[serde(default)]
    must_equal: Option<Vec<u8>>,
}

impl MatchRule {
    pub(super) fn compile(section: &Table, fields: &FieldMap, faults: &mut Faults) -> Self {
        let mut rule = Self::default();
        let text: Option<MatchText> = faults.typed("match", Value::Table(section.clone()));
        let Some(text) = text else { return rule };
        rule.scope = text.scope;
        if let Some(des) = text.must_equal {
            rule.must_equal = match_fields("match.must_equal", &des, fields, faults);
        }
        rule
    }
}

fn match_fields(key: &str, des: &[u8], map: &FieldMap, faults: &mut Faults) -> Vec<MatchField> {
    let mut fields = Vec::new();
    for de in des {
        match MatchField::NUMBERS.iter().find(|(n, _)| n == de) {
            // Where its own definition is at fault, that is told already.
            Some((_, field)) if map.has(field.atom()) || faults.unread.contains(*de) => {
                fields.push(*field);
            }
            Some((_, field)) => {
                let word = field.atom().word();
                faults.add(key, &format!("F{de} ({word}) stands in no field of this dialect"));
            }
            None => faults.add(key, &format!("F{de} cannot be compared: 4, 7, 11, 32, 37, 41, 42")),
        }
    }
    fields.sort_unstable();
    fields.dedup();
    fields
}

/// Which STAN a reversal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StanRule {
    /// A new one; the original's stands in the original data (`F90`, `F56`).
    #[default]
    New,
    /// The original's.
    Same,
}

/// What stands in the original data of a reversal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OriginalRule {
    /// Its original.
    Itself,
    /// What its original itself referred to: the reversal has the original's STAN.
    Referred,
}

/// What `F4` of the reversal of a partial approval says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AmountRule {
    /// What the bank granted.
    #[default]
    Granted,
    /// What was asked for.
    Requested,
}

/// How this dialect reverses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReversalRule {
    /// The MTI of a first reversal, e.g. 0420.
    pub mti: Mti,
    /// Whether it is a request or an advice.
    pub flow: Flow,
    /// Whether a repeated one carries the repeat MTI (0421); otherwise the same again.
    pub repeat: bool,
    /// Which STAN it has.
    pub stan: StanRule,
    /// What stands in its original data.
    pub original: OriginalRule,
    /// The only fields it may carry; the writer leaves out all others.
    pub fields: FieldSet,
    /// Whether it says why, spelled by `[reasons]`.
    pub has_reason: bool,
    /// Whether it states the batch of its original (UnionPay), instead of the present one.
    pub original_batch: bool,
    /// Whether `F4` says what was asked for also where the bank granted less.
    pub requested: bool,
    reason_in_answer: bool,
    types: Vec<TransactionType>,
    codes: Vec<(Text<4>, ResponseClass)>,
    no_action: Vec<Text<4>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReversalText {
    mti: String,
    #[serde(default)]
    repeat: bool,
    #[serde(default)]
    stan: StanRule,
    original: Option<OriginalRule>,
    fields: Vec<u8>,
    reason: Option<u8>,
    #[serde(default)]
    amount: AmountRule,
    types: Option<Vec<String>>,
    #[serde(default)]
    codes: BTreeMap<Text<4>, String>,
    #[serde(default)]
    no_action: Vec<Text<4>>,
}

impl ReversalRule {
    /// `None` where the section is absent: then nothing is ever reversed there.
    pub(super) fn compile(
        section: &Table,
        map: &mut FieldMap,
        shape: &impl Fn(u8) -> Option<Shape>,
        faults: &mut Faults,
    ) -> Option<Self> {
        if section.is_empty() {
            return None;
        }
        let text: ReversalText = faults.typed("reversal", Value::Table(section.clone()))?;
        let Ok(mti) = text.mti.parse::<Mti>() else {
            faults.add("reversal.mti", "expected four digits");
            return None;
        };
        let fields = faults.known_set("reversal.fields", &text.fields, shape);
        let reason_in_answer = text.reason.is_some() && text.reason == map.element_of(Atom::Answer);
        if let Some(de) = text.reason.filter(|_| !reason_in_answer)
            && let Some(shape) = faults.known("reversal.reason", de, shape)
        {
            map.put_reason(de, shape);
        }
        if let Some(de) = text.reason.filter(|de| !fields.contains(*de)) {
            faults.add("reversal.fields", &format!("F{de} carries the reason and is missing"));
        }
        let original = text.original.unwrap_or(match text.stan {
            StanRule::New => OriginalRule::Itself,
            StanRule::Same => OriginalRule::Referred,
        });
        if (text.stan, original) == (StanRule::New, OriginalRule::Referred) {
            let why = "\"referred\" means nothing with stan = \"new\": nothing would name it";
            faults.add("reversal.original", why);
        }
        let types = text.types.map_or(TransactionType::ALL.to_vec(), |words| {
            named("reversal.types", &words, &TransactionType::ALL, |t| t.word(), faults)
        });
        let codes = classes(&text.codes, faults);
        if let Some(shape) = shape(39) {
            let said = codes.iter().map(|(code, _)| code).chain(&text.no_action);
            for code in said.filter(|code| code.as_bytes().len() != shape.max) {
                faults.add("reversal", &format!("code {code} does not fit F39"));
            }
        }
        Some(Self {
            mti,
            flow: if mti.function() == 0 { Flow::Request } else { Flow::Advice },
            repeat: text.repeat,
            stan: text.stan,
            original,
            fields,
            has_reason: text.reason.is_some(),
            original_batch: map.has(Atom::Batch),
            requested: text.amount == AmountRule::Requested,
            reason_in_answer,
            codes,
            no_action: text.no_action,
            types,
        })
    }

    /// Whether the reason stands where answers have their response code (`F39`).
    pub fn reason_in_answer(&self) -> bool {
        self.reason_in_answer
    }

    /// The transaction types that can be reversed.
    pub fn types(&self) -> &[TransactionType] {
        &self.types
    }

    /// Whether transactions of this type can be reversed. What cannot goes to the desk.
    pub fn covers(&self, of: TransactionType) -> bool {
        self.types.contains(&of)
    }

    /// Codes that are called something else in answers to reversals.
    pub fn codes(&self) -> impl Iterator<Item = (Text<4>, ResponseClass)> {
        self.codes.iter().copied()
    }

    /// Codes that say that nothing was done.
    pub fn no_action(&self) -> &[Text<4>] {
        &self.no_action
    }
}

fn classes(
    stated: &BTreeMap<Text<4>, String>,
    faults: &mut Faults,
) -> Vec<(Text<4>, ResponseClass)> {
    let mut found = Vec::new();
    for (code, word) in stated {
        match ResponseClass::ALL.into_iter().find(|class| class.word() == word) {
            Some(class) => found.push((*code, class)),
            None => faults.add("reversal.codes", &format!("{word:?} is unknown")),
        }
    }
    found
}

fn named<T: Copy>(
    key: &str,
    words: &[String],
    all: &[T],
    word_of: impl Fn(T) -> &'static str,
    faults: &mut Faults,
) -> Vec<T> {
    let mut found = Vec::new();
    for word in words {
        match all.iter().find(|t| word_of(**t) == word) {
            Some(t) => found.push(*t),
            None => faults.add(key, &format!("{word:?} is unknown")),
        }
    }
    found
}

/// `[follow_up]`: what a void, completion or refund repeats of its original.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FollowUpRule {
    /// `F37` is the original's, as its bank gave it (UnionPay); otherwise the message's own.
    pub original_rrn: bool,
    /// The date of the original is the one its bank gave it; otherwise the one it was sent with.
    pub banks_date: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct FollowUpText {
    rrn: FollowUpRrn,
    date: FollowUpDate,
}

#[derive(Deserialize, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum FollowUpRrn {
    #[default]
    Own,
    Original,
}

#[derive(Deserialize, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum FollowUpDate {
    #[default]
    Sent,
    Bank,
}

impl FollowUpRule {
    pub(super) fn compile(section: &Table, fields: &FieldMap, faults: &mut Faults) -> Self {
        let text: Option<FollowUpText> = faults.typed("follow_up", Value::Table(section.clone()));
        let text = text.unwrap_or_default();
        let rule = Self {
            original_rrn: text.rrn == FollowUpRrn::Original,
            banks_date: text.date == FollowUpDate::Bank,
        };
        if rule.original_rrn && !fields.has(Atom::Rrn) {
            faults.add("follow_up.rrn", "rrn stands in no field of this dialect");
        }
        if rule.banks_date && !fields.has(Atom::OriginalDate) {
            faults.add("follow_up.date", "original-date stands in no field of this dialect");
        }
        rule
    }
}

/// Who signs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignOnScope {
    /// Nobody.
    #[default]
    None,
    /// The line.
    Line,
    /// Each terminal (UnionPay).
    Terminal,
}

/// `[network]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NetworkRule {
    /// Who signs on before traffic.
    pub sign_on: SignOnScope,
    /// Whether an echo can be sent.
    pub echo: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NetworkText {
    #[serde(default)]
    sign_on: SignOnScope,
}

impl NetworkRule {
    pub(super) fn compile(section: &Table, messages: &Messages, faults: &mut Faults) -> Self {
        let text: Option<NetworkText> = faults.typed("network", Value::Table(section.clone()));
        let sign_on = text.map(|t| t.sign_on).unwrap_or_default();
        let can = |f| messages.can_write(Kind::NetworkManagement(f), Flow::Request);
        if sign_on != SignOnScope::None && !can(NetworkFunction::SignOn) {
            faults.add("network.sign_on", "[messages] has no request of kind \"sign-on\"");
        }
        Self { sign_on, echo: can(NetworkFunction::Echo) }
    }
}
