//! What the kernel says of the machine in `/proc` and `/sys`, read under a root that tests replace.
//!
//! ```text
//!   Root("/") ── text("proc/stat") ──► Fact<String> ── cpu_times() ──► numbers
//! ```
//!
//! Promises
//! - A file that is missing, closed to us or of another shape is a [`Fact`] that says so, never a failure:
//!   in a container most of them are missing.
//! - Everything below [`Root`] is a pure function of a text.
//!
//! Deliberately absent: what is good and what is not. `cli/doctor` judges.

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Why a fact is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The file, as on the machine.
    pub path: String,
    /// Why it says nothing.
    pub why: Why,
}

/// Why a file says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// There is no such file: not this kernel, not this machine, or hidden by a container.
    Missing,
    /// It is there and not ours to read.
    Denied,
    /// The kernel answered with an error.
    Failed(ErrorKind),
    /// Its text is not of the shape that is documented.
    Odd,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match self.why {
            Why::Missing => write!(f, "no {path}"),
            Why::Denied => write!(f, "{path} may not be read"),
            Why::Failed(kind) => write!(f, "{path}: {kind}"),
            Why::Odd => write!(f, "{path} is not understood"),
        }
    }
}

/// Something read off the machine, or why it could not be.
pub type Fact<T> = Result<T, Unread>;

/// Where `/proc` and `/sys` hang.
#[derive(Clone, Debug)]
pub struct Root(PathBuf);

impl Default for Root {
    fn default() -> Self {
        Self(PathBuf::from("/"))
    }
}

impl Root {
    /// The machine as copied into a folder.
    pub fn at(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// The trimmed text of a file, named without the leading `/`.
    ///
    /// # Errors
    ///
    /// [`Unread`]: why there is none.
    pub fn text(&self, path: &str) -> Fact<String> {
        let read = std::fs::read(self.0.join(path));
        let bytes = read.map_err(|error| unread(path, why(error.kind())))?;
        Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    /// A file read by a pure function; `None` from it means a shape that is not understood.
    ///
    /// # Errors
    ///
    /// [`Unread`]: why there is nothing.
    pub fn read<T>(&self, path: &str, parse: impl FnOnce(&str) -> Option<T>) -> Fact<T> {
        parse(&self.text(path)?).ok_or_else(|| unread(path, Why::Odd))
    }

    /// A file that holds one number.
    ///
    /// # Errors
    ///
    /// [`Unread`]: why there is none.
    pub fn number(&self, path: &str) -> Fact<i64> {
        self.read(path, |text| text.parse().ok())
    }

    /// Names in a folder, sorted.
    ///
    /// # Errors
    ///
    /// [`Unread`]: why there are none.
    pub fn names(&self, path: &str) -> Fact<Vec<String>> {
        let entries = std::fs::read_dir(self.0.join(path))
            .map_err(|error| unread(path, why(error.kind())))?;
        let mut names: Vec<String> = entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        Ok(names)
    }

    /// True when a file or folder is there.
    pub fn has(&self, path: &str) -> bool {
        self.0.join(path).exists()
    }
}

const fn why(kind: ErrorKind) -> Why {
    match kind {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Why::Missing,
        ErrorKind::PermissionDenied => Why::Denied,
        kind => Why::Failed(kind),
    }
}

fn unread(path: &str, why: Why) -> Unread {
    Unread {
        path: format!("/{path}"),
        why,
    }
}

/// Most cores a list may name: a longer one is not a list of cores.
const CORES_MAX: usize = 65_536;

/// A list of cores as the kernel writes it, `0-3,7`: empty text is no core.
pub fn core_list(text: &str) -> Option<Vec<usize>> {
    let text = text.trim();
    // An empty nohz_full reads "(null)" on some kernels.
    if text.is_empty() || text == "(null)" {
        return Some(Vec::new());
    }
    let mut cores = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        if first > last || last >= CORES_MAX {
            return None;
        }
        cores.extend(first..=last);
    }
    cores.sort_unstable();
    cores.dedup();
    Some(cores)
}

/// The same list for people and for kernel parameters: `0-3,7`.
pub fn core_text(cores: &[usize]) -> String {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for &core in cores {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == core => *last = core,
            _ => parts.push((core, core)),
        }
    }
    let parts = parts.into_iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        1 => format!("{first},{last}"),
        _ => format!("{first}-{last}"),
    });
    parts.collect::<Vec<_>>().join(",")
}

/// The chosen word of `always [madvise] never`.
pub fn chosen(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('[')?;
    Some(rest.split_once(']')?.0.to_owned())
}

/// The value of `name=value` on the kernel's command line; the last one counts.
pub fn parameter<'a>(command_line: &'a str, name: &str) -> Option<&'a str> {
    let mut words = command_line.split_whitespace().rev();
    words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

