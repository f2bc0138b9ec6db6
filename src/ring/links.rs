//! What the feed says of its links, for whoever shows it: written by the feed's thread, read by any.
//!
//! Every value is whole; two values of one link may be of two moments.

use crate::model::{InstrumentIx, LinkIx, MonoNanos, Origin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

/// How far a link is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkState {
    /// There is no connection.
    #[default]
    Down,
    /// Connected, nothing came yet.
    Connected,
    /// Prices come.
    Live,
    /// Prices come, and later than from another source.
    Slow,
}

impl LinkState {
    /// The word shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Connected => "connected",
            Self::Live => "live",
            Self::Slow => "slow",
        }
    }

    const fn of(byte: u8) -> Self {
        match byte {
            1 => Self::Connected,
            2 => Self::Live,
            3 => Self::Slow,
            _ => Self::Down,
        }
    }
}

/// What is shown of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkView {
    /// How far it is.
    pub state: LinkState,
    /// When something came last, a sign of life included; zero for never.
    pub heard: MonoNanos,
    /// When a tick came last; zero for never.
    pub ticked: MonoNanos,
    /// Exchange time to receive time, nanoseconds, the smallest of the last second in which ticks came; `None` when the
    /// wire has no times or nothing came.
    pub lag_ns: Option<i64>,
    /// Connections made after the first.
    pub reconnects: u32,
    /// Instruments that ticked on this connection.
    pub verified: u32,
    /// Ticks so far.
    pub ticks: u64,
}

/// Stands for no lag.
const NO_LAG: i64 = i64::MIN;

#[derive(Debug, Default)]
struct Row {
    state: AtomicU8,
    heard: AtomicU64,
    ticked: AtomicU64,
    lag_ns: AtomicI64,
    reconnects: AtomicU32,
    verified: AtomicU32,
    ticks: AtomicU64,
}

#[derive(Debug)]
struct Words {
    links: Box<[Row]>,
    origins: Box<[AtomicU8]>,
    wants_polls: AtomicBool,
    /// By instrument: whether its quote alone has to be asked for; and how many there are.
    quiet: Box<[AtomicBool]>,
    quiet_count: AtomicU32,
}

/// One row per link, one word per instrument.
#[derive(Clone, Debug)]
pub struct LinkBoard(Arc<Words>);

impl LinkBoard {
    /// An empty board.
    pub fn new(links: usize, instruments: usize) -> Self {
        let rows = (0..links).map(|_| Row {
            lag_ns: AtomicI64::new(NO_LAG),
            ..Row::default()
        });
        Self(Arc::new(Words {
            links: rows.collect(),
            origins: (0..instruments).map(|_| AtomicU8::new(0)).collect(),
            wants_polls: AtomicBool::new(false),
            quiet: (0..instruments).map(|_| AtomicBool::new(false)).collect(),
            quiet_count: AtomicU32::new(0),
        }))
    }

    /// Says whether the quote of one instrument has to be asked for: its connection lives and says nothing of it.
    /// Called by one thread only.
    pub fn set_quiet(&self, instrument: InstrumentIx, is_quiet: bool) {
        let Some(word) = self.0.quiet.get(instrument.at()) else {
            return;
        };
        if word.load(Relaxed) == is_quiet {
            return;
        }
        word.store(is_quiet, Relaxed);
        let count = self.0.quiet_count.load(Relaxed);
        let count = if is_quiet {
            count.saturating_add(1)
        } else {
            count.saturating_sub(1)
        };
        self.0.quiet_count.store(count, Relaxed);
    }

    /// True while the quote of an instrument has to be asked for.
    pub fn is_quiet(&self, instrument: InstrumentIx) -> bool {
        let word = self.0.quiet.get(instrument.at());
        word.is_some_and(|word| word.load(Relaxed))
    }

    /// Instruments whose quotes have to be asked for.
    pub fn quiet(&self) -> u32 {
        self.0.quiet_count.load(Relaxed)
    }

