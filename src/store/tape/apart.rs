//! Records apart: what is alike stands together in tables.
//!
//! ```text
//!   columns = shapes | lengths and bytes of other records | clock table | frame table (wall, mono, parts)
//!           | part table (slot) | length of every slot | layouts u32 ( layout | packet table )* | bytes of other parts
//!           | matches of ticks | instruments of slots | instrument table | tick table | ( tick table )* of the layouts
//!   layout  = length u32 | is big-endian u8 | fields u8 | width u8 *
//! ```
//!
//! A frame is cut into its packets, and each packet into its numbers. A slot is an instrument's packets of one length.
//! A tick mostly says what a packet of its frame said: then it is written as what differs from that packet's numbers,
//! which are given to the reader before.

use super::bits::put_varint;
use super::block::Columns;
use super::table::{FIELDS_MAX, Table};
use super::{CLOCK, FRAME, TICK, TICK_BYTES};
use crate::model::{FeedFault, Quote};
use crate::store::bytes::{Input, put_length};
use crate::venue::{Broker, Fields, Frame};
use std::collections::{BTreeMap, HashMap};

/// How a record is stored.
pub(super) const AS_TICK: u8 = 0;
pub(super) const AS_CLOCK: u8 = 1;
pub(super) const AS_FRAME: u8 = 2;
pub(super) const AS_IT_IS: u8 = 3;

/// Numbers of a tick beside its instrument.
pub(super) const TICK_FIELDS: usize = 9;
/// Numbers a packet gives to its tick besides its own: when its frame was read, by both clocks.
const STAMPS: usize = 2;
/// Most numbers of a packet that is cut.
const NUMBERS_MAX: usize = FIELDS_MAX - STAMPS - TICK_FIELDS;
/// Longest packet that is cut.
const PACKET_MAX: usize = 4 * NUMBERS_MAX;
/// Numbers of what stands around packets: no tick was made of it.
pub(super) const HEAD_MAX: usize = 2;
/// Packets that a tick may be ahead of the last one.
const AHEAD: usize = 512;
/// Nanoseconds between a frame and a tick of it: messages that arrive in parts are stamped part by part.
const APART_NS: u64 = 1_000_000_000;

/// A tick as numbers.
type TickRow = [i64; TICK_FIELDS];

/// Packets of one length.
#[derive(Debug)]
pub(super) struct Layout {
    fields: Fields,
    packets: Table,
}

/// One packet of the block.
#[derive(Clone, Copy, Debug)]
struct Place {
    slot: usize,
    /// Row in the table of its layout.
    row: usize,
    frame: usize,
}

/// The records of one block by kind.
#[derive(Debug)]
pub(super) struct Apart {
    broker: Option<Broker>,
    shapes: Vec<u8>,
    other_lengths: Vec<u8>,
    other: Vec<u8>,
    clocks: Table,
    frames: Table,
    parts: Table,
    slots: HashMap<(u32, usize), usize>,
    /// Length of every slot.
    lengths: Vec<usize>,
    layouts: BTreeMap<usize, Layout>,
    loose: Vec<u8>,
    places: Vec<Place>,
    ticks: Vec<(u16, TickRow)>,
    span: (i64, i64),
}

impl Apart {
    pub(super) fn new(broker: Option<Broker>) -> Self {
        Self {
            broker,
            shapes: Vec::new(),
            other_lengths: Vec::new(),
            other: Vec::new(),
            clocks: Table::new(2, 0),
            frames: Table::new(3, 0),
            parts: Table::new(1, 0),
            slots: HashMap::new(),
            lengths: Vec::new(),
            layouts: BTreeMap::new(),
            loose: Vec::new(),
            places: Vec::new(),
            ticks: Vec::new(),
            span: (i64::MAX, i64::MIN),
        }
    }

    /// Earliest and latest market time of what was taken.
    pub(super) const fn span(&self) -> (i64, i64) {
        self.span
    }

    /// Takes records; bytes at the end that are no whole one are kept as they are.
    pub(super) fn take(&mut self, records: &[u8]) {
        let mut rest = records;
        while let Some((kind, payload, after)) = next_record(rest) {
            let record = rest.get(..rest.len() - after.len()).unwrap_or_default();
            rest = after;
            let taken = match (kind, payload.len()) {
                (TICK, TICK_BYTES) => self.tick(payload),
                (CLOCK, 16) => self.clock(payload),
                (FRAME, 16..) => self.frame(payload),
                _ => None,
            };
            match taken {
                Some(time) => self.span = (self.span.0.min(time), self.span.1.max(time)),
                None => self.as_it_is(record),
            }
        }
        if !rest.is_empty() {
            self.as_it_is(rest);
        }
    }

