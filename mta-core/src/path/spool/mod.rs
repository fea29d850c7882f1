//! Spool: accepted mail is made durable and its state is kept.
