//! What changes when: every dated row of the market rules from a day on, in order, for people.

use super::MarketRules;
use crate::model::{Day, Exchange};

/// What a change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Hours of continuous trading.
    Session,
    /// A phase around it.
    Phase,
    /// A day without a session, or with the evening only.
    Holiday,
    /// A session that only one day has.
    Special,
    /// Units of a lot, by expiry of the contract.
    Lot,
    /// The freeze quantity.
    Freeze,
    /// The weekday of expiries.
    Expiry,
}

impl Subject {
    /// The word people read.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Phase => "phase",
            Self::Holiday => "holiday",
            Self::Special => "special",
            Self::Lot => "lot",
            Self::Freeze => "freeze",
            Self::Expiry => "expiry",
        }
    }
}

/// One dated row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The first day it holds.
    pub from: Day,
    /// What it is about.
    pub subject: Subject,
    /// Segments or underlying it is for.
    pub of: String,
    /// What holds from then.
    pub what: String,
    /// Where the row comes from.
    pub source: String,
    /// True when no exchange text was seen for it.
    pub unconfirmed: bool,
}

fn names(exchanges: &[Exchange]) -> String {
    let names: Vec<&str> = exchanges.iter().map(|exchange| exchange.name()).collect();
    names.join(" ")
}

impl MarketRules {
    /// Every row that begins on `since` or later, in order of its day.
    pub fn changes(&self, since: Day) -> Vec<Change> {
        let mut changes = self.session_changes();
        changes.extend(self.day_changes());
        changes.extend(self.contract_changes());
        changes.retain(|change| change.from >= since);
        changes.sort_by(|a, b| (a.from, a.subject, &a.of).cmp(&(b.from, b.subject, &b.of)));
        changes
    }

    fn session_changes(&self) -> Vec<Change> {
        let sessions = self.session.iter().map(|row| Change {
            from: row.from,
            subject: Subject::Session,
            of: names(&row.exchanges),
            what: match row.underlyings.as_slice() {
                [] => row.hours(),
                some => format!("{} for {}", row.hours(), some.join(", ")),
            },
            source: row.source.clone(),
            unconfirmed: row.unconfirmed,
        });
        let phases = self.phase.iter().map(|row| Change {
            from: row.from,
            subject: Subject::Phase,
            of: names(&row.exchanges),
            what: format!("{} {}", row.hours(), row.name),
            source: row.source.clone(),
            unconfirmed: false,
        });
        sessions.chain(phases).collect()
    }

    fn day_changes(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        for list in &self.holidays {
            let closed = list.closed.iter().map(|day| (*day, "closed"));
            let evening = list.evening_only.iter().map(|day| (*day, "evening only"));
            changes.extend(closed.chain(evening).map(|(from, what)| Change {
                from,
                subject: Subject::Holiday,
                of: names(&list.exchanges),
                what: what.to_owned(),
                source: list.source.clone(),
                unconfirmed: list.unconfirmed,
            }));
        }
        changes.extend(self.special.iter().map(|row| Change {
            from: row.day,
            subject: Subject::Special,
            of: names(&row.exchanges),
            what: row.hours(),
            source: row.source.clone(),
            unconfirmed: row.unconfirmed,
        }));
        changes
    }

    fn contract_changes(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        for rows in &self.contract {
            let of = || rows.underlying.clone();
            changes.extend(rows.lot.iter().map(|row| Change {
                from: row.expiry_from,
                subject: Subject::Lot,
                of: of(),
                what: format!("{} units, contracts that expire from then", row.units),
                source: row.source.clone(),
                unconfirmed: row.unconfirmed,
            }));
            changes.extend(rows.freeze.iter().map(|row| Change {
                from: row.from,
                subject: Subject::Freeze,
                of: of(),
                what: match (row.figure, row.first_refused) {
                    (Some(figure), _) => format!("{figure} units"),
                    (None, refused) => format!("{} units are refused", refused.unwrap_or_default()),
                },
                source: row.source.clone(),
                unconfirmed: row.unconfirmed,
            }));
            changes.extend(rows.expiry.iter().map(|row| Change {
                from: row.from,
                subject: Subject::Expiry,
                of: of(),
                what: format!(
                    "{}, {}",
                    row.weekday.name(),
                    if row.weekly { "weekly" } else { "monthly only" }
                ),
                source: row.source.clone(),
                unconfirmed: row.unconfirmed,
            }));
        }
        changes
    }
}
