//! A start of the process: the books read over the network until they are believed, then agreed with the journal.

use super::ground::{BROKER, Ground};
use super::life::DAWN;
use super::network::Wire;
use super::plan::STRATEGIES;
use super::reader::{Read, Reader, forget_tags};
use crate::control::recover::{NotBelieved, Recovered, Run, VenueBooks, recover};
use crate::journal::recover::{Replayed, fold};
use crate::journal::{Journal, reader::Tail};
use crate::model::{MonoNanos, StrategyIx};
use crate::venue::books::{OrderRow, TradeRow};
use crate::venue::{ApiFault, Auth, JsonScratch};
use parking_lot::Mutex;
use std::sync::Arc;

const SECOND: u64 = 1_000_000_000;
/// Longest wait between two tries.
const WAIT_MAX: u64 = 8 * SECOND;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Orders,
    Trades,
    Positions,
}

/// How far a start has come.
#[derive(Debug)]
pub(super) enum Progress {
    /// Nothing new.
    Waits,
    /// The answer cannot be true, or there was none: asked again later.
    Again(Option<NotBelieved>),
    /// The session is dead: log in again.
    SessionDead,
    /// Journal and venue agree.
    Agreed(Box<Recovered>),
}

/// A process that is not trading yet.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) replayed: Replayed,
    pub(super) tail: Tail,
    reader: Reader,
    json: JsonScratch,
    part: Part,
    orders: Vec<OrderRow>,
    trades: Vec<TradeRow>,
    not_before: u64,
    wait: u64,
    echoes_tags: bool,
}

impl Start {
    pub(super) fn new(
        journal: &Journal,
        wire: &Arc<Mutex<Wire>>,
        now: u64,
        echoes_tags: bool,
    ) -> Self {
        Self {
            replayed: fold(&journal.records),
            tail: journal.tail,
            reader: Reader::new(Arc::clone(wire)),
            json: JsonScratch::new(),
            part: Part::Orders,
            orders: Vec::new(),
            trades: Vec::new(),
            not_before: now,
            wait: SECOND / 2,
            echoes_tags,
        }
    }

    fn again(&mut self, now: u64, why: Option<NotBelieved>) -> Progress {
        self.part = Part::Orders;
        self.not_before = now + self.wait;
        self.wait = (self.wait * 2).min(WAIT_MAX);
        Progress::Again(why)
    }

    /// Asks what is due, takes an answer that came.
    pub(super) fn step(&mut self, now: u64, ground: &Ground, auth: &Auth) -> Progress {
        if !self.reader.is_busy() && now >= self.not_before {
            let request = match self.part {
                Part::Orders => BROKER.orders_request(auth),
                Part::Trades => BROKER.trades_request(auth),
                Part::Positions => BROKER.positions_request(auth),
            };
            self.reader.ask(&request, &ground.endpoint, now);
        }
        let Some(read) = self.reader.poll(now) else {
            return Progress::Waits;
        };
        let Read::Answer(status, mut body) = read else {
            return self.again(now, None);
        };
        let taken = match self.part {
            Part::Orders => BROKER
                .parse_orders(status, &mut body, &mut self.json)
                .map(|rows| {
                    self.orders = rows;
                    if !self.echoes_tags {
                        forget_tags(&mut self.orders);
                    }
                    None
                }),
            Part::Trades => BROKER
                .parse_trades(status, &mut body, &mut self.json)
                .map(|rows| {
                    self.trades = rows;
                    None
                }),
            Part::Positions => BROKER
                .parse_positions(status, &mut body, &mut self.json)
                .map(Some),
        };
        let positions = match taken {
            Ok(positions) => positions,
            Err(ApiFault::Session { .. }) => return Progress::SessionDead,
            Err(_) => return self.again(now, None),
        };
        self.part = match self.part {
            Part::Orders => Part::Trades,
            Part::Trades | Part::Positions => Part::Positions,
        };
        let Some(positions) = positions else {
            return Progress::Waits;
        };
        let family = ground.prefix();
        let run = Run {
            family: &family,
            tokens: &ground.tokens(),
            adopter: StrategyIx(STRATEGIES),
            now: MonoNanos(DAWN),
        };
        let venue = VenueBooks {
            orders: &self.orders,
            trades: &self.trades,
            positions: Some(&positions),
        };
        match recover(&self.replayed, venue, &run) {
            Ok(recovered) => Progress::Agreed(Box::new(recovered)),
            Err(why) => self.again(now, Some(why)),
        }
    }
}
