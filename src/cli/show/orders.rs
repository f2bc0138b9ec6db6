//! `tezi orders`, `tezi positions`, `tezi trades`: tables of the day.

use super::{Run, Seen, Source, Table, seen, units};
use crate::book::Book;
use crate::cli::Failure;
use crate::model::{Fill, InstrumentIx, Price, StrategyIx, WallNanos};

const EXAMPLES: &str = "\
Examples:
  tezi orders                             the newest day in data/journal
  tezi orders --journal data/demo/journal --json
  tezi trades --all                       every day in the folder

Runs of one day are one table: an order an earlier run left open has the end a later run found. An order that
was denied never left; its reason is a code of the limits, and tezi why TAG tells what it met.";

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum What {
    Orders,
    Positions,
    Trades,
}

/// Shows a table of the newest day in the journal.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Every day in the folder, not only the newest.
    #[arg(long)]
    all: bool,
}

/// Runs one of the three verbs.
pub(in crate::cli) fn run(args: &Args, what: What) -> Result<(), Failure> {
    let runs = args.source.runs(args.all)?;
    let table = match what {
        What::Orders => Table {
            head: vec![
                "time", "intent", "strategy", "why", "leg", "symbol", "side", "qty", "limit",
                "filled", "average", "state", "reason", "order_id", "tag",
            ],
            align: "lrlllllrrrrllll",
            rows: seen(&runs).iter().map(order).collect(),
        },
        What::Trades => Table {
            head: vec![
                "time", "strategy", "symbol", "side", "qty", "price", "value", "from", "tag",
            ],
            align: "llllrrrll",
            rows: runs.iter().flat_map(trades).collect(),
        },
        What::Positions => Table {
            head: vec!["strategy", "symbol", "net", "lots", "average", "realised"],
            align: "llrrrr",
            rows: positions(&runs),
        },
    };
    table.print(args.source.json)
}

fn price(price: Price) -> String {
    if price == Price::default() {
        String::new()
    } else {
        price.to_string()
    }
}

/// India's time of day with seconds.
fn time(at: WallNanos) -> String {
    let text = at.to_string();
    text.get(11..19).unwrap_or(&text).to_owned()
}

fn order(seen: &Seen<'_>) -> Vec<String> {
    match seen {
        Seen::Order { run, at, known } => {
            let order = known.order;
            let reason = match (known.denial, known.reject) {
                (Some(denial), _) => denial.name(),
                (None, Some(reject)) => reject.name(),
                (None, None) => "",
            };
            let id = known.order_id.0;
            // It closes what one leg had filled because the other one failed: no exit of the strategy.
            let is_unwinding = order.tag.parts().is_some_and(|parts| parts.leg >= 2);
            vec![
                time(at.wall),
                order.intent.0.to_string(),
                run.strategy(order.strategy),
                if is_unwinding {
                    "UNWIND".to_owned()
                } else {
                    order.action.to_string()
                },
                order.role.name().to_owned(),
                run.symbol(order.instrument),
                order.side.to_string(),
                units(order.qty),
                order.limit.to_string(),
                units(known.filled),
                price(known.average),
                known.state.to_string(),
                reason.to_owned(),
                if id == 0 {
                    String::new()
                } else {
                    id.to_string()
                },
                order.tag.to_string(),
            ]
        }
        Seen::Denied {
            at,
            tag,
            denial,
            wanted,
            ..
        } => {
            let intent = tag.intent_and_leg().map(|(intent, _)| intent);
            let of = |pick: &dyn Fn(&crate::store::decisions::LegWanted) -> String| {
                wanted.map_or_else(String::new, |(_, leg)| pick(leg))
            };
            vec![
                time(at.wall),
                intent.map_or_else(String::new, |intent| intent.to_string()),
                wanted.map_or_else(String::new, |(decision, _)| decision.strategy.clone()),
                wanted.map_or_else(String::new, |(decision, _)| decision.action.clone()),
                of(&|leg| leg.role.clone()),
                of(&|leg| leg.symbol.clone()),
                of(&|leg| leg.side.to_string()),
                of(&|leg| leg.qty.to_string()),
                of(&|leg| leg.limit.to_string()),
                "0".to_owned(),
                String::new(),
                crate::model::OrderState::Denied.to_string(),
                denial.map_or("", crate::model::Denial::name).to_owned(),
                String::new(),
                tag.to_string(),
            ]
        }
    }
}

fn trades(run: &Run) -> Vec<Vec<String>> {
    let row = |(fill, adopted): (&Fill, bool)| {
        vec![
            time(fill.at),
            run.strategy(fill.strategy),
            run.symbol(fill.instrument),
            fill.side.to_string(),
            units(fill.qty),
            fill.price.to_string(),
            fill.price.times(fill.qty).to_string(),
            if adopted { "taken over" } else { "order" }.to_owned(),
            fill.tag.to_string(),
        ]
    };
    run.fills().map(row).collect()
}

/// What a strategy holds of a symbol after all runs; a run's own indices mean nothing in another.
fn positions(runs: &[Run]) -> Vec<Vec<String>> {
    let mut strategies: Vec<String> = Vec::new();
    let mut symbols: Vec<(String, Option<u32>)> = Vec::new();
    let mut fills = Vec::new();
    for run in runs {
        for (fill, _) in run.fills() {
            let strategy = place(&mut strategies, run.strategy(fill.strategy));
            let symbol = (run.symbol(fill.instrument), run.lot(fill.instrument));
            let instrument = place(&mut symbols, symbol);
            fills.push(Fill {
                strategy: StrategyIx(strategy),
                instrument: InstrumentIx(instrument),
                ..*fill
            });
        }
    }
    let mut book = Book::new(strategies.len(), symbols.len());
    let mut held: Vec<(StrategyIx, InstrumentIx)> = Vec::new();
    for fill in &fills {
        book.apply(fill);
        held.push((fill.strategy, fill.instrument));
    }
    held.sort_unstable();
    held.dedup();
    let row = |(strategy, instrument): (StrategyIx, InstrumentIx)| {
        let position = book.position(strategy, instrument)?;
        let (symbol, lot) = symbols.get(instrument.at())?;
        let net = position.net().0;
        let lots = lot.map(|lot| net / i64::from(lot));
        Some(vec![
            strategies.get(strategy.at())?.clone(),
            symbol.clone(),
            net.to_string(),
            lots.map_or_else(String::new, |lots| lots.to_string()),
            price(position.average()),
            position.realised().to_string(),
        ])
    };
    held.into_iter().filter_map(row).collect()
}

/// Where something is in a list, added when it is new.
fn place<T: PartialEq>(list: &mut Vec<T>, what: T) -> u16 {
    let at = list.iter().position(|known| *known == what);
    let at = at.unwrap_or_else(|| {
        list.push(what);
        list.len().saturating_sub(1)
    });
    u16::try_from(at).unwrap_or(u16::MAX)
}
