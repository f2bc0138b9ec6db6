//! An allocator that counts what each thread allocates and frees.
//!
//! The counters are per thread, so that threads of other tests and of the other end of a socket do not count.

use std::alloc::{GlobalAlloc, Layout as Memory, System};
use std::cell::Cell;

/// Counts what this thread allocates and frees.
struct Counting;

thread_local! {
    static COUNTS: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

fn count(allocated: u64, freed: u64) {
    // A thread that is ending has no counters any more, and nobody reads them.
    COUNTS
        .try_with(|counts| {
            let (a, f) = counts.get();
            counts.set((a + allocated, f + freed));
        })
        .ok();
}

#[expect(
    unsafe_code,
    reason = "an allocator is unsafe by its trait; counting needs one"
)]
// SAFETY: every call is passed on to the system's allocator with its arguments unchanged; counting touches
// only a constant-initialised thread-local cell, which neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Memory) -> *mut u8 {
        count(1, 0);
        // SAFETY: the caller's promises are those of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Memory) -> *mut u8 {
        count(1, 0);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Memory, size: usize) -> *mut u8 {
        count(1, 1);
        // SAFETY: as above; the pointer came from the system's allocator.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Memory) {
        count(0, 1);
        // SAFETY: as above; the pointer came from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a piece of work allocated and freed on this thread.
pub(crate) fn counted_in<T>(work: impl FnOnce() -> T) -> (T, (u64, u64)) {
    let before = COUNTS.with(Cell::get);
    let result = work();
    let after = COUNTS.with(Cell::get);
    (result, (after.0 - before.0, after.1 - before.1))
}
