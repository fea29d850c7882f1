//! The interface for programs, below `/v1/`: they read, search and change the suppression lists of one tenant by HTTP, as
//! CSV (RFC 4180), which is what the server's own commands import and export.
//!
//! Who asks shows a secret as a bearer token (RFC 6750 2.1). Whose lists they are is the secret's matter, never the
//! request's.

mod csv;

use crate::config::Application;
use mailwright_plugin::suppression::{Error, Page, Reason, Scope};
use mailwright_plugin::web::{Request, Response, decoded, encoded};
use mailwright_plugin::{Address, Fault, secrets, tenants};

/// Shortest secret, in octets: one that can't be guessed has at least so many.
const SECRET_BYTES_MIN: usize = 20;
/// Entries of a page, at most and if nothing is said.
const PAGE_ENTRIES: u32 = 1_000;

/// What programs may be told about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Api<'a> {
    /// Who may ask.
    pub(crate) applications: &'a [Application],
    /// The scopes that there are.
    pub(crate) scopes: &'a [&'a str],
}

impl<'a> Api<'a> {
    /// Answers a request; `path` is what follows `/v1/`.
    ///
    /// # Errors
    /// The configuration names a tenant that is not there.
    pub(crate) fn answer(self, request: &Request, path: &str) -> Result<Response, Fault> {
        let Some(application) = self.asking(request) else {
            return Ok(Response::text(401, "show the application's secret: Authorization: Bearer SECRET\n")
                .header("WWW-Authenticate", "Bearer"));
        };
        tenants::act_for(application.tenant.as_deref())?;
        let (scope, address) = match path.split_once('/') {
            Some((scope, address)) => (scope, Some(address)),
            None => (path, None),
        };
        let Some(scope) = self.scopes.iter().find(|known| **known == scope) else {
            let known = self.scopes.join(", ");
            return Ok(Response::text(404, &["there is no such scope; there are: ", &known, "\n"].concat()));
        };
        let address = match address.map(|text| decoded(text).and_then(|text| csv::address(&text))) {
            None => None,
            Some(Some(address)) => Some(address),
            Some(None) => return Ok(Response::text(400, "expected an address, as ann%40example.org\n")),
        };
        let answer = match (request.method.as_str(), address) {
            ("GET", None) => listed(Scope(scope), request),
            ("POST", None) => imported(Scope(scope), request),
            ("GET", Some(who)) => found(Scope(scope), &who),
            ("DELETE", Some(who)) => removed(Scope(scope), &who),
            (_, None) => return Ok(Response::text(405, "GET or POST\n").header("Allow", "GET, HEAD, POST")),
            (_, Some(_)) => return Ok(Response::text(405, "GET or DELETE\n").header("Allow", "GET, HEAD, DELETE")),
        };
        Ok(answer.unwrap_or_else(|error| unable(&error)))
    }

    /// Whose secret the request shows. All are compared, and each to its end: time tells nothing of them.
    fn asking(self, request: &Request) -> Option<&'a Application> {
        let shown = request.header("authorization")?;
        let (scheme, token) = shown.split_once(' ')?;
        let token = scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())?;
        self.applications.iter().fold(None, |known, application| {
            let secret = secrets::get(&application.secret).filter(|secret| secret.len() >= SECRET_BYTES_MIN);
            let is_shown = secret.is_some_and(|secret| is_same(&secret, token.as_bytes()));
            if is_shown { Some(application) } else { known }
        })
    }
}

fn is_same(secret: &[u8], shown: &[u8]) -> bool {
    secret.len() == shown.len() && secret.iter().zip(shown).fold(0, |differ, (one, other)| differ | (one ^ other)) == 0
}

/// A page of a list, or of what has a text in it; `Link` says how to go on (RFC 8288 3).
fn listed(list: Scope<'_>, request: &Request) -> Result<Response, Error> {
    let value = |name| request.query_value(name).filter(|value| !value.is_empty());
    let limit = match request.query_value("limit").map(|text| text.parse::<u32>()) {
        None => PAGE_ENTRIES,
        Some(Ok(limit @ 1..=PAGE_ENTRIES)) => limit,
        Some(_) => return Ok(Response::text(400, "limit: expected 1 to 1000\n")),
    };
    let (containing, after) = (value("containing"), value("after"));
    let Page { entries, after } = list.search(containing.as_deref(), after.as_deref(), limit)?;
    let answer = Response::of(200, "text/csv; charset=utf-8; header=present", csv::written(&entries));
    Ok(match after {
        None => answer,
        Some(after) => {
            let mut link = ["<?limit=", &limit.to_string(), "&after=", &encoded(&after)].concat();
            if let Some(containing) = &containing {
                link.push_str(&["&containing=", &encoded(containing)].concat());
            }
            answer.header("Link", &[&link, ">; rel=\"next\""].concat())
        }
    })
}

/// All of the lines, or none.
fn imported(list: Scope<'_>, request: &Request) -> Result<Response, Error> {
    let read = std::str::from_utf8(&request.body).map_err(|_| "expected text in UTF-8\n".to_owned());
    let who: Vec<(Address, Reason)> = match read.and_then(csv::read) {
        Ok(who) => who,
        Err(words) => return Ok(Response::text(400, &words)),
    };
    let added = list.add_all(&who)?;
    Ok(Response::text(200, &["added ", &added.to_string(), " of ", &who.len().to_string(), "\n"].concat()))
}

