//! An opening burst as the venue sends it, and the bars in it by their definition.
//!
//! Every instrument sends ten packets a second, where one is usual; a message holds 500 of them.

use tezi::hot::compute::{Compute, Unit, UnitPlan};
use tezi::hot::feed::{Feed, FeedParts, LinkKind, LinkParts};
use tezi::indicators::bars::{ShortBar, Timeframe};
use tezi::indicators::plan::BankPlan;
use tezi::model::time::MINUTE;
use tezi::model::{
    Bar, Day, InstrumentIx, LinkIx, MonoNanos, Price, Session, Stamp, StrategyIx, Tick, Token,
    WallNanos, Window,
};
use tezi::net::FeedSocket;
use tezi::ring::lane::{LaneView, Policy};
use tezi::ring::{Lossless, Receiver, counted, lossless};
use tezi::rules::FailoverPolicy;
use tezi::runtime::Clock;
use tezi::venue::kite::feed;
use tezi::venue::kite::packet::{Layout, Level, Packet};
use tezi::venue::{Broker, TokenTable};

/// Packets of one message.
pub const FRAME: usize = 500;
/// Packets of an instrument in a second.
pub const PER_SECOND: u32 = 10;

/// The session all bars belong to.
pub fn session() -> Session {
    let day = Day::from_ymd(2026, 11, 23).expect("a day");
    let window = Window {
        open: day.at((9 * 60 + 15) * MINUTE),
        close: day.at((15 * 60 + 30) * MINUTE),
    };
    Session::single(day, window)
}

fn token(number: u32) -> Token {
    Token((40_000 + number) << 8 | 2)
}

/// Walks of many instruments, in packets.
pub struct Market {
    packets: Vec<Packet>,
    state: u64,
    /// Messages made so far.
    made: usize,
    open_secs: u32,
    buffer: Vec<u8>,
}

impl Market {
    pub fn new(instruments: u32) -> Self {
        let packets = (0..instruments).map(|number| Packet {
            token: token(number),
            layout: Layout::Full,
            last: 20_000 + 5 * (number % 1_000),
            volume: 1_000 * number,
            ..Packet::default()
        });
        Self {
            packets: packets.collect(),
            state: 0x9E37_79B9_7F4A_7C15,
            made: 0,
            open_secs: u32::try_from(session().open().secs()).expect("before 2106"),
            buffer: Vec::new(),
        }
    }

    fn random(&mut self) -> u32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        u32::try_from(self.state >> 40).expect("24 bits")
    }

    /// The next message and its packets. Prices often stand still, and so does the volume: both at once is a repeat.
    pub fn message(&mut self) -> (&[u8], Vec<Packet>) {
        let count = self.packets.len();
        let first = self.made * FRAME;
        let second = first / count / PER_SECOND as usize;
        let secs = self.open_secs + u32::try_from(second).expect("a minute");
        let mut sent = Vec::with_capacity(FRAME);
        for place in first..first + FRAME {
            let (moved, traded) = (self.random(), self.random());
            let packet = &mut self.packets[place % count];
            let step = [0, 0, 0, 5, 5, 10, 50][moved as usize % 7];
            packet.last = if moved & 8 == 0 {
                packet.last + step
            } else {
                packet.last.saturating_sub(step).max(5)
            };
            packet.volume = packet
                .volume
                .wrapping_add([0, 25, 25, 75][traded as usize % 4]);
            packet.exchange_secs = secs;
            let level = |price| Level {
                quantity: 75,
                price,
                orders: 3,
                spare: 0,
            };
            packet.bids = [level(packet.last - 5); 5];
            packet.asks = [level(packet.last + 5); 5];
            sent.push(*packet);
        }
        self.made += 1;
        feed::encode(&sent, &mut self.buffer);
        (&self.buffer, sent)
    }

    /// Messages in so many seconds.
    pub fn messages_in(&self, seconds: usize) -> usize {
        self.packets.len() * PER_SECOND as usize * seconds / FRAME
    }
}

/// A feed, the lane behind it, and the bars of every instrument.
pub struct Line {
    pub feed: Feed,
    pub ticks: Receiver<Tick>,
    pub lane: LaneView,
    pub compute: Compute,
    pub clock: Clock,
    pub at: Stamp,
    pub sockets: Lossless<(LinkIx, FeedSocket)>,
    /// Bars that closed, with their instruments.
    pub bars: Vec<(InstrumentIx, Bar)>,
}

