//! The day's scrip master: a list of files first, then one CSV a segment (protocols/kotak-neo.md, section 3).
//!
//! Promises
//! - Columns are found by name without the blanks and the semicolon that belong to some names; a file without a needed
//!   column is refused.
//! - Prices are whole parts of a rupee by the row's own precision, also where they are written `2.1e+06`; the day of
//!   expiry follows the file's own epoch.
//! - Rows of segments or kinds we do not trade are counted as `foreign`; rows that cannot be read, and rows whose two lot
//!   sizes disagree, are counted as `bad`, the first named by line. More than 1 % bad refuses the file.
//! - The largest order is the smaller of what the caller and the file say. For NSE derivatives the file names the first
//!   quantity that is refused, elsewhere the largest that is taken.

use super::Kotak;
use super::faults;
use super::request::data_get;
use super::segment::{Segment, index_token};
use crate::model::price::PER_RUPEE;
use crate::model::time::{DAY, SECOND};
use crate::model::{
    Day, Exchange, Instrument, InstrumentIx, Kind, Price, Qty, Right, Token, WallNanos,
};
use crate::venue::json::text;
use crate::venue::master::{ContractKey, Master, MasterFault, Reason, field};
use crate::venue::session::{Answer, Ask, Step};
use crate::venue::{ApiFault, Auth, JsonScratch, Masters, Request};
use csv::ByteRecord;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

/// Seconds from 1970 to the epoch of NSE's derivative files, which gives 14:30 in India on the day of expiry.
const NSE_EPOCH: i64 = 315_513_000;
/// "None", in every column of numbers.
const NONE: &str = "-1";

/// Columns a file must have, in our order, without blanks and semicolons.
const COLUMNS: [&str; 15] = [
    "pSymbol",
    "pGroup",
    "pExchSeg",
    "pInstType",
    "pSymbolName",
    "pTrdSymbol",
    "pOptionType",
    "pISIN",
    "dTickSize",
    "lLotSize",
    "lExpiryDate",
    "lPrecision",
    "dStrikePrice",
    "iLotSize",
    "lFreezeQty",
];

impl Masters for Kotak {
    /// The list of files, and then the file of the exchange.
    fn master(
        auth: &Auth,
        exchange: Exchange,
        answer: Option<Answer<'_>>,
        json: &mut JsonScratch,
    ) -> Result<Step, ApiFault> {
        let Some(answer) = answer else {
            let path = "/script-details/1.0/masterscrip/file-paths".to_owned();
            return Ok(Step::Ask(Ask::here(data_get(auth, path))));
        };
        if answer.number > 1 {
            // The file itself: no JSON, and not to be touched.
            return match answer.status {
                200 => Ok(Step::Done),
                status => Err(ApiFault::no_file(status)),
            };
        }
        let segment = Segment::for_exchange(exchange);
        let address = parse_paths(answer.status, answer.body, json, segment)?;
        let unusable = || ApiFault::Unreadable {
            status: answer.status,
            what: format!("{address:?} is no address of a file"),
        };
        let (scheme, rest) = address.split_once("://").ok_or_else(unusable)?;
        let (host, path) = rest.split_once('/').ok_or_else(unusable)?;
        // Downloads are open: the key stays with its owner.
        let request = Request {
            method: "GET",
            path: format!("/{path}"),
            headers: vec![("Accept-Encoding".to_owned(), "identity".to_owned())],
            body: Vec::new(),
        };
        Ok(Step::Ask(Ask {
            at: Some(format!("{scheme}://{host}")),
            request,
        }))
    }

