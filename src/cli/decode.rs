//! `tezi decode`: broker packets in, one JSON object per tick out.
//!
//! Promises
//! - Every field of a packet is printed under the name the broker's own Python client gives it, prices as
//!   exact decimals; beside it `normalised` holds what the engine itself would read of the packet.
//! - A bad frame is dropped whole, named on stderr by byte, what was found and what was expected, and
//!   counted; the frames after it are read.

use super::Failure;
use crate::model::time::parse_clock;
use crate::model::{FeedFault, WallNanos};
use crate::pipeline::parse_tape_header;
use crate::store::tape::{TapeReader, TapeRecord};
use crate::venue::kite::feed::{self, BadFrame};
use crate::venue::kite::packet::{self, Layout, Level, Packet, Segment};
use crate::venue::{Broker, Frame};
use data_encoding::{BASE64_NOPAD, HEXLOWER_PERMISSIVE};
use serde::Serialize;
use std::io::{self, Read as _, Write};

/// Prints broker packets as JSON, one object per tick.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Whose packets they are.
    #[arg(long, value_parser = ["kite"], default_value = "kite")]
    broker: String,
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
A frame is one binary message of the ticker: u16 packet count, then per packet u16 length and
body, big-endian; one byte alone is a heartbeat. Each tick comes out as one line: the broker's
fields under the names its Python client uses, times in India, and `normalised`: what the engine
reads of the packet (exact prices in rupees, zero where the packet has none; null, with the reason
in `fault`, when the engine refuses it).

