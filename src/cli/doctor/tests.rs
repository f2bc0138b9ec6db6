//! Machines in folders: a tuned one, a laptop, a container that hides everything; then each item both ways.

use super::item::{Item, Site, Status, Step};
use super::measure::{Row, Window};
use super::{groups, json, own, print, verdict};
use crate::config::Config;
use crate::runtime::hiccup::{CoreHiccups, Gaps};
use crate::runtime::machine::{Root, Unread, Why};
use crate::runtime::topology;
use tempfile::TempDir;

/// A machine in a folder.
struct Machine {
    folder: TempDir,
    cores: usize,
}

impl Machine {
    fn empty(cores: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { folder, cores }
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("parent")).expect("folder");
        std::fs::write(path, text).expect("file");
    }

    /// A file that is there and cannot be read, also by root: reading a folder is an error.
    fn close(&self, path: &str) {
        std::fs::create_dir_all(self.folder.path().join(path)).expect("folder");
    }

    fn site(&self) -> Site {
        let usable: Vec<usize> = (0..self.cores).collect();
        Site {
            root: Root::at(self.folder.path()),
            placement: topology::place(&usable, None, None, &[]),
            usable,
        }
    }

    fn items(&self) -> Vec<Item> {
        let groups = groups(&self.site());
        groups.into_iter().flat_map(|(_, items)| items).collect()
    }

    #[track_caller]
    fn item(&self, name: &str) -> Item {
        let mut items = self.items().into_iter();
        let found = items.find(|item| item.name == name);
        found.unwrap_or_else(|| panic!("no item {name}"))
    }
}

const CPU: &str = "sys/devices/system/cpu";
const HOT: &str = "5-7";

