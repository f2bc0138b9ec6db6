//! One block of a recording: records apart in columns, differences in place of values, and the whole compressed.
//!
//! ```text
//!   block   = stored u32 | columns u32 | raw u32 | from i64 | to i64 | crc32 u32 | stored bytes   (little-endian)
//!   stored  = zstd( (length u32 | bytes) of every column, then of every packet length its bytes by position )
//! ```
//!
//! Promises
//! - What was put in comes out, byte for byte, whatever it was: a record that is not of a known shape is kept as it is.
//! - A block needs no other: one can be read without those before it. Its head says which market times are in it, so
//!   that a reader can pass over it.
//! - The checksum covers head and bytes, and is checked before anything is decompressed.
//!
//! A packet of a frame is written as the difference to the packet of the same instrument and length before it, and
//! all first bytes of packets stand together, then all second bytes: most of them never change.

use super::{CLOCK, FRAME, TICK, TICK_BYTES};
use crate::model::{FeedFault, Quote, WallNanos};
use crate::venue::{Broker, Frame};
use std::collections::{BTreeMap, HashMap};

/// Bytes in front of what is stored.
pub(super) const HEAD: usize = 32;
/// Most bytes of records in a block, before they are told apart.
pub(super) const RAW_MAX: usize = 4 << 20;
/// Most bytes any part of a block may claim: one record of the largest frame beyond a full block.
const CLAIM_MAX: usize = 32 << 20;
/// zstd's level: 1 to 3 differ by 4 % on a recorded day, and take 1.3 times as long.
const LEVEL: i32 = 1;

/// The columns in the order they are stored.
#[derive(Clone, Copy)]
enum Column {
    Shape,
    InstrumentLow,
    InstrumentHigh,
    Flags,
    Last,
    High,
    Low,
    Bid,
    Ask,
    Time,
    Received,
    Volume,
    Merged,
    Clock,
    FrameAt,
    Parts,
    Slot,
    SlotLength,
    OtherLength,
    Other,
}

const COLUMNS: usize = Column::Other as usize + 1;

/// How a record is stored.
const AS_TICK: u8 = 0;
const AS_CLOCK: u8 = 1;
const AS_FRAME: u8 = 2;
const AS_IT_IS: u8 = 3;

const HAS_HIGH: u8 = 1;
const HAS_LOW: u8 = 2;
const HAS_BID: u8 = 4;
const HAS_ASK: u8 = 8;
const HAS_MERGED: u8 = 16;
const HAS_VOLUME: u8 = 32;

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
            from: WallNanos(i64::from_le_bytes(input.take()?)),
            to: WallNanos(i64::from_le_bytes(input.take()?)),
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
        let columns = zstd::bulk::decompress(stored, self.columns).ok()?;
        let raw = decode(&columns, self.raw)?;
        (raw.len() == self.raw).then_some(raw)
    }
}

/// The values that differences are taken from.
#[derive(Clone, Copy, Default)]
struct Before {
    last: i64,
    bid: i64,
    ask: i64,
}

/// What is known of one block while its records are told apart or joined; the same on both sides.
#[derive(Default)]
struct State {
    instruments: Vec<Before>,
    time: i64,
    received: i64,
    clock: (i64, i64),
    frame: (i64, i64),
}

impl State {
    fn instrument(&mut self, ix: u16) -> &mut Before {
        let at = usize::from(ix);
        if self.instruments.len() <= at {
            self.instruments.resize(at + 1, Before::default());
        }
        &mut self.instruments[at]
    }
}

