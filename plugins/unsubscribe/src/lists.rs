//! Which list a message is of: the first that it fits, by what is known of it where that is asked.

use crate::config::{List, When, list_id};
use mailwright_plugin::{Address, Fault, delivery, message};

/// The lists, in the operator's order.
#[derive(Debug)]
pub(crate) struct Lists(Vec<List>);

/// What is known of a message, looked up when a list first asks for it.
trait Facts {
    fn tenant(&mut self) -> Result<Option<&str>, Fault>;
    fn sender(&mut self) -> Result<Option<&Address>, Fault>;
}

impl Lists {
    #[must_use]
    pub(crate) fn new(lists: Vec<List>) -> Self {
        Self(lists)
    }

    /// The list of that name.
    #[must_use]
    pub(crate) fn named(&self, name: &str) -> Option<&List> {
        self.0.iter().find(|list| list.name == name)
    }

    /// Every list.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &List> {
        self.0.iter()
    }

    /// Whether any list can be known before there is a message.
    #[must_use]
    pub(crate) fn by_envelope(&self) -> bool {
        self.0.iter().any(|list| list.when.is_of_envelope())
    }

    /// The list of a message that has not come yet. None, too, where only the message will tell.
    ///
    /// # Errors
    /// The tenant can't be had.
    pub(crate) fn at_rcpt(
        &self,
        sender: Option<&Address>,
        tenant: impl FnOnce() -> Result<Option<String>, Fault>,
    ) -> Result<Option<&List>, Fault> {
        let mut facts = Announced { sender, tenant: Asked::Not(Some(tenant)) };
        for list in &self.0 {
            if fits_envelope(&list.when, &mut facts)? {
                return Ok(Some(list).filter(|list| list.when.is_of_envelope()));
            }
        }
        Ok(None)
    }

    /// The list of the message that an attempt, or its outcome, is about.
    ///
    /// # Errors
    /// There is no message.
    pub(crate) fn of_message(&self, attempt: &delivery::Info) -> Result<Option<&List>, Fault> {
        let mut facts = Sent { attempt, sender: None };
        let mut id = None;
        for list in &self.0 {
            if fits_envelope(&list.when, &mut facts)? && fits_message(&list.when, attempt, &mut id)? {
                return Ok(Some(list));
            }
        }
        Ok(None)
    }
}

impl When {
    /// Whether it is known at RCPT if a message will fit.
    fn is_of_envelope(&self) -> bool {
        self.list_ids.is_empty() && self.campaigns.is_empty() && self.fields.is_empty() && self.tags.is_empty()
    }
}

fn fits_envelope(when: &When, facts: &mut impl Facts) -> Result<bool, Fault> {
    if !when.tenants.is_empty() {
        let tenant = facts.tenant()?;
        if !when.tenants.iter().any(|known| Some(known.as_str()) == tenant) {
            return Ok(false);
        }
    }
    if when.senders.is_empty() {
        return Ok(true);
    }
    let Some(sender) = facts.sender()? else { return Ok(false) };
    Ok(when.senders.iter().any(|known| {
        let Some((local, domain)) = known.rsplit_once('@') else { return false };
        domain.eq_ignore_ascii_case(&sender.domain) && (local.is_empty() || local.eq_ignore_ascii_case(&sender.local))
    }))
}

/// `id` is the message's List-Id, once it was looked up.
fn fits_message(when: &When, attempt: &delivery::Info, id: &mut Option<String>) -> Result<bool, Fault> {
    if !when.campaigns.is_empty() && !when.campaigns.iter().any(|known| attempt.campaign.as_ref() == Some(known)) {
        return Ok(false);
    }
    for (name, wanted) in &when.tags {
        if !message::tag(name)?.is_some_and(|value| is_value(wanted, &value)) {
            return Ok(false);
        }
    }
    if !when.list_ids.is_empty() {
        if id.is_none() {
            let value = message::header("List-Id")?.unwrap_or_default();
            *id = Some(list_id(&value).unwrap_or_default().to_ascii_lowercase());
        }
        let id = id.as_deref().unwrap_or_default();
        if !when.list_ids.iter().any(|wanted| is_id(wanted, id)) {
            return Ok(false);
        }
    }
    for (name, wanted) in &when.fields {
        if !message::header(name)?.is_some_and(|value| is_value(wanted, &value)) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_value(wanted: &str, value: &str) -> bool {
    wanted == "*" || wanted.eq_ignore_ascii_case(value.trim())
}

/// Whether a List-Id in lower case is that, or below it where it begins with `*` (RFC 2919 6: case makes no difference).
fn is_id(wanted: &str, id: &str) -> bool {
    match wanted.strip_prefix('*') {
        None => wanted.eq_ignore_ascii_case(id),
        Some(end) => {
            let start = id.len().checked_sub(end.len());
            start.is_some_and(|start| start > 0 && id.get(start..).is_some_and(|tail| tail.eq_ignore_ascii_case(end)))
        }
    }
}

/// A message that was announced by MAIL.
struct Announced<'a, T> {
    sender: Option<&'a Address>,
    tenant: Asked<T>,
}

enum Asked<T> {
    Not(Option<T>),
    Known(Option<String>),
}

impl<T: FnOnce() -> Result<Option<String>, Fault>> Facts for Announced<'_, T> {
    fn tenant(&mut self) -> Result<Option<&str>, Fault> {
        if let Asked::Not(ask) = &mut self.tenant {
            self.tenant = Asked::Known(ask.take().map_or(Ok(None), |ask| ask())?);
        }
        match &self.tenant {
            Asked::Known(tenant) => Ok(tenant.as_deref()),
            Asked::Not(_) => Ok(None),
        }
    }

    fn sender(&mut self) -> Result<Option<&Address>, Fault> {
        Ok(self.sender)
    }
}

