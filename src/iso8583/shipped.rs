//! The dialects that come with the program.
//!
//! Contract: their text is part of the binary, and every one of them compiles (a test says so).
//! Deliberately absent: compiled dialects – who needs one compiles it once and shares it.

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        const SHIPPED: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../specs/dialects/", $name, ".toml")))),*
        ];
    };
}

shipped! {
    "iso8583-1987-ascii",
    "iso8583-1987-ascii-hex",
    "iso8583-1987-bcd",
    "iso8583-1987-ebcdic",
    "iso8583-1987-base1",
    "iso8583-1993-ascii",
    "iso8583-1993-binary",
    "iso8583-2003-binary",
    "unionpay-pos",
    "unionpay-interbank",
}

/// The text of a shipped dialect file.
pub fn shipped(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The names of all shipped dialects.
pub fn shipped_names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}
