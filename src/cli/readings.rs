//! `tezi readings`: bars in, every reading and condition out, to compare with a TradingView export.
//!
//! Promises
//! - Columns, `NaN` and condition bits are those of the indicator fixtures, so that the output
//!   compares with them cell by cell; numbers are the shortest text that parses back to the same
//!   double.
//! - Every row keeps its index: one that was skipped leaves a gap in column `i`, and is named on
//!   stderr.
//! - A price whose text is a double beside its decimal (`1.0683799999999999`) is computed with as
//!   that double, because the program that exported it did.

use super::Failure;
use crate::indicators::suite::conditions;
use crate::indicators::{BarFault, Ohlc, Params, Prices, Scale, Suite, Thresholds};
use crate::model::{Bar, Price, Values, price};
use crate::store::prices::{Layout, PriceFile, parse_prices, read_prices};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Prints every reading and condition of a file of bars.
///
/// One row comes out for each bar that goes in: the bar, every reading after its close, and the
/// seven entry conditions as bits.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// The file of bars (CSV), or `-` for standard input.
    file: String,
    /// RSI: number of changes.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = length())]
    rsi: u16,
    /// Slow EMA of the close: length.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = length())]
    ema_slow: u16,
    /// Fast EMA of the close: length.
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = length())]
    ema_fast: u16,
    /// Donchian channel of the bars before this one: number of bars.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = length())]
    donchian: u16,
    /// Smoothing of +DI and -DI, smoothing of ADX; one number stands for both.
    #[arg(long, value_name = "DI,ADX", default_value = "30,30", value_parser = two_lengths)]
    adx: TwoLengths,
    /// Efficiency ratio: number of changes.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = length())]
    er: u16,
    /// SuperTrend: length of its ATR, multiplier.
    #[arg(long, value_name = "N,K", default_value = "10,1.5", value_parser = supertrend)]
    supertrend: LengthAndFactor,
    /// ATR: length.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = length())]
    atr: u16,
    /// Rate of change: number of bars looked back.
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = length())]
    roc: u16,
    /// Doji: largest body as a part of the bar's range, 0 to 1.
    #[arg(long, value_name = "RATIO", default_value_t = 0.1, value_parser = ratio)]
    doji: f64,
    /// Doji: the body must be smaller than RATIO, not equal.
    #[arg(long)]
    doji_strict: bool,
    /// Condition bit 0: RSI above this.
    #[arg(long, value_name = "T", default_value_t = 70.0, value_parser = threshold)]
    #[arg(allow_negative_numbers = true)]
    rsi_above: f64,
    /// Condition bit 3: ADX below this.
    #[arg(long, value_name = "T", default_value_t = 25.0, value_parser = threshold)]
    #[arg(allow_negative_numbers = true)]
    adx_below: f64,
    /// Condition bit 4: efficiency ratio above this.
    #[arg(long, value_name = "T", default_value_t = 0.8, value_parser = threshold)]
    #[arg(allow_negative_numbers = true)]
    er_above: f64,
    /// Smallest price step, such as 0.05: prices that are not whole steps are counted on stderr.
    #[arg(long, value_name = "STEP", value_parser = tick)]
    tick: Option<i64>,
    /// One JSON object per line instead of CSV; a reading that is not ready is null.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
FILE has a header with the columns open,high,low,close; a time column and others may stand beside them.
Headerless rows of four prices, or of a time and four prices, are read too.

  column             meaning
  i                  row of the file, from 0, the header not counted
  open .. close      the bar as read
  rsi                ta.rsi(close, n)
  ema_slow ema_fast  ta.ema(close, n)
  dc_upper dc_lower  ta.highest(high[1], n), ta.lowest(low[1], n)
  plus_di .. adx     ta.dmi(di, adx)
  er er_dir          efficiency ratio, absolute and with the sign of the move
  st st_dir          ta.supertrend(k, n): line; -1 up-trend, +1 down-trend
  atr roc            ta.atr(n); ta.roc(close, n) in percent
  doji               1 when the bar is a doji
  cond               bits: 1 rsi > t, 2 close > ema_slow, 4 close > dc_upper, 8 adx < t, 16 er > t,
                     32 close > st, 64 not a doji; 127 is a long entry

NaN is a reading that is not ready yet; no condition on it holds. Load 2000 bars before the first one you
trust: EMA 200 remembers that long where the history began.

Example:

  $ printf 'open,high,low,close\\n100,104,99,103\\n103,107,102,106\\n106,106,101,102\\n' |
      tezi readings --rsi 2 --ema-fast 2 --atr 2 -
  i,open,high,low,close,rsi,ema_slow,ema_fast,...,atr,roc,doji,cond
  0,100,104,99,103,NaN,NaN,NaN,...,NaN,NaN,0,64
  1,103,107,102,106,NaN,NaN,104.5,...,5,NaN,0,64
  2,106,106,101,102,42.857142857142854,NaN,102.83333333333333,...,5,NaN,0,64

  $ tezi readings bars.csv > readings.csv                              the executor script's parameters
  $ tezi readings --adx 14,14 --er 5 --supertrend 10,2 --atr 14 --doji-strict --er-above 0.5 bars.csv
  $ tezi readings --json bars.csv | jq -c 'select(.cond == 127) | [.i, .close]'      every entry

