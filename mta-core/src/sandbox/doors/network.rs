//! The host functions that wait for others: those of the grants `dns` and `http:<host>`. The guest is suspended meanwhile;
//! that is waiting, not processor time.

use super::super::capability::http::{Unsent, check};
use super::super::exchange::address::from_wire;
use super::super::host::bindings::mailwright::plugin::dns::{self as wire, Error, MxRecord};
use super::super::host::bindings::mailwright::plugin::http;
use super::super::host::bindings::mailwright::plugin::types::Address;
use super::super::host::call::{Call, in_time};
use crate::base::world::Clock;
use crate::base::world::dns::{DnsFault, RecordData, RecordKind, backwards, reverse_name};
use crate::base::world::http::{HttpFault, HttpHost, HttpRequest, Origin};
use crate::base::world::tls::Trust;
use futures_util::future::{Either, select};
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// Names that one hook call may look up.
const LOOKUPS_MAX: u32 = 64;
/// What a judgement by SPF counts as: ten terms, and what they need besides (RFC 7208 4.6.4).
const LOOKUPS_OF_SPF: u32 = 16;
/// Records of an answer; further ones are left out.
const RECORDS_MAX: usize = 100;
/// Octets of all texts of an answer; further texts are left out.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Longest name, in octets (RFC 1035 2.3.4, written with dots).
const NAME_BYTES_MAX: usize = 253;

/// Requests that one hook call may send.
const FETCHES_MAX: u32 = 8;
/// Content of an answer, in octets.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// What the future says, if it says so in time.
pub(super) async fn within<T>(clock: &dyn Clock, wait: Duration, future: impl Future<Output = T>) -> Option<T> {
    match select(pin!(future), in_time(clock, wait)).await {
        Either::Left((said, _)) => Some(said),
        Either::Right(_) => None,
    }
}

impl From<DnsFault> for Error {
    fn from(fault: DnsFault) -> Self {
        match fault {
            DnsFault::NoSuchDomain => Self::Nxdomain,
            DnsFault::NoRecord => Self::NoData,
            DnsFault::Failed => Self::Servfail,
        }
    }
}

/// The name as it is asked for; none where there can be none such.
fn asked(name: &str) -> Option<Cow<'_, str>> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let name = match name.is_ascii() {
        true => Cow::Borrowed(name),
        false => Cow::Owned(idna::domain_to_ascii(name).ok()?),
    };
    (1..=NAME_BYTES_MAX).contains(&name.len()).then_some(name)
}

impl Call {
    /// How long the next look-up may take, if this call may make one more.
    fn look_up(&mut self) -> Result<Duration, Error> {
        self.look_up_many(1)
    }

    fn look_up_many(&mut self, count: u32) -> Result<Duration, Error> {
        self.lookups += count;
        if self.lookups <= LOOKUPS_MAX { Ok(self.patience()) } else { Err(Error::NotPermitted) }
    }

    async fn records(&mut self, name: &str, kind: RecordKind) -> Result<Vec<RecordData>, Error> {
        let wait = self.look_up()?;
        let name = asked(name).ok_or(Error::Nxdomain)?;
        let found = within(&*self.world.clock, wait, self.world.reach.dns.records(&name, kind)).await;
        let mut found = found.ok_or(Error::Timeout)??;
        found.truncate(RECORDS_MAX);
        Ok(found)
    }

    async fn texts(&mut self, name: &str, kind: RecordKind) -> Result<Vec<String>, Error> {
        let found = self.records(name, kind).await?;
        let shown = |data| match data {
            RecordData::A(ip) => ip.to_string(),
            RecordData::Aaaa(ip) => ip.to_string(),
            RecordData::Txt(text) => String::from_utf8_lossy(&text).into_owned(),
            RecordData::Ptr(name) => name.into(),
        };
        Ok(found.into_iter().map(shown).collect())
    }
}

impl wire::Host for Call {
    async fn a(&mut self, name: String) -> Result<Vec<String>, Error> {
        self.texts(&name, RecordKind::A).await
    }

    async fn aaaa(&mut self, name: String) -> Result<Vec<String>, Error> {
        self.texts(&name, RecordKind::Aaaa).await
    }

    async fn txt(&mut self, name: String) -> Result<Vec<Vec<u8>>, Error> {
        let mut left = TEXT_BYTES_MAX;
        let texts = self.records(&name, RecordKind::Txt).await?.into_iter().filter_map(|data| match data {
            RecordData::Txt(text) => Some(text),
            _ => None,
        });
        let fits = |text: &Vec<u8>| {
            let rest = left.checked_sub(text.len());
            left = rest.unwrap_or(0);
            rest.is_some()
        };
        Ok(texts.take_while(fits).collect())
    }

    async fn mx(&mut self, name: String) -> Result<Vec<MxRecord>, Error> {
        let wait = self.look_up()?;
        let name = asked(&name).ok_or(Error::Nxdomain)?;
        let found = within(&*self.world.clock, wait, self.world.reach.dns.mx(&name)).await;
        let mut found = found.ok_or(Error::Timeout)??;
        found.sort_by_key(|mx| mx.preference);
        let records = found.into_iter().take(RECORDS_MAX);
        Ok(records.map(|mx| MxRecord { preference: mx.preference, host: mx.host.into() }).collect())
    }

