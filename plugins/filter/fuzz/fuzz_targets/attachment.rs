//! Any octets as an attachment: archives, archives within them and `winmail.dat` are looked into, whatever they are.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| plugin_filter::look_into(octets));
