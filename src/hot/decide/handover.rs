//! Copies of bars and indicators for a checkpoint: handed to control when it asks.
//!
//! ```text
//!   control ── number of a round ──► Handover ── a record a unit ──► control
//! ```
//!
//! Promises
//! - One unit a call, and only in a call that found no tick: a tick waits for the copy of one unit at most.
//! - Nothing is allocated and nothing waited for: a record without room is dropped and counted by its lane, and control
//!   asks for another round.
//! - Units are independent of each other: each says itself how far its prices are known.

use crate::hot::compute::{Compute, Unit};
use crate::ring::{ByteSender, Receiver};
use crate::store::checkpoint::{HANDED_HEAD, Handed};

/// Hands units to control.
#[derive(Debug)]
pub struct Handover {
    asked: Receiver<u64>,
    states: ByteSender,
    /// Room for the largest unit.
    room: Box<[u8]>,
    round: u64,
    next: usize,
}

impl Handover {
    /// Room of the byte lane that takes a whole round of these units.
    pub fn room_of(units: &[Unit]) -> usize {
        units
            .iter()
            .map(|unit| unit.state_bytes() + HANDED_HEAD)
            .sum()
    }

    /// Answers what comes in `asked` for these units.
    pub fn new(asked: Receiver<u64>, states: ByteSender, units: &[Unit]) -> Self {
        let largest = units.iter().map(Unit::state_bytes).max().unwrap_or(0);
        Self {
            asked,
            states,
            room: vec![0; largest].into_boxed_slice(),
            round: 0,
            next: usize::MAX,
        }
    }

    /// Hands over one unit, when a round is under way or asked for; false when there was nothing to do.
    #[inline]
    pub fn turn(&mut self, compute: &mut Compute) -> bool {
        if self.next >= compute.units().len() {
            let Some(round) = self.asked.pop() else {
                return false;
            };
            (self.round, self.next) = (round, 0);
        }
        self.hand_over(compute);
        true
    }

    #[inline(never)]
    fn hand_over(&mut self, compute: &mut Compute) {
        let number = self.next;
        self.next = self.next.saturating_add(1);
        if number >= compute.units().len() {
            return;
        }
        let unit = compute.unit(number);
        let known_until = unit.known_until();
        let bytes = unit.save(&mut self.room);
        let handed = Handed {
            round: self.round,
            unit: u32::try_from(number).unwrap_or(u32::MAX),
            known_until,
            state: self.room.get(..bytes).unwrap_or_default(),
        };
        self.states.push(&[&handed.head(), handed.state]);
    }
}
