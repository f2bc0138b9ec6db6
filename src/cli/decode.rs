//! `tezi decode`: broker packets in, one JSON object per tick out.
//!
//! Promises
//! - Every field of a packet is printed, of every broker under the same names (those of Kite's Python client) as far as
//!   there is one; prices as exact decimals. Beside it `normalised` holds what the engine itself would read of the packet.
//! - A bad frame is dropped whole, named on stderr by byte, what was found and what was expected, and
//!   counted; the frames after it are read. So is a packet of a kind nobody knows, its neighbours are read.

use super::Failure;
use crate::model::WallNanos;
use crate::model::time::parse_clock;
use crate::pipeline::parse_tape_header;
use crate::store::tape::{TapeReader, TapeRecord};
use crate::venue::show::iso;
use crate::venue::{BadFrame, Broker, Frame};
use data_encoding::{BASE64_NOPAD, HEXLOWER_PERMISSIVE};
use std::io::{self, Read as _, Write};

/// Prints broker packets as JSON, one object per tick.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Whose packets they are: kite, dhan, kotak, openalgo [default: the recording's own, else kite].
    #[arg(long, value_parser = broker)]
    broker: Option<Broker>,
    /// FILE is text: base64, one frame per line.
    #[arg(long, group = "encoding")]
    base64: bool,
    /// FILE is text: hexadecimal, one frame per line, blanks between bytes allowed.
    #[arg(long, group = "encoding")]
    hex: bool,
    /// FILE is the bytes as they came: one frame, or several one after the other (the default).
    #[arg(long, group = "encoding")]
    raw: bool,
    /// FILE (or each of its lines) is one bare packet, without count and length in front.
    #[arg(long)]
    packet: bool,
    /// FILE is a recording: from this time of day in India on, HH:MM or HH:MM:SS.
    #[arg(long, value_parser = clock)]
    from: Option<i64>,
    /// FILE is a recording: up to this time of day.
    #[arg(long, value_parser = clock)]
    to: Option<i64>,
    /// The file, or `-` for standard input; a recording of tezi run --record is known by its first bytes.
    file: String,
}

const EXAMPLES: &str = "\
A frame is one message of the feed. Kite: u16 packet count, then per packet u16 length and body,
big-endian; one byte alone is a heartbeat. Dhan (market feed and 20-level depth) and Kotak Neo:
packets end to end, little-endian, each with its own header. OpenAlgo: one JSON message a line.
Each packet comes out as one line: its fields under the names Kite's Python client uses, and under
the broker's own where Kite has none, `kind` where there are more than modes, times in India, and
`normalised`: what the engine reads of the packet (exact prices in rupees, zero where the packet has
none; null, with the reason in `fault`, when the engine refuses it; left out when it has no price).

Example: one last-price packet of instrument 884737 (low byte 1: NSE, prices in paise)

  $ echo '0001 0008 000d8001 0000997f' | tezi decode --broker kite --hex -
  {\"tradable\":true,\"mode\":\"ltp\",\"instrument_token\":884737,\"last_price\":392.95,\"normalised\":{...}}

  $ tezi decode --broker kite frame.bin                    a captured message
  $ tezi decode --broker kite --base64 --packet body.b64   a packet without its container
  $ tezi decode --broker kite frame.bin | jq .last_price
  $ tezi decode --broker dhan frame.bin | jq 'select(.kind == \"oi\") | .oi'
  $ tezi decode day.tape --from 11:00 --to 11:05           five minutes of a recording

Bad frames are dropped, and packets of unknown kinds skipped: named on stderr with their byte, and
counted. Exit code 3 when nothing could be decoded.";

/// One frame with the time it was received, where that is known.
pub type Received = (Option<WallNanos>, Vec<u8>);

/// What came out of a run of frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Frames that were taken.
    pub frames: u64,
    /// Frames that were dropped.
    pub frames_bad: u64,
    /// Frames that were only a sign of life.
    pub heartbeats: u64,
    /// Ticks printed.
    pub ticks: u64,
    /// Packets of a length nobody knows.
    pub packets_skipped: u64,
}

