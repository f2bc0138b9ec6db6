//! Every order of the run, found by the numbers its tag carries.

use crate::book::{Applied, OrderRecord};
use crate::model::{InstrumentIx, MonoNanos, OrderId, OrderState, Report, StrategyIx, Tag};

/// Orders reserved before the first one is sent.
const RESERVED: usize = 8_192;

/// Position of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(u32);

#[derive(Clone, Copy, Debug)]
struct Live {
    slot: Slot,
    /// When it was sent, or last asked to be cancelled.
    since: MonoNanos,
}

/// The order table: records in order of sending, and the few that are not finished.
#[derive(Debug)]
pub(super) struct Orders {
    records: Vec<OrderRecord>,
    places: Vec<[u32; 2]>,
    live: Vec<Live>,
    base: u64,
}

const NONE: u32 = u32::MAX;

impl Orders {
    pub(super) fn new(base: u64) -> Self {
        Self {
            records: Vec::with_capacity(RESERVED),
            places: Vec::with_capacity(RESERVED),
            live: Vec::with_capacity(256),
            base,
        }
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, OrderRecord> {
        self.records.iter()
    }

    /// Orders open, unconfirmed or unknown.
    pub(super) fn live(&self) -> u32 {
        u32::try_from(self.live.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn insert(&mut self, record: OrderRecord) -> Slot {
        let slot = Slot(u32::try_from(self.records.len()).unwrap_or(NONE));
        if let Some((row, leg)) = self.place(record.order.tag) {
            if self.places.len() <= row {
                self.places.resize(row + 1, [NONE; 2]);
            }
            self.places[row][leg] = slot.0;
        }
        self.records.push(record);
        self.live.push(Live {
            slot,
            since: MonoNanos(0),
        });
        slot
    }

    fn place(&self, tag: Tag) -> Option<(usize, usize)> {
        let (intent, leg) = tag.intent_and_leg()?;
        let row = usize::try_from(intent.checked_sub(self.base)?.checked_sub(1)?).ok()?;
        (leg < 2 && row < (1 << 24)).then_some((row, usize::from(leg)))
    }

    /// The slot of a tag of this run, whole tag compared.
    fn find(&self, tag: Tag) -> Option<Slot> {
        let (row, leg) = self.place(tag)?;
        let slot = *self.places.get(row)?.get(leg)?;
        let record = self.records.get(slot as usize)?;
        (record.order.tag == tag).then_some(Slot(slot))
    }

    pub(super) fn tag(&self, slot: Slot) -> Option<Tag> {
        self.records
            .get(slot.0 as usize)
            .map(|record| record.order.tag)
    }

    /// The tag of an order by the broker's number, for updates that do not echo tags: of an unfinished one,
    /// or of any, because a fill may come after the end.
    pub(super) fn tag_of(&self, order_id: OrderId) -> Option<Tag> {
        if order_id == OrderId(0) {
            return None;
        }
        let is_it = |record: &&OrderRecord| record.order_id == order_id;
        self.live
            .iter()
            .filter_map(|live| self.records.get(live.slot.0 as usize))
            .find(is_it)
            .or_else(|| self.records.iter().rev().find(is_it))
            .map(|record| record.order.tag)
    }

    /// Records that the first byte may leave now.
    pub(super) fn set_sending(&mut self, slot: Slot, at: MonoNanos) {
        if let Some(record) = self.records.get_mut(slot.0 as usize) {
            record.state = OrderState::Sending;
        }
        if let Some(live) = self.live.iter_mut().rev().find(|live| live.slot == slot) {
            live.since = at;
        }
    }

    /// Records that a cancel was sent: its time to live starts over, so that a cancel that was lost or
    /// refused is sent again.
    pub(super) fn set_cancelling(&mut self, slot: Slot, at: MonoNanos) {
        if let Some(live) = self.live.iter_mut().find(|live| live.slot == slot) {
            live.since = at;
        }
    }

    /// Merges a report and returns what it changed and the state all reports come to; `None` when the order
    /// is not one of this run.
    pub(super) fn apply(&mut self, report: &Report) -> Option<(Applied, OrderState)> {
        let slot = self.find(report.tag)?;
        let record = self.records.get_mut(slot.0 as usize)?;
        let applied = record.apply(report);
        let state = record.state;
        let is_over = state.is_terminal();
        match self.live.iter().position(|live| live.slot == slot) {
            Some(at) if is_over => drop(self.live.swap_remove(at)),
            None if !is_over => {
                self.live.push(Live {
                    slot,
                    since: report.received,
                });
            }
            _ => {}
        }
        Some((applied, state))
    }

    /// An acknowledged or open order sent, or asked to be cancelled, longer than `ttl_ns` ago.
    pub(super) fn overdue(&self, now: MonoNanos, ttl_ns: u64) -> Option<(Slot, OrderId)> {
        self.live.iter().find_map(|live| {
            let record = self.records.get(live.slot.0 as usize)?;
            let is_working = matches!(record.state, OrderState::Acknowledged | OrderState::Open);
            let is_due = now.since(live.since) >= ttl_ns;
            (is_working && is_due && record.order_id != OrderId(0))
                .then_some((live.slot, record.order_id))
        })
    }

    /// True when an order of this strategy and instrument has no known outcome.
    #[inline]
    pub(super) fn is_frozen(&self, strategy: StrategyIx, instrument: InstrumentIx) -> bool {
        self.live
            .iter()
            .filter_map(|live| self.records.get(live.slot.0 as usize))
            .any(|record| {
                record.state == OrderState::Unknown
                    && record.order.strategy == strategy
                    && record.order.instrument == instrument
            })
    }
}
