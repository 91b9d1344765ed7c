//! What both importers do with a draft once all fields are there.
//!
//! Contract: [`settle`] narrows the class of data elements whose content the standard fixes
//! (digits of a card number, characters of a track), which changes nothing on the wire, and
//! [`finish`] turns the draft into a dialect that compiles, leaving out – with a remark – what
//! does not. Deliberately absent: anything about one kind of file.

use super::draft::{Draft, Entry, Left, Length};
use super::{At, Imported, Remark, Stop, rules_fit, toml_text};
use crate::iso8583::{Class, Dialect, DialectError, Encoding, shipped};

/// Data elements left out because the compiler refuses them come in one round; what stands on
/// them in a second.
const ROUNDS: usize = 3;

/// How a remark ends about text that is read as digits because zeros fill it up.
pub(super) const AS_DIGITS: &str = "and so is read as digits";

/// Compiles a dialect text made here.
pub(super) fn compile(text: &str) -> Result<Dialect, Vec<DialectError>> {
    Dialect::compile("imported", &|name| match name {
        "imported" => Some(text.to_owned()),
        _ => shipped(name).map(str::to_owned),
    })
}

/// The shipped dialect whose data elements are nearest: by the response code and the local time.
pub(super) fn base_of(draft: &Draft) -> &'static str {
    let max = |number| draft.piece(number).map_or(0, |p| p.max);
    match (max(39), max(12)) {
        (4, _) | (_, 14) => "iso8583-2003-binary",
        (3, _) | (_, 12) => "iso8583-1993-ascii",
        _ => "iso8583-1987-ascii",
    }
}

/// Narrows classes to the standard's where the bytes are the same.
pub(super) fn settle(draft: &mut Draft, base: &Dialect) {
    for entry in &mut draft.fields {
        let Ok(piece) = &mut entry.what else { continue };
        let text = matches!(piece.encoding, Encoding::Ascii | Encoding::Cp037 | Encoding::Cp1047);
        let packed = piece.encoding == Encoding::Bcd;
        let Some(standard) = base.field(entry.number).filter(|_| piece.inside.is_none()) else {
            continue;
        };
        let as_long = standard.is_fixed() == (piece.length == Length::Fixed)
            && standard.max_len() == piece.max;
        match (standard.class(), piece.class) {
            // A track has a separator, so it is never digits only.
            (Class::Z, Class::N) if text || packed => piece.class = Class::Z,
            (Class::Z, Class::Ans) if text => piece.class = Class::Z,
            (Class::N, Class::Ans) if text && as_long => piece.class = Class::N,
            (Class::Xn, Class::Ans) if text && standard.max_len() == piece.max => {
                piece.class = Class::Xn;
                piece.max -= 1;
            }
            // Digits filled up with zeros are nothing to look at where the standard has digits.
            (Class::N, Class::N) if as_long => entry.notes.retain(|n| !n.ends_with(AS_DIGITS)),
            _ => {}
        }
    }
}

/// Makes the dialect's text, and sees to it that it compiles.
pub(super) fn finish(mut draft: Draft) -> Result<Imported, Remark> {
    let stop = |reason: String| Stop::new(At::file(None), reason).remark(&draft.file);
    let base_name = base_of(&draft);
    let base = Dialect::compile(base_name, &|name| shipped(name).map(str::to_owned));
    let base = base.map_err(|errors| stop(said(&errors)))?;
    settle(&mut draft, &base);
    for _ in 0..ROUNDS {
        let text = toml_text::structure(&draft, &base);
        match compile(&text) {
            Ok(_) => return Ok(with_rules(&draft, &base, text)),
            Err(errors) if leave_out(&mut draft.fields, &errors) => {}
            Err(errors) => return Err(stop_at(&draft, &errors)),
        }
    }
    let errors = compile(&toml_text::structure(&draft, &base)).err().unwrap_or_default();
    Err(stop_at(&draft, &errors))
}

fn stop_at(draft: &Draft, errors: &[DialectError]) -> Remark {
    let reason = format!("makes no dialect: {}", said(errors));
    Stop::new(At::file(None), reason).remark(&draft.file)
}

fn said(errors: &[DialectError]) -> String {
    let said = |e: &DialectError| format!("{}: {}", e.key, e.reason);
    errors.iter().map(said).collect::<Vec<_>>().join("; ")
}

/// Takes away the data elements that the compiler refuses; whether there was one.
fn leave_out(fields: &mut [Entry], errors: &[DialectError]) -> bool {
    let mut found = false;
    for error in errors {
        let number = error.key.strip_prefix("fields.").and_then(|rest| {
            let number = rest.split('.').next()?;
            number.parse::<u8>().ok()
        });
        let entry = fields.iter_mut().find(|e| Some(e.number) == number && e.what.is_ok());
        if let Some(entry) = entry {
            entry.what = Err(Left::Cannot(format!("cannot be expressed: {}", error.reason)));
            found = true;
        }
    }
    found
}

/// The text with what the messages mean, if the fields carry that.
fn with_rules(draft: &Draft, base: &Dialect, structure: String) -> Imported {
    let mut remarks = toml_text::remarks(draft);
    let mut more = |reason: String| {
        let (file, place) = (draft.file.clone(), String::new());
        remarks.push(Remark { file, line: None, place, reason });
    };
    match rules_fit::fit(draft, base) {
        Ok((text, changes)) => {
            for change in changes {
                more(change);
            }
            Imported { text, remarks }
        }
        Err(reason) => {
            more(format!(
                "has not the fields that [messages] and the sections below it need ({reason}): the \
                 dialect decodes and encodes, but no line can use it until somebody writes them"
            ));
            Imported { text: structure, remarks }
        }
    }
}
