//! The operator's hand on the engine: the trading state on disk, the lock of an account, the door.
//!
//! ```text
//!   tezi kill ──► ACCOUNT.sock ──► Door ──► StateLatch ──► read before every send
//!        │                          │  ▲
//!        └──► ACCOUNT.toml ◄────────┘  └── SIGUSR1, SIGUSR2, the file changed by somebody else
//! ```
//!
//! Everything lies in `data_dir/guard`, a folder that only its owner can enter:
//! `ACCOUNT.toml` the trading state · `ACCOUNT.lock` who runs · `ACCOUNT.sock` the door.
//!
//! Promises
//! - The state survives every restart: a missing file is `active`, a damaged one is `halted`.
//! - Tightening touches the atomic latch first and the disk second; a full disk does not delay a kill.
//! - Only [`Guard::loosen`] loosens, and a file changed to something looser under a running engine is put back.
//! - Two engines never run on one account of one venue on this machine, not even from a copied folder.

pub mod client;
pub mod door;
pub mod latch;
pub mod lock;
mod place;

pub use client::{Heard, Told, price, status, tell};
pub use door::{Door, Prices, Wish};
pub use latch::{Guard, Kept};
pub use lock::{Lock, holder};
pub use place::Place;

use std::path::Path;

/// Why the operator's files cannot be used; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum GuardFault {
    /// The account's name cannot be part of a file name.
    #[error(
        "account {0:?}: letters, digits, - and _ are expected, at most 32, because files are named after it"
    )]
    Account(String),
    /// Others may enter the folder.
    #[error(
        "{folder}: its mode is {mode:o}, but whoever enters it can stop or resume trading; run chmod 700 {folder}"
    )]
    Open {
        /// The folder.
        folder: String,
        /// Its permissions.
        mode: u32,
    },
    /// A file or folder cannot be read or written.
    #[error("{path}: cannot {act}: {source}")]
    Io {
        /// The file or folder.
        path: String,
        /// What was tried.
        act: &'static str,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// Another process runs on this account.
    #[error(
        "account {account} is in use by {holder} ({place}); two engines on one account would double its \
         orders: stop that one first, or give this one another account"
    )]
    Held {
        /// The account.
        account: String,
        /// Process id and start, or what is known of the holder.
        holder: String,
        /// The file or name that is locked.
        place: String,
    },
    /// The path of the socket does not fit into an address.
    #[error(
        "{path}: {bytes} bytes are too long for a local socket, 107 are allowed; choose a shorter engine.data_dir"
    )]
    LongPath {
        /// The path.
        path: String,
        /// Its length.
        bytes: usize,
    },
    /// The state is to be loosened, but another process is writing it.
    #[error("{path}: another process is writing the trading state; try again")]
    Busy {
        /// The file.
        path: String,
    },
}

/// Names the file and what was tried with it.
fn io(path: &Path, act: &'static str) -> impl FnOnce(std::io::Error) -> GuardFault {
    let path = path.display().to_string();
    move |source| GuardFault::Io { path, act, source }
}
