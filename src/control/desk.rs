//! The broker's desk: everything asked of it outside the hot path, over one kept-alive connection.
//!
//! Promises
//! - One login; the session is shared by the feed, the order connections and this desk.
//! - Only reads are repeated after a broken connection, once. Nothing here places an order.

use crate::model::{Bar, Exchange, Instrument, OrderId, Qty, WallNanos};
use crate::net::{HttpConnection, NetFault, Response, Url};
use crate::runtime::clock::real_time;
use crate::venue::books::{
    Margins, OrderRow, Positions, TradeRow, confirm_cancelled, fill_from_trades,
};
use crate::venue::master::{ContractKey, Master, MasterFault, check_end};
use crate::venue::quotes::{QuoteKind, QuoteRow};
use crate::venue::session::{Answer, Ask, Credentials, Opening, Profile, Session, Step};
use crate::venue::{ApiFault, Auth, Broker, Endpoint, Interval, JsonScratch, Request};
use rustls::ClientConfig;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for a connection or a reply.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// Requests one conversation may take: the longest login has three.
const STEPS_MAX: u8 = 8;

/// Why the desk could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DeskFault {
    /// The connection failed.
    #[error(transparent)]
    Net(#[from] NetFault),
    /// The broker refused or answered nonsense.
    #[error("{what}: {source}")]
    Api {
        /// What was asked.
        what: &'static str,
        /// The broker's answer.
        source: ApiFault,
    },
    /// The instrument dump cannot be used.
    #[error("instruments of {exchange}: {source}")]
    Master {
        /// Which dump.
        exchange: Exchange,
        /// What is wrong with it.
        source: MasterFault,
    },
}

impl DeskFault {
    /// True when the session is dead: asking again with it gets a key flagged.
    pub const fn is_session_dead(&self) -> bool {
        matches!(
            self,
            Self::Net(NetFault::Refused {
                status: 401 | 403,
                ..
            }) | Self::Api {
                source: ApiFault::Session { .. },
                ..
            }
        )
    }
}

/// A desk at one broker.
#[derive(Debug)]
pub struct Desk {
    broker: Broker,
    url: Url,
    /// True when the address is the broker's own, so that its other hosts are asked too.
    is_real: bool,
    tls: Arc<ClientConfig>,
    session: Session,
    connection: Option<HttpConnection>,
    /// Longest wait for a connection or a reply.
    patience: Duration,
    json: JsonScratch,
    /// Cancelled orders and what of them was filled, as reads showed them; see [`confirm_cancelled`].
    cancelled: BTreeMap<OrderId, Qty>,
}

impl Desk {
    /// Connects and logs in; a ready access token is proved with a profile read.
    ///
    /// # Errors
    ///
    /// [`DeskFault`]: nothing was sent but the login itself.
    pub fn open(
        broker: Broker,
        url: Url,
        tls: Arc<ClientConfig>,
        credentials: &Credentials,
    ) -> Result<Self, DeskFault> {
        let mut desk = Self::visitor(broker, url, tls);
        desk.log_in(credentials)?;
        Ok(desk)
    }

    /// Logs in, in as many steps as the broker wants.
    ///
    /// # Errors
    ///
    /// [`DeskFault`]: nothing was sent but the login itself.
    pub fn log_in(&mut self, credentials: &Credentials) -> Result<(), DeskFault> {
        let broker = self.broker;
        let mut session = Session::none();
        let mut credentials = credentials.clone();
        credentials.now = real_time();
        self.converse("login", |answer, json| {
            broker.log_in(&credentials, &mut session, answer, json)
        })?;
        if let Some(rest) = &session.rest {
            self.url = Url::parse(rest)?.busy_polling(self.url.busy_poll_us);
            self.connection = None;
        }
        self.session = session;
        Ok(())
    }

