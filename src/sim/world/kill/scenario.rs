//! Eight situations worth dying in, each with its venue, its rules and what is decided when.
//!
//! Promises
//! - Nothing in them is left to chance but the ways of the network, which the scenario's number seeds.
//! - What is decided is a goal: a new life that finds it not met decides again, as a strategy whose condition still
//!   holds would. A recovery that forgets what was sent therefore doubles it.

use crate::hot::gateway::OrderRules;
use crate::model::{Action, Command, InstrumentIx, LegRole, Qty, Side, Stamp, StrategyIx};
use crate::ring::QuoteBoard;
use crate::rules::{BudgetLimits, Ladder, LegsPolicy, Policy, RunawayLimits};
use crate::sim::Faults;
use crate::sim::world::ground::Ground;
use crate::sim::world::life::DAWN;
use crate::sim::world::network::Profile;
use crate::sim::world::plan::{Knobs, Plan, STRATEGIES};
use crate::sim::world::trader::{Act, Trader, make};

const SECOND: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;
/// Limit prices go this far through the touch, in 1/100 of one percent.
const PROTECTION: i64 = 100;
/// The strategy that completes a pair, and the one that unwinds it.
const COMPLETES: StrategyIx = StrategyIx(0);
const UNWINDS: StrategyIx = StrategyIx(1);

/// A situation of the kill matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// CALL and PUT, both fill.
    Pair,
    /// CALL and PUT in three slices each.
    Slices,
    /// A part fills, the rest is cancelled and replaced by the ladder.
    Ladder,
    /// One leg is refused, the other filled one is closed.
    Unwind,
    /// The reply is lost; the order is found by its tag.
    Found,
    /// The order never arrived; its absence is proved and it is sent again.
    Absent,
    /// A pair that is held is closed.
    Exit,
    /// An operator flattens while one leg works and the other is filled.
    Flatten,
}

/// Something a scenario wants.
#[derive(Clone, Copy, Debug)]
enum Goal {
    /// To hold this many lots of CALL and PUT.
    Hold(StrategyIx, u32),
    /// To hold nothing.
    Close(StrategyIx),
    /// That an operator says this.
    Ask(Command),
}

