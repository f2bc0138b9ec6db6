//! Rows of a table read again, one by one; see `table` for how they stand.

use super::bits::unzigzag;
use super::table::{FIELDS_MAX, Hint};
use crate::store::bytes::Input;
use std::collections::HashMap;

/// One column while it is read.
struct Column<'a> {
    hint: Hint,
    class: u8,
    is_signed: bool,
    planes: Vec<Input<'a>>,
}

impl Column<'_> {
    fn next(&mut self) -> Option<i64> {
        let mut bytes = [0; 8];
        for (plane, byte) in self.planes.iter_mut().zip(&mut bytes) {
            *byte = plane.byte()?;
        }
        let code = u64::from_le_bytes(bytes);
        Some(if self.is_signed {
            unzigzag(code)
        } else {
            code.cast_signed()
        })
    }
}

/// Reads the rows of a table one by one.
pub(super) struct Rows<'a> {
    columns: Vec<Column<'a>>,
    divisors: Input<'a>,
    /// The last row of each slot, and its divisors.
    before: HashMap<usize, (Vec<i64>, [i64; 2])>,
    above: Vec<i64>,
}

impl<'a> Rows<'a> {
    /// Finds the columns of a table with `written` fields that are not given.
    pub(super) fn open(input: &mut Input<'a>, written: usize) -> Option<Self> {
        let mut columns = Vec::with_capacity(written.min(FIELDS_MAX));
        for _ in 0..written {
            let hint = Hint::of(input.take()?)?;
            let [class, is_signed, count] = input.take()?;
            let planes = (0..count.min(8))
                .map(|_| input.stream())
                .collect::<Option<_>>()?;
            columns.push(Column {
                hint,
                class,
                is_signed: is_signed != 0,
                planes,
            });
        }
        Some(Self {
            columns,
            divisors: input.stream()?,
            before: HashMap::new(),
            above: Vec::new(),
        })
    }

    /// Reads the next row, of `slot`, behind the fields that are given and stand in `row`.
    pub(super) fn next(&mut self, slot: usize, row: &mut Vec<i64>) -> Option<()> {
        if !self.before.contains_key(&slot) {
            let mut own = [1; 2];
            if !self.divisors.0.is_empty() {
                for divisor in &mut own {
                    *divisor = self.divisors.varint()?.cast_signed();
                }
            }
            self.before.insert(slot, (Vec::new(), own));
        }
        let (before, divisors) = self.before.get_mut(&slot)?;
        for column in &mut self.columns {
            let at = row.len();
            let foretold = column.hint.foretell(at, row, before, &self.above);
            let class = usize::from(column.class);
            let divisor = class.checked_sub(1).and_then(|class| divisors.get(class));
            let left = column.next()?.wrapping_mul(divisor.copied().unwrap_or(1));
            row.push(foretold.wrapping_add(left));
        }
        before.clone_from(row);
        self.above.clone_from(row);
        Some(())
    }
}
