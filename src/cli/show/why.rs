//! `tezi why`: one intent from the tick that asked for it to the last thing known of its orders.

use super::{Run, Source};
use crate::cli::Failure;
use crate::journal::{Entry, Record};
use crate::model::{
    Exchange, Instrument, InstrumentIx, IntentId, Kind, Order, Price, Qty, Report, ReportSource,
    Secret, Tag, Token,
};
use crate::store::decisions::RunNames;
use crate::venue::{Auth, Broker, Endpoint, Product};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write as _;

const EXAMPLES: &str = "\
Examples:
  tezi why 151220000000000            an order, by the broker's number
  tezi why 42 --journal data/journal  an intent, by its number
  tezi why TZ00250G180000100000       an order, by our tag

Exit code 3 when the journal has nothing of that name.";

/// Tells why an order was sent, what left, what came back, and how it ended.
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
    let found = runs
        .iter()
        .rev()
        .find_map(|run| Some((run, intent_of(run, &args.what)?)));
    let Some((run, intent)) = found else {
        return Err(Failure::Input(format!(
            "{:?}: no order, intent or tag of that name in the journal; tezi orders --all lists them",
            args.what
        )));
    };
    let story = Story::of(run, intent);
    let mut out = std::io::stdout().lock();
    if args.source.json {
        writeln!(out, "{}", story.json())?;
    } else {
        write!(out, "{}", story.text())?;
    }
    Ok(())
}

/// The intent that is meant: an order's number first, because those are long and intents' are short.
fn intent_of(run: &Run, what: &str) -> Option<IntentId> {
    let number: Option<u64> = what.parse().ok();
    let tag = Tag::parse(what.as_bytes()).or_else(|| {
        run.records.iter().find_map(|record| match &record.entry {
            Entry::Report(report) if number.is_some_and(|n| n != 0 && n == report.order_id.0) => {
                Some(report.tag)
            }
            _ => None,
        })
    });
    let orders = || run.records.iter().filter_map(order_of);
    match tag {
        Some(tag) => orders().find(|o| o.tag == tag).map(|o| o.intent),
        None => orders()
            .find(|o| number == Some(o.intent.0))
            .map(|o| o.intent),
    }
}

fn order_of(record: &Record) -> Option<&Order> {
    match &record.entry {
        Entry::Admitted(order) => Some(order),
        _ => None,
    }
}

/// What is told: heads with their lines.
struct Story {
    intent: IntentId,
    parts: Vec<(&'static str, Vec<String>)>,
}

const ABSENT: &str = "not recorded";

impl Story {
    fn of(run: &Run, intent: IntentId) -> Self {
        let tags: BTreeSet<Tag> = run
            .records
            .iter()
            .filter_map(order_of)
            .filter(|order| order.intent == intent)
            .map(|order| order.tag)
            .collect();
        let mut parts = decision(run, intent);
        let orders = || {
            run.records
                .iter()
                .filter_map(order_of)
                .filter(|o| o.intent == intent)
        };
        let names = run.explained.as_ref().and_then(|e| e.names.as_ref());
        let bytes = orders()
            .flat_map(|order| sent(names, order, &run.records))
            .collect();
        parts.push(("bytes sent", bytes));
        parts.push(("timeline", timeline(run, intent, &tags)));
        Self { intent, parts }
    }

    fn text(&self) -> String {
        let mut text = vec![format!("intent {}", self.intent.0)];
        for (head, lines) in &self.parts {
            text.extend([String::new(), (*head).to_owned()]);
            text.extend(lines.iter().map(|line| format!("  {line}")));
        }
        text.push(String::new());
        text.join("\n")
    }

