//! Forwarded mail goes in our name (SRS), and a bounce of it finds its way through us to who sent it; what is forged is
//! refused, and what an older key made counts.

use mailwright_tests::mail::{Mark, message};
use mailwright_tests::peers::lossy;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::{Script, Sink};
use rustix::process::Signal;

#[test]
fn bounces_of_what_was_forwarded_come_back_rfc5321_3_9() {
    let nobody = Script::new().rcpt(|_, _| "550 5.1.1 no such user here".to_owned()).start();
    let origin = Sink::start();
    // The far server takes what is forwarded, finds that nobody wants it, and says so to the reverse path.
    let far_setup = Setup::new().smarthost("example.test", nobody.address());
    let far = Mailwright::start(&far_setup);
    let setup = Setup::new()
        .set("relay", "networks = []")
        .set("verify", "enabled = false")
        .set("srs", "domain = \"srs.example.test\"")
        .smarthost("example.test", far.address())
        .smarthost("origin.test", origin.address());
    let mut forwarder = Mailwright::start(&setup);
    far.configure(&far_setup.smarthost("srs.example.test", forwarder.address()));
    far.signal(Signal::HUP);
    let _ = far.event("reloaded", |_| true);

    let mark = Mark::new();
    let mut client = forwarder.client();
    client.hello();
    client.mail("Ann@origin.test", &["bob@example.test"], &message(&mark, "x\r\n")).expect_code(250);
    let path = far.event("accepted", |_| true)["sender"].as_str().expect("a text").to_owned();
    assert!(path.starts_with("SRS0=") && path.ends_with("=origin.test=Ann@srs.example.test"), "{path}");
    let report = origin.message("the bounce", |message| message.sender().is_empty());
    assert_eq!(report.recipients, ["Ann@origin.test"]);
    assert!(report.text().contains("5.1.1") && mark.is_in(&report.octets), "{}", report.text());

    // Anybody may write there, and nobody to what we did not make.
    let mut stranger = forwarder.client();
    stranger.hello();
    stranger.command("MAIL FROM:<>").expect_code(250);
    stranger.command(&format!("RCPT TO:<{}>", path.to_lowercase())).expect_code(250);
    stranger.command(&format!("RCPT TO:<{}>", path.replace("Ann", "Bob"))).expect(550, "5.1.1");
    stranger.command("RCPT TO:<SRS0=AAAAAAAA=AA=origin.test=ann@srs.example.test>").expect(550, "5.1.1");
    stranger.command("RCPT TO:<ann@srs.example.test>").expect(550, "5.1.1");
    let _ = forwarder.event("feedback-untied", |event| event["session"].is_string());

    // Another key signs from now on, and both count.
    let rotated = forwarder.cli(&["key", "rotate"]);
    assert!(rotated.status.success(), "{}", lossy(&rotated.stderr));
    assert!(lossy(&rotated.stdout).contains("2 keys"), "{}", lossy(&rotated.stdout));
    forwarder.kill();
    forwarder.restart(&[]);
    let mut client = forwarder.client();
    client.hello();
    client.mail("", &[&path], &message(&Mark::new(), "late\r\n")).expect_code(250);
    let late = origin.message("what came late", |message| message.text().contains("late"));
    assert_eq!(late.recipients, ["Ann@origin.test"]);
}
