//! What ticker clients hear: prices, order messages, heartbeats, and pings that pace the market.

use super::{Server, Talk, Ticker};
use crate::model::WallNanos;
use crate::sim::clock;
use crate::sim::state::World;
use crate::sim::stream::Stream;
use crate::sim::venue::Update;
use crate::sim::wire::Mode;
use tungstenite::{Bytes, Message};

/// A backlog above which a connection gets the latest prices later instead of every price now.
const CONFLATE_ABOVE: usize = 256 * 1024;
/// Unanswered pings remembered.
const PINGS_KEPT: usize = 8;
const HEARTBEAT_NS: u64 = 1_000_000_000;

impl Server {
    /// One frame of what moved to everyone who wants it.
    pub(super) fn publish(&mut self, moved: &[usize]) {
        let mut frames = std::mem::take(&mut self.frames);
        for client in self.clients.iter_mut().flatten() {
            let Talk::Ticker(ticker) = &mut client.talk else {
                continue;
            };
            let wanted: Vec<usize> = moved
                .iter()
                .copied()
                .filter(|ix| ticker.modes.contains_key(ix))
                .filter(|ix| self.venue.world.stream.tells(*ix))
                .collect();
            if wanted.is_empty() {
                continue;
            }
            if ticker.socket.get_ref().backlog() > CONFLATE_ABOVE {
                for ix in wanted {
                    if ticker.late.contains(&ix) {
                        self.venue.world.truth.tally.conflated += 1;
                    } else {
                        ticker.late.push(ix);
                    }
                }
                continue;
            }
            send_prices(&mut self.venue.world, &mut frames, ticker, &wanted);
        }
        self.frames = frames;
    }

    /// Pings clients once per half the lead, so that the market stays within it.
    pub(super) fn pace_clients(&mut self, at: WallNanos) {
        let gap = i64::from(self.settings.lead_ms) * 500_000;
        let (number, real) = (self.venue.world.market.steps(), clock::mono_ns());
        for ticker in self.tickers().filter(|ticker| !ticker.modes.is_empty()) {
            if at.since(ticker.pinged) >= gap {
                let bytes = Bytes::copy_from_slice(&number.to_be_bytes());
                drop(ticker.socket.write(Message::Ping(bytes)));
                ticker.pinged = at;
                ticker.pings.push_back((number, real));
                // A client that never answers is not asked without end.
                if ticker.pings.len() > PINGS_KEPT {
                    ticker.pings.pop_front();
                }
            }
            drop(ticker.socket.get_mut().push());
        }
    }

    /// Order messages to every ticker connection.
    pub(super) fn deliver(&mut self) {
        let now = self.moment();
        self.told.append(&mut self.venue.updates(now));
        let is_silent = self.venue.world.stream.silent;
        let due: Vec<Update> = self
            .told
            .extract_if(.., |update| update.at <= now.real && !is_silent)
            .collect();
        for update in due {
            let message = Message::text(update.text);
            let listens = |ticker: &&mut Ticker| ticker.channel.orders && ticker.channel.known;
            for ticker in self.tickers().filter(listens) {
                drop(ticker.socket.write(message.clone()));
                ticker.sent_ns = now.real;
            }
            self.venue.world.truth.tally.postbacks += 1;
        }
    }

    /// A byte now and then where nothing else was sent, and late prices where there is room again.
    pub(super) fn beat(&mut self) {
        let real = clock::mono_ns();
        let mut frames = std::mem::take(&mut self.frames);
        for client in self.clients.iter_mut().flatten() {
            let Talk::Ticker(ticker) = &mut client.talk else {
                continue;
            };
            let backlog = ticker.socket.get_ref().backlog();
            if !ticker.late.is_empty() && backlog < CONFLATE_ABOVE / 2 {
                let late = std::mem::take(&mut ticker.late);
                send_prices(&mut self.venue.world, &mut frames, ticker, &late);
            }
            while let Some((due, message)) = ticker.delayed.pop_front() {
                if due > real {
                    ticker.delayed.push_front((due, message));
                    break;
                }
                drop(ticker.socket.write(message));
                ticker.sent_ns = real;
            }
            if !self.venue.world.stream.silent
                && real.saturating_sub(ticker.sent_ns) > HEARTBEAT_NS
                && let Some(message) = self.venue.world.wire.heartbeat()
            {
                drop(ticker.socket.write(message));
                ticker.sent_ns = real;
                self.venue.world.truth.tally.heartbeats += 1;
            }
        }
        self.frames = frames;
    }
}

/// Sends the latest prices of some instruments.
pub(super) fn send_prices(
    world: &mut World,
    frames: &mut Vec<Message>,
    ticker: &mut Ticker,
    wanted: &[usize],
) {
    let wanted: Vec<(usize, Mode)> = wanted
        .iter()
        .filter_map(|ix| ticker.modes.get(ix).map(|mode| (*ix, *mode)))
        .collect();
    let stream = world.stream;
    let straight = stream.bend(&mut world.market, &wanted);
    let packets = world.wire.prices(&world.market, &wanted, frames);
    Stream::straighten(&mut world.market, straight);
    if frames.is_empty() {
        return;
    }
    world.truth.tally.frames += u64::try_from(frames.len()).unwrap_or(0);
    world.truth.tally.packets += packets;
    let real = clock::mono_ns();
    for message in frames.drain(..) {
        if stream.lag_ns > 0 || !ticker.delayed.is_empty() {
            ticker.delayed.push_back((real + stream.lag_ns, message));
        } else {
            drop(ticker.socket.write(message));
            ticker.sent_ns = real;
        }
    }
}