/// The soft limit of a row of `/proc/self/limits`; `None` inside is unlimited.
pub fn limit(text: &str, row: &str) -> Option<Option<u64>> {
    let rest = text.lines().find_map(|line| line.strip_prefix(row))?;
    match rest.split_whitespace().next()? {
        "unlimited" => Some(None),
        number => number.parse().ok().map(Some),
    }
}

/// The number of a capability (capability.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Locks memory without limit.
    IpcLock = 14,
    /// Takes a real-time class without limit.
    SysNice = 23,
}

/// True when the process of this `/proc/self/status` has a capability in effect.
pub fn has_capability(status: &str, capability: Capability) -> Option<bool> {
    let mask = field(status, "CapEff")?;
    let mask = u64::from_str_radix(mask, 16).ok()?;
    Some(mask >> (capability as u32) & 1 == 1)
}

/// The value of `name: value` of `/proc/self/status`, `/proc/meminfo` or `/proc/cpuinfo`: the first one.
pub fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

/// Time of one core since boot, in the kernel's ticks of 10 ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTimes {
    /// All of it.
    pub total: u64,
    /// What the host gave to others while this core wanted to run.
    pub steal: u64,
}

impl CpuTimes {
    /// Share of the time since an earlier look that was stolen, 0 to 1.
    pub fn stolen_since(&self, earlier: &Self) -> f64 {
        let total = self.total.saturating_sub(earlier.total);
        let steal = self.steal.saturating_sub(earlier.steal);
        if total == 0 {
            0.0
        } else {
            steal as f64 / total as f64
        }
    }
}

/// `/proc/stat`: each core's times (proc(5): user, nice, system, idle, iowait, irq, softirq, steal; the two
/// guest columns are in user and nice already).
pub fn cpu_times(stat: &str) -> Option<BTreeMap<usize, CpuTimes>> {
    let mut cores = BTreeMap::new();
    for line in stat.lines() {
        let mut words = line.split_whitespace();
        let core = words.next().and_then(|word| word.strip_prefix("cpu"));
        let Some(Ok(core)) = core.map(str::parse::<usize>) else {
            continue;
        };
        let times: Vec<u64> = words.take(8).map_while(|word| word.parse().ok()).collect();
        let steal = *times.get(7)?;
        let total = times.iter().sum();
        cores.insert(core, CpuTimes { total, steal });
    }
    (!cores.is_empty()).then_some(cores)
}

/// A row of `/proc/interrupts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupt {
    /// Number of a device's interrupt, or the kernel's name of one of its own (`LOC`, `RES`).
    pub name: String,
    /// What raises it.
    pub what: String,
    /// How often each core served it since boot.
    pub counts: BTreeMap<usize, u64>,
}

impl Interrupt {
    /// The device's number; `None` for the kernel's own.
    pub fn number(&self) -> Option<u32> {
        self.name.parse().ok()
    }
}

/// `/proc/interrupts`: the head names the cores, a row counts for each of them.
pub fn interrupts(text: &str) -> Option<Vec<Interrupt>> {
    let mut lines = text.lines();
    let head = lines.next()?.split_whitespace();
    let cores: Option<Vec<usize>> = head
        .map(|word| word.strip_prefix("CPU")?.parse().ok())
        .collect();
    let cores = cores.filter(|cores| !cores.is_empty())?;
    let rows = lines.filter_map(|line| {
        let (name, rest) = line.trim().split_once(':')?;
        let mut words = rest.split_whitespace().peekable();
        let mut counts = BTreeMap::new();
        for core in &cores {
            let Some(Ok(count)) = words.peek().map(|word| word.parse::<u64>()) else {
                break;
            };
            words.next();
            counts.insert(*core, count);
        }
        Some(Interrupt {
            name: name.to_owned(),
            what: words.collect::<Vec<_>>().join(" "),
            counts,
        })
    });
    Some(rows.collect())
}

