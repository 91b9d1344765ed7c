//! CMAC (NIST SP 800-38B) with AES and SM4. Its padding is its own.

use super::Padding;
use super::cbc::left;
use super::mac::Engine;
use ::cmac::{Cmac, KeyInit, Mac};
use aes::{Aes128, Aes192, Aes256};
use sm4::Sm4;

/// A CMAC kept as a template: cloned for each message with its key schedule.
struct Template<M>(M);

impl<M: Mac + Clone + Send + Sync> Engine for Template<M> {
    fn run(&self, data: &[u8], _: Padding) -> [u8; 16] {
        left(self.0.clone().chain_update(data))
    }
}

fn template<M>(key: &[u8]) -> Option<Box<dyn Engine>>
where
    M: Mac + KeyInit + Clone + Send + Sync + 'static,
{
    let mac = <M as KeyInit>::new_from_slice(key).ok()?;
    Some(Box::new(Template(mac)))
}

/// AES-CMAC by key length.
pub(super) fn aes(key: &[u8]) -> Option<Box<dyn Engine>> {
    match key.len() {
        16 => template::<Cmac<Aes128>>(key),
        24 => template::<Cmac<Aes192>>(key),
        _ => template::<Cmac<Aes256>>(key),
    }
}

/// SM4-CMAC.
pub(super) fn sm4(key: &[u8]) -> Option<Box<dyn Engine>> {
    template::<Cmac<Sm4>>(key)
}
