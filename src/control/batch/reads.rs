//! What a run of batches asks of the venue besides orders: the start of a simulated market, and what a quote means.

use crate::control::desk::{Desk, DeskFault};
use crate::model::{Price, Side};
use crate::venue::Request;
use crate::venue::quotes::QuoteRow;

/// Starts the market of a simulated venue that waits for a first subscriber: batches need no feed.
///
/// # Errors
///
/// [`DeskFault::Net`].
pub fn start_market(desk: &mut Desk) -> Result<(), DeskFault> {
    let request = Request {
        method: "POST",
        path: "/sim/start".to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    desk.call(&request)?;
    Ok(())
}

/// The price a marketable order of this side is reckoned from: the best price it can be filled at, and the
/// last price where nobody quotes. `None` without either.
pub fn touch(row: &QuoteRow, side: Side) -> Option<Price> {
    let levels = match side {
        Side::Buy => &row.asks,
        Side::Sell => &row.bids,
    };
    let best = levels.first().map_or(Price::ZERO, |level| level.price);
    [best, row.last].into_iter().find(|price| price.0 > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sale_is_reckoned_from_the_bid_a_purchase_from_the_ask_and_else_from_the_last_price() {
        let mut row = QuoteRow {
            last: Price::from_rupees(100),
            ..QuoteRow::default()
        };
        row.bids[0].price = Price::from_rupees(99);
        assert_eq!(touch(&row, Side::Sell), Some(Price::from_rupees(99)));
        assert_eq!(touch(&row, Side::Buy), Some(Price::from_rupees(100)));
        row.asks[0].price = Price::from_rupees(101);
        assert_eq!(touch(&row, Side::Buy), Some(Price::from_rupees(101)));
        assert_eq!(touch(&QuoteRow::default(), Side::Buy), None);
    }
}