fn found(list: Scope<'_>, who: &Address) -> Result<Response, Error> {
    Ok(match list.find(who)? {
        Some(held) => Response::of(200, "text/csv; charset=utf-8; header=present", csv::written(&[held])),
        None => Response::text(404, "it is not on the list\n"),
    })
}

fn removed(list: Scope<'_>, who: &Address) -> Result<Response, Error> {
    Ok(if list.remove(who)? { Response::empty(204) } else { Response::text(404, "it is not on the list\n") })
}

/// Why the lists did not do it.
fn unable(error: &Error) -> Response {
    match error {
        Error::Invalid => Response::text(400, "one of these is no address, or there are more than 10000\n"),
        Error::Full => Response::text(507, "there is no room for more addresses\n"),
        Error::NotPermitted => Response::text(403, "the plugin is not allowed to do that with this scope\n"),
        Error::Unavailable(_) => Response::text(503, "try again later\n").header("Retry-After", "30"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailwright_plugin::testing::scene;

    const SECRET: &str = "a secret of twenty octets";

    fn stage() -> [Application; 2] {
        scene(|scene| {
            scene.tenants = vec!["acme".to_owned()];
            scene.secrets.insert("acme".to_owned(), SECRET.as_bytes().to_vec());
            scene.secrets.insert("short".to_owned(), b"short".to_vec());
        });
        let of = |secret: &str, tenant: Option<&str>| Application {
            secret: secret.to_owned(),
            tenant: tenant.map(str::to_owned),
        };
        [of("acme", Some("acme")), of("short", None)]
    }

    fn asked(method: &str, target: &str, body: &str, token: &str) -> (u16, String, Response) {
        let applications = stage();
        let mut request = Request { method: method.to_owned(), body: body.as_bytes().to_vec(), ..Request::get(target) };
        request.headers.push(("authorization".to_owned(), token.to_owned()));
        let path = request.path.clone();
        let api = Api { applications: &applications, scopes: &["everything", "news"] };
        let answer = api.answer(&request, &path).expect("the tenant is there");
        (answer.status, String::from_utf8(answer.body.clone()).expect("text"), answer)
    }

    fn ask(method: &str, target: &str, body: &str) -> (u16, String) {
        let (status, text, _) = asked(method, target, body, &["Bearer ", SECRET].concat());
        (status, text)
    }

    #[test]
    fn who_shows_no_secret_is_told_nothing_rfc6750_2_1() {
        for token in ["", "Bearer", "Bearer ", "Bearer short", "Basic YQ==", "Bearer a secret of twenty octetS", SECRET]
        {
            let (status, text, answer) = asked("GET", "news", "", token);
            assert_eq!((status, text.contains("Bearer SECRET")), (401, true), "{token}");
            assert!(answer.headers.contains(&("WWW-Authenticate".to_owned(), "Bearer".to_owned())));
        }
    }

    #[test]
    fn a_tenants_list_is_imported_searched_and_changed_rfc4180_2_rfc8288_3() {
        let import = "address,reason\nAnn@Example.org,complaint\nbob@example.net\n";
        assert_eq!(ask("POST", "news", import), (200, "added 2 of 2\n".to_owned()));
        assert_eq!(ask("POST", "news", import), (200, "added 0 of 2\n".to_owned()));
        assert!(scene(|scene| scene.suppression.contains_key("acme/news") && scene.suppression.len() == 1));
        let (status, text, answer) = asked("GET", "news?limit=1", "", &["bearer ", SECRET].concat());
        assert_eq!(
            (status, text.lines().nth(1)),
            (200, Some("ann@example.org,complaint,1970-01-01T00:00:00Z,plugin:test"))
        );
        let link = ("Link".to_owned(), "<?limit=1&after=ann%40example.org>; rel=\"next\"".to_owned());
        assert!(answer.headers.contains(&link), "{:?}", answer.headers);
        assert_eq!(ask("GET", "news?containing=.NET", "").1.lines().count(), 2);
        assert_eq!(ask("GET", "news?after=bob@example.net", "").1.lines().count(), 1);
        assert!(ask("GET", "news/ANN%40example.org", "").1.contains("ann@example.org,complaint"));
        assert_eq!(ask("DELETE", "news/ann%40example.org", "").0, 204);
        assert_eq!(
            (ask("DELETE", "news/ann%40example.org", "").0, ask("GET", "news/ann%40example.org", "").0),
            (404, 404)
        );
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        assert_eq!(ask("GET", "other", ""), (404, "there is no such scope; there are: everything, news\n".to_owned()));
        assert_eq!(ask("GET", "news?limit=1001", "").0, 400);
        assert_eq!(
            (ask("GET", "news/ann", "").0, ask("PUT", "news", "").0, ask("POST", "news/a%40b", "").0),
            (400, 405, 405)
        );
        let (status, words) = ask("POST", "news", "ann@example.org,because\nann\n");
        assert_eq!(status, 400);
        assert!(
            words.starts_with("line 1: \"because\" is no reason") && words.contains("line 2: \"ann\" is no address"),
            "{words}"
        );
        assert!(scene(|scene| scene.suppression.is_empty()), "all or nothing");
    }
}
