//! How history is asked for, and what becomes of a call that is refused.

use super::*;
use crate::hot::compute::UnitPlan;
use crate::indicators::{BankPlan, ShortBar};
use crate::model::session::Window;
use crate::model::time::SECOND;
use crate::model::{Exchange, InstrumentIx, Kind, Price, Qty, StrategyIx, Token};
use crate::net::{Url, tls};
use crate::venue::Broker;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

const FIRST: Day = Day(20_700);
/// Four calls of twelve days at most.
const DAYS: i32 = 40;

/// A broker that has a minute of each day and answers its calls with these statuses, one after the other.
fn broker(statuses: &'static [u16]) -> Desk {
    let listener = TcpListener::bind("127.0.0.1:0").expect("port");
    let port = listener.local_addr().expect("address").port();
    let candle = |number: i32| {
        let day = FIRST.plus(number);
        format!("[\"{day}T09:15:00+0530\",1,2,1,2,5]")
    };
    let candles: Vec<String> = (0..DAYS).map(candle).collect();
    let rows = format!(
        "{{\"status\":\"success\",\"data\":{{\"candles\":[{}]}}}}",
        candles.join(",")
    );
    let server = std::thread::Builder::new().spawn(move || {
        let mut next = statuses.iter();
        for mut peer in listener.incoming().map_while(Result::ok) {
            while peer.read(&mut [0; 4_096]).is_ok_and(|count| count > 0) {
                let status = next.next().copied().unwrap_or(500);
                let refusal =
                    "{\"status\":\"error\",\"error_type\":\"DataException\",\"message\":\"none\"}";
                let body = if status == 200 { &rows } else { refusal };
                let length = body.len();
                let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n");
                write!(peer, "{head}{body}").ok();
            }
        }
    });
    server.expect("thread");
    let url = Url::parse(&format!("http://127.0.0.1:{port}")).expect("address");
    Desk::visitor(Broker::Kite, url, tls::client_config(None).expect("roots"))
}

fn sessions() -> Vec<Session> {
    let session = |number: i32| {
        let day = FIRST.plus(number);
        let open = day.at((9 * 60 + 15) * MINUTE);
        let close = open.offset(MINUTE);
        Session::single(day, Window { open, close })
    };
    (0..DAYS).map(session).collect()
}

/// The days that came, the calls it took, and what was told.
fn fetched(statuses: &'static [u16]) -> (usize, u32, Vec<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let text = include_str!("../../../../config/run.toml");
    let data = format!("data_dir = {:?}", folder.path());
    let text = text.replacen("data_dir = \"../data\"", &data, 1);
    let config = Config::parse(Path::new("config/run.toml"), &text).expect("a configuration");
    let mut desk = broker(statuses);
    let sources = Sources {
        desk: &mut desk,
        backup: None,
        origin: "kite",
        kept: None,
    };
    let now = FIRST.plus(DAYS).at(9 * 60 * MINUTE + SECOND);
    let mut library = Library::new(sources, &config, (now, |_| {}));
    let row = Instrument {
        ix: InstrumentIx(0),
        token: Token(1),
        exchange: Exchange::Nfo,
        symbol: "X26NOVFUT".to_owned(),
        underlying: "X".to_owned(),
        kind: Kind::Future,
        expiry: None,
        tick: Price(500),
        lot: Qty(1),
        qty_max: Qty(1),
    };
    let wanted = sessions();
    let unit = Unit::new(UnitPlan {
        strategy: StrategyIx(0),
        instrument: InstrumentIx(0),
        timeframe: Timeframe::MINUTE,
        short: ShortBar::Keep,
        bank: BankPlan::new(),
        sessions: wanted.clone(),
        warm_bars_min: 0,
    });
    let rows = library.rows(Which::Venue, &row, (&unit, &wanted));
    let rows = rows.expect("no dead session");
    (rows.len(), library.asked[0], library.troubles)
}

#[test]
fn a_call_that_is_refused_is_made_once_more_and_costs_no_other_ones_rows() {
    let (days, calls, told) = fetched(&[200, 500, 200, 200, 200]);
    assert_eq!(
        (days, calls, told.len()),
        (40, 5, 0),
        "the second time it came"
    );
    let (days, calls, told) = fetched(&[200, 500, 500, 200, 200]);
    assert_eq!((days, calls), (28, 5), "its twelve days are missing");
    assert!(told[0].contains("no history of X26NOVFUT"), "{told:?}");
    let (days, calls, told) = fetched(&[200, 500, 500, 500, 500, 200]);
    assert_eq!(
        (days, calls, told.len()),
        (12, 5, 2),
        "two stretches refused"
    );
}

#[test]
fn what_is_missing_is_asked_for_in_as_few_calls_as_there_are_stretches() {
    let session = |day: i32| {
        let window = Window {
            open: Day(day).at(0),
            close: Day(day).at(MINUTE),
        };
        Session::single(Day(day), window)
    };
    // Two weekends and a holiday lie between them.
    let days = [1, 2, 3, 4, 5, 8, 9, 11, 12, 15];
    let wanted: Vec<Session> = days.map(session).to_vec();
    let of = |missing: &[i32], span: i32| {
        let found = ranges(&wanted, |s| missing.contains(&s.day.0), span);
        found
            .iter()
            .map(|(from, to)| (from.0, to.0))
            .collect::<Vec<_>>()
    };
    assert_eq!(of(&days, 100), [(1, 15)]);
    assert_eq!(of(&days, 5), [(1, 5), (8, 12), (15, 15)]);
    assert_eq!(of(&[3, 9, 11, 15], 100), [(3, 3), (9, 11), (15, 15)]);
    assert!(of(&[], 100).is_empty());
}
