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

use super::latch::{Guard, Look};
use super::lock::Lock;
use super::{GuardFault, io};
use crate::model::{Cause, TradingState, WallNanos};
use crate::runtime::Clock;
use crossbeam_channel::{Receiver, Sender, bounded};
use mio::net::{UnixListener, UnixStream};
use mio::{Events, Interest, Poll, Token, Waker};
use parking_lot::Mutex;
use serde_json::{Value, json};
use signal_hook::SigId;
use signal_hook::consts::{SIGUSR1, SIGUSR2};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Talks at once; one more ends the oldest.
pub const CLIENTS_MAX: usize = 8;
/// Bytes of a line.
pub const LINE_MAX: usize = 512;
/// Time between two looks at the state file.
const LOOK: Duration = Duration::from_millis(20);
/// Wishes control has not taken yet; the latch is tight whether it takes them or not.
const WISHES: usize = 64;

const KNOCK: Token = Token(0);
const WAKE: Token = Token(1);
const KILL: Token = Token(2);
const FLATTEN: Token = Token(3);
const FIRST_CLIENT: usize = 4;

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

/// One who talks.
#[derive(Debug)]
struct Client {
    token: Token,
    stream: UnixStream,
    heard: Vec<u8>,
}

/// The thread's own.
struct Keeper {
    shown: Shown,
    teller: Teller,
    guard: Guard,
    clock: Clock,
    listener: UnixListener,
    pipes: Vec<UnixStream>,
    clients: Vec<Client>,
    next: usize,
    wishes: Sender<Wish>,
    notes: Sender<String>,
    last_fault: String,
    stop: Arc<AtomicBool>,
}

impl Keeper {
    fn keep(mut self, mut poll: Poll) {
        let mut events = Events::with_capacity(32);
        let mut looked = self.clock.mono();
        while !self.stop.load(Ordering::Acquire) {
            // Interrupted or timed out: either way everything is looked at below.
            drop(poll.poll(&mut events, Some(LOOK)));
            for event in &events {
                match event.token() {
                    KNOCK => self.welcome(&poll),
                    WAKE => {}
                    KILL => self.signal(0, Wish::Halt),
                    FLATTEN => self.signal(1, Wish::Flatten),
                    client => self.listen(client),
                }
            }
            let now = self.clock.mono();
            if u128::from(now.0.saturating_sub(looked.0)) >= LOOK.as_nanos() || events.is_empty() {
                looked = now;
                self.look();
            }
        }
    }

    fn wall(&self) -> WallNanos {
        self.clock.now().wall
    }

    fn say(&self, note: String) {
        self.notes.try_send(note).ok();
    }

    fn welcome(&mut self, poll: &Poll) {
        while let Ok((mut stream, _)) = self.listener.accept() {
            let token = Token(self.next);
            self.next = self.next.wrapping_add(1).max(FIRST_CLIENT);
            if poll
                .registry()
                .register(&mut stream, token, Interest::READABLE)
                .is_err()
            {
                continue;
            }
            if self.clients.len() == CLIENTS_MAX {
                self.clients.remove(0);
            }
            self.clients.push(Client {
                token,
                stream,
                heard: Vec::new(),
            });
            // The line may have come with the knock, before the socket was registered.
            self.listen(token);
        }
    }

    /// Drains the pipe first, so that a signal arriving meanwhile wakes the thread again.
    fn signal(&mut self, pipe: usize, wish: Wish) {
        let mut bytes = [0_u8; 64];
        let mut came = false;
        if let Some(pipe) = self.pipes.get_mut(pipe) {
            while pipe.read(&mut bytes).is_ok_and(|read| read > 0) {
                came = true;
            }
        }
        if came {
            self.guard.latch().tighten(wish.state(), Cause::Operator);
            // The note says so when the file cannot be written; a signal has nobody else to tell.
            self.fulfil(wish, "by signal").ok();
        }
    }

    fn listen(&mut self, token: Token) {
        let Some(at) = self.clients.iter().position(|c| c.token == token) else {
            return;
        };
        let mut client = self.clients.remove(at);
        if self.hear(&mut client) {
            self.clients.push(client);
        }
    }

    /// Reads what there is; false when the talk is over.
    fn hear(&mut self, client: &mut Client) -> bool {
        let mut bytes = [0_u8; LINE_MAX];
        loop {
            match client.stream.read(&mut bytes) {
                Ok(0) => return false,
                Ok(read) => client
                    .heard
                    .extend_from_slice(bytes.get(..read).unwrap_or(&[])),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
            while let Some(end) = client.heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = client.heard.drain(..=end).collect();
                self.answer(&line, &mut client.stream);
            }
            if client.heard.len() > LINE_MAX {
                reply(
                    &mut client.stream,
                    &json!({ "error": format!("a line has at most {LINE_MAX} bytes") }),
                );
                return false;
            }
        }
    }

