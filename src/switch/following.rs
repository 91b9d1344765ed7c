//! What follows an original is carried out: sent to its bank, declined, or put before an operator.
//!
//! Contract: [`super::consequences`] says what, this does it. What goes to a bank goes to that of
//! the original, whatever the routing table says of the follower, over the original's line while
//! that is up, from the follower's own terminal as the bank calls it. Deliberately absent:
//! reversals of what is found ([`super::reversal`]).

use super::advice::Unsent;
use super::consequences::{Follower, Met, Then};
use super::finding::{Body, Candidate, Found};
use super::ids::{BankId, LineId, Name, RecordNo};
use super::inflight::Requester;
use super::launch::Way;
use super::library::Recalled;
use super::nonsense::Nonsense;
use super::output::Event;
use super::plants::Plant;
use super::policy::Bank;
use super::record::{BankKeys, Cause, Ending, Owed};
use super::role::Role;
use super::{Switch, originals, reply, routing};
use crate::canonical::{Canonical, Flow, Kind, Reason, TransactionType};

/// An original that was found, as its bank knows it.
#[derive(Debug, Clone)]
pub(super) struct Original {
    /// Its number.
    pub no: RecordNo,
    /// Its bank.
    pub bank: Name,
    /// The line it went over, where it was a request.
    pub line: Option<Name>,
    /// The rule that chose the bank.
    pub rule: Name,
    /// Its keys there.
    pub keys: BankKeys,
    /// What follows wants more of it than is left.
    pub spent: bool,
}

impl Original {
    fn of(candidate: &Candidate) -> Self {
        let no = candidate.no;
        match &candidate.body {
            Body::Asked(intent) => Self {
                no,
                bank: intent.bank,
                line: Some(intent.line),
                rule: intent.rule,
                keys: intent.keys.clone(),
                spent: false,
            },
            Body::Told(queued) => Self {
                no,
                bank: queued.bank,
                line: queued.line,
                rule: Name::EMPTY,
                keys: queued.keys.clone(),
                spent: false,
            },
        }
    }
}

impl Switch {
    /// What a message refers to was looked for: done as the table says. `family`: the journal's
    /// of the original that was found, where it was asked for that.
    pub(super) fn found(
        &mut self,
        from: Requester,
        msg: Box<Canonical>,
        found: Found,
        family: Option<&Recalled>,
    ) {
        let met = Met::of(&found);
        let done = self.followed_by(Follower::of(&msg), met);
        let one = match found {
            Found::This(one) | Found::Contradicted(one, _) => Some(one),
            Found::Several | Found::NeverSent | Found::Unknowable | Found::Forgotten => None,
        };
        match done {
            Then::Forwarded => match one {
                Some(one) => self.weigh(from, msg, &one, family),
                None => self.impossible("an original that was found and is not there"),
            },
            Then::ForwardedAlone => self.follow_alone(from, msg),
            Then::IfAllowed => self.refund_unreferenced(from, msg),
            Then::Declined(cause) => {
                if let Some(cause) = cause {
                    self.unclear(&from, &msg, Some(cause));
                }
                let concerns = one.map(|one| one.no).filter(|_| cause.is_none());
                self.refuse_because(&from, msg, met.declines(), concerns, cause);
            }
            Then::Later => {
                let no = one.map(|one| one.no).unwrap_or_default();
                self.not_yet(&from, msg, no);
            }
            Then::Acknowledged => {
                let no = one.map(|one| one.no).unwrap_or_default();
                self.taken_back_already(&from, msg, no);
            }
            Then::Needless => {
                self.unclear(&from, &msg, None);
                self.keep_unsent(&from, msg, None, (Ending::Needless, None));
            }
            Then::OnDesk(cause) => {
                let Some(msg) = self.unless_crowded(&from, msg, cause) else { return };
                self.unclear(&from, &msg, Some(cause));
                let bank = one.map(|one| Original::of(&one).bank);
                self.keep_unsent(&from, msg, bank, (Ending::Dead, Some(cause)));
            }
        }
    }

