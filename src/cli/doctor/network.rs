//! The network stack: what may be read without looking into a card's driver.

use super::item::{Item, Proof, Site};

/// Every item of this group.
pub(super) fn items(site: &Site) -> Vec<Item> {
    vec![busy_poll(site), slow_start(site), queueing(site)]
}

/// What the kernel recommends for `busy_read` (Documentation/admin-guide/sysctl/net.rst), µs.
const BUSY_US: i64 = 50;

fn busy_poll(site: &Site) -> Item {
    let name = "busy polling";
    let wanted = "on, where the card's driver has it";
    let root = &site.root;
    let pair = root.number("proc/sys/net/core/busy_read").and_then(|read| {
        let poll = root.number("proc/sys/net/core/busy_poll")?;
        Ok((read, poll))
    });
    let (read, poll) = match pair {
        Ok(pair) => pair,
        Err(why) => return Item::unknown(name, &why, wanted),
    };
    let found = format!("busy_read {read}, busy_poll {poll} µs");
    if read > 0 {
        return Item::ok(name, found, wanted);
    }
    Item::better(name, found, wanted)
        .run(format!(
            "sysctl -w net.core.busy_read={BUSY_US} net.core.busy_poll={BUSY_US}"
        ))
        .advice("try it: a read then asks the card itself, and costs more when nothing is there")
        .gains(
            3_000,
            Proof::Expected,
            "no interrupt between card and read; nothing on loopback",
        )
}

fn slow_start(site: &Site) -> Item {
    let name = "slow start after idle";
    let wanted = "0";
    match site.root.number("proc/sys/net/ipv4/tcp_slow_start_after_idle") {
        Ok(0) => Item::ok(name, "0", wanted),
        Ok(found) => Item::better(name, found.to_string(), wanted)
            .run("sysctl -w net.ipv4.tcp_slow_start_after_idle=0")
            .gains(
                10,
                Proof::Expected,
                "nothing for single orders, which fit one segment; a burst of them keeps its window",
            ),
        Err(why) => Item::unknown(name, &why, wanted),
    }
}

/// Queues that send a single small packet at once.
const PROMPT: [&str; 6] = ["pfifo_fast", "fq_codel", "fq", "mq", "noqueue", "cake"];

fn queueing(site: &Site) -> Item {
    let name = "queueing discipline";
    let wanted = "one that sends a packet at once: fq, fq_codel, pfifo_fast";
    match site.root.text("proc/sys/net/core/default_qdisc") {
        Ok(word) if PROMPT.contains(&word.as_str()) => Item::ok(name, word, wanted),
        Ok(word) => Item::better(name, word, wanted)
            .run("sysctl -w net.core.default_qdisc=fq, then tc qdisc replace dev <card> root fq")
            .gains(
                1_000,
                Proof::Expected,
                "orders do not wait behind other traffic or a shaper",
            ),
        Err(why) => Item::unknown(name, &why, wanted),
    }
}
