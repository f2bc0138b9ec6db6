//! What happens at a moment of its own: requests arrive, prices move, the trader acts.

use super::ground::BROKER;
use super::network::{Scripted, Sent};
use super::run::{Event, Phase, Run};
use super::trader::Act;
use crate::model::{Cause, InstrumentIx, Price, TradingState};
use crate::ring::Touch;
use crate::sim::venue::{Delivery, Update, What};
use crate::venue::TextMessage;

const MS: u64 = 1_000_000;

impl Run {
    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive(sent) => self.arrive(&sent),
            Event::Wake => {}
            Event::Update(text) => self.feed(text),
            Event::Dial(life) => self.connect(life),
            Event::Quote => self.quote(),
            Event::Act => self.act(),
            Event::Loosen => {
                self.trace.line(self.now, || "state active".to_owned());
                self.state.loosen(TradingState::Active);
            }
        }
    }

    /// A request reaches the venue.
    fn arrive(&mut self, sent: &Sent) {
        if !self.wire.lock().arrives(sent) {
            self.trace
                .line(self.now, || format!("thrown away {}", said(&sent.bytes)));
            return;
        }
        let connection = u64::try_from(sent.link).unwrap_or(0) + 1;
        let deliveries = self.venue.hear(connection, &sent.bytes, self.moment());
        self.trace.line(self.now, || {
            format!("venue hears {} | {}", said(&sent.bytes), heard(&deliveries))
        });
        for delivery in deliveries {
            let link = sent.link;
            let due = match &delivery.what {
                What::Bytes(bytes) => self.wire.lock().back(link, bytes, delivery.at),
                What::Reset | What::HalfClose => self.wire.lock().end(link, delivery.at),
                What::Nothing => None,
                What::Restart => {
                    self.wire.lock().end_all(delivery.at);
                    Some(delivery.at)
                }
            };
            if let Some(due) = due {
                self.at(due.max(self.now), Event::Wake);
            }
        }
    }

    /// Order messages set out for the feed.
    pub(super) fn collect_updates(&mut self) {
        let updates = self.venue.updates(self.moment());
        let profile = if self.is_calm {
            self.plan.calm
        } else {
            self.plan.network
        };
        for Update { at, text } in updates {
            let is_lost = self.fate.chance(profile.lose_update);
            let way = u64::from(self.fate.below(profile.update_ms.max(1))) * MS;
            let is_dark = self
                .plan
                .feedless
                .iter()
                .any(|(from, to)| (*from..*to).contains(&at));
            let is_deaf = at / MS >= self.knobs.deaf_after_ms;
            if !(is_lost || is_dark || is_deaf) {
                self.at(at.max(self.now) + way, Event::Update(text));
            }
        }
    }

    fn feed(&mut self, text: String) {
        let mut bytes = text.into_bytes();
        let message = BROKER.text_message(&mut bytes, &mut self.json);
        if let (TextMessage::OrderUpdate(mut update), Some(life)) = (message, &mut self.life) {
            if !self.plan.echoes_tags {
                update.tag = None;
            }
            self.trace.line(self.now, || {
                format!(
                    "feed {:?} {:?} {} {}",
                    update.tag, update.order_id, update.state, update.filled
                )
            });
            life.updates.push(update).ok();
        }
    }

    /// A connection is there, unless the process that asked for it is gone or the venue is away.
    fn connect(&mut self, life: u32) {
        if life != self.lives {
            return;
        }
        if self.venue.is_away(self.moment()) {
            self.at(self.now + 500 * MS, Event::Dial(life));
            return;
        }
        if let Some(life) = &mut self.life {
            drop(life.connections.push(Scripted::open(&self.wire)));
        }
    }

    /// Prices move, now and then by more than an order's protection.
    fn quote(&mut self) {
        let moment = self.moment();
        let is_quiet = self.phase != Phase::Trading || self.trader.script.is_some();
        for (ix, row) in (0_u16..).zip(&self.ground.rows) {
            let mid = &mut self.mids[usize::from(ix)];
            if !is_quiet {
                let most = if self.market.chance(4.0) { 200 } else { 20 };
                let points = i64::from(self.market.below(2 * most + 1)) - i64::from(most);
                // Never out of the operating range of the day, where nothing could be closed any more.
                let start = self.starts[usize::from(ix)];
                let room = start.basis_points(400);
                let moved = mid.saturating_add(mid.basis_points(points));
                *mid = moved.clamp(start.saturating_sub(room), start.saturating_add(room));
            }
            let half = Price(row.tick.0 * i64::from(1 + self.market.below(4)));
            let (bid, ask) = (
                mid.saturating_sub(half).floor_to(row.tick),
                mid.saturating_add(half).ceil_to(row.tick),
            );
            let lots = if is_quiet {
                1_000_000 / row.lot.0
            } else {
                1 + self.market.below(60)
            };
            self.venue
                .quote(&row.symbol, (bid, ask), lots * row.lot.0, moment);
            let is_dark = self
                .plan
                .feedless
                .iter()
                .any(|(from, to)| (*from..*to).contains(&self.now));
            if let Some(life) = self.life.as_ref().filter(|_| !is_dark) {
                let touch = Touch {
                    last: *mid,
                    bid,
                    ask,
                    received: life.mono(self.now),
                };
                life.quotes.set(InstrumentIx(ix), touch);
            }
        }
        self.at(self.now + 400 * MS, Event::Quote);
    }

    /// The trader does something, and says when it will next.
    fn act(&mut self) {
        let is_over = match self.phase {
            Phase::Trading => false,
            // A new life tries again what a scenario wants.
            Phase::Settling(_) => self.trader.script.is_none(),
            Phase::Closing(_) => true,
        };
        if is_over && self.trader.script.is_none() {
            return;
        }
        let pace = u32::try_from(self.plan.pace_ns * 2 / MS).unwrap_or(1_000);
        let wait = u64::from(1 + self.fate.below(pace)) * MS;
        self.at(self.now + wait, Event::Act);
        let Some(life) = &mut self.life else {
            return;
        };
        let now = life.set_now(self.now);
        let mut loosened = Vec::new();
        let acts = if is_over || !life.push_intents() {
            Vec::new()
        } else {
            self.trader.act(self.now, &self.ground, &life.quotes, now)
        };
        for act in acts {
            self.trace.line(self.now, || format!("trader {act:?}"));
            match act {
                Act::Decide(intent) => life.decide(intent),
                Act::Ask(command) => life.command(command),
                Act::Tighten(state, ms) => {
                    self.state.tighten(state, Cause::Operator);
                    loosened.push(self.now + u64::from(ms) * MS);
                }
            }
        }
        for at in loosened {
            self.at(at, Event::Loosen);
        }
    }
}

/// First line of a request and its tag.
pub(super) fn said(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line = text.split(" HTTP").next().unwrap_or("");
    let body = text.split("\r\n\r\n").nth(1).unwrap_or("");
    let keep = |part: &&str| {
        ["tag=", "quantity=", "price=", "transaction_type="]
            .iter()
            .any(|name| part.starts_with(name))
    };
    let fields: Vec<&str> = body.split('&').filter(keep).collect();
    format!("{line} {}", fields.join(" "))
}

fn heard(deliveries: &[Delivery]) -> String {
    let one = |delivery: &Delivery| match &delivery.what {
        What::Bytes(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            let body = text.split("\r\n\r\n").nth(1).unwrap_or("");
            let short: String = body.chars().take(120).collect();
            format!("{} {short}", text.lines().next().unwrap_or(""))
        }
        other => format!("{other:?}"),
    };
    deliveries.iter().map(one).collect::<Vec<_>>().join(", ")
}
