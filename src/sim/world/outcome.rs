//! The end of a world: evidence collected, checkers called, figures counted.

use super::Outcome;
use super::checks::{Evidence, Violation};
use super::plan::STRATEGIES;
use super::run::{Phase, Run, SETTLE};
use crate::book::OrderRecord;
use crate::hot::gateway::GatewayTotals;
use crate::journal::Entry;
use crate::model::InstrumentIx;
use std::collections::BTreeSet;

impl Run {
    pub(super) fn outcome(mut self) -> Result<Outcome, String> {
        let journal = self
            .disk
            .read()
            .map_err(|fault| format!("the journal cannot be read: {fault}"))?;
        let record = self.venue.truth();
        let symbol = |ix: InstrumentIx| {
            let row = self.ground.row(ix);
            row.map_or_else(String::new, |row| row.symbol.clone())
        };
        let book = self
            .trader
            .held
            .iter()
            .map(|((strategy, ix), net)| ((strategy.0, symbol(*ix)), *net));
        let known = self
            .life
            .iter()
            .flat_map(|life| life.gateway.orders().copied())
            .collect();
        if let Some(life) = &self.life {
            add(&mut self.totals, life.gateway.totals());
        }
        // What the last turn of a life sent, nobody was told: the journal knows it.
        for record in &journal.records {
            if let Entry::Admitted(order) = record.entry {
                self.orders.insert(order.tag, order);
            }
        }
        let torn = journal.torn.unwrap_or_default();
        let evidence = Evidence {
            family: self.ground.prefix(),
            symbols: self
                .ground
                .rows
                .iter()
                .map(|row| row.symbol.clone())
                .collect(),
            asked: self.trader.asked.clone(),
            journal: journal.records.iter().map(|record| record.entry).collect(),
            orders: self.orders.clone(),
            known,
            book: book.collect(),
            adopter: STRATEGIES,
            adopted: std::mem::take(&mut self.adopted),
            alarms: self.alarms.clone(),
            sent: self.sent.clone(),
            per_second: self.plan.budget.per_second,
            policies: self.plan.rules.policies.clone(),
            visible: self.left().tags().copied().collect(),
            earlier: self.earlier,
            waiting: self.trader.waits_for().copied().collect(),
            down: [self.down.as_slice(), self.plan.stopped.as_slice()].concat(),
            bunches: self.plan.network.slow > 0.0,
            is_tagless: !self.plan.echoes_tags,
            record,
        };
        let mut violations = std::mem::take(&mut self.broken);
        if let Some(kill) = self.kills.first() {
            return Err(format!("{kill}: the journal never came that far"));
        }
        if let Some(life) = &self.life {
            let written = life.gateway.journal().written();
            if journal.tail.sequence != written {
                let read = journal.tail.sequence;
                let words =
                    format!("{written} records were written and {read} are read back: {torn}");
                violations.push(Violation {
                    promise: "O3",
                    words,
                });
            }
        }
        violations.extend(evidence.violations());
        if self.refuses {
            refused(&evidence, &mut violations);
        }
        let ended = match self.phase {
            Phase::Closing(since) => since - SETTLE,
            Phase::Settling(since) => since,
            Phase::Trading => self.now,
        };
        let settled_ns = self.settled.map(|at| at.saturating_sub(ended));
        if settled_ns.is_none() && !self.refuses {
            violations.push(Violation {
                promise: "O2",
                words: "not settled within 60 s after faults and decisions ended".to_owned(),
            });
        }
        if !self.refuses {
            closed(&evidence, &mut violations);
        }
        let count = |length: usize| u64::try_from(length).unwrap_or(0);
        Ok(Outcome {
            seed: self.seed,
            is_tagless: self.knobs.tagless,
            scenario: self.scenario,
            intents: count(evidence.asked.len()),
            orders: count(evidence.record.orders.len()),
            fills: count(evidence.record.trades.len()),
            requests: count(evidence.sent.len()),
            faults: count(evidence.record.faults.len()),
            unknown: self.totals.unknown,
            absent: self.totals.absent,
            deaths: self.dead,
            flipped: self.flipped,
            refused: self.refuses,
            settled_ns,
            visible: count(evidence.visible.len()),
            lasted_ns: self.now,
            seen: seen(&evidence),
            violations,
            trace: self.trace.take(),
            evidence,
        })
    }
}

/// Names of what was played and of what came of it.
fn seen(evidence: &Evidence) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for fault in &evidence.record.faults {
        seen.insert(format!(
            "fault {} on {}",
            fault.kind.name(),
            fault.on.name()
        ));
    }
    for entry in &evidence.journal {
        match entry {
            Entry::Ended(ended) => seen.insert(format!("end {}", ended.how.name())),
            Entry::Report(report) => match report.denial {
                Some(denial) => seen.insert(format!("denial {}", denial.name())),
                None => seen.insert(format!("order {}", report.state.name())),
            },
            Entry::Amending(amend) if amend.limit.is_some() => {
                seen.insert("modification".to_owned())
            }
            Entry::Amending(_) => seen.insert("cancel".to_owned()),
            Entry::Latch(change) => seen.insert(format!("state {}", change.state.name())),
            Entry::Adopted(_) => seen.insert("adopted".to_owned()),
            Entry::Admitted(order) => match order.tag.parts() {
                Some(parts) if parts.leg > 1 => seen.insert("unwinding".to_owned()),
                Some(parts) if parts.slice > 0 => seen.insert("slice".to_owned()),
                Some(parts) if parts.attempt > 0 => seen.insert("attempt".to_owned()),
                _ => false,
            },
            Entry::Fill(_) | Entry::Sending(_) | Entry::Checkpoint(_) => false,
        };
    }
    seen
}

/// A start refuses to trade only when an exit left while no journal could be written; what is broken then is
/// what it left alone, and that is said.
fn refused(evidence: &Evidence, violations: &mut Vec<Violation>) {
    if evidence.unjournaled().next().is_none() {
        violations.push(Violation {
            promise: "O10",
            words: "a start refused to trade and every order is in the journal".to_owned(),
        });
    }
    violations.retain(|violation| !matches!(violation.promise, "O2" | "S3" | "O9"));
}

/// What an operator wanted closed is closed, but for what an order that nobody can speak for may have closed.
fn closed(evidence: &Evidence, violations: &mut Vec<Violation>) {
    let left = evidence.left();
    for ((strategy, symbol), net) in &evidence.book {
        let is_it = |record: &&OrderRecord| {
            let traded = evidence.symbols.get(record.order.instrument.at());
            record.is_live() && record.order.strategy.0 == *strategy && traded == Some(symbol)
        };
        let live = || evidence.known.iter().filter(is_it);
        // One that works is told of as an order that did not end.
        let works = live().any(|record| !left.has(&record.order.tag));
        let closing = live().filter(|record| record.order.side.sign() == -net.signum());
        let closing: u64 = closing.map(|record| u64::from(record.remaining().0)).sum();
        if net.unsigned_abs() > closing && !works {
            violations.push(Violation {
                promise: "O2",
                words: format!("strategy {strategy} still holds {net} of {symbol} after a flatten"),
            });
        }
    }
}

pub(super) const fn add(sum: &mut GatewayTotals, more: GatewayTotals) {
    sum.unknown += more.unknown;
    sum.absent += more.absent;
    sum.sent += more.sent;
}
