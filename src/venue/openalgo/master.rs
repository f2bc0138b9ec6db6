//! The instrument list as CSV, and one instrument of it as JSON (sections 2 and 4).
//!
//! Promises
//! - Columns are found by name; a list without a needed column is refused. Rows of exchanges or kinds we do not trade are
//!   counted as `foreign`, rows that cannot be read as `bad`, the first named by line. More than 1 % bad refuses the list.
//! - `tick_size` is in rupees or in paise, as the broker behind left it. One list is of one broker, so it has one unit:
//!   rupees when its finest tick is below one rupee (0.1 in currencies, where 0.25 paise exist), paise otherwise.
//! - The symbol of a derivative must carry its expiry, day first; one that does not is bad, never guessed at.
//! - A freeze quantity above one lot lowers the largest order; most brokers behind fill in 1, which says nothing.

use super::OpenAlgo;
use super::faults;
use super::request::get;
use super::symbol::{day_first, parse_day, parse_exchange, token_of};
use crate::model::price::PER_RUPEE;
use crate::model::{Day, Exchange, Instrument, InstrumentIx, Kind, Price, Qty, Right};
use crate::venue::master::{
    ContractKey, Master, MasterFault, Reason, each_row, field, place, places,
};
use crate::venue::request::form;
use crate::venue::session::{Answer, Ask, Step};
use crate::venue::{ApiFault, Auth, JsonScratch, Masters, Request};
use csv::ByteRecord;

/// Asks for the list of one exchange. Those of NSE and BSE are asked for with everything else, because their indices
/// stand on exchanges of their own.
fn instruments_request(auth: &Auth, exchange: Exchange) -> Request {
    let mut fields = vec![("apikey", auth.api_key.expose()), ("format", "csv")];
    if !matches!(exchange, Exchange::Nse | Exchange::Bse) {
        fields.push(("exchange", exchange.name()));
    }
    get(format!("/api/v1/instruments?{}", form(&fields)))
}

/// Columns the list must have, in our order; `freeze_qty` is read where it is.
const COLUMNS: [&str; 7] = [
    "symbol",
    "name",
    "exchange",
    "expiry",
    "strike",
    "lotsize",
    "tick_size",
];

/// Where the columns are.
struct Columns {
    needed: [usize; COLUMNS.len()],
    freeze: Option<usize>,
}

impl Columns {
    fn find(header: &ByteRecord) -> Result<Self, MasterFault> {
        Ok(Self {
            needed: places(header, COLUMNS)?,
            freeze: place(header, "freeze_qty"),
        })
    }

    fn row<'a>(&self, record: &'a ByteRecord) -> Row<'a> {
        let field = |at: usize| field(record, at);
        let [symbol, name, exchange, expiry, strike, lot, tick] = self.needed.map(field);
        Row {
            symbol,
            name,
            exchange,
            expiry,
            strike,
            lot,
            tick,
            freeze: self.freeze.map_or("", field),
        }
    }
}

struct Row<'a> {
    symbol: &'a str,
    name: &'a str,
    exchange: &'a str,
    expiry: &'a str,
    strike: &'a str,
    lot: &'a str,
    tick: &'a str,
    freeze: &'a str,
}

impl Masters for OpenAlgo {
    fn master(
        auth: &Auth,
        exchange: Exchange,
        answer: Option<Answer<'_>>,
        json: &mut JsonScratch,
    ) -> Result<Step, ApiFault> {
        match answer {
            None => {
                let request = instruments_request(auth, exchange);
                Ok(Step::Ask(Ask::here(request)))
            }
            // A list is CSV; an object is the reason why there is none.
            Some(answer) if answer.status == 200 && !answer.body.starts_with(b"{") => {
                Ok(Step::Done)
            }
            Some(answer) => {
                faults::data(answer.status, answer.body, json, |_| Ok(()))?;
                Err(ApiFault::Unavailable {
                    status: answer.status,
                })
            }
        }
    }