    async fn ptr(&mut self, ip: String) -> Result<Vec<String>, Error> {
        let ip: IpAddr = ip.parse().map_err(|_| Error::Nxdomain)?;
        self.texts(&reverse_name(ip), RecordKind::Ptr).await
    }

    /// RFC 5782 2.1 and 2.4: a listed address has A records, in 127.0.0.0/8 alone. A list that is gone for good may
    /// answer every question with the address of somebody's web server; that lists nobody.
    async fn dnsbl(&mut self, zone: String, ip: String) -> Result<Vec<String>, Error> {
        let ip: IpAddr = ip.parse().map_err(|_| Error::Nxdomain)?;
        let name = format!("{}.{zone}", backwards(ip));
        let found = match self.records(&name, RecordKind::A).await {
            Err(Error::Nxdomain | Error::NoData) => return Ok(Vec::new()),
            found => found?,
        };
        let listings = found.into_iter().filter_map(|data| match data {
            RecordData::A(ip) if ip.is_loopback() => Some(ip.to_string()),
            _ => None,
        });
        Ok(listings.collect())
    }

    async fn spf(&mut self, ip: String, sender: Address) -> Result<String, Error> {
        let wait = self.look_up_many(LOOKUPS_OF_SPF)?;
        let ip: IpAddr = ip.parse().map_err(|_| Error::Nxdomain)?;
        let sender = from_wire(sender).ok_or(Error::Nxdomain)?;
        let standing = Arc::clone(&self.world.standing);
        let judged = match standing.get() {
            Some(standing) => within(&*self.world.clock, wait, standing.sender_policy.spf(ip, &sender)).await,
            None => return Err(Error::Servfail),
        };
        judged.map(|outcome| outcome.name().to_owned()).ok_or(Error::Timeout)
    }
}

impl From<Unsent> for http::Error {
    fn from(unsent: Unsent) -> Self {
        match unsent {
            Unsent::TooLarge => Self::TooLarge,
            Unsent::Wrong(words) => Self::Failed(words),
        }
    }
}

impl From<HttpFault> for http::Error {
    fn from(fault: HttpFault) -> Self {
        match fault {
            HttpFault::TooLarge => Self::TooLarge,
            HttpFault::Untrusted(words) | HttpFault::Failed(words) => Self::Failed(words),
        }
    }
}

impl Call {
    /// Where a server is: the addresses that the plugin may connect to. What is judged here is what is connected to:
    /// nobody looks the name up again.
    async fn addresses(&self, origin: &Origin) -> Result<Vec<SocketAddr>, http::Error> {
        let found = match &origin.host {
            // Granted as it is written.
            HttpHost::Address(ip) => return Ok(vec![SocketAddr::new(*ip, origin.port)]),
            HttpHost::Name(name) => self.world.reach.dns.addresses(name).await,
        };
        let found = found.map_err(|fault| http::Error::Failed(format!("its name: {fault}")))?;
        let grants = &self.plugin.grants.http;
        let may: Vec<SocketAddr> = found
            .into_iter()
            .filter(|ip| grants.may_connect(*ip))
            .map(|ip| SocketAddr::new(ip.to_canonical(), origin.port))
            .collect();
        if may.is_empty() { Err(http::Error::NotPermitted) } else { Ok(may) }
    }

    /// Sends a request when fewer than the plugin may have are under way.
    async fn send(
        &self,
        origin: Origin,
        target: String,
        request: http::Request,
    ) -> Result<http::Response, http::Error> {
        let _permit = self.plugin.fetching.acquire().await.map_err(|closed| http::Error::Failed(closed.to_string()))?;
        let request = HttpRequest {
            addresses: self.addresses(&origin).await?,
            origin,
            method: request.method.into(),
            target,
            fields: request.headers,
            body: request.body.into(),
            answer_bytes_max: ANSWER_BYTES_MAX,
            trust: Trust::System,
        };
        let answer = self.world.reach.http.fetch(request).await?;
        Ok(http::Response { status: answer.status, headers: answer.fields, body: answer.body })
    }
}

impl http::Host for Call {
    async fn fetch(&mut self, request: http::Request) -> Result<http::Response, http::Error> {
        check(&request.method, &request.url, &request.headers, &request.body)?;
        let (origin, target) =
            Origin::of_url(&request.url).map_err(|why| http::Error::Failed(format!("the URL: {why}")))?;
        self.fetches += 1;
        // A shadow must leave no trace anywhere.
        if self.plugin.shadow || self.fetches > FETCHES_MAX || !self.plugin.grants.http.origins.contains(&origin) {
            return Err(http::Error::NotPermitted);
        }
        let wait = match request.timeout_ms {
            0 => self.patience(),
            wanted => self.patience().min(Duration::from_millis(wanted.into())),
        };
        within(&*self.world.clock, wait, self.send(origin, target, request)).await.ok_or(http::Error::Timeout)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_asked_for_as_the_dns_writes_them_rfc1035_2_3_4() {
        let name = |text| asked(text).map(Cow::into_owned);
        assert_eq!(name("_dmarc.Example.org."), Some("_dmarc.Example.org".to_owned()));
        assert_eq!(name("bücher.example"), Some("xn--bcher-kva.example".to_owned()));
        assert_eq!((name(""), name("."), name(&"a.".repeat(200))), (None, None, None));
    }
}
