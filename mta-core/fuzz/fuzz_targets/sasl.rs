//! Any exchange of any mechanism, with the keys of nobody: no message panics, none lets anybody in, and no challenge is long
//! (RFC 4616 2, RFC 5802 7, RFC 7628 3.1).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_core::base::sasl::scram::Bindings;
use mta_core::base::sasl::stored::ScramKeys;
use mta_core::base::sasl::{Exchange, Mechanism, Step, wire};

/// What a client can make a challenge grow to: its own nonce comes back in it.
const CHALLENGE_BYTES_MAX: usize = 1024;

// The first octet says which mechanism and whether the connection is bound; the rest are lines of the exchange. What shows a
// token is refused it.
fuzz_target!(|octets: &[u8]| {
    let Some((first, lines)) = octets.split_first() else { return };
    let exporter = (first & 8 != 0).then(|| b"keying material".to_vec());
    let bindings = Bindings { exporter, server_end_point: None };
    let mut exchange = Exchange::new(Mechanism::ALL[usize::from(first & 7) % Mechanism::ALL.len()], bindings);
    for line in lines.split(|octet| *octet == b'\n') {
        if let Some(decoded) = wire::decode(line) {
            assert_eq!(wire::encode(&decoded).as_bytes(), line, "there is one spelling");
        }
        match exchange.respond(line) {
            Ok(Step::Keys(name)) => {
                let challenged = exchange.keys(ScramKeys::of_nobody(&[7; 32], &name, 4096), "nonce");
                assert!(matches!(challenged, Ok(Step::Challenge(challenge)) if challenge.len() <= CHALLENGE_BYTES_MAX));
            }
            Ok(Step::Challenge(challenge)) => assert!(challenge.len() <= CHALLENGE_BYTES_MAX),
            Ok(Step::Proven(name)) => panic!("{name} was let in"),
            Ok(Step::Token(..)) => {
                assert!(matches!(exchange.refused(), Some(Step::Challenge(told)) if told.len() <= CHALLENGE_BYTES_MAX));
            }
            Ok(Step::Check(..)) | Err(_) => return,
        }
    }
});
