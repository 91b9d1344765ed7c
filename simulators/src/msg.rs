//! A message as the simulators hold it: MTI and values in normal form, nothing compiled.
//!
//! Contract: `n`, `an`, `ans` and `z` values are text, `b` values raw bytes, as everywhere in
//! pointsman's wire. `Debug` shows which fields are there and no value. Deliberately absent:
//! rules about what belongs into a message – a simulator may say what it likes.

use std::fmt;

/// One message.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Msg {
    /// The TPDU it came with or shall leave with, where the framing has one.
    pub tpdu: Option<[u8; 5]>,
    /// The message header before the MTI, where the dialect has one.
    pub header: Vec<u8>,
    /// Four digits.
    pub mti: String,
    /// Ascending by data element.
    fields: Vec<(u8, Vec<u8>)>,
}

impl Msg {
    /// An empty message of this type.
    pub fn new(mti: &str) -> Self {
        Self { mti: mti.to_owned(), ..Self::default() }
    }

    /// The value of a data element.
    pub fn get(&self, de: u8) -> Option<&[u8]> {
        let at = self.fields.binary_search_by_key(&de, |f| f.0).ok()?;
        self.fields.get(at).map(|f| f.1.as_slice())
    }

    /// The value as text without trailing spaces; empty where it is absent or not text.
    pub fn text(&self, de: u8) -> &str {
        let value = self.get(de).unwrap_or_default();
        std::str::from_utf8(value).unwrap_or_default().trim_end_matches(' ')
    }

    /// The value as a number, where it is one.
    pub fn number(&self, de: u8) -> Option<u64> {
        self.text(de).parse().ok()
    }

    /// Sets a data element.
    pub fn set(&mut self, de: u8, value: impl Into<Vec<u8>>) {
        match self.fields.binary_search_by_key(&de, |f| f.0) {
            Ok(at) => self.fields[at].1 = value.into(),
            Err(at) => self.fields.insert(at, (de, value.into())),
        }
    }

    /// The same with a data element set.
    #[must_use]
    pub fn with(mut self, de: u8, value: impl Into<Vec<u8>>) -> Self {
        self.set(de, value);
        self
    }

    /// Takes a data element out.
    pub fn remove(&mut self, de: u8) {
        self.fields.retain(|f| f.0 != de);
    }

    /// Every data element, ascending.
    pub fn fields(&self) -> impl Iterator<Item = (u8, &[u8])> {
        self.fields.iter().map(|(de, value)| (*de, value.as_slice()))
    }

    /// Digit `at` (0–3) of the MTI; 0 where there is none.
    pub fn digit(&self, at: usize) -> u8 {
        self.mti.as_bytes().get(at).map_or(0, |b| b.wrapping_sub(b'0'))
    }

    /// Whether it answers something.
    pub fn is_answer(&self) -> bool {
        self.digit(2) % 2 == 1
    }

    /// Whether the MTI says that it was sent before.
    pub fn is_repeat(&self) -> bool {
        self.digit(3) % 2 == 1
    }

    /// The MTI that answers this one: the third digit up by one, never a repeat.
    pub fn answer_mti(&self) -> String {
        let [a, b, c, d] = [0, 1, 2, 3].map(|at| self.digit(at));
        format!("{a}{b}{}{}", c | 1, d & !1)
    }

    /// An answer with these fields echoed, the header kept and the TPDU turned around.
    pub fn answer(&self, echoed: &[u8]) -> Self {
        let mut answer = Self::new(&self.answer_mti());
        answer.header.clone_from(&self.header);
        answer.tpdu = self.tpdu.map(|[id, d1, d2, s1, s2]| [id, s1, s2, d1, d2]);
        for de in echoed {
            if let Some(value) = self.get(*de) {
                answer.set(*de, value);
            }
        }
        answer
    }
}

impl fmt::Debug for Msg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Msg {}", self.mti)?;
        self.fields.iter().try_for_each(|(de, value)| write!(f, " F{de}[{}]", value.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_echoes_and_turns_around() {
        let mut asked = Msg::new("0421").with(11, "000007").with(39, "98");
        asked.tpdu = Some([0x60, 0, 3, 0, 1]);
        let answer = asked.answer(&[11, 12]);
        assert_eq!((answer.mti.as_str(), answer.text(11)), ("0430", "000007"));
        assert_eq!((answer.tpdu, answer.get(39)), (Some([0x60, 0, 1, 0, 3]), None));
    }

    #[test]
    fn debug_tells_lengths_and_no_values() {
        let msg = Msg::new("0200").with(2, "4111111111111111").with(41, "T1      ");
        assert_eq!(format!("{msg:?} {}", msg.text(41)), "Msg 0200 F2[16] F41[8] T1");
    }
}
