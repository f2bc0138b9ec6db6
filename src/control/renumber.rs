//! Numbers of earlier runs made those of this one: strategies and instruments are numbered anew at every start.
//!
//! ```text
//!   records of run 1 (names: a, b)   ─┐                            strategy 1 of run 1 = b = 0 of this run
//!   records of run 2 (names: b)      ─┼──► renumber ──► records    a is nobody's here: the adopter's
//!   this run (names: b, c)           ─┘
//! ```
//!
//! Promises
//! - A strategy or instrument keeps its identity by its name; one that this run does not have is never taken for
//!   one that it has.
//! - Positions of strategies that are gone belong to the adopter: they count for limits and can be flattened,
//!   and no rule trades them.

use crate::journal::{Entry, Record};
use crate::model::{InstrumentIx, StrategyIx};
use std::collections::BTreeMap;

/// What the numbers of a run stand for, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbering {
    /// Names of the strategies.
    pub strategies: Vec<String>,
    /// Exchange and symbol of the instruments.
    pub instruments: Vec<String>,
}

/// An earlier run of the day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlierRun {
    /// Sequence of its first record.
    pub from: u64,
    /// What its numbers stand for; `None` when it left no word of that, so that they are taken as they are.
    pub numbering: Option<Numbering>,
}

impl Numbering {
    /// The strategy that positions of nobody belong to: the one after the last.
    pub fn adopter(&self) -> StrategyIx {
        StrategyIx(u16::try_from(self.strategies.len()).unwrap_or(u16::MAX))
    }
}

/// Gives every record the numbers of this run; `runs` in the order of their first records. Returns the names of
/// strategies that this run does not have.
pub fn renumber(records: &mut [Record], runs: &[EarlierRun], now: &Numbering) -> Vec<String> {
    let mut gone = Vec::new();
    let mut outside: BTreeMap<String, InstrumentIx> = BTreeMap::new();
    for (at, run) in runs.iter().enumerate() {
        let Some(numbering) = run.numbering.as_ref().filter(|old| *old != now) else {
            continue;
        };
        let until = runs.get(at.saturating_add(1)).map_or(u64::MAX, |r| r.from);
        let strategy = |old: StrategyIx| {
            let name = numbering.strategies.get(old.at());
            let found = name.and_then(|name| place(&now.strategies, name));
            found.map_or_else(|| now.adopter(), StrategyIx)
        };
        let mut instrument = |old: InstrumentIx| {
            let name = numbering.instruments.get(old.at());
            let found = name.and_then(|name| place(&now.instruments, name));
            found.map_or_else(
                || {
                    let next = u16::MAX.saturating_sub(u16::try_from(outside.len()).unwrap_or(0));
                    let name = name.cloned().unwrap_or_else(|| format!("#{}", old.0));
                    *outside.entry(name).or_insert(InstrumentIx(next))
                },
                InstrumentIx,
            )
        };
        for record in records.iter_mut() {
            if !(run.from..until).contains(&record.sequence) {
                continue;
            }
            match &mut record.entry {
                Entry::Admitted(order) => {
                    let name = numbering.strategies.get(order.strategy.at());
                    order.strategy = strategy(order.strategy);
                    order.instrument = instrument(order.instrument);
                    if order.strategy == now.adopter()
                        && let Some(name) = name
                        && !gone.contains(name)
                    {
                        gone.push(name.clone());
                    }
                }
                Entry::Fill(fill) | Entry::Adopted(fill) => {
                    fill.strategy = strategy(fill.strategy);
                    fill.instrument = instrument(fill.instrument);
                }
                Entry::Report(_)
                | Entry::Sending(_)
                | Entry::Amending(_)
                | Entry::Ended(_)
                | Entry::Latch(_)
                | Entry::Checkpoint(_) => {}
            }
        }
    }
    gone
}

fn place(names: &[String], name: &String) -> Option<u16> {
    let at = names.iter().position(|known| known == name)?;
    u16::try_from(at).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Fill, Price, Qty, Side, Stamp, Tag, WallNanos};

    fn record(sequence: u64, strategy: u16, instrument: u16) -> Record {
        Record {
            sequence,
            at: Stamp::default(),
            entry: Entry::Fill(Fill {
                tag: Tag(*b"TZ00010KFY0000000000"),
                strategy: StrategyIx(strategy),
                instrument: InstrumentIx(instrument),
                side: Side::Buy,
                qty: Qty(75),
                price: Price(1),
                at: WallNanos(1),
            }),
        }
    }

    fn numbers(record: &Record) -> (u16, u16) {
        match record.entry {
            Entry::Fill(fill) => (fill.strategy.0, fill.instrument.0),
            _ => panic!("a fill"),
        }
    }

    fn numbering(strategies: &[&str], instruments: &[&str]) -> Numbering {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Numbering {
            strategies: own(strategies),
            instruments: own(instruments),
        }
    }

    #[test]
    fn numbers_follow_their_names_and_what_is_gone_is_the_adopters() {
        let now = numbering(&["b", "c"], &["X", "Y"]);
        let runs = [
            EarlierRun {
                from: 1,
                numbering: Some(numbering(&["a", "b"], &["Y", "Z", "W"])),
            },
            EarlierRun {
                from: 4,
                numbering: Some(now.clone()),
            },
            EarlierRun {
                from: 5,
                numbering: None,
            },
        ];
        let mut records = [
            record(1, 0, 0),
            record(2, 1, 1),
            record(3, 1, 2),
            record(4, 0, 1),
            record(5, 1, 1),
        ];
        assert!(renumber(&mut records, &runs, &now).is_empty());
        assert_eq!(
            records.each_ref().map(numbers),
            [(2, 1), (0, u16::MAX), (0, u16::MAX - 1), (0, 1), (1, 1)]
        );
    }

    #[test]
    fn the_adopter_stays_the_adopter_and_strategies_that_are_gone_are_named() {
        let now = numbering(&["b"], &["X"]);
        let old = numbering(&["a", "b"], &["X"]);
        let runs = [EarlierRun {
            from: 1,
            numbering: Some(old.clone()),
        }];
        let order = crate::journal::record::tests::entries()
            .into_iter()
            .find_map(|entry| match entry {
                Entry::Admitted(order) => Some(order),
                _ => None,
            })
            .expect("one of each");
        let admitted = Record {
            entry: Entry::Admitted(crate::model::Order {
                strategy: StrategyIx(0),
                ..order
            }),
            ..record(1, 0, 0)
        };
        let mut records = [admitted, record(2, old.adopter().0, 0)];
        assert_eq!(renumber(&mut records, &runs, &now), ["a"]);
        assert_eq!(numbers(&records[1]), (now.adopter().0, 0));
    }
}
