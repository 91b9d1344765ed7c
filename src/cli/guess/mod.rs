//! `pointsman dialect guess`: which framing and which dialect fit these bytes best, and why.
//!
//! Contract: tries every framing worth trying (and none) with every shipped dialect and those
//! given, and ranks by the bytes of messages that decode whole, then by how far the others get,
//! then by how many are of a kind the dialect knows. Each service of a capture is judged by
//! itself. Every line says why, and the best comes with the command that decodes by it.
//! Deliberately absent: changing a dialect so that it fits.

use super::input::{Cut, Input, Stretch, cut, services};
use crate::canonical::{Canonical, Flow, Kind, NetworkFunction, read};
use crate::capture::{Capture, Connection, Endpoint};
use crate::framing::{Candidate, candidates};
use crate::iso8583::{Dialect, Message, unpack};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Frames that are judged of each stretch: more say the same again.
const JUDGED: usize = 500;
/// Fits that are shown.
const SHOWN: usize = 5;

/// How well one framing and dialect fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// A framing as configuration writes it, or `none`.
    pub framing: String,
    /// A dialect.
    pub dialect: String,
    /// Frames found.
    pub frames: usize,
    /// Messages that decode whole.
    pub whole: usize,
    /// Of those, messages of a kind that the dialect knows.
    pub known: usize,
    /// Bytes judged.
    pub bytes: usize,
    /// Bytes of frames whose messages decode whole.
    pub whole_bytes: usize,
    /// How much of the bytes was understood, 0 to 1.
    pub share: f64,
    /// Bytes of lengths and headers that agree with the message: the more, the less by chance.
    pub agreeing: usize,
    /// Bytes of those that the framing takes.
    pub around: usize,
    /// Empty frames.
    pub keep_alives: usize,
    /// MTIs of the messages that decode, with their counts.
    pub mtis: BTreeMap<String, usize>,
    /// What stopped the first message that does not decode, or the framing.
    pub stopped: Option<String>,
}

