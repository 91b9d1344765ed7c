//! The backlog: advices owed to a bank, written into a journal as if a switch had owed them.
//!
//! Contract: `count` entries under STANs from 1 on, the cards in turn; a switch that opens the
//! journal owes them all.

use pointsman::canonical::{Flow, Kind, Reason, TransactionType};
use pointsman::journal::{
    Backend, Batch, Class, DiskBackend, KeyEncryptionKey, Options, Writer, open_keys, os_entropy,
    recover,
};
use pointsman::money::{Amount, Currency};
use pointsman::sensitive::Pan;
use pointsman::switch::record::{BankKeys, CardFacts, Owed, Queued, Record};
use pointsman::text::Text;
use pointsman::time::Wall;
use simulators::clock::{now_ms, stamp};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

/// Wraps the data key of this benchmark's journals only.
pub(crate) const KEY: &str = "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF";
/// Whom it is owed to.
pub(crate) const BANK: &str = "dead";
/// Published test cards; entries of one go in order.
pub(crate) const CARDS: [&str; 12] = [
    "4000056655665556",
    "4005519200000004",
    "4009348888881881",
    "4012000033330026",
    "4012000077777777",
    "4012888888881881",
    "4111111111111111",
    "4217651111111119",
    "4500600000000061",
    "5105105105105100",
    "5200828282828210",
    "5454545454545454",
];

/// The STAN of the entry that its bank never accepts.
pub(crate) const POISON: u32 = 5;
/// Its card; by the order of cards it holds up nobody else.
const POISON_CARD: &str = "4242424242424242";

/// Entries of one batch.
const BATCH: u32 = 2_000;

/// Writes a journal that owes so many advices.
pub(crate) fn write(folder: &Path, count: u32) -> Result<(), Box<dyn Error + Send + Sync>> {
    std::fs::create_dir_all(folder)?;
    let backend: Arc<dyn Backend> = Arc::new(DiskBackend::open(folder)?);
    let key = open_keys(&*backend, &KeyEncryptionKey::from_hex(KEY)?, &mut os_entropy())?;
    let options = Options { segment_bytes: 16 << 20, ..Options::default() };
    let recovered = recover(&*backend, &key, &options, &mut |_| Ok(()))?;
    // Of now: what is older than the journal keeps things would be another measurement.
    let now = Wall::from_millis(i64::try_from(now_ms())?);
    let mut writer = Writer::start(backend, key, options, &recovered, os_entropy(), now)?;
    let mut batch = Batch::new(writer.next());
    for stan in 1..=count {
        batch.push_with(|buffer| Record::Queued(Arc::new(advice(stan, now))).encode(buffer));
        if stan % BATCH == 0 || stan == count {
            writer.append(&mut batch, Class::Ordinary, now)?;
        }
    }
    writer.sync()?;
    Ok(writer.idle(now)?)
}

fn advice(stan: u32, at: Wall) -> Queued {
    let card = if stan == POISON { POISON_CARD } else { CARDS[stan as usize % CARDS.len()] };
    let moment = stamp(at.millis().unsigned_abs());
    let keys = BankKeys {
        stan,
        transmission: text(&moment),
        local_time: text(&moment[4..]),
        local_date: text(&moment[..4]),
        acquirer: text("123456"),
        rrn: Text::new(format!("{stan:012}").as_bytes()).ok(),
        terminal: text("RIV00001"),
        merchant: text("RIVER0000000001"),
        ..BankKeys::default()
    };
    let facts = CardFacts {
        expiry: text("3012"),
        processing_code: text("000000"),
        merchant_type: text("5411"),
        pos_entry_mode: text("051"),
        pos_condition: text("00"),
        ..CardFacts::default()
    };
    Queued {
        pan: Pan::new(card.as_bytes()).ok(),
        amount: Currency::new(978).map(|currency| Amount::new(1_000, currency)),
        facts,
        ..Queued::bare(
            at,
            BANK.parse().unwrap_or_default(),
            (Owed::Repeat, Kind::Transaction(TransactionType::Purchase), Flow::Advice),
            Reason::CustomerCancel,
            keys,
        )
    }
}

fn text<const N: usize>(value: &str) -> Option<Text<N>> {
    value.parse().ok()
}
