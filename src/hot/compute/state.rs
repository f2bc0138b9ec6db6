//! A unit's bars and indicators as bytes: handed out for a checkpoint, taken back at a start.
//!
//! Promises
//! - What is taken back is bit for bit what was handed out, or nothing is taken: length, layout and every word must come
//!   out again as they went in.
//! - Handing out allocates nothing and takes a time that the plan fixes (`benches/checkpoint.rs`).

use super::Unit;
use super::seam::Seam;
use crate::indicators::BarBuilder;
use crate::indicators::words::{Counter, In, Out, Visitor, Words};
use crate::model::{Bar, WallNanos};

/// Number of the layout. Whoever changes what a state keeps, or the order, raises it.
pub const LAYOUT: u64 = 2;

/// Why a state is not taken back. The unit is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateFault {
    /// It was kept by a program with another layout.
    #[error("its state has layout {found}, this program keeps layout {LAYOUT}")]
    Layout {
        /// Its number.
        found: u64,
    },
    /// It is of another plan: indicators with other lengths take other room.
    #[error("its state takes {found} bytes, the plan of today {wanted}")]
    Length {
        /// Bytes that were kept.
        found: usize,
        /// Bytes this unit keeps.
        wanted: usize,
    },
    /// A word is none that this program writes, or its day is not in the calendar.
    #[error("byte {at} of its state cannot be what was kept")]
    Word {
        /// Where.
        at: usize,
    },
}

impl Unit {
    /// Bytes of its state: the same for every value of it.
    pub fn state_bytes(&self) -> usize {
        let (mut bars, mut bank) = (self.bars.clone(), self.bank.clone());
        let mut counter = Counter::default();
        let mut seen = self.bars_seen;
        counter.word(&mut 0);
        bars.words(&self.sessions, &mut counter);
        bank.words(&mut counter);
        seen.words(&mut counter);
        Seam::default().words(&mut counter);
        counter.0.saturating_mul(8)
    }

    /// Copies its state to the front of `room`, and returns how many bytes of it that took; none of a state that does
    /// not fit.
    pub fn save(&mut self, room: &mut [u8]) -> usize {
        let size = room.len();
        let mut out = Out::new(room);
        out.word(&mut { LAYOUT });
        self.bars.words(&self.sessions, &mut out);
        self.bank.words(&mut out);
        self.bars_seen.words(&mut out);
        self.seam.words(&mut out);
        size.saturating_sub(out.left())
    }

    /// Takes a state back.
    ///
    /// # Errors
    ///
    /// [`StateFault`]; nothing was taken then.
    pub fn load(&mut self, kept: &[u8]) -> Result<(), StateFault> {
        let wanted = self.state_bytes();
        let found = kept
            .first_chunk()
            .map_or(0, |word| u64::from_le_bytes(*word));
        if found != LAYOUT {
            return Err(StateFault::Layout { found });
        }
        if kept.len() != wanted {
            return Err(StateFault::Length {
                found: kept.len(),
                wanted,
            });
        }
        let before = (
            self.bars.clone(),
            self.bank.clone(),
            self.bars_seen,
            self.seam,
        );
        let mut input = In::new(kept);
        input.word(&mut 0);
        self.bars.words(&self.sessions, &mut input);
        self.bank.words(&mut input);
        self.bars_seen.words(&mut input);
        self.seam.words(&mut input);
        self.bank.forget_forming();
        let mut again = vec![0; wanted];
        self.save(&mut again);
        let differs = again.iter().zip(kept).position(|(own, kept)| own != kept);
        if let Some(at) = differs {
            (self.bars, self.bank, self.bars_seen, self.seam) = before;
            return Err(StateFault::Word { at });
        }
        Ok(())
    }

    /// How far its prices are known; the smallest time there is before the first.
    pub fn known_until(&self) -> WallNanos {
        self.bars.known_until()
    }

    /// A builder of bars like its own, without prices.
    pub const fn builder(&self) -> BarBuilder {
        BarBuilder::new(self.bars.timeframe(), self.bars.short())
    }

    /// Makes the forming bar and those after it anew from smaller bars, which must begin where the forming bar begins.
    /// Returns the bars that were completed, already committed.
    pub fn reform(&mut self, parts: &[Bar]) -> Vec<Bar> {
        self.bars.drop_forming();
        self.seam = Seam::default();
        self.warm(parts)
    }
}

#[cfg(test)]
mod tests;
