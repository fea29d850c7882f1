//! Who wrote it: the one mailbox of the one From field (RFC 5322 3.6.2).

use crate::check::{Check, Finding};
use mailwright_plugin::message::Mailbox;

/// The author's domain in lower case, by the header section and the mailboxes that the server read in From.
///
/// # Errors
/// There is not exactly one, or it could not exist.
pub(crate) fn only(fields: &[(String, String)], mailboxes: &[Mailbox]) -> Result<String, Finding> {
    let wrong = |words: String| Finding::new(Check::From, words);
    let mut from = fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("From"));
    let value = match (from.next(), from.next()) {
        (Some((_, value)), None) => value,
        (None, _) => return Err(wrong("there is no From: say who writes".to_owned())),
        (Some(_), Some(_)) => return Err(wrong("there are two From fields: leave one".to_owned())),
    };
    let shown = || value.trim().chars().take(80).collect::<String>();
    match mailboxes {
        [one] => {
            let domain = domain(&one.address).ok_or_else(|| wrong(format!("\"{}\" is no address", shown())))?;
            Ok(domain.to_ascii_lowercase())
        }
        [] => Err(wrong(format!("\"{}\" has no address", shown()))),
        _ => Err(wrong("it has several authors: leave one, the others can be in Reply-To".to_owned())),
    }
}

/// The domain of an address that could exist.
fn domain(address: &str) -> Option<&str> {
    let (local, domain) = address.rsplit_once('@')?;
    let is_label = |label: &str| {
        let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || !letter.is_ascii();
        (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-') && label.chars().all(fits)
    };
    let is_domain = domain.len() <= 253 && domain.contains('.') && domain.split('.').all(is_label);
    let is_local = (1..=64).contains(&local.len()) && !local.contains([' ', '<', '>', '@', ':', ';', '\t']);
    (is_domain && is_local).then_some(domain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailwright_plugin::message;
    use mailwright_plugin::testing::{Message, scene};

    fn found(froms: &[&str]) -> Result<String, String> {
        let fields: Vec<(String, String)> = froms.iter().map(|from| ("From".to_owned(), (*from).to_owned())).collect();
        scene(|scene| scene.message = Some(Message { headers: fields.clone(), ..Message::default() }));
        let mailboxes = message::mailboxes("From").expect("there is a message");
        only(&fields, &mailboxes).map_err(|finding| finding.words)
    }

    #[test]
    fn one_mailbox_is_found_in_every_spelling_rfc5322_3_6_2() {
        for from in [
            "news@Shop.example",
            " News <news@shop.example>",
            "\"News, and more\" <news@shop.example>",
            "\"a \\\" <b@c.d>\" <news@shop.example>",
            "News (the <first>, of many) <news@shop.example> (x)",
            "news@shop.example (News, Inc.)",
        ] {
            assert_eq!(found(&[from]).as_deref(), Ok("shop.example"), "{from}");
        }
    }

    #[test]
    fn what_is_not_one_author_is_told() {
        for (froms, words) in [
            (&[][..], "there is no From"),
            (&["a@b.test", "a@b.test"], "two From fields"),
            (&["a@b.test, c@d.test"], "several authors"),
            (&["News"], "is no address"),
            (&["news@localhost"], "is no address"),
            (&["news@shop..example"], "is no address"),
            (&["<>"], "has no address"),
            (&["group: a@b.test, c@d.test;"], "several authors"),
            (&["a b@c.test"], "is no address"),
        ] {
            let told = found(froms).expect_err("it is not one");
            assert!(told.contains(words), "{froms:?}: {told}");
        }
    }
}
