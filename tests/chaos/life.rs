//! One life of `tezi run`: a process that is killed, stopped or ended in order, and every line it said.

use super::processes::World;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

pub(crate) use rustix::process::Signal;

/// Longer than an end in order takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running engine.
pub(crate) struct Life {
    child: Child,
    lines: Receiver<String>,
    talk: Receiver<String>,
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
        let mut child = Command::new(env!("CARGO_BIN_EXE_tezi"))
            .args(["run", "--json", "--no-bars", "--config"])
            .arg(world.config())
            .arg("--venue-ready")
            .arg(ready)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the engine starts");
        let (lines_in, lines) = channel();
        let (talk_in, talk) = channel();
        let stdout = child.stdout.take().expect("piped");
        let mut stderr = child.stderr.take().expect("piped");
        spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                lines_in.send(line).ok();
            }
        });
        spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).ok();
            talk_in.send(text).ok();
        });
        Self {
            child,
            lines,
            talk,
            said: Vec::new(),
        }
    }

    /// Everything said so far.
    pub(crate) fn said(&mut self) -> &[Value] {
        // The last line of a killed process may be half a line.
        let whole = self.lines.try_iter();
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
        self.child.try_wait().expect("a child").is_some()
    }

    pub(crate) fn signal(&self, number: Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, number).expect("the process is ours");
    }

    /// Ends it as a power switch would; nothing is flushed and nobody is told.
    pub(crate) fn kill(mut self) -> Past {
        self.child.kill().ok();
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
        let errors = match self.talk.recv_timeout(PATIENCE) {
            Ok(text) => text,
            Err(why) => {
                self.child.kill().ok();
                panic!("the engine does not end ({why})")
            }
        };
        let status = self.child.wait().expect("a child");
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
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

impl Drop for Life {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[expect(clippy::disallowed_methods, reason = "a test reads two pipes at once")]
fn spawn(work: impl FnOnce() + Send + 'static) {
    std::thread::spawn(work);
}
