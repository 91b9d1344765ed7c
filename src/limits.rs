//! Every bound of the house, each with its reason and with what happens at it. A number that limits
//! memory, descriptors or time and is not configuration stands here and nowhere else;
//! `docs/limits.md` is made of this file and of the configuration's keys.

use std::time::Duration;

// -- Messages --

/// The largest frame any framing accepts, in bytes: 9999 is what four decimal digits can say,
/// and no dialect in the field goes beyond (domain.md section 3).
///
/// At the bound: the frame is refused from its length alone and the connection is closed:
/// `frame_too_large`.
pub const FRAME_MAX: usize = 9_999;

/// Data elements of a message: three bitmaps of 64.
///
/// At the bound: an element beyond cannot be said in a bitmap; a dialect that names one is refused.
pub const DE_MAX: u8 = 192;

/// A STAN has six digits and 000000 is not used (domain.md section 6).
///
/// At the bound: counting begins at 1 again; a number still in flight is passed over.
pub const STAN_MAX: u32 = 999_999;

// -- Descriptors --

/// Files of the journal that are kept open: the segment being written, its spares, and those that
/// readers look at.
///
/// At the bound: the one not used for longest is closed, never the one being written, nor a spare.
pub const JOURNAL_FILES_MAX: usize = 24;

/// Descriptors that are the journal's: those files, its folder, a checkpoint and an index being
/// written, an archive's copy. Nobody else's bound reaches them.
///
/// At the bound: a spare or checkpoint is tried again, the segment being written has its descriptor
/// already.
pub const JOURNAL_DESCRIPTORS: u64 = JOURNAL_FILES_MAX as u64 + 16;

/// Descriptors of the process itself: its standard streams, the pollers and wakers of two runtimes,
/// signals, certificates that are read again.
///
/// At the bound: certificates are not renewed, and a line says so.
pub const PROCESS_DESCRIPTORS: u64 = 32;

/// Connections to the admin listener at once: some probes, some people and their scripts. Each
/// costs a descriptor and 24 kB.
///
/// At the bound: the next one is closed at once and counted.
pub const ADMIN_CONNECTIONS_MAX: usize = 64;

/// Descriptors of one listener besides its sessions': its socket, and a connection that is accepted
/// only to be turned away.
///
/// At the bound: none; one is turned away at a time.
pub const LISTENER_DESCRIPTORS: u64 = 2;

// -- Threads --

/// Threads besides the one of payments. None is started for a peer.
///
/// At the bound: a thread that cannot be had at the start refuses it.
pub const THREADS: [&str; 7] =
    ["journal", "journal-shelf", "journal-checkpoint", "recall", "audit", "admin", "log"];

/// Threads that end by themselves: what was announced, the look at a journal that was opened, an
/// index that is made anew.
///
/// At the bound: one of each.
pub const PASSING_THREADS: [&str; 3] = ["stdout", "journal-inspection", "recall-index"];

// -- Payments --

/// Inputs the driver takes in one turn before it hands out a batch: enough to fill a group
/// commit, few enough that a turn stays under a millisecond.
///
/// At the bound: the rest waits for the next turn.
pub const TURN_INPUTS: usize = 1_024;

/// Records decided and not yet durable: a slow disk slows platforms down instead of filling the
/// memory.
///
/// At the bound: platforms are not read until the journal has caught up.
pub const LAG_MAX: u64 = 64 * TURN_INPUTS as u64;

/// Questions to the journal that may be open at once: each is a request or reversal of a
/// platform about what is long past, and holds that message in memory.
///
/// At the bound: a request is declined with 96, a reversal is not acknowledged and comes again.
pub const RECALLS_MAX: usize = 4_096;

/// Requests that leave the duplicate window in one step: a third of a millisecond.
///
/// At the bound: the rest goes in the next step.
pub const FORGOTTEN_AT_ONCE: usize = 4_096;

