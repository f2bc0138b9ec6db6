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

use super::account::{Account, Meter};
use super::clock::Clock;
use super::desk::{Desk, Moment, View};
use super::faults::{Fault, Faults, Kind, Occasion, On};
use super::http::{self, Answer, Parsed, Request};
use super::intake::{Class, Refusal};
use super::market::Market;
use super::order::Fate;
use super::record::{FaultTruth, Record};
use super::settings::{Limits, Origin, Settings};
use super::state::World;
use super::stream::Stream;
use super::truth::{Arrival, Truth};
use crate::model::Price;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const MS: u64 = 1_000_000;

/// What reaches a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The connection is reset.
    Reset,
    /// The venue closes its half.
    HalfClose,
    /// Nothing, ever.
    Nothing,
    /// Every connection is reset, order updates included.
    Restart,
}

/// Something for one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Real nanoseconds of the venue's clock it is due at.
    pub at: u64,
    /// The connection.
    pub connection: u64,
    /// What it is.
    pub what: What,
}

/// An order message for every ticker connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// Real nanoseconds of the venue's clock it is due at.
    pub at: u64,
    /// The JSON text.
    pub text: String,
}

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

    /// Draws the faults of an occasion and notes them.
    fn strike(
        &mut self,
        on: On,
        tag: Option<&str>,
        symbol: Option<&str>,
        now: Moment,
    ) -> Vec<Fault> {
        if self.faults.is_empty() {
            return Vec::new();
        }
        let first = *self.first.get_or_insert(now.real);
        let faults = self.faults.draw(&Occasion {
            on,
            tag,
            symbol,
            at_ms: now.real.saturating_sub(first) / MS,
        });
        for fault in &faults {
            let truth = FaultTruth {
                kind: fault.kind,
                on,
                tag: tag.map(str::to_owned),
                market: now.market,
            };
            let row = truth.json(self.world.faults.len());
            self.world.truth.line("fault", &row);
            self.world.faults.push(truth);
        }
        faults
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

    /// Does what a fault does before the request, and plans what it does to the reply.
    fn prepare(&mut self, fault: &Fault, plan: &mut Plan, heard: &Heard, symbol: Option<&str>) {
        let (after, until) = (fault.after_ms * MS, heard.now.real + fault.for_ms * MS);
        let wait = Some(after).filter(|ns| *ns > 0);
        match fault.kind {
            Kind::Lost => plan.ending = Ending::Lost,
            Kind::Silent => (plan.ending, plan.refused) = (Ending::Lost, true),
            Kind::Reset => (plan.ending, plan.refused) = (Ending::Reset, !fault.accepted),
            Kind::HalfClose => (plan.ending, plan.refused) = (Ending::HalfClose, !fault.accepted),
            Kind::Cut => plan.ending = Ending::Cut,
            Kind::Slow => plan.wait += after,
            Kind::LateAccept => plan.late = Some(after),
            Kind::ServerError => {
                plan.broken = Some(*fault);
                if fault.for_ms > 0 {
                    (self.broken, self.broken_until) = (Some(*fault), until);
                }
            }
            Kind::Throttle => {
                self.throttled_until = self.throttled_until.max(until);
                plan.throttled = true;
            }
            Kind::Expire => self.world.account.expire(),
            Kind::Empty => plan.view = View::Empty,
            Kind::Stale => plan.view = View::AsOf(heard.now.real.saturating_sub(after)),
            Kind::Restart => {
                plan.restarts = true;
                self.away_until = until;
                self.mute.clear();
                self.queued.clear();
                if !fault.memory {
                    let end = if after == 0 { u64::MAX } else { until + after };
                    self.world.desk.forget(end);
                }
            }
            Kind::Foreign | Kind::Twin => self.intrude(fault.kind, symbol, heard.now),
            Kind::Partial => {
                (plan.fate.share, plan.fate.released_after_ns) = (Some(fault.share), wait);
            }
            Kind::Rest => (plan.fate.rests, plan.fate.released_after_ns) = (true, wait),
            Kind::FillAfterCancel => plan.fate.late_fill = Some((fault.share, after)),
            Kind::RejectAfterAccept => plan.fate.refused_after_ns = Some(after),
            Kind::Freeze => {
                plan.fate.refused = Some((
                    "Quantity exceeds the freeze quantity of the exchange.",
                    "17146 : Order quantity freeze",
                ));
            }
            Kind::Band => {
                plan.fate.refused = Some((
                    "Your order price is outside the current price protection range.",
                    "RMS:Rule: Check circuit limit including square off order exceeds",
                ));
            }
            Kind::Margin => {
                plan.fate.refused = Some((
                    "Insufficient funds. Required margin is 100000.00 but available margin is 0.00.",
                    "RMS:Margin Exceeds,Required:100000.00, Available:0.00",
                ));
            }
            Kind::Lose | Kind::Double | Kind::Late | Kind::Swap => {}
        }
    }

    fn intrude(&mut self, kind: Kind, symbol: Option<&str>, now: Moment) {
        let market = &self.world.market;
        let named = symbol.and_then(|symbol| market.rows.iter().position(|r| r.symbol == symbol));
        let Some(at) = named.or_else(|| {
            market
                .rows
                .iter()
                .position(crate::model::Instrument::is_tradable)
        }) else {
            return;
        };
        // The same account and day, an intent nobody has counted to.
        let tag = (kind == Kind::Twin).then(|| {
            let sample = self.sample.as_deref().and_then(|tag| tag.get(..10));
            format!("{}ZZZZ900000", sample.unwrap_or("TZ00000000"))
        });
        self.world.desk.intrude(tag, at, market, now);
    }

    /// Adds what an earlier fault still does.
    fn standing(&self, on: On, now: Moment, plan: &mut Plan) {
        if on.is_order() && now.real < self.throttled_until {
            plan.throttled = true;
        }
        if on.is_order() && now.real < self.broken_until && plan.broken.is_none() {
            plan.broken = self.broken;
        }
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

    fn deliver(
        &mut self,
        connection: u64,
        at: u64,
        ending: &Ending,
        answer: &Answer,
        keep_alive: bool,
    ) -> Vec<Delivery> {
        match ending {
            Ending::Whole => {
                let bytes = answer.bytes(keep_alive);
                vec![self.due(connection, at, What::Bytes(bytes))]
            }
            Ending::Lost => {
                self.mute.push(connection);
                vec![self.due(connection, at, What::Nothing)]
            }
            Ending::Reset => vec![self.due(connection, at, What::Reset)],
            Ending::HalfClose => {
                self.mute.push(connection);
                vec![self.due(connection, at, What::HalfClose)]
            }
            Ending::Cut => {
                let mut bytes = answer.bytes(keep_alive);
                bytes.truncate(bytes.len() / 2);
                vec![
                    self.due(connection, at, What::Bytes(bytes)),
                    self.due(connection, at, What::Reset),
                ]
            }
        }
    }

    /// A delivery no earlier than the one before on the same connection.
    fn due(&mut self, connection: u64, at: u64, what: What) -> Delivery {
        let last = self.queued.entry(connection).or_insert(0);
        *last = at.max(*last);
        Delivery {
            at: *last,
            connection,
            what,
        }
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

    /// The order messages that have come up, each with its due time.
    pub fn updates(&mut self, now: Moment) -> Vec<Update> {
        let mut out = Vec::new();
        if let Some((until, text)) = self.held.take_if(|(until, _)| *until <= now.real) {
            out.push(Update { at: until, text });
        }
        for notice in std::mem::take(&mut self.world.desk.outbox) {
            let Some(message) = self.world.wire.order_message(&self.world, &notice) else {
                continue;
            };
            let terms = &notice.order.terms;
            let symbol = self.world.market.rows[terms.instrument].symbol.clone();
            let faults = self.strike(On::Update, terms.tag.as_deref(), Some(&symbol), now);
            self.world
                .truth
                .line("message", message.get("data").unwrap_or(&message));
            self.tell(message.to_string(), &faults, now, &mut out);
        }
        out
    }

    fn tell(&mut self, text: String, faults: &[Fault], now: Moment, out: &mut Vec<Update>) {
        let (mut copies, mut at, mut swap) = (1, now.real, None);
        for fault in faults {
            match fault.kind {
                Kind::Lose => copies = 0,
                Kind::Double => copies *= 2,
                Kind::Late => at += fault.after_ms * MS,
                Kind::Swap => swap = Some(now.real + fault.after_ms.max(1) * MS),
                _ => {}
            }
        }
        if let Some(until) = swap.filter(|_| copies > 0 && self.held.is_none()) {
            self.held = Some((until, text));
            return;
        }
        for _ in 0..copies {
            out.push(Update {
                at,
                text: text.clone(),
            });
        }
        if let Some((_, text)) = self.held.take_if(|_| copies > 0) {
            out.push(Update { at, text });
        }
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

/// How a reply ends.
#[derive(Default)]
enum Ending {
    #[default]
    Whole,
    Lost,
    Reset,
    HalfClose,
    Cut,
}

/// What the faults of one request come to.
#[derive(Default)]
struct Plan {
    ending: Ending,
    /// Not done.
    refused: bool,
    throttled: bool,
    restarts: bool,
    broken: Option<Fault>,
    late: Option<u64>,
    wait: u64,
    view: View,
    fate: Fate,
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
