//! Whole runs: over recorded prices where they are present, over made ones otherwise.

use super::*;
use crate::config::{Charges, Execution, MarketRules};
use crate::indicators::bars::{ShortBar, Timeframe};
use crate::indicators::{Cmp, Ohlc, Params, Scale, Suite, Thresholds, conditions};
use crate::model::price::PER_RUPEE;
use crate::model::{Action, Exchange, Kind, Price, Qty, Side};
use play::{Verdict, play};
use sources::{Shape, load};
use std::path::PathBuf;

fn shared(file: &str) -> Option<PathBuf> {
    let root = std::env::var_os("TEZI_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")),
        PathBuf::from,
    );
    Some(root.join(file)).filter(|path| path.exists())
}

/// The seed's strategy written by hand on the fused suite: what the compiled text must agree with.
fn by_hand(bars: &[crate::model::Bar], fill_at: paper::FillAt) -> Outcome {
    let charges = Charges::embedded();
    let terms = paper::Terms {
        entry: Side::Buy,
        qty: Qty(15),
        slippage: Price::from_paise(5),
        fill_at,
    };
    let cost = |deal: &paper::Deal| {
        let execution = Execution {
            exchange: Exchange::Nfo,
            kind: Kind::Future,
            side: deal.side,
            price: deal.price,
            qty: deal.qty,
            day: deal.at.day(),
        };
        charges.of(&execution).total()
    };
    let mut paper = paper::Paper::new(terms, cost, bars.len());
    let mut suite = Suite::new(&Params::DEFAULT, Scale::PRICE);
    let warm_up = play(bars, &mut paper, |bar, held| {
        let Ok(ohlc) = Ohlc::of(bar) else {
            return Verdict::Nothing;
        };
        let values = suite.commit(&ohlc);
        let close = bar.close.rupees();
        if values.ema_slow.is_nan() {
            return Verdict::NotReady;
        }
        let all = conditions(&values, close, &Thresholds::DEFAULT) == 127;
        let far = held
            .last_entry
            .is_some_and(|last| Cmp::Gt.holds(close, last.rupees() + 0.5 * values.atr));
        match held.entries {
            0 if all => Verdict::Act(Action::Entry),
            0 => Verdict::Nothing,
            _ if Cmp::Lt.holds(close, values.st) => Verdict::Act(Action::Exit),
            _ if all && far => Verdict::Act(Action::Pyramid),
            _ => Verdict::Nothing,
        }
    });
    let statistics = statistics::Statistics::new(
        bars,
        &paper.equity,
        &paper.trades,
        paper.bars_held,
        bars.len() - warm_up,
    );
    Outcome {
        strategy: "trend".to_owned(),
        instrument: "NIFTY BANK".to_owned(),
        traded: "synthetic future (CALL − PUT)".to_owned(),
        timeframe: "75m".to_owned(),
        side: Side::Buy,
        qty: terms.qty,
        bars: bars.to_vec(),
        warm_up,
        equity: paper.equity,
        trades: paper.trades,
        marks: paper.marks,
        statistics,
        parameters: vec![("entry".to_owned(), "all conditions".to_owned())],
        data: Vec::new(),
        assumptions: vec!["no assumption".to_owned()],
        has_time: true,
    }
}

fn recorded() -> Option<Vec<crate::model::Bar>> {
    let market = MarketRules::embedded();
    let shape = Shape {
        market: &market,
        exchange: Exchange::Nse,
        timeframe: Timeframe::parse("75m").expect("timeframe"),
        short: ShortBar::Keep,
    };
    let file = shared("data/banknifty-15min-2018-2023.csv")?;
    Some(load(&[file], &shape).expect("loads").bars)
}

#[test]
fn a_run_over_six_years_adds_up_and_its_report_is_whole() {
    let Some(bars) = recorded() else {
        println!("SKIPPED a_run_over_six_years: ../shared/data is absent");
        return;
    };
    assert_eq!(PER_RUPEE, 10_000);
    let outcome = by_hand(&bars, paper::FillAt::NextOpen);
    let sum: crate::model::Money = outcome.trades.iter().map(paper::Trade::net).sum();
    assert_eq!(Some(&sum), outcome.equity.last());
    assert_eq!(outcome.equity.len(), bars.len());
    assert!(outcome.trades.windows(2).all(|w| w[0].left <= w[1].entered));
    let page = report::html(&outcome).expect("drawn");
    if let Some(path) = std::env::var_os("TEZI_REPORT") {
        std::fs::write(path, &page).expect("writes");
    }
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    for outside in [
        "http:", "https:", "src=", "<script", "<link", "@import", "url(",
    ] {
        let xmlns = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!xmlns.contains(outside), "the report refers to {outside}");
    }
    assert_eq!(page.matches("<tr><td>").count(), outcome.trades.len());
}
