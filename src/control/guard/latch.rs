//! The trading state on disk: what a kill leaves behind for every later start.
//!
//! ```text
//!   missing ──► active        state = "halted" ──► halted        unreadable, damaged ──► halted, with a message
//! ```
//!
//! The file is TOML a person can read and, without tezi, write: `state = "halted"` alone is enough. It is
//! replaced in one step (new file, sync, rename, sync of the folder), so a crash leaves the old or the new one.

use super::place::Place;
use super::{GuardFault, io};
use crate::model::{Cause, TradingState, WallNanos};
use crate::ring::StateLatch;
use parking_lot::Mutex;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Turns of 5 ms to wait for another writer; one that holds longer is stopped or dead.
const WRITER_TURNS: u32 = 50;

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The state.
    pub state: TradingState,
    /// Who or what set it: a word of [`Cause`], or what a person wrote.
    pub cause: String,
    /// The process or person that set it.
    pub who: String,
    /// When, in the exchange's time.
    pub when: String,
    /// Why, in words.
    pub why: String,
    /// What is wrong with the file, when something is; the state is then `halted`.
    pub damage: Option<String>,
}

/// The keeper of one account's trading state; clones share it.
#[derive(Clone, Debug)]
pub struct Guard(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    place: Place,
    latch: StateLatch,
    seen: Mutex<Seen>,
}

/// What was last read from or written to the disk.
#[derive(Debug)]
struct Seen {
    kept: Kept,
    print: Option<Print>,
}

/// What tells one version of the file from another.
type Print = (u64, i64, i64, u64);

/// What a look at the file found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// Nothing new.
    Same,
    /// Somebody else tightened the state; the latch follows already.
    Tightened(Kept),
    /// Somebody else loosened or removed the file; it was put back.
    PutBack,
    /// The latch was tightened by the engine; the file follows now.
    Followed,
}

impl Guard {
    /// Reads the state of an account and returns its keeper and the latch to hand to every sender.
    ///
    /// Damage is no error: the latch is then `halted`, and [`Kept::damage`] of [`Guard::kept`] says why.
    ///
    /// # Errors
    ///
    /// [`GuardFault`] when the folder cannot be made, or is open to others.
    pub fn open(data_dir: &Path, account: &str) -> Result<(Self, StateLatch), GuardFault> {
        let place = Place::new(data_dir, account)?;
        let print = print(&place.state());
        let kept = read(&place);
        let latch = StateLatch::new(kept.state);
        let guard = Self(Arc::new(Inner {
            place,
            latch: latch.clone(),
            seen: Mutex::new(Seen { kept, print }),
        }));
        Ok((guard, latch))
    }

    /// Where the files lie.
    pub fn place(&self) -> &Place {
        &self.0.place
    }

    /// The latch.
    pub fn latch(&self) -> &StateLatch {
        &self.0.latch
    }

    /// What the file said when it was last read or written.
    pub fn kept(&self) -> Kept {
        self.0.seen.lock().kept.clone()
    }

    /// Tightens: the latch first, then the file. Returns whether the file changed; it does not when it already
    /// says this or something tighter.
    ///
    /// # Errors
    ///
    /// [`GuardFault::Io`] when the file cannot be written. The latch is tight all the same.
    pub fn tighten(
        &self,
        state: TradingState,
        cause: Cause,
        why: &str,
        now: WallNanos,
    ) -> Result<bool, GuardFault> {
        self.0.latch.tighten(state, cause);
        let mut seen = self.0.seen.lock();
        let _writing = self.writing();
        let before = read(&self.0.place);
        if before.damage.is_none() && before.state >= state {
            seen.print = print(&self.0.place.state());
            seen.kept = before;
            return Ok(false);
        }
        self.write(
            &mut seen,
            kept(state.max(before.state), cause.name(), why, now),
        )?;
        Ok(true)
    }

    /// Loosens, or tightens, to exactly this state: the file first, then the latch. An operator's act alone.
    /// Returns what was there before.
    ///
    /// # Errors
    ///
    /// [`GuardFault`] when the file cannot be written; nothing is loosened then.
    pub fn loosen(
        &self,
        state: TradingState,
        why: &str,
        now: WallNanos,
    ) -> Result<Kept, GuardFault> {
        let mut seen = self.0.seen.lock();
        let path = self.0.place.state();
        let _writing = self.writing().ok_or_else(|| GuardFault::Busy {
            path: path.display().to_string(),
        })?;
        let before = read(&self.0.place);
        self.write(&mut seen, kept(state, Cause::Operator.name(), why, now))?;
        self.0.latch.loosen(state);
        Ok(before)
    }

