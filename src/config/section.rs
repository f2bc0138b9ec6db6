//! A TOML table read key by key: every wrong, missing or unknown key is collected with its place.
//!
//! Reading goes on after a fault with the default, so one run names everything that is wrong.

use super::error::ConfigError;
use crate::model::price::parse_units;
use crate::rules::conditions::nearest;
use std::cell::RefCell;
use std::ops::{Range, RangeInclusive};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A configuration file being read.
pub(super) struct Source<'a> {
    pub(super) name: &'a str,
    pub(super) text: &'a str,
    faults: RefCell<Vec<ConfigError>>,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// One table.
pub(super) struct Section<'a> {
    source: &'a Source<'a>,
    /// As it is written in the file: `[engine]`.
    title: String,
    table: Option<&'a DeTable<'a>>,
    span: Range<usize>,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Source<'a> {
    pub(super) const fn new(name: &'a str, text: &'a str) -> Self {
        Self {
            name,
            text,
            faults: RefCell::new(Vec::new()),
        }
    }

    /// Notes a fault at a byte range.
    #[cold]
    pub(super) fn fault(&self, span: &Range<usize>, message: impl Into<String>) {
        let error = ConfigError::at(self.name, self.text, span.start, message);
        self.faults.borrow_mut().push(error);
    }

    /// Everything that was wrong, in the order of the file.
    pub(super) fn faults(&self) -> Vec<ConfigError> {
        let mut faults = self.faults.take();
        faults.sort_by_key(|error| (error.line, error.column));
        faults
    }

    /// What is written at a place, shortened.
    fn written(&self, span: &Range<usize>) -> String {
        let line = self
            .text
            .get(span.clone())
            .and_then(|part| part.lines().next())
            .unwrap_or("");
        let mut shown: String = line.chars().take(40).collect();
        if shown.len() < line.len() {
            shown.push('…');
        }
        shown
    }
}

impl<'a> Section<'a> {
    /// The whole file as a table.
    pub(super) fn root(source: &'a Source<'a>, table: &'a DeTable<'a>) -> Self {
        Self {
            source,
            title: "the file".to_owned(),
            table: Some(table),
            span: 0..0,
            asked: RefCell::default(),
        }
    }

    pub(super) const fn source(&self) -> &'a Source<'a> {
        self.source
    }

    /// What the table is called, such as `[venue]`.
    pub(super) fn title(&self) -> &str {
        &self.title
    }

    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// True when the table is written in the file.
    pub(super) const fn is_present(&self) -> bool {
        self.table.is_some()
    }

