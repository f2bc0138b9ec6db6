//! News of the hot stages as lines a person can follow, or as JSON lines.

use super::names::Names;
use crate::control::dial::{Dialled, Want};
use crate::hot::decide::DecideEvent;
use crate::hot::evaluate::Skip;
use crate::hot::gateway::GatewayEvent;
use crate::journal::Entry;
use crate::model::time::clock_text;
use crate::model::{Action, Ending, OrderState, Price, StrategyIx};
use crate::rules::{Full, Urgency};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write;

/// Where lines go and how much is said.
pub(in crate::cli) struct Console<'a> {
    pub(in crate::cli) names: Names,
    pub(in crate::cli) out: &'a mut dyn Write,
    pub(in crate::cli) json: bool,
    pub(in crate::cli) bars: bool,
    pub(in crate::cli) quiet: bool,
    pub(in crate::cli) last_skip: Option<(StrategyIx, Action, Skip)>,
}

impl Console<'_> {
    /// Writes one line. A closed output ends nobody's trading: the line is lost, the engine goes on.
    pub(in crate::cli) fn line(&mut self, kind: &str, text: &str, value: &Value) {
        if self.json {
            let mut object = json!({ "event": kind });
            if let (Some(object), Some(fields)) = (object.as_object_mut(), value.as_object()) {
                object.extend(fields.clone());
            }
            writeln!(self.out, "{object}").ok();
        } else {
            writeln!(self.out, "{text}").ok();
        }
    }

    /// A plain remark.
    pub(in crate::cli) fn say(&mut self, text: &str) {
        self.line("note", text, &json!({ "text": text }));
    }

    pub(in crate::cli) fn decide(&mut self, event: &DecideEvent) {
        if self.quiet {
            return;
        }
        match event {
            DecideEvent::Bar {
                strategy,
                instrument,
                bar,
                conditions,
                ..
            } => {
                if !self.bars {
                    return;
                }
                let text = format!(
                    "{}–{}  bar     {:<18} O {} H {} L {} C {}  {}",
                    clock_text(bar.start),
                    clock_text(bar.end),
                    self.names.symbol(*instrument),
                    bar.open,
                    bar.high,
                    bar.low,
                    bar.close,
                    self.names.held(*strategy, *conditions),
                );
                let value = json!({
                    "instrument": self.names.symbol(*instrument),
                    "strategy": self.names.strategy(*strategy),
                    "start": bar.start.to_string(), "end": bar.end.to_string(),
                    "open": bar.open.rupees(), "high": bar.high.rupees(),
                    "low": bar.low.rupees(), "close": bar.close.rupees(),
                    "volume": bar.volume, "ticks": bar.ticks, "conditions": conditions,
                });
                self.line("bar", &text, &value);
            }
            DecideEvent::Intent(intent) => {
                self.last_skip = None;
                let signal = &intent.signal;
                let mut text = format!(
                    "{}        {:<7} {} at {}",
                    clock_text(signal.at),
                    signal.action.name(),
                    self.names.symbol(signal.instrument),
                    signal.price,
                );
                let mut legs = Vec::new();
                for leg in intent.legs() {
                    // Writing to a String cannot fail.
                    write!(
                        text,
                        "\n                 {:<4} {} {} {} limit {} (reference {})",
                        leg.role.name(),
                        leg.side,
                        leg.qty,
                        self.names.symbol(leg.instrument),
                        leg.limit,
                        leg.reference,
                    )
                    .ok();
                    legs.push(json!({
                        "role": leg.role.name(), "side": leg.side.name(), "qty": leg.qty.0,
                        "instrument": self.names.symbol(leg.instrument),
                        "limit": leg.limit.rupees(), "reference": leg.reference.rupees(),
                    }));
                }
                let value = json!({
                    "action": signal.action.name(), "intent": intent.id.0,
                    "strategy": self.names.strategy(signal.strategy),
                    "instrument": self.names.symbol(signal.instrument),
                    "price": signal.price.rupees(), "at": signal.at.to_string(), "legs": legs,
                });
                self.line("intent", &text, &value);
            }
            DecideEvent::Skipped(strategy, action, skip) => {
                // The same wish at every bar is news once.
                if self.last_skip.replace((*strategy, *action, *skip))
                    == Some((*strategy, *action, *skip))
                {
                    return;
                }
                let text = format!(
                    "             {} of {} not possible: {}",
                    action.name(),
                    self.names.strategy(*strategy),
                    skip.name()
                );
                let value = json!({ "action": action.name(), "reason": skip.name(),
                    "strategy": self.names.strategy(*strategy) });
                self.line("skipped", &text, &value);
            }
            DecideEvent::Grounds(_) => {}
            DecideEvent::BadBar(instrument) => {
                let symbol = self.names.symbol(*instrument).to_owned();
                let text = format!("             ALARM bar of {symbol} is not sound, left out");
                self.line("alarm", &text, &json!({ "instrument": symbol }));
            }
        }
    }

    pub(in crate::cli) fn record(&mut self, entry: &Entry) {
        if self.quiet {
            return;
        }
        match entry {
            Entry::Admitted(order) => {
                let text = format!(
                    "                 sent {} {} {} {}",
                    order.tag,
                    order.side,
                    order.qty,
                    self.names.symbol(order.instrument)
                );
                let value = json!({ "tag": order.tag.as_str(), "intent": order.intent.0,
                    "side": order.side.name(), "qty": order.qty.0,
                    "instrument": self.names.symbol(order.instrument),
                    "limit": order.limit.rupees() });
                self.line("sent", &text, &value);
            }
            Entry::Report(report) => {
                let why = match (report.denial, report.reject) {
                    (Some(denial), _) => format!(": {}", denial.name()),
                    (None, Some(class)) => format!(": {}", class.name()),
                    (None, None) => String::new(),
                };
                let loud = matches!(
                    report.state,
                    OrderState::Denied | OrderState::Rejected | OrderState::Unknown
                );
                let text = format!(
                    "                 {} {} {}{why}",
                    if loud { "ALARM" } else { "order" },
                    report.tag,
                    report.state.name()
                );
                let value = json!({ "tag": report.tag.as_str(), "state": report.state.name(),
                    "order_id": report.order_id.0.to_string(), "filled": report.filled.0,
                    "average": report.average.rupees(),
                    "denial": report.denial.map(crate::model::Denial::name),
                    "reject": report.reject.map(crate::model::RejectClass::name) });
                let is_news = loud || report.state == OrderState::Cancelled;
                if self.json || is_news {
                    self.line("order", &text, &value);
                }
            }
            Entry::Fill(fill) => {
                let text = format!(
                    "{}        fill    {} {} {} at {}  {}",
                    clock_text(fill.at),
                    fill.side,
                    fill.qty,
                    self.names.symbol(fill.instrument),
                    fill.price,
                    fill.tag
                );
                let value = json!({ "tag": fill.tag.as_str(), "side": fill.side.name(),
                    "qty": fill.qty.0, "price": fill.price.rupees(),
                    "instrument": self.names.symbol(fill.instrument), "at": fill.at.to_string() });
                self.line("fill", &text, &value);
            }
            Entry::Ended(ended) => {
                let text = format!("intent {} ended: {}", ended.intent.0, ended.how.name());
                let is_news =
                    matches!(ended.how, Ending::Held | Ending::Unwound | Ending::Reopened);
                let text = if is_news {
                    format!("ALARM {text}")
                } else {
                    text
                };
                if self.json || is_news {
                    let value = json!({ "intent": ended.intent.0, "how": ended.how.name(),
                        "filled": ended.filled.map(|qty| qty.0) });
                    self.line("ended", &text, &value);
                }
            }
            Entry::Latch(change) => {
                let text = format!(
                    "ALARM trading is {} ({})",
                    change.state,
                    change.cause.name()
                );
                let value = json!({ "state": change.state.name(), "cause": change.cause.name() });
                self.line("latch", &text, &value);
            }
            Entry::Amending(amend) => {
                let what = amend
                    .limit
                    .map_or_else(|| "cancel".to_owned(), |limit| format!("limit {limit}"));
                let text = format!("        amend   {what}  {}", amend.tag);
                let value = json!({ "tag": amend.tag.as_str(), "number": amend.number,
                    "limit": amend.limit.map(Price::rupees) });
                self.line("amend", &text, &value);
            }
            Entry::Adopted(fill) => {
                let text = format!(
                    "adopted {} {} {} at {}",
                    fill.side,
                    fill.qty,
                    self.names.symbol(fill.instrument),
                    fill.price
                );
                let value = json!({ "side": fill.side.name(), "qty": fill.qty.0,
                    "instrument": self.names.symbol(fill.instrument) });
                self.line("adopted", &text, &value);
            }
            Entry::Sending(_) | Entry::Checkpoint(_) => {}
        }
    }

    pub(in crate::cli) fn gateway(&mut self, event: &GatewayEvent) {
        let text = match event {
            GatewayEvent::ConnectionLost => {
                "an order connection left; another is being opened".to_owned()
            }
            GatewayEvent::SessionDead => {
                "ALARM session is dead: nothing more can be sent; log in again".to_owned()
            }
            GatewayEvent::Unknown(tag) => {
                format!("ALARM outcome of {tag} is not known; its leg is frozen")
            }
            GatewayEvent::Contradiction(tag) => format!("ALARM contradictory reports of {tag}"),
            GatewayEvent::Foreign(id) => format!("order {} is not ours; left alone", id.0),
            GatewayEvent::Imbalance(intent) => format!(
                "ALARM the legs of intent {} differ and this is not being repaired: look at it now",
                intent.0
            ),
            GatewayEvent::Runaway(strategy) => format!(
                "ALARM strategy {} ran away: too many orders or rejections; it opens nothing more",
                self.names.strategy(*strategy)
            ),
            GatewayEvent::NotSynced => {
                "ALARM the disk did not confirm the journal: entries end, exits go \
                 on; look at the disk, then resume"
                    .to_owned()
            }
            GatewayEvent::State(state) => format!("ALARM trading is {state}"),
            GatewayEvent::JournalFull => {
                "ALARM the journal cannot be written: entries end, exits leave \
                 without a record; look at the disk, then resume"
                    .to_owned()
            }
            GatewayEvent::Budget(urgency, full) => budget(*urgency, full),
            GatewayEvent::DailyLoss(result) => {
                format!("ALARM the day's result is {result}: entries are over")
            }
            GatewayEvent::NotFlat(instrument) => format!(
                "ALARM {} is not closed: ask for it again, or close it at the broker",
                self.names.symbol(*instrument)
            ),
            GatewayEvent::ExitUnknown(tag) => format!(
                "ALARM exit {tag} is not known and the close is near: look at the broker's order book now"
            ),
            GatewayEvent::RehearsalsOver(why) => format!(
                "orders are not rehearsed any more ({why}): one after a pause takes about twice as long; trading goes on"
            ),
            GatewayEvent::Outside(tag) => format!(
                "ALARM order {tag} of an earlier run may work and its contract is not in this configuration: \
                 it is cancelled when its time is over or by tezi kill, and not priced again"
            ),
            GatewayEvent::Abandoned(intent) => format!(
                "ALARM intent {} was being worked at the end of the run; the next start goes on with it",
                intent.0
            ),
        };
        self.line("gateway", &text, &json!({ "text": text }));
    }

    pub(in crate::cli) fn dialled(&mut self, news: &Dialled) {
        let what = |want: &Want| match want {
            Want::Feed(_) => "feed",
            Want::OrderConnection => "order connection",
        };
        match news {
            Dialled::Up(want, 1) => {
                let value = json!({ "what": what(want), "state": "up" });
                if self.json {
                    self.line("link", "", &value);
                }
            }
            Dialled::Up(want, attempts) => {
                let text = format!("{} is up after {attempts} attempts", what(want));
                self.line("link", &text, &json!({ "what": what(want), "state": "up" }));
            }
            Dialled::Failed(want, why, wait_ms) => {
                let text = format!("{} failed: {why}; next attempt in {wait_ms} ms", what(want));
                self.line(
                    "link",
                    &text,
                    &json!({ "what": what(want), "state": "failed", "why": why }),
                );
            }
            Dialled::BackupDead(why) => self.line(
                "alarm",
                &format!("ALARM the backup's session is dead, prices come from one broker: {why}"),
                &json!({ "why": why }),
            ),
            Dialled::SessionDead(why) => {
                self.line(
                    "alarm",
                    &format!("ALARM session is dead: {why}"),
                    &json!({ "why": why }),
                );
            }
        }
    }
}

