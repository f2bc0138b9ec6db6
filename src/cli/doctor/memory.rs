//! Memory: huge pages, what may be locked, what may be swapped out.

use super::item::{Item, Proof, Site, Status};
use crate::runtime::machine::{Capability, chosen, field, has_capability, limit};

/// Every item of this group.
pub(super) fn items(site: &Site) -> Vec<Item> {
    vec![transparent(site), reserved(site), locked(site), swap(site)]
}

const TRANSPARENT: &str = "sys/kernel/mm/transparent_hugepage";

fn transparent(site: &Site) -> Item {
    let name = "transparent huge pages";
    let wanted = "madvise, and no waiting for them";
    let word = |file: &str| site.root.read(&format!("{TRANSPARENT}/{file}"), chosen);
    let enabled = match word("enabled") {
        Ok(enabled) => enabled,
        Err(why) => return Item::unknown(name, &why, wanted),
    };
    let defrag = word("defrag").unwrap_or_else(|_| "?".to_owned());
    let found = format!("{enabled}, defrag {defrag}");
    if enabled == "madvise" && defrag != "always" {
        return Item::ok(name, found, wanted);
    }
    let item = Item::better(name, found, wanted);
    if enabled == "never" {
        return item
            .run(format!("echo madvise > /{TRANSPARENT}/enabled"))
            .gains(
                100,
                Proof::Expected,
                "large tables miss the address cache less, once a program asks for them",
            );
    }
    item.run(format!(
        "echo madvise > /{TRANSPARENT}/enabled; echo defer+madvise > /{TRANSPARENT}/defrag"
    ))
    .gains(
        100_000,
        Proof::Expected,
        "the kernel compacts memory and moves pages while threads wait",
    )
}

fn reserved(site: &Site) -> Item {
    let name = "reserved huge pages";
    let wanted = "0: tezi asks for none";
    let found = site.root.read("proc/meminfo", |text| {
        let number = |name| {
            field(text, name)?
                .split_whitespace()
                .next()?
                .parse::<u64>()
                .ok()
        };
        Some((
            number("HugePages_Total")?,
            number("HugePages_Free")?,
            number("Hugepagesize")?,
        ))
    });
    match found {
        Ok((0, ..)) => Item::ok(name, "0", wanted),
        Ok((total, free, kib)) => {
            let found = format!("{total} of {} MiB, {free} free", kib / 1_024);
            if free == 0 {
                return Item::ok(name, found + ": somebody else's", wanted);
            }
            Item::better(name, found, wanted)
                .run("sysctl -w vm.nr_hugepages=0")
                .gains(0, Proof::Expected, "memory that nobody uses comes back")
        }
        Err(why) => Item::unknown(name, &why, wanted),
    }
}

fn locked(site: &Site) -> Item {
    let name = "locked memory";
    let wanted = "unlimited";
    let root = &site.root;
    let may = root.read("proc/self/status", |text| {
        has_capability(text, Capability::IpcLock)
    });
    if may == Ok(true) {
        return Item::ok(name, "unlimited by CAP_IPC_LOCK", wanted);
    }
    match root.read("proc/self/limits", |text| limit(text, "Max locked memory")) {
        Ok(None) => Item::ok(name, "unlimited", wanted),
        Ok(Some(bytes)) => Item::better(name, format!("{} KiB", bytes >> 10), wanted)
            .advice("LimitMEMLOCK=infinity in the unit, or ulimit -l unlimited")
            .gains(
                2_000,
                Proof::Before,
                "a page that was written back or taken away faults on its next use: 1.5 µs, and the disk's time if it was swapped",
            ),
        Err(why) => Item::unknown(name, &why, wanted),
    }
}

fn swap(site: &Site) -> Item {
    let name = "swap";
    let wanted = "none";
    let text = match site.root.text("proc/swaps") {
        Ok(text) => text,
        Err(why) => return Item::unknown(name, &why, wanted),
    };
    let places: Vec<&str> = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    if places.is_empty() {
        return Item::ok(name, "none", wanted);
    }
    Item::new(name, Status::Better, places.join(", "), wanted)
        .run("swapoff -a")
        .gains(
            1_000_000,
            Proof::Expected,
            "a page that was swapped out costs the disk's time to come back",
        )
}
