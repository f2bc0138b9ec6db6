//! The control loop of a run: hands news to people, sockets to the engine and records to the disk, until the
//! day is over; then lets working orders settle and says what came of it.

mod begin;
mod end;
mod turn;

use super::console::Console;
use super::decisions::Explainer;
use super::feeds::Feeds;
use super::journal::Journal;
use super::prepare::sim_clock;
use super::recording::Recording;
use super::settle::Open;
use crate::cli::hand::Hand;
use crate::control::Desk;
use crate::model::{LinkIx, MonoNanos, Window};
use crate::pipeline::Engine;
use crate::pipeline::cache::Caching;
use crate::ring::LinkState;
use end::End;
use indicatif::ProgressBar;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Every turn takes a core from somebody; 20 ms keep the console live and the journal close behind.
const PERIOD: Duration = Duration::from_millis(20);

/// The control loop of a run.
pub(super) struct Control {
    engine: Engine,
    journal: Journal,
    explainer: Explainer,
    tape: Option<Recording>,
    twin: Desk,
    hand: Hand,
    is_simulated: bool,
    hours: Option<Window>,
    open: Open,
    filled_before: usize,
    troubles: BTreeSet<String>,
    links: usize,
    connections: usize,
    close_grace_ns: u64,
    failures: u32,
    asked_sim: MonoNanos,
    /// When histograms were last taken.
    collected: MonoNanos,
    feeds: Feeds,
    /// Keeps prices for other programs, where a Redis is configured.
    cache: Option<Caching>,
    /// Links of a backup whose session is dead: not dialled again.
    dead_links: Vec<LinkIx>,
    shown: MonoNanos,
    progress: Option<ProgressBar>,
    strategies: Vec<String>,
    /// Why nothing is rehearsed, or not any more.
    rehearsals_over: Option<String>,
}

impl Control {
    /// Runs until something ends the day.
    pub(super) fn watch(&mut self, interrupted: &AtomicBool, console: &mut Console<'_>) -> End {
        let mut end = None;
        loop {
            if let Some(found) = self.turn(console) {
                end = Some(found);
            }
            if interrupted.load(Ordering::Relaxed) {
                end = Some(End::Interrupted);
            }
            if end.is_none() {
                end = self.is_over();
            }
            if let Some(end) = end {
                return end;
            }
            pause(PERIOD);
        }
    }

    /// True when the day is over: by the clock, or because the simulated venue says so.
    fn is_over(&mut self) -> Option<End> {
        let now = self.engine.clock.now();
        if self
            .hours
            .is_some_and(|hours| now.wall >= hours.close.offset(5_000_000_000))
        {
            return Some(End::Closed);
        }
        const ASK_NS: u64 = 250_000_000;
        // One that does not answer would keep control from everything else.
        let is_there = self.engine.links.get(LinkIx(0)).state != LinkState::Down;
        if self.is_simulated && is_there && now.mono.since(self.asked_sim) > ASK_NS {
            self.asked_sim = now.mono;
            let clock = sim_clock(&mut self.twin).ok()?;
            if clock.get("ended").and_then(Value::as_bool) == Some(true) {
                return Some(End::VenueEnded);
            }
        }
        None
    }
}

/// Waits.
#[expect(
    clippy::disallowed_methods,
    reason = "the control loop of a verb, not a hot thread"
)]
pub(in crate::cli) fn pause(time: Duration) {
    std::thread::sleep(time);
}
