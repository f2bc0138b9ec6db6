//! The two processes of a run, in a folder of their own, ended when the test ends.

use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tezi::net::{HttpConnection, Url, tls};

/// Longer than anything takes on a loaded machine; only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(180);
/// Longest wait for something among lines that keep coming.
const LONGEST: Duration = Duration::from_secs(400);

#[expect(clippy::disallowed_methods, reason = "a test waits in real time")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "a test waits in real time")]
pub(crate) fn pause(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}

/// Milliseconds since a moment.
pub(crate) fn millis_since(moment: Instant) -> u128 {
    now().duration_since(moment).as_millis()
}

/// This moment.
pub(crate) fn moment() -> Instant {
    now()
}

/// Repeats `look` until it finds something.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(now() < until, "gave up waiting for {what}");
        pause(5);
    }
}

/// A child that never outlives its test.
pub(crate) struct Kept(pub(crate) Child);

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).expect("the process is ours");
}

/// A temporary folder with a configuration in it.
pub(crate) struct World {
    folder: TempDir,
}

impl World {
    /// A folder with `config/demo.toml`, its data folder inside, changed by `edit`.
    pub(crate) fn new(edit: impl Fn(String) -> String) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/demo.toml");
        let text = fs::read_to_string(demo).expect("config/demo.toml");
        let own = text.replace("\"../data/demo\"", "\"data\"");
        assert_ne!(own, text, "demo.toml names its data folder as it did");
        fs::write(folder.path().join("run.toml"), edit(own)).expect("written");
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("run.toml")
    }

    /// Journal files in the order they were written.
    pub(crate) fn journals(&self) -> Vec<PathBuf> {
        let Ok(found) = fs::read_dir(self.path("data/journal")) else {
            return Vec::new();
        };
        let mut files: Vec<_> = found.map(|row| row.expect("entry").path()).collect();
        // Seals and explanations lie beside them.
        files.retain(|file| file.extension().is_some_and(|kind| kind == "tzj"));
        files.sort();
        files
    }
}

/// A running venue.
pub(crate) struct Venue {
    child: Kept,
    pub(crate) ready: Value,
    pub(crate) ready_file: PathBuf,
    log: PathBuf,
}

impl Venue {
    /// Starts a venue whose files carry `name`, and waits until it listens.
    pub(crate) fn start(world: &World, name: &str, more: &[&str]) -> Self {
        let file = |ending: &str| world.path(&format!("{name}{ending}"));
        let (ready_file, log) = (file(".json"), file(".jsonl"));
        fs::remove_file(&ready_file).ok();
        let is_wide = more.contains(&"--strikes");
        let strikes: &[&str] = if is_wide { &[] } else { &["--strikes", "12"] };
        let child = Command::new(env!("CARGO_BIN_EXE_tezi"))
            .args(["venue", "--seed", "3", "--json"])
            .args(strikes)
            .args(more)
            .arg("--ca-out")
            .arg(file(".pem"))
            .arg("--ready-file")
            .arg(&ready_file)
            .arg("--log")
            .arg(&log)
            .stdout(Stdio::null())
            .spawn()
            .expect("the venue starts");
        let mut child = Kept(child);
        let ready = wait_for("the venue's ready file", || {
            let ended = child.0.try_wait().expect("a child");
            assert!(ended.is_none(), "the venue ended at once: {ended:?}");
            serde_json::from_slice(&fs::read(&ready_file).ok()?).ok()
        });
        Self {
            child,
            ready,
            ready_file,
            log,
        }
    }

    /// Ends the process the hard way, as a crash or a pulled cable would.
    pub(crate) fn kill(&mut self) {
        self.child.0.kill().expect("killed");
        self.child.0.wait().expect("reaped");
    }

    /// Sends the process a signal.
    pub(crate) fn signal(&self, number: rustix::process::Signal) {
        signal(&self.child.0, number);
    }

    /// Lines of one kind in the venue's log; it survives the venue.
    pub(crate) fn log(&self, kind: &str) -> Vec<Value> {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        // The last line may be half written while the venue runs.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("a JSON line"))
            .filter(|line| line["kind"] == kind)
            .map(|mut line| line["data"].take())
            .collect()
    }

    /// Order requests that arrived so far, by the log.
    pub(crate) fn order_requests(&self) -> Vec<Value> {
        let mut found = self.log("request");
        found.retain(|row| row["method"] == "POST" && text(&row["path"]).starts_with("/orders"));
        found
    }

    /// What the venue itself says happened.
    pub(crate) fn truth(&self) -> Value {
        serde_json::from_slice(&self.get("/sim/truth")).expect("JSON")
    }

