//! The report's drawings as SVG texts.
//!
//! Bars stand side by side on the horizontal axis, without nights and weekends; labels are calendar
//! dates. Long series are thinned to the extremes of every pixel or so, which looks the same and
//! keeps the file small.

use super::axis::{Axis, dates};
use super::outcome::Outcome;
use super::paper::Trade;
use super::rupees;
use super::statistics::underwater;
use crate::model::{Action, Bar, Money, Price, Side};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use std::ops::Range;

const INK: RGBColor = RGBColor(0x29, 0x33, 0x3f);
const FAINT: RGBColor = RGBColor(0xe7, 0xeb, 0xf0);
const MUTED: RGBColor = RGBColor(0x6b, 0x77, 0x85);
const BLUE: RGBColor = RGBColor(0x1f, 0x5f, 0xbf);
const GREEN: RGBColor = RGBColor(0x12, 0x7a, 0x4d);
const RED: RGBColor = RGBColor(0xc2, 0x32, 0x2b);
const FONT: &str =
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";
const WIDE: u32 = 1_120;
const HALF: u32 = 550;
/// Points of one series: two for each of this many stretches.
const STRETCHES: usize = 1_000;
/// Candles of a close-up on either side of its trade.
const AROUND: usize = 12;
/// Most candles of a close-up.
const CANDLES_MAX: usize = 90;

/// A drawing failed; plotters gives no more than its words.
#[derive(Debug, thiserror::Error)]
#[error("drawing failed: {0}")]
pub struct DrawError(String);

type Drawn = Result<String, DrawError>;

fn fault(error: impl std::fmt::Display) -> DrawError {
    DrawError(error.to_string())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Plot<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<Keyed, Keyed>>;

/// A range of numbers whose grid lines are chosen by us.
struct Keyed {
    range: RangedCoordf64,
    keys: Vec<f64>,
}

impl Keyed {
    fn new(range: Range<f64>, keys: Vec<f64>) -> Self {
        Self {
            range: range.into(),
            keys,
        }
    }
}

impl Ranged for Keyed {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.range.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            Vec::new()
        } else {
            self.keys.clone()
        }
    }

    fn range(&self) -> Range<f64> {
        self.range.range()
    }
}

/// Draws into a text of a size.
fn svg(size: (u32, u32), draw: impl FnOnce(&Area<'_>) -> Result<(), DrawError>) -> Drawn {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        draw(&area)?;
        area.present().map_err(fault)?;
    }
    Ok(text)
}

/// Axes, grid and labels of one chart.
struct Grid<'a> {
    x: Range<f64>,
    dates: Vec<(usize, String)>,
    y: Axis,
    label: &'a dyn Fn(f64) -> String,
}

impl Grid<'_> {
    fn on<'a>(&self, area: &Area<'a>) -> Result<Plot<'a>, DrawError> {
        let keys: Vec<f64> = self.dates.iter().map(|(at, _)| *at as f64).collect();
        let x = Keyed::new(self.x.clone(), keys);
        let y = Keyed::new(self.y.low..self.y.high, self.y.keys.clone());
        let mut chart = ChartBuilder::on(area)
            .margin_top(10)
            .margin_right(18)
            .margin_left(2)
            .x_label_area_size(26)
            .y_label_area_size(74)
            .build_cartesian_2d(x, y)
            .map_err(fault)?;
        let named = |at: &f64| {
            let found = self
                .dates
                .iter()
                .find(|(key, _)| (*key as f64 - at).abs() < 0.5);
            found.map_or_else(String::new, |(_, label)| label.clone())
        };
        chart
            .configure_mesh()
            .axis_style(MUTED.mix(0.5))
            .bold_line_style(FAINT)
            .light_line_style(TRANSPARENT)
            .label_style((FONT, 12).into_font().color(&MUTED))
            .x_label_formatter(&named)
            .y_label_formatter(&|value| (self.label)(*value))
            .set_tick_mark_size(LabelAreaPosition::Left, 5)
            .set_tick_mark_size(LabelAreaPosition::Bottom, 4)
            .draw()
            .map_err(fault)?;
        Ok(chart)
    }
}

