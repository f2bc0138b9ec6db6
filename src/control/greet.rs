//! The greeting of a stream: what some brokers want to hear first, and what they say before anything may be subscribed.

use super::desk::DeskFault;
use crate::net::websocket::Received;
use crate::net::{FeedSocket, NetFault};
use crate::venue::session::Opening;
use crate::venue::{ApiFault, Broker, JsonScratch, TextMessage};
use std::time::Duration;

/// Longest wait of one look at the socket.
const LOOK: Duration = Duration::from_millis(500);
/// Looks before the greeting is given up: 10 s of silence (protocols/kotak-neo.md 4), or as many messages.
const LOOKS: u32 = 20;

/// Greets and waits for the welcome, where the broker wants that. What comes before it is thrown away: nothing was
/// subscribed yet.
///
/// # Errors
///
/// [`DeskFault`]: the greeting was refused, which no other attempt with this session changes, or nothing was said in
/// time.
pub fn greet(socket: &mut FeedSocket, broker: Broker, opening: &Opening) -> Result<(), DeskFault> {
    if let Some(greeting) = &opening.greeting {
        socket.send_text(greeting.expose())?;
    }
    if !opening.awaits_welcome {
        return Ok(());
    }
    let mut json = JsonScratch::new();
    let mut other = opening.other_greeting.as_ref();
    for look in 0..LOOKS {
        if look == LOOKS / 2
            && let Some(greeting) = other.take()
        {
            socket.send_text(greeting.expose())?;
        }
        let Received::Text(text) = socket.receive_within(LOOK)? else {
            continue;
        };
        let told = |source| DeskFault::Api {
            what: "greeting of the stream",
            source,
        };
        match broker.text_message(&mut text.to_vec(), &mut json) {
            TextMessage::Welcome => return Ok(()),
            TextMessage::Refused(why) => {
                let message = why.to_owned();
                return Err(told(ApiFault::Session { message }));
            }
            TextMessage::Error(why) => {
                if let Some(greeting) = other.take() {
                    socket.send_text(greeting.expose())?;
                    continue;
                }
                return Err(told(ApiFault::Refused {
                    status: 101,
                    kind: "error".to_owned(),
                    message: why.to_owned(),
                }));
            }
            _ => {}
        }
    }
    Err(DeskFault::Net(NetFault::Broken {
        host: "stream".to_owned(),
        why: "no welcome came after the greeting".to_owned(),
    }))
}
