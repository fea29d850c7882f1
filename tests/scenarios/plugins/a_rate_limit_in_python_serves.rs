//! A plugin in Python: it limits by a bucket, and one that hangs or hoards is stopped while the server goes on.

use mailwright_tests::guest::{example, reload};
use mailwright_tests::peers::lossy;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;

/// What a plugin had better not do.
const HOSTILE: &str = "

class OnRcpt(OnRcpt):
    def handle(self, sender, to, params):
        if to.local == 'loop':
            while True:
                pass
        if to.local == 'hoard':
            hoard = []
            while True:
                hoard.append(bytearray(2**22))
        if to.local == 'raise':
            print('about to fail')
            raise KeyError('nobody')
        return super().handle(sender, to, params)
";

#[test]
fn a_rate_limit_in_python_serves() {
    let server = Mailwright::start(&Setup::new());
    let folder = example("python-rate-limit", server.dir(), &[("plugin.py", HOSTILE)]);
    let plugin = format!(
        "[[plugin]]\nname = \"rates\"\nsource = \"{}\"\nallow = [\"kv:rates\", \"log\"]\n\
         config = {{ recipients = 3, seconds = 3600 }}\nbudget = {{ cpu_envelope = \"500ms\" }}\ncompile = {{ cpu = \"10m\", wall = \"10m\" }}",
        folder.join("rate-limit.wasm").display()
    );
    server.configure(&Setup::new().table(&plugin));
    let loaded = reload(&server);
    assert!(loaded.status.success(), "{}", lossy(&loaded.stderr));
    let loaded = server.event("plugin-loaded", |_| true);
    assert_eq!(loaded["profile"], "wide");

    let mut client = server.client();
    client.hello();
    client.command("MAIL FROM:<a@from.example>").expect_code(250);
    for nth in 0..3 {
        client.command(&format!("RCPT TO:<b{nth}@example.test>")).expect_code(250);
    }
    let refused = client.command("RCPT TO:<c@example.test>");
    refused.expect(450, "4.7.1");
    assert!(refused.text().contains("too many recipients: come back in "), "{}", refused.text());

    for (local, kind, words) in [
        ("loop", "cpu", "it used up its processor time"),
        ("hoard", "memory", "it wanted more than 134217728 octets of memory"),
        ("raise", "trap", "; it printed: KeyError: 'nobody'"),
    ] {
        client.command(&format!("RCPT TO:<{local}@example.test>")).expect(451, "4.3.0");
        let fault = server.event("plugin-fault", |event| event["kind"] == kind);
        assert!(fault["why"].as_str().is_some_and(|why| why.contains(words)), "{fault}");
    }
    let _ = server.event("plugin-log", |event| event["message"] == "about to fail");
    client.command("RCPT TO:<c@example.test>").expect(450, "4.7.1");
}
