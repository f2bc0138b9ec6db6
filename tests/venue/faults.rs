//! Each fault over a real socket: what the client sees, and what the record says happened.

use super::client::{FUTURE, Rest, Stream, Venue, near, order, quiet, until};
use serde_json::Value;
use std::io::{ErrorKind, Read as _};
use std::time::{Duration, Instant};

/// A venue that plays this script.
fn faulty(script: &str) -> Venue {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("faults.toml");
    std::fs::write(&path, script).expect("written");
    quiet(&["--faults", path.to_str().expect("a name")])
}

fn fault(on: &str, what: &str, more: &str) -> Venue {
    faulty(&format!(
        "[[fault]]\non = \"{on}\"\nwhat = \"{what}\"\n{more}\n"
    ))
}

/// What a connection says until it ends or `patience` is over.
fn rest_of(rest: &mut Rest, patience: Duration) -> (Vec<u8>, Result<(), ErrorKind>) {
    let Stream::Plain(socket) = &mut rest.stream else {
        panic!("a plain socket");
    };
    socket.set_read_timeout(Some(patience)).expect("option");
    let mut bytes = Vec::new();
    let end = socket.read_to_end(&mut bytes);
    (bytes, end.map(drop).map_err(|error| error.kind()))
}

fn buy(venue: &Venue) -> String {
    let price = near(&mut venue.rest(), 1.01);
    order(&format!("price={price}"))
}

fn played(venue: &Venue, kind: &str) -> usize {
    let truth = venue.truth();
    let faults = truth["faults"].as_array().expect("faults");
    faults.iter().filter(|fault| fault["kind"] == kind).count()
}

fn orders(venue: &Venue) -> Vec<Value> {
    venue.truth()["orders"].as_array().expect("orders").clone()
}

const SHORT: Duration = Duration::from_millis(150);

#[test]
fn connections_end_badly_in_every_way_and_only_accepted_orders_exist() {
    let quiet_end = Err(ErrorKind::WouldBlock);
    let reset = Err(ErrorKind::ConnectionReset);
    for (what, more, ending, done) in [
        ("lost", "", quiet_end, 1),
        ("silent", "", quiet_end, 0),
        ("reset", "", reset, 1),
        ("reset", "accepted = false", reset, 0),
        ("half_close", "", Ok(()), 1),
        ("half_close", "accepted = false", Ok(()), 0),
        ("cut", "", reset, 1),
    ] {
        let venue = fault("place", what, &format!("nth = 1\n{more}"));
        let form = buy(&venue);
        let mut rest = venue.rest();
        rest.send("POST", "/orders/regular", &form);
        let (bytes, end) = rest_of(&mut rest, SHORT);
        assert_eq!(
            (end, bytes.is_empty()),
            (ending, what != "cut"),
            "{what} {more}"
        );
        assert_eq!(orders(&venue).len(), done, "{what} {more}");
        assert_eq!(played(&venue, what), 1);
        venue.rest().place(&form);
        assert_eq!(
            orders(&venue).len(),
            done + 1,
            "{what}: the next order passes"
        );
    }
}

#[test]
fn refusals_are_not_always_the_end_of_an_order() {
    let venue = fault("place", "late_accept", "nth = 1\nafter_ms = 300");
    let form = buy(&venue);
    let (status, class, _) = venue.rest().refusal("POST", "/orders/regular", &form);
    assert_eq!((status, class.as_str()), (400, "GeneralException"));
    assert_eq!(orders(&venue).len(), 0);
    until("the late order", || {
        (orders(&venue).len() == 1).then_some(())
    });
    for (accepted, done) in [(true, 1), (false, 0)] {
        let more = format!("nth = 1\nstatus = 503\naccepted = {accepted}");
        let venue = fault("place", "server_error", &more);
        let (status, body) = venue.rest().call("POST", "/orders/regular", &buy(&venue));
        assert_eq!((status, body.is_string()), (503, true));
        assert_eq!(orders(&venue).len(), done);
    }
}

