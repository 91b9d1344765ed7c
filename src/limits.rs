//! Every bound of the house, each with its reason. A number that limits memory or time and is
//! not configuration stands here and nowhere else.

use std::time::Duration;

/// The largest frame any framing accepts, in bytes: 9999 is what four decimal digits can say,
/// and no dialect in the field goes beyond (domain.md section 3).
pub const FRAME_MAX: usize = 9_999;

/// Data elements of a message: three bitmaps of 64.
pub const DE_MAX: u8 = 192;

/// A STAN has six digits and 000000 is not used (domain.md section 6).
pub const STAN_MAX: u32 = 999_999;

/// Requests that leave the duplicate window in one step: a third of a millisecond.
pub const FORGOTTEN_AT_ONCE: usize = 4_096;

/// Requests for which the duplicate window has room from the start, where it may hold as many:
/// 12 MiB of index that need not be made anew while traffic runs.
pub const REMEMBERED_AT_ONCE: usize = 1_000_000;

/// Inputs the driver takes in one turn before it hands out a batch: enough to fill a group
/// commit, few enough that a turn stays under a millisecond.
pub const TURN_INPUTS: usize = 1_024;

/// Questions to the journal that may be open at once: each is a request or reversal of a
/// platform about what is long past, and holds that message in memory.
pub const RECALLS_MAX: usize = 4_096;

/// Approvals that fit nothing and wait for an operator, of one bank: a stranger's traffic on a line
/// would fill the desk. The inbox and the metric have the rest.
pub const STRAY_APPROVALS_MAX: u32 = 1_000;

/// The largest description of messages that is imported, in bytes: packagers and specifications
/// in the field have 10 to 200 kB, and reading one takes some ten times its size.
pub const IMPORT_BYTES_MAX: usize = 4 << 20;

/// The largest packet capture that the command line reads, in bytes: an hour of a thousand
/// payments a second is more, and is cut up by whoever captured it.
pub const CAPTURE_BYTES_MAX: usize = 256 << 20;

/// The most of messages that the command line reads otherwise, as hex, bytes or JSON: a line of
/// hex takes up to thirty times its size.
pub const MESSAGES_BYTES_MAX: usize = 16 << 20;

/// Decisions in banks' places that are remembered to limit them per card: 6 MB. A full memory
/// allows no more of them until the oldest are a day old.
pub const STOOD_IN_MAX: usize = 65_536;

/// The longest window of those limits, in seconds: a day. Older decisions are forgotten.
pub const STAND_IN_WINDOW_MAX_S: u64 = 86_400;

/// Bytes of log lines that may wait for the log to take them: 30,000 lines, which is minutes of
/// an ordinary night. What does not fit is lost and counted.
pub const LOG_QUEUE_BYTES: usize = 4 << 20;

/// How long the end of the process waits for the log to take what still waits, and the start for
/// standard output.
pub const LOG_END_LIMIT: Duration = Duration::from_secs(1);

/// Time within which lines of one kind are told as one line and a number.
pub const LOG_ALIKE: Duration = Duration::from_secs(1);

/// Reasons of one kind of line that are told apart within that time: a reason may quote what a peer
/// sent, and a peer can send anything.
pub const LOG_REASONS_MAX: usize = 4;

/// Kinds of lines that are counted at once, 300 bytes each: some kinds for each of a thousand
/// lines, platforms and banks. Beyond it what is new is counted and not told.
pub const LOG_KINDS_MAX: usize = 8_192;

/// Connections to the admin listener at once: some probes, some people and their scripts. Each
/// costs a descriptor and 24 kB.
pub const ADMIN_CONNECTIONS_MAX: usize = 64;

/// How long a connection to the admin listener may take to say what it wants.
pub const ADMIN_HEAD_LIMIT: Duration = Duration::from_secs(5);

/// How long it may last, answer included: longer than the switch takes to say that it does not
/// answer.
pub const ADMIN_LIMIT: Duration = Duration::from_secs(30);

/// The largest head of a request to the admin listener, in bytes.
pub const ADMIN_HEAD_MAX: usize = 16 << 10;

/// Requests to the admin listener per second, and as many at once after a pause: what probes,
/// scrapers and a whole desk of people ask is a tenth of it.
pub const ADMIN_REQUESTS_PER_S: u32 = 200;

/// Questions per second that are put to the thread of payments: each takes it a tenth of a
/// millisecond.
pub const QUESTIONS_PER_S: u32 = 200;

/// Questions that may be put to it at once after a pause.
pub const QUESTIONS_AT_ONCE: u32 = 16;

/// Items of the desk that one question looks at; a page takes as many questions as it needs.
pub const DESK_LOOKS: usize = 64;