/// Requests for which the duplicate window has room from the start, where it may hold as many:
/// 12 MiB of index that need not be made anew while traffic runs.
///
/// At the bound: the index is made anew, twice as large.
pub const REMEMBERED_AT_ONCE: usize = 1_000_000;

/// Records that may be on their way to the disk when the journal is asked.
///
/// At the bound: none; what is older is asked of the journal alone.
pub const UNWRITTEN_MAX: u64 = 4_096;

/// Followers (refunds, completions, reversals) that are kept beside the journal: those of a second
/// of a busy switch.
///
/// At the bound: the oldest is dropped: the journal is asked for it.
pub const NEWEST_FOLLOWERS_MAX: usize = 4_096;

/// Unsettled business dates kept of one bank: more than a year.
///
/// At the bound: the oldest is let go and an item of the desk; the journal has its records.
pub const DATES_MAX: usize = 400;

/// Periods kept of all banks by currency: some 25 MB. A batch a day of ten thousand terminals
/// that nobody settles for ten days.
///
/// At the bound: settled ones go, then the one that has stood unsettled the longest.
pub const PERIODS_MAX: usize = 100_000;

/// Approvals that fit nothing and wait for an operator, of one bank: a stranger's traffic on a line
/// would fill the desk. The inbox and the metric have the rest.
///
/// At the bound: further ones are counted and in the inbox of late answers, not on the desk.
pub const STRAY_APPROVALS_MAX: u32 = 1_000;

/// Late answers that the page of late answers holds.
///
/// At the bound: the oldest is dropped from the page; the journal has them all.
pub const LATE_ANSWERS_MAX: usize = 256;

/// Unlisted codes of a bank that are remembered as seen: a bank that invents them does not fill the
/// log.
///
/// At the bound: further ones are treated alike and not told one by one.
pub const UNLISTED_CODES_MAX: usize = 256;

/// Decisions in banks' places that are remembered to limit them per card: 6 MB. A full memory
/// allows no more of them until the oldest are a day old.
///
/// At the bound: nobody is stood in for until the oldest is a day old.
pub const STOOD_IN_MAX: usize = 65_536;

/// The longest window of those limits, in seconds: a day. Older decisions are forgotten.
///
/// At the bound: a longer window is refused by `check`.
pub const STAND_IN_WINDOW_MAX_S: u64 = 86_400;

/// Extracts of records that wait for the auditor: a third of a second of the fastest traffic, 5 MB,
/// for a thread that was woken long before.
///
/// At the bound: they are let go, counted and warned of, and the auditor begins again behind them.
pub const AUDIT_BACKLOG_MAX: usize = 1 << 16;

/// Keys held while the index of old records is brought up, 24 bytes each.
///
/// At the bound: the index is brought up once more instead.
pub const HELD_KEYS_MAX: usize = 1 << 20;

// -- Peers that talk nonsense --

/// Messages of no use that a session may bring per second, for as long as it likes: more than an
/// honest peer with a fault brings, and little enough that all of it may stand in log and journal.
///
/// At the bound: what is more uses up what may come at once.
pub const NONSENSE_PER_S: u32 = 20;

/// As many of them at once after a pause: what a fault leaves when traffic starts again.
///
/// At the bound: the session is left unread for a while, then closed: `garbled_messages`.
pub const NONSENSE_AT_ONCE: u32 = 200;

/// Parts of such a message that cost what one message of use earns: who says something wrong once
/// in so many messages is never slowed, however busy.
///
/// At the bound: none; the budget is never more than whole.
pub const NONSENSE_PARTS: u32 = 20;

/// The same for all sessions of one address together: some honest peers behind one address.
///
/// At the bound: what is more uses up what may come at once.
pub const ADDRESS_NONSENSE_PER_S: u32 = 100;

/// As many at once of all of them.
///
/// At the bound: those of its sessions that bring nonsense are left unread, then closed.
pub const ADDRESS_NONSENSE_AT_ONCE: u32 = 1_000;

/// What a connection without one message that can be understood costs its address, in messages of
/// no use: probes that look every second are welcome.
///
/// At the bound: an address that goes on is not let in for a while: `sent_away`.
pub const FRUITLESS_COST: u32 = 10;

