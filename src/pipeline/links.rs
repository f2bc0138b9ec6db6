//! The sockets of a feed, who dials them, and who asks when there is none: from an armoury to threads.
//!
//! ```text
//!   primary: instruments ─► as many sockets as its limit makes necessary ─┐
//!   backup:  its own rows of them ─► the same at the other broker ────────┼─► LinkParts, DialLink
//!   poller:  both desks, while no socket brings prices ───────────────────┘
//! ```

use super::arm::{ArmFault, Armoury};
use super::backup::Backup;
use crate::control::dial::{DialLink, Dialled, Dialler, DiallerParts, Want, Wants};
use crate::control::poll::{PollDesk, PollNews, Poller};
use crate::hot::feed::{FeedParts, LinkKind, LinkParts};
use crate::model::{Instrument, LinkIx, Polled};
use crate::net::{FeedSocket, HttpConnection};
use crate::ring::{Counted, LinkBoard, Lossless, Receiver, StopLatch, counted, lossless};
use crate::runtime::{Clock, IdleMode, Running, launch, launch::Launch};
use crate::venue::{Broker, Pings, TokenTable};
use crossbeam_channel::{Receiver as Inbox, Sender as Outbox, unbounded};

/// The most sockets of one feed.
const LINKS_MAX: usize = 64;
/// Longest silence of a stream of order updates that answers no pings: dialling it anew costs little, and the broker
/// repeats what it knows.
const UNASKED_NS: u64 = 300_000_000_000;
/// Quotes that wait for the feed.
const POLLED: usize = 16_384;

/// The name of a socket, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkName {
    /// The broker's name in the configuration, with a number when it has several.
    pub name: String,
    /// Its source.
    pub source: u8,
    /// Instruments on it.
    pub instruments: usize,
}

/// What a feed is made of, before anything is connected.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) parts: Vec<LinkParts>,
    /// Links of the primary, and of the backup.
    pub(super) dial: [Vec<DialLink>; 2],
    pub(super) names: Vec<LinkName>,
    /// Names of the sources in their order, polling last.
    pub(super) sources: Vec<String>,
}

/// Whether the brokers take as many feed connections as the instruments of a run need.
///
/// # Errors
///
/// [`ArmFault::Unfit`] with what a broker takes and what was asked for; one connection more would cost the key or an
/// older connection (protocols: Kite 3.1, Dhan 3.1).
pub fn fits(armoury: &Armoury) -> Result<(), ArmFault> {
    if !armoury.uses_sockets {
        return Ok(());
    }
    let backup = armoury.backup.as_ref();
    let backup = backup.map(|own| (own.desk.broker(), &own.name, own.instruments.len()));
    let own = (armoury.broker, &armoury.name, armoury.instruments.len());
    for (broker, name, count) in backup.into_iter().chain([own]) {
        takes(broker, name, count)?;
    }
    Ok(())
}

fn takes(broker: Broker, name: &str, count: usize) -> Result<(), ArmFault> {
    let facts = broker.facts();
    let needed = count.div_ceil(facts.watched_max.max(1));
    if needed <= facts.feeds_max {
        return Ok(());
    }
    Err(ArmFault::Unfit(format!(
        "{name}: {count} instruments need {needed} feed connections, and {} takes {} of {} instruments each, {} in \
         all; name fewer underlyings in [[strategy]], or ask for quotes instead with --no-websocket",
        facts.name,
        facts.feeds_max,
        facts.watched_max,
        facts.feeds_max.saturating_mul(facts.watched_max),
    )))
}

/// The links that tell of orders: the broker's own stream of them, else every connection of its feed; none where what
/// they say is not to be relied on.
pub(super) fn tell_of_orders(broker: Broker, links: &[LinkParts]) -> Vec<LinkIx> {
    if !broker.facts().feeds_updates {
        return Vec::new();
    }
    let own = |kind: LinkKind| -> Vec<LinkIx> {
        let links = (0_u8..).map(LinkIx).zip(links);
        let own = links.filter(|(_, link)| link.source == 0 && link.kind == kind);
        own.map(|(at, _)| at).collect()
    };
    let streams = own(LinkKind::Updates);
    if streams.is_empty() {
        own(LinkKind::Prices)
    } else {
        streams
    }
}

