//! What is wrong with a configuration file, and where.

use std::fmt;

/// One thing wrong with a configuration file: where it is, what was found, what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// File as it was named.
    pub file: String,
    /// Line from 1; zero when the file as a whole is meant.
    pub line: u32,
    /// Column from 1, in characters.
    pub column: u32,
    /// What was found and what is allowed; may have further lines that show the place.
    pub message: String,
}

impl ConfigError {
    /// An error about a file as a whole.
    pub fn whole(file: &str, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            column: 0,
            message: message.into(),
        }
    }

    /// An error at a byte position of a text.
    pub fn at(file: &str, text: &str, byte: usize, message: impl Into<String>) -> Self {
        let (line, column) = place(text, byte);
        Self {
            file: file.to_owned(),
            line,
            column,
            message: message.into(),
        }
    }

    /// The error a TOML reader gave.
    pub fn toml(file: &str, text: &str, error: &toml::de::Error) -> Self {
        let message = error.message().trim().replace('\n', "; ");
        match error.span() {
            Some(span) => Self::at(file, text, span.start, message),
            None => Self::whole(file, message),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return write!(f, "{}: {}", self.file, self.message);
        }
        write!(
            f,
            "{}:{}:{}: {}",
            self.file, self.line, self.column, self.message
        )
    }
}

impl std::error::Error for ConfigError {}

/// Line and column, from 1, of a byte position.
pub(crate) fn place(text: &str, byte: usize) -> (u32, u32) {
    let before = text.get(..byte.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count();
    let column = before
        .rsplit('\n')
        .next()
        .map_or(0, |last| last.chars().count());
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
    (number(line), number(column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_counted_from_one_in_characters() {
        assert_eq!(place("a\nतेb", 0), (1, 1));
        assert_eq!(place("a\nतेb", 2), (2, 1));
        assert_eq!(place("a\nतेb", 8), (2, 3));
        assert_eq!(place("a", 99), (1, 2));
    }

    #[test]
    fn an_error_reads_as_file_line_column() {
        let error = ConfigError::at("run.toml", "a = 1\nb = 2", 6, "unknown key");
        assert_eq!(error.to_string(), "run.toml:2:1: unknown key");
        assert_eq!(ConfigError::whole("x", "empty").to_string(), "x: empty");
    }
}
