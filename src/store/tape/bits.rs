//! Numbers by seven bits, with the sign beside the value, and columns behind their length.

use crate::store::bytes::Input;

impl<'a> Input<'a> {
    /// What stands behind its length. Not inlined: unrolled once for every column it gives the compiler a chain of
    /// conditions that it takes minutes to look through.
    #[inline(never)]
    pub(super) fn stream(&mut self) -> Option<Input<'a>> {
        let length = self.length()?;
        self.slice(length).map(Input)
    }

    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Some(value);
            }
        }
        None
    }

    pub(super) fn size(&mut self) -> Option<usize> {
        usize::try_from(self.varint()?).ok()
    }
}

/// A sign in the lowest bit: small values of either sign are small.
pub(super) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// The inverse of [`zigzag`].
pub(super) const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 128 {
        out.push(value.to_le_bytes()[0] | 128);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}
