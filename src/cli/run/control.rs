//! The control loop of a run: hands news to people, sockets to the engine and records to the disk, until the
//! day is over; then lets working orders settle and says what came of it.

use super::Args;
use super::console::Console;
use super::decisions::Explainer;
use super::feeds::{self, Feeds};
use super::journal::Journal;
use super::prepare::{Prepared, sim_clock};
use super::recording::Recording;
use super::settle::{Left, Open, Patience, WORKING_NS, waiting};
use super::{prices, summary};
use crate::book::OrderRecord;
use crate::cli::Failure;
use crate::cli::hand::Hand;
use crate::cli::inquiry;
use crate::control::Desk;
use crate::control::dial::{Dialled, Want};
use crate::control::guard::Wish;
use crate::hot::decide::DecideEvent;
use crate::hot::feed::FeedEvent;
use crate::hot::gateway::GatewayEvent;
use crate::model::{
    Cause, Command, LinkIx, MonoNanos, OrderState, TradingState, WallNanos, Window,
};
use crate::pipeline::cache::Caching;
use crate::pipeline::history::Given;
use crate::pipeline::inquiry::News;
use crate::pipeline::{Engine, Stopped};
use crate::ring::{LaneView, LinkState};
use crate::runtime::watchdog::Bark;
use crate::venue::books::Margins;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Why the run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
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

/// Longest wait for a simulated venue to say what time it is: one that hangs must not keep control from the rest.
const SIM_PATIENCE: Duration = Duration::from_secs(1);
/// How often histograms are taken from the hot threads: each is 200 kB that pass through the caches.
const COLLECT_NS: u64 = 5_000_000_000;
/// How often the door learns how the links are.
const SHOW_NS: u64 = 500_000_000;
/// Every turn takes a core from somebody; 20 ms keep the console live and the journal close behind.
const PERIOD: Duration = Duration::from_millis(20);
/// A simulated venue that cannot be reached this often is gone: the process has ended.
const FAILURES_MAX: u32 = 5;

impl Control {
    /// Starts the engine and says so.
    pub(super) fn start(
        prepared: Prepared,
        args: &Args,
        console: &mut Console<'_>,
    ) -> Result<Self, Failure> {
        for line in &prepared.topology {
            console.line("topology", line, &json!({ "text": line }));
        }
        let bars_of = |given: &Given| match given {
            Given::Bars(bars) => bars.len(),
            Given::State(_) => 0,
        };
        let history = prepared.history.iter();
        let warm: usize = history.map(|(_, given)| bars_of(given)).sum();
        let account = prepared.twin.account().to_owned();
        let count = prepared.names.instruments.len();
        console.line(
            "start",
            &format!(
                "account {account}, {count} instruments, {warm} bars of history, journal {}",
                prepared.journal.folder().display()
            ),
            &json!({ "account": account, "instruments": count, "history_bars": warm,
                "day": prepared.header.day.to_string() }),
        );
        let (text, value) = funds_line(&prepared.funds);
        console.line("funds", &text, &value);
        for line in prepared.trouble.iter().cloned().chain(prepared.hand.news()) {
            console.line("guard", &line, &json!({ "text": line }));
        }
        for line in &prepared.news {
            console.line("recovery", line, &json!({ "text": line }));
        }
        if args.record.is_some() && !prepared.start.carried.fills.is_empty() {
            let text = "ALARM this recording begins with positions of an earlier run: its replay will differ";
            console.line("recovery", text, &json!({ "text": text }));
        }
        let earlier = &prepared.start.carried.orders;
        let is_filled = |record: &&OrderRecord| record.state == OrderState::Filled;
        let filled_before = earlier.iter().filter(is_filled).count();
        let open = Open::of(earlier);
        let tape = match &args.record {
            Some(path) => Some(record(path, &prepared, console)?),
            None => None,
        };
        let progress = progress(args, prepared.hours);
        let connections = prepared.armoury.settings.connections;
        let close_grace_ns = prepared.armoury.settings.close_grace_ns;
        let stale_ns = prepared.armoury.settings.limits.data_age_ns_max;
        let engine = crate::pipeline::start(prepared.armoury, prepared.start)?;
        prepared
            .hand
            .tell_prices(prices::reader(&engine, &prepared.names, stale_ns));
        let cache = prepared.cache.map(|plan| plan.start(&engine));
        if let Some(Err(e)) = &cache {
            console.say(&format!(
                "WARNING no prices to redis: no thread for it: {e}"
            ));
        }
        let feeds = Feeds::of(&engine, &prepared.names);
        Ok(Self {
            engine,
            journal: prepared.journal,
            explainer: prepared.explainer,
            tape,
            twin: prepared.twin.hasty(SIM_PATIENCE),
            hand: prepared.hand,
            is_simulated: prepared.is_simulated,
            hours: prepared.hours,
            open,
            filled_before,
            troubles: BTreeSet::new(),
            links: 0,
            connections,
            close_grace_ns,
            failures: 0,
            asked_sim: MonoNanos(0),
            collected: MonoNanos(0),
            feeds,
            cache: cache.and_then(Result::ok),
            dead_links: Vec::new(),
            shown: MonoNanos(0),
            progress,
            strategies: prepared.names.strategies,
            rehearsals_over: prepared.no_rehearsals.map(str::to_owned),
        })
    }