/// The longest time for which a session is left unread at once. It is read again then, and left
/// alone again if it goes on.
///
/// At the bound: it is read again, a little.
pub const UNREAD_MAX: Duration = Duration::from_secs(2);

/// For how long a peer may go on beyond its budget before its session is closed.
///
/// At the bound: the session is closed and its address not let in for a while.
pub const NONSENSE_PATIENCE: Duration = Duration::from_secs(5);

/// The same where what it says may be about money: nearly 30,000 of them are taken in meanwhile,
/// which is more than an outage leaves.
///
/// At the bound: the same.
pub const MONEY_PATIENCE: Duration = Duration::from_secs(60);

/// Messages that a session may bring at once which has brought some nonsense: it is judged before
/// more is read.
///
/// At the bound: the rest waits in its buffer for the next turn.
pub const WARY_FRAMES: usize = 32;

/// For how long an address is not let in, the first time.
///
/// At the bound: it is let in again.
pub const AWAY_FIRST: Duration = Duration::from_secs(1);

/// For how long at most: each time is twice the last. Others may stand behind the same address.
///
/// At the bound: it is let in again.
pub const AWAY_MAX: Duration = Duration::from_secs(60);

/// Time without a fault after which the first time is the first again.
///
/// At the bound: its faults are forgotten.
pub const FORGIVEN_AFTER: Duration = Duration::from_secs(120);

/// Connections per second of one address to one door, and twice its places at once: whoever has
/// places for so many calls them all at once after a restart.
///
/// At the bound: what is more uses up what may come at once.
pub const CONNECTS_PER_S: u32 = 50;

/// At least so many at once, where there are few places.
///
/// At the bound: the connection is closed at once and counted: `too_many_connects`.
pub const CONNECTS_AT_ONCE: u32 = 128;

/// Addresses that a door remembers, 200 bytes each. Beyond it a quarter is forgotten, first those
/// that did nothing wrong.
///
/// At the bound: those that did least are forgotten first.
pub const ADDRESSES_MAX: usize = 4_096;

/// Connections beyond its places that a door holds while they have said nothing, so that who wants
/// a place gets as far as saying so; and as many again that are on their way out.
///
/// At the bound: the one that has waited longest of the address with most is closed: `pushed_out`.
pub const WAITING_SPARE: usize = 16;

/// How long a TLS handshake may take: longer is somebody holding a place.
///
/// At the bound: the connection is closed and counted: `tls`.
pub const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// How long a peer may take no byte of what is written to it: it is not reading any more.
///
/// At the bound: the session is ended; what was not sent is told as not sent.
pub const WRITE_STALL: Duration = Duration::from_secs(10);

/// After so long without a byte the buffers of a session are given back, and wiped with it.
///
/// At the bound: the next message takes new ones.
pub const QUIET: Duration = Duration::from_secs(1);

// -- The log --

/// Bytes of log lines that may wait for the log to take them: 30,000 lines, which is minutes of
/// an ordinary night. What does not fit is lost and counted.
///
/// At the bound: lines are lost, counted (`pointsman_log_lost_total`) and told in their
/// place.
pub const LOG_QUEUE_BYTES: usize = 4 << 20;

/// How long the end of the process waits for the log to take what still waits, and the start for
/// standard output.
///
/// At the bound: what still waits is lost; the process ends.
pub const LOG_END_LIMIT: Duration = Duration::from_secs(1);

/// Time within which lines of one kind are told as one line and a number.
///
/// At the bound: further lines of the kind are counted, and the number is told with the next one.
pub const LOG_ALIKE: Duration = Duration::from_secs(1);

/// Reasons of one kind of line that are told apart within that time: a reason may quote what a peer
/// sent, and a peer can send anything.
///
/// At the bound: further reasons are counted with the kind.
pub const LOG_REASONS_MAX: usize = 4;

