//! The fields of every record in the order they are stored, and the number of every value.
//!
//! Contract: one line here is one field on disk and one key in `journal dump`; numbers are
//! never given twice and never change. A field that is missing here does not compile.

use super::duplicates::Likeness;
use super::input::DeskVerb;
use super::proof::Knowledge;
use super::record::{
    About, Attempt, BankKeys, CardFacts, Cause, Closed, Cutover, Debt, Desk, Ending, Forgotten,
    GarbledNote, Intent, Late, Leg, LineState, Moved, Origin, Outcome, Owed, PolicyStamp, Queued,
    Reconciled, Record, Refused, Told, Weighing,
};
use super::record_bytes::{Coded, Reader, RecordError, coded_struct};
use super::record_json::Shown;
use super::role::{Debited, Role};
use super::totals::{Period, TerminalBatch};
use crate::meaning::{
    Flow, Kind, NetworkFunction, Reason, ResponseClass, Sent, Sum, Totals, TransactionType,
};
use serde_json::{Map, Value};

macro_rules! record_struct {
    (
        $name:ident { $($field:ident),* $(,)? }
        $(since $version:literal { $($later:ident),* $(,)? })*
        $(made { $made:ident: $how:expr })?
    ) => {
        coded_struct!(
            $name { $($field),* } $(since $version { $($later),* })* $(made { $made: $how })?
        );

        impl Shown for $name {
            fn shown(&self) -> Value {
                let Self { $($field,)* $($($later,)*)* $($made: _)? } = self;
                let mut map = Map::new();
                let shown = [
                    $((stringify!($field), $field.shown()),)*
                    $($((stringify!($later), $later.shown()),)*)*
                ];
                for (name, value) in shown {
                    if !value.is_null() {
                        map.insert(name.to_owned(), value);
                    }
                }
                Value::Object(map)
            }
        }
    };
}

macro_rules! record_enum {
    ($name:ident { $($number:literal = $variant:ident $(($inner:ident))?),* $(,)? }) => {
        impl Coded for $name {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant $(($inner))? => {
                        out.push($number);
                        $($inner.put(out);)?
                    })*
                }
            }

            fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
                from.name(stringify!($name));
                match from.byte()? {
                    $($number => {
                        $(let $inner = Coded::take(from)?;)?
                        Ok(Self::$variant $(($inner))?)
                    })*
                    _ => Err(from.wrong()),
                }
            }
        }

        impl Shown for $name {
            fn shown(&self) -> Value {
                match self {
                    $(Self::$variant $(($inner))? => {
                        let name = stringify!($variant);
                        super::record_json::variant(name, [$($inner.shown())?])
                    })*
                }
            }
        }
    };
}

record_enum!(Record {
    1 = Intent(body), 2 = Outcome(body), 3 = Refused(body), 4 = Queued(body), 5 = Attempt(body),
    6 = Closed(body), 7 = Late(body), 8 = Desk(body), 9 = Cutover(body), 10 = Policy(body),
    11 = LineState(body), 12 = Garbled(body), 13 = Released(body), 14 = Answered(body),
    15 = Forgotten(body), 16 = Reconciled(body), 17 = Moved(body),
});

record_struct!(Origin {
    mti,
    transmission,
    stan,
    local_time,
    local_date,
    acquirer,
    forwarder,
    rrn,
    terminal,
    merchant,
    batch,
});
record_struct!(BankKeys {
    stan,
    transmission,
    local_time,
    local_date,
    acquirer,
    forwarder,
    rrn,
    terminal,
    merchant,
    batch,
} since 4 { sent });
record_struct!(Sent { kind, flow });
record_struct!(CardFacts {
    expiry,
    processing_code,
    merchant_type,
    pos_entry_mode,
    card_sequence,
    network_id,
    pos_condition,
} since 4 { special, money });
record_struct!(Intent {
    at,
    platform,
    bank,
    line,
    rule,
    kind,
    flow,
    origin,
    keys,
    pan,
    amount,
    facts,
    accepts_partial,
    owes,
    original,
    referred,
    policy,
} since 2 { role } since 4 { date } made {
    likeness: {
        let CardFacts { processing_code: code, .. } = &facts;
        Likeness::of(&platform, &origin, Option::as_ref(&pan), code.as_ref(), amount)
    }
});
record_struct!(Outcome {
    txn,
    at,
    leg,
    class,
    bank_code,
    reason,
    auth_id,
    rrn,
    amount,
    settlement_date,
} since 4 { local_date, kept });
record_struct!(Refused {
    at,
    platform,
    kind,
    flow,
    origin,
    pan,
    processing_code,
    amount,
    reason,
    concerns,
} since 4 { cause, replacement });
record_struct!(Queued {
    at,
    txn,
    bank,
    line,
    owed,
    kind,
    flow,
    reason,
    origin,
    platform,
    keys,
    original,
    referred,
    original_mti,
    pan,
    amount,
    replacement,
    facts,
    auth_id,
    not_found_final_after,
} since 2 { debit } since 4 { of, knows, kept, original_amount, told, stated, stood, asked, about,
});
record_struct!(Told { class, code });
record_struct!(About { platform, stan, bank_rrn });
record_struct!(Debited { txn, bank, line, kind, keys, owes, pan, amount, facts, auth_id, left });
record_struct!(Moved { txn, at, line });
record_struct!(Attempt { entry, at, count } since 4 { date, batch });
record_struct!(Closed { entry, at, ending, bank_code, settlement_date } since 4 { cause, booked });
record_struct!(Late {
    txn, at, bank, stan, leg, bank_code, auth_id, amount,
} since 4 { class, kind, rrn, terminal, merchant, batch, settlement_date, granted });
record_struct!(Desk { item, at, operator, verb } since 4 { cause, about });
record_struct!(Cutover {
    bank, at, date,
} since 3 { operator } since 4 { stan, transmission });
record_struct!(Reconciled {
    at, bank, period, currency, ours, theirs, weighing, bank_code,
} since 3 { operator });
record_struct!(TerminalBatch { terminal, batch });
record_struct!(Sum { count, minor });
record_struct!(Totals {
    credits,
    credits_reversed,
    debits,
    debits_reversed,
    inquiries,
    authorizations,
});
record_enum!(Period { 0 = Date(date), 1 = Batch(of) });
record_enum!(Weighing {
    0 = Asked, 1 = InBalance, 2 = OutOfBalance, 3 = Ordered, 4 = Nothing, 5 = LetGo,
});
record_struct!(PolicyStamp { at, hash, start });
record_struct!(LineState {
    line, terminal, at, function, signed_on, batch,
} since 4 { operator, reason });
record_struct!(GarbledNote { line, at, path, offset, len, digest });

