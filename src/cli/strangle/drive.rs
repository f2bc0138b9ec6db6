//! The loop of a run of batches: reads prices, hands intents over, passes on what is found, tells people.

use super::ledger::Ledger;
use super::{Failure, follow, print_json};
use crate::cli::hand::Hand;
use crate::cli::inquiry;
use crate::cli::run::decisions::Explainer;
use crate::cli::run::journal::Journal;
use crate::cli::run::settle::{Patience, WORKING_NS, waiting};
use crate::control::Desk;
use crate::control::batch::{Batches, End, Outcome, Step, Submit};
use crate::control::dial::{Dialled, Want};
use crate::control::guard::Wish;
use crate::hot::gateway::GatewayEvent;
use crate::model::{
    Action, Command, Instrument, InstrumentIx, InstrumentTable, Intent, Leg, LegRole, MonoNanos,
    Price, Qty, Side, Signal, StrategyIx, TradingState,
};
use crate::pipeline::batch::BatchEngine;
use crate::pipeline::inquiry::News;
use crate::ring::Touch;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Longest life of a batch: an order is cancelled after ten seconds, and that a lost order never existed is
/// proved after twenty.
pub(super) const PATIENCE_NS: u64 = 120_000_000_000;
/// Longest wait for two order connections.
const LINKS_NS: u64 = 20_000_000_000;
/// Time between two tries to read what is needed.
const RETRY_NS: u64 = 1_000_000_000;
/// Reads that may fail in a row.
const FAILURES_MAX: u32 = 5;
/// Time between two reads of prices while a batch is out.
const PRICES_NS: u64 = 1_000_000_000;
const PERIOD: Duration = Duration::from_millis(2);

/// Seconds for people: `20 s`, `0.12 s`.
pub(super) fn seconds(nanos: u64) -> String {
    let value = nanos as f64 / 1e9;
    if nanos.is_multiple_of(1_000_000_000) {
        format!("{value:.0} s")
    } else {
        format!("{value:.2} s")
    }
}

/// What is traded and how it is priced.
#[derive(Debug)]
pub(super) struct Priced {
    /// The CALL, then the PUT.
    pub(super) table: InstrumentTable,
    /// Buy or sell.
    pub(super) side: Side,
    /// Basis points a limit may be worse than the best quote.
    pub(super) protection: i64,
}

/// Lines for people, above the bar where there is a terminal.
#[derive(Debug)]
pub(super) struct Teller {
    to_stderr: bool,
    bar: Option<ProgressBar>,
}

impl Teller {
    pub(super) const fn new(to_stderr: bool) -> Self {
        Self {
            to_stderr,
            bar: None,
        }
    }

    pub(super) fn say(&mut self, text: &str) {
        let to_stderr = self.to_stderr;
        let write = || {
            // A closed pipe leaves nobody to tell.
            if to_stderr {
                drop(writeln!(std::io::stderr(), "{text}"));
            } else {
                drop(writeln!(std::io::stdout(), "{text}"));
            }
        };
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Moves the bar.
    pub(super) fn filled(&self, lots: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(lots);
        }
    }

    fn begin(&mut self, lots: u64) {
        if !std::io::stderr().is_terminal() {
            return;
        }
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} lots  {msg}  {elapsed}");
        if let Ok(style) = style {
            let bar = ProgressBar::new(lots);
            bar.set_style(style);
            self.bar = Some(bar);
        }
    }
}

/// Everything a run needs.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) engine: BatchEngine,
    pub(super) ledger: Ledger,
    pub(super) desk: Desk,
    pub(super) priced: Priced,
    pub(super) is_simulated: bool,
    pub(super) journal: Journal,
    pub(super) explainer: Explainer,
    pub(super) hand: Hand,
    pub(super) wanted_links: usize,
}

/// What the loop remembers between turns.
#[derive(Debug, Default)]
struct Turn {
    links: usize,
    failures: u32,
    /// No read before this moment.
    read_at: MonoNanos,
    waiting_since: Option<MonoNanos>,
    told_wait: Option<MonoNanos>,
    batch: usize,
    /// Records the gateway wrote.
    written: u64,
    /// True once a disk that refuses was named.
    told_trouble: bool,
}

impl Driver {
    /// The moment of the run: the engine's clock, which started when the session stood.
    fn now(&self) -> MonoNanos {
        self.engine.clock.mono().plus(self.ledger.login_ns)
    }

