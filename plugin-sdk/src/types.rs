//! Natural ways to make the contract's plain data.

use crate::bindings::mailwright::plugin::types::{Address, EnhancedStatus, Fault, Gate, Priority, Reply};
use crate::hooks::{Account, Admission, Bounce, Route, Routing};
use crate::host::outside::{dns, http, submit, suppression, tables, tenants};
use crate::host::{kv, message, session};
use std::fmt;

impl Address {
    /// `local@domain`; the domain is empty for `postmaster` alone (RFC 5321 4.1.1.3).
    #[must_use]
    pub fn new(local: &str, domain: &str) -> Self {
        Self { local: local.to_owned(), domain: domain.to_owned() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.domain.is_empty() { f.write_str(&self.local) } else { write!(f, "{}@{}", self.local, self.domain) }
    }
}

impl Reply {
    /// Any code. The host checks that it fits the verdict.
    #[must_use]
    pub fn new(code: u16, text: &str) -> Self {
        Self { code, enhanced: None, text: text.to_owned() }
    }

    /// 451 4.7.1: not now, for reasons of policy (RFC 5321 4.2.3, RFC 3463 3.8).
    #[must_use]
    pub fn tempfail(text: &str) -> Self {
        Self::new(451, text).status(4, 7, 1)
    }

    /// 550 5.7.1: not ever, for reasons of policy (RFC 5321 4.2.3, RFC 3463 3.8).
    #[must_use]
    pub fn reject(text: &str) -> Self {
        Self::new(550, text).status(5, 7, 1)
    }

    /// 421 4.7.0: go away for now (RFC 5321 3.8).
    #[must_use]
    pub fn disconnect(text: &str) -> Self {
        Self::new(421, text).status(4, 7, 0)
    }

    /// The same reply with this enhanced status (RFC 3463).
    #[must_use]
    pub fn status(mut self, class: u8, subject: u16, detail: u16) -> Self {
        self.enhanced = Some(EnhancedStatus { class, subject, detail });
        self
    }
}

impl Bounce {
    /// A bounce with this status (RFC 3463), of which nothing more is known.
    #[must_use]
    pub fn new(class: u8, subject: u16, detail: u16) -> Self {
        Self { status: EnhancedStatus { class, subject, detail }, diagnostic: None, remote: None }
    }
}

impl Gate {
    /// Refused for good with 550 5.7.1.
    #[must_use]
    pub fn reject(text: &str) -> Self {
        Self::Reject(Reply::reject(text))
    }

    /// Refused for now with 451 4.7.1.
    #[must_use]
    pub fn tempfail(text: &str) -> Self {
        Self::Tempfail(Reply::tempfail(text))
    }
}

impl Admission {
    /// The password is the user's, who is known by its name alone: an address that its mail may be from, and the tenant's whose
    /// `users` have it.
    #[must_use]
    pub fn yes() -> Self {
        Self::Yes(Account::new())
    }
}

impl Account {
    /// One of which nothing is said.
    #[must_use]
    pub fn new() -> Self {
        Self { tenant: None, senders: Vec::new() }
    }

    /// Its mail is this tenant's.
    #[must_use]
    pub fn tenant(self, name: &str) -> Self {
        Self { tenant: Some(name.to_owned()), ..self }
    }

    /// Its mail may be from these too: `ann@example.org`, `@example.org`, `@*.example.org` or `*`.
    #[must_use]
    pub fn sender(mut self, pattern: &str) -> Self {
        self.senders.push(pattern.to_owned());
        self
    }
}

impl Default for Account {
    fn default() -> Self {
        Self::new()
    }
}

impl Routing {
    /// That way.
    ///
    /// ```
    /// use mailwright_plugin::{Fault, Priority, Route, Routing, delivery};
    ///
    /// #[derive(Default)]
    /// struct Ways;
    ///
    /// #[mailwright_plugin::plugin]
    /// impl Ways {
    ///     /// The newsletter's tag sends it by the relay for bulk mail, behind everything else, for two days at most.
    ///     fn on_route(&mut self) -> Result<Routing, Fault> {
    ///         let recipient = delivery::current()?;
    ///         if mailwright_plugin::message::tag("list")?.as_deref() != Some("newsletter") {
    ///             return Ok(Routing::Next);
    ///         }
    ///         let route = Route::via("bulk").campaign("newsletter").priority(Priority::Bulk);
    ///         Ok(Routing::place(route.expires_ms(recipient.queued_ms + 2 * 86_400_000)))
    ///     }
    /// }
    /// # fn main() {
    /// // Natively, as a test would:
    /// use mailwright_plugin::testing::{Message, delivery, scene};
    /// scene(|scene| {
    ///     scene.delivery = Some(delivery("ann@example.net"));
    ///     scene.message = Some(Message::default());
    /// });
    /// assert_eq!(Ways.on_route(), Ok(Routing::Next));
    /// scene(|scene| {
    ///     let message = scene.message.as_mut().expect("it was set");
    ///     message.tags.insert("list".into(), "newsletter".into());
    /// });
    /// let expected = Route::via("bulk").campaign("newsletter").priority(Priority::Bulk).expires_ms(172_800_000);
    /// assert_eq!(Ways.on_route(), Ok(Routing::place(expected)));
    /// # }
    /// ```
    #[must_use]
    pub fn place(route: Route) -> Self {
        Self::Place(route)
    }