/// The goals of a scenario and how far this life has come with them.
#[derive(Debug)]
pub(in crate::sim::world) struct Script {
    /// Moments of the world, in order, and what is wanted from then on.
    goals: Vec<(u64, Goal)>,
    /// How many of them this life has tried.
    tried: usize,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Pair,
        Self::Slices,
        Self::Ladder,
        Self::Unwind,
        Self::Found,
        Self::Absent,
        Self::Exit,
        Self::Flatten,
    ];

    /// Its words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pair => "pair fills",
            Self::Slices => "sliced over freeze",
            Self::Ladder => "partial, replaced by the ladder",
            Self::Unwind => "one leg refused, unwound",
            Self::Found => "reply lost, found by tag",
            Self::Absent => "never arrived, proved, sent again",
            Self::Exit => "exit of a held pair",
            Self::Flatten => "operator flattens",
        }
    }

    /// What a run without a death must show, or the scenario is not what its name says.
    pub const fn shows(self) -> &'static [&'static str] {
        match self {
            Self::Pair => &["end complete", "order filled"],
            Self::Slices => &["end complete", "slice"],
            Self::Ladder => &[
                "end complete",
                "cancel",
                "attempt",
                "fault partial on place",
            ],
            Self::Unwind => &["end unwound", "unwinding", "fault margin on place"],
            Self::Found => &["end complete", "order unknown", "fault lost on place"],
            Self::Absent => &[
                "end complete",
                "order unknown",
                "attempt",
                "fault silent on place",
            ],
            Self::Exit => &["end complete"],
            Self::Flatten => &["cancel", "order cancelled", "fault rest on place"],
        }
    }

    /// Lots of each leg that are wanted at most.
    pub const fn lots(self) -> u32 {
        match self {
            Self::Slices => 45,
            Self::Pair | Self::Unwind | Self::Found | Self::Absent => 2,
            Self::Ladder | Self::Exit | Self::Flatten => 4,
        }
    }

    const fn faults(self) -> &'static str {
        match self {
            Self::Pair | Self::Slices | Self::Exit => "",
            Self::Ladder => "on = \"place\"\nwhat = \"partial\"\nnth = 1\nshare = 50",
            Self::Unwind => "on = \"place\"\nwhat = \"margin\"\nnth = 2",
            // Both legs, and a feed that is silent: neither a reply, an update nor a look at the book for the other leg
            // tells of them before the reply is overdue.
            Self::Found => {
                "on = \"place\"\nwhat = \"lost\"\nnth = 1\n\
                 [[fault]]\non = \"place\"\nwhat = \"lost\"\nnth = 2\n\
                 [[fault]]\non = \"update\"\nwhat = \"lose\"\nbetween = [0, 8000]"
            }
            Self::Absent => "on = \"place\"\nwhat = \"silent\"\nnth = 1",
            Self::Flatten => "on = \"place\"\nwhat = \"rest\"\nnth = 1",
        }
    }

    fn goals(self) -> Vec<(u64, Goal)> {
        let strategy = if self == Self::Unwind {
            UNWINDS
        } else {
            COMPLETES
        };
        let mut goals = vec![(2 * SECOND, Goal::Hold(strategy, self.lots()))];
        match self {
            Self::Exit => goals.push((6 * SECOND, Goal::Close(strategy))),
            Self::Flatten => goals.push((3 * SECOND, Goal::Ask(Command::Flatten))),
            _ => {}
        }
        goals
    }

    pub(in crate::sim::world) fn script(self) -> Script {
        Script {
            goals: self.goals(),
            tried: 0,
        }
    }

    /// The world it happens in.
    pub(in crate::sim::world) fn plan(self, knobs: &Knobs) -> Result<Plan, String> {
        let last = self.goals().last().map_or(0, |(at, _)| *at);
        let network = Profile {
            out_ms: 300,
            back_ms: 100,
            slow: 50.0,
            dial_ms: 300,
            update_ms: 50,
            ..Profile::default()
        };
        let ladder = Ladder {
            protection_basis_points: PROTECTION,
            step_basis_points: 20,
            ttl_ns: if self == Self::Flatten { 8 } else { 1 } * SECOND,
            steps_max: 3,
        };
        let policy = |number| LegsPolicy {
            policy: if number == UNWINDS.0 {
                Policy::Unwind
            } else {
                Policy::Complete
            },
            // A proof of absence takes longer than a pair may differ otherwise.
            imbalance_ns: if self == Self::Absent { 40 } else { 2 } * SECOND,
            ..LegsPolicy::default()
        };
        let twin = if knobs.has_twin {
            "on = \"place\"\nwhat = \"twin\"\nnth = 2"
        } else {
            ""
        };
        let tables = [self.faults(), twin].into_iter();
        let script: Vec<String> = tables
            .filter(|text| !text.is_empty())
            .map(|text| format!("[[fault]]\n{text}\n"))
            .collect();
        let faults = Faults::script(self.name(), &script.concat());
        let faults = faults.map_err(|fault| fault.to_string())?;
        Ok(Plan {
            faults,
            faults_end: last + 2 * SECOND,
            network,
            calm: network,
            rules: OrderRules {
                policies: (0..STRATEGIES).map(policy).collect(),
                ladders: (0..STRATEGIES).map(|_| ladder).collect(),
                ..OrderRules::default()
            },
            budget: BudgetLimits {
                // None: what is to be priced anew is cancelled and replaced.
                modifications_max: 0,
                ..BudgetLimits::default()
            },
            runaway: RunawayLimits {
                orders_max: 1_000,
                rejects_max: 1_000,
                ..RunawayLimits::default()
            },
            connections: 4,
            reply_timeout_ns: 2 * SECOND,
            order_ttl_ns: 2 * SECOND,
            venue_latency_ms: 20,
            pace_ns: 50 * MS,
            deaths: Vec::new(),
            full: Vec::new(),
            segment_bytes: 1 << 13,
            syncs_before_send: false,
            failing: Vec::new(),
            feedless: Vec::new(),
            stopped: Vec::new(),
            echoes_tags: !knobs.tagless,
        })
    }
}

