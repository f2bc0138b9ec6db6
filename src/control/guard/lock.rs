//! One engine per account: a second one refuses to start.
//!
//! Two locks, both released by the kernel when their process dies, however it dies:
//! - a lock on `ACCOUNT.lock` in the data folder, which also says who holds it;
//! - a name of this machine (an abstract local socket) made from account and venue, because a copied data
//!   folder has a lock file of its own. It reaches as far as the network namespace: two containers, or two
//!   machines, are told apart only at the venue, by tags that are not ours.

use super::place::Place;
use super::{GuardFault, io};
use crate::model::WallNanos;
use sha2::{Digest as _, Sha256};
use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::time::Duration;

/// The right to run on an account, given up when dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
    _name: UnixListener,
    place: Place,
    note: Option<String>,
}

impl Lock {
    /// Takes the account, or says who has it.
    ///
    /// `venue` is host and port of the order interface, so that the same account name at a simulated venue and
    /// at a broker are two.
    ///
    /// # Errors
    ///
    /// [`GuardFault::Held`] naming process and file; [`GuardFault::Io`] when the lock file cannot be used.
    pub fn take(place: &Place, venue: &str, now: WallNanos) -> Result<Self, GuardFault> {
        let path = place.lock();
        let mut file = Place::open(&path)?;
        let mut before = String::new();
        file.read_to_string(&mut before).ok();
        let held = |holder: String, place_text: String| GuardFault::Held {
            account: place.account().to_owned(),
            holder,
            place: place_text,
        };
        match patient_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = match before.trim() {
                    "" => "a process that has not said its name yet".to_owned(),
                    known => known.to_owned(),
                };
                return Err(held(holder, path.display().to_string()));
            }
            Err(TryLockError::Error(error)) => return Err(io(&path, "lock this file")(error)),
        }
        let name = machine_name(place.account(), venue);
        let address = SocketAddr::from_abstract_name(&name).map_err(io(&path, "name the lock"))?;
        let listener = UnixListener::bind_addr(&address).map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                let holder = holder_of(&name).map_or_else(
                    || "another process of this machine".to_owned(),
                    |pid| format!("pid {pid}, which uses another data folder"),
                );
                held(holder, format!("this machine's name @{name}"))
            }
            _ => io(&path, "take this machine's name for the account")(error),
        })?;
        let note = dead_holder(&before, &path.display().to_string());
        write_holder(&mut file, now).map_err(io(&path, "write this file"))?;
        Ok(Self {
            file,
            _name: listener,
            place: place.clone(),
            note,
        })
    }

    /// Whose lock it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Says so when the lock of a dead process was taken over: it did not stop in order.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // An empty file says that the last holder stopped in order; the kernel opens the lock after it.
        self.file.set_len(0).ok();
    }
}

/// A verb that asks [`holder`] holds the lock for an instant; an engine holds it for as long as it runs.
fn patient_lock(file: &File) -> Result<(), TryLockError> {
    for _ in 0..3 {
        if file.try_lock().is_ok() {
            return Ok(());
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    file.try_lock()
}

/// Whether the file's lock is held, and by whom in its own words.
pub fn holder(place: &Place) -> Option<String> {
    let mut file = File::open(place.lock()).ok()?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            file.read_to_string(&mut text).ok();
            Some(text.trim().to_owned())
        }
        _ => None,
    }
}

fn write_holder(file: &mut File, now: WallNanos) -> std::io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "pid {}, started {now}", std::process::id())?;
    file.sync_all()
}

fn dead_holder(before: &str, path: &str) -> Option<String> {
    let before = before.trim();
    (!before.is_empty()).then(|| {
        format!("{path}: {before} held this lock and did not stop in order; it is gone and the lock is taken over")
    })
}

/// Fixed length, whatever the names.
fn machine_name(account: &str, venue: &str) -> String {
    let digest = Sha256::digest(format!("{account}\n{venue}"));
    format!("tezi-{}", data_encoding::HEXLOWER.encode(&digest[..16]))
}

/// The process that owns an abstract name: the kernel lists names with their socket's number, and every
/// process's descriptors name theirs.
fn holder_of(name: &str) -> Option<u32> {
    let list = std::fs::read_to_string("/proc/net/unix").ok()?;
    let wanted = format!("@{name}");
    let row = list.lines().find(|line| line.ends_with(&wanted))?;
    let socket = format!("socket:[{}]", row.split_whitespace().nth(6)?);
    let owns =
        |pid: &u32| {
            let files = std::fs::read_dir(format!("/proc/{pid}/fd"));
            files.into_iter().flatten().flatten().any(|file| {
                std::fs::read_link(file.path()).is_ok_and(|to| to.as_os_str() == &*socket)
            })
        };
    let pids = std::fs::read_dir("/proc").ok()?;
    pids.flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .find(owns)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallNanos = WallNanos(1_790_000_000_000_000_000);

    fn place(dir: &std::path::Path, account: &str) -> Place {
        Place::new(dir, account).expect("place")
    }

    #[test]
    fn a_second_engine_is_refused_with_process_and_file_until_the_first_is_gone() {
        let dir = tempfile::tempdir().expect("dir");
        let place = place(dir.path(), "LOCK01");
        let first = Lock::take(&place, "127.0.0.1:1", NOW).expect("free");
        assert_eq!(first.note(), None);
        let text = Lock::take(&place, "127.0.0.1:1", NOW)
            .expect_err("held")
            .to_string();
        let pid = format!("pid {}", std::process::id());
        assert!(
            text.contains(&pid) && text.contains("LOCK01.lock"),
            "{text}"
        );
        assert!(holder(&place).is_some_and(|h| h.contains(&pid)));
        drop(first);
        assert_eq!(holder(&place), None);
        let again = Lock::take(&place, "127.0.0.1:1", NOW).expect("free again");
        assert_eq!(again.note(), None, "it stopped in order");
    }

    #[test]
    fn a_copied_folder_is_refused_and_another_venue_is_not() {
        let (dir, copy) = (
            tempfile::tempdir().expect("dir"),
            tempfile::tempdir().expect("dir"),
        );
        let first = Lock::take(&place(dir.path(), "LOCK02"), "api.example:443", NOW).expect("free");
        let copied = place(copy.path(), "LOCK02");
        std::fs::copy(first.place().lock(), copied.lock()).expect("copied");
        let text = Lock::take(&copied, "api.example:443", NOW)
            .expect_err("held")
            .to_string();
        let pid = format!("pid {}", std::process::id());
        assert!(
            text.contains(&pid) && text.contains("another data folder"),
            "{text}"
        );
        assert!(Lock::take(&copied, "127.0.0.1:8900", NOW).is_ok());
        drop(first);
        assert!(Lock::take(&copied, "api.example:443", NOW).is_ok());
    }
}
