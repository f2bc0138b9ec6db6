//! The doctor's words: a table, the hiccups, and what to change with the largest effect first.

use super::item::{Item, Status, Step};
use super::measure::{Window, time};
use std::fmt::Write as _;

/// Columns of text for each part of a line: together just under 100.
const NAME: usize = 23;
const FOUND: usize = 36;
const WANTED: usize = 28;
const LINE: usize = 98;

/// A group of items under its heading.
pub(super) type Group = (&'static str, Vec<Item>);

/// Items that ask for a change, the bad ones first, then by effect.
pub(super) fn changes(groups: &[Group]) -> Vec<&Item> {
    let items = groups.iter().flat_map(|(_, items)| items);
    let mut asking: Vec<&Item> = items.filter(|item| item.asks()).collect();
    let rank = |item: &Item| item.effect.as_ref().map_or(0, |effect| effect.rank_ns);
    asking.sort_by_key(|item| {
        let is_bad = item.status == Status::Bad;
        (std::cmp::Reverse(is_bad), std::cmp::Reverse(rank(item)))
    });
    asking
}

/// Everything as text.
pub(super) fn text(
    head: &[String],
    groups: &[Group],
    window: Option<&Window>,
) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    for line in head {
        writeln!(out, "{line}")?;
    }
    let changes = changes(groups);
    let number = |item: &Item| changes.iter().position(|other| std::ptr::eq(*other, item));
    writeln!(
        out,
        "\n{:<10}{:<NAME$}{:<FOUND$}{:<WANTED$}do",
        "", "item", "found", "wanted"
    )?;
    for (title, items) in groups {
        writeln!(out, "{title}")?;
        for item in items {
            line(&mut out, item, number(item))?;
        }
    }
    if let Some(window) = window {
        hiccups(&mut out, window)?;
    }
    if changes.is_empty() {
        writeln!(out, "\nNothing to change.")?;
        return Ok(out);
    }
    writeln!(out, "\nWhat to change, the largest effect first")?;
    for (at, item) in changes.iter().enumerate() {
        change(&mut out, at + 1, item)?;
    }
    together(&mut out, &changes)?;
    Ok(out)
}

fn line(out: &mut String, item: &Item, number: Option<usize>) -> std::fmt::Result {
    let is_unknown = item.status == Status::Unknown;
    let found = if is_unknown {
        vec!["-".to_owned()]
    } else {
        wrap(&item.found, FOUND - 2)
    };
    let wanted = wrap(&item.wanted, WANTED - 2);
    let change = number.map_or(String::new(), |at| format!("{}.", at + 1));
    for at in 0..found.len().max(wanted.len()) {
        let part = |lines: &[String]| lines.get(at).cloned().unwrap_or_default();
        let (status, name, change) = if at == 0 {
            (item.status.word(), item.name, change.as_str())
        } else {
            ("", "", "")
        };
        let row = format!(
            "  {status:<8}{name:<NAME$}{:<FOUND$}{:<WANTED$}{change}",
            part(&found),
            part(&wanted)
        );
        writeln!(out, "{}", row.trim_end())?;
    }
    if is_unknown {
        // A path is long: the reason has the width of both columns.
        for line in wrap(&item.found, FOUND + WANTED) {
            writeln!(out, "{:<10}{:<NAME$}{line}", "", "")?;
        }
    }
    Ok(())
}

fn hiccups(out: &mut String, window: &Window) -> std::fmt::Result {
    writeln!(
        out,
        "\nHiccups: {:.1} s, a spinning thread on each core the hot path would own, gaps between two reads\n\
         of the clock, a second of measuring",
        window.seconds()
    )?;
    writeln!(
        out,
        "  {:<6}{:>9}{:>9}{:>9}{:>9}{:>10}{:>11}{:>12}{:>12}{:>9}",
        "core",
        ">1 µs",
        ">10 µs",
        ">100 µs",
        ">1 ms",
        "p99.9",
        "max",
        "1 in 1000",
        "other",
        "steal"
    )?;
    writeln!(
        out,
        "  {:<6}{:>9}{:>9}{:>9}{:>9}{:>10}{:>11}{:>12}{:>12}{:>9}",
        "", "", "", "", "", "gap", "gap", "ticks waits", "tasks", ""
    )?;
    for row in &window.rows {
        let gaps = &row.hiccups.gaps;
        let [us, us_10, us_100, ms] = gaps.above_per_s();
        let others = match row.hiccups.waited_ns {
            Some(_) => format!("{:.2} %", row.others_share() * 100.0),
            None => "?".to_owned(),
        };
        let steal = row.steal.as_ref();
        let steal = steal.map_or("?".to_owned(), |steal| format!("{:.2} %", steal * 100.0));
        writeln!(
            out,
            "  {:<6}{us:>9.1}{us_10:>9.1}{us_100:>9.1}{ms:>9.1}{:>10}{:>11}{:>12}{others:>12}{steal:>9}",
            row.hiccups.core,
            time(gaps.quantile_ns(0.999)),
            time(gaps.max_ns()),
            time(gaps.waits_ns(0.999)),
        )?;
    }
    for row in &window.rows {
        if !row.hiccups.is_pinned {
            writeln!(
                out,
                "  core {} could not be taken: its thread ran where the scheduler put it",
                row.hiccups.core
            )?;
        }
        if let Ok([timer, device, other]) = row.interrupts {
            writeln!(
                out,
                "  core {} served {timer:.0} timer, {device:.0} device and {other:.0} other interrupts a second",
                row.hiccups.core
            )?;
        }
    }
    Ok(())
}

const INDENT: &str = "      ";

fn change(out: &mut String, number: usize, item: &Item) -> std::fmt::Result {
    writeln!(out, "{number:>4}. {}", item.name)?;
    if let Some(effect) = &item.effect {
        put(out, "", &effect.sentence())?;
    }
    for step in &item.steps {
        match step {
            Step::Kernel(text) => put(out, "kernel parameter: ", text)?,
            // Never wrapped: it is there to be copied.
            Step::Run(text) => writeln!(out, "{INDENT}$ {text}")?,
            Step::Advice(text) => put(out, "- ", text)?,
        }
    }
    Ok(())
}

/// A paragraph below its lead.
fn put(out: &mut String, lead: &str, text: &str) -> std::fmt::Result {
    let width = lead.chars().count();
    for (at, line) in wrap(text, LINE - INDENT.len() - width).iter().enumerate() {
        let lead = if at == 0 { lead } else { "" };
        writeln!(out, "{INDENT}{lead:<width$}{line}")?;
    }
    Ok(())
}

/// All kernel parameters in one line, for the boot loader.
fn together(out: &mut String, changes: &[&Item]) -> std::fmt::Result {
    let steps = changes.iter().flat_map(|item| &item.steps);
    let parameters: Vec<&str> = steps
        .filter_map(|step| match step {
            Step::Kernel(text) => Some(text.as_str()),
            Step::Run(_) | Step::Advice(_) => None,
        })
        .collect();
    if parameters.len() > 1 {
        writeln!(
            out,
            "\nAll kernel parameters in one line\n{INDENT}{}",
            parameters.join(" ")
        )?;
    }
    Ok(())
}

/// Lines of at most so many characters, broken at spaces; a longer word stays whole.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(last) = lines.last_mut() else { break };
        let length = last.chars().count();
        if length > 0 && length + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if length > 0 {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}
