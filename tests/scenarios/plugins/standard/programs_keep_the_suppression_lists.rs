//! Applications import, export, search and change the suppression lists of their own tenant by HTTP, operators those of
//! all by commands, and each sees what the other did.

use mailwright_tests::keys::private;
use mailwright_tests::peers::{lossy, python};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;

const SERVER: &str = r#"
[[tenant]]
name = "acme"
domains = ["acme.test"]

[[tenant]]
name = "beta"
domains = ["beta.test"]

[[http]]
name = "web"
bind = "127.0.0.1:0"

[[secret]]
name = "links"
file = "KEYS/links"

[[secret]]
name = "acme"
file = "KEYS/acme"

[[secret]]
name = "beta"
file = "KEYS/beta"

[[plugin]]
name = "unsubscribe"
source = "builtin:unsubscribe"
allow = [
    "log", "metrics", "tenants", "kv:soft-bounces", "hmac:links", "secrets:acme", "secrets:beta",
    "suppression:everything", "suppression:news",
]
edit = ["headers"]

[plugin.config]
url = "https://news.example.test/p/unsubscribe"
keys = ["links"]
lists = [{ name = "news" }]
applications = [{ secret = "acme", tenant = "acme" }, { secret = "beta", tenant = "beta" }]
"#;

fn serving() -> Mailwright {
    let setup = Setup::new();
    let server = Mailwright::prepare(&setup);
    for name in ["links", "acme", "beta"] {
        private(server.dir(), name, &format!("the secret of {name}, long enough"));
    }
    server.configure(&setup.table(&SERVER.replace("KEYS", &server.dir().display().to_string())));
    server.begin(&[])
}

const APPLICATION: &str = r#"
import http.client, re
def ask(who, method, path, body=None):
    c = http.client.HTTPConnection(HOST, PORT, timeout=60)
    c.request(method, "/p/unsubscribe/v1/" + path, body, {"Authorization": "Bearer the secret of %s, long enough" % who})
    r = c.getresponse()
    return r.status, r.read().decode(), r
def said(who, method, path, body=None):
    return ask(who, method, path, body)[:2]
"#;

fn application(server: &Mailwright, script: &str) -> String {
    python(server.address_of("web"), &format!("{APPLICATION}\n{script}"))
}

fn suppression(server: &Mailwright, words: &[&str]) -> String {
    let told = server.cli(&[&["suppression"], words].concat());
    lossy(&told.stdout) + &lossy(&told.stderr)
}

#[test]
fn a_list_of_thousands_goes_in_and_out_page_by_page() {
    let server = serving();
    let script = r#"
rows = ["reader%04d@Mail%d.example,complaint" % (n, n % 7) for n in range(2500)]
for at in range(0, 2500, 1250):
    assert said("acme", "POST", "news", "address,reason\n" + "\n".join(rows[at:at + 1250])) == (200, "added 1250 of 1250\n")
assert said("acme", "POST", "news", "\n".join(rows[:3])) == (200, "added 0 of 3\n")
found, path = [], "news?limit=1000"
while path:
    status, text, r = ask("acme", "GET", path)
    assert status == 200 and r.getheader("Content-Type").startswith("text/csv"), (status, text)
    lines = text.split("\r\n")
    assert lines[0] == "address,reason,since,by" and lines[-1] == "", lines
    found += lines[1:-1]
    link = r.getheader("Link")
    path = "news" + re.fullmatch('<([^>]*)>; rel="next"', link).group(1) if link else None
assert len(found) == 2500 and found[0].startswith("reader0000@mail0.example,complaint,20"), (len(found), found[:2])
assert found[0].endswith(",plugin:unsubscribe"), found[0]
status, text, r = ask("acme", "GET", "news?containing=9@MAIL3&limit=7")
assert (status, text.count("\r\n"), r.getheader("Link") is not None) == (200, 8, True), text
# Another tenant's secret opens another tenant's lists.
assert said("beta", "GET", "news") == (200, "address,reason,since,by\r\n")
assert said("beta", "DELETE", "news/reader0000%40mail0.example")[0] == 404
assert said("nobody", "GET", "news")[0] == 401
assert said("acme", "GET", "other")[0] == 404
status, words = said("acme", "POST", "news", "new@x.example\nbroken\n")
assert (status, words) == (400, 'line 2: "broken" is no address\n'), words
assert said("acme", "GET", "news/new%40x.example")[0] == 404, "all or nothing"
assert said("acme", "DELETE", "news/READER0000%40mail0.example")[0] == 204
print("done")
"#;
    assert_eq!(application(&server, script).trim(), "done");
    let of_acme = ["--scope", "news", "--tenant", "acme"];
    let exported = suppression(&server, &[&["export"][..], &of_acme].concat());
    assert_eq!(exported.lines().count(), 2500, "a heading, and one less than there were");
    assert!(server.events("plugin-fault").is_empty());
}

#[test]
fn operators_search_what_programs_wrote_and_programs_see_what_operators_did() {
    let server = serving();
    let script =
        "assert said('acme', 'POST', 'everything', 'ann@one.example\\nbob@two.example,unsubscribe\\n')[0] == 200";
    assert_eq!(application(&server, script), "");
    let of_acme = ["--scope", "everything", "--tenant", "acme"];
    let search = |text: &str| suppression(&server, &[&["search"][..], &of_acme, &[text]].concat());
    assert!(search("TWO.ex").starts_with("bob@two.example  unsubscribe  since "), "{}", search("TWO.ex"));
    assert_eq!((search("@").lines().count(), search("three").as_str()), (2, ""));
    let found = suppression(&server, &[&["search"][..], &of_acme, &["--json", "ann"]].concat());
    assert!(found.contains("\"address\":\"ann@one.example\""), "{found}");
    let _ = suppression(&server, &[&["remove"][..], &of_acme, &["ann@one.example"]].concat());
    let _ = suppression(&server, &[&["add"][..], &of_acme, &["cy@three.example"]].concat());
    let script = "status, text = said('acme', 'GET', 'everything')\nprint(text)";
    let text = application(&server, script);
    assert!(
        text.contains("cy@three.example,manual,") && text.contains(",operator") && !text.contains("ann@"),
        "{text}"
    );
}
