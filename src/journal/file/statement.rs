//! The statement of the extent, as bytes: see [`super::extent`].

use super::entry::{u32_at, u64_at};

/// What a journal holds, as stated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Statement {
    /// The oldest segment kept.
    pub first_segment: u64,
    /// The first record in it.
    pub first_record: u64,
    /// The newest segment that was opened.
    pub newest: u64,
    /// The first record in that.
    pub newest_record: u64,
    /// Segments that were let go.
    pub let_go: u64,
    /// How many of those went to the archive first.
    pub archived: u64,
    /// What damage took, and somebody accepted.
    pub losses: Vec<Loss>,
}

/// A place whose loss was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The file.
    pub file: String,
    /// The byte in it.
    pub offset: u64,
    /// The first record in doubt.
    pub record: u64,
    /// The row of the decision table.
    pub row: String,
    /// Who accepted it.
    pub by: String,
    /// The reason.
    pub why: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, offset, record, row, by, why, at_ms } = self;
        let at = crate::time::Wall::from_millis(*at_ms);
        write!(f, "{file} byte {offset}, record {record} (row {row}): by {by}, {at}: {why}")
    }
}

pub(super) fn encode(said: &Statement) -> Vec<u8> {
    let Statement { first_segment, first_record, newest, newest_record, let_go, archived, losses } =
        said;
    let mut body = Vec::new();
    for number in [first_segment, first_record, newest, newest_record, let_go, archived] {
        body.extend_from_slice(&number.to_le_bytes());
    }
    body.extend_from_slice(&u32::try_from(losses.len()).unwrap_or(u32::MAX).to_le_bytes());
    for Loss { file, offset, record, row, by, why, at_ms } in losses {
        body.extend_from_slice(&offset.to_le_bytes());
        body.extend_from_slice(&record.to_le_bytes());
        body.extend_from_slice(&at_ms.to_le_bytes());
        for text in [file, row, by, why] {
            let len = u16::try_from(text.len()).unwrap_or(u16::MAX);
            body.extend_from_slice(&len.to_le_bytes());
            body.extend_from_slice(text.as_bytes().get(..len.into()).unwrap_or_default());
        }
    }
    body
}

/// The statement these bytes hold; `None` where they hold none.
pub(super) fn decode(body: &[u8]) -> Option<Statement> {
    let mut rest = body;
    let mut number = || take(&mut rest, 8).map(|bytes| u64_at(bytes, 0));
    let mut said = Statement {
        first_segment: number()?,
        first_record: number()?,
        newest: number()?,
        newest_record: number()?,
        let_go: number()?,
        archived: number()?,
        losses: vec![],
    };
    let losses = u32_at(take(&mut rest, 4)?, 0);
    for _ in 0..losses {
        let mut number = || take(&mut rest, 8).map(|bytes| u64_at(bytes, 0));
        let (offset, record, at) = (number()?, number()?, number()?);
        let mut text = || {
            let len = take(&mut rest, 2)?;
            let len = u16::from_le_bytes([len[0], len[1]]);
            String::from_utf8(take(&mut rest, len.into())?.to_vec()).ok()
        };
        let (file, row, by, why) = (text()?, text()?, text()?, text()?);
        let at_ms = i64::from_le_bytes(at.to_le_bytes());
        said.losses.push(Loss { file, offset, record, row, by, why, at_ms });
    }
    rest.is_empty().then_some(said)
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(len)?;
    *rest = left;
    Some(taken)
}
