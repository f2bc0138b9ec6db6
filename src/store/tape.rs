//! A recording: every input of the deciding stage in the order it was taken, and the broker's raw frames.
//!
//! ```text
//!   file   = "TEZITAPE3\n" block*                    (a torn last block is cut, not fatal)
//!   block  = whole records, compressed, with a checksum and the market times in it   (see `block`)
//!   record = length u32 | kind u8 | payload          (little-endian; what the recording lanes carry)
//! ```
//!
//! Files of earlier formats are refused by name.
//!
//! Because the deciding stage sees nothing but these inputs, playing them back through the same code gives
//! the same intents, byte for byte.

mod apart;
mod bits;
mod block;
mod join;
mod reader;
mod rows;
mod table;
mod writer;

pub use reader::TapeReader;
pub use writer::TapeWriter;

use super::bytes::Input;
use crate::journal::Entry;
use crate::journal::record::{body, entry_of};
use crate::model::{Bar, InstrumentIx, MonoNanos, Origin, Price, Stamp, Tick, WallNanos};
use std::io;

/// What every recording begins with, before the number of its format and a line break.
const MAGIC: &[u8; 8] = b"TEZITAPE";
/// What follows it.
const FORMAT: &[u8] = b"3\n";
/// Largest record: the header of a run with every instrument there is room for.
const RECORD_MAX: usize = 16 << 20;

/// One record of a recording.
#[derive(Clone, Debug, PartialEq)]
pub enum TapeRecord {
    /// What is needed to build the same pipeline again, as JSON; the first record.
    Header(String),
    /// A closed bar given to a unit before the first tick.
    Warmup {
        /// Position of the unit.
        unit: u16,
        /// The bar.
        bar: Bar,
    },
    /// The state of an earlier run of the day that a unit began with.
    State {
        /// Position of the unit.
        unit: u16,
        /// Its words.
        bytes: Vec<u8>,
    },
    /// A tick.
    Tick(Tick),
    /// Bars were closed by the clock at this moment.
    Clock(Stamp),
    /// Something became known of an order.
    Outcome(Entry),
    /// A raw binary frame of the broker.
    Frame {
        /// When it was read.
        at: Stamp,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// A text message of the broker that was a tick.
    Text {
        /// When it was read.
        at: Stamp,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// Digests of the run that was recorded, as JSON; the last record of an orderly end.
    End(String),
}

const HEADER: u8 = 0;
const WARMUP: u8 = 1;
const TICK: u8 = 2;
const CLOCK: u8 = 3;
const OUTCOME: u8 = 4;
const FRAME: u8 = 5;
const END: u8 = 6;
const STATE: u8 = 7;
const TEXT: u8 = 8;

/// Length and kind of a record with a payload of `payload` bytes.
fn head(kind: u8, payload: usize) -> [u8; 5] {
    let length = u32::try_from(payload).unwrap_or(u32::MAX).to_le_bytes();
    [length[0], length[1], length[2], length[3], kind]
}

const TICK_BYTES: usize = 64;

/// A tick as a whole record, without allocation.
pub fn tick_record(tick: &Tick) -> [u8; 5 + TICK_BYTES] {
    let mut bytes = [0; 5 + TICK_BYTES];
    let mut at = 0;
    let mut put = |part: &[u8]| {
        bytes[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    };
    put(&head(TICK, TICK_BYTES));
    for price in [tick.last, tick.high, tick.low, tick.bid, tick.ask] {
        put(&price.0.to_le_bytes());
    }
    put(&tick.exchange_time.0.to_le_bytes());
    put(&tick.received.0.to_le_bytes());
    put(&tick.volume.to_le_bytes());
    put(&tick.instrument.0.to_le_bytes());
    put(&[tick.merged, tick.source.byte()]);
    bytes
}

/// A clock closing as a whole record, without allocation.
pub fn clock_record(now: Stamp) -> [u8; 5 + 16] {
    let mut bytes = [0; 5 + 16];
    bytes[..5].copy_from_slice(&head(CLOCK, 16));
    bytes[5..13].copy_from_slice(&now.wall.0.to_le_bytes());
    bytes[13..].copy_from_slice(&now.mono.0.to_le_bytes());
    bytes
}

/// An outcome as a whole record, without allocation.
pub fn outcome_record(entry: &Entry) -> [u8; 5 + 89] {
    let mut bytes = [0; 5 + 89];
    bytes[..5].copy_from_slice(&head(OUTCOME, 89));
    bytes[5..].copy_from_slice(&body(entry));
    bytes
}

/// Head of a frame record; the frame's bytes follow it.
pub fn frame_head(at: Stamp, frame: &[u8]) -> [u8; 5 + 16] {
    message_head(FRAME, at, frame)
}

/// Head of the record of a tick that was sent as text; the text follows it.
pub fn text_head(at: Stamp, text: &[u8]) -> [u8; 5 + 16] {
    message_head(TEXT, at, text)
}

fn message_head(kind: u8, at: Stamp, message: &[u8]) -> [u8; 5 + 16] {
    let mut bytes = clock_record(at);
    bytes[..5].copy_from_slice(&head(kind, message.len() + 16));
    bytes
}

fn text_record(kind: u8, text: &str) -> Vec<u8> {
    let mut bytes = head(kind, text.len()).to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TapeFault {
    /// The file is not there or not readable.
    #[error("{file}: {source}")]
    Unreadable {
        /// The file.
        file: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The file is something else.
    #[error(
        "{file}: not a tezi recording (it does not begin with TEZITAPE); record one with tezi run --record"
    )]
    NotATape {
        /// The file.
        file: String,
    },
    /// The file is a recording of a format this program does not know.
    #[error(
        "{file}: a recording of format {found:?}; this program reads 3: read it with the tezi that wrote it"
    )]
    Format {
        /// The file.
        file: String,
        /// What stands where the number is.
        found: char,
    },
}

impl Input<'_> {
    fn price(&mut self) -> Option<Price> {
        self.i64().map(Price)
    }
    fn stamp(&mut self) -> Option<Stamp> {
        Some(Stamp {
            wall: WallNanos(self.i64()?),
            mono: MonoNanos(self.u64()?),
        })
    }
}