/// Net equity over holding the same units.
pub(crate) fn equity(outcome: &Outcome) -> Drawn {
    let hold = outcome.hold();
    let all = outcome.equity.iter().chain(&hold).map(|m| m.rupees());
    let grid = Grid {
        x: span(outcome.bars.len()),
        dates: labels(outcome, &outcome.bars, 12),
        y: Axis::around(all.chain([0.0]), 5.0),
        label: &rupees::axis,
    };
    svg((WIDE, 340), |area| {
        let mut chart = grid.on(area)?;
        let line = thinned(&outcome.equity);
        let area_under = AreaSeries::new(line.iter().copied(), 0.0, BLUE.mix(0.10));
        chart.draw_series(area_under).map_err(fault)?;
        let held = thinned(&hold).into_iter();
        chart
            .draw_series(LineSeries::new(held, MUTED.mix(0.65).stroke_width(1)))
            .map_err(fault)?;
        zero(&mut chart, &grid)?;
        chart
            .draw_series(LineSeries::new(line, BLUE.stroke_width(2)))
            .map_err(fault)?;
        Ok(())
    })
}

/// Distance below the highest equity before.
pub(crate) fn drawdown(outcome: &Outcome) -> Drawn {
    let depth = underwater(&outcome.equity);
    let grid = Grid {
        x: span(outcome.bars.len()),
        dates: labels(outcome, &outcome.bars, 12),
        y: Axis::around(depth.iter().map(|m| m.rupees()).chain([0.0]), 3.0),
        label: &rupees::axis,
    };
    svg((WIDE, 190), |area| {
        let mut chart = grid.on(area)?;
        let line = thinned(&depth);
        let filled = AreaSeries::new(line.iter().copied(), 0.0, RED.mix(0.16));
        chart.draw_series(filled).map_err(fault)?;
        chart
            .draw_series(LineSeries::new(line, RED.stroke_width(1)))
            .map_err(fault)?;
        zero(&mut chart, &grid)
    })
}

/// Closes with shaded trades and a mark for every fill, over a range of bars.
pub(crate) fn price(outcome: &Outcome, range: &Range<usize>) -> Drawn {
    let bars = outcome.bars.get(range.clone()).unwrap_or_default();
    let inside = |at: usize| range.contains(&at);
    let closes: Vec<f64> = bars.iter().map(|b| b.close.rupees()).collect();
    let marks: Vec<_> = outcome.marks.iter().filter(|m| inside(m.bar)).collect();
    let prices = closes
        .iter()
        .copied()
        .chain(marks.iter().map(|m| m.price.rupees()));
    let grid = Grid {
        x: span(bars.len()),
        dates: labels(outcome, bars, 12),
        y: Axis::around(prices, 6.0),
        label: &price_label,
    };
    // Marks shrink when there are many, so that they stay apart.
    let size = match marks.len() {
        0..=40 => 6,
        41..=120 => 5,
        121..=400 => 4,
        _ => 3,
    };
    svg((WIDE, 400), |area| {
        let mut chart = grid.on(area)?;
        let shown = outcome
            .trades
            .iter()
            .filter(|t| t.entry_bar < range.end && t.exit_bar >= range.start);
        chart
            .draw_series(shown.map(|trade| {
                let from = trade.entry_bar.max(range.start) - range.start;
                let to = trade.exit_bar.min(range.end - 1) - range.start;
                let corners = [(from as f64, grid.y.low), (to as f64, grid.y.high)];
                Rectangle::new(corners, colour_of(trade).mix(0.12).filled())
            }))
            .map_err(fault)?;
        let line = thin(closes.len(), |at| closes[at]);
        chart
            .draw_series(LineSeries::new(line, INK.mix(0.8).stroke_width(1)))
            .map_err(fault)?;
        for mark in marks {
            let at = ((mark.bar - range.start) as f64, mark.price.rupees());
            draw_mark(&mut chart, at, mark.action, outcome.side, size)?;
        }
        Ok(())
    })
}

