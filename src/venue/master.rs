//! What an instrument master held, whichever broker's it was, and the one way all of them are read: CSV, row by row.
//!
//! A row that cannot be read is counted, the first by its line; more than 1 % of them refuse the whole dump.
//!
//! No master of the supported brokers but Dhan's and Kotak's names a freeze quantity. The largest order comes from a
//! function the caller gives, normally the market rules; [`stand_in`] is the cautious one.

use crate::model::{Exchange, Instrument, Kind, Qty};
use csv::ByteRecord;

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

/// Why a row of a dump is no instrument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is of an exchange or a kind we do not know.
    Foreign,
    /// It cannot be read: what is wrong.
    Bad(String),
}

impl Reason {
    /// A column whose value means nothing.
    pub fn column(name: &str, value: &str) -> Self {
        Self::Bad(format!("{name} is `{value}`"))
    }
}

impl Master {
    /// Reads a dump: `find` looks up its columns, `read` makes an instrument of a row, `keep` says which ones stay.
    ///
    /// # Errors
    ///
    /// [`MasterFault`] when a column is missing, there is no row, or more than 1 % cannot be read.
    pub fn read<C>(
        file: &[u8],
        find: impl FnOnce(&ByteRecord) -> Result<C, MasterFault>,
        keep: &dyn Fn(&Instrument) -> bool,
        read: impl Fn(&C, &ByteRecord) -> Result<Instrument, Reason>,
    ) -> Result<Self, MasterFault> {
        let mut master = Self::default();
        each_row(file, find, |at, columns, row| {
            let outcome = row.map_err(Reason::Bad).and_then(|row| read(columns, row));
            master.rows = master.rows.saturating_add(1);
            match outcome {
                Ok(row) if keep(&row) => master.instruments.push(row),
                Ok(_) => {}
                Err(Reason::Foreign) => master.foreign = master.foreign.saturating_add(1),
                Err(Reason::Bad(why)) => {
                    master.bad = master.bad.saturating_add(1);
                    let first = || (line_at(file, at), why);
                    master.first_bad.get_or_insert_with(first);
                }
            }
        })?;
        master.checked()
    }

    /// Refuses a dump without rows, or with too many bad ones.
    fn checked(self) -> Result<Self, MasterFault> {
        if self.rows == 0 {
            return Err(MasterFault::Empty);
        }
        match self.first_bad {
            Some((line, why)) if self.bad.saturating_mul(100) > self.rows => {
                Err(MasterFault::TooManyBad {
                    bad: self.bad,
                    rows: self.rows,
                    line,
                    why,
                })
            }
            first_bad => Ok(Self { first_bad, ..self }),
        }
    }
}

/// Hands every row of a dump to `take`, or what is wrong with it, with the byte it stands behind and the columns that
/// `find` found.
///
/// # Errors
///
/// What `find` says.
pub fn each_row<C>(
    file: &[u8],
    find: impl FnOnce(&ByteRecord) -> Result<C, MasterFault>,
    mut take: impl FnMut(u64, &C, Result<&ByteRecord, String>),
) -> Result<(), MasterFault> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
    let columns = find(&reader.byte_headers().cloned().unwrap_or_default())?;
    let mut record = ByteRecord::new();
    loop {
        let at = reader.position().byte();
        match reader.read_byte_record(&mut record) {
            Ok(false) => return Ok(()),
            Ok(true) => take(at, &columns, Ok(&record)),
            Err(error) => take(at, &columns, Err(error.to_string())),
        }
    }
}

/// The line, from 1, of the row behind a byte. The reader's own count is late where lines end in CR LF: it stops between
/// the two.
fn line_at(file: &[u8], at: u64) -> u64 {
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    let rest = file.get(at..).unwrap_or_default();
    let ends = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    let start = at.saturating_add(ends.count());
    let lines = file
        .get(..start)
        .unwrap_or(file)
        .split(|byte| *byte == b'\n');
    u64::try_from(lines.count()).unwrap_or(u64::MAX)
}

/// Where a column stands.
pub fn place(header: &ByteRecord, name: &str) -> Option<usize> {
    let is_it = |found: &[u8]| found.trim_ascii() == name.as_bytes();
    header.iter().position(is_it)
}

/// Where each of these columns stands.
///
/// # Errors
///
/// [`MasterFault::Column`] for the first that is missing.
pub fn places<const N: usize>(
    header: &ByteRecord,
    names: [&'static str; N],
) -> Result<[usize; N], MasterFault> {
    let mut places = [0; N];
    for (at, name) in places.iter_mut().zip(names) {
        *at = place(header, name).ok_or(MasterFault::Column(name))?;
    }
    Ok(places)
}

/// The text of a field without blanks around it; empty where there is none.
pub fn field(row: &ByteRecord, at: usize) -> &str {
    let bytes = row.get(at).unwrap_or_default();
    std::str::from_utf8(bytes).unwrap_or_default().trim()
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

    #[test]
    fn a_row_is_named_by_its_line_whatever_ends_it() {
        for (text, line) in [
            ("a\n1\nbad\n", 3),
            ("a\r\n1\r\nbad\r\n", 3),
            ("a\n\n1\n\n\nbad", 6),
            ("a\r\n\r\nbad", 3),
        ] {
            let mut found = None;
            let rows = each_row(
                text.as_bytes(),
                |header| places(header, ["a"]),
                |at, columns, row| {
                    let row = row.expect("bytes");
                    if columns.map(|at| field(row, at)) == ["bad"] {
                        found = Some(line_at(text.as_bytes(), at));
                    }
                },
            );
            assert_eq!((rows, found), (Ok(()), Some(line)), "{text:?}");
        }
    }
}
