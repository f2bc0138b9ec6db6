//! Every cell of the table, and folds of cut journals.

use super::*;
use crate::model::{
    Action, Ending, InstrumentIx, LegRole, MonoNanos, Order, OrderId, Side, Stamp, StrategyIx,
    WallNanos,
};

#[test]
fn every_cell_of_the_table_is_the_contract() {
    use JournalSays as J;
    use VenueSays as V;
    use Verdict as D;
    let columns = [V::NoSuchTag, V::Open, V::Filled, V::Ended];
    let rows = [
        (
            J::AdmittedOnly { exit: false },
            [D::Drop, D::Attach, D::AttachAndApply, D::Close],
        ),
        (
            J::AdmittedOnly { exit: true },
            [D::Reconsider, D::Attach, D::AttachAndApply, D::Close],
        ),
        (
            J::Sending,
            [D::Prove, D::Attach, D::AttachAndApply, D::Close],
        ),
        (
            J::ReportSeen,
            [D::Lost, D::Attach, D::AttachAndApply, D::Close],
        ),
        (
            J::Terminal,
            [D::Nothing, D::Revived, D::LateFill, D::Nothing],
        ),
        (J::NothingOurTag, [D::Nothing, D::Fence, D::Fence, D::Note]),
        (
            J::NothingForeign,
            [D::Nothing, D::LeaveAlone, D::Adopt, D::Nothing],
        ),
    ];
    for (journal, expected) in rows {
        assert_eq!(
            columns.map(|venue| verdict(journal, venue)),
            expected,
            "{journal:?}"
        );
    }
}

#[test]
fn any_filled_unit_makes_a_row_filled_whatever_its_word() {
    for state in crate::book::lifecycle::STATES {
        assert_eq!(venue_says(state, Qty(1)), VenueSays::Filled, "{state}");
    }
    assert_eq!(venue_says(OrderState::Unknown, Qty::ZERO), VenueSays::Open);
    assert_eq!(
        venue_says(OrderState::Cancelled, Qty::ZERO),
        VenueSays::Ended
    );
}

fn order() -> Order {
    Order {
        tag: Tag(*b"TZ00010KFY0000100000"),
        intent: IntentId(4),
        strategy: StrategyIx(0),
        action: Action::Entry,
        role: LegRole::Call,
        instrument: InstrumentIx(1),
        side: Side::Buy,
        qty: Qty(75),
        limit: Price(1_050_000),
        signal: Price::ZERO,
        reduces: false,
        received: MonoNanos(1),
    }
}

fn report(state: OrderState, filled: u32, average: i64) -> Entry {
    Entry::Report(Report {
        order_id: OrderId(9),
        filled: Qty(filled),
        average: Price(average),
        at: WallNanos(5),
        ..Report::bare(order().tag, state, ReportSource::Postback)
    })
}

fn fill(qty: u32, price: i64) -> Entry {
    Entry::Fill(Fill {
        tag: order().tag,
        strategy: StrategyIx(0),
        instrument: InstrumentIx(1),
        side: Side::Buy,
        qty: Qty(qty),
        price: Price(price),
        at: WallNanos(5),
    })
}

fn folded(entries: &[Entry]) -> Replayed {
    let records: Vec<Record> = (1..)
        .zip(entries)
        .map(|(sequence, entry)| Record {
            sequence,
            at: Stamp::default(),
            entry: *entry,
        })
        .collect();
    fold(&records)
}

#[test]
fn a_crash_between_a_report_and_its_fill_loses_neither() {
    let all = [
        Entry::Admitted(order()),
        Entry::Sending(order().tag),
        report(OrderState::Open, 25, 1_000_000),
        fill(25, 1_000_000),
        report(OrderState::Filled, 75, 1_020_000),
        fill(50, 1_030_000),
    ];
    let seen = |entries: &[Entry]| {
        let replayed = folded(entries);
        let fills: Vec<_> = replayed
            .fills
            .iter()
            .map(|f| (f.qty.0, f.price.0))
            .collect();
        (replayed.orders[0].state, replayed.orders[0].filled.0, fills)
    };
    let (first, both) = ((25, 1_000_000), vec![(25, 1_000_000), (50, 1_030_000)]);
    assert_eq!(seen(&all), (OrderState::Filled, 75, both.clone()));
    assert_eq!(
        seen(&all[..5]),
        (OrderState::Filled, 75, both.clone()),
        "fill lost"
    );
    assert_eq!(
        seen(&all[..3]),
        (OrderState::Open, 25, vec![first]),
        "fill lost"
    );
    let mut swapped = all.to_vec();
    swapped.remove(4);
    assert_eq!(
        seen(&swapped),
        (OrderState::Filled, 75, both),
        "report lost"
    );
    assert_eq!(seen(&all[..2]), (OrderState::Sending, 0, Vec::new()));
    assert_eq!(seen(&all[..1]), (OrderState::Admitted, 0, Vec::new()));
}

#[test]
fn intents_end_and_reopen_and_the_last_number_is_the_highest_anywhere() {
    let ended = |how| {
        Entry::Ended(Ended {
            intent: IntentId(6),
            how,
            filled: [Qty(75), Qty(0)],
        })
    };
    let latch = LatchChange {
        state: crate::model::TradingState::Halted,
        cause: crate::model::Cause::Operator,
    };
    let replayed = folded(&[
        Entry::Admitted(order()),
        ended(Ending::Held),
        Entry::Latch(latch),
    ]);
    assert_eq!(
        (replayed.last_intent, replayed.ended.len()),
        (IntentId(6), 1)
    );
    assert_eq!((replayed.latch, replayed.strays), (Some(latch), 0));
    let replayed = folded(&[ended(Ending::Held), ended(Ending::Reopened), fill(1, 1)]);
    assert_eq!((replayed.ended.len(), replayed.strays), (0, 1));
}
