//! Dhan's REST routes.

use super::market::{Depth, candles, quotes};
use super::{PIN, form, master, rows};
use crate::sim::account::Budget;
use crate::sim::desk::{Moment, Trade};
use crate::sim::http::{Answer, Request};
use crate::sim::intake::{Class, Refusal};
use crate::sim::state::{Outcome, World};
use serde_json::{Value, json};

type Reply = Result<Value, Refusal>;

/// The parts of a path behind the version.
pub(super) fn parts(path: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if parts.first() == Some(&"v2") {
        parts.remove(0);
    }
    parts
}

/// The body of an error of the order side.
pub(super) fn refused(refusal: &Refusal) -> Answer {
    let (code, kind) = match refusal.class {
        Class::Input => ("DH-905", "Input_Exception"),
        Class::Order => ("DH-906", "Order_Error"),
        Class::Session => ("DH-901", "Invalid_Authentication"),
        Class::Rate => ("DH-904", "Rate_Limit"),
        Class::Route | Class::General => ("DH-910", "Others"),
    };
    let body = json!({ "errorType": kind, "errorCode": code, "errorMessage": refusal.message });
    Answer::json(refusal.status, &body)
}

/// The body of an error of the data side.
fn refused_data(refusal: &Refusal) -> Answer {
    let code = match refusal.class {
        Class::Session => "809",
        Class::Rate => "805",
        Class::Input => "814",
        Class::Order | Class::Route | Class::General => "800",
    };
    let body = json!({ "data": { code: refusal.message }, "status": "failed" });
    Answer::json(refusal.status, &body)
}

fn nobody() -> Refusal {
    Refusal {
        status: 401,
        class: Class::Session,
        message: "Client ID or user generated access token is invalid or expired.".to_owned(),
    }
}

fn no_route(status: u16) -> Refusal {
    Refusal {
        status,
        class: Class::Route,
        message: "No such route".to_owned(),
    }
}

/// Answers one request.
pub(super) fn answer(world: &mut World, request: &Request, place: (Moment, u64)) -> Outcome {
    let parts = parts(&request.path);
    let is_data = parts.first() == Some(&"marketfeed");
    let reply =
        admit(world, request, &parts, place.0).and_then(|()| route(world, request, &parts, place));
    let changes = matches!(request.method.as_str(), "POST" | "PUT" | "DELETE");
    let about = reply
        .as_ref()
        .ok()
        .filter(|_| changes && parts.first() == Some(&"orders"));
    let order_id = about.and_then(|data| {
        let one = data.get(0).unwrap_or(data);
        one["orderId"].as_str().map(str::to_owned)
    });
    let error = reply.as_ref().err().map(|refusal| refusal.message.clone());
    let answer = match reply {
        Ok(Value::String(csv)) => Answer {
            status: 200,
            content_type: "text/csv",
            location: None,
            body: csv.into_bytes(),
        },
        // A cancellation is taken, not done.
        Ok(data) if request.method == "DELETE" => Answer::json(202, &data),
        Ok(data) => Answer::json(200, &data),
        Err(refusal) if is_data => refused_data(&refusal),
        Err(refusal) => refused(&refusal),
    };
    Outcome {
        answer,
        order_id,
        error,
    }
}

/// Lets a request of the live session within its limits pass; files and the login need none.
fn admit(world: &mut World, request: &Request, parts: &[&str], now: Moment) -> Result<(), Refusal> {
    if matches!(parts, ["app" | "api-data", ..]) {
        return Ok(());
    }
    let own = world.account.credentials.api_key.clone();
    let client = request.header("client-id").unwrap_or(&own);
    let token = request.header("access-token").unwrap_or("");
    if !world.account.knows(client, token) {
        return Err(nobody());
    }
    let budget = match (request.method.as_str(), parts.first().copied()) {
        ("POST", Some("orders")) => Budget::Place,
        ("PUT" | "DELETE", Some("orders")) => Budget::Amend,
        (_, Some("marketfeed")) => Budget::Quote,
        (_, Some("charts")) => Budget::History,
        _ => Budget::Other,
    };
    world.count(budget, now)
}

