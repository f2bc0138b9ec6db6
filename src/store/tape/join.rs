//! Columns joined to the records they were; see `apart` for what stands where.

use super::apart::{AS_CLOCK, AS_FRAME, AS_IT_IS, AS_TICK, HEAD_MAX, TICK_FIELDS};
use super::rows::Rows;
use super::table::FIELDS_MAX;
use super::{CLOCK, FRAME, TICK, TICK_BYTES, head};
use crate::store::bytes::Input;
use crate::venue::Fields;
use std::collections::{BTreeMap, HashMap};

/// The records; `limit` is the most bytes they may have.
pub(super) fn records(columns: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut input = Input(columns);
    let shapes = input.stream()?.0;
    let mut other = (input.stream()?, input.stream()?);
    let mut clocks = Rows::open(&mut input, 2)?;
    let is_frame = |shape: &&u8| **shape == AS_FRAME;
    let frames = Frames::read(&mut input, shapes.iter().filter(is_frame), limit)?;
    let mut ticks = Ticks::open(&mut input, &frames)?;
    let mut frame_records = frames.records.iter();
    let mut out = Vec::new();
    for shape in shapes {
        match *shape {
            AS_TICK => ticks.next(&frames, &mut out)?,
            AS_CLOCK => {
                let mut moment = Vec::with_capacity(2);
                clocks.next(0, &mut moment)?;
                out.extend_from_slice(&head(CLOCK, 16));
                put(&mut out, &moment);
            }
            AS_FRAME => {
                let place = frame_records.next()?;
                out.extend_from_slice(frames.bytes.get(place.clone())?);
            }
            AS_IT_IS => {
                let length = other.0.size()?;
                out.extend_from_slice(other.1.slice(length)?);
            }
            _ => return None,
        }
        if out.len() > limit {
            return None;
        }
    }
    Some(out)
}

fn put(out: &mut Vec<u8>, values: &[i64]) {
    for value in values {
        out.extend_from_slice(&value.to_le_bytes());
    }
}

/// The packets of one length while they are read.
struct Layout<'a> {
    fields: Fields,
    rows: Rows<'a>,
}

impl<'a> Layout<'a> {
    fn open(input: &mut Input<'a>) -> Option<(usize, Self)> {
        let length = input.length()?;
        let [is_big_endian, count] = input.take()?;
        let widths = input.slice(usize::from(count))?.to_vec();
        let fields = Fields {
            is_big_endian: is_big_endian != 0,
            widths,
        };
        let is_sound = fields.widths.iter().all(|width| (1..=8).contains(width));
        let fits = is_sound && fields.length() == length && length > 0;
        let rows = Rows::open(input, fields.widths.len())?;
        fits.then_some((length, Self { fields, rows }))
    }
}

/// A packet, for the tick that was made of it.
struct Packet {
    slot: usize,
    /// What it gives to its tick.
    given: Vec<i64>,
}

/// Every frame of a block.
struct Frames {
    bytes: Vec<u8>,
    /// Where the record of each stands.
    records: Vec<std::ops::Range<usize>>,
    packets: Vec<Packet>,
    lengths: Vec<usize>,
    /// Numbers of a packet of each length that is cut.
    layouts: BTreeMap<usize, usize>,
}

