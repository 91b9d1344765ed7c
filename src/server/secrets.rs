//! Where secret references become secrets: the one place that reads key files and `env:`.
//!
//! Contract: what is read is wiped after use; errors name the reference, never the value.

use crate::config::settings::SecretRef;
use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use zeroize::Zeroizing;

/// Why a secret could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretError {
    /// The reference as it is configured.
    pub reference: String,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reference, self.why)
    }
}

/// A reference as it is configured, to name it in an error.
pub fn reference(secret: &SecretRef) -> String {
    match secret {
        SecretRef::File(path) => format!("file:{path}"),
        SecretRef::Env(name) => format!("env:{name}"),
    }
}

/// The text a reference stands for: the first line of the file (relative to `folder`), or the
/// variable.
///
/// # Errors
/// A file that cannot be read or is empty, a variable that is not set.
pub fn resolve(secret: &SecretRef, folder: &Path) -> Result<Zeroizing<String>, SecretError> {
    let text = resolve_whole(secret, folder)?;
    let line = text.lines().next().unwrap_or_default().trim().to_owned();
    if line.is_empty() {
        let why = "is empty".to_owned();
        return Err(SecretError { reference: reference(secret), why });
    }
    Ok(Zeroizing::new(line))
}

/// The whole text a reference stands for, such as a private key in PEM.
///
/// # Errors
/// A file that cannot be read, a variable that is not set.
pub fn resolve_whole(secret: &SecretRef, folder: &Path) -> Result<Zeroizing<String>, SecretError> {
    let found = match secret {
        SecretRef::File(path) => {
            let path = folder.join(path);
            let text = std::fs::read_to_string(&path).map(Zeroizing::new);
            text.map_err(|error| error.to_string()).and_then(|text| guarded(&path).map(|()| text))
        }
        SecretRef::Env(name) => variable(name),
    };
    found.map_err(|why| SecretError { reference: reference(secret), why })
}

/// Whether a file keeps its secret: one that everybody can write is refused, one that everybody can
/// read is warned of.
fn guarded(path: &Path) -> Result<(), String> {
    const OTHERS_READ: u32 = 0o004;
    const OTHERS_WRITE: u32 = 0o002;
    let mode = std::fs::metadata(path).map_err(|error| error.to_string())?.permissions().mode();
    if mode & OTHERS_WRITE != 0 {
        return Err(format!("everybody may write it (mode {:o}): chmod 600", mode & 0o777));
    }
    if mode & OTHERS_READ != 0 {
        tracing::warn!(file = %path.display(), "everybody may read this secret: chmod 600");
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "this is the one place where `env:` is resolved")]
fn variable(name: &str) -> Result<Zeroizing<String>, String> {
    std::env::var(name).map(Zeroizing::new).map_err(|_| "is not set".to_owned())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_key_file_that_everybody_may_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mak.hex");
        std::fs::write(&path, "0123").unwrap();
        for (mode, good) in [(0o600, true), (0o644, true), (0o660, true), (0o666, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let read = resolve(&SecretRef::File("mak.hex".to_owned()), folder.path());
            assert_eq!(read.is_ok(), good, "{mode:o}");
        }
    }

    #[test]
    fn a_key_file_is_read_from_the_configuration_s_folder_and_errors_name_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mak.hex"), "0123 \nignored\n").unwrap();
        std::fs::write(folder.path().join("empty.hex"), "\n").unwrap();
        let read = |name: &str| resolve(&SecretRef::File(name.to_owned()), folder.path());
        assert_eq!(read("mak.hex").unwrap().as_str(), "0123");
        assert_eq!(read("empty.hex").unwrap_err().to_string(), "file:empty.hex: is empty");
        assert!(read("none.hex").unwrap_err().to_string().starts_with("file:none.hex: "));
        let unset = resolve(&SecretRef::Env("POINTSMAN_NO_SUCH_KEY".to_owned()), folder.path());
        assert_eq!(unset.unwrap_err().to_string(), "env:POINTSMAN_NO_SUCH_KEY: is not set");
    }
}
