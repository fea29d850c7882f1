//! What the operator says, and what is checked of it that a schema can't say.

use crate::public::texts::Texts;
use mailwright_plugin::{Config, Fault};
use std::collections::BTreeMap;
use std::time::Duration;

/// Links to unsubscribe, and who has used them.
#[derive(Debug, Config)]
pub struct Config {
    /// Where the public reaches this plugin, by https: "https://HOST/p/unsubscribe".
    #[config(length = 9..=200)]
    pub url: String,
    /// Names of secrets that sign links: the first signs, and what any of them signed counts.
    #[config(length = 1..=8)]
    pub keys: Vec<String>,
    /// The scope of the suppression list of who wants no list mail at all, and of addresses that are no more.
    #[config(default = "everything", length = 1..=64)]
    pub everything: String,
    /// The lists; a message is of the first that it fits.
    #[config(length = 1..=1000)]
    pub lists: Vec<List>,
    /// What becomes of mail to who is suppressed.
    #[config(default = "refuse")]
    pub suppressed: Suppressed,
    /// So many soft bounces within the window, and the address is as one that is no more.
    #[config(default = 3, range = 1..=1000)]
    pub soft_bounces_max: u32,
    /// The window, from the first of them on.
    #[config(default = "30d", range = "1h"..="365d")]
    pub soft_bounces_window: Duration,
    /// The bucket that counts soft bounces.
    #[config(default = "soft-bounces", length = 1..=64)]
    pub soft_bounces_bucket: String,
    /// The language of who wants none that there is.
    #[config(default = "en", length = 1..=35)]
    pub language: String,
    /// Texts of the page by language ("fr", "pt-br"); what is not said is as in English. German and English are there.
    #[config(default, length = ..=50)]
    pub texts: BTreeMap<String, Texts>,
    /// Who may use the interface for programs.
    #[config(default, length = ..=100)]
    pub applications: Vec<Application>,
}

/// A list that is written to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Config)]
pub struct List {
    /// Its name in links: letters, digits, `-`, `_` and `.`. Once links are out, it stays.
    #[config(length = 1..=64)]
    pub name: String,
    /// Its name for people; else `name`.
    #[config(length = 1..=200)]
    pub title: Option<String>,
    /// The scope of its suppression list; else `name`.
    #[config(length = 1..=64)]
    pub scope: Option<String>,
    /// The value of List-Id for messages that have none, as "News <news.example.org>".
    #[config(length = 3..=500)]
    pub list_id: Option<String>,
    /// Mail that nobody unsubscribes from, as receipts: it has no links, and is kept from addresses alone that are no more.
    #[config(default = false)]
    pub transactional: bool,
    /// What is to become of the message's own fields List-Unsubscribe and List-Unsubscribe-Post.
    #[config(default = "replace")]
    pub own_fields: OwnFields,
    /// What its messages have; all of it. Nothing: every message is of this list.
    #[config(default)]
    pub when: When,
}

/// What messages of a list have. Of several values of one kind it is any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Config)]
pub struct When {
    /// Whose mail it is.
    #[config(default, length = ..=1000)]
    pub tenants: Vec<String>,
    /// Reverse paths: "news@example.org", or "@example.org" for all of a domain.
    #[config(default, length = ..=1000)]
    pub senders: Vec<String>,
    /// What stands between < and > of the field List-Id; "*.example.org" is everything below.
    #[config(default, length = ..=1000)]
    pub list_ids: Vec<String>,
    /// Campaigns, as a plugin's routing named them.
    #[config(default, length = ..=1000)]
    pub campaigns: Vec<String>,
    /// Header fields with their values, in any case; "*" is any value.
    #[config(default, length = ..=100)]
    pub fields: BTreeMap<String, String>,
    /// Tags with their values, as plugins set them; "*" is any value.
    #[config(default, length = ..=100)]
    pub tags: BTreeMap<String, String>,
}

/// What becomes of mail to who is suppressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Config)]
pub enum Suppressed {
    /// 550 5.7.1.
    #[default]
    Refuse,
    /// It is taken, and goes nowhere.
    Drop,
}

/// What becomes of fields that a message has already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Config)]
pub enum OwnFields {
    /// Ours take their place.
    #[default]
    Replace,
    /// A message that has List-Unsubscribe keeps it, and gets none of ours.
    Keep,
}

/// A program that reads and changes suppression lists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Config)]
pub struct Application {
    /// The name of the secret that it shows: at least 20 octets.
    #[config(length = 1..=64)]
    pub secret: String,
    /// Whose lists; else those of nobody.
    pub tenant: Option<String>,
}