/// Kinds of lines that are counted at once, 300 bytes each: some kinds for each of a thousand
/// lines, platforms and banks. Beyond it what is new is counted and not told.
///
/// At the bound: new kinds are counted and not told.
pub const LOG_KINDS_MAX: usize = 8_192;

// -- The admin listener --

/// How long a connection to the admin listener may take to say what it wants.
///
/// At the bound: the connection is closed with 408.
pub const ADMIN_HEAD_LIMIT: Duration = Duration::from_secs(5);

/// How long it may last, answer included: longer than the switch takes to say that it does not
/// answer.
///
/// At the bound: the connection is closed.
pub const ADMIN_LIMIT: Duration = Duration::from_secs(30);

/// The largest head of a request to the admin listener, in bytes.
///
/// At the bound: 431, and the connection is closed.
pub const ADMIN_HEAD_MAX: usize = 16 << 10;

/// The largest body of a request to the admin listener, in bytes: a decision and its reason fit
/// many times.
///
/// At the bound: 413.
pub const ADMIN_BODY_MAX: usize = 4_096;

/// Requests to the admin listener per second, and as many at once after a pause: what probes,
/// scrapers and a whole desk of people ask is a tenth of it.
///
/// At the bound: a request waits for its turn, and is told 429 where that takes too long.
pub const ADMIN_REQUESTS_PER_S: u32 = 200;

/// Questions per second that are put to the thread of payments: each takes it a tenth of a
/// millisecond.
///
/// At the bound: a question waits for its turn, and is told 429 where that takes too long.
pub const QUESTIONS_PER_S: u32 = 200;

/// Questions that may be put to it at once after a pause.
///
/// At the bound: the next one waits for its turn.
pub const QUESTIONS_AT_ONCE: u32 = 16;

/// Questions that may wait for the thread of payments: people ask them, one at a time.
///
/// At the bound: 503: ask again.
pub const QUESTIONS_WAITING_MAX: usize = 16;

/// How long a turn may be waited for.
///
/// At the bound: 429.
pub const TURN_LIMIT: Duration = Duration::from_secs(2);

/// How long the thread of payments may take to answer a question: beyond it, it is in trouble.
///
/// At the bound: 504; a decision may have been recorded.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Items of the desk that one question looks at; a page takes as many questions as it needs.
///
/// At the bound: the page asks again from where it stopped.
pub const DESK_LOOKS: usize = 64;

/// Items or periods that a page may hold: a thousand are looked up in well under a millisecond.
///
/// At the bound: the page ends, and says how to go on.
pub const PAGE_ITEMS_MAX: usize = 1_000;

// -- The end of the process --

/// How long requests in flight may take to finish when the switch is asked to stop: the longest
/// ordinary bank timeout.
///
/// At the bound: they are sent-unknown; their reversals are owed and go out after the next start.
pub const DRAIN_LIMIT: Duration = Duration::from_secs(30);

/// How long sessions may take to write what they have.
///
/// At the bound: the connection is closed.
pub const END_LIMIT: Duration = Duration::from_secs(2);

/// How long declines may take to leave once the journal has failed.
///
/// At the bound: the process ends with what has left.
pub const FAILED_LIMIT: Duration = Duration::from_millis(250);

// -- The command line --

/// The largest description of messages that is imported, in bytes: packagers and specifications
/// in the field have 10 to 200 kB, and reading one takes some ten times its size.
///
/// At the bound: the command refuses the file and says so.
pub const IMPORT_BYTES_MAX: usize = 4 << 20;

/// The largest packet capture that the command line reads, in bytes: an hour of a thousand
/// payments a second is more, and is cut up by whoever captured it.
///
/// At the bound: the command refuses the file and says so.
pub const CAPTURE_BYTES_MAX: usize = 256 << 20;

/// The most of messages that the command line reads otherwise, as hex, bytes or JSON: a line of
/// hex takes up to thirty times its size.
///
/// At the bound: the command refuses the input and says so.
pub const MESSAGES_BYTES_MAX: usize = 16 << 20;
