//! Which of several transactions that fit is named best.
//!
//! Contract: what names it in full counts first, a terminal and an MTI last; what both sides state
//! alike narrows, nothing excludes, and one at least is left. More than one left is "several".
//! Deliberately absent: what fits at all ([`super::finding`]).

use super::finding::{Candidate, Stated, When, both};

impl Stated {
    /// Takes out the less likely of those that fit, as long as one is left: what names it in full
    /// counts first, a terminal last.
    pub(super) fn narrow(&self, fitting: &mut Vec<Candidate>) {
        let own = &self.own;
        keep(fitting, |c| {
            c.origin().is_some_and(|origin| self.when(origin, c.at()) == When::Exact)
        });
        keep(fitting, |c| c.origin().is_some_and(|origin| self.same_reference(c, origin)));
        keep(fitting, |c| {
            // A reversal repeats the local time of its original.
            let theirs = c.origin().and_then(|origin| origin.local_time.as_ref());
            self.reverses() && both(own.local_time.as_ref(), theirs) == Some(true)
        });
        keep(fitting, |c| self.auth_id.is_some() && self.auth_id == c.auth_id);
        keep(fitting, |c| c.standing.may_have_moved_money());
        keep(fitting, |c| c.platform() == Some(self.platform));
        keep(fitting, |c| {
            let theirs = c.origin().and_then(|origin| origin.merchant.as_ref());
            both(own.merchant.as_ref(), theirs) == Some(true)
        });
        keep(fitting, |c| self.amount.is_some() && self.amount == c.granted.or(c.amount()));
        keep(fitting, |c| {
            let theirs = c.origin().and_then(|origin| origin.terminal.as_ref());
            both(own.terminal.as_ref(), theirs) == Some(true)
        });
        keep(fitting, |c| {
            let (stated, theirs) = (self.named.mti, c.origin().map(|origin| origin.mti));
            stated.zip(theirs).is_some_and(|(a, b)| a.as_bytes().get(..3) == b.as_bytes().get(..3))
        });
    }
}

/// Keeps those that are so, if any is.
fn keep(fitting: &mut Vec<Candidate>, so: impl Fn(&Candidate) -> bool) {
    if fitting.len() > 1 && fitting.iter().any(&so) {
        fitting.retain(so);
    }
}
