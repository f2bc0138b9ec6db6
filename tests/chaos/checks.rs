//! What the venue recorded of a day, held against what must never happen. The engine's own account is used for two
//! things only: what it had journalled, and which alarms a person has read.
//!
//! Late fills: a venue that fills an order after it called it cancelled takes back its own evidence. An order lives
//! until the venue first calls it over.

use super::processes::{events, text};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tezi::journal::{Entry, Record};
use tezi::model::{OrderState, ReportSource, Tag};

/// A day, as the venue, the disk and the people at the console have it.
pub(crate) struct Day<'a> {
    /// `/sim/truth`.
    pub(crate) truth: &'a Value,
    /// Every record of every run.
    pub(crate) records: &'a [Record],
    /// Every line of every run.
    pub(crate) said: &'a [Value],
}

/// An order of ours at the venue.
struct Row {
    tag: Tag,
    begin: u64,
    end: u64,
}

/// When an order was entered, when it was over, and which it is.
type Life = (u64, u64, Tag);

fn rows<'a>(truth: &'a Value, key: &str) -> &'a [Value] {
    truth[key].as_array().map_or(&[], Vec::as_slice)
}

const FINAL: [&str; 3] = ["COMPLETE", "CANCELLED", "REJECTED"];

/// Orders that are not over at the venue.
pub(crate) fn open_orders(truth: &Value) -> usize {
    let all = rows(truth, "orders").iter();
    all.filter(|row| !FINAL.contains(&text(&row["status"])))
        .count()
}

/// What is held by contract, flat ones left out.
pub(crate) fn held(truth: &Value) -> BTreeMap<String, i64> {
    let rows = rows(truth, "positions").iter().map(|row| {
        let units = row["quantity"].as_i64().expect("units");
        (text(&row["tradingsymbol"]).to_owned(), units)
    });
    rows.filter(|(_, units)| *units != 0).collect()
}

/// Tags whose outcome nobody can say, by the last word of the journal.
pub(crate) fn unknown(records: &[Record]) -> BTreeSet<Tag> {
    let mut last = BTreeMap::new();
    for record in records {
        match record.entry {
            Entry::Sending(tag) => drop(last.insert(tag, OrderState::Unknown)),
            Entry::Report(report) => drop(last.insert(report.tag, report.state)),
            _ => {}
        }
    }
    last.retain(|_, state| *state == OrderState::Unknown);
    last.into_keys().collect()
}

/// Tags that were unknown at some time, and those of which absence was proved.
pub(crate) fn unknowns_and_absences(records: &[Record]) -> (usize, usize) {
    let (mut unknown, mut absent) = (BTreeSet::new(), BTreeSet::new());
    for record in records {
        let Entry::Report(report) = record.entry else {
            continue;
        };
        if report.state == OrderState::Unknown {
            unknown.insert(report.tag);
        }
        let is_proof = report.state == OrderState::Rejected
            && report.source == ReportSource::Poll
            && report.order_id.0 == 0
            && report.reject.is_none();
        if is_proof {
            absent.insert(report.tag);
        }
    }
    (unknown.len(), absent.len())
}

