//! Every order of the run, found by the numbers its tag carries.

use crate::book::{Applied, OrderRecord};
use crate::model::{
    InstrumentIx, IntentId, MonoNanos, Order, OrderId, OrderState, Report, Side, StrategyIx, Tag,
};

/// Orders reserved before the first one is sent.
const RESERVED: usize = 8_192;

/// Records of orders whose memory is kept warm.
const WARM: usize = 2;

/// Position of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(u32);

#[derive(Clone, Copy, Debug)]
struct Live {
    slot: Slot,
    /// When it was sent, or last asked to be cancelled.
    since: MonoNanos,
    /// True when a ticket minds it.
    is_worked: bool,
    /// True once people were told that nobody knows it and the close is near.
    is_told: bool,
    /// True once its residual was sent again: what becomes of it is heard, and nothing waits for it.
    is_aside: bool,
}

/// What a report came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Merged {
    pub(super) applied: Applied,
    /// The state all reports come to.
    pub(super) state: OrderState,
    /// True when the order was thought over and lives.
    pub(super) is_revived: bool,
    /// True when this report is the first that says it was refused.
    pub(super) is_rejected: bool,
}

/// The order table: records in order of sending, and the few that are not finished.
#[derive(Debug)]
pub(super) struct Orders {
    records: Vec<OrderRecord>,
    /// Open addressing by tag: positions of records. Never more than half full.
    places: Vec<u32>,
    live: Vec<Live>,
    /// By record: its position among the live ones.
    live_at: Vec<u32>,
}

const NONE: u32 = u32::MAX;

/// Where the search for a tag begins: intents that follow one another lie side by side, so that the next one finds
/// the line of the one before it near.
#[inline]
fn hash(tag: Tag) -> usize {
    let low = |byte: u8| usize::from(byte.wrapping_sub(b'0'));
    let number = |digits: &[u8]| {
        let add = |sum: usize, digit: &u8| sum.wrapping_mul(64) + low(*digit);
        digits.iter().fold(0, add)
    };
    let [.., i0, i1, i2, i3, i4, leg, s0, s1, s2, attempt] = tag.0;
    // The characters of a digit span 43 codes.
    let intent = [i0, i1, i2, i3, i4]
        .iter()
        .fold(0_usize, |sum, digit| sum.wrapping_mul(43) + low(*digit));
    let later = number(&[s0, s1, s2, attempt]);
    intent
        .wrapping_mul(4)
        .wrapping_add(low(leg) & 3)
        .wrapping_add(later.wrapping_mul(0x9e37_79b9))
}

impl Orders {
    pub(super) fn new() -> Self {
        Self::with_room(RESERVED)
    }

    /// A table with room for so many orders before memory is asked for.
    pub(super) fn with_room(orders: usize) -> Self {
        Self {
            records: Vec::with_capacity(orders),
            places: vec![NONE; 2 * orders.next_power_of_two()],
            live: Vec::with_capacity(orders.min(256)),
            live_at: Vec::with_capacity(orders),
        }
    }

