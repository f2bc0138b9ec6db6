//! Order requests and replies.

use super::{contract, fixture, index, json_of, session, taken_apart};
use proptest::prelude::*;
use serde_json::json;
use tezi::model::{Exchange, Instrument, OrderId, Price, Qty, RejectClass, Side, Tag};
use tezi::venue::kotak::Kotak;
use tezi::venue::{
    Auth, Change, JsonScratch, Named, Orders as _, Product, Reply, TemplateFault, Working,
};

fn reply(status: u16, body: &str) -> Reply {
    let mut bytes = body.to_owned().into_bytes();
    Kotak::read_reply(status, &mut bytes, &mut JsonScratch::new())
}

#[test]
fn a_filled_template_is_the_request_the_broker_documents() {
    let (endpoint, auth) = session();
    let mut template =
        Kotak::place_template(&endpoint, &auth, &contract(), Side::Buy, Product::Nrml)
            .expect("valid");
    let tag = Tag(*b"TZ00250G180000100000");
    for (qty, limit, qt, pr) in [
        (65, 10_105, "65", "101.05"),
        (1_755, 5, "1755", "0.05"),
        (65, 10_105, "65", "101.05"),
    ] {
        let bytes = template
            .fill(&tag, Qty(qty), Price::from_paise(limit))
            .to_vec();
        let (line, headers, body) = taken_apart(&bytes);
        assert_eq!(line, "POST /quick/order/rule/ms/place");
        for (name, value) in [
            ("host", "127.0.0.1:8443"),
            ("authorization", "c0n-sumer"),
            ("sid", "sid-1"),
            ("auth", "trade.jwt"),
            ("content-type", "application/x-www-form-urlencoded"),
        ] {
            let found = headers.iter().find(|(known, _)| known == name);
            assert_eq!(
                found.map(|(_, value)| value.as_str()),
                Some(value),
                "{name}"
            );
        }
        assert_eq!(
            json_of(&body),
            json!({
                "am": "NO", "dq": "0", "es": "nse_fo", "mp": "0", "pc": "NRML", "pr": pr, "pt": "L", "qt": qt,
                "rt": "DAY", "tp": "0", "ts": "NIFTY26NOV26000CE", "tt": "B", "ig": "TZ00250G180000100000",
                "os": "NEOTRADEAPI",
            })
        );
    }
}

#[test]
fn what_cannot_stand_in_a_request_or_is_not_traded_here_is_refused() {
    let (endpoint, auth) = session();
    let place = |auth: &Auth, row: &Instrument| {
        let made = Kotak::place_template(&endpoint, auth, row, Side::Sell, Product::Mis);
        made.map(|_| ()).err()
    };
    assert_eq!(place(&auth, &contract()), None);
    assert_eq!(place(&auth, &index()), Some(TemplateFault::NotTradable));
    let currency = Instrument {
        exchange: Exchange::Cds,
        ..contract()
    };
    assert_eq!(place(&auth, &currency), Some(TemplateFault::NotTradable));
    for token in ["a b", "a\r\nb", "a\"b"] {
        let mut bad = auth.clone();
        bad.access_token = tezi::model::Secret::new(token.to_owned());
        assert_eq!(
            place(&bad, &contract()),
            Some(TemplateFault::Header),
            "{token:?}"
        );
    }
    for symbol in ["A\"B", "A\\B", "A B"] {
        let row = Instrument {
            symbol: symbol.to_owned(),
            ..contract()
        };
        assert_eq!(
            place(&auth, &row),
            Some(TemplateFault::Header),
            "{symbol:?}"
        );
    }
    let reserved = Instrument {
        symbol: "M&M-EQ".to_owned(),
        ..contract()
    };
    assert_eq!(place(&auth, &reserved), None);
}

