//! The stepped topology over a recording: the same deciding stage, fed with the same inputs in the same
//! order, must come to the same intents; and the same outcomes make the same journal.

use super::arm::{Assembly, TapeHeader};
use crate::hot::decide::{Decide, DecideEvent, DecideParts, DecideTotals};
use crate::hot::gateway::order_of;
use crate::journal::{Entry, Writer};
use crate::model::{Day, Intent, IntentId, Order, OrderState, Tag};
use crate::ring::lane::Policy;
use crate::ring::{Receiver, counted, lossless};
use crate::runtime::{Hop, meter};
use crate::store::tape::{TapeReader, TapeRecord};
use std::collections::VecDeque;

/// What a replay found.
#[derive(Clone, Debug, Default)]
pub struct Replayed {
    /// Counters of the deciding stage.
    pub totals: DecideTotals,
    /// Raw messages in the recording: frames, and texts that were ticks.
    pub frames: u64,
    /// Outcomes taken.
    pub outcomes: u64,
    /// Digest of every intent.
    pub intents: String,
    /// Digest of every journal entry.
    pub journal: String,
    /// Digests of the recorded run, when it ended in order.
    pub recorded: Option<(String, String)>,
    /// Records the recorder had no room for: a recording with holes cannot come to the same.
    pub lost: u64,
    /// First order of the recording that the replay did not come to, in words.
    pub divergence: Option<String>,
    /// Where the recording was cut.
    pub torn: Option<String>,
}

impl Replayed {
    /// True when the replay came to what the recorded run came to; false when it did not, for which one order is
    /// enough, however the recording ends; `None` when none differs and that run left no digests.
    pub fn agrees(&self) -> Option<bool> {
        if self.divergence.is_some() {
            return Some(false);
        }
        let (intents, journal) = self.recorded.as_ref()?;
        Some(*intents == self.intents && *journal == self.journal)
    }
}

/// Lanes are drained after every input; this is more than one input can fill.
const ROOM: usize = 1_024;

struct Stepper {
    decide: Decide,
    intents: Receiver<Intent>,
    events: Receiver<DecideEvent>,
    expected: VecDeque<Order>,
    family: (u32, Day),
    journal: Writer,
    found: Replayed,
}

/// Replays a recording whose header has been read. `see` gets every event in order.
pub fn replay(
    header: &TapeHeader,
    assembly: Assembly,
    tape: &mut TapeReader,
    mut see: impl FnMut(&DecideEvent),
) -> Replayed {
    let (ticks_tx, ticks, _) = lossless("ticks", 1, Policy::Stall);
    let (outcomes_tx, outcomes, _) = lossless("outcomes", 1, Policy::Stall);
    let (intents_tx, intents, _) = lossless("intents", ROOM, Policy::Stall);
    let (events_tx, events, _) = counted("events", ROOM);
    drop((ticks_tx, outcomes_tx));
    let parts = DecideParts {
        ticks,
        outcomes,
        intents: intents_tx,
        events: events_tx,
        quotes: crate::ring::QuoteBoard::new(header.instruments.len()),
        recorder: None,
        meter: meter(Hop::Decide).0,
        halt: crate::ring::StopLatch::default(),
        close_grace_ns: 0,
    };
    let mut units = assembly.units;
    let mut divergence = None;
    let mut first = None;
    for record in tape.by_ref() {
        match record {
            TapeRecord::Warmup { unit, bar } => {
                if let Some(unit) = units.get_mut(usize::from(unit)) {
                    unit.warm(&[bar]);
                }
            }
            TapeRecord::State { unit, bytes } => {
                let loaded = units
                    .get_mut(usize::from(unit))
                    .map(|unit| unit.load(&bytes));
                if let Some(Err(fault)) = loaded {
                    divergence = Some(format!("unit {unit} cannot begin as it did: {fault}"));
                }
            }
            other => {
                first = Some(other);
                break;
            }
        }
    }
    let decide = Decide::new(
        parts,
        units,
        assembly.strategies,
        header.instruments.len(),
        header.intent_base,
    );
    let mut stepper = Stepper {
        decide,
        intents,
        events,
        expected: VecDeque::new(),
        family: header.family,
        journal: Writer::digesting(),
        found: Replayed {
            divergence,
            ..Replayed::default()
        },
    };
    for record in first.into_iter().chain(tape.by_ref()) {
        stepper.step(record);
        while let Some(event) = stepper.events.pop() {
            see(&event);
        }
    }
    let mut found = stepper.found;
    found.totals = stepper.decide.totals();
    found.intents = stepper.decide.digest();
    found.journal = stepper.journal.digest();
    found.torn = tape.torn().map(str::to_owned);
    found
}

