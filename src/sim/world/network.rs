//! The network of a seeded world: connections whose bytes arrive late, in pieces, half, or never.
//!
//! ```text
//!   gateway ─► Scripted::send ─► Wire.sent ─► (the world carries it, 0 to 2 s) ─► Venue::hear
//!   gateway ◄─ Scripted::poll ◄─ Link.inbox ◄─ pieces, each with its time ◄────── Venue's deliveries
//! ```
//!
//! Promises
//! - Bytes of one connection never overtake each other, in either direction.
//! - What a client is told is never better than on a real socket: a request whose `send` failed may have
//!   arrived, and a whole reply in front of a reset is read before the reset.
//! - Requests are handed over after the sender's turn, so that a process may die between a record of its
//!   journal and the byte it announces.

use crate::net::http::Reply;
use crate::net::{Connection, Incoming};
use crate::sim::dice::Dice;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;

const MS: u64 = 1_000_000;
/// How long the kernel of a machine goes on sending for a process that is gone. A proof of absence that begins after
/// a restart waits longer.
const ORPHAN_NS: u64 = 500_000_000;

/// How bad the network is; chances are percent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Profile {
    /// Longest way of a request, in milliseconds.
    pub(super) out_ms: u32,
    /// Longest way of a reply, in milliseconds.
    pub(super) back_ms: u32,
    /// Requests that take such a way; the others take none to speak of.
    pub(super) slow: f64,
    /// Requests that are lost, with the connection silent from then on.
    pub(super) lose_request: f64,
    /// Replies that are lost, with the connection silent from then on.
    pub(super) lose_reply: f64,
    /// Connections reset when a reply was due.
    pub(super) reset: f64,
    /// Replies that arrive in pieces, the first of one byte.
    pub(super) pieces: f64,
    /// Replies of which a part arrives before the reset.
    pub(super) cut: f64,
    /// Writes that fail after some bytes left.
    pub(super) fail: f64,
    /// Longest time until a lost connection is replaced, in milliseconds.
    pub(super) dial_ms: u32,
    /// Longest way of an order update, in milliseconds.
    pub(super) update_ms: u32,
    /// Updates the feed loses.
    pub(super) lose_update: f64,
}

/// A request that left a process.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) link: usize,
    pub(super) bytes: Vec<u8>,
    /// False when it broke off on the way out.
    pub(super) is_whole: bool,
}

#[derive(Debug)]
enum Piece {
    Bytes(Vec<u8>),
    End,
}

#[derive(Debug, Default)]
struct Link {
    inbox: VecDeque<(u64, Piece)>,
    /// When the last bytes out arrive.
    out_at: u64,
    /// When the last bytes back arrive.
    back_at: u64,
    /// Nothing passes any more and nobody says so.
    is_silent: bool,
    /// The peer closed: a write fails.
    is_reset: bool,
    /// What waits in the kernel is thrown away.
    is_aborted: bool,
    /// The process that held it is gone; the kernel goes on sending for a while.
    orphaned_at: Option<u64>,
}

/// All connections of a world.
#[derive(Debug)]
pub(super) struct Wire {
    now: u64,
    links: Vec<Link>,
    sent: Vec<Sent>,
    dice: Chance,
    profile: Profile,
}

/// Dice that show nothing of themselves.
pub(super) struct Chance(pub(super) Dice);

impl std::fmt::Debug for Chance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Chance")
    }
}

impl Wire {
    pub(super) const fn new(dice: Dice, profile: Profile) -> Self {
        Self {
            now: 0,
            links: Vec::new(),
            sent: Vec::new(),
            dice: Chance(dice),
            profile,
        }
    }

    /// From now on the network behaves.
    pub(super) const fn calm(&mut self, profile: Profile) {
        self.profile = profile;
    }

    pub(super) const fn set_now(&mut self, now: u64) {
        self.now = now;
    }

    pub(super) fn open(&mut self) -> usize {
        self.links.push(Link::default());
        self.links.len() - 1
    }

