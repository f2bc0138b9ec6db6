//! Names a stage that stopped making progress.

use crate::model::MonoNanos;
use crate::ring::Beat;

/// Watches the beats of running stages; control calls it now and then.
#[derive(Debug, Default)]
pub struct Watchdog {
    watched: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    name: &'static str,
    beat: Beat,
    cycles: u64,
    since: MonoNanos,
    reported: bool,
}

/// What the watchdog has to say about a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bark {
    /// No cycle for this many milliseconds.
    Stuck {
        /// Name of the stage.
        stage: &'static str,
        /// Milliseconds without a cycle.
        for_ms: u64,
    },
    /// Cycles again after having been stuck.
    Alive {
        /// Name of the stage.
        stage: &'static str,
    },
}

/// A stage that goes this long without a cycle is stuck: a parked thread cycles every millisecond.
const STUCK_NS: u64 = 500_000_000;

impl Watchdog {
    /// Adds a stage.
    pub fn watch(&mut self, name: &'static str, beat: Beat, now: MonoNanos) {
        self.watched.push(Watched {
            name,
            beat,
            cycles: 0,
            since: now,
            reported: false,
        });
    }

    /// Looks at every stage and reports each change once.
    pub fn check(&mut self, now: MonoNanos) -> Vec<Bark> {
        let mut barks = Vec::new();
        for stage in &mut self.watched {
            let cycles = stage.beat.cycles();
            if cycles != stage.cycles {
                stage.cycles = cycles;
                stage.since = now;
                if std::mem::take(&mut stage.reported) {
                    barks.push(Bark::Alive { stage: stage.name });
                }
            } else if now.since(stage.since) >= STUCK_NS && !stage.reported {
                stage.reported = true;
                let for_ms = now.since(stage.since) / 1_000_000;
                barks.push(Bark::Stuck {
                    stage: stage.name,
                    for_ms,
                });
            }
        }
        barks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stuck_stage_is_named_once_and_again_when_it_lives() {
        let beat = Beat::default();
        let mut dog = Watchdog::default();
        dog.watch("gateway", beat.clone(), MonoNanos(0));
        beat.publish(1, 0);
        assert!(dog.check(MonoNanos(1)).is_empty());
        assert!(dog.check(MonoNanos(STUCK_NS)).is_empty());
        let stuck = Bark::Stuck {
            stage: "gateway",
            for_ms: 500,
        };
        assert_eq!(dog.check(MonoNanos(STUCK_NS + 1)), vec![stuck]);
        assert!(dog.check(MonoNanos(STUCK_NS * 3)).is_empty());
        beat.publish(2, 0);
        assert_eq!(
            dog.check(MonoNanos(STUCK_NS * 4)),
            vec![Bark::Alive { stage: "gateway" }]
        );
    }
}
