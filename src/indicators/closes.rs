//! The last closes in whole units: what ER and ROC look back on.

use super::words::words_of;

/// A ring of closes, allocated once.
///
/// Its length is a power of two and leaves room for one close more than anybody asks for, so the
/// newest can be taken back.
#[derive(Clone, Debug)]
pub(crate) struct Closes {
    units: Box<[i64]>,
    count: usize,
}

impl Closes {
    /// A ring that can look `reach` closes back.
    pub(crate) fn new(reach: u16) -> Self {
        let length = (usize::from(reach) + 2).next_power_of_two();
        Self {
            units: vec![0; length].into_boxed_slice(),
            count: 0,
        }
    }

    /// Adds the close of a bar.
    #[inline]
    pub(crate) fn push(&mut self, close: i64) {
        let mask = self.units.len().wrapping_sub(1);
        if let Some(slot) = self.units.get_mut(self.count & mask) {
            *slot = close;
        }
        self.count = self.count.wrapping_add(1);
    }

    /// Takes the newest close back.
    pub(crate) fn undo(&mut self) {
        self.count = self.count.saturating_sub(1);
    }

    /// The close `back` bars before the newest, `None` when there were not as many.
    #[inline]
    pub(crate) fn get(&self, back: usize) -> Option<i64> {
        let mask = self.units.len().wrapping_sub(1);
        let at = self.count.wrapping_sub(1).wrapping_sub(back) & mask;
        if back < self.count {
            self.units.get(at).copied()
        } else {
            None
        }
    }
}

words_of!(Closes: units, count);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closes_come_back_newest_first_and_the_newest_can_be_replaced() {
        let mut closes = Closes::new(3);
        assert_eq!(closes.get(0), None);
        for close in 0..100 {
            closes.push(close);
            assert_eq!(closes.get(3), (close >= 3).then_some(close - 3));
        }
        closes.undo();
        closes.push(1_000);
        assert_eq!(
            [0, 1, 2, 3].map(|k| closes.get(k)),
            [1_000, 98, 97, 96].map(Some)
        );
    }
}
