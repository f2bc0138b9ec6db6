//! The door an operator knocks at while the engine runs: a local socket, two signals, and the state file.
//!
//! ```text
//!   a line ──► latch (at once) ──► first reply ──► file ──► second reply ──► Wish for control
//!
//!   kill [why]      halted: cancels only           SIGUSR1 does the same
//!   flatten [why]   reducing, and close what is held   SIGUSR2
//!   reduce [why]    reducing
//!   resume [why]    active: the file first, then the latch
//!   status          what holds, and why
//!   price SYMBOL    the latest price of an instrument
//! ```
//!
//! Replies are JSON, one line each: the first when the latch is set, the second (not for `status` and `price`) when the
//! file is written or could not be.
//!
//! Promises
//! - A thread of its own that sleeps in the kernel: nothing the engine does delays a kill, and it costs
//!   nothing while nobody knocks. A parked stage would wake a thousand times a second, so it is no stage.
//! - At most [`CLIENTS_MAX`] talk at once, none is waited for, and a line has at most [`LINE_MAX`] bytes.

mod keeper;

use super::latch::Guard;
use super::lock::Lock;
use super::{GuardFault, io};
use crate::model::TradingState;
use crate::runtime::Clock;
use crossbeam_channel::{Receiver, bounded};
use keeper::{FIRST_CLIENT, FLATTEN, KILL, KNOCK, Keeper, WAKE};
use mio::net::{UnixListener, UnixStream};
use mio::{Interest, Poll, Waker};
use parking_lot::Mutex;
use serde_json::Value;
use signal_hook::SigId;
use signal_hook::consts::{SIGUSR1, SIGUSR2};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// Talks at once; one more ends the oldest.
pub const CLIENTS_MAX: usize = 8;
/// Bytes of a line.
pub const LINE_MAX: usize = 512;
/// Wishes control has not taken yet; the latch is tight whether it takes them or not.
const WISHES: usize = 64;

/// What an operator wants of control. The latch is already where the wish puts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Halted: cancel what works.
    Halt,
    /// Reducing: no entries.
    Reduce,
    /// Reducing, and close everything that is held.
    Flatten,
    /// Active again.
    Resume,
}

impl Wish {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Halt => "kill",
            Self::Reduce => "reduce",
            Self::Flatten => "flatten",
            Self::Resume => "resume",
        }
    }

    /// The trading state it stands for.
    pub const fn state(self) -> TradingState {
        match self {
            Self::Halt => TradingState::Halted,
            Self::Reduce | Self::Flatten => TradingState::Reducing,
            Self::Resume => TradingState::Active,
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Halt, Self::Reduce, Self::Flatten, Self::Resume]
            .into_iter()
            .find(|wish| wish.word() == word)
    }
}

/// The open door; dropping it closes it.
pub struct Door {
    wishes: Receiver<Wish>,
    notes: Receiver<String>,
    stop: Arc<AtomicBool>,
    waker: Waker,
    signals: Vec<SigId>,
    socket: PathBuf,
    thread: Option<JoinHandle<()>>,
    shown: Shown,
    teller: Teller,
}

/// Answers what the latest price of a symbol is.
pub type Prices = Box<dyn Fn(&str) -> Value + Send>;

/// Who answers for prices, once there is an engine.
type Teller = Arc<Mutex<Option<Prices>>>;

/// What control last said of the links of the feed.
type Shown = Arc<Mutex<Value>>;

