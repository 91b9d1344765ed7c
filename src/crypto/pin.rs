//! PIN blocks of ISO 9564: formats 0, 1, 3 and 4, and which may become which.
//!
//! Contract: pure; what is random in a block is given by the caller. [`Pin`] and
//! [`ClearPinBlock`] are wiped on drop and print nothing. A clear block exists only between two
//! keys: nothing here writes one anywhere. Deliberately absent: format 2 (between card and
//! terminal only) and verification of PINs.

use super::cipher::{self, CipherFamily};
use super::{KeyError, SecretKey};
use crate::sensitive::{Pan, PinBlock};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Format of a PIN block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinFormat {
    /// ISO 0: bound to the card number.
    Iso0,
    /// ISO 1: not bound to a card number.
    Iso1,
    /// ISO 3: as 0, with random filler.
    Iso3,
    /// ISO 4: sixteen bytes, AES.
    Iso4,
}

/// A PIN: 4 to 12 digits.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Pin {
    digits: [u8; 12],
    len: usize,
}

/// Eight bytes of PIN block in the clear, formats 0, 1 and 3.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct ClearPinBlock([u8; 8]);

/// Why a PIN block was refused. Holds nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// Not 4 to 12 digits.
    #[error("a PIN has 4 to 12 digits")]
    NotAPin,
    /// The block is not of that format, or belongs to another card or key.
    #[error("not a PIN block of {0:?}: wrong key, card number or format")]
    NotABlock(PinFormat),
    /// A card number this format cannot take.
    #[error("{0:?} needs a card number of at least 13 digits")]
    Pan(PinFormat),
    /// A format with another function or cipher.
    #[error("{0:?} is enciphered in two rounds of AES: use `encipher_iso4` and `decipher_iso4`")]
    Iso4(PinFormat),
    /// A key of a wrong length.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// PCI PIN forbids it.
    #[error("a PIN block of {from:?} must not become {to:?}{}", pan_words(.pan))]
    Translation {
        /// Format received.
        from: PinFormat,
        /// Format wanted.
        to: PinFormat,
        /// Whether the card number stays.
        pan: PanChange,
    },
}

/// Whether the card number a block is bound to stays the same in a translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PanChange {
    /// The same card number.
    Same,
    /// Another card number or token.
    Changed,
}

fn pan_words(pan: &PanChange) -> &'static str {
    match pan {
        PanChange::Same => "",
        PanChange::Changed => " when the card number changes",
    }
}

/// The translation rule of PCI PIN (domain.md section 5): formats bound to a card number become
/// one another for the same card number only, and never one that is not bound.
///
/// # Errors
/// [`PinError::Translation`] for what is forbidden.
pub fn may_translate(from: PinFormat, to: PinFormat, pan: PanChange) -> Result<(), PinError> {
    let bound = |format| format != PinFormat::Iso1;
    match (bound(from), bound(to), pan) {
        (true, true, PanChange::Same) | (false, _, _) => Ok(()),
        (true, _, _) => Err(PinError::Translation { from, to, pan }),
    }
}

