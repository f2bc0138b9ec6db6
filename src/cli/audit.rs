//! `tezi audit`: is the journal what was written, and what does it say.

use super::Failure;
use crate::journal::reader::head_of;
use crate::journal::{Entry, Record, read, seal};
use clap::{Parser, Subcommand};
use serde_json::{Value, json};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Check a journal byte by byte, or print every record of it
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  tezi audit verify data/journal\n  tezi audit verify data/journal/2026-11-23-1-000.tzj\n  \
tezi audit export data/journal --csv > orders.csv\n\nverify exits with 1 when anything is damaged. A journal that ends \
torn because its run was\nkilled is named, and is no damage when the next run went on from it."
)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Check every record, the chain over all files of a day, and the seals
    Verify {
        /// Folders of journals, or journal files
        #[arg(value_name = "DIR|FILE", default_value = "data/journal")]
        paths: Vec<PathBuf>,
    },
    /// Print every sound record, one a line
    Export {
        /// Folders of journals, or journal files
        #[arg(value_name = "DIR|FILE", default_value = "data/journal")]
        paths: Vec<PathBuf>,
        /// One JSON object a line; this is the default
        #[arg(long, conflicts_with = "csv")]
        json: bool,
        /// One row of a table a line, under a line of column names
        #[arg(long)]
        csv: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
}

/// Runs the verb.
///
/// # Errors
///
/// [`Failure::Failed`] when a journal is damaged, [`Failure::Input`] when one cannot be read at all.
pub fn run(args: &Args) -> Result<(), Failure> {
    let out = &mut BufWriter::new(std::io::stdout().lock());
    match &args.what {
        What::Verify { paths } => verify(paths, out),
        What::Export { paths, csv, .. } => {
            let format = if *csv { Format::Csv } else { Format::Json };
            export(paths, format, out)
        }
    }
}

/// The files, in groups that are one chain each: an account and a day.
fn groups(paths: &[PathBuf]) -> Result<Vec<Vec<PathBuf>>, Failure> {
    let input =
        |path: &Path, e: &dyn std::fmt::Display| Failure::Input(format!("{}: {e}", path.display()));
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        for entry in std::fs::read_dir(path).map_err(|e| input(path, &e))? {
            let file = entry.map_err(|e| input(path, &e))?.path();
            if file.extension().is_some_and(|ext| ext == "tzj") {
                files.push(file);
            }
        }
    }
    if files.is_empty() {
        return Err(Failure::Input(
            "no journal there: a journal file ends in .tzj and lies in the folder `journal` of the data folder"
                .to_owned(),
        ));
    }
    let mut found = Vec::new();
    for file in files {
        let head = head_of(&file).map_err(|e| Failure::Input(e.to_string()))?;
        found.push(((head.account, head.day), (head.run, head.number), file));
    }
    found.sort();
    found.dedup();
    let chains = found.chunk_by(|a, b| a.0 == b.0);
    Ok(chains
        .map(|chain| chain.iter().map(|(_, _, file)| file.clone()).collect())
        .collect())
}

fn verify(paths: &[PathBuf], out: &mut impl Write) -> Result<(), Failure> {
    let mut damage = 0_u32;
    for files in groups(paths)? {
        let journal = read(&files).map_err(|e| Failure::Input(e.to_string()))?;
        for words in &journal.bridged {
            writeln!(out, "torn    {words}; the next run went on from there")?;
        }
        if let Some(words) = &journal.torn {
            damage += 1;
            writeln!(out, "DAMAGED {words}")?;
        }
        let mut before = None;
        for (at, file) in files.iter().enumerate() {
            let (sealed, next) = seal::check(file, before.as_deref())?;
            let words = match sealed {
                seal::Sealed::Open => "not sealed",
                seal::Sealed::Intact => "seal intact",
                seal::Sealed::Changed => "CHANGED after it was sealed",
                seal::Sealed::Unreadable => "SEAL UNREADABLE",
            };
            damage += u32::from(!matches!(sealed, seal::Sealed::Open | seal::Sealed::Intact));
            writeln!(out, "file    {} {}: {words}", at + 1, file.display())?;
            before = next;
        }
        writeln!(
            out,
            "chain   {} files, {} sound records",
            files.len(),
            journal.records.len()
        )?;
    }
    out.flush()?;
    if damage > 0 {
        return Err(Failure::Failed(format!(
            "{damage} places are damaged; what is before them is sound. Keep the files, and compare with the \
             broker's order book before trading on"
        )));
    }
    Ok(())
}

fn export(paths: &[PathBuf], format: Format, out: &mut impl Write) -> Result<(), Failure> {
    if format == Format::Csv {
        writeln!(out, "{}", COLUMNS.join(","))?;
    }
    let mut torn = None;
    for files in groups(paths)? {
        let journal = read(&files).map_err(|e| Failure::Input(e.to_string()))?;
        for record in &journal.records {
            let row = row(record);
            match format {
                Format::Json => writeln!(out, "{row}")?,
                Format::Csv => {
                    let cells = COLUMNS.map(|name| cell(row.get(name)));
                    writeln!(out, "{}", cells.join(","))?;
                }
            }
        }
        torn = torn.or(journal.torn);
    }
    out.flush()?;
    torn.map_or(Ok(()), |words| Err(Failure::Failed(words)))
}

/// No value of a record has a comma, a quote or a line end in it.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// Columns of the table form; a record fills those it has.
const COLUMNS: [&str; 22] = [
    "sequence",
    "at",
    "kind",
    "tag",
    "intent",
    "strategy",
    "instrument",
    "action",
    "role",
    "side",
    "qty",
    "price",
    "order_id",
    "state",
    "source",
    "reason",
    "reduces",
    "number",
    "venue_at",
    "filled",
    "book",
    "open",
];