    fn as_it_is(&mut self, bytes: &[u8]) {
        self.shapes.push(AS_IT_IS);
        put_varint(&mut self.other_lengths, bytes.len() as u64);
        self.other.extend_from_slice(bytes);
    }

    fn tick(&mut self, payload: &[u8]) -> Option<i64> {
        let mut input = Input(payload);
        let mut row = [0; TICK_FIELDS];
        for value in row.iter_mut().take(7) {
            *value = input.i64()?;
        }
        row[7] = i64::from(u32::from_le_bytes(input.take()?));
        let instrument = u16::from_le_bytes(input.take()?);
        row[8] = i64::from(u16::from_le_bytes(input.take()?));
        self.shapes.push(AS_TICK);
        self.ticks.push((instrument, row));
        Some(row[5])
    }

    fn clock(&mut self, payload: &[u8]) -> Option<i64> {
        let mut input = Input(payload);
        let moment = [input.i64()?, input.i64()?];
        self.shapes.push(AS_CLOCK);
        self.clocks.push(0, &moment);
        Some(moment[0])
    }

    fn frame(&mut self, payload: &[u8]) -> Option<i64> {
        let mut input = Input(payload);
        let (wall, mono) = (input.i64()?, input.i64()?);
        self.shapes.push(AS_FRAME);
        let parts = split(self.broker, input.0);
        let number = self.frames.rows();
        let count = i64::try_from(parts.len()).unwrap_or(i64::MAX);
        self.frames.push(0, &[wall, mono, count]);
        for (key, part) in parts {
            self.part(number, key, part);
        }
        Some(wall)
    }

    fn part(&mut self, frame: usize, key: u32, part: &[u8]) {
        let next = self.lengths.len();
        let slot = *self.slots.entry((key, part.len())).or_insert(next);
        if slot == next {
            self.lengths.push(part.len());
        }
        self.parts
            .push(0, &[i64::try_from(slot).unwrap_or(i64::MAX)]);
        let Some(broker) = self.broker.filter(|_| part.len() <= PACKET_MAX) else {
            self.loose.extend_from_slice(part);
            return;
        };
        if !self.layouts.contains_key(&part.len()) {
            let fields = broker.fields(part.len());
            if fields.widths.len() > NUMBERS_MAX || fields.length() != part.len() {
                self.loose.extend_from_slice(part);
                return;
            }
            let packets = Table::new(fields.widths.len(), 0);
            self.layouts.insert(part.len(), Layout { fields, packets });
        }
        if let Some(layout) = self.layouts.get_mut(&part.len()) {
            let row = layout.packets.rows();
            layout.packets.push(slot, &layout.fields.numbers(part));
            if layout.fields.widths.len() > HEAD_MAX {
                self.places.push(Place { slot, row, frame });
            }
        }
    }

    /// Everything in columns.
    pub(super) fn columns(self) -> Columns {
        let mut out = Columns::default();
        out.stream(&self.shapes);
        out.stream(&self.other_lengths);
        out.stream(&self.other);
        self.clocks.write(&mut out);
        self.frames.write(&mut out);
        self.parts.write(&mut out);
        let mut lengths = Vec::new();
        for length in &self.lengths {
            put_varint(&mut lengths, *length as u64);
        }
        out.stream(&lengths);
        put_length(&mut out.bytes, self.layouts.len());
        for (length, layout) in &self.layouts {
            put_length(&mut out.bytes, *length);
            out.bytes.push(u8::from(layout.fields.is_big_endian));
            let count = u8::try_from(layout.fields.widths.len()).unwrap_or(u8::MAX);
            out.bytes.push(count);
            out.bytes.extend_from_slice(&layout.fields.widths);
            layout.packets.write(&mut out);
        }
        out.stream(&self.loose);
        self.write_ticks(&mut out);
        out
    }

