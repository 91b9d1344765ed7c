//! jPOS `GenericPackager` files.
//!
//! Contract: `<isopackager>` with `<isofield>` and nested `<isofieldpackager>`, in the words of
//! their DTD; attributes that change the bytes are read, those that only change how a program
//! handles a value (`trim`) are passed over. Entities are refused, the DTD's name is not followed.
//! Deliberately absent: packagers written in Java – they are code, not data.

use super::class_name::{self, Wire};
use super::draft::{Draft, Entry, Left, Piece};
use super::{At, Imported, Remark, Stop, coded, jpos_inside, settle, source_text, toml_words};
use crate::iso8583::Encoding;
use crate::limits::DE_MAX;
use roxmltree::{Document, Node, ParsingOptions};

/// A packager has a few hundred elements.
const NODES_MAX: u32 = 100_000;

/// Turns a packager into a dialect. `file` is what the errors call it.
///
/// # Errors
/// Why there is no dialect in it, with the line.
pub fn jpos(file: &str, bytes: &[u8]) -> Result<Imported, Remark> {
    let draft = draft(file, bytes).map_err(|stop| stop.remark(file))?;
    settle::finish(draft)
}

fn draft(file: &str, bytes: &[u8]) -> Result<Draft, Stop> {
    let text = source_text::text_of(bytes)?;
    if let Some(at) = text.find("<!ENTITY") {
        let line = text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count() + 1;
        let at = At::file(u32::try_from(line).ok());
        return Err(Stop::new(at, "declares an entity: write out what it stands for"));
    }
    let options = ParsingOptions { allow_dtd: true, nodes_limit: NODES_MAX, ..Default::default() };
    let document = Document::parse_with_options(&text, options).map_err(|error| {
        let at = At::file(Some(error.pos().row));
        let said = error.to_string();
        // The line stands in front already.
        let said = said.rsplit_once(" at ").map_or(said.as_str(), |(said, _)| said);
        Stop::new(at, format!("is no XML: {said}"))
    })?;
    let root = document.root_element();
    if root.tag_name().name() != "isopackager" {
        let reason = format!("expected <isopackager>, got <{}>", root.tag_name().name());
        return Err(Stop::new(At::file(Some(row_of(root))), reason));
    }
    packager(file, root)
}

/// One element of a packager, its attributes read.
pub(super) struct Element<'a> {
    pub(super) node: Node<'a, 'a>,
    pub(super) at: At,
    pub(super) id: usize,
    pub(super) name: String,
    pub(super) class: &'a str,
    pub(super) wire: Result<Wire, String>,
    pub(super) length: usize,
    pub(super) pad: bool,
    pub(super) notes: Vec<String>,
}

impl Element<'_> {
    pub(super) fn nested(&self) -> bool {
        self.node.tag_name().name() == "isofieldpackager"
    }

    /// The element by itself; an error says the class.
    pub(super) fn piece(&self) -> Result<coded::Noted, String> {
        let class = class_name::simple(self.class);
        let wire = self.wire.as_ref().map_err(|reason| format!("class {class} {reason}"))?;
        let done = coded::of_wire(wire, self.length, self.pad);
        let (piece, mut notes) = done.map_err(|reason| format!("({class}) {reason}"))?;
        notes.extend(coded::signed_needs_left(&piece));
        let notes = notes.into_iter().map(|note| format!("({class}) {note}"));
        Ok((piece, self.notes.iter().cloned().chain(notes).collect()))
    }
}

/// The line a node begins in. Counts from the first: for single nodes only.
fn row_of(node: Node<'_, '_>) -> u32 {
    node.document().text_pos_at(node.range().start).row
}

/// The lines of nodes that follow each other, counted on from node to node: from the first line
/// for each, a file of a hundred thousand elements would take minutes.
struct Rows<'a> {
    text: &'a [u8],
    at: usize,
    row: u32,
}

impl<'a> Rows<'a> {
    fn from(parent: Node<'a, 'a>, row: u32) -> Self {
        let text = parent.document().input_text().as_bytes();
        Self { text, at: parent.range().start, row }
    }

    fn of(&mut self, node: Node<'_, '_>) -> u32 {
        let start = node.range().start;
        let between = self.text.get(self.at..start).unwrap_or_default();
        let more = between.iter().filter(|byte| **byte == b'\n').count();
        self.at = start.max(self.at);
        self.row = self.row.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        self.row
    }
}

