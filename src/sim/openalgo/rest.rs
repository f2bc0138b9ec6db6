//! OpenAlgo's REST routes, and the placements behind them.

use super::fields::{body, kind, price, product, required, side, units, word};
use super::names::{BROKER, find};
use super::{call, rows};
use crate::model::time::MINUTE;
use crate::model::{Day, Side, WallNanos};
use crate::sim::account::Budget;
use crate::sim::desk::{Change, Moment};
use crate::sim::http::{Answer, Request};
use crate::sim::intake::{Class, Refusal, check};
use crate::sim::market::Market;
use crate::sim::order::{Terms, Validity};
use crate::sim::state::{Outcome, World};
use serde_json::{Map, Value, json};

/// Children of a split order.
const CHILDREN_MAX: u32 = 100;

type Reply = Result<Value, Refusal>;

pub(super) fn refused(refusal: &Refusal) -> Answer {
    let mut body = json!({ "status": "error", "message": refusal.message });
    if refusal.class == Class::Rate {
        body["message"] = json!("Rate limit exceeded. Please slow down your requests.");
        body["retry_after"] = json!(60);
    }
    Answer::json(refusal.status, &body)
}

/// True for the key of the account.
pub(super) fn is_key(world: &World, key: &str) -> bool {
    let own = &world.account.credentials.api_key;
    world.account.knows(own, key)
}

fn not_found(status: u16, message: &str) -> Refusal {
    Refusal {
        status,
        class: Class::Route,
        message: message.to_owned(),
    }
}

/// The instrument a request names.
pub(super) fn named(body: &Value, market: &Market) -> Result<usize, Refusal> {
    let (exchange, symbol) = (required(body, "exchange")?, required(body, "symbol")?);
    find(market, (&exchange, &symbol)).ok_or_else(|| {
        not_found(
            404,
            &format!("Symbol '{symbol}' not found for exchange '{exchange}'"),
        )
    })
}

/// Reads a placement.
fn terms(body: &Value, market: &Market) -> Result<Terms, Refusal> {
    required(body, "strategy")?;
    let instrument = named(body, market)?;
    if !market.rows[instrument].is_tradable() {
        return Err(Refusal::input("An index cannot be traded"));
    }
    let kind = kind(body)?;
    let terms = Terms {
        instrument,
        side: side(body)?,
        product: product(body)?,
        kind,
        validity: Validity::Day,
        qty: units(body, "quantity")?,
        disclosed: 0,
        price: price(body, "price")?,
        trigger: price(body, "trigger_price")?,
        // The broker behind protects market orders.
        protection: if kind.needs_protection() { -1.0 } else { 0.0 },
        tag: None,
    };
    check(&terms, market)?;
    Ok(terms)
}

