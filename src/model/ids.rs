//! Identities: our dense indices, the broker's numbers, and the tag that ties an order to its intent.

use super::time::Day;
use std::fmt;

/// Our dense index of an instrument, valid for one run; tables are indexed by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstrumentIx(pub u16);

/// Our dense index of a strategy, in the order of the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StrategyIx(pub u16);

/// Our dense index of a socket of the feed, valid for one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkIx(pub u8);

/// The broker's number of an instrument, valid for one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u32);

/// The broker's number of an order (Kite: up to 19 digits); zero means none yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(pub u64);

/// Our id of an order, echoed by the broker: 20 characters, letters and digits only.
///
/// A pure function of [`TagParts`], so a replay and a restart name the same order the same way. Twenty
/// alphanumeric characters is what every supported broker accepts (protocols, order tags).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub [u8; 20]);

/// What a [`Tag`] is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagParts {
    /// Short fingerprint of the account, so that two accounts never share a tag.
    pub account: u32,
    /// Trading day.
    pub day: Day,
    /// Intent number within the day.
    pub intent: u64,
    /// Leg number within the intent.
    pub leg: u8,
    /// Slice number within the leg.
    pub slice: u16,
    /// Attempt: grows only after proof that the earlier one never existed.
    pub attempt: u8,
}

/// Account and day as every tag of one run carries them, spelled once: `TZ`, account (4), day (4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagFamily([u8; 10]);

impl TagFamily {
    /// Spells account and day.
    pub const fn new(account: u32, day: Day) -> Self {
        let [a, b, c, d] = digits(account);
        let [e, f, g, h] = digits(day.0.unsigned_abs());
        Self([b'T', b'Z', a, b, c, d, e, f, g, h])
    }

    /// A tag of this family. Fields keep their low digits, so intents repeat only after 60 million a day.
    #[inline]
    pub fn tag(self, intent: u64, leg: u8, slice: u16, attempt: u8) -> Tag {
        let intent = u32::try_from(intent % Tag::INTENTS).unwrap_or(0);
        let mut bytes = [b'0'; 20];
        bytes[..10].copy_from_slice(&self.0);
        bytes[10..15].copy_from_slice(&digits::<5>(intent));
        let [leg] = digits(u32::from(leg));
        bytes[15] = leg;
        bytes[16..19].copy_from_slice(&digits::<3>(u32::from(slice)));
        let [attempt] = digits(u32::from(attempt));
        bytes[19] = attempt;
        Tag(bytes)
    }
}

/// The low `N` digits of a number in base 36.
#[inline]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "`at` is above zero where it is lowered, a digit is below 36"
)]
const fn digits<const N: usize>(mut value: u32) -> [u8; N] {
    let mut spelled = [b'0'; N];
    let mut at = N;
    while at > 0 {
        at -= 1;
        let digit = (value % 36) as u8;
        spelled[at] = if digit < 10 {
            b'0' + digit
        } else {
            b'A' - 10 + digit
        };
        value /= 36;
    }
    spelled
}

impl Tag {
    /// Intents a tag can tell apart.
    pub const INTENTS: u64 = 36 * 36 * 36 * 36 * 36;

    /// Builds the tag: `TZ`, account (4), day (4), intent (5), leg (1), slice (3), attempt (1), in base 36.
    pub fn new(parts: TagParts) -> Self {
        let family = TagFamily::new(parts.account, parts.day);
        family.tag(parts.intent, parts.leg, parts.slice, parts.attempt)
    }

    /// True for the first order of a leg: slice and attempt are zero.
    #[inline]
    pub const fn is_first(&self) -> bool {
        matches!(self.0, [.., b'0', b'0', b'0', b'0'])
    }

    /// Reads a tag echoed by a broker, or `None` when it does not have our shape.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let bytes: [u8; 20] = text.try_into().ok()?;
        let ours = bytes.starts_with(b"TZ") && bytes.iter().all(u8::is_ascii_alphanumeric);
        ours.then_some(Self(bytes))
    }

    /// Account and day, the part all tags of one run share.
    pub fn family(&self) -> &[u8] {
        self.0.get(..10).unwrap_or_default()
    }

    /// Intent and leg number read back, or `None` when a digit is not one of ours.
    pub fn intent_and_leg(&self) -> Option<(u64, u8)> {
        let digit = |byte: &u8| char::from(*byte).to_digit(36).map(u64::from);
        let mut intent = 0_u64;
        for byte in self.0.get(10..15)? {
            intent = intent.wrapping_mul(36).wrapping_add(digit(byte)?);
        }
        let leg = self.0.get(15).and_then(digit)?;
        Some((intent, u8::try_from(leg).ok()?))
    }

    /// Leg number read back, or `None` when the digit is not one of ours.
    pub fn leg(&self) -> Option<u8> {
        let digit = char::from(*self.0.get(15)?).to_digit(36)?;
        u8::try_from(digit).ok()
    }

    /// Intent, leg, slice and attempt read back, or `None` when a digit is not one of ours. Account and day come
    /// back as the low digits a tag keeps.
    pub fn parts(&self) -> Option<TagParts> {
        let field = |from: usize, to: usize| {
            let mut value = 0_u64;
            for byte in self.0.get(from..to)? {
                let digit = char::from(*byte).to_digit(36)?;
                value = value.wrapping_mul(36).wrapping_add(u64::from(digit));
            }
            Some(value)
        };
        Some(TagParts {
            account: u32::try_from(field(2, 6)?).ok()?,
            day: Day(i32::try_from(field(6, 10)?).ok()?),
            intent: field(10, 15)?,
            leg: u8::try_from(field(15, 16)?).ok()?,
            slice: u16::try_from(field(16, 19)?).ok()?,
            attempt: u8::try_from(field(19, 20)?).ok()?,
        })
    }

    /// The tag as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("")
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl InstrumentIx {
    /// The index as a table position.
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

impl LinkIx {
    /// The index as a table position.
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

impl StrategyIx {
    /// The index as a table position.
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_legal_distinct_and_comes_back() {
        let parts = TagParts {
            account: 77,
            day: Day(20_780),
            intent: 1,
            leg: 0,
            slice: 0,
            attempt: 0,
        };
        let tag = Tag::new(parts);
        assert_eq!(tag.as_str(), "TZ00250G180000100000");
        assert_eq!(Tag::parse(tag.as_str().as_bytes()), Some(tag));
        for other in [
            TagParts {
                account: 78,
                ..parts
            },
            TagParts {
                day: Day(20_781),
                ..parts
            },
            TagParts { intent: 2, ..parts },
            TagParts { leg: 1, ..parts },
            TagParts { slice: 1, ..parts },
            TagParts {
                attempt: 1,
                ..parts
            },
        ] {
            assert_ne!(Tag::new(other), tag);
        }
        let far = Tag::new(TagParts {
            intent: 51_839_999,
            leg: 1,
            ..parts
        });
        assert_eq!(far.intent_and_leg(), Some((51_839_999, 1)));
        assert_eq!(tag.parts(), Some(parts));
        let most = TagParts {
            slice: 46_655,
            attempt: 35,
            leg: 3,
            ..parts
        };
        assert_eq!(Tag::new(most).parts(), Some(most));
        assert_eq!(far.family(), tag.family());
        assert_eq!(Tag::parse(b"strategy one"), None);
        assert_eq!(Tag::parse(b"TZ0000000000000 0000"), None);
    }
}
