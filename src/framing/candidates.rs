//! Every framing worth trying on bytes of unknown origin: the presets, and what stands between
//! them – other header sizes, lengths that count themselves, a TPDU or trailer with each.
//!
//! Contract: the presets first and in their order, then variants that no preset covers; each
//! framing once. All take keep-alives where a framing can. Deliberately absent: judging them.

use super::coding::Coding;
use super::spec::FramingSpec;
use super::{Framing, presets};
use std::fmt;

/// A framing to try.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// How configuration writes it.
    pub spec: FramingSpec,
    /// The same, checked; takes keep-alives where it can.
    pub framing: Framing,
}

/// Header sizes and codings met in the field.
const HEADERS: [(u8, Coding); 15] = [
    (2, Coding::BigEndian),
    (3, Coding::BigEndian),
    (4, Coding::BigEndian),
    (2, Coding::LittleEndian),
    (4, Coding::LittleEndian),
    (2, Coding::Bcd),
    (3, Coding::Bcd),
    (4, Coding::Ascii),
    (2, Coding::Ascii),
    (3, Coding::Ascii),
    (5, Coding::Ascii),
    (6, Coding::Ascii),
    (8, Coding::Ascii),
    (4, Coding::AsciiHex),
    (8, Coding::AsciiHex),
];

/// Every framing to try, the usual ones first.
pub fn candidates() -> Vec<Candidate> {
    let mut all: Vec<Candidate> = Vec::new();
    let specs = presets::NAMES.iter().map(|name| FramingSpec::named(name)).chain(variants());
    for spec in specs {
        let alive = FramingSpec { keep_alive: Some(true), ..spec.clone() };
        let Ok(framing) = alive.validate().or_else(|_| spec.validate()) else { continue };
        if !all.iter().any(|known| known.framing == framing) {
            all.push(Candidate { spec, framing });
        }
    }
    all
}

fn variants() -> Vec<FramingSpec> {
    let text = |value: &str| Some(value.to_owned());
    let mut all = Vec::new();
    for (bytes, coding) in HEADERS {
        for counts_itself in [None, Some(true)] {
            let (length_bytes, coding) = (Some(bytes), Some(coding));
            let bare =
                FramingSpec { length_bytes, coding, counts_itself, ..FramingSpec::default() };
            let tpdu = FramingSpec { tpdu: text(presets::PLAIN_TPDU), ..bare.clone() };
            all.extend([
                FramingSpec { trailer: text("03"), ..bare.clone() },
                FramingSpec { terminator: text("03"), ..bare.clone() },
                FramingSpec { text_header: text(presets::ISO_HEADER), ..bare.clone() },
                // The length stops short of the TPDU.
                FramingSpec { adjust: Some(-5), ..tpdu.clone() },
                tpdu,
                bare,
            ]);
        }
    }
    let reserved = |after: bool| {
        let (before, after) = if after { (None, text("0000")) } else { (text("0000"), None) };
        let base = FramingSpec { length_bytes: Some(2), ..FramingSpec::default() };
        FramingSpec { skip_before: before, skip_after: after, ..base }
    };
    for after in [true, false] {
        let counted = FramingSpec { counts_header: Some(true), ..reserved(after) };
        all.push(FramingSpec { counts_itself: Some(true), ..counted.clone() });
        all.push(FramingSpec { counts_itself: Some(true), ..reserved(after) });
        all.push(counted);
    }
    all
}

/// As configuration and the command line write it: a preset's name, or an inline table.
impl fmt::Display for FramingSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(preset) = &self.preset
            && *self == Self::named(preset)
        {
            return f.write_str(preset);
        }
        let text = |value: &Option<String>| value.as_ref().map(|text| format!("{text:?}"));
        let flag = |value: Option<bool>| value.map(|flag| flag.to_string());
        let keys = [
            ("preset", text(&self.preset)),
            ("length_bytes", self.length_bytes.map(|n| n.to_string())),
            ("coding", self.coding.map(|coding| format!("{:?}", coding.name()))),
            ("counts_itself", flag(self.counts_itself)),
            ("counts_header", flag(self.counts_header)),
            ("adjust", self.adjust.map(|n| n.to_string())),
            ("skip_before", text(&self.skip_before)),
            ("skip_after", text(&self.skip_after)),
            ("tpdu", text(&self.tpdu)),
            ("text_header", text(&self.text_header)),
            ("trailer", text(&self.trailer)),
            ("terminator", text(&self.terminator)),
            ("lrc", flag(self.lrc)),
            ("keep_alive", flag(self.keep_alive)),
            ("min", self.min.map(|n| n.to_string())),
            ("max", self.max.map(|n| n.to_string())),
            ("read_deadline_ms", self.read_deadline_ms.map(|n| n.to_string())),
        ];
        let stated = keys.into_iter().filter_map(|(key, value)| Some((key, value?)));
        let pairs: Vec<String> = stated.map(|(key, value)| format!("{key} = {value}")).collect();
        write!(f, "{{ {} }}", pairs.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_presets_come_first_and_nothing_comes_twice() {
        let all = candidates();
        let first: Vec<String> =
            all.iter().take(presets::NAMES.len()).map(|c| c.spec.to_string()).collect();
        assert_eq!(first, presets::NAMES);
        assert!(all.len() > 100, "{}", all.len());
        for (index, one) in all.iter().enumerate() {
            assert!(all.iter().skip(index + 1).all(|other| other.framing != one.framing));
        }
    }

    #[test]
    fn what_is_shown_can_be_configured() {
        #[derive(serde::Deserialize)]
        struct Line {
            framing: FramingSpec,
        }
        for candidate in candidates() {
            let shown = candidate.spec.to_string();
            let value = if shown.starts_with('{') { shown } else { format!("{shown:?}") };
            let read: Result<Line, _> = toml::from_str(&format!("framing = {value}"));
            assert_eq!(read.map(|line| line.framing).ok(), Some(candidate.spec), "{value}");
        }
    }
}
