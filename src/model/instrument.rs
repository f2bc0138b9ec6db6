//! What can be watched and traded, as one dated row of the broker's instrument master.

use super::ids::{InstrumentIx, Token};
use super::price::Price;
use super::qty::Qty;
use super::time::Day;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where an instrument trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, PartialOrd, Ord)]
#[serde(rename_all = "UPPERCASE")]
pub enum Exchange {
    /// National Stock Exchange, cash and indices.
    Nse,
    /// BSE, cash and indices.
    Bse,
    /// NSE equity derivatives.
    Nfo,
    /// BSE equity derivatives.
    Bfo,
    /// NSE currency derivatives.
    Cds,
    /// BSE currency derivatives.
    Bcd,
    /// Multi Commodity Exchange.
    Mcx,
}

impl Exchange {
    /// Every exchange.
    pub const ALL: [Self; 7] = [
        Self::Nse,
        Self::Bse,
        Self::Nfo,
        Self::Bfo,
        Self::Cds,
        Self::Bcd,
        Self::Mcx,
    ];

    /// The name brokers use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nse => "NSE",
            Self::Bse => "BSE",
            Self::Nfo => "NFO",
            Self::Bfo => "BFO",
            Self::Cds => "CDS",
            Self::Bcd => "BCD",
            Self::Mcx => "MCX",
        }
    }

    /// Reads the name brokers use.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "NSE" => Self::Nse,
            "BSE" => Self::Bse,
            "NFO" => Self::Nfo,
            "BFO" => Self::Bfo,
            "CDS" => Self::Cds,
            "BCD" => Self::Bcd,
            "MCX" => Self::Mcx,
            _ => return None,
        })
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The right an option gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, PartialOrd, Ord)]
pub enum Right {
    /// To buy: CE.
    #[serde(rename = "CE")]
    Call,
    /// To sell: PE.
    #[serde(rename = "PE")]
    Put,
}

/// What kind of contract an instrument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An index value: watched, never traded.
    Index,
    /// A share.
    Equity,
    /// A future.
    Future,
    /// An option.
    Option {
        /// CALL or PUT.
        right: Right,
        /// Strike price.
        #[serde(skip)]
        strike: Price,
    },
}

/// One contract of the day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// Our dense index.
    pub ix: InstrumentIx,
    /// The broker's number for today.
    pub token: Token,
    /// Where it trades.
    pub exchange: Exchange,
    /// The broker's trading symbol.
    pub symbol: String,
    /// Name of the underlying; its own name for an index.
    pub underlying: String,
    /// Contract kind.
    pub kind: Kind,
    /// Expiry day of a future or option.
    pub expiry: Option<Day>,
    /// Smallest price step.
    pub tick: Price,
    /// Units in one lot.
    pub lot: Qty,
    /// Largest quantity of one order: whole lots below the exchange's freeze quantity.
    pub qty_max: Qty,
}

impl Instrument {
    /// True for what can be ordered.
    pub const fn is_tradable(&self) -> bool {
        !matches!(self.kind, Kind::Index)
    }
}

/// The instruments of a run, by dense index.
#[derive(Clone, Debug, Default)]
pub struct InstrumentTable {
    rows: Vec<Instrument>,
}

impl InstrumentTable {
    /// Builds the table; rows get their index from their position.
    pub fn new(mut rows: Vec<Instrument>) -> Self {
        for (position, row) in rows.iter_mut().enumerate() {
            row.ix = InstrumentIx(u16::try_from(position).unwrap_or(u16::MAX));
        }
        rows.truncate(usize::from(u16::MAX));
        Self { rows }
    }

    /// Number of instruments.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The row of an index, if it is one of this table's.
    pub fn get(&self, ix: InstrumentIx) -> Option<&Instrument> {
        self.rows.get(ix.at())
    }

    /// All rows in index order.
    pub fn iter(&self) -> std::slice::Iter<'_, Instrument> {
        self.rows.iter()
    }

    /// The row with this broker token.
    pub fn by_token(&self, token: Token) -> Option<&Instrument> {
        self.rows.iter().find(|row| row.token == token)
    }
}

impl<'a> IntoIterator for &'a InstrumentTable {
    type Item = &'a Instrument;
    type IntoIter = std::slice::Iter<'a, Instrument>;
    fn into_iter(self) -> Self::IntoIter {
        self.rows.iter()
    }
}
