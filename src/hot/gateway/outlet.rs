//! Where everything that becomes known leaves: the journal first, then control, the inquiry and the deciding stage.
//!
//! Promises
//! - What the deciding stage hears leaves in order and is never dropped: what finds no room waits.
//! - While nothing can be written entries end, and exits go on and are written as soon as something can be.

use super::{Gateway, GatewayEvent};
use crate::journal::{Entry, Journaled};
use crate::model::{Cause, Denial, OrderState, Report, ReportSource, Stamp, TradingState};
use crate::net::Connection;
use crate::rules::Admitted;

impl<C: Connection> Gateway<C> {
    /// Writes an entry to the journal and hands it on; entries that find no room wait in order.
    #[inline]
    pub(super) fn publish(&mut self, entry: Entry, now: Stamp) {
        self.publish_quietly(entry, now);
        self.push_outcome(entry);
    }

    /// Writes an entry to the journal and hands it to control alone.
    #[inline]
    pub(super) fn publish_quietly(&mut self, entry: Entry, now: Stamp) {
        let is_written = matches!(entry, Entry::Admitted(_));
        if !is_written {
            self.write(entry, now);
        }
        self.parts.records.push(entry);
        if let Some((heard, _)) = &mut self.inquiry {
            heard.push(entry);
        }
    }

    /// Writes an entry to the journal.
    #[inline]
    pub(super) fn write(&mut self, entry: Entry, now: Stamp) {
        if !self.unwritten.is_empty() {
            self.write_missed(now);
        }
        let was_blocked = self.parts.journal.is_blocked();
        if self.parts.journal.append(entry, now).is_err() && !was_blocked {
            self.journal_blocked();
        }
    }

    /// Writes what left while nothing could be written, as soon as something can: a restart must know it.
    #[cold]
    pub(super) fn write_missed(&mut self, now: Stamp) {
        while let Some(record) = self
            .unwritten
            .last()
            .and_then(|tag| self.orders.record(*tag))
        {
            let order = record.order;
            let report = Report {
                tag: order.tag,
                order_id: record.order_id,
                state: record.state,
                filled: record.filled,
                average: record.average,
                reject: record.reject,
                denial: record.denial,
                source: ReportSource::Gateway,
                at: now.wall,
                received: now.mono,
            };
            let entries = [
                Entry::Admitted(order),
                Entry::Sending(order.tag),
                Entry::Report(report),
            ];
            let has_news = !matches!(record.state, OrderState::Admitted | OrderState::Sending);
            let journal = &mut self.parts.journal;
            let mut entries = entries.into_iter().take(2 + usize::from(has_news));
            if !entries.all(|entry| journal.append(entry, now).is_ok()) {
                return;
            }
            self.unwritten.pop();
        }
    }

    /// The journal takes nothing: entries end until an operator says otherwise, exits go on without records.
    #[cold]
    pub(super) fn journal_blocked(&mut self) {
        self.parts
            .state
            .tighten(TradingState::Reducing, Cause::Journal);
        self.parts.events.push(GatewayEvent::JournalFull);
    }

    /// Hands an entry to the deciding stage; what finds no room waits in order.
    #[inline]
    pub(super) fn push_outcome(&mut self, entry: Entry) {
        self.parts.journal.digest_entry(&entry);
        let has_left = self.backlog.is_empty() && self.parts.outcomes.push(entry).is_ok();
        // Where nobody decides, nobody listens.
        if !has_left && !self.parts.outcomes.is_abandoned() {
            self.backlog.push(entry);
        }
    }

    /// True when entries still wait for room: nothing more may be read or sent.
    #[inline]
    pub(super) fn is_stalled(&mut self) -> bool {
        while let Some(entry) = self.backlog.first() {
            if self.parts.outcomes.push(*entry).is_err() {
                return true;
            }
            self.backlog.remove(0);
        }
        false
    }

    /// Writes an admitted order to the journal. While nothing can be written an exit leaves without: a
    /// position nobody closes is worse than an order to be found by its tag. That is alarmed, and entries end.
    #[inline]
    pub(super) fn keep(&mut self, admitted: Admitted, now: Stamp) -> Result<Journaled, Denial> {
        if !self.unwritten.is_empty() {
            self.write_missed(now);
        }
        let was_blocked = self.parts.journal.is_blocked();
        match self.parts.journal.admit(admitted, now) {
            Ok(journaled) => Ok(journaled),
            Err(_) => self.keep_unwritten(admitted, was_blocked),
        }
    }

    #[cold]
    pub(super) fn keep_unwritten(
        &mut self,
        admitted: Admitted,
        was_blocked: bool,
    ) -> Result<Journaled, Denial> {
        if !was_blocked {
            self.journal_blocked();
        }
        let journaled = self.parts.journal.admit_unwritten(admitted);
        let journaled = journaled.map_err(|_| Denial::Journal)?;
        self.unwritten.push(journaled.order().tag);
        Ok(journaled)
    }

    /// Waits until the disk has what was written, where the configuration asks for it. After a failed sync the
    /// segment is left, and entries end until an operator says otherwise.
    #[inline]
    pub(super) fn sync_before_send(&mut self, reduces: bool) -> Result<(), Denial> {
        if self.parts.journal.sync_before_send().is_ok() {
            return Ok(());
        }
        self.parts.journal.distrust().ok();
        self.parts
            .state
            .tighten(TradingState::Reducing, Cause::Journal);
        self.parts.events.push(GatewayEvent::NotSynced);
        if reduces {
            Ok(())
        } else {
            Err(Denial::Journal)
        }
    }

    /// Asks control for connections in place of those that left; when its lane is full, in a later cycle.
    #[cold]
    pub(super) fn tell_losses(&mut self) {
        while self.untold > 0 && self.parts.events.has_room() {
            self.parts.events.push(GatewayEvent::ConnectionLost);
            self.untold -= 1;
        }
    }

    /// Hands on what still waits for room; true when something was handed on. For the end of a run.
    pub fn hand_on_rest(&mut self) -> bool {
        let waiting = self.backlog.len();
        self.is_stalled();
        self.backlog.len() < waiting
    }
}
