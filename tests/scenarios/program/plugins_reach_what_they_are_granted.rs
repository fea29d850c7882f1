//! Plugins look things up in tables that follow their files, in the DNS and on the web, as far as they are granted.

use mailwright_tests::client::Reply;
use mailwright_tests::dns::Zones;
use mailwright_tests::guest;
use mailwright_tests::peers::lossy;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

/// What a plugin asks at RCPT.
#[derive(Clone, Copy)]
enum Asks<'a> {
    /// Whether the table "vips" has the recipient's local part.
    Vips,
    /// Whether this list has 127.0.0.1.
    List(&'a str),
    /// Whether this URL answers 200.
    Url(&'a str),
}

impl Asks<'_> {
    /// Writes the plugin into a folder. Yes is `accept`, no is `reject` with 550 and "GONE", and an error traps, so that
    /// `on_failure` answers.
    fn write(self, folder: &Path) -> PathBuf {
        let two_texts = "(param i32 i32 i32 i32 i32)";
        let request = "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)";
        // The call answers at 2048.
        let (import, text, call, yes) = match self {
            Self::Vips => (
                ("tables", "lookup", two_texts),
                "vips".to_owned(),
                "(call $lookup (i32.const 20) (i32.const 4) (local.get 5) (local.get 6) (i32.const 2048))".to_owned(),
                "(i32.load8_u (i32.const 2052))",
            ),
            Self::List(zone) => (
                ("dns", "dnsbl", two_texts),
                format!("127.0.0.1{zone}"),
                format!(
                    "(call $dnsbl (i32.const 29) (i32.const {}) (i32.const 20) (i32.const 9) (i32.const 2048))",
                    zone.len()
                ),
                "(i32.load (i32.const 2056))",
            ),
            Self::Url(url) => (
                ("http", "fetch", request),
                format!("GET{url}"),
                format!(
                    "(call $fetch (i32.const 20) (i32.const 3) (i32.const 23) (i32.const {}) (i32.const 0) (i32.const 0)
                        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 2048))",
                    url.len()
                ),
                "(i32.eq (i32.load16_u (i32.const 2052)) (i32.const 200))",
            ),
        };
        let body = format!(
            "{call} (if (i32.load8_u (i32.const 2048)) (then unreachable))
             (if {yes} (then (i32.store8 (i32.const 1028) (i32.const 1)) (i32.const 1024) return))
             (i32.store8 (i32.const 1028) (i32.const 3)) (i32.store16 (i32.const 1032) (i32.const 550))
             (i32.store (i32.const 1044) (i32.const 16)) (i32.store (i32.const 1048) (i32.const 4))"
        );
        guest::plugin(folder, &[import], &format!("GONE{text}"), &[("on-rcpt", &body)])
    }
}

/// A server whose recipients are judged by such a plugin; `table` goes with it.
fn server(setup: &Setup, asks: Asks<'_>, grant: &str, table: &str) -> Mailwright {
    let server = Mailwright::prepare(setup);
    let source = asks.write(server.dir());
    let plugin =
        format!("[[plugin]]\nname = \"asks\"\nsource = \"{}\"\nallow = [\"{grant}\"]\n{table}", source.display());
    server.configure(&setup.clone().table(&plugin));
    server.begin(&[])
}

fn rcpt(server: &Mailwright, to: &str) -> Reply {
    let mut client = server.client();
    client.hello();
    client.command("MAIL FROM:<a@from.example>").expect_code(250);
    client.command(&format!("RCPT TO:<{to}>"))
}

/// A new file takes the old one's place, as an operator's script does it.
fn put(path: &Path, content: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, content).expect("our own file");
    std::fs::rename(&new, path).expect("our own file");
}