    /// Kept until an operator decides, for this reason.
    #[must_use]
    pub fn hold(reason: &str) -> Self {
        Self::Hold(reason.to_owned())
    }

    /// Bounced with 550 5.7.1.
    #[must_use]
    pub fn reject(text: &str) -> Self {
        Self::Fail(Reply::reject(text))
    }

    /// A failed attempt, with 451 4.7.1: asked again when the next is due.
    #[must_use]
    pub fn tempfail(text: &str) -> Self {
        Self::Fail(Reply::tempfail(text))
    }
}

impl Route {
    /// A way that says nothing yet: as without a plugin.
    #[must_use]
    pub fn new() -> Self {
        Self { via: None, pool: None, campaign: None, priority: None, not_before_ms: None, expires_ms: None }
    }

    /// By the `[[route]]` with that name.
    #[must_use]
    pub fn via(name: &str) -> Self {
        Self { via: Some(name.to_owned()), ..Self::new() }
    }

    /// From the addresses of the `[[pool]]` with that name.
    #[must_use]
    pub fn pool(self, name: &str) -> Self {
        Self { pool: Some(name.to_owned()), ..self }
    }

    /// What it belongs to: at most 128 octets.
    #[must_use]
    pub fn campaign(self, name: &str) -> Self {
        Self { campaign: Some(name.to_owned()), ..self }
    }

    /// What goes first where not everything can go at once.
    #[must_use]
    pub fn priority(self, priority: Priority) -> Self {
        Self { priority: Some(priority), ..self }
    }

    /// The first attempt comes then, in milliseconds since 1970, or later.
    #[must_use]
    pub fn not_before_ms(self, at: u64) -> Self {
        Self { not_before_ms: Some(at), ..self }
    }

    /// It is too old then, in milliseconds since 1970, or sooner by the server's configuration.
    #[must_use]
    pub fn expires_ms(self, at: u64) -> Self {
        Self { expires_ms: Some(at), ..self }
    }
}

impl Default for Route {
    fn default() -> Self {
        Self::new()
    }
}

impl From<message::Error> for Fault {
    fn from(error: message::Error) -> Self {
        Self::Internal(format!("message: {}", error.name()))
    }
}

impl From<session::Error> for Fault {
    fn from(error: session::Error) -> Self {
        Self::Internal(format!("session: {}", error.name()))
    }
}

impl From<kv::Error> for Fault {
    fn from(error: kv::Error) -> Self {
        let words = match &error {
            kv::Error::NoSuchBucket => "no-such-bucket",
            kv::Error::Quota => "quota",
            kv::Error::TooLarge => "too-large",
            kv::Error::Conflict => "conflict",
            kv::Error::Unavailable(words) => words,
        };
        Self::Unavailable(format!("kv: {words}"))
    }
}

impl From<tables::Error> for Fault {
    fn from(error: tables::Error) -> Self {
        let words = match &error {
            tables::Error::NoSuchTable => "no-such-table",
            tables::Error::Unavailable(words) => words,
        };
        Self::Unavailable(format!("tables: {words}"))
    }
}

impl From<suppression::Error> for Fault {
    fn from(error: suppression::Error) -> Self {
        let words = match &error {
            suppression::Error::NotPermitted => "not-permitted",
            suppression::Error::Invalid => "invalid",
            suppression::Error::Full => "full",
            suppression::Error::Unavailable(words) => words,
        };
        Self::Unavailable(format!("suppression: {words}"))
    }
}

impl From<tenants::Error> for Fault {
    fn from(error: tenants::Error) -> Self {
        Self::Internal(format!("tenants: {}", error.name()))
    }
}

impl From<dns::Error> for Fault {
    fn from(error: dns::Error) -> Self {
        let words = match error {
            dns::Error::Nxdomain => "nxdomain",
            dns::Error::NoData => "no-data",
            dns::Error::Timeout => "timeout",
            dns::Error::Servfail => "servfail",
            dns::Error::NotPermitted => "not-permitted",
        };
        Self::Unavailable(format!("dns: {words}"))
    }
}

impl From<http::Error> for Fault {
    fn from(error: http::Error) -> Self {
        let words = match &error {
            http::Error::NotPermitted => "not-permitted",
            http::Error::Timeout => "timeout",
            http::Error::TooLarge => "too-large",
            http::Error::Failed(words) => words,
        };
        Self::Unavailable(format!("http: {words}"))
    }
}

impl From<submit::Error> for Fault {
    fn from(error: submit::Error) -> Self {
        let words = match &error {
            submit::Error::NotPermitted => "not-permitted",
            submit::Error::Quota => "quota",
            submit::Error::Invalid(words) | submit::Error::Unavailable(words) => words,
        };
        Self::Unavailable(format!("submit: {words}"))
    }
}

impl From<crate::delivery::Error> for Fault {
    fn from(error: crate::delivery::Error) -> Self {
        Self::Internal(format!("delivery: {}", error.name()))
    }
}
