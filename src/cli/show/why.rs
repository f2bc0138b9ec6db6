//! `tezi why`: one intent from the tick that asked for it to the last thing known of its orders.

mod checks;
mod grounds;
mod hops;
mod limits;
mod timeline;
mod wire;

use super::{Run, Source};
use crate::cli::Failure;
use crate::journal::{Entry, Record};
use crate::model::{Denial, IntentId, Order, OrderState, Tag};
use crate::store::decisions::Decision;
use checks::meaning;
use serde_json::{Map, Value};
use std::fmt::Write as _;

const EXAMPLES: &str = "\
Examples:
  tezi why 151220000000000            an order, by the broker's number
  tezi why 42 --journal data/journal  an intent, by its number
  tezi why TZ00250G180000100000       an order, sent or denied, by our tag

Told are the tick, the readings, each condition, the limits with what they found, how long each step took, the
bytes of every request (keys masked), and every state of every order with what caused it. What was not written
down is called not recorded. Exit code 3 when the journal has nothing of that name.";

/// Tells why an order was sent or denied, what left, what came back, and how it ended.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The broker's order number, the number of an intent, or a tag.
    #[arg(value_name = "ORDER|INTENT|TAG")]
    what: String,
    #[command(flatten)]
    source: Source,
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<(), Failure> {
    let runs = args.source.runs(true)?;
    let found = (0..runs.len())
        .rev()
        .find_map(|at| Some((at, intent_of(runs.get(at)?, &args.what)?)));
    let Some((at, intent)) = found else {
        return Err(Failure::Input(format!(
            "{:?}: no order, intent or tag of that name in the journal; tezi orders --all lists them",
            args.what
        )));
    };
    let story = Story::of(&runs, at, intent);
    if args.source.json {
        super::print(&format!("{}\n", story.json()))
    } else {
        super::print(&story.text())
    }
}

/// The intent that is meant: an order's number first, because those are long and intents' are short.
fn intent_of(run: &Run, what: &str) -> Option<IntentId> {
    let number: Option<u64> = what.parse().ok();
    let of = |record: &Record| match &record.entry {
        Entry::Admitted(order) if order.tag.as_str() == what => Some(order.intent),
        Entry::Report(report) => {
            let is_number = number.is_some_and(|n| n != 0 && n == report.order_id.0);
            if !is_number && report.tag.as_str() != what {
                return None;
            }
            let (intent, _) = report.tag.intent_and_leg()?;
            Some(IntentId(intent))
        }
        _ => None,
    };
    let named = run.records.iter().find_map(of);
    named.or_else(|| {
        let number = number?;
        let is_it = |record: &Record| match &record.entry {
            Entry::Admitted(order) => order.intent.0 == number,
            Entry::Ended(ended) => ended.intent.0 == number,
            _ => false,
        };
        let is_known = run.records.iter().any(is_it) || run.decision(number).is_some();
        is_known.then_some(IntentId(number))
    })
}

/// A part of what is told: lines for people, and the same as JSON.
struct Part {
    head: &'static str,
    lines: Vec<String>,
    json: Value,
}

/// What is told of an intent.
struct Story {
    intent: IntentId,
    summary: String,
    outcome: &'static str,
    parts: Vec<Part>,
}

const ABSENT: &str = "not recorded";

/// An intent with everything the journal has of it.
struct Subject<'a> {
    run: &'a Run,
    intent: IntentId,
    decision: Option<&'a Decision>,
    /// Its admitted orders, with their records.
    orders: Vec<(&'a Record, &'a Order)>,
    /// Every record of it in every run, with the run's position.
    records: Vec<(usize, &'a Record)>,
}

impl<'a> Subject<'a> {
    fn of(runs: &'a [Run], at: usize, intent: IntentId) -> Self {
        static NONE: Run = Run {
            records: Vec::new(),
            explained: None,
        };
        let run = runs.get(at).unwrap_or(&NONE);
        let is_ours = |tag: &Tag| tag.intent_and_leg().is_some_and(|(of, _)| of == intent.0);
        let concerns = |record: &Record| match &record.entry {
            Entry::Admitted(order) => order.intent == intent,
            Entry::Sending(tag) => is_ours(tag),
            Entry::Report(report) => is_ours(&report.tag),
            Entry::Fill(fill) => is_ours(&fill.tag),
            Entry::Amending(amend) => is_ours(&amend.tag),
            Entry::Ended(ended) => ended.intent == intent,
            Entry::Adopted(_) | Entry::Latch(_) | Entry::Checkpoint(_) => false,
        };
        // Later runs of the day go on with what an earlier one left.
        let later = runs.iter().enumerate().skip(at);
        let records = later.flat_map(|(at, run)| run.records.iter().map(move |r| (at, r)));
        let records: Vec<_> = records.filter(|(_, record)| concerns(record)).collect();
        let orders = records
            .iter()
            .filter_map(|(_, record)| match &record.entry {
                Entry::Admitted(order) => Some((*record, order)),
                _ => None,
            });
        Self {
            run,
            intent,
            decision: run.decision(intent.0),
            orders: orders.collect(),
            records,
        }
    }

