//! Latency against percentile as an SVG: one panel for each load and transport, one line for each client.
//!
//! Both axes are logarithmic: the horizontal one in 1 − p, so that p99.9 has as much room as p90 and a tail
//! can be seen; the vertical one in time, so that a client of 10 µs and one of 2 ms fit the same picture.

use super::case::Load;
use super::report::{Report, Row};
use hdrhistogram::Histogram;
use plotters::coord::Shift;
use plotters::coord::combinators::{BindKeyPoints as _, IntoLogRange as _};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const INK: RGBColor = RGBColor(0x29, 0x33, 0x3f);
const MUTED: RGBColor = RGBColor(0x5a, 0x66, 0x74);
const FAINT: RGBColor = RGBColor(0xe3, 0xe8, 0xee);
/// Told apart by people who see colours differently (Okabe and Ito, without yellow on white).
const COLOURS: [RGBColor; 6] = [
    RGBColor(0x00, 0x00, 0x00),
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
];
const FONT: &str =
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";
const PANEL: (u32, u32) = (560, 380);
const HEAD: u32 = 90;
/// Points of a line.
const STEPS: u32 = 200;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn<T> = Result<T, Box<dyn std::error::Error>>;

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Figure {
    FirstByte,
    BothLegs,
}

impl Figure {
    pub(super) const fn file(self) -> &'static str {
        match self {
            Self::FirstByte => "first-byte.svg",
            Self::BothLegs => "both-legs.svg",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::FirstByte => "Tick to the first order byte",
            Self::BothLegs => "Tick to the last byte of both legs",
        }
    }

    const fn of(self, row: &Row) -> &Histogram<u64> {
        match self {
            Self::FirstByte => &row.first_byte,
            Self::BothLegs => &row.both_legs,
        }
    }
}

/// What all panels share, so that they can be compared by eye.
struct Scales {
    /// 1 / (1 − p) at the right edge.
    right: f64,
    /// Nanoseconds at the bottom and the top.
    low: f64,
    high: f64,
    /// Names of the clients, in the order of their colours.
    clients: Vec<String>,
}

/// Draws a report into an SVG.
pub(super) fn draw(report: &Report, figure: Figure) -> Drawn<String> {
    let drawn = |row: &&Row| !figure.of(row).is_empty();
    let rows: Vec<&Row> = report.rows.iter().filter(drawn).collect();
    let mut clients: Vec<String> = Vec::new();
    let (mut right, mut low, mut high) = (100_u64, u64::MAX, 0_u64);
    for row in &rows {
        let name = row.case.client.name();
        if !clients.iter().any(|known| known == name) {
            clients.push(name.to_owned());
        }
        let histogram = figure.of(row);
        right = right.max(histogram.len());
        low = low.min(histogram.min());
        high = high.max(histogram.max());
    }
    let scales = Scales {
        right: right as f64,
        low: key_below(low.clamp(100, 1_000_000_000)),
        high: key_above(high.max(1_000)),
        clients,
    };
    let loads = report.loads();
    let mut transports: Vec<&str> = Vec::new();
    for row in &rows {
        if !transports.contains(&row.case.transport()) {
            transports.push(row.case.transport());
        }
    }
    let count = |n: usize| u32::try_from(n.max(1)).unwrap_or(1);
    let (wide, tall) = (count(transports.len()), count(loads.len()));
    let mut text = String::new();
    {
        let size = (PANEL.0 * wide, HEAD + PANEL.1 * tall);
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        area.fill(&WHITE)?;
        let (head, body) = area.split_vertically(HEAD);
        head.draw_text(
            &report.circumstances(),
            &(FONT, 12).into_font().color(&MUTED),
            (16, 36),
        )?;
        legend(&head, figure, &scales)?;
        let panels = body.split_evenly((loads.len().max(1), transports.len().max(1)));
        let places = loads
            .iter()
            .flat_map(|load| transports.iter().map(move |transport| (*load, *transport)));
        for (panel, (load, transport)) in panels.iter().zip(places) {
            let mine = |row: &&&Row| (row.case.load, row.case.transport()) == (load, transport);
            let mine: Vec<&Row> = rows.iter().filter(mine).copied().collect();
            self::panel(panel, &title(load, transport), &mine, (figure, &scales))?;
        }
        area.present()?;
    }
    Ok(text)
}

fn title(load: Load, transport: &str) -> String {
    format!("{transport}, {}", load.name())
}

fn colour(scales: &Scales, name: &str) -> RGBColor {
    let at = scales.clients.iter().position(|client| client == name);
    COLOURS[at.unwrap_or(0) % COLOURS.len()]
}

/// The title, and which line is whose.
fn legend(area: &Area<'_>, figure: Figure, scales: &Scales) -> Drawn<()> {
    let title = (FONT, 18).into_font().color(&INK);
    area.draw_text(figure.title(), &title, (16, 12))?;
    let label = (FONT, 14).into_font().color(&INK);
    let mut left = 16;
    for name in &scales.clients {
        let line = [(left, 70), (left + 24, 70)];
        area.draw(&PathElement::new(
            line,
            colour(scales, name).stroke_width(3),
        ))?;
        area.draw_text(name, &label, (left + 30, 62))?;
        left += 30 + 9 * i32::try_from(name.chars().count())? + 24;
    }
    Ok(())
}

