//! Kite's REST routes, login, profile and funds.

use super::{form, rows};
use crate::sim::account::Budget;
use crate::sim::desk::{Change, Moment};
use crate::sim::http::{Answer, Form, Request};
use crate::sim::intake::{Class, Refusal};
use crate::sim::order::{OrderType, stamp};
use crate::sim::state::{Outcome, World};
use serde_json::{Value, json};

pub(super) type Reply = Result<Value, Refusal>;

fn ok(data: &Value) -> Answer {
    Answer::json(200, &json!({ "status": "success", "data": data }))
}

pub(super) fn refused(refusal: &Refusal) -> Answer {
    let body = json!({
        "status": "error",
        "message": refusal.message,
        "error_type": class_name(refusal.class),
        "data": null,
    });
    Answer::json(refusal.status, &body)
}

/// The broker's name of a class of errors.
const fn class_name(class: Class) -> &'static str {
    match class {
        Class::Input => "InputException",
        Class::Order => "OrderException",
        Class::Session => "TokenException",
        Class::Rate => "NetworkException",
        Class::Route | Class::General => "GeneralException",
    }
}

pub(super) fn token_fault() -> Refusal {
    Refusal {
        status: 403,
        class: Class::Session,
        message: "Incorrect `api_key` or `access_token`.".to_owned(),
    }
}

fn no_route(status: u16, message: &str) -> Refusal {
    Refusal {
        status,
        class: Class::Route,
        message: message.to_owned(),
    }
}

impl World {
    /// Answers one request.
    pub(super) fn kite_answer(&mut self, request: &Request, place: (Moment, u64)) -> Outcome {
        let path = request.path.clone();
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        if parts.as_slice() == ["connect", "login"] {
            return Outcome::plain(self.login_page(request));
        }
        let admitted = self.admit(request, &parts, place.0);
        if admitted.is_ok() && request.method == "GET" && parts == ["orders"] {
            let rows = rows::book(
                &mut self.desk,
                &self.market,
                &self.account.credentials.user_id,
                self.view,
            );
            return Outcome::plain(Answer {
                status: 200,
                content_type: "application/json",
                location: None,
                body: format!("{{\"data\":{rows},\"status\":\"success\"}}").into_bytes(),
            });
        }
        let reply = admitted.and_then(|()| self.route(request, &parts, place));
        let order_id = match (&reply, parts.first(), request.method.as_str()) {
            (Ok(data), Some(&"orders"), "POST" | "PUT" | "DELETE") => data
                .get("order_id")
                .and_then(Value::as_str)
                .map(str::to_owned),
            _ => None,
        };
        let error = reply.as_ref().err().map(|refusal| refusal.message.clone());
        let answer = match reply {
            Ok(Value::String(csv)) => Answer {
                status: 200,
                content_type: "text/csv",
                location: None,
                body: csv.into_bytes(),
            },
            Ok(data) => ok(&data),
            Err(refusal) => refused(&refusal),
        };
        Outcome {
            answer,
            order_id,
            error,
        }
    }

    /// Lets a request of a known session within its limits pass.
    fn admit(&mut self, request: &Request, parts: &[&str], now: Moment) -> Result<(), Refusal> {
        let method = request.method.as_str();
        if parts == ["session", "token"] && method == "POST" {
            return Ok(());
        }
        if !self.authorized(request.header("authorization")) {
            return Err(token_fault());
        }
        let budget = match (method, parts.first().copied()) {
            ("POST", Some("orders")) => Budget::Place,
            ("PUT" | "DELETE", Some("orders")) => Budget::Amend,
            (_, Some("quote")) => Budget::Quote,
            (_, Some("instruments")) if parts.len() > 2 => Budget::History,
            _ => Budget::Other,
        };
        self.count(budget, now)?;
        Ok(())
    }

    fn route(&mut self, request: &Request, parts: &[&str], place: (Moment, u64)) -> Reply {
        let method = request.method.as_str();
        if parts == ["session", "token"] && method == "POST" {
            return self.log_in(&request.form(), place.0);
        }
        match (method, parts) {
            ("DELETE", ["session", "token"]) => self.log_out(&request.query),
            ("GET", ["user", "profile"]) => Ok(self.profile()),
            ("GET", ["user", "margins"]) => {
                Ok(json!({ "equity": self.margins(true), "commodity": self.margins(false) }))
            }
            ("GET", ["user", "margins", segment]) => Ok(self.margins(*segment == "equity")),
            ("GET", ["instruments"]) => Ok(Value::String(self.dump(None))),
            ("GET", ["instruments", exchange]) => Ok(Value::String(self.dump(Some(exchange)))),
            ("GET", ["instruments", "historical", token, interval]) => {
                self.historical(token, interval, &request.query)
            }
            ("GET", ["quote"]) => Ok(self.quotes(&request.query, Self::full_quote)),
            ("GET", ["quote", "ohlc"]) => Ok(self.quotes(&request.query, Self::ohlc_quote)),
            ("GET", ["quote", "ltp"]) => Ok(self.quotes(&request.query, Self::ltp_quote)),
            ("POST", ["orders", variety]) => self.place(variety, &request.form(), place),
            ("PUT", ["orders", "regular", id]) => {
                let change = read_change(&request.form())?;
                let id = self.desk.modify(id, &change, &self.market, place.0)?;
                Ok(json!({ "order_id": id.to_string() }))
            }
            ("DELETE", ["orders", "regular", id]) => {
                let id = self.desk.cancel(id, place.0)?;
                Ok(json!({ "order_id": id.to_string() }))
            }
            ("GET", ["orders", id]) => {
                let user = &self.account.credentials.user_id;
                rows::history(&self.desk, id, &self.market, user)
            }
            ("GET", ["orders", id, "trades"]) => {
                rows::trades(&self.desk, Some(id), &self.market, self.view)
            }
            ("GET", ["trades"]) => rows::trades(&self.desk, None, &self.market, self.view),
            ("GET", ["portfolio", "positions"]) => Ok(rows::positions(
                &self.desk.positions_seen(self.view),
                &self.market,
            )),
            ("GET", ["portfolio", "holdings"]) => Ok(json!([])),
            (
                _,
                [
                    "orders" | "trades" | "quote" | "instruments" | "portfolio" | "user"
                    | "session",
                    ..,
                ],
            ) => Err(no_route(405, "Method not allowed")),
            _ => Err(no_route(404, "Route not found")),
        }
    }

