//! MIME: the parts of a body, found and decoded piece by piece (RFC 2045, RFC 2046).
//!
//! A body may be 25 MiB and lie on a disk, so nothing here holds it: `walk` looks at it window by window, `tree` keeps
//! where the parts lie, `transfer` undoes their encodings. What a part's own header fields say is read by the
//! `mail-parser` crate in `fields`; its walk over whole messages wants them in memory in one piece and decodes every
//! part into memory, so it is not used. `text` is what people read: words, mailboxes, text of any character set.

pub mod fields;
pub mod text;
pub mod transfer;
pub mod tree;
pub mod walk;