/// Reads one payload; a kind of a later version is skipped by the caller.
fn decode(kind: u8, payload: &[u8]) -> Option<TapeRecord> {
    let mut input = Input(payload);
    Some(match kind {
        HEADER => TapeRecord::Header(String::from_utf8_lossy(payload).into_owned()),
        END => TapeRecord::End(String::from_utf8_lossy(payload).into_owned()),
        WARMUP => TapeRecord::Warmup {
            unit: input.u16()?,
            bar: Bar {
                start: WallNanos(input.i64()?),
                end: WallNanos(input.i64()?),
                open: input.price()?,
                high: input.price()?,
                low: input.price()?,
                close: input.price()?,
                volume: input.u64()?,
                ticks: input.u32()?,
            },
        },
        STATE => TapeRecord::State {
            unit: input.u16()?,
            bytes: input.0.to_vec(),
        },
        TICK => TapeRecord::Tick(Tick {
            last: input.price()?,
            high: input.price()?,
            low: input.price()?,
            bid: input.price()?,
            ask: input.price()?,
            exchange_time: WallNanos(input.i64()?),
            received: MonoNanos(input.u64()?),
            volume: input.u32()?,
            instrument: InstrumentIx(input.u16()?),
            merged: input.byte()?,
            source: Origin::from_byte(input.byte()?),
        }),
        CLOCK => TapeRecord::Clock(input.stamp()?),
        OUTCOME => TapeRecord::Outcome(entry_of(payload.try_into().ok()?)?),
        FRAME => TapeRecord::Frame {
            at: input.stamp()?,
            bytes: input.0.to_vec(),
        },
        TEXT => TapeRecord::Text {
            at: input.stamp()?,
            bytes: input.0.to_vec(),
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
