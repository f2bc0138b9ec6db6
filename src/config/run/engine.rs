//! `[engine]`: threads, directories, the journal's care and the machine.

use crate::config::section::Section;
use std::path::{Path, PathBuf};

/// How stages are spread over threads; `Auto` leaves it to the cores there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopologyChoice {
    /// From the number of cores.
    Auto,
    /// One thread a stage.
    Split,
    /// One thread for all stages.
    Fused,
    /// One thread under a virtual clock.
    Stepped,
}

/// How a thread waits; `Auto` leaves it to the cores there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdleChoice {
    /// From the number of cores.
    Auto,
    /// Busy.
    Spin,
    /// Busy, then yielding the core.
    Yield,
    /// Busy, then asleep on its sockets.
    Park,
}

/// Threads and directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// How stages are spread over threads.
    pub topology: TopologyChoice,
    /// How threads wait.
    pub idle: IdleChoice,
    /// Cores of the hot threads in pipeline order; empty leaves them to the program.
    pub cores: Vec<usize>,
    /// Journal, recordings, reports.
    pub data_dir: PathBuf,
    /// When a journal record is synced to disk.
    pub journal_sync: JournalSync,
    /// Time without an order after which a spinning gateway rehearses one, nanoseconds; zero never.
    pub rehearse_ns: u64,
    /// Keep every page in memory, where the limit allows it.
    pub lock_memory: bool,
    /// SCHED_FIFO priority of the hot threads where the machine allows it, up to 99; 0 is the ordinary class.
    pub realtime: u8,
    /// Time a read of a feed or order socket asks the card itself, microseconds; zero leaves it to the kernel.
    pub busy_poll_us: u32,
}

/// When a journal record is synced to disk (reliability, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalSync {
    /// While the order is on the network.
    Behind,
    /// Before the first byte of the order: survives a power cut, and the order waits for the disk.
    BeforeSend,
}

impl JournalSync {
    /// The word in configuration and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Behind => "behind",
            Self::BeforeSend => "before_send",
        }
    }
}

/// Reads the table.
pub(super) fn engine(section: Section<'_>, folder: &Path) -> EngineConfig {
    let topologies = [
        ("auto", TopologyChoice::Auto),
        ("split", TopologyChoice::Split),
        ("fused", TopologyChoice::Fused),
        ("stepped", TopologyChoice::Stepped),
    ];
    let idles = [
        ("auto", IdleChoice::Auto),
        ("spin", IdleChoice::Spin),
        ("yield", IdleChoice::Yield),
        ("park", IdleChoice::Park),
    ];
    let syncs = [JournalSync::Behind, JournalSync::BeforeSend].map(|sync| (sync.name(), sync));
    let cores = section.integers("cores", 0..=1_023);
    let engine = EngineConfig {
        topology: section.choice("topology", &topologies, TopologyChoice::Auto),
        idle: section.choice("idle", &idles, IdleChoice::Auto),
        cores: cores
            .into_iter()
            .filter_map(|core| usize::try_from(core).ok())
            .collect(),
        data_dir: folder.join(
            section
                .text("data_dir")
                .map_or("data".to_owned(), |found| found.value),
        ),
        journal_sync: section.choice("journal_sync", &syncs, JournalSync::Behind),
        rehearse_ns: section.number::<u64>("rehearse_us", 0..=1_000_000, 100) * 1_000,
        lock_memory: section.truth("lock_memory", true),
        realtime: section.number("realtime", 0..=99, 0),
        busy_poll_us: section.number("busy_poll_us", 0..=1_000, 0),
    };
    section.finish();
    engine
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::shipped::{RUN, each_is_named, each_is_refused, parsed};

    #[test]
    fn a_wrong_key_is_named_with_its_place_and_what_is_allowed() {
        each_is_named(&[
            (
                "topology = \"auto\"",
                "topolgy = \"auto\"",
                "topology",
                "unknown key `topolgy` in [engine]: did you mean `topology`?",
            ),
            (
                "topology = \"auto\"",
                "topology = \"spilt\"",
                "topology",
                "[engine] topology = \"spilt\": did you mean `split`? Allowed: auto, split, fused, stepped",
            ),
            (
                "idle     = \"auto\"",
                "idle     = 3",
                "idle",
                "[engine] idle = 3: a text in quotes is expected",
            ),
            (
                "cores    = []",
                "cores    = [-1]",
                "cores",
                "[engine] cores = [-1]: a list of whole numbers from 0 to 1023",
            ),
        ]);
    }

    #[test]
    fn every_number_has_a_range_and_says_so() {
        each_is_refused(&[
            (
                "\"behind\"",
                "\"before\"",
                "[engine] journal_sync = \"before\"",
            ),
            (
                "rehearse_us = 100",
                "rehearse_us = 1000001",
                "rehearse_us = 1000001: a whole number from 0 to 1000000",
            ),
            (
                "realtime    = 0",
                "realtime    = 100",
                "[engine] realtime = 100: a whole number from 0 to 99 is expected",
            ),
            (
                "realtime    = 0",
                "realtime    = \"fifo\"",
                "[engine] realtime = \"fifo\": a whole number from 0 to 99 is expected",
            ),
            (
                "realtime    = 0",
                "realtme    = 0",
                "did you mean `realtime`?",
            ),
            (
                "busy_poll_us = 0",
                "busy_poll_us = 1001",
                "[engine] busy_poll_us = 1001: a whole number from 0 to 1000 is expected",
            ),
            (
                "busy_poll_us = 0",
                "busy_poll_us = -1",
                "[engine] busy_poll_us = -1: a whole number from 0 to 1000 is expected",
            ),
        ]);
    }

    #[test]
    fn the_machine_is_used_as_the_file_says() {
        let config = parsed(RUN).expect("run");
        assert_eq!(config.engine.journal_sync, JournalSync::Behind);
        assert_eq!(config.engine.rehearse_ns, 100_000);
        assert!(config.engine.lock_memory);
        let loose = RUN.replacen("lock_memory = true", "lock_memory = false", 1);
        assert!(!parsed(&loose).expect("loose").engine.lock_memory);
        assert_eq!((config.engine.realtime, config.engine.busy_poll_us), (0, 0));
        let fast = RUN.replacen("realtime    = 0", "realtime = 99", 1);
        let fast = fast.replacen("busy_poll_us = 0", "busy_poll_us = 50", 1);
        let fast = parsed(&fast).expect("fast").engine;
        assert_eq!((fast.realtime, fast.busy_poll_us), (99, 50));
    }
}
