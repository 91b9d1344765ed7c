//! Which transaction is meant by what a message says of another.
//!
//! Contract: pure. What is stated by both sides narrows the candidates: the card, the currency,
//! the amount where it must be the same, the merchant, the acquirer, `F37`, `F38` and the time of
//! the original. Exactly one that nothing contradicts is the original; of several the one that is
//! named best, or none: never a guess. A terminal alone never excludes anything. "Never sent" is
//! said only where the records reach back to the time that is stated. Deliberately absent: what is
//! done about it ([`super::consequences`]), and where candidates come from ([`super::meant`]).

use super::ids::{Name, RecordNo};
use super::library::Coverage;
use super::record::{Intent, Origin, Queued};
use super::stamps;
use crate::canonical::{Carried, Kind, OriginalData, TransactionType};
use crate::money::Amount;
use crate::sensitive::Pan;
use crate::text::Text;
use crate::time::Wall;
use std::sync::Arc;

/// How far two stamps of one request may be apart: whoever repeats one may stamp it anew.
pub(super) const NEAR_S: i64 = 600;

/// How far the clock of a platform may be off where "never sent" is to be proved.
const SKEW_S: i64 = 3_600;

/// What a message says of its original, and what of itself an original has as well.
#[derive(Debug, Clone)]
pub(super) struct Stated {
    /// Who says so.
    pub platform: Name,
    /// What it is.
    pub kind: Kind,
    /// Its own names.
    pub own: Origin,
    /// What it states of its original.
    pub named: OriginalData,
    /// The card.
    pub pan: Option<Pan>,
    /// How much.
    pub amount: Option<Amount>,
    /// `F38`.
    pub auth_id: Option<Text<6>>,
    /// Now.
    pub now: Wall,
}

/// What an original was recorded as.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Body {
    /// A request that went to a bank, or was decided in its place.
    Asked(Arc<Intent>),
    /// An advice.
    Told(Arc<Queued>),
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// At the bank.
    Open,
    /// Granted, or acknowledged, and nobody took it back.
    Stands,
    /// A part of it was or is being taken back; the rest stands.
    Partly,
    /// An advice that its bank has not acknowledged yet.
    Owed,
    /// A reversal is owed or done.
    TakenBack,
    /// Not granted.
    Denied,
    /// Nobody can say, or its end is not on disk any more.
    Unknown,
}

impl Standing {
    /// Whether its bank may hold money for it.
    pub(super) const fn may_have_moved_money(self) -> bool {
        !matches!(self, Self::TakenBack | Self::Denied)
    }
}

/// A transaction that may be meant.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Candidate {
    /// Its number.
    pub no: RecordNo,
    /// Its record.
    pub body: Body,
    /// How much was granted, where that is known.
    pub granted: Option<Amount>,
    /// `F38` of its answer.
    pub auth_id: Option<Text<6>>,
    /// `F37` of its answer.
    pub rrn: Option<Text<12>>,
    /// `F13` of its answer.
    pub local_date: Option<Text<4>>,
    /// What of its answer is repeated in what follows it.
    pub kept: Option<Box<Carried>>,
    /// What became of it.
    pub standing: Standing,
    /// What its reversal has to say beyond what was asked for.
    pub at_bank: super::standing::Standing,
}

/// What the records say to what is stated.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Found {
    /// This one.
    This(Box<Candidate>),
    /// This one is named, but it differs in this data element.
    Contradicted(Box<Candidate>, u8),
    /// More than one fits.
    Several,
    /// None, and there never was one.
    NeverSent,
    /// None, and that proves nothing.
    Unknowable,
    /// None, and it would be older than the records reach.
    Forgotten,
}

/// How well the stated time of the original agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Exact,
    Near,
    Unstated,
    Far,
}

/// What one candidate is to what is stated.
enum Weight {
    Another,
    Contradicts(u8),
    Fits,
}

/// The original among these candidates; `more`: there were too many to look at.
pub(super) fn find(
    stated: &Stated,
    candidates: Vec<Candidate>,
    more: bool,
    coverage: Coverage,
) -> Found {
    let (mut fitting, mut contradicted) = (vec![], vec![]);
    for candidate in newest_of_each(candidates) {
        match stated.weigh(&candidate) {
            Weight::Fits => fitting.push(candidate),
            Weight::Contradicts(de) if candidate.standing.may_have_moved_money() => {
                contradicted.push((candidate, de));
            }
            Weight::Contradicts(_) | Weight::Another => {}
        }
    }
    let found = fitting.len();
    stated.narrow(&mut fitting);
    match (fitting.pop(), fitting.is_empty()) {
        (Some(only), true) => return Found::This(Box::new(only)),
        (Some(_), false) => return Found::Several,
        (None, _) => {}
    }
    debug_assert_eq!(found, 0, "narrowing leaves one at least");
    match contradicted.pop() {
        Some((candidate, de)) => Found::Contradicted(Box::new(candidate), de),
        // It may be among those that were not looked at, or may never have come: an operator finds
        // out, and meanwhile what comes late stays here.
        None if more && stated.reverses() => Found::Unknowable,
        None if more => Found::Several,
        None => stated.absent(coverage),
    }
}

