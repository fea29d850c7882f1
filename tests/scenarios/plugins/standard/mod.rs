//! The standard plugins, as shipped, against the running server.

mod rules_filter_mail;
