//! The standard plugins, as they are built in: with real clients and next hops.

mod list_mail_is_unsubscribed_from;
mod programs_keep_the_suppression_lists;
