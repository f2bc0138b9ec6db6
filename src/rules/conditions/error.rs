//! What is wrong with an expression, and where, for a person to read.

use std::fmt;
use std::ops::Range;

/// One thing wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionError {
    /// Line within the expression, from 1.
    pub line: u32,
    /// Column within the line, from 1, in characters.
    pub column: u32,
    /// Byte range within the expression.
    pub span: Range<usize>,
    /// What was found and what is allowed.
    pub message: String,
    /// The line of the expression and a caret under the place.
    pub excerpt: String,
}

impl ConditionError {
    #[cold]
    pub(super) fn new(text: &str, span: Range<usize>, message: impl Into<String>) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line_text = text
            .get(line_start..)
            .and_then(|rest| rest.lines().next())
            .unwrap_or("");
        let column = text
            .get(line_start..span.start)
            .map_or(0, |part| part.chars().count());
        let marked = text
            .get(span.clone())
            .and_then(|part| part.lines().next())
            .unwrap_or("");
        let carets = marked.chars().count().clamp(1, 60);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
        Self {
            line: number(before.matches('\n').count()),
            column: number(column),
            span,
            message: message.into(),
            excerpt: format!("{line_text}\n{}{}", " ".repeat(column), "^".repeat(carets)),
        }
    }
}

impl fmt::Display for ConditionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)?;
        self.excerpt
            .lines()
            .try_for_each(|line| write!(f, "\n    {line}"))
    }
}

impl std::error::Error for ConditionError {}
