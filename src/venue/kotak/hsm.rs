//! The older market feed (HSM), announced as retired for September 2026: its frames both ways (protocols/kotak-neo.md 6).
//!
//! ```text
//!   client: u16 length │ u8 type │ u8 fields │ (u8 id, u16 length, bytes) …
//!   server: u16 length │ u8 6 │ [u32 number] │ u16 packets │ (u16 length, u8 kind, …) …         big-endian
//! ```
//!
//! A snapshot names a topic and gives its values by position, an update gives the values alone; [`Board`] keeps them.
//!
//! Promises
//! - The number that means "unchanged" never becomes a price: an update with it keeps the value before, and a value that
//!   was never given is absent.
//! - A frame is read packet by packet; a packet that lies about its length ends the frame with a fault.
//! - Topics are bounded by what was subscribed: a snapshot beyond [`TOPICS_MAX`] is a fault, not growth.

use crate::model::price::PER_RUPEE;
use crate::model::{FeedFault, Price};
use crate::venue::Auth;
use std::collections::HashMap;

/// Most topics one connection may subscribe.
pub const TOPICS_MAX: usize = 3_000;
/// Most names in one request.
pub const NAMES_MAX: usize = 100;
/// Most values of a topic: depth has 34.
const VALUES_MAX: usize = 64;
/// "Unchanged" in an update, "not available" in a snapshot.
pub const UNCHANGED: i32 = i32::MIN;

/// True for an address of this feed, which a config service may still announce.
pub fn is_address(address: &str) -> bool {
    let host = address.split("://").nth(1).unwrap_or(address);
    let host = host.split(['/', ':', '?']).next().unwrap_or(host);
    host.starts_with("mlhsm.") || host.starts_with("hsm.")
}

/// What a topic is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `sf`: a contract.
    Scrip,
    /// `if`: an index.
    Index,
    /// `dp`: five levels of a contract.
    Depth,
}

impl Kind {
    /// The word in front of a topic's name.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Scrip => "sf",
            Self::Index => "if",
            Self::Depth => "dp",
        }
    }

    /// The kind of a topic by its name, such as `sf|nse_fo|44498`.
    pub fn of(name: &str) -> Option<Self> {
        match name.split('|').next()? {
            "sf" => Some(Self::Scrip),
            "if" => Some(Self::Index),
            "dp" => Some(Self::Depth),
            _ => None,
        }
    }

    /// Positions of last value, multiplier and precision.
    const fn places(self) -> (Option<usize>, usize, usize) {
        match self {
            Self::Scrip => (Some(5), 23, 24),
            Self::Index => (Some(2), 8, 9),
            Self::Depth => (None, 32, 33),
        }
    }
}

/// Positions of a contract's values.
pub mod scrip {
    /// Units traded today.
    pub const VOLUME: usize = 4;
    /// Last price.
    pub const LAST: usize = 5;
    /// Best bid.
    pub const BID: usize = 9;
    /// Best ask.
    pub const ASK: usize = 10;
    /// Open interest.
    pub const OPEN_INTEREST: usize = 22;
}

/// A topic and its values as last told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// What it is about.
    pub kind: Kind,
    /// `sf|nse_fo|44498`.
    pub name: String,
    values: Vec<i32>,
}

impl Topic {
    /// The raw value of a position; `None` when it was never given.
    pub fn value(&self, position: usize) -> Option<i32> {
        let value = self.values.get(position).copied();
        value.filter(|value| *value != UNCHANGED)
    }

    /// The value of a position as a price; `None` when it, multiplier or precision was never given, or it is finer than
    /// 1/10 000 rupee.
    pub fn price(&self, position: usize) -> Option<Price> {
        let (_, multiplier, precision) = self.kind.places();
        let decimals = u32::try_from(self.value(precision)?).ok()?;
        let scale =
            i64::from(self.value(multiplier)?).checked_mul(10_i64.checked_pow(decimals)?)?;
        let units = i64::from(self.value(position)?).checked_mul(PER_RUPEE)?;
        (units.checked_rem(scale)? == 0).then(|| units.checked_div(scale).map(Price))?
    }