    fn parse_master(
        file: &[u8],
        exchange: Exchange,
        keep: &dyn Fn(&Instrument) -> bool,
        qty_max: &dyn Fn(&ContractKey<'_>) -> Qty,
    ) -> Result<Master, MasterFault> {
        Master::read(file, columns, keep, |columns, row| {
            let fields = columns.map(|at| field(row, at));
            Row::new(fields).instrument(exchange, qty_max)
        })
    }
}

/// Reads the list of files and returns the address of a segment's.
///
/// # Errors
///
/// [`ApiFault`], also when there is no such file.
pub fn parse_paths(
    status: u16,
    body: &mut [u8],
    json: &mut JsonScratch,
    segment: Segment,
) -> Result<String, ApiFault> {
    faults::whole_answer(status, body, json, |root| {
        let list = root.get("data").unwrap_or(root);
        let files = list.get("filesPaths").and_then(|files| files.as_array());
        let mut files = files.ok_or("no filesPaths")?.iter().filter_map(text);
        let is_ours = |address: &&str| {
            let name = address.rsplit('/').next().unwrap_or_default();
            let stem = name.strip_suffix(".csv").unwrap_or_default();
            let version = stem.strip_prefix(segment.name());
            version.is_some_and(|version| version.is_empty() || version.starts_with('-'))
        };
        let found = files.find(is_ours).map(str::to_owned);
        found.ok_or_else(|| format!("no file of {}", segment.name()))
    })
}

/// Where each of [`COLUMNS`] stands.
fn columns(header: &ByteRecord) -> Result<[usize; COLUMNS.len()], MasterFault> {
    let plain = |name: &[u8]| {
        let text = std::str::from_utf8(name).unwrap_or_default();
        text.trim_matches([' ', ';', '\u{feff}']).to_owned()
    };
    let names: Vec<String> = header.iter().map(plain).collect();
    let mut columns = [0_usize; COLUMNS.len()];
    for (at, wanted) in columns.iter_mut().zip(COLUMNS) {
        let found = names.iter().position(|name| name == wanted);
        *at = found.ok_or(MasterFault::Column(wanted))?;
    }
    Ok(columns)
}

/// The texts of one row.
struct Row<'a> {
    number: &'a str,
    group: &'a str,
    segment: &'a str,
    contract: &'a str,
    name: &'a str,
    symbol: &'a str,
    option: &'a str,
    isin: &'a str,
    tick: &'a str,
    lot: &'a str,
    expiry: &'a str,
    precision: &'a str,
    strike: &'a str,
    lot_again: &'a str,
    freeze: &'a str,
}

