//! Postfix's load generator into Mailwright into Postfix's sink: every message arrives, and none twice.

use mailwright_tests::peers::{SmtpSink, lossy, smtp_source, wait_until};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use std::collections::BTreeSet;

const COUNT: usize = 1000;

#[test]
fn smtp_source_reaches_smtp_sink_once() {
    let sink = SmtpSink::start();
    let server = Mailwright::start(&Setup::new().smarthost("*", sink.address()));
    smtp_source(server.address(), 10, COUNT, 4096);
    server.events_reach("finished", COUNT);
    wait_until("every message in a file of its own", || sink.messages().len() >= COUNT);
    let messages = sink.messages();
    let ids: BTreeSet<_> = messages.iter().map(|octets| message_id(octets)).collect();
    assert_eq!((messages.len(), ids.len()), (COUNT, COUNT));
    assert_eq!(server.events("accepted").len(), COUNT);
    assert_eq!(server.events("delivered").len(), COUNT);
    assert!(server.queue().is_empty());
}

fn message_id(octets: &[u8]) -> String {
    let text = lossy(octets);
    let line = text.lines().find(|line| line.to_ascii_lowercase().starts_with("message-id:"));
    line.unwrap_or_else(|| panic!("no Message-ID in {}", &text[..text.len().min(500)])).to_owned()
}
