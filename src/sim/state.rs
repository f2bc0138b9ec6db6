//! Everything a request can see or change, and `/sim/*` for tests.

use super::account::{Account, Budget, Meter};
use super::clock::{self, Clock};
use super::desk::{Desk, Moment, View};
use super::http::{Answer, Request};
use super::intake::{Class, Refusal};
use super::market::Market;
use super::record::FaultTruth;
use super::stream::Stream;
use super::truth::Truth;
use super::wire::Wire;
use serde_json::json;

/// Everything a request can see or change.
pub(crate) struct World {
    /// What is spoken here.
    pub(crate) wire: Wire,
    pub(crate) market: Market,
    pub(crate) desk: Desk,
    pub(crate) account: Account,
    pub(crate) meter: Meter,
    pub(crate) truth: Truth,
    pub(crate) clock: Clock,
    pub(crate) seed: u64,
    pub(crate) stop: bool,
    /// How reads of the books are answered.
    pub(crate) view: View,
    /// Faults so far.
    pub(crate) faults: Vec<FaultTruth>,
    /// What is wrong with the stream.
    pub(crate) stream: Stream,
    /// Limits count seconds of the market instead of the machine.
    pub(crate) market_seconds: bool,
}

/// What a request came to: the answer, and what the record keeps of it.
pub(crate) struct Outcome {
    pub(crate) answer: Answer,
    pub(crate) order_id: Option<String>,
    pub(crate) error: Option<String>,
}

impl Outcome {
    /// An answer about no order.
    pub(crate) const fn plain(answer: Answer) -> Self {
        Self {
            answer,
            order_id: None,
            error: None,
        }
    }
}

impl World {
    /// Answers one request.
    pub(crate) fn answer(&mut self, request: &Request, now: Moment, connection: u64) -> Outcome {
        if request.path.starts_with("/sim/") {
            return Outcome::plain(self.sim(request, now));
        }
        let wire = self.wire;
        wire.answer(self, request, (now, connection))
    }

    /// Counts a request against the limits.
    ///
    /// # Errors
    ///
    /// When it is one too many.
    pub(crate) fn count(&mut self, budget: Budget, now: Moment) -> Result<(), Refusal> {
        let wall = if self.market_seconds {
            now.market
        } else {
            clock::real_wall()
        };
        if self.meter.admits(budget, wall) {
            return Ok(());
        }
        Err(Refusal {
            status: 429,
            class: Class::Rate,
            message: "Too many requests".to_owned(),
        })
    }

    fn sim(&mut self, request: &Request, now: Moment) -> Answer {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/sim/clock") => Answer::json(200, &self.clock_json(now)),
            ("GET", "/sim/truth") => Answer::json(200, &self.truth_json(now)),
            ("GET", "/sim/request-token") => {
                let token = self.account.new_request_token();
                Answer::json(200, &json!({ "request_token": token }))
            }
            ("POST", "/sim/start") => {
                self.clock.start(now.real);
                Answer::json(200, &self.clock_json(now))
            }
            ("POST", "/sim/stream") => match self.stream.change(&request.form(), &self.market) {
                Ok(now) => Answer::json(200, &now),
                Err(why) => Answer::json(400, &json!({ "status": "error", "message": why })),
            },
            ("POST", "/sim/stop") => {
                self.stop = true;
                Answer::json(200, &json!({ "stopping": true }))
            }
            _ => Answer::json(
                404,
                &json!({ "status": "error", "message": "Route not found" }),
            ),
        }
    }
}
