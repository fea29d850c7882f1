//! What comes back about mail that went out: bounces, complaints, requests for no more.

mod reports_come_back_to_the_plugin;