    /// Weighed against what is left of its original, and sent after it. A request that wants more
    /// is declined; what has happened already is an operator's.
    fn weigh(
        &mut self,
        from: Requester,
        msg: Box<Canonical>,
        one: &Candidate,
        family: Option<&Recalled>,
    ) {
        let Some(family) = family else { return self.ask_family(from, msg, one.no) };
        let counted = !self.planted.has(Plant::FollowersNotCounted);
        let spent = counted && self.is_beyond(&msg, one, family);
        if spent {
            self.unclear(&from, &msg, Some(Cause::MoreThanLeft));
        }
        let reverses = matches!(msg.kind, Kind::Reversal(_));
        if spent && msg.flow == Flow::Request && !reverses {
            let (no, reason) = (Some(one.no), Reason::ExceedsOriginal);
            return self.refuse_because(&from, msg, reason, no, Some(Cause::MoreThanLeft));
        }
        self.follow(from, msg, one, spent);
    }

    /// Sent after its original.
    fn follow(&mut self, from: Requester, mut msg: Box<Canonical>, one: &Candidate, spent: bool) {
        msg.kept = one.kept.as_deref().cloned().unwrap_or_default();
        let completes = msg.kind == Kind::Transaction(TransactionType::Completion);
        msg.original_amount = one.granted.filter(|_| completes);
        let leg = match &one.body {
            Body::Asked(intent) => matches!(intent.role, Role::Debit | Role::Credit(_)),
            Body::Told(_) => false,
        };
        match (msg.kind, &one.body) {
            (Kind::Reversal(_), _) => self.reverse_found(&from, msg, one, spent),
            // Half of a top-up cannot be voided.
            _ if leg && msg.flow == Flow::Request => {
                let (no, reason) = (Some(one.no), Reason::InvalidTransaction);
                self.refuse_because(&from, msg, reason, no, Some(Cause::NothingStands));
            }
            _ => {
                let mut original = Original { spent, ..Original::of(one) };
                self.put_banks_names(&original.bank, one, &mut original.keys);
                match msg.flow {
                    Flow::Request => self.admit(from, msg, Some(original)),
                    _ => self.advise(from, msg, Some(original)),
                }
            }
        }
    }

    /// Sent by the routing table, without the platform's reference: it would name another
    /// transaction there.
    fn follow_alone(&mut self, from: Requester, mut msg: Box<Canonical>) {
        msg.original = None;
        match msg.flow {
            Flow::Request => self.admit(from, msg, None),
            _ => self.advise(from, msg, None),
        }
    }

    /// A refund of what we do not know: as the route says.
    pub(super) fn refund_unreferenced(&mut self, from: Requester, msg: Box<Canonical>) {
        let rule = routing::route(&self.policy, from.platform, &msg);
        if rule.is_none_or(|(_, rule)| rule.unreferenced_refunds) {
            return self.follow_alone(from, msg);
        }
        let cause = Some(Cause::NoOriginal);
        if msg.flow == Flow::Request {
            self.unclear(&from, &msg, cause);
            return self.refuse_because(&from, msg, Reason::OriginalNotFound, None, cause);
        }
        let Some(msg) = self.unless_crowded(&from, msg, Cause::NoOriginal) else { return };
        self.unclear(&from, &msg, cause);
        self.keep_unsent(&from, msg, None, (Ending::Dead, cause));
    }

    /// Says that the original of a message is not clear; without a cause that there never was one.
    pub(super) fn unclear(&mut self, from: &Requester, msg: &Canonical, cause: Option<Cause>) {
        let platform = self.platform_name(from).unwrap_or_default();
        let (stan, terminal) = (msg.stan.unwrap_or_default(), msg.terminal);
        self.nonsense(from.session, Nonsense::UnknownOriginal);
        self.event(Event::UnclearOriginal { platform, stan, terminal, cause });
    }

