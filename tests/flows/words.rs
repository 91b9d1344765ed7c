//! How a message, a record or an event is spelled in a story.
//!
//! MTIs and codes are only spelled for the reader: no dialect is involved.

use crate::setting::text;
use crate::stage::Fallible;
use crate::totals;
use pointsman::canonical::{
    Answer, Canonical, Flow, Kind, MacCheck, NetworkFunction, OriginalData, Reason, ResponseClass,
    TransactionType,
};
use pointsman::money::{Amount, Currency};
use pointsman::sensitive::{Pan, PinBlock};
use pointsman::switch::ids::RecordNo;
use pointsman::switch::output::Event;
use pointsman::switch::record::{Cause, Record};
use pointsman::switch::totals::Period;
use std::fmt::Write;

const TYPES: [(&str, TransactionType); 9] = [
    ("purchase", TransactionType::Purchase),
    ("preauth", TransactionType::PreAuthorization),
    ("preauthvoid", TransactionType::PreAuthorizationVoid),
    ("completion", TransactionType::Completion),
    ("completionvoid", TransactionType::CompletionVoid),
    ("void", TransactionType::Void),
    ("refund", TransactionType::Refund),
    ("balance", TransactionType::Balance),
    ("topup", TransactionType::TopUp),
];

const CODES: [(&str, ResponseClass); 20] = [
    ("00", ResponseClass::Approved),
    ("10", ResponseClass::Partial),
    ("01", ResponseClass::Refer),
    ("51", ResponseClass::Declined),
    ("12", ResponseClass::Declined),
    ("64", ResponseClass::Declined),
    ("08", ResponseClass::Unknown),
    ("09", ResponseClass::NoOutcome),
    ("40", ResponseClass::Acknowledged),
    ("N9", ResponseClass::NoLiability),
    ("04", ResponseClass::PickUp),
    ("91", ResponseClass::Retry),
    ("55", ResponseClass::Security),
    ("94", ResponseClass::Duplicate),
    ("30", ResponseClass::Format),
    ("A0", ResponseClass::Mac),
    ("77", ResponseClass::SignOn),
    ("25", ResponseClass::NotFound),
    ("21", ResponseClass::AlreadyReversed),
    ("ZZ", ResponseClass::Unknown),
];

const NETWORK: [(&str, NetworkFunction); 6] = [
    ("sign_on", NetworkFunction::SignOn),
    ("sign_off", NetworkFunction::SignOff),
    ("echo", NetworkFunction::Echo),
    ("key_change", NetworkFunction::KeyChange),
    ("cutover", NetworkFunction::Cutover),
    ("cutover_end", NetworkFunction::CutoverEnd),
];

fn lookup<T: Copy>(table: &[(&str, T)], word: &str) -> Fallible<T> {
    let found = table.iter().find(|(w, _)| *w == word).map(|(_, v)| *v);
    found.ok_or_else(|| format!("unknown word {word}"))
}

fn euros(minor: &str) -> Fallible<Amount> {
    let minor = minor.parse().map_err(|_| "bad amount")?;
    let currency = Currency::new(978).ok_or("bad currency")?;
    Ok(Amount::new(minor, currency))
}

/// The leg of an MTI.
fn flow_of(digits: &[u8]) -> Option<Flow> {
    Some(match digits.get(2)? {
        b'0' => Flow::Request,
        b'1' => Flow::Response,
        b'2' => Flow::Advice,
        b'3' => Flow::AdviceResponse,
        b'4' => Flow::Notification,
        _ => return None,
    })
}

