//! Which stages share a thread and which core each thread owns, chosen from the cores there are.

use super::idle::IdleMode;
use serde::{Deserialize, Serialize};

/// How stages are spread over threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Topology {
    /// feed | compute + evaluate | gateway, one pinned core each.
    Split,
    /// feed → compute → evaluate → gateway on one pinned core.
    Fused,
    /// One thread under a virtual clock: replay, backtest, tests.
    Stepped,
}

impl Topology {
    /// Hot threads of the engine.
    pub const fn threads(self) -> usize {
        match self {
            Self::Split => 3,
            Self::Fused | Self::Stepped => 1,
        }
    }

    /// The word shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Split => "split",
            Self::Fused => "fused",
            Self::Stepped => "stepped",
        }
    }
}

/// The choice made, printed at start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// How stages are spread.
    pub topology: Topology,
    /// How their threads wait.
    pub idle: IdleMode,
    /// Core of each hot thread in pipeline order; empty leaves placement to the scheduler.
    pub cores: Vec<usize>,
    /// Why, in one sentence.
    pub reason: String,
}

impl Placement {
    /// Cores for everything that is not hot: those of `available` that no spinning thread owns. Empty where nothing
    /// spins or nothing would be left.
    pub fn others(&self, available: &[usize]) -> Vec<usize> {
        if self.idle != IdleMode::Spin || self.cores.is_empty() {
            return Vec::new();
        }
        let mut others = available.to_vec();
        others.retain(|core| !self.cores.contains(core));
        others
    }

    /// How many of the usable cores no hot thread needs.
    pub const fn spare(&self, usable: &[usize]) -> usize {
        usable.len().saturating_sub(self.topology.threads())
    }

    /// Keeps the calling thread, and every thread it starts from now on, off the cores of the spinning ones: a thread
    /// that wakes there stops a tick for as long as it runs. A refusal only leaves the choice to the scheduler.
    pub fn leave_hot_cores(&self, available: &[usize]) {
        let others = self.others(available);
        if others.is_empty() {
            return;
        }
        let mut set = rustix::thread::CpuSet::new();
        for core in others {
            set.set(core);
        }
        rustix::thread::sched_setaffinity(None, &set).ok();
    }
}

/// Cores this process may run on.
pub fn cores() -> Vec<usize> {
    core_affinity::get_core_ids()
        .unwrap_or_default()
        .into_iter()
        .map(|core| core.id)
        .collect()
}

/// Chooses topology and cores.
///
/// With *n* cores the engine may own *n − 1*: four or more run split, two or three run fused, one runs
/// fused and parks. A stated topology or core list wins, but never more spinning threads than cores less
/// one: an extra spinner on two cores moved a ring hop's p99 from 0.3 µs to 4 ms.
///
/// # Errors
///
/// A sentence when the wish cannot be met by this machine.
pub fn place(
    available: &[usize],
    topology: Option<Topology>,
    idle: Option<IdleMode>,
    wanted: &[usize],
) -> Result<Placement, String> {
    let chosen = topology.unwrap_or(if available.len() >= 4 {
        Topology::Split
    } else {
        Topology::Fused
    });
    let threads = chosen.threads();
    let owns = available.len() > threads;
    let idle = idle.unwrap_or(if owns { IdleMode::Spin } else { IdleMode::Park });
    if let Some(missing) = wanted.iter().find(|core| !available.contains(core)) {
        return Err(format!(
            "engine.cores names core {missing}; this process may use cores {available:?}"
        ));
    }
    if !wanted.is_empty() && wanted.len() < threads {
        return Err(format!(
            "engine.cores lists {} cores; topology {} needs {threads}",
            wanted.len(),
            chosen.name()
        ));
    }
    if idle == IdleMode::Spin && threads > available.len().saturating_sub(1).max(1) {
        return Err(format!(
            "topology {} with idle = \"spin\" needs {threads} cores and one to spare; there are {}; \
             use topology = \"fused\" or idle = \"park\"",
            chosen.name(),
            available.len()
        ));
    }
    let cores: Vec<usize> = if !wanted.is_empty() {
        wanted.iter().copied().take(threads).collect()
    } else if owns && chosen != Topology::Stepped {
        // The last cores: interrupts and housekeeping favour the first.
        available
            .iter()
            .rev()
            .take(threads)
            .rev()
            .copied()
            .collect()
    } else {
        Vec::new()
    };
    let reason = format!(
        "{} of {} cores for {} hot thread{}, {}",
        cores.len(),
        available.len(),
        threads,
        if threads == 1 { "" } else { "s" },
        if topology.is_some() {
            "as configured"
        } else {
            "chosen automatically"
        }
    );
    Ok(Placement {
        topology: chosen,
        idle,
        cores,
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_follows_the_cores() {
        let auto = |n: usize| place(&(0..n).collect::<Vec<_>>(), None, None, &[]).expect("fits");
        assert_eq!(
            (auto(1).topology, auto(1).idle),
            (Topology::Fused, IdleMode::Park)
        );
        assert_eq!(
            (auto(2).topology, auto(2).idle),
            (Topology::Fused, IdleMode::Spin)
        );
        assert_eq!(auto(2).cores, vec![1]);
        assert_eq!(auto(3).topology, Topology::Fused);
        assert_eq!(
            (auto(4).topology, auto(4).cores),
            (Topology::Split, vec![1, 2, 3])
        );
    }

    #[test]
    fn what_is_not_hot_leaves_the_cores_of_spinning_threads() {
        let all = [0, 1, 2, 3];
        let spinning = place(&all, None, None, &[]).expect("fits");
        assert_eq!(spinning.others(&all), [0]);
        let parked = place(&all, None, Some(IdleMode::Park), &[]).expect("fits");
        assert!(parked.others(&all).is_empty(), "a parked core is free");
        let alone = place(&[0], None, Some(IdleMode::Spin), &[]).expect("fits");
        assert!(alone.others(&[0]).is_empty(), "there is nowhere to go");
    }

    #[test]
    fn more_spinners_than_cores_are_refused() {
        let two = [0, 1];
        assert!(place(&two, Some(Topology::Split), Some(IdleMode::Spin), &[]).is_err());
        assert!(place(&two, Some(Topology::Split), Some(IdleMode::Park), &[]).is_ok());
        assert!(place(&two, None, None, &[7]).is_err());
        assert!(place(&[0, 1, 2, 3], Some(Topology::Split), None, &[1]).is_err());
    }
}
