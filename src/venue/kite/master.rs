//! The day's instrument dump (protocols/kite.md, section 4): CSV in, [`Instrument`]s out.
//!
//! Promises
//! - Columns are found by name, fields may be quoted; a dump without a needed column is refused.
//! - Rows of exchanges or contract kinds we do not trade are counted as `foreign`; rows that cannot be
//!   read are counted as `bad`, the first named by line. More than 1 % bad refuses the dump.
//! - Kite's dump has no freeze quantity. The largest order comes from a function the caller gives,
//!   normally the market rules.

use super::Kite;
use super::faults;
use super::request::get;
use crate::model::{Day, Exchange, Instrument, InstrumentIx, Kind, Price, Qty, Right, Token};
use crate::venue::master::{ContractKey, Master, MasterFault, Reason, field, places};
use crate::venue::session::{Answer, Ask, Step};
use crate::venue::{ApiFault, Auth, JsonScratch, Masters};
use csv::ByteRecord;

/// Columns the dump must have, in our order.
const COLUMNS: [&str; 10] = [
    "instrument_token",
    "tradingsymbol",
    "name",
    "expiry",
    "strike",
    "tick_size",
    "lot_size",
    "instrument_type",
    "segment",
    "exchange",
];

impl Masters for Kite {
    fn master(
        auth: &Auth,
        exchange: Exchange,
        answer: Option<Answer<'_>>,
        json: &mut JsonScratch,
    ) -> Result<Step, ApiFault> {
        match answer {
            None => {
                let path = format!("/instruments/{}", exchange.name());
                Ok(Step::Ask(Ask::here(get(auth, path))))
            }
            Some(answer) if answer.status == 200 => Ok(Step::Done),
            // A dump is CSV; an envelope is the reason why there is none.
            Some(answer) => {
                faults::data(answer.status, answer.body, json, |_| Ok(()))?;
                Err(ApiFault::no_file(answer.status))
            }
        }
    }

    /// A whole dump has more rows than an index can number.
    fn parse_master(
        file: &[u8],
        _exchange: Exchange,
        keep: &dyn Fn(&Instrument) -> bool,
        qty_max: &dyn Fn(&ContractKey<'_>) -> Qty,
    ) -> Result<Master, MasterFault> {
        let find = |header: &ByteRecord| places(header, COLUMNS);
        Master::read(file, find, keep, |columns, row| {
            Row::new(columns.map(|at| field(row, at))).instrument(qty_max)
        })
    }
}

/// The texts of a row.
struct Row<'a> {
    token: &'a str,
    symbol: &'a str,
    name: &'a str,
    expiry: &'a str,
    strike: &'a str,
    tick: &'a str,
    lot: &'a str,
    kind: &'a str,
    segment: &'a str,
    exchange: &'a str,
}

