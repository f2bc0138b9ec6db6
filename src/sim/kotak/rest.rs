//! Kotak's REST routes.

use super::{
    DATA_CENTER, MOBILE_NUMBER, MPIN, find, form, master, rows, segment, session_id, totp_secret,
};
use crate::model::time::{MINUTE, SECOND};
use crate::model::{Day, Price, Secret, Side};
use crate::sim::account::{Budget, sha256_hex};
use crate::sim::clock::real_wall;
use crate::sim::desk::{Moment, Trade};
use crate::sim::http::{Answer, Request};
use crate::sim::intake::{Class, Refusal};
use crate::sim::market::Level;
use crate::sim::order::{number, stamp};
use crate::sim::state::{Outcome, World};
use crate::venue::totp;
use serde_json::{Value, json};

type Reply = Result<Value, Refusal>;

/// The order is complete: it can be neither changed nor cancelled.
const COMPLETE: u16 = 1_021;
/// "No Data": an empty book.
const NO_DATA: u16 = 5_203;

/// What an answer looks like for each kind of mistake; most of them are told with success.
pub(super) fn refused(refusal: &Refusal) -> Answer {
    let message = refusal.message.as_str();
    let (status, code) = match refusal.class {
        Class::Input => (400, 1_007),
        Class::Order => (200, 1_006),
        Class::Session => (403, 1_000),
        Class::Rate => {
            let body = json!({ "code": 429, "error": "Rate limit exceeded", "message": message });
            return Answer::json(429, &body);
        }
        Class::Route => (refusal.status, 200_032),
        Class::General => (refusal.status, 1_005),
    };
    Answer::json(status, &not_ok(code, message))
}

fn not_ok(code: u32, message: &str) -> Value {
    json!({ "stat": "Not_Ok", "stCode": code, "errMsg": message })
}

pub(super) fn no_route(status: u16) -> Refusal {
    Refusal {
        status,
        class: Class::Route,
        message: "Invalid URL. Please verify the 'baseUrl' in the Login Validate API response"
            .to_owned(),
    }
}

fn dead_session() -> Refusal {
    Refusal {
        status: 403,
        class: Class::Session,
        message: "Invalid session, please re-login to continue".to_owned(),
    }
}

fn login_error(message: &str) -> Value {
    json!({ "error": [{ "code": "400", "message": message }] })
}

/// A book of rows; an empty one is an error with success.
fn book(rows: &[Value]) -> Value {
    if rows.is_empty() {
        return json!({ "stat": "Not_Ok", "stCode": NO_DATA, "errMsg": "No Data", "desc": "data not found" });
    }
    json!({ "stat": "Ok", "stCode": 200, "data": rows })
}

/// Who may ask what.
enum Door {
    /// Everybody: login, config, files.
    Open,
    /// Whoever has the application's key.
    Key,
    /// The account.
    Session,
}

fn door(path: &str) -> Door {
    if path.starts_with("/login/") || path.starts_with("/5config/") || path.starts_with("/wso2-") {
        Door::Open
    } else if path.starts_with("/script-details/") || path.starts_with("/market-data/") {
        Door::Key
    } else {
        Door::Session
    }
}

impl World {
    /// Answers one request.
    pub(super) fn kotak_answer(&mut self, request: &Request, place: (Moment, u64)) -> Outcome {
        if let Some(text) = master::file(&self.market, &request.path) {
            return Outcome::plain(Answer {
                status: 200,
                content_type: "text/csv",
                location: None,
                body: text.into_bytes(),
            });
        }
        let admitted = self.kotak_admits(request, place.0);
        let reply = admitted.and_then(|()| self.kotak_route(request, place));
        let order_id = match &reply {
            Ok(body) if request.path.starts_with("/quick/order/") => {
                body["nOrdNo"].as_str().map(str::to_owned)
            }
            _ => None,
        };
        let error = match &reply {
            Ok(body) => body["errMsg"].as_str().map(str::to_owned),
            Err(refusal) => Some(refusal.message.clone()),
        };
        let answer = match reply {
            Ok(body) => Answer::json(200, &body),
            Err(refusal) => refused(&refusal),
        };
        Outcome {
            answer,
            order_id,
            error,
        }
    }