/// Spreads instruments over sockets, each with as many as its broker allows.
///
/// # Errors
///
/// A sentence when more sockets are needed than there can be.
pub(super) fn plan(armoury: &Armoury) -> std::io::Result<Plan> {
    fits(armoury).map_err(std::io::Error::other)?;
    let mut plan = Plan {
        parts: Vec::new(),
        dial: [Vec::new(), Vec::new()],
        names: Vec::new(),
        sources: Vec::new(),
    };
    if armoury.uses_sockets {
        let own: Vec<Instrument> = armoury.instruments.iter().cloned().collect();
        let silence = armoury.settings.silence_ns_max;
        plan.add((0, armoury.broker, &armoury.name), &own, silence);
        if let Some(address) = &armoury.updates {
            plan.add_updates(armoury.broker, &armoury.name, address.clone());
        }
        if let Some(backup) = &armoury.backup {
            let of = (1, backup.desk.broker(), backup.name.as_str());
            plan.add(of, &backup.instruments, silence);
        }
    }
    plan.sources.push("polling".to_owned());
    if plan.parts.len() > LINKS_MAX {
        let why = format!(
            "{} sockets would be needed for the instruments of this run, more than {LINKS_MAX}",
            plan.parts.len()
        );
        return Err(std::io::Error::other(why));
    }
    Ok(plan)
}

impl Plan {
    fn add(
        &mut self,
        (source, broker, name): (u8, Broker, &str),
        rows: &[Instrument],
        silence_ns_max: u64,
    ) {
        self.sources.push(name.to_owned());
        let most = broker.facts().watched_max.max(1);
        for (number, part) in (1..).zip(rows.chunks(most)) {
            let link = LinkIx(u8::try_from(self.parts.len()).unwrap_or(u8::MAX));
            self.parts.push(LinkParts {
                broker,
                source,
                kind: LinkKind::Prices,
                tokens: TokenTable::new(part.iter().map(|row| (row.token, row.ix))),
                instruments: part.iter().map(|row| row.ix).collect(),
                silence_ns_max: silence_ns_max.max(broker.facts().pause_ns_max),
                pings: broker.facts().ping_ns.map(|every_ns| Pings {
                    every_ns,
                    silence_ns_max: silence_ns_max.max(every_ns.saturating_mul(2)),
                }),
            });
            self.names.push(LinkName {
                name: if rows.len() > most {
                    format!("{name}/{number}")
                } else {
                    name.to_owned()
                },
                source,
                instruments: part.len(),
            });
            if let Some(dial) = self.dial.get_mut(usize::from(source)) {
                dial.push(DialLink {
                    link,
                    updates: None,
                    watched: part.to_vec(),
                });
            }
        }
    }

    /// A stream of order updates of the broker that trades. It may have nothing to say for hours, so it is asked.
    fn add_updates(&mut self, broker: Broker, name: &str, address: String) {
        let link = LinkIx(u8::try_from(self.parts.len()).unwrap_or(u8::MAX));
        self.parts.push(LinkParts {
            broker,
            source: 0,
            kind: LinkKind::Updates,
            tokens: TokenTable::new([]),
            instruments: Vec::new(),
            silence_ns_max: UNASKED_NS,
            pings: broker.facts().updates_pings,
        });
        self.names.push(LinkName {
            name: format!("{name}/orders"),
            source: 0,
            instruments: 0,
        });
        let [own, _] = &mut self.dial;
        own.push(DialLink {
            link,
            updates: Some(address),
            watched: Vec::new(),
        });
    }
}

/// Lanes and threads around the feed.
#[derive(Debug)]
pub(super) struct Around {
    /// Sockets from each dialler.
    pub(super) sockets: Vec<Receiver<(LinkIx, FeedSocket)>>,
    pub(super) polls: Option<Receiver<Polled>>,
    pub(super) board: LinkBoard,
    diallers: Vec<Dialler>,
    poller: Option<Poller>,
    pub(super) wants: Wants,
    pub(super) dialled: Inbox<Dialled>,
    pub(super) polling: Inbox<PollNews>,
}

