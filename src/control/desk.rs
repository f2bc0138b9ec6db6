//! The broker's desk: everything asked of it outside the hot path, over one kept-alive connection.
//!
//! Promises
//! - One login; the session is shared by the feed, the order connections and this desk.
//! - Only reads are repeated after a broken connection, once. Nothing here places an order.

use crate::model::{Bar, Exchange, Instrument, Secret, WallNanos};
use crate::net::{HttpConnection, NetFault, Response, Url};
use crate::venue::kite::{books, faults::ApiFault, market, master, session};
use crate::venue::{Auth, Broker, Endpoint, JsonScratch, Request};
use rustls::ClientConfig;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for a connection or a reply.
pub const TIMEOUT: Duration = Duration::from_secs(10);

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
        source: master::MasterFault,
    },
}

impl DeskFault {
    /// True when the session is dead: asking again with it gets a key flagged.
    pub const fn is_session_dead(&self) -> bool {
        matches!(
            self,
            Self::Net(NetFault::Refused { status: 403, .. })
                | Self::Api {
                    source: ApiFault::Session { .. },
                    ..
                }
        )
    }
}

/// How a session is obtained.
#[derive(Clone, Debug)]
pub enum Login {
    /// A token that is ready to use.
    AccessToken(Secret),
    /// The one-time token of the broker's login page, and the application's secret.
    RequestToken {
        /// From the redirect of the login page.
        request_token: Secret,
        /// The application's secret.
        api_secret: Secret,
    },
}