/// Tells records apart and compresses them. Keeps its buffers.
pub(super) struct Encoder {
    broker: Option<Broker>,
    columns: [Vec<u8>; COLUMNS],
    /// Differences of packets, by length.
    rows: BTreeMap<usize, Vec<u8>>,
    compressor: Option<zstd::bulk::Compressor<'static>>,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder")
            .field("broker", &self.broker)
            .finish_non_exhaustive()
    }
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self {
            broker: None,
            columns: std::array::from_fn(|_| Vec::new()),
            rows: BTreeMap::new(),
            compressor: None,
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
        let span = self.tell_apart(records);
        let mut columns = Vec::with_capacity(records.len() / 4);
        for column in &self.columns {
            put_length(&mut columns, column.len());
            columns.extend_from_slice(column);
        }
        for (length, rows) in &self.rows {
            transpose(rows, *length, &mut columns);
        }
        let compressor = match &mut self.compressor {
            Some(compressor) => compressor,
            none => none.insert(zstd::bulk::Compressor::new(LEVEL)?),
        };
        let stored = compressor.compress(&columns)?;
        let mut block = Vec::with_capacity(HEAD + stored.len());
        put_length(&mut block, stored.len());
        put_length(&mut block, columns.len());
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

    /// Fills the columns; the earliest and latest market time.
    fn tell_apart(&mut self, records: &[u8]) -> (i64, i64) {
        self.columns.iter_mut().for_each(Vec::clear);
        self.rows.clear();
        let mut state = State::default();
        let mut slots = Slots::default();
        let mut span = (i64::MAX, i64::MIN);
        let mut rest = records;
        while let Some((kind, payload, after)) = next_record(rest) {
            rest = after;
            let time = match (kind, payload.len()) {
                (TICK, TICK_BYTES) => self.tick(payload, &mut state),
                (CLOCK, 16) => {
                    self.columns[Column::Shape as usize].push(AS_CLOCK);
                    let moment = &mut state.clock;
                    stamp(payload, moment, &mut self.columns[Column::Clock as usize])
                }
                (FRAME, 16..) => {
                    self.columns[Column::Shape as usize].push(AS_FRAME);
                    let (at, frame) = payload.split_at(16);
                    self.frame(frame, &mut slots);
                    stamp(
                        at,
                        &mut state.frame,
                        &mut self.columns[Column::FrameAt as usize],
                    )
                }
                _ => {
                    self.as_it_is(kind, payload);
                    None
                }
            };
            if let Some(time) = time {
                span = (span.0.min(time), span.1.max(time));
            }
        }
        if !rest.is_empty() {
            // No whole record: kept, so that what went in comes out.
            self.columns[Column::Shape as usize].push(AS_IT_IS);
            put_varint(
                &mut self.columns[Column::OtherLength as usize],
                rest.len() as u64,
            );
            self.columns[Column::Other as usize].extend_from_slice(rest);
        }
        span
    }

    fn as_it_is(&mut self, kind: u8, payload: &[u8]) {
        let length = u32::try_from(payload.len())
            .unwrap_or(u32::MAX)
            .to_le_bytes();
        self.columns[Column::Shape as usize].push(AS_IT_IS);
        put_varint(
            &mut self.columns[Column::OtherLength as usize],
            5 + payload.len() as u64,
        );
        let other = &mut self.columns[Column::Other as usize];
        other.extend_from_slice(&length);
        other.push(kind);
        other.extend_from_slice(payload);
    }

    fn tick(&mut self, payload: &[u8], state: &mut State) -> Option<i64> {
        let mut input = Input(payload);
        let mut next = || input.take().map(i64::from_le_bytes);
        let [last, high, low, bid, ask, time, received] = [
            next()?,
            next()?,
            next()?,
            next()?,
            next()?,
            next()?,
            next()?,
        ];
        let volume = u32::from_le_bytes(input.take()?);
        let [low_byte, high_byte] = input.take()?;
        let [merged, source] = input.take()?;
        let mut flags = 0;
        let mut put = |column: Column, value: i64, flag: u8, is_there: bool| {
            if is_there {
                flags |= flag;
                put_varint(&mut self.columns[column as usize], zigzag(value));
            }
        };
        let before = *state.instrument(u16::from_le_bytes([low_byte, high_byte]));
        put(Column::Last, last.wrapping_sub(before.last), 0, true);
        put(
            Column::High,
            high.wrapping_sub(last),
            HAS_HIGH,
            high != last,
        );
        put(Column::Low, low.wrapping_sub(last), HAS_LOW, low != last);
        let (below, above) = (bid.wrapping_sub(last), ask.wrapping_sub(last));
        put(
            Column::Bid,
            below.wrapping_sub(before.bid),
            HAS_BID,
            bid != 0,
        );
        put(
            Column::Ask,
            above.wrapping_sub(before.ask),
            HAS_ASK,
            ask != 0,
        );
        put(Column::Time, time.wrapping_sub(state.time), 0, true);
        put(
            Column::Received,
            received.wrapping_sub(state.received),
            0,
            true,
        );
        put(Column::Volume, i64::from(volume), HAS_VOLUME, volume != 0);
        if (merged, source) != (1, 0) {
            flags |= HAS_MERGED;
            self.columns[Column::Merged as usize].extend_from_slice(&[merged, source]);
        }
        self.columns[Column::Shape as usize].push(AS_TICK);
        self.columns[Column::InstrumentLow as usize].push(low_byte);
        self.columns[Column::InstrumentHigh as usize].push(high_byte);
        self.columns[Column::Flags as usize].push(flags);
        (state.time, state.received) = (time, received);
        *state.instrument(u16::from_le_bytes([low_byte, high_byte])) = Before {
            last,
            bid: if bid == 0 { before.bid } else { below },
            ask: if ask == 0 { before.ask } else { above },
        };
        Some(time)
    }

    fn frame(&mut self, frame: &[u8], slots: &mut Slots) {
        let parts = self
            .broker
            .map_or_else(Vec::new, |broker| split(broker, frame));
        let parts = if parts.is_empty() && !frame.is_empty() {
            vec![(u32::MAX, frame)]
        } else {
            parts
        };
        put_varint(
            &mut self.columns[Column::Parts as usize],
            parts.len() as u64,
        );
        for (key, part) in parts {
            let next = slots.before.len();
            let slot = *slots.numbers.entry((key, part.len())).or_insert(next);
            put_varint(&mut self.columns[Column::Slot as usize], slot as u64);
            if slot == next {
                let lengths = &mut self.columns[Column::SlotLength as usize];
                put_varint(lengths, part.len() as u64);
                slots.before.push(vec![0; part.len()]);
            }
            let before = &mut slots.before[slot];
            let row = self.rows.entry(part.len()).or_default();
            row.extend(
                part.iter()
                    .zip(before.iter())
                    .map(|(now, was)| now.wrapping_sub(*was)),
            );
            before.copy_from_slice(part);
        }
    }
}

