//! Prices: seeded days, tapes, history, packets against quotes.

use super::client::{FUTURE, INDEX, Rest, Ticker, quiet, tokens, until};
use crate::fixtures;
use serde_json::Value;
use tezi::venue::kite::packet::Packet;

#[test]
fn packets_say_what_quotes_say_in_every_mode() {
    let venue = quiet(&["--speed", "20"]);
    let mut rest = venue.rest();
    let names = tokens(&mut rest);
    // The strike in the middle of the chain: one at its edge may have no bid.
    let mut calls: Vec<&String> = names.keys().filter(|name| name.ends_with("CE")).collect();
    calls.sort();
    let call = (*calls.get(calls.len() / 2).expect("an option")).clone();
    let option = names[&call];
    let mut ticker = venue.ticker();
    for (mode, length) in [("ltp", 8), ("quote", 44), ("full", 184)] {
        ticker.subscribe(&[option], mode);
        let packet = until("a packet of the mode", || {
            let packets = ticker.packets()?;
            packets
                .into_iter()
                .find(|p| p.token.0 == option && p.layout.length() == length)
        });
        let quote = &rest.data(&format!("/quote?i=NFO:{call}"))[format!("NFO:{call}")];
        let paise = |value: &Value| format!("{:.0}", value.as_f64().expect("price") * 100.0);
        if mode != "ltp" {
            assert_eq!(packet.open.to_string(), paise(&quote["ohlc"]["open"]));
            assert_eq!(packet.close.to_string(), paise(&quote["ohlc"]["close"]));
        }
        assert_eq!(packet.bids[0].price > 0, mode == "full");
    }
    ticker.subscribe(&[INDEX], "full");
    let index = until("an index packet", || {
        ticker
            .packets()?
            .into_iter()
            .find(|p| p.token.0 == INDEX && p.exchange_secs > 0)
    });
    assert!(index.low <= index.last && index.last <= index.high && index.low <= index.open);
    ticker
        .socket
        .send(tungstenite::Message::text(
            "{\"a\":\"mode\",\"v\":[\"loud\",[1]]}",
        ))
        .expect("sent");
    assert_eq!(
        ticker.told(|text| text["type"] == "error")["data"],
        "Invalid mode"
    );
}

/// The first packets of a venue's day, as raw frames.
fn day_of(arguments: &[&str], frames: usize) -> Vec<Vec<u8>> {
    let venue = quiet(&[&["--speed", "max"], arguments].concat());
    let mut rest = venue.rest();
    let all: Vec<u32> = tokens(&mut rest).into_values().collect();
    let mut sorted = all;
    sorted.sort_unstable();
    let mut ticker = venue.ticker();
    ticker.subscribe(&sorted, "full");
    (0..frames)
        .map(|_| ticker.frame().expect("a frame"))
        .collect()
}

#[test]
fn a_seed_is_a_market_and_another_seed_is_another() {
    let one = day_of(&["--seed", "3"], 400);
    assert_eq!(one, day_of(&["--seed", "3"], 400));
    assert_ne!(one, day_of(&["--seed", "4"], 400));
}

/// Rebuilds minute bars of the index from what the ticker said.
fn bars_of(ticker: &mut Ticker) -> Vec<(u32, [u32; 4])> {
    let mut bars: Vec<(u32, [u32; 4])> = Vec::new();
    while let Some(packets) = ticker.packets() {
        for Packet {
            last,
            exchange_secs,
            ..
        } in packets
            .iter()
            .filter(|p| p.token.0 == INDEX && p.exchange_secs > 0)
        {
            let minute = exchange_secs - exchange_secs % 60;
            match bars.last_mut().filter(|(at, _)| *at == minute) {
                Some((_, bar)) => *bar = [bar[0], bar[1].max(*last), bar[2].min(*last), *last],
                None => bars.push((minute, [*last; 4])),
            }
        }
    }
    bars
}

#[test]
fn a_tape_is_played_so_that_its_bars_come_back() {
    let rows = "Time,Open,High,Low,Close\n\
        1724039100,50516.90,50587.85,50470.10,50510.55\n\
        1724039160,50510.55,50550.00,50500.00,50500.00\n\
        1724039220,50501.00,50501.00,50400.00,50450.05\n\
        1724125500,50600.00,50600.00,50600.00,50600.00\n";
    let folder = tempfile::tempdir().expect("folder");
    let tape = folder.path().join("tape.csv");
    std::fs::write(&tape, rows).expect("written");
    let venue = quiet(&[
        "--speed",
        "max",
        "--exit-at-end",
        "--linger-ms",
        "100",
        "--tape",
        tape.to_str().expect("path"),
    ]);
    let mut ticker = venue.ticker();
    ticker.subscribe(&[INDEX], "full");
    let bars = bars_of(&mut ticker);
    assert_eq!(
        bars,
        [
            (1_724_039_100, [5_051_690, 5_058_785, 5_047_010, 5_051_055]),
            (1_724_039_160, [5_051_055, 5_055_000, 5_050_000, 5_050_000]),
            (1_724_039_220, [5_050_100, 5_050_100, 5_040_000, 5_045_005]),
            (1_724_125_500, [5_060_000; 4]),
        ]
    );
    drop(ticker);
    let (code, summary) = venue.finish();
    assert_eq!(code, Some(0));
    assert_eq!(summary["market"], "2024-08-20 15:30:00.000");
}

