//! What only time shows: gaps on each hot core, interrupts it served, time the host took from it.

use super::item::{Item, Proof, Site, Status};
use crate::ring::StopLatch;
use crate::runtime::hiccup::{CoreHiccups, measure};
use crate::runtime::machine::{CpuTimes, Fact, Interrupt, cpu_times, interrupts};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One core over the measuring window.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) hiccups: CoreHiccups,
    /// Share of the core's time that the host took, 0 to 1.
    pub(super) steal: Fact<f64>,
    /// Interrupts a second: the timer, devices, and the rest of the kernel's own.
    pub(super) interrupts: Fact<[f64; 3]>,
}

/// The whole window.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) rows: Vec<Row>,
}

/// The kernel's counters at one moment.
struct Counters {
    times: Fact<BTreeMap<usize, CpuTimes>>,
    interrupts: Fact<Vec<Interrupt>>,
}

impl Counters {
    fn read(site: &Site) -> Self {
        Self {
            times: site.root.read("proc/stat", cpu_times),
            interrupts: site.root.read("proc/interrupts", interrupts),
        }
    }
}

/// Spins on every core the hot path would own, or on the last one when there is none.
pub(super) fn window(site: &Site, length_ns: u64, stop: &StopLatch) -> std::io::Result<Window> {
    let cores = match site.hot() {
        [] => site.usable.last().into_iter().copied().collect(),
        hot => hot.to_vec(),
    };
    let before = Counters::read(site);
    let found = measure(&cores, length_ns, stop)?;
    let after = Counters::read(site);
    let rows = found.into_iter().map(|hiccups| {
        let seconds = hiccups.gaps.elapsed_ns.max(1) as f64 / 1e9;
        Row {
            steal: stolen(&before, &after, hiccups.core),
            interrupts: served(&before, &after, hiccups.core)
                .map(|counts| counts.map(|count| count as f64 / seconds)),
            hiccups,
        }
    });
    Ok(Window {
        rows: rows.collect(),
    })
}

fn stolen(before: &Counters, after: &Counters, core: usize) -> Fact<f64> {
    let (before, after) = (before.times.clone()?, after.times.clone()?);
    let times = |of: &BTreeMap<usize, CpuTimes>| of.get(&core).copied().unwrap_or_default();
    Ok(times(&after).stolen_since(&times(&before)))
}

fn served(before: &Counters, after: &Counters, core: usize) -> Fact<[u64; 3]> {
    let (before, after) = (before.interrupts.as_ref(), after.interrupts.as_ref());
    let (before, after) = (before.map_err(Clone::clone)?, after.map_err(Clone::clone)?);
    let mut counts = [0_u64; 3];
    for row in after {
        let earlier = before.iter().find(|other| other.name == row.name);
        let at = |row: &Interrupt| row.counts.get(&core).copied().unwrap_or(0);
        let grown = at(row).saturating_sub(earlier.map_or(0, at));
        let kind = match (row.name.as_str(), row.number()) {
            ("LOC", _) => 0,
            (_, Some(_)) => 1,
            _ => 2,
        };
        counts[kind] = counts[kind].saturating_add(grown);
    }
    Ok(counts)
}

/// Gaps above 100 µs a second on a core that is left alone.
const LONG_PER_S_MAX: f64 = 1.0;
/// Gaps above 1 ms a second that make trading by microseconds pointless.
const STALLS_PER_S_MAX: f64 = 1.0;
/// Steal worth a word, and steal that spoils a day.
const STEAL_MAX: [f64; 2] = [0.001, 0.01];

impl Window {
    /// What the figures come to.
    pub(super) fn items(&self) -> Vec<Item> {
        vec![self.gaps(), self.steal()]
    }

