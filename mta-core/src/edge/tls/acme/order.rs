//! One order, from the account to the certificate (RFC 8555 7.4): the authority says what it wants to see, asks for it at
//! our port, and signs.

use super::answers::Answers;
use super::kept;
use super::transport::Transport;
use crate::config::model::acme::{Acme, Challenge, External};
use crate::sandbox::Secret;
use data_encoding::BASE64URL_NOPAD;
use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Error, ExternalAccountKey, Identifier, NewAccount, NewOrder, Order,
    OrderStatus, Problem, RetryPolicy,
};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long an authority may take to ask at our port, and how long to sign.
const PATIENCE: Duration = Duration::from_secs(90);

/// What an authority says that does not know our account (RFC 8555 6.7).
const UNKNOWN_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";

/// Orders a certificate and keeps it.
///
/// # Errors
/// In words for the operator: what was asked of whom, and what came back.
pub(super) async fn order(
    acme: &Arc<Acme>,
    transport: Transport,
    external: Option<Result<ExternalAccountKey, String>>,
    answers: &Answers,
) -> Result<(), String> {
    let account = account(acme, transport, external).await?;
    let ordered = certificate(acme, &account, answers).await;
    answers.clear();
    match ordered {
        Ok(pem) => {
            let acme = Arc::clone(acme);
            blocking(move || kept::keep_certificate(&acme, &pem)).await
        }
        Err(Failure::Said(error)) => {
            if matches!(&error, Error::Api(Problem { r#type: Some(kind), .. }) if kind == UNKNOWN_ACCOUNT) {
                let acme = Arc::clone(acme);
                blocking(move || kept::set_account_aside(&acme)).await?;
            }
            Err(words(&error))
        }
        Err(Failure::Words(why)) => Err(why),
    }
}

/// Why there is no certificate.
enum Failure {
    Said(Error),
    Words(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Said(error)
    }
}

/// Files are not for the threads that serve.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?
}

/// What shows whose account ours belongs to (RFC 8555 7.3.4).
///
/// # Errors
/// The secret is no key, in words for the operator.
pub(super) fn binding(external: &External, secrets: &[(Arc<str>, Arc<Secret>)]) -> Result<ExternalAccountKey, String> {
    let External { key_id, secret: name } = external;
    let secret = secrets.iter().find(|(known, _)| known == name).map(|(_, secret)| secret);
    let secret = secret.ok_or_else(|| format!("the account: the secret {name:?} is not there"))?;
    // Some authorities hand it out with padding.
    let text = secret.octets().trim_ascii();
    let text = text.strip_suffix(b"==").or(text.strip_suffix(b"=")).unwrap_or(text);
    let key = BASE64URL_NOPAD.decode(text).map(Zeroizing::new);
    let key =
        key.map_err(|_| format!("the account: the secret {name:?} is no key in base64url, as authorities give them"))?;
    Ok(ExternalAccountKey::new(key_id.to_string(), &key))
}

/// Our account there, made where there is none, and bound then. It is kept before anything is ordered with it.
async fn account(
    acme: &Arc<Acme>,
    transport: Transport,
    external: Option<Result<ExternalAccountKey, String>>,
) -> Result<Account, String> {
    let of = Arc::clone(acme);
    let kept = blocking(move || kept::account(&of)).await?;
    let builder = Account::builder_with_http(Box::new(transport));
    let directory = &acme.directory;
    let said = |error: Error| format!("the account: {}", told(directory, &error));
    if let Some(kept) = kept {
        return builder.from_credentials(kept).await.map_err(said);
    }
    let contact: Vec<String> = acme.contact.iter().map(|address| format!("mailto:{address}")).collect();
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    // The configuration is not read without `accept_terms`.
    let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let external = external.transpose()?;
    let made = builder.create(&new, acme.directory.to_string(), external.as_ref()).await;
    let (account, credentials) = made.map_err(said)?;
    let of = Arc::clone(acme);
    blocking(move || kept::keep_account(&of, &credentials)).await?;
    Ok(account)
}

async fn certificate(acme: &Acme, account: &Account, answers: &Answers) -> Result<String, Failure> {
    let names: Vec<Identifier> = acme.names.iter().map(|name| Identifier::Dns(name.to_string())).collect();
    let mut order = account.new_order(&NewOrder::new(&names)).await?;
    authorize(&mut order, acme.challenge, answers).await?;
    let retries = RetryPolicy::default().timeout(PATIENCE);
    match order.poll_ready(&retries).await {
        Ok(OrderStatus::Ready) => {}
        Ok(_) => return Err(refused(&mut order, None).await),
        Err(error @ Error::Api(_)) => return Err(refused(&mut order, Some(error)).await),
        Err(error) => return Err(error.into()),
    }
    let key = order.finalize().await?;
    let chain = order.poll_certificate(&retries).await?;
    Ok(chain + "\n" + &key)
}

/// Puts the answers where the authority looks, and says that they are there.
async fn authorize(order: &mut Order, kind: Challenge, answers: &Answers) -> Result<(), Failure> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        // RFC 8555 7.1.3: one from before may still hold.
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let name = authorization.identifier().to_string();
        let wanted = match kind {
            Challenge::Http => ChallengeType::Http01,
            Challenge::TlsAlpn => ChallengeType::TlsAlpn01,
        };
        let Some(mut challenge) = authorization.challenge(wanted) else {
            return Err(Failure::Words(format!("{name}: the authority does not offer {}", kind.name())));
        };
        let key = challenge.key_authorization();
        match kind {
            Challenge::Http => answers.show_file(&challenge.token, key.as_str()),
            Challenge::TlsAlpn => {
                answers.show_certificate(&name, &Sha256::digest(key.as_str()).into()).map_err(Failure::Words)?;
            }
        }
        challenge.set_ready().await?;
    }
    Ok(())
}

/// The authority was not content with what it saw: its authorizations say with what.
async fn refused(order: &mut Order, said: Option<Error>) -> Failure {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let name = authorization.identifier().to_string();
        let Ok(state) = authorization.refresh().await else { continue };
        if let Some(problem) = state.challenges.iter().find_map(|challenge| challenge.error.as_ref()) {
            return Failure::Words(format!("{name}: {}", problem_words(problem)));
        }
    }
    said.map_or_else(|| Failure::Words("the authority refused the order".to_owned()), Failure::Said)
}

/// What the authority says is at that URL is no directory, mostly because the URL is wrong.
fn told(directory: &str, error: &Error) -> String {
    match error {
        Error::Json(error) => format!("what is at {directory} is no ACME directory, or one that fails: {error}"),
        error => words(error),
    }
}

fn words(error: &Error) -> String {
    match error {
        Error::Api(problem) => problem_words(problem),
        error => error.to_string(),
    }
}

fn problem_words(problem: &Problem) -> String {
    let kind = problem.r#type.as_deref().unwrap_or("no type");
    let parts = problem.subproblems.iter().filter_map(|part| part.detail.as_deref());
    let detail: Vec<&str> = problem.detail.as_deref().into_iter().chain(parts).collect();
    format!("{} ({})", detail.join("; "), kind.trim_start_matches("urn:ietf:params:acme:error:"))
}
