//! Faults from a seed: several kinds at once, with rates, delays and windows of their own.

use super::{Fault, Faults, Kind, On, Pick, Rule};
use crate::sim::dice::Dice;

/// A kind, what it strikes, and its highest rate in percent.
const MENU: [(Kind, On, u32); 38] = [
    (Kind::Lost, On::Place, 15),
    (Kind::Lost, On::Cancel, 15),
    (Kind::Lost, On::Modify, 15),
    (Kind::Lost, On::Orders, 15),
    (Kind::Reset, On::Place, 15),
    (Kind::Reset, On::Cancel, 15),
    (Kind::HalfClose, On::Place, 10),
    (Kind::Cut, On::Place, 15),
    (Kind::Cut, On::Orders, 15),
    (Kind::Silent, On::Place, 10),
    (Kind::Slow, On::Place, 30),
    (Kind::Slow, On::Orders, 30),
    (Kind::LateAccept, On::Place, 15),
    (Kind::ServerError, On::Place, 15),
    (Kind::ServerError, On::Cancel, 15),
    (Kind::ServerError, On::Orders, 20),
    (Kind::Throttle, On::Place, 8),
    (Kind::Expire, On::Place, 3),
    (Kind::Empty, On::Orders, 20),
    (Kind::Empty, On::Positions, 20),
    (Kind::Empty, On::Trades, 20),
    (Kind::Stale, On::Orders, 40),
    (Kind::Stale, On::Trades, 40),
    (Kind::Stale, On::Positions, 40),
    (Kind::Restart, On::Place, 2),
    (Kind::Foreign, On::Place, 3),
    (Kind::Partial, On::Place, 40),
    (Kind::Rest, On::Place, 25),
    (Kind::FillAfterCancel, On::Cancel, 50),
    (Kind::RejectAfterAccept, On::Place, 10),
    (Kind::Freeze, On::Place, 5),
    (Kind::Band, On::Place, 10),
    (Kind::Margin, On::Place, 5),
    (Kind::Lose, On::Update, 40),
    (Kind::Double, On::Update, 40),
    (Kind::Late, On::Update, 40),
    (Kind::Swap, On::Update, 30),
    (Kind::HalfClose, On::Orders, 10),
];

impl Faults {
    /// Two to seven kinds with rates, delays and windows drawn from the seed, over at most a minute.
    ///
    /// A twin instance is never drawn: a right engine refuses to trade then, and nothing would follow.
    pub fn chaos(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 71);
        let end_ms = 10_000 + u64::from(dice.below(50_000));
        let count = 2 + dice.below(6);
        let mut rules: Vec<Rule> = Vec::new();
        for _ in 0..count {
            let menu = u32::try_from(MENU.len()).unwrap_or(1);
            let at = usize::try_from(dice.below(menu)).unwrap_or(0);
            let (kind, on, most) = MENU[at];
            let rule = draw(&mut dice, kind, on, most, end_ms);
            // One rule a kind and request: two would be one with another rate.
            if rules.iter().all(|r| (r.fault.kind, r.on) != (kind, on)) {
                rules.push(rule);
            }
        }
        Self {
            rules,
            seed,
            stop_after_ms: Some(end_ms),
            ..Self::default()
        }
    }
}

fn draw(dice: &mut Dice, kind: Kind, on: On, most: u32, end_ms: u64) -> Rule {
    let percent = f64::from(1 + dice.below(most));
    let end = u32::try_from(end_ms).unwrap_or(u32::MAX);
    let between_ms = if dice.chance(50.0) {
        (0, u64::MAX)
    } else {
        let from = dice.below(end / 2);
        let length = 1_000 + dice.below(end / 2);
        (u64::from(from), u64::from(from + length))
    };
    let (delay, length) = (u64::from(dice.below(3_000)), u64::from(dice.below(4_000)));
    let far = u64::from(dice.below(12_000));
    let (at_once, half) = (dice.chance(40.0), dice.chance(50.0));
    let after_ms = match kind {
        Kind::Slow | Kind::RejectAfterAccept | Kind::Late => 20 + delay,
        Kind::Swap => 500,
        // A broker has been seen to place an order eight seconds after it said 400.
        Kind::LateAccept => 500 + far,
        Kind::Stale => 500 + far.min(9_500),
        Kind::Restart => 1_000 + far,
        Kind::Partial | Kind::Rest | Kind::FillAfterCancel if !at_once => 50 + delay,
        _ => 0,
    };
    let for_ms = match kind {
        Kind::ServerError if half => length,
        Kind::Throttle => 200 + length,
        Kind::Restart => 100 + length,
        _ => 0,
    };
    Rule {
        on,
        pick: Pick::Percent(percent),
        between_ms,
        tag: None,
        symbol: None,
        fault: Fault {
            kind,
            after_ms,
            for_ms,
            share: u8::try_from(1 + dice.below(100)).unwrap_or(50),
            status: 500 + u16::try_from(dice.below(5)).unwrap_or(0),
            accepted: dice.chance(50.0),
            memory: dice.chance(50.0),
        },
        matches: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_a_seed_draws_fits_what_it_strikes_and_every_row_is_drawn() {
        assert!(MENU.iter().all(|(kind, on, _)| kind.fits(*on)));
        let mut drawn = std::collections::BTreeSet::new();
        for seed in 0..2_000 {
            let faults = Faults::chaos(seed);
            assert!((1..=7).contains(&faults.rules.len()));
            drawn.extend(faults.rules.iter().map(|r| (r.fault.kind, r.on)));
        }
        assert_eq!(drawn.len(), MENU.len());
    }
}
