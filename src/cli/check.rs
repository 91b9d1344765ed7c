//! `pointsman check CONFIG`: everything that can be known to be wrong before starting.
//!
//! Contract: every error at once, one line each, with file, line and key; exit code 1 if there is
//! one. Reads the dialects and the key files, binds nothing, opens no journal. Also how `serve`
//! reads its configuration.

use super::tell;
use crate::config::settings::Settings;
use crate::config::{ConfigError, load as load_text};
use crate::iso8583::shipped;
use crate::server::wiring::check_keys;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file.
    #[arg(value_name = "CONFIG")]
    config: PathBuf,
}

/// Runs `check`.
///
/// # Errors
/// What cannot be written; a bad configuration is exit code 1.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Some(settings) = load_or_tell(&args.config) else { return Ok(ExitCode::from(1)) };
    let errors = check_keys(&settings, folder_of(&args.config));
    for error in &errors {
        complain!("pointsman: {}: {error}", args.config.display());
    }
    if !errors.is_empty() {
        return Ok(ExitCode::from(1));
    }
    let policy = &settings.policy;
    tell(&format!(
        "{}: ok, {} platforms, {} banks, {} lines, {} routes\n",
        args.config.display(),
        policy.platforms.len(),
        policy.banks.len(),
        policy.lines.len(),
        policy.routes.len()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Paths in a configuration are relative to where it lies.
pub(super) fn folder_of(config: &Path) -> &Path {
    config.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Reads a configuration and prints its errors on standard error.
pub(super) fn load_or_tell(config: &Path) -> Option<Settings> {
    load(config)
        .map_err(|errors| {
            for error in errors {
                complain!("pointsman: {}: {error}", config.display());
            }
        })
        .ok()
}

/// Reads a configuration; dialects are shipped ones, or files beside it (`NAME.toml`).
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn load(config: &Path) -> Result<Settings, Vec<ConfigError>> {
    let unreadable = |error: std::io::Error| {
        vec![ConfigError { line: 0, key: "file".to_owned(), why: error.to_string() }]
    };
    let text = std::fs::read_to_string(config).map_err(unreadable)?;
    let folder = folder_of(config);
    let beside = |name: &str| {
        let path = if name.ends_with(".toml") { name.to_owned() } else { format!("{name}.toml") };
        std::fs::read_to_string(folder.join(path)).ok()
    };
    let dialect = |name: &str| shipped(name).map(str::to_owned).or_else(|| beside(name));
    load_text(&text, &dialect).map_err(|errors| errors.0)
}
