//! Deaths at an exact place: the kill matrix runs a scenario once, counts the places at which it can die, and dies
//! at each of them.
//!
//! ```text
//!   record n − 1 │ record n … │ its bytes leave │ record n + 1
//!                ▲            ▲                 ▲
//!               Torn       Written             Sent       (a record that announces no bytes has no Sent)
//! ```
//!
//! Promises
//! - The same kill of the same scenario is the same world, line by line.
//! - A place that is never reached is an error, not a run that went well.

mod scenario;

pub use scenario::Scenario;
pub(super) use scenario::Script;

use super::body::{announces, orders};
use super::life::Life;
use super::network::Sent;
use super::run::{Phase, Run};
use crate::journal::{Entry, record::RECORD};
use std::fmt;

const MS: u64 = 1_000_000;

/// Where in a record's life the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// While it is written: some of its bytes are on the disk.
    Torn,
    /// It is written, and the bytes it announces have not left.
    Written,
    /// The bytes it announces have left.
    Sent,
    /// Its bytes left and it is not on the disk: what no process of ours may leave, to see that checkers notice.
    Unwritten,
}

/// A death at one record of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kill {
    /// Sequence of the record, from 1.
    pub record: u64,
    /// Before, in or behind it.
    pub moment: Moment,
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.moment, self.record)
    }
}

impl Kill {
    /// Every place at which a run with this journal can die, from record `first` on.
    pub fn places(journal: &[Entry], first: u64) -> Vec<Self> {
        let numbered = (1..).zip(journal).filter(|(record, _)| *record >= first);
        let of = |(record, entry): (u64, &Entry)| {
            let sent = announces(entry).then_some(Moment::Sent);
            let moments = [Moment::Torn, Moment::Written].into_iter().chain(sent);
            moments.map(move |moment| Self { record, moment })
        };
        numbered.flat_map(of).collect()
    }

    /// Last record that stays.
    const fn last(&self) -> u64 {
        match self.moment {
            Moment::Torn | Moment::Unwritten => self.record - 1,
            Moment::Written | Moment::Sent => self.record,
        }
    }

    /// Bytes that stay of the one behind it.
    fn torn(&self) -> usize {
        match self.moment {
            Moment::Torn => {
                1 + usize::try_from(self.record).unwrap_or(0).wrapping_mul(37) % (RECORD - 1)
            }
            Moment::Written | Moment::Sent | Moment::Unwritten => 0,
        }
    }
}

impl Run {
    /// True when a kill waits for one of these records.
    pub(super) fn is_killed_by(&self, after: u64) -> bool {
        self.kills.first().is_some_and(|kill| kill.record <= after)
    }

    /// Dies at the next kill's place, which lies in a turn that wrote the records behind `before` and sent `sent`.
    pub(super) fn dies_at_kill(
        &mut self,
        life: &Life,
        (before, after): (u64, u64),
        sent: &[Sent],
    ) -> Result<(), String> {
        let kill = self.kills.remove(0);
        if kill.record <= before {
            return Err(format!("{kill}: no turn wrote that record"));
        }
        let turn = self.turn_behind(before)?;
        if turn
            .iter()
            .filter(|record| announces(&record.entry))
            .count()
            != orders(sent)
        {
            return Err(format!("{kill}: a turn whose bytes do not fit its records"));
        }
        let mut kept = turn.iter().filter(|record| record.sequence <= kill.last());
        let announced = kept.clone().filter(|r| announces(&r.entry)).count();
        let is_announced = kept
            .next_back()
            .is_some_and(|record| announces(&record.entry));
        let left = match kill.moment {
            Moment::Written => announced - usize::from(is_announced),
            Moment::Torn | Moment::Sent => announced,
            Moment::Unwritten => announced + 1,
        };
        self.cut_short((kill.last(), kill.torn()), left, sent)?;
        self.die(life, &format!("{kill} of {after}"));
        // Starts come soon and late, and not at the whim of dice that a place more would throw otherwise.
        self.down_until = self.now + (200 + kill.record * 1_009 % 6_000) * MS;
        if self.knobs.flips > 0 {
            // Two accidents are not one: what a damaged journal hides has reached the venue when it is asked.
            self.down_until += 1_000 * MS;
        }
        if self.phase != Phase::Trading {
            self.phase = Phase::Settling(self.now);
            self.settled = None;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Ended, Ending, IntentId, Qty, Tag};

    #[test]
    fn a_record_that_announces_bytes_has_three_places_and_any_other_two() {
        let ended = Entry::Ended(Ended {
            intent: IntentId(1),
            how: Ending::Nothing,
            filled: [Qty::ZERO; 2],
        });
        let journal = [ended, Entry::Sending(Tag([b'0'; 20])), ended];
        let places = Kill::places(&journal, 2);
        let shown: Vec<String> = places.iter().map(Kill::to_string).collect();
        let expected = ["Torn 2", "Written 2", "Sent 2", "Torn 3", "Written 3"];
        assert_eq!(shown, expected);
        assert_eq!(Kill::places(&journal, 1).len(), 7);
        let kept: Vec<u64> = places.iter().map(Kill::last).collect();
        assert_eq!(kept, [1, 2, 2, 2, 3]);
        assert!((1..RECORD).contains(&places[0].torn()) && places[1].torn() == 0);
    }
}
