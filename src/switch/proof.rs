//! What a bank's code proves: of each question, whatever is known of its original.
//!
//! Contract: pure and total; one table, read by the judge of answers, by store and forward and by
//! late answers. A code that no list has proves nothing at all: neither that money moved nor that
//! none did. "Not found" proves that there is nothing only where nothing else says that there is
//! something. What a code is called – its class – is the dialect's and the bank's to say
//! ([`super::policy::Codes`]). Deliberately absent: when a proof is final (the original's lifetime)
//! and what is sent next.

use super::policy::{NotFoundAfterTry, Unlisted};
use super::record::{Cause, Ending};
use crate::meaning::ResponseClass as Class;

/// What a bank is asked. "Again" wherever an earlier try may have been done without
/// a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// A request: it goes out once.
    Original,
    /// A reversal that the bank cannot have seen before.
    ReversalFirst,
    /// A reversal that it may have seen.
    ReversalAgain,
    /// An advice, or another message that is repeated until it is acknowledged.
    AdviceFirst,
    /// An advice that it may have seen.
    AdviceAgain,
    /// Its totals.
    Totals,
    /// A sign-on.
    SignOn,
}

impl Question {
    /// Every question.
    pub const ALL: [Self; 7] = [
        Self::Original,
        Self::ReversalFirst,
        Self::ReversalAgain,
        Self::AdviceFirst,
        Self::AdviceAgain,
        Self::Totals,
        Self::SignOn,
    ];
}

/// What is known of the original that a message owed to a bank reverses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Knowledge {
    /// Whether it had an effect is not known.
    #[default]
    Unknown,
    /// The bank approved it.
    Approved,
    /// It is an advice, and the bank acknowledged it.
    Acknowledged,
    /// The bank answered with a code that no list has.
    Unlisted,
}

impl Knowledge {
    /// Every knowledge.
    pub const ALL: [Self; 4] = [Self::Unknown, Self::Approved, Self::Acknowledged, Self::Unlisted];

    /// Whether the bank itself has said that it did it.
    pub const fn is_done(self) -> bool {
        matches!(self, Self::Approved | Self::Acknowledged)
    }

    /// What an answer to the original tells that is trusted but cannot be used, or came too late.
    pub const fn told_by(self, class: Option<Class>) -> Self {
        match class {
            Some(class) if class.is_approval() => Self::Approved,
            Some(Class::Unknown | Class::Acknowledged) if matches!(self, Self::Unknown) => {
                Self::Unlisted
            }
            Some(_) | None => self,
        }
    }
}

/// What an answer proves about what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Proof {
    /// It is done: money moved as asked; of a reversal, nothing stands any more.
    Effect,
    /// It is not done, and nothing of it is there; of a reversal, there is nothing to take back.
    NoEffect,
    /// Neither.
    Nothing,
}

/// What an answer to a message that is owed comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Upshot {
    /// It is finished, with the reason why an operator has to look, where one has to.
    Ends(Ending, Option<Cause>),
    /// It is sent again.
    Again,
}

/// The table. `done`: this bank says "not found" to the second of two reversals it had.
pub const fn proof(question: Question, knows: Knowledge, class: Class, done: bool) -> Proof {
    use Proof::{Effect, NoEffect, Nothing};
    use Question as Q;
    match (question, class) {
        (_, Class::Unknown | Class::NoOutcome | Class::NoLiability) => Nothing,

        (Q::Original, Class::Approved | Class::Partial) => Effect,
        // No answer to a request at all.
        (Q::Original, Class::Acknowledged) => Nothing,
        // It was sent once: a duplicate is another's, and this one was not done.
        (Q::Original, _) => NoEffect,

        (
            Q::ReversalFirst | Q::ReversalAgain,
            Class::Approved | Class::Acknowledged | Class::AlreadyReversed,
        ) => Effect,
        (Q::ReversalAgain, Class::Duplicate) => Effect,
        (Q::ReversalAgain, Class::NotFound) if knows.is_done() && done => Effect,
        (Q::ReversalFirst | Q::ReversalAgain, Class::NotFound) if !knows.is_done() => NoEffect,
        // Part of it, or it is owed whatever the bank thinks of it.
        (Q::ReversalFirst | Q::ReversalAgain, _) => Nothing,

        (Q::AdviceFirst | Q::AdviceAgain, Class::Approved | Class::Acknowledged) => Effect,
        (Q::AdviceAgain, Class::Duplicate) => Effect,
        // Something else was booked than has happened.
        (
            Q::AdviceFirst | Q::AdviceAgain,
            Class::Partial | Class::Duplicate | Class::Retry | Class::Mac | Class::SignOn,
        ) => Nothing,
        (Q::AdviceFirst | Q::AdviceAgain, _) => NoEffect,

        (Q::Totals | Q::SignOn, Class::Approved | Class::Partial | Class::Acknowledged) => Effect,
        (Q::Totals, _) => Nothing,
        (Q::SignOn, _) => NoEffect,
    }
}

