//! Descriptors: everybody's share, and that all shares fit what this process may have.
//!
//! Contract: who holds descriptors has a bound of its own, so that the sum is known before anything
//! is opened: a configuration that does not fit is refused, and no session, admin connection or
//! helper file can take one that is the journal's. Deliberately absent: raising the limit
//! (`cli::serve`) and keeping the bounds (listeners, journal).

use super::wiring::{StartError, key_of};
use crate::config::settings::{Endpoint, Settings};
use crate::limits::{
    ADMIN_CONNECTIONS_MAX, JOURNAL_DESCRIPTORS, LISTENER_DESCRIPTORS, PROCESS_DESCRIPTORS,
    WAITING_SPARE,
};
use rustix::process::{Resource, getrlimit};

/// How many descriptors one owner may hold, and the key that says so.
#[derive(Debug, PartialEq, Eq)]
struct Share {
    key: String,
    most: u64,
}

/// Refuses settings whose sessions and files do not fit the limit of open files.
///
/// # Errors
/// The largest share, with the sum and the limit.
pub(super) fn check(settings: &Settings) -> Result<(), StartError> {
    // None: no limit.
    match getrlimit(Resource::Nofile).current {
        Some(allowed) => fits(&shares(settings), allowed),
        None => Ok(()),
    }
}

fn shares(settings: &Settings) -> Vec<Share> {
    let lines = settings.lines.iter().enumerate().map(|(at, wire)| match &wire.endpoint {
        Endpoint::Listen { max_sessions, .. } => Share {
            key: key_of(settings, at, "max_sessions"),
            most: (*max_sessions + 2 * WAITING_SPARE) as u64 + LISTENER_DESCRIPTORS,
        },
        Endpoint::Connect { .. } => Share { key: key_of(settings, at, "line"), most: 1 },
    });
    let admin = settings.admin.iter().map(|_| Share {
        key: "admin".to_owned(),
        most: ADMIN_CONNECTIONS_MAX as u64 + LISTENER_DESCRIPTORS,
    });
    let own = [("journal", JOURNAL_DESCRIPTORS), ("process", PROCESS_DESCRIPTORS)];
    let own = own.map(|(key, most)| Share { key: key.to_owned(), most });
    lines.chain(admin).chain(own).collect()
}

fn fits(shares: &[Share], allowed: u64) -> Result<(), StartError> {
    let sum: u64 = shares.iter().map(|share| share.most).sum();
    let largest = shares.iter().max_by_key(|share| share.most);
    match largest.filter(|_| sum > allowed) {
        None => Ok(()),
        Some(Share { key, most }) => Err(StartError {
            key: key.clone(),
            why: format!(
                "all connections and files together may need {sum} descriptors ({most} of them \
                 here), and this process may have {allowed}: raise its limit of open files \
                 (LimitNOFILE=, ulimit -Hn) or lower max_sessions"
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;
    use crate::iso8583::shipped;

    fn reference() -> Vec<Share> {
        let text = include_str!("../../specs/examples/demo.toml");
        let settings = load(text, &|name| shipped(name).map(str::to_owned));
        settings.map(|settings| shares(&settings)).unwrap_or_default()
    }

    #[test]
    fn every_owner_has_a_share_and_one_too_few_is_refused_with_the_largest() {
        let shares = reference();
        let sum = shares.iter().map(|share| share.most).sum();
        let keys: Vec<_> = shares.iter().map(|share| share.key.as_str()).collect();
        let lines = ["platform.shop.max_sessions", "bank.river.line", "bank.mountain.line"];
        assert_eq!(keys, [&lines[..], &["admin", "journal", "process"]].concat());
        assert_eq!(fits(&shares, sum), Ok(()));
        let told = fits(&shares, sum - 1).map_err(|error| error.to_string());
        let says = format!("may need {sum} descriptors (98 of them here)");
        let largest = "platform.shop.max_sessions: ";
        let is_told = |error: &String| error.starts_with(largest) && error.contains(&says);
        assert!(told.as_ref().is_err_and(is_told), "{told:?}");
    }
}