    /// Looks whether file and latch still agree, and makes them: the tighter one wins.
    ///
    /// # Errors
    ///
    /// [`GuardFault::Io`] when the file should follow and cannot; the next look tries again.
    pub fn look(&self, now: WallNanos) -> Result<Look, GuardFault> {
        let mut seen = self.0.seen.lock();
        let held = self.0.latch.get();
        let found = print(&self.0.place.state());
        if found == seen.print {
            if held <= seen.kept.state {
                return Ok(Look::Same);
            }
            self.write(
                &mut seen,
                kept(
                    held,
                    self.0.latch.cause().name(),
                    "tightened by the engine",
                    now,
                ),
            )?;
            return Ok(Look::Followed);
        }
        let kept = read(&self.0.place);
        if kept.state > held {
            let by = Cause::ALL.into_iter().find(|by| by.name() == kept.cause);
            self.0
                .latch
                .tighten(kept.state, by.unwrap_or(Cause::Operator));
            *seen = Seen {
                kept: kept.clone(),
                print: found,
            };
            return Ok(Look::Tightened(kept));
        }
        if kept.state < held {
            let mut ours = seen.kept.clone();
            ours.state = held;
            self.write(&mut seen, ours)?;
            return Ok(Look::PutBack);
        }
        *seen = Seen { kept, print: found };
        Ok(Look::Same)
    }

    /// Holds other writers off, or `None` when one of them does not let go.
    fn writing(&self) -> Option<File> {
        let file = Place::open(&self.0.place.file("writing")).ok()?;
        for _ in 0..WRITER_TURNS {
            if file.try_lock().is_ok() {
                return Some(file);
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        None
    }

    fn write(&self, seen: &mut Seen, kept: Kept) -> Result<(), GuardFault> {
        let place = &self.0.place;
        let path = place.state();
        let fresh = place.file(&format!("new-{}", std::process::id()));
        let written = write_file(&fresh, &text(place.account(), &kept))
            .and_then(|()| std::fs::rename(&fresh, &path))
            .and_then(|()| File::open(place.folder())?.sync_all());
        if written.is_err() {
            std::fs::remove_file(&fresh).ok();
        }
        written.map_err(io(&path, "write the trading state"))?;
        seen.print = print(&path);
        seen.kept = kept;
        Ok(())
    }
}

fn write_file(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn print(path: &Path) -> Option<Print> {
    let found = std::fs::metadata(path).ok()?;
    Some((found.ino(), found.mtime(), found.mtime_nsec(), found.size()))
}

fn kept(state: TradingState, cause: &str, why: &str, now: WallNanos) -> Kept {
    Kept {
        state,
        cause: cause.to_owned(),
        who: format!("pid {}", std::process::id()),
        when: now.to_string(),
        why: why.to_owned(),
        damage: None,
    }
}

fn text(account: &str, kept: &Kept) -> String {
    let head = "# The trading state of an account: active, reducing (exits and cancels only) or halted (cancels\n\
                # only). tezi reads it at every start. Loosen it with: tezi kill --resume --yes\n";
    let mut table = toml::Table::new();
    for (key, value) in [
        ("account", account),
        ("state", kept.state.name()),
        ("cause", &kept.cause),
        ("who", &kept.who),
        ("when", &kept.when),
        ("why", &kept.why),
    ] {
        table.insert(key.to_owned(), value.into());
    }
    format!("{head}{table}")
}

/// Reads the file; what cannot be understood is `halted`.
fn read(place: &Place) -> Kept {
    let path = place.state();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Kept::default(),
        Err(error) => return damaged(&path, &error.to_string()),
    };
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            let error: toml::de::Error = error;
            return damaged(&path, error.message());
        }
    };
    let field = |key: &str| table.get(key).and_then(toml::Value::as_str);
    let owner = field("account").unwrap_or(place.account());
    if owner != place.account() {
        return damaged(&path, &format!("it is account {owner:?}'s"));
    }
    let Some(state) = field("state").and_then(TradingState::parse) else {
        return damaged(&path, "no state of active, reducing or halted in it");
    };
    let word = |key: &str| field(key).unwrap_or("").to_owned();
    Kept {
        state,
        cause: word("cause"),
        who: word("who"),
        when: word("when"),
        why: word("why"),
        damage: None,
    }
}