Exit codes: 0 done · 1 the output cannot be written · 2 arguments · 3 the file cannot be used";

/// Longest length an argument may have.
const LENGTH_MAX: i64 = 10_000;

#[derive(Clone, Copy, Debug)]
struct TwoLengths {
    di: u16,
    adx: u16,
}

#[derive(Clone, Copy, Debug)]
struct LengthAndFactor {
    n: u16,
    factor: f64,
}

fn length() -> clap::builder::RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1..=LENGTH_MAX)
}

fn length_of(text: &str) -> Result<u16, String> {
    let in_range = |n: &u16| (1..=LENGTH_MAX).contains(&i64::from(*n));
    let parsed = text.trim().parse().ok().filter(in_range);
    parsed.ok_or_else(|| format!("`{text}` is not a length; allowed are 1 to {LENGTH_MAX}"))
}

fn two_lengths(text: &str) -> Result<TwoLengths, String> {
    let (di, adx) = text.split_once(',').unwrap_or((text, text));
    Ok(TwoLengths {
        di: length_of(di)?,
        adx: length_of(adx)?,
    })
}

fn supertrend(text: &str) -> Result<LengthAndFactor, String> {
    let (n, factor) = text
        .split_once(',')
        .ok_or("a length and a multiplier are expected, such as 10,1.5")?;
    let allowed = |k: &f64| *k > 0.0 && *k <= 1_000.0;
    let factor = factor.trim().parse().ok().filter(allowed);
    let factor = factor.ok_or("the multiplier must be a number above 0, at most 1000")?;
    Ok(LengthAndFactor {
        n: length_of(n)?,
        factor,
    })
}

fn ratio(text: &str) -> Result<f64, String> {
    let allowed = |r: &f64| (0.0..=1.0).contains(r);
    let parsed = text.parse().ok().filter(allowed);
    parsed.ok_or_else(|| "a ratio from 0 to 1 is expected, such as 0.1".to_owned())
}

fn threshold(text: &str) -> Result<f64, String> {
    let parsed = text.parse().ok().filter(|t: &f64| t.is_finite());
    parsed.ok_or_else(|| "a number is expected".to_owned())
}

/// Decimals a tick may have.
const TICK_DECIMALS: u32 = 9;

/// A tick in billionths of a rupee.
fn tick(text: &str) -> Result<i64, String> {
    match price::parse_units(text.as_bytes(), TICK_DECIMALS) {
        Ok(tick) if tick > 0 => Ok(tick),
        Ok(_) => Err("a price step above 0 is expected, such as 0.05".to_owned()),
        Err(fault) => Err(fault.to_string()),
    }
}

impl Args {
    fn params(&self) -> Params {
        Params {
            rsi: self.rsi,
            ema_slow: self.ema_slow,
            ema_fast: self.ema_fast,
            donchian: self.donchian,
            di: self.adx.di,
            adx: self.adx.adx,
            er: self.er,
            supertrend: self.supertrend.n,
            multiplier: self.supertrend.factor,
            atr: self.atr,
            roc: self.roc,
            doji: self.doji,
            doji_strict: self.doji_strict,
        }
    }

    fn thresholds(&self) -> Thresholds {
        Thresholds {
            rsi_above: self.rsi_above,
            adx_below: self.adx_below,
            er_above: self.er_above,
        }
    }
}

/// Runs the verb.
///
/// # Errors
///
/// [`Failure::Input`] when the file cannot be used, [`Failure::Failed`] when the output cannot be
/// written.
pub fn run(args: &Args) -> Result<(), Failure> {
    let file = if args.file == "-" {
        parse_prices(io::stdin().lock(), "standard input")
    } else {
        read_prices(Path::new(&args.file))
    };
    let file = file.map_err(|error| Failure::Input(error.to_string()))?;
    if file.layout == Layout::Points {
        return Err(Failure::Input(format!(
            "`{}` holds single prices ({}); readings needs bars: open,high,low,close",
            args.file,
            file.layout.columns()
        )));
    }
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    match write_readings(args, &file, &mut out).and_then(|()| out.flush()) {
        Ok(()) => {}
        // A reader such as `head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(Failure::Input(format!("{}: {error}", args.file)));
        }
        Err(error) => return Err(error.into()),
    }
    for line in remarks(args, &file) {
        // A closed stderr leaves nobody to tell.
        drop(writeln!(io::stderr(), "tezi: {}: {line}", args.file));
    }
    Ok(())
}