    fn answer(&mut self, line: &[u8], stream: &mut UnixStream) {
        let begun = self.clock.mono();
        let line = String::from_utf8_lossy(line);
        let (word, why) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        if word == "status" {
            return reply(stream, &self.status());
        }
        if word == "price" {
            let told = self.teller.lock().as_ref().map(|prices| prices(why));
            let none = || json!({ "error": "there are no prices yet" });
            return reply(stream, &told.unwrap_or_else(none));
        }
        let Some(wish) = Wish::parse(word) else {
            let text =
                format!("{word:?}: kill, flatten, reduce, resume, status or price is expected");
            return reply(stream, &json!({ "error": text }));
        };
        let latch = self.guard.latch();
        let before = latch.get();
        if wish == Wish::Resume {
            let result = self.guard.loosen(TradingState::Active, why, self.wall());
            let state = self.guard.latch().get();
            reply(stream, &first(wish, before, state, self.since(begun)));
            match &result {
                Ok(kept) => {
                    self.say(format!(
                        "resumed by the operator; it was {} ({}: {})",
                        kept.state, kept.cause, kept.why
                    ));
                    self.wishes.try_send(wish).ok();
                }
                Err(fault) => self.say(fault.to_string()),
            }
            return reply(stream, &second(result.map(|_| true)));
        }
        latch.tighten(wish.state(), Cause::Operator);
        let state = latch.get();
        reply(stream, &first(wish, before, state, self.since(begun)));
        let result = self.fulfil(wish, why);
        reply(stream, &second(result));
    }

    fn since(&self, begun: crate::model::MonoNanos) -> u64 {
        self.clock.mono().0.saturating_sub(begun.0)
    }

    /// The latch is tight: tells control, then writes the file.
    fn fulfil(&mut self, wish: Wish, why: &str) -> Result<bool, GuardFault> {
        self.wishes.try_send(wish).ok();
        let result = self
            .guard
            .tighten(wish.state(), Cause::Operator, why, self.wall());
        let state = self.guard.latch().get();
        match &result {
            Ok(_) => self.say(format!(
                "{} by the operator, trading is {state}: {why}",
                wish.word()
            )),
            Err(fault) => self.say(format!(
                "{} by the operator, trading is {state}, but a restart would forget it: {fault}",
                wish.word()
            )),
        }
        result
    }

    /// The file may have been changed by another process, or be behind the latch.
    fn look(&mut self) {
        match self.guard.look(self.wall()) {
            Ok(Look::Same) => self.last_fault.clear(),
            Ok(Look::Tightened(kept)) => {
                let wish = if kept.state == TradingState::Halted {
                    Wish::Halt
                } else {
                    Wish::Reduce
                };
                self.wishes.try_send(wish).ok();
                let why = kept.damage.unwrap_or(kept.why);
                self.say(format!("the state file says {}: {why}", kept.state));
            }
            Ok(Look::PutBack) => self.say(
                "the state file was loosened or removed while the engine runs; it was put back: use tezi \
                 kill --resume --yes"
                    .to_owned(),
            ),
            Ok(Look::Followed) => self.say("the trading state is on disk now".to_owned()),
            Err(fault) => {
                let fault = fault.to_string();
                if fault != self.last_fault {
                    self.say(format!("a restart would forget the trading state: {fault}"));
                    self.last_fault = fault;
                }
            }
        }
    }

    fn status(&self) -> Value {
        let kept = self.guard.kept();
        json!({
            "pid": std::process::id(),
            "account": self.guard.place().account(),
            "state": self.guard.latch().get().name(),
            "file": { "state": kept.state.name(), "cause": kept.cause, "who": kept.who, "when": kept.when,
                      "why": kept.why, "damage": kept.damage },
            "feed": self.shown.lock().clone(),
        })
    }
}

fn first(wish: Wish, before: TradingState, state: TradingState, latched_ns: u64) -> Value {
    json!({ "did": wish.word(), "pid": std::process::id(), "before": before.name(), "state": state.name(),
            "latched_ns": latched_ns })
}

fn second(result: Result<bool, GuardFault>) -> Value {
    match result {
        Ok(changed) => json!({ "written": true, "changed": changed }),
        Err(fault) => json!({ "written": false, "error": fault.to_string() }),
    }
}

/// Whoever hung up does not hear it; the act is done all the same.
fn reply(stream: &mut UnixStream, value: &Value) {
    stream.write_all(format!("{value}\n").as_bytes()).ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::guard::client::{Heard, tell};
    use crate::runtime::MarketTime;
    use std::path::Path;

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