impl Candidate {
    /// Its platform's names for it.
    pub(super) fn origin(&self) -> Option<&Origin> {
        match &self.body {
            Body::Asked(intent) => Some(&intent.origin),
            Body::Told(queued) => queued.origin.as_ref(),
        }
    }

    /// Its bank.
    pub(super) fn bank(&self) -> Name {
        match &self.body {
            Body::Asked(intent) => intent.bank,
            Body::Told(queued) => queued.bank,
        }
    }

    pub(super) fn platform(&self) -> Option<Name> {
        match &self.body {
            Body::Asked(intent) => Some(intent.platform),
            Body::Told(queued) => queued.platform,
        }
    }

    fn pan(&self) -> Option<&Pan> {
        match &self.body {
            Body::Asked(intent) => intent.pan.as_ref(),
            Body::Told(queued) => queued.pan.as_ref(),
        }
    }

    pub(super) fn amount(&self) -> Option<Amount> {
        match &self.body {
            Body::Asked(intent) => intent.amount,
            Body::Told(queued) => queued.amount,
        }
    }

    pub(super) fn at(&self) -> Wall {
        match &self.body {
            Body::Asked(intent) => intent.at,
            Body::Told(queued) => queued.at,
        }
    }

    /// What its platform asked for or told.
    pub(super) fn kind(&self) -> Kind {
        match &self.body {
            Body::Asked(intent) => intent.role.asked(intent.kind),
            Body::Told(queued) => queued.kind,
        }
    }
}

impl Stated {
    pub(super) const fn reverses(&self) -> bool {
        matches!(self.kind, Kind::Reversal(_))
    }

    /// The trace number of the original, where one is stated.
    pub(super) fn stan(&self) -> Option<u32> {
        self.named.stan.filter(|stan| *stan != 0)
    }

    /// When the original was written, in seconds since 1970, where that is stated.
    pub(super) fn moment(&self) -> Option<i64> {
        let stated = &self.named;
        let f7 = stated.transmission.and_then(|f7| stamps::moment(f7.as_bytes(), self.now));
        f7.or_else(|| stamps::local_moment(&stated.date?, stated.time.as_ref(), self.now))
    }

    fn weigh(&self, candidate: &Candidate) -> Weight {
        let Some(origin) = candidate.origin() else { return Weight::Another };
        let shop = both(self.own.merchant.as_ref(), origin.merchant.as_ref());
        let home = candidate.platform() == Some(self.platform);
        if !home && shop != Some(true) {
            return Weight::Another;
        }
        let when = self.when(origin, candidate.at());
        let card = self.pan.as_ref().zip(candidate.pan()).map(|(a, b)| a == b);
        let doubt = self.doubt(candidate, origin, (when, shop));
        let traced = match self.stan() {
            Some(stan) => Some(stan == origin.stan),
            // Without original data its own names may be its original's.
            None if self.reverses() && self.own.stan == origin.stan => Some(true),
            None => None,
        };
        match traced {
            Some(false) => Weight::Another,
            Some(true) if card == Some(false) => {
                self.of_another_card(candidate, origin, (when, home, shop))
            }
            // Without card and time the same terminal has to say so.
            Some(true) if card.is_none() && !self.is_near(origin, (when, home)) => Weight::Another,
            Some(true) => match (when, doubt) {
                (When::Far, None) if self.same_reference(candidate, origin) => Weight::Fits,
                (When::Far, None) => Weight::Contradicts(self.time_element()),
                (When::Far, Some(_)) => Weight::Another,
                (_, Some(de)) => Weight::Contradicts(de),
                (_, None) => Weight::Fits,
            },
            None if self.reverses() && card == Some(false) => {
                self.of_another_card(candidate, origin, (When::Far, home, shop))
            }
            // Nothing but the card names it: what differs in anything is another one.
            None if card != Some(true) || when == When::Far || doubt.is_some() => Weight::Another,
            None if self.refers_to(candidate, origin) => Weight::Fits,
            None if self.reverses() => Weight::Contradicts(90),
            None => Weight::Another,
        }
    }

