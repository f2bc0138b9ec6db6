//! One dated trading window of one segment, as data.

use super::time::{Day, WallNanos};

/// Nanoseconds of continuous trading between two moments.
pub fn trading_ns(sessions: &[Session], (from, to): (WallNanos, WallNanos)) -> i64 {
    let windows = sessions.iter().flat_map(Session::windows);
    let shared = windows.map(|window| {
        let (open, close) = (window.open.max(from), window.close.min(to));
        close.since(open).max(0)
    });
    shared.sum()
}

/// A stretch of continuous trading: from its open, up to but not including its close.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// First moment of continuous trading.
    pub open: WallNanos,
    /// First moment after it.
    pub close: WallNanos,
}

impl Window {
    /// True from the open up to, not including, the close.
    pub fn contains(&self, wall: WallNanos) -> bool {
        self.open <= wall && wall < self.close
    }
}

/// The continuous trading of one segment on one day: one window, or two around a break.
///
/// Two windows occur on exchange drill days (NSE, 2 March and 18 May 2024) and on MCX holidays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The calendar day in India.
    pub day: Day,
    first: Window,
    second: Option<Window>,
}

impl Session {
    /// A session of one window.
    pub const fn single(day: Day, window: Window) -> Self {
        Self {
            day,
            first: window,
            second: None,
        }
    }

    /// A session of two windows with a break between them.
    pub const fn split(day: Day, first: Window, second: Window) -> Self {
        Self {
            day,
            first,
            second: Some(second),
        }
    }

    /// First moment of trading.
    pub const fn open(&self) -> WallNanos {
        self.first.open
    }

    /// First moment after the last window.
    pub fn close(&self) -> WallNanos {
        self.second.map_or(self.first.close, |w| w.close)
    }

    /// The window that contains the moment, or `None` outside continuous trading.
    pub fn window_at(&self, wall: WallNanos) -> Option<Window> {
        if self.first.contains(wall) {
            return Some(self.first);
        }
        self.second.filter(|w| w.contains(wall))
    }

    /// The windows in order.
    pub fn windows(&self) -> impl Iterator<Item = Window> + use<> {
        std::iter::once(self.first).chain(self.second)
    }
}
