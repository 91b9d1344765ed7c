//! The bytes of a checkpoint file: a header and the caller's state in sealed pieces.
//!
//! Contract: written and read a piece at a time, so that a checkpoint of any size takes the memory
//! of one piece. A piece is bound to its file (whose key is its own), to the last record covered,
//! to its number and to whether it is the last; the header, which is written last, to the length.
//! What is missing, moved, swapped or altered does not open. The CRC covers every byte, so that
//! rot is found without a key.
//!
//! ```text
//!  0  "PMSTATE\0"   12  crc of the rest u32   24  length u64   40  salt 32       76  zero 4
//!  8  version u16   16  upto u64              32  key id 8     72  piece u32     80  seal 16
//! 96  pieces: so many sealed bytes (the last one fewer) and their seal 16
//! ```

use super::backend::{Backend, FileName};
use super::entry::{u32_at, u64_at};
use super::error::{AtFile, JournalError};
use super::keys::DataKey;
use super::seal::{Cipher, HEADER_NONCE, Tag};
use super::verdicts::{CHECKPOINT_ROWS, MISCOUNTED, Row, decide};

const MAGIC: &[u8; 8] = b"PMSTATE\0";
/// The format written, and the only one read: the records tell what an older one says.
pub(super) const VERSION: u16 = 2;
/// Where the first piece stands.
pub(super) const HEADER_LEN: usize = 96;
const BOUND: std::ops::Range<usize> = 16..80;
const SEAL_AT: usize = 80;
const TAG_LEN: usize = 16;
/// The longest piece that is read: longer ones are damage.
const PIECE_BYTES_MAX: usize = 16 << 20;

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// The last record covered.
    pub upto: u64,
    /// Bytes of the state.
    pub state_len: u64,
    /// The data key.
    pub key_id: [u8; 8],
    /// The file's own key comes from it.
    pub salt: [u8; 32],
    /// Bytes of the state in each piece but the last.
    pub piece_bytes: u32,
}

impl Header {
    /// The header's bytes, sealed; `pieces` has seen all that stands behind it.
    pub(super) fn encode(
        &self,
        cipher: &Cipher,
        pieces: &crc32fast::Hasher,
    ) -> Option<[u8; HEADER_LEN]> {
        let mut bytes = [0; HEADER_LEN];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.upto.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.state_len.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.key_id);
        bytes[40..72].copy_from_slice(&self.salt);
        bytes[72..76].copy_from_slice(&self.piece_bytes.to_le_bytes());
        let tag = cipher.seal(HEADER_NONCE, &bytes[BOUND], &mut [])?;
        bytes[SEAL_AT..].copy_from_slice(&tag);
        let mut crc = header_crc(&bytes);
        crc.combine(pieces);
        bytes[12..16].copy_from_slice(&crc.finalize().to_le_bytes());
        Some(bytes)
    }

    fn parse(bytes: &[u8; HEADER_LEN]) -> Self {
        let (mut key_id, mut salt) = ([0; 8], [0; 32]);
        key_id.copy_from_slice(&bytes[32..40]);
        salt.copy_from_slice(&bytes[40..72]);
        let (upto, state_len) = (u64_at(bytes, 16), u64_at(bytes, 24));
        Self { upto, state_len, key_id, salt, piece_bytes: u32_at(bytes, 72) }
    }

    fn is_sealed(bytes: &[u8; HEADER_LEN], cipher: &Cipher) -> bool {
        let mut tag: Tag = [0; TAG_LEN];
        tag.copy_from_slice(&bytes[SEAL_AT..]);
        cipher.open(HEADER_NONCE, &bytes[BOUND], &mut [], &tag)
    }

    /// Bytes from one piece to the next; 0 where no writer gives such pieces.
    fn stride(&self) -> usize {
        match self.piece_bytes as usize {
            bytes @ 1..=PIECE_BYTES_MAX => bytes + TAG_LEN,
            _ => 0,
        }
    }

    fn pieces(&self) -> u64 {
        self.state_len.div_ceil(u64::from(self.piece_bytes).max(1))
    }

    /// Bytes of the whole file, where it can exist.
    fn file_len(&self) -> Option<u64> {
        let seals = self.pieces().checked_mul(TAG_LEN as u64)?;
        self.state_len.checked_add(seals)?.checked_add(HEADER_LEN as u64)
    }
}

/// What a piece's seal binds besides its file's own key and its number.
fn bound(upto: u64, number: u64, last: bool) -> [u8; 17] {
    let mut bytes = [0; 17];
    bytes[..8].copy_from_slice(&upto.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    bytes[16] = u8::from(last);
    bytes
}

/// Seals a piece in place and puts the seal behind it. `None` beyond the cipher's limits.
pub(super) fn seal_piece(
    cipher: &Cipher,
    (upto, number, last): (u64, u64, bool),
    piece: &mut Vec<u8>,
) -> Option<()> {
    let tag = cipher.seal(number, &bound(upto, number, last), piece)?;
    piece.extend_from_slice(&tag);
    Some(())
}

/// Opens a piece in place and cuts off its seal.
fn open_piece(
    cipher: &Cipher,
    (upto, number, last): (u64, u64, bool),
    piece: &mut [u8],
) -> Option<usize> {
    let len = piece.len().checked_sub(TAG_LEN)?;
    let (body, seal) = piece.split_at_mut(len);
    let mut tag: Tag = [0; TAG_LEN];
    tag.copy_from_slice(seal);
    cipher.open(number, &bound(upto, number, last), body, &tag).then_some(len)
}

fn header_crc(bytes: &[u8; HEADER_LEN]) -> crc32fast::Hasher {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&bytes[..12]);
    crc.update(&bytes[16..]);
    crc
}

