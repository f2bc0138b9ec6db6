//! What we write: an order's life over the wire, the books that tell of it, and what the hot calls allocate.

use super::{Line, Message, costs, counted_in, next};
use tezi::model::{OrderId, OrderState, Price, Qty, Side, Tag};
use tezi::net::{FeedSocket, HttpConnection};
use tezi::venue::{
    Broker, Change, JsonScratch, Named, OrderUpdate, Product, Reply, TextMessage, Working,
};

const TAG: Tag = Tag(*b"TZ00250G180000100000");

/// Sends a request, reads the reply, and checks that reading it again allocates nothing.
fn acknowledged(broker: Broker, connection: &mut HttpConnection, request: &[u8]) -> OrderId {
    let reply = connection.call(request).expect("a reply");
    let mut json = JsonScratch::new();
    let read = broker.read_reply(reply.status, &mut reply.body.clone(), &mut json);
    let shown = String::from_utf8_lossy(&reply.body);
    let Reply::Acknowledged(order) = read else {
        panic!("{}: {read:?}: {shown}", broker.name());
    };
    let mut body = reply.body.clone();
    let (again, counts) = counted_in(|| broker.read_reply(reply.status, &mut body, &mut json));
    assert_eq!(
        (again, counts),
        (read, (0, 0)),
        "{}: {shown}",
        broker.name()
    );
    order
}

#[test]
fn an_order_of_every_broker_is_placed_changed_cancelled_and_filled_and_its_books_say_so() {
    for broker in Broker::ALL {
        let name = broker.name();
        let mut line = Line::open(broker);
        let mut updates = broker.facts().feeds_updates.then(|| line.stream(true));
        let (endpoint, auth) = (line.desk.endpoint(), line.desk.auth().clone());
        let lot = line.future.lot;
        let template =
            broker.place_template(&endpoint, &auth, &line.future, Side::Buy, Product::Nrml);
        let mut template = template.expect("a template");
        let (far, near) = (line.limit(96), line.limit(102));
        let ((), counts) = counted_in(|| {
            for number in 1..=1_000_i64 {
                let price = Price(far.0 + number % 7 * line.future.tick.0);
                std::hint::black_box(template.fill(&TAG, lot, price));
            }
        });
        assert_eq!(counts, (0, 0), "{name}: filling a template");

        let mut connection = line.connection();
        let order = acknowledged(broker, &mut connection, template.fill(&TAG, lot, far));
        let row = line.settled(order, OrderState::Open);
        assert_eq!(
            (row.update.quantity, row.update.limit),
            (lot, far),
            "{name}"
        );
        assert_eq!(
            (row.update.side, row.update.filled),
            (Side::Buy, Qty(0)),
            "{name}"
        );
        let echoed = broker.facts().echoes_tags.then_some(TAG);
        assert_eq!(row.update.tag, echoed, "{name}");

        let named = Named::of(&line.future, Product::Nrml);
        let working = Working {
            order,
            named: &named,
            side: Side::Buy,
        };
        let higher = Price(far.0 + line.future.tick.0);
        let change = Change {
            quantity: None,
            limit: Some(higher),
            placed: lot,
        };
        let mut request = Vec::with_capacity(4_096);
        broker.modify_request(&endpoint, &auth, &working, change, &mut request);
        assert_eq!(
            acknowledged(broker, &mut connection, &request),
            order,
            "{name}"
        );
        assert_eq!(
            line.settled(order, OrderState::Open).update.limit,
            higher,
            "{name}"
        );
        broker.cancel_request(&endpoint, &auth, &working, &mut request);
        assert_eq!(
            acknowledged(broker, &mut connection, &request),
            order,
            "{name}"
        );
        let row = line.settled(order, OrderState::Cancelled);
        assert_eq!(row.update.filled, Qty(0), "{name}");

        let bought = acknowledged(broker, &mut connection, template.fill(&TAG, lot, near));
        let row = line.settled(bought, OrderState::Filled);
        assert_eq!(row.update.filled, lot, "{name}");
        let trades = line.desk.trades().expect("trades");
        let own = trades.iter().filter(|trade| trade.order_id == bought);
        assert_eq!(
            own.map(|trade| trade.quantity.0).sum::<u32>(),
            lot.0,
            "{name}"
        );
        let positions = line.desk.positions().expect("positions");
        let held = positions
            .net
            .iter()
            .find(|row| row.symbol == line.future.symbol);
        let held = held.unwrap_or_else(|| panic!("{name}: {positions:?}"));
        assert_eq!(held.net.0, i64::from(lot.0), "{name}");

        let Some(updates) = &mut updates else {
            continue;
        };
        let heard = told(broker, updates, bought);
        assert_eq!((heard.filled, heard.side), (lot, Side::Buy), "{name}");
    }
}

/// Listens until the stream says that an order is filled; what it said costs nothing to read again.
fn told(broker: Broker, socket: &mut FeedSocket, order: OrderId) -> OrderUpdate {
    let mut json = JsonScratch::new();
    let mut texts = Vec::new();
    loop {
        let Some(message) = next(socket) else {
            panic!("{}: nothing was told of the fill", broker.name());
        };
        let Message::Text(text) = message else {
            continue;
        };
        texts.push(text.clone());
        let mut bytes = text;
        let read = broker.text_message(&mut bytes, &mut json);
        if let TextMessage::OrderUpdate(update) = read
            && update.order_id == order
            && update.state == OrderState::Filled
        {
            assert_eq!(costs(broker, &texts), (0, 0), "{}", broker.name());
            return update;
        }
    }
}
