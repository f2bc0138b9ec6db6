//! Faults of bytes that came from outside: `Copy` codes and counters, never sentences.

use std::fmt;

/// What was wrong with a frame or packet of a feed. The frame is dropped, the stream goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FeedFault {
    /// The container ends before what it announces.
    Truncated,
    /// Bytes are left over after the announced packets.
    Trailing,
    /// A packet has a length no mode knows; it was skipped.
    Length,
    /// A packet names a segment without a price scale.
    Segment,
    /// A packet is for an instrument nobody subscribed to.
    UnknownToken,
    /// A price is zero, negative or beyond what can be held.
    Price,
    /// A text message is not the JSON it should be.
    Text,
    /// A frame is larger than the limit.
    Oversized,
    /// The broker says that it ends the connection.
    Disconnected,
    /// The broker says that the session is dead: another connection with the same token is refused too.
    SessionDead,
}

impl FeedFault {
    /// Every fault, in the order of its counter.
    pub const ALL: [Self; 10] = [
        Self::Truncated,
        Self::Trailing,
        Self::Length,
        Self::Segment,
        Self::UnknownToken,
        Self::Price,
        Self::Text,
        Self::Oversized,
        Self::Disconnected,
        Self::SessionDead,
    ];

    /// The word shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Trailing => "trailing",
            Self::Length => "length",
            Self::Segment => "segment",
            Self::UnknownToken => "unknown_token",
            Self::Price => "price",
            Self::Text => "text",
            Self::Oversized => "oversized",
            Self::Disconnected => "disconnected",
            Self::SessionDead => "session_dead",
        }
    }
}

impl fmt::Display for FeedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A counter per [`FeedFault`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    counts: [u64; FeedFault::ALL.len()],
}

impl Count {
    /// Counts one.
    pub fn add(&mut self, fault: FeedFault) {
        if let Some(count) = self.counts.get_mut(fault as usize) {
            *count = count.wrapping_add(1);
        }
    }

    /// How often a fault was seen.
    pub fn of(&self, fault: FeedFault) -> u64 {
        self.counts.get(fault as usize).copied().unwrap_or(0)
    }

    /// All faults seen at least once with their counts.
    pub fn seen(&self) -> impl Iterator<Item = (FeedFault, u64)> + '_ {
        FeedFault::ALL
            .into_iter()
            .map(|fault| (fault, self.of(fault)))
            .filter(|(_, n)| *n > 0)
    }

    /// Sum over all faults.
    pub fn total(&self) -> u64 {
        self.counts.iter().fold(0, |sum, n| sum.wrapping_add(*n))
    }
}
