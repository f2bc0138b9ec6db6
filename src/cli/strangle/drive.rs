//! The loop of a run of batches: reads prices, hands intents over, passes on what is found, tells people.

use super::{Failure, follow, print_json};
use crate::cli::hand::Hand;
use crate::cli::inquiry;
use crate::cli::run::console::budget;
use crate::cli::run::decisions::Explainer;
use crate::cli::run::journal::Journal;
use crate::control::Desk;
use crate::control::batch::{Batches, End, Outcome, Step, Submit, start_of_run};
use crate::control::dial::{Dialled, Want};
use crate::control::guard::Wish;
use crate::hot::gateway::GatewayEvent;
use crate::journal::Entry;
use crate::model::{
    Action, Command, Instrument, InstrumentIx, InstrumentTable, Intent, IntentId, Leg, LegRole,
    MonoNanos, OrderState, Price, Qty, ReportSource, Side, Signal, StrategyIx, Tag, TradingState,
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
    pub(super) batches: Batches,
    pub(super) desk: Desk,
    pub(super) priced: Priced,
    pub(super) is_simulated: bool,
    pub(super) journal: Journal,
    pub(super) explainer: Explainer,
    pub(super) hand: Hand,
    pub(super) wanted_links: usize,
    pub(super) login_ns: u64,
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
        self.engine.clock.mono().plus(self.login_ns)
    }

    pub(super) fn run(
        mut self,
        interrupted: &AtomicBool,
        teller: &mut Teller,
        json: bool,
    ) -> Result<(), Failure> {
        teller.begin(
            self.batches
                .batches()
                .iter()
                .map(|b| u64::from(b.lots.0))
                .sum(),
        );
        let mut turn = Turn::default();
        while self.turn(&mut turn, interrupted, teller) {
            crate::cli::run::pause(PERIOD);
        }
        let now = self.now();
        let (_, rest) = self.engine.stop().map_err(Failure::Failed)?;
        for entry in &rest {
            self.batches.take(entry, now);
        }
        if let Some(bar) = teller.bar.take() {
            bar.finish_and_clear();
        }
        if let Err(fault) = self.journal.finish() {
            teller.say(&format!("ALARM {fault}"));
        }
        let origin = start_of_run(self.login_ns);
        let outcome = self.batches.outcome(origin, now);
        farewell(&self.batches, &outcome, teller);
        if json {
            print_json(&outcome);
        }
        match (self.batches.end(), outcome.error) {
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
            self.batches.stop(End::Interrupted(turn.batch));
        }
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
            self.batches.stop(End::Latched(state));
        }
        self.hear(turn, teller);
        match self.batches.step(now) {
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

    /// Reads everything the gateway and the dialler said.
    fn hear(&mut self, turn: &mut Turn, teller: &mut Teller) {
        while let Ok(news) = self.engine.dialled.try_recv() {
            match news {
                Dialled::Up(..) => turn.links += 1,
                Dialled::Failed(_, why, _) => teller.say(&format!("no order connection: {why}")),
                Dialled::SessionDead(_) | Dialled::BackupDead(_) => {
                    self.batches.stop(End::SessionDead);
                }
            }
        }
        while let Some(event) = self.engine.events.pop() {
            match event {
                GatewayEvent::ConnectionLost => {
                    turn.links = turn.links.saturating_sub(1);
                    self.engine.wants.send(Want::OrderConnection).ok();
                }
                GatewayEvent::SessionDead => self.batches.stop(End::SessionDead),
                GatewayEvent::Unknown(tag) => teller.say(&format!(
                    "  ALARM {} {tag}: no answer, asking the order book",
                    leg_name(tag)
                )),
                GatewayEvent::Contradiction(tag) => {
                    teller.say(&format!("  ALARM {tag}: reports contradict each other"));
                }
                // Others' orders are theirs, and a strangle rehearses nothing.
                GatewayEvent::Foreign(_) | GatewayEvent::RehearsalsOver(_) => {}
                GatewayEvent::Imbalance(intent) => teller.say(&format!(
                    "  ALARM the legs of intent {} differ and this is not being repaired: look at it now",
                    intent.0
                )),
                GatewayEvent::NotSynced => {
                    teller.say("  ALARM the disk did not confirm the journal: entries end");
                }
                GatewayEvent::State(state) => teller.say(&format!("  ALARM trading is {state}")),
                GatewayEvent::Runaway(_) => {
                    teller.say("  ALARM too many orders or rejections: nothing more is opened");
                }
                GatewayEvent::JournalFull => teller.say(
                    "  ALARM the journal cannot be written: entries end, exits leave without a record",
                ),
                GatewayEvent::Budget(urgency, full) => {
                    teller.say(&format!("  {}", budget(urgency, &full)));
                }
                GatewayEvent::DailyLoss(result) => teller.say(&format!(
                    "  ALARM the day's result is {result}: entries are over"
                )),
                GatewayEvent::NotFlat(_) => teller.say(
                    "  ALARM a position is not closed: ask for it again, or close it at the broker",
                ),
                GatewayEvent::ExitUnknown(tag) => teller.say(&format!(
                    "  ALARM {} {tag}: not known and the close is near: look at the order book now",
                    leg_name(tag)
                )),
                GatewayEvent::Outside(tag) => teller.say(&format!(
                    "  ALARM order {tag} of an earlier run may work and its contract is none of this run: \
                     it is cancelled when its time is over or by tezi kill"
                )),
                GatewayEvent::Abandoned(intent) => teller.say(&format!(
                    "  ALARM intent {} was being worked at the end: the next start goes on with it",
                    intent.0
                )),
            }
        }
        let now = self.now();
        while let Some(entry) = self.engine.records.pop() {
            // The gateway's clock began after the login; the run's did before it.
            let entry = self.shifted(entry);
            self.tell(&entry, teller);
            self.batches.take(&entry, now);
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
                self.batches.stop(End::SessionDead);
            }
            if let Some(line) = inquiry::guard(&self.hand, &news) {
                teller.say(&line);
            }
            teller.say(&format!("  {}", inquiry::words(&news)));
        }
    }

    fn shifted(&self, entry: Entry) -> Entry {
        match entry {
            Entry::Report(mut report) => {
                report.received = report.received.plus(self.login_ns);
                Entry::Report(report)
            }
            other => other,
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
                self.batches
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
        let count = self.batches.batches().len();
        teller.say(&format!(
            "batch {}/{count}: {} lots, CALL {} and PUT {} units",
            due.batch, due.lots, due.qty[0], due.qty[1]
        ));
        let now = self.now();
        if self.engine.intents.push(intent).is_ok() {
            self.batches.submitted(now);
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
            self.batches.stop(End::VenueGone(why));
        }
    }

    fn tell(&self, entry: &Entry, teller: &mut Teller) {
        match entry {
            Entry::Admitted(order) => {
                let symbol = self.priced.table.get(order.instrument);
                let whose = self.whose(order.intent.0);
                teller.say(&format!(
                    "  {whose}{} {} {} {} at {}  {}",
                    order.role.name(),
                    order.side,
                    order.qty,
                    symbol.map_or("?", |row| row.symbol.as_str()),
                    order.limit,
                    order.tag
                ));
            }
            Entry::Report(report) => {
                let why = match (report.denial, report.reject) {
                    (Some(denial), _) => format!(": {}", denial.name()),
                    (None, Some(class)) => format!(": {}", class.name()),
                    (None, None) => String::new(),
                };
                let intent = report.tag.intent_and_leg().map_or(0, |(intent, _)| intent);
                let name = format!("{}{}", self.whose(intent), leg_name(report.tag));
                let id = report.order_id.0;
                if report.source == ReportSource::Reply && id != 0 {
                    teller.say(&format!(
                        "  {name} reply: order id {id}, {}{why}",
                        report.state
                    ));
                } else if is_absence(report) {
                    teller.say(&format!(
                        "  {name} {} never arrived: order book and trades lack it; its place is free again",
                        report.tag
                    ));
                } else if report.state.is_terminal() {
                    // That an order is unknown the gateway's alarm has said.
                    let alarm = matches!(report.state, OrderState::Denied | OrderState::Rejected);
                    teller.say(&format!(
                        "  {}{name} {}{why}, {} filled at {}",
                        if alarm { "ALARM " } else { "" },
                        report.state,
                        report.filled,
                        report.average
                    ));
                }
            }
            Entry::Fill(fill) => {
                let intent = fill.tag.intent_and_leg().map_or(0, |(intent, _)| intent);
                if let Some(bar) = &teller.bar
                    && self.batches.number_of(intent).is_some()
                {
                    let lot = self
                        .priced
                        .table
                        .get(fill.instrument)
                        .map_or(1, |row| row.lot.0);
                    if fill.instrument == InstrumentIx(0) {
                        bar.inc(u64::from(fill.qty.0 / lot.max(1)));
                    }
                }
            }
            Entry::Ended(ended) => {
                let whose = self.whose(ended.intent.0);
                teller.say(&format!("  {whose}batch ended: {}", ended.how.name()));
            }
            Entry::Sending(_)
            | Entry::Amending(_)
            | Entry::Adopted(_)
            | Entry::Latch(_)
            | Entry::Checkpoint(_) => {}
        }
    }
}

impl Driver {
    /// Says so when an intent is none of this run's batches: an earlier run of the day left it, or an operator asked.
    fn whose(&self, intent: u64) -> &'static str {
        match self.batches.number_of(intent) {
            Some(_) => "",
            None if IntentId(intent).is_operator() => "operator: ",
            None => "earlier run: ",
        }
    }
}

fn leg_name(tag: Tag) -> &'static str {
    match tag.intent_and_leg() {
        Some((_, 0)) => "CALL",
        Some((_, 1)) => "PUT",
        Some((_, 2)) => "CALL (closing)",
        Some((_, 3)) => "PUT (closing)",
        _ => "?",
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
/// True for the report that ends an unknown order after the proof that it never existed.
fn is_absence(report: &crate::model::Report) -> bool {
    report.state == OrderState::Rejected
        && report.source == ReportSource::Poll
        && report.order_id.0 == 0
        && report.reject.is_none()
}
