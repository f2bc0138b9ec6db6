//! The latency measurement: a frame goes out, two orders come back, one clock sees both.
//!
//! ```text
//!   pause ─► build frame ─► stamp ─► send ─► read order sockets in turn, stamp each read ─┐
//!     ▲                                                                                   │
//!     └── order messages to the ticker ◄── answers ◄── record ◄── all legs (or 1 s) ◄─────┘
//! ```
//!
//! Everything that costs time (sealing the frame, answering, filling, logging) lies outside the stretch from
//! the stamp to the last leg's last byte. In an open loop a late trigger's lateness is added to its times
//! (`timetable`). Answers wait for the second leg, at most 50 µs: a client that
//! sends both legs before it reads a reply is not measured against our own `send`.
//!
//! A spinning venue talks to itself in its pauses ([`Mirror`]): its own way through the kernel stays warm, so that a
//! long pause shows what it does to the client and not to the venue.

use super::publish::send_prices;
use super::timetable::Timetable;
use super::{Server, SimError, Talk, system, write_whole};
use crate::model::time::MINUTE;
use crate::model::{Price, WallNanos};
use crate::net::Mirror;
use crate::sim::clock::mono_ns;
use crate::sim::settings::Trigger;
use crate::sim::wire::Mode;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tungstenite::Message;

/// A round without all its legs after this long is lost.
const LOST_NS: u64 = 1_000_000_000;
/// After this long new connections are looked for too: a slow client may open one for its second leg. Fast
/// ones are not made to wait for the system call.
const SLOW_NS: u64 = 200_000;
/// How long the first leg's answer waits for the second leg.
const ANSWER_WAIT_NS: u64 = 50_000;
/// A trigger this late counts as delayed; less is the waiting loop's own grain.
const LATE_NS: u64 = 1_000;
/// Between the start of the clock and the first trigger, for the client to finish what it prepares.
const SETTLE_NS: u64 = 300_000_000;
/// Other subscribed instruments are sent again this often, in pauses, so that their prices stay fresh.
const REFRESH_NS: u64 = 400_000_000;

/// Between the warm-up and the first recorded trigger of an open loop.
const WARM_GAP_NS: u64 = 2_000_000;

/// The least time between such a frame and the next trigger.
const REFRESH_PAUSE_NS: u64 = 2_000_000;

/// Between two of the venue's talks with itself, and what is left of the pause for the last of them.
const WARM_NS: u64 = 100_000;
const WARM_LEFT_NS: u64 = 60_000;
/// Bytes of the frame it says to itself.
const WARM_BYTES: usize = 1_024;

/// The measurement so far.
pub(super) struct Rounds {
    made: u64,
    pub(super) lost: u64,
    /// Legs seen beyond those a round expects.
    surplus: u64,
    /// Recorded triggers that left late, and by how much the latest of them.
    late: u64,
    late_ns_max: u64,
    /// When triggers leave.
    timetable: Timetable,
    refreshed_ns: u64,
    first_byte: Histogram<u64>,
    both_legs: Histogram<u64>,
    skew: Histogram<u64>,
    /// Orders that were read while others were answered, or with the connection they came on.
    noted: Vec<Leg>,
    /// The trigger frame: WebSocket head and payload.
    frame: Vec<u8>,
    /// Whom the venue talks to in its pauses, and when it last did.
    mirror: Option<Mirror>,
    warmed_ns: u64,
    done: bool,
}

/// One leg's arrival.
#[derive(Clone, Copy, Debug, Default)]
struct Leg {
    first_ns: u64,
    last_ns: u64,
}

fn histogram() -> Result<Histogram<u64>, SimError> {
    Histogram::new_with_bounds(1, 10_000_000_000, 3)
        .map_err(|error| SimError::Settings(error.to_string()))
}

