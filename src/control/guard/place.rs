//! Where an account's operator files lie, and that nobody else can reach them.

use super::{GuardFault, io};
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Bytes of a path a local socket's address can hold, without the final zero.
const SOCKET_PATH_MAX: usize = 107;

/// The operator files of one account.
#[derive(Clone, Debug)]
pub struct Place {
    folder: PathBuf,
    account: String,
}

impl Place {
    /// Names the files of an account, making their folder when there is none.
    ///
    /// # Errors
    ///
    /// [`GuardFault::Account`] for a name that cannot be part of a file name, [`GuardFault::Open`] when others
    /// may enter the folder, [`GuardFault::Io`] when it cannot be made.
    pub fn new(data_dir: &Path, account: &str) -> Result<Self, GuardFault> {
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if account.is_empty() || account.len() > 32 || !account.chars().all(legal) {
            return Err(GuardFault::Account(account.to_owned()));
        }
        let folder = data_dir.join("guard");
        std::fs::create_dir_all(data_dir).map_err(io(data_dir, "make this folder"))?;
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(io(&folder, "make this folder")(error));
            }
            _ => {}
        }
        let found = std::fs::metadata(&folder).map_err(io(&folder, "read this folder"))?;
        let mode = found.mode() & 0o777;
        if mode & 0o077 != 0 {
            let folder = folder.display().to_string();
            return Err(GuardFault::Open { folder, mode });
        }
        let account = account.to_owned();
        Ok(Self { folder, account })
    }

    /// Accounts that have operator files under a data folder, sorted.
    pub fn accounts(data_dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(data_dir.join("guard"));
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            let account = name.strip_suffix(".toml").or(name.strip_suffix(".lock"))?;
            Some(account.to_owned())
        };
        let mut accounts: Vec<String> = entries.into_iter().flatten().filter_map(name).collect();
        accounts.sort();
        accounts.dedup();
        accounts
    }

    /// The account.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The trading state.
    pub fn state(&self) -> PathBuf {
        self.file("toml")
    }

    /// Who runs.
    pub fn lock(&self) -> PathBuf {
        self.file("lock")
    }

    /// The door.
    ///
    /// # Errors
    ///
    /// [`GuardFault::LongPath`] when it does not fit into a socket's address.
    pub fn socket(&self) -> Result<PathBuf, GuardFault> {
        let path = self.file("sock");
        let bytes = path.as_os_str().len();
        if bytes > SOCKET_PATH_MAX {
            let path = path.display().to_string();
            return Err(GuardFault::LongPath { path, bytes });
        }
        Ok(path)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn file(&self, kind: &str) -> PathBuf {
        self.folder.join(format!("{}.{kind}", self.account))
    }

    /// Opens a file of ours for reading and writing, making it for its owner only.
    pub(super) fn open(path: &Path) -> Result<File, GuardFault> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(io(path, "open this file"))
    }
}
