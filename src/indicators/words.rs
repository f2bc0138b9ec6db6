//! State as 64-bit words: out for a checkpoint, and back in bit for bit.
//!
//! ```text
//!   fields of a state ──words()──► visitor    Counter: how many   Out: copied   In: replaced by kept ones
//! ```
//!
//! Promises
//! - One list of fields serves both ways, so that what is kept and what is taken back cannot differ.
//! - The number of words is fixed by the plan, never by the values: room is known before the first bar.
//! - Nothing is allocated. A double keeps its bits, also those of a NaN.
//! - What does not fit (a flag that is neither 0 nor 1, a number out of range) is not noticed here: whoever takes a
//!   state back copies it out again and compares.

use crate::model::{Bar, Price, WallNanos};

/// Sees every word of a state in order, and may replace it.
pub trait Visitor {
    /// The next word.
    fn word(&mut self, word: &mut u64);
}

/// A state that can show its words.
pub trait Words {
    /// Shows every word to a visitor, always in the same order and number.
    fn words(&mut self, visitor: &mut impl Visitor);
}

/// Counts words.
#[derive(Debug, Default)]
pub struct Counter(pub usize);

impl Visitor for Counter {
    fn word(&mut self, _word: &mut u64) {
        self.0 = self.0.saturating_add(1);
    }
}

/// Copies words out, little-endian; what finds no room is left out.
#[derive(Debug)]
pub struct Out<'a> {
    rest: &'a mut [u8],
}

impl<'a> Out<'a> {
    /// Copies to the front of `room`.
    pub const fn new(room: &'a mut [u8]) -> Self {
        Self { rest: room }
    }

    /// Bytes of room that are left.
    pub const fn left(&self) -> usize {
        self.rest.len()
    }
}

impl Visitor for Out<'_> {
    #[inline]
    fn word(&mut self, word: &mut u64) {
        let rest = std::mem::take(&mut self.rest);
        if let Some((place, rest)) = rest.split_first_chunk_mut::<8>() {
            *place = word.to_le_bytes();
            self.rest = rest;
        }
    }
}

/// Puts kept words in the place of what is there; zeros where none are left.
#[derive(Debug)]
pub struct In<'a>(&'a [u8]);

impl<'a> In<'a> {
    /// Reads from the front of `kept`.
    pub const fn new(kept: &'a [u8]) -> Self {
        Self(kept)
    }
}

impl Visitor for In<'_> {
    fn word(&mut self, word: &mut u64) {
        let Some((kept, rest)) = self.0.split_first_chunk::<8>() else {
            *word = 0;
            return;
        };
        *word = u64::from_le_bytes(*kept);
        self.0 = rest;
    }
}

/// The fields of a state that move, in a fixed order; what its parameters say is left out.
macro_rules! words_of {
    ($state:ty: $($field:ident),+ $(,)?) => {
        impl $crate::indicators::words::Words for $state {
            #[inline]
            fn words(&mut self, visitor: &mut impl $crate::indicators::words::Visitor) {
                $($crate::indicators::words::Words::words(&mut self.$field, visitor);)+
            }
        }
    };
}
pub(crate) use words_of;

impl Words for u64 {
    #[inline]
    fn words(&mut self, visitor: &mut impl Visitor) {
        visitor.word(self);
    }
}

impl Words for f64 {
    #[inline]
    fn words(&mut self, visitor: &mut impl Visitor) {
        let mut word = self.to_bits();
        visitor.word(&mut word);
        *self = Self::from_bits(word);
    }
}

impl Words for i64 {
    #[inline]
    fn words(&mut self, visitor: &mut impl Visitor) {
        let mut word = self.cast_unsigned();
        visitor.word(&mut word);
        *self = word.cast_signed();
    }
}

impl Words for u32 {
    #[inline]
    fn words(&mut self, visitor: &mut impl Visitor) {
        let mut word = u64::from(*self);
        visitor.word(&mut word);
        *self = Self::try_from(word).unwrap_or(Self::MAX);
    }
}

