//! When the venue misbehaves, and how.
//!
//! ```text
//!   request or update ─► each rule: on? window? tag, symbol? nth | every | percent? ─► faults to play
//! ```
//!
//! Promises
//! - A pure function of the script or seed and of what was asked: chance is a hash of seed, rule and the
//!   ordinal of the request within its kind, never a stream somebody else draws from.
//! - Several rules may strike the same request; all of their faults are played.
//! - After `stop_after` nothing new happens. What was begun (a lost order that fills later) still ends.

mod chaos;
mod script;

use crate::sim::dice::Noise;
pub use script::ScriptError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a request or message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// A placement.
    Place,
    /// A modification.
    Modify,
    /// A cancellation.
    Cancel,
    /// A read of the order book or of one order.
    Orders,
    /// A read of the trades.
    Trades,
    /// A read of the positions.
    Positions,
    /// A login.
    Login,
    /// Any other request.
    Other,
    /// An order message to ticker connections.
    Update,
}

impl On {
    const COUNT: usize = 9;

    const fn at(self) -> usize {
        self as usize
    }

    /// Its word in scripts and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Place => "place",
            Self::Modify => "modify",
            Self::Cancel => "cancel",
            Self::Orders => "orders",
            Self::Trades => "trades",
            Self::Positions => "positions",
            Self::Login => "login",
            Self::Other => "other",
            Self::Update => "update",
        }
    }

    /// True for requests that reach orders.
    pub const fn is_order(self) -> bool {
        matches!(self, Self::Place | Self::Modify | Self::Cancel)
    }

    /// True for reads of the books.
    pub const fn is_read(self) -> bool {
        matches!(self, Self::Orders | Self::Trades | Self::Positions)
    }
}

/// A way to misbehave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Done, never answered; the connection says nothing more.
    Lost,
    /// Done (unless `accepted = false`), then the connection is reset.
    Reset,
    /// Done (unless `accepted = false`), then the venue's half of the connection closes.
    HalfClose,
    /// Done, half of the reply arrives, then the connection is reset.
    Cut,
    /// Not done, never answered; the connection says nothing more.
    Silent,
    /// Done, answered `after_ms` later.
    Slow,
    /// Refused with 400, and done `after_ms` later all the same.
    LateAccept,
    /// Answered with `status`, done only when `accepted`; order requests of the next `for_ms` fare alike.
    ServerError,
    /// Answered with 429, and so is every order request of the next `for_ms`.
    Throttle,
    /// The session ends before the request.
    Expire,
    /// Success without rows.
    Empty,
    /// The rows as they were `after_ms` ago.
    Stale,
    /// Every connection is reset and the venue is away for `for_ms`; without `memory` it shows no earlier
    /// order for `after_ms` afterwards (0: never again).
    Restart,
    /// Somebody else on the account buys a lot by hand, without a tag.
    Foreign,
    /// Another instance buys a lot, with a tag of our shape.
    Twin,
    /// Fills `share` percent, and the rest `after_ms` later (0: when re-priced).
    Partial,
    /// Does not fill until `after_ms` later (0: until re-priced).
    Rest,
    /// `share` percent of what was cancelled fills `after_ms` after the cancellation (0: instead of it).
    FillAfterCancel,
    /// Open at first, refused by the exchange `after_ms` later.
    RejectAfterAccept,
    /// Refused: larger than the freeze quantity.
    Freeze,
    /// Refused: beyond the price-protection range.
    Band,
    /// Refused: not enough margin.
    Margin,
    /// The message is not sent.
    Lose,
    /// The message is sent twice.
    Double,
    /// The message is sent `after_ms` later.
    Late,
    /// The message is sent after the next one, at the latest `after_ms` later.
    Swap,
}

impl Kind {
    /// Its word in scripts and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Reset => "reset",
            Self::HalfClose => "half_close",
            Self::Cut => "cut",
            Self::Silent => "silent",
            Self::Slow => "slow",
            Self::LateAccept => "late_accept",
            Self::ServerError => "server_error",
            Self::Throttle => "throttle",
            Self::Expire => "expire",
            Self::Empty => "empty",
            Self::Stale => "stale",
            Self::Restart => "restart",
            Self::Foreign => "foreign",
            Self::Twin => "twin",
            Self::Partial => "partial",
            Self::Rest => "rest",
            Self::FillAfterCancel => "fill_after_cancel",
            Self::RejectAfterAccept => "reject_after_accept",
            Self::Freeze => "freeze",
            Self::Band => "band",
            Self::Margin => "margin",
            Self::Lose => "lose",
            Self::Double => "double",
            Self::Late => "late",
            Self::Swap => "swap",
        }
    }

    /// What it can strike.
    pub const fn fits(self, on: On) -> bool {
        match self {
            Self::LateAccept
            | Self::Partial
            | Self::Rest
            | Self::RejectAfterAccept
            | Self::Freeze
            | Self::Band
            | Self::Margin => matches!(on, On::Place),
            Self::FillAfterCancel => matches!(on, On::Place | On::Cancel),
            Self::Empty | Self::Stale => on.is_read(),
            Self::Lose | Self::Double | Self::Late | Self::Swap => matches!(on, On::Update),
            Self::Lost
            | Self::Reset
            | Self::HalfClose
            | Self::Cut
            | Self::Silent
            | Self::Slow
            | Self::ServerError
            | Self::Throttle
            | Self::Expire
            | Self::Restart
            | Self::Foreign
            | Self::Twin => !matches!(on, On::Update),
        }
    }
}

