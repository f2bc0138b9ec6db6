//! How control begins: the engine is started, and what is known by then is said.

use super::Control;
use crate::book::OrderRecord;
use crate::cli::Failure;
use crate::cli::run::Args;
use crate::cli::run::console::Console;
use crate::cli::run::feeds::Feeds;
use crate::cli::run::prepare::Prepared;
use crate::cli::run::prices;
use crate::cli::run::recording::Recording;
use crate::cli::run::settle::Open;
use crate::model::{MonoNanos, OrderState, Window};
use crate::pipeline::history::Given;
use crate::venue::books::Margins;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

/// Longest wait for a simulated venue to say what time it is: one that hangs must not keep control from the rest.
const SIM_PATIENCE: Duration = Duration::from_secs(1);

impl Control {
    /// Starts the engine and says so.
    pub(in crate::cli::run) fn start(
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
