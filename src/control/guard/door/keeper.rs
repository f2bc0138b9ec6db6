//! The thread of the door: hears lines and signals, sets the latch, writes the file, answers.

use super::{CLIENTS_MAX, LINE_MAX, Shown, Teller, Wish};
use crate::control::guard::GuardFault;
use crate::control::guard::latch::{Guard, Look};
use crate::model::{Cause, MonoNanos, TradingState, WallNanos};
use crate::runtime::Clock;
use crossbeam_channel::Sender;
use mio::net::{UnixListener, UnixStream};
use mio::{Events, Interest, Poll, Token};
use serde_json::{Value, json};
use std::io::{ErrorKind, Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Time between two looks at the state file.
const LOOK: Duration = Duration::from_millis(20);

pub(super) const KNOCK: Token = Token(0);
pub(super) const WAKE: Token = Token(1);
pub(super) const KILL: Token = Token(2);
pub(super) const FLATTEN: Token = Token(3);
pub(super) const FIRST_CLIENT: usize = 4;

/// One who talks.
#[derive(Debug)]
pub(super) struct Client {
    token: Token,
    stream: UnixStream,
    heard: Vec<u8>,
}

/// The thread's own.
pub(super) struct Keeper {
    pub(super) shown: Shown,
    pub(super) teller: Teller,
    pub(super) guard: Guard,
    pub(super) clock: Clock,
    pub(super) listener: UnixListener,
    pub(super) pipes: Vec<UnixStream>,
    pub(super) clients: Vec<Client>,
    pub(super) next: usize,
    pub(super) wishes: Sender<Wish>,
    pub(super) notes: Sender<String>,
    pub(super) last_fault: String,
    pub(super) stop: Arc<AtomicBool>,
}

impl Keeper {
    pub(super) fn keep(mut self, mut poll: Poll) {
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

    fn since(&self, begun: MonoNanos) -> u64 {
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
