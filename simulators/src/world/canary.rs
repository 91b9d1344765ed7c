//! The canary scan (I10): are secrets we planted in requests anywhere they must not be?
//!
//! Contract: a canary is looked for as ASCII, as hexadecimal text in both cases, and as BCD at
//! both nibble offsets; bytes that are not digits (PIN blocks) also as they are. Before a scan
//! means anything the scanner must find planted ones: [`Scanner::proves_itself`].

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// One secret that must be nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// What it is, for the report; never its value.
    pub name: String,
    value: Vec<u8>,
}

impl Canary {
    /// A card number or track: text.
    pub fn text(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), value: value.as_bytes().to_vec() }
    }

    /// A PIN block or the like: bytes.
    pub fn bytes(name: &str, value: &[u8]) -> Self {
        Self { name: name.to_owned(), value: value.to_vec() }
    }
}

/// A canary found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Which.
    pub name: String,
    /// In which coding.
    pub coding: &'static str,
    /// At which byte.
    pub at: usize,
}

/// Looks for canaries.
#[derive(Debug, Clone)]
pub struct Scanner {
    patterns: Vec<Pattern>,
    /// By the first two bytes of a place, whether a pattern can begin there.
    begins: Vec<bool>,
}

#[derive(Debug, Clone)]
struct Pattern {
    name: String,
    coding: &'static str,
    bytes: Vec<u8>,
}

impl Scanner {
    /// A scanner for these canaries.
    pub fn new(canaries: &[Canary]) -> Self {
        let patterns: Vec<Pattern> = canaries.iter().flat_map(patterns).collect();
        let mut begins = vec![false; 1 << 16];
        for pattern in &patterns {
            if let [first, second, ..] = pattern.bytes[..] {
                begins[place(first, second)] = true;
            }
        }
        Self { patterns, begins }
    }

    /// Plants every pattern in noise and looks for it; `false` means that a clean scan would
    /// prove nothing.
    pub fn proves_itself(&self) -> bool {
        !self.patterns.is_empty()
            && self.patterns.iter().all(|pattern| {
                let planted = [&[0xA5; 37], pattern.bytes.as_slice(), &[0x5A; 11]].concat();
                let found = self.scan(&planted);
                found.iter().any(|s| s.name == pattern.name && s.coding == pattern.coding)
            })
    }

    /// Every sighting in these bytes, one per pattern.
    pub fn scan(&self, bytes: &[u8]) -> Vec<Sighting> {
        let mut found: Vec<Option<usize>> = vec![None; self.patterns.len()];
        for (at, pattern) in self.places(bytes) {
            found[pattern].get_or_insert(at);
        }
        let sighting = |(pattern, at): (&Pattern, Option<usize>)| {
            Some(Sighting { name: pattern.name.clone(), coding: pattern.coding, at: at? })
        };
        self.patterns.iter().zip(found).filter_map(sighting).collect()
    }

    /// How often each canary stands in these bytes, in whatever coding; none that does not.
    pub fn count(&self, bytes: &[u8]) -> BTreeMap<String, usize> {
        let mut found = BTreeMap::new();
        for (_, pattern) in self.places(bytes) {
            *found.entry(self.patterns[pattern].name.clone()).or_default() += 1;
        }
        found
    }

    /// Every place where a pattern stands, and which.
    fn places<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = (usize, usize)> + 'a {
        let pairs = bytes.windows(2).enumerate();
        let begins = pairs.filter(|(_, pair)| self.begins[place(pair[0], pair[1])]);
        begins.flat_map(move |(at, _)| {
            let patterns = self.patterns.iter().enumerate();
            let here = patterns.filter(move |(_, p)| bytes[at..].starts_with(&p.bytes));
            here.map(move |(pattern, _)| (at, pattern))
        })
    }

    /// Every sighting in every file at or below `path`.
    ///
    /// # Errors
    /// When something there cannot be read: unread is not clean.
    pub fn scan_files(&self, path: &Path) -> io::Result<Vec<(PathBuf, Sighting)>> {
        if path.is_dir() {
            let mut found = Vec::new();
            for entry in fs::read_dir(path)? {
                found.extend(self.scan_files(&entry?.path())?);
            }
            return Ok(found);
        }
        let sightings = self.scan(&fs::read(path)?);
        Ok(sightings.into_iter().map(|sighting| (path.to_owned(), sighting)).collect())
    }
}

fn place(first: u8, second: u8) -> usize {
    usize::from(u16::from_be_bytes([first, second]))
}

fn patterns(canary: &Canary) -> Vec<Pattern> {
    let value = &canary.value;
    let upper = pointsman::hex::upper(value);
    let mut codings = vec![
        ("as it is", value.clone()),
        ("hexadecimal", upper.clone().into_bytes()),
        ("lower-case hexadecimal", upper.to_ascii_lowercase().into_bytes()),
    ];
    // A separator of a track is D in BCD; nothing else of a text has a nibble.
    let nibbles: Option<Vec<u8>> = value.iter().map(|b| nibble(*b)).collect();
    if let Some(nibbles) = nibbles {
        codings.push(("BCD", packed(&nibbles)));
        codings.push(("BCD, odd", packed(nibbles.get(1..).unwrap_or_default())));
    }
    let pattern = |(coding, bytes)| Pattern { name: canary.name.clone(), coding, bytes };
    codings.into_iter().map(pattern).filter(|p| p.bytes.len() >= SHORTEST).collect()
}

/// Shorter patterns stand everywhere by chance.
const SHORTEST: usize = 5;

fn nibble(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'=' | b'D' => Some(0xD),
        _ => None,
    }
}

/// Whole bytes only: a half byte at the end could be anything.
fn packed(nibbles: &[u8]) -> Vec<u8> {
    nibbles.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    const CARD: &str = "4111111111111111";

    fn scanner() -> Scanner {
        let track = Canary::text("track", "5555555555554444=30122010000");
        let pin = Canary::bytes("PIN block", &[0xDE, 0xAD, 0xBE, 0xEF, 0x01, 0x02, 0x03, 0x04]);
        Scanner::new(&[Canary::text("card", CARD), track, pin])
    }

    #[test]
    fn every_coding_is_found_where_planted() {
        let scanner = scanner();
        assert!(scanner.proves_itself());
        let coding = |bytes: &[u8]| scanner.scan(bytes).first().map(|s| (s.coding, s.at));
        assert_eq!(coding(b"pan=4111111111111111;"), Some(("as it is", 4)));
        assert_eq!(coding(b"\x41\x11\x11\x11\x11\x11\x11\x11"), Some(("BCD", 0)));
        assert_eq!(coding(b"\x04\x11\x11\x11\x11\x11\x11\x11\x10"), Some(("BCD, odd", 1)));
        assert_eq!(coding(b"x34313131313131313131313131313131"), Some(("hexadecimal", 1)));
        assert_eq!(coding(b"..deadbeef01020304"), Some(("lower-case hexadecimal", 2)));
        assert_eq!(coding(b"411111******1111 and 4111 1111 1111 1111"), None);
    }

    #[test]
    fn files_below_a_folder_are_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        std::fs::write(folder.path().join("clean"), b"nothing here").unwrap();
        assert_eq!(scanner().scan_files(folder.path()).unwrap(), []);
        std::fs::write(folder.path().join("deep/log"), format!("paid with {CARD}")).unwrap();
        let found = scanner().scan_files(folder.path()).unwrap();
        assert_eq!(found.len(), 1);
        assert!(found[0].0.ends_with("deep/log") && found[0].1.name == "card");
        assert!(scanner().scan_files(&folder.path().join("missing")).is_err());
    }
}