/// Eight cores, five to seven for the engine, everything as docs/deployment.md says.
fn tuned() -> Machine {
    let machine = Machine::empty(8);
    for (path, text) in [
        ("proc/self/cgroup", "0::/tezi.slice/tezi.service\n"),
        ("sys/fs/cgroup/tezi.slice/cpu.max", "max 100000\n"),
        ("sys/devices/system/cpu/isolated", "5-7\n"),
        ("sys/devices/system/cpu/nohz_full", "5-7\n"),
        ("proc/irq/41/smp_affinity_list", "0-7\n"),
        ("proc/irq/41/effective_affinity_list", "2\n"),
        ("proc/irq/42/smp_affinity_list", "0-4\n"),
        ("proc/irq/43/smp_affinity_list", "0-7\n"),
        (
            "proc/interrupts",
            "      CPU0 CPU1 CPU2 CPU3 CPU4 CPU5 CPU6 CPU7\n \
             41:  0 0 900 0 0 0 0 0  PCI-MSI eth0-rx\n \
             42:  5 0 0 0 0 0 0 0  PCI-MSI eth0-tx\n \
             43:  0 0 0 0 0 0 0 0  PCI-MSI nvme0q9\n\
             LOC: 9 9 9 9 9 9 9 9  Local timer interrupts\n",
        ),
        ("sys/devices/system/cpu/cpufreq/boost", "1\n"),
        ("sys/devices/system/node/online", "0-1\n"),
        ("sys/devices/system/node/node0/cpulist", "0-3\n"),
        ("sys/devices/system/node/node1/cpulist", "4-7\n"),
        ("sys/class/net/eth0/device/numa_node", "1\n"),
        ("sys/class/net/lo/mtu", "65536\n"),
        ("proc/sys/kernel/numa_balancing", "0\n"),
        ("proc/sys/kernel/osrelease", "6.8.0-45-lowlatency\n"),
        ("proc/sys/kernel/version", "#45 SMP PREEMPT_DYNAMIC Thu\n"),
        (
            "proc/cpuinfo",
            "processor : 0\nmodel name : Tuned\nflags : fpu constant_tsc nonstop_tsc aes\n",
        ),
        (
            "sys/devices/system/clocksource/clocksource0/current_clocksource",
            "tsc\n",
        ),
        (
            "sys/devices/system/clocksource/clocksource0/available_clocksource",
            "tsc hpet\n",
        ),
        (
            "sys/devices/system/cpu/vulnerabilities/spectre_v2",
            "Vulnerable\n",
        ),
        (
            "sys/devices/system/cpu/vulnerabilities/meltdown",
            "Not affected\n",
        ),
        ("proc/cmdline", "quiet isolcpus=5-7 mitigations=off\n"),
        ("proc/self/status", "CapEff:\t0000000000000000\n"),
        (
            "proc/self/limits",
            "Limit   Soft Limit Hard Limit Units\n\
             Max locked memory  unlimited unlimited bytes\n\
             Max realtime priority 0 0\n",
        ),
        ("proc/self/stat", &stat_of_class(0)),
        ("proc/sys/kernel/sched_rt_runtime_us", "950000\n"),
        ("proc/sys/kernel/sched_rt_period_us", "1000000\n"),
        ("proc/self/timerslack_ns", "50000\n"),
        (
            "sys/kernel/mm/transparent_hugepage/enabled",
            "always [madvise] never\n",
        ),
        (
            "sys/kernel/mm/transparent_hugepage/defrag",
            "always defer [defer+madvise] madvise never\n",
        ),
        (
            "proc/meminfo",
            "HugePages_Total:       0\nHugePages_Free:        0\nHugepagesize:       2048 kB\n",
        ),
        ("proc/swaps", "Filename Type Size Used Priority\n"),
        ("proc/sys/net/core/busy_read", "50\n"),
        ("proc/sys/net/core/busy_poll", "50\n"),
        ("proc/sys/net/ipv4/tcp_slow_start_after_idle", "0\n"),
        ("proc/sys/net/core/default_qdisc", "fq\n"),
    ] {
        machine.put(path, text);
    }
    for core in 0..8 {
        machine.put(
            &format!("{CPU}/cpu{core}/cpufreq/scaling_governor"),
            "performance\n",
        );
        machine.put(
            &format!("{CPU}/cpu{core}/topology/thread_siblings_list"),
            &format!("{core}\n"),
        );
        for (state, name, latency, disable) in
            [(0, "POLL", 0, 0), (1, "C1", 10, 0), (2, "C6", 133, 1)]
        {
            let at = format!("{CPU}/cpu{core}/cpuidle/state{state}");
            machine.put(&format!("{at}/name"), name);
            machine.put(&format!("{at}/latency"), &format!("{latency}\n"));
            machine.put(&format!("{at}/disable"), &format!("{disable}\n"));
        }
    }
    machine
}

/// `/proc/self/stat` of a process whose scheduling class is this.
fn stat_of_class(class: u32) -> String {
    let zeros = "0 ".repeat(37);
    format!("1234 (a (b) c) S {zeros}{class} 0 0\n")
}

#[test]
fn a_tuned_machine_asks_for_nothing() {
    let items = tuned().items();
    assert!(items.len() >= 25, "{}", items.len());
    for item in &items {
        assert_eq!(item.status, Status::Ok, "{item:?}");
        assert!(item.steps.is_empty(), "{item:?}");
    }
}