fn panel(
    area: &Area<'_>,
    title: &str,
    rows: &[&Row],
    (figure, scales): (Figure, &Scales),
) -> Drawn<()> {
    let caption = (FONT, 14).into_font().color(&INK);
    area.draw_text(title, &caption, (70, 6))?;
    let x = (1.0..scales.right).log_scale();
    let y = (scales.low..scales.high).log_scale();
    let mut chart = ChartBuilder::on(area)
        .margin_top(28)
        .margin_right(22)
        .margin_left(4)
        .margin_bottom(4)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(
            x.with_key_points(percentile_keys(scales.right)),
            y.with_key_points(time_keys(scales.low, scales.high)),
        )?;
    let small = (FONT, 12).into_font().color(&MUTED);
    chart
        .configure_mesh()
        .axis_style(MUTED.mix(0.6))
        .bold_line_style(FAINT)
        .light_line_style(TRANSPARENT)
        .label_style(small.clone())
        .x_label_formatter(&|x| percentile(*x))
        .y_label_formatter(&|ns| time(*ns))
        .x_desc("percentile")
        .axis_desc_style(small.pos(Pos::new(HPos::Center, VPos::Top)))
        .draw()?;
    for row in rows {
        let style = colour(scales, row.case.client.name()).stroke_width(2);
        chart.draw_series(LineSeries::new(line(figure.of(row)), style))?;
    }
    Ok(())
}

/// A histogram's points from its smallest value to its largest, evenly spaced on the axis.
fn line(histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
    let right = histogram.len() as f64;
    (0..=STEPS)
        .map(|step| {
            let x = right.powf(f64::from(step) / f64::from(STEPS));
            let ns = match step {
                0 => histogram.min(),
                STEPS => histogram.max(),
                _ => histogram.value_at_quantile(1.0 - 1.0 / x),
            };
            (x, ns.max(1) as f64)
        })
        .collect()
}

/// Places on the axis that get a label: the smallest value, p50, p90, p99 and so on.
fn percentile_keys(right: f64) -> Vec<f64> {
    let mut keys = vec![1.0, 2.0];
    let mut key = 10.0;
    while key <= right {
        keys.push(key);
        key *= 10.0;
    }
    keys
}

/// The label of 1 / (1 − p).
fn percentile(x: f64) -> String {
    if x < 1.5 {
        return "least".to_owned();
    }
    let (mut nines, mut left) = (0, x);
    while left > 9.9 {
        (nines, left) = (nines + 1, left / 10.0);
    }
    match nines {
        0 => "p50".to_owned(),
        1 => "p90".to_owned(),
        2 => "p99".to_owned(),
        more => format!("p99.{}", "9".repeat(more - 2)),
    }
}

/// 1, 2 and 5 times the powers of ten from low to high.
fn time_keys(low: f64, high: f64) -> Vec<f64> {
    let mut keys = Vec::new();
    let mut decade = 10.0_f64.powf(low.log10().floor());
    while decade <= high * 1.001 {
        for step in [1.0, 2.0, 5.0] {
            let key = decade * step;
            if key >= low * 0.999 && key <= high * 1.001 {
                keys.push(key);
            }
        }
        decade *= 10.0;
    }
    keys
}

/// The labelled value at or below.
fn key_below(ns: u64) -> f64 {
    let ns = ns as f64;
    let found = time_keys(ns / 10.0, ns).into_iter().next_back();
    found.unwrap_or(ns)
}

/// The labelled value at or above.
fn key_above(ns: u64) -> f64 {
    let ns = ns as f64;
    let found = time_keys(ns, ns * 10.0).into_iter().next();
    found.unwrap_or(ns)
}

/// A time with its unit.
fn time(ns: f64) -> String {
    let (value, unit) = match ns {
        999_999_999.0.. => (ns / 1e9, "s"),
        999_999.0.. => (ns / 1e6, "ms"),
        999.0.. => (ns / 1e3, "µs"),
        _ => (ns, "ns"),
    };
    format!("{value:.0} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::meter::histogram;

    #[test]
    fn the_axis_names_percentiles_by_their_nines() {
        let named: Vec<String> = percentile_keys(12_000.0)
            .into_iter()
            .map(percentile)
            .collect();
        assert_eq!(named, ["least", "p50", "p90", "p99", "p99.9", "p99.99"]);
        assert_eq!(percentile_keys(99.0).len(), 3);
        assert_eq!(percentile_keys(100.0).len(), 4);
    }

    #[test]
    fn times_are_labelled_at_one_two_and_five_within_the_panel() {
        let named: Vec<String> = time_keys(5_000.0, 2e6).into_iter().map(time).collect();
        let expected = [
            "5 µs", "10 µs", "20 µs", "50 µs", "100 µs", "200 µs", "500 µs", "1 ms", "2 ms",
        ];
        assert_eq!(named, expected);
        assert_eq!((key_below(7_300), key_above(7_300)), (5_000.0, 10_000.0));
        assert_eq!((key_below(20_000), key_above(20_000)), (20_000.0, 20_000.0));
    }

    #[test]
    fn a_line_runs_from_the_least_value_to_the_largest() {
        let mut times = histogram();
        for ns in [100, 200, 300, 400, 500, 600, 700, 800, 900, 90_000] {
            times.saturating_record(ns);
        }
        let points = line(&times);
        assert_eq!(points.first(), Some(&(1.0, 100.0)));
        assert!((points.last().unwrap().0 - 10.0).abs() < 1e-9);
        assert_eq!(points.last().unwrap().1, times.max() as f64);
        assert!(
            points
                .windows(2)
                .all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1)
        );
        let middle = points.iter().rev().find(|(x, _)| *x <= 2.0).unwrap();
        assert_eq!(middle.1, 500.0);
    }
}
