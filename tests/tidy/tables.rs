//! What is allowed where: the tables the rules read. Changing the design means changing a line
//! here, with its reason, and saying so in `docs/ARCHITECTURE.md`.

/// The floors, from the ground up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Floor {
    Words,
    Wire,
    Switch,
    Io,
    Shell,
}

/// One room of `src/`.
pub(crate) struct Room {
    pub(crate) name: &'static str,
    pub(crate) floor: Floor,
    /// Rooms of its own floor that it may use; lower floors are always open to it.
    pub(crate) beside: &'static [&'static str],
    /// Outside crates it may use, spaces between; `*` above the pure floors.
    pub(crate) crates: &'static str,
}

impl Room {
    /// Whether it must be free of IO, clocks, randomness, threads and async.
    pub(crate) fn is_pure(&self) -> bool {
        self.floor < Floor::Io
    }
}

const fn room(
    name: &'static str,
    floor: Floor,
    beside: &'static [&'static str],
    crates: &'static str,
) -> Room {
    Room { name, floor, beside, crates }
}

/// The import table (design: floors). Words import nothing of ours.
pub(crate) const ROOMS: &[Room] = &[
    room("hex", Floor::Words, &[], "thiserror"),
    room("limits", Floor::Words, &[], ""),
    // Totals are amounts: they name their currency.
    room("meaning", Floor::Words, &["money", "text"], ""),
    room("money", Floor::Words, &[], "rust_decimal serde thiserror"),
    room("sensitive", Floor::Words, &[], "subtle thiserror zeroize"),
    room("text", Floor::Words, &[], "serde thiserror"),
    // Banks name days by four digits.
    room("time", Floor::Words, &["text"], "jiff serde thiserror"),
    room("imports", Floor::Wire, &["iso8583"], IMPORT_CRATES),
    room("iso8583", Floor::Wire, &["crypto", "framing"], DIALECT_CRATES),
    room("framing", Floor::Wire, &[], "bytes nom serde thiserror"),
    room("capture", Floor::Wire, &[], "thiserror"),
    room("crypto", Floor::Wire, &[], CRYPTO_CRATES),
    room("canonical", Floor::Wire, &["crypto", "iso8583"], DIALECT_CRATES),
    room("switch", Floor::Switch, &[], SWITCH_CRATES),
    room("config", Floor::Switch, &["switch"], CONFIG_CRATES),
    room("journal", Floor::Io, &[], "*"),
    room("link", Floor::Io, &[], "*"),
    room("telemetry", Floor::Io, &[], "*"),
    room("admin", Floor::Shell, &[], "*"),
    room("server", Floor::Shell, &["admin"], "*"),
    room("cli", Floor::Shell, &["admin", "server"], "*"),
];

const DIALECT_CRATES: &str =
    "bytes jiff nom rust_decimal serde serde_json serde_path_to_error thiserror toml zeroize";
// roxmltree reads packagers: pure, no dependencies, lines in its errors, MIT or Apache.
const IMPORT_CRATES: &str = "roxmltree serde serde_json toml";
const CRYPTO_CRATES: &str =
    "aes cbc_mac cmac des hmac retail_mac serde sha2 sm4 subtle thiserror zeroize";
const SWITCH_CRATES: &str = "bytes hmac jiff serde serde_json sha2 slab subtle thiserror zeroize";
const CONFIG_CRATES: &str = "jiff serde serde_path_to_error sha2 thiserror toml zeroize";

/// Paths of the standard library that a pure room may not name, with the way out.
pub(crate) const IMPURE: &[(&str, &str)] = &[
    ("std::env", "take the value as an argument"),
    ("std::fs", "take the text or bytes as an argument; files are read in the shell"),
    ("std::io", "return a value; bytes are moved by link, journal and cli"),
    ("std::net::Tcp", "sockets live in link"),
    ("std::net::Udp", "sockets live in link"),
    ("std::os", "the operating system lives above the IO floor"),
    ("std::process", "return an error; cli turns it into an exit code"),
    ("std::sync::Barrier", "the core has one owner: nothing to wait for"),
    ("std::sync::Condvar", "the core has one owner: nothing to wait for"),
    ("std::sync::Mutex", "the core has one owner: no lock"),
    ("std::sync::RwLock", "the core has one owner: no lock"),
    ("std::sync::mpsc", "the core has one owner: no channel"),
    ("std::thread", "server spawns"),
    ("std::time::Instant", "use crate::time::Instant as fed by the shell"),
    ("std::time::SystemTime", "use crate::time::Wall as fed by the shell"),
    ("std::time::UNIX_EPOCH", "use crate::time::Wall as fed by the shell"),
];

/// Words, and macros (`!`), that a pure room may not write, with the way out.
pub(crate) const IMPURE_WORDS: &[(&str, &str)] = &[
    ("HashMap", "its order differs from run to run: use BTreeMap, a sorted Vec or slab"),
    ("HashSet", "its order differs from run to run: use BTreeSet or a sorted Vec"),
    ("async", "pure rooms are called, they never wait"),
    ("await", "pure rooms are called, they never wait"),
    ("eprint!", "return a value; cli prints"),
    ("eprintln!", "return a value; cli prints"),
    ("print!", "return a value; cli prints"),
    ("println!", "return a value; cli prints"),
    ("thread_local!", "state belongs to its one owner"),
];

