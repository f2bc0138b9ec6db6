//! Sessions, orders, books and limits over REST and the ticker's messages.

use super::client::{FUTURE, Rest, Venue, last_price, near, order, quiet, tokens, until};
use serde_json::{Value, json};

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
