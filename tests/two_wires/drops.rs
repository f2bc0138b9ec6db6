//! One broker's stream, reset again and again: every subscription comes back, no bar is doubled, nobody logs in again.

use crate::processes::{Engine, Venue, World, events, millis_since, moment, pause, text};
use crate::streams::{spoil, told};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

fn number(name: &str) -> Option<usize> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().expect("a number"))
}

/// More than 3 000 instruments: the chains of four underlyings.
fn wide(config: &str) -> String {
    let at = config.find("[[strategy]]").expect("a strategy");
    let own = &config[at..];
    let mut all = config.to_owned();
    for name in ["NIFTY", "FINNIFTY", "MIDCPNIFTY"] {
        let next = own
            .replace(
                "\"synthetic\"",
                &format!("\"synthetic-{}\"", name.to_lowercase()),
            )
            .replace("BANKNIFTY", name);
        all.push('\n');
        all.push_str(&next);
    }
    all
}

/// How often every subscription of each link was proved, and how many instruments that were the last time.
fn proofs(said: &[Value]) -> BTreeMap<&str, (usize, u64)> {
    let mut links = BTreeMap::new();
    for row in told(said, "restored") {
        let (count, instruments) = links.entry(text(&row["link"])).or_insert((0, 0));
        *count += 1;
        *instruments = row["instruments"].as_u64().expect("a number");
    }
    links
}

/// True when the links of a feed, which carry so many instruments, were all proved so often.
fn is_whole(said: &[Value], all: u64, times: usize) -> bool {
    let links = proofs(said);
    let carried: u64 = links.values().map(|(_, instruments)| instruments).sum();
    carried == all && links.values().all(|(count, _)| *count == times)
}

/// Waits until every subscription was proved so often; one that is not within a minute is lost.
fn until_whole(engine: &mut Engine, all: u64, times: usize) {
    const LOST_MS: u128 = 60_000;
    let began = moment();
    engine.until("every subscription", |said| {
        is_whole(said, all, times) || millis_since(began) > LOST_MS
    });
    assert!(
        is_whole(&engine.said, all, times),
        "after drop {} of {all} instruments: {:?}",
        times - 1,
        proofs(&engine.said)
    );
}

/// The smallest of sorted times that so many percent are not above.
fn percentile(sorted: &[u128], percent: usize) -> u128 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted[rank - 1]
}

/// A venue whose day outlasts so many drops, and an engine that watches it.
fn dropping(world: &World, is_wide: bool, drops: usize) -> (Venue, Engine) {
    let speed = match (is_wide, drops) {
        (true, _) => "1",
        (false, 0..=100) => "60",
        (false, _) => "10",
    };
    let mut arguments = vec!["--speed", speed];
    if is_wide {
        arguments.extend([
            "--underlying",
            "BANKNIFTY,NIFTY,FINNIFTY,MIDCPNIFTY",
            "--strikes",
            "200",
        ]);
    }
    let venue = Venue::start(world, "venue", &arguments);
    let engine = Engine::start(world, Some(&venue.ready_file), &[]);
    (venue, engine)
}

/// Bars that closed, each of which may be there once.
fn count_bars(closed: &[&Value]) -> usize {
    let mut bars = BTreeSet::new();
    for bar in closed {
        let key =
            [&bar["strategy"], &bar["instrument"], &bar["start"]].map(|of| text(of).to_owned());
        assert!(bars.insert(key.clone()), "{key:?} closed twice");
    }
    bars.len()
}

#[test]
fn a_stream_that_drops_again_and_again_loses_no_subscription_and_doubles_no_bar() {
    let drops = number("TEZI_DROPS").unwrap_or(6);
    let is_wide = number("TEZI_WIDE").is_some();
    let world = World::new(|config| if is_wide { wide(&config) } else { config });
    let (venue, mut engine) = dropping(&world, is_wide, drops);
    engine.until("a start", |said| !events(said, "start").is_empty());
    let all = events(&engine.said, "start")[0]["instruments"].as_u64();
    let all = all.expect("a number");
    until_whole(&mut engine, all, 1);
    let mut times = Vec::new();
    for done in 1..=drops {
        // One that lasted: what drops at once is dialled with growing waits.
        pause(2_100);
        let began = moment();
        spoil(&venue, "drop=true");
        until_whole(&mut engine, all, done + 1);
        times.push(millis_since(began));
    }
    times.sort_unstable();
    let links = proofs(&engine.said).len();
    println!(
        "{drops} drops of {all} instruments on {links} links, reset to every subscription proved: p50 {} p99 {} max {} ms",
        percentile(&times, 50),
        percentile(&times, 99),
        percentile(&times, 100)
    );
    engine.interrupt();
    let run = engine.end();
    assert_eq!(run.code, 130, "{}", run.errors);
    let bars = count_bars(&run.events("bar"));
    let logins = venue.truth()["logins"].as_u64();
    println!("  {bars} bars, each once; {logins:?} logins");
    assert!(is_wide || bars > 5, "bars closed meanwhile");
    assert!(logins <= Some(1), "one session, one login");
}