/// Nanoseconds a thread waited for a core, of its `schedstat`: run time, waiting time, slices.
pub fn waited_ns(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores_are_read_and_written_as_the_kernel_does() {
        assert_eq!(core_list("0-3,7"), Some(vec![0, 1, 2, 3, 7]));
        assert_eq!(core_list(""), Some(vec![]));
        assert_eq!(core_list("(null)\n"), Some(vec![]));
        assert_eq!(core_list("5"), Some(vec![5]));
        for odd in ["a", "3-1", "1-", "0-99999999999", "0,,1"] {
            assert_eq!(core_list(odd), None, "{odd}");
        }
        assert_eq!(core_text(&[0, 1, 2, 3, 7]), "0-3,7");
        assert_eq!(core_text(&[2, 3]), "2,3");
        assert_eq!(core_text(&[]), "");
    }

    #[test]
    fn the_chosen_word_stands_in_brackets() {
        assert_eq!(chosen("always [madvise] never").as_deref(), Some("madvise"));
        assert_eq!(chosen("performance"), None);
    }

    #[test]
    fn the_last_parameter_of_a_name_counts_and_no_longer_name_is_taken_for_it() {
        let line = "quiet isolcpus_x=9 isolcpus=1 isolcpus=2-3 mitigations=off";
        assert_eq!(parameter(line, "isolcpus"), Some("2-3"));
        assert_eq!(parameter(line, "nohz_full"), None);
        assert_eq!(parameter("quiet", "quiet"), None);
    }

    const LIMITS: &str = "\
Limit                     Soft Limit           Hard Limit           Units     
Max locked memory         8388608              unlimited            bytes     
Max realtime priority     0                    0                    
Max realtime timeout      unlimited            unlimited            us        ";

    #[test]
    fn the_soft_limit_of_a_row_is_read() {
        assert_eq!(limit(LIMITS, "Max locked memory"), Some(Some(8_388_608)));
        assert_eq!(limit(LIMITS, "Max realtime priority"), Some(Some(0)));
        assert_eq!(limit(LIMITS, "Max realtime timeout"), Some(None));
        assert_eq!(limit(LIMITS, "Max wishes"), None);
    }

    #[test]
    fn a_capability_is_one_bit_of_the_effective_mask() {
        let root = "Name:\ttezi\nCapPrm:\t0000000000000000\nCapEff:\t000001fffeffffff\n";
        assert_eq!(has_capability(root, Capability::IpcLock), Some(true));
        let nice = "CapEff:\t0000000000800000\n";
        assert_eq!(has_capability(nice, Capability::SysNice), Some(true));
        assert_eq!(has_capability(nice, Capability::IpcLock), Some(false));
        assert_eq!(has_capability("CapEff: zz", Capability::IpcLock), None);
        assert_eq!(has_capability("", Capability::IpcLock), None);
    }

    #[test]
    fn steal_is_the_eighth_column_of_each_core() {
        let text = "cpu  9 9 9 9 9 9 9 9 0 0\n\
                    cpu0 10 0 10 80 0 0 0 0 3 0\n\
                    cpu1 10 0 10 70 0 0 0 10 0 0\nintr 5 5\n";
        let earlier = cpu_times(text).expect("times");
        assert_eq!(earlier.len(), 2);
        assert_eq!((earlier[&0].total, earlier[&0].steal), (100, 0));
        let later = CpuTimes {
            total: 200,
            steal: 35,
        };
        assert!((later.stolen_since(&earlier[&1]) - 0.25).abs() < 1e-12);
        assert!(later.stolen_since(&later).abs() < 1e-12);
        assert_eq!(cpu_times("cpu0 1 2 3\n"), None);
        assert_eq!(cpu_times("intr 1\n"), None);
    }

    #[test]
    fn interrupts_are_counted_by_core_and_named() {
        let text = "           CPU0       CPU2       \n \
                    42:          3      52588 PCI-MSIX-0000:00:04.0   2-edge      virtio3-tx\n\
                    LOC:   11995012   14932185   Local timer interrupts\nERR:          7\n";
        let rows = interrupts(text).expect("rows");
        assert_eq!(rows.len(), 3);
        assert_eq!((rows[0].number(), rows[0].counts[&2]), (Some(42), 52_588));
        assert!(rows[0].what.ends_with("virtio3-tx"));
        assert_eq!((rows[1].number(), rows[1].counts[&0]), (None, 11_995_012));
        assert_eq!(rows[2].counts.get(&2), None);
        assert_eq!(interrupts(""), None);
        assert_eq!(interrupts("nothing of the kind\n"), None);
    }

    #[test]
    fn the_waiting_time_is_the_second_number() {
        assert_eq!(waited_ns("86431 1200 4"), Some(1_200));
        assert_eq!(waited_ns("86431"), None);
    }

    #[test]
    fn a_file_that_is_not_there_or_odd_is_told_and_never_fails() {
        let folder = tempfile::tempdir().expect("folder");
        let root = Root::at(folder.path());
        let missing = root.number("proc/sys/kernel/x").expect_err("missing");
        assert_eq!(missing.why, Why::Missing);
        assert_eq!(missing.to_string(), "no /proc/sys/kernel/x");
        std::fs::create_dir_all(folder.path().join("proc")).expect("folder");
        std::fs::write(folder.path().join("proc/x"), "seven\n").expect("file");
        assert_eq!(root.number("proc/x").expect_err("odd").why, Why::Odd);
        assert_eq!(root.text("proc/x").expect("text"), "seven");
        assert_eq!(root.names("proc").expect("names"), ["x"]);
        assert_eq!(root.text("proc/x/y").expect_err("no").why, Why::Missing);
        assert!(root.text("proc").is_err());
        assert!(root.names("sys").is_err());
    }
}
