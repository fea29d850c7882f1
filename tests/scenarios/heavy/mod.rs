//! Scenarios that load the machine or measure it: one at a time (tests/nextest.toml).

mod a_damaged_record_is_set_aside;
mod a_full_disk_is_answered_and_left_behind;
mod five_thousand_idle_sessions_are_cheap;
mod hostile_guests_leave_the_server_whole;
mod kill_nine_loses_nothing;
mod large_messages_lie_on_the_disk;
mod reloads_under_load_lose_nothing;
