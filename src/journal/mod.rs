//! What must survive a crash, written before an order leaves.