/// Runs the verb.
///
/// # Errors
///
/// [`Failure::Input`] when the file cannot be read or holds nothing that can be decoded.
pub fn run(args: &Args) -> Result<(), Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut talk = io::stderr().lock();
    let path = std::path::Path::new(&args.file);
    if TapeReader::is_tape(path) {
        return recording(path, args, &mut out, &mut talk);
    }
    let bytes = read_input(&args.file)?;
    let broker = args.broker.unwrap_or(Broker::Kite);
    let mut decoder = Decoder::new(broker, &mut out, &mut talk);
    let outcome = if args.base64 || args.hex {
        decoder.lines(&bytes, args.base64, args.packet)
    } else if args.packet {
        decoder.bare(None, &bytes, "packet")
    } else {
        decoder.stream(&bytes)
    };
    let summary = decoder.summary;
    match outcome.and_then(|()| out.flush()) {
        Ok(()) => finish(summary, &args.file, &mut talk),
        // A reader such as `head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn broker(text: &str) -> Result<Broker, String> {
    Broker::parse(text).ok_or_else(|| {
        let names = Broker::ALL.map(Broker::name);
        format!("{text:?} is no broker; known: {}", names.join(", "))
    })
}

fn clock(text: &str) -> Result<i64, String> {
    parse_clock(text).ok_or_else(|| format!("{text:?} is not a time of day such as 11:00"))
}

/// Prints the frames of a recording between two times of its day.
fn recording(
    path: &std::path::Path,
    args: &Args,
    out: &mut dyn Write,
    talk: &mut dyn Write,
) -> Result<(), Failure> {
    let mut tape = TapeReader::open(path).map_err(|fault| Failure::Input(fault.to_string()))?;
    let Some(TapeRecord::Header(header)) = tape.next() else {
        let why = tape.torn().unwrap_or("no header").to_owned();
        return Err(Failure::Input(format!("{}: {why}", path.display())));
    };
    let header = parse_tape_header(&header)
        .map_err(|why| Failure::Input(format!("{}: {why}", path.display())))?;
    let (day, from, to) = (header.day, args.from, args.to);
    let broker = args.broker.unwrap_or_else(|| broker_of(&header.config));
    let (first, last) = (
        day.at(from.unwrap_or(0)),
        to.map_or(WallNanos(i64::MAX), |to| day.at(to)),
    );
    if from.is_some() {
        tape.seek(first)?;
    }
    let frames = tape.by_ref().filter_map(|record| match record {
        TapeRecord::Frame { at, bytes } => Some((at.wall, bytes)),
        _ => None,
    });
    let frames = frames
        .skip_while(|(at, _)| *at < first)
        .take_while(|(at, _)| *at <= last)
        .map(|(at, bytes)| (Some(at), bytes));
    let outcome = decode_frames(broker, frames, out, talk).and_then(|summary| {
        out.flush()?;
        Ok(summary)
    });
    let summary = match outcome {
        Ok(summary) => summary,
        Err(Failure::Failed(text)) if text.contains("Broken pipe") => return Ok(()),
        Err(failure) => return Err(failure),
    };
    if let Some(torn) = tape.torn() {
        writeln!(talk, "decode: {torn}")?;
    }
    if summary.frames == 0 && summary.heartbeats == 0 {
        return Err(Failure::Input(format!(
            "{}: no frame in that time; was it recorded with --no-frames?",
            path.display()
        )));
    }
    finish(summary, &path.display().to_string(), talk)
}

/// The broker of a run's configuration: the word alone is read, so that no secret file has to be there.
fn broker_of(config: &str) -> Broker {
    let table: Option<toml::Table> = config.parse().ok();
    let kind = table
        .as_ref()
        .and_then(|table| table.get("venue")?.get("kind")?.as_str());
    kind.and_then(Broker::parse).unwrap_or(Broker::Kite)
}

/// Decodes frames from anywhere, for example a recording, and prints them like the verb does.
///
/// # Errors
///
/// [`Failure::Failed`] when `out` cannot be written; bad frames are counted, not errors.
pub fn decode_frames(
    broker: Broker,
    frames: impl Iterator<Item = Received>,
    out: &mut dyn Write,
    talk: &mut dyn Write,
) -> Result<Summary, Failure> {
    let mut decoder = Decoder::new(broker, out, talk);
    for (number, (received, bytes)) in frames.enumerate() {
        decoder.frame(received, &bytes, &format!("frame {}", number + 1))?;
    }
    Ok(decoder.summary)
}

fn read_input(file: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let outcome = if file == "-" {
        io::stdin().lock().read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(file).map(|read| bytes = read)
    };
    outcome.map_err(|error| Failure::Input(format!("cannot read `{file}`: {error}")))?;
    if bytes.is_empty() {
        return Err(Failure::Input(format!(
            "`{file}` is empty; a frame has at least one byte"
        )));
    }
    Ok(bytes)
}

