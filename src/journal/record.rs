//! The journal's record: 128 bytes, little-endian.
//!
//! ```text
//!   0  sequence u64 | 8  kind u8, version u8, body length u16, zero u32 | 16 wall i64 | 24 mono u64
//!   32 body, 88 bytes, zero-padded | 120 crc32 of the previous record | 124 crc32 of bytes 0..124
//! ```

use crate::model::{
    Action, Amend, Cause, Checkpoint, Denial, Ended, Ending, Fill, InstrumentIx, IntentId,
    LatchChange, LegRole, MonoNanos, Order, OrderId, OrderState, Price, Qty, RejectClass, Report,
    ReportSource, Side, Stamp, StrategyIx, Tag, TradingState, WallNanos,
};

/// Bytes of one record.
pub const RECORD: usize = 128;
const BODY: usize = 88;
/// Version of header and records; a journal of another one is refused.
pub const VERSION: u8 = 3;

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// An order passed the limits; written before its first byte leaves.
    Admitted(Order),
    /// Something became known of an order.
    Report(Report),
    /// An order was executed, in part or whole.
    Fill(Fill),
    /// The first byte of an admitted order leaves now.
    Sending(Tag),
    /// A modification or cancel of a live order leaves now.
    Amending(Amend),
    /// Nothing more will be sent for an intent, or it is not over after all.
    Ended(Ended),
    /// A position was taken over that no order of ours made.
    Adopted(Fill),
    /// The trading state changed.
    Latch(LatchChange),
    /// What the book comes to at this place.
    Checkpoint(Checkpoint),
}

/// An entry with its place and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Position in the journal, from 1.
    pub sequence: u64,
    /// When it was written.
    pub at: Stamp,
    /// What it says.
    pub entry: Entry,
}

impl Entry {
    const fn kind(&self) -> u8 {
        match self {
            Self::Admitted(_) => 1,
            Self::Report(_) => 2,
            Self::Fill(_) => 3,
            Self::Sending(_) => 4,
            Self::Amending(_) => 5,
            Self::Ended(_) => 6,
            Self::Adopted(_) => 7,
            Self::Latch(_) => 8,
            Self::Checkpoint(_) => 9,
        }
    }
}

/// Encodes a record; `previous` is the checksum of the record before it, which chains them.
#[inline(never)]
pub fn encode(record: &Record, previous: u32) -> [u8; RECORD] {
    let mut bytes = [0_u8; RECORD];
    let mut out = Out {
        bytes: &mut bytes,
        at: 0,
    };
    out.put(record.sequence.to_le_bytes());
    out.put([record.entry.kind(), VERSION]);
    out.at = 16;
    out.put(record.at.wall.0.to_le_bytes());
    out.put(record.at.mono.0.to_le_bytes());
    write_body(&record.entry, &mut out);
    let body = u16::try_from(out.at - 32).unwrap_or(0);
    debug_assert!(usize::from(body) <= BODY);
    out.at = 10;
    out.put(body.to_le_bytes());
    out.at = 120;
    out.put(previous.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..124]);
    bytes[124..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Checksum at the end of an encoded record, to chain the next one.
pub fn checksum(bytes: &[u8; RECORD]) -> u32 {
    u32::from_le_bytes([bytes[124], bytes[125], bytes[126], bytes[127]])
}

/// Writes the body of an entry alone: what two runs compare, because it carries no time of ours.
pub fn body(entry: &Entry) -> [u8; BODY + 1] {
    let mut bytes = [0_u8; RECORD];
    let mut out = Out {
        bytes: &mut bytes,
        at: 32,
    };
    write_body(entry, &mut out);
    let mut body = [0_u8; BODY + 1];
    body[0] = entry.kind();
    body[1..].copy_from_slice(&bytes[32..32 + BODY]);
    body
}

/// Decodes a record, or `None` when it is torn, changed, out of the chain or of another version.
pub fn decode(bytes: &[u8; RECORD], previous: u32) -> Option<Record> {
    if crc32fast::hash(&bytes[..124]) != checksum(bytes) || bytes[9] != VERSION {
        return None;
    }
    let mut input = In { bytes, at: 0 };
    let sequence = input.u64();
    let kind = input.u8();
    input.at = 16;
    let at = Stamp {
        wall: WallNanos(input.i64()),
        mono: MonoNanos(input.u64()),
    };
    let entry = read_body(kind, &mut input)?;
    input.at = 120;
    (input.u32() == previous).then_some(Record {
        sequence,
        at,
        entry,
    })
}

struct Out<'a> {
    bytes: &'a mut [u8; RECORD],
    at: usize,
}

