//! The process itself: TLS, slow and senseless clients, signals, the record, the measurement.

use super::client::{FUTURE, INDEX, Venue, near, order, quiet, tls, tokens, until};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use tezi::venue::kite::packet::Packet;

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

/// Answers every trigger with one order, one of them only after 300 ms; returns the venue's figures.
fn answer_with_one_stall(load: [&str; 2]) -> Value {
    let trigger = ["--trigger", "100", "--legs", "1"];
    let ending = ["--exit-at-end", "--linger-ms", "100"];
    let venue = quiet(&[&trigger[..], &load[..], &ending[..]].concat());
    let mut rest = venue.rest();
    let names = tokens(&mut rest);
    let option = names
        .keys()
        .find(|name| name.ends_with("CE"))
        .expect("an option");
    let mut ticker = venue.ticker();
    ticker.subscribe(&[names[FUTURE]], "full");
    for round in 0..100 {
        // The prices at the start are no trigger.
        let is_trigger = |packet: &Packet| [5_190_000, 5_210_000].contains(&packet.last);
        while !ticker.packets().expect("packets").iter().any(is_trigger) {}
        if round == 20 {
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
        let body = order(&format!("tradingsymbol={option}&price=100"));
        rest.send("POST", "/orders/regular", &body);
        assert_eq!(rest.answer().0, 200);
    }
    drop((ticker, rest));
    venue.finish().1["latency"].clone()
}

#[test]
fn a_stall_counts_once_in_a_closed_loop_and_for_every_tick_it_delayed_in_an_open_one() {
    let number = |figures: &Value, key: &str| figures[key].as_u64().expect("a number");
    let closed = answer_with_one_stall(["--pause-us", "5000"]);
    assert_eq!(
        (number(&closed, "recorded"), number(&closed, "late")),
        (100, 0)
    );
    assert!(
        number(&closed["both_legs"], "max") >= 299_000_000,
        "{closed}"
    );
    // 5 ms apart, some 60 of the 79 ticks behind the stall leave late; the machine may delay more.
    let open = answer_with_one_stall(["--rate", "200"]);
    assert_eq!(number(&open, "recorded"), 100);
    assert!(number(&open, "late") >= 50, "{open}");
    assert!(
        number(&open["both_legs"], "p50") >= 20_000_000,
        "half of all ticks waited for the stalled one: {open}"
    );
    assert!(number(&open, "late_ns_max") >= 290_000_000, "{open}");
}

#[test]
fn legs_count_on_one_connection_in_turn_and_on_one_opened_for_them() {
    const ROUNDS: u64 = 60;
    for kind in [&["--plain"][..], &[]] {
        let trigger = [
            "--trigger",
            "60",
            "--pause-us",
            "500",
            "--rate-limit",
            "off",
        ];
        let ending = ["--exit-at-end", "--linger-ms", "100"];
        let venue = Venue::start(&[kind, &trigger[..], &ending[..]].concat());
        let mut rest = venue.rest();
        let names = tokens(&mut rest);
        let option = names
            .keys()
            .find(|name| name.ends_with("CE"))
            .expect("an option");
        let mut ticker = venue.ticker();
        ticker.subscribe(&[names[FUTURE]], "full");
        let body = order(&format!("tradingsymbol={option}&price=100"));
        for round in 0..ROUNDS {
            let is_trigger = |packet: &Packet| [5_190_000, 5_210_000].contains(&packet.last);
            while !ticker.packets().expect("packets").iter().any(is_trigger) {}
            rest.place(&body);
            if round % 4 == 0 {
                venue.rest().place(&body);
            } else {
                rest.place(&body);
            }
        }
        drop((ticker, rest));
        let figures = &venue.finish().1["latency"];
        let number = |key: &str| figures[key].as_u64().expect("a number");
        assert_eq!(
            (number("recorded"), number("lost")),
            (ROUNDS, 0),
            "{kind:?}"
        );
    }
}
