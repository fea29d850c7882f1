//! Requests to those who know users or tokens: names are looked up, one answer is waited for, and for so long (RFC 9110 9.3).

use crate::base::world::Clock;
use crate::base::world::dns::Dns;
use crate::base::world::http::{HttpAnswer, HttpClient, HttpHost, HttpRequest, Origin};
use crate::base::world::tls::Trust;
use crate::config::model::auth::oauth::Url;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What an answer may have, in octets: a set of keys has some thousand.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Who sends them.
pub(super) struct Requests {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) dns: Arc<dyn Dns>,
    pub(super) http: Arc<dyn HttpClient>,
}

/// One of them.
pub(super) struct Request<'r> {
    pub(super) to: &'r Url,
    pub(super) trust: &'r Trust,
    pub(super) wait: Duration,
    pub(super) fields: Vec<(String, String)>,
    /// With content it is a POST, else a GET.
    pub(super) body: Option<String>,
}

impl Requests {
    /// The answer, whatever its status.
    ///
    /// # Errors
    /// There was none, in words for the log.
    pub(super) async fn send(&self, request: Request<'_>) -> Result<HttpAnswer, String> {
        let over = self.clock.sleep_until(self.clock.mono() + request.wait);
        let wait = request.wait;
        tokio::select! {
            biased;
            answer = self.answer(request) => answer,
            () = over => Err(format!("no answer within {wait:?}")),
        }
    }

    /// Where a server is.
    ///
    /// # Errors
    /// Its name can't be looked up, in words for the log.
    pub(super) async fn addresses(&self, of: &Origin) -> Result<Vec<SocketAddr>, String> {
        let ips = match &of.host {
            HttpHost::Address(ip) => vec![*ip],
            HttpHost::Name(name) => {
                self.dns.addresses(name).await.map_err(|fault| format!("looking {name} up: {fault}"))?
            }
        };
        Ok(ips.into_iter().map(|ip| SocketAddr::new(ip, of.port)).collect())
    }

    async fn answer(&self, request: Request<'_>) -> Result<HttpAnswer, String> {
        let Request { to, trust, fields, body, .. } = request;
        let (origin, target) = (to.origin.clone(), to.target.clone());
        let addresses = self.addresses(&origin).await?;
        let method = if body.is_some() { "POST" } else { "GET" }.into();
        let (body, answer_bytes_max) = (body.unwrap_or_default().into(), ANSWER_BYTES_MAX);
        let trust = trust.clone();
        let request = HttpRequest { origin, addresses, method, target, fields, body, answer_bytes_max, trust };
        self.http.fetch(request).await.map_err(|fault| fault.to_string())
    }
}