    fn gaps(&self) -> Item {
        let name = "stalls";
        let wanted = "fewer than 1 above 100 µs a second, none above 1 ms";
        let worst = |at: usize| {
            let of = |row: &Row| row.hiccups.gaps.above_per_s()[at];
            self.rows.iter().map(of).fold(0.0, f64::max)
        };
        let (long, stalls) = (worst(2), worst(3));
        let waits = self.rows.iter().map(|row| row.hiccups.gaps.waits_ns(0.999));
        let waits = waits.max().unwrap_or(0);
        let found = format!("{long:.1} above 100 µs, {stalls:.1} above 1 ms a second");
        let status = if stalls >= STALLS_PER_S_MAX {
            Status::Bad
        } else if long >= LONG_PER_S_MAX || stalls > 0.0 {
            Status::Better
        } else {
            return Item::ok(name, found, wanted);
        };
        let item = Item::new(name, status, found, wanted);
        let others = self.rows.iter().any(|row| row.others_share() > 0.001);
        let item = if others {
            item.advice("other tasks ran on the core: isolate it, and stop what else runs here")
        } else {
            item.advice("no other task ran on the core: the host or interrupts took it; see own hardware, steal, interrupt affinity")
        };
        item.gains(
            waits,
            Proof::Now,
            format!("of 1000 ticks one waits {} or longer", time(waits)),
        )
    }

    fn steal(&self) -> Item {
        let name = "steal";
        let wanted = "less than 0.1 %";
        let mut worst = 0.0_f64;
        for row in &self.rows {
            match &row.steal {
                Ok(steal) => worst = worst.max(*steal),
                Err(why) => return Item::unknown(name, why, wanted),
            }
        }
        let found = format!("{:.2} %", worst * 100.0);
        let status = if worst < STEAL_MAX[0] {
            return Item::ok(name, found, wanted);
        } else if worst < STEAL_MAX[1] {
            Status::Better
        } else {
            Status::Bad
        };
        Item::new(name, status, found, wanted)
            .advice("a host that shares no cores: dedicated, metal, or colocated")
            .gains(
                1_000_000,
                Proof::Now,
                "the host gave the core to others for this share of the time",
            )
    }

    /// Seconds that were measured, the shortest of the cores.
    pub(super) fn seconds(&self) -> f64 {
        let of = |row: &Row| row.hiccups.gaps.elapsed_ns as f64 / 1e9;
        self.rows.iter().map(of).fold(f64::INFINITY, f64::min)
    }

    pub(super) fn json(&self) -> Value {
        let rows: Vec<Value> = self.rows.iter().map(Row::json).collect();
        json!({ "seconds": self.seconds(), "unit": "ns", "cores": rows })
    }
}

impl Row {
    /// Share of the window in which other tasks had the core.
    pub(super) fn others_share(&self) -> f64 {
        let waited = self.hiccups.waited_ns.unwrap_or(0);
        waited as f64 / self.hiccups.gaps.elapsed_ns.max(1) as f64
    }

    fn json(&self) -> Value {
        let gaps = &self.hiccups.gaps;
        let [us, us_10, us_100, ms] = gaps.above_per_s();
        json!({ "core": self.hiccups.core, "pinned": self.hiccups.is_pinned, "reads": gaps.reads(),
            "per_s_above_1us": us, "per_s_above_10us": us_10, "per_s_above_100us": us_100,
            "per_s_above_1ms": ms, "gap_p50": gaps.quantile_ns(0.5), "gap_p99_9": gaps.quantile_ns(0.999),
            "gap_max": gaps.max_ns(), "wait_p99": gaps.waits_ns(0.99), "wait_p99_9": gaps.waits_ns(0.999),
            "wait_p99_99": gaps.waits_ns(0.9999), "other_tasks_ns": self.hiccups.waited_ns,
            "steal": self.steal.as_ref().ok(),
            "interrupts_per_s": self.interrupts.as_ref().ok().map(|[timer, device, other]| {
                json!({ "timer": timer, "device": device, "other": other })
            }) })
    }
}

/// A time as people read it: `35 ns`, `4.1 µs`, `2.30 ms`, `1.05 s`.
pub(super) fn time(nanos: u64) -> String {
    let value = nanos as f64;
    match nanos {
        0..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{:.1} µs", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2} ms", value / 1e6),
        _ => format!("{:.2} s", value / 1e9),
    }
}
