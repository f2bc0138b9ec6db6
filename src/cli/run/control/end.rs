//! How control ends: working orders settle, the engine stops, and what came of the day is said.

use super::{Control, PERIOD, pause};
use crate::cli::Failure;
use crate::cli::run::console::Console;
use crate::cli::run::settle::{Left, Patience, WORKING_NS, waiting};
use crate::cli::run::{Args, summary};
use crate::hot::gateway::GatewayEvent;
use crate::model::WallNanos;
use crate::pipeline::Stopped;
use crate::pipeline::cache::Caching;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};

/// Why the run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::run) enum End {
    Closed,
    VenueEnded,
    Interrupted,
    SessionDead,
    VenueGone,
}

impl End {
    const fn words(self) -> &'static str {
        match self {
            Self::Closed => "the market closed",
            Self::VenueEnded => "the simulated day ended",
            Self::Interrupted => "interrupted",
            Self::SessionDead => "the session is dead",
            Self::VenueGone => "the venue is gone",
        }
    }
}

impl Control {
    /// Lets working orders settle, stops the engine, and says what came of the day.
    pub(in crate::cli::run) fn finish(
        mut self,
        end: End,
        args: &Args,
        interrupted: &AtomicBool,
        console: &mut Console<'_>,
    ) -> Result<(), Failure> {
        self.settle(end, interrupted, console);
        if let Some(bar) = self.progress.take() {
            bar.finish_and_clear();
        }
        let clock = self.engine.clock.clone();
        let mut stopped = self.engine.stop().map_err(Failure::Failed)?;
        // After the last tick: what is kept is the end of the day.
        if let Some(Err(why)) = self.cache.take().map(Caching::stop) {
            console.say(&format!("ALARM {why}"));
        }
        while let Some(event) = stopped.outlets.decide.pop() {
            console.decide(&event);
            self.explainer.hear(&event);
        }
        self.explainer.end();
        while let Some(entry) = stopped.outlets.records.pop() {
            self.open.note(&entry);
            console.record(&entry);
        }
        let mut abandoned = Vec::new();
        while let Some(event) = stopped.outlets.gateway.pop() {
            if let GatewayEvent::Abandoned(intent) = event {
                abandoned.push(intent);
            }
            console.gateway(&event);
        }
        if let Err(trouble) = keep_last(&mut stopped, clock.now().wall) {
            console.say(&trouble);
        }
        let digests = json!({
            "intents": stopped.decide.digest(),
            "journal": stopped.gateway.journal().digest(),
        });
        if let Err(e) = self.journal.finish() {
            console.say(&format!("ALARM {e}"));
        }
        if let Some(tape) = self.tape.take()
            && let Err(e) = tape.end(&mut stopped.outlets.recorders, &digests, console)
        {
            console.say(&format!("ALARM the recording has no end: {e}"));
        }
        let facts = summary::Facts {
            end: end.words(),
            names: &console.names.clone(),
            strategies: &self.strategies,
            open: &self.open,
            digests: &digests,
            filled_before: self.filled_before,
            twin: &self.twin,
            is_simulated: self.is_simulated,
            rehearsals_over: self.rehearsals_over.as_deref(),
        };
        let agrees = summary::print(&stopped, &facts, console);
        if let Some(folder) = &args.histograms {
            summary::write_histograms(&stopped, folder)?;
        }
        let left = Left {
            open: &self.open,
            abandoned: &abandoned,
        };
        verdict(end, agrees, left.words())
    }

    /// Waits until every order has an end, as long as somebody may still say so: a few seconds for what works, and
    /// longer for what nobody knows, because the proof that an order never arrived takes that long.
    fn settle(&mut self, end: End, interrupted: &AtomicBool, console: &mut Console<'_>) {
        let is_over = matches!(end, End::Closed | End::VenueEnded);
        if !is_over {
            self.engine.halt.set();
        }
        // From here on a signal means that nothing more is waited for.
        interrupted.store(false, Ordering::Relaxed);
        let begun = self.engine.clock.mono();
        let working_ns = if end == End::Interrupted {
            1_000_000_000
        } else {
            WORKING_NS
        };
        let can_ask = !matches!(end, End::SessionDead | End::VenueGone);
        let patience = Patience::new(begun, working_ns, can_ask);
        // A quiet moment first: the clock closes the last bars, updates of the last fills are on their way.
        let mut quiet = begun.plus(200_000_000);
        if is_over {
            quiet = quiet.plus(self.close_grace_ns);
            if let Some(hours) = self.hours {
                self.engine
                    .clock
                    .observe(hours.close.offset(2_000_000_000), begun);
            }
        }
        let mut is_told = false;
        loop {
            self.turn(console);
            let now = self.engine.clock.mono();
            if now >= quiet && !patience.waits(&self.open, now) {
                break;
            }
            let is_late = patience.is_late(now);
            if is_late && interrupted.load(Ordering::Relaxed) {
                break;
            }
            if is_late && patience.asks(&self.open, now) && !is_told {
                is_told = true;
                console.say(&waiting());
            }
            pause(PERIOD);
        }
    }
}

/// How a run ends for who started it; `left` names what has no end.
fn verdict(end: End, agrees: bool, left: Option<String>) -> Result<(), Failure> {
    match end {
        End::Interrupted => Err(Failure::Interrupted("stopped by the operator".to_owned())),
        End::SessionDead => Err(Failure::Venue(
            "the session is dead; log in again".to_owned(),
        )),
        End::VenueGone => Err(Failure::Venue("the venue is gone".to_owned())),
        End::Closed | End::VenueEnded if !agrees => Err(Failure::Failed(
            "positions differ from the venue's; see the summary".to_owned(),
        )),
        End::Closed | End::VenueEnded => left.map_or(Ok(()), |left| Err(Failure::Failed(left))),
    }
}

/// Keeps bars and indicators as the run leaves them.
fn keep_last(stopped: &mut Stopped, now: WallNanos) -> Result<(), String> {
    let compute = stopped.decide.compute_mut();
    let states = (0..compute.units().len()).map(|at| {
        let unit = compute.unit(at);
        let mut state = vec![0; unit.state_bytes()];
        unit.save(&mut state);
        (unit.known_until(), state)
    });
    let states = states.collect();
    stopped.keeper.end(states, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_a_success_only_when_nothing_is_left() {
        for end in [End::Closed, End::VenueEnded] {
            assert!(verdict(end, true, None).is_ok());
            let failed = |agrees, left| match verdict(end, agrees, left) {
                Err(Failure::Failed(why)) => why,
                other => panic!("{other:?}"),
            };
            let left = || Some("X is unknown".to_owned());
            assert_eq!(failed(true, left()), "X is unknown");
            assert!(failed(false, None).contains("positions differ"));
        }
        let stopped = verdict(End::Interrupted, true, Some("X is open".to_owned()));
        assert!(matches!(stopped, Err(Failure::Interrupted(_))));
    }
}
