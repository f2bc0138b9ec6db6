//! A copy of an instrument master in a compact file of our own: read again without parsing the broker's text.
//!
//! ```text
//!   file = "TEZIMAST" | version u32 | crc32 of body u32 | body                          (little-endian)
//!   body = taken i64 | day i32 | exchange u8 | origin text | rows u32 | names u32 | row* | name bytes
//!   row  = token u32 | expiry i32 | strike i64 | tick i64 | lot u32 | largest u32
//!          | symbol at u32 | underlying at u32 | symbol length u8 | underlying length u8 | kind u8      (43 bytes)
//! ```
//!
//! Promises
//! - All or nothing: a copy whose length, checksum, version or any row does not fit is refused with its reason.
//! - Written beside and renamed, so that a copy is whole or not there.
//! - Rows stay as bytes; an [`Instrument`] is made of those that are wanted.

use super::bytes::{Input, put_length, put_piece};
use super::whole::write_whole;
use crate::model::{
    Day, Exchange, Instrument, InstrumentIx, Kind, Price, Qty, Right, Token, WallNanos,
};
use std::collections::HashMap;
use std::io;
use std::path::Path;

const MAGIC: &[u8; 8] = b"TEZIMAST";
const VERSION: u32 = 1;
const ROW: usize = 43;
/// Expiry of what never expires.
const NEVER: i32 = i32::MIN;

/// The largest order of a row whose master names none.
pub const QTY_MAX_UNKNOWN: Qty = Qty(u32::MAX);

/// Why a copy cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CopyFault {
    /// The file is not there or not readable.
    #[error("{file}: {source}")]
    Io {
        /// The file.
        file: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The file is damaged or something else.
    #[error(
        "{file}: not a sound copy of an instrument master: {why}; it is not used, and may be deleted"
    )]
    Unsound {
        /// The file.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// A row does not fit the format.
    #[error("{symbol}: {why}")]
    Row {
        /// Whose.
        symbol: String,
        /// What is wrong.
        why: &'static str,
    },
}

/// Where and when a copy was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// When it was downloaded, by the machine's clock.
    pub at: WallNanos,
    /// The trading day it is for.
    pub day: Day,
    /// The exchange.
    pub exchange: Exchange,
    /// Host and port it came from: copies of a simulated venue are worth nothing at another.
    pub origin: String,
}

/// A copy of one exchange's master, in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterCopy {
    /// Where and when it was taken.
    pub taken: Taken,
    rows: Vec<u8>,
    names: String,
}

/// One row, borrowed from its copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MasterRow<'a> {
    /// The broker's number for the day.
    pub token: Token,
    /// The broker's trading symbol.
    pub symbol: &'a str,
    /// Name of the underlying.
    pub underlying: &'a str,
    /// Contract kind.
    pub kind: Kind,
    /// Expiry of a future or option.
    pub expiry: Option<Day>,
    /// Smallest price step.
    pub tick: Price,
    /// Units in one lot.
    pub lot: Qty,
    /// Largest order, or [`QTY_MAX_UNKNOWN`].
    pub qty_max: Qty,
}

