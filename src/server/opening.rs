//! Opening the journal: keys, recovery, and a switch that knows what its records say.
//!
//! Contract: the journal is replayed whole before anything else happens; a journal that cannot be
//! read is refused with file, byte and remedy, and nothing is changed. Only where an operator
//! accepted the loss it goes on without what is damaged, and takes a checkpoint, so that the next
//! start does not meet the damage again. Deliberately absent: checkpoints while it runs
//! (`checkpointer`).

use super::at_start::{Acceptance, AtStart};
use super::checkpointer::{Holdings, write_snapshot};
use super::clock::Clock;
use super::crash::{CrashPoints, Point};
use super::inspection::{inspect, losses};
use super::recall_thread::Library;
use super::replaying::replay;
use super::secrets;
use super::start_clock;
use super::wiring::StartError;
use crate::config::settings::{JournalSettings, SecretRef, Settings};
use crate::journal::file::backend::FileName;
use crate::journal::{
    Backend, DataKey, DiskBackend, Extent, Finding, JournalError, KeyEncryptionKey, Options,
    Reader, Recovered, RecoveryError, Retention, Writer, open_keys, os_entropy,
};
use crate::switch::Switch;
use crate::switch::audit::Auditor;
use crate::switch::ids::{Name, RecordNo};
use crate::switch::recall::REPEAT_DAYS;
use crate::time::Wall;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use tracing::{info, warn};
use zeroize::Zeroizing;

/// Where the demo key is kept when no key is configured: beside the data, so it protects nothing.
const DEMO_KEY_FILE: &str = "demo-key.hex";
const DAY_S: u64 = 86_400;

/// A journal ready for its writer thread, and the switch as its records left it, started.
pub(super) struct Opened {
    /// Replayed and started; its first outputs wait.
    pub(super) switch: Switch,
    /// Has seen what was replayed.
    pub(super) auditor: Auditor,
    /// Ready for the switch's next record.
    pub(super) writer: Writer,
    /// Reads beside it.
    pub(super) library: Library,
    /// Bytes of the largest batch.
    pub(super) batch_bytes_max: usize,
    /// Hashes what cannot be understood.
    pub(super) digest_key: Arc<[u8; 32]>,
    /// What checkpoints and retention work on.
    pub(super) holdings: Holdings,
    /// The last record of the newest checkpoint.
    pub(super) covered: RecordNo,
}

/// Opens the journal of `settings` and replays it; a damaged one or, in production, a new one only
/// where an operator says so.
///
/// # Errors
/// Every reason at once.
pub(super) fn open(
    settings: &Settings,
    folder: &Path,
    clock: Clock,
    said: &AtStart,
    crash: &CrashPoints,
) -> Result<Opened, Vec<StartError>> {
    let journal = &settings.journal;
    let home = folder.join(&journal.folder);
    let wrong = |why: String| vec![StartError { key: "journal".to_owned(), why }];
    let backend = DiskBackend::open(&home)
        .map_err(|error| wrong(format!("{}: {}", home.display(), opening_failed(&error))))?;
    let backend = crash.disk(Arc::new(backend));
    begins(&*backend, said, settings.production)
        .map_err(|why| wrong(format!("{}: {why}", home.display())))?;
    let wrap = key_encryption_key(settings, folder, &home).map_err(|error| vec![error])?;
    let told = |error: &dyn std::fmt::Display| wrong(format!("{}: {error}", home.display()));
    let mut entropy = os_entropy();
    let key = open_keys(&*backend, &wrap, &mut entropy).map_err(|error| told(&error))?;
    crash.pass(Some(Point::StartKeys));
    let accept_loss = said.accept_loss.is_some();
    let options = options(journal, accept_loss);
    let seed = getrandom::u64().unwrap_or_default();
    let mut switch = Switch::new(Arc::clone(&settings.policy), seed);
    let (recovered, auditor) =
        timed_replay(&*backend, &key, &options, &mut switch, clock).map_err(|e| told(&e))?;
    let inspected = inspect(&backend, &recovered, accept_loss).map_err(|error| told(&error))?;
    crash.pass(Some(Point::StartReplayed));
    let missing = switch.owed_to_nobody();
    if !missing.is_empty() {
        return Err(missing.into_iter().map(|(bank, count)| nobody(bank, count)).collect());
    }
    let reader = || {
        let reader = Reader::new(Arc::clone(&backend), key.clone(), Arc::clone(&recovered.map));
        reader.without(Arc::clone(&inspected.lost))
    };
    let library = Library { backend: Arc::clone(&backend), reader: reader(), second: reader() };
    start_clock::check(settings, said, clock.wall(), (&mut reader(), switch.last()))?;
    let digest_key = Arc::new(key.digest_key());
    let retention = retention(journal, folder, crash).map_err(|error| vec![error])?;
    let (held, map) = (Arc::clone(&backend), Arc::clone(&recovered.map));
    let writer = Writer::start(held, key.clone(), options, &recovered, entropy, clock.wall())
        .map_err(|error| told(&error))?;
    let extent = writer.extent();
    if let Some(accepted) = &said.accept_loss {
        accept(&extent, accepted, &inspected.new, clock.wall()).map_err(|error| told(&error))?;
    }
    tell_losses(&extent);
    let mut covered = RecordNo(recovered.checkpoint.unwrap_or(0));
    if recovered.needs_checkpoint {
        let upto = switch.last();
        write_snapshot(&*backend, &key, &map, switch.snapshot()).map_err(|error| told(&error))?;
        warn!(upto = upto.0, "the loss is accepted and a checkpoint taken behind it");
        covered = upto;
    }
    let shelf = writer.shelf();
    let holdings = Holdings { backend, key, map, shelf, extent, retention };
    #[cfg(feature = "faults")]
    plant(&mut switch).map_err(|error| vec![error])?;
    crash.pass(Some(Point::StartOpened));
    switch.start(clock.now());
    crash.pass(Some(Point::StartSettled));
    let batch_bytes_max = options.batch_bytes_max();
    Ok(Opened { switch, auditor, writer, library, batch_bytes_max, digest_key, holdings, covered })
}