#[test]
fn a_throttled_client_waits_and_a_slow_reply_is_late_but_done() {
    let venue = fault("place", "throttle", "nth = 1\nfor_ms = 400");
    let (form, mut rest) = (buy(&venue), venue.rest());
    assert_eq!(rest.call("POST", "/orders/regular", &form).0, 429);
    assert_eq!(rest.call("DELETE", "/orders/regular/1", "").0, 429);
    assert_eq!(rest.get("/orders").0, 200);
    std::thread::sleep(Duration::from_millis(450));
    rest.place(&form);
    let venue = fault("place", "slow", "nth = 1\nafter_ms = 300");
    let (form, started) = (buy(&venue), Instant::now());
    let mut rest = venue.rest();
    rest.send("POST", "/orders/regular", &form);
    until("the order", || (orders(&venue).len() == 1).then_some(()));
    assert!(started.elapsed() < Duration::from_millis(250));
    assert_eq!(rest.answer().0, 200);
    assert!(started.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_session_expires_between_two_orders() {
    let venue = fault("place", "expire", "nth = 2");
    let (form, mut rest) = (buy(&venue), venue.rest());
    rest.place(&form);
    assert_eq!(rest.call("POST", "/orders/regular", &form).0, 403);
    assert_eq!(orders(&venue).len(), 1);
}

#[test]
fn reads_are_empty_or_out_of_date_while_the_record_is_right() {
    for path in ["orders", "trades", "positions"] {
        let url = match path {
            "positions" => "/portfolio/positions",
            "trades" => "/trades",
            _ => "/orders",
        };
        for (what, more) in [("empty", ""), ("stale", "\nafter_ms = 60000")] {
            let venue = fault(path, what, &format!("nth = 1{more}"));
            let mut rest = venue.rest();
            rest.place(&buy(&venue));
            let rows = |data: &Value| match path {
                "positions" => data["net"].as_array().expect("rows").len(),
                _ => data.as_array().expect("rows").len(),
            };
            assert_eq!(rows(&rest.data(url)), 0, "{what} {path}");
            assert_eq!(rows(&rest.data(url)), 1, "{what} {path}, second read");
            assert_eq!(orders(&venue).len(), 1);
        }
    }
}

#[test]
fn orders_fill_in_parts_rest_and_are_refused_as_scripted() {
    let venue = fault("place", "partial", "nth = 1\nshare = 50\nafter_ms = 200");
    let mut rest = venue.rest();
    let price = near(&mut rest, 1.01);
    let id = rest.place(&order(&format!("price={price}&quantity=120")));
    assert_eq!(rest.row(&id)["filled_quantity"], 60);
    assert_eq!(rest.settled(&id, "COMPLETE")["filled_quantity"], 120);
    let venue = fault("place", "rest", "nth = 1");
    let mut rest = venue.rest();
    let id = rest.place(&buy(&venue));
    assert_eq!(rest.row(&id)["status"], "OPEN");
    let change = format!("price={}", near(&mut rest, 1.02));
    assert_eq!(
        rest.call("PUT", &format!("/orders/regular/{id}"), &change)
            .0,
        200
    );
    rest.settled(&id, "COMPLETE");
    for what in ["freeze", "band", "margin", "reject_after_accept"] {
        let venue = fault("place", what, "nth = 1\nafter_ms = 100");
        let mut rest = venue.rest();
        let id = rest.place(&buy(&venue));
        let row = rest.settled(&id, "REJECTED");
        assert_eq!(row["filled_quantity"], 0, "{what}");
        assert_eq!(venue.truth()["fills"].as_array().map(Vec::len), Some(0));
    }
}

#[test]
fn a_cancelled_order_fills_instead_or_afterwards() {
    for (after, end) in [(0, "COMPLETE"), (200, "COMPLETE")] {
        let venue = fault(
            "cancel",
            "fill_after_cancel",
            &format!("share = 100\nafter_ms = {after}"),
        );
        let mut rest = venue.rest();
        let far = near(&mut rest, 0.95);
        let id = rest.place(&order(&format!("price={far}")));
        assert_eq!(
            rest.call("DELETE", &format!("/orders/regular/{id}"), "").0,
            200
        );
        if after > 0 {
            assert_eq!(rest.row(&id)["status"], "CANCELLED");
        }
        assert_eq!(rest.settled(&id, end)["filled_quantity"], 30);
    }
}

#[test]
fn a_restart_resets_everyone_and_may_lose_the_orders() {
    for (memory, shown) in [(true, 1), (false, 0)] {
        let venue = fault(
            "positions",
            "restart",
            &format!("nth = 1\nfor_ms = 100\nmemory = {memory}"),
        );
        let mut rest = venue.rest();
        rest.place(&buy(&venue));
        rest.send("GET", "/portfolio/positions", "");
        assert_eq!(rest_of(&mut rest, SHORT).1, Err(ErrorKind::ConnectionReset));
        std::thread::sleep(Duration::from_millis(150));
        let rows = venue.rest().data("/orders");
        assert_eq!(rows.as_array().map(Vec::len), Some(shown));
        assert_eq!(orders(&venue).len(), 1);
    }
}

#[test]
fn others_trade_on_the_account() {
    for (what, tagged) in [("foreign", false), ("twin", true)] {
        let venue = fault("orders", what, "nth = 1");
        let rows = venue.rest().data("/orders");
        assert_eq!(rows.as_array().map(Vec::len), Some(1), "{what}");
        assert_eq!(rows[0]["tag"].is_string(), tagged);
        assert_eq!(orders(&venue)[0]["foreign"], true);
    }
}

#[test]
fn order_messages_are_lost_doubled_late_and_swapped() {
    for (what, more, expected) in [
        ("lose", "nth = 1", vec!["CANCELLED"]),
        ("double", "nth = 1", vec!["OPEN", "OPEN", "CANCELLED"]),
        ("late", "nth = 1\nafter_ms = 300", vec!["CANCELLED", "OPEN"]),
        (
            "swap",
            "nth = 1\nafter_ms = 5000",
            vec!["CANCELLED", "OPEN"],
        ),
    ] {
        let venue = fault("update", what, more);
        let (mut rest, mut ticker) = (venue.rest(), venue.ticker());
        let far = near(&mut rest, 0.95);
        let id = rest.place(&order(&format!("price={far}")));
        assert_eq!(
            rest.call("DELETE", &format!("/orders/regular/{id}"), "").0,
            200
        );
        let last = *expected.last().expect("one");
        ticker.told(|text| text["data"]["status"] == last);
        ticker.told(|text| text["data"]["status"] == "CANCELLED");
        let texts = ticker.texts.iter();
        let heard: Vec<&str> = texts.filter_map(|t| t["data"]["status"].as_str()).collect();
        assert_eq!(heard, expected, "{what}");
        assert!(rest.data("/orders")[0]["tradingsymbol"] == FUTURE);
    }
}
