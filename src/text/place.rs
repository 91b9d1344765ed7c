//! Where a text is wrong, as people look for it.
//!
//! Contract: parsers place what they miss behind the end of a text, where nobody's editor goes
//! ("line 2, column 0"): a [`Fault`] names the last place that holds something instead. Lines
//! and columns count from 1, columns in bytes. Deliberately absent: parsing.

use std::fmt;

/// What a parser said, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong, without the place.
    pub said: String,
    /// The line; `None` where the text holds nothing.
    pub line: Option<usize>,
    /// The column in it.
    pub column: usize,
}

impl Fault {
    /// Of what a parser of `text` said, of the line and column it gave, and of whether it met the
    /// end. A place that it said as well (` at line …`) is taken off.
    pub fn of(text: &str, said: &str, (line, column): (usize, usize), ended: bool) -> Self {
        let said = said.split(" at line ").next().unwrap_or_default();
        if !ended && column > 0 {
            return Self { said: said.to_owned(), line: Some(line), column };
        }
        // A fault before the first column is one of the line's end before it.
        let upto = if ended { line } else { line.saturating_sub(1) };
        let Some((line, column)) = last_place(text, upto) else {
            return Self { said: "the text is empty".to_owned(), line: None, column: 0 };
        };
        let said =
            if ended { format!("the text ends too early ({said})") } else { said.to_owned() };
        Self { said, line: Some(line), column }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)?;
        let Some(line) = self.line else { return Ok(()) };
        write!(f, " at line {line} column {}", self.column)
    }
}

/// The last place up to the end of this line that holds more than white space.
fn last_place(text: &str, upto: usize) -> Option<(usize, usize)> {
    let lines = (1..=upto).zip(text.split('\n').map(str::trim_ascii_end));
    let held = lines.filter(|(_, held)| !held.is_empty());
    held.map(|(line, held)| (line, held.len())).last()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_placed_where_the_text_ends() {
        let told = |text, at, ended| Fault::of(text, "no } at line 9 column 9", at, ended);
        let ended = |line, column| {
            let said = "the text ends too early (no })".to_owned();
            Fault { said, line: Some(line), column }
        };
        assert_eq!(told("{\n", (2, 0), true), ended(1, 1));
        assert_eq!(told("{\n  \"a\": [1,  \n\n\t \n", (5, 0), true), ended(2, 10));
        assert_eq!(told("{\"a\":", (1, 5), true), ended(1, 5));
        assert_eq!(told(" \n\n", (3, 0), true).to_string(), "the text is empty");
        assert_eq!(told("{\"a\n\": 1}", (2, 0), false).to_string(), "no } at line 1 column 3");
        assert_eq!(told("{]\n", (1, 2), false).to_string(), "no } at line 1 column 2");
    }
}
