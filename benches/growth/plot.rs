//! Nanoseconds against size as an SVG: one panel for each axis, both scales logarithmic.

use super::{Axis, Found};
use plotters::coord::combinators::IntoLogRange as _;
use plotters::prelude::*;

const INK: RGBColor = RGBColor(0x29, 0x33, 0x3f);
const MUTED: RGBColor = RGBColor(0x5a, 0x66, 0x74);
const FAINT: RGBColor = RGBColor(0xe3, 0xe8, 0xee);
const FONT: &str = "system-ui, sans-serif";
const PANEL: (u32, u32) = (420, 300);
const HEAD: u32 = 76;
const COLUMNS: u32 = 2;

/// A line of every panel: its name, its colour, what it shows.
type Line = (&'static str, RGBColor, fn(&Found) -> f64);

/// Told apart by people who see colours differently (Okabe and Ito).
const LINES: [Line; 3] = [
    ("mean", RGBColor(0x00, 0x72, 0xb2), |row| row.mean),
    ("p99", RGBColor(0xd5, 0x5e, 0x00), |row| {
        row.times.value_at_quantile(0.99) as f64
    }),
    ("p99.9", RGBColor(0xcc, 0x79, 0xa7), |row| {
        row.times.value_at_quantile(0.999) as f64
    }),
];

pub(super) fn draw(
    axes: &[(&Axis, Vec<Found>)],
    machine: &str,
) -> Result<String, Box<dyn std::error::Error>> {
    let rows = u32::try_from(axes.len())?.div_ceil(COLUMNS);
    let mut text = String::new();
    {
        let size = (PANEL.0 * COLUMNS, HEAD + PANEL.1 * rows);
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        area.fill(&WHITE)?;
        let (head, body) = area.split_vertically(HEAD);
        let title = (FONT, 18).into_font().color(&INK);
        head.draw_text("Cost of a call as the engine grows", &title, (16, 10))?;
        head.draw_text(machine, &(FONT, 11).into_font().color(&MUTED), (16, 34))?;
        let label = (FONT, 13).into_font().color(&INK);
        for (number, (name, colour, _)) in (0..).zip(LINES) {
            let left = 16 + 110 * number;
            let line = [(left, 62), (left + 24, 62)];
            head.draw(&PathElement::new(line, colour.stroke_width(3)))?;
            head.draw_text(name, &label, (left + 30, 55))?;
        }
        let panels = body.split_evenly((usize::try_from(rows)?, usize::try_from(COLUMNS)?));
        for (area, (axis, found)) in panels.iter().zip(axes) {
            panel(area, axis, found)?;
        }
        area.present()?;
    }
    Ok(text)
}

fn panel(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    axis: &Axis,
    found: &[Found],
) -> Result<(), Box<dyn std::error::Error>> {
    let caption = (FONT, 14).into_font().color(&INK);
    area.draw_text(axis.name, &caption, (62, 6))?;
    let values = || found.iter().flat_map(|row| LINES.map(|(_, _, of)| of(row)));
    let low = values().fold(f64::MAX, f64::min);
    let high = values().fold(1.0, f64::max);
    let right = found.last().map_or(10, |row| row.size);
    let decade = |value: f64| 10.0_f64.powf(value);
    let low = decade(low.max(1.0).log10().floor());
    let high = decade(high.log10().ceil()).max(low * 10.0);
    let mut chart = ChartBuilder::on(area)
        .margin_top(28)
        .margin_right(18)
        .margin_left(4)
        .margin_bottom(4)
        .x_label_area_size(38)
        .y_label_area_size(58)
        .build_cartesian_2d((1.0..right as f64).log_scale(), (low..high).log_scale())?;
    let small = (FONT, 12).into_font().color(&MUTED);
    chart
        .configure_mesh()
        .axis_style(MUTED.mix(0.6))
        .bold_line_style(FAINT)
        .light_line_style(TRANSPARENT)
        .label_style(small)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|ns| time(*ns))
        .x_desc(axis.of)
        .draw()?;
    for (_, colour, of) in LINES {
        let points = || found.iter().map(|row| (row.size as f64, of(row)));
        chart.draw_series(LineSeries::new(points(), colour.stroke_width(2)))?;
        chart.draw_series(points().map(|point| Circle::new(point, 3, colour.filled())))?;
    }
    Ok(())
}

/// A time with its unit.
fn time(ns: f64) -> String {
    let (value, unit) = match ns {
        999_999.0.. => (ns / 1e6, "ms"),
        999.0.. => (ns / 1e3, "µs"),
        _ => (ns, "ns"),
    };
    format!("{value:.0} {unit}")
}
