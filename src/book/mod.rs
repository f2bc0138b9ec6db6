//! What we hold: lots, positions, profit and loss.
