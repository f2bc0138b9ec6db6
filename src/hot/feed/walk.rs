//! The walk over one message: packet by packet, from wherever the last call stopped, as far as bytes are here.

use crate::model::{FeedFault, MonoNanos, Quote};
use crate::net::websocket::Arrived;
use crate::venue::{Broker, Cursor, Frame, Next};

/// How far a message can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// Its head was not looked at, or says too little: nothing is read before all of it is here.
    Unopened,
    /// Its head says that packets of one length fill it: they are read as they come.
    Arriving,
    /// A packet of another length came: the rest is read when all of it is here and adds up.
    Mixed,
    /// Its lengths add up.
    Checked,
    /// Nothing more is to be read.
    Over,
}

/// What the next step of a walk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A packet.
    Quote(Quote),
    /// A bad packet, or the rest of a bad message.
    Fault(FeedFault),
    /// What comes next is not here yet.
    Starved,
    /// The message is over.
    Done,
}

/// A message being walked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    cursor: Cursor,
    trust: Trust,
    is_starved: bool,
    had_packets: bool,
    /// When the newest part of it was read.
    pub(super) received: MonoNanos,
}

impl Walk {
    pub(super) const fn new(received: MonoNanos) -> Self {
        Self {
            cursor: Cursor::new(0, 0),
            trust: Trust::Unopened,
            is_starved: false,
            had_packets: false,
            received,
        }
    }

    /// True when nothing can be read before more bytes come.
    #[inline]
    pub(super) const fn is_starved(&self) -> bool {
        self.is_starved
    }

    /// True when it is, or began as, a sound container of packets.
    pub(super) const fn had_packets(&self) -> bool {
        self.had_packets
    }

    /// Notes that more of the message came.
    #[inline]
    pub(super) const fn feed(&mut self, received: MonoNanos) {
        self.is_starved = false;
        self.received = received;
    }

    /// The next step through a message of which so much is here.
    #[inline]
    pub(super) fn step(&mut self, broker: Broker, message: Arrived<'_>) -> Step {
        loop {
            match self.trust {
                Trust::Arriving => match broker.next_arrived(message.bytes, &mut self.cursor) {
                    Next::Quote(quote) => return Step::Quote(quote),
                    Next::Fault(fault) => return Step::Fault(fault),
                    Next::End => return Step::Done,
                    Next::NotYet => return self.starve(),
                    Next::Differs => self.trust = Trust::Mixed,
                },
                Trust::Checked => {
                    return match broker.next_quote(message.bytes, &mut self.cursor) {
                        Some(Ok(quote)) => Step::Quote(quote),
                        Some(Err(fault)) => Step::Fault(fault),
                        None => Step::Done,
                    };
                }
                Trust::Over => return Step::Done,
                Trust::Unopened | Trust::Mixed => {
                    if let Some(step) = self.open(broker, message) {
                        return step;
                    }
                }
            }
        }
    }

    const fn starve(&mut self) -> Step {
        self.is_starved = true;
        Step::Starved
    }

    /// Opens a message, or what is left of one; `None` when packets may be read now.
    fn open(&mut self, broker: Broker, message: Arrived<'_>) -> Option<Step> {
        if !message.is_whole() {
            let head = match self.trust {
                Trust::Unopened => broker.open_arriving(message.bytes, message.length),
                _ => None,
            };
            let Some(cursor) = head else {
                return Some(self.starve());
            };
            return self.begin(cursor, Trust::Arriving);
        }
        let opened = match self.trust {
            Trust::Unopened => broker.open_frame(message.bytes),
            _ => broker.check_rest(message.bytes, self.cursor),
        };
        match opened {
            Ok(Frame::Packets(cursor)) => self.begin(cursor, Trust::Checked),
            Ok(Frame::Heartbeat) => {
                self.trust = Trust::Over;
                None
            }
            Err(fault) => {
                self.trust = Trust::Over;
                self.had_packets = false;
                Some(Step::Fault(fault))
            }
        }
    }

    fn begin(&mut self, cursor: Cursor, trust: Trust) -> Option<Step> {
        self.cursor = cursor;
        self.trust = trust;
        self.had_packets = true;
        None
    }
}
