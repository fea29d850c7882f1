//! How mail that leaves looks to others, as guests are told.

use super::super::guests::{ACCEPT, Import, NEXT, expect_octet, guest};
use super::super::stage::{ID, Stage, address, content, envelope};
use super::allowed;
use crate::base::flow::Answer;
use crate::base::flow::policy::standing::{SenderPolicy, Signer, Signers};
use crate::base::flow::policy::verify::Outcome;
use crate::base::flow::policy::{Disposition, Submission};
use crate::base::mail::address::Address;
use crate::config::parse::parse;
use crate::sandbox::Standing;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::watch;

const SIGNERS: Import = ("message", "signers", "(param i32)");
const TLS_TO: Import = ("message", "tls-to", "(param i32 i32 i32)");
const SPF: Import = ("dns", "spf", "(param i32 i32 i32 i32 i32 i32 i32)");

/// Signs for example.org, which allows 192.0.2.1.
struct Example;

impl Signers for Example {
    fn signers(&self, from: &str, _tenant: Option<&str>) -> Vec<Signer> {
        let signer = Signer { domain: "example.org".into(), selector: "s1".into(), algorithm: "ed25519-sha256" };
        if from.contains("@example.org") { vec![signer] } else { Vec::new() }
    }
}

impl SenderPolicy for Example {
    fn spf<'a>(&'a self, ip: IpAddr, sender: &'a Address) -> Answer<'a, Outcome> {
        let is_allowed = ip.to_string() == "192.0.2.1" && *sender == address("a@example.org");
        Box::pin(std::future::ready(if is_allowed { Outcome::Pass } else { Outcome::Fail }))
    }
}

/// What a guest with this body says of a message with this header section.
async fn asked(imports: &[Import], body: &str, head: &'static str, is_ours: bool) -> Disposition {
    let stage = Stage::new();
    let config = "hostname = \"mx.example.org\"\ndata_dir = \"var\"\n[[listener]]\nname = \"mx\"\nbind = \"[::1]:25\"\n\
        [[route]]\nto = \"x-one\"\nsmarthost = \"192.0.2.1:25\"\ntls = \"off\"\n";
    let config = watch::Sender::new(Arc::new(parse("test", config, &[]).expect("it is sound")));
    let (signers, sender_policy) = (Arc::new(Example), Arc::new(Example));
    stage.host.stands_by(Standing { signers, sender_policy, config: config.subscribe() });
    stage.load(&[(allowed(&["dns"]), guest(imports, &[("on-data", body)]))]).await.expect("it loads");
    let (envelope, content) = (envelope(&["a@example.net"]), content(head, "hi"));
    let submission =
        Submission { id: ID, envelope: &envelope, content: &content, size_bytes_max: 1 << 20, verified: None, is_ours };
    let disposition = stage.session().data(submission).await.disposition;
    assert_eq!(stage.events.faults(), []);
    disposition
}

#[tokio::test]
async fn who_signs_is_told_of_our_own_mail_alone() {
    // ok(some(list)) lies at 2048: the result's tag, the option's at 4, where the list is, and how long.
    let some = format!(
        "(call $signers (i32.const 2048)) {} (if (i32.eqz (i32.load8_u (i32.const 2052))) (then {NEXT} return))
         (if (i32.eqz (i32.load (i32.const 2060))) (then {ACCEPT} return)) unreachable",
        expect_octet(2048, 0)
    );
    let of_ours = "From: a@example.net\r\n\r\n";
    assert_eq!(asked(&[SIGNERS], &some, of_ours, false).await, Disposition::Next, "a stranger's");
    assert_eq!(asked(&[SIGNERS], &some, of_ours, true).await, Disposition::Accept, "nobody signs for it");
    // One signer: its domain, its selector, its algorithm.
    let first = |at: u32, octet: u8| {
        format!(
            "(if (i32.ne (i32.load8_u (i32.load offset={at} (i32.load (i32.const 2056)))) (i32.const {octet})) (then unreachable))"
        )
    };
    let body = format!(
        "(call $signers (i32.const 2048)) (if (i32.ne (i32.load (i32.const 2060)) (i32.const 1)) (then unreachable))
         {} {} {} {ACCEPT}",
        first(0, b'e'),
        first(8, b's'),
        first(16, b'e')
    );
    assert_eq!(asked(&[SIGNERS], &body, "From: a@example.org\r\n\r\n", true).await, Disposition::Accept);
}

#[tokio::test]
async fn a_ways_tls_is_told() {
    // "X-One" lies at 16, "1" at 32. ok(some(off)) has its tags at 2048, 2049 and 2050; that of other domains is 1.
    let call = |at: u32, length: u32| format!("(call $tls-to (i32.const {at}) (i32.const {length}) (i32.const 2048))");
    let told = |octet: u8| [expect_octet(2048, 0), expect_octet(2049, 1), expect_octet(2050, octet)].concat();
    let body = format!("{} {} {} {} {ACCEPT}", call(16, 5), told(0), call(16, 3), told(1));
    assert_eq!(asked(&[TLS_TO], &body, "\r\n", true).await, Disposition::Accept);
}

#[tokio::test]
async fn spf_is_told_in_a_word_and_counts_as_16_look_ups_rfc7208_4_6_4() {
    // At 4000 "192.0.2.1", at 4016 "a", at 4032 "example.org". ok(text) lies at 2048: where, and how long.
    let put = |at: usize, text: &str| {
        let octets = text.bytes().enumerate();
        octets.map(|(n, octet)| format!("(i32.store8 (i32.const {}) (i32.const {octet}))", at + n)).collect::<String>()
    };
    let call =
        "(call $spf (i32.const 4000) (i32.const 9) (i32.const 4016) (i32.const 1) (i32.const 4032) (i32.const 11)
        (i32.const 2048))";
    let ok = expect_octet(2048, 0);
    let is_pass = "(if (i32.ne (i32.load (i32.load (i32.const 2052))) (i32.const 0x73736170)) (then unreachable))";
    let is_not_permitted = [expect_octet(2048, 1), expect_octet(2052, 4)].concat();
    let texts = [put(4000, "192.0.2.1"), put(4016, "a"), put(4032, "example.org")].concat();
    let body =
        format!("{texts} {call} {ok} {is_pass} {call} {ok} {call} {ok} {call} {ok} {call} {is_not_permitted} {ACCEPT}");
    assert_eq!(asked(&[SPF], &body, "\r\n", true).await, Disposition::Accept);
}
