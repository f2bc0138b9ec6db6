//! What the venue says: replies on the order connections, order updates of the feed, and what both come to.

use super::lines::Job;
use super::orders::Merged;
use super::{BATCH, Gateway, GatewayEvent};
use crate::book::OrderRecord;
use crate::journal::Entry;
use crate::model::{
    Denial, Fill, MonoNanos, Order, OrderId, OrderState, Price, Qty, RejectClass, Report,
    ReportSource, Stamp, Tag, WallNanos,
};
use crate::net::{Connection, Incoming};
use crate::runtime::Clock;
use crate::venue::{OrderUpdate, Reply};

impl<C: Connection> Gateway<C> {
    /// Merges what became known of an order and passes on what changed.
    pub(super) fn report(&mut self, tag: Tag, known: Known, clock: &Clock) {
        self.has_changed = true;
        let now = clock.now();
        if let Some(order) = self.twin_of(tag, known.order_id) {
            return self.hear_twin(&order, &known, now);
        }
        let report = Report {
            tag,
            order_id: known.order_id,
            state: known.state,
            filled: known.filled,
            average: known.average,
            reject: known.reject,
            denial: known.denial,
            source: known.source,
            at: if known.at == WallNanos(0) {
                now.wall
            } else {
                known.at
            },
            received: now.mono,
        };
        let Some(merged) = self.orders.apply(&report) else {
            return self.foreign(known.order_id);
        };
        let Merged { applied, state, .. } = merged;
        if applied.surfaced || applied.illegal.is_some() {
            self.parts.events.push(GatewayEvent::Contradiction(tag));
        }
        if applied.changed && report.state == OrderState::Unknown {
            self.totals.unknown = self.totals.unknown.wrapping_add(1);
            self.parts.events.push(GatewayEvent::Unknown(tag));
        }
        if merged.is_rejected
            && let Some(class) = report.reject
            && let Some(strategy) = self.orders.record(tag).map(|record| record.order.strategy)
        {
            self.note_reject(strategy, class, now.mono);
        }
        // The fill first: whoever learns that an order is over must know what it brought.
        if let Some(fill) = applied.fill {
            let record = self.orders.record(tag);
            let reduces = record.is_some_and(|record| record.order.reduces);
            self.holdings.add(&fill, reduces);
            self.loss_seen = MonoNanos(0);
            self.publish(Entry::Fill(fill), now);
        }
        if applied.changed {
            // What all evidence comes to, not what the latest message says: an old one may bring news, and
            // the one that completes an order may still call it open.
            let grown = applied.fill.map_or(Qty::ZERO, |fill| fill.qty);
            let record = self.orders.record(tag);
            if grown > Qty::ZERO && record.is_some_and(OrderRecord::is_overfilled) {
                self.parts.events.push(GatewayEvent::Contradiction(tag));
            }
            let report = Report { state, ..report };
            self.settle(report, grown, now);
            if grown > Qty::ZERO || merged.is_revived {
                self.reopen_if_over(tag, now);
            }
        }
    }

    /// The order of a tag when the number is not the one it has: the venue has two under one name.
    #[inline]
    fn twin_of(&self, tag: Tag, order_id: OrderId) -> Option<Order> {
        let record = self.orders.record(tag)?;
        let is_other = ![OrderId(0), record.order_id].contains(&order_id);
        (is_other && record.order_id != OrderId(0)).then_some(record.order)
    }

    /// A second order under a tag of ours: its fills are real and count, what is open of it is cancelled, and a
    /// person must know.
    #[cold]
    fn hear_twin(&mut self, order: &Order, known: &Known, now: Stamp) {
        let tag = order.tag;
        let number = known.order_id;
        let found = self.twins.iter().position(|twin| twin.order_id == number);
        let at = found.unwrap_or_else(|| {
            self.parts.events.push(GatewayEvent::Contradiction(tag));
            self.twins.push(Twin {
                order_id: number,
                filled: Qty::ZERO,
                value: 0,
            });
            self.twins.len() - 1
        });
        let twin = &mut self.twins[at];
        let grown = known.filled.saturating_sub(twin.filled);
        if grown > Qty::ZERO {
            let value = i128::from(known.average.0).saturating_mul(i128::from(known.filled.0));
            let price = (value - twin.value) / i128::from(grown.0);
            (twin.filled, twin.value) = (known.filled, value);
            let price = i64::try_from(price).ok().filter(|price| *price > 0);
            let fill = Fill {
                tag,
                strategy: order.strategy,
                instrument: order.instrument,
                side: order.side,
                qty: grown,
                price: price.map_or(order.limit, Price),
                at: known.at,
            };
            self.holdings.add(&fill, order.reduces);
            self.loss_seen = MonoNanos(0);
            self.publish(Entry::Fill(fill), now);
            match self.ticket_of(tag) {
                Some(at) => self.tickets[at].overfilled(tag, grown),
                None => self.reopen_if_over(tag, now),
            }
        }
        if !known.state.is_terminal() && !self.cancels.contains(&(tag, number)) {
            self.cancels.push((tag, number));
        }
    }

