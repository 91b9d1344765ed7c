//! The control port of a bank: one command per line, one line of answer. Loopback only.
//!
//! Besides the words of [`super::command`] it knows `ledger` (every entry as JSON, then an empty
//! line), `counts`, `habits` (how often each has struck, as JSON) and
//! `totals` (every comparison it was asked for, as JSON).

use super::{Bank, Counts, command::Command};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// Serves commands on a loopback port (0: the OS picks) until the runtime ends; returns where.
///
/// # Errors
/// When the port cannot be opened.
pub async fn listen(bank: Arc<Bank>, port: u16) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let bank = Arc::clone(&bank);
            let (reading, writing) = stream.into_split();
            tokio::spawn(async move { converse(&bank, BufReader::new(reading), writing).await });
        }
    });
    Ok(address)
}

/// Obeys every line of `lines` and answers each on `answers`, until the lines end.
pub async fn converse(
    bank: &Bank,
    mut lines: impl AsyncBufRead + Unpin,
    mut answers: impl AsyncWrite + Unpin,
) {
    let mut line = String::new();
    while let Ok(1..) = lines.read_line(&mut line).await {
        let answer = answer(bank, line.trim());
        if answers.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
        line.clear();
    }
}

fn answer(bank: &Bank, line: &str) -> String {
    match line {
        "" => String::new(),
        "ledger" => ledger(bank),
        "counts" => counts(&bank.counts()),
        "totals" => format!("{}\n", serde_json::json!(bank.compared())),
        "habits" => format!("{}\n", serde_json::json!(bank.habits())),
        line => match line.parse::<Command>() {
            Ok(command) => {
                bank.command(&command);
                "ok\n".to_owned()
            }
            Err(error) => format!("{error}\n"),
        },
    }
}

fn ledger(bank: &Bank) -> String {
    let mut text = String::new();
    for entry in bank.ledger() {
        // Writing to a String cannot fail, and an entry is plain data.
        let _ = writeln!(text, "{}", serde_json::to_string(&entry).unwrap_or_default());
    }
    text.push('\n');
    text
}

fn counts(counts: &Counts) -> String {
    format!("{counts:?}\n")
}
