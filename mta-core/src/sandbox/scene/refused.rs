//! Why what a plugin wanted to record was refused.

/// Why an edit or a note was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Names nothing that is possible.
    Invalid,
    /// Beyond a limit.
    TooLarge,
    /// There is no such thing to change.
    NoSuchItem,
    /// Not at this hook.
    NotHere,
}
