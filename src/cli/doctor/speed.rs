//! How fast the cores run: frequency, idle states, what they share with others.

use super::cores::CPU;
use super::item::{Item, Proof, Site};
use crate::runtime::machine::{core_list, core_text};

/// Every item of this group.
pub(super) fn items(site: &Site) -> Vec<Item> {
    vec![
        governor(site),
        turbo(site),
        idle_states(site),
        siblings(site),
        nodes(site),
    ]
}

fn governor(site: &Site) -> Item {
    let name = "frequency governor";
    let wanted = "performance";
    let mut others: Vec<(usize, String)> = Vec::new();
    for &core in site.watched() {
        let path = format!("{CPU}/cpu{core}/cpufreq/scaling_governor");
        match site.root.text(&path) {
            Ok(word) if word == wanted => {}
            Ok(word) => others.push((core, word)),
            Err(why) => {
                return Item::unknown(name, &why, wanted)
                    .note("; in a virtual machine the host decides");
            }
        }
    }
    let Some((_, word)) = others.first() else {
        return Item::ok(name, wanted, wanted);
    };
    let cores: Vec<usize> = others.iter().map(|(core, _)| *core).collect();
    let list: Vec<String> = cores.iter().map(usize::to_string).collect();
    Item::better(
        name,
        format!("{word} on core {}", core_text(&cores)),
        wanted,
    )
    .run(format!(
        "for c in {}; do echo performance > /{CPU}/cpu$c/cpufreq/scaling_governor; done",
        list.join(" ")
    ))
    .gains(
        15_000,
        Proof::Expected,
        "a core that clocks down makes the first microseconds after a pause slower",
    )
}

fn turbo(site: &Site) -> Item {
    let name = "turbo";
    let wanted = "on, or off on purpose";
    let intel = site
        .root
        .number(&format!("{CPU}/intel_pstate/no_turbo"))
        .map(|off| off == 0);
    let is_on = intel.or_else(|_| {
        let boost = site.root.number(&format!("{CPU}/cpufreq/boost"));
        boost.map(|on| on == 1)
    });
    match is_on {
        Ok(true) => Item::ok(name, "on", wanted),
        Ok(false) => Item::better(name, "off", wanted)
            .run(format!(
                "echo 1 > /{CPU}/cpufreq/boost || echo 0 > /{CPU}/intel_pstate/no_turbo"
            ))
            .gains(
                2_000,
                Proof::Expected,
                "a higher clock; off is steadier, where that is what you want",
            ),
        Err(why) => {
            Item::unknown(name, &why, wanted).note("; in a virtual machine the host decides")
        }
    }
}

/// Waking from a state that takes longer than this is worth a word, µs.
const IDLE_US_MAX: i64 = 10;

fn idle_states(site: &Site) -> Item {
    let name = "idle states";
    let wanted = format!("none that takes more than {IDLE_US_MAX} µs to leave");
    let mut deepest: Option<(i64, String)> = None;
    for &core in &site.usable {
        let folder = format!("{CPU}/cpu{core}/cpuidle");
        let states = match site.root.names(&folder) {
            Ok(states) => states,
            Err(why) => {
                return Item::unknown(name, &why, wanted)
                    .note("; in a virtual machine the host decides");
            }
        };
        for state in states {
            let at = format!("{folder}/{state}");
            let Ok(latency) = site.root.number(&format!("{at}/latency")) else {
                continue;
            };
            let is_off = site
                .root
                .number(&format!("{at}/disable"))
                .is_ok_and(|off| off != 0);
            if !is_off
                && deepest
                    .as_ref()
                    .is_none_or(|(deepest, _)| latency > *deepest)
            {
                let word = site.root.text(&format!("{at}/name")).unwrap_or(state);
                deepest = Some((latency, word));
            }
        }
    }
    match deepest {
        None => Item::ok(name, "none allowed", wanted),
        Some((latency, word)) if latency <= IDLE_US_MAX => {
            Item::ok(name, format!("deepest is {word}, {latency} µs"), wanted)
        }
        Some((latency, word)) => Item::better(
            name,
            format!("deepest is {word}, {latency} µs"),
            wanted,
        )
        .run(format!("cpupower idle-set -D {IDLE_US_MAX}"))
        .kernel("processor.max_cstate=1")
        .kernel("intel_idle.max_cstate=1")
        .gains(
            u64::try_from(latency).unwrap_or(0).saturating_mul(1_000),
            Proof::Expected,
            "the cores of control and interrupts wake sooner; a core that spins never sleeps",
        ),
    }
}

