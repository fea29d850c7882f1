//! Mail comes in.

mod chunks_and_pipelines_keep_their_order;
mod limits_are_answered_not_suffered;
mod mail_from_outside_is_verified;
mod many_recipients_share_one_transaction;
mod smtplib_uses_every_option;
mod smuggled_messages_are_refused;
mod strangers_may_not_relay;
mod swaks_delivers_to_the_maildir;