impl Pin {
    /// Takes 4 to 12 ASCII digits.
    ///
    /// # Errors
    /// [`PinError::NotAPin`].
    pub fn new(digits: &[u8]) -> Result<Self, PinError> {
        if !(4..=12).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
            return Err(PinError::NotAPin);
        }
        let mut pin = Self { digits: [0; 12], len: digits.len() };
        pin.digits.iter_mut().zip(digits).for_each(|(held, digit)| *held = digit - b'0');
        Ok(pin)
    }

    /// Control nibble, length, digits; the rest is `filler(place)`.
    fn nibbles(&self, control: u8, filler: impl Fn(usize) -> u8) -> Zeroizing<[u8; 16]> {
        let mut nibbles = Zeroizing::new([0; 16]);
        nibbles[0] = control;
        nibbles[1] = self.len as u8;
        for place in 2..16 {
            let digit = self.digits.get(..self.len).and_then(|digits| digits.get(place - 2));
            nibbles[place] = digit.copied().unwrap_or_else(|| filler(place) & 0x0F);
        }
        nibbles
    }

    /// The PIN in unfolded nibbles, where control, length, digits and filler are right.
    fn from_nibbles(nibbles: &[u8; 16], format: PinFormat) -> Result<Self, PinError> {
        let (control, filler): (u8, fn(u8) -> bool) = match format {
            PinFormat::Iso0 => (0, |n| n == 0xF),
            PinFormat::Iso1 => (1, |_| true),
            PinFormat::Iso3 => (3, |n| n >= 0xA),
            PinFormat::Iso4 => (4, |n| n == 0xA),
        };
        let refused = PinError::NotABlock(format);
        let len = usize::from(nibbles[1]);
        if nibbles[0] != control || !(4..=12).contains(&len) {
            return Err(refused);
        }
        let (digits, rest) = nibbles[2..].split_at(len);
        if digits.iter().any(|d| *d > 9) || !rest.iter().all(|n| filler(*n)) {
            return Err(refused);
        }
        let mut pin = Self { digits: [0; 12], len };
        pin.digits[..len].copy_from_slice(digits);
        Ok(pin)
    }
}

impl ClearPinBlock {
    /// Encodes a PIN. `random` fills formats 1 and 3 and is ignored by format 0; `pan` binds
    /// formats 0 and 3 and is ignored by format 1.
    ///
    /// # Errors
    /// [`PinError::Pan`] for a card number under 13 digits, [`PinError::Iso4`].
    pub fn encode(
        format: PinFormat,
        pin: &Pin,
        pan: &Pan,
        random: [u8; 8],
    ) -> Result<Self, PinError> {
        let random = unfold(random);
        let nibbles = match format {
            PinFormat::Iso0 => pin.nibbles(0, |_| 0xF),
            PinFormat::Iso1 => pin.nibbles(1, |place| random[place]),
            PinFormat::Iso3 => pin.nibbles(3, |place| 0xA + random[place] % 6),
            PinFormat::Iso4 => return Err(PinError::Iso4(format)),
        };
        let mut block = Self(folded(&nibbles));
        block.bind(format, pan)?;
        Ok(block)
    }

    /// The PIN of a block.
    ///
    /// # Errors
    /// [`PinError::NotABlock`] when format, card number or key was another.
    pub fn decode(&self, format: PinFormat, pan: &Pan) -> Result<Pin, PinError> {
        if format == PinFormat::Iso4 {
            return Err(PinError::Iso4(format));
        }
        let mut block = self.clone();
        block.bind(format, pan)?;
        Pin::from_nibbles(&unfold(block.0), format)
    }

    /// XORs the card number's twelve digits before the check digit into the last six bytes.
    fn bind(&mut self, format: PinFormat, pan: &Pan) -> Result<(), PinError> {
        if format == PinFormat::Iso1 {
            return Ok(());
        }
        let digits = pan.expose();
        let from = digits.len().checked_sub(13).ok_or(PinError::Pan(format))?;
        for (i, digit) in digits[from..from + 12].iter().enumerate() {
            let nibble = digit & 0x0F;
            self.0[2 + i / 2] ^= if i % 2 == 0 { nibble << 4 } else { nibble };
        }
        Ok(())
    }

    /// The block under a DES key, as it stands in F52.
    ///
    /// # Errors
    /// [`PinError::Key`] when DES does not take such a key.
    pub fn encipher(&self, key: &SecretKey) -> Result<PinBlock, PinError> {
        let mut block = self.0;
        cipher::of(CipherFamily::Des, key.material())?.encrypt(&mut block);
        PinBlock::new(&block).map_err(|_| PinError::NotABlock(PinFormat::Iso0))
    }