impl MasterCopy {
    /// Makes a copy of rows just read.
    ///
    /// # Errors
    ///
    /// [`CopyFault::Row`] when a name is longer than 255 bytes or there are too many rows.
    pub fn new(taken: Taken, instruments: &[Instrument]) -> Result<Self, CopyFault> {
        let mut copy = Self {
            taken,
            rows: Vec::with_capacity(instruments.len().saturating_mul(ROW)),
            names: String::new(),
        };
        let mut known: HashMap<&str, u32> = HashMap::new();
        for row in instruments {
            let fault = |why| CopyFault::Row {
                symbol: row.symbol.clone(),
                why,
            };
            let symbol = intern(&mut copy.names, &mut known, &row.symbol)
                .ok_or_else(|| fault("its name is longer than 255 bytes"))?;
            let underlying = intern(&mut copy.names, &mut known, &row.underlying)
                .ok_or_else(|| fault("the name of its underlying is longer than 255 bytes"))?;
            let (kind, strike) = kind_code(row.kind);
            let out = &mut copy.rows;
            out.extend_from_slice(&row.token.0.to_le_bytes());
            out.extend_from_slice(&row.expiry.map_or(NEVER, |day| day.0).to_le_bytes());
            out.extend_from_slice(&strike.0.to_le_bytes());
            out.extend_from_slice(&row.tick.0.to_le_bytes());
            out.extend_from_slice(&row.lot.0.to_le_bytes());
            out.extend_from_slice(&row.qty_max.0.to_le_bytes());
            out.extend_from_slice(&symbol.0.to_le_bytes());
            out.extend_from_slice(&underlying.0.to_le_bytes());
            out.extend_from_slice(&[symbol.1, underlying.1, kind]);
        }
        Ok(copy)
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len() / ROW
    }

    /// True without any row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows, in the order of the master.
    pub fn rows(&self) -> impl Iterator<Item = MasterRow<'_>> {
        // Every row was checked when the copy was made or read.
        self.rows
            .chunks_exact(ROW)
            .filter_map(|bytes| self.row(bytes))
    }

    fn row(&self, bytes: &[u8]) -> Option<MasterRow<'_>> {
        let mut input = Input(bytes);
        let token = Token(input.u32()?);
        let expiry = input.i32()?;
        let strike = Price(input.i64()?);
        let tick = Price(input.i64()?);
        let lot = Qty(input.u32()?);
        let qty_max = Qty(input.u32()?);
        let symbol_at = input.u32()?;
        let underlying_at = input.u32()?;
        let [symbol_length, underlying_length, kind] = input.take()?;
        let name = |at: u32, length: u8| {
            let at = usize::try_from(at).ok()?;
            self.names.get(at..at.checked_add(usize::from(length))?)
        };
        Some(MasterRow {
            token,
            symbol: name(symbol_at, symbol_length)?,
            underlying: name(underlying_at, underlying_length)?,
            kind: kind_of(kind, strike)?,
            expiry: (expiry != NEVER).then_some(Day(expiry)),
            tick,
            lot,
            qty_max,
        })
    }

    fn body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.rows.len() + self.names.len() + 64);
        let taken = &self.taken;
        body.extend_from_slice(&taken.at.0.to_le_bytes());
        body.extend_from_slice(&taken.day.0.to_le_bytes());
        body.push(exchange_code(taken.exchange));
        put_piece(&mut body, taken.origin.as_bytes());
        put_length(&mut body, self.len());
        put_length(&mut body, self.names.len());
        body.extend_from_slice(&self.rows);
        body.extend_from_slice(self.names.as_bytes());
        body
    }

    /// Writes the copy beside its place and renames it there.
    ///
    /// # Errors
    ///
    /// [`CopyFault::Io`].
    pub fn write(&self, path: &Path) -> Result<(), CopyFault> {
        let io = |source| CopyFault::Io {
            file: path.display().to_string(),
            source,
        };
        let body = self.body();
        let crc = crc32fast::hash(&body).to_le_bytes();
        write_whole(path, &[MAGIC, &VERSION.to_le_bytes(), &crc, &body]).map_err(io)
    }

    /// Reads a copy.
    ///
    /// # Errors
    ///
    /// [`CopyFault`] when it is missing, damaged, or of another version.
    pub fn read(path: &Path) -> Result<Self, CopyFault> {
        let file = || path.display().to_string();
        let bytes = std::fs::read(path).map_err(|source| CopyFault::Io {
            file: file(),
            source,
        })?;
        Self::from_bytes(&bytes).map_err(|why| CopyFault::Unsound { file: file(), why })
    }

    /// Reads a copy from the bytes of its file.
    ///
    /// # Errors
    ///
    /// What is wrong with them, in words.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let mut input = Input(bytes);
        let cut = || "it is cut".to_owned();
        if input.take() != Some(*MAGIC) {
            return Err("it does not begin like one".to_owned());
        }
        let version = input.u32().ok_or_else(cut)?;
        if version != VERSION {
            return Err(format!(
                "its version is {version}, this program reads {VERSION}"
            ));
        }
        let crc = input.u32().ok_or_else(cut)?;
        if crc32fast::hash(input.0) != crc {
            return Err("its checksum is wrong".to_owned());
        }
        let copy = Self::body_of(input).ok_or_else(cut)?;
        let unsound = copy
            .rows
            .chunks_exact(ROW)
            .position(|bytes| copy.row(bytes).is_none());
        match unsound {
            Some(number) => Err(format!("row {number} does not fit")),
            None => Ok(copy),
        }
    }

    fn body_of(mut input: Input<'_>) -> Option<Self> {
        let at = WallNanos(input.i64()?);
        let day = Day(input.i32()?);
        let exchange = exchange_of(input.byte()?)?;
        let origin = input.text()?.to_owned();
        let count = input.length()?;
        let names = input.length()?;
        let rows = input.slice(count.checked_mul(ROW)?)?.to_vec();
        let names = std::str::from_utf8(input.slice(names)?).ok()?.to_owned();
        let taken = Taken {
            at,
            day,
            exchange,
            origin,
        };
        input.0.is_empty().then_some(Self { taken, rows, names })
    }
}

