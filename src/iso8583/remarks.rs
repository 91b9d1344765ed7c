//! What is not wrong with a dialect, but worth a second look.
//!
//! Contract: a remark refuses nothing; `dialect lint` prints it. So far: response codes of the
//! standard that no class lists. Such a code proves nothing, so a request that is answered with
//! it is declined and reversed: whoever knows what the peer means by it should say so.

use super::dialect::Dialect;
use super::field::Field;
use crate::meaning::ResponseClass;

/// Codes of the standard, as spans; of messages that the switch sends or takes.
const TWO: [(u16, u16); 4] = [(0, 44), (51, 68), (75, 75), (90, 96)];
const THREE: [(u16, u16); 10] = [
    (0, 7),
    (100, 129),
    (200, 210),
    (300, 309),
    (400, 400),
    (500, 504),
    (800, 800),
    (900, 912),
    (913, 917),
    (918, 923),
];
/// The first two digits of a code with four that has one digit in 1993.
const FOUR: [(u16, u16); 8] =
    [(0, 0), (1, 10), (2, 20), (3, 30), (4, 40), (5, 50), (8, 80), (9, 91)];

fn standard(digits: usize) -> Vec<String> {
    let spans = |spans: &[(u16, u16)]| {
        spans.iter().flat_map(|(low, high)| *low..=*high).collect::<Vec<_>>()
    };
    let four = |code: u16| {
        let first = FOUR.iter().find(|(digit, _)| *digit == code / 100)?;
        Some(format!("{:02}{:02}", first.1, code % 100))
    };
    match digits {
        2 => spans(&TWO).into_iter().map(|code| format!("{code:02}")).collect(),
        3 => spans(&THREE).into_iter().map(|code| format!("{code:03}")).collect(),
        4 => spans(&THREE).into_iter().filter_map(four).collect(),
        _ => Vec::new(),
    }
}

/// The remarks on a dialect, one line each.
pub fn remarks(dialect: &Dialect) -> Vec<String> {
    let rules = dialect.rules();
    if !rules.translates() {
        return Vec::new();
    }
    let digits = dialect.fields().get(39).map_or(0, Field::max_len);
    let listed = |code: &String| {
        let known = rules.responses().class_of(code.as_bytes()) != ResponseClass::Unknown;
        known || rules.fields().balance_of(code.as_bytes()).is_some()
    };
    let missing: Vec<String> = standard(digits).into_iter().filter(|code| !listed(code)).collect();
    if missing.is_empty() {
        return Vec::new();
    }
    let all = missing.join(" ");
    vec![format!(
        "responses: codes of the standard that no class lists: {all}. A request answered with one \
         is declined and reversed"
    )]
}
