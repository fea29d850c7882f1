//! Plugins on trial beside the mail, and messages that try them.

mod a_poisonous_message_is_held;
mod calls_are_recorded_and_replayed;
mod shadows_and_canaries_are_compared_under_load;
