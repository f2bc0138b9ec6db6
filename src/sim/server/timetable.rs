//! When triggers leave, and how late each one was.
//!
//! ```text
//!   closed   ├─round─┤── pause ──├─round─┤── pause ──      a tick leaves a pause after the round before it
//!   open     ├────────├────────├────────├────────         a tick is due every interval, whatever happened
//!                 stall ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓ │◄ late ►│          a late one is late for everybody behind it
//! ```
//!
//! A closed loop asks how long an answer takes once the client is idle again: a client that stands still
//! for a second is asked once less and looks good (coordinated omission). In an open loop the time counts
//! from when the tick should have left, so a stall counts against every tick it delayed.

/// How the next trigger is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loop {
    Closed { pause_ns: u64 },
    Open { interval_ns: u64 },
}

/// The moments at which triggers are due; nanoseconds of the venue's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timetable {
    by: Loop,
    due_ns: u64,
}

impl Timetable {
    /// A trigger every `1 / rate` seconds, or `pause_us` after the round before it.
    pub(super) fn new(pause_us: u64, rate_per_s: Option<u32>) -> Self {
        let by = match rate_per_s {
            Some(rate) => Loop::Open {
                interval_ns: 1_000_000_000 / u64::from(rate.max(1)),
            },
            None => Loop::Closed {
                pause_ns: pause_us.saturating_mul(1_000),
            },
        };
        Self { by, due_ns: 0 }
    }

    /// When the next trigger is due; 0 before the first was set.
    pub(super) const fn due_ns(&self) -> u64 {
        self.due_ns
    }

    /// Sets the next trigger, and with it all later ones, to a moment.
    pub(super) const fn start(&mut self, at_ns: u64) {
        self.due_ns = at_ns;
    }

    /// True when the venue may do something of its own now: nothing is overdue.
    pub(super) const fn has_time(&self, now_ns: u64) -> bool {
        matches!(self.by, Loop::Closed { .. }) || now_ns < self.due_ns
    }

    /// The venue's own doing keeps the next trigger until a moment; no client is charged for it.
    pub(super) fn hold_until(&mut self, at_ns: u64) {
        self.due_ns = self.due_ns.max(at_ns);
    }

    /// How late a trigger is whose sending begins now; never late in a closed loop.
    pub(super) const fn late_ns(&self, now_ns: u64) -> u64 {
        match self.by {
            Loop::Closed { .. } => 0,
            Loop::Open { .. } => now_ns.saturating_sub(self.due_ns),
        }
    }

    /// A round ended: the next trigger becomes due.
    pub(super) const fn round_ended(&mut self, now_ns: u64) {
        self.due_ns = match self.by {
            Loop::Closed { pause_ns } => now_ns.saturating_add(pause_ns),
            Loop::Open { interval_ns } => self.due_ns.saturating_add(interval_ns),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_loop_pauses_after_each_round_and_is_never_late() {
        let mut table = Timetable::new(300, None);
        table.start(1_000);
        assert_eq!(table.late_ns(5_000_000), 0);
        table.round_ended(5_000_000);
        assert_eq!(table.due_ns(), 5_300_000);
    }

    #[test]
    fn a_stall_counts_against_every_tick_it_delayed() {
        // 1000 a second; each round takes 10 µs but the first, which stands for 3.5 ms.
        let mut table = Timetable::new(300, Some(1_000));
        table.start(0);
        let mut now = 0;
        let mut late = Vec::new();
        for round in 0..6 {
            now = now.max(table.due_ns());
            late.push(table.late_ns(now));
            now += if round == 0 { 3_500_000 } else { 10_000 };
            table.round_ended(now);
        }
        assert_eq!(late, [0, 2_500_000, 1_510_000, 520_000, 0, 0]);
    }

    #[test]
    fn what_the_venue_does_itself_moves_the_timetable() {
        let mut table = Timetable::new(0, Some(1_000));
        table.start(1_000_000);
        assert!(table.has_time(999_999) && !table.has_time(1_000_000));
        table.hold_until(2_500_000);
        assert_eq!((table.late_ns(2_500_000), table.due_ns()), (0, 2_500_000));
        table.hold_until(1);
        assert_eq!(table.due_ns(), 2_500_000);
        table.round_ended(2_600_000);
        assert_eq!(table.due_ns(), 3_500_000);
    }
}
