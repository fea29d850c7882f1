//! Receive: mail comes in by SMTP (RFC 5321).
