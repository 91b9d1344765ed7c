//! Every defect of a dialect file that lint promises to find: one bad text each, and where and why
//! it is refused. And that the pages of `docs/dialects` say what the shipped dialects say.
//!
//! Contract: errors are compared from their first character: file, line, key and reason.
//! Deliberately absent: that good files pass – the shipped ones do, in every other test.

use pointsman::iso8583::{Dialect, page, shipped, shipped_names};
use std::path::Path;

/// Lints a text that extends a shipped dialect, whose name it begins with.
fn lint(text: &str) -> Vec<String> {
    let compiled = Dialect::compile("bad.toml", &|name| match name {
        "bad.toml" => Some(text.to_owned()),
        "parent" => Some(PARENT.to_owned()),
        name => shipped(name).map(str::to_owned),
    });
    let errors = compiled.map(|_| ()).err().unwrap_or_default();
    errors.iter().map(ToString::to_string).collect()
}

/// A parent with short forms in and outside `[fields]`.
const PARENT: &str = r#"
extends = "iso8583-1987-ascii"
[fields]
48 = "ans...20"
[canonical]
26 = "merchant-type"
18 = false
"#;

const ASCII: &str = "extends = 'iso8583-1987-ascii'\n";

/// What is wrong, the text behind the `extends` line, and the error.
const CASES: &[(&str, &str, &str)] = &[
    ("a field twice", "[fields]\n4 = 'n12'\n4 = 'n10'\n", "bad.toml:4: TOML: duplicate key"),
    (
        "a field twice by another spelling",
        "[fields]\n04 = 'n12'\n",
        "bad.toml:3: fields.04: expected a data element number of 2 to 192",
    ),
    (
        "a tag twice",
        "[fields.55.inside]\ntags = { '9F02' = 'n12', '9f02' = 'n12' }\n",
        "bad.toml:3: fields.55.inside.tags.9f02: tag 9f02 is defined twice",
    ),
    (
        "a bit twice",
        "[fields]\n62 = { format = 'b...99', inside = { kind = 'bitmapped', bits = 8, parts = { \
         1 = 'n2', 01 = 'n4' } } }\n",
        "bad.toml:3: fields.62.inside.parts.01: bit 1 is defined twice",
    ),
    (
        "two parts of one name",
        "[fields]\n48 = { format = 'n4', inside = { kind = 'positional', parts = [{ name = 'a', \
         format = 'n2' }, { name = 'a', format = 'n2' }] } }\n",
        "bad.toml:3: fields.48.inside.parts.1: two parts are called `a`",
    ),
    (
        "parts beyond the end of their field",
        "[fields]\n48 = { format = 'n4', inside = { kind = 'positional', parts = [{ name = 'a', \
         format = 'n2' }, { name = 'b', format = 'n3' }] } }\n",
        "bad.toml:3: fields.48.inside.parts: they overlap the end: 5 at least, the field has 4",
    ),
    (
        "a gap behind the parts",
        "[fields]\n48 = { format = 'n9', inside = { kind = 'positional', parts = [{ name = 'a', \
         format = 'n2' }, { name = 'b', format = 'n3' }] } }\n",
        "bad.toml:3: fields.48.inside.parts: they leave a gap: 5 at most, the field has 9",
    ),
    (
        "a part behind the rest",
        "[fields]\n48 = { format = 'n4', inside = { kind = 'positional', parts = [{ name = 'a', \
         format = 'n*' }, { name = 'b', format = 'n3' }] } }\n",
        "bad.toml:3: fields.48.inside.parts.1: nothing can follow a part that takes the rest",
    ),
    (
        "canonical parts that leave a gap",
        "[canonical]\n90 = ['original-mti 4', 'original-stan 6']\n",
        "bad.toml:3: canonical.90: the parts make 10 to 10 characters of 42",
    ),
    (
        "one typed field in two places",
        "[canonical]\n26 = 'merchant-type'\n",
        "bad.toml:3: canonical.26: merchant-type has a field already",
    ),
    (
        "a mandatory field that is not defined",
        "[presence.transaction]\nrequest = { must = [3, 47, 192] }\n",
        "bad.toml:3: presence.transaction.request: F192 is not a field of this dialect",
    ),
    (
        "a field of a list that is not defined",
        "only = [3, 191]\n",
        "bad.toml:2: only: no field 191",
    ),
    (
        "a field beyond the bitmaps",
        "[encoding]\nbitmaps = 1\n[fields]\n70 = 'n3'\n",
        "bad.toml:5: fields.70: unreachable: 1 bitmap(s) end at 64",
    ),
    (
        "a length that its prefix cannot say",
        "[fields]\n48 = 'ans..120'\n",
        "bad.toml:3: fields.48.format: the length prefix says at most 99, needed is 120",
    ),
    (
        "a length that its prefix cannot say, itself included",
        "[fields]\n48 = { format = 'ans..98', length_includes_itself = true }\n",
        "bad.toml:3: fields.48.format: the length prefix says at most 99, needed is 100",
    ),
    (
        "a tag longer than its length can say",
        "[fields]\n48 = { format = 'ans...99', inside = { kind = 'tlv', length = { bytes = 1 }, \
         tags = { 01 = 'ans..20' } } }\n",
        "bad.toml:3: fields.48.inside.tags.01: the length of a tag says at most 9, needed is 20",
    ),
    (
        "a header longer than its byte can say",
        "[header]\nformat = 'b*300'\nlength_at = 0\n",
        "bad.toml:4: header.length_at: one byte within a header of up to 300 bytes",
    ),
    (
        "a response code without a class",
        "[reasons]\nbank-down = '89'\n",
        "bad.toml:3: reasons.bank-down: code 89 has no class in [responses]",
    ),
    (
        "an acceptance that is no approval",
        "[reasons]\naccepted = { answer = '00', reversal = '99' }\n",
        "bad.toml:3: reasons.accepted: code 99 accepts, but [responses] does not approve it",
    ),
    (
        "a response code in two classes",
        "[responses]\ndeclined = ['05', '00']\n",
        "bad.toml:2: responses: code 00 is approved and declined",
    ),
    (
        "a response code that its field cannot hold",
        "[responses]\ndeclined = ['005']\n",
        "bad.toml:2: responses: code 005 does not fit F39",
    ),
    (
        "a mandatory field without a source",
        "[presence.purchase]\nrequest = { must = [57] }\n[fields]\n57 = 'ans...9'\n",
        "bad.toml:3: presence.purchase.request: F57 is mandatory, but nothing fills it: map it in \
         [canonical], carry it, give it a default, or set it in [messages]",
    ),
    (
        "a section for a message that there is not",
        "[presence.purchaze]\nrequest = { must = [4] }\n",
        "bad.toml:2: presence.purchaze: no family and no entry of [messages] has this name",
    ),
    (
        "a section that nothing reads",
        "[respones]\napproved = ['00']\n",
        "bad.toml:2: respones: unknown key",
    ),
    ("signing on without its message", "[messages]\nsign-on = false\n", "iso8583-1987-ascii:"),
    (
        "a MAC over fields that there are not",
        "[mac]\nstatement = { algorithm = 'x9.19' }\nfield = 64\nmessages = ['02xx']\nfields = [3, \
         192]\n",
        "bad.toml:6: mac.fields: F192 is not a field of this dialect",
    ),
    (
        "a MAC over itself",
        "[mac]\nstatement = { algorithm = 'x9.19' }\nfield = 64\nmessages = ['02xx']\nfields = [3, \
         64]\n",
        "bad.toml:6: mac.fields: the MAC cannot cover itself",
    ),
    (
        "a MAC wider than its field",
        "[mac]\nstatement = { algorithm = 'aes-cmac', rendering = 'hex', length = 8 }\nfield = 64\n\
         messages = ['02xx']\n",
        "bad.toml:4: mac.field: a MAC of",
    ),
    (
        "a MAC on messages that there are not",
        "[mac]\nstatement = { algorithm = 'x9.19' }\nfield = 64\nmessages = ['02xx', '0640']\n",
        "bad.toml:5: mac.messages: \"0640\" is the MTI of no entry of [messages]",
    ),
    (
        "a field to match without its place",
        "[canonical]\n37 = false\n[match]\nmust_equal = [11, 37]\n",
        "bad.toml:5: match.must_equal: F37 (rrn) stands in no field of this dialect",
    ),
    (
        "a match key, which nobody can choose",
        "[match]\nkey = [11]\n",
        "bad.toml:2: match: unknown field `key`",
    ),
    (
        "what ended a reversal, which the core decides",
        "[reversal]\ncloses = ['approved']\n",
        "bad.toml:2: reversal: unknown field `closes`",
    ),
    (
        "a code of reversals that is none",
        "[reversal]\ncodes = { 12 = 'gone' }\n",
        "bad.toml:3: reversal.codes: \"gone\" is unknown",
    ),
    (
        "a code of reversals that does not fit",
        "[reversal]\nno_action = ['012']\n",
        "bad.toml:2: reversal: code 012 does not fit F39",
    ),
    (
        "a field to match that cannot be compared",
        "[match]\nmust_equal = [2]\n",
        "bad.toml:3: match.must_equal: F2 cannot be compared",
    ),
    (
        "a reversal of fields that there are not",
        "[reversal]\nfields = [3, 39, 192]\n",
        "bad.toml:3: reversal.fields: F192 is not a field of this dialect",
    ),
    (
        "a reversal without an amount",
        "[reversal]\nfields = [3, 39, 90]\n",
        "bad.toml:3: reversal.fields: F4 carries the amount and is missing",
    ),
    (
        "a reversal that nothing would name",
        "[reversal]\noriginal = 'referred'\n",
        "bad.toml:3: reversal.original: \"referred\" means nothing with stan = \"new\"",
    ),
    (
        "a part that has no amount to be a part of",
        "[messages]\nreversal-advice = { partial = { 24 = '401' } }\n",
        "bad.toml:3: messages.reversal-advice.partial: needs a field of [canonical] with",
    ),
    (
        "a secret that would be journaled",
        "[canonical]\nkeep = [55]\n",
        "bad.toml:3: canonical.keep: F55 is secret and is never journaled",
    ),
    (
        "a date that has no field",
        "[follow_up]\ndate = 'bank'\n",
        "bad.toml:3: follow_up.date: original-date stands in no field of this dialect",
    ),
    (
        "a currency in a field that there is not",
        "[fields]\n4 = { currency = 105 }\n105 = false\n",
        "bad.toml:3: fields.4.currency: no field 105",
    ),
    ("a shown field that there is not", "show = [3, 191]\n", "bad.toml:2: show: no field 191"),
    (
        "two entries that one message could be",
        "[messages]\nodd = { mti = '0200', kind = 'top-up', 25 = '01', write = false }\n",
        "bad.toml:3: messages.odd: a message could be this and messages.purchase",
    ),
];

