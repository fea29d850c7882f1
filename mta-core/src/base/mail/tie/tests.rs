//! What we made is read, whatever happened to its case and its line ends; what others made is not.

use super::*;
use crate::base::time::UnixMillis;
use proptest::prelude::*;

fn key(octet: u8) -> Key {
    Key::new([octet; KEY_BYTES])
}

fn domain() -> Domain {
    Domain::parse("bounces.example.org").expect("a domain")
}

fn sent(recipient: &str, tenant: Option<&str>) -> Sent {
    Sent {
        id: QueueId::new(UnixMillis(1_700_000_000_000), 7),
        recipient: Address::parse(recipient).expect("a mailbox"),
        tenant: tenant.map(Into::into),
        campaign: Some("spring".into()),
    }
}

fn local(address: &Address) -> String {
    address.local().to_owned()
}

#[test]
fn a_mark_leads_back_to_its_message_and_fits_its_recipient_alone() {
    let (key, ann) = (key(1), sent("Ann@Example.net", Some("acme")));
    let address = key.address(Purpose::Reports, &ann, &domain()).expect("it fits");
    assert!(has_form(address.local()) && address.local().len() == 58);
    let mark = key.read_mark(&local(&address).to_uppercase()).expect("ours, in any case");
    assert_eq!((mark.purpose, mark.id), (Purpose::Reports, ann.id));
    assert!(key.fits(&mark, &sent("ann@example.NET", Some("acme"))), "as the other side writes it");
    for other in [sent("bob@example.net", Some("acme")), sent("ann@example.net", Some("globex"))] {
        assert!(!key.fits(&mark, &other), "{other:?}");
    }
    assert!(!key.fits(&mark, &sent("ann@example.net", None)) && !key.fits(&mark, &sent("ann@example.net", Some(""))));
    let later = Sent { id: QueueId(8), ..ann };
    assert!(!key.fits(&mark, &later), "another message");
}

#[test]
fn a_mark_of_another_key_or_purpose_is_none() {
    let ann = sent("ann@example.net", None);
    let address = key(1).address(Purpose::Reports, &ann, &domain()).expect("it fits");
    assert_eq!(key(2).read_mark(address.local()), None);
    let turned = address.local().replacen('b', "u", 1);
    assert!(has_form(&turned));
    assert_eq!(key(1).read_mark(&turned), None);
    for local in ["", "b-", "postmaster", "b-abc", &local(&address)[1..], &format!("{}a", address.local())] {
        assert!(!has_form(local) && key(1).read_mark(local).is_none(), "{local}");
    }
}

#[test]
fn a_ticket_says_all_of_it_however_it_was_folded() {
    let ann = sent("ann@example.net", Some("acme"));
    let ticket = key(1).ticket(&ann);
    let (one, two) = ticket.split_at(40);
    assert_eq!(key(1).read_ticket(&format!(" {one}\r\n\t{two} ")), Some(ann));
    assert_eq!(key(2).read_ticket(&ticket), None);
    assert_eq!(key(1).read_ticket(&"A".repeat(TICKET_CHARS_MAX + 1)), None);
    let longest = Sent {
        recipient: Address::new("l".repeat(64), Domain::parse(&[&*"d".repeat(61); 3].join(".")).ok()).expect("254"),
        tenant: Some("t".repeat(64).into()),
        campaign: Some("c".repeat(128).into()),
        ..sent("a@b.c", None)
    };
    let ticket = key(1).ticket(&longest);
    assert!(ticket.len() < 700, "{}", ticket.len());
    assert_eq!(key(1).read_ticket(&ticket), Some(longest));
}

#[test]
fn a_mailto_has_a_mark_and_a_ticket_rfc6068_2() {
    let ann = sent("ann@example.net", None);
    let uri = key(1).mailto(&ann, &domain()).expect("it fits");
    let (address, ticket) =
        uri.strip_prefix("mailto:").and_then(|rest| rest.split_once("?subject=unsubscribe%20")).expect("both");
    let address = Address::parse(address).expect("a mailbox");
    assert_eq!(key(1).read_mark(address.local()).map(|mark| mark.purpose), Some(Purpose::Unsubscribe));
    assert_eq!(key(1).read_ticket(ticket), Some(ann));
    // RFC 6068 2: what may stand in a URI as it is.
    assert!(ticket.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet)));
}

#[test]
fn a_key_is_not_shown() {
    assert_eq!(format!("{:?}", key(7)), "Key(..)");
}

proptest! {
    #[test]
    fn one_changed_octet_makes_a_mark_or_a_ticket_nobodys(at in 0_usize..200, to in "[a-z2-7]") {
        let ann = sent("ann@example.net", Some("acme"));
        let change = |text: String| {
            let at = at % text.len();
            let changed = format!("{}{to}{}", &text[..at], &text[at + 1..]);
            (!changed.eq_ignore_ascii_case(&text)).then_some(changed)
        };
        let address = key(1).address(Purpose::Reports, &ann, &domain()).expect("it fits");
        if let Some(changed) = change(local(&address)) {
            prop_assert_eq!(key(1).read_mark(&changed), None);
        }
        let ticket = key(1).ticket(&ann);
        if let Some(changed) = change(ticket.clone()).filter(|changed| *changed != ticket) {
            prop_assert_eq!(key(1).read_ticket(&changed), None);
        }
    }

    #[test]
    fn no_text_makes_the_readers_fail(text in "\\PC*") {
        let _ = (key(1).read_mark(&text), key(1).read_ticket(&text), has_form(&text));
    }
}
