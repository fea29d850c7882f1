//! Who may authenticate, as the file says it, and what is wrong with that.

use crate::config::model::Config;
use crate::config::model::auth::oauth::{Algorithm, TokenCheck};
use crate::config::parse::parse;
use std::time::Duration;

const HEAD: &str = "hostname = \"mx.example.org\"\ndata_dir = \"var\"\n\
                    listener = [{ name = \"mx\", bind = \"127.0.0.1:25\" }]\nsecret = [{ name = \"pass\", env = \"X\" }]\n";

fn read(text: &str) -> Result<Config, String> {
    parse("f", &format!("{HEAD}{text}"), &[]).map_err(|problems| problems.to_string())
}

fn refused(text: &str) -> String {
    read(text).err().unwrap_or_else(|| panic!("{text} is taken"))
}

const SIGNED: &str = "[auth.oauth]\njwks_url = \"https://a.example/keys\"\nissuer = \"i\"\naudience = \"a\"\n";
const ASKED: &str =
    "[auth.oauth]\nintrospection_url = \"https://a.example/ask\"\nclient_id = \"m\"\nclient_secret = \"pass\"\n";

#[test]
fn tokens_are_signed_or_asked_about() {
    let signed = read(SIGNED).expect("it is sound").auth.oauth.expect("it is there");
    assert_eq!((&*signed.user_claim, signed.users.len(), signed.wait), ("sub", 0, Duration::from_secs(10)));
    let TokenCheck::Signed { algorithms, keys_age_max, .. } = signed.check else { panic!("it is signed") };
    assert_eq!((algorithms, keys_age_max), (Algorithm::USUAL.to_vec(), Duration::from_secs(3600)));
    let asked = read(&format!("{ASKED}users = [\"*@a.example\"]\nbelieved = \"0ms\"")).expect("it is sound");
    let asked = asked.auth.oauth.expect("it is there");
    assert!(matches!(asked.check, TokenCheck::Asked { believed: Duration::ZERO, .. }) && asked.users.len() == 1);
    assert!(read(&SIGNED.replace("https://a.example", "http://[::1]:8080")).is_ok(), "on this machine");
}

#[test]
fn what_is_wrong_with_tokens_is_told() {
    for (text, expected) in [
        ("[auth.oauth]\nissuer = \"i\"".to_owned(), "auth.oauth: expected exactly one of jwks_url"),
        (format!("{SIGNED}introspection_url = \"https://a.example/\""), "found both"),
        (SIGNED.replace("https", "http"), "did you mean https?"),
        (SIGNED.replace("issuer = \"i\"\n", ""), "auth.oauth.issuer: missing: expected what tokens say in `iss`"),
        (SIGNED.replace("audience = \"a\"\n", ""), "auth.oauth.audience: missing"),
        (format!("{SIGNED}algorithms = [\"none\"]"), "it is never believed"),
        (format!("{SIGNED}algorithms = [\"HS256\"]"), "whoever can check such a token could make one"),
        (format!("{SIGNED}algorithms = []"), "with none no token would be believed"),
        (format!("{SIGNED}client_id = \"m\""), "auth.oauth.client_id: expected none: it belongs to introspection_url"),
        (format!("{ASKED}keys_age_max = \"1h\""), "it belongs to jwks_url"),
        (ASKED.replace("\"pass\"", "\"paas\""), "did you mean \"pass\"?"),
        (ASKED.replace("client_id = \"m\"\n", ""), "auth.oauth.client_id: missing"),
        (format!("{SIGNED}users = [\"*example.org\"]"), "auth.oauth.users.0: expected a list of users' names"),
        (format!("{SIGNED}scope = \"a b\""), "expected one word"),
        (format!("{SIGNED}nonce = 1"), "auth.oauth.nonce: unknown key"),
    ] {
        let said = refused(&text);
        assert!(said.contains(expected), "{text}\n{said}");
    }
}

const HTTP: &str = "[auth.http]\nurl = \"https://a.example/check\"\n";
const LDAP: &str = "[auth.ldap]\nurl = \"ldaps://ldap.example\"\nbase = \"dc=x\"\nfilter = \"(mail={user})\"\n";

