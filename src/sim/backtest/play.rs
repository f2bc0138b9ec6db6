//! The loop over prices: fill what was decided, decide, value.

use super::paper::{Deal, Paper};
use super::runner::{Held, Runner, Verdict};
use super::sources::Step;
use crate::model::{Action, Bar, Money};

/// Plays closed bars through a strategy and an account; returns the number of warm-up bars.
///
/// An entry while something is held, and an addition or exit while nothing is, cannot come out of a
/// compiled strategy; should a rule of ours ever say so, it is left out.
pub fn bars<C: FnMut(&Deal) -> Money>(
    bars: &[Bar],
    paper: &mut Paper<C>,
    runner: &mut Runner,
) -> usize {
    let mut warm_up = 0;
    for (at, bar) in bars.iter().enumerate() {
        paper.open_bar(at, bar.open, bar.start);
        paper.during(bar);
        warm_up += close(at, bar, paper, runner);
    }
    finish(bars.last(), paper);
    warm_up
}

/// As [`bars`], for a strategy that also decides while a bar forms: every row counts as a tick.
pub fn steps<C: FnMut(&Deal) -> Money>(
    steps: &[Step],
    paper: &mut Paper<C>,
    runner: &mut Runner,
) -> usize {
    let (mut warm_up, mut at, mut last) = (0, 0, None);
    for step in steps {
        match step {
            Step::Row { row, forming } => {
                paper.open_bar(at, row.open, row.start);
                paper.during(row);
                let verdict = runner.tick(forming, row.end, held(paper));
                act(verdict, at, row, paper);
            }
            Step::Close(bar) => {
                warm_up += close(at, bar, paper, runner);
                at += 1;
                last = Some(bar);
            }
        }
    }
    finish(last, paper);
    warm_up
}

/// Decides and values at a bar's close; 1 for a warm-up bar.
#[inline]
fn close<C: FnMut(&Deal) -> Money>(
    at: usize,
    bar: &Bar,
    paper: &mut Paper<C>,
    runner: &mut Runner,
) -> usize {
    let verdict = runner.close(bar, held(paper));
    act(verdict, at, bar, paper);
    paper.close_bar(bar);
    usize::from(verdict == Verdict::NotReady)
}

fn held<C: FnMut(&Deal) -> Money>(paper: &Paper<C>) -> Held {
    Held {
        entries: paper.entries(),
        last_entry: paper.last_entry(),
    }
}

fn act<C: FnMut(&Deal) -> Money>(verdict: Verdict, at: usize, bar: &Bar, paper: &mut Paper<C>) {
    if let Verdict::Act(action) = verdict
        && (action == Action::Entry) == (paper.entries() == 0)
    {
        paper.decide(action, at, bar.close, bar.end);
    }
}

fn finish<C: FnMut(&Deal) -> Money>(last: Option<&Bar>, paper: &mut Paper<C>) {
    if let Some(last) = last {
        paper.finish(paper.equity.len().saturating_sub(1), last);
    }
}
