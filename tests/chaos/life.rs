//! One life of `tezi run`: a process that is killed, stopped or ended in order, and every line it said.

use super::processes::{Heard, World};
use serde_json::Value;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

pub(crate) use rustix::process::Signal;

/// Longer than an end in order takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running engine.
pub(crate) struct Life {
    heard: Heard,
    said: Vec<Value>,
}

/// One that is over.
#[derive(Debug)]
pub(crate) struct Past {
    /// Exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    /// The signal that ended it.
    pub(crate) signal: Option<i32>,
    /// Its lines of JSON.
    pub(crate) said: Vec<Value>,
    /// What it wrote to stderr.
    pub(crate) errors: String,
}

impl Life {
    /// Starts `tezi run --json` against a venue.
    pub(crate) fn start(world: &World, ready: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tezi"));
        command.args(["run", "--json", "--no-bars", "--config"]);
        command.arg(world.config()).arg("--venue-ready").arg(ready);
        Self {
            heard: Heard::start(&mut command),
            said: Vec::new(),
        }
    }

    /// Everything said so far.
    pub(crate) fn said(&mut self) -> &[Value] {
        // The last line of a killed process may be half a line.
        let whole = self.heard.lines.try_iter();
        let parsed = whole.filter_map(|line| serde_json::from_str(&line).ok());
        self.said.extend(parsed);
        &self.said
    }

    /// How many lines of one kind were said.
    pub(crate) fn count(&mut self, kind: &str) -> usize {
        super::processes::events(self.said(), kind).len()
    }

    /// True once it ended by itself.
    pub(crate) fn is_over(&mut self) -> bool {
        self.heard.child.0.try_wait().expect("a child").is_some()
    }

    pub(crate) fn signal(&self, number: Signal) {
        self.heard.signal(number);
    }

    /// Ends it as a power switch would; nothing is flushed and nobody is told.
    pub(crate) fn kill(mut self) -> Past {
        self.heard.child.0.kill().ok();
        self.past()
    }

    /// Ends it as an operator would.
    pub(crate) fn interrupt(mut self) -> Past {
        if !self.is_over() {
            self.signal(Signal::INT);
        }
        self.past()
    }

    /// Waits for its end.
    pub(crate) fn past(mut self) -> Past {
        let errors = match self.heard.talk.recv_timeout(PATIENCE) {
            Ok(text) => text,
            Err(why) => {
                self.heard.child.0.kill().ok();
                panic!("the engine does not end ({why})")
            }
        };
        let status = self.heard.child.0.wait().expect("a child");
        while let Ok(line) = self.heard.lines.recv_timeout(PATIENCE) {
            self.said.extend(serde_json::from_str::<Value>(&line).ok());
        }
        Past {
            code: status.code(),
            signal: status.signal(),
            said: std::mem::take(&mut self.said),
            errors,
        }
    }
}
