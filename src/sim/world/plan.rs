//! What a seed decides before its world begins.
//!
//! The venue's faults come from [`Faults::chaos`]; here are the network, the disk, the engine's settings and the
//! moments at which the process dies. Each concern has its own stream of chance, so that a change in one leaves
//! the others as they were.

use super::network::Profile;
use crate::hot::gateway::OrderRules;
use crate::rules::{BudgetLimits, Ladder, LegsPolicy, Policy, RunawayLimits};
use crate::sim::dice::Dice;
use crate::sim::faults::Faults;

const SECOND: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;
/// Streams of chance.
pub(super) const PLAN: u64 = 900;
pub(super) const NETWORK: u64 = 901;
pub(super) const TRADER: u64 = 902;
pub(super) const MARKET: u64 = 903;
pub(super) const FATE: u64 = 904;

/// More orders than a strategy of a world can have; the gateway keeps a place for each.
const NEVER: u32 = 10_000;

/// Strategies of every world.
pub(super) const STRATEGIES: u16 = 12;

/// Ways to break a world on purpose, to see that a checker notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Knobs {
    /// Nanoseconds the venue is given to show an order before its absence counts.
    pub settle_ns: u64,
    /// Unknown orders are called absent at once, without a proof.
    pub believes_silence: bool,
    /// Updates and reads are kept from the engine after this many milliseconds.
    pub deaf_after_ms: u64,
    /// Intents of a world, at least.
    pub intents: u64,
    /// No process ever dies.
    pub immortal: bool,
    /// A start carries nothing over of what earlier processes sent.
    pub forgets: bool,
    /// Nanoseconds by which the wall clock of every second process is ahead: it is set forward, and back again.
    pub clock_step_ns: i64,
    /// Another engine buys a lot with a tag of ours when the second order of a scenario is placed.
    pub has_twin: bool,
    /// Percent of starts before which a bit of the journal's last file has flipped.
    pub flips: u8,
    /// The wire carries no tags: orders are known by the number a reply named.
    pub tagless: bool,
}

impl Knobs {
    /// Nothing is broken.
    pub const USUAL: Self = Self {
        settle_ns: 15 * SECOND,
        believes_silence: false,
        deaf_after_ms: u64::MAX,
        intents: 200,
        immortal: false,
        forgets: false,
        clock_step_ns: 0,
        has_twin: false,
        flips: 0,
        tagless: false,
    };
}

impl Default for Knobs {
    fn default() -> Self {
        Self::USUAL
    }
}

/// How a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    /// Between two turns.
    Between,
    /// Inside a turn, right behind one of the records it writes.
    AtRecord,
}

/// Everything a seed decides ahead.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) faults: Faults,
    /// No new fault from here on, in nanoseconds.
    pub(super) faults_end: u64,
    pub(super) network: Profile,
    pub(super) calm: Profile,
    pub(super) rules: OrderRules,
    pub(super) budget: BudgetLimits,
    pub(super) runaway: RunawayLimits,
    pub(super) connections: usize,
    pub(super) reply_timeout_ns: u64,
    pub(super) order_ttl_ns: u64,
    pub(super) venue_latency_ms: u32,
    /// Mean time between two acts of the trader.
    pub(super) pace_ns: u64,
    /// Moments at which the process dies.
    pub(super) deaths: Vec<(u64, Death)>,
    /// While these last the disk has no room.
    pub(super) full: Vec<(u64, u64)>,
    pub(super) segment_bytes: usize,
    pub(super) syncs_before_send: bool,
    /// While these last a sync fails.
    pub(super) failing: Vec<(u64, u64)>,
    /// While these last no order update arrives.
    pub(super) feedless: Vec<(u64, u64)>,
    /// While these last the process is stopped; it goes on as if nothing had been.
    pub(super) stopped: Vec<(u64, u64)>,
    /// False for a wire on which neither rows nor updates carry our tags.
    pub(super) echoes_tags: bool,
}

