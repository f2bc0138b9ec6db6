//! The life of an order: ten states, twelve events, every pair written down.
//!
//! ```text
//!             deny
//!  admitted ────────► denied                    cancel ► cancelled ─┐
//!     │ send                                    expire ► expired   ─┤ fill (late fill wins)
//!     ▼         acknowledge           open      reject ► rejected  ─┤
//!  sending ───────────────► acknowledged ───► open                  │
//!     │ lose        ▲  ▲                        fill ► filled ◄─────┘
//!     ▼             │  └── surface ── rejected, denied: shown by the venue after all (alarm)
//!  unknown ─────────┘
//!     └── refuse, or absence proved ──► rejected        time alone moves nothing out of `unknown`
//! ```
//!
//! Promises
//! - The answer is a pure function of state and event. Late and repeated events land where they
//!   would have landed in order, because a state only moves towards stronger evidence: `admitted <
//!   sending < unknown < acknowledged < open < rejected < expired < cancelled < filled`.
//! - `Unknown` becomes `Rejected` only on evidence: a definitive refusal, or proof of absence (O4).
//! - What cannot happen is named: [`Illegal`], never ignored. The whole table is checked in as
//!   `tests/golden/lifecycle.txt`.

#![deny(clippy::wildcard_enum_match_arm)]

use crate::model::OrderState;

/// What can happen to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// We refused it before the first byte.
    Deny,
    /// The first byte may have left.
    Send,
    /// No definite answer came: timeout, reset, 5xx, 429, unreadable reply.
    Lose,
    /// The reply refused it definitively and gave no order number.
    Refuse,
    /// The broker gave it a number.
    Acknowledge,
    /// It works at the exchange, or some of it filled.
    Open,
    /// All of it filled.
    Fill,
    /// The venue cancelled it, at our wish or its own.
    Cancel,
    /// The venue rejected an order it had given a number.
    Reject,
    /// Its validity ended.
    Expire,
    /// The venue shows, with a number, an order we thought refused.
    Surface,
    /// Two complete reads and the trade list lack it (reliability, section 2).
    ProveAbsent,
}

impl Event {
    /// Every event, in the order of the table.
    pub const ALL: [Self; 12] = [
        Self::Deny,
        Self::Send,
        Self::Lose,
        Self::Refuse,
        Self::Acknowledge,
        Self::Open,
        Self::Fill,
        Self::Cancel,
        Self::Reject,
        Self::Expire,
        Self::Surface,
        Self::ProveAbsent,
    ];

    /// The word shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Send => "send",
            Self::Lose => "lose",
            Self::Refuse => "refuse",
            Self::Acknowledge => "acknowledge",
            Self::Open => "open",
            Self::Fill => "fill",
            Self::Cancel => "cancel",
            Self::Reject => "reject",
            Self::Expire => "expire",
            Self::Surface => "surface",
            Self::ProveAbsent => "prove_absent",
        }
    }
}

/// An event that cannot happen in a state: a broken invariant of ours or a venue contradicting
/// itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("order is {state}, {name} cannot happen", name = event.name())]
pub struct Illegal {
    /// The state, which stays.
    pub state: OrderState,
    /// The event.
    pub event: Event,
}

/// Every state, in the order of the table.
#[cfg(test)]
pub(crate) const STATES: [OrderState; 10] = [
    OrderState::Admitted,
    OrderState::Denied,
    OrderState::Sending,
    OrderState::Unknown,
    OrderState::Acknowledged,
    OrderState::Open,
    OrderState::Rejected,
    OrderState::Expired,
    OrderState::Cancelled,
    OrderState::Filled,
];

