//! What an instrument master held, whichever broker's it was.
//!
//! No master of the supported brokers but Dhan's and Kotak's names a freeze quantity. The largest order comes from a
//! function the caller gives, normally the market rules; [`stand_in`] is the cautious one.

use crate::model::{Exchange, Instrument, Kind, Qty};

/// Lots in one order when nobody knows the freeze quantity: no more than the smallest of a circular, NIFTY India FPI 150
/// with 8500 units in lots of 1100 (market-rules.md, section 4), and below those in `config/market.toml`, which a test of
/// `config::market` checks. Our rules have no row of that index: neither its trading symbol nor its steps are known.
const STAND_IN_LOTS: u32 = 7;

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
    /// The last line is cut.
    #[error("the instrument dump is truncated: its last line has {found} of {wanted} columns")]
    Cut {
        /// Columns of the last line.
        found: usize,
        /// Columns of the first.
        wanted: usize,
    },
    /// Compressed bytes, though plain ones were asked for.
    #[error(
        "the instrument dump is compressed (gzip) though plain text was asked for; does a proxy in between do that?"
    )]
    Compressed,
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

/// The cautious stand-in for an unknown freeze quantity: seven lots.
pub fn stand_in(contract: &ContractKey<'_>) -> Qty {
    Qty(contract.lot.0.saturating_mul(STAND_IN_LOTS))
}

/// Refuses the text of a dump that ends in the middle of a line. One that is cut exactly behind a line cannot be
/// told from a short one by its text.
///
/// # Errors
///
/// [`MasterFault::Cut`], [`MasterFault::Compressed`].
pub fn check_end(file: &[u8]) -> Result<(), MasterFault> {
    if file.starts_with(&[0x1f, 0x8b]) {
        return Err(MasterFault::Compressed);
    }
    if file.last().is_none_or(|byte| *byte == b'\n') {
        return Ok(());
    }
    let mut lines = file.split(|byte| *byte == b'\n');
    let columns = |line: &[u8]| line.split(|byte| *byte == b',').count();
    let wanted = columns(lines.next().unwrap_or_default());
    match lines.next_back().map(columns) {
        Some(found) if found < wanted => Err(MasterFault::Cut { found, wanted }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stand_in_is_not_above_the_smallest_freeze_quantity_of_a_circular() {
        let lots = |underlying, lot| {
            stand_in(&ContractKey {
                exchange: Exchange::Nfo,
                underlying,
                kind: Kind::Future,
                lot: Qty(lot),
            })
        };
        assert!(lots("NIFTY India FPI 150", 1_100) <= Qty(8_500));
        assert_eq!(lots("RELIANCE", 500), Qty(3_500));
        assert_eq!(lots("A", u32::MAX), Qty(u32::MAX));
    }

    #[test]
    fn a_text_that_ends_within_a_line_is_cut_and_a_compressed_one_named() {
        assert_eq!(check_end(b"a,b,c\n1,2,3\n"), Ok(()));
        assert_eq!(check_end(b"a,b,c\n1,2,3"), Ok(()));
        assert_eq!(
            check_end(b"a,b,c\n1,2,3\n4,5"),
            Err(MasterFault::Cut {
                found: 2,
                wanted: 3
            })
        );
        assert_eq!(
            check_end(b"a,b,c\n1,\"x,y\",3\n4"),
            Err(MasterFault::Cut {
                found: 1,
                wanted: 3
            })
        );
        assert_eq!(check_end(b"[{\"a\":1,\"b\":2}]"), Ok(()));
        assert_eq!(check_end(b""), Ok(()));
        // Even a whole one: what is in it is not looked for.
        for bytes in [&b"\x1f\x8b\x08\0"[..], b"\x1f\x8b\n"] {
            assert_eq!(check_end(bytes), Err(MasterFault::Compressed));
        }
    }
}