/// One trade in candles, with the bars around it.
pub(crate) fn close_up(outcome: &Outcome, trade: &Trade) -> Drawn {
    let last = outcome.bars.len();
    let start = trade.entry_bar.saturating_sub(AROUND);
    let end = (trade.exit_bar + AROUND + 1)
        .min(last)
        .min(start + CANDLES_MAX);
    let bars = outcome.bars.get(start..end).unwrap_or_default();
    let marks: Vec<_> = outcome
        .marks
        .iter()
        .filter(|m| (start..end).contains(&m.bar))
        .collect();
    let prices = bars.iter().flat_map(|b| [b.high.rupees(), b.low.rupees()]);
    let grid = Grid {
        x: -1.0..bars.len() as f64,
        dates: labels(outcome, bars, 7),
        y: Axis::around(prices.chain(marks.iter().map(|m| m.price.rupees())), 5.0),
        label: &price_label,
    };
    svg((HALF, 300), |area| {
        let mut chart = grid.on(area)?;
        let from = (trade.entry_bar - start) as f64;
        let to = trade
            .exit_bar
            .min(end.saturating_sub(1))
            .saturating_sub(start) as f64;
        let corners = [(from, grid.y.low), (to, grid.y.high)];
        let shade = Rectangle::new(corners, colour_of(trade).mix(0.10).filled());
        chart.draw_series([shade]).map_err(fault)?;
        for (at, bar) in bars.iter().enumerate() {
            candle(&mut chart, at as f64, bar)?;
        }
        for mark in marks {
            let at = ((mark.bar - start) as f64, mark.price.rupees());
            draw_mark(&mut chart, at, mark.action, outcome.side, 7)?;
        }
        Ok(())
    })
}

/// How many trades ended with how much.
pub(crate) fn distribution(trades: &[Trade]) -> Drawn {
    let results: Vec<f64> = trades.iter().map(|t| t.net().rupees()).collect();
    let x = Axis::around(results.iter().copied().chain([0.0]), 7.0);
    let step = (x.keys.get(1).unwrap_or(&1.0) - x.keys.first().unwrap_or(&0.0)) / 4.0;
    let bins = ((x.high - x.low) / step).round().max(1.0);
    let mut counts: Vec<(f64, f64)> = Vec::new();
    let mut at = 0.0;
    while at < bins {
        let (from, to) = (x.low + at * step, x.low + (at + 1.0) * step);
        let count = results.iter().filter(|r| (from..to).contains(*r)).count();
        counts.push((from, count as f64));
        at += 1.0;
    }
    let y = Axis::around(counts.iter().map(|c| c.1).chain([0.0, 4.0]), 4.0);
    svg((HALF, 300), |area| {
        let mut chart = ChartBuilder::on(area)
            .margin_top(10)
            .margin_right(30)
            .x_label_area_size(26)
            .y_label_area_size(36)
            .build_cartesian_2d(
                Keyed::new(x.low..x.high, x.keys.clone()),
                Keyed::new(0.0..y.high, y.keys.clone()),
            )
            .map_err(fault)?;
        chart
            .configure_mesh()
            .axis_style(MUTED.mix(0.5))
            .bold_line_style(FAINT)
            .light_line_style(TRANSPARENT)
            .disable_x_mesh()
            .label_style((FONT, 12).into_font().color(&MUTED))
            .x_label_formatter(&|v| rupees::axis(*v))
            .y_label_formatter(&|v| format!("{v:.0}"))
            .set_tick_mark_size(LabelAreaPosition::Left, 5)
            .draw()
            .map_err(fault)?;
        let gap = step * 0.06;
        let columns = counts.iter().filter(|c| c.1 > 0.0).map(|&(from, count)| {
            let colour = if from >= 0.0 { GREEN } else { RED };
            Rectangle::new(
                [(from + gap, 0.0), (from + step - gap, count)],
                colour.mix(0.75).filled(),
            )
        });
        chart.draw_series(columns).map_err(fault)?;
        Ok(())
    })
}

fn span(bars: usize) -> Range<f64> {
    0.0..(bars.max(2) - 1) as f64
}

