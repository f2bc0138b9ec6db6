//! Charges of one executed order by Indian rules, from the dated table `config/charges.toml`.
//!
//! Promises
//! - Every rate is a row with its source and first day; rates are decimals, products go through 128 bits.
//! - Each part is rounded half up to 1/10 000 rupee once; nothing passes through a double.
//! - An order before the first row of some charge is charged by that row and marked approximate.
//!
//! Deliberately absent: rounding of taxes to whole rupees per contract note, the tax on exercised options.

use super::error::ConfigError;
use super::market::in_force;
use super::texts;
use crate::model::{Day, Exchange, Kind, Money, Price, Qty, Side};
use serde::Deserialize;

/// The embedded table.
const EMBEDDED: &str = include_str!("../../config/charges.toml");

/// One part in 10^9: the unit of a rate.
const PARTS: i128 = 1_000_000_000;

/// The dated table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Charges {
    charge: Vec<Row>,
}

/// One executed order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Segment it traded in.
    pub exchange: Exchange,
    /// Contract kind.
    pub kind: Kind,
    /// Buy or sell.
    pub side: Side,
    /// Average price.
    pub price: Price,
    /// Units filled.
    pub qty: Qty,
    /// Trading day.
    pub day: Day,
}

/// What an order costs besides its price, part by part; nothing is negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charged {
    /// Broker.
    pub brokerage: Money,
    /// Securities or commodities transaction tax.
    pub stt: Money,
    /// Exchange.
    pub transaction: Money,
    /// Regulator's turnover fee.
    pub sebi: Money,
    /// Stamp duty.
    pub stamp: Money,
    /// Investor protection fund trust.
    pub ipft: Money,
    /// Goods and services tax.
    pub gst: Money,
    /// True when the order is older than a row used for it.
    pub approximate: bool,
}

impl Charged {
    /// Sum of all parts.
    pub fn total(&self) -> Money {
        [
            self.brokerage,
            self.stt,
            self.transaction,
            self.sebi,
            self.stamp,
            self.ipft,
            self.gst,
        ]
        .into_iter()
        .sum()
    }
}

