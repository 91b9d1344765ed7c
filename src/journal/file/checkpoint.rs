//! Writing a checkpoint: the caller's state after some record, so that a restart replays little.
//!
//! Contract: a checkpoint is whole or not there: written beside, synced, read back and opened,
//! renamed, folder synced. However large the state, one piece of it is in memory.
//! It vouches for its records, so it may only cover durable ones. What the bytes mean is the
//! caller's business. `checkpoint_file` has the byte map; [`super::checkpoint_folder`] finds the
//! newest again.

use super::backend::{Backend, Change, FileName, Sync};
use super::checkpoint_file::{HEADER_LEN, Header, judge, seal_piece};
use super::error::{AtFile, JournalError};
use super::keys::DataKey;
use super::map::SegmentMap;
use super::options::Entropy;
use super::seal::Cipher;
use super::verdicts::Verdict;

/// Bytes between two syncs of what is written beside the journal: the writer's own syncs wait for
/// no more than this.
pub(super) const PIECE_BYTES: usize = 1 << 20;

/// Writes `state`, which is at hand as a whole, as it stands after record `upto`.
///
/// # Errors
/// As [`CheckpointWriter`].
pub fn write_checkpoint(
    backend: &dyn Backend,
    key: &DataKey,
    map: &SegmentMap,
    entropy: &mut Entropy,
    upto: u64,
    state: &[u8],
) -> Result<(), JournalError> {
    let mut writer = CheckpointWriter::begin(backend, key, map, entropy, upto)?;
    writer.write(state)?;
    writer.finish().map(drop)
}

/// A checkpoint on its way to the disk: slow, not for the journal writer's thread. Dropped
/// unfinished it leaves nothing that has a name.
pub struct CheckpointWriter<'a> {
    backend: &'a dyn Backend,
    key: &'a DataKey,
    beside: FileName,
    header: Header,
    cipher: Cipher,
    crc: crc32fast::Hasher,
    /// What was not written yet: at most a piece.
    piece: Vec<u8>,
    number: u64,
    /// Where it goes.
    at: u64,
}

impl std::fmt::Debug for CheckpointWriter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CheckpointWriter").field("header", &self.header).finish_non_exhaustive()
    }
}

impl<'a> CheckpointWriter<'a> {
    /// Begins the checkpoint of the state after record `upto`.
    ///
    /// # Errors
    /// `OutOfOrder` when `upto` is not durable yet; what the disk says.
    pub fn begin(
        backend: &'a dyn Backend,
        key: &'a DataKey,
        map: &SegmentMap,
        entropy: &mut Entropy,
        upto: u64,
    ) -> Result<Self, JournalError> {
        let durable = map.durable();
        if upto > durable {
            return Err(JournalError::OutOfOrder { expected: durable, got: upto });
        }
        Self::in_pieces_of(PIECE_BYTES, backend, key, entropy, upto)
    }

    fn in_pieces_of(
        piece_bytes: usize,
        backend: &'a dyn Backend,
        key: &'a DataKey,
        entropy: &mut Entropy,
        upto: u64,
    ) -> Result<Self, JournalError> {
        let beside = FileName::Unfinished(upto);
        let name = FileName::Checkpoint(upto);
        let files = backend.list().at("write", name)?;
        if files.iter().any(|(name, _)| *name == beside) {
            // Of a crash, and perhaps longer than this one will be.
            backend.change(Change::Remove(beside)).at("write", name)?;
        }
        let mut salt = [0; 32];
        entropy(&mut salt).map_err(JournalError::Entropy)?;
        let most = u32::try_from(piece_bytes).unwrap_or(u32::MAX);
        let header = Header { upto, state_len: 0, key_id: key.id(), salt, piece_bytes: most };
        Ok(Self {
            backend,
            key,
            beside,
            header,
            cipher: key.file_cipher(&salt),
            crc: crc32fast::Hasher::new(),
            piece: Vec::with_capacity(piece_bytes + 16),
            number: 0,
            at: HEADER_LEN as u64,
        })
    }

