//! Suppression lists: one plugin writes, another reads, operators see and change them, and kill -9 takes nothing back.

use mailwright_tests::client::Reply;
use mailwright_tests::guest::{self, Import};
use mailwright_tests::metrics::Metrics;
use mailwright_tests::peers::lossy;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use std::fs;

const CONTAINS: Import = ("suppression", "contains", "(param i32 i32 i32 i32 i32 i32 i32)");
const ADD: Import = ("suppression", "add", "(param i32 i32 i32 i32 i32 i32 i32 i32)");

/// The scope "news" lies at 20; what the hook is told of the recipient is in 5 to 8.
const RECIPIENT: &str = "(i32.const 20) (i32.const 4) (local.get 5) (local.get 6) (local.get 7) (local.get 8)";

/// Two plugins: `reads` refuses recipients that are on the list, `adds` puts those on it that begin with a u.
fn plugins(server: &Mailwright, grant: &str) -> String {
    // ok(some(reason)) lies at 2048: the result's tag, and the option's at 4. An error traps.
    let reads = format!(
        "(call $contains {RECIPIENT} (i32.const 2048)) (if (i32.load8_u (i32.const 2048)) (then unreachable))
         (if (i32.load8_u (i32.const 2052)) (then
            (i32.store8 (i32.const 1028) (i32.const 3)) (i32.store16 (i32.const 1032) (i32.const 550))
            (i32.store (i32.const 1044) (i32.const 16)) (i32.store (i32.const 1048) (i32.const 4))))"
    );
    let adds = format!(
        "(if (i32.eq (i32.load8_u (local.get 5)) (i32.const 0x75)) (then
            (call $add {RECIPIENT} (i32.const 0) (i32.const 2048))
            (if (i32.load8_u (i32.const 2048)) (then unreachable))))"
    );
    let mut tables = String::new();
    for (name, import, body, grant) in
        [("reads", CONTAINS, &reads, "suppression:news:read"), ("adds", ADD, &adds, grant)]
    {
        let folder = server.dir().join(name);
        fs::create_dir_all(&folder).expect("our own directory");
        let source = guest::plugin(&folder, &[import], "GONEnews", &[("on-rcpt", body)]);
        tables +=
            &format!("[[plugin]]\nname = \"{name}\"\nsource = \"{}\"\nallow = [\"{grant}\"]\n\n", source.display());
    }
    tables
}

fn server(grant: &str) -> Mailwright {
    let setup = Setup::new();
    let server = Mailwright::prepare(&setup);
    let tables = plugins(&server, grant);
    server.configure(&setup.table(&tables).table("[[tenant]]\nname = \"acme\"\ndomains = [\"acme.test\"]"));
    server.begin(&[])
}

fn rcpt(server: &Mailwright, to: &str) -> Reply {
    let mut client = server.client();
    client.hello();
    client.command("MAIL FROM:<a@from.example>").expect_code(250);
    client.command(&format!("RCPT TO:<{to}>"))
}

/// What a command prints; its words on standard error where it fails.
fn suppression(server: &Mailwright, words: &[&str]) -> Result<String, String> {
    let done = server.cli(&[&["suppression", words[0], "--scope", "news"], &words[1..]].concat());
    match done.status.success() {
        true => Ok(lossy(&done.stdout)),
        false => Err(lossy(&done.stderr)),
    }
}

#[test]
fn what_one_plugin_adds_another_finds_also_after_kill_nine() {
    let mut server = server("suppression:news");
    rcpt(&server, "u1@example.test").expect_code(250);
    // The hook was answered, so it is on the disk.
    server.kill();
    server.restart(&[]);
    assert!(rcpt(&server, "U1@Example.Test").expect_code(550).text().contains("GONE"));
    rcpt(&server, "ann@example.test").expect_code(250);
    let listed = suppression(&server, &["list"]).expect("it lists");
    assert!(
        listed.starts_with("u1@example.test  unsubscribe  since 20") && listed.trim_end().ends_with("by plugin:adds")
    );
    // The same address of another tenant's mail is on no list.
    rcpt(&server, "u2@acme.test").expect_code(250);
    assert_eq!(suppression(&server, &["list", "--tenant", "acme"]).expect("it lists").lines().count(), 1);
    assert!(!suppression(&server, &["list"]).expect("it lists").contains("acme"));
    let metrics = Metrics::of(&server);
    let on =
        |tenant: &str| metrics.get(&format!("mailwright_suppressed_addresses{{scope=\"news\",tenant=\"{tenant}\"}}"));
    assert_eq!((on("") as u64, on("acme") as u64), (1, 1));
}

#[test]
fn operators_add_import_export_and_remove_for_good() {
    let mut server = server("suppression:news");
    assert_eq!(suppression(&server, &["add", "Ann@Example.test"]), Ok("1 address added\n".to_owned()));
    server.kill();
    server.restart(&[]);
    rcpt(&server, "ann@example.test").expect_code(550);

    let file = server.dir().join("list.csv");
    let import = |content: &str| {
        fs::write(&file, content).expect("our own file");
        suppression(&server, &["import", &file.display().to_string()])
    };
    let wrong = import("bob@example.test\nbob\ncat@example.test,because\n").expect_err("two lines are wrong");
    assert!(
        wrong.contains("list.csv:2: \"bob\" is no address") && wrong.contains("list.csv:3: \"because\" is no reason")
    );
    rcpt(&server, "bob@example.test").expect_code(250);
    let many: String = (0..3000).map(|n| format!("n{n}@example.test,hard-bounce\n")).collect();
    let done = import(&format!("address,reason\nann@example.test\n{many}"));
    assert_eq!(done, Ok("3000 addresses added; 1 of the file were there\n".to_owned()));
    rcpt(&server, "N2999@example.test").expect_code(550);

    let exported = suppression(&server, &["export"]).expect("it exports");
    assert_eq!(exported.lines().count(), 3002);
    assert!(exported.starts_with("address,reason,since,by\nann@example.test,manual,20"));
    let removed = suppression(&server, &["remove", "ANN@example.test", "n7@example.test", "nobody@example.test"]);
    assert_eq!(removed, Ok("2 addresses removed\n".to_owned()));
    rcpt(&server, "ann@example.test").expect_code(250);
    assert_eq!(import(&exported), Ok("2 addresses added; 2999 of the file were there\n".to_owned()));
    let unknown = suppression(&server, &["list", "--tenant", "acne"]).expect_err("there is none");
    assert!(unknown.contains("\"acne\" is no [[tenant]] of the configuration (acme)"), "{unknown}");
}

#[test]
fn a_plugin_that_may_only_read_adds_nothing() {
    let server = server("suppression:news:read");
    rcpt(&server, "u1@example.test").expect_code(451);
    assert_eq!(suppression(&server, &["list"]), Ok(String::new()));
}