fn finish(summary: Summary, file: &str, talk: &mut dyn Write) -> Result<(), Failure> {
    let Summary {
        frames,
        frames_bad,
        heartbeats,
        ticks,
        packets_skipped,
    } = summary;
    let nothing_wrong = frames_bad == 0 && packets_skipped == 0;
    if ticks == 0 && heartbeats == 0 && (frames == 0 || !nothing_wrong) {
        return Err(Failure::Input(format!(
            "nothing in `{file}` could be decoded ({frames_bad} bad frames, {packets_skipped} packets \
             skipped); is it --base64, --hex, or a bare --packet?"
        )));
    }
    if !nothing_wrong {
        writeln!(
            talk,
            "decode: {ticks} ticks from {frames} frames ({heartbeats} heartbeats); dropped \
             {frames_bad} frames, skipped {packets_skipped} packets"
        )?;
    }
    Ok(())
}

struct Decoder<'a> {
    broker: Broker,
    out: &'a mut dyn Write,
    talk: &'a mut dyn Write,
    summary: Summary,
}

impl<'a> Decoder<'a> {
    fn new(broker: Broker, out: &'a mut dyn Write, talk: &'a mut dyn Write) -> Self {
        Self {
            broker,
            out,
            talk,
            summary: Summary::default(),
        }
    }

    /// Text: every line that is not blank is one frame, or one bare packet.
    fn lines(&mut self, text: &[u8], base64: bool, bare: bool) -> io::Result<()> {
        for (at, line) in text.split(|b| *b == b'\n').enumerate() {
            let line: Vec<u8> = line
                .iter()
                .copied()
                .filter(|b| !b.is_ascii_whitespace())
                .collect();
            if line.is_empty() {
                continue;
            }
            let name = format!("line {}", at + 1);
            let decoded = if base64 {
                let end = line
                    .iter()
                    .rposition(|b| *b != b'=')
                    .map_or(0, |last| last + 1);
                BASE64_NOPAD.decode(line.get(..end).unwrap_or_default())
            } else {
                HEXLOWER_PERMISSIVE.decode(&line)
            };
            match decoded {
                Ok(bytes) if bare => self.bare(None, &bytes, &name)?,
                Ok(bytes) => self.frame(None, &bytes, &name)?,
                Err(error) => {
                    self.summary.frames_bad += 1;
                    let kind = if base64 { "base64" } else { "hexadecimal" };
                    writeln!(self.talk, "decode: {name}: not {kind}: {error}")?;
                }
            }
        }
        Ok(())
    }

    /// Raw bytes: containers announce their length, so several can stand in a row.
    fn stream(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let name = format!("frame at byte {at} of the file");
            match self.broker.message_length(rest) {
                Ok(length) => {
                    self.frame(None, rest.get(..length).unwrap_or(rest), &name)?;
                    at += length.max(1);
                }
                // Where the next frame would begin is unknown, so the rest of the file is lost.
                Err(bad) => return self.drop_frame(&name, bad),
            }
        }
        Ok(())
    }

    fn frame(&mut self, received: Option<WallNanos>, bytes: &[u8], name: &str) -> io::Result<()> {
        let mut cursor = match self.broker.inspect(bytes) {
            Ok(Frame::Heartbeat) => {
                self.summary.frames += 1;
                self.summary.heartbeats += 1;
                return Ok(());
            }
            Ok(Frame::Packets(cursor)) => cursor,
            Err(bad) => return self.drop_frame(name, bad),
        };
        self.summary.frames += 1;
        loop {
            let at = cursor.at();
            match self.broker.next_body(bytes, &mut cursor) {
                None => return Ok(()),
                Some(Ok(body)) => self.body(received, body, &format!("{name}, byte {at}"))?,
                Some(Err(fault)) => {
                    let bad = BadFrame {
                        fault,
                        offset: at,
                        found: bytes.len(),
                        expected: 0,
                    };
                    return self.drop_frame(name, bad);
                }
            }
        }
    }

    fn bare(&mut self, received: Option<WallNanos>, body: &[u8], name: &str) -> io::Result<()> {
        let ticks = self.summary.ticks;
        self.body(received, body, name)?;
        self.summary.frames += u64::from(self.summary.ticks > ticks);
        Ok(())
    }

    fn body(&mut self, received: Option<WallNanos>, body: &[u8], name: &str) -> io::Result<()> {
        let mut line = match self.broker.show(body) {
            Ok(line) => line,
            Err(why) => {
                self.summary.packets_skipped += 1;
                return writeln!(self.talk, "decode: {name}: skipped a packet: {why}");
            }
        };
        line.received = received.map(iso);
        let text = serde_json::to_string(&line)?;
        writeln!(self.out, "{text}")?;
        self.summary.ticks += 1;
        Ok(())
    }

    fn drop_frame(&mut self, name: &str, bad: BadFrame) -> io::Result<()> {
        self.summary.frames_bad += 1;
        writeln!(self.talk, "decode: {name}: dropped: {bad}")?;
        Ok(())
    }
}
