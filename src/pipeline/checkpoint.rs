//! Does a checkpoint fit this start? Asked of the whole file, before any state of it is used.
//!
//! Promises
//! - A checkpoint of another plan, day, venue or account, one behind the journal or ahead of the clock is refused whole,
//!   with the reason in words.
//! - What a plan is: instruments with their numbers, timeframes, every series the expressions ask for, hours of the day.
//!   Limits and sizes are no part of it, so changing them costs no state.

use super::arm::Assembly;
use crate::config::Config;
use crate::control::keeper::Identity;
use crate::control::resume::CLOCK_BACK_NS;
use crate::hot::compute::LAYOUT;
use crate::model::{Day, InstrumentTable, WallNanos};
use crate::store::checkpoint::{Checkpoint, CheckpointFault, Head, path_of};
use sha2::{Digest as _, Sha256};

/// Why a checkpoint is not used.
#[derive(Debug, thiserror::Error)]
pub enum Misfit {
    /// There is none, or it is damaged.
    #[error(transparent)]
    Unusable(#[from] CheckpointFault),
    /// It is of another account.
    #[error("the checkpoint is of account {found:08x}, this run trades {wanted:08x}")]
    Account {
        /// Fingerprint of that account.
        found: u32,
        /// Fingerprint of this one.
        wanted: u32,
    },
    /// It is of another day.
    #[error("the checkpoint is of {found}, this run is of {wanted}")]
    Day {
        /// That day.
        found: Day,
        /// This day.
        wanted: Day,
    },
    /// Its prices came from another venue.
    #[error("the checkpoint is of prices of {found}, this run has those of {wanted}")]
    Origin {
        /// That venue.
        found: String,
        /// This venue.
        wanted: String,
    },
    /// Instruments, timeframes, expressions or hours have changed.
    #[error(
        "the checkpoint is of another plan: instruments, timeframes, expressions or hours changed since {taken}"
    )]
    Plan {
        /// When it was taken.
        taken: WallNanos,
    },
    /// The journal knows of later prices.
    #[error(
        "the checkpoint is of {taken}, and the journal has an order of {order}, decided on later prices"
    )]
    Behind {
        /// When it was taken.
        taken: WallNanos,
        /// When the order was admitted.
        order: WallNanos,
    },
    /// It is of the future.
    #[error("the checkpoint is of {taken}, and it is {now}")]
    Ahead {
        /// When it was taken.
        taken: WallNanos,
        /// Market time.
        now: WallNanos,
    },
}

/// What a checkpoint of this run is of, and where it lies.
pub fn identity(
    config: &Config,
    assembly: &Assembly,
    instruments: &InstrumentTable,
    (account, day, origin): (u32, Day, &str),
) -> Identity {
    let named = |unit: &crate::hot::compute::Unit| {
        let row = instruments.get(unit.instrument);
        let name = assembly.names.get(unit.strategy.at());
        (
            row.map(|row| row.token).unwrap_or_default(),
            name.cloned().unwrap_or_default(),
        )
    };
    Identity {
        path: path_of(&config.engine.data_dir, account),
        head: Head {
            account,
            day,
            taken: WallNanos(0),
            plan: plan(config, assembly, instruments, day),
            origin: origin.to_owned(),
        },
        units: assembly.units.iter().map(named).collect(),
    }
}

/// Digest of what the states are of.
fn plan(config: &Config, assembly: &Assembly, instruments: &InstrumentTable, day: Day) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(LAYOUT.to_le_bytes());
    // A plan as its text: two plans with one text ask for the same series.
    let banks = config.strategies.iter().flat_map(|strategy| {
        let bank = format!("{:?}", strategy.bank);
        strategy.instruments.iter().map(move |_| bank.clone())
    });
    for (unit, bank) in assembly.units.iter().zip(banks) {
        let row = instruments.get(unit.instrument);
        let contract = row.map(|row| (row.exchange, row.symbol.as_str(), row.token));
        let hours = unit.sessions().iter().find(|session| session.day == day);
        let short = config.bars.short;
        let part = format!(
            "{contract:?} {:?} {short:?} {hours:?} {bank}\n",
            unit.timeframe()
        );
        digest.update(part.as_bytes());
    }
    digest.finalize().into()
}

/// Reads the checkpoint of a run and sees whether it fits. `order` is when the journal's last order was admitted; `now`
/// is left out where market time is told by a feed, which a clock reads ahead of between two ticks.
///
/// # Errors
///
/// [`Misfit`]: nothing of it is used.
pub fn take_over(
    identity: &Identity,
    (now, order): (Option<WallNanos>, Option<WallNanos>),
) -> Result<Checkpoint, Misfit> {
    let checkpoint = Checkpoint::read(&identity.path)?;
    fits(&checkpoint, identity, (now, order))?;
    Ok(checkpoint)
}