/// Each row spoils one file of the tuned machine; the named item sees it, and nobody else does.
#[test]
fn each_item_sees_its_own_fault_and_no_other() {
    use Status::{Bad, Better};
    let fifo = stat_of_class(1);
    let rr = stat_of_class(2);
    let limits = |locked: &str, priority: &str| {
        format!("Max locked memory {locked} x bytes\nMax realtime priority {priority} 0\n")
    };
    let no_lock = limits("8388608", "0");
    let finite = limits("1099511627776", "0");
    // One row a line: a table is read across.
    #[rustfmt::skip]
    let spoilt: Vec<(&str, &str, &str, Status)> = vec![
        ("sys/fs/cgroup/tezi.slice/cpu.max", "150000 100000", "processor quota", Bad),
        ("sys/fs/cgroup/tezi.slice/tezi.service/cpu.max", "50000 100000", "processor quota", Bad),
        ("sys/devices/system/cpu/isolated", "", "isolated cores", Better),
        ("sys/devices/system/cpu/isolated", "5,6", "isolated cores", Better),
        ("sys/devices/system/cpu/isolated", "5-9", "isolated cores", Bad),
        ("sys/devices/system/cpu/nohz_full", "(null)", "tickless cores", Better),
        ("proc/irq/41/effective_affinity_list", "5", "interrupt affinity", Better),
        ("proc/irq/42/smp_affinity_list", "0-7", "interrupt affinity", Better),
        ("sys/devices/system/cpu/cpu6/cpufreq/scaling_governor", "powersave", "frequency governor", Better),
        ("sys/devices/system/cpu/cpufreq/boost", "0", "turbo", Better),
        ("sys/devices/system/cpu/intel_pstate/no_turbo", "1", "turbo", Better),
        ("sys/devices/system/cpu/cpu1/cpuidle/state1/latency", "11", "idle states", Better),
        ("sys/devices/system/cpu/cpu1/cpuidle/state2/disable", "0", "idle states", Better),
        ("sys/devices/system/cpu/cpu7/topology/thread_siblings_list", "3,7", "hyper-threads", Better),
        ("sys/devices/system/node/node0/cpulist", "0-5", "memory nodes", Better),
        ("sys/class/net/eth0/device/numa_node", "0", "memory nodes", Better),
        ("proc/sys/kernel/numa_balancing", "1", "memory nodes", Better),
        ("proc/sys/kernel/osrelease", "5.14.21", "kernel", Better),
        ("proc/cpuinfo", "flags : hypervisor constant_tsc nonstop_tsc", "own hardware", Better),
        ("sys/devices/system/clocksource/clocksource0/current_clocksource", "kvm-clock", "clock source", Better),
        ("sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet", "clock source", Bad),
        ("proc/cpuinfo", "flags : constant_tsc", "time-stamp counter", Better),
        ("proc/cpuinfo", "flags : fpu", "time-stamp counter", Better),
        ("sys/devices/system/cpu/vulnerabilities/spectre_v2", "Mitigation: Retpolines", "mitigations", Better),
        ("proc/self/stat", &fifo, "real-time throttle", Bad),
        ("proc/self/stat", &rr, "real-time throttle", Bad),
        ("proc/self/timerslack_ns", "50001", "timer slack", Better),
        ("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never", "transparent huge pages", Better),
        ("sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]", "transparent huge pages", Better),
        ("sys/kernel/mm/transparent_hugepage/defrag", "[always] defer never", "transparent huge pages", Better),
        ("proc/meminfo", "HugePages_Total: 8\nHugePages_Free: 1\nHugepagesize: 2048 kB", "reserved huge pages", Better),
        ("proc/self/limits", &no_lock, "locked memory", Better),
        ("proc/self/limits", &finite, "locked memory", Better),
        ("proc/swaps", "Filename Type\n/swap.img file", "swap", Better),
        ("proc/sys/net/core/busy_read", "0", "busy polling", Better),
        ("proc/sys/net/ipv4/tcp_slow_start_after_idle", "1", "slow start after idle", Better),
        ("proc/sys/net/core/default_qdisc", "tbf", "queueing discipline", Better),
    ];
    for (path, text, name, status) in spoilt {
        let machine = tuned();
        machine.put(path, text);
        for item in machine.items() {
            // Shared cores are what the real-time class is for.
            if path.ends_with("cpu/isolated") && item.name == "real-time class" {
                continue;
            }
            let wanted = if item.name == name {
                status
            } else {
                Status::Ok
            };
            assert_eq!(item.status, wanted, "{path} = {text:?}: {item:?}");
            if item.name == name {
                assert!(item.effect.is_some() && !item.steps.is_empty(), "{item:?}");
            }
        }
    }
}

