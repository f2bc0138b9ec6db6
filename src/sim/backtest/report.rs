//! The report: one HTML file with everything inside it and nothing to fetch.

use super::charts::{self, DrawError};
use super::outcome::Outcome;
use super::paper::Trade;
use super::rupees;
use crate::model::time::clock_text;
use crate::model::{Money, Side, WallNanos};
use std::fmt::Write as _;
use std::ops::Range;

const STYLE: &str = include_str!("report.css");
/// Rows of the trade table; the rest is in the CSV beside it.
const ROWS_MAX: usize = 3_000;
/// Bars of one price panel below the overview.
const PANEL: usize = 1_500;

/// Writes the report.
///
/// # Errors
///
/// [`DrawError`] when a chart cannot be drawn.
pub fn html(outcome: &Outcome) -> Result<String, DrawError> {
    let mut page = String::with_capacity(1 << 20);
    let title = format!("{} on {}", outcome.strategy, outcome.instrument);
    write_all(
        &mut page,
        &[
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
            &escape(&title),
            " · tezi backtest</title>\n<style>\n",
            STYLE,
            "</style>\n</head>\n<body>\n<main>\n",
        ],
    );
    head(&mut page, outcome, &title);
    tiles(&mut page, outcome);
    curves(&mut page, outcome)?;
    prices(&mut page, outcome)?;
    months(&mut page, outcome);
    single_trades(&mut page, outcome)?;
    figures(&mut page, outcome);
    trades(&mut page, outcome);
    chosen(&mut page, outcome);
    page.push_str("</main>\n</body>\n</html>\n");
    Ok(page)
}

fn write_all(page: &mut String, parts: &[&str]) {
    for part in parts {
        page.push_str(part);
    }
}

/// Writing to a text cannot fail; the result of `write!` is taken here once.
macro_rules! put {
    ($page:expr, $($text:tt)*) => {
        if write!($page, $($text)*).is_err() {
            $page.push('?');
        }
    };
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn day(wall: WallNanos) -> String {
    wall.day().date().strftime("%-d %b %Y").to_string()
}

fn tone(money: Money) -> &'static str {
    match money.0.signum() {
        1 => "gain",
        -1 => "loss",
        _ => "",
    }
}

fn head(page: &mut String, outcome: &Outcome, title: &str) {
    let side = if outcome.side == Side::Buy {
        "long"
    } else {
        "short"
    };
    put!(
        page,
        "<header>\n<h1>{}</h1>\n<p>{} bars · {side} · {}",
        escape(title),
        outcome.timeframe,
        escape(&outcome.traded)
    );
    if let (true, Some(first), Some(last)) =
        (outcome.has_time, outcome.bars.first(), outcome.bars.last())
    {
        put!(page, " · {} to {}", day(first.start), day(last.start));
    }
    page.push_str("</p>\n</header>\n");
}

fn tile(page: &mut String, name: &str, value: &str, class: &str, note: &str) {
    put!(
        page,
        "<div class=\"tile\"><span>{name}</span><b class=\"{class}\">{value}</b><small>{note}</small></div>\n"
    );
}

fn tiles(page: &mut String, outcome: &Outcome) {
    let s = &outcome.statistics;
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    page.push_str("<section class=\"tiles\">\n");
    let note = format!(
        "gross {}<br>charges {}",
        rupees::whole(s.gross),
        rupees::whole(s.charges)
    );
    tile(
        page,
        "Net profit",
        &rupees::signed(s.net),
        tone(s.net),
        &note,
    );
    let note = match (outcome.has_time, s.drawdown.recovered) {
        (false, _) => String::new(),
        (true, None) => format!("since {}, not recovered", day(s.drawdown.peak)),
        (true, Some(at)) => format!("{} to {}", day(s.drawdown.peak), day(at)),
    };
    let depth = rupees::signed(-s.drawdown.depth);
    tile(
        page,
        "Largest drawdown",
        &depth,
        tone(-s.drawdown.depth),
        &note,
    );
    let rate = s.win_rate().map_or_else(|| "–".to_owned(), percent);
    let note = format!("{} of {} trades", s.wins, s.trades);
    tile(page, "Winners", &rate, "", &note);
    let factor = s
        .profit_factor()
        .map_or_else(|| "–".to_owned(), |f| format!("{f:.2}"));
    let note = format!(
        "won {}<br>lost {}",
        rupees::whole(s.won),
        rupees::whole(-s.lost)
    );
    tile(page, "Profit factor", &factor, "", &note);
    tile(
        page,
        "Mean trade",
        &rupees::signed(s.expectancy()),
        tone(s.expectancy()),
        "after charges",
    );
    let note = format!("{:.1} bars a trade", s.bars_mean);
    tile(page, "In the market", &percent(s.exposure), "", &note);
    page.push_str("</section>\n");
}

