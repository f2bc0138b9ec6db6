//! What a run of batches came to: the record people and programs read.

use super::{Batches, End, Seen};
use crate::model::{Denial, Ending, MonoNanos, RejectClass};
use serde::Serialize;

/// The result of `tezi strangle`. Fields are written in this order.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// True when every batch left, both legs of each are filled to the last unit, and nothing is left without an end.
    pub success: bool,
    /// Why not, in one sentence.
    pub error: Option<String>,
    /// Orders of the CALL leg, those that closed it again included.
    pub call_orders: Vec<OrderLine>,
    /// Orders of the PUT leg, those that closed it again included.
    pub put_orders: Vec<OrderLine>,
    /// Per batch: milliseconds between the replies to its CALL and its PUT; none while one is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skews: Option<Vec<Option<f64>>>,
    /// When things happened and how long they took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<Times>,
}

/// One order of the result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OrderLine {
    /// Number of the batch, from 1.
    pub batch: usize,
    /// Our id.
    pub tag: String,
    /// The broker's number; none when it never gave one.
    pub order_id: Option<String>,
    /// True when it closes what its leg had filled.
    pub closes: bool,
    /// Units ordered.
    pub quantity: u32,
    /// Units filled.
    pub filled: u32,
    /// Average price of these units in rupees.
    pub average: f64,
    /// State by all evidence.
    pub state: &'static str,
    /// Why it was denied or rejected.
    pub reason: Option<&'static str>,
    /// Milliseconds from order to reply; none without a reply.
    pub reply_ms: Option<f64>,
}

/// Times of a run, in seconds from its start.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Times {
    /// From the start to the session.
    pub login_s: f64,
    /// From the start to the end of the last batch.
    pub total_s: f64,
    /// Spent in delays between batches.
    pub waiting_s: f64,
    /// Mean time from order to reply; none without a reply.
    pub reply_mean_s: Option<f64>,
    /// What the same orders take one after the other with a login before each:
    /// orders × (login + mean reply) + delays.
    pub sequential_s: f64,
    /// The login and every request that placed, changed or cancelled an order.
    pub api_calls: u64,
    /// Batches whose CALL is filled.
    pub calls_filled: usize,
    /// Batches whose PUT is filled.
    pub puts_filled: usize,
    /// One row a batch.
    pub batches: Vec<BatchTimes>,
}

/// Times of one batch, in seconds from the start of the run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BatchTimes {
    /// Lots of each leg.
    pub lots: u32,
    /// When it left; none when it never did.
    pub started_s: Option<f64>,
    /// When its last reply came.
    pub replied_s: Option<f64>,
    /// When it was over.
    pub ended_s: Option<f64>,
    /// How it ended.
    pub how: Option<&'static str>,
}

/// Start of a run and the moment its session stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// When the run started.
    pub began: MonoNanos,
    /// When it was logged in.
    pub logged_in: MonoNanos,
}

