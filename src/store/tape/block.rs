//! One block of a recording: records apart in tables, and the whole compressed and sealed by a checksum.
//!
//! ```text
//!   block   = stored u32 | columns u32 | raw u32 | from i64 | to i64 | crc32 u32 | stored bytes   (little-endian)
//!   stored  = ( stored u32 | length u32 | zstd, or the bytes where that is not shorter )*     pieces of the columns
//!   columns = what `apart` writes and `join` reads
//! ```
//!
//! Promises
//! - What was put in comes out, byte for byte, whatever it was: a record that is not of a known shape is kept as it is.
//! - A block needs no other: one can be read without those before it. Its head says which market times are in it, so
//!   that a reader can pass over it.
//! - The checksum covers head and bytes, and is checked before anything is decompressed.
//!
//! A column of numbers is a piece of its own, because one table of codes for several of them fits none.

use super::apart::Apart;
use super::join;
use crate::model::WallNanos;
use crate::store::bytes::{Input, put_length};
use crate::venue::Broker;
use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

/// Bytes in front of what is stored.
pub(super) const HEAD: usize = 32;
/// Most bytes of records in a block, before they are told apart.
pub(super) const RAW_MAX: usize = 16 << 20;
/// Most bytes any part of a block may claim: one record of the largest frame beyond a full block.
const CLAIM_MAX: usize = 48 << 20;
/// Bytes from which a stream is a piece of its own.
const PIECE_MIN: usize = 1 << 10;
/// zstd's level for what repeats itself.
const LEVEL: i32 = 1;

/// What a block is about, from its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockHead {
    /// Bytes that follow the head.
    pub(super) stored: usize,
    columns: usize,
    raw: usize,
    /// Earliest market time in it.
    pub(super) from: WallNanos,
    /// Latest market time in it.
    pub(super) to: WallNanos,
    crc: u32,
}

impl BlockHead {
    /// Reads a head; `None` when what it claims is impossible.
    pub(super) fn read(bytes: &[u8; HEAD]) -> Option<Self> {
        let mut input = Input(bytes);
        let head = Self {
            stored: input.length()?,
            columns: input.length()?,
            raw: input.length()?,
            from: WallNanos(input.i64()?),
            to: WallNanos(input.i64()?),
            crc: u32::from_le_bytes(input.take()?),
        };
        let fits = head.stored.max(head.columns).max(head.raw) <= CLAIM_MAX;
        fits.then_some(head)
    }

    /// True when the bytes are those that were stored.
    pub(super) fn is_whole(&self, head: &[u8; HEAD], stored: &[u8]) -> bool {
        let mut sum = crc32fast::Hasher::new();
        sum.update(&head[..HEAD - 4]);
        sum.update(stored);
        sum.finalize() == self.crc
    }

    /// The records of a block that [`Self::is_whole`]; `None` when a program wrote it that does not write like this
    /// one.
    pub(super) fn records(&self, stored: &[u8]) -> Option<Vec<u8>> {
        let columns = unpack(stored, self.columns)?;
        let raw = join::records(&columns, self.raw)?;
        (raw.len() == self.raw).then_some(raw)
    }
}

/// The columns of pieces that come to `limit` bytes.
fn unpack(stored: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut input = Input(stored);
    let mut columns = Vec::new();
    while !input.0.is_empty() {
        let (stored, length) = (input.length()?, input.length()?);
        let piece = input.slice(stored)?;
        if columns.len().checked_add(length)? > limit {
            return None;
        }
        if stored == length {
            columns.extend_from_slice(piece);
        } else {
            let piece = zstd::bulk::decompress(piece, length).ok()?;
            if piece.len() != length {
                return None;
            }
            columns.extend_from_slice(&piece);
        }
    }
    (columns.len() == limit).then_some(columns)
}

/// Columns while they are written: streams behind their lengths, and where pieces begin.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) bytes: Vec<u8>,
    cuts: Vec<usize>,
}

impl Columns {
    /// Adds a stream behind its length.
    pub(super) fn stream(&mut self, bytes: &[u8]) {
        put_length(&mut self.bytes, bytes.len());
        let is_piece = bytes.len() >= PIECE_MIN;
        if is_piece {
            self.cuts.push(self.bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
        if is_piece {
            self.cuts.push(self.bytes.len());
        }
    }
}

/// Tells records apart and compresses them. Keeps its working memory.
pub(super) struct Encoder {
    broker: Option<Broker>,
    /// For what repeats itself, and for what does not: numbers that differ every time, of which some are more
    /// frequent than others. Looking for repetitions makes those larger.
    compressors: Option<[Compressor<'static>; 2]>,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder")
            .field("broker", &self.broker)
            .finish_non_exhaustive()
    }
}

fn compressors() -> std::io::Result<[Compressor<'static>; 2]> {
    let mut plain = Compressor::new(LEVEL)?;
    plain.set_parameter(CParameter::MinMatch(7))?;
    plain.set_parameter(CParameter::HashLog(6))?;
    Ok([Compressor::new(LEVEL)?, plain])
}

impl Encoder {
    pub(super) const fn new() -> Self {
        Self {
            broker: None,
            compressors: None,
        }
    }

    /// Whose frames they are: packets of a frame are told apart.
    pub(super) const fn set_broker(&mut self, broker: Broker) {
        self.broker = Some(broker);
    }

    /// A whole block of whole records, head and all.
    ///
    /// # Errors
    ///
    /// When the compressor fails, which has no reason but memory.
    pub(super) fn block(&mut self, records: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut apart = Apart::new(self.broker);
        apart.take(records);
        let span = apart.span();
        let columns = apart.columns();
        let stored = self.pack(&columns)?;
        let mut block = Vec::with_capacity(HEAD + stored.len());
        put_length(&mut block, stored.len());
        put_length(&mut block, columns.bytes.len());
        put_length(&mut block, records.len());
        block.extend_from_slice(&span.0.to_le_bytes());
        block.extend_from_slice(&span.1.to_le_bytes());
        let mut sum = crc32fast::Hasher::new();
        sum.update(&block);
        sum.update(&stored);
        block.extend_from_slice(&sum.finalize().to_le_bytes());
        block.extend_from_slice(&stored);
        Ok(block)
    }

    fn pack(&mut self, columns: &Columns) -> std::io::Result<Vec<u8>> {
        let compressors = match &mut self.compressors {
            Some(compressors) => compressors,
            none => none.insert(compressors()?),
        };
        let mut stored = Vec::with_capacity(columns.bytes.len() / 2);
        let mut from = 0;
        for to in columns.cuts.iter().copied().chain([columns.bytes.len()]) {
            let piece = columns.bytes.get(from..to).unwrap_or_default();
            from = to;
            if piece.is_empty() {
                continue;
            }
            let mut best = piece.to_vec();
            for compressor in compressors.iter_mut() {
                let packed = compressor.compress(piece)?;
                if packed.len() < best.len() {
                    best = packed;
                }
            }
            put_length(&mut stored, best.len());
            put_length(&mut stored, piece.len());
            stored.extend_from_slice(&best);
        }
        Ok(stored)
    }
}