/// What is to be done about a message that is owed, after an answer of this class. `over`: no
/// original can arrive any more; before that nothing about it is final.
pub const fn upshot(
    question: Question,
    knows: Knowledge,
    class: Class,
    over: bool,
    not_found: NotFoundAfterTry,
) -> Upshot {
    use Question as Q;
    let reversal = matches!(question, Q::ReversalFirst | Q::ReversalAgain);
    let first = matches!(question, Q::ReversalFirst | Q::AdviceFirst);
    let done = matches!(not_found, NotFoundAfterTry::Done);
    match (proof(question, knows, class, done), class) {
        (Proof::Effect, _) => Upshot::Ends(Ending::Acknowledged, None),
        (Proof::NoEffect, _) if !reversal => Upshot::Ends(Ending::Dead, None),
        (Proof::NoEffect, _) if over => Upshot::Ends(Ending::NoOriginal, None),
        // A first try is no duplicate of itself: the bank has something else under our keys.
        (Proof::Nothing, Class::Duplicate) if first => {
            Upshot::Ends(Ending::Dead, Some(Cause::DuplicateAtFirstTry))
        }
        (Proof::Nothing, Class::NoLiability) if !reversal => {
            Upshot::Ends(Ending::Dead, Some(Cause::NoLiability))
        }
        (Proof::Nothing, Class::Partial) if !reversal => {
            Upshot::Ends(Ending::Dead, Some(Cause::BookedOtherwise))
        }
        // The bank did it and does not find it by the names that we gave: an operator's.
        (Proof::Nothing, Class::NotFound) if reversal && over => {
            Upshot::Ends(Ending::Dead, Some(Cause::NotFoundThoughDone))
        }
        (Proof::NoEffect | Proof::Nothing, _) => Upshot::Again,
    }
}

/// What a request's answer with a code that no list has is taken for: it proves nothing, so the
/// request is declined and reversed, unless this bank is said to decline with such codes. Who
/// gives an approval's code has not declined.
pub const fn unlisted_is_decline(rule: Unlisted, has_auth_id: bool) -> bool {
    matches!(rule, Unlisted::Decline) && !has_auth_id
}

#[cfg(test)]
mod tests {
    use super::*;

    const REVERSALS: [Question; 2] = [Question::ReversalFirst, Question::ReversalAgain];
    const ADVICES: [Question; 2] = [Question::AdviceFirst, Question::AdviceAgain];

    fn all() -> impl Iterator<Item = Class> {
        Class::ALL.into_iter().chain([Class::Unknown])
    }

    /// Every row of the table with the classes that have it, as one reads it.
    fn rows(question: Question, knows: Knowledge, done: bool) -> [String; 3] {
        [Proof::Effect, Proof::NoEffect, Proof::Nothing].map(|wanted| {
            let found = all().filter(|class| proof(question, knows, *class, done) == wanted);
            found.map(Class::word).collect::<Vec<_>>().join(" ")
        })
    }

    #[test]
    fn a_request_was_done_declined_or_nobody_knows() {
        for knows in Knowledge::ALL {
            let expected = [
                "approved partial",
                "refer declined pick-up retry security duplicate format mac sign-on not-found \
                 already-reversed",
                "no-outcome acknowledged no-liability unknown",
            ];
            assert_eq!(rows(Question::Original, knows, false), expected, "{knows:?}");
        }
    }

