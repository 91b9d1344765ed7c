//! The planted bugs: by name, and where each is switched on.
//!
//! Contract: without the feature `faults` there are none, and nothing here does anything.

use pointsman::journal::Options;
use pointsman::switch::Switch;

/// A bug planted on purpose, or none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Planted(Option<&'static str>);

impl Planted {
    /// The planted bug of this name; `None` if there is none such.
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|known| **known == name).map(|known| Self(Some(known)))
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.0.unwrap_or("none")
    }

    /// Plants it in the journal.
    pub(super) fn options(self, options: Options) -> Options {
        options
    }

    /// Plants it in the core.
    pub(super) fn plant(self, _switch: &mut Switch) {}
}

/// All there are.
pub const NAMES: &[&str] = &[];
