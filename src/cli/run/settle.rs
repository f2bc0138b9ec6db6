//! Which orders are still open, as control knows it from the records, and how long the end of a run waits for them.

use crate::book::OrderRecord;
use crate::journal::Entry;
use crate::model::{IntentId, MonoNanos, Order, OrderState, Tag};

/// How long the end of a run waits for orders that work.
pub(in crate::cli) const WORKING_NS: u64 = 5_000_000_000;
/// How long it waits for what became of an order that nobody knows: a venue is given 15 s to show it, then two reads
/// lack it.
const UNKNOWN_NS: u64 = 20_000_000_000;

/// How long the end of a run waits for what has no end.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Patience {
    working: MonoNanos,
    unknown: MonoNanos,
}

impl Patience {
    /// From now on: `working_ns` for orders that work, longer for unknown ones where the venue can be asked.
    pub(in crate::cli) fn new(now: MonoNanos, working_ns: u64, can_ask: bool) -> Self {
        Self {
            working: now.plus(working_ns),
            unknown: now.plus(if can_ask { UNKNOWN_NS } else { 0 }),
        }
    }

    /// True once nobody waits any more for orders that work.
    pub(in crate::cli) fn is_late(&self, now: MonoNanos) -> bool {
        now >= self.working
    }

    /// True while an order nobody knows is waited for.
    pub(in crate::cli) fn asks(&self, open: &Open, now: MonoNanos) -> bool {
        open.has_unknown() && now < self.unknown
    }

    /// True while anything is waited for.
    pub(in crate::cli) fn waits(&self, open: &Open, now: MonoNanos) -> bool {
        (open.count() > 0 && !self.is_late(now)) || self.asks(open, now)
    }
}

/// What people read while unknown orders are waited for.
pub(in crate::cli) fn waiting() -> String {
    format!(
        "waiting up to {} s for what became of orders nobody knows; Ctrl-C ends this at once",
        UNKNOWN_NS / 1_000_000_000
    )
}

/// Orders that were sent and have not ended.
#[derive(Debug, Default)]
pub(in crate::cli) struct Open {
    orders: Vec<(Order, OrderState)>,
}

impl Open {
    /// Begins with what earlier runs of the day left open.
    pub(in crate::cli) fn of(orders: &[OrderRecord]) -> Self {
        let live = orders.iter().filter(|record| record.is_live());
        Self {
            orders: live.map(|record| (record.order, record.state)).collect(),
        }
    }

    /// Takes one record.
    pub(in crate::cli) fn note(&mut self, entry: &Entry) {
        match entry {
            Entry::Admitted(order) => self.orders.push((*order, OrderState::Sending)),
            Entry::Report(report) if report.state.is_terminal() => self.end(report.tag),
            Entry::Report(report) => {
                if let Some((_, state)) = self.orders.iter_mut().find(|(o, _)| o.tag == report.tag)
                {
                    *state = report.state;
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: Tag) {
        self.orders.retain(|(order, _)| order.tag != tag);
    }

    /// How many are open.
    pub(in crate::cli) fn count(&self) -> usize {
        self.orders.len()
    }

    /// True while nobody can say what became of one of them.
    pub(in crate::cli) fn has_unknown(&self) -> bool {
        let mut states = self.orders.iter().map(|(_, state)| state);
        states.any(|state| *state == OrderState::Unknown)
    }

    /// The open orders.
    pub(in crate::cli) fn iter(&self) -> impl Iterator<Item = &(Order, OrderState)> {
        self.orders.iter()
    }
}

/// What a run leaves to somebody else: orders without an end, and intents that were being worked.
#[derive(Debug)]
pub(in crate::cli) struct Left<'a> {
    pub(in crate::cli) open: &'a Open,
    pub(in crate::cli) abandoned: &'a [IntentId],
}

impl Left<'_> {
    /// Names everything that is left; `None` when nothing is.
    pub(in crate::cli) fn words(&self) -> Option<String> {
        let orders = self.open.iter();
        let orders = orders.map(|(order, state)| format!("{} is {}", order.tag, state.name()));
        let intents = self.abandoned.iter();
        let intents = intents.map(|intent| format!("intent {} is not over", intent.0));
        let all: Vec<String> = orders.chain(intents).collect();
        let what = "look at the broker's order book; the next start of the day goes on with them";
        (!all.is_empty()).then(|| format!("not everything has an end: {}; {what}", all.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Action, InstrumentIx, LegRole, Price, Qty, Report, ReportSource, Side, StrategyIx,
    };

    fn order(number: u8) -> Order {
        let mut tag = Tag(*b"TZ00010KFY0000000000");
        tag.0[14] = b'0' + number;
        Order {
            tag,
            intent: IntentId(u64::from(number)),
            strategy: StrategyIx(0),
            action: Action::Entry,
            role: LegRole::Call,
            instrument: InstrumentIx(0),
            side: Side::Buy,
            qty: Qty(30),
            limit: Price(1),
            signal: Price(1),
            reduces: false,
            received: MonoNanos(0),
        }
    }

    fn report(number: u8, state: OrderState) -> Entry {
        Entry::Report(Report::bare(order(number).tag, state, ReportSource::Poll))
    }

    #[test]
    fn what_has_no_end_is_named_until_it_has_one() {
        let mut open = Open::default();
        let words = |open: &Open, abandoned: &[IntentId]| Left { open, abandoned }.words();
        assert_eq!(words(&open, &[]), None);
        for number in [1, 2] {
            open.note(&Entry::Admitted(order(number)));
        }
        open.note(&report(1, OrderState::Unknown));
        open.note(&report(2, OrderState::Open));
        assert!(open.has_unknown());
        let said = words(&open, &[IntentId(7)]).expect("two orders and an intent");
        for part in [
            "TZ00010KFY0000100000 is unknown",
            "TZ00010KFY0000200000 is open",
            "intent 7 is not over",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        open.note(&report(1, OrderState::Rejected));
        assert!(!open.has_unknown());
        assert!(words(&open, &[]).is_some(), "one still works");
        open.note(&report(2, OrderState::Cancelled));
        assert_eq!(words(&open, &[]), None);
        assert!(words(&open, &[IntentId(7)]).is_some());
    }

    #[test]
    fn what_works_is_waited_for_a_little_and_what_nobody_knows_for_longer() {
        let second = 1_000_000_000;
        let at = |seconds: u64| MonoNanos(seconds * second);
        let mut open = Open::default();
        let patience = Patience::new(at(10), WORKING_NS, true);
        assert!(!patience.waits(&open, at(10)), "nothing is open");
        open.note(&Entry::Admitted(order(1)));
        assert!(patience.waits(&open, at(14)) && !patience.waits(&open, at(15)));
        open.note(&report(1, OrderState::Unknown));
        assert!(patience.asks(&open, at(29)) && !patience.waits(&open, at(30)));
        let nobody_to_ask = Patience::new(at(10), WORKING_NS, false);
        assert!(nobody_to_ask.waits(&open, at(14)) && !nobody_to_ask.waits(&open, at(15)));
    }
}
