//! `tezi latency`: tick to order end to end, beside the floor, interleaved in one run.
//!
//! Venue and client are two processes. The venue stamps its frame before the write and every order byte on
//! arrival, so only one clock is involved. Each round runs every variant in turn and ratios are taken
//! within a round, because absolute times drift with the machine.

mod engine;
mod floor;
mod report;

use super::Failure;
use super::run::load::take_ready_file;
use crate::control::desk::{Desk, Login};
use crate::model::{Exchange, Instrument, Kind, Right};
use crate::net::{Url, tls};
use crate::runtime::topology;
use crate::venue::Broker;
use engine::{Bench, Outcome};
use report::{Report, Variant};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

const EXAMPLES: &str = "\
Examples:
  tezi latency                                      plain and TLS, fused and split, 5 rounds
  tezi latency --rounds 20 --triggers 10000 --out perf/results
  tezi latency --transport tls --client floor,fused --pause-us 25000 --triggers 400

floor   a minimal busy-poll client: same sockets, same bytes, no decoding, no logic
fused   the engine on one thread: decode, bars, seven conditions, limits, journal, both legs
split   the engine on three threads; with fewer than four cores they park (at most 200 triggers,
        20 ms apart), which measures the scheduler more than the engine

The venue answers each pair of orders at once and pauses before the next trigger. Figures are nanoseconds
from the venue's write of the frame to the arrival of order bytes at the venue.";

/// Measures tick to order, end to end, beside a floor client.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Rounds; every variant runs once in each.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Triggers recorded per variant and round.
    #[arg(long, default_value_t = 3_000, value_parser = clap::value_parser!(u32).range(10..=10_000_000))]
    triggers: u32,
    /// Microseconds between a finished round trip and the next trigger.
    #[arg(long, default_value_t = 300)]
    pause_us: u32,
    /// Packets in a trigger frame, the trigger last.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=2000))]
    packets: u16,
    /// Transports to measure.
    #[arg(long, value_delimiter = ',', default_values = ["plain", "tls"], value_parser = ["plain", "tls"])]
    transport: Vec<String>,
    /// Clients to measure; the floor is always among them.
    #[arg(long, value_delimiter = ',', default_values = ["floor", "fused", "split"],
          value_parser = ["floor", "fused", "split"])]
    client: Vec<String>,
    /// Keep histograms (HdrHistogram logs), table and machine description in this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// JSON on stdout.
    #[arg(long)]
    json: bool,
    /// Used by the measurement itself: run as the floor client of a ready venue.
    #[arg(long, hide = true, value_name = "READY")]
    floor_of: Option<PathBuf>,
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<(), Failure> {
    if let Some(ready) = &args.floor_of {
        return be_floor(ready);
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    let bench = Bench::new(args.triggers, args.pause_us, args.packets, &interrupted)?;
    let mut report = Report::new(args.triggers, args.pause_us, args.packets);
    let clients = ["floor", "fused", "split"];
    for round in 0..args.rounds {
        for transport in &args.transport {
            for client in clients {
                if client != "floor" && !args.client.iter().any(|wanted| wanted == client) {
                    continue;
                }
                let variant = Variant {
                    client,
                    is_tls: transport == "tls",
                };
                let outcome: Outcome = bench.run(variant)?;
                report.add(round, variant, outcome);
                report.progress(round, args.rounds, variant, args.json)?;
            }
        }
    }
    report.finish(args.out.as_deref(), args.json)
}

/// Runs as the floor client until the venue ends the feed or the process is told to stop.
fn be_floor(ready: &std::path::Path) -> Result<(), Failure> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&flag))?;
    }
    let venue = |e: &dyn std::fmt::Display| Failure::Venue(e.to_string());
    let ready = take_ready_file(ready)?;
    let tls = tls::client_config(ready.ca_file.as_deref()).map_err(|e| venue(&e))?;
    let url = Url::parse(&ready.rest).map_err(|e| venue(&e))?;
    let login = Login::RequestToken {
        request_token: ready.request_token.clone(),
        api_secret: ready.api_secret.clone(),
    };
    let mut desk = Desk::open(Broker::Kite, url, Arc::clone(&tls), &ready.api_key, &login)
        .map_err(|e| venue(&e))?;
    let rows = desk
        .instruments(Exchange::Nfo, Instrument::is_tradable, |contract| {
            contract.lot
        })
        .map_err(|e| venue(&e))?;
    let future = rows.iter().find(|row| matches!(row.kind, Kind::Future));
    let option = |wanted: Right| {
        let mut found = rows
            .iter()
            .filter(|row| matches!(row.kind, Kind::Option { right, .. } if right == wanted));
        found.next().cloned()
    };
    let (Some(future), Some(call), Some(put)) = (future, option(Right::Call), option(Right::Put))
    else {
        return Err(Failure::Venue(
            "the venue lists no future with a CALL and a PUT".to_owned(),
        ));
    };
    floor::Floor {
        desk,
        tls,
        ticker: ready.ticker,
        trigger: future.token,
        legs: [call, put],
        core: topology::cores().last().copied(),
    }
    .run(&flag)
}
