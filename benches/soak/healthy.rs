//! The bank of healthy traffic: it approves everything at once, by hand.
//!
//! Contract: it has a thread of its own, so that no load and no other simulator slows it. Before
//! it starts, a repeated reversal of an approval is answered and read back: what it cannot answer
//! is owed to it for ever, and keeps every segment from there on.

use super::{load, wire};
use simulators::msg::Msg;
use simulators::speaker::{Seal, Speaker, SpeakerSpec, Split};
use std::io;

/// Its dialect and framing.
pub(crate) const DIALECT: &str = "iso8583-1987-bcd";
pub(crate) const FRAMING: &str = "2-byte-be-tpdu";

/// Starts it; where it listens.
pub(crate) fn start() -> io::Result<String> {
    answers_reversals()?;
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let bank = load::bank(|frame, out| wire::answer(&wire::BCD, frame, out));
            tell.send(bank.await).map_err(io::Error::other)?;
            std::future::pending::<io::Result<()>>().await
        })
    });
    told.recv().map_err(io::Error::other)?
}

fn answers_reversals() -> io::Result<()> {
    let (dialect, framing) = (DIALECT.to_owned(), FRAMING.to_owned());
    let speaker = Speaker::new(&SpeakerSpec { dialect, framing, mak: None });
    let speaker = speaker.map_err(io::Error::other)?;
    let values = [
        (2, "4111111111111111"),
        (3, "000000"),
        (4, "000000000100"),
        (7, "1122123000"),
        (11, "000007"),
        (37, "000000000007"),
        (38, "A12345"),
        (39, "22"),
        (41, "RIV00001"),
        (42, "RIVER0000000001"),
        (49, "156"),
        (90, "020000000711221230000000012345600000000000"),
    ];
    let asked = values.iter().fold(Msg::new("0421"), |msg, (de, value)| msg.with(*de, *value));
    let frame = speaker.write(&asked, Seal::None).map_err(io::Error::other)?;
    let mut answered = Vec::new();
    let whole = wire::answer(&wire::BCD, &frame, &mut answered);
    let read = match whole.map(|()| speaker.split(&answered)) {
        Some(Split::Frame { tpdu, body, .. }) => speaker.read(tpdu, &answered[body]),
        Some(other) => Err(format!("{other:?}")),
        None => Err("it cannot be walked".to_owned()),
    };
    let read = read.map_err(|why| io::Error::other(format!("the answer to a reversal: {why}")))?;
    let expected = asked.with(39, "00");
    if read.mti == "0430" && read.fields().eq(expected.fields()) {
        return Ok(());
    }
    Err(io::Error::other(format!("a reversal is answered {read:?}, not 0430 and {expected:?}")))
}
