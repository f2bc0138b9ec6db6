//! The whole venue without a socket: requests in, deliveries with their due times out.
//!
//! ```text
//!   request bytes ─► faults drawn ─► World (books, orders, session) ─► deliveries: bytes, reset, half close
//!                        │                    │
//!                        └─► done later       └─► order messages: once, twice, late, never
//! ```
//!
//! Promises
//! - Keeps no clock and waits for nothing: `now` is passed in, what is due later carries its time. The socket
//!   server and the seeded world drive the same code.
//! - Deliveries of one connection never overtake each other.
//! - What is done and what the client hears are two things: only what is done enters the record.

mod deliver;
mod plan;

pub use deliver::{Delivery, Update, What};

use super::account::{Account, Meter};
use super::clock::Clock;
use super::desk::{Desk, Moment, View};
use super::faults::{Fault, Faults, On};
use super::http::{self, Answer, Parsed, Request};
use super::intake::{Class, Refusal};
use super::market::Market;
use super::order::Fate;
use super::record::Record;
use super::settings::{Limits, Origin, Settings};
use super::state::World;
use super::stream::Stream;
use super::truth::{Arrival, Truth};
use crate::model::Price;
use deliver::Ending;
use plan::Plan;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const MS: u64 = 1_000_000;

/// A request that is done later than it was answered.
struct Late {
    due: u64,
    connection: u64,
    request: Request,
    fate: Fate,
}

/// The venue.
pub struct Venue {
    pub(crate) world: World,
    faults: Faults,
    /// When the first request came.
    first: Option<u64>,
    /// Connections that say nothing more.
    mute: Vec<u64>,
    /// When the last delivery of a connection is due; only those later than the present.
    queued: BTreeMap<u64, u64>,
    late: Vec<Late>,
    away_until: u64,
    throttled_until: u64,
    broken_until: u64,
    broken: Option<Fault>,
    /// A message that waits for the next one, and until when.
    held: Option<(u64, String)>,
    /// A tag of the client's, for a twin to imitate.
    sample: Option<String>,
}

impl Venue {
    /// Lists the contracts of a venue that misbehaves like this.
    ///
    /// # Errors
    ///
    /// A sentence when the settings do not fit each other or the log cannot be opened.
    pub fn new(settings: &Settings, faults: Faults) -> Result<Self, String> {
        let market = Market::new(settings)?;
        let truth = Truth::new(settings.log.as_deref())
            .map_err(|error| format!("the log cannot be opened: {error}"))?;
        let mut desk = Desk::new(settings);
        if faults.looks_back() {
            desk.remember();
        }
        let mut world = World {
            desk,
            account: Account::new(settings.credentials.clone(), settings.seed),
            wire: settings.wire,
            meter: Meter::new(
                match settings.trigger {
                    Some(_) => Limits::Off,
                    None => settings.limits,
                },
                settings.wire.rates(),
            ),
            clock: Clock::new(settings.pace, market.now()),
            market,
            truth,
            seed: settings.seed,
            stop: false,
            view: View::Now,
            faults: Vec::new(),
            stream: Stream::default(),
            market_seconds: settings.lean,
            is_plain: settings.plain,
            port: settings.port,
        };
        if matches!(settings.origin, Origin::Still(_)) {
            world.market.step(&mut Vec::new());
        }
        Ok(Self {
            world,
            faults,
            first: None,
            mute: Vec::new(),
            queued: BTreeMap::new(),
            late: Vec::new(),
            away_until: 0,
            throttled_until: 0,
            broken_until: 0,
            broken: None,
            held: None,
            sample: None,
        })
    }

    /// The market's opening moment, or the first price's.
    pub fn opens(&self) -> crate::model::WallNanos {
        self.world.market.now()
    }

    /// The instrument list as the broker serves it.
    pub fn instruments(&self) -> &[crate::model::Instrument] {
        &self.world.market.rows
    }

    /// A request token, good for one login.
    pub fn request_token(&mut self) -> String {
        self.world.account.new_request_token()
    }

    /// Best bid and ask of a contract.
    pub fn quoted(&self, symbol: &str) -> Option<(Price, Price)> {
        let ix = self.place_of(symbol)?;
        let book = &self.world.market.books[ix];
        Some((book.bids[0].price, book.asks[0].price))
    }