/// All fits, the best first. What does not even give a message is left out.
pub fn guess(stretches: &[Stretch<'_>], dialects: &[Dialect]) -> Vec<Fit> {
    let mut fits = Vec::new();
    let all = candidates();
    for framing in std::iter::once(None).chain(all.iter().map(Some)) {
        let cuts: Vec<Cut> = stretches
            .iter()
            .map(|stretch| cut(framing.map(|c| &c.framing), stretch, JUDGED))
            .collect();
        if cuts.iter().any(|cut| !cut.frames.is_empty()) {
            fits.extend(dialects.iter().filter_map(|d| fit(stretches, &cuts, framing, d)));
        }
    }
    fits.sort_by(|a, b| {
        let by_whole = b.whole_share().total_cmp(&a.whole_share());
        let by_share = b.share.total_cmp(&a.share);
        // A TPDU is better the framing's than the message's: replies turn it around.
        let by_kind = b.known.cmp(&a.known).then(b.agreeing.cmp(&a.agreeing));
        by_whole.then(by_share).then(by_kind).then(b.around.cmp(&a.around))
    });
    fits
}

impl Fit {
    fn whole_share(&self) -> f64 {
        self.whole_bytes as f64 / self.bytes.max(1) as f64
    }

    /// Whether another fit explains the same just as well.
    fn equals(&self, other: &Self) -> bool {
        self.whole_bytes == other.whole_bytes
            && self.share.total_cmp(&other.share).is_eq()
            && (self.known, self.agreeing) == (other.known, other.agreeing)
    }
}

fn fit(
    stretches: &[Stretch<'_>],
    cuts: &[Cut],
    framing: Option<&Candidate>,
    dialect: &Dialect,
) -> Option<Fit> {
    let keep_alives: usize = cuts.iter().map(|cut| cut.keep_alives).sum();
    let mut fit = Fit {
        framing: framing.map_or_else(|| "none".to_owned(), |c| spelled(c, keep_alives > 0)),
        dialect: dialect.name().to_owned(),
        frames: cuts.iter().map(|cut| cut.frames.len()).sum(),
        whole: 0,
        known: 0,
        bytes: 0,
        whole_bytes: 0,
        share: 0.0,
        agreeing: 0,
        around: 0,
        keep_alives,
        mtis: BTreeMap::new(),
        stopped: None,
    };
    let (mut msg, mut understood) = (Message::new(), 0.0);
    let network = Kind::NetworkManagement(NetworkFunction::Echo);
    let mut meaning = Canonical::new(network, Flow::Request);
    for (stretch, cut) in stretches.iter().zip(cuts) {
        let capped = cut.frames.len() >= JUDGED;
        fit.bytes += if capped { cut.end - cut.skipped } else { stretch.bytes.len() };
        for (frame, body) in &cut.frames {
            let message = stretch.bytes.get(body.clone()).unwrap_or_default();
            match unpack(dialect, message, &mut msg) {
                Ok(()) => {
                    fit.whole += 1;
                    fit.whole_bytes += frame.len();
                    fit.around += frame.len() - body.len();
                    fit.agreeing += frame.len() - body.len() + msg.header().map_or(0, <[u8]>::len);
                    fit.known += usize::from(read(dialect, &msg, &mut meaning).is_ok());
                    *fit.mtis.entry(msg.mti().to_string()).or_insert(0) += 1;
                    understood += frame.len() as f64;
                }
                Err(error) => {
                    let share = error.offset.min(body.len()) as f64 / body.len().max(1) as f64;
                    understood += share * frame.len() as f64;
                    fit.stopped.get_or_insert_with(|| error.to_string());
                }
            }
        }
        if let Some(error) = &cut.broken {
            fit.stopped.get_or_insert_with(|| error.to_string());
        }
    }
    fit.share = understood / fit.bytes.max(1) as f64;
    (fit.share > 0.0).then_some(fit)
}

/// A framing as configuration writes it.
fn spelled(candidate: &Candidate, keep_alive: bool) -> String {
    let mut spec = candidate.spec.clone();
    if keep_alive {
        spec.keep_alive = Some(true);
    }
    spec.to_string()
}

/// Judges everything that was given; `given` is how the command line named it, `named` the
/// dialects that it named. Also whether anything fits.
pub(super) fn report(
    input: &Input,
    port: Option<u16>,
    dialects: &[Dialect],
    given: &str,
) -> (String, bool) {
    let (mut out, mut any) = (String::new(), false);
    if let Input::Capture(capture) = input {
        out.push_str(&summary(capture));
    }
    for (service, stretches) in services(input, port) {
        if let (Some(service), Input::Capture(capture)) = (service, input) {
            out.push_str(&connections(capture, service));
        }
        let fits = guess(&stretches, dialects);
        out.push_str(&table(&fits));
        let Some(best) = fits.first().filter(|fit| fit.whole > 0) else {
            out.push_str(&nothing(&stretches));
            continue;
        };
        any = true;
        out.push_str(&reasons(best, &fits, stretches.len()));
        let port = service.map_or_else(String::new, |at| format!(" --port {}", at.port));
        let framing = match best.framing.as_str() {
            "none" => String::new(),
            table if table.starts_with('{') => format!(" --framing '{table}'"),
            name => format!(" --framing {name}"),
        };
        let _ = writeln!(
            out,
            "decode with\n  pointsman decode --dialect {}{framing}{port} {given}",
            best.dialect
        );
    }
    (out, any)
}

/// The best fits, as lines for people.
fn table(fits: &[Fit]) -> String {
    let shown = fits.get(..SHOWN).unwrap_or(fits);
    let wide = shown.iter().map(|fit| fit.framing.len()).max().unwrap_or(0).max(22);
    let mut out = format!("{:<24} {:<wide$} {:>8}  understood\n", "dialect", "framing", "whole");
    for fit in shown {
        let whole = format!("{}/{}", fit.whole, fit.frames);
        let percent = 100.0 * fit.share;
        let Fit { dialect, framing, .. } = fit;
        let _ = writeln!(out, "{dialect:<24} {framing:<wide$} {whole:>8}  {percent:.0} %");
        if let Some(stopped) = &fit.stopped {
            let _ = writeln!(out, "    stopped at {stopped}");
        }
    }
    out
}

/// Why the best is the best.
fn reasons(best: &Fit, fits: &[Fit], stretches: usize) -> String {
    let mut out = "because\n".to_owned();
    let Fit { framing, frames, whole, known, whole_bytes, bytes, .. } = best;
    let pieces = if stretches == 1 { "1 piece".into() } else { format!("{stretches} pieces") };
    let _ = match framing.as_str() {
        "none" => writeln!(out, "  {frames} pieces are messages without a length header"),
        _ => writeln!(out, "  {frames} frames stand under {framing}, in {pieces}"),
    };
    let _ =
        writeln!(out, "  {whole} of {frames} messages decode to the last byte, with valid MTIs");
    let counts: Vec<String> = best.mtis.iter().map(|(mti, n)| format!("{mti} ×{n}")).collect();
    let _ = writeln!(out, "  {}", counts.join(", "));
    let _ = writeln!(out, "  {known} are of a kind that the dialect knows");
    let _ = writeln!(out, "  these messages are {whole_bytes} of {bytes} bytes");
    if best.keep_alives > 0 {
        let _ = writeln!(out, "  {} empty frames keep the connection alive", best.keep_alives);
    }
    let equal: Vec<String> = fits
        .iter()
        .skip(1)
        .filter(|fit| fit.equals(best))
        .map(|fit| format!("{} with {}", fit.dialect, fit.framing))
        .take(SHOWN)
        .collect();
    if !equal.is_empty() {
        let _ = writeln!(out, "  these bytes cannot tell it from: {}", equal.join("; "));
    }
    out
}

/// What the bytes look like where nothing fits.
fn nothing(stretches: &[Stretch<'_>]) -> String {
    let plain = crate::framing::Framing::named("2-byte-be").ok();
    let cause = stretches.iter().filter(|s| s.in_step).find_map(|stretch| {
        let error = plain.as_ref()?.split(stretch.bytes).err()?;
        error.cause.map(|cause| format!("; {cause}"))
    });
    format!("no framing and dialect give a whole message{}\n", cause.unwrap_or_default())
}

/// What a capture holds and what was left out of it.
pub(super) fn summary(capture: &Capture) -> String {
    let Capture { format, packets, connections, left_out, broken } = capture;
    let mut out = format!("{format}: {packets} packets, {} TCP connections", connections.len());
    let lost: Vec<String> = left_out.iter().map(|(why, count)| format!("{count} {why}")).collect();
    if !lost.is_empty() {
        let _ = write!(out, "; left out: {}", lost.join(", "));
    }
    out.push('\n');
    if let Some(error) = broken {
        let _ = writeln!(out, "the file breaks off: {error}");
    }
    out
}

fn connections(capture: &Capture, service: Endpoint) -> String {
    let mut out = format!("\n{service}\n");
    let to_it = capture.connections.iter().filter(|c| c.service == service);
    for Connection { client, sent, answered, .. } in to_it.clone().take(SHOWN) {
        let _ =
            write!(out, "  {client}: {} bytes sent, {} answered", sent.bytes(), answered.bytes());
        for (way, stream) in [("to it", sent), ("from it", answered)] {
            let counts = [
                (stream.missing, "bytes missing"),
                (stream.cut, "packets cut off"),
                (stream.repeated, "segments repeated"),
                (stream.reordered, "out of order"),
                (stream.differing, "bytes differ when repeated"),
            ];
            for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
                let _ = write!(out, "; {count} {what} {way}");
            }
            if stream.runs.first().is_some_and(|run| !run.from_opening) {
                let _ = write!(out, "; {way} joined midway");
            }
        }
        out.push('\n');
    }
    let more = to_it.count().saturating_sub(SHOWN);
    if more > 0 {
        let _ = writeln!(out, "  and {more} more connections");
    }
    out
}

#[cfg(test)]
mod tests;
