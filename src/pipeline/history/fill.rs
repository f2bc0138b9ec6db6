//! Rows of a second source for stretches the first one lacks, taken only when both agree where they meet.

use super::fetch::{Library, Which};
use super::{Gap, within};
use crate::config::WarmupSource;
use crate::hot::compute::Unit;
use crate::indicators::bars::aggregate;
use crate::model::{Bar, Instrument, Kind, Price, Session, WallNanos};
use crate::pipeline::arm::ArmFault;
use crate::store::read_prices;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Rows of two sources that differ by more are not of the same prices: adjusted and unadjusted, or two contracts.
const APART_BASIS_POINTS: u128 = 10;

/// The first row two sources differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Differs {
    pub(super) at: WallNanos,
    pub(super) field: &'static str,
    pub(super) prices: [Price; 2],
}

impl Library<'_> {
    /// Adds a second source's rows to `bars` where these have gaps; its name and the rows that were taken. `None`
    /// when there is no such source, it has nothing, or it was refused.
    pub(super) fn fill(
        &mut self,
        which: Which,
        (row, unit): (&Instrument, &Unit),
        (gaps, bars): (&[Gap], &mut Vec<Bar>),
        news: &mut Vec<String>,
    ) -> Result<Option<(String, Vec<Bar>)>, ArmFault> {
        let theirs = match which {
            Which::Backup => {
                let wanted = around(unit.sessions(), gaps);
                self.rows(which, row, (unit, &wanted))?
            }
            Which::File => self.file(row, unit),
            Which::Venue => Vec::new(),
        };
        let in_gap = |bar: &&Bar| {
            let at = gaps.partition_point(|gap| gap.1 <= bar.start);
            gaps.get(at)
                .is_some_and(|gap| gap.0 <= bar.start && bar.end <= gap.1)
        };
        let taken: Vec<Bar> = theirs.iter().filter(in_gap).copied().collect();
        if taken.is_empty() {
            return Ok(None);
        }
        let name = self.name_of(which);
        let own = self.name_of(Which::Venue);
        match compare(bars, &theirs, unit) {
            Err(differs) => {
                news.push(refusal(&row.symbol, [&own, &name], differs));
                return Ok(None);
            }
            Ok(0) if !bars.is_empty() => news.push(format!(
                "WARNING history of {}: {own} and {name} have no row in common: nothing says that their prices agree",
                row.symbol
            )),
            Ok(_) => {}
        }
        bars.extend(taken.iter().copied());
        bars.sort_by_key(|bar| bar.start);
        Ok(Some((name, taken)))
    }

    fn folder(&self) -> PathBuf {
        self.config.engine.data_dir.join("historical")
    }

    /// The file that the configuration names, or the one where prices of an instrument and of those before it belong.
    pub(super) fn place_of(&self, row: &Instrument) -> PathBuf {
        match &self.config.warmup.source {
            WarmupSource::File(path) => path.clone(),
            WarmupSource::Venue | WarmupSource::Folder => {
                let last = files(&self.folder(), row).pop();
                last.unwrap_or_else(|| self.folder())
            }
        }
    }

    /// The rows of the file that the configuration names, or of `data/historical/NAME.csv`, where there is one.
    pub(super) fn file(&mut self, row: &Instrument, unit: &Unit) -> Vec<Bar> {
        let path = match &self.config.warmup.source {
            WarmupSource::File(path) => Some(path.clone()),
            WarmupSource::Venue | WarmupSource::Folder => {
                let files = files(&self.folder(), row);
                files.into_iter().find(|path| path.exists())
            }
        };
        let Some(path) = path else {
            return Vec::new();
        };
        match read_prices(&path) {
            Ok(file) => within(unit.sessions(), &file.bars),
            Err(fault) => {
                self.troubles.push(format!("WARNING {fault}"));
                Vec::new()
            }
        }
    }
}

fn refusal(symbol: &str, [own, other]: [&str; 2], differs: Differs) -> String {
    let Differs { at, field, prices } = differs;
    format!(
        "WARNING history of {symbol}: the {field} of {at} is {} at {own} and {} at {other}, over 0.1 % apart: nothing \
         of {other} is mixed in, because one of them may be adjusted",
        prices[0], prices[1]
    )
}

/// Files that may hold the prices of an instrument, the most exact name first.
fn files(folder: &Path, row: &Instrument) -> Vec<PathBuf> {
    let mut names = vec![row.symbol.clone()];
    if row.kind == Kind::Future {
        names.push(format!("{}-FUT", row.underlying));
    }
    names
        .into_iter()
        .map(|name| folder.join(format!("{name}.csv")))
        .collect()
}

/// The sessions with gaps, and the one before each: there the sources meet.
fn around(sessions: &[Session], gaps: &[Gap]) -> Vec<Session> {
    let has_gap = |session: &Session| {
        let (open, close) = (session.open(), session.close());
        gaps.iter().any(|gap| gap.0 < close && open < gap.1)
    };
    let next = sessions.iter().skip(1).map(Some).chain([None]);
    let pairs = sessions.iter().zip(next);
    let wanted = pairs.filter(|(session, next)| has_gap(session) || next.is_some_and(has_gap));
    wanted.map(|(session, _)| *session).collect()
}

/// How many rows two sources have in common.
///
/// # Errors
///
/// The first of them in which a price differs by more than 0.1 %.
pub(super) fn compare(own: &[Bar], theirs: &[Bar], unit: &Unit) -> Result<usize, Differs> {
    let direct = common(own, theirs)?;
    if direct > 0 {
        return Ok(direct);
    }
    common(&whole_bars(own, unit), &whole_bars(theirs, unit))
}

fn common(own: &[Bar], theirs: &[Bar]) -> Result<usize, Differs> {
    let known: BTreeMap<(WallNanos, WallNanos), &Bar> =
        own.iter().map(|bar| ((bar.start, bar.end), bar)).collect();
    let mut count = 0;
    for bar in theirs {
        let Some(own) = known.get(&(bar.start, bar.end)) else {
            continue;
        };
        count += 1;
        let fields = [
            ("open", own.open, bar.open),
            ("high", own.high, bar.high),
            ("low", own.low, bar.low),
            ("close", own.close, bar.close),
        ];
        let apart = fields.into_iter().find(|(_, a, b)| are_apart(*a, *b));
        if let Some((field, a, b)) = apart {
            return Err(Differs {
                at: bar.start,
                field,
                prices: [a, b],
            });
        }
    }
    Ok(count)
}

/// True when two prices are more than 0.1 % apart.
pub(super) fn are_apart(a: Price, b: Price) -> bool {
    let apart = u128::from(a.0.abs_diff(b.0));
    let least = u128::from(a.0.unsigned_abs().min(b.0.unsigned_abs()));
    apart * 10_000 > least * APART_BASIS_POINTS
}

/// The bars of the unit's timeframe that have every part of them.
fn whole_bars(parts: &[Bar], unit: &Unit) -> Vec<Bar> {
    let session = |day| {
        unit.sessions()
            .iter()
            .find(|session| session.day == day)
            .copied()
    };
    let (mut bars, _) = aggregate(parts, unit.builder(), session);
    bars.retain(|bar| {
        let from = parts.partition_point(|part| part.start < bar.start);
        let to = parts.partition_point(|part| part.start < bar.end);
        let inside = parts.get(from..to).unwrap_or_default();
        let covered: i64 = inside.iter().map(|part| part.end.since(part.start)).sum();
        covered == bar.end.since(bar.start)
    });
    bars
}

#[cfg(test)]
mod tests;
