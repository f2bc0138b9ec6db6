//! The scrip master.

use super::{fixture, session};
use tezi::model::{Day, Exchange, Kind, Price, Qty, Right};
use tezi::venue::kotak::Kotak;
use tezi::venue::kotak::master::parse_paths;
use tezi::venue::kotak::segment::{Segment, index_token};
use tezi::venue::master::{Master, MasterFault};
use tezi::venue::session::{Answer, Step};
use tezi::venue::{ApiFault, JsonScratch, Masters as _};

/// The names as they stand in the files: blanks and a semicolon are part of some.
const HEAD: &str = "pSymbol,pGroup,pExchSeg,pInstType,pSymbolName,pTrdSymbol,pOptionType,pISIN,dTickSize ,lLotSize,\
                    lExpiryDate ,lPrecision,dStrikePrice;,iLotSize,lFreezeQty\n";
/// 24 November 2026, 14:30 in India, counted from 1980.
const NSE_EXPIRY: &str = "1479978000";
/// 26 November 2026, 23:59:59 UTC, counted from 1970.
const PLAIN_EXPIRY: &str = "1795737599";

fn read(exchange: Exchange, rows: &str) -> Result<Master, MasterFault> {
    let most = |_: &tezi::venue::master::ContractKey<'_>| Qty(100_000);
    Kotak::parse_master(
        format!("{HEAD}{rows}").as_bytes(),
        exchange,
        &|_| true,
        &most,
    )
}

fn derivative(exchange: Exchange, row: &str) -> tezi::model::Instrument {
    let found = read(exchange, row).expect("a file");
    assert_eq!((found.bad, found.foreign), (0, 0), "{:?}", found.first_bad);
    found.instruments.into_iter().next().expect("a row")
}

#[test]
fn options_and_futures_of_nse_have_their_own_epoch_and_an_exclusive_freeze() {
    let rows = format!(
        "44498,,nse_fo,OPTIDX,NIFTY,NIFTY26NOV26000CE,CE,,5,65,{NSE_EXPIRY},2,2.6e+06,65,1801\n\
         44499,,nse_fo,OPTIDX,NIFTY,NIFTY26NOV26000PE,PE,,5,65,{NSE_EXPIRY},2,2600000,65,1800\n\
         61304,,nse_fo,FUTSTK,TCS,TCS26NOVFUT,XX,,10,225,{NSE_EXPIRY},2,-1,225,-1\n"
    );
    let found = read(Exchange::Nfo, &rows).expect("a file");
    assert_eq!((found.rows, found.bad, found.foreign), (3, 0, 0));
    let [call, put, future] = found.instruments.as_slice() else {
        panic!("three rows");
    };
    let strike = Price::from_rupees(26_000);
    let right = Right::Call;
    assert_eq!(call.kind, Kind::Option { right, strike });
    assert_eq!(call.token, Segment::NseFo.token(44_498).expect("28 bits"));
    assert_eq!(
        (call.symbol.as_str(), call.underlying.as_str()),
        ("NIFTY26NOV26000CE", "NIFTY")
    );
    assert_eq!(
        (call.expiry, call.tick, call.lot),
        (Day::parse("2026-11-24"), Price(500), Qty(65))
    );
    // 1801 is the first refused; 1800 is no multiple of 65, 1755 is.
    assert_eq!((call.qty_max, put.qty_max), (Qty(1_755), Qty(1_755)));
    let exact = format!("1,,nse_fo,OPTIDX,NIFTY,N,CE,,5,65,{NSE_EXPIRY},2,2600000,65,1755\n");
    assert_eq!(derivative(Exchange::Nfo, &exact).qty_max, Qty(1_690));
    // No freeze is no limit of the file's; the caller's stays.
    assert_eq!((future.kind, future.qty_max), (Kind::Future, Qty(100_000)));
}