impl Rounds {
    pub(super) fn new(trigger: Option<&Trigger>, mirror: Option<Mirror>) -> Result<Self, SimError> {
        let (pause_us, rate) = trigger.map_or((0, None), |t| (t.pause_us, t.rate_per_s));
        Ok(Self {
            made: 0,
            lost: 0,
            surplus: 0,
            late: 0,
            late_ns_max: 0,
            timetable: Timetable::new(pause_us, rate),
            refreshed_ns: 0,
            first_byte: histogram()?,
            both_legs: histogram()?,
            skew: histogram()?,
            noted: Vec::new(),
            frame: Vec::with_capacity(256 * 1024),
            mirror,
            warmed_ns: 0,
            done: false,
        })
    }

    /// Counts and percentiles in nanoseconds.
    pub(super) fn json(&self, trigger: &Trigger, server: &Value) -> Value {
        let figures = |name: &str, from: &Histogram<u64>| {
            json!({
                "name": name,
                "count": from.len(),
                "min": if from.is_empty() { 0 } else { from.min() },
                "p50": from.value_at_quantile(0.5),
                "p90": from.value_at_quantile(0.9),
                "p99": from.value_at_quantile(0.99),
                "p99_9": from.value_at_quantile(0.999),
                "max": from.max(),
                "mean": from.mean(),
            })
        };
        json!({
            "unit": "ns",
            "rounds": self.made,
            "warm_up": trigger.warm_up.min(self.made),
            "recorded": self.first_byte.len(),
            "lost": self.lost,
            "surplus_orders": self.surplus,
            "pause_us": trigger.pause_us,
            "rate_per_s": trigger.rate_per_s,
            "late": self.late,
            "late_ns_max": self.late_ns_max,
            "frame_bytes": self.frame.len(),
            "packets": trigger.packets,
            "future_last": trigger.future_last,
            "legs": trigger.legs,
            "server": server,
            "first_byte": figures("tick to first order byte", &self.first_byte),
            "both_legs": figures("tick to last byte of the last leg", &self.both_legs),
            "skew": figures("last byte of the first leg to last byte of the last leg", &self.skew),
        })
    }

    /// The three histograms as an HdrHistogram interval log.
    fn log(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut serializer = V2DeflateSerializer::new();
        let mut log = IntervalLogWriterBuilder::new()
            .add_comment("tezi venue: nanoseconds from the frame's write")
            .begin_log_with(&mut bytes, &mut serializer)
            .ok()?;
        let rows = [
            ("first_byte", &self.first_byte),
            ("both_legs", &self.both_legs),
            ("skew", &self.skew),
        ];
        for (name, histogram) in rows {
            let (from, long) = (Duration::ZERO, Duration::from_secs(1));
            log.write_histogram(histogram, from, long, Tag::new(name))
                .ok()?;
        }
        drop(log);
        Some(bytes)
    }

    /// Sends a part of the trigger frame to itself and answers it, now and then.
    fn keep_warm(&mut self, real: u64) {
        if real < self.warmed_ns.saturating_add(WARM_NS) {
            return;
        }
        self.warmed_ns = real;
        let bytes = &self.frame[..self.frame.len().min(WARM_BYTES)];
        if let Some(mirror) = &mut self.mirror
            && mirror.rehearse(bytes).is_err()
        {
            self.mirror = None;
        }
    }

    /// Notes orders that became complete in a read that was not the round's own.
    pub(super) fn noted(&mut self, orders: std::ops::Range<usize>, first_ns: u64, last_ns: u64) {
        for _ in orders {
            self.noted.push(Leg { first_ns, last_ns });
        }
    }

    fn record(&mut self, sent_ns: u64, legs: &[Leg]) {
        let (Some(first), Some(last)) = (legs.first(), legs.last()) else {
            return;
        };
        self.first_byte
            .saturating_record(first.first_ns.saturating_sub(sent_ns).max(1));
        self.both_legs
            .saturating_record(last.last_ns.saturating_sub(sent_ns).max(1));
        self.skew
            .saturating_record(last.last_ns.saturating_sub(first.last_ns).max(1));
    }
}