fn labels(outcome: &Outcome, bars: &[Bar], most: usize) -> Vec<(usize, String)> {
    if outcome.has_time {
        return dates(bars, most);
    }
    let axis = Axis::around([0.0, bars.len() as f64].into_iter(), 8.0);
    let places = axis
        .keys
        .iter()
        .filter(|k| **k > 0.0 && **k < bars.len() as f64);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "inside 0..bars"
    )]
    let label = |key: &f64| {
        (
            *key as usize,
            format!("bar {}", rupees::grouped(*key as u64)),
        )
    };
    places.map(label).collect()
}

fn price_label(value: f64) -> String {
    let text = rupees::price(Price::from_rupees_f64(value));
    text.strip_suffix(".00").map_or(text.clone(), str::to_owned)
}

fn colour_of(trade: &Trade) -> RGBColor {
    if trade.net() > Money::ZERO {
        GREEN
    } else {
        RED
    }
}

fn thinned(values: &[Money]) -> Vec<(f64, f64)> {
    thin(values.len(), |at| values[at].rupees())
}

/// The first, lowest, highest and last of every stretch, in order; every point when there are few.
fn thin(count: usize, value: impl Fn(usize) -> f64) -> Vec<(f64, f64)> {
    if count <= 2 * STRETCHES {
        return (0..count).map(|at| (at as f64, value(at))).collect();
    }
    let mut points = Vec::with_capacity(4 * STRETCHES);
    for stretch in 0..STRETCHES {
        let range = stretch * count / STRETCHES..(stretch + 1) * count / STRETCHES;
        let last = range.end - 1;
        let by_value = |a: &usize, b: &usize| value(*a).total_cmp(&value(*b));
        let low = range.clone().min_by(by_value).unwrap_or(range.start);
        let high = range.clone().max_by(by_value).unwrap_or(range.start);
        let mut kept = [range.start, low, high, last];
        kept.sort_unstable();
        let mut before = None;
        for at in kept {
            if before.replace(at) != Some(at) {
                points.push((at as f64, value(at)));
            }
        }
    }
    points
}

fn zero(chart: &mut Plot<'_>, grid: &Grid<'_>) -> Result<(), DrawError> {
    let line = PathElement::new(vec![(grid.x.start, 0.0), (grid.x.end, 0.0)], INK.mix(0.45));
    chart.draw_series([line]).map_err(fault)?;
    Ok(())
}

fn candle(chart: &mut Plot<'_>, at: f64, bar: &Bar) -> Result<(), DrawError> {
    let [open, high, low, close] = [bar.open, bar.high, bar.low, bar.close].map(Price::rupees);
    let colour = if close >= open { GREEN } else { RED };
    let wick = PathElement::new(vec![(at, low), (at, high)], colour.mix(0.9));
    chart.draw_series([wick]).map_err(fault)?;
    // A bar without a body still gets a visible dash.
    if open == close {
        let dash = PathElement::new(
            vec![(at - 0.33, open), (at + 0.33, open)],
            colour.stroke_width(1),
        );
        chart.draw_series([dash]).map_err(fault)?;
    } else {
        let body = Rectangle::new(
            [(at - 0.33, open), (at + 0.33, close)],
            colour.mix(0.9).filled(),
        );
        chart.draw_series([body]).map_err(fault)?;
    }
    Ok(())
}

/// A triangle whose tip touches the price: up below it for a buy, down above it for a sell; hollow
/// for an addition.
fn draw_mark(
    chart: &mut Plot<'_>,
    at: (f64, f64),
    action: Action,
    entry: Side,
    size: i32,
) -> Result<(), DrawError> {
    let buys = (action == Action::Exit) == (entry == Side::Sell);
    let (colour, down) = if buys { (GREEN, 1) } else { (RED, -1) };
    let tall = down * size * 8 / 5;
    let points = vec![(0, 0), (-size, tall), (size, tall)];
    let ring = vec![(0, 0), (-size, tall), (size, tall), (0, 0)];
    let fill = if action == Action::Pyramid {
        WHITE
    } else {
        colour
    };
    let shape = EmptyElement::at(at)
        + Polygon::new(points, fill.filled())
        + PathElement::new(ring, colour.stroke_width(1));
    chart.draw_series([shape]).map_err(fault)?;
    Ok(())
}