#[test]
fn what_is_just_good_enough_is_good() {
    for (path, text, name) in [
        ("proc/sys/kernel/osrelease", "5.15.0", "kernel"),
        ("proc/self/timerslack_ns", "1", "timer slack"),
        (
            "proc/self/status",
            "CapEff: 0000000000004000",
            "locked memory",
        ),
        (
            "proc/sys/kernel/sched_rt_runtime_us",
            "-1",
            "real-time throttle",
        ),
        (
            "proc/sys/kernel/sched_rt_runtime_us",
            "1000000",
            "real-time throttle",
        ),
        ("sys/devices/system/cpu/isolated", "4-7", "isolated cores"),
        (
            "proc/meminfo",
            "HugePages_Total: 8\nHugePages_Free: 0\nHugepagesize: 2048 kB",
            "reserved huge pages",
        ),
        ("sys/devices/system/node/online", "0", "memory nodes"),
        (
            "proc/irq/43/effective_affinity_list",
            "6",
            "interrupt affinity",
        ),
    ] {
        let machine = tuned();
        machine.put(path, text);
        let item = machine.item(name);
        assert_eq!(item.status, Status::Ok, "{path} = {text:?}: {item:?}");
    }
}

#[test]
fn the_real_time_class_is_asked_for_only_where_cores_are_shared() {
    let machine = tuned();
    assert_eq!(
        machine.item("real-time class").found,
        "not allowed, not needed"
    );
    machine.put("sys/devices/system/cpu/isolated", "");
    assert_eq!(machine.item("real-time class").status, Status::Better);
    machine.put("proc/self/status", "CapEff: 0000000000800000");
    assert_eq!(machine.item("real-time class").found, "allowed");
    // Whoever may use it should know of the throttle.
    assert_eq!(machine.item("real-time throttle").status, Status::Better);
}

#[test]
fn a_laptop_is_told_what_to_change_with_commands() {
    let machine = tuned();
    for (path, text) in [
        ("sys/devices/system/cpu/isolated", ""),
        ("sys/devices/system/cpu/nohz_full", ""),
        ("proc/irq/42/smp_affinity_list", "0-7"),
        (
            "sys/kernel/mm/transparent_hugepage/enabled",
            "[always] madvise never",
        ),
    ] {
        machine.put(path, text);
    }
    for core in 0..8 {
        let path = format!("{CPU}/cpu{core}/cpufreq/scaling_governor");
        machine.put(&path, "powersave");
    }
    let steps = |name| machine.item(name).steps;
    assert_eq!(
        steps("isolated cores")[0],
        Step::Kernel(format!("isolcpus=domain,managed_irq,{HOT}"))
    );
    assert_eq!(
        steps("tickless cores"),
        [
            Step::Kernel("nohz_full=5-7".into()),
            Step::Kernel("rcu_nocbs=5-7".into())
        ]
    );
    assert_eq!(
        steps("interrupt affinity")[..2],
        [
            Step::Run("for n in 42; do echo 0-4 > /proc/irq/$n/smp_affinity_list; done".into()),
            Step::Kernel("irqaffinity=0-4".into())
        ]
    );
    let Step::Run(command) = &steps("frequency governor")[0] else {
        panic!("a command");
    };
    assert!(
        command.starts_with("for c in 5 6 7; do echo performance"),
        "{command}"
    );
    let all = groups(&machine.site());
    let text = print::text(&[], &all, None).expect("text");
    let line = "isolcpus=domain,managed_irq,5-7 irqaffinity=0-4 nohz_full=5-7 rcu_nocbs=5-7";
    assert!(text.contains(line), "{text}");
    assert!(
        text.lines()
            .filter(|line| !line.contains('$'))
            .all(|line| line.chars().count() <= 100),
        "{text}"
    );
}

