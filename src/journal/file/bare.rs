//! Why there is no spare, split by what helps: space, time, or neither.

use super::backend::FileName;
use super::error::is_scarce;
use std::io;

/// Why a spare could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bare {
    /// The disk is full, or a quota is; so much is free, where that is known.
    Full(Option<u64>),
    /// Something runs short that comes back, like open files; what the disk said.
    Scarce(String),
    /// Anything else; what the disk said.
    Broken(String),
}

impl Bare {
    /// What `error` at this step of making or using `file` means.
    pub(super) fn of(error: &io::Error, step: &str, file: FileName) -> Self {
        let told = format!("{step} of {file} failed: {error}");
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(None),
            _ if is_scarce(error) => Self::Scarce(told),
            _ => Self::Broken(told),
        }
    }
}

impl std::error::Error for Bare {}

impl std::fmt::Display for Bare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Full(Some(free)) => write!(f, "the disk is full: {free} bytes are free"),
            Self::Full(None) => f.write_str("the disk is full"),
            Self::Scarce(told) | Self::Broken(told) => f.write_str(told),
        }
    }
}