fn curves(page: &mut String, outcome: &Outcome) -> Result<(), DrawError> {
    let hold = outcome.hold().last().copied().unwrap_or_default();
    put!(
        page,
        "<section>\n<h2>Equity</h2>\n<p class=\"key\"><i class=\"line blue\"></i>strategy, after charges {} \
         <i class=\"line grey\"></i>one entry of {} units held throughout {}</p>\n{}\n",
        rupees::signed(outcome.statistics.net),
        rupees::grouped(u64::from(outcome.qty.0)),
        rupees::signed(hold),
        charts::equity(outcome)?
    );
    put!(
        page,
        "<h2>Drawdown</h2>\n<p class=\"key\">distance below the highest equity so far, at bar closes</p>\n{}\n</section>\n",
        charts::drawdown(outcome)?
    );
    Ok(())
}

fn prices(page: &mut String, outcome: &Outcome) -> Result<(), DrawError> {
    let all = 0..outcome.bars.len();
    let (enter, leave) = match outcome.side {
        Side::Buy => ("up buy", "down sell"),
        Side::Sell => ("down sell", "up buy"),
    };
    put!(
        page,
        "<section>\n<h2>Price and trades</h2>\n<p class=\"key\"><i class=\"{enter}\"></i>entry \
         <i class=\"{enter} hollow\"></i>addition <i class=\"{leave}\"></i>exit \
         <i class=\"box green\"></i>won <i class=\"box red\"></i>lost</p>\n{}\n",
        charts::price(outcome, &all)?
    );
    let panels = panels(outcome);
    if panels.len() > 1 {
        for (name, range) in panels {
            put!(
                page,
                "<details><summary>{name}</summary>\n{}</details>\n",
                charts::price(outcome, &range)?
            );
        }
    }
    page.push_str("</section>\n");
    Ok(())
}

