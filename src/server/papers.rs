//! Certificates and keys of TLS lines: read at start and again at every reload.
//!
//! Contract: a renewal takes all lines or none. Errors name the setting and the file, never
//! what is in it.

use super::clock::Clock;
use super::secrets;
use super::wiring::StartError;
use crate::config::settings::TlsSettings;
use crate::link::tls::{LineTls, Papers, Renewal, TlsError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;
use zeroize::Zeroizing;

/// TLS of one line and where its papers are.
#[derive(Debug, Clone)]
pub(super) struct LinePapers {
    /// The setting, as the configuration spells it.
    key: String,
    settings: TlsSettings,
    calls: bool,
    line: Arc<LineTls>,
    clock: Clock,
}

impl LinePapers {
    /// Reads and checks them for the first time. `calls`: we call on this line. A certificate that
    /// has expired is warned of: the other lines are to start.
    pub(super) fn open(
        key: String,
        settings: TlsSettings,
        calls: bool,
        (folder, clock): (&Path, Clock),
    ) -> Result<Self, StartError> {
        let papers = read(&key, &settings, folder)?;
        if let Err(error) = LineTls::check_dates(&papers, since_1970(clock)) {
            let why = told(&key, &settings, &error);
            warn!(%why, "no peer will shake hands on this line");
        }
        let line = LineTls::new(&papers, calls).map_err(|e| told(&key, &settings, &e))?;
        Ok(Self { key, settings, calls, line: Arc::new(line), clock })
    }

    /// The line's TLS.
    pub(super) fn line(&self) -> Arc<LineTls> {
        Arc::clone(&self.line)
    }

    fn check(&self, folder: &Path) -> Result<Renewal, StartError> {
        let papers = read(&self.key, &self.settings, folder)?;
        let checked = LineTls::check_dates(&papers, since_1970(self.clock))
            .and_then(|()| LineTls::check(&papers, self.calls));
        checked.map_err(|error| told(&self.key, &self.settings, &error))
    }
}

fn since_1970(clock: Clock) -> Duration {
    Duration::from_millis(u64::try_from(clock.wall().millis()).unwrap_or(0))
}

/// Renews all, or none and says why.
pub(super) fn renew(lines: &[LinePapers], folder: &Path) -> Result<(), Vec<StartError>> {
    let (mut renewals, mut errors) = (Vec::new(), Vec::new());
    for line in lines {
        match line.check(folder) {
            Ok(renewal) => renewals.push((line, renewal)),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        renewals.into_iter().for_each(|(line, renewal)| line.line.renew(renewal));
        return Ok(());
    }
    Err(errors)
}

fn read(key: &str, settings: &TlsSettings, folder: &Path) -> Result<Papers, StartError> {
    let file = |name: &str, path: &str| {
        std::fs::read(folder.join(path))
            .map_err(|e| StartError { key: format!("{key}.{name}"), why: format!("{path}: {e}") })
    };
    let private = secrets::resolve_whole(&settings.key, folder);
    let private =
        private.map_err(|e| StartError { key: format!("{key}.key"), why: e.to_string() })?;
    Ok(Papers {
        certificate: file("certificate", &settings.certificate)?,
        key: Zeroizing::new(private.as_bytes().to_vec()),
        authorities: file("authorities", &settings.authorities)?,
        peers: settings.peers.clone(),
    })
}

fn told(key: &str, settings: &TlsSettings, error: &TlsError) -> StartError {
    let reference = secrets::reference(&settings.key);
    match error {
        TlsError::Paper { file, why } => {
            let path = match *file {
                "certificate" => settings.certificate.as_str(),
                "authorities" => settings.authorities.as_str(),
                "key" => reference.as_str(),
                _ => "",
            };
            let why = if path.is_empty() { why.clone() } else { format!("{path}: {why}") };
            StartError { key: format!("{key}.{file}"), why }
        }
        other => StartError { key: key.to_owned(), why: other.to_string() },
    }
}