impl Day<'_> {
    /// Everything that is wrong with the day; empty when every promise was kept.
    pub(crate) fn violations(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.no_tag_twice(&mut found);
        self.one_live_order(&mut found);
        self.nothing_unjournaled(&mut found);
        self.no_more_than_asked(&mut found);
        self.legs_together(&mut found);
        let open = open_orders(self.truth);
        if open > 0 {
            found.push(format!("{open} orders are open at the end"));
        }
        found
    }

    fn ours(&self) -> Vec<Row> {
        let mut found = Vec::new();
        for row in rows(self.truth, "orders") {
            let Some(tag) = Tag::parse(text(&row["tag"]).as_bytes()) else {
                continue;
            };
            let steps = row["steps"].as_array().expect("steps");
            let at = |step: &Value| step[0].as_u64().expect("a time");
            let end = steps.iter().find(|step| FINAL.contains(&text(&step[1])));
            found.push(Row {
                tag,
                begin: steps.first().map_or(0, at),
                end: end.map_or(u64::MAX, at),
            });
        }
        found
    }

    fn no_tag_twice(&self, found: &mut Vec<String>) {
        let mut entered = BTreeSet::new();
        for row in self.ours() {
            if !entered.insert(row.tag) {
                found.push(format!("{} is at the venue twice", row.tag));
            }
        }
        let mut sent = BTreeSet::new();
        for row in rows(self.truth, "requests") {
            let is_order = row["method"] == "POST" && text(&row["path"]).starts_with("/orders");
            if is_order && !sent.insert(text(&row["tag"])) {
                found.push(format!("{} was sent twice", row["tag"]));
            }
        }
    }

    /// By the venue's clock: an order of a leg is entered only after the one before it is over.
    fn one_live_order(&self, found: &mut Vec<String>) {
        let mut legs: BTreeMap<(u64, u8), Vec<Life>> = BTreeMap::new();
        for row in self.ours() {
            let leg = row.tag.intent_and_leg().expect("a tag of ours");
            let lives = legs.entry(leg).or_default();
            lives.push((row.begin, row.end, row.tag));
        }
        for lives in legs.values_mut() {
            lives.sort_unstable();
            for two in lives.windows(2) {
                let ((_, end, first), (begin, _, second)) = (two[0], two[1]);
                if begin < end {
                    let words = format!("{second} entered at {begin}, {first} lived until {end}");
                    found.push(words);
                }
            }
        }
    }

    fn nothing_unjournaled(&self, found: &mut Vec<String>) {
        let journalled: BTreeSet<Tag> = self
            .records
            .iter()
            .filter_map(|record| match record.entry {
                Entry::Admitted(order) => Some(order.tag),
                _ => None,
            })
            .collect();
        for row in self.ours() {
            if !journalled.contains(&row.tag) {
                found.push(format!("{} is not in the journal", row.tag));
            }
        }
    }

    /// What each leg asked for at first: its first order.
    fn asked(&self) -> BTreeMap<(u64, u8), u64> {
        let mut asked = BTreeMap::new();
        for record in self.records {
            if let Entry::Admitted(order) = record.entry
                && let Some(leg) = order.tag.intent_and_leg()
            {
                asked.entry(leg).or_insert(u64::from(order.qty.0));
            }
        }
        asked
    }

    fn filled(&self) -> BTreeMap<(u64, u8), (u64, u64)> {
        let mut filled: BTreeMap<_, (u64, u64)> = BTreeMap::new();
        for row in rows(self.truth, "orders") {
            let tag = Tag::parse(text(&row["tag"]).as_bytes());
            let Some(leg) = tag.and_then(|tag| tag.intent_and_leg()) else {
                continue;
            };
            let units = row["filled_quantity"].as_u64().expect("units");
            let steps = row["steps"].as_array().expect("steps");
            let end = steps.iter().find(|step| FINAL.contains(&text(&step[1])));
            let at_end = end.and_then(|step| step[2].as_u64()).unwrap_or(units);
            let sum = filled.entry(leg).or_default();
            sum.0 += units;
            sum.1 += units.saturating_sub(at_end);
        }
        filled
    }

    fn no_more_than_asked(&self, found: &mut Vec<String>) {
        let (asked, filled) = (self.asked(), self.filled());
        for (leg @ (intent, number), (units, late)) in &filled {
            let most = match number {
                0 | 1 => asked.get(leg).copied(),
                _ => filled.get(&(*intent, number - 2)).map(|(units, _)| *units),
            };
            if most.is_none_or(|most| *units > most + late) {
                found.push(format!(
                    "intent {intent} leg {number}: {units} filled of {most:?}, {late} late"
                ));
            }
        }
    }

    /// Intents a person was told to look at.
    fn alarmed(&self) -> BTreeSet<u64> {
        let mut told = BTreeSet::new();
        for line in self.said {
            let is_end =
                line["event"] == "ended" && matches!(text(&line["how"]), "held" | "reopened");
            if is_end {
                told.extend(line["intent"].as_u64());
            }
            let words = text(&line["text"]);
            if line["event"] == "gateway" && words.starts_with("ALARM") {
                let number = words.split("intent ").nth(1);
                let number = number.and_then(|rest| rest.split(' ').next());
                told.extend(number.and_then(|number| number.parse::<u64>().ok()));
            }
        }
        told
    }

    /// Strikes with an order of which a person was told that nobody knows its outcome.
    fn frozen(&self) -> BTreeSet<String> {
        // The venue may never have seen such an order; others in its contract say what its number stands for.
        let symbols: BTreeMap<&str, &str> = rows(self.truth, "orders")
            .iter()
            .map(|row| (text(&row["tag"]), text(&row["tradingsymbol"])))
            .collect();
        let mut contracts = BTreeMap::new();
        let mut instruments = BTreeMap::new();
        for record in self.records {
            if let Entry::Admitted(order) = record.entry {
                instruments.insert(order.tag, order.instrument);
                if let Some(symbol) = symbols.get(order.tag.as_str()) {
                    contracts.insert(order.instrument, *symbol);
                }
            }
        }
        let told = events(self.said, "gateway").into_iter();
        let strikes = told.filter_map(|line| {
            let words = text(&line["text"]);
            let tag = words.split("ALARM outcome of ").nth(1)?.split(' ').next()?;
            let tag = Tag::parse(tag.as_bytes())?;
            let symbol = contracts.get(instruments.get(&tag)?)?;
            Some(strike_of(symbol).to_owned())
        });
        strikes.collect()
    }

    /// A CALL and a PUT of one strike are each other's opposite: at the end, and at any time before but for a while.
    fn legs_together(&self, found: &mut Vec<String>) {
        let (alarmed, frozen) = (self.alarmed(), self.frozen());
        for alone in self.alone() {
            let is_told = !alone.intents.is_disjoint(&alarmed);
            // A leg that waits for evidence is said to be frozen; one that stays alone needs to be told as such.
            let is_frozen = alone.for_ns != FOR_GOOD && frozen.contains(&alone.strike);
            if alone.for_ns > ALONE_NS && !is_told && !is_frozen {
                found.push(format!(
                    "{}: {} units of one leg for {:.1} s, intents {:?}, and nobody was told",
                    alone.strike,
                    alone.units,
                    Duration::from_nanos(alone.for_ns).as_secs_f64(),
                    alone.intents
                ));
            }
        }
    }

    /// Longest time in seconds that a leg was alone.
    pub(crate) fn longest_alone(&self) -> f64 {
        let alone = self.alone();
        let ended = alone.iter().map(|alone| alone.for_ns);
        let longest = ended.filter(|for_ns| *for_ns < FOR_GOOD).max();
        Duration::from_nanos(longest.unwrap_or(0)).as_secs_f64()
    }

    /// Every stretch of time in which the fills of a strike do not add up to none.
    fn alone(&self) -> Vec<Alone> {
        // By strike: when, units, intent.
        let mut strikes: BTreeMap<&str, Vec<(u64, i64, u64)>> = BTreeMap::new();
        for row in rows(self.truth, "orders") {
            let tag = Tag::parse(text(&row["tag"]).as_bytes());
            let Some((intent, _)) = tag.and_then(|tag| tag.intent_and_leg()) else {
                continue;
            };
            let strike = strike_of(text(&row["tradingsymbol"]));
            let sign = if row["transaction_type"] == "BUY" {
                1
            } else {
                -1
            };
            let mut before = 0;
            for step in row["steps"].as_array().expect("steps") {
                let at = step[0].as_u64().expect("a time");
                let filled = step[2].as_i64().expect("units");
                let fills = strikes.entry(strike).or_default();
                fills.push((at, sign * (filled - before), intent));
                before = filled;
            }
        }
        let mut found = Vec::new();
        for (strike, mut fills) in strikes {
            fills.sort_unstable();
            let (mut sum, mut since, mut intents) = (0_i64, 0, BTreeSet::new());
            let mut end = |sum: i64, since: u64, until: u64, intents: &BTreeSet<u64>| {
                if sum != 0 {
                    found.push(Alone {
                        strike: strike.to_owned(),
                        units: sum,
                        for_ns: if until == FOR_GOOD {
                            until
                        } else {
                            until - since
                        },
                        intents: intents.clone(),
                    });
                }
            };
            for (at, units, intent) in fills {
                let before = sum;
                sum += units;
                if before == 0 && sum != 0 {
                    (since, intents) = (at, BTreeSet::new());
                }
                intents.insert(intent);
                if before != 0 && sum == 0 {
                    end(before, since, at, &intents);
                }
            }
            // What is alone at the end is so for good.
            end(sum, since, FOR_GOOD, &intents);
        }
        found
    }

    /// Intents of which something was sent and whose end is not in the journal.
    pub(crate) fn endless(&self) -> BTreeSet<u64> {
        let mut open = BTreeSet::new();
        for record in self.records {
            match record.entry {
                Entry::Sending(tag) => open.extend(tag.intent_and_leg().map(|(intent, _)| intent)),
                Entry::Ended(ended) => drop(open.remove(&ended.intent.0)),
                _ => {}
            }
        }
        open
    }
}

/// A contract without CE or PE.
fn strike_of(symbol: &str) -> &str {
    symbol
        .get(..symbol.len().saturating_sub(2))
        .unwrap_or_default()
}

/// A stretch of time in which one leg of a strike was alone.
struct Alone {
    strike: String,
    units: i64,
    for_ns: u64,
    intents: BTreeSet<u64>,
}

/// Until the end of the day.
const FOR_GOOD: u64 = u64::MAX;
/// A leg may be alone so long without an alarm: a proof of absence takes at least 15 s, and a run that is killed
/// starts again and asks anew.
const ALONE_NS: u64 = 45_000_000_000;
