//! Text to tokens.

use super::error::ConditionError;
use crate::indicators::Cmp;
use std::ops::Range;

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'a> {
    Number(f64),
    Name(&'a str),
    And,
    Or,
    Not,
    Compare(Cmp),
    Plus,
    Minus,
    Star,
    Slash,
    Open,
    Close,
    OpenIndex,
    CloseIndex,
    Comma,
    End,
}

/// A token and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Placed<'a> {
    pub(super) token: Token<'a>,
    pub(super) span: Range<usize>,
}

/// Splits a text into tokens, the last of which is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Placed<'_>>, ConditionError> {
    let mut placed = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let blank = rest.len() - rest.trim_start().len();
        if blank > 0 {
            at += blank;
            continue;
        }
        let (token, length) = token(text, rest, at)?;
        placed.push(Placed {
            token,
            span: at..at + length,
        });
        at += length;
    }
    placed.push(Placed {
        token: Token::End,
        span: text.len()..text.len(),
    });
    Ok(placed)
}

fn token<'a>(text: &str, rest: &'a str, at: usize) -> Result<(Token<'a>, usize), ConditionError> {
    let two = match rest.get(..2) {
        Some(">=") => Some(Token::Compare(Cmp::Ge)),
        Some("<=") => Some(Token::Compare(Cmp::Le)),
        Some("==") => Some(Token::Compare(Cmp::Eq)),
        Some("!=") => Some(Token::Compare(Cmp::Ne)),
        _ => None,
    };
    if let Some(token) = two {
        return Ok((token, 2));
    }
    let first = rest.chars().next().unwrap_or(' ');
    let one = match first {
        '>' => Token::Compare(Cmp::Gt),
        '<' => Token::Compare(Cmp::Lt),
        '+' => Token::Plus,
        '-' => Token::Minus,
        '*' => Token::Star,
        '/' => Token::Slash,
        '(' => Token::Open,
        ')' => Token::Close,
        '[' => Token::OpenIndex,
        ']' => Token::CloseIndex,
        ',' => Token::Comma,
        '0'..='9' | '.' => return number(text, rest, at),
        'a'..='z' | 'A'..='Z' | '_' => return Ok(name(rest)),
        other => {
            let hint = match other {
                '=' => "; write `==` to compare",
                '!' => "; write `not`",
                '&' => "; write `and`",
                '|' => "; write `or`",
                '%' => "; there is no remainder here",
                _ => "",
            };
            let message = format!("{other:?} has no meaning here{hint}");
            return Err(ConditionError::new(
                text,
                at..at + other.len_utf8(),
                message,
            ));
        }
    };
    Ok((one, 1))
}

fn name(rest: &str) -> (Token<'_>, usize) {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
    let word = rest.get(..length).unwrap_or(rest);
    let token = match word {
        "and" => Token::And,
        "or" => Token::Or,
        "not" => Token::Not,
        _ => Token::Name(word),
    };
    (token, length)
}

fn number<'a>(text: &str, rest: &'a str, at: usize) -> Result<(Token<'a>, usize), ConditionError> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
    let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
    let word = rest.get(..length).unwrap_or(rest);
    let plain = word.len() <= 20 && word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match word.parse::<f64>() {
        Ok(value) if plain && value.is_finite() => Ok((Token::Number(value), length)),
        _ => {
            let message =
                format!("`{word}` is not a number; write digits with at most one point, as in 0.8");
            Err(ConditionError::new(text, at..at + length, message))
        }
    }
}
