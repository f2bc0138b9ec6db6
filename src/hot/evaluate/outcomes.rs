//! What becomes of legs that were wanted: fills, ends, and orders that live again.

use super::Evaluate;
use crate::journal::Entry;
use crate::model::{Action, Fill, OrderState, Report, StrategyIx, Tag};

impl Evaluate {
    /// Takes what became known of an order. A report's state is what all evidence so far comes to, and the
    /// fills it stands for come before it.
    #[inline]
    pub fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Fill(fill) => {
                self.book_fill(fill);
                self.settle_position(fill.strategy);
                self.settle_fill(fill.tag);
            }
            Entry::Report(report) if report.state.is_terminal() => self.end_leg(report),
            Entry::Report(report) => self.reopen_leg(report.tag),
            _ => {}
        }
    }

    /// Books an execution of this run's contracts; those of an earlier run with others are the gateway's alone.
    #[inline]
    pub(super) fn book_fill(&mut self, fill: &Fill) {
        let is_known = fill.instrument.at() < self.instruments;
        if is_known && fill.strategy.at() <= self.runs.len() {
            self.book.apply(fill);
        }
    }

    fn find(&self, tag: Tag) -> Option<(usize, usize)> {
        let (intent, leg) = tag.intent_and_leg()?;
        let carried = self.carried.iter().find(|(number, _)| *number == intent);
        let row = match carried {
            Some((_, row)) => *row,
            None => usize::try_from(intent.checked_sub(self.base)?.checked_sub(1)?).ok()?,
        };
        let sent = self.sent.get(row)?;
        (leg < sent.legs).then_some((row, usize::from(leg)))
    }

    /// Nothing is held any more, whoever closed it: what an exit or an addition would go by is gone.
    fn settle_position(&mut self, strategy: StrategyIx) {
        if self.book.holds(strategy) {
            return;
        }
        if let Some(run) = self.runs.get_mut(strategy.at()) {
            (run.last_entry, run.pyramids, run.exit) = (None, 0, None);
        }
    }

    fn settle_fill(&mut self, tag: Tag) {
        let Some((row, _)) = self.find(tag) else {
            return;
        };
        let sent = &mut self.sent[row];
        let is_first = !std::mem::replace(&mut sent.is_filled, true);
        let is_flat = !self.book.holds(sent.strategy);
        let Some(run) = self.runs.get_mut(sent.strategy.at()) else {
            return;
        };
        if is_flat {
            return;
        }
        match sent.action {
            // Also a late fill that went past zero: what it left is closed like any other rest.
            Action::Exit => {
                run.exit.get_or_insert_default();
            }
            Action::Pyramid => {
                run.last_entry = Some(sent.price);
                // Any part of it counts: units decide what an exit must close, not whole legs.
                run.pyramids = run.pyramids.saturating_add(u32::from(is_first));
            }
            Action::Entry => run.last_entry = Some(sent.price),
        }
    }

    fn end_leg(&mut self, report: &Report) {
        let Some((row, leg)) = self.find(report.tag) else {
            return;
        };
        let sent = &mut self.sent[row];
        if std::mem::replace(&mut sent.is_over[leg], true) {
            return;
        }
        let Some(run) = self.runs.get_mut(sent.strategy.at()) else {
            return;
        };
        run.working = run.working.saturating_sub(1);
        if sent.action == Action::Exit {
            run.exiting = run.exiting.saturating_sub(1);
        }
        sent.is_refused |= report.state != OrderState::Filled;
        run.rests |= sent.is_refused;
        if sent.action == Action::Exit
            && sent.is_refused
            && sent.is_over == [true, true]
            && let Some(exit) = &mut run.exit
        {
            exit.put_off(report.received);
        }
    }

    /// An order thought over turned out to live: it is waited for again.
    fn reopen_leg(&mut self, tag: Tag) {
        let Some((row, leg)) = self.find(tag) else {
            return;
        };
        let sent = &mut self.sent[row];
        if std::mem::replace(&mut sent.is_over[leg], false)
            && let Some(run) = self.runs.get_mut(sent.strategy.at())
        {
            run.working = run.working.saturating_add(1);
            if sent.action == Action::Exit {
                run.exiting = run.exiting.saturating_add(1);
            }
        }
    }
}
