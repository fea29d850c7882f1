//! A plugin is the back end of AUTH: it says whose a password is, its failure is no refusal, and without the grant it is not
//! loaded. One is of a few instructions, the other is the recipe of the cookbook, built and tried as its page says.

use super::{LOGIN, add};
use mailwright_tests::guest;
use mailwright_tests::peers::issuer::Issuer;
use mailwright_tests::peers::{lossy, python, swaks};
use mailwright_tests::program::{Mailwright, binary};
use mailwright_tests::setup::Setup;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;

/// By the first letter of the name: `t` traps, `f` fails with the password for its words, `n` is none of its own. Of the rest
/// the password begins with `b`; `b` sends as "@bob.example", others as themselves. It logs what it is shown.
const KNOWS: &str = r#"
    (call $write (i32.const 2) (local.get 4) (local.get 5) (i32.const 0) (i32.const 0))
    (if (i32.eq (i32.load8_u (local.get 2)) (i32.const 0x74)) (then unreachable))
    (if (i32.eq (i32.load8_u (local.get 2)) (i32.const 0x6e)) (then (return (i32.const 1024))))
    (if (i32.eq (i32.load8_u (local.get 2)) (i32.const 0x66)) (then
        (i32.store8 (i32.const 1024) (i32.const 1)) (i32.store offset=8 (i32.const 1024) (local.get 4))
        (i32.store offset=12 (i32.const 1024) (local.get 5)) (return (i32.const 1024))))
    (i32.store8 offset=4 (i32.const 1024) (i32.const 1))
    (if (i32.eq (i32.load8_u (local.get 4)) (i32.const 0x62)) (then
        (i32.store8 offset=4 (i32.const 1024) (i32.const 2))
        (if (i32.eq (i32.load8_u (local.get 2)) (i32.const 0x62)) (then
            (i32.store offset=20 (i32.const 1024) (i32.const 3000)) (i32.store offset=24 (i32.const 1024) (i32.const 1))
            (i32.store (i32.const 3000) (i32.const 16)) (i32.store (i32.const 3004) (i32.const 12))))))"#;

const LOG: guest::Import = ("log", "write", "(param i32 i32 i32 i32 i32)");

const BY_PLUGIN: &str = r#"
assert sender("ann@acme.example", "battery staple", "ann@acme.example") == 250
assert sender("ann@acme.example", "battery staple", "eve@acme.example") == 550
assert sender("bob", "battery staple", "x@bob.example") == 250
assert login("ann@acme.example", "xylophone one")[0] == 535
# Nobody else knows these: as refused as a wrong password.
assert login("nobody@acme.example", "battery staple")[0] == 535
for name in ["trap@acme.example", "fault@acme.example"]:
    assert login(name, "battery staple")[0] == 454, name
# Who is in the file is asked for nowhere else.
assert sender("carol@example.org", "correct horse", "carol@example.org") == 250
assert login("carol@example.org", "battery staple")[0] == 535
"#;

fn setup() -> Setup {
    Setup::new()
        .set("delivery", "paused = true")
        .set("relay", "networks = []")
        .table("[[tenant]]\nname = \"acme\"\nusers = [\"*@acme.example\"]")
}

#[test]
fn a_plugin_says_whose_a_password_is() {
    let setup = || setup().set("auth", "users = \"users\"");
    let server = Mailwright::prepare(&setup());
    add(&server, &[("carol@example.org", "correct horse", &[])]);
    let source = guest::plugin(server.dir(), &[LOG], "@bob.example", &[("on-password", KNOWS)]);
    let plugin = format!("[[plugin]]\nname = \"oracle\"\nsource = \"{}\"\ntrace = true\n", source.display());
    let with = |allow: &str| setup().table(&format!("{plugin}allow = [{allow}]"));
    let named = |allow: &str| with(allow).set("auth", "plugin = \"oracle\"");

    // Named without the grant, exporting the hook without the grant, and named without the hook.
    server.configure(&named("\"log\""));
    let told = |words: &str| {
        let refused = server.cli(&["check-config"]);
        let said = lossy(&refused.stderr) + &lossy(&refused.stdout);
        assert!(!refused.status.success() && said.contains(words), "{words}: {said}");
    };
    told("expected \"passwords\" among them");
    server.configure(&with("\"log\""));
    told("to be shown the passwords of users, which is not granted; if you trust it with them, add \"passwords\"");
    server.configure(&setup().set("auth", "plugin = \"hello\"").table(
        "[[plugin]]\nname = \"hello\"\nsource = \"builtin:hello\"\nallow = [\"log\", \"passwords\"]\nedit = [\"headers\"]",
    ));
    told("[auth] has it say who users are, and it has no on-password");

    server.configure(&named("\"log\", \"passwords\""));
    let server = server.begin(&["listener.mx.auth=danger_plaintext"]);
    assert_eq!(python(server.address(), &[LOGIN, BY_PLUGIN].concat()), "");
    let arguments = ["--auth", "LOGIN", "--auth-user", "ann@acme.example", "--auth-password", "battery staple"];
    let more = ["--from", "ann@acme.example", "--to", "b@to.example", "--body", "x"];
    let (status, transcript) = swaks(server.address(), &[&arguments[..], &more].concat());
    assert!(status.success(), "{transcript}");
    let queued = server.queue();
    assert!(queued.iter().any(|entry| entry["tenant"] == "acme"), "{queued:?}");
    let listed = lossy(&server.cli(&["plugin", "list"]).stdout);
    assert!(listed.contains("password 1") && listed.contains("IT MAY SEE PASSWORDS"), "{listed}");
    for kind in ["trap", "fault"] {
        let fault = server.event("plugin-fault", |event| event["kind"] == kind);
        assert_eq!((&fault["hook"], &fault["answered"]), (&"password".into(), &"454".into()));
        let why = format!("the plugin oracle failed ({kind})");
        let unanswered = server.event("auth-unanswered", |event| event["why"] == why);
        assert_eq!((&unanswered["of"], &unanswered["host"]), (&"plugin".into(), &"oracle".into()));
    }
    // It wrote down what it was shown, each time.
    let lines = server.lines().concat();
    assert!(lines.contains("(withheld: the password is in it)"), "{lines}");
    for password in ["battery staple", "xylophone", "correct horse"] {
        assert!(!lines.contains(password), "no password is logged");
    }
}