impl Server {
    /// Makes at most one round; called once a cycle.
    pub(super) fn measure(&mut self, stop: &Arc<AtomicBool>) -> Result<(), SimError> {
        let now = self.moment();
        self.venue
            .world
            .desk
            .advance(&mut self.venue.world.market, now);
        self.deliver();
        let Some(trigger) = self.settings.trigger.clone() else {
            return Ok(());
        };
        let Some(future) = self.future() else {
            return Ok(());
        };
        if self.rounds.done || !self.venue.world.clock.is_running() {
            return Ok(());
        }
        let real = mono_ns();
        if self.rounds.timetable.due_ns() == 0 {
            self.rounds.timetable.start(real + SETTLE_NS);
        }
        let Some(at) = self.listener_of(future) else {
            return Ok(());
        };
        self.refresh_others(at, future, real);
        self.build(at, future, &trigger);
        // Everything above is done in the pause; what is left of it is waited out here.
        loop {
            let left = self.rounds.timetable.due_ns().saturating_sub(mono_ns());
            match left {
                0 => break,
                1..=20_000 => std::hint::spin_loop(),
                20_001..WARM_LEFT_NS => return Ok(()),
                _ => {
                    self.rounds.keep_warm(mono_ns());
                    return Ok(());
                }
            }
        }
        self.round(at, &trigger, stop);
        self.rounds.made += 1;
        if self.rounds.made >= trigger.rounds + trigger.warm_up {
            self.rounds.done = true;
            self.ended_ns = Some(mono_ns());
            self.save(&trigger)?;
        }
        self.rounds.timetable.round_ended(mono_ns());
        if self.rounds.made == trigger.warm_up && trigger.rate_per_s.is_some() {
            // What the warm-up delayed is not the measurement's.
            self.rounds.timetable.hold_until(mono_ns() + WARM_GAP_NS);
        }
        Ok(())
    }

    /// The nearest future of the first underlying.
    fn future(&self) -> Option<usize> {
        let rows = &self.venue.world.market.rows;
        rows.iter()
            .position(|row| matches!(row.kind, crate::model::Kind::Future))
    }

    /// The first ticker connection that watches the future.
    fn listener_of(&self, future: usize) -> Option<usize> {
        self.clients.iter().position(|client| {
            client.as_ref().is_some_and(|client| match &client.talk {
                Talk::Ticker(ticker) => ticker.modes.contains_key(&future),
                _ => false,
            })
        })
    }

    /// Sends the other subscribed instruments again now and then, as they are but with the time of now.
    fn refresh_others(&mut self, at: usize, future: usize, real: u64) {
        if real < self.rounds.refreshed_ns || !self.rounds.timetable.has_time(real) {
            return;
        }
        self.rounds.refreshed_ns = real + REFRESH_NS;
        let market_time = self.venue.world.clock.now(real);
        let Some(client) = self.clients.get_mut(at).and_then(Option::as_mut) else {
            return;
        };
        let Talk::Ticker(ticker) = &mut client.talk else {
            return;
        };
        if ticker.modes.len() < 2 {
            return;
        }
        // A client that answers every frame must not have an answer under way when the trigger leaves.
        let quiet = real + REFRESH_PAUSE_NS;
        self.rounds.timetable.hold_until(quiet);
        let mut others: Vec<usize> = ticker.modes.keys().copied().collect();
        others.retain(|ix| *ix != future);
        others.sort_unstable();
        for ix in &others {
            let book = &mut self.venue.world.market.books[*ix];
            (book.at, book.last_trade) = (market_time, market_time);
        }
        send_prices(&mut self.venue.world, &mut self.frames, ticker, &others);
        // A peer that is gone is noticed when its socket is read.
        drop(ticker.socket.get_mut().push());
    }

