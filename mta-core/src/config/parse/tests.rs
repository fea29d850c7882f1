//! What good files give, and the words that bad ones get.

use super::*;
use crate::base::event::Level;
use crate::base::flow::attempt::NextHop;
use crate::base::flow::policy::Hook;
use crate::config::model::auth::AuthOffer;
use crate::config::model::{Engine, LogFormat, Mode, OnFailure, PluginSource};
use proptest::prelude::*;
use std::path::Path;
use std::time::Duration;

const LEAST: &str = r#"
hostname = "mx.example.test"
data_dir = "var"
[[listener]]
name = "mx"
bind = "127.0.0.1:2525"
"#;

fn read(rest: &str) -> Result<Config, String> {
    parse("mx.toml", &format!("{LEAST}{rest}"), &[]).map_err(|problems| problems.to_string())
}

/// What is wrong with LEAST and these lines behind it; line 7 is the first of them.
fn wrong(rest: &str) -> String {
    read(rest).expect_err("this is wrong")
}

fn with_set(set: &str) -> Result<Config, String> {
    parse("mx.toml", LEAST, &[set.to_owned()]).map_err(|problems| problems.to_string())
}

#[test]
fn the_contract_of_the_keys_holds() {
    let config = read(
        r#"
[[http]]
name = "web"
bind = "127.0.0.1:8080"
trusted_proxies = ["127.0.0.1"]
body_bytes_max = "1MiB"
[relay]
networks = ["127.0.0.0/8", "::1"]
domains = ["example.test", "*.Bücher.example"]
[[route]]
to = "local.test"
maildir = "mail"
[[route]]
to = "*"
smarthost = "127.0.0.1:2526"
[delivery]
paused = true
timeouts = { connect = "5s" }
[queue]
retry = ["1m", "1h30m"]
delay_notice = "never"
[storage]
engine = "danger_memory"
free_bytes_min = 0
cache_bytes = "16MiB"
[limits]
sessions_max = 20_000
[[plugin]]
name = "hello"
source = "builtin:hello"
allow = ["log", "kv:seen"]
edit = ["headers"]
config = { header = "X-Hello", since = 2026-01-02, deep = [{ a = 1.5 }] }
on_failure = { default = "closed", connect = "open" }
budget = { cpu_envelope = "20ms", memory_bytes_max = "32MiB" }
submit = { messages_per_minute_max = 5 }
[log]
format = "json"
level = "debug"
"#,
    )
    .expect("a good file");
    assert_eq!((&*config.hostname, config.data_dir.as_path()), ("mx.example.test", Path::new("var")));
    assert_eq!(config.listeners[0].bind, "127.0.0.1:2525".parse().unwrap());
    let http = &config.http[0];
    assert_eq!((&*http.name, http.bind.port(), http.body_bytes_max, http.connections_max), ("web", 8080, 1 << 20, 512));
    assert!(http.trusted_proxies[0].contains("127.0.0.1".parse().unwrap()));
    assert!(config.relay.networks[1].contains("::1".parse().unwrap()));
    assert!(config.relay.domains[1].matches(&crate::base::mail::domain::Domain::Name("a.bücher.example".into())));
    assert_eq!(config.routes[0].via, NextHop::Maildir("var/mail".into()));
    assert_eq!(config.routes[1].via.to_string(), "smtp:127.0.0.1:2526");
    assert!(config.delivery.paused);
    assert_eq!(config.delivery.timeouts.connect, Duration::from_secs(5));
    assert_eq!(config.queue.retry, [Duration::from_secs(60), Duration::from_secs(5400)]);
    assert_eq!((config.queue.delay_notice, config.storage.engine), (None, Engine::Memory));
    assert_eq!((config.storage.cache_bytes, config.limits.sessions_max), (16 << 20, 20_000));
    let plugin = &config.plugins[0];
    assert_eq!(plugin.source, PluginSource::Builtin("hello".into()));
    assert_eq!(plugin.config_json, r#"{"deep":[{"a":1.5}],"header":"X-Hello","since":"2026-01-02"}"#);
    assert_eq!(plugin.on_failure, OnFailure::Closed);
    assert_eq!(plugin.on_failure_by_hook.get("connect"), Some(&OnFailure::Open));
    assert_eq!((plugin.submit.messages_per_minute_max, plugin.submit.outstanding_max), (5, 1000));
    assert_eq!(
        (plugin.budget.cpu_envelope, plugin.budget.memory_bytes_max),
        (Duration::from_millis(20), Some(32 << 20))
    );
    assert_eq!((config.log.format, config.log.level), (LogFormat::Json, Level::Debug));
}

#[test]
fn the_least_file_takes_every_default() {
    let config = read("").expect("a good file");
    assert_eq!(config.limits.message_bytes_max, 50 << 20);
    assert!(config.relay.networks.is_empty() && config.relay.domains.is_empty(), "no open relay by default");
}

#[test]
fn every_problem_of_a_file_is_told_at_once_in_its_order() {
    let text =
        "hostnam = \"mx\"\n[relay]\nnetwroks = []\ndomains = [\"@example.test\", 5]\n[limits]\nsessions_max = 0\n";
    let problems = parse("bad.toml", text, &["queue.retry=[]".to_owned()]).expect_err("this is wrong").to_string();
    assert_eq!(
        problems,
        "\
bad.toml:1:1: data_dir: missing: expected the directory of the spool, as \"/var/lib/mailwright\"
bad.toml:1:1: hostnam: unknown key; did you mean `hostname`?
bad.toml:1:1: hostname: missing: expected this server's full host name, as \"mx.example.org\"
bad.toml:1:1: listener: missing: expected at least one [[listener]] with name and bind
bad.toml:3:1: relay.netwroks: unknown key; did you mean `networks`?
bad.toml:4:12: relay.domains.0: expected a domain, as \"example.org\", \"*.example.org\" or \"*\", \
found \"@example.test\"; did you mean \"example.test\"?
bad.toml:4:29: relay.domains.1: expected a domain, as \"example.org\", \"*.example.org\" or \"*\", found 5
bad.toml:6:16: limits.sessions_max: expected an integer from 1 to 1000000, found 0
--set queue.retry=[]: queue.retry: expected at least one wait, as [\"1m\"]"
    );
}

/// Lines behind LEAST, and a part of what they get.
const WRONG_VALUES: &[(&str, &str)] = &[
    ("[limits]\nmessage_bytes_max = \"64MB\"", "did you mean \"64MiB\"?"),
    (
        "[limits]\nmessage_bytes_max = 1",
        "expected a size from 64KiB to 4GiB (an integer in bytes, or text as \"64MiB\"), found 1",
    ),
    ("[limits]\nrecipients_per_message_max = 99", "expected an integer from 100 to 100000, found 99"),
    (
        "[limits]\nsessions_max = 99999999999999999999999999999999999999999",
        "expected an integer from 1 to 1000000, found 9999",
    ),
    (
        "[limits]\ncommand_idle = 60",
        "mx.toml:8:16: limits.command_idle: expected a duration from \"1s\" to \"1d\", with its unit (ms, s, m, h, d), found 60; did you mean \"60s\"?",
    ),
    (
        "[queue]\nretry = [\"5min\"]",
        "queue.retry.0: expected a duration from \"1s\" to \"30d\", with its unit (ms, s, m, h, d), found \"5min\"; did you mean \"5m\"?",
    ),
    (
        "[[http]]\nname = \"web\"",
        "mx.toml:7:1: http.0.bind: missing: expected an address with its port, as \"127.0.0.1:8080\"",
    ),
    (
        "[[http]]\nname = \"web\"\nbind = \"127.0.0.1:1\"\nhead_bytes_max = 100",
        "http.0.head_bytes_max: expected a size from 8KiB to 1MiB",
    ),
    ("[queue]\nage_max = \"1w\"", "queue.age_max: expected a duration"),
    (
        "[queue]\ndelay_notice = \"5d\"",
        "mx.toml:8:16: queue.delay_notice: expected less than queue.age_max, which is \"5d\", or \"never\": at that age mail bounces",
    ),
    (
        "[relay]\nnetworks = [\"192.0.2.1/24\"]",
        "found \"192.0.2.1/24\"; it has bits behind the prefix: did you mean \"192.0.2.0/24\"?",
    ),
    ("[relay]\nnetworks = [\"::ffff:192.0.2.0/120\"]", "did you mean \"192.0.2.0/24\"?"),
    ("[relay]\nnetworks = [\"10.0.0.0/33\"]", "the prefix of such a network is at most 32"),
    ("[relay]\nnetworks = \"10.0.0.0/8\"", "relay.networks: expected a list of networks, found \"10.0.0.0/8\""),
    ("[[route]]\nto = \"*\"", "mx.toml:7:1: route.0: expected exactly one of smarthost, lmtp and maildir"),
    (
        "[[route]]\nto = \"*\"\nlmtp = \"[::1]:24\"\nmaildir = \"m\"",
        "route.0: expected exactly one of smarthost, lmtp and maildir, found lmtp and maildir",
    ),
    (
        "[[route]]\nto = \"*\"\nsmarthost = \"relay.example.org\"",
        "the port is missing: did you mean \"relay.example.org:25\"?",
    ),
    ("[[route]]\nto = \"*\"\nsmarthost = \"::1\"", "the port is missing: did you mean \"[::1]:25\"?"),
    ("[[route]]\nto = \"*\"\nsmarthost = \"a:99999\"", "a port is a number from 1 to 65535"),
    ("[[route]]\nsmarthost = \"a:25\"", "mx.toml:7:1: route.0.to: missing: expected a domain"),
    ("[[listener]]\nname = \"mx\"\nbind = \"localhost:25\"", "did you mean \"127.0.0.1:25\"?"),
    (
        "[[listener]]\nname = \"mx\"\nbind = \":25\"",
        "mx.toml:8:8: listener.1.name: expected a name of its own for each [[listener]], but \"mx\" is there twice",
    ),
    ("[relay]\ndomains = [\"*.[192.0.2.1]\"]", "an address has no subdomains"),
    ("[relay]\ndomains = [\"a..b\"]", "found \"a..b\"; a domain"),
    ("[[listener]]\nname = \"b\"", "listener.1.bind: missing"),
    ("[listner]\n", "listner: unknown key; did you mean `listener`?"),
    ("[delivery]\nsessions_max = 5", "delivery.sessions_max: unknown key; it belongs in [limits]"),
    ("[log]\ncolour = true", "log.colour: unknown key; expected `format`, `level`, `output` or `addresses`"),
    ("[log]\nlevel = \"inof\"", "expected `error`, `warn`, `info` or `debug`, found \"inof\"; did you mean \"info\"?"),
    ("[delivery]\npaused = \"yes\"", "delivery.paused: expected true or false, found \"yes\""),
    ("[storage]\nengine = \"memory\"", "expected `sled` or `danger_memory`, found \"memory\""),
    ("[[plugin]]\nname = \"a\"\nsource = \"hello\"", "did you mean \"builtin:hello\"?"),
    ("[[plugin]]\nname = \"a\"\nsource = \"x.wasm\"\nallow = [\"kv\"]", "name the bucket: \"kv:NAME\""),
    ("[[plugin]]\nname = \"a\"\nsource = \"x.wasm\"\nallow = [\"hmac\"]", "name the secret: \"hmac:NAME\""),
    (
        "[[secret]]\nname = \"key\"\nenv = \"KEY\"\n[[plugin]]\nname = \"a\"\nsource = \"x.wasm\"\nallow = [\"log\", \"secrets:kye\"]",
        "mx.toml:13:17: plugin.0.allow.1: expected the name of a [[secret]], found \"kye\"; did you mean \"key\"?",
    ),
    (
        "[[plugin]]\nname = \"a\"\nsource = \"x.wasm\"\nallow = [\"hmac:key\"]",
        "plugin.0.allow.0: expected the name of a [[secret]], found \"key\"; there is no [[secret]] of that name",
    ),
    (
        "[[plugin]]\nname = \"a\"\nsource = \"x.wasm\"\nallow = [\"http:*.example.org\"]",
        "found \"http:*.example.org\"; it is no host",
    ),
    ("[[plugin]]\nname = \"a\"\nsource = \"x.wasm\"\nallow = [\"http\"]", "name the host: \"http:api.example.org\""),
    (
        "[[plugin]]\nname = \"a\"\nsource = \"x.wasm\"\nallow = [\"http-network:10.0.0.1/8\"]",
        "did you mean \"10.0.0.0/8\"?",
    ),
    ("[[table]]\nname = \"a\"", "mx.toml:7:1: table.0.file: missing: expected the path of a file"),
    (
        "[[table]]\nname = \"vips\"\nfile = \"v\"\n[[plugin]]\nname = \"a\"\nsource = \"x.wasm\"\nallow = [\"tables:vip\"]",
        "expected the name of a [[table]], found \"vip\"; did you mean \"vips\"?",
    ),
    (
        "[feedback]\nsenders = [\"a.example\"]",
        "mx.toml:7:1: feedback.domain: missing: expected a domain whose exchanger",
    ),
    ("[feedback]\ndomain = \"[192.0.2.1]\"", "found \"[192.0.2.1]\"; an address is no domain of its own"),
    (
        "[feedback]\ndomain = \"b.example\"\nreports = [\"fbl@b.example\"]",
        "feedback.reports.0: expected a local part, as \"fbl\", found \"fbl@b.example\"; did you mean \"fbl\"?",
    ),
    (
        "[feedback]\ndomain = \"b.example\"\nage_max = \"1h\"",
        "feedback.age_max: expected a duration from \"1d\" to \"3650d\"",
    ),
    ("[[secret]]\nname = \"a\"", "mx.toml:7:1: secret.0: expected exactly one of file and env"),
    ("[[secret]]\nname = \"a\"\nfile = \"f\"\nenv = \"E\"", "expected exactly one of file and env, found both"),
    ("[[secret]]\nname = \"a b\"\nenv = \"E\"", "secret.0.name: expected a name of letters, digits, - and _"),
    ("[[secret]]\nname = \"a\"\nenv = \"A=B\"", "secret.0.env: expected the name of an environment variable"),
    ("[[plugin]]\nname = \"a\"\nsource = \"x.wasm\"\nallow = [\"lgo\"]", "did you mean \"log\"?"),
    (
        "[[plugin]]\nname = \"a\"\nsource = \"x.wasm\"\non_failure = { conect = \"open\" }",
        "plugin.0.on_failure.conect: unknown key; did you mean `connect`?",
    ),
    (
        "[[plugin]]\nname = \"a\"\nsource = \"x.wasm\"\non_failure = \"opn\"",
        "expected `tempfail`, `open` or `closed`, found \"opn\"; did you mean \"open\"?",
    ),
    (
        "[[plugin]]\nname = \"a\"\nsource = \"x.wasm\"\nconfig = { a = [nan] }",
        "plugin.0.config.a.0: expected a number that JSON can say",
    ),
    (
        "[[plugin]]\nname = \"a\"\nsource = \"x.wasm\"\n[[plugin]]\nname = \"a\"\nsource = \"y.wasm\"",
        "plugin.1.name: expected a name of its own",
    ),
    (
        "[[plugin]]\nname = \"a\"\nsource = \"x.wasm\"\nbudget = { wall = \"2m\" }",
        "expected a duration from \"1ms\" to \"1m\", with its unit (ms, s, m, h, d), found \"2m\"",
    ),
    (
        "[[plugin]]\nname = \"a\"\nsource = \"x.wasm\"\nmode = \"canary\"",
        "plugin.0.mode: expected \"full\", \"shadow\", or a share of the transactions as { canary = 5 }, found \"canary\"; \
         say its share: { canary = 5 }",
    ),
    (
        "[[plugin]]\nname = \"a\"\nsource = \"x.wasm\"\nmode = { canary = 101 }",
        "plugin.0.mode.canary: expected an integer from 0 to 100, found 101",
    ),
    (
        "[[plugin]]\nname = \"a\"\nsource = \"x.wasm\"\nmode = \"shadow\"\nof = \"b\"",
        "plugin.0.of: expected the name of another [[plugin]], found \"b\"; there is none of that name",
    ),
    (
        "[[plugin]]\nname = \"a\"\nsource = \"x.wasm\"\nmode = \"shadow\"\nof = \"a\"",
        "plugin.0.of: \"a\" is a shadow or a canary itself: name a plugin that is asked in full",
    ),
    (
        "[[plugin]]\nname = \"a\"\nsource = \"x.wasm\"\n[[plugin]]\nname = \"b\"\nsource = \"y.wasm\"\nof = \"a\"",
        "plugin.1.of: it is for a shadow and a canary",
    ),
];

#[test]
fn a_canary_and_a_shadow_say_whom_they_stand_against() {
    let plugins = "[[plugin]]\nname = \"a\"\nsource = \"x.wasm\"\n[[plugin]]\nname = \"b\"\nsource = \"y.wasm\"\n\
        mode = { canary = 5 }\nof = \"a\"\n[[plugin]]\nname = \"c\"\nsource = \"y.wasm\"\nmode = \"shadow\"\n";
    let config = read(plugins).expect("a good file");
    let modes: Vec<_> = config.plugins.iter().map(|plugin| (plugin.mode, plugin.of.as_deref())).collect();
    assert_eq!(modes, [(Mode::Full, None), (Mode::Canary(5), Some("a")), (Mode::Shadow, None)]);
}

#[test]
fn wrong_values_are_told_with_their_mend() {
    for (text, wanted) in WRONG_VALUES {
        let problems = wrong(text);
        assert!(problems.contains(wanted), "{text}\ngave\n{problems}\nwithout\n{wanted}");
    }
}

#[test]
fn a_file_that_is_not_toml_is_told_where() {
    assert_eq!(wrong("[relay\n"), "mx.toml:7:7: this is not TOML: unclosed table, expected `]`");
    assert!(wrong("[relay]\nnetworks = []\nnetworks = []").starts_with("mx.toml:9:1: this is not TOML: duplicate key"));
}

#[test]
fn host_names_follow_rfc5321_2_3_5() {
    for good in ["mx", "mx.example.org", "xn--bcher-kva.example", "3com.example"] {
        assert!(with_set(&format!("hostname={good}")).is_ok(), "{good}");
    }
    for bad in ["", "a..b", "-a.b", "a-.b", "192.0.2.1", "a b", "[::1]"] {
        assert!(with_set(&format!("hostname={bad}")).is_err(), "{bad}");
    }
    let mended = with_set("hostname=bücher.example").expect_err("not ASCII");
    assert!(mended.ends_with("did you mean \"xn--bcher-kva.example\"?"), "{mended}");
}

#[test]
fn the_command_line_overrides_the_file() {
    let config = with_set("delivery.paused=true").expect("good");
    assert!(config.delivery.paused);
    assert_eq!(&*with_set("hostname=other.example").expect("bare text").hostname, "other.example");
    let by_name = with_set("listener.mx.bind=\"[::1]:25\"").expect("an entry by its name");
    assert_eq!(by_name.listeners[0].bind, "[::1]:25".parse().unwrap());
    assert_eq!(with_set("listener.0.bind=[::1]:26").expect("an entry by its number").listeners[0].bind.port(), 26);
}

#[test]
fn a_wrong_override_names_itself() {
    let told = |set: &str| with_set(set).expect_err("this is wrong");
    assert_eq!(
        told("delivery.pausd=true"),
        "--set delivery.pausd=true: delivery.pausd: unknown key; did you mean `paused`?"
    );
    assert_eq!(
        told("delivery.paused=no"),
        "--set delivery.paused=no: delivery.paused: expected true or false, found \"no\""
    );
    assert_eq!(told("delivery.paused"), "--set delivery.paused: expected key=value, as delivery.paused=true");
    assert_eq!(told("hostname.x=1"), "--set hostname.x=1: hostname.x: a string has no keys below it");
    assert!(told("listener.smtp.bind=1").contains("listener.smtp: no such entry: expected the name or the number"));
    assert!(told("=1").contains("expected a key before `=`"));
    assert!(!told("hostname=a\nb").contains('\n'), "one line a problem");
}

#[test]
fn every_key_is_on_the_reference_page() {
    let page = include_str!("../../../../docs/configuration.md");
    for key in keys() {
        let name = key.rsplit('.').next().unwrap_or(&key);
        let section = key.strip_suffix(name).unwrap_or("").trim_end_matches('.');
        let heading = if section.is_empty() { "\n## At the top\n".to_owned() } else { format!("\n## `{section}`\n") };
        let from = page.find(&heading).unwrap_or_else(|| panic!("no heading for {section}"));
        let rest = &page[from + 1..];
        let part = rest.find("\n## `").map_or(rest, |end| &rest[..end]);
        assert!(part.contains(&format!("| `{name}` |")), "{key} is not in its section of docs/configuration.md");
    }
}

#[test]
fn the_defaults_on_the_reference_page_are_the_real_ones() {
    let page = include_str!("../../../../docs/configuration.md");
    let http = "[[http]]\nname = \"web\"\nbind = \"127.0.0.1:8080\"\n";
    let feedback = "[feedback]\ndomain = \"bounces.example\"\n";
    let report = "[report]\naddress = \"dmarc@example.org\"\n";
    let srs = "[srs]\ndomain = \"srs.example\"\n";
    let route = "[[route]]\nname = \"r\"\nsmarthost = \"192.0.2.1:25\"\n";
    let acme = "[acme]\ndirectory = \"https://ca.example/dir\"\nnames = [\"mx.example\"]\naccept_terms = true\n";
    let oauth = "[auth.oauth]\njwks_url = \"https://a.b/\"\nissuer = \"a\"\naudience = \"b\"\n";
    let plugin = "[[plugin]]\nname = \"p\"\nsource = \"builtin:hello\"\n";
    let plain = [LEAST, http, feedback, report, srs, route, acme, oauth, plugin].concat();
    let as_set = |sets: &[String]| format!("{:?}", parse("f", &plain, sets).map_err(|problems| problems.to_string()));
    let (mut section, mut tried) = (String::new(), 0);
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading
                .trim_matches('`')
                .replace("plugin", "plugin.p")
                .replace("listener", "listener.mx")
                .replace("route", "route.r");
            if section == "http" {
                section += ".web";
            }
        }
        let cells: Vec<&str> = line.split(" | ").collect();
        if let [key, default, _] = cells.as_slice()
            && default.starts_with('`')
            && *default != "`default`"
        {
            let set = format!("{section}.{}={}", key.trim_matches(['|', ' ', '`']), default.trim_matches('`'));
            assert_eq!(as_set(std::slice::from_ref(&set)), as_set(&[]), "{set}");
            tried += 1;
        }
    }
    assert!(tried > 50, "only {tried} defaults are on the page");
}