fn fits(
    checkpoint: &Checkpoint,
    identity: &Identity,
    (now, order): (Option<WallNanos>, Option<WallNanos>),
) -> Result<(), Misfit> {
    let (found, wanted) = (&checkpoint.head, &identity.head);
    let taken = found.taken;
    if found.account != wanted.account {
        return Err(Misfit::Account {
            found: found.account,
            wanted: wanted.account,
        });
    }
    if found.day != wanted.day {
        return Err(Misfit::Day {
            found: found.day,
            wanted: wanted.day,
        });
    }
    if found.origin != wanted.origin {
        return Err(Misfit::Origin {
            found: found.origin.clone(),
            wanted: wanted.origin.clone(),
        });
    }
    let same_units = checkpoint
        .units
        .iter()
        .map(|unit| (unit.token, &unit.name))
        .eq(identity.units.iter().map(|(token, name)| (*token, name)));
    if found.plan != wanted.plan || !same_units {
        return Err(Misfit::Plan { taken });
    }
    if let Some(order) = order.filter(|order| *order > taken) {
        return Err(Misfit::Behind { taken, order });
    }
    let known = checkpoint.units.iter().map(|unit| unit.known_until);
    let latest = known.chain([taken]).max().unwrap_or(taken);
    if let Some(now) = now
        && latest.since(now) > CLOCK_BACK_NS
    {
        return Err(Misfit::Ahead { taken: latest, now });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Token;
    use crate::store::checkpoint::Kept;

    fn at(seconds: i64) -> WallNanos {
        Day(20_780).at(seconds * 1_000_000_000)
    }

    fn pair() -> (Checkpoint, Identity) {
        let head = Head {
            account: 7,
            day: Day(20_780),
            taken: at(36_000),
            plan: [1; 32],
            origin: "kite".to_owned(),
        };
        let unit = Kept {
            token: Token(5),
            known_until: at(36_001),
            name: "trend".to_owned(),
            state: vec![1],
        };
        let identity = Identity {
            path: "/nonexistent/7.state".into(),
            head: head.clone(),
            units: vec![(Token(5), "trend".to_owned())],
        };
        let units = vec![unit];
        (Checkpoint { head, units }, identity)
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_reason() {
        let said = |change: &dyn Fn(&mut Checkpoint), now: i64, order: Option<i64>| {
            let (mut checkpoint, identity) = pair();
            change(&mut checkpoint);
            let found = fits(&checkpoint, &identity, (Some(at(now)), order.map(at)));
            found.err().map(|misfit| misfit.to_string())
        };
        let refused = |change: &dyn Fn(&mut Checkpoint), words: &str| {
            let why = said(change, 36_010, None).expect(words);
            assert!(why.contains(words), "{why}");
        };
        assert_eq!(said(&|_| (), 36_010, Some(36_000)), None);
        assert_eq!(said(&|_| (), 36_001, None), None);
        refused(
            &|of| of.head.account = 8,
            "of account 00000008, this run trades 00000007",
        );
        refused(
            &|of| of.head.day = Day(20_779),
            "of 2026-11-22, this run is of 2026-11-23",
        );
        refused(
            &|of| of.head.origin = "dhan".to_owned(),
            "prices of dhan, this run has those of kite",
        );
        refused(&|of| of.head.plan[31] = 0, "another plan");
        refused(&|of| of.units[0].token = Token(6), "another plan");
        refused(&|of| of.units[0].name.push('s'), "another plan");
        refused(&|of| of.units.clear(), "another plan");
        let behind = said(&|_| (), 36_010, Some(36_002)).expect("behind");
        assert!(
            behind.contains("an order of 2026-11-23 10:00:02.000, decided on later"),
            "{behind}"
        );
        // A clock that is as far behind as one may be at a start, and a second further.
        assert_eq!(said(&|_| (), 35_999, None), None);
        let ahead = said(&|_| (), 35_998, None).expect("ahead");
        assert!(
            ahead.contains("of 2026-11-23 10:00:01.000, and it is 2026-11-23 09:59:58.000"),
            "{ahead}"
        );
        let (_, identity) = pair();
        let none = take_over(&identity, (Some(at(36_010)), None)).expect_err("no file");
        assert_eq!(none.to_string(), "there is no checkpoint");
    }
}
