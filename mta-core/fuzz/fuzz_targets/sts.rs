//! Records and policies of MTA-STS: whatever a domain publishes is read or refused, and what is kept reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_core::path::deliver::trust::sts::{announced, policy};

fuzz_target!(|octets: &[u8]| {
    if let Some(id) = announced(&[octets.to_vec()]) {
        assert!((1..=32).contains(&id.len()));
    }
    if let Ok(read) = policy(octets) {
        assert_eq!(policy(read.text().as_bytes()), Ok(read));
    }
});
