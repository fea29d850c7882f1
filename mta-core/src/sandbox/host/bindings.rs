//! The contract's types and traits, generated from `plugin-sdk/wit/plugin.wit`.
//!
//! The world here is what this version offers. An interface of the contract that is missing here can't be granted.

#![allow(missing_docs, reason = "generated; the words are in wit/plugin.wit")]
#![allow(unreachable_pub, unused_qualifications, reason = "generated")]
#![allow(clippy::all, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../plugin-sdk/wit",
    inline: "
        package mailwright:host;
        world offered {
            import mailwright:plugin/types@0.1.0;
            import mailwright:plugin/session@0.1.0;
            import mailwright:plugin/message@0.1.0;
            import mailwright:plugin/patterns@0.1.0;
            import mailwright:plugin/setup@0.1.0;
            import mailwright:plugin/delivery@0.1.0;
            import mailwright:plugin/log@0.1.0;
            import mailwright:plugin/metrics@0.1.0;
            import mailwright:plugin/clock@0.1.0;
            import mailwright:plugin/kv@0.1.0;
            import mailwright:plugin/random@0.1.0;
            import mailwright:plugin/secrets@0.1.0;
            import mailwright:plugin/suppression@0.1.0;
            import mailwright:plugin/tenants@0.1.0;
            import mailwright:plugin/tables@0.1.0;
            import mailwright:plugin/dns@0.1.0;
            import mailwright:plugin/http@0.1.0;
            import mailwright:plugin/submit@0.1.0;
            export mailwright:plugin/lifecycle@0.1.0;
            export mailwright:plugin/on-connect@0.1.0;
            export mailwright:plugin/on-helo@0.1.0;
            export mailwright:plugin/on-auth@0.1.0;
            export mailwright:plugin/on-password@0.1.0;
            export mailwright:plugin/on-mail@0.1.0;
            export mailwright:plugin/on-rcpt@0.1.0;
            export mailwright:plugin/on-data@0.1.0;
            export mailwright:plugin/on-route@0.1.0;
            export mailwright:plugin/on-pre-send@0.1.0;
            export mailwright:plugin/on-outcome@0.1.0;
            export mailwright:plugin/on-feedback@0.1.0;
            export mailwright:plugin/on-http@0.1.0;
            export mailwright:plugin/on-tick@0.1.0;
            export mailwright:plugin/on-disconnect@0.1.0;
        }
    ",
    world: "offered",
    // Those of message may read from a disk, those of dns, http and submit wait for others; the rest answers from memory.
    imports: {
        "mailwright:plugin/message.read": async,
        "mailwright:plugin/message.find": async,
        "mailwright:plugin/message.matches": async,
        "mailwright:plugin/message.matches-part": async,
        "mailwright:plugin/message.filenames": async,
        "mailwright:plugin/message.parts": async,
        "mailwright:plugin/message.read-part": async,
        "mailwright:plugin/message.copy-body": async,
        "mailwright:plugin/dns.a": async,
        "mailwright:plugin/dns.aaaa": async,
        "mailwright:plugin/dns.txt": async,
        "mailwright:plugin/dns.mx": async,
        "mailwright:plugin/dns.ptr": async,
        "mailwright:plugin/dns.dnsbl": async,
        "mailwright:plugin/dns.spf": async,
        "mailwright:plugin/http.fetch": async,
        "mailwright:plugin/submit.send": async,
        // They wait for the disk.
        "mailwright:plugin/suppression.add": async,
        "mailwright:plugin/suppression.remove": async,
        "mailwright:plugin/suppression.add-all": async,
        // The system may have no randomness.
        "mailwright:plugin/random.bytes": trappable,
    },
    exports: { default: async },
    require_store_data_send: true,
});

/// The functions that are `async` above, as `interface.function`: a guest that has one waits in it.
const WAITING: [&str; 19] = [
    "message.read",
    "message.find",
    "message.matches",
    "message.matches-part",
    "message.filenames",
    "message.parts",
    "message.read-part",
    "message.copy-body",
    "dns.a",
    "dns.aaaa",
    "dns.txt",
    "dns.mx",
    "dns.ptr",
    "dns.dnsbl",
    "dns.spf",
    "http.fetch",
    "submit.send",
    "suppression.add",
    "suppression.remove",
    "suppression.add-all",
];

/// Whether a function of an interface that a component imports may wait for others.
pub(crate) fn waits(import: &str, function: &str) -> bool {
    let name = import.strip_prefix("mailwright:plugin/").and_then(|import| import.split('@').next());
    name.is_some_and(|name| WAITING.iter().any(|waiting| waiting.split_once('.') == Some((name, function))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_what_the_bindings_say() {
        let lines = include_str!("bindings.rs").lines().filter_map(|line| line.trim().strip_suffix("\": async,"));
        let said: Vec<&str> = lines.filter_map(|line| line.strip_prefix("\"mailwright:plugin/")).collect();
        assert_eq!(said, WAITING);
        assert!(waits("mailwright:plugin/dns@0.1.0", "mx"));
        assert!(!waits("mailwright:plugin/message@0.1.0", "header") && !waits("wasi:http/dns@0.2.0", "mx"));
    }
}
