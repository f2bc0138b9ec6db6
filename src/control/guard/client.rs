//! The other side of the door: tells a running engine what an operator wants.

use super::place::Place;
use super::{GuardFault, io};
use crate::model::TradingState;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// A running engine answers within a millisecond; one that is stopped never does.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// No engine runs on this account.
    Nobody,
    /// An engine did it.
    Told(Told),
}

/// What an engine answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its process.
    pub pid: u64,
    /// The trading state before.
    pub before: TradingState,
    /// The trading state now.
    pub state: TradingState,
    /// From the line's arrival to the tight latch, nanoseconds, by the engine's clock.
    pub latched_ns: u64,
    /// True when the file says it too.
    pub written: bool,
    /// Why it does not.
    pub error: Option<String>,
}

/// The answers of an engine, one line each; `None` when no engine runs on this account.
fn ask(place: &Place, line: &str) -> Result<Option<Answers>, GuardFault> {
    let path = place.socket()?;
    let mut stream = match UnixStream::connect(&path) {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(io(&path, "reach the engine")(error)),
    };
    let line = format!("{}\n", line.replace(['\n', '\r'], " "));
    stream
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
        .and_then(|()| stream.write_all(line.as_bytes()))
        .map_err(io(&path, "tell the engine"))?;
    Ok(Some(Answers {
        path,
        lines: BufReader::new(stream),
    }))
}

#[derive(Debug)]
struct Answers {
    path: PathBuf,
    lines: BufReader<UnixStream>,
}

impl Answers {
    fn next(&mut self) -> Result<Value, GuardFault> {
        let mut text = String::new();
        self.lines
            .read_line(&mut text)
            .map_err(io(&self.path, "hear the engine's answer"))?;
        serde_json::from_str(&text)
            .map_err(|error| io(&self.path, "understand the engine's answer")(error.into()))
    }
}

/// Asks a running engine what holds; `None` when none runs on this account.
///
/// # Errors
///
/// As [`tell`].
pub fn status(place: &Place) -> Result<Option<Value>, GuardFault> {
    ask(place, "status")?
        .map(|mut answers| answers.next())
        .transpose()
}

/// Asks a running engine for the latest price of a symbol; `None` when none runs on this account.
///
/// # Errors
///
/// As [`tell`].
pub fn price(place: &Place, symbol: &str) -> Result<Option<Value>, GuardFault> {
    ask(place, &format!("price {symbol}"))?
        .map(|mut answers| answers.next())
        .transpose()
}

/// Sends one line, such as `kill the market is mad`, and waits for both replies.
///
/// # Errors
///
/// [`GuardFault::LongPath`]; [`GuardFault::Io`] when an engine is there and does not answer or does not understand.
pub fn tell(place: &Place, line: &str) -> Result<Heard, GuardFault> {
    let Some(mut answers) = ask(place, line)? else {
        return Ok(Heard::Nobody);
    };
    let path = answers.path.clone();
    let first = answers.next()?;
    let state = |key: &str| {
        let text = first.get(key).and_then(Value::as_str);
        text.and_then(TradingState::parse)
    };
    let (Some(before), Some(state)) = (state("before"), state("state")) else {
        let text = first.get("error").and_then(Value::as_str);
        let text = text.unwrap_or("the answer names no state").to_owned();
        return Err(io(&path, "be understood by the engine")(
            std::io::Error::other(text),
        ));
    };
    let number = |key: &str| first.get(key).and_then(Value::as_u64).unwrap_or(0);
    let (pid, latched_ns) = (number("pid"), number("latched_ns"));
    // The latch is set; a second reply that does not come is a file nobody vouches for.
    let second = answers.next();
    let written = second.as_ref().is_ok_and(|v| v["written"] == true);
    let error = match &second {
        Ok(value) => value
            .get("error")
            .and_then(Value::as_str)
            .map(str::to_owned),
        Err(fault) => Some(fault.to_string()),
    };
    Ok(Heard::Told(Told {
        pid,
        before,
        state,
        latched_ns,
        written,
        error,
    }))
}