/// Where simulators may use every room of the switch; elsewhere words and wire only.
pub(crate) const WORLD: &[&str] = &[
    "simulators/src/bin/demo.rs",
    "simulators/src/bin/demo/",
    "simulators/src/bin/sim.rs",
    "simulators/src/bin/sim/",
    "simulators/src/world.rs",
    "simulators/src/world/",
];

/// One file that may break one rule, and why. An entry that nothing needs is a finding.
pub(crate) struct Exception {
    pub(crate) rule: &'static str,
    pub(crate) path: &'static str,
    pub(crate) reason: &'static str,
}

/// Who may open a secret (`expose`), and the few other exceptions.
pub(crate) const EXCEPTIONS: &[Exception] = &[
    Exception {
        rule: "expose",
        path: "src/switch/record_bytes.rs",
        reason: "card numbers stand in the journal, which encrypts every record",
    },
    Exception {
        rule: "expose",
        path: "src/switch/duplicates.rs",
        reason: "fingerprints of requests and of cards are made of the card number",
    },
    Exception {
        rule: "expose",
        path: "src/switch/anchors.rs",
        reason: "a request is found again by its card, as a fingerprint",
    },
    Exception {
        rule: "expose",
        path: "src/crypto/pin.rs",
        reason: "PIN blocks are bound to the card number's digits and enciphered as bytes",
    },
    Exception {
        rule: "expose",
        path: "src/canonical/say.rs",
        reason: "a message for a peer carries the clear values of F2, F35 and F52",
    },
    Exception {
        rule: "expose",
        path: "src/canonical/passed_on.rs",
        reason: "what is kept of an answer is searched for the card number and kept without it",
    },
];

/// Names that say nothing about what a thing is for.
pub(crate) const EMPTY_NAMES: &[&str] =
    &["common", "helper", "helpers", "manager", "managers", "processor", "util", "utils"];

/// What the top level may hold; the first eight are the customer's.
pub(crate) const TOP: &[&str] = &[
    "Cargo.toml",
    "src/",
    "specs/",
    "simulators/",
    "benches/",
    "tests/",
    "README.md",
    "Cargo.lock",
    ".ci/",
    ".gitignore",
    "CHANGELOG.md",
    "LICENSE",
    "clippy.toml",
    "deny.toml",
    "docs/",
    "fuzz/",
    "rustfmt.toml",
];

/// Beginnings of addresses that may be written down: licences, specifications, set-up, loopback.
pub(crate) const ADDRESSES: &[&str] = &[
    "http://127.0.0.1",
    "http://[::1]",
    "http://localhost",
    "http://www.apache.org/licenses/",
    "http://www.w3.org/",
    "https://keepachangelog.com/",
    "https://semver.org/",
    "https://sh.rustup.rs",
    "https://www.iso.org/",
    "https://www.rfc-editor.org/",
    "http://{",
];

/// Folders that exist on somebody's machine only.
pub(crate) const MACHINE_FOLDERS: &[&str] = &["Users", "home", "root", "work"];

/// Where every locked dependency must come from.
pub(crate) const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Crates that must not be locked, with the reason (the full list is in `deny.toml`).
pub(crate) const BANNED_CRATES: &[(&str, &str)] = &[
    ("aws-lc-rs", "one TLS provider, ring: rustls panics when it finds two"),
    ("aws-lc-sys", "one TLS provider, ring: rustls panics when it finds two"),
    ("native-tls", "one TLS stack, rustls"),
    ("openssl-sys", "one TLS stack, rustls"),
];

/// Card numbers that payment companies publish for tests, and numbers that only look like cards.
pub(crate) const TEST_CARDS: &[(&str, &str)] = &[
    (
        "Visa",
        "4000056655665556 4005519200000004 4009348888881881 4012000033330026 4012000077777777 \
         4012888888881881 4111111111111111 4217651111111119 4222222222222 4242424242424242 \
         4500600000000061",
    ),
    (
        "Mastercard, Maestro",
        "2222420000001113 2222630000001125 2223000048400011 2223003122003222 5105105105105100 \
         5200828282828210 5454545454545454 5555555555554444 6304000000000000",
    ),
    ("American Express", "371449635398431 378282246310005 378734493671000"),
    (
        "JCB, Diners, Discover",
        "3530111333300000 3566002020360505 3566111111111113 30569309025904 36259600000004 \
         38520000023237 6011000990139424 6011000991300009 6011111111111117",
    ),
    (
        "UnionPay",
        "6200000000000005 6200000000000047 6205500000000000004 6212345678900028 \
         6212345678900036 6212345678900085 6212345678900093 6212345678901232 \
         6212345678901265 62123456789002 621234567890003 62123456789000003 \
         621234567890000002 6212345678900000003 6221261111117766 \
         6223164991230014 6243030000000001 6250940500000006 6250946000000016 \
         6250947000000014",
    ),
    ("ANSI X9.24-1, the DUKPT example", "4012345678909"),
    ("not a card: the usual F53 of UnionPay POS, PIN format 2 and 3DES", "2600000000000000"),
];