/// Packets seen before: by whose they are and how long, with the last bytes of each.
#[derive(Default)]
struct Slots {
    numbers: HashMap<(u32, usize), usize>,
    before: Vec<Vec<u8>>,
}

/// The packets of a frame with the instrument of each, and what stands around them; nothing when the broker's
/// decoder refuses the frame. The parts joined are the frame.
fn split(broker: Broker, frame: &[u8]) -> Vec<(u32, &[u8])> {
    let mut parts = Vec::new();
    let Ok(Frame::Packets(mut cursor)) = broker.open_frame(frame) else {
        return parts;
    };
    let mut at = 0;
    let mut key = u32::MAX;
    loop {
        let next = cursor.at();
        let Some(part) = frame.get(at..next) else {
            return Vec::new();
        };
        if !part.is_empty() {
            parts.push((key, part));
        }
        at = next;
        match broker.next_quote(frame, &mut cursor) {
            Some(outcome) => key = key_of(&outcome),
            None => break,
        }
    }
    if let Some(part) = frame.get(at..).filter(|part| !part.is_empty()) {
        parts.push((key, part));
    }
    parts
}

fn key_of(outcome: &Result<Quote, FeedFault>) -> u32 {
    outcome.as_ref().map_or(u32::MAX, |quote| quote.token.0)
}

/// Writes wall and monotonic time as differences; the wall time.
fn stamp(payload: &[u8], before: &mut (i64, i64), column: &mut Vec<u8>) -> Option<i64> {
    let mut input = Input(payload);
    let wall = i64::from_le_bytes(input.take()?);
    let mono = i64::from_le_bytes(input.take()?);
    put_varint(column, zigzag(wall.wrapping_sub(before.0)));
    put_varint(column, zigzag(mono.wrapping_sub(before.1)));
    *before = (wall, mono);
    Some(wall)
}

/// Kind and payload of the first record, and what follows it; `None` when it is not whole.
fn next_record(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let mut input = Input(bytes);
    let length = input.length()?;
    let [kind] = input.take()?;
    let (payload, rest) = input.0.split_at_checked(length)?;
    Some((kind, payload, rest))
}

