//! The broker's books: orders, trades, positions, holdings, funds (protocols/kotak-neo.md, section 2).
//!
//! Promises
//! - A book is read whole or not at all: a row that cannot be read fails the book by number and field, because a
//!   reconciler that silently misses a row would act on it (reliability, S6). An empty book is one by its own number.
//! - Sums of positions are exact: products go through 128 bits, and only the average is rounded.

use super::Kotak;
use super::faults;
use super::fields::{money, order_id, price, qty, side_of, time, whole, word, written};
use super::request::{get, post_form};
use super::segment::Segment;
use super::updates::order_update;
use crate::model::{Money, NetQty, Price, Qty, Token};
use crate::venue::books::{HoldingRow, Margins, OrderRow, PositionRow, Positions, TradeRow};
use crate::venue::json::{self, Value, need, text};
use crate::venue::{ApiFault, Auth, Books, JsonScratch, Request};

impl Books for Kotak {
    fn orders_request(auth: &Auth) -> Request {
        get(auth, "/quick/user/orders".to_owned())
    }

    fn parse_orders(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Vec<OrderRow>, ApiFault> {
        faults::book(status, body, json, |data| rows(data, "order", order_row))
    }

    fn trades_request(auth: &Auth) -> Request {
        get(auth, "/quick/user/trades".to_owned())
    }

    fn parse_trades(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Vec<TradeRow>, ApiFault> {
        faults::book(status, body, json, |data| rows(data, "trade", trade_row))
    }

    fn positions_request(auth: &Auth) -> Request {
        get(auth, "/portfolio/v2/positions".to_owned())
    }

    /// Rows tell today's trades and what was carried over apart, so that both views come from one list; they have no last
    /// price.
    fn parse_positions(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Positions, ApiFault> {
        faults::book(status, body, json, |data| {
            let views = rows(data, "position", position_rows)?;
            let (net, day) = views.into_iter().unzip();
            Ok(Positions { net, day })
        })
    }

    /// Of all segments; asked for one, the broker answers zeros.
    fn funds_request(auth: &Auth) -> Request {
        let all = r#"{"seg":"ALL","exch":"ALL","prod":"ALL"}"#;
        post_form(auth, "/quick/user/limits", all)
    }

    fn parse_funds(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Margins, ApiFault> {
        faults::whole_answer(status, body, json, |root| {
            let (net, collateral) = (
                need(root, "Net", money)?,
                need(root, "CollateralValue", money)?,
            );
            let debits = need(root, "MarginUsed", money)?;
            Ok(Margins {
                net,
                cash: net.saturating_add(debits).saturating_sub(collateral),
                collateral,
                debits,
            })
        })
    }
}

/// Asks for the share holdings.
pub fn holdings_request(auth: &Auth) -> Request {
    get(auth, "/portfolio/v1/holdings".to_owned())
}

/// Reads the share holdings.
///
/// # Errors
///
/// As [`Books::parse_orders`].
pub fn parse_holdings(
    status: u16,
    body: &mut [u8],
    json: &mut JsonScratch,
) -> Result<Vec<HoldingRow>, ApiFault> {
    faults::book(status, body, json, |data| {
        rows(data, "holding", holding_row)
    })
}

/// As [`json::rows`]; no list at all is an empty book.
fn rows<'t, 'a: 't, R>(
    list: Option<Value<'t, 'a>>,
    what: &str,
    read: impl Fn(Value<'t, 'a>) -> Result<R, String>,
) -> Result<Vec<R>, String> {
    list.map_or_else(|| Ok(Vec::new()), |list| json::rows(list, what, read))
}

fn owned(row: Value<'_, '_>, name: &str) -> Result<String, String> {
    let found = word(row, name).map(str::to_owned);
    found.ok_or_else(|| name.to_owned())
}

/// The exchange of a row in our words.
fn exchange(row: Value<'_, '_>) -> Result<(Segment, String), String> {
    let segment = word(row, "exSeg").and_then(Segment::parse).ok_or("exSeg")?;
    Ok((segment, segment.exchange_name().to_owned()))
}

/// The instrument of a row; zero where the broker leaves the number out, and the symbol has to do.
fn token(row: Value<'_, '_>, segment: Segment) -> Token {
    let number = row.get("tok").and_then(whole);
    let number = number.and_then(|number| u32::try_from(number).ok());
    number
        .and_then(|number| segment.token(number))
        .unwrap_or_default()
}

fn order_row(row: Value<'_, '_>) -> Result<OrderRow, String> {
    let update = order_update(row).ok_or("nOrdNo, ordSt, trnsTp, qty or fldQty")?;
    let optional = |name: &str| word(row, name).map(str::to_owned);
    let units = |name: &str| row.get(name).and_then(qty).unwrap_or_default();
    let status = optional("ordSt").or_else(|| optional("stat"));
    let variety = match word(row, "ordSt") {
        Some(words) if words.contains("after market") => "amo",
        _ => "regular",
    };
    Ok(OrderRow {
        update,
        exchange: exchange(row)?.1,
        symbol: owned(row, "trdSym")?,
        status: status.ok_or("ordSt")?,
        message: optional("rejRsn"),
        product: optional("prod").unwrap_or_default(),
        order_type: match word(row, "prcTp") {
            Some("L") => "LIMIT".to_owned(),
            Some("MKT") => "MARKET".to_owned(),
            other => other.unwrap_or_default().to_owned(),
        },
        variety: variety.to_owned(),
        pending: units("unFldSz"),
        cancelled: units("cnlQty"),
        parent: None,
        tags: optional("GuiOrdId").into_iter().collect(),
    })
}

fn trade_row(row: Value<'_, '_>) -> Result<TradeRow, String> {
    let (segment, exchange) = exchange(row)?;
    // Date and time of the fill stand apart.
    let filled_at = || written(&format!("{} {}", word(row, "flDt")?, word(row, "flTm")?));
    let at = filled_at().or_else(|| {
        ["exTm", "hsUpTm"]
            .iter()
            .find_map(|name| time(row.get(*name)?))
    });
    Ok(TradeRow {
        trade_id: row
            .get("flId")
            .and_then(|value| {
                text(value)
                    .map(str::to_owned)
                    .or(whole(value).map(|n| n.to_string()))
            })
            .filter(|id| !id.is_empty())
            .ok_or("flId")?,
        order_id: need(row, "nOrdNo", order_id)?,
        exchange,
        symbol: owned(row, "trdSym")?,
        token: token(row, segment),
        side: need(row, "trnsTp", |value| text(value).and_then(side_of))?,
        quantity: need(row, "fldQty", qty)?,
        price: need(row, "avgPrc", price)?,
        at: at.ok_or("flDt, flTm")?,
    })
}

/// One side of a position: what was carried over and what was traded today.
#[derive(Clone, Copy)]
struct Traded {
    carried: Qty,
    carried_value: Money,
    today: Qty,
    today_value: Money,
}

impl Traded {
    /// Reads a side. What was carried over has been seen without its value, and then with the price it was carried at.
    fn read(row: Value<'_, '_>, names: [&str; 4], factor: i64) -> Result<Self, String> {
        let [carried, carried_value, today, today_value] = names;
        let mut side = Self {
            carried: need(row, carried, qty)?,
            carried_value: need(row, carried_value, money)?,
            today: need(row, today, qty)?,
            today_value: need(row, today_value, money)?,
        };
        if side.carried_value == Money(0) && side.carried > Qty::ZERO {
            let at = row.get("upldPrc").and_then(price).unwrap_or_default();
            side.carried_value = value_of(at, NetQty(i64::from(side.carried.0)), factor);
        }
        Ok(side)
    }

    const fn all(self) -> (Qty, Money) {
        (
            self.carried.saturating_add(self.today),
            self.carried_value.saturating_add(self.today_value),
        )
    }
}

/// What units of a contract are worth: price times units times what one unit of price stands for.
fn value_of(at: Price, units: NetQty, factor: i64) -> Money {
    let wide = i128::from(at.0).saturating_mul(i128::from(units.0));
    Money::from_wide(wide.saturating_mul(i128::from(factor)))
}

/// What one unit of price is worth for one unit of quantity: multiplier, general and price ratio.
fn factor(row: Value<'_, '_>) -> Result<i64, String> {
    let part = |name: &&str| row.get(name).and_then(whole).unwrap_or(1);
    let product = |names: &[&str]| {
        let mut parts = names.iter().map(part);
        parts.try_fold(1_i64, i64::checked_mul)
    };
    let above = product(&["multiplier", "genNum", "prcNum"]);
    let below = product(&["genDen", "prcDen"]);
    let whole = above
        .zip(below)
        .filter(|(above, below)| *above > 0 && *below > 0 && above.checked_rem(*below) == Some(0));
    whole
        .and_then(|(above, below)| above.checked_div(below))
        .ok_or_else(|| "multiplier, genNum, genDen, prcNum or prcDen".to_owned())
}

/// The price units were traded at on average, to the nearest 1/10 000 rupee; zero for none.
fn average((units, value): (Qty, Money), factor: i64) -> Price {
    let below = i128::from(units.0).saturating_mul(i128::from(factor));
    let above = i128::from(value.0);
    let half = below.checked_div(2).unwrap_or(0);
    let rounded = above.saturating_add(half).checked_div_euclid(below);
    Price(
        rounded
            .and_then(|units| i64::try_from(units).ok())
            .unwrap_or(0),
    )
}

/// Profit and loss of a position at a last price, which the broker's rows do not have.
pub fn pnl(row: &PositionRow, last: Price) -> Money {
    let held = value_of(last, row.net, row.multiplier);
    row.sold_value
        .saturating_sub(row.bought_value)
        .saturating_add(held)
}

/// Net and day view of one row.
fn position_rows(row: Value<'_, '_>) -> Result<(PositionRow, PositionRow), String> {
    let (segment, exchange) = exchange(row)?;
    let (symbol, product) = (owned(row, "trdSym")?, owned(row, "prod")?);
    let factor = factor(row)?;
    let side = |names| Traded::read(row, names, factor);
    let bought = side(["cfBuyQty", "cfBuyAmt", "flBuyQty", "buyAmt"])?;
    let sold = side(["cfSellQty", "cfSellAmt", "flSellQty", "sellAmt"])?;
    let net_of =
        |bought: Qty, sold: Qty| NetQty(i64::from(bought.0).saturating_sub(i64::from(sold.0)));
    let view = |buys: (Qty, Money), sells: (Qty, Money), overnight: NetQty| {
        let net = net_of(buys.0, sells.0);
        PositionRow {
            exchange: exchange.clone(),
            symbol: symbol.clone(),
            token: token(row, segment),
            product: product.clone(),
            net,
            overnight,
            multiplier: factor,
            average: match net.0 {
                1.. => average(buys, factor),
                0 => Price::ZERO,
                ..0 => average(sells, factor),
            },
            last: Price::ZERO,
            bought: buys.0,
            sold: sells.0,
            bought_value: buys.1,
            sold_value: sells.1,
            // Without a last price only what is closed is known; see [`pnl`].
            pnl: match net.0 {
                0 => sells.1.saturating_sub(buys.1),
                _ => Money(0),
            },
        }
    };
    let net = view(
        bought.all(),
        sold.all(),
        net_of(bought.carried, sold.carried),
    );
    let day = view(
        (bought.today, bought.today_value),
        (sold.today, sold.today_value),
        NetQty(0),
    );
    Ok((net, day))
}

fn holding_row(row: Value<'_, '_>) -> Result<HoldingRow, String> {
    let segment = word(row, "exchangeSegment").and_then(Segment::parse);
    let segment = segment.ok_or("exchangeSegment")?;
    let number = need(row, "exchangeIdentifier", whole)?;
    let token = u32::try_from(number).ok().and_then(|n| segment.token(n));
    Ok(HoldingRow {
        exchange: segment.exchange_name().to_owned(),
        symbol: owned(row, "symbol")?,
        token: token.ok_or("exchangeIdentifier")?,
        quantity: need(row, "quantity", qty)?,
        arriving: Qty::ZERO,
        average: need(row, "averagePrice", price)?,
        last: row.get("closingPrice").and_then(price).unwrap_or_default(),
    })
}