    fn write_ticks(&self, out: &mut Columns) {
        let mut matcher = Matcher::default();
        let mut matches = Table::new(1, 0);
        let mut instruments = Table::new(1, 0);
        let mut alone = Table::new(TICK_FIELDS, 0);
        let mut beside: BTreeMap<usize, Table> = BTreeMap::new();
        for (length, layout) in &self.layouts {
            let given = STAMPS + layout.fields.widths.len();
            beside.insert(*length, Table::new(given + TICK_FIELDS, given));
        }
        for (instrument, row) in &self.ticks {
            let found = matcher.find(self, *instrument, row);
            let table = found.and_then(|(_, place)| {
                let length = self.lengths.get(place.slot)?;
                Some((beside.get_mut(length)?, self.given(place)?))
            });
            if let (Some((table, given)), Some((skipped, place))) = (table, found) {
                matches.push(0, &[i64::try_from(skipped).unwrap_or(i64::MAX)]);
                table.push(place.slot, &[given.as_slice(), row].concat());
            } else {
                matches.push(0, &[-1]);
                instruments.push(0, &[i64::from(*instrument)]);
                alone.push(usize::from(*instrument), row);
            }
        }
        matches.write(out);
        out.stream(&matcher.names);
        instruments.write(out);
        alone.write(out);
        for table in beside.values() {
            table.write(out);
        }
    }

    /// What a packet gives to its tick.
    fn given(&self, place: Place) -> Option<Vec<i64>> {
        let layout = self.layouts.get(self.lengths.get(place.slot)?)?;
        let stamps = self.frames.row(place.frame).get(..STAMPS)?;
        Some([stamps, layout.packets.row(place.row)].concat())
    }
}

/// Finds the packets that ticks were made of: both stand in the same order.
#[derive(Default)]
struct Matcher {
    /// The packet behind the last that was found.
    at: usize,
    /// Instrument of each slot, and whether it has one.
    instruments: HashMap<usize, u16>,
    slots: HashMap<u16, usize>,
    /// Instruments of slots in the order they were found, for the reader.
    names: Vec<u8>,
}

impl Matcher {
    /// The packet of a tick and how many were passed over.
    fn find(&mut self, of: &Apart, instrument: u16, row: &TickRow) -> Option<(usize, Place)> {
        let places = of.places.get(self.at..)?;
        let is_it = |place: &Place| {
            if of.seconds_apart(*place, row) {
                return false;
            }
            match self.instruments.get(&place.slot) {
                Some(known) => *known == instrument,
                None => !self.slots.contains_key(&instrument) && of.says(*place, row[0]),
            }
        };
        let skipped = places.iter().take(AHEAD).position(is_it)?;
        let place = *places.get(skipped)?;
        self.at += skipped + 1;
        if self.instruments.insert(place.slot, instrument).is_none() {
            self.slots.insert(instrument, place.slot);
            self.names.extend_from_slice(&instrument.to_le_bytes());
        }
        Some((skipped, place))
    }
}

impl Apart {
    fn seconds_apart(&self, place: Place, row: &TickRow) -> bool {
        let mono = self.frames.row(place.frame).get(1).copied();
        mono.unwrap_or(0).abs_diff(row[6]) > APART_NS
    }

    /// True when a number of the packet is the price, in rupees' hundredths or our own unit.
    fn says(&self, place: Place, last: i64) -> bool {
        let layout = self
            .lengths
            .get(place.slot)
            .and_then(|l| self.layouts.get(l));
        let row = layout.map(|layout| layout.packets.row(place.row));
        let is_price = |value: &i64| {
            [1, 100]
                .iter()
                .any(|scale| value.wrapping_mul(*scale) == last)
        };
        last != 0 && row.is_some_and(|row| row.iter().any(is_price))
    }
}

/// The packets of a frame with the instrument of each, and what stands around them. The parts joined are the frame; it is
/// one part when nobody's decoder takes it.
fn split(broker: Option<Broker>, frame: &[u8]) -> Vec<(u32, &[u8])> {
    let whole = || vec![(u32::MAX, frame)];
    if frame.is_empty() {
        return Vec::new();
    }
    let Some(broker) = broker else {
        return whole();
    };
    let Ok(Frame::Packets(mut cursor)) = broker.open_frame(frame) else {
        return whole();
    };
    let mut parts = Vec::new();
    let mut at = 0;
    let mut key = u32::MAX;
    loop {
        let next = cursor.at();
        let Some(part) = frame.get(at..next) else {
            return whole();
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

/// Kind and payload of the first record, and what follows it; `None` when it is not whole.
fn next_record(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let mut input = Input(bytes);
    let length = input.length()?;
    let kind = input.byte()?;
    let (payload, rest) = input.0.split_at_checked(length)?;
    Some((kind, payload, rest))
}
