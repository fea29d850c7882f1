//! One request: whom it is for, its content within limits, and its answer (RFC 9110).

use super::fields;
use super::port::Port;
use crate::base::event::Event;
use crate::base::flow::policy::Hook;
use crate::base::flow::policy::public::{PublicAnswer, PublicRequest, PublicResponse};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, TRANSFER_ENCODING};
use hyper::{Method, Request, Response, StatusCode};
use std::net::IpAddr;

/// Where the plugins' paths begin.
const PLUGINS: &str = "/p/";
/// Where it is told whether the server serves.
const HEALTH: &str = "/healthz";

/// Methods as events name them: a client's own word would be its to choose.
const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// When to come back, in seconds, after a failure of the plugin, in the crowd, and when the server is going down.
const AFTER_FAILURE: &str = "30";
const AFTER_CROWD: &str = "1";
const AFTER_DRAIN: &str = "10";

/// How a request came.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    /// Who connected.
    pub(super) peer: IpAddr,
    /// The connection ends with its answer.
    pub(super) last: bool,
    /// Its connection began while the server was going down already.
    pub(super) late: bool,
}

/// The client went away with half a request.
#[derive(Debug, thiserror::Error)]
#[error("the request did not come whole")]
pub(super) struct Gone;

/// What is said to a client, by us or by a plugin.
struct Said {
    response: Response<Full<Bytes>>,
    /// The plugin, where there is one.
    plugin: Option<Box<str>>,
}

/// Answers one request.
pub(super) async fn answer(
    port: &Port,
    asked: Asked,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Gone> {
    let began = port.doors.clock.now().mono;
    let method = request.method().clone();
    // One that has a Content-Length as well may hide another request behind it, and hyper drops that field without a word:
    // nothing is read behind such a request (RFC 9112 6.1).
    let last = asked.last || request.headers().contains_key(TRANSFER_ENCODING);
    let client = fields::client(asked.peer, request.headers(), &port.config.trusted_proxies);
    let Said { mut response, plugin } = match request.uri().path() {
        HEALTH if method == Method::GET || method == Method::HEAD => health(port),
        path if path.starts_with(PLUGINS) && asked.late => unable("the server is going down\n", AFTER_DRAIN),
        path if path.starts_with(PLUGINS) && port.doors.policy.has(Hook::Http) => {
            of_plugin(port, client, request).await?
        }
        _ => not_found(),
    };
    fields::complete(response.headers_mut());
    if last {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let took = port.doors.clock.now().mono.saturating_duration_since(began);
    port.doors.observe.event(Event::HttpAnswered {
        listener: &port.config.name,
        peer: client,
        plugin: plugin.as_deref(),
        method: METHODS.iter().find(|known| **known == method).map_or("other", Method::as_str),
        status: response.status().as_u16(),
        bytes: response.body().size_hint().lower(),
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    });
    Ok(response)
}

fn health(port: &Port) -> Said {
    if *port.draining.borrow() { unable("draining\n", AFTER_DRAIN) } else { plain(StatusCode::OK, "serving\n") }
}

/// Asks the plugin that the path names.
async fn of_plugin(port: &Port, client: IpAddr, request: Request<Incoming>) -> Result<Said, Gone> {
    let (head, body) = request.into_parts();
    let body = match content(port, body).await? {
        Ok(body) => body,
        Err(refusal) => return Ok(refusal),
    };
    let Ok(_permit) = port.requests.try_acquire() else {
        return Ok(unable("too many requests at once\n", AFTER_CROWD));
    };
    let behind = &head.uri.path()[PLUGINS.len()..];
    let (plugin, path) = behind.split_at(behind.find('/').unwrap_or(behind.len()));
    // The answer to HEAD is that to GET without its content, which hyper leaves out (RFC 9110 9.3.2).
    let method = if head.method == Method::HEAD { Method::GET } else { head.method };
    let name: Box<str> = plugin.into();
    let request = PublicRequest {
        plugin: name.clone(),
        method: method.as_str().into(),
        path: if path.is_empty() { "/".into() } else { path.into() },
        query: head.uri.query().unwrap_or_default().into(),
        fields: fields::shown(&head.headers),
        body,
        peer: client,
    };
    Ok(match port.doors.policy.http(request).await {
        PublicAnswer::Answered(said) => Said { plugin: Some(name), ..sent(said) },
        PublicAnswer::Unable => Said { plugin: Some(name), ..unable("try again later\n", AFTER_FAILURE) },
        PublicAnswer::Absent => not_found(),
    })
}

/// The content, if it comes within its limits; else what is answered instead, and the connection ends, since what
/// follows is not the next request.
async fn content(port: &Port, body: Incoming) -> Result<Result<Bytes, Said>, Gone> {
    let most = port.config.body_bytes_max;
    let refused = |status, words| {
        let mut said = plain(status, words);
        said.response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        Ok(Err(said))
    };
    let too_large = "the content is too large\n";
    // Who announces too much need not send it.
    if body.size_hint().lower() > most as u64 {
        return refused(StatusCode::PAYLOAD_TOO_LARGE, too_large);
    }
    let clock = &port.doors.clock;
    let over = clock.sleep_until(clock.now().mono + port.config.body_total);
    tokio::select! {
        whole = Limited::new(body, most).collect() => match whole {
            Ok(whole) => Ok(Ok(whole.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => refused(StatusCode::PAYLOAD_TOO_LARGE, too_large),
            Err(_) => Err(Gone),
        },
        () = over => refused(StatusCode::REQUEST_TIMEOUT, "the content did not come in time\n"),
    }
}

/// A plugin's answer, which policy has checked.
fn sent(said: PublicResponse) -> Said {
    let mut response = Response::new(Full::new(Bytes::from(said.body)));
    *response.status_mut() = StatusCode::from_u16(said.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in said.fields {
        // Both were checked: nothing is left out here.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    Said { response, plugin: None }
}

fn plain(status: StatusCode, words: &'static str) -> Said {
    let mut response = Response::new(Full::new(Bytes::from_static(words.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    Said { response, plugin: None }
}

fn unable(words: &'static str, again: &'static str) -> Said {
    let mut said = plain(StatusCode::SERVICE_UNAVAILABLE, words);
    said.response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(again));
    said
}

fn not_found() -> Said {
    plain(StatusCode::NOT_FOUND, "not found\n")
}
