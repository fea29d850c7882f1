//! `[[route]]`: ways out, and what their connections want of TLS.

use crate::base::flow::attempt::NextHop;
use crate::base::world::tls::{Outgoing, Trust};
use crate::config::model::{Config, DomainPattern, Route};
use crate::config::parse::scalar::{self, NAME, PATTERN};
use crate::config::parse::section::{Key, Value, Words, put};
use std::path::PathBuf;
use std::sync::Arc;

/// A route before it is known to be whole.
#[derive(Default)]
pub(in crate::config::parse) struct Draft {
    name: Option<Arc<str>>,
    to: Option<DomainPattern>,
    via: Option<NextHop>,
    tls: Option<Outgoing>,
    ca: Option<PathBuf>,
    inside: bool,
}

const ENDPOINT: &str = "a host and port, as \"127.0.0.1:2526\", \"relay.example.org:25\" or \"[::1]:24\"";
const WAYS: &str = "exactly one of smarthost, lmtp and maildir";

/// What a word wants: not all of it can be a constant.
pub(super) type Wish = fn() -> Outgoing;

/// What a route may want of TLS.
const ROUTE_TLS: &Words<Wish> = &[
    ("off", || Outgoing::Off),
    ("opportunistic", || Outgoing::Opportunistic),
    ("required", || Outgoing::Required),
    ("verify", || Outgoing::Verify(Trust::System)),
];

/// Exchangers come out of an unsigned DNS: to compare their certificates with such names says nothing.
pub(super) const DELIVERY_TLS: &Words<Wish> = ROUTE_TLS.split_at(3).0;

pub(in crate::config::parse) const ROUTE: &[Key<Draft>] = &[
    Key { name: "name", read: |d, v| d.name = v.text(NAME, |text| scalar::label(text).map(Into::into)) },
    Key { name: "to", read: |d, v| d.to = v.text(PATTERN, scalar::domain_pattern) },
    Key { name: "smarthost", read: |d, v| d.via = v.text(ENDPOINT, scalar::endpoint).map(NextHop::Smarthost) },
    Key { name: "lmtp", read: |d, v| d.via = v.text(ENDPOINT, scalar::endpoint).map(NextHop::Lmtp) },
    Key { name: "tls", read: |d, v| d.tls = v.word(ROUTE_TLS).map(|wish| wish()) },
    Key { name: "ca", read: |d, v| d.ca = v.text("the path of a file in PEM", path) },
    Key { name: "inside", read: |d, v| put(&mut d.inside, v.truth()) },
    Key { name: "maildir", read: |d, v| d.via = v.text("the path of a Maildir", path).map(NextHop::Maildir) },
];

pub(super) fn route(value: &mut Value<'_, '_>) -> Option<Route> {
    let mut draft = Draft::default();
    if value.table(&mut draft, ROUTE) {
        if value.below("name").is_none() {
            value.require("to", &format!("{PATTERN}, unless the route has a name by which plugins choose it"));
        }
        let ways: Vec<&str> =
            ["smarthost", "lmtp", "maildir"].into_iter().filter(|way| value.below(way).is_some()).collect();
        match ways.as_slice() {
            [] => value.wrong(format!("expected {WAYS}")),
            [_] => {}
            several => value.wrong(format!("expected {WAYS}, found {}", several.join(" and "))),
        }
    }
    let verifies = matches!(draft.tls, Some(Outgoing::Verify(_)));
    if draft.ca.is_some() && !verifies {
        value.wrong_below(&["ca"], "expected tls = \"verify\" beside it: otherwise nobody looks at certificates");
    }
    if draft.tls.is_some() && value.below("maildir").is_some() {
        value.wrong_below(&["tls"], "expected none: a Maildir is reached over no connection");
    }
    if draft.inside && value.below("smarthost").is_none() {
        value.wrong_below(&["inside"], "expected it beside smarthost alone: LMTP and Maildirs are inside in any case");
    }
    let tls = draft.ca.filter(|_| verifies).map(|ca| Outgoing::Verify(Trust::File(ca))).or(draft.tls);
    Some(Route { name: draft.name, to: draft.to, via: draft.via?, tls, inside: draft.inside })
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() || text.contains('\0') { Err(String::new()) } else { Ok(text.into()) }
}

/// Connections are shared by all mail to a host, so that mail must want the same of them.
pub(super) fn agree(config: &Config, root: &mut Value<'_, '_>) {
    if !root.gathered.is_empty() {
        return;
    }
    for (index, route) in config.routes.iter().enumerate() {
        let before = config.routes[..index].iter().find(|other| other.via == route.via && other.tls != route.tls);
        if before.is_some() {
            let what =
                format!("expected the tls and ca of the other [[route]] to {}: they share connections", route.via);
            root.wrong_below(&["route", &index.to_string(), "tls"], &what);
        }
    }
}
