//! The host functions on patterns: regular expressions that run in linear time.

use super::super::host::bindings::mailwright::plugin::patterns::Host;
use super::super::host::call::Call;
use regex::bytes::RegexSet;
use std::sync::Arc;

impl Host for Call {
    fn compile(&mut self, expressions: Vec<String>) -> Result<u32, String> {
        if !self.configuring {
            return Err("patterns are compiled in configure".to_owned());
        }
        let set = self.plugin.compile(expressions)?;
        self.sets.push(set);
        u32::try_from(self.sets.len() - 1).map_err(|error| error.to_string())
    }

    fn matches(&mut self, set: u32, text: String) -> Vec<u32> {
        self.searched(text.len() as u64);
        self.set(set).map_or_else(Vec::new, |set| indices(&set, &[text.as_bytes()]))
    }
}

impl Call {
    pub(super) fn set(&self, number: u32) -> Option<Arc<RegexSet>> {
        self.sets.get(usize::try_from(number).ok()?).cloned()
    }
}

/// The expressions that match any of the texts.
pub(super) fn indices(set: &RegexSet, texts: &[&[u8]]) -> Vec<u32> {
    let mut found: Vec<u32> =
        texts.iter().flat_map(|text| set.matches(text)).filter_map(|index| u32::try_from(index).ok()).collect();
    found.sort_unstable();
    found.dedup();
    found
}
