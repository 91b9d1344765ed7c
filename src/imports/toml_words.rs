//! Names and texts of an imported file as they may stand in a dialect file.
//!
//! Contract: whatever the file holds, what comes out is one line and, where it is quoted, a TOML
//! string. Deliberately absent: what the words are about.

use std::fmt::Write;

/// What a person reads as one line of a dialect file.
const NAME_MAX: usize = 120;

/// The last step of a path.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or_default()
}

/// One line of printable text.
pub(super) fn clean(text: &str) -> String {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    let one_line = words.into_iter().filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ");
    one_line.chars().take(NAME_MAX.max(400)).collect()
}

/// A part's name is also how paths call it: dots would lead inwards.
pub(super) fn clean_part(text: &str) -> String {
    clean(text).replace('.', "-").chars().take(NAME_MAX).collect()
}

/// A name for the dialect: what a file of it would be called.
pub(super) fn name_of(stem: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = stem.chars().map(kept).collect();
    let name = name.split('-').filter(|w| !w.is_empty()).collect::<Vec<_>>().join("-");
    if name.is_empty() { "imported".to_owned() } else { name.chars().take(NAME_MAX).collect() }
}

pub(super) fn quoted_key(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|c| c.is_ascii_alphanumeric());
    if bare { key.to_owned() } else { quoted(key) }
}

/// A TOML basic string.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