    #[test]
    fn a_reversal_of_what_is_not_known_to_be_done() {
        for knows in [Knowledge::Unknown, Knowledge::Unlisted] {
            for done in [false, true] {
                let first = [
                    "approved already-reversed acknowledged",
                    "not-found",
                    "partial refer declined pick-up retry security duplicate format mac sign-on \
                     no-outcome no-liability unknown",
                ];
                assert_eq!(rows(Question::ReversalFirst, knows, done), first, "{knows:?}");
                let again = [
                    "approved duplicate already-reversed acknowledged",
                    "not-found",
                    "partial refer declined pick-up retry security format mac sign-on \
                 no-outcome no-liability unknown",
                ];
                assert_eq!(rows(Question::ReversalAgain, knows, done), again, "{knows:?}");
            }
        }
    }

    #[test]
    fn a_reversal_of_what_the_bank_itself_did_is_never_without_an_original() {
        for knows in [Knowledge::Approved, Knowledge::Acknowledged] {
            let first = [
                "approved already-reversed acknowledged",
                "",
                "partial refer declined pick-up retry security duplicate format mac sign-on \
                 not-found no-outcome no-liability unknown",
            ];
            let again = [
                "approved duplicate already-reversed acknowledged",
                "",
                "partial refer declined pick-up retry security format mac sign-on not-found \
                 no-outcome no-liability unknown",
            ];
            let had_it = [
                "approved duplicate not-found already-reversed acknowledged",
                "",
                "partial refer declined pick-up retry security format mac sign-on \
                no-outcome no-liability unknown",
            ];
            assert_eq!(rows(Question::ReversalFirst, knows, false), first, "{knows:?}");
            assert_eq!(rows(Question::ReversalFirst, knows, true), first, "{knows:?}");
            assert_eq!(rows(Question::ReversalAgain, knows, false), again, "{knows:?}");
            assert_eq!(rows(Question::ReversalAgain, knows, true), had_it, "{knows:?}");
        }
    }

    #[test]
    fn an_advice_is_taken_refused_or_sent_again() {
        for knows in Knowledge::ALL {
            let first = [
                "approved acknowledged",
                "refer declined pick-up security format not-found already-reversed",
                "partial retry duplicate mac sign-on no-outcome no-liability unknown",
            ];
            let again = [
                "approved duplicate acknowledged",
                "refer declined pick-up security format not-found already-reversed",
                "partial retry mac sign-on no-outcome no-liability unknown",
            ];
            assert_eq!(rows(Question::AdviceFirst, knows, false), first, "{knows:?}");
            assert_eq!(rows(Question::AdviceAgain, knows, true), again, "{knows:?}");
        }
    }

    #[test]
    fn totals_and_sign_ons_are_granted_by_an_approval_alone() {
        for knows in Knowledge::ALL {
            let [effect, _, nothing] = rows(Question::Totals, knows, false);
            let granted = "approved partial acknowledged";
            assert_eq!((effect.as_str(), nothing.contains("unknown")), (granted, true));
            let [effect, _, nothing] = rows(Question::SignOn, knows, false);
            assert_eq!(
                (effect.as_str(), nothing.as_str()),
                (granted, "no-outcome no-liability unknown")
            );
        }
    }

    /// The table as the page has it.
    fn page_rows() -> String {
        let asked = [
            ("a request", Question::Original),
            ("a reversal, first try", Question::ReversalFirst),
            ("a reversal again", Question::ReversalAgain),
            ("an advice, first try", Question::AdviceFirst),
            ("an advice again", Question::AdviceAgain),
            ("totals", Question::Totals),
            ("a sign-on", Question::SignOn),
        ];
        let of = |(what, question)| {
            let row = |knows: &str, [effect, none, nothing]: [String; 3]| {
                format!("| {what} | {knows} | {effect} | {none} | {nothing} |\n")
            };
            let unknown = rows(question, Knowledge::Unknown, false);
            let approved = rows(question, Knowledge::Approved, false);
            if unknown == approved {
                return row("", unknown);
            }
            let had_it = rows(question, Knowledge::Approved, true);
            let done = if had_it == approved {
                String::new()
            } else {
                row("the same, `not_found_after_try = \"done\"`", had_it)
            };
            row("unknown, or an unlisted code", unknown)
                + &row("approved, or an acknowledged advice", approved)
                + &done
        };
        asked.into_iter().map(of).collect()
    }

