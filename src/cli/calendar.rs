//! `tezi calendar`: when each segment trades on a day, by which rule, and what changes when.

use super::Failure;
use super::venue::day as day_of;
use crate::config::{Change, DayKind, DayPlan, MarketRules};
use crate::model::time::clock_text;
use crate::model::{Day, Exchange, Session};
use crate::runtime::{Clock, MarketTime};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  tezi calendar                       today: sessions, what surrounds them, the next days without one
  tezi calendar 2024-03-02            a drill day with a break in it
  tezi calendar 2026-08-01 --changes  every dated rule from that day on, with the circular behind it
  tezi calendar --json | jq '.segments[] | select(.exchange == \"NFO\").windows'

Without --changes the day is shown; with it, every row that begins on the day or later (without a DATE: from
1 January of this year). A day the rules do not know says so: nothing is traded on it, and the file to extend is
named. Times are India's.";

/// Shows the trading calendar: sessions, holidays, special days and what changes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The day, YYYY-MM-DD [default: today in India].
    #[arg(value_name = "DATE", value_parser = day_of)]
    day: Option<Day>,
    /// Every dated rule from the day on.
    #[arg(long)]
    changes: bool,
    /// Market rules instead of the ones shipped.
    #[arg(long, value_name = "FILE")]
    market: Option<PathBuf>,
    /// JSON on stdout.
    #[arg(long)]
    json: bool,
}

/// Segments in the order they are shown.
const SEGMENTS: [Exchange; 7] = [
    Exchange::Nfo,
    Exchange::Bfo,
    Exchange::Nse,
    Exchange::Bse,
    Exchange::Cds,
    Exchange::Bcd,
    Exchange::Mcx,
];
/// Days looked ahead for holidays and special sessions.
const AHEAD: i32 = 45;

