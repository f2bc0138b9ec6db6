//! The simulated venue as its clients see it: a process, sockets, bytes.
//!
//! Packets are read with the engine's decoder, which shares no code with the venue's encoder.

#[path = "venue/client.rs"]
mod client;

use client::{Rest, Ticker, Venue, tls, until};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use tezi::venue::kite::packet::Packet;

const FUTURE: &str = "BANKNIFTY26NOVFUT";
const INDEX: u32 = 260_105;

/// A form for one order of the near future.
fn order(changes: &str) -> String {
    let mut fields: Vec<(&str, &str)> = vec![
        ("exchange", "NFO"),
        ("tradingsymbol", FUTURE),
        ("transaction_type", "BUY"),
        ("quantity", "30"),
        ("product", "NRML"),
        ("order_type", "LIMIT"),
        ("validity", "DAY"),
        ("tag", "TZtest"),
    ];
    for (name, value) in changes.split('&').filter_map(|part| part.split_once('=')) {
        fields.retain(|(key, _)| *key != name);
        fields.push((name, value));
    }
    let parts: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    parts.join("&")
}

fn last_price(rest: &mut Rest) -> f64 {
    rest.data(&format!("/quote/ltp?i=NFO:{FUTURE}"))[format!("NFO:{FUTURE}")]["last_price"]
        .as_f64()
        .expect("a price")
}

/// A price on the future's tick at a share of the last one.
fn near(rest: &mut Rest, share: f64) -> String {
    format!("{:.2}", (last_price(rest) * share / 0.2).round() * 0.2)
}

fn tokens(rest: &mut Rest) -> HashMap<String, u32> {
    let rows = rest.dump();
    rows.iter()
        .map(|row| (row[2].clone(), row[0].parse().expect("token")))
        .collect()
}

/// A venue whose market stands still until somebody subscribes, without limits, on plain sockets.
fn quiet(arguments: &[&str]) -> Venue {
    Venue::start(&[&["--plain", "--rate-limit", "off"], arguments].concat())
}

#[test]
fn only_those_who_trust_its_root_talk_to_it_over_tls() {
    let venue = Venue::start(&["--rate-limit", "off"]);
    assert_eq!(venue.rest().data("/user/profile")["user_id"], "SIM001");
    let other = Venue::start(&["--rate-limit", "off"]);
    let pem = std::fs::read(other.text("ca_file")).expect("certificate");
    let port = u16::try_from(venue.ready["port"].as_u64().expect("port")).expect("port");
    let socket = std::net::TcpStream::connect(("127.0.0.1", port)).expect("connected");
    let mut stranger = tls(socket, &pem);
    let error = stranger
        .write_all(b"GET / HTTP/1.1\r\n\r\n")
        .expect_err("untrusted");
    assert!(error.to_string().contains("certificate"), "{error}");
    // The stranger's failure is nobody else's.
    assert_eq!(venue.rest().data("/user/profile")["user_id"], "SIM001");
}

#[test]
fn a_session_needs_the_right_secret_and_ends_the_one_before() {
    let venue = quiet(&[]);
    let mut rest = venue.rest();
    let log_in = |rest: &mut Rest, token: &str, secret: &str| {
        use sha2::{Digest as _, Sha256};
        let sum = Sha256::digest(format!("simulated{token}{secret}").as_bytes());
        let sum = data_encoding::HEXLOWER.encode(&sum);
        let form = format!("api_key=simulated&request_token={token}&checksum={sum}");
        rest.call("POST", "/session/token", &form)
    };
    let (status, body) = log_in(&mut rest, "simulated-request", "wrong");
    assert_eq!(
        (status, &body["error_type"]),
        (403, &json!("TokenException"))
    );
    let (status, body) = log_in(&mut rest, "simulated-request", "simulated-secret");
    assert_eq!(status, 200, "{body}");
    assert_eq!(rest.refusal("GET", "/orders", "").1, "TokenException");
    let token = body["data"]["access_token"]
        .as_str()
        .expect("token")
        .to_owned();
    rest.token = format!("simulated:{token}");
    assert_eq!(rest.data("/orders"), json!([]));
    assert_eq!(
        log_in(&mut rest, "simulated-request", "simulated-secret").0,
        403
    );
    let minted = rest.get("/sim/request-token").1["request_token"]
        .as_str()
        .expect("token")
        .to_owned();
    assert_eq!(log_in(&mut rest, &minted, "simulated-secret").0, 200);
    assert_eq!(rest.refusal("GET", "/orders", "").0, 403);
    let url = format!(
        "{}/?api_key=simulated&access_token={token}",
        venue.text("ticker")
    );
    let refused = tungstenite::client(url, venue.stream()).expect_err("a dead token");
    assert!(refused.to_string().contains("403"), "{refused}");
    assert_eq!(
        (
            venue.truth()["logins"].as_u64(),
            venue.truth()["logins_refused"].as_u64()
        ),
        (Some(2), Some(2))
    );
}