impl Frames {
    /// Reads as many frames as `each` has items.
    fn read<'s>(
        input: &mut Input<'_>,
        each: impl Iterator<Item = &'s u8>,
        limit: usize,
    ) -> Option<Self> {
        let mut stamps = Rows::open(input, 3)?;
        let mut parts = Rows::open(input, 1)?;
        let mut slot_lengths = input.stream()?;
        let mut layouts = BTreeMap::new();
        for _ in 0..input.length()? {
            let (length, layout) = Layout::open(input)?;
            layouts.insert(length, layout);
        }
        let mut loose = input.stream()?;
        let mut all = Self {
            bytes: Vec::new(),
            records: Vec::new(),
            packets: Vec::new(),
            lengths: Vec::new(),
            layouts: layouts
                .iter()
                .map(|(l, o)| (*l, o.fields.widths.len()))
                .collect(),
        };
        for _ in each {
            let mut moment = Vec::with_capacity(3);
            stamps.next(0, &mut moment)?;
            let start = all.bytes.len();
            all.bytes.extend_from_slice(&head(FRAME, 0));
            let pieces = moment.pop()?;
            put(&mut all.bytes, &moment);
            for _ in 0..pieces {
                let mut slot = Vec::with_capacity(1);
                parts.next(0, &mut slot)?;
                let slot = usize::try_from(slot.pop()?).ok()?;
                if slot == all.lengths.len() {
                    all.lengths.push(slot_lengths.size()?);
                }
                all.part(slot, &moment, &mut layouts, &mut loose)?;
                if all.bytes.len() > limit {
                    return None;
                }
            }
            let length = all.bytes.len().checked_sub(start)?.checked_sub(5)?;
            let front = all.bytes.get_mut(start..start + 5)?;
            front.copy_from_slice(&head(FRAME, length));
            all.records.push(start..all.bytes.len());
        }
        Some(all)
    }

    fn part(
        &mut self,
        slot: usize,
        moment: &[i64],
        layouts: &mut BTreeMap<usize, Layout<'_>>,
        loose: &mut Input<'_>,
    ) -> Option<()> {
        let length = *self.lengths.get(slot)?;
        let Some(layout) = layouts.get_mut(&length) else {
            // A part of no bytes is never written, and would never end.
            let bytes = loose.slice(length).filter(|bytes| !bytes.is_empty())?;
            self.bytes.extend_from_slice(bytes);
            return Some(());
        };
        let mut row = Vec::with_capacity(layout.fields.widths.len());
        layout.rows.next(slot, &mut row)?;
        layout.fields.write(&row, &mut self.bytes);
        if row.len() > HEAD_MAX {
            let given = [moment, &row].concat();
            self.packets.push(Packet { slot, given });
        }
        Some(())
    }
}

/// The ticks of a block while they are read.
struct Ticks<'a> {
    matches: Rows<'a>,
    names: Input<'a>,
    instruments: Rows<'a>,
    alone: Rows<'a>,
    beside: BTreeMap<usize, Rows<'a>>,
    /// Instrument of each slot.
    known: HashMap<usize, u16>,
    /// The packet behind the last that was used.
    at: usize,
}

impl<'a> Ticks<'a> {
    fn open(input: &mut Input<'a>, frames: &Frames) -> Option<Self> {
        let matches = Rows::open(input, 1)?;
        let names = input.stream()?;
        let instruments = Rows::open(input, 1)?;
        let alone = Rows::open(input, TICK_FIELDS)?;
        let mut beside = BTreeMap::new();
        for length in frames.layouts.keys() {
            beside.insert(*length, Rows::open(input, TICK_FIELDS)?);
        }
        Some(Self {
            matches,
            names,
            instruments,
            alone,
            beside,
            known: HashMap::new(),
            at: 0,
        })
    }

    fn next(&mut self, frames: &Frames, out: &mut Vec<u8>) -> Option<()> {
        let mut skipped = Vec::with_capacity(1);
        self.matches.next(0, &mut skipped)?;
        let mut row = Vec::with_capacity(FIELDS_MAX);
        let instrument = if let Ok(skipped) = usize::try_from(skipped.pop()?) {
            self.at = self.at.checked_add(skipped)?;
            let packet = frames.packets.get(self.at)?;
            self.at += 1;
            row.extend_from_slice(&packet.given);
            let length = frames.lengths.get(packet.slot)?;
            self.beside.get_mut(length)?.next(packet.slot, &mut row)?;
            self.instrument_of(packet.slot)?
        } else {
            let mut instrument = Vec::with_capacity(1);
            self.instruments.next(0, &mut instrument)?;
            let instrument = u16::try_from(instrument.pop()?).ok()?;
            self.alone.next(usize::from(instrument), &mut row)?;
            instrument
        };
        let [prices @ .., volume, flags] = row.last_chunk::<TICK_FIELDS>()?;
        out.extend_from_slice(&head(TICK, TICK_BYTES));
        put(out, prices);
        out.extend_from_slice(&u32::try_from(*volume).ok()?.to_le_bytes());
        out.extend_from_slice(&instrument.to_le_bytes());
        out.extend_from_slice(&u16::try_from(*flags).ok()?.to_le_bytes());
        Some(())
    }

    fn instrument_of(&mut self, slot: usize) -> Option<u16> {
        if let Some(known) = self.known.get(&slot) {
            return Some(*known);
        }
        let instrument = u16::from_le_bytes(self.names.take()?);
        self.known.insert(slot, instrument);
        Some(instrument)
    }
}