impl Plan {
    pub(super) fn draw(seed: u64, knobs: &Knobs) -> Self {
        let mut dice = Dice::new(seed, PLAN);
        let faults_end = (30 + u64::from(dice.below(60))) * SECOND;
        let network = profile(&mut dice);
        let calm = Profile {
            out_ms: 5,
            back_ms: 20,
            slow: 100.0,
            dial_ms: 300,
            update_ms: 50,
            ..Profile::default()
        };
        let mut faults = Faults::chaos(seed).stop_after(faults_end / MS - 3_000);
        // The proof of absence gives a venue 15 s to show what it took: ways to be late add up to less.
        faults.visible_within(14_500_u64.saturating_sub(u64::from(network.out_ms)));
        let spans = |dice: &mut Dice, percent: f64, most_s: u32| -> Vec<(u64, u64)> {
            if !dice.chance(percent) {
                return Vec::new();
            }
            let count = 1 + dice.below(3);
            let span = |_| {
                let from = u64::from(dice.below(80_000)) * MS;
                (
                    from,
                    from + u64::from(200 + dice.below(most_s * 1_000)) * MS,
                )
            };
            (0..count)
                .map(span)
                .map(|(from, to)| (from.min(faults_end), to.min(faults_end)))
                .collect()
        };
        let full = spans(&mut dice, 20.0, 15);
        let feedless = spans(&mut dice, 35.0, 20);
        let syncs_before_send = dice.chance(15.0);
        let failing = spans(&mut dice, if syncs_before_send { 50.0 } else { 0.0 }, 10);
        let mut deaths = Vec::new();
        if !knobs.immortal && dice.chance(70.0) {
            for _ in 0..=dice.below(3) {
                let at = 3 * SECOND + u64::from(dice.below(90_000)) * MS;
                let how = if dice.chance(75.0) {
                    Death::AtRecord
                } else {
                    Death::Between
                };
                deaths.push((at.min(faults_end), how));
            }
        }
        deaths.sort_by_key(|(at, _)| *at);
        Self {
            faults,
            faults_end,
            network,
            calm,
            rules: rules(&mut dice),
            budget: BudgetLimits {
                modifications_max: u16::try_from(dice.below(21)).unwrap_or(20),
                ..BudgetLimits::default()
            },
            runaway: RunawayLimits {
                orders_max: if dice.chance(10.0) { 15 } else { NEVER },
                rejects_max: if dice.chance(10.0) { 5 } else { NEVER },
                ..RunawayLimits::default()
            },
            connections: usize::try_from(2 + dice.below(4)).unwrap_or(2),
            reply_timeout_ns: u64::from(1_500 + dice.below(3_500)) * MS,
            order_ttl_ns: u64::from(1_000 + dice.below(4_000)) * MS,
            venue_latency_ms: dice.below(80),
            pace_ns: u64::from(200 + dice.below(300)) * MS,
            deaths,
            full,
            segment_bytes: 1 << (14 + dice.below(4)),
            syncs_before_send,
            failing,
            feedless,
            stopped: spans(&mut dice, 20.0, 30),
            echoes_tags: !knobs.tagless,
        }
    }
}

fn profile(dice: &mut Dice) -> Profile {
    let mut some = |percent: f64, most: u32| {
        if dice.chance(percent) {
            f64::from(1 + dice.below(most * 10)) / 10.0
        } else {
            0.0
        }
    };
    let (lose_request, lose_reply) = (some(35.0, 5), some(35.0, 15));
    let (reset, pieces, cut) = (some(30.0, 8), some(40.0, 60), some(25.0, 8));
    let (fail, lose_update, slow) = (some(20.0, 3), some(40.0, 40), some(70.0, 60));
    Profile {
        out_ms: if slow > 0.0 { dice.below(2_000) } else { 2 },
        back_ms: if slow > 0.0 { dice.below(3_000) } else { 3 },
        slow,
        lose_request,
        lose_reply,
        reset,
        pieces,
        cut,
        fail,
        dial_ms: 50 + dice.below(2_000),
        update_ms: if dice.chance(50.0) {
            dice.below(3_000)
        } else {
            20
        },
        lose_update,
    }
}

fn rules(dice: &mut Dice) -> OrderRules {
    let mut policies = Vec::new();
    let mut ladders = Vec::new();
    for number in 0..STRATEGIES {
        policies.push(LegsPolicy {
            policy: Policy::ALL[usize::from(number % 4)],
            imbalance_qty: if dice.chance(20.0) { 60 } else { 0 },
            imbalance_ns: u64::from(500 + dice.below(3_000)) * MS,
            attempts_max: u8::try_from(1 + dice.below(6)).unwrap_or(1),
        });
        ladders.push(Ladder {
            protection_basis_points: i64::from(20 + dice.below(200)),
            step_basis_points: i64::from(dice.below(100)),
            ttl_ns: u64::from(300 + dice.below(3_000)) * MS,
            steps_max: u8::try_from(dice.below(5)).unwrap_or(0),
        });
    }
    OrderRules {
        policies,
        ladders,
        ..OrderRules::default()
    }
}
