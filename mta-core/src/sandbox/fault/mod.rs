//! What went wrong with a plugin: at load, or while it was asked.

pub(crate) mod breaker;
pub(crate) mod frames;
pub(crate) mod poison;

use std::sync::Arc;

/// A plugin could not decide. The operator's `on_failure` says what becomes of the mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// What kind of failure.
    pub(crate) kind: Kind,
    /// Its words.
    pub(crate) why: String,
    /// The guest's functions, the innermost first, where it has told their names.
    pub(crate) frames: Vec<String>,
}

/// Kinds of failure, by the names that the log gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The guest trapped: a panic, a division by zero, a stack overflow.
    Trap,
    /// It used up its processor time.
    Cpu,
    /// It took too long by the clock.
    Wall,
    /// It wanted more memory than it may have, and failed for want of it.
    Memory,
    /// No instance was free in time.
    Pool,
    /// It said itself that it can't decide.
    Fault,
    /// Its answer broke the contract.
    Answer,
    /// It was not asked: it is left alone for a while.
    Breaker,
}

impl Kind {
    /// All of them, in their order.
    pub(crate) const ALL: [Self; 8] =
        [Self::Trap, Self::Cpu, Self::Wall, Self::Memory, Self::Pool, Self::Fault, Self::Answer, Self::Breaker];

    /// As the log names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Cpu => "cpu",
            Self::Wall => "wall",
            Self::Memory => "memory",
            Self::Pool => "pool",
            Self::Fault => "fault",
            Self::Answer => "answer",
            Self::Breaker => "breaker",
        }
    }
}

impl Fault {
    /// A fault of that kind.
    pub(crate) fn new(kind: Kind, why: impl Into<String>) -> Self {
        Self { kind, why: why.into(), frames: Vec::new() }
    }
}

/// A plugin that can't be loaded; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("plugin \"{plugin}\": {problem}{}{remedy}", if problem.contains('\n') { "\n" } else { "; " })]
pub struct LoadError {
    /// Its configured name.
    pub plugin: Arc<str>,
    /// What was found, and what was expected.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

/// Why no image of a configured plugin can be had, or none that an instance can be brought back to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    /// The tool that takes the picture refused, with its words.
    #[error("{0}")]
    Refused(String),
    /// Not a binary that can be read.
    #[error("its binary is not understood: {0}")]
    Binary(#[from] wasmparser::BinaryReaderError),
    /// It drew randomness while it was configured: an image would give all transactions the same.
    #[error("it draws randomness in configure")]
    Drew,
    /// It saw a secret while it was configured: an image would take that to the disk, in compiled code.
    #[error("it reads a secret in configure")]
    Saw,
    /// Something that a module has and the functions can't restore.
    #[error("a module has {0}")]
    Has(&'static str),
}