#[test]
fn every_promised_defect_is_named_with_file_line_key_and_reason() {
    let mut missed = Vec::new();
    for (what, text, expected) in CASES {
        let told = lint(&format!("{ASCII}{text}"));
        if !told.iter().any(|e| e.starts_with(expected)) {
            missed.push(format!("{what}: expected {expected}\n  told {told:#?}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn all_defects_of_a_file_are_told_at_once() {
    let texts =
        ["[fields]\n48 = 'ans..120'\n", "[reasons]\nbank-down = '89'\n", "[match]\nkey = [41]\n"];
    let told = lint(&format!("{ASCII}{}", texts.concat()));
    assert_eq!(told.len(), 3, "{told:#?}");
}

#[test]
fn one_mti_has_sixty_four_entries_at_most() {
    let echoes = |count: u32| {
        let echo =
            |n| format!("e{n} = {{ mti = '0840', kind = 'echo', 70 = '{n}', write = false }}\n");
        let entries: String = (400..400 + count).map(echo).collect();
        lint(&format!("{ASCII}[messages]\n{entries}"))
    };
    assert_eq!(echoes(64), Vec::<String>::new());
    let told = echoes(65);
    let expected = "bad.toml:2: messages: MTI 0840 has more than 64 entries";
    assert!(told.len() == 1 && told.iter().all(|e| e.starts_with(expected)), "{told:#?}");
}

#[test]
fn sections_without_messages_are_unreachable() {
    let told = lint("[fields]\n3 = 'n6'\n39 = 'an2'\n[match]\nkey = [11]\n");
    let expected = "bad.toml: messages: missing: without it nothing reaches";
    assert!(told.iter().any(|e| e.starts_with(expected)), "{told:#?}");
}

#[test]
fn a_short_form_is_a_format_in_fields_only() {
    // `48 = "ans...20"` of the parent is a format under the child's table; `26 = "merchant-type"`
    // is none, and the table takes its place.
    let told = lint(
        "extends = 'parent'\n[fields]\n48 = { name = 'more' }\n[canonical]\n26 = { a = 'b' }\n",
    );
    let expected = "bad.toml:5: canonical.26: expected a word, a list of parts";
    assert!(told.len() == 1 && told.iter().all(|e| e.starts_with(expected)), "{told:#?}");
}

#[test]
fn the_pages_say_what_the_dialects_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/dialects");
    let mut stale = Vec::new();
    for name in shipped_names() {
        let compiled = Dialect::compile(name, &|name| shipped(name).map(str::to_owned));
        let page = compiled.map(|dialect| page(&dialect)).unwrap_or_default();
        if std::env::var_os("UPDATE_PAGES").is_some() && !page.is_empty() {
            let _ = std::fs::write(folder.join(format!("{name}.md")), &page);
        }
        let written = std::fs::read_to_string(folder.join(format!("{name}.md")));
        if page.is_empty() || written.ok().as_ref() != Some(&page) {
            stale.push(format!("cargo run -- dialect doc {name} > docs/dialects/{name}.md"));
        }
    }
    assert!(stale.is_empty(), "stale pages; make them anew with\n{}", stale.join("\n"));
    let pages = std::fs::read_dir(&folder).map_or(0, Iterator::count);
    assert_eq!(pages, shipped_names().count(), "a page of a dialect that is not shipped");
}
