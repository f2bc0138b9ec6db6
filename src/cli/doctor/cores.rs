//! The cores: how many, whose they are, what interrupts them. How fast they run is in `speed.rs`.

use super::item::{Item, Proof, Site, Status};
use crate::runtime::machine::{Fact, core_list, core_text, interrupts};
use crate::runtime::{IdleMode, Topology};

pub(super) const CPU: &str = "sys/devices/system/cpu";

/// Every item of this group.
pub(super) fn items(site: &Site) -> Vec<Item> {
    vec![
        topology(site),
        quota(site),
        isolated(site),
        tickless(site),
        affinity(site),
    ]
}

fn topology(site: &Site) -> Item {
    let name = "cores";
    let wanted = "4 or more: a core a stage and one to spare";
    let count = site.usable.len();
    let placement = match &site.placement {
        Ok(placement) => placement,
        Err(why) => {
            return Item::new(name, Status::Bad, why.clone(), wanted).gains(
                u64::MAX,
                Proof::Expected,
                "tezi run does not start",
            );
        }
    };
    let on = if placement.cores.is_empty() {
        "no core of its own".to_owned()
    } else {
        format!("core {}", core_text(&placement.cores))
    };
    let found = format!(
        "{count} usable; {} on {on}, {}",
        placement.topology.name(),
        placement.idle.name()
    );
    if placement.idle != IdleMode::Spin {
        let bad = Item::new(name, Status::Bad, found, wanted);
        return bad
            .advice("give the engine two cores or more; with one its thread parks")
            .gains(
                20_000,
                Proof::Before,
                "a thread that has to be woken costs 17 to 20 µs, each time",
            );
    }
    if placement.topology == Topology::Split || count >= 4 {
        return Item::ok(name, found, wanted);
    }
    Item::better(name, found, wanted)
        .advice("rent or buy 4 cores: the stages get one each, and control stops taking turns with the rest")
        .gains(100_000, Proof::Expected, "a lower p99: with two cores everything else runs on one")
}

/// A limit on processor time stops a spinning thread for the rest of the period, whatever it is doing.
fn quota(site: &Site) -> Item {
    let name = "processor quota";
    let wanted = "none";
    let root = &site.root;
    let groups = match root.text("proc/self/cgroup") {
        Ok(groups) => groups,
        Err(why) => return Item::unknown(name, &why, wanted),
    };
    let mut limits = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        let is_second = controllers.is_empty();
        if !is_second && !controllers.split(',').any(|one| one == "cpu") {
            continue;
        }
        // A limit on any group above this one counts as well.
        let mut path = Some(path.trim_matches('/'));
        while let Some(at) = path {
            limits.extend(group_limit(site, at, is_second));
            path = match at.rsplit_once('/') {
                Some((above, _)) => Some(above),
                None if at.is_empty() => None,
                None => Some(""),
            };
        }
    }
    match limits.into_iter().reduce(f64::min) {
        None => Item::ok(name, "none seen", wanted),
        Some(cores) => Item::new(name, Status::Bad, format!("{cores:.2} cores"), wanted)
            .advice("lift it: CPUQuota= empty in the unit, no --cpus for the container")
            .gains(
                100_000_000,
                Proof::Expected,
                "a used-up quota stops every thread for the rest of a period, 100 ms by default",
            ),
    }
}

/// Cores' worth of time a control group may use; `None` without a limit.
fn group_limit(site: &Site, path: &str, is_second: bool) -> Option<f64> {
    let at = |file: &str| {
        if is_second {
            format!("sys/fs/cgroup/{path}/{file}")
        } else {
            format!("sys/fs/cgroup/cpu/{path}/{file}")
        }
    };
    let (used, of) = if is_second {
        let text = site.root.text(&at("cpu.max")).ok()?;
        let (used, of) = text.split_once(' ')?;
        (used.parse().ok()?, of.parse().ok()?)
    } else {
        let used = site.root.number(&at("cpu.cfs_quota_us")).ok()?;
        (used, site.root.number(&at("cpu.cfs_period_us")).ok()?)
    };
    (used > 0 && of > 0).then(|| used as f64 / of as f64)
}

/// What needs cores of the engine's own when it has none.
fn nothing_owned(name: &'static str, wanted: &str) -> Item {
    let why = "the engine would own no core here: its threads park";
    Item::new(name, Status::Unknown, why, wanted)
}

