//! The same cases for every broker: what its simulated wire says is read, what we write is understood there, no bytes
//! are fatal, and the hot calls of the port allocate nothing once they are warm.
//!
//! A broker that is added is tried by itself: the cases walk [`Broker::ALL`].

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "helpers of tests, outside the test functions clippy recognises; they wait for another process"
)]

mod bytes;
#[path = "../venue/client.rs"]
#[expect(dead_code, reason = "shared with tests that use all of it")]
mod client;
#[path = "../counting/mod.rs"]
mod counting;
mod feed;
mod orders;

use client::{PATIENCE, Venue};
use counting::counted_in;
use rustls::ClientConfig;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tezi::control::Desk;
use tezi::control::greet::greet;
use tezi::model::{Exchange, Instrument, Kind, OrderId, OrderState, Price, Secret};
use tezi::net::websocket::Received;
use tezi::net::{FeedSocket, HttpConnection, Url, tls};
use tezi::venue::books::OrderRow;
use tezi::venue::master::ten_lots;
use tezi::venue::session::Credentials;
use tezi::venue::{Broker, JsonScratch, Mode};

/// A venue that speaks a broker's wire, and a desk that is logged in there.
struct Line {
    broker: Broker,
    venue: Venue,
    tls: Arc<ClientConfig>,
    desk: Desk,
    future: Instrument,
}

impl Line {
    fn open(broker: Broker) -> Self {
        let venue = Venue::start(&[
            "--wire",
            broker.name(),
            "--plain",
            "--speed",
            "20",
            "--strikes",
            "4",
            "--start-on-connect=false",
            "--rate-limit",
            "off",
        ]);
        let tls = tls::client_config(None).expect("roots");
        let mut credentials = Credentials::new(venue.text("api_key").to_owned());
        for field in broker.facts().logins.iter().copied().flatten() {
            if let Some(value) = venue.ready["login"][field.key].as_str() {
                credentials.give(field.key, Secret::new(value.to_owned()));
            }
        }
        let url = Url::parse(venue.text("rest")).expect("an address");
        let opened = Desk::open(broker, url, Arc::clone(&tls), &credentials);
        let mut desk = opened.unwrap_or_else(|fault| panic!("{}: {fault}", broker.name()));
        let is_future = |row: &Instrument| row.kind == Kind::Future;
        let rows = desk.instruments(Exchange::Nfo, is_future, ten_lots);
        let rows = rows.unwrap_or_else(|fault| panic!("{}: {fault}", broker.name()));
        let future = rows.into_iter().min_by_key(|row| row.expiry);
        Self {
            broker,
            venue,
            tls,
            desk,
            future: future.expect("a future"),
        }
    }

    /// A stream that prices of the future come on, or order updates where `of_orders`.
    fn stream(&self, of_orders: bool) -> FeedSocket {
        let ticker = self.venue.text("ticker");
        let is_apart = of_orders && self.broker.facts().updates.is_some();
        let found = if is_apart {
            self.desk.updates(ticker)
        } else {
            self.desk.feed(ticker)
        };
        let (url, opening) = found.expect("an address");
        let mut socket = FeedSocket::connect(&url, &self.tls, &opening.headers, PATIENCE)
            .unwrap_or_else(|fault| panic!("{}: {fault}", self.broker.name()));
        greet(&mut socket, self.broker, &opening)
            .unwrap_or_else(|fault| panic!("{}: {fault}", self.broker.name()));
        if !is_apart {
            let watched = std::slice::from_ref(&self.future);
            for message in self.broker.subscribe_messages(watched, Mode::Full) {
                socket.send_text(&message).expect("sent");
            }
        }
        socket
    }

    fn connection(&self) -> HttpConnection {
        let url = Url::parse(self.venue.text("rest")).expect("an address");
        HttpConnection::connect(&url, &self.tls, PATIENCE).expect("the venue")
    }

    /// A limit price so far from the market in percent, on the tick.
    fn limit(&mut self, percent: i64) -> Price {
        let rows = self.desk.quotes(&[&self.future]).expect("a quote");
        let wanted = rows[0].last.0 * percent / 100;
        Price(wanted / self.future.tick.0 * self.future.tick.0)
    }

    /// Waits until the order book shows an order in a state.
    fn settled(&mut self, order: OrderId, state: OrderState) -> OrderRow {
        let start = Instant::now();
        loop {
            let rows = self.desk.orders().expect("an order book");
            let row = rows.into_iter().find(|row| row.update.order_id == order);
            let row = row.unwrap_or_else(|| panic!("{}: not in the book", self.broker.name()));
            if row.update.state == state {
                return row;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "{}: {row:?}",
                self.broker.name()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// What came on a stream.
enum Message {
    Binary(Vec<u8>),
    Text(Vec<u8>),
}

/// The next message; `None` when nothing came for a while.
fn next(socket: &mut FeedSocket) -> Option<Message> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(5) {
        match socket
            .receive_within(Duration::from_millis(100))
            .expect("a stream")
        {
            Received::Binary if socket.message().is_whole() => {
                return Some(Message::Binary(socket.message().bytes.to_vec()));
            }
            Received::Text(text) => return Some(Message::Text(text.to_vec())),
            _ => {}
        }
    }
    None
}

/// What reading these texts a second time allocates and frees.
fn costs(broker: Broker, texts: &[Vec<u8>]) -> (u64, u64) {
    let mut json = JsonScratch::new();
    let mut sum = (0, 0);
    for round in 0..2 {
        for text in texts {
            let mut text = text.clone();
            let ((), counts) = counted_in(|| {
                std::hint::black_box(broker.text_message(&mut text, &mut json));
            });
            if round == 1 {
                sum = (sum.0 + counts.0, sum.1 + counts.1);
            }
        }
    }
    sum
}
