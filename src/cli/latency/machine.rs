//! What a figure depends on besides the program: processor, kernel, other load, stolen time.

use serde_json::{Value, json};
use std::fs;

/// The machine and the command, as they were when the measurement began.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    processor: String,
    cores: usize,
    kernel: String,
    build: &'static str,
    /// Processes that wanted to run in the last minute, on average.
    load: String,
    command: String,
}

impl Machine {
    pub(super) fn here() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let info = read("/proc/cpuinfo");
        let named = |line: &str| {
            let (_, name) = line.strip_prefix("model name")?.split_once(':')?;
            Some(name.trim().to_owned())
        };
        let processor = info.lines().find_map(named);
        Self {
            processor: processor.unwrap_or_else(|| "unknown processor".to_owned()),
            cores: crate::runtime::topology::cores().len(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            build: if cfg!(debug_assertions) {
                "debug build"
            } else {
                "release build"
            },
            load: read("/proc/loadavg")
                .split_whitespace()
                .next()
                .unwrap_or("unknown")
                .to_owned(),
            command: command(std::env::args()),
        }
    }

    /// Processor, cores, kernel and build.
    pub(super) fn short(&self) -> String {
        format!(
            "{}, {} cores, Linux {}, {}",
            self.processor, self.cores, self.kernel, self.build
        )
    }

    pub(super) fn text(&self) -> String {
        let (machine, load, command) = (self.short(), &self.load, &self.command);
        format!("machine: {machine}, load {load} at the start\ncommand: {command}")
    }

    pub(super) fn json(&self) -> Value {
        json!({ "processor": self.processor, "cores": self.cores, "kernel": self.kernel,
            "build": self.build, "load_1m": self.load, "command": self.command })
    }
}

/// The command line with the program's name instead of its place, quoted where a shell needs it.
fn command(arguments: impl Iterator<Item = String>) -> String {
    let quoted = |text: String| {
        if text.contains(|c: char| c.is_whitespace() || "'\"$&|;<>()*?".contains(c)) {
            format!("'{}'", text.replace('\'', r"'\''"))
        } else {
            text
        }
    };
    let words: Vec<String> = ["tezi".to_owned()]
        .into_iter()
        .chain(arguments.skip(1).map(quoted))
        .collect();
    words.join(" ")
}

/// Processor time of all cores since the machine started, in the kernel's ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Processor {
    all: u64,
    stolen: u64,
}

impl Processor {
    /// Reads the counters; zeros where the system has none.
    pub(super) fn now() -> Self {
        Self::parse(&fs::read_to_string("/proc/stat").unwrap_or_default()).unwrap_or_default()
    }

    /// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal (proc(5)); guest
    /// time, which follows, is part of user time already.
    fn parse(stat: &str) -> Option<Self> {
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        let fields: Vec<u64> = line
            .split_whitespace()
            .take(8)
            .map_while(|field| field.parse().ok())
            .collect();
        Some(Self {
            all: fields.iter().sum(),
            stolen: *fields.get(7)?,
        })
    }

    /// What was added since an earlier reading.
    pub(super) const fn since(self, earlier: Self) -> Self {
        Self {
            all: self.all.saturating_sub(earlier.all),
            stolen: self.stolen.saturating_sub(earlier.stolen),
        }
    }

    /// Two stretches together.
    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            all: self.all.saturating_add(other.all),
            stolen: self.stolen.saturating_add(other.stolen),
        }
    }

    /// Percent of the processors' time that the hypervisor gave to others.
    pub(super) fn stolen_percent(self) -> f64 {
        self.stolen as f64 * 100.0 / self.all.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stolen_time_is_a_share_of_all_time_between_two_readings() {
        let before = Processor::parse("cpu  10 0 10 70 5 0 5 0 10 0\ncpu0 1 2 3\n").unwrap();
        let after = Processor::parse("cpu  60 0 20 90 5 0 5 20 60 0\n").unwrap();
        let spent = after.since(before);
        assert_eq!(
            spent,
            Processor {
                all: 100,
                stolen: 20
            }
        );
        assert_eq!(spent.stolen_percent(), 20.0);
        assert_eq!(
            spent.and(spent),
            Processor {
                all: 200,
                stolen: 40
            }
        );
        assert_eq!(Processor::parse("cpu  1 2 3\n"), None);
        assert_eq!(Processor::default().stolen_percent(), 0.0);
    }

    #[test]
    fn a_command_line_can_be_pasted_into_a_shell() {
        let words = [
            "/a/b/tezi",
            "latency",
            "--peer",
            "python=venv/bin/python peer.py",
            "it's",
        ];
        let words = words.into_iter().map(str::to_owned);
        assert_eq!(
            command(words),
            r"tezi latency --peer 'python=venv/bin/python peer.py' 'it'\''s'"
        );
    }
}
