//! Lifetime: one named thread, one core, a stop latch, a beat; the stage comes back when it ends.

use super::clock::Clock;
use super::idle::{Idle, IdleMode};
use super::realtime::RealTime;
use super::stage::Stage;
use crate::ring::{Beat, StopLatch};
use std::thread::JoinHandle;

/// How a stage is to be run.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Core to pin to; `None` leaves it to the scheduler.
    pub core: Option<usize>,
    /// How to wait.
    pub idle: IdleMode,
    /// When to stop.
    pub stop: StopLatch,
    /// The clock to pass.
    pub clock: Clock,
}

/// A stage running on its thread.
#[derive(Debug)]
pub struct Running<S> {
    /// Name of the stage.
    pub name: &'static str,
    /// Its sign of life.
    pub beat: Beat,
    handle: JoinHandle<S>,
}

impl<S> Running<S> {
    /// Waits for the thread to end after its stop latch was set and returns the stage.
    ///
    /// # Errors
    ///
    /// The stage's name when its thread panicked.
    pub fn join(self) -> Result<S, String> {
        self.handle
            .join()
            .map_err(|_| format!("stage {} panicked", self.name))
    }
}

/// Cycles between two looks at the stop latch and two publications of the beat.
const HOUSEKEEPING: u64 = 64;

/// Starts a stage on a thread of its own.
///
/// # Errors
///
/// When the operating system refuses the thread or the poll.
pub fn launch<S: Stage + 'static>(stage: S, how: Launch) -> std::io::Result<Running<S>> {
    launch_as(stage, how, None)
}

/// Starts a stage on a thread of its own, in the real-time class when one is given and [`settle`] allowed it: what
/// the kernel refuses all the same leaves the thread in the ordinary class.
///
/// # Errors
///
/// As [`launch()`].
///
/// [`settle`]: super::realtime::settle
pub fn launch_as<S: Stage + 'static>(
    mut stage: S,
    how: Launch,
    class: Option<RealTime>,
) -> std::io::Result<Running<S>> {
    let name = stage.name();
    let beat = Beat::default();
    let shown = beat.clone();
    let mut idle = Idle::new(how.idle)?;
    let body = move || {
        if let Some(core) = how.core {
            core_affinity::set_for_current(core_affinity::CoreId { id: core });
        }
        if how.idle.sleeps() {
            // Without it the kernel adds 50 µs to every short sleep; refusal only makes parking coarser.
            rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1)).ok();
        }
        stage.start(idle.sockets());
        if let Some(class) = class {
            class.take().ok();
        }
        let (mut cycles, mut work) = (0_u64, 0_u64);
        loop {
            let done = stage.work(&how.clock);
            cycles = cycles.wrapping_add(1);
            if done > 0 {
                work = work.wrapping_add(done as u64);
                idle.reset();
            } else {
                idle.wait();
            }
            if cycles.is_multiple_of(HOUSEKEEPING) || how.idle.sleeps() {
                beat.publish(cycles, work);
                if how.stop.is_set() {
                    break;
                }
            }
        }
        stage.stop(&how.clock);
        beat.publish(cycles.wrapping_add(1), work);
        stage
    };
    let handle = std::thread::Builder::new()
        .name(format!("tezi-{name}"))
        .spawn(body)?;
    Ok(Running {
        name,
        beat: shown,
        handle,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::MarketTime;

    struct Counter(u64, bool);
    impl Stage for Counter {
        fn name(&self) -> &'static str {
            "counter"
        }
        fn work(&mut self, _clock: &Clock) -> usize {
            self.0 += 1;
            usize::from(self.0 <= 10)
        }
        fn stop(&mut self, _clock: &Clock) {
            self.1 = true;
        }
    }

    #[test]
    fn a_stage_runs_in_every_idle_mode_and_comes_back() {
        for idle in [
            IdleMode::Spin,
            IdleMode::Yield,
            IdleMode::Park,
            IdleMode::Doze,
        ] {
            let stop = StopLatch::default();
            let clock = Clock::start(&MarketTime::Real);
            let how = Launch {
                core: None,
                idle,
                stop: stop.clone(),
                clock,
            };
            let running = launch(Counter(0, false), how).expect("thread");
            while running.beat.work() < 10 {
                std::thread::yield_now();
            }
            stop.set();
            let counter = running.join().expect("no panic");
            assert!(counter.0 >= 10 && counter.1, "{idle:?}");
        }
    }
}
