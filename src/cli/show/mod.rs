//! `tezi orders`, `positions`, `trades` and `why`: the day as the journal has it.
//!
//! Promises
//! - They read only, also while an engine runs, and fold the journal with the same code the engine uses.
//! - A torn journal is read up to its first bad record, and that is said on stderr.
//! - What was not recorded is called not recorded; nothing is guessed.

pub mod orders;
mod runs;
pub mod why;

use super::Failure;
use crate::model::Qty;
use serde_json::{Map, Number, Value};
use std::io::Write as _;

pub(in crate::cli) use runs::{Run, Seen, Source, seen};

/// A table: a head, rows, and which columns hold numbers.
pub(in crate::cli) struct Table {
    pub(in crate::cli) head: Vec<&'static str>,
    /// A letter for each column: `l` words, `r` numbers.
    pub(in crate::cli) align: &'static str,
    pub(in crate::cli) rows: Vec<Vec<String>>,
}

impl Table {
    /// The table as text, columns two spaces apart, numbers right-aligned.
    pub(in crate::cli) fn text(&self) -> String {
        let mut widths: Vec<usize> = self.head.iter().map(|h| h.chars().count()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let mut text = String::new();
            for ((cell, width), align) in cells.zip(&widths).zip(self.align.chars()) {
                let padded = match align {
                    'r' => format!("{cell:>width$}  "),
                    _ => format!("{cell:<width$}  "),
                };
                text.push_str(&padded);
            }
            format!("{}\n", text.trim_end())
        };
        let mut text = line(&mut self.head.iter().copied());
        for row in &self.rows {
            text.push_str(&line(&mut row.iter().map(String::as_str)));
        }
        text
    }

    /// The rows as JSON objects by column; a column of numbers has numbers, or null where there is none.
    pub(in crate::cli) fn json(&self) -> Value {
        let object = |row: &Vec<String>| {
            let cells = self.head.iter().zip(row).zip(self.align.chars());
            let fields = cells.map(|((key, text), align)| {
                let value = match align {
                    'r' => number(text),
                    _ => text.as_str().into(),
                };
                ((*key).to_owned(), value)
            });
            Value::Object(fields.collect::<Map<_, _>>())
        };
        self.rows.iter().map(object).collect()
    }

    fn print(&self, json: bool) -> Result<(), Failure> {
        if json {
            print(&format!("{}\n", self.json()))
        } else {
            print(&self.text())
        }
    }
}

/// Writes to stdout; a reader that has seen enough, such as `head`, is no failure.
fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// A cell of numbers as JSON: null when empty, the text itself when it is none.
fn number(text: &str) -> Value {
    if text.is_empty() {
        return Value::Null;
    }
    let whole = text.parse::<i64>().ok().map(Number::from);
    let number = whole.or_else(|| text.parse().ok().and_then(Number::from_f64));
    number.map_or_else(|| text.into(), Value::Number)
}

fn units(qty: Qty) -> String {
    qty.0.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_right_and_words_left() {
        let table = Table {
            head: vec!["symbol", "qty"],
            align: "lr",
            rows: vec![
                vec!["A".to_owned(), "1500".to_owned()],
                vec!["LONGNAME".to_owned(), "75".to_owned()],
            ],
        };
        assert_eq!(
            table.text(),
            "symbol     qty\nA         1500\nLONGNAME    75\n"
        );
        assert_eq!(table.json()[1]["qty"], 75);
        assert_eq!((number("-3.5"), number("")), ((-3.5).into(), Value::Null));
    }
}
