//! A seeded world: the real gateway, journal, inquirer and recovery against the misbehaving venue, on a virtual
//! clock, one thread, no socket.
//!
//! ```text
//!   trader ─ intents ─► Gateway<Scripted> ─ bytes ─► network ─► Venue ─► truth ─► checkers
//!     ▲                    │ │   ▲  journal            │          │
//!     └──── outcomes ──────┘ │   └── commands ◄─ inquirer ◄─ reads ┘
//!                            └─ disk: real files, cut where the process dies
//! ```
//!
//! Promises
//! - A world is a pure function of its seed: the same seed gives the same bytes, orders and verdicts anywhere.
//! - Faults come several at once and end; a minute later everything must have settled.
//! - Checkers are outside the engine ([`checks`]): they hold the venue's record against what was asked for.
//! - A process dies between any two records it writes, also between an order's record and its bytes.
//!
//! Deliberately absent: indicators and rules (the trader draws its decisions), threads, real time.

mod body;
pub mod checks;
mod disk;
mod events;
mod ground;
mod inquiry;
pub mod kill;
mod life;
mod network;
mod outcome;
mod plan;
mod reader;
mod run;
mod start;
mod trace;
mod trader;

pub use plan::Knobs;

use crate::sim::dice::Dice;
use checks::{Evidence, Violation};
use kill::{Kill, Scenario};
use std::collections::BTreeSet;
use std::fmt;

/// What a world came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// True for a wire that carries no tags.
    pub is_tagless: bool,
    /// What happened in it, when that was not left to the seed.
    pub scenario: Option<Scenario>,
    /// Intents asked for.
    pub intents: u64,
    /// Orders of ours at the venue.
    pub orders: u64,
    /// Executions at the venue.
    pub fills: u64,
    /// Requests about orders that left.
    pub requests: u64,
    /// Faults the venue played.
    pub faults: u64,
    /// Orders whose outcome was unknown for a time.
    pub unknown: u64,
    /// Orders proved never to have existed.
    pub absent: u64,
    /// Times the process died.
    pub deaths: u32,
    /// Starts before which a bit of the journal flipped.
    pub flipped: u32,
    /// A start refused to trade: an exit had left while no journal could be written.
    pub refused: bool,
    /// Nanoseconds from the end of faults and decisions until everything was settled; `None` when it never was.
    pub settled_ns: Option<u64>,
    /// Orders that stay visibly unknown: a stranger's looks like them, or the wire carries no tags.
    pub visible: u64,
    /// Nanoseconds of world time.
    pub lasted_ns: u64,
    /// What was played and what came of it, by name: faults, endings, denials. A world in which nothing happens
    /// proves nothing.
    pub seen: BTreeSet<String>,
    /// Promises that were broken.
    pub violations: Vec<Violation>,
    /// Line by line what happened, when it was asked for.
    pub trace: Vec<String>,
    /// What the checkers looked at.
    pub evidence: Evidence,
}

impl Outcome {
    /// The command that repeats the world with its trace.
    pub fn command(&self) -> String {
        let tagless = if self.is_tagless {
            "TEZI_TAGLESS=1 "
        } else {
            ""
        };
        format!(
            "{tagless}TEZI_SEED={} cargo test --test simulation one_seed -- --nocapture",
            self.seed
        )
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {}: {} intents, {} orders, {} fills, {} requests, {} faults, {} unknown, {} absent, {} deaths, \
             settled after {:?} ms of {} s",
            self.seed,
            self.intents,
            self.orders,
            self.fills,
            self.requests,
            self.faults,
            self.unknown,
            self.absent,
            self.deaths,
            self.settled_ns.map(|ns| ns / 1_000_000),
            self.lasted_ns / 1_000_000_000,
        )?;
        for violation in &self.violations {
            writeln!(f, "  {violation}")?;
        }
        if !self.violations.is_empty() && self.scenario.is_none() {
            writeln!(f, "  again: {}", self.command())?;
        }
        Ok(())
    }
}

/// A world before it runs.
#[derive(Clone, Copy, Debug)]
pub struct World {
    seed: u64,
    knobs: Knobs,
    is_traced: bool,
    scenario: Option<Scenario>,
    kills: [Option<Kill>; 2],
}

impl World {
    /// The world of a seed.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            knobs: Knobs::default(),
            is_traced: false,
            scenario: None,
            kills: [None; 2],
        }
    }

    /// A world in which nothing is left to chance but the network.
    pub fn of(scenario: Scenario) -> Self {
        let knobs = Knobs {
            intents: 0,
            ..Knobs::default()
        };
        Self {
            scenario: Some(scenario),
            ..Self::new(1 + scenario as u64).with(knobs)
        }
    }

    /// Dies at a place, and then, in a later life, at another.
    #[must_use]
    pub const fn killed(mut self, first: Kill, then: Option<Kill>) -> Self {
        self.kills = [Some(first), then];
        self
    }

    /// Breaks something on purpose, or makes the world smaller.
    #[must_use]
    pub const fn with(mut self, knobs: Knobs) -> Self {
        self.knobs = knobs;
        self
    }

    /// Keeps a line for everything that happens.
    #[must_use]
    pub const fn traced(mut self) -> Self {
        self.is_traced = true;
        self
    }

    /// Runs the world to its end.
    ///
    /// # Errors
    ///
    /// A sentence when the machine's own disk has no room for the journal, or the venue cannot be built.
    pub fn run(self) -> Result<Outcome, String> {
        run::Run::new(self)?.play()
    }
}

fn dice(seed: u64, stream: u64) -> Dice {
    Dice::new(seed, stream)
}
