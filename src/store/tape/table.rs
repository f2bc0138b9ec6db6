//! Rows of whole numbers, column by column: what a number is foretold to be, and how far it is off.
//!
//! ```text
//!   table   = (hint 3 | class u8 | is signed u8 | planes u8 | plane stream*)  of every column | divisors stream
//!   hint    = kind, field and scale: nothing, the row before, or a field beside it
//!   plane   = one byte of every number: all lowest bytes, then all second ones
//! ```
//!
//! Rows belong to slots, such as the packets of one instrument. Quantities are lots and prices are ticks: what is left
//! of a number is divided by what divides all of its kind in its slot.
//!
//! The hints are chosen for each block from its own first rows, so nothing here knows what a field means. A bad
//! choice costs room, nothing else.

use super::bits::{put_varint, zigzag};
use super::block::Columns;
use std::collections::HashMap;

/// Most fields of a row.
pub(super) const FIELDS_MAX: usize = 255;
/// Rows that are looked at to choose hints.
const SAMPLE: usize = 1_024;
/// What a field beside may be multiplied by: brokers count in paise and seconds, we in 1/10 000 rupee and nanoseconds.
const SCALES: [i64; 3] = [1, 100, 1_000_000_000];
/// Bits by which a hint must be better than a simpler one.
const GAIN_MIN: f64 = 0.2;
/// Fields before a field that it may follow.
const NEAR: usize = 6;

/// What a number is expected to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// Zero.
    Nothing,
    /// As in the last row of its slot.
    Before,
    /// As in the row above, whoever's it is.
    Above,
    /// A field of its row.
    Beside(u8, u8),
    /// As in the last row of its slot, moved as far as a field of its row moved.
    Moved(u8, u8),
    /// As in the last row of its slot, and a field of its row more.
    Added(u8, u8),
}

impl Hint {
    const fn bytes(self) -> [u8; 3] {
        match self {
            Self::Nothing => [0, 0, 0],
            Self::Before => [1, 0, 0],
            Self::Above => [2, 0, 0],
            Self::Beside(field, scale) => [3, field, scale],
            Self::Moved(field, scale) => [4, field, scale],
            Self::Added(field, scale) => [5, field, scale],
        }
    }

    pub(super) const fn of([kind, field, scale]: [u8; 3]) -> Option<Self> {
        Some(match kind {
            0 => Self::Nothing,
            1 => Self::Before,
            2 => Self::Above,
            3 => Self::Beside(field, scale),
            4 => Self::Moved(field, scale),
            5 => Self::Added(field, scale),
            _ => return None,
        })
    }

    /// What field `at` of `row` is expected to be; a row that is not there is all zero.
    pub(super) fn foretell(self, at: usize, row: &[i64], before: &[i64], above: &[i64]) -> i64 {
        let of = |row: &[i64], at: usize| row.get(at).copied().unwrap_or(0);
        let scaled = |value: i64, scale: u8| {
            let scale = SCALES.get(usize::from(scale)).copied().unwrap_or(1);
            value.wrapping_mul(scale)
        };
        match self {
            Self::Nothing => 0,
            Self::Before => of(before, at),
            Self::Above => of(above, at),
            Self::Beside(field, scale) => scaled(of(row, usize::from(field)), scale),
            Self::Moved(field, scale) => {
                let field = usize::from(field);
                let moved = of(row, field).wrapping_sub(of(before, field));
                of(before, at).wrapping_add(scaled(moved, scale))
            }
            Self::Added(field, scale) => {
                of(before, at).wrapping_add(scaled(of(row, usize::from(field)), scale))
            }
        }
    }
}

/// Rows of one shape. The first fields of a row may be given: they are known when it is read, and not written.
#[derive(Debug, Default)]
pub(super) struct Table {
    width: usize,
    given: usize,
    cells: Vec<i64>,
    /// The slot of each row.
    slots: Vec<usize>,
    /// The last row before it of the same slot.
    before: Vec<Option<usize>>,
    last: HashMap<usize, usize>,
}

impl Table {
    /// No rows of `width` fields, of which the first `given` are known to the reader.
    pub(super) fn new(width: usize, given: usize) -> Self {
        Self {
            width,
            given,
            ..Self::default()
        }
    }

    /// Adds a row.
    pub(super) fn push(&mut self, slot: usize, row: &[i64]) {
        debug_assert_eq!(row.len(), self.width);
        let number = self.slots.len();
        self.cells.extend_from_slice(row);
        self.slots.push(slot);
        self.before.push(self.last.insert(slot, number));
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.slots.len()
    }