/// What a person should know about the file.
fn remarks(args: &Args, file: &PriceFile) -> Vec<String> {
    let mut lines = Vec::new();
    for (counted, what) in [
        (&file.skipped, "skipped"),
        (
            &file.widened,
            "opened or closed outside their range, which was widened",
        ),
    ] {
        if let Some((line, reason)) = &counted.first {
            lines.push(format!(
                "rows {what}: {}; the first is line {line}: {reason}",
                counted.count
            ));
        }
    }
    if let Some(tick) = args.tick {
        let is_off = |price: &Price| {
            let billionths =
                i128::from(price.0) * i128::from(10_i64.pow(TICK_DECIMALS) / file.unit);
            billionths % i128::from(tick) != 0
        };
        let off = |bar: &&Bar| [bar.open, bar.high, bar.low, bar.close].iter().any(is_off);
        let count = file.bars.iter().filter(off).count();
        if count > 0 {
            lines.push(format!(
                "rows with a price that is not a whole number of --tick: {count}"
            ));
        }
    }
    lines
}

/// Column names behind `i`, the prices excepted.
const READINGS: [&str; 16] = [
    "rsi", "ema_slow", "ema_fast", "dc_upper", "dc_lower", "plus_di", "minus_di", "adx", "er",
    "er_dir", "st", "st_dir", "atr", "roc", "doji", "cond",
];

fn write_readings(args: &Args, file: &PriceFile, out: &mut impl Write) -> io::Result<()> {
    let scale = Scale::new(u32::try_from(file.unit).unwrap_or(u32::MAX));
    let thresholds = args.thresholds();
    let mut suite = Suite::new(&args.params(), scale);
    let mut row = Row {
        unit: file.unit.unsigned_abs(),
        json: args.json,
    };
    if !args.json {
        writeln!(out, "i,open,high,low,close,{}", READINGS.join(","))?;
    }
    let mut skipped = file.skipped_rows.iter().peekable();
    let mut noisy = file.noisy.iter().peekable();
    let mut index = 0_u64;
    for (position, bar) in file.bars.iter().enumerate() {
        while skipped.next_if_eq(&&index).is_some() {
            index += 1;
        }
        let doubles = noisy
            .next_if(|(at, _)| *at == position)
            .map(|(_, doubles)| doubles);
        // The reader has widened what was not sound; only a price of billions is left to refuse.
        let ohlc = Ohlc::of(bar).map_err(|fault| bad_row(index, fault))?;
        let quoted = doubles.and_then(|[_, h, l, c]| Prices::quoted(ohlc, scale, [*h, *l, *c]));
        let (values, close) = match quoted {
            Some(prices) => (suite.commit_quoted(&prices), prices.rupees()[2]),
            None => (suite.commit(&ohlc), scale.rupees(ohlc.close())),
        };
        row.write(
            out,
            index,
            (bar, doubles),
            (&values, conditions(&values, close, &thresholds)),
        )?;
        index += 1;
    }
    Ok(())
}

#[cold]
fn bad_row(index: u64, fault: BarFault) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("row {index}: {fault}"))
}

/// Writes rows in one of the two shapes.
struct Row {
    unit: u64,
    json: bool,
}

impl Row {
    fn write(
        &mut self,
        out: &mut impl Write,
        index: u64,
        (bar, doubles): (&Bar, Option<&[f64; 4]>),
        (values, cond): (&Values, u8),
    ) -> io::Result<()> {
        if self.json {
            write!(out, "{{\"i\":{index}")?;
        } else {
            write!(out, "{index}")?;
        }
        let prices = [
            ("open", bar.open),
            ("high", bar.high),
            ("low", bar.low),
            ("close", bar.close),
        ];
        for (at, (name, price)) in prices.into_iter().enumerate() {
            self.separate(out, name)?;
            match doubles.and_then(|doubles| doubles.get(at)) {
                Some(double) => write!(out, "{double}")?,
                None => write_decimal(out, price, self.unit)?,
            }
        }
        let numbers = values.readings().into_iter().chain([f64::from(cond)]);
        for (name, number) in READINGS.into_iter().zip(numbers) {
            self.separate(out, name)?;
            self.number(out, number)?;
        }
        out.write_all(if self.json { b"}\n" } else { b"\n" })
    }

    fn separate(&self, out: &mut impl Write, name: &str) -> io::Result<()> {
        if self.json {
            write!(out, ",\"{name}\":")
        } else {
            out.write_all(b",")
        }
    }

    /// The shortest text of a double; without an exponent unless it would be mostly zeros.
    fn number(&self, out: &mut impl Write, number: f64) -> io::Result<()> {
        if !number.is_finite() {
            let text: &[u8] = if self.json { b"null" } else { b"NaN" };
            return out.write_all(text);
        }
        if number != 0.0 && number.abs() < 1e-9 {
            write!(out, "{number:e}")
        } else {
            write!(out, "{number}")
        }
    }
}

/// A price with as few decimals as it has: `52000`, `52023.5`.
fn write_decimal(out: &mut impl Write, price: Price, unit: u64) -> io::Result<()> {
    let sign = if price.0 < 0 { "-" } else { "" };
    let (whole, mut part) = (price.0.unsigned_abs() / unit, price.0.unsigned_abs() % unit);
    if part == 0 {
        return write!(out, "{sign}{whole}");
    }
    let mut digits = usize::try_from(unit.ilog10()).unwrap_or(0);
    while part.is_multiple_of(10) {
        part /= 10;
        digits -= 1;
    }
    write!(out, "{sign}{whole}.{part:0digits$}")
}

#[cfg(test)]
mod tests;
