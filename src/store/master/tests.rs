//! What is written comes back; what was damaged anywhere does not.

use super::*;
use proptest::prelude::*;

fn taken() -> Taken {
    Taken {
        at: WallNanos::from_secs(1_795_000_000),
        day: Day::parse("2026-11-23").expect("day"),
        exchange: Exchange::Nfo,
        origin: "api.kite.trade:443".to_owned(),
    }
}

fn instruments() -> impl Strategy<Value = Vec<Instrument>> {
    let kind = prop_oneof![
        Just(Kind::Index),
        Just(Kind::Equity),
        Just(Kind::Future),
        (any::<i64>(), any::<bool>()).prop_map(|(strike, call)| Kind::Option {
            right: if call { Right::Call } else { Right::Put },
            strike: Price(strike),
        }),
    ];
    let numbers = (any::<u32>(), any::<i64>(), any::<u32>(), any::<u32>());
    let expiry = proptest::option::of(-100_000_i32..100_000);
    let row = ("[A-Z0-9&é ]{0,40}", "[A-Z]{0,9}", kind, expiry, numbers).prop_map(
        |(symbol, underlying, kind, expiry, (token, tick, lot, most))| Instrument {
            ix: InstrumentIx(0),
            token: Token(token),
            exchange: Exchange::Nfo,
            symbol,
            underlying,
            kind,
            expiry: expiry.map(Day),
            tick: Price(tick),
            lot: Qty(lot),
            qty_max: Qty(most),
        },
    );
    proptest::collection::vec(row, 0..40)
}

fn bytes_of(copy: &MasterCopy) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("2026-11-23.master");
    copy.write(&path).expect("write");
    assert_eq!(MasterCopy::read(&path).expect("read"), *copy);
    assert!(!path.with_extension("new").exists());
    std::fs::read(&path).expect("bytes")
}

proptest! {
    #[test]
    fn every_row_comes_back(rows in instruments()) {
        let copy = MasterCopy::new(taken(), &rows).expect("copy");
        let again = MasterCopy::from_bytes(&bytes_of(&copy)).expect("sound");
        prop_assert_eq!(&again.taken, &taken());
        let back: Vec<Instrument> = again.rows().map(|row| row.instrument(Exchange::Nfo)).collect();
        prop_assert_eq!(back, rows);
    }

    #[test]
    fn one_changed_or_missing_byte_anywhere_refuses_the_copy(
        rows in instruments(), place in any::<prop::sample::Index>(), flip in 1_u8..=255,
    ) {
        let copy = MasterCopy::new(taken(), &rows).expect("copy");
        let mut bytes = bytes_of(&copy);
        let place = place.index(bytes.len());
        prop_assert!(MasterCopy::from_bytes(&bytes[..place]).is_err());
        bytes[place] ^= flip;
        prop_assert!(MasterCopy::from_bytes(&bytes).is_err());
    }

    #[test]
    fn any_bytes_behind_a_right_checksum_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
        bytes.extend_from_slice(&body);
        if let Ok(copy) = MasterCopy::from_bytes(&bytes) {
            prop_assert_eq!(copy.rows().count(), copy.len());
        }
    }
}

#[test]
fn another_version_and_another_file_say_what_they_are() {
    let copy = MasterCopy::new(taken(), &[]).expect("copy");
    let mut bytes = bytes_of(&copy);
    bytes[8] = 2;
    let fault = MasterCopy::from_bytes(&bytes).expect_err("version");
    assert_eq!(fault, "its version is 2, this program reads 1");
    let fault = MasterCopy::from_bytes(b"instrument_token,").expect_err("a dump");
    assert_eq!(fault, "it does not begin like one");
}
