//! What a wire sends: ticks, whole or in parts, and what reading them allocates.

use super::{Line, Message, costs, counted_in, next};
use tezi::model::{Price, Quote};
use tezi::venue::{Broker, Frame, JsonScratch, Next, TextMessage};

/// Reads every packet of a message, as the feed stage does with one that is whole.
fn whole(broker: Broker, frame: &[u8], mut each: impl FnMut(Quote)) {
    let Ok(Frame::Packets(mut cursor)) = broker.open_frame(frame) else {
        return;
    };
    while let Some(quote) = broker.next_quote(frame, &mut cursor) {
        each(quote.expect("a sound packet"));
    }
}

/// Reads the packets of a message that arrives in two parts; `None` where its head does not vouch for the rest.
fn arriving(broker: Broker, frame: &[u8], cut: usize) -> Option<Vec<Quote>> {
    let (first, length) = (frame.get(..cut)?, frame.len());
    let mut cursor = broker.open_arriving(first, length)?;
    let mut quotes = Vec::new();
    for part in [first, frame] {
        loop {
            match broker.next_arrived(part, &mut cursor) {
                Next::Quote(quote) => quotes.push(quote),
                Next::NotYet | Next::End => break,
                Next::Fault(fault) => panic!("{}: {fault}", broker.name()),
                Next::Differs => {
                    let Ok(Frame::Packets(mut rest)) = broker.check_rest(frame, cursor) else {
                        panic!("{}: the rest is not sound", broker.name());
                    };
                    while let Some(quote) = broker.next_quote(frame, &mut rest) {
                        quotes.push(quote.expect("a sound packet"));
                    }
                    return Some(quotes);
                }
            }
        }
    }
    Some(quotes)
}

#[test]
fn what_every_wire_sends_is_read_whole_or_in_parts_without_an_allocation() {
    for broker in Broker::ALL {
        let name = broker.name();
        let mut line = Line::open(broker);
        let mut socket = line.stream(false);
        let (mut frames, mut texts) = (Vec::new(), Vec::new());
        let mut json = JsonScratch::new();
        let mut ticks = 0;
        while ticks < 40 {
            let Some(message) = next(&mut socket) else {
                panic!("{name}: only {ticks} ticks");
            };
            let mut found = Vec::new();
            match message {
                Message::Binary(frame) => {
                    whole(broker, &frame, |quote| found.push(quote));
                    for cut in 1..=frame.len() {
                        let parts = arriving(broker, &frame, cut);
                        assert!(
                            parts.is_none_or(|parts| parts == found),
                            "{name}: cut at {cut}"
                        );
                    }
                    frames.push(frame);
                }
                Message::Text(text) => {
                    let mut bytes = text.clone();
                    let read = broker.text_message(&mut bytes, &mut json);
                    assert!(!matches!(read, TextMessage::Malformed), "{name}: {text:?}");
                    if let TextMessage::Quote(quote) = read {
                        found.push(quote);
                    }
                    texts.push(text);
                }
            }
            for quote in &found {
                assert_eq!(quote.token, line.future.token, "{name}");
                assert!(quote.last > Price::ZERO, "{name}: {quote:?}");
            }
            ticks += found.len();
        }
        let low = line.limit(90);
        let last = frames.iter().rev().find_map(|frame| {
            let mut found = None;
            whole(broker, frame, |quote| found = Some(quote.last));
            found
        });
        assert!(
            last.is_none_or(|last| last > low),
            "{name}: {last:?} is not near {low:?}"
        );

        let ((), counts) = counted_in(|| {
            for frame in &frames {
                whole(broker, frame, |quote| {
                    std::hint::black_box(quote);
                });
                let cursor = broker.open_arriving(frame, frame.len());
                let Some(mut cursor) = cursor else { continue };
                while let Next::Quote(quote) = broker.next_arrived(frame, &mut cursor) {
                    std::hint::black_box(quote);
                }
            }
        });
        assert_eq!(counts, (0, 0), "{name}: {} frames", frames.len());
        assert_eq!(
            costs(broker, &texts),
            (0, 0),
            "{name}: {} texts",
            texts.len()
        );
    }
}
