//! One turn of control: everything that came up since the last one is heard, told and passed on.

use super::{Control, End};
use crate::cli::Failure;
use crate::cli::inquiry;
use crate::cli::run::console::Console;
use crate::cli::run::feeds;
use crate::control::dial::{Dialled, Want};
use crate::control::guard::Wish;
use crate::hot::decide::DecideEvent;
use crate::hot::feed::FeedEvent;
use crate::hot::gateway::GatewayEvent;
use crate::model::{Cause, Command, TradingState};
use crate::pipeline::cache::Caching;
use crate::pipeline::inquiry::News;
use crate::ring::LaneView;
use crate::runtime::watchdog::Bark;
use indicatif::ProgressBar;
use serde_json::json;

/// How often histograms are taken from the hot threads: each is 200 kB that pass through the caches.
const COLLECT_NS: u64 = 5_000_000_000;

/// How often the door learns how the links are.
const SHOW_NS: u64 = 500_000_000;

/// A simulated venue that cannot be reached this often is gone: the process has ended.
const FAILURES_MAX: u32 = 5;

impl Control {
    /// One turn of everything control does.
    pub(super) fn turn(&mut self, console: &mut Console<'_>) -> Option<End> {
        let mut end = self.hear_diallers(console);
        if self.is_simulated && self.failures >= FAILURES_MAX {
            end = Some(End::VenueGone);
        }
        end = self.hear_feed(end, console);
        self.hear_quotes(console);
        self.show_links();
        self.hear_decisions(console);
        self.hear_records(console);
        self.engine.wishes.turn();
        end = self.hear_inquiry(console).or(end);
        end = self.hear_gateway(console).or(end);
        self.hear_operator(console);
        self.hear_watchdog(console);
        self.collect();
        self.keep(console);
        self.advance();
        end
    }

    fn hear_diallers(&mut self, console: &mut Console<'_>) -> Option<End> {
        let mut end = None;
        while let Ok(news) = self.engine.outlets.dialled.try_recv() {
            match &news {
                Dialled::Up(Want::OrderConnection, _) => {
                    self.links += 1;
                    // The feed comes last: no decision before its orders could leave.
                    if self.links == self.connections {
                        self.engine.wants.ask_feeds();
                    }
                }
                Dialled::Up(Want::Feed(_), _) => self.failures = 0,
                // The feed is not asked for before the order connections are open, so until then their
                // failures are what tells that the venue is gone.
                Dialled::Failed(want, _, _) if self.tells_of_the_venue(*want) => {
                    self.failures += 1;
                }
                Dialled::Failed(..) | Dialled::BackupDead(_) => {}
                Dialled::SessionDead(_) => end = Some(End::SessionDead),
            }
            aloud(self.progress.as_ref(), || console.dialled(&news));
        }
        end
    }

    /// Nothing is dialled again for a session that is dead.
    fn hear_feed(&mut self, mut end: Option<End>, console: &mut Console<'_>) -> Option<End> {
        while let Some(event) = self.engine.outlets.feed.pop() {
            match &event {
                FeedEvent::SessionDead(link) if self.feeds.is_primary(*link) => {
                    end = Some(End::SessionDead);
                }
                FeedEvent::SessionDead(link) => self.dead_links.push(*link),
                FeedEvent::Live(_) => self.tell_seam(console),
                FeedEvent::Lost(link, _)
                    if end != Some(End::SessionDead) && !self.dead_links.contains(link) =>
                {
                    self.engine.wants.ask(Want::Feed(*link));
                }
                _ => {}
            }
            aloud(self.progress.as_ref(), || self.feeds.tell(&event, console));
        }
        end
    }

    /// Says once what is in no bar because the feed was not there yet.
    fn tell_seam(&mut self, console: &mut Console<'_>) {
        let live = self.engine.clock.now().wall;
        let Some(since) = self.open_since.take().filter(|since| *since < live) else {
            return;
        };
        let seconds = live.since(since) / 1_000_000_000;
        let text = format!(
            "the feed is live: prices from {since} to {live} ({seconds} s) are in no bar; where a bar lacks more than 90 s \
             or half of itself, entries wait for its close"
        );
        aloud(self.progress.as_ref(), || {
            console.line("recovery", &text, &json!({ "text": text }));
        });
    }

    /// What became of quotes that were asked for, and of prices kept for other programs.
    fn hear_quotes(&mut self, console: &mut Console<'_>) {
        while let Ok(news) = self.engine.outlets.polling.try_recv() {
            aloud(self.progress.as_ref(), || {
                feeds::tell_polling(&news, console);
            });
        }
        while let Some(news) = self.cache.as_ref().and_then(Caching::news) {
            aloud(self.progress.as_ref(), || {
                self.feeds.tell_cache(&news, console);
            });
        }
    }

    /// Decisions, and what keeps them and the state they were made from.
    fn hear_decisions(&mut self, console: &mut Console<'_>) {
        while let Some(event) = self.engine.outlets.decide.pop() {
            aloud(self.progress.as_ref(), || console.decide(&event));
            self.explainer.hear(&event);
            if matches!(event, DecideEvent::Bar { .. } | DecideEvent::Intent(_)) {
                self.engine.keeper.hurry();
            }
        }
        let now = self.engine.clock.now();
        let troubles = [self.engine.keeper.turn(now), self.explainer.turn()];
        for trouble in troubles.into_iter().flatten() {
            aloud(self.progress.as_ref(), || console.say(&trouble));
        }
    }