impl World {
    /// Answers one request.
    pub(super) fn openalgo_answer(&mut self, request: &Request, place: (Moment, u64)) -> Outcome {
        let Some(name) = call(&request.path) else {
            return Outcome::plain(refused(&not_found(404, "Not found")));
        };
        let is_list = name == "instruments";
        let mut asked = body(request);
        if is_list {
            let given = ["apikey", "exchange", "format"].map(|key| (key, request.query.get(key)));
            let given = given
                .into_iter()
                .filter_map(|(key, value)| Some((key.to_owned(), json!(value?))));
            asked = Value::Object(given.collect::<Map<_, _>>());
        }
        let reply = match (request.method.as_str(), is_list) {
            ("GET", true) | ("POST", false) => self.openalgo_route(name, &asked, place),
            _ => Err(not_found(405, "Method not allowed")),
        };
        let order = |data: &Value| {
            let first = data["results"]
                .as_array()
                .and_then(|legs| legs.iter().find_map(|leg| leg.get("orderid")));
            data.get("orderid")
                .or(first)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let places = matches!(
            name,
            "placeorder"
                | "placesmartorder"
                | "basketorder"
                | "splitorder"
                | "modifyorder"
                | "cancelorder"
        );
        Outcome {
            order_id: reply.as_ref().ok().filter(|_| places).and_then(order),
            error: reply.as_ref().err().map(|refusal| refusal.message.clone()),
            answer: match reply {
                Ok(Value::String(csv)) => Answer {
                    content_type: "text/csv",
                    body: csv.into_bytes(),
                    ..Answer::json(200, &Value::Null)
                },
                Ok(mut answer) => {
                    if let Some(answer) = answer.as_object_mut() {
                        answer.entry("status").or_insert_with(|| json!("success"));
                    }
                    Answer::json(200, &answer)
                }
                Err(refusal) => refused(&refusal),
            },
        }
    }

    fn openalgo_route(&mut self, name: &str, asked: &Value, place: (Moment, u64)) -> Reply {
        let key = required(asked, "apikey")?;
        if !is_key(self, &key) {
            self.truth.logins_refused += u64::from(name == "analyzer");
            return Err(Refusal {
                status: 403,
                class: Class::Session,
                message: "Invalid openalgo apikey".to_owned(),
            });
        }
        let budget = match name {
            "placeorder" | "placesmartorder" | "basketorder" | "splitorder" => Budget::Place,
            "modifyorder" | "cancelorder" | "cancelallorder" | "closeposition" => Budget::Amend,
            "quotes" | "multiquotes" | "depth" => Budget::Quote,
            "history" => Budget::History,
            _ => Budget::Other,
        };
        self.count(budget, place.0)?;
        match name {
            "placeorder" => self.openalgo_place(asked, place),
            "placesmartorder" => self.smart(asked, place),
            "basketorder" => self.basket(asked, place),
            "splitorder" => self.split(asked, place),
            "modifyorder" => self.change(asked, place.0),
            "cancelorder" => {
                required(asked, "strategy")?;
                let id = required(asked, "orderid")?;
                let id = self.desk.cancel(&id, place.0)?;
                Ok(json!({ "orderid": id.to_string() }))
            }
            "cancelallorder" => Ok(self.cancel_all(place.0)),
            _ => self.openalgo_read(name, asked),
        }
    }

    fn openalgo_read(&mut self, name: &str, asked: &Value) -> Reply {
        let data = match name {
            "ping" => json!({ "message": "pong", "broker": BROKER }),
            "analyzer" => {
                self.truth.logins += 1;
                json!({ "mode": "live", "analyze_mode": false, "total_logs": 0 })
            }
            "funds" => rows::funds(&self.desk, &self.market),
            "orderbook" => rows::book(&self.desk.seen(self.view), &self.market),
            "orderstatus" => {
                let at = self.desk.find(&required(asked, "orderid")?)?;
                rows::order(&self.desk.orders[at], &self.market)
            }
            "tradebook" => {
                let trades = self.desk.trades_seen(None, self.view)?.into_iter();
                trades
                    .map(|row| rows::trade(row, &self.desk, &self.market))
                    .collect()
            }
            "positionbook" => {
                let positions = self.desk.positions_seen(self.view);
                positions
                    .rows()
                    .iter()
                    .map(|row| rows::position(row, &self.market))
                    .collect()
            }
            "holdings" => json!({ "holdings": [], "statistics": {} }),
            "openposition" => {
                let net = self.net(asked)?;
                return Ok(json!({ "quantity": net.to_string() }));
            }
            "quotes" | "depth" => {
                let ix = named(asked, &self.market)?;
                self.market.settle(ix);
                if name == "quotes" {
                    rows::quote(&self.market, ix)
                } else {
                    rows::depth(&self.market, ix)
                }
            }
            "multiquotes" => return Ok(json!({ "results": self.multiquotes(asked) })),
            "history" => self.openalgo_history(asked)?,
            "intervals" => json!({
                "seconds": [], "minutes": ["1m", "3m", "5m", "10m", "15m", "30m"], "hours": ["1h"],
                "days": ["D"], "weeks": [], "months": [],
            }),
            "symbol" => rows::instrument(&self.market.rows[named(asked, &self.market)?]),
            "instruments" => return Ok(self.list(asked)),
            _ => return Err(not_found(404, "Not found")),
        };
        Ok(json!({ "data": data }))
    }

    /// Takes one placement.
    pub(super) fn openalgo_place(&mut self, asked: &Value, place: (Moment, u64)) -> Reply {
        let terms = terms(asked, &self.market)?;
        self.market.watch(terms.instrument);
        let (id, _) = self.desk.place(terms, false, &self.market, place)?;
        Ok(json!({ "orderid": id.to_string() }))
    }

    /// Units held of the instrument and product a request names.
    fn net(&self, asked: &Value) -> Result<i64, Refusal> {
        let (ix, product) = (named(asked, &self.market)?, product(asked)?);
        let held = self.desk.positions.rows().iter();
        let own = held.filter(|row| (row.instrument, row.product) == (ix, product));
        Ok(own.map(crate::sim::positions::Position::net).sum())
    }

    /// Trades what is missing to the target.
    fn smart(&mut self, asked: &Value, place: (Moment, u64)) -> Reply {
        let wanted = required(asked, "position_size")?;
        let wanted: i64 = wanted
            .parse()
            .map_err(|_| Refusal::input("{'position_size': ['Not a valid integer.']}"))?;
        let missing = wanted - self.net(asked)?;
        if missing == 0 {
            let text = "No action needed. Position size matches current position";
            return Ok(json!({ "message": text }));
        }
        let side = if missing > 0 { Side::Buy } else { Side::Sell };
        let mut order = asked.clone();
        order["action"] = json!(side.name());
        order["quantity"] = json!(missing.unsigned_abs());
        self.openalgo_place(&order, place)
    }

    /// Takes every row, purchases first; success when one of them is taken.
    fn basket(&mut self, asked: &Value, place: (Moment, u64)) -> Reply {
        let list = asked.get("orders").and_then(Value::as_array).cloned();
        let mut list =
            list.ok_or_else(|| Refusal::input("{'orders': ['Missing data for required field.']}"))?;
        list.sort_by_key(|row| {
            word(row, "action").is_some_and(|side| side.eq_ignore_ascii_case("SELL"))
        });
        let results: Vec<Value> = list
            .iter_mut()
            .map(|row| {
                row["strategy"] = asked["strategy"].clone();
                let outcome = self.openalgo_place(row, place);
                leg(outcome, [("symbol", row["symbol"].clone())])
            })
            .collect();
        Ok(summed(&results))
    }

    /// Cuts an order into children of equal size; the last holds the remainder.
    fn split(&mut self, asked: &Value, place: (Moment, u64)) -> Reply {
        let (total, size) = (units(asked, "quantity")?, units(asked, "splitsize")?);
        if size == 0 || total.div_ceil(size) > CHILDREN_MAX {
            return Err(Refusal::input(
                "At most 100 orders, of at least one unit each",
            ));
        }
        let mut results = Vec::new();
        let mut left = total;
        while left > 0 {
            let quantity = left.min(size);
            left -= quantity;
            let mut order = asked.clone();
            order["quantity"] = json!(quantity);
            let outcome = self.openalgo_place(&order, place);
            let number = json!(results.len() + 1);
            results.push(leg(
                outcome,
                [("order_num", number), ("quantity", json!(quantity))],
            ));
        }
        let mut answer = summed(&results);
        answer["split_size"] = json!(size);
        answer["total_quantity"] = json!(total);
        Ok(answer)
    }

    /// Changes an order; every field is mandatory and names the order again.
    fn change(&mut self, asked: &Value, now: Moment) -> Reply {
        for name in [
            "strategy",
            "action",
            "product",
            "pricetype",
            "disclosed_quantity",
        ] {
            required(asked, name)?;
        }
        let id = required(asked, "orderid")?;
        let at = self.desk.find(&id)?;
        if self.desk.orders[at].terms.instrument != named(asked, &self.market)? {
            return Err(Refusal::input("The order is of another symbol"));
        }
        for name in ["price", "trigger_price"] {
            required(asked, name)?;
        }
        let change = Change {
            qty: Some(units(asked, "quantity")?),
            price: Some(price(asked, "price")?),
            trigger: Some(price(asked, "trigger_price")?),
            kind: Some(kind(asked)?),
            ..Change::default()
        };
        let id = self.desk.modify(&id, &change, &self.market, now)?;
        Ok(json!({ "orderid": id.to_string() }))
    }

    fn cancel_all(&mut self, now: Moment) -> Value {
        let open = self
            .desk
            .orders
            .iter()
            .filter(|order| !order.status.is_final());
        let open: Vec<String> = open.map(|order| order.id.to_string()).collect();
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        for id in open {
            match self.desk.cancel(&id, now) {
                Ok(_) => done.push(json!(id)),
                Err(refusal) => failed.push(json!({ "orderid": id, "reason": refusal.message })),
            }
        }
        let message = format!(
            "Canceled {} orders. Failed to cancel {} orders.",
            done.len(),
            failed.len()
        );
        json!({ "message": message, "canceled_orders": done, "failed_cancellations": failed })
    }

    fn multiquotes(&mut self, asked: &Value) -> Value {
        let list = asked.get("symbols").and_then(Value::as_array).cloned();
        let quoted = list.unwrap_or_default().into_iter().map(|row| {
            let mut result = json!({ "symbol": row["symbol"], "exchange": row["exchange"] });
            match named(&row, &self.market) {
                Ok(ix) => {
                    self.market.settle(ix);
                    result["data"] = rows::quote(&self.market, ix);
                }
                Err(refusal) => result["error"] = json!(refusal.message),
            }
            result
        });
        quoted.collect()
    }

    fn openalgo_history(&mut self, asked: &Value) -> Reply {
        let ix = named(asked, &self.market)?;
        let minutes = match required(asked, "interval")?.as_str() {
            "1m" => Some(1),
            "3m" => Some(3),
            "5m" => Some(5),
            "10m" => Some(10),
            "15m" => Some(15),
            "30m" => Some(30),
            "1h" => Some(60),
            "D" => None,
            other => {
                return Err(Refusal::input(format!(
                    "Interval '{other}' is not supported"
                )));
            }
        };
        let day = |name: &str| {
            let text = required(asked, name)?;
            let day = Day::parse(&text).filter(|_| text.contains('-'));
            day.ok_or_else(|| Refusal::input(format!("{{'{name}': ['Not a valid date.']}}")))
        };
        let (from, to) = (day("start_date")?.at(0), day("end_date")?.plus(1).at(0));
        let interest = self.market.books[ix].oi;
        let span = (from, WallNanos(to.0 - 1));
        let bars = self.market.bars(ix, minutes.map(|m: i64| m * MINUTE), span);
        let candles = bars
            .iter()
            .map(|bar| rows::candle(bar, minutes.is_none(), interest));
        Ok(candles.collect())
    }

    /// The instrument list, one exchange or all, as CSV or JSON.
    fn list(&self, asked: &Value) -> Value {
        let only = word(asked, "exchange");
        let all = self.market.rows.iter().map(rows::instrument);
        let found: Vec<Value> = all
            .filter(|row| only.as_deref().is_none_or(|name| row["exchange"] == name))
            .collect();
        if word(asked, "format").as_deref() == Some("csv") {
            return Value::String(rows::csv(&found));
        }
        json!({ "message": format!("Found {} instruments", found.len()), "data": found })
    }
}

/// What became of one order of several.
fn leg<const N: usize>(outcome: Reply, own: [(&str, Value); N]) -> Value {
    let mut row = match outcome {
        Ok(mut row) => {
            row["status"] = json!("success");
            row
        }
        Err(refusal) => json!({ "status": "error", "message": refusal.message }),
    };
    for (name, value) in own {
        row[name] = value;
    }
    row
}

/// Success as soon as one leg is one.
fn summed(results: &[Value]) -> Value {
    let any = results.iter().any(|row| row["status"] == "success");
    json!({ "status": if any { "success" } else { "error" }, "results": results })
}
