//! Any line: what parses is written and read again as the same command; what does not gets one printable reply line
//! (RFC 5321 4.1.1, 4.5.3.1.5).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_core::base::mail::envelope::Recipient;
use mta_core::base::smtp::command::Command;
use mta_core::base::smtp::encode;

/// An original recipient of so many octets fits in 500 even when each is escaped, which makes six of it.
const ESCAPED_FITS: usize = 80;

fuzz_target!(|line: &[u8]| {
    for smtputf8 in [false, true] {
        let mut wire = Vec::new();
        match Command::parse(line, smtputf8) {
            Ok(Command::Mail(mail)) => {
                encode::mail(&mail, &mut wire);
                assert_eq!(read(&wire, smtputf8), Some(Command::Mail(mail)));
            }
            Ok(Command::Rcpt(recipient)) => {
                encode::rcpt(&recipient, &mut wire);
                let again = read(&wire, smtputf8);
                // An original recipient that is too long when escaped may be left out (RFC 3461 4.2, RFC 6533 3).
                let is_long = recipient.orcpt.as_deref().is_some_and(|orcpt| orcpt.len() > ESCAPED_FITS);
                let without = Recipient { orcpt: None, ..recipient.clone() };
                assert!(again == Some(Command::Rcpt(recipient)) || is_long && again == Some(Command::Rcpt(without)));
            }
            Ok(_) => {}
            Err(error) => {
                error.reply().encode(&mut wire);
                assert!(wire.len() <= 512 && wire.ends_with(b"\r\n"));
                assert!(wire[..wire.len() - 2].iter().all(|octet| matches!(octet, b' '..=b'~')));
            }
        }
    }
});

fn read(wire: &[u8], smtputf8: bool) -> Option<Command> {
    Command::parse(wire.strip_suffix(b"\r\n")?, smtputf8).ok()
}