/// One fault to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What happens.
    pub kind: Kind,
    /// Milliseconds until it happens, or the age of what is shown.
    pub after_ms: u64,
    /// Milliseconds it lasts.
    pub for_ms: u64,
    /// Percent.
    pub share: u8,
    /// HTTP status.
    pub status: u16,
    /// True when the request is done although the client cannot know.
    pub accepted: bool,
    /// False when a restart loses the orders.
    pub memory: bool,
}

/// Which of the matching requests a rule strikes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Pick {
    All,
    /// The n-th match alone, counted from 1.
    Nth(u64),
    /// Every n-th match.
    Every(u64),
    Percent(f64),
}

/// When a fault happens.
#[derive(Clone, Debug, PartialEq)]
struct Rule {
    on: On,
    pick: Pick,
    /// Milliseconds since the first request.
    between_ms: (u64, u64),
    /// Start of the tag.
    tag: Option<String>,
    symbol: Option<String>,
    fault: Fault,
    matches: u64,
}

/// What is asked of [`Faults::draw`].
#[derive(Clone, Copy, Debug)]
pub struct Occasion<'a> {
    /// What it is about.
    pub on: On,
    /// Tag of the order it names.
    pub tag: Option<&'a str>,
    /// Contract of the order it names.
    pub symbol: Option<&'a str>,
    /// Milliseconds since the first request.
    pub at_ms: u64,
}

/// All faults of a run.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    rules: Vec<Rule>,
    seed: u64,
    stop_after_ms: Option<u64>,
    seen: [u64; On::COUNT],
}

impl Faults {
    /// A venue that behaves.
    pub fn none() -> Self {
        Self::default()
    }

    /// No new fault later than this many milliseconds after the first request.
    pub fn stop_after(mut self, ms: u64) -> Self {
        self.stop_after_ms = Some(ms);
        self
    }

    /// Shortens what keeps an accepted order from being seen, so that all of it together is at most this long: a
    /// late acceptance, an old order book, and a restart that forgets.
    pub(crate) fn visible_within(&mut self, ms: u64) {
        let hides = |fault: &Fault| match fault.kind {
            Kind::LateAccept | Kind::Stale => fault.after_ms,
            Kind::Restart if !fault.memory => fault.after_ms + fault.for_ms,
            Kind::Restart => fault.for_ms,
            _ => 0,
        };
        let total: u64 = self.rules.iter().map(|rule| hides(&rule.fault)).sum();
        if total <= ms {
            return;
        }
        for rule in self.rules.iter_mut().filter(|rule| hides(&rule.fault) > 0) {
            rule.fault.after_ms = (rule.fault.after_ms * ms / total).max(1);
            rule.fault.for_ms = (rule.fault.for_ms * ms / total).max(1);
        }
    }

    /// True when nothing can ever happen.
    pub const fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// True when some answer may be out of date.
    pub(crate) fn looks_back(&self) -> bool {
        self.rules.iter().any(|rule| rule.fault.kind == Kind::Stale)
    }

    /// The faults of one occasion, in the order of the rules.
    pub fn draw(&mut self, occasion: &Occasion<'_>) -> Vec<Fault> {
        let ordinal = self.seen[occasion.on.at()];
        self.seen[occasion.on.at()] += 1;
        if self.stop_after_ms.is_some_and(|end| occasion.at_ms >= end) {
            return Vec::new();
        }
        let seed = self.seed;
        let rules = self.rules.iter_mut().enumerate();
        rules
            .filter_map(|(number, rule)| {
                let number = u64::try_from(number).unwrap_or(0);
                rule.strikes(occasion, Noise::at(seed, number, ordinal))
                    .then_some(rule.fault)
            })
            .collect()
    }
}

