//! Mail goes out.

mod bounces_of_what_was_forwarded_come_back;
mod dovecot_takes_mail_by_lmtp;
mod exchangers_are_found_and_tried_in_order;
mod refusals_come_back_as_reports;
mod signatures_verify_elsewhere;
mod smtp_source_reaches_smtp_sink_once;
mod what_is_forwarded_is_sealed;
