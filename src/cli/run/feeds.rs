//! News of the feed's links as lines for people, and how they are for whoever asks.

use super::console::Console;
use super::names::Names;
use crate::control::cache::CacheNews;
use crate::control::poll::PollNews;
use crate::hot::feed::FeedEvent;
use crate::model::{InstrumentIx, LinkIx, MonoNanos, Price};
use crate::pipeline::Engine;
use crate::pipeline::links::LinkName;
use crate::ring::LinkBoard;
use crate::rules::failover::Why;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Names of links and sources.
pub(super) struct Feeds {
    links: Vec<LinkName>,
    sources: Vec<String>,
    names: Names,
    /// How it stands with the Redis, where there is one.
    redis: Option<&'static str>,
}

impl Feeds {
    pub(super) fn of(engine: &Engine, names: &Names) -> Self {
        Self {
            links: engine.link_names.clone(),
            sources: engine.sources.clone(),
            names: names.clone(),
            redis: None,
        }
    }

    /// Says what became of keeping prices for other programs.
    pub(super) fn tell_cache(&mut self, news: &CacheNews, console: &mut Console<'_>) {
        let (state, text) = match news {
            CacheNews::Found { place, keys } => (
                "found",
                format!("redis {place} found: latest prices under {keys}:*"),
            ),
            CacheNews::Back { place } => ("back", format!("redis {place} keeps prices again")),
            CacheNews::Lost(fault) => (
                "lost",
                format!(
                    "WARNING {fault}; prices are on the board all the same, and nothing waits for it"
                ),
            ),
        };
        self.redis = Some(if state == "lost" { "down" } else { "up" });
        console.line("cache", &text, &json!({ "state": state, "text": text }));
    }

    /// Brokers whose sockets send prices.
    pub(super) const fn brokers(&self) -> usize {
        self.sources.len().saturating_sub(1)
    }

    /// True for a link of the broker that also takes the orders.
    pub(super) fn is_primary(&self, link: LinkIx) -> bool {
        self.links.get(link.at()).is_none_or(|own| own.source == 0)
    }

    fn link(&self, link: LinkIx) -> &str {
        let own = self.links.get(link.at());
        own.map_or("feed", |own| own.name.as_str())
    }

    fn source(&self, source: u8) -> &str {
        let own = self.sources.get(usize::from(source));
        own.map_or("nobody", String::as_str)
    }

    /// The name of a link in front of a sentence, where there is more than one.
    fn of_link(&self, link: LinkIx) -> String {
        if self.links.len() > 1 {
            format!("feed {}", self.link(link))
        } else {
            "feed".to_owned()
        }
    }

    /// Says what the feed told.
    pub(super) fn tell(&self, event: &FeedEvent, console: &mut Console<'_>) {
        let (text, value) = self.words(event);
        let kind = if text.starts_with("ALARM") {
            "alarm"
        } else {
            "feed"
        };
        // What only confirms is for programs.
        if console.json || !matches!(event, FeedEvent::Restored { .. }) {
            console.line(kind, &text, &value);
        }
    }

    fn words(&self, event: &FeedEvent) -> (String, Value) {
        match event {
            FeedEvent::Live(link) => (
                format!("{} is live", self.of_link(*link)),
                json!({ "state": "live", "link": self.link(*link) }),
            ),
            FeedEvent::Lost(link, why) => (
                format!("{} lost: {why}", self.of_link(*link)),
                json!({ "state": "lost", "why": why.to_string(), "link": self.link(*link) }),
            ),
            FeedEvent::SessionDead(link) => (
                format!(
                    "{}: the broker ended the session; it is not dialled again with it",
                    self.of_link(*link)
                ),
                json!({ "state": "session_dead", "link": self.link(*link) }),
            ),
            FeedEvent::VenueError(link, why) => (
                format!("the broker says: {why}"),
                json!({ "error": why, "link": self.link(*link) }),
            ),
            FeedEvent::Restored {
                link,
                instruments,
                after_ms,
            } => (
                format!(
                    "{}: {instruments} subscriptions proved",
                    self.of_link(*link)
                ),
                json!({ "state": "restored", "link": self.link(*link), "instruments": instruments,
                    "after_ms": after_ms }),
            ),
            FeedEvent::Missing { link, missing } => (
                format!(
                    "{}: {missing} subscriptions brought nothing yet",
                    self.of_link(*link)
                ),
                json!({ "state": "missing", "link": self.link(*link), "instruments": missing }),
            ),
            FeedEvent::Polling(true) => (
                "ALARM the sockets do not bring every price; quotes are asked for".to_owned(),
                json!({ "state": "polling" }),
            ),
            FeedEvent::Polling(false) => (
                "the sockets bring every price again; quotes are not asked for any more".to_owned(),
                json!({ "state": "streaming" }),
            ),
            _ => self.words_of_sources(event),
        }
    }