    /// Last price of a contract, value of an index.
    pub fn last(&self) -> Option<Price> {
        self.price(self.kind.places().0?)
    }

    /// Takes the values of an update; what is unchanged stays.
    fn take(&mut self, values: impl Iterator<Item = i32>) {
        for (at, value) in values.enumerate().take(VALUES_MAX) {
            match self.values.get_mut(at) {
                Some(_) if value == UNCHANGED => {}
                Some(slot) => *slot = value,
                None => self.values.push(value),
            }
        }
    }
}

/// What a message of the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// The answer to the greeting: accepted or not, and after how many messages an acknowledgement is wanted.
    Connected {
        /// `K` came back.
        is_accepted: bool,
        /// Messages between two acknowledgements; zero for none.
        ack_every: u32,
    },
    /// Data, with the number to acknowledge where there is one.
    Data {
        /// Topics whose values were told.
        topics: u16,
        /// To be acknowledged.
        number: Option<u32>,
    },
    /// Any other answer.
    Other(u8),
}

/// The values of every topic of one connection.
#[derive(Debug, Default)]
pub struct Board {
    topics: HashMap<u32, Topic>,
    is_numbered: bool,
}

/// Reads big-endian fields one behind the other.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], FeedFault> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(FeedFault::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }
    fn number<const N: usize>(&mut self) -> Result<[u8; N], FeedFault> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(FeedFault::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }
    fn u8(&mut self) -> Result<u8, FeedFault> {
        self.number::<1>().map(|[byte]| byte)
    }
    fn u16(&mut self) -> Result<u16, FeedFault> {
        self.number().map(u16::from_be_bytes)
    }
    fn u32(&mut self) -> Result<u32, FeedFault> {
        self.number().map(u32::from_be_bytes)
    }
    /// A text behind its length.
    fn text(&mut self) -> Result<&'a str, FeedFault> {
        let length = self.u8()?;
        let bytes = self.take(usize::from(length))?;
        std::str::from_utf8(bytes).map_err(|_| FeedFault::Text)
    }
    /// As many values as the byte in front says.
    fn values(&mut self) -> Result<impl Iterator<Item = i32> + use<'a>, FeedFault> {
        let count = usize::from(self.u8()?);
        let bytes = self.take(count.saturating_mul(4))?;
        let words = bytes.as_chunks::<4>().0.iter();
        Ok(words.map(|word| i32::from_be_bytes(*word)))
    }
}

impl Board {
    /// A topic by the server's number.
    pub fn topic(&self, id: u32) -> Option<&Topic> {
        self.topics.get(&id)
    }

    /// A topic by name.
    pub fn named(&self, name: &str) -> Option<&Topic> {
        self.topics.values().find(|topic| topic.name == name)
    }

    /// Reads one binary message of the server.
    ///
    /// # Errors
    ///
    /// [`FeedFault::Truncated`] when a length is a lie, [`FeedFault::Text`] for a name that is none,
    /// [`FeedFault::UnknownToken`] for an update of a topic without snapshot, [`FeedFault::Oversized`] beyond the most
    /// topics. Packets in front of the fault have been taken.
    pub fn read(&mut self, message: &[u8]) -> Result<Message, FeedFault> {
        let mut reader = Reader(message);
        let length = usize::from(reader.u16()?);
        let mut reader = Reader(reader.take(length)?);
        match reader.u8()? {
            1 => self.connected(&mut reader),
            6 => self.data(&mut reader),
            other => Ok(Message::Other(other)),
        }
    }

    /// Fields: 1 holds `K` or `N`, 2 after how many messages an acknowledgement is wanted.
    fn connected(&mut self, reader: &mut Reader<'_>) -> Result<Message, FeedFault> {
        let (mut is_accepted, mut ack_every) = (false, 0);
        for _ in 0..reader.u8()? {
            let id = reader.u8()?;
            let length = usize::from(reader.u16()?);
            let value = reader.take(length)?;
            match id {
                1 => is_accepted = value == b"K",
                2 => {
                    let number = |sum: u32, byte: &u8| sum << 8 | u32::from(*byte);
                    ack_every = value.iter().take(4).fold(0, number);
                }
                _ => {}
            }
        }
        self.is_numbered = ack_every > 0;
        Ok(Message::Connected {
            is_accepted,
            ack_every,
        })
    }

