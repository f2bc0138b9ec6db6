//! The kernel: version, clock, host, mitigations, real-time class, timers.

use super::item::{Item, Proof, Site, Status};
use crate::runtime::machine::{Fact, field, parameter};
use crate::runtime::realtime;

/// Every item of this group.
pub(super) fn items(site: &Site) -> Vec<Item> {
    vec![
        version(site),
        virtualised(site),
        clock_source(site),
        counter(site),
        mitigations(site),
        real_time(site),
        throttle(site),
        slack(site),
    ]
}

/// Oldest kernel with everything the deployment page names (`isolcpus=managed_irq` is of 5.6).
const VERSION_MIN: (u32, u32) = (5, 15);

fn version(site: &Site) -> Item {
    let name = "kernel";
    let wanted = format!("{}.{} or later", VERSION_MIN.0, VERSION_MIN.1);
    let release = site.root.read("proc/sys/kernel/osrelease", |text| {
        let mut parts = text.split(['.', '-']);
        let version: (u32, u32) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some((version, text.to_owned()))
    });
    let (version, mut text) = match release {
        Ok(release) => release,
        Err(why) => return Item::unknown(name, &why, wanted),
    };
    let build = site
        .root
        .text("proc/sys/kernel/version")
        .unwrap_or_default();
    if let Some(word) = build
        .split_whitespace()
        .find(|word| word.starts_with("PREEMPT"))
    {
        text = format!("{text}, {word}");
    }
    if version >= VERSION_MIN {
        return Item::ok(name, text, wanted);
    }
    Item::better(name, text, wanted)
        .advice("a newer kernel")
        .gains(
            1_000,
            Proof::Expected,
            "isolation of managed interrupts, cheaper timers and sockets",
        )
}

/// What the processor says of itself, word by word.
fn flags(site: &Site) -> Fact<String> {
    site.root.read("proc/cpuinfo", |text| {
        field(text, "flags").map(str::to_owned)
    })
}

fn virtualised(site: &Site) -> Item {
    let name = "own hardware";
    let wanted = "yes, or cores of a guest that the host pins";
    let flags = match flags(site) {
        Ok(flags) => flags,
        Err(why) => return Item::unknown(name, &why, wanted),
    };
    if !flags.split_whitespace().any(|flag| flag == "hypervisor") {
        return Item::ok(name, "yes", wanted);
    }
    let of = ["sys_vendor", "product_name"]
        .iter()
        .filter_map(|file| site.root.text(&format!("sys/class/dmi/id/{file}")).ok())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    let found = if of.is_empty() {
        "a virtual machine".to_owned()
    } else {
        format!("a virtual machine: {of}")
    };
    Item::better(name, found, wanted)
        .advice(
            "a metal or dedicated-host instance, or cores pinned by the host; tezi doctor --latency shows steal",
        )
        .gains(
            50_000,
            Proof::Expected,
            "the host takes cores away unannounced, and every interrupt leaves the guest",
        )
}

fn clock_source(site: &Site) -> Item {
    let name = "clock source";
    let wanted = "tsc";
    let folder = "sys/devices/system/clocksource/clocksource0";
    let found = match site.root.text(&format!("{folder}/current_clocksource")) {
        Ok(found) => found,
        Err(why) => return Item::unknown(name, &why, wanted),
    };
    // Read without a system call, each in its own way.
    let fast = ["kvm-clock", "hyperv_clocksource_tsc_page"];
    if found == wanted || found == "arch_sys_counter" {
        return Item::ok(name, found, wanted);
    }
    let has_tsc = site
        .root
        .text(&format!("{folder}/available_clocksource"))
        .is_ok_and(|text| text.split_whitespace().any(|word| word == wanted));
    let is_fast = fast.contains(&found.as_str());
    let status = if is_fast { Status::Better } else { Status::Bad };
    let item = Item::new(name, status, found, wanted);
    let item = if has_tsc {
        item.run(format!("echo tsc > /{folder}/current_clocksource"))
            .kernel("clocksource=tsc tsc=reliable")
    } else {
        item.advice("the kernel distrusts the counter: see dmesg for why; another host or machine")
    };
    if is_fast {
        item.gains(100, Proof::Expected, "a cheaper clock")
    } else {
        item.gains(
            5_000,
            Proof::Expected,
            "each look at the clock is a system call or reads a slow device",
        )
    }
}

fn counter(site: &Site) -> Item {
    let name = "time-stamp counter";
    let wanted = "constant and never stopping";
    let flags = match flags(site) {
        Ok(flags) => flags,
        Err(why) => return Item::unknown(name, &why, wanted),
    };
    let has = |flag: &str| flags.split_whitespace().any(|word| word == flag);
    match (has("constant_tsc"), has("nonstop_tsc")) {
        (true, true) => Item::ok(name, wanted, wanted),
        (constant, _) => Item::better(
            name,
            if constant {
                "stops in idle states"
            } else {
                "not constant"
            },
            wanted,
        )
        .advice("another host or processor")
        .gains(
            100,
            Proof::Before,
            "10 ns a look at the clock in place of 21 by the operating system",
        ),
    }
}

