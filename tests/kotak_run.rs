//! The built program against a venue that speaks Kotak Neo's wire: login with a code and a PIN, scrip master, history,
//! greeting, subscription, prices, orders on both legs, fills, positions.
//!
//! What is asserted is the venue's record of what reached it, not what the engine says it sent.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests, outside the test functions clippy recognises"
)]
#![allow(dead_code, reason = "other tests use more of the shared helpers")]

#[path = "pipeline/processes.rs"]
mod processes;

use processes::{Engine, Venue, World, events, text};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tezi::model::Tag;

/// The demo's configuration at another broker; what it logs in with comes from the venue.
fn at_kotak(config: &str) -> String {
    let changed = config
        .replace("kind      = \"kite\"", "kind      = \"kotak\"")
        .replace("access_token = \"simulated\"\n", "");
    assert_ne!(changed, config, "demo.toml names its broker as it did");
    changed
}

/// Orders in the venue's record by intent, each leg's first.
fn legs(orders: &[Value]) -> BTreeMap<u64, BTreeSet<u8>> {
    let mut found: BTreeMap<u64, BTreeSet<u8>> = BTreeMap::new();
    let mut tags = BTreeSet::new();
    for order in orders {
        let tag = Tag::parse(text(&order["tag"]).as_bytes()).expect("a tag of ours");
        assert!(tags.insert(tag), "{tag} arrived twice");
        let (intent, leg) = tag.intent_and_leg().expect("intent and leg");
        found.entry(intent).or_default().insert(leg);
    }
    found
}

fn held(rows: &Value, contract: &str, net: &str) -> BTreeMap<String, i64> {
    let rows = rows.as_array().expect("rows").iter();
    let held = rows.map(|row| {
        let net = row[net].as_i64().expect("a quantity");
        (text(&row[contract]).to_owned(), net)
    });
    held.filter(|(_, net)| *net != 0).collect()
}

#[test]
fn a_run_at_kotak_trades_both_legs_and_agrees_with_the_venue() {
    let world = World::new(|config| at_kotak(&config));
    let venue = Venue::start(&world, "venue", &["--wire", "kotak", "--speed", "60"]);
    assert_eq!(venue.ready["wire"], "kotak");
    let mut engine = Engine::start(
        &world,
        Some(&venue.ready_file),
        &["--topology", "fused", "--idle", "park"],
    );
    engine.until("fills of both legs", |said| {
        let filled = events(said, "order")
            .iter()
            .filter(|row| row["state"] == "filled")
            .count();
        filled >= 2
    });
    engine.interrupt();
    let run = engine.end();
    assert_eq!(run.code, 130, "{}", run.errors);

    let truth = venue.truth();
    assert_eq!(
        (&truth["logins"], &truth["logins_refused"]),
        (&1.into(), &0.into())
    );
    let requests = truth["requests"].as_array().expect("requests");
    let count = |path: &str| {
        let of = requests
            .iter()
            .filter(|row| text(&row["path"]).starts_with(path));
        of.count()
    };
    for (path, least) in [
        ("/login/1.0/tradeApiLogin", 1),
        ("/login/1.0/tradeApiValidate", 1),
        ("/script-details/1.0/masterscrip/file-paths", 1),
        ("/wso2-scripmaster/", 1),
        ("/market-data/1.0/historical/details", 1),
        ("ticker", 1),
        ("/quick/order/rule/ms/place", 2),
        ("/quick/user/orders", 1),
        ("/portfolio/v2/positions", 1),
    ] {
        assert!(count(path) >= least, "{path}: {}", count(path));
    }
    assert_eq!(
        count("/login/1.0/tradeApiLogin"),
        1,
        "one session, one login"
    );

    let orders = truth["orders"].as_array().expect("orders");
    let whole = legs(orders)
        .values()
        .filter(|legs| legs.contains(&0) && legs.contains(&1))
        .count();
    assert!(whole >= 1, "no intent has both legs: {orders:?}");
    assert!(
        truth["fills"]
            .as_array()
            .is_some_and(|fills| fills.len() >= 2)
    );
    let summary = run.summary();
    assert_eq!(summary["gateway"]["sent"], orders.len());
    assert_eq!(summary["venue"]["agrees"], true, "{summary}");
    assert_eq!(
        held(&summary["positions"], "instrument", "net"),
        held(&truth["positions"], "tradingsymbol", "quantity")
    );
    assert!(
        summary["feed"]["ticks"]
            .as_u64()
            .is_some_and(|ticks| ticks > 100)
    );
    assert_eq!(summary["feed"]["faults"], serde_json::json!({}));

    // What was typed in and what was granted stays out of the record.
    let record = truth.to_string();
    for secret in ["mpin", "totp_secret"] {
        let value = text(&venue.ready["login"][secret]);
        assert!(
            !value.is_empty() && !record.contains(value),
            "{secret} in the record"
        );
    }
}
