//! Any text: a mailbox or domain that parses is shown and read again as the same one, within its limits
//! (RFC 5321 4.1.2, 4.5.3.1).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_core::base::mail::address::{Address, LOCAL_BYTES_MAX, MAILBOX_BYTES_MAX};
use mta_core::base::mail::domain::{DOMAIN_BYTES_MAX, Domain};

fuzz_target!(|text: &str| {
    if let Ok(address) = Address::parse(text) {
        let shown = address.to_string();
        assert!(shown.len() <= MAILBOX_BYTES_MAX && address.local().len() <= LOCAL_BYTES_MAX);
        assert!(!shown.contains(char::is_control));
        assert_eq!(Address::parse(&shown).as_ref(), Ok(&address));
        if let Some(ascii) = address.to_ascii() {
            assert!(ascii.is_ascii());
        }
    }
    if let Ok(domain) = Domain::parse(text) {
        let shown = domain.to_string();
        assert!(shown.len() <= DOMAIN_BYTES_MAX);
        assert_eq!(Domain::parse(&shown).as_ref(), Ok(&domain));
        assert!(domain.dns_name().is_none_or(|name| name.is_ascii()));
    }
});