/// Reads a message line; what is not stated has its usual value.
pub(crate) fn read(mti: &str, words: &[&str]) -> Fallible<Canonical> {
    let stated = |key: &str| words.iter().find_map(|w| w.strip_prefix(key)?.strip_prefix('='));
    let digits = mti.as_bytes();
    let flow = flow_of(digits).ok_or_else(|| format!("bad MTI {mti}"))?;
    let of_mti = if digits.get(1) == Some(&b'1') { "preauth" } else { "purchase" };
    let kind = lookup(&TYPES, stated("type").unwrap_or(of_mti))?;
    let kind = match digits.get(1) {
        Some(b'1' | b'2') => Kind::Transaction(kind),
        Some(b'4') => Kind::Reversal(kind),
        Some(b'5') => Kind::Reconciliation,
        Some(b'8') => Kind::NetworkManagement(lookup(&NETWORK, stated("fn").unwrap_or("echo"))?),
        _ => return Err(format!("bad MTI {mti}")),
    };
    let mut msg = Canonical::new(kind, flow);
    msg.mti = mti.parse().ok();
    msg.repeat = digits.get(3).is_some_and(|d| d % 2 == 1);
    msg.stan = stated("stan").and_then(|s| s.parse().ok());
    msg.amount = stated("amt").map(euros).transpose()?;
    msg.replacement_amount = stated("new").map(euros).transpose()?;
    msg.auth_id = stated("auth").map(text);
    msg.batch = stated("batch").and_then(|b| b.parse().ok());
    seldom(&mut msg, words);
    msg.settlement_date = stated("f15").map(text);
    if kind == Kind::Reconciliation {
        msg.reconciliation = Some(Box::new(totals::read(&stated)?));
    }
    msg.merchant_type = stated("mcc").map(text);
    msg.accepts_partial = words.contains(&"partial");
    if words.contains(&"mac=bad") {
        msg.mac = MacCheck::Bad;
    }
    if words.contains(&"pin") {
        msg.pin_block = PinBlock::new(&[7; 8]).ok();
    }
    msg.terminal = stated("term").map(text);
    msg.rrn = stated("rrn").map(text);
    msg.local_time = stated("f12").map(text);
    msg.local_date = stated("f13").map(text);
    // `of7=none`: an original without a time, as UnionPay's `F61` names it.
    let unstated = |value: &&str| *value != "none";
    msg.original = stated("orig").map(|stan| OriginalData {
        stan: stan.parse().ok(),
        mti: stated("omti").map(text),
        transmission: stated("of7").or(Some("1122000000")).filter(unstated).map(text),
        batch: stated("obatch").and_then(|b| b.parse().ok()),
        date: stated("odate").map(text),
        time: stated("otime").map(text),
        ..OriginalData::default()
    });
    let told = flow == Flow::Advice && stated("rc").is_some();
    if flow.is_answer() || told {
        msg.answer = stated("rc")
            .map(|rc| Ok::<_, String>(Answer::Given { class: lookup(&CODES, rc)?, code: text(rc) }))
            .transpose()?;
    }
    if !flow.is_answer() && !matches!(kind, Kind::NetworkManagement(_)) {
        let pan = stated("pan").unwrap_or("4111111111111111");
        // `none`: the field is left out.
        let usual = |key, usual| stated(key).or(Some(usual)).filter(unstated);
        msg.pan = Pan::new(pan.as_bytes()).ok().filter(|_| pan != "none");
        msg.transmission = usual("f7", "1122000000").map(text);
        msg.terminal = usual("term", "TERM1").map(text);
        msg.merchant = usual("shop", "SHOP").map(text);
    }
    Ok(msg)
}

/// What few messages state: the bank's names for it, and money besides the amount.
fn seldom(msg: &mut Canonical, words: &[&str]) {
    let stated = |key: &str| words.iter().find_map(|w| w.strip_prefix(key)?.strip_prefix('='));
    msg.bare_amount = stated("bare").and_then(|minor| minor.parse().ok());
    if let Some(data) = stated("f62") {
        msg.kept.push(62, data.as_bytes());
    }
    msg.unplaced = stated("unplaced").and_then(|de| de.parse().ok());
    if let Some(de) = stated("money").and_then(|de| de.parse().ok()) {
        msg.money.push(de, b"0040978D000000002000");
    }
    if words.contains(&"cashback") {
        (msg.processing_code, msg.special) = (Some(text("090000")), true);
    }
}

/// The MTI that 1987 has for this.
fn mti_of(kind: Kind, flow: Flow) -> String {
    let class = match kind {
        Kind::Transaction(TransactionType::PreAuthorization) => 1,
        Kind::Transaction(_) => 2,
        Kind::BatchUpload => 3,
        Kind::Reversal(_) => 4,
        Kind::Reconciliation => 5,
        Kind::NetworkManagement(_) => 8,
    };
    let flow = match flow {
        Flow::Request => 0,
        Flow::Response => 1,
        Flow::Advice => 2,
        Flow::AdviceResponse => 3,
        Flow::Notification => 4,
        Flow::NotificationResponse => 5,
    };
    format!("0{class}{flow}0")
}

