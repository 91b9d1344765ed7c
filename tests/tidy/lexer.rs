//! A small Rust lexer: words, marks and literals with their lines, nothing else.
//!
//! Contract: comments vanish; strings, raw strings, byte strings and character literals become
//! one token each, so that no rule is fooled by what they hold. Never fails: text that is not
//! Rust gives some tokens. Deliberately absent: spans, values, a syntax tree.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An identifier or keyword; raw identifiers without their `r#`.
    Word,
    /// `::`, or one character of punctuation.
    Mark,
    /// A string, character or number.
    Literal,
    /// `'a`.
    Lifetime,
}

/// One token and the line (from 1) it begins on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    pub(crate) line: usize,
}

impl Token {
    pub(crate) fn is_word(&self, text: &str) -> bool {
        self.kind == Kind::Word && self.text == text
    }

    pub(crate) fn is_mark(&self, text: &str) -> bool {
        self.kind == Kind::Mark && self.text == text
    }
}

/// The tokens of `source`.
pub(crate) fn lex(source: &str) -> Vec<Token> {
    let mut lexer = Lexer { rest: source, line: 1, tokens: Vec::new() };
    while lexer.step() {}
    lexer.tokens
}

struct Lexer<'s> {
    rest: &'s str,
    line: usize,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    /// Takes one token, comment or gap; false at the end.
    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else { return false };
        if first.is_whitespace() {
            self.skip(first.len_utf8());
        } else if self.rest.starts_with("//") {
            self.skip(self.rest.find('\n').unwrap_or(self.rest.len()));
        } else if self.rest.starts_with("/*") {
            self.skip(block_comment(self.rest));
        } else if let Some(length) = quoted(self.rest) {
            self.take(Kind::Literal, length);
        } else if first == '\'' {
            self.take(Kind::Lifetime, 1 + word(&self.rest[1..]));
        } else if first.is_ascii_digit() {
            self.take(Kind::Literal, number(self.rest));
        } else if self.rest.starts_with("r#") && word(&self.rest[2..]) > 0 {
            self.skip(2);
            self.take(Kind::Word, word(self.rest));
        } else if word(self.rest) > 0 {
            self.take(Kind::Word, word(self.rest));
        } else {
            let length = if self.rest.starts_with("::") { 2 } else { first.len_utf8() };
            self.take(Kind::Mark, length);
        }
        true
    }

    fn take(&mut self, kind: Kind, length: usize) {
        let text = self.rest[..length].to_owned();
        self.tokens.push(Token { kind, text, line: self.line });
        self.skip(length);
    }

    fn skip(&mut self, length: usize) {
        self.line += self.rest[..length].matches('\n').count();
        self.rest = &self.rest[length..];
    }
}

/// Bytes of the identifier at the start; 0 if there is none.
fn word(text: &str) -> usize {
    let goes_on = |c: char| c == '_' || c.is_alphanumeric();
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return 0;
    }
    text.find(|c| !goes_on(c)).unwrap_or(text.len())
}

/// Bytes of the number at the start: a dot belongs to it only before a digit (`0..9` is a range).
fn number(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while let Some(&byte) = bytes.get(at) {
        let fraction = byte == b'.' && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
        if !(byte == b'_' || byte.is_ascii_alphanumeric() || fraction) {
            break;
        }
        at += 1;
    }
    at
}

/// Bytes of the block comment at the start, nested ones included.
fn block_comment(text: &str) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while at < text.len() {
        let here = &text.as_bytes()[at..];
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// Bytes of the string or character literal at the start, if one begins there.
fn quoted(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|p| {
        text.strip_prefix(p).is_some_and(|rest| match *p {
            "br" | "cr" | "r" => rest.trim_start_matches('#').starts_with('"'),
            "b" => rest.starts_with(['"', '\'']),
            "c" => rest.starts_with('"'),
            _ => rest.starts_with(['"', '\'']),
        })
    })?;
    let rest = &text[prefix.len()..];
    let length = if prefix.ends_with('r') {
        raw_string(rest)
    } else if rest.starts_with('"') {
        escaped(rest, b'"')
    } else {
        character(rest)?
    };
    Some(prefix.len() + length)
}

/// Bytes of `##"..."##`.
fn raw_string(text: &str) -> usize {
    let hashes = text.len() - text.trim_start_matches('#').len();
    let end = format!("\"{}", "#".repeat(hashes));
    let body = hashes + 1;
    text[body..].find(&end).map_or(text.len(), |at| body + at + end.len())
}

/// Bytes up to and with the closing `quote`, skipping what a backslash escapes.
fn escaped(text: &str, quote: u8) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b if b == quote => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

/// Bytes of `'x'`, or nothing where a lifetime begins.
fn character(text: &str) -> Option<usize> {
    let mut chars = text[1..].chars();
    let first = chars.next()?;
    if first == '\\' {
        return Some(escaped(text, b'\''));
    }
    (chars.next() == Some('\'')).then(|| first.len_utf8() + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<String> {
        let words = lex(source).into_iter().filter(|t| t.kind == Kind::Word);
        words.map(|t| t.text).collect()
    }

    #[test]
    fn comments_and_literals_hide_what_they_hold() {
        for (source, expected) in [
            ("a // b\nc", "a c"),
            ("a /* b /* c */ d */ e", "a e"),
            (r#"a "b // \" c" d"#, "a d"),
            (r###"a r#"b " c"# d"###, "a d"),
            (r###"a br##"b "# c"## d"###, "a d"),
            (r#"a b"b" c"c" d"#, "a d"),
            (r"a 'b' b'c' '\'' '\u{1F}' 'é' d", "a d"),
            ("a<'b> c 'd: loop", "a c loop"),
            ("r#async 1.5e3 0xff_u8 x.0 0..n", "async x n"),
            ("\"never closed", ""),
            ("a /* never closed", "a"),
        ] {
            assert_eq!(words(source).join(" "), expected, "{source}");
        }
    }

    #[test]
    fn lines_count_through_strings_and_comments() {
        let tokens = lex("a\n/*\n*/ \"x\ny\" b\nr\"\n\" c");
        let lines: Vec<usize> = tokens.iter().map(|t| t.line).collect();
        assert_eq!(lines, [1, 3, 4, 5, 6]);
    }

    #[test]
    fn a_double_colon_is_one_mark() {
        let marks: Vec<String> = lex("a::b: c").into_iter().map(|t| t.text).collect();
        assert_eq!(marks, ["a", "::", "b", ":", "c"]);
    }
}