impl Config {
    /// Checks what the types don't.
    ///
    /// # Errors
    /// The key, what was expected, and what was found.
    pub fn checked(mut self) -> Result<Self, Fault> {
        self.url.truncate(self.url.trim_end_matches('/').len());
        let host = self.url.strip_prefix("https://").unwrap_or_default();
        // RFC 8058 3.1: the field has one https URI. In a field it stands between < and >.
        if host.is_empty() || !self.url.bytes().all(|octet| octet.is_ascii_graphic() && !b"<>\"?#,".contains(&octet)) {
            return wrong(&["url: expected https://HOST/p/PLUGIN, found \"", &self.url, "\""]);
        }
        for (place, list) in self.lists.iter().enumerate() {
            let at = || ["lists.", &place.to_string()].concat();
            if !list.name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet)) {
                let found = &list.name;
                return wrong(&[&at(), ".name: expected letters, digits, -, _ and ., found \"", found, "\""]);
            }
            if self.lists[..place].iter().any(|other| other.name == list.name) {
                return wrong(&[&at(), ".name: there is a list \"", &list.name, "\" already"]);
            }
            if let Some(id) = list.list_id.as_deref().filter(|id| list_id(id).is_none()) {
                return wrong(&[&at(), ".list_id: expected an id between < and >, found \"", id, "\""]);
            }
            if let Some(sender) = list.when.senders.iter().find(|sender| !sender.contains('@')) {
                return wrong(&[&at(), ".when.senders: expected NAME@DOMAIN or @DOMAIN, found \"", sender, "\""]);
            }
        }
        Ok(self)
    }
}

impl List {
    /// Its name for people.
    #[must_use]
    pub fn title(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.name)
    }

    /// The scope of its suppression list.
    #[must_use]
    pub fn scope(&self) -> &str {
        self.scope.as_deref().unwrap_or(&self.name)
    }
}

fn wrong<T>(words: &[&str]) -> Result<T, Fault> {
    Err(Fault::InvalidConfig(words.concat()))
}

/// What stands between < and > of List-Id (RFC 2919 3).
#[must_use]
pub fn list_id(value: &str) -> Option<&str> {
    let inside = value.rsplit_once('<')?.1.split_once('>')?.0.trim();
    (!inside.is_empty()).then_some(inside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailwright_plugin::config::from_json;

    fn checked(change: &str) -> Result<Config, String> {
        let json = r#"{"url":"https://a.test/p/unsubscribe/","keys":["k"],"lists":[{"name":"news"},CHANGE]}"#;
        let config: Config = from_json(&json.replace("CHANGE", change)).expect("it fits the schema");
        config.checked().map_err(|fault| match fault {
            Fault::InvalidConfig(words) => words,
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn what_is_not_said_is_as_most_want_it() {
        let config = checked(r#"{"name":"offers","scope":"ads"}"#).expect("it is sound");
        assert_eq!((config.url.as_str(), config.everything.as_str()), ("https://a.test/p/unsubscribe", "everything"));
        assert_eq!((config.soft_bounces_max, config.soft_bounces_window.as_secs()), (3, 30 * 86_400));
        assert_eq!((config.lists[0].title(), config.lists[0].scope()), ("news", "news"));
        assert_eq!((config.lists[1].title(), config.lists[1].scope()), ("offers", "ads"));
        assert_eq!((config.suppressed, config.lists[0].own_fields), (Suppressed::Refuse, OwnFields::Replace));
    }

    #[test]
    fn what_can_be_no_list_is_told_with_its_place() {
        for (change, words) in [
            (r#"{"name":"a b"}"#, "lists.1.name: expected letters"),
            (r#"{"name":"news"}"#, "lists.1.name: there is a list \"news\" already"),
            (r#"{"name":"x","list_id":"x.example.org"}"#, "lists.1.list_id: expected an id between < and >"),
            (r#"{"name":"x","when":{"senders":["example.org"]}}"#, "lists.1.when.senders: expected NAME@DOMAIN"),
        ] {
            let told = checked(change).expect_err(change);
            assert!(told.starts_with(words), "{told}");
        }
    }

    #[test]
    fn links_are_https_rfc8058_3() {
        for url in ["http://a.test/p/u", "https://", "https://a.test/?u=", "https://a.test/<b>", "https://a.test/ b"] {
            let json = [r#"{"keys":["k"],"lists":[{"name":"n"}],"url":""#, url, "\"}"].concat();
            let refused = from_json::<Config>(&json).map(|config| config.checked().is_err());
            assert!(refused.unwrap_or(true), "{url}");
        }
    }

    #[test]
    fn a_list_id_is_between_angle_brackets_rfc2919_3() {
        assert_eq!(list_id("List Header Mailing List <list-header.nisto.com>"), Some("list-header.nisto.com"));
        assert_eq!(
            (list_id("<a.b>"), list_id("a.b"), list_id("<>"), list_id("\"<\" <a.b")),
            (Some("a.b"), None, None, None)
        );
    }
}
