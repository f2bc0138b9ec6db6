//! `tezi orders`, `tezi positions`, `tezi trades`: tables of the day.

use super::{Source, Table, units};
use crate::book::Book;
use crate::cli::Failure;
use crate::model::time::clock_text;
use crate::model::{InstrumentIx, Price, StrategyIx};

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum What {
    Orders,
    Positions,
    Trades,
}

/// Shows a table of the newest day in the journal.
#[derive(Debug, clap::Args)]
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
    let rows = |make: fn(&super::Run) -> Vec<Vec<String>>| runs.iter().flat_map(make).collect();
    let table = match what {
        What::Orders => Table {
            head: vec![
                "time", "intent", "strategy", "why", "leg", "symbol", "side", "qty", "limit",
                "filled", "average", "state", "reason", "order_id", "tag",
            ],
            align: "lrlllllrrrrllrl",
            rows: rows(orders),
        },
        What::Trades => Table {
            head: vec![
                "time", "strategy", "symbol", "side", "qty", "price", "value", "from", "tag",
            ],
            align: "llllrrrll",
            rows: rows(trades),
        },
        What::Positions => Table {
            head: vec!["run", "strategy", "symbol", "net", "average", "realised"],
            align: "lllrrr",
            rows: rows(positions),
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

fn orders(run: &super::Run) -> Vec<Vec<String>> {
    let row = |(record, known): (crate::journal::Record, crate::book::OrderRecord)| {
        let order = known.order;
        let reason = match (known.denial, known.reject) {
            (Some(denial), _) => denial.name(),
            (None, Some(reject)) => reject.name(),
            (None, None) => "",
        };
        vec![
            clock_text(record.at.wall),
            order.intent.0.to_string(),
            run.strategy(order.strategy),
            order.action.to_string(),
            order.role.name().to_owned(),
            run.symbol(order.instrument),
            order.side.to_string(),
            units(order.qty),
            order.limit.to_string(),
            units(known.filled),
            price(known.average),
            known.state.to_string(),
            reason.to_owned(),
            known.order_id.0.to_string(),
            order.tag.to_string(),
        ]
    };
    run.orders().into_iter().map(row).collect()
}

fn trades(run: &super::Run) -> Vec<Vec<String>> {
    let row = |(fill, adopted): (&crate::model::Fill, bool)| {
        vec![
            clock_text(fill.at),
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

/// Positions of each run on its own: a run's indices mean nothing in another.
fn positions(run: &super::Run) -> Vec<Vec<String>> {
    let most = |pick: fn(&crate::model::Fill) -> u16| {
        let largest = run.fills().map(|(fill, _)| usize::from(pick(fill))).max();
        largest.map_or(0, |largest| largest.saturating_add(1))
    };
    let mut book = Book::new(most(|f| f.strategy.0), most(|f| f.instrument.0));
    let mut held: Vec<(StrategyIx, InstrumentIx)> = Vec::new();
    for (fill, _) in run.fills() {
        book.apply(fill);
        held.push((fill.strategy, fill.instrument));
    }
    held.sort_unstable();
    held.dedup();
    let row = |(strategy, instrument): (StrategyIx, InstrumentIx)| {
        let position = book.position(strategy, instrument)?;
        Some(vec![
            run.name.clone(),
            run.strategy(strategy),
            run.symbol(instrument),
            position.net().0.to_string(),
            price(position.average()),
            position.realised().to_string(),
        ])
    };
    held.into_iter().filter_map(row).collect()
}