    fn authorized(&self, header: Option<&str>) -> bool {
        header
            .and_then(|text| text.strip_prefix("token "))
            .and_then(|pair| pair.split_once(':'))
            .is_some_and(|(key, token)| self.account.knows(key, token))
    }

    fn log_in(&mut self, form: &Form, now: Moment) -> Reply {
        let field = |name| form.get(name).unwrap_or("");
        let token =
            self.account
                .log_in(field("api_key"), field("request_token"), field("checksum"));
        let Some(token) = token else {
            self.truth.logins_refused += 1;
            return Err(Refusal {
                status: 403,
                class: Class::Session,
                message: "Token is invalid or has expired.".to_owned(),
            });
        };
        self.truth.logins += 1;
        let mut data = self.profile();
        if let Some(fields) = data.as_object_mut() {
            let text = |value: &str| Value::String(value.to_owned());
            fields.insert("api_key".to_owned(), text(field("api_key")));
            fields.insert("access_token".to_owned(), Value::String(token));
            fields.insert("public_token".to_owned(), text("simulatedpublic"));
            fields.insert("refresh_token".to_owned(), text(""));
            fields.insert("enctoken".to_owned(), text("simulatedenc"));
            fields.insert("silo".to_owned(), text(""));
            fields.insert("login_time".to_owned(), Value::String(stamp(now.market)));
        }
        Ok(data)
    }

    fn log_out(&mut self, query: &Form) -> Reply {
        let field = |name| query.get(name).unwrap_or("");
        if self
            .account
            .log_out(field("api_key"), field("access_token"))
        {
            self.truth.logouts += 1;
            return Ok(Value::Bool(true));
        }
        Err(token_fault())
    }

    fn profile(&self) -> Value {
        json!({
            "user_id": self.account.credentials.user_id,
            "user_type": "individual",
            "email": "simulated@localhost",
            "user_name": "Simulated Trader",
            "user_shortname": "Simulated",
            "broker": "ZERODHA",
            "exchanges": ["NSE", "NFO"],
            "products": ["NRML", "MIS"],
            "order_types": ["MARKET", "LIMIT", "SL", "SL-M"],
            "avatar_url": null,
            "meta": { "demat_consent": "physical" },
        })
    }

    fn margins(&self, equity: bool) -> Value {
        let rupees = |value: i128| value as f64 / 10_000.0;
        let (cash, used, pnl) = if equity {
            self.desk.money(&self.market)
        } else {
            (0, 0, 0)
        };
        let live = rupees(cash + pnl - used);
        json!({
            "enabled": equity,
            "net": live,
            "available": {
                "adhoc_margin": 0,
                "cash": rupees(cash),
                "opening_balance": rupees(cash),
                "live_balance": live,
                "collateral": 0,
                "intraday_payin": 0,
            },
            "utilised": {
                "debits": rupees(used - pnl),
                "exposure": 0,
                "m2m_realised": 0,
                "m2m_unrealised": rupees(pnl),
                "option_premium": 0,
                "payout": 0,
                "span": rupees(used),
                "holding_sales": 0,
                "turnover": 0,
                "liquid_collateral": 0,
                "stock_collateral": 0,
                "delivery": 0,
            },
        })
    }

    pub(super) fn place(&mut self, variety: &str, form: &Form, place: (Moment, u64)) -> Reply {
        let terms = form::read(variety, form, &self.market)?;
        self.market.watch(terms.instrument);
        let autoslice = form.get("autoslice") == Some("true");
        let (id, children) = self.desk.place(terms, autoslice, &self.market, place)?;
        if children.is_empty() {
            return Ok(json!({ "order_id": id.to_string() }));
        }
        let children: Value = children
            .iter()
            .map(|id| json!({ "order_id": id.to_string() }))
            .collect();
        Ok(json!({ "order_id": id.to_string(), "children": children }))
    }

    /// What the sign-in page does once a person has signed in: back to the app with a request token.
    fn login_page(&mut self, request: &Request) -> Answer {
        if request.query.get("api_key") != Some(self.account.credentials.api_key.as_str()) {
            return refused(&token_fault());
        }
        let token = self.account.new_request_token();
        let to = format!("http://127.0.0.1/?request_token={token}&status=success&action=login");
        Answer {
            location: Some(to),
            ..Answer::json(302, &Value::Null)
        }
    }
}

fn read_change(form: &Form) -> Result<Change, Refusal> {
    let kind = match form.get("order_type") {
        None | Some("") => None,
        Some(text) => {
            Some(OrderType::parse(text).ok_or_else(|| Refusal::input("Invalid `order_type`."))?)
        }
    };
    Ok(Change {
        qty: form::whole(form, "quantity")?,
        price: form::price(form, "price")?,
        trigger: form::price(form, "trigger_price")?,
        kind,
        validity: form::validity(form)?,
        disclosed: form::whole(form, "disclosed_quantity")?,
        protection: form
            .get("market_protection")
            .map(|_| form::protection(form))
            .transpose()?,
    })
}
