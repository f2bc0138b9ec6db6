//! Text messages of both streams.

use super::{contract, fixture};
use proptest::prelude::*;
use tezi::model::{OrderId, OrderState, Price, Qty, Side, WallNanos};
use tezi::venue::kotak::Kotak;
use tezi::venue::kotak::segment::Segment;
use tezi::venue::kotak::updates::{self, state_of};
use tezi::venue::{JsonScratch, OrderUpdate, TextMessage, Updates as _};

fn read<R>(text: &str, see: impl FnOnce(TextMessage<'_>) -> R) -> R {
    let mut bytes = text.to_owned().into_bytes();
    see(Kotak::text_message(&mut bytes, &mut JsonScratch::new()))
}

fn update(text: &str) -> Option<OrderUpdate> {
    read(text, |message| match message {
        TextMessage::OrderUpdate(update) => Some(update),
        _ => None,
    })
}

#[test]
fn the_published_order_message_is_a_filled_order() {
    let bytes = fixture("order_feed_order.json");
    let found = update(std::str::from_utf8(&bytes).expect("text"));
    let expected = OrderUpdate {
        tag: None,
        order_id: OrderId(260_216_000_308_219),
        state: OrderState::Filled,
        filled: Qty(1),
        quantity: Qty(1),
        average: Price::from_paise(3_588),
        limit: Price::ZERO,
        token: Segment::NseCm.token(14_428).expect("28 bits"),
        side: Side::Buy,
        reject: None,
        // 16 February 2026, 12:29:32 in India: the latest of its times.
        at: WallNanos::from_secs(1_771_225_172),
    };
    assert_eq!(found, Some(expected));
}

#[test]
fn the_published_acknowledgement_is_a_welcome_and_a_refusal_is_none() {
    let welcome = String::from_utf8(fixture("order_feed_ack.json")).expect("text");
    assert!(read(&welcome, |message| message == TextMessage::Welcome));
    let refused = r#"{"ak":"nk","type":"cn","task":"cn","msg":"Authentication Failed"}"#;
    assert!(read(refused, |message| message
        == TextMessage::Refused("Authentication Failed")));
    let disliked = r#"{"ak":"nk","msg":"invalid request format"}"#;
    assert!(read(disliked, |message| message
        == TextMessage::Error("invalid request format")));
}

#[test]
fn the_published_welcome_of_the_market_feed_is_one() {
    let bytes = fixture("sfeed_auth_response.json");
    let text = std::str::from_utf8(&bytes).expect("text");
    assert!(read(text, |message| message == TextMessage::Welcome));
    for (from, to) in [
        ("\"divider\": 100\n", "\"divider\": 1000\n"),
        ("\"value\": 2", "\"value\": 3"),
        ("10000000", "100"),
        ("\"version\": 1", "\"format\": \"native_fallback\""),
        ("\"exchanges\"", "\"exchange\""),
    ] {
        assert!(text.contains(from), "{from}");
        let changed = text.replacen(from, to, 1);
        let is_refused = read(&changed, |message| {
            matches!(message, TextMessage::Refused(_))
        });
        assert!(is_refused, "{changed}");
    }
    for (from, to) in [
        ("1119", "1117"),
        ("\"version\": 1", "\"format\": \"native_batch\""),
        ("\"bse_cd\"", "\"moon_cd\""),
    ] {
        let changed = text.replacen(from, to, 1);
        assert!(
            read(&changed, |message| message == TextMessage::Welcome),
            "{changed}"
        );
    }
}

#[test]
fn the_answer_to_a_subscription_names_instruments() {
    let text = r#"{"message_code":1109,"trading_symbols":{"nse_fo|44498":"NIFTY26NOV26000CE","moon|1":"X","nse_cm|Nifty 50":"Y"}}"#;
    assert!(read(text, |message| message == TextMessage::Unknown));
    let mut bytes = text.to_owned().into_bytes();
    let named = updates::subscribed(&mut bytes, &mut JsonScratch::new());
    let row = contract();
    assert_eq!(named, Some(vec![(row.token, row.symbol)]));
    let mut bytes = br#"{"message_code":1119}"#.to_vec();
    assert_eq!(
        updates::subscribed(&mut bytes, &mut JsonScratch::new()),
        None
    );
}

#[test]
fn a_position_message_changes_no_order() {
    let text = r#"{"type":"position","data":{"actId":"A","sym":"NIFTY","exSeg":"nse_fo","prod":"NRML","flBuyQty":"65","flSellQty":"0"}}"#;
    assert!(read(text, |message| message == TextMessage::Unknown));
}

#[test]
fn every_status_word_has_its_state_and_unknown_words_ask_again() {
    let all = Qty(65);
    for (word, state) in [
        ("put order req received", OrderState::Acknowledged),
        ("validation pending", OrderState::Acknowledged),
        ("open pending", OrderState::Acknowledged),
        ("after market order req received", OrderState::Acknowledged),
        ("open", OrderState::Open),
        ("trigger pending", OrderState::Open),
        ("modify validation pending", OrderState::Open),
        ("modify pending", OrderState::Open),
        ("modified", OrderState::Open),
        ("cancel pending", OrderState::Open),
        ("modify after market order req received", OrderState::Open),
        ("complete", OrderState::Filled),
        ("rejected", OrderState::Rejected),
        ("cancelled", OrderState::Cancelled),
        ("cancelled after market order", OrderState::Cancelled),
        ("frozen", OrderState::Unknown),
        ("", OrderState::Unknown),
    ] {
        assert_eq!(state_of(word, all, all), state, "{word}");
        assert_eq!(state_of(&word.to_uppercase(), all, all), state, "{word}");
    }
    // Not all of it, and nothing at all.
    assert_eq!(state_of("complete", Qty(64), all), OrderState::Unknown);
    assert_eq!(state_of("complete", Qty(0), Qty(0)), OrderState::Unknown);
}

#[test]
fn a_cancelled_order_is_over_when_its_units_are_accounted_for() {
    let text = |cancelled: u32| {
        format!(
            r#"{{"type":"order","data":{{"nOrdNo":"1","ordSt":"cancelled","trnsTp":"S","qty":"75","fldQty":"25","cnlQty":"{cancelled}","GuiOrdId":"TZ00250G180000100000"}}}}"#
        )
    };
    for (cancelled, state) in [
        (50, OrderState::Cancelled),
        (49, OrderState::Open),
        (0, OrderState::Cancelled),
    ] {
        let found = update(&text(cancelled)).expect("an order");
        assert_eq!(
            (found.state, found.side),
            (state, Side::Sell),
            "{cancelled}"
        );
        let tag = found.tag.expect("ours");
        assert_eq!(tag.as_str(), "TZ00250G180000100000");
    }
}

#[test]
fn a_row_without_what_decides_is_malformed() {
    let whole =
        r#"{"type":"order","data":{"nOrdNo":"1","ordSt":"open","trnsTp":"B","qty":1,"fldQty":0}}"#;
    assert!(update(whole).is_some());
    for name in ["nOrdNo", "ordSt", "trnsTp", "qty", "fldQty"] {
        let lame = whole.replace(&format!("\"{name}\""), "\"x\"");
        assert!(
            read(&lame, |message| message == TextMessage::Malformed),
            "{name}"
        );
    }
    for text in ["", "{", "[]", "{}", r#"{"type":"order"}"#, "plain words"] {
        assert!(
            read(text, |message| message == TextMessage::Malformed),
            "{text}"
        );
    }
    assert!(read(r#"{"type":"news"}"#, |message| message
        == TextMessage::Unknown));
}

proptest! {
    #[test]
    fn no_text_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,120}") {
        let mut json = JsonScratch::new();
        std::hint::black_box(Kotak::text_message(&mut bytes, &mut json));
        let mut bytes = format!(r#"{{"type":"order","data":{{"ordSt":"{text}","qty":{text}}}}}"#).into_bytes();
        std::hint::black_box(Kotak::text_message(&mut bytes, &mut json));
    }
}
