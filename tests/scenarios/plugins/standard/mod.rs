//! The standard plugins, as shipped in the program, with real clients.

mod limits_hold_for_all_who_share_them;
mod new_senders_wait_and_come_back;
