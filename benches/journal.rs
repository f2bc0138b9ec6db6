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

#[path = "shared/mod.rs"]
mod shared;

use hdrhistogram::Histogram;
use shared::figures::{head, histogram, row};
use std::time::Instant;
use tezi::journal::{Entry, Segment, Sync, Writer};
use tezi::model::{Stamp, Tag};
use tezi::ring::{lane::Policy, lossless};

const APPENDS: u64 = 60_000;
const SYNCS: u64 = 2_000;

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    println!("{}", head("journal"));
    let mut journal = writer(&folder.path().join("a.tzj"));
    let append = measure(APPENDS, || {
        journal
            .append(
                Entry::Sending(Tag(*b"TZ00010KFY0000100000")),
                Stamp::default(),
            )
            .expect("room");
    });
    println!("{}", row("append", &append));
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
    println!("{}", row("append and fdatasync", &synced));
}

fn writer(path: &std::path::Path) -> Writer {
    let (_, prepared, _) = lossless("segments", 1, Policy::Stall);
    Writer::new(Segment::create(path).expect("a segment").0, prepared)
}

fn measure(count: u64, mut work: impl FnMut()) -> Histogram<u64> {
    let mut times = histogram();
    for _ in 0..count {
        let begun = Instant::now();
        work();
        let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        times.saturating_record(nanos.max(1));
    }
    times
}
