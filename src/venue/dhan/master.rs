//! The instrument list of the day (protocols/dhan.md, section 8): CSV in, [`Instrument`]s out.
//!
//! Promises
//! - Both files are read, the detailed one and the compact one; columns are found by name, because the set has grown and
//!   shrunk. A file without a needed column is refused.
//! - Ticks are in paise. Some old rows give rupees: a tick that is on no grid of its segment as paise is taken as rupees,
//!   and one that is on none either way is a bad row.
//! - `SM_FREEZE_QTY` is the first quantity that is refused: the largest order is the most whole lots below it. Without
//!   one (the compact file, fillers of zero and less) the largest order comes from a function the caller gives.
//! - An instrument is its segment and number. The trading symbol carries no day, so weekly and monthly contracts of one
//!   month share it: it is for people.

use super::Dhan;
use super::columns::{Columns, Row};
use super::request::get;
use super::segment::Segment;
use crate::model::{Day, Exchange, Instrument, InstrumentIx, Kind, Price, Qty, Right};
use crate::venue::master::{ContractKey, Master, MasterFault, Reason};
use crate::venue::session::{Answer, Ask, Step};
use crate::venue::{ApiFault, Auth, JsonScratch, Masters};

/// The host of the files.
const FILES: &str = "https://images.dhan.co";
/// The file of all segments with freeze quantities.
const DETAILED: &str = "/api-data/api-scrip-master-detailed.csv";

impl Masters for Dhan {
    /// The detailed file holds every exchange.
    fn master(
        auth: &Auth,
        _exchange: Exchange,
        answer: Option<Answer<'_>>,
        _json: &mut JsonScratch,
    ) -> Result<Step, ApiFault> {
        match answer {
            None => Ok(Step::Ask(Ask {
                at: Some(FILES.to_owned()),
                // The files are public, and no token leaves for another host than it needs to.
                request: crate::venue::Request {
                    headers: Vec::new(),
                    ..get(auth, DETAILED)
                },
            })),
            Some(answer) if answer.status == 200 => Ok(Step::Done),
            Some(answer) => Err(ApiFault::no_file(answer.status)),
        }
    }

    fn parse_master(
        file: &[u8],
        exchange: Exchange,
        keep: &dyn Fn(&Instrument) -> bool,
        qty_max: &dyn Fn(&ContractKey<'_>) -> Qty,
    ) -> Result<Master, MasterFault> {
        Master::read(file, Columns::find, keep, |columns, row| {
            columns.read(row).instrument(exchange, qty_max)
        })
    }
}

impl Row<'_> {
    fn segment(&self) -> Option<Segment> {
        Some(match (self.exchange, self.segment) {
            (_, "I") => Segment::Index,
            ("NSE", "E") => Segment::NseEq,
            ("NSE", "D") => Segment::NseFno,
            ("NSE", "C") => Segment::NseCurrency,
            ("BSE", "E") => Segment::BseEq,
            ("BSE", "D") => Segment::BseFno,
            ("BSE", "C") => Segment::BseCurrency,
            ("MCX", "M") => Segment::Mcx,
            _ => return None,
        })
    }

    /// The exchange as contracts name it; an index belongs to the cash segment of its exchange.
    fn exchange(&self, segment: Segment) -> Option<Exchange> {
        if segment == Segment::Index {
            return Exchange::parse(self.exchange);
        }
        Exchange::parse(segment.exchange_name())
    }

    fn kind(&self) -> Result<Kind, Reason> {
        if self.instrument == "INDEX" {
            return Ok(Kind::Index);
        }
        if self.instrument == "EQUITY" {
            return Ok(Kind::Equity);
        }
        if self.instrument.starts_with("FUT") {
            return Ok(Kind::Future);
        }
        if !self.instrument.starts_with("OPT") {
            return Err(Reason::Foreign);
        }
        let right = match self.right {
            "CE" => Right::Call,
            "PE" => Right::Put,
            other => return Err(Reason::column("option type", other)),
        };
        let strike = Price::parse(self.strike.as_bytes())
            .map_err(|_| Reason::column("strike", self.strike))?;
        Ok(Kind::Option { right, strike })
    }

