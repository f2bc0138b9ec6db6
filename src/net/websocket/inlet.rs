//! The incoming half of a WebSocket: plain binary messages are read in place as they arrive, everything else is
//! passed on to tungstenite byte for byte.
//!
//! ```text
//!                       ┌─ final, binary, unmasked, no reserved bit, ≤ 1 MiB ──► shown where it lies, part by part
//!   stream ─► buffer ─► head
//!                       └─ text, control, fragments, all that is wrong ────────► tungstenite, as if it read the stream
//! ```
//!
//! Promises
//! - tungstenite sees the stream without the messages that are shown, so its states and its errors are those it has
//!   when it reads everything (test `any_bytes_in_any_parts_say_what_tungstenite_says`).
//! - While a fragmented message is unfinished, and once a close frame was seen, tungstenite gets every frame.
//! - One call reads the stream once, and again only while the head of a frame lacks bytes.
//! - Nothing is allocated after construction, and no byte of a message is copied, but the beginning of one behind
//!   another is moved to the front of the buffer.

use crate::net::MESSAGE_MAX;
use std::io::{self, Read, Write};

/// Bytes asked of the stream at once: a TLS record holds as many, and 88 full packets are decoded while the next
/// ones are on their way.
pub(super) const CHUNK: usize = 16 << 10;

/// First byte of a frame that is a whole binary message: final, no reserved bit.
const WHOLE_BINARY: u8 = 0x82;

/// Whose the bytes at the front of the buffer are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// The answer to the upgrade, up to its empty line: newlines in a row so far.
    Upgrade { newlines: u8 },
    /// A frame's head stands there, or will.
    Unknown,
    /// tungstenite's: bytes left of its frame.
    Library(u64),
    /// A message of that length, of which so many bytes were shown.
    Shown { length: usize, shown: usize },
}

/// What one look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing new.
    Nothing,
    /// A message, or more of one: [`Inlet::message`].
    Message,
    /// Something tungstenite has to read, be it the end of the stream.
    Foreign,
}

/// What the head of a frame says.
#[derive(Clone, Copy, Debug)]
struct Head {
    first: u8,
    is_masked: bool,
    /// Bytes of the head itself.
    size: usize,
    length: u64,
}

impl Head {
    /// `None` while it is not all there.
    #[inline]
    fn read(bytes: &[u8]) -> Option<Self> {
        let [first, second, rest @ ..] = bytes else {
            return None;
        };
        let (wide, length) = match second & 0x7f {
            126 => (2, u64::from(u16::from_be_bytes(*rest.first_chunk()?))),
            127 => (8, u64::from_be_bytes(*rest.first_chunk()?)),
            short => (0, u64::from(short)),
        };
        let is_masked = second & 0x80 != 0;
        Some(Self {
            first: *first,
            is_masked,
            size: 2 + wide + if is_masked { 4 } else { 0 },
            length,
        })
    }

    const fn is_final(self) -> bool {
        self.first & 0x80 != 0
    }

    const fn opcode(self) -> u8 {
        self.first & 0x0f
    }
}

/// A stream whose plain binary messages are taken out before tungstenite reads it.
#[derive(Debug)]
pub(super) struct Inlet<S> {
    pub(super) stream: S,
    buffer: Box<[u8]>,
    taken: usize,
    filled: usize,
    owner: Owner,
    /// True while tungstenite holds the beginning of a fragmented message.
    is_fragmented: bool,
    /// True once a close frame went by.
    is_closing: bool,
    has_ended: bool,
}

impl<S> Inlet<S> {
    /// An inlet in front of the answer to an upgrade.
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: vec![0; MESSAGE_MAX + CHUNK].into_boxed_slice(),
            taken: 0,
            filled: 0,
            owner: Owner::Upgrade { newlines: 0 },
            is_fragmented: false,
            is_closing: false,
            has_ended: false,
        }
    }

    /// Ends the answer to the upgrade, if its empty line did not: frames follow.
    pub(super) const fn upgraded(&mut self) {
        self.owner = Owner::Unknown;
    }

    /// The message last found: the bytes of it that are here, and how many it will have.
    #[inline]
    pub(super) fn message(&self) -> (&[u8], usize) {
        match self.owner {
            Owner::Shown { length, shown } => {
                let end = self.taken.saturating_add(shown);
                (self.buffer.get(self.taken..end).unwrap_or(&[]), length)
            }
            Owner::Upgrade { .. } | Owner::Unknown | Owner::Library(_) => (&[], 0),
        }
    }

    /// True when the last frame was read to its end.
    pub(super) const fn is_between(&self) -> bool {
        matches!(self.owner, Owner::Unknown)
    }

    #[inline]
    fn waiting(&self) -> &[u8] {
        self.buffer.get(self.taken..self.filled).unwrap_or(&[])
    }

    /// Moves what waits to the front of the buffer, so that a whole message has room behind it.
    #[inline]
    fn pull(&mut self) {
        if self.taken > 0 {
            self.buffer.copy_within(self.taken..self.filled, 0);
            self.filled -= self.taken;
            self.taken = 0;
        }
    }

    /// Says whose the next frame is, or `None` while its head is not all there.
    #[inline]
    fn sort(&mut self) -> Option<Owner> {
        let head = Head::read(self.waiting())?;
        let length = usize::try_from(head.length).unwrap_or(usize::MAX);
        let is_plain = head.first == WHOLE_BINARY && !head.is_masked && length <= MESSAGE_MAX;
        if is_plain && !self.is_fragmented && !self.is_closing {
            self.taken += head.size;
            return Some(Owner::Shown { length, shown: 0 });
        }
        match head.opcode() {
            0 => self.is_fragmented &= !head.is_final(),
            1 | 2 => self.is_fragmented |= !head.is_final(),
            8 => self.is_closing = true,
            _ => {}
        }
        Some(Owner::Library(head.length.saturating_add(head.size as u64)))
    }
}

