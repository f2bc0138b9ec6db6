//! Work: a stage drains a bounded batch and says how much it did. It decides nothing about threads.

use super::clock::Clock;

/// A piece of the pipeline.
pub trait Stage: Send {
    /// Name of the stage, for the topology, the watchdog and the thread.
    fn name(&self) -> &'static str;

    /// Called once on the thread that will run it: allocate, touch, register sockets.
    fn start(&mut self, _sockets: Option<&mio::Registry>) {}

    /// Does a bounded amount of work and returns how many items it moved. Never blocks, never allocates
    /// after warm-up, knows no clock but this one.
    fn work(&mut self, clock: &Clock) -> usize;

    /// Called once, after the last `work`, upstream stages first.
    fn stop(&mut self, _clock: &Clock) {}
}

/// Stages run in turn on one thread, upstream first: what "fused" and "stepped" are made of.
#[derive(Debug)]
pub struct Chain<A, B>(pub A, pub B);

impl<A: Stage, B: Stage> Stage for Chain<A, B> {
    fn name(&self) -> &'static str {
        "fused"
    }

    fn start(&mut self, sockets: Option<&mio::Registry>) {
        self.0.start(sockets);
        self.1.start(sockets);
    }

    #[inline]
    fn work(&mut self, clock: &Clock) -> usize {
        self.0.work(clock).wrapping_add(self.1.work(clock))
    }

    fn stop(&mut self, clock: &Clock) {
        self.0.stop(clock);
        self.1.stop(clock);
    }
}
