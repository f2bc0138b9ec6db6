//! `tezi latency`: tick to order end to end, beside the floor, interleaved in one run.
//!
//! Venue and client are two processes. The venue stamps its frame before the write and every order byte on
//! arrival, so only one clock is involved. Each round runs every variant in turn and ratios are taken
//! within a round, because absolute times drift with the machine.

mod case;
mod engine;
mod files;
mod floor;
mod machine;
mod plot;
mod report;
mod statistics;

use super::run::load::take_ready_file;
use super::{Failure, stop_flag};
use crate::control::Desk;
use crate::model::{Exchange, Instrument, Kind, Right};
use crate::net::{Url, tls};
use crate::runtime::topology;
use crate::venue::Broker;
use case::{Case, Client, Load, Peer};
use engine::{Bench, Plan};
use report::Report;
use std::path::PathBuf;
use std::sync::Arc;

const EXAMPLES: &str = "\
Examples:
  tezi latency                                      plain and TLS, fused and split, 5 rounds
  tezi latency --rounds 20 --triggers 10000 --out target/latency
  tezi latency --transport tls --client floor,fused --pause-us 300,25000 --seconds 5
  tezi latency --client floor,fused --rate 1000     open loop: a stall counts against all it delays
  tezi latency --packets 500 --trigger-at first --floor-decodes
  tezi latency --client floor,fused --peer 'mine=./my-client --fast'

floor   a minimal busy-poll client: same sockets, same bytes, no decoding, no logic
fused   the engine on one thread: decode, bars, seven conditions, limits, journal, both legs
split   the engine on three threads; with fewer than four cores they park (at most 200 triggers,
        20 ms apart), which measures the scheduler more than the engine
a peer  any program that takes the venue's ready file (JSON: addresses, credentials, trigger prices) as
        its last argument, subscribes to the future and answers each crossing of the trigger price with
        two orders; it runs on the cores the venue leaves free. perf/peers/ has two

The venue answers each pair of orders at once and pauses before the next trigger. Figures are nanoseconds
from the venue's write of the frame (or from when it was due, with --rate) to the arrival of order bytes
at the venue. Ratios are taken within each round; their interval is a bootstrap over rounds.";

/// Measures tick to order, end to end, beside a floor client.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Rounds; every case runs once in each.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Triggers recorded per case and round.
    #[arg(long, default_value_t = 3_000, value_parser = clap::value_parser!(u32).range(10..=10_000_000))]
    triggers: u32,
    /// Most seconds of triggers per case and round: fewer triggers at longer pauses.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: Option<u32>,
    /// Microseconds between a finished round trip and the next trigger; several are measured in turn.
    #[arg(long, value_delimiter = ',', default_value = "300")]
    pause_us: Vec<u32>,
    /// Triggers a second whatever became of the one before (open loop), instead of a pause; times count
    /// from when each should have left.
    #[arg(long, value_delimiter = ',', value_name = "PER_SECOND", conflicts_with = "pause_us",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Vec<u32>,
    /// Packets in a trigger frame.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=2000))]
    packets: u16,
    /// Where in the frame the trigger stands.
    #[arg(long, default_value = "last", value_parser = ["first", "last"])]
    trigger_at: String,
    /// The floor decodes every packet of a frame before it answers.
    #[arg(long)]
    floor_decodes: bool,
    /// Transports to measure.
    #[arg(long, value_delimiter = ',', default_values = ["plain", "tls"], value_parser = ["plain", "tls"])]
    transport: Vec<String>,
    /// Clients to measure; the floor is always among them.
    #[arg(long, value_delimiter = ',', default_values = ["floor", "fused", "split"],
          value_parser = ["floor", "fused", "split"])]
    client: Vec<String>,
    /// Measure another program too; the venue's ready file is appended to its command.
    #[arg(long, value_name = "NAME=COMMAND", value_parser = Peer::parse)]
    peer: Vec<Peer>,
    /// Keep histograms (HdrHistogram logs), tables, figures and plots in this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// JSON on stdout.
    #[arg(long)]
    json: bool,
    /// Used by the measurement itself: run as the floor client of a ready venue.
    #[arg(long, hide = true, value_name = "READY")]
    floor_of: Option<PathBuf>,
}

impl Args {
    /// What a round measures, in order; the floor comes first, beside whom it is compared with.
    fn cases(&self) -> Vec<Case> {
        let own = [Client::Floor, Client::Fused, Client::Split];
        let wanted = |client: &Client| {
            *client == Client::Floor || self.client.iter().any(|name| name == client.name())
        };
        let peers = self.peer.iter().cloned().map(Client::Peer);
        let clients: Vec<Client> = own.into_iter().filter(wanted).chain(peers).collect();
        let loads: Vec<Load> = if self.rate.is_empty() {
            self.pause_us.iter().copied().map(Load::Pause).collect()
        } else {
            self.rate.iter().copied().map(Load::Rate).collect()
        };
        let mut cases = Vec::new();
        for load in loads {
            for transport in &self.transport {
                for client in &clients {
                    cases.push(Case {
                        client: client.clone(),
                        is_tls: transport == "tls",
                        load,
                    });
                }
            }
        }
        cases
    }
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<(), Failure> {
    if let Some(ready) = &args.floor_of {
        return be_floor(ready, args);
    }
    let interrupted = stop_flag()?;
    let plan = Plan {
        triggers: args.triggers,
        seconds: args.seconds,
        packets: args.packets,
        trigger_first: args.trigger_at == "first",
        floor_decodes: args.floor_decodes,
    };
    let bench = Bench::new(plan, &interrupted)?;
    let mut report = Report::new(plan);
    for round in 0..args.rounds {
        for case in args.cases() {
            let outcome = bench.run(&case)?;
            let said = outcome.said.clone();
            report.add(&case, outcome);
            if !args.json {
                report.progress((round, args.rounds), &case, said.as_deref())?;
            }
        }
    }
    report.finish(args.out.as_deref(), args.json)
}

/// Runs as the floor client until the venue ends the feed or the process is told to stop.
fn be_floor(ready: &std::path::Path, args: &Args) -> Result<(), Failure> {
    let flag = stop_flag()?;
    let venue = |e: &dyn std::fmt::Display| Failure::Venue(e.to_string());
    let ready = take_ready_file(ready)?;
    let tls = tls::client_config(ready.ca_file.as_deref()).map_err(|e| venue(&e))?;
    let url = Url::parse(&ready.rest).map_err(|e| venue(&e))?;
    let mut desk =
        Desk::open(Broker::Kite, url, Arc::clone(&tls), &ready.login).map_err(|e| venue(&e))?;
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
    // With one packet in a frame the trigger is all there is to see.
    let others = rows.iter().filter(|row| row.token != future.token);
    let others = others.filter(|_| args.packets > 1).cloned();
    floor::Floor {
        others: others.collect(),
        decodes: args.floor_decodes,
        desk,
        tls,
        ticker: ready.ticker,
        trigger: future.clone(),
        legs: [call, put],
        core: topology::cores().last().copied(),
    }
    .run(&flag)
}