/// Stretches of the price chart, by calendar year or quarter, whichever holds fewer bars than a
/// panel shows well.
fn panels(outcome: &Outcome) -> Vec<(String, Range<usize>)> {
    let bars = &outcome.bars;
    if !outcome.has_time || bars.len() < 400 {
        return Vec::new();
    }
    let split = |by_quarter: bool| {
        let mut panels: Vec<(String, Range<usize>)> = Vec::new();
        for (at, bar) in bars.iter().enumerate() {
            let date = bar.start.day().date();
            let name = if by_quarter {
                format!("{} Q{}", date.year(), (date.month() + 2) / 3)
            } else {
                date.year().to_string()
            };
            match panels.last_mut() {
                Some((last, range)) if *last == name => range.end = at + 1,
                _ => panels.push((name, at..at + 1)),
            }
        }
        panels
    };
    let years = split(false);
    let fits = years.iter().all(|(_, range)| range.len() <= PANEL);
    if fits { years } else { split(true) }
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

fn months(page: &mut String, outcome: &Outcome) {
    let months = &outcome.statistics.months;
    if !outcome.has_time || months.is_empty() {
        return;
    }
    let largest = months
        .iter()
        .map(|(_, m)| m.0.unsigned_abs())
        .max()
        .unwrap_or(1)
        .max(1);
    page.push_str("<section>\n<h2>Net profit by month</h2>\n<div class=\"scroll\"><table class=\"months\"><tr><th></th>");
    for name in MONTHS {
        put!(page, "<th>{name}</th>");
    }
    page.push_str("<th>Year</th></tr>\n");
    let mut years: Vec<i16> = months.iter().map(|((year, _), _)| *year).collect();
    years.dedup();
    for year in years {
        put!(page, "<tr><th>{year}</th>");
        let mut sum = Money::ZERO;
        for month in 1..=12_i8 {
            match months.iter().find(|((y, m), _)| (*y, *m) == (year, month)) {
                Some((_, money)) => {
                    sum = sum.saturating_add(*money);
                    month_cell(page, *money, largest);
                }
                None => page.push_str("<td></td>"),
            }
        }
        put!(
            page,
            "<td class=\"sum {}\">{}</td></tr>\n",
            tone(sum),
            rupees::signed(sum)
        );
    }
    page.push_str("</table></div>\n</section>\n");
}

fn month_cell(page: &mut String, money: Money, largest: u64) {
    let strength = money.0.unsigned_abs() as f64 / largest as f64;
    let colour = match money.0.signum() {
        1 => "18,122,77",
        -1 => "194,50,43",
        _ => "255,255,255",
    };
    let alpha = if money == Money::ZERO {
        0.0
    } else {
        0.06 + 0.34 * strength
    };
    let text = if money == Money::ZERO {
        "·".to_owned()
    } else {
        bare(&rupees::signed(money))
    };
    put!(
        page,
        "<td style=\"background:rgba({colour},{alpha:.2})\">{text}</td>"
    );
}

fn single_trades(page: &mut String, outcome: &Outcome) -> Result<(), DrawError> {
    let trades = &outcome.trades;
    let best = trades.iter().enumerate().max_by_key(|(_, t)| t.net());
    let worst = trades.iter().enumerate().min_by_key(|(_, t)| t.net());
    let (Some(best), Some(worst), Some(last)) = (best, worst, trades.last()) else {
        return Ok(());
    };
    let last = (trades.len() - 1, last);
    page.push_str("<section>\n<h2>Trades close up</h2>\n<div class=\"pair\">\n");
    for (name, (at, trade)) in [("Best", best), ("Worst", worst), ("Last", last)] {
        put!(
            page,
            "<figure><figcaption>{name}: trade {} <b class=\"{}\">{}</b></figcaption>{}</figure>\n",
            at + 1,
            tone(trade.net()),
            rupees::signed(trade.net()),
            charts::close_up(outcome, trade)?
        );
    }
    put!(
        page,
        "<figure><figcaption>How many trades ended with how much</figcaption>{}</figure>\n",
        charts::distribution(trades)?
    );
    page.push_str("</div>\n</section>\n");
    Ok(())
}

fn figures(page: &mut String, outcome: &Outcome) {
    page.push_str("<section>\n<h2>Figures</h2>\n<dl>\n");
    for (name, value) in super::table::figures(outcome) {
        put!(
            page,
            "<div><dt>{}</dt><dd>{}</dd></div>\n",
            escape(&name),
            escape(&value)
        );
    }
    page.push_str("</dl>\n</section>\n");
}

fn when(outcome: &Outcome, wall: WallNanos, bar: usize) -> String {
    if outcome.has_time {
        format!("{} <small>{}</small>", day(wall), clock_text(wall))
    } else {
        format!("bar {}", rupees::grouped(bar as u64))
    }
}

fn trades(page: &mut String, outcome: &Outcome) {
    let all = &outcome.trades;
    put!(
        page,
        "<section>\n<h2>All trades</h2>\n<p class=\"key\">amounts in rupees; best and worst are before charges</p>\n"
    );
    if all.is_empty() {
        page.push_str(
            "<p>No trade: the entry rule never held after the warm-up.</p>\n</section>\n",
        );
        return;
    }
    if all.len() > ROWS_MAX {
        let total = rupees::grouped(all.len() as u64);
        put!(
            page,
            "<p class=\"key\">the last {ROWS_MAX} of {total}; all of them are in trades.csv</p>\n"
        );
    }
    page.push_str(
        "<div class=\"scroll tall\"><table class=\"trades\"><thead><tr><th>#</th><th>In</th><th>Price</th><th>Out</th>\
         <th>Price</th><th>Units</th><th>Entries</th><th>Bars</th><th>Best</th><th>Worst</th><th>Gross</th><th>Charges</th>\
         <th>Net</th><th>Sum</th><th>End</th></tr></thead>\n<tbody>\n",
    );
    let mut sum = Money::ZERO;
    let skipped = all.len().saturating_sub(ROWS_MAX);
    for (at, trade) in all.iter().enumerate() {
        sum = sum.saturating_add(trade.net());
        if at >= skipped {
            trade_row(page, outcome, (at + 1, trade), sum);
        }
    }
    page.push_str("</tbody></table></div>\n</section>\n");
}

/// Without the sign: the column's head has it.
fn bare(text: &str) -> String {
    text.replace('₹', "")
}

fn trade_row(page: &mut String, outcome: &Outcome, (number, trade): (usize, &Trade), sum: Money) {
    put!(
        page,
        "<tr><td>{number}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
         <td>{}</td><td>{}</td><td>{}</td><td class=\"{}\">{}</td><td>{}</td><td>{}</td></tr>\n",
        when(outcome, trade.entered, trade.entry_bar),
        rupees::price(trade.entry),
        when(outcome, trade.left, trade.exit_bar),
        rupees::price(trade.exit),
        rupees::grouped(u64::from(trade.qty.0)),
        trade.entries,
        trade.bars(),
        bare(&rupees::whole(trade.best)),
        bare(&rupees::whole(trade.worst)),
        bare(&rupees::whole(trade.gross)),
        bare(&rupees::whole(trade.charges)),
        tone(trade.net()),
        bare(&rupees::signed(trade.net())),
        bare(&rupees::whole(sum)),
        trade.end.name(),
    );
}

fn chosen(page: &mut String, outcome: &Outcome) {
    page.push_str("<section class=\"pair\">\n");
    for (title, rows) in [("Parameters", &outcome.parameters), ("Data", &outcome.data)] {
        put!(page, "<div><h2>{title}</h2>\n<table class=\"plain\">\n");
        for (name, value) in rows {
            put!(
                page,
                "<tr><th>{}</th><td>{}</td></tr>\n",
                escape(name),
                escape(value)
            );
        }
        page.push_str("</table></div>\n");
    }
    page.push_str("</section>\n<section>\n<h2>What these figures assume</h2>\n<ul>\n");
    for sentence in &outcome.assumptions {
        put!(page, "<li>{}</li>\n", escape(sentence));
    }
    put!(
        page,
        "</ul>\n<p class=\"key\">Made by tezi {}. Past prices say what would have happened, not what will.</p>\n</section>\n",
        env!("CARGO_PKG_VERSION")
    );
}