/// The elements of a packager, by number; `outer` is the field they are in.
pub(super) fn elements<'a>(
    parent: Node<'a, 'a>,
    outer: &At,
    notes: &mut Vec<(At, String)>,
) -> Result<Vec<Element<'a>>, Stop> {
    let mut found: Vec<Element<'a>> = Vec::new();
    let mut rows = Rows::from(parent, outer.line.unwrap_or_else(|| row_of(parent)));
    for node in parent.children().filter(Node::is_element) {
        let at = At::field(Some(rows.of(node)), outer.path.as_str());
        match node.tag_name().name() {
            "isofield" | "isofieldpackager" => {
                let element = element(node, at)?;
                if let Some(twice) = found.iter().find(|e| e.id == element.id) {
                    let first = twice.at.line.unwrap_or_default();
                    let reason = format!("is defined twice, first in line {first}");
                    return Err(Stop::new(element.at, reason));
                }
                found.push(element);
            }
            "isofieldvalidator" | "isobasevalidator" | "property" => {
                notes.push((at, "validators are not imported".to_owned()));
            }
            other => {
                let reason = format!("the element <{other}> is not known and not imported");
                notes.push((at, reason));
            }
        }
    }
    found.sort_by_key(|element| element.id);
    Ok(found)
}

/// One element; `here` is its line, and the path of the field it is in.
fn element<'a>(node: Node<'a, 'a>, here: At) -> Result<Element<'a>, Stop> {
    let id = node.attribute("id").unwrap_or_default().trim();
    let known = id.parse::<usize>().ok().filter(|id| *id <= 9_999);
    let id = known.ok_or_else(|| {
        let word = if node.has_attribute("id") { "has" } else { "has no id:" };
        Stop::new(here.clone(), format!("{word} id \"{id}\", expected a number"))
    })?;
    let At { line, path } = &here;
    let path = if path.is_empty() { id.to_string() } else { format!("{path}.{id}") };
    let at = At::field(*line, path);
    let missing = |key: &str| Stop::new(at.clone(), format!("has no {key}"));
    let class = node.attribute("class").ok_or_else(|| missing("class"))?.trim();
    let length = node.attribute("length").ok_or_else(|| missing("length"))?.trim();
    let length = length.parse::<usize>().map_err(|_| {
        Stop::new(at.clone(), format!("has length \"{length}\", expected a number"))
    })?;
    let pad = flag(node, "pad", &at)?.unwrap_or(false);
    flag(node, "trim", &at)?;
    let mut notes = Vec::new();
    for key in ["encoding", "params"] {
        if let Some(value) = node.attribute(key) {
            notes.push(format!("{key}=\"{value}\" is not imported"));
        }
    }
    let package = class.rsplit_once('.').map_or("", |(package, _)| package);
    if !package.is_empty() && !package.starts_with("org.jpos.") {
        notes.push(format!("{class} is not jPOS's own class; it is read by its name"));
    }
    let name = node.attribute("name").unwrap_or_default().to_owned();
    let wire = class_name::parse(class);
    Ok(Element { node, at, id, name, class, wire, length, pad, notes })
}

/// An attribute that is `true` or `false`.
pub(super) fn flag(node: Node<'_, '_>, key: &str, at: &At) -> Result<Option<bool>, Stop> {
    match node.attribute(key).map(|value| value.trim().to_ascii_lowercase()) {
        None => Ok(None),
        Some(value) if value == "true" => Ok(Some(true)),
        Some(value) if value == "false" => Ok(Some(false)),
        Some(value) => {
            Err(Stop::new(at.clone(), format!("has {key}=\"{value}\", expected true or false")))
        }
    }
}

/// An attribute that is a number.
pub(super) fn number(node: Node<'_, '_>, key: &str, at: &At) -> Result<Option<i64>, Stop> {
    let Some(value) = node.attribute(key) else { return Ok(None) };
    let value = value.trim();
    match value.parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(Stop::new(at.clone(), format!("has {key}=\"{value}\", expected a number"))),
    }
}

fn packager(file: &str, root: Node<'_, '_>) -> Result<Draft, Stop> {
    let at = At::file(Some(row_of(root)));
    let mut notes = Vec::new();
    let all = elements(root, &at, &mut notes)?;
    if flag(root, "emitBitmap", &at)? == Some(false) {
        let reason = "has emitBitmap=\"false\": messages without a bitmap cannot be a dialect";
        return Err(Stop::new(at, reason));
    }
    let bitmap_field = number(root, "bitmapField", &at)?.unwrap_or(1);
    let bitmap = all.iter().find(|e| i64::try_from(e.id) == Ok(bitmap_field));
    let bitmap = bitmap.ok_or_else(|| {
        Stop::new(at.clone(), format!("has no field {bitmap_field}, which should be the bitmap"))
    })?;
    let first = number(root, "firstField", &at)?.unwrap_or(2);
    if first != 2 {
        let reason = format!("firstField=\"{first}\" is not imported: data elements begin at 2");
        notes.push((at.clone(), reason));
    }
    let header = number(root, "headerLength", &at)?.unwrap_or(0);
    let header = usize::try_from(header).ok().filter(|n| *n <= 256).ok_or_else(|| {
        Stop::new(at.clone(), format!("has headerLength=\"{header}\", expected 0 to 256"))
    })?;
    let (encoding, bitmaps, third_at_65) = bitmaps(root, bitmap, &all, &at)?;
    let mut draft = Draft {
        file: file.to_owned(),
        origin: "jPOS packager",
        title: format!("Imported from {}", toml_words::file_name(file)),
        mti: mti(&all, &at)?,
        bitmap: encoding,
        bitmaps,
        third_at_65,
        header,
        fields: Vec::new(),
        notes,
    };
    for element in all.iter().filter(|e| e.id > 1 && i64::try_from(e.id) != Ok(bitmap_field)) {
        data_element(&mut draft, element)?;
    }
    Ok(draft)
}

