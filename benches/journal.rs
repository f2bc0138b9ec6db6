//! Append before send, and what waiting for the disk costs: p50, p99, p99.9 and max in nanoseconds.
//!
//! `cargo bench --bench journal`; the folder is `TMPDIR`, whose disk is what `fdatasync` measures.
#![allow(missing_docs, reason = "a bench has no readers of its items")]
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench prints a table and reads the clock"
)]

use hdrhistogram::Histogram;
use std::time::Instant;
use tezi::journal::{Entry, Segment, Sync, Writer};
use tezi::model::{Stamp, Tag};
use tezi::ring::{lane::Policy, lossless};

const APPENDS: u64 = 60_000;
const SYNCS: u64 = 2_000;

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    println!("journal                      count      p50      p99    p99.9      max   (ns)");
    let mut journal = writer(&folder.path().join("a.tzj"));
    let append = measure(APPENDS, || {
        journal
            .append(
                Entry::Sending(Tag(*b"TZ00010KFY0000100000")),
                Stamp::default(),
            )
            .expect("room");
    });
    row("append", &append);
    let mut journal = writer(&folder.path().join("b.tzj")).with_sync(Sync::BeforeSend);
    let synced = measure(SYNCS, || {
        journal
            .append(
                Entry::Sending(Tag(*b"TZ00010KFY0000100000")),
                Stamp::default(),
            )
            .expect("room");
        journal.sync_before_send().expect("synced");
    });
    row("append and fdatasync", &synced);
}

fn writer(path: &std::path::Path) -> Writer {
    let (_, prepared, _) = lossless("segments", 1, Policy::Stall);
    Writer::new(Segment::create(path).expect("a segment").0, prepared)
}

fn measure(count: u64, mut work: impl FnMut()) -> Histogram<u64> {
    let mut times = Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("bounds");
    for _ in 0..count {
        let begun = Instant::now();
        work();
        let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        times.saturating_record(nanos.max(1));
    }
    times
}

fn row(name: &str, times: &Histogram<u64>) {
    let at = |quantile| times.value_at_quantile(quantile);
    println!(
        "{name:<26} {:>7} {:>8} {:>8} {:>8} {:>8}",
        times.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        times.max()
    );
}