    /// A page of the venue, asked for over its own TLS.
    pub(crate) fn get(&self, path: &str) -> Vec<u8> {
        let url = Url::parse(text(&self.ready["rest"])).expect("an address");
        let root = self.ready["ca_file"].as_str().map(Path::new);
        let tls = tls::client_config(root).expect("the venue's root");
        let mut connection =
            HttpConnection::connect_large(&url, &tls, PATIENCE).expect("the venue answers");
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        connection.call(request.as_bytes()).expect("a reply").body
    }
}

/// A text in JSON, empty when it is not one.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A child whose two pipes are read as they come.
pub(crate) struct Heard {
    pub(crate) child: Kept,
    /// Lines of stdout.
    pub(crate) lines: Receiver<String>,
    /// All of stderr, at its end.
    pub(crate) talk: Receiver<String>,
}

impl Heard {
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the engine starts");
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
            child: Kept(child),
            lines,
            talk,
        }
    }

    pub(crate) fn signal(&self, number: rustix::process::Signal) {
        signal(&self.child.0, number);
    }
}

/// A running engine.
pub(crate) struct Engine {
    heard: Heard,
    /// Every line of stdout read so far.
    pub(crate) said: Vec<Value>,
}

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) said: Vec<Value>,
    pub(crate) errors: String,
}

impl Engine {
    /// Starts `tezi run --json` with further arguments.
    pub(crate) fn start(world: &World, ready: Option<&Path>, more: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tezi"));
        command.args(["run", "--json", "--config"]);
        command.arg(world.config()).args(more);
        if let Some(file) = ready {
            command.arg("--venue-ready").arg(file);
        }
        Self {
            heard: Heard::start(&mut command),
            said: Vec::new(),
        }
    }

    /// Reads what was said so far.
    pub(crate) fn catch_up(&mut self) {
        while let Ok(line) = self.heard.lines.try_recv() {
            self.said.push(parse(&line));
        }
    }

    /// Reads on until `enough` is true of everything said.
    pub(crate) fn until(&mut self, what: &str, enough: impl Fn(&[Value]) -> bool) {
        let until = now() + LONGEST;
        while !enough(&self.said) {
            assert!(now() < until, "gave up waiting for {what}");
            match self.heard.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.said.push(parse(&line)),
                Err(why) => panic!("no {what}: {why}; {:?}", self.heard.talk.try_recv()),
            }
        }
    }

    pub(crate) fn interrupt(&self) {
        self.signal(rustix::process::Signal::INT);
    }

    pub(crate) fn signal(&self, number: rustix::process::Signal) {
        self.heard.signal(number);
    }

    /// Waits for the end of the run.
    pub(crate) fn end(mut self) -> Ended {
        loop {
            match self.heard.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.said.push(parse(&line)),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the engine does not end"),
            }
        }
        let status = self.heard.child.0.wait().expect("a child");
        Ended {
            code: status.code().expect("not killed by a signal"),
            said: std::mem::take(&mut self.said),
            errors: self.heard.talk.recv_timeout(PATIENCE).unwrap_or_default(),
        }
    }
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|_| panic!("--json prints JSON lines: {line}"))
}

#[expect(clippy::disallowed_methods, reason = "a test reads two pipes at once")]
fn spawn(work: impl FnOnce() + Send + 'static) {
    std::thread::spawn(work);
}

/// Lines of one kind.
pub(crate) fn events<'a>(said: &'a [Value], kind: &str) -> Vec<&'a Value> {
    said.iter().filter(|line| line["event"] == kind).collect()
}

impl Ended {
    pub(crate) fn events(&self, kind: &str) -> Vec<&Value> {
        events(&self.said, kind)
    }

    pub(crate) fn summary(&self) -> &Value {
        self.events("summary")
            .last()
            .copied()
            .unwrap_or_else(|| panic!("no summary: {}", self.errors))
    }
}

/// A port that passes the first `connections` on to a plain venue and closes all later ones at once.
pub(crate) fn relay(venue: &Venue, connections: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let behind = text(&venue.ready["rest"])
        .trim_start_matches("http://")
        .to_owned();
    spawn(move || {
        for (number, client) in listener.incoming().map_while(Result::ok).enumerate() {
            if number >= connections {
                continue;
            }
            let server = TcpStream::connect(&behind).expect("the venue listens");
            let (mut up, mut down) = (client.try_clone().expect("a copy"), client);
            let (mut to, mut from) = (server.try_clone().expect("a copy"), server);
            spawn(move || drop(std::io::copy(&mut up, &mut to)));
            spawn(move || drop(std::io::copy(&mut from, &mut down)));
        }
    });
    port
}
