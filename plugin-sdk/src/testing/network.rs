//! The host functions that reach others, on the scene.

use super::scene;
use std::collections::BTreeMap;

/// The DNS of a scene. A name that is in none of these does not exist.
#[derive(Clone, Debug, Default)]
pub struct Dns {
    /// IPv4 addresses by name.
    pub a: BTreeMap<String, Vec<String>>,
    /// IPv6 addresses by name.
    pub aaaa: BTreeMap<String, Vec<String>>,
    /// Texts by name.
    pub txt: BTreeMap<String, Vec<Vec<u8>>>,
    /// Exchangers by name.
    pub mx: BTreeMap<String, Vec<crate::dns::MxRecord>>,
    /// Names by address.
    pub ptr: BTreeMap<String, Vec<String>>,
    /// What lists say, by zone and address.
    pub lists: BTreeMap<(String, String), Vec<String>>,
    /// What SPF comes to, by address and the sender's domain; for others it is `none`.
    pub spf: BTreeMap<(String, String), String>,
    /// What these names, addresses and zones answer instead.
    pub failing: BTreeMap<String, crate::dns::Error>,
}

pub(crate) mod dns {
    //! The scene's names.
    use super::{BTreeMap, Dns, scene};
    use crate::dns::{Error, MxRecord};

    fn find<T: Clone>(name: &str, kind: fn(&Dns) -> &BTreeMap<String, Vec<T>>) -> Result<Vec<T>, Error> {
        scene(|scene| {
            let dns = &scene.dns;
            if let Some(error) = dns.failing.get(name) {
                return Err(*error);
            }
            let known = [dns.a.contains_key(name), dns.aaaa.contains_key(name), dns.txt.contains_key(name)];
            let known = known.contains(&true) || dns.mx.contains_key(name);
            let absent = if known { Error::NoData } else { Error::Nxdomain };
            kind(dns).get(name).cloned().ok_or(absent)
        })
    }

    pub(crate) fn a(name: &str) -> Result<Vec<String>, Error> {
        find(name, |dns| &dns.a)
    }

    pub(crate) fn aaaa(name: &str) -> Result<Vec<String>, Error> {
        find(name, |dns| &dns.aaaa)
    }

    pub(crate) fn txt(name: &str) -> Result<Vec<Vec<u8>>, Error> {
        find(name, |dns| &dns.txt)
    }

    pub(crate) fn mx(name: &str) -> Result<Vec<MxRecord>, Error> {
        find(name, |dns| &dns.mx)
    }

    pub(crate) fn ptr(ip: &str) -> Result<Vec<String>, Error> {
        find(ip, |dns| &dns.ptr)
    }

    pub(crate) fn dnsbl(zone: &str, ip: &str) -> Result<Vec<String>, Error> {
        scene(|scene| match scene.dns.failing.get(zone) {
            Some(error) => Err(*error),
            None => Ok(scene.dns.lists.get(&(zone.to_owned(), ip.to_owned())).cloned().unwrap_or_default()),
        })
    }

    pub(crate) fn spf(ip: &str, sender: &crate::Address) -> Result<String, Error> {
        scene(|scene| match scene.dns.failing.get(&sender.domain) {
            Some(error) => Err(*error),
            None => {
                let found = scene.dns.spf.get(&(ip.to_owned(), sender.domain.to_lowercase()));
                Ok(found.cloned().unwrap_or_else(|| "none".to_owned()))
            }
        })
    }
}

/// The web of a scene.
#[derive(Clone, Debug, Default)]
pub struct Web {
    /// Answers by URL; what is not here is not permitted.
    pub answers: BTreeMap<String, Result<crate::http::Response, crate::http::Error>>,
    /// What was sent, in its order.
    pub requests: Vec<crate::http::Request>,
}

pub(crate) mod http {
    //! The scene's web.
    use super::scene;
    use crate::http::{Error, Request, Response};

    pub(crate) fn fetch(request: &Request) -> Result<Response, Error> {
        scene(|scene| {
            scene.web.requests.push(request.clone());
            scene.web.answers.get(&request.url).cloned().unwrap_or(Err(Error::NotPermitted))
        })
    }
}

