//! Plugins as operators and authors meet them: loaded, kept, reloaded, written.

mod a_greylist_in_c_serves;
mod a_plugin_is_written_from_an_empty_folder;
mod a_plugin_says_where_mail_goes;
mod a_rate_limit_in_python_serves;
mod a_subject_rule_in_javascript_serves;
mod compiled_code_is_kept_and_checked;
mod compiling_has_limits;
mod plugins_are_reloaded_and_rolled_back;
mod standard;