    pub(super) fn run(
        mut self,
        interrupted: &AtomicBool,
        teller: &mut Teller,
        json: bool,
    ) -> Result<(), Failure> {
        teller.begin(
            self.ledger
                .batches
                .batches()
                .iter()
                .map(|b| u64::from(b.lots.0))
                .sum(),
        );
        let mut turn = Turn::default();
        while self.turn(&mut turn, interrupted, teller) {
            crate::cli::run::pause(PERIOD);
        }
        self.settle(&mut turn, interrupted, teller);
        let now = self.now();
        let rest = self.engine.stop().map_err(Failure::Failed)?;
        for entry in rest.entries {
            self.ledger.take(entry, now, teller);
        }
        for event in &rest.events {
            self.ledger.hear(event, teller);
        }
        if let Some(bar) = teller.bar.take() {
            bar.finish_and_clear();
        }
        if let Err(fault) = self.journal.finish() {
            teller.say(&format!("ALARM {fault}"));
        }
        let outcome = self.ledger.outcome(now);
        farewell(&self.ledger.batches, &outcome, teller);
        if json {
            print_json(&outcome);
        }
        match (self.ledger.batches.end(), outcome.error) {
            (_, None) => Ok(()),
            (Some(End::Interrupted(_)), Some(why)) => Err(Failure::Interrupted(why)),
            (_, Some(why)) => Err(Failure::Failed(why)),
        }
    }

    /// One turn; false when the run is over.
    fn turn(&mut self, turn: &mut Turn, interrupted: &AtomicBool, teller: &mut Teller) -> bool {
        let now = self.now();
        if interrupted.swap(false, Ordering::Relaxed) {
            teller.say("Ctrl-C: the batch that is out is finished, no other starts");
            self.ledger.batches.stop(End::Interrupted(turn.batch));
        }
        self.attend(turn, teller);
        match self.ledger.batches.step(now) {
            Step::Over => return false,
            Step::Wait(until) => {
                if turn.told_wait != Some(until) {
                    turn.told_wait = Some(until);
                    teller.say(&format!(
                        "waiting {} before the next batch",
                        seconds(until.since(now))
                    ));
                }
                if let Some(bar) = &teller.bar {
                    bar.set_message(format!(
                        "next batch in {} s",
                        until.since(now) / 1_000_000_000
                    ));
                }
            }
            Step::Submit(due) => self.submit(due, turn, teller),
            Step::Running => self.follow_prices(turn),
        }
        true
    }

    /// Hears what people ask for and what the engine says.
    fn attend(&mut self, turn: &mut Turn, teller: &mut Teller) {
        while let Some(note) = self.hand.note() {
            teller.say(&note);
        }
        while let Some(wish) = self.hand.wish() {
            if wish == Wish::Flatten {
                self.engine.wishes.ask(Command::Flatten);
            }
        }
        let state = self.engine.state.get();
        if state != TradingState::Active {
            self.ledger.batches.stop(End::Latched(state));
        }
        self.hear(turn, teller);
    }

    /// Waits until every order has an end, as long as somebody may still say so; Ctrl-C ends that.
    fn settle(&mut self, turn: &mut Turn, interrupted: &AtomicBool, teller: &mut Teller) {
        let end = self.ledger.batches.end();
        let can_ask = !matches!(end, Some(End::SessionDead | End::VenueGone(_)));
        let patience = Patience::new(self.now(), WORKING_NS, can_ask);
        if self.ledger.open.has_unknown() && can_ask {
            teller.say(&waiting());
        }
        while patience.waits(&self.ledger.open, self.now())
            && !interrupted.swap(false, Ordering::Relaxed)
        {
            crate::cli::run::pause(PERIOD);
            self.attend(turn, teller);
        }
    }

    /// Reads everything the gateway and the dialler said.
    fn hear(&mut self, turn: &mut Turn, teller: &mut Teller) {
        while let Ok(news) = self.engine.dialled.try_recv() {
            match news {
                Dialled::Up(..) => turn.links += 1,
                Dialled::Failed(_, why, _) => teller.say(&format!("no order connection: {why}")),
                Dialled::SessionDead(_) | Dialled::BackupDead(_) => {
                    self.ledger.batches.stop(End::SessionDead);
                }
            }
        }
        while let Some(event) = self.engine.events.pop() {
            if event == GatewayEvent::ConnectionLost {
                turn.links = turn.links.saturating_sub(1);
                self.engine.wants.send(Want::OrderConnection).ok();
            }
            self.ledger.hear(&event, teller);
        }
        let now = self.now();
        while let Some(entry) = self.engine.records.pop() {
            self.ledger.take(entry, now, teller);
            turn.written += 1;
        }
        let mono = self.engine.clock.mono();
        let kept = self
            .journal
            .turn(turn.written, &mut self.engine.segments, mono);
        if let Err(trouble) = kept
            && !std::mem::replace(&mut turn.told_trouble, true)
        {
            teller.say(&format!("ALARM {trouble}; trading goes on"));
        }
        self.engine.wishes.turn();
        while let Some(news) = self.engine.asking.news() {
            if let News::SessionDead(_) = news {
                self.ledger.batches.stop(End::SessionDead);
            }
            if let Some(line) = inquiry::guard(&self.hand, &news) {
                teller.say(&line);
            }
            teller.say(&format!("  {}", inquiry::words(&news)));
        }
    }