    /// Builds the next trigger frame: the future at the other price, among other packets if asked for.
    fn build(&mut self, at: usize, future: usize, trigger: &Trigger) {
        let low = self.rounds.made.is_multiple_of(2);
        let price = if low {
            trigger.prices.0
        } else {
            trigger.prices.1
        };
        let now = self.venue.world.clock.now(mono_ns());
        self.quote(future, price, now);
        let Some(client) = self.clients.get(at).and_then(Option::as_ref) else {
            return;
        };
        let Talk::Ticker(ticker) = &client.talk else {
            return;
        };
        let mut others: Vec<usize> = ticker
            .modes
            .keys()
            .copied()
            .filter(|ix| *ix != future)
            .collect();
        others.sort_unstable();
        let shown = |ix: usize| (ix, ticker.modes.get(&ix).copied().unwrap_or(Mode::Full));
        let fillers = others.iter().copied().cycle();
        let mut wanted: Vec<(usize, Mode)> = fillers
            .take(usize::from(trigger.packets) - 1)
            .map(shown)
            .collect();
        if trigger.future_last {
            wanted.push(shown(future));
        } else {
            wanted.insert(0, shown(future));
        }
        let world = &mut self.venue.world;
        let packets = world.wire.prices(&world.market, &wanted, &mut self.frames);
        self.rounds.frame.clear();
        for message in self.frames.drain(..) {
            push_frame(&mut self.rounds.frame, &message);
        }
        world.truth.tally.packets += packets;
    }

    /// Puts the future at a price, its depth around it.
    fn quote(&mut self, future: usize, price: Price, now: WallNanos) {
        let row = &self.venue.world.market.rows[future];
        let (tick, lot) = (row.tick, row.lot.0.max(1));
        let book = &mut self.venue.world.market.books[future];
        let shift = price.saturating_sub(book.last);
        for level in book.bids.iter_mut().chain(&mut book.asks) {
            level.price = level.price.saturating_add(shift).max(tick);
        }
        book.last = price;
        book.high = book.high.max(price);
        book.low = book.low.min(price);
        book.volume += u64::from(lot);
        book.last_qty = lot;
        book.turnover += i128::from(price.0) * i128::from(lot);
        (book.at, book.last_trade) = (now, now);
    }

    /// Sends the frame and waits for the legs.
    fn round(&mut self, at: usize, trigger: &Trigger, stop: &Arc<AtomicBool>) {
        let late_ns = self.rounds.timetable.late_ns(mono_ns());
        let wanted = usize::from(trigger.legs);
        let mut legs: Vec<Leg> = Vec::with_capacity(wanted + 8);
        let mut touched: Vec<usize> = Vec::with_capacity(wanted + 8);
        let Some(client) = self.clients.get_mut(at).and_then(Option::as_mut) else {
            return;
        };
        let Talk::Ticker(ticker) = &mut client.talk else {
            return;
        };
        let wire = ticker.socket.get_mut();
        if wire
            .write_all(&self.rounds.frame)
            .and_then(|()| wire.seal())
            .is_err()
        {
            return;
        }
        self.rounds.noted.clear();
        let sent_ns = mono_ns();
        if wire.push().is_err() {
            return;
        }
        loop {
            self.read_orders(&mut legs, &mut touched);
            let real = mono_ns();
            let waited = legs
                .first()
                .map_or(0, |leg| real.saturating_sub(leg.last_ns));
            if legs.len() >= wanted || waited > ANSWER_WAIT_NS {
                // Answers of what is complete; a leg still missing is looked for afterwards.
                for client in touched.drain(..) {
                    self.attend(client);
                }
            }
            if real.saturating_sub(sent_ns) > SLOW_NS {
                self.accept();
                self.push_all();
            }
            legs.append(&mut self.rounds.noted);
            let over = real.saturating_sub(sent_ns) > LOST_NS || stop.load(Ordering::Relaxed);
            if legs.len() >= wanted || over {
                break;
            }
        }
        legs.sort_unstable_by_key(|leg| leg.last_ns);
        let record = self.rounds.made >= trigger.warm_up;
        if legs.len() < wanted {
            self.rounds.lost += u64::from(record);
        } else if record {
            self.rounds.surplus += u64::try_from(legs.len() - wanted).unwrap_or(0);
            // Sent so late, the tick should have left this much earlier.
            let due_ns = sent_ns.saturating_sub(late_ns);
            self.rounds.record(due_ns, &legs[..wanted]);
            self.rounds.late += u64::from(late_ns > LATE_NS);
            self.rounds.late_ns_max = self.rounds.late_ns_max.max(late_ns);
        }
        self.venue.world.truth.tally.frames += 1;
        self.deliver();
        self.push_all();
    }