#[test]
fn packets_say_what_quotes_say_in_every_mode() {
    let venue = quiet(&["--speed", "20"]);
    let mut rest = venue.rest();
    let names = tokens(&mut rest);
    let call = names
        .keys()
        .find(|name| name.ends_with("CE"))
        .expect("an option")
        .clone();
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

#[test]
fn an_order_rests_is_modified_and_cancelled_and_everyone_is_told() {
    let venue = quiet(&[]);
    let (mut rest, mut ticker) = (venue.rest(), venue.ticker());
    let far = near(&mut rest, 0.95);
    let id = rest.place(&order(&format!("price={far}")));
    assert_eq!(id.len(), 15);
    assert_eq!(rest.row(&id)["status"], "OPEN");
    let nearer = near(&mut rest, 0.96);
    let form = format!("price={nearer}&quantity=60");
    assert_eq!(
        rest.call("PUT", &format!("/orders/regular/{id}"), &form).0,
        200
    );
    let row = rest.row(&id);
    assert_eq!(
        (row["quantity"].as_u64(), row["modified"].as_bool()),
        (Some(60), Some(true))
    );
    assert_eq!(
        rest.call("DELETE", &format!("/orders/regular/{id}"), "").0,
        200
    );
    let rows = rest.data(&format!("/orders/{id}"));
    let words: Vec<&str> = rows
        .as_array()
        .expect("rows")
        .iter()
        .filter_map(|r| r["status"].as_str())
        .collect();
    assert_eq!(
        words,
        [
            "PUT ORDER REQ RECEIVED",
            "VALIDATION PENDING",
            "OPEN PENDING",
            "OPEN",
            "MODIFY VALIDATION PENDING",
            "MODIFY PENDING",
            "MODIFIED",
            "OPEN",
            "CANCEL PENDING",
            "CANCELLED",
        ]
    );
    let told = ticker.told(|text| text["data"]["status"] == "CANCELLED");
    assert_eq!(
        (told["type"].as_str(), told["data"]["order_id"].as_str()),
        (Some("order"), Some(id.as_str()))
    );
    assert_eq!(told["data"]["tag"], "TZtest");
    let heard: Vec<&str> = ticker
        .texts
        .iter()
        .filter_map(|t| t["data"]["status"].as_str())
        .collect();
    assert_eq!(heard, ["OPEN", "UPDATE", "CANCELLED"]);
    assert_eq!(
        rest.refusal("DELETE", &format!("/orders/regular/{id}"), "")
            .1,
        "OrderException"
    );
}

#[test]
fn the_door_refuses_and_the_desk_rejects_as_the_broker_does() {
    let venue = quiet(&[]);
    let mut rest = venue.rest();
    let price = near(&mut rest, 0.95);
    for (changes, words) in [
        ("order_type=MARKET", "market protection"),
        ("order_type=MARKET&market_protection=0", "market protection"),
        ("order_type=SL-M&trigger_price=52000", "market protection"),
        ("price=0", "price"),
        ("tradingsymbol=NOSUCH", "does not exist"),
        ("exchange=NSE&tradingsymbol=NIFTY BANK", "does not exist"),
        ("product=CNC", "product"),
        ("quantity=29", "lot size"),
        ("quantity=0", "quantity"),
        ("quantity=630", "freeze"),
        ("tag=TZ345678901234567890x", "tag"),
        ("transaction_type=HOLD", "transaction_type"),
        ("validity=GTC", "validity"),
    ] {
        let form = order(&format!("price={price}&{changes}"));
        let (status, class, message) = rest.refusal("POST", "/orders/regular", &form);
        assert_eq!(
            (status, class.as_str()),
            (400, "InputException"),
            "{changes}"
        );
        assert!(message.contains(words), "{changes}: {message}");
    }
    assert_eq!(rest.data("/orders"), json!([]));
    for (changes, words) in [
        (
            format!("price={}", price.replace(['.'], "") + ".05"),
            "circuit",
        ),
        (
            format!("price={:.2}", price.parse::<f64>().expect("price") + 0.05),
            "Tick size",
        ),
        (format!("price={}", near(&mut rest, 1.15)), "upper circuit"),
        (format!("price={}", near(&mut rest, 0.85)), "lower circuit"),
    ] {
        let changes = if words == "circuit" {
            "price=9999999".to_owned()
        } else {
            changes
        };
        let id = rest.place(&order(&changes));
        let row = rest.settled(&id, "REJECTED");
        assert!(
            row["status_message"]
                .as_str()
                .expect("words")
                .contains(words),
            "{row}"
        );
        assert!(row["exchange_order_id"].is_null());
    }
    // At the freeze limit, not beyond it.
    let id = rest.place(&order(&format!("price={price}&quantity=600")));
    assert_eq!(rest.row(&id)["status"], "OPEN");
    let (_, body) = rest.call(
        "POST",
        "/orders/regular",
        &order(&format!("price={price}&quantity=1500&autoslice=true")),
    );
    assert_eq!(body["data"]["children"].as_array().map(Vec::len), Some(3));
}

#[test]
fn funds_run_out() {
    let venue = quiet(&["--cash", "200000"]);
    let mut rest = venue.rest();
    let price = near(&mut rest, 1.0);
    let id = rest.place(&order(&format!("price={price}&quantity=60")));
    let row = rest.settled(&id, "REJECTED");
    assert!(
        row["status_message"]
            .as_str()
            .expect("words")
            .contains("Insufficient funds"),
        "{row}"
    );
    let id = rest.place(&order(&format!("price={price}")));
    assert_ne!(rest.row(&id)["status"], "REJECTED");
}

#[test]
fn marketable_orders_take_the_depth_and_positions_add_up() {
    let venue = quiet(&[]);
    let mut rest = venue.rest();
    let key = format!("NFO:{FUTURE}");
    let asks = rest.data(&format!("/quote?i={key}"))[&key]["depth"]["sell"].clone();
    let best = asks[0]["quantity"].as_u64().expect("quantity");
    let second = asks[1]["price"].as_f64().expect("price");
    // One lot more than the best level has, at the second level's price.
    let form = order(&format!("price={second:.2}&quantity={}", best + 30));
    let id = rest.place(&form);
    let row = rest.settled(&id, "COMPLETE");
    let trades = rest.data(&format!("/orders/{id}/trades"));
    assert_eq!(trades[0]["quantity"].as_u64(), Some(best));
    assert_eq!(trades[0]["average_price"], asks[0]["price"]);
    assert_eq!(
        (trades[1]["quantity"].as_u64(), &trades[1]["average_price"]),
        (Some(30), &asks[1]["price"])
    );
    let average = row["average_price"].as_f64().expect("price");
    assert!(asks[0]["price"].as_f64().expect("price") < average && average < second);
    let held = &rest.data("/portfolio/positions")["net"][0];
    assert_eq!(held["quantity"].as_u64(), Some(best + 30));
    assert_eq!(held["average_price"], row["average_price"]);
    // Out again with protection: what the exchange sees is a limit order at the band.
    let id = rest.place(&order(&format!(
        "transaction_type=SELL&order_type=MARKET&market_protection=2&quantity={}",
        best + 30
    )));
    let row = rest.row(&id);
    assert_eq!(row["order_type"], "LIMIT");
    assert_eq!(row["tags"], json!(["TZtest", "mktp", "mktp:2.00"]));
    let filled = row["filled_quantity"].as_u64().expect("quantity");
    let sold: u64 = rest
        .data(&format!("/orders/{id}/trades"))
        .as_array()
        .expect("trades")
        .iter()
        .filter_map(|t| t["quantity"].as_u64())
        .sum();
    assert_eq!(filled, sold);
    let truth = venue.truth();
    assert_eq!(
        truth["positions"][0]["quantity"].as_u64(),
        Some(best + 30 - filled)
    );
}

#[test]
fn a_stop_waits_for_its_trigger() {
    let venue = quiet(&["--speed", "2000"]);
    let (mut rest, mut ticker) = (venue.rest(), venue.ticker());
    let last = last_price(&mut rest);
    let trigger = ((last * 1.0004) / 0.2).round() * 0.2;
    let above = order(&format!(
        "order_type=SL&trigger_price={trigger:.2}&price={:.2}",
        trigger + 40.0
    ));
    let id = rest.place(&above);
    assert_eq!(rest.row(&id)["status"], "TRIGGER PENDING");
    let wrong = order(&format!(
        "order_type=SL&trigger_price={:.2}&price={trigger:.2}",
        trigger + 40.0
    ));
    assert_eq!(rest.refusal("POST", "/orders/regular", &wrong).0, 400);
    let token = tokens(&mut rest)[FUTURE];
    ticker.subscribe(&[token], "full");
    let mut highest: u32 = 0;
    until("the trigger or the close", || {
        highest = ticker
            .packets()?
            .iter()
            .map(|p| p.last)
            .fold(highest, u32::max);
        (ticker
            .texts
            .iter()
            .any(|t| t["data"]["status"] == "COMPLETE")
            || highest == 0)
            .then_some(())
            .or_else(|| (f64::from(highest) / 100.0 > trigger + 50.0).then_some(()))
    });
    let told = ticker.told(|text| text["data"]["status"] == "COMPLETE");
    assert!(told["data"]["average_price"].as_f64().expect("price") <= trigger + 40.0);
}

#[test]
fn partial_fills_and_rejections_come_by_chance_and_add_up() {
    let venue = quiet(&[
        "--speed",
        "600",
        "--partial-percent",
        "70",
        "--reject-percent",
        "20",
        "--seed",
        "5",
    ]);
    let (mut rest, mut ticker) = (venue.rest(), venue.ticker());
    let token = tokens(&mut rest)[FUTURE];
    ticker.subscribe(&[token], "ltp");
    let ids: Vec<String> = (0..40)
        .map(|_| {
            let price = near(&mut rest, 1.01);
            rest.place(&order(&format!("price={price}&quantity=300")))
        })
        .collect();
    until("all orders finished", || {
        ticker.frame();
        let rows = rest.data("/orders");
        let open = |row: &Value| row["status"] == "OPEN";
        (!rows.as_array().expect("rows").iter().any(open)).then_some(())
    });
    let truth = venue.truth();
    let rows = truth["orders"].as_array().expect("orders");
    let with = |status: &str| rows.iter().filter(|row| row["status"] == status).count();
    assert_eq!(with("COMPLETE") + with("REJECTED"), ids.len());
    assert!(
        (2..20).contains(&with("REJECTED")),
        "{} rejected",
        with("REJECTED")
    );
    let fills = truth["fills"].as_array().expect("fills");
    assert!(fills.len() > 2 * with("COMPLETE"), "{} fills", fills.len());
    for id in &ids {
        let units: u64 = fills
            .iter()
            .filter(|fill| fill["order_id"] == id.as_str())
            .filter_map(|fill| fill["quantity"].as_u64())
            .sum();
        let row = rows
            .iter()
            .find(|row| row["order_id"] == id.as_str())
            .expect("row");
        assert_eq!(Some(units), row["filled_quantity"].as_u64());
        assert_eq!(units % 30, 0);
    }
}

#[test]
fn latency_shows_the_passing_states() {
    let venue = quiet(&["--latency-ms", "400"]);
    let mut rest = venue.rest();
    let price = near(&mut rest, 0.95);
    let id = rest.place(&order(&format!("price={price}")));
    assert_eq!(rest.row(&id)["status"], "VALIDATION PENDING");
    let (status, class, _) = rest.refusal("DELETE", &format!("/orders/regular/{id}"), "");
    assert_eq!((status, class.as_str()), (400, "OrderException"));
    rest.settled(&id, "OPEN PENDING");
    rest.settled(&id, "OPEN");
    rest.call("DELETE", &format!("/orders/regular/{id}"), "");
    assert_eq!(rest.row(&id)["status"], "CANCEL PENDING");
    rest.settled(&id, "CANCELLED");
}

#[test]
fn limits_are_those_of_the_broker() {
    let venue = Venue::start(&["--plain"]);
    let mut rest = venue.rest();
    let price = near(&mut rest, 0.95);
    let form = order(&format!("price={price}"));
    let answers: Vec<u16> = (0..40)
        .map(|_| rest.call("POST", "/orders/regular", &form).0)
        .collect();
    // Forty placements take a few milliseconds: two calendar seconds at most.
    let taken = answers.iter().filter(|status| **status == 200).count();
    assert!((10..=20).contains(&taken), "{answers:?}");
    assert!(answers.iter().all(|status| [200, 429].contains(status)));
    let venue = quiet(&[]);
    let mut rest = venue.rest();
    let id = rest.place(&form);
    let path = format!("/orders/regular/{id}");
    for number in 0..25 {
        let price = near(&mut rest, 0.95 + 0.0005 * f64::from(number));
        assert_eq!(
            rest.call("PUT", &path, &format!("price={price}")).0,
            200,
            "{number}"
        );
    }
    let (_, _, message) = rest.refusal("PUT", &path, &format!("price={price}"));
    assert!(message.contains("modifications"), "{message}");
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
    let root = std::env::var("TEZI_SHARED")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared").to_owned());
    let tape = format!("{root}/data/banknifty-1min-2024.csv");
    let Ok(text) = std::fs::read_to_string(&tape) else {
        println!("SKIPPED a_recorded_day_of_bank_nifty_comes_back_bar_for_bar: no {tape}");
        return;
    };
    let venue = quiet(&[
        "--speed",
        "max",
        "--exit-at-end",
        "--linger-ms",
        "100",
        "--tape",
        &tape,
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

#[test]
fn a_client_that_does_not_read_gets_the_latest_prices_later_and_every_order_message() {
    let venue = quiet(&["--speed", "4000", "--strikes", "40"]);
    let mut rest = venue.rest();
    let all: Vec<u32> = tokens(&mut rest).into_values().collect();
    let mut lazy = venue.ticker();
    lazy.subscribe(&all, "full");
    let price = near(&mut rest, 0.95);
    let ids: Vec<String> = (0..50)
        .map(|_| rest.place(&order(&format!("price={price}"))))
        .collect();
    until("conflation", || {
        (venue.truth()["counters"]["conflated"].as_u64()? > 0).then_some(())
    });
    for id in &ids {
        rest.call("DELETE", &format!("/orders/regular/{id}"), "");
    }
    let last = ids.last().expect("an order").clone();
    lazy.told(|text| text["data"]["order_id"] == last && text["data"]["status"] == "CANCELLED");
    for id in &ids {
        let heard = lazy
            .texts
            .iter()
            .filter(|text| text["data"]["order_id"] == id.as_str())
            .count();
        assert_eq!(heard, 2, "order {id}");
    }
}

#[test]
fn nonsense_closes_its_own_connection_only() {
    let venue = quiet(&[]);
    let mut rest = venue.rest();
    for (bytes, status) in [
        (b"\x00\x01\x02\x03\r\n\r\n".to_vec(), "400"),
        (
            format!("GET /{} HTTP/1.1\r\n", "x".repeat(20_000)).into_bytes(),
            "431",
        ),
        (
            b"POST /orders/regular HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n".to_vec(),
            "413",
        ),
        (
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(),
            "501",
        ),
    ] {
        let mut stream = venue.stream();
        stream.write_all(&bytes).expect("sent");
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .expect("an answer, then the end");
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
    }
    let mut ticker = venue.ticker();
    ticker
        .socket
        .send(tungstenite::Message::text("not json"))
        .expect("sent");
    assert_eq!(
        ticker.told(|text| text["type"] == "error")["data"],
        "Invalid message"
    );
    ticker.subscribe(&[4_294_967_295], "full");
    assert_eq!(rest.refusal("GET", "/nowhere", "").0, 404);
    assert_eq!(rest.refusal("DELETE", "/quote", "").0, 405);
    assert_eq!(rest.data("/portfolio/holdings"), json!([]));
}

#[test]
fn an_interrupt_ends_it_cleanly_with_a_summary() {
    let venue = quiet(&["--speed", "10", "--log", "/dev/null"]);
    let mut ticker = venue.ticker();
    ticker.subscribe(&[INDEX], "ltp");
    ticker.frame().expect("a frame");
    let pid =
        rustix::process::Pid::from_raw(i32::try_from(venue.pid()).expect("pid")).expect("pid");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("signalled");
    while ticker.frame().is_some() {}
    let (code, summary) = venue.finish();
    assert_eq!(code, Some(0));
    assert_eq!(summary["counters"]["ticker_connections"], 1);
}

#[test]
fn the_log_and_the_record_tell_the_same_story_without_secrets() {
    let folder = tempfile::tempdir().expect("folder");
    let log = folder.path().join("truth.jsonl");
    let venue = quiet(&["--log", log.to_str().expect("path")]);
    let mut rest = venue.rest();
    let price = near(&mut rest, 1.01);
    let id = rest.place(&order(&format!("price={price}")));
    rest.settled(&id, "COMPLETE");
    let truth = venue.truth();
    rest.call("POST", "/sim/stop", "");
    venue.finish();
    let text = std::fs::read_to_string(&log).expect("log");
    let lines: Vec<Value> = text
        .lines()
        .map(|l| serde_json::from_str(l).expect("JSON"))
        .collect();
    let of = |kind: &str| {
        lines
            .iter()
            .filter(|line| line["kind"] == kind)
            .map(|l| &l["data"])
            .collect::<Vec<_>>()
    };
    let placed = of("request")
        .into_iter()
        .find(|row| row["order_id"] == id.as_str())
        .expect("logged");
    assert_eq!(
        (placed["path"].as_str(), placed["tag"].as_str()),
        (Some("/orders/regular"), Some("TZtest"))
    );
    assert_eq!(
        of("fill").len(),
        truth["fills"].as_array().expect("fills").len()
    );
    assert_eq!(of("order").last().expect("rows")["status"], "COMPLETE");
    assert!(!text.contains("token simulated") && !text.contains("simulated-secret"));
}

#[test]
fn triggers_are_answered_and_timed() {
    for kind in [&["--plain"][..], &[]] {
        let out = tempfile::tempdir().expect("folder");
        let file = out.path().join("latency.json");
        let path = file.to_str().expect("path").to_owned();
        let trigger = [
            "--trigger",
            "200",
            "--warm-up",
            "10",
            "--pause-us",
            "200",
            "--packets",
            "5",
            "--exit-at-end",
            "--linger-ms",
            "100",
            "--latency-out",
            &path,
        ];
        let venue = Venue::start(&[kind, &trigger[..]].concat());
        let mut legs = [venue.rest(), venue.rest()];
        let names = tokens(&mut legs[0]);
        let options: Vec<&String> = names
            .keys()
            .filter(|name| name.contains("NOV") && !name.ends_with("FUT"))
            .take(2)
            .collect();
        let mut ticker = venue.ticker();
        let watched = [names[FUTURE], names[options[0]], names[options[1]]];
        ticker.subscribe(&watched, "full");
        let mut prices = Vec::new();
        while prices.len() < 210 {
            let packets = ticker.packets().expect("packets");
            let Some(packet) = packets
                .last()
                .filter(|p| p.token.0 == watched[0] && packets.len() == 5)
            else {
                continue;
            };
            prices.push(packet.last);
            for (rest, symbol) in legs.iter_mut().zip(&options) {
                rest.send(
                    "POST",
                    "/orders/regular",
                    &order(&format!("tradingsymbol={symbol}&price=100")),
                );
            }
            for rest in &mut legs {
                assert_eq!(rest.answer().0, 200);
            }
        }
        assert!(
            prices.chunks(2).all(|pair| pair == [5_190_000, 5_210_000]),
            "{prices:?}"
        );
        while ticker.frame().is_some() {}
        let done = ticker
            .texts
            .iter()
            .filter(|text| text["data"]["status"] == "COMPLETE")
            .count();
        assert_eq!(done, 420);
        drop((ticker, legs));
        let (code, summary) = venue.finish();
        assert_eq!(code, Some(0));
        let report: Value =
            serde_json::from_slice(&std::fs::read(&file).expect("file")).expect("JSON");
        assert_eq!(report, summary["latency"]);
        assert_eq!(
            (report["recorded"].as_u64(), report["lost"].as_u64()),
            (Some(200), Some(0))
        );
        let of = |name: &str, key: &str| report[name][key].as_u64().expect("nanoseconds");
        assert!(of("first_byte", "p50") <= of("both_legs", "p50"));
        assert!(of("skew", "max") <= of("both_legs", "max"));
        let log = std::fs::read_to_string(file.with_extension("hlog")).expect("log");
        assert!(
            ["first_byte", "both_legs", "skew"]
                .iter()
                .all(|tag| log.contains(&format!("Tag={tag}")))
        );
    }
}
