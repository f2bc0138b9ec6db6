//! The inlet against tungstenite alone: any bytes, split anywhere, say the same, end the same and are answered the same.

use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;

/// A stream that hands out given parts, says "not now" between them, ends, and keeps what is written.
#[derive(Debug)]
struct Parts {
    parts: VecDeque<Vec<u8>>,
    /// True when the next read finds nothing yet.
    pauses: bool,
    /// True when it falls silent at its end instead of closing.
    stays: bool,
    /// Writes that find no room yet.
    refusals: usize,
    written: Vec<u8>,
}

impl Parts {
    fn new(bytes: &[u8], cuts: &[usize]) -> Self {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        cuts.dedup();
        let part = |pair: &[usize]| bytes[pair[0]..pair[1]].to_vec();
        Self {
            parts: cuts.windows(2).map(part).collect(),
            pauses: false,
            stays: false,
            refusals: 0,
            written: Vec::new(),
        }
    }
}

impl Read for Parts {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.pauses = !self.pauses;
        if !self.pauses {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let Some(part) = self.parts.front_mut() else {
            return if self.stays {
                Err(io::ErrorKind::WouldBlock.into())
            } else {
                Ok(0)
            };
        };
        let count = part.len().min(into.len());
        into[..count].copy_from_slice(&part[..count]);
        part.drain(..count);
        if part.is_empty() {
            self.parts.pop_front();
        }
        Ok(count)
    }
}

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.refusals > 0 {
            self.refusals -= 1;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a reader said, in order.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Binary(Vec<u8>),
    Text(Vec<u8>),
    Control,
    End(String),
}

/// More looks than any of these streams needs.
const LOOKS: usize = 100_000;

/// What tungstenite says of a stream, and what it answers.
fn oracle(stream: Parts) -> (Vec<Said>, Vec<u8>) {
    let mut socket = WebSocket::from_raw_socket(stream, Role::Client, Some(limits()));
    let mut said = Vec::new();
    for _ in 0..LOOKS {
        said.push(match socket.read() {
            Ok(Message::Binary(bytes)) => Said::Binary(bytes.to_vec()),
            Ok(Message::Text(text)) => Said::Text(text.as_bytes().to_vec()),
            Ok(_) => Said::Control,
            Err(Error::Io(e)) if e.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => {
                said.push(Said::End(error.to_string()));
                return (said, unmasked(&socket.get_ref().written));
            }
        });
    }
    panic!("no end")
}

/// What the inlet says: binary messages as they are when all of them is here, their parts only ever growing.
fn inlet(stream: Parts) -> (Vec<Said>, Vec<u8>) {
    let mut inlet = Inlet::new(stream);
    inlet.upgraded();
    let socket = WebSocket::from_raw_socket(inlet, Role::Client, Some(limits()));
    let mut messages = Messages::new(socket);
    let mut said = Vec::new();
    let mut begun: Vec<u8> = Vec::new();
    for _ in 0..LOOKS {
        match messages.receive() {
            Ok(Received::Nothing) => {}
            // A part of a fragmented message is one of these too: only those tungstenite tells count.
            Ok(Received::Control) if !messages.owes => {}
            Ok(Received::Control) => said.push(Said::Control),
            Ok(Received::Text(text)) => said.push(Said::Text(text.to_vec())),
            Ok(Received::Binary) => {
                let message = messages.message();
                assert!(message.bytes.starts_with(&begun), "what was shown stays");
                assert!(message.bytes.len() > begun.len() || message.length == 0);
                begun = message.bytes.to_vec();
                if message.is_whole() {
                    said.push(Said::Binary(std::mem::take(&mut begun)));
                }
            }
            Err(error) => {
                said.push(Said::End(error.to_string()));
                let written = &messages.socket.get_ref().stream.written;
                return (said, unmasked(written));
            }
        }
    }
    panic!("no end")
}

