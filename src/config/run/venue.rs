//! `[venue]` and `[backup]`: the broker, where it is, and a second one for prices alone.
//!
//! Promises
//! - A venue is simulated unless the file says otherwise; a simulated one is on this machine, a real one names its
//!   account.
//! - Nothing goes in plain text to another machine.

use super::Place;
use super::login::login;
use crate::config::section::Section;
use crate::venue::session::Credentials;
use crate::venue::{Broker, Facts, Product};
use std::path::PathBuf;

const HTTP: [&str; 2] = ["https://", "http://"];
const WEBSOCKET: [&str; 2] = ["wss://", "ws://"];

/// The broker.
#[derive(Clone, Debug)]
pub struct VenueConfig {
    /// Which broker's wire.
    pub broker: Broker,
    /// Its name in records.
    pub name: String,
    /// Address of the order interface.
    pub rest: String,
    /// Address of the ticker.
    pub ticker: String,
    /// Address of the stream of order updates, where the broker has one of its own.
    pub updates: Option<String>,
    /// One more root certificate, for the simulated venue.
    pub ca_file: Option<PathBuf>,
    /// The application's key, and how a session is obtained.
    pub login: Credentials,
    /// The account a live run must find itself in; `None` for a simulated venue that does not care.
    pub account: Option<String>,
    /// How positions are carried.
    pub product: Product,
    /// Order connections kept warm.
    pub connections: usize,
    /// True when the venue is ours and no money moves.
    pub simulated: bool,
}

/// The broker of orders and prices; `None` only after a fault was noted.
pub(super) fn venue(section: Section<'_>, place: &Place<'_>) -> Option<VenueConfig> {
    if !section.is_present() {
        section.source().fault(
            &(0..0),
            "no venue: a [venue] table is expected; see config/run.toml",
        );
        return None;
    }
    let mut venue = broker_of(&section, place)?;
    let products = [("NRML", Product::Nrml), ("MIS", Product::Mis)];
    if !venue.simulated && venue.account.is_none() {
        section.missing(
            "account",
            "a venue with real money needs the account's id, such as \"AB1234\"",
        );
    }
    venue.product = section.choice("product", &products, Product::Nrml);
    venue.connections = section.number("connections", 1..=16, 4);
    section.finish();
    Some(venue)
}

/// A second broker; it is of the same kind of market as the first, and takes no orders.
pub(super) fn backup(
    section: Section<'_>,
    place: &Place<'_>,
    first: Option<&VenueConfig>,
) -> Option<VenueConfig> {
    if !section.is_present() {
        return None;
    }
    let venue = broker_of(&section, place)?;
    if let Some(first) = first {
        if first.simulated != venue.simulated {
            section.source().fault(
                &section.span(),
                "[backup] simulated must be what [venue] simulated is: prices of a simulated market are none of a \
                 real one",
            );
        }
        if first.name == venue.name {
            section.missing("name", "a name that differs from that of [venue]");
        }
    }
    section.finish();
    Some(venue)
}

/// What every broker needs: its wire, where it is and how to log in.
fn broker_of(section: &Section<'_>, place: &Place<'_>) -> Option<VenueConfig> {
    let simulated = section.truth("simulated", true);
    let kinds = Broker::ALL.map(|broker| (broker.name(), broker));
    let broker = section.choice("kind", &kinds, Broker::Kite);
    let facts = broker.facts();
    let (rest, ticker, updates) = addresses(section, facts, simulated);
    Some(VenueConfig {
        broker,
        name: section
            .text("name")
            .map_or(facts.name.to_owned(), |found| found.value),
        rest,
        ticker,
        updates,
        ca_file: section
            .text("ca_file")
            .map(|found| place.folder.join(found.value)),
        login: login(section, facts, simulated, place)?,
        account: section.text("account").map(|found| found.value),
        product: Product::Nrml,
        connections: 0,
        simulated,
    })
}

/// Addresses of the order interface, of the feed and, where the broker has one, of the stream of order updates: the
/// broker's own unless others are given. A simulated venue is on this machine, and serves updates where the feed is.
fn addresses(
    section: &Section<'_>,
    facts: &Facts,
    simulated: bool,
) -> (String, String, Option<String>) {
    let needed = |key: &'static str, schemes: [&str; 2], real: &str| {
        let given = address(section, key, schemes, simulated);
        if given.is_none() && simulated {
            let wanted = format!(
                "the address `tezi venue` printed, such as \"{}127.0.0.1:8900\"",
                schemes[0]
            );
            section.missing(key, &wanted);
        }
        given.unwrap_or_else(|| real.to_owned())
    };
    let rest = needed("rest", HTTP, facts.rest);
    let ticker = needed("ticker", WEBSOCKET, facts.ticker);
    let updates = facts.updates.map(|real| {
        let usual = if simulated { &ticker } else { real };
        address(section, "updates", WEBSOCKET, simulated).unwrap_or_else(|| usual.to_owned())
    });
    (rest, ticker, updates)
}

/// An address as it was given; it is refused where it would go in plain text to another machine, or where a simulated
/// run would talk to one.
fn address(
    section: &Section<'_>,
    key: &'static str,
    [secure, plain]: [&str; 2],
    simulated: bool,
) -> Option<String> {
    let found = section.text(key)?;
    let host = |scheme: &str| {
        let rest = found.value.strip_prefix(scheme)?;
        let authority = rest.split(['/', '?']).next().unwrap_or("");
        let host = authority.rsplit_once(':');
        Some(host.map_or(authority, |(host, _)| host).to_owned())
    };
    let is_local = |host: &str| matches!(host, "127.0.0.1" | "localhost");
    let wrong = |why: &str| section.wrong(key, &found.span, why);
    match (host(secure), host(plain)) {
        (None, None) => wrong(&format!("an address that begins with {secure} is expected")),
        (None, Some(host)) if !is_local(&host) => {
            wrong(&format!("{plain} is for 127.0.0.1 only; use {secure}"));
        }
        (Some(host), _) | (None, Some(host)) if simulated && !is_local(&host) => {
            wrong("a simulated venue is on 127.0.0.1; for a real broker say simulated = false");
        }
        _ => {}
    }
    Some(found.value)
}

#[cfg(test)]
mod tests;