/// Writes a message line.
pub(crate) fn show(msg: &Canonical) -> String {
    let mut s = mti_of(msg.kind, msg.flow);
    s.replace_range(3.., if msg.repeat { "1" } else { "0" });
    let class = s.as_bytes().get(1).map_or(0, |digit| digit - b'0');
    let name = |table: &[(&str, TransactionType)], kind| {
        table.iter().find(|(_, t)| *t == kind).map_or("?", |(n, _)| *n).to_owned()
    };
    match msg.kind {
        Kind::NetworkManagement(function) => {
            let word = NETWORK.iter().find(|(_, f)| *f == function).map_or("?", |(w, _)| *w);
            let _ = write!(s, " fn={word}");
        }
        Kind::Transaction(TransactionType::Purchase | TransactionType::PreAuthorization)
        | Kind::Reversal(TransactionType::Purchase)
        | Kind::Reconciliation
        | Kind::BatchUpload => {}
        Kind::Transaction(kind) | Kind::Reversal(kind) => {
            let _ = write!(s, " type={}", name(&TYPES, kind));
        }
    }
    let mut put = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = write!(s, " {key}={value}");
        }
    };
    put("stan", msg.stan.map(|n| n.to_string()));
    put("amt", msg.amount.map(|a| a.minor.to_string()));
    let left = msg.replacement_amount.filter(|_| !msg.flow.is_answer());
    put("new", left.map(|a| a.minor.to_string()));
    put("f54", msg.money.get(54).map(|money| String::from_utf8_lossy(money).into_owned()));
    put("rc", msg.answer.map(code));
    put("auth", msg.auth_id.map(|a| a.to_string()));
    put("f15", msg.settlement_date.filter(|_| class == 5).map(|d| d.to_string()));
    put("batch", msg.batch.map(|b| b.to_string()));
    put("orig", msg.original.as_ref().and_then(|o| o.stan).map(|n| n.to_string()));
    put("of13", msg.original.as_ref().and_then(|o| o.date).map(|date| date.to_string()));
    put("year", msg.local_year.map(|year| year.to_string()));
    put("rrn", msg.rrn.map(|rrn| rrn.to_string()));
    let kept = msg.kept.get(62).filter(|_| !msg.flow.is_answer());
    put("f62", kept.map(|data| String::from_utf8_lossy(data).into_owned()));
    let advice = msg.original.as_ref().and_then(|o| o.sent).filter(|s| s.flow == Flow::Advice);
    put("of", advice.map(|sent| mti_of(sent.kind, sent.flow)));
    put("reason", msg.reason.map(|r| format!("{r:?}")));
    let identified = msg.terminal.filter(|t| t.as_str() != "TERM1");
    put("term", identified.map(|t| t.to_string()));
    if let Some(stated) = &msg.reconciliation {
        s.push_str(&totals::show(stated));
    }
    s
}

/// The code a dialect would spell, with our own reason in words.
fn code(answer: Answer) -> String {
    match answer {
        Answer::Given { code, .. } => code.to_string(),
        Answer::Own(reason) => {
            let code = match reason {
                Reason::Accepted => return "00".to_owned(),
                Reason::FormatError => "30",
                Reason::InvalidTransaction => "12",
                Reason::UnknownMerchant => "03",
                Reason::UnknownTerminal => "97",
                Reason::NoRoute => "15",
                Reason::PinNotSupported => "40",
                Reason::BankDown => "91",
                Reason::Timeout | Reason::AnswerTooLate => "68",
                Reason::Duplicate => "94",
                Reason::OriginalNotFound => "25",
                Reason::ExceedsOriginal => "61",
                Reason::AmountDiffers => "64",
                Reason::Reversed => "05",
                Reason::SystemError | Reason::InvalidAnswer => "96",
                Reason::MacFailed => "A0",
                Reason::Undeliverable | Reason::CustomerCancel => "06",
            };
            format!("{code}({reason:?})")
        }
    }
}

/// The business date it counts on, where the bank stated one.
fn on(date: Option<pointsman::text::Text<4>>) -> String {
    date.map(|date| format!(" f15={date}")).unwrap_or_default()
}

/// Why an operator has to look, or why the original is not clear.
fn because(cause: Option<Cause>) -> String {
    cause.map(|cause| format!(" {cause:?}")).unwrap_or_default()
}