/// The coding of the bitmaps, how many there can be, and whether the third stands at 65.
fn bitmaps(
    root: Node<'_, '_>,
    bitmap: &Element<'_>,
    all: &[Element<'_>],
    at: &At,
) -> Result<(Encoding, u8, bool), Stop> {
    let encoding = match &bitmap.wire {
        Ok(Wire::Bitmap(encoding)) => *encoding,
        _ => {
            let class = class_name::simple(bitmap.class);
            let reason = format!("is the bitmap, and its class {class} is no bitmap's");
            return Err(Stop::new(bitmap.at.clone(), reason));
        }
    };
    let third = number(root, "thirdBitmapField", at)?.filter(|field| *field > 0);
    if third.is_some_and(|field| field != 65) {
        let reason = "has a third bitmap, but not at field 65: that cannot be expressed";
        return Err(Stop::new(at.clone(), reason));
    }
    let at_65 = all.iter().any(|e| e.id == 65 && matches!(e.wire, Ok(Wire::Bitmap(_))));
    let third_at_65 = third == Some(65) || (at_65 && bitmap.length <= 16);
    let count = match bitmap.length {
        _ if third_at_65 => 3,
        17.. => 3,
        9..=16 => 2,
        8 => 1,
        length => {
            let reason = format!("is a bitmap of {length} bytes, expected 8, 16 or 24");
            return Err(Stop::new(bitmap.at.clone(), reason));
        }
    };
    if let Some(beyond) = all.iter().find(|e| e.id > 64 * usize::from(count)) {
        let reason = format!("{count} bitmap(s) cannot announce field {}", beyond.id);
        return Err(Stop::new(beyond.at.clone(), reason));
    }
    Ok((encoding, count, third_at_65))
}

fn mti(all: &[Element<'_>], at: &At) -> Result<Encoding, Stop> {
    let Some(mti) = all.iter().find(|e| e.id == 0) else {
        return Err(Stop::new(at.clone(), "has no field 0, which should be the MTI"));
    };
    let (piece, _) = mti.piece().map_err(|reason| Stop::new(mti.at.clone(), reason))?;
    let class = class_name::simple(mti.class);
    match (piece.encoding, mti.length) {
        (Encoding::Ascii | Encoding::Cp1047 | Encoding::Bcd, 4) => Ok(piece.encoding),
        (Encoding::Raw, 2) => Ok(Encoding::Bcd),
        (_, length) => {
            let reason = format!("is the MTI, and {class} of {length} are no four digits");
            Err(Stop::new(mti.at.clone(), reason))
        }
    }
}

fn data_element(draft: &mut Draft, element: &Element<'_>) -> Result<(), Stop> {
    let number = u8::try_from(element.id).ok().filter(|id| *id <= DE_MAX);
    let number = number.ok_or_else(|| {
        Stop::new(element.at.clone(), format!("is no data element: expected 0 to {DE_MAX}"))
    })?;
    if number == 65 && draft.bitmaps == 3 {
        return Ok(());
    }
    let mut notes = Vec::new();
    let what = match (&element.wire, element.piece()) {
        (Ok(Wire::Nothing), _) => Err(Left::Unused),
        (_, Err(reason)) => Err(Left::Cannot(reason)),
        (_, Ok((piece, said))) => {
            notes = said;
            Ok(composed(draft, element, piece, &mut notes)?)
        }
    };
    let (at, name) = (element.at.clone(), element.name.clone());
    draft.fields.push(Entry { at, number, name, what, notes });
    Ok(())
}

/// The piece with its inner structure, if it has one that can be expressed.
fn composed(
    draft: &mut Draft,
    element: &Element<'_>,
    piece: Piece,
    notes: &mut Vec<String>,
) -> Result<Piece, Stop> {
    if !element.nested() {
        return Ok(piece);
    }
    let whole = piece.clone();
    match jpos_inside::structure(element, piece, &mut draft.notes)? {
        Ok(composite) => Ok(composite),
        Err(reason) => {
            notes.push(format!("is kept whole, without its subfields: {reason}"));
            Ok(whole)
        }
    }
}