    /// Takes the next bytes of the state.
    ///
    /// # Errors
    /// What the disk says (a full disk included: the journal goes on, the next start only takes
    /// longer).
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), JournalError> {
        let most = self.header.piece_bytes as usize;
        while !bytes.is_empty() {
            // Not before something follows it: the last piece is sealed as the last.
            if self.piece.len() == most {
                self.write_piece(false)?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(most - self.piece.len()));
            self.piece.extend_from_slice(now);
            self.header.state_len += now.len() as u64;
            bytes = later;
        }
        Ok(())
    }

    /// Writes what is left, reads everything back and names the file; the bytes of the state.
    ///
    /// # Errors
    /// What the disk says; `Damaged` when it does not read back: it then gets no name, and the
    /// checkpoints before it stay.
    pub fn finish(mut self) -> Result<u64, JournalError> {
        if !self.piece.is_empty() {
            self.write_piece(true)?;
        }
        self.piece = Vec::new();
        let Self { backend, key, beside, header, .. } = self;
        let (upto, name) = (header.upto, FileName::Checkpoint(header.upto));
        let most = JournalError::TooLarge { got: usize::MAX, most: 1 << 36 };
        let head = header.encode(&self.cipher, &self.crc).ok_or(most)?;
        backend.write_at(beside, 0, &head).at("write", name)?;
        backend.sync(Sync::File(beside)).at("write", name)?;
        let read =
            judge(backend, Some(key), (beside, upto, self.at)).map_err(|error| match error {
                JournalError::Io { what, source, .. } => {
                    JournalError::Io { what, file: name.to_string(), source }
                }
                other => other,
            })?;
        if read.row.verdict != Verdict::Accept || read.header != header {
            let cause = "it does not read back as it was written";
            return Err(JournalError::Damaged { file: name.to_string(), offset: 0, cause });
        }
        let named = backend.change(Change::Rename { from: beside, to: name });
        named.and_then(|()| backend.sync(Sync::Folder)).at("write", name)?;
        Ok(header.state_len)
    }

    fn write_piece(&mut self, last: bool) -> Result<(), JournalError> {
        let Self { backend, beside, header, .. } = *self;
        let name = FileName::Checkpoint(header.upto);
        let most = JournalError::TooLarge { got: self.piece.len(), most: 1 << 36 };
        seal_piece(&self.cipher, (header.upto, self.number, last), &mut self.piece).ok_or(most)?;
        self.crc.update(&self.piece);
        backend.write_at(beside, self.at, &self.piece).at("write", name)?;
        backend.sync(Sync::File(beside)).at("write", name)?;
        self.at += self.piece.len() as u64;
        self.number += 1;
        self.piece.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::checkpoint_folder::{inspect_checkpoints, newest_checkpoint};
    use super::super::error::RecoveryError;
    use super::super::sim_disk::SimDisk;
    use super::*;

    type Tested = Result<(), JournalError>;

    const PIECE: usize = 40;
    const SEALED: usize = PIECE + 16;

    fn key() -> DataKey {
        DataKey::new([7; 32])
    }

    fn name(upto: u64) -> FileName {
        FileName::Checkpoint(upto)
    }

    fn write(disk: &SimDisk, upto: u64, state: &[u8]) -> Tested {
        let key = key();
        let mut entropy: Entropy = Box::new(move |into| {
            into.fill(upto as u8);
            Ok(())
        });
        let mut writer = CheckpointWriter::in_pieces_of(PIECE, disk, &key, &mut entropy, upto)?;
        // Not as the pieces are.
        state.chunks(33).try_for_each(|bytes| writer.write(bytes))?;
        assert_eq!(writer.finish()?, state.len() as u64);
        Ok(())
    }

    fn state(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at % 251) as u8).collect()
    }

    /// The state of the newest checkpoint, or the row that it was passed over for.
    fn read(disk: &SimDisk) -> Result<Result<Vec<u8>, &'static str>, RecoveryError> {
        let mut read = Vec::new();
        let (upto, findings) = newest_checkpoint(disk, &key(), &mut |_, state| {
            while state.more(&mut read).map_err(|why| refused(&why))? {}
            Ok(())
        })?;
        let row = findings.first().map_or("none", |finding| finding.row.name);
        Ok(if upto.is_some() { Ok(read) } else { Err(row) })
    }

    fn refused(why: &str) -> RecoveryError {
        RecoveryError::Refused { what: "a test".to_owned(), why: why.to_owned() }
    }

    fn bytes(disk: &SimDisk, upto: u64) -> Vec<u8> {
        disk.get(name(upto)).unwrap_or_default()
    }

    /// Puts the file back with a right checksum, as somebody without the key could.
    fn forge(disk: &SimDisk, upto: u64, mut bytes: Vec<u8>) {
        let mut crc = crc32fast::Hasher::new();
        crc.update(&bytes[..12]);
        crc.update(&bytes[16..]);
        bytes[12..16].copy_from_slice(&crc.finalize().to_le_bytes());
        disk.put(name(upto), bytes);
    }

    #[test]
    fn states_of_any_length_come_back_whole() -> Result<(), RecoveryError> {
        for len in [0, 1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE, 5 * PIECE + 7] {
            let disk = SimDisk::new(1);
            write(&disk, 9, &state(len))?;
            assert_eq!(read(&disk)?, Ok(state(len)), "{len} bytes");
            let pieces = len.div_ceil(PIECE);
            assert_eq!(bytes(&disk, 9).len(), HEADER_LEN + len + pieces * 16, "{len} bytes");
        }
        Ok(())
    }

    #[test]
    fn every_flipped_byte_is_found_and_every_forged_one() -> Result<(), RecoveryError> {
        let disk = SimDisk::new(1);
        write(&disk, 9, &state(3 * PIECE + 5))?;
        let whole = bytes(&disk, 9);
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            disk.put(name(9), flipped.clone());
            let row = if at < 8 { "C2" } else { "C3" };
            assert_eq!(read(&disk)?, Err(row), "byte {at} flipped");
            if matches!(at, 0..10 | 12..16) {
                continue;
            }
            forge(&disk, 9, flipped);
            match read(&disk) {
                Err(RecoveryError::WrongKey { .. }) => assert!((32..40).contains(&at), "{at}"),
                // The two zeros behind the version say nothing.
                Ok(Ok(same)) => assert!((10..12).contains(&at) && same == state(3 * PIECE + 5)),
                other => assert!(matches!(other, Ok(Err("C6" | "C7"))), "{at}: {other:?}"),
            }
        }
        Ok(())
    }

    #[test]
    fn a_file_cut_at_any_byte_is_found_however_its_checksum_is_repaired() -> Tested {
        let disk = SimDisk::new(1);
        write(&disk, 9, &state(3 * PIECE + 5))?;
        let whole = bytes(&disk, 9);
        for len in 0..whole.len() {
            disk.put(name(9), whole[..len].to_vec());
            assert!(matches!(read(&disk), Ok(Err("C2" | "C3"))), "cut to {len}");
            if len >= HEADER_LEN {
                forge(&disk, 9, whole[..len].to_vec());
                assert!(matches!(read(&disk), Ok(Err("C6" | "C7"))), "cut to {len}");
            }
        }
        forge(&disk, 9, [&whole[..], &[0; 7]].concat());
        assert!(matches!(read(&disk), Ok(Err("C6" | "C7"))));
        Ok(())
    }

    #[test]
    fn pieces_that_are_moved_left_out_repeated_or_from_elsewhere_do_not_open() -> Tested {
        let disk = SimDisk::new(1);
        write(&disk, 9, &state(4 * PIECE))?;
        write(&disk, 8, &state(4 * PIECE))?;
        let (whole, other) = (bytes(&disk, 9), bytes(&disk, 8));
        disk.change(Change::Remove(name(8))).at("remove", name(8))?;
        let (head, body) = whole.split_at(HEADER_LEN);
        let pieces: Vec<&[u8]> = body.chunks(SEALED).collect();
        let foreign = &other[HEADER_LEN..][..SEALED];
        let orders: [(&str, [&[u8]; 4]); 4] = [
            ("swapped", [pieces[1], pieces[0], pieces[2], pieces[3]]),
            ("repeated", [pieces[0], pieces[0], pieces[2], pieces[3]]),
            ("from another", [foreign, pieces[1], pieces[2], pieces[3]]),
            ("the last first", [pieces[3], pieces[1], pieces[2], pieces[0]]),
        ];
        for (what, order) in orders {
            forge(&disk, 9, [head, &order.concat()].concat());
            assert!(matches!(read(&disk), Ok(Err("C6"))), "{what}");
        }
        forge(&disk, 9, [head, pieces[0], pieces[1], pieces[2]].concat());
        assert!(matches!(read(&disk), Ok(Err("C6"))), "the last left out");
        forge(&disk, 9, other);
        assert!(matches!(read(&disk), Ok(Err("C7"))), "another under this name");
        Ok(())
    }

    #[test]
    fn an_older_format_is_passed_over_and_a_newer_one_refused_by_name() -> Tested {
        let disk = SimDisk::new(1);
        write(&disk, 9, &state(90))?;
        let mut whole = bytes(&disk, 9);
        whole[8] = 1;
        forge(&disk, 9, whole.clone());
        assert!(matches!(read(&disk), Ok(Err("C8"))));
        let seen = inspect_checkpoints(&disk, None).unwrap_or_default();
        let row = seen.first().and_then(|(_, _, finding)| *finding).map(|finding| finding.row);
        assert!(row.is_some_and(|row| row.name == "C8" && !row.verdict.is_damage()));
        whole[8] = 3;
        forge(&disk, 9, whole);
        let newer = read(&disk);
        let refused = matches!(newer, Err(RecoveryError::NewerFormat { found: 3, .. }));
        assert!(refused, "{newer:?}");
        Ok(())
    }

    #[test]
    fn a_longer_one_that_a_crash_left_unfinished_is_not_written_into() -> Tested {
        let disk = SimDisk::new(1);
        disk.put(FileName::Unfinished(9), vec![1; 4_096]);
        write(&disk, 9, &state(90))?;
        assert!(matches!(read(&disk), Ok(Ok(read)) if read == state(90)));
        Ok(())
    }
}