/// A message on its way.
struct Sent<'a> {
    attempt: &'a delivery::Info,
    /// Its reverse path, once it was looked up.
    sender: Option<Option<Address>>,
}

impl Facts for Sent<'_> {
    fn tenant(&mut self) -> Result<Option<&str>, Fault> {
        Ok(self.attempt.tenant.as_deref())
    }

    fn sender(&mut self) -> Result<Option<&Address>, Fault> {
        if self.sender.is_none() {
            self.sender = Some(message::current()?.sender);
        }
        Ok(self.sender.as_ref().and_then(Option::as_ref))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailwright_plugin::testing::{self, Message, scene};

    fn list(name: &str, when: When) -> List {
        List { name: name.to_owned(), when, ..List::default() }
    }

    fn some(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    /// A message from news@example.org with these fields and the tag `kind: offer`.
    fn stage(fields: &[(&str, &str)]) -> delivery::Info {
        let headers = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let sender = Some(Address::new("news", "example.org"));
        let tags = [("kind".to_owned(), "offer".to_owned())].into();
        scene(|scene| scene.message = Some(Message { headers, sender, tags, ..Message::default() }));
        let campaign = Some("spring".to_owned());
        delivery::Info { tenant: Some("acme".to_owned()), campaign, ..testing::delivery("ann@example.net") }
    }

    #[test]
    fn a_message_is_of_the_first_list_that_it_fits_whole() {
        let pair = |name: &str, value: &str| [(name.to_owned(), value.to_owned())].into();
        let lists = Lists::new(vec![
            list("tenant", When { tenants: some(&["beta"]), ..When::default() }),
            list("both", When { tenants: some(&["acme"]), campaigns: some(&["autumn"]), ..When::default() }),
            list("tag", When { tags: pair("kind", "receipt"), ..When::default() }),
            list("field", When { fields: pair("X-Stream", "News"), ..When::default() }),
            list("any", When { fields: pair("X-Any", "*"), ..When::default() }),
            list("id", When { list_ids: some(&["a.example.org", "*.b.example.org"]), ..When::default() }),
            list("campaign", When { campaigns: some(&["winter", "spring"]), ..When::default() }),
        ]);
        let of = |fields: &[(&str, &str)]| {
            let attempt = stage(fields);
            lists.of_message(&attempt).expect("there is a message").map(|list| list.name.clone())
        };
        assert_eq!(of(&[("X-Stream", " news ")]).as_deref(), Some("field"));
        assert_eq!(of(&[("X-Any", "thing")]).as_deref(), Some("any"));
        assert_eq!(of(&[("List-Id", "The list <A.example.org>")]).as_deref(), Some("id"));
        assert_eq!(of(&[("List-Id", "<x.B.example.org>")]).as_deref(), Some("id"));
        for other in ["<b.example.org>", "<.b.example.org.evil>", "a.example.org", "<xa.example.org>"] {
            assert_eq!(of(&[("List-Id", other)]).as_deref(), Some("campaign"), "{other}");
        }
        assert_eq!(of(&[]).as_deref(), Some("campaign"));
    }

    #[test]
    fn senders_are_addresses_or_whole_domains() {
        let lists = |senders: &[&str]| Lists::new(vec![list("l", When { senders: some(senders), ..When::default() })]);
        for (senders, fits) in [
            (&["News@EXAMPLE.org"][..], true),
            (&["@example.org"][..], true),
            (&["other@example.org", "@example.net"][..], false),
            (&["@ample.org"][..], false),
        ] {
            let attempt = stage(&[]);
            assert_eq!(lists(senders).of_message(&attempt).expect("a message").is_some(), fits, "{senders:?}");
            let sender = Address::new("news", "example.org");
            let lists = lists(senders);
            let at_rcpt = lists.at_rcpt(Some(&sender), || panic!("nobody asks for the tenant")).expect("known");
            assert_eq!(at_rcpt.is_some(), fits, "{senders:?}");
        }
        assert!(lists(&["@example.org"]).at_rcpt(None, || Ok(None)).expect("known").is_none(), "a notification");
    }

    #[test]
    fn at_rcpt_a_list_that_only_the_message_tells_is_not_guessed() {
        let offers = When { tenants: some(&["acme"]), list_ids: some(&["o.example.org"]), ..When::default() };
        let lists = Lists::new(vec![list("offers", offers), list("rest", When::default())]);
        let at = |tenant: &str| lists.at_rcpt(None, || Ok(Some(tenant.to_owned()))).expect("known");
        assert_eq!(at("acme"), None, "it may be one of the offers");
        assert_eq!(at("beta").map(|list| list.name.as_str()), Some("rest"));
        assert!(lists.by_envelope());
    }
}
