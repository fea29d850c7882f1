//! The standard greylist between real servers: Postfix comes back and is let in, so does our own, and then they are known.

use super::{cases, page_is_sound};
use mailwright_tests::mail::{Mark, maildir, message};
use mailwright_tests::metrics::Metrics;
use mailwright_tests::peers::lossy;
use mailwright_tests::peers::postfix::Postfix;
use mailwright_tests::peers::tls::Authority;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use std::path::Path;

fn greylist(config: &str) -> String {
    format!(
        "[[plugin]]\nname = \"greylist\"\nsource = \"builtin:greylist\"\n\
         allow = [\"kv:greylist\", \"clock\", \"log\", \"metrics\", \"tables\"]\nconfig = {config}\n"
    )
}

/// A server with a greylist, which puts all mail into a Maildir.
fn last(config: &str) -> Setup {
    Setup::new().maildir("*", Path::new("mail")).table(&greylist(config))
}

fn send(first: &Mailwright, from: &str) -> Mark {
    let mark = Mark::new();
    let mut client = first.client();
    client.hello();
    client.mail(from, &["b@to.example"], &message(&mark, "hello\r\n")).expect_code(250);
    mark
}

fn kept(server: &Mailwright) -> Vec<Vec<u8>> {
    maildir(&server.data_dir().join("mail"))
}

#[test]
fn postfix_comes_back_and_is_known_from_then_on() {
    let authority = Authority::new();
    authority.sign("mx", &["localhost"], 2100);
    let setup = last("{ delay = \"2s\", allow_after = 1 }").listener("starttls = \"required\"");
    let last = Mailwright::start(&setup.table(&authority.certificate("tls", "mx")));
    let postfix = Postfix::relay(last.address(), &authority);
    let first = Mailwright::start(&Setup::new().table(&postfix.route(&authority)));
    let mark = send(&first, "a@from.example");
    let refused = last.event("command-refused", |event| event["verb"] == "RCPT");
    let reply = refused["reply"].as_str().unwrap_or_default();
    assert!(reply.starts_with("451 4.7.1 you are new here: come back in "), "{refused}");
    let _ = last.event("delivered", |event| event["recipient"] == "b@to.example");
    assert!(kept(&last).len() == 1 && mark.is_in(&kept(&last)[0]));
    let log = postfix.log();
    assert!(log.contains("you are new here: come back in "), "{log}");

    // Its network is known now: others of it need not wait.
    let before = last.events("command-refused").len();
    let _ = send(&first, "other@from.example");
    last.events_reach("delivered", 2);
    assert_eq!(last.events("command-refused").len(), before);
    let listed = last.cli(&["plugin", "bucket", "greylist"]);
    let shown = lossy(&listed.stdout);
    assert!(shown.contains("greylist  network|127.0.0.0/24  1, for 3"), "{shown}");
    assert!(shown.contains("greylist  triple|127.0.0.0/24|a@from.example|b@to.example  known, for 3"), "{shown}");
}

#[test]
fn our_own_server_comes_back_also_over_a_restart_of_the_one_that_waits() {
    let mut last = Mailwright::start(&last("{ delay = \"3s\", allow_after = 0 }"));
    let first = Mailwright::start(&Setup::new().smarthost("*", last.address()));
    let mark = send(&first, "a@from.example");
    let deferred = first.event("deferred", |event| event["recipient"] == "b@to.example");
    assert!(
        deferred["reply"].as_str().is_some_and(|reply| reply.contains("you are new here: come back in ")),
        "{deferred}"
    );
    let address = last.address();
    assert_eq!(last.stop().code(), Some(0));
    last.restart(&[&format!("listener.mx.bind={address}")]);
    let _ = first.event("delivered", |event| event["recipient"] == "b@to.example");
    last.events_reach("delivered", 1);
    assert!(mark.is_in(&kept(&last)[0]));
    let returned = "mailwright_plugin_greylist_returned_total{plugin=\"greylist\"}";
    assert_eq!(Metrics::of(&last).get(returned), 1.0);

    // The triple is known; another sender is not.
    let refused = last.events("command-refused").len();
    let _ = send(&first, "a@from.example");
    last.events_reach("delivered", 2);
    assert_eq!(last.events("command-refused").len(), refused);
    let _ = send(&first, "c@from.example");
    last.events_reach("command-refused", refused + 1);
}

#[test]
fn its_cases_and_its_page_are_sound() {
    assert!(cases("greylist").contains("6 of 6 cases"));
    page_is_sound("greylist.md", &[("/etc/mailwright/calm", "192.0.2.1\n")]);
}