    /// Writes what is known of a link. Called by one thread only.
    pub fn set(&self, link: LinkIx, view: &LinkView) {
        let Some(row) = self.0.links.get(link.at()) else {
            return;
        };
        row.state.store(view.state as u8, Relaxed);
        row.heard.store(view.heard.0, Relaxed);
        row.ticked.store(view.ticked.0, Relaxed);
        row.lag_ns.store(view.lag_ns.unwrap_or(NO_LAG), Relaxed);
        row.reconnects.store(view.reconnects, Relaxed);
        row.verified.store(view.verified, Relaxed);
        row.ticks.store(view.ticks, Relaxed);
    }

    /// What is known of a link.
    pub fn get(&self, link: LinkIx) -> LinkView {
        let Some(row) = self.0.links.get(link.at()) else {
            return LinkView::default();
        };
        let lag_ns = row.lag_ns.load(Relaxed);
        LinkView {
            state: LinkState::of(row.state.load(Relaxed)),
            heard: MonoNanos(row.heard.load(Relaxed)),
            ticked: MonoNanos(row.ticked.load(Relaxed)),
            lag_ns: (lag_ns != NO_LAG).then_some(lag_ns),
            reconnects: row.reconnects.load(Relaxed),
            verified: row.verified.load(Relaxed),
            ticks: row.ticks.load(Relaxed),
        }
    }

    /// Notes who serves an instrument, and what is known against its price.
    pub fn serve(&self, instrument: InstrumentIx, origin: Origin) {
        if let Some(word) = self.0.origins.get(instrument.at()) {
            word.store(origin.byte(), Relaxed);
        }
    }

    /// Who serves an instrument.
    pub fn origin(&self, instrument: InstrumentIx) -> Origin {
        let word = self.0.origins.get(instrument.at());
        word.map_or(Origin::of(0), |word| Origin::from_byte(word.load(Relaxed)))
    }

    /// Says whether prices have to be asked for.
    pub fn want_polls(&self, wants: bool) {
        self.0.wants_polls.store(wants, Relaxed);
    }

    /// True while prices have to be asked for.
    pub fn wants_polls(&self) -> bool {
        self.0.wants_polls.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_of_a_link_or_an_instrument_is_read() {
        let board = LinkBoard::new(2, 3);
        assert_eq!(board.get(LinkIx(1)), LinkView::default());
        for state in [
            LinkState::Connected,
            LinkState::Live,
            LinkState::Slow,
            LinkState::Down,
        ] {
            let view = LinkView {
                state,
                heard: MonoNanos(7),
                ticked: MonoNanos(6),
                lag_ns: Some(-5),
                reconnects: 4,
                verified: 3,
                ticks: 2,
            };
            board.set(LinkIx(1), &view);
            assert_eq!(board.get(LinkIx(1)), view, "{}", state.name());
        }
        board.set(LinkIx(9), &LinkView::default());
        let origin = Origin::of(2).diverging(true);
        board.serve(InstrumentIx(2), origin);
        board.serve(InstrumentIx(9), origin);
        let origins = [2, 1, 9].map(|at| board.origin(InstrumentIx(at)));
        assert_eq!(origins, [origin, Origin::of(0), Origin::of(0)]);
        for (at, is_quiet, count) in [
            (1, true, 1),
            (1, true, 1),
            (2, true, 2),
            (1, false, 1),
            (9, true, 1),
        ] {
            board.set_quiet(InstrumentIx(at), is_quiet);
            assert_eq!(board.quiet(), count);
        }
        let quiet = [0, 1, 2, 9].map(|at| board.is_quiet(InstrumentIx(at)));
        assert_eq!(quiet, [false, false, true, false]);
        assert!(!board.wants_polls());
        board.clone().want_polls(true);
        assert!(board.wants_polls());
    }
}
