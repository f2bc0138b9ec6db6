//! Replies to requests: the first byte says which call it answers, the second its status, the rest is the body.

use tezi::model::{Exchange, Secret};
use tezi::venue::session::{Answer, Credentials, Session};
use tezi::venue::{Auth, Books as _, Broker, Interval, JsonScratch, Reply};
use tezi::venue::{dhan, kite, kotak, openalgo};

const STATUS: [u16; 12] = [200, 201, 202, 204, 400, 401, 403, 404, 422, 429, 500, 503];

/// The answer a call is given.
struct Given {
    status: u16,
    body: Vec<u8>,
    json: JsonScratch,
}

impl Given {
    /// Asserts that a list has no more rows than its text has bytes.
    fn rows<T, E>(
        &mut self,
        read: impl FnOnce(u16, &mut [u8], &mut JsonScratch) -> Result<Vec<T>, E>,
    ) {
        let bytes = self.body.len();
        if let Ok(rows) = read(self.status, &mut self.body, &mut self.json) {
            assert!(rows.len() <= bytes, "more rows than bytes");
        }
    }

    fn one<T, E>(&mut self, read: impl FnOnce(u16, &mut [u8], &mut JsonScratch) -> Result<T, E>) {
        drop(read(self.status, &mut self.body, &mut self.json));
    }
}

/// Splits an input, or `None` when it is too short to be one.
fn given(bytes: &[u8]) -> Option<(u8, Given)> {
    let (&[call, status], body) = bytes.split_first_chunk::<2>()?;
    let given = Given {
        status: STATUS[usize::from(status) % STATUS.len()],
        body: body.to_vec(),
        json: JsonScratch::new(),
    };
    Some((call, given))
}

/// The calls every broker has: 0 to 15.
fn common(broker: Broker, call: u8, given: &mut Given) {
    match call {
        0 => {
            let reply = broker.read_reply(given.status, &mut given.body, &mut given.json);
            let is_number = |id: tezi::model::OrderId| id.0 > 0;
            match reply {
                Reply::Acknowledged(id) => assert!(is_number(id)),
                Reply::Sliced(slices) => assert!(slices.accepted == 0 || is_number(slices.first)),
                Reply::Rejected(_) | Reply::TooLate | Reply::Unknown => {}
            }
        }
        1 => given.one(|s, b, j| broker.parse_profile(s, b, j)),
        2 => given.rows(|s, b, j| broker.parse_orders(s, b, j)),
        3 => given.rows(|s, b, j| broker.parse_trades(s, b, j)),
        4 => given.rows(|s, b, j| broker.parse_positions(s, b, j).map(|p| p.net)),
        5 => given.rows(|s, b, j| broker.parse_quotes(s, b, j)),
        6 => given.rows(|s, b, j| broker.parse_candles(s, b, j, Interval::Minute15)),
        7 => given.rows(|s, b, j| broker.parse_candles(s, b, j, Interval::Day)),
        8..12 => log_in(broker, call - 7, given),
        _ => master(broker, call - 11, given),
    }
}

fn log_in(broker: Broker, number: u8, given: &mut Given) {
    let mut credentials = Credentials::new("key".to_owned());
    let logins = broker.facts().logins;
    for field in logins[usize::from(number) % logins.len()] {
        credentials.give(field.key, Secret::new("JBSWY3DPEHPK3PXP".to_owned()));
    }
    let mut session = Session::none();
    drop(broker.log_in(&credentials, &mut session, None, &mut given.json));
    let answer = Answer {
        number,
        status: given.status,
        body: &mut given.body,
    };
    drop(broker.log_in(&credentials, &mut session, Some(answer), &mut given.json));
}

fn master(broker: Broker, number: u8, given: &mut Given) {
    let answer = Answer {
        number,
        status: given.status,
        body: &mut given.body,
    };
    let auth = Auth::new("key", "token");
    drop(broker.master(&auth, Exchange::Nfo, Some(answer), &mut given.json));
}

pub(super) fn kite(bytes: &[u8]) {
    let Some((call, mut given)) = given(bytes) else {
        return;
    };
    match call % 18 {
        16 => given.one(kite::Kite::parse_funds),
        17 => given.one(kite::session::parse_session),
        call => common(Broker::Kite, call, &mut given),
    }
}

pub(super) fn dhan(bytes: &[u8]) {
    let Some((call, mut given)) = given(bytes) else {
        return;
    };
    match call % 17 {
        16 => given.one(dhan::Dhan::parse_funds),
        call => common(Broker::Dhan, call, &mut given),
    }
}

pub(super) fn kotak(bytes: &[u8]) {
    let Some((call, mut given)) = given(bytes) else {
        return;
    };
    match call % 19 {
        16 => given.rows(kotak::books::parse_holdings),
        17 => given.one(kotak::Kotak::parse_funds),
        18 => given.one(kotak::session::parse_grant),
        call => common(Broker::Kotak, call, &mut given),
    }
}

pub(super) fn openalgo(bytes: &[u8]) {
    let Some((call, mut given)) = given(bytes) else {
        return;
    };
    match call % 19 {
        16 => given.one(openalgo::OpenAlgo::parse_funds),
        17 => given.one(openalgo::batch::parse_smart),
        18 => given.rows(openalgo::batch::parse_legs),
        call => common(Broker::OpenAlgo, call, &mut given),
    }
}
