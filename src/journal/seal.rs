//! Seals: what a finished journal file was, so that a later change shows even when its checksums were redone.
//!
//! ```text
//!   a.tzj ──► sha256(seal before ‖ bytes) ──► a.tzj.seal ──► goes into the seal of b.tzj ──► …
//! ```
//!
//! The checksums of the records find accidents at no cost to the hot thread; SHA-256 finds intent, and control
//! has the time for it. One seal kept elsewhere vouches for every file before it.
//!
//! Deliberately absent: a key. Who can write both files can seal again; the last seal belongs somewhere else.

use sha2::{Digest as _, Sha256};
use std::io;
use std::path::{Path, PathBuf};

/// What a check of one file's seal found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sealed {
    /// No seal: the file is in use, or its run was killed.
    Open,
    /// The file is what was sealed.
    Intact,
    /// The file, or a seal before it, was changed after sealing.
    Changed,
    /// The seal file cannot be read as one.
    Unreadable,
}

/// Where the seal of a journal file lies.
pub fn path_of(journal: &Path) -> PathBuf {
    let mut name = journal.as_os_str().to_owned();
    name.push(".seal");
    PathBuf::from(name)
}

/// Seals a finished file; `before` is the seal of the file before it, empty for the first. Returns the seal.
///
/// # Errors
///
/// When the file cannot be read or the seal exists already or cannot be written.
pub fn seal(journal: &Path, before: &str) -> io::Result<String> {
    let hash = hash(&std::fs::read(journal)?, before);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path_of(journal))?;
    io::Write::write_all(
        &mut file,
        format!("sha256 {hash} after {before}\n").as_bytes(),
    )?;
    file.sync_data()?;
    Ok(hash)
}

/// Checks a file against its seal and returns the seal for the next one; `before` is the seal of the file
/// before it, `None` when that has none or is not at hand.
///
/// # Errors
///
/// When the file cannot be read.
pub fn check(journal: &Path, before: Option<&str>) -> io::Result<(Sealed, Option<String>)> {
    let text = match std::fs::read_to_string(path_of(journal)) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok((Sealed::Open, None)),
        Err(_) => return Ok((Sealed::Unreadable, None)),
    };
    let mut words = text.strip_suffix('\n').unwrap_or_default().split(' ');
    let (Some("sha256"), Some(said), Some("after"), Some(after), None) = (
        words.next(),
        words.next(),
        words.next(),
        words.next(),
        words.next(),
    ) else {
        return Ok((Sealed::Unreadable, None));
    };
    let found = hash(&std::fs::read(journal)?, after);
    let intact = found == said && before.is_none_or(|before| before == after);
    let verdict = if intact {
        Sealed::Intact
    } else {
        Sealed::Changed
    };
    Ok((verdict, Some(said.to_owned())))
}

fn hash(bytes: &[u8], before: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(before.as_bytes());
    digest.update(bytes);
    data_encoding::HEXLOWER.encode(&digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_holds_until_a_byte_of_its_file_or_of_an_earlier_seal_changes() {
        let dir = tempfile::tempdir().expect("dir");
        let (a, b) = (dir.path().join("a.tzj"), dir.path().join("b.tzj"));
        std::fs::write(&a, b"first").expect("write");
        std::fs::write(&b, b"second").expect("write");
        assert_eq!(check(&a, None).expect("read"), (Sealed::Open, None));
        let first = seal(&a, "").expect("sealed");
        let second = seal(&b, &first).expect("sealed");
        assert!(seal(&a, "").is_err(), "sealed once");
        let whole = (Sealed::Intact, Some(second.clone()));
        assert_eq!(check(&b, Some(&first)).expect("read"), whole);
        let moved = (Sealed::Changed, Some(second));
        assert_eq!(check(&b, Some("other")).expect("read"), moved);
        std::fs::write(&a, b"firsT").expect("write");
        assert_eq!(check(&a, Some("")).expect("read").0, Sealed::Changed);
        std::fs::write(path_of(&a), b"sha1 x").expect("write");
        assert_eq!(check(&a, None).expect("read").0, Sealed::Unreadable);
    }
}
