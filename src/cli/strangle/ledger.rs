//! What a run of batches knows of its orders, and what people are told of them.

use super::drive::Teller;
use crate::cli::run::console::budget;
use crate::cli::run::settle::{Left, Open};
use crate::control::batch::{Batches, End, Outcome, start_of_run};
use crate::hot::gateway::GatewayEvent;
use crate::journal::Entry;
use crate::model::{
    InstrumentIx, InstrumentTable, IntentId, MonoNanos, OrderState, Report, ReportSource, Tag,
};

/// The batches, and every order that has no end.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) batches: Batches,
    pub(super) table: InstrumentTable,
    /// Orders without an end, those of earlier runs of the day too.
    pub(super) open: Open,
    /// Intents that were being worked at the end.
    pub(super) abandoned: Vec<IntentId>,
    pub(super) login_ns: u64,
}

impl Ledger {
    /// Takes what became known of an order; `now` is the moment of the run.
    pub(super) fn take(&mut self, entry: Entry, now: MonoNanos, teller: &mut Teller) {
        // The gateway's clock began after the login; the run's did before it.
        let entry = self.shifted(entry);
        self.tell(&entry, teller);
        self.open.note(&entry);
        self.batches.take(&entry, now);
    }

    /// What the run came to. What has no end, whoever began it, is named, and the run is no success.
    pub(super) fn outcome(&self, now: MonoNanos) -> Outcome {
        let left = Left {
            open: &self.open,
            abandoned: &self.abandoned,
        };
        let outcome = self.batches.outcome(start_of_run(self.login_ns), now);
        outcome.leaving(left.words())
    }

    /// Tells what the gateway says.
    pub(super) fn hear(&mut self, event: &GatewayEvent, teller: &mut Teller) {
        match event {
            GatewayEvent::SessionDead => self.batches.stop(End::SessionDead),
            GatewayEvent::Unknown(tag) => teller.say(&format!(
                "  ALARM {} {tag}: no answer, asking the order book",
                leg_name(*tag)
            )),
            GatewayEvent::Contradiction(tag) => {
                teller.say(&format!("  ALARM {tag}: reports contradict each other"));
            }
            // Whoever dials sees to a connection, others' orders are theirs, and a strangle rehearses nothing.
            GatewayEvent::ConnectionLost
            | GatewayEvent::Foreign(_)
            | GatewayEvent::RehearsalsOver(_) => {}
            GatewayEvent::Imbalance(intent) => teller.say(&format!(
                "  ALARM the legs of intent {} differ and this is not being repaired: look at it now",
                intent.0
            )),
            GatewayEvent::NotSynced => {
                teller.say("  ALARM the disk did not confirm the journal: entries end");
            }
            GatewayEvent::State(state) => teller.say(&format!("  ALARM trading is {state}")),
            GatewayEvent::Runaway(_) => {
                teller.say("  ALARM too many orders or rejections: nothing more is opened");
            }
            GatewayEvent::JournalFull => teller.say(
                "  ALARM the journal cannot be written: entries end, exits leave without a record",
            ),
            GatewayEvent::Budget(urgency, full) => {
                teller.say(&format!("  {}", budget(*urgency, full)));
            }
            GatewayEvent::DailyLoss(result) => teller.say(&format!(
                "  ALARM the day's result is {result}: entries are over"
            )),
            GatewayEvent::NotFlat(_) => teller.say(
                "  ALARM a position is not closed: ask for it again, or close it at the broker",
            ),
            GatewayEvent::ExitUnknown(tag) => teller.say(&format!(
                "  ALARM {} {tag}: not known and the close is near: look at the order book now",
                leg_name(*tag)
            )),
            GatewayEvent::Outside(tag) => teller.say(&format!(
                "  ALARM order {tag} of an earlier run may work and its contract is none of this run: \
                 it is cancelled when its time is over or by tezi kill"
            )),
            GatewayEvent::Abandoned(intent) => {
                self.abandoned.push(*intent);
                teller.say(&format!(
                    "  ALARM intent {} was being worked at the end: the next start goes on with it",
                    intent.0
                ));
            }
        }
    }

    fn shifted(&self, entry: Entry) -> Entry {
        match entry {
            Entry::Report(mut report) => {
                report.received = report.received.plus(self.login_ns);
                Entry::Report(report)
            }
            other => other,
        }
    }

    fn tell(&self, entry: &Entry, teller: &mut Teller) {
        match entry {
            Entry::Admitted(order) => {
                let symbol = self.table.get(order.instrument);
                let whose = self.whose(order.intent.0);
                teller.say(&format!(
                    "  {whose}{} {} {} {} at {}  {}",
                    order.role.name(),
                    order.side,
                    order.qty,
                    symbol.map_or("?", |row| row.symbol.as_str()),
                    order.limit,
                    order.tag
                ));
            }
            Entry::Report(report) => {
                let why = match (report.denial, report.reject) {
                    (Some(denial), _) => format!(": {}", denial.name()),
                    (None, Some(class)) => format!(": {}", class.name()),
                    (None, None) => String::new(),
                };
                let intent = report.tag.intent_and_leg().map_or(0, |(intent, _)| intent);
                let name = format!("{}{}", self.whose(intent), leg_name(report.tag));
                let id = report.order_id.0;
                if report.source == ReportSource::Reply && id != 0 {
                    teller.say(&format!(
                        "  {name} reply: order id {id}, {}{why}",
                        report.state
                    ));
                } else if is_absence(report) {
                    teller.say(&format!(
                        "  {name} {} never arrived: order book and trades lack it; its place is free again",
                        report.tag
                    ));
                } else if report.state.is_terminal() {
                    // That an order is unknown the gateway's alarm has said.
                    let alarm = matches!(report.state, OrderState::Denied | OrderState::Rejected);
                    teller.say(&format!(
                        "  {}{name} {}{why}, {} filled at {}",
                        if alarm { "ALARM " } else { "" },
                        report.state,
                        report.filled,
                        report.average
                    ));
                }
            }
            Entry::Fill(fill) => {
                let intent = fill.tag.intent_and_leg().map_or(0, |(intent, _)| intent);
                if fill.instrument == InstrumentIx(0) && self.batches.number_of(intent).is_some() {
                    let lot = self.table.get(fill.instrument).map_or(1, |row| row.lot.0);
                    teller.filled(u64::from(fill.qty.0 / lot.max(1)));
                }
            }
            Entry::Ended(ended) => {
                let whose = self.whose(ended.intent.0);
                teller.say(&format!("  {whose}batch ended: {}", ended.how.name()));
            }
            Entry::Sending(_)
            | Entry::Amending(_)
            | Entry::Adopted(_)
            | Entry::Latch(_)
            | Entry::Checkpoint(_) => {}
        }
    }

    /// Says so when an intent is none of this run's batches: an earlier run of the day left it, or an operator asked.
    fn whose(&self, intent: u64) -> &'static str {
        match self.batches.number_of(intent) {
            Some(_) => "",
            None if IntentId(intent).is_operator() => "operator: ",
            None => "earlier run: ",
        }
    }
}

fn leg_name(tag: Tag) -> &'static str {
    match tag.intent_and_leg() {
        Some((_, 0)) => "CALL",
        Some((_, 1)) => "PUT",
        Some((_, 2)) => "CALL (closing)",
        Some((_, 3)) => "PUT (closing)",
        _ => "?",
    }
}

/// True for the report that ends an unknown order after the proof that it never existed.
fn is_absence(report: &Report) -> bool {
    report.state == OrderState::Rejected
        && report.source == ReportSource::Poll
        && report.order_id.0 == 0
        && report.reject.is_none()
}