    /// Opens F52 with a DES key. Whether it was a PIN block, [`ClearPinBlock::decode`] tells.
    ///
    /// # Errors
    /// [`PinError::Key`], or [`PinError::NotABlock`] when it has not eight bytes.
    pub fn decipher(key: &SecretKey, block: &PinBlock) -> Result<Self, PinError> {
        let bytes = block.expose().try_into();
        let mut clear = Self(bytes.map_err(|_| PinError::NotABlock(PinFormat::Iso0))?);
        cipher::of(CipherFamily::Des, key.material())?.decrypt(&mut clear.0);
        Ok(clear)
    }
}

/// A PIN as a block of format 4 under an AES key: E(E(PIN field) XOR card number field).
///
/// # Errors
/// [`PinError::Key`] when AES does not take such a key.
pub fn encipher_iso4(
    key: &SecretKey,
    pin: &Pin,
    pan: &Pan,
    random: [u8; 8],
) -> Result<PinBlock, PinError> {
    let aes = cipher::of(CipherFamily::Aes, key.material())?;
    let mut block = Zeroizing::new([0; 16]);
    block[..8].copy_from_slice(&folded(&pin.nibbles(4, |_| 0xA)));
    block[8..].copy_from_slice(&random);
    aes.encrypt(&mut *block);
    xor(&mut block, &pan_field(pan));
    aes.encrypt(&mut *block);
    PinBlock::new(&*block).map_err(|_| PinError::NotABlock(PinFormat::Iso4))
}

/// The PIN of a block of format 4 under an AES key.
///
/// # Errors
/// [`PinError::NotABlock`] when format, card number or key was another, [`PinError::Key`].
pub fn decipher_iso4(key: &SecretKey, block: &PinBlock, pan: &Pan) -> Result<Pin, PinError> {
    let aes = cipher::of(CipherFamily::Aes, key.material())?;
    let refused = PinError::NotABlock(PinFormat::Iso4);
    let mut clear = Zeroizing::new([0; 16]);
    clear.copy_from_slice(<&[u8; 16]>::try_from(block.expose()).map_err(|_| refused)?);
    aes.decrypt(&mut *clear);
    xor(&mut clear, &pan_field(pan));
    aes.decrypt(&mut *clear);
    let field = clear.first_chunk::<8>().ok_or(refused)?;
    Pin::from_nibbles(&unfold(*field), PinFormat::Iso4)
}

/// Length over twelve, then the card number, short ones right-justified in twelve; zeros.
fn pan_field(pan: &Pan) -> Zeroizing<[u8; 16]> {
    let digits = pan.expose();
    let shift = 1 + 12usize.saturating_sub(digits.len());
    let mut field = Zeroizing::new([0; 16]);
    field[0] = (digits.len().saturating_sub(12) as u8) << 4;
    for (i, digit) in digits.iter().enumerate() {
        let (at, nibble) = (shift + i, digit & 0x0F);
        field[at / 2] |= if at % 2 == 0 { nibble << 4 } else { nibble };
    }
    field
}

fn xor(block: &mut [u8; 16], other: &[u8; 16]) {
    block.iter_mut().zip(other).for_each(|(byte, other)| *byte ^= other);
}

/// Eight bytes as sixteen nibbles.
fn unfold(bytes: [u8; 8]) -> Zeroizing<[u8; 16]> {
    let mut nibbles = Zeroizing::new([0; 16]);
    for (i, byte) in bytes.into_iter().enumerate() {
        nibbles[2 * i] = byte >> 4;
        nibbles[2 * i + 1] = byte & 0x0F;
    }
    nibbles
}

/// Sixteen nibbles as eight bytes.
fn folded(nibbles: &[u8; 16]) -> [u8; 8] {
    std::array::from_fn(|i| nibbles[2 * i] << 4 | nibbles[2 * i + 1])
}

impl std::fmt::Debug for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pin(***)")
    }
}

impl std::fmt::Debug for ClearPinBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClearPinBlock(***)")
    }
}
