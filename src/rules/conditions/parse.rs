//! Tokens to a tree, by precedence: `or`, `and`, `not`, comparison, `+ -`, `* /`, sign, `[k]`.

use super::error::ConditionError;
use super::token::{Placed, Token, tokens};
use super::{NESTING_MAX, NODES_MAX, TEXT_MAX};
use crate::indicators::Cmp;
use std::ops::Range;

/// A node of the tree and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    pub(super) kind: Form<'a>,
    pub(super) span: Range<usize>,
}

/// `+ - * /`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arith {
    Add,
    Sub,
    Mul,
    Div,
}

/// What a node is, before names and types are known.
#[derive(Clone, Debug)]
pub(super) enum Form<'a> {
    Number(f64),
    Name(&'a str),
    Call(&'a str, Vec<Node<'a>>),
    /// `x[k]`; k is whatever was written.
    Back(Box<Node<'a>>, Box<Node<'a>>),
    All,
    Neg(Box<Node<'a>>),
    Not(Box<Node<'a>>),
    Arith(Arith, Box<Node<'a>>, Box<Node<'a>>),
    Compare(Cmp, Box<Node<'a>>, Box<Node<'a>>),
    And(Box<Node<'a>>, Box<Node<'a>>),
    Or(Box<Node<'a>>, Box<Node<'a>>),
}

/// Reads a whole text as one expression.
pub(super) fn parse(text: &str) -> Result<Node<'_>, ConditionError> {
    if text.len() > TEXT_MAX {
        let message = format!(
            "{} bytes of text; at most {TEXT_MAX} are allowed",
            text.len()
        );
        return Err(ConditionError::new(text, 0..1, message));
    }
    let tokens = tokens(text)?;
    let mut parser = Parser {
        text,
        tokens,
        at: 0,
        nesting: 0,
        nodes: 0,
    };
    if parser.peek() == Token::End {
        return Err(parser.fault("nothing here; a condition such as `rsi(6) > 70` is expected"));
    }
    let node = parser.or()?;
    match parser.peek() {
        Token::End => Ok(node),
        Token::Close => Err(parser.fault("`)` without its `(`")),
        _ => Err(parser.fault("an operator such as `and`, `or`, `>` or `+` is expected here")),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Placed<'a>>,
    at: usize,
    nesting: usize,
    nodes: usize,
}

type Parsed<'a> = Result<Node<'a>, ConditionError>;

impl<'a> Parser<'a> {
    fn peek(&self) -> Token<'a> {
        self.tokens
            .get(self.at)
            .map_or(Token::End, |placed| placed.token)
    }

    fn span(&self) -> Range<usize> {
        let end = self.text.len();
        self.tokens
            .get(self.at)
            .map_or(end..end, |placed| placed.span.clone())
    }

    fn next(&mut self) -> Range<usize> {
        let span = self.span();
        self.at += 1;
        span
    }

    fn take(&mut self, token: Token<'a>) -> Option<Range<usize>> {
        if self.peek() == token {
            Some(self.next())
        } else {
            None
        }
    }

    #[cold]
    fn fault(&self, message: &str) -> ConditionError {
        ConditionError::new(self.text, self.span(), message)
    }

    fn node(&mut self, kind: Form<'a>, span: Range<usize>) -> Parsed<'a> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            let message =
                format!("more than {NODES_MAX} operands and operators; name parts as conditions");
            return Err(ConditionError::new(self.text, span, message));
        }
        Ok(Node { kind, span })
    }

    /// Runs a rule one level deeper.
    fn deeper(&mut self, rule: fn(&mut Self) -> Parsed<'a>) -> Parsed<'a> {
        if self.nesting == NESTING_MAX {
            return Err(self.fault(&format!("nested deeper than {NESTING_MAX} levels")));
        }
        self.nesting += 1;
        let node = rule(self);
        self.nesting -= 1;
        node
    }

    fn or(&mut self) -> Parsed<'a> {
        let mut left = self.and()?;
        while self.take(Token::Or).is_some() {
            let right = self.and()?;
            let span = left.span.start..right.span.end;
            left = self.node(Form::Or(Box::new(left), Box::new(right)), span)?;
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed<'a> {
        let mut left = self.not()?;
        while self.take(Token::And).is_some() {
            let right = self.not()?;
            let span = left.span.start..right.span.end;
            left = self.node(Form::And(Box::new(left), Box::new(right)), span)?;
        }
        Ok(left)
    }

    fn not(&mut self) -> Parsed<'a> {
        let Some(start) = self.take(Token::Not) else {
            return self.compare();
        };
        let inner = self.deeper(Self::not)?;
        let span = start.start..inner.span.end;
        self.node(Form::Not(Box::new(inner)), span)
    }

    fn compare(&mut self) -> Parsed<'a> {
        let left = self.sum()?;
        let Token::Compare(cmp) = self.peek() else {
            return Ok(left);
        };
        self.next();
        let right = self.sum()?;
        if let Token::Compare(_) = self.peek() {
            return Err(self.fault("comparisons do not chain; write `a < b and b < c`"));
        }
        let span = left.span.start..right.span.end;
        self.node(Form::Compare(cmp, Box::new(left), Box::new(right)), span)
    }

    fn sum(&mut self) -> Parsed<'a> {
        let mut left = self.product()?;
        loop {
            let op = match self.peek() {
                Token::Plus => Arith::Add,
                Token::Minus => Arith::Sub,
                _ => return Ok(left),
            };
            self.next();
            let right = self.product()?;
            let span = left.span.start..right.span.end;
            left = self.node(Form::Arith(op, Box::new(left), Box::new(right)), span)?;
        }
    }

    fn product(&mut self) -> Parsed<'a> {
        let mut left = self.sign()?;
        loop {
            let op = match self.peek() {
                Token::Star => Arith::Mul,
                Token::Slash => Arith::Div,
                _ => return Ok(left),
            };
            self.next();
            let right = self.sign()?;
            let span = left.span.start..right.span.end;
            left = self.node(Form::Arith(op, Box::new(left), Box::new(right)), span)?;
        }
    }

    fn sign(&mut self) -> Parsed<'a> {
        let Some(start) = self.take(Token::Minus) else {
            return self.back();
        };
        let inner = self.deeper(Self::sign)?;
        let span = start.start..inner.span.end;
        self.node(Form::Neg(Box::new(inner)), span)
    }

    fn back(&mut self) -> Parsed<'a> {
        let mut node = self.primary()?;
        while self.take(Token::OpenIndex).is_some() {
            let bars = self.deeper(Self::sum)?;
            let Some(end) = self.take(Token::CloseIndex) else {
                return Err(self.fault("`]` is expected here, as in `close[1]`"));
            };
            let span = node.span.start..end.end;
            node = self.node(Form::Back(Box::new(node), Box::new(bars)), span)?;
        }
        Ok(node)
    }

    fn primary(&mut self) -> Parsed<'a> {
        let span = self.span();
        match self.peek() {
            Token::Number(value) => {
                self.next();
                self.node(Form::Number(value), span)
            }
            Token::Open => {
                self.next();
                let inner = self.deeper(Self::or)?;
                let Some(end) = self.take(Token::Close) else {
                    return Err(self.unclosed(&span));
                };
                Ok(Node {
                    span: span.start..end.end,
                    ..inner
                })
            }
            Token::Name("all") => {
                self.next();
                let Some(end) = self.take(Token::Name("conditions")) else {
                    return Err(self.fault("`all` is followed by `conditions`: `all conditions`"));
                };
                self.node(Form::All, span.start..end.end)
            }
            Token::Name(name) => {
                self.next();
                if self.take(Token::Open).is_some() {
                    self.call(name, span)
                } else {
                    self.node(Form::Name(name), span)
                }
            }
            Token::End => {
                Err(self.fault("the text ends where a number or a condition is expected"))
            }
            _ => Err(self.fault("a number, a name or `(` is expected here")),
        }
    }

    fn call(&mut self, name: &'a str, start: Range<usize>) -> Parsed<'a> {
        let mut arguments = Vec::new();
        if let Some(end) = self.take(Token::Close) {
            return self.node(Form::Call(name, arguments), start.start..end.end);
        }
        loop {
            arguments.push(self.deeper(Self::or)?);
            if let Some(end) = self.take(Token::Close) {
                return self.node(Form::Call(name, arguments), start.start..end.end);
            }
            if self.take(Token::Comma).is_none() {
                if self.peek() == Token::End {
                    return Err(self.unclosed(&start));
                }
                return Err(self.fault("`,` or `)` is expected here"));
            }
        }
    }

    #[cold]
    fn unclosed(&self, open: &Range<usize>) -> ConditionError {
        if self.peek() == Token::End {
            return ConditionError::new(self.text, open.clone(), "this `(` is never closed");
        }
        self.fault("`)` or an operator is expected here")
    }
}