#[test]
fn guesses_at_a_plugins_users_are_slowed_down() {
    let server = Mailwright::prepare(&setup());
    let source = guest::plugin(server.dir(), &[LOG], "@bob.example", &[("on-password", KNOWS)]);
    let plugin = format!("[[plugin]]\nname = \"oracle\"\nsource = \"{}\"\ntrace = true\n", source.display());
    let setup = Setup::new().set("relay", "networks = []").set("auth", "plugin = \"oracle\"");
    let setup = setup.set("auth", "failures_per_peer_max = 2");
    server.configure(&setup.table(&format!("{plugin}allow = [\"passwords\", \"log\"]")));
    let server = server.begin(&["listener.mx.auth=danger_plaintext"]);
    let script = r#"
import base64
def guess():
    s = smtplib.SMTP(HOST, PORT, timeout=60)
    s.ehlo()
    return s.docmd("AUTH", "PLAIN " + base64.b64encode(b"\0ann@acme.example\0xylophone one").decode())[0]
codes = [guess() for _ in range(4)]
assert codes == [535, 535, 535, 454], codes
"#;
    assert_eq!(python(server.address(), script), "");
    let asked = server.events("plugin-called").len();
    assert_eq!(asked, 3, "it is not asked about the last");
}

/// Runs a command in a folder; what it said.
fn run(program: &Path, words: &[&str], folder: &Path) -> String {
    let kept = binary().parent().expect("it lies in a folder").join("written-plugins");
    let mut command = Command::new(program);
    let done = command.args(words).current_dir(folder).env("CARGO_TARGET_DIR", kept).output();
    let done = done.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    assert!(done.status.success(), "{}\n{}", lossy(&done.stdout), lossy(&done.stderr));
    lossy(&done.stdout)
}

#[test]
fn the_recipe_asks_the_service_of_each_domain() {
    let issuer = Issuer::start();
    issuer.says_of_user("ann@acme.example", "battery staple", json!({}));
    let server = Mailwright::prepare(&setup());
    let folder = server.dir().join("logins");
    run(&binary(), &["plugin", "new", "logins"], server.dir());
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/cookbook/src/envelope/logins.rs");
    fs::copy(recipe, folder.join("src/lib.rs")).expect("our own folder");
    let built = run(&binary(), &["plugin", "build"], &folder);
    assert!(built.contains("PASSWORDS  it wants to be shown those of users"), "{built}");
    assert!(built.contains("hooks      password") && built.contains("\"passwords\""), "{built}");

    let services = server.dir().join("services");
    fs::write(&services, format!("acme.example {}\n", issuer.url("lines"))).expect("our own folder");
    let origin = issuer.url("").trim_end_matches('/').to_owned();
    let plugin = format!(
        "[[table]]\nname = \"services\"\nfile = \"{}\"\n[[plugin]]\nname = \"logins\"\nsource = \"{}\"\n\
         allow = [\"passwords\", \"tables:services\", \"http:{origin}\", \"http-network:127.0.0.0/8\"]\n",
        services.display(),
        folder.join("logins.wasm").display(),
    );
    let cases = folder.join("cases");
    fs::create_dir(&cases).expect("our own folder");
    fs::write(cases.join("plugin.toml"), &plugin).expect("our own folder");
    let login = |user: &str, password: &str| format!("[[login]]\nuser = \"{user}\"\npassword = \"{password}\"\n");
    let case = [
        login("Ann@acme.example", "battery staple"),
        login("ann@acme.example", "another one"),
        login("ann@other.example", "battery staple"),
        "[expect]\nlogin = [\"yes\", \"no\", \"next\"]\n".to_owned(),
    ];
    fs::write(cases.join("one.toml"), case.concat()).expect("our own folder");
    let told = run(&binary(), &["plugin", "test", "logins.wasm", "--cases", "cases"], &folder);
    assert!(told.ends_with("1 of 1 cases are as expected\n"), "{told}");

    server.configure(&setup().set("auth", "plugin = \"logins\"").table(&plugin));
    let server = server.begin(&["listener.mx.auth=danger_plaintext"]);
    let script = r#"
assert sender("ann@acme.example", "battery staple", "ann@acme.example") == 250
assert login("ann@acme.example", "another one")[0] == 535
assert login("ann@other.example", "battery staple")[0] == 535
"#;
    assert_eq!(python(server.address(), &[LOGIN, script].concat()), "");
    issuer.is_away(true);
    let away = "assert login(\"ann@acme.example\", \"battery staple\")[0] == 454\n";
    assert_eq!(python(server.address(), &[LOGIN, away].concat()), "");
    let lines = server.lines().concat();
    assert!(lines.contains("the service of acme.example answered with 503") && !lines.contains("battery"), "{lines}");
}
