//! One thing that was looked at: what was found, what is wanted, what to do about it and what that is worth.

use crate::runtime::machine::Unread;
use crate::runtime::{Placement, machine::Root};
use serde_json::{Value, json};

/// How good what was found is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// As wanted.
    Ok,
    /// Costs microseconds, or a stall now and then.
    Better,
    /// Stops a run, or stalls it often.
    Bad,
    /// Could not be seen; the found text says why.
    Unknown,
}

impl Status {
    /// The word in the table.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Better => "better",
            Self::Bad => "BAD",
            Self::Unknown => "unknown",
        }
    }

    /// The word in JSON.
    const fn key(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Better => "could_be_better",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
        }
    }
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A parameter for the kernel's command line; takes effect at the next boot.
    Kernel(String),
    /// A command for root; lost at the next boot.
    Run(String),
    /// Anything else.
    Advice(String),
}

/// Where a figure comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// Measured on this machine by this call.
    Now,
    /// Measured once, on another machine; docs/deployment.md says where.
    Before,
    /// Expected, and never measured by us.
    Expected,
}

impl Proof {
    const fn words(self) -> &'static str {
        match self {
            Self::Now => "measured just now",
            Self::Before => "measured, elsewhere",
            Self::Expected => "expected, not measured",
        }
    }
}

/// What doing it is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Effect {
    /// Longest delay it takes away, by order of magnitude, nanoseconds: what the list is sorted by.
    pub(super) rank_ns: u64,
    /// In words.
    pub(super) text: String,
    /// How it is known.
    pub(super) proof: Proof,
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) name: &'static str,
    pub(super) status: Status,
    pub(super) found: String,
    pub(super) wanted: String,
    pub(super) steps: Vec<Step>,
    pub(super) effect: Option<Effect>,
}

impl Item {
    pub(super) fn new(
        name: &'static str,
        status: Status,
        found: impl Into<String>,
        wanted: impl Into<String>,
    ) -> Self {
        Self {
            name,
            status,
            found: found.into(),
            wanted: wanted.into(),
            steps: Vec::new(),
            effect: None,
        }
    }

    pub(super) fn ok(
        name: &'static str,
        found: impl Into<String>,
        wanted: impl Into<String>,
    ) -> Self {
        Self::new(name, Status::Ok, found, wanted)
    }

    pub(super) fn better(
        name: &'static str,
        found: impl Into<String>,
        wanted: impl Into<String>,
    ) -> Self {
        Self::new(name, Status::Better, found, wanted)
    }

    /// A file that says nothing is not a fault.
    pub(super) fn unknown(name: &'static str, why: &Unread, wanted: impl Into<String>) -> Self {
        Self::new(name, Status::Unknown, why.to_string(), wanted)
    }

    /// Adds to what was found.
    pub(super) fn note(mut self, text: &str) -> Self {
        self.found.push_str(text);
        self
    }

    pub(super) fn kernel(mut self, parameter: impl Into<String>) -> Self {
        self.steps.push(Step::Kernel(parameter.into()));
        self
    }

    pub(super) fn run(mut self, command: impl Into<String>) -> Self {
        self.steps.push(Step::Run(command.into()));
        self
    }

    pub(super) fn advice(mut self, text: impl Into<String>) -> Self {
        self.steps.push(Step::Advice(text.into()));
        self
    }

    pub(super) fn gains(mut self, rank_ns: u64, proof: Proof, text: impl Into<String>) -> Self {
        self.effect = Some(Effect {
            rank_ns,
            text: text.into(),
            proof,
        });
        self
    }

    /// True when there is something to change.
    pub(super) const fn asks(&self) -> bool {
        matches!(self.status, Status::Better | Status::Bad)
    }

    pub(super) fn json(&self) -> Value {
        let steps = self.steps.iter().map(|step| match step {
            Step::Kernel(text) => json!({ "kernel_parameter": text }),
            Step::Run(text) => json!({ "command": text }),
            Step::Advice(text) => json!({ "advice": text }),
        });
        let effect = self.effect.as_ref().map(|effect| {
            json!({ "text": effect.text, "rank_ns": effect.rank_ns, "proof": effect.proof.words() })
        });
        json!({ "item": self.name, "status": self.status.key(), "found": self.found,
            "wanted": self.wanted, "do": steps.collect::<Vec<_>>(), "effect": effect })
    }
}

impl Effect {
    /// In words, with how it is known.
    pub(super) fn sentence(&self) -> String {
        format!("{} ({})", self.text, self.proof.words())
    }
}

/// What every item is judged against.
#[derive(Debug)]
pub(super) struct Site {
    /// The machine.
    pub(super) root: Root,
    /// Cores this process may use.
    pub(super) usable: Vec<usize>,
    /// What the engine would make of them, or why it would not start.
    pub(super) placement: Result<Placement, String>,
}

impl Site {
    /// The cores the hot path would own; empty when its threads would park.
    pub(super) fn hot(&self) -> &[usize] {
        self.placement
            .as_ref()
            .map_or(&[], |placement| &placement.cores)
    }

    /// The cores left to everything else.
    pub(super) fn house(&self) -> Vec<usize> {
        let hot = self.hot();
        self.usable
            .iter()
            .copied()
            .filter(|core| !hot.contains(core))
            .collect()
    }

    /// The cores whose settings matter: the hot ones, or all when there is none.
    pub(super) fn watched(&self) -> &[usize] {
        if self.hot().is_empty() {
            &self.usable
        } else {
            self.hot()
        }
    }
}
