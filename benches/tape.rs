//! A recording written again: bytes a tick, and how fast it is told apart, compressed and read.
//!
//! `cargo bench --bench tape -- FILE` with a recording of `tezi run --record`: a day of the simulated venue or a real
//! one. Without FILE it says how to make one.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench says what it measured and stops where it cannot"
)]

use std::path::Path;
use tezi::store::tape::{
    TapeReader, TapeRecord, TapeWriter, clock_record, frame_head, outcome_record, text_head,
    tick_record,
};
use tezi::venue::Broker;

/// Ticks the size is told for.
const DAY: f64 = 100e6;
/// Bytes handed over at once, as control does.
const PART: usize = 1 << 20;

/// The records of a recording as they came from the hot threads, in parts, with its ticks and messages.
fn records(file: &Path) -> (Vec<Vec<u8>>, [u64; 2]) {
    let (mut parts, mut part) = (Vec::new(), Vec::new());
    let mut counts = [0; 2];
    for record in TapeReader::open(file).unwrap() {
        match record {
            TapeRecord::Tick(tick) => {
                counts[0] += 1;
                part.extend_from_slice(&tick_record(&tick));
            }
            TapeRecord::Frame { at, bytes } => {
                counts[1] += 1;
                part.extend_from_slice(&frame_head(at, &bytes));
                part.extend_from_slice(&bytes);
            }
            TapeRecord::Text { at, bytes } => {
                counts[1] += 1;
                part.extend_from_slice(&text_head(at, &bytes));
                part.extend_from_slice(&bytes);
            }
            TapeRecord::Clock(at) => part.extend_from_slice(&clock_record(at)),
            TapeRecord::Outcome(entry) => part.extend_from_slice(&outcome_record(&entry)),
            TapeRecord::Header(_)
            | TapeRecord::Warmup { .. }
            | TapeRecord::State { .. }
            | TapeRecord::End(_) => {}
        }
        if part.len() >= PART {
            parts.push(std::mem::take(&mut part));
        }
    }
    parts.push(part);
    (parts, counts)
}

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"));
    let Some(file) = arguments.next() else {
        println!("tape: give a recording: tezi venue --speed 400, then tezi run --record day.tape");
        return;
    };
    let broker = arguments.next().and_then(|name| Broker::parse(&name));
    let (parts, [ticks, messages]) = records(Path::new(&file));
    let raw: usize = parts.iter().map(Vec::len).sum();
    let written = std::env::temp_dir().join(format!("tezi-bench-{}.tape", std::process::id()));
    let clock = quanta::Clock::new();

    let start = clock.now();
    let writer = TapeWriter::create(&written, "{}").unwrap();
    let mut writer = writer.of(broker.unwrap_or(Broker::Kite));
    for part in &parts {
        writer.push(part).unwrap();
    }
    writer.finish("{}").unwrap();
    let write = start.elapsed().as_secs_f64();

    let start = clock.now();
    let read = TapeReader::open(&written).unwrap().count();
    let took = start.elapsed().as_secs_f64();

    let bytes = std::fs::metadata(&written).unwrap().len() as f64;
    std::fs::remove_file(&written).unwrap();
    let count = ticks as f64;
    println!(
        "{file}: {ticks} ticks, {messages} messages, {:.1} MB of records",
        raw as f64 / 1e6
    );
    println!(
        "  size    {:.2} bytes a tick, {:.2} GiB for 100 million",
        bytes / count,
        bytes / count * DAY / f64::from(1 << 30)
    );
    println!(
        "  written {:.2} million ticks/s, {:.0} MB/s",
        count / write / 1e6,
        raw as f64 / write / 1e6
    );
    println!(
        "  read    {:.2} million ticks/s, {:.0} MB/s ({read} records)",
        count / took / 1e6,
        raw as f64 / took / 1e6
    );
}
