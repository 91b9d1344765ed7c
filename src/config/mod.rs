//! Configuration: one strict TOML text to a validated policy and the IO settings.
//!
//! Contract: parses `&str`, reads no files and no environment; dialects come through a source
//! the caller gives. Every error is reported at once, each with its line and key; unknown keys
//! are errors. Deliberately absent: secrets – only references to them stand here.

mod banks;
mod codes;
mod error;
mod peers;
mod platforms;
mod routes;
mod section;
pub mod settings;
mod stand_in;
mod top;

#[cfg(test)]
mod limits_page;
#[cfg(test)]
mod tests;

pub use error::{ConfigError, ConfigErrors};
pub use platforms::plain_name;
pub use top::{DialectSource, load};
