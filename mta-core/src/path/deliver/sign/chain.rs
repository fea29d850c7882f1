//! The ARC sets that a message has, by their instances (RFC 8617 4.2), and what the next one says of them.

use super::fields::behind_colon;
use crate::base::mail::header::{self, Field};
use bytes::Bytes;

/// Sets of a message at most (RFC 8617 4.2.1).
pub const SETS_MAX: u8 = 50;

/// What a chain came to when it was validated (RFC 8617 4.4), and what a seal says of it (`cv=`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validation {
    /// There was none.
    None,
    /// It was broken.
    Fail,
    /// It was right.
    Pass,
}

impl Validation {
    /// By its word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::None, Self::Fail, Self::Pass].into_iter().find(|known| known.word() == word)
    }

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Fail => "fail",
            Self::Pass => "pass",
        }
    }
}

/// The fields of a set, in the order in which they are sealed (RFC 8617 5.1.1).
const NAMES: [&str; 3] = ["ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"];

/// What a message has of a chain.
#[derive(Debug, Default)]
pub struct Chain<'a> {
    /// Its fields with their instance and their place in a set.
    parts: Vec<(u8, usize, Field<'a>)>,
    /// There is a field that says no instance, or one that can't be.
    strange: bool,
}

impl<'a> Chain<'a> {
    /// Reads it off a header section's pieces.
    #[must_use]
    pub fn of(head: &'a [Bytes]) -> Self {
        let mut chain = Self::default();
        for field in head.iter().flat_map(|piece| header::fields(piece)) {
            let Some(place) = NAMES.iter().position(|name| field.name.eq_ignore_ascii_case(name)) else { continue };
            match tag(&field, "i").and_then(|text| text.parse().ok()).filter(|i| (1..=SETS_MAX).contains(i)) {
                Some(instance) => chain.parts.push((instance, place, field)),
                None => chain.strange = true,
            }
        }
        chain.parts.sort_by_key(|(instance, place, _)| (*instance, *place));
        chain
    }

    /// The instance of the next set and what it says of those before it, given what they came to on their way in. None:
    /// there is to be no further one.
    #[must_use]
    pub fn next(&self, came: Validation) -> Option<(u8, Validation)> {
        let last = self.parts.last().map_or(0, |(instance, _, _)| *instance);
        let is_marked = self.parts.iter().any(|(instance, place, field)| {
            *instance == last && *place == 2 && tag(field, "cv").as_deref() == Some("fail")
        });
        if is_marked || last >= SETS_MAX {
            return None;
        }
        let validation = match came {
            _ if self.parts.is_empty() && !self.strange => Validation::None,
            // What was right may have lost a field here, by a plugin.
            Validation::Pass if self.is_whole(last) => Validation::Pass,
            _ => Validation::Fail,
        };
        Some((last + 1, validation))
    }

    /// Every set up to that one is there, with each field once.
    fn is_whole(&self, last: u8) -> bool {
        let wanted = (1..=last).flat_map(|instance| (0..NAMES.len()).map(move |place| (instance, place)));
        !self.strange && wanted.eq(self.parts.iter().map(|(instance, place, _)| (*instance, *place)))
    }

    /// Name and value, with its CRLF, of every field, in the order in which they are sealed.
    #[must_use]
    pub fn fields(&self) -> Vec<(&'a [u8], &'a [u8])> {
        self.parts.iter().map(|(_, _, field)| (field.name.as_bytes(), behind_colon(field))).collect()
    }
}

/// The value of a tag, without white space around it.
fn tag(field: &Field<'_>, name: &str) -> Option<String> {
    let value = field.unfolded();
    let tags = value.split(';').filter_map(|tag| tag.split_once('='));
    let found = tags.into_iter().find(|(found, _)| found.trim() == name)?;
    Some(found.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(instance: &str, cv: &str) -> String {
        format!(
            "ARC-Seal: i={instance}; cv={cv}; b=x\r\narc-message-signature: a=b; i = {instance}\r\n\
             ARC-Authentication-Results: i={instance}; mx.example; none\r\n"
        )
    }

    fn next(head: &str, came: Validation) -> Option<(u8, Validation)> {
        Chain::of(&[Bytes::from(format!("{head}From: a@b\r\n\r\n"))]).next(came)
    }

    #[test]
    fn the_next_instance_is_one_more_rfc8617_5_1() {
        assert_eq!(next("", Validation::None), Some((1, Validation::None)));
        let two = set("2", "pass") + &set("1", "none");
        assert_eq!(next(&two, Validation::Pass), Some((3, Validation::Pass)));
        assert_eq!(next(&two, Validation::Fail), Some((3, Validation::Fail)));
    }

    #[test]
    fn a_chain_that_was_marked_or_is_full_is_left_alone_rfc8617_4_2_1() {
        assert_eq!(next(&(set("2", "fail") + &set("1", "none")), Validation::Fail), None);
        let many = |count: u8| (1..=count).map(|i| set(&i.to_string(), "pass")).collect::<String>();
        assert_eq!(next(&many(50), Validation::Pass), None);
        assert_eq!(next(&many(49), Validation::Pass), Some((50, Validation::Pass)));
    }

    #[test]
    fn what_lost_a_field_here_is_broken_rfc8617_4_4() {
        let two = set("2", "pass") + &set("1", "none");
        assert_eq!(next(&two.replacen("ARC-Seal", "X-Seal", 1), Validation::Pass), Some((3, Validation::Fail)));
        assert_eq!(next(&(set("1", "none") + &two), Validation::Pass), Some((3, Validation::Fail)), "one twice");
        assert_eq!(next(&set("x", "none"), Validation::None), Some((1, Validation::Fail)));
        assert_eq!(next(&set("51", "pass"), Validation::Fail), Some((1, Validation::Fail)));
    }
}