/// Everything is unknown but the cores, and unknown is no fault.
#[test]
fn a_container_that_hides_everything_is_unknown_and_not_bad() {
    let hidden = Machine::empty(8);
    let closed = Machine::empty(8);
    for path in [
        "proc/self/cgroup",
        "sys/devices/system/cpu/isolated",
        "sys/devices/system/cpu/nohz_full",
        "proc/interrupts",
        "proc/irq/41/smp_affinity_list",
        "proc/cpuinfo",
        "proc/self/status",
        "proc/self/limits",
        "proc/swaps",
        "proc/meminfo",
        "sys/kernel/mm/transparent_hugepage/enabled",
        "sys/devices/system/node/online",
        "proc/sys/net/core/busy_read",
    ] {
        closed.close(path);
    }
    for machine in [hidden, closed] {
        for item in machine.items() {
            let wanted = if item.name == "cores" {
                Status::Ok
            } else {
                Status::Unknown
            };
            assert_eq!(item.status, wanted, "{item:?}");
            assert!(!item.found.is_empty());
        }
        let all = groups(&machine.site());
        assert!(verdict(&all).is_ok());
        assert!(
            print::text(&[], &all, None)
                .expect("text")
                .contains("Nothing to change")
        );
    }
}

#[test]
fn without_a_core_of_its_own_the_engine_is_told_to_get_one() {
    let machine = Machine {
        cores: 1,
        ..tuned()
    };
    let item = machine.item("cores");
    assert_eq!(item.status, Status::Bad, "{item:?}");
    assert_eq!(machine.item("tickless cores").status, Status::Unknown);
    assert_eq!(
        Machine {
            cores: 2,
            ..tuned()
        }
        .item("cores")
        .status,
        Status::Better
    );
    assert_eq!(
        Machine {
            cores: 3,
            ..tuned()
        }
        .item("cores")
        .status,
        Status::Better
    );
    assert_eq!(
        Machine {
            cores: 4,
            ..tuned()
        }
        .item("cores")
        .status,
        Status::Ok
    );
    let mut site = tuned().site();
    site.placement = topology::place(&[0, 1], None, None, &[9]);
    let all = groups(&site);
    let failure = verdict(&all).expect_err("bad");
    assert_eq!(failure.code(), 1);
    assert!(failure.to_string().contains("cores"), "{failure}");
}

#[test]
fn isolated_cores_that_the_process_may_not_use_are_named() {
    let machine = Machine {
        cores: 4,
        ..tuned()
    };
    machine.put("sys/devices/system/cpu/isolated", "4-7");
    let item = machine.item("isolated cores");
    assert_eq!(item.status, Status::Bad);
    let Step::Advice(advice) = &item.steps[0] else {
        panic!("advice");
    };
    assert!(advice.contains("taskset -c 0-7 tezi run"), "{advice}");
    let elsewhere = tuned();
    elsewhere.put("sys/devices/system/cpu/isolated", "1-3");
    let item = elsewhere.item("isolated cores");
    assert_eq!(
        item.steps,
        [Step::Advice("engine.cores = [1, 2, 3]".into())]
    );
}

/// A window on one core with these gaps, over one second of 200 ns reads.
fn window(gaps: &[u64], steal: f64, waited_ns: u64) -> Window {
    let mut counted = Gaps::default();
    let rest = 1_000_000_000 - gaps.iter().sum::<u64>();
    for gap in gaps {
        counted.record(*gap);
    }
    for _ in 0..rest / 200 {
        counted.record(200);
    }
    let hiccups = CoreHiccups {
        core: 3,
        is_pinned: true,
        gaps: counted,
        waited_ns: Some(waited_ns),
    };
    let gone = Unread {
        path: "/proc/interrupts".into(),
        why: Why::Missing,
    };
    Window {
        rows: vec![Row {
            hiccups,
            steal: Ok(steal),
            interrupts: Err(gone),
        }],
    }
}