/// Runs the verb.
///
/// # Errors
///
/// [`Failure`] when the rules cannot be read.
pub fn run(args: &Args) -> Result<(), Failure> {
    let rules = super::venue::rules(args.market.as_deref())?;
    let today = Clock::start(&MarketTime::Real).now().wall.day();
    let text = if args.changes {
        let first = Day::from_ymd(today.date().year(), 1, 1).unwrap_or(today);
        let since = args.day.unwrap_or(first);
        let changes = rules.changes(since);
        if args.json {
            format!("{:#}\n", changes_json(since, &changes))
        } else {
            changes_text(since, &changes)
        }
    } else {
        let day = args.day.unwrap_or(today);
        if args.json {
            format!("{:#}\n", day_json(&rules, day))
        } else {
            day_text(&rules, day)
        }
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

/// `09:15-10:00 11:30-12:30`.
fn windows(session: &Session) -> String {
    let one = |window: crate::model::Window| {
        format!("{}-{}", clock_text(window.open), clock_text(window.close))
    };
    session.windows().map(one).collect::<Vec<_>>().join(" ")
}

fn weekday(day: Day) -> &'static str {
    const NAMES: [&str; 7] = [
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
    ];
    usize::try_from(day.weekday() - 1)
        .ok()
        .and_then(|at| NAMES.get(at).copied())
        .unwrap_or("")
}

/// Why a plan has no session, or its windows.
fn hours(plan: &DayPlan<'_>) -> String {
    plan.session
        .as_ref()
        .map_or_else(|| format!("closed: {}", plan.kind.name()), windows)
}

/// The days ahead on which a segment does not trade as on an ordinary weekday.
fn exceptions(rules: &MarketRules, exchange: Exchange, day: Day) -> Vec<(Day, DayPlan<'_>)> {
    let ahead = (1..=AHEAD).map(|days| day.plus(days));
    let plans = ahead.map(|day| (day, rules.plan(exchange, "", day)));
    let is_exception =
        |(_, plan): &(Day, DayPlan<'_>)| !matches!(plan.kind, DayKind::Ordinary | DayKind::Weekend);
    plans.filter(is_exception).collect()
}

fn day_text(rules: &MarketRules, day: Day) -> String {
    let mut lines = vec![format!("{day} {}, rules of {}", weekday(day), rules.file())];
    for exchange in SEGMENTS {
        lines.push(String::new());
        segment_lines(rules, exchange, day, &mut lines);
    }
    lines.extend([String::new(), "ahead".to_owned()]);
    for exchange in [Exchange::Nfo, Exchange::Mcx] {
        let line = |(day, plan): &(Day, DayPlan<'_>)| {
            format!(
                "  {day} {:<9} {exchange}  {}  {}",
                weekday(*day),
                hours(plan),
                plan.source
            )
        };
        lines.extend(exceptions(rules, exchange, day).iter().map(line));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// What is known of one segment on a day.
fn segment_lines(rules: &MarketRules, exchange: Exchange, day: Day, lines: &mut Vec<String>) {
    // What is not known is not shown as if it were: the hours of a guessed weekday would be read as hours.
    if let Err(unknown) = rules.known(exchange, day) {
        lines.push(format!("{exchange:<4} UNKNOWN  {unknown}"));
        return;
    }
    let plan = rules.plan(exchange, "", day);
    let kind = match plan.kind {
        DayKind::Special | DayKind::EveningOnly => format!("  {}", plan.kind.name()),
        DayKind::Ordinary | DayKind::Holiday | DayKind::Weekend | DayKind::NoRules => String::new(),
    };
    let line = format!("{exchange:<4} {}{kind}  {}", hours(&plan), plan.source);
    lines.push(format!("{}{}", line.trim_end(), mark(plan.unconfirmed)));
    for phase in rules.phases(exchange, day) {
        let (open, close) = (
            clock_text(phase.window.open),
            clock_text(phase.window.close),
        );
        let note = if phase.note.is_empty() {
            String::new()
        } else {
            format!(" ({})", phase.note)
        };
        lines.push(format!("       {open}-{close}  {}{note}", phase.name));
    }
    let notes = rules.notes(exchange, day);
    lines.extend(notes.iter().map(|note| format!("       note  {note}")));
}

const fn mark(unconfirmed: bool) -> &'static str {
    if unconfirmed { " (unconfirmed)" } else { "" }
}

fn plan_json(plan: &DayPlan<'_>) -> Value {
    let windows: Vec<Value> = plan
        .session
        .iter()
        .flat_map(Session::windows)
        .map(|window| json!({ "open": clock_text(window.open), "close": clock_text(window.close) }))
        .collect();
    json!({
        "kind": plan.kind.name(), "windows": windows, "source": plan.source,
        "unconfirmed": plan.unconfirmed,
    })
}

fn day_json(rules: &MarketRules, day: Day) -> Value {
    let segment = |exchange: Exchange| {
        let unknown = rules.known(exchange, day).err();
        let mut value = if unknown.is_none() {
            plan_json(&rules.plan(exchange, "", day))
        } else {
            json!({ "kind": "unknown", "windows": [], "source": "", "unconfirmed": true })
        };
        let mut phases = rules.phases(exchange, day);
        phases.retain(|_| unknown.is_none());
        let phases: Vec<Value> = phases.iter().map(|phase| json!({
            "name": phase.name, "open": clock_text(phase.window.open),
            "close": clock_text(phase.window.close), "note": phase.note, "source": phase.source,
        })).collect();
        let ahead: Vec<Value> = exceptions(rules, exchange, day)
            .iter()
            .map(|(day, plan)| {
                let mut value = plan_json(plan);
                value["day"] = json!(day.to_string());
                value
            })
            .collect();
        let next = rules
            .session_from(exchange, day.plus(1))
            .filter(|next| rules.known(exchange, next.day).is_ok())
            .map(|next| next.day.to_string());
        value["exchange"] = json!(exchange.name());
        value["phases"] = json!(phases);
        value["unknown"] = json!(unknown.map(|fault| fault.to_string()));
        value["notes"] = json!(rules.notes(exchange, day));
        value["ahead"] = json!(ahead);
        value["next_session"] = json!(next);
        value
    };
    json!({
        "day": day.to_string(), "weekday": weekday(day), "file": rules.file(),
        "segments": SEGMENTS.map(segment),
    })
}

fn changes_text(since: Day, changes: &[Change]) -> String {
    let mut lines = vec![format!("rules that begin on {since} or later")];
    lines.extend(changes.iter().map(|change| {
        format!(
            "{}  {:<8} {:<16} {}  [{}]{}",
            change.from,
            change.subject.name(),
            change.of,
            change.what,
            change.source,
            mark(change.unconfirmed)
        )
    }));
    lines.push(String::new());
    lines.join("\n")
}

fn changes_json(since: Day, changes: &[Change]) -> Value {
    let rows: Vec<Value> = changes
        .iter()
        .map(|change| {
            json!({
                "from": change.from.to_string(), "subject": change.subject.name(),
                "of": change.of, "what": change.what, "source": change.source,
                "unconfirmed": change.unconfirmed,
            })
        })
        .collect();
    json!({ "since": since.to_string(), "changes": rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(day: &str) -> String {
        day_text(&MarketRules::embedded(), Day::parse(day).expect("day"))
    }

    #[test]
    fn a_day_shows_hours_phases_and_where_they_come_from() {
        let text = shown("2026-11-23");
        assert!(text.starts_with("2026-11-23 Monday, rules of config/market.toml\n"));
        assert!(
            text.contains("\nNFO  09:15-15:40  NSE FAOP74467\n"),
            "{text}"
        );
        assert!(text.contains("       15:20-15:25  closing auction: limit and market orders"));
        assert!(text.contains("  2026-11-24 Tuesday   NFO  closed: holiday  NSE FAOP71777"));
        assert!(text.contains("  2026-11-24 Tuesday   MCX  17:00-23:55"));
    }

    #[test]
    fn drills_holidays_and_unknown_years_are_told_apart() {
        assert!(shown("2024-03-02").contains("NFO  09:15-10:00 11:30-12:30  special session"));
        assert!(shown("2026-11-24").contains("NFO  closed: holiday"));
    }

    #[test]
    fn a_day_of_an_unknown_year_says_that_it_is_refused_and_nothing_else() {
        // A weekday, a Saturday, and the last day that is known: what follows it is not.
        for day in ["2027-01-04", "2027-01-02"] {
            let text = shown(day);
            for exchange in SEGMENTS {
                let of = |line: &&str| line.starts_with(exchange.name());
                let lines: Vec<&str> = text.lines().filter(of).collect();
                let [line] = lines[..] else {
                    panic!("{exchange}: {text}");
                };
                let wanted = format!(
                    "{:<4} UNKNOWN  no holiday list of {exchange} for 2027 in config/market.toml: refusing to trade",
                    exchange.name()
                );
                assert!(line.starts_with(&wanted), "{line}");
            }
            let body = text.split("\nahead").next().unwrap_or_default();
            for guess in ["09:15", "weekday", "note", "closed"] {
                assert!(!body.contains(guess), "{guess}: {text}");
            }
        }
        let rules = MarketRules::embedded();
        let nfo =
            |day: &str| day_json(&rules, Day::parse(day).expect("day"))["segments"][0].clone();
        let unknown = nfo("2027-01-04");
        assert_eq!(unknown["kind"], "unknown");
        assert_eq!(
            (&unknown["windows"], &unknown["phases"]),
            (&json!([]), &json!([]))
        );
        assert_eq!(
            (&unknown["notes"], &unknown["next_session"]),
            (&json!([]), &Value::Null)
        );
        let why = unknown["unknown"].as_str().expect("a sentence");
        assert!(why.contains("add a [[holidays]] table for 2027"), "{why}");
        let last = nfo("2026-12-31");
        assert_eq!(
            (&last["kind"], &last["unknown"]),
            (&json!("ordinary"), &Value::Null)
        );
        assert_eq!(
            last["next_session"],
            Value::Null,
            "1 January 2027 is not known"
        );
    }

    #[test]
    fn json_says_the_same() {
        let value = day_json(
            &MarketRules::embedded(),
            Day::parse("2024-05-18").expect("day"),
        );
        let nfo = &value["segments"][0];
        assert_eq!(nfo["kind"], "special session");
        assert_eq!(nfo["windows"][1]["open"], "11:30");
        assert_eq!(
            nfo["next_session"], "2024-05-21",
            "20 May 2024 is a holiday"
        );
        let since = Day::parse("2026-08-03").expect("day");
        let changes = changes_json(since, &MarketRules::embedded().changes(since));
        assert_eq!(changes["changes"][0]["source"], "NSE FAOP74467");
    }
}