/// Frames of a client with their random masks taken off.
fn unmasked(mut bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        let length = usize::from(second & 0x7f);
        assert!(length < 126 && second & 0x80 != 0, "a short masked frame");
        let (mask, rest) = rest.split_at(4);
        plain.extend([*first, *second]);
        let payload = rest[..length].iter().zip(mask.iter().cycle());
        plain.extend(payload.map(|(byte, mask)| byte ^ mask));
        bytes = &rest[length..];
    }
    plain
}

/// A frame as a server sends it; `wide` is how its length is written: 0 as short as can be, 1 in two bytes, 2 in eight.
fn frame(first: u8, payload: &[u8], wide: u8) -> Vec<u8> {
    let length = payload.len() as u64;
    let mut bytes = vec![first];
    let (short, medium) = (u8::try_from(length), u16::try_from(length));
    match (wide, short, medium) {
        (0, Ok(short @ 0..126), _) => bytes.push(short),
        (0 | 1, _, Ok(medium)) => {
            bytes.push(126);
            bytes.extend(medium.to_be_bytes());
        }
        _ => {
            bytes.push(127);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes.extend(payload);
    bytes
}

/// Frames in every mixture a server may send, and some it may not.
fn some_frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = || prop::collection::vec(any::<u8>(), 0..300);
    let short = || prop::collection::vec(any::<u8>(), 0..=125);
    let text = || "[a-z ]{0,200}".prop_map(String::into_bytes);
    let large = (15_000_usize..70_000).prop_map(|length| vec![7; length]);
    prop_oneof![
        8 => (payload(), 0_u8..3).prop_map(|(body, wide)| frame(0x82, &body, wide)),
        3 => large.prop_map(|body| frame(0x82, &body, 0)),
        3 => text().prop_map(|body| frame(0x81, &body, 0)),
        3 => (prop::sample::select(vec![0x89_u8, 0x8a]), short())
            .prop_map(|(first, body)| frame(first, &body, 0)),
        // A fragmented message, with a ping in between.
        3 => (prop::sample::select(vec![0x01_u8, 0x02]), text(), text()).prop_map(|(first, a, b)| {
            [frame(first, &a, 0), frame(0x89, b"hi", 0), frame(0x00, b"", 0), frame(0x80, &b, 0)].concat()
        }),
        1 => short().prop_map(|body| frame(0x88, &body, 0)),
        1 => Just(frame(0x88, &[3, 232, b'b', b'y', b'e'], 0)),
        // Any first byte: reserved bits and codes, lone parts, parts that never end.
        1 => (any::<u8>(), short()).prop_map(|(first, body)| frame(first, &body, 0)),
        // Masked, as only a client may.
        1 => Just(vec![0x82, 0x83, 1, 2, 3, 4, 9, 9, 9]),
        // Lengths that lie.
        1 => (127_u8..=127, any::<u64>()).prop_map(|(mark, length)| {
            [&[0x82, mark][..], &length.to_be_bytes(), b"rest"].concat()
        }),
        1 => Just(vec![0x82, 126, 0xff]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn any_bytes_in_any_parts_say_what_tungstenite_says(
        frames in prop::collection::vec(some_frame(), 0..12),
        cuts in prop::collection::vec(any::<usize>(), 0..40),
    ) {
        let bytes = frames.concat();
        let alone = oracle(Parts::new(&bytes, &cuts));
        prop_assert_eq!(inlet(Parts::new(&bytes, &cuts)), alone);
    }

    #[test]
    fn noise_says_what_tungstenite_says(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        cuts in prop::collection::vec(any::<usize>(), 0..10),
    ) {
        let alone = oracle(Parts::new(&bytes, &cuts));
        prop_assert_eq!(inlet(Parts::new(&bytes, &cuts)), alone);
    }
}

#[test]
fn every_single_cut_of_every_kind_of_frame_says_the_same() {
    let bytes = [
        frame(0x82, b"binary", 0),
        frame(0x89, b"ping", 0),
        frame(0x01, b"te", 0),
        frame(0x8a, b"", 0),
        frame(0x80, b"xt", 0),
        frame(0x82, &[9; 200], 0),
        frame(0x82, b"", 0),
        frame(0x88, &[3, 232], 0),
        frame(0x82, b"too late", 0),
    ]
    .concat();
    let whole = oracle(Parts::new(&bytes, &[]));
    assert_eq!(whole.0.len(), 8, "{:?}", whole.0);
    for cut in 0..bytes.len() {
        assert_eq!(inlet(Parts::new(&bytes, &[cut])), whole, "cut at {cut}");
    }
    let bytewise: Vec<usize> = (0..bytes.len()).collect();
    assert_eq!(inlet(Parts::new(&bytes, &bytewise)), whole);
}

#[test]
fn the_largest_message_that_is_shown_and_those_beyond_are_read_alike() {
    for length in [
        MESSAGE_MAX - 1,
        MESSAGE_MAX,
        MESSAGE_MAX + 1,
        LARGEST,
        LARGEST + 1,
    ] {
        let small = frame(0x82, b"small", 0);
        let bytes = [small.clone(), frame(0x82, &vec![5; length], 0), small].concat();
        let (said, _) = inlet(Parts::new(&bytes, &[7, 1_000, 500_000]));
        let (alone, _) = oracle(Parts::new(&bytes, &[7, 1_000, 500_000]));
        assert!(said == alone, "{length}");
        assert_eq!(said.len(), if length > LARGEST { 2 } else { 4 });
    }
}

#[test]
fn a_large_message_is_shown_part_by_part() {
    let bytes = frame(0x82, &vec![1; 93_002], 0);
    let mut inlet = Inlet::new(Parts::new(&bytes, &[]));
    inlet.upgraded();
    let mut seen = Vec::new();
    for _ in 0..20 {
        if inlet.look().expect("no fault") == Found::Message {
            seen.push(inlet.message().0.len());
        }
    }
    let whole: Vec<usize> = (1..6)
        .map(|part| part * inlet::CHUNK - 10)
        .chain([93_002])
        .collect();
    assert_eq!(seen, whole);
}

#[test]
fn bytes_behind_the_answer_to_the_upgrade_are_frames() {
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n";
    let bytes = [&answer[..], &frame(0x82, b"first", 0)].concat();
    for cut in 0..bytes.len() {
        let mut inlet = Inlet::new(Parts::new(&bytes, &[cut]));
        let mut read = Vec::new();
        while read.len() < answer.len() {
            let mut room = [0; 10];
            if let Ok(count) = inlet.read(&mut room) {
                read.extend_from_slice(&room[..count]);
            }
        }
        assert_eq!(read, answer, "cut at {cut}");
        inlet.upgraded();
        let mut shown = Vec::new();
        for _ in 0..6 {
            if inlet.look().expect("no fault") == Found::Message {
                shown = inlet.message().0.to_vec();
            }
        }
        assert_eq!(shown, b"first");
    }
}

#[test]
fn the_answer_to_a_ping_leaves_when_there_is_room_for_it() {
    // Behind the ping is silence: nothing but the answer itself asks for another try.
    let mut stream = Parts::new(&frame(0x89, b"alive", 0), &[]);
    (stream.stays, stream.refusals) = (true, 3);
    let mut inlet = Inlet::new(stream);
    inlet.upgraded();
    let socket = WebSocket::from_raw_socket(inlet, Role::Client, Some(limits()));
    let mut messages = Messages::new(socket);
    for _ in 0..20 {
        messages.receive().expect("alive");
    }
    let written = &messages.socket.get_ref().stream.written;
    assert_eq!(unmasked(written), b"\x8a\x85alive");
}

#[test]
fn a_text_that_finds_no_room_leaves_when_there_is_some() {
    let mut stream = Parts::new(&[], &[]);
    (stream.stays, stream.refusals) = (true, 3);
    let mut inlet = Inlet::new(stream);
    inlet.upgraded();
    let socket = WebSocket::from_raw_socket(inlet, Role::Client, Some(limits()));
    let mut messages = Messages::new(socket);
    messages.send_text("subscribe").expect("alive");
    assert!(messages.socket.get_ref().stream.written.is_empty());
    for _ in 0..20 {
        messages.receive().expect("alive");
    }
    let written = &messages.socket.get_ref().stream.written;
    assert_eq!(unmasked(written), b"\x81\x89subscribe");
}
