//! What comes back about mail that went out: bounces, complaints, requests for no more; and what we tell others of theirs.

mod other_domains_are_told_of_their_mail;
mod other_domains_are_told_of_their_tls;
mod reports_come_back_to_the_plugin;
