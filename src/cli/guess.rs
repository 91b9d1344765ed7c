//! `pointsman dialect guess`: which framing and which shipped dialect fit these bytes best.
//!
//! Contract: tries every framing preset (and none) with every shipped dialect on every message, and
//! ranks by how many messages decode whole, then by how far the others get; each line says why.
//! Deliberately absent: captures – give hex lines – and dialects of one's own.

use crate::framing::{Framing, Split, presets};
use crate::iso8583::{Dialect, Message, shipped, shipped_names, unpack};

/// How well one framing and dialect fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// A framing preset, or `none`.
    pub framing: &'static str,
    /// A shipped dialect.
    pub dialect: &'static str,
    /// Messages that decode whole.
    pub whole: usize,
    /// How much of the bytes was understood, 0 to 1, over all messages.
    pub share: f64,
    /// Bytes of lengths and headers that agree with the message: the more, the less by chance.
    pub agreeing: usize,
    /// What stopped the first message that does not decode.
    pub stopped: Option<String>,
}

/// All fits, the best first. What does not even give a message is left out.
pub fn guess(messages: &[Vec<u8>]) -> Vec<Fit> {
    let mut fits = Vec::new();
    for dialect in shipped_names() {
        let source = |name: &str| shipped(name).map(str::to_owned);
        let Ok(compiled) = Dialect::compile(dialect, &source) else { continue };
        for framing in std::iter::once("none").chain(presets::NAMES) {
            fits.extend(fit(messages, framing, dialect, &compiled));
        }
    }
    fits.sort_by(|a, b| {
        let by_share = b.share.total_cmp(&a.share);
        b.whole.cmp(&a.whole).then(by_share).then(b.agreeing.cmp(&a.agreeing))
    });
    fits
}

fn fit(
    messages: &[Vec<u8>],
    framing: &'static str,
    dialect: &'static str,
    compiled: &Dialect,
) -> Option<Fit> {
    let (mut whole, mut understood, mut agreeing) = (0, 0.0, 0);
    let (mut stopped, mut msg) = (None, Message::new());
    for bytes in messages {
        let body = if framing == "none" { bytes.as_slice() } else { body(framing, bytes)? };
        match unpack(compiled, body, &mut msg) {
            Ok(()) => {
                whole += 1;
                understood += 1.0;
                agreeing += bytes.len() - body.len() + msg.header().map_or(0, <[u8]>::len);
            }
            Err(error) => {
                let at = error.offset.min(body.len());
                understood += at as f64 / body.len().max(1) as f64;
                stopped.get_or_insert(error.to_string());
            }
        }
    }
    let share = understood / messages.len().max(1) as f64;
    (share > 0.0).then_some(Fit { framing, dialect, whole, share, agreeing, stopped })
}

/// The message within one whole frame; `None` where the framing does not fit.
fn body<'a>(framing: &str, bytes: &'a [u8]) -> Option<&'a [u8]> {
    let Split::Frame { taken, body, .. } = Framing::named(framing).ok()?.split(bytes).ok()? else {
        return None;
    };
    bytes.get(body).filter(|_| taken == bytes.len())
}

/// The best fits, as lines for people.
pub(super) fn table(fits: &[Fit], messages: usize) -> String {
    let mut out = format!("{:<24} {:<22} {:>8}  understood\n", "dialect", "framing", "whole");
    for fit in fits.iter().take(5) {
        let whole = format!("{}/{messages}", fit.whole);
        let percent = 100.0 * fit.share;
        let Fit { dialect, framing, .. } = fit;
        out.push_str(&format!("{dialect:<24} {framing:<22} {whole:>8}  {percent:.0} %\n"));
        if let Some(stopped) = &fit.stopped {
            out.push_str(&format!("    stopped at {stopped}\n"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso8583::parse_hex;

    /// Foreign-made messages of one dialect, each behind a length header.
    fn foreign(dialect: &str, framed: bool) -> Vec<Vec<u8>> {
        let lines = include_str!("../../specs/vectors/messages.jsonl").lines();
        let hex = lines.filter_map(|line| {
            let json: serde_json::Value = serde_json::from_str(line).ok()?;
            (json["dialect"] == dialect).then(|| json["hex"].as_str().map(str::to_owned))?
        });
        let body = hex.filter_map(|hex| parse_hex(&hex));
        let length = |body: &[u8]| (body.len() as u16).to_be_bytes().to_vec();
        let whole = |body: Vec<u8>| {
            if framed { [length(&body), body].concat() } else { body }
        };
        body.take(12).map(whole).collect()
    }

    #[test]
    fn foreign_messages_are_recognized() {
        let names =
            ["iso8583-1987-ascii", "iso8583-1987-ascii-hex", "iso8583-1987-ebcdic", "unionpay-pos"];
        for name in names {
            for (framed, framing) in [(false, "none"), (true, "2-byte-be")] {
                let fits = guess(&foreign(name, framed));
                let best = fits.first().map(|f| (f.dialect, f.framing, f.whole));
                assert_eq!(best, Some((name, framing, 12)), "{fits:#?}");
            }
        }
    }

    #[test]
    fn noise_fits_nothing_whole() {
        let fits = guess(&[vec![0xFF; 40]]);
        assert!(fits.iter().all(|f| f.whole == 0), "{fits:#?}");
    }
}
