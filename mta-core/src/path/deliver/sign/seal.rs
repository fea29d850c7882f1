//! An ARC set: what we found out about a message when it came, sealed for those to whom we forward it (RFC 8617 5.1).

use super::chain::{Chain, Validation};
use super::fields::{self, Covered};
use super::keyring::Signing;
use super::signature::{self, Over};
use super::tagged::Tagged;
use crate::base::mail::canonical::BodyHash;
use crate::base::time::UnixMillis;
use bytes::Bytes;
use mail_auth::dkim::Canonicalization;

/// How the field with our results begins, which stands on top of what we let in.
const RESULTS: &str = "Authentication-Results:";

/// Our results about a message, as they were written when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Results<'a> {
    /// The field's value with its CRLF: who says so, and each result on a line.
    value: &'a str,
    /// What the chain came to then.
    came: Validation,
}

impl<'a> Results<'a> {
    /// From our trace fields. None where nothing was verified, or the chain could not be judged then: what we don't know
    /// we can't seal.
    #[must_use]
    pub fn of(trace: &'a str) -> Option<Self> {
        let value = trace.strip_prefix(RESULTS)?;
        // Up to the next field: lines that go on begin with white space.
        let end = value.match_indices("\r\n").find(|(at, _)| !value[at + 2..].starts_with(['\t', ' ']))?.0;
        let value = &value[..end + 2];
        let (_, rest) = value.split_once("\r\n\tarc=")?;
        let word = rest.split(|letter: char| !letter.is_ascii_alphabetic()).next()?;
        Some(Self { value, came: Validation::of(word)? })
    }
}

/// The three fields of the set, the seal on top. None where there is no more to be said of the chain: it was marked as
/// broken before us, or is as long as one may be (RFC 8617 5.1 and 4.2.1).
///
/// # Errors
/// What the library said.
pub fn fields(
    signing: &Signing,
    results: Results<'_>,
    head: &[Bytes],
    body: &BodyHash,
    at: UnixMillis,
) -> Result<Option<String>, String> {
    let chain = Chain::of(head);
    let Some((instance, validation)) = chain.next(results.came) else { return Ok(None) };
    let told = format!("ARC-Authentication-Results: i={instance};{}", results.value);
    let covered: Covered = fields::covered_by_forwarder(head);
    let begun = Tagged::new("ARC-Message-Signature").number("i", instance.into());
    let message = signature::signed(begun, signing, Over { covered: &covered, body, at })?;

    let seal = Tagged::new("ARC-Seal").number("i", instance.into());
    let seal = signature::by(seal, signing, at).tag("cv", validation.word());
    // RFC 8617 5.1.1: the sets in their order, ours the last. Of a broken chain ours alone (RFC 8617 5.1.2).
    let sets = if validation == Validation::Fail { Vec::new() } else { chain.fields() };
    let own = [told.as_str(), &message].map(split);
    let mut octets = Vec::with_capacity(2048);
    Canonicalization::Relaxed.canonicalize_headers(sets.into_iter().chain(own), &mut octets);
    seal.write_unsigned(&mut octets);
    let seal = seal.signed(&signing.key.sign(&octets)?);
    Ok(Some([seal, message, told].concat()))
}