#[test]
fn a_recorded_day_of_bank_nifty_comes_back_bar_for_bar() {
    let Some(tape) = fixtures::find("data/banknifty-1min-2024.csv") else {
        return;
    };
    let text = std::fs::read_to_string(&tape).expect("a tape");
    let venue = quiet(&[
        "--speed",
        "max",
        "--exit-at-end",
        "--linger-ms",
        "100",
        "--tape",
        tape.to_str().expect("text"),
        "--from",
        "2024-08-20",
        "--to",
        "2024-08-20",
    ]);
    let mut rest = venue.rest();
    let earlier = rest.data(&format!(
        "/instruments/historical/{INDEX}/minute?from=2024-08-19+09:15:00&to=2024-08-19+15:29:00"
    ));
    assert_eq!(earlier["candles"].as_array().map(Vec::len), Some(375));
    let mut ticker = venue.ticker();
    ticker.subscribe(&[INDEX], "full");
    let bars = bars_of(&mut ticker);
    let paise = |cell: &str| (cell.parse::<f64>().expect("price") * 100.0).round();
    let mut rows = 0;
    for (line, (_, bar)) in text
        .lines()
        .filter(|l| l.starts_with("NIFTY,20240820,"))
        .zip(&bars)
    {
        let cells: Vec<f64> = line.split(',').skip(3).map(paise).collect();
        // The reader widens the few rows that open or close outside their range.
        let high = cells[1].max(cells[0]).max(cells[3]);
        let low = cells[2].min(cells[0]).min(cells[3]);
        assert_eq!(
            bar.map(f64::from),
            [cells[0], high, low, cells[3]],
            "{line}"
        );
        rows += 1;
    }
    assert_eq!((rows, bars.len()), (375, 375));
}

#[test]
fn history_leads_to_the_open_and_then_repeats_the_ticks() {
    let venue = quiet(&["--speed", "max"]);
    let (mut rest, mut ticker) = (venue.rest(), venue.ticker());
    let token = tokens(&mut rest)[FUTURE];
    let history = |rest: &mut Rest, token: u32, interval: &str, from: &str, to: &str| {
        let path = format!("/instruments/historical/{token}/{interval}?from={from}&to={to}&oi=1");
        rest.data(&path)["candles"]
            .as_array()
            .expect("candles")
            .clone()
    };
    let before = history(
        &mut rest,
        INDEX,
        "minute",
        "2026-10-01+00:00:00",
        "2026-11-23+00:00:00",
    );
    assert!(before.len() > 10_000 && before.last().expect("bars")[0] == "2026-11-20T15:39:00+0530");
    assert!(
        !before
            .iter()
            .any(|bar| bar[0].as_str().expect("time").starts_with("2026-11-10")),
        "a holiday"
    );
    let days = history(
        &mut rest,
        token,
        "day",
        "2024-01-01+00:00:00",
        "2026-11-22+00:00:00",
    );
    assert!(days.len() > 600, "{} days", days.len());
    ticker.subscribe(&[token], "full");
    let mut minute: Option<[u32; 4]> = None;
    let first = u32::try_from(venue.ready["open_nanos"].as_i64().expect("open") / 1_000_000_000)
        .expect("secs");
    loop {
        let packets = ticker.packets().expect("packets");
        let Some(packet) = packets.first() else {
            continue;
        };
        if packet.exchange_secs >= first + 130 {
            break;
        }
        if (first..first + 60).contains(&packet.exchange_secs) {
            let last = packet.last;
            let bar = minute.unwrap_or([last; 4]);
            minute = Some([bar[0], bar[1].max(last), bar[2].min(last), last]);
        }
    }
    let bars = history(
        &mut rest,
        token,
        "minute",
        "2026-11-23+09:15:00",
        "2026-11-23+09:15:00",
    );
    let seen = minute.expect("ticks").map(|paise| f64::from(paise) / 100.0);
    assert_eq!(bars.len(), 1);
    assert_eq!(
        [1, 2, 3, 4].map(|at| bars[0][at].as_f64().expect("price")),
        seen
    );
    assert_eq!(bars[0].as_array().map(Vec::len), Some(7));
    let unfinished = history(
        &mut rest,
        token,
        "15minute",
        "2026-11-23+09:15:00",
        "2026-11-23+15:00:00",
    );
    assert_eq!(unfinished, Vec::<Value>::new());
}
