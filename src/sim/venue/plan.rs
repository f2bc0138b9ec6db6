//! What the faults of a request come to: drawn, noted, and turned into what is done and what is heard.

use super::deliver::Ending;
use super::{Heard, MS, Venue};
use crate::sim::desk::{Moment, View};
use crate::sim::faults::{Fault, Kind, Occasion, On};
use crate::sim::order::Fate;
use crate::sim::record::FaultTruth;

/// What the faults of one request come to.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) ending: Ending,
    /// Not done.
    pub(super) refused: bool,
    pub(super) throttled: bool,
    pub(super) restarts: bool,
    pub(super) broken: Option<Fault>,
    pub(super) late: Option<u64>,
    pub(super) wait: u64,
    pub(super) view: View,
    pub(super) fate: Fate,
}

impl Venue {
    /// Draws the faults of an occasion and notes them.
    pub(super) fn strike(
        &mut self,
        on: On,
        tag: Option<&str>,
        symbol: Option<&str>,
        now: Moment,
    ) -> Vec<Fault> {
        if self.faults.is_empty() {
            return Vec::new();
        }
        let first = *self.first.get_or_insert(now.real);
        let faults = self.faults.draw(&Occasion {
            on,
            tag,
            symbol,
            at_ms: now.real.saturating_sub(first) / MS,
        });
        for fault in &faults {
            let truth = FaultTruth {
                kind: fault.kind,
                on,
                tag: tag.map(str::to_owned),
                market: now.market,
            };
            let row = truth.json(self.world.faults.len());
            self.world.truth.line("fault", &row);
            self.world.faults.push(truth);
        }
        faults
    }

    /// Does what a fault does before the request, and plans what it does to the reply.
    pub(super) fn prepare(
        &mut self,
        fault: &Fault,
        plan: &mut Plan,
        heard: &Heard,
        symbol: Option<&str>,
    ) {
        let (after, until) = (fault.after_ms * MS, heard.now.real + fault.for_ms * MS);
        let wait = Some(after).filter(|ns| *ns > 0);
        match fault.kind {
            Kind::Lost => plan.ending = Ending::Lost,
            Kind::Silent => (plan.ending, plan.refused) = (Ending::Lost, true),
            Kind::Reset => (plan.ending, plan.refused) = (Ending::Reset, !fault.accepted),
            Kind::HalfClose => (plan.ending, plan.refused) = (Ending::HalfClose, !fault.accepted),
            Kind::Cut => plan.ending = Ending::Cut,
            Kind::Slow => plan.wait += after,
            Kind::LateAccept => plan.late = Some(after),
            Kind::ServerError => {
                plan.broken = Some(*fault);
                if fault.for_ms > 0 {
                    (self.broken, self.broken_until) = (Some(*fault), until);
                }
            }
            Kind::Throttle => {
                self.throttled_until = self.throttled_until.max(until);
                plan.throttled = true;
            }
            Kind::Expire => self.world.account.expire(),
            Kind::Empty => plan.view = View::Empty,
            Kind::Stale => plan.view = View::AsOf(heard.now.real.saturating_sub(after)),
            Kind::Restart => {
                plan.restarts = true;
                self.away_until = until;
                self.mute.clear();
                self.queued.clear();
                if !fault.memory {
                    let end = if after == 0 { u64::MAX } else { until + after };
                    self.world.desk.forget(end);
                }
            }
            Kind::Foreign | Kind::Twin => self.intrude(fault.kind, symbol, heard.now),
            Kind::Partial => {
                (plan.fate.share, plan.fate.released_after_ns) = (Some(fault.share), wait);
            }
            Kind::Rest => (plan.fate.rests, plan.fate.released_after_ns) = (true, wait),
            Kind::FillAfterCancel => plan.fate.late_fill = Some((fault.share, after)),
            Kind::RejectAfterAccept => plan.fate.refused_after_ns = Some(after),
            Kind::Freeze => {
                plan.fate.refused = Some((
                    "Quantity exceeds the freeze quantity of the exchange.",
                    "17146 : Order quantity freeze",
                ));
            }
            Kind::Band => {
                plan.fate.refused = Some((
                    "Your order price is outside the current price protection range.",
                    "RMS:Rule: Check circuit limit including square off order exceeds",
                ));
            }
            Kind::Margin => {
                plan.fate.refused = Some((
                    "Insufficient funds. Required margin is 100000.00 but available margin is 0.00.",
                    "RMS:Margin Exceeds,Required:100000.00, Available:0.00",
                ));
            }
            Kind::Lose | Kind::Double | Kind::Late | Kind::Swap => {}
        }
    }

    fn intrude(&mut self, kind: Kind, symbol: Option<&str>, now: Moment) {
        let market = &self.world.market;
        let named = symbol.and_then(|symbol| market.rows.iter().position(|r| r.symbol == symbol));
        let Some(at) = named.or_else(|| {
            market
                .rows
                .iter()
                .position(crate::model::Instrument::is_tradable)
        }) else {
            return;
        };
        // The same account and day, an intent nobody has counted to.
        let tag = (kind == Kind::Twin).then(|| {
            let sample = self.sample.as_deref().and_then(|tag| tag.get(..10));
            format!("{}ZZZZ900000", sample.unwrap_or("TZ00000000"))
        });
        self.world.desk.intrude(tag, at, market, now);
    }

    /// Adds what an earlier fault still does.
    pub(super) fn standing(&self, on: On, now: Moment, plan: &mut Plan) {
        if on.is_order() && now.real < self.throttled_until {
            plan.throttled = true;
        }
        if on.is_order() && now.real < self.broken_until && plan.broken.is_none() {
            plan.broken = self.broken;
        }
    }
}
