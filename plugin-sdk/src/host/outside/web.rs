//! Requests to a plugin's own public path, `/p/<plugin>/…`, and answers to them.
//!
//! Exporting `on_http` is all there is to it: no grant is needed, but the operator must have an `[[http]]` listener.
//!
//! ```
//! use mailwright_plugin::web::{Request, Response, escaped};
//! use mailwright_plugin::{kv, Fault};
//!
//! #[derive(Default)]
//! struct Signup;
//!
//! #[mailwright_plugin::plugin]
//! impl Signup {
//!     fn on_http(&mut self, request: &Request) -> Result<Response, Fault> {
//!         Ok(match (request.method.as_str(), request.path.as_str()) {
//!             ("GET", "/") => Response::html(200, "<form method=post><input name=mail><button>Sign up</button></form>"),
//!             ("POST", "/") => match request.form_value("mail") {
//!                 Some(mail) => {
//!                     kv::Bucket("signups").set(&mail, b"", None)?;
//!                     Response::html(200, &format!("<p>{} is signed up.", escaped(&mail)))
//!                 }
//!                 None => Response::text(400, "who?"),
//!             },
//!             (_, "/") => Response::text(405, "GET or POST").header("Allow", "GET, POST"),
//!             _ => Response::text(404, "not found"),
//!         })
//!     }
//! }
//!
//! // In a test, natively:
//! let said = Signup.on_http(&Request::post_form("/", &[("mail", "ann@example.org")])).expect("an answer");
//! assert_eq!((said.status, &said.body[..]), (200, &b"<p>ann@example.org is signed up."[..]));
//! ```

pub use crate::hooks::on_http::exports::mailwright::plugin::on_http::{Request, Response};

impl Request {
    /// What a test asks for: GET of a path, which begins with `/` and may have a query.
    #[must_use]
    pub fn get(target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method: "GET".to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            peer_ip: "192.0.2.1".to_owned(),
        }
    }

    /// What a test sends: a form, as a browser posts it.
    #[must_use]
    pub fn post_form(target: &str, fields: &[(&str, &str)]) -> Self {
        let fields: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        let headers = vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
        Self { method: "POST".to_owned(), headers, body: fields.join("&").into_bytes(), ..Self::get(target) }
    }

    /// The first header field of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// A value of the query, as `b` of `?a=b`.
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<String> {
        value(&self.query, name)
    }

    /// A value of a form that was posted: `application/x-www-form-urlencoded`, or `multipart/form-data` where the request says
    /// so (RFC 7578).
    #[must_use]
    pub fn form_value(&self, name: &str) -> Option<String> {
        let content_type = self.header("content-type").unwrap_or_default();
        let multipart = "multipart/form-data";
        if content_type.get(..multipart.len()).is_some_and(|start| start.eq_ignore_ascii_case(multipart)) {
            return super::form::part_value(content_type, &self.body, name);
        }
        value(std::str::from_utf8(&self.body).ok()?, name)
    }
}

impl Response {
    /// An answer without content.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// Plain text.
    #[must_use]
    pub fn text(status: u16, text: &str) -> Self {
        Self::of(status, "text/plain; charset=utf-8", text)
    }

    /// A page. What comes from elsewhere goes through [`escaped`] first.
    #[must_use]
    pub fn html(status: u16, page: &str) -> Self {
        Self::of(status, "text/html; charset=utf-8", page)
    }

    /// 303: the client is to GET another page (RFC 9110 15.4.4). After a POST, so that to reload it posts nothing.
    #[must_use]
    pub fn see_other(location: &str) -> Self {
        Self::empty(303).header("Location", location)
    }

    /// Content of any type.
    #[must_use]
    pub fn of(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::empty(status).header("Content-Type", content_type) }
    }

    /// One header field more. Those of the connection and of the content's length are the server's to write.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Text as it may stand in a page, between tags and in quoted attributes.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// Text as it may stand in a path or a query: all but letters, digits and `-._~` is escaped (RFC 3986 2.1).
#[must_use]
pub fn encoded(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut safe = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => safe.push(char::from(octet)),
            octet => {
                let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
                safe.extend(['%', digit(octet >> 4), digit(octet)]);
            }
        }
    }
    safe
}

/// The inverse of [`encoded`]; a plus is a space, as in forms. None where an escape is none, or it is no UTF-8.
#[must_use]
pub fn decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'+' => b' ',
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            octet => octet,
        });
    }
    String::from_utf8(octets).ok()
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// The first value of that name among `a=b&c=d`.
fn value(pairs: &str, name: &str) -> Option<String> {
    pairs.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(key)? == name).then(|| decoded(value))
    })?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_arrives_as_it_was_posted() {
        let form = [("mail", "a+b@example.org"), ("who", "Jörg & Söhne=%"), ("none", "")];
        let request = Request::post_form("/x?q=a%20b+c&q=2&broken=%zz&%=1", &form);
        for (name, value) in form {
            assert_eq!(request.form_value(name).as_deref(), Some(value));
        }
        assert_eq!((request.path.as_str(), request.query_value("q").as_deref()), ("/x", Some("a b c")));
        assert_eq!(
            (request.query_value("broken"), request.query_value("who"), request.form_value("q")),
            (None, None, None)
        );
        assert_eq!(request.header("Content-Type"), Some("application/x-www-form-urlencoded"));
    }

    #[test]
    fn what_comes_from_elsewhere_ends_no_tag_and_no_attribute() {
        assert_eq!(escaped("<a b='\"c\"'>&amp;"), "&lt;a b=&#39;&quot;c&quot;&#39;&gt;&amp;amp;");
        assert_eq!(encoded("a/b c?ü"), "a%2Fb%20c%3F%C3%BC");
        assert_eq!(decoded("%C3"), None);
        assert_eq!(decoded("%c3%bc"), Some("ü".to_owned()));
    }
}
