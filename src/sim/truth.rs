//! What really happened, as the venue saw it: the record tests assert on.
//!
//! Requests carry the time their last byte was read, never a token, key or checksum.

use crate::model::WallNanos;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) connection: u64,
    pub(crate) method: String,
    /// Path without the query.
    pub(crate) path: String,
    pub(crate) status: u16,
    /// When its first byte was read.
    pub(crate) first_ns: u64,
    /// When its last byte was read.
    pub(crate) mono_ns: u64,
    pub(crate) market: WallNanos,
    pub(crate) tag: Option<String>,
    pub(crate) order_id: Option<String>,
    /// Words of a refusal.
    pub(crate) error: Option<String>,
}

impl Arrival {
    fn json(&self, number: usize) -> Value {
        json!({
            "n": number,
            "conn": self.connection,
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "first_ns": self.first_ns,
            "mono_ns": self.mono_ns,
            "market_nanos": self.market.0,
            "tag": self.tag,
            "order_id": self.order_id,
            "error": self.error,
        })
    }
}

/// Counters of the sockets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) accepted: u64,
    pub(crate) ticker: u64,
    pub(crate) bad_requests: u64,
    pub(crate) frames: u64,
    pub(crate) packets: u64,
    pub(crate) conflated: u64,
    pub(crate) postbacks: u64,
    pub(crate) heartbeats: u64,
}

impl Tally {
    pub(crate) fn json(&self) -> Value {
        json!({
            "connections": self.accepted,
            "ticker_connections": self.ticker,
            "bad_requests": self.bad_requests,
            "frames": self.frames,
            "packets": self.packets,
            "conflated": self.conflated,
            "postbacks": self.postbacks,
            "heartbeats": self.heartbeats,
        })
    }
}

/// The record of a run.
#[derive(Default)]
pub(crate) struct Truth {
    pub(crate) arrivals: Vec<Arrival>,
    pub(crate) logins: u64,
    pub(crate) logins_refused: u64,
    pub(crate) logouts: u64,
    pub(crate) tally: Tally,
    log: Option<BufWriter<File>>,
    log_fault: Option<String>,
}

impl Truth {
    /// A record that is also appended to a file.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened.
    pub(crate) fn new(log: Option<&Path>) -> std::io::Result<Self> {
        let open = |path| File::options().create(true).append(true).open(path);
        let log = log.map(open).transpose()?.map(BufWriter::new);
        Ok(Self {
            log,
            ..Self::default()
        })
    }

    /// Appends one line to the file.
    pub(crate) fn line(&mut self, kind: &str, value: &Value) {
        if let Some(log) = &mut self.log
            && let Err(error) = writeln!(log, "{}", json!({ "kind": kind, "data": value }))
        {
            self.log_fault.get_or_insert(error.to_string());
        }
    }

    /// Notes a request.
    pub(crate) fn arrive(&mut self, arrival: Arrival) {
        let value = self
            .log
            .is_some()
            .then(|| arrival.json(self.arrivals.len()));
        if let Some(value) = value {
            self.line("request", &value);
        }
        self.arrivals.push(arrival);
    }

    pub(crate) fn requests(&self) -> Vec<Value> {
        self.arrivals
            .iter()
            .enumerate()
            .map(|(number, row)| row.json(number))
            .collect()
    }

    /// Hands the file to the system; the first fault comes back once.
    pub(crate) fn flush(&mut self) -> Option<String> {
        if let Some(log) = &mut self.log
            && let Err(error) = log.flush()
        {
            self.log_fault.get_or_insert(error.to_string());
        }
        self.log_fault.take()
    }
}
