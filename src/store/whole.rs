//! Files that are whole or not there: written beside their place, synced, and renamed to it.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

/// Writes parts one after the other as a file that takes the place of the one at `path`. A crash or a full disk at any
/// moment leaves the old file or the new one, and at most a file that ends in `.new` beside it.
///
/// # Errors
///
/// The operating system's; the file at `path` is as it was.
pub fn write_whole(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let mut file = File::create(&beside)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    // The name is in the folder, and a folder has a sync of its own.
    match path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_or_left_alone() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("a.b.state");
        write_whole(&path, &[b"one", b"", b" two"]).expect("written");
        assert_eq!(std::fs::read(&path).expect("read"), b"one two");
        write_whole(&path, &[b"three"]).expect("written");
        assert_eq!(std::fs::read(&path).expect("read"), b"three");
        let names = || std::fs::read_dir(folder.path()).expect("folder").count();
        assert_eq!(names(), 1, "nothing is left beside it");
        // A folder stands where the new file is written: the old one stays.
        std::fs::create_dir(folder.path().join("a.b.state.new")).expect("folder");
        assert!(write_whole(&path, &[b"four"]).is_err());
        assert_eq!(std::fs::read(&path).expect("read"), b"three");
    }
}