impl Charges {
    /// The table shipped with the program.
    ///
    /// # Panics
    ///
    /// When the embedded file does not parse, which a test of this module excludes.
    #[expect(
        clippy::panic,
        reason = "a broken embedded file is a bug of the build, not of the input"
    )]
    pub fn embedded() -> Self {
        match Self::parse("config/charges.toml", EMBEDDED) {
            Ok(charges) => charges,
            Err(error) => panic!("{error}"),
        }
    }

    /// Reads a table from a text; `file` stands in the errors.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when it is not TOML of this shape, or a row has neither `percent` nor `flat`.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        let mut charges: Self =
            toml::from_str(text).map_err(|error| ConfigError::toml(file, text, &error))?;
        if let Some(row) = charges
            .charge
            .iter()
            .find(|row| row.percent.is_some() == row.flat.is_some())
        {
            let message = format!(
                "{:?} from {} ({}): either percent or flat is expected",
                row.name, row.from, row.source
            );
            return Err(ConfigError::whole(file, message));
        }
        charges.charge.sort_by_key(|row| row.from);
        Ok(charges)
    }

    /// The charges of one executed order; nothing for a quantity of zero.
    pub fn of(&self, execution: &Execution) -> Charged {
        let mut charged = Charged::default();
        if execution.qty == Qty::ZERO {
            return charged;
        }
        let value = Money(execution.price.times(execution.qty).0.saturating_abs());
        let mut part = |name: Name, base: Money| {
            let Some((row, dated)) = self.row(name, execution) else {
                return Money::ZERO;
            };
            if row.side.is_some_and(|side| side != execution.side) {
                return Money::ZERO;
            }
            charged.approximate |= !dated;
            row.amount(base)
        };
        let brokerage = part(Name::Brokerage, value);
        let stt = part(Name::Stt, value);
        let transaction = part(Name::Transaction, value);
        let sebi = part(Name::Sebi, value);
        let stamp = part(Name::Stamp, value);
        let ipft = part(Name::Ipft, value);
        let taxed = [brokerage, transaction, sebi, ipft].into_iter().sum();
        let gst = part(Name::Gst, taxed);
        Charged {
            brokerage,
            stt,
            transaction,
            sebi,
            stamp,
            ipft,
            gst,
            ..charged
        }
    }

    fn row(&self, name: Name, execution: &Execution) -> Option<(&Row, bool)> {
        let kind = match execution.kind {
            Kind::Index => return None,
            Kind::Equity => RowKind::Equity,
            Kind::Future => RowKind::Future,
            Kind::Option { .. } => RowKind::Option,
        };
        let matches = |row: &Row| {
            row.name == name
                && row.exchanges.contains(&execution.exchange)
                && row.kind.is_none_or(|of| of == kind)
        };
        in_force(&self.charge, |row| row.from, matches, execution.day)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Name {
    Brokerage,
    Stt,
    Transaction,
    Sebi,
    Stamp,
    Ipft,
    Gst,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RowKind {
    Equity,
    Future,
    Option,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: Name,
    exchanges: Vec<Exchange>,
    kind: Option<RowKind>,
    side: Option<Side>,
    #[serde(deserialize_with = "texts::day")]
    from: Day,
    #[serde(default, deserialize_with = "texts::percent_opt")]
    percent: Option<i64>,
    #[serde(default, deserialize_with = "texts::price_opt")]
    cap: Option<Price>,
    #[serde(default, deserialize_with = "texts::price_opt")]
    flat: Option<Price>,
    source: String,
}

impl Row {
    fn amount(&self, base: Money) -> Money {
        if let Some(flat) = self.flat {
            return Money(flat.0);
        }
        let parts = i128::from(base.0).saturating_mul(i128::from(self.percent.unwrap_or(0)));
        let amount = Money::from_wide(parts.saturating_add(PARTS / 2).div_euclid(PARTS));
        self.cap.map_or(amount, |cap| amount.min(Money(cap.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Right;

    const CALL: Kind = Kind::Option {
        right: Right::Call,
        strike: Price::ZERO,
    };

    fn charged(kind: Kind, side: Side, price: &str, qty: u32, day: &str) -> Charged {
        let execution = Execution {
            exchange: Exchange::Nfo,
            kind,
            side,
            price: Price::parse(price.as_bytes()).expect("price"),
            qty: Qty(qty),
            day: Day::parse(day).expect("day"),
        };
        Charges::embedded().of(&execution)
    }

    fn rupees(money: Money) -> String {
        money.to_string()
    }

    #[test]
    fn an_option_sold_in_2026_is_charged_part_by_part() {
        // Premium value 200.00 x 600 = 120 000 rupees.
        let charged = charged(CALL, Side::Sell, "200", 600, "2026-11-23");
        assert_eq!(rupees(charged.brokerage), "20.00");
        assert_eq!(rupees(charged.stt), "180.00"); // 0.15 %
        assert_eq!(rupees(charged.transaction), "42.036"); // 0.03503 %
        assert_eq!(rupees(charged.ipft), "0.60"); // 0.0005 %
        assert_eq!(rupees(charged.sebi), "0.12"); // 0.0001 %
        assert_eq!(rupees(charged.stamp), "0.00");
        assert_eq!(rupees(charged.gst), "11.2961"); // 18 % of 62.756
        assert_eq!(rupees(charged.total()), "254.0521");
        assert!(!charged.approximate);
    }

    #[test]
    fn a_buyer_pays_stamp_duty_and_no_transaction_tax() {
        let charged = charged(CALL, Side::Buy, "200", 600, "2026-11-23");
        assert_eq!(
            (rupees(charged.stamp), rupees(charged.stt)),
            ("3.60".into(), "0.00".into())
        );
    }

    #[test]
    fn the_brokerage_of_a_future_is_capped() {
        let brokerage = |price: &str| {
            rupees(charged(Kind::Future, Side::Buy, price, 30, "2026-11-23").brokerage)
        };
        assert_eq!(brokerage("2000"), "18.00");
        assert_eq!(brokerage("2222.2"), "19.9998");
        assert_eq!(brokerage("2223"), "20.00");
        assert_eq!(brokerage("52000"), "20.00");
    }

    #[test]
    fn each_rate_changes_on_its_day() {
        for (before, stt, after, then) in [
            ("2023-03-31", "50.00", "2023-04-01", "62.50"),
            ("2024-09-30", "62.50", "2024-10-01", "100.00"),
            ("2026-03-31", "100.00", "2026-04-01", "150.00"),
        ] {
            assert_eq!(
                rupees(charged(CALL, Side::Sell, "100", 1_000, before).stt),
                stt
            );
            assert_eq!(
                rupees(charged(CALL, Side::Sell, "100", 1_000, after).stt),
                then
            );
        }
        let future = |day: &str| rupees(charged(Kind::Future, Side::Sell, "52000", 30, day).stt);
        assert_eq!(
            (future("2026-03-31"), future("2026-04-01")),
            ("312.00".into(), "780.00".into())
        );
    }

    #[test]
    fn what_is_older_than_the_table_is_marked_and_nothing_is_charged_on_nothing() {
        assert!(charged(CALL, Side::Buy, "100", 75, "2018-01-02").approximate);
        assert!(!charged(CALL, Side::Buy, "100", 75, "2022-01-03").approximate);
        assert_eq!(
            charged(CALL, Side::Buy, "100", 0, "2018-01-02"),
            Charged::default()
        );
        assert_eq!(
            charged(Kind::Index, Side::Buy, "100", 1, "2026-01-05").total(),
            Money::ZERO
        );
    }

    #[test]
    fn a_row_needs_a_rate() {
        let text =
            "[[charge]]\nname = \"gst\"\nexchanges = []\nfrom = \"2017-07-01\"\nsource = \"x\"\n";
        let error = Charges::parse("c.toml", text)
            .expect_err("no rate")
            .to_string();
        assert!(error.contains("either percent or flat"), "{error}");
        let wrong = EMBEDDED.replacen("percent = \"18\"", "percent = \"118\"", 1);
        let error = Charges::parse("c.toml", &wrong)
            .expect_err("118 %")
            .to_string();
        assert!(
            error.contains("\"118\" is not a percentage from 0 to 100"),
            "{error}"
        );
    }
}