    /// The row of a number.
    pub(super) fn row(&self, number: usize) -> &[i64] {
        let start = number.saturating_mul(self.width);
        let end = start.saturating_add(self.width);
        self.cells.get(start..end).unwrap_or_default()
    }

    /// What is left of a field of a row by a hint.
    fn left(&self, number: usize, at: usize, hint: Hint) -> i64 {
        let row = self.row(number);
        let before = self.before.get(number).copied().flatten();
        let before = before.map_or::<&[i64], _>(&[], |number| self.row(number));
        let above = number
            .checked_sub(1)
            .map_or::<&[i64], _>(&[], |n| self.row(n));
        let known = row.get(..at).unwrap_or_default();
        let value = row.get(at).copied().unwrap_or(0);
        value.wrapping_sub(hint.foretell(at, known, before, above))
    }

    /// Writes the columns that are not given.
    pub(super) fn write(&self, out: &mut Columns) {
        let hints: Vec<Hint> = (self.given..self.width).map(|at| self.choose(at)).collect();
        let mut left: Vec<Vec<i64>> = Vec::with_capacity(hints.len());
        for (at, hint) in (self.given..).zip(&hints) {
            let numbers = 0..self.slots.len();
            left.push(numbers.map(|number| self.left(number, at, *hint)).collect());
        }
        let classes = classes(&left, &self.busiest());
        let mut divisors: HashMap<usize, [u64; 2]> = HashMap::new();
        for (column, class) in left.iter().zip(&classes) {
            let Some(class) = usize::from(*class).checked_sub(1) else {
                continue;
            };
            for (value, slot) in column.iter().zip(&self.slots) {
                let of = divisors.entry(*slot).or_default();
                of[class] = gcd(of[class], value.unsigned_abs());
            }
        }
        for ((hint, column), class) in hints.iter().zip(&mut left).zip(&classes) {
            if let Some(class) = usize::from(*class).checked_sub(1) {
                for (value, slot) in column.iter_mut().zip(&self.slots) {
                    let divisor = divisors.get(slot).map_or(1, |of| divisor(of[class]));
                    *value = value.checked_div(divisor).unwrap_or(*value);
                }
            }
            out.bytes.extend_from_slice(&hint.bytes());
            out.bytes.push(*class);
            planes(column, out);
        }
        self.write_divisors(&divisors, out);
    }

    /// The divisors of every slot in the order of its first row.
    fn write_divisors(&self, divisors: &HashMap<usize, [u64; 2]>, out: &mut Columns) {
        let mut bytes = Vec::new();
        if !divisors.is_empty() {
            for (slot, before) in self.slots.iter().zip(&self.before) {
                if before.is_none() {
                    for value in divisors.get(slot).copied().unwrap_or_default() {
                        put_varint(&mut bytes, divisor(value).cast_unsigned());
                    }
                }
            }
        }
        out.stream(&bytes);
    }

    /// The rows of the slot with most of them among the sample.
    fn busiest(&self) -> Vec<usize> {
        let mut counts: HashMap<usize, usize> = HashMap::new();
        for slot in self.slots.iter().take(4 * SAMPLE) {
            *counts.entry(*slot).or_default() += 1;
        }
        let busiest = counts
            .into_iter()
            .max_by_key(|(slot, count)| (*count, *slot));
        let slot = busiest.map(|(slot, _)| slot);
        let numbers = self.slots.iter().enumerate();
        let own = numbers.filter(|(number, s)| Some(**s) == slot && self.before[*number].is_some());
        own.map(|(number, _)| number).take(SAMPLE).collect()
    }

    /// The hint that leaves least of a field.
    fn choose(&self, at: usize) -> Hint {
        let rows = self.slots.len();
        // Rows with one before them tell; the first of each slot are few.
        let numbers = (0..rows).filter(|number| self.before[*number].is_some());
        let sample: Vec<usize> = numbers.take(SAMPLE).collect();
        let mut best = (Hint::Nothing, self.cost(&sample, at, Hint::Nothing));
        for hint in self.hints(at) {
            let few = sample.get(..64).unwrap_or(&sample);
            if self.is_far(hint, few, at) {
                continue;
            }
            let cost = self.cost(&sample, at, hint);
            // To take a constant away makes numbers smaller and no easier to tell, and hides what divides them.
            if cost + GAIN_MIN < best.1 {
                best = (hint, cost);
            }
        }
        best.0
    }

