//! The requests of an intent's orders, rebuilt with the same pure code from the journalled order; secrets are masked.

use super::{ABSENT, Part, Subject};
use crate::journal::Entry;
use crate::model::{
    Amend, Exchange, Instrument, InstrumentIx, Kind, Order, Price, Qty, Secret, Tag, Token,
};
use crate::store::decisions::RunNames;
use crate::venue::{Auth, Broker, Change, Endpoint, Named, Product, Working};
use serde_json::json;

/// Every request that left for the intent, or would have.
pub(super) fn requests(subject: &Subject<'_>) -> Part {
    let mut lines = Vec::new();
    let mut values = Vec::new();
    let names = subject.run.names();
    let mut tell = |label: String, request: Option<String>, known: String| {
        lines.push(format!("{label}, rebuilt from the journal"));
        match &request {
            Some(text) => {
                let rows = text.trim_end().split("\r\n");
                lines.extend(rows.map(|line| format!("  {line}").trim_end().to_owned()));
            }
            None => lines.push(format!("  {ABSENT}: without the run's names only {known}")),
        }
        values.push(json!({ "request": label, "bytes": request }));
    };
    let left = |tag: Tag| {
        subject
            .entries()
            .any(|entry| matches!(entry, Entry::Sending(of) if *of == tag))
    };
    for (_, order) in &subject.orders {
        let label = subject.label(order.tag);
        let label = if left(order.tag) {
            format!("{label} {}", order.tag)
        } else {
            format!("{label} {}: no sending recorded; it would be", order.tag)
        };
        let known = format!(
            "{} {} at {} of instrument {}",
            order.side, order.qty.0, order.limit, order.instrument.0
        );
        tell(label, names.and_then(|n| placed(n, order)), known);
    }
    for entry in subject.entries() {
        if let Entry::Amending(amend) = entry {
            let what = if amend.limit.is_some() {
                "modify"
            } else {
                "cancel"
            };
            let label = format!("{what} {} {}", subject.label(amend.tag), amend.tag);
            let known = format!("order {}", amend.order_id.0);
            let of = subject.orders.iter().find(|(_, of)| of.tag == amend.tag);
            let request = names.zip(of).and_then(|(n, (_, of))| amended(n, amend, of));
            tell(label, request, known);
        }
    }
    if subject.orders.is_empty() && subject.denial().is_some() {
        lines.push("none: the intent was denied, nothing left".to_owned());
    }
    Part {
        head: "bytes sent",
        lines,
        json: json!(values),
    }
}

fn masked() -> Auth {
    let mask = || Secret::new("***".to_owned());
    Auth {
        api_key: mask(),
        access_token: mask(),
        session_id: mask(),
    }
}

/// The request that placed an order; `None` without the run's names.
fn placed(names: &RunNames, order: &Order) -> Option<String> {
    let row = names.instruments.get(order.instrument.at())?;
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
        .place_template(&endpoint, &masked(), &contract, order.side, product)
        .ok()?;
    let bytes = template.fill(&order.tag, order.qty, order.limit);
    Some(String::from_utf8_lossy(bytes).into_owned())
}

/// The request that modified or cancelled an order; `None` without the run's names.
fn amended(names: &RunNames, amend: &Amend, of: &Order) -> Option<String> {
    let broker = Broker::parse(&names.broker)?;
    let endpoint = Endpoint::new(&names.host, names.port);
    let mut bytes = Vec::new();
    if amend.limit.is_some() {
        let row = names.instruments.get(of.instrument.at())?;
        let named = Named {
            exchange: Exchange::parse(&row.exchange)?,
            symbol: row.symbol.as_str().into(),
            product: Product::parse(&names.product)?,
        };
        let working = Working {
            order: amend.order_id,
            named: &named,
            side: of.side,
        };
        let change = Change {
            quantity: None,
            limit: amend.limit,
            placed: of.qty,
        };
        broker.modify_request(&endpoint, &masked(), &working, change, &mut bytes);
    } else {
        broker.cancel_request(&endpoint, &masked(), amend.order_id, &mut bytes);
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