    fn json(&self) -> Value {
        let mut object = json!({ "intent": self.intent.0 });
        for (head, lines) in &self.parts {
            object[head.replace(' ', "_")] = json!(lines);
        }
        object
    }
}

/// What control wrote down when the intent was made.
fn decision(run: &Run, intent: IntentId) -> Vec<(&'static str, Vec<String>)> {
    let explained = run.explained.as_ref();
    let made = explained.and_then(|e| e.decisions.iter().find(|d| d.intent == intent.0));
    let hops = explained.and_then(|e| e.hops.iter().find(|h| h.intent == intent.0));
    let or_absent = |lines: Vec<String>| {
        if lines.is_empty() {
            vec![ABSENT.to_owned()]
        } else {
            lines
        }
    };
    let lines = |make: &dyn Fn(&crate::store::decisions::Decision) -> Vec<String>| {
        or_absent(made.map(make).unwrap_or_default())
    };
    vec![
        (
            "decision",
            lines(&|d| {
                vec![format!(
                    "{}  {} {} on {}",
                    d.at, d.strategy, d.action, d.instrument
                )]
            }),
        ),
        (
            "tick",
            lines(&|d| {
                d.tick
                    .iter()
                    .map(|(name, v)| format!("{name} {v}"))
                    .collect()
            }),
        ),
        (
            "readings",
            lines(&|d| {
                d.readings
                    .iter()
                    .map(|(name, v)| format!("{name} = {v}"))
                    .collect()
            }),
        ),
        (
            "conditions",
            lines(&|d| {
                let truth = |t: bool| if t { "true " } else { "false" };
                d.conditions
                    .iter()
                    .map(|(name, t)| format!("{} {name}", truth(*t)))
                    .collect()
            }),
        ),
        (
            "limits passed",
            lines(&|d| {
                let limits = d.limits.iter();
                limits
                    .map(|l| format!("{}: {}, allowed {}", l.name, l.found, l.allowed))
                    .collect()
            }),
        ),
        (
            "hop times",
            or_absent(hops.map_or_else(Vec::new, |h| {
                h.ns.iter()
                    .map(|(name, ns)| format!("{name} {ns} ns"))
                    .collect()
            })),
        ),
    ]
}

/// The request rebuilt with the same pure code from the journalled order; secrets are masked.
fn sent(names: Option<&RunNames>, order: &Order, records: &[Record]) -> Vec<String> {
    let left = records
        .iter()
        .any(|r| matches!(r.entry, Entry::Sending(tag) if tag == order.tag));
    let mut lines = vec![format!(
        "{}: {}",
        order.tag,
        if left {
            "rebuilt from the journal"
        } else {
            "no sending recorded; the request would be"
        }
    )];
    match names.and_then(|names| rebuilt(names, order)) {
        Some(text) => lines.extend(text.split("\r\n").map(|line| format!("  {line}"))),
        None => lines.push(format!(
            "  {ABSENT}: without the run's names only this is known: {} {} at {} of instrument {}",
            order.side, order.qty.0, order.limit, order.instrument.0
        )),
    }
    lines
}

fn rebuilt(names: &RunNames, order: &Order) -> Option<String> {
    let row = names.instruments.get(order.instrument.at())?;
    let masked = || Secret::new("***".to_owned());
    let auth = Auth {
        api_key: masked(),
        access_token: masked(),
    };
    // Only exchange and symbol enter the request; what was ordered was tradable.
    let contract = Instrument {
        ix: InstrumentIx(order.instrument.0),
        token: Token(0),
        exchange: Exchange::parse(&row.exchange)?,
        symbol: row.symbol.clone(),
        underlying: String::new(),
        kind: Kind::Future,
        expiry: None,
        tick: Price(1),
        lot: Qty(row.lot),
        qty_max: Qty(u32::MAX),
    };
    let endpoint = Endpoint::new(&names.host, names.port);
    let product = Product::parse(&names.product)?;
    let mut template = Broker::parse(&names.broker)?
        .place_template(&endpoint, &auth, &contract, order.side, product)
        .ok()?;
    let bytes = template.fill(&order.tag, order.qty, order.limit);
    Some(String::from_utf8_lossy(bytes).into_owned())
}

fn timeline(run: &Run, intent: IntentId, tags: &BTreeSet<Tag>) -> Vec<String> {
    let mut first = None;
    let line = |record: &Record| {
        let text = event(run, record, intent, tags)?;
        let zero = *first.get_or_insert(record.at.mono.0);
        let since = record.at.mono.0.saturating_sub(zero);
        Some(format!(
            "{}  +{:>9} us  {text}",
            record.at.wall,
            since / 1_000
        ))
    };
    run.records.iter().filter_map(line).collect()
}

fn event(run: &Run, record: &Record, intent: IntentId, tags: &BTreeSet<Tag>) -> Option<String> {
    let ours = |tag: &Tag| tags.contains(tag);
    Some(match &record.entry {
        Entry::Admitted(o) if o.intent == intent => format!(
            "{}  admitted  {} {} {} {} limit {}, signal at {}{}",
            o.tag,
            o.role.name(),
            o.side,
            o.qty.0,
            run.symbol(o.instrument),
            o.limit,
            o.signal,
            if o.reduces { ", reduce-only" } else { "" }
        ),
        Entry::Sending(tag) if ours(tag) => format!("{tag}  sending  the first byte leaves"),
        Entry::Report(report) if ours(&report.tag) => reported(report),
        Entry::Fill(f) if ours(&f.tag) => {
            format!("{}  fill  {} {} at {}", f.tag, f.side, f.qty.0, f.price)
        }
        Entry::Amending(a) if ours(&a.tag) => match a.limit {
            Some(limit) => format!(
                "{}  amending  modification {} to limit {limit}",
                a.tag, a.number
            ),
            None => format!("{}  cancelling  order {}", a.tag, a.order_id.0),
        },
        Entry::Ended(e) if e.intent == intent => format!(
            "intent over: {}, filled {} and {}",
            e.how.name(),
            e.filled[0].0,
            e.filled[1].0
        ),
        _ => return None,
    })
}

fn reported(report: &Report) -> String {
    let source = match report.source {
        ReportSource::Gateway => "our gateway",
        ReportSource::Reply => "the reply",
        ReportSource::Postback => "an update on the feed",
        ReportSource::Poll => "a read of the order book",
    };
    let cause = match (report.denial, report.reject) {
        (Some(denial), _) => format!(", denied by {}", denial.name()),
        (None, Some(reject)) => format!(", refused: {}", reject.name()),
        (None, None) => String::new(),
    };
    format!(
        "{}  {}  says {source}{cause}, order {}, filled {} at {}",
        report.tag, report.state, report.order_id.0, report.filled.0, report.average
    )
}