fn route(world: &mut World, request: &Request, parts: &[&str], place: (Moment, u64)) -> Reply {
    let client = world.account.credentials.api_key.clone();
    match (request.method.as_str(), parts) {
        ("POST", ["app", "generateAccessToken"]) => log_in(world, request),
        ("GET", ["RenewToken"]) => {
            let token = world.account.open_session();
            Ok(json!({ "dhanClientId": client, "token": token }))
        }
        ("GET", ["api-data", "api-scrip-master-detailed.csv"]) => {
            Ok(Value::String(master::detailed(&world.market)))
        }
        ("GET", ["api-data", "api-scrip-master.csv"]) => {
            Ok(Value::String(master::compact(&world.market)))
        }
        ("GET", ["profile"]) => Ok(profile(&client)),
        ("GET", ["fundlimit"]) => Ok(funds(world, &client)),
        ("GET", ["holdings"]) => Ok(json!([])),
        ("POST", ["marketfeed", "ltp"]) => quotes(&mut world.market, &request.body, Depth::Ltp),
        ("POST", ["marketfeed", "ohlc"]) => quotes(&mut world.market, &request.body, Depth::Ohlc),
        ("POST", ["marketfeed", "quote"]) => quotes(&mut world.market, &request.body, Depth::Full),
        ("POST", ["charts", "intraday"]) => candles(&mut world.market, &request.body, false),
        ("POST", ["charts", "historical"]) => candles(&mut world.market, &request.body, true),
        ("POST", ["orders"]) => self::place(world, request, false, place),
        ("POST", ["orders", "slicing"]) => self::place(world, request, true, place),
        ("PUT", ["orders", id]) => {
            let change = form::modification(&request.body, &client)?;
            let id = world.desk.modify(id, &change, &world.market, place.0)?;
            pair(world, id)
        }
        ("DELETE", ["orders", id]) => {
            let id = world.desk.cancel(id, place.0)?;
            pair(world, id)
        }
        ("GET", ["orders"]) => {
            let rows = world.desk.seen(world.view).into_iter();
            Ok(rows
                .map(|order| rows::order(&world.market, &order, &client))
                .collect())
        }
        ("GET", ["orders", "external", tag]) => {
            let orders = world.desk.seen(world.view);
            let found = orders
                .iter()
                .find(|order| order.terms.tag.as_deref() == Some(*tag));
            let found = found.ok_or_else(|| Refusal::order("No such correlation id"))?;
            Ok(rows::order(&world.market, found, &client))
        }
        ("GET", ["orders", id]) => {
            let at = world.desk.find(id)?;
            Ok(rows::order(&world.market, &world.desk.orders[at], &client))
        }
        ("GET", ["trades"]) => trades(world, None, &client),
        ("GET", ["trades", id]) => trades(world, Some(id), &client),
        ("GET", ["positions"]) => {
            let held = world.desk.positions_seen(world.view);
            let rows = held.rows().iter();
            Ok(rows
                .map(|row| rows::position(&world.market, row, &client))
                .collect())
        }
        (
            _,
            [
                "orders" | "trades" | "positions" | "marketfeed" | "charts" | "app",
                ..,
            ],
        ) => Err(no_route(405)),
        _ => Err(no_route(404)),
    }
}

fn log_in(world: &mut World, request: &Request) -> Reply {
    let field = |name: &str| request.query.get(name).unwrap_or("");
    let totp = field("totp");
    let is_code = totp.len() == 6 && totp.bytes().all(|byte| byte.is_ascii_digit());
    let client = world.account.credentials.api_key.clone();
    if field("dhanClientId") != client || field("pin") != PIN || !is_code {
        world.truth.logins_refused += 1;
        return Err(nobody());
    }
    world.truth.logins += 1;
    let token = world.account.open_session();
    Ok(json!({
        "dhanClientId": client,
        "dhanClientName": "SIMULATED TRADER",
        "dhanClientUcc": "SIM001",
        "givenPowerOfAttorney": false,
        "accessToken": token,
        "expiryTime": "2099-01-01T00:00:00.000",
    }))
}

fn profile(client: &str) -> Value {
    json!({
        "dhanClientId": client,
        "tokenValidity": "01/01/2099 00:00",
        "activeSegment": "Equity, Derivative",
        "ddpi": "Active",
        "mtf": "Deactive",
        "dataPlan": "Active",
        "dataValidity": "2099-01-01 00:00:00.0",
    })
}

fn funds(world: &World, client: &str) -> Value {
    let rupees = |value: i128| value as f64 / 10_000.0;
    let (cash, used, pnl) = world.desk.money(&world.market);
    json!({
        "dhanClientId": client,
        // The broker's own spelling.
        "availabelBalance": rupees(cash + pnl - used),
        "sodLimit": rupees(cash),
        "collateralAmount": 0.0,
        "receiveableAmount": 0.0,
        "utilizedAmount": rupees(used),
        "blockedPayoutAmount": 0.0,
        "withdrawableBalance": rupees(cash - used),
    })
}

fn trades(world: &World, of: Option<&str>, client: &str) -> Reply {
    let found = world.desk.trades_seen(of, world.view)?;
    let row = |trade: &Trade| {
        let order = &world.desk.orders[trade.order];
        rows::trade(&world.market, order, trade, client)
    };
    Ok(found.into_iter().map(row).collect())
}

/// Number and word of an order.
fn pair(world: &World, id: u64) -> Reply {
    let at = world.desk.find(&id.to_string())?;
    Ok(json!({ "orderId": id.to_string(), "orderStatus": rows::status(&world.desk.orders[at]) }))
}

/// Takes a placement; one that may be sliced answers with a list.
pub(super) fn place(
    world: &mut World,
    request: &Request,
    slices: bool,
    place: (Moment, u64),
) -> Reply {
    let client = world.account.credentials.api_key.clone();
    let terms = form::placement(&request.body, &world.market, &client)?;
    world.market.watch(terms.instrument);
    let (id, children) = world.desk.place(terms, slices, &world.market, place)?;
    if !slices {
        return pair(world, id);
    }
    let ids = if children.is_empty() {
        vec![id]
    } else {
        children
    };
    ids.into_iter().map(|id| pair(world, id)).collect()
}