impl Line {
    /// A line whose instrument `n` has bars of `timeframe(n)`.
    pub fn new(instruments: u16, timeframe: impl Fn(u16) -> Timeframe, span_ns: i64) -> Self {
        let (ticks_tx, ticks, lane) = lossless("ticks", 4_096, Policy::Merge);
        let (sockets, sockets_rx, _) = lossless("sockets", 1, Policy::Stall);
        let rows = (0..instruments).map(|n| (token(u32::from(n)), InstrumentIx(n)));
        let feed = Feed::new(FeedParts {
            links: vec![LinkParts {
                broker: Broker::Kite,
                source: 0,
                kind: LinkKind::Prices,
                tokens: TokenTable::new(rows),
                instruments: (0..instruments).map(InstrumentIx).collect(),
                silence_ns_max: u64::MAX,
                pings: None,
            }],
            instruments: usize::from(instruments),
            sockets: vec![sockets_rx],
            polls: None,
            policy: FailoverPolicy::default(),
            bands: Vec::new(),
            suspect_ns: 0,
            exchange_age_ns_max: i64::MAX,
            board: FeedParts::board_for(1, usize::from(instruments)),
            ticks: ticks_tx,
            updates: lossless("updates", 1, Policy::Stall).0,
            events: counted("events", 16).0,
            recorder: None,
            meter: None,
        });
        let units = (0..instruments).map(|number| {
            Unit::new(UnitPlan {
                strategy: StrategyIx(0),
                instrument: InstrumentIx(number),
                timeframe: timeframe(number),
                short: ShortBar::Keep,
                bank: BankPlan::new(),
                sessions: vec![session()],
                warm_bars_min: 0,
            })
        });
        let at = Stamp {
            mono: MonoNanos(1),
            wall: session().open(),
        };
        Self {
            feed: feed.merging_within(span_ns),
            ticks,
            lane,
            compute: Compute::new(units.collect(), usize::from(instruments)),
            clock: Clock::stepped(at),
            at,
            sockets,
            bars: Vec::new(),
        }
    }

    /// Folds at most so many waiting ticks, as the deciding stage does; returns how many.
    pub fn fold(&mut self, most: usize) -> usize {
        for done in 0..most {
            let Some(tick) = self.ticks.pop() else {
                return done;
            };
            self.compute.remember(&tick);
            for position in self.compute.watching(tick.instrument) {
                let unit = self.compute.watcher(position);
                if let Some(bar) = self.compute.fold(unit, &tick).closed {
                    self.compute.unit(unit).commit(&bar);
                    self.bars.push((tick.instrument, bar));
                }
            }
        }
        most
    }

    /// Closes the bars that are forming.
    pub fn close(&mut self) {
        for unit in 0..self.compute.units().len() {
            if let Some(bar) = self.compute.close_due(unit, WallNanos(i64::MAX)) {
                self.bars.push((self.compute.units()[unit].instrument, bar));
            }
        }
    }

    /// Ticks that were counted and not folded as repeats; there may be no others.
    pub fn repeats(&self) -> u64 {
        let mut repeated = 0;
        for unit in self.compute.units() {
            let unfolded = unit.unfolded();
            let others = unfolded.late + unfolded.outside_session + unfolded.dropped;
            assert_eq!(others + unfolded.straddles, 0, "{unfolded:?}");
            repeated += unfolded.repeated;
        }
        repeated
    }
}

/// The bars of packets by their definition: a list per instrument, in order.
pub struct Expected {
    bars: Vec<Vec<Bar>>,
    before: Vec<Option<Packet>>,
    /// Packets that said what the one before had said.
    pub repeats: u64,
}

impl Expected {
    pub fn new(instruments: usize) -> Self {
        Self {
            bars: vec![Vec::new(); instruments],
            before: vec![None; instruments],
            repeats: 0,
        }
    }

    pub fn add(&mut self, packet: &Packet, timeframe: Timeframe) {
        let at = (packet.token.0 >> 8) as usize - 40_000;
        let before = self.before[at].replace(*packet);
        if before == Some(*packet) {
            self.repeats += 1;
            return;
        }
        let traded = before.map_or(0, |before| packet.volume.wrapping_sub(before.volume));
        let price = Price::from_paise(i64::from(packet.last));
        let open = session().open();
        let since = WallNanos::from_secs(i64::from(packet.exchange_secs)).since(open);
        let start = open.offset(since - since.rem_euclid(timeframe.0));
        let bars = &mut self.bars[at];
        match bars.last_mut() {
            Some(bar) if bar.start == start => {
                bar.high = bar.high.max(price);
                bar.low = bar.low.min(price);
                bar.close = price;
                bar.volume += u64::from(traded);
                bar.ticks += 1;
            }
            _ => bars.push(Bar {
                start,
                end: start.offset(timeframe.0),
                open: price,
                high: price,
                low: price,
                close: price,
                volume: u64::from(traded),
                ticks: 1,
            }),
        }
    }

    /// The bars by instrument.
    pub fn bars(&self) -> &[Vec<Bar>] {
        &self.bars
    }
}
