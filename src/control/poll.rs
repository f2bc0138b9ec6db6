//! Asks for quotes over REST while no socket brings them, within the brokers' rate; and, less often, for those of
//! single instruments of which a living connection says nothing.
//!
//! A stage on a thread of its own, because a call blocks. The first broker is asked; when it does not answer, the next
//! one is, and the first again when that one fails too.

use super::desk::{Desk, DeskFault};
use crate::model::{Instrument, InstrumentIx, MonoNanos, Polled, Quote, Token};
use crate::net::Backoff;
use crate::ring::{Counted, LinkBoard};
use crate::runtime::{Clock, Stage};
use crate::venue::quotes::QuoteRow;
use crossbeam_channel::Sender;
use std::collections::HashMap;

/// Time between two calls. Every supported broker takes one call for quotes a second.
const CALL_NS: u64 = 1_000_000_000;
/// The same while sockets bring prices and only what they are silent about is asked for.
const QUIET_CALL_NS: u64 = 2 * CALL_NS;

/// What became of asking, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PollNews {
    /// A broker answers.
    Answers(String),
    /// A broker does not; the next one is asked.
    Failed(String, String),
}

/// One broker that can be asked.
#[derive(Debug)]
pub struct PollDesk {
    /// Its name, for people.
    pub name: String,
    /// Its desk.
    pub desk: Desk,
    /// Its own rows of the instruments, with our indices.
    pub instruments: Vec<Instrument>,
}

/// The poller.
#[derive(Debug)]
pub struct Poller {
    desks: Vec<(PollDesk, HashMap<Token, InstrumentIx>)>,
    board: LinkBoard,
    quotes: Counted<Polled>,
    news: Sender<PollNews>,
    at: usize,
    next: usize,
    due: MonoNanos,
    backoff: Backoff,
    /// The broker that answered last, or the fault that was told.
    told: Option<PollNews>,
}

impl Poller {
    /// Prepares a poller; it asks while the board says so.
    pub fn new(
        desks: Vec<PollDesk>,
        board: LinkBoard,
        quotes: Counted<Polled>,
        news: Sender<PollNews>,
    ) -> Self {
        let with_tokens = |own: PollDesk| {
            let rows = own.instruments.iter().map(|row| (row.token, row.ix));
            let tokens = rows.collect();
            (own, tokens)
        };
        Self {
            desks: desks.into_iter().map(with_tokens).collect(),
            board,
            quotes,
            news,
            at: 0,
            next: 0,
            due: MonoNanos(0),
            backoff: Backoff::new(0x706f_6c6c),
            told: None,
        }
    }

    /// Asks one broker for the next instruments, as many as one call takes.
    fn ask(&mut self, clock: &Clock) -> Result<usize, DeskFault> {
        let Some((own, tokens)) = self.desks.get_mut(self.at) else {
            return Ok(0);
        };
        let most = own.desk.broker().facts().quotes_max.max(1);
        if self.next >= own.instruments.len() {
            self.next = 0;
        }
        let all = self.board.wants_polls();
        let is_asked = |row: &(usize, &Instrument)| all || self.board.is_quiet(row.1.ix);
        let rows = own.instruments.iter().enumerate().skip(self.next);
        let part: Vec<_> = rows.filter(is_asked).take(most).collect();
        // Round again when nothing is left behind this call.
        let whole = part.len() == most;
        let last = part.last().map_or(0, |(at, _)| at + 1);
        self.next = if whole { last } else { own.instruments.len() };
        let part: Vec<&Instrument> = part.into_iter().map(|(_, row)| row).collect();
        if part.is_empty() {
            return Ok(0);
        }
        let rows = own.desk.quotes(&part)?;
        let received = clock.mono();
        let mut done = 0;
        for row in &rows {
            if let Some(instrument) = tokens.get(&row.token) {
                self.quotes.push(Polled {
                    instrument: *instrument,
                    quote: quote(row),
                    received,
                });
                done += 1;
            }
        }
        Ok(done)
    }

    fn tell(&mut self, news: PollNews) {
        if self.told.as_ref() != Some(&news) {
            self.told = Some(news.clone());
            // Nobody listens any more when the run is ending.
            self.news.send(news).ok();
        }
    }

    fn name(&self) -> String {
        let own = self.desks.get(self.at);
        own.map_or_else(String::new, |(own, _)| own.name.clone())
    }
}

impl Stage for Poller {
    fn name(&self) -> &'static str {
        "poller"
    }

    fn work(&mut self, clock: &Clock) -> usize {
        let now = clock.mono();
        let all = self.board.wants_polls();
        if (!all && self.board.quiet() == 0) || now < self.due {
            return 0;
        }
        self.due = now.plus(if all { CALL_NS } else { QUIET_CALL_NS });
        match self.ask(clock) {
            Ok(done) => {
                self.backoff.reset();
                if all {
                    self.tell(PollNews::Answers(self.name()));
                }
                done
            }
            Err(fault) => {
                self.tell(PollNews::Failed(self.name(), fault.to_string()));
                self.at = (self.at + 1) % self.desks.len().max(1);
                self.next = 0;
                // Once round is at the rate; a round without an answer is followed by a longer wait.
                if self.at == 0 {
                    let wait = self.backoff.next_wait().as_nanos();
                    let wait = u64::try_from(wait).unwrap_or(u64::MAX);
                    self.due = clock.mono().plus(wait.max(CALL_NS));
                }
                0
            }
        }
    }
}

/// A row of an answer as the feed takes it.
fn quote(row: &QuoteRow) -> Quote {
    Quote {
        token: row.token,
        last: row.last,
        bid: row.bids[0].price,
        ask: row.asks[0].price,
        // As wide as on the wire of a feed.
        volume_day: u32::try_from(row.volume & u64::from(u32::MAX)).unwrap_or(0),
        exchange_time: row.at,
    }
}