/// Whether a journal may begin here: in production an empty folder is one only where somebody says
/// so. A disk that is not mounted looks the same.
fn begins(backend: &dyn Backend, said: &AtStart, production: bool) -> Result<(), String> {
    let files = backend.list().map_err(|error| error.to_string())?;
    // The keys alone are what a first start leaves that did not come far.
    let holds = files.iter().any(|(name, _)| !matches!(name, FileName::Keys | FileName::Blank(_)));
    match (holds, said.first_start) {
        (false, false) if production => {
            Err("there is no journal here: is the disk mounted? A new \
            one begins with: pointsman serve CONFIG --first-start"
                .to_owned())
        }
        (true, true) => {
            Err("there is a journal here already: start without --first-start".to_owned())
        }
        _ => Ok(()),
    }
}

/// Writes down whose decision it was to go on without what is lost.
fn accept(
    extent: &Extent,
    accepted: &Acceptance,
    new: &[Finding],
    now: Wall,
) -> Result<(), JournalError> {
    extent.state_that(|said| said.losses.extend(losses(new, accepted, now)))
}

/// Says what was ever accepted: it stays visible.
fn tell_losses(extent: &Extent) {
    for loss in extent.said().losses {
        warn!("an accepted loss stands in the journal: {loss}");
    }
}

/// The planted bug that the environment names, so that what watches the whole process can be
/// proved to find it; never in a release.
#[cfg(feature = "faults")]
#[expect(clippy::disallowed_methods, reason = "a test tells the process where to break")]
fn plant(switch: &mut Switch) -> Result<(), StartError> {
    use crate::switch::plants::Plant;
    const NAME: &str = "POINTSMAN_PLANT";
    match std::env::var(NAME).as_deref() {
        Err(_) => Ok(()),
        Ok("reply-before-fsync") => {
            switch.plant(Plant::ReplyBeforeFsync);
            Ok(())
        }
        Ok(other) => {
            let why = format!("{other}: no such bug here; known: reply-before-fsync");
            Err(StartError { key: NAME.to_owned(), why })
        }
    }
}

