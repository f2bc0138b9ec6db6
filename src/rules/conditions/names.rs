//! Names an expression can use, and the nearest one to a name it cannot.

use crate::indicators::Series;

/// The names that belong to a strategy.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'a> {
    /// The conditions that can be referred to, lowest bit first.
    pub conditions: &'a [String],
    /// Conditions that exist but come later in the file, for a better error.
    pub later: &'a [String],
}

/// Names that are not calls, and the words of the language.
pub(super) const WORDS: [&str; 15] = [
    "open",
    "high",
    "low",
    "close",
    "volume",
    "last_entry",
    "in_position",
    "eod_window",
    "and",
    "or",
    "not",
    "true",
    "false",
    "all",
    "conditions",
];

/// How an indicator is called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Indicator {
    pub(super) name: &'static str,
    /// A call that works, shown in errors.
    pub(super) example: &'static str,
    pub(super) make: Make,
}

/// How parameters become a series.
#[derive(Clone, Copy, Debug)]
pub(super) enum Make {
    /// One length.
    Length(fn(u16) -> Series),
    /// One length for both, or two.
    OneOrTwoLengths(fn(u16, u16) -> Series),
    /// A length and a multiplier in thousandths.
    LengthAndMultiplier(fn(u16, u32) -> Series),
    /// A ratio in thousandths, and optionally the word `strict`; the only indicator that is a truth.
    Ratio(fn(u32, bool) -> Series),
}

/// Every indicator of the language.
pub(super) const INDICATORS: [Indicator; 14] = {
    const fn length(
        name: &'static str,
        example: &'static str,
        make: fn(u16) -> Series,
    ) -> Indicator {
        Indicator {
            name,
            example,
            make: Make::Length(make),
        }
    }
    [
        length("rsi", "rsi(6)", |n| Series::Rsi { n }),
        length("ema", "ema(200)", |n| Series::Ema { n }),
        length("donchian_upper", "donchian_upper(20)[1]", |n| {
            Series::DonchianUpper { n }
        }),
        length("donchian_lower", "donchian_lower(20)[1]", |n| {
            Series::DonchianLower { n }
        }),
        length("plus_di", "plus_di(30)", |n| Series::PlusDi { n }),
        length("minus_di", "minus_di(30)", |n| Series::MinusDi { n }),
        Indicator {
            name: "adx",
            example: "adx(30) or adx(30, 14)",
            make: Make::OneOrTwoLengths(|di, adx| Series::Adx { di, adx }),
        },
        length("er", "er(3)", |n| Series::Er { n }),
        length("er_dir", "er_dir(3)", |n| Series::ErDir { n }),
        Indicator {
            name: "supertrend",
            example: "supertrend(10, 1.5)",
            make: Make::LengthAndMultiplier(|n, multiplier_milli| Series::SuperTrend {
                n,
                multiplier_milli,
            }),
        },
        Indicator {
            name: "supertrend_dir",
            example: "supertrend_dir(10, 1.5)",
            make: Make::LengthAndMultiplier(|n, multiplier_milli| Series::SuperTrendDir {
                n,
                multiplier_milli,
            }),
        },
        length("atr", "atr(10)", |n| Series::Atr { n }),
        length("roc", "roc(15)", |n| Series::Roc { n }),
        Indicator {
            name: "doji",
            example: "doji(0.1) or doji(0.1, strict)",
            make: Make::Ratio(|ratio_milli, strict| Series::Doji {
                ratio_milli,
                strict,
            }),
        },
    ]
};

/// The nearest of some names to a text, when one is near enough to be meant.
pub fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = text.to_ascii_lowercase();
    let distance = |name: &str| strsim::damerau_levenshtein(&lower, &name.to_ascii_lowercase());
    let near = names
        .into_iter()
        .map(|name| (distance(name), name))
        .min_by_key(|(far, _)| *far)?;
    let most = (text.chars().count() / 3).clamp(1, 4);
    Some(near.1).filter(|_| near.0 <= most)
}

/// A series as it is written.
pub(super) fn series_text(series: Series, back: u16) -> String {
    let milli = |value: u32| f64::from(value) / 1_000.0;
    let name = match series {
        Series::Open => "open".to_owned(),
        Series::High => "high".to_owned(),
        Series::Low => "low".to_owned(),
        Series::Close => "close".to_owned(),
        Series::Volume => "volume".to_owned(),
        Series::Rsi { n } => format!("rsi({n})"),
        Series::Ema { n } => format!("ema({n})"),
        Series::DonchianUpper { n } => format!("donchian_upper({n})"),
        Series::DonchianLower { n } => format!("donchian_lower({n})"),
        Series::PlusDi { n } => format!("plus_di({n})"),
        Series::MinusDi { n } => format!("minus_di({n})"),
        Series::Adx { di, adx } if di == adx => format!("adx({di})"),
        Series::Adx { di, adx } => format!("adx({di}, {adx})"),
        Series::Er { n } => format!("er({n})"),
        Series::ErDir { n } => format!("er_dir({n})"),
        Series::SuperTrend {
            n,
            multiplier_milli,
        } => {
            format!("supertrend({n}, {})", milli(multiplier_milli))
        }
        Series::SuperTrendDir {
            n,
            multiplier_milli,
        } => {
            format!("supertrend_dir({n}, {})", milli(multiplier_milli))
        }
        Series::Atr { n } => format!("atr({n})"),
        Series::Roc { n } => format!("roc({n})"),
        Series::Doji {
            ratio_milli,
            strict: false,
        } => format!("doji({})", milli(ratio_milli)),
        Series::Doji {
            ratio_milli,
            strict: true,
        } => format!("doji({}, strict)", milli(ratio_milli)),
    };
    if back == 0 {
        name
    } else {
        format!("{name}[{back}]")
    }
}

/// True for a word of the language, which no condition may be called.
pub fn is_reserved(name: &str) -> bool {
    WORDS.contains(&name)
        || name == "strict"
        || INDICATORS.iter().any(|indicator| indicator.name == name)
}