impl<'a> Row<'a> {
    const fn new(fields: [&'a str; COLUMNS.len()]) -> Self {
        let [
            number,
            group,
            segment,
            contract,
            name,
            symbol,
            option,
            isin,
            tick,
            lot,
            expiry,
            precision,
            strike,
            lot_again,
            freeze,
        ] = fields;
        Self {
            number,
            group,
            segment,
            contract,
            name,
            symbol,
            option,
            isin,
            tick,
            lot,
            expiry,
            precision,
            strike,
            lot_again,
            freeze,
        }
    }

    fn instrument(
        &self,
        exchange: Exchange,
        qty_max: &dyn Fn(&ContractKey<'_>) -> Qty,
    ) -> Result<Instrument, Reason> {
        let segment = Segment::parse(self.segment).ok_or(Reason::Foreign)?;
        if segment != Segment::for_exchange(exchange) {
            return Err(Reason::Foreign);
        }
        let kind = self.kind(segment)?;
        if self.symbol.is_empty() {
            return Err(Reason::column("pTrdSymbol", self.symbol));
        }
        if kind == Kind::Index {
            return Ok(self.index(exchange));
        }
        let (tick, lot) = (self.price("dTickSize", self.tick)?, self.lot()?);
        if tick <= Price::ZERO || lot == Qty::ZERO {
            return Err(Reason::Bad(format!(
                "dTickSize is {tick}, lLotSize is {lot}"
            )));
        }
        let expiry = match kind {
            Kind::Index | Kind::Equity => None,
            Kind::Future | Kind::Option { .. } => Some(self.expiry(segment)?),
        };
        let underlying = if self.name.is_empty() {
            self.symbol
        } else {
            self.name
        };
        let key = ContractKey {
            exchange,
            underlying,
            kind,
            lot,
        };
        let most = self.largest(segment, lot).unwrap_or(Qty(u32::MAX));
        Ok(Instrument {
            ix: InstrumentIx(0),
            token: self.token(segment)?,
            exchange,
            symbol: self.symbol.to_owned(),
            underlying: underlying.to_owned(),
            kind,
            expiry,
            tick,
            lot,
            qty_max: most.min(qty_max(&key)),
        })
    }

    /// What the row is. Cash rows without an ISIN are indices; of the others only shares are ours.
    fn kind(&self, segment: Segment) -> Result<Kind, Reason> {
        let is_cash = matches!(segment, Segment::NseCm | Segment::BseCm);
        match (is_cash, self.option) {
            (true, _) if self.isin.is_empty() || self.isin == NONE => Ok(Kind::Index),
            (true, _) if segment == Segment::BseCm || matches!(self.group, "EQ" | "BE") => {
                Ok(Kind::Equity)
            }
            (false, "CE") => self.option(Right::Call),
            (false, "PE") => self.option(Right::Put),
            (false, "XX" | "") if self.contract.starts_with("FUT") => Ok(Kind::Future),
            (true | false, _) => Err(Reason::Foreign),
        }
    }

    fn option(&self, right: Right) -> Result<Kind, Reason> {
        let strike = self.price("dStrikePrice", self.strike)?;
        Ok(Kind::Option { right, strike })
    }

    /// An index: subscribed by Kotak's name of it, never ordered. Kotak knows it without regard to capitals
    /// (`segment::index_token`), so in capitals it is the exchange's name, which stands for what it is an index of.
    fn index(&self, exchange: Exchange) -> Instrument {
        Instrument {
            ix: InstrumentIx(0),
            token: index_token(self.symbol.as_bytes()),
            exchange,
            symbol: self.symbol.to_owned(),
            underlying: self.symbol.to_uppercase(),
            kind: Kind::Index,
            expiry: None,
            tick: Price::ZERO,
            lot: Qty::ZERO,
            qty_max: Qty::ZERO,
        }
    }

    fn token(&self, segment: Segment) -> Result<Token, Reason> {
        let number = self.number.parse().ok();
        let token = number.and_then(|number| segment.token(number));
        token.ok_or_else(|| Reason::column("pSymbol", self.number))
    }

    /// A price of the row, in parts of a rupee as fine as its precision says.
    fn price(&self, column: &str, value: &str) -> Result<Price, Reason> {
        let decimals = self.precision.parse::<u32>();
        let decimals = decimals.map_err(|_| Reason::column("lPrecision", self.precision))?;
        scaled(value, decimals).ok_or_else(|| Reason::column(column, value))
    }

    fn lot(&self) -> Result<Qty, Reason> {
        let read = |column: &str, value: &str| {
            value
                .parse()
                .map(Qty)
                .map_err(|_| Reason::column(column, value))
        };
        let lot = read("lLotSize", self.lot)?;
        if read("iLotSize", self.lot_again)? == lot {
            Ok(lot)
        } else {
            let (one, other) = (self.lot, self.lot_again);
            Err(Reason::Bad(format!(
                "lLotSize is {one}, iLotSize is {other}"
            )))
        }
    }

    /// The day of expiry, by the epoch of the segment's file.
    fn expiry(&self, segment: Segment) -> Result<Day, Reason> {
        let wrong = || Reason::column("lExpiryDate", self.expiry);
        let seconds: i64 = self.expiry.parse().map_err(|_| wrong())?;
        if seconds <= 0 {
            return Err(wrong());
        }
        Ok(match segment {
            Segment::NseFo | Segment::CdeFo | Segment::NseCom => {
                WallNanos::from_secs(seconds.saturating_add(NSE_EPOCH)).day()
            }
            // The last second of the day in UTC, which in India is the next one.
            _ => Day(i32::try_from(seconds.div_euclid(DAY / SECOND)).map_err(|_| wrong())?),
        })
    }

    /// The largest order in whole lots, where the row says one.
    fn largest(&self, segment: Segment, lot: Qty) -> Option<Qty> {
        let freeze: u32 = self.freeze.parse().ok().filter(|freeze| *freeze > 0)?;
        let taken = match segment {
            Segment::NseFo => freeze.saturating_sub(1),
            _ => freeze,
        };
        let rest = taken.checked_rem(lot.0)?;
        Some(Qty(taken.saturating_sub(rest)))
    }
}

/// A whole or scientific number of parts of a rupee, as a price; `None` when it is none or finer than our unit.
fn scaled(value: &str, decimals: u32) -> Option<Price> {
    let parts = 10_i64.checked_pow(decimals)?;
    if let Ok(whole) = value.parse::<i64>() {
        let units = whole.checked_mul(PER_RUPEE)?;
        return (units.checked_rem(parts)? == 0).then(|| units.checked_div(parts).map(Price))?;
    }
    let number = Decimal::from_scientific(value)
        .or_else(|_| value.parse())
        .ok()?;
    let units = number
        .checked_mul(Decimal::from(PER_RUPEE))?
        .checked_div(Decimal::from(parts))?;
    units.is_integer().then(|| units.to_i64().map(Price))?
}