/// How long segments are kept, at least as long as originals can be recalled, and the folder they
/// go to then.
fn retention(
    journal: &JournalSettings,
    folder: &Path,
    crash: &CrashPoints,
) -> Result<Retention, StartError> {
    let recall_s = journal.recall.as_secs();
    if recall_s < u64::from(REPEAT_DAYS) * DAY_S {
        warn!(
            recall_s,
            "originals older than journal.recall_s are not found: their late reversals go to the \
             desk and not to the bank; fit for tests only"
        );
    }
    let keep_s = (u64::from(journal.keep_days) * DAY_S).max(recall_s);
    let keep_s = if crash.retires_at_once() { 0 } else { keep_s };
    let keep_ms = i64::try_from(keep_s).unwrap_or(i64::MAX).saturating_mul(1_000);
    let Some(name) = &journal.archive else { return Ok(Retention { keep_ms, archive: None }) };
    let place = folder.join(name);
    let opened = DiskBackend::open(&place).map_err(|error| StartError {
        key: "journal.archive".to_owned(),
        why: format!("{}: {}", place.display(), opening_failed(&error)),
    })?;
    Ok(Retention { keep_ms, archive: Some(crash.archive(Arc::new(opened))) })
}

fn nobody(bank: Name, count: usize) -> StartError {
    let why = format!(
        "is not configured, but {count} of its transactions are open or owe it a message: \
         configure it until they are settled"
    );
    StartError { key: format!("bank.{bank}"), why }
}

fn opening_failed(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::WouldBlock => "another process holds this journal".to_owned(),
        _ => error.to_string(),
    }
}

fn options(journal: &JournalSettings, accept_loss: bool) -> Options {
    let segment_bytes = u32::try_from(journal.segment_bytes).unwrap_or(u32::MAX);
    Options { segment_bytes, accept_loss, ..Options::default() }
}

fn timed_replay(
    backend: &dyn Backend,
    key: &DataKey,
    options: &Options,
    switch: &mut Switch,
    clock: Clock,
) -> Result<(Recovered, Auditor), RecoveryError> {
    let began = clock.mono();
    let (recovered, auditor) = replay(backend, key, options, switch)?;
    for finding in &recovered.findings {
        warn!("{finding}");
    }
    let took_ms = clock.mono().since(began).as_millis() as u64;
    let checkpoint = recovered.checkpoint.unwrap_or(0);
    info!(checkpoint, records = recovered.records, took_ms, "journal replayed");
    Ok((recovered, auditor))
}

/// Whether the configured key can be read; none configured is not an error here.
///
/// # Errors
/// A key file or variable that is missing, or no key.
pub(super) fn check_key(journal: &JournalSettings, folder: &Path) -> Result<(), StartError> {
    journal.key.as_ref().map_or(Ok(()), |secret| configured_key(secret, folder).map(drop))
}

fn configured_key(secret: &SecretRef, folder: &Path) -> Result<KeyEncryptionKey, StartError> {
    let text = secrets::resolve(secret, folder).map_err(|error| bad_key(&error))?;
    let named = |error| bad_key(&format!("{}: {error}", secrets::reference(secret)));
    KeyEncryptionKey::from_hex(&text).map_err(named)
}

fn bad_key(why: &dyn std::fmt::Display) -> StartError {
    StartError { key: "journal.key".to_owned(), why: why.to_string() }
}

fn key_encryption_key(
    settings: &Settings,
    folder: &Path,
    home: &Path,
) -> Result<KeyEncryptionKey, StartError> {
    match &settings.journal.key {
        Some(secret) => configured_key(secret, folder),
        None if settings.production => {
            Err(bad_key(&"is missing: production = true needs a key of its own"))
        }
        None => {
            let text = demo_key(home);
            let text = text.map_err(|error| bad_key(&format!("{DEMO_KEY_FILE}: {error}")))?;
            KeyEncryptionKey::from_hex(&text).map_err(|error| bad_key(&error))
        }
    }
}

/// The key beside the data, made on first use.
fn demo_key(home: &Path) -> std::io::Result<Zeroizing<String>> {
    let path = home.join(DEMO_KEY_FILE);
    warn!(
        file = %path.display(),
        "NO JOURNAL KEY IS CONFIGURED: a demo key lies beside the data and protects nothing; \
         set journal.key before any real card number comes near"
    );
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut bytes = Zeroizing::new([0_u8; 32]);
            getrandom::fill(bytes.as_mut()).map_err(|e| std::io::Error::other(e.to_string()))?;
            let text = Zeroizing::new(bytes.iter().map(|b| format!("{b:02x}")).collect::<String>());
            let mut file =
                std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            Ok(text)
        }
        Err(error) => Err(error),
    }
}
