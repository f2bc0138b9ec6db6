//! Columns of the instrument lists, by their names in either file, and the texts of a row.

use crate::venue::master::{MasterFault, field, place};
use csv::ByteRecord;

/// What a row has to say, in our order.
const FIELDS: usize = 12;

/// Names of the detailed file. The last two may be missing.
const DETAILED_COLUMNS: [&str; FIELDS] = [
    "EXCH_ID",
    "SEGMENT",
    "SECURITY_ID",
    "INSTRUMENT",
    "SYMBOL_NAME",
    "DISPLAY_NAME",
    "LOT_SIZE",
    "SM_EXPIRY_DATE",
    "STRIKE_PRICE",
    "OPTION_TYPE",
    "TICK_SIZE",
    "UNDERLYING_SYMBOL",
];

/// Names of the compact file, which has no column for the underlying.
const COMPACT_COLUMNS: [&str; FIELDS] = [
    "SEM_EXM_EXCH_ID",
    "SEM_SEGMENT",
    "SEM_SMST_SECURITY_ID",
    "SEM_INSTRUMENT_NAME",
    "SEM_TRADING_SYMBOL",
    "SEM_CUSTOM_SYMBOL",
    "SEM_LOT_UNITS",
    "SEM_EXPIRY_DATE",
    "SEM_STRIKE_PRICE",
    "SEM_OPTION_TYPE",
    "SEM_TICK_SIZE",
    "",
];

/// The freeze quantity, in the detailed file alone.
const FREEZE: &str = "SM_FREEZE_QTY";

/// Where the columns of a file are; `None` for one it does not have.
pub(super) struct Columns {
    places: [Option<usize>; FIELDS],
    freeze: Option<usize>,
}

impl Columns {
    pub(super) fn find(header: &ByteRecord) -> Result<Self, MasterFault> {
        let place = |name: &str| place(header, name).filter(|_| !name.is_empty());
        let is_compact = place("SEM_SMST_SECURITY_ID").is_some();
        let names = if is_compact {
            COMPACT_COLUMNS
        } else {
            DETAILED_COLUMNS
        };
        let places = names.map(place);
        let missing = names
            .iter()
            .zip(places)
            .find(|(name, at)| at.is_none() && !name.is_empty());
        if let Some((name, _)) = missing {
            return Err(MasterFault::Column(name));
        }
        Ok(Self {
            places,
            freeze: place(FREEZE),
        })
    }

    pub(super) fn read<'r>(&self, record: &'r ByteRecord) -> Row<'r> {
        let field = |at: Option<usize>| at.map_or("", |at| field(record, at));
        let [
            exchange,
            segment,
            id,
            instrument,
            symbol,
            display,
            lot,
            expiry,
            strike,
            right,
            tick,
            underlying,
        ] = self.places.map(field);
        Row {
            exchange,
            segment,
            id,
            instrument,
            symbol,
            display,
            lot,
            expiry,
            strike,
            right,
            tick,
            underlying,
            freeze: field(self.freeze),
        }
    }
}

/// One row as it stands.
pub(super) struct Row<'r> {
    pub(super) exchange: &'r str,
    pub(super) segment: &'r str,
    pub(super) id: &'r str,
    pub(super) instrument: &'r str,
    pub(super) symbol: &'r str,
    pub(super) display: &'r str,
    pub(super) lot: &'r str,
    pub(super) expiry: &'r str,
    pub(super) strike: &'r str,
    pub(super) right: &'r str,
    pub(super) tick: &'r str,
    pub(super) underlying: &'r str,
    pub(super) freeze: &'r str,
}