    fn instrument(
        &self,
        wanted: Exchange,
        qty_max: &dyn Fn(&ContractKey<'_>) -> Qty,
    ) -> Result<Instrument, Reason> {
        let segment = self.segment().ok_or(Reason::Foreign)?;
        let exchange = self.exchange(segment).filter(|found| *found == wanted);
        let exchange = exchange.ok_or(Reason::Foreign)?;
        let token = self.id.parse().ok().and_then(|id| segment.token(id));
        let token = token.ok_or_else(|| Reason::column("security id", self.id))?;
        // Behind the number: a shifted row must not pass for a kind nobody trades here.
        let kind = self.kind()?;
        if self.symbol.is_empty() {
            return Err(Reason::column("symbol", ""));
        }
        if kind == Kind::Index && self.display.is_empty() {
            return Err(Reason::column("display name", ""));
        }
        if kind == Kind::Index {
            return Ok(Instrument {
                ix: InstrumentIx(0),
                token,
                exchange,
                symbol: self.display.to_uppercase(),
                underlying: self.symbol.to_owned(),
                kind,
                expiry: None,
                tick: Price::ZERO,
                lot: Qty::ZERO,
                qty_max: Qty::ZERO,
            });
        }
        let lot = whole(self.lot).filter(|lot| *lot > 0).map(Qty);
        let lot = lot.ok_or_else(|| Reason::column("lot", self.lot))?;
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
            expiry: self.expiry(kind)?,
            tick: tick(segment, self.tick).ok_or_else(|| Reason::column("tick", self.tick))?,
            lot,
            qty_max: largest(self.freeze, lot).unwrap_or_else(|| qty_max(&key)),
        })
    }

    fn expiry(&self, kind: Kind) -> Result<Option<Day>, Reason> {
        if kind == Kind::Equity {
            return Ok(None);
        }
        // The compact file adds a time of day, which is not that of the session's end.
        let day = self.expiry.get(..10).and_then(Day::parse);
        // 0001-01-01 stands for none.
        let day = day.filter(|day| day.date().year() > 1);
        day.map(Some)
            .ok_or_else(|| Reason::column("expiry", self.expiry))
    }

    /// The name of the underlying; without a column for it, the trading symbol in front of its month.
    fn underlying(&self, kind: Kind) -> &str {
        if kind == Kind::Equity {
            return self.symbol;
        }
        if !self.underlying.is_empty() {
            return self.underlying;
        }
        // NIFTY-Nov2026-24000-CE, NIFTY-Nov2026-FUT; names with a dash are whole in front.
        let parts = if kind == Kind::Future { 3 } else { 4 };
        self.symbol
            .rsplitn(parts, '-')
            .last()
            .unwrap_or(self.symbol)
    }
}

/// The whole number of a text such as `65.0`.
fn whole(text: &str) -> Option<u32> {
    let units = Price::parse(text.as_bytes()).ok()?.0;
    let rupee = crate::model::price::PER_RUPEE;
    let number = units.checked_div(rupee).filter(|_| units % rupee == 0)?;
    u32::try_from(number).ok()
}

/// Ticks there are, in 1/10 000 rupee.
const fn grid(segment: Segment) -> &'static [i64] {
    match segment {
        Segment::NseCurrency | Segment::BseCurrency => &[25, 50, 100, 500],
        Segment::Mcx => &[500, 1_000, 2_000, 5_000, 10_000, 50_000, 100_000],
        Segment::Index | Segment::NseEq | Segment::BseEq | Segment::NseFno | Segment::BseFno => {
            &[100, 200, 500, 1_000, 2_000, 5_000, 10_000, 50_000]
        }
    }
}

/// The tick of a text in paise, or, where that is on no grid, in rupees.
fn tick(segment: Segment, text: &str) -> Option<Price> {
    let units = Price::parse(text.as_bytes()).ok()?.0;
    let known = |units: i64| grid(segment).contains(&units).then_some(Price(units));
    let paise = units.checked_div(100).filter(|_| units % 100 == 0);
    paise.and_then(known).or_else(|| known(units))
}

