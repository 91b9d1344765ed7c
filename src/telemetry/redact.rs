//! The last line of defence of the log: runs of 13 or more digits are masked.
//!
//! Contract: secrets do not get here in the first place (their types cannot print); this catches
//! what a peer hid in a text field or an error quoted. Spaces and dashes between digits do not
//! hide a number.

/// The shortest run that is masked: the shortest card number in the field.
const RUN_MIN: usize = 13;

/// Stars over every run of 13 or more digits, in place.
pub fn redact(line: &mut [u8]) {
    let mut at = 0;
    while at < line.len() {
        let (end, digits) = run(line, at);
        if digits >= RUN_MIN {
            line[at..end].iter_mut().filter(|b| b.is_ascii_digit()).for_each(|b| *b = b'*');
        }
        at = end.max(at + 1);
    }
}

/// End of the run of digits that begins at `at`, and how many digits it has. One space or dash
/// between two digits does not end it.
fn run(line: &[u8], at: usize) -> (usize, usize) {
    let (mut end, mut digits) = (at, 0);
    while let Some(byte) = line.get(end) {
        let between = matches!(byte, b' ' | b'-')
            && digits > 0
            && line.get(end + 1).is_some_and(u8::is_ascii_digit);
        if byte.is_ascii_digit() {
            digits += 1;
        } else if !between {
            break;
        }
        end += 1;
    }
    (end, digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(line: &str) -> String {
        let mut bytes = line.as_bytes().to_vec();
        redact(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[test]
    fn card_numbers_are_starred_however_they_are_written() {
        assert_eq!(redacted("pan=4111111111111111."), "pan=****************.");
        assert_eq!(redacted("4111 1111 1111 1111"), "**** **** **** ****");
        assert_eq!(redacted("4111-1111-1111-1111 x"), "****-****-****-**** x");
        assert_eq!(redacted("6250946000000016=3012"), "****************=3012");
    }

    #[test]
    fn what_a_log_needs_stays_readable() {
        for line in [
            "2026-11-22T12:30:00.123456Z  INFO line=river stan=000123 record 123456789012",
            "127.0.0.1:41234",
            "411111******1111",
        ] {
            assert_eq!(redacted(line), line);
        }
    }
}
