//! `tezi replay`: a recording through the same code, one input at a time.

use super::Failure;
use super::run::console::Console;
use super::run::names::Names;
use crate::config::Config;
use crate::hot::decide::DecideEvent;
use crate::pipeline::{arm, parse_tape_header, replay};
use crate::store::tape::{TapeFault, TapeReader, TapeRecord};
use serde_json::json;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  tezi run --config config/demo.toml --venue-ready venue.json --record day.tape
  tezi replay day.tape             the same decisions again, and whether they are the same
  tezi replay day.tape --events    every bar and intent as well
  tezi replay day.tape --prove     exit code 1 unless it is proved that they are the same

A recording carries its configuration, its market rules, its instruments, its history, and every input of the
deciding stage in the order it was taken: no other file is read, no login is needed. The replay feeds them to
the same stage under a virtual clock: the digests of intents and journal must equal those of the recorded run,
whatever its topology was.
Exit code 1 when they differ, also in a recording whose run was killed and left no digests. With --prove exit
code 1 as well when nothing differs and nothing is proved: no digests, or a torn recording.";

/// Replays a recording through the same code, deterministically.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A file written by tezi run --record.
    #[arg(value_name = "TAPE")]
    file: PathBuf,
    /// Print every bar and intent.
    #[arg(long)]
    events: bool,
    /// Fail unless the recording is whole and its digests are the replay's.
    #[arg(long)]
    prove: bool,
    /// JSON on stdout.
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<(), Failure> {
    let name = args.file.display();
    let mut tape = TapeReader::open(&args.file).map_err(|fault| match fault {
        TapeFault::Unreadable { .. } | TapeFault::NotATape { .. } | TapeFault::Format { .. } => {
            Failure::Input(fault.to_string())
        }
    })?;
    let Some(TapeRecord::Header(text)) = tape.next() else {
        let why = tape.torn().unwrap_or("no header").to_owned();
        return Err(Failure::Input(format!("{name}: {why}")));
    };
    let unfit = |why: String| Failure::Input(format!("{name}: {why}"));
    let header = parse_tape_header(&text).map_err(unfit)?;
    let config = Config::recorded(&args.file, &header.config, header.market.as_ref())
        .map_err(|e| unfit(e.to_string()))?;
    let assembly = arm::assemble(&config, &header.instruments, header.day)
        .map_err(|fault| unfit(fault.to_string()))?;
    let names = Names::of(&header.instruments, &assembly);
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut console = Console {
        names,
        out: &mut out,
        json: args.json,
        bars: true,
        quiet: false,
        last_skip: None,
    };
    let found = replay::replay(&header, assembly, &mut tape, |event: &DecideEvent| {
        if args.events {
            console.decide(event);
        }
    });
    let agrees = found.agrees();
    let totals = found.totals;
    let value = json!({
        "ticks": totals.ticks, "frames": found.frames, "outcomes": found.outcomes,
        "bars": totals.bars, "bars_by_clock": totals.bars_by_clock,
        "entry": totals.intents[0], "pyramid": totals.intents[1], "exit": totals.intents[2],
        "intents": found.intents, "journal": found.journal,
        "agrees": agrees, "lost": found.lost, "divergence": found.divergence, "torn": found.torn,
    });
    let verdict = match agrees {
        Some(true) => "the same as the recorded run".to_owned(),
        Some(false) => format!(
            "DIFFERENT from the recorded run{}",
            found
                .divergence
                .as_deref()
                .map_or_else(String::new, |d| format!(": {d}"))
        ),
        None => "no order differs, and the recorded run left no digests (it did not end in order)"
            .to_owned(),
    };
    let mut lines = vec![
        format!(
            "ticks      {} ({} raw frames beside them)",
            totals.ticks, found.frames
        ),
        format!(
            "bars       {} ({} closed by the clock)",
            totals.bars, totals.bars_by_clock
        ),
        format!(
            "intents    {} ENTRY, {} PYRAMID, {} EXIT",
            totals.intents[0], totals.intents[1], totals.intents[2]
        ),
        format!("outcomes   {}", found.outcomes),
        format!("hash       intents {}", found.intents),
        format!("           journal {}", found.journal),
        format!("verdict    {verdict}"),
    ];
    if found.lost > 0 {
        lines.push(format!(
            "lost       {} records: the machine was too slow to record at this speed, and what is missing \
             cannot be decided again",
            found.lost
        ));
    }
    if let Some(torn) = &found.torn {
        lines.push(format!("torn       {torn}"));
    }
    console.line("replay", &lines.join("\n"), &value);
    out.flush()?;
    let is_proved = agrees == Some(true) && found.torn.is_none();
    if agrees == Some(false) || (args.prove && !is_proved) {
        return Err(Failure::Failed(format!("{name}: {verdict}")));
    }
    Ok(())
}
