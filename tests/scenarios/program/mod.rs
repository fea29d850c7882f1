//! The program: its configuration, its signals, its log, its plugins.

mod a_bad_configuration_is_told_with_its_place;
mod a_plugin_gives_messages_another_body;
mod a_reload_changes_all_or_nothing;
mod plugins_reach_what_they_are_granted;
mod the_end_loses_nothing;
mod the_example_plugin_adds_its_header;
mod the_log_is_one_event_a_line;
mod what_happens_is_counted;
