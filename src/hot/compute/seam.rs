//! Where history ends and ticks begin: prices between the two are in no bar, and no entry is based on a bar that lacks
//! much of them.
//!
//! ```text
//!   ── history ──┤ known until · · · · · · · first tick ├── ticks ──
//!   ── whole ──────┤├──────── lacks some ────────┤├── lacks some ──┤├── whole ──
//! ```
//!
//! Promises
//! - Before the first tick nobody knows how much is missing: what closes till then is taken for one that lacks much.
//! - Of the bars from the first tick on only the one it belongs to can: when it lacks more than [`ACCEPTED_NS`] of trading,
//!   or half of itself where that is less. Every start within a session lacks the minute that has no row yet.
//! - A first tick that tells of nothing later than history leaves no hole: nothing was traded since.

use crate::indicators::words::words_of;
use crate::model::session::trading_ns;
use crate::model::{Bar, Session, WallNanos};

/// Trading that a bar may lack and still be decided on, in nanoseconds: the minute that was not over, and a start.
const ACCEPTED_NS: i64 = 90_000_000_000;

/// What a unit lacks between its history and its ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seam {
    /// How far history is known, while no tick has come since the start.
    open_since: Option<WallNanos>,
    /// End of the bar that lacks much and has not closed.
    lacks_until: Option<WallNanos>,
}

words_of!(Seam: open_since, lacks_until);

impl Seam {
    /// Nothing after `known` is in a bar before the first tick; `None` when nothing is traded until then.
    pub(super) const fn open(&mut self, known: Option<WallNanos>) {
        self.open_since = known;
    }

    #[inline]
    pub(super) const fn is_open(&self) -> bool {
        self.open_since.is_some()
    }

    /// True when neither the forming bar nor one after it lacks much.
    pub(super) const fn is_whole(&self) -> bool {
        self.open_since.is_none() && self.lacks_until.is_none()
    }

    /// The first tick of a start was folded; `forming` is the bar that forms now.
    #[cold]
    pub(super) fn join(&mut self, at: WallNanos, forming: Option<&Bar>, sessions: &[Session]) {
        let Some(known) = self.open_since.take() else {
            return;
        };
        let Some(bar) = forming.filter(|bar| bar.end > at) else {
            return;
        };
        let lacks_ns = trading_ns(sessions, (known.max(bar.start), at));
        if lacks_ns > ACCEPTED_NS.min(bar.end.since(bar.start) / 2) {
            self.lacks_until = Some(bar.end);
        }
    }

    /// A bar closed.
    #[inline]
    pub(super) fn close(&mut self, end: WallNanos) {
        if self.lacks_until.is_some_and(|until| until <= end) {
            self.lacks_until = None;
        }
    }
}