proptest! {
    #[test]
    fn no_input_panics(text in any::<String>(), set in any::<String>()) {
        let _ = parse("f", &text, &[set]);
    }

    #[test]
    fn no_spoilt_file_panics(from in 0..2000_usize, cut in 0..40_usize, instead in "[\\[\\]{}\"'=.,#0-9a-z \n-]{0,20}") {
        let mut spoilt: Vec<char> = include_str!("../../../../config/dev.toml").chars().collect();
        let from = from.min(spoilt.len());
        let to = spoilt.len().min(from + cut);
        spoilt.splice(from..to, instead.chars());
        if let Err(problems) = parse("f", &spoilt.into_iter().collect::<String>(), &[]) {
            prop_assert!(problems.to_string().lines().all(|line| line.starts_with("f:")), "{}", problems);
        }
    }

    #[test]
    fn no_value_of_any_key_panics(index in 0..keys().len(), value in any::<String>()) {
        let key = keys()[index].clone();
        let key = ["listener", "route", "plugin"].iter().fold(key, |key, list| key.replace(&format!("{list}."), &format!("{list}.0.")));
        let text = format!("{LEAST}[[route]]\n[[plugin]]\n");
        let bare = parse("f", &text, &[format!("{key}={value}")]);
        prop_assert!(bare.is_err(), "the route has no way out");
        let _ = parse("f", &text, &[format!("{key}=[{value:?}, -1, [], {{}}]")]);
    }

    #[test]
    fn durations_are_shown_as_they_are_read(millis in 1..10_000_000_000_u64) {
        let time = Duration::from_millis(millis);
        prop_assert_eq!(scalar::duration(&scalar::shown_duration(time)), Ok(time));
    }

    #[test]
    fn a_network_is_refused_or_holds_its_own_address(a: [u8; 4], prefix in 0..=32_u8) {
        let address = std::net::IpAddr::from(a);
        match scalar::network(&format!("{address}/{prefix}")) {
            Ok(network) => prop_assert!(network.contains(address) && network.base == address),
            Err(mend) => {
                let mended = mend.split('"').nth(1).unwrap_or("");
                prop_assert!(scalar::network(mended).is_ok_and(|network| network.contains(address)), "{}", mend);
            }
        }
    }
}