    fn entries(&self) -> impl Iterator<Item = &'a Entry> + '_ {
        self.records.iter().map(|(_, record)| &record.entry)
    }

    /// The leg a tag belongs to, in words: `CALL`, `PUT, slice 2`, `unwinding CALL, attempt 2`.
    fn label(&self, tag: Tag) -> String {
        let Some(parts) = tag.parts() else {
            return tag.to_string();
        };
        let same = |order: &Order| order.tag == tag;
        let role = self.orders.iter().find(|(_, order)| same(order));
        let wanted = self
            .decision
            .and_then(|decision| decision.legs.get(usize::from(parts.leg % 2)));
        let role = match (role, wanted) {
            (Some((_, order)), _) => order.role.name(),
            (None, Some(leg)) => &leg.role,
            (None, None) => "leg",
        };
        let mut label = if parts.leg >= 2 {
            format!("unwinding {role}")
        } else {
            role.to_owned()
        };
        if parts.slice > 0 {
            // Writing to a String cannot fail.
            write!(label, ", slice {}", u32::from(parts.slice) + 1).ok();
        }
        if parts.attempt > 0 {
            write!(label, ", attempt {}", u32::from(parts.attempt) + 1).ok();
        }
        label
    }

    fn denial(&self) -> Option<Denial> {
        self.entries().find_map(|entry| match entry {
            Entry::Report(report) => report.denial,
            _ => None,
        })
    }

    fn outcome(&self) -> &'static str {
        let ended = self.entries().filter_map(|entry| match entry {
            Entry::Ended(ended) => Some(ended.how.name()),
            _ => None,
        });
        let is_unknown = self.orders.iter().any(|(_, order)| {
            let reports = self.entries().filter_map(|entry| match entry {
                Entry::Report(report) if report.tag == order.tag => Some(report.state),
                _ => None,
            });
            reports.last() == Some(OrderState::Unknown)
        });
        match (self.denial(), ended.last()) {
            (Some(_), _) if self.orders.is_empty() => "denied",
            _ if is_unknown => "unknown",
            (_, Some(how)) => how,
            (_, None) => "open",
        }
    }

    fn summary(&self) -> String {
        let first = self.orders.first().map(|(_, order)| order);
        let (action, strategy) = match (self.decision, first) {
            (Some(d), _) => (d.action.clone(), d.strategy.clone()),
            (None, Some(order)) => (order.action.to_string(), self.run.strategy(order.strategy)),
            (None, None) => return format!("intent {}", self.intent.0),
        };
        let on = self
            .decision
            .map_or_else(String::new, |d| format!(" on {}", d.instrument));
        let end = match (self.outcome(), self.denial()) {
            ("denied", Some(denial)) => format!("denied ({}): {}", denial.name(), meaning(denial)),
            ("unknown", _) => "an outcome is UNKNOWN: look at the broker's order book".to_owned(),
            ("nothing", _) => "nothing was filled".to_owned(),
            ("open", _) => "not over".to_owned(),
            ("complete", _) => "complete: every leg is filled".to_owned(),
            ("unwound", _) => "a leg failed, what the other had filled was closed again".to_owned(),
            ("held", _) => "HELD: a leg failed and the imbalance stays".to_owned(),
            ("partly", _) => "partly filled".to_owned(),
            ("reopened", _) => "reopened: an order thought over lives".to_owned(),
            (how, _) => how.to_owned(),
        };
        format!(
            "intent {}: {action} of {strategy}{on}; {end}",
            self.intent.0
        )
    }
}

impl Story {
    fn of(runs: &[Run], at: usize, intent: IntentId) -> Self {
        let subject = Subject::of(runs, at, intent);
        let parts = vec![
            grounds::decision(&subject),
            grounds::tick(&subject),
            grounds::readings(&subject),
            grounds::conditions(&subject),
            grounds::legs(&subject),
            limits::limits(&subject),
            hops::hops(&subject),
            wire::requests(&subject),
            timeline::timeline(&subject),
        ];
        Self {
            intent,
            summary: subject.summary(),
            outcome: subject.outcome(),
            parts,
        }
    }

    fn text(&self) -> String {
        let mut text = vec![self.summary.clone()];
        for part in &self.parts {
            text.extend([String::new(), part.head.to_owned()]);
            if part.lines.is_empty() {
                text.push(format!("  {ABSENT}"));
            }
            let lines = part.lines.iter();
            text.extend(lines.map(|line| format!("  {line}").trim_end().to_owned()));
        }
        text.push(String::new());
        text.join("\n")
    }

    fn json(&self) -> Value {
        let mut object = Map::new();
        object.insert("intent".to_owned(), self.intent.0.into());
        object.insert("summary".to_owned(), self.summary.as_str().into());
        object.insert("outcome".to_owned(), self.outcome.into());
        for part in &self.parts {
            object.insert(part.head.replace(' ', "_"), part.json.clone());
        }
        Value::Object(object)
    }
}