/// Name and value of a field of ours, the value with its CRLF.
fn split(field: &str) -> (&[u8], &[u8]) {
    field.split_once(':').map_or((&[], &[]), |(name, value)| (name.as_bytes(), value.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::super::key::{Key, Kind, generate};
    use super::super::tests::{Zone, ed25519, signing};
    use super::*;
    use crate::base::mail::canonical;
    use crate::base::mail::content::Body;
    use mail_auth::dkim::Canonicalization;

    const NAMES: [&str; 2] = ["a._domainkey.one.example.", "b._domainkey.two.example."];
    const AT: UnixMillis = UnixMillis(1_700_000_000_000);
    const MESSAGE: &str = "From: ann@example.org\r\nTo: list@one.example\r\nSubject: hello\r\n\r\nwords  \r\n\r\n";

    fn trace_of(arc: &str) -> String {
        format!(
            "Authentication-Results: mx.example;\r\n\tspf=pass\r\n\t smtp.mailfrom=ann@example.org;\r\n\tarc={arc} \
             reason=\"x\"\r\nReceived: from there\r\n\tby here\r\n"
        )
    }

    fn sealed(key: &Signing, arc: &str, message: &str) -> Option<String> {
        let (head, body) = message.split_once("\r\n\r\n").expect("a message");
        let trace = trace_of(arc);
        let pieces = [Bytes::from(trace.clone()), Bytes::from(format!("{head}\r\n\r\n"))];
        let body = Body::Memory(Bytes::from(body.to_owned()));
        let hash = canonical::hashes(&body, &[Canonicalization::Relaxed]).expect("memory is read")[0];
        let results = Results::of(&trace).expect("they are there");
        let set = fields(key, results, &pieces, &hash, AT).expect("it can be sealed")?;
        Some([&*set, &trace, message].concat())
    }

    #[test]
    fn results_are_those_that_stand_on_top_rfc8617_4_1_1() {
        let trace = trace_of("pass");
        let results = Results::of(&trace).expect("they are there");
        assert_eq!(results.came, Validation::Pass);
        assert!(
            results.value.starts_with(" mx.example;\r\n\tspf=pass") && results.value.ends_with("\"x\"\r\n"),
            "{results:?}"
        );
        let alone = trace.split("Received").next().expect("the field");
        assert_eq!(Results::of(alone).map(|results| results.came), Some(Validation::Pass));
        for none in ["Received: x\r\n", "Authentication-Results: mx.example; none\r\n", "", &trace_of("temperror")] {
            assert_eq!(Results::of(none), None, "{none}");
        }
        // What strangers have a say in stands within quotes, on one line.
        let forged = trace
            .replace("pass\r\n\t smtp", "fail reason=\"; arc=pass\"\r\n\t smtp")
            .replace("arc=pass re", "arc=fail re");
        assert_eq!(Results::of(&forged).map(|results| results.came), Some(Validation::Fail));
    }

    #[tokio::test]
    async fn a_chain_of_two_sealers_passes_and_breaks_with_the_message_rfc8617_5_1() {
        let pem = generate(Kind::Rsa).expect("there is randomness");
        let rsa = || Key::parse(pem.as_bytes()).expect("our own");
        let zone = Zone::of(&[(NAMES[0], &rsa()), (NAMES[1], &ed25519())]);
        let (one, two) = (signing("one.example", "a", &[], rsa()), signing("two.example", "b", &[], ed25519()));

        let first = sealed(&one, "none", MESSAGE).expect("it is sealed");
        assert!(
            first.starts_with("ARC-Seal: i=1; a=rsa-sha256; d=one.example; s=a; t=1700000000; cv=none;"),
            "{first}"
        );
        assert!(first.contains("\r\nARC-Authentication-Results: i=1; mx.example;\r\n\tspf=pass"), "{first}");
        assert_eq!(zone.chain(first.as_bytes()).await, ("Pass".to_owned(), 1), "{first}");
        let second = sealed(&two, "pass", &first).expect("it is sealed");
        assert!(second.starts_with("ARC-Seal: i=2; a=ed25519-sha256;") && second.contains("; cv=pass;"), "{second}");
        assert_eq!(zone.chain(second.as_bytes()).await, ("Pass".to_owned(), 2), "{second}");
        for (was, is) in [
            ("Subject: hello", "Subject: no"),
            ("words", "other"),
            ("i=1; mx.example", "i=1; mx.evil"),
            ("cv=none", "cv=pass"),
        ] {
            assert_ne!(zone.chain(second.replace(was, is).as_bytes()).await.0, "Pass", "{was}");
        }
    }

    #[tokio::test]
    async fn a_broken_chain_is_marked_once_by_a_seal_over_its_own_set_rfc8617_5_1_2() {
        let zone = Zone::of(&[(NAMES[1], &ed25519())]);
        let two = signing("two.example", "b", &[], ed25519());
        let first = sealed(&two, "none", MESSAGE).expect("it is sealed");
        let marked = sealed(&two, "fail", &first.replace("words", "others")).expect("it is sealed");
        assert!(marked.starts_with("ARC-Seal: i=2;") && marked.contains("; cv=fail;"), "{marked}");
        assert_ne!(zone.chain(marked.as_bytes()).await.0, "Pass");
        assert_eq!(sealed(&two, "fail", &marked), None, "no more is said of it");
        // Ed25519 makes the same signature of the same octets: nothing of the sets before it is in them.
        let seal = |message: &str| {
            sealed(&two, "fail", message).and_then(|set| set.find("ARC-Message").map(|end| set[..end].to_owned()))
        };
        let other = first
            .replace("smtp.mailfrom=ann@example.org;\r\n\tarc=none", "smtp.mailfrom=bob@example.org;\r\n\tarc=none");
        assert_ne!(other, first);
        assert_eq!(seal(&other), seal(&first));
    }
}