    fn data(&mut self, reader: &mut Reader<'_>) -> Result<Message, FeedFault> {
        let number = if self.is_numbered {
            Some(reader.u32()?)
        } else {
            None
        };
        let count = reader.u16()?;
        for _ in 0..count {
            let length = usize::from(reader.u16()?);
            let mut packet = Reader(reader.take(length)?);
            match packet.u8()? {
                b'S' => self.snapshot(&mut packet)?,
                b'U' => self.update(&mut packet)?,
                _ => return Err(FeedFault::Length),
            }
        }
        Ok(Message::Data {
            topics: count,
            number,
        })
    }

    fn snapshot(&mut self, packet: &mut Reader<'_>) -> Result<(), FeedFault> {
        let id = packet.u32()?;
        let name = packet.text()?;
        let kind = Kind::of(name).ok_or(FeedFault::Segment)?;
        let values: Vec<i32> = packet.values()?.take(VALUES_MAX).collect();
        for _ in 0..packet.u8()? {
            packet.u8()?;
            packet.text()?;
        }
        if self.topics.len() >= TOPICS_MAX && !self.topics.contains_key(&id) {
            return Err(FeedFault::Oversized);
        }
        let name = name.to_owned();
        self.topics.insert(id, Topic { kind, name, values });
        Ok(())
    }

    fn update(&mut self, packet: &mut Reader<'_>) -> Result<(), FeedFault> {
        let id = packet.u32()?;
        let values = packet.values()?;
        let topic = self.topics.get_mut(&id).ok_or(FeedFault::UnknownToken)?;
        topic.take(values);
        Ok(())
    }
}

/// A client frame of fields.
fn frame(kind: u8, fields: &[(u8, &[u8])]) -> Vec<u8> {
    let mut body = vec![kind, u8::try_from(fields.len()).unwrap_or(u8::MAX)];
    for (id, value) in fields {
        body.push(*id);
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        body.extend_from_slice(&length.to_be_bytes());
        body.extend_from_slice(value);
    }
    let length = u16::try_from(body.len()).unwrap_or(u16::MAX);
    let mut frame = length.to_be_bytes().to_vec();
    frame.extend_from_slice(&body);
    frame
}

/// The greeting. It carries the token: never shown.
pub fn connect_frame(auth: &Auth) -> Vec<u8> {
    let fields: [(u8, &[u8]); 3] = [
        (1, auth.access_token.expose().as_bytes()),
        (2, super::session::sid(auth).as_bytes()),
        (3, b"JS_API"),
    ];
    frame(1, &fields)
}

/// Subscribes at most [`NAMES_MAX`] topics on a channel from 2 to 16; names beyond are left out.
pub fn subscribe_frame(names: &[&str], channel: u8) -> Vec<u8> {
    named_frame(4, names, channel)
}

/// Ends the subscription of topics.
pub fn unsubscribe_frame(names: &[&str], channel: u8) -> Vec<u8> {
    named_frame(5, names, channel)
}

fn named_frame(kind: u8, names: &[&str], channel: u8) -> Vec<u8> {
    let names = names.get(..NAMES_MAX).unwrap_or(names);
    let mut list = u16::try_from(names.len())
        .unwrap_or(0)
        .to_be_bytes()
        .to_vec();
    for name in names {
        let short = name.get(..usize::from(u8::MAX)).unwrap_or(name);
        list.push(u8::try_from(short.len()).unwrap_or(0));
        list.extend_from_slice(short.as_bytes());
    }
    frame(kind, &[(1, &list), (2, &[channel])])
}

/// Acknowledges a numbered message.
pub fn ack_frame(number: u32) -> Vec<u8> {
    frame(3, &[(1, &number.to_be_bytes())])
}
