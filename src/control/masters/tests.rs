//! When a master is asked for, when a copy stands in, and when nothing does.

use super::*;
use crate::model::{Instrument, InstrumentIx, Kind, Price, Qty, Token};
use crate::net::NetFault;
use crate::venue::ApiFault;
use crate::venue::master::MasterFault;
use tempfile::TempDir;

fn day(number: i32) -> Day {
    Day::parse("2026-11-23").expect("day").plus(number)
}

fn taken(number: i32, clock: &str) -> Taken {
    let clock = crate::model::time::parse_clock(clock).expect("clock");
    Taken {
        at: day(number).at(clock),
        day: day(number),
        exchange: Exchange::Nfo,
        origin: "api:443".to_owned(),
    }
}

fn master(rows: u32) -> Master {
    let row = |number: u32| Instrument {
        ix: InstrumentIx(0),
        token: Token(number),
        exchange: Exchange::Nfo,
        symbol: format!("A{number}"),
        underlying: "A".to_owned(),
        kind: Kind::Future,
        expiry: Some(day(30)),
        tick: Price::from_paise(5),
        lot: Qty(65),
        qty_max: QTY_MAX_UNKNOWN,
    };
    Master {
        instruments: (0..rows).map(row).collect(),
        rows: u64::from(rows),
        ..Master::default()
    }
}

struct Desktop {
    dir: TempDir,
    masters: Masters,
    asked: u32,
}

impl Desktop {
    fn new(is_simulated: bool) -> Self {
        let dir = tempfile::tempdir().expect("dir");
        let masters = Masters::new(dir.path(), "kite", is_simulated);
        Self {
            dir,
            masters,
            asked: 0,
        }
    }

    fn load(
        &mut self,
        taken: &Taken,
        answer: Result<Master, DeskFault>,
    ) -> Result<Loaded, MastersFault> {
        let asked = &mut self.asked;
        self.masters.load_with(taken, || {
            *asked += 1;
            answer
        })
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("masters/kite/NFO")
    }
}

fn blocked() -> Result<Master, DeskFault> {
    Err(DeskFault::Net(NetFault::Resolve("blocked".to_owned())))
}

#[test]
fn a_master_is_asked_for_once_a_day() {
    let mut desk = Desktop::new(false);
    let first = desk
        .load(&taken(0, "08:55"), Ok(master(100)))
        .expect("fetched");
    assert_eq!(
        (first.origin, first.copy.len(), first.news.len()),
        (Origin::Fetched, 100, 0)
    );
    let second = desk
        .load(&taken(0, "12:00"), Ok(master(1)))
        .expect("cached");
    assert_eq!((second.origin, second.copy), (Origin::Cached, first.copy));
    let next = desk
        .load(&taken(1, "08:55"), Ok(master(101)))
        .expect("fetched");
    assert_eq!(
        (next.origin, next.copy.len(), desk.asked),
        (Origin::Fetched, 101, 2)
    );
}

#[test]
fn a_copy_from_before_the_broker_wrote_the_days_master_is_made_again() {
    let mut desk = Desktop::new(false);
    let fetched = desk
        .load(&taken(0, "08:05"), Ok(master(100)))
        .expect("fetched");
    let told = fetched.news.join("\n");
    assert!(
        told.contains("taken at 08:05, before 08:30 when brokers have the day's"),
        "{told}"
    );
    let early = desk
        .load(&taken(0, "08:29"), Ok(master(99)))
        .expect("cached");
    assert_eq!((early.origin, early.news), (Origin::Cached, fetched.news));
    let later = desk
        .load(&taken(0, "08:30"), Ok(master(99)))
        .expect("fetched");
    assert_eq!((later.origin, later.copy.len()), (Origin::Fetched, 99));
    assert!(later.news.is_empty(), "{:?}", later.news);
    let cached = desk.load(&taken(0, "08:31"), blocked()).expect("cached");
    assert_eq!((cached.origin, cached.copy.len()), (Origin::Cached, 99));
}

#[test]
fn a_cut_master_is_measured_by_the_day_before_although_an_early_copy_of_the_day_exists() {
    let mut desk = Desktop::new(false);
    desk.load(&taken(0, "09:00"), Ok(master(100)))
        .expect("fetched");
    desk.load(&taken(1, "07:30"), Ok(master(100)))
        .expect("fetched early");
    let kept = desk.load(&taken(1, "09:00"), Ok(master(60))).expect("kept");
    let told = kept.news.join("\n");
    assert!(
        told.contains("60 rows, over 10 % fewer than the 100 of 2026-11-23"),
        "{told}"
    );
    assert_eq!(
        (kept.origin, kept.copy.taken.day, kept.copy.len()),
        (Origin::Kept, day(1), 100)
    );
}

