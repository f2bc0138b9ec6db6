//! Whatever a seed draws, the venue's own record stays true; measured without sockets.

use std::fmt::Write as _;
use std::time::Instant;
use tezi::config::MarketRules;
use tezi::model::Day;
use tezi::sim::{Faults, Moment, Settings, Venue};

const FUTURE: &str = "BANKNIFTY26NOVFUT";

fn settings(seed: u64) -> Settings {
    let day = Day::parse("2026-11-23").expect("a day");
    Settings::small(MarketRules::embedded(), seed, day)
}

fn request(method: &str, path: &str, form: &str) -> Vec<u8> {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: token simulated:simulated\r\n\
         Content-Length: {}\r\n\r\n{form}",
        form.len()
    )
    .into_bytes()
}

fn placement(venue: &Venue, n: u64) -> String {
    let (bid, ask) = venue.quoted(FUTURE).expect("quoted");
    let (side, price) = match n % 4 {
        0 => ("BUY", ask),
        1 => ("SELL", bid),
        2 => ("BUY", bid),
        _ => ("SELL", ask),
    };
    format!(
        "exchange=NFO&tradingsymbol={FUTURE}&transaction_type={side}&quantity={}&product=NRML\
         &order_type=LIMIT&validity=DAY&price={price}&tag=TZ00250G18{n:05}00000",
        30 * (1 + n % 7)
    )
}

/// A run of placements, changes, cancellations and reads; returns the venue and what clients heard.
fn play(seed: u64, rounds: u64) -> (Venue, String) {
    let mut venue = Venue::new(&settings(seed), Faults::chaos(seed)).expect("a venue");
    let open = venue.opens();
    let mut heard = String::new();
    for n in 0..rounds {
        let at = n * 270_000_000;
        let now = Moment {
            market: open.offset(i64::try_from(at).expect("small")),
            real: at,
        };
        let (bid, ask) = venue.quoted(FUTURE).expect("quoted");
        assert!(venue.quote(FUTURE, (bid, ask), 6_000, now));
        let latest = venue.truth().orders.last().map_or(0, |order| order.id);
        let own = format!("/orders/regular/{latest}");
        let bytes = match n % 7 {
            0..=2 => request("POST", "/orders/regular", &placement(&venue, n)),
            3 => request("PUT", &own, &format!("price={ask}")),
            4 => request("DELETE", &own, ""),
            5 => request("GET", "/orders", ""),
            _ => request(
                "GET",
                ["/trades", "/portfolio/positions"][usize::from(n % 2 == 0)],
                "",
            ),
        };
        let deliveries = venue.hear(n + 1, &bytes, now);
        assert!(!deliveries.is_empty() && deliveries.iter().all(|d| d.at >= at));
        venue.advance(now);
        write!(heard, "{deliveries:?}{:?}", venue.updates(now)).expect("a text");
        let wrong = venue.truth().contradictions();
        assert!(wrong.is_empty(), "seed {seed}, request {n}: {wrong:?}");
    }
    (venue, heard)
}

#[test]
fn no_chaos_seed_corrupts_the_record() {
    let (mut faults, mut kinds) = (0, std::collections::BTreeSet::new());
    for seed in 0..120 {
        let (venue, _) = play(seed, 120);
        let truth = venue.truth();
        assert_eq!(truth.requests.len(), 120);
        faults += truth.faults.len();
        kinds.extend(truth.faults.iter().map(|fault| fault.kind));
    }
    println!(
        "chaos: {faults} faults of {} kinds in 120 seeds",
        kinds.len()
    );
    assert!(faults > 500 && kinds.len() > 20);
}

#[test]
fn the_same_seed_and_requests_give_the_same_bytes() {
    for seed in [3, 7, 11] {
        assert_eq!(play(seed, 90).1, play(seed, 90).1);
    }
    assert_ne!(play(3, 90).1, play(7, 90).1);
}

#[test]
fn a_record_that_does_not_add_up_is_noticed() {
    let (venue, _) = play(1, 60);
    let good = venue.truth();
    assert!(!good.trades.is_empty() && good.contradictions().is_empty());
    let mut record = good.clone();
    record.trades.pop();
    assert!(!record.contradictions().is_empty());
    let mut record = good.clone();
    record.net[0].qty += 1;
    assert!(!record.contradictions().is_empty());
    let mut record = good;
    let order = record
        .orders
        .iter_mut()
        .find(|order| order.filled > 0)
        .expect("filled");
    order.qty = order.filled - 1;
    assert!(!record.contradictions().is_empty());
}

#[test]
fn an_order_costs_the_small_venue_little() {
    let mut venue = Venue::new(&settings(1), Faults::none()).expect("a venue");
    let open = venue.opens();
    let bytes = request("POST", "/orders/regular", &placement(&venue, 0));
    let (bid, ask) = venue.quoted(FUTURE).expect("quoted");
    let started = Instant::now();
    let rounds = 2_000_u64;
    for n in 0..rounds {
        let at = n * 200_000_000;
        let now = Moment {
            market: open.offset(i64::try_from(at).expect("small")),
            real: at,
        };
        venue.quote(FUTURE, (bid, ask), 6_000, now);
        drop(venue.hear(1, &bytes, now));
        venue.advance(now);
        assert!(!venue.updates(now).is_empty());
    }
    let each = started.elapsed().as_nanos() / u128::from(rounds);
    println!("small venue: {each} ns an order with reply and updates");
    assert_eq!(venue.truth().trades.len(), 2_000);
}