    fn place_of(&self, symbol: &str) -> Option<usize> {
        self.world
            .market
            .rows
            .iter()
            .position(|row| row.symbol == symbol)
    }

    /// Quotes a contract by hand and matches the orders it lets through; false when there is none such.
    pub fn quote(&mut self, symbol: &str, prices: (Price, Price), qty: u32, now: Moment) -> bool {
        let Some(ix) = self.place_of(symbol) else {
            return false;
        };
        self.world.market.quote(ix, prices, qty);
        let world = &mut self.world;
        world.desk.follow(&[ix], &mut world.market, now);
        true
    }

    /// The faults that may happen, a sentence each.
    pub fn drawn(&self) -> Vec<String> {
        let text = self.faults.to_string();
        text.lines().map(str::to_owned).collect()
    }

    /// True while the venue is restarting.
    pub fn is_away(&self, now: Moment) -> bool {
        now.real < self.away_until
    }

    /// Hears the bytes of one whole request.
    ///
    /// Bytes that are no request are answered with 400 and a closed half.
    pub fn hear(&mut self, connection: u64, bytes: &[u8], now: Moment) -> Vec<Delivery> {
        match http::parse(bytes) {
            Parsed::Request(request) => self.answer(connection, &request, now.real, now),
            Parsed::Partial | Parsed::Bad(..) => {
                self.world.truth.tally.bad_requests += 1;
                let body = json!({ "status": "error", "error_type": "InputException" });
                let bytes = Answer::json(400, &body).bytes(false);
                vec![
                    self.due(connection, now.real, What::Bytes(bytes)),
                    self.due(connection, now.real, What::HalfClose),
                ]
            }
        }
    }

    /// Hears one request whose first byte came at `first_ns`.
    pub(crate) fn answer(
        &mut self,
        connection: u64,
        request: &Request,
        first_ns: u64,
        now: Moment,
    ) -> Vec<Delivery> {
        let wire = self.world.wire;
        if request.path.starts_with("/sim/") || wire.is_aside(&request.path) {
            let answer = self.world.answer(request, now, connection).answer;
            let bytes = answer.bytes(request.keep_alive);
            return vec![self.due(connection, now.real, What::Bytes(bytes))];
        }
        let on = wire.subject(&request.method, &request.path);
        let (tag, symbol) = self.concerned(on, request);
        let heard = Heard {
            connection,
            on,
            tag,
            first_ns,
            now,
        };
        if self.mute.contains(&connection) {
            return self.unheard(&heard, request, What::Nothing);
        }
        if self.is_away(now) {
            return self.unheard(&heard, request, What::Reset);
        }
        let faults = self.strike(on, heard.tag.as_deref(), symbol.as_deref(), now);
        if on == On::Place && heard.tag.as_ref().is_some_and(|tag| tag.len() == 20) {
            self.sample.clone_from(&heard.tag);
        }
        let mut plan = Plan::default();
        for fault in &faults {
            self.prepare(fault, &mut plan, &heard, symbol.as_deref());
        }
        self.standing(on, now, &mut plan);
        if plan.restarts {
            drop(self.unheard(&heard, request, What::Nothing));
            return vec![self.due(connection, now.real, What::Restart)];
        }
        self.carry_out(&heard, request, &plan)
    }

    /// Tag and symbol of the order a request is about.
    fn concerned(&self, on: On, request: &Request) -> (Option<String>, Option<String>) {
        let wire = self.world.wire;
        match on {
            On::Place => wire.placed(&self.world, request),
            On::Modify | On::Cancel => {
                let id = wire.named(request);
                let named = self.world.desk.named(&id, &self.world.market);
                let (tag, symbol) = named.unzip();
                (tag.flatten().map(str::to_owned), symbol.map(str::to_owned))
            }
            _ => (None, None),
        }
    }

    /// Notes a request that nobody acted on.
    fn unheard(&mut self, heard: &Heard, request: &Request, what: What) -> Vec<Delivery> {
        self.note(heard, request, 0, None, Some("not heard".to_owned()));
        vec![self.due(heard.connection, heard.now.real, what)]
    }

    fn note(
        &mut self,
        heard: &Heard,
        request: &Request,
        status: u16,
        order_id: Option<String>,
        error: Option<String>,
    ) {
        self.world.truth.arrive(Arrival {
            connection: heard.connection,
            method: request.method.clone(),
            path: request.path.clone(),
            status,
            first_ns: heard.first_ns,
            mono_ns: heard.now.real,
            market: heard.now.market,
            tag: heard.tag.clone(),
            order_id,
            error,
        });
    }

