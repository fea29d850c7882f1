//! A plugin in JavaScript: it decides by the subject, begins anew at each call, and an endless one is stopped.

use mailwright_tests::guest::{example, reload};
use mailwright_tests::peers::lossy;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;

const RULES: &str = r#"rules = [
    { subject = "^\\[spam\\]", verdict = "reject", text = "no spam" },
    { subject = "invoice", verdict = "mark" },
    { subject = "^(a+)+$", verdict = "reject" },
]"#;

#[test]
fn a_subject_rule_in_javascript_serves() {
    let sink = Sink::start();
    let setup = Setup::new().smarthost("*", sink.address());
    let server = Mailwright::start(&setup);
    let component = example("javascript-subject-rule", server.dir(), &[]).join("subject-rule.wasm");
    let plugin = |rules: &str| {
        format!(
            "[[plugin]]\nname = \"subject\"\nsource = \"{}\"\nedit = [\"headers\"]\n\
             budget = {{ cpu_envelope = \"500ms\", cpu_message = \"500ms\" }}\n\
             compile = {{ cpu = \"10m\", wall = \"10m\" }}\n[plugin.config]\n{rules}",
            component.display()
        )
    };
    server.configure(&setup.clone().table(&plugin("rules = [{ subject = \"(\", verdict = \"mark\" }]")));
    let words = lossy(&reload(&server).stderr);
    assert!(words.contains("configure failed: invalid-config: subject = \"(\""), "{words}");

    server.configure(&setup.clone().table(&plugin(RULES)));
    let loaded = reload(&server);
    assert!(loaded.status.success(), "{}", lossy(&loaded.stderr));
    let loaded = server.event("plugin-loaded", |_| true);
    assert_eq!(loaded["profile"], "wide");
    assert!(loaded["instances"].as_str().is_some_and(|how| how.starts_with("made anew for each call")), "{loaded}");

    let mut client = server.client();
    client.hello();
    let mut send = |subject: &str| {
        let message = format!("Subject: {subject}\r\n\r\nhello\r\n");
        client.mail("a@from.example", &["b@to.example"], message.as_bytes())
    };
    send("[SPAM] buy").expect(550, "5.7.1");
    send("your invoice").expect_code(250);
    send("hello").expect_code(250);
    // The expression tries all ways to part these: the host ends it.
    send(&format!("{}b", "a".repeat(60))).expect_code(451);
    let fault = server.event("plugin-fault", |_| true);
    assert_eq!((&fault["kind"], &fault["hook"]), (&"cpu".into(), &"data".into()));
    send("hello again").expect_code(250);
    let marked = sink.message("the invoice", |message| message.text().contains("Subject: your invoice"));
    assert!(marked.text().contains("X-Subject-Rule: invoice\r\n"), "{}", marked.text());
    let plain = sink.message("the last one", |message| message.text().contains("Subject: hello again"));
    assert!(!plain.text().contains("X-Subject-Rule"), "{}", plain.text());
}