impl Script {
    /// A new life tries every goal again.
    pub(in crate::sim::world) const fn begin(&mut self) {
        self.tried = 0;
    }

    /// What is tried now, at `real` of the world.
    pub(in crate::sim::world) fn act(
        &mut self,
        (trader, real): (&mut Trader, u64),
        ground: &Ground,
        quotes: &QuoteBoard,
        now: Stamp,
    ) -> Vec<Act> {
        // A stage decides after it has heard what the start carried over.
        if now.mono.0 < DAWN + SECOND / 2 {
            return Vec::new();
        }
        let due = self.goals.get(self.tried).filter(|(at, _)| *at <= real);
        let Some((_, goal)) = due.copied() else {
            return Vec::new();
        };
        let made = match goal {
            Goal::Ask(command) => Some(Act::Ask(command)),
            Goal::Hold(strategy, lots) => {
                let is_wanted = trader.is_idle(strategy) && trader.nets(strategy).is_empty();
                let legs = legs(ground, strategy, lots);
                let wanted = legs.map(|(ix, role, qty)| (ix, role, Side::Sell, qty, false));
                is_wanted
                    .then(|| {
                        decide(
                            trader,
                            (strategy, Action::Entry),
                            &wanted,
                            (ground, quotes),
                            now,
                        )
                    })
                    .flatten()
            }
            Goal::Close(strategy) => {
                let nets = trader.nets(strategy);
                if nets.is_empty() || !trader.is_idle(strategy) {
                    // Tried again until there is something to close and nobody works on it.
                    return Vec::new();
                }
                let close = |(ix, net): &(InstrumentIx, i64)| {
                    let role = if ix.0 % 2 == 0 {
                        LegRole::Call
                    } else {
                        LegRole::Put
                    };
                    let side = if *net > 0 { Side::Sell } else { Side::Buy };
                    let qty = Qty(u32::try_from(net.unsigned_abs()).unwrap_or(0));
                    (*ix, role, side, qty, true)
                };
                let wanted: Vec<_> = nets.iter().map(close).collect();
                decide(
                    trader,
                    (strategy, Action::Exit),
                    &wanted,
                    (ground, quotes),
                    now,
                )
            }
        };
        self.tried += 1;
        made.into_iter().collect()
    }
}

/// CALL and PUT of a strategy's pair.
fn legs(ground: &Ground, strategy: StrategyIx, lots: u32) -> [(InstrumentIx, LegRole, Qty); 2] {
    let call = InstrumentIx(2 * strategy.0);
    let put = InstrumentIx(call.0 + 1);
    [(call, LegRole::Call), (put, LegRole::Put)].map(|(ix, role)| {
        let lot = ground.row(ix).map_or(1, |row| row.lot.0);
        (ix, role, Qty(lot * lots))
    })
}

fn decide(
    trader: &mut Trader,
    (strategy, action): (StrategyIx, Action),
    wanted: &[(InstrumentIx, LegRole, Side, Qty, bool)],
    (ground, quotes): (&Ground, &QuoteBoard),
    now: Stamp,
) -> Option<Act> {
    let mut legs = wanted.iter().map(|(ix, role, side, qty, reduces)| {
        make(
            ground,
            quotes,
            (*ix, *role),
            (*side, *qty, *reduces),
            PROTECTION,
        )
    });
    let (first, second) = (legs.next().flatten()?, legs.next().flatten());
    let intent = trader.intent((strategy, action), (first, second), now, 0);
    trader.ask(ground, &intent);
    Some(Act::Decide(intent))
}