    /// Asks as long as `next` has something to ask, and returns the last answer.
    fn converse(
        &mut self,
        what: &'static str,
        mut next: impl FnMut(Option<Answer<'_>>, &mut JsonScratch) -> Result<Step, ApiFault>,
    ) -> Result<Response, DeskFault> {
        let told = |source| DeskFault::Api { what, source };
        let mut json = JsonScratch::new();
        let mut step = next(None, &mut json).map_err(told)?;
        let mut last = None;
        for number in 1..=STEPS_MAX {
            let mut reply = match &step {
                Step::Ask(ask) => self.ask(ask)?,
                Step::Try(ask) => self.ask(ask).unwrap_or(Response {
                    status: 0,
                    body: Vec::new(),
                    closes: true,
                }),
                Step::Done => break,
            };
            let answer = Answer {
                number,
                status: reply.status,
                body: &mut reply.body,
            };
            step = next(Some(answer), &mut json).map_err(told)?;
            last = Some(reply);
        }
        match (step, last) {
            (Step::Done, Some(last)) => Ok(last),
            (Step::Ask(_) | Step::Try(_), _) | (Step::Done, None) => {
                Err(told(ApiFault::Unreadable {
                    status: 0,
                    what: format!("no end after {STEPS_MAX} requests"),
                }))
            }
        }
    }

    /// Asks the order interface, or another host of the broker while no other address is configured: whoever gives
    /// an address gives it for everything.
    fn ask(&mut self, ask: &Ask) -> Result<Response, NetFault> {
        match &ask.at {
            Some(at) if self.is_real => {
                let elsewhere = Url::parse(at)?;
                let mut connection = HttpConnection::connect_large(&elsewhere, &self.tls, TIMEOUT)?;
                let mut bytes = Vec::new();
                let endpoint = Endpoint::new(&elsewhere.host, elsewhere.port);
                ask.request.encode(&endpoint, &mut bytes);
                connection.call(&bytes)
            }
            _ => self.call(&ask.request),
        }
    }

    /// A desk that is not logged in: good for the pages of a simulated venue and nothing else.
    pub fn visitor(broker: Broker, url: Url, tls: Arc<ClientConfig>) -> Self {
        let real = Url::parse(broker.facts().rest);
        Self {
            broker,
            is_real: real.is_ok_and(|real| real.host == url.host),
            url,
            tls,
            session: Session::none(),
            connection: None,
            patience: TIMEOUT,
            json: JsonScratch::new(),
            cancelled: BTreeMap::new(),
        }
    }

    /// A second desk on the same session, with a connection of its own.
    #[must_use]
    pub fn twin(&self) -> Self {
        Self {
            broker: self.broker,
            url: self.url.clone(),
            is_real: self.is_real,
            tls: Arc::clone(&self.tls),
            session: self.session.clone(),
            connection: None,
            patience: TIMEOUT,
            json: JsonScratch::new(),
            cancelled: BTreeMap::new(),
        }
    }

    /// Waits no longer than this for an answer: for who has other things to do.
    #[must_use]
    pub const fn hasty(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The broker.
    pub const fn broker(&self) -> Broker {
        self.broker
    }

    /// The session's credentials.
    pub const fn auth(&self) -> &Auth {
        &self.session.auth
    }

    /// The account that is logged in.
    pub fn account(&self) -> &str {
        &self.session.account
    }

    /// Where requests go, as order templates need it.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::new(&self.url.host, self.url.port)
    }

    /// The address of the feed with its credentials, and how it is opened.
    ///
    /// # Errors
    ///
    /// [`NetFault::Url`] when the configured address is not one.
    pub fn feed(&self, ticker: &str) -> Result<(Url, Opening), NetFault> {
        let facts = self.broker.facts();
        let told = self.session.ticker.as_deref();
        let address = told.filter(|_| ticker == facts.ticker).unwrap_or(ticker);
        self.stream(address, self.broker.opening(&self.session.auth))
    }

    /// The same of the stream of order updates; of the feed where the broker has no other.
    ///
    /// # Errors
    ///
    /// As [`Desk::feed`].
    pub fn updates(&self, address: &str) -> Result<(Url, Opening), NetFault> {
        let auth = &self.session.auth;
        let own = self.broker.updates_opening(auth);
        let told = self.session.updates.as_deref();
        let usual = self.broker.facts().updates == Some(address);
        let address = told.filter(|_| usual).unwrap_or(address);
        self.stream(address, own.unwrap_or_else(|| self.broker.opening(auth)))
    }

    fn stream(&self, address: &str, opening: Opening) -> Result<(Url, Opening), NetFault> {
        let mut url = Url::parse(address)?.busy_polling(self.url.busy_poll_us);
        if let Some(path) = &opening.path {
            path.expose().clone_into(&mut url.path);
        }
        Ok((url, opening))
    }

    /// The bytes of a cheap request that keeps an order connection warm.
    pub fn warm_request(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let request = self.broker.profile_request(&self.session.auth);
        request.encode(&self.endpoint(), &mut bytes);
        bytes
    }

    /// Opens one order connection and uses it once, so that it is authenticated and warm.
    ///
    /// # Errors
    ///
    /// [`DeskFault`]; no order was sent.
    pub fn order_connection(&self) -> Result<HttpConnection, DeskFault> {
        let mut connection = HttpConnection::connect(&self.url, &self.tls, TIMEOUT)?;
        let mut reply = connection.call(&self.warm_request())?;
        self.broker
            .parse_profile(reply.status, &mut reply.body, &mut JsonScratch::new())
            .map_err(|source| DeskFault::Api {
                what: "order connection",
                source,
            })?;
        connection.set_hot()?;
        Ok(connection)
    }

    /// Sends a read and has its answer read.
    fn read<R>(
        &mut self,
        what: &'static str,
        request: &Request,
        parse: impl FnOnce(u16, &mut [u8], &mut JsonScratch) -> Result<R, ApiFault>,
    ) -> Result<R, DeskFault> {
        let mut reply = self.call(request)?;
        parse(reply.status, &mut reply.body, &mut self.json)
            .map_err(|source| DeskFault::Api { what, source })
    }

    /// Who is logged in.
    ///
    /// # Errors
    ///
    /// [`DeskFault`].
    pub fn profile(&mut self) -> Result<Profile, DeskFault> {
        let broker = self.broker;
        let request = broker.profile_request(&self.session.auth);
        self.read("profile", &request, |status, body, json| {
            broker.parse_profile(status, body, json)
        })
    }

    /// The instruments of one exchange that `keep` wants.
    ///
    /// # Errors
    ///
    /// As [`Self::master`].
    pub fn instruments(
        &mut self,
        exchange: Exchange,
        keep: impl Fn(&Instrument) -> bool,
        qty_max: impl Fn(&ContractKey<'_>) -> Qty,
    ) -> Result<Vec<Instrument>, DeskFault> {
        Ok(self.master(exchange, keep, qty_max)?.instruments)
    }

    /// The instrument master of one exchange: the rows that `keep` wants, and how many there were.
    ///
    /// # Errors
    ///
    /// [`DeskFault`], also when the master is truncated or more than 1 % of it cannot be read.
    pub fn master(
        &mut self,
        exchange: Exchange,
        keep: impl Fn(&Instrument) -> bool,
        qty_max: impl Fn(&ContractKey<'_>) -> Qty,
    ) -> Result<Master, DeskFault> {
        let (broker, auth) = (self.broker, self.session.auth.clone());
        let file = self.converse("instruments", |answer, json| {
            broker.master(&auth, exchange, answer, json)
        })?;
        check_end(&file.body)
            .and_then(|()| broker.parse_master(&file.body, exchange, &keep, &qty_max))
            .map_err(|source| DeskFault::Master { exchange, source })
    }

    /// Host and port of the order interface: what names the venue a file came from.
    pub fn origin(&self) -> String {
        format!("{}:{}", self.url.host, self.url.port)
    }

    /// Bars of an instrument from `from` up to and including the bar that starts at `to`.
    ///
    /// # Errors
    ///
    /// [`DeskFault`].
    pub fn bars(
        &mut self,
        instrument: &Instrument,
        interval: Interval,
        from: WallNanos,
        to: WallNanos,
    ) -> Result<Vec<Bar>, DeskFault> {
        let broker = self.broker;
        let request = broker.candles_request(&self.session.auth, instrument, interval, (from, to));
        let mut bars = self.read("history", &request, |status, body, json| {
            broker.parse_candles(status, body, json, interval)
        })?;
        // Some brokers know whole days only, and the minute that is still forming is one of theirs.
        bars.retain(|bar| bar.start >= from && bar.start <= to);
        Ok(bars)
    }

    /// Full quotes; an instrument without data is missing from the answer.
    ///
    /// # Errors
    ///
    /// [`DeskFault`].
    pub fn quotes(&mut self, instruments: &[&Instrument]) -> Result<Vec<QuoteRow>, DeskFault> {
        let broker = self.broker;
        let mut rows = Vec::with_capacity(instruments.len());
        for part in instruments.chunks(broker.facts().quotes_max.max(1)) {
            let request = broker.quotes_request(&self.session.auth, QuoteKind::Full, part);
            rows.extend(self.read("quotes", &request, |status, body, json| {
                broker.parse_quotes(status, body, json)
            })?);
        }
        Ok(rows)
    }

    /// The order book of the day; where its rows do not say how much is filled, the trades after it.
    ///
    /// # Errors
    ///
    /// [`DeskFault`]; a row that cannot be read fails the whole book.
    pub fn orders(&mut self) -> Result<Vec<OrderRow>, DeskFault> {
        let broker = self.broker;
        let request = broker.orders_request(&self.session.auth);
        let mut rows = self.read("order book", &request, |status, body, json| {
            broker.parse_orders(status, body, json)
        })?;
        if !broker.facts().rows_say_filled && !rows.is_empty() {
            fill_from_trades(&mut rows, &self.trades()?);
            confirm_cancelled(&mut rows, &mut self.cancelled);
        }
        Ok(rows)
    }

    /// The trades of the day.
    ///
    /// # Errors
    ///
    /// [`DeskFault`]; a row that cannot be read fails the whole list.
    pub fn trades(&mut self) -> Result<Vec<TradeRow>, DeskFault> {
        let broker = self.broker;
        let request = broker.trades_request(&self.session.auth);
        self.read("trades", &request, |status, body, json| {
            broker.parse_trades(status, body, json)
        })
    }

    /// The account's positions as the broker sees them.
    ///
    /// # Errors
    ///
    /// [`DeskFault`].
    pub fn positions(&mut self) -> Result<Positions, DeskFault> {
        let broker = self.broker;
        let request = broker.positions_request(&self.session.auth);
        self.read("positions", &request, |status, body, json| {
            broker.parse_positions(status, body, json)
        })
    }

    /// What the account can spend on futures and options.
    ///
    /// # Errors
    ///
    /// [`DeskFault`].
    pub fn funds(&mut self) -> Result<Margins, DeskFault> {
        let broker = self.broker;
        let request = broker.funds_request(&self.session.auth);
        self.read("funds", &request, |status, body, json| {
            broker.parse_funds(status, body, json)
        })
    }

    /// Reads a plain path, for the simulated venue's own pages.
    ///
    /// # Errors
    ///
    /// [`DeskFault::Net`].
    pub fn get(&mut self, path: &str) -> Result<Response, DeskFault> {
        let request = Request {
            method: "GET",
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        Ok(self.call(&request)?)
    }

    /// Sends a read, reconnecting once when the kept-alive connection turns out to be gone.
    pub(in crate::control) fn call(&mut self, request: &Request) -> Result<Response, NetFault> {
        let mut bytes = Vec::new();
        request.encode(&self.endpoint(), &mut bytes);
        if let Some(mut connection) = self.connection.take()
            && let Ok(response) = connection.call(&bytes)
        {
            if !response.closes {
                self.connection = Some(connection);
            }
            return Ok(response);
        }
        let mut connection = HttpConnection::connect_large(&self.url, &self.tls, self.patience)?;
        let response = connection.call(&bytes)?;
        if !response.closes {
            self.connection = Some(connection);
        }
        Ok(response)
    }
}