fn damaged(path: &Path, why: &str) -> Kept {
    Kept {
        state: TradingState::Halted,
        cause: Cause::Start.name().to_owned(),
        damage: Some(format!(
            "{}: {why}; the trading state is unknown, so trading is halted. Look at the file, check positions \
             and orders at the broker, then run tezi kill --resume --yes",
            path.display()
        )),
        ..Kept::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TradingState::{Active, Halted, Reducing};
    use std::os::unix::fs::PermissionsExt as _;

    const NOW: WallNanos = WallNanos(1_790_000_000_000_000_000);

    fn open(dir: &Path) -> (Guard, StateLatch) {
        Guard::open(dir, "AB1234").expect("guard")
    }

    #[test]
    fn a_state_survives_every_restart_and_only_an_operator_loosens_it() {
        let dir = tempfile::tempdir().expect("dir");
        let (guard, latch) = open(dir.path());
        assert_eq!(latch.get(), Active, "a missing file is active");
        assert!(
            guard
                .tighten(Halted, Cause::DailyLoss, "lost 5 %", NOW)
                .expect("written")
        );
        assert!(
            !guard
                .tighten(Reducing, Cause::Operator, "later", NOW)
                .expect("kept"),
            "a looser wish changes nothing"
        );
        let (again, latch) = open(dir.path());
        assert_eq!(latch.get(), Halted);
        let kept = again.kept();
        assert_eq!(
            (kept.cause.as_str(), kept.why.as_str()),
            ("daily_loss", "lost 5 %")
        );
        let before = again.loosen(Active, "looked at it", NOW).expect("loosened");
        assert_eq!((before.state, latch.get()), (Halted, Active));
        assert_eq!(open(dir.path()).1.get(), Active);
    }

    #[test]
    fn a_damaged_file_halts_and_says_what_to_do() {
        let dir = tempfile::tempdir().expect("dir");
        let path = open(dir.path()).0.place().state();
        for bad in [
            "",
            "state = \"halt",
            "state = \"open\"",
            "state = 3",
            "state = \"active\"\naccount = \"ZZ9999\"",
        ] {
            std::fs::write(&path, bad).expect("write");
            let (guard, latch) = open(dir.path());
            assert_eq!(latch.get(), Halted, "{bad:?}");
            let damage = guard.kept().damage.expect("damage");
            assert!(
                damage.contains("--resume") && damage.contains("AB1234.toml"),
                "{damage}"
            );
        }
        std::fs::write(&path, [0xff, 0xfe, 0]).expect("write");
        assert_eq!(open(dir.path()).1.get(), Halted);
        std::fs::write(&path, "state = \"reducing\"").expect("write");
        assert_eq!(
            open(dir.path()).1.get(),
            Reducing,
            "a hand-written file is enough"
        );
    }

    #[test]
    fn a_kill_holds_in_memory_when_the_disk_refuses() {
        let dir = tempfile::tempdir().expect("dir");
        let (guard, latch) = open(dir.path());
        // A folder in the place of the file cannot be replaced by one, not even by the superuser.
        std::fs::create_dir(guard.place().state()).expect("folder");
        let fault = guard.tighten(Halted, Cause::Operator, "kill", NOW);
        assert!(matches!(fault, Err(GuardFault::Io { .. })), "{fault:?}");
        assert_eq!(latch.get(), Halted);
        assert!(guard.loosen(Active, "no", NOW).is_err());
        assert_eq!(
            latch.get(),
            Halted,
            "what cannot be written is not loosened"
        );
        std::fs::remove_dir(guard.place().state()).expect("room again");
        let looked = (0..2).any(|_| matches!(guard.look(NOW), Ok(Look::Followed | Look::PutBack)));
        assert!(looked, "the file follows when the disk allows it");
        assert_eq!(open(dir.path()).1.get(), Halted);
    }

    #[test]
    fn the_tighter_of_file_and_latch_wins_at_a_look() {
        let dir = tempfile::tempdir().expect("dir");
        let (guard, latch) = open(dir.path());
        assert_eq!(guard.look(NOW).expect("look"), Look::Same);
        let (other, _) = open(dir.path());
        other
            .tighten(Reducing, Cause::Operator, "flatten", NOW)
            .expect("written");
        assert!(matches!(guard.look(NOW).expect("look"), Look::Tightened(k) if k.why == "flatten"));
        assert_eq!(latch.get(), Reducing);
        latch.tighten(Halted, Cause::Venue);
        assert_eq!(guard.look(NOW).expect("look"), Look::Followed);
        assert_eq!(open(dir.path()).1.get(), Halted);
        std::fs::remove_file(guard.place().state()).expect("removed");
        assert_eq!(guard.look(NOW).expect("look"), Look::PutBack);
        std::fs::write(guard.place().state(), "state = \"active\"").expect("edited");
        assert_eq!(guard.look(NOW).expect("look"), Look::PutBack);
        assert_eq!((latch.get(), open(dir.path()).1.get()), (Halted, Halted));
    }

    #[test]
    fn a_folder_open_to_others_and_an_unfit_account_are_refused() {
        let dir = tempfile::tempdir().expect("dir");
        open(dir.path());
        let folder = dir.path().join("guard");
        let mode = |mode| {
            std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode))
                .expect("chmod");
        };
        mode(0o750);
        let fault = Guard::open(dir.path(), "AB1234").expect_err("open to the group");
        assert!(fault.to_string().contains("chmod 700"), "{fault}");
        mode(0o700);
        for bad in ["", "../x", "A B", &"A".repeat(33)] {
            assert!(
                matches!(Guard::open(dir.path(), bad), Err(GuardFault::Account(_))),
                "{bad}"
            );
        }
        assert!(Guard::open(dir.path(), &"A".repeat(32)).is_ok());
    }
}
