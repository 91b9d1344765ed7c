//! Rules about who may use whom: floors, purity, simulators, the map in `lib.rs`.

use crate::paths::{Named, paths};
use crate::report::Report;
use crate::source::{Source, Tree};
use crate::tables::{Floor, IMPURE, IMPURE_WORDS, ROOMS, Room, WORLD};

fn find(name: &str) -> Option<&'static Room> {
    ROOMS.iter().find(|room| room.name == name)
}

/// The room a path leads to, if it leads to one of ours.
fn target<'p>(path: &'p Named, root: &str) -> Option<&'p str> {
    let [first, second, ..] = path.segments.as_slice() else { return None };
    (first == root).then_some(second.as_str())
}

/// A room uses lower floors, and of its own floor only what the table names.
pub(crate) fn floors(tree: &Tree, report: &mut Report) {
    for source in tree.sources.iter().filter(|s| s.is_rust()) {
        let Some(name) = source.room() else { continue };
        let Some(room) = find(name) else {
            let what = format!("room `{name}` is not in the import table");
            report.add(source, 1, what, "add it to ROOMS in tests/tidy/tables.rs with its floor");
            continue;
        };
        for path in paths(source) {
            if matches!(path.segments.as_slice(), [only] if only == "crate") {
                report.add(source, path.line, "an alias of the crate root", "name the room");
            }
            let Some(used) = target(&path, "crate").filter(|used| *used != name) else { continue };
            if let Some(why) = refused(room, used) {
                let remedy = "move the code up, or pass the value in; lower never imports higher";
                report.add(source, path.line, why, remedy);
            }
        }
    }
}

fn refused(room: &Room, used: &str) -> Option<String> {
    let name = room.name;
    if used == "*" {
        return Some(format!("`{name}` imports every room at once"));
    }
    let other = find(used)?;
    let allowed = other.floor < room.floor || room.beside.contains(&used);
    (!allowed).then(|| {
        format!("`{name}` ({:?} floor) uses `{used}` ({:?} floor)", room.floor, other.floor)
    })
}

/// Pure rooms use only the crates and parts of std that cannot touch the world.
pub(crate) fn purity(tree: &Tree, report: &mut Report) {
    for source in &tree.sources {
        let Some(room) = source.room().and_then(find).filter(|room| room.is_pure()) else {
            continue;
        };
        for path in paths(source).into_iter().filter(|path| !source.in_test[path.at]) {
            check_crate(tree, source, room, &path, report);
            check_std(source, room, &path, report);
        }
        check_words(source, room, report);
    }
}

fn check_crate(tree: &Tree, source: &Source, room: &Room, path: &Named, report: &mut Report) {
    let Some(first) = path.segments.first() else { return };
    let listed = room.crates.split_whitespace().any(|name| name == first);
    if tree.crates.contains(first) && !listed {
        let what = format!("`{}` uses the crate `{first}`", room.name);
        let remedy =
            "do it on a higher floor, or list the crate for this room in tests/tidy/tables.rs";
        report.add(source, path.line, what, remedy);
    }
}

fn check_std(source: &Source, room: &Room, path: &Named, report: &mut Report) {
    let spelled = path.segments.join("::");
    let spelled = spelled.strip_prefix("core::").or_else(|| spelled.strip_prefix("std::"));
    let Some(spelled) = spelled else { return };
    let hit = IMPURE.iter().find(|(part, _)| spelled.starts_with(&part["std::".len()..]));
    if let Some((part, remedy)) = hit {
        report.add(source, path.line, format!("`{}` is pure and uses `{part}`", room.name), remedy);
    }
}

fn check_words(source: &Source, room: &Room, report: &mut Report) {
    for (at, token) in source.shipped() {
        let written = |word: &str| match word.strip_suffix('!') {
            Some(name) => source.spells(at, &[name, "!"]),
            None => token.is_word(word),
        };
        if let Some((word, remedy)) = IMPURE_WORDS.iter().find(|(word, _)| written(word)) {
            let what = format!("`{}` is pure and writes `{word}`", room.name);
            report.add(source, token.line, what, remedy);
        }
    }
}

/// Simulators share words and wire with the switch, so that its faults cannot hide in both ends.
pub(crate) fn simulators(tree: &Tree, report: &mut Report) {
    for source in tree.sources.iter().filter(|s| s.path.starts_with("simulators/")) {
        let open = WORLD.iter().any(|place| source.path.starts_with(place));
        if open || source.path.starts_with("simulators/tests/") {
            continue;
        }
        let library = source.path == "simulators/src/lib.rs";
        for path in paths(source) {
            let used = target(&path, "pointsman").unwrap_or_default();
            let room = find(used);
            if used == "*" || room.is_some_and(|room| room.floor > Floor::Wire) {
                let what = format!("a simulator uses `pointsman::{used}`");
                let remedy = "use words and wire only, or move it to the room `world`";
                report.add(source, path.line, what, remedy);
            }
            let world = [target(&path, "crate"), target(&path, "simulators")];
            if !library && world.contains(&Some("world")) {
                let what = "a simulator uses `world`, which knows the whole switch";
                report.add(source, path.line, what, "only the bins demo and sim may use `world`");
            }
        }
    }
}

/// `lib.rs` is a map, `main.rs` a door: no logic in the one, only `cli` behind the other.
pub(crate) fn map(tree: &Tree, report: &mut Report) {
    for source in tree.sources.iter().filter(|s| s.path == "src/lib.rs") {
        for token in &source.tokens {
            if ["fn", "use", "struct", "enum", "impl", "const"].iter().any(|w| token.is_word(w)) {
                let what = format!("lib.rs holds `{}`", token.text);
                report.add(source, token.line, what, "one line per room; code lives in a room");
            }
        }
    }
    for source in tree.sources.iter().filter(|s| s.path == "src/main.rs") {
        for path in paths(source) {
            if target(&path, "pointsman").is_some_and(|used| used != "cli") {
                let what = "main.rs uses more than `pointsman::cli`";
                report.add(source, path.line, what, "move the code into cli");
            }
        }
    }
}
