//! What an instrument master held, whichever broker's it was.
//!
//! No master of the supported brokers but Dhan's and Kotak's names a freeze quantity. The largest order comes from a
//! function the caller gives, normally the market rules; [`ten_lots`] is the cautious stand-in.

use crate::model::{Exchange, Instrument, Kind, Qty};

/// Lots in one order when nobody knows the freeze quantity: below that of every index contract.
const STAND_IN_LOTS: u32 = 10;

/// What a dump held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Master {
    /// The rows that passed the filter; their index is given by the instrument table they go into.
    pub instruments: Vec<Instrument>,
    /// Rows read.
    pub rows: u64,
    /// Rows of exchanges or kinds we do not know.
    pub foreign: u64,
    /// Rows that could not be read.
    pub bad: u64,
    /// The first of them: line and reason.
    pub first_bad: Option<(u64, String)>,
}

/// Why a dump cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MasterFault {
    /// A column is missing.
    #[error("the instrument dump has no column `{0}`")]
    Column(&'static str),
    /// No row at all.
    #[error("the instrument dump has no rows")]
    Empty,
    /// Too many rows cannot be read.
    #[error("{bad} of {rows} rows of the instrument dump cannot be read, first line {line}: {why}")]
    TooManyBad {
        /// Rows that cannot be read.
        bad: u64,
        /// Rows in all.
        rows: u64,
        /// Line of the first.
        line: u64,
        /// Its reason.
        why: String,
    },
}

/// What the largest order may be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContractKey<'a> {
    /// Where it trades.
    pub exchange: Exchange,
    /// Name of the underlying.
    pub underlying: &'a str,
    /// Future, option, share.
    pub kind: Kind,
    /// Units in one lot.
    pub lot: Qty,
}

/// The cautious stand-in for an unknown freeze quantity: ten lots, below the freeze quantity of every index
/// contract (the smallest, in 2026, is 17 lots).
pub fn ten_lots(contract: &ContractKey<'_>) -> Qty {
    Qty(contract.lot.0.saturating_mul(STAND_IN_LOTS))
}