#[test]
fn a_table_follows_its_file_and_a_broken_version_changes_nothing() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("vips.txt");
    put(&path, "# who may be written to\nann\n");
    let table = format!("[[table]]\nname = \"vips\"\nfile = \"{}\"", path.display());
    let server = server(&Setup::new(), Asks::Vips, "tables:vips", &table);
    rcpt(&server, "Ann@example.test").expect_code(250);
    rcpt(&server, "bob@example.test").expect_code(550);
    put(&path, "ann\nBob since 2026\n");
    let reloaded = server.event("table-reloaded", |_| true);
    assert_eq!((&reloaded["table"], &reloaded["entries"]), (&"vips".into(), &2.into()));
    rcpt(&server, "bob@example.test").expect_code(250);
    put(&path, "ann 1\nann 2\n");
    let refused = server.event("table-refused", |_| true);
    assert!(refused["why"].as_str().is_some_and(|why| why.contains("vips.txt: line 2: \"ann\"")), "{refused}");
    rcpt(&server, "bob@example.test").expect_code(250);
    assert_eq!(server.events("plugin-loaded").len(), 1, "no plugin was loaded anew");
}

#[test]
fn a_list_is_asked_while_the_hook_waits_rfc5782_2_1() {
    let zones = Zones::new().a("1.0.0.127.list.test", Ipv4Addr::new(127, 0, 0, 2)).failing("broken.test");
    let dns = zones.start();
    let setup = Setup::new().dns(dns.address(), 25);
    for (zone, code) in [("list.test", 250), ("other.test", 550), ("broken.test", 451)] {
        let server = server(&setup, Asks::List(zone), "dns", "");
        assert_eq!(rcpt(&server, "b@example.test").code, code, "{zone}");
    }
}

#[test]
fn a_server_that_is_granted_is_asked_and_no_other() {
    let web = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    let address = web.local_addr().expect("it is bound");
    // Ends with the test's process.
    std::thread::spawn(move || {
        for stream in web.incoming() {
            let mut stream = stream.expect("a client");
            let mut asked = [0; 1024];
            let length = stream.read(&mut asked).expect("a request");
            let is_there = lossy(&asked[..length]).starts_with("GET /there HTTP/1.1\r\n");
            let status = if is_there { "200 OK" } else { "404 Not Found" };
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").expect("it is still there");
        }
    });
    let grant = format!("http:http://{address}");
    for (url, code) in [
        (format!("http://{address}/there"), 250),
        (format!("http://{address}/gone"), 550),
        (format!("https://{address}/there"), 451),
        ("http://127.0.0.1/there".to_owned(), 451),
    ] {
        let server = server(&Setup::new(), Asks::Url(&url), &grant, "");
        assert_eq!(rcpt(&server, "b@example.test").code, code, "{url}");
    }
}

#[test]
fn a_grant_that_is_missing_and_a_secret_that_others_may_read_are_told() {
    let server = Mailwright::prepare(&Setup::new());
    let source = Asks::List("list.test").write(server.dir());
    let key = server.dir().join("key");
    std::fs::write(&key, "hidden\n").expect("our own directory");
    let plugin = format!("[[plugin]]\nname = \"asks\"\nsource = \"{}\"\nallow = [\"log\"]\n", source.display());
    server.configure(&Setup::new().table(&plugin));
    let said = lossy(&server.cli(&["check-config"]).stderr);
    let wanted = "it imports mailwright:plugin/dns@0.1.0, which is not granted; add \"dns\" to its `allow`";
    assert!(said.contains(wanted), "{said}");
    let secret = format!("[[secret]]\nname = \"key\"\nfile = \"{}\"", key.display());
    let setup = Setup::new().table(&plugin.replace("\"log\"", "\"dns\", \"hmac:key\"")).table(&secret);
    server.configure(&setup);
    let chmod = |mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).expect("our own file");
    };
    chmod(0o644);
    let said = lossy(&server.cli(&["check-config"]).stderr);
    assert!(said.contains("secret \"key\": ") && said.contains("(its mode is 0644): chmod 600"), "{said}");
    chmod(0o600);
    let checked = server.cli(&["check-config"]);
    let said = lossy(&checked.stdout) + &lossy(&checked.stderr);
    assert!(checked.status.success() && !said.contains("hidden"), "{said}");
}
