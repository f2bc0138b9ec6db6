//! Asks for quotes over REST while no socket brings them, within the brokers' rate.
//!
//! A stage on a thread of its own, because a call blocks. The first broker is asked; when it does not answer, or its
//! answers name no price of anything, the next one is, and the first again when that one fails too.

use super::desk::Desk;
use crate::model::{Instrument, InstrumentIx, MonoNanos, Polled, Quote, Token};
use crate::net::Backoff;
use crate::ring::{Counted, LinkBoard};
use crate::runtime::{Clock, Stage};
use crate::venue::quotes::QuoteRow;
use crossbeam_channel::Sender;
use std::collections::HashMap;

/// Time between two calls. Every supported broker takes one call for quotes a second.
const CALL_NS: u64 = 1_000_000_000;

/// What became of asking, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PollNews {
    /// A broker answers.
    Answers(String),
    /// A broker does not; the next one is asked.
    Failed(String, String),
}

/// One broker that can be asked.
#[derive(Debug)]
pub struct PollDesk {
    /// Its name, for people.
    pub name: String,
    /// Its desk.
    pub desk: Desk,
    /// Its own rows of the instruments, with our indices.
    pub instruments: Vec<Instrument>,
}

/// The poller.
#[derive(Debug)]
pub struct Poller {
    desks: Vec<(PollDesk, HashMap<Token, InstrumentIx>)>,
    board: LinkBoard,
    quotes: Counted<Polled>,
    news: Sender<PollNews>,
    at: usize,
    next: usize,
    /// Prices so far in the round through all instruments that runs.
    priced: usize,
    due: MonoNanos,
    backoff: Backoff,
    /// The broker that answered last, or the fault that was told.
    told: Option<PollNews>,
}

impl Poller {
    /// Prepares a poller; it asks while the board says so.
    pub fn new(
        desks: Vec<PollDesk>,
        board: LinkBoard,
        quotes: Counted<Polled>,
        news: Sender<PollNews>,
    ) -> Self {
        let with_tokens = |own: PollDesk| {
            let rows = own.instruments.iter().map(|row| (row.token, row.ix));
            let tokens = rows.collect();
            (own, tokens)
        };
        Self {
            desks: desks.into_iter().map(with_tokens).collect(),
            board,
            quotes,
            news,
            at: 0,
            next: 0,
            priced: 0,
            due: MonoNanos(0),
            backoff: Backoff::new(0x706f_6c6c),
            told: None,
        }
    }

    /// Asks one broker for the next instruments, as many as one call takes; fails too when a whole round through the
    /// instruments brought no price. One call without any may be of instruments that nobody trades.
    fn ask(&mut self, clock: &Clock) -> Result<usize, String> {
        let Some((own, tokens)) = self.desks.get_mut(self.at) else {
            return Ok(0);
        };
        let facts = own.desk.broker().facts();
        let most = facts.quotes_max.max(1);
        if self.next >= own.instruments.len() {
            self.next = 0;
        }
        let part: Vec<&Instrument> = own.instruments.iter().skip(self.next).take(most).collect();
        self.next += part.len();
        let rows = own.desk.quotes(&part).map_err(|fault| fault.to_string())?;
        let received = clock.mono();
        let mut done = 0;
        for row in &rows {
            if let Some(instrument) = tokens.get(&row.token) {
                self.quotes.push(Polled {
                    instrument: *instrument,
                    quote: quote(row),
                    stamps_trades: facts.stamps_trades,
                    received,
                });
                done += 1;
                self.priced += usize::from(row.last.0 > 0);
            }
        }
        let is_round = self.next >= own.instruments.len();
        if is_round && std::mem::take(&mut self.priced) == 0 {
            return Err("its answers name no price of what was asked for".to_owned());
        }
        Ok(done)
    }

    fn tell(&mut self, news: PollNews) {
        if self.told.as_ref() != Some(&news) {
            self.told = Some(news.clone());
            // Nobody listens any more when the run is ending.
            self.news.send(news).ok();
        }
    }

    fn name(&self) -> String {
        let own = self.desks.get(self.at);
        own.map_or_else(String::new, |(own, _)| own.name.clone())
    }
}

