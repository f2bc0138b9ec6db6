//! Sessions, lots and freeze quantities as the simulated exchange applies them.

use crate::model::time::MINUTE;
use crate::model::{Day, Exchange, Session, Window};

/// Everything about one underlying's contracts on a day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) lot: u32,
    /// Largest quantity of one order.
    pub(crate) qty_max: u32,
    pub(crate) strike_paise: i64,
    pub(crate) option_tick_paise: i64,
    pub(crate) future_tick_paise: i64,
}

/// The continuous session of index derivatives on a day, `None` on a day without one.
pub(crate) fn session(_exchange: Exchange, day: Day) -> Option<Session> {
    if day.weekday() > 5 {
        return None;
    }
    // NSE FAOP74467: close moves from 15:30 to 15:40 on 3 August 2026.
    let changed = Day::from_ymd(2026, 8, 3)?;
    let close = if day < changed { 930 } else { 940 };
    Some(Session::single(
        day,
        Window {
            open: day.at(555 * MINUTE),
            close: day.at(close * MINUTE),
        },
    ))
}

/// The terms of an underlying, `None` when it is not one of ours.
pub(crate) fn terms(underlying: &str) -> Option<Terms> {
    Some(match underlying {
        "BANKNIFTY" => Terms {
            lot: 30,
            qty_max: 600,
            strike_paise: 10_000,
            option_tick_paise: 5,
            future_tick_paise: 20,
        },
        "NIFTY" => Terms {
            lot: 65,
            qty_max: 1_755,
            strike_paise: 5_000,
            option_tick_paise: 5,
            future_tick_paise: 10,
        },
        _ => return None,
    })
}

/// Last day of trading of an underlying's monthly contracts in a month.
///
/// Last Tuesday since September 2025, last Thursday before; a day without a session moves it back.
pub(crate) fn monthly_expiry(year: i16, month: i8) -> Option<Day> {
    let (next_year, next_month) = if month == 12 {
        (year + 1, 1)
    } else {
        (year, month + 1)
    };
    let tuesdays = Day::from_ymd(2025, 9, 1)?;
    let mut day = Day::from_ymd(next_year, next_month, 1)?.plus(-1);
    let weekday = if day >= tuesdays { 2 } else { 4 };
    while day.weekday() != weekday {
        day = day.plus(-1);
    }
    for _ in 0..10 {
        if session(Exchange::Nfo, day).is_some() {
            return Some(day);
        }
        day = day.plus(-1);
    }
    None
}

/// Last day of trading of the weekly contracts in the week of a day (from that day on), for NIFTY.
pub(crate) fn weekly_expiry(from: Day) -> Option<Day> {
    let mut day = from;
    while day.weekday() != 2 {
        day = day.plus(1);
    }
    (0..7)
        .map(|back| day.plus(-back))
        .find(|day| session(Exchange::Nfo, *day).is_some())
}