/// Returns the state after an event.
///
/// # Errors
///
/// [`Illegal`] for a pair that cannot happen; the state stays what it was and the caller raises an
/// alarm.
#[expect(
    clippy::match_same_arms,
    reason = "arms are grouped by cause, which is what is reviewed"
)]
pub const fn next(state: OrderState, event: Event) -> Result<OrderState, Illegal> {
    use Event as E;
    use OrderState as S;
    Ok(match (state, event) {
        // Before the first byte. A lost or an answered order whose `send` we missed was sent all
        // the same.
        (S::Admitted, E::Deny) => S::Denied,
        (S::Admitted, E::Send) => S::Sending,
        (S::Admitted | S::Sending, E::Lose) => S::Unknown,
        (S::Admitted | S::Sending | S::Unknown, E::Refuse) => S::Rejected,
        (S::Admitted | S::Sending | S::Unknown, E::Acknowledge | E::Surface) => S::Acknowledged,
        (S::Denied, E::Deny) => S::Denied,
        (S::Sending, E::Send) => S::Sending,
        (S::Unknown, E::Send | E::Lose) => S::Unknown,
        (S::Unknown, E::ProveAbsent) => S::Rejected,

        // What the exchange says of an order that is not finished.
        (S::Admitted | S::Sending | S::Unknown | S::Acknowledged | S::Open, E::Open) => S::Open,
        (S::Admitted | S::Sending | S::Unknown | S::Acknowledged | S::Open, E::Fill) => S::Filled,
        (S::Admitted | S::Sending | S::Unknown | S::Acknowledged | S::Open, E::Cancel) => {
            S::Cancelled
        }
        (S::Admitted | S::Sending | S::Unknown | S::Acknowledged | S::Open, E::Reject) => {
            S::Rejected
        }
        (S::Admitted | S::Sending | S::Unknown | S::Acknowledged | S::Open, E::Expire) => {
            S::Expired
        }

        // Older news of a living order: a number is better evidence than a lost or refused reply.
        (S::Acknowledged, E::Send | E::Lose | E::Refuse | E::Acknowledge | E::Surface) => {
            S::Acknowledged
        }
        (S::Open, E::Send | E::Lose | E::Refuse | E::Acknowledge | E::Surface) => S::Open,

        // Finished. Late fills count, a cancel outranks a rejection, and the rest is old news.
        (S::Rejected | S::Expired | S::Cancelled | S::Filled, E::Fill) => S::Filled,
        (S::Rejected | S::Expired | S::Cancelled, E::Cancel) => S::Cancelled,
        (S::Rejected | S::Expired, E::Expire) => S::Expired,
        (S::Rejected | S::Denied, E::Surface) => S::Acknowledged,
        (
            S::Rejected,
            E::Send | E::Lose | E::Refuse | E::Acknowledge | E::Open | E::Reject | E::ProveAbsent,
        ) => S::Rejected,
        (
            S::Expired,
            E::Send | E::Lose | E::Refuse | E::Acknowledge | E::Open | E::Reject | E::Surface,
        ) => S::Expired,
        (
            S::Cancelled,
            E::Send
            | E::Lose
            | E::Refuse
            | E::Acknowledge
            | E::Open
            | E::Reject
            | E::Expire
            | E::Surface,
        ) => S::Cancelled,
        (
            S::Filled,
            E::Send
            | E::Lose
            | E::Refuse
            | E::Acknowledge
            | E::Open
            | E::Cancel
            | E::Expire
            | E::Surface,
        ) => S::Filled,

        // Cannot happen: refused by us after it left; sent after we refused it; rejected after it
        // filled; absent at the venue that gave it a number, or before it was sent, or before
        // anybody called it unknown.
        (
            S::Sending
            | S::Unknown
            | S::Acknowledged
            | S::Open
            | S::Rejected
            | S::Expired
            | S::Cancelled
            | S::Filled,
            E::Deny,
        )
        | (
            S::Denied,
            E::Send
            | E::Lose
            | E::Refuse
            | E::Acknowledge
            | E::Open
            | E::Fill
            | E::Cancel
            | E::Reject
            | E::Expire,
        )
        | (S::Filled, E::Reject)
        | (
            S::Admitted
            | S::Denied
            | S::Sending
            | S::Acknowledged
            | S::Open
            | S::Expired
            | S::Cancelled
            | S::Filled,
            E::ProveAbsent,
        ) => return Err(Illegal { state, event }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    fn table() -> String {
        let mut text = String::from("state        ");
        for event in Event::ALL {
            write!(text, " {:<12}", event.name()).expect("text");
        }
        text.truncate(text.trim_end().len());
        for state in STATES {
            write!(text, "\n{:<13}", state.name()).expect("text");
            for event in Event::ALL {
                let cell = next(state, event).map_or("ILLEGAL", OrderState::name);
                write!(text, " {cell:<12}").expect("text");
            }
            text.truncate(text.trim_end().len());
        }
        text.push('\n');
        text
    }

    #[test]
    fn the_whole_table_is_the_checked_in_one() {
        let golden = include_str!("../../tests/golden/lifecycle.txt");
        assert_eq!(
            table(),
            golden,
            "changed transitions; the table is now:\n{}",
            table()
        );
    }

    #[test]
    fn only_evidence_ends_unknown() {
        for event in Event::ALL {
            let after = next(OrderState::Unknown, event);
            let evidence = !matches!(event, Event::Deny | Event::Send | Event::Lose);
            assert_eq!(
                after.is_ok_and(|s| s != OrderState::Unknown),
                evidence,
                "{}",
                event.name()
            );
        }
    }

    #[test]
    fn venue_events_commute_and_repeat_without_effect() {
        use Event as E;
        let venue = [
            E::Send,
            E::Lose,
            E::Acknowledge,
            E::Open,
            E::Fill,
            E::Cancel,
            E::Reject,
            E::Expire,
        ];
        let step = |state, event| next(state, event).unwrap_or(state);
        for start in [
            OrderState::Admitted,
            OrderState::Sending,
            OrderState::Unknown,
        ] {
            for a in venue {
                assert_eq!(
                    step(step(start, a), a),
                    step(start, a),
                    "{} twice",
                    a.name()
                );
                for b in venue {
                    assert_eq!(
                        step(step(start, a), b),
                        step(step(start, b), a),
                        "{} {}",
                        a.name(),
                        b.name()
                    );
                    for c in venue {
                        let forward = step(step(step(start, a), b), c);
                        assert_eq!(forward, step(step(step(start, c), b), a));
                    }
                }
            }
        }
    }
}