/// A desk at one broker.
#[derive(Debug)]
pub struct Desk {
    broker: Broker,
    url: Url,
    tls: Arc<ClientConfig>,
    auth: Auth,
    account: String,
    connection: Option<HttpConnection>,
    json: JsonScratch,
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
        api_key: &str,
        login: &Login,
    ) -> Result<Self, DeskFault> {
        let mut desk = Self::visitor(broker, url, tls);
        desk.log_in(api_key, login)?;
        Ok(desk)
    }

    /// Logs in; a ready access token is proved with a profile read.
    ///
    /// # Errors
    ///
    /// [`DeskFault`]: nothing was sent but the login itself.
    pub fn log_in(&mut self, api_key: &str, login: &Login) -> Result<(), DeskFault> {
        self.auth = Auth::new(api_key, "");
        match login {
            Login::AccessToken(token) => {
                self.auth = Auth::new(api_key, token.expose());
                self.account = self.profile()?.user_id;
            }
            Login::RequestToken {
                request_token,
                api_secret,
            } => {
                let request = session::session_request(api_key, request_token.expose(), api_secret);
                let mut reply = self.call(&request)?;
                let session = session::parse_session(reply.status, &mut reply.body, &mut self.json)
                    .map_err(|source| DeskFault::Api {
                        what: "login",
                        source,
                    })?;
                self.auth = Auth::new(api_key, session.access_token.expose());
                self.account = session.user_id;
            }
        }
        Ok(())
    }

    /// A desk that is not logged in: good for the pages of a simulated venue and nothing else.
    pub fn visitor(broker: Broker, url: Url, tls: Arc<ClientConfig>) -> Self {
        Self {
            broker,
            url,
            tls,
            auth: Auth::new("", ""),
            account: String::new(),
            connection: None,
            json: JsonScratch::new(),
        }
    }

    /// A second desk on the same session, with a connection of its own.
    #[must_use]
    pub fn twin(&self) -> Self {
        Self {
            broker: self.broker,
            url: self.url.clone(),
            tls: Arc::clone(&self.tls),
            auth: self.auth.clone(),
            account: self.account.clone(),
            connection: None,
            json: JsonScratch::new(),
        }
    }

    /// The broker.
    pub const fn broker(&self) -> Broker {
        self.broker
    }

    /// The session's credentials.
    pub const fn auth(&self) -> &Auth {
        &self.auth
    }

    /// The account that is logged in.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Where requests go, as order templates need it.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::new(&self.url.host, self.url.port)
    }

    /// The address of the feed with its credentials.
    ///
    /// # Errors
    ///
    /// [`NetFault::Url`] when the configured address is not one.
    pub fn feed_url(&self, ticker: &str) -> Result<Url, NetFault> {
        let mut url = Url::parse(ticker)?.busy_polling(self.url.busy_poll_us);
        session::ticker_path(&self.auth)
            .expose()
            .clone_into(&mut url.path);
        Ok(url)
    }

    /// The bytes of a cheap request that keeps an order connection warm.
    pub fn warm_request(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        session::profile_request(&self.auth).encode(&self.endpoint(), &mut bytes);
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
        session::parse_profile(reply.status, &mut reply.body, &mut JsonScratch::new()).map_err(
            |source| DeskFault::Api {
                what: "order connection",
                source,
            },
        )?;
        connection.set_hot()?;
        Ok(connection)
    }

    /// Who is logged in.
    ///
    /// # Errors
    ///
    /// [`DeskFault`].
    pub fn profile(&mut self) -> Result<session::Profile, DeskFault> {
        let mut reply = self.call(&session::profile_request(&self.auth))?;
        session::parse_profile(reply.status, &mut reply.body, &mut self.json).map_err(|source| {
            DeskFault::Api {
                what: "profile",
                source,
            }
        })
    }

    /// The instruments of one exchange that `keep` wants.
    ///
    /// # Errors
    ///
    /// [`DeskFault`], also when more than 1 % of the dump cannot be read.
    pub fn instruments(
        &mut self,
        exchange: Exchange,
        keep: impl Fn(&Instrument) -> bool,
        qty_max: impl Fn(&master::ContractKey<'_>) -> crate::model::Qty,
    ) -> Result<Vec<Instrument>, DeskFault> {
        let reply = self.call(&master::instruments_request(&self.auth, Some(exchange)))?;
        if reply.status != 200 {
            let source = ApiFault::Unavailable {
                status: reply.status,
            };
            return Err(DeskFault::Api {
                what: "instruments",
                source,
            });
        }
        let found = master::parse_instruments(&reply.body, keep, qty_max)
            .map_err(|source| DeskFault::Master { exchange, source })?;
        Ok(found.instruments)
    }

    /// Bars of an instrument from `from` up to and including the bar that starts at `to`.
    ///
    /// # Errors
    ///
    /// [`DeskFault`].
    pub fn bars(
        &mut self,
        token: crate::model::Token,
        interval: market::Interval,
        from: WallNanos,
        to: WallNanos,
    ) -> Result<Vec<Bar>, DeskFault> {
        let request = market::candles_request(&self.auth, token, interval, (from, to));
        let mut reply = self.call(&request)?;
        market::parse_candles(reply.status, &mut reply.body, &mut self.json, interval).map_err(
            |source| DeskFault::Api {
                what: "history",
                source,
            },
        )
    }

    /// The order book of the day.
    ///
    /// # Errors
    ///
    /// [`DeskFault`]; a row that cannot be read fails the whole book.
    pub fn orders(&mut self) -> Result<Vec<books::OrderRow>, DeskFault> {
        let mut reply = self.call(&books::orders_request(&self.auth))?;
        books::parse_orders(reply.status, &mut reply.body, &mut self.json).map_err(|source| {
            DeskFault::Api {
                what: "order book",
                source,
            }
        })
    }

    /// The trades of the day.
    ///
    /// # Errors
    ///
    /// [`DeskFault`]; a row that cannot be read fails the whole list.
    pub fn trades(&mut self) -> Result<Vec<books::TradeRow>, DeskFault> {
        let mut reply = self.call(&books::trades_request(&self.auth))?;
        books::parse_trades(reply.status, &mut reply.body, &mut self.json).map_err(|source| {
            DeskFault::Api {
                what: "trades",
                source,
            }
        })
    }

    /// The account's positions as the broker sees them.
    ///
    /// # Errors
    ///
    /// [`DeskFault`].
    pub fn positions(&mut self) -> Result<books::Positions, DeskFault> {
        let mut reply = self.call(&books::positions_request(&self.auth))?;
        books::parse_positions(reply.status, &mut reply.body, &mut self.json).map_err(|source| {
            DeskFault::Api {
                what: "positions",
                source,
            }
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
        let mut connection = HttpConnection::connect_large(&self.url, &self.tls, TIMEOUT)?;
        let response = connection.call(&bytes)?;
        if !response.closes {
            self.connection = Some(connection);
        }
        Ok(response)
    }
}