    /// What has another card is another one, unless its platform names it in full, or by its
    /// reference number, at the same terminal.
    fn of_another_card(
        &self,
        candidate: &Candidate,
        origin: &Origin,
        (when, home, shop): (When, bool, Option<bool>),
    ) -> Weight {
        let desk = both(self.own.terminal.as_ref(), origin.terminal.as_ref());
        let named = when == When::Exact || self.same_reference(candidate, origin);
        if home && named && shop != Some(false) && desk != Some(false) {
            Weight::Contradicts(2)
        } else {
            Weight::Another
        }
    }

    /// Whether a message without original data means this one all the same: by the reference
    /// number, by the authorization, or because it reverses what has just been asked for.
    fn refers_to(&self, candidate: &Candidate, origin: &Origin) -> bool {
        let auth = both(self.auth_id.as_ref(), candidate.auth_id.as_ref()) == Some(true);
        let own = self.own.transmission.and_then(|f7| stamps::moment(f7.as_bytes(), self.now));
        let theirs = origin.transmission.and_then(|f7| stamps::moment(f7.as_bytes(), self.now));
        let theirs = theirs.unwrap_or_else(|| candidate.at().millis().div_euclid(1_000));
        let just = own.is_some_and(|own| (0..=NEAR_S).contains(&(own - theirs)));
        auth || self.same_reference(candidate, origin) || self.reverses() && just
    }

    /// The first data element besides card and time in which both sides state different things.
    fn doubt(
        &self,
        candidate: &Candidate,
        origin: &Origin,
        (when, shop): (When, Option<bool>),
    ) -> Option<u8> {
        let whole = candidate.amount();
        let currency = self.amount.zip(whole).is_some_and(|(a, b)| a.currency != b.currency);
        let same = |amount: Option<Amount>| amount.is_none() || amount == self.amount;
        let amount = self.takes_all()
            && self.amount.is_some()
            && !(same(whole) || candidate.granted.is_some() && same(candidate.granted));
        let acquirer = self.named.acquirer.filter(|a| a.as_bytes().iter().any(|b| *b != b'0'));
        let acquirer = acquirer.zip(origin.acquirer).is_some_and(|(a, b)| !same_id(&a, &b));
        let batch = self.named.batch.zip(origin.batch).is_some_and(|(a, b)| a != b);
        // Whoever names it in full may number his own messages as he likes.
        let loose = when != When::Exact || self.stan().is_none();
        let rrn = loose
            && self.reverses()
            && self.own.rrn.is_some()
            && (origin.rrn.is_some() || candidate.rrn.is_some())
            && !self.same_reference(candidate, origin);
        let auth = match (self.auth_id, candidate.auth_id) {
            (Some(a), Some(b)) => loose && !a.eq_ignore_padding(&b),
            // It is named by this code alone.
            (Some(_), None) => self.stan().is_none() && !self.reverses(),
            (None, _) => false,
        };
        let all = [
            (currency, 49),
            (amount, 4),
            (shop == Some(false), 42),
            (!self.may_follow(candidate.kind()), 3),
            (acquirer, 32),
            (rrn, 37),
            (auth, 38),
            (batch, 60),
        ];
        all.into_iter().find(|(differs, _)| *differs).map(|(_, de)| de)
    }

    /// Whether it takes back all of its original, and so states the same amount.
    const fn takes_all(&self) -> bool {
        matches!(
            self.kind,
            Kind::Reversal(_)
                | Kind::Transaction(
                    TransactionType::Void
                        | TransactionType::PreAuthorizationVoid
                        | TransactionType::CompletionVoid
                )
        )
    }

    /// Whether something of this kind can be its original.
    fn may_follow(&self, original: Kind) -> bool {
        let Kind::Transaction(original) = original else { return false };
        let hold = original == TransactionType::PreAuthorization;
        match self.kind.transaction() {
            _ if self.reverses() => true,
            Some(TransactionType::Completion | TransactionType::PreAuthorizationVoid) => hold,
            Some(TransactionType::CompletionVoid) => original == TransactionType::Completion,
            Some(TransactionType::Refund) => {
                !hold && original != TransactionType::Refund && original.has_money_effect()
            }
            _ => original.has_money_effect() || hold,
        }
    }

    /// Whether `F37` is the original's, as its platform or its bank gave it.
    pub(super) fn same_reference(&self, candidate: &Candidate, origin: &Origin) -> bool {
        let Some(rrn) = self.own.rrn else { return false };
        let theirs = [origin.rrn, candidate.rrn];
        theirs.into_iter().flatten().any(|theirs| rrn.eq_ignore_padding(&theirs))
    }