    fn parse_master(
        file: &[u8],
        exchange: Exchange,
        keep: &dyn Fn(&Instrument) -> bool,
        qty_max: &dyn Fn(&ContractKey<'_>) -> Qty,
    ) -> Result<Master, MasterFault> {
        let per_unit = unit(exchange, finest_tick(file, exchange)?);
        Master::read(file, Columns::find, keep, |columns, row| {
            let row = columns.row(row);
            if parse_exchange(row.exchange).is_none_or(|(found, _)| found != exchange) {
                return Err(Reason::Foreign);
            }
            instrument(&row, per_unit, qty_max)
        })
    }
}

/// The finest tick of what is traded on an exchange, in whatever unit the list has.
fn finest_tick(list: &[u8], exchange: Exchange) -> Result<Option<Price>, MasterFault> {
    let mut finest: Option<Price> = None;
    each_row(list, Columns::find, |_, columns, row| {
        if let Ok(row) = row.map(|row| columns.row(row))
            && parse_exchange(row.exchange) == Some((exchange, false))
            && let Ok(tick) = Price::parse(row.tick.as_bytes())
            && tick > Price::ZERO
        {
            finest = Some(finest.map_or(tick, |before| before.min(tick)));
        }
    })?;
    Ok(finest)
}

/// How many of the list's units make a rupee.
fn unit(exchange: Exchange, finest: Option<Price>) -> i64 {
    let rupee = match exchange {
        Exchange::Cds | Exchange::Bcd => Price(PER_RUPEE / 10),
        _ => Price(PER_RUPEE),
    };
    if finest.is_none_or(|finest| finest < rupee) {
        1
    } else {
        100
    }
}

fn instrument(
    row: &Row<'_>,
    per_unit: i64,
    qty_max: &dyn Fn(&ContractKey<'_>) -> Qty,
) -> Result<Instrument, Reason> {
    let bad = Reason::column;
    let (exchange, is_index) = parse_exchange(row.exchange).ok_or(Reason::Foreign)?;
    if row.symbol.is_empty() {
        return Err(bad("symbol", row.symbol));
    }
    let (kind, expiry) = kind(row, exchange, is_index)?;
    let tick = tick(row.tick, per_unit).ok_or_else(|| bad("tick_size", row.tick))?;
    let lot = units(row.lot).ok_or_else(|| bad("lotsize", row.lot))?;
    if kind != Kind::Index && (tick <= Price::ZERO || lot == Qty::ZERO) {
        return Err(Reason::Bad(format!(
            "tick_size is {tick}, lotsize is {lot}"
        )));
    }
    let underlying = if expiry.is_some() {
        row.name
    } else {
        row.symbol
    };
    let key = ContractKey {
        exchange,
        underlying,
        kind,
        lot,
    };
    Ok(Instrument {
        ix: InstrumentIx(0),
        token: token_of(row.exchange, row.symbol),
        exchange,
        symbol: row.symbol.to_owned(),
        underlying: underlying.to_owned(),
        kind,
        expiry,
        tick,
        lot,
        qty_max: if kind == Kind::Index {
            Qty::ZERO
        } else {
            largest(qty_max(&key), units(row.freeze), lot)
        },
    })
}

/// Kind and expiry. The word for the kind differs from broker to broker; the end of the symbol does not.
fn kind(row: &Row<'_>, exchange: Exchange, is_index: bool) -> Result<(Kind, Option<Day>), Reason> {
    if is_index {
        return Ok((Kind::Index, None));
    }
    if matches!(exchange, Exchange::Nse | Exchange::Bse) {
        return Ok((Kind::Equity, None));
    }
    let bad = Reason::column;
    if row.expiry.is_empty() {
        return Err(Reason::Foreign);
    }
    let day = parse_day(row.expiry).ok_or_else(|| bad("expiry", row.expiry))?;
    let start = format!("{}{}", row.name, day_first(day));
    let rest = row
        .symbol
        .strip_prefix(&start)
        .filter(|_| !row.name.is_empty());
    let Some(rest) = rest else {
        return Err(Reason::Bad(format!(
            "symbol `{}` does not begin with name and expiry, `{start}`",
            row.symbol
        )));
    };
    let option = |right, strike: &str| {
        let strike = Price::parse(strike.as_bytes()).map_err(|_| bad("symbol", row.symbol))?;
        let said = Price::parse(row.strike.as_bytes()).map_err(|_| bad("strike", row.strike))?;
        if said != strike {
            return Err(bad("strike", row.strike));
        }
        Ok(Kind::Option { right, strike })
    };
    let kind = match (rest, rest.strip_suffix("CE"), rest.strip_suffix("PE")) {
        ("FUT", ..) => Kind::Future,
        (_, Some(strike), _) => option(Right::Call, strike)?,
        (_, _, Some(strike)) => option(Right::Put, strike)?,
        _ => return Err(Reason::Foreign),
    };
    Ok((kind, Some(day)))
}

/// A tick in rupees; nothing for an index is no tick.
fn tick(text: &str, per_unit: i64) -> Option<Price> {
    if text.is_empty() {
        return Some(Price::ZERO);
    }
    let Price(units) = Price::parse(text.as_bytes()).ok()?;
    (units.checked_rem(per_unit)? == 0).then_some(Price(units.checked_div(per_unit)?))
}

/// Units, also when written as a decimal.
fn units(text: &str) -> Option<Qty> {
    let Price(units) = Price::parse(text.as_bytes()).ok()?;
    let whole = units.checked_rem(PER_RUPEE)? == 0;
    u32::try_from(units / PER_RUPEE)
        .ok()
        .filter(|_| whole)
        .map(Qty)
}

/// The largest order: whole lots below the freeze quantity, where the list has one that says something.
fn largest(most: Qty, freeze: Option<Qty>, lot: Qty) -> Qty {
    let Some(freeze) = freeze.filter(|freeze| *freeze > lot) else {
        return most;
    };
    let below = freeze.0.saturating_sub(1);
    let lots = below.checked_div(lot.0).unwrap_or(0);
    Qty(lots.saturating_mul(lot.0)).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::master::stand_in;

    const HEAD: &str = "symbol,brsymbol,name,exchange,brexchange,token,expiry,strike,lotsize,instrumenttype,tick_size,freeze_qty\r\n";

    fn read(exchange: Exchange, rows: &str) -> Result<Master, MasterFault> {
        OpenAlgo::parse_master(
            format!("{HEAD}{rows}").as_bytes(),
            exchange,
            &|_| true,
            &stand_in,
        )
    }

    const FUTURE: &str =
        "NIFTY25AUG26FUT,NIFTY26AUGFUT,NIFTY,NFO,NFO,1,25-AUG-26,0.0,75,FUT,0.05,1800\r\n";

    #[test]
    fn every_kind_of_row_is_read() {
        let rows = format!(
            "{FUTURE}NIFTY25AUG2625000CE,x,NIFTY,NFO,NFO,2,25-AUG-26,25000.0,75,OPTIDX,0.05,1\r\n\
             VEDL24SEP26292.5PE,x,VEDL,NFO,NFO,3,24-SEP-26,292.5,1150,PE,0.05,\r\n\
             BTCUSDFUT,x,BTC,CRYPTO,CRYPTO,4,,,1,FUT,0.5,\r\n\
             NIFTY,NIFTY 50,NIFTY,NSE_INDEX,NSE,5,,,1,EQ,0.05,\r\n"
        );
        let master = read(Exchange::Nfo, &rows).expect("a list");
        assert_eq!((master.rows, master.foreign, master.bad), (5, 2, 0));
        let [future, call, put] = master.instruments.as_slice() else {
            panic!("three rows: {:?}", master.instruments);
        };
        assert_eq!(
            (future.kind, future.lot, future.tick),
            (Kind::Future, Qty(75), Price(500))
        );
        assert_eq!(future.expiry, Day::from_ymd(2026, 8, 25));
        assert_eq!(future.token, token_of("NFO", "NIFTY25AUG26FUT"));
        // Below the freeze quantity; the stand-in where there is none.
        assert_eq!((future.qty_max, call.qty_max), (Qty(525), Qty(525)));
        let strike = Price::from_rupees(25_000);
        assert_eq!(
            call.kind,
            Kind::Option {
                right: Right::Call,
                strike
            }
        );
        assert_eq!((put.underlying.as_str(), put.lot), ("VEDL", Qty(1_150)));
        let index = read(Exchange::Nse, &rows).expect("a list");
        assert_eq!(index.instruments.len(), 1);
        assert_eq!(
            (index.instruments[0].kind, index.instruments[0].token),
            (Kind::Index, token_of("NSE_INDEX", "NIFTY"))
        );
    }

    #[test]
    fn a_freeze_quantity_lowers_the_largest_order() {
        let rows = FUTURE.replace("1800", "376");
        let master = read(Exchange::Nfo, &rows).expect("a list");
        assert_eq!(master.instruments[0].qty_max, Qty(375));
        let exact = read(Exchange::Nfo, &FUTURE.replace("1800", "375")).expect("a list");
        assert_eq!(exact.instruments[0].qty_max, Qty(300));
    }

    #[test]
    fn one_list_has_ticks_in_one_unit() {
        let ticks = |exchange: Exchange, list: [&str; 2]| {
            let word = exchange.name();
            let rows: String = list
                .map(|tick| format!("X25AUG26FUT,x,X,{word},x,1,25-AUG-26,0,1,FUT,{tick},1\r\n"))
                .concat();
            let master = read(exchange, &rows).expect("a list");
            master
                .instruments
                .iter()
                .map(|row| row.tick.to_string())
                .collect::<Vec<_>>()
        };
        // The same two contracts, with the unit of one broker and of another.
        assert_eq!(ticks(Exchange::Nfo, ["0.05", "5"]), ["0.05", "5.00"]);
        assert_eq!(ticks(Exchange::Nfo, ["5", "500.0"]), ["0.05", "5.00"]);
        assert_eq!(ticks(Exchange::Mcx, ["0.1", "1"]), ["0.10", "1.00"]);
        assert_eq!(ticks(Exchange::Mcx, ["10", "100"]), ["0.10", "1.00"]);
        assert_eq!(ticks(Exchange::Cds, ["0.0025", "0.01"]), ["0.0025", "0.01"]);
        assert_eq!(ticks(Exchange::Cds, ["0.25", "1"]), ["0.0025", "0.01"]);
    }

    #[test]
    fn a_symbol_that_contradicts_its_expiry_is_bad() {
        for (row, why) in [
            (
                FUTURE.replace("NIFTY25AUG26FUT,", "NIFTY26AUGFUT,"),
                "NIFTY25AUG26",
            ),
            (FUTURE.replace("25-AUG-26", "26-AUG-25"), "NIFTY26AUG25"),
            (FUTURE.replace("25-AUG-26", "soon"), "expiry is `soon`"),
            (FUTURE.replace(",75,", ",0,"), "lotsize is 0"),
            (FUTURE.replace(",0.05,", ",x,"), "tick_size is `x`"),
            (
                FUTURE
                    .replace("26FUT,", "2625000CE,")
                    .replace(",0.0,", ",24000,"),
                "strike is `24000`",
            ),
        ] {
            let Err(MasterFault::TooManyBad {
                why: said, line: 2, ..
            }) = read(Exchange::Nfo, &row)
            else {
                panic!("{row}");
            };
            assert!(said.contains(why), "{said}");
        }
        let good = FUTURE.repeat(99);
        let master = read(
            Exchange::Nfo,
            &format!("{good}{}", FUTURE.replace("25-AUG-26", "soon")),
        );
        let master = master.expect("one in a hundred");
        assert_eq!((master.bad, master.instruments.len()), (1, 99));
    }

    #[test]
    fn a_list_without_rows_or_columns_is_refused() {
        assert_eq!(read(Exchange::Nfo, ""), Err(MasterFault::Empty));
        for name in COLUMNS {
            let head = HEAD.replacen(name, "other", 1);
            let fault =
                OpenAlgo::parse_master(head.as_bytes(), Exchange::Nfo, &|_| true, &stand_in);
            // `symbol` is the end of `brsymbol` too; the first one is the one that is renamed.
            assert_eq!(fault, Err(MasterFault::Column(name)), "{name}");
        }
    }

    #[test]
    fn requests_name_the_exchange_and_hide_the_key() {
        let auth = Auth::new("k3y", "");
        let request = instruments_request(&auth, Exchange::Nfo);
        assert_eq!(
            request.path,
            "/api/v1/instruments?apikey=k3y&format=csv&exchange=NFO"
        );
        assert!(!format!("{request:?}").contains("k3y"), "{request:?}");
        let all = instruments_request(&auth, Exchange::Nse);
        assert_eq!(all.path, "/api/v1/instruments?apikey=k3y&format=csv");
    }

    #[test]
    fn a_list_that_is_an_error_is_not_taken_for_instruments() {
        let mut json = JsonScratch::new();
        let mut answered = |status, body: &str| {
            let mut body = body.to_owned().into_bytes();
            let answer = Answer {
                number: 1,
                status,
                body: &mut body,
            };
            OpenAlgo::master(
                &Auth::new("k3y", ""),
                Exchange::Nfo,
                Some(answer),
                &mut json,
            )
        };
        assert_eq!(answered(200, "symbol,name\r\n"), Ok(Step::Done));
        let wrong = r#"{"status":"error","message":"Invalid openalgo apikey"}"#;
        assert!(matches!(
            answered(403, wrong),
            Err(ApiFault::Session { .. })
        ));
        let empty = r#"{"status":"success","message":"No instruments found","data":[]}"#;
        assert!(answered(200, empty).is_err());
        assert!(matches!(
            answered(500, "An unexpected error occurred"),
            Err(ApiFault::Unavailable { .. })
        ));
    }
}
