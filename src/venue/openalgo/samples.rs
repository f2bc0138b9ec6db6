//! Instruments as the list has them, for the tests of this folder.

use super::symbol;
use crate::model::{Day, Exchange, Instrument, InstrumentIx, Kind, Price, Qty, Right};

/// An option as the instrument list has it.
pub(super) fn contract() -> Instrument {
    let symbol = "NIFTY25AUG2625000CE";
    Instrument {
        ix: InstrumentIx(0),
        token: symbol::token_of("NFO", symbol),
        exchange: Exchange::Nfo,
        symbol: symbol.to_owned(),
        underlying: "NIFTY".to_owned(),
        kind: Kind::Option {
            right: Right::Call,
            strike: Price::from_rupees(25_000),
        },
        expiry: Day::from_ymd(2026, 8, 25),
        tick: Price(500),
        lot: Qty(75),
        qty_max: Qty(1_725),
    }
}

/// An index.
pub(super) fn index() -> Instrument {
    Instrument {
        token: symbol::token_of("NSE_INDEX", "NIFTY"),
        exchange: Exchange::Nse,
        symbol: "NIFTY".to_owned(),
        kind: Kind::Index,
        expiry: None,
        ..contract()
    }
}