    /// Acknowledged and kept, never sent: needless, or for an operator.
    pub(super) fn keep_unsent(
        &mut self,
        from: &Requester,
        mut msg: Box<Canonical>,
        bank: Option<Name>,
        end: Unsent,
    ) {
        let own = reply::origin_of(&msg);
        let original = originals::original_names(&msg, &own).into_iter().next().unwrap_or_default();
        let reverses = matches!(msg.kind, Kind::Reversal(_));
        // Routed as its original would be.
        let mti = if reverses { msg.mti.replace(original.mti) } else { msg.mti };
        let (bank, keys) = self.place_unsent(from, &msg, bank);
        msg.mti = mti;
        let owed = if reverses { Owed::PlatformReversal } else { Owed::Repeat };
        let mut queued = self.entry_for(from, &msg, bank, keys, owed);
        let named = originals::keys_of(&original);
        let late = end.1.is_some_and(has_original);
        if late || !reverses {
            // There is an original of this name, which must not be taken for one that is late.
            queued.referred = (named.stan != 0).then(|| Box::new(named));
        } else {
            queued.original = named;
            queued.original_mti = Some(original.mti);
        }
        if !reverses {
            queued.flow = Flow::Advice;
        }
        self.acknowledge_unsent(from, msg, queued, end);
    }

    /// The bank and keys of what is kept: some bank, where none can be told.
    fn place_unsent(
        &mut self,
        from: &Requester,
        msg: &Canonical,
        bank: Option<Name>,
    ) -> (BankId, BankKeys) {
        let placed = match bank {
            Some(_) => Err(Reason::NoRoute),
            None => self.place_owed(from, msg, None),
        };
        if let Ok(placed) = placed {
            return placed;
        }
        let routed = || Some(routing::route(&self.policy, from.platform, msg)?.1.bank);
        let at = bank.and_then(|name| self.bank_id(&name)).or_else(routed).unwrap_or_default();
        let stan = self.free_stan(&self.bank_name(at)).unwrap_or_default();
        let keys = originals::keys_of(&reply::origin_of(msg));
        (at, BankKeys { stan, ..keys })
    }

    /// Merchant and terminal at a bank: the message's own, or else those of its original, which
    /// the bank knows.
    pub(super) fn names_at(
        bank: &Bank,
        msg: &Canonical,
        original: Option<&BankKeys>,
    ) -> Result<routing::Identified, Reason> {
        let own = routing::identify(bank, msg);
        own.or_else(|why| original.map(|keys| (keys.merchant, keys.terminal)).ok_or(why))
    }

    /// The way of what follows an original: over the original's line while that is up.
    pub(super) fn way_after(
        &self,
        bank: BankId,
        original: &Original,
        msg: &Canonical,
    ) -> Result<Way, Reason> {
        let at = self.policy.banks.get(usize::from(bank.0)).ok_or(Reason::NoRoute)?;
        let names = Self::names_at(at, msg, Some(&original.keys))?;
        let theirs = (original.keys.merchant, original.keys.terminal);
        let way = self.way_to(bank, names, msg).or_else(|| self.way_to(bank, theirs, msg));
        let mut way = way.ok_or(Reason::BankDown)?;
        let line = self.policy.lines.iter().position(|line| Some(line.name) == original.line);
        let line = line.and_then(|line| Some(LineId(u16::try_from(line).ok()?)));
        if let Some(line) = line.filter(|line| at.lines.contains(line))
            && let Some(session) = self.lines.carrier(line, way.names.1.as_ref())
        {
            way.over = (line, session);
        }
        Ok(way)
    }
}

/// Whether there is an original of the name that is stated, where an operator has to look for this.
const fn has_original(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::Contradicted(_)
            | Cause::SeveralOriginals
            | Cause::RepeatDiffers
            | Cause::OriginalOnDesk
    )
}

/// Whether a message says that it follows another without original data: by its kind, where it
/// has a reference of another sort.
pub(super) fn follows(msg: &Canonical) -> bool {
    let kind = match msg.kind {
        Kind::Transaction(kind) => kind,
        _ => return false,
    };
    match kind {
        TransactionType::Completion
        | TransactionType::Void
        | TransactionType::PreAuthorizationVoid
        | TransactionType::CompletionVoid => msg.auth_id.is_some() || msg.rrn.is_some(),
        TransactionType::Refund => true,
        _ => false,
    }
}
