//! The imports of the contract, generated from `wit/plugin.wit`.
//!
//! Declaring an import costs nothing: the linker drops what a plugin does not call, and the component then imports
//! only what is left.

#![allow(missing_docs, reason = "generated; the words are in wit/plugin.wit")]
#![allow(dead_code, reason = "generated for every capability; a native build calls the stand-ins instead")]
#![allow(unreachable_pub, unused_qualifications, reason = "generated")]
#![allow(unsafe_code, reason = "generated: the calls across the component boundary")]

wit_bindgen::generate!({
    path: "wit",
    inline: "
        package mailwright:sdk;
        world uses {
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
        }
    ",
    world: "uses",
    generate_all,
    generate_unused_types: true,
    additional_derives: [PartialEq],
});