impl Out<'_> {
    #[inline]
    fn put<const N: usize>(&mut self, part: [u8; N]) {
        self.bytes[self.at..self.at + N].copy_from_slice(&part);
        self.at += N;
    }
}

struct In<'a> {
    bytes: &'a [u8; RECORD],
    at: usize,
}

impl In<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut part = [0; N];
        part.copy_from_slice(&self.bytes[self.at..self.at + N]);
        self.at += N;
        part
    }
    fn u8(&mut self) -> u8 {
        self.take::<1>()[0]
    }
    fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.take())
    }
    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }
    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }
    fn i64(&mut self) -> i64 {
        i64::from_le_bytes(self.take())
    }
}

/// Writes `Option<impl Copy>` as its position in a table plus one, zero for none.
macro_rules! code {
    ($type:ty, $($variant:path = $code:literal),+ $(,)?) => {
        impl Code for $type {
            fn code(self) -> u8 { match self { $($variant => $code),+ } }
            fn of(code: u8) -> Option<Self> { match code { $($code => Some($variant),)+ _ => None } }
        }
    };
}

trait Code: Sized {
    fn code(self) -> u8;
    fn of(code: u8) -> Option<Self>;
}

code!(
    Action,
    Action::Entry = 1,
    Action::Pyramid = 2,
    Action::Exit = 3
);
code!(Side, Side::Buy = 1, Side::Sell = 2);
code!(
    LegRole,
    LegRole::Call = 1,
    LegRole::Put = 2,
    LegRole::Outright = 3
);
code!(
    OrderState,
    OrderState::Denied = 1,
    OrderState::Admitted = 2,
    OrderState::Sending = 3,
    OrderState::Acknowledged = 4,
    OrderState::Open = 5,
    OrderState::Filled = 6,
    OrderState::Cancelled = 7,
    OrderState::Rejected = 8,
    OrderState::Expired = 9,
    OrderState::Unknown = 10,
);
code!(
    ReportSource,
    ReportSource::Gateway = 1,
    ReportSource::Reply = 2,
    ReportSource::Postback = 3,
    ReportSource::Poll = 4,
);
code!(
    RejectClass,
    RejectClass::Session = 1,
    RejectClass::Permission = 2,
    RejectClass::Input = 3,
    RejectClass::Margin = 4,
    RejectClass::Order = 5,
);
code!(
    Denial,
    Denial::NotWholeLots = 1,
    Denial::AboveFreeze = 2,
    Denial::OffTick = 3,
    Denial::OutsideBand = 4,
    Denial::OpenOrders = 5,
    Denial::StaleData = 6,
    Denial::OutsideSession = 7,
    Denial::NotArmed = 8,
    Denial::LegFrozen = 9,
    Denial::NoConnection = 10,
    Denial::Journal = 11,
    Denial::Budget = 12,
    Denial::Stopping = 13,
    Denial::OrderValue = 14,
    Denial::OpenValue = 15,
    Denial::NetLots = 16,
    Denial::GrossLots = 17,
    Denial::ExceedsPosition = 18,
    Denial::Reducing = 19,
    Denial::Halted = 20,
    Denial::Duplicate = 21,
    Denial::NotAllowed = 22,
    Denial::WrongMode = 23,
    Denial::StrategyStopped = 24,
    Denial::DailyLoss = 25,
    Denial::BudgetDay = 26,
    Denial::LastBand = 27,
    Denial::Modifications = 28,
    Denial::BudgetHour = 29,
    Denial::PositionDiffers = 30,
);

code!(
    Ending,
    Ending::Complete = 1,
    Ending::Nothing = 2,
    Ending::Partly = 3,
    Ending::Unwound = 4,
    Ending::Held = 5,
    Ending::Reopened = 6,
);
code!(
    TradingState,
    TradingState::Active = 1,
    TradingState::Reducing = 2,
    TradingState::Halted = 3,
);
code!(
    Cause,
    Cause::Start = 1,
    Cause::Operator = 2,
    Cause::DailyLoss = 3,
    Cause::Runaway = 4,
    Cause::Journal = 5,
    Cause::Fence = 6,
    Cause::Venue = 7,
);

fn option<C: Code>(value: Option<C>) -> u8 {
    value.map_or(0, Code::code)
}