    fn hear_records(&mut self, console: &mut Console<'_>) {
        while let Some(entry) = self.engine.outlets.records.pop() {
            self.open.note(&entry);
            aloud(self.progress.as_ref(), || console.record(&entry));
        }
    }

    fn hear_inquiry(&mut self, console: &mut Console<'_>) -> Option<End> {
        let mut end = None;
        while let Some(news) = self.engine.asking.news() {
            if let News::SessionDead(_) = news {
                end = Some(End::SessionDead);
            }
            if let Some(fault) = inquiry::guard(&self.hand, &news) {
                self.tell("guard", &fault, console);
            }
            self.tell("inquiry", &inquiry::words(&news), console);
        }
        end
    }

    fn hear_gateway(&mut self, console: &mut Console<'_>) -> Option<End> {
        let mut end = None;
        while let Some(event) = self.engine.outlets.gateway.pop() {
            match event {
                GatewayEvent::ConnectionLost => {
                    self.engine.wants.ask(Want::OrderConnection);
                }
                GatewayEvent::SessionDead => end = Some(End::SessionDead),
                GatewayEvent::NotSynced => {
                    let why = "the journal could not be synced";
                    let reducing = TradingState::Reducing;
                    if let Some(fault) = self.hand.tighten(reducing, Cause::Journal, why) {
                        self.tell("guard", &fault, console);
                    }
                }
                GatewayEvent::RehearsalsOver(why) => self.rehearsals_over = Some(why.to_string()),
                _ => {}
            }
            aloud(self.progress.as_ref(), || console.gateway(&event));
        }
        end
    }

    /// What the operator wants, and what was done about it.
    fn hear_operator(&mut self, console: &mut Console<'_>) {
        while let Some(wish) = self.hand.wish() {
            if wish == Wish::Flatten {
                self.engine.wishes.ask(Command::Flatten);
            }
        }
        while let Some(note) = self.hand.note() {
            self.tell("guard", &note, console);
        }
    }

    fn hear_watchdog(&mut self, console: &mut Console<'_>) {
        for bark in self.engine.watchdog.check(self.engine.clock.mono()) {
            let text = match bark {
                Bark::Stuck { stage, for_ms } => {
                    format!("ALARM stage {stage} has made no progress for {for_ms} ms")
                }
                Bark::Alive { stage } => format!("stage {stage} makes progress again"),
            };
            self.tell("watchdog", &text, console);
        }
    }

    /// Takes histograms from the hot threads now and then.
    fn collect(&mut self) {
        let now = self.engine.clock.mono();
        if now.since(self.collected) >= COLLECT_NS {
            self.collected = now;
            for meter in &mut self.engine.outlets.meters {
                meter.collect();
            }
        }
    }

    /// A full or failing disk ends no trading: exits must still go out. It is said once, and tried again.
    fn keep(&mut self, console: &mut Console<'_>) {
        for trouble in [self.sync().err(), self.record().err()] {
            let Some(trouble) = trouble else { continue };
            let text = format!("ALARM {trouble}; trading goes on");
            if self.troubles.insert(text.clone()) {
                self.tell("alarm", &text, console);
            }
        }
    }

    /// Moves the bar over the trading day.
    fn advance(&self) {
        if let (Some(bar), Some(hours)) = (&self.progress, self.hours) {
            let minutes =
                self.engine.clock.now().wall.since(hours.open) / crate::model::time::MINUTE;
            bar.set_position(u64::try_from(minutes).unwrap_or(0));
        }
    }

    /// Says a line that is nothing but its text.
    fn tell(&self, kind: &str, text: &str, console: &mut Console<'_>) {
        aloud(self.progress.as_ref(), || {
            console.line(kind, text, &json!({ "text": text }));
        });
    }

    /// True when a failed attempt says that the venue itself may be gone: before the order connections are open, and
    /// where no other broker sends prices.
    fn tells_of_the_venue(&self, want: Want) -> bool {
        let is_alone = self.feeds.brokers() < 2;
        (matches!(want, Want::Feed(_)) && is_alone) || self.links < self.connections
    }

    /// Lets the door say how the links are.
    fn show_links(&mut self) {
        let now = self.engine.clock.mono();
        if now.since(self.shown) >= SHOW_NS {
            self.shown = now;
            let late = self.engine.late.get();
            self.hand
                .show(self.feeds.status(&self.engine.links, late, now));
        }
    }

    /// Syncs the journal behind the hot thread and keeps one segment prepared ahead of it.
    fn sync(&mut self) -> Result<(), Failure> {
        let written = self.engine.lanes.last().map_or(0, LaneView::pushed);
        let now = self.engine.clock.mono();
        self.journal.turn(written, &mut self.engine.segments, now)
    }

    /// Writes what the engine handed to the recorder.
    fn record(&mut self) -> Result<(), Failure> {
        let now = self.engine.clock.mono();
        let recorders = &mut self.engine.outlets.recorders;
        self.tape
            .as_mut()
            .map_or(Ok(()), |tape| tape.drain(recorders, now))
    }
}

/// Says something while the bar stands aside.
fn aloud(bar: Option<&ProgressBar>, say: impl FnOnce()) {
    match bar {
        Some(bar) => bar.suspend(say),
        None => say(),
    }
}