/// Records worth a line: outcomes and obligations, not what a message line says already.
pub(crate) fn show_record(no: RecordNo, record: &Record) -> Option<String> {
    Some(match record {
        Record::Intent(i) => format!("journal {no} intent {} {}", i.bank, i.keys.stan),
        Record::Outcome(o) => {
            format!("journal {no} outcome {} {:?}{}", o.txn, o.leg, on(o.settlement_date))
        }
        Record::Queued(q) => {
            let of = q.txn.map_or("unknown".to_owned(), |t| t.to_string());
            format!("journal {no} owed {:?} {of} {:?}", q.owed, q.reason)
        }
        Record::Closed(c) => {
            let (why, date) = (because(c.cause), on(c.settlement_date));
            format!("journal {no} closed {} {:?}{why}{date}", c.entry, c.ending)
        }
        Record::Late(l) => {
            let of = l.txn.map_or("unknown".to_owned(), |t| t.to_string());
            format!("journal {no} late {of} {:?}", l.leg)
        }
        Record::Desk(d) => format!("journal {no} desk {} {:?}", d.item, d.verb),
        Record::Refused(r) => format!("journal {no} refused {:?}{}", r.reason, because(r.cause)),
        Record::Cutover(c) => format!("journal {no} cutover {} {}", c.bank, c.date),
        Record::Reconciled(r) => {
            let (period, currency) = (period(r.period), r.currency);
            format!("journal {no} totals {} {period} {currency} {:?}", r.bank, r.weighing)
        }
        Record::LineState(l) if l.function == NetworkFunction::SignOff || l.operator.is_some() => {
            let of = l.terminal.map(|terminal| format!("/{terminal}")).unwrap_or_default();
            let by = l.operator.map(|operator| format!(" by {operator}")).unwrap_or_default();
            format!("journal {no} line {}{of} {:?}{by}", l.line, l.function)
        }
        Record::LineState(_) => return None,
        Record::Moved(m) => format!("journal {no} moved {} to {}", m.txn, m.line),
        Record::Forgotten(f) => format!("journal {no} forgotten {f:?}"),
        Record::Answered(_)
        | Record::Released(_)
        | Record::Attempt(_)
        | Record::Policy(_)
        | Record::Garbled(_) => return None,
    })
}

/// A business date, or a batch of a terminal.
pub(crate) fn period(of: Period) -> String {
    match of {
        Period::Date(date) => date.to_string(),
        Period::Batch(of) => format!("{}/{}", of.terminal, of.batch),
    }
}

/// Events that no other line tells.
pub(crate) fn show_event(event: &Event) -> Option<String> {
    Some(match event {
        Event::LateAnswer { .. } => "event late answer".to_owned(),
        Event::DuplicateAnswer { .. } => "event duplicate answer".to_owned(),
        Event::UnmatchedAnswer { .. } => "event unmatched answer".to_owned(),
        Event::Repeat { txn, .. } => format!("event repeat {txn}"),
        Event::DuplicateConflict { .. } => "event duplicate conflict".to_owned(),
        Event::DateIgnored { stated, current, .. } => {
            let stated = stated.map_or("no day".to_owned(), |day| day.to_string());
            format!("event date ignored: {stated}, {current} stays")
        }
        Event::BreakerOpened { bank, line, unanswered, since } => {
            format!("event {bank} answers nothing, {unanswered} over {line} since {since}")
        }
        Event::BreakerClosed { bank, line, unanswered, since } => {
            format!("event {bank} answers again, {unanswered} over {line} since {since}")
        }
        Event::StansExhausted { .. } => "event no STAN is free".to_owned(),
        Event::NotSent { why, .. } => format!("event not sent {why:?}"),
        Event::DeskSwept { decided, refused, next_after, .. } => {
            let more = if next_after.is_some() { ", more" } else { "" };
            format!("event desk swept, {decided} decided, {refused} refused{more}")
        }
        Event::DeskRefused(refusal) => format!("event desk refused, {refusal}"),
        Event::Impossible { what } => format!("event IMPOSSIBLE {what}"),
        Event::UnlistedCode { bank, code, first } => {
            let told = if *first { " for the first time" } else { "" };
            format!("event {bank} answers {code}, which no list has{told}")
        }
        Event::NoPlace { field, .. } => format!("event no place for F{field}"),
        Event::ReloadRefused(why) => format!("event reload refused, {why}"),
        Event::UnclearOriginal { stan, terminal, cause, .. } => {
            let terminal = terminal.unwrap_or_default();
            let why = cause.map_or("it never came".to_owned(), |cause| cause.to_string());
            format!("event unclear original of {stan} {terminal}: {why}")
        }
        Event::DeskFull { items, first, .. } => {
            let told = if *first { " for the first time" } else { "" };
            format!("event desk full, {items} items{told}")
        }
        Event::ClockSkew { processed, .. } => {
            format!("event clock skew, {}", if *processed { "processed" } else { "refused" })
        }
        Event::LineReady { line } => format!("event line {line} ready"),
        Event::LineOff { line } => format!("event line {line} signed off"),
        Event::LineLost { line } => format!("event line {line} lost"),
        Event::Answered { .. }
        | Event::TimedOut { .. }
        | Event::ReversalQueued { .. }
        | Event::ReversalClosed { .. }
        | Event::Garbled { .. }
        | Event::Network { .. }
        | Event::KeysRefused { .. }
        | Event::OnDesk { .. }
        | Event::DeskDecided { .. }
        | Event::PinDeclined { .. }
        | Event::DeclineKept { .. }
        | Event::Reconciled { .. } => return None,
    })
}
