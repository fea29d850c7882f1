//! The guest's memory: an allocator that uses what the instance already has before it asks for more.
//!
//! Rust's own allocator for WebAssembly grows memory for its first allocation, which costs the host two system calls
//! that serialise all threads. An instance lives for one transaction, so this one is simple: blocks come in sizes of
//! powers of two, freed ones are kept in a list for their size, and new ones are cut from the front.

#![allow(unsafe_code, reason = "an allocator hands out raw memory; this is the only file that allows it")]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr;

/// Smallest block, in bytes: room for the link of a free list and the alignment that compilers assume.
const BLOCK_BYTES_MIN: usize = 16;
/// Powers of two from 2^4 to 2^31.
const CLASSES: usize = 28;
/// What is free when the plugin is configured.
const ROOM_BYTES: usize = 8 * 1024;
/// Memory grows by whole multiples of this, where its pages are smaller.
const GROWTH_BYTES: usize = 16 * 1024;

unsafe extern "C" {
    /// Placed by the linker: data and stack end here.
    static __heap_base: u8;
    /// Placed by the linker: where the first page ends, which is how large a page is: 64 KiB, or an octet.
    static __wasm_first_page_end: u8;
}

struct Heap {
    /// First octet never handed out; 0 before the first allocation.
    next: usize,
    /// End of the memory that the instance has.
    end: usize,
    /// For each class the address of the first free block, whose first word links to the next; 0 ends the list.
    free: [usize; CLASSES],
}

struct Blocks(UnsafeCell<Heap>);

// SAFETY: a plugin's instance runs on one thread at a time; the contract has no threads (Config turns them off).
unsafe impl Sync for Blocks {}

#[global_allocator]
static BLOCKS: Blocks = Blocks(UnsafeCell::new(Heap { next: 0, end: 0, free: [0; CLASSES] }));

impl Heap {
    /// Cuts a block of `bytes` (a power of two) from the front, aligned to `align`; null when memory is used up.
    fn cut(&mut self, bytes: usize, align: usize) -> *mut u8 {
        if self.next == 0 {
            self.next = (&raw const __heap_base) as usize;
            self.end = core::arch::wasm32::memory_size(0) * page_bytes();
        }
        let Some(start) = self.next.checked_next_multiple_of(align) else { return ptr::null_mut() };
        match start.checked_add(bytes) {
            Some(end) if self.reach(end, GROWTH_BYTES) => self.next = end,
            _ => return ptr::null_mut(),
        }
        ptr::with_exposed_provenance_mut(start)
    }

    /// Has the memory reach that far, growing by whole steps; whether it does.
    fn reach(&mut self, end: usize, step_bytes: usize) -> bool {
        if end > self.end {
            let pages = (end - self.end).next_multiple_of(step_bytes).div_ceil(page_bytes());
            if core::arch::wasm32::memory_grow(0, pages) == usize::MAX {
                return false;
            }
            self.end += pages * page_bytes();
        }
        true
    }
}

/// The plugin is configured: there is to be some room for what hooks need, since an instance whose memory grows is dropped
/// after its transaction.
pub(crate) fn leave_room() {
    // SAFETY: one thread, and nothing else holds this reference during the call.
    let heap = unsafe { &mut *BLOCKS.0.get() };
    // What begins as free is enough where nothing was taken. Without more, hooks will grow the memory themselves.
    let _ = heap.next == 0 || heap.reach(heap.next.saturating_add(ROOM_BYTES), BLOCK_BYTES_MIN);
}

fn page_bytes() -> usize {
    (&raw const __wasm_first_page_end) as usize
}

fn block_bytes(layout: Layout) -> usize {
    layout.size().max(layout.align()).max(BLOCK_BYTES_MIN).next_power_of_two()
}

fn class(block_bytes: usize) -> usize {
    (block_bytes.trailing_zeros() as usize - 4).min(CLASSES - 1)
}

// SAFETY: blocks are disjoint (cut once from the front, or taken off a list that they were put on when freed), at
// least as large as asked, and aligned: a class holds blocks of one size, each aligned to at most that size.
unsafe impl GlobalAlloc for Blocks {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let bytes = block_bytes(layout);
        // SAFETY: one thread, and nothing else holds this reference during the call.
        let heap = unsafe { &mut *self.0.get() };
        let head = &mut heap.free[class(bytes)];
        if *head != 0 && head.is_multiple_of(layout.align()) {
            let block = ptr::with_exposed_provenance_mut::<usize>(*head);
            // SAFETY: a block on a list is free memory of at least one word, written by `dealloc`.
            *head = unsafe { block.read() };
            return block.cast();
        }
        heap.cut(bytes, layout.align().max(BLOCK_BYTES_MIN))
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`.
        let heap = unsafe { &mut *self.0.get() };
        let head = &mut heap.free[class(block_bytes(layout))];
        // SAFETY: the caller gives the block back, and it is at least one word and 16-aligned.
        unsafe { block.cast::<usize>().write(*head) };
        *head = block.expose_provenance();
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: the caller's promise: `bytes` is not zero and fits the alignment.
        let wanted = unsafe { Layout::from_size_align_unchecked(bytes, layout.align()) };
        if block_bytes(wanted) == block_bytes(layout) {
            return block;
        }
        // SAFETY: both blocks are ours; the smaller length is within both.
        unsafe {
            let moved = self.alloc(wanted);
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(bytes));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}