    #[cold]
    pub(super) fn foreign(&mut self, order_id: OrderId) {
        self.totals.foreign = self.totals.foreign.wrapping_add(1);
        self.parts.events.push(GatewayEvent::Foreign(order_id));
    }

    /// Reads order updates of the feed.
    #[inline]
    pub(super) fn read_updates(&mut self, clock: &Clock) -> usize {
        let mut done = 0;
        while done < BATCH
            && let Some(update) = self.parts.updates.pop()
        {
            done += 1;
            match update.tag.or_else(|| self.orders.tag_of(update.order_id)) {
                Some(tag) => self.report(tag, Known::update(&update), clock),
                None => self.keep_early(update),
            }
        }
        self.drop_early();
        done
    }

    /// Reads replies of the connections that owe one, and now and then looks at the idle ones.
    #[inline]
    pub(super) fn read_replies(&mut self, clock: &Clock) -> usize {
        let mut done = 0;
        let look_at_idle = self.lines.is_idle_turn();
        for line in 0..self.lines.count() {
            if !self.lines.is_due(line, look_at_idle) {
                continue;
            }
            match self.lines.poll(line) {
                Incoming::Nothing => {
                    let waited = clock.mono().since(self.lines.last_used(line));
                    if self.lines.job(line).is_none() || waited <= self.parts.reply_timeout_ns {
                        continue;
                    }
                    self.give_up(line, clock);
                }
                Incoming::Reply(reply) => self.take_reply(line, &reply, clock),
                Incoming::Closed => self.give_up(line, clock),
            }
            done += 1;
        }
        done
    }

    pub(super) fn take_reply(
        &mut self,
        line: usize,
        reply: &crate::net::http::Reply,
        clock: &Clock,
    ) {
        let job = self.lines.finish(line);
        let sent = self.lines.last_used(line);
        let body = self.lines.body(line, reply);
        let outcome = match job {
            Some(Job::Warm) if reply.status == 200 => None,
            _ => Some(
                self.parts
                    .broker
                    .read_reply(reply.status, body, &mut self.json),
            ),
        };
        self.lines.clear(line, clock.mono());
        if reply.closes {
            self.drop_line(line);
        }
        self.totals.replies = self.totals.replies.wrapping_add(1);
        if outcome == Some(Reply::Rejected(RejectClass::Session)) {
            self.session_dead = true;
            self.parts.events.push(GatewayEvent::SessionDead);
        }
        match (job, outcome) {
            (Some(Job::Place(slot)), Some(outcome)) => {
                self.parts.reply.record(sent, clock.mono());
                if let Some(tag) = self.orders.tag(slot) {
                    self.report(tag, Known::reply(outcome), clock);
                    if let Reply::Acknowledged(order_id) = outcome {
                        self.hear_early(tag, order_id, clock);
                    }
                }
            }
            (Some(Job::Amend(tag)), Some(Reply::Rejected(_) | Reply::TooLate)) => {
                if let Some(at) = self.ticket_of(tag) {
                    self.tickets[at].unchanged(tag);
                }
            }
            _ => {}
        }
    }

    /// A connection ended, broke, or did not answer in time: it leaves, and its order is unknown.
    #[cold]
    pub(super) fn give_up(&mut self, line: usize, clock: &Clock) {
        let job = self.lines.finish(line);
        self.drop_line(line);
        if let Some(Job::Place(slot)) = job
            && let Some(tag) = self.orders.tag(slot)
        {
            self.report(tag, Known::gateway(OrderState::Unknown), clock);
        }
    }
}

/// A second order of the venue under a tag of ours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Twin {
    order_id: OrderId,
    filled: Qty,
    /// Value of its fills, in units of 1/10 000 rupee.
    value: i128,
}

/// What one source says about an order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) order_id: OrderId,
    pub(super) state: OrderState,
    pub(super) filled: Qty,
    pub(super) average: Price,
    pub(super) reject: Option<RejectClass>,
    pub(super) denial: Option<Denial>,
    pub(super) source: ReportSource,
    pub(super) at: WallNanos,
}

impl Known {
    pub(super) const fn gateway(state: OrderState) -> Self {
        Self {
            order_id: OrderId(0),
            state,
            filled: Qty::ZERO,
            average: Price::ZERO,
            reject: None,
            denial: None,
            source: ReportSource::Gateway,
            at: WallNanos(0),
        }
    }

    pub(super) const fn update(update: &OrderUpdate) -> Self {
        Self {
            order_id: update.order_id,
            state: update.state,
            filled: update.filled,
            average: update.average,
            reject: update.reject,
            denial: None,
            source: ReportSource::Postback,
            at: update.at,
        }
    }

    pub(super) const fn reply(reply: Reply) -> Self {
        let mut known = Self::gateway(OrderState::Unknown);
        known.source = ReportSource::Reply;
        match reply {
            Reply::Acknowledged(order_id) => {
                known.order_id = order_id;
                known.state = OrderState::Acknowledged;
            }
            Reply::Rejected(class) => {
                known.state = OrderState::Rejected;
                known.reject = Some(class);
            }
            // Nobody asked for slices: what became of them only the order book can say.
            Reply::Sliced(_) | Reply::TooLate | Reply::Unknown => {}
        }
        known
    }
}