#[test]
fn others_who_know_passwords_are_named() {
    let auth = read(&format!("{HTTP}secret = \"pass\"")).expect("it is sound").auth;
    assert!(auth.others_know_passwords() && auth.http.is_some_and(|http| http.secret.as_deref() == Some("pass")));
    let server = |url: &str| {
        let ldap = read(&LDAP.replace("ldaps://ldap.example", url)).expect(url).auth.ldap.expect("it is there");
        (ldap.server.secure, ldap.server.port)
    };
    assert_eq!(server("ldaps://ldap.example"), (true, 636));
    assert_eq!(server("LDAPS://ldap.example:1636/"), (true, 1636));
    assert_eq!((server("ldaps://[::1]"), server("ldap://[::1]")), ((true, 636), (false, 389)), "RFC 4516 2");
    assert_eq!(server("ldap://127.0.0.1:443"), (false, 443));
    for (text, expected) in [
        (HTTP.replace("https", "http"), "did you mean https?"),
        ("[auth.http]\nsecret = \"pass\"".to_owned(), "auth.http.url: missing"),
        (format!("{HTTP}secret = \"none\""), "there is no [[secret]] of that name"),
        (LDAP.replace("ldaps", "ldap"), "did you mean ldaps?"),
        (LDAP.replace("ldaps", "https"), "auth.ldap.url: expected a URL"),
        (LDAP.replace("(mail={user})", "(mail=ann)"), "auth.ldap.filter: expected a filter that finds one user"),
        (LDAP.replace("base = \"dc=x\"\n", ""), "auth.ldap.base: missing"),
        (format!("{LDAP}bind_dn = \"cn=a\""), "bind_dn and bind_secret together"),
        (format!("{LDAP}bind_dn = \"cn=a\"\nbind_secret = \"x\""), "auth.ldap.bind_secret: expected the name"),
        (format!("{LDAP}senders_attribute = \"a b\""), "an attribute's name"),
    ] {
        let said = refused(&text);
        assert!(said.contains(expected), "{text}\n{said}");
    }
}

#[test]
fn each_user_is_one_tenants() {
    let tenants = |one: &str, other: &str| {
        read(&format!(
            "{SIGNED}[[tenant]]\nname = \"a\"\nusers = [{one}]\n[[tenant]]\nname = \"b\"\nusers = [{other}]\n"
        ))
    };
    let config = tenants("\"ann@x.example\", \"bob\"", "\"*@x.example\"").expect("the narrower pattern is first");
    assert_eq!(config.tenant_of_user("ann@x.example").map(|name| &**name), Some("a"));
    assert_eq!(config.tenant_of_user("eve@x.example").map(|name| &**name), Some("b"));
    for (one, other) in [("\"*@x.example\"", "\"ann@x.example\""), ("\"bob\"", "\"Bob\""), ("\"*\"", "\"*@x.example\"")]
    {
        let said = tenants(one, other).expect_err("nothing would be the second's").to_string();
        assert!(said.contains("tenant.1.users: ") && said.contains("is the tenant \"a\"'s already"), "{said}");
    }
    // Without anybody who could authenticate, users make no tenant.
    assert!(refused("[[tenant]]\nname = \"a\"\nusers = [\"ann\"]").contains("nothing would be this tenant's"));
}

#[test]
fn a_plugin_that_knows_users_is_there_decides_and_may_be_shown_passwords() {
    let plugin =
        |more: &str| format!("[auth]\nplugin = \"oracle\"\n[[plugin]]\nname = \"oracle\"\nsource = \"a.wasm\"\n{more}");
    let config = read(&plugin("allow = [\"passwords\"]")).expect("it is sound");
    assert!(config.auth.others_know_passwords() && config.plugins[0].knows_users);
    let other =
        read("[[plugin]]\nname = \"oracle\"\nsource = \"a.wasm\"\nallow = [\"passwords\"]").expect("it is sound");
    assert!(!other.auth.knows_anybody() && !other.plugins[0].knows_users, "the grant alone asks nobody");
    for (text, expected) in [
        (plugin(""), "plugin.0.allow: expected \"passwords\" among them"),
        (plugin("allow = [\"password\"]"), "did you mean \"passwords\"?"),
        (plugin("allow = [\"passwords:a\"]"), "did you mean \"passwords\"?"),
        (plugin("allow = [\"passwords\"]\nmode = \"shadow\""), "passwords are shown to no shadow"),
        (plugin("allow = [\"passwords\"]\nmode = { canary = 5 }"), "passwords are shown to no canary"),
        (
            plugin("allow = [\"passwords\"]").replace("plugin = \"oracle\"", "plugin = \"oracel\""),
            "did you mean \"oracle\"?",
        ),
        ("[auth]\nplugin = \"oracle\"".to_owned(), "there is no [[plugin]] of that name"),
        (
            plugin("allow = [\"passwords\"]\non_failure = { password = \"open\" }"),
            "plugin.0.on_failure.password: unknown key",
        ),
    ] {
        let said = refused(&text);
        assert!(said.contains(expected), "{text}\n{said}");
    }
}
