//! The bank that UnionPay terminals know: BCD behind a TPDU and a header, `F64` a MAC.
//!
//! Contract: [`answer`] turns a request into its approval by the same walk as [`super::wire`],
//! and makes the MAC of every answer with the crypto room; MACs of requests are checked for two
//! STANs in a hundred, so that a wrong one ends the run. What this costs is paid on the cores
//! that the subject shares: it lowers its throughput, not its CPU time per transaction. Sign-ins
//! have no MAC and are approved like everything else.

use super::wire::{self, Coding};
use pointsman::crypto::{MacAlgorithm, MacKey};
use std::io;

/// The published key of the examples: 16 bytes.
pub(crate) const MAK: &str = "0123456789ABCDEFFEDCBA9876543210";
/// The dialect without its MACs: shipped, it wants one on every financial message.
pub(crate) const WITHOUT_MAC: &str = "name = \"without-mac\"\ntitle = \"UnionPay POS, no MAC\"\n\
    extends = \"unionpay-pos\"\n[mac]\nmessages = []\n";
/// Application type 60, the rest zeros: twelve digits before the MTI.
pub(crate) const HEADER: &str = "600000000000";

/// Where the MTI stands in a frame: behind length, TPDU and header.
const MTI_AT: usize = 2 + CODING.before;
const CODING: Coding = Coding { before: 5 + HEADER.len() / 2, ..wire::BCD };
/// Bytes of `F64`, always the last field.
const MAC: usize = 8;

/// The bank's MAC key.
pub(crate) fn key(algorithm: MacAlgorithm) -> io::Result<MacKey> {
    MacKey::from_hex(&algorithm.statement(), MAK).map_err(io::Error::other)
}

/// Appends the framed approval of one framed request; `None` where it cannot be walked, or its
/// MAC was looked at and is wrong.
pub(crate) fn answer(key: Option<&MacKey>, frame: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let key = key.filter(|_| frame.get(MTI_AT) == Some(&0x02));
    let stan_ends = wire::behind(&CODING, frame, 11)?;
    if let Some(key) = key.filter(|_| frame[stan_ends - 1] & 0x3F == 0) {
        let (covered, mac) = frame.get(MTI_AT..)?.split_last_chunk::<MAC>()?;
        key.verify(covered, mac).ok()?;
    }
    let at = out.len();
    wire::answer(&CODING, frame, out)?;
    if let Some(key) = key {
        let (covered, mac) = out.get_mut(at + MTI_AT..)?.split_last_chunk_mut::<MAC>()?;
        mac.copy_from_slice(key.mac(covered).as_bytes());
    }
    Some(())
}