fn mitigations(site: &Site) -> Item {
    let name = "mitigations";
    let wanted = "off, if nothing else runs here";
    let folder = "sys/devices/system/cpu/vulnerabilities";
    let names = match site.root.names(folder) {
        Ok(names) => names,
        Err(why) => return Item::unknown(name, &why, wanted),
    };
    let active: Vec<String> = names
        .into_iter()
        .filter(|name| {
            let text = site.root.text(&format!("{folder}/{name}"));
            text.is_ok_and(|text| text.starts_with("Mitigation"))
        })
        .collect();
    let line = site.root.text("proc/cmdline").unwrap_or_default();
    if active.is_empty() {
        let by = match parameter(&line, "mitigations") {
            Some(word) => format!("none active (mitigations={word})"),
            None => "none active".to_owned(),
        };
        return Item::ok(name, by, wanted);
    }
    Item::better(
        name,
        format!("{}: {}", active.len(), active.join(", ")),
        wanted,
    )
    .kernel("mitigations=off")
    .advice("only where no stranger's code runs: it takes down walls between processes")
    .gains(
        400,
        Proof::Expected,
        "each system call gets cheaper, by how much depends on the processor",
    )
}

/// Whether threads of this process may take a real-time class; `None` where the kernel does not say.
fn may_real_time(site: &Site) -> Option<bool> {
    let most = realtime::allowance(&site.root).ok()?;
    Some(most.is_none_or(|most| most > 0))
}

fn real_time(site: &Site) -> Item {
    let name = "real-time class";
    let wanted = "allowed, where cores are not isolated";
    let isolated = site.root.read(
        "sys/devices/system/cpu/isolated",
        crate::runtime::machine::core_list,
    );
    let hot = site.hot();
    let is_isolated =
        !hot.is_empty() && isolated.is_ok_and(|cores| hot.iter().all(|core| cores.contains(core)));
    match may_real_time(site) {
        Some(true) => Item::ok(name, "allowed", wanted),
        Some(false) if is_isolated => Item::ok(name, "not allowed, not needed", wanted),
        Some(false) => Item::better(name, "not allowed", wanted)
            .advice("LimitRTPRIO=10 in the unit and engine.realtime = 10, or isolate the core, which is better")
            .gains(
                900_000,
                Proof::Before,
                "on a shared machine stalls above 1 ms fell from 20 a second to 0.3",
            ),
        None => Item::new(
            name,
            Status::Unknown,
            "no /proc/self/limits, no /proc/self/status",
            wanted,
        ),
    }
}

/// True when this process runs in a real-time class already (proc(5): field 41 of stat, 1 and 2).
fn is_real_time(site: &Site) -> bool {
    let class = site.root.read("proc/self/stat", |text| {
        // The second field is a name in brackets and may hold anything.
        let rest = text.rsplit_once(')')?.1;
        rest.split_whitespace().nth(38)?.parse::<u32>().ok()
    });
    class.is_ok_and(|class| matches!(class, 1 | 2))
}

fn throttle(site: &Site) -> Item {
    let name = "real-time throttle";
    let wanted = "-1 where a spinning thread is real-time";
    let (found, of) = match realtime::throttle(&site.root) {
        Ok(Some(throttle)) => throttle,
        Ok(None) => return Item::ok(name, "lifted", wanted),
        Err(why) => return Item::unknown(name, &why, wanted),
    };
    let text = format!("{found} of {of} µs");
    let lift = "sysctl -w kernel.sched_rt_runtime_us=-1";
    let stopped = u64::try_from(of - found).unwrap_or(0).saturating_mul(1_000);
    let effect = format!(
        "a spinning real-time thread is stopped for {} ms in every {} ms",
        (of - found) / 1_000,
        of / 1_000
    );
    if is_real_time(site) {
        return Item::new(
            name,
            Status::Bad,
            text + ", and this process is real-time",
            wanted,
        )
        .run(lift)
        .advice("and leave a core free of real-time threads")
        .gains(stopped, Proof::Before, effect);
    }
    if may_real_time(site) == Some(true) {
        return Item::better(name, text, wanted)
            .run(lift)
            .advice("for engine.realtime; without it this does nothing")
            .gains(100, Proof::Before, effect);
    }
    Item::ok(name, text + "; nothing here may be real-time", wanted)
}

/// The kernel's default, nanoseconds.
const SLACK_NS_MAX: i64 = 50_000;

fn slack(site: &Site) -> Item {
    let name = "timer slack";
    let wanted = "50 µs or less";
    match site.root.number("proc/self/timerslack_ns") {
        Ok(slack) if slack <= SLACK_NS_MAX => Item::ok(
            name,
            format!("{slack} ns; threads of tezi that sleep set 1 ns"),
            wanted,
        ),
        Ok(slack) => Item::better(name, format!("{slack} ns"), wanted)
            .advice("TimerSlackNSec=1 in the unit: who starts tezi passes its own slack on")
            .gains(
                u64::try_from(slack).unwrap_or(0),
                Proof::Before,
                "every short sleep of control is late by so much",
            ),
        Err(why) => Item::unknown(name, &why, wanted),
    }
}