/// A full window of the order budget, in words: which limit, how much of it is used, when there is room.
pub(in crate::cli) fn budget(urgency: Urgency, full: &Full) -> String {
    let window = full.period.name();
    let (used, cap, kept) = (full.used, full.cap, full.kept);
    let frees = full.frees_ns.map_or_else(
        || "there is no room before the next day".to_owned(),
        |ns| {
            let seconds = ns.div_ceil(1_000_000_000);
            format!(
                "there is room in {} min {:02} s",
                seconds / 60,
                seconds % 60
            )
        },
    );
    let what = match urgency {
        Urgency::Entry => format!("entries are denied, {kept} are kept for exits"),
        Urgency::Exit | Urgency::Protect | Urgency::Cancel => "an exit waits".to_owned(),
    };
    format!(
        "ALARM limits.orders_per_{window}: {used} of {cap} requests of the {window} are used: {what}; {frees}"
    )
}

/// Rupees with Indian digit grouping: `-1,23,456.50`.
pub(in crate::cli) fn rupees(money: crate::model::Money) -> String {
    let text = Price(money.0).to_string();
    let (sign, digits) = text
        .strip_prefix('-')
        .map_or(("", text.as_str()), |rest| ("-", rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "00"));
    let part = part.get(..2).unwrap_or(part);
    let split = whole.len().saturating_sub(3);
    let (head, tail) = whole.split_at(split);
    let mut grouped = String::new();
    for (at, digit) in head.chars().enumerate() {
        grouped.push(digit);
        if (head.len() - at) % 2 == 1 {
            grouped.push(',');
        }
    }
    format!("{sign}{grouped}{tail}.{part}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Money;
    use crate::rules::Period;

    #[test]
    fn a_full_window_is_told_with_its_limit_its_use_and_when_there_is_room() {
        let full = Full {
            period: Period::Hour,
            used: 634,
            cap: 950,
            kept: 317,
            frees_ns: Some(723_400_000_000),
        };
        assert_eq!(
            budget(Urgency::Entry, &full),
            "ALARM limits.orders_per_hour: 634 of 950 requests of the hour are used: entries are denied, 317 are \
             kept for exits; there is room in 12 min 04 s"
        );
        let over = Full {
            period: Period::Day,
            frees_ns: None,
            ..full
        };
        assert_eq!(
            budget(Urgency::Exit, &over),
            "ALARM limits.orders_per_day: 634 of 950 requests of the day are used: an exit waits; there is no room \
             before the next day"
        );
    }

    #[test]
    fn rupees_are_grouped_the_indian_way() {
        let shown = |text: &str| rupees(Money::parse(text.as_bytes()).expect("money"));
        assert_eq!(shown("0"), "0.00");
        assert_eq!(shown("999.5"), "999.50");
        assert_eq!(shown("-1234.56"), "-1,234.56");
        assert_eq!(shown("123456.789"), "1,23,456.78");
        assert_eq!(shown("12345678"), "1,23,45,678.00");
    }
}
