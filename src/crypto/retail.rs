//! X9.19, ISO 9797-1 algorithm 3, the "retail MAC": CBC with the first half of the key, the
//! last block decrypted with the second and encrypted with the first.

use super::cbc::streaming;
use super::mac::Engine;
use des::Des;
use retail_mac::RetailMac;

/// Sixteen bytes of key: two DES keys.
pub(super) fn des(key: &[u8]) -> Option<Box<dyn Engine>> {
    // The crate would halve a key of any length.
    (key.len() == 16).then(|| streaming::<RetailMac<Des>>(key))?
}
