//! Torn, changed, missing and foreign files.

use super::*;
use crate::journal::record::{encode, tests::entries};
use crate::model::{Stamp, WallNanos};

const DAY: Day = Day(20_780);

fn head(account: u32, run: i64, number: u32) -> Head {
    Head {
        account,
        day: DAY,
        run: WallNanos(run),
        number,
    }
}

/// Files of the given numbers of records, chained over all of them.
fn chain(dir: &Path, counts: &[usize]) -> Vec<PathBuf> {
    let (mut sequence, mut previous) = (0, 0);
    let mut paths = Vec::new();
    for (number, count) in counts.iter().enumerate() {
        let number = u32::try_from(number).expect("small");
        let mut bytes = head(7, i64::from(number), 0).encode().to_vec();
        for _ in 0..*count {
            sequence += 1;
            let record = Record {
                sequence,
                at: Stamp::default(),
                entry: entries()[usize::try_from(sequence).expect("small") % entries().len()],
            };
            let encoded = encode(&record, previous);
            previous = checksum(&encoded);
            bytes.extend_from_slice(&encoded);
        }
        // Names that sort the other way round: the header decides.
        let path = dir.join(format!("{}.tzj", 9 - number));
        std::fs::write(&path, &bytes).expect("write");
        paths.push(path);
    }
    paths
}

#[test]
fn reading_stops_at_the_first_bad_record_and_names_it() {
    let dir = tempfile::tempdir().expect("dir");
    let paths = chain(dir.path(), &[4]);
    let mut bytes = std::fs::read(&paths[0]).expect("read");
    bytes[3 * RECORD + 40] ^= 1;
    std::fs::write(&paths[0], &bytes).expect("write");
    let journal = read(&paths).expect("readable");
    assert_eq!((journal.records.len(), journal.tail.sequence), (2, 2));
    assert!(journal.torn.is_some_and(|t| t.contains("byte 384")));
    assert!(read(&[dir.path().join("none")]).is_err());
}

#[test]
fn a_journal_torn_at_any_byte_keeps_every_record_before() {
    let dir = tempfile::tempdir().expect("dir");
    let paths = chain(dir.path(), &[3]);
    let whole = std::fs::read(&paths[0]).expect("read");
    for length in 3 * RECORD..=4 * RECORD {
        for zeros in [0, 4 * RECORD - length] {
            let mut bytes = whole[..length].to_vec();
            bytes.resize(length + zeros, 0);
            std::fs::write(&paths[0], &bytes).expect("write");
            let journal = read(&paths).expect("readable");
            let complete = bytes == whole;
            assert_eq!(journal.records.len(), 2 + usize::from(complete), "{length}");
            let nothing = length == 3 * RECORD;
            assert_eq!(journal.torn.is_none(), complete || nothing, "{length}");
        }
    }
}

#[test]
fn every_flipped_bit_of_a_record_stops_the_reading_there() {
    let dir = tempfile::tempdir().expect("dir");
    let paths = chain(dir.path(), &[3]);
    let whole = std::fs::read(&paths[0]).expect("read");
    for bit in 0..RECORD * 8 {
        let mut bytes = whole.clone();
        bytes[2 * RECORD + bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&paths[0], &bytes).expect("write");
        let journal = read(&paths).expect("readable");
        assert_eq!(journal.records.len(), 1, "bit {bit}");
        assert!(journal.torn.is_some(), "bit {bit}");
    }
}

#[test]
fn a_torn_end_is_passed_when_the_next_run_goes_on_from_it() {
    let dir = tempfile::tempdir().expect("dir");
    let paths = chain(dir.path(), &[3, 2]);
    let mut bytes = std::fs::read(&paths[0]).expect("read");
    bytes.extend_from_slice(&[7; 50]);
    std::fs::write(&paths[0], &bytes).expect("write");
    let journal = read(&paths).expect("readable");
    assert_eq!((journal.records.len(), journal.bridged.len()), (5, 1));
    assert_eq!(journal.torn, None);
    // A bad record with sound ones after it is damage: the next file does not fit.
    bytes[3 * RECORD + 5] ^= 1;
    std::fs::write(&paths[0], &bytes).expect("write");
    let journal = read(&paths).expect("readable");
    assert_eq!((journal.records.len(), journal.bridged.len()), (2, 0));
    assert!(journal.torn.is_some_and(|t| t.contains("byte 384")));
}