    fn words_of_sources(&self, event: &FeedEvent) -> (String, Value) {
        match event {
            FeedEvent::Served {
                instrument,
                count,
                source,
                why,
            } => {
                let symbol = self.names.symbol(*instrument);
                let what = if *count == 1 {
                    symbol.to_owned()
                } else {
                    format!("{symbol} and {} more", count - 1)
                };
                let is_alone = usize::from(*source) == self.brokers() && *why == Why::Mute;
                let (source, why) = (self.source(*source), why.name());
                let text = if is_alone {
                    format!(
                        "ALARM {what}: the stream is silent about it; its prices come from {source}, and no entry is \
                         based on them"
                    )
                } else {
                    format!("{what}: prices from {source} now, {why}")
                };
                (
                    text,
                    json!({ "state": "served", "source": source, "instrument": symbol, "count": count,
                        "why": why }),
                )
            }
            FeedEvent::Diverged {
                instrument,
                served,
                other,
            } => self.differ(*instrument, *served, *other),
            FeedEvent::Agrees(instrument) => {
                let symbol = self.names.symbol(*instrument);
                (
                    format!("{symbol}: the sources agree again"),
                    json!({ "state": "agrees", "instrument": symbol }),
                )
            }
            FeedEvent::BadTick {
                instrument,
                fault,
                last,
            } => {
                let symbol = self.names.symbol(*instrument);
                (
                    format!("{symbol}: a tick at {last} was dropped ({fault})"),
                    json!({ "state": "dropped", "instrument": symbol, "last": last.rupees(),
                        "fault": fault.name() }),
                )
            }
            FeedEvent::ClockOff { source, off_ms } => {
                let source = self.source(*source);
                let way = if *off_ms < 0 { "ahead of" } else { "behind" };
                (
                    format!(
                        "ALARM the stamps of {source} are {} ms {way} this machine's clock: look at both clocks; from \
                         2000 ms on no entry is based on them",
                        off_ms.abs()
                    ),
                    json!({ "state": "clock", "source": source, "off_ms": off_ms }),
                )
            }
            FeedEvent::ClockRight(source) => {
                let source = self.source(*source);
                (
                    format!("the stamps of {source} agree with this machine's clock again"),
                    json!({ "state": "clock_right", "source": source }),
                )
            }
            FeedEvent::Slow { source, behind_ms } => {
                let source = self.source(*source);
                (
                    format!(
                        "ALARM prices of {source} are {behind_ms} ms behind; the next source serves"
                    ),
                    json!({ "state": "slow", "source": source, "behind_ms": behind_ms }),
                )
            }
            FeedEvent::Prompt(source) => {
                let source = self.source(*source);
                (
                    format!("prices of {source} keep up again"),
                    json!({ "state": "prompt", "source": source }),
                )
            }
            _ => (String::new(), Value::Null),
        }
    }

    fn differ(&self, instrument: InstrumentIx, served: Price, other: Price) -> (String, Value) {
        let symbol = self.names.symbol(instrument);
        (
            format!(
                "ALARM {symbol}: the sources differ, {served} and {other}; no entry is based on it"
            ),
            json!({ "state": "diverged", "instrument": symbol, "served": served.rupees(),
                "other": other.rupees() }),
        )
    }

    /// How the links are, how many ticks came too late for their bars, and how many instruments each source serves;
    /// those that another one than the first does, or that are in doubt, by name.
    pub(super) fn status(&self, board: &LinkBoard, late: u64, now: MonoNanos) -> Value {
        let age = |at: MonoNanos| (at.0 != 0).then(|| now.since(at) / 1_000_000);
        let mut links = Vec::new();
        for (at, name) in (0_u8..).zip(&self.links) {
            let view = board.get(LinkIx(at));
            links.push(
                json!({ "link": name.name, "source": self.source(name.source), "state": view.state.name(),
                "instruments": name.instruments, "verified": view.verified, "ticks": view.ticks,
                "heard_ms": age(view.heard), "tick_ms": age(view.ticked),
                "lag_ms": view.lag_ns.map(|lag| lag / 1_000_000), "reconnects": view.reconnects }),
            );
        }
        let polling = board.get(LinkIx(u8::try_from(self.links.len()).unwrap_or(u8::MAX)));
        links.push(json!({ "link": "polling", "source": "polling",
            "state": if board.wants_polls() { polling.state.name() } else { "idle" },
            "tick_ms": age(polling.ticked), "lag_ms": polling.lag_ns.map(|lag| lag / 1_000_000) }));
        let mut serves: BTreeMap<&str, u64> = BTreeMap::new();
        let mut others = Vec::new();
        for row in &self.names.instruments {
            let origin = board.origin(row.ix);
            let source = self.source(origin.source());
            *serves.entry(source).or_default() += 1;
            if origin.source() != 0 || origin.diverges() {
                others.push(json!({ "instrument": row.symbol, "source": source,
                    "diverges": origin.diverges() }));
            }
        }
        json!({ "links": links, "serves": serves, "others": others, "late_ticks": late,
            "redis": self.redis })
    }
}

/// Says what became of asking for quotes.
pub(super) fn tell_polling(news: &PollNews, console: &mut Console<'_>) {
    match news {
        PollNews::Answers(name) => console.line(
            "feed",
            &format!("{name} answers when asked for quotes"),
            &json!({ "state": "quotes", "broker": name }),
        ),
        PollNews::Failed(name, why) => console.line(
            "alarm",
            &format!("ALARM {name} gives no quotes: {why}; prices grow old"),
            &json!({ "state": "no quotes", "broker": name, "why": why }),
        ),
    }
}