    #[test]
    fn the_page_about_codes_has_every_row_of_the_table() {
        let (page, rows) = (include_str!("../../docs/codes.md"), page_rows());
        assert!(page.contains(&rows), "docs/codes.md should have:\n{rows}");
    }

    #[test]
    fn what_no_list_has_proves_nothing_to_anybody() {
        for question in Question::ALL {
            for knows in Knowledge::ALL {
                for done in [false, true] {
                    assert_eq!(proof(question, knows, Class::Unknown, done), Proof::Nothing);
                }
            }
        }
    }

    #[test]
    fn no_reversal_ends_without_a_word_while_money_may_stand() {
        for class in all() {
            for knows in Knowledge::ALL {
                for question in REVERSALS {
                    for over in [false, true] {
                        let end = upshot(question, knows, class, over, NotFoundAfterTry::Desk);
                        if end == Upshot::Ends(Ending::NoOriginal, None) {
                            assert!(over && !knows.is_done() && class == Class::NotFound);
                        }
                        let asked = matches!(end, Upshot::Ends(Ending::Dead, Some(_)));
                        let dead = matches!(end, Upshot::Ends(Ending::Dead, _));
                        assert_eq!(asked, dead, "a reversal's dead letter names its cause");
                    }
                }
            }
        }
    }

    #[test]
    fn not_found_though_done_waits_for_the_lifetime_and_then_for_an_operator() {
        let ask = |question, over, rule| {
            upshot(question, Knowledge::Approved, Class::NotFound, over, rule)
        };
        let desk = Upshot::Ends(Ending::Dead, Some(Cause::NotFoundThoughDone));
        for question in REVERSALS {
            assert_eq!(ask(question, false, NotFoundAfterTry::Desk), Upshot::Again);
            assert_eq!(ask(question, true, NotFoundAfterTry::Desk), desk);
        }
        let done = Upshot::Ends(Ending::Acknowledged, None);
        assert_eq!(ask(Question::ReversalAgain, false, NotFoundAfterTry::Done), done);
        assert_eq!(ask(Question::ReversalFirst, true, NotFoundAfterTry::Done), desk);
    }

    #[test]
    fn the_first_try_is_no_duplicate() {
        let desk = Upshot::Ends(Ending::Dead, Some(Cause::DuplicateAtFirstTry));
        for knows in Knowledge::ALL {
            for over in [false, true] {
                for (first, again) in [(REVERSALS[0], REVERSALS[1]), (ADVICES[0], ADVICES[1])] {
                    let ask = |q| upshot(q, knows, Class::Duplicate, over, NotFoundAfterTry::Desk);
                    assert_eq!(ask(first), desk);
                    assert_eq!(ask(again), Upshot::Ends(Ending::Acknowledged, None));
                }
            }
        }
    }

    #[test]
    fn an_advice_that_is_booked_in_part_is_an_operators_and_not_sent_again() {
        let desk = Upshot::Ends(Ending::Dead, Some(Cause::BookedOtherwise));
        for knows in Knowledge::ALL {
            for (question, over) in ADVICES.into_iter().flat_map(|q| [(q, false), (q, true)]) {
                let rule = NotFoundAfterTry::Desk;
                assert_eq!(upshot(question, knows, Class::Partial, over, rule), desk);
            }
            let part = |q| upshot(q, knows, Class::Partial, true, NotFoundAfterTry::Desk);
            assert!(REVERSALS.into_iter().all(|question| part(question) == Upshot::Again));
        }
    }

    #[test]
    fn knowledge_grows_and_is_not_lost() {
        for knows in Knowledge::ALL {
            assert_eq!(knows.told_by(Some(Class::Approved)), Knowledge::Approved);
            assert_eq!(knows.told_by(None), knows);
            assert_eq!(knows.told_by(Some(Class::Declined)), knows);
        }
        assert_eq!(Knowledge::Unknown.told_by(Some(Class::Unknown)), Knowledge::Unlisted);
        assert_eq!(Knowledge::Approved.told_by(Some(Class::Unknown)), Knowledge::Approved);
    }

    #[test]
    fn an_approval_code_is_never_taken_for_a_decline() {
        assert!(unlisted_is_decline(Unlisted::Decline, false));
        assert!(!unlisted_is_decline(Unlisted::Decline, true));
        assert!(!unlisted_is_decline(Unlisted::Reverse, false));
    }
}
