//! The inquirer at work: told what the gateway tells, its reads sent over the network, its findings handed back.

use super::ground::BROKER;
use super::network::Wire;
use super::reader::{Read, Reader, forget_tags};
use crate::book::OrderRecord;
use crate::control::inquire::{Ask, Books, Finding, Inquirer, Notice, Settings, Shape, Unread};
use crate::journal::Entry;
use crate::model::{Command, MonoNanos, OrderId, OrderState, Tag, Token, WallNanos};
use crate::venue::{ApiFault, Auth, Endpoint, JsonScratch};
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// How long an order that ended unfilled is still looked at.
const LINGER_NS: u64 = 30_000_000_000;

/// Asks the venue about what nobody can speak for.
#[derive(Debug)]
pub(super) struct Inquiry {
    inquirer: Inquirer,
    reader: Reader,
    asked: Option<(Ask, MonoNanos)>,
    json: JsonScratch,
    shapes: BTreeMap<Tag, (Shape, MonoNanos)>,
    findings: Vec<Finding>,
    /// Orders that ended unfilled, and until when they are looked at.
    lingering: VecDeque<(MonoNanos, Tag)>,
    /// What people were told.
    pub(super) notices: Vec<Notice>,
    endpoint: Endpoint,
    auth: Auth,
    /// False for a wire whose rows carry no tags.
    echoes_tags: bool,
}

impl Inquiry {
    pub(super) fn new(
        settings: Settings,
        wire: &Arc<Mutex<Wire>>,
        (endpoint, auth): (&Endpoint, &Auth),
    ) -> Self {
        Self {
            echoes_tags: settings.echoes_tags,
            inquirer: Inquirer::new(settings),
            reader: Reader::new(Arc::clone(wire)),
            asked: None,
            json: JsonScratch::new(),
            shapes: BTreeMap::new(),
            findings: Vec::new(),
            lingering: VecDeque::new(),
            notices: Vec::new(),
            endpoint: endpoint.clone(),
            auth: auth.clone(),
        }
    }

    /// Learns what the gateway told control; `token` is the broker's number of an order's instrument.
    pub(super) fn learn(&mut self, entry: &Entry, token: Token, now: (MonoNanos, WallNanos)) {
        match entry {
            Entry::Admitted(order) => {
                let shape = Shape {
                    token,
                    side: order.side,
                    qty: order.qty,
                    limit: order.limit,
                    sent: now.1,
                };
                self.shapes.insert(order.tag, (shape, now.0));
            }
            Entry::Report(report) => {
                let tag = report.tag;
                self.inquirer.owned(tag, report.order_id);
                if report.state == OrderState::Unknown {
                    self.unknown(tag, now.0);
                } else if report.state.is_terminal() {
                    self.inquirer.known(tag);
                    // A fill may follow a cancellation, and a refused order may turn out to live.
                    if report.state == OrderState::Filled {
                        self.inquirer.over(tag);
                    } else if report.state != OrderState::Denied {
                        self.lingering.push_back((now.0.plus(LINGER_NS), tag));
                    }
                } else if report.order_id != OrderId(0) {
                    self.inquirer.known(tag);
                    self.inquirer.working(tag);
                }
            }
            _ => {}
        }
    }

    /// Takes an order of an earlier life: its last byte left before this one began.
    pub(super) fn carry(
        &mut self,
        record: &OrderRecord,
        token: Token,
        now: (MonoNanos, WallNanos),
    ) {
        let tag = record.order.tag;
        self.learn(&Entry::Admitted(record.order), token, now);
        if let Some((shape, _)) = self.shapes.get_mut(&tag) {
            shape.sent = WallNanos(0);
        }
        self.inquirer.owned(tag, record.order_id);
        match record.state {
            OrderState::Unknown | OrderState::Sending => self.unknown(tag, now.0),
            OrderState::Acknowledged | OrderState::Open => self.inquirer.working(tag),
            _ => {}
        }
    }

    /// Nobody can speak for an order; its last byte left when it was sent, now at the latest.
    pub(super) fn unknown(&mut self, tag: Tag, now: MonoNanos) {
        let known = self.shapes.get(&tag).copied();
        let last_byte = known.map_or(now, |(_, sent)| sent);
        self.inquirer.unknown(tag, last_byte, now);
        if let Some((shape, _)) = known {
            self.inquirer.shape(tag, shape);
        }
    }

    /// Orders nobody can speak for yet.
    pub(super) fn open(&self) -> usize {
        self.inquirer.open()
    }

    /// Sends a read that is due, takes an answer that came. Returns what the gateway must hear, and true when
    /// the session is dead.
    pub(super) fn step(&mut self, real: u64, now: MonoNanos) -> (Vec<Command>, bool) {
        while let Some((_, tag)) = self.lingering.front().copied().filter(|(at, _)| *at <= now) {
            self.lingering.pop_front();
            self.inquirer.over(tag);
        }
        if !self.reader.is_busy()
            && let Some(ask) = self.inquirer.next(now)
        {
            let request = match ask {
                Ask::Orders => BROKER.orders_request(&self.auth),
                Ask::Trades => BROKER.trades_request(&self.auth),
            };
            self.asked = Some((ask, now));
            self.reader.ask(&request, &self.endpoint, real);
        }
        let (Some(read), Some((ask, begun))) = (self.reader.poll(real), self.asked) else {
            return (Vec::new(), false);
        };
        self.asked = None;
        let mut is_dead = false;
        let mut note = |fault: &ApiFault| is_dead |= matches!(fault, ApiFault::Session { .. });
        let (mut orders, mut trades) = (None, None);
        if let Read::Answer(status, mut body) = read {
            match ask {
                Ask::Orders => {
                    let rows = BROKER.parse_orders(status, &mut body, &mut self.json);
                    orders = rows.inspect_err(&mut note).ok();
                    if let (Some(rows), false) = (&mut orders, self.echoes_tags) {
                        forget_tags(rows);
                    }
                }
                Ask::Trades => {
                    let rows = BROKER.parse_trades(status, &mut body, &mut self.json);
                    trades = rows.inspect_err(&mut note).ok();
                }
            }
        }
        let found = match (&orders, &trades) {
            (Some(rows), _) => Ok(Books::Orders(rows)),
            (_, Some(rows)) => Ok(Books::Trades(rows)),
            (None, None) => Err(Unread),
        };
        self.inquirer
            .answer(ask, begun, found, now, &mut self.findings);
        let mut commands = Vec::new();
        for finding in self.findings.drain(..) {
            match finding {
                Finding::Command(command) => commands.push(command),
                Finding::Notice(notice) => self.notices.push(notice),
            }
        }
        (commands, is_dead)
    }
}