    fn kotak_admits(&mut self, request: &Request, now: Moment) -> Result<(), Refusal> {
        let header = |name| request.header(name).unwrap_or_default();
        let credentials = &self.account.credentials;
        let has_key = header("authorization") == credentials.api_key;
        let (token, sid) = (header("auth"), header("sid"));
        let is_known = self.account.knows(&credentials.api_key, token) && sid == session_id(token);
        let is_order = matches!(
            request.path.as_str(),
            "/quick/order/rule/ms/place" | "/quick/order/vr/modify" | "/quick/order/cancel"
        );
        let may = match door(&request.path) {
            Door::Open => true,
            Door::Key => has_key,
            Door::Session => is_known && (has_key || !is_order),
        };
        if !may {
            return Err(dead_session());
        }
        let budget = match request.path.as_str() {
            "/quick/order/rule/ms/place" => Budget::Place,
            _ if is_order => Budget::Amend,
            path if path.contains("/quotes/") => Budget::Quote,
            path if path.contains("/historical/") => Budget::History,
            _ => Budget::Other,
        };
        self.count(budget, now)
    }

    fn kotak_route(&mut self, request: &Request, place: (Moment, u64)) -> Reply {
        let base = self.base(request);
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/login/1.0/tradeApiLogin") => Ok(self.one_time_code(request)),
            ("POST", "/login/1.0/tradeApiValidate") => Ok(self.pin(request, &base)),
            ("GET", "/login/1.0/get-client-ip") => {
                let time = format!("{}.000", stamp(self.market.now()));
                let row = json!({ "ip": "127.0.0.1", "time": time });
                Ok(json!({ "data": [row], "stCode": 1_000, "status": "success" }))
            }
            ("GET", "/5config/config") => Ok(configs(&base)),
            ("POST", "/apim/login/2.0/logout") => self.kotak_log_out(request),
            ("POST", "/quick/order/rule/ms/place") => {
                let terms = form::placement(request, &self.market)?;
                self.market.watch(terms.instrument);
                let (id, _) = self.desk.place(terms, false, &self.market, place)?;
                Ok(accepted(id))
            }
            ("POST", "/quick/order/vr/modify") => {
                let (id, change) = form::modification(request)?;
                Ok(amended(self.desk.modify(
                    &id,
                    &change,
                    &self.market,
                    place.0,
                )))
            }
            ("POST", "/quick/order/cancel") => {
                let fields = form::fields(request)?;
                let id = form::text(&fields, "on")?;
                Ok(amended(self.desk.cancel(id, place.0)))
            }
            ("POST", "/quick/order/history") => self.kotak_history(request),
            ("POST", "/quick/user/limits") => Ok(self.limits()),
            ("GET", path) => self.kotak_read(request, path, &base),
            _ => Err(no_route(404)),
        }
    }

    fn kotak_read(&mut self, request: &Request, path: &str, base: &str) -> Reply {
        match path {
            "/quick/user/trades" => {
                let trades = self.desk.trades_seen(None, self.view)?;
                let row = |trade: &&Trade| {
                    let order = &self.desk.orders[trade.order];
                    rows::trade(&self.market, order, trade)
                };
                Ok(book(&trades.iter().map(row).collect::<Vec<_>>()))
            }
            "/portfolio/v2/positions" | "/quick/user/positions" => {
                let positions = self.desk.positions_seen(self.view);
                let row = |held| rows::position(&self.market, held);
                Ok(book(&positions.rows().iter().map(row).collect::<Vec<_>>()))
            }
            "/portfolio/v1/holdings" => Ok(book(&[])),
            "/script-details/1.0/masterscrip/file-paths" => Ok(master::paths(&self.market, base)),
            "/market-data/1.0/historical/details" => self.kotak_candles(request),
            _ => {
                if let Some(rest) = path.strip_prefix("/script-details/1.0/quotes/neosymbol/") {
                    return Ok(self.kotak_quotes(rest));
                }
                let only = path
                    .strip_prefix("/quick/user/orders")
                    .ok_or_else(|| no_route(404))?;
                let only = only.trim_start_matches('/');
                let seen = self.desk.seen(self.view);
                let wanted = seen
                    .iter()
                    .filter(|order| only.is_empty() || order.id.to_string() == only);
                let rows: Vec<Value> = wanted
                    .map(|order| rows::order(&self.market, order))
                    .collect();
                Ok(book(&rows))
            }
        }
    }

    /// The venue's own address, as the client knows it.
    fn base(&self, request: &Request) -> String {
        let scheme = if self.is_plain { "http" } else { "https" };
        let host = request.header("host").unwrap_or("127.0.0.1");
        // A client that was led here from the broker's own name is led on to this one.
        let host = if host.starts_with("127.0.0.1") || host.starts_with("localhost") {
            host.to_owned()
        } else {
            format!("127.0.0.1:{}", self.port)
        };
        format!("{scheme}://{host}")
    }

    /// A token that may only look: good for the PIN and nothing else.
    fn view_token(&self) -> String {
        let credentials = &self.account.credentials;
        let mut token = sha256_hex(&["view", &credentials.api_key, &credentials.api_secret]);
        token.truncate(40);
        format!("simulatedview{token}")
    }

    fn knows_key(&self, request: &Request) -> bool {
        request.header("authorization") == Some(self.account.credentials.api_key.as_str())
    }

    fn one_time_code(&mut self, request: &Request) -> Value {
        let said: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        let secret = Secret::new(totp_secret(&self.account.credentials));
        let now = real_wall();
        let is_code = [-1, 0, 1].into_iter().any(|step| {
            let at = now.offset(step * totp::STEP_S * SECOND);
            let code = totp::code(&secret, at);
            code.is_some_and(|code| said["totp"] == code.expose())
        });
        let is_person = said["mobileNumber"] == MOBILE_NUMBER
            && said["ucc"] == self.account.credentials.user_id;
        if !self.knows_key(request) || !is_person || !is_code {
            self.truth.logins_refused += 1;
            return login_error("Invalid mobile number, UCC or TOTP");
        }
        let token = self.view_token();
        json!({ "data": {
            "token": token,
            "sid": session_id(&token),
            "rid": "simulated",
            "ucc": self.account.credentials.user_id,
            "kType": "View",
            "greetingName": "Simulated",
            "dataCenter": DATA_CENTER,
            "status": "success",
        }})
    }

    fn pin(&mut self, request: &Request, base: &str) -> Value {
        let said: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        let view = self.view_token();
        let header = |name| request.header(name).unwrap_or_default();
        let looked = header("auth") == view && header("sid") == session_id(&view);
        if !self.knows_key(request) || !looked || said["mpin"] != MPIN {
            self.truth.logins_refused += 1;
            return login_error("Invalid MPIN");
        }
        self.truth.logins += 1;
        let token = self.account.open_session();
        json!({ "data": {
            "token": token,
            "sid": session_id(&token),
            "rid": "simulated",
            "baseUrl": base,
            "ucc": self.account.credentials.user_id,
            "kType": "Trade",
            "greetingName": "Simulated",
            "dataCenter": DATA_CENTER,
            "status": "success",
        }})
    }

    fn kotak_log_out(&mut self, request: &Request) -> Reply {
        let token = request.header("auth").unwrap_or_default();
        let key = self.account.credentials.api_key.clone();
        if !self.account.log_out(&key, token) {
            return Err(dead_session());
        }
        self.truth.logouts += 1;
        Ok(json!({ "stat": "Ok", "stCode": 200, "data": "logged out" }))
    }

    /// The states of an order, newest first, under names of their own.
    fn kotak_history(&self, request: &Request) -> Reply {
        let fields = form::fields(request)?;
        let at = self.desk.find(form::text(&fields, "nOrdNo")?)?;
        let order = &self.desk.orders[at];
        let row = |step: &crate::sim::order::Step| {
            json!({
                "nOrdNo": order.id.to_string(),
                "ordSt": step.status.name().to_lowercase(),
                "fldQty": step.filled,
                "qty": order.terms.qty,
                "trdSym": self.market.rows[order.terms.instrument].symbol,
                "exchOrdId": order.exchange_id.map(|id| id.to_string()),
            })
        };
        let states: Vec<Value> = order.steps.iter().rev().map(row).collect();
        Ok(book(&states))
    }

    fn limits(&self) -> Value {
        let (cash, used, pnl) = self.desk.money(&self.market);
        let rupees = |units: i128| {
            let price = Price(i64::try_from(units).unwrap_or(i64::MAX));
            format!("{:.2}", price.rupees())
        };
        json!({
            "stat": "Ok",
            "stCode": 200,
            "Category": "SIMULATED",
            "Net": rupees(cash + pnl - used),
            "MarginUsed": rupees(used),
            "CollateralValue": "0.00",
            "RealizedMtomPrsnt": "0.00",
            "UnrealizedMtomPrsnt": rupees(pnl),
        })
    }

    /// `nse_fo|44498,nse_cm|NIFTY BANK/all`: a list, every number a text.
    fn kotak_quotes(&mut self, asked: &str) -> Value {
        let text = crate::sim::http::Form::parse(&format!("x={asked}"));
        let asked = text.get("x").unwrap_or_default();
        let (names, _) = asked.rsplit_once('/').unwrap_or((asked, "all"));
        let found: Vec<usize> = names
            .split(',')
            .filter_map(|name| find(&self.market, name))
            .collect();
        let rows = found.into_iter().filter_map(|ix| {
            self.market.settle(ix);
            (self.market.books[ix].updates > 0).then(|| self.kotak_quote(ix))
        });
        Value::Array(rows.collect())
    }

    fn kotak_quote(&self, ix: usize) -> Value {
        let (row, market_book) = (&self.market.rows[ix], &self.market.books[ix]);
        let (low, high) = self.market.band(ix);
        let four = |price: Price| format!("{:.4}", price.rupees());
        let levels = |side: &[Level]| -> Value {
            let level = |level: &Level| {
                json!({
                    "price": four(level.price),
                    "quantity": level.qty.to_string(),
                    "orders": level.orders.to_string(),
                })
            };
            side.iter().map(level).collect()
        };
        let token = if row.is_tradable() {
            super::number(row).to_string()
        } else {
            row.symbol.clone()
        };
        json!({
            "exchange_token": token,
            "display_symbol": row.symbol,
            "exchange": segment(row.exchange).1,
            "lstup_time": market_book.at.secs().to_string(),
            "ltp": four(market_book.last),
            "last_traded_quantity": market_book.last_qty.to_string(),
            "total_buy": market_book.waiting(Side::Buy).to_string(),
            "total_sell": market_book.waiting(Side::Sell).to_string(),
            "last_volume": market_book.volume.to_string(),
            "avg_cost": four(market_book.average()),
            "open_int": market_book.oi.to_string(),
            "change": four(market_book.last.saturating_sub(market_book.previous)),
            "low_price_range": four(low),
            "high_price_range": four(high),
            "ohlc": {
                "open": four(market_book.open),
                "high": four(market_book.high),
                "low": four(market_book.low),
                "close": four(market_book.previous),
            },
            "depth": { "buy": levels(&market_book.bids), "sell": levels(&market_book.asks) },
        })
    }

    fn kotak_candles(&mut self, request: &Request) -> Reply {
        let field = |name: &str| request.query.get(name).unwrap_or_default();
        let wrong = |what: &str| Refusal::input(format!("Invalid {what} value"));
        let ix =
            find(&self.market, field("neosymbol")).filter(|ix| self.market.rows[*ix].is_tradable());
        let ix = ix.ok_or_else(|| wrong("neosymbol"))?;
        let (minutes, days_max) = match field("interval") {
            "1min" => (Some(1), 30),
            "3min" => (Some(3), 30),
            "5min" => (Some(5), 30),
            "10min" => (Some(10), 60),
            "15min" => (Some(15), 60),
            "30min" => (Some(30), 90),
            "60min" => (Some(60), 90),
            "D" => (None, 180),
            _ => return Err(wrong("interval")),
        };
        let day = |name: &str| Day::parse(field(name)).ok_or_else(|| wrong(name));
        let (from, to) = (day("fromdate")?, day("todate")?);
        if to.0 - from.0 > days_max {
            return Err(wrong("todate"));
        }
        let until = to.plus(1).at(-1);
        let width = minutes.map(|minutes: i64| minutes * MINUTE);
        let bars = self.market.bars(ix, width, (from.at(0), until));
        let candles = bars.iter().map(|bar| {
            let time = format!("{}+0530", stamp(bar.start).replace(' ', "T"));
            let prices = [bar.open, bar.high, bar.low, bar.close].map(number);
            let [open, high, low, close] = prices;
            json!([time, open, high, low, close, bar.volume, null])
        });
        let candles: Value = candles.collect();
        Ok(json!({
            "status": "success",
            "interval": field("interval"),
            "data": { "candles": candles },
        }))
    }
}

fn accepted(id: u64) -> Value {
    json!({ "stat": "Ok", "nOrdNo": id.to_string(), "stCode": 200 })
}

/// The answer to a modification or cancellation: too late is told with success, and prose where the word should be.
fn amended(outcome: Result<u64, Refusal>) -> Value {
    match outcome {
        Ok(id) => accepted(id),
        Err(refusal) if refusal.class == Class::Order => json!({
            "stat": "please provide valid order number",
            "stCode": COMPLETE,
            "errMsg": "order is completed",
        }),
        Err(refusal) => not_ok(1_007, &refusal.message),
    }
}

/// What the config service says of the data centre: both streams, under the scheme of pages.
fn configs(base: &str) -> Value {
    json!({ "data": { "configs": {
        (format!("{DATA_CENTER}_broadcast_source")): "sim",
        (format!("{DATA_CENTER}_sim_broadcast_endpoint")): format!("{base}/apifeed"),
        (format!("{DATA_CENTER}_sim_interactive_endpoint")): format!("{base}/realtime"),
    }}})
}
