//! A chart as SVG text: panels of horizontal bars, each with its figure.
//!
//! Contract: no scripts, no fonts of its own, readable on light and dark; widths are relative to
//! the longest bar of a panel. Deliberately absent: axes – every bar says its value.

use std::fmt::Write;

const WIDTH: f64 = 720.0;
const LABELS: f64 = 190.0;
const FIGURES: f64 = 90.0;
const BAR: f64 = 22.0;

/// Panels under each other: a title and its bars.
pub(crate) fn svg(panels: &[(&str, Vec<(&str, f64)>)]) -> String {
    let mut body = String::new();
    let mut y = 8.0;
    for (title, bars) in panels.iter().filter(|(_, bars)| !bars.is_empty()) {
        y += 18.0;
        text(&mut body, 0.0, y, title, "font-weight=\"bold\"");
        y += 10.0;
        let longest = bars.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
        for (name, value) in bars {
            let width = value / longest * (WIDTH - LABELS - FIGURES);
            text(&mut body, 0.0, y + 15.0, name, "");
            let fill = if name.starts_with("switch") { "#2a7ae2" } else { "#9aa0a6" };
            let (height, x) = (BAR - 4.0, LABELS);
            let _ = writeln!(
                body,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{width:.1}\" height=\"{height}\" \
                 fill=\"{fill}\"/>"
            );
            text(&mut body, LABELS + width + 6.0, y + 15.0, &format!("{value:.0}"), "");
            y += BAR;
        }
        y += 8.0;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" \
         font-family=\"sans-serif\" font-size=\"13\" fill=\"#5f6368\">\n{body}</svg>\n"
    )
}

fn text(body: &mut String, x: f64, y: f64, what: &str, more: &str) {
    let _ = writeln!(body, "<text x=\"{x:.1}\" y=\"{y:.1}\" {more}>{what}</text>");
}
