//! The order connections: which are idle, which owe a reply and for what.

use super::orders::Slot;
use crate::model::{MonoNanos, Tag};
use crate::net::http::Reply;
use crate::net::{Connection, Incoming};
use std::io;

/// Idle connections are looked at once in this many cycles: an empty read costs about 0.2 µs.
const IDLE_TURN: u64 = 32;

/// What a connection is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    /// An order.
    Place(Slot),
    /// A cancel or a modification; the order's own updates tell its outcome.
    Amend(Tag),
    /// A request that keeps it warm.
    Warm,
}

#[derive(Debug)]
struct Line<C> {
    connection: Option<C>,
    job: Option<Job>,
    last_used: MonoNanos,
}

/// N kept-alive connections of one session.
#[derive(Debug)]
pub(super) struct Lines<C> {
    lines: Vec<Line<C>>,
    turn: u64,
}

impl<C: Connection> Lines<C> {
    pub(super) fn new(count: usize) -> Self {
        let line = || Line {
            connection: None,
            job: None,
            last_used: MonoNanos(0),
        };
        Self {
            lines: (0..count).map(|_| line()).collect(),
            turn: 0,
        }
    }

    pub(super) const fn count(&self) -> usize {
        self.lines.len()
    }

    #[inline]
    pub(super) fn connected(&self) -> usize {
        self.lines
            .iter()
            .filter(|line| line.connection.is_some())
            .count()
    }

    #[inline]
    pub(super) fn idle(&self) -> usize {
        self.lines.iter().filter(|line| line.is_idle()).count()
    }

    pub(super) fn has_room(&self) -> bool {
        self.lines.iter().any(|line| line.connection.is_none())
    }

    pub(super) fn is_owed(&self) -> bool {
        self.lines.iter().any(|line| line.job.is_some())
    }

    /// True while the reply to an order may come.
    pub(super) fn awaits_placement(&self) -> bool {
        let places = |job: Job| matches!(job, Job::Place(_));
        self.lines.iter().any(|line| line.job.is_some_and(places))
    }

    pub(super) fn add(&mut self, connection: C, registry: Option<&mio::Registry>, now: MonoNanos) {
        let Some((at, line)) = self
            .lines
            .iter_mut()
            .enumerate()
            .find(|(_, line)| line.connection.is_none())
        else {
            return;
        };
        if let (Some(registry), Some(fd)) = (registry, connection.raw_fd()) {
            let mut source = mio::unix::SourceFd(&fd);
            registry
                .register(&mut source, mio::Token(at + 1), mio::Interest::READABLE)
                .ok();
        }
        *line = Line {
            connection: Some(connection),
            job: None,
            last_used: now,
        };
    }

    /// Drops a connection; false when there was none.
    pub(super) fn remove(&mut self, at: usize, registry: Option<&mio::Registry>) -> bool {
        let Some(mut connection) = self
            .lines
            .get_mut(at)
            .and_then(|line| line.connection.take())
        else {
            return false;
        };
        if let (Some(registry), Some(fd)) = (registry, connection.raw_fd()) {
            registry.deregister(&mut mio::unix::SourceFd(&fd)).ok();
        }
        connection.abort();
        true
    }

    /// The idle connection used last: the warmest.
    #[inline(never)]
    pub(super) fn take_idle(&self) -> Option<usize> {
        let idle = self
            .lines
            .iter()
            .enumerate()
            .filter(|(_, line)| line.is_idle());
        idle.max_by_key(|(_, line)| line.last_used)
            .map(|(at, _)| at)
    }

    /// The idle connection that has not been used for `after_ns`, longest first.
    pub(super) fn coldest(&self, now: MonoNanos, after_ns: u64) -> Option<usize> {
        let idle = self
            .lines
            .iter()
            .enumerate()
            .filter(|(_, line)| line.is_idle());
        let (at, line) = idle.min_by_key(|(_, line)| line.last_used)?;
        (now.since(line.last_used) >= after_ns).then_some(at)
    }

    #[inline]
    pub(super) fn send(
        &mut self,
        at: usize,
        job: Job,
        bytes: &[u8],
        now: MonoNanos,
    ) -> io::Result<()> {
        let line = self.lines.get_mut(at).ok_or(io::ErrorKind::NotConnected)?;
        line.job = Some(job);
        line.last_used = now;
        line.connection
            .as_mut()
            .ok_or(io::ErrorKind::NotConnected)?
            .send(bytes)
    }

    /// Pushes on what the kernel did not take of requests that are out.
    #[cold]
    pub(super) fn flush(&mut self) {
        let owed = self.lines.iter_mut().filter(|line| line.job.is_some());
        for connection in owed.filter_map(|line| line.connection.as_mut()) {
            connection.flush();
        }
    }

    /// Counts cycles; true in the cycle in which idle connections are looked at too.
    #[inline]
    pub(super) const fn is_idle_turn(&mut self) -> bool {
        self.turn = self.turn.wrapping_add(1);
        self.turn.is_multiple_of(IDLE_TURN)
    }

    #[inline]
    pub(super) fn is_due(&self, at: usize, look_at_idle: bool) -> bool {
        self.lines
            .get(at)
            .is_some_and(|line| line.connection.is_some() && (look_at_idle || line.job.is_some()))
    }

    /// Looks at a connection. Bytes on an idle one mean it must go.
    #[inline]
    pub(super) fn poll(&mut self, at: usize) -> Incoming {
        let Some(line) = self.lines.get_mut(at) else {
            return Incoming::Nothing;
        };
        let Some(connection) = &mut line.connection else {
            return Incoming::Nothing;
        };
        match connection.poll() {
            // A part of an answer nobody asked for would be taken for the beginning of the next one.
            Incoming::Reply(_) if line.job.is_none() => Incoming::Closed,
            Incoming::Nothing if line.job.is_none() && connection.has_bytes() => Incoming::Closed,
            other => other,
        }
    }

    pub(super) fn job(&self, at: usize) -> Option<Job> {
        self.lines.get(at)?.job
    }

    pub(super) fn last_used(&self, at: usize) -> MonoNanos {
        self.lines
            .get(at)
            .map_or(MonoNanos(0), |line| line.last_used)
    }

    /// When something was last sent or answered on any of them.
    pub(super) fn last_sent(&self) -> MonoNanos {
        let times = self.lines.iter().map(|line| line.last_used);
        times.max().unwrap_or(MonoNanos(0))
    }

    /// Takes the job of a connection whose reply has come or never will.
    pub(super) fn finish(&mut self, at: usize) -> Option<Job> {
        self.lines.get_mut(at)?.job.take()
    }

    pub(super) fn body(&mut self, at: usize, reply: &Reply) -> &mut [u8] {
        let connection = self
            .lines
            .get_mut(at)
            .and_then(|line| line.connection.as_mut());
        connection.map_or_else(Default::default, |connection| connection.body(reply))
    }

    /// Makes a connection ready for the next request.
    pub(super) fn clear(&mut self, at: usize, now: MonoNanos) {
        if let Some(line) = self.lines.get_mut(at) {
            line.last_used = now;
            if let Some(connection) = &mut line.connection {
                connection.next();
            }
        }
    }
}

impl<C> Line<C> {
    #[inline]
    const fn is_idle(&self) -> bool {
        self.connection.is_some() && self.job.is_none()
    }
}