    /// What left since the last call.
    pub(super) fn take_sent(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sent)
    }

    /// True when a request that is due now was not thrown away on the way.
    pub(super) fn arrives(&self, sent: &Sent) -> bool {
        self.links.get(sent.link).is_some_and(|link| {
            let is_late = |gone: u64| self.now > gone + ORPHAN_NS;
            !link.is_aborted && !link.orphaned_at.is_some_and(is_late)
        })
    }

    /// When a request that left now arrives; `None` when it never does.
    pub(super) fn way_out(&mut self, sent: &Sent) -> Option<u64> {
        let (now, profile) = (self.now, self.profile);
        let dice = &mut self.dice.0;
        let is_slow = dice.chance(profile.slow);
        let way = u64::from(dice.below(if is_slow { profile.out_ms } else { 2 })) * MS;
        let is_lost = dice.chance(profile.lose_request);
        let stall = dice
            .chance(50.0)
            .then(|| u64::from(3_000 + dice.below(37_000)) * MS);
        let link = self.links.get_mut(sent.link)?;
        if link.is_silent || !sent.is_whole {
            return None;
        }
        if is_lost {
            // Some of what is lost waits in the kernel and arrives when nobody waits for it any more.
            link.is_silent = true;
            link.out_at = link.out_at.max(now + stall?);
            return Some(link.out_at);
        }
        link.out_at = link.out_at.max(now + way);
        Some(link.out_at)
    }

    /// Carries bytes back; returns when the last of them is there.
    pub(super) fn back(&mut self, at: usize, bytes: &[u8], due: u64) -> Option<u64> {
        let profile = self.profile;
        let dice = &mut self.dice.0;
        let is_slow = dice.chance(profile.slow);
        let way = u64::from(dice.below(if is_slow { profile.back_ms } else { 3 })) * MS;
        let (is_lost, is_reset) = (dice.chance(profile.lose_reply), dice.chance(profile.reset));
        let (in_pieces, is_cut) = (dice.chance(profile.pieces), dice.chance(profile.cut));
        let half =
            usize::try_from(dice.below(u32::try_from(bytes.len()).unwrap_or(1))).unwrap_or(0);
        let gap = u64::from(1 + dice.below(40)) * MS;
        let link = self.links.get_mut(at)?;
        if link.is_silent || is_lost {
            link.is_silent = true;
            return None;
        }
        let mut from = link.back_at.max(due + way);
        if is_reset {
            return Some(link.end(from));
        }
        let bytes = if is_cut { &bytes[..half] } else { bytes };
        let cuts = if in_pieces { [1, half.max(1)] } else { [0, 0] };
        let mut begin = 0;
        for end in cuts.into_iter().chain([bytes.len()]) {
            let end = end.min(bytes.len());
            if end > begin {
                link.inbox
                    .push_back((from, Piece::Bytes(bytes[begin..end].to_vec())));
                from += if end < bytes.len() { gap } else { 0 };
                begin = end;
            }
        }
        link.back_at = from;
        if is_cut {
            return Some(link.end(from));
        }
        Some(from)
    }

    /// The peer ends a connection, in one direction or both.
    pub(super) fn end(&mut self, at: usize, due: u64) -> Option<u64> {
        let link = self.links.get_mut(at)?;
        let due = due.max(link.back_at);
        Some(link.end(due))
    }

    /// Every connection is reset.
    pub(super) fn end_all(&mut self, due: u64) {
        for link in &mut self.links {
            let due = due.max(link.back_at);
            link.end(due);
        }
    }

    /// The process at this end is gone.
    pub(super) fn hang_up(&mut self, at: usize) {
        if let Some(link) = self.links.get_mut(at) {
            link.inbox.clear();
            link.is_reset = true;
            link.orphaned_at = Some(self.now);
        }
    }

    fn send(&mut self, at: usize, request: &[u8]) -> io::Result<()> {
        let profile = self.profile;
        let (fails, arrives) = (self.dice.0.chance(profile.fail), self.dice.0.chance(50.0));
        let now = self.now;
        let link = self.links.get_mut(at).ok_or(io::ErrorKind::NotConnected)?;
        if link.ended(now) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        link.is_reset |= fails;
        self.sent.push(Sent {
            link: at,
            bytes: request.to_vec(),
            is_whole: !fails || arrives,
        });
        if fails {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl Link {
    fn end(&mut self, due: u64) -> u64 {
        self.inbox.push_back((due, Piece::End));
        self.back_at = due;
        due
    }

    fn ended(&self, now: u64) -> bool {
        let is_end = |(due, piece): &(u64, Piece)| *due <= now && matches!(piece, Piece::End);
        self.is_reset || self.inbox.iter().any(is_end)
    }
}

/// One end of a connection.
#[derive(Debug)]
pub(super) struct Scripted {
    wire: Arc<Mutex<Wire>>,
    link: usize,
    inbox: Vec<u8>,
    has_ended: bool,
}

impl Scripted {
    pub(super) fn open(wire: &Arc<Mutex<Wire>>) -> Self {
        Self {
            link: wire.lock().open(),
            wire: Arc::clone(wire),
            inbox: Vec::new(),
            has_ended: false,
        }
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.wire.lock().hang_up(self.link);
    }
}

impl Connection for Scripted {
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.wire.lock().send(self.link, request)
    }

    fn poll(&mut self) -> Incoming {
        let mut wire = self.wire.lock();
        let now = wire.now;
        let Some(link) = wire.links.get_mut(self.link) else {
            return Incoming::Closed;
        };
        while link.inbox.front().is_some_and(|(due, _)| *due <= now) {
            match link.inbox.pop_front() {
                Some((_, Piece::Bytes(bytes))) if !self.has_ended => self.inbox.extend(bytes),
                Some((_, Piece::End)) => (self.has_ended, link.is_reset) = (true, true),
                _ => {}
            }
        }
        drop(wire);
        if self.inbox.is_empty() {
            return if self.has_ended {
                Incoming::Closed
            } else {
                Incoming::Nothing
            };
        }
        match Reply::read(&mut self.inbox) {
            Ok(Some(reply)) => Incoming::Reply(reply),
            Ok(None) if !self.has_ended => Incoming::Nothing,
            Ok(None) | Err(_) => Incoming::Closed,
        }
    }

    fn body(&mut self, reply: &Reply) -> &mut [u8] {
        self.inbox.get_mut(reply.body()).unwrap_or_default()
    }

    fn next(&mut self) {
        self.inbox.clear();
    }

    fn abort(&mut self) {
        if let Some(link) = self.wire.lock().links.get_mut(self.link) {
            link.is_aborted = true;
        }
    }

    fn has_bytes(&self) -> bool {
        !self.inbox.is_empty()
    }

    fn raw_fd(&self) -> Option<RawFd> {
        None
    }
}
