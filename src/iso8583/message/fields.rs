//! Which data elements a message has, one after the other.

/// The numbers of the data elements in a message, ascending.
#[derive(Debug, Clone)]
pub struct Fields {
    /// What is left of the word at hand, and the data element before its first.
    word: u64,
    before: u8,
    rest: [u64; 2],
}

impl Fields {
    /// Of presence words, DE 1 the highest bit of the first.
    pub(crate) const fn of(present: [u64; 3]) -> Self {
        let [word, rest @ ..] = present;
        Self { word, before: 0, rest }
    }
}

impl Iterator for Fields {
    type Item = u8;
    #[inline]
    fn next(&mut self) -> Option<u8> {
        while self.word == 0 {
            if self.rest == [0; 2] {
                return None;
            }
            let [next, after] = self.rest;
            (self.word, self.rest) = (next, [after, 0]);
            self.before = self.before.wrapping_add(64);
        }
        let leading = self.word.leading_zeros();
        self.word ^= 1 << 63 >> leading;
        Some(self.before.wrapping_add(leading as u8).wrapping_add(1))
    }
}