/// Zero is none; a code of no variant is an error.
fn read_option<C: Code>(code: u8) -> Result<Option<C>, ()> {
    if code == 0 {
        return Ok(None);
    }
    C::of(code).map(Some).ok_or(())
}

#[inline]
fn write_body(entry: &Entry, out: &mut Out<'_>) {
    match entry {
        Entry::Admitted(order) => {
            out.put(order.tag.0);
            out.put(order.intent.0.to_le_bytes());
            out.put(order.strategy.0.to_le_bytes());
            out.put(order.instrument.0.to_le_bytes());
            out.put([order.action.code(), order.role.code(), order.side.code()]);
            out.put(order.qty.0.to_le_bytes());
            out.put(order.limit.0.to_le_bytes());
            out.put(order.received.0.to_le_bytes());
            out.put(order.signal.0.to_le_bytes());
            out.put([u8::from(order.reduces)]);
        }
        Entry::Report(report) => {
            out.put(report.tag.0);
            out.put(report.order_id.0.to_le_bytes());
            out.put([report.state.code(), report.source.code()]);
            out.put([option(report.reject), option(report.denial)]);
            out.put(report.filled.0.to_le_bytes());
            out.put(report.average.0.to_le_bytes());
            out.put(report.at.0.to_le_bytes());
            out.put(report.received.0.to_le_bytes());
        }
        Entry::Sending(tag) => out.put(tag.0),
        Entry::Amending(amend) => {
            out.put(amend.tag.0);
            out.put(amend.order_id.0.to_le_bytes());
            out.put([u8::from(amend.limit.is_some())]);
            out.put(amend.limit.unwrap_or_default().0.to_le_bytes());
            out.put(amend.number.to_le_bytes());
        }
        Entry::Ended(ended) => {
            out.put(ended.intent.0.to_le_bytes());
            out.put([ended.how.code()]);
            out.put(ended.filled[0].0.to_le_bytes());
            out.put(ended.filled[1].0.to_le_bytes());
        }
        Entry::Latch(change) => out.put([change.state.code(), change.cause.code()]),
        Entry::Checkpoint(checkpoint) => {
            out.put(checkpoint.intent.0.to_le_bytes());
            out.put(checkpoint.book.to_le_bytes());
            out.put(checkpoint.open.to_le_bytes());
        }
        Entry::Fill(fill) | Entry::Adopted(fill) => {
            out.put(fill.tag.0);
            out.put(fill.strategy.0.to_le_bytes());
            out.put(fill.instrument.0.to_le_bytes());
            out.put([fill.side.code()]);
            out.put(fill.qty.0.to_le_bytes());
            out.put(fill.price.0.to_le_bytes());
            out.put(fill.at.0.to_le_bytes());
        }
    }
}

fn read_order(input: &mut In<'_>) -> Option<Order> {
    Some(Order {
        tag: Tag(input.take()),
        intent: IntentId(input.u64()),
        strategy: StrategyIx(input.u16()),
        instrument: InstrumentIx(input.u16()),
        action: Action::of(input.u8())?,
        role: LegRole::of(input.u8())?,
        side: Side::of(input.u8())?,
        qty: Qty(input.u32()),
        limit: Price(input.i64()),
        received: MonoNanos(input.u64()),
        signal: Price(input.i64()),
        reduces: input.u8() == 1,
    })
}

fn read_amend(input: &mut In<'_>) -> Amend {
    let (tag, order_id) = (Tag(input.take()), OrderId(input.u64()));
    let is_modify = input.u8() == 1;
    let limit = Price(input.i64());
    Amend {
        tag,
        order_id,
        limit: is_modify.then_some(limit),
        number: input.u16(),
    }
}

fn read_ended(input: &mut In<'_>) -> Option<Ended> {
    Some(Ended {
        intent: IntentId(input.u64()),
        how: Ending::of(input.u8())?,
        filled: [Qty(input.u32()), Qty(input.u32())],
    })
}

fn read_report(input: &mut In<'_>) -> Option<Report> {
    Some(Report {
        tag: Tag(input.take()),
        order_id: OrderId(input.u64()),
        state: OrderState::of(input.u8())?,
        source: ReportSource::of(input.u8())?,
        reject: read_option(input.u8()).ok()?,
        denial: read_option(input.u8()).ok()?,
        filled: Qty(input.u32()),
        average: Price(input.i64()),
        at: WallNanos(input.i64()),
        received: MonoNanos(input.u64()),
    })
}

