//! CBC-MAC, ISO 9797-1 algorithm 1: X9.9 with DES and triple DES, and the same with AES and SM4.

use super::Padding;
use super::mac::Engine;
use aes::{Aes128, Aes192, Aes256};
use cbc_mac::{CbcMac, KeyInit, Mac};
use des::{Des, TdesEde2, TdesEde3};
use sm4::Sm4;

/// A streaming MAC kept as a template: cloned for each message with its key schedule.
pub(super) struct Streaming<M>(M);

impl<M: Mac + Clone + Send + Sync> Engine for Streaming<M> {
    fn run(&self, data: &[u8], padding: Padding) -> [u8; 16] {
        let mut mac = self.0.clone();
        mac.update(data);
        match padding {
            Padding::OneThenZeros => mac.update(&[0x80]),
            // An empty message is one block of zeros; any byte of it brings the rest.
            Padding::Zeros if data.is_empty() => mac.update(&[0]),
            Padding::Zeros => {}
        }
        left(mac)
    }
}

/// The finished MAC, left in sixteen bytes.
pub(super) fn left(mac: impl Mac) -> [u8; 16] {
    let mut out = [0; 16];
    let tag = mac.finalize().into_bytes();
    out.iter_mut().zip(tag.iter()).for_each(|(out, tag)| *out = *tag);
    out
}

/// The template for a key, `None` for a length the cipher does not take.
pub(super) fn streaming<M>(key: &[u8]) -> Option<Box<dyn Engine>>
where
    M: Mac + KeyInit + Clone + Send + Sync + 'static,
{
    let mac = <M as KeyInit>::new_from_slice(key).ok()?;
    Some(Box::new(Streaming(mac)))
}

/// X9.9: DES for 8 bytes of key, triple DES for 16 and 24.
pub(super) fn des(key: &[u8]) -> Option<Box<dyn Engine>> {
    match key.len() {
        8 => streaming::<CbcMac<Des>>(key),
        16 => streaming::<CbcMac<TdesEde2>>(key),
        _ => streaming::<CbcMac<TdesEde3>>(key),
    }
}

/// AES CBC-MAC by key length.
pub(super) fn aes(key: &[u8]) -> Option<Box<dyn Engine>> {
    match key.len() {
        16 => streaming::<CbcMac<Aes128>>(key),
        24 => streaming::<CbcMac<Aes192>>(key),
        _ => streaming::<CbcMac<Aes256>>(key),
    }
}

/// SM4 CBC-MAC.
pub(super) fn sm4(key: &[u8]) -> Option<Box<dyn Engine>> {
    streaming::<CbcMac<Sm4>>(key)
}
