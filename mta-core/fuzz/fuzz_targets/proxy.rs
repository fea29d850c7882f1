//! Headers of proxies: any octets are a header, or none, and no octet of the client's is asked for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_core::base::world::proxy::{HEADER_BYTES_MAX, Progress, read};

fuzz_target!(|stream: &[u8]| {
    let mut taken = 0;
    while let Ok(Progress::More(more)) = read(&stream[..taken]) {
        assert!(more > 0 && taken + more <= HEADER_BYTES_MAX);
        if taken + more > stream.len() {
            break;
        }
        taken += more;
    }
});