/// The largest order below the first quantity that is refused, in whole lots; `None` for a filler.
fn largest(freeze: &str, lot: Qty) -> Option<Qty> {
    let below = whole(freeze)?.checked_sub(1)?;
    let most = below.checked_sub(below.checked_rem(lot.0)?)?;
    (most > 0).then_some(Qty(most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::master::stand_in;

    const DETAILED: &str = "EXCH_ID,SEGMENT,SECURITY_ID,ISIN,INSTRUMENT,UNDERLYING_SECURITY_ID,UNDERLYING_SYMBOL,\
        SYMBOL_NAME,DISPLAY_NAME,INSTRUMENT_TYPE,SERIES,LOT_SIZE,SM_EXPIRY_DATE,STRIKE_PRICE,OPTION_TYPE,TICK_SIZE,\
        EXPIRY_FLAG,SM_UPPER_LIMIT,SM_LOWER_LIMIT,SM_FREEZE_QTY,\n";
    const CALL: &str = "NSE,D,35070,NA,OPTIDX,26000,NIFTY,NIFTY-Nov2026-18950-CE,NIFTY 23 NOV 18950 CALL,OP,NA,65.0,\
        2026-11-23,18950.00000,CE,5.0000,M,4500.4000,3369.3000,1756,\n";

    fn read(exchange: Exchange, rows: &str) -> Result<Master, MasterFault> {
        let file = format!("{DETAILED}{rows}");
        Dhan::parse_master(file.as_bytes(), exchange, &|_| true, &stand_in)
    }

    fn one(exchange: Exchange, row: &str) -> Instrument {
        let master = read(exchange, row).expect("a file");
        assert_eq!((master.rows, master.bad), (1, 0), "{:?}", master.first_bad);
        master.instruments[0].clone()
    }

    #[test]
    fn the_official_row_becomes_the_contract_it_is() {
        let call = one(Exchange::Nfo, CALL);
        assert_eq!(Some(call.token), Segment::NseFno.token(35_070));
        assert_eq!(call.symbol, "NIFTY-Nov2026-18950-CE");
        assert_eq!(
            (call.underlying.as_str(), call.exchange),
            ("NIFTY", Exchange::Nfo)
        );
        let strike = Price::from_rupees(18_950);
        let right = Right::Call;
        assert_eq!(call.kind, Kind::Option { right, strike });
        assert_eq!(call.expiry, Day::from_ymd(2026, 11, 23));
        assert_eq!(
            (call.tick, call.lot, call.qty_max),
            (Price(500), Qty(65), Qty(1_755))
        );
    }

    #[test]
    fn the_order_of_columns_does_not_matter_and_a_missing_one_refuses_the_file() {
        let turned = "SM_FREEZE_QTY,TICK_SIZE,OPTION_TYPE,STRIKE_PRICE,SM_EXPIRY_DATE,LOT_SIZE,DISPLAY_NAME,SYMBOL_NAME,\
            UNDERLYING_SYMBOL,INSTRUMENT,SECURITY_ID,SEGMENT,NEW,EXCH_ID\n\
            1756,5.0000,CE,18950.00000,2026-11-23,65.0,NIFTY 23 NOV 18950 CALL,NIFTY-Nov2026-18950-CE,NIFTY,OPTIDX,35070,D,?,NSE\n";
        let master = Dhan::parse_master(turned.as_bytes(), Exchange::Nfo, &|_| true, &stand_in);
        assert_eq!(
            master.expect("a file").instruments[0],
            one(Exchange::Nfo, CALL)
        );
        let lame = turned.replace("TICK_SIZE", "TICK");
        let fault = Dhan::parse_master(lame.as_bytes(), Exchange::Nfo, &|_| true, &stand_in);
        assert_eq!(fault, Err(MasterFault::Column("TICK_SIZE")));
        assert_eq!(read(Exchange::Nfo, ""), Err(MasterFault::Empty));
        assert!(Dhan::parse_master(b"", Exchange::Nfo, &|_| true, &stand_in).is_err());
    }

    #[test]
    fn the_compact_file_names_the_same_contract_without_its_freeze() {
        let file = "SEM_EXM_EXCH_ID,SEM_SEGMENT,SEM_SMST_SECURITY_ID,SEM_INSTRUMENT_NAME,SEM_EXPIRY_CODE,\
            SEM_TRADING_SYMBOL,SEM_LOT_UNITS,SEM_CUSTOM_SYMBOL,SEM_EXPIRY_DATE,SEM_STRIKE_PRICE,SEM_OPTION_TYPE,\
            SEM_TICK_SIZE,SEM_EXPIRY_FLAG,SEM_EXCH_INSTRUMENT_TYPE,SEM_SERIES,SM_SYMBOL_NAME\n\
            NSE,D,35070,OPTIDX,0,NIFTY-Nov2026-18950-CE,65.0,NIFTY 23 NOV 18950 CALL,2026-11-23 14:30:00,18950.00000,\
            CE,5.0000,M,OP,NA,\n\
            NSE,D,35071,FUTSTK,0,BAJAJ-AUTO-Nov2026-FUT,75.0,BAJAJ-AUTO NOV FUT,2026-11-23 14:30:00,-0.01000,XX,10.0000,\
            M,FUT,NA,\n";
        let master = Dhan::parse_master(file.as_bytes(), Exchange::Nfo, &|_| true, &stand_in);
        let rows = master.expect("a file").instruments;
        let same = Instrument {
            qty_max: Qty(455),
            ..one(Exchange::Nfo, CALL)
        };
        assert_eq!(rows[0], same);
        assert_eq!(
            (rows[1].underlying.as_str(), rows[1].kind),
            ("BAJAJ-AUTO", Kind::Future)
        );
        assert_eq!(rows[1].tick, Price(1_000));
    }

    #[test]
    fn one_number_in_two_segments_is_two_instruments_and_each_exchange_gets_its_own() {
        let rows = "NSE,I,13,NA,INDEX,26000,NIFTY,NIFTY,Nifty 50,INDEX,X,1.0,0001-01-01,0,XX,0.0500,NA,0,0,0,\n\
            NSE,E,13,INE,EQUITY,0,ABB,ABB,ABB India,ES,EQ,1.0,0001-01-01,0,XX,5.0000,NA,1,1,-1,\n\
            BSE,I,51,NA,INDEX,1,SENSEX,SENSEX,Sensex,INDEX,X,1.0,0001-01-01,0,XX,0.0500,NA,0,0,0,\n\
            MCX,M,4,NA,FUTCOM,1,GOLD,GOLD-05Oct2026-FUT,GOLD OCT FUT,FUT,NA,1.0,2026-10-05,0,XX,100.0000,M,1,1,101,\n\
            NSE,X,5,NA,BOND,0,B,B,B,X,X,1.0,0001-01-01,0,XX,5.0000,NA,0,0,0,\n";
        let nse = read(Exchange::Nse, rows).expect("a file");
        assert_eq!((nse.rows, nse.foreign, nse.bad), (5, 3, 0));
        let [index, share] = nse.instruments.as_slice() else {
            panic!("{nse:?}")
        };
        assert_eq!(
            (index.symbol.as_str(), index.underlying.as_str()),
            ("NIFTY 50", "NIFTY")
        );
        assert_eq!(Some(index.token), Segment::Index.token(13));
        assert_eq!(Some(share.token), Segment::NseEq.token(13));
        assert_eq!(share.qty_max, Qty(7), "a filler is no freeze quantity");
        let sensex = read(Exchange::Bse, rows).expect("a file").instruments;
        assert_eq!(sensex[0].symbol, "SENSEX");
        let gold = read(Exchange::Mcx, rows).expect("a file").instruments;
        assert_eq!(
            (gold[0].lot, gold[0].tick, gold[0].qty_max),
            (Qty(1), Price(10_000), Qty(100))
        );
    }

    #[test]
    fn ticks_are_paise_unless_only_rupees_make_sense() {
        for (segment, text, expected) in [
            (Segment::NseFno, "5.0000", Some(500)),
            (Segment::NseFno, "10.0000", Some(1_000)),
            (Segment::NseEq, "1.0000", Some(100)),
            (Segment::NseFno, "0.0500", Some(500)),
            (Segment::NseFno, "0.2", Some(2_000)),
            (Segment::NseCurrency, "0.2500", Some(25)),
            (Segment::NseCurrency, "0.0025", Some(25)),
            (Segment::Mcx, "100.0000", Some(10_000)),
            (Segment::Mcx, "1.0000", Some(10_000)),
            (Segment::NseFno, "3.0", None),
            (Segment::NseFno, "0", None),
            (Segment::NseFno, "-5.0", None),
            (Segment::NseFno, "x", None),
        ] {
            assert_eq!(
                tick(segment, text),
                expected.map(Price),
                "{segment:?} {text}"
            );
        }
    }

    #[test]
    fn the_freeze_quantity_is_the_first_that_is_refused() {
        for (freeze, lot, expected) in [
            ("1756", 65, Some(1_755)),
            ("1755", 65, Some(1_690)),
            ("1801", 75, Some(1_800)),
            ("66", 65, Some(65)),
            ("65", 65, None),
            ("0", 65, None),
            ("-1", 65, None),
            ("", 65, None),
            ("1756.5", 65, None),
        ] {
            assert_eq!(largest(freeze, Qty(lot)), expected.map(Qty), "{freeze}");
        }
    }

    #[test]
    fn shifted_rows_are_bad_and_more_than_one_in_a_hundred_refuses_the_file() {
        let shifted = CALL.replacen("35070,", "", 1);
        let good = CALL.repeat(99);
        let master = read(Exchange::Nfo, &format!("{good}{shifted}")).expect("one in a hundred");
        assert_eq!((master.instruments.len(), master.bad), (99, 1));
        let fault = read(Exchange::Nfo, &format!("{good}{shifted}{shifted}"));
        assert!(
            matches!(
                fault,
                Err(MasterFault::TooManyBad {
                    bad: 2,
                    line: 101,
                    ..
                })
            ),
            "{fault:?}"
        );
    }

    #[test]
    fn a_contract_without_a_day_is_bad() {
        for day in ["0001-01-01", "", "2026-13-01"] {
            let row = CALL.replace("2026-11-23", day);
            assert!(read(Exchange::Nfo, &row).is_err(), "{day}");
        }
    }

    #[test]
    fn the_file_is_asked_for_without_a_token() {
        let (auth, mut json) = (Auth::new("1000000001", "jwt"), JsonScratch::new());
        let Ok(Step::Ask(ask)) = Dhan::master(&auth, Exchange::Nfo, None, &mut json) else {
            panic!("an ask")
        };
        assert_eq!(ask.at.as_deref(), Some("https://images.dhan.co"));
        assert!(ask.request.headers.is_empty());
        let mut body = b"EXCH_ID".to_vec();
        let mut answered = |status| {
            let body = &mut body;
            Dhan::master(
                &auth,
                Exchange::Nfo,
                Some(Answer {
                    number: 1,
                    status,
                    body,
                }),
                &mut json,
            )
        };
        assert_eq!(answered(200), Ok(Step::Done));
        assert_eq!(answered(403), Err(ApiFault::NoFile { status: 403 }));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_an_answer(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400), cut in 0..300_usize) {
            let mut file = format!("{DETAILED}{CALL}").into_bytes();
            file.truncate(cut.saturating_add(file.len() / 2));
            file.extend_from_slice(&bytes);
            for file in [bytes.as_slice(), &file] {
                let kept = Dhan::parse_master(file, Exchange::Nfo, &|_| true, &stand_in);
                for row in kept.map(|master| master.instruments).unwrap_or_default() {
                    assert!(row.tick > Price::ZERO && row.lot > Qty::ZERO && row.qty_max > Qty::ZERO);
                }
            }
        }
    }
}