#[test]
fn a_blocked_download_falls_back_to_the_last_good_copy_and_says_its_age() {
    let mut desk = Desktop::new(false);
    desk.load(&taken(0, "09:00"), Ok(master(100)))
        .expect("fetched");
    let kept = desk.load(&taken(3, "10:30"), blocked()).expect("kept");
    assert_eq!((kept.origin, kept.copy.len()), (Origin::Kept, 100));
    let told = kept.news.join("\n");
    assert!(told.starts_with("WARNING instruments of NFO: "), "{told}");
    assert!(
        told.contains("the copy of 2026-11-23, 3 days 1 h old"),
        "{told}"
    );
    assert!(desk.load(&taken(7, "10:30"), blocked()).is_ok());
    let late = desk
        .load(&taken(8, "10:30"), blocked())
        .expect_err("too old");
    assert!(
        late.to_string().contains("no copy of the last 7 days"),
        "{late}"
    );
}

#[test]
fn a_master_that_cannot_be_right_is_refused_and_the_copy_stands_in() {
    let mut desk = Desktop::new(false);
    desk.load(&taken(0, "09:00"), Ok(master(100)))
        .expect("fetched");
    let mut refused = |answer: Result<Master, DeskFault>, words: &str| {
        let kept = desk.load(&taken(1, "09:00"), answer).expect("kept");
        let told = kept.news.join("\n");
        assert_eq!(
            (kept.origin, kept.copy.len()),
            (Origin::Kept, 100),
            "{told}"
        );
        assert!(told.contains(words), "{told}");
    };
    refused(Ok(master(0)), "the master is empty");
    refused(
        Ok(master(89)),
        "89 rows, over 10 % fewer than the 100 of 2026-11-23",
    );
    let mut repeated = master(98);
    repeated.instruments.extend(master(2).instruments);
    refused(Ok(repeated), "2 of 100 rows of the master are repeated");
    let cut = MasterFault::Cut {
        found: 3,
        wanted: 12,
    };
    let cut = DeskFault::Master {
        exchange: Exchange::Nfo,
        source: cut,
    };
    refused(Err(cut), "truncated: its last line has 3 of 12 columns");
    let exact = desk
        .load(&taken(1, "09:00"), Ok(master(90)))
        .expect("exactly 10 % fewer");
    assert_eq!((exact.origin, exact.copy.len()), (Origin::Fetched, 90));
}

#[test]
fn a_damaged_copy_is_told_and_the_one_before_it_used() {
    let mut desk = Desktop::new(false);
    desk.load(&taken(0, "09:00"), Ok(master(100)))
        .expect("fetched");
    desk.load(&taken(1, "09:00"), Ok(master(100)))
        .expect("fetched");
    let path = desk.folder().join("2026-11-24.master");
    let mut bytes = std::fs::read(&path).expect("copy");
    bytes[40] ^= 1;
    std::fs::write(&path, bytes).expect("damaged");
    let kept = desk.load(&taken(1, "10:00"), blocked()).expect("kept");
    assert_eq!((kept.origin, kept.copy.taken.day), (Origin::Kept, day(0)));
    assert!(
        kept.news[0].contains("its checksum is wrong"),
        "{:?}",
        kept.news
    );
}

#[test]
fn without_any_copy_nothing_stands_in_and_a_dead_session_is_not_hidden() {
    let mut desk = Desktop::new(false);
    let none = desk.load(&taken(0, "09:00"), blocked()).expect_err("none");
    assert!(
        none.to_string()
            .contains("lot, tick and expiry would be guesses"),
        "{none}"
    );
    desk.load(&taken(0, "09:00"), Ok(master(100)))
        .expect("fetched");
    let dead = DeskFault::Api {
        what: "instruments",
        source: ApiFault::Session {
            message: "expired".to_owned(),
        },
    };
    let fault = desk.load(&taken(1, "09:00"), Err(dead)).expect_err("dead");
    assert!(matches!(fault, MastersFault::Desk(_)));
}

#[test]
fn a_simulated_venue_is_always_asked_and_its_copies_serve_itself_alone() {
    let mut desk = Desktop::new(true);
    desk.load(&taken(0, "09:00"), Ok(master(100)))
        .expect("fetched");
    let again = desk
        .load(&taken(0, "12:00"), Ok(master(50)))
        .expect("fetched");
    assert_eq!(
        (again.origin, again.copy.len(), desk.asked),
        (Origin::Fetched, 50, 2)
    );
    assert_eq!(
        desk.load(&taken(0, "12:00"), blocked())
            .expect("kept")
            .origin,
        Origin::Kept
    );
    let elsewhere = Taken {
        origin: "127.0.0.1:4001".to_owned(),
        ..taken(0, "12:00")
    };
    assert!(desk.load(&elsewhere, blocked()).is_err());
}

#[test]
fn five_copies_are_kept() {
    let mut desk = Desktop::new(false);
    for number in 0..8 {
        desk.load(&taken(number, "09:00"), Ok(master(10)))
            .expect("fetched");
    }
    let kept: Vec<Day> = days(&desk.folder())
        .into_iter()
        .map(|(day, _)| day)
        .collect();
    assert_eq!(kept, [day(3), day(4), day(5), day(6), day(7)]);
}
