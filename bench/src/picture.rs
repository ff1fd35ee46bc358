//! The table as a picture: one bar a contender, CPU microseconds per event.

use std::fmt::Write as _;

use crate::results::Run;
use crate::table::OURS;

const WIDTH: f64 = 960.0;
const LABELS: f64 = 420.0;
const ROW: f64 = 24.0;
const TOP: f64 = 48.0;

/// An SVG that needs neither fonts nor scripts, and reads on dark and light pages.
pub(crate) fn bars(run: &Run) -> String {
    let mut bars: Vec<(&str, Option<f64>)> = run
        .contenders
        .iter()
        .map(|entry| (entry.name.as_str(), run.micros(entry).map(|micros| micros.median)))
        .collect();
    bars.sort_by(|(_, a), (_, b)| a.unwrap_or(f64::MAX).total_cmp(&b.unwrap_or(f64::MAX)));
    let most = bars.iter().filter_map(|(_, micros)| *micros).fold(1e-9, f64::max);
    let height = TOP + ROW * bars.len() as f64 + 12.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n<text x=\"16\" y=\"28\" \
         font-size=\"16\" fill=\"#111111\">CPU microseconds per event, less is better ({} events, {})</text>\n",
        run.events, run.date
    );
    for (index, (name, micros)) in bars.into_iter().enumerate() {
        let y = TOP + ROW * index as f64;
        let baseline = y + 15.0;
        let fill = if name == OURS { "#d9480f" } else { "#748091" };
        let name = escaped(name);
        let length = micros.map_or(0.0, |micros| (micros / most * (WIDTH - LABELS - 90.0)).max(1.0));
        let value = micros.map_or("did not run".to_owned(), |micros| format!("{micros:.2}"));
        // Writing into a string cannot fail.
        write!(
            svg,
            "<text x=\"{}\" y=\"{baseline}\" text-anchor=\"end\" fill=\"#111111\">{name}</text>\n\
             <rect x=\"{LABELS}\" y=\"{y}\" width=\"{length:.1}\" height=\"{}\" fill=\"{fill}\"/>\n\
             <text x=\"{:.1}\" y=\"{baseline}\" fill=\"#111111\">{value}</text>\n",
            LABELS - 10.0,
            ROW - 5.0,
            LABELS + length + 8.0,
        )
        .unwrap_or_default();
    }
    svg + "</svg>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