fn isolated(site: &Site) -> Item {
    let name = "isolated cores";
    let wanted = match site.hot() {
        [] => "the hot ones".to_owned(),
        hot => format!("core {}", core_text(hot)),
    };
    let found = match site.root.read(&format!("{CPU}/isolated"), core_list) {
        Ok(found) => found,
        Err(why) => return Item::unknown(name, &why, wanted),
    };
    let hidden: Vec<usize> = found
        .iter()
        .copied()
        .filter(|core| !site.usable.contains(core))
        .collect();
    let text = match core_text(&found) {
        text if text.is_empty() => "none".to_owned(),
        text => text,
    };
    let stalls = "no other task takes the core, for as long as a time slice";
    if !hidden.is_empty() {
        // The kernel starts every process on the cores that are not isolated.
        let mut all = site.usable.clone();
        all.extend(&hidden);
        all.sort_unstable();
        let all = core_text(&all);
        return Item::new(
            name,
            Status::Bad,
            format!(
                "{text}, and this process may not use {}",
                core_text(&hidden)
            ),
            "isolated, and in the affinity of the process",
        )
        .advice(format!(
            "start with: taskset -c {all} tezi run …, or CPUAffinity={all} in the unit"
        ))
        .gains(1_000_000, Proof::Expected, stalls);
    }
    let hot = site.hot();
    if hot.is_empty() {
        return nothing_owned(name, &wanted);
    }
    if hot.iter().all(|core| found.contains(core)) {
        return Item::ok(name, text, wanted);
    }
    let item = Item::better(name, text, wanted).gains(1_000_000, Proof::Expected, stalls);
    if found.len() >= hot.len() {
        let cores: Vec<String> = found.iter().take(hot.len()).map(usize::to_string).collect();
        return item.advice(format!("engine.cores = [{}]", cores.join(", ")));
    }
    item.kernel(format!("isolcpus=domain,managed_irq,{}", core_text(hot)))
        .advice(format!(
            "and let the process use them again: CPUAffinity={} in the unit",
            core_text(&site.usable)
        ))
}

fn tickless(site: &Site) -> Item {
    let name = "tickless cores";
    let hot = site.hot();
    if hot.is_empty() {
        return nothing_owned(name, "the hot ones");
    }
    let list = core_text(hot);
    let wanted = format!("core {list}");
    let found = match site.root.read(&format!("{CPU}/nohz_full"), core_list) {
        Ok(found) => found,
        Err(why) => {
            return Item::unknown(name, &why, wanted)
                .note(": a kernel without CONFIG_NO_HZ_FULL has none");
        }
    };
    if hot.iter().all(|core| found.contains(core)) {
        return Item::ok(name, core_text(&found), wanted);
    }
    let text = match core_text(&found) {
        text if text.is_empty() => "none".to_owned(),
        text => text,
    };
    Item::better(name, text, wanted)
        .kernel(format!("nohz_full={list}"))
        .kernel(format!("rcu_nocbs={list}"))
        .gains(
            5_000,
            Proof::Expected,
            "the timer interrupt, 100 to 1000 times a second, goes from a core with one task",
        )
}

fn affinity(site: &Site) -> Item {
    let name = "interrupt affinity";
    let wanted = "no device on a hot core";
    let hot = site.hot();
    if hot.is_empty() {
        return nothing_owned(name, wanted);
    }
    let numbers = match site.root.names("proc/irq") {
        Ok(names) => names,
        Err(why) => return Item::unknown(name, &why, wanted),
    };
    let rows = match site.root.read("proc/interrupts", interrupts) {
        Ok(rows) => rows,
        Err(why) => return Item::unknown(name, &why, wanted),
    };
    let (mut active, mut unread) = (0_usize, None);
    let mut here: Vec<(u32, u64, String)> = Vec::new();
    for number in numbers.iter().filter_map(|name| name.parse::<u32>().ok()) {
        let Some(row) = rows.iter().find(|row| row.number() == Some(number)) else {
            continue;
        };
        let served: u64 = row.counts.values().sum();
        if served == 0 {
            continue;
        }
        match may_run_on(site, number) {
            Ok(cores) => {
                active += 1;
                if cores.iter().any(|core| hot.contains(core)) {
                    let device = row.what.rsplit(' ').next().unwrap_or("").to_owned();
                    here.push((number, served, device));
                }
            }
            Err(why) => unread = Some(why),
        }
    }
    if let (0, Some(why)) = (active, unread) {
        return Item::unknown(name, &why, wanted);
    }
    if here.is_empty() {
        return Item::ok(name, format!("none of {active} active interrupts"), wanted);
    }
    // The busiest first.
    here.sort_by_key(|(number, served, _)| (std::cmp::Reverse(*served), *number));
    let busiest: Vec<&str> = here.iter().take(3).map(|row| row.2.as_str()).collect();
    let mut numbers: Vec<u32> = here.iter().map(|row| row.0).collect();
    numbers.sort_unstable();
    let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
    let house = core_text(&site.house());
    Item::better(
        name,
        format!(
            "{} of {active} active interrupts may come to core {}: {}{}",
            here.len(),
            core_text(hot),
            busiest.join(", "),
            if here.len() > 3 { ", …" } else { "" }
        ),
        wanted,
    )
    .run(format!(
        "for n in {}; do echo {house} > /proc/irq/$n/smp_affinity_list; done",
        numbers.join(" ")
    ))
    .kernel(format!("irqaffinity={house}"))
    .advice(format!(
        "IRQBALANCE_BANNED_CPULIST={} in /etc/default/irqbalance where irqbalance runs",
        core_text(hot)
    ))
    .gains(
        20_000,
        Proof::Expected,
        "a device's interrupt takes the core for some microseconds",
    )
}

/// Where an interrupt goes, or may go where the kernel does not say.
fn may_run_on(site: &Site, number: u32) -> Fact<Vec<usize>> {
    let effective = format!("proc/irq/{number}/effective_affinity_list");
    match site.root.read(&effective, core_list) {
        Ok(cores) if !cores.is_empty() => Ok(cores),
        _ => site
            .root
            .read(&format!("proc/irq/{number}/smp_affinity_list"), core_list),
    }
}
