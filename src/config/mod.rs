//! Configuration: TOML text to a validated policy; reads no files.