    /// A given field is worth looking at only where it often says exactly what is to be written.
    fn is_far(&self, hint: Hint, few: &[usize], at: usize) -> bool {
        let (Hint::Beside(field, scale) | Hint::Moved(field, scale) | Hint::Added(field, scale)) =
            hint
        else {
            return false;
        };
        if usize::from(field) >= self.given && scale == 0 {
            return false;
        }
        let exact = few
            .iter()
            .filter(|number| self.left(**number, at, hint) == 0);
        exact.count() * 4 < few.len()
    }

    fn hints(&self, at: usize) -> Vec<Hint> {
        let mut hints = vec![Hint::Before, Hint::Above];
        let scales = if self.given > 0 { SCALES.len() } else { 1 };
        for field in 0..at {
            let is_given = field < self.given;
            let is_near = at - field <= NEAR || (field >= self.given && field < self.given + NEAR);
            let Ok(place) = u8::try_from(field) else {
                continue;
            };
            if !is_given && !is_near {
                continue;
            }
            for scale in (0_u8..).take(if is_given { scales } else { 1 }) {
                hints.push(Hint::Beside(place, scale));
                hints.push(Hint::Moved(place, scale));
                hints.push(Hint::Added(place, scale));
            }
        }
        hints
    }

    /// Roughly the bits a number takes: how many of them differ, and a little of how large they are.
    fn cost(&self, sample: &[usize], at: usize, hint: Hint) -> f64 {
        let left = sample.iter().map(|number| self.left(*number, at, hint));
        let mut left: Vec<i64> = left.collect();
        left.sort_unstable();
        let count = left.len().max(1) as f64;
        let mut cost = 0.0;
        for same in left.chunk_by(|a, b| a == b) {
            let share = same.len() as f64 / count;
            let size = f64::from(64 - same.first().map_or(0, |v| v.unsigned_abs()).leading_zeros());
            cost += share * (0.05 * size - share.log2());
        }
        cost
    }
}

/// Which fields are of one kind: 1 and 2 for the two divisors most of them have, 0 for those without one. Looked at in
/// the rows of one slot.
fn classes(left: &[Vec<i64>], rows: &[usize]) -> Vec<u8> {
    let common = |column: &Vec<i64>| {
        let values = rows.iter().filter_map(|row| column.get(*row));
        values.fold(0, |sum, value| gcd(sum, value.unsigned_abs()))
    };
    let found: Vec<u64> = left.iter().map(common).collect();
    let mut votes: HashMap<u64, usize> = HashMap::new();
    for divisor in found.iter().filter(|divisor| **divisor > 1) {
        *votes.entry(*divisor).or_default() += 1;
    }
    let mut votes: Vec<(usize, u64)> = votes.into_iter().map(|(d, count)| (count, d)).collect();
    votes.sort_unstable();
    let first = votes.pop().map_or(0, |(_, divisor)| divisor);
    let second = votes.pop().map_or(0, |(_, divisor)| divisor);
    let is_of =
        |found: u64, divisor: u64| divisor > 1 && found > 0 && found.is_multiple_of(divisor);
    let class = |found: u64| match (is_of(found, first), is_of(found, second)) {
        (true, true) => 1 + u8::from(second > first),
        (true, false) => 1,
        (false, true) => 2,
        (false, false) => 0,
    };
    found.into_iter().map(class).collect()
}

const fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// A divisor that can be divided by.
fn divisor(common: u64) -> i64 {
    i64::try_from(common).unwrap_or(1).max(1)
}

/// Writes numbers byte by byte: the lowest of all of them, then the next.
fn planes(column: &[i64], out: &mut Columns) {
    let is_signed = column.iter().any(|value| *value < 0);
    let code = |value: i64| {
        if is_signed {
            zigzag(value)
        } else {
            value.cast_unsigned()
        }
    };
    let most = column.iter().map(|value| code(*value)).max().unwrap_or(0);
    let count = (64 - most.leading_zeros()).div_ceil(8);
    out.bytes.push(u8::from(is_signed));
    out.bytes.push(count.to_le_bytes()[0]);
    for plane in (0_usize..).take(count as usize) {
        let byte = |value: &i64| code(*value).to_le_bytes()[plane];
        let bytes: Vec<u8> = column.iter().map(byte).collect();
        out.stream(&bytes);
    }
}