/// What dials and asks, running.
#[derive(Debug)]
pub(super) struct Hands {
    diallers: Vec<Running<Dialler>>,
    poller: Option<Running<Poller>>,
    stop: StopLatch,
}

/// A lane of sockets and the end the feed reads.
type Sockets = (
    Lossless<(LinkIx, FeedSocket)>,
    Receiver<(LinkIx, FeedSocket)>,
);

/// What a run hands over of its armoury for this.
#[derive(Debug)]
pub(super) struct Supplies {
    pub(super) main: MainDialler,
    pub(super) backup: Option<Backup>,
    pub(super) dial: [Vec<DialLink>; 2],
    pub(super) instruments: Vec<Instrument>,
    pub(super) name: String,
    pub(super) polls: bool,
    pub(super) uses_sockets: bool,
}

/// What the dialler of the broker that trades needs besides its links.
#[derive(Debug)]
pub(super) struct MainDialler {
    pub(super) desk: crate::control::Desk,
    pub(super) ticker: String,
    pub(super) tls: std::sync::Arc<rustls::ClientConfig>,
    pub(super) mode: crate::venue::Mode,
    pub(super) connections: Lossless<HttpConnection>,
    pub(super) sockets: Sockets,
}

impl Around {
    /// Prepares diallers and poller.
    pub(super) fn new(supplies: Supplies) -> Self {
        let [own_links, backup_links] = supplies.dial;
        let links = own_links.len() + backup_links.len();
        let board = FeedParts::board_for(links, supplies.instruments.len());
        let (dialled_out, dialled) = unbounded();
        let (polling_out, polling) = unbounded();
        let (quotes, polled) = polled_lane();
        let mut desks = vec![PollDesk {
            name: supplies.name,
            desk: supplies.main.desk.twin(),
            instruments: supplies.instruments,
        }];
        let (orders, own_wants) = unbounded();
        let mut to = vec![orders.clone(); own_links.len()];
        let main = supplies.main;
        let mut sockets = vec![main.sockets.1];
        let mode = main.mode;
        let mut diallers = vec![Dialler::new(DiallerParts {
            desk: main.desk,
            ticker: main.ticker,
            tls: main.tls,
            links: own_links,
            mode,
            wants: own_wants,
            dialled: dialled_out.clone(),
            feeds: main.sockets.0,
            connections: Some(main.connections),
        })];
        if let Some(backup) = supplies.backup {
            let (sender, lane) = backup_lane();
            let (asks, wants): (Outbox<Want>, _) = unbounded();
            to.extend(std::iter::repeat_n(asks, backup_links.len()));
            desks.push(PollDesk {
                name: backup.name,
                desk: backup.desk.twin(),
                instruments: backup.instruments,
            });
            sockets.push(lane);
            diallers.push(Dialler::new(DiallerParts {
                desk: backup.desk,
                ticker: backup.ticker,
                tls: backup.tls,
                links: backup_links,
                mode,
                wants,
                dialled: dialled_out,
                feeds: sender,
                connections: None,
            }));
        }
        let polls = supplies.polls || !supplies.uses_sockets;
        if !supplies.uses_sockets {
            board.want_polls(true);
        }
        let poller = polls.then(|| Poller::new(desks, board.clone(), quotes, polling_out));
        Self {
            sockets,
            polls: polls.then_some(polled),
            board,
            diallers,
            poller,
            wants: Wants::new(orders, to),
            dialled,
            polling,
        }
    }

    /// Starts them, each on a thread that mostly sleeps.
    ///
    /// # Errors
    ///
    /// When the operating system refuses a thread.
    pub(super) fn launch(
        diallers: Vec<Dialler>,
        poller: Option<Poller>,
        clock: &Clock,
    ) -> std::io::Result<Hands> {
        let stop = StopLatch::default();
        let how = || Launch {
            core: None,
            idle: IdleMode::Doze,
            stop: stop.clone(),
            clock: clock.clone(),
        };
        let diallers = diallers.into_iter().map(|own| launch(own, how()));
        Ok(Hands {
            diallers: diallers.collect::<std::io::Result<_>>()?,
            poller: poller.map(|own| launch(own, how())).transpose()?,
            stop: stop.clone(),
        })
    }