#[test]
fn a_modification_repeats_the_order_and_a_cancel_names_it() {
    let (endpoint, auth) = session();
    let named = Named::of(&contract(), Product::Nrml);
    let working = Working {
        order: OrderId(237_362_700_735_243),
        named: &named,
        side: Side::Buy,
    };
    let mut out = b"left over".to_vec();
    Kotak::cancel_request(&endpoint, &auth, working.order, &mut out);
    let (line, _, body) = taken_apart(&out);
    assert_eq!(line, "POST /quick/order/cancel");
    assert_eq!(json_of(&body), json!({"on": "237362700735243", "am": "NO"}));
    for (quantity, qt) in [(None, "650"), (Some(Qty(u32::MAX)), "4294967295")] {
        let change = Change {
            quantity,
            limit: Some(Price::from_paise(10_105)),
            placed: Qty(650),
        };
        Kotak::modify_request(&endpoint, &auth, &working, change, &mut out);
        let (line, _, body) = taken_apart(&out);
        assert_eq!(line, "POST /quick/order/vr/modify");
        assert_eq!(
            json_of(&body),
            json!({
                "no": "237362700735243", "vd": "DAY", "pr": "101.05", "pt": "L", "qt": qt, "tp": "0", "dq": "0",
                "am": "NO", "mp": "0", "os": "NEOTRADEAPI",
            })
        );
    }
    // Zero in front of the exchange would be a price of its own making.
    let without = Change {
        placed: Qty(650),
        ..Change::default()
    };
    Kotak::modify_request(&endpoint, &auth, &working, without, &mut out);
    assert_eq!(json_of(&taken_apart(&out).2).get("pr"), None);
}

#[test]
fn a_number_is_an_acknowledgement_and_the_published_sample_has_none() {
    let order = Reply::Acknowledged(OrderId(237_362_700_735_243));
    for stat in ["Ok", "ok", "OK"] {
        let body = format!(r#"{{"stat":"{stat}","nOrdNo":"237362700735243","stCode":200}}"#);
        assert_eq!(reply(200, &body), order);
    }
    let deeper = r#"{"stat":"Ok","stCode":200,"data":{"nOrdNo":"237362700735243"}}"#;
    assert_eq!(reply(200, deeper), order);
    let text = String::from_utf8(fixture("place_order.json")).expect("text");
    assert_eq!(reply(200, &text), Reply::Unknown);
}

#[test]
fn refusals_inside_success_are_told_by_number_and_the_rest_is_unknown() {
    let not_ok = |code: i64| format!(r#"{{"stat":"Not_Ok","stCode":{code},"errMsg":"m"}}"#);
    for code in [1_017, 1_037, 100_008] {
        let expected = Reply::Rejected(RejectClass::Permission);
        assert_eq!(reply(200, &not_ok(code)), expected, "{code}");
    }
    let over = r#"{"stCode":1021,"errMsg":"order is completed","stat":"please provide valid order number"}"#;
    assert_eq!(reply(200, over), Reply::TooLate);
    assert_eq!(reply(400, over), Reply::TooLate);
    assert_eq!(
        reply(403, &not_ok(1_000)),
        Reply::Rejected(RejectClass::Session)
    );
    for body in [
        not_ok(1_007),
        not_ok(5_203),
        r#"{"stat":"Not_Ok","nOrdNo":"237362700735243"}"#.to_owned(),
        r#"{"stat":"Ok","stCode":200}"#.to_owned(),
        r#"{"stat":"Ok","nOrdNo":"x1","stCode":200}"#.to_owned(),
        r#"{"error":[{"code":"400","message":"m"}]}"#.to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        "<html>".to_owned(),
        String::new(),
    ] {
        assert_eq!(reply(200, &body), Reply::Unknown, "{body}");
    }
    let success = r#"{"stat":"Ok","nOrdNo":"237362700735243","stCode":200}"#;
    for status in [302, 400, 401, 403, 404, 429, 500, 502, 503, 504] {
        assert_eq!(reply(status, success), Reply::Unknown, "{status}");
        if !matches!(status, 400 | 403) {
            assert_eq!(reply(status, &not_ok(100_008)), Reply::Unknown, "{status}");
        }
    }
    assert_eq!(reply(403, "<html>"), Reply::Unknown);
}

proptest! {
    #[test]
    fn no_reply_panics_and_none_is_refused_by_words(status in 100_u16..600, words in "[ -~]{0,80}") {
        let body = json!({"stat": "Not_Ok", "errMsg": words}).to_string();
        let refused = reply(status, &body);
        prop_assert_eq!(matches!(refused, Reply::Rejected(_)), status == 403);
        reply(status, &words);
    }
}