Example: one last-price packet of instrument 884737 (low byte 1: NSE, prices in paise)

  $ echo '0001 0008 000d8001 0000997f' | tezi decode --broker kite --hex -
  {\"tradable\":true,\"mode\":\"ltp\",\"instrument_token\":884737,\"last_price\":392.95,\"normalised\":{...}}

  $ tezi decode --broker kite frame.bin                    a captured message
  $ tezi decode --broker kite --base64 --packet body.b64   a packet without its container
  $ tezi decode --broker kite frame.bin | jq .last_price
  $ tezi decode day.tape --from 11:00 --to 11:05           five minutes of a recording

Bad frames are dropped, named on stderr and counted. Exit code 3 when nothing could be decoded.";

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
    // The match keeps a broker whose packets are shown here from being forgotten; OpenAlgo sends text alone.
    match Broker::parse(&args.broker) {
        Some(Broker::Kite) => {}
        Some(Broker::Dhan | Broker::Kotak | Broker::OpenAlgo) | None => {
            return Err(Failure::Usage(format!(
                "packets of `{}` are not shown; known: kite",
                args.broker
            )));
        }
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut talk = io::stderr().lock();
    let path = std::path::Path::new(&args.file);
    if TapeReader::is_tape(path) {
        return recording(path, (args.from, args.to), &mut out, &mut talk);
    }
    let bytes = read_input(&args.file)?;
    let mut decoder = Decoder::new(&mut out, &mut talk);
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

fn clock(text: &str) -> Result<i64, String> {
    parse_clock(text).ok_or_else(|| format!("{text:?} is not a time of day such as 11:00"))
}

/// Prints the frames of a recording between two times of its day.
fn recording(
    path: &std::path::Path,
    (from, to): (Option<i64>, Option<i64>),
    out: &mut dyn Write,
    talk: &mut dyn Write,
) -> Result<(), Failure> {
    let mut tape = TapeReader::open(path).map_err(|fault| Failure::Input(fault.to_string()))?;
    let Some(TapeRecord::Header(header)) = tape.next() else {
        let why = tape.torn().unwrap_or("no header").to_owned();
        return Err(Failure::Input(format!("{}: {why}", path.display())));
    };
    let day = parse_tape_header(&header)
        .map_err(|why| Failure::Input(format!("{}: {why}", path.display())))?
        .day;
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
    let outcome = decode_frames(frames, out, talk).and_then(|summary| {
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

/// Decodes frames from anywhere, for example a recording, and prints them like the verb does.
///
/// # Errors
///
/// [`Failure::Failed`] when `out` cannot be written; bad frames are counted, not errors.
pub fn decode_frames(
    frames: impl Iterator<Item = Received>,
    out: &mut dyn Write,
    talk: &mut dyn Write,
) -> Result<Summary, Failure> {
    let mut decoder = Decoder::new(out, talk);
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
    out: &'a mut dyn Write,
    talk: &'a mut dyn Write,
    summary: Summary,
}

impl<'a> Decoder<'a> {
    fn new(out: &'a mut dyn Write, talk: &'a mut dyn Write) -> Self {
        Self {
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
            match feed::frame_length(rest) {
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
        let mut cursor = match feed::inspect(bytes) {
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
            match feed::next_body(bytes, &mut cursor) {
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
        let Ok(packet) = Packet::decode(body) else {
            self.summary.packets_skipped += 1;
            writeln!(
                self.talk,
                "decode: {name}: skipped a packet: found {} bytes, expected 8, 28, 32, 44 or 184",
                body.len()
            )?;
            return Ok(());
        };
        let Some(segment) = packet.segment() else {
            self.summary.packets_skipped += 1;
            writeln!(
                self.talk,
                "decode: {name}: skipped a packet: found segment {} in token {}, expected 1 to 9 or 12",
                packet.token.0 & 0xFF,
                packet.token.0
            )?;
            return Ok(());
        };
        let line = TickLine::new(&packet, segment, received, packet::quote(body));
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

/// One output line: the names and the order of pykiteconnect's tick, then ours.
#[derive(Serialize)]
struct TickLine {
    tradable: bool,
    mode: &'static str,
    instrument_token: u32,
    last_price: f64,
    #[serde(flatten)]
    traded: Option<Traded>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ohlc: Option<Ohlc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<f64>,
    #[serde(flatten)]
    interest: Option<Interest>,
    #[serde(flatten)]
    exchange: Option<ExchangeTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    depth: Option<Depth>,
    #[serde(skip_serializing_if = "Option::is_none")]
    received: Option<String>,
    normalised: Option<Normalised>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'static str>,
}

#[derive(Serialize)]
struct Traded {
    last_traded_quantity: u32,
    average_traded_price: f64,
    volume_traded: u32,
    total_buy_quantity: u32,
    total_sell_quantity: u32,
}

#[derive(Serialize)]
struct Ohlc {
    open: f64,
    high: f64,
    low: f64,
    close: f64,
}

#[derive(Serialize)]
struct Interest {
    last_trade_time: Option<String>,
    oi: u32,
    oi_day_high: u32,
    oi_day_low: u32,
}

#[derive(Serialize)]
struct ExchangeTime {
    exchange_timestamp: Option<String>,
}

#[derive(Serialize)]
struct Depth {
    buy: Vec<DepthLevel>,
    sell: Vec<DepthLevel>,
}

#[derive(Serialize)]
struct DepthLevel {
    quantity: u32,
    price: f64,
    orders: u16,
}

#[derive(Serialize)]
struct Normalised {
    token: u32,
    segment: &'static str,
    last: f64,
    bid: f64,
    ask: f64,
    volume_day: u32,
    exchange_time: Option<String>,
}

impl TickLine {
    fn new(
        packet: &Packet,
        segment: Segment,
        received: Option<WallNanos>,
        quote: Result<crate::model::Quote, FeedFault>,
    ) -> Self {
        let divisor = f64::from(segment.divisor());
        // Both numbers are exact, so the quotient is the double that prints as the decimal itself.
        let rupees = |raw: u32| f64::from(raw) / divisor;
        let layout = packet.layout;
        let full = layout == Layout::Full;
        let levels = |side: &[Level; 5]| {
            let level = |l: &Level| DepthLevel {
                quantity: l.quantity,
                price: rupees(l.price),
                orders: l.orders,
            };
            side.iter().map(level).collect()
        };
        let (last, close) = (rupees(packet.last), rupees(packet.close));
        Self {
            tradable: segment.is_tradable(),
            mode: layout.mode().name(),
            instrument_token: packet.token.0,
            last_price: last,
            traded: (full || layout == Layout::Quote).then(|| Traded {
                last_traded_quantity: packet.last_qty,
                average_traded_price: rupees(packet.average),
                volume_traded: packet.volume,
                total_buy_quantity: packet.buy_qty,
                total_sell_quantity: packet.sell_qty,
            }),
            ohlc: (layout != Layout::Ltp).then(|| Ohlc {
                open: rupees(packet.open),
                high: rupees(packet.high),
                low: rupees(packet.low),
                close,
            }),
            change: (layout != Layout::Ltp).then(|| {
                if packet.close == 0 {
                    0.0
                } else {
                    (last - close) * 100.0 / close
                }
            }),
            interest: full.then(|| Interest {
                last_trade_time: stamp(packet.last_trade_secs),
                oi: packet.oi,
                oi_day_high: packet.oi_high,
                oi_day_low: packet.oi_low,
            }),
            exchange: (full || layout == Layout::IndexFull).then(|| ExchangeTime {
                exchange_timestamp: stamp(packet.exchange_secs),
            }),
            depth: full.then(|| Depth {
                buy: levels(&packet.bids),
                sell: levels(&packet.asks),
            }),
            received: received.map(iso),
            fault: quote.err().map(FeedFault::name),
            normalised: quote.ok().map(|quote| Normalised {
                token: quote.token.0,
                segment: segment.name(),
                last: quote.last.rupees(),
                bid: quote.bid.rupees(),
                ask: quote.ask.rupees(),
                volume_day: quote.volume_day,
                exchange_time: (quote.exchange_time.0 > 0).then(|| iso(quote.exchange_time)),
            }),
        }
    }
}

/// Seconds since 1970 as the broker writes times: India, no offset. `None` for zero: not sent.
fn stamp(secs: u32) -> Option<String> {
    let wall = WallNanos::from_secs(i64::from(secs));
    (secs > 0).then(|| wall.to_string().get(..19).unwrap_or_default().to_owned())
}

/// A moment in ISO 8601 with India's offset.
fn iso(wall: WallNanos) -> String {
    format!("{}+05:30", wall.to_string().replace(' ', "T"))
}