/// All first bytes of rows, then all second bytes, and so on.
fn transpose(rows: &[u8], length: usize, out: &mut Vec<u8>) {
    for position in 0..length {
        out.extend(rows.iter().skip(position).step_by(length));
    }
}

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 128 {
        out.push(value.to_le_bytes()[0] | 128);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}

#[derive(Clone, Copy)]
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (part, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*part)
    }

    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (part, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(part)
    }

    /// What stands behind its length. Not inlined: unrolled once for every column it gives the compiler a chain of
    /// conditions that it takes minutes to look through.
    #[inline(never)]
    fn part(&mut self) -> Option<Self> {
        let length = self.length()?;
        self.slice(length).map(Input)
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(u32::from_le_bytes(self.take()?)).ok()
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.take()?;
            value |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Some(value);
            }
        }
        None
    }

    fn size(&mut self) -> Option<usize> {
        usize::try_from(self.varint()?).ok()
    }

    fn signed(&mut self) -> Option<i64> {
        self.varint().map(unzigzag)
    }
}

/// The packets of a block by length, still apart by position.
struct Packets<'a> {
    /// First byte of a length's packets, how many there are, and how many were taken.
    places: BTreeMap<usize, (usize, usize, usize)>,
    bytes: &'a [u8],
}

impl Packets<'_> {
    /// Adds the next packet of a length to what was before, and puts it into `before` and at the end of `out`.
    fn next(&mut self, before: &mut [u8], out: &mut Vec<u8>) -> Option<()> {
        let (start, count, taken) = self.places.get_mut(&before.len())?;
        let mut at = start.checked_add(*taken)?;
        for byte in before.iter_mut() {
            *byte = byte.wrapping_add(*self.bytes.get(at)?);
            at = at.checked_add(*count)?;
        }
        *taken += 1;
        out.extend_from_slice(before);
        Some(())
    }
}

/// Joins the columns of a block to the records they were; `limit` is the most bytes they may have.
fn decode(bytes: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut input = Input(bytes);
    let mut columns = [Input(&[]); COLUMNS];
    for column in &mut columns {
        *column = input.part()?;
    }
    let mut packets = places(&columns, input.0)?;
    let mut joiner = Joiner {
        columns,
        state: State::default(),
        lengths: Vec::new(),
        out: Vec::with_capacity(limit),
    };
    let shapes = joiner.columns[Column::Shape as usize].0;
    for shape in shapes {
        match *shape {
            AS_TICK => joiner.tick()?,
            AS_CLOCK => joiner.clock()?,
            AS_FRAME => joiner.frame(&mut packets)?,
            AS_IT_IS => {
                let length = joiner.column(Column::OtherLength).size()?;
                let other = joiner.column(Column::Other).slice(length)?;
                joiner.out.extend_from_slice(other);
            }
            _ => return None,
        }
        if joiner.out.len() > limit {
            return None;
        }
    }
    Some(joiner.out)
}

/// Counts the packets of each length, and so finds where their bytes stand.
fn places<'a>(columns: &[Input<'a>; COLUMNS], bytes: &'a [u8]) -> Option<Packets<'a>> {
    let mut slots = columns[Column::Slot as usize];
    let mut slot_lengths = columns[Column::SlotLength as usize];
    let mut lengths = Vec::new();
    let mut places: BTreeMap<usize, (usize, usize, usize)> = BTreeMap::new();
    while !slots.0.is_empty() {
        let slot = slots.size()?;
        if slot == lengths.len() {
            lengths.push(slot_lengths.size()?);
        }
        places.entry(*lengths.get(slot)?).or_default().1 += 1;
    }
    let mut at = 0_usize;
    for (length, place) in &mut places {
        place.0 = at;
        at = at.checked_add(length.checked_mul(place.1)?)?;
    }
    (at == bytes.len()).then_some(Packets { places, bytes })
}

struct Joiner<'a> {
    columns: [Input<'a>; COLUMNS],
    state: State,
    /// The last packet of each slot.
    lengths: Vec<Vec<u8>>,
    out: Vec<u8>,
}

