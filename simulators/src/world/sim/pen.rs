//! The real writer in a bank's line: what leaves for `east` is spelled by a dialect file, packed as
//! a session packs it, and `east` hears of it what the bytes say.
//!
//! Contract: a processing code, an amount and money besides it are heard as they stand on the wire,
//! whatever the message in hand believes of them; what cannot be written does not leave. `east`
//! knows cash back (09) and no cash (01). Deliberately absent: the way back – the bank's answers
//! travel in meaning – and MACs.

use super::wire;
use pointsman::canonical::{Canonical, write};
use pointsman::iso8583::{Dialect, Message, pack, shipped, unpack};
use pointsman::money::Amount;
use pointsman::text::Text;
use std::sync::{Arc, LazyLock};

/// What `east` speaks.
const EAST: &str = "extends = 'iso8583-1987-ascii'\n[messages]\n\
    purchase = { 3 = ['00xxxx', '09xxxx'] }\npurchase-advice = { 3 = ['00xxxx', '09xxxx'] }\n";

static DIALECT: LazyLock<Option<Arc<Dialect>>> = LazyLock::new(|| {
    let source = |name: &str| match name {
        "east" => Some(EAST.to_owned()),
        other => shipped(other).map(str::to_owned),
    };
    Dialect::compile("east", &source).ok().map(Arc::new)
});

/// The dialect of `east`. Without one nothing would be heard of codes, which the coverage misses.
pub(super) fn dialect() -> Option<Arc<Dialect>> {
    DIALECT.clone()
}

/// Writes what leaves for `east`.
#[derive(Debug, Default)]
pub struct Pen {
    written: Message,
    heard: Message,
    bytes: Vec<u8>,
}

impl Pen {
    /// Writes a message and leaves of it what the bytes say.
    ///
    /// # Errors
    /// What cannot be said in the bank's dialect.
    pub fn write(&mut self, msg: &mut Canonical) -> Result<(), Text<64>> {
        let Some(dialect) = dialect() else { return Err(wire::text("no dialect")) };
        write(&dialect, msg, &mut self.written).map_err(|error| named(&error))?;
        self.bytes.clear();
        pack(&dialect, &self.written, &mut self.bytes).map_err(|error| named(&error))?;
        unpack(&dialect, &self.bytes, &mut self.heard).map_err(|error| named(&error))?;
        self.hear(msg);
        Ok(())
    }

    fn hear(&self, msg: &mut Canonical) {
        let digits = |de| std::str::from_utf8(self.heard.get(de).unwrap_or_default()).ok();
        let minor = digits(4).and_then(|f4| f4.parse().ok());
        msg.processing_code = digits(3).filter(|f3| !f3.is_empty()).map(wire::text);
        msg.amount =
            msg.amount.zip(minor).map(|(amount, minor)| Amount::new(minor, amount.currency));
    }
}

/// An error as a session tells of it.
fn named(error: &impl std::fmt::Display) -> Text<64> {
    let short: String = error.to_string().chars().filter(char::is_ascii_graphic).take(64).collect();
    wire::text(&short)
}
