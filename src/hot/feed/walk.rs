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
    #[inline(never)]
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Everything a walk says while a message grows to these lengths.
    fn walked(frame: &[u8], cuts: &[usize]) -> Vec<Step> {
        let mut walk = Walk::new(MonoNanos(1));
        let mut said = Vec::new();
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (frame.len() + 1)).collect();
        ends.sort_unstable();
        ends.push(frame.len());
        for end in ends {
            walk.feed(MonoNanos(1));
            let message = Arrived {
                bytes: &frame[..end],
                length: frame.len(),
            };
            loop {
                match walk.step(Broker::Kite, message) {
                    Step::Starved => break,
                    Step::Done => return said,
                    step => said.push(step),
                }
            }
        }
        panic!("starved of nothing");
    }

    /// What a message says when it is read whole: its packets, or one fault.
    fn whole(frame: &[u8]) -> Result<Vec<Step>, FeedFault> {
        let Frame::Packets(mut cursor) = Broker::Kite.open_frame(frame)? else {
            return Ok(Vec::new());
        };
        let next = || Broker::Kite.next_quote(frame, &mut cursor);
        let step = |read: Result<_, _>| read.map_or_else(Step::Fault, Step::Quote);
        Ok(std::iter::from_fn(next).map(step).collect())
    }

    fn packet(length: usize, number: u8) -> Vec<u8> {
        let mut body = vec![0; length];
        // A token of a known segment and a price.
        for (at, byte) in [(2, number), (3, 2), (7, 100)] {
            if let Some(place) = body.get_mut(at) {
                *place = byte;
            }
        }
        body
    }

    proptest! {
        #[test]
        fn a_message_says_the_same_however_it_arrives(
            first in prop::sample::select(vec![8_usize, 44, 184]),
            odd in prop::collection::vec((0_usize..20, prop::sample::select(vec![7_usize, 8, 44, 184])), 0..3),
            count in 0_usize..20,
            lie in prop::sample::select(vec![0_u16, 0, 0, 1, 2, u16::MAX]),
            tail in 0_usize..2,
            cuts in prop::collection::vec(any::<usize>(), 0..12),
        ) {
            let mut lengths = vec![first; count];
            for (at, length) in odd {
                if let Some(place) = lengths.get_mut(at) {
                    *place = length;
                }
            }
            let announced = u16::try_from(count).unwrap().wrapping_add(lie);
            let mut frame = announced.to_be_bytes().to_vec();
            for (number, length) in (0_u8..).zip(&lengths) {
                frame.extend(u16::try_from(*length).unwrap().to_be_bytes());
                frame.extend(packet(*length, number));
            }
            frame.extend(vec![0; tail]);
            let said = walked(&frame, &cuts);
            match whole(&frame) {
                Ok(steps) => prop_assert_eq!(said, steps),
                // Lengths that do not add up: nothing behind the place where that shows, and the fault last.
                Err(fault) => {
                    prop_assert_eq!(said.last(), Some(&Step::Fault(fault)));
                    prop_assert!(said.len() <= count + 1);
                }
            }
        }
    }

    #[test]
    fn packets_of_one_length_are_read_as_they_come() {
        let mut frame = 3_u16.to_be_bytes().to_vec();
        for number in 0..3 {
            frame.extend(184_u16.to_be_bytes());
            frame.extend(packet(184, number));
        }
        let mut walk = Walk::new(MonoNanos(1));
        let mut read = Vec::new();
        for end in 0..=frame.len() {
            let message = Arrived {
                bytes: &frame[..end],
                length: frame.len(),
            };
            while let Step::Quote(_) = walk.step(Broker::Kite, message) {
                read.push(end);
            }
        }
        assert_eq!(read, [188, 374, 560]);
    }
}