    fn carry_out(&mut self, heard: &Heard, request: &Request, plan: &Plan) -> Vec<Delivery> {
        let now = heard.now;
        let broken = plan.broken;
        let (answer, order_id, error) = if plan.throttled {
            self.refuse(429, Class::Rate, "Too many requests")
        } else if let Some(wait) = plan.late.filter(|_| !plan.refused) {
            self.late.push(Late {
                due: now.real + wait,
                connection: heard.connection,
                request: request.clone(),
                fate: plan.fate,
            });
            self.refuse(
                400,
                Class::General,
                "Something went wrong. Please try again.",
            )
        } else if plan.refused || broken.is_some_and(|fault| !fault.accepted) {
            (gateway(broken), None, Some("not done".to_owned()))
        } else {
            self.do_now(heard, request, plan)
        };
        let answer = match broken.filter(|fault| fault.accepted && !plan.throttled) {
            Some(_) => gateway(broken),
            None => answer,
        };
        let status = match plan.ending {
            Ending::Whole | Ending::Cut => answer.status,
            Ending::Lost | Ending::Reset | Ending::HalfClose => 0,
        };
        self.note(heard, request, status, order_id, error);
        let at = now.real + plan.wait;
        self.deliver(
            heard.connection,
            at,
            &plan.ending,
            &answer,
            request.keep_alive,
        )
    }

    fn refuse(
        &self,
        status: u16,
        class: Class,
        words: &str,
    ) -> (Answer, Option<String>, Option<String>) {
        let answer = self.world.wire.refused(&Refusal {
            status,
            class,
            message: words.to_owned(),
        });
        (answer, None, Some(words.to_owned()))
    }

    fn do_now(
        &mut self,
        heard: &Heard,
        request: &Request,
        plan: &Plan,
    ) -> (Answer, Option<String>, Option<String>) {
        let world = &mut self.world;
        if heard.on == On::Cancel {
            world.desk.bend(&world.wire.named(request), plan.fate);
        } else {
            world.desk.fate = plan.fate;
        }
        world.view = plan.view;
        let outcome = world.answer(request, heard.now, heard.connection);
        world.view = View::Now;
        world.desk.fate = Fate::default();
        (outcome.answer, outcome.order_id, outcome.error)
    }

    /// Does what is due: late placements, orders on their way, fills, cancellations.
    pub fn advance(&mut self, now: Moment) {
        while let Some(at) = self.late.iter().position(|late| late.due <= now.real) {
            let late = self.late.swap_remove(at);
            self.world.desk.fate = late.fate;
            let wire = self.world.wire;
            wire.accept_late(&mut self.world, &late.request, (now, late.connection));
            self.world.desk.fate = Fate::default();
        }
        self.world.desk.advance(&mut self.world.market, now);
    }

    /// Real nanoseconds of the venue's clock when [`Venue::advance`] or [`Venue::updates`] has something
    /// to do.
    pub fn next_due(&self) -> Option<u64> {
        let late = self.late.iter().map(|late| late.due).min();
        let held = self.held.as_ref().map(|(until, _)| *until);
        let desk = self.world.desk.next_due();
        [late, held, desk].into_iter().flatten().min()
    }

    /// Everything that happened, as values.
    pub fn truth(&self) -> Record {
        self.world.record()
    }

    /// Everything that happened, as `/sim/truth` shows it.
    pub fn truth_json(&self, now: Moment) -> Value {
        self.world.truth_json(now)
    }
}

impl std::fmt::Debug for Venue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Venue")
            .field("orders", &self.world.desk.orders.len())
            .field("faults", &self.world.faults.len())
            .finish_non_exhaustive()
    }
}

/// A request and where it came from.
struct Heard {
    connection: u64,
    on: On,
    tag: Option<String>,
    first_ns: u64,
    now: Moment,
}

/// What a gateway in front of the broker says; no JSON, as in life.
fn gateway(fault: Option<Fault>) -> Answer {
    let status = fault.map_or(502, |fault| fault.status);
    Answer {
        status,
        content_type: "text/html",
        location: None,
        body: format!("<html><body><h1>{status}</h1></body></html>").into_bytes(),
    }
}