    /// Runs until something ends the day.
    pub(super) fn watch(
        &mut self,
        interrupted: &AtomicBool,
        console: &mut Console<'_>,
    ) -> Result<End, Failure> {
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
                return Ok(end);
            }
            pause(PERIOD);
        }
    }

    /// One turn of everything control does.
    fn turn(&mut self, console: &mut Console<'_>) -> Option<End> {
        let mut end = None;
        let progress = self.progress.clone();
        let speak =
            |console: &mut Console<'_>, say: &mut dyn FnMut(&mut Console<'_>)| match &progress {
                Some(bar) => bar.suspend(|| say(console)),
                None => say(console),
            };
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
            speak(console, &mut |console| console.dialled(&news));
        }
        if self.is_simulated && self.failures >= FAILURES_MAX {
            end = Some(End::VenueGone);
        }
        while let Some(event) = self.engine.outlets.feed.pop() {
            match &event {
                FeedEvent::SessionDead(link) if self.feeds.is_primary(*link) => {
                    end = Some(End::SessionDead);
                }
                FeedEvent::SessionDead(link) => self.dead_links.push(*link),
                FeedEvent::Lost(link, _)
                    if end != Some(End::SessionDead) && !self.dead_links.contains(link) =>
                {
                    self.engine.wants.ask(Want::Feed(*link));
                }
                _ => {}
            }
            speak(console, &mut |console| self.feeds.tell(&event, console));
        }
        while let Ok(news) = self.engine.outlets.polling.try_recv() {
            speak(console, &mut |console| feeds::tell_polling(&news, console));
        }
        while let Some(news) = self.cache.as_ref().and_then(Caching::news) {
            speak(console, &mut |console| {
                self.feeds.tell_cache(&news, console);
            });
        }
        self.show_links();
        while let Some(event) = self.engine.outlets.decide.pop() {
            speak(console, &mut |console| console.decide(&event));
            self.explainer.hear(&event);
            if matches!(event, DecideEvent::Bar { .. } | DecideEvent::Intent(_)) {
                self.engine.keeper.hurry();
            }
        }
        if let Some(trouble) = self.engine.keeper.turn(self.engine.clock.now()) {
            speak(console, &mut |console| console.say(&trouble));
        }
        if let Some(trouble) = self.explainer.turn() {
            speak(console, &mut |console| console.say(&trouble));
        }
        while let Some(entry) = self.engine.outlets.records.pop() {
            self.open.note(&entry);
            speak(console, &mut |console| console.record(&entry));
        }
        self.engine.wishes.turn();
        while let Some(news) = self.engine.asking.news() {
            if let News::SessionDead(_) = news {
                end = Some(End::SessionDead);
            }
            if let Some(fault) = inquiry::guard(&self.hand, &news) {
                console.line("guard", &fault, &json!({ "text": fault }));
            }
            let text = inquiry::words(&news);
            speak(console, &mut |console| {
                console.line("inquiry", &text, &json!({ "text": text }));
            });
        }
        while let Some(event) = self.engine.outlets.gateway.pop() {
            match event {
                GatewayEvent::ConnectionLost => {
                    self.engine.wants.ask(Want::OrderConnection);
                }
                GatewayEvent::SessionDead => end = Some(End::SessionDead),
                GatewayEvent::NotSynced => {
                    let why = "the journal could not be synced";
                    if let Some(fault) =
                        self.hand
                            .tighten(TradingState::Reducing, Cause::Journal, why)
                    {
                        console.line("guard", &fault, &json!({ "text": fault }));
                    }
                }
                GatewayEvent::RehearsalsOver(why) => self.rehearsals_over = Some(why.to_string()),
                _ => {}
            }
            speak(console, &mut |console| console.gateway(&event));
        }
        while let Some(wish) = self.hand.wish() {
            if wish == Wish::Flatten {
                self.engine.wishes.ask(Command::Flatten);
            }
        }
        while let Some(note) = self.hand.note() {
            speak(console, &mut |console| {
                console.line("guard", &note, &json!({ "text": note }));
            });
        }
        for bark in self.engine.watchdog.check(self.engine.clock.mono()) {
            let text = match bark {
                Bark::Stuck { stage, for_ms } => {
                    format!("ALARM stage {stage} has made no progress for {for_ms} ms")
                }
                Bark::Alive { stage } => format!("stage {stage} makes progress again"),
            };
            speak(console, &mut |console| {
                console.line("watchdog", &text, &json!({ "text": text }));
            });
        }
        let now = self.engine.clock.mono();
        if now.since(self.collected) >= COLLECT_NS {
            self.collected = now;
            for meter in &mut self.engine.outlets.meters {
                meter.collect();
            }
        }
        // A full or failing disk ends no trading: exits must still go out. It is said once, and tried again.
        for trouble in [self.sync().err(), self.record().err()] {
            let Some(trouble) = trouble else { continue };
            let text = format!("ALARM {trouble}; trading goes on");
            if self.troubles.insert(text.clone()) {
                speak(console, &mut |console| {
                    console.line("alarm", &text, &json!({ "text": text }));
                });
            }
        }
        if let (Some(bar), Some(hours)) = (&self.progress, self.hours) {
            let minutes =
                self.engine.clock.now().wall.since(hours.open) / crate::model::time::MINUTE;
            bar.set_position(u64::try_from(minutes).unwrap_or(0));
        }
        end
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

    /// Lets working orders settle, stops the engine, and says what came of the day.
    pub(super) fn finish(
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

/// Begins the recording, and says where when that is not the file that was named.
fn record(
    path: &Path,
    prepared: &Prepared,
    console: &mut Console<'_>,
) -> Result<Recording, Failure> {
    let broker = prepared.armoury.broker;
    let (tape, at) = Recording::begin(path, broker, &prepared.header, &prepared.history)?;
    if at != path {
        let text = format!("{} is kept, recording to {}", path.display(), at.display());
        console.line("recovery", &text, &json!({ "text": text }));
    }
    Ok(tape)
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

/// Waits.
#[expect(
    clippy::disallowed_methods,
    reason = "the control loop of a verb, not a hot thread"
)]
pub(in crate::cli) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// A bar over the trading day, on a terminal only.
fn progress(args: &Args, hours: Option<Window>) -> Option<ProgressBar> {
    if args.json || !std::io::stderr().is_terminal() {
        return None;
    }
    let hours = hours?;
    let minutes = hours.close.since(hours.open) / crate::model::time::MINUTE;
    let bar = ProgressBar::new(u64::try_from(minutes).unwrap_or(0));
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} min  {elapsed}").ok()?;
    bar.set_style(style);
    Some(bar)
}

/// What the account can spend, in rupees.
fn funds_line(funds: &Result<Margins, String>) -> (String, Value) {
    match funds {
        Ok(funds) => (
            format!(
                "funds: {} to spend, {} in cash, {} in collateral, {} blocked",
                funds.net, funds.cash, funds.collateral, funds.debits
            ),
            json!({ "net": funds.net.to_string(), "cash": funds.cash.to_string(),
                "collateral": funds.collateral.to_string(), "blocked": funds.debits.to_string() }),
        ),
        Err(why) => (
            format!("funds are not known: {why}"),
            json!({ "error": why }),
        ),
    }
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
