//! The start of every run: the venue's books are read until they agree with the day's journal, or the start is
//! given up in words.
//!
//! ```text
//!   journal ──► Replayed ─┐
//!                         ├──► recover ──► agreed
//!   read ─► books ────────┘       └─ not believed, unread, or in doubt ──► wait 0.5 1 2 4 8 s ──► read again
//! ```
//!
//! Promises
//! - Nothing is concluded from an answer that cannot be true; after six such answers the start is refused.
//! - One read that lacks an order the venue had shown halts nothing: only when it lacks it to the end.
//! - Books that moved between two of their pages are read again before anybody is alarmed about them.
//! - A dead session is not asked twice.

use super::desk::{Desk, DeskFault};
use super::recover::{Alarm, NotBelieved, Recovered, Run, VenueBooks, recover};
use crate::journal::recover::Replayed;
use crate::model::{Tag, WallNanos};
use crate::venue::books::{OrderRow, Positions, TradeRow};
use std::time::Duration;

/// Waits between two reads.
const WAITS: [Duration; 5] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];
/// Reads more when pages of one read do not fit each other: the market may have moved between them.
const DOUBTS: usize = 2;
/// Intents of strategies are numbered below, those of an operator from here on: 86 400 s × 600.
const OPERATOR_INTENTS: u64 = 51_840_000;

/// One read of everything the venue knows of the day.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// The order book.
    pub orders: Vec<OrderRow>,
    /// The trades, read after it.
    pub trades: Vec<TradeRow>,
    /// The positions, read last.
    pub positions: Positions,
}

/// Why a run does not start. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum ResumeFault {
    /// The venue's books cannot be read.
    #[error("{source}; read {tries} times, nothing was sent; start again when the venue answers")]
    Unread {
        /// Reads.
        tries: usize,
        /// What the last one said.
        source: DeskFault,
    },
    /// The venue's books cannot be true.
    #[error("{why}. They were read {tries} times; nothing was sent")]
    NotBelieved {
        /// Reads.
        tries: usize,
        /// What is wrong with the last one.
        why: NotBelieved,
    },
    /// Somebody stopped the start.
    #[error("stopped before anything was sent")]
    Stopped,
}

/// What journal and venue agree on.
#[derive(Clone, Debug)]
pub struct Agreed {
    /// Orders, fills, alarms.
    pub recovered: Recovered,
    /// First number that no intent of a strategy has.
    pub next_intent: u64,
    /// Reads it took.
    pub tries: usize,
}

/// How far a clock may lie behind what a journal says before a start is refused: as far as it may lie beside the
/// venue's before entries stop.
pub const CLOCK_BACK_NS: i64 = 2_000_000_000;

/// The machine's clock is behind a moment that an earlier run wrote down.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{file} names {found} (India), and the clock of this machine says {now}, {} earlier. A start is allowed from 2 s \
     before that moment on: session hours, deadlines, tags and the day of the journal follow the clock. Set it right \
     (timedatectl shows it) and start again. If it is right now and was ahead in that run, start again with \
     --clock-is-right",
    span(found.since(*now))
)]
pub struct ClockFault {
    /// The journal file.
    pub file: String,
    /// The latest moment in it.
    pub found: WallNanos,
    /// What the clock says.
    pub now: WallNanos,
}

/// Holds the clock against the latest moment an earlier run wrote down.
///
/// # Errors
///
/// [`ClockFault`] when the clock lies more than [`CLOCK_BACK_NS`] behind it.
pub fn check_clock(file: &str, found: WallNanos, now: WallNanos) -> Result<(), ClockFault> {
    if found.since(now) > CLOCK_BACK_NS {
        return Err(ClockFault {
            file: file.to_owned(),
            found,
            now,
        });
    }
    Ok(())
}

fn span(nanos: i64) -> String {
    let seconds = nanos / 1_000_000_000;
    match (seconds / 3_600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// Reads order book, trades and positions, in this order.
///
/// # Errors
///
/// [`DeskFault`] of the first that fails.
pub fn read(desk: &mut Desk) -> Result<Read, DeskFault> {
    if !desk.broker().facts().rows_say_filled {
        // A cancelled order is believed at the second look.
        desk.orders()?;
    }
    Ok(Read {
        orders: desk.orders()?,
        trades: desk.trades()?,
        positions: desk.positions()?,
    })
}

/// Reads until journal and venue agree; `pause` is told why, waits, and says whether to go on.
///
/// # Errors
///
/// [`ResumeFault`]; nothing was sent.
pub fn agree(
    replayed: &Replayed,
    run: &Run<'_>,
    mut read: impl FnMut() -> Result<Read, DeskFault>,
    mut pause: impl FnMut(Duration, &str) -> bool,
) -> Result<Agreed, ResumeFault> {
    let mut tries = 0;
    loop {
        let wait = WAITS.get(tries).copied();
        tries += 1;
        let found = read().map(|books| {
            let venue = VenueBooks {
                orders: &books.orders,
                trades: &books.trades,
                positions: Some(&books.positions),
            };
            let next = next_intent(replayed, &books.orders, run.family);
            (recover(replayed, venue, run), next)
        });
        let fault = match found {
            Ok((Ok(recovered), next_intent)) => {
                if wait.is_none() || tries > patience(&recovered) {
                    return Ok(Agreed {
                        recovered,
                        next_intent,
                        tries,
                    });
                }
                None
            }
            Ok((Err(why), _)) => Some(ResumeFault::NotBelieved { tries, why }),
            Err(source) if source.is_session_dead() => {
                return Err(ResumeFault::Unread { tries, source });
            }
            Err(source) => Some(ResumeFault::Unread { tries, source }),
        };
        let Some(wait) = wait else {
            return Err(fault.unwrap_or(ResumeFault::Stopped));
        };
        let why = fault.map_or_else(
            || "order book, trades and positions do not fit each other".to_owned(),
            |fault| match fault {
                ResumeFault::Unread { source, .. } => source.to_string(),
                ResumeFault::NotBelieved { why, .. } => why.to_string(),
                ResumeFault::Stopped => String::new(),
            },
        );
        if !pause(wait, &why) {
            return Err(ResumeFault::Stopped);
        }
    }
}

/// Further reads that may clear what is alarming: an old page shows orders as they were.
fn patience(recovered: &Recovered) -> usize {
    let doubts = recovered.alarms.iter().map(|alarm| match alarm {
        Alarm::Lost(_) => WAITS.len(),
        Alarm::Trades(_) | Alarm::Position { .. } => DOUBTS,
        Alarm::Revived(_)
        | Alarm::LateFill(_)
        | Alarm::Fence(..)
        | Alarm::Lookalike(..)
        | Alarm::Twice(..)
        | Alarm::Strays(_) => 0,
    });
    doubts.max().unwrap_or(0)
}

/// First number no intent of a strategy has, by the journal and by the tags at the venue.
fn next_intent(replayed: &Replayed, rows: &[OrderRow], family: &[u8]) -> u64 {
    let ours = |tag: &Tag| tag.family() == family;
    let tags = rows.iter().filter_map(|row| row.update.tag).filter(ours);
    let shown = tags.filter_map(|tag| Some(tag.intent_and_leg()?.0));
    let known = replayed.orders.iter().map(|record| record.order.intent.0);
    let ended = replayed.ended.keys().map(|intent| intent.0);
    let numbers = known.chain(ended).chain(shown);
    let last = numbers.filter(|number| *number < OPERATOR_INTENTS).max();
    last.map_or(0, |last| last.saturating_add(1))
}

#[cfg(test)]
mod tests;
