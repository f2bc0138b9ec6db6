//! A recording of `tezi run --record` as prices of an index, so that the venue can play it again.
//!
//! The index's own ticks are taken where it was recorded, else those of the near future: then play it with a
//! carry of 0. A tick that stands for several brings its low and high back as values of their own.

use crate::config::MarketRules;
use crate::model::time::MINUTE;
use crate::model::{InstrumentIx, Price, WallNanos};
use crate::store::tape::{TapeReader, TapeRecord};
use crate::store::{Counted, Layout, PriceFile};
use serde_json::Value;
use std::path::Path;

/// Reads the prices of one underlying out of a recording.
///
/// # Errors
///
/// A sentence when the file is not a sound recording or has no price of the underlying.
pub fn read(path: &Path, underlying: &str) -> Result<PriceFile, String> {
    let name = path.display();
    let reader = TapeReader::open(path).map_err(|fault| fault.to_string())?;
    let mut wanted: Option<InstrumentIx> = None;
    let mut points: Vec<(WallNanos, Price)> = Vec::new();
    for record in reader {
        match record {
            TapeRecord::Header(text) => wanted = choose(&text, underlying),
            TapeRecord::Tick(tick) if Some(tick.instrument) == wanted => {
                let latest = points.last().map_or(WallNanos(0), |(at, _)| *at);
                let at = tick.exchange_time.max(latest);
                for price in [tick.low, tick.high] {
                    if tick.merged > 1 && price != tick.last {
                        points.push((at, price));
                    }
                }
                points.push((at, tick.last));
            }
            _ => {}
        }
    }
    if points.is_empty() {
        return Err(format!(
            "{name}: no tick of {underlying} or its future was recorded"
        ));
    }
    Ok(PriceFile {
        layout: Layout::Points,
        bars: Vec::new(),
        points,
        unit: 10_000,
        interval: MINUTE,
        skipped: Counted::default(),
        widened: Counted::default(),
        noisy: Vec::new(),
        skipped_rows: Vec::new(),
    })
}

/// The index of an underlying among a recording's instruments, else its future of the nearest expiry.
fn choose(header: &str, underlying: &str) -> Option<InstrumentIx> {
    let header: Value = serde_json::from_str(header).ok()?;
    let rows = header["instruments"].as_array()?;
    let rules = MarketRules::embedded();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or("").to_owned();
    let is_index = |row: &Value| {
        let name = text(row, "underlying");
        row["kind"] == "index"
            && (name == underlying || rules.underlying_of_index(&name) == Some(underlying))
    };
    let future = || {
        let is_future =
            |row: &Value| row["kind"] == "future" && text(row, "underlying") == underlying;
        let futures = rows.iter().enumerate().filter(|(_, row)| is_future(row));
        futures
            .min_by_key(|(_, row)| row["expiry"].as_i64())
            .map(|(at, _)| at)
    };
    let spot = rows.iter().position(is_index);
    spot.or_else(future)
        .and_then(|at| u16::try_from(at).ok())
        .map(InstrumentIx)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Tick;
    use crate::model::time::SECOND;
    use crate::store::tape::{TapeWriter, tick_record};

    fn recording(kinds: &[(&str, &str)], ticks: &[(u16, i64, i64)]) -> tempfile::NamedTempFile {
        let rows: Vec<Value> = kinds
            .iter()
            .map(
                |(kind, name)| serde_json::json!({ "kind": kind, "underlying": name, "expiry": 1 }),
            )
            .collect();
        let file = tempfile::NamedTempFile::new().expect("file");
        std::fs::remove_file(file.path()).expect("a writer makes it itself");
        let header = serde_json::json!({ "instruments": rows }).to_string();
        let mut writer = TapeWriter::create(file.path(), &header).expect("created");
        for &(instrument, second, last) in ticks {
            let price = Price(last);
            let tick = Tick {
                last: price,
                low: Price(last - 5),
                high: price,
                merged: if second == 3 { 2 } else { 1 },
                instrument: InstrumentIx(instrument),
                exchange_time: WallNanos(second * SECOND),
                ..Tick::default()
            };
            writer.push(&tick_record(&tick)).expect("written");
        }
        writer.finish("{}").expect("finished");
        file
    }

    #[test]
    fn the_index_is_played_where_it_was_recorded_else_the_future() {
        let ticks = [(0, 1, 100), (1, 1, 200), (0, 3, 110), (1, 2, 210)];
        let both = recording(&[("future", "NIFTY"), ("index", "NIFTY 50")], &ticks);
        let prices = |file: &tempfile::NamedTempFile, name| {
            read(file.path(), name).map(|f| f.points.iter().map(|(_, p)| p.0).collect::<Vec<_>>())
        };
        assert_eq!(prices(&both, "NIFTY"), Ok(vec![200, 210]));
        let future = recording(&[("future", "NIFTY"), ("call", "NIFTY")], &ticks);
        assert_eq!(prices(&future, "NIFTY"), Ok(vec![100, 105, 110]));
        assert!(prices(&future, "BANKNIFTY").is_err());
    }
}