    /// Forgets every order: for rehearsals, whose orders were never sent.
    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.places.fill(NONE);
        self.live.clear();
        self.live_at.clear();
    }

    /// The live entry of an order, `None` when it is over.
    #[inline]
    fn live_of(&mut self, slot: Slot) -> Option<&mut Live> {
        let at = *self.live_at.get(slot.0 as usize)?;
        self.live.get_mut(at as usize)
    }

    fn go_live(&mut self, slot: Slot, since: MonoNanos) {
        let at = u32::try_from(self.live.len()).unwrap_or(NONE);
        if let Some(place) = self.live_at.get_mut(slot.0 as usize) {
            *place = at;
        }
        self.live.push(Live {
            slot,
            since,
            is_worked: false,
            is_told: false,
            is_aside: false,
        });
    }

    /// Takes an order from the live ones.
    fn end_live(&mut self, slot: Slot) {
        let Some(place) = self.live_at.get_mut(slot.0 as usize) else {
            return;
        };
        let at = std::mem::replace(place, NONE);
        if at == NONE {
            return;
        }
        self.live.swap_remove(at as usize);
        if let Some(moved) = self.live.get(at as usize)
            && let Some(place) = self.live_at.get_mut(moved.slot.0 as usize)
        {
            *place = at;
        }
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, OrderRecord> {
        self.records.iter()
    }

    /// Orders whose outcome nobody knows and is waited for.
    pub(super) fn unknown(&self) -> usize {
        let awaited = self.iter_awaited();
        awaited
            .filter(|record| record.state == OrderState::Unknown)
            .count()
    }

    /// Orders open, unconfirmed or unknown.
    pub(super) fn live(&self) -> u32 {
        u32::try_from(self.live.len()).unwrap_or(u32::MAX)
    }

    #[inline(never)]
    pub(super) fn insert(&mut self, record: OrderRecord) -> Slot {
        let slot = Slot(u32::try_from(self.records.len()).unwrap_or(NONE));
        let tag = record.order.tag;
        self.records.push(record);
        if self.records.len().saturating_mul(2) > self.places.len() {
            self.grow();
        } else {
            self.place(tag, slot);
        }
        self.live_at.push(NONE);
        self.go_live(slot, MonoNanos(0));
        slot
    }

    /// Takes over an order of an earlier run.
    pub(super) fn take_over(&mut self, mut record: OrderRecord, now: MonoNanos) {
        // The clock of another process: what it was decided on is as old as anything.
        record.order.received = MonoNanos(0);
        let slot = self.insert(record);
        if !record.is_live() {
            self.end_live(slot);
        } else if let Some(live) = self.live_of(slot) {
            live.since = now;
        }
    }

    /// Brings the memory of the next orders near: their records are written into room that is reserved and not used.
    pub(super) fn warm(&mut self, order: Order) {
        for room in self.records.spare_capacity_mut().iter_mut().take(WARM) {
            std::hint::black_box(room.write(OrderRecord::new(order)));
        }
    }

    /// Says that a ticket minds the order of a tag.
    pub(super) fn set_minded(&mut self, tag: Tag) {
        if let Some(slot) = self.find(tag) {
            self.set_worked(slot);
        }
    }

    fn place(&mut self, tag: Tag, slot: Slot) {
        let mask = self.places.len() - 1;
        let mut at = hash(tag) & mask;
        while self.places[at] != NONE {
            at = (at + 1) & mask;
        }
        self.places[at] = slot.0;
    }

    #[cold]
    fn grow(&mut self) {
        self.places = vec![NONE; self.places.len().saturating_mul(2)];
        for at in 0..self.records.len() {
            let tag = self.records[at].order.tag;
            self.place(tag, Slot(u32::try_from(at).unwrap_or(NONE)));
        }
    }

    /// The slot of a tag, whole tag compared.
    fn find(&self, tag: Tag) -> Option<Slot> {
        let mask = self.places.len() - 1;
        let mut at = hash(tag) & mask;
        loop {
            let slot = self.places[at];
            let record = self.records.get(slot as usize)?;
            if record.order.tag == tag {
                return Some(Slot(slot));
            }
            at = (at + 1) & mask;
        }
    }

    /// What is known of an order.
    pub(super) fn record(&self, tag: Tag) -> Option<&OrderRecord> {
        self.records.get(self.find(tag)?.0 as usize)
    }

    /// Ends an unknown order after the proof that it never existed; false when it is not unknown.
    pub(super) fn prove_absent(&mut self, tag: Tag) -> bool {
        let Some(slot) = self.find(tag) else {
            return false;
        };
        let record = self.records.get_mut(slot.0 as usize);
        let is_proved = record.is_some_and(|record| record.prove_absent().is_ok());
        if is_proved {
            self.end_live(slot);
        }
        is_proved
    }

    /// Says that a ticket minds an order: its time to live is none of the sweep's business.
    pub(super) fn set_worked(&mut self, slot: Slot) {
        if let Some(live) = self.live_of(slot) {
            live.is_worked = true;
        }
    }

    /// Tag and number of every live order that no ticket minds and that can be cancelled.
    pub(super) fn cancellable_alone(&self) -> impl Iterator<Item = (Tag, OrderId)> {
        let alone = self.live.iter().filter(|live| !live.is_worked);
        alone.filter_map(|live| {
            let record = self.records.get(live.slot.0 as usize)?;
            (record.order_id != OrderId(0)).then_some((record.order.tag, record.order_id))
        })
    }

    /// Sets an exit aside that nobody knows: its residual is sent again.
    pub(super) fn set_aside(&mut self, tag: Tag) {
        if let Some(slot) = self.find(tag)
            && let Some(live) = self.live_of(slot)
        {
            live.is_aside = true;
            // Nobody minds it any more: when it turns out to work it is cancelled like an order of nobody.
            live.is_worked = false;
        }
    }

    /// Orders whose end is not known and is waited for.
    fn iter_awaited(&self) -> impl Iterator<Item = &OrderRecord> {
        let awaited = self.live.iter().filter(|live| !live.is_aside);
        awaited.filter_map(|live| self.records.get(live.slot.0 as usize))
    }

    /// True when an order of an intent lives, of one leg or of any.
    #[inline]
    pub(super) fn lives(&self, intent: IntentId, leg: Option<u8>) -> bool {
        self.iter_awaited().any(|record| {
            record.order.intent == intent
                && leg.is_none_or(|leg| record.order.tag.leg() == Some(leg))
        })
    }

    /// Orders whose end is not known.
    pub(super) fn iter_live(&self) -> impl Iterator<Item = &OrderRecord> {
        self.live
            .iter()
            .filter_map(|live| self.records.get(live.slot.0 as usize))
    }

    /// Units that live orders of a strategy on a side may still fill: whatever they were meant for, they take off a
    /// position on the other side.
    pub(super) fn closing(
        &self,
        strategy: StrategyIx,
        instrument: InstrumentIx,
        side: Side,
    ) -> u32 {
        let own = self.iter_awaited().filter(|record| {
            let order = &record.order;
            (order.strategy, order.instrument, order.side) == (strategy, instrument, side)
        });
        own.fold(0, |sum: u32, record| {
            sum.saturating_add(record.remaining().0)
        })
    }

    /// The part of [`Self::closing`] that is of orders nobody can speak for.
    pub(super) fn closing_unknown(
        &self,
        strategy: StrategyIx,
        instrument: InstrumentIx,
        side: Side,
    ) -> u32 {
        let own = self.iter_awaited().filter(|record| {
            let order = &record.order;
            record.state == OrderState::Unknown
                && (order.strategy, order.instrument, order.side) == (strategy, instrument, side)
        });
        own.fold(0, |sum: u32, record| {
            sum.saturating_add(record.remaining().0)
        })
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
        if let Some(live) = self.live_of(slot) {
            live.since = at;
        }
    }

    /// Records that a cancel was sent: its time to live starts over, so that a cancel that was lost or
    /// refused is sent again.
    pub(super) fn set_cancelling(&mut self, tag: Tag, at: MonoNanos) {
        if let Some(slot) = self.find(tag)
            && let Some(live) = self.live_of(slot)
        {
            live.since = at;
        }
    }

    /// Merges a report and returns what it changed and the state all reports come to; `None` when the order
    /// is not one of this run.
    pub(super) fn apply(&mut self, report: &Report) -> Option<Merged> {
        let slot = self.find(report.tag)?;
        let record = self.records.get_mut(slot.0 as usize)?;
        let was_rejected = record.state == OrderState::Rejected;
        let applied = record.apply(report);
        let state = record.state;
        let is_over = state.is_terminal();
        let live = self.live_of(slot);
        let is_revived = live.is_none() && !is_over;
        match live {
            Some(_) if is_over => self.end_live(slot),
            Some(live) if state != OrderState::Unknown => live.is_aside = false,
            None if !is_over => self.go_live(slot, report.received),
            _ => {}
        }
        Some(Merged {
            applied,
            state,
            is_revived,
            is_rejected: state == OrderState::Rejected && !was_rejected,
        })
    }

    /// An acknowledged or open order sent, or asked to be cancelled, longer than `ttl_ns` ago.
    /// Its time starts over.
    pub(super) fn overdue(&mut self, now: MonoNanos, ttl_ns: u64) -> Option<(Tag, OrderId)> {
        self.live.iter_mut().find_map(|live| {
            let record = self.records.get(live.slot.0 as usize)?;
            let is_working = matches!(record.state, OrderState::Acknowledged | OrderState::Open);
            let is_due = !live.is_worked && now.since(live.since) >= ttl_ns;
            let is_it = is_working && is_due && record.order_id != OrderId(0);
            if is_it {
                live.since = now;
            }
            is_it.then_some((record.order.tag, record.order_id))
        })
    }

    /// The next exit that is unknown while `is_near` says that its close is near; each is told once.
    pub(super) fn tell_unknown_exit(
        &mut self,
        is_near: impl Fn(InstrumentIx) -> bool,
    ) -> Option<Tag> {
        let records = &self.records;
        self.live.iter_mut().find_map(|live| {
            let record = records.get(live.slot.0 as usize)?;
            let is_due = record.order.reduces
                && !live.is_told
                && record.state == OrderState::Unknown
                && is_near(record.order.instrument);
            live.is_told |= is_due;
            is_due.then_some(record.order.tag)
        })
    }

    /// True when an order of this strategy and instrument has no known outcome.
    #[inline]
    pub(super) fn is_frozen(&self, strategy: StrategyIx, instrument: InstrumentIx) -> bool {
        self.iter_awaited().any(|record| {
            record.state == OrderState::Unknown
                && record.order.strategy == strategy
                && record.order.instrument == instrument
        })
    }
}
