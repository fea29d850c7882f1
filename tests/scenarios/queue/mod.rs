//! Mail waits in the queue.

mod a_slow_destination_holds_nobody_else;
mod operators_see_and_change_the_queue;
mod suppression_lists_are_shared_and_kept;