/// The origin of a run whose clock starts with the login.
pub const fn start_of_run(login_ns: u64) -> Origin {
    Origin {
        began: MonoNanos(0),
        logged_in: MonoNanos(login_ns),
    }
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

impl Outcome {
    /// The result when no session could be had: nothing was sent.
    pub fn not_authenticated(why: &str) -> Self {
        Self {
            success: false,
            error: Some(format!("Authentication failed: {why}")),
            call_orders: Vec::new(),
            put_orders: Vec::new(),
            skews: None,
            times: None,
        }
    }
}

impl Outcome {
    /// The same of a run that leaves something without an end, whoever began it: no success, and the reason names it.
    #[must_use]
    pub fn leaving(mut self, left: Option<String>) -> Self {
        if let Some(left) = left {
            self.success = false;
            self.error = Some(match self.error {
                Some(why) => format!("{why}; {left}"),
                None => left,
            });
        }
        self
    }
}

fn line(batch: usize, seen: &Seen) -> OrderLine {
    let reason = seen.denial.map(Denial::name);
    let took = seen.replied.map(|at| at.since(seen.sent));
    OrderLine {
        batch,
        tag: seen.tag.to_string(),
        order_id: (seen.order_id.0 != 0).then(|| seen.order_id.0.to_string()),
        closes: seen.leg >= 2,
        quantity: seen.qty.0,
        filled: seen.filled.0,
        average: seen.average.rupees(),
        state: seen.state.name(),
        reason: reason.or(seen.reject.map(RejectClass::name)),
        reply_ms: took.map(|nanos| nanos as f64 / 1e6),
    }
}

impl Batches {
    /// The result so far, counted from `origin`; `now` is the end when the last batch has none.
    pub fn outcome(&self, origin: Origin, now: MonoNanos) -> Outcome {
        let of_leg = |leg: u8| {
            let numbered = (1..).zip(&self.batches);
            numbered
                .flat_map(|(number, batch)| {
                    let own = batch.orders.iter().filter(move |seen| seen.leg % 2 == leg);
                    own.map(move |seen| line(number, seen))
                })
                .collect()
        };
        let skews = self.batches.iter().filter(|batch| batch.started.is_some());
        let millis = |nanos: u64| nanos as f64 / 1e6;
        Outcome {
            success: self.is_success(),
            error: self.error(),
            call_orders: of_leg(0),
            put_orders: of_leg(1),
            skews: Some(skews.map(|batch| batch.skew_ns().map(millis)).collect()),
            times: Some(self.times(origin, now)),
        }
    }

    /// True when every batch left and both legs of each are filled to the last unit.
    pub fn is_success(&self) -> bool {
        let whole = |batch: &super::Batch| batch.how == Some(Ending::Complete);
        self.end() == Some(&End::Done) && self.batches.iter().all(whole)
    }

    /// Why the run is no success, in one sentence.
    fn error(&self) -> Option<String> {
        let count = self.batches.len();
        let legs = format!(
            "Call {}/{count}, Put {}/{count}",
            self.filled(0),
            self.filled(1)
        );
        match self.end() {
            None => Some(format!("the run is not over; {legs}")),
            Some(End::Done) if self.is_success() => None,
            Some(End::Done) => Some(format!("not every leg was filled: {legs}")),
            Some(end) => Some(format!("{end}; {legs}")),
        }
    }

    fn times(&self, origin: Origin, now: MonoNanos) -> Times {
        let since = |at: MonoNanos| seconds(at.since(origin.began));
        let row = |batch: &super::Batch| BatchTimes {
            lots: batch.lots.0,
            started_s: batch.started.map(since),
            replied_s: batch.replied().map(since),
            ended_s: batch.ended.map(since),
            how: batch.how.map(Ending::name),
        };
        let pairs = self.batches.windows(2).filter_map(|pair| {
            let [before, after] = pair else { return None };
            Some(after.started?.since(before.ended?))
        });
        let waiting: u64 = pairs.sum();
        let ends = self
            .batches
            .iter()
            .map(|batch| (batch.started, batch.ended));
        let left = ends.filter(|(started, _)| started.is_some());
        let end = left.map(|(_, ended)| ended.unwrap_or(now)).max();
        let login = origin.logged_in.since(origin.began);
        let each = login.saturating_add(self.mean_reply_ns().unwrap_or(0));
        let sequential = self
            .order_calls()
            .saturating_mul(each)
            .saturating_add(waiting);
        Times {
            login_s: seconds(login),
            total_s: since(end.unwrap_or(origin.logged_in)),
            waiting_s: seconds(waiting),
            reply_mean_s: self.mean_reply_ns().map(seconds),
            sequential_s: seconds(sequential),
            api_calls: self.order_calls().saturating_add(1),
            calls_filled: self.filled(0),
            puts_filled: self.filled(1),
            batches: self.batches.iter().map(row).collect(),
        }
    }
}