impl<S: Read> Inlet<S> {
    /// Reads the stream once; false when nothing came.
    #[inline]
    fn fill(&mut self) -> io::Result<bool> {
        if self.has_ended {
            return Ok(false);
        }
        if self.taken == self.filled || self.owner == Owner::Unknown {
            self.pull();
        }
        let end = self.filled.saturating_add(CHUNK).min(self.buffer.len());
        let room = self.buffer.get_mut(self.filled..end).unwrap_or_default();
        match self.stream.read(room) {
            Ok(0) => {
                self.has_ended = true;
                Ok(false)
            }
            Ok(count) => {
                self.filled += count;
                Ok(true)
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Looks for the next message, or for more of the one that is not all here. Says that there is nothing only when
    /// the stream has nothing: who waits for it to have something may sleep.
    #[inline]
    pub(super) fn look(&mut self) -> io::Result<Found> {
        if let Owner::Shown { length, shown } = self.owner
            && length == shown
        {
            self.taken += length;
            self.owner = Owner::Unknown;
        }
        loop {
            if let Some(found) = self.see() {
                return Ok(found);
            }
            if !self.fill()? {
                // The end is tungstenite's to tell: it reads and finds it.
                return Ok(if self.has_ended {
                    Found::Foreign
                } else {
                    Found::Nothing
                });
            }
        }
    }

    /// What the buffer holds that nobody has seen.
    #[inline]
    fn see(&mut self) -> Option<Found> {
        if self.owner == Owner::Unknown {
            self.owner = self.sort()?;
            if let Owner::Shown { length, .. } = self.owner {
                if length == 0 {
                    return Some(Found::Message);
                }
                if self.waiting().len() < length {
                    self.pull();
                }
            }
        }
        let waiting = self.waiting().len();
        match &mut self.owner {
            Owner::Shown { length, shown } => {
                let here = waiting.min(*length);
                let before = std::mem::replace(shown, here);
                (here > before).then_some(Found::Message)
            }
            Owner::Library(_) => (waiting > 0).then_some(Found::Foreign),
            Owner::Upgrade { .. } | Owner::Unknown => None,
        }
    }

    /// How many of the first `most` bytes tungstenite may have.
    fn library(&mut self, most: usize) -> usize {
        let end = self.filled.min(self.taken.saturating_add(most));
        let waiting = self.buffer.get(self.taken..end).unwrap_or(&[]);
        match &mut self.owner {
            Owner::Upgrade { newlines } => {
                for (at, byte) in waiting.iter().enumerate() {
                    match byte {
                        b'\n' if *newlines == 1 => return at + 1,
                        b'\n' => *newlines = 1,
                        b'\r' => {}
                        _ => *newlines = 0,
                    }
                }
                waiting.len()
            }
            Owner::Library(left) => {
                usize::try_from(*left).map_or(waiting.len(), |left| left.min(waiting.len()))
            }
            Owner::Unknown | Owner::Shown { .. } => 0,
        }
    }

    /// True when more for tungstenite may come from the stream.
    const fn is_library(&self) -> bool {
        matches!(self.owner, Owner::Upgrade { .. } | Owner::Library(_))
    }
}

/// tungstenite's view of the stream.
impl<S: Read> Read for Inlet<S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.is_library() && self.waiting().is_empty() {
            self.fill()?;
        }
        if self.has_ended && (self.waiting().is_empty() || !self.is_library()) {
            return Ok(0);
        }
        let count = self.library(into.len());
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let from = self.waiting().get(..count).unwrap_or(&[]);
        if let Some(into) = into.get_mut(..count) {
            into.copy_from_slice(from);
        }
        self.taken += count;
        if let Owner::Library(left) = &mut self.owner {
            *left = left.saturating_sub(count as u64);
            if *left == 0 {
                self.owner = Owner::Unknown;
            }
        }
        Ok(count)
    }
}

impl<S: Write> Write for Inlet<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