impl MasterRow<'_> {
    /// The row as an instrument of its own.
    pub fn instrument(&self, exchange: Exchange) -> Instrument {
        Instrument {
            ix: InstrumentIx(0),
            token: self.token,
            exchange,
            symbol: self.symbol.to_owned(),
            underlying: self.underlying.to_owned(),
            kind: self.kind,
            expiry: self.expiry,
            tick: self.tick,
            lot: self.lot,
            qty_max: self.qty_max,
        }
    }
}

/// Where a name stands among the names, written there when it is new.
fn intern<'a>(
    names: &mut String,
    known: &mut HashMap<&'a str, u32>,
    name: &'a str,
) -> Option<(u32, u8)> {
    let length = u8::try_from(name.len()).ok()?;
    if let Some(at) = known.get(name) {
        return Some((*at, length));
    }
    let at = u32::try_from(names.len()).ok()?;
    names.push_str(name);
    known.insert(name, at);
    Some((at, length))
}

const fn kind_code(kind: Kind) -> (u8, Price) {
    match kind {
        Kind::Index => (0, Price::ZERO),
        Kind::Equity => (1, Price::ZERO),
        Kind::Future => (2, Price::ZERO),
        Kind::Option {
            right: Right::Call,
            strike,
        } => (3, strike),
        Kind::Option {
            right: Right::Put,
            strike,
        } => (4, strike),
    }
}

const fn kind_of(code: u8, strike: Price) -> Option<Kind> {
    Some(match code {
        0 => Kind::Index,
        1 => Kind::Equity,
        2 => Kind::Future,
        3 => Kind::Option {
            right: Right::Call,
            strike,
        },
        4 => Kind::Option {
            right: Right::Put,
            strike,
        },
        _ => return None,
    })
}

const fn exchange_code(exchange: Exchange) -> u8 {
    match exchange {
        Exchange::Nse => 0,
        Exchange::Bse => 1,
        Exchange::Nfo => 2,
        Exchange::Bfo => 3,
        Exchange::Cds => 4,
        Exchange::Bcd => 5,
        Exchange::Mcx => 6,
    }
}

const fn exchange_of(code: u8) -> Option<Exchange> {
    Some(match code {
        0 => Exchange::Nse,
        1 => Exchange::Bse,
        2 => Exchange::Nfo,
        3 => Exchange::Bfo,
        4 => Exchange::Cds,
        5 => Exchange::Bcd,
        6 => Exchange::Mcx,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
