//! Writes recordings.

use super::block::{Encoder, RAW_MAX};
use super::{END, FORMAT, HEADER, MAGIC, STATE, WARMUP, head, text_record};
use crate::model::Bar;
use crate::venue::Broker;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Writes a recording, owned by control; hot threads hand it records by byte lane.
#[derive(Debug)]
pub struct TapeWriter {
    file: File,
    /// Whole records that are in no block yet.
    records: Vec<u8>,
    encoder: Encoder,
}

impl TapeWriter {
    /// Creates the file and writes the header. A file that is there is never written over: it may be the morning's.
    ///
    /// # Errors
    ///
    /// The operating system's, when the file cannot be created or is there.
    pub fn create(path: &Path, header: &str) -> io::Result<Self> {
        let mut file = File::create_new(path)?;
        file.write_all(MAGIC)?;
        file.write_all(FORMAT)?;
        let mut writer = Self {
            file,
            records: Vec::new(),
            encoder: Encoder::new(),
        };
        writer.push(&text_record(HEADER, header))?;
        Ok(writer)
    }

    /// Says whose frames are recorded: their packets are then told apart, which makes them several times smaller.
    #[must_use]
    pub const fn of(mut self, broker: Broker) -> Self {
        self.encoder.set_broker(broker);
        self
    }

    /// Writes a warm-up bar.
    ///
    /// # Errors
    ///
    /// The operating system's.
    pub fn warmup(&mut self, unit: u16, bar: &Bar) -> io::Result<()> {
        let mut record = head(WARMUP, 62).to_vec();
        record.extend_from_slice(&unit.to_le_bytes());
        for value in [
            bar.start.0,
            bar.end.0,
            bar.open.0,
            bar.high.0,
            bar.low.0,
            bar.close.0,
        ] {
            record.extend_from_slice(&value.to_le_bytes());
        }
        record.extend_from_slice(&bar.volume.to_le_bytes());
        record.extend_from_slice(&bar.ticks.to_le_bytes());
        self.push(&record)
    }

    /// Writes the state a unit begins with.
    ///
    /// # Errors
    ///
    /// The operating system's.
    pub fn state(&mut self, unit: u16, state: &[u8]) -> io::Result<()> {
        let mut record = head(STATE, state.len().saturating_add(2)).to_vec();
        record.extend_from_slice(&unit.to_le_bytes());
        record.extend_from_slice(state);
        self.push(&record)
    }

    /// Appends whole records.
    ///
    /// # Errors
    ///
    /// The operating system's; the records may be lost.
    pub fn push(&mut self, records: &[u8]) -> io::Result<()> {
        self.records.extend_from_slice(records);
        if self.records.len() >= RAW_MAX {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes the digests of an orderly end and flushes.
    ///
    /// # Errors
    ///
    /// The operating system's.
    pub fn finish(mut self, digests: &str) -> io::Result<()> {
        self.push(&text_record(END, digests))?;
        self.flush()?;
        self.file.sync_data()
    }

    /// Writes what waits, in blocks of whole records.
    ///
    /// # Errors
    ///
    /// The operating system's.
    pub fn flush(&mut self) -> io::Result<()> {
        let mut rest = self.records.as_slice();
        while !rest.is_empty() {
            let (block, later) = rest.split_at(whole(rest));
            let bytes = self.encoder.block(block)?;
            self.file.write_all(&bytes)?;
            rest = later;
        }
        self.records.clear();
        Ok(())
    }
}

/// Bytes of the records at the front that make one block: at least one record, and no more than fit.
fn whole(records: &[u8]) -> usize {
    let mut end = 0;
    while let Some([a, b, c, d]) = records.get(end..).and_then(<[u8]>::first_chunk::<4>) {
        let payload = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
        let next = end.saturating_add(5).saturating_add(payload);
        if next > records.len() || (end > 0 && next > RAW_MAX) {
            break;
        }
        end = next;
    }
    if end == 0 { records.len() } else { end }
}
