//! From an empty folder to a plugin that serves, by the commands of docs/plugins/first-plugin.md.

use mailwright_tests::peers::lossy;
use mailwright_tests::program::{Mailwright, binary};
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;
use std::path::Path;
use std::process::{Command, Output};

/// Runs a command in a folder. What cargo compiles for it is kept beside the program, for the next run of this test; the
/// test runner limits the time.
fn run(program: &Path, words: &[&str], folder: &Path) -> Output {
    let kept = binary().parent().expect("it lies in a folder").join("written-plugins");
    let mut command = Command::new(program);
    command.args(words).current_dir(folder).env("CARGO_TARGET_DIR", kept);
    command.output().unwrap_or_else(|error| panic!("{}: {error}", program.display()))
}

fn said(done: &Output) -> String {
    assert!(done.status.success(), "{}\n{}", lossy(&done.stdout), lossy(&done.stderr));
    lossy(&done.stdout)
}

#[test]
fn a_plugin_is_written_from_an_empty_folder() {
    let sink = Sink::start();
    let setup = Setup::new().smarthost("*", sink.address());
    let server = Mailwright::start(&setup);
    let empty = server.dir().join("empty");
    std::fs::create_dir(&empty).expect("our own directory");
    let (mailwright, cargo) = (binary(), std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));

    let told = said(&run(&mailwright, &["plugin", "new", "my-policy"], &empty));
    assert!(told.contains("mailwright plugin build"), "{told}");
    let again = run(&mailwright, &["plugin", "new", "my-policy"], &empty);
    assert!(!again.status.success() && lossy(&again.stderr).contains("is there already"), "{}", lossy(&again.stderr));
    let folder = empty.join("my-policy");
    let tested = said(&run(Path::new(&cargo), &["test"], &folder));
    assert!(tested.contains("3 passed; 0 failed"), "{tested}");
    said(&run(&mailwright, &["plugin", "build"], &folder));
    let inspected = said(&run(&mailwright, &["plugin", "inspect", "my-policy.wasm", "--json"], &folder));
    let found: serde_json::Value = serde_json::from_str(&inspected).expect("one JSON object");
    assert_eq!(
        (&found["hooks"], &found["edit"]),
        (&serde_json::json!(["rcpt", "data"]), &serde_json::json!(["headers"]))
    );
    assert!(found["bytes"].as_u64().is_some_and(|bytes| bytes < 60 * 1024), "two hooks are a small component: {found}");
    assert_eq!((&found["unknown"], &found["instances"]), (&serde_json::json!([]), &"restored".into()));

    tried_on_cases(&folder);

    let plugin = format!(
        "[[plugin]]\nname = \"my-policy\"\nsource = \"{}\"\nsha256 = {}\nedit = [\"headers\"]\n\
         config = {{ refuse = [\"nobody\"] }}",
        folder.join("my-policy.wasm").display(),
        found["sha256"],
    );
    server.configure(&setup.table(&plugin));
    said(&server.cli(&["plugin", "reload"]));
    let mut client = server.client();
    client.hello();
    client.command("MAIL FROM:<a@from.example>").expect_code(250);
    client.command("RCPT TO:<nobody@to.example>").expect_code(550);
    client.command("RSET").expect_code(250);
    client.mail("a@from.example", &["b@to.example", "c@to.example"], b"Subject: x\r\n\r\nhi\r\n").expect_code(250);
    let got = sink.message("the message", |_| true).text();
    assert!(got.contains("X-Recipients: 2\r\n"), "{got}");
}

/// `plugin test`: a case that is as expected, and one that is not.
fn tried_on_cases(folder: &Path) {
    let put =
        |name: &str, text: &str| std::fs::write(folder.join("cases").join(name), text).expect("it can be written");
    std::fs::create_dir(folder.join("cases")).expect("our own directory");
    put(
        "plugin.toml",
        "[[plugin]]\nname = \"my-policy\"\nsource = \"my-policy.wasm\"\nedit = [\"headers\"]\n\
         config = { refuse = [\"nobody\"] }\n",
    );
    put("hello.eml", "Subject: hello\n\nIt works.\n");
    let case = "sender = \"a@from.example\"\nrecipients = [\"nobody@to.example\", \"b@to.example\"]\n\
                message = \"hello.eml\"\n[expect]\nrcpt = [\"reject 550 5.7.1 this mailbox takes no mail\", \"next\"]\n\
                data = \"next\"\nedits = [\"add X-Recipients: 1\"]\n";
    put("one.toml", case);
    let words = ["plugin", "test", "my-policy.wasm", "--cases", "cases"];
    let told = said(&run(&binary(), &words, folder));
    assert!(told.ends_with("1 of 1 cases are as expected\n"), "{told}");

    put("two.toml", &case.replace("X-Recipients: 1", "X-Recipients: 2"));
    let differs = run(&binary(), &words, folder);
    assert_eq!(differs.status.code(), Some(1));
    let told = lossy(&differs.stdout);
    let diff = "FAILED  cases/two.toml\n  edits\n    - add X-Recipients: 2\n    + add X-Recipients: 1\n";
    assert!(told.contains("ok      cases/one.toml\n") && told.contains(diff), "{told}");
    assert!(lossy(&differs.stderr).contains("1 of 2 cases are not as expected"), "{}", lossy(&differs.stderr));
}