    /// Takes out what is launched.
    pub(super) fn hands(&mut self) -> (Vec<Dialler>, Option<Poller>) {
        (std::mem::take(&mut self.diallers), self.poller.take())
    }
}

fn polled_lane() -> (Counted<Polled>, Receiver<Polled>) {
    let (quotes, polled, _) = counted("poller → feed (quotes)", POLLED);
    (quotes, polled)
}

fn backup_lane() -> Sockets {
    let (name, capacity, policy) = super::LANES[0];
    let (sender, receiver, _) = lossless(name, capacity, policy);
    (sender, receiver)
}

impl Hands {
    /// Asks all to stop.
    pub(super) fn ask_to_stop(&self) {
        self.stop.set();
    }

    /// Waits for them and returns the dialler of the broker that trades.
    ///
    /// # Errors
    ///
    /// The name of a stage that panicked.
    pub(super) fn join(self) -> Result<Option<Dialler>, String> {
        let mut first = None;
        for running in self.diallers {
            let dialler = running.join()?;
            first.get_or_insert(dialler);
        }
        if let Some(poller) = self.poller {
            poller.join()?;
        }
        Ok(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Exchange, InstrumentIx, Kind, Price, Qty, Token};

    fn rows(count: u16) -> Vec<Instrument> {
        let row = |number: u16| Instrument {
            ix: InstrumentIx(number),
            token: Token(u32::from(number) << 8 | 2),
            exchange: Exchange::Nfo,
            symbol: format!("S{number}"),
            underlying: "S".to_owned(),
            kind: Kind::Future,
            expiry: None,
            tick: Price(500),
            lot: Qty(1),
            qty_max: Qty(1),
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn as_many_connections_open_as_the_broker_takes_and_one_more_is_refused_with_its_limit() {
        for (broker, each, most) in [
            (Broker::Kite, 3_000, 3),
            (Broker::Dhan, 5_000, 5),
            (Broker::Kotak, 3_000, 1),
            (Broker::OpenAlgo, 3_000, 1),
        ] {
            for count in [1, each, each * most] {
                assert!(takes(broker, "first", count).is_ok(), "{broker:?} {count}");
            }
            let fault = takes(broker, "first", each * most + 1).expect_err("one too many");
            let needed = most + 1;
            assert_eq!(
                fault.to_string(),
                format!(
                    "first: {} instruments need {needed} feed connections, and {} takes {most} of {each} instruments \
                     each, {} in all; name fewer underlyings in [[strategy]], or ask for quotes instead with \
                     --no-websocket",
                    each * most + 1,
                    broker.name(),
                    each * most
                )
            );
        }
    }

    #[test]
    fn a_connection_carries_what_its_broker_allows_and_then_another_opens() {
        let most = u16::try_from(Broker::Kite.facts().watched_max).expect("3 000");
        for (count, sizes) in [
            (most, vec![most]),
            (most + 1, vec![most, 1]),
            (2 * most + 7, vec![most, most, 7]),
        ] {
            let mut plan = Plan {
                parts: Vec::new(),
                dial: [Vec::new(), Vec::new()],
                names: Vec::new(),
                sources: Vec::new(),
            };
            plan.add((0, Broker::Kite, "first"), &rows(count), 1);
            plan.add((1, Broker::Kite, "second"), &rows(1), 1);
            let sizes: Vec<usize> = sizes.into_iter().map(usize::from).collect();
            let found: Vec<usize> = plan.dial[0].iter().map(|own| own.watched.len()).collect();
            assert_eq!(found, sizes);
            let mut all: Vec<u16> = Vec::new();
            for (part, own) in plan.parts.iter().zip(&plan.dial[0]) {
                assert_eq!(part.instruments.len(), own.watched.len());
                for row in &own.watched {
                    assert_eq!(part.tokens.get(row.token), Some(row.ix));
                }
                all.extend(part.instruments.iter().map(|ix| ix.0));
            }
            assert_eq!(all, (0..count).collect::<Vec<_>>(), "each once");
            let last = plan.dial[1].first().map(|own| own.link.at());
            assert_eq!(last, Some(sizes.len()), "links are numbered through");
            assert_eq!(plan.sources, ["first", "second"]);
        }
    }
}
