//! What operators ask of suppression lists.

use super::{List, Response, SuppressedRow};
use crate::base::flow::operator::suppression::{Held, ListName, Reason, Search, Suppress};
use crate::base::mail::address::Address;

/// Addresses in a page.
const PAGE_ADDRESSES: usize = 1_000;
/// A scope's name, in octets.
const SCOPE_BYTES_MAX: usize = 64;
/// Who put an address on a list.
const BY: &str = "operator";

/// A page of a list, of the addresses that have a text in them. Others have their turn while a long list is searched.
pub(super) async fn page(lists: &dyn Suppress, list: List, mut after: Option<String>, containing: &str) -> Response {
    let list = match name(list) {
        Ok(list) => list,
        Err(why) => return Response::Error(why),
    };
    let mut addresses = Vec::new();
    let more = loop {
        let limit = PAGE_ADDRESSES - addresses.len();
        let found = lists.search(&list, Search { containing, after: after.as_deref(), limit });
        addresses.extend(found.entries.into_iter().map(row));
        after = found.after.map(Into::into);
        if after.is_none() || addresses.len() >= PAGE_ADDRESSES {
            break after.is_some();
        }
        tokio::task::yield_now().await;
    };
    Response::Suppressed { addresses, more }
}

fn row((address, Held { reason, since, by }): (Box<str>, Held)) -> SuppressedRow {
    SuppressedRow { address: address.into(), reason, since: since.to_string(), by: by.to_string() }
}

/// Puts addresses on a list.
pub(super) async fn add(lists: &dyn Suppress, list: List, addresses: Vec<(String, Reason)>) -> Response {
    let parsed = |(text, reason): (String, Reason)| Ok((address(&text)?, reason));
    let asked =
        name(list).and_then(|list| Ok((list, addresses.into_iter().map(parsed).collect::<Result<_, String>>()?)));
    let (list, addresses) = match asked {
        Ok(asked) => asked,
        Err(why) => return Response::Error(why),
    };
    changed(lists.add(list, addresses, BY.into()).await)
}

/// Takes an address off a list.
pub(super) async fn remove(lists: &dyn Suppress, list: List, text: &str) -> Response {
    let (list, address) = match name(list).and_then(|list| Ok((list, address(text)?))) {
        Ok(asked) => asked,
        Err(why) => return Response::Error(why),
    };
    changed(lists.remove(list, address).await.map(u64::from))
}

fn changed(done: Result<u64, impl ToString>) -> Response {
    match done {
        Ok(addresses) => Response::Changed { addresses },
        Err(fault) => Response::Error(fault.to_string()),
    }
}

fn name(list: List) -> Result<ListName, String> {
    let List { scope, tenant } = list;
    let fits = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_';
    match (1..=SCOPE_BYTES_MAX).contains(&scope.len()) && scope.bytes().all(fits) {
        true => Ok(ListName { scope: scope.into(), tenant: tenant.map(Into::into) }),
        false => Err(format!("{scope:?} is no scope: expected 1 to {SCOPE_BYTES_MAX} letters, digits, - and _")),
    }
}

fn address(text: &str) -> Result<Address, String> {
    Address::parse(text).map_err(|why| format!("{text:?} is no address: {why}"))
}
