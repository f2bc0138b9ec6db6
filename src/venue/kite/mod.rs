//! Zerodha Kite Connect v3 (protocol notes: feed, orders, session).
