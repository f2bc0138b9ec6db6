//! Waiting: what a thread does when a cycle found nothing to do.
//!
//! Spin costs a core and nothing else. Yield is for shared cores under light load. Park sleeps in the
//! kernel until a socket of the thread has news, for at most one millisecond, and is for laptops, the demo
//! and closed markets: a thread that has to be woken costs 17 to 20 µs.

use crossbeam_utils::Backoff;
use std::time::Duration;

/// How a thread waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IdleMode {
    /// Busy, with the processor's pause hint: for a core of its own.
    Spin,
    /// Spin, then yield the core.
    Yield,
    /// Spin, yield, then sleep on the sockets, doubling to 1 ms.
    Park,
    /// Sleep twenty milliseconds at once, also after work: for threads whose business takes longer, so that what flows
    /// past them does not wake them for each piece, and a core they share with a hot thread is left alone.
    Doze,
}

impl IdleMode {
    /// True when a thread that waits sleeps in the kernel.
    pub const fn sleeps(self) -> bool {
        matches!(self, Self::Park | Self::Doze)
    }

    /// The word shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spin => "spin",
            Self::Yield => "spin, then yield",
            Self::Park => "spin, yield, then park",
            Self::Doze => "sleep 20 ms",
        }
    }
}

const PARK_MIN: Duration = Duration::from_micros(50);
const PARK_MAX: Duration = Duration::from_millis(1);
const DOZE: Duration = Duration::from_millis(20);

/// The waiting of one thread.
#[derive(Debug)]
pub struct Idle {
    mode: IdleMode,
    backoff: Backoff,
    park: Duration,
    poll: Option<(mio::Poll, mio::Events)>,
}

impl Idle {
    /// Prepares waiting; park mode opens a poll on which stages register their sockets.
    ///
    /// # Errors
    ///
    /// When the operating system has no poll left to give.
    pub fn new(mode: IdleMode) -> std::io::Result<Self> {
        let poll = match mode {
            IdleMode::Park | IdleMode::Doze => {
                Some((mio::Poll::new()?, mio::Events::with_capacity(64)))
            }
            IdleMode::Spin | IdleMode::Yield => None,
        };
        Ok(Self {
            mode,
            backoff: Backoff::new(),
            park: PARK_MIN,
            poll,
        })
    }

    /// Where stages register sockets that should wake a parked thread.
    pub fn sockets(&self) -> Option<&mio::Registry> {
        self.poll.as_ref().map(|(poll, _)| poll.registry())
    }

    /// Called after a cycle that did something: waiting starts over from its shortest form.
    #[inline]
    pub fn reset(&mut self) {
        self.backoff.reset();
        self.park = PARK_MIN;
    }

    /// Called after a cycle that found nothing.
    #[inline]
    pub fn wait(&mut self) {
        match self.mode {
            IdleMode::Spin => std::hint::spin_loop(),
            IdleMode::Yield => self.backoff.snooze(),
            IdleMode::Park if !self.backoff.is_completed() => self.backoff.snooze(),
            IdleMode::Park => self.sleep(),
            IdleMode::Doze => {
                self.park = DOZE;
                self.sleep();
            }
        }
    }

    #[cold]
    fn sleep(&mut self) {
        if let Some((poll, events)) = &mut self.poll {
            // Interrupted or woken: either way the next cycle looks at everything again.
            drop(poll.poll(events, Some(self.park)));
        }
        self.park = self.park.saturating_mul(2).min(PARK_MAX);
    }
}
