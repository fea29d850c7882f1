//! Any address as a sender that is forwarded, and as one that leads back: what we made leads back to the very sender, and
//! nothing else leads anywhere (RFC 2104).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_core::base::mail::address::{Address, MAILBOX_BYTES_MAX};
use mta_core::base::mail::domain::Domain;
use mta_core::base::mail::tie::{KEY_BYTES, Key};
use mta_core::base::time::UnixMillis;
use std::time::Duration;

const NOW: UnixMillis = UnixMillis(1_790_000_000_000);
const AGE_MAX: Duration = Duration::from_secs(21 * 86_400);

fuzz_target!(|text: &str| {
    let Ok(address) = Address::parse(text) else { return };
    let (ours, other) = (Key::new([7; KEY_BYTES]), Key::new([8; KEY_BYTES]));
    let domain = Domain::parse("srs.example.org").expect("a domain");
    assert!(ours.way_back(&address, NOW, AGE_MAX).is_err(), "nobody made it");
    let Some(path) = ours.forwarded(&address, &domain, NOW) else { return };
    assert!(path.to_string().len() <= MAILBOX_BYTES_MAX);
    assert!(other.way_back(&path, NOW, AGE_MAX).is_err());
    let back = ours.way_back(&path, NOW, AGE_MAX).expect("we made it");
    let again = ours.forwarded(&back, &domain, NOW).expect("it fitted before");
    assert_eq!(again.to_string().to_lowercase(), path.to_string().to_lowercase());
});
