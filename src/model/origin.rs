//! Where a tick came from, and what is known against it: one byte of its cache line.

/// A source of prices, in the order of the configuration, with marks of doubt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Origin(u8);

/// Bits that hold the source.
const SOURCE: u8 = 0x0f;
/// The sources differ on the price.
const DIVERGES: u8 = 0x10;
/// The exchange's stamp is too far from the time of its arrival.
const LATE: u8 = 0x40;
/// The stream that carries the instrument is silent about it: the price was asked for.
const MUTE: u8 = 0x80;

impl Origin {
    /// A source; numbers above 15 do not exist.
    pub const fn of(source: u8) -> Self {
        Self(source & SOURCE)
    }

    /// The source.
    pub const fn source(self) -> u8 {
        self.0 & SOURCE
    }

    /// Marks a price that another source contradicts.
    #[must_use]
    pub const fn diverging(self, diverges: bool) -> Self {
        if diverges {
            Self(self.0 | DIVERGES)
        } else {
            self
        }
    }

    /// Marks a price that the exchange stamped too long ago, or that comes before its time.
    #[must_use]
    pub const fn late(self, is_late: bool) -> Self {
        if is_late { Self(self.0 | LATE) } else { self }
    }

    /// Marks a price that was asked for because the stream is silent about its instrument.
    #[must_use]
    pub const fn mute(self, is_mute: bool) -> Self {
        if is_mute { Self(self.0 | MUTE) } else { self }
    }

    /// True when another source contradicts the price: no entry may be based on it.
    pub const fn diverges(self) -> bool {
        self.0 & DIVERGES != 0
    }

    /// True when the stream is silent about the instrument.
    pub const fn is_mute(self) -> bool {
        self.0 & MUTE != 0
    }

    /// True when the price is old by the exchange's own stamp.
    pub const fn is_late(self) -> bool {
        self.0 & LATE != 0
    }

    /// True when no entry may be based on the price.
    #[inline]
    pub const fn is_doubtful(self) -> bool {
        self.0 & !SOURCE != 0
    }

    /// The byte records keep.
    pub const fn byte(self) -> u8 {
        self.0
    }

    /// Reads the byte of a record; bits that mean nothing are dropped.
    pub const fn from_byte(byte: u8) -> Self {
        Self(byte & (SOURCE | DIVERGES | LATE | MUTE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_source_share_a_byte_and_come_back() {
        let plain = Origin::of(2);
        assert!(!plain.is_doubtful());
        let marked = plain.diverging(true).late(true).diverging(false);
        assert!(marked.diverges() && marked.is_late() && marked.is_doubtful());
        assert_eq!(
            (marked.source(), Origin::from_byte(marked.byte())),
            (2, marked)
        );
        assert_eq!(Origin::from_byte(0xff).byte(), 0xdf);
        assert!(plain.mute(true).is_mute() && plain.mute(true).is_doubtful());
        assert!(plain.late(true).is_late() && !plain.late(true).diverges());
    }
}
