//! What people are told of the inquiry, and what its findings do to the trading state.

use super::hand::Hand;
use crate::control::inquire::Notice;
use crate::model::{Cause, TradingState};
use crate::pipeline::inquiry::News;

/// One line for people.
pub(in crate::cli) fn words(news: &News) -> String {
    match news {
        News::Notice(Notice::Twice { tag, order_id }) => format!(
            "ALARM order {} is a second one for the leg of {tag} and has no fills: it is cancelled",
            order_id.0
        ),
        News::Notice(Notice::TwiceFilled { tag, order_id }) => format!(
            "ALARM order {} is a second one for the leg of {tag} and has fills: look at the position now",
            order_id.0
        ),
        News::Notice(Notice::Foreign { tag, order_id }) => format!(
            "order {} has a tag like ours, {tag}, of another account or day; it is left alone",
            order_id.0
        ),
        News::Notice(Notice::Missing { order_id }) => format!(
            "ALARM three reads of the order book in a row lack order {}, which the venue had shown",
            order_id.0
        ),
        News::Notice(Notice::Lookalike { tag, order_id }) => format!(
            "ALARM order {} has no tag and looks like {tag}, whose outcome is unknown: look whether it is that \
             one; it is not sent again",
            order_id.0
        ),
        News::Notice(Notice::Orphan { order_id }) => format!(
            "ALARM there is a trade of order {}, which the order book lacks; both are read again",
            order_id.0
        ),
        News::Stranger(tag, order_id) => format!(
            "ALARM order {} with our tag {tag} was not sent by this engine: another one trades this account \
             today. Entries end here; stop one of the two",
            order_id.0
        ),
        News::Failing(why) => {
            format!("ALARM the order book cannot be read: {why}; it is tried again")
        }
        News::Reading => "the order book can be read again".to_owned(),
        News::Differs {
            symbol,
            ours,
            venue,
        } => format!(
            "ALARM {symbol}: the account holds {venue} units, by our fills it would be {ours}: nothing is opened in it, and \
             nothing closed beyond what the venue shows, until they agree; look at the order book"
        ),
        News::Agrees(symbol) => {
            format!("{symbol}: the account holds again what our fills come to")
        }
        News::NotCompared(why) => {
            format!("ALARM positions cannot be compared: {why}; it is tried again")
        }
        News::Missed(count) => format!(
            "ALARM {count} records of the gateway were not heard: an order may be unknown and not asked about; \
             start again to have it found"
        ),
        News::SessionDead(why) => {
            format!("ALARM the order book is not read any more: {why}")
        }
    }
}

/// Ends entries when another engine trades the account; a sentence when that could not be written down.
pub(in crate::cli) fn guard(hand: &Hand, news: &News) -> Option<String> {
    let News::Stranger(tag, order_id) = news else {
        return None;
    };
    let why = format!("order {} with tag {tag} is another engine's", order_id.0);
    hand.tighten(TradingState::Reducing, Cause::Fence, &why)
}