    /// True when the key is written.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.get(key).is_some())
    }

    fn get(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().push(key);
        self.table?.get(key)
    }

    fn path(&self, key: &str) -> String {
        format!("{} {key}", self.title)
    }

    /// Notes that a key has the wrong value.
    #[cold]
    pub(super) fn wrong(&self, key: &str, span: &Range<usize>, wanted: &str) {
        let message = format!(
            "{} = {}: {wanted}",
            self.path(key),
            self.source.written(span)
        );
        self.source.fault(span, message);
    }

    /// Notes that a key is missing.
    #[cold]
    pub(super) fn missing(&self, key: &str, wanted: &str) {
        self.source.fault(
            &self.span,
            format!("{} is missing: {wanted}", self.path(key)),
        );
    }

    /// A table within this one; empty when it is not written.
    pub(super) fn section(&self, key: &'static str) -> Section<'a> {
        let found = self.get(key);
        let table = found.and_then(|value| {
            let table = value.get_ref().as_table();
            if table.is_none() {
                self.wrong(key, &value.span(), "a table is expected");
            }
            table
        });
        let title = if self.table.is_some() && self.span == (0..0) {
            format!("[{key}]")
        } else {
            format!(
                "{}.{key}]",
                self.title.trim_end_matches(']').replace("[[", "[")
            )
        };
        let span = found.map_or_else(|| self.span(), Spanned::span);
        Section {
            source: self.source,
            title,
            table,
            span,
            asked: RefCell::default(),
        }
    }

    /// The tables of `[[key]]`.
    pub(super) fn sections(&self, key: &'static str) -> Vec<Section<'a>> {
        let Some(found) = self.get(key) else {
            return Vec::new();
        };
        let rows = found
            .get_ref()
            .as_array()
            .filter(|rows| rows.iter().all(|row| row.get_ref().is_table()));
        let Some(rows) = rows else {
            self.wrong(
                key,
                &found.span(),
                &format!("tables are expected, each headed [[{key}]]"),
            );
            return Vec::new();
        };
        let section = |row: &'a Spanned<DeValue<'a>>| Section {
            source: self.source,
            title: format!("[[{key}]]"),
            table: row.get_ref().as_table(),
            span: row.span(),
            asked: RefCell::default(),
        };
        rows.iter().map(section).collect()
    }

    /// A text, when there is one.
    pub(super) fn text(&self, key: &'static str) -> Option<Found<String>> {
        let value = self.get(key)?;
        let Some(text) = value.get_ref().as_str() else {
            self.wrong(key, &value.span(), "a text in quotes is expected");
            return None;
        };
        Some(Found {
            value: text.to_owned(),
            span: value.span(),
        })
    }

    /// A text that has to be there.
    pub(super) fn required(&self, key: &'static str, wanted: &str) -> Option<Found<String>> {
        if !self.has(key) {
            self.missing(key, wanted);
        }
        self.text(key)
    }

    /// A list of texts.
    pub(super) fn texts(&self, key: &'static str) -> Vec<Found<String>> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let texts = value.get_ref().as_array().map(|array| {
            let text = |item: &Spanned<DeValue<'a>>| {
                let text = item.get_ref().as_str()?;
                Some(Found {
                    value: text.to_owned(),
                    span: item.span(),
                })
            };
            array.iter().map(text).collect::<Option<Vec<_>>>()
        });
        texts.flatten().unwrap_or_else(|| {
            self.wrong(key, &value.span(), "a list of texts in quotes is expected");
            Vec::new()
        })
    }

    /// All keys of this table with their texts, in the order of the file.
    pub(super) fn entries(&self) -> Vec<(Found<String>, Found<String>)> {
        let mut entries = Vec::new();
        for (key, value) in self.table.into_iter().flat_map(DeTable::iter) {
            let name = Found {
                value: key.get_ref().to_string(),
                span: key.span(),
            };
            match value.get_ref().as_str() {
                Some(text) => entries.push((
                    name,
                    Found {
                        value: text.to_owned(),
                        span: value.span(),
                    },
                )),
                None => self.wrong(
                    &name.value,
                    &value.span(),
                    "an expression in quotes is expected",
                ),
            }
        }
        entries.sort_by_key(|(name, _)| name.span.start);
        entries
    }

    /// A whole number within a range.
    pub(super) fn integer(
        &self,
        key: &'static str,
        range: RangeInclusive<i64>,
        default: i64,
    ) -> i64 {
        let Some(value) = self.get(key) else {
            return default;
        };
        let number = value.get_ref().as_integer().and_then(|digits| {
            i64::from_str_radix(&digits.as_str().replace('_', ""), digits.radix()).ok()
        });
        number
            .filter(|number| range.contains(number))
            .unwrap_or_else(|| {
                let (least, most) = (range.start(), range.end());
                let wanted = format!("a whole number from {least} to {most} is expected");
                self.wrong(key, &value.span(), &wanted);
                default
            })
    }

    /// A whole number within a range, as the type it is kept in; that holds the range.
    pub(super) fn number<N: TryFrom<i64> + Default>(
        &self,
        key: &'static str,
        range: RangeInclusive<i64>,
        default: i64,
    ) -> N {
        N::try_from(self.integer(key, range, default)).unwrap_or_default()
    }

    /// A time that is written in milliseconds, in nanoseconds.
    pub(super) fn millis(
        &self,
        key: &'static str,
        range: RangeInclusive<i64>,
        default: i64,
    ) -> u64 {
        self.number::<u64>(key, range, default) * 1_000_000
    }

    /// A list of whole numbers within a range.
    pub(super) fn integers(&self, key: &'static str, range: RangeInclusive<i64>) -> Vec<i64> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let numbers = value.get_ref().as_array().and_then(|array| {
            let number = |item: &Spanned<DeValue<'a>>| {
                item.get_ref()
                    .as_integer()?
                    .as_str()
                    .parse()
                    .ok()
                    .filter(|n| range.contains(n))
            };
            array.iter().map(number).collect::<Option<Vec<i64>>>()
        });
        numbers.unwrap_or_else(|| {
            let wanted = format!(
                "a list of whole numbers from {} to {} is expected",
                range.start(),
                range.end()
            );
            self.wrong(key, &value.span(), &wanted);
            Vec::new()
        })
    }

    /// A percentage with at most two decimals, in 1/100 of one percent.
    pub(super) fn basis_points(
        &self,
        key: &'static str,
        range: RangeInclusive<i64>,
        default: i64,
    ) -> i64 {
        let Some(value) = self.get(key) else {
            return default;
        };
        let text = match value.get_ref() {
            DeValue::Integer(digits) => Some(digits.as_str()),
            DeValue::Float(digits) => Some(digits.as_str()),
            _ => None,
        };
        let parsed = text.and_then(|text| parse_units(text.as_bytes(), 2).ok());
        parsed
            .filter(|points| range.contains(points))
            .unwrap_or_else(|| {
                let [least, most] =
                    [range.start(), range.end()].map(|points| *points as f64 / 100.0);
                let wanted = format!(
                    "a percentage from {least} to {most} with at most two decimals is expected"
                );
                self.wrong(key, &value.span(), &wanted);
                default
            })
    }

    /// True or false.
    pub(super) fn truth(&self, key: &'static str, default: bool) -> bool {
        let Some(value) = self.get(key) else {
            return default;
        };
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.wrong(key, &value.span(), "true or false is expected");
            default
        })
    }

    /// One of some words.
    pub(super) fn choice<T: Copy>(
        &self,
        key: &'static str,
        choices: &[(&str, T)],
        default: T,
    ) -> T {
        let Some(found) = self.text(key) else {
            return default;
        };
        if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == found.value) {
            return *choice;
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        self.wrong(key, &found.span, &one_of(&found.value, &words));
        default
    }

    /// Notes every key nobody asked for.
    pub(super) fn finish(self) {
        let asked = self.asked.borrow();
        for (key, _) in self.table.into_iter().flat_map(DeTable::iter) {
            let name: &str = key.get_ref();
            if !asked.contains(&name) {
                let mut known = asked.clone();
                known.sort_unstable();
                known.dedup();
                let message = format!(
                    "unknown key `{name}` in {}: {}",
                    self.title,
                    one_of(name, &known)
                );
                self.source.fault(&key.span(), message);
            }
        }
    }
}

/// What is allowed, and which of it was probably meant.
pub(super) fn one_of(found: &str, allowed: &[&str]) -> String {
    let list = allowed.join(", ");
    match nearest(found, allowed.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? Allowed: {list}"),
        None => format!("allowed: {list}"),
    }
}
