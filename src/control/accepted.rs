//! What a person said of a wrong clock, remembered for the starts that nobody watches.
//!
//! ```text
//!   run with a clock that is ahead ─► its journal names a moment to come ─► start refused
//!   a person: --clock-is-right ─► that moment and all before it were written by a wrong clock ─► kept on disk
//!   every later start ─► the journal names nothing later than that moment ─► the last good start counts in its place
//! ```
//!
//! Promises
//! - What is remembered is one moment, not that clocks may be wrong: a journal that names a later one, or a clock
//!   behind the last start that was believed, is refused again.
//! - A file that is damaged, of another account or missing remembers nothing: a person is asked.

use super::resume::CLOCK_BACK_NS;
use crate::model::WallNanos;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What is remembered of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Latest moment a wrong clock wrote.
    pub wrong: WallNanos,
    /// What the clock said at the last start that was believed.
    pub right: WallNanos,
}

impl Accepted {
    /// The file of an account in its journal's folder.
    pub fn path(folder: &Path, account: u32) -> PathBuf {
        folder.join(format!("clock-{account:08x}"))
    }

    /// What is remembered; `None` when nothing is, or when it cannot be understood.
    pub fn read(folder: &Path, account: u32) -> Option<Self> {
        let text = std::fs::read_to_string(Self::path(folder, account)).ok()?;
        let (moments, sum) = text.trim_end().rsplit_once('\n')?;
        if sum.strip_prefix("crc32 = ")?.parse() != Ok(crc32fast::hash(moments.as_bytes())) {
            return None;
        }
        let table: toml::Table = moments.parse().ok()?;
        let moment = |key: &str| table.get(key)?.as_integer().map(WallNanos);
        Some(Self {
            wrong: moment("wrong")?,
            right: moment("right")?,
        })
    }

    /// Remembers it: a crash leaves the old file or the new one.
    ///
    /// # Errors
    ///
    /// When the disk refuses; the next start asks a person again.
    pub fn keep(&self, folder: &Path, account: u32) -> std::io::Result<()> {
        let moments = format!(
            "# Nanoseconds since 1970. Journals that name a moment up to `wrong` ({}) were written by a clock\n\
             # that was ahead; a person said so. `right` ({}) is the last start since.\n\
             wrong = {}\nright = {}",
            self.wrong, self.right, self.wrong.0, self.right.0
        );
        let sum = crc32fast::hash(moments.as_bytes());
        let path = Self::path(folder, account);
        let fresh = path.with_extension("new");
        let mut file = File::create(&fresh)?;
        file.write_all(format!("{moments}\ncrc32 = {sum}\n").as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, &path)?;
        File::open(folder)?.sync_all()
    }

    /// True when a moment in a journal is one of those that count no more. Runs that follow a wrong clock name theirs
    /// a nanosecond behind it each, so that their files are read in order.
    pub const fn covers(&self, found: WallNanos) -> bool {
        found.0 <= self.wrong.0.saturating_add(CLOCK_BACK_NS)
    }

    /// What is remembered after a start at `now`; `None` once the clock has passed all that was wrong, which makes
    /// it a moment like any other.
    pub fn at_start(&self, now: WallNanos) -> Option<Self> {
        (now <= self.wrong).then(|| Self {
            right: now.max(self.right),
            ..*self
        })
    }

    /// Forgets it.
    pub fn forget(folder: &Path, account: u32) {
        // One that stays covers moments that have passed, and refuses nothing.
        std::fs::remove_file(Self::path(folder, account)).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: WallNanos = WallNanos::from_secs(1_800_000_000);
    const ACCEPTED: Accepted = Accepted {
        wrong: NOON.offset(3_600_000_000_000),
        right: NOON,
    };

    #[test]
    fn what_is_kept_is_read_back_and_any_changed_byte_forgets_it() {
        let dir = tempfile::tempdir().expect("folder");
        let read = || Accepted::read(dir.path(), 77);
        assert_eq!(read(), None);
        ACCEPTED.keep(dir.path(), 77).expect("written");
        assert_eq!(read(), Some(ACCEPTED));
        assert_eq!(Accepted::read(dir.path(), 78), None, "of another account");
        let path = Accepted::path(dir.path(), 77);
        let good = std::fs::read(&path).expect("readable");
        for at in 0..good.len() - 1 {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).expect("written");
            assert_eq!(read(), None, "byte {at}");
        }
        std::fs::write(&path, b"").expect("written");
        assert_eq!(read(), None);
        let later = ACCEPTED.at_start(NOON.offset(5)).expect("still wrong");
        later.keep(dir.path(), 77).expect("replaced");
        assert_eq!(read(), Some(later));
        Accepted::forget(dir.path(), 77);
        assert_eq!(read(), None);
    }

    #[test]
    fn only_moments_up_to_the_accepted_one_are_covered() {
        let at = |nanos| ACCEPTED.covers(ACCEPTED.wrong.offset(nanos));
        assert!(at(-1) && at(0) && at(40), "and runs that follow it");
        assert!(at(CLOCK_BACK_NS) && !at(CLOCK_BACK_NS + 1));
    }

    #[test]
    fn the_last_good_start_moves_on_and_never_back_until_all_of_it_has_passed() {
        let right = |now| ACCEPTED.at_start(now).map(|kept| kept.right);
        assert_eq!(right(NOON.offset(9)), Some(NOON.offset(9)));
        assert_eq!(right(NOON.offset(-9)), Some(NOON));
        assert_eq!(right(ACCEPTED.wrong), Some(ACCEPTED.wrong));
        assert_eq!(right(ACCEPTED.wrong.offset(1)), None);
    }
}