impl<'a> Joiner<'a> {
    const fn column(&mut self, column: Column) -> &mut Input<'a> {
        &mut self.columns[column as usize]
    }

    /// The value of a column, or what it is when it was left out.
    fn value(&mut self, column: Column, is_there: bool) -> Option<i64> {
        if is_there {
            self.column(column).signed()
        } else {
            Some(0)
        }
    }

    fn tick(&mut self) -> Option<()> {
        let [low_byte] = self.column(Column::InstrumentLow).take()?;
        let [high_byte] = self.column(Column::InstrumentHigh).take()?;
        let [flags] = self.column(Column::Flags).take()?;
        let ix = u16::from_le_bytes([low_byte, high_byte]);
        let before = *self.state.instrument(ix);
        let last = self.value(Column::Last, true)?.wrapping_add(before.last);
        let high = self
            .value(Column::High, flags & HAS_HIGH != 0)?
            .wrapping_add(last);
        let low = self
            .value(Column::Low, flags & HAS_LOW != 0)?
            .wrapping_add(last);
        let (has_bid, has_ask) = (flags & HAS_BID != 0, flags & HAS_ASK != 0);
        let below = self.value(Column::Bid, has_bid)?.wrapping_add(before.bid);
        let above = self.value(Column::Ask, has_ask)?.wrapping_add(before.ask);
        let bid = if has_bid { below.wrapping_add(last) } else { 0 };
        let ask = if has_ask { above.wrapping_add(last) } else { 0 };
        let time = self
            .value(Column::Time, true)?
            .wrapping_add(self.state.time);
        let received = self
            .value(Column::Received, true)?
            .wrapping_add(self.state.received);
        let volume = self.value(Column::Volume, flags & HAS_VOLUME != 0)?;
        let volume = u32::try_from(volume).ok()?;
        let [merged, source] = if flags & HAS_MERGED == 0 {
            [1, 0]
        } else {
            self.column(Column::Merged).take()?
        };
        (self.state.time, self.state.received) = (time, received);
        *self.state.instrument(ix) = Before {
            last,
            bid: below,
            ask: above,
        };
        let out = &mut self.out;
        out.extend_from_slice(&super::head(TICK, TICK_BYTES));
        for value in [last, high, low, bid, ask, time, received] {
            out.extend_from_slice(&value.to_le_bytes());
        }
        out.extend_from_slice(&volume.to_le_bytes());
        out.extend_from_slice(&[low_byte, high_byte, merged, source]);
        Some(())
    }

    fn clock(&mut self) -> Option<()> {
        let column = &mut self.columns[Column::Clock as usize];
        let moment = unstamp(column, &mut self.state.clock)?;
        self.out.extend_from_slice(&super::head(CLOCK, 16));
        self.out.extend_from_slice(&moment);
        Some(())
    }

    fn frame(&mut self, packets: &mut Packets<'_>) -> Option<()> {
        let column = &mut self.columns[Column::FrameAt as usize];
        let moment = unstamp(column, &mut self.state.frame)?;
        let place = self.out.len();
        self.out.extend_from_slice(&super::head(FRAME, 0));
        self.out.extend_from_slice(&moment);
        for _ in 0..self.column(Column::Parts).size()? {
            let slot = self.column(Column::Slot).size()?;
            if slot == self.lengths.len() {
                let length = self.column(Column::SlotLength).size()?;
                self.lengths.push(vec![0; length]);
            }
            packets.next(self.lengths.get_mut(slot)?, &mut self.out)?;
        }
        let length = self.out.len().checked_sub(place)?.checked_sub(5)?;
        let head = super::head(FRAME, length);
        self.out.get_mut(place..place + 5)?.copy_from_slice(&head);
        Some(())
    }
}

fn unstamp(column: &mut Input<'_>, before: &mut (i64, i64)) -> Option<[u8; 16]> {
    let wall = column.signed()?.wrapping_add(before.0);
    let mono = column.signed()?.wrapping_add(before.1);
    *before = (wall, mono);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&wall.to_le_bytes());
    bytes[8..].copy_from_slice(&mono.to_le_bytes());
    Some(bytes)
}