/// A file that was looked at from the first byte to the last.
pub(super) struct Judged {
    /// What to make of it.
    pub row: &'static Row,
    /// The version it says; 0 where its checksum is wrong.
    pub version: u16,
    /// Its header, for what is intact.
    pub header: Header,
}

/// Judges a file of `len` bytes that is named after record `upto`. Without a key its seals are
/// taken for good.
pub(super) fn judge(
    backend: &dyn Backend,
    key: Option<&DataKey>,
    (file, upto, len): (FileName, u64, u64),
) -> Result<Judged, JournalError> {
    let mut head = [0; HEADER_LEN];
    let whole = backend.read_at(file, 0, &mut head).at("read", file)? == HEADER_LEN;
    let header = Header::parse(&head);
    let said = u16::from_le_bytes([head[8], head[9]]);
    let ours = key.is_none_or(|key| header.key_id == key.id());
    let cipher = key.filter(|_| ours && said == VERSION).map(|key| key.file_cipher(&header.salt));
    let mut walk = Walk { header, cipher: cipher.as_ref(), crc: header_crc(&head), opened: true };
    if whole {
        walk.run(backend, file)?;
    }
    let Walk { crc, opened, .. } = walk;
    let crc = whole && crc.finalize() == u32_at(&head, 12);
    let sealed = cipher.as_ref().is_some_and(|c| opened && Header::is_sealed(&head, c));
    let version = if crc { said } else { 0 };
    let named = header.upto == upto && header.stride() > 0 && header.file_len() == Some(len);
    let checks = [
        head.starts_with(MAGIC),
        crc,
        version <= VERSION,
        version >= VERSION,
        ours,
        key.is_none() || sealed,
        named,
    ];
    Ok(Judged { row: decide(CHECKPOINT_ROWS, &checks).unwrap_or(&MISCOUNTED), version, header })
}

/// One look at everything behind the header.
struct Walk<'a> {
    header: Header,
    cipher: Option<&'a Cipher>,
    crc: crc32fast::Hasher,
    opened: bool,
}

impl Walk<'_> {
    fn run(&mut self, backend: &dyn Backend, file: FileName) -> Result<(), JournalError> {
        // Of another format only the checksum is known.
        let stride = match self.header.stride() {
            0 => PIECE_BYTES_MAX,
            stride => stride,
        };
        let (mut at, mut number, mut piece) = (HEADER_LEN as u64, 0, Vec::new());
        loop {
            piece.resize(stride, 0);
            let got = backend.read_at(file, at, &mut piece).at("read", file)?;
            if got == 0 {
                self.opened &= number == self.header.pieces();
                return Ok(());
            }
            piece.truncate(got);
            self.crc.update(&piece);
            if let Some(cipher) = self.cipher {
                let place = (self.header.upto, number, number + 1 == self.header.pieces());
                self.opened &= open_piece(cipher, place, &mut piece).is_some();
            }
            (at, number) = (at + got as u64, number + 1);
        }
    }
}

/// Gives out the state of an intact file, a piece at a time.
pub(super) struct Unsealed<'a> {
    backend: &'a dyn Backend,
    file: FileName,
    header: Header,
    cipher: Cipher,
    number: u64,
}

impl<'a> Unsealed<'a> {
    /// From the first piece on.
    pub(super) fn new(
        backend: &'a dyn Backend,
        key: &DataKey,
        file: FileName,
        header: Header,
    ) -> Self {
        Self { backend, file, header, cipher: key.file_cipher(&header.salt), number: 0 }
    }

    /// Appends the next piece; false when there is none.
    pub(super) fn next(&mut self, into: &mut Vec<u8>) -> Result<bool, JournalError> {
        let (Header { upto, .. }, number) = (self.header, self.number);
        if number >= self.header.pieces() {
            return Ok(false);
        }
        let (start, stride) = (into.len(), self.header.stride());
        let at = HEADER_LEN as u64 + number * stride as u64;
        into.resize(start + stride, 0);
        let piece = into.get_mut(start..).unwrap_or_default();
        let got = self.backend.read_at(self.file, at, piece).at("read", self.file)?;
        let piece = piece.get_mut(..got).unwrap_or_default();
        let place = (upto, number, number + 1 == self.header.pieces());
        let Some(len) = open_piece(&self.cipher, place, piece) else {
            into.truncate(start);
            let cause = "a piece of it does not open, which did a moment ago";
            return Err(JournalError::Damaged { file: self.file.to_string(), offset: at, cause });
        };
        into.truncate(start + len);
        self.number += 1;
        Ok(true)
    }
}