#[test]
fn other_files_count_from_1970_and_name_the_largest_order() {
    for (exchange, segment) in [(Exchange::Bfo, "bse_fo"), (Exchange::Mcx, "mcx_fo")] {
        let row = format!(
            "861201,,{segment},OPTIDX,SENSEX,S,CE,,5,20,{PLAIN_EXPIRY},2,8500000,20,1000\n"
        );
        let found = derivative(exchange, &row);
        assert_eq!(
            (found.expiry, found.qty_max),
            (Day::parse("2026-11-26"), Qty(1_000))
        );
    }
    let row = format!("1,,cde_fo,FUTCUR,USDINR,U,XX,,25,1,{NSE_EXPIRY},4,-1,1,-1\n");
    let found = derivative(Exchange::Cds, &row);
    assert_eq!(
        (found.expiry, found.tick),
        (Day::parse("2026-11-24"), Price(25))
    );
}

#[test]
fn the_published_cash_file_is_read() {
    let Some(bytes) = crate::fixtures::read("fixtures/kotak/nse_cm_sample.csv") else {
        return;
    };
    let most = |_: &tezi::venue::master::ContractKey<'_>| Qty(1_000_000);
    let found = Kotak::parse_master(&bytes, Exchange::Nse, &|_| true, &most).expect("a file");
    assert_eq!((found.rows, found.bad, found.foreign), (16, 0, 8));
    let names: Vec<&str> = found
        .instruments
        .iter()
        .map(|row| row.symbol.as_str())
        .collect();
    let expected = [
        "NYKAA-EQ",
        "GRPLTD-BE",
        "21STCENMGM-EQ",
        "AARTIIND-EQ",
        "IDEA-EQ",
        "HDFCBANK-EQ",
        "RELIANCE-EQ",
        "TCS-EQ",
    ];
    assert_eq!(names, expected);
    let row = &found.instruments[6];
    assert_eq!(
        (row.kind, row.underlying.as_str()),
        (Kind::Equity, "RELIANCE")
    );
    assert_eq!(row.token, Segment::NseCm.token(2_885).expect("28 bits"));
    assert_eq!(
        (row.tick, row.lot, row.qty_max),
        (Price(500), Qty(1), Qty(40_592))
    );
    assert_eq!(row.expiry, None);
}

#[test]
fn a_cash_row_without_an_isin_is_an_index() {
    let found = read(
        Exchange::Nse,
        "26000,,nse_cm,,NIFTY,Nifty 50,,,0,-1,-1,2,-1,0,-1\n",
    );
    let row = &found.expect("a file").instruments[0];
    assert_eq!(
        (row.kind, row.token),
        (Kind::Index, index_token(b"NIFTY 50"))
    );
    assert_eq!(
        (row.symbol.as_str(), row.is_tradable()),
        ("Nifty 50", false)
    );
}

#[test]
fn rows_that_contradict_themselves_are_skipped_and_named() {
    let good = format!("1,,nse_fo,OPTIDX,NIFTY,N,CE,,5,65,{NSE_EXPIRY},2,2600000,65,1801\n");
    for (from, to, why) in [
        (",65,1801", ",75,1801", "lLotSize is 65, iLotSize is 75"),
        ("1,,nse_fo", "268435456,,nse_fo", "pSymbol is `268435456`"),
        ("1,,nse_fo", "x,,nse_fo", "pSymbol is `x`"),
        (NSE_EXPIRY, "-1", "lExpiryDate is `-1`"),
        (",5,65,", ",0,65,", "dTickSize is 0.00, lLotSize is 65"),
        (",5,65,", ",x,65,", "dTickSize is `x`"),
        ("2600000", "2.6e+06x", "dStrikePrice is `2.6e+06x`"),
        (",2,2600000", ",5,2600001", "dStrikePrice is `2600001`"),
        (",2,2600000", ",x,2600000", "lPrecision is `x`"),
        (",N,CE", ",,CE", "pTrdSymbol is ``"),
    ] {
        assert!(good.contains(from), "{from}");
        let rows = format!("{}{}", good.repeat(99), good.replacen(from, to, 1));
        let found = read(Exchange::Nfo, &rows).expect("one per cent");
        assert_eq!((found.bad, found.instruments.len()), (1, 99));
        assert_eq!(found.first_bad, Some((101, why.to_owned())));
        let two = format!("{rows}{}", good.replacen(from, to, 1));
        let fault = read(Exchange::Nfo, &two);
        assert!(matches!(fault, Err(MasterFault::TooManyBad { bad: 2, .. })));
    }
    for (from, to) in [("nse_fo", "bse_fo"), ("nse_fo", "moon"), (",CE,", ",XX,")] {
        let found = read(Exchange::Nfo, &good.replacen(from, to, 1)).expect("a file");
        assert_eq!((found.foreign, found.instruments.len()), (1, 0), "{to}");
    }
}

