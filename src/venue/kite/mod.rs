//! Zerodha Kite Connect v3 (protocols/kite.md).
//!
//! | file | reads or writes |
//! |---|---|
//! | `packet` | one binary packet, every field, both ways |
//! | `feed` | binary containers, the hot read, subscriptions |
//! | `updates` | text messages and order rows, status words |
//! | `orders` | place, modify, cancel and their replies |
//! | `faults` | the error envelope and what its names mean |
//! | `session` | login, profile, ticker address |
//! | `books` | orders, trades, positions, margins |
//! | `market` | quotes and candles over REST |
//! | `master` | the instrument dump |
//!
//! Deliberately absent: sockets, retries and rate budgets (they belong to `net` and the gateway).

pub mod books;
pub mod faults;
pub mod feed;
pub mod market;
pub mod master;
pub mod orders;
pub mod packet;
pub mod session;
pub mod updates;

use super::{
    Auth, Change, Cursor, Endpoint, Feed, Frame, JsonScratch, Mode, Next, Orders, Product, Reply,
    Request, Template, TemplateFault, TextMessage,
};
use crate::model::{Day, FeedFault, Instrument, OrderId, Quote, Side, Token, WallNanos};

/// The REST host of the real broker.
pub const REST_HOST: &str = "api.kite.trade";
/// The ticker host of the real broker.
pub const TICKER_HOST: &str = "ws.kite.trade";
/// Sent with every request.
pub const VERSION_HEADER: (&str, &str) = ("X-Kite-Version", "3");
/// Sent with every request; any text is accepted.
pub const USER_AGENT: &str = concat!("tezi/", env!("CARGO_PKG_VERSION"));

/// Implements the ports of [`super`] for Kite.
#[derive(Clone, Copy, Debug)]
pub struct Kite;

impl Feed for Kite {
    #[inline]
    fn open_frame(frame: &[u8]) -> Result<Frame, FeedFault> {
        feed::open_frame(frame)
    }

    #[inline]
    fn open_arriving(arrived: &[u8], length: usize) -> Option<Cursor> {
        feed::open_arriving(arrived, length)
    }

    #[inline]
    fn next_arrived(arrived: &[u8], cursor: &mut Cursor) -> Next {
        feed::next_arrived(arrived, cursor)
    }

    fn check_rest(frame: &[u8], cursor: Cursor) -> Result<Frame, FeedFault> {
        feed::check_rest(frame, cursor)
    }

    #[inline]
    fn next_quote(frame: &[u8], cursor: &mut Cursor) -> Option<Result<Quote, FeedFault>> {
        feed::next_quote(frame, cursor)
    }

    fn subscribe_messages(tokens: &[Token], mode: Mode) -> Vec<String> {
        feed::subscribe_messages(tokens, mode)
    }

    fn text_message<'a>(bytes: &'a mut [u8], json: &mut JsonScratch) -> TextMessage<'a> {
        updates::text_message(bytes, json)
    }
}

impl Orders for Kite {
    fn place_template(
        endpoint: &Endpoint,
        auth: &Auth,
        contract: &Instrument,
        side: Side,
        product: Product,
    ) -> Result<Template, TemplateFault> {
        orders::place_template(endpoint, auth, contract, side, product)
    }

    fn cancel_request(endpoint: &Endpoint, auth: &Auth, order: OrderId, out: &mut Vec<u8>) {
        orders::cancel_request(endpoint, auth, order, out);
    }

    fn modify_request(
        endpoint: &Endpoint,
        auth: &Auth,
        order: OrderId,
        change: Change,
        out: &mut Vec<u8>,
    ) {
        orders::modify_request(endpoint, auth, order, change, out);
    }

    #[inline]
    fn read_reply(status: u16, body: &mut [u8], json: &mut JsonScratch) -> Reply {
        orders::read_reply(status, body, json)
    }
}

/// A `GET` with the headers every call carries.
fn get(auth: &Auth, path: String) -> Request {
    Request {
        method: "GET",
        path,
        headers: headers(Some(auth)),
        body: Vec::new(),
    }
}

/// The headers every call carries; `Accept-Encoding: identity` because replies may be gzip otherwise.
fn headers(auth: Option<&Auth>) -> Vec<(String, String)> {
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let mut headers = vec![
        own(VERSION_HEADER),
        own(("User-Agent", USER_AGENT)),
        own(("Accept-Encoding", "identity")),
    ];
    if let Some(auth) = auth {
        headers.push(("Authorization".to_owned(), authorization(auth)));
    }
    headers
}

fn authorization(auth: &Auth) -> String {
    format!(
        "token {}:{}",
        auth.api_key.expose(),
        auth.access_token.expose()
    )
}

/// Reads Kite's times: `2021-05-31 09:18:57` means India, `2017-12-15T09:15:00+0530` says so.
///
/// Returns `None` for anything else, also for another offset: a time that is not understood is absent.
pub fn parse_time(text: &str) -> Option<WallNanos> {
    let (stamp, offset) = text.as_bytes().split_first_chunk::<19>()?;
    if !matches!(offset, b"" | b"+0530" | b"+05:30") {
        return None;
    }
    let &[
        a,
        b,
        c,
        d,
        b'-',
        e,
        f,
        b'-',
        g,
        h,
        b' ' | b'T',
        i,
        j,
        b':',
        k,
        l,
        b':',
        m,
        n,
    ] = stamp
    else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_i16, |sum, byte| {
            let digit = byte.checked_sub(b'0').filter(|d| *d <= 9)?;
            sum.checked_mul(10)?.checked_add(i16::from(digit))
        })
    };
    let small = |tens: u8, ones: u8| number(&[tens, ones]).and_then(|n| i8::try_from(n).ok());
    let day = Day::from_ymd(number(&[a, b, c, d])?, small(e, f)?, small(g, h)?)?;
    let (hour, minute, second) = (small(i, j)?, small(k, l)?, small(m, n)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
    Some(day.at(seconds * crate::model::time::SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indian_time_becomes_utc_nanoseconds() {
        let expected = Some(WallNanos::from_secs(1_655_375_264)); // README of the fixtures
        assert_eq!(parse_time("2022-06-16 15:57:44"), expected);
        assert_eq!(parse_time("2022-06-16T15:57:44+0530"), expected);
        assert_eq!(parse_time("2022-06-16T15:57:44+05:30"), expected);
    }

    #[test]
    fn what_is_not_a_time_is_absent() {
        for text in [
            "",
            "09:16:39",
            "2022-06-16",
            "2022-13-16 15:57:44",
            "2022-02-29 15:57:44",
            "2022-06-16 24:00:00",
            "2022-06-16 15:60:00",
            "2022-06-16 15:57:4x",
            "2022-06-16T15:57:44Z",
            "२०२२-06-16 15:57",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }
}