    fn is_near(&self, origin: &Origin, (when, home): (When, bool)) -> bool {
        match when {
            When::Exact | When::Near => true,
            When::Far => false,
            When::Unstated => {
                home && both(self.own.terminal.as_ref(), origin.terminal.as_ref()) == Some(true)
            }
        }
    }

    const fn time_element(&self) -> u8 {
        if self.named.transmission.is_some() { 7 } else { 13 }
    }

    pub(super) fn when(&self, origin: &Origin, at: Wall) -> When {
        let near = |a: Option<i64>, b: Option<i64>, most: i64| match a.zip(b) {
            Some((a, b)) if (a - b).abs() <= most => When::Near,
            Some(_) => When::Far,
            None => When::Unstated,
        };
        let moment = |text: &[u8]| stamps::moment(text, self.now);
        let batch = self.named.batch.is_some() && self.named.batch == origin.batch;
        let own = self.reverses() && self.stan().is_none();
        let stated = self.named.transmission.or(self.own.transmission.filter(|_| own));
        match (stated, origin.transmission) {
            (Some(a), Some(b)) if a == b => return When::Exact,
            (Some(_), Some(_)) if own => return When::Unstated,
            (Some(a), Some(b)) => return near(moment(a.as_bytes()), moment(b.as_bytes()), NEAR_S),
            (Some(a), None) if !own && self.named.date.is_none() => {
                let written = at.millis().div_euclid(1_000);
                return near(moment(a.as_bytes()), Some(written), SKEW_S);
            }
            _ => {}
        }
        let Some(date) = self.named.date else { return When::Unstated };
        match (origin.local_date, self.named.time.zip(origin.local_time)) {
            (Some(theirs), Some((a, b))) if theirs == date && a == b => When::Exact,
            (Some(theirs), Some((a, b))) => near(
                stamps::local_moment(&date, Some(&a), self.now),
                stamps::local_moment(&theirs, Some(&b), self.now),
                NEAR_S,
            ),
            (Some(theirs), None) if theirs != date => When::Far,
            // The platform's day may not be ours.
            (None, _) if !is_day(&date, at, self.now) => When::Far,
            _ if batch => When::Exact,
            _ => When::Near,
        }
    }

    /// What it proves that nothing was found.
    fn absent(&self, coverage: Coverage) -> Found {
        let moment = self.moment();
        if self.pan.is_none() && (moment.is_none() || self.stan().is_none()) {
            // There was nothing to look it up by.
            return Found::Unknowable;
        }
        let Some(since) = coverage.since else { return Found::NeverSent };
        let (since, now) = (since.millis().div_euclid(1_000), self.now.millis().div_euclid(1_000));
        match moment {
            None => Found::Unknowable,
            Some(moment) if moment < since => Found::Forgotten,
            Some(moment) if moment - SKEW_S >= since && moment <= now + SKEW_S => Found::NeverSent,
            Some(_) => Found::Unknowable,
        }
    }
}

/// One request may be several legs under one name: of a top-up the debit and the credit, or the
/// first bank that was never reached and the second. The last one tells what became of it.
pub(super) fn newest_of_each(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.no));
    let mut names = std::collections::BTreeSet::new();
    candidates.retain(|candidate| match &candidate.body {
        Body::Asked(intent) => names.insert(intent.likeness.name()),
        Body::Told(_) => true,
    });
    candidates
}

/// Whether two texts are the same but for padding; `None` where one is not stated.
pub(super) fn both<const N: usize>(a: Option<&Text<N>>, b: Option<&Text<N>>) -> Option<bool> {
    a.zip(b).map(|(a, b)| a.eq_ignore_padding(b))
}

/// Whether two institution ids are the same but for leading zeros.
fn same_id(a: &Text<11>, b: &Text<11>) -> bool {
    let bare = |text: &Text<11>| {
        let bytes = text.trimmed_bytes();
        let zeros = bytes.iter().take_while(|byte| **byte == b'0').count();
        bytes.get(zeros..).map(<[u8]>::to_vec)
    };
    bare(a) == bare(b)
}

/// Whether something written then may have happened on this local day (MMDD).
fn is_day(date: &Text<4>, at: Wall, now: Wall) -> bool {
    const DAY_S: i64 = 86_400;
    let begin = stamps::local_moment(date, None, now);
    let at = at.millis().div_euclid(1_000);
    begin.is_some_and(|begin| (begin - DAY_S..begin + 2 * DAY_S).contains(&at))
}