impl Stepper {
    fn step(&mut self, record: TapeRecord) {
        match record {
            TapeRecord::Header(_) | TapeRecord::Warmup { .. } | TapeRecord::State { .. } => {}
            TapeRecord::Frame { .. } | TapeRecord::Text { .. } => self.found.frames += 1,
            TapeRecord::Tick(tick) => self.decide.on_tick(&tick),
            TapeRecord::Clock(due) => self.decide.on_clock(due),
            TapeRecord::Outcome(entry) => self.outcome(&entry),
            TapeRecord::End(text) => {
                self.found.recorded = digests(&text);
                self.found.lost = lost(&text);
            }
        }
        while let Some(intent) = self.intents.pop() {
            for (number, leg) in (0_u8..).zip(intent.legs()) {
                self.expected
                    .push_back(order_of(&intent, number, &leg, self.family));
            }
        }
    }

    fn outcome(&mut self, entry: &Entry) {
        self.found.outcomes += 1;
        let refused = match entry {
            Entry::Admitted(order) if is_first(order.tag) => Some((order.tag, Some(*order))),
            Entry::Report(report) if report.state == OrderState::Denied => Some((report.tag, None)),
            _ => None,
        };
        if let Some((tag, order)) = refused {
            let at = self
                .expected
                .iter()
                .position(|expected| expected.tag == tag);
            let expected = at.and_then(|at| self.expected.remove(at));
            let differs = match (expected, order) {
                (None, _) => Some("not decided here".to_owned()),
                (Some(_), None) => None,
                (Some(expected), Some(order)) => difference(&order, &expected),
            };
            if let (Some(words), None) = (differs, &self.found.divergence) {
                self.found.divergence = Some(format!("order {tag} of the recording is {words}"));
            }
        }
        self.journal.digest_entry(entry);
        self.decide.on_outcome(entry);
    }
}

/// True for the first order of a leg of a strategy: those that follow are the gateway's, made of prices and fills, and so
/// are whole intents of an operator and those that take back what an exit left.
fn is_first(tag: Tag) -> bool {
    tag.parts().is_some_and(|parts| {
        let is_decided = !IntentId(parts.intent).is_operator();
        is_decided && parts.leg < 2 && parts.slice == 0 && parts.attempt == 0
    })
}

/// Where an order differs from what was decided, but for what is the gateway's: the first slice is a part of
/// the quantity, and an exit that had to wait leaves with the price and the stamp of the moment it leaves.
fn difference(order: &Order, expected: &Order) -> Option<String> {
    let own = if expected.reduces { order } else { expected };
    let allowed = Order {
        qty: order.qty,
        limit: own.limit,
        received: own.received,
        ..*expected
    };
    if order.qty > expected.qty {
        return Some(format!("for {}, here {}", order.qty, expected.qty));
    }
    (*order != allowed).then(|| format!("another here: {order:?}, decided {expected:?}"))
}

fn lost(text: &str) -> u64 {
    let value: Option<serde_json::Value> = serde_json::from_str(text).ok();
    value
        .and_then(|value| value.get("lost")?.as_u64())
        .unwrap_or(0)
}

fn digests(text: &str) -> Option<(String, String)> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    let field = |name: &str| value.get(name)?.as_str().map(str::to_owned);
    Some((field("intents")?, field("journal")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::TagFamily;

    #[test]
    fn only_first_orders_of_strategies_are_decided_anew() {
        let tag = |intent, leg, slice, attempt| {
            is_first(TagFamily::new(7, Day(20_000)).tag(intent, leg, slice, attempt))
        };
        assert!(tag(1, 0, 0, 0) && tag(1, 1, 0, 0));
        assert!(!tag(1, 2, 0, 0), "unwinds");
        assert!(!tag(1, 0, 1, 0) && !tag(1, 0, 0, 1), "follows");
        assert!(!tag(IntentId::OPERATOR + 1, 0, 0, 0), "the gateway's own");
    }

    #[test]
    fn an_order_that_differs_is_a_difference_although_the_recording_has_no_end() {
        let digests = || Some(("a".to_owned(), "b".to_owned()));
        let found = |recorded: Option<(String, String)>, divergence: Option<&str>| {
            let found = Replayed {
                intents: "a".to_owned(),
                journal: "b".to_owned(),
                recorded,
                divergence: divergence.map(str::to_owned),
                ..Replayed::default()
            };
            found.agrees()
        };
        assert_eq!(found(digests(), None), Some(true));
        assert_eq!(found(None, None), None);
        assert_eq!(found(None, Some("order X")), Some(false));
        assert_eq!(found(digests(), Some("order X")), Some(false));
        let other = Some(("a".to_owned(), "c".to_owned()));
        assert_eq!(found(other, None), Some(false));
    }
}
