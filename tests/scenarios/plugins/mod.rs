//! Plugins as operators and authors meet them: loaded, kept, reloaded, written.

mod a_plugin_is_written_from_an_empty_folder;
mod a_plugin_says_where_mail_goes;
mod a_poisonous_message_is_held;
mod calls_are_recorded_and_replayed;
mod compiled_code_is_kept_and_checked;
mod compiling_has_limits;
mod plugins_are_reloaded_and_rolled_back;
mod shadows_and_canaries_are_compared_under_load;
