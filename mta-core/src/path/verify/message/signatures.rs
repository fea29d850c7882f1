//! A message's signatures: which of them are looked at, and what the library says of each (RFC 6376 6.1, RFC 8301).

use super::super::answers::{Answers, Unknown};
use super::super::results::words;
use super::tags::Tags;
use crate::base::flow::policy::verify::{AuthResult, Method, Outcome};
use futures_util::FutureExt as _;
use mail_auth::common::crypto::{Algorithm, HashAlgorithm};
use mail_auth::common::verify::VerifySignature as _;
use mail_auth::dkim::{Canonicalization, Signature};
use mail_auth::{AuthenticatedMessage, DkimOutput, DkimResult, MessageAuthenticator, Parameters};

/// ARC sets of a message that are looked at (RFC 8617 4.2.1: "MUST NOT" be more than 50).
const SETS_MAX: usize = 50;

/// A message as the library reads it, and what we say of its signatures without it.
pub(in crate::path::verify) struct Signed<'m> {
    pub(in crate::path::verify) message: AuthenticatedMessage<'m>,
    refused: Vec<AuthResult>,
}

/// One signature, and what came of it.
#[derive(Clone, Debug)]
pub(in crate::path::verify) struct Judged {
    pub(in crate::path::verify) result: DkimResult,
    pub(in crate::path::verify) signature: Option<Signature>,
}

impl<'m> Signed<'m> {
    /// Reads the header section; none where there is no field in it. Bodies are hashed later.
    pub(in crate::path::verify) fn read(head: &'m [u8], signatures_max: usize) -> Option<Self> {
        let mut message = AuthenticatedMessage::parse(head)?;
        let mut refused = Vec::new();
        let mut looked_at = 0;
        message.dkim_headers.retain_mut(|header| {
            let signature = &mut header.header;
            // Third parties' signatures (RFC 6541) and reports of failures (RFC 6651) are nothing to us.
            signature.r = false;
            signature.atps = None;
            looked_at += 1;
            let refusal = match refusal(signature, header.value) {
                _ if looked_at > signatures_max => Some((Outcome::Neutral, "one signature too many")),
                refusal => refusal,
            };
            if let Some((outcome, why)) = refusal
                && looked_at <= signatures_max + 1
            {
                refused.push(result(outcome, Some(signature), why));
            }
            refusal.is_none()
        });
        for header in &mut message.ams_headers {
            // RFC 8617 4.1.2, RFC 6376 3.5: what is not said is simple.
            if Tags::read(header.value).is_some_and(|tags| tags.get("c").is_none()) {
                let (signature, simple) = (&mut header.header, Canonicalization::Simple);
                (signature.ch, signature.cb) = (simple, simple);
                message.body_hashes.push((simple, HashAlgorithm::from(signature.a), signature.l, Vec::new()));
            }
        }
        Some(Self { message, refused })
    }

    /// The forms of the body that signatures speak of.
    pub(in crate::path::verify) fn forms(&self) -> Vec<Canonicalization> {
        let dkim = self.message.dkim_headers.iter().map(|header| header.header.cb);
        let arc = self.message.ams_headers.iter().map(|header| header.header.cb);
        let mut forms: Vec<Canonicalization> = Vec::new();
        for form in dkim.chain(arc) {
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
        forms
    }

    /// The body's hash in one of its forms.
    pub(in crate::path::verify) fn hashed(&mut self, form: Canonicalization, hash: &[u8]) {
        for (canonicalization, algorithm, _, value) in &mut self.message.body_hashes {
            if *canonicalization == form && *algorithm == HashAlgorithm::Sha256 {
                *value = hash.to_vec();
            }
        }
    }

    /// Names under which keys will be wanted.
    pub(in crate::path::verify) fn keys(&self) -> Vec<String> {
        let dkim = self.message.dkim_headers.iter().map(|header| header.header.domain_key());
        let sets = self.message.ams_headers.iter().zip(&self.message.as_headers).take(SETS_MAX);
        dkim.chain(sets.flat_map(|(signature, seal)| [signature.header.domain_key(), seal.header.domain_key()]))
            .collect()
    }

    /// What came of each signature.
    pub(in crate::path::verify) fn judge(
        &self,
        library: &MessageAuthenticator,
        answers: &Answers,
    ) -> Result<Vec<Judged>, Unknown> {
        let parameters = Parameters::new(&self.message).with_txt_cache(answers);
        // It has nothing to wait for: every name is answered from what is known.
        let outputs = library.verify_dkim(parameters).now_or_never().unwrap_or_default();
        let judged = |output: &DkimOutput<'_>| Judged {
            result: output.result().clone(),
            signature: output.signature().cloned(),
        };
        let judged = outputs.iter().map(judged).collect();
        answers.complete()?;
        Ok(judged)
    }

