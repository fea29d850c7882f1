//! Any line: what parses is written and read again as the same command; what does not gets one printable reply line
//! (RFC 5321 4.1.1, 4.5.3.1.5).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_core::base::smtp::command::Command;
use mta_core::base::smtp::encode;

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
                assert_eq!(read(&wire, smtputf8), Some(Command::Rcpt(recipient)));
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
