//! Text messages of the feeds and of the order streams.

use tezi::venue::kotak::updates;
use tezi::venue::{Broker, JsonScratch, TextMessage};

/// Longest sentence of our own that stands for a message.
const SENTENCE_MAX: usize = 256;

/// Reads a message twice with one scratch: what a message left behind changes nothing about the next.
fn read(broker: Broker, bytes: &[u8]) {
    let mut json = JsonScratch::new();
    let mut copy = bytes.to_vec();
    let first = broker.text_message(&mut copy, &mut json);
    if let TextMessage::Error(text) | TextMessage::Notice(text) | TextMessage::Refused(text) = first
    {
        assert!(
            text.len() <= bytes.len().max(SENTENCE_MAX),
            "it says more than it was told"
        );
    }
    let first = format!("{first:?}");
    let mut copy = bytes.to_vec();
    let second = format!("{:?}", broker.text_message(&mut copy, &mut json));
    assert_eq!(first, second, "read again it says something else");
}

pub(super) fn kite(bytes: &[u8]) {
    read(Broker::Kite, bytes);
}

pub(super) fn dhan(bytes: &[u8]) {
    read(Broker::Dhan, bytes);
}

pub(super) fn kotak(bytes: &[u8]) {
    read(Broker::Kotak, bytes);
    let mut json = JsonScratch::new();
    let names = updates::subscribed(&mut bytes.to_vec(), &mut json);
    assert!(names.is_none_or(|names| names.len() <= bytes.len()));
}

pub(super) fn openalgo(bytes: &[u8]) {
    read(Broker::OpenAlgo, bytes);
}