/// A message that a plugin sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Submitted {
    /// The reverse path.
    pub sender: Option<crate::Address>,
    /// The recipients.
    pub to: Vec<crate::Address>,
    /// Header section and body, as the plugin gave them.
    pub raw: Vec<u8>,
}

pub(crate) mod submit {
    //! Mail is kept in the scene.
    use super::{Submitted, scene};
    use crate::Address;
    use crate::submit::Error;

    pub(crate) fn send(sender: Option<&Address>, to: &[Address], raw: &[u8]) -> Result<String, Error> {
        scene(|scene| {
            if let Some(error) = &scene.submit_error {
                return Err(error.clone());
            }
            scene.submitted.push(Submitted { sender: sender.cloned(), to: to.to_vec(), raw: raw.to_vec() });
            Ok(format!("{:026}", scene.submitted.len()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::{self, Error};
    use crate::http::{self, Request, Response};

    #[test]
    fn the_web_answers_as_the_scene_says_and_keeps_what_was_asked() {
        let found = Response { status: 200, headers: vec![("etag".to_owned(), "1".to_owned())], body: b"ok".to_vec() };
        scene(|scene| scene.web.answers.insert("https://a.test/".to_owned(), Ok(found)));
        let request = Request::post("https://a.test/", "text/plain", "hello").timeout_ms(500);
        let answer = request.send().expect("it is there");
        assert_eq!((answer.status, answer.header("ETag"), &answer.body[..]), (200, Some("1"), &b"ok"[..]));
        assert_eq!(Request::get("https://b.test/").send(), Err(http::Error::NotPermitted));
        assert_eq!(scene(|scene| scene.web.requests.first().cloned()), Some(request));
    }

    #[test]
    fn mail_that_is_sent_lies_in_the_scene_unless_it_is_to_fail() {
        use crate::submit::{Error, send};
        let to = [crate::Address::new("ann", "example.org")];
        assert!(send(None, &to, b"From: a@b\n\nhi\n").is_ok());
        let sent = Submitted { sender: None, to: to.to_vec(), raw: b"From: a@b\n\nhi\n".to_vec() };
        assert_eq!(scene(|scene| scene.submitted.clone()), [sent]);
        scene(|scene| scene.submit_error = Some(Error::Quota));
        assert_eq!(send(None, &to, b""), Err(Error::Quota));
    }

    #[test]
    fn names_and_lists_are_as_the_scene_has_them() {
        scene(|scene| {
            scene.dns.a.insert("host.test".to_owned(), vec!["192.0.2.7".to_owned()]);
            scene.dns.lists.insert(("list.test".to_owned(), "192.0.2.7".to_owned()), vec!["127.0.0.2".to_owned()]);
            scene.dns.failing.insert("slow.test".to_owned(), Error::Timeout);
        });
        assert_eq!(dns::a("host.test"), Ok(vec!["192.0.2.7".to_owned()]));
        assert_eq!(dns::txt("host.test"), Err(Error::NoData));
        assert_eq!(dns::mx("gone.test"), Err(Error::Nxdomain));
        assert_eq!(dns::aaaa("slow.test"), Err(Error::Timeout));
        assert_eq!(dns::dnsbl("list.test", "192.0.2.7"), Ok(vec!["127.0.0.2".to_owned()]));
        assert_eq!(dns::dnsbl("list.test", "192.0.2.8"), Ok(Vec::new()));
        assert_eq!(dns::dnsbl("slow.test", "192.0.2.8"), Err(Error::Timeout));
        assert_eq!(dns::ptr("192.0.2.7"), Err(Error::Nxdomain));
        scene(|scene| scene.dns.spf.insert(("192.0.2.7".to_owned(), "a.test".to_owned()), "pass".to_owned()));
        let spf = |ip: &str| dns::spf(ip, &crate::Address::new("ann", "A.test"));
        assert_eq!((spf("192.0.2.7"), spf("192.0.2.8")), (Ok("pass".to_owned()), Ok("none".to_owned())));
    }
}
