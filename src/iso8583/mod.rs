//! ISO 8583 messages: dialects, unpack, pack, describe.
//!
//! Contract: a dialect is data ([`Dialect::compile`]); [`unpack`] and [`pack`] are each other's
//! inverse under it; a [`Message`] holds values in normal form whatever the wire looked like. No
//! byte string panics, and no error or `Debug` shows a secret. Deliberately absent: length
//! headers (`framing`), MAC arithmetic (`crypto`), files (the caller gives text).

#[cfg(test)]
mod both_ways;
mod charset;
mod coding;
mod compare;
mod describe;
mod dialect;
mod dialect_fields;
mod dialect_load;
mod dialect_text;
mod error;
mod fault;
mod field;
mod header;
mod index;
mod inside;
mod inside_compose;
mod inside_load;
mod inside_walk;
mod json;
mod length_prefix;
mod likely;
mod mask;
mod message;
mod mti;
mod notation;
mod pack;
mod page;
mod plan;
mod plan_read;
mod plan_write;
mod quick;
mod quick_inside;
mod quick_pack;
mod remarks;
#[cfg(test)]
mod round_trips;
pub mod rules;
mod shipped;
#[cfg(test)]
mod tests;
mod tlv;
mod unpack;
mod validate;

pub use charset::Class;
pub use coding::{Encoding, parse_hex};
pub use compare::{Difference, Seen, Unpacked, compare};
pub use describe::{describe, describe_error};
pub use dialect::Dialect;
pub use error::{DialectError, PackError, UnpackError, place};
pub use field::{Field, FieldTable, Secret};
pub use header::Header;
pub use index::{Index, index};
pub use inside::{Inside, Part, Unknown};
pub use json::{JsonError, from_json, to_json};
pub use message::{Fields, Message, MessageError};
pub use mti::{Mti, MtiError};
pub use pack::{Packed, pack, pack_field};
pub use page::page;
pub use remarks::remarks;
pub use rules::Rules;
pub use shipped::{shipped, shipped_names};
pub use unpack::unpack;