fn siblings(site: &Site) -> Item {
    let name = "hyper-threads";
    let wanted = "a hot core shares its units with none";
    let mut shared: Vec<usize> = Vec::new();
    for &core in site.watched() {
        let path = format!("{CPU}/cpu{core}/topology/thread_siblings_list");
        match site.root.read(&path, core_list) {
            Ok(cores) => shared.extend(cores.into_iter().filter(|other| *other != core)),
            Err(why) => return Item::unknown(name, &why, wanted),
        }
    }
    shared.sort_unstable();
    shared.dedup();
    if shared.is_empty() {
        return Item::ok(name, "none shared", wanted);
    }
    let list = core_text(&shared);
    Item::better(
        name,
        format!("core {} with {list}", core_text(site.watched())),
        wanted,
    )
    .run(format!("echo off > /{CPU}/smt/control"))
    .kernel("nosmt")
    .gains(
        3_000,
        Proof::Expected,
        "a busy sibling takes half of a core's units and caches",
    )
}

fn nodes(site: &Site) -> Item {
    let name = "memory nodes";
    let wanted = "hot cores and network card on one";
    let root = &site.root;
    let nodes = match root.read("sys/devices/system/node/online", core_list) {
        Ok(nodes) => nodes,
        Err(why) => return Item::unknown(name, &why, wanted),
    };
    if nodes.len() <= 1 {
        return Item::ok(name, "one", wanted);
    }
    let mut of_hot: Vec<usize> = Vec::new();
    for &node in &nodes {
        let path = format!("sys/devices/system/node/node{node}/cpulist");
        match root.read(&path, core_list) {
            Ok(cores) if cores.iter().any(|core| site.watched().contains(core)) => {
                of_hot.push(node);
            }
            Ok(_) => {}
            Err(why) => return Item::unknown(name, &why, wanted),
        }
    }
    let cards = root.names("sys/class/net").unwrap_or_default();
    let mut of_cards: Vec<usize> = cards
        .iter()
        .filter_map(|card| {
            root.number(&format!("sys/class/net/{card}/device/numa_node"))
                .ok()
        })
        .filter_map(|node| usize::try_from(node).ok())
        .collect();
    of_cards.sort_unstable();
    of_cards.dedup();
    let found = format!(
        "{}; hot cores on {}{}",
        nodes.len(),
        core_text(&of_hot),
        match core_text(&of_cards) {
            text if text.is_empty() => String::new(),
            text => format!(", network cards on {text}"),
        }
    );
    let one_card = of_cards.is_empty() || of_cards.iter().any(|node| of_hot.contains(node));
    let effect = "a line from the other node costs about 100 ns more, also the card's";
    if of_hot.len() > 1 || !one_card {
        return Item::better(name, found, wanted)
            .advice(
                "engine.cores: cores of the card's node (/sys/class/net/<card>/device/numa_node)",
            )
            .gains(1_000, Proof::Expected, effect);
    }
    if root
        .number("proc/sys/kernel/numa_balancing")
        .is_ok_and(|on| on != 0)
    {
        return Item::better(name, found.clone() + "; balancing is on", wanted)
            .run("sysctl -w kernel.numa_balancing=0")
            .gains(
                2_000,
                Proof::Expected,
                "balancing unmaps pages to see who uses them: page faults on the hot path",
            );
    }
    Item::ok(name, found, wanted)
}
