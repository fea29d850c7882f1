//! The scenarios: one story a file, named as a sentence, against the running program.