    /// Reads prices and hands the intent of a batch over.
    fn submit(&mut self, due: Submit, turn: &mut Turn, teller: &mut Teller) {
        let now = self.now();
        if now < turn.read_at {
            return;
        }
        if turn.links < 2.min(self.wanted_links) {
            let since = *turn.waiting_since.get_or_insert(now);
            if now.since(since) > LINKS_NS {
                self.ledger
                    .batches
                    .stop(End::VenueGone("no two order connections".to_owned()));
            }
            return;
        }
        turn.waiting_since = None;
        if self.is_simulated {
            follow(&self.engine.clock, &mut self.desk);
        }
        let limits = match self.priced.read(&mut self.desk) {
            Ok(limits) => limits,
            Err(why) => return self.failed(why, turn, teller),
        };
        turn.failures = 0;
        let received = self.engine.clock.mono();
        for (ix, (reference, _)) in (0_u16..).zip(&limits) {
            let touch = Touch {
                last: *reference,
                received,
                ..Touch::default()
            };
            self.engine.quotes.set(InstrumentIx(ix), touch);
        }
        let Some(intent) = self.intent(due, &limits) else {
            return;
        };
        turn.batch = due.batch;
        let count = self.ledger.batches.batches().len();
        teller.say(&format!(
            "batch {}/{count}: {} lots, CALL {} and PUT {} units",
            due.batch, due.lots, due.qty[0], due.qty[1]
        ));
        let now = self.now();
        if self.engine.intents.push(intent).is_ok() {
            self.ledger.batches.submitted(now);
            turn.read_at = now.plus(PRICES_NS);
            let cause = format!(
                "batch {} of {count}, {} lots of each leg",
                due.batch, due.lots
            );
            if let Some(trouble) = self.explainer.asked(&intent, cause) {
                teller.say(&trouble);
            }
        }
    }

    /// Reads prices once a second while a batch is out: what follows its first orders is priced by them.
    fn follow_prices(&mut self, turn: &mut Turn) {
        let now = self.now();
        if now < turn.read_at {
            return;
        }
        turn.read_at = now.plus(PRICES_NS);
        if self.is_simulated {
            follow(&self.engine.clock, &mut self.desk);
        }
        // Without an answer the prices stay as they were: orders are priced by those, and read again soon.
        if let Ok(touches) = self.priced.touches(&mut self.desk, &self.engine.clock) {
            for (ix, touch) in (0_u16..).zip(touches) {
                self.engine.quotes.set(InstrumentIx(ix), touch);
            }
        }
    }

    fn intent(&self, due: Submit, limits: &[(Price, Price)]) -> Option<Intent> {
        let leg = |at: usize, row: &Instrument, role: LegRole, qty: Qty| {
            let (reference, limit) = *limits.get(at)?;
            Some(Leg {
                instrument: row.ix,
                role,
                side: self.priced.side,
                qty,
                limit,
                reference,
                reduces: false,
            })
        };
        let call = self.priced.table.get(InstrumentIx(0))?;
        let put = self.priced.table.get(InstrumentIx(1))?;
        let stamp = self.engine.clock.now();
        let signal = Signal {
            action: Action::Entry,
            strategy: StrategyIx(0),
            instrument: call.ix,
            price: limits.first()?.0,
            conditions: 0,
            at: stamp.wall,
            received: stamp.mono,
        };
        let first = leg(0, call, LegRole::Call, due.qty[0])?;
        Some(Intent::new(
            due.intent,
            signal,
            first,
            Some(leg(1, put, LegRole::Put, due.qty[1])?),
        ))
    }

    /// A read failed: it is tried again, a few times.
    fn failed(&mut self, why: String, turn: &mut Turn, teller: &mut Teller) {
        turn.failures += 1;
        turn.read_at = self.now().plus(RETRY_NS);
        teller.say(&format!("cannot read: {why}"));
        if turn.failures >= FAILURES_MAX {
            self.ledger.batches.stop(End::VenueGone(why));
        }
    }
}

fn farewell(batches: &Batches, outcome: &Outcome, teller: &mut Teller) {
    let count = batches.batches().len();
    let words = if outcome.success {
        "completed"
    } else {
        "ended"
    };
    teller.say(&format!(
        "{words}: Call {}/{count}, Put {}/{count}",
        batches.filled(0),
        batches.filled(1)
    ));
    if let Some(times) = &outcome.times {
        teller.say(&format!(
            "{:.2} s, of which {:.2} s waiting; {} API calls; one after the other with a login each: {:.2} s",
            times.total_s, times.waiting_s, times.api_calls, times.sequential_s
        ));
    }
}