#[test]
fn a_file_without_rows_or_columns_is_refused() {
    assert_eq!(read(Exchange::Nfo, ""), Err(MasterFault::Empty));
    let most = |_: &tezi::venue::master::ContractKey<'_>| Qty(1);
    for name in ["pSymbol", "dTickSize ", "dStrikePrice;", "lFreezeQty"] {
        let head = HEAD.replacen(name, "other", 1);
        let fault = Kotak::parse_master(head.as_bytes(), Exchange::Nfo, &|_| true, &most);
        let plain = name.trim_end_matches([' ', ';']);
        assert!(matches!(fault, Err(MasterFault::Column(missing)) if missing == plain));
    }
    let garbage = Kotak::parse_master(&[0xFF; 64], Exchange::Nfo, &|_| true, &most);
    assert_eq!(garbage, Err(MasterFault::Column("pSymbol")));
}

#[test]
fn the_published_list_names_a_file_of_every_segment() {
    let list = fixture("scrip_master_file_paths.json");
    let root = "https://lapi.kotaksecurities.com/wso2-scripmaster/v1/prod/2026-07-14";
    let wrapped = [br#"{"data":"#.as_slice(), &list, b"}"].concat();
    let mut json = JsonScratch::new();
    for list in [list, wrapped] {
        for (segment, file) in [
            (Segment::NseFo, "transformed/nse_fo.csv"),
            (Segment::BseFo, "transformed/bse_fo.csv"),
            (Segment::McxFo, "transformed/mcx_fo.csv"),
            (Segment::CdeFo, "transformed/cde_fo.csv"),
            (Segment::NseCm, "transformed-v1/nse_cm-v1.csv"),
            (Segment::BseCm, "transformed-v1/bse_cm-v1.csv"),
        ] {
            let found = parse_paths(200, &mut list.clone(), &mut json, segment);
            assert_eq!(found, Ok(format!("{root}/{file}")));
        }
        let none = parse_paths(200, &mut list.clone(), &mut json, Segment::BseCd);
        assert!(matches!(none, Err(ApiFault::Unreadable { .. })));
    }
}

#[test]
fn the_file_is_asked_for_where_the_list_says_and_without_the_key() {
    let (_, auth) = session();
    let mut json = JsonScratch::new();
    let first = Kotak::master(&auth, Exchange::Nfo, None, &mut json);
    let Ok(Step::Ask(ask)) = first else {
        panic!("{first:?}")
    };
    assert_eq!(ask.at, None);
    assert_eq!(
        ask.request.path,
        "/script-details/1.0/masterscrip/file-paths"
    );
    let mut answered = |number: u8, status: u16, body: &str| {
        let mut body = body.to_owned().into_bytes();
        let answer = Answer {
            number,
            status,
            body: &mut body,
        };
        let step = Kotak::master(&auth, Exchange::Nfo, Some(answer), &mut json);
        (step, body)
    };
    let list = r#"{"data":{"filesPaths":["https://files.example/a/2026-11-20/nse_fo.csv"]}}"#;
    let (Ok(Step::Ask(ask)), _) = answered(1, 200, list) else {
        panic!("the file");
    };
    assert_eq!(ask.at.as_deref(), Some("https://files.example"));
    assert_eq!(ask.request.path, "/a/2026-11-20/nse_fo.csv");
    assert!(!format!("{:?}", ask.request.headers).contains("c0n-sumer"));
    let (step, file) = answered(2, 200, HEAD);
    assert_eq!((step, file.as_slice()), (Ok(Step::Done), HEAD.as_bytes()));
    for status in [404, 429, 500] {
        assert!(answered(2, status, "").0.is_err());
    }
    for list in [r#"{"data":{"filesPaths":["nse_fo.csv"]}}"#, "{}", "<html>"] {
        assert!(answered(1, 200, list).0.is_err(), "{list}");
    }
}