#[test]
fn stalls_and_steal_are_judged_on_both_sides_of_their_limits() {
    let status = |gaps: &[u64], steal| {
        let items = window(gaps, steal, 0).items();
        (items[0].status, items[1].status)
    };
    assert_eq!(status(&[], 0.0), (Status::Ok, Status::Ok));
    assert_eq!(status(&[99_000; 50], 0.000_9), (Status::Ok, Status::Ok));
    assert_eq!(
        status(&[101_000; 2], 0.001),
        (Status::Better, Status::Better)
    );
    assert_eq!(status(&[1_100_000; 2], 0.01), (Status::Bad, Status::Bad));
    let item = |waited| window(&[1_100_000; 2], 0.0, waited).items().swap_remove(0);
    assert!(format!("{:?}", item(5_000_000).steps).contains("other tasks ran"));
    assert!(format!("{:?}", item(0).steps).contains("no other task"));
    let mut blind = window(&[], 0.0, 0);
    blind.rows[0].steal = Err(Unread {
        path: "/proc/stat".into(),
        why: Why::Denied,
    });
    assert_eq!(blind.items()[1].status, Status::Unknown);
}

#[test]
fn what_to_change_comes_bad_first_and_then_by_effect() {
    let machine = tuned();
    machine.put("sys/devices/system/cpu/isolated", "");
    machine.put("proc/sys/net/core/busy_read", "0");
    machine.put("sys/fs/cgroup/tezi.slice/cpu.max", "100000 100000");
    let mut all = groups(&machine.site());
    all.push(("measured", window(&[1_100_000; 2], 0.0, 0).items()));
    let names: Vec<&str> = print::changes(&all).iter().map(|item| item.name).collect();
    assert_eq!(names[..2], ["processor quota", "stalls"], "{names:?}");
    let at = |name| {
        names
            .iter()
            .position(|other| *other == name)
            .expect("listed")
    };
    assert!(at("isolated cores") < at("busy polling"), "{names:?}");
    let failure = verdict(&all).expect_err("bad");
    assert_eq!(failure.to_string(), "bad: processor quota, stalls");
    let seen = window(&[1_100_000; 2], 0.0, 0);
    let text = print::text(&[], &all, Some(&seen)).expect("text");
    assert!(
        text.contains("1.10 ms") && text.contains("Hiccups"),
        "{text}"
    );
    let value = json(&machine.site(), &[], &all, Some(&seen));
    assert_eq!(value["change"][0], "processor quota");
    assert_eq!(
        (&value["bad"], &value["hiccups"]["cores"][0]["core"]),
        (&2.into(), &3.into())
    );
    let rate = value["hiccups"]["cores"][0]["per_s_above_1ms"]
        .as_f64()
        .expect("number");
    assert!((rate - 2.0).abs() < 1e-6, "{rate}");
}

#[test]
fn configuration_and_data_folder_are_looked_at() {
    let folder = tempfile::tempdir().expect("folder");
    let site = tuned().site();
    let file = folder.path().join("run.toml");
    let shipped = include_str!("../../../config/run.toml");
    let status = |text: &str| {
        let config = Config::parse(&file, text);
        let items = own::items(&site, Some((&file, &config)));
        [items[0].status, items[1].status]
    };
    let at = |data: &str| shipped.replace("\"../data\"", &format!("\"{data}\""));
    assert_eq!(status(&at("not/yet")), [Status::Ok, Status::Ok]);
    std::fs::write(folder.path().join("file"), "").expect("file");
    assert_eq!(status(&at("file/data")), [Status::Ok, Status::Bad]);
    assert_eq!(status(&at(".")), [Status::Ok, Status::Ok]);
    assert_eq!(
        status("[engine]\nwaltz = 3\n"),
        [Status::Bad, Status::Unknown]
    );
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .expect("folder")
        .flatten()
        .collect();
    assert_eq!(left.len(), 1, "nothing is left behind: {left:?}");
    let nothing = own::items(&site, None);
    assert!(
        nothing.iter().all(|item| item.status == Status::Unknown),
        "{nothing:?}"
    );
}

#[test]
fn the_wall_clock_needs_a_keeper_where_systemd_runs() {
    let status = |machine: &Machine| own::items(&machine.site(), None)[2].status;
    let machine = tuned();
    assert_eq!(status(&machine), Status::Unknown);
    machine.close("run/systemd/system");
    assert_eq!(status(&machine), Status::Better);
    machine.put("run/chrony/chronyd.pid", "7");
    assert_eq!(status(&machine), Status::Ok);
}
