//! Real processes that are killed, stopped and left by a venue that misbehaves.
//!
//! ```text
//!   tezi venue --chaos SEED ──── faults ───────────────┤ stop
//!   tezi run   ──✂──── ─✂───────✂── … ──✂──            ├─ goes on, at most a minute ─► interrupted ─► checks
//!
//!   cargo test --test chaos                                                    a handful of kills
//!   TEZI_KILLS=500 cargo test --release --test chaos random_kills -- --nocapture   as many as asked
//!   TEZI_CHAOS=7 cargo test --test chaos random_kills -- --nocapture           the day of another seed
//! ```
//!
//! Promises
//! - What is asserted is the venue's own record. Of the engine's account only the journal is read (was the order in
//!   it?) and the alarms (was a person told?).
//! - A kill is SIGKILL to the process, at a moment drawn from a seed: in start-up and recovery, right behind a
//!   send, behind an amendment, or anywhere.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests, outside the test functions clippy recognises"
)]

mod chaos {
    pub(super) mod checks;
    pub(super) mod kills;
    pub(super) mod life;
    // Below this folder, so that its parts see it as a neighbour.
    pub(super) use super::processes;
}

#[path = "pipeline/processes.rs"]
#[expect(dead_code, reason = "shared with tests that use all of it")]
mod processes;

use chaos::kills::{Plan, Tally, play};
use std::sync::atomic::{AtomicU64, Ordering};

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is not a number")),
    )
}

/// Days at a time: a day mostly waits.
const SIDE_BY_SIDE: u64 = 4;

#[test]
fn random_kills() {
    let wanted = number("TEZI_KILLS");
    let first = number("TEZI_CHAOS").unwrap_or(1);
    let Some(wanted) = wanted else {
        let tally = play(&Plan::short(first));
        println!("{tally}");
        assert!(tally.failures.is_empty(), "{tally}");
        assert!(tally.kills >= 3 && tally.orders > 0, "{tally}");
        return;
    };
    let (next, left) = (AtomicU64::new(first), AtomicU64::new(wanted));
    let work = || {
        let mut sum = Tally::default();
        loop {
            let kills = left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    (left > 0).then(|| left.saturating_sub(Plan::KILLS))
                })
                .unwrap_or(0)
                .min(Plan::KILLS);
            if kills == 0 {
                return sum;
            }
            let tally = play(&Plan::long(next.fetch_add(1, Ordering::Relaxed), kills));
            println!("{tally}");
            sum.add(tally);
        }
    };
    let mut sum = Tally::default();
    std::thread::scope(|scope| {
        let days: Vec<_> = (0..SIDE_BY_SIDE).map(|_| scope.spawn(work)).collect();
        for day in days {
            sum.add(day.join().expect("a day"));
        }
    });
    println!("{sum}");
    println!("{} kills", sum.kills);
    assert!(sum.failures.is_empty(), "{sum}");
    assert!(sum.kills >= wanted, "{sum}");
}