#[test]
fn tenants_and_those_who_name_them_agree() {
    let config = read(
        r#"
[[tenant]]
name = "acme"
listeners = ["mx"]
domains = ["acme.example"]
[[plugin]]
name = "hello"
source = "builtin:hello"
hooks = ["on-rcpt", "data"]
listeners = ["mx"]
tenants = ["acme"]
"#,
    )
    .expect("it is sound");
    let plugin = &config.plugins[0];
    assert_eq!((&*plugin.hooks, &*plugin.tenants), (&[Hook::Rcpt, Hook::Data][..], &["acme".into()][..]));
    assert_eq!(config.tenants[0].listeners, ["mx".into()]);

    let told = wrong("[[tenant]]\nname = \"acme\"\n");
    assert!(told.contains("expected at least one of listeners, networks and domains"), "{told}");
    let told = wrong("[[tenant]]\nname = \"acme\"\nlisteners = [\"m\"]\n");
    assert!(
        told.contains("mx.toml:9")
            && told.contains("\"m\" is no listener: expected names of those that are there (mx)"),
        "{told}"
    );
    let told = wrong("[[plugin]]\nname = \"p\"\nsource = \"builtin:hello\"\ntenants = [\"acme\"]\n");
    assert!(told.contains("mx.toml:10") && told.contains("there is none"), "{told}");
    let told = wrong("[[plugin]]\nname = \"p\"\nsource = \"builtin:hello\"\nhooks = [\"rcp\"]\n");
    assert!(told.contains("expected a hook") && told.contains("rcpt"), "{told}");
}

#[test]
fn nothing_is_offered_that_nobody_could_use() {
    let users = "[auth]\nusers = \"users\"\n";
    let config =
        read(&format!("auth = \"danger_plaintext\"\n{users}[[tenant]]\nname = \"acme\"\n")).expect("it is sound");
    assert_eq!(config.listeners[0].auth, AuthOffer::DangerPlaintext);
    let told = wrong("auth = \"danger_plaintext\"\n");
    assert!(told.contains("mx.toml:7") && told.contains("expected auth.users"), "{told}");
    let told = wrong("auth = \"plaintext\"\n");
    assert!(told.contains("expected `off`, `private` or `danger_plaintext`"), "{told}");
    let told = wrong("[auth]\nusers = \"\"\nfailures_max = 0\n");
    assert!(
        told.contains("auth.users: expected the path of the file of users") && told.contains("auth.failures_max"),
        "{told}"
    );
}
