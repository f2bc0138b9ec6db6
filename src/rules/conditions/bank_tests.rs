//! Programs on a real bank: what a price level decides is what the readings decide, tick by tick.

use super::*;
use crate::indicators::{Bank, PriceLevel};
use crate::model::{Bar, Price, WallNanos};

/// The comparison as it is written, and the same written so that it cannot become a level.
const PAIRS: [(&str, &str); 12] = [
    ("rsi(6) > 70", "rsi(6) + 0 > 70"),
    ("rsi(6) <= 30", "rsi(6) + 0 <= 30"),
    ("rsi(14) < 45", "rsi(14) + 0 < 45"),
    ("close > ema(200)", "close + 0 > ema(200)"),
    ("close >= ema(9)", "close + 0 >= ema(9)"),
    ("ema(21) < close", "ema(21) + 0 < close"),
    (
        "close > donchian_upper(20)[1]",
        "close + 0 > donchian_upper(20)[1]",
    ),
    (
        "close < donchian_lower(20)[1]",
        "close + 0 < donchian_lower(20)[1]",
    ),
    ("roc(15) > 1.5", "roc(15) + 0 > 1.5"),
    ("roc(15) < -0.5", "roc(15) + 0 < -0.5"),
    ("close > close[1]", "close + 0 > close[1]"),
    ("close > 52000", "close + 0 > 52000"),
];

struct Pair {
    text: &'static str,
    level: Program,
    slots: Program,
}

/// A seeded walk on the 0.05 grid.
struct Walk(u64);

impl Walk {
    fn next(&mut self, limit: u64) -> i64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((self.0 >> 33) % limit).expect("small")
    }

    fn price(&mut self, from: Price, ticks: u64) -> Price {
        let half = i64::try_from(ticks / 2).expect("small");
        Price(from.0 + (self.next(ticks + 1) - half) * 500)
    }
}

fn bar(open: Price, high: Price, low: Price, close: Price) -> Bar {
    Bar {
        start: WallNanos(0),
        end: WallNanos(1),
        open,
        high,
        low,
        close,
        volume: 1,
        ticks: 1,
    }
}

#[test]
fn a_price_level_decides_what_the_readings_decide() {
    let (mut plan, mut levels) = (BankPlan::new(), LevelPlan::new());
    let mut compiled =
        |text: &str| compile(text, &Names::default(), &mut plan, &mut levels).expect(text);
    let pairs = PAIRS.map(|(text, plain)| Pair {
        text,
        level: compiled(text),
        slots: compiled(plain),
    });
    for pair in &pairs {
        assert!(pair.level.is_price_level(), "{}", pair.text);
        assert!(!pair.slots.is_price_level(), "{}", pair.slots.text());
    }
    let tick = Price::from_paise(5);
    let mut bank = Bank::new(&plan);
    let mut prices = vec![PriceLevel::never(true); levels.len()];
    let mut walk = Walk(7);
    let mut close = Price::from_rupees(52_000);
    let mut held = [0_u32; PAIRS.len()];
    for _ in 0..600 {
        levels.refresh(&bank, tick, &mut prices);
        let open = walk.price(close, 400);
        let mut forming = bar(open, open, open, open);
        for _ in 0..12 {
            forming.close = walk.price(forming.close, 2_000);
            forming.high = forming.high.max(forming.close);
            forming.low = forming.low.min(forming.close);
            let slots = bank.peek(&forming);
            let context = Context::default();
            let inputs = Inputs {
                slots,
                levels: &prices,
                close: forming.close,
                context,
            };
            for (pair, held) in pairs.iter().zip(&mut held) {
                let expected = pair.slots.eval(&inputs);
                assert_eq!(
                    pair.level.eval(&inputs),
                    expected,
                    "{} at {}",
                    pair.text,
                    forming.close
                );
                *held += u32::from(expected);
            }
        }
        bank.commit(&forming).expect("sound");
        close = forming.close;
    }
    // Every condition was true sometimes and false sometimes, or the test shows nothing.
    for (pair, held) in pairs.iter().zip(held) {
        assert!(
            (10..600 * 12 - 10).contains(&held),
            "{} held {held} times",
            pair.text
        );
    }
}
