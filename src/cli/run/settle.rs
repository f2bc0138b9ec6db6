//! Which orders are still open, as control knows it from the records.

use crate::book::OrderRecord;
use crate::journal::Entry;
use crate::model::{IntentId, Order, OrderState, Tag};

/// Orders that were sent and have not ended.
#[derive(Debug, Default)]
pub(super) struct Open {
    orders: Vec<(Order, OrderState)>,
}

impl Open {
    /// Begins with what earlier runs of the day left open.
    pub(super) fn of(orders: &[OrderRecord]) -> Self {
        let live = orders.iter().filter(|record| record.is_live());
        Self {
            orders: live.map(|record| (record.order, record.state)).collect(),
        }
    }

    /// Takes one record.
    pub(super) fn note(&mut self, entry: &Entry) {
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
    pub(super) fn count(&self) -> usize {
        self.orders.len()
    }

    /// True while nobody can say what became of one of them.
    pub(super) fn has_unknown(&self) -> bool {
        let mut states = self.orders.iter().map(|(_, state)| state);
        states.any(|state| *state == OrderState::Unknown)
    }

    /// The open orders.
    pub(super) fn iter(&self) -> impl Iterator<Item = &(Order, OrderState)> {
        self.orders.iter()
    }
}

/// What a run leaves to somebody else: orders without an end, and intents that were being worked.
#[derive(Debug)]
pub(super) struct Left<'a> {
    pub(super) open: &'a Open,
    pub(super) abandoned: &'a [IntentId],
}

impl Left<'_> {
    /// Names everything that is left; `None` when nothing is.
    pub(super) fn words(&self) -> Option<String> {
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
        Action, InstrumentIx, LegRole, MonoNanos, Price, Qty, Report, ReportSource, Side,
        StrategyIx,
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
}