impl<'a> Row<'a> {
    const fn new(fields: [&'a str; COLUMNS.len()]) -> Self {
        let [
            token,
            symbol,
            name,
            expiry,
            strike,
            tick,
            lot,
            kind,
            segment,
            exchange,
        ] = fields;
        Self {
            token,
            symbol,
            name,
            expiry,
            strike,
            tick,
            lot,
            kind,
            segment,
            exchange,
        }
    }

    fn instrument(&self, qty_max: &dyn Fn(&ContractKey<'_>) -> Qty) -> Result<Instrument, Reason> {
        let exchange = Exchange::parse(self.exchange).ok_or(Reason::Foreign)?;
        let kind = self.kind()?;
        let expiry = self.expiry(kind)?;
        let token = self.token.parse().map(Token);
        let token = token.map_err(|_| Reason::column("instrument_token", self.token))?;
        let tick = price("tick_size", self.tick)?;
        let lot = self.lot.parse().map(Qty);
        let lot = lot.map_err(|_| Reason::column("lot_size", self.lot))?;
        if self.symbol.is_empty() {
            return Err(Reason::column("tradingsymbol", self.symbol));
        }
        if kind != Kind::Index && (tick <= Price::ZERO || lot == Qty::ZERO) {
            return Err(Reason::Bad(format!(
                "tick_size is {tick}, lot_size is {lot}"
            )));
        }
        let underlying = self.underlying(kind);
        let key = ContractKey {
            exchange,
            underlying,
            kind,
            lot,
        };
        Ok(Instrument {
            ix: InstrumentIx(0),
            token,
            exchange,
            symbol: self.symbol.to_owned(),
            underlying: underlying.to_owned(),
            kind,
            expiry,
            tick,
            lot,
            qty_max: match kind {
                Kind::Index => Qty::ZERO,
                Kind::Equity | Kind::Future | Kind::Option { .. } => qty_max(&key),
            },
        })
    }

    fn kind(&self) -> Result<Kind, Reason> {
        let option = |right| {
            let strike = price("strike", self.strike)?;
            Ok(Kind::Option { right, strike })
        };
        match (self.segment, self.kind) {
            ("INDICES", _) => Ok(Kind::Index),
            (_, "EQ") => Ok(Kind::Equity),
            (_, "FUT") => Ok(Kind::Future),
            (_, "CE") => option(Right::Call),
            (_, "PE") => option(Right::Put),
            _ => Err(Reason::Foreign),
        }
    }

    fn expiry(&self, kind: Kind) -> Result<Option<Day>, Reason> {
        if !is_dated(kind) {
            return Ok(None);
        }
        let day = Day::parse(self.expiry).ok_or_else(|| Reason::column("expiry", self.expiry));
        day.map(Some)
    }

    fn underlying(&self, kind: Kind) -> &'a str {
        match (is_dated(kind), self.name) {
            (false, _) => self.symbol,
            (true, "") => leading_name(self.symbol),
            (true, name) => name,
        }
    }
}

const fn is_dated(kind: Kind) -> bool {
    matches!(kind, Kind::Future | Kind::Option { .. })
}

fn price(column: &str, text: &str) -> Result<Price, Reason> {
    Price::parse(text.as_bytes()).map_err(|_| Reason::column(column, text))
}

/// The part of a derivative's symbol before its year, for dumps that leave the name blank.
fn leading_name(symbol: &str) -> &str {
    let digit = symbol.bytes().skip(1).position(|b| b.is_ascii_digit());
    digit
        .and_then(|at| symbol.get(..at.saturating_add(1)))
        .unwrap_or(symbol)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::master::stand_in;

    const HEAD: &str = "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,\
                        tick_size,lot_size,instrument_type,segment,exchange\n";

    fn read(rows: &str) -> Result<Master, MasterFault> {
        let dump = format!("{HEAD}{rows}");
        Kite::parse_master(dump.as_bytes(), Exchange::Nfo, &|_| true, &stand_in)
    }

    #[test]
    fn every_kind_of_row_is_read() {
        let master = read(
            "256265,1001,NIFTY 50,NIFTY 50,0,,0,0,0,EQ,INDICES,NSE\n\
             779521,3045,SBIN,STATE BANK OF INDIA,0.0,,0.0,0.05,1,EQ,NSE,NSE\n\
             13368834,52222,BANKNIFTY26NOVFUT,\"BANKNIFTY\",0.0,2026-11-24,0,0.2,35,FUT,NFO-FUT,NFO\n\
             10189826,39804,NIFTY26N1724400CE,NIFTY,12.3,2026-11-17,24400,0.05,75,CE,NFO-OPT,NFO\n\
             10190082,39805,RELIANCE26NOV187.5PE,,12.3,2026-11-24,187.5,0.05,500,PE,NFO-OPT,NFO\n\
             1,1,GIFT,,0,,0,0,0,EQ,INDICES,NSEIX\n\
             2,1,ODD,,0,,0,0.05,1,BOND,NSE,NSE\n",
        )
        .expect("a dump");
        assert_eq!((master.rows, master.foreign, master.bad), (7, 2, 0));
        let [index, share, future, call, put] = master.instruments.as_slice() else {
            panic!("five rows");
        };
        assert_eq!(
            (index.kind, index.underlying.as_str()),
            (Kind::Index, "NIFTY 50")
        );
        assert_eq!(
            (share.kind, share.underlying.as_str()),
            (Kind::Equity, "SBIN")
        );
        assert_eq!(
            (future.kind, future.lot, future.qty_max),
            (Kind::Future, Qty(35), Qty(245))
        );
        assert_eq!(future.expiry, Day::from_ymd(2026, 11, 24));
        let strike = Price::from_rupees(24_400);
        assert_eq!(
            call.kind,
            Kind::Option {
                right: Right::Call,
                strike
            }
        );
        assert_eq!((call.underlying.as_str(), call.tick), ("NIFTY", Price(500)));
        let strike = Price(1_875_000);
        assert_eq!(
            put.kind,
            Kind::Option {
                right: Right::Put,
                strike
            }
        );
        assert_eq!(put.underlying, "RELIANCE");
    }

    #[test]
    fn quoted_names_keep_their_commas() {
        let row = "5,1,ABC,\"A, B & \"\"C\"\"\",0,,0,0.05,1,EQ,NSE,NSE\n";
        assert_eq!(read(row).expect("a dump").instruments.len(), 1);
    }

    #[test]
    fn the_caller_decides_what_to_keep_and_how_large_an_order_may_be() {
        let rows = "1,1,A,A,0,,0,0.05,1,EQ,NSE,NSE\n2,1,B,B,0,,0,0.05,7,EQ,NSE,NSE\n";
        let master = Kite::parse_master(
            format!("{HEAD}{rows}").as_bytes(),
            Exchange::Nfo,
            &|row| row.symbol == "B",
            &|key| Qty(key.lot.0 * 3),
        )
        .expect("a dump");
        assert_eq!((master.rows, master.instruments.len()), (2, 1));
        assert_eq!(master.instruments[0].qty_max, Qty(21));
    }

    #[test]
    fn one_bad_row_in_a_hundred_is_named_and_two_refuse_the_dump() {
        let good = "1,1,A,A,0,,0,0.05,1,EQ,NSE,NSE\n";
        let bad = "x,1,A,A,0,,0,0.05,1,EQ,NSE,NSE\n";
        let master = read(&format!("{}{bad}", good.repeat(99))).expect("one per cent");
        assert_eq!(master.bad, 1);
        assert_eq!(
            master.first_bad,
            Some((101, "instrument_token is `x`".to_owned()))
        );
        let fault = read(&format!("{}{bad}{bad}", good.repeat(98)));
        assert!(matches!(
            fault,
            Err(MasterFault::TooManyBad {
                bad: 2,
                rows: 100,
                line: 100,
                ..
            })
        ));
    }

    #[test]
    fn a_dump_without_rows_or_columns_is_refused() {
        assert_eq!(read(""), Err(MasterFault::Empty));
        let fault = Kite::parse_master(b"a,b\n1,2\n", Exchange::Nfo, &|_| true, &stand_in);
        assert_eq!(fault, Err(MasterFault::Column("instrument_token")));
        let fault = Kite::parse_master(b"", Exchange::Nfo, &|_| true, &stand_in);
        assert_eq!(fault, Err(MasterFault::Column("instrument_token")));
    }

    #[test]
    fn fields_that_decide_are_checked() {
        for row in [
            "1,1,A,A,0,,0,0,1,EQ,NSE,NSE\n",
            "1,1,A,A,0,,0,0.05,0,EQ,NSE,NSE\n",
            "1,1,A,A,0,soon,0,0.05,1,FUT,NFO-FUT,NFO\n",
            "1,1,A,A,0,2026-11-24,x,0.05,1,CE,NFO-OPT,NFO\n",
            "1,1,,A,0,,0,0.05,1,EQ,NSE,NSE\n",
            "4294967296,1,A,A,0,,0,0.05,1,EQ,NSE,NSE\n",
            "1,1\n",
        ] {
            let outcome = read(row);
            let foreign = outcome.as_ref().is_ok_and(|m| m.foreign == 1);
            assert!(
                foreign || matches!(outcome, Err(MasterFault::TooManyBad { .. })),
                "{row}"
            );
        }
    }
}
