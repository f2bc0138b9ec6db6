//! The loop over bars: fill what was decided, decide, value.

use super::paper::{Deal, Paper};
use crate::model::{Action, Bar, Money, Price};

/// What is held when a bar is decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Entries and additions of the open trade; zero when flat.
    pub entries: u32,
    /// Price of the latest of them.
    pub last_entry: Option<Price>,
}

/// What a strategy says of a closed bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its readings are not ready; the bar is warm-up and nothing is traded.
    NotReady,
    /// Nothing to do.
    Nothing,
    /// Trade.
    Act(Action),
}

/// Plays bars through a strategy and an account; returns the number of warm-up bars.
///
/// An entry while something is held, and an addition or exit while nothing is, are left out: they cannot happen live.
pub fn play<C: FnMut(&Deal) -> Money>(
    bars: &[Bar],
    paper: &mut Paper<C>,
    mut decide: impl FnMut(&Bar, Held) -> Verdict,
) -> usize {
    let mut warm_up = 0;
    for (at, bar) in bars.iter().enumerate() {
        paper.open_bar(at, bar.open, bar.start);
        paper.during(bar);
        let held = Held {
            entries: paper.entries(),
            last_entry: paper.last_entry(),
        };
        match decide(bar, held) {
            Verdict::NotReady => warm_up += 1,
            Verdict::Nothing => {}
            Verdict::Act(action) => {
                if (action == Action::Entry) == (held.entries == 0) {
                    paper.decide(action, at, bar.close, bar.end);
                }
            }
        }
        paper.close_bar(bar);
    }
    if let Some(last) = bars.last() {
        paper.finish(bars.len() - 1, last);
    }
    warm_up
}
