//! Sets of regular expressions that guests have compiled: matched in a time that grows with the text and with the set.

use regex::bytes::{RegexSet, RegexSetBuilder};

/// Expressions that are searched for together. What is found out of a text is kept from octet to octet, and of more of them at once
/// it would be more than there is room to keep: then each octet is as dear as all expressions.
const TOGETHER_MAX: usize = 64;
/// A set once compiled, in octets; or `GROUP_BYTES` for each group, where that is more.
const SET_BYTES_MAX: usize = 16 * 1024 * 1024;
const GROUP_BYTES: usize = 1024 * 1024;
/// What running a set may keep for itself, in octets, for each thread that runs it; or `GROUP_CACHE_BYTES` for each group.
const SET_CACHE_BYTES_MAX: usize = 4 * 1024 * 1024;
const GROUP_CACHE_BYTES: usize = 256 * 1024;
/// Searching for a group costs so many times what a plain search does.
const COST: u64 = 10;

/// A compiled set; its expressions are named by their places.
#[derive(Debug)]
pub(crate) struct Expressions(Vec<RegexSet>);

impl Expressions {
    /// Compiles them.
    ///
    /// # Errors
    /// What is wrong with which, or that they take too much room.
    pub(crate) fn new(expressions: &[String]) -> Result<Self, String> {
        let groups = expressions.chunks(TOGETHER_MAX);
        let count = groups.len().max(1);
        let (bytes, cache) = (SET_BYTES_MAX / count, SET_CACHE_BYTES_MAX / count);
        let compiled = groups.map(|group| {
            let mut builder = RegexSetBuilder::new(group);
            builder.size_limit(bytes.max(GROUP_BYTES)).dfa_size_limit(cache.max(GROUP_CACHE_BYTES)).build()
        });
        compiled.collect::<Result<_, _>>().map(Self).map_err(|error| error.to_string())
    }

    /// The expressions that match any of the texts, in order.
    pub(crate) fn found(&self, texts: &[&[u8]]) -> Vec<u32> {
        let mut found = Vec::new();
        for (group, set) in self.0.iter().enumerate() {
            for text in texts.iter().filter(|text| set.is_match(text)) {
                let places = set.matches(text).into_iter().map(|place| group * TOGETHER_MAX + place);
                found.extend(places.filter_map(|place| u32::try_from(place).ok()));
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// What going over so many octets counts as, in octets of a plain search.
    pub(crate) fn cost(&self, octets: u64) -> u64 {
        octets.saturating_mul(COST).saturating_mul(self.0.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_set_finds_what_each_of_its_expressions_finds() {
        let written: Vec<String> = (0..1000).map(|n| format!("(?i:\\bword{n}\\b)")).collect();
        let set = Expressions::new(&written).expect("they are sound");
        let text = b"WORD0 and word63, word64; word999 and word1000";
        assert_eq!(set.found(&[text, b"word17 word64"]), [0, 17, 63, 64, 999]);
        assert_eq!(set.cost(8), 8 * 10 * 16);
        assert_eq!(Expressions::new(&[]).expect("nothing is sound").found(&[text]), [] as [u32; 0]);
    }

    #[test]
    fn what_is_wrong_or_too_large_is_told() {
        let mut written: Vec<String> = (0..100).map(|n| format!("word{n}")).collect();
        written.push("not (closed".to_owned());
        assert!(Expressions::new(&written).is_err_and(|words| words.contains("not (closed")));
        assert!(Expressions::new(&["\\w{1000}{100}".to_owned()]).is_err());
    }
}