    /// As they are told.
    pub(in crate::path::verify) fn results(&self, judged: &[Judged]) -> Vec<AuthResult> {
        let judged = judged.iter().map(|Judged { result: came, signature }| {
            let (outcome, why) = outcome(came);
            result(outcome, signature.as_ref(), &why)
        });
        let mut results: Vec<AuthResult> = judged.chain(self.refused.iter().cloned()).collect();
        if results.is_empty() {
            results.push(result(Outcome::None, None, ""));
        }
        results
    }
}

/// Why a signature is not worth looking at.
fn refusal(signature: &Signature, value: &[u8]) -> Option<(Outcome, &'static str)> {
    // RFC 6376 3.2, 3.5: the library takes some for what they would have said.
    let Some(tags) = Tags::read(value) else { return Some((Outcome::PermError, "no list of tags")) };
    if ["v", "a", "b", "bh", "d", "h", "s"].iter().any(|name| tags.get(name).is_none()) {
        return Some((Outcome::PermError, "a tag is missing"));
    }
    // RFC 8301 3.1: what rsa-sha1 signed is signed by nobody.
    if signature.a == Algorithm::RsaSha1 {
        return Some((Outcome::Policy, "rsa-sha1 is no longer taken"));
    }
    // RFC 6376 6.1.1.
    if !signature.h.iter().any(|name| name.eq_ignore_ascii_case("from")) {
        return Some((Outcome::PermError, "From is not signed"));
    }
    None
}

/// RFC 8601 2.7.1, and why.
pub(in crate::path::verify) fn outcome(result: &DkimResult) -> (Outcome, String) {
    match result {
        DkimResult::Pass => (Outcome::Pass, String::new()),
        DkimResult::None => (Outcome::None, String::new()),
        // The library calls what was signed and is not so "neutral", too: to a body that was changed we say fail.
        DkimResult::Neutral(error) if is_changed(error) => (Outcome::Fail, words(error)),
        DkimResult::Neutral(error) => (Outcome::Neutral, words(error)),
        DkimResult::Fail(error) => (Outcome::Fail, words(error)),
        DkimResult::PermError(error) => (Outcome::PermError, words(error)),
        DkimResult::TempError(error) => (Outcome::TempError, words(error)),
    }
}

fn is_changed(error: &mail_auth::Error) -> bool {
    use mail_auth::Error;
    use mail_auth::arc::ArcError;
    use mail_auth::dkim::DkimError;
    matches!(error, Error::Dkim(DkimError::FailedBodyHashMatch) | Error::Arc(ArcError::FailedBodyHashMatch))
}

/// One signature's result, with the properties of RFC 8601 2.7.1 and RFC 6008.
fn result(outcome: Outcome, signature: Option<&Signature>, why: &str) -> AuthResult {
    let mut properties: Vec<(&'static str, Box<str>)> = Vec::new();
    if let Some(signature) = signature {
        properties.push(("header.d", signature.d.as_str().into()));
        properties.push(("header.s", signature.s.as_str().into()));
        properties.push(("header.b", begin(&signature.b).into()));
    }
    let domain = signature.map(|signature| signature.d.as_str().into());
    AuthResult { method: Method::Dkim, outcome, domain, properties, detail: why.into() }
}

/// The first eight letters of a signature, which tell it from the others (RFC 6008 4).
fn begin(signature: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = signature.iter().take(6).copied().collect::<Vec<u8>>();
    let groups = groups.chunks_exact(3).map(|group| u32::from_be_bytes([0, group[0], group[1], group[2]]));
    let letters = groups.flat_map(|group| [18, 12, 6, 0].map(|shift| LETTERS[(group >> shift & 63) as usize]));
    letters.map(char::from).collect()
}