#[test]
fn a_file_torn_in_its_first_record_is_passed_when_a_later_one_goes_on() {
    let dir = tempfile::tempdir().expect("dir");
    let paths = chain(dir.path(), &[3, 0, 0, 2]);
    for torn in [&paths[1..2], &paths[1..3]] {
        for path in torn {
            let mut bytes = std::fs::read(path).expect("read");
            bytes.truncate(RECORD);
            bytes.extend_from_slice(&[7; 50]);
            std::fs::write(path, &bytes).expect("write");
        }
        let journal = read(&paths).expect("readable");
        assert_eq!((journal.records.len(), journal.bridged.len()), (5, 1));
        assert_eq!(journal.torn, None);
    }
}

#[test]
fn a_missing_middle_file_breaks_the_chain() {
    let dir = tempfile::tempdir().expect("dir");
    let paths = chain(dir.path(), &[3, 2, 2]);
    let journal = read(&[paths[0].clone(), paths[2].clone()]).expect("readable");
    assert_eq!(journal.records.len(), 3);
    assert!(journal.torn.is_some_and(|t| t.contains("byte 128")));
    let journal = read(&paths[1..]).expect("readable");
    assert_eq!(journal.records.len(), 0, "neither can the first be missing");
}

#[test]
fn the_files_of_an_account_and_day_come_in_the_order_of_their_runs() {
    let dir = tempfile::tempdir().expect("dir");
    let paths = chain(dir.path(), &[1, 1, 1]);
    std::fs::write(dir.path().join("note.txt"), "x").expect("write");
    assert_eq!(files(dir.path(), 7, DAY).expect("files"), paths);
    assert_eq!(
        files(dir.path(), 7, DAY.plus(1)).expect("none"),
        [] as [PathBuf; 0]
    );
    assert_eq!(
        files(&dir.path().join("no"), 7, DAY).expect("none"),
        [] as [PathBuf; 0]
    );
    let foreign = files(dir.path(), 8, DAY).expect_err("foreign").to_string();
    assert!(
        foreign.contains("account 00000007, expected 00000008"),
        "{foreign}"
    );
}

#[test]
fn a_file_of_another_version_and_one_that_is_no_journal_are_refused_by_name() {
    let dir = tempfile::tempdir().expect("dir");
    let paths = chain(dir.path(), &[1]);
    let mut bytes = std::fs::read(&paths[0]).expect("read");
    bytes[9] = 2;
    std::fs::write(&paths[0], &bytes).expect("write");
    let old = files(dir.path(), 7, DAY).expect_err("old").to_string();
    assert!(
        old.contains("journal version 2, this tezi reads version 3"),
        "{old}"
    );
    assert!(matches!(
        read(&paths),
        Err(JournalFault::Version { found: 2, .. })
    ));
    std::fs::write(&paths[0], b"").expect("write");
    assert!(matches!(read(&paths), Err(JournalFault::NoJournal { .. })));
}

#[test]
fn a_run_names_a_moment_behind_every_earlier_one_whatever_the_clock_says() {
    let dir = tempfile::tempdir().expect("dir");
    let paths = chain(dir.path(), &[1, 1, 1]);
    for (now, named) in [(-9, 3), (2, 3), (3, 3), (4, 4)] {
        let run = run_behind(&paths, WallNanos(now));
        assert_eq!(run, WallNanos(named), "clock {now}");
    }
    assert_eq!(run_behind(&[], WallNanos(-9)), WallNanos(-9));
}

#[test]
fn the_last_run_is_found_on_whatever_day_and_only_of_the_account() {
    let dir = tempfile::tempdir().expect("dir");
    assert_eq!(last_run(dir.path(), 7).expect("none"), None);
    let paths = chain(dir.path(), &[1, 1]);
    let last = |account| last_run(dir.path(), account).expect("readable");
    assert_eq!(last(7), Some((WallNanos(1), paths[1].clone())));
    let later = dir.path().join("later.tzj");
    let head = Head {
        day: DAY.plus(3),
        ..head(7, 5, 0)
    };
    std::fs::write(&later, head.encode()).expect("write");
    assert_eq!(last(7), Some((WallNanos(5), later)));
    assert_eq!(last(8), None);
}
