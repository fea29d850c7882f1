//! What bulk mail is.

use mailwright_plugin::{Config, Fault, message, session};
use std::collections::BTreeMap;

/// What bulk mail is: one of these is enough.
#[derive(Clone, Debug, Config)]
pub struct Bulk {
    /// Mail with one of these header fields.
    #[config(default = ["List-Id", "List-Unsubscribe"], length = 0..=16)]
    pub fields: Vec<String>,
    /// Mail whose Precedence is `bulk` or `list`.
    #[config(default = true)]
    pub precedence: bool,
    /// Mail that an earlier plugin tagged so.
    #[config(default, length = 0..=16)]
    pub tags: BTreeMap<String, String>,
    /// All mail of these tenants.
    #[config(default, length = 0..=1000)]
    pub tenants: Vec<String>,
    /// Mail with so many recipients or more.
    #[config(range = 2..=100_000)]
    pub recipients_min: Option<u32>,
}

impl Default for Bulk {
    fn default() -> Self {
        let fields = ["List-Id", "List-Unsubscribe"].map(str::to_owned).to_vec();
        Self { fields, precedence: true, tags: BTreeMap::new(), tenants: Vec::new(), recipients_min: None }
    }
}

impl Bulk {
    /// Whether the message is bulk mail.
    pub(crate) fn is_bulk(&self) -> Result<bool, Fault> {
        for name in &self.fields {
            if message::header(name)?.is_some() {
                return Ok(true);
            }
        }
        if self.precedence
            && let Some(precedence) = message::header("Precedence")?
            && ["bulk", "list"].iter().any(|word| precedence.trim().eq_ignore_ascii_case(word))
        {
            return Ok(true);
        }
        for (name, value) in &self.tags {
            if message::tag(name)?.as_ref() == Some(value) {
                return Ok(true);
            }
        }
        if !self.tenants.is_empty()
            && let Ok(session) = session::current()
            && session.tenant.is_some_and(|tenant| self.tenants.contains(&tenant))
        {
            return Ok(true);
        }
        match self.recipients_min {
            Some(least) => Ok(message::current()?.recipients.len() >= least as usize),
            None => Ok(false),
        }
    }
}