impl Words for usize {
    #[inline]
    fn words(&mut self, visitor: &mut impl Visitor) {
        let mut word = u64::try_from(*self).unwrap_or(u64::MAX);
        visitor.word(&mut word);
        *self = Self::try_from(word).unwrap_or(Self::MAX);
    }
}

impl Words for bool {
    #[inline]
    fn words(&mut self, visitor: &mut impl Visitor) {
        let mut word = u64::from(*self);
        visitor.word(&mut word);
        *self = word != 0;
    }
}

impl Words for Price {
    #[inline]
    fn words(&mut self, visitor: &mut impl Visitor) {
        self.0.words(visitor);
    }
}

impl Words for WallNanos {
    #[inline]
    fn words(&mut self, visitor: &mut impl Visitor) {
        self.0.words(visitor);
    }
}

words_of!(Bar: start, end, open, high, low, close, volume, ticks);

/// What is not there takes as many words as what is.
impl<T: Words + Copy + Default> Words for Option<T> {
    #[inline]
    fn words(&mut self, visitor: &mut impl Visitor) {
        let (mut is_there, mut value) = (self.is_some(), self.unwrap_or_default());
        is_there.words(visitor);
        value.words(visitor);
        *self = is_there.then_some(value);
    }
}

impl<T: Words> Words for [T] {
    #[inline]
    fn words(&mut self, visitor: &mut impl Visitor) {
        for part in self {
            part.words(visitor);
        }
    }
}

impl<T: Words, const N: usize> Words for [T; N] {
    #[inline]
    fn words(&mut self, visitor: &mut impl Visitor) {
        self.as_mut_slice().words(visitor);
    }
}

impl<T: Words + ?Sized> Words for Box<T> {
    #[inline]
    fn words(&mut self, visitor: &mut impl Visitor) {
        self.as_mut().words(visitor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, Default, PartialEq)]
    struct Mixed {
        double: f64,
        count: usize,
        small: u32,
        flag: bool,
        maybe: Option<i64>,
        pair: [Price; 2],
    }
    words_of!(Mixed: double, count, small, flag, maybe, pair);

    fn out(state: &mut Mixed) -> Vec<u8> {
        let mut counter = Counter::default();
        state.words(&mut counter);
        let mut bytes = vec![0; counter.0 * 8];
        let mut out = Out::new(&mut bytes);
        state.words(&mut out);
        assert_eq!(out.left(), 0);
        bytes
    }

    #[test]
    fn what_is_kept_comes_back_and_what_does_not_fit_comes_back_otherwise() {
        let mut state = Mixed {
            double: f64::from_bits(0x7ff8_0000_0000_0abc),
            count: 7,
            small: u32::MAX,
            flag: true,
            maybe: Some(i64::MIN),
            pair: [Price(-5), Price(9)],
        };
        let kept = out(&mut state);
        assert_eq!(kept.len(), 64);
        let mut back = Mixed::default();
        back.words(&mut In::new(&kept));
        assert_eq!(out(&mut back), kept);
        assert_eq!(back.double.to_bits(), state.double.to_bits());
        assert_eq!((back.maybe, back.pair), (state.maybe, state.pair));
        // The words of an absent value count, and are those of the default.
        assert_eq!(out(&mut Mixed::default()).len(), 64);
        for (word, value) in [(2, u64::MAX), (3, 2), (4, 2)] {
            let mut wrong = kept.clone();
            wrong[word * 8..word * 8 + 8].copy_from_slice(&value.to_le_bytes());
            back.words(&mut In::new(&wrong));
            assert_ne!(out(&mut back), wrong, "word {word}");
        }
        // Too little room or too few words end early, without more.
        let mut short = [0; 12];
        state.words(&mut Out::new(&mut short));
        assert_eq!(&short[..8], &kept[..8]);
        back.words(&mut In::new(&kept[..12]));
        assert_eq!(back.count, 0);
    }
}
