//! The lanes between the stages, each with its capacity and policy, and the topology in words.

use crate::ring::lane::Policy;
use crate::ring::{LaneView, Lossless, Receiver, lossless};
use crate::runtime::{IdleMode, Placement, Topology};

/// Capacity and policy of every lane, in the order data flows; printed at start and by `config check`.
pub const LANES: [(&str, usize, Policy); 12] = [
    ("dialler → feed (sockets)", 2, Policy::Stall),
    ("feed → decide (ticks)", 4_096, Policy::Merge),
    ("feed → gateway (order updates)", 1_024, Policy::Stall),
    ("decide → gateway (intents)", 256, Policy::Stall),
    ("gateway → decide (outcomes)", 1_024, Policy::Stall),
    ("dialler → gateway (connections)", 16, Policy::Stall),
    ("control → gateway (journal segments)", 2, Policy::Stall),
    ("control → gateway (commands)", 1_024, Policy::Stall),
    ("gateway → inquiry (entries)", 16_384, Policy::Drop),
    ("inquiry → gateway (evidence)", 1_024, Policy::Stall),
    ("decide → control (events)", 16_384, Policy::Drop),
    ("gateway → control (records)", 16_384, Policy::Drop),
];

/// A lane of [`LANES`].
pub(super) fn stalling<T>(lane: usize) -> (Lossless<T>, Receiver<T>, LaneView) {
    let (name, capacity, policy) = LANES[lane];
    lossless(name, capacity, policy)
}

/// The topology in words: threads, cores, waiting, lanes with capacity and policy.
pub fn describe(placement: &Placement) -> Vec<String> {
    let threads: &[(&str, &str)] = match placement.topology {
        Topology::Split => &[
            ("feed", "feed"),
            ("decide", "compute + evaluate"),
            ("gateway", "gateway"),
        ],
        Topology::Fused => &[("fused", "feed → compute → evaluate → gateway")],
        Topology::Stepped => &[("caller", "every stage, under a virtual clock")],
    };
    let mut lines = vec![format!(
        "topology {} ({})",
        placement.topology.name(),
        placement.reason
    )];
    for (at, (thread, stages)) in threads.iter().enumerate() {
        let core = placement
            .cores
            .get(at)
            .map_or_else(|| "any core".to_owned(), |core| format!("core {core}"));
        lines.push(format!(
            "  thread tezi-{thread}: {stages}; {core}; {}",
            placement.idle.name()
        ));
    }
    let elsewhere = match placement.others(&crate::runtime::topology::cores()) {
        others if others.is_empty() => "any core".to_owned(),
        others => format!("cores {others:?}"),
    };
    let rests = IdleMode::Doze.name();
    for (thread, business) in [
        ("dialler", "logins and connections, one for each broker"),
        ("poller", "quotes, while no socket brings prices"),
        (
            "inquiry",
            "the order book, while an outcome is unknown or an order works",
        ),
    ] {
        lines.push(format!(
            "  thread tezi-{thread}: {business}; {elsewhere}; {rests}"
        ));
    }
    for (name, capacity, policy) in LANES {
        lines.push(format!(
            "  lane {name}: {capacity} slots, when full: {}",
            policy.name()
        ));
    }
    lines
}
