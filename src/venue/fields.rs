//! Which bytes of a packet make one number. For recordings, which keep like beside like; what is not right here costs
//! room there, and nothing else.

/// The numbers of a packet, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// True when the byte that counts most stands first.
    pub is_big_endian: bool,
    /// Bytes of each number, 1 to 8.
    pub widths: Vec<u8>,
}

impl Fields {
    /// Numbers of the widths in `front`, then of four bytes, and single bytes at the end.
    pub fn words(front: &[u8], length: usize) -> Self {
        let mut fields = Self {
            is_big_endian: false,
            widths: front.to_vec(),
        };
        let rest = length.saturating_sub(fields.length());
        fields
            .widths
            .resize(front.len().saturating_add(rest >> 2), 4);
        let words = fields.widths.len();
        fields.widths.resize(words.saturating_add(rest & 3), 1);
        fields
    }

    /// Bytes of all of them.
    pub fn length(&self) -> usize {
        self.widths.iter().map(|width| usize::from(*width)).sum()
    }

    /// The numbers of a packet of that length.
    pub fn numbers(&self, packet: &[u8]) -> Vec<i64> {
        let mut rest = packet;
        let number = |width: &u8| {
            let (bytes, after) = rest.split_at_checked(usize::from(*width))?;
            rest = after;
            let fold = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
            Some(if self.is_big_endian {
                bytes.iter().fold(0, fold).cast_signed()
            } else {
                bytes.iter().rev().fold(0, fold).cast_signed()
            })
        };
        self.widths.iter().map_while(number).collect()
    }

    /// Writes the packet of these numbers.
    pub fn write(&self, numbers: &[i64], out: &mut Vec<u8>) {
        for (number, width) in numbers.iter().zip(&self.widths) {
            let width = usize::from(*width).min(8);
            if self.is_big_endian {
                let bytes = number.to_be_bytes();
                out.extend(bytes.iter().skip(8_usize.saturating_sub(width)));
            } else {
                out.extend(number.to_le_bytes().iter().take(width));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_packet_comes_back_from_its_numbers(
            packet in proptest::collection::vec(any::<u8>(), 0..200),
            front in proptest::collection::vec(1_u8..=8, 0..9),
            is_big_endian: bool,
        ) {
            let fields = Fields { is_big_endian, ..Fields::words(&front, packet.len()) };
            if fields.length() == packet.len() {
                let mut written = Vec::new();
                fields.write(&fields.numbers(&packet), &mut written);
                prop_assert_eq!(written, packet);
            }
        }
    }

    #[test]
    fn numbers_are_read_in_their_order_of_bytes() {
        let mut fields = Fields::words(&[2], 7);
        assert_eq!(fields.widths, [2, 4, 1]);
        assert_eq!(fields.numbers(&[1, 2, 0, 0, 1, 0, 9]), [0x201, 0x1_0000, 9]);
        fields.is_big_endian = true;
        assert_eq!(fields.numbers(&[1, 2, 0, 0, 1, 0, 9]), [0x102, 0x100, 9]);
    }
}