record_enum!(Role { 0 = Whole, 1 = Debit, 2 = Credit(debited), 3 = StandIn });
record_enum!(Forgotten { 0 = Window(upto), 1 = Original(txn) });
record_enum!(DeskVerb {
    0 = Resend, 1 = GiveUp(reason), 2 = Reverse(reason), 3 = Did(reason), 4 = DidNot(reason),
});
record_enum!(Debt { 0 = Reversal, 1 = Repeat, 2 = Nothing, 3 = Desk });
record_enum!(Leg {
    0 = NotSent, 1 = SentUnknown, 2 = Approved, 3 = PartiallyApproved, 4 = Declined, 5 = Refused,
    6 = InvalidAnswer, 7 = LateApproved, 8 = LateDeclined, 9 = StoodIn, 10 = Acknowledged,
});
record_enum!(Knowledge { 0 = Unknown, 1 = Approved, 2 = Acknowledged, 3 = Unlisted });
record_enum!(Owed { 0 = OwnReversal, 1 = PlatformReversal, 2 = Repeat });
record_enum!(Ending {
    0 = Acknowledged, 1 = NoOriginal, 2 = Needless, 3 = Dead, 4 = GivenUp, 5 = Expired,
    6 = TriedOut,
});
record_enum!(Cause {
    0 = NotFoundThoughDone, 1 = DuplicateAtFirstTry, 2 = NoOriginal, 3 = SeveralOriginals,
    4 = Contradicted(field), 5 = Forgotten, 6 = NoPlace(field), 7 = UnmatchedApproval,
    8 = NoReversal, 9 = NothingStands, 10 = Unsettled, 11 = UnlistedCode,
    12 = MoreThanLeft, 13 = BookedOtherwise, 14 = RepeatDiffers, 15 = OriginalOnDesk,
    16 = NoLiability, 17 = NoBank,
});
record_enum!(Kind {
    0 = Transaction(of), 1 = Reversal(of), 2 = Reconciliation, 3 = BatchUpload,
    4 = NetworkManagement(of),
});
record_enum!(TransactionType {
    0 = Purchase, 1 = PreAuthorization, 2 = PreAuthorizationVoid, 3 = Completion,
    4 = CompletionVoid, 5 = Void, 6 = Refund, 7 = Balance, 8 = TopUp, 9 = Unstated,
});
record_enum!(NetworkFunction {
    0 = SignOn, 1 = SignOff, 2 = Echo, 3 = KeyChange, 4 = Cutover, 5 = CutoverEnd, 6 = Unstated,
});
record_enum!(Flow {
    0 = Request, 1 = Response, 2 = Advice, 3 = AdviceResponse, 4 = Notification,
    5 = NotificationResponse,
});
record_enum!(ResponseClass {
    0 = Approved, 1 = Partial, 2 = Refer, 3 = Declined, 4 = PickUp, 5 = Retry, 6 = Security,
    7 = Duplicate, 8 = Format, 9 = Mac, 10 = SignOn, 11 = NotFound, 12 = AlreadyReversed,
    13 = Unknown, 14 = NoOutcome, 15 = Acknowledged, 16 = NoLiability,
});
record_enum!(Reason {
    0 = Accepted, 1 = FormatError, 2 = InvalidTransaction, 3 = UnknownMerchant,
    4 = UnknownTerminal, 5 = NoRoute, 6 = PinNotSupported, 7 = BankDown, 8 = Timeout,
    9 = Duplicate, 10 = OriginalNotFound, 11 = Reversed, 12 = SystemError, 13 = MacFailed,
    14 = InvalidAnswer, 15 = Undeliverable, 16 = CustomerCancel, 17 = AnswerTooLate,
    18 = ExceedsOriginal, 19 = AmountDiffers,
});