impl Stage for Poller {
    fn name(&self) -> &'static str {
        "poller"
    }

    fn work(&mut self, clock: &Clock) -> usize {
        let now = clock.mono();
        if !self.board.wants_polls() || now < self.due {
            return 0;
        }
        self.due = now.plus(CALL_NS);
        match self.ask(clock) {
            Ok(done) => {
                self.backoff.reset();
                self.tell(PollNews::Answers(self.name()));
                done
            }
            Err(why) => {
                self.tell(PollNews::Failed(self.name(), why));
                self.at = (self.at + 1) % self.desks.len().max(1);
                (self.next, self.priced) = (0, 0);
                // Once round is at the rate; a round without an answer is followed by a longer wait.
                if self.at == 0 {
                    let wait = self.backoff.next_wait().as_nanos();
                    let wait = u64::try_from(wait).unwrap_or(u64::MAX);
                    self.due = clock.mono().plus(wait.max(CALL_NS));
                }
                0
            }
        }
    }
}

/// A row of an answer as the feed takes it.
fn quote(row: &QuoteRow) -> Quote {
    Quote {
        token: row.token,
        last: row.last,
        bid: row.bids[0].price,
        ask: row.asks[0].price,
        // As wide as on the wire of a feed.
        volume_day: u32::try_from(row.volume & u64::from(u32::MAX)).unwrap_or(0),
        exchange_time: row.at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Exchange, Kind, Price, Qty, Stamp, WallNanos};
    use crate::net::{Url, tls};
    use crate::ring::counted;
    use crate::venue::Broker;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    const SECOND: u64 = 1_000_000_000;

    /// A desk at a broker that answers every call with this.
    fn desk(name: &str, body: &'static str) -> PollDesk {
        let listener = TcpListener::bind("127.0.0.1:0").expect("port");
        let port = listener.local_addr().expect("address").port();
        let server = std::thread::Builder::new().spawn(move || {
            for mut peer in listener.incoming().map_while(Result::ok) {
                while peer.read(&mut [0; 4_096]).is_ok_and(|count| count > 0) {
                    let length = body.len();
                    write!(
                        peer,
                        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
                    )
                    .ok();
                }
            }
        });
        server.expect("thread");
        let url = Url::parse(&format!("http://127.0.0.1:{port}")).expect("address");
        let tls = tls::client_config(None).expect("roots");
        let instrument = Instrument {
            ix: InstrumentIx(0),
            token: Token(256_265),
            exchange: Exchange::Nse,
            symbol: "NIFTY 50".to_owned(),
            underlying: "NIFTY 50".to_owned(),
            kind: Kind::Index,
            expiry: None,
            tick: Price(500),
            lot: Qty(1),
            qty_max: Qty(1),
        };
        PollDesk {
            name: name.to_owned(),
            desk: Desk::visitor(Broker::Kite, url, tls),
            instruments: vec![instrument],
        }
    }

    #[test]
    fn a_broker_whose_answers_name_no_price_is_left_for_the_next() {
        const PRICE: &str = r#"{"status":"success","data":{"NSE:NIFTY 50":
            {"instrument_token":256265,"last_price":26000.5}}}"#;
        for nothing in [
            r#"{"status":"success","data":{}}"#,
            r#"{"status":"success","data":{"NSE:X":{"instrument_token":7,"last_price":1.5}}}"#,
            r#"{"status":"success","data":{"NSE:NIFTY 50":{"instrument_token":256265,"last_price":0}}}"#,
        ] {
            let board = LinkBoard::new(1, 1);
            board.want_polls(true);
            let (quotes, mut polled, _) = counted("polls", 8);
            let (news_tx, news) = crossbeam_channel::unbounded();
            let desks = vec![desk("first", nothing), desk("second", PRICE)];
            let mut poller = Poller::new(desks, board, quotes, news_tx);
            let mut at = Stamp {
                mono: MonoNanos(SECOND),
                wall: WallNanos(0),
            };
            let clock = Clock::stepped(at);
            poller.work(&clock);
            let first = news.try_recv().expect("news");
            assert!(
                matches!(&first, PollNews::Failed(name, why) if name == "first" && why.contains("no price")),
                "{first:?}"
            );
            at.mono = MonoNanos(2 * SECOND);
            clock.step_to(at);
            assert_eq!(poller.work(&clock), 1);
            assert_eq!(news.try_recv(), Ok(PollNews::Answers("second".to_owned())));
            let last = std::iter::from_fn(|| polled.pop()).last();
            assert_eq!(last.expect("a quote").quote.last, Price(260_005_000));
        }
    }
}
