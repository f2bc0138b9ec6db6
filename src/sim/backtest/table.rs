//! The figures as names and values, for the terminal and the report alike.

use super::outcome::Outcome;
use super::rupees;
use crate::model::WallNanos;

/// Names and values in reading order.
pub fn figures(outcome: &Outcome) -> Vec<(String, String)> {
    let s = &outcome.statistics;
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let none = || "–".to_owned();
    let day = |wall: WallNanos| wall.day().date().strftime("%-d %b %Y").to_string();
    let warm_up = outcome.warm_up.min(outcome.bars.len());
    let mut rows = vec![
        ("bars", rupees::grouped(outcome.bars.len() as u64)),
        ("warm-up bars", rupees::grouped(warm_up as u64)),
        ("trades", rupees::grouped(s.trades as u64)),
        (
            "entries and additions",
            rupees::grouped(u64::from(s.entries)),
        ),
        ("winners", s.win_rate().map_or_else(none, percent)),
        ("gross", rupees::signed(s.gross)),
        ("charges", rupees::whole(s.charges)),
        ("net", rupees::signed(s.net)),
        (
            "profit factor",
            s.profit_factor().map_or_else(none, |f| format!("{f:.2}")),
        ),
        ("mean trade", rupees::signed(s.expectancy())),
        ("mean winner", rupees::signed(s.win_mean())),
        ("mean loser", rupees::signed(s.loss_mean())),
        ("best trade", rupees::signed(s.best)),
        ("worst trade", rupees::signed(s.worst)),
        ("losers in a row", s.losing_streak.to_string()),
        ("bars a trade", format!("{:.1}", s.bars_mean)),
        ("in the market", percent(s.exposure)),
        ("largest drawdown", rupees::whole(s.drawdown.depth)),
    ];
    if outcome.has_time {
        rows.insert(2, ("sessions", rupees::grouped(s.days as u64)));
    }
    if outcome.has_time && s.drawdown.depth.0 > 0 {
        rows.push(("drawdown from", day(s.drawdown.peak)));
        rows.push(("drawdown bottom", day(s.drawdown.bottom)));
        let recovered = s
            .drawdown
            .recovered
            .map_or_else(|| "not yet".to_owned(), day);
        rows.push(("drawdown recovered", recovered));
    }
    if outcome.has_time {
        rows.push((
            "Sharpe of daily results",
            s.sharpe.map_or_else(none, |r| format!("{r:.2}")),
        ));
    }
    rows.into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