impl Rule {
    fn strikes(&mut self, occasion: &Occasion<'_>, mut noise: Noise) -> bool {
        let begins = |own: Option<&String>, seen: Option<&str>| {
            own.is_none_or(|own| seen.is_some_and(|seen| seen.starts_with(own.as_str())))
        };
        let fits = self.on == occasion.on
            && (self.between_ms.0..self.between_ms.1).contains(&occasion.at_ms)
            && begins(self.tag.as_ref(), occasion.tag)
            && self
                .symbol
                .as_deref()
                .is_none_or(|own| occasion.symbol == Some(own));
        if !fits {
            return false;
        }
        self.matches += 1;
        match self.pick {
            Pick::All => true,
            Pick::Nth(n) => self.matches == n,
            Pick::Every(n) => self.matches.is_multiple_of(n),
            Pick::Percent(percent) => f64::from(noise.below(1_000_000)) < percent * 10_000.0,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.fault.kind.name(), self.on.name())?;
        match self.pick {
            Pick::All => write!(f, ", always")?,
            Pick::Nth(n) => write!(f, ", number {n}")?,
            Pick::Every(n) => write!(f, ", every {n}")?,
            Pick::Percent(percent) => write!(f, ", {percent} %")?,
        }
        let fault = &self.fault;
        for (name, ms) in [("after", fault.after_ms), ("for", fault.for_ms)] {
            if ms > 0 {
                write!(f, ", {name} {ms} ms")?;
            }
        }
        match fault.kind {
            Kind::Partial | Kind::FillAfterCancel => write!(f, ", share {} %", fault.share)?,
            Kind::ServerError => write!(f, ", {}", fault.status)?,
            Kind::Restart if !fault.memory => f.write_str(", without memory")?,
            _ => {}
        }
        if matches!(
            fault.kind,
            Kind::ServerError | Kind::Reset | Kind::HalfClose
        ) {
            f.write_str(if fault.accepted {
                ", accepted"
            } else {
                ", not accepted"
            })?;
        }
        if self.between_ms != (0, u64::MAX) {
            write!(
                f,
                ", from {} to {} ms",
                self.between_ms.0, self.between_ms.1
            )?;
        }
        for (name, text) in [("tag", &self.tag), ("symbol", &self.symbol)] {
            if let Some(text) = text {
                write!(f, ", {name} {text}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for rule in &self.rules {
            writeln!(f, "fault: {rule}")?;
        }
        if let Some(ms) = self.stop_after_ms {
            writeln!(f, "faults stop after {ms} ms")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(faults: &mut Faults, n: u64) -> Vec<Vec<Kind>> {
        (0..n)
            .map(|at| {
                let occasion = Occasion {
                    on: if at % 3 == 0 { On::Orders } else { On::Place },
                    tag: Some("TZ1"),
                    symbol: Some("A"),
                    at_ms: at * 100,
                };
                faults.draw(&occasion).iter().map(|f| f.kind).collect()
            })
            .collect()
    }

    #[test]
    fn the_same_seed_and_requests_give_the_same_faults_and_another_seed_others() {
        let all: Vec<_> = (0..50)
            .map(|seed| run(&mut Faults::chaos(seed), 300))
            .collect();
        assert_eq!(all[7], run(&mut Faults::chaos(7), 300));
        assert!(all.windows(2).any(|two| two[0] != two[1]));
        assert!(
            all.iter()
                .filter(|one| one.iter().any(|f| !f.is_empty()))
                .count()
                > 40
        );
    }

    #[test]
    fn picks_and_windows_strike_at_their_edges_and_nowhere_else() {
        let text = "[[fault]]\non = \"place\"\nnth = 2\nwhat = \"lost\"\n\
                    [[fault]]\non = \"place\"\nevery = 3\nwhat = \"slow\"\nafter_ms = 5\n\
                    [[fault]]\non = \"place\"\nbetween = [200, 400]\ntag = \"TZ\"\nwhat = \"band\"\n\
                    [[fault]]\non = \"place\"\ntag = \"XX\"\nwhat = \"freeze\"\n";
        let mut faults = Faults::script("t", text).expect("a script");
        let at = |faults: &mut Faults, at_ms| -> Vec<Kind> {
            let occasion = Occasion {
                on: On::Place,
                tag: Some("TZ1"),
                symbol: None,
                at_ms,
            };
            faults.draw(&occasion).iter().map(|f| f.kind).collect()
        };
        assert_eq!(at(&mut faults, 199), []);
        assert_eq!(at(&mut faults, 200), [Kind::Lost, Kind::Band]);
        assert_eq!(at(&mut faults, 399), [Kind::Slow, Kind::Band]);
        assert_eq!(at(&mut faults, 400), []);
        let mut faults = Faults::script("t", text).expect("a script").stop_after(200);
        assert_eq!(at(&mut faults, 199), []);
        assert_eq!(at(&mut faults, 200), []);
    }
}
