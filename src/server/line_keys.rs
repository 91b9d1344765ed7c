//! What stands behind the secrets of a configuration: MAC keys, master keys, the operators' token.
//!
//! Contract: errors name the setting and the reference, never what is behind it. All lines of one
//! bank share what its sign-ins bring. Deliberately absent: certificates ([`super::papers`]).

use super::clock::Clock;
use super::secrets;
use super::wiring::{StartError, key_of};
use crate::config::settings::{
    AdminSettings, LineSettings, MasterKeySettings, SecretRef, Settings,
};
use crate::crypto::{MacKey, MacStatement, SecretKey};
use crate::link::keys::{LineKeys, MasterKeys, SignedInKeys};
use crate::switch::policy::Owner;
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The keys of all lines.
pub(super) struct KeyRing<'s> {
    settings: &'s Settings,
    folder: &'s Path,
    clock: Clock,
    /// What sign-ins bring, by bank: all its lines share it.
    signed_in: Vec<(Owner, Arc<SignedInKeys>)>,
}

impl<'s> KeyRing<'s> {
    /// For these settings; `folder` is the configuration's.
    pub(super) fn new(settings: &'s Settings, folder: &'s Path, clock: Clock) -> Self {
        Self { settings, folder, clock, signed_in: Vec::new() }
    }

    /// Where a line's MAC keys come from.
    pub(super) fn of(
        &mut self,
        line: usize,
        settings: &LineSettings,
    ) -> Result<LineKeys, StartError> {
        if let Some(mac) = &settings.mac {
            let key = key_of(self.settings, line, "mac_key");
            let statement = statement(settings, mac.statement, &key)?;
            let secret = self.secret(&mac.key, &key)?;
            let wrong =
                |e| StartError { why: format!("{}: {e}", secrets::reference(&mac.key)), key };
            return MacKey::new(&statement, &secret).map(LineKeys::Fixed).map_err(wrong);
        }
        let Some(master) = &settings.master else { return Ok(LineKeys::None) };
        let Some(owner) = self.settings.policy.lines.get(line).map(|l| l.owner) else {
            return Ok(LineKeys::None);
        };
        let known = self.signed_in.iter().find(|(whose, _)| *whose == owner);
        if let Some((_, keys)) = known {
            return Ok(LineKeys::SignedIn(Arc::clone(keys)));
        }
        let keys = Arc::new(self.signed_in_keys(line, settings, master)?);
        self.signed_in.push((owner, Arc::clone(&keys)));
        Ok(LineKeys::SignedIn(keys))
    }

    fn signed_in_keys(
        &self,
        line: usize,
        settings: &LineSettings,
        master: &MasterKeySettings,
    ) -> Result<SignedInKeys, StartError> {
        let key = key_of(self.settings, line, "master_key");
        let rule = settings.dialect.rules().keys().copied().ok_or_else(|| StartError {
            key: key.clone(),
            why: "the dialect's sign-on brings no keys".to_owned(),
        })?;
        let mut masters = MasterKeys::default();
        for (terminal, reference) in &master.keys {
            let secret = self.secret(reference, &key)?;
            secret.kcv(rule.cipher).map_err(|e| StartError {
                key: key.clone(),
                why: format!("{}: {e}", secrets::reference(reference)),
            })?;
            match terminal {
                Some(terminal) => drop(masters.terminals.insert(terminal.trimmed(), secret)),
                None => masters.others = Some(secret),
            }
        }
        let clock = self.clock;
        let clock = Arc::new(move || clock.mono());
        let statement = statement(settings, master.statement, &key)?;
        Ok(SignedInKeys::new(masters, rule, statement, master.keep, clock))
    }

    /// The key a reference stands for; `key` is the setting that holds the reference.
    fn secret(&self, reference: &SecretRef, key: &str) -> Result<SecretKey, StartError> {
        let wrong = |why: String| StartError { key: key.to_owned(), why };
        let text = secrets::resolve(reference, self.folder).map_err(|e| wrong(e.to_string()))?;
        let read = SecretKey::from_hex(&text);
        read.map_err(|e| wrong(format!("{}: {e}", secrets::reference(reference))))
    }
}

/// How a line's MACs are computed: as configured, or as its dialect says.
fn statement(
    settings: &LineSettings,
    own: Option<MacStatement>,
    key: &str,
) -> Result<MacStatement, StartError> {
    let stated = own.or_else(|| settings.dialect.rules().mac().map(|rule| rule.statement));
    let why = "the dialect has no MAC";
    stated.ok_or_else(|| StartError { key: key.to_owned(), why: why.to_owned() })
}

/// Shorter tokens are guessed.
const TOKEN_MIN: usize = 16;

/// What operators must show, where that is configured.
pub(super) fn token(
    admin: Option<&AdminSettings>,
    folder: &Path,
) -> Result<Option<Zeroizing<String>>, StartError> {
    let Some(secret) = admin.and_then(|admin| admin.token.as_ref()) else { return Ok(None) };
    let wrong = |why: String| StartError { key: "admin.token".to_owned(), why };
    let token = secrets::resolve(secret, folder).map_err(|error| wrong(error.to_string()))?;
    if token.len() < TOKEN_MIN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let expected = format!("expected at least {TOKEN_MIN} printable characters without spaces");
        return Err(wrong(format!("{}: {expected}", secrets::reference(secret))));
    }
    Ok(Some(token))
}