    /// Reads every order connection once and notes the orders that became complete.
    fn read_orders(&mut self, legs: &mut Vec<Leg>, touched: &mut Vec<usize>) {
        let placement = self.settings.wire.placement();
        let mut chunk = [0_u8; 4 * 1024];
        for (at, client) in self.clients.iter_mut().enumerate() {
            let Some(client) = client else { continue };
            let Talk::Http {
                wire,
                input,
                first_ns,
            } = &mut client.talk
            else {
                continue;
            };
            let before = orders_in(input, placement);
            let Ok(n @ 1..) = wire.read(&mut chunk) else {
                continue;
            };
            if input.is_empty() {
                *first_ns = wire.received_ns();
            }
            input.extend_from_slice(&chunk[..n]);
            let leg = Leg {
                first_ns: *first_ns,
                last_ns: wire.received_ns(),
            };
            for _ in before..orders_in(input, placement) {
                legs.push(leg);
            }
            if !touched.contains(&at) {
                touched.push(at);
            }
        }
    }

    fn save(&mut self, trigger: &Trigger) -> Result<(), SimError> {
        let report = self.latency(trigger);
        self.venue.world.truth.line("latency", &report);
        let Some(path) = &trigger.out else {
            return Ok(());
        };
        write_whole(path, report.to_string().as_bytes())
            .map_err(system("the latency file cannot be written"))?;
        if let Some(log) = self.rounds.log() {
            let beside = path.with_extension("hlog");
            write_whole(Path::new(&beside), &log)
                .map_err(system("the latency log cannot be written"))?;
        }
        Ok(())
    }

    /// The measurement so far as JSON.
    pub(super) fn latency(&self, trigger: &Trigger) -> Value {
        let server = json!({ "tls": !self.settings.plain, "spin": self.settings.spin });
        self.rounds.json(trigger, &server)
    }
}

/// Appends a message as a server's frame: one piece, not masked (RFC 6455, section 5.2).
fn push_frame(out: &mut Vec<u8>, message: &Message) {
    let (head, payload) = match message {
        Message::Text(text) => (0x81, text.as_bytes()),
        Message::Binary(bytes) => (0x82, bytes.as_ref()),
        _ => return,
    };
    out.push(head);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ 0..=125), _) => out.push(short),
        (_, Ok(medium)) => {
            out.push(126);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            out.push(127);
            let long = u64::try_from(payload.len()).unwrap_or(u64::MAX);
            out.extend_from_slice(&long.to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

/// Number of complete order requests at the front of a buffer.
pub(super) fn orders_in(mut bytes: &[u8], placement: &[u8]) -> usize {
    let mut count = 0;
    while bytes.starts_with(placement) {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut head = httparse::Request::new(&mut headers);
        let Ok(httparse::Status::Complete(length)) = head.parse(bytes) else {
            break;
        };
        let body = head
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case("content-length"))
            .and_then(|header| std::str::from_utf8(header.value).ok()?.trim().parse().ok())
            .unwrap_or(0_usize);
        let Some(rest) = bytes.get(length + body..) else {
            break;
        };
        bytes = rest;
        count += 1;
    }
    count
}

/// Market time the measured session starts at: past the open, where every client trades.
pub(super) const START_AFTER_OPEN: i64 = 30 * MINUTE;

#[cfg(test)]
mod tests {
    use super::*;

    const PLACEMENT: &[u8] = b"POST /orders/";

    #[test]
    fn an_order_counts_when_its_last_byte_is_there() {
        let one = b"POST /orders/regular HTTP/1.1\r\nContent-Length: 3\r\n\r\na=b";
        assert_eq!(orders_in(&one[..one.len() - 1], PLACEMENT), 0);
        assert_eq!(orders_in(one, PLACEMENT), 1);
        let two = [&one[..], &one[..]].concat();
        assert_eq!(
            (
                orders_in(&two, PLACEMENT),
                orders_in(&two[..two.len() - 1], PLACEMENT)
            ),
            (2, 1)
        );
        assert_eq!(orders_in(b"GET /orders HTTP/1.1\r\n\r\n", PLACEMENT), 0);
    }
}
