//! The UnionPay POS MAC: all blocks XORed into one, the fold written as hexadecimal text, its
//! first half encrypted, XORed with the second, encrypted again (domain.md section 5).
//!
//! Two rounds whatever the message's length. As a MAC it is weak: any two messages with the
//! same fold share it. The scheme prescribes it.

use super::Padding;
use super::cipher::BlockCipher;
use super::mac::Engine;
use crate::hex;
use des::cipher::KeyInit;
use des::{Des, TdesEde2, TdesEde3};
use sm4::Sm4;

/// The fold with a cipher of 8- or 16-byte blocks.
struct Fold<C>(C);

impl<C: BlockCipher> Engine for Fold<C> {
    fn run(&self, data: &[u8], _: Padding) -> [u8; 16] {
        let block = self.0.block_bytes();
        let text = hex_text(folded(data, block));
        let (first, rest) = text.split_at(block);
        let mut out = [0; 16];
        out[..block].copy_from_slice(first);
        self.0.encrypt(&mut out[..block]);
        out.iter_mut().zip(&rest[..block]).for_each(|(out, text)| *out ^= text);
        self.0.encrypt(&mut out[..block]);
        out
    }
}

/// XOR of all blocks, the last filled with zeros; stands left in the sixteen bytes.
pub(super) fn folded(data: &[u8], block: usize) -> [u8; 16] {
    let mut fold = [0; 16];
    for part in data.chunks(block) {
        fold.iter_mut().zip(part).for_each(|(fold, byte)| *fold ^= byte);
    }
    fold
}

/// Sixteen bytes as upper-case hexadecimal characters.
pub(super) fn hex_text(bytes: [u8; 16]) -> [u8; 32] {
    let mut text = [0; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[hex::digit(byte >> 4), hex::digit(byte)]);
    }
    text
}

fn fold<C: KeyInit + BlockCipher + 'static>(key: &[u8]) -> Option<Box<dyn Engine>> {
    C::new_from_slice(key).ok().map(|cipher| Box::new(Fold(cipher)) as Box<dyn Engine>)
}

/// DES for 8 bytes of key, triple DES for 16 and 24.
pub(super) fn des(key: &[u8]) -> Option<Box<dyn Engine>> {
    match key.len() {
        8 => fold::<Des>(key),
        16 => fold::<TdesEde2>(key),
        _ => fold::<TdesEde3>(key),
    }
}

/// SM4, blocks of sixteen bytes.
pub(super) fn sm4(key: &[u8]) -> Option<Box<dyn Engine>> {
    fold::<Sm4>(key)
}