fn read_fill(input: &mut In<'_>) -> Option<Fill> {
    Some(Fill {
        tag: Tag(input.take()),
        strategy: StrategyIx(input.u16()),
        instrument: InstrumentIx(input.u16()),
        side: Side::of(input.u8())?,
        qty: Qty(input.u32()),
        price: Price(input.i64()),
        at: WallNanos(input.i64()),
    })
}

/// Reads what [`body`] wrote, or `None` when it is not an entry.
pub fn entry_of(body: &[u8; BODY + 1]) -> Option<Entry> {
    let mut bytes = [0_u8; RECORD];
    bytes[32..32 + BODY].copy_from_slice(&body[1..]);
    read_body(
        body[0],
        &mut In {
            bytes: &bytes,
            at: 32,
        },
    )
}

fn read_body(kind: u8, input: &mut In<'_>) -> Option<Entry> {
    Some(match kind {
        1 => Entry::Admitted(read_order(input)?),
        2 => Entry::Report(read_report(input)?),
        3 => Entry::Fill(read_fill(input)?),
        4 => Entry::Sending(Tag(input.take())),
        5 => Entry::Amending(read_amend(input)),
        6 => Entry::Ended(read_ended(input)?),
        7 => Entry::Adopted(read_fill(input)?),
        8 => Entry::Latch(LatchChange {
            state: TradingState::of(input.u8())?,
            cause: Cause::of(input.u8())?,
        }),
        9 => Entry::Checkpoint(Checkpoint {
            intent: IntentId(input.u64()),
            book: input.u64(),
            open: input.u32(),
        }),
        _ => return None,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn entries() -> Vec<Entry> {
        let order = Order {
            tag: Tag(*b"TZ0025G18X0001000000"),
            intent: IntentId(7),
            strategy: StrategyIx(1),
            action: Action::Pyramid,
            role: LegRole::Put,
            instrument: InstrumentIx(9),
            side: Side::Sell,
            qty: Qty(30),
            limit: Price(1_234_500),
            signal: Price(-7),
            reduces: true,
            received: MonoNanos(55),
        };
        let report = Report {
            tag: order.tag,
            order_id: OrderId(151_220_000_000_000),
            state: OrderState::Rejected,
            filled: Qty(10),
            average: Price(-5),
            reject: Some(RejectClass::Margin),
            denial: None,
            source: ReportSource::Postback,
            at: WallNanos(-1),
            received: MonoNanos(u64::MAX),
        };
        let fill = Fill {
            tag: order.tag,
            strategy: order.strategy,
            instrument: order.instrument,
            side: Side::Buy,
            qty: Qty(10),
            price: Price(77),
            at: WallNanos(3),
        };
        vec![
            Entry::Admitted(order),
            Entry::Report(report),
            Entry::Fill(fill),
            Entry::Sending(order.tag),
            Entry::Amending(Amend {
                tag: order.tag,
                order_id: OrderId(5),
                limit: Some(Price(500)),
                number: 3,
            }),
            Entry::Amending(Amend {
                tag: order.tag,
                order_id: OrderId(5),
                limit: None,
                number: 0,
            }),
            Entry::Ended(Ended {
                intent: IntentId(9),
                how: Ending::Unwound,
                filled: [Qty(3), Qty(4)],
            }),
            Entry::Adopted(fill),
            Entry::Latch(LatchChange {
                state: TradingState::Reducing,
                cause: Cause::Runaway,
            }),
            Entry::Checkpoint(Checkpoint {
                intent: IntentId(8),
                book: 0x1234_5678_9abc_def0,
                open: 2,
            }),
        ]
    }

    #[test]
    fn every_entry_comes_back_and_every_changed_byte_is_noticed() {
        for entry in entries() {
            let record = Record {
                sequence: 3,
                at: Stamp::default(),
                entry,
            };
            let bytes = encode(&record, 99);
            assert_eq!(decode(&bytes, 99), Some(record));
            assert_eq!(decode(&bytes, 98), None, "wrong predecessor");
            for at in 0..RECORD {
                let mut changed = bytes;
                changed[at] ^= 0x20;
                assert_eq!(decode(&changed, 99), None, "byte {at}");
            }
        }
    }

    #[test]
    fn every_code_reads_back() {
        for denial in Denial::ALL {
            assert_eq!(Denial::of(denial.code()), Some(denial));
        }
        assert_eq!(read_option::<Denial>(0), Ok(None));
        assert_eq!(read_option::<Denial>(200), Err(()));
    }
}
