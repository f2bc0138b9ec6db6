//! A `redis-server` on a free port, ended the hard way when the test ends; and a client that reads it.

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A server that keeps nothing on disk.
pub(crate) struct Server {
    program: PathBuf,
    folder: TempDir,
    password: Option<String>,
    child: Option<Child>,
    pub(crate) port: u16,
}

/// The program, out of `TEZI_REDIS` or on the path; where there is none the test says so.
pub(crate) fn program() -> Option<PathBuf> {
    let named = std::env::var_os("TEZI_REDIS").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = named.or_else(|| {
        let mut places = std::env::split_paths(&path).map(|folder| folder.join("redis-server"));
        places.find(|file| file.is_file())
    });
    if found.is_none() {
        println!("SKIPPED redis: apt-get install redis-server, or name the program in TEZI_REDIS");
    }
    found
}

impl Server {
    /// Starts one.
    pub(crate) fn start(program: &Path, password: Option<&str>) -> Self {
        let mut server = Self::absent(program, password);
        server.again();
        server
    }

    /// One that does not run yet.
    pub(crate) fn absent(program: &Path, password: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        drop(listener);
        Self {
            program: program.to_owned(),
            folder: tempfile::tempdir().expect("a folder"),
            password: password.map(str::to_owned),
            child: None,
            port,
        }
    }

    /// Starts it on its port, empty.
    pub(crate) fn again(&mut self) {
        let mut command = Command::new(&self.program);
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"]);
        command.args(["--save", "", "--appendonly", "no", "--dir"]);
        command.arg(self.folder.path());
        if let Some(password) = &self.password {
            command.args(["--requirepass", password]);
        }
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().expect("redis-server starts"));
        for _ in 0..3_000 {
            if self.client().is_some() {
                return;
            }
            pause(10);
        }
        panic!("redis-server does not listen");
    }

    /// Starts one that speaks TLS alone, with a certificate for this machine; `None` where the program knows no TLS.
    pub(crate) fn start_tls(program: &Path) -> Option<Self> {
        let mut server = Self::absent(program, None);
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]);
        let made = made.expect("a certificate");
        let file = |name: &str, text: String| {
            let path = server.folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path
        };
        let certificate = file("cert.pem", made.cert.pem());
        let key = file("key.pem", made.signing_key.serialize_pem());
        let mut command = Command::new(&server.program);
        command.args(["--port", "0", "--tls-port", &server.port.to_string()]);
        command.args([
            "--tls-auth-clients",
            "no",
            "--bind",
            "127.0.0.1",
            "--save",
            "",
        ]);
        for (name, path) in [
            ("--tls-cert-file", &certificate),
            ("--tls-key-file", &key),
            ("--tls-ca-cert-file", &certificate),
        ] {
            command.arg(name).arg(path);
        }
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("redis-server starts");
        while TcpStream::connect(("127.0.0.1", server.port)).is_err() {
            if child.try_wait().expect("a child").is_some() {
                println!("SKIPPED redis over TLS: this redis-server knows none");
                return None;
            }
            pause(10);
        }
        server.child = Some(child);
        Some(server)
    }

    /// The certificate of [`Server::start_tls`].
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// Kills it as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("killed");
            child.wait().expect("reaped");
        }
    }

    fn client(&self) -> Option<redis::Connection> {
        let login = self
            .password
            .as_ref()
            .map_or_else(String::new, |word| format!(":{word}@"));
        let address = format!("redis://{login}127.0.0.1:{}", self.port);
        let mut client = redis::Client::open(address).ok()?.get_connection().ok()?;
        redis::cmd("PING").exec(&mut client).ok()?;
        Some(client)
    }

    /// Asks the server.
    pub(crate) fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut client = self.client().expect("the server answers");
        let (verb, rest) = words.split_first().expect("a command");
        let mut command = redis::cmd(verb);
        command.arg(rest);
        command.query(&mut client).expect("an answer of its kind")
    }

    /// Keys of a pattern, sorted.
    pub(crate) fn keys(&self, pattern: &str) -> Vec<String> {
        let mut keys: Vec<String> = self.ask(&["KEYS", pattern]);
        keys.sort();
        keys
    }

    /// The fields of a key.
    pub(crate) fn fields(&self, key: &str) -> BTreeMap<String, String> {
        self.ask(&["HGETALL", key])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// Waits.
#[expect(clippy::disallowed_methods, reason = "a test waits in real time")]
pub(crate) fn pause(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}