impl Door {
    /// Opens the door of an account whose lock is held.
    ///
    /// Before this call SIGUSR1 and SIGUSR2 end the process, as they do by default: open the door before the
    /// first order can leave.
    ///
    /// # Errors
    ///
    /// [`GuardFault::LongPath`] when the data folder's path is too long for a socket, [`GuardFault::Io`] when
    /// the system refuses socket, signal or thread.
    pub fn open(lock: &Lock, guard: &Guard, clock: &Clock) -> Result<Self, GuardFault> {
        let socket = lock.place().socket()?;
        // We hold the lock, so what lies there belongs to a process that is gone.
        std::fs::remove_file(&socket).ok();
        let mut listener =
            UnixListener::bind(&socket).map_err(io(&socket, "open this local socket"))?;
        let act = |act| io(&socket, act);
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600))
            .map_err(act("keep this socket to its owner"))?;
        let poll = Poll::new().map_err(act("wait for this socket"))?;
        let registry = poll.registry();
        registry
            .register(&mut listener, KNOCK, Interest::READABLE)
            .map_err(act("wait for this socket"))?;
        let waker = Waker::new(registry, WAKE).map_err(act("wait for this socket"))?;
        let mut signals = Vec::new();
        let mut pipes = Vec::new();
        for (signal, token) in [(SIGUSR1, KILL), (SIGUSR2, FLATTEN)] {
            let (mut ours, theirs) =
                UnixStream::pair().map_err(act("listen for signals beside"))?;
            registry
                .register(&mut ours, token, Interest::READABLE)
                .map_err(act("listen for signals beside"))?;
            let id = signal_hook::low_level::pipe::register(signal, theirs)
                .map_err(act("listen for signals beside"))?;
            signals.push(id);
            pipes.push(ours);
        }
        let (wish_out, wishes) = bounded(WISHES);
        let (note_out, notes) = bounded(WISHES);
        let stop = Arc::new(AtomicBool::new(false));
        let (shown, teller) = (Shown::default(), Teller::default());
        let keeper = Keeper {
            shown: Arc::clone(&shown),
            teller: Arc::clone(&teller),
            guard: guard.clone(),
            clock: clock.clone(),
            listener,
            pipes,
            clients: Vec::new(),
            next: FIRST_CLIENT,
            wishes: wish_out,
            notes: note_out,
            last_fault: String::new(),
            stop: Arc::clone(&stop),
        };
        let thread = std::thread::Builder::new()
            .name("tezi-door".to_owned())
            .spawn(move || keeper.keep(poll))
            .map_err(act("start a thread for"))?;
        Ok(Self {
            wishes,
            notes,
            stop,
            waker,
            signals,
            socket,
            thread: Some(thread),
            shown,
            teller,
        })
    }

    /// What `status` says of the links of the feed from now on.
    pub fn show(&self, links: Value) {
        *self.shown.lock() = links;
    }

    /// Who answers `price` from now on.
    pub fn tell_prices(&self, prices: Prices) {
        *self.teller.lock() = Some(prices);
    }

    /// The next wish nobody took yet.
    pub fn take(&self) -> Option<Wish> {
        self.wishes.try_recv().ok()
    }

    /// The next thing an operator should read: what was done and by whom, and files that cannot be written.
    pub fn note(&self) -> Option<String> {
        self.notes.try_recv().ok()
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Door");
        shown.field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        for signal in self.signals.drain(..) {
            signal_hook::low_level::unregister(signal);
        }
        self.stop.store(true, Ordering::Release);
        self.waker.wake().ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
        std::fs::remove_file(&self.socket).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::guard::client::{Heard, tell};
    use crate::runtime::MarketTime;
    use std::path::Path;
    use std::time::Duration;

    fn opened(dir: &Path, account: &str) -> (Guard, Lock, Door) {
        let clock = Clock::start(&MarketTime::Real);
        let (guard, _) = Guard::open(dir, account).expect("guard");
        let lock = Lock::take(guard.place(), "127.0.0.1:1", clock.now().wall).expect("lock");
        let door = Door::open(&lock, &guard, &clock).expect("door");
        (guard, lock, door)
    }

    fn patiently<T>(mut look: impl FnMut() -> Option<T>) -> T {
        for _ in 0..2_000 {
            if let Some(found) = look() {
                return found;
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        panic!("gave up waiting");
    }

    #[test]
    fn each_word_does_what_it_says_and_control_hears_of_it() {
        let dir = tempfile::tempdir().expect("dir");
        let (guard, lock, door) = opened(dir.path(), "DOOR01");
        for (word, state, wish) in [
            ("reduce too fast", TradingState::Reducing, Wish::Reduce),
            ("flatten", TradingState::Reducing, Wish::Flatten),
            ("kill enough", TradingState::Halted, Wish::Halt),
            ("reduce", TradingState::Halted, Wish::Reduce),
            ("resume", TradingState::Active, Wish::Resume),
        ] {
            let Heard::Told(told) = tell(lock.place(), word).expect("talk") else {
                panic!("somebody is there")
            };
            assert_eq!((told.state, guard.latch().get()), (state, state), "{word}");
            assert!(told.written, "{word}");
            assert_eq!(door.take(), Some(wish), "{word}");
        }
        assert_eq!(door.take(), None);
        assert!(door.note().is_some_and(|note| note.contains("too fast")));
        drop(door);
        assert!(matches!(tell(lock.place(), "kill"), Ok(Heard::Nobody)));
    }

    #[test]
    fn a_line_that_is_not_a_word_changes_nothing() {
        let dir = tempfile::tempdir().expect("dir");
        let (guard, lock, door) = opened(dir.path(), "DOOR02");
        for bad in ["", "KILL", "stop", &"k".repeat(2_000)] {
            assert!(tell(lock.place(), bad).is_err(), "{bad:?}");
        }
        // Silent ones do not keep others out.
        let socket = lock.place().socket().expect("path");
        let silent: Vec<_> = (0..20)
            .filter_map(|_| std::os::unix::net::UnixStream::connect(&socket).ok())
            .collect();
        assert_eq!(guard.latch().get(), TradingState::Active);
        assert!(matches!(tell(lock.place(), "kill"), Ok(Heard::Told(_))));
        assert_eq!(silent.len(), 20);
        drop(door);
    }

    #[test]
    fn the_state_file_of_another_process_is_followed_and_a_looser_one_put_back() {
        let dir = tempfile::tempdir().expect("dir");
        let (guard, _lock, door) = opened(dir.path(), "DOOR03");
        std::fs::write(
            guard.place().state(),
            "state = \"halted\"\nwhy = \"by hand\"",
        )
        .expect("write");
        assert_eq!(patiently(|| door.take()), Wish::Halt);
        assert_eq!(guard.latch().get(), TradingState::Halted);
        std::fs::remove_file(guard.place().state()).expect("removed");
        patiently(|| guard.place().state().exists().then_some(()));
        assert_eq!(guard.latch().get(), TradingState::Halted);
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_named() {
        let dir = tempfile::tempdir().expect("dir");
        let long = dir.path().join("d".repeat(100));
        let (guard, _) = Guard::open(&long, "DOOR04").expect("guard");
        let clock = Clock::start(&MarketTime::Real);
        let lock = Lock::take(guard.place(), "127.0.0.1:1", clock.now().wall).expect("lock");
        let fault = Door::open(&lock, &guard, &clock).expect_err("too long");
        assert!(matches!(fault, GuardFault::LongPath { .. }), "{fault}");
        assert!(fault.to_string().contains("107"));
    }
}
