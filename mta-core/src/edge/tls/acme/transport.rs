//! How an authority's HTTP API is reached: by our own client, with our own look-ups, within limits.

use crate::base::world::dns::Dns;
use crate::base::world::http::{HttpClient as _, HttpHost, HttpRequest, Origin};
use crate::base::world::net::Net;
use crate::base::world::tls::Trust;
use crate::config::model::acme::Acme;
use crate::edge::tls::outgoing;
use crate::edge::world::http::HyperClient;
use http_body_util::{BodyExt, Collected, Full};
use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Request, Response};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A certificate with its chain has some thousand octets.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// One request with its answer.
const REQUEST_TOTAL: Duration = Duration::from_secs(30);

/// The authority's API.
pub(super) struct Transport(Arc<Inner>);

struct Inner {
    client: HyperClient,
    dns: Arc<dyn Dns>,
}

impl Transport {
    /// To the authority of this configuration.
    ///
    /// # Errors
    /// The file of its roots can't be used; in words.
    pub(super) fn new(acme: &Acme, net: Arc<dyn Net>, dns: Arc<dyn Dns>) -> Result<Self, String> {
        let client = match &acme.ca {
            Some(path) => HyperClient::trusting(net, outgoing::roots(path)?),
            None => HyperClient::new(net),
        };
        Ok(Self(Arc::new(Inner { client, dns })))
    }
}

impl HttpClient for Transport {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let url = request.uri().to_string();
            let answered = tokio::time::timeout(REQUEST_TOTAL, inner.fetch(request)).await;
            let answered = answered.unwrap_or_else(|_| Err("no answer in time".to_owned()));
            answered.map_err(|why| Error::Other(format!("{url}: {why}").into()))
        })
    }
}

impl Inner {
    async fn fetch(&self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, String> {
        let (head, body) = request.into_parts();
        let (origin, target) = Origin::of_url(&head.uri.to_string())?;
        if !origin.secure {
            // RFC 8555 6.1: what it names itself must be reached so too.
            return Err("expected https".to_owned());
        }
        let addresses = match &origin.host {
            HttpHost::Address(ip) => vec![SocketAddr::new(*ip, origin.port)],
            HttpHost::Name(name) => {
                let found = self.dns.addresses(name).await.map_err(|fault| fault.to_string())?;
                found.into_iter().map(|ip| SocketAddr::new(ip, origin.port)).collect()
            }
        };
        let fields = head.headers.iter();
        let fields = fields
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        let fields = fields.collect();
        let body = body.collect().await.map_or_else(|never| match never {}, Collected::to_bytes);
        let request = HttpRequest {
            origin,
            addresses,
            method: head.method.as_str().into(),
            target,
            fields,
            body,
            answer_bytes_max: ANSWER_BYTES_MAX,
            // Those that the client was made with.
            trust: Trust::System,
        };
        let answer = self.client.fetch(request).await.map_err(|fault| fault.to_string())?;
        let mut response = Response::new(Full::new(Bytes::from(answer.body)));
        *response.status_mut() = answer.status.try_into().map_err(|_| "no HTTP status".to_owned())?;
        for (name, value) in answer.fields {
            let field = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value));
            if let (Ok(name), Ok(value)) = field {
                response.headers_mut().append(name, value);
            }
        }
        Ok(BytesResponse::from(response))
    }
}
