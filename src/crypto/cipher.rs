//! Block ciphers behind one small face, chosen by family and key length.

use super::KeyError;
use aes::{Aes128, Aes192, Aes256};
use des::cipher::{Block, BlockCipherDecrypt, BlockCipherEncrypt, BlockSizeUser, KeyInit};
use des::{Des, TdesEde2, TdesEde3};
use sm4::Sm4;

/// Which cipher a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CipherFamily {
    /// DES for 8 bytes of key, triple DES for 16 and 24.
    Des,
    /// AES with 16, 24 or 32 bytes of key.
    Aes,
    /// SM4 with 16 bytes of key.
    Sm4,
}

/// One block at a time, in place. A slice of another length than a block is left as it is.
pub(super) trait BlockCipher: Send + Sync {
    /// Bytes of a block: 8 or 16.
    fn block_bytes(&self) -> usize;
    fn encrypt(&self, block: &mut [u8]);
    fn decrypt(&self, block: &mut [u8]);
}

impl<C> BlockCipher for C
where
    C: BlockCipherEncrypt + BlockCipherDecrypt + Send + Sync,
{
    fn block_bytes(&self) -> usize {
        <C as BlockSizeUser>::block_size()
    }

    fn encrypt(&self, block: &mut [u8]) {
        if let Ok(block) = <&mut Block<C>>::try_from(block) {
            self.encrypt_block(block);
        }
    }

    fn decrypt(&self, block: &mut [u8]) {
        if let Ok(block) = <&mut Block<C>>::try_from(block) {
            self.decrypt_block(block);
        }
    }
}

/// The cipher of a family for a key.
pub(super) fn of(family: CipherFamily, key: &[u8]) -> Result<Box<dyn BlockCipher>, KeyError> {
    let refuse = |what, expected| KeyError::Length { what, expected, got: key.len() };
    match (family, key.len()) {
        (CipherFamily::Des, 8) => boxed::<Des>(key),
        (CipherFamily::Des, 16) => boxed::<TdesEde2>(key),
        (CipherFamily::Des, 24) => boxed::<TdesEde3>(key),
        (CipherFamily::Aes, 16) => boxed::<Aes128>(key),
        (CipherFamily::Aes, 24) => boxed::<Aes192>(key),
        (CipherFamily::Aes, 32) => boxed::<Aes256>(key),
        (CipherFamily::Sm4, 16) => boxed::<Sm4>(key),
        (CipherFamily::Des, _) => return Err(refuse("DES", "8, 16 or 24")),
        (CipherFamily::Aes, _) => return Err(refuse("AES", "16, 24 or 32")),
        (CipherFamily::Sm4, _) => return Err(refuse("SM4", "16")),
    }
    .ok_or(refuse("the cipher", "another number of"))
}

fn boxed<C: KeyInit + BlockCipher + 'static>(key: &[u8]) -> Option<Box<dyn BlockCipher>> {
    C::new_from_slice(key).ok().map(|cipher| Box::new(cipher) as Box<dyn BlockCipher>)
}

/// The first four bytes of E(key, zeros).
pub(super) fn check_value(cipher: &dyn BlockCipher) -> [u8; 4] {
    let mut block = [0; 16];
    cipher.encrypt(&mut block[..cipher.block_bytes()]);
    [block[0], block[1], block[2], block[3]]
}

/// Decrypts whole blocks one by one (ECB); bytes after the last whole block stay as they are.
pub(super) fn decrypt_blocks(cipher: &dyn BlockCipher, bytes: &mut [u8]) {
    bytes.chunks_exact_mut(cipher.block_bytes()).for_each(|block| cipher.decrypt(block));
}