fn row(record: &Record) -> Value {
    let mut row = entry(&record.entry);
    if let Some(fields) = row.as_object_mut() {
        fields.insert("sequence".to_owned(), json!(record.sequence));
        fields.insert("at".to_owned(), json!(record.at.wall.to_string()));
    }
    row
}

fn entry(entry: &Entry) -> Value {
    let fill = |kind: &str, fill: &crate::model::Fill| {
        json!({"kind": kind, "tag": fill.tag.as_str(), "strategy": fill.strategy.0,
            "instrument": fill.instrument.0, "side": fill.side.name(), "qty": fill.qty.0,
            "price": fill.price.to_string(), "venue_at": fill.at.to_string()})
    };
    match entry {
        Entry::Admitted(order) => {
            json!({"kind": "admitted", "tag": order.tag.as_str(), "intent": order.intent.0,
            "strategy": order.strategy.0, "instrument": order.instrument.0, "action": order.action.name(),
            "role": order.role.name(), "side": order.side.name(), "qty": order.qty.0,
            "price": order.limit.to_string(), "reduces": order.reduces})
        }
        Entry::Sending(tag) => json!({"kind": "sending", "tag": tag.as_str()}),
        Entry::Report(report) => json!({"kind": "report", "tag": report.tag.as_str(),
            "order_id": report.order_id.0, "state": report.state.name(), "filled": report.filled.0,
            "price": report.average.to_string(), "source": format!("{:?}", report.source).to_lowercase(),
            "reason": report.reject.map(crate::model::RejectClass::name)
                .or(report.denial.map(crate::model::Denial::name)),
            "venue_at": report.at.to_string()}),
        Entry::Fill(news) => fill("fill", news),
        Entry::Adopted(news) => fill("adopted", news),
        Entry::Amending(amend) => json!({"kind": "amending", "tag": amend.tag.as_str(),
            "order_id": amend.order_id.0, "action": if amend.limit.is_some() { "modify" } else { "cancel" },
            "price": amend.limit.map(|limit| limit.to_string()), "number": amend.number}),
        Entry::Ended(ended) => {
            json!({"kind": "ended", "intent": ended.intent.0, "state": ended.how.name(),
            "filled": format!("{}+{}", ended.filled[0], ended.filled[1])})
        }
        Entry::Latch(change) => json!({"kind": "latch", "state": change.state.name(),
            "reason": change.cause.name()}),
        Entry::Checkpoint(checkpoint) => {
            json!({"kind": "checkpoint", "intent": checkpoint.intent.0,
            "book": format!("{:016x}", checkpoint.book), "open": checkpoint.open})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Head;
    use crate::journal::record::{checksum, encode, tests::entries};
    use crate::model::Stamp;

    fn journal(dir: &Path) -> PathBuf {
        let mut bytes = Head::default().encode().to_vec();
        let mut previous = 0;
        for (sequence, entry) in (1..).zip(entries()) {
            let at = Stamp::default();
            let encoded = encode(
                &Record {
                    sequence,
                    at,
                    entry,
                },
                previous,
            );
            previous = checksum(&encoded);
            bytes.extend_from_slice(&encoded);
        }
        let path = dir.join("a.tzj");
        std::fs::write(&path, bytes).expect("write");
        path
    }

    #[test]
    fn every_record_is_exported_under_a_column_that_exists() {
        let dir = tempfile::tempdir().expect("dir");
        let path = journal(dir.path());
        for entry in entries() {
            let at = Stamp::default();
            let row = row(&Record {
                sequence: 1,
                at,
                entry,
            });
            let fields = row.as_object().expect("fields");
            for (name, value) in fields {
                assert!(COLUMNS.contains(&name.as_str()), "{name}");
                assert!(!cell(Some(value)).contains([',', '"', '\n']), "{name}");
            }
        }
        let mut out = Vec::new();
        export(&[path], Format::Csv, &mut out).expect("exported");
        let text = String::from_utf8(out).expect("text");
        assert_eq!(text.lines().count(), entries().len() + 1);
        assert!(
            text.lines()
                .all(|line| line.split(',').count() == COLUMNS.len())
        );
    }

    #[test]
    fn damage_and_a_change_after_sealing_fail_and_name_the_file() {
        let dir = tempfile::tempdir().expect("dir");
        let path = journal(dir.path());
        let folder = [dir.path().to_owned()];
        let mut out = Vec::new();
        verify(&folder, &mut out).expect("sound");
        seal::seal(&path, "").expect("sealed");
        verify(&folder, &mut out).expect("sound");
        assert!(String::from_utf8_lossy(&out).contains("seal intact"));
        let mut bytes = std::fs::read(&path).expect("read");
        bytes[300] ^= 1;
        std::fs::write(&path, bytes).expect("write");
        let mut out = Vec::new();
        let failure = verify(&folder, &mut out).expect_err("damaged");
        assert!(matches!(failure, Failure::Failed(words) if words.starts_with("2 places")));
        let text = String::from_utf8(out).expect("text");
        assert!(
            text.contains("byte 256") && text.contains("CHANGED"),
            "{text}"
        );
    }

    #[test]
    fn a_folder_without_a_journal_is_said_so() {
        let dir = tempfile::tempdir().expect("dir");
        let failure = verify(&[dir.path().to_owned()], &mut Vec::new()).expect_err("none");
        assert!(failure.to_string().contains(".tzj"));
    }
}
